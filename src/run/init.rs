//! `--init`: a process of ours stays as PID 1 of the new PID namespace, before the program.
//!
//! Three processes: the caller's child waits outside, PID 1 inside starts the program, reaps orphans and passes
//! signals on. A socket between the two outer ones carries the program's PID, as the kernel translates it for
//! the one outside (unix(7), `SCM_CREDENTIALS`), whether the program was started, and the signal that it died of,
//! which PID 1 cannot die of itself.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use super::Run;
use super::child::{Ending, Next, fork_failed, kill};
use super::ended::Ended;
use super::pid1::{GO, KILLED, Pid1, STOPPED};
use super::report::{MESSAGE, pass_status_on};
use crate::failure::{Failure, Result, Unexplained};
use crate::steps::Step;
use crate::steps::open::Opened;
use crate::steps::{Fork, Init};
use crate::sys::{self, Change, Forked, Ready, SignalSet};

/// From the program's process: this is my PID.
const HERE: u8 = b'p';
/// From PID 1: the program runs.
const RUNS: u8 = b'r';

/// PID 1's side.
#[derive(Debug)]
struct Inside {
    init: Init,
    socket: Rc<OwnedFd>,
}

impl Run<'_> {
    /// Starts PID 1, and waits for it.
    pub(super) fn fork_init(&mut self, fork: &Fork, init: Init, rest: &[Step]) -> Result<Ended> {
        let ending = Ending::new(fork, self.mask.unwrap_or_default())?;
        let (outside, inside) = sys::socket_pair().map_err(fork_failed)?;
        sys::receive_credentials(outside.as_fd()).map_err(fork_failed)?;
        let pid = match sys::fork().map_err(fork_failed)? {
            Forked::Parent(pid) => pid,
            Forked::Child => {
                drop((outside, ending));
                self.line = Some(Rc::new(inside));
                self.inside = Some(init);
                self.be_copy();
                self.die_with_parent()?;
                return match self.steps(rest)? {
                    Some(ended) => Ok(ended),
                    None => Err(Failure::plain(Unexplained("fork"), "nothing was executed")),
                };
            }
        };
        drop(inside);
        self.hide_environment(&[]);
        let mut pid1 = Pid1::new(outside);
        let met = self.meet(pid, &mut pid1, init, &ending);
        drop(ending);
        match met {
            Ok(Meeting::Runs(program)) => self.watch_program(pid, Some(program), fork, Some(pid1)),
            Ok(Meeting::Signal(signal)) => Ok(self.ended_before(signal)),
            Ok(Meeting::Killed(signal)) => {
                let ended = sys::wait(pid);
                drop(pid1);
                self.undo();
                ended.map(|_| Ended::Killed(signal)).map_err(fork_failed)
            }
            // PID 1 has said why.
            Ok(Meeting::Failed) => {
                let status = sys::wait(pid);
                // The terminal comes back before that can stop us.
                drop(pid1);
                self.undo();
                status.map(Ended::from).map_err(fork_failed)
            }
            Err(failure) => {
                // Without an answer it does not start the program; it may be waiting for one.
                drop(pid1);
                kill(pid);
                Err(failure)
            }
        }
    }

    /// Learns the program's PID, writes the PID file, lets it go on.
    fn meet(&mut self, init: i32, pid1: &mut Pid1, kind: Init, ending: &Ending) -> Result<Meeting> {
        let mut program = None;
        while let Some(socket) = pid1.socket() {
            match ending
                .or_line(init, socket, Ready::Read)
                .map_err(fork_failed)?
            {
                Next::Signal(signal) => return Ok(Meeting::Signal(signal)),
                Next::Line => {}
            }
            let mut message = [0; MESSAGE];
            let (length, sender) = sys::receive_from(socket, &mut message).map_err(fork_failed)?;
            match (length, message[0], program) {
                (0, ..) => return Ok(Meeting::Failed),
                (1, HERE, None) => {
                    let Some(sender) = sender else {
                        return Err(fork_failed(sys::Error::from_raw(libc::EPROTO)));
                    };
                    if let Some(helper) = &self.state.helper {
                        helper.start_program(sender)?;
                    }
                    // One that has been killed meanwhile: PID 1 tells of it.
                    match pid1.let_start(sender, kind) {
                        Err(error) if is_gone(error) => {}
                        started => started.map_err(fork_failed)?,
                    }
                    program = Some(sender);
                }
                (1, RUNS, Some(program)) => return Ok(Meeting::Runs(program)),
                (2, KILLED, _) => return Ok(Meeting::Killed(message[1].into())),
                _ => pass_status_on(socket, &message, self.status.as_ref()),
            }
        }
        Ok(Meeting::Failed)
    }

    /// PID 1: starts the program, then stays until it ends.
    pub(super) fn stay_in_front(
        &mut self,
        init: Init,
        mut execute: impl FnMut(&mut Self) -> Failure,
    ) -> Result<Ended> {
        // All is bound; the one outside ends it, or has it undo that.
        self.state.helper = None;
        // The program ends with us, whatever ends us.
        let death = self.parent_death.take();
        let Some(socket) = self.line.take() else {
            return Err(Failure::plain(Unexplained("fork"), "nobody is outside"));
        };
        // When we go on the program runs already.
        self.hide_environment(&READ_ON_FAILURE);
        let mut failure = None;
        let program = sys::vfork(|| {
            if init == Init::Group {
                // A group of its own, so that signals can be passed on to it alone.
                let _ = sys::lead_process_group();
            }
            let mut answer = [0];
            let met = sys::send(socket.as_fd(), &[HERE])
                .and_then(|()| sys::read_some(socket.as_fd(), &mut answer));
            let mut why = match met {
                Ok(1) if answer[0] == GO => execute(self),
                // The one outside is gone, or does not want the program to start any more.
                Ok(_) => return 1,
                Err(error) => fork_failed(error),
            };
            (self.inquiry)(&mut why);
            failure = Some(why);
            1
        })
        .map_err(fork_failed)?;
        if let Some(failure) = failure {
            let _ = sys::wait(program);
            return Err(failure);
        }
        if let Some(death) = death {
            death.signals_program()?;
        }
        // The program may be root here, and take what we hold.
        self.state.opened = Opened::default();
        self.hide_environment(&[]);
        match sys::send(socket.as_fd(), &[RUNS]) {
            Ok(()) => {}
            // Nobody waits outside any more.
            Err(error) if is_gone(error) => return Ok(Ended::Exited(1)),
            Err(error) => return Err(fork_failed(error)),
        }
        let inside = Inside { init, socket };
        let ended = inside.reap_all(program)?;
        if let Ended::Killed(signal) = ended {
            inside.tell(KILLED, signal);
        }
        Ok(ended)
    }
}

