//! Files that steps open and read.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use libc::{EACCES, ENOENT, ENOTDIR, EPERM, ESRCH};

use super::trace::{gone, hidden, not_traced, other_user, zombie};
use crate::failure::common::{blocked, no_proc};
use crate::failure::{Case, Failure, because, explains, line};
use crate::host::place::{Obstacle, Place};
use crate::host::procfs::ProcAccess;
use crate::host::target::{Process, TargetFacts};
use crate::model::{Kind, Word};
use crate::sys;

/// The classic `cannot open FILE`.
#[cold]
pub(crate) fn cannot_open(path: impl AsRef<OsStr>, error: sys::Error) -> Failure {
    failed("cannot open ", path.as_ref(), error)
}

/// A file was opened, or found to be none that is read, and could not be read.
#[cold]
pub(crate) fn cannot_read(path: impl AsRef<OsStr>, error: sys::Error) -> Failure {
    failed("cannot read ", path.as_ref(), error)
}

fn failed(verb: &str, path: &OsStr, error: sys::Error) -> Failure {
    Failure::new(
        OpenFile(path.to_owned()),
        line([verb.as_ref(), path]),
        error,
    )
}

/// This file is opened.
pub(crate) struct OpenFile(pub(crate) OsString);

impl OpenFile {
    /// The process that it is of, if it is in /proc.
    fn target<'a>(&self, case: &'a Case<'_>) -> Option<&'a TargetFacts> {
        case.facts.target(Process::in_path(&self.0)?.0)
    }

    /// The kind of namespace that it is named as, which this kernel has not.
    fn missing_kind(&self, case: &Case<'_>) -> Option<Kind> {
        let kind = Process::kind_in_path(&self.0)?;
        (!case.facts.kinds()?.has(kind)).then_some(kind)
    }
}

impl OpenFile {
    /// What can be done where its path leads nowhere.
    fn instead(&self, place: &Place, case: &Case<'_>) -> String {
        let is_last = match &place.obstacle {
            Some(Obstacle::Missing(part)) => *part == self.0,
            Some(Obstacle::Closed(_)) => return "run as a user who may search it".to_owned(),
            _ => false,
        };
        let path = Path::new(&self.0);
        let directory = path.parent().unwrap_or(path);
        if let Some(name) = case.facts.meant(&self.0).filter(|_| is_last) {
            return format!(
                "did you mean {}? That is in {}",
                Word(name),
                Word(directory.as_os_str())
            );
        }
        let is_netns = NETNS.iter().any(|names| directory == Path::new(names));
        if is_netns {
            "name one that ip netns lists, or make it: ip netns add NAME".to_owned()
        } else {
            "correct the path".to_owned()
        }
    }
}

/// Where ip-netns(8) keeps names.
const NETNS: [&str; 2] = ["/run/netns", "/var/run/netns"];

explains! {
    OpenFile {
        word: "open",
        classic: "cannot open FILE",
        applets: ["nsenter", "setns"],
    }
    Rule {
        id: "open-gone",
        errors: [ENOENT, ESRCH],
        about: "There is no such process in the current PID namespace.",
        advice: "Look the PID up here: ps -e. In a container PIDs are others than outside.",
        find: |file, case| gone(file.target(case)?, true),
    },
    Rule {
        id: "open-zombie",
        errors: [ENOENT, ESRCH],
        about: "The process has ended and waits for its parent (a zombie).",
        advice: "It has no namespaces any more; take another process.",
        find: |file, case| zombie(file.target(case)?),
    },
    Rule {
        id: "open-kind",
        errors: [ENOENT],
        about: "This kernel has no namespaces of this kind.",
        advice: "The kernel must be built with the option that is named.",
        find: |file, case| {
            let kind = file.missing_kind(case)?;
            because(
                format!("this kernel has no {kind} namespaces (no such file in /proc/self/ns)"),
                format!("use a kernel with {}", kind.config_option()),
            )
        },
    },
    Rule {
        id: "open-proc",
        errors: [ENOENT, ENOTDIR],
        about: "/proc is not mounted.",
        advice: "Mount it: mount -t proc proc /proc.",
        find: |file, case| {
            let is_in_proc = Path::new(&file.0).starts_with("/proc");
            let is_missing = case.facts.proc_access()? == ProcAccess::Missing;
            (is_in_proc && is_missing && Process::in_path(&file.0).is_none()).then(no_proc)?
        },
    },
    Rule {
        id: "open-path",
        errors: [ENOENT, ENOTDIR, EACCES],
        about: "A part of the path is missing, is no directory, or may not be searched.",
        advice: "The part is named, and a name that is close to it.",
        find: |file, case| {
            let is_in_proc = Path::new(&file.0).starts_with("/proc");
            let is_missing = case.facts.proc_access() == Some(ProcAccess::Missing);
            if Process::in_path(&file.0).is_some()
                || is_in_proc && is_missing
                || file.missing_kind(case).is_some()
            {
                return None;
            }
            let place = case.facts.place(&file.0)?;
            blocked(case, place, &file.instead(place, case))
        },
    },
    Rule {
        id: "open-hidden",
        errors: [ENOENT, EACCES, EPERM],
        about: "/proc hides the process (hidepid), which is another user's.",
        advice: "Run as root.",
        find: |file, case| hidden(file.target(case)?),
    },
    Rule {
        id: "open-traced",
        errors: [EACCES, EPERM],
        about: "The caller may not look into the process: it runs as another user, or is not dumpable.",
        advice: "Run as root; or as the user of the process, and {also_user}.",
        find: |file, case| other_user(file.target(case)?, case),
    },
    Rule {
        id: "open-refused",
        errors: [EACCES, EPERM],
        about: "The caller may not look into the process, and neither its user nor the caller's says why.",
        advice: "Either it is in a user namespace that is not below the caller's, or it has capabilities that the caller lacks, or a \
                security module refuses.",
        find: |file, case| not_traced(file.target(case)?, case),
    },
}
