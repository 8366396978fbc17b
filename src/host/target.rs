//! The target process, and the namespaces that were to be entered.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::place::mounts;
use super::procfs::status;
use crate::host::facts::{NamespaceFacts, Pidfds, Relation, TargetFacts};
use crate::host::mountinfo::Mount;
use crate::model::number::decimal;
use crate::model::{Kind, Kinds};
use crate::sys::{self, For, Number, Proc};

/// The process, as /proc calls it, and the kind of namespace in the path of a file in /proc.
pub(crate) fn in_proc(path: &OsStr) -> Option<(i32, Option<Kind>)> {
    let path = path.as_bytes().strip_prefix(b"/proc/")?;
    let mut parts = path.splitn(2, |&byte| byte == b'/');
    let pid = i32::try_from(decimal(parts.next()?)?).ok()?;
    let kind = parts
        .next()
        .and_then(|rest| Kind::from_name(rest.strip_prefix(b"ns/")?));
    Some((pid, kind))
}

/// A process, and what /proc calls it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    /// What we call it.
    pid: i32,
    /// Its number in /proc, if it can be told.
    number: Option<i32>,
    /// Whether it is there, if that is known without /proc.
    exists: Option<bool>,
}

impl Process {
    /// The one that /proc calls so.
    pub(crate) fn called(number: i32) -> Process {
        Process {
            pid: number,
            number: Some(number),
            exists: None,
        }
    }
}

/// The process of this number in our PID namespace, which need not be that of /proc.
pub(crate) fn process(proc: &Proc, pid: i32) -> Process {
    let (number, exists) = match sys::pidfd_open(pid) {
        Ok(pidfd) => match proc.number_of(pidfd.as_fd()) {
            Ok(Some(Number::Is(number))) => (Some(number), Some(true)),
            Ok(Some(Number::Ended)) => (None, Some(false)),
            _ => (None, Some(true)),
        },
        Err(error) if error.raw() == libc::ESRCH => (None, Some(false)),
        // A thread, or a kernel without pidfds.
        Err(_) => (proc.counts_as_we_do().then_some(pid), None),
    };
    Process {
        pid,
        number,
        exists,
    }
}

/// What /proc calls the process of this number in our PID namespace.
pub(crate) fn number_in_proc(pid: i32) -> Option<i32> {
    process(&Proc::default(), pid).number
}

/// What the inode of a pidfd tells here, by one of our own.
pub(crate) fn pidfds() -> Pidfds {
    let own = sys::pidfd_open(sys::pid());
    match own.and_then(|pidfd| sys::is_on_pidfs(pidfd.as_fd())) {
        Ok(true) => Pidfds::Distinct,
        Ok(false) => Pidfds::Alike,
        Err(_) => Pidfds::Missing,
    }
}

pub(crate) fn target(proc: &Proc, process: Process, kind: Option<Kind>) -> TargetFacts {
    let file = |name: &str| Some(format!("{}{name}", process.number?));
    let status = file("/status").and_then(|path| status(proc, &path));
    let three = |ids: [u32; 4]| [ids[0], ids[1], ids[2]];
    let seen = file("").and_then(|path| match proc.stat(&path) {
        Ok(_) => Some(true),
        Err(error) if error.raw() == libc::ENOENT => Some(false),
        Err(_) => None,
    });
    let mount = mounts(proc).and_then(|mounts| {
        let proc = Mount::holding(&mounts, Path::new("/proc/self"))?;
        Some(proc.super_options.clone())
    });
    let hides = |options: &OsString| {
        let mut words = options.as_bytes().split(|&byte| byte == b',');
        words.any(|word| {
            word.strip_prefix(b"hidepid=")
                .is_some_and(|how| how != b"0" && how != b"off")
        })
    };
    TargetFacts {
        pid: process.pid,
        kind,
        proc_is_there: Some(proc.stat("self").is_ok()),
        hidden: mount.as_ref().map(hides),
        exists: process.exists.or(seen),
        state: status.as_ref().map(|status| status.state),
        uids: status.as_ref().map(|status| three(status.uids)),
        gids: status.as_ref().map(|status| three(status.gids)),
        files_of: file("/status")
            .and_then(|path| proc.stat(&path).ok())
            .map(|stat| stat.st_uid),
    }
}

