//! A plan that is tried: done by a child of ours, with the run loop of the applets, up to where it would execute the
//! program.
//!
//! The hard thing: nothing may stay, also when we are killed half-way. All that a plan changes lies in namespaces that the
//! child has made or entered, or is left out of what is tried; the child and what it starts end with us.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::explain;
use crate::failure::{Cause, Failure};
use crate::model::AppletName;
use crate::plan::{Plan, Report};
use crate::run::{self, Ended, Outcome};
use crate::steps::ahead::Ahead;
use crate::steps::pidfile::Pidfile;
use crate::steps::{Helper, Outside, Program, Step, Trial};
use crate::sys::{self, Args, Change, Forked, Proc};

/// How long a child may take. The slowest takes milliseconds; one that waits for a name service may wait in vain.
const PATIENCE: Duration = Duration::from_secs(5);
/// A child that says more than this says it in vain, in bytes.
const LONGEST: usize = 256 * 1024;

/// What came of trying.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    /// The plan, a line each step.
    pub(super) plan: Vec<String>,
    /// Steps that outlive the child, so they were left out: each with what it would fail at.
    pub(super) told: Vec<(String, Vec<Cause>)>,
    pub(super) outcome: AttemptOutcome,
}

#[derive(Debug, Default)]
pub(super) enum AttemptOutcome {
    Works,
    /// The line that the applet would print, without its name.
    Fails(String, Vec<Cause>),
    /// It could not be tried.
    Unknown(String, Vec<Cause>),
    #[default]
    Unsaid,
}

/// Why there is no plan to try.
pub(super) enum NoPlan {
    /// The applet would refuse the command line with this line.
    Refused(String),
    /// It would start no program.
    Nothing,
}

/// Makes what is to be tried; called by the child that tries it.
pub(super) type Make<'a> = &'a dyn Fn() -> Result<ToTry, NoPlan>;

/// A plan, up to where it would execute the program.
pub(super) struct ToTry {
    pub(super) steps: Vec<Step>,
    /// The plan as it is shown; nothing where nobody wants to see it.
    pub(super) shown: String,
    /// Of which applet it is.
    pub(super) applet: AppletName,
}

/// Tries what `make` gives, which a child calls.
pub(super) fn attempt(make: Make<'_>, args: &Args) -> Attempt {
    let started = match start(make, args) {
        Ok(started) => started,
        Err(failure) => return unknown(failure),
    };
    let (child, line) = started;
    let text = match listen(&line) {
        Ok(text) => text,
        Err(error) => {
            end(child);
            let text = match error {
                Some(error) => format!("what it says cannot be read: {error}"),
                None => "it did not end in time".to_owned(),
            };
            return Attempt {
                outcome: AttemptOutcome::Unknown(text, Vec::new()),
                ..Attempt::default()
            };
        }
    };
    let change = sys::wait(child);
    let mut attempt = wire::decode(&text);
    if let AttemptOutcome::Unsaid = attempt.outcome {
        attempt.outcome = match change {
            Ok(Change::Exited(0)) => AttemptOutcome::Works,
            Ok(Change::Killed(signal)) => {
                AttemptOutcome::Unknown(format!("signal {signal} ended it"), Vec::new())
            }
            _ => AttemptOutcome::Unknown("it ended without a word".to_owned(), Vec::new()),
        };
    }
    attempt
}

/// What a question is answered that may wait for others in vain, so a child asks it; none where it gets no answer.
pub(super) fn answer(question: &dyn Fn() -> String, args: &Args) -> Option<String> {
    let make = || Err(NoPlan::Refused(question()));
    match attempt(&make, args).outcome {
        AttemptOutcome::Fails(answer, _) if !answer.is_empty() => Some(answer),
        _ => None,
    }
}

/// A child of ours that has stopped in the middle of a plan; it ends with this.
pub(super) struct Stopped(pub(super) i32);

impl Drop for Stopped {
    fn drop(&mut self) {
        end(self.0);
    }
}

/// Ends a child. One that cannot be killed would be waited for in vain; it ends with us.
fn end(child: i32) {
    if sys::kill(child, libc::SIGKILL).is_ok() {
        let _ = sys::wait(child);
    }
}

/// Does what `make` gives up to where it stops.
pub(super) fn stopped(make: Make<'_>, args: &Args) -> Result<Stopped, Attempt> {
    let (child, line) = start(make, args).map_err(unknown)?;
    match sys::wait_stopped(child) {
        Ok(Change::Stopped(_)) => Ok(Stopped(child)),
        _ => {
            let text = listen(&line).unwrap_or_default();
            Err(wire::decode(&text))
        }
    }
}

fn unknown(mut failure: Failure) -> Attempt {
    explain::find_out(&mut failure, &Report::default(), &Proc::default());
    let text = said(&failure);
    let causes = failure.causes.unwrap_or_default().into_vec();
    Attempt {
        outcome: AttemptOutcome::Unknown(text, causes),
        ..Attempt::default()
    }
}

