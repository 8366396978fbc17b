//! Causes that several steps have in common.

use std::ffi::OsStr;

use libc::{EACCES, EFAULT, ENOENT, ENOTDIR, EPERM};

use super::{Case, Cause, Finding, because, perhaps, shown};
use crate::host::capability::Capability;
use crate::host::facts::Facts;
use crate::host::map_program::{SubRanges, room_for_ranges};
use crate::host::place::{Obstacle, Place};
use crate::host::procfs::ProcAccess;
use crate::model::{IdMap, Ids, Kind, Word};
use crate::sys;

/// A capability that is not in force.
pub(crate) struct Lack {
    /// The sentence that it is missing.
    sentence: String,
    /// What can be done where a security module has taken it away.
    hint: Option<String>,
}

impl Lack {
    /// Whether a security module takes it away, in whatever user namespace.
    pub(crate) fn is_by_module(&self) -> bool {
        self.hint.is_some()
    }

    /// The cause, with what follows that sentence; and what can be done where we do not hold it at all.
    pub(crate) fn because(self, then: &str, hint: impl Into<String>) -> Option<Finding> {
        because(
            format!("{}{then}", self.sentence),
            self.hint.unwrap_or_else(|| hint.into()),
        )
    }
}

/// A capability that is missing: one that we do not hold, or that a security module takes away from us.
pub(crate) fn lacks(facts: &Facts<'_>, capability: Capability) -> Option<Lack> {
    let set = facts.capabilities()?;
    if capability.is_in(set) {
        return None;
    }
    let name = capability.name();
    // capget(2) goes by what the module says, /proc by what we hold.
    let lack = match facts.cap_eff() {
        Some(held) if capability.is_in(held) => Lack {
            sentence: format!(
                "a security module takes {name} away ({}CapEff is {held:016x}, of which capget(2) leaves \
                 {set:016x})",
                confining(facts)
                    .map_or_else(String::new, |label| format!("our label is {label}, "))
            ),
            hint: Some(allow(
                facts,
                &format!(
                    "capability {},",
                    name.strip_prefix("CAP_")
                        .unwrap_or(name)
                        .to_ascii_lowercase()
                ),
            )),
        },
        Some(held) => Lack {
            sentence: format!("{name} is missing (CapEff is {held:016x})"),
            hint: None,
        },
        None => Lack {
            sentence: format!("{name} is missing (capget(2) says {set:016x})"),
            hint: None,
        },
    };
    Some(lack)
}

/// Whether this kernel has no namespaces of this kind.
pub(crate) fn lacks_kind(facts: &Facts<'_>, kind: Kind) -> bool {
    facts.kinds().is_some_and(|kinds| !kinds.has(kind))
}

/// Our security attribute, if something may be refused under it.
pub(crate) fn confining<'a>(facts: &'a Facts<'_>) -> Option<&'a str> {
    let label = facts.label()?.trim();
    // Of SELinux before it has a policy, and of Smack.
    let is_free = matches!(label, "kernel" | "_") || label.starts_with("unconfined");
    let is_watched = label.ends_with("(unconfined)") || label.ends_with("(complain)");
    (!is_free && !is_watched).then_some(label)
}

/// What can be done where a security module refuses; `rule` is what AppArmor calls it in a profile.
fn allow(facts: &Facts<'_>, rule: &str) -> String {
    match confining(facts) {
        Some(label) if is_enforced(label) => {
            format!("have the profile allow it (\"{rule}\"), or {SEE_LOG}")
        }
        _ => SEE_LOG.to_owned(),
    }
}

/// Who may have refused where the kernel's own reasons are not seen, and what to do.
pub(crate) fn who_refuses(case: &Case<'_>) -> Option<(String, &'static str)> {
    let proc_access = case.facts.proc_access();
    if proc_access == Some(ProcAccess::Granted) && case.facts.kinds().is_none() {
        let who = ", but /proc/self/ns has no mnt, as every Linux has: perhaps a sandbox answers in the kernel's place";
        return Some((who.to_owned(), "run it outside the sandbox"));
    }
    if !matches!(case.errno, EPERM | EACCES) {
        return None;
    }
    let is_filtered = case.facts.seccomp() == Some(2);
    let (who, hint) = match (confining(case.facts), is_filtered) {
        (None, false) => return None,
        (None, true) => ("a seccomp filter", "use another seccomp profile"),
        (Some(_), false) => ("a security module", SEE_LOG),
        (Some(_), true) => ("a seccomp filter or a security module", SEE_LOG),
    };
    let label = our_label(case.facts);
    Some((format!(", so perhaps {who} refuses it{label}"), hint))
}

/// ` (our label is …)`, if something may be refused under it.
#[inline(never)]
pub(crate) fn our_label(facts: &Facts<'_>) -> String {
    confining(facts).map_or_else(String::new, |label| format!(" (our label is {label})"))
}

