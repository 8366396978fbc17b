//! What was seen: namespaces, what keeps each alive, and how they belong together. Pure data.

use std::ffi::OsString;

use crate::model::sorted::{SortedMap, SortedSet};
use crate::model::{Kind, Kinds};
use crate::sys;

/// What is said where something ran out.
pub(crate) const NOT_ALL: &str = "not everything could be looked at";

/// The lowest inode of a namespace that was made later: those of the initial ones are fixed, and lie below
/// (`PROC_DYNAMIC_FIRST` of the kernel's `proc_ns.h`).
const FIRST_MADE: u64 = 0xF000_0000;

/// A namespace by its kind and the inode of its nsfs file.
pub(crate) type Name = (Kind, u64);

/// A namespace, and what was found out about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Namespace {
    /// Its kind.
    pub(crate) kind: Kind,
    /// The inode of its nsfs file.
    pub(crate) inode: u64,
    /// The kernel's number, where it gives one.
    pub(crate) id: Option<u64>,
    /// The user namespace that owns it; of a user namespace, its parent.
    pub(crate) owner: Kin,
    /// The user that owns it, or the user namespace that owns it, as our user namespace numbers users.
    pub(crate) owner_uid: Option<u32>,
    /// The parent of a user or PID namespace.
    pub(crate) parent: Kin,
    /// Whether we are in it.
    pub(crate) ours: bool,
    /// The processes in it, in ascending order.
    pub(crate) processes: Vec<i32>,
    /// Threads in it, each with its process, which is in another one.
    pub(crate) threads: Vec<Thread>,
    /// Processes in another one, whose next children will be in it.
    pub(crate) for_children: Vec<i32>,
    /// Open descriptors that refer to it.
    pub(crate) descriptors: Vec<Descriptor>,
    /// Mounts of its nsfs file.
    pub(crate) mounts: Vec<Mounted>,
    /// Sockets of a network namespace that nothing of the above keeps.
    pub(crate) sockets: Vec<Descriptor>,
    /// The ID that our network namespace has for a network namespace (rtnetlink(7), `RTM_GETNSID`), where that was
    /// asked.
    pub(crate) netns_id: Option<u32>,
}

/// Another namespace that a namespace belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kin {
    /// There is none.
    None,
    /// The kernel does not tell: it lies above ours (ioctl_nsfs(2)), or the namespace could not be opened.
    Hidden,
    /// The one with this inode.
    Is(u64),
}

/// A thread that is not the first of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thread {
    /// The process.
    pub(crate) pid: i32,
    /// The thread.
    pub(crate) tid: i32,
}

/// An open descriptor of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// The process.
    pub(crate) pid: i32,
    /// The number that the process has for it.
    pub(crate) number: i32,
}

/// A mount of a namespace's file, which keeps it alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mounted {
    /// Where, from the root of the process whose mounts were read.
    pub(crate) path: OsString,
    /// That process, where it is not we.
    pub(crate) pid: Option<i32>,
    /// The inode of the mount namespace that has the mount.
    pub(crate) mount_namespace: u64,
}

impl Namespace {
    fn new((kind, inode): Name) -> Namespace {
        Namespace {
            kind,
            inode,
            id: None,
            owner: Kin::Hidden,
            owner_uid: None,
            parent: match kind {
                Kind::User | Kind::Pid => Kin::Hidden,
                _ => Kin::None,
            },
            ours: false,
            processes: Vec::new(),
            threads: Vec::new(),
            for_children: Vec::new(),
            descriptors: Vec::new(),
            mounts: Vec::new(),
            sockets: Vec::new(),
            netns_id: None,
        }
    }

    /// The processes in it, and those of which a thread is.
    pub(crate) fn members(&self) -> SortedSet<i32> {
        let mut members = SortedSet::default();
        members.extend(self.processes.iter().copied());
        members.extend(self.threads.iter().map(|thread| thread.pid));
        members
    }

    /// Whether a process, a descriptor or a mount was seen that keeps it.
    pub(crate) fn is_kept(&self) -> bool {
        !(self.processes.is_empty()
            && self.threads.is_empty()
            && self.for_children.is_empty()
            && self.descriptors.is_empty()
            && self.mounts.is_empty())
    }

    /// What it is called.
    pub(crate) fn name(&self) -> Name {
        (self.kind, self.inode)
    }
}

/// Whether it is the kernel's first namespace of its kind, which counts against no limit and has no parent.
pub(crate) fn is_initial(inode: u64) -> bool {
    inode < FIRST_MADE
}

