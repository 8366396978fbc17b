//! `unshare` on a terminal: what it sends reaches the program once, the calling shell sees stops, and the terminal is
//! the program's while that runs.

use nix::sys::signal::Signal;

use crate::harness::*;

fn init() -> Need {
    ours("lacks --init")
}

/// Waits until the job in the foreground has become `sleep`.
#[track_caller]
fn sleeping(terminal: &Terminal) -> i32 {
    eventually("sleep runs", || {
        tree(terminal.pid())
            .into_iter()
            .find(|pid| name_of(*pid) == "sleep")
    })
}

/// The command lines of the job control test with a PID namespace.
const JOBS: [&str; 8] = [
    "unshare -pf sleep 60",
    "unshare -pf --mount-proc sleep 60",
    "unshare -Urpf --mount-proc sleep 60",
    "unshare -pf -R / --mount-proc sleep 60",
    "unshare -pf --forward-signals --kill-child sleep 60",
    "unshare --init sleep 60",
    "unshare --init --forward-signals sleep 60",
    "unshare --init=group sleep 60",
];

#[test]
fn the_terminal_interrupts_a_program_in_a_pid_namespace() {
    needs!(root(), command("bash"), init());
    // PID 1 dies of no SIGINT that it does not handle, so the program is a shell that does.
    for line in [
        "unshare -pf sh -c 'trap \"exit 130\" INT; sleep 60'",
        "unshare -pf --forward-signals sh -c 'trap \"exit 130\" INT; sleep 60'",
        JOBS[5],
        JOBS[6],
        JOBS[7],
    ] {
        let mut terminal = Terminal::shell();
        terminal.types(line);
        sleeping(&terminal);
        terminal.control('c');
        terminal.expect("[130]ready> ");
        terminal.types("jobs; echo status $?");
        terminal.expect("status 0");
    }
}

#[test]
fn the_terminal_stops_a_program_in_a_pid_namespace() {
    needs!(
        root(),
        command("bash"),
        ours("goes on waiting while its child is stopped")
    );
    for line in JOBS {
        let mut terminal = Terminal::shell();
        terminal.types(line);
        let program = sleeping(&terminal);
        let is = |wanted: char| {
            eventually("stops and continues", || {
                (state(program) == Some(wanted)).then_some(())
            });
        };
        for _ in 0..2 {
            terminal.control('z');
            terminal.expect("Stopped");
            terminal.expect("ready> ");
            is('T');
            terminal.types("fg");
            terminal.expect("sleep 60");
            is('S');
        }
        kill(program, Signal::SIGKILL);
        terminal.expect("[137]ready> ");
    }
}

#[test]
fn init_leaves_the_terminal_to_the_program() {
    needs!(root(), command("bash"), init());
    // Also to a process group of its own; and the shell has it back when that has ended, or did not start.
    for option in ["--init", "--init=group"] {
        let mut terminal = Terminal::shell();
        let program = "read a; echo \"<$a>\"; read b; echo \"<$b>\"; exit 6";
        terminal.types(&format!("unshare {option} sh -c '{program}'"));
        terminal.types("one");
        terminal.expect("<one>");
        terminal.control('z');
        terminal.expect("Stopped");
        terminal.expect("ready> ");
        terminal.types("fg");
        terminal.types("two");
        terminal.expect("<two>");
        terminal.expect("[6]ready> ");
        terminal.types(&format!(
            "unshare {option} nosuchprogram; bash -c 'read c; echo \"<$c>\"'"
        ));
        terminal.types("three");
        terminal.expect("<three>");
        // In the background there is nothing to read.
        read_after_the_background(&mut terminal, &format!("unshare {option} cat"));
    }
}

