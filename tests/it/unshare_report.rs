//! What `unshare` tells others: the status descriptor and the PID file.

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::*;

fn status_fd() -> Need {
    ours("lacks --status-fd")
}

/// The reports on descriptor 3, each a line of JSON, and the run; what else came is an error.
#[track_caller]
fn reports(tool: Tool) -> (Vec<Value>, Vec<String>, i32) {
    let place = Place::new();
    let file = place.at("status");
    let command = tool.into_command();
    let mut shell = Tool::shell("file=$1; shift; exec \"$@\" 3>$file")
        .args(["sh", &file])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        if let (Some(name), Some(value)) = (name.to_str(), value) {
            shell = shell.env(name, value);
        }
    }
    let ran = shell.run();
    let code = match ran.ended {
        Ended::Exited(code) => code,
        Ended::Killed { signal, .. } => 1000 + signal,
    };
    let text = std::fs::read_to_string(&file).expect("a file");
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let parse =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|why| panic!("{line:?}: {why}"));
    (text.lines().map(parse).collect(), ran.lines(), code)
}

/// The number in a link of /proc/PID/ns.
fn number(link: &str) -> u64 {
    link.split(['[', ']'])
        .nth(1)
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{link}"))
}

#[test]
fn reports_of_a_program() {
    needs!(status_fd(), root());
    let say = format!("read -r pid rest </proc/self/stat; echo $pid; {INSIDE}; exit 5");
    for (words, waits) in [
        ("-u", false),
        ("-mn", false),
        ("-f", true),
        ("-muinpCTf", true),
        ("-Urpf", true),
        ("--init", true),
        ("-rT --init", true),
    ] {
        let tool = Tool::unshare().line(words).arg("--status-fd=3").sh(&say);
        let (reports, said, code) = reports(tool);
        assert_eq!(code, 5, "{words}: {said:?}");
        let ready = &reports[0];
        let (pid, links) = said.split_first().expect("a PID");
        assert_eq!(ready["child-pid"].to_string(), *pid, "{words}");
        let inside = Links::said(&links.join("\n"));
        let namespaces = ready["namespaces"].as_object().expect("an object");
        assert_eq!(namespaces.len(), KINDS.len(), "{words}");
        for kind in KINDS {
            assert_eq!(
                namespaces[kind].as_u64(),
                Some(number(inside.get(kind))),
                "{words}: {kind}"
            );
        }
        if waits {
            assert_eq!(reports[1].to_string(), r#"{"exit-code":5}"#, "{words}");
        }
        assert_eq!(reports.len(), if waits { 2 } else { 1 }, "{words}");
    }
}

#[test]
fn reports_of_a_death() {
    needs!(status_fd(), root());
    for words in ["-f", "-pf", "--init", "-f --kill-child"] {
        // The kernel keeps PID 1 from killing itself.
        let script = if words == "-pf" {
            "exit 9"
        } else {
            "kill -USR1 $$"
        };
        let tool = Tool::unshare().line(words).arg("--status-fd=3").sh(script);
        let (reports, _, code) = reports(tool);
        let expected = match words {
            "-pf" => (r#"{"exit-code":9}"#, 9),
            _ => (r#"{"signal":10}"#, 1010),
        };
        assert_eq!((&*reports[1].to_string(), code), expected, "{words}");
    }
}

#[test]
fn reports_of_failures() {
    needs!(status_fd(), root(), user_namespaces());
    for (words, step, errno, message, code) in [
        (
            "nosuchprogram",
            "exec",
            Some("ENOENT"),
            "failed to execute nosuchprogram: No such file or directory",
            127,
        ),
        (
            "-f /proc",
            "exec",
            Some("EACCES"),
            "failed to execute /proc: Permission denied",
            126,
        ),
        (
            "--init nosuchprogram",
            "exec",
            Some("ENOENT"),
            "failed to execute nosuchprogram: No such file or directory",
            127,
        ),
        (
            "-f -w /nonexistent true",
            "directory",
            Some("ENOENT"),
            "cannot change directory to /nonexistent: No such file or directory",
            1,
        ),
        (
            "--init -R /nonexistent true",
            "root",
            Some("ENOENT"),
            "cannot change root directory to '/nonexistent': No such file or directory",
            1,
        ),
        (
            "-U -S 5 true",
            "setuid",
            Some("EINVAL"),
            "setuid() failed: Invalid argument",
            1,
        ),
        (
            "--mount-proc=/nonexistent true",
            "mount",
            Some("ENOENT"),
            "mount /nonexistent failed: No such file or directory",
            1,
        ),
        (
            "--pidfile=/nonexistent/pid true",
            "open",
            Some("ENOENT"),
            "cannot open /nonexistent/pid: No such file or directory",
            1,
        ),
        (
            "--map-users=0:0:0 true",
            "command-line",
            None,
            "--map-users: range 0:0:0 has a count of 0",
            1,
        ),
        (
            "--pivot-root true",
            "command-line",
            None,
            "--pivot-root needs --root: the directory to pivot to",
            1,
        ),
    ] {
        let tool = Tool::unshare().arg("--status-fd=3").line(words);
        let (reports, _, ended) = reports(tool);
        // Without a fork the program's process is there and set up before it can be known to fail.
        let before = usize::from(words == "nosuchprogram");
        assert_eq!(
            (reports.len(), ended),
            (before + 1, code),
            "{words}: {reports:?}"
        );
        let error = &reports[before]["error"];
        assert_eq!(error["step"], step, "{words}: {error}");
        assert_eq!(error["errno"].as_str(), errno, "{words}: {error}");
        assert_eq!(error["message"], message, "{words}: {error}");
        // Why, where that is known; what was looked at where it is not.
        assert_eq!(
            error["cause"].is_string(),
            errno.is_some(),
            "{words}: {error}"
        );
    }
}

#[test]
fn reports_of_what_a_helper_program_says() {
    needs!(status_fd(), Subordinate::there());
    let user = Subordinate::user();
    let (first, count) = user.uids;
    let words = format!(
        "--status-fd=3 --map-users=0:{first}:{} echo it ran",
        count + 1
    );
    let script = format!(
        "exec setpriv --reuid {} --regid {} --clear-groups unshare {words} 3>&1",
        user.uid, user.gid
    );
    let ran = Tool::shell(&script).run().exits(1);
    let report: Value = serde_json::from_str(&ran.text()).expect("one line of JSON");
    let error = &report["error"];
    assert_eq!(error["step"], "map");
    let message = error["message"].as_str().expect("text");
    assert!(
        message.starts_with("newuidmap failed: exit status 1: newuidmap: uid range"),
        "{message}"
    );
    assert!(
        error["cause"].is_string() && error["hint"].is_string(),
        "{error}"
    );
}

#[test]
fn a_reader_sees_reports_as_they_happen_and_their_end() {
    needs!(status_fd());
    let place = Place::new();
    let go = place.at("go");
    // What the program leaves behind does not hold the descriptor either.
    let script = format!("while ! test -e {go}; do sleep 0.01; done; exit 2");
    let mut command = Tool::unshare()
        .line("-f --status-fd=1")
        .sh(&script)
        .into_command();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("text");
    let ready: Value = serde_json::from_str(&first).expect("JSON");
    let pid = i32::try_from(ready["child-pid"].as_i64().expect("a number")).expect("a PID");
    assert!(alive(pid));
    // The descriptor was standard output: the program has none. (Its loader may be reading a library under that number.)
    let is_pipe = |link: PathBuf| link.to_string_lossy().starts_with("pipe:");
    assert!(!std::fs::read_link(format!("/proc/{pid}/fd/1")).is_ok_and(is_pipe));
    place.file("go", "");
    assert_eq!(
        lines.next().expect("a line").expect("text"),
        r#"{"exit-code":2}"#
    );
    assert!(lines.next().is_none());
    assert_eq!(child.wait().expect("it ends").code(), Some(2));
}

/// A pipe that takes nothing any more, and its reader.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let (reader, writer) =
        nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).expect("a pipe");
    while nix::unistd::write(&writer, &[b'\n'; 4096]).is_ok() {}
    while nix::unistd::write(&writer, b"\n").is_ok() {}
    for end in [&reader, &writer] {
        fcntl(end, FcntlArg::F_SETFL(OFlag::empty())).expect("flags");
    }
    (reader, writer)
}

#[test]
fn who_waits_for_a_reader_is_ended_by_signals() {
    needs!(status_fd());
    // The first two are ignored while the program runs, or passed on.
    let signals = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
    let both = ["--fork", "--fork --forward-signals"];
    for (signal, options) in signals
        .into_iter()
        .flat_map(|signal| both.map(|line| (signal, line)))
    {
        let place = Place::new();
        let ran = place.at("ran");
        let (_reader, writer) = full_pipe();
        let mut command = Tool::unshare()
            .line(&format!("{options} --status-fd=1"))
            .sh(&format!("touch {ran}"))
            .into_command();
        let mut child = command.stdout(writer).spawn().expect("it starts");
        let pid = i32::try_from(child.id()).expect("a PID");
        eventually("the program has ended", || {
            (std::path::Path::new(&ran).exists() && children(pid).is_empty()).then_some(())
        });
        // One that comes in the very instant of the end may be taken for the program's.
        let status = eventually("it is ended", || {
            kill(pid, signal);
            child.try_wait().expect("it can be waited for")
        });
        assert_eq!(status.signal(), Some(signal as i32), "{options}: {status}");
    }
}

#[test]
fn the_end_of_reports_without_a_fork() {
    needs!(status_fd());
    let mut command = Tool::unshare()
        .line("--status-fd=1 sleep 60")
        .into_command();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let text = std::io::read_to_string(child.stdout.take().expect("a pipe")).expect("text");
    // Read to its end, while the program runs.
    let pid = i32::try_from(child.id()).expect("a PID");
    assert!(alive(pid));
    kill(pid, Signal::SIGKILL);
    child.wait().expect("it ends");
    let ready: Value = serde_json::from_str(&text).expect("one line of JSON");
    assert_eq!(ready["child-pid"].as_i64(), Some(pid.into()));
}

#[test]
fn a_descriptor_that_is_not_open() {
    needs!(status_fd());
    for (value, line) in [
        (
            "77",
            "--status-fd: cannot use descriptor 77: Bad file descriptor",
        ),
        ("x", "--status-fd: 'x' is not a number from 0 to 2147483647"),
        (
            "-1",
            "--status-fd: '-1' is not a number from 0 to 2147483647",
        ),
    ] {
        Tool::unshare()
            .arg(format!("--status-fd={value}"))
            .line("echo it ran")
            .run()
            .exits(1)
            .out("")
            .err(&format!("unshare: {line}\n"));
    }
}

#[test]
fn nobody_reads_the_reports() {
    needs!(status_fd());
    // A reader that has gone is no reason to fail, nor to die of SIGPIPE.
    let mut command = Tool::unshare()
        .line("-f --status-fd=1")
        .sh("sleep 0.1; exit 4")
        .into_command();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(4));
}

