//! The program as a child with memory of its own, where the kernel gives no other.
//!
//! From Linux 5.6 to 6.0 no process that shares its memory enters a time namespace, not even until it executes
//! a program (time_namespaces(7)): clone(2) says EINVAL. Then the child is an ordinary copy of this process. It
//! tells of a failure itself; a socket carries its PID in, and whether it failed out.

use std::os::fd::AsFd;

use super::Run;
use super::child::{Ended, watch};
use super::helper::Helper;
use crate::failure::{Failure, Result, Stage};
use crate::plan::{Fork, Step};
use crate::sys::{self, Change, Forked, SignalSet};

/// From the child: it failed before it could execute the program.
const FAILED: u8 = b'f';

impl Run<'_> {
    /// As [`Run::fork`], without shared memory.
    pub(super) fn fork_apart(
        &mut self,
        fork: &Fork,
        rest: &[Step],
        before: SignalSet,
    ) -> Result<Ended> {
        let failed = |error| Failure::new(Stage::Fork, "fork failed", error);
        let (ours, theirs) = sys::socket_pair().map_err(failed)?;
        let child = match sys::fork().map_err(failed)? {
            Forked::Parent(child) => child,
            Forked::Child => {
                drop(ours);
                self.helper = self.helper.take().map(Helper::shared);
                self.mask = Some(before);
                let mut pid = [0; size_of::<i32>()];
                sys::read_some(theirs.as_fd(), &mut pid).map_err(failed)?;
                let why = match self.in_child(i32::from_ne_bytes(pid), rest) {
                    Ok(never) => match never {},
                    Err(why) => why,
                };
                // The parent may be gone; then nobody waits for this.
                let _ = sys::send(theirs.as_fd(), &[FAILED]);
                return Err(why);
            }
        };
        drop(theirs);
        let sent = sys::send(ours.as_fd(), &child.to_ne_bytes());
        // The child's end is closed when it executes the program, or ends.
        let mut answer = [0];
        let answered = sent.and_then(|()| sys::read_some(ours.as_fd(), &mut answer));
        if answered == Ok(0) {
            self.started(child);
            let ended = watch(child, fork, before, None)?;
            self.ended(ended);
            return Ok(ended);
        }
        let change = sys::wait(child);
        let _ = sys::set_blocked(before);
        self.undo();
        match change.map_err(failed)? {
            Change::Exited(status) => Ok(Ended::Exited(status)),
            Change::Killed(signal) | Change::Stopped(signal) => Ok(Ended::Killed(signal)),
        }
    }
}
