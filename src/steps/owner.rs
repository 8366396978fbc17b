//! `--owner`: the user namespace to come belongs to somebody else.

use std::fmt;

use libc::EPERM;

use super::ahead::Ahead;
use super::{Do, State};
use crate::failure::common::lacks;
use crate::failure::{Failure, Result, explains};
use crate::host::capability::Capability;
use crate::sys;

/// Become this user and group for good, without other groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Become {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl fmt::Display for Become {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Become { uid, gid } = self;
        write!(f, "become user {uid}, group {gid}, no other groups")
    }
}

impl Do for Become {
    fn run(&self, _: &mut State) -> Result<()> {
        let failed =
            |call: &str, error| Failure::new(self.clone(), format!("{call} failed"), error);
        sys::set_groups(&[]).map_err(|error| failed("setgroups", error))?;
        sys::set_gid(self.gid).map_err(|error| failed("setgid()", error))?;
        sys::set_uid(self.uid).map_err(|error| failed("setuid()", error))?;
        // What we hold open still is not this user's. Our files in /proc are root's then, and the helper writes them.
        sys::make_undumpable().map_err(|error| failed("prctl", error))
    }

    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        ahead.tell(line, self, EPERM, |_| {});
        ahead.owner = Some((self.uid, self.gid));
    }
}

explains! {
    Become {
        word: "owner",
        classic: "setgroups failed, with --owner",
        applets: ["unshare"],
    }
    Rule {
        id: "owner-privilege",
        errors: [EPERM],
        about: "Only who has CAP_SETUID and CAP_SETGID can make somebody else the owner.",
        advice: "Run as root.",
        find: |_, case| {
            let lacks = |capability| lacks(case.facts, capability);
            let lacks = lacks(Capability::Setgid).or_else(|| lacks(Capability::Setuid))?;
            lacks.because(", and --owner takes it", "run as root")
        },
    },
}
