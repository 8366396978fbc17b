//! Why newuidmap(1) or newgidmap(1) did not map IDs for us.

use libc::ENOENT;

use super::{Case, Finding, because};
use crate::failure::Stage;
use crate::host::capability::Capability;
use crate::host::map_program::SubRanges;
use crate::model::{IdMap, Ids, Word};

rules![
    Rule {
        id: "helper-missing",
        step: "map",
        errors: [ENOENT],
        about: "newuidmap or newgidmap is not installed.",
        advice: "Install uidmap (Debian, Ubuntu) or shadow-utils (Fedora, SUSE, Arch: shadow).",
        find: |case| {
            let (ids, _) = helper_map(case)?;
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
        step: "map",
        errors: [],
        about: "newuidmap or newgidmap has neither a set-user-ID bit of root nor file capabilities.",
        advice: "Give it one of them.",
        find: powerless,
    },
    Rule {
        id: "helper-nosuid",
        step: "map",
        errors: [],
        about: "newuidmap or newgidmap lies on a mount with nosuid.",
        advice: "Use a mount without it.",
        find: |case| {
            let (ids, _) = helper_map(case)?;
            let helper = case.facts.map_program(ids)?;
            let path = helper.path.as_ref()?;
            (helper.nosuid? && !may_map(case)?).then(|| {
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
        step: "map",
        errors: [],
        about: "no_new_privs is set, so newuidmap and newgidmap have no privilege.",
        advice: "Start without it: NoNewPrivileges=no in a systemd service, or another sandbox.",
        find: |case| {
            let (ids, _) = helper_map(case)?;
            (case.facts.no_new_privs()? && !may_map(case)?).then(|| {
                because(
                    format!("no_new_privs is set (NoNewPrivs is 1), so {} has no privilege", ids.helper()),
                    "start without it: NoNewPrivileges=no (systemd), allowPrivilegeEscalation: true (Kubernetes)",
                )
            })?
        },
    },
    Rule {
        id: "helper-account",
        step: "map",
        errors: [],
        about: "Our user has no account, and newuidmap and newgidmap serve only who has one.",
        advice: "Make one: useradd.",
        find: |case| {
            let (ids, _) = helper_map(case)?;
            let subids = case.facts.subids(ids)?;
            (!subids.has_account?).then(|| {
                because(
                    format!(
                        "user {} is not in /etc/passwd, and {} serves only who has an account",
                        subids.owner,
                        ids.helper()
                    ),
                    "let root make an account: useradd",
                )
            })?
        },
    },
    Rule {
        id: "helper-ranges",
        step: "map",
        errors: [],
        about: "A range of the map is not in /etc/subuid or /etc/subgid, by our name or number; or nothing at all \
                is there for us.",
        advice: "The line to add is named.",
        find: ranges,
    },
];

/// The map that newuidmap or newgidmap was given.
fn helper_map<'a>(case: &'a Case<'_>) -> Option<(Ids, &'a [u8])> {
    match case.stage {
        Stage::MapProgram { ids, text } => Some((*ids, text)),
        _ => None,
    }
}

/// Whether we have ourselves what the helper program is for.
fn may_map(case: &Case<'_>) -> Option<bool> {
    let (ids, _) = helper_map(case)?;
    case.facts.has(Capability::to_map(ids))
}

fn powerless(case: &Case<'_>) -> Option<Finding> {
    let (ids, _) = helper_map(case)?;
    let helper = case.facts.map_program(ids)?;
    let path = Word(helper.path.as_ref()?);
    if helper.set_user_id? || helper.capabilities? || may_map(case)? {
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

fn ranges(case: &Case<'_>) -> Option<Finding> {
    let (ids, text) = helper_map(case)?;
    let is_whole = |subids: &&SubRanges| !subids.elsewhere;
    let subids = case.facts.subids(ids).filter(is_whole)?;
    let own = case.facts.id(ids)?;
    let map = IdMap::parse(text)?;
    let outside = map.extents().iter().find(|extent| {
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
    let hint = format!(
        "let root add the line {owner}:{first}:{} to {file}",
        outside.count()
    );
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
