//! The ID maps of user namespaces, and what goes with them (user_namespaces(7)).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::model::value::Setgroups;
use crate::model::{IdMap, Ids};
use crate::sys::{Limit, Proc};

/// The map of the user namespace of a process, by its name in `proc`.
pub(crate) fn map_of(proc: &Proc, process: &str, ids: Ids) -> Result<IdMap, String> {
    let path = format!("{process}/{}", ids.file());
    let text = proc
        .read(&path, Limit::FILE)
        .map_err(|error| format!("cannot read /proc/{path}: {error}"))?;
    IdMap::parse(&text).ok_or_else(|| format!("cannot understand /proc/{path}"))
}

/// Whether setgroups(2) is allowed in it.
pub(crate) fn setgroups_of(proc: &Proc, process: &str) -> Option<Setgroups> {
    let text = proc
        .read(&format!("{process}/setgroups"), Limit::FILE)
        .ok()?;
    Setgroups::parse(OsStr::from_bytes(text.trim_ascii())).ok()
}
