//! The root of a container who tries to take over a process of ours that enters it.

use nix::sys::signal::Signal;

use crate::harness::*;

/// How often each attack is given the chance.
const TIMES: u32 = 100;

/// Lets a container's root attack whoever enters with these options; how many there were to attack, and how many were
/// taken while they still were ours. What is root in the container is `root` outside, where it has no privilege.
#[track_caller]
fn attacked(attack: &str, root: u32, options: &str) -> (u32, u32) {
    let place = Place::new();
    let over = place.at("over");
    let script = place.file("attack.py", include_str!("hostile_ptrace.py"));
    let nsenter = Tool::path_of("nsenter");
    let victim = std::fs::canonicalize(&nsenter).expect("the tool is there");
    let started = Tool::unshare()
        .args(["users", "groups"].map(|ids| format!("--map-{ids}=0:{root}:65536")))
        .line("-S 0 -G 0 -pmuinC --fork --kill-child --mount-proc python3")
        .args([&script, attack, &over])
        .arg(victim.file_name().expect("a name"))
        .start();
    started.until_says("ready");
    let target = children(started.pid())[0];
    // The program is found late, so that there is more time to attack.
    let enter = format!(
        "i=0; while [ $i -lt {TIMES} ]; do {} -t {target} {options} true || exit; i=$((i+1)); done",
        nsenter.display()
    );
    let path = "/nonexistent:".repeat(100) + "/usr/bin:/bin";
    Tool::shell(&enter).env("PATH", path).run().ok();
    place.file("over", "");
    let said = started.wait().ok().lines();
    let numbers: Vec<u32> = said[1]
        .split(' ')
        .map(|number| number.parse().expect("a number"))
        .collect();
    (numbers[0], numbers[1])
}

/// Attacks, and who is root of the container outside: where that is nobody, it may not even try to open files of ours.
const ATTACKS: [(&str, u32); 5] = [
    ("seize", 100_000),
    ("attach", 100_000),
    ("getfd", 100_000),
    ("fd", 0),
    ("mem", 0),
];

#[test]
fn nobody_who_enters_is_taken_over() {
    needs!(root(), command("python3"), ours("can be taken over"));
    let mut taken_over = Vec::new();
    for (attack, root) in ATTACKS {
        // Users and groups stay ours until exec, or are changed on the way.
        for options in ["-a --preserve-credentials", "-a"] {
            let (tried, taken) = attacked(attack, root, options);
            assert!(
                tried >= TIMES / 10,
                "{attack}, {options}: only {tried} were seen"
            );
            if taken > 0 {
                taken_over.push(format!("{attack}, {options}: {taken} of {tried}"));
            }
        }
    }
    assert!(taken_over.is_empty(), "{taken_over:?}");
}

/// A container: nobody outside is root in it.
const CONTAINER: &str = "--map-users=0:100000:65536 --map-groups=0:100000:65536 -S 0 -G 0";

/// Takes what can be taken of a process without tracing it, which it says; its PID is the argument.
const TAKE: &str = r#"
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
pidfd = libc.syscall(434, int(sys.argv[1]), 0)
assert pidfd >= 0, os.strerror(ctypes.get_errno())
for number in range(20):
    if libc.syscall(438, pidfd, number, 0) >= 0:
        print('took descriptor', number)
space = ctypes.create_string_buffer(8)
class Part(ctypes.Structure):
    _fields_ = [('start', ctypes.c_void_p), ('length', ctypes.c_size_t)]
ours = Part(ctypes.addressof(space), 8)
libc.process_vm_readv(int(sys.argv[1]), ctypes.byref(ours), 1, ctypes.byref(Part(4096, 8)), 1, 0)
if ctypes.get_errno() != 1:
    print('may read memory:', os.strerror(ctypes.get_errno()))
print('that was all')
"#;

/// What the root of the container takes of this process, which it knows by another number.
#[track_caller]
fn taken_of(pid: i32, holder: &Holder) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it is there");
    let status = Status::said(&status);
    // One number for each PID namespace from ours to its own (proc_pid_status(5)).
    let number = status.get("NSpid").split_ascii_whitespace().next_back();
    Tool::nsenter()
        .args(["-t", &holder.pid().to_string(), "-a", "python3", "-c", TAKE])
        .arg(number.expect("a number"))
        .run()
        .ok()
        .text()
}

