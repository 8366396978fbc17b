//! The map of one ID of our own, for which no privilege is needed.

use std::fmt;
use std::os::fd::AsFd;

use libc::{EACCES, EINVAL, ENOENT, EPERM, EROFS};

use super::ahead::Ahead;
use super::{Do, State};
use crate::failure::common::{apparmor_inside, file_of_ours, inner_ids, lacks, read_only};
use crate::failure::{Case, Explain, Failure, Finding, Result, because, explains, perhaps};
use crate::host::capability::Capability;
use crate::model::value::Setgroups;
use crate::model::{IdMap, Ids};
use crate::sys::{self, For};

/// Write our own uid_map or gid_map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WriteMap {
    pub(crate) ids: Ids,
    pub(crate) map: IdMap,
}

impl fmt::Display for WriteMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "write /proc/self/{}: {}",
            self.ids.file(),
            Extents(&self.map)
        )
    }
}

impl Do for WriteMap {
    fn run(&self, _: &mut State) -> Result<()> {
        let text = self.map.text();
        let path = match self.ids {
            Ids::Uid => "/proc/self/uid_map",
            Ids::Gid => "/proc/self/gid_map",
        };
        write_file(path, &text, || Mapping {
            ids: self.ids,
            map: self.map.clone(),
            from_outside: false,
        })
    }

    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        Mapping::predict(line, self.ids, &self.map, ahead);
    }
}

/// Opens a file in /proc that sets a namespace up, and writes it with one write; a second would be refused.
pub(crate) fn write_file<E: Explain + 'static>(
    path: &str,
    text: &[u8],
    failed: impl FnOnce() -> E,
) -> Result<()> {
    let (verb, error) = match sys::open(path.as_ref(), For::Writing) {
        Ok(file) => match sys::write_once(file.as_fd(), text) {
            Ok(()) => return Ok(()),
            Err(error) => ("write failed", error),
        },
        Err(error) => ("cannot open", error),
    };
    Err(Failure::new(failed(), format!("{verb} {path}"), error))
}

/// A map on one line.
pub(crate) struct Extents<'a>(pub(crate) &'a IdMap);

impl fmt::Display for Extents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, extent) in self.0.extents().iter().enumerate() {
            let gap = if index == 0 { "" } else { ", " };
            let (inside, outside) = (extent.inside(), extent.outside());
            write!(f, "{gap}{inside} {outside} {}", extent.count())?;
        }
        Ok(())
    }
}

/// A map that is written into its file.
pub(crate) struct Mapping {
    pub(crate) ids: Ids,
    pub(crate) map: IdMap,
    /// By a process that is not in the new user namespace.
    pub(crate) from_outside: bool,
}

impl Mapping {
    /// With the privilege that we have now.
    pub(crate) fn predict<'a>(line: &str, ids: Ids, map: &'a IdMap, ahead: &mut Ahead<'a>) {
        let mapping = Mapping {
            ids,
            map: map.clone(),
            from_outside: true,
        };
        let _ =
            ahead.tell(line, &mapping, EPERM, |_| {}) || ahead.tell(line, &mapping, EINVAL, |_| {});
        ahead.has_map(ids, map);
    }
}

/// The most extents that a map may have before Linux 4.15 (user_namespaces(7)).
const OLD_EXTENTS: usize = 5;

