//! `nsenter`: namespaces named by a socket, by the kernel's number, as a parent; and labels of security modules.

use crate::harness::*;

/// A process that holds a socket, as descriptor 7, of a network namespace that no process is in.
struct Socket {
    process: Holder,
    net: String,
}

impl Socket {
    #[track_caller]
    fn new() -> Self {
        let place = Place::new();
        let script = "
import ctypes, os, socket, sys
libc = ctypes.CDLL(None)
ours = os.open('/proc/self/ns/net', os.O_RDONLY)
assert libc.unshare(0x40000000) == 0
open(sys.argv[1], 'w').write(os.readlink('/proc/self/ns/net'))
other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
os.dup2(other.fileno(), 7)
assert libc.setns(ours, 0x40000000) == 0
open('/proc/self/comm', 'w').write('cat')
print(os.getpid(), flush=True)
sys.stdin.read()
";
        let file = place.at("net");
        let tool = Tool::program("python3").args(["-c", script, &file]);
        let process = Holder::of(tool, "");
        let net = std::fs::read_to_string(file).expect("it says which");
        Self { process, net }
    }

    fn nsenter(&self, words: &str) -> Tool {
        Tool::nsenter()
            .args(["-t", &self.process.pid().to_string()])
            .line(words)
    }
}

#[test]
fn a_socket_of_a_network_that_no_process_is_in() {
    needs!(
        root(),
        command("python3"),
        option("nsenter", "--net-socket")
    );
    let socket = Socket::new();
    assert_ne!(socket.net, Links::of(socket.process.pid()).get("net"));
    for words in [
        "-N 7",
        "--net-socket=7",
        "-N7 -u",
        "-a -N 7",
        "-N 7 -n",
        "-n -N 7",
    ] {
        let tool = socket.nsenter(words).line("readlink /proc/self/ns/net");
        tool.run().ok().out(&format!("{}\n", socket.net));
    }
}

#[test]
fn descriptors_that_are_no_sockets() {
    needs!(
        root(),
        command("python3"),
        ours("says it in other words, or ignores them")
    );
    let socket = Socket::new();
    let pid = socket.process.pid();
    for (words, line) in [
        (
            "-N 99",
            format!(
                "cannot open the network namespace of socket 99 of process {pid}: Bad file descriptor"
            ),
        ),
        (
            "-N 1",
            format!("descriptor 1 of process {pid} is no socket"),
        ),
        (
            "-N -1",
            "--net-socket: '-1' is not a number from 0 to 2147483647".to_owned(),
        ),
        (
            "-N x",
            "--net-socket: 'x' is not a number from 0 to 2147483647".to_owned(),
        ),
    ] {
        let ran = socket.nsenter(words).line("echo it ran").run().exits(1);
        ran.out("").err(&format!("nsenter: {line}\n"));
    }
    let tool = socket.nsenter("-N 7 echo it ran").by_ordinary();
    tool.run().exits(1).out("").err(&format!(
        "nsenter: cannot open the network namespace of socket 7 of process {pid}: Operation not permitted\n"
    ));
    Tool::nsenter()
        .line("-N 7 echo it ran")
        .run()
        .exits(1)
        .out("")
        .err("nsenter: no target PID specified\n");
}

/// What the kernel calls a namespace (`NS_GET_ID`), if it does.
fn id(file: &str) -> Option<u64> {
    let script = "
import fcntl, os, struct, sys
number = bytearray(8)
try: fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8008b70d, number)
except OSError: sys.exit()
print(struct.unpack('Q', number)[0])
";
    let tool = Tool::program("python3").args(["-c", script, file]);
    tool.run().ok().text().parse().ok()
}

/// A number that the kernel has not given yet.
const FAR: u64 = u64::MAX - 1;

#[test]
fn a_number_of_the_kernel() {
    needs!(
        root(),
        command("python3"),
        ours("needs a kernel that opens by number")
    );
    let holder = Holder::unshare("-num");
    needs!(unless(
        id(&holder.file("net")).is_some(),
        "numbers for namespaces (Linux 6.18)"
    ));
    let target = Links::of(holder.pid());
    for (option, kind) in [("net", "net"), ("uts", "uts"), ("mount", "mnt")] {
        let number = id(&holder.file(kind)).expect("the kernel gives them");
        for word in [
            format!("--{option}=:{number}"),
            format!("-{}:{number}", &option[..1]),
            format!("-{}=:{number}", &option[..1]),
        ] {
            let tool = Tool::nsenter()
                .arg(&word)
                .args(["readlink", &format!("/proc/self/ns/{kind}")]);
            tool.run().ok().out(&format!("{}\n", target.get(kind)));
        }
    }
    let number = id(&holder.file("net")).expect("the kernel gives them");
    Tool::nsenter()
        .arg(format!("--uts=:{number}"))
        .line("echo it ran")
        .run()
        .exits(1)
        .out("")
        .err("nsenter: reassociate to namespace 'ns/uts' failed: Invalid argument\n");
    Tool::nsenter()
        .arg(format!("-n:{FAR}"))
        .line("echo it ran")
        .run()
        .exits(1)
        .out("")
        .err_has(&format!("nsenter: id:{FAR}: no such namespace can be seen"));
}