fn pidfile() -> Need {
    ours("lacks --pidfile")
}

#[test]
fn the_pid_file() {
    needs!(pidfile(), root(), user_namespaces());
    for words in [
        "",
        "-f",
        "-u",
        "-pf --mount-proc",
        "-Urpf --mount-proc",
        "--init",
        "--init --mount-proc -n --loopback",
        "-m -R / -w /tmp",
        "-S 7 -G 7",
        "-S 7 -f",
        "-S 7 --init",
        "--owner 7:7",
        "--owner 7:7 -f",
        "--map-users=0:100000:10 --map-groups=0:100000:10 -S 0 -G 0",
        "--kill-child -S 7",
    ] {
        let place = Place::new();
        // The PID as the caller sees it; and as the program starts, the file is there.
        let script = format!("cat {}; echo ready; exec sleep 60", place.at("pid"));
        let started = Tool::unshare()
            .arg("--pidfile=pid")
            .line(words)
            .sh(&script)
            .dir(place.path())
            .start();
        let said = started.until_says("ready");
        let pid: i32 = said
            .lines()
            .next()
            .and_then(|pid| pid.parse().ok())
            .unwrap_or_else(|| panic!("{words}: {said}"));
        let name = eventually("sleep runs", || {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            (name == "sleep\n").then_some(name)
        });
        assert_eq!(name, "sleep\n", "{words}");
        // It stays, and nothing else is there.
        let names: Vec<_> = std::fs::read_dir(place.path())
            .expect("a directory")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(names, ["pid"], "{words}");
        let file = std::fs::metadata(place.at("pid")).expect("a file");
        assert_eq!((file.mode() & 0o777, file.uid()), (0o644, 0), "{words}");
        kill(pid, Signal::SIGKILL);
        started.wait();
    }
}

