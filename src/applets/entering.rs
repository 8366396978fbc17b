//! What nsenter and setns take alike into namespaces that exist: who the program is, and where.

use super::common::{InvalidOptions, lookup_or_follow, of_option};
use crate::cli::{Attached, Text};
use crate::host::Host;
use crate::model::value::{self, OrFollow};
use crate::model::{Ids, Kind, Kinds, Reference, Wanted, Which};
use crate::steps::Step;
use crate::steps::{
    Directory, FindTarget, Gid, GroupList, HoldCapabilities, KeepCapabilities, NewId, OpenTarget,
    OpenedDirectory, OpenedRoot, Source, Uid, When,
};

/// Users and groups of the program, as the options name them.
pub(super) struct CredentialOptions {
    groups: Option<GroupList>,
    gid: Option<NewId>,
    uid: Option<NewId>,
}

impl CredentialOptions {
    /// # Errors
    /// A value that cannot be used.
    pub(super) fn of(
        uid: Option<&Text>,
        gid: Option<&Text>,
        groups: Option<&Text>,
        host: &dyn Host,
    ) -> Result<CredentialOptions, InvalidOptions> {
        let gid = gid
            .map(|text| lookup_or_follow("--setgid", Ids::Gid, &text.0, host))
            .transpose()?;
        let uid = uid
            .map(|text| lookup_or_follow("--setuid", Ids::Uid, &text.0, host))
            .transpose()?;
        let groups = groups
            .map(|text| {
                of_option(
                    "--groups",
                    OrFollow::parse(&text.0, |text| {
                        value::groups(text, &|name| host.lookup(Ids::Gid, name))
                    }),
                )
            })
            .transpose()?
            .map(|groups| match groups {
                OrFollow::Follow => GroupList::Follow,
                OrFollow::Given(groups) => GroupList::Given(groups),
            })
            // Another group without the groups that went with the old one.
            .or(gid.map(|_| GroupList::Dropped));
        Ok(CredentialOptions { groups, gid, uid })
    }

    /// What is not named becomes root's, if a user namespace is entered.
    pub(super) fn or_root(mut self) -> CredentialOptions {
        self.groups.get_or_insert(GroupList::DroppedIfUserEntered);
        self.gid.get_or_insert(NewId::RootIfUserEntered);
        self.uid.get_or_insert(NewId::RootIfUserEntered);
        self
    }

    /// Whether something of the target's must be read for them.
    pub(super) fn follows(&self) -> bool {
        self.groups == Some(GroupList::Follow)
            || self.gid == Some(NewId::Follow)
            || self.uid == Some(NewId::Follow)
    }

    /// Whether the supplementary groups are to go.
    pub(super) fn drops_groups(&self) -> bool {
        matches!(
            self.groups,
            Some(GroupList::Dropped | GroupList::DroppedIfUserEntered)
        )
    }

    /// The steps that take them; `keep`: and keep the capabilities of a user namespace that was entered.
    pub(super) fn steps(self, keep: bool, steps: &mut Vec<Step>) {
        steps.extend(self.groups.map(Step::Groups));
        steps.extend(self.gid.map(|step| Gid(step).into()));
        if keep && self.uid.is_some() {
            steps.push(HoldCapabilities(When::UserEntered).into());
        }
        steps.extend(self.uid.map(|step| Uid(step).into()));
        if keep {
            steps.push(KeepCapabilities(When::UserEntered).into());
        }
    }
}

/// The kinds that may be entered.
pub(super) fn kinds_of(wanted: &[Wanted]) -> Kinds {
    let kinds = wanted.iter().map(|wanted| match wanted.which {
        Which::These(these) => these,
        // Only the kernel knows: any kind may be among them.
        Which::AllBut(_) | Which::Natural => Kinds::ALL,
    });
    kinds.fold(Kinds::NONE, Kinds::union)
}

/// The step that opens a process whose contexts are to be taken; `kind` is one that is wanted of it.
pub(super) fn open_target(reference: &Reference, kind: Option<Kind>) -> Step {
    match reference {
        Reference::Process { pid, inode } => OpenTarget {
            pid: *pid,
            inode: *inode,
            kind,
        }
        .into(),
        other => FindTarget {
            reference: other.clone(),
            kind,
        }
        .into(),
    }
}

/// Root and working directory of the program.
pub(super) struct Places {
    /// What to open before entering.
    pub(super) sources: Vec<Source>,
    /// What to do with it after entering.
    pub(super) steps: Vec<Step>,
}

impl Places {
    /// As the options name them; `kinds`: what is entered.
    pub(super) fn of(
        root: &[Attached],
        wd: &[Attached],
        wdns: &[Attached],
        kinds: Kinds,
    ) -> Places {
        let mut places = Places {
            sources: Vec::new(),
            steps: Vec::new(),
        };
        let root = root.last();
        if let Some(Attached(path)) = root {
            places.sources.push(Source::Root(path.clone()));
            places.steps.push(OpenedRoot.into());
        }
        if let Some(Attached(path)) = wd.last() {
            places.sources.push(Source::Directory(path.clone()));
            places.steps.push(OpenedDirectory.into());
        } else if let Some(Attached(Some(path))) = wdns.last() {
            places.steps.push(Directory(path.clone()).into());
        } else if root.is_some() && !kinds.has(Kind::Mnt) {
            // The old working directory stays, though no path leads to it any more. Of a mount namespace
            // that is entered, it is the root.
            places.sources.push(Source::OwnDirectory);
            places.steps.push(OpenedDirectory.into());
        }
        places
    }
}
