//! Files and descriptors: open, read, write, look, change directory.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::Mode;

use super::{Error, Result, check};

/// A path for the kernel.
///
/// # Errors
/// `EINVAL` when it has a NUL in it.
pub(crate) fn c_path(path: &OsStr) -> Result<CString> {
    CString::new(path.as_bytes()).map_err(|_| Error::from_raw(libc::EINVAL))
}

/// What a descriptor is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Reading.
    Reading,
    /// Writing, to a file that exists.
    Writing,
    /// Reading, to a directory.
    Directory,
    /// Naming only (`O_PATH`, open(2)): a mount point, or a file that we may not read.
    Path,
    /// The same, of a symbolic link itself where the name is one (`O_NOFOLLOW`).
    Itself,
}

impl For {
    fn flags(self) -> OFlag {
        OFlag::O_CLOEXEC
            | match self {
                // A FIFO or a terminal given by error must not make us wait or become ours.
                For::Reading => OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY,
                For::Writing => OFlag::O_WRONLY | OFlag::O_NOCTTY,
                For::Directory => OFlag::O_RDONLY | OFlag::O_DIRECTORY,
                For::Path => OFlag::O_PATH,
                For::Itself => OFlag::O_PATH | OFlag::O_NOFOLLOW,
            }
    }
}

/// Opens `path`, close-on-exec (open(2)).
pub(crate) fn open(path: &OsStr, purpose: For) -> Result<OwnedFd> {
    openat(libc::AT_FDCWD, path, purpose)
}

/// Opens `path` below the directory `dir`, close-on-exec (openat(2)).
pub(crate) fn open_at(dir: BorrowedFd<'_>, path: &OsStr, purpose: For) -> Result<OwnedFd> {
    openat(dir.as_raw_fd(), path, purpose)
}

/// The raw call: musl's wrapper makes another one, for kernels that do not know `O_CLOEXEC`.
fn openat(dir: RawFd, path: &OsStr, purpose: For) -> Result<OwnedFd> {
    let flags = purpose.flags().bits() | libc::O_LARGEFILE;
    // nix would copy it to a kilobyte of the stack.
    let path = c_path(path)?;
    // SAFETY: the path is a C string that lives across the call.
    let fd = check(unsafe { libc::syscall(libc::SYS_openat, dir, path.as_ptr(), flags) })?;
    super::owned(fd)
}

/// Opens `path` below `dir`, close-on-exec, and only what lies on the same mount (openat2(2), `RESOLVE_NO_XDEV`,
/// Linux 5.6 or later).
pub(crate) fn open_on_mount(dir: BorrowedFd<'_>, path: &OsStr, purpose: For) -> Result<OwnedFd> {
    use nix::fcntl::{OpenHow, ResolveFlag, openat2};
    let how = OpenHow::new()
        .flags(purpose.flags())
        .resolve(ResolveFlag::RESOLVE_NO_XDEV);
    Ok(openat2(dir, path, how)?)
}

/// Opens for reading what `fd` names, close-on-exec (open(2), `O_PATH`; proc_pid_fd(5)).
pub(crate) fn reopen(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    open(path.as_ref(), For::Reading)
}

/// Opens `path` for naming only, below `root` as if that were the root directory, and only through what the
/// kernel has in its cache (openat2(2), `RESOLVE_IN_ROOT`, `RESOLVE_CACHED`): so no symbolic link leads out,
/// and no file system is asked that may not answer. A mount point is always in the cache.
///
/// # Errors
/// `EAGAIN` when something on the way is not in the cache. `ENOSYS` before Linux 5.6, `EINVAL` before 5.12.
pub(crate) fn open_cached(root: BorrowedFd<'_>, path: &OsStr) -> Result<OwnedFd> {
    use nix::fcntl::{OpenHow, ResolveFlag, openat2};
    /// `RESOLVE_CACHED` of `linux/openat2.h`.
    const CACHED: u64 = 0x20;
    let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::from_bits_retain(CACHED);
    let how = OpenHow::new().flags(For::Path.flags()).resolve(resolve);
    Ok(openat2(root, path, how)?)
}

