//! Namespaces: make, enter, ask about them.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sched::CloneFlags;

use super::{Error, Result, check};

/// Moves us into new namespaces (unshare(2)); `flags` are `CLONE_NEW*`.
pub(crate) fn unshare(flags: i32) -> Result<()> {
    Ok(nix::sched::unshare(CloneFlags::from_bits_retain(flags))?)
}

/// That this process may not be traced or looked into by those whose namespaces it enters (prctl(2),
/// `PR_SET_DUMPABLE`): only who has this can enter any. It holds until a program is executed.
///
/// Once in a user namespace of somebody else we are a process of that namespace, and its root may trace it while it
/// still has our caller's descriptors and identity outside.
#[derive(Debug)]
pub(crate) struct Sealed(());

impl Sealed {
    /// Seals this process.
    pub(crate) fn new() -> Result<Sealed> {
        super::set_dumpable(false).map(|()| Sealed(()))
    }

    /// Again, after a change of credentials, which undoes it where /proc/sys/fs/suid_dumpable is 1 (proc_sys_fs(5)).
    pub(crate) fn renew(&self) -> Result<()> {
        super::set_dumpable(false)
    }

    /// Enters the namespace behind an nsfs descriptor, or those of a pidfd that `flags` name (setns(2)).
    pub(crate) fn setns(&self, fd: BorrowedFd<'_>, flags: i32) -> Result<()> {
        nix::sched::setns(fd, CloneFlags::from_bits_retain(flags))?;
        if flags & libc::CLONE_NEWUSER != 0 {
            self.renew()?;
        }
        Ok(())
    }
}

/// A pidfd for the process (pidfd_open(2)), close-on-exec.
///
/// # Errors
/// `ESRCH` when there is none; `ENOENT`, or `EINVAL` before Linux 6.9, when it is a thread of another process.
pub(crate) fn pidfd_open(pid: i32) -> Result<OwnedFd> {
    pidfd(pid, 0)
}

/// A pidfd for a single thread (pidfd_open(2), `PIDFD_THREAD`, Linux 6.9 or later), close-on-exec.
pub(crate) fn pidfd_open_thread(tid: i32) -> Result<OwnedFd> {
    pidfd(tid, libc::O_EXCL)
}

fn pidfd(pid: i32, flags: i32) -> Result<OwnedFd> {
    // SAFETY: no memory is involved.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) })?;
    owned(fd)
}

/// A copy of another process's descriptor (pidfd_getfd(2)), close-on-exec.
pub(crate) fn pidfd_getfd(pidfd: BorrowedFd<'_>, number: RawFd) -> Result<OwnedFd> {
    // SAFETY: no memory is involved; the descriptor is open as long as it is borrowed.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0) })?;
    owned(fd)
}

/// Whether the process behind the pidfd has ended: then the pidfd is readable (pidfd_open(2)).
pub(crate) fn has_ended(pidfd: BorrowedFd<'_>) -> Result<bool> {
    super::is_ready(pidfd, super::Ready::Read)
}

/// The namespace of the process behind a pidfd that has this `CLONE_NEW*` flag, close-on-exec (Linux 6.11 or later,
/// `PIDFD_GET_*_NAMESPACE` of `linux/pidfd.h`).
///
/// # Errors
/// `ENOTTY` or `EINVAL` where the kernel does not know this, `EACCES` when we may not look into the process, `ESRCH`
/// when it has ended.
pub(crate) fn namespace_of(pidfd: BorrowedFd<'_>, flag: i32) -> Result<OwnedFd> {
    use nix::request_code_none;
    let request = match flag {
        libc::CLONE_NEWCGROUP => request_code_none!(0xff, 1),
        libc::CLONE_NEWIPC => request_code_none!(0xff, 2),
        libc::CLONE_NEWNS => request_code_none!(0xff, 3),
        libc::CLONE_NEWNET => request_code_none!(0xff, 4),
        libc::CLONE_NEWPID => request_code_none!(0xff, 5),
        libc::CLONE_NEWTIME => request_code_none!(0xff, 7),
        libc::CLONE_NEWUSER => request_code_none!(0xff, 9),
        libc::CLONE_NEWUTS => request_code_none!(0xff, 10),
        _ => return Err(Error::from_raw(libc::EINVAL)),
    };
    // SAFETY: no memory is involved; the argument is to be 0.
    let fd = check(unsafe { libc::ioctl(pidfd.as_raw_fd(), request, 0_usize) }.into())?;
    owned(fd)
}

/// Our own namespace that has this `CLONE_NEW*` flag, as [`namespace_of`] gives it, without /proc.
pub(crate) fn own_namespace(flag: i32) -> Result<OwnedFd> {
    namespace_of(pidfd_open(super::pid())?.as_fd(), flag)
}

/// Questions about a namespace, by ioctl on its descriptor (ioctl_nsfs(2)).
///
/// The numbers are `_IO(0xb7, n)` and `_IOR(0xb7, n, type)` of `linux/nsfs.h`; those that Linux 6.18
/// adds are there too.
mod question {
    use libc::Ioctl;
    use nix::{request_code_none, request_code_read};

