//! Targets that do not wish us well: what they put in our way, and that nothing comes of it.
//!
//! The target is a shell or python in namespaces that the test made; what it covers, it covers in a mount namespace of
//! its own.

use crate::harness::*;

/// As much memory as one of ours may take here: far more than it needs, far less than what has no end.
const MEMORY: &str = "--as=200000000";

/// `nsenter` or `setns` that cannot take much memory.
fn bounded(applet: &str) -> Tool {
    Tool::program("prlimit")
        .arg(MEMORY)
        .arg(Tool::path_of(applet))
}

/// A mount namespace in which `script` was done; `$PLACE` is a directory of the test's.
#[track_caller]
fn mounts(place: &Place, script: &str) -> Holder {
    let tool = Tool::fixture().line("-m --propagation private");
    Holder::of(tool.env("PLACE", place.path()), script)
}

/// In place of /etc, one with a passwd file that `script` makes there.
#[track_caller]
fn with_passwd(place: &Place, script: &str) -> Holder {
    mounts(
        place,
        &format!("mount -t tmpfs tmpfs /etc; cd /etc; {script}; cd /"),
    )
}

/// What a file may be instead: `sh` that makes `$1` so.
const NO_FILES: [&str; 4] = [
    "ln -s /dev/zero $1",
    "mkfifo $1",
    "mkdir $1",
    "truncate -s 1T $1",
];

/// The commands of [`NO_FILES`] for this name.
fn no_files(name: &str) -> impl Iterator<Item = String> {
    NO_FILES
        .into_iter()
        .map(move |script| script.replace("$1", name))
}

#[test]
fn the_targets_getent_is_not_run() {
    needs!(
        root(),
        ours("asks nobody, and takes /bin/sh"),
        command("getent"),
        command("prlimit")
    );
    let place = Place::new();
    let mark = place.at("mark");
    place.script("getent", &format!("#!/bin/sh\necho it ran >{mark}\n"));
    place.file("passwd", "somebody:x:12345:1::/:/bin/false\n");
    let getent = find("getent").expect("a need that was looked at");
    let script = format!(
        "mount --bind $PLACE/getent {}; mount --bind $PLACE/passwd /etc/passwd",
        getent.display()
    );
    let holder = mounts(&place, &script);
    let pid = holder.pid().to_string();
    for words in ["-m", "-m -r", "-m -w", "-a"] {
        Tool::nsenter()
            .args(["-t", &pid])
            .line(words)
            .stdin("echo in a shell\n")
            .run()
            .ok()
            .out("in a shell\n");
    }
    // Also the one that is found by a name of the caller's own.
    Tool::nsenter()
        .args(["-t", &pid, "-r"])
        .arg(format!("--uts=/proc/{pid}/ns/uts"))
        .stdin("echo in a shell\n")
        .run()
        .ok()
        .out("in a shell\n");
    assert!(!std::path::Path::new(&mark).exists(), "it was run");
    // Where nothing but the host name is entered, it is the caller's own that is asked.
    let script = format!(
        "mount --bind $PLACE/getent {}; mount --bind $PLACE/passwd /etc/passwd; exec unshare -u",
        getent.display()
    );
    let tool = Tool::fixture().line("-m --propagation private");
    tool.env("PLACE", place.path())
        .sh(&script)
        .stdin("echo in a shell\n")
        .run()
        .ok()
        .out("in a shell\n");
    assert!(
        std::path::Path::new(&mark).exists(),
        "the test's getent runs"
    );
}

#[test]
fn the_shell_is_the_one_of_the_targets_passwd() {
    needs!(root(), ours("asks nobody, and takes /bin/sh"));
    let place = Place::new();
    let shell = place.script("shell", "#!/bin/sh\necho the shell of the target\n");
    let holder = with_passwd(
        &place,
        &format!("echo root:x:0:0:root:/root:{shell} >passwd"),
    );
    Tool::nsenter()
        .args(["-m", "-t", &holder.pid().to_string()])
        .run()
        .ok()
        .out("the shell of the target\n");
}

#[test]
fn a_passwd_that_is_none() {
    needs!(
        root(),
        ours("has the C library read it"),
        command("prlimit")
    );
    let place = Place::new();
    for script in no_files("passwd") {
        let holder = with_passwd(&place, &script);
        bounded("nsenter")
            .args(["-m", "-t", &holder.pid().to_string()])
            .stdin("echo in a shell\n")
            .run()
            .ok()
            .out("in a shell\n");
    }
}

