//! The target process: opened once, and never mixed up with another that got its number.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use libc::{ENOENT, EOPNOTSUPP, ESRCH};

use super::ahead::Ahead;
use super::file::{cannot_open, cannot_read};
use super::trace::{gone, zombie};
use super::{Do, State};
use crate::failure::{Case, Failure, Finding, Result, because, explains};
use crate::host::procfs::Status;
use crate::host::target::{Pidfds, Process, TargetFacts};
use crate::model::Kind;
use crate::sys::{self, For, Limit, Number, Proc};

/// Open the target process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenTarget {
    pub(crate) pid: i32,
    /// The one that its pidfd must have.
    pub(crate) inode: Option<u64>,
    /// A kind that is wanted of it, to be named when there is no such process.
    pub(crate) kind: Option<Kind>,
}

impl fmt::Display for OpenTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "open process {}", self.pid)?;
        match self.inode {
            Some(inode) => write!(f, ", with pidfd inode {inode}"),
            None => Ok(()),
        }
    }
}

impl Do for OpenTarget {
    fn run(&self, state: &mut State) -> Result<()> {
        state.target = Some(Target::open(self.pid, self.inode, self.kind)?);
        Ok(())
    }

    fn predict<'a>(&'a self, _: &str, ahead: &mut Ahead<'a>) {
        ahead.pid = Some(self.pid);
    }
}

/// Make sure that the target lived until the last of its things was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckTarget;

impl fmt::Display for CheckTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("check that the process still lives")
    }
}

impl Do for CheckTarget {
    fn run(&self, state: &mut State) -> Result<()> {
        state.target.as_mut().map_or(Ok(()), Target::check_alive)
    }
}

