//! Why IDs could not be mapped by writing the map.

use libc::{EACCES, EINVAL, EPERM, EROFS};

use super::{Case, Finding, apparmor, because, lacks, perhaps};
use crate::failure::Stage;
use crate::host::capability::Capability;
use crate::model::value::Setgroups;
use crate::model::{IdMap, Ids};

/// The most extents of a map (user_namespaces(7), since Linux 4.15), and before that.
const EXTENTS: usize = 340;
const OLD_EXTENTS: usize = 5;

rules![
    Rule {
        id: "map-privilege",
        step: "map",
        errors: [EPERM],
        about: "More than one ID, or one that is not our own, is mapped without CAP_SETUID or CAP_SETGID in the \
                parent user namespace.",
        advice: "Use newuidmap(1) and newgidmap(1) with ranges in /etc/subuid and /etc/subgid, or run as root.",
        find: privilege,
    },
    Rule {
        id: "map-setgroups",
        step: "map",
        errors: [EPERM],
        about: "gid_map is written without privilege while setgroups is allowed.",
        advice: "Add --setgroups=deny.",
        find: |case| {
            let (ids, _, outside) = map(case)?;
            let is_ours = ids == Ids::Gid && !outside;
            (is_ours && case.facts.setgroups() == Some(Setgroups::Allow)).then(|| {
                because(
                    "/proc/self/setgroups says allow, and without privilege gid_map can be written only where \
                     it says deny",
                    "add --setgroups=deny",
                )
            })?
        },
    },
    Rule {
        id: "map-root",
        step: "map",
        errors: [EPERM],
        about: "User 0 of the parent user namespace is mapped, which takes CAP_SETFCAP there since Linux 5.12.",
        advice: "Keep CAP_SETFCAP, or map other users with --map-users.",
        find: root,
    },
    Rule {
        id: "map-apparmor",
        step: "map",
        errors: [EPERM, EACCES],
        about: "AppArmor has taken the capabilities away in the new user namespace.",
        advice: "Give the binary an AppArmor profile with \"userns,\", or run as root.",
        find: |case| {
            map(case)?;
            apparmor(case)
        },
    },
    Rule {
        id: "map-unmapped",
        step: "map",
        errors: [EPERM],
        about: "An outer ID of the map does not exist in the parent user namespace.",
        advice: "Map IDs that are in the parent's own map.",
        find: unmapped,
    },
    Rule {
        id: "map-capabilities",
        step: "map",
        errors: [EPERM, EACCES],
        about: "We have no CAP_SYS_ADMIN in the user namespace whose map is written.",
        advice: "A security module may take it away.",
        find: |case| {
            let (_, _, outside) = map(case)?;
            let lacks = lacks(case, Capability::SysAdmin).filter(|_| !outside)?;
            because(
                format!("{lacks} in the new user namespace, where we should have it"),
                "either a security module or another sandbox takes it away: look into the kernel's log",
            )
        },
    },
    Rule {
        id: "map-read-only",
        step: "map",
        errors: [EROFS],
        about: "/proc is read-only, as in containers.",
        advice: "Mount it for writing, or let the container do so.",
        find: |case| {
            map(case)?;
            read_only(case)
        },
    },
    Rule {
        id: "map-form",
        step: "map",
        errors: [EINVAL],
        about: "Ranges of the map overlap, a count is 0, or there are more than 340 of them (5 before Linux 4.15) \
                or a page or more of text.",
        advice: "Correct the ranges.",
        find: form,
    },
];

/// The map that we wrote, and whether from outside.
fn map<'a>(case: &'a Case<'_>) -> Option<(Ids, &'a [u8], bool)> {
    match case.stage {
        Stage::Map { ids, text, outside } => Some((*ids, text, *outside)),
        _ => None,
    }
}

fn privilege(case: &Case<'_>) -> Option<Finding> {
    let (ids, text, outside) = map(case)?;
    // Inside, our capabilities are those of the new namespace, and count for nothing in the parent.
    let lacks = lacks(case, Capability::to_map(ids)).filter(|_| outside)?;
    let map = IdMap::parse(text)?;
    if map.is_single() && map.extents()[0].outside() == case.facts.id(ids)? {
        return None;
    }
    because(
        format!("{lacks}, and to map more than our own ID takes it in the parent user namespace"),
        format!(
            "use {} and {}, or run as root",
            ids.helper(),
            ids.sub_file()
        ),
    )
}

/// Whether the map has user 0 of the parent, and the kernel asks for a capability for it.
fn maps_root(case: &Case<'_>) -> Option<bool> {
    let (ids, text, _) = map(case)?;
    let is_old = case.facts.kernel().is_some_and(|version| version < (5, 12));
    Some(ids == Ids::Uid && !is_old && IdMap::parse(text)?.inside_of(0).is_some())
}

