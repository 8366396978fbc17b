//! Whether a run in which something happened ended well.
//!
//! It did if it came to what it comes to without, or if it failed, said so, and left nothing: never a half of both.

use crate::cases::{Case, Kind};
use crate::fault::{Fault, What};
use crate::ground::Outside;
use crate::printed::{rows, shape, untold};
use crate::tracer::{Call, Ended, Traced};
use nix::errno::Errno;
use nix::sys::signal::Signal;

/// All that can be seen of a run.
pub(crate) struct Seen {
    pub(crate) traced: Traced,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) status: String,
    pub(crate) outside: Outside,
}

/// Calls whose failure changes what is seen, and not what is done: the case, the call, and why.
const ANOTHER_WAY: &[(&str, i64, &str)] = &[
    // Without pidfds each kind is entered by itself, and a dry run says so.
    ("dry_run_of_entering", libc::SYS_pidfd_open, "EPERM ENOSYS"),
    // NS_GET_PARENT fails so where a namespace is not below ours: it is the fact itself.
    ("dry_run_of_entering", libc::SYS_ioctl, "EPERM"),
    ("dry_run_of_entering", libc::SYS_fcntl, "EPERM"),
    // What the status descriptor does not take is lost, as where nobody reads it any more: the program runs.
    (
        "persistent_with_a_pid_file",
        libc::SYS_write,
        "EPERM ENOSYS ENOMEM EAGAIN",
    ),
    (
        "init_with_a_status",
        libc::SYS_write,
        "EPERM ENOSYS ENOMEM EAGAIN",
    ),
    ("status", libc::SYS_write, "EPERM ENOSYS ENOMEM EAGAIN"),
    (
        "enter_with_reports",
        libc::SYS_write,
        "EPERM ENOSYS ENOMEM EAGAIN",
    ),
    ("dry_run_of_entering", libc::SYS_setns, "ENOSYS"),
    // The new sysfs then lies on the old one, as where that may not be taken away.
    (
        "ref_netns_with_its_files",
        libc::SYS_umount2,
        "EPERM ENOSYS ENOMEM",
    ),
];

fn is_another_way(case: &Case, fault: &Fault, right: &Seen, seen: &Seen) -> bool {
    let What::Fails(errno) = fault.what else {
        return false;
    };
    let hit = seen.traced.hit.as_ref().map(|call| call.number);
    // Of what is written only what is for the status descriptor; standard output and error are no such.
    let is_standard = |call: &Call| call.number == libc::SYS_write && call.arguments[0] < 3;
    if seen.traced.hit.as_ref().is_some_and(is_standard) {
        return false;
    }
    // What the report lacks changes nothing else.
    let is_for_report = matches!(hit, Some(libc::SYS_write | libc::SYS_newfstatat));
    let is_done = seen.traced.ended == right.traced.ended
        && seen.out == right.out
        && seen.outside == right.outside;
    if is_for_report && !is_done {
        return false;
    }
    // A kind that cannot be looked at is null in it.
    if hit == Some(libc::SYS_newfstatat) && seen.status.contains(":null") {
        let (right, seen) = (&right.status, &seen.status);
        let differing = right.split(',').zip(seen.split(','));
        let mut differing = differing.filter(|(right, seen)| right != seen);
        return differing.all(|(_, seen)| seen.trim_end_matches('}').contains(":null"));
    }
    ANOTHER_WAY.iter().any(|(name, call, errors)| {
        *name == case.name && Some(*call) == hit && errors.contains(&format!("{errno:?}"))
    })
}

/// What is wrong with it; nothing if all is well. `before`: what was outside before it; `right`: the run without a fault;
/// `whole`: what is outside when the program runs.
pub(crate) fn wrong(
    case: &Case,
    fault: &Fault,
    before: &Outside,
    whole: &Outside,
    right: &Seen,
    seen: &Seen,
) -> Option<String> {
    let traced = &seen.traced;
    if traced.ended == Ended::Hung {
        return Some(format!("it hangs: {:?}", traced.left));
    }
    if !traced.left.is_empty() {
        return Some(format!("processes stay: {:?}", traced.left));
    }
    if !traced.stray_signals.is_empty() {
        return Some(format!("signals: {:?}", traced.stray_signals));
    }
    if is_another_way(case, fault, right, seen) {
        return None;
    }
    match (fault.what, case.kind) {
        (What::Fails(_), Kind::Runs | Kind::Fails) => failed(before, right, seen),
        (What::Fails(errno), Kind::Prints) => failed_to_print(case, errno, before, right, seen),
        (What::Gets(Signal::SIGSTOP), _) => stopped(case, right, seen),
        (What::Gets(signal), _) => signalled(signal, fault, case, before, whole, right, seen),
        (What::IsHeld, _) => (!is_right(right, seen)).then(|| "it is not as without it".to_owned()),
    }
}

/// Whether it is as without a fault.
fn is_right(right: &Seen, seen: &Seen) -> bool {
    seen.traced.ended == right.traced.ended
        && seen.out == right.out
        && seen.status == right.status
        && seen.outside == right.outside
}

/// Whether it says in a line of its own that it failed.
fn tells(text: &str) -> bool {
    let names = ["unshare: ", "nsenter: ", "setns: ", "nskit: "];
    text.lines().any(|line| {
        names
            .iter()
            .any(|name| line.len() > name.len() && line.starts_with(name))
    })
}