/// All that was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    namespaces: Vec<Namespace>,
    places: SortedMap<Name, usize>,
    /// How many processes could not be looked at, wholly or in part, for lack of privilege.
    pub(crate) refused: usize,
    /// How many sockets could not be asked for their network namespace.
    pub(crate) refused_sockets: usize,
    /// Whether /proc does not list the processes of others to us (proc(5), `hidepid`).
    pub(crate) hidden: bool,
    /// Why the mounts of a namespace could not be read: there are too many.
    pub(crate) too_long: Option<sys::Error>,
}

impl Seen {
    /// What we ran out of while we looked: descriptors, memory, room for what a file has in it.
    pub(crate) fn lack(&self) -> Option<sys::Error> {
        sys::lack().or(self.too_long)
    }

    /// Why there may be more than was seen; none when there is no reason.
    pub(crate) fn missing(&self) -> Option<String> {
        let lack = self.lack().map(|error| format!("{NOT_ALL}: {error}"));
        lack.or_else(|| self.unreadable())
    }

    /// As [`Seen::missing`], for lack of privilege.
    pub(crate) fn unreadable(&self) -> Option<String> {
        if self.hidden {
            return Some("processes of other users are hidden (hidepid, proc(5))".to_owned());
        }
        let counted = |count: usize, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {many}")),
        };
        let what = [
            counted(self.refused, "process", "processes"),
            counted(self.refused_sockets, "socket", "sockets"),
        ];
        let what: Vec<String> = what.into_iter().flatten().collect();
        (!what.is_empty()).then(|| format!("{} could not be looked at", what.join(" and ")))
    }

    /// The namespace of this name, added where it is new.
    pub(crate) fn entry(&mut self, name: Name) -> &mut Namespace {
        let place = *self
            .places
            .get_or_insert_with(name, || self.namespaces.len());
        if place == self.namespaces.len() {
            self.namespaces.push(Namespace::new(name));
        }
        &mut self.namespaces[place]
    }

    /// The namespace of this name.
    pub(crate) fn get(&self, name: Name) -> Option<&Namespace> {
        self.places
            .get(&name)
            .and_then(|&place| self.namespaces.get(place))
    }

    /// In the order in which they were met.
    pub(crate) fn all(&self) -> &[Namespace] {
        &self.namespaces
    }

    /// By kind, and by inode.
    pub(crate) fn sorted(&self) -> Vec<&Namespace> {
        let places = self.places.values();
        places
            .filter_map(|&place| self.namespaces.get(place))
            .collect()
    }

    /// Gives every namespace the owner's UID of the user namespace that owns it.
    pub(crate) fn spread_owners(&mut self) {
        for place in 0..self.namespaces.len() {
            let namespace = &self.namespaces[place];
            if let (true, Kin::Is(owner)) = (namespace.kind != Kind::User, namespace.owner) {
                let uid = self
                    .get((Kind::User, owner))
                    .and_then(|user| user.owner_uid);
                self.namespaces[place].owner_uid = uid;
            }
        }
    }

    /// The user namespace that owns it, and those above, as far as they can be told.
    pub(crate) fn owners<'a>(
        &'a self,
        namespace: &Namespace,
    ) -> impl Iterator<Item = &'a Namespace> {
        let step = |relation: Kin| match relation {
            Kin::Is(inode) => self.get((Kind::User, inode)),
            Kin::None | Kin::Hidden => None,
        };
        std::iter::successors(step(namespace.owner), move |user| step(user.owner))
    }

    /// How many namespaces of the kind were seen that count against the limits of our user namespace: those
    /// that it owns, itself or through user namespaces below it, but the initial one.
    pub(crate) fn in_use(&self, kind: Kind) -> usize {
        self.namespaces
            .iter()
            .filter(|namespace| namespace.kind == kind && !is_initial(namespace.inode))
            .filter(|namespace| self.owners(namespace).any(|user| user.ours))
            .count()
    }

    /// Whether another namespace keeps it alive: one that it owns, or a child.
    pub(crate) fn is_needed(&self, name: Name) -> bool {
        let (kind, inode) = name;
        self.namespaces.iter().any(|other| {
            kind == Kind::User && other.owner == Kin::Is(inode)
                || kind == other.kind && other.parent == Kin::Is(inode)
        })
    }
}

/// Which of the namespaces seen are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Those of these kinds.
    Kinds(Kinds),
    /// This one.
    One(Name),
}

impl Choice {
    /// Whether it is wanted.
    pub(crate) fn has(&self, namespace: &Namespace) -> bool {
        match self {
            Choice::Kinds(kinds) => kinds.has(namespace.kind),
            Choice::One(name) => *name == namespace.name(),
        }
    }
}