/// Starts the child; gives its PID, and the line on which it tells.
fn start(make: Make<'_>, args: &Args) -> Result<(i32, OwnedFd), Failure> {
    let failed = |error| Failure::new(crate::steps::fork::NewProcess, "fork failed", error);
    let (read, write) = sys::pipe().map_err(failed)?;
    let us = sys::pid();
    match sys::fork().map_err(failed)? {
        Forked::Parent(child) => Ok((child, read)),
        Forked::Child => {
            drop(read);
            let _ = sys::set_parent_death_signal(libc::SIGKILL);
            if sys::parent() != us {
                sys::exit_now(1);
            }
            let status = be_child(make, args, write.as_fd());
            sys::exit_now(status)
        }
    }
}

/// All that the child tells.
///
/// # Errors
/// Why it cannot be heard to its end; none if it takes too long.
fn listen(line: &OwnedFd) -> Result<Vec<u8>, Option<sys::Error>> {
    let start = sys::clock(false);
    let mut text = Vec::new();
    let mut room = [0; 4096];
    loop {
        let left = PATIENCE.checked_sub(sys::clock(false).saturating_sub(start));
        if !sys::is_readable_within(line.as_fd(), left.ok_or(None)?).map_err(Some)? {
            continue;
        }
        match sys::read_some(line.as_fd(), &mut room).map_err(Some)? {
            0 => return Ok(text),
            read if text.len() < LONGEST => text.extend(room.iter().take(read)),
            _ => {}
        }
    }
}

/// In the child; gives its exit status. Comes back in copies of it too, that have failed.
fn be_child(make: Make<'_>, args: &Args, line: BorrowedFd<'_>) -> u8 {
    // What is not told whole is not done.
    let tell = |text: &[u8]| sys::write_all(line, text).is_ok();
    let ToTry {
        steps,
        shown,
        applet,
    } = match make() {
        Ok(to_try) => to_try,
        Err(NoPlan::Refused(text)) => {
            tell(&wire::failed(&text, &[]));
            return 1;
        }
        Err(NoPlan::Nothing) => {
            tell(&wire::nothing("it would start no program"));
            return 1;
        }
    };
    if !tell(&wire::plan(&shown)) {
        return 1;
    }
    let (mut steps, left_out) = split(steps);
    steps.push(Step::Execute(Program::Nothing));
    let report = Report {
        applet,
        ..Report::default()
    };
    let plan = Plan { steps, report };
    for step in left_out {
        let (what, causes) = tell_of(&step, &plan.report);
        if !tell(&wire::told(&what, &causes)) {
            return 1;
        }
    }

    let proc = Proc::default();
    proc.keep();
    let inquiry = |failure: &mut Failure| explain::find_out(failure, &plan.report, &proc);
    let Outcome { result, .. } = run::run(&plan, args, &proc, &inquiry);
    match result {
        Ok(Ended::Exited(status)) => status,
        Ok(Ended::Killed(_)) => 1,
        Err(mut failure) => {
            explain::find_out(&mut failure, &plan.report, &proc);
            let causes = failure.causes.as_deref().unwrap_or_default();
            tell(&wire::failed(&said(&failure), causes));
            1
        }
    }
}

/// What a failure says.
fn said(failure: &Failure) -> String {
    let mut text = failure.line.to_string_lossy().into_owned();
    if let Some(error) = failure.error {
        text = format!("{text}: {error}");
    }
    let helper = failure.said.trim_ascii();
    if !helper.is_empty() {
        text = format!("{text} ({})", String::from_utf8_lossy(helper));
    }
    text
}

/// The steps that end with the processes that do them, and those that outlive them, or others feel.
fn split(steps: Vec<Step>) -> (Vec<Step>, Vec<Step>) {
    let (mut within, mut outliving) = (Vec::with_capacity(steps.len()), Vec::new());
    for step in steps {
        match step {
            Step::Advice(_) => {}
            Step::JoinCgroup(_) => outliving.push(step),
            Step::Outside(Outside::Bind(_)) if !is_ours_alone(&within) => outliving.push(step),
            Step::Helper(Helper {
                mut work,
                pidfile,
                is_orphan,
            }) => {
                if !is_ours_alone(&within) {
                    work.retain(|piece| !matches!(piece, Outside::Bind(_)));
                }
                if pidfile.is_some() {
                    outliving.push(Step::Helper(Helper {
                        work: Vec::new(),
                        pidfile,
                        is_orphan,
                    }));
                }
                if !work.is_empty() {
                    within.push(Step::Helper(Helper {
                        work,
                        pidfile: None,
                        is_orphan: false,
                    }));
                }
            }
            step => within.push(step),
        }
    }
    (within, outliving)
}