/// A process whose contexts are taken.
#[derive(Debug)]
pub(crate) struct Target {
    pid: i32,
    /// None on kernels before Linux 5.3, which have no pidfds.
    pidfd: Option<OwnedFd>,
    /// What /proc calls it, which is another number where /proc is of another PID namespace; known when the directory
    /// is open.
    number: i32,
    /// Its directory in /proc, opened when something in it is first wanted.
    directory: Option<OwnedFd>,
    /// Whether its user namespace is ours, once that has been looked at.
    pub(crate) shares_user: Option<bool>,
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
                return Err(Failure::new(TargetProcess(pid), file, error));
            }
            Err(error) => {
                return Err(Failure::new(
                    TargetProcess(pid),
                    format!("cannot open process {pid}"),
                    error,
                ));
            }
        };
        if let Some(expected) = inode {
            let found = pidfd
                .as_ref()
                .map_or(Ok(None), |pidfd| own_inode(pidfd.as_fd()));
            let text = || format!("failed to obtain a valid file descriptor for PID {pid}");
            let error = match found {
                Ok(Some(found)) if found == expected => None,
                Ok(Some(found)) => {
                    let other = OtherProcess {
                        pid,
                        expected,
                        found,
                    };
                    let error = sys::Error::from_raw(libc::ESRCH);
                    return Err(Failure::new(other, text(), error));
                }
                Ok(None) => Some(sys::Error::from_raw(libc::EOPNOTSUPP)),
                Err(error) => Some(error),
            };
            if let Some(error) = error {
                return Err(Failure::new(TargetProcess(pid), text(), error));
            }
        }
        Ok(Target {
            pidfd,
            ..Target::numbered(pid)
        })
    }

    fn numbered(pid: i32) -> Target {
        Target {
            pid,
            pidfd: None,
            number: pid,
            directory: None,
            shares_user: None,
        }
    }

    /// This process. Its directory is that of /proc/self: where /proc is of another PID namespace, our number
    /// there is another, and our own number somebody else's.
    ///
    /// # Errors
    /// When there is no /proc.
    pub(crate) fn own() -> Result<Target> {
        let mut target = Target::open(sys::pid(), None, None)?;
        let directory = sys::open("/proc/self".as_ref(), For::Directory)
            .map_err(|error| cannot_open("/proc/self", error))?;
        target.directory = Some(directory);
        Ok(target)
    }

    /// A process whose pidfd somebody else opened.
    ///
    /// # Errors
    /// When the descriptor is none.
    pub(crate) fn from_pidfd(pidfd: OwnedFd, pid: i32) -> Target {
        Target {
            pidfd: Some(pidfd),
            ..Target::numbered(pid)
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

    /// Its directory in /proc, to look for `name` in it.
    fn directory(&mut self, name: &str) -> Result<BorrowedFd<'_>> {
        let directory = match self.directory.take() {
            Some(directory) => directory,
            None => {
                self.number = self.number(name)?;
                sys::open(format!("/proc/{}", self.number).as_ref(), For::Directory)
                    .map_err(|error| cannot_open(self.path(name), error))?
            }
        };
        let directory: &OwnedFd = self.directory.insert(directory);
        Ok(directory.as_fd())
    }

    /// What /proc calls it.
    fn number(&self, name: &str) -> Result<i32> {
        let proc = Proc::default();
        let pid = self.pid;
        let failed = |error| cannot_open(self.path(name), error);
        let number = match &self.pidfd {
            Some(pidfd) => match proc.number_of(pidfd.as_fd()) {
                // Before Linux 5.14 who is not dumpable may not read this of itself either. The number that we know
                // is as sure: whoever opens something by it asks the pidfd afterwards whether that has ended.
                Err(error) if error.raw() == libc::EACCES && pid > 0 && proc.counts_as_we_do() => {
                    Some(Number::Is(pid))
                }
                found => found.map_err(failed)?,
            },
            None => None,
        };
        match number {
            Some(Number::Is(number)) => Ok(number),
            Some(Number::Ended) => Err(self.ended()),
            None if self.pidfd.is_none() && proc.counts_as_we_do() => Ok(pid),
            None if proc.stat("self").is_err() => Err(failed(sys::Error::from_raw(libc::ENOENT))),
            Some(Number::None) | None => {
                let text = format!(
                    "process {pid} cannot be found in /proc, which is that of another PID namespace"
                );
                Err(Failure::plain(TargetProcess(pid), text))
            }
        }
    }

    /// Whether its directory in /proc was found.
    pub(crate) fn is_found(&self) -> bool {
        self.directory.is_some()
    }

    /// Where /proc has a file of it.
    fn path(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.number)
    }

    /// Its directory for somebody else, who may look into it after the namespaces have changed.
    pub(crate) fn directory_copy(&mut self) -> Result<OwnedFd> {
        self.open_file(".", For::Directory)
    }

    /// Opens a file in its directory in /proc.
    pub(crate) fn open_file(&mut self, name: &str, purpose: For) -> Result<OwnedFd> {
        let opened = sys::open_at(self.directory(name)?, name.as_ref(), purpose);
        opened.map_err(|error| cannot_open(self.path(name), error))
    }

    /// Reads a file in its directory in /proc.
    pub(crate) fn read_file(&mut self, name: &str, limit: Limit) -> Result<Vec<u8>> {
        let file = self.open_file(name, For::Reading)?;
        sys::read_all(file.as_fd(), limit).map_err(|error| cannot_read(self.path(name), error))
    }

    /// Opens its namespace of this kind.
    pub(crate) fn open_namespace(&mut self, kind: Kind) -> Result<OwnedFd> {
        if let Some(namespace) = self.namespace(kind) {
            return Ok(namespace);
        }
        self.open_file(&format!("ns/{kind}"), For::Reading)
    }

    /// Its namespace of this kind, without /proc; none where the kernel gives none in this way, or refuses.
    fn namespace(&self, kind: Kind) -> Option<OwnedFd> {
        // With its directory open already that is as sure, and costs less.
        let pidfd = self.pidfd.as_ref().filter(|_| self.directory.is_none())?;
        sys::namespace_of(pidfd.as_fd(), kind.flag()).ok()
    }

    /// Which namespace of this kind it is in: device and inode.
    pub(crate) fn namespace_identity(&mut self, kind: Kind) -> Result<(u64, u64)> {
        if let Some(stat) = self
            .namespace(kind)
            .and_then(|namespace| sys::stat_fd(namespace.as_fd()).ok())
        {
            return Ok((stat.st_dev, stat.st_ino));
        }
        let name = format!("ns/{kind}");
        let stat = sys::stat_at(self.directory(&name)?, name.as_ref());
        stat.map(|stat| (stat.st_dev, stat.st_ino))
            .map_err(|error| cannot_open(self.path(&name), error))
    }

    /// Makes sure that the process has not ended: so what was opened in /proc/PID before was its own, not that
    /// of another process which got the number since; and not what is left of a zombie.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        let ended = match (&self.pidfd, &self.directory) {
            (Some(pidfd), _) => sys::has_ended(pidfd.as_fd()).unwrap_or(true),
            // The directory stays that of the process it was opened for.
            (None, Some(directory)) => {
                sys::read_file_at(directory.as_fd(), "status".as_ref(), Limit::FILE)
                    .ok()
                    .and_then(|text| Status::parse(&text))
                    .is_none_or(|status| matches!(status.state, b'Z' | b'X'))
            }
            (None, None) => false,
        };
        if ended { Err(self.ended()) } else { Ok(()) }
    }

    fn ended(&self) -> Failure {
        let text = format!("process {} ended while it was looked at", self.pid);
        let error = sys::Error::from_raw(libc::ESRCH);
        Failure::new(TargetProcess(self.pid), text, error)
    }
}

