//! The program's environment.

use std::ffi::{CString, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use super::ahead::{Ahead, EnvironmentAhead};
use super::{Do, State};
use crate::failure::Result;
use crate::model::Word;
use crate::sys::{self, OwnArgs};

/// The variables that the program gets instead of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Variables {
    /// None.
    Empty,
    /// These of ours.
    Only(Vec<OsString>),
    /// The target's, read before.
    Target,
}

impl fmt::Display for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Variables::Empty => f.write_str("empty the environment"),
            Variables::Only(names) => {
                f.write_str("keep of the environment:")?;
                names
                    .iter()
                    .try_for_each(|name| write!(f, " {}", Word(name)))
            }
            Variables::Target => f.write_str("take the target's environment"),
        }
    }
}

impl Do for Variables {
    fn run(&self, state: &mut State) -> Result<()> {
        let strings = match self {
            Variables::Empty => Vec::new(),
            Variables::Target => std::mem::take(&mut state.opened.environment),
            Variables::Only(names) => sys::variables()
                .filter(|entry| {
                    let name = entry.to_bytes().split(|&byte| byte == b'=').next();
                    names.iter().any(|wanted| Some(wanted.as_bytes()) == name)
                })
                .map(CString::from)
                .collect(),
        };
        state.environment = Some(OwnArgs::new(strings));
        Ok(())
    }

    fn predict<'a>(&'a self, _: &str, ahead: &mut Ahead<'a>) {
        ahead.environment = match self {
            Variables::Empty => EnvironmentAhead::Fewer { has_path: false },
            Variables::Only(names) => EnvironmentAhead::Fewer {
                has_path: names.iter().any(|name| name == "PATH"),
            },
            Variables::Target => EnvironmentAhead::Unknown,
        };
    }
}
