//! Command lines: the plans that the applets make of them, and one that somebody wants to know about.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;

use super::attempt::{Attempt, NoPlan, ToTry, attempt};
use super::judge::{with_ranges, works};
use super::report::{Check, Examination, Heading, Judgement, Tried};
use crate::applets::common::Request;
use crate::applets::{APPLETS, CommandLineError, Response};
use crate::host::Machine;
use crate::model::{AppletName, Word};
use crate::plan::Plan;
use crate::steps::{Step, Trial};
use crate::sys::Args;

/// A part of what is tried.
#[derive(Clone)]
pub(super) enum LinePart {
    /// A command line without a program.
    Line(String),
    Trial(Trial),
}

/// A command line, which may go on in place of its program with another: `unshare -c unshare -c`.
pub(super) fn parts(command: &str) -> Vec<LinePart> {
    let mut parts: Vec<LinePart> = Vec::new();
    for word in command.split(' ') {
        let begins = const { &APPLETS }.iter().any(|applet| applet.name == word);
        match parts.last_mut() {
            Some(LinePart::Line(line)) if !begins => {
                line.push(' ');
                line.push_str(word);
            }
            _ => parts.push(LinePart::Line(word.to_owned())),
        }
    }
    parts
}

/// What these parts do, one after the other.
pub(super) fn chain(parts: &[LinePart]) -> Result<ToTry, NoPlan> {
    let mut steps = Vec::new();
    let mut applet = AppletName::default();
    for part in parts {
        match part {
            LinePart::Line(line) => {
                let mut plan = plan(&words(line))?;
                plan.steps.pop();
                steps.append(&mut plan.steps);
                applet = plan.report.applet;
            }
            LinePart::Trial(trial) => steps.push(trial.clone().into()),
        }
    }
    let shown = String::new();
    Ok(ToTry {
        steps,
        shown,
        applet,
    })
}

/// Words for an applet, which wants those of a whole run.
fn words(line: &str) -> &'static [&'static CStr] {
    let word = |word: &str| -> &'static CStr {
        Box::leak(CString::new(word).unwrap_or_default().into_boxed_c_str())
    };
    Vec::leak(line.split(' ').map(word).collect())
}

/// The plan that an applet makes of a command line.
fn plan(argv: &&'static [&'static CStr]) -> Result<Plan, NoPlan> {
    let name = argv.first().map_or(&b""[..], |word| word.to_bytes());
    let applet = const { &APPLETS }
        .iter()
        .find(|applet| applet.name.as_bytes() == name)
        .ok_or(NoPlan::Nothing)?;
    let refused = |line: &OsStr| NoPlan::Refused(line.to_string_lossy().into_owned());
    match (applet.ask)(argv, &Machine) {
        Ok(Response::Do(Request::Run(plan) | Request::DryRun { plan, .. })) => Ok(plan),
        Ok(_) => Err(NoPlan::Nothing),
        Err(CommandLineError::Usage(usage)) => Err(refused(&usage.0)),
        Err(CommandLineError::Invalid(invalid, ..)) => Err(refused(&invalid.0)),
    }
}

/// Examines one command line.
pub(super) fn examine(argv: &'static [&'static CStr], args: &Args) -> Examination {
    let command = |argv: &[&CStr]| {
        let words = argv.iter().map(|word| OsStr::from_bytes(word.to_bytes()));
        let words: Vec<String> = words.map(|word| Word(word).to_string()).collect();
        words.join(" ")
    };
    let make = || {
        let mut plan = plan(&argv)?;
        let shown = plan.to_string();
        if let Some(Step::Execute(program)) = plan.steps.pop() {
            plan.steps.push(Trial::Execute(program).into());
        }
        Ok(ToTry {
            steps: plan.steps,
            shown,
            applet: plan.report.applet,
        })
    };
    let Attempt {
        plan,
        told,
        outcome,
    } = attempt(&make, args);
    let (verdict, works, error, causes) = works(with_ranges(outcome));
    let check = |name, what, verdict| Check {
        name,
        group: Heading::Command,
        what,
        verdict,
        detail: String::new(),
        tried: Vec::new(),
        causes: Vec::new(),
    };
    let mut checks = vec![Check {
        tried: vec![Tried {
            command: "all of it but the program itself".to_owned(),
            works,
            error,
        }],
        causes,
        ..check("command-line", "the command line", verdict)
    }];
    checks.extend(told.into_iter().map(|(step, causes)| Check {
        detail: step,
        verdict: if causes.is_empty() {
            Judgement::Yes
        } else {
            Judgement::No
        },
        causes,
        ..check("step", "what outlives it", Judgement::Yes)
    }));
    Examination {
        command: Some((command(argv), plan)),
        checks,
    }
}
