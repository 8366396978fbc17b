//! While a forked program runs: signals, job control, and that nothing is left behind.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::*;

/// A program that says it is there, waits for a file, and exits with 3.
fn until(file: &str) -> String {
    format!("echo ready; while ! test -e {file}; do sleep 0.01; done; exit 3")
}

/// The one child of the tool, once there is one.
#[track_caller]
fn only_child(of: i32) -> i32 {
    let all = children(of);
    assert_eq!(all.len(), 1, "children of {of}: {all:?}");
    all[0]
}

#[test]
fn the_waiting_parent_ignores_the_signals_of_the_terminal() {
    let place = Place::new();
    let file = place.at("go");
    let started = Tool::unshare().arg("--fork").sh(&until(&file)).start();
    started.until_says("ready");
    let program = only_child(started.pid());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        kill(started.pid(), signal);
        kill(started.pid(), signal);
    }
    assert!(alive(started.pid()) && alive(program));
    place.file("go", "");
    started.wait().exits(3).out("ready\n");
}

#[test]
fn the_program_itself_does_not_ignore_them() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let started = Tool::unshare().arg("--fork").line("sleep 60").start();
        let program = eventually("a child", || children(started.pid()).first().copied());
        eventually("sleep", || {
            let name = std::fs::read_to_string(format!("/proc/{program}/comm")).ok()?;
            (name.trim() == "sleep").then_some(())
        });
        kill(program, signal);
        started.wait().dies_of(signal);
    }
}

#[test]
fn the_waiting_parent_has_one_child_and_no_descriptor_of_its_own() {
    needs!(root());
    let place = Place::new();
    for words in [
        "-f",
        "-pf --mount-proc",
        "-Urpf --mount-proc",
        "-muipCT --fork --kill-child",
    ] {
        let file = place.at("go");
        let started = Tool::unshare().line(words).sh(&until(&file)).start();
        started.until_says("ready");
        let program = only_child(started.pid());
        assert!(alive(program), "{words}");
        place.file("go", "");
        started.wait().exits(3);
        std::fs::remove_file(&file).expect("our file");
    }
}

#[test]
fn helpers_are_gone_while_the_program_runs() {
    needs!(Subordinate::there(), option("unshare", "--map-auto"));
    let place = Place::new();
    let file = place.at("go");
    let tool = Tool::unshare()
        .line("--map-auto -r --fork")
        .sh(&until(&file));
    let started = Subordinate::user().runs(tool).start();
    started.until_says("ready");
    eventually("one child is left", || {
        (children(started.pid()).len() == 1).then_some(())
    });
    place.file("go", "");
    started.wait().exits(3);
    // Without a fork, whoever helped is no child of the program; the shell looks for itself.
    let look = "read -r helpers </proc/$$/task/$$/children; echo none $helpers";
    let tool = Tool::unshare().line("--map-auto -r").sh(look);
    Subordinate::user().runs(tool).run().ok().out("none\n");
}

#[test]
fn the_end_of_the_program_is_the_end() {
    // What the program leaves running is nobody's to wait for.
    Tool::unshare()
        .arg("-f")
        .sh("sleep 0.3 & exit 4")
        .run()
        .exits(4);
}

#[test]
fn the_end_of_pid_1_is_the_end_of_all() {
    needs!(root());
    // In its own PID namespace it does not survive the first process.
    Tool::unshare()
        .arg("-pf")
        .sh("sleep 60 & exit 4")
        .run()
        .exits(4);
}

/// A program that says which signal came, and the shell's trap for it.
fn reporting(signal: i32, file: &str) -> String {
    format!("trap 'echo {signal} >{file}; exit' {signal}; echo ready; while :; do sleep 0.01; done")
}

#[track_caller]
fn child_gets(options: &str, signal: i32) {
    let place = Place::new();
    let file = place.at("got");
    let started = Tool::unshare()
        .line(options)
        .sh(&reporting(signal, &file))
        .start();
    started.until_says("ready");
    let program = only_child(started.pid());
    kill(started.pid(), Signal::SIGKILL);
    eventually("the program ends", || (!alive(program)).then_some(()));
    started.wait().dies_of(Signal::SIGKILL);
    let got = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(got.trim(), signal.to_string(), "{options}");
}

