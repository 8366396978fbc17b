//! A proc file system: files in it by their paths below /proc, and what it calls a process.
//!
//! The hard thing: after another mount namespace or root directory was entered the name /proc leads to whatever
//! somebody else has put there, and a proc of another PID namespace has other numbers than we have.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::AT_FDCWD;

use super::{Error, FileStat, For, Limit, Result};

/// The proc file system that is ours.
#[derive(Debug, Default)]
pub(crate) struct Proc {
    /// What is used instead of the name, once that must not be used any more; in it nothing where there was no proc.
    ///
    /// Never closed but by the execution of the program or our end: a child that shares our memory has descriptors of
    /// its own.
    kept: OnceCell<Option<Kept>>,
}

/// A proc, open.
#[derive(Debug)]
struct Kept {
    root: ManuallyDrop<OwnedFd>,
    /// Its device and inode, which may be refused later.
    identity: (u64, u64),
}

impl Kept {
    fn open() -> Result<Kept> {
        let root = super::open("/proc".as_ref(), For::Path)?;
        if !is_proc(root.as_fd()) {
            return Err(Error::from_raw(libc::ENOENT));
        }
        let identity = super::stat_fd(root.as_fd())?;
        Ok(Kept {
            root: ManuallyDrop::new(root),
            identity: (identity.st_dev, identity.st_ino),
        })
    }
}

impl Proc {
    /// Opens it, since its name will lead elsewhere.
    pub(crate) fn keep(&self) {
        if self.kept.get().is_none() {
            let _ = self.kept.set(Kept::open().ok());
        }
    }

    /// Where a path below it is looked up: a directory, and a path.
    fn place(&self, path: &str) -> Result<(BorrowedFd<'_>, OsString)> {
        match self.kept.get() {
            None => Ok((AT_FDCWD, format!("/proc/{path}").into())),
            Some(Some(proc)) => Ok((proc.root.as_fd(), path.into())),
            Some(None) => Err(Error::from_raw(libc::ENOENT)),
        }
    }

    /// Opens a file in it.
    pub(crate) fn open(&self, path: &str, purpose: For) -> Result<OwnedFd> {
        let (dir, place) = self.place(path)?;
        self.or_connected(super::open_at(dir, &place, purpose), path, purpose)
    }

    /// Reads a file in it.
    pub(crate) fn read(&self, path: &str, limit: Limit) -> Result<Vec<u8>> {
        let (dir, place) = self.place(path)?;
        let file = super::open_regular_at(dir, &place);
        let file = self.or_connected(file, path, For::Reading)?;
        super::read_all(file.as_fd(), limit)
    }

    /// What was opened; or if that was refused, the same by the present name of /proc, if that is the same file system
    /// still: AppArmor refuses, to whom it confines, what is on a mount of another mount namespace.
    ///
    /// Nothing that somebody has put over a part of it is met (openat2(2), `RESOLVE_NO_XDEV`, Linux 5.6).
    fn or_connected(&self, opened: Result<OwnedFd>, path: &str, purpose: For) -> Result<OwnedFd> {
        let (Err(refusal), Some(Some(kept))) = (&opened, self.kept.get()) else {
            return opened;
        };
        if refusal.raw() != libc::EACCES {
            return opened;
        }
        let connected = || {
            let named = super::open("/proc".as_ref(), For::Path)?;
            let stat = super::stat_fd(named.as_fd())?;
            if (stat.st_dev, stat.st_ino) != kept.identity {
                return Err(*refusal);
            }
            super::open_on_mount(named.as_fd(), path.as_ref(), purpose)
        };
        connected().or(opened)
    }

    /// What a path in it refers to.
    pub(crate) fn stat(&self, path: &str) -> Result<FileStat> {
        let (dir, path) = self.place(path)?;
        super::stat_at(dir, &path)
    }

    /// What a path in it itself is.
    pub(crate) fn lstat(&self, path: &str) -> Result<FileStat> {
        let (dir, path) = self.place(path)?;
        super::lstat_at(dir, &path)
    }