/// What of what was seen is among the choices, and of one of these kinds.
pub(crate) fn chosen<'a>(seen: &'a Seen, choices: &[Choice], kinds: Kinds) -> Vec<&'a Namespace> {
    let mut sorted = seen.sorted();
    sorted.retain(|one| kinds.has(one.kind) && choices.iter().any(|choice| choice.has(one)));
    sorted
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The initial user (1) and PID (2) namespace, ours; below them a user namespace (F0000001) that owns a PID
    /// namespace (F0000002) and a network namespace (F0000003); and below that one more user namespace.
    pub(crate) fn sample() -> Seen {
        let first = FIRST_MADE;
        let mut seen = Seen::default();
        let user = seen.entry((Kind::User, 1));
        user.owner = Kin::None;
        user.parent = Kin::None;
        user.owner_uid = Some(0);
        user.ours = true;
        user.processes = vec![1, 7];
        let pid = seen.entry((Kind::Pid, 2));
        pid.owner = Kin::Is(1);
        pid.parent = Kin::None;
        pid.ours = true;
        pid.id = Some(6);
        pid.processes = vec![1, 7];
        let user = seen.entry((Kind::User, first + 1));
        user.owner = Kin::Is(1);
        user.parent = Kin::Is(1);
        user.owner_uid = Some(1000);
        user.processes = vec![8];
        let pid = seen.entry((Kind::Pid, first + 2));
        pid.owner = Kin::Is(first + 1);
        pid.parent = Kin::Is(2);
        pid.processes = vec![8];
        let net = seen.entry((Kind::Net, first + 3));
        net.owner = Kin::Is(first + 1);
        net.mounts = vec![
            Mounted {
                path: "/run/netns/a b".into(),
                pid: None,
                mount_namespace: 4,
            },
            Mounted {
                path: "/run/netns/a b".into(),
                pid: Some(9),
                mount_namespace: 5,
            },
        ];
        let user = seen.entry((Kind::User, first + 4));
        user.owner = Kin::Is(first + 1);
        user.parent = Kin::Is(first + 1);
        user.owner_uid = Some(1000);
        user.descriptors = vec![Descriptor { pid: 7, number: 3 }];
        seen.spread_owners();
        seen
    }

    #[test]
    fn owners_go_up_to_the_first() {
        let seen = sample();
        let net = seen.get((Kind::Net, FIRST_MADE + 3)).unwrap();
        assert_eq!(net.owner_uid, Some(1000));
        let owners: Vec<u64> = seen.owners(net).map(|user| user.inode).collect();
        assert_eq!(owners, [FIRST_MADE + 1, 1]);
    }

    #[test]
    fn what_is_below_our_user_namespace_counts() {
        let mut seen = sample();
        assert_eq!(seen.in_use(Kind::User), 2);
        assert_eq!(seen.in_use(Kind::Pid), 1);
        assert_eq!(seen.in_use(Kind::Net), 1);
        assert_eq!(seen.in_use(Kind::Mnt), 0);
        seen.entry((Kind::User, 1)).ours = false;
        seen.entry((Kind::User, FIRST_MADE + 1)).ours = true;
        assert_eq!(seen.in_use(Kind::User), 1);
    }

    #[test]
    fn who_owns_or_has_children_is_needed() {
        let seen = sample();
        assert!(seen.is_needed((Kind::User, 1)));
        assert!(seen.is_needed((Kind::Pid, 2)));
        assert!(!seen.is_needed((Kind::Pid, FIRST_MADE + 2)));
        assert!(!seen.is_needed((Kind::User, FIRST_MADE + 4)));
    }

    #[test]
    fn what_is_missing_has_a_reason() {
        let mut seen = Seen::default();
        assert_eq!(seen.missing(), None);
        seen.refused = 1;
        assert!(seen.missing().unwrap().starts_with("1 process could"));
        seen.refused = 2;
        assert!(seen.missing().unwrap().starts_with("2 processes could"));
        seen.refused_sockets = 1;
        let both = "2 processes and 1 socket could";
        assert!(seen.missing().unwrap().starts_with(both));
        seen.hidden = true;
        assert!(seen.missing().unwrap().contains("hidepid"));
        assert_eq!(seen.lack(), None);
        seen.too_long = Some(sys::Error::from_raw(libc::EFBIG));
        assert!(seen.missing().unwrap().ends_with(": File too large"));
        assert!(seen.unreadable().unwrap().contains("hidepid"));
    }

    #[test]
    fn choices_add_up() {
        let seen = sample();
        let kinds = Choice::Kinds(Kinds::NONE.with(Kind::Net));
        let one = Choice::One((Kind::User, 1));
        let names: Vec<Name> = chosen(&seen, &[kinds, one.clone(), one], Kinds::ALL)
            .iter()
            .map(|namespace| namespace.name())
            .collect();
        assert_eq!(names, [(Kind::User, 1), (Kind::Net, FIRST_MADE + 3)]);
        let all = [Choice::Kinds(Kinds::ALL)];
        assert_eq!(chosen(&seen, &all, Kinds::NONE.with(Kind::Net)).len(), 1);
    }
}