#[test]
fn the_child_gets_the_signal_asked_for_when_the_parent_is_killed() {
    for (options, signal) in [
        ("--kill-child=TERM", 15),
        ("--kill-child=SIGTERM", 15),
        ("-f --kill-child=HUP", 1),
        ("--kill-child=USR1", 10),
        ("--kill-child=RTMIN+3", 37),
        ("--kill-child=SIGRTMIN+3", 37),
    ] {
        child_gets(options, signal);
    }
}

#[test]
fn signals_by_number() {
    needs!(ours("knows signals by name only"));
    child_gets("--kill-child=15", 15);
    child_gets("--kill-child=37", 37);
    child_dies("--kill-child=9");
}

#[test]
fn signal_names_in_small_letters() {
    child_gets("--kill-child=sigterm", 15);
    child_gets("--kill-child=usr1", 10);
}

#[track_caller]
fn child_dies(options: &str) {
    let started = Tool::unshare()
        .line(options)
        .sh("trap '' HUP TERM INT; echo ready; while :; do sleep 0.01; done")
        .start();
    started.until_says("ready");
    let program = only_child(started.pid());
    kill(started.pid(), Signal::SIGKILL);
    eventually("the program ends", || (!alive(program)).then_some(()));
    started.wait().dies_of(Signal::SIGKILL);
}

#[test]
fn the_child_is_killed_with_the_parent() {
    for options in [
        "--kill-child",
        "--kill-child=KILL",
        "-f --kill-child=SIGKILL",
    ] {
        child_dies(options);
    }
}

#[test]
fn the_child_is_killed_with_the_parent_in_namespaces_of_its_own() {
    needs!(root());
    child_dies("-pf --kill-child");
    child_dies("-muinpf --mount-proc --kill-child");
}

#[test]
fn the_child_is_killed_with_the_parent_in_a_user_namespace() {
    needs!(user_namespaces());
    let started = Tool::unshare()
        .line("-Urpf --kill-child")
        .sh("echo ready; exec sleep 60")
        .by_ordinary()
        .start();
    started.until_says("ready");
    let program = only_child(started.pid());
    kill(started.pid(), Signal::SIGKILL);
    eventually("the program ends", || (!alive(program)).then_some(()));
    started.wait().dies_of(Signal::SIGKILL);
}

#[test]
fn the_child_is_killed_with_the_parent_although_its_ids_changed() {
    needs!(
        root(),
        ours("the kernel forgets the request when IDs change")
    );
    for options in [
        "--kill-child -S 7",
        "--kill-child -G 7",
        "--kill-child --setuid=7 --setgid=7",
    ] {
        child_dies(options);
    }
    child_gets("--kill-child=USR1 -S 0 -G 0", 10);
}

#[test]
fn a_parent_that_is_killed_leaves_the_child_without_kill_child() {
    let place = Place::new();
    let (go, said) = (place.at("go"), place.at("said"));
    let script = format!("echo ready; while ! test -e {go}; do sleep 0.01; done; : >{said}");
    let started = Tool::unshare().arg("--fork").sh(&script).start();
    started.until_says("ready");
    kill(started.pid(), Signal::SIGKILL);
    eventually("the parent ends", || (!alive(started.pid())).then_some(()));
    place.file("go", "");
    eventually("the child survived", || {
        Path::new(&said).exists().then_some(())
    });
    started.wait().dies_of(Signal::SIGKILL);
}

#[test]
fn signals_that_do_not_exist() {
    for name in ["FOO", "", "0", "-1", "65", "99999999999", "SIG", "RTMIN+99"] {
        Tool::unshare()
            .arg(format!("--kill-child={name}"))
            .line("echo it ran")
            .run()
            .exits(1)
            .out("")
            .err_has("unshare: ");
    }
}

