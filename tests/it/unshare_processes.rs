//! Processes of `unshare`: a child that dies with its parent whenever that happens, signals passed on
//! without loss, and a PID 1 of ours in front of the program.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::*;

/// Kills the tool when its child is in a system call in which strace(1) holds it; the child ends too, and the program
/// never runs.
///
/// However slow all is: the call is held far longer than anything takes here, until strace is killed, which lets go of
/// what it traces.
#[track_caller]
fn killed_on_the_way(options: &str, call: &str, number: nix::libc::c_long, where_to_hold: &str) {
    let what = format!("{options}: {call}:{where_to_hold}");
    let place = Place::new();
    let ran = place.at("ran");
    let started = Tool::program("strace")
        .args(["-f", "-o", &place.at("trace")])
        .arg(format!("--inject={call}:{where_to_hold}=60000000:when=1"))
        .arg("unshare")
        .line(options)
        .args(["touch", &ran])
        .start();
    let parent = eventually("unshare runs", || {
        let below = children(started.pid());
        below.into_iter().find(|pid| name_of(*pid) == "unshare")
    });
    let child = eventually(&format!("{what}: a child that is held"), || {
        let child = children(parent).first().copied()?;
        // A tracee's stop, and the number of the call that it is in (proc_pid_syscall(5)).
        let at = std::fs::read_to_string(format!("/proc/{child}/syscall")).ok()?;
        let is_in_it = at.split(' ').next() == Some(&number.to_string());
        (is_in_it && state(child) == Some('t')).then_some(child)
    });
    assert_eq!(name_of(child), "unshare", "{what}");
    kill(parent, Signal::SIGKILL);
    eventually(&format!("{what}: the end of the parent"), || {
        (!alive(parent)).then_some(())
    });
    kill(started.pid(), Signal::SIGKILL);
    eventually(&format!("{what}: the end of the child"), || {
        (!alive(child)).then_some(())
    });
    started.wait().dies_of(Signal::SIGKILL);
    assert!(!Path::new(&ran).exists(), "{what}: the program ran");
}

#[test]
fn the_child_ends_when_its_parent_is_killed_before_the_program_starts() {
    needs!(
        root(),
        command("strace"),
        ours("looks before it asks, or not at all, and forgets the request when IDs change")
    );
    use nix::libc::{SYS_execve, SYS_mount, SYS_prctl};
    // The calls of these names are of IDs of 16 bits on some machines.
    #[cfg(target_arch = "x86")]
    const IDS: [(&str, nix::libc::c_long); 2] = [
        ("setresuid32", nix::libc::SYS_setresuid32),
        ("setresgid32", nix::libc::SYS_setresgid32),
    ];
    #[cfg(not(target_arch = "x86"))]
    const IDS: [(&str, nix::libc::c_long); 2] = [
        ("setresuid", nix::libc::SYS_setresuid),
        ("setresgid", nix::libc::SYS_setresgid),
    ];
    let (prctl, execve, mount) = (
        ("prctl", SYS_prctl),
        ("execve", SYS_execve),
        ("mount", SYS_mount),
    );
    let [setresuid, setresgid] = IDS;
    let (before, after) = ("delay_enter", "delay_exit");
    for (options, (call, number), where_to_hold) in [
        ("--kill-child", prctl, before),
        ("--kill-child", prctl, after),
        ("--kill-child", execve, before),
        ("--kill-child=TERM", prctl, before),
        ("--kill-child=TERM", prctl, after),
        ("--kill-child -pm --mount-proc", prctl, before),
        ("--kill-child -pm --mount-proc", mount, before),
        ("--kill-child -S 7", prctl, before),
        ("--kill-child -S 7", setresuid, before),
        ("--kill-child -S 7", setresuid, after),
        ("--kill-child=HUP -G 7 -S 7", setresgid, after),
        ("--kill-child=HUP -G 7 -S 7", setresuid, after),
        ("--kill-child --init", prctl, before),
        ("--kill-child --init", prctl, after),
    ] {
        killed_on_the_way(options, call, number, where_to_hold);
    }
}

#[test]
fn the_child_ends_whenever_its_parent_is_killed() {
    needs!(root(), ours("may leave the child behind"));
    for options in [
        "--kill-child",
        "--kill-child -pf --mount-proc",
        "--kill-child -S 7 -G 7",
        "--kill-child --init",
    ] {
        for round in 0..60 {
            let started = Tool::unshare().line(options).line("sleep 60").start();
            std::thread::sleep(Duration::from_micros(round * 70));
            kill(started.pid(), Signal::SIGKILL);
            // The run fails when a process is left behind.
            started.wait().dies_of(Signal::SIGKILL);
        }
    }
}