#[test]
fn the_pid_file_replaces_another_in_one_step() {
    needs!(pidfile());
    let place = Place::new();
    let path = place.file("pid", "an old one, which is longer than any number\n");
    let before = std::fs::File::open(&path).expect("our file");
    let pid = Tool::unshare()
        .args(["--pidfile", &path])
        .sh(&format!("echo $$; cat {path}"))
        .run()
        .ok()
        .lines();
    assert_eq!(pid[0], pid[1]);
    // Who had the old one open still reads that.
    let old = std::io::read_to_string(before).expect("text");
    assert!(old.starts_with("an old one"), "{old:?}");
}

#[test]
fn no_pid_file_when_the_program_does_not_start() {
    needs!(pidfile(), root());
    for fork in [
        "",
        "-f",
        "--init",
        "-f --kill-child -S 7",
        "-S 7",
        "--owner 7:7",
        "--uts=uts",
    ] {
        for (words, code) in [
            ("nosuchprogram", 127),
            ("/proc", 126),
            ("-w /nonexistent true", 1),
            ("-R /nonexistent true", 1),
            ("--mount-proc=/nonexistent true", 1),
        ] {
            let place = Place::new();
            place.file("uts", "");
            let ran = Tool::unshare()
                .arg("--pidfile=pid")
                .line(fork)
                .line(words)
                .dir(place.path())
                .run();
            assert!(!ran.succeeded(), "{ran}");
            // Another user may not find the same.
            if !fork.contains('7') {
                assert_eq!(ran.ended, Ended::Exited(code), "{ran}");
            }
            let count = std::fs::read_dir(place.path())
                .expect("a directory")
                .count();
            assert_eq!(count, 1, "only uts: {ran}");
        }
    }
}

#[test]
fn a_pid_file_that_cannot_be() {
    needs!(pidfile());
    let place = Place::new();
    for (path, why) in [
        (
            "/nonexistent/pid",
            "cannot open /nonexistent/pid: No such file or directory",
        ),
        ("/proc/self/pid", "write failed /proc/self/pid: "),
        ("dir/", "cannot open dir/: Is a directory"),
        ("", "cannot open : "),
    ] {
        for fork in ["", "-f"] {
            Tool::unshare()
                .arg(format!("--pidfile={path}"))
                .line(fork)
                .line("echo it ran")
                .dir(place.path())
                .run()
                .exits(1)
                .out("")
                .err_has(&format!("unshare: {why}"));
        }
    }
}
