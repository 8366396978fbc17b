//! The interpreter: does one step of a plan after the other.
//!
//! The hard thing: a step may run in the process that was started or in a child that shares its memory, and a
//! failure half-way must leave nothing behind that outlives us.

mod child;
mod front;
mod init;
mod install;
mod look;
mod program;
mod report;
mod watch;

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

pub(crate) use install::install;
pub(crate) use look::{same, show};
pub(crate) use report::Status;
pub(crate) use watch::Ended;

use crate::failure::{Entering, Failure, Inquiry, Result, Stage};
use crate::model::{Kind, Kinds};
use crate::plan::{Fork, Init, Outside, Plan, Report, Step, When};
use crate::steps::context::Context;
use crate::steps::outside::client::Helper;
use crate::steps::pidfile::Pidfile;
use crate::steps::target::Target;
use crate::steps::{credentials, enter, maps, mounts, resolve};
use crate::sys::{self, Args, Disposition, OwnArgs, Sealed, SignalSet};

/// A plan that is being done.
pub(crate) struct Run<'a> {
    args: &'a Args,
    report: &'a Report,
    /// Told of a failure where and when it happens.
    inquiry: Inquiry<'a>,
    /// The caller's descriptor for reports.
    status: Option<Status>,
    /// The process whose contexts are taken.
    target: Option<Target>,
    /// What was opened before anything changed.
    context: Context,
    /// The process of ours that stayed outside.
    helper: Option<Helper>,
    /// Where a mount namespace is to be bound on a file: the one that this will be done in.
    binding_from: Option<OwnedFd>,
    /// The kinds that were entered.
    entered: Kinds,
    /// The supplementary groups have been dropped before a user namespace was entered.
    groups_dropped: bool,
    /// The root directory has been changed.
    rerooted: bool,
    /// The program's environment, where it is not ours.
    environment: Option<OwnArgs>,
    /// Nobody whose namespaces we have entered can look into us.
    sealed: Option<Sealed>,
    /// What our parent's death does to us.
    parent_death: Option<child::ParentDeath>,
    /// The line to the parent that we are a copy of.
    line: Option<Rc<OwnedFd>>,
    /// The number of the child that becomes the program, as the one who forked sees it.
    number: Option<i32>,
    /// What is to be blocked again when the program is executed, while everything is blocked.
    mask: Option<SignalSet>,
    /// We are PID 1 in front of the program.
    inside: Option<Init>,
}

/// What came of a plan, for the one place that speaks and exits.
pub(crate) struct Outcome {
    /// How the program ended, or why it did not start.
    pub(crate) result: std::result::Result<Ended, Failure>,
    /// Where to report a failure.
    pub(crate) status: Option<Status>,
}