/// A name that no directory can have, for a failure that nothing explains.
fn too_long() -> String {
    format!("/{}", "x".repeat(300))
}

/// What is looked at after a failure is our own: not the files that lie where a proc would be.
#[track_caller]
fn is_explained_by_our_own_proc(tool: Tool, line: &str) {
    let own = Tool::program("cat").arg("/proc/self/status").run().ok();
    let own = Status::said(&own.text());
    let ran = tool.run().exits(1).out("");
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], line, "{ran}");
    for fact in ["CapEff", "Seccomp", "NoNewPrivs"] {
        let fact = format!("{fact} {}", own.get(fact));
        assert!(lines[1].contains(&fact), "no {fact:?}: {ran}");
    }
}

#[test]
fn what_lies_in_place_of_proc_is_not_read() {
    needs!(root(), ours("explains nothing"), command("prlimit"));
    let place = Place::new();
    let lie = "{ echo State: R; echo CapEff: 0; } | tr ' ' '\t' >self/status";
    for script in no_files("self/status").chain([lie.to_owned()]) {
        let holder = mounts(
            &place,
            &format!("mount -t tmpfs tmpfs /proc; cd /proc; mkdir self; {script}; cd /"),
        );
        let name = too_long();
        let line = format!("nsenter: cannot change directory to {name}: File name too long");
        let pid = holder.pid().to_string();
        for words in ["-m", "-a", "-m -r"] {
            let tool = bounded("nsenter")
                .args(["--explain", "-t", &pid])
                .line(words)
                .arg(format!("--wdns={name}"))
                .arg("true");
            is_explained_by_our_own_proc(tool, &line);
        }
        let tool = bounded("nsenter")
            .args(["--status-fd=9", "-m", "-t", &pid])
            .arg(format!("--wdns={name}"))
            .arg("true");
        // The report has the causes too, and nobody but it.
        let ran = Tool::program("sh")
            .args(["-c", "exec 9>&1; \"$@\"", "sh"])
            .args(words_of(tool))
            .run()
            .exits(1)
            .err(&format!("{line}\n"));
        assert!(ran.text().contains("CapEff"), "{ran}");
    }
}

/// The words of a command line, for a shell that is to start it.
fn words_of(tool: Tool) -> Vec<std::ffi::OsString> {
    let command = tool.into_command();
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(std::ffi::OsStr::to_owned)
        .collect()
}

#[test]
fn what_lies_in_place_of_proc_in_another_root_is_not_read() {
    needs!(root(), ours("explains nothing"), command("prlimit"));
    for script in no_files("status") {
        let place = Place::new();
        let root = place.subdir("root");
        let dir = place.subdir("root/proc/self");
        Tool::program("sh")
            .args(["-c", &script])
            .dir(dir)
            .run()
            .ok();
        let name = too_long();
        let tool = bounded("unshare")
            .args(["--explain", "-R", &root])
            .arg(format!("--wd={name}"))
            .arg("true");
        let line = format!("unshare: cannot change directory to {name}: File name too long");
        is_explained_by_our_own_proc(tool, &line);
    }
}

/// Tells the kernel that its environment is 64 MiB of zeroes, which takes neither privilege nor memory; a terabyte would
/// be as easy, but others on this machine read the environments of all processes too.
const LARGER_THAN_ANY: &str = "
import ctypes, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype, libc.sbrk.restype = ctypes.c_void_p, ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + 3 * [ctypes.c_int] + [ctypes.c_long]
SIZE = 64 << 20
area = libc.mmap(None, SIZE, 1, 0x4022, -1, 0)  # readable; private, anonymous, without reserve
stat = open('/proc/self/stat').read().rsplit(') ', 1)[1].split()
code, end_code, stack = (int(stat[n - 3]) for n in (26, 27, 28))
data, end_data, brk, args, end_args = (int(stat[n - 3]) for n in (45, 46, 47, 48, 49))
fields = code, end_code, data, end_data, brk, libc.sbrk(0), stack, args, end_args, area, area + SIZE
room = ctypes.create_string_buffer(struct.pack('<11QQII', *fields, 0, 0, 0xFFFFFFFF))
PR_SET_MM, PR_SET_MM_MAP = 35, 14
if libc.prctl(PR_SET_MM, PR_SET_MM_MAP, room, ctypes.c_ulong(104), 0) != 0:
    sys.exit(f'prctl: errno {ctypes.get_errno()}')
