//! The working directory.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::AsFd;

use libc::{EACCES, ENOENT, ENOTDIR};

use super::ahead::Ahead;
use super::{Do, State};
use crate::failure::common::no_directory;
use crate::failure::{Failure, Result, Unexplained, explains, line};
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

    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        if ahead.is_in_our_directory() {
            ahead.tell_of_path(line, self);
        }
        ahead.moved = true;
    }
}

/// Changes the working directory.
pub(crate) fn change_to(dir: &OsStr) -> Result<()> {
    sys::change_directory(dir).map_err(|error| {
        let text = line(["cannot change directory to ".as_ref(), dir]);
        Failure::new(Directory(dir.to_owned()), text, error)
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
            Failure::new(Unexplained("directory"), text, error)
        })
    }

    fn predict<'a>(&'a self, _: &str, ahead: &mut Ahead<'a>) {
        ahead.moved = true;
    }
}

explains! {
    Directory {
        word: "directory",
        classic: "cannot change directory to DIR",
        applets: ["unshare", "nsenter", "setns"],
    }
    Rule {
        id: "directory-path",
        errors: [ENOENT, ENOTDIR, EACCES],
        about: "A part of the path is missing, is no directory, or may not be searched. With another root \
                directory it is a path in there.",
        advice: "The part is named.",
        find: |directory, case| no_directory(case, &directory.0, "name a directory that is there"),
    },
}
