//! The program as a child: how it is started, waited for, and what is passed between it and us.
//!
//! The hard thing: until the child executes the program every signal is blocked in both of us, so that none is
//! lost and none hits a half-made child; the child unblocks last, just before it executes.

use std::os::fd::{AsFd, OwnedFd};

use super::Run;
use super::front::Front;
use crate::failure::{Failure, Result, Stage};
use crate::plan::procfs::Status;
use crate::plan::{Fork, Step};
use crate::sys::{self, Arrived, Change, Disposition, SignalSet};

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this exit status.
    Exited(u8),
    /// By this signal.
    Killed(i32),
}

impl Ended {
    /// Ends this process in the same way, so that our caller sees what it would have seen of the program.
    pub(crate) fn follow(self) -> u8 {
        match self {
            Ended::Exited(status) => status,
            Ended::Killed(signal) => {
                // The core is the program's, and has been written if it was to be.
                let _ = sys::set_dumpable(false);
                let _ = sys::set_disposition(signal, Disposition::Default);
                let _ = sys::set_blocked(SignalSet::NONE);
                let _ = sys::kill(sys::pid(), signal);
                // Still here: we are PID 1 of a namespace. The shell's way to say it.
                128_u8.saturating_add(u8::try_from(signal).unwrap_or(u8::MAX))
            }
        }
    }
}

/// The death of the parent, for a child that must not outlive it (prctl(2), `PR_SET_PDEATHSIG`).
#[derive(Debug)]
pub(crate) struct Leash {
    signal: i32,
    /// The parent; none on kernels without pidfds.
    parent: Option<OwnedFd>,
}

impl Leash {
    /// Made by the parent, before it forks.
    pub(crate) fn new(signal: i32) -> Leash {
        Leash {
            signal,
            parent: sys::pidfd_open(sys::pid()).ok(),
        }
    }

    /// Put on by the child; and again after each change of IDs, which makes the kernel forget it. Ends the
    /// child when the parent is dead already, for then the signal would never come.
    pub(crate) fn put_on(&self) -> Result<()> {
        sys::set_parent_death_signal(self.signal).map_err(|error| {
            Failure::new(Stage::Fork, "cannot set the parent death signal", error)
        })?;
        if let Some(parent) = &self.parent
            && sys::has_ended(parent.as_fd()).unwrap_or(false)
        {
            sys::exit_now(1);
        }
        Ok(())
    }
}

impl Run<'_> {
    /// Does the rest of the steps in a child, and waits for it.
    pub(super) fn fork(&mut self, fork: &Fork, rest: &[Step]) -> Result<Ended> {
        let failed = |error| Failure::new(Stage::Fork, "fork failed", error);
        self.leash = fork.kill_child.map(|signal| Leash::new(signal.number()));
        let before = sys::set_blocked(SignalSet::ALL).map_err(failed)?;
        self.mask = Some(before);
        if let Some(init) = fork.init {
            return self.fork_init(fork, init, rest);
        }
        let mut failure = None;
        let child = sys::vfork(|pid| match self.in_child(pid, rest) {
            Ok(never) => match never {},
            Err(mut why) => {
                (self.inquiry)(&mut why);
                failure = Some(why);
                1
            }
        });
        self.mask = None;
        let child = match child {
            Ok(child) => child,
            Err(error) if error.raw() == libc::EINVAL => {
                return self.fork_apart(fork, rest, before);
            }
            Err(error) => {
                let _ = sys::set_blocked(before);
                return Err(failed(error));
            }
        };
        if let Some(failure) = failure {
            // It ended before it could execute the program: what remains is its number.
            let _ = sys::wait(child);
            let _ = sys::set_blocked(before);
            return Err(failure);
        }
        self.started(child);
        let ended = watch(child, fork, before, None)?;
        self.ended(ended);
        Ok(ended)
    }

    pub(super) fn in_child(&mut self, pid: i32, rest: &[Step]) -> Result<std::convert::Infallible> {
        if let Some(leash) = &self.leash {
            leash.put_on()?;
        }
        self.number = Some(pid);
        self.steps(rest)?;
        Err(Failure::plain(Stage::Fork, "nothing was executed"))
    }
}

