//! Whether setgroups(2) is permitted in a new user namespace.

use libc::{EACCES, ENOENT, EPERM, EROFS};

use super::ahead::Ahead;
use super::map::write_file;
use super::{Do, State};
use crate::failure::common::{file_of_ours, lacks, read_only};
use crate::failure::{Case, Finding, Result, because, explains};
use crate::host::capability::Capability;
use crate::model::IdMap;
use crate::model::value::Setgroups;

impl Do for Setgroups {
    fn run(&self, _: &mut State) -> Result<()> {
        write_file("/proc/self/setgroups", self.as_str().as_bytes(), || *self)
    }

    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        let inside = ahead.has_new_user();
        ahead.tell(line, self, EPERM, |facts| {
            if inside {
                facts.gid_map = IdMap::parse(b"").into();
                facts.capabilities = Some(u64::MAX).into();
            }
        });
        ahead.groups_denied = *self == Setgroups::Deny;
    }
}

impl std::fmt::Display for Setgroups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "write /proc/self/setgroups: {}", self.as_str())
    }
}

explains! {
    Setgroups {
        word: "setgroups-file",
        classic: "write failed /proc/self/setgroups",
        applets: ["unshare"],
    }
    Rule {
        id: "setgroups-file-order",
        errors: [EPERM],
        about: "setgroups cannot be allowed where it was denied, nor denied once gid_map is written.",
        advice: "Say --setgroups together with the option that makes the user namespace.",
        find: |setgroups, case| wrong_order(*setgroups, case),
    },
    Rule {
        id: "setgroups-file-privilege",
        errors: [EACCES, EPERM],
        about: "CAP_SYS_ADMIN is missing in this user namespace.",
        advice: "Add -U.",
        find: |_, case| {
            lacks(case.facts, Capability::SysAdmin)?.because(
                ", and /proc/self/setgroups takes it in our user namespace",
                "add -r, so that it is a user namespace of your own",
            )
        },
    },
    Rule {
        id: "setgroups-file-refused",
        errors: [ENOENT, EACCES],
        about: "/proc is not mounted, or a security module refuses the file.",
        advice: "Mount it; or have the module's profile allow it.",
        find: |_, case| {
            // The kernel asks for this at the opening already, with the same error.
            case.facts.has(Capability::SysAdmin).filter(|has| *has)?;
            file_of_ours(case, "setgroups", true)
        },
    },
    Rule {
        id: "setgroups-file-read-only",
        errors: [EROFS],
        about: "/proc is read-only, as in containers.",
        advice: "Mount it for writing, or let the container do so.",
        find: |_, case| read_only(case),
    },
}

fn wrong_order(wanted: Setgroups, case: &Case<'_>) -> Option<Finding> {
    let hint = "say --setgroups together with the option that makes the user namespace (-U, -r)";
    if wanted == Setgroups::Allow && case.facts.setgroups()? == Setgroups::Deny {
        return because(
            "/proc/self/setgroups says deny already, which cannot be taken back, neither here nor below",
            "leave --setgroups=allow out, or start from a user namespace where it is allowed",
        );
    }
    let is_written = !case.facts.gid_map()?.extents().is_empty();
    is_written.then(|| {
        because(
            "/proc/self/gid_map is written already, and after that setgroups cannot be denied",
            hint,
        )
    })?
}
