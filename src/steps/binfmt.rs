//! binfmt_misc of our user namespace, and interpreters registered in it (the kernel's admin-guide/binfmt-misc).

use std::ffi::OsString;
use std::fmt;
use std::os::fd::{AsFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;

use libc::{EACCES, EEXIST};

use super::mount::{mount, mount_failed};
use super::{Do, State};
use crate::failure::{Case, Failure, Finding, Result, because, explains, line, shown};
use crate::model::{Ids, Word};
use crate::sys::{self, For};

/// Mount binfmt_misc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountBinfmt(pub(crate) OsString);

impl fmt::Display for MountBinfmt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mount binfmt_misc on {}", Word(&self.0))
    }
}

impl Do for MountBinfmt {
    fn run(&self, _: &mut State) -> Result<()> {
        match mount("binfmt_misc", &self.0) {
            // It has been mounted here before the root directory changed to the same, as `/` (mount(2)).
            Err(error) if error.raw() == libc::EBUSY => Ok(()),
            done => done.map_err(|error| mount_failed("binfmt_misc", &self.0, error)),
        }
    }
}

/// Register an interpreter in the binfmt_misc mounted there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Register {
    pub(crate) dir: OsString,
    pub(crate) entry: OsString,
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dir, entry) = (Word(&self.dir), Word(&self.entry));
        write!(f, "register in {dir}: {entry}")
    }
}

impl Do for Register {
    fn run(&self, _: &mut State) -> Result<()> {
        let path = line([&self.dir, "/register".as_ref()]);
        let failed =
            |what: &str, error| Failure::new(self.clone(), line([what.as_ref(), &path]), error);
        let file = sys::open(&path, For::Writing).map_err(|error| failed("cannot open ", error))?;
        sys::write_once(file.as_fd(), self.entry.as_bytes())
            .map_err(|error| failed("write failed ", error))?;
        // Left open until the program is executed: nothing else uses the file system between the end of the old root
        // and its mount in the new one, and unused it forgets the interpreter.
        let _ = file.into_raw_fd();
        Ok(())
    }
}

explains! {
    Register {
        word: "binfmt",
        classic: "cannot open /proc/sys/fs/binfmt_misc/register",
        applets: ["unshare"],
    }
    Rule {
        id: "binfmt-unmapped",
        errors: [EACCES],
        about: "User 0, to whom the files of binfmt_misc belong, has no ID in this user namespace, or the caller has none.",
        advice: "Add -r.",
        find: |_, case| unmapped(case),
    },
    Rule {
        id: "binfmt-registered",
        errors: [EEXIST],
        about: "An interpreter of this name is registered already.",
        advice: "Give each a name of its own: the first field.",
        find: |register, _| {
            shown(
                format!("in {} an interpreter of this name is registered already", Word(&register.dir)),
                "give each a name of its own, in the first field",
            )
        },
    },
}

/// Of the files of binfmt_misc the kernel asks what it asks of all: whether their owner has an ID here.
fn unmapped(case: &Case<'_>) -> Option<Finding> {
    let map = case.facts.map(Ids::Uid)?;
    let who = if !map.has(0) {
        "user 0, to whom the files of binfmt_misc belong, has"
    } else if !map.has(case.facts.uid()?) {
        "our user has"
    } else {
        return None;
    };
    because(
        format!("{who} no ID in this user namespace (/proc/self/uid_map)"),
        "add -r, which maps us to user 0",
    )
}
