//! Users and groups.
//!
//! The calls that change IDs are raw on purpose: the C library's would pass the change on to every thread,
//! with signals and locks, which a child that shares its parent's memory must not touch (nptl(7)).

use std::os::fd::AsFd;

use super::{Error, For, Result, check};

// Where IDs had 16 bits once, the plain names are of the calls that take those still.
#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
use libc::{SYS_setgroups as SETGROUPS, SYS_setresgid as SETRESGID, SYS_setresuid as SETRESUID};
#[cfg(any(target_arch = "x86", target_arch = "arm"))]
use libc::{
    SYS_setgroups32 as SETGROUPS, SYS_setresgid32 as SETRESGID, SYS_setresuid32 as SETRESUID,
};

/// The magic number of proc (`linux/magic.h`).
const PROC: u64 = 0x9fa0;

/// The effective user ID that this program was started with (getauxval(3), `AT_EUID`): no system call.
pub(crate) fn effective_uid() -> u32 {
    auxiliary(libc::AT_EUID)
}

/// The effective group ID that this program was started with (getauxval(3), `AT_EGID`).
pub(crate) fn effective_gid() -> u32 {
    auxiliary(libc::AT_EGID)
}

/// The real user ID that this program was started with (getauxval(3), `AT_UID`).
pub(crate) fn real_uid() -> u32 {
    auxiliary(libc::AT_UID)
}

/// The real group ID that this program was started with (getauxval(3), `AT_GID`).
pub(crate) fn real_gid() -> u32 {
    auxiliary(libc::AT_GID)
}

/// Whether we were started set-user-ID or set-group-ID, as far as that gives anybody another ID. File capabilities do
/// not count, nor that our caller's real and effective IDs differ already.
///
/// # Errors
/// They differ, and what our file's mode is cannot be seen.
pub(crate) fn is_set_id() -> Result<bool> {
    // What nearly everybody starts with: no system call, and one look at the vector, not four (300 instructions). The
    // kernel says so whenever an effective ID is not the real one of who started us (getauxval(3)).
    let is_secure = auxiliary(libc::AT_SECURE) != 0;
    if !is_secure || real_uid() == effective_uid() && real_gid() == effective_gid() {
        return Ok(false);
    }
    let proc = super::open("/proc".as_ref(), For::Path)?;
    // Anything may lie there, made by anybody, where proc is not mounted.
    if super::filesystem_magic(proc.as_fd())? != PROC {
        return Err(Error::from_raw(libc::ENOENT));
    }
    let file = super::open_at(proc.as_fd(), "self/exe".as_ref(), For::Path)?;
    let mode = super::stat_fd(file.as_fd())?.st_mode;
    Ok(mode & (libc::S_ISUID | libc::S_ISGID) != 0)
}

/// A value that the kernel handed over with the arguments (getauxval(3)). IDs fit into it.
fn auxiliary(which: libc::c_ulong) -> u32 {
    // SAFETY: reads a vector that the kernel laid out and nobody changes.
    let value = unsafe { libc::getauxval(which) };
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Sets the real, effective and saved user ID (setresuid(2)).
pub(crate) fn set_uid(uid: u32) -> Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::syscall(SETRESUID, uid, uid, uid) }).map(drop)
}

/// Sets the real, effective and saved group ID (setresgid(2)).
pub(crate) fn set_gid(gid: u32) -> Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::syscall(SETRESGID, gid, gid, gid) }).map(drop)
}

/// Sets the supplementary groups (setgroups(2)).
pub(crate) fn set_groups(groups: &[u32]) -> Result<()> {
    // SAFETY: the kernel reads `groups.len()` group IDs from the slice.
    check(unsafe { libc::syscall(SETGROUPS, groups.len(), groups.as_ptr()) }).map(drop)
}
