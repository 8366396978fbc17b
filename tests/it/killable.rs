//! We stay killable, whoever holds our child or does not read what we write.
//!
//! What a hostile container does to whoever enters it, strace(1) does here at the place that the test names: it stops
//! the child by SIGSTOP before it executes the program.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::*;

/// The signals that end a process which is asked to end.
const ENDING: [Signal; 3] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];

/// A tool under strace(1), which stops the first process that makes this system call and writes to `trace`.
fn stopping_at(call: &str, trace: &str) -> Tool {
    // -D: the tool is the child of the test, and strace a grandchild.
    Tool::program("strace")
        .args(["-D", "-f", "-qq", "-o", trace, "-e"])
        .arg(format!("trace={call}"))
        .arg(format!("--inject={call}:signal=SIGSTOP:when=1"))
}

/// Starts the words, whose child is stopped at this system call; gives the parent and the child.
#[track_caller]
fn held(words: &str, call: &str) -> (Started, i32) {
    let place = Place::new();
    let trace = place.at("trace");
    let started = stopping_at(call, &trace)
        .line(words)
        .args(["sleep", "60"])
        .start();
    let child = stopped_in(&trace);
    (started, child)
}

#[track_caller]
fn ends_although_held(words: &str, call: &str) {
    for signal in ENDING {
        let (started, child) = held(words, call);
        kill(started.pid(), signal);
        started.wait().dies_of(signal);
        eventually("the child is gone", || (!alive(child)).then_some(()));
    }
}

#[test]
fn a_child_that_a_container_stops_does_not_hold_nsenter() {
    needs!(
        root(),
        command("strace"),
        ours("leaves its child where it is")
    );
    let holder = Holder::unshare("-pfm");
    let words = format!("nsenter -t {} -p -m -S 0", holder.pid());
    // The call with 32-bit IDs has another name on 32-bit machines.
    ends_although_held(&words, "/^setresuid");
}

#[test]
fn a_child_that_somebody_stops_does_not_hold_unshare() {
    needs!(
        command("strace"),
        ours("ignores what asks it to end as soon as it has a child")
    );
    ends_although_held("unshare -f --wd=/", "chdir");
    ends_although_held("unshare -Urpf --wd=/", "chdir");
    ends_although_held("unshare -Ur --init --wd=/", "chdir");
}

#[test]
fn a_signal_that_is_passed_on_is_kept_for_the_program() {
    needs!(command("strace"), ours("loses it"));
    let place = Place::new();
    let trace = place.at("trace");
    let started = stopping_at("chdir", &trace)
        .line("unshare --forward-signals --wd=/")
        .sh("trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.1; done")
        .start();
    let child = stopped_in(&trace);
    kill(started.pid(), Signal::SIGTERM);
    kill(child, Signal::SIGCONT);
    // It may come before the shell has set its trap.
    let ran = started.wait();
    assert!(
        ran.text().ends_with("got it") || !ran.text().contains("ready"),
        "{ran}"
    );
}

/// A signal that ends nobody comes before the program runs, one that would have ended us then afterwards.
#[test]
fn what_comes_before_the_program_is_forgotten_when_it_runs() {
    needs!(
        command("strace"),
        root(),
        ours("ignores both from the start")
    );
    let holder = Holder::unshare("-pf");
    for (words, call, ends) in [
        ("unshare -f --wd=/".to_owned(), "chdir", None),
        // The same with a copy of us as the child.
        ("unshare -f --wd=/ -S 0".to_owned(), "chdir", None),
        (
            format!("nsenter -t {} -p -S 0", holder.pid()),
            "/^setresuid",
            Some(Signal::SIGTERM),
        ),
    ] {
        let place = Place::new();
        let trace = place.at("trace");
        let started = stopping_at(call, &trace)
            .line(&words)
            .sh("echo it runs; sleep 0.2; exit 7")
            .start();
        let child = stopped_in(&trace);
        kill(started.pid(), Signal::SIGWINCH);
        kill(child, Signal::SIGCONT);
        started.until_says("it runs");
        kill(started.pid(), Signal::SIGTERM);
        let ran = started.wait();
        match ends {
            None => ran.exits(7),
            Some(signal) => ran.dies_of(signal),
        };
    }
}

