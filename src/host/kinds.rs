//! The kinds of namespaces that this kernel has, and those that we are not in ourselves.

use crate::model::{Kind, Kinds};
use crate::sys::Proc;

/// The kinds that this kernel has; nothing where this is no proc (proc_pid_ns(5)).
pub(crate) fn existing(proc: &Proc) -> Option<Kinds> {
    // Only where nothing is there: who asks for a kind that could not be looked at is to hear of it.
    let exists = |kind: &Kind| match proc.lstat(&format!("self/ns/{kind}")) {
        Ok(_) => true,
        Err(error) => error.raw() != libc::ENOENT,
    };
    let kinds: Kinds = Kind::ALL.into_iter().filter(exists).collect();
    // Every kernel has that one.
    kinds.has(Kind::Mnt).then_some(kinds)
}

/// Whether this kernel is known not to have this kind.
pub(crate) fn is_missing(proc: &Proc, kind: Kind) -> bool {
    existing(proc).is_some_and(|kinds| !kinds.has(kind))
}

/// The kinds in which our children will be elsewhere than we are.
pub(crate) fn unentered(proc: &Proc) -> Option<Kinds> {
    let mut differing = Kinds::NONE;
    let link = |file: &str| proc.read_link(&format!("self/ns/{file}"));
    for kind in [Kind::Pid, Kind::Time] {
        let ours = match link(kind.name()) {
            Ok(ours) => ours,
            // Not in this kernel; but without /proc nothing is known.
            Err(error) if kind == Kind::Time && error.raw() == libc::ENOENT => continue,
            Err(_) => return None,
        };
        // Of a PID namespace that has had no process yet the link cannot be read (pid_namespaces(7)).
        match link(kind.file_for_children()) {
            Ok(theirs) if theirs == ours => {}
            Err(error) if error.raw() != libc::ENOENT => return None,
            _ => differing = differing.with(kind),
        }
    }
    Some(differing)
}
