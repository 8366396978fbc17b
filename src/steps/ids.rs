//! User, group and supplementary groups of the program.

use std::fmt;

use super::follow::Credentials;
use super::{Do, State};
use crate::failure::{Failure, Result, Stage};
use crate::model::Kind;
use crate::sys;

/// A user or group to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewId {
    /// This one.
    Given(u32),
    /// The target's.
    Follow,
    /// 0, if a user namespace was entered; else nothing changes.
    RootIfUserEntered,
}

impl NewId {
    /// The number; none where nothing changes. `follow` is the target's.
    fn number(
        self,
        state: &State,
        follow: impl FnOnce(&Credentials) -> Result<u32>,
    ) -> Result<Option<u32>> {
        Ok(match self {
            NewId::Given(id) => Some(id),
            NewId::Follow => Some(follow(state.opened.credentials()?)?),
            NewId::RootIfUserEntered => state.in_new_user().then_some(0),
        })
    }

    /// As a plan shows it; `word`: setuid or setgid, `what`: user or group.
    fn show(self, f: &mut fmt::Formatter<'_>, word: &str, what: &str) -> fmt::Result {
        match self {
            NewId::Given(id) => write!(f, "{word} {id}"),
            NewId::Follow => write!(f, "take the target's {what}"),
            NewId::RootIfUserEntered => write!(f, "{word} 0, if a user namespace was entered"),
        }
    }
}

/// Take this group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gid(pub(crate) NewId);

impl fmt::Display for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f, "setgid", "group")
    }
}

impl Do for Gid {
    const CHANGES_IDS: bool = true;

    fn run(&self, state: &mut State) -> Result<()> {
        let Some(gid) = self.0.number(state, Credentials::gid)? else {
            return Ok(());
        };
        state.ids_changed = true;
        sys::set_gid(gid).map_err(|error| Failure::new(Stage::Gid(gid), "setgid() failed", error))
    }
}

/// Take this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Uid(pub(crate) NewId);

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f, "setuid", "user")
    }
}

impl Do for Uid {
    const CHANGES_IDS: bool = true;

    fn run(&self, state: &mut State) -> Result<()> {
        let Some(uid) = self.0.number(state, Credentials::uid)? else {
            return Ok(());
        };
        state.ids_changed = true;
        sys::set_uid(uid).map_err(|error| Failure::new(Stage::Uid(uid), "setuid() failed", error))
    }
}

/// Supplementary groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupList {
    /// These.
    Given(Vec<u32>),
    /// None.
    Dropped,
    /// None, if a user namespace was entered and they could not be dropped early.
    DroppedIfUserEntered,
    /// The target's.
    Follow,
}

impl fmt::Display for GroupList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drop = "drop the supplementary groups";
        match self {
            GroupList::Given(groups) => {
                write!(f, "setgroups")?;
                groups.iter().try_for_each(|group| write!(f, " {group}"))
            }
            GroupList::Dropped => f.write_str(drop),
            GroupList::DroppedIfUserEntered => {
                write!(f, "{drop}, if a user namespace was entered")
            }
            GroupList::Follow => f.write_str("take the target's supplementary groups"),
        }
    }
}

impl Do for GroupList {
    fn run(&self, state: &mut State) -> Result<()> {
        let groups = match self {
            GroupList::Dropped | GroupList::DroppedIfUserEntered if state.groups_dropped => {
                return Ok(());
            }
            GroupList::DroppedIfUserEntered if !state.in_new_user() => return Ok(()),
            GroupList::Dropped | GroupList::DroppedIfUserEntered => &[],
            GroupList::Given(groups) => groups.as_slice(),
            GroupList::Follow => &state.opened.credentials()?.groups,
        };
        sys::set_groups(groups)
            .map_err(|error| Failure::new(Stage::Groups, "setgroups failed", error))
    }
}

/// Drop the supplementary groups already here, if that is permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DropGroupsEarly {
    /// For all of a target's namespaces: only if its user namespace is not ours.
    pub(crate) unless_ours: bool,
}

impl fmt::Display for DropGroupsEarly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("drop the supplementary groups, if that is permitted here")?;
        if self.unless_ours {
            f.write_str(", and the target's user namespace is not ours")?;
        }
        Ok(())
    }
}

impl Do for DropGroupsEarly {
    fn run(&self, state: &mut State) -> Result<()> {
        let ours = match &mut state.target {
            Some(target) if self.unless_ours => super::enter::is_ours(target, Kind::User)?,
            _ => false,
        };
        state.groups_dropped = !ours && sys::set_groups(&[]).is_ok();
        Ok(())
    }
}