#[test]
fn nothing_is_taken_of_who_is_about_to_become_the_program() {
    needs!(
        root(),
        command("python3"),
        command("strace"),
        ours("can be taken over")
    );
    let holder = Holder::of(Tool::unshare().line(CONTAINER).line("-pmuinCf"), "");
    let target = holder.pid();
    for line in [
        format!("nsenter -t {target} -a"),
        format!("nsenter -t {target} -a --preserve-credentials"),
        format!("nsenter -t {target} -a -r -w -e -S follow -G follow --status-fd=2"),
        format!("nsenter -U/proc/{target}/ns/user -p/proc/{target}/ns/pid --preserve-credentials"),
        format!("setns -S follow -G follow {target}"),
    ] {
        // Each is held just before it is the program.
        let place = Place::new();
        let started = Tool::program("strace")
            .args(["-f", "-o", &place.at("trace")])
            .arg("--inject=execve:delay_enter=300000000:when=1")
            .line(&line)
            .line("sleep 60")
            .start();
        let process = eventually(&format!("{line}: execve"), || {
            let mut below = tree(started.pid()).into_iter();
            below.find(|pid| {
                let at = std::fs::read_to_string(format!("/proc/{pid}/syscall"));
                let number = nix::libc::SYS_execve.to_string();
                at.is_ok_and(|at| at.split(' ').next() == Some(&number))
                    && state(*pid) == Some('t')
                    && Links::of(*pid).get("user") == Links::of(target).get("user")
            })
        });
        assert_eq!(taken_of(process, &holder), "that was all", "{line}");
        // It was the right one.
        kill(started.pid(), Signal::SIGKILL);
        eventually(&format!("{line}: the program"), || {
            (name_of(process) == "sleep").then_some(())
        });
        kill(process, Signal::SIGKILL);
        started.wait().dies_of(Signal::SIGKILL);
    }
}

/// The owner of the user namespace has all capabilities in it (user_namespaces(7)), but what we hold is our caller's.
#[test]
fn nothing_is_taken_by_the_owner_of_a_user_namespace_before_it_is_the_programs() {
    needs!(
        root(),
        command("python3"),
        command("strace"),
        command("setpriv"),
        kind("time"),
        ours("can be taken over")
    );
    let place = Place::new();
    let ids = "--map-users=0:100000:10 --map-groups=0:200000:10";
    let report = format!("--status-fd=9 --pidfile={}", place.at("pid"));
    for words in [
        format!("-U {report}"),
        format!("{ids} {report} -S 0 -G 0"),
        format!("{ids} {report} -r --fork --kill-child"),
        format!("{ids} {report} --init"),
        format!("-U --setgroups=deny {report}"),
        format!("{ids} {report} -T -f --monotonic=5"),
    ] {
        let script = format!(
            "exec strace -f -o {} --inject=execve:delay_enter=300000000:when=1 \
             unshare --owner 4711:4712 {words} sleep 60 9>/dev/null",
            place.at("trace")
        );
        let started = Tool::shell(&script).start();
        let process = eventually(&format!("{words}: execve"), || {
            let mut below = tree(started.pid()).into_iter();
            below.find(|pid| {
                let at = std::fs::read_to_string(format!("/proc/{pid}/syscall"));
                let number = nix::libc::SYS_execve.to_string();
                at.is_ok_and(|at| at.split(' ').next() == Some(&number))
                    && state(*pid) == Some('t')
                    && name_of(*pid) == "unshare"
                    && Links::of(*pid).get("user") != Links::mine().get("user")
            })
        });
        let taken = Tool::program("setpriv")
            .line("--reuid 4711 --regid 4712 --clear-groups python3 -c")
            .arg(TAKE)
            .arg(process.to_string())
            .run()
            .ok()
            .text();
        assert_eq!(taken, "that was all", "{words}");
        kill(started.pid(), Signal::SIGKILL);
        eventually(&format!("{words}: the program"), || {
            (name_of(process) == "sleep").then_some(())
        });
        kill(process, Signal::SIGKILL);
        started.wait().dies_of(Signal::SIGKILL);
    }
}

#[test]
fn nothing_is_taken_of_who_waits() {
    needs!(root(), command("python3"), ours("can be taken over"));
    // Who waits is in all of the container's namespaces but its PID namespace: this one has none of its own.
    let holder = Holder::of(Tool::unshare().line(CONTAINER).arg("-muinC"), "");
    let target = holder.pid();
    for line in [
        format!("nsenter -t {target} -a --kill-child --forward-signals"),
        format!("nsenter -t {target} -U -m --kill-child --preserve-credentials --status-fd=2"),
        format!("setns -f {target}"),
    ] {
        let started = Tool::shell(&format!("exec {line} sleep 60")).start();
        let program = eventually(&format!("{line}: the program"), || {
            let mut below = children(started.pid()).into_iter();
            below.find(|pid| name_of(*pid) == "sleep")
        });
        let user = Links::of(target).get("user").to_owned();
        assert_eq!(Links::of(started.pid()).get("user"), user, "{line}");
        assert_eq!(taken_of(started.pid(), &holder), "that was all", "{line}");
        kill(program, Signal::SIGKILL);
        started.wait().dies_of(Signal::SIGKILL);
    }
}

