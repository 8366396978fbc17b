//! Opening a process that other programs have written down: it, and no other that has got its number since.

use super::super::target::Target;
use super::resolve::unreadable;
use crate::failure::{Failure, Result, Unexplained, line};
use crate::host::procfs::{Cgroup, Stat};
use crate::host::recorded::{Recorded, Unfound, container, machine, unit};
use crate::model::{Kind, Reference, Word};
use crate::sys::{self, Limit};

/// Opens the machine, unit or container that is named.
///
/// # Errors
/// When there is none, its process has ended, or its number is another process's.
pub(super) fn open(reference: &Reference, kind: Option<Kind>) -> Result<Target> {
    let found = match reference {
        Reference::Machine(name) => machine::find(name),
        Reference::Unit(name) => unit::find(name),
        Reference::Oci(id) => container::find(id),
        _ => Err(Unfound::Because("is written down nowhere".to_owned())),
    };
    let recorded = found.map_err(|unfound| match unfound {
        Unfound::Because(why) => {
            Failure::plain(Unexplained("reference"), format!("{reference}: {why}"))
        }
        Unfound::File(path, error) => {
            let failure = unreadable(&path, error);
            let line = line([format!("{reference}: ").as_ref(), &failure.line]);
            Failure { line, ..failure }
        }
    })?;
    let stale = |why: &str| {
        let Recorded { pid, place, .. } = &recorded;
        let text = format!("{reference}: process {pid}, in {}, {why}", Word(place));
        Failure::plain(Unexplained("reference"), text)
    };
    let is_gone = |failure: &Failure| {
        failure
            .error
            .is_some_and(|error| error.raw() == libc::ENOENT)
            && failure.step.word() == "target"
    };
    // First it is opened, then looked at: what is found then is found of the process that is entered.
    let mut target = Target::open(recorded.pid, None, kind).map_err(|failure| {
        if is_gone(&failure) {
            stale(GONE)
        } else {
            failure
        }
    })?;
    let is_it = is_it(&recorded, &mut target)?;
    if target.check_alive().is_err() {
        return Err(stale("has ended"));
    }
    match is_it {
        true => Ok(target),
        false => Err(stale(&format!("{GONE}: another one has its number"))),
    }
}

/// Where a number is nobody's or somebody else's, we cannot know which it is.
const GONE: &str = "has ended, or is of another PID namespace";

/// Whether all that is known of the process is so of this one.
fn is_it(recorded: &Recorded, target: &mut Target) -> Result<bool> {
    if let Some(start) = recorded.start {
        let text = target.read_file("stat", Limit::FILE)?;
        if Stat::parse(&text).is_none_or(|stat| !start.is_of(&stat)) {
            return Ok(false);
        }
    }
    if let (Some(inode), Some(pidfd)) = (recorded.pidfd_inode, target.pidfd())
        && sys::is_on_pidfs(pidfd).unwrap_or(false)
        && sys::stat_fd(pidfd).is_ok_and(|stat| stat.st_ino != inode)
    {
        return Ok(false);
    }
    if let Some(name) = &recorded.unit {
        let text = target.read_file("cgroup", Limit::FILE)?;
        let cgroups = Cgroup::parse(&text).unwrap_or_default();
        if !unit::is_in(&cgroups, name) {
            return Ok(false);
        }
    }
    Ok(true)
}