/// Sends a signal many times, as fast as a shell can.
fn storm(signal: &str, times: u32, pid: i32) -> Tool {
    Tool::shell(&format!(
        "i=0; while [ $i -lt {times} ]; do kill -{signal} {pid} || exit; i=$((i+1)); done"
    ))
}

/// A program that counts real-time signals, of which none is merged with another, until SIGTERM has come
/// (which overtakes those of higher numbers) and all of them, or not all in a minute.
const COUNT: &str = r#"
use POSIX;
$| = 1;
my ($all, @count) = (POSIX::SigSet->new);
$all->fillset;
for my $signal (15, 35, 36) {
    # Not a handler that perl puts off, and merges.
    sigaction($signal, POSIX::SigAction->new(sub { $count[$signal]++ }, $all)) or die;
}
print "ready\n";
select(undef, undef, undef, 0.05) until $count[15];
my $last = time + 60;
select(undef, undef, undef, 0.1) until $count[35] >= 1000 && $count[36] >= 1000 || time > $last;
# One too many would come with the last.
select(undef, undef, undef, 0.1) for 1 .. 3;
print "@count[15, 35, 36]\n";
"#;

#[test]
fn no_signal_is_lost_in_a_storm() {
    needs!(command("perl"), ours("forwards only SIGTERM and SIGINT"));
    for options in ["", "--init"] {
        if options == "--init" && !is_root() {
            continue;
        }
        let started = Tool::unshare()
            .arg("--forward-signals=RTMIN+1,RTMIN+2,TERM")
            .line(options)
            .args(["perl", "-e", COUNT])
            .start();
        started.until_says("ready");
        let storms = [
            storm("35", 1000, started.pid()).start(),
            storm("36", 1000, started.pid()).start(),
        ];
        for storm in storms {
            storm.wait().ok();
        }
        kill(started.pid(), Signal::SIGTERM);
        started.wait().ok().out("ready\n1 1000 1000\n");
    }
}

#[test]
fn a_storm_ends_with_the_program() {
    needs!(option("unshare", "--forward-signals"));
    // Signals that come while the program ends hit nobody else, and change nothing of its status.
    for _ in 0..10 {
        let started = Tool::unshare()
            .arg("--forward-signals")
            .sh("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done")
            .start();
        started.until_says("ready");
        eventually("the parent waits", || {
            (state(started.pid()) == Some('S')).then_some(())
        });
        let storm = storm("TERM", 500, started.pid()).start();
        started.wait().exits(7);
        drop(storm);
    }
}

#[test]
fn an_ignored_signal_stays_ignored_when_it_is_forwarded() {
    needs!(command("env"), ours("makes it the default"));
    let place = Place::new();
    let go = place.at("go");
    let script = format!(
        "grep SigIgn /proc/self/status; echo ready; while ! test -e {go}; do sleep 0.01; done; exit 3"
    );
    let signals = [
        Signal::SIGHUP,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGUSR1,
    ];
    let started = Tool::program("env")
        .arg("--ignore-signal=HUP,TERM,INT,USR1")
        .line("unshare --forward-signals")
        .sh(&script)
        .start();
    let said = started.until_says("ready");
    let status = Status::said(&said);
    for signal in signals {
        assert!(status.has_signal("SigIgn", signal as i32), "{said}");
        kill(started.pid(), signal);
    }
    std::thread::sleep(Duration::from_millis(20));
    assert!(alive(started.pid()));
    place.file("go", "");
    started.wait().exits(3);
}

#[test]
fn what_cannot_be_forwarded() {
    needs!(ours("knows no list"));
    for (list, line) in [
        ("TERM,9", "SIGKILL cannot be caught"),
        ("STOP", "SIGSTOP cannot be caught"),
        ("CHLD", "SIGCHLD says"),
        ("TERM,FOO", "'FOO' is not a signal"),
        ("", "'' is not a signal"),
    ] {
        let ran = Tool::unshare()
            .arg(format!("--forward-signals={list}"))
            .line("echo it ran")
            .run()
            .exits(1)
            .out("");
        ran.err_has(&format!("unshare: --forward-signals: {line}"));
    }
}

fn init() -> Need {
    ours("lacks --init")
}

#[test]
fn init_is_pid_1_and_the_program_is_its_child() {
    needs!(init(), root(), user_namespaces());
    for (tool, map) in [(Tool::unshare(), ""), (Tool::unshare().by_ordinary(), "-r")] {
        tool.line(map)
            .line("--init --mount-proc")
            .sh("set -- /proc/[0-9]*; echo $PPID $(cat /proc/1/comm) $*; exit 3")
            .run()
            .exits(3)
            .out("1 unshare /proc/1 /proc/2\n");
    }
}

