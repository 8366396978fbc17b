//! The program that is executed.

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use crate::model::Word;

/// What is executed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// A program and its arguments: the rest of our own argv.
    Given(&'static [&'static CStr]),
    /// The user's shell, as a login shell.
    Shell,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Words as a shell would take them: quoted where it is needed.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("execute")?;
        match self {
            Program::Shell => f.write_str(" the login shell"),
            Program::Given(words) => words
                .iter()
                .try_for_each(|word| write!(f, " {}", Word(OsStr::from_bytes(word.to_bytes())))),
        }
    }
}
