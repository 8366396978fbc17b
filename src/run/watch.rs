//! The program has been started as a child: waiting for its end, stopping and continuing with it, passing signals on.
//!
//! The hard thing: all that matters is taken by waiting for it, blocked, so nothing comes in between: were we stopped
//! by the terminal at the same time as the child, we would stop a second time when we hear of the child's stop.

use std::os::fd::{AsFd, OwnedFd};

use super::ended::{Ended, die_of};
use super::pid1::Pid1;
use super::report::StatusFd;
use crate::failure::{Failure, Result, Unexplained};
use crate::host::procfs;
use crate::steps::Fork;
use crate::sys::{self, Arrived, Change, Disposition, Number, Proc, Ready, SignalSet};

/// The signals by which a terminal stops its foreground process group.
const STOPS: [i32; 3] = [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
/// The signals by which a terminal ends its foreground process group.
const INTERRUPTS: [i32; 2] = [libc::SIGINT, libc::SIGQUIT];

/// The signals that are passed on to the child.
pub(super) fn forwarded(fork: &Fork) -> SignalSet {
    fork.forward.iter().map(|signal| signal.number()).collect()
}

/// Waits until the child ends, stops and continues with it, and passes signals on. `mask`: what our caller had blocked;
/// everything is blocked now. `status` may have lines that could not be written yet. `proc`: our own, where the child may be
/// PID 1 of a PID namespace.
pub(super) fn watch(
    child: i32,
    fork: &Fork,
    mask: SignalSet,
    pid1: Option<Pid1>,
    status: Option<&StatusFd>,
    proc: Option<&Proc>,
) -> Result<Ended> {
    let failed = |error| Failure::new(Unexplained("wait"), "waiting for the child failed", error);
    let forwarded = forwarded(fork);
    // Who asks unshare to end asks the program, which decides what that means.
    let ignored = [libc::SIGINT, libc::SIGTERM]
        .into_iter()
        .filter(|&signal| fork.patient && !forwarded.has(signal));
    let ignored: SignalSet = ignored.collect();
    let interrupts: SignalSet = INTERRUPTS
        .into_iter()
        .filter(|signal| !ignored.has(*signal) && !mask.has(*signal))
        .collect();
    let awaited = forwarded
        .union(interrupts)
        .union(STOPS.into_iter().collect())
        .with(libc::SIGCHLD);
    let polled = pid1.is_some() || status.is_some_and(StatusFd::is_behind);
    let mut watcher = Watcher {
        child,
        // Not reaped yet, so the number is the child's still.
        pidfd: if fork.forward.is_empty() {
            None
        } else {
            sys::pidfd_open(child).ok()
        },
        arrivals: polled
            .then(|| sys::signal_descriptor(awaited))
            .transpose()
            .map_err(failed)?,
        pid1,
        status,
        proc,
        is_patient: fork.patient,
        forwarded,
        mask,
        awaited,
    };
    let mut ours = SignalSet::NONE;
    for signal in ignored.iter() {
        if !sys::set_disposition(signal, Disposition::Ignored).map_err(failed)? {
            ours = ours.with(signal);
        }
    }
    let ended = watcher.watch().map_err(failed);
    // What the terminal sent in the same instant has reached the program too, which has ended as it ended.
    while let Ok(Some(_)) = sys::take_pending(interrupts) {}
    // The terminal comes back before anything can stop or end us.
    drop(watcher);
    for signal in ours.iter() {
        let _ = sys::set_disposition(signal, Disposition::Default);
    }
    // What comes for the program now is nobody's, and must not end us with another status than its own. While a reader is
    // waited for it must end us, but for what has come before.
    let waits = status.is_some_and(StatusFd::is_behind);
    for signal in forwarded.iter() {
        let _ = sys::set_disposition(signal, Disposition::Ignored);
        if waits {
            let _ = sys::set_disposition(signal, Disposition::Default);
        }
    }
    ended
}

/// What is needed to watch a child.
struct Watcher<'a> {
    child: i32,
    pidfd: Option<OwnedFd>,
    /// What is awaited, as a descriptor: there where something else is waited for too.
    arrivals: Option<OwnedFd>,
    /// The child is a PID 1 of ours.
    pid1: Option<Pid1>,
    status: Option<&'a StatusFd>,
    /// Our own /proc, where the child may be PID 1 of a PID namespace.
    proc: Option<&'a Proc>,
    /// We outlive what asks the child to end, and what stops it alone.
    is_patient: bool,
    forwarded: SignalSet,
    /// What the caller had blocked.
    mask: SignalSet,
    awaited: SignalSet,
}

