//! The helper outside that `unshare` starts for files and maps: each order is answered, whatever fails, and it is in
//! nobody's way.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::*;

/// A place with a file to bind on, and a PID file of before.
struct Outside {
    // In this order: mounts go before the directory that they are in.
    _mounted: Mounted,
    place: Place,
}

impl Outside {
    fn new() -> Self {
        let place = Place::new();
        place.file("pid", "before");
        let _mounted = Mounted::on(place.file("uts", ""));
        Self { _mounted, place }
    }

    fn is_bound(&self) -> bool {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc");
        mounts.contains(&format!(" {} ", self.place.at("uts")))
    }

    fn pid(&self) -> String {
        std::fs::read_to_string(self.place.at("pid")).expect("the file is always there")
    }

    /// The names in it.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.place.path())
            .expect("a directory")
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// Runs the words under strace(1), which injects this; gives the run, and whether the program was executed.
fn injected(outside: &Outside, inject: &str, words: &str, program: &str) -> (Ran, Option<bool>) {
    let place = Place::new();
    let trace = place.at("trace");
    let call = inject.split(':').next().expect("a call");
    let ran = Tool::program("strace")
        .args(["-f", "-qq", "-o", &trace])
        .args(["-e", &format!("trace=execve,socketpair,{call}")])
        .args(["-e", &format!("inject={inject}")])
        .arg("unshare")
        .line(words)
        .arg(program)
        .dir(outside.place.path())
        .run();
    let text = std::fs::read_to_string(trace).expect("strace writes its file");
    let begun = text.contains("socketpair(");
    // A call that is shown in two parts has its result in the second.
    let executed =
        |line: &str| line.contains("execve(\"/bin/true\"") || line.contains("<... execve resumed>");
    let started = text
        .lines()
        .any(|line| executed(line) && line.ends_with(" = 0"));
    (ran, begun.then_some(started))
}

#[test]
fn an_error_anywhere_is_a_failure_or_harmless() {
    needs!(root(), command("strace"), ours("goes on without the bind"));
    for call in [
        "read",
        "sendto",
        "mount",
        "prctl",
        "write",
        "rt_sigprocmask",
    ] {
        for words in [
            "--uts=uts",
            "--uts=uts -f",
            "--uts=uts --pidfile=pid",
            "--pidfile=pid -f",
        ] {
            // As many as there are before the program, of each process; the first are those of the loader.
            for when in 1..10 {
                let outside = Outside::new();
                let inject = format!("{call}:error=EAGAIN:when={when}");
                let (ran, started) = injected(&outside, &inject, words, "/bin/true");
                let case = format!("{inject} {ran}");
                let there = (outside.is_bound(), outside.pid() != "before");
                match started {
                    Some(true) => {
                        let asked = ["--uts=uts", "--pidfile"].map(|word| words.contains(word));
                        assert_eq!(there, asked.into(), "{case}");
                    }
                    Some(false) => {
                        assert_eq!(there, (false, false), "{case}");
                        assert_eq!(outside.names(), ["pid", "uts"], "{case}");
                        // What says so is a write itself.
                        let said = ran.exits(1).stderr.starts_with(b"unshare: ");
                        assert!(said || call == "write", "{case}");
                    }
                    None => assert_eq!(there, (false, false), "{case}"),
                }
            }
        }
    }
}

#[test]
fn an_error_anywhere_leaves_nothing_of_what_did_not_start() {
    needs!(root(), command("strace"), ours("leaves the bind behind"));
    for call in ["read", "sendto"] {
        for words in ["--uts=uts --pidfile=pid", "--uts=uts --pidfile=pid -f"] {
            for when in 1..15 {
                let outside = Outside::new();
                let inject = format!("{call}:error=EAGAIN:when={when}");
                let (ran, started) = injected(&outside, &inject, words, "/nosuchprogram");
                let there = (outside.is_bound(), outside.pid() != "before");
                assert!(started != Some(true), "{inject} {ran}");
                assert_eq!(there, (false, false), "{inject} {ran}");
                assert_eq!(outside.names(), ["pid", "uts"], "{inject} {ran}");
                assert!(!ran.succeeded(), "{inject} {ran}");
            }
        }
    }
}

/// `unshare` with these words, whose child has stopped before it executes the program; and its helper.
fn held_with_helper(outside: &Outside, words: &str) -> (Held, i32) {
    let words = format!("unshare -f -w / {words}");
    let held = Held::after("chdir", outside.place.path(), words.split(' '));
    let parent = children(held.strace())[0];
    let helper = children(parent)
        .into_iter()
        .find(|child| *child != held.pid())
        .expect("a helper");
    (held, helper)
}

#[test]
fn a_helper_that_was_killed() {
    needs!(root(), command("strace"), ours("goes on without the bind"));
    for words in ["--uts=uts", "--pidfile=pid"] {
        let outside = Outside::new();
        let (held, helper) = held_with_helper(&outside, &format!("{words} echo it ran"));
        kill(helper, Signal::SIGKILL);
        eventually("it is dead", || (!alive(helper)).then_some(()));
        let ran = held.go().exits(1).out("");
        assert!(
            ran.stderr
                .starts_with(b"unshare: the helper outside is gone: Broken pipe\n"),
            "{ran}"
        );
        assert_eq!(outside.pid(), "before");
    }
}

/// What CAVEATS in unshare(1) says that SIGKILL leaves, and nothing else.
#[test]
fn what_is_left_by_who_was_killed() {
    needs!(root(), command("strace"), ours("lacks --pidfile"));
    for (kills_parent, kills_helper) in [(true, false), (false, true), (true, true)] {
        let outside = Outside::new();
        let (held, helper) = held_with_helper(&outside, "--uts=uts --pidfile=pid true");
        let (parent, child) = (children(held.strace())[0], held.pid());
        if kills_helper {
            kill(helper, Signal::SIGKILL);
            eventually("the helper is dead", || (!alive(helper)).then_some(()));
        }
        if kills_parent {
            kill(parent, Signal::SIGKILL);
        } else {
            kill(child, Signal::SIGCONT);
        }
        // The child too, which was stopped.
        eventually("all are dead", || {
            let all = [parent, child, helper];
            all.iter().all(|pid| !alive(*pid)).then_some(())
        });
        let case = format!("parent: {kills_parent}, helper: {kills_helper}");
        assert_eq!(outside.is_bound(), kills_helper, "{case}");
        assert_eq!(outside.pid(), "before", "{case}");
        assert_eq!(outside.names(), ["pid", "uts"], "{case}");
    }
}

/// Runs words without --fork under strace(1). Both stop when they have said something: the caller, that the program
/// is about to start, and the helper, when it has said that all is ready. Gives strace and the helper.
fn stopped_with_helper(place: &Place, words: impl FnOnce(Tool) -> Tool) -> (Started, i32) {
    let trace = place.path().join(".trace").display().to_string();
    let strace = Tool::program("strace")
        .args(["-f", "-qq", "-o", &trace, "-e", "trace=sendto"])
        .args(["-e", "inject=sendto:signal=STOP:when=1"]);
    let started = words(strace).dir(place.path()).start();
    let stopped = eventually("both have stopped", || {
        let text = std::fs::read_to_string(&trace).ok()?;
        let pids: Vec<i32> = text
            .lines()
            .filter(|line| line.ends_with("--- stopped by SIGSTOP ---"))
            .filter_map(|line| line.split_once(' ')?.0.parse().ok())
            .collect();
        (pids.len() == 2).then_some(pids)
    });
    let caller = children(started.pid())[0];
    let helper = stopped.into_iter().find(|pid| *pid != caller);
    (started, helper.expect("a helper"))
}

#[test]
fn what_is_left_by_a_helper_that_was_killed_when_it_had_written_the_pid() {
    needs!(root(), command("strace"), ours("lacks --pidfile"));
    let outside = Outside::new();
    let tool = |strace: Tool| strace.line("unshare --pidfile=pid /bin/sleep 60");
    let (started, helper) = stopped_with_helper(&outside.place, tool);
    let caller = children(started.pid())[0];
    kill(helper, Signal::SIGKILL);
    kill(caller, Signal::SIGCONT);
    eventually("the program runs", || {
        (name_of(caller) == "sleep").then_some(())
    });
    assert_eq!(outside.pid(), format!("{caller}\n"));
    let left = format!(".nskit-pid.{caller}.0");
    assert_eq!(outside.names(), [left.as_str(), ".trace", "pid", "uts"]);
    let kept = std::fs::read_to_string(outside.place.at(&left)).expect("what was there before");
    assert_eq!(kept, "before");
    kill(caller, Signal::SIGKILL);
    started.wait().dies_of(Signal::SIGKILL);
}

#[test]
fn no_signal_ends_the_helper_before_it_has_undone_its_work() {
    needs!(root(), command("strace"), ours("leaves the bind behind"));
    for (program, code) in [("true", 0), ("nosuchprogram", 127)] {
        let outside = Outside::new();
        let (held, helper) = held_with_helper(&outside, &format!("--uts=uts {program}"));
        for signal in Signal::iterator() {
            if ![Signal::SIGKILL, Signal::SIGSTOP].contains(&signal) {
                kill(helper, signal);
            }
        }
        held.go().exits(code);
        assert_eq!(outside.is_bound(), code == 0, "{program}");
    }
}

#[test]
fn the_program_has_no_child_that_it_did_not_make() {
    needs!(root(), ours("leaves it a child"));
    for words in ["--uts=uts", "--pidfile=pid", "--uts=uts --pidfile=pid"] {
        let outside = Outside::new();
        let started = Tool::unshare()
            .line(words)
            .line("sleep 60")
            .dir(outside.place.path())
            .start();
        eventually("the program runs", || {
            (name_of(started.pid()) == "sleep").then_some(())
        });
        // It never waits, so a child that has ended would still be there.
        assert_eq!(children(started.pid()), Vec::<i32>::new(), "{words}");
        kill(started.pid(), Signal::SIGKILL);
        started.wait().dies_of(Signal::SIGKILL);
    }
}

/// Where the descriptors of a process lead.
fn descriptors(pid: i32) -> Vec<String> {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("a process")
        .map(|entry| std::fs::read_link(entry.expect("an entry").path()).expect("a link"))
        .map(|link| link.display().to_string())
        .collect()
}

/// What a process was given to hold open: what it opened itself is closed when it executes a program.
fn given(pid: i32) -> Vec<String> {
    let is_given = |number: &String| {
        let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}"));
        let flags = info
            .expect("it is open")
            .lines()
            .find_map(|line| i32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok())
            .expect("it has flags");
        flags & nix::libc::O_CLOEXEC == 0
    };
    let numbers = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
    numbers
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("a number")
        })
        .filter(is_given)
        .map(|number| {
            let link = std::fs::read_link(format!("/proc/{pid}/fd/{number}"));
            link.expect("it is open").display().to_string()
        })
        .collect()
}