/// The variables that say how a failure of the program's start is told, and where that was.
const READ_ON_FAILURE: [&str; 4] = ["NSKIT_EXPLAIN", "NO_COLOR", "TERM", "container"];

/// Whether nobody is at the other end any more.
fn is_gone(error: sys::Error) -> bool {
    matches!(error.raw(), libc::EPIPE | libc::ECONNRESET)
}

/// What came of the first words with PID 1.
enum Meeting {
    /// The program runs, with this PID.
    Runs(i32),
    /// It does not, and PID 1 says why.
    Failed,
    /// This signal, which ends us, came before; PID 1 is gone.
    Signal(i32),
    /// Somebody killed it by this signal before it ran.
    Killed(i32),
}

impl Inside {
    /// Reaps every child until the program ends; passes every other signal on to the program.
    fn reap_all(&self, program: i32) -> Result<Ended> {
        let failed =
            |error| Failure::new(Unexplained("wait"), "waiting for the child failed", error);
        // All signals are blocked since before the fork.
        let mut ended = None;
        loop {
            while let Some((pid, change)) = sys::reap_any().map_err(failed)? {
                match change {
                    Change::Exited(status) if pid == program => ended = Some(Ended::Exited(status)),
                    Change::Killed(signal) if pid == program => ended = Some(Ended::Killed(signal)),
                    Change::Stopped(signal) if pid == program => self.tell(STOPPED, signal),
                    _ => {}
                }
                // There may be no child left, which would be an error to ask about.
                if ended.is_some() {
                    break;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_gone_is_told_from_what_fails() {
        let is = |number| is_gone(sys::Error::from_raw(number));
        assert!(is(libc::EPIPE) && is(libc::ECONNRESET));
        assert!(!is(libc::ENOBUFS) && !is(libc::EINTR));
    }

    #[test]
    fn a_signal_is_told_in_two_bytes() {
        let (outside, inside) = sys::socket_pair().unwrap();
        let inside = Inside {
            init: Init::Program,
            socket: Rc::new(inside),
        };
        inside.tell(STOPPED, libc::SIGTSTP);
        let mut message = [0; MESSAGE];
        assert_eq!(sys::read_some(outside.as_fd(), &mut message), Ok(2));
        assert_eq!(message[..2], [STOPPED, libc::SIGTSTP as u8]);
    }
}
