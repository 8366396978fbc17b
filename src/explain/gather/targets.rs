//! The target process, and the namespaces that were to be entered.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::files::mounts;
use super::status;
use crate::explain::facts::{Namespace, Relation, Target};
use crate::plan::mountinfo::Mount;
use crate::plan::number::decimal;
use crate::plan::{Kind, Kinds};
use crate::sys::{self, For};

/// The process and the kind of namespace in the path of a file in /proc.
pub(super) fn in_proc(path: &OsStr) -> Option<(i32, Option<Kind>)> {
    let path = path.as_bytes().strip_prefix(b"/proc/")?;
    let mut parts = path.splitn(2, |&byte| byte == b'/');
    let pid = i32::try_from(decimal(parts.next()?)?).ok()?;
    let kind = parts
        .next()
        .and_then(|rest| Kind::from_name(rest.strip_prefix(b"ns/")?));
    Some((pid, kind))
}

pub(super) fn target(pid: i32, kind: Option<Kind>) -> Target {
    let directory = format!("/proc/{pid}");
    let status = status(&format!("{directory}/status"));
    let three = |ids: [u32; 4]| [ids[0], ids[1], ids[2]];
    let exists = match sys::stat(directory.as_ref()) {
        Ok(_) => Some(true),
        Err(error) if error.raw() == libc::ENOENT => Some(false),
        Err(_) => None,
    };
    let proc = mounts().and_then(|mounts| {
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
    Target {
        pid,
        kind,
        proc_is_there: Some(sys::stat("/proc/self".as_ref()).is_ok()),
        hidden: proc.as_ref().map(hides),
        exists,
        state: status.as_ref().map(|status| status.state),
        uids: status.as_ref().map(|status| three(status.uids)),
        gids: status.as_ref().map(|status| three(status.gids)),
        files_of: sys::stat(format!("{directory}/status").as_ref())
            .ok()
            .map(|stat| stat.st_uid),
    }
}

/// The namespaces that could not be entered.
pub(super) fn namespaces(
    kinds: Kinds,
    pid: Option<i32>,
    subject: Option<&OwnedFd>,
) -> Vec<Namespace> {
    kinds
        .iter()
        .map(|kind| {
            let opened;
            let fd = match (subject, pid) {
                (Some(fd), _) => fd,
                (None, Some(pid)) => {
                    let path = format!("/proc/{pid}/ns/{kind}");
                    match sys::open(path.as_ref(), For::Reading) {
                        Ok(fd) => {
                            opened = fd;
                            &opened
                        }
                        Err(error) => {
                            return Namespace {
                                closed: Some(error),
                                ..Namespace::asked(kind)
                            };
                        }
                    }
                }
                (None, None) => return Namespace::asked(kind),
            };
            examine(kind, fd.as_fd())
        })
        .collect()
}

/// What can be seen of a namespace.
pub(super) fn examine(asked: Kind, fd: BorrowedFd<'_>) -> Namespace {
    /// `NSFS_MAGIC` of `linux/magic.h`.
    const NSFS: u64 = 0x6e73_6673;
    let found = sys::type_of(fd).ok().and_then(Kind::from_flag);
    let owner = match found {
        Some(Kind::User) => relation(fd),
        Some(_) => owner(fd),
        None => None,
    };
    Namespace {
        is_namespace: sys::filesystem_magic(fd).ok().map(|magic| magic == NSFS),
        found,
        is_ours: is_own(fd, asked),
        descends: (found == Some(Kind::Pid)).then(|| descends(fd)).flatten(),
        owner: owner.map(|(relation, _)| relation),
        owner_uid: owner.and_then(|(_, uid)| uid),
        ..Namespace::asked(asked)
    }
}

/// Whether we are in this namespace.
fn is_own(fd: BorrowedFd<'_>, kind: Kind) -> Option<bool> {
    let ours = sys::stat(format!("/proc/self/ns/{kind}").as_ref()).ok()?;
    let this = sys::stat_fd(fd).ok()?;
    Some((ours.st_dev, ours.st_ino) == (this.st_dev, this.st_ino))
}

/// Where the owner of a namespace stands, and its [`Namespace::owner_uid`].
pub(super) fn owner(fd: BorrowedFd<'_>) -> Option<(Relation, Option<u32>)> {
    match sys::owner_of(fd) {
        Ok(user) => relation(user.as_fd()),
        Err(error) if error.raw() == libc::EPERM => Some((Relation::Outside, None)),
        Err(_) => None,
    }
}

/// Where a user namespace stands, and its [`Namespace::owner_uid`].
fn relation(user: BorrowedFd<'_>) -> Option<(Relation, Option<u32>)> {
    if is_own(user, Kind::User)? {
        return Some((Relation::Ours, None));
    }
    let mut next = user.try_clone_to_owned().ok()?;
    loop {
        let uid = sys::owner_uid(next.as_fd()).ok();
        match sys::parent_of(next.as_fd()) {
            Ok(parent) if is_own(parent.as_fd(), Kind::User)? => {
                return Some((Relation::Below, uid));
            }
            Ok(parent) => next = parent,
            Err(error) if error.raw() == libc::EPERM => return Some((Relation::Outside, None)),
            Err(_) => return None,
        }
    }
}

/// Whether a PID namespace is ours or below ours.
fn descends(pid: BorrowedFd<'_>) -> Option<bool> {
    let mut next = pid.try_clone_to_owned().ok()?;
    loop {
        if is_own(next.as_fd(), Kind::Pid)? {
            return Some(true);
        }
        match sys::parent_of(next.as_fd()) {
            Ok(parent) => next = parent,
            Err(error) if error.raw() == libc::EPERM => return Some(false),
            Err(_) => return None,
        }
    }
}