/// Does the plan. Returns only when the program ran in a child, or could not be run.
///
/// `inquiry` is called for each failure by the process that failed, before anything is undone.
pub(crate) fn run(plan: &Plan, args: &Args, inquiry: Inquiry<'_>) -> Outcome {
    let mut run = Run {
        args,
        report: &plan.report,
        inquiry,
        status: None,
        target: None,
        context: Context::default(),
        helper: None,
        binding_from: None,
        entered: Kinds::NONE,
        groups_dropped: false,
        rerooted: false,
        environment: None,
        sealed: None,
        parent_death: None,
        line: None,
        number: None,
        mask: None,
        inside: None,
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
            self.status = Some(Status::adopt(number)?);
        }
        // Who starts with SIGCHLD ignored could not wait for a child (waitpid(2)).
        sys::set_disposition(libc::SIGCHLD, Disposition::Default)
            .map_err(|error| Failure::new(Stage::Wait, "cannot reset SIGCHLD", error))?;
        match self.steps(steps)? {
            Some(ended) => Ok(ended),
            None => Err(Failure::plain(Stage::Wait, "nothing was executed")),
        }
    }

    /// Does steps until they are done, or a program has run to its end.
    fn steps(&mut self, steps: &[Step]) -> Result<Option<Ended>> {
        for (index, step) in steps.iter().enumerate() {
            let rest = &steps[index + 1..];
            match step {
                Step::Pidfile(_) | Step::Helper if self.helper.is_none() => {
                    self.start_helper(&steps[index..])?
                }
                Step::Fork(fork) if self.must_fork(fork) => return self.fork(fork, rest).map(Some),
                Step::Fork(_) => {}
                Step::Execute(program) => return self.execute(program).map(Some),
                step => {
                    let result = self.step(step);
                    if self.report.verbose && !matches!(step, Step::Enter(_)) {
                        say(
                            &step.to_string(),
                            result.as_ref().err().and_then(|failure| failure.error),
                        );
                    }
                    result?;
                }
            }
        }
        Ok(None)
    }

    fn must_fork(&self, fork: &Fork) -> bool {
        !fork.only_if_needed || self.entered.has(Kind::Pid)
    }

    /// Starts the helper for what it is asked to do in these steps: once, before anything changes.
    fn start_helper(&mut self, steps: &[Step]) -> Result<()> {
        let work: Vec<Outside> = steps
            .iter()
            .filter_map(|step| {
                if let Step::Outside(work) = step {
                    Some(work.clone())
                } else {
                    None
                }
            })
            .collect();
        let binds = work.iter().any(|piece| matches!(piece, Outside::Bind(_)));
        let pidfile = steps.iter().find_map(|step| match step {
            Step::Pidfile(file) => Some(Pidfile::open(file)),
            _ => None,
        });
        let pidfile = pidfile.transpose()?;
        let forks = steps
            .iter()
            .any(|step| matches!(step, Step::Fork(fork) if !fork.only_if_needed));
        let binds_mount = work.iter().any(|piece| match piece {
            Outside::Bind(binds) => binds.iter().any(|(kind, _)| *kind == Kind::Mnt),
            Outside::Maps(_) => false,
        });
        if binds_mount {
            self.binding_from = sys::open("/proc/self/ns/mnt".as_ref(), sys::For::Reading).ok();
        }
        let orphan = (binds || pidfile.is_some()) && !forks;
        let (status, binding_from) = (&mut self.status, &mut self.binding_from);
        // The helper has no use for these, and a reader of reports is to see their end when we are done.
        let close = || {
            status.take();
            binding_from.take();
        };
        self.helper = Some(Helper::start(work, pidfile, orphan, self.inquiry, close)?);
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Become { uid, gid } => credentials::become_owner(*uid, *gid),
            Step::Unshare(kinds) => self.unshare(*kinds),
            Step::Setgroups(value) => maps::setgroups(*value),
            Step::WriteMap(ids, map) => maps::write(*ids, map),
            Step::Outside(_) => self.outside(),
            Step::ClockOffset { clock, seconds } => maps::clock_offset(*clock, *seconds),
            Step::OpenTarget { pid, inode, kind } => {
                self.target = Some(Target::open(*pid, *inode, *kind)?);
                Ok(())
            }
            Step::Open(source) => self.context.open(source, self.target.as_mut()),
            Step::CheckTarget => self.target.as_mut().map_or(Ok(()), Target::check_alive),
            Step::DropGroupsEarly { unless_ours } => {
                let ours = match &mut self.target {
                    Some(target) if *unless_ours => enter::is_ours(target, Kind::User)?,
                    _ => false,
                };
                self.groups_dropped = !ours && sys::set_groups(&[]).is_ok();
                Ok(())
            }
            Step::Enter(enter) => self.enter(enter),
            Step::JoinCgroup => self.context.join_cgroups(),
            Step::ExecLabel(label) => self.context.set_label(*label),
            Step::Propagation(propagation) => mounts::propagation(*propagation),
            Step::MakePrivate(dir) => mounts::make_private(dir),
            Step::MountProc(dir) => mounts::mount_proc(dir),
            Step::MountBinfmt(dir) => mounts::mount_binfmt(dir),
            Step::Register { dir, entry } => mounts::register(dir, entry),
            Step::Root(dir) => self.reroot(|_| mounts::root(dir)),
            Step::PivotRoot(dir) => self.reroot(|_| mounts::pivot_root(dir)),
            Step::OpenedRoot => self.reroot(Context::enter_root),
            Step::Directory(dir) => mounts::directory(dir),
            Step::OpenedDirectory => self.context.enter_directory(),
            Step::Hostname(name) => sys::set_hostname(name)
                .map_err(|error| Failure::new(Stage::Hostname, "sethostname failed", error)),
            Step::Loopback => sys::loopback_up()
                .map_err(|error| Failure::new(Stage::Loopback, "cannot bring lo up", error)),
            Step::Groups(list) => {
                let inside = self.entered.has(Kind::User);
                credentials::set_groups(list, &self.context, self.groups_dropped, inside)
            }
            Step::Gid(gid) => {
                credentials::set_gid(*gid, &self.context, self.entered.has(Kind::User))?;
                self.ids_changed()
            }
            Step::Uid(uid) => {
                credentials::set_uid(*uid, &self.context, self.entered.has(Kind::User))?;
                self.ids_changed()
            }
            Step::HoldCapabilities(when) | Step::KeepCapabilities(when)
                if *when == When::UserEntered && !self.entered.has(Kind::User) =>
            {
                Ok(())
            }
            Step::HoldCapabilities(_) => credentials::hold_capabilities(),
            Step::KeepCapabilities(_) => credentials::keep_capabilities(),
            Step::Advise(line) => {
                // Whether anybody hears it changes nothing.
                let _ = sys::print(sys::Stream::Error, format!("{line}\n").as_bytes());
                Ok(())
            }
            Step::Environment(environment) => {
                self.environment = Some(self.context.environment(environment));
                Ok(())
            }
            // The loop does these.
            Step::Pidfile(_) | Step::Helper | Step::Fork(_) | Step::Execute(_) => Ok(()),
        }
    }

    /// What a change of IDs undoes is done again.
    fn ids_changed(&self) -> Result<()> {
        if let Some(sealed) = &self.sealed {
            sealed.renew().map_err(enter::not_sealed)?;
        }
        self.parent_death
            .as_ref()
            .map_or(Ok(()), child::ParentDeath::kills)
    }

    fn unshare(&mut self, kinds: Kinds) -> Result<()> {
        let failed = |error| Failure::new(Stage::Unshare(kinds), "unshare failed", error);
        sys::unshare(kinds.flags()).map_err(failed)?;
        match self.binding_from.take() {
            Some(from) => mounts::make_bindable(from.as_fd()).map_err(failed),
            None => Ok(()),
        }
    }

    /// Changes the root directory.
    fn reroot(&mut self, change: impl FnOnce(&mut Context) -> Result<()>) -> Result<()> {
        self.rerooted = true;
        change(&mut self.context)
    }

    /// Lets the helper do its next piece of work.
    fn outside(&mut self) -> Result<()> {
        let Some(helper) = &mut self.helper else {
            return Err(Failure::plain(Stage::Fork, "no helper was started"));
        };
        helper.go()?;
        if helper.is_done()
            && !helper.can_undo()
            && let Some(helper) = self.helper.take()
        {
            helper.end();
        }
        Ok(())
    }

    fn enter(&mut self, enter: &crate::plan::Enter) -> Result<()> {
        let opened = resolve::open(enter, self.target.take())?;
        let verbose = self.report.verbose;
        let mut tell = |what: &str, result: &sys::Result<()>| {
            if verbose {
                say(&format!("setns({what})"), result.err());
            }
        };
        let sealed = match self.sealed.take() {
            Some(sealed) => sealed,
            None => Sealed::new().map_err(enter::not_sealed)?,
        };
        let entered = enter::enter(
            self.sealed.insert(sealed),
            opened,
            enter.in_order,
            &mut tell,
        )?;
        self.entered = self.entered.and(entered);
        self.context.read_credentials(self.entered.has(Kind::User))
    }

    /// The program has been started, as a child of ours with this PID.
    fn started(&mut self, pid: i32) {
        if let Some(helper) = self.helper.take() {
            helper.end();
        }
        // The child has its own.
        self.context = Context::default();
        self.binding_from = None;
        self.parent_death = None;
        if self.environment.is_some() {
            // The program may be able to read ours, and is not to find there what was taken away.
            sys::wipe_environment();
        }
        if let Some(status) = &mut self.status {
            status.ready(pid, true);
        }
    }

    /// This process is about to become the program.
    fn announce(&mut self) -> Result<()> {
        if let Some(helper) = &self.helper {
            helper.start_program(self.number.unwrap_or_else(sys::pid))?;
        }
        self.tell_start();
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
        if let Some(helper) = self.helper.take() {
            helper.undo();
        }
    }
}

