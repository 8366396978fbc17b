//! `nskit doctor`: what this machine lets us do, found out by doing it.
//!
//! The checks are a table ([`checks`]); what can be tried is tried by a child, with the plans of the applets
//! ([`attempt`]); the rest is told from facts, and marked so.

mod attempt;
mod checks;
mod facts;
mod judge;
mod line;
mod report;

use std::ffi::CStr;

use crate::sys::Args;

pub(crate) use report::Examination;

/// Examines the machine.
pub(crate) fn machine(args: &Args) -> Examination {
    checks::examine(args)
}

/// Examines one command line, whose first word is the name of an applet.
pub(crate) fn command_line(argv: &'static [&'static CStr], args: &Args) -> Examination {
    line::examine(argv, args)
}
