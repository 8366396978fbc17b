//! The map of one ID of our own, for which no privilege is needed.

use std::fmt;
use std::os::fd::AsFd;

use super::{Do, State};
use crate::failure::{Failure, Result, Stage};
use crate::model::{IdMap, Ids};
use crate::sys::{self, For};

/// Write our own uid_map or gid_map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WriteMap {
    pub(crate) ids: Ids,
    pub(crate) map: IdMap,
}

impl fmt::Display for WriteMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "write /proc/self/{}: {}",
            self.ids.file(),
            Extents(&self.map)
        )
    }
}

impl Do for WriteMap {
    fn run(&self, _: &mut State) -> Result<()> {
        let text = self.map.text();
        let path = match self.ids {
            Ids::Uid => "/proc/self/uid_map",
            Ids::Gid => "/proc/self/gid_map",
        };
        let stage = Stage::Map {
            ids: self.ids,
            text: text.clone(),
            outside: false,
        };
        write_file(stage, path, &text)
    }
}

/// Opens a file in /proc that sets a namespace up, and writes it with one write; a second would be refused.
pub(crate) fn write_file(stage: Stage, path: &str, text: &[u8]) -> Result<()> {
    let file = sys::open(path.as_ref(), For::Writing)
        .map_err(|error| Failure::new(stage.clone(), format!("cannot open {path}"), error))?;
    sys::write_once(file.as_fd(), text)
        .map_err(|error| Failure::new(stage, format!("write failed {path}"), error))
}

/// A map on one line.
pub(crate) struct Extents<'a>(pub(crate) &'a IdMap);

impl fmt::Display for Extents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, extent) in self.0.extents().iter().enumerate() {
            let gap = if index == 0 { "" } else { ", " };
            let (inside, outside) = (extent.inside(), extent.outside());
            write!(f, "{gap}{inside} {outside} {}", extent.count())?;
        }
        Ok(())
    }
}
