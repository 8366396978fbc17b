//! What every test here uses: the tools under test, what they left behind, and what a test needs.

#[macro_use]
mod needs;
mod cleaner;
mod containers;
mod held;
mod holder;
mod links;
mod places;
mod processes;
mod pty;
mod ran;
mod tool;
mod user;

pub(crate) use containers::{Container, Runtime, containers};
pub(crate) use held::{Held, stopped_in};
pub(crate) use holder::Holder;
pub(crate) use links::{INSIDE, KINDS, Links, Status};
pub(crate) use needs::*;
pub(crate) use places::{Mounted, Place, WITHOUT_OTHERS};
pub(crate) use processes::{alive, children, eventually, kill, name_of, pid_max, state, tree};
pub(crate) use pty::Terminal;
pub(crate) use ran::{Ended, Ran};
pub(crate) use tool::{Started, Tool};
pub(crate) use user::{ORDINARY, Subordinate};
