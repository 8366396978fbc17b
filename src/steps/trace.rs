//! Why a process cannot be looked into.

use crate::failure::common::{confining, module_refuses, our_label};
use crate::failure::{Case, Finding, because, perhaps};
use crate::host::capability::Capability;
use crate::host::target::TargetFacts;

/// There is no such process. `is_path`: it was looked up by a path in /proc, and not by its number in our PID namespace.
pub(crate) fn gone(target: &TargetFacts, is_path: bool) -> Option<Finding> {
    let pid = target.pid;
    if is_path && target.proc_is_there == Some(false) {
        return because(
            "no proc is mounted on /proc, or it is that of another PID namespace",
            "mount it: mount -t proc proc /proc",
        );
    }
    if target.exists? {
        return None;
    }
    if target.hidden == Some(true) {
        return because(
            format!("either there is no process {pid} here, or /proc hides it from us (hidepid)"),
            "run as root, or look the PID up with ps -e",
        );
    }
    let whose = if is_path {
        "the PID namespace of /proc"
    } else {
        "our PID namespace"
    };
    because(
        format!("there is no process {pid} in {whose}"),
        "look the PID up with ps -e; a container's own PIDs are others than those seen from here",
    )
}

/// It has ended, and its parent has not asked for that yet.
pub(crate) fn zombie(target: &TargetFacts) -> Option<Finding> {
    matches!(target.state?, b'Z' | b'X').then(|| {
        because(
            format!(
                "process {} has ended and is not waited for yet (State is Z), so it has no namespaces any more",
                target.pid
            ),
            "take another process; a namespace that must outlive its processes can be bound on a file",
        )
    })?
}

/// /proc hides it, which that does with processes that we may not look into, and with no others (proc(5), `hidepid`).
pub(crate) fn hidden(target: &TargetFacts) -> Option<Finding> {
    let pid = target.pid;
    let is_hidden = target.exists? && target.hidden? && target.uids.is_none();
    is_hidden.then(|| {
        because(
            format!(
                "process {pid} is there, but /proc hides it from us (hidepid), as it does all that we may not look \
                 into: those of other users"
            ),
            "run as root",
        )
    })?
}

/// It is another user's, or not dumpable (ptrace(2), "Ptrace access mode checking").
///
/// That proves it only in our own user namespace: in one that we own we have all capabilities, and only a security
/// module can refuse.
pub(crate) fn other_user(target: &TargetFacts, case: &Case<'_>) -> Option<Finding> {
    let finding = of_other_user(target, case)?;
    if target.has_our_map == Some(true) && confining(case.facts).is_none() {
        return Some(finding);
    }
    let module = match confining(case.facts) {
        Some(label) => format!("a security module refuses (our label is {label})"),
        None => "it is in a user namespace of our own, and a security module refuses".to_owned(),
    };
    perhaps(
        format!("either {}, or {module}", finding.cause.cause),
        finding.cause.hint,
    )
}

fn of_other_user(target: &TargetFacts, case: &Case<'_>) -> Option<Finding> {
    let pid = target.pid;
    // With it the kernel asks no further, in our own user namespace and below.
    if case.facts.has(Capability::SysPtrace)? {
        return None;
    }
    let (uid, gid) = (case.facts.uid()?, case.facts.gid()?);
    let uids = target.uids?;
    if let Some(other) = uids.iter().find(|other| **other != uid) {
        return because(
            format!(
                "process {pid} runs as user {other}, and we are user {uid} without CAP_SYS_PTRACE"
            ),
            match other {
                0 => "run as root".to_owned(),
                other => format!(
                    "run as root; or as user {other}, and {}",
                    case.applet.also_user()
                ),
            },
        );
    }
    if let Some(other) = target.gids?.iter().find(|other| **other != gid) {
        return because(
            format!(
                "process {pid} runs with group {other}, and we have group {gid}, without CAP_SYS_PTRACE"
            ),
            format!(
                "run as root; or in group {other}, and {}",
                case.applet.also_user()
            ),
        );
    }
    if target.files_of? != uid {
        return because(
            format!(
                "process {pid} is of our user {uid} but not dumpable (its files in /proc belong to user {})",
                target.files_of?
            ),
            "run as root; it was set-user-ID, has changed its user, or has set itself so with prctl(2)",
        );
    }
    None
}

/// What is left where its user says nothing.
pub(crate) fn not_traced(target: &TargetFacts, case: &Case<'_>) -> Option<Finding> {
    let pid = target.pid;
    if case.facts.has_on_machine(Capability::SysPtrace) == Some(true) {
        // Whoever it is, that capability is enough for the kernel itself.
        return module_refuses(
            case,
            &format!("us access to process {pid}"),
            "ptrace,\", and the flag attach_disconnected with \"file,",
            true,
        );
    }
    if hidden(target).is_some() || other_user(target, case).is_some() {
        return None;
    }
    let of = our_label(case.facts);
    // Without it all that a process of our own user lacks is what it holds more than we.
    let capabilities = if case.facts.has(Capability::SysPtrace)? {
        ""
    } else {
        "it has capabilities that we lack, or "
    };
    perhaps(
        format!(
            "we may not look into process {pid}: either it is in a user namespace that is neither ours nor below ours, \
             or {capabilities}a security module refuses{of}"
        ),
        "run as root outside this user namespace, or outside the container",
    )
}
