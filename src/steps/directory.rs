//! The working directory.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::AsFd;

use super::{Do, State};
use crate::failure::{Failure, Result, Stage, line};
use crate::model::Word;
use crate::sys;

/// Change to the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory(pub(crate) OsString);

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "change to {}", Word(&self.0))
    }
}

impl Do for Directory {
    fn run(&self, _: &mut State) -> Result<()> {
        change_to(&self.0)
    }
}

/// Changes the working directory.
pub(crate) fn change_to(dir: &OsStr) -> Result<()> {
    sys::change_directory(dir).map_err(|error| {
        let text = line(["cannot change directory to ".as_ref(), dir]);
        Failure::new(Stage::Directory(Some(dir.to_owned())), text, error)
    })
}

/// Change to what was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenedDirectory;

impl fmt::Display for OpenedDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("change to the directory opened")
    }
}

impl Do for OpenedDirectory {
    fn run(&self, state: &mut State) -> Result<()> {
        let Some(directory) = state.opened.directory.take() else {
            return Ok(());
        };
        sys::change_directory_fd(directory.as_fd()).map_err(|error| {
            let text = "change directory by working directory file descriptor failed";
            Failure::new(Stage::Directory(None), text, error)
        })
    }
}