explains! {
    Mapping {
        word: "map",
        classic: "write failed /proc/self/uid_map; newuidmap failed",
        applets: ["unshare"],
    }
    Rule {
        id: "map-privilege",
        errors: [EPERM],
        about: "More than one ID, or one that is not the caller's own, is mapped without CAP_SETUID or CAP_SETGID in the \
                parent user namespace.",
        advice: "Use newuidmap(1) and newgidmap(1) with ranges in /etc/subuid and /etc/subgid, or run as root.",
        find: privilege,
    },
    Rule {
        id: "map-setgroups",
        errors: [EPERM],
        about: "gid_map is written without privilege while setgroups is allowed.",
        advice: "Add --setgroups=deny.",
        find: |mapping, case| {
            let is_own = mapping.ids == Ids::Gid && !mapping.from_outside;
            (is_own && case.facts.setgroups() == Some(Setgroups::Allow)).then(|| {
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
        errors: [EPERM],
        about: "User 0 of the parent user namespace is mapped, which takes CAP_SETFCAP there since Linux 5.12.",
        advice: "Keep CAP_SETFCAP, or map other users with --map-users.",
        find: root,
    },
    Rule {
        id: "map-apparmor",
        errors: [EPERM, EACCES],
        about: "AppArmor has taken the capabilities away in the new user namespace.",
        advice: "Give the binary an AppArmor profile with \"userns,\", or run as root.",
        find: |_, case| apparmor_inside(case),
    },
    Rule {
        id: "map-unmapped",
        errors: [EPERM],
        about: "An outer ID of the map does not exist in the parent user namespace.",
        advice: "Map IDs that are in the parent's own map.",
        find: unmapped,
    },
    Rule {
        id: "map-capabilities",
        errors: [EPERM],
        about: "The applet has no CAP_SYS_ADMIN in the user namespace whose map is written.",
        advice: "A security module may take it away.",
        find: |mapping, case| {
            let lacks = lacks(case.facts, Capability::SysAdmin).filter(|_| !mapping.from_outside)?;
            lacks.because(
                " in the new user namespace, where we should have it",
                "either a security module or another sandbox takes it away: look into the kernel's log",
            )
        },
    },
    Rule {
        id: "map-file",
        errors: [ENOENT, EACCES],
        about: "/proc is not mounted, or a security module refuses the file.",
        advice: "Mount it; or have the module's profile allow it.",
        find: |mapping, case| {
            (!mapping.from_outside).then(|| file_of_ours(case, mapping.ids.file(), true))?
        },
    },
    Rule {
        id: "map-read-only",
        errors: [EROFS],
        about: "/proc is read-only, as in containers.",
        advice: "Mount it for writing, or let the container do so.",
        find: |_, case| read_only(case),
    },
    Rule {
        id: "map-extents",
        errors: [EINVAL],
        about: "The map has more than 5 ranges, and the kernel is older than Linux 4.15.",
        advice: "Use fewer ranges.",
        find: |mapping, case| {
            let count = mapping.map.extents().len();
            (case.facts.kernel()? < (4, 15) && count > OLD_EXTENTS).then(|| {
                because(
                    format!("the map has {count} ranges, and this kernel takes {OLD_EXTENTS}"),
                    "use fewer ranges",
                )
            })?
        },
    },
}

fn privilege(mapping: &Mapping, case: &Case<'_>) -> Option<Finding> {
    let Mapping { ids, map, .. } = mapping;
    // Inside, our capabilities are those of the new namespace, and count for nothing in the parent.
    let lacks = lacks(case.facts, Capability::to_map(*ids)).filter(|_| mapping.from_outside)?;
    if map.is_single() && map.extents()[0].outside() == case.facts.id(*ids)? {
        return None;
    }
    lacks.because(
        ", and to map more than our own ID takes it in the parent user namespace",
        format!(
            "use {} and {}, or run as root",
            ids.helper(),
            ids.sub_file()
        ),
    )
}

/// The map has user 0 of the parent, and the kernel asks for a capability for it.
fn root(mapping: &Mapping, case: &Case<'_>) -> Option<Finding> {
    let hint =
        "keep CAP_SETFCAP (container: --cap-add SETFCAP), or map other users with --map-users";
    let is_old = case.facts.kernel().is_some_and(|version| version < (5, 12));
    if mapping.ids == Ids::Gid || is_old || mapping.map.inside_of(0).is_none() {
        return None;
    }
    if mapping.from_outside {
        return lacks(case.facts, Capability::Setfcap)?.because(
            ", and to map user 0 of the parent user namespace takes it there (Linux 5.12)",
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

fn unmapped(mapping: &Mapping, case: &Case<'_>) -> Option<Finding> {
    let Mapping { ids, map, .. } = mapping;
    // From inside, the parent's map cannot be seen.
    let own = case.facts.map(*ids).filter(|_| mapping.from_outside)?;
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
            inner_ids(own)
        ),
        "map IDs that exist there: --map-users=all takes all of them",
    )
}
