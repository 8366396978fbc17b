//! What a plan is made of, one file a step: what it is, the line that it prints, how it is done, what it
//! would fail at, and why it failed.

mod advice;
pub(crate) mod ahead;
pub(crate) mod binfmt;
pub(crate) mod capabilities;
pub(crate) mod cgroup;
pub(crate) mod clock;
pub(crate) mod directory;
pub(crate) mod enter;
pub(crate) mod environment;
pub(crate) mod execute;
pub(crate) mod file;
pub(crate) mod follow;
pub(crate) mod fork;
pub(crate) mod ids;
pub(crate) mod label;
pub(crate) mod map;
pub(crate) mod mount;
pub(crate) mod network;
pub(crate) mod open;
pub(crate) mod outside;
pub(crate) mod owner;
pub(crate) mod pidfile;
pub(crate) mod propagation;
pub(crate) mod root;
mod setgroups;
pub(crate) mod state;
pub(crate) mod target;
mod trace;
pub(crate) mod unshare;

use std::fmt;

pub(crate) use advice::Advice;
pub(crate) use binfmt::{MountBinfmt, Register};
pub(crate) use capabilities::{HoldCapabilities, KeepCapabilities, When};
pub(crate) use cgroup::JoinCgroup;
pub(crate) use clock::ClockOffset;
pub(crate) use directory::{Directory, OpenedDirectory};
pub(crate) use enter::Enter;
pub(crate) use environment::Variables;
pub(crate) use execute::Program;
pub(crate) use fork::{Fork, Init};
pub(crate) use ids::{DropGroupsEarly, Gid, GroupList, NewId, Uid};
pub(crate) use label::Label;
pub(crate) use map::WriteMap;
pub(crate) use mount::MountProc;
pub(crate) use network::{Hostname, Loopback};
pub(crate) use open::Source;
pub(crate) use outside::{Helper, Outside, Via};
pub(crate) use owner::Become;
pub(crate) use propagation::MakePrivate;
pub(crate) use root::{OpenedRoot, PivotRoot, Root};
pub(crate) use state::State;
pub(crate) use target::{CheckTarget, OpenTarget};
pub(crate) use unshare::Unshare;

use crate::failure::Result;
use crate::sys;
use ahead::Ahead;

/// A step of a plan that is done by whoever came as far as it.
///
/// Its `Display` is the line by which a plan shows it.
pub(crate) trait Do: fmt::Display {
    /// Does it.
    ///
    /// # Errors
    /// In the classic words.
    fn run(&self, state: &mut State) -> Result<()>;

    /// Tells what it would fail at, as far as that can be seen beforehand, and follows where it leads. `line`: how a plan
    /// shows it.
    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        let _ = (line, ahead);
    }

    /// What `--verbose` tells of it is told while it is done, call by call.
    const TELLS_ITSELF: bool = false;

    /// It makes us somebody else, who must not find the memory of our parent in ours.
    const CHANGES_IDS: bool = false;
}

/// With --verbose: what was done, and what came of it, in the form of strace(1).
pub(crate) fn say(what: &str, error: Option<&sys::Error>) {
    let outcome = match error {
        None => "0".to_owned(),
        Some(error) => format!("-1 {} ({error})", error.name()),
    };
    let text = format!("{what} = {outcome}\n");
    let _ = sys::print(sys::Stream::Error, text.as_bytes());
}

#[cfg(test)]
mod tests;
