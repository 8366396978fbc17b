//! The program as a child: how it is started, and what becomes of it and of us until it runs.
//!
//! The hard thing: until the child executes the program every signal is blocked in both of us, so that none is
//! lost and none hits a half-made child, and yet the signals that end us must, whoever holds the child: the parent
//! takes them by waiting for them. Where nothing is to be done when the program has been executed, nobody waits for that:
//! to be woken for it would cost the program's start two changes of process.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use super::Run;
use super::ended::Ended;
use super::pid1::Pid1;
use super::report::{MESSAGE, StatusFd, pass_status_on};
use super::watch::{forwarded, watch};
use crate::failure::{Failure, Result, Unexplained};
use crate::model::Kind;
use crate::model::signal::Signal;
use crate::steps::Fork;
use crate::steps::Step;
use crate::steps::fork::NewProcess;
use crate::steps::outside::client::Client;
use crate::sys::{self, Forked, Ready, SignalSet};

/// The signals that end a process which is asked to end, by default (signal(7)).
const ENDING: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// What becomes of a child when its parent dies (prctl(2), `PR_SET_PDEATHSIG`).
///
/// The kernel forgets it when IDs change.
#[derive(Debug)]
pub(crate) struct ParentDeath {
    /// The signal that the program gets.
    signal: Option<i32>,
    /// The parent; none on kernels without pidfds, or where no signal is wanted.
    parent: Option<OwnedFd>,
}

impl ParentDeath {
    /// Made by the parent, before it forks.
    fn new(signal: Option<Signal>) -> ParentDeath {
        ParentDeath {
            signal: signal.map(Signal::number),
            parent: signal.and_then(|_| sys::pidfd_open(sys::pid()).ok()),
        }
    }

    /// Until the program is executed: who waits for it no more has not started it.
    pub(super) fn kills(&self) -> Result<()> {
        sys::set_parent_death_signal(libc::SIGKILL).map_err(refused)
    }

    /// For the program. Ends the child when the parent is dead already, for then the signal would never come.
    pub(super) fn signals_program(&self) -> Result<()> {
        sys::set_parent_death_signal(self.signal.unwrap_or(0)).map_err(refused)?;
        if let Some(parent) = &self.parent
            && sys::has_ended(parent.as_fd()).map_err(refused)?
        {
            sys::exit_now(1);
        }
        Ok(())
    }
}

fn refused(error: sys::Error) -> Failure {
    Failure::new(NewProcess, "cannot set the parent death signal", error)
}

pub(super) fn fork_failed(error: sys::Error) -> Failure {
    Failure::new(NewProcess, "fork failed", error)
}

/// Ends a child of ours that has not executed the program.
pub(super) fn kill(child: i32) {
    let _ = sys::kill(child, libc::SIGKILL);
    let _ = sys::wait(child);
}

/// The signals that end us until the program runs: a descriptor that they are read from, since they are blocked.
pub(super) struct Ending {
    arrivals: OwnedFd,
    signals: SignalSet,
}

/// All of [`ENDING`] that are neither passed on to the child, which gets them when it runs, nor blocked by our caller.
fn ending(fork: &Fork, mask: SignalSet) -> SignalSet {
    let signals: SignalSet = ENDING.into_iter().collect();
    signals.less(forwarded(fork)).less(mask)
}

impl Ending {
    pub(super) fn new(fork: &Fork, mask: SignalSet) -> Result<Ending> {
        let signals = ending(fork, mask);
        Ending::telling(signals, signals)
    }

    /// As [`Ending::new`], for [`Ending::or_program`].
    fn with_all(fork: &Fork, mask: SignalSet) -> Result<Ending> {
        let all = SignalSet::ALL.less(mask).with(libc::SIGCHLD);
        Ending::telling(all, ending(fork, mask))
    }

    fn telling(told: SignalSet, signals: SignalSet) -> Result<Ending> {
        let arrivals = sys::signal_descriptor(told).map_err(fork_failed)?;
        Ok(Ending { arrivals, signals })
    }

