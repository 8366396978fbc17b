//! One setns(2): on a pidfd, which takes all kinds or none, or on the file of one namespace.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};

use super::causes::Setns;
use crate::failure::{Failure, Result};
use crate::host::kinds::{existing, is_missing};
use crate::host::namespace::{identity, own};
use crate::model::{Kind, Kinds};
use crate::steps::ahead::Entering;
use crate::steps::target::Target;
use crate::sys::{self, Proc, Sealed};

/// A namespace of a known kind, open. Made by opening, used up by entering.
#[derive(Debug)]
pub(crate) struct NsFd {
    /// Its kind, as it was asked for.
    pub(crate) kind: Kind,
    /// Its nsfs file.
    pub(crate) fd: OwnedFd,
}

/// What is to be entered, all of it open.
#[derive(Debug)]
pub(crate) enum ToEnter {
    /// Namespaces of a process, by its pidfd.
    Process {
        /// The process.
        target: Target,
        /// The kinds.
        kinds: Kinds,
        /// How much leave there is to leave some out.
        leave: Leave,
    },
    /// One namespace.
    File(NsFd),
}

impl ToEnter {
    /// As causes need to know it.
    pub(crate) fn seen(&self) -> Entering {
        match self {
            ToEnter::Process {
                target,
                kinds,
                leave,
            } => Entering {
                kinds: in_this_kernel(*kinds, *leave),
                pid: Some(target.pid()),
                file: None,
                leaves_ours: *leave == Leave::OursOfAll,
            },
            ToEnter::File(file) => Entering {
                kinds: Kinds::NONE.with(file.kind),
                pid: None,
                file: file.fd.try_clone().ok(),
                leaves_ours: false,
            },
        }
    }
}

/// Which of a process's namespaces need not be entered, when they cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Those that are ours already; not a mount namespace, whose entering resets root and directory.
    OursByName,
    /// Those that are ours already, and kinds that this kernel does not have.
    OursOfAll,
}

/// What is told of each setns(2): the descriptor's meaning, and its outcome.
pub(crate) type Tell<'a> = &'a mut dyn FnMut(fmt::Arguments<'_>, &sys::Result<()>);

pub(super) fn enter_file(
    sealed: &Sealed,
    file: &NsFd,
    pid: Option<i32>,
    tell: Tell<'_>,
) -> Result<Kinds> {
    let result = sealed.setns(file.fd.as_fd(), file.kind.flag());
    tell(format_args!("{}", file.kind), &result);
    let kinds = Kinds::NONE.with(file.kind);
    result
        .map(|()| kinds)
        .map_err(|error| refused_file(kinds, pid, Some(&file.fd), error))
}

/// The classic line for namespaces of a process that could not be entered.
pub(super) fn refused(kinds: Kinds, pid: Option<i32>, error: sys::Error) -> Failure {
    refused_file(kinds, pid, None, error)
}

/// The classic line for namespaces that could not be entered, or one by its file.
pub(super) fn refused_file(
    kinds: Kinds,
    pid: Option<i32>,
    file: Option<&OwnedFd>,
    error: sys::Error,
) -> Failure {
    let mut each = kinds.iter();
    let line = match (each.next(), each.next()) {
        (Some(kind), None) => format!("reassociate to namespace 'ns/{kind}' failed"),
        _ => "reassociate to namespaces failed".to_owned(),
    };
    let file = file.and_then(|fd| fd.try_clone().ok());
    Failure::new(Setns::Into { kinds, pid, file }, line, error)
}

/// The answers of a setns(2) that does not take pidfds (before Linux 5.8), or does not take this one: our own user
/// namespace is among the kinds, or one that this kernel does not have.
pub(super) fn is_misunderstood(error: sys::Error) -> bool {
    matches!(error.raw(), libc::EINVAL | libc::EBADF | libc::ENOSYS)
}

/// One setns(2) on the pidfd; the error, if it was refused.
pub(super) fn attempt(
    sealed: &Sealed,
    target: &Target,
    kinds: Kinds,
    tell: Tell<'_>,
) -> Option<sys::Error> {
    let result = match target.pidfd() {
        Some(pidfd) => sealed.setns(pidfd, kinds.flags()),
        None => Err(sys::Error::from_raw(libc::ENOSYS)),
    };
    tell(format_args!("{kinds} of process {}", target.pid()), &result);
    result.err()
}

/// The kinds of a target to ask for once the kernel has refused all of them.
pub(super) fn possible(target: &mut Target, kinds: Kinds, leave: Leave) -> Result<Kinds> {
    if leave == Leave::OursByName {
        return Ok(kinds);
    }
    let kinds = in_this_kernel(kinds, leave);
    Ok(if kinds.has(Kind::User) && is_ours(target, Kind::User)? {
        kinds.without(Kind::User)
    } else {
        kinds
    })
}

/// Without the kinds that this kernel does not have, where those may be left out.
fn in_this_kernel(kinds: Kinds, leave: Leave) -> Kinds {
    // Our own files say it: a target's are missing also when it has ended.
    match existing(&Proc::default()) {
        Some(existing) if leave == Leave::OursOfAll => {
            kinds.iter().filter(|kind| existing.has(*kind)).collect()
        }
        _ => kinds,
    }
}

/// Whether we are in the target's namespace of this kind already.
pub(crate) fn is_ours(target: &mut Target, kind: Kind) -> Result<bool> {
    if let (Kind::User, Some(known)) = (kind, target.shares_user) {
        return Ok(known);
    }
    // Our own pidfd tells as much as /proc, at a fifth of its time.
    let own = sys::own_namespace(kind.flag())
        .and_then(|own| identity(own.as_fd()))
        .ok()
        .or_else(|| own(&Proc::default(), kind));
    let ours = Some(target.namespace_identity(kind)?) == own;
    if kind == Kind::User {
        target.shares_user = Some(ours);
    }
    Ok(ours)
}

/// Whether this kind of a target need not be entered where it is ours already.
pub(super) fn may_be_left(kind: Kind, leave: Leave) -> bool {
    kind != Kind::Mnt || leave == Leave::OursOfAll
}

/// The kinds in which the target differs from us, and what must be entered all the same.
pub(crate) fn different(target: &mut Target, kinds: Kinds, leave: Leave) -> Result<Kinds> {
    let mut needed = Kinds::NONE;
    for kind in kinds.iter() {
        if may_be_left(kind, leave) {
            match is_ours(target, kind) {
                Ok(false) => {}
                Ok(true) => continue,
                Err(_) if leave == Leave::OursOfAll && is_missing(&Proc::default(), kind) => {
                    continue;
                }
                Err(failure) => return Err(failure),
            }
        }
        needed = needed.with(kind);
    }
    target.check_alive()?;
    Ok(needed)
}
