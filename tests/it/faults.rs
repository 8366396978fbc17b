//! `nsenter` that cannot do what it is asked: the classic line, exit status 1, and nothing is run.
//!
//! Where util-linux 2.38.1 and 2.43 differ, the line is that of 2.43.

use nix::sys::signal::Signal;

use crate::harness::*;

/// Exactly this line, and no program.
#[track_caller]
fn refused(tool: Tool, line: &str) {
    tool.line("echo it ran")
        .run()
        .exits(1)
        .out("")
        .err(&format!("nsenter: {line}\n"));
}

/// The line for one kind of a target: nskit names the kind, util-linux says the same of one as of several.
fn reassociate(kind: &str, why: &str) -> String {
    if theirs() {
        format!("reassociate to namespaces failed: {why}")
    } else {
        format!("reassociate to namespace 'ns/{kind}' failed: {why}")
    }
}

/// Options that ask for one kind of a target, and the kind.
const SINGLE: [(&str, &str); 5] = [
    ("-n", "net"),
    ("-u", "uts"),
    ("-m", "mnt"),
    ("-p", "pid"),
    ("-U", "user"),
];

/// A PID that nobody has: above the largest that the kernel gives.
fn nobody() -> u32 {
    let max = std::fs::read_to_string("/proc/sys/kernel/pid_max").expect("/proc");
    max.trim().parse::<u32>().expect("a number") + 1
}

/// A process that has ended and was not waited for, with its parent.
pub(crate) struct Zombie {
    pub(crate) pid: i32,
    _parent: Holder,
}

impl Zombie {
    pub(crate) fn new() -> Self {
        // The shell starts a child, then becomes a program that never waits.
        let tool = Tool::program("sh").args(["-c", "sleep 0.1 & exec \"$@\"", "sh"]);
        let parent = Holder::of(tool, "");
        let pid = eventually("a zombie", || {
            children(parent.pid())
                .into_iter()
                .find(|pid| state(*pid) == Some('Z'))
        });
        Self {
            pid,
            _parent: parent,
        }
    }
}

#[test]
fn a_pid_that_does_not_exist() {
    let pid = nobody();
    for (option, kind) in SINGLE {
        let line = format!("cannot open /proc/{pid}/ns/{kind}: No such file or directory");
        refused(
            Tool::nsenter().args(["-t", &pid.to_string(), option]),
            &line,
        );
    }
}

#[test]
fn a_root_or_directory_of_nobody() {
    let pid = nobody().to_string();
    for option in ["-r", "-w"] {
        Tool::nsenter()
            .args(["-t", &pid, option, "-u", "echo", "it ran"])
            .run()
            .exits(1)
            .out("")
            .err_has(&format!("cannot open /proc/{pid}/"));
    }
}

#[test]
fn a_pid_that_is_no_pid() {
    needs!(since(2, 43, "wraps some of them"));
    for value in [
        "x",
        "",
        "1x",
        "0",
        "-1",
        "99999999999",
        "0x1",
        "1:",
        "1:x",
        ":1",
    ] {
        let ran = Tool::nsenter()
            .args(["-t", value, "-u", "echo", "it ran"])
            .run()
            .exits(1)
            .out("");
        let quoted = format!("'{value}'");
        assert!(
            String::from_utf8_lossy(&ran.stderr).contains(&quoted),
            "{ran}"
        );
    }
}

#[test]
fn a_zombie() {
    needs!(since(2, 43, "opens the files of the namespaces"));
    let zombie = Zombie::new();
    let pid = zombie.pid.to_string();
    for (option, kind) in SINGLE {
        let line = reassociate(kind, "No such process");
        refused(Tool::nsenter().args(["-t", &pid, option]), &line);
    }
    for options in ["-a", "-n -u"] {
        refused(
            Tool::nsenter().args(["-t", &pid]).line(options),
            "reassociate to namespaces failed: No such process",
        );
    }
}

#[test]
fn a_root_directory_or_environment_of_a_zombie() {
    needs!(root(), since(2, 43, "has no --env"));
    let zombie = Zombie::new();
    let pid = zombie.pid.to_string();
    let line = |file: &str, why: &str| format!("cannot open /proc/{pid}/{file}: {why}");
    refused(
        Tool::nsenter().args(["-t", &pid, "-u", "-r"]),
        &line("root", "No such file or directory"),
    );
    refused(
        Tool::nsenter().args(["-t", &pid, "-u", "-w"]),
        &line("cwd", "No such file or directory"),
    );
    refused(
        Tool::nsenter().args(["-t", &pid, "-u", "-e"]),
        &line("environ", "No such process"),
    );
}

