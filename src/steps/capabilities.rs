//! Capabilities that the program keeps (`--keep-caps`).

use std::fmt;

use super::{Do, State};
use crate::failure::{Failure, Result, Unexplained};
use crate::sys;

/// Whether a step is done at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// In any case.
    Always,
    /// If a user namespace was entered, which is seen only then.
    UserEntered,
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Always => Ok(()),
            When::UserEntered => f.write_str(", if a user namespace was entered"),
        }
    }
}

impl When {
    fn holds(self, state: &State) -> bool {
        self == When::Always || state.in_new_user()
    }
}

/// Keep the permitted capabilities while the user ID changes (capabilities(7), `SECBIT_KEEP_CAPS`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HoldCapabilities(pub(crate) When);

impl fmt::Display for HoldCapabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keep the capabilities across setuid{}", self.0)
    }
}

impl Do for HoldCapabilities {
    fn run(&self, state: &mut State) -> Result<()> {
        if !self.0.holds(state) {
            return Ok(());
        }
        sys::keep_capabilities_across_setuid(true).map_err(failed)
    }
}

/// Make the permitted capabilities inheritable and ambient, so that the program gets them (capabilities(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeepCapabilities(pub(crate) When);

impl fmt::Display for KeepCapabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keep the capabilities across exec{}", self.0)
    }
}

impl Do for KeepCapabilities {
    fn run(&self, state: &mut State) -> Result<()> {
        if !self.0.holds(state) {
            return Ok(());
        }
        let mut held = sys::capabilities().map_err(failed)?;
        held.effective = held.permitted;
        held.inheritable = held.permitted;
        sys::set_capabilities(held).map_err(failed)?;
        for capability in (0..u64::BITS).filter(|bit| held.permitted & 1 << bit != 0) {
            sys::raise_ambient(capability).map_err(failed)?;
        }
        Ok(())
    }
}

fn failed(error: sys::Error) -> Failure {
    Failure::new(
        Unexplained("capabilities"),
        "cannot keep the capabilities",
        error,
    )
}
