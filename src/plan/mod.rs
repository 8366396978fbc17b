//! Plans: what to do, in which order, as data that prints.
//!
//! The order of doing is the product, so it can be read (`--dry-run`) and tested without privileges.

mod print;
pub(crate) mod step;

use std::fmt;

use crate::model::{Kind, Which};

pub(crate) use step::*;

/// All that an applet does, and how it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The steps, the last of which executes the program.
    pub(crate) steps: Vec<Step>,
    /// How to report.
    pub(crate) report: Report,
}

impl Plan {
    /// Whether it may enter another mount namespace or root directory, after which paths lead to somebody else's files.
    pub(crate) fn leaves_our_files(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Root(_) | Step::PivotRoot(_) | Step::OpenedRoot => true,
            Step::Enter(enter) => enter.wanted.iter().any(|wanted| match wanted.which {
                Which::These(kinds) => kinds.has(Kind::Mnt),
                Which::AllBut(kinds) => !kinds.has(Kind::Mnt),
                // Only the kernel knows which it is.
                Which::Natural => true,
            }),
            _ => false,
        })
    }
}

/// How to report what happens, besides the exit status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Report {
    /// A descriptor of the caller's, for a line of JSON an event.
    pub(crate) status_fd: Option<i32>,
    /// Say why something failed, also where standard error is no terminal.
    pub(crate) explain: bool,
    /// Say each step with its result.
    pub(crate) verbose: bool,
}

/// The steps, a line each; those of the child are indented.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut indent = "";
        for step in &self.steps {
            writeln!(f, "{indent}{step}")?;
            if matches!(step, Step::Fork(_)) {
                indent = "  ";
            }
        }
        Ok(())
    }
}
