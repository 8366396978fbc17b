//! Plans: what to do, in which order, as data that prints.
//!
//! The order of doing is the product, so it can be read (`--dry-run`) and tested without privileges.

use std::fmt;

use crate::failure::Result;
use crate::model::value::{Propagation, Setgroups};
use crate::model::{Kind, Which};
use crate::steps::ahead::{Ahead, Entering};
use crate::steps::*;

/// The steps that there are, each of a type of its own, and what is asked of all of them alike.
macro_rules! steps {
    ($($name:ident($type:ty)),* $(,)?) => {
        /// A step of a plan.
        ///
        /// It is done by the process that came as far as it: before [`Step::Fork`] the one that was started, after it the
        /// child. Only what stands in [`Step::Outside`] is done by somebody else.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) enum Step {
            /// Start the helper: there are two of us then.
            Helper(Helper),
            /// Everything after this happens in a child; we wait for it.
            Fork(Fork),
            /// Become the program.
            Execute(Program),
            $(#[allow(missing_docs)] $name($type),)*
        }

        impl fmt::Display for Step {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Step::Helper(step) => step.fmt(f),
                    Step::Fork(step) => step.fmt(f),
                    Step::Execute(step) => step.fmt(f),
                    $(Step::$name(step) => step.fmt(f),)*
                }
            }
        }

        impl Step {
            /// Does it, unless it changes who goes on: that is the loop's to do.
            pub(crate) fn run(&self, state: &mut State) -> Result<()> {
                match self {
                    Step::Helper(_) | Step::Fork(_) | Step::Execute(_) => Ok(()),
                    $(Step::$name(step) => step.run(state),)*
                }
            }

            /// Tells what it would fail at, and follows where it leads.
            fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
                match self {
                    Step::Helper(_) => {}
                    Step::Fork(step) => step.predict(line, ahead),
                    Step::Execute(step) => step.predict(line, ahead),
                    $(Step::$name(step) => step.predict(line, ahead),)*
                }
            }

            /// Whether what --verbose tells of it is told while it is done.
            pub(crate) fn tells_itself(&self) -> bool {
                match self {
                    Step::Helper(_) | Step::Fork(_) | Step::Execute(_) => true,
                    $(Step::$name(_) => <$type as Do>::TELLS_ITSELF,)*
                }
            }
        }

        impl Step {
            /// Whether it makes us somebody else.
            pub(crate) fn changes_ids(&self) -> bool {
                match self {
                    Step::Helper(_) | Step::Fork(_) | Step::Execute(_) => false,
                    $(Step::$name(_) => <$type as Do>::CHANGES_IDS,)*
                }
            }
        }

        $(impl From<$type> for Step {
            fn from(step: $type) -> Step {
                Step::$name(step)
            }
        })*
    };
}

steps! {
    Advice(Advice),
    Become(Become),
    CheckTarget(CheckTarget),
    ClockOffset(ClockOffset),
    Directory(Directory),
    DropGroupsEarly(DropGroupsEarly),
    Enter(Enter),
    Environment(Variables),
    ExecLabel(Label),
    Gid(Gid),
    Groups(GroupList),
    HoldCapabilities(HoldCapabilities),
    Hostname(Hostname),
    JoinCgroup(JoinCgroup),
    KeepCapabilities(KeepCapabilities),
    Loopback(Loopback),
    MakePrivate(MakePrivate),
    MountBinfmt(MountBinfmt),
    MountProc(MountProc),
    Open(Source),
    OpenTarget(OpenTarget),
    OpenedDirectory(OpenedDirectory),
    OpenedRoot(OpenedRoot),
    Outside(Outside),
    PivotRoot(PivotRoot),
    Propagation(Propagation),
    Register(Register),
    Root(Root),
    Setgroups(Setgroups),
    Uid(Uid),
    Unshare(Unshare),
    WriteMap(WriteMap),
}

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

    /// A line for each step that would fail, with its causes and hints, as far as that can be seen without doing
    /// anything. `entering`: what is entered.
    pub(crate) fn predict(&self, entering: &[Entering]) -> String {
        let mut ahead = Ahead::new(entering);
        for step in &self.steps {
            step.predict(&step.to_string(), &mut ahead);
        }
        ahead.text
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