/// Makes a new file below `dir`; an existing one is an error (open(2), `O_EXCL`).
pub(crate) fn create_at(dir: BorrowedFd<'_>, path: &OsStr, mode: u32) -> Result<OwnedFd> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    Ok(nix::fcntl::openat(
        dir,
        path,
        flags,
        Mode::from_bits_truncate(mode),
    )?)
}

/// How many bytes are read of something at most: who fills it may not mean well, and it may have no end. More is an
/// error, `EFBIG`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(usize);

impl Limit {
    /// Of a file of /proc or /sys, of /etc/passwd and the like, and of what a program says.
    pub(crate) const FILE: Limit = Limit(1 << 20);
    /// Of an environment: what execve(2) takes of arguments and environment together, however large the stack.
    pub(crate) const ENVIRONMENT: Limit = Limit(6 << 20);
    /// Of mountinfo: a mount namespace has 100,000 mounts at most (proc_sys_fs(5), `mount-max`), of some hundred
    /// bytes each.
    pub(crate) const MOUNTS: Limit = Limit(64 << 20);
    /// Of cgroup.procs: there are at most 2^22 PIDs, of eight bytes each.
    pub(crate) const PIDS: Limit = Limit(32 << 20);
}

/// All that is left to read (read(2)), interrupted reads made again.
///
/// # Errors
/// `EFBIG` when that is more than the limit.
pub(crate) fn read_all(fd: BorrowedFd<'_>, limit: Limit) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    read_all_into(fd, &mut text, limit)?;
    Ok(text)
}

