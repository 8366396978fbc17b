//! The steps of a plan, and how they print.

use std::ffi::{CStr, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use crate::model::idmap::IdMap;
use crate::model::kind::{Kind, Kinds};
use crate::model::reference::Wanted;
use crate::model::signal::Signal;
use crate::model::value::{Propagation, Setgroups};
use crate::model::{Clock, Ids, Word};

/// One thing to do.
///
/// A step is done by the process that came as far as it: before [`Step::Fork`] the one that was started, after
/// it the child. Only what stands in [`Step::Outside`] is done by somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Start a helper that stays in the namespaces that we came from, for the [`Step::Outside`] steps.
    Helper,
    /// Become this user and group for good (`--owner`).
    Become { uid: u32, gid: u32 },
    /// Make new namespaces, all in one call.
    Unshare(Kinds),
    /// Write /proc/self/setgroups (user_namespaces(7)).
    Setgroups(Setgroups),
    /// Write our own uid_map or gid_map, of one ID, for which no privilege is needed.
    WriteMap(Ids, IdMap),
    /// The helper does this, and we wait for it.
    Outside(Outside),
    /// Write /proc/self/timens_offsets (time_namespaces(7)).
    ClockOffset { clock: Clock, seconds: i64 },

    /// Open the target process; with an inode, only if its pidfd has that one.
    OpenTarget {
        pid: i32,
        inode: Option<u64>,
        /// A kind that is wanted of it, to be named when there is no such process.
        kind: Option<Kind>,
    },
    /// Open what else is to be used after the namespaces have changed.
    Open(Source),
    /// Make sure that the target lived until the last of this was opened.
    CheckTarget,
    /// Drop the supplementary groups already here, if that is permitted; for all of a target's namespaces, only
    /// if its user namespace is not ours.
    DropGroupsEarly { unless_ours: bool },
    /// Enter namespaces, in an order that is computed.
    Enter(Enter),
    /// Join the target's cgroups, opened before.
    JoinCgroup,
    /// Set a security attribute to the target's for the program, read before.
    ExecLabel(Label),

    /// Everything after this happens in a child; we wait for it.
    Fork(Fork),

    /// Set how mounts below `/` spread (mount_namespaces(7)).
    Propagation(Propagation),
    /// Make what is mounted there private, or where it is no mount point the mount that it lies on: what is mounted
    /// there next does not spread.
    MakePrivate(OsString),
    /// Mount proc.
    MountProc(OsString),
    /// Mount binfmt_misc.
    MountBinfmt(OsString),
    /// Register an interpreter in the binfmt_misc mounted there.
    Register { dir: OsString, entry: OsString },
    /// chroot(2) to the directory, then `/` is the working directory.
    Root(OsString),
    /// pivot_root(2) to the directory, then `/` is the working directory and the old root is gone.
    PivotRoot(OsString),
    /// chroot(2) to what was opened; the working directory stays.
    OpenedRoot,
    /// Change to the directory.
    Directory(OsString),
    /// Change to what was opened.
    OpenedDirectory,
    /// Set the host name.
    Hostname(OsString),
    /// Bring the loopback interface up.
    Loopback,

    /// Take these supplementary groups.
    Groups(GroupList),
    /// Take this group.
    Gid(NewId),
    /// Take this user.
    Uid(NewId),
    /// Keep the permitted capabilities while the user ID changes.
    HoldCapabilities(When),
    /// Keep the capabilities held across the execution of the program.
    KeepCapabilities(When),
    /// The environment of the program.
    Environment(Environment),
    /// Write the program's PID to this file.
    Pidfile(OsString),
    /// Give a line of advice on what the program will meet.
    Advise(&'static str),
    /// Execute the program.
    Execute(Program),
}

/// Whether a step is done at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// In any case.
    Always,
    /// If a user namespace was entered, which is seen only then.
    UserEntered,
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Always => Ok(()),
            When::UserEntered => f.write_str(", if a user namespace was entered"),
        }
    }
}

/// What the helper outside does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outside {
    /// Write the maps of more than one ID, each in its way.
    Maps(Vec<(Ids, IdMap, Via)>),
    /// Bind each new namespace on a file.
    Bind(Vec<(Kind, OsString)>),
}

/// How a map is written from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// Into the file, with our privilege.
    File,
    /// By newuidmap(1) or newgidmap(1).
    Program,
}

/// What is opened or read before anything changes, to be used afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The root directory: the target's, or this one.
    Root(Option<OsString>),
    /// The working directory: the target's, or this one.
    Directory(Option<OsString>),
    /// Our own working directory, kept while the root changes.
    OwnDirectory,
    /// The target's environment.
    Environment,
    /// The target's user, group and groups.
    Credentials,
    /// The target's cgroups.
    Cgroups,
    /// The target's security attribute.
    Label(Label),
}

/// A security attribute of a process, in /proc/PID/attr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// The SELinux context.
    Selinux,
    /// The AppArmor profile.
    Apparmor,
}

/// Which namespaces to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enter {
    /// Each, as it was named.
    pub(crate) wanted: Vec<Wanted>,
    /// Take them in the order named, and not in a computed one.
    pub(crate) in_order: bool,
    /// Enter the parent of the user namespace this many levels up.
    pub(crate) user_parent: u32,
}

/// How the child is started and waited for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Fork {
    /// The signal that it gets when we die.
    pub(crate) kill_child: Option<Signal>,
    /// The signals that we pass on to it.
    pub(crate) forward: Vec<Signal>,
    /// Do not die of SIGINT and SIGTERM while waiting.
    pub(crate) patient: bool,
    /// Stay in front of it, as PID 1.
    pub(crate) init: Option<Init>,
    /// Fork only if a PID namespace other than ours was entered.
    pub(crate) only_if_needed: bool,
}

/// Whom a PID 1 of ours passes signals on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Init {
    /// The program.
    Program,
    /// Its process group.
    Group,
}

/// A user or group to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewId {
    /// This one.
    These(u32),
    /// The target's.
    Follow,
    /// 0, if a user namespace was entered; else nothing changes.
    RootIfUserEntered,
}

/// Supplementary groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupList {
    /// These.
    These(Vec<u32>),
    /// None.
    Dropped,
    /// None, if a user namespace was entered and they could not be dropped early.
    DroppedIfUserEntered,
    /// The target's.
    Follow,
}

/// The environment of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Environment {
    /// Empty.
    Empty,
    /// These of our variables.
    Only(Vec<OsString>),
    /// The target's, read before.
    Target,
}

/// What is executed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// A program and its arguments: the rest of our own argv.
    Given(&'static [&'static CStr]),
    /// The user's shell, as a login shell.
    Shell,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Words as a shell would take them: quoted where it is needed.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Program::Shell => f.write_str("the login shell"),
            Program::Given(words) => {
                for (index, word) in words.iter().enumerate() {
                    let gap = if index == 0 { "" } else { " " };
                    write!(f, "{gap}{}", Word(OsStr::from_bytes(word.to_bytes())))?;
                }
                Ok(())
            }
        }
    }
}
