//! What `--same` and `--show` ask: references opened, and handed to the room that knows what there is.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::failure::{Failure, Result, Unexplained};
use crate::host::Host;
use crate::host::Machine;
use crate::host::namespace::identity;
use crate::model::listing::Listing;
use crate::model::sorted::{SortedMap, SortedSet};
use crate::model::{Kind, Kinds, Reference, Wanted, Which};
use crate::show::{self, Asked, Known, NotShown, Shown, Side, Verdict};
use crate::steps::enter::resolve::{Named, open_reference};
use crate::steps::file::cannot_open;
use crate::steps::target::Target;
use crate::sys;

/// Whether the namespaces are the same, and the table that says so, or JSON.
///
/// # Errors
/// A reference that cannot be opened, or references that have no kind in common.
pub(crate) fn same(wanted: &[Wanted], json: bool) -> Result<(Verdict, String)> {
    let sides: Vec<Side> = wanted.iter().map(side).collect::<Result<_>>()?;
    let rows = show::compare(&sides).ok_or_else(|| {
        let text = "--same: there is no kind of namespace that all of these name";
        Failure::plain(Unexplained("reference"), text)
    })?;
    let verdict = rows.iter().map(|&(_, verdict)| verdict).max();
    let text = if json {
        show::same_json(&sides, &rows)
    } else {
        show::same_table(&sides, &rows)
    };
    Ok((verdict.unwrap_or(Verdict::Unknown), text))
}

/// Shows the namespaces.
///
/// # Errors
/// A reference that cannot be opened, or nothing to show.
pub(crate) fn show(wanted: &[Wanted], listing: &Listing) -> Result<Shown> {
    let mut asked = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        if wanted.reference == Reference::All {
            asked.push(Asked::All(kinds_of_process(wanted.which)));
            continue;
        }
        match open_reference(&wanted.reference, wanted.which)? {
            Named::Namespace(fd) => {
                kind_of(fd.as_fd(), wanted)?;
                asked.push(Asked::One(fd));
            }
            Named::Process(mut target) => {
                let opened = namespaces(&mut target, kinds_of_process(wanted.which))?;
                asked.extend(opened.into_iter().map(Asked::One));
            }
        }
    }
    show::show(&asked, listing).map_err(|why| match why {
        NotShown::Proc(error) => cannot_open("/proc", error),
        NotShown::Nothing(line) => Failure::plain(Unexplained("reference"), line),
    })
}

/// The kinds that are wanted of a process, or of all.
fn kinds_of_process(which: Which) -> Kinds {
    match which {
        Which::These(kinds) => kinds,
        Which::AllBut(kinds) => Kinds::ALL.less(kinds),
        Which::Natural => Kinds::ALL,
    }
}

/// The kind of a single namespace, which must be among those wanted.
fn kind_of(fd: BorrowedFd<'_>, wanted: &Wanted) -> Result<Kind> {
    let reference = &wanted.reference;
    let found = sys::type_of(fd).ok().and_then(Kind::from_flag);
    let text = match (found, wanted.which) {
        (None, _) => format!("{reference}: is no namespace"),
        (Some(kind), Which::These(kinds)) if !kinds.has(kind) => {
            format!(
                "{reference}: is {} {kind} namespace, not {kinds}",
                kind.article()
            )
        }
        (Some(kind), _) => return Ok(kind),
    };
    Err(Failure::plain(Unexplained("reference"), text))
}

/// Opens the namespaces of a process.
fn namespaces(target: &mut Target, kinds: Kinds) -> Result<Vec<OwnedFd>> {
    let existing = Machine.kinds();
    let opened = kinds
        .iter()
        .filter(|&kind| existing.has(kind))
        .map(|kind| target.open_namespace(kind))
        .collect::<Result<_>>()?;
    target.check_alive()?;
    Ok(opened)
}

/// What a reference names, for comparison.
fn side(wanted: &Wanted) -> Result<Side> {
    let of = match wanted.reference {
        Reference::All => every(kinds_of_process(wanted.which))?,
        _ => match open_reference(&wanted.reference, wanted.which)? {
            Named::Process(target) => known(target, kinds_of_process(wanted.which))?,
            Named::Namespace(fd) => {
                let kind = kind_of(fd.as_fd(), wanted)?;
                let these = identity(fd.as_fd()).map_err(|error| {
                    Failure::new(
                        Unexplained("reference"),
                        wanted.reference.to_string(),
                        error,
                    )
                })?;
                let known = Known::is(these);
                let mut of = SortedMap::default();
                of.insert(kind, known);
                of
            }
        },
    };
    Ok(Side {
        name: wanted.reference.to_string(),
        of,
    })
}

fn every(kinds: Kinds) -> Result<SortedMap<Kind, Known>> {
    let mut all = show::all().map_err(|error| cannot_open("/proc", error))?;
    all.retain(|kind| kinds.has(*kind));
    Ok(all)
}

/// The namespaces of a process. One that may not be looked at is unknown; a kind that the kernel lacks is none.
fn known(mut target: Target, kinds: Kinds) -> Result<SortedMap<Kind, Known>> {
    let existing = Machine.kinds();
    let mut known = SortedMap::default();
    for kind in kinds.iter().filter(|&kind| existing.has(kind)) {
        let found = match target.namespace_identity(kind) {
            Ok(identity) => Known::is(identity),
            // That it cannot be looked at is known only of a process that was found.
            Err(failure) => match failure.error {
                Some(error) if target.is_found() => Known {
                    these: SortedSet::default(),
                    unknown: Some(format!("{}: {error}", failure.line.display())),
                },
                _ => return Err(failure),
            },
        };
        known.insert(kind, found);
    }
    target.check_alive()?;
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_are_wanted_of_a_process() {
        let two = Kinds::NONE.with(Kind::Net).with(Kind::User);
        assert_eq!(kinds_of_process(Which::These(two)), two);
        let others = Kinds::ALL.without(Kind::Net).without(Kind::User);
        assert_eq!(kinds_of_process(Which::AllBut(two)), others);
        assert_eq!(kinds_of_process(Which::Natural), Kinds::ALL);
    }

    #[test]
    fn a_namespace_is_of_a_kind_that_is_wanted() {
        let of = |path: &str, which| {
            let fd = sys::open(path.as_ref(), sys::For::Reading).unwrap();
            let wanted = Wanted {
                reference: Reference::File(path.into()),
                which,
            };
            kind_of(fd.as_fd(), &wanted).map_err(|failure| failure.line.into_string().unwrap())
        };
        let uts = "/proc/self/ns/uts";
        let net = Which::These(Kinds::NONE.with(Kind::Net));
        assert_eq!(of(uts, Which::Natural), Ok(Kind::Uts));
        assert_eq!(of(uts, Which::These(Kinds::ALL)), Ok(Kind::Uts));
        let not = "/proc/self/ns/uts: is a uts namespace, not net";
        assert_eq!(of(uts, net), Err(not.to_owned()));
        let none = "/dev/null: is no namespace";
        assert_eq!(of("/dev/null", net), Err(none.to_owned()));
    }
}
