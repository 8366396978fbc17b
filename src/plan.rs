//! Plans: what to do, in which order, as data that prints.
//!
//! The order of doing is the product, so it can be read (`--dry-run`) and tested without privileges.

use std::ffi::CStr;
use std::fmt;

use crate::model::{AppletName, Kind, Which};
use crate::steps::ahead::{Ahead, Entering, Foretold};
use crate::steps::{Enter, Step};

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
            Step::Root(_) | Step::PivotRoot(_) | Step::OpenedRoot(_) => true,
            // Only the kernel knows of which kind some are.
            Step::Enter(enter) => may_enter(enter, Kind::Mnt) != Some(false),
            _ => false,
        })
    }

    /// What each step would fail at, as far as that can be seen without doing anything. `entering`: what is entered.
    pub(crate) fn predict(&self, entering: &[Entering]) -> Vec<Vec<Foretold>> {
        let mut ahead = Ahead::new(self.report.applet, entering);
        let mut foretold = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            step.predict(&step.to_string(), &mut ahead);
            foretold.push(std::mem::take(&mut ahead.foretold));
        }
        foretold
    }

    /// Whether /proc may be another by the time that we wait for a child which may be PID 1 of a PID namespace.
    pub(crate) fn waits_beside_another_proc(&self) -> bool {
        let waits = |step: &Step| matches!(step, Step::Fork(fork) if !fork.only_if_needed && fork.init.is_none());
        let enters_pid = |step: &Step| matches!(step, Step::Enter(enter) if may_enter(enter, Kind::Pid) == Some(true));
        let mounts = |step: &Step| matches!(step, Step::MountProc(_));
        self.steps.iter().any(waits)
            && !self.steps.iter().any(enters_pid)
            && (self.leaves_our_files() || self.steps.iter().any(mounts))
    }
}

/// Whether a namespace of this kind is among those to enter; none when only the kernel knows.
fn may_enter(enter: &Enter, kind: Kind) -> Option<bool> {
    let mut may = Some(false);
    for wanted in &enter.wanted {
        match wanted.which {
            Which::These(kinds) if kinds.has(kind) => return Some(true),
            Which::AllBut(kinds) if !kinds.has(kind) => return Some(true),
            Which::These(_) | Which::AllBut(_) => {}
            Which::Natural => may = None,
        }
    }
    may
}

/// How to report what happens, besides the exit status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Report {
    /// Who reports.
    pub(crate) applet: AppletName,
    /// The command line that asked for it.
    pub(crate) argv: &'static [&'static CStr],
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
