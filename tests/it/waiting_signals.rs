//! SIGINT and SIGQUIT while a forked program runs: the terminal sends them to the program too, whose affair they are;
//! somebody who sends them to the waiting parent alone means that one.

use nix::sys::signal::Signal;

use crate::harness::*;

/// A program that ends with this status when the signal has come, having said that it waits for it.
fn until(signal: &str, status: u8) -> String {
    format!("trap \"exit {status}\" {signal}; echo it wai\"\"ts; while :; do sleep 0.01; done")
}

/// The ways to run a program in the foreground of a terminal, with a parent that waits.
fn ways(holder: &Option<Holder>) -> Vec<String> {
    let mut ways = vec!["unshare --fork".to_owned()];
    if let Some(holder) = holder {
        ways.push("unshare -p --kill-child".to_owned());
        ways.push("unshare --init".to_owned());
        ways.push("unshare --init=group".to_owned());
        ways.push(format!("nsenter -t {} -p", holder.pid()));
        ways.push(format!("nsenter -t {} -n --kill-child", holder.pid()));
    }
    ways
}

#[test]
fn what_the_terminal_sends_is_the_programs_affair() {
    needs!(command("bash"), ours("dies of SIGQUIT itself"));
    let holder = is_root().then(|| Holder::unshare("-npf"));
    for way in ways(&holder) {
        for (key, signal, status) in [('c', "INT", 5), ('\\', "QUIT", 6)] {
            let mut terminal = Terminal::shell();
            terminal.types("ulimit -c 0");
            terminal.types(&format!("{way} sh -c '{}'", until(signal, status)));
            terminal.expect("it waits");
            terminal.control(key);
            terminal.expect(&format!("[{status}]ready> "));
            terminal.types("jobs; echo status $?");
            assert_eq!(terminal.expect("status 0").trim(), "", "{way} {signal}");
        }
    }
}

/// A tool that waits for a program, which is there by now; and the program's PID. No core is dumped.
#[track_caller]
fn waiting(way: &str, program: &str) -> (Started, i32) {
    let program = format!("read -r pid rest </proc/self/stat; echo $pid ready; {program}");
    let started = Tool::shell(&format!("ulimit -c 0; exec {way} sh -c '{program}'")).start();
    let said = started.until_says("ready");
    let pid = said.split(' ').next().and_then(|pid| pid.parse().ok());
    (started, pid.expect("a PID"))
}

/// The tool dies of the signal, sent to it alone; the program only with it if that was asked for.
#[track_caller]
fn dies_alone(way: &str, signal: Signal) {
    let (started, program) = waiting(way, "exec sleep 60");
    let what = format!("{way} {signal}");
    kill(started.pid(), signal);
    eventually(&format!("{what}: the end of who waits"), || {
        (!alive(started.pid())).then_some(())
    });
    if !way.contains("--kill-child") {
        assert!(alive(program), "{what}");
        kill(program, Signal::SIGKILL);
    }
    eventually(&format!("{what}: the end of the program"), || {
        (!alive(program)).then_some(())
    });
    started.wait().dies_of(signal);
}

#[test]
fn unshare_dies_of_a_sigquit_of_its_own() {
    for way in [
        "unshare --fork",
        "unshare --fork --kill-child",
        "unshare --fork --kill-child=TERM",
    ] {
        dies_alone(way, Signal::SIGQUIT);
    }
    needs!(root());
    dies_alone("unshare -pf --kill-child", Signal::SIGQUIT);
    needs!(ours("has no --init"));
    dies_alone("unshare --init --kill-child", Signal::SIGQUIT);
    dies_alone("unshare --init=group --kill-child", Signal::SIGQUIT);
}

#[test]
fn nsenter_dies_of_a_signal_of_its_own() {
    needs!(root());
    let holder = Holder::unshare("-npf");
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
        dies_alone(&format!("nsenter -t {} -p", holder.pid()), signal);
        if !theirs() {
            for option in ["-p", "-n"] {
                let way = format!("nsenter -t {} {option} --kill-child", holder.pid());
                dies_alone(&way, signal);
            }
        }
    }
}

/// A signal that meets the end of the program, as of a terminal whose key ended it: the status is the program's.
#[test]
fn a_program_that_has_ended_ended_as_it_did() {
    needs!(ours("dies of SIGQUIT itself"), root());
    let holder = Holder::unshare("-npf");
    let nsenter = format!("nsenter -t {} -p", holder.pid());
    for (way, signal) in [
        ("unshare --fork", Signal::SIGQUIT),
        ("unshare -pf --mount-proc", Signal::SIGQUIT),
        (&nsenter, Signal::SIGINT),
        (&nsenter, Signal::SIGQUIT),
    ] {
        let place = Place::new();
        let go = place.at("go");
        let program = format!("while ! test -e {go}; do sleep 0.01; done; exit 5");
        let (started, _) = waiting(way, &program);
        let child = children(started.pid())[0];
        kill(started.pid(), Signal::SIGSTOP);
        eventually(&format!("{way}: who waits is stopped"), || {
            (state(started.pid()) == Some('T')).then_some(())
        });
        place.file("go", "");
        eventually(&format!("{way}: the end of the program"), || {
            (state(child) == Some('Z')).then_some(())
        });
        kill(started.pid(), signal);
        kill(started.pid(), Signal::SIGCONT);
        started.wait().exits(5);
    }
}

/// The program is stopped and continued by somebody else, as cpulimit(1) and debuggers do it, who will not wake a
/// parent that has stopped too.
#[track_caller]
fn goes_on_waiting(way: &str) {
    let place = Place::new();
    let go = place.at("go");
    let (started, program) = waiting(
        way,
        &format!("while ! test -e {go}; do sleep 0.01; done; exit 5"),
    );
    let goes_on = || {
        assert_ne!(state(started.pid()), Some('T'), "{way}: stopped too");
        assert!(alive(started.pid()), "{way}: has ended");
    };
    for _ in 0..30 {
        kill(program, Signal::SIGSTOP);
        eventually(&format!("{way}: the program is stopped"), || {
            goes_on();
            (state(program) == Some('T')).then_some(())
        });
        // The parent has heard of it when it sleeps again, if it wants to hear of it.
        eventually(&format!("{way}: the parent waits"), || {
            goes_on();
            (state(started.pid()) == Some('S')).then_some(())
        });
        kill(program, Signal::SIGCONT);
        eventually(&format!("{way}: the program runs"), || {
            goes_on();
            (state(program) != Some('T')).then_some(())
        });
    }
    place.file("go", "");
    eventually(&format!("{way}: the end"), || {
        assert_ne!(state(started.pid()), Some('T'), "{way}: stopped too");
        (!alive(started.pid())).then_some(())
    });
    started.wait().exits(5);
}

#[test]
fn unshare_goes_on_waiting_for_a_child_that_somebody_stops() {
    for way in [
        "unshare --fork",
        "unshare --fork --kill-child",
        "setsid unshare --fork",
    ] {
        goes_on_waiting(way);
    }
    needs!(root());
    goes_on_waiting("unshare -pf");
    needs!(ours("has no --init"));
    goes_on_waiting("unshare --fork --forward-signals");
    goes_on_waiting("unshare --init");
    goes_on_waiting("unshare --init=group");
    goes_on_waiting("setsid unshare --init --forward-signals");
}
