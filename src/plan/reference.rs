//! Ways to name a namespace, shared by nsenter and setns.

use std::ffi::OsString;
use std::fmt;

use super::ns::{Kind, Kinds};
use super::step::Word;

/// A name of a namespace, or of a process for all of its namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// The target process of nsenter, opened by an earlier step.
    Target(i32),
    /// A process, through a pidfd; with an inode, only if its pidfd has that one.
    Process { pid: i32, inode: Option<u64> },
    /// An nsfs file.
    File(OsString),
    /// A name that `ip netns` gave.
    Netns(OsString),
    /// A descriptor that we inherited: an nsfs file or a pidfd.
    Descriptor(i32),
    /// The text of a link in /proc/PID/ns: `net:[4026531840]`.
    Link { kind: Kind, inode: u64 },
    /// The kernel's number for a namespace.
    Id(u64),
    /// The network namespace of a process's socket.
    Socket { pid: i32, fd: i32 },
    /// The process whose number is in the file.
    Pidfile(OsString),
    /// The living process with the lowest number in the cgroup.
    Cgroup(OsString),
    /// Our own namespaces.
    Own,
    /// Every namespace that can be seen.
    All,
    /// The parent of a user or PID namespace.
    Parent(Box<Reference>),
    /// The user namespace that owns it.
    Owner(Box<Reference>),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Target(pid) | Reference::Process { pid, inode: None } => {
                write!(f, "process {pid}")
            }
            Reference::Process { pid, inode: Some(inode) } => {
                write!(f, "process {pid} (pidfd inode {inode})")
            }
            Reference::File(path) => write!(f, "{}", Word(path)),
            Reference::Netns(name) => write!(f, "netns:{}", Word(name)),
            Reference::Descriptor(number) => write!(f, "fd:{number}"),
            Reference::Link { kind, inode } => write!(f, "{kind}:[{inode}]"),
            Reference::Id(id) => write!(f, "id:{id}"),
            Reference::Socket { pid, fd } => write!(f, "socket {fd} of process {pid}"),
            Reference::Pidfile(path) => write!(f, "pidfile:{}", Word(path)),
            Reference::Cgroup(path) => write!(f, "cgroup:{}", Word(path)),
            Reference::Own => write!(f, "self"),
            Reference::All => write!(f, "all"),
            Reference::Parent(of) => write!(f, "parent of {of}"),
            Reference::Owner(of) => write!(f, "owner of {of}"),
        }
    }
}

/// Which kinds are wanted of what is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// These; what is named must have them.
    These(Kinds),
    /// The one that it is; of a process, those in which it differs from us.
    Natural,
    /// All of the target's, except these, and except a user namespace that is ours already.
    AllBut(Kinds),
}

/// Something to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Of which kinds.
    pub(crate) which: Which,
    /// Whose.
    pub(crate) reference: Reference,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.which {
            Which::These(kinds) => write!(f, "{kinds} of {}", self.reference),
            Which::Natural => write!(f, "{}", self.reference),
            Which::AllBut(kinds) if kinds.is_empty() => write!(f, "all of {}", self.reference),
            Which::AllBut(kinds) => write!(f, "all but {kinds} of {}", self.reference),
        }
    }
}
