//! What our own processes hold open: what they still need, and nothing else.
//!
//! The hard thing: the one inside may be root there, and take what one of ours holds that it can see. And who waits for
//! long keeps alive what it holds, for no one.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use crate::harness::*;

const NOT_THEIRS: &str = "holds other things";

/// The number for --status-fd, which the caller has open in any case.
const STATUS: &str = "9";

/// The descriptors of a process, with what they are of; numbers of processes and inodes left out.
#[track_caller]
fn held(pid: i32) -> BTreeMap<i32, String> {
    let dir = format!("/proc/{pid}/fd");
    let entries = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{dir}: {error}"));
    let link = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let what = std::fs::read_link(entry.path()).ok()?;
        let number = entry.file_name().to_str()?.parse().ok()?;
        let what = what.to_string_lossy().into_owned();
        Some((number, what))
    };
    entries.filter_map(link).collect()
}

/// What a process has open that the caller had not, by kind, sorted.
fn extra(held: &BTreeMap<i32, String>, given: &BTreeMap<i32, String>) -> Vec<String> {
    let kind = |what: &String| match what.split_once(":[") {
        Some((kind, _)) if kind != "anon_inode" => kind.to_owned(),
        _ => {
            let parts = what.split('/');
            let parts = parts.map(|part| match part.parse::<u32>() {
                Ok(_) => "PID",
                Err(_) => part,
            });
            parts.collect::<Vec<_>>().join("/")
        }
    };
    let mut extra: Vec<String> = held
        .iter()
        .filter(|(number, what)| given.get(number) != Some(what))
        .map(|(_, what)| kind(what))
        .collect();
    extra.sort();
    extra
}

const PIDFD: &str = "anon_inode:[pidfd]";
const SIGNALS: &str = "anon_inode:[signalfd]";
const SOCKET: &str = "socket";
const PIPE: &str = "pipe";

/// What each of our processes needs while the program runs.
struct Needs<'a> {
    words: String,
    /// The one that waits. It holds the caller's descriptor for reports, if there is one.
    parent: &'a [&'a str],
    /// PID 1 of --init.
    first: Option<&'a [&'a str]>,
}

