//! What the applets' options have in common.

use std::ffi::{CStr, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use crate::cli::{Attached, Text};
use crate::host::Host;
use crate::model::listing::Listing;
use crate::model::number::Quoted;
use crate::model::signal::Signal;
use crate::model::value::{self, Id, OrFollow};
use crate::model::{Ids, Wanted};
use crate::plan::Plan;
use crate::steps::{NewId, Program};

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Do this.
    Run(Plan),
    /// Say what would be done.
    DryRun { plan: Plan, json: bool },
    /// Tell whether namespaces are the same.
    Same {
        wanted: Vec<Wanted>,
        quiet: bool,
        json: bool,
    },
    /// Show namespaces.
    Show {
        wanted: Vec<Wanted>,
        listing: Listing,
    },
}

impl Request {
    /// To do a plan, or only to show it, as JSON or not.
    pub(crate) fn of(plan: Plan, dry_run: bool, json: bool) -> Request {
        if dry_run {
            Request::DryRun { plan, json }
        } else {
            Request::Run(plan)
        }
    }
}

/// Why `--json` is refused where nothing but a plan can be shown.
pub(crate) const JSON_OF_PLAN: &str =
    "--json needs --dry-run: it is the form in which the steps are printed";

/// Why a command line cannot be done: one line, without the applet's name in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InvalidOptions(pub(crate) OsString);

impl InvalidOptions {
    /// A sentence.
    pub(crate) fn line(text: impl Into<OsString>) -> InvalidOptions {
        InvalidOptions(text.into())
    }

    /// An option's value cannot be used.
    pub(crate) fn value(option: &str, why: impl fmt::Display) -> InvalidOptions {
        InvalidOptions(format!("{option}: {why}").into())
    }
}

/// Names the option in front of what is wrong with its value.
pub(crate) fn of_option<T>(option: &str, result: Result<T, String>) -> Result<T, InvalidOptions> {
    result.map_err(|why| InvalidOptions::value(option, why))
}

/// A user or group, by number or by name.
pub(crate) fn lookup(
    option: &str,
    ids: Ids,
    text: &OsStr,
    host: &dyn Host,
) -> Result<u32, InvalidOptions> {
    match of_option(option, Id::parse(text))? {
        Id::Number(number) => Ok(number),
        Id::Name(name) => of_option(option, host.lookup(ids, &name)),
    }
}

/// As [`lookup`], or `follow`.
pub(crate) fn lookup_or_follow(
    option: &str,
    ids: Ids,
    text: &OsStr,
    host: &dyn Host,
) -> Result<NewId, InvalidOptions> {
    let parsed = OrFollow::parse(text, |text| {
        Ok(match Id::parse(text)? {
            Id::Number(number) => number,
            Id::Name(name) => host.lookup(ids, &name)?,
        })
    });
    Ok(match of_option(option, parsed)? {
        OrFollow::Follow => NewId::Follow,
        OrFollow::Given(id) => NewId::Given(id),
    })
}

/// The words of repeated values.
pub(crate) fn words_of(texts: &[Text]) -> impl Iterator<Item = &OsStr> {
    texts.iter().map(|text| text.0.as_os_str())
}

/// The program to execute: the operands, or a shell.
pub(crate) fn program(operands: &'static [&'static CStr]) -> Program {
    if operands.is_empty() {
        Program::Shell
    } else {
        Program::Given(operands)
    }
}

/// `--status-fd`.
pub(crate) fn status_fd(text: Option<&Text>) -> Result<Option<i32>, InvalidOptions> {
    text.map(|text| of_option("--status-fd", value::fd(&text.0)))
        .transpose()
}

/// `--kill-child`.
pub(crate) fn kill_child(given: &[Attached]) -> Result<Option<Signal>, InvalidOptions> {
    match given.last() {
        None => Ok(None),
        Some(Attached(None)) => Ok(Some(Signal::KILL)),
        Some(Attached(Some(text))) => of_option("--kill-child", Signal::parse(text)).map(Some),
    }
}

/// `--forward-signals`.
pub(crate) fn forward(given: &[Attached]) -> Result<Vec<Signal>, InvalidOptions> {
    match given.last() {
        None => Ok(Vec::new()),
        Some(Attached(None)) => Ok(Signal::FORWARDED.to_vec()),
        Some(Attached(Some(text))) => of_option("--forward-signals", Signal::parse_forwarded(text)),
    }
}

/// A value as errors show it.
pub(crate) fn quoted(text: &OsStr) -> String {
    Quoted(text).to_string()
}

/// The bytes of an argument as a word.
pub(crate) fn word(argument: &'static CStr) -> &'static OsStr {
    OsStr::from_bytes(argument.to_bytes())
}