/// What can be done where a security module refuses, whichever it is.
const SEE_LOG: &str = "look into the kernel's log for the refusal";

/// Whether this is a profile of AppArmor, which writes the mode behind the name, and refuses what is not in it.
fn is_enforced(label: &str) -> bool {
    label.ends_with(" (enforce)")
}

/// That a security module refuses something, which AppArmor calls `rule` in a profile.
///
/// The kernel's own reasons for the error are known not to be: with `evident`, all of them; else those that a caller
/// can tell, so that it takes a profile in force to be sure.
pub(crate) fn module_refuses(
    case: &Case<'_>,
    what: &str,
    rule: &str,
    evident: bool,
) -> Option<Finding> {
    let facts = case.facts;
    let label = confining(facts);
    let of = our_label(facts);
    let hint = allow(facts, rule);
    match facts.seccomp() {
        Some(0) if evident || label.is_some_and(is_enforced) => {
            shown(format!("a security module refuses {what}{of}"), hint)
        }
        Some(0) if label.is_some() => perhaps(
            format!("perhaps a security module refuses {what}{of}"),
            hint,
        ),
        Some(0) => None,
        _ if evident || label.is_some() => perhaps(
            format!("either a security module refuses {what}{of}, or a seccomp filter does"),
            hint,
        ),
        _ => None,
    }
}

/// That there is no /proc, or not ours.
pub(crate) fn no_proc() -> Option<Finding> {
    because(
        "/proc is not mounted here (or is that of a PID namespace that we are not in), and something in it is needed",
        "mount it: mount -t proc proc /proc",
    )
}

/// Why a file of ours in /proc that sets a namespace up cannot be opened, though we have the privilege for it;
/// `evident`: the kernel's own permissions are all that may else refuse it.
pub(crate) fn file_of_ours(case: &Case<'_>, name: &str, evident: bool) -> Option<Finding> {
    match case.errno {
        ENOENT => (case.facts.proc_access()? == ProcAccess::Missing).then(no_proc)?,
        EACCES if case.facts.may_write(name)? => {
            let what = format!("us /proc/self/{name}, whose permissions let us write it");
            module_refuses(case, &what, &format!("@{{PROC}}/*/{name} w,"), evident)
        }
        _ => None,
    }
}

/// The sentence that we have more threads than the one that we started.
pub(crate) fn many_threads(facts: &Facts<'_>) -> Option<String> {
    let threads = facts.threads().filter(|&threads| threads > 1)?;
    Some(format!(
        "we have {threads} threads (Threads in /proc/self/status), as under an emulator"
    ))
}

/// What can be done about those.
pub(crate) const NATIVE_BINARY: &str = "run a binary for this machine's own processor";

/// The sentence that a filter stands in front of a system call: `probe` was answered with the same error as the
/// call, where every kernel says `expected`.
pub(crate) fn filtered(
    case: &Case<'_>,
    call: &str,
    probe: Option<sys::Error>,
    expected: i32,
) -> Option<Finding> {
    let answer = probe?;
    if answer.raw() == expected || answer.raw() != case.errno {
        return None;
    }
    let hint = "use another seccomp profile, or --cap-add SYS_ADMIN (container); RestrictNamespaces= and \
                SystemCallFilter= (systemd service)";
    match case.facts.seccomp() {
        Some(2) => because(
            format!("a seccomp filter refuses {call} (Seccomp is 2 in /proc/self/status)"),
            hint,
        ),
        // A sandbox may answer in the kernel's place without seccomp.
        Some(mode) => because(
            format!(
                "{call} is refused whatever its arguments, and not by seccomp (Seccomp is {mode}): either a \
                 security module or the sandbox that this runs in"
            ),
            "look at the sandbox's own settings",
        ),
        None => because(
            format!("{call} is refused whatever its arguments, as a seccomp filter does"),
            hint,
        ),
    }
}

/// The sentence that a filter stands in front of mount(2).
pub(crate) fn mount_filtered(case: &Case<'_>) -> Option<Finding> {
    filtered(case, "mount(2)", case.facts.mount_probe(), EFAULT)
}

/// What can be done where AppArmor restricts user namespaces.
const USERNS_PROFILE: &str = "give this binary an AppArmor profile with \"userns,\" or run as root";

/// AppArmor's restriction of user namespaces, in the one that we are in, as far as it can be seen.
pub(crate) fn apparmor_inside(case: &Case<'_>) -> Option<Finding> {
    if let found @ Some(_) = apparmor_profile(case.facts) {
        return found;
    }
    // Who was privileged outside is not restricted, and that can no longer be seen.
    let sysctl = apparmor_restricts(case.facts)?;
    perhaps(
        format!(
            "{sysctl}, so either this user namespace has no capabilities, or another security module refuses"
        ),
        USERNS_PROFILE,
    )
}