/// The namespaces that could not be entered.
pub(crate) fn namespaces(
    proc: &Proc,
    kinds: Kinds,
    process: Option<Process>,
    subject: Option<&OwnedFd>,
) -> Vec<NamespaceFacts> {
    kinds
        .iter()
        .map(|kind| {
            let opened;
            let number = process.and_then(|process| process.number);
            let fd = match (subject, number) {
                (Some(fd), _) => fd,
                (None, Some(number)) => {
                    match proc.open(&format!("{number}/ns/{kind}"), For::Reading) {
                        Ok(fd) => {
                            opened = fd;
                            &opened
                        }
                        Err(error) => {
                            return NamespaceFacts {
                                closed: Some(error),
                                ..NamespaceFacts::asked(kind)
                            };
                        }
                    }
                }
                (None, None) => return NamespaceFacts::asked(kind),
            };
            examine(proc, kind, fd.as_fd())
        })
        .collect()
}

/// What can be seen of a namespace.
fn examine(proc: &Proc, asked: Kind, fd: BorrowedFd<'_>) -> NamespaceFacts {
    /// `NSFS_MAGIC` of `linux/magic.h`.
    const NSFS: u64 = 0x6e73_6673;
    let found = sys::type_of(fd).ok().and_then(Kind::from_flag);
    let owner = match found {
        Some(Kind::User) => relation(proc, fd),
        Some(_) => owner(proc, fd),
        None => None,
    };
    NamespaceFacts {
        is_namespace: sys::filesystem_magic(fd).ok().map(|magic| magic == NSFS),
        found,
        is_ours: is_own(proc, fd, asked),
        descends: (found == Some(Kind::Pid))
            .then(|| descends(proc, fd))
            .flatten(),
        owner: owner.map(|(relation, _)| relation),
        owner_uid: owner.and_then(|(_, uid)| uid),
        ..NamespaceFacts::asked(asked)
    }
}

/// Whether we are in this namespace.
fn is_own(proc: &Proc, fd: BorrowedFd<'_>, kind: Kind) -> Option<bool> {
    let ours = proc.stat(&format!("self/ns/{kind}")).ok()?;
    let this = sys::stat_fd(fd).ok()?;
    Some((ours.st_dev, ours.st_ino) == (this.st_dev, this.st_ino))
}

/// Where the owner of a namespace stands, and its [`NamespaceFacts::owner_uid`].
pub(crate) fn owner(proc: &Proc, fd: BorrowedFd<'_>) -> Option<(Relation, Option<u32>)> {
    match sys::owner_of(fd) {
        Ok(user) => relation(proc, user.as_fd()),
        Err(error) if error.raw() == libc::EPERM => Some((Relation::Outside, None)),
        Err(_) => None,
    }
}

/// Where a user namespace stands, and its [`NamespaceFacts::owner_uid`].
fn relation(proc: &Proc, user: BorrowedFd<'_>) -> Option<(Relation, Option<u32>)> {
    if is_own(proc, user, Kind::User)? {
        return Some((Relation::Ours, None));
    }
    let mut next = user.try_clone_to_owned().ok()?;
    loop {
        let uid = sys::owner_uid(next.as_fd()).ok();
        match sys::parent_of(next.as_fd()) {
            Ok(parent) if is_own(proc, parent.as_fd(), Kind::User)? => {
                return Some((Relation::Below, uid));
            }
            Ok(parent) => next = parent,
            Err(error) if error.raw() == libc::EPERM => return Some((Relation::Outside, None)),
            Err(_) => return None,
        }
    }
}

/// Whether a PID namespace is ours or below ours.
fn descends(proc: &Proc, pid: BorrowedFd<'_>) -> Option<bool> {
    let mut next = pid.try_clone_to_owned().ok()?;
    loop {
        if is_own(proc, next.as_fd(), Kind::Pid)? {
            return Some(true);
        }
        match sys::parent_of(next.as_fd()) {
            Ok(parent) => next = parent,
            Err(error) if error.raw() == libc::EPERM => return Some(false),
            Err(_) => return None,
        }
    }
}
