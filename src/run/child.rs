//! The program as a child: how it is started, waited for, and what is passed between it and us.
//!
//! The hard thing: until the child executes the program every signal is blocked in both of us, so that none is
//! lost and none hits a half-made child; the child unblocks last, just before it executes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::Run;
use crate::failure::{Failure, Result, Stage};
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
        let ended = watch(child, fork, before)?;
        self.ended(ended);
        Ok(ended)
    }

    fn in_child(&mut self, pid: i32, rest: &[Step]) -> Result<std::convert::Infallible> {
        if let Some(leash) = &self.leash {
            leash.put_on()?;
        }
        if let Some(pidfile) = &mut self.pidfile {
            pidfile.write(pid)?;
        }
        self.steps(rest)?;
        Err(Failure::plain(Stage::Fork, "nothing was executed"))
    }
}

/// Waits until the child ends, stops with it, and passes signals on.
pub(super) fn watch(child: i32, fork: &Fork, mask: SignalSet) -> Result<Ended> {
    let failed = |error| Failure::new(Stage::Wait, "waiting for the child failed", error);
    // A terminal sends these to the child too; it is the child that decides what they mean.
    let mut patience = vec![libc::SIGINT, libc::SIGQUIT];
    if fork.patient {
        patience.push(libc::SIGTERM);
    }
    let forwarded: SignalSet = fork.forward.iter().map(|signal| signal.number()).collect();
    for signal in patience {
        if !forwarded.has(signal) {
            sys::set_disposition(signal, Disposition::Ignored).map_err(failed)?;
        }
    }
    if fork.forward.is_empty() {
        sys::set_blocked(mask).map_err(failed)?;
        loop {
            match sys::wait(child).map_err(failed)? {
                Change::Exited(status) => return Ok(Ended::Exited(status)),
                Change::Killed(signal) => return Ok(Ended::Killed(signal)),
                Change::Stopped(signal) => {
                    stop_too(signal);
                    let _ = sys::kill(child, libc::SIGCONT);
                }
            }
        }
    }
    // Not reaped yet, so the number is the child's still.
    let pidfd = sys::pidfd_open(child).ok();
    let awaited = forwarded.with(libc::SIGCHLD);
    sys::set_blocked(mask.and(awaited)).map_err(failed)?;
    // The child may have changed while everything was blocked, and SIGCHLD may have been merged.
    let mut look = true;
    loop {
        if !look {
            let arrived = sys::wait_for(awaited).map_err(failed)?;
            if arrived.signal != libc::SIGCHLD {
                pass_on(arrived, child, pidfd.as_ref().map(AsFd::as_fd));
                continue;
            }
        }
        look = false;
        match sys::reap(child).map_err(failed)? {
            Some(Change::Exited(status)) => return Ok(Ended::Exited(status)),
            Some(Change::Killed(signal)) => return Ok(Ended::Killed(signal)),
            Some(Change::Stopped(signal)) => {
                stop_too(signal);
                let _ = sys::kill(child, libc::SIGCONT);
                look = true;
            }
            None => {}
        }
    }
}

/// Sends a signal that came to us on to the child, unless it has had it from the same hand.
fn pass_on(arrived: Arrived, child: i32, pidfd: Option<BorrowedFd<'_>>) {
    // What a terminal sends goes to the whole foreground process group.
    let both = arrived.from_kernel && sys::process_group_of(child) == Ok(sys::process_group());
    if both {
        return;
    }
    let _ = match pidfd {
        Some(pidfd) => sys::signal_pidfd(pidfd, arrived.signal),
        None => sys::kill(child, arrived.signal),
    };
}

/// Stops this process as the child was stopped, so that the calling shell sees it; returns when continued.
fn stop_too(signal: i32) {
    let signal = match sys::is_ignored(signal) {
        Ok(false) => signal,
        _ => libc::SIGSTOP,
    };
    let _ = sys::kill(sys::pid(), signal);
}
