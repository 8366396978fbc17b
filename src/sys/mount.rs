//! Mounts and the root directory.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::mount::MntFlags;
pub(crate) use nix::mount::MsFlags;

use super::{Result, check, owned};

/// mount(2), of which `None` is a null pointer. nix would copy each name to a kilobyte of the stack.
fn call(
    source: Option<&OsStr>,
    target: &OsStr,
    kind: Option<&OsStr>,
    flags: MsFlags,
    options: Option<&OsStr>,
) -> Result<()> {
    let [source, kind, options] =
        [source, kind, options].map(|name| name.map(super::c_path).transpose());
    let (source, target, kind, options) = (source?, super::c_path(target)?, kind?, options?);
    Ok(nix::mount::mount(
        source.as_deref(),
        target.as_c_str(),
        kind.as_deref(),
        flags,
        options.as_deref(),
    )?)
}

/// Mounts a file system of type `kind` on `target` (mount(2)).
pub(crate) fn mount(source: &str, target: &OsStr, kind: &str, flags: MsFlags) -> Result<()> {
    let (source, kind) = (Some(source.as_ref()), Some(kind.as_ref()));
    call(source, target, kind, flags, None)
}

/// As [`mount`], with options of the file system, from no source of its own.
pub(crate) fn mount_with(kind: &str, target: &OsStr, options: &str) -> Result<()> {
    let kind = Some(kind.as_ref());
    call(kind, target, kind, MsFlags::empty(), Some(options.as_ref()))
}

/// Makes `source` visible at `target` too (mount(2), `MS_BIND`), with what is mounted below it if `recursive`.
pub(crate) fn bind(source: &OsStr, target: &OsStr, recursive: bool) -> Result<()> {
    let flags = MsFlags::MS_BIND
        | if recursive {
            MsFlags::MS_REC
        } else {
            MsFlags::empty()
        };
    call(Some(source), target, None, flags, None)
}

/// Lays what is at `path`, with what is mounted below it, over `path` itself, as a mount of its own, and gives
/// its root directory (open_tree(2), move_mount(2)).
///
/// A name would not lead to it where `path` is `/`: what is mounted over our own root directory lies above it.
///
/// # Errors
/// `ENOSYS` before Linux 5.2.
pub(crate) fn cover_with_itself(path: &OsStr) -> Result<OwnedFd> {
    let path = super::c_path(path)?;
    let clone = libc::OPEN_TREE_CLONE | libc::O_CLOEXEC as u32 | libc::AT_RECURSIVE as u32;
    // SAFETY: the path is a C string that lives across the call.
    let tree =
        check(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), clone) })?;
    let tree = owned(tree)?;
    let (from, to, empty) = (
        tree.as_raw_fd(),
        libc::AT_FDCWD,
        libc::MOVE_MOUNT_F_EMPTY_PATH,
    );
    // SAFETY: both names are C strings that live across the call.
    let moved = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            from,
            c"".as_ptr(),
            to,
            path.as_ptr(),
            empty,
        )
    };
    check(moved)?;
    Ok(tree)
}

/// Sets how mounts below `target` spread to their peers (mount(2), `MS_PRIVATE` and its like).
pub(crate) fn set_propagation(target: &OsStr, flags: MsFlags) -> Result<()> {
    call(None, target, None, flags, None)
}

/// The kernel's number for the mount that the descriptor lies on (statx(2), `STATX_MNT_ID`); none before Linux 5.8.
pub(crate) fn mount_id(fd: BorrowedFd<'_>) -> Result<Option<u64>> {
    // SAFETY: statx is plain data, for which all zeroes is a value.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the path is a C string, and the kernel writes one statx into ours.
    let done = unsafe {
        libc::syscall(
            libc::SYS_statx,
            fd.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            libc::STATX_MNT_ID,
            &raw mut found,
        )
    };
    check(done)?;
    Ok((found.stx_mask & libc::STATX_MNT_ID != 0).then_some(found.stx_mnt_id))
}

/// Takes the topmost mount on `target` away from the tree, in use or not (umount2(2), `MNT_DETACH`). A link is
/// followed: `/proc/self/fd/N` leads to what lies on the file that was opened, whatever has its name by now.
pub(crate) fn detach(target: &OsStr) -> Result<()> {
    Ok(nix::mount::umount2(target, MntFlags::MNT_DETACH)?)
}

/// Makes `path` the root directory (chroot(2)); the working directory stays.
pub(crate) fn chroot(path: &OsStr) -> Result<()> {
    Ok(nix::unistd::chroot(path)?)
}

/// Makes the mount at `new_root` the root of this mount namespace, the old one at `put_old` (pivot_root(2)).
pub(crate) fn pivot_root(new_root: &OsStr, put_old: &OsStr) -> Result<()> {
    Ok(nix::unistd::pivot_root(new_root, put_old)?)
}

/// Sets the host name of our UTS namespace (sethostname(2)).
pub(crate) fn set_hostname(name: &OsStr) -> Result<()> {
    Ok(nix::unistd::sethostname(name)?)
}