#[test]
fn what_comes_after_us_in_a_job_has_the_terminal_again() {
    needs!(root(), command("bash"), init());
    // A shell that reads commands takes the terminal back itself. One that runs a script does not: who does not give it
    // back leaves the script in the background, where it cannot read.
    let place = Place::new();
    for (program, status) in [
        ("true", 0),
        ("sh -c 'exit 3'", 3),
        ("sh -c 'kill -9 $$'", 137),
        ("nosuchprogram", 127),
    ] {
        let job = format!(
            "#!/bin/sh\nunshare --init=group {program}\necho ended $?\nread line\necho \"<$line>\"\n"
        );
        let mut terminal = Terminal::shell();
        terminal.types(&place.script("job", &job));
        terminal.expect(&format!("ended {status}"));
        terminal.types("one");
        terminal.expect("<one>");
        terminal.expect("[0]ready> ");
    }
}

/// Runs a cat in the background, which stops, and has it read in the foreground.
#[track_caller]
fn read_after_the_background(terminal: &mut Terminal, line: &str) {
    terminal.types(&format!("{line} &"));
    terminal.types("until jobs | grep Stopped; do sleep 0.01; done");
    terminal.expect("Stopped");
    terminal.types("fg");
    terminal.types("four");
    terminal.expect("four");
    terminal.control('c');
    terminal.expect("[130]ready> ");
}

#[test]
fn a_program_that_is_continued_before_it_has_the_terminal() {
    needs!(root(), command("bash"), command("strace"), init());
    // The shell continues PID 1 together with us. Before we can lend the terminal, the program has read and stopped
    // once more; and that is told before, or after, we have.
    let place = Place::new();
    let trace = place.at("trace");
    for late in ["delay_enter", "delay_exit"] {
        let mut terminal = Terminal::shell();
        read_after_the_background(
            &mut terminal,
            &format!(
                "strace -DDD -e inject=ioctl:{late}=200000 -e trace=ioctl -o {trace} unshare --init=group cat"
            ),
        );
    }
}

#[test]
fn a_program_that_reads_at_once_has_the_terminal() {
    needs!(root(), command("bash"), command("strace"), init());
    // However long it takes us to lend it.
    let place = Place::new();
    let trace = place.at("trace");
    for late in ["delay_enter", "delay_exit"] {
        let mut terminal = Terminal::shell();
        terminal.types(&format!(
            "strace -DDD -e inject=ioctl:{late}=200000 -e trace=ioctl -o {trace} unshare --init=group \
             sh -c 'read a; echo \"<$a>\"; exit 6'"
        ));
        terminal.types("four");
        terminal.expect("<four>");
        terminal.expect("[6]ready> ");
    }
}

#[test]
fn what_the_terminal_sends_comes_once() {
    needs!(
        command("bash"),
        command("perl"),
        ours("passes on what the program has had already")
    );
    // It goes to the whole foreground group: to us, and to the program.
    let count = r#"$| = 1; $SIG{INT} = sub { $n++; print "<int>" }; print "<ready>";
        select undef, undef, undef, 0.05 until $n; sleep 1; print "<over>\n""#;
    for options in [
        "--forward-signals",
        "--forward-signals -U",
        "--init --forward-signals",
    ] {
        if options.contains("--init") && (!is_root()) {
            continue;
        }
        let place = Place::new();
        let script = place.script("count", &format!("#!/usr/bin/env perl\n{count}\n"));
        let mut terminal = Terminal::shell();
        terminal.types(&format!("unshare {options} {script}"));
        terminal.expect("<ready>");
        terminal.control('c');
        let said = terminal.expect("<over>");
        assert_eq!(said.matches("<int>").count(), 1, "{options}: {said:?}");
        terminal.expect("[0]ready> ");
    }
}

#[test]
fn advice_on_a_terminal() {
    needs!(root(), command("bash"), ours("gives no advice"));
    let mut terminal = Terminal::shell();
    terminal.types("unshare -p true; echo do\"\"ne");
    let said = terminal.expect("done");
    assert!(
        said.contains("unshare: add --fork: only children enter the new PID namespace\r\n"),
        "{said:?}"
    );
    for line in [
        "unshare -pf true",
        "unshare -p true 2>&1 | cat",
        "unshare --init true",
        "unshare -p -R /nonexistent true",
    ] {
        terminal.types(&format!("{line}; echo do\"\"ne"));
        let said = terminal.expect("done");
        assert!(!said.contains("add --fork"), "{said:?}");
    }
    Tool::unshare().line("-p true").run().ok();
}
