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

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    fn pair() -> (Pid1, OwnedFd) {
        let (outside, inside) = sys::socket_pair().unwrap();
        (Pid1::new(outside), inside)
    }

    #[test]
    fn the_signal_that_killed_the_program_is_the_last_word() {
        let (pid1, inside) = pair();
        sys::send(inside.as_fd(), &[STOPPED, 20]).unwrap();
        sys::send(inside.as_fd(), &[KILLED, 9]).unwrap();
        drop(inside);
        assert_eq!(pid1.killed_by(None), Some(9));
        let (pid1, inside) = pair();
        sys::send(inside.as_fd(), &[STOPPED, 20]).unwrap();
        drop(inside);
        assert_eq!(pid1.killed_by(None), None);
    }

    /// Without a terminal that is lent, whose shell is to see it, nobody stops with the program.
    #[test]
    fn a_stop_is_heard_and_changes_nothing_where_no_terminal_is_lent() {
        let (mut pid1, inside) = pair();
        sys::send(inside.as_fd(), &[STOPPED, libc::SIGTSTP as u8]).unwrap();
        assert_eq!(pid1.listen(None), Some(libc::SIGTSTP));
        sys::send(inside.as_fd(), &[STOPPED, libc::SIGTSTP as u8]).unwrap();
        assert_eq!(pid1.news(None), None);
        assert!(!pid1.tells_of_stops());
        // It has been taken all the same, and the line is still open.
        assert_eq!(
            sys::is_ready(pid1.socket().unwrap(), sys::Ready::Read),
            Ok(false)
        );
        drop(inside);
        assert_eq!(pid1.news(None), None);
        assert!(pid1.socket().is_none());
    }

    #[test]
    fn a_line_for_the_status_descriptor_is_passed_on() {
        let (mut pid1, inside) = pair();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let child = StatusFd::over(&Rc::new(inside.try_clone().unwrap()));
        let caller = StatusFd::to(writer.into());
        child.ended(crate::run::Ended::Exited(7));
        sys::send(inside.as_fd(), &[KILLED, 9]).unwrap();
        assert_eq!(pid1.listen(Some(&caller)), None);
        drop((inside, child));
        assert_eq!(pid1.killed_by(Some(&caller)), Some(9));
        drop(caller);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
        assert_eq!(text, "{\"exit-code\":7}\n");
    }

    #[test]
    fn the_program_starts_at_our_word() {
        let (mut pid1, inside) = pair();
        pid1.let_start(77, Init::Program).unwrap();
        let mut word = [0; 2];
        assert_eq!(sys::read_some(inside.as_fd(), &mut word), Ok(1));
        assert_eq!(word[0], GO);
        drop(inside);
        assert!(pid1.let_start(77, Init::Program).is_err());
    }
}