/// The inode of a pidfd that no other process's pidfd has; none before Linux 6.9, where all pidfds share one.
fn own_inode(pidfd: BorrowedFd<'_>) -> sys::Result<Option<u64>> {
    if !sys::is_on_pidfs(pidfd)? {
        return Ok(None);
    }
    Ok(Some(sys::stat_fd(pidfd)?.st_ino))
}

/// The process of this PID is opened, or looked at.
pub(crate) struct TargetProcess(pub(crate) i32);

impl TargetProcess {
    fn facts<'a>(&self, case: &'a Case<'_>) -> Option<&'a TargetFacts> {
        case.facts.target(Process::Ours(self.0))
    }
}

explains! {
    TargetProcess {
        word: "target",
        classic: "cannot open /proc/PID/ns/KIND",
        applets: ["nsenter", "setns"],
    }
    Rule {
        id: "target-gone",
        errors: [ENOENT, ESRCH],
        about: "There is no such process in the current PID namespace.",
        advice: "Look the PID up here: ps -e. In a container PIDs are others than outside.",
        find: |process, case| gone(process.facts(case)?, false),
    },
    Rule {
        id: "target-zombie",
        errors: [ENOENT, ESRCH],
        about: "The process has ended and waits for its parent (a zombie).",
        advice: "It has no namespaces any more; take another process.",
        find: |process, case| zombie(process.facts(case)?),
    },
    Rule {
        id: "target-inode",
        errors: [EOPNOTSUPP],
        about: "All pidfds share one inode (before Linux 6.9), or there are none (before Linux 5.3): an inode tells no \
                process from another.",
        advice: "Leave the inode out, and make sure otherwise that it is the process meant.",
        find: |_, case| without_inode(case),
    },
}

/// The process of this PID is not the one whose pidfd has the inode that was named.
pub(crate) struct OtherProcess {
    pub(crate) pid: i32,
    pub(crate) expected: u64,
    pub(crate) found: u64,
}

explains! {
    OtherProcess {
        word: "target",
        classic: "failed to obtain a valid file descriptor for PID PID",
        applets: ["nsenter", "setns"],
    }
    Rule {
        id: "target-other",
        errors: [ESRCH],
        about: "The process of this PID has a pidfd of another inode: it is not the one that was meant.",
        advice: "Look for the process anew, or leave the inode out to take the one that is there.",
        find: |other, _| {
            let OtherProcess { pid, expected, found } = other;
            because(
                format!(
                    "the pidfd of process {pid} has inode {found}, not {expected}, so it is not the process that was meant"
                ),
                "look for the process anew, or leave the inode out to take the one that is there",
            )
        },
    },
}

fn without_inode(case: &Case<'_>) -> Option<Finding> {
    let why = match case.facts.pidfds()? {
        Pidfds::Alike => {
            "all pidfds share one inode before Linux 6.9, so it tells no process from another"
        }
        Pidfds::Missing => {
            "there are no pidfds: the kernel is older than Linux 5.3, or a filter refuses pidfd_open(2)"
        }
        Pidfds::Distinct => return None,
    };
    because(
        why,
        "leave the inode out, and make sure otherwise that it is the process meant",
    )
}