/// As [`read_all`], in the place of what `text` holds, whose memory is used again.
pub(crate) fn read_all_into(fd: BorrowedFd<'_>, text: &mut Vec<u8>, limit: Limit) -> Result<()> {
    // One byte more than the limit tells that there is more.
    let most = limit.0 + 1;
    // Most files under /proc fit; one that does not doubles the room.
    text.resize(text.capacity().clamp(4096, most), 0);
    let mut length = 0;
    loop {
        match nix::unistd::read(fd, text.get_mut(length..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(more) => {
                length += more;
                if length == most {
                    return Err(Error::from_raw(libc::EFBIG));
                }
                if length == text.len() {
                    text.resize((length * 2).min(most), 0);
                }
            }
            Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    text.truncate(length);
    Ok(())
}

/// Opens a regular file for reading, as files of /proc are too (open(2)).
///
/// # Errors
/// `EISDIR` for a directory, `EOPNOTSUPP` for a FIFO or a device, `ENXIO` for a socket: nothing is read of these, which
/// may have no end, or make us wait.
pub(crate) fn open_regular(path: &OsStr) -> Result<OwnedFd> {
    open_regular_at(nix::fcntl::AT_FDCWD, path)
}

/// As [`open_regular`], below `dir`.
pub(crate) fn open_regular_at(dir: BorrowedFd<'_>, path: &OsStr) -> Result<OwnedFd> {
    let file = open_at(dir, path, For::Reading)?;
    match stat_fd(file.as_fd())?.st_mode & libc::S_IFMT {
        libc::S_IFREG => Ok(file),
        libc::S_IFDIR => Err(Error::from_raw(libc::EISDIR)),
        _ => Err(Error::from_raw(libc::EOPNOTSUPP)),
    }
}

/// What a path refers to that is no regular file, in words.
pub(crate) fn what_is(path: &OsStr) -> Option<&'static str> {
    match stat(path).ok()?.st_mode & libc::S_IFMT {
        libc::S_IFDIR => Some("a directory"),
        libc::S_IFIFO => Some("a FIFO"),
        libc::S_IFCHR | libc::S_IFBLK => Some("a device"),
        libc::S_IFSOCK => Some("a socket"),
        _ => None,
    }
}

/// The whole of a regular file.
///
/// # Errors
/// As [`open_regular`] and [`read_all`].
pub(crate) fn read_file(path: &OsStr, limit: Limit) -> Result<Vec<u8>> {
    read_all(open_regular(path)?.as_fd(), limit)
}

/// The whole of a regular file below `dir`.
///
/// # Errors
/// As [`open_regular`] and [`read_all`].
pub(crate) fn read_file_at(dir: BorrowedFd<'_>, path: &OsStr, limit: Limit) -> Result<Vec<u8>> {
    read_all(open_regular_at(dir, path)?.as_fd(), limit)
}

/// Up to `buffer.len()` bytes (read(2)); 0 at the end.
pub(crate) fn read_some(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    let mut was_reset = false;
    loop {
        match nix::unistd::read(fd, buffer) {
            Err(errno) if super::is_passing(errno, &mut was_reset) => {}
            other => return Ok(other?),
        }
    }
}

/// Writes `text` with one write(2), as the write-once files of /proc want it.
///
/// # Errors
/// `EIO` when the kernel took only a part.
pub(crate) fn write_once(fd: BorrowedFd<'_>, text: &[u8]) -> Result<()> {
    let written = nix::unistd::write(fd, text)?;
    if written == text.len() {
        Ok(())
    } else {
        Err(Error::from_raw(libc::EIO))
    }
}

/// Writes all of `text`, in as many write(2) calls as it takes.
pub(crate) fn write_all(fd: BorrowedFd<'_>, mut text: &[u8]) -> Result<()> {
    while !text.is_empty() {
        match nix::unistd::write(fd, text) {
            Ok(written) => text = text.get(written..).unwrap_or_default(),
            Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// A descriptor that the caller of this program left open for us, by number.
///
/// # Errors
/// `EBADF` when it is closed, or is one that we opened ourselves: those, and only those, are
/// close-on-exec, since a descriptor of the caller's with that flag would not have reached us.
pub(crate) fn inherited(number: RawFd) -> Result<BorrowedFd<'static>> {
    if number < 0 {
        return Err(Error::from_raw(libc::EBADF));
    }
    // SAFETY: F_GETFD only reads a flag, and any number may be asked about.
    let flags = check(unsafe { libc::fcntl(number, libc::F_GETFD) }.into())?;
    if flags & libc::c_long::from(libc::FD_CLOEXEC) != 0 {
        return Err(Error::from_raw(libc::EBADF));
    }
    // SAFETY: it is open and not ours, so nothing in this program closes it.
    Ok(unsafe { BorrowedFd::borrow_raw(number) })
}

/// Takes over a descriptor that the caller left open for us: the program will not get it.
///
/// # Errors
/// As [`inherited`].
pub(crate) fn adopt(number: RawFd) -> Result<OwnedFd> {
    let fd = inherited(number)?;
    // SAFETY: sets a flag of a descriptor that is open.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) }.into())?;
    // SAFETY: it is open, and close-on-exec now, so `inherited` gives it to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Standard output and standard error, if the caller left them open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Descriptor 1.
    Output,
    /// Descriptor 2.
    Error,
}

impl Stream {
    const fn number(self) -> RawFd {
        match self {
            Stream::Output => 1,
            Stream::Error => 2,
        }
    }
}

/// Writes to a standard stream. A stream that the caller closed is `EBADF`, also where its number has
/// since been given to a file of ours, into which no message must go.
pub(crate) fn print(stream: Stream, text: &[u8]) -> Result<()> {
    write_all(inherited(stream.number())?, text)
}

/// Whether a standard stream is a terminal that the caller gave us (isatty(3)).
pub(crate) fn is_terminal(stream: Stream) -> bool {
    inherited(stream.number()).is_ok_and(|fd| nix::unistd::isatty(fd).unwrap_or(false))
}

/// The columns of the terminal on a standard stream (ioctl_tty(2), `TIOCGWINSZ`); none when it is no terminal, or one that
/// does not know.
pub(crate) fn columns(stream: Stream) -> Option<usize> {
    let fd = inherited(stream.number()).ok()?;
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the kernel writes one winsize into ours.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (done == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// What is used of stat(2), by the names there; as wide on every machine as on those with 64 bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileStat {
    pub(crate) st_dev: u64,
    pub(crate) st_ino: u64,
    pub(crate) st_nlink: u64,
    pub(crate) st_mode: u32,
    pub(crate) st_uid: u32,
    pub(crate) st_gid: u32,
}

impl From<libc::stat> for FileStat {
    #[allow(
        clippy::useless_conversion,
        reason = "narrower where longs have 32 bits"
    )]
    fn from(stat: libc::stat) -> Self {
        Self {
            st_dev: stat.st_dev,
            st_ino: stat.st_ino.into(),
            st_nlink: stat.st_nlink.into(),
            st_mode: stat.st_mode,
            st_uid: stat.st_uid,
            st_gid: stat.st_gid,
        }
    }
}

/// What the descriptor refers to (fstat(2)).
pub(crate) fn stat_fd(fd: BorrowedFd<'_>) -> Result<FileStat> {
    Ok(nix::sys::stat::fstat(fd)?.into())
}

/// What the descriptor refers to, as far as the kernel knows without asking a file system that may not answer
/// (statx(2), `AT_STATX_DONT_SYNC`). Device, inode and type are right.
pub(crate) fn stat_cached(fd: BorrowedFd<'_>) -> Result<FileStat> {
    let flags = AtFlags::AT_EMPTY_PATH | AtFlags::from_bits_retain(libc::AT_STATX_DONT_SYNC);
    Ok(nix::sys::stat::fstatat(fd, "", flags)?.into())
}

/// Whether the descriptor is a socket.
pub(crate) fn is_socket(fd: BorrowedFd<'_>) -> bool {
    stat_cached(fd).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFSOCK)
}

/// What the path refers to (stat(2)).
pub(crate) fn stat(path: &OsStr) -> Result<FileStat> {
    Ok(nix::sys::stat::stat(path)?.into())
}

/// What the path below `dir` itself is, not what it points to (fstatat(2), `AT_SYMLINK_NOFOLLOW`).
pub(crate) fn lstat_at(dir: BorrowedFd<'_>, path: &OsStr) -> Result<FileStat> {
    let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
    Ok(nix::sys::stat::fstatat(dir, path, flags)?.into())
}

/// What the path below `dir` refers to (fstatat(2)).
pub(crate) fn stat_at(dir: BorrowedFd<'_>, path: &OsStr) -> Result<FileStat> {
    Ok(nix::sys::stat::fstatat(dir, path, AtFlags::empty())?.into())
}

/// The magic number of the file system that the descriptor lies on (fstatfs(2)).
pub(crate) fn filesystem_magic(fd: BorrowedFd<'_>) -> Result<u64> {
    let magic = nix::sys::statfs::fstatfs(fd)?.filesystem_type().0;
    // A word, signed in the GNU C library and unsigned in musl; the kernel's magic numbers have 32 bits.
    Ok(u64::from(magic as u32))
}

/// Whether a pidfd has an inode of its own: it lies on pidfs, which came with Linux 6.9. Before, all of them are one
/// anonymous inode.
pub(crate) fn is_on_pidfs(pidfd: BorrowedFd<'_>) -> Result<bool> {
    /// `PID_FS_MAGIC` of `linux/magic.h`.
    const PIDFS: u64 = 0x5049_4446;
    Ok(filesystem_magic(pidfd)? == PIDFS)
}

/// The text of a symbolic link (readlink(2)).
pub(crate) fn read_link(path: &OsStr) -> Result<OsString> {
    Ok(nix::fcntl::readlink(path)?)
}

/// The text of a symbolic link below `dir`, or with an empty path of the one that was opened itself (readlinkat(2)).
pub(crate) fn read_link_at(dir: BorrowedFd<'_>, path: &OsStr) -> Result<OsString> {
    Ok(nix::fcntl::readlinkat(dir, path)?)
}

/// Whether we may use the path in this way, judged by the effective IDs (faccessat2(2); `libc::R_OK` …).
pub(crate) fn access(path: &OsStr, mode: i32) -> Result<()> {
    let mode = nix::unistd::AccessFlags::from_bits_retain(mode);
    let cwd = nix::fcntl::AT_FDCWD;
    Ok(nix::unistd::faccessat(
        cwd,
        path,
        mode,
        AtFlags::AT_EACCESS,
    )?)
}

/// Calls `each` with the names in a directory, without `.` and `..` (getdents64(2)); `room` is for the kernel to
/// write into, and must hold an entry with a name of 255 bytes.
///
/// The kernel's call is used as it is: std's and libc's readers allocate a stream a directory, which
/// shows where every process of a machine is looked at.
pub(crate) fn each_name(
    dir: BorrowedFd<'_>,
    room: &mut [u8],
    mut each: impl FnMut(&CStr),
) -> Result<()> {
    while more_names(dir, room, &mut each)? {}
    Ok(())
}

/// As [`each_name`], but no more names than `room` holds; false when there were none left.
pub(crate) fn more_names(
    dir: BorrowedFd<'_>,
    room: &mut [u8],
    mut each: impl FnMut(&CStr),
) -> Result<bool> {
    // SAFETY: the kernel writes at most `room.len()` bytes into it.
    let length = check(unsafe {
        libc::syscall(
            libc::SYS_getdents64,
            dir.as_raw_fd(),
            room.as_mut_ptr(),
            room.len(),
        )
    })?;
    let mut entries = filled(room, length);
    // struct linux_dirent64 (getdents(2)): ino 8, off 8, reclen 2, type 1, then the name and a NUL.
    while entries.len() > 19 {
        let size = usize::from(u16::from_ne_bytes([entries[16], entries[17]]));
        let (Some(entry), Some(rest)) = (entries.get(19..size), entries.get(size..)) else {
            break;
        };
        let Ok(name) = CStr::from_bytes_until_nul(entry) else {
            break;
        };
        if !matches!(name.to_bytes(), b"." | b"..") {
            each(name);
        }
        entries = rest;
    }
    Ok(length > 0)
}

/// The part of `room` that the kernel has filled.
fn filled(room: &[u8], length: libc::c_long) -> &[u8] {
    let length = usize::try_from(length).unwrap_or(0);
    room.get(..length).unwrap_or_default()
}

/// The text of a symbolic link below `dir`, in `room`, and cut to it (readlinkat(2)).
pub(crate) fn read_link_into<'a>(
    dir: BorrowedFd<'_>,
    path: &CStr,
    room: &'a mut [u8],
) -> Result<&'a [u8]> {
    // SAFETY: the path is a C string, and the kernel writes at most `room.len()` bytes into it.
    let length = check(unsafe {
        libc::readlinkat(
            dir.as_raw_fd(),
            path.as_ptr(),
            room.as_mut_ptr().cast(),
            room.len(),
        )
    } as libc::c_long)?;
    Ok(filled(room, length))
}

