//! What the one outside has of a PID 1 of ours: what it says, and the terminal that is lent to the program's process
//! group.
//!
//! The hard thing: a process group of its own keeps the program out of the job that the calling shell knows. So we hand
//! it the terminal's foreground when that is ours, take it back at the end, and learn of its stops from PID 1, which
//! cannot stop for the shell to see.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::report::{MESSAGE, StatusFd, pass_status_on};
use crate::steps::Init;
use crate::sys::{self, For};

/// To the program's process: go on.
pub(super) const GO: u8 = b'g';
/// From PID 1: the signal with the number that follows killed the program.
pub(super) const KILLED: u8 = b'k';
/// From PID 1: the signal with the number that follows stopped the program.
pub(super) const STOPPED: u8 = b't';

/// A PID 1 of ours, seen from outside.
#[derive(Debug)]
pub(super) struct Pid1 {
    socket: OwnedFd,
    /// There for a program with a process group of its own, where we have a terminal.
    terminal: Option<Terminal>,
    killed_by: Option<i32>,
    /// PID 1 has closed its end.
    is_over: bool,
}

impl Pid1 {
    /// Of the PID 1 at the other end of `socket`.
    pub(super) fn new(socket: OwnedFd) -> Pid1 {
        Pid1 {
            socket,
            terminal: None,
            killed_by: None,
            is_over: false,
        }
    }

    /// Our end of the line to it; none when it has closed the other.
    pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
        (!self.is_over).then(|| self.socket.as_fd())
    }

    /// The program has come to be, with this PID, and waits for our word to start. The terminal is its own before, if it
    /// has a group of its own: it may read at once.
    pub(super) fn let_start(&mut self, program: i32, init: Init) -> sys::Result<()> {
        if init == Init::Group {
            self.terminal = Terminal::lend_to(program);
        }
        sys::send(self.socket.as_fd(), &[GO])
    }

    /// Takes what PID 1 says: if the program has stopped and we are to stop too, by which signal.
    pub(super) fn news(&mut self, status: Option<&StatusFd>) -> Option<i32> {
        // Who stops the program alone continues it without us.
        let signal = self
            .listen(status)
            .filter(|&signal| signal != libc::SIGSTOP)?;
        // In our own group the terminal's stops reach us as they reach the program.
        let terminal = self.terminal.as_mut()?;
        if [libc::SIGTTIN, libc::SIGTTOU].contains(&signal) && terminal.was_early() {
            // It may have read by now, and even have ended.
            let _ = sys::kill(-terminal.program, libc::SIGCONT);
            return None;
        }
        Some(signal)
    }

    /// We have been continued.
    pub(super) fn continued(&mut self) {
        if let Some(terminal) = &mut self.terminal {
            terminal.lend();
        }
    }

    /// Whether the program is stopped by what the terminal sends us, if it minds: PID 1 has had that too, passes it on to
    /// the program's own process group, and tells of the stop.
    pub(super) fn tells_of_stops(&self) -> bool {
        self.terminal.is_some()
    }

    /// The signal that killed the program, of which PID 1, which has ended, could not die itself.
    pub(super) fn killed_by(mut self, status: Option<&StatusFd>) -> Option<i32> {
        while !self.is_over {
            self.listen(status);
        }
        self.killed_by
    }

    /// Takes one message; gives the signal if the program has stopped.
    fn listen(&mut self, status: Option<&StatusFd>) -> Option<i32> {
        let mut message = [0; MESSAGE];
        let socket = self.socket.as_fd();
        match sys::read_some(socket, &mut message) {
            Ok(2) if message[0] == STOPPED => return Some(message[1].into()),
            Ok(2) if message[0] == KILLED => self.killed_by = Some(message[1].into()),
            Ok(MESSAGE) => pass_status_on(socket, &message, status),
            _ => self.is_over = true,
        }
        None
    }
}

/// Our controlling terminal, which a process group of the program's is to have in our place.
#[derive(Debug)]
struct Terminal {
    file: OwnedFd,
    own: i32,
    program: i32,
    /// Lent since we last heard that the program stopped for want of it.
    just_lent: bool,
}

impl Terminal {
    /// Lends it to the process group `program`, if there is one and its foreground is ours.
    fn lend_to(program: i32) -> Option<Terminal> {
        let mut terminal = Terminal {
            file: sys::open("/dev/tty".as_ref(), For::Reading).ok()?,
            own: sys::process_group(),
            program,
            just_lent: false,
        };
        terminal.lend();
        // It waits for our word before it runs, and cannot have been too early.
        terminal.just_lent = false;
        Some(terminal)
    }

    /// Lends it, if its foreground is ours.
    ///
    /// From the background this would stop us by SIGTTOU, which is blocked (tcsetpgrp(3)).
    fn lend(&mut self) {
        if self.is_with(self.own) {
            self.just_lent = sys::set_foreground(self.file.as_fd(), self.program).is_ok();
        }
    }

    /// Whether the program, which has stopped for want of the terminal, only was too early, and has it now.
    ///
    /// A shell that gives the terminal to our job continues PID 1 too, which continues the program: it may read before
    /// the terminal has been lent to it, and we may hear of that after. Only the first such stop is excused: who has
    /// the terminal and stops so again wants to.
    fn was_early(&mut self) -> bool {
        self.lend();
        std::mem::take(&mut self.just_lent) && self.is_with(self.program)
    }

    fn is_with(&self, group: i32) -> bool {
        sys::foreground(self.file.as_fd()) == Ok(group)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.is_with(self.program) {
            let _ = sys::set_foreground(self.file.as_fd(), self.own);
        }
    }
}
