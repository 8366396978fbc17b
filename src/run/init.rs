//! `--init`: a process of ours stays as PID 1 of the new PID namespace, in front of the program.
//!
//! Three processes: the caller's child waits outside, PID 1 inside starts the program, reaps orphans and passes
//! signals on. A socket between the two outer ones carries the program's PID, as the kernel translates it for
//! the one outside (unix(7), `SCM_CREDENTIALS`), whether the program was started, and the signal that it died of,
//! which PID 1 cannot die of itself.

use std::os::fd::{AsFd, OwnedFd};

use super::Run;
use super::child::{Ended, watch};
use super::front::{Front, KILLED, STOPPED};
use super::helper::Helper;
use crate::failure::{Failure, Result, Stage};
use crate::plan::{Fork, Init, Step};
use crate::sys::{self, Change, Forked, SignalSet};

/// From the program's process: this is my PID.
const HERE: u8 = b'p';
/// To it: go on.
const GO: u8 = b'g';
/// From PID 1: the program runs.
const RUNS: u8 = b'r';

/// PID 1's side.
#[derive(Debug)]
pub(super) struct Inside {
    init: Init,
    socket: OwnedFd,
}

impl Run<'_> {
    /// Starts PID 1, and waits for it.
    pub(super) fn fork_init(&mut self, fork: &Fork, init: Init, rest: &[Step]) -> Result<Ended> {
        let failed = |error| Failure::new(Stage::Fork, "fork failed", error);
        let before = self.mask.unwrap_or_default();
        let (outside, inside) = sys::socket_pair().map_err(failed)?;
        sys::receive_credentials(outside.as_fd()).map_err(failed)?;
        let pid = match sys::fork() {
            Ok(Forked::Parent(pid)) => pid,
            Ok(Forked::Child) => {
                drop(outside);
                // A failure is told from here.
                self.helper = self.helper.take().map(Helper::shared);
                self.inside = Some(Inside {
                    init,
                    socket: inside,
                });
                if let Some(leash) = &self.leash {
                    leash.put_on()?;
                }
                return match self.steps(rest)? {
                    Some(ended) => Ok(ended),
                    None => Err(Failure::plain(Stage::Fork, "nothing was executed")),
                };
            }
            Err(error) => {
                let _ = sys::set_blocked(before);
                return Err(failed(error));
            }
        };
        drop(inside);
        self.mask = None;
        let mut front = Front::new(outside);
        match self.meet(&mut front, init) {
            Ok(Some(program)) => self.started(program),
            // PID 1 has said why.
            Ok(None) => {
                let status = sys::wait(pid);
                // The terminal comes back before that can stop us.
                drop(front);
                let _ = sys::set_blocked(before);
                self.undo();
                return match status.map_err(failed)? {
                    Change::Exited(status) => Ok(Ended::Exited(status)),
                    Change::Killed(signal) | Change::Stopped(signal) => Ok(Ended::Killed(signal)),
                };
            }
            Err(failure) => {
                // Without an answer it does not start the program.
                drop(front);
                let _ = sys::wait(pid);
                let _ = sys::set_blocked(before);
                return Err(failure);
            }
        }
        let ended = watch(pid, fork, before, Some(front))?;
        self.ended(ended);
        Ok(ended)
    }

    /// Learns the program's PID, writes the PID file, lets it go on. None when it was not started.
    fn meet(&mut self, front: &mut Front, init: Init) -> Result<Option<i32>> {
        let failed = |error| Failure::new(Stage::Fork, "fork failed", error);
        let Some(program) = sys::receive_sender(front.socket()).map_err(failed)? else {
            return Ok(None);
        };
        if let Some(helper) = &self.helper {
            helper.start_program(program)?;
        }
        front.met(program, init);
        let _ = sys::send(front.socket(), &[GO]);
        let mut answer = [0];
        let answered = sys::read_some(front.socket(), &mut answer).map_err(failed)?;
        Ok((answered == 1 && answer[0] == RUNS).then_some(program))
    }

    /// PID 1: starts the program, then stays until it ends.
    pub(super) fn stay_in_front(
        &mut self,
        inside: Inside,
        execute: impl Fn(&mut Self) -> Failure,
    ) -> Result<Ended> {
        let failed = |error| Failure::new(Stage::Fork, "fork failed", error);
        // All is bound; the one outside ends it, or has it undo that.
        self.helper = None;
        let mut failure = None;
        let program = sys::vfork(|_| {
            if inside.init == Init::Group {
                // A group of its own, so that signals can be passed on to it alone.
                let _ = sys::lead_process_group();
            }
            let mut answer = [0];
            let met = sys::send(inside.socket.as_fd(), &[HERE])
                .and_then(|()| sys::read_some(inside.socket.as_fd(), &mut answer));
            if met == Ok(1) {
                let mut why = execute(self);
                (self.inquiry)(&mut why);
                failure = Some(why);
            }
            1
        })
        .map_err(failed)?;
        if let Some(failure) = failure {
            let _ = sys::wait(program);
            return Err(failure);
        }
        if sys::send(inside.socket.as_fd(), &[RUNS]).is_err() {
            // Nobody waits outside any more.
            return Ok(Ended::Exited(1));
        }
        let ended = inside.reap_all(program)?;
        if let Ended::Killed(signal) = ended {
            inside.tell(KILLED, signal);
        }
        Ok(ended)
    }
}

impl Inside {
    /// Reaps every child until the program ends; passes every other signal on to the program.
    fn reap_all(&self, program: i32) -> Result<Ended> {
        let failed = |error| Failure::new(Stage::Wait, "waiting for the child failed", error);
        // All signals are blocked since before the fork.
        let mut ended = None;
        loop {
            while let Ok(Some((pid, change))) = sys::reap_any() {
                match change {
                    Change::Exited(status) if pid == program => ended = Some(Ended::Exited(status)),
                    Change::Killed(signal) if pid == program => ended = Some(Ended::Killed(signal)),
                    Change::Stopped(signal) if pid == program => self.tell(STOPPED, signal),
                    _ => {}
                }
            }
            if let Some(ended) = ended {
                return Ok(ended);
            }
            let arrived = sys::wait_for(SignalSet::ALL).map_err(failed)?;
            if arrived.signal == libc::SIGCHLD {
                continue;
            }
            let target = match self.init {
                Init::Program => program,
                Init::Group => -program,
            };
            // What the terminal sent to our process group, the program has had if it is in it too.
            let both =
                arrived.from_kernel && sys::process_group_of(program) == Ok(sys::process_group());
            if !both {
                let _ = sys::kill(target, arrived.signal);
            }
        }
    }

    /// Tells the one outside of a signal that the program got.
    fn tell(&self, what: u8, signal: i32) {
        if let Ok(signal) = u8::try_from(signal) {
            // Whether anybody hears it changes nothing.
            let _ = sys::send(self.socket.as_fd(), &[what, signal]);
        }
    }
}
