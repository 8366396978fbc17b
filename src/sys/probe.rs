//! Questions asked after a failure: calls that change nothing, whatever they answer.
//!
//! The hard thing: a call must fail in the kernel itself before it does anything, and at a place behind which a
//! seccomp filter can no longer be the one who refused it.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{Error, Result, check, owned};

/// What a call that cannot succeed was answered.
fn refusal(result: Result<libc::c_long>) -> Option<Error> {
    result.err()
}

/// What unshare(2) answers to these flags and one that does not exist: `EINVAL` from every kernel, anything else
/// from a filter in front of it (seccomp(2)).
pub(crate) fn probe_unshare(flags: i32) -> Option<Error> {
    // Of the bits that signals had in clone(2); unshare(2) has never taken it.
    const INVALID: i32 = 1;
    // SAFETY: no memory is involved; the kernel looks at the flags before it does anything.
    refusal(check(unsafe { libc::unshare(flags | INVALID) }.into()))
}

/// What setns(2) answers to no descriptor: `EBADF` from every kernel, anything else from a filter.
pub(crate) fn probe_setns(flags: i32) -> Option<Error> {
    // SAFETY: no memory is involved; there is no descriptor -1.
    refusal(check(unsafe { libc::setns(-1, flags) }.into()))
}

/// What mount(2) answers to no target: `EFAULT` from every kernel, whoever asks; anything else from a filter.
pub(crate) fn probe_mount() -> Option<Error> {
    let none = std::ptr::null();
    // SAFETY: the kernel finds out that these are no addresses, and says so.
    refusal(check(
        unsafe { libc::mount(none, none, none, 0, none.cast()) }.into(),
    ))
}

/// The seccomp mode, as /proc/self/status has it too (prctl(2), `PR_GET_SECCOMP`); mode 1 would have ended us.
pub(crate) fn seccomp_mode() -> Result<u32> {
    const NONE: libc::c_ulong = 0;
    // SAFETY: this option takes nothing; the unused arguments must be 0.
    let mode = unsafe { libc::prctl(libc::PR_GET_SECCOMP, NONE, NONE, NONE, NONE) };
    check(mode.into()).map(|mode| mode as u32)
}

/// Our security attribute, of the first module that gives one, without /proc (lsm_get_self_attr(2), Linux 6.8 or
/// later).
pub(crate) fn security_attribute() -> Result<Vec<u8>> {
    /// The same on every architecture; libc has it for some.
    const LSM_GET_SELF_ATTR: libc::c_long = 459;
    /// `LSM_ATTR_CURRENT` of `linux/lsm.h`.
    const CURRENT: u32 = 100;
    /// `struct lsm_ctx`: id, flags, the whole length, that of the text behind them.
    const HEADER: usize = 32;
    let mut room = [0_u64; 512];
    let mut size = size_of_val(&room) as u32;
    // SAFETY: the kernel writes at most `size` bytes into the room, which is aligned for its structure, and the size that
    // it needed into `size`.
    let count = check(unsafe {
        libc::syscall(
            LSM_GET_SELF_ATTR,
            CURRENT,
            room.as_mut_ptr(),
            &raw mut size,
            0_u32,
        )
    })?;
    let bytes: Vec<u8> = room.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let mut rest = bytes.get(..size as usize).unwrap_or(&bytes);
    for _ in 0..count {
        let number = |at: usize| {
            let word = rest.get(at..at + 8)?.try_into().ok()?;
            usize::try_from(u64::from_ne_bytes(word)).ok()
        };
        let (Some(whole), Some(length)) = (number(16), number(24)) else {
            break;
        };
        match rest.get(HEADER..HEADER.saturating_add(length)) {
            Some(text) if !text.is_empty() => return Ok(text.to_owned()),
            _ => rest = rest.get(whole.max(HEADER)..).unwrap_or_default(),
        }
    }
    Err(Error::from_raw(libc::EOPNOTSUPP))
}

/// How many threads our user may have, as it is enforced (getrlimit(2), `RLIMIT_NPROC`); none without a limit.
#[allow(
    clippy::useless_conversion,
    reason = "narrower where longs have 32 bits"
)]
pub(crate) fn thread_limit() -> Result<Option<u64>> {
    use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
    let (limit, _) = getrlimit(Resource::RLIMIT_NPROC)?;
    Ok((limit != RLIM_INFINITY).then(|| limit.into()))
}

/// Whether executing the file gives capabilities (capabilities(7), `security.capability`).
pub(crate) fn has_file_capabilities(path: &OsStr) -> Result<bool> {
    let path = super::c_path(path)?;
    let name = c"security.capability";
    // SAFETY: both are C strings that live across the call; a size of 0 makes the kernel write nothing.
    let size =
        unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) } as i64;
    match check(size as libc::c_long) {
        Ok(size) => Ok(size > 0),
        Err(error) if matches!(error.raw(), libc::ENODATA | libc::EOPNOTSUPP) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a mount forbids (statvfs(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Forbidden {
    /// Programs on it are not executed.
    pub(crate) execution: bool,
    /// Set-user-ID bits and file capabilities on it count for nothing.
    pub(crate) set_id: bool,
    /// Nothing on it is written.
    pub(crate) writing: bool,
}

/// What the mount forbids that the path lies on.
pub(crate) fn forbidden_on(path: &OsStr) -> Result<Forbidden> {
    Ok(Forbidden::by(nix::sys::statvfs::statvfs(path)?.flags()))
}

/// What the mount forbids that the descriptor lies on (fstatvfs(3)).
pub(crate) fn forbidden_on_fd(fd: BorrowedFd<'_>) -> Result<Forbidden> {
    Ok(Forbidden::by(nix::sys::statvfs::fstatvfs(fd)?.flags()))
}

impl Forbidden {
    fn by(flags: nix::sys::statvfs::FsFlags) -> Forbidden {
        use nix::sys::statvfs::FsFlags;
        Forbidden {
            execution: flags.contains(FsFlags::ST_NOEXEC),
            set_id: flags.contains(FsFlags::ST_NOSUID),
            writing: flags.contains(FsFlags::ST_RDONLY),
        }
    }
}

/// Opens `path` for naming as a process would find it whose root directory is `root` (openat2(2),
/// `RESOLVE_IN_ROOT`).
pub(crate) fn open_in_root(root: BorrowedFd<'_>, path: &OsStr) -> Result<OwnedFd> {
    let path = super::c_path(path)?;
    // SAFETY: open_how is plain data, for which all zeroes is a value.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    // Neither is negative.
    how.flags = (libc::O_PATH | libc::O_CLOEXEC).unsigned_abs().into();
    how.resolve = libc::RESOLVE_IN_ROOT;
    // SAFETY: the path is a C string, and the kernel reads an open_how of the size given.
    let fd = check(unsafe {
        libc::syscall(
            libc::SYS_openat2,
            root.as_raw_fd(),
            path.as_ptr(),
            &raw const how,
            size_of::<libc::open_how>(),
        )
    })?;
    owned(fd)
}

/// Up to `length` bytes of a file from `offset` on (pread(2)); fewer at its end.
pub(crate) fn read_at(fd: BorrowedFd<'_>, offset: u64, length: usize) -> Result<Vec<u8>> {
    let offset = libc::off_t::try_from(offset).map_err(|_| Error::from_raw(libc::EINVAL))?;
    let mut bytes = vec![0; length];
    let read = nix::sys::uio::pread(fd, &mut bytes, offset)?;
    bytes.truncate(read);
    Ok(bytes)
}