/// Waits until a process sleeps: here, until the parent waits for its child.
#[track_caller]
fn sleeps(pid: i32) {
    eventually("the parent waits", || {
        (state(pid) == Some('S')).then_some(())
    });
}

#[test]
fn signals_are_forwarded() {
    needs!(option("unshare", "--forward-signals"));
    let place = Place::new();
    let said = place.at("said");
    let script = format!(
        "trap 'echo TERM >>{said}' TERM; trap 'echo INT >>{said}' INT; echo ready; \
         while ! [ $(wc -l 2>/dev/null <{said}) = 3 ]; do sleep 0.01; done; exit 3"
    );
    place.file("said", "");
    let started = Tool::unshare().arg("--forward-signals").sh(&script).start();
    started.until_says("ready");
    sleeps(started.pid());
    let lines = |count: usize| {
        eventually("the program says what it got", || {
            let text = std::fs::read_to_string(&said).ok()?;
            (text.lines().count() >= count).then_some(text)
        })
    };
    for (count, signal) in [
        (1, Signal::SIGTERM),
        (2, Signal::SIGINT),
        (3, Signal::SIGTERM),
    ] {
        kill(started.pid(), signal);
        lines(count);
    }
    started.wait().exits(3);
    assert_eq!(lines(3), "TERM\nINT\nTERM\n");
}

#[test]
fn a_forwarded_signal_that_kills_is_our_death_too() {
    needs!(option("unshare", "--forward-signals"));
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let started = Tool::unshare()
            .arg("--forward-signals")
            .sh("echo ready; exec sleep 60")
            .start();
        started.until_says("ready");
        sleeps(started.pid());
        kill(started.pid(), signal);
        started.wait().dies_of(signal);
    }
}

#[test]
fn more_signals_are_forwarded() {
    needs!(ours("forwards only SIGTERM and SIGINT"));
    for (option, number) in [
        ("--forward-signals", 1),
        ("--forward-signals", 3),
        ("--forward-signals", 10),
        ("--forward-signals", 12),
        ("--forward-signals=USR1", 10),
        ("--forward-signals=HUP,SIGUSR2,TERM", 12),
    ] {
        let place = Place::new();
        let file = place.at("got");
        let started = Tool::unshare()
            .arg(option)
            .sh(&reporting(number, &file))
            .start();
        started.until_says("ready");
        kill(started.pid(), Signal::try_from(number).expect("a signal"));
        started.wait().exits(0);
        assert_eq!(
            std::fs::read_to_string(&file).expect("it came").trim(),
            number.to_string(),
            "{option}"
        );
    }
}

#[test]
fn a_signal_that_comes_early_is_not_lost() {
    needs!(ours("could lose it before the first wait"));
    for _ in 0..50 {
        // Sent as soon as there is a child: it may still be on its way to the program.
        let started = Tool::unshare()
            .arg("--forward-signals")
            .line("sleep 60")
            .start();
        eventually("a child", || children(started.pid()).first().copied());
        kill(started.pid(), Signal::SIGTERM);
        started.wait().dies_of(Signal::SIGTERM);
    }
}

#[test]
fn nsenter_passes_a_stop_on() {
    needs!(root());
    let holder = Holder::unshare("-pf");
    let started = Tool::nsenter()
        .args(["-t", &holder.pid().to_string(), "-p"])
        .args(["sh", "-c", "read -r pid rest </proc/self/stat; echo $pid ready; kill -STOP $$; echo resumed; exit 5"])
        .start();
    stopped_and_continued(started);
}

#[track_caller]
fn stopped_and_continued(started: Started) {
    started.until_says("ready");
    let program = only_child(started.pid());
    for pid in [program, started.pid()] {
        eventually("both are stopped", || {
            (state(pid) == Some('T')).then_some(())
        });
    }
    kill(started.pid(), Signal::SIGCONT);
    let ran = started.wait().exits(5);
    assert!(ran.text().ends_with("resumed"), "{ran}");
}

