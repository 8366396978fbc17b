//! `nsenter`: the fork into a PID namespace, and the wait.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::*;

/// A program that tells its own PID as we see it, says it is there, and stays.
const STAYS: &str = "read -r pid rest </proc/self/stat; echo $pid ready; exec sleep 60";

/// `nsenter` into the target's PID namespace, with more words.
fn into(holder: &Holder, words: &str) -> Tool {
    Tool::nsenter()
        .args(["-p", "-t", &holder.pid().to_string()])
        .line(words)
}

/// The program's PID once it is there.
#[track_caller]
fn program(started: &Started) -> i32 {
    let said = started.until_says("ready");
    said.split(' ')
        .next()
        .and_then(|pid| pid.parse().ok())
        .expect("a PID")
}

#[test]
fn forks_into_a_pid_namespace_only() {
    needs!(root());
    let holder = Holder::unshare("-npf");
    let parent = |words: &str| {
        let tool = Tool::nsenter()
            .args(["-t", &holder.pid().to_string()])
            .line(words)
            .sh("read -r pid name state parent rest </proc/self/stat; echo $pid $parent ready; cat")
            .stdin("");
        let started = tool.start();
        let said = started.until_says("ready");
        let pid = started.pid();
        started.wait().exits(0);
        let numbers: Vec<i32> = said
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect();
        (numbers[0] == pid, numbers[1] == pid)
    };
    // It is nsenter itself, or its child.
    assert_eq!(parent("-n"), (true, false));
    assert_eq!(parent("-p"), (false, true));
    assert_eq!(parent("-p --no-fork"), (true, false));
    assert_eq!(parent("-F -p -n"), (true, false));
    needs!(ours("has none of these"));
    assert_eq!(parent("-n --kill-child"), (false, true));
    assert_eq!(parent("-n --forward-signals"), (false, true));
    // Ours already, but entered all the same.
    assert_eq!(parent("-p/proc/self/ns/pid"), (false, true));
}

#[test]
fn no_fork_and_what_needs_a_child() {
    needs!(root(), ours("has none of these"));
    let holder = Holder::unshare("-pf");
    for words in [
        "-F --kill-child",
        "-F --forward-signals",
        "--no-fork --kill-child=TERM",
    ] {
        into(&holder, words)
            .line("echo it ran")
            .run()
            .exits(1)
            .out("")
            .err_has("--no-fork");
    }
}

#[test]
fn signals_are_forwarded() {
    needs!(root(), ours("has no --forward-signals"));
    let holder = Holder::unshare("-pf");
    for (words, signal) in [
        ("--forward-signals", Signal::SIGTERM),
        ("--forward-signals", Signal::SIGINT),
        ("--forward-signals", Signal::SIGHUP),
        ("--forward-signals", Signal::SIGUSR1),
        ("--forward-signals=USR2", Signal::SIGUSR2),
        ("--forward-signals=QUIT,SIGWINCH,12", Signal::SIGQUIT),
    ] {
        let script = format!(
            "trap 'echo got; exit 7' {}; echo 1 ready; while :; do sleep 0.01; done",
            signal as i32
        );
        let started = into(&holder, words).sh(&script).start();
        started.until_says("ready");
        kill(started.pid(), signal);
        let ran = started.wait().exits(7);
        assert!(ran.text().ends_with("got"), "{words}: {ran}");
    }
    // Not named, not forwarded: then it is ours.
    let started = into(&holder, "--forward-signals=USR1").sh(STAYS).start();
    let pid = program(&started);
    kill(started.pid(), Signal::SIGHUP);
    eventually("nsenter ends", || (!alive(started.pid())).then_some(()));
    assert!(alive(pid));
    kill(pid, Signal::SIGKILL);
    eventually("the program ends", || (!alive(pid)).then_some(()));
    started.wait().dies_of(Signal::SIGHUP);
}

#[test]
fn a_signal_that_comes_early_is_not_lost() {
    needs!(root(), ours("has no --forward-signals"));
    let holder = Holder::unshare("-pf");
    for _ in 0..30 {
        let started = into(&holder, "--forward-signals sleep 60").start();
        eventually("a child", || children(started.pid()).first().copied());
        kill(started.pid(), Signal::SIGTERM);
        started.wait().dies_of(Signal::SIGTERM);
    }
}

