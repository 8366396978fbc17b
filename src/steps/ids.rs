//! User, group and supplementary groups of the program.

use std::fmt;

use libc::{EINVAL, EPERM};

use super::ahead::Ahead;
use super::follow::Credentials;
use super::{Do, State};
use crate::failure::common::{inner_ids, lacks};
use crate::failure::{Case, Explain, Failure, Finding, Result, because, explains};
use crate::host::capability::Capability;
use crate::host::facts::Facts;
use crate::host::ids::{map_of, setgroups_of};
use crate::host::kinds::is_missing;
use crate::host::target::Process;
use crate::model::value::Setgroups;
use crate::model::{AppletName, IdMap, Ids, Kind};
use crate::sys::{self, Proc};

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

    /// What will be said of an ID that is known beforehand.
    fn predict(self, line: &str, step: &dyn Explain, ahead: &mut Ahead<'_>) {
        if let NewId::Given(_) = self {
            let _ = ahead.tell_of_credentials(line, step, EPERM)
                || ahead.tell_of_credentials(line, step, EINVAL);
        }
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
        sys::set_gid(gid)
            .map_err(|error| Failure::new(Gid(NewId::Given(gid)), "setgid() failed", error))
    }

    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        self.0.predict(line, self, ahead);
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
        sys::set_uid(uid)
            .map_err(|error| Failure::new(Uid(NewId::Given(uid)), "setuid() failed", error))
    }

    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        self.0.predict(line, self, ahead);
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
            .map_err(|error| Failure::new(self.clone(), "setgroups failed", error))
    }

    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        match self {
            GroupList::Given(_) | GroupList::Dropped => {
                ahead.tell_of_credentials(line, self, EPERM);
            }
            GroupList::DroppedIfUserEntered => self.predict_entered(line, ahead),
            GroupList::Follow => {}
        }
    }
}

impl GroupList {
    /// In a target's user namespace, where they could not be dropped before it is entered.
    fn predict_entered(&self, line: &str, ahead: &mut Ahead<'_>) {
        let Some(pid) = ahead.into else { return };
        let proc = Proc::default();
        let early = Facts::new(&proc);
        if early.has(Capability::Setgid) == Some(true) && early.setgroups() != Some(Setgroups::Deny)
        {
            return;
        }
        let Some(number) = Process::Ours(pid).number(&proc) else {
            return;
        };
        let process = number.to_string();
        let setgroups = setgroups_of(&proc, &process);
        let gid_map = map_of(&proc, &process, Ids::Gid).ok();
        ahead.tell(line, self, EPERM, |facts| {
            facts.capabilities = Some(u64::MAX).into();
            facts.setgroups = setgroups.into();
            facts.gid_map = gid_map.into();
        });
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
            Some(target) if self.unless_ours => match super::enter::is_ours(target, Kind::User) {
                Err(_) if is_missing(&Proc::default(), Kind::User) => true,
                ours => ours?,
            },
            _ => false,
        };
        state.groups_dropped = !ours && sys::set_groups(&[]).is_ok();
        Ok(())
    }
}

explains! {
    GroupList {
        word: "setgroups",
        classic: "setgroups failed",
        applets: ["unshare", "nsenter", "setns"],
    }
    Rule {
        id: "setgroups-denied",
        errors: [EPERM],
        about: "setgroups is denied in the user namespace.",
        advice: "{keep_credentials}.",
        find: |_, case| {
            (case.facts.setgroups() == Some(Setgroups::Deny)).then(|| {
                because(
                    "/proc/self/setgroups says deny, so nobody in this user namespace may set groups",
                    case.applet.keep_credentials(),
                )
            })?
        },
    },
    Rule {
        id: "setgroups-no-map",
        errors: [EPERM],
        about: "gid_map is not written, so groups cannot be set.",
        advice: "Map groups where the user namespace is made, or {keep_credentials}.",
        find: |_, case| {
            case.facts.gid_map()?.extents().is_empty().then(|| {
                because(
                    "/proc/self/gid_map is empty, so this user namespace has no groups",
                    match case.applet {
                        AppletName::Unshare => "add --map-auto, or --map-groups with a range of groups",
                        applet => applet.keep_credentials(),
                    },
                )
            })?
        },
    },
    Rule {
        id: "setgroups-privilege",
        errors: [EPERM],
        about: "CAP_SETGID is missing.",
        advice: "Run as root, or {also_user}.",
        find: |_, case| {
            let hint = match case.applet {
                // With one ID of our own mapped, setgroups is denied.
                AppletName::Unshare => "run as root, or add --map-auto".to_owned(),
                applet => format!("run as root, or {}", applet.also_user()),
            };
            lacks(case.facts, Capability::Setgid)?.because("", hint)
        },
    },
    Rule {
        id: "setgroups-unmapped",
        errors: [EINVAL],
        about: "A group is not mapped inside.",
        advice: "The groups that are mapped are named.",
        find: |groups, case| {
            let map = case.facts.gid_map()?;
            match groups {
                GroupList::Given(groups) if groups.iter().all(|group| map.has(*group)) => None,
                _ => Some(()),
            }?;
            because(
                "one of the groups is not mapped in this user namespace",
                format!("use groups of /proc/self/gid_map: {}", inner_ids(map)),
            )
        },
    },
}