impl Watcher<'_> {
    fn watch(&mut self) -> sys::Result<Ended> {
        self.block()?;
        let mut stop_asked_for = None;
        loop {
            // Looked at before the first wait: the child may have ended while everything was blocked.
            match sys::reap(self.child)? {
                Some(Change::Exited(status)) => {
                    let status_of = self.status;
                    let pid1 = self.pid1.take();
                    let killed = pid1.and_then(|pid1| pid1.killed_by(status_of));
                    return Ok(killed.map_or(Ended::Exited(status), Ended::Killed));
                }
                Some(Change::Killed(signal)) => return Ok(Ended::Killed(signal)),
                Some(Change::Stopped(signal)) => {
                    let asked = stop_asked_for.take();
                    if asked.is_some() || self.minds_stop(signal) {
                        self.stop_too(asked.unwrap_or(signal))?;
                        self.send(libc::SIGCONT);
                    }
                    continue;
                }
                None => {}
            }
            if let Some(signal) = self.wait_beside()? {
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
            } else if INTERRUPTS.contains(&arrived.signal) {
                self.interrupted(arrived)?;
            } else if let Some(pid1) = &self.pid1 {
                // The program behind PID 1 has been stopped by the terminal too. If that will be told, then this is
                // not the time to stop: it would be done twice.
                if !(arrived.from_kernel && pid1.tells_of_stops()) {
                    self.stop_with_program(arrived.signal)?;
                }
            } else if self.is_deaf_init(arrived.signal) {
                // PID 1 of a namespace does not hear a stop of the terminal; this one it cannot miss.
                stop_asked_for = Some(arrived.signal);
                self.send(libc::SIGSTOP);
            } else if !self.has_had(arrived) {
                self.send(arrived.signal);
            }
        }
    }

    /// Waits until one of the signals has come, and meanwhile for what else there is: lines that the status descriptor
    /// takes only now, and a PID 1 that says that the program has stopped: then by which signal, if we are to stop too.
    fn wait_beside(&mut self) -> sys::Result<Option<i32>> {
        let Some(arrivals) = &self.arrivals else {
            return Ok(None);
        };
        loop {
            let status = self.status.filter(|status| status.is_behind());
            let pid1 = self.pid1.as_ref().and_then(Pid1::socket);
            let mut questions = vec![(arrivals.as_fd(), Ready::Read)];
            questions.extend(status.map(|status| (status.as_fd(), Ready::Write)));
            questions.extend(pid1.map(|socket| (socket, Ready::Read)));
            match (sys::wait_ready(&questions)?, status) {
                (0, _) => return Ok(None),
                (1, Some(status)) => status.catch_up(false),
                _ => {
                    if let Some(pid1) = &mut self.pid1
                        && let Some(signal) = pid1.news(self.status)
                    {
                        return Ok(Some(signal));
                    }
                }
            }
        }
    }

    /// Whether we are to stop as the child has.
    ///
    /// One that somebody stops by SIGSTOP (cpulimit, a debugger) will be continued without us; and without a terminal
    /// nobody would continue us.
    fn minds_stop(&self, signal: i32) -> bool {
        !self.is_patient
            || STOPS.contains(&signal) && sys::open("/dev/tty".as_ref(), sys::For::Reading).is_ok()
    }

    /// What the terminal sent has reached the child, which decides; what somebody sent to us alone is for us.
    fn interrupted(&mut self, arrived: Arrived) -> sys::Result<()> {
        if arrived.from_kernel || sys::is_ignored(arrived.signal)? {
            return Ok(());
        }
        // The terminal comes back before we end.
        self.pid1 = None;
        die_of(arrived.signal);
        self.block().map(drop)
    }

    fn block(&self) -> sys::Result<SignalSet> {
        sys::set_blocked(self.mask.union(self.awaited))
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
        if let Some(pid1) = &mut self.pid1 {
            pid1.continued();
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

    /// Whether the child is PID 1 of a PID namespace, and neither handles, ignores nor blocks the signal: then the
    /// kernel drops it (pid_namespaces(7)).
    fn is_deaf_init(&self, signal: i32) -> bool {
        self.proc
            .and_then(|proc| status_of(self.child, proc))
            .is_some_and(|status| {
                let bit = 1 << (signal - 1);
                let minded =
                    status.signals_blocked | status.signals_ignored | status.signals_caught;
                status.pids.last() == Some(&1) && minded & bit == 0
            })
    }
}

/// What our /proc says of a child that has not been reaped, under the number that it has there.
fn status_of(child: i32, proc: &Proc) -> Option<procfs::Status> {
    let number = match sys::pidfd_open(child) {
        Ok(pidfd) => match proc.number_of(pidfd.as_fd()).ok()? {
            Some(Number::Is(number)) => number,
            _ => return None,
        },
        Err(_) if proc.counts_as_we_do() => child,
        Err(_) => return None,
    };
    let text = proc.read(&format!("{number}/status"), sys::Limit::FILE);
    procfs::Status::parse(&text.ok()?)
}