/// Runs what it is given with a full pipe as descriptor 9; says so, and reads the pipe to its end when it is asked to.
const FULL_PIPE: &str = r#"
import fcntl, os, subprocess, sys
read, write = os.pipe()
os.dup2(write, 9)
os.set_blocking(9, False)
try:
    while True:
        os.write(9, b"x" * 4096)
except BlockingIOError:
    pass
os.set_blocking(9, True)
started = subprocess.Popen(sys.argv[1:], pass_fds=[9])
os.close(write)
os.close(9)
print("started", started.pid, flush=True)
if sys.stdin.readline():
    text = b""
    while more := os.read(read, 65536):
        text += more
    print(text.lstrip(b"x").decode(), end="")
print("status", started.wait(), flush=True)
"#;

/// Starts these words, which write to a full pipe; gives their PID.
#[track_caller]
fn with_full_pipe(words: &str, stdin: &str) -> (Started, i32) {
    let started = Tool::program("python3")
        .args(["-c", FULL_PIPE])
        .line(words)
        .stdin(stdin)
        .start();
    let said = started.until_says("started ");
    let pid = said
        .split_ascii_whitespace()
        .nth(1)
        .and_then(|pid| pid.parse().ok());
    (started, pid.expect("a PID"))
}

#[test]
fn a_full_pipe_for_the_status_does_not_hold_us() {
    needs!(ours("has no --status-fd"), command("python3"));
    for (words, in_front) in [
        ("unshare -Ur --status-fd=9 sleep 60", 0),
        // The program has ended; what is left is to say so.
        ("unshare -Urf --status-fd=9 true", 0),
        ("unshare -Urpf --init --status-fd=9 true", 0),
    ] {
        for signal in ENDING {
            let (started, pid) = with_full_pipe(words, "");
            eventually("it writes", || {
                let waits = std::fs::read_to_string(format!("/proc/{pid}/wchan")).ok()?;
                (waits.contains("pipe") && children(pid).len() == in_front).then_some(())
            });
            kill(pid, signal);
            let ran = started.wait().exits(0);
            let status = format!("status {}", -(signal as i32));
            assert!(ran.text().ends_with(&status), "{words}: {ran}");
        }
    }
}

#[test]
fn a_program_is_not_held_up_by_a_full_pipe_for_the_status() {
    needs!(ours("has no --status-fd"), command("python3"));
    for words in [
        "unshare -Urf --status-fd=9 sh -c",
        "unshare -Urpf --init --status-fd=9 sh -c",
    ] {
        let place = Place::new();
        let file = place.at("ran");
        let (started, pid) =
            with_full_pipe(&format!("{words} touch${{IFS}}{file};exit${{IFS}}3"), "");
        eventually("the program runs", || {
            Path::new(&file).exists().then_some(())
        });
        // Only what is told of its end is left to be written.
        eventually("it writes", || {
            let waits = std::fs::read_to_string(format!("/proc/{pid}/wchan")).ok()?;
            waits.contains("pipe").then_some(())
        });
        kill(pid, Signal::SIGTERM);
        started.wait().exits(0);
    }
}