explains! {
    Gid {
        word: "setgid",
        classic: "setgid() failed",
        applets: ["unshare", "nsenter", "setns"],
    }
    Rule {
        id: "setgid-unmapped",
        errors: [EINVAL],
        about: "The group is not mapped inside.",
        advice: "The groups that are mapped are named.",
        find: |gid, case| unmapped("group", Ids::Gid, gid.0, case.facts.gid_map()),
    },
    Rule {
        id: "setgid-privilege",
        errors: [EPERM],
        about: "CAP_SETGID is missing.",
        advice: "Run as root, or {also_user}.",
        find: |gid, case| {
            lacks(case.facts, Capability::Setgid)?.because("", becoming(Ids::Gid, gid.0, case))
        },
    },
}

explains! {
    Uid {
        word: "setuid",
        classic: "setuid() failed",
        applets: ["unshare", "nsenter", "setns"],
    }
    Rule {
        id: "setuid-unmapped",
        errors: [EINVAL],
        about: "The user is not mapped inside.",
        advice: "The users that are mapped are named.",
        find: |uid, case| unmapped("user", Ids::Uid, uid.0, case.facts.uid_map()),
    },
    Rule {
        id: "setuid-privilege",
        errors: [EPERM],
        about: "CAP_SETUID is missing.",
        advice: "Run as root, or {also_user}.",
        find: |uid, case| {
            lacks(case.facts, Capability::Setuid)?.because("", becoming(Ids::Uid, uid.0, case))
        },
    },
}

/// How an ID is taken without privilege.
fn becoming(ids: Ids, id: NewId, case: &Case<'_>) -> String {
    match (case.applet, id) {
        (AppletName::Unshare, NewId::Given(id)) => {
            let option = match ids {
                Ids::Uid => "--map-user",
                Ids::Gid => "--map-group",
            };
            format!("run as root, or add {option}={id}")
        }
        (applet, _) => format!("run as root, or {}", applet.also_user()),
    }
}

/// The sentence that an ID does not exist in our user namespace, whose map is given.
fn unmapped(what: &str, ids: Ids, id: NewId, map: Option<&IdMap>) -> Option<Finding> {
    let (NewId::Given(id), map) = (id, map?) else {
        return None;
    };
    (!map.has(id)).then(|| {
        because(
            format!("{what} {id} is not mapped in this user namespace"),
            format!(
                "use a {what} of /proc/self/{}: {}",
                ids.file(),
                inner_ids(map)
            ),
        )
    })?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kinds;

    #[test]
    fn who_the_program_becomes() {
        let number = |id: NewId, entered| {
            let state = State {
                entered,
                ..State::default()
            };
            id.number(&state, |_| Ok(77)).expect("known")
        };
        let user = Kinds::NONE.with(Kind::User);
        assert_eq!(number(NewId::Given(5), Kinds::NONE), Some(5));
        assert_eq!(number(NewId::RootIfUserEntered, user), Some(0));
        let others = Kinds::ALL.without(Kind::User);
        assert_eq!(number(NewId::RootIfUserEntered, others), None);
        // Nothing was changed then, and it is not said that it was.
        let mut state = State::default();
        Uid(NewId::RootIfUserEntered).run(&mut state).expect("done");
        Gid(NewId::RootIfUserEntered).run(&mut state).expect("done");
        assert!(!state.ids_changed);
        // What we are already anybody may become.
        let own: [&dyn Fn(&mut State); 2] = [
            &|state| {
                Uid(NewId::Given(sys::effective_uid()))
                    .run(state)
                    .expect("done")
            },
            &|state| {
                Gid(NewId::Given(sys::effective_gid()))
                    .run(state)
                    .expect("done")
            },
        ];
        for becomes in own {
            let mut state = State::default();
            becomes(&mut state);
            assert!(state.ids_changed);
        }
    }

    #[test]
    fn groups_are_dropped_once_and_only_where_that_was_asked_for() {
        let done = |groups: &GroupList, groups_dropped| {
            let mut state = State {
                groups_dropped,
                ..State::default()
            };
            groups.run(&mut state).is_ok()
        };
        assert!(done(&GroupList::Dropped, true));
        assert!(done(&GroupList::DroppedIfUserEntered, true));
        assert!(done(&GroupList::DroppedIfUserEntered, false));
    }
}
