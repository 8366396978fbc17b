//! The child: how it is started and waited for. The loop does it, as it changes who goes on.

use std::fmt;

use crate::model::signal::Signal;

/// How the child is started and waited for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Fork {
    /// The signal that it gets when we die.
    pub(crate) kill_child: Option<Signal>,
    /// The signals that we pass on to it.
    pub(crate) forward: Vec<Signal>,
    /// Do not die of SIGINT and SIGTERM while waiting.
    pub(crate) patient: bool,
    /// Stay in front of it, as PID 1.
    pub(crate) init: Option<Init>,
    /// Fork only if a PID namespace other than ours was entered.
    pub(crate) only_if_needed: bool,
}

/// Whom a PID 1 of ours passes signals on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Init {
    /// The program.
    Program,
    /// Its process group.
    Group,
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fork")?;
        if self.only_if_needed {
            f.write_str(" if a PID namespace was entered")?;
        }
        match self.init {
            None => {}
            Some(Init::Program) => f.write_str(", stay as PID 1")?,
            Some(Init::Group) => {
                f.write_str(", stay as PID 1, pass signals on to the process group")?
            }
        }
        if let Some(signal) = self.kill_child {
            write!(f, ", kill the child with {signal} when we die")?;
        }
        if !self.forward.is_empty() {
            f.write_str(", pass on")?;
            self.forward
                .iter()
                .try_for_each(|signal| write!(f, " {signal}"))?;
        }
        Ok(())
    }
}