/// With --verbose: what was done, and what came of it, in the form of strace(1).
fn say(what: &str, error: Option<sys::Error>) {
    let outcome = match error {
        None => "0".to_owned(),
        Some(error) => format!("-1 {} ({error})", error.name()),
    };
    let _ = sys::print(
        sys::Stream::Error,
        format!("{what} = {outcome}\n").as_bytes(),
    );
}

/// What a plan would do, each step a line, and then what `foresee` says to what it would enter.
///
/// What is opened is opened, and what is entered is entered, by this process, which does nothing else and ends:
/// so the order is the one that was taken. It is foreseen before anything is entered.
pub(crate) fn rehearse(plan: &Plan, foresee: &dyn Fn(&[Entering]) -> String) -> Result<String> {
    let mut target: Option<Target> = None;
    let mut context = Context::default();
    let mut opened = Vec::new();
    for step in &plan.steps {
        match step {
            Step::OpenTarget { pid, inode, kind } => {
                target = Some(Target::open(*pid, *inode, *kind)?);
            }
            Step::Open(source) => context.open(source, target.as_mut())?,
            Step::CheckTarget => target.as_mut().map_or(Ok(()), Target::check_alive)?,
            Step::Enter(enter) => opened.push(resolve::open(enter, target.take())?),
            Step::Pidfile(file) => drop(Pidfile::open(file)?),
            _ => {}
        }
    }
    let seen: Vec<Entering> = opened.iter().flatten().map(enter::Opened::seen).collect();
    let foreseen = foresee(&seen);

    let sealed = Sealed::new().map_err(enter::not_sealed)?;
    let mut opened = opened.into_iter();
    let mut text = String::new();
    let mut indent = "";
    let mut refused = None;
    for step in &plan.steps {
        if let Step::Enter(enter) = step
            && let Some(opened) = opened.next()
        {
            let mut tell = |what: &str, result: &sys::Result<()>| {
                if result.is_ok() {
                    text.push_str(&format!("{indent}setns {what}\n"));
                }
            };
            match enter::enter(&sealed, opened, enter.in_order, &mut tell) {
                Ok(_) => continue,
                Err(failure) => refused = Some(failure),
            }
        }
        text.push_str(&format!("{indent}{step}\n"));
        if matches!(step, Step::Fork(_)) {
            indent = "  ";
        }
    }
    match refused {
        Some(failure) if foreseen.is_empty() => Err(failure),
        _ => Ok(text + &foreseen),
    }
}
