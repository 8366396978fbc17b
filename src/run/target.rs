//! The target process: opened once, and never mixed up with another that got its number.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::failure::{Failure, Result, Stage};
use crate::plan::Kind;
use crate::plan::procfs::Status;
use crate::sys::{self, For};

/// A process whose contexts are taken.
#[derive(Debug)]
pub(crate) struct Target {
    pid: i32,
    /// None on kernels before Linux 5.3, which have no pidfds.
    pidfd: Option<OwnedFd>,
    /// /proc/PID, opened when something in it is first wanted.
    directory: Option<OwnedFd>,
    /// Whether its user namespace is ours, once that has been looked at.
    pub(super) shares_user: Option<bool>,
}

impl Target {
    /// Opens the process. With an inode, only if its pidfd has that one (Linux 6.9 or later, where each
    /// process has its own).
    ///
    /// # Errors
    /// In the words of a failed open of /proc/PID/ns/`kind`, when there is no such process.
    pub(crate) fn open(pid: i32, inode: Option<u64>, kind: Option<Kind>) -> Result<Target> {
        let pidfd = match sys::pidfd_open(pid) {
            Ok(pidfd) => Some(pidfd),
            // Some containers' filters say EPERM to every call that they do not know.
            Err(error) if matches!(error.raw(), libc::ENOSYS | libc::EPERM) => None,
            // A thread that is not the first of its process has namespaces of its own too.
            Err(error) if matches!(error.raw(), libc::ENOENT | libc::EINVAL) => {
                sys::pidfd_open_thread(pid).ok()
            }
            Err(error) if error.raw() == libc::ESRCH => {
                let file = match kind {
                    Some(kind) => format!("cannot open /proc/{pid}/ns/{kind}"),
                    None => format!("cannot open /proc/{pid}"),
                };
                let error = sys::Error::from_raw(libc::ENOENT);
                return Err(Failure::new(Stage::Target(pid), file, error));
            }
            Err(error) => {
                return Err(Failure::new(
                    Stage::Target(pid),
                    format!("cannot open process {pid}"),
                    error,
                ));
            }
        };
        if let Some(expected) = inode {
            let found = match &pidfd {
                Some(pidfd) => sys::stat_fd(pidfd.as_fd()).map(|stat| stat.st_ino),
                None => Err(sys::Error::from_raw(libc::ENOSYS)),
            };
            if found != Ok(expected) {
                let text = format!("failed to obtain a valid file descriptor for PID {pid}");
                let error = found.err().unwrap_or(sys::Error::from_raw(libc::ESRCH));
                return Err(Failure::new(Stage::Target(pid), text, error));
            }
        }
        Ok(Target {
            pid,
            pidfd,
            directory: None,
            shares_user: None,
        })
    }

    /// This process. Its directory is that of /proc/self: where /proc is of another PID namespace, our number
    /// there is another, and our own number somebody else's.
    ///
    /// # Errors
    /// When there is no /proc.
    pub(crate) fn own() -> Result<Target> {
        let mut target = Target::open(sys::pid(), None, None)?;
        let directory = sys::open("/proc/self".as_ref(), For::Directory)
            .map_err(|error| Failure::open("/proc/self", error))?;
        target.directory = Some(directory);
        Ok(target)
    }

    /// A process whose pidfd somebody else opened.
    ///
    /// # Errors
    /// When the descriptor is none.
    pub(crate) fn from_pidfd(pidfd: OwnedFd, pid: i32) -> Target {
        Target {
            pid,
            pidfd: Some(pidfd),
            directory: None,
            shares_user: None,
        }
    }

    /// Its number.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Its pidfd, where the kernel has them.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Its directory in /proc.
    pub(crate) fn directory(&mut self) -> sys::Result<BorrowedFd<'_>> {
        let directory = match self.directory.take() {
            Some(directory) => directory,
            None => sys::open(format!("/proc/{}", self.pid).as_ref(), For::Directory)?,
        };
        let directory: &OwnedFd = self.directory.insert(directory);
        Ok(directory.as_fd())
    }

    /// The same for somebody else, who may look into it after the namespaces have changed.
    pub(crate) fn directory_copy(&mut self) -> Result<OwnedFd> {
        self.directory()
            .and_then(|directory| sys::open_at(directory, ".".as_ref(), For::Directory))
            .map_err(|error| Failure::open(format!("/proc/{}", self.pid), error))
    }

    /// Opens a file below /proc/PID.
    pub(crate) fn open_file(&mut self, name: &str, purpose: For) -> Result<OwnedFd> {
        self.directory()
            .and_then(|directory| sys::open_at(directory, name.as_ref(), purpose))
            .map_err(|error| Failure::open(format!("/proc/{}/{name}", self.pid), error))
    }

    /// Reads a file below /proc/PID.
    pub(crate) fn read_file(&mut self, name: &str) -> Result<Vec<u8>> {
        let file = self.open_file(name, For::Reading)?;
        sys::read_all(file.as_fd())
            .map_err(|error| Failure::open(format!("/proc/{}/{name}", self.pid), error))
    }

    /// Opens its namespace of this kind.
    pub(crate) fn open_namespace(&mut self, kind: Kind) -> Result<OwnedFd> {
        self.open_file(&format!("ns/{kind}"), For::Reading)
    }

    /// Which namespace of this kind it is in: device and inode.
    pub(crate) fn namespace_identity(&mut self, kind: Kind) -> Result<(u64, u64)> {
        let name = format!("ns/{kind}");
        self.directory()
            .and_then(|directory| sys::stat_at(directory, name.as_ref()))
            .map(|stat| (stat.st_dev, stat.st_ino))
            .map_err(|error| Failure::open(format!("/proc/{}/{name}", self.pid), error))
    }

    /// Makes sure that the process has not ended: so what was opened in /proc/PID before was its own, not that
    /// of another process which got the number since; and not what is left of a zombie.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        let ended = match (&self.pidfd, &self.directory) {
            (Some(pidfd), _) => sys::has_ended(pidfd.as_fd()).unwrap_or(true),
            // The directory stays that of the process it was opened for.
            (None, Some(directory)) => sys::read_file_at(directory.as_fd(), "status".as_ref())
                .ok()
                .and_then(|text| Status::parse(&text))
                .is_none_or(|status| matches!(status.state, b'Z' | b'X')),
            (None, None) => false,
        };
        if ended {
            let text = format!("process {} ended while it was looked at", self.pid);
            let error = sys::Error::from_raw(libc::ESRCH);
            return Err(Failure::new(Stage::Target(self.pid), text, error));
        }
        Ok(())
    }
}
