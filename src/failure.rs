//! A failure of ours: the classic line, and what is needed to say why.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;

use crate::model::{Clock, Ids, Kind, Kinds};
use crate::sys;

/// What failed, in the words that scripts compare, and at which stage.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What was being done.
    pub(crate) stage: Stage,
    /// The line, without the applet's name in front and the error's words behind.
    pub(crate) line: OsString,
    /// The error, if a system call gave one.
    pub(crate) error: Option<sys::Error>,
    /// The exit status, if it is not the one of all our failures.
    pub(crate) status: Option<u8>,
    /// What a helper program said on its standard error.
    pub(crate) said: Vec<u8>,
    /// The namespace that was refused, open still, where no path leads to it any more.
    pub(crate) subject: Option<OwnedFd>,
    /// Why, where that was asked for: found by the process that failed, before anything changed.
    pub(crate) causes: Option<Box<[Cause]>>,
}

/// A reason for a failure, and what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// A sentence with the fact that proves it.
    pub(crate) cause: String,
    /// What to do; empty where nothing can be advised.
    pub(crate) hint: String,
}

/// Told of a failure by the process that failed, so that it can find out why. Does nothing a second time.
pub(crate) type Inquiry<'a> = &'a dyn Fn(&mut Failure);

/// What was being done when it failed, with the facts that only the place of failure knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Understanding the options' values.
    CommandLine,
    /// Changing IDs for `--owner`.
    Become,
    /// unshare(2).
    Unshare(Kinds),
    /// Starting a child.
    Fork,
    /// Writing a map ourselves, or as the helper `outside` with privilege.
    Map {
        ids: Ids,
        text: Vec<u8>,
        outside: bool,
    },
    /// newuidmap or newgidmap, for this map.
    MapProgram { ids: Ids, text: Vec<u8> },
    /// Writing /proc/PID/setgroups.
    Setgroups,
    /// Writing a clock offset.
    Clock { clock: Clock, seconds: i64 },
    /// Mounting a file system.
    Mount {
        kind: &'static str,
        target: OsString,
    },
    /// Registering an interpreter.
    Register,
    /// Setting the propagation of `/`.
    Propagation,
    /// Binding a namespace on a file.
    Bind { kind: Kind, file: OsString },
    /// Changing the root directory, to this one or to what was opened.
    Root(Option<OsString>),
    /// Changing the working directory, likewise.
    Directory(Option<OsString>),
    /// Opening the target process.
    Target(i32),
    /// Opening something of the target, or a file.
    Open(OsString),
    /// Understanding or finding what a reference names.
    Reference,
    /// setns(2) into these kinds of the target, or of files.
    Enter { kinds: Kinds, pid: Option<i32> },
    /// A file is a namespace of another kind than was asked for.
    WrongKind { asked: Kind, found: Kind },
    /// Joining a cgroup.
    Cgroup,
    /// Setting a security attribute.
    Label,
    /// setgroups(2).
    Groups,
    /// setgid(2).
    Gid(u32),
    /// setuid(2).
    Uid(u32),
    /// Keeping capabilities.
    Capabilities,
    /// Setting the host name.
    Hostname,
    /// Bringing lo up.
    Loopback,
    /// Writing the PID file or to the status descriptor.
    Report,
    /// Executing a program.
    Execute(Box<Executed>),
    /// Waiting.
    Wait,
}

/// Something that a plan enters, as causes need to know it.
#[derive(Debug)]
pub(crate) struct Entering {
    /// Of which kinds.
    pub(crate) kinds: Kinds,
    /// Of this process.
    pub(crate) pid: Option<i32>,
    /// By this file.
    pub(crate) file: Option<OwnedFd>,
    /// What is ours already is left out.
    pub(crate) leaves_ours: bool,
}

/// A program that was to be executed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Executed {
    /// Its name, as given.
    pub(crate) file: OsString,
    /// The `PATH` that it was looked up in.
    pub(crate) path: Option<OsString>,
    /// It is the shell, and nobody named it on the command line.
    pub(crate) is_shell: bool,
    /// The root directory or the mount namespace is not the caller's.
    pub(crate) elsewhere: bool,
    /// Its environment is ours.
    pub(crate) own_environment: bool,
}

impl Stage {
    /// A word for it, for machines.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Stage::CommandLine => "command-line",
            Stage::Become => "owner",
            Stage::Unshare(_) => "unshare",
            Stage::Fork => "fork",
            Stage::Map { .. } | Stage::MapProgram { .. } => "map",
            Stage::Setgroups => "setgroups-file",
            Stage::Clock { .. } => "clock",
            Stage::Mount { .. } => "mount",
            Stage::Register => "binfmt",
            Stage::Propagation => "propagation",
            Stage::Bind { .. } => "bind",
            Stage::Root(_) => "root",
            Stage::Directory(_) => "directory",
            Stage::Target(_) => "target",
            Stage::Open(_) => "open",
            Stage::Reference => "reference",
            Stage::Enter { .. } | Stage::WrongKind { .. } => "setns",
            Stage::Cgroup => "cgroup",
            Stage::Label => "label",
            Stage::Groups => "setgroups",
            Stage::Gid(_) => "setgid",
            Stage::Uid(_) => "setuid",
            Stage::Capabilities => "capabilities",
            Stage::Hostname => "hostname",
            Stage::Loopback => "loopback",
            Stage::Report => "report",
            Stage::Execute(_) => "exec",
            Stage::Wait => "wait",
        }
    }
}

impl Failure {
    /// A system call failed at `stage`.
    #[cold]
    pub(crate) fn new(stage: Stage, line: impl Into<OsString>, error: sys::Error) -> Failure {
        Failure {
            error: Some(error),
            ..Failure::plain(stage, line)
        }
    }

    /// Something other than a system call failed.
    #[cold]
    pub(crate) fn plain(stage: Stage, line: impl Into<OsString>) -> Failure {
        Failure {
            stage,
            line: line.into(),
            error: None,
            status: None,
            said: Vec::new(),
            subject: None,
            causes: None,
        }
    }

    /// The classic `cannot open FILE`.
    #[cold]
    pub(crate) fn open(path: impl AsRef<OsStr>, error: sys::Error) -> Failure {
        let path = path.as_ref();
        Failure::new(
            Stage::Open(path.to_owned()),
            line(["cannot open ".as_ref(), path]),
            error,
        )
    }

    /// A file was opened, or found to be none that is read, and could not be read.
    #[cold]
    pub(crate) fn read(path: impl AsRef<OsStr>, error: sys::Error) -> Failure {
        let path = path.as_ref();
        Failure::new(
            Stage::Open(path.to_owned()),
            line(["cannot read ".as_ref(), path]),
            error,
        )
    }
}

/// A line put together of parts, some of which may be paths of any bytes.
#[cold]
pub(crate) fn line<const N: usize>(parts: [&OsStr; N]) -> OsString {
    let mut line = OsString::new();
    parts.into_iter().for_each(|part| line.push(part));
    line
}

/// The result of a step.
pub(crate) type Result<T> = std::result::Result<T, Failure>;
