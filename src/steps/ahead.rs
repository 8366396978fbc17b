//! What a plan would fail at, as far as that can be seen without doing anything.
//!
//! The hard thing: each step is looked at from where we are now, but would be done from where the steps before it
//! lead. What those change (privilege, maps, the root directory) is followed here; where that cannot be known,
//! nothing is foretold.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;

use crate::failure::{Case, Cause, Explain, cause};
use crate::host::facts::Facts;
use crate::host::target::Process;
use crate::model::value::Setgroups;
use crate::model::{AppletName, IdMap, Ids, Kind, Kinds};
use crate::sys::{self, For, Proc};

/// Something that a plan enters, as causes need to know it.
#[derive(Debug)]
pub(crate) struct Entering {
    pub(crate) kinds: Kinds,
    /// Of this process.
    pub(crate) pid: Option<i32>,
    /// By this file.
    pub(crate) file: Option<OwnedFd>,
    /// What is ours already is left out.
    pub(crate) leaves_ours: bool,
}

/// The root directory that a step would be done in.
#[derive(Default)]
pub(crate) enum RootAhead {
    #[default]
    Ours,
    Open(OwnedFd),
    Unknown,
}

/// The program's environment, as far as it says where a program is found.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum EnvironmentAhead {
    #[default]
    Ours,
    /// Some of ours; with or without `PATH`.
    Fewer { has_path: bool },
    /// The target's.
    Unknown,
}

/// A step that would fail, or a part of one.
#[derive(Debug)]
pub(crate) struct Foretold {
    /// Its line in the plan.
    pub(crate) line: String,
    /// The word for it, for machines.
    pub(crate) word: &'static str,
    /// None where no system call would fail.
    pub(crate) error: Option<sys::Error>,
    /// The exit status then, if it is not the one of all our failures.
    pub(crate) status: Option<u8>,
    /// What is proved, and so is never empty.
    pub(crate) causes: Vec<Cause>,
}

/// Where the steps so far would have led, and what has been told of them.
#[derive(Default)]
pub(crate) struct Ahead<'a> {
    applet: AppletName,
    pub(super) entering: &'a [Entering],
    /// The target process.
    pub(super) pid: Option<i32>,
    pub(super) made: Kinds,
    pub(super) entered: Kinds,
    pub(super) forked: bool,
    /// The new user namespace's maps of users and of groups.
    maps: [Option<&'a IdMap>; 2],
    /// A process of the user namespace that would be entered.
    pub(super) into: Option<i32>,
    /// setgroups is denied in the new user namespace.
    pub(super) groups_denied: bool,
    /// The user and group that we would have become for good.
    pub(super) owner: Option<(u32, u32)>,
    pub(super) root: RootAhead,
    /// The working directory is not ours any more.
    pub(super) moved: bool,
    pub(super) environment: EnvironmentAhead,
    /// What would fail, in the order of doing.
    pub(crate) foretold: Vec<Foretold>,
}

impl<'a> Ahead<'a> {
    /// Before the first step. `entering`: what the plan enters.
    pub(crate) fn new(applet: AppletName, entering: &'a [Entering]) -> Ahead<'a> {
        Ahead {
            applet,
            entering,
            ..Ahead::default()
        }
    }

    /// Tells if a step, whose line in the plan is given, would fail with this error, 0 for none, with facts that `change`
    /// makes those of its time.
    pub(super) fn tell(
        &mut self,
        line: &str,
        step: &dyn Explain,
        errno: i32,
        change: impl FnOnce(&mut Facts<'_>),
    ) -> bool {
        let proc = Proc::default();
        let mut facts = Facts::new(&proc);
        change(&mut facts);
        let facts = &facts;
        let applet = self.applet;
        let causes = cause::proved(
            step,
            &Case {
                errno,
                facts,
                applet,
            },
        );
        if causes.is_empty() {
            return false;
        }
        self.foretold.push(Foretold {
            line: line.to_owned(),
            word: step.word(),
            error: (errno != 0).then(|| sys::Error::from_raw(errno)),
            status: None,
            causes,
        });
        true
    }

    /// What was told last would end us with this exit status.
    pub(super) fn ends_with(&mut self, status: u8) {
        if let Some(last) = self.foretold.last_mut() {
            last.status = Some(status);
        }
    }

    /// Of something that fails where a path leads nowhere.
    pub(super) fn tell_of_path(&mut self, line: &str, step: &dyn Explain) {
        for errno in [libc::ENOENT, libc::ENOTDIR, libc::EACCES] {
            if self.tell(line, step, errno, |_| {}) {
                break;
            }
        }
    }

    /// Of something that needs privilege over our own credentials.
    pub(super) fn tell_of_credentials(
        &mut self,
        line: &str,
        step: &dyn Explain,
        errno: i32,
    ) -> bool {
        if !self.is_as_now() && !self.has_new_user() {
            return false;
        }
        let as_inside = self.as_inside();
        self.tell(line, step, errno, as_inside)
    }

    pub(super) fn has_new_user(&self) -> bool {
        self.made.has(Kind::User)
    }

    /// Whether our privilege would be what it is now.
    pub(super) fn is_as_now(&self) -> bool {
        !self.has_new_user() && !self.entered.has(Kind::User) && self.owner.is_none()
    }

    /// The new user namespace has this map then.
    pub(super) fn has_map(&mut self, ids: Ids, map: &'a IdMap) {
        self.maps[ids as usize] = Some(map);
    }

    /// Makes facts those of root in the new user namespace, where there would be one.
    pub(super) fn as_inside(&self) -> impl Fn(&mut Facts<'_>) + use<> {
        let inside = self.has_new_user();
        let maps = self
            .maps
            .map(|map| map.cloned().or_else(|| IdMap::parse(b"")));
        let denied = self.groups_denied;
        move |facts| {
            if inside {
                facts.capabilities = Some(u64::MAX).into();
                facts.is_initial_user = Some(false).into();
                facts.has_initial_mounts = Some(false).into();
                let [uids, gids] = maps.clone();
                (facts.uid_map, facts.gid_map) = (uids.into(), gids.into());
                if denied {
                    facts.setgroups = Some(Setgroups::Deny).into();
                }
            }
        }
    }

    pub(super) fn is_in_our_root(&self) -> bool {
        matches!(self.root, RootAhead::Ours)
    }

    pub(super) fn is_in_our_directory(&self) -> bool {
        self.is_in_our_root() && !self.moved
    }

    /// The root directory where it is not ours; `None`: it is not known.
    pub(super) fn known_root(&self) -> Option<Option<&OwnedFd>> {
        match &self.root {
            RootAhead::Ours => Some(None),
            RootAhead::Open(root) => Some(Some(root)),
            RootAhead::Unknown => None,
        }
    }

    /// The root directory is another then; `None`: it is not known which.
    pub(super) fn has_root(&mut self, dir: Option<&OsStr>) {
        self.root = dir
            .and_then(|dir| sys::open(dir, For::Directory).ok())
            .map_or(RootAhead::Unknown, RootAhead::Open);
    }
}

/// The root directory of a process.
pub(super) fn root_of(pid: i32) -> Option<OsString> {
    let number = Process::Ours(pid).number(&Proc::default())?;
    Some(format!("/proc/{number}/root").into())
}

/// `EPERM`, or what a filter answers in its place, going by the answer to a probe.
pub(super) fn refusal(probe: Option<sys::Error>) -> i32 {
    let of_kernel = [libc::EINVAL, libc::EBADF];
    match probe {
        Some(answer) if !of_kernel.contains(&answer.raw()) => answer.raw(),
        _ => libc::EPERM,
    }
}