/// That a new user namespace would have no capabilities.
pub(crate) fn apparmor_before(facts: &Facts<'_>) -> Option<Finding> {
    let sysctl = apparmor_restricts(facts)?;
    (!facts.has_on_machine(Capability::SysAdmin)?).then(|| {
        because(
            format!("{sysctl}, so a user namespace made here has no capabilities"),
            USERNS_PROFILE,
        )
    })?
}

/// That we have the profile which AppArmor gives to who has made a user namespace without leave.
pub(crate) fn apparmor_profile(facts: &Facts<'_>) -> Option<Finding> {
    let label = facts
        .label()
        .filter(|label| label.starts_with("unprivileged_userns"))?;
    let sysctl = if facts.apparmor_restricts() == Some(1) {
        format!("{RESTRICTS} and ")
    } else {
        String::new()
    };
    because(
        format!(
            "{sysctl}the AppArmor profile here is {label}, so this user namespace has no capabilities"
        ),
        USERNS_PROFILE,
    )
}

const RESTRICTS: &str = "kernel.apparmor_restrict_unprivileged_userns is 1";

/// That it restricts who has no profile of their own; one of those may allow user namespaces.
fn apparmor_restricts(facts: &Facts<'_>) -> Option<&'static str> {
    let is_unconfined = facts
        .label()
        .is_none_or(|label| label.starts_with("unconfined"));
    (facts.apparmor_restricts() == Some(1) && is_unconfined).then_some(RESTRICTS)
}

/// The sentence that what sets a namespace up cannot be written.
pub(crate) fn read_only(case: &Case<'_>) -> Option<Finding> {
    case.facts.proc_is_read_only()?.then(|| {
        because(
            "/proc is mounted read-only here, so what sets a new namespace up cannot be written",
            "mount -o remount,rw /proc from where that is allowed; --security-opt unmask=ALL (podman), \
             --security-opt systempaths=unconfined (docker)",
        )
    })?
}

/// The sentence for a path that leads no further.
pub(crate) fn blocked(case: &Case<'_>, place: &Place, hint: &str) -> Option<Finding> {
    let obstacle = place.obstacle.as_ref()?;
    let errno = match obstacle {
        Obstacle::Missing(_) | Obstacle::Dangling(..) => ENOENT,
        Obstacle::NoDirectory(_) => ENOTDIR,
        Obstacle::Closed(_) => EACCES,
    };
    if errno != case.errno {
        return None;
    }
    let cause = match obstacle {
        Obstacle::Missing(part) => format!("there is no {}", Word(part)),
        Obstacle::Dangling(part, text) => {
            format!(
                "{} is a symbolic link to {}, which is not there",
                Word(part),
                Word(text)
            )
        }
        Obstacle::NoDirectory(part) => format!("{} is no directory", Word(part)),
        Obstacle::Closed(part) => format!("we may not search {}", Word(part)),
    };
    because(cause, hint)
}

/// The sentence for a path that leads to no directory.
pub(crate) fn no_directory(case: &Case<'_>, path: &OsStr, hint: &str) -> Option<Finding> {
    let place = case.facts.place(path)?;
    if case.errno == ENOTDIR && place.obstacle.is_none() && place.is_directory == Some(false) {
        return because(
            format!("{} is no directory", Word(&place.path)),
            "name a directory",
        );
    }
    blocked(case, place, hint)
}

/// Why we have no ranges in /etc/subuid or /etc/subgid; nothing where we have both.
pub(crate) fn no_ranges() -> Vec<Cause> {
    let uid = sys::effective_uid();
    let mut missing = Vec::new();
    let (mut owner, mut has_account) = (uid.to_string(), None);
    for ids in [Ids::Uid, Ids::Gid] {
        match SubRanges::read(ids, uid) {
            Some(found) => {
                (owner, has_account) = (found.owner, found.has_account);
                if found.ranges.is_empty() {
                    missing.push(ids);
                }
            }
            None => missing.push(ids),
        }
    }
    if missing.is_empty() {
        return Vec::new();
    }
    let files: Vec<&str> = missing.iter().map(|ids| ids.sub_file()).collect();
    let first = room_for_ranges();
    let last = first.saturating_add(0xffff);
    let hint = if has_account == Some(false) {
        format!(
            "let root make an account, which gets ranges too: useradd --uid {uid} NAME; then log in as that"
        )
    } else {
        let options: Vec<String> = missing
            .iter()
            .map(|ids| match ids {
                Ids::Uid => format!("--add-subuids {first}-{last}"),
                Ids::Gid => format!("--add-subgids {first}-{last}"),
            })
            .collect();
        format!("let root run: usermod {} {owner}", options.join(" "))
    };
    vec![Cause {
        cause: format!("no line for {owner} is in {}", files.join(" nor in ")),
        hint,
    }]
}

/// The IDs on the inner side of a map, as people write ranges.
pub(crate) fn inner_ids(map: &IdMap) -> String {
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