fn failed(before: &Outside, right: &Seen, seen: &Seen) -> Option<String> {
    if is_right(right, seen) {
        return None;
    }
    match seen.traced.ended {
        Ended::Killed(signal) => return Some(format!("it dies of {signal}")),
        Ended::Exited(0) => return Some("a failure's status is 0".to_owned()),
        Ended::Exited(_) | Ended::Hung => {}
    }
    // The line itself may be what could not be written.
    let is_line = seen
        .traced
        .hit
        .as_ref()
        .is_some_and(|call| call.number == libc::SYS_write && call.arguments[0] == 2);
    if !tells(&seen.err) && !is_line {
        return Some("no line says that it failed".to_owned());
    }
    half(before, right, seen)
}

/// What is half of a run: neither nothing of it nor all.
fn half(before: &Outside, right: &Seen, seen: &Seen) -> Option<String> {
    // What failed when the program had been started is told, and it is ended where that can be; it may have come to
    // its end, or be killed while it writes.
    if seen.traced.started && right.out.starts_with(&seen.out) {
        let is_known = seen.outside == right.outside || seen.outside == *before;
        return (!is_known).then(|| "half of it stays outside".to_owned());
    }
    if !seen.out.is_empty() {
        return Some("the program ran elsewhere".to_owned());
    }
    (seen.outside != *before).then(|| "something stays outside".to_owned())
}

/// What is printed may tell of the failure; then it is whole, and otherwise it does not begin.
fn failed_to_print(
    case: &Case,
    errno: Errno,
    before: &Outside,
    right: &Seen,
    seen: &Seen,
) -> Option<String> {
    let is_same = shape(&seen.out) == shape(&right.out) && seen.traced.ended == right.traced.ended;
    if is_same && seen.outside == right.outside {
        return None;
    }
    if let Ended::Killed(signal) = seen.traced.ended {
        return Some(format!("it dies of {signal}"));
    }
    let is_line = seen
        .traced
        .hit
        .as_ref()
        .is_some_and(|call| call.number == libc::SYS_write && call.arguments[0] == 2);
    // Each link is whole, and those that were made before stay (nskit(1)).
    let is_install = case.name == "install";
    if seen.outside != *before && seen.outside != right.outside && !is_install {
        return Some("half of it is done".to_owned());
    }
    if tells(&seen.err) || is_line {
        return (seen.traced.ended == Ended::Exited(0))
            .then(|| "a failure's status is 0".to_owned());
    }
    // A cell that may not be read is empty, as of a process that is not ours to look at; each row is there. One for which
    // there was no room is told.
    let is_ours = matches!(errno, Errno::ENOMEM | Errno::EMFILE);
    if case.name.starts_with("show") && !is_ours && rows(&seen.out) == rows(&right.out) {
        return None;
    }
    untold(case, right, seen).map(|part| format!("another answer, without an error: {part}"))
}

/// A process that was stopped for a while makes no difference.
fn stopped(case: &Case, right: &Seen, seen: &Seen) -> Option<String> {
    let is_same = match case.kind {
        // What it sees of itself may have changed meanwhile.
        Kind::Prints => seen.traced.ended == right.traced.ended && seen.outside == right.outside,
        _ => is_right(right, seen),
    };
    (!is_same).then(|| "it is not as without the stop".to_owned())
}

fn signalled(
    signal: Signal,
    fault: &Fault,
    case: &Case,
    before: &Outside,
    whole: &Outside,
    right: &Seen,
    seen: &Seen,
) -> Option<String> {
    if is_right(right, seen) {
        return None;
    }
    let ended = seen.traced.ended;
    if ended == Ended::Exited(0) && right.traced.ended != Ended::Exited(0) {
        return Some("a failure's status is 0".to_owned());
    }
    if fault.process == "0" {
        if ended != Ended::Killed(signal) && ended != right.traced.ended {
            return Some(format!("it ends with {ended:?}"));
        }
    } else if case.kind == Kind::Prints && ended != Ended::Killed(signal) {
        let untold = || untold(case, right, seen);
        return (!tells(&seen.err)).then(untold).flatten();
    } else if ended != Ended::Killed(signal) && ended != right.traced.ended && !tells(&seen.err) {
        return Some("no line says that it failed".to_owned());
    }
    if case.kind == Kind::Prints {
        return None;
    }
    // Killed while the program starts: it may not have come to its output. What a killed helper leaves is in unshare(1).
    let is_helper = signal == Signal::SIGKILL && is_helper(fault, right);
    let is_whole = seen.outside == *before || seen.outside == *whole;
    if !is_whole && !is_helper {
        return Some("something stays outside".to_owned());
    }
    // With PID 1 of --init a program ends that has just begun, whatever it has written by then; all is undone.
    let ends_with_init = case.line.contains("--init") && fault.process != "0";
    let is_undone = seen.outside == *before && right.outside != *before;
    if is_undone && !seen.out.is_empty() && !ends_with_init {
        return Some("the program ran without what stays outside".to_owned());
    }
    if !right.out.starts_with(&seen.out) {
        return Some("the program ran elsewhere".to_owned());
    }
    None
}

/// Whether the process is the child that stays outside: it is the one that mounts there, and writes maps and PID files.
fn is_helper(fault: &Fault, right: &Seen) -> bool {
    let calls = right
        .traced
        .calls
        .iter()
        .filter(|call| call.process == fault.process);
    // A program is not executed by it, or only by its own children.
    !calls.clone().any(|call| call.number == libc::SYS_execve)
        && calls.clone().any(|call| {
            matches!(
                call.number,
                libc::SYS_recvmsg | libc::SYS_recvfrom | libc::SYS_read
            )
        })
        && fault.process != "0"
}