#[test]
fn the_child_is_killed_with_nsenter() {
    needs!(root(), ours("has no --kill-child"));
    for words in [
        "--kill-child",
        "--kill-child=KILL",
        "--kill-child -S 7",
        "--kill-child=TERM",
    ] {
        let holder = Holder::unshare("-pf");
        let started = into(&holder, words).sh(STAYS).start();
        let pid = program(&started);
        kill(started.pid(), Signal::SIGKILL);
        eventually("the program ends", || (!alive(pid)).then_some(()));
        started.wait().dies_of(Signal::SIGKILL);
    }
    // Without a PID namespace, and in a user namespace.
    let other = Holder::unshare("-Urn");
    let tool = Tool::nsenter().args(["-t", &other.pid().to_string()]);
    let started = tool.line("-U -n --kill-child").sh(STAYS).start();
    let pid = program(&started);
    kill(started.pid(), Signal::SIGKILL);
    eventually("the program ends", || (!alive(pid)).then_some(()));
    started.wait().dies_of(Signal::SIGKILL);
}

#[test]
fn a_program_that_dies_of_a_signal_that_we_ignore_or_block() {
    needs!(
        root(),
        command("python3"),
        ours("the status is 1 instead of that death")
    );
    let holder = Holder::unshare("-pf");
    // It minds the signal again, whatever it was given.
    let program = "import os, signal
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
os.kill(os.getpid(), signal.SIGTERM)";
    for how in ["--ignore-signal=TERM", "--block-signal=TERM"] {
        Tool::program("env")
            .arg(how)
            .arg(Tool::path_of("nsenter"))
            .args([
                "-t",
                &holder.pid().to_string(),
                "-p",
                "python3",
                "-c",
                program,
            ])
            .run()
            .dies_of(Signal::SIGTERM);
    }
}

#[test]
fn reports_and_pid_file() {
    needs!(root(), ours("has no --status-fd"));
    let holder = Holder::unshare("-npf");
    let target = Links::of(holder.pid());
    let place = Place::new();
    for (words, forked) in [("-p -n", true), ("-p -n -F", false), ("-n", false)] {
        let (report, pidfile) = (place.at("report"), place.at("pid"));
        let script = format!(
            "exec nsenter -t {} {words} --status-fd=9 --pidfile={pidfile} sh -c \
             'read -r pid rest </proc/self/stat; echo $pid $(cat {pidfile}); exit 3' 9>{report}",
            holder.pid()
        );
        let ran = Tool::shell(&script).run().exits(3);
        let text = ran.text();
        let (pid, filed) = text.split_once(' ').expect("two numbers");
        assert_eq!(pid, filed, "{words}");
        let lines: Vec<Value> = std::fs::read_to_string(&report)
            .expect("a report")
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines[0]["child-pid"].to_string(), pid, "{words}");
        let net = format!("net:[{}]", lines[0]["namespaces"]["net"]);
        assert_eq!(net, target.get("net"), "{words}");
        if forked {
            let inside = format!("pid:[{}]", lines[0]["namespaces"]["pid"]);
            assert_eq!(inside, target.get("pid"));
            assert_eq!(lines[1]["exit-code"], 3);
        }
        assert_eq!(lines.len(), if forked { 2 } else { 1 }, "{lines:?}");
        std::fs::remove_file(&pidfile).expect("it is there");
    }
    // A failure is reported too, and leaves no PID file.
    let report = place.at("report");
    let script = format!(
        "exec nsenter -t 4194305 -n --status-fd=9 --pidfile={} true 9>{report}",
        place.at("none")
    );
    Tool::shell(&script).run().exits(1);
    let line = std::fs::read_to_string(&report).expect("a report");
    let line: Value = serde_json::from_str(line.trim()).expect("one line of JSON");
    assert_eq!(line["error"]["errno"], "ENOENT", "{line}");
    assert!(!std::path::Path::new(&place.at("none")).exists());
}

#[test]
fn stops_and_continues_more_than_once() {
    needs!(root());
    let holder = Holder::unshare("-pf");
    let script = "read -r pid rest </proc/self/stat; echo $pid ready; kill -STOP $$; echo once; kill -STOP $$; echo twice; exit 5";
    let started = into(&holder, "").sh(script).start();
    let pid = program(&started);
    for _ in 0..2 {
        for pid in [pid, started.pid()] {
            eventually("both are stopped", || {
                (state(pid) == Some('T')).then_some(())
            });
        }
        kill(started.pid(), Signal::SIGCONT);
        eventually("it goes on", || {
            let said = started.stdout_so_far();
            (said.contains("twice") || said.contains("once") && state(pid) == Some('T'))
                .then_some(())
        });
    }
    let ran = started.wait().exits(5);
    assert!(ran.text().ends_with("once\ntwice"), "{ran}");
}