print('ready', flush=True)
sys.stdin.read()
";

#[test]
fn an_environment_larger_than_any() {
    needs!(
        root(),
        ours("takes what it can"),
        command("python3"),
        command("prlimit")
    );
    let target = Tool::program("sh")
        .args(["-c", "sleep 1000 | exec python3 -c \"$0\"", LARGER_THAN_ANY])
        .by_ordinary()
        .start();
    target.until_says("ready");
    let pid = tree(target.pid())
        .into_iter()
        .find(|pid| name_of(*pid).starts_with("python"))
        .expect("python");
    Tool::program("prlimit")
        .arg("--as=50000000")
        .arg(Tool::path_of("nsenter"))
        .args(["-u", "-e", "-t", &pid.to_string()])
        .args(["echo", "it ran"])
        .run()
        .exits(1)
        .out("")
        .err(&format!(
            "nsenter: cannot read /proc/{pid}/environ: File too large\n"
        ));
}

#[test]
fn files_that_name_a_process_and_are_none() {
    needs!(ours("has no setns"), command("prlimit"));
    let what = [
        ": it is a device",
        ": it is a FIFO",
        ": it is a directory",
        ": File too large",
    ];
    for (script, what) in no_files("cgroup.procs").zip(what) {
        let place = Place::new();
        Tool::shell(&script).dir(place.path()).run().ok();
        let file = place.at("cgroup.procs");
        let refused = |reference: String, why: &str| {
            bounded("setns")
                .args([&reference, "echo", "it ran"])
                .run()
                .exits(125)
                .out("")
                .err(&format!("setns: {why}\n"));
        };
        refused(
            format!("cgroup:{}", place.path().display()),
            &format!("cannot read {file}{what}"),
        );
        // Of a PID file no more is read than a first line.
        let why = match what {
            ": File too large" => format!("pidfile:{file}: holds no PID"),
            _ => format!("cannot read {file}{what}"),
        };
        refused(format!("pidfile:{file}"), &why);
    }
}

#[test]
fn accounts_without_end() {
    needs!(
        ours("has the C library read them"),
        root(),
        command("prlimit")
    );
    let prlimit = find("prlimit").expect("a need that was looked at");
    let refused = |script: &str, path: &str| {
        let make =
            format!("mount -t tmpfs tmpfs /etc; cd /etc; {script}; cd /; PATH=$OTHER; exec \"$@\"");
        Tool::fixture()
            .line("-m --propagation private")
            .args(["sh", "-c", &make, "sh"])
            .arg(&prlimit)
            .arg(MEMORY)
            .arg(Tool::path_of("nsenter"))
            .args(["--uts=/proc/self/ns/uts", "-S", "somebody", "true"])
            .env("OTHER", path)
            .run()
            .exits(1)
            .err(
                "nsenter: --setuid: 'somebody' is neither a number from 0 to 4294967294 nor the name of a user; 'follow' is accepted too\n",
            );
    };
    for script in no_files("passwd") {
        refused(&script, "/nowhere");
    }
    let place = Place::new();
    place.script("getent", "#!/bin/sh\nexec /usr/bin/yes\n");
    refused("true", place.path().to_str().expect("a plain name"));
}

#[test]
fn a_number_that_another_process_has_in_proc() {
    needs!(
        root(),
        ours("takes the other"),
        command("python3"),
        command("setpriv"),
        command("strace")
    );
    let outer = Holder::of(
        Tool::fixture().arg("-n").env("FROM", "outer"),
        "cd /proc/sys",
    );
    let said = Tool::fixture()
        .line("-pf python3 -c")
        .arg(include_str!("hostile_numbers.py"))
        .arg(outer.pid().to_string())
        .args(["nsenter", "setns"].map(Tool::path_of))
        .run()
        .ok();
    let lines = said.lines();
    assert_eq!(
        lines[..8],
        [
            "0 FROM=inner",
            "0 /usr",
            "0 7",
            "0 /usr 7",
            "1 ",
            "0 ",
            "1 ",
            "0 elsewhere"
        ],
        "{said}"
    );
    let pid = outer.pid();
    assert_eq!(
        lines[8],
        format!("1 nsenter: cannot open /proc/{pid}/ns/uts: No such file or directory"),
        "{said}"
    );
}

