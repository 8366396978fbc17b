//! After a failure: facts, the causes that they prove, and what to do.
//!
//! Nothing here is called before something has failed, so a run that succeeds pays nothing for it.

mod forecast;
#[cfg(test)]
pub(crate) mod manual;
mod rules;

use crate::failure::{Cause, Failure, Stage};
use crate::host::facts::Facts;
use crate::host::namespace;
use crate::plan::Report;
use crate::sys::{self, Proc};
pub(crate) use forecast::foresee;
use rules::Case;

/// Finds out why, if anybody wants to know, and keeps it in the failure. Does nothing a second time.
pub(crate) fn inquire(failure: &mut Failure, report: &Report, proc: &Proc) {
    if failure.causes.is_none() && is_wanted(report) {
        let mut facts = Facts::new(proc);
        if let (Stage::Enter { kinds, pid }, Some(fd)) = (&failure.stage, &failure.subject) {
            // No path leads to it any more.
            facts.namespaces = Some(namespace::look_at(proc, *kinds, *pid, Some(fd))).into();
        }
        failure.causes = Some(causes(failure, &facts).into());
    }
}

/// Whether anybody wants to know why something failed.
pub(crate) fn is_wanted(report: &Report) -> bool {
    report.status_fd.is_some() || is_aloud(report)
}

/// Whether causes are said on standard error: with `--explain`, on a terminal or as `NSKIT_EXPLAIN` says.
pub(crate) fn is_aloud(report: &Report) -> bool {
    match sys::variable("NSKIT_EXPLAIN").map(|value| value.as_encoded_bytes()) {
        Some(b"0") => false,
        Some(b"1") => true,
        _ => report.explain || sys::error_is_terminal(),
    }
}

/// The lines under the classic one.
pub(crate) fn lines(failure: &Failure) -> String {
    lines_of(failure.causes.as_deref().unwrap_or_default())
}

fn lines_of(causes: &[Cause]) -> String {
    let mut text = String::new();
    for Cause { cause, hint } in causes {
        text.push_str(&format!("  cause: {cause}\n"));
        if !hint.is_empty() {
            text.push_str(&format!("  hint: {hint}\n"));
        }
    }
    text
}

/// The causes of a failure; where none fits, what was looked at.
fn causes(failure: &Failure, facts: &Facts<'_>) -> Vec<Cause> {
    let case = Case {
        stage: &failure.stage,
        errno: failure.error.map_or(0, sys::Error::raw),
        facts,
    };
    let causes = rules::causes(&case);
    // A failure without an errno is a sentence of ours, which says it all.
    let is_said = failure.error.is_none() && !matches!(failure.stage, Stage::MapProgram { .. });
    if !causes.is_empty() || is_said {
        return causes;
    }
    vec![Cause {
        cause: format!("none of those known; looked at: {}", facts.looked_at()),
        hint: String::new(),
    }]
}