fn root(case: &Case<'_>) -> Option<Finding> {
    let (_, _, outside) = map(case)?;
    let hint =
        "keep CAP_SETFCAP (container: --cap-add SETFCAP), or map other users with --map-users";
    if !maps_root(case)? {
        return None;
    }
    if outside {
        let lacks = lacks(case, Capability::Setfcap)?;
        return because(
            format!(
                "{lacks}, and to map user 0 of the parent user namespace takes it there (Linux 5.12)"
            ),
            hint,
        );
    }
    // From inside, what we had outside can no longer be seen.
    perhaps(
        "either CAP_SETFCAP was missing in the parent user namespace, where it takes that to map user 0 of there \
         (Linux 5.12), or a security module refuses",
        hint,
    )
}

fn unmapped(case: &Case<'_>) -> Option<Finding> {
    let (ids, text, outside) = map(case)?;
    // From inside, the parent's map cannot be seen.
    let own = case.facts.map(ids).filter(|_| outside)?;
    let map = IdMap::parse(text)?;
    let missing = map.extents().iter().find_map(|extent| {
        let last = extent.outside().checked_add(extent.count() - 1)?;
        // An extent of the parent's map that holds both ends need not hold what is between: each gap begins
        // where an extent ends.
        let after = own
            .extents()
            .iter()
            .map(|extent| extent.inside().saturating_add(extent.count()));
        [extent.outside(), last]
            .into_iter()
            .chain(after)
            .filter(|id| (extent.outside()..=last).contains(id))
            .filter(|id| !own.has(*id))
            .min()
    })?;
    because(
        format!(
            "outer ID {missing} does not exist in the parent user namespace (its {} has {})",
            ids.file(),
            inner(own)
        ),
        "map IDs that exist there: --map-users=all takes all of them",
    )
}

/// The sentence that what sets a namespace up cannot be written.
pub(super) fn read_only(case: &Case<'_>) -> Option<Finding> {
    case.facts.proc_is_read_only()?.then(|| {
        because(
            "/proc is mounted read-only here, so what sets a new namespace up cannot be written",
            "mount -o remount,rw /proc from where that is allowed; --security-opt unmask=ALL (podman), \
             --security-opt systempaths=unconfined (docker)",
        )
    })?
}

/// The IDs on the inner side of a map, as people write ranges.
pub(super) fn inner(map: &IdMap) -> String {
    let ranges: Vec<String> = map
        .extents()
        .iter()
        .map(|extent| match extent.count() {
            1 => extent.inside().to_string(),
            count => format!("{}-{}", extent.inside(), extent.inside() + (count - 1)),
        })
        .collect();
    if ranges.is_empty() {
        "none".to_owned()
    } else {
        ranges.join(", ")
    }
}

fn form(case: &Case<'_>) -> Option<Finding> {
    let (_, text, _) = map(case)?;
    let hint = "correct the ranges";
    let lines: Vec<[u64; 3]> = String::from_utf8_lossy(text)
        .lines()
        .map(|line| {
            let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
            Some([numbers.next()??, numbers.next()??, numbers.next()??])
        })
        .collect::<Option<_>>()?;
    if let Some([inside, outside, _]) = lines.iter().find(|[_, _, count]| *count == 0) {
        return because(
            format!("the range {inside}:{outside}:0 has a count of 0"),
            hint,
        );
    }
    for side in [0, 1] {
        let mut sorted = lines.clone();
        sorted.sort_by_key(|line| line[side]);
        if let Some(pair) = sorted
            .windows(2)
            .find(|pair| pair[0][side] + pair[0][2] > pair[1][side])
        {
            let show = |line: [u64; 3]| format!("{}:{}:{}", line[0], line[1], line[2]);
            return because(
                format!("the ranges {} and {} overlap", show(pair[0]), show(pair[1])),
                hint,
            );
        }
    }
    let most = match case.facts.kernel() {
        Some(version) if version < (4, 15) => OLD_EXTENTS,
        _ => EXTENTS,
    };
    if lines.len() > most {
        return because(
            format!(
                "the map has {} ranges, and this kernel takes {most}",
                lines.len()
            ),
            "use fewer ranges",
        );
    }
    let page = crate::sys::page_size();
    (text.len() >= page).then(|| {
        because(
            format!(
                "the map is {} bytes long, and the kernel takes less than a page ({page})",
                text.len()
            ),
            "use fewer ranges",
        )
    })?
}
