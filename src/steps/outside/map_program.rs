//! Maps that newuidmap(1) and newgidmap(1) write for us.

use libc::ENOENT;

use crate::failure::{Case, Finding, because, explains};
use crate::host::capability::Capability;
use crate::host::map_program::SubRanges;
use crate::model::{IdMap, Ids, Word};
use crate::steps::ahead::Ahead;

/// A map that newuidmap(1) or newgidmap(1) is given.
pub(crate) struct MapByProgram {
    pub(crate) ids: Ids,
    pub(crate) map: IdMap,
}

impl MapByProgram {
    pub(super) fn predict<'a>(line: &str, ids: Ids, map: &'a IdMap, ahead: &mut Ahead<'a>) {
        let given = MapByProgram {
            ids,
            map: map.clone(),
        };
        let _ = ahead.tell(line, &given, ENOENT, |_| {}) || ahead.tell(line, &given, 0, |_| {});
        ahead.has_map(ids, map);
    }
}

explains! {
    MapByProgram {
        word: "map",
        classic: "write failed /proc/self/uid_map; newuidmap failed",
        applets: ["unshare"],
    }
    Rule {
        id: "helper-missing",
        errors: [ENOENT],
        about: "newuidmap or newgidmap is not installed.",
        advice: "Install uidmap (Debian, Ubuntu) or shadow-utils (Fedora, SUSE, Arch: shadow).",
        find: |given, case| {
            let ids = given.ids;
            case.facts.map_program(ids)?.path.is_none().then(|| {
                because(
                    format!("{} is not in PATH", ids.helper()),
                    "install it: package uidmap (Debian, Ubuntu), shadow-utils (Fedora) or shadow (Arch, SUSE)",
                )
            })?
        },
    },
    Rule {
        id: "helper-powerless",
        errors: [],
        about: "newuidmap or newgidmap has neither a set-user-ID bit of root nor file capabilities.",
        advice: "Give it one of them.",
        find: powerless,
    },
    Rule {
        id: "helper-nosuid",
        errors: [],
        about: "newuidmap or newgidmap lies on a mount with nosuid.",
        advice: "Use a mount without it.",
        find: |given, case| {
            let ids = given.ids;
            let helper = case.facts.map_program(ids)?;
            let path = helper.path.as_ref()?;
            (helper.nosuid? && !may_map(ids, case)?).then(|| {
                because(
                    format!(
                        "{} lies on a mount with nosuid, so it has no privilege",
                        Word(path)
                    ),
                    "mount it without nosuid, or use one on another mount",
                )
            })?
        },
    },
    Rule {
        id: "helper-no-new-privs",
        errors: [],
        about: "no_new_privs is set, so newuidmap and newgidmap have no privilege.",
        advice: "Start without it: NoNewPrivileges=no in a systemd service, or another sandbox.",
        find: |given, case| {
            let ids = given.ids;
            (case.facts.no_new_privs()? && !may_map(ids, case)?).then(|| {
                because(
                    format!("no_new_privs is set (NoNewPrivs is 1), so {} has no privilege", ids.helper()),
                    "start without it: NoNewPrivileges=no (systemd), allowPrivilegeEscalation: true (Kubernetes)",
                )
            })?
        },
    },
    Rule {
        id: "helper-account",
        errors: [],
        about: "The user has no account, and newuidmap and newgidmap serve only who has one.",
        advice: "Let root make one with useradd(8).",
        find: |given, case| {
            let ids = given.ids;
            let subids = case.facts.subids(ids)?;
            (!subids.has_account?).then(|| {
                because(
                    format!(
                        "user {} is not in /etc/passwd, and {} serves only who has an account",
                        subids.owner,
                        ids.helper()
                    ),
                    format!("let root make an account: useradd --uid {} NAME", case.facts.uid()?),
                )
            })?
        },
    },
    Rule {
        id: "helper-ranges",
        errors: [],
        about: "A range of the map is not in /etc/subuid or /etc/subgid, by the user's name or number; or nothing at all \
                is there for us.",
        advice: "The line to add is named, and the command of usermod(8) that adds it.",
        find: ranges,
    },
}

/// Whether we have ourselves what the helper program is for.
fn may_map(ids: Ids, case: &Case<'_>) -> Option<bool> {
    case.facts.has(Capability::to_map(ids))
}

fn powerless(given: &MapByProgram, case: &Case<'_>) -> Option<Finding> {
    let ids = given.ids;
    let helper = case.facts.map_program(ids)?;
    let path = Word(helper.path.as_ref()?);
    if helper.set_user_id? || helper.capabilities? || may_map(ids, case)? {
        return None;
    }
    let capability = Capability::to_map(ids).name().to_ascii_lowercase();
    because(
        format!(
            "{path} is neither set-user-ID root nor has it file capabilities, so it has no privilege"
        ),
        format!("chmod u+s {path}, or setcap {capability}+ep {path}"),
    )
}

fn ranges(given: &MapByProgram, case: &Case<'_>) -> Option<Finding> {
    let ids = given.ids;
    let is_whole = |subids: &&SubRanges| !subids.elsewhere;
    let subids = case.facts.subids(ids).filter(is_whole)?;
    let own = case.facts.id(ids)?;
    let outside = given.map.extents().iter().find(|extent| {
        let is_own = extent.count() == 1 && extent.outside() == own;
        let last = u64::from(extent.outside()) + u64::from(extent.count());
        let is_inside = subids.ranges.iter().any(|&(first, count)| {
            first <= extent.outside() && last <= u64::from(first) + u64::from(count)
        });
        !is_own && !is_inside
    })?;
    let (file, owner) = (ids.sub_file(), &subids.owner);
    let first = outside.outside();
    let last = first + (outside.count() - 1);
    let line = format!("the line {owner}:{first}:{}", outside.count());
    // usermod(8) knows who has an account.
    let hint = if subids.has_account == Some(false) {
        format!("let root add {line} to {file}")
    } else {
        let option = ids.usermod_option();
        format!("let root run usermod {option} {first}-{last} {owner}, which adds {line} to {file}")
    };
    if subids.ranges.is_empty() {
        return because(format!("{file} has no line for {owner}"), hint);
    }
    let ours: Vec<String> = subids
        .ranges
        .iter()
        .map(|(first, count)| format!("{first}-{}", u64::from(*first) + u64::from(*count) - 1))
        .collect();
    because(
        format!(
            "the outer IDs {first}-{last} are not in the ranges of {owner} in {file} ({})",
            ours.join(", ")
        ),
        hint,
    )
}