/// What is said of why is not of the process outside either, which has the same number.
#[test]
fn a_number_that_another_process_has_in_proc_is_not_explained_by_it() {
    needs!(root(), explains());
    let outer = Holder::of(Tool::program("env").by_ordinary(), "");
    let pid = outer.pid();
    let ran = Tool::fixture()
        .line("-pf")
        .sh(&format!("exec nsenter --explain -t {pid} -n true"))
        .run()
        .exits(1);
    ran.err(&format!(
        "nsenter: cannot open /proc/{pid}/ns/net: No such file or directory\n  \
         cause: there is no process {pid} in our PID namespace\n  \
         hint: look the PID up with ps -e; a container's own PIDs are others than those seen from here\n"
    ));
}

fn explains() -> Need {
    ours("explains nothing")
}

#[test]
fn a_process_that_is_not_in_this_proc() {
    needs!(root(), ours("has no setns"), command("python3"));
    // A descriptor of a process outside, where /proc is of the inner namespace.
    let script = "
import os, subprocess, sys
pidfd = os.pidfd_open(os.getpid())
inner = [sys.argv[1], '-pf', '--mount-proc', sys.argv[2], '--show', f'fd:{pidfd}']
print(f'fd:{pidfd}', subprocess.run(inner, pass_fds=[pidfd], stderr=subprocess.PIPE).stderr.decode(), end='')
";
    let ran = Tool::program("python3")
        .args(["-c", script])
        .args(["unshare", "setns"].map(Tool::path_of))
        .run()
        .ok();
    let text = ran.text();
    let (name, said) = text.split_once(' ').expect("two words");
    assert_eq!(
        said,
        format!(
            "setns: {name}: its process cannot be found in /proc, which is that of another PID namespace"
        )
    );
}

/// Without pidfds there is no way from our number to that of another /proc.
#[test]
fn a_proc_of_another_pid_namespace_on_an_old_kernel() {
    needs!(root(), command("strace"), ours("takes the other"));
    let outer = Holder::of(Tool::fixture().arg("-u").env("FROM", "outer"), "");
    let pid = outer.pid();
    let strace = "strace -f -qq -o /dev/null -e signal=none -e trace=pidfd_open \
                  -e inject=pidfd_open:error=ENOSYS";
    let nsenter = Tool::path_of("nsenter");
    Tool::fixture()
        .line("-pf")
        .line(strace)
        .arg(&nsenter)
        .args(["-t", &pid.to_string(), "-u", "-e", "env"])
        .run()
        .exits(1)
        .out("")
        .err(&format!(
            "nsenter: process {pid} cannot be found in /proc, which is that of another PID namespace\n"
        ));
}

/// Memory that ends: a line, and the status of our own failures.
#[test]
fn no_more_memory() {
    needs!(root(), ours("has another heap"), command("prlimit"));
    // As much as a start takes, in a debug build with its libraries too.
    let enough = (1..)
        .map(|step| step * 256 * 1024)
        .find(|bytes: &u64| {
            let ran = Tool::program("prlimit")
                .arg(format!("--as={bytes}"))
                .arg(Tool::path_of("nsenter"))
                .arg("--version")
                .run();
            ran.succeeded()
        })
        .expect("some amount is enough");
    // Above that there is room for the words below, and not for a list of them.
    let limit = format!("--as={}", enough + 5 * 512 * 1024);
    let large = "x".repeat(100_000);
    let target = (0..15).fold(Tool::fixture().arg("-u"), |tool, number| {
        tool.env(&format!("LARGE{number}"), &large)
    });
    let holder = Holder::of(target, "");
    Tool::program("prlimit")
        .arg(&limit)
        .arg(Tool::path_of("nsenter"))
        .args(["-t", &holder.pid().to_string(), "-u", "-e", "true"])
        .run()
        .exits(1)
        .out("")
        .err("nsenter: out of memory\n");
    let words = vec!["self"; 100_000];
    for (applet, status) in [
        ("unshare", 1),
        ("nsenter", 1),
        ("setns", 125),
        ("nskit", 125),
    ] {
        Tool::program("prlimit")
            .arg(&limit)
            .arg(Tool::path_of(applet))
            .args(&words)
            .run()
            .exits(status)
            .out("")
            .err(&format!("{applet}: out of memory\n"));
    }
}
