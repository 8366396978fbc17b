//! Files in /proc that set a new namespace up, and that can be written only once.

use std::os::fd::AsFd;

use crate::failure::{Failure, Result, Stage};
use crate::model::value::Setgroups;
use crate::model::{Clock, IdMap, Ids};
use crate::sys::{self, For};

/// Opens a file and writes it with one write; a second would be refused.
fn write_file(stage: Stage, path: &str, text: &[u8]) -> Result<()> {
    let file = sys::open(path.as_ref(), For::Writing)
        .map_err(|error| Failure::new(stage.clone(), format!("cannot open {path}"), error))?;
    sys::write_once(file.as_fd(), text)
        .map_err(|error| Failure::new(stage, format!("write failed {path}"), error))
}

/// Allows or denies setgroups(2) in our user namespace.
pub(crate) fn setgroups(value: Setgroups) -> Result<()> {
    write_file(
        Stage::Setgroups,
        "/proc/self/setgroups",
        value.as_str().as_bytes(),
    )
}

/// Writes a map of our own user namespace.
pub(crate) fn write(ids: Ids, map: &IdMap) -> Result<()> {
    let text = map.text();
    let path = match ids {
        Ids::Uid => "/proc/self/uid_map",
        Ids::Gid => "/proc/self/gid_map",
    };
    write_file(
        Stage::Map {
            ids,
            text: text.clone(),
            outside: false,
        },
        path,
        &text,
    )
}

/// Shifts a clock of our new time namespace; nobody may be in it yet.
pub(crate) fn clock_offset(clock: Clock, seconds: i64) -> Result<()> {
    let text = format!("{} {seconds} 0", clock.name());
    write_file(
        Stage::Clock { clock, seconds },
        "/proc/self/timens_offsets",
        text.as_bytes(),
    )
}