/// The shell of a terminal runs this line, whose program is `sleep 60`; the PID of that.
#[track_caller]
fn sleeping(terminal: &Terminal) -> i32 {
    eventually("sleep runs", || {
        let mut below = children(terminal.pid());
        for child in below.clone() {
            below.extend(children(child));
        }
        below.into_iter().find(|pid| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
            name.is_ok_and(|name| name.trim() == "sleep")
        })
    })
}

#[test]
fn job_control_of_a_shell() {
    needs!(
        root(),
        command("bash"),
        ours("stops once more after it was continued")
    );
    let holder = Holder::unshare("-Urnpf");
    for words in [
        "-U -n -p",
        "-a",
        "-p --forward-signals -U",
        "-U -p --kill-child",
        "-U -n",
    ] {
        let mut terminal = Terminal::shell();
        terminal.types(&format!("nsenter -t {} {words} sleep 60", holder.pid()));
        let program = sleeping(&terminal);
        terminal.control('z');
        terminal.expect("Stopped");
        terminal.expect("ready> ");
        assert_eq!(state(program), Some('T'), "{words}");
        terminal.types("bg");
        terminal.expect("ready> ");
        eventually("the program runs", || {
            (state(program) == Some('S')).then_some(())
        });
        terminal.types("kill -STOP %1");
        terminal.expect("ready> ");
        // Who waits too: the shell continues only what it has heard to be stopped.
        eventually("the job is stopped", || {
            let job = tree(terminal.pid()).into_iter().skip(1);
            job.map(state).all(|state| state == Some('T')).then_some(())
        });
        terminal.types("fg");
        terminal.expect("sleep 60");
        eventually("the program runs", || {
            (state(program) == Some('S')).then_some(())
        });
        terminal.control('c');
        terminal.expect("[130]ready> ");
        assert!(!alive(program), "{words}");
    }
}

#[test]
fn a_terminal_for_the_program() {
    needs!(root(), command("bash"));
    let holder = Holder::unshare("-pf");
    let mut terminal = Terminal::shell();
    // The program reads from the terminal as the foreground job, and gets its interrupt once.
    terminal.types(&format!(
        "nsenter -t {} -p bash -c 'trap \"echo int\"errupt INT; read -r line; echo \"got $line\"; exit 4'",
        holder.pid()
    ));
    terminal.types("a line");
    terminal.expect("got a line");
    terminal.expect("[4]ready> ");
}

#[test]
fn what_a_program_does_with_a_stop_is_not_asked_of_the_targets_proc() {
    needs!(root(), command("bash"), ours("has no --kill-child"));
    // In this /proc there is nobody under the program's number.
    let holder = Holder::doing("-mpf", "mount -t proc none /proc");
    let enter = |holder: &Holder, words: &str| {
        let pid = holder.pid();
        format!("nsenter -t {pid} -m --kill-child {words}")
    };
    // PID 1 of the namespace that the caller has unshared: it does not hear the terminal's stop.
    let mut terminal = Terminal::shell();
    terminal.types(&format!("unshare -p {}", enter(&holder, "sleep 60")));
    let program = sleeping(&terminal);
    terminal.control('z');
    terminal.expect("Stopped");
    assert_eq!(state(program), Some('T'));
    drop(terminal);
    // In this one somebody says that the program is PID 1, and minds no signal.
    let holder = Holder::doing("-m", "mount -t tmpfs none /proc");
    let mut terminal = Terminal::shell();
    let program = "trap \"echo he\"\"ard\" TSTP; echo re\"\"ady; sleep 60 & while :; do wait; done";
    terminal.types(&enter(&holder, &format!("bash -c '{program}'")));
    terminal.expect("ready\r\n");
    let nsenter = children(terminal.pid())[0];
    let program = children(nsenter)[0];
    let lie = format!("/proc/{}/root/proc/{program}", holder.pid());
    std::fs::create_dir(&lie).expect("a directory in its tmpfs");
    let own = std::fs::read_to_string(format!("/proc/{program}/status")).expect("its status");
    let lines = own
        .lines()
        .map(|line| match line.split_once(":\t") {
            Some(("NSpid", _)) => format!("NSpid:\t{program}\t1\n"),
            Some((name @ ("SigBlk" | "SigIgn" | "SigCgt"), _)) => {
                format!("{name}:\t0000000000000000\n")
            }
            _ => format!("{line}\n"),
        })
        .collect::<String>();
    std::fs::write(format!("{lie}/status"), lines).expect("a file in its tmpfs");
    for _ in 0..2 {
        terminal.control('z');
        terminal.expect("heard");
        assert_ne!(state(nsenter), Some('T'));
        assert_ne!(state(program), Some('T'));
    }
}