#[test]
fn what_the_helper_holds_open() {
    needs!(root(), command("strace"), ours("holds what it had"));
    let outside = Outside::new();
    let mnt = outside.place.file("mnt", "");
    let _mounted = Mounted::on(&mnt);
    let dir = outside.place.path().display().to_string();
    for (words, expected) in [
        ("--pidfile=pid", vec![dir.clone()]),
        (
            "--pidfile=pid --uts=uts --mount=mnt",
            // Its own directory in /proc, and that of its caller.
            vec![
                "/proc/".to_owned(),
                "/proc/".to_owned(),
                dir.clone(),
                format!("{dir}/mnt"),
                format!("{dir}/uts"),
            ],
        ),
    ] {
        let script = format!("exec unshare -f -w / --status-fd=5 {words} true 5>status");
        let words = ["sh", "-c", &script];
        let held = Held::after("chdir", outside.place.path(), words);
        let parent = children(held.strace())[0];
        let helper = children(parent)
            .into_iter()
            .find(|child| *child != held.pid())
            .expect("a helper");
        let mut open: Vec<_> = descriptors(helper)
            .into_iter()
            .filter(|link| !link.starts_with("socket:"))
            .map(|link| match link.strip_prefix("/proc/") {
                Some(number) if number.parse::<i32>().is_ok() => "/proc/".to_owned(),
                _ => link,
            })
            .collect();
        open.sort();
        let mut all: Vec<_> = given(parent).into_iter().chain(expected).collect();
        all.sort();
        assert_eq!(open, all, "{words:?}");
        let sockets = descriptors(helper)
            .iter()
            .filter(|link| link.starts_with("socket:"))
            .count();
        assert_eq!(sockets, 1);
        held.go().exits(0);
    }
}

#[test]
fn the_helper_shows_nobody_the_environment_that_was_cleared() {
    needs!(root(), command("strace"), ours("lacks --pidfile"));
    let place = Place::new().owned_by_ordinary();
    let (started, helper) = stopped_with_helper(&place, |strace| {
        strace
            .line("unshare --clear-env --pidfile=pid /bin/sleep 60")
            .env("SECRET", "s3cret")
            .by_ordinary()
    });
    let caller = children(started.pid())[0];
    kill(caller, Signal::SIGCONT);
    eventually("the program runs", || {
        (name_of(caller) == "sleep").then_some(())
    });
    Tool::program("cat")
        .arg(format!("/proc/{helper}/environ"))
        .by_ordinary()
        .run()
        .exits(1)
        .out("")
        .err_has("Permission denied");
    kill(helper, Signal::SIGCONT);
    kill(caller, Signal::SIGKILL);
    started.wait();
    assert!(Path::new(&place.at("pid")).exists());
}
