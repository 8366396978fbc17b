//! The namespaces that can be seen on this machine.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::plan::Kind;
use crate::plan::mountinfo::Mount;
use crate::sys::{self, For};

/// Opens the namespace of this kind and inode: of a process, or of a mounted nsfs file.
pub(crate) fn find_by_inode(kind: Kind, inode: u64) -> sys::Result<Option<OwnedFd>> {
    find(&[kind], &|fd| {
        sys::stat_fd(fd).is_ok_and(|stat| stat.st_ino == inode)
    })
}

/// Opens the namespace with this number of the kernel's.
pub(crate) fn find_by_id(id: u64) -> sys::Result<Option<OwnedFd>> {
    find(&Kind::ALL, &|fd| sys::namespace_id(fd) == Ok(id))
}

fn find(kinds: &[Kind], is_it: &dyn Fn(BorrowedFd<'_>) -> bool) -> sys::Result<Option<OwnedFd>> {
    let proc = sys::open("/proc".as_ref(), For::Directory)?;
    let pids = sys::list(proc.as_fd())?;
    for pid in pids
        .iter()
        .filter(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit))
    {
        for kind in kinds {
            let mut path = pid.clone();
            path.push(format!("/ns/{kind}"));
            // Processes end while they are looked at.
            if let Ok(fd) = sys::open_at(proc.as_fd(), &path, For::Reading)
                && is_it(fd.as_fd())
            {
                return Ok(Some(fd));
            }
        }
    }
    let mounts = sys::read_file("/proc/self/mountinfo".as_ref())?;
    for mount in Mount::parse_all(&mounts).filter(|mount| mount.namespace().is_some()) {
        let point: OsString = mount.point.into();
        if let Ok(fd) = sys::open(&point, For::Reading)
            && kinds
                .iter()
                .any(|kind| sys::type_of(fd.as_fd()) == Ok(kind.flag()))
            && is_it(fd.as_fd())
        {
            return Ok(Some(fd));
        }
    }
    Ok(None)
}