    /// Waits until anything comes that our caller has not blocked, which as a rule is the end of the child, and then until the
    /// line to the child has ended, as it has when the child has executed the program. All that has come is left to who
    /// watches the program, but for a signal that ends us before that: then, or on an error, the child is killed and
    /// reaped.
    ///
    /// Allocates nothing, and uses no memory of the child's, as [`sys::share`] wants it.
    fn or_program(&self, child: i32, line: BorrowedFd<'_>) -> sys::Result<Next> {
        let arrivals = self.arrivals.as_fd();
        let first = sys::wait_readable([arrivals])
            .and_then(|_| sys::wait_either([(line, Ready::End), (arrivals, Ready::Read)]));
        let rest = match first {
            Ok(0) => return Ok(Next::Line),
            Ok(_) => sys::change_signals(arrivals, self.signals),
            Err(error) => Err(error),
        };
        match rest {
            Ok(()) => self.or_line(child, line, Ready::End),
            Err(error) => {
                kill(child);
                Err(error)
            }
        }
    }

    /// Waits until the line to the child can be read, or has ended. When a signal ends us first, or on an error, the
    /// child is killed and reaped.
    ///
    /// Allocates nothing, and uses no memory of the child's, as [`sys::share`] wants it.
    pub(super) fn or_line(
        &self,
        child: i32,
        line: BorrowedFd<'_>,
        until: Ready,
    ) -> sys::Result<Next> {
        let next = self.next(line, until);
        if !matches!(next, Ok(Next::Line)) {
            kill(child);
        }
        next
    }

    fn next(&self, line: BorrowedFd<'_>, until: Ready) -> sys::Result<Next> {
        loop {
            let signals = (self.arrivals.as_fd(), Ready::Read);
            if sys::wait_either([(line, until), signals])? == 0 {
                return Ok(Next::Line);
            }
            let arrived = sys::take_signal(self.arrivals.as_fd())?;
            // What our caller had ignored stays ignored; blocked, it comes all the same.
            if !sys::is_ignored(arrived.signal)? {
                return Ok(Next::Signal(arrived.signal));
            }
        }
    }
}

/// What came first.
pub(super) enum Next {
    /// Something can be read from the line, or it has ended.
    Line,
    /// This signal, which ends us; the child is gone.
    Signal(i32),
}

/// From a child that is a copy of us: it is about to execute the program.
const STARTING: u8 = b's';
/// How often the line to a child is read again that cannot be read.
const TRIES: u32 = 3;
/// It failed before that, and says why itself.
const FAILED: u8 = b'f';