/// Makes the directory behind `fd` the working directory (fchdir(2)).
pub(crate) fn change_directory_fd(fd: BorrowedFd<'_>) -> Result<()> {
    Ok(nix::unistd::fchdir(fd)?)
}

/// Makes `path` the working directory (chdir(2)).
pub(crate) fn change_directory(path: &OsStr) -> Result<()> {
    Ok(nix::unistd::chdir(path)?)
}

/// Makes a directory that only we use (mkdir(2)).
pub(crate) fn make_directory(path: &OsStr) -> Result<()> {
    Ok(nix::unistd::mkdir(path, Mode::S_IRWXU)?)
}

/// Removes a file below `dir` (unlinkat(2)).
pub(crate) fn remove_at(dir: BorrowedFd<'_>, path: &OsStr) -> Result<()> {
    Ok(nix::unistd::unlinkat(
        dir,
        path,
        nix::unistd::UnlinkatFlags::NoRemoveDir,
    )?)
}

/// Gives `from` the name `to`, both below `dir`, in place of what had it (renameat(2)).
pub(crate) fn rename_at(dir: BorrowedFd<'_>, from: &OsStr, to: &OsStr) -> Result<()> {
    Ok(nix::fcntl::renameat(dir, from, dir, to)?)
}

/// Gives `from` the name `to` below `dir` unless something has it (renameat2(2), `RENAME_NOREPLACE`).
///
/// # Errors
/// `EINVAL` where the file system cannot do this.
pub(crate) fn rename_new_at(dir: BorrowedFd<'_>, from: &OsStr, to: &OsStr) -> Result<()> {
    renameat2(dir, from, to, libc::RENAME_NOREPLACE)
}