#[test]
fn init_returns_what_the_program_says() {
    needs!(init(), root());
    for code in [0, 1, 7, 126, 127, 128, 137, 255] {
        let tool = Tool::unshare().arg("--init").sh(&format!("exit {code}"));
        tool.run().exits(code).out("").err("");
    }
    for signal in [
        Signal::SIGKILL,
        Signal::SIGTERM,
        Signal::SIGSEGV,
        Signal::SIGUSR1,
    ] {
        let script = format!("kill -{} $$", signal as i32);
        Tool::unshare()
            .arg("--init")
            .sh(&script)
            .run()
            .dies_of(signal);
    }
    Tool::unshare()
        .line("--init nosuchprogram")
        .run()
        .exits(127)
        .err("unshare: failed to execute nosuchprogram: No such file or directory\n");
    Tool::unshare()
        .line("--init -w /nonexistent true")
        .run()
        .exits(1)
        .err_has("cannot change directory to /nonexistent");
}

#[test]
fn init_reaps_a_thousand_orphans() {
    needs!(init(), root());
    let zombies = "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l";
    let script = format!(
        "i=0; while [ $i -lt 1000 ]; do (true & exec true); i=$((i+1)); done
         echo done; while [ $({zombies}) != 0 ]; do sleep 0.02; done; echo /proc/[0-9]*; exit 4"
    );
    let ran = Tool::unshare()
        .line("--init --mount-proc")
        .sh(&script)
        .run()
        .exits(4);
    let lines = ran.lines();
    assert_eq!(lines[0], "done");
    assert_eq!(lines[1].split(' ').count(), 2, "{ran}");
}

#[test]
fn init_leaves_nothing() {
    needs!(init(), root());
    // What stays in the namespace ends with it, although it minds no signal; the run fails if it does not.
    Tool::unshare()
        .arg("--init")
        .sh("for i in 1 2 3; do setsid sh -c \"trap '' TERM HUP INT; sleep 60\" & done; exit 5")
        .run()
        .exits(5);
    // Also when the one outside is killed.
    let started = Tool::unshare()
        .line("--init --kill-child")
        .sh("trap '' TERM; setsid sleep 60 & echo ready; wait")
        .start();
    started.until_says("ready");
    kill(started.pid(), Signal::SIGKILL);
    started.wait().dies_of(Signal::SIGKILL);
}

/// The process inside that has become this program.
#[track_caller]
fn inside(started: &Started, name: &str) -> i32 {
    eventually("the program runs", || {
        tree(started.pid())
            .into_iter()
            .find(|pid| name_of(*pid) == name)
    })
}

#[test]
fn init_passes_signals_on() {
    needs!(init(), root());
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGUSR1,
        Signal::SIGWINCH,
    ] {
        let number = signal as i32;
        let script = format!(
            "trap 'echo got {number}; exit 6' {number}; echo ready; while :; do sleep 0.01; done"
        );
        // From outside, to PID 1 itself; and by way of the one outside.
        for forward in [false, true] {
            let started = Tool::unshare()
                .line(if forward { "--forward-signals" } else { "" })
                .arg("--init")
                .sh(&script)
                .start();
            started.until_says("ready");
            let first = children(started.pid())[0];
            assert_eq!(name_of(first), "unshare");
            kill(if forward { started.pid() } else { first }, signal);
            started
                .wait()
                .exits(6)
                .out(&format!("ready\ngot {number}\n"));
        }
    }
    let started = Tool::unshare().line("--init sleep 60").start();
    let program = inside(&started, "sleep");
    kill(program, Signal::SIGTERM);
    started.wait().dies_of(Signal::SIGTERM);
}

#[test]
fn init_passes_signals_on_to_a_group() {
    needs!(init(), root());
    // The shell's child, in the same group, would never hear of a signal to the shell alone.
    let script =
        "sh -c 'trap \"echo child; exit\" TERM; echo ready; while :; do sleep 0.01; done' &
        trap 'echo shell' TERM; wait; wait; exit 8";
    for (option, both) in [("--init", false), ("--init=group", true)] {
        let started = Tool::unshare().arg(option).sh(script).start();
        started.until_says("ready");
        kill(children(started.pid())[0], Signal::SIGTERM);
        if both {
            let said = started.wait().exits(8).lines();
            assert!(said.contains(&"child".to_owned()), "{said:?}");
            assert!(said.contains(&"shell".to_owned()), "{said:?}");
        } else {
            started.until_says("shell");
            std::thread::sleep(Duration::from_millis(30));
            assert!(!started.stdout_so_far().contains("child"));
        }
    }
}

