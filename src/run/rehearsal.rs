//! A plan that is shown and not done: its lines, and what it would fail at.

use std::fmt::Write as _;

use crate::failure::{Cause, Result, cause};
use crate::model::json::{list, member, object, or_null, string};
use crate::plan::Plan;
use crate::steps::ahead::{Entering, Foretold};
use crate::steps::enter::{self, resolve};
use crate::steps::pidfile::Pidfile;
use crate::steps::{State, Step};
use crate::sys::{self, Sealed};

/// What a plan would do, and what it would fail at.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    /// A line each step; those of the child are indented.
    lines: Vec<String>,
    /// In the order of doing.
    foretold: Vec<Foretold>,
}

/// Rehearses a plan.
///
/// What is opened is opened, and what is entered is entered, by this process, which does nothing else and ends:
/// so the order is the one that was taken. Failures are predicted before anything is entered.
///
/// # Errors
/// What cannot be opened, and what is refused without having been foretold.
pub(crate) fn dry_run(plan: &Plan) -> Result<Rehearsal> {
    let mut state = State::default();
    let mut opened = Vec::new();
    for step in &plan.steps {
        match step {
            Step::OpenTarget(_) | Step::FindTarget(_) | Step::Open(_) | Step::CheckTarget(_) => {
                step.run(&mut state)?;
            }
            Step::Enter(enter) => opened.push(resolve::open(enter, state.target.take())?),
            Step::Helper(helper) => {
                helper.pidfile.as_deref().map(Pidfile::open).transpose()?;
            }
            _ => {}
        }
    }
    let seen: Vec<Entering> = opened.iter().flatten().map(enter::ToEnter::seen).collect();
    let predicted = plan.predict(&seen);

    let sealed = Sealed::new().map_err(enter::not_sealed)?;
    let mut opened = opened.into_iter();
    let mut lines = Vec::new();
    let mut indent = "";
    for (index, step) in plan.steps.iter().enumerate() {
        if let Step::Enter(enter) = step
            && let Some(opened) = opened.next()
        {
            let mut tell = |what: std::fmt::Arguments<'_>, result: &sys::Result<()>| {
                if result.is_ok() {
                    lines.push(format!("{indent}setns {what}"));
                }
            };
            match enter::enter(&sealed, opened, enter.in_order, &mut tell) {
                Ok(_) => continue,
                Err(failure) if predicted.iter().take(index + 1).all(Vec::is_empty) => {
                    return Err(failure);
                }
                Err(_) => {}
            }
        }
        lines.push(format!("{indent}{step}"));
        if matches!(step, Step::Fork(_)) {
            indent = "  ";
        }
    }
    Ok(Rehearsal {
        lines,
        foretold: predicted.into_iter().flatten().collect(),
    })
}

impl Rehearsal {
    /// The exit status of the run; 0 where nothing is foretold. `failure`: that of all our failures.
    pub(crate) fn status(&self, failure: u8) -> u8 {
        let first = self.foretold.first();
        first.map_or(0, |first| first.status.unwrap_or(failure))
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        for line in &self.lines {
            let _ = writeln!(text, "{line}");
        }
        for one in &self.foretold {
            let _ = write!(text, "would fail: {}", one.line);
            if let Some(error) = one.error {
                let _ = write!(text, ": {error}");
            }
            text.push('\n');
            text.push_str(&cause::lines(&one.causes));
        }
        text
    }

    /// For programs: one line, whose form is in the manual. Members may be added, and none changes.
    pub(crate) fn json(&self, failure: u8) -> String {
        let words = |text: &str| string(text.as_ref());
        let cause = |Cause { cause, hint }: &Cause| {
            object(&[member("cause", words(cause)), member("hint", words(hint))])
        };
        let failures = self.foretold.iter().map(|one| {
            object(&[
                member("step", words(one.word)),
                member("line", words(&one.line)),
                member("errno", or_null(one.error.map(|error| words(error.name())))),
                member("causes", list(one.causes.iter().map(cause))),
            ])
        });
        object(&[
            member("plan", list(self.lines.iter().map(|line| words(line)))),
            member("failures", list(failures)),
            member("status", self.status(failure)),
        ]) + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foretold(error: Option<i32>, status: Option<u8>) -> Foretold {
        Foretold {
            line: "unshare net".to_owned(),
            word: "unshare",
            error: error.map(sys::Error::from_raw),
            status,
            causes: vec![Cause {
                cause: "one".to_owned(),
                hint: String::new(),
            }],
        }
    }

    #[test]
    fn for_people_and_for_programs() {
        let lines = vec!["fork".to_owned(), "  execute a".to_owned()];
        let fine = Rehearsal {
            lines: lines.clone(),
            foretold: vec![],
        };
        assert_eq!(fine.text(), "fork\n  execute a\n");
        assert_eq!(fine.status(1), 0);
        let json = "{\"plan\":[\"fork\",\"  execute a\"],\"failures\":[],\"status\":0}\n";
        assert_eq!(fine.json(1), json);
        let fails = Rehearsal {
            lines,
            foretold: vec![foretold(Some(libc::EPERM), None), foretold(None, Some(127))],
        };
        assert_eq!(
            fails.text(),
            "fork\n  execute a\nwould fail: unshare net: Operation not permitted\n  cause: one\n\
             would fail: unshare net\n  cause: one\n"
        );
        // The first is the one that would end it.
        assert_eq!(fails.status(3), 3);
        let said: serde_json::Value = serde_json::from_str(&fails.json(3)).unwrap();
        assert_eq!(said["status"], 3);
        let causes = serde_json::json!([{"cause": "one", "hint": ""}]);
        let failure = |errno: serde_json::Value| serde_json::json!({"step": "unshare", "line": "unshare net", "errno": errno, "causes": causes});
        let failures = [failure("EPERM".into()), failure(serde_json::Value::Null)];
        assert_eq!(said["failures"], serde_json::Value::from(failures.to_vec()));
        let missing = Rehearsal {
            lines: vec![],
            foretold: vec![foretold(None, Some(127))],
        };
        assert_eq!(missing.status(3), 127);
    }
}
