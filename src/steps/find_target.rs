//! The target process by another name than its number.

use std::fmt;

use super::enter::resolve::open_process;
use super::{Do, State};
use crate::failure::Result;
use crate::model::{Kind, Kinds, Reference, Which};

/// Find the target process by a name that others have for it, and open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FindTarget {
    pub(crate) reference: Reference,
    /// As in [`OpenTarget`].
    pub(crate) kind: Option<Kind>,
}

impl fmt::Display for FindTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "find and open the process of {}", self.reference)
    }
}

impl Do for FindTarget {
    fn run(&self, state: &mut State) -> Result<()> {
        let which = match self.kind {
            Some(kind) => Which::These(Kinds::NONE.with(kind)),
            None => Which::Natural,
        };
        state.target = Some(open_process(&self.reference, which)?);
        Ok(())
    }
}