/// Lines that enter namespaces of the process `{pid}`.
const ENTER: [&str; 12] = [
    "nsenter -t {pid} -a",
    "nsenter -t {pid} -U --preserve-credentials",
    "nsenter -t {pid} -n",
    "nsenter -t {pid} -m -p -F",
    "nsenter -t {pid} -a -r -w -e -S follow",
    "nsenter -n/proc/{pid}/ns/net",
    "nsenter -U/proc/{pid}/ns/user -n/proc/{pid}/ns/net -t {pid} -m",
    "nsenter -t {pid} -U --user-parent -n",
    "setns {pid}",
    "setns --in-order net={pid},user={pid}",
    "setns /proc/{pid}/ns/uts",
    "setns -f net={pid}",
];

/// Runs each line under strace(1) with these options, and has the line, its system calls and its end looked at.
#[track_caller]
fn traced(lines: &[&str], options: &[&str], mut look: impl FnMut(&str, &str, Ran)) {
    let outer = Tool::unshare()
        .line(CONTAINER)
        .arg(Tool::path_of("unshare"));
    let holder = Holder::of(outer.line("-r -muinpCf"), "");
    for line in lines {
        let line = line.replace("{pid}", &holder.pid().to_string());
        let place = Place::new();
        let trace = place.at("trace");
        let ran = Tool::program("strace")
            .args(["-f", "-e", "trace=prctl,setns,execve", "-o", &trace])
            .args(options)
            .line(&line)
            .line("echo it ran")
            .run();
        let calls = std::fs::read_to_string(&trace).expect("a trace");
        look(&line, &calls, ran);
    }
}

/// Whether a line of a trace enters something: to ask whether a call is there, it is made with a descriptor of nothing.
fn enters(call: &str) -> bool {
    call.contains(" setns(") && !call.contains(" setns(-1,")
}

#[test]
fn it_is_sealed_before_it_enters_anything() {
    needs!(root(), command("strace"), ours("is not"));
    // What only says what it would do enters it too, to see whether it can.
    let foretold = ["nsenter --dry-run -t {pid} -a", "setns --dry-run {pid}"];
    let lines = [&ENTER[..], &foretold].concat();
    traced(&lines, &[], |line, calls, ran| {
        let ran = ran.exits(0);
        if !line.contains("--dry-run") {
            ran.out("it ran\n");
        }
        let at = |call: &str| calls.lines().position(|line| line.contains(call));
        let sealed = at("prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE) = 0");
        let entered = calls
            .lines()
            .position(enters)
            .expect("something is entered");
        let sealed = sealed.unwrap_or_else(|| panic!("{line}: never\n{calls}"));
        assert!(sealed < entered, "{line}: too late\n{calls}");
        let opened = calls
            .lines()
            .any(|line| line.contains("PR_SET_DUMPABLE") && !line.contains("SUID_DUMP_DISABLE"));
        assert!(!opened, "{line}: opened again\n{calls}");
    });
}

#[test]
fn who_cannot_be_sealed_enters_nothing() {
    needs!(root(), command("strace"), ours("is not sealed"));
    traced(
        &ENTER,
        &["--inject=prctl:error=EPERM"],
        |line, calls, ran| {
            let failure = if line.starts_with("setns") { 125 } else { 1 };
            let ran = ran.exits(failure).out("");
            let complaint = String::from_utf8_lossy(&ran.stderr);
            assert_eq!(complaint.lines().count(), 1, "{ran}");
            assert!(complaint.contains("Operation not permitted"), "{ran}");
            assert!(!calls.lines().any(enters), "{line}\n{calls}");
        },
    );
}

/// With fs.suid_dumpable at 1 a process may be traced by those whose user it has become; what they find in it must not
/// be the memory of who has not.
#[test]
fn who_becomes_another_user_shares_no_memory() {
    needs!(root(), command("strace"), ours("never shares memory"));
    let holder = Holder::unshare("-Ur");
    for (words, shares) in [
        ("unshare -f".to_owned(), true),
        ("unshare -f -S 1000".to_owned(), false),
        ("unshare -f -G 1000".to_owned(), false),
        ("unshare -Ur -f -S 0".to_owned(), false),
        (
            format!("nsenter -t {} -U --kill-child", holder.pid()),
            false,
        ),
    ] {
        let place = Place::new();
        let trace = place.at("trace");
        Tool::program("strace")
            .args(["-f", "-e", "trace=clone,clone3,fork,vfork", "-o", &trace])
            .line(&words)
            .arg("true")
            .run()
            .ok();
        let text = std::fs::read_to_string(&trace).expect("strace writes its file");
        assert_eq!(text.contains("CLONE_VM"), shares, "{words}: {text}");
        assert!(text.contains("clone") || text.contains("fork"), "{words}");
    }
}
