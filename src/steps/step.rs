//! What a step can do, and with what it tells of itself.

use std::fmt;

use super::ahead::Ahead;
use super::state::State;
use crate::failure::Result;
use crate::sys;

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