    pub(super) const USERNS: Ioctl = request_code_none!(0xb7, 1);
    pub(super) const PARENT: Ioctl = request_code_none!(0xb7, 2);
    pub(super) const NSTYPE: Ioctl = request_code_none!(0xb7, 3);
    pub(super) const OWNER_UID: Ioctl = request_code_none!(0xb7, 4);
    pub(super) const MNTNS_ID: Ioctl = request_code_read!(0xb7, 5, 8);
    pub(super) const ID: Ioctl = request_code_read!(0xb7, 13, 8);
}

/// The user namespace that owns this one.
///
/// # Errors
/// `EPERM` when it is not ours or below ours; `ENOTTY` before Linux 4.9, or when it is no nsfs file.
pub(crate) fn owner_of(ns: BorrowedFd<'_>) -> Result<OwnedFd> {
    ask_fd(ns, question::USERNS)
}

/// The parent of a user or PID namespace.
///
/// # Errors
/// `EPERM` when it is above ours, `EINVAL` when this kind has no parents.
pub(crate) fn parent_of(ns: BorrowedFd<'_>) -> Result<OwnedFd> {
    ask_fd(ns, question::PARENT)
}

/// The kind of the namespace, as its `CLONE_NEW*` flag.
///
/// # Errors
/// `ENOTTY` when the descriptor is no nsfs file.
pub(crate) fn type_of(ns: BorrowedFd<'_>) -> Result<i32> {
    // SAFETY: this request takes no argument.
    let flag = check(unsafe { libc::ioctl(ns.as_raw_fd(), question::NSTYPE) }.into())?;
    i32::try_from(flag).map_err(|_| Error::from_raw(libc::EINVAL))
}

/// The user ID that owns a user namespace, as our user namespace numbers it.
pub(crate) fn owner_uid(ns: BorrowedFd<'_>) -> Result<u32> {
    let mut uid: libc::uid_t = 0;
    // SAFETY: the kernel writes one uid_t into ours.
    check(unsafe { libc::ioctl(ns.as_raw_fd(), question::OWNER_UID, &raw mut uid) }.into())?;
    Ok(uid)
}

/// The kernel's number for a mount namespace (Linux 6.11 or later), unique while the machine runs.
pub(crate) fn mount_namespace_id(ns: BorrowedFd<'_>) -> Result<u64> {
    ask_u64(ns, question::MNTNS_ID)
}

/// The kernel's number for any namespace (Linux 6.18 or later), unique while the machine runs.
pub(crate) fn namespace_id(ns: BorrowedFd<'_>) -> Result<u64> {
    ask_u64(ns, question::ID)
}

/// The network namespace of a socket (`SIOCGSKNS`, Linux 4.9 or later; netdevice(7)).
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN in the namespace's owner, `ENOTTY` when it is no socket.
pub(crate) fn network_of_socket(socket: BorrowedFd<'_>) -> Result<OwnedFd> {
    const SIOCGSKNS: libc::Ioctl = 0x894C;
    ask_fd(socket, SIOCGSKNS)
}

fn ask_fd(fd: BorrowedFd<'_>, request: libc::Ioctl) -> Result<OwnedFd> {
    // SAFETY: these requests take no argument.
    let fd = check(unsafe { libc::ioctl(fd.as_raw_fd(), request) }.into())?;
    owned(fd)
}

fn ask_u64(fd: BorrowedFd<'_>, request: libc::Ioctl) -> Result<u64> {
    let mut number = 0_u64;
    // SAFETY: these requests make the kernel write one u64 into ours.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), request, &raw mut number) }.into())?;
    Ok(number)
}

/// A descriptor that the kernel has just made for us, close-on-exec as all that these calls make.
pub(super) fn owned(fd: libc::c_long) -> Result<OwnedFd> {
    let fd = RawFd::try_from(fd).map_err(|_| Error::from_raw(libc::EBADF))?;
    // SAFETY: the kernel has just given us this number, so nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens a namespace by the kernel's number, through the file handles of nsfs (open_by_handle_at(2),
/// Linux 6.18 or later; `struct nsfs_file_handle` of `linux/nsfs.h`).
///
/// # Errors
/// `EOPNOTSUPP` or `EBADF` where the kernel has no such handles, `ESTALE` when there is none of that number.
pub(crate) fn open_by_id(id: u64) -> Result<OwnedFd> {
    /// `FD_NSFS_ROOT` of `linux/fcntl.h`: nsfs, without a descriptor of it.
    const NSFS_ROOT: i32 = -10003;
    /// `FILEID_NSFS`, the type of these handles.
    const FILEID_NSFS: i32 = 0xf1;
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        id: u64,
        ns_type: u32,
        inode: u32,
    }
    // A type and an inode of zero match any.
    let mut handle = Handle {
        bytes: 16,
        kind: FILEID_NSFS,
        id,
        ns_type: 0,
        inode: 0,
    };
    // SAFETY: the handle is laid out as struct file_handle with 16 bytes of data, as it says.
    let fd = check(unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            NSFS_ROOT,
            &raw mut handle,
            libc::O_RDONLY | libc::O_CLOEXEC,
        )
    })?;
    owned(fd)
}