/// Lines for an interactive shell, each with a program that runs until it is interrupted.
const JOBS: [&str; 2] = ["unshare --fork sleep 60", "unshare sleep 60"];

/// Waits until the job in the foreground has become `sleep`.
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

#[track_caller]
fn is_interrupted(line: &str) {
    let mut terminal = Terminal::shell();
    terminal.types(line);
    sleeping(&terminal);
    terminal.control('c');
    terminal.expect("[130]ready> ");
    terminal.types("jobs; echo status $?");
    terminal.expect("status 0");
}

#[test]
fn the_terminal_interrupts_the_program() {
    needs!(command("bash"));
    JOBS.iter().for_each(|line| is_interrupted(line));
}

#[test]
fn the_terminal_interrupts_the_program_of_nsenter() {
    needs!(root(), command("bash"));
    let holder = Holder::unshare("-npf");
    for option in ["-p", "-n"] {
        is_interrupted(&format!("nsenter -t {} {option} sleep 60", holder.pid()));
    }
}

#[track_caller]
fn is_stopped_and_continued(line: &str) {
    let mut terminal = Terminal::shell();
    terminal.types(line);
    let program = sleeping(&terminal);
    terminal.control('z');
    terminal.expect("Stopped");
    terminal.expect("ready> ");
    eventually("the program is stopped", || {
        (state(program) == Some('T')).then_some(())
    });
    terminal.types("bg");
    terminal.expect("ready> ");
    eventually("the program runs", || {
        (state(program) == Some('S')).then_some(())
    });
    terminal.types("fg");
    // bash gives the terminal to the job before it shows its name.
    terminal.expect("sleep 60");
    terminal.control('z');
    terminal.expect("Stopped");
    terminal.expect("ready> ");
    terminal.types("fg");
    terminal.expect("sleep 60");
    eventually("the program runs", || {
        (state(program) == Some('S')).then_some(())
    });
    terminal.control('c');
    terminal.expect("[130]ready> ");
    assert!(!alive(program), "{line}");
}

#[test]
fn the_terminal_stops_the_program_and_the_shell_continues_it() {
    needs!(command("bash"));
    JOBS.iter().for_each(|line| is_stopped_and_continued(line));
}

#[test]
fn the_terminal_stops_the_program_of_nsenter_and_the_shell_continues_it() {
    needs!(root(), command("bash"));
    let holder = Holder::unshare("-n");
    is_stopped_and_continued(&format!("nsenter -t {} -n sleep 60", holder.pid()));
}

#[test]
fn the_terminal_stops_the_forked_program_of_nsenter_and_the_shell_continues_it() {
    needs!(
        root(),
        command("bash"),
        ours("stops once more after it was continued")
    );
    let holder = Holder::unshare("-pf");
    is_stopped_and_continued(&format!("nsenter -t {} -p sleep 60", holder.pid()));
}

#[test]
fn a_program_that_stops_only_itself_comes_back_to_the_shell() {
    needs!(root(), command("bash"));
    let holder = Holder::unshare("-pf");
    let mut terminal = Terminal::shell();
    let pid = holder.pid();
    terminal.types(&format!(
        "nsenter -t {pid} -p bash -c 'kill -STOP $$; echo res\"\"umed; exit 6'"
    ));
    terminal.expect("Stopped");
    terminal.expect("ready> ");
    terminal.types("fg");
    terminal.expect("resumed");
    terminal.expect("[6]ready> ");
}

#[test]
fn a_closed_terminal_ends_the_program() {
    needs!(command("bash"));
    let place = Place::new();
    let file = place.at("pid");
    let mut terminal = Terminal::shell();
    terminal.types(&format!("unshare --fork --kill-child sh -c 'echo $$ >{file}.new; mv {file}.new {file}; exec sleep 60'"));
    eventually("the program says its PID", || {
        Path::new(&file).exists().then_some(())
    });
    let program: i32 = std::fs::read_to_string(&file)
        .expect("it says")
        .trim()
        .parse()
        .expect("a PID");
    drop(terminal);
    eventually("the program ends", || (!alive(program)).then_some(()));
}
