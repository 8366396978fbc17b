//! A line of advice on what the program will meet.

use std::fmt;

use super::{Do, State};
use crate::failure::Result;
use crate::sys;

/// The line to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advice(pub(crate) &'static str);

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "say: {}", self.0)
    }
}

impl Do for Advice {
    fn run(&self, _: &mut State) -> Result<()> {
        if sys::variable("NSKIT_EXPLAIN").is_some_and(|value| value == "0") {
            return Ok(());
        }
        // Whether anybody hears it changes nothing.
        let _ = sys::print(sys::Stream::Error, format!("{}\n", self.0).as_bytes());
        Ok(())
    }
}
