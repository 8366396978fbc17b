//! After a failure: why, if anybody wants to know.
//!
//! Nothing here is called before something has failed, so a run that succeeds pays nothing for it.

use crate::failure::common::who_refuses;
use crate::failure::wrapped::wrapped;
use crate::failure::{Case, Cause, Failure, cause};
use crate::host::facts::Facts;
use crate::plan::Report;
use crate::sys::{self, Proc, Stream};

/// Finds out why, if anybody wants to know, and keeps it in the failure. Does nothing a second time.
pub(crate) fn inquire(failure: &mut Failure, report: &Report, proc: &Proc) {
    if is_wanted(report) {
        find_out(failure, report, proc);
    }
}

/// Finds out why, and keeps it in the failure. Does nothing a second time.
pub(crate) fn find_out(failure: &mut Failure, report: &Report, proc: &Proc) {
    if failure.causes.is_none() {
        failure.causes = Some(causes(failure, report, &Facts::new(proc)).into());
    }
}

/// Whether anybody wants to know why something failed.
pub(crate) fn is_wanted(report: &Report) -> bool {
    report.status_fd.is_some() || is_printed(report)
}

/// Whether causes are said on standard error: with `--explain`, on a terminal or as `NSKIT_EXPLAIN` says.
pub(crate) fn is_printed(report: &Report) -> bool {
    match sys::variable("NSKIT_EXPLAIN").map(|value| value.as_encoded_bytes()) {
        Some(b"0") => false,
        Some(b"1") => true,
        _ => report.explain || sys::is_terminal(Stream::Error),
    }
}

/// The causes as standard error is to have them: as they are, or for the terminal that it is.
pub(crate) fn lines(causes: &[Cause]) -> String {
    if !sys::is_terminal(Stream::Error) {
        return cause::lines(causes);
    }
    let width = sys::columns(Stream::Error);
    wrapped(causes, width, takes_colours())
}

/// Whether terminals may be sent codes for colours and bold letters: `NO_COLOR` is not set, `TERM` is no `dumb` one.
pub(crate) fn takes_colours() -> bool {
    let forbids = sys::variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = sys::variable("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    !forbids && !is_dumb
}

/// The causes of a failure; where none fits, what was looked at.
fn causes(failure: &Failure, report: &Report, facts: &Facts<'_>) -> Vec<Cause> {
    let case = Case {
        errno: failure.error.map_or(0, sys::Error::raw),
        facts,
        applet: report.applet,
    };
    let causes = cause::causes(failure.step.as_ref(), &case);
    // A sentence of ours says it all, and an errno or another program does not.
    let is_said = failure.error.is_none() && failure.said.is_empty();
    if !causes.is_empty() || is_said {
        return causes;
    }
    let (who, hint) = who_refuses(&case).unwrap_or_default();
    vec![Cause {
        cause: format!("none of those known{who}; looked at: {}", facts.looked_at()),
        hint: hint.to_owned(),
    }]
}