#[test]
fn a_process_that_ends_meanwhile_is_never_mixed_with_another() {
    needs!(root(), since(2, 43, "opens the files of the namespaces"));
    // The target dies between runs: each run is either all in or an error.
    for _ in 0..20 {
        let holder = Holder::unshare("-nu");
        let pid = holder.pid();
        let target = Links::of(pid);
        let started = Tool::nsenter()
            .arg(format!("-t{pid}"))
            .line("-n -u")
            .line(INSIDE)
            .start();
        kill(pid, Signal::SIGKILL);
        let ran = started.wait();
        if ran.succeeded() {
            assert_eq!(
                Links::said(&ran.text()).unlike(&target),
                Vec::<&str>::new(),
                "{ran}"
            );
        } else {
            ran.exits(1).out("");
        }
    }
}

#[test]
fn a_process_that_is_not_ours_to_enter() {
    needs!(root(), since(2, 43, "opens the files of the namespaces"));
    let holder = Holder::unshare("-nu");
    for (option, kind) in SINGLE {
        refused(
            Tool::nsenter()
                .args(["-t", &holder.pid().to_string(), option])
                .by_ordinary(),
            &reassociate(kind, "Operation not permitted"),
        );
    }
    refused(
        Tool::nsenter()
            .args(["-t", &holder.pid().to_string(), "-n", "-u"])
            .by_ordinary(),
        "reassociate to namespaces failed: Operation not permitted",
    );
    let file = holder.file("net");
    refused(
        Tool::nsenter().arg(format!("--net={file}")).by_ordinary(),
        &format!("cannot open {file}: Permission denied"),
    );
    for (option, what) in [("-r", "root"), ("-w", "cwd"), ("-e", "environ")] {
        refused(
            Tool::nsenter()
                .args(["-t", &holder.pid().to_string(), "-u", option])
                .by_ordinary(),
            &format!(
                "cannot open /proc/{}/{what}: Permission denied",
                holder.pid()
            ),
        );
    }
}

#[test]
fn a_namespace_that_we_may_open_and_not_enter() {
    refused(
        Tool::nsenter().arg("--net=/proc/self/ns/net").by_ordinary(),
        "reassociate to namespace 'ns/net' failed: Operation not permitted",
    );
    refused(
        Tool::nsenter().arg("-u/proc/self/ns/uts").by_ordinary(),
        "reassociate to namespace 'ns/uts' failed: Operation not permitted",
    );
}

#[test]
fn our_own_user_namespace() {
    needs!(since(2, 43, "opens the files of the namespaces"));
    let own = Holder::ordinary("");
    for (tool, pid) in [
        (
            Tool::nsenter(),
            i32::try_from(std::process::id()).expect("a PID fits"),
        ),
        (Tool::nsenter().by_ordinary(), own.pid()),
    ] {
        refused(
            tool.args(["-t", &pid.to_string(), "-U", "--preserve-credentials"]),
            &reassociate("user", "Invalid argument"),
        );
    }
    refused(
        Tool::nsenter().arg("--user=/proc/self/ns/user"),
        "reassociate to namespace 'ns/user' failed: Invalid argument",
    );
}

#[test]
fn a_file_that_is_missing() {
    for (option, name) in [
        ("--net=", "/no/such/file"),
        ("-n", "/no/such/file"),
        ("--uts=", ""),
        ("--mount=", "none"),
    ] {
        refused(
            Tool::nsenter().arg(format!("{option}{name}")),
            &format!("cannot open {name}: No such file or directory"),
        );
    }
    // In nsenter, what follows a namespace's letter is a file, not more letters.
    refused(
        Tool::nsenter().args(["-mun", "-t", "1"]),
        "cannot open un: No such file or directory",
    );
}

#[test]
fn a_file_that_is_no_namespace() {
    let place = Place::new();
    let plain = place.file("plain", "");
    for file in [&*plain, "/dev/null", "/proc", "/proc/version"] {
        for (option, kind) in [
            ("--net=", "net"),
            ("--mount=", "mnt"),
            ("--user=", "user"),
            ("--pid=", "pid"),
        ] {
            refused(
                Tool::nsenter().arg(format!("{option}{file}")),
                &format!("reassociate to namespace 'ns/{kind}' failed: Invalid argument"),
            );
        }
    }
}

#[test]
fn a_namespace_of_another_kind() {
    needs!(root());
    let holder = Holder::unshare("-un");
    for (option, kind, other) in [
        ("-n", "net", "uts"),
        ("-u", "uts", "net"),
        ("-m", "mnt", "uts"),
        ("-U", "user", "uts"),
        ("-p", "pid", "uts"),
        ("-T", "time", "uts"),
        ("-C", "cgroup", "uts"),
        ("-i", "ipc", "uts"),
    ] {
        refused(
            Tool::nsenter().arg(format!("{option}{}", holder.file(other))),
            &format!("reassociate to namespace 'ns/{kind}' failed: Invalid argument"),
        );
    }
}

