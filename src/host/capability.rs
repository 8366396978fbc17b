//! Capabilities (capabilities(7)): those that matter here, and which of them we hold.

use crate::model::Ids;
use crate::sys;

/// A capability, by its number in `linux/capability.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capability {
    Setgid = 6,
    Setuid = 7,
    SysChroot = 18,
    SysPtrace = 19,
    SysAdmin = 21,
    SysResource = 24,
    SysTime = 25,
    Setfcap = 31,
}

impl Capability {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Capability::Setgid => "CAP_SETGID",
            Capability::Setuid => "CAP_SETUID",
            Capability::SysChroot => "CAP_SYS_CHROOT",
            Capability::SysPtrace => "CAP_SYS_PTRACE",
            Capability::SysAdmin => "CAP_SYS_ADMIN",
            Capability::SysResource => "CAP_SYS_RESOURCE",
            Capability::SysTime => "CAP_SYS_TIME",
            Capability::Setfcap => "CAP_SETFCAP",
        }
    }

    /// The one that it takes to map more of these IDs than our own.
    pub(crate) const fn to_map(ids: Ids) -> Capability {
        match ids {
            Ids::Uid => Capability::Setuid,
            Ids::Gid => Capability::Setgid,
        }
    }

    /// Whether it is in a set, a bit each.
    pub(crate) const fn is_in(self, set: u64) -> bool {
        set & 1 << self as u32 != 0
    }

    /// Whether it is in force in us.
    pub(crate) fn is_held(self) -> bool {
        effective().is_some_and(|set| self.is_in(set))
    }
}

/// The capabilities that are in force in us, a bit each.
pub(crate) fn effective() -> Option<u64> {
    sys::capabilities().ok().map(|held| held.effective)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As <linux/capability.h> numbers and capabilities(7) names them.
    #[test]
    fn each_has_its_bit_and_its_name() {
        for (capability, number, name) in [
            (Capability::Setgid, 6, "CAP_SETGID"),
            (Capability::Setuid, 7, "CAP_SETUID"),
            (Capability::SysChroot, 18, "CAP_SYS_CHROOT"),
            (Capability::SysPtrace, 19, "CAP_SYS_PTRACE"),
            (Capability::SysAdmin, 21, "CAP_SYS_ADMIN"),
            (Capability::SysResource, 24, "CAP_SYS_RESOURCE"),
            (Capability::SysTime, 25, "CAP_SYS_TIME"),
            (Capability::Setfcap, 31, "CAP_SETFCAP"),
        ] {
            assert_eq!(capability.name(), name);
            assert!(capability.is_in(1 << number) && capability.is_in(u64::MAX));
            assert!(!capability.is_in(!(1 << number)) && !capability.is_in(0));
        }
    }

    #[test]
    fn what_is_in_force_is_what_proc_says() {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let set = u64::from_str_radix(line.unwrap().trim(), 16).unwrap();
        assert_eq!(effective(), Some(set));
        let admin = Capability::SysAdmin;
        assert_eq!(admin.is_held(), admin.is_in(set));
    }
}