#[test]
fn what_a_full_pipe_did_not_take_comes_when_it_is_read() {
    needs!(ours("has no --status-fd"), command("python3"));
    for (words, waits) in [
        ("unshare -Urf --status-fd=9 sh -c exit${IFS}3", true),
        ("unshare -Urpf --init --status-fd=9 sh -c exit${IFS}3", true),
        ("unshare -Ur --status-fd=9 sh -c exit${IFS}3", false),
    ] {
        let (started, _) = with_full_pipe(words, "read\n");
        let ran = started.wait().exits(0);
        let said = ran.text();
        assert!(said.contains(r#"{"child-pid":"#), "{words}: {ran}");
        assert_eq!(said.contains(r#"{"exit-code":3}"#), waits, "{words}: {ran}");
        assert!(said.ends_with("status 3"), "{words}: {ran}");
    }
}

/// Each call by which we and our children talk to each other or wait for each other fails once, in each of them: we
/// end, with a line of ours and a failure's status, or the program ran as if nothing had been.
#[test]
fn no_call_between_us_and_our_child_can_fail_unseen() {
    needs!(root(), command("strace"), ours("talks in another way"));
    let holder = Holder::unshare("-pf");
    let into = format!("nsenter -t {} -p", holder.pid());
    let calls = [
        "clone,fork,vfork",
        "socketpair",
        "pipe2",
        "signalfd4",
        "sendto",
        "sendmsg",
        "recvmsg",
        "read",
        "poll",
        "waitid",
        "rt_sigtimedwait",
        "prctl",
        "rt_sigprocmask",
        "pidfd_open",
    ];
    let ways = [
        "unshare -f",
        "unshare --init",
        "unshare --init=group --kill-child",
        "unshare -pf --status-fd=1",
        &into,
    ];
    std::thread::scope(|scope| {
        for words in ways {
            scope.spawn(move || {
                for call in calls {
                    for when in 1..=3 {
                        let place = Place::new();
                        let (ran_file, trace) = (place.at("ran"), place.at("trace"));
                        let ran = Tool::program("strace")
                            .args(["-f", "-o", &trace])
                            .arg(format!("--inject={call}:error=EIO:when={when}"))
                            .line(words)
                            .sh(&format!("echo $$ >{ran_file}; exit 5"))
                            .run();
                        let trace = std::fs::read_to_string(&trace).unwrap_or_default();
                        if !ours_was_hit(&trace) {
                            ran.exits(5);
                            continue;
                        }
                        let what = format!("{words}, {call} {when}: {ran}\n{trace}");
                        if ran.succeeded() {
                            panic!("no failure: {what}");
                        }
                        let well = ran.ended == Ended::Exited(5) && Path::new(&ran_file).exists();
                        let said = String::from_utf8_lossy(&ran.stderr);
                        let told = said.lines().any(|line| {
                            line.starts_with("unshare: ") || line.starts_with("nsenter: ")
                        });
                        assert!(well || told, "{what}");
                    }
                }
            });
        }
    });
}

/// Whether the call that strace made fail was one of ours, before or beside the program.
fn ours_was_hit(trace: &str) -> bool {
    let program: Vec<&str> = trace
        .lines()
        .filter(|line| {
            line.contains("execve(\"/bin/sh\"") || line.contains("execve(\"/usr/bin/sh\"")
        })
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut executed = Vec::new();
    for line in trace.lines() {
        let pid = line.split_whitespace().next().unwrap_or_default();
        if line.contains("execve(") && line.ends_with("= 0") && program.contains(&pid) {
            executed.push(pid);
        }
        if line.contains("(INJECTED)") && !executed.contains(&pid) {
            return true;
        }
    }
    false
}

/// A failure of the child's is told on the descriptor that only the parent has.
#[test]
fn a_failure_of_a_child_is_told_by_its_parent() {
    needs!(root(), ours("has no --status-fd"));
    let holder = Holder::unshare("-pf");
    let pid = holder.pid();
    for words in [
        format!("nsenter -t {pid} -p --status-fd=9 /nothing"),
        "unshare --init --status-fd=9 /nothing".to_owned(),
        "unshare -f --status-fd=9 /nothing".to_owned(),
    ] {
        let ran = Tool::shell(&format!("exec 9>&1; {words} 2>&9; echo status $?")).run();
        let lines = ran.lines();
        assert!(
            lines[0].ends_with("failed to execute /nothing: No such file or directory"),
            "{ran}"
        );
        assert!(
            lines[1].starts_with(r#"{"error":{"step":"exec","errno":"ENOENT""#),
            "{ran}"
        );
        assert_eq!(lines[2..], ["status 127"], "{ran}");
    }
}
