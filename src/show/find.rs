//! Finding one namespace by its inode or number, whatever keeps it alive.

use std::os::fd::{AsFd, OwnedFd};

use super::facts::id;
use super::scan::{Scan, identify};
use super::seen::Name;
use crate::model::Kind;
use crate::sys;

/// What came of a search.
#[derive(Debug)]
pub(crate) enum Found {
    /// It, open.
    Here(OwnedFd),
    /// It was seen, but has gone since.
    Gone,
    /// It was not seen; why it may be there all the same, if there is a reason.
    Nowhere(Option<String>),
}

/// Finds the namespace of this kind and inode.
///
/// # Errors
/// When /proc cannot be read.
pub(crate) fn find_by_inode(kind: Kind, inode: u64) -> sys::Result<Found> {
    let mut scan = Scan::new()?;
    let name = (kind, inode);
    if scan.seen.get(name).is_none() && matches!(kind, Kind::User | Kind::Pid) {
        // Only namespaces below it may keep it alive.
        scan.ask_all();
    }
    if scan.seen.get(name).is_some() {
        return Ok(scan.open(name).map_or_else(|| scan.gone(), Found::Here));
    }
    let is_it = |fd: &OwnedFd| identify(fd.as_fd()) == Some(name);
    Ok(match kind {
        Kind::Net => scan.behind_sockets(is_it),
        _ => None,
    }
    .map_or(scan.nowhere(), Found::Here))
}

/// Finds the namespace with this number of the kernel's.
///
/// # Errors
/// As [`find_by_inode`].
pub(crate) fn find_by_id(wanted: u64) -> sys::Result<Found> {
    let mut scan = Scan::new()?;
    scan.ask_all();
    let found = scan.seen.all().iter();
    let found: Option<Name> = found
        .filter(|namespace| namespace.id == Some(wanted))
        .map(|namespace| namespace.name())
        .next();
    let is_it = |fd: &OwnedFd| {
        identify(fd.as_fd()).is_some_and(|(kind, _)| id(kind, fd.as_fd()) == Some(wanted))
    };
    Ok(match found {
        // The inode may have been given to a younger namespace, the number never is.
        Some(name) => scan
            .open(name)
            .filter(is_it)
            .map_or_else(|| scan.gone(), Found::Here),
        None => scan
            .behind_sockets(is_it)
            .map_or(scan.nowhere(), Found::Here),
    })
}

impl Scan {
    /// Of one that was seen: it is gone, but where it may be we that could not open it.
    fn gone(&self) -> Found {
        match self.seen.lack() {
            Some(_) => self.nowhere(),
            None => Found::Gone,
        }
    }

    fn nowhere(&self) -> Found {
        Found::Nowhere(self.seen.missing())
    }
}
