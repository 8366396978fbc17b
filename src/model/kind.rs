//! Kinds of namespaces, and sets of them.

use std::fmt;

/// A kind of namespace (namespaces(7)).
///
/// Declared in the order in which files of one owner are joined: the user namespace first, since it gives the
/// privilege for the others; the mount namespace late, since paths mean something else after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// User and group IDs, capabilities (user_namespaces(7)).
    User,
    /// Cgroup root directory (cgroup_namespaces(7)).
    Cgroup,
    /// System V IPC, POSIX message queues (ipc_namespaces(7)).
    Ipc,
    /// Host and domain name (uts_namespaces(7)).
    Uts,
    /// Network devices, stacks, ports (network_namespaces(7)).
    Net,
    /// Process IDs (pid_namespaces(7)).
    Pid,
    /// Mount points (mount_namespaces(7)).
    Mnt,
    /// Boot and monotonic clocks (time_namespaces(7)).
    Time,
}

impl Kind {
    /// All of them, in the order of joining.
    pub(crate) const ALL: [Kind; 8] = [
        Kind::User,
        Kind::Cgroup,
        Kind::Ipc,
        Kind::Uts,
        Kind::Net,
        Kind::Pid,
        Kind::Mnt,
        Kind::Time,
    ];

    /// The name of its file in /proc/PID/ns (proc_pid_ns(5)).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Cgroup => "cgroup",
            Kind::Ipc => "ipc",
            Kind::Uts => "uts",
            Kind::Net => "net",
            Kind::Pid => "pid",
            Kind::Mnt => "mnt",
            Kind::Time => "time",
        }
    }

    /// What stands before its name in a sentence.
    pub(crate) const fn article(self) -> &'static str {
        match self {
            Kind::Ipc => "an",
            _ => "a",
        }
    }

    /// The long option of unshare and nsenter for it, without its dashes.
    pub(crate) const fn option(self) -> &'static str {
        match self {
            Kind::Mnt => "mount",
            other => other.name(),
        }
    }

    /// The file in /proc/PID/ns of the namespace that this process has just made or joined: for the kinds that
    /// only children enter, the one for children.
    pub(crate) const fn file_for_children(self) -> &'static str {
        match self {
            Kind::Pid => "pid_for_children",
            Kind::Time => "time_for_children",
            other => other.name(),
        }
    }

    /// Its flag of clone(2).
    pub(crate) const fn flag(self) -> i32 {
        match self {
            Kind::User => libc::CLONE_NEWUSER,
            Kind::Cgroup => libc::CLONE_NEWCGROUP,
            Kind::Ipc => libc::CLONE_NEWIPC,
            Kind::Uts => libc::CLONE_NEWUTS,
            Kind::Net => libc::CLONE_NEWNET,
            Kind::Pid => libc::CLONE_NEWPID,
            Kind::Mnt => libc::CLONE_NEWNS,
            // linux/sched.h; libc has it for some architectures only.
            Kind::Time => 0x80,
        }
    }

    /// The option of the kernel's configuration without which there are none.
    pub(crate) fn config_option(self) -> &'static str {
        // One text: a pointer to each would be relocated at every start.
        let options = "CONFIG_USER_NS CONFIG_CGROUPS CONFIG_IPC_NS CONFIG_UTS_NS CONFIG_NET_NS CONFIG_PID_NS CONFIG_NAMESPACES \
                       CONFIG_TIME_NS";
        options.split(' ').nth(self as usize).unwrap_or_default()
    }

    /// The kind with this flag of clone(2).
    pub(crate) fn from_flag(flag: i32) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.flag() == flag)
    }

    /// The kind with this name: that of its /proc file, or util-linux's `mount`.
    pub(crate) fn from_name(name: &[u8]) -> Option<Kind> {
        if name == b"mount" {
            return Some(Kind::Mnt);
        }
        Kind::ALL
            .into_iter()
            .find(|kind| kind.name().as_bytes() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of kinds.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Kinds(u8);

impl Kinds {
    /// No kind.
    pub(crate) const NONE: Kinds = Kinds(0);
    /// All eight.
    pub(crate) const ALL: Kinds = Kinds(0xff);

    /// This set and one kind more.
    pub(crate) const fn with(self, kind: Kind) -> Kinds {
        Kinds(self.0 | 1 << kind as u8)
    }

    /// This set less one kind.
    pub(crate) const fn without(self, kind: Kind) -> Kinds {
        Kinds(self.0 & !(1 << kind as u8))
    }

    /// What is in either.
    pub(crate) const fn union(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    /// What is in this set and not in the other.
    pub(crate) const fn less(self, other: Kinds) -> Kinds {
        Kinds(self.0 & !other.0)
    }

    /// Whether the kind is in it.
    pub(crate) const fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// Whether it is empty.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many kinds are in it.
    pub(crate) const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Those in it, in the order of joining.
    pub(crate) fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |&kind| self.has(kind))
    }

    /// Their flags of clone(2), together.
    pub(crate) fn flags(self) -> i32 {
        self.iter().fold(0, |flags, kind| flags | kind.flag())
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Kinds {
        kinds.into_iter().fold(Kinds::NONE, Kinds::with)
    }
}

/// `user, net`, in the order of joining.
impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, kind) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(kind.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_flags_lead_back_to_their_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_flag(kind.flag()), Some(kind));
            assert_eq!(Kind::from_name(kind.name().as_bytes()), Some(kind));
            assert!(Kinds::ALL.has(kind));
            assert!(!Kinds::ALL.without(kind).has(kind));
        }
        assert_eq!(Kind::from_name(b"mount"), Some(Kind::Mnt));
        assert_eq!(Kind::from_name(b"pid_for_children"), None);
        assert_eq!(Kinds::ALL.flags().count_ones(), 8);
    }

    #[test]
    fn articles_are_those_of_the_names_as_they_are_spoken() {
        let names = Kind::ALL.map(|kind| format!("{} {kind}", kind.article()));
        assert_eq!(
            names.join(", "),
            "a user, a cgroup, an ipc, a uts, a net, a pid, a mnt, a time"
        );
    }

    #[test]
    fn a_set_is_a_set() {
        let some: Kinds = [Kind::Net, Kind::User, Kind::Net].into_iter().collect();
        assert_eq!(some.to_string(), "user, net");
        assert_eq!(some.len(), 2);
        assert_eq!(Kinds::ALL.less(some).union(some), Kinds::ALL);
    }
}
