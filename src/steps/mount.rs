//! A new proc.

use std::ffi::{OsStr, OsString};
use std::fmt;

use super::{Do, State};
use crate::failure::{Failure, Result, Stage, line};
use crate::model::Word;
use crate::sys::{self, MsFlags};

/// Mount proc for the PID namespace that we are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountProc(pub(crate) OsString);

impl fmt::Display for MountProc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mount proc on {}", Word(&self.0))
    }
}

impl Do for MountProc {
    fn run(&self, _: &mut State) -> Result<()> {
        mount("proc", &self.0).map_err(|error| mount_failed("proc", &self.0, error))
    }
}

/// Mounts a file system of the kernel's own, of whose files none is a program or a device.
pub(crate) fn mount(kind: &'static str, dir: &OsStr) -> sys::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    sys::mount(kind, dir, kind, flags)
}

pub(crate) fn mount_failed(kind: &'static str, dir: &OsStr, error: sys::Error) -> Failure {
    let stage = Stage::Mount {
        kind,
        target: dir.to_owned(),
    };
    Failure::new(
        stage,
        line(["mount ".as_ref(), dir, " failed".as_ref()]),
        error,
    )
}
