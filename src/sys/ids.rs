//! Users and groups.
//!
//! The calls that change IDs are raw on purpose: the C library's would pass the change on to every thread,
//! with signals and locks, which a child that shares its parent's memory must not touch (nptl(7)).

use super::{Result, check};

/// The effective user ID (geteuid(2)).
pub(crate) fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The effective group ID (getegid(2)).
pub(crate) fn effective_gid() -> u32 {
    nix::unistd::getegid().as_raw()
}

/// The real user ID (getuid(2)).
pub(crate) fn real_uid() -> u32 {
    nix::unistd::getuid().as_raw()
}

/// The real group ID (getgid(2)).
pub(crate) fn real_gid() -> u32 {
    nix::unistd::getgid().as_raw()
}

/// Whether we were started set-user-ID, set-group-ID (getauxval(3), `AT_SECURE` covers capabilities too, so
/// the IDs themselves are compared).
pub(crate) fn is_set_id() -> bool {
    real_uid() != effective_uid() || real_gid() != effective_gid()
}

/// Sets the real, effective and saved user ID (setresuid(2)).
pub(crate) fn set_uid(uid: u32) -> Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
}

/// Sets the real, effective and saved group ID (setresgid(2)).
pub(crate) fn set_gid(gid: u32) -> Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) }).map(drop)
}

/// Sets the supplementary groups (setgroups(2)).
pub(crate) fn set_groups(groups: &[u32]) -> Result<()> {
    // SAFETY: the kernel reads `groups.len()` group IDs from the slice.
    check(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) }).map(drop)
}