/// Looks for a text, given backwards so that the search does not find itself, in the environment and the memory of
/// every process that it sees, other than its own, and may look into.
const SEARCH: &str = r#"
import os, sys
wanted = sys.argv[1][::-1].encode()
seen = []
for pid in filter(str.isdigit, os.listdir('/proc')):
    if int(pid) == os.getpid():
        continue
    seen.append(pid)
    try:
        if wanted in open(f'/proc/{pid}/environ', 'rb').read():
            print(f'in /proc/{pid}/environ')
        memory = open(f'/proc/{pid}/mem', 'rb', 0)
        for line in open(f'/proc/{pid}/maps'):
            first, last = (int(end, 16) for end in line.split()[0].split('-'))
            try:
                memory.seek(first)
                if wanted in memory.read(last - first):
                    print(f'in the memory of {pid}: {line.strip()}')
            except (OSError, ValueError, OverflowError):
                pass
    except PermissionError:
        pass
print('looked at', *sorted(seen))
"#;

#[test]
fn what_was_taken_from_the_environment_is_in_no_process_inside() {
    needs!(init(), root(), command("python3"), user_namespaces());
    let secret = "nobody-is-to-know-this";
    let backwards: String = secret.chars().rev().collect();
    for options in [
        "--init --clear-env",
        "--init --whitelist-env=PATH",
        "--init=group --whitelist-env=PATH,HOME --kill-child --forward-signals",
    ] {
        for by_ordinary in [false, true] {
            let tool = Tool::unshare()
                .line(options)
                .line(if by_ordinary {
                    "-r --mount-proc"
                } else {
                    "--mount-proc"
                })
                .args(["/usr/bin/env", "python3", "-c", SEARCH, &backwards])
                .env("SECRET", secret);
            let tool = if by_ordinary {
                tool.by_ordinary()
            } else {
                tool
            };
            tool.run().ok().out("looked at 1\n");
        }
    }
}

/// PID 1 is held in the moment in which it goes on: when the program, a child that shared its memory, has been executed.
#[test]
fn what_was_taken_from_the_environment_is_not_in_pid_1_when_the_program_begins() {
    needs!(init(), root(), command("strace"));
    let look = "/bin/cat /proc/1/environ | /usr/bin/tr -d '\\0'";
    let ran = Tool::program("strace")
        .args(["-f", "-o", "/dev/null"])
        .arg("--inject=clone:delay_exit=2000000:when=1")
        .line("unshare --init --pid --mount-proc --clear-env /bin/sh -c")
        .arg(look)
        .env("SECRET", "nobody-is-to-know-this")
        .run()
        .ok();
    assert!(!ran.text().contains("nobody-is-to-know-this"), "{ran}");
}

#[test]
fn what_was_taken_from_the_environment_is_not_in_who_waits_for_the_program() {
    needs!(ours("lacks --clear-env"), root());
    for options in [
        "--fork --clear-env",
        "--fork --whitelist-env=PATH",
        "--fork --kill-child --clear-env",
    ] {
        for by_ordinary in [false, true] {
            let look = "/bin/cat /proc/$PPID/environ | /usr/bin/tr -d '\\0'";
            let tool = Tool::unshare()
                .line(options)
                .args(["/bin/sh", "-c", look])
                .env("SECRET", "nobody-is-to-know-this");
            let tool = if by_ordinary {
                tool.by_ordinary()
            } else {
                tool
            };
            tool.run().ok().out("");
        }
    }
}

#[test]
fn init_is_of_one_kind() {
    needs!(init());
    Tool::unshare()
        .line("--init=process true")
        .run()
        .exits(1)
        .err("unshare: --init: 'process' is not group\n");
}

#[test]
fn every_spelling_of_a_signal() {
    for name in [
        "KILL",
        "SIGKILL",
        "sigkill",
        "kill",
        "SigTerm",
        "RTMIN+3",
        "SIGRTMIN+3",
        "RTMAX-3",
        "CLD",
        "POLL",
    ] {
        Tool::unshare()
            .arg(format!("--kill-child={name}"))
            .line("echo it ran")
            .run()
            .ok()
            .out("it ran\n");
    }
}

#[test]
fn more_spellings_of_a_signal() {
    needs!(ours("knows signals by some names only"));
    for name in ["9", "1", "64", "RTMIN", "RTMAX", "sigrtmin", "IOT"] {
        Tool::unshare()
            .arg(format!("--kill-child={name}"))
            .line("echo it ran")
            .run()
            .ok()
            .out("it ran\n");
    }
}

#[test]
fn a_failure_leaves_no_process_behind() {
    needs!(root());
    // Each run fails when a process of its is left.
    for words in [
        "-pf --mount-proc=/nonexistent sleep 60",
        "-f --kill-child -w /nonexistent sleep 60",
        "-U -f -S 5 sleep 60",
        "-f nosuchprogram",
    ] {
        let ran = Tool::unshare().line(words).run();
        assert!(!ran.succeeded(), "{ran}");
    }
}