/// Has two files below `dir` change their names (renameat2(2), `RENAME_EXCHANGE`).
///
/// # Errors
/// `EINVAL` where the file system cannot do this.
pub(crate) fn exchange_at(dir: BorrowedFd<'_>, one: &OsStr, other: &OsStr) -> Result<()> {
    renameat2(dir, one, other, libc::RENAME_EXCHANGE)
}

/// The raw call, because musl's wrapper is newer than the musl that some toolchains bring.
fn renameat2(dir: BorrowedFd<'_>, from: &OsStr, to: &OsStr, flags: libc::c_uint) -> Result<()> {
    let (from, to) = (c_path(from)?, c_path(to)?);
    let dir = dir.as_raw_fd();
    // SAFETY: both names are C strings that live across the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            dir,
            from.as_ptr(),
            dir,
            to.as_ptr(),
            flags,
        )
    };
    check(done).map(drop)
}

/// A symbolic link `name` below `dir` with the text `target` (symlinkat(2)).
pub(crate) fn symlink_at(target: &OsStr, dir: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
    Ok(nix::unistd::symlinkat(target, dir, name)?)
}

/// One more name for the file at `from`, links followed (linkat(2)).
pub(crate) fn hard_link_at(from: &OsStr, dir: BorrowedFd<'_>, name: &OsStr) -> Result<()> {
    let cwd = nix::fcntl::AT_FDCWD;
    Ok(nix::unistd::linkat(
        cwd,
        from,
        dir,
        name,
        AtFlags::AT_SYMLINK_FOLLOW,
    )?)
}