impl Run<'_> {
    /// Does the rest of the steps in a child, and waits for it.
    pub(super) fn fork(&mut self, fork: &Fork, rest: &[Step]) -> Result<Ended> {
        self.parent_death = Some(ParentDeath::new(fork.kill_child));
        let mask = sys::set_blocked(SignalSet::ALL).map_err(fork_failed)?;
        self.mask = Some(mask);
        self.hides_environment = self.state.environment.is_some()
            || rest.iter().any(|step| matches!(step, Step::Environment(_)));
        let result = match fork.init {
            Some(init) => self.fork_init(fork, init, rest),
            None if self.awaits_start() => self.fork_telling(fork, rest),
            // Whoever holds a child in a place of somebody else's must not hold us, nor find our memory in it.
            None if self.state.sealed.is_some() => self.fork_copy(fork, rest),
            // Nor must who it becomes, where fs.suid_dumpable lets them look into it (proc_sys_fs(5)).
            None if rest.iter().any(Step::changes_ids) => self.fork_copy(fork, rest),
            None => self.fork_sharing(fork, rest),
        };
        self.mask = None;
        let _ = sys::set_blocked(mask);
        if let Some(status) = &self.status {
            status.catch_up(true);
        }
        result
    }

    /// The child shares our memory until it executes the program, which spares a copy of the page tables.
    fn fork_sharing(&mut self, fork: &Fork, rest: &[Step]) -> Result<Ended> {
        let ending = Ending::with_all(fork, self.mask.unwrap_or_default())?;
        let mut failure = None;
        let child = sys::share(
            |pid| {
                let Err(mut why) = self.in_child(Some(pid), rest);
                (self.inquiry)(&mut why);
                failure = Some(why);
                1
            },
            |child, line| ending.or_program(child, line),
        );
        drop(ending);
        self.number = None;
        let (child, next) = match child {
            Ok(child) => child,
            // From Linux 5.6 to 6.0 no process that shares its memory enters a time namespace, not even until it
            // executes a program (time_namespaces(7)).
            Err(error) if error.raw() == libc::EINVAL => return self.fork_copy(fork, rest),
            Err(error) => return Err(fork_failed(error)),
        };
        match (next.map_err(fork_failed)?, failure) {
            (Next::Signal(signal), _) => Ok(self.ended_before(signal)),
            (Next::Line, Some(failure)) => {
                // It ended before it could execute the program: what remains is its number.
                let _ = sys::wait(child);
                Err(failure)
            }
            (Next::Line, None) => self.watch_program(child, None, fork, None),
        }
    }

    /// The child is a copy of us, which tells of a failure itself.
    fn fork_copy(&mut self, fork: &Fork, rest: &[Step]) -> Result<Ended> {
        let ending = Ending::with_all(fork, self.mask.unwrap_or_default())?;
        let (ours, theirs) = sys::pipe().map_err(fork_failed)?;
        let child = match sys::fork().map_err(fork_failed)? {
            Forked::Parent(child) => child,
            Forked::Child => {
                drop((ours, ending));
                self.line = Some(Rc::new(theirs));
                self.be_copy();
                let Err(why) = self.in_child(None, rest);
                return Err(why);
            }
        };
        drop(theirs);
        let next = ending.or_program(child, ours.as_fd());
        drop((ours, ending));
        match next.map_err(fork_failed)? {
            Next::Signal(signal) => Ok(self.ended_before(signal)),
            Next::Line => self.watch_program(child, None, fork, None),
        }
    }

    /// As [`Run::fork_copy`], where something is to be done as soon as the program has been executed. A socket carries the
    /// child's PID in, and out whether it starts the program and what is to be told of it on the status descriptor, which
    /// it does not keep.
    fn fork_telling(&mut self, fork: &Fork, rest: &[Step]) -> Result<Ended> {
        let ending = Ending::new(fork, self.mask.unwrap_or_default())?;
        let (ours, theirs) = sys::socket_pair().map_err(fork_failed)?;
        let child = match sys::fork().map_err(fork_failed)? {
            Forked::Parent(child) => child,
            Forked::Child => {
                drop((ours, ending));
                self.parent_listens = true;
                let line: &OwnedFd = self.line.insert(Rc::new(theirs));
                let mut pid = [0; size_of::<i32>()];
                let heard = sys::read_some(line.as_fd(), &mut pid);
                self.be_copy();
                let why = match heard {
                    Ok(4) => {
                        let Err(why) = self.in_child(Some(i32::from_ne_bytes(pid)), rest);
                        why
                    }
                    // The parent is gone.
                    Ok(_) => sys::exit_now(1),
                    Err(error) => fork_failed(error),
                };
                if let Some(line) = &self.line {
                    // The parent may be gone; then nobody waits for this.
                    let _ = sys::send(line.as_fd(), &[FAILED]);
                }
                return Err(why);
            }
        };
        drop(theirs);
        self.hide_environment(&[]);
        if let Err(error) = sys::send(ours.as_fd(), &child.to_ne_bytes()) {
            kill(child);
            return Err(fork_failed(error));
        }
        // Woken once, when it has executed the program or has ended; what it said is read then.
        let next = ending.or_line(child, ours.as_fd(), Ready::End);
        if let Next::Signal(signal) = next.map_err(fork_failed)? {
            return Ok(self.ended_before(signal));
        }
        let mut starts = false;
        let mut message = [0; MESSAGE];
        let mut errors = 0;
        loop {
            match (sys::read_some(ours.as_fd(), &mut message), message[0]) {
                (Ok(0), _) => break,
                (Ok(_), STARTING) => starts = true,
                (Ok(_), FAILED) => starts = false,
                (Ok(_), _) => pass_status_on(ours.as_fd(), &message, self.status.as_ref()),
                // The program may run by now: only what was said tells.
                (Err(_), _) if errors < TRIES => errors += 1,
                (Err(error), _) => {
                    kill(child);
                    return Err(fork_failed(error));
                }
            }
        }
        drop((ours, ending));
        if starts {
            return self.watch_program(child, None, fork, None);
        }
        let change = sys::wait(child);
        self.undo();
        change.map(Ended::from).map_err(fork_failed)
    }

    /// In a child that is a copy of its parent: nothing of the parent's stays that it does not need, and a failure is
    /// told from here.
    pub(super) fn be_copy(&mut self) {
        self.state.helper = self.state.helper.take().map(Client::shared);
        if let (Some(_), Some(line)) = (&self.status, &self.line) {
            self.status = Some(StatusFd::over(line));
        }
    }

    /// A signal that ends us came before the program ran: the child has been killed, and we follow.
    pub(super) fn ended_before(&mut self, signal: i32) -> Ended {
        self.undo();
        Ended::Killed(signal)
    }

    /// The child ends when its parent does, as long as it has not executed the program.
    pub(super) fn die_with_parent(&self) -> Result<()> {
        if let Some(death) = &self.parent_death {
            death.kills()?;
        }
        if let Some(line) = &self.line
            && sys::has_ended(line.as_fd()).map_err(fork_failed)?
        {
            // It has ended before that.
            sys::exit_now(1);
        }
        Ok(())
    }

    /// Does the rest of the steps in a child. `pid`: as its parent knows it, if that is wanted.
    fn in_child(&mut self, pid: Option<i32>, rest: &[Step]) -> Result<std::convert::Infallible> {
        self.die_with_parent()?;
        self.number = pid;
        self.steps(rest)?;
        Err(Failure::plain(Unexplained("fork"), "nothing was executed"))
    }

    /// A child that is a copy of us tells that it is about to execute the program, where that is waited for.
    pub(super) fn tell_start(&self) -> Result<()> {
        match &self.line {
            Some(line) if self.parent_listens => {
                sys::send(line.as_fd(), &[STARTING]).map_err(fork_failed)
            }
            _ => Ok(()),
        }
    }

    /// The program runs, as this child or behind it: tells of it, waits for its end, tells of that.
    pub(super) fn watch_program(
        &mut self,
        child: i32,
        program: Option<i32>,
        fork: &Fork,
        pid1: Option<Pid1>,
    ) -> Result<Ended> {
        self.started(program.unwrap_or(child));
        let mask = self.mask.unwrap_or_default();
        // A PID namespace that was entered has a PID 1, or nobody can be started in it.
        let proc = (!self.state.entered.has(Kind::Pid)).then_some(self.proc);
        let ended = watch(child, fork, mask, pid1, self.status.as_ref(), proc)?;
        let _ = sys::set_blocked(mask);
        self.ended(ended);
        Ok(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_us_to_end_does_until_the_program_runs() {
        let forward = Signal::parse_forwarded("TERM,USR1".as_ref()).unwrap();
        let forwards = Fork {
            forward,
            ..Fork::default()
        };
        let ends = |fork: &Fork, mask: &[i32]| {
            let signals = ending(fork, mask.iter().copied().collect());
            ENDING.map(|signal| signals.has(signal))
        };
        assert_eq!(ends(&Fork::default(), &[]), [true; 4]);
        // What is passed on waits for the program, and what our caller blocked stays blocked.
        assert_eq!(ends(&forwards, &[]), [true, true, true, false]);
        let blocked = [libc::SIGHUP, libc::SIGUSR2];
        assert_eq!(ends(&Fork::default(), &blocked), [false, true, true, true]);
        let ending = ending(&forwards, SignalSet::NONE);
        assert!(!ending.has(libc::SIGUSR1) && !ending.has(libc::SIGKILL));
    }

    #[test]
    fn what_comes_first_is_taken() {
        let ending = Ending::telling(SignalSet::NONE, SignalSet::NONE).unwrap();
        let (ours, theirs) = sys::socket_pair().unwrap();
        sys::send(theirs.as_fd(), b"x").unwrap();
        let next = ending.next(ours.as_fd(), Ready::Read).unwrap();
        assert!(matches!(next, Next::Line));
        drop(theirs);
        let next = ending.next(ours.as_fd(), Ready::End).unwrap();
        assert!(matches!(next, Next::Line));
    }
}
