//! The helper outside: a process of ours that stays in the namespaces that we came from, and does there what we cannot
//! do from within.

pub(crate) mod bind;
pub(crate) mod client;
mod failure;
pub(crate) mod map_program;
mod server;
mod wire;

use std::ffi::OsString;
use std::fmt;

use bind::Bind;
use map_program::MapByProgram;

use super::ahead::Ahead;
use super::map::{Extents, Mapping};
use super::{ClockOffset, Do, State};
use crate::failure::{Failure, Result, Unexplained};
use crate::model::value::Setgroups;
use crate::model::{IdMap, Ids, Kind, Word};

/// Start the helper. The loop does it, as there are two of us then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Helper {
    /// What it will be asked to do, in this order.
    pub(crate) work: Vec<Outside>,
    /// The file for the program's PID.
    pub(crate) pidfile: Option<OsString>,
    /// It must not be a child of ours, since we become the program.
    pub(crate) is_orphan: bool,
}

impl Helper {
    /// The helper for this, if it takes one; `forks`: the program is a child.
    pub(crate) fn new(
        work: Vec<Outside>,
        pidfile: Option<OsString>,
        forks: bool,
    ) -> Option<Helper> {
        let binds = work.iter().any(Outside::can_be_undone);
        let is_needed = !work.is_empty() || pidfile.is_some();
        is_needed.then_some(Helper {
            is_orphan: (binds || pidfile.is_some()) && !forks,
            work,
            pidfile,
        })
    }

    /// Whether a mount namespace is to be bound on a file.
    pub(crate) fn binds_mount(&self) -> bool {
        self.work.iter().any(|piece| match piece {
            Outside::Bind(binds) => binds.iter().any(|bind| bind.kind == Kind::Mnt),
            _ => false,
        })
    }
}

impl fmt::Display for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.pidfile {
            write!(f, "write the PID to {}", Word(file))?;
        }
        if !self.work.is_empty() {
            let gap = if self.pidfile.is_some() { "\n" } else { "" };
            write!(f, "{gap}start a helper that stays outside")?;
        }
        Ok(())
    }
}

/// Let the helper do this, and wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outside {
    /// Write setgroups of our user namespace.
    Setgroups(Setgroups),
    /// Write the offset of a clock of our time namespace.
    Clock(ClockOffset),
    /// Write the maps of more than one ID, each in its way.
    Maps(Vec<(Ids, IdMap, Via)>),
    /// Bind each new namespace on a file.
    Bind(Vec<Bind>),
}

impl Outside {
    /// Whether it stays when we fail, unless it is undone; what else is done is gone with our namespaces.
    fn can_be_undone(&self) -> bool {
        matches!(self, Outside::Bind(_))
    }
}

/// How a map is written from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// Into the file, with our privilege.
    File,
    /// By newuidmap(1) or newgidmap(1).
    Program,
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("outside: ")?;
        match self {
            Outside::Setgroups(value) => write!(f, "write our setgroups: {}", value.as_str())?,
            Outside::Clock(offset) => write!(f, "write our timens_offsets: {}", offset.text())?,
            Outside::Maps(maps) => {
                for (index, (ids, map, via)) in maps.iter().enumerate() {
                    let gap = if index == 0 { "" } else { ", and at once: " };
                    match via {
                        Via::File => write!(f, "{gap}write our {}: {}", ids.file(), Extents(map))?,
                        Via::Program => write!(f, "{gap}{} {}", ids.helper(), Extents(map))?,
                    }
                }
            }
            Outside::Bind(binds) => {
                for (index, Bind { kind, file }) in binds.iter().enumerate() {
                    let gap = if index == 0 { "" } else { ", " };
                    let source = kind.file_for_children();
                    write!(f, "{gap}bind our {source} on {}", Word(file))?;
                }
            }
        }
        Ok(())
    }
}

impl Do for Outside {
    fn run(&self, state: &mut State) -> Result<()> {
        let Some(helper) = &mut state.helper else {
            return Err(Failure::plain(Unexplained("fork"), "no helper was started"));
        };
        helper.go()?;
        if helper.is_done()
            && !helper.can_undo()
            && let Some(helper) = state.helper.take()
        {
            helper.end();
        }
        Ok(())
    }

    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        match self {
            Outside::Setgroups(value) => value.predict(line, ahead),
            Outside::Clock(_) => {}
            Outside::Maps(maps) => {
                for (ids, map, via) in maps {
                    match via {
                        Via::File => Mapping::predict(line, *ids, map, ahead),
                        Via::Program => MapByProgram::predict(line, *ids, map, ahead),
                    }
                }
            }
            Outside::Bind(binds) => {
                for bind in binds {
                    bind.predict(line, ahead);
                }
            }
        }
    }
}
