//! Which facts prove which cause: a table, a row a cause, pure over what was seen.
//!
//! The hard thing: never to be wrongly certain. A row names its cause only if the fact that it shows is by itself
//! enough for the error, so that of two causes both are named; what is only possible is said as such, and only
//! where no fact is enough.

/// A room's rows, each written as a [`Rule`].
///
/// Made of them is `find`, which tries each, and for tests and the manual the table itself. As a table in the binary
/// it would cost every start: its pointers are relocated before `main`, whether anything fails or not.
macro_rules! rules {
    ($(Rule {
        id: $id:expr,
        step: $step:expr,
        errors: [$($error:expr),* $(,)?],
        about: $about:expr,
        advice: $advice:expr,
        find: $find:expr,
    }),* $(,)?) => {
        /// Adds what each row finds.
        pub(super) fn find(case: &Case<'_>, found: &mut Vec<Finding>) {
            $(
                if case.is_of($step, &[$($error),*]) {
                    let find: fn(&Case<'_>) -> Option<Finding> = $find;
                    found.extend(find(case));
                }
            )*
        }

        #[cfg(test)]
        pub(super) const RULES: &[super::Rule] = &[$(super::Rule {
            id: $id,
            step: $step,
            errors: &[$($error),*],
            about: $about,
            advice: $advice,
            find: $find,
        }),*];
    };
}

mod credentials;
mod enter;
mod execute;
mod helper_program;
mod maps;
mod mounts;
mod unshare;

use crate::failure::{Cause, Stage};
use crate::host::capability::Capability;
use crate::host::facts::Facts;
use crate::host::place::Place;
use crate::host::target::Process;

/// A failure, as a row looks at it.
pub(crate) struct Case<'a> {
    /// What was being done.
    pub(crate) stage: &'a Stage,
    /// The errno; 0 if no system call failed.
    pub(crate) errno: i32,
    /// What can be seen.
    pub(crate) facts: &'a Facts<'a>,
}

/// A cause that can be told from the others.
#[cfg(test)]
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
    /// What the facts show of it, if anything.
    pub(crate) find: fn(&Case<'_>) -> Option<Finding>,
}

/// What a row has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Its sentences.
    pub(crate) cause: Cause,
    /// Whether the facts prove it; else it is named only where nothing is proved.
    pub(crate) is_proved: bool,
}

/// Every row.
#[cfg(test)]
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
    let found = findings(case);
    let is_proved = found.iter().any(|finding| finding.is_proved);
    only(found, is_proved)
}

/// The causes that are proved, and so would make it fail.
pub(crate) fn proved(case: &Case<'_>) -> Vec<Cause> {
    only(findings(case), true)
}

/// What all rows find.
fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for find in [
        unshare::find,
        maps::find,
        helper_program::find,
        credentials::find,
        mounts::find,
        enter::find,
        execute::find,
    ] {
        find(case, &mut found);
    }
    found
}

/// The causes that are proved, or those that are not, each once.
fn only(found: Vec<Finding>, is_proved: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    for Finding { cause, .. } in found
        .into_iter()
        .filter(|finding| finding.is_proved == is_proved)
    {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    causes
}

impl Case<'_> {
    /// Whether this step failed with one of these errors; with none of them, without an error.
    pub(crate) fn is_of(&self, step: &str, errors: &[i32]) -> bool {
        self.stage.word() == step
            && (errors.contains(&self.errno) || (errors.is_empty() && self.errno == 0))
    }
}

/// The file or directory of the failure.
fn place<'a>(case: &'a Case<'_>) -> Option<&'a Place> {
    match case.stage {
        Stage::Open(path) if Process::in_path(path).is_some() => None,
        Stage::Mount { target: path, .. }
        | Stage::Bind { file: path, .. }
        | Stage::Open(path)
        | Stage::Root(Some(path))
        | Stage::Directory(Some(path)) => case.facts.place(path),
        _ => None,
    }
}

/// A cause that is proved.
fn because(cause: impl Into<String>, hint: impl Into<String>) -> Option<Finding> {
    Some(Finding {
        cause: Cause {
            cause: cause.into(),
            hint: hint.into(),
        },
        is_proved: true,
    })
}

/// A cause that is possible.
fn perhaps(cause: impl Into<String>, hint: impl Into<String>) -> Option<Finding> {
    let finding = because(cause, hint)?;
    Some(Finding {
        is_proved: false,
        ..finding
    })
}

/// The sentence that a capability is missing.
fn lacks(case: &Case<'_>, capability: Capability) -> Option<String> {
    let set = case.facts.capabilities()?;
    (!capability.is_in(set))
        .then(|| format!("{} is missing (CapEff is {set:016x})", capability.name()))
}

/// The sentence that a filter stands in front of a system call: `probe` was answered with the same error as the
/// call, where every kernel says `expected`.
fn filtered(
    case: &Case<'_>,
    call: &str,
    probe: Option<crate::sys::Error>,
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

/// AppArmor's restriction of user namespaces, as far as it can be seen.
fn apparmor(case: &Case<'_>) -> Option<Finding> {
    let hint = "give this binary an AppArmor profile with \"userns,\" or run as root";
    let facts = case.facts;
    let label = facts.label();
    let restricts = facts.apparmor_restricts() == Some(1);
    let sysctl = "kernel.apparmor_restrict_unprivileged_userns is 1";
    if let Some(label) = label
        && label.starts_with("unprivileged_userns")
    {
        let and = if restricts {
            format!("{sysctl} and ")
        } else {
            String::new()
        };
        return because(
            format!(
                "{and}the AppArmor profile here is {label}, so this user namespace has no capabilities"
            ),
            hint,
        );
    }
    // A profile of its own may allow user namespaces.
    let is_unconfined = label.is_none_or(|label| label.starts_with("unconfined"));
    if !restricts || !is_unconfined {
        return None;
    }
    if !matches!(case.stage, Stage::Unshare(_)) {
        // Who was privileged outside is not restricted, and that can no longer be seen.
        return perhaps(
            format!(
                "{sysctl}, so either this user namespace has no capabilities, or another security module refuses"
            ),
            hint,
        );
    }
    let is_privileged = facts.has(Capability::SysAdmin)? && facts.has_all_ids() == Some(true);
    (!is_privileged).then(|| {
        because(
            format!("{sysctl}, so a user namespace made here has no capabilities"),
            hint,
        )
    })?
}

#[cfg(test)]
mod tests;