#[test]
fn a_fifo_does_not_hang() {
    let place = Place::new();
    let fifo = place.at("fifo");
    Tool::program("mkfifo").arg(&fifo).run().ok();
    needs!(ours("opens it and waits for a writer"));
    let ran = Tool::nsenter()
        .arg(format!("--net={fifo}"))
        .line("echo it ran")
        .run()
        .exits(1)
        .out("");
    assert!(
        String::from_utf8_lossy(&ran.stderr).starts_with("nsenter: "),
        "{ran}"
    );
}

#[test]
fn nobody_to_take_it_from() {
    needs!(since(2, 43, "says it in other words"));
    for option in ["-n", "-m", "-u", "-U", "-p", "-T", "-C", "-i"] {
        refused(Tool::nsenter().arg(option), "no target PID specified");
    }
    for (option, what) in [("-r", "root"), ("-w", "cwd"), ("-e", "environ")] {
        refused(
            Tool::nsenter().args(["-u/proc/self/ns/uts", option]),
            &format!("neither filename nor target pid supplied for {what}"),
        );
    }
}

#[test]
fn all_of_nobody() {
    needs!(ours("speaks of /proc/0"));
    refused(Tool::nsenter().arg("-a"), "no target PID specified");
}

#[test]
fn a_target_given_twice() {
    needs!(since(2, 43, "takes the last one"));
    let me = std::process::id().to_string();
    let ran = Tool::nsenter()
        .args(["-t", &me, "-t", &me, "-u", "echo", "it ran"])
        .run()
        .exits(1)
        .out("");
    assert!(
        String::from_utf8_lossy(&ran.stderr).contains("--target"),
        "{ran}"
    );
}

#[test]
fn directories_that_are_missing() {
    needs!(root());
    let holder = Holder::unshare("-m");
    let nsenter = || Tool::nsenter().args(["-t", &holder.pid().to_string(), "-m"]);
    refused(
        nsenter().arg("-r/no/such/dir"),
        "cannot open /no/such/dir: No such file or directory",
    );
    refused(
        nsenter().arg("-w/no/such/dir"),
        "cannot open /no/such/dir: No such file or directory",
    );
    nsenter()
        .args(["-W/no/such/dir", "echo", "it ran"])
        .run()
        .exits(1)
        .out("")
        .err_has("No such file or directory");
    let place = Place::new();
    let plain = place.file("plain", "");
    for option in ["-r", "-w", "-W"] {
        nsenter()
            .arg(format!("{option}{plain}"))
            .line("echo it ran")
            .run()
            .exits(1)
            .out("")
            .err_has("Not a directory");
    }
}

#[test]
fn a_bare_directory_inside_is_an_error() {
    needs!(root(), ours("is ignored there"));
    let holder = Holder::unshare("-m");
    Tool::nsenter()
        .args([
            "-t",
            &holder.pid().to_string(),
            "-m",
            "-W",
            "echo",
            "it ran",
        ])
        .run()
        .exits(1)
        .out("")
        .err_has("--wdns");
}

#[test]
fn ids_that_are_not_mapped_inside() {
    needs!(
        root(),
        user_namespaces(),
        since(2, 43, "says it in other words")
    );
    let holder = Holder::unshare("-r");
    let nsenter = || Tool::nsenter().args(["-t", &holder.pid().to_string(), "-U"]);
    refused(nsenter().line("-S 5"), "setuid() failed: Invalid argument");
    refused(nsenter().line("-G 5"), "setgid() failed: Invalid argument");
}

#[test]
fn groups_that_cannot_be_dropped() {
    needs!(user_namespaces());
    let holder = Holder::ordinary("-r");
    refused(
        Tool::nsenter()
            .args(["-t", &holder.pid().to_string(), "-U"])
            .by_ordinary(),
        "setgroups failed: Operation not permitted",
    );
}

#[test]
fn a_pid_namespace_whose_first_process_has_ended() {
    needs!(root());
    let place = Place::new();
    let file = place.file("pid", "");
    let _mounted = Mounted::on(&file);
    let holder = Holder::unshare("-pf");
    let first = holder.pid();
    Tool::program("mount")
        .args(["--bind", &holder.file("pid"), &file])
        .run()
        .ok();
    drop(holder);
    // Killed is not ended yet: until then whoever enters is killed with it.
    eventually("it has ended", || state(first).is_none().then_some(()));
    refused(
        Tool::nsenter().arg(format!("--pid={file}")),
        "fork failed: Cannot allocate memory",
    );
}

#[test]
fn a_failure_leaves_no_process_behind() {
    needs!(root());
    // run() itself looks for what a tool left behind.
    let holder = Holder::unshare("-pf");
    for words in [
        "-p nosuchprogram",
        "-p -W/no/such/dir true",
        "-p -S 4294967294 -G 4294967294 /proc",
    ] {
        let ran = Tool::nsenter()
            .arg(format!("-t{}", holder.pid()))
            .line(words)
            .run();
        assert_ne!(ran.ended, Ended::Exited(0), "{ran}");
    }
}
