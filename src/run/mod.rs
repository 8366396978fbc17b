//! The interpreter: does one step of a plan after the other.
//!
//! The hard thing: a step may run in the process that was started or in a child that shares its memory, and a
//! failure half-way must leave nothing behind that outlives us.

mod child;
mod ended;
mod init;
mod install;
mod look;
mod pid1;
mod program;
mod rehearsal;
mod report;
mod watch;

use std::os::fd::OwnedFd;
use std::rc::Rc;

pub(crate) use ended::Ended;
pub(crate) use install::install;
pub(crate) use look::{same, show};
pub(crate) use rehearsal::dry_run;
pub(crate) use report::StatusFd;

use crate::failure::{Failure, Inquiry, Result, Unexplained};
use crate::model::Kind;
use crate::plan::{Plan, Report};
use crate::steps::Step;
use crate::steps::enter;
use crate::steps::open::Opened;
use crate::steps::outside::client::Client;
use crate::steps::pidfile::Pidfile;
use crate::steps::{self, Fork, Helper, Init, State};
use crate::sys::{self, Args, Disposition, Proc, SignalSet};

/// A plan that is being done.
pub(crate) struct Run<'a> {
    args: &'a Args,
    /// Our own /proc.
    proc: &'a Proc,
    report: &'a Report,
    /// Told of a failure where and when it happens.
    inquiry: Inquiry<'a>,
    /// The caller's descriptor for reports.
    status: Option<StatusFd>,
    /// Where the steps so far have led.
    state: State,
    /// What our parent's death does to us.
    parent_death: Option<child::ParentDeath>,
    /// The line to the parent that we are a copy of.
    line: Option<Rc<OwnedFd>>,
    /// That parent waits to hear that we execute the program.
    parent_listens: bool,
    /// The number of the child that becomes the program, as the one who forked sees it.
    number: Option<i32>,
    /// What is to be blocked again when the program is executed, while everything is blocked.
    mask: Option<SignalSet>,
    /// We are PID 1 in front of the program.
    inside: Option<Init>,
    /// The program gets another environment than ours.
    hides_environment: bool,
}

/// What came of a plan, for the one place that speaks and exits.
pub(crate) struct Outcome {
    /// How the program ended, or why it did not start.
    pub(crate) result: std::result::Result<Ended, Failure>,
    /// Where to report a failure.
    pub(crate) status: Option<StatusFd>,
}

/// Does the plan. Returns only when the program ran in a child, or could not be run.
///
/// `inquiry` is called for each failure by the process that failed, before anything is undone.
pub(crate) fn run(plan: &Plan, args: &Args, proc: &Proc, inquiry: Inquiry<'_>) -> Outcome {
    let mut run = Run {
        args,
        proc,
        report: &plan.report,
        inquiry,
        status: None,
        state: State {
            verbose: plan.report.verbose,
            ..State::default()
        },
        parent_death: None,
        line: None,
        parent_listens: false,
        number: None,
        mask: None,
        inside: None,
        hides_environment: false,
    };
    let mut result = run.whole(&plan.steps);
    if let Err(failure) = &mut result {
        inquiry(failure);
        run.undo();
    }
    Outcome {
        result,
        status: run.status,
    }
}

