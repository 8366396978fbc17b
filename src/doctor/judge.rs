//! What an outcome says, and why something would fail that is not tried.

use super::attempt::AttemptOutcome;
use super::report::Judgement;
use crate::failure::common::{self, no_ranges};
use crate::failure::{Case, Cause, Explain, cause};
use crate::host::facts::Facts;
use crate::model::AppletName;
use crate::model::Ids;
use crate::sys::{self, Proc};

/// The verdict, whether it works, what it failed with, and why.
pub(super) fn works(outcome: AttemptOutcome) -> (Judgement, Option<bool>, String, Vec<Cause>) {
    match outcome {
        AttemptOutcome::Works => (Judgement::Yes, Some(true), String::new(), Vec::new()),
        AttemptOutcome::Fails(error, causes) => (Judgement::No, Some(false), error, causes),
        AttemptOutcome::Unknown(error, causes) => (Judgement::Unknown, None, error, causes),
        AttemptOutcome::Unsaid => (Judgement::Unknown, None, String::new(), Vec::new()),
    }
}

/// The causes that are proved, should this fail so, with facts that `change` makes others.
pub(super) fn proved<'a>(
    proc: &'a Proc,
    step: &dyn Explain,
    errno: i32,
    change: impl FnOnce(&mut Facts<'a>),
) -> Vec<Cause> {
    let mut facts = Facts::new(proc);
    change(&mut facts);
    let facts = &facts;
    cause::proved(step, &case(errno, facts))
}

/// Why this has failed so: what is proved, or else what is possible.
pub(super) fn causes(proc: &Proc, step: &dyn Explain, errno: i32) -> Vec<Cause> {
    let facts = &Facts::new(proc);
    cause::causes(step, &case(errno, facts))
}

/// Why a filter refuses a system call, going by the answer to a probe.
pub(super) fn filtered(
    facts: &Facts<'_>,
    call: &str,
    probe: Option<sys::Error>,
    expected: i32,
) -> Option<Cause> {
    let errno = probe?.raw();
    let found = common::filtered(&case(errno, facts), call, probe, expected)?;
    Some(found.cause)
}

/// Adds why, where the applet refuses the command line since there are no ranges of IDs.
pub(super) fn with_ranges(outcome: AttemptOutcome) -> AttemptOutcome {
    match outcome {
        AttemptOutcome::Fails(error, causes) if causes.is_empty() => {
            let lacks = [Ids::Uid, Ids::Gid]
                .into_iter()
                .any(|ids| error.ends_with(ids.sub_file()));
            let causes = if lacks { no_ranges() } else { causes };
            AttemptOutcome::Fails(error, causes)
        }
        other => other,
    }
}

/// As of `unshare`, with which most of it is tried.
fn case<'a>(errno: i32, facts: &'a Facts<'a>) -> Case<'a> {
    Case {
        errno,
        facts,
        applet: AppletName::Unshare,
    }
}