/// Whether files are those of a tmpfs that the steps so far have mounted in a mount namespace of their own.
fn is_ours_alone(steps: &[Step]) -> bool {
    let mounts = |step: &Step| matches!(step, Step::Trial(Trial::Tmpfs { .. }));
    steps.iter().any(mounts)
}

/// What a step would do that is left out, and what it would fail at.
fn tell_of(step: &Step, report: &Report) -> (String, Vec<Cause>) {
    let what = step.to_string();
    if let Step::Helper(Helper {
        pidfile: Some(file),
        ..
    }) = step
    {
        let causes = match Pidfile::open(file) {
            Ok(_) => Vec::new(),
            Err(mut failure) => {
                explain::find_out(&mut failure, report, &Proc::default());
                let mut causes = failure.causes.take().unwrap_or_default().into_vec();
                if causes.is_empty() {
                    causes.push(Cause {
                        cause: said(&failure),
                        hint: String::new(),
                    });
                }
                causes
            }
        };
        return (what, causes);
    }
    let mut ahead = Ahead::new(report.applet, &[]);
    step.predict(&what, &mut ahead);
    let causes = ahead.foretold.into_iter().flat_map(|one| one.causes);
    (what, causes.collect())
}

/// What the child tells, record by record: a letter, and texts, each with a NUL behind it; a record ends with one more.
mod wire {
    use super::{Attempt, AttemptOutcome, Cause};

    fn record(letter: u8, texts: &[&str], causes: &[Cause]) -> Vec<u8> {
        let causes = causes
            .iter()
            .flat_map(|cause| [cause.cause.as_str(), cause.hint.as_str()]);
        let mut record = vec![letter];
        for text in texts.iter().copied().chain(causes) {
            // An empty text must not end the record.
            record.push(b'=');
            record.extend(text.bytes().filter(|&byte| byte != 0));
            record.push(0);
        }
        record.push(0);
        record
    }

    pub(super) fn failed(text: &str, causes: &[Cause]) -> Vec<u8> {
        record(b'f', &[text], causes)
    }

    pub(super) fn nothing(text: &str) -> Vec<u8> {
        record(b'n', &[text], &[])
    }

    pub(super) fn told(text: &str, causes: &[Cause]) -> Vec<u8> {
        record(b't', &[text], causes)
    }

    pub(super) fn plan(text: &str) -> Vec<u8> {
        record(b'p', &[text], &[])
    }

    pub(super) fn decode(mut text: &[u8]) -> Attempt {
        let mut attempt = Attempt::default();
        while let Some((letter, mut rest)) = text.split_first() {
            let mut texts = Vec::new();
            while let Some((b'=', after)) = rest.split_first() {
                let end = after.iter().position(|&byte| byte == 0);
                let (one, after) = after.split_at(end.unwrap_or(after.len()));
                texts.push(String::from_utf8_lossy(one).into_owned());
                rest = after.get(1..).unwrap_or_default();
            }
            text = rest.get(1..).unwrap_or_default();
            let mut texts = texts.into_iter();
            let first = texts.next().unwrap_or_default();
            let mut causes = Vec::new();
            while let (Some(cause), Some(hint)) = (texts.next(), texts.next()) {
                causes.push(Cause { cause, hint });
            }
            match letter {
                b'p' => attempt.plan = first.lines().map(str::to_owned).collect(),
                b't' => attempt.told.push((first, causes)),
                b'n' => attempt.outcome = AttemptOutcome::Unknown(first, causes),
                _ => attempt.outcome = AttemptOutcome::Fails(first, causes),
            }
        }
        attempt
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use proptest::prelude::*;

        #[test]
        fn what_is_told_arrives() {
            let cause = |cause: &str, hint: &str| Cause {
                cause: cause.into(),
                hint: hint.into(),
            };
            let causes = [cause("a", ""), cause("", "b\nc")];
            let mut text = plan("one\n  two\n");
            text.extend(told("bind", &causes[..1]));
            text.extend(told("", &[]));
            text.extend(failed("it failed", &causes));
            let attempt = decode(&text);
            assert_eq!(attempt.plan, ["one", "  two"]);
            let expected = [
                ("bind".to_owned(), causes[..1].to_vec()),
                (String::new(), vec![]),
            ];
            assert_eq!(attempt.told, expected);
            match attempt.outcome {
                AttemptOutcome::Fails(line, found) => {
                    assert_eq!(
                        (line.as_str(), found.as_slice()),
                        ("it failed", &causes[..])
                    );
                }
                other => panic!("{other:?}"),
            }
            assert!(matches!(decode(b"").outcome, AttemptOutcome::Unsaid));
        }

        proptest! {
            #[test]
            fn any_bytes_do(text: Vec<u8>) {
                decode(&text);
            }
        }
    }
}
