//! The root directory.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::AsFd;

use libc::{EACCES, ENOENT, ENOTDIR, EPERM};

use super::ahead::Ahead;
use super::directory::change_to;
use super::propagation::private;
use super::{Do, State};
use crate::failure::common::{lacks, module_refuses, no_directory};
use crate::failure::{Failure, Result, explains, line};
use crate::host::capability::Capability;
use crate::model::Word;
use crate::sys::{self, For, MsFlags};

/// chroot(2) to the directory, then `/` is the working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root(pub(crate) OsString);

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chroot to {}, then to its /", Word(&self.0))
    }
}

impl Do for Root {
    fn run(&self, state: &mut State) -> Result<()> {
        state.change_root(|_| {
            sys::chroot(&self.0).map_err(|error| ChangeRoot::to(&self.0).failed(error))?;
            change_to("/".as_ref())
        })
    }

    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        ChangeRoot::to(&self.0).predict(line, ahead);
    }
}

/// pivot_root(2) to the directory, then `/` is the working directory and the old root is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PivotRoot(pub(crate) OsString);

impl fmt::Display for PivotRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pivot_root to {}, the old root gone", Word(&self.0))
    }
}

impl Do for PivotRoot {
    fn run(&self, state: &mut State) -> Result<()> {
        state.change_root(|_| {
            pivot_root(&self.0).map_err(|error| self.change().failed(error))?;
            change_to("/".as_ref())
        })
    }

    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        self.change().predict(line, ahead);
    }
}

impl PivotRoot {
    fn change(&self) -> ChangeRoot {
        ChangeRoot {
            dir: Some(self.0.clone()),
            capability: Capability::SysAdmin,
        }
    }
}

fn pivot_root(dir: &OsStr) -> sys::Result<()> {
    // The new root must be a mount point (pivot_root(2)); the one that it is made must not appear where we came from.
    private(dir)?;
    match sys::cover_with_itself(dir) {
        Ok(root) => sys::change_directory_fd(root.as_fd())?,
        Err(error) if error.raw() == libc::ENOSYS => {
            sys::bind(dir, dir, true)?;
            sys::change_directory(dir)?;
        }
        Err(error) => return Err(error),
    }
    let old = sys::open("/".as_ref(), For::Path)?;
    // Old and new root at one place: the old one comes to lie on top, and is taken off (pivot_root(2),
    // "pivot_root(".", ".")").
    sys::pivot_root(".".as_ref(), ".".as_ref())?;
    // To take a shared mount off takes it off its peers too, where we came from.
    sys::change_directory_fd(old.as_fd())?;
    sys::set_propagation(".".as_ref(), MsFlags::MS_PRIVATE | MsFlags::MS_REC)?;
    sys::detach(".".as_ref())
}

/// chroot(2) to what was opened; the working directory stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenedRoot;

impl fmt::Display for OpenedRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("chroot to the directory opened")
    }
}

impl Do for OpenedRoot {
    fn run(&self, state: &mut State) -> Result<()> {
        state.change_root(|opened| {
            let Some(root) = opened.root.take() else {
                return Ok(());
            };
            let failed = |text: &str, error| Failure::new(ChangeRoot::CHROOT, text, error);
            sys::change_directory_fd(root.as_fd()).map_err(|error| {
                failed("change directory by root file descriptor failed", error)
            })?;
            sys::chroot(".".as_ref()).map_err(|error| failed("chroot failed", error))
        })
    }

    fn predict<'a>(&'a self, _: &str, ahead: &mut Ahead<'a>) {
        ahead.moved = true;
    }
}

/// The root directory is changed.
pub(crate) struct ChangeRoot {
    /// To this one; else to what was opened.
    pub(crate) dir: Option<OsString>,
    /// What the kernel asks for: pivot_root(2) changes mounts.
    pub(crate) capability: Capability,
}

impl ChangeRoot {
    pub(crate) const CHROOT: ChangeRoot = ChangeRoot {
        dir: None,
        capability: Capability::SysChroot,
    };

    pub(crate) fn to(dir: &OsStr) -> ChangeRoot {
        ChangeRoot {
            dir: Some(dir.to_owned()),
            ..ChangeRoot::CHROOT
        }
    }

    fn failed(self, error: sys::Error) -> Failure {
        let dir = self.dir.as_deref().unwrap_or_default();
        let text = line([
            "cannot change root directory to '".as_ref(),
            dir,
            "'".as_ref(),
        ]);
        Failure::new(self, text, error)
    }

    fn predict(&self, line: &str, ahead: &mut Ahead<'_>) {
        let as_inside = ahead.as_inside();
        if !ahead.tell(line, self, EPERM, as_inside) {
            ahead.tell_of_path(line, self);
        }
        ahead.has_root(self.dir.as_deref());
        ahead.moved = true;
    }
}

explains! {
    ChangeRoot {
        word: "root",
        classic: "cannot change root directory to 'DIR'",
        applets: ["unshare", "nsenter", "setns"],
    }
    Rule {
        id: "root-privilege",
        errors: [EPERM],
        about: "CAP_SYS_CHROOT is missing, or CAP_SYS_ADMIN, which --pivot-root takes.",
        advice: "Run as root, or {also_user}.",
        find: |root, case| {
            let hint = format!("run as root, or {}", case.applet.also_user());
            lacks(case.facts, root.capability)?.because("", hint)
        },
    },
    Rule {
        id: "root-path",
        errors: [ENOENT, ENOTDIR, EACCES],
        about: "A part of the path is missing, is no directory, or may not be searched.",
        advice: "The part is named.",
        find: |root, case| no_directory(case, root.dir.as_ref()?, "name a directory that is there"),
    },
    Rule {
        id: "root-refused",
        errors: [EACCES],
        about: "A security module refuses it.",
        advice: "Have the module's profile allow it (AppArmor: \"pivot_root,\" and \"mount,\").",
        find: |root, case| {
            let is_open = match &root.dir {
                Some(dir) => case.facts.place(dir)?.obstacle.is_none(),
                None => true,
            };
            let rules = "pivot_root,\" and \"mount,";
            is_open.then(|| module_refuses(case, "the change of the root directory", rules, false))?
        },
    },
}