/// The signals by which a terminal stops its foreground process group.
const STOPS: [i32; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// Waits until the child ends, stops and continues with it, and passes signals on.
///
/// All that matters is taken by waiting for it, blocked, so nothing comes in between: were we stopped by the
/// terminal at the same time as the child, we would stop a second time when we hear of the child's stop.
pub(super) fn watch(
    child: i32,
    fork: &Fork,
    mask: SignalSet,
    front: Option<Front>,
) -> Result<Ended> {
    let failed = |error| Failure::new(Stage::Wait, "waiting for the child failed", error);
    let forwarded: SignalSet = fork.forward.iter().map(|signal| signal.number()).collect();
    // A terminal sends these to the child too; it is the child that decides what they mean.
    let mut patience = vec![libc::SIGINT, libc::SIGQUIT];
    if fork.patient {
        patience.push(libc::SIGTERM);
    }
    for signal in patience
        .into_iter()
        .filter(|&signal| !forwarded.has(signal))
    {
        sys::set_disposition(signal, Disposition::Ignored).map_err(failed)?;
    }
    let mut watcher = Watcher {
        child,
        // Not reaped yet, so the number is the child's still.
        pidfd: if fork.forward.is_empty() {
            None
        } else {
            sys::pidfd_open(child).ok()
        },
        front,
        forwarded,
        mask,
        awaited: forwarded
            .and(STOPS.into_iter().collect())
            .with(libc::SIGCHLD),
    };
    watcher.watch().map_err(failed)
}

/// What is needed to watch a child.
struct Watcher {
    child: i32,
    pidfd: Option<OwnedFd>,
    /// The child is a PID 1 of ours.
    front: Option<Front>,
    forwarded: SignalSet,
    /// What the caller had blocked.
    mask: SignalSet,
    awaited: SignalSet,
}

impl Watcher {
    fn watch(&mut self) -> sys::Result<Ended> {
        self.block()?;
        let mut stop_asked_for = None;
        loop {
            // Looked at before the first wait: the child may have ended while everything was blocked.
            match sys::reap(self.child)? {
                Some(Change::Exited(status)) => {
                    let killed = self.front.take().and_then(Front::killed_by);
                    return Ok(killed.map_or(Ended::Exited(status), Ended::Killed));
                }
                Some(Change::Killed(signal)) => return Ok(Ended::Killed(signal)),
                Some(Change::Stopped(signal)) => {
                    self.stop_too(stop_asked_for.take().unwrap_or(signal))?;
                    self.send(libc::SIGCONT);
                    continue;
                }
                None => {}
            }
            if let Some(front) = &mut self.front
                && let Some(signal) = front.wait(self.awaited)?
            {
                self.stop_with_program(signal)?;
                continue;
            }
            let arrived = sys::wait_for(self.awaited)?;
            if arrived.signal == libc::SIGCHLD {
                continue;
            }
            if self.forwarded.has(arrived.signal) {
                if !self.has_had(arrived) {
                    self.send(arrived.signal);
                }
            } else if let Some(front) = &self.front {
                // The program behind PID 1 has been stopped by the terminal too. If that will be told, then this is
                // not the time to stop: it would be done twice.
                if !(arrived.from_kernel && front.tells_of_stops()) {
                    self.stop_with_program(arrived.signal)?;
                }
            } else if is_deaf_init(self.child, arrived.signal) {
                // PID 1 of a namespace does not hear a stop of the terminal; this one it cannot miss.
                stop_asked_for = Some(arrived.signal);
                self.send(libc::SIGSTOP);
            } else if !self.has_had(arrived) {
                self.send(arrived.signal);
            }
        }
    }

    fn block(&self) -> sys::Result<SignalSet> {
        sys::set_blocked(self.mask.and(self.awaited))
    }

    /// Whether the child has had the signal from the same hand: what a terminal sends goes to the whole
    /// foreground process group.
    fn has_had(&self, arrived: Arrived) -> bool {
        arrived.from_kernel && sys::process_group_of(self.child) == Ok(sys::process_group())
    }

    fn send(&self, signal: i32) {
        // It may have ended just now; that is seen next.
        let _ = match &self.pidfd {
            Some(pidfd) => sys::signal_pidfd(pidfd.as_fd(), signal),
            None => sys::kill(self.child, signal),
        };
    }

    /// Stops this process as the program behind PID 1 was; then has it go on.
    fn stop_with_program(&mut self, signal: i32) -> sys::Result<()> {
        self.stop_too(signal)?;
        if let Some(front) = &mut self.front {
            front.continued();
        }
        self.send(libc::SIGCONT);
        Ok(())
    }

    /// Stops this process by the signal that stopped the child, so that the calling shell sees it; returns when
    /// continued.
    fn stop_too(&self, signal: i32) -> sys::Result<()> {
        if sys::is_ignored(signal)? || !STOPS.contains(&signal) {
            return sys::kill(sys::pid(), libc::SIGSTOP);
        }
        sys::kill(sys::pid(), signal)?;
        // It comes as soon as it is not blocked any more.
        sys::set_blocked(self.mask.without(signal))?;
        self.block().map(drop)
    }
}

/// Whether the process is PID 1 of a PID namespace, and neither handles, ignores nor blocks the signal: then the
/// kernel drops it (pid_namespaces(7)).
fn is_deaf_init(pid: i32, signal: i32) -> bool {
    let status = sys::read_file(format!("/proc/{pid}/status").as_ref()).ok();
    status
        .and_then(|text| Status::parse(&text))
        .is_some_and(|status| {
            let bit = 1 << (signal - 1);
            let minded = status.signals_blocked | status.signals_ignored | status.signals_caught;
            status.pids.len() > 1 && status.pids.last() == Some(&1) && minded & bit == 0
        })
}