impl Run<'_> {
    fn whole(&mut self, steps: &[Step]) -> Result<Ended> {
        if let Some(number) = self.report.status_fd {
            self.status = Some(StatusFd::adopt(number)?);
        }
        // Who starts with SIGCHLD ignored could not wait for a child (waitpid(2)).
        sys::set_disposition(libc::SIGCHLD, Disposition::Default)
            .map_err(|error| Failure::new(Unexplained("wait"), "cannot reset SIGCHLD", error))?;
        match self.steps(steps)? {
            Some(ended) => Ok(ended),
            None => Err(Failure::plain(Unexplained("wait"), "nothing was executed")),
        }
    }

    /// Does steps until they are done, or a program has run to its end.
    fn steps(&mut self, steps: &[Step]) -> Result<Option<Ended>> {
        let mut steps = steps.iter();
        while let Some(step) = steps.next() {
            let rest = steps.as_slice();
            match step {
                Step::Helper(helper) => self.start_helper(helper)?,
                Step::Fork(fork) if self.must_fork(fork) => return self.fork(fork, rest).map(Some),
                Step::Execute(program) => return self.execute(program).map(Some),
                step => {
                    let result = step.run(&mut self.state);
                    if self.report.verbose && !step.tells_itself() {
                        let error = result.as_ref().err().and_then(|why| why.error.as_ref());
                        steps::say(&step.to_string(), error);
                    }
                    result?;
                    self.renew()?;
                }
            }
        }
        Ok(None)
    }

    fn must_fork(&self, fork: &Fork) -> bool {
        !fork.only_if_needed || self.state.entered.has(Kind::Pid)
    }

    /// Starts the helper, before anything changes.
    fn start_helper(&mut self, helper: &Helper) -> Result<()> {
        let pidfile = helper.pidfile.as_deref().map(Pidfile::open).transpose()?;
        if helper.binds_mount() {
            let own = sys::open("/proc/self/ns/mnt".as_ref(), sys::For::Reading);
            self.state.binding_from = own.ok();
        }
        let (status, binding_from) = (&mut self.status, &mut self.state.binding_from);
        // The helper has no use for these, and a reader of reports is to see their end when we are done.
        let close = || {
            status.take();
            binding_from.take();
        };
        let (work, is_orphan) = (helper.work.clone(), helper.is_orphan);
        let client = Client::start(work, pidfile, is_orphan, self.inquiry, close)?;
        self.state.helper = Some(client);
        Ok(())
    }

    /// Asks the kernel again for what a change of IDs has undone.
    fn renew(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.state.ids_changed) {
            return Ok(());
        }
        if let Some(sealed) = &self.state.sealed {
            sealed.renew().map_err(enter::not_sealed)?;
        }
        self.parent_death
            .as_ref()
            .map_or(Ok(()), child::ParentDeath::kills)
    }

    /// Whether [`Run::started`] has something to do that others wait for, or could tell by its not being done.
    fn awaits_start(&self) -> bool {
        let state = &self.state;
        self.status.is_some()
            || state.helper.is_some()
            || self.hides_environment
            || state.binding_from.is_some()
            || state.opened.holds_descriptors()
    }

    /// In who waits for the program, before that starts: it may be able to read our environment, and is not to find there
    /// what was taken away, but for these variables.
    fn hide_environment(&self, kept: &[&str]) {
        if self.hides_environment {
            sys::wipe_environment(kept);
        }
    }

    /// The program has been started, as a child of ours with this PID.
    fn started(&mut self, pid: i32) {
        if let Some(helper) = self.state.helper.take() {
            helper.end();
        }
        // The child has its own.
        self.state.opened = Opened::default();
        self.state.binding_from = None;
        self.parent_death = None;
        if let Some(status) = &mut self.status {
            status.ready(pid, true);
        }
    }

    /// This process is about to become the program.
    fn announce(&mut self) -> Result<()> {
        if let Some(helper) = &self.state.helper {
            helper.start_program(self.number.unwrap_or_else(sys::pid))?;
        }
        self.tell_start()?;
        // Of a child its parent tells, when it has been executed.
        if self.mask.is_none()
            && let Some(status) = &mut self.status
        {
            status.ready(sys::pid(), false);
        }
        Ok(())
    }

    /// The program has ended.
    fn ended(&self, ended: Ended) {
        if let Some(status) = &self.status {
            status.ended(ended);
        }
    }

    /// Takes back what would outlive us: the program did not start.
    fn undo(&mut self) {
        if let Some(helper) = self.state.helper.take() {
            helper.undo();
        }
    }
}