    /// The text of a link in it.
    pub(crate) fn read_link(&self, path: &str) -> Result<OsString> {
        let (dir, path) = self.place(path)?;
        super::read_link_at(dir, &path)
    }

    /// What it calls the process behind a pidfd, which may be another number than ours; none when the descriptor is no
    /// pidfd.
    pub(crate) fn number_of(&self, pidfd: BorrowedFd<'_>) -> Result<Option<Number>> {
        let file = self.open(&format!("self/fdinfo/{}", pidfd.as_raw_fd()), For::Reading)?;
        // Six short lines, which the kernel gives in one piece.
        let mut room = [0; 512];
        let length = super::read_some(file.as_fd(), &mut room)?;
        Ok(Number::of(room.get(..length).unwrap_or_default()))
    }

    /// Whether it numbers processes as we do, for kernels without pidfds.
    ///
    /// `NSpid:` has our number in each PID namespace from that of this proc down to our own (proc_pid_status(5)).
    pub(crate) fn counts_as_we_do(&self) -> bool {
        let Ok(status) = self.read("self/status", Limit::FILE) else {
            return false;
        };
        let mut lines = status.split(|&byte| byte == b'\n');
        match lines.find_map(|line| line.strip_prefix(b"NSpid:")) {
            Some(numbers) => numbers.trim_ascii().iter().all(u8::is_ascii_digit),
            // Before Linux 4.1.
            None => self.read_link("self").ok() == Some(super::pid().to_string().into()),
        }
    }
}

/// Whether a descriptor lies on a proc file system.
fn is_proc(fd: BorrowedFd<'_>) -> bool {
    /// `PROC_SUPER_MAGIC` of `linux/magic.h`.
    const PROC: u64 = 0x9fa0;
    super::filesystem_magic(fd) == Ok(PROC)
}

/// What a proc calls a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// This.
    Is(i32),
    /// Nothing: the process is in no PID namespace that it shows.
    None,
    /// The process has ended.
    Ended,
}

impl Number {
    /// Reads it in the fdinfo of a pidfd (pidfd_open(2)).
    fn of(info: &[u8]) -> Option<Number> {
        let mut lines = info.split(|&byte| byte == b'\n');
        let number = lines.find_map(|line| line.strip_prefix(b"Pid:"))?;
        match std::str::from_utf8(number.trim_ascii())
            .ok()?
            .parse()
            .ok()?
        {
            -1 => Some(Number::Ended),
            0 => Some(Number::None),
            number => Some(Number::Is(number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fdinfo_says() {
        let info = |pid: &str| format!("pos:\t0\nflags:\t02000002\nmnt_id:\t16\n{pid}NSpid:\t7\n");
        let number = |pid: &str| Number::of(info(pid).as_bytes());
        assert_eq!(number("Pid:\t1234\n"), Some(Number::Is(1234)));
        assert_eq!(number("Pid:\t0\n"), Some(Number::None));
        assert_eq!(number("Pid:\t-1\n"), Some(Number::Ended));
        assert_eq!(number(""), None);
        assert_eq!(number("Pid:\tx\n"), None);
    }

    #[test]
    fn our_own_proc() {
        let (named, kept) = (Proc::default(), Proc::default());
        kept.keep();
        for proc in [&named, &kept] {
            let status = proc.read("self/status", Limit::FILE).unwrap();
            assert!(status.starts_with(b"Name:"));
            assert!(proc.read("self/ns", Limit::FILE).is_err());
            let pidfd = super::super::pidfd_open(super::super::pid()).unwrap();
            let own = super::super::pid();
            assert_eq!(proc.number_of(pidfd.as_fd()), Ok(Some(Number::Is(own))));
            assert!(proc.counts_as_we_do());
        }
        let none = Proc {
            kept: OnceCell::from(None),
        };
        assert_eq!(none.stat("self").unwrap_err().raw(), libc::ENOENT);
        assert!(!none.counts_as_we_do());
    }
}