#[test]
fn a_kernel_without_numbers() {
    needs!(
        root(),
        command("strace"),
        ours("needs a kernel that opens by number")
    );
    Tool::program("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "signal=none"])
        .args(["-e", "trace=ioctl,open_by_handle_at"])
        .args(["-e", "inject=ioctl:error=ENOTTY"])
        .args(["-e", "inject=open_by_handle_at:error=EOPNOTSUPP"])
        .arg(Tool::path_of("nsenter"))
        .line("-n:5 echo it ran")
        .run()
        .exits(1)
        .out("")
        .err("nsenter: id:5: this kernel gives namespaces no IDs; name it by a file\n");
}

#[test]
fn numbers_that_are_none() {
    needs!(ours(
        "takes them for file names, where the kernel has no such numbers"
    ));
    for number in ["", "x", "-1", "0x1", "1x", "1 ", "18446744073709551616"] {
        Tool::nsenter()
            .arg(format!("--net=:{number}"))
            .line("echo it ran")
            .run()
            .exits(1)
            .out("")
            .err(&format!(
                "nsenter: --net: '{number}' after ':' is not a namespace ID, a decimal number\n"
            ));
    }
}

/// User namespaces in each other, outermost first, each with a process in it; the last has a network of its own.
#[track_caller]
fn nested(levels: usize) -> Vec<Holder> {
    let unshare = Tool::path_of("unshare");
    let mut holders: Vec<Holder> = vec![Holder::ordinary("-r")];
    while holders.len() < levels {
        let outer = holders[holders.len() - 1].pid().to_string();
        let words = if holders.len() + 1 == levels {
            "-rn"
        } else {
            "-r"
        };
        let tool = Tool::nsenter()
            .args(["--preserve-credentials", "-U", "-t", &outer])
            .arg(&unshare)
            .arg(words);
        holders.push(Holder::of(tool.by_ordinary(), ""));
    }
    holders
}

#[test]
fn parents_one_level_after_the_other() {
    needs!(
        root(),
        user_namespaces(),
        option("nsenter", "--user-parent")
    );
    let holders = nested(4);
    let user = |level: usize| Links::of(holders[level].pid()).get("user").to_owned();
    let entered = |words: &str, ordinary: bool| {
        let tool = Tool::nsenter()
            .args([
                "--preserve-credentials",
                "-t",
                &holders[3].pid().to_string(),
            ])
            .line(words)
            .line(INSIDE);
        let tool = if ordinary { tool.by_ordinary() } else { tool };
        Links::said(&tool.run().ok().text())
    };
    for ordinary in [false, true] {
        assert_eq!(entered("-U", ordinary).get("user"), user(3));
        assert_eq!(entered("-U --user-parent", ordinary).get("user"), user(2));
    }
    needs!(ours("goes up one level only"));
    for ordinary in [false, true] {
        let two = entered("-U --user-parent --user-parent", ordinary);
        assert_eq!(two.get("user"), user(1));
        let three = entered("-U --user-parent --user-parent --user-parent", ordinary);
        assert_eq!(three.get("user"), user(0));
        // With another namespace of the target, below what is entered.
        let with_net = entered("-U -n --user-parent --user-parent", ordinary);
        assert_eq!(with_net.get("user"), user(1));
        assert_eq!(with_net.get("net"), Links::of(holders[3].pid()).get("net"));
    }
    // By file; and the owner of another namespace, without -U.
    let by_file = |words: &[String]| {
        let tool = Tool::nsenter().args(words).line("--preserve-credentials");
        Links::said(&tool.line(INSIDE).run().ok().text())
            .get("user")
            .to_owned()
    };
    let up = || "--user-parent".to_owned();
    let file = |option: &str, kind: &str| format!("--{option}={}", holders[3].file(kind));
    assert_eq!(by_file(&[file("user", "user"), up()]), user(2));
    assert_eq!(by_file(&[file("user", "user"), up(), up()]), user(1));
    assert_eq!(by_file(&[file("net", "net"), up()]), user(3));
    assert_eq!(by_file(&[file("net", "net"), up(), up()]), user(2));
}

#[test]
fn parents_that_are_ours_or_above_ours() {
    needs!(
        root(),
        user_namespaces(),
        option("nsenter", "--user-parent"),
        ours("goes up one level only")
    );
    let holders = nested(2);
    let refused = |words: &str, line: &str| {
        Tool::nsenter()
            .args(["-t", &holders[1].pid().to_string()])
            .line(words)
            .line("echo it ran")
            .run()
            .exits(1)
            .out("")
            .err(&format!("nsenter: {line}\n"));
    };
    // Our own, which the kernel refuses to enter again.
    refused(
        "-U --user-parent --user-parent",
        "reassociate to namespace 'ns/user' failed: Invalid argument",
    );
    refused(
        "-U --user-parent --user-parent --user-parent",
        "failed to open parent namespace: Operation not permitted",
    );
}

#[test]
fn security_modules_that_are_off() {
    needs!(root(), ours("ignores it"));
    let holder = Holder::unshare("-u");
    let modules = [
        (
            "-Z",
            "--follow-context",
            "SELinux",
            "/sys/fs/selinux/enforce",
        ),
        (
            "--follow-context",
            "--follow-context",
            "SELinux",
            "/sys/fs/selinux/enforce",
        ),
        (
            "--follow-apparmor",
            "--follow-apparmor",
            "AppArmor",
            "/sys/kernel/security/apparmor/profiles",
        ),
    ];
    for (word, option, module, presence) in modules {
        needs!(unless(
            !std::path::Path::new(presence).exists(),
            &format!("a kernel without {module}")
        ));
        Tool::nsenter()
            .args(["-u", "-t", &holder.pid().to_string(), word])
            .line("echo it ran")
            .run()
            .exits(1)
            .out("")
            .err(&format!(
                "nsenter: {option}: {module} is not in use on this machine\n"
            ));
    }
}
