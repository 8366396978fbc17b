//! Which facts prove which cause: a table, a row a cause, pure over what was seen.
//!
//! The hard thing: never to be wrongly certain. A row names its cause only if the fact that it shows is by itself
//! enough for the error, so that of two causes both are named; what is only possible is said as such, and only
//! where no fact is enough.

mod credentials;
mod enter;
mod execute;
mod helper_program;
mod maps;
mod mounts;
mod unshare;

use super::facts::{Capability, Facts};
use crate::failure::{Cause, Stage};

/// A failure, as a row looks at it.
pub(crate) struct Case<'a> {
    /// What was being done.
    pub(crate) stage: &'a Stage,
    /// The errno; 0 if no system call failed.
    pub(crate) errno: i32,
    /// What was seen.
    pub(crate) facts: &'a Facts,
}

/// A cause that can be told from the others.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the generator of the manual reads all")
)]
pub(crate) struct Rule {
    /// Its name, unique.
    pub(crate) id: &'static str,
    /// The word of the stages where it can occur ([`Stage::word`]).
    pub(crate) step: &'static str,
    /// The errors that it shows as; none: also where no system call failed.
    pub(crate) errors: &'static [i32],
    /// For the manual: the cause.
    pub(crate) about: &'static str,
    /// For the manual: what to do.
    pub(crate) advice: &'static str,
    /// Whether the facts prove it, or it is named only where nothing is proved.
    pub(crate) is_certain: bool,
    /// The sentences, if the facts show this cause.
    pub(crate) find: fn(&Case<'_>) -> Option<Cause>,
}

/// Every row.
pub(crate) fn all() -> impl Iterator<Item = &'static Rule> {
    [
        unshare::RULES,
        maps::RULES,
        helper_program::RULES,
        credentials::RULES,
        mounts::RULES,
        enter::RULES,
        execute::RULES,
    ]
    .into_iter()
    .flatten()
}

/// The causes of a failure: those that are proved, else those that are possible.
pub(crate) fn causes(case: &Case<'_>) -> Vec<Cause> {
    let found = |is_certain: bool| -> Vec<Cause> {
        let mut causes: Vec<Cause> = Vec::new();
        for rule in all().filter(|rule| rule.is_certain == is_certain && rule.is_about(case)) {
            causes.extend((rule.find)(case).filter(|cause| !causes.contains(cause)));
        }
        causes
    };
    let certain = found(true);
    if certain.is_empty() {
        found(false)
    } else {
        certain
    }
}

impl Rule {
    /// Whether the row is about this step and error.
    pub(crate) fn is_about(&self, case: &Case<'_>) -> bool {
        self.step == case.stage.word()
            && (self.errors.contains(&case.errno) || (self.errors.is_empty() && case.errno == 0))
    }
}

/// The sentences of a row.
fn because(cause: impl Into<String>, hint: impl Into<String>) -> Option<Cause> {
    Some(Cause {
        cause: cause.into(),
        hint: hint.into(),
    })
}

/// The sentence that a capability is missing.
fn lacks(case: &Case<'_>, capability: Capability) -> Option<String> {
    let set = case.facts.capabilities?;
    let is_there = set & 1 << capability as u32 != 0;
    (!is_there).then(|| format!("{} is missing (CapEff is {set:016x})", capability.name()))
}

/// The sentence that a filter stands in front of a system call: `probe` was answered with the same error as the
/// call, where every kernel says `expected`.
fn filtered(
    case: &Case<'_>,
    call: &str,
    probe: Option<crate::sys::Error>,
    expected: i32,
) -> Option<Cause> {
    let answer = probe?;
    if answer.raw() == expected || answer.raw() != case.errno {
        return None;
    }
    let hint = "use another seccomp profile, or --cap-add SYS_ADMIN (container); RestrictNamespaces= and \
                SystemCallFilter= (systemd service)";
    match case.facts.seccomp {
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

/// AppArmor's restriction of user namespaces, as far as it can be seen.
fn apparmor(case: &Case<'_>) -> Option<Cause> {
    let hint = "give this binary an AppArmor profile with \"userns,\" or run as root";
    let facts = case.facts;
    if let Some(label) = &facts.label
        && label.starts_with("unprivileged_userns")
    {
        return because(
            format!(
                "the AppArmor profile here is {label}, so this user namespace has no capabilities"
            ),
            hint,
        );
    }
    // Who is privileged outside is not restricted.
    let is_privileged = facts.has(Capability::SysAdmin) == Some(true)
        && facts.has_all_ids() == Some(true)
        && matches!(case.stage, Stage::Unshare(_));
    if facts.apparmor_restricts == Some(1) && !is_privileged {
        return because(
            "kernel.apparmor_restrict_unprivileged_userns is 1, so this user namespace has no capabilities",
            hint,
        );
    }
    None
}
