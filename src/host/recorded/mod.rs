//! Processes by the names that other programs have for them: who the first one of a container, the leader of a machine,
//! the main process of a unit is, as those that run them have written it down. Nobody is asked.
//!
//! The hard thing: what is written down may be old, or written by somebody who means harm. So a number comes with what
//! tells the process meant from another one that has got it since, and only root and the caller may write.

pub(crate) mod container;
pub(crate) mod machine;
pub(crate) mod unit;

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use super::clock::boottime_offset;
use super::procfs::Stat;
use crate::model::Word;
use crate::sys::{self, For, Limit, Proc};

/// A process that was written down, with all that is known to tell it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Its number.
    pub(crate) pid: i32,
    /// When it was started.
    pub(crate) start: Option<Start>,
    /// The inode of its pidfd (pidfs, Linux 6.9).
    pub(crate) pidfd_inode: Option<u64>,
    /// The unit of systemd that it is in.
    pub(crate) unit: Option<OsString>,
    /// The file or directory that says so.
    pub(crate) place: OsString,
}

/// When a process was started, in clock ticks since the machine was (proc_pid_stat(5), `starttime`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// As we see it.
    Seen(u64),
    /// As it was written down, in the initial time namespace.
    Written(u64),
}

impl Start {
    /// Whether this is the start of this process.
    pub(crate) fn is_of(self, stat: &Stat) -> bool {
        match self {
            Start::Seen(start) => stat.has_start(start, 0),
            Start::Written(start) => stat.has_start(start, boottime_offset(&Proc::default())),
        }
    }
}

/// Why there is no such process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfound {
    /// A sentence that follows the name.
    Because(String),
    /// A file cannot be opened or read.
    File(OsString, sys::Error),
}

type Result<T> = std::result::Result<T, Unfound>;

fn because<T>(why: impl Into<String>) -> Result<T> {
    Err(Unfound::Because(why.into()))
}

/// A directory in which only root and the caller can write, and where it is.
#[derive(Debug)]
struct Trusted {
    path: OsString,
    fd: OwnedFd,
}

impl Trusted {
    /// Opens it, through links too: whoever wrote them, what it is leads counts.
    fn open(path: &OsStr) -> Result<Trusted> {
        let failed = |error| Unfound::File(path.to_owned(), error);
        let fd = sys::open(path, For::Directory).map_err(failed)?;
        may_be_trusted(path, fd.as_fd())?;
        let path = path.to_owned();
        Ok(Trusted { path, fd })
    }

    /// The one of this name in it; none when there is none.
    fn below(&self, name: &OsStr) -> Result<Option<Trusted>> {
        let path = join(&self.path, name);
        let Some((fd, mode)) = self.itself(name, &path)? else {
            return Ok(None);
        };
        if mode != libc::S_IFDIR {
            return Ok(None);
        }
        may_be_trusted(&path, fd.as_fd())?;
        Ok(Some(Trusted { path, fd }))
    }

    /// What has this name in it, not followed, and the type in its mode.
    fn itself(&self, name: &OsStr, path: &OsStr) -> Result<Option<(OwnedFd, libc::mode_t)>> {
        let failed = |error| Unfound::File(path.to_owned(), error);
        let fd = match sys::open_at(self.fd.as_fd(), name, For::Itself) {
            Ok(fd) => fd,
            Err(error) if error.raw() == libc::ENOENT => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mode = sys::stat_fd(fd.as_fd()).map_err(failed)?.st_mode & libc::S_IFMT;
        Ok(Some((fd, mode)))
    }

    /// Reads the regular file of this name in it; none when there is none.
    fn read(&self, name: &OsStr) -> Result<Option<Vec<u8>>> {
        let path = join(&self.path, name);
        let failed = |error| Unfound::File(path.clone(), error);
        let Some((fd, mode)) = self.itself(name, &path)? else {
            return Ok(None);
        };
        if mode != libc::S_IFREG {
            let what = match mode {
                libc::S_IFLNK => "a symbolic link",
                libc::S_IFDIR => "a directory",
                libc::S_IFIFO => "a FIFO",
                libc::S_IFSOCK => "a socket",
                _ => "a device",
            };
            return because(format!("{} is {what}, and is not read", Word(&path)));
        }
        may_be_trusted(&path, fd.as_fd())?;
        let file = sys::reopen(fd.as_fd()).map_err(failed)?;
        let text = sys::read_all(file.as_fd(), Limit::FILE).map_err(failed)?;
        Ok(Some(text))
    }

    /// The names in it that begin so, in order; a name that begins with a dot is none.
    fn names(&self, beginning: &[u8]) -> Result<Vec<OsString>> {
        let failed = |error| Unfound::File(self.path.clone(), error);
        let fd = sys::open_at(self.fd.as_fd(), ".".as_ref(), For::Directory).map_err(failed)?;
        let mut names: Vec<OsString> = Vec::new();
        // They are few, and a sort is much code.
        for name in names_in(fd.as_fd(), &|name| name.starts_with(beginning)).map_err(failed)? {
            names.insert(names.partition_point(|other| *other < name), name);
        }
        Ok(names)
    }
}

/// The names in a directory that are wanted; none that begins with a dot.
fn names_in(dir: BorrowedFd<'_>, is_wanted: &dyn Fn(&[u8]) -> bool) -> sys::Result<Vec<OsString>> {
    let mut names = Vec::new();
    let mut room = [0; 4096];
    sys::each_name(dir, &mut room, |name| {
        let name = name.to_bytes();
        if !name.starts_with(b".") && is_wanted(name) {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    })?;
    Ok(names)
}

/// Only its owner may say which process has a name: where that is another user, or where others can write too, an ordinary
/// user could lead root into a process of their choice.
fn may_be_trusted(path: &OsStr, fd: BorrowedFd<'_>) -> Result<()> {
    let stat = sys::stat_fd(fd).map_err(|error| Unfound::File(path.to_owned(), error))?;
    let path = Word(path);
    if stat.st_uid != 0 && stat.st_uid != sys::effective_uid() {
        let owner = stat.st_uid;
        return because(format!(
            "{path} belongs to user {owner}, who is neither root nor the caller, and is not believed"
        ));
    }
    if stat.st_mode & 0o022 != 0 {
        return because(format!(
            "{path} can be written by others than its owner, and is not believed"
        ));
    }
    Ok(())
}

fn join(directory: &OsStr, name: &OsStr) -> OsString {
    let mut path = directory.to_owned();
    path.push("/");
    path.push(name);
    path
}