fn needs<'a>(words: &str, parent: &'a [&'a str], first: Option<&'a [&'a str]>) -> Needs<'a> {
    Needs {
        words: words.to_owned(),
        parent,
        first,
    }
}

/// Starts `tool` with each of the words, and compares what our processes hold while the program runs.
#[track_caller]
fn hold_no_more(tool: &str, rows: &[Needs<'_>]) {
    let mut wrong = Vec::new();
    for row in rows {
        let place = Place::new();
        let report = place.file("report", "");
        let words = row.words.replace("{pidfile}", &place.at("pid"));
        let script = format!("exec {STATUS}>{report}; exec {tool} {words} sleep 60");
        let started = Tool::shell(&script).start();
        let what = format!("{tool} {}", row.words);
        let program = eventually(&format!("{what}: the program"), || {
            let mut below = tree(started.pid()).into_iter();
            below.find(|pid| name_of(*pid) == "sleep")
        });
        let given = held(program);
        // A helper whose work is done is about to end.
        let ours = eventually(&format!("{what}: nobody else"), || {
            let below = tree(started.pid()).into_iter();
            let ours: Vec<i32> = below.filter(|pid| *pid != program && alive(*pid)).collect();
            (ours.len() == 1 + usize::from(row.first.is_some())).then_some(ours)
        });
        let texts = |kinds: &[&str]| kinds.iter().map(|kind| kind.to_string()).collect();
        let mut expected: Vec<Vec<String>> = vec![texts(row.parent)];
        if row.words.contains("--status-fd") {
            expected[0].push(report);
        }
        expected.extend(row.first.map(texts));
        expected.iter_mut().for_each(|one| one.sort());
        // They let go of the rest when they have heard that the program runs, which it does already.
        let mut seen: Vec<Vec<String>> = Vec::new();
        for _ in 0..500 {
            seen = ours.iter().map(|pid| extra(&held(*pid), &given)).collect();
            if seen == expected {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        if seen != expected {
            wrong.push(format!("{what}: {seen:?}, not {expected:?}"));
        }
        kill(program, Signal::SIGKILL);
        eventually(&format!("{what}: the end"), || {
            (!alive(started.pid())).then_some(())
        });
        started.wait();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn of_who_waits_and_of_pid_1() {
    needs!(ours(NOT_THEIRS), root());
    let everything = "--status-fd=9 --pidfile={pidfile} --kill-child --forward-signals";
    hold_no_more(
        "unshare",
        &[
            // Where nothing is to be done when the program runs, they look at the pipe when the first signal comes.
            needs("--fork", &[SIGNALS, PIPE], None),
            // By its name it would be that of the child's PID namespace.
            needs("-pmf --mount-proc", &["/proc", SIGNALS, PIPE], None),
            // Our own, of which the child's is a copy.
            needs("--kill-child", &[PIDFD, SIGNALS, PIPE], None),
            needs("--forward-signals", &[SIGNALS, PIPE], None),
            needs("-f --status-fd=9", &[], None),
            needs("-f --pidfile={pidfile}", &[], None),
            needs(
                "-f --map-users=all --map-groups=all",
                &[SIGNALS, PIPE],
                None,
            ),
            needs("--init", &[SOCKET, SIGNALS], Some(&[SOCKET])),
            needs(
                &format!("--init -m --mount-proc {everything}"),
                &[SOCKET, SIGNALS, PIDFD],
                Some(&[SOCKET]),
            ),
        ],
    );
    let holder = Holder::unshare("-muinpCf");
    let pid = holder.pid();
    hold_no_more(
        "nsenter",
        &[
            needs(&format!("-t {pid} -p"), &[SIGNALS, PIPE], None),
            needs(&format!("-t {pid} -a"), &[SIGNALS, PIPE], None),
            needs(
                &format!("-t {pid} -a -r -w -e -S follow -G follow"),
                &[],
                None,
            ),
            needs(
                &format!("-p/proc/{pid}/ns/pid -n/proc/{pid}/ns/net"),
                &[SIGNALS, PIPE],
                None,
            ),
            needs(
                // In another root directory our own proc tells why something failed.
                &format!("-t {pid} -a -r -w --groups follow {everything}"),
                &["/proc", PIDFD],
                None,
            ),
        ],
    );
    let all = format!("-r -w -S follow --status-fd=9 --pidfile={{pidfile}} {pid}");
    hold_no_more(
        "setns",
        &[
            needs(&all, &["/proc"], None),
            needs(&format!("-f net={pid}"), &[SIGNALS, PIPE], None),
        ],
    );
}

/// What a process of a tool holds while strace(1) holds it in its first call of this kind: `found` says which process,
/// of those that are traced. Then lets all go on, until the program runs, for what the caller gave.
#[track_caller]
fn extra_in(
    tool: &str,
    words: &str,
    (call, number): (&str, nix::libc::c_long),
    found: impl Fn(i32, Vec<i32>) -> Option<i32>,
) -> Vec<String> {
    let place = Place::new();
    for file in ["report", "file", "other"] {
        place.file(file, "");
    }
    let words = ["pidfile", "file", "other"]
        .iter()
        .fold(words.to_owned(), |words, name| {
            words.replace(&format!("{{{name}}}"), &place.at(name))
        });
    let script = format!(
        "exec {STATUS}>{}; exec strace -f -o {} --inject={call}:delay_enter=300000000:when=1 {tool} {words} sleep 60",
        place.at("report"),
        place.at("trace"),
    );
    let frame = Tool::fixture().line("-m --propagation private");
    let started = frame.sh(&script).start();
    let what = format!("{tool} {words}: {call}");
    let (tool, process) = eventually(&what, || {
        let tool = children(started.pid()).first().copied()?;
        let process = found(tool, traced_by(started.pid()))?;
        let at = std::fs::read_to_string(format!("/proc/{process}/syscall")).ok()?;
        let is_in_it = at.split(' ').next() == Some(&number.to_string());
        (is_in_it && state(process) == Some('t')).then_some((tool, process))
    });
    let before = held(process);
    kill(started.pid(), Signal::SIGKILL);
    let program = eventually(&format!("{what}: the program"), || {
        tree(tool).into_iter().find(|pid| name_of(*pid) == "sleep")
    });
    let extra = extra(&before, &held(program));
    kill(program, Signal::SIGKILL);
    started.wait().dies_of(Signal::SIGKILL);
    let place = place.path().display().to_string();
    let mut extra: Vec<String> = extra
        .into_iter()
        .map(|what| what.replace(&place, ""))
        .collect();
    extra.sort();
    extra
}

/// The processes that this one traces (proc_pid_status(5)).
fn traced_by(tracer: i32) -> Vec<i32> {
    let numbers = std::fs::read_dir("/proc").expect("/proc is there");
    numbers
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/status"));
            text.is_ok_and(|text| text.contains(&format!("\nTracerPid:\t{tracer}\n")))
        })
        .collect()
}

#[test]
fn of_who_becomes_the_program() {
    needs!(ours(NOT_THEIRS), root(), command("strace"));
    let mut wrong = Vec::new();
    let holder = Holder::unshare("-muinpCf");
    let pid = holder.pid();
    // It is the one who says that the program could not be executed, and has the helper undo its work.
    for (tool, words, expected) in [
        ("unshare", "-u".to_owned(), &[][..]),
        (
            "unshare",
            "--status-fd=9 --map-users=all".to_owned(),
            &["/report"],
        ),
        ("unshare", "--pidfile={pidfile}".to_owned(), &[SOCKET]),
        (
            "unshare",
            "--uts={file} --status-fd=9".to_owned(),
            &["/report", SOCKET],
        ),
        ("nsenter", format!("-t {pid} -n -m -r -w -e -S follow"), &[]),
        (
            "setns",
            // In another root directory our own proc tells why.
            format!("-w -r --status-fd=9 uts={pid}"),
            &["/proc", "/report"],
        ),
    ] {
        let execve = ("execve", nix::libc::SYS_execve);
        let extra = extra_in(tool, &words, execve, |tool, _| Some(tool));
        if extra != expected {
            wrong.push(format!("{tool} {words}: {extra:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn of_the_child_that_becomes_the_program() {
    needs!(ours(NOT_THEIRS), root(), command("strace"));
    let mut wrong = Vec::new();
    let holder = Holder::unshare("-muinpCf");
    let pid = holder.pid();
    let all = "--status-fd=9 --pidfile={pidfile} --kill-child --forward-signals";
    // Two ends of a pipe, and the signals that the parent waits for, are in the table that a child is born with which shares
    // its memory; where somebody else could look, it has its own end alone. A socket leads to a parent that waits to hear,
    // another to the helper, which undoes what it did should the program not be executed; the pidfd is the parent's, whose
    // death is the program's.
    for (tool, words, mut expected) in [
        ("unshare", "--fork".to_owned(), vec![SIGNALS, PIPE, PIPE]),
        (
            "unshare",
            "-pf --kill-child".to_owned(),
            vec![PIDFD, SIGNALS, PIPE, PIPE],
        ),
        (
            "unshare",
            format!("-pmf --mount-proc {all}"),
            vec!["/proc", PIDFD, SOCKET, SOCKET],
        ),
        (
            "unshare",
            format!("--uts={{file}} --net={{other}} {all}"),
            vec![PIDFD, SOCKET, SOCKET],
        ),
        (
            "unshare",
            format!("--init --map-users=all --map-groups=all {all}"),
            vec![PIDFD, SOCKET],
        ),
        ("nsenter", format!("-t {pid} -p"), vec![PIPE]),
        (
            "nsenter",
            format!("-t {pid} -a -r -w -e -S follow -G follow {all}"),
            vec!["/proc", PIDFD, SOCKET, SOCKET],
        ),
        (
            "nsenter",
            format!("-t {pid} -n -r -w --groups follow {all}"),
            vec!["/proc", PIDFD, SOCKET, SOCKET],
        ),
        (
            "setns",
            format!("-r -w -S follow --status-fd=9 --pidfile={{pidfile}} {pid}"),
            vec!["/proc", SOCKET, SOCKET],
        ),
    ] {
        let execve = ("execve", nix::libc::SYS_execve);
        // The last of them is the program's process; numbers may have begun again.
        let extra = extra_in(tool, &words, execve, |tool, traced| {
            let others = traced.into_iter().filter(|pid| *pid != tool);
            others.max_by_key(|pid| (pid - tool).rem_euclid(pid_max()))
        });
        expected.sort();
        if extra != expected {
            wrong.push(format!("{tool} {words}: {extra:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn of_the_helper() {
    needs!(ours(NOT_THEIRS), root(), command("strace"));
    let mut wrong = Vec::new();
    for (words, expected) in [
        // Its own directory in /proc, and that of its caller; the file that it binds on, and the place of the PID file.
        (
            "--uts={file} --net={other}",
            &["/file", "/proc/PID", "/proc/PID", SOCKET][..],
        ),
        (
            "--uts={file} --pidfile={pidfile} --status-fd=9",
            &["", "/file", "/proc/PID", "/proc/PID", SOCKET],
        ),
        (
            "--uts={file} -f --kill-child --status-fd=9",
            &["/file", "/proc/PID", "/proc/PID", SOCKET],
        ),
    ] {
        let mount = ("mount", nix::libc::SYS_mount);
        let extra = extra_in("unshare", words, mount, |tool, traced| {
            traced.into_iter().find(|pid| *pid != tool)
        });
        if extra != expected {
            wrong.push(format!("{words}: {extra:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
