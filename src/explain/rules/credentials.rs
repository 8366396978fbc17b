//! Why users, groups and clocks could not be set.

use libc::{EACCES, EINVAL, EPERM, ERANGE, EROFS};

use super::maps::{inner, read_only};
use super::{Case, Finding, because, lacks};
use crate::failure::Stage;
use crate::host::capability::Capability;
use crate::model::value::Setgroups;

rules![
    Rule {
        id: "setgroups-file-order",
        step: "setgroups-file",
        errors: [EPERM],
        about: "setgroups cannot be allowed where it was denied, nor denied once gid_map is written.",
        advice: "Say --setgroups together with the option that makes the user namespace.",
        find: setgroups_file,
    },
    Rule {
        id: "setgroups-file-privilege",
        step: "setgroups-file",
        errors: [EACCES, EPERM],
        about: "CAP_SYS_ADMIN is missing in this user namespace.",
        advice: "Add -U.",
        find: |case| {
            let lacks = lacks(case, Capability::SysAdmin)?;
            because(
                format!("{lacks}, and /proc/self/setgroups takes it in our user namespace"),
                "add -r, so that it is a user namespace of your own",
            )
        },
    },
    Rule {
        id: "setgroups-file-read-only",
        step: "setgroups-file",
        errors: [EROFS],
        about: "/proc is read-only, as in containers.",
        advice: "Mount it for writing, or let the container do so.",
        find: read_only,
    },
    Rule {
        id: "clock-range",
        step: "clock",
        errors: [ERANGE],
        about: "The clock would be negative, or too large.",
        advice: "The range that is accepted is named.",
        find: |case| {
            let Stage::Clock { clock, seconds } = case.stage else {
                return None;
            };
            let (least, most) = case.facts.offsets(*clock)?.clone().into_inner();
            because(
                format!(
                    "an offset of {seconds} s would make the {} clock negative or too large",
                    clock.name()
                ),
                format!("use {least} to {most}"),
            )
        },
    },
    Rule {
        id: "clock-privilege",
        step: "clock",
        errors: [EPERM, EACCES],
        about: "CAP_SYS_TIME is missing.",
        advice: "Add -r, or run with it.",
        find: |case| {
            let lacks = lacks(case, Capability::SysTime)?;
            because(lacks, "add -r, or run with CAP_SYS_TIME")
        },
    },
    Rule {
        id: "clock-read-only",
        step: "clock",
        errors: [EROFS],
        about: "/proc is read-only, as in containers.",
        advice: "Mount it for writing, or let the container do so.",
        find: read_only,
    },
    Rule {
        id: "setgroups-denied",
        step: "setgroups",
        errors: [EPERM],
        about: "setgroups is denied in the user namespace.",
        advice: "Add --preserve-credentials (nsenter, setns), or leave --setgid and --groups out.",
        find: |case| {
            (case.facts.setgroups() == Some(Setgroups::Deny)).then(|| {
                because(
                    "/proc/self/setgroups says deny, so nobody in this user namespace may set groups",
                    "add --preserve-credentials (nsenter), or leave --setgid and --groups out",
                )
            })?
        },
    },
    Rule {
        id: "setgroups-no-map",
        step: "setgroups",
        errors: [EPERM],
        about: "gid_map is not written, so groups cannot be set.",
        advice: "Map groups.",
        find: |case| {
            case.facts.gid_map()?.extents().is_empty().then(|| {
                because(
                    "/proc/self/gid_map is empty, so this user namespace has no groups",
                    "map groups: --map-group, --map-groups",
                )
            })?
        },
    },
    Rule {
        id: "setgroups-privilege",
        step: "setgroups",
        errors: [EPERM],
        about: "CAP_SETGID is missing.",
        advice: "Run as root, or enter a user namespace where we have it.",
        find: |case| because(lacks(case, Capability::Setgid)?, "run as root, or add -U"),
    },
    Rule {
        id: "setgroups-unmapped",
        step: "setgroups",
        errors: [EINVAL],
        about: "A group is not mapped inside.",
        advice: "The groups that are mapped are named.",
        find: |case| {
            let map = case.facts.gid_map()?;
            because(
                "one of the groups is not mapped in this user namespace",
                format!("use groups of /proc/self/gid_map: {}", inner(map)),
            )
        },
    },
    Rule {
        id: "setgid-unmapped",
        step: "setgid",
        errors: [EINVAL],
        about: "The group is not mapped inside.",
        advice: "The groups that are mapped are named.",
        find: unmapped_inside,
    },
    Rule {
        id: "setuid-unmapped",
        step: "setuid",
        errors: [EINVAL],
        about: "The user is not mapped inside.",
        advice: "The users that are mapped are named.",
        find: unmapped_inside,
    },
    Rule {
        id: "setgid-privilege",
        step: "setgid",
        errors: [EPERM],
        about: "CAP_SETGID is missing.",
        advice: "Run as root, or in a user namespace of your own (-r).",
        find: |case| because(lacks(case, Capability::Setgid)?, "run as root, or add -r"),
    },
    Rule {
        id: "setuid-privilege",
        step: "setuid",
        errors: [EPERM],
        about: "CAP_SETUID is missing.",
        advice: "Run as root, or in a user namespace of your own (-r).",
        find: |case| because(lacks(case, Capability::Setuid)?, "run as root, or add -r"),
    },
    Rule {
        id: "owner-privilege",
        step: "owner",
        errors: [EPERM],
        about: "Only who has CAP_SETUID and CAP_SETGID can make somebody else the owner.",
        advice: "Run as root.",
        find: |case| {
            let lacks =
                lacks(case, Capability::Setgid).or_else(|| lacks(case, Capability::Setuid))?;
            because(format!("{lacks}, and --owner takes it"), "run as root")
        },
    },
];

fn setgroups_file(case: &Case<'_>) -> Option<Finding> {
    let hint = "say --setgroups together with the option that makes the user namespace (-U, -r)";
    if case.facts.setgroups() == Some(Setgroups::Deny) {
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

fn unmapped_inside(case: &Case<'_>) -> Option<Finding> {
    let (id, what, file, map) = match case.stage {
        Stage::Uid(uid) => (*uid, "user", "uid_map", case.facts.uid_map()?),
        Stage::Gid(gid) => (*gid, "group", "gid_map", case.facts.gid_map()?),
        _ => return None,
    };
    if map.has(id) {
        return None;
    }
    because(
        format!("{what} {id} is not mapped in this user namespace"),
        format!("use a {what} of /proc/self/{file}: {}", inner(map)),
    )
}