/// One more name `to` for the file `from`, a symbolic link itself, both below `dir` (linkat(2)).
pub(crate) fn link_at(dir: BorrowedFd<'_>, from: &OsStr, to: &OsStr) -> Result<()> {
    Ok(nix::unistd::linkat(dir, from, dir, to, AtFlags::empty())?)
}

/// A pipe, both ends close-on-exec (pipe2(2)): what is written to the second comes out of the first.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC)?)
}

/// Has a read of `fd` give `EAGAIN` where it would wait (fcntl(2), `O_NONBLOCK`).
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> Result<()> {
    let flags = nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK);
    nix::fcntl::fcntl(fd, flags)?;
    Ok(())
}

/// Makes a standard stream refer to what `fd` does (dup2(2)); a program that is executed gets it.
pub(crate) fn become_stream(stream: Stream, fd: BorrowedFd<'_>) -> Result<()> {
    let number = stream.number();
    if fd.as_raw_fd() == number {
        // dup3 refuses this; the descriptor only has to survive the execution.
        // SAFETY: clears a flag of a descriptor that is open.
        return check(unsafe { libc::fcntl(number, libc::F_SETFD, 0) }.into()).map(drop);
    }
    // SAFETY: the number is that of a standard stream, which nothing in this program owns.
    check(unsafe { libc::dup3(fd.as_raw_fd(), number, 0) }.into()).map(drop)
}
