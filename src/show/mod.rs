//! The namespaces that can be seen on this machine: shown, compared, found.
//!
//! What is seen ([`seen`]) is pure data, and so is how it is shown; [`scan`] and [`facts`] fill it in.

mod facts;
mod find;
mod grid;
mod json;
mod same;
mod scan;
mod seen;
mod table;
mod tree;

use std::os::fd::{AsFd, OwnedFd};

use crate::host::bounds;
use crate::host::kinds::existing;
use crate::model::{Kind, Kinds};
use crate::sys;
use scan::Scan;
use seen::{Choice, chosen};
use tree::Lines;

pub(crate) use find::{Found, find_by_id, find_by_inode};
pub(crate) use same::{Known, Side, Verdict, compare, table as same_table};
pub(crate) use seen::NOT_ALL;

/// What is to be shown.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Every namespace of these kinds.
    All(Kinds),
    /// This one.
    One(OwnedFd),
}

/// How it is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    /// As trees, not as a table.
    pub(crate) tree: bool,
    /// For other programs.
    pub(crate) json: bool,
}

/// What there is to show.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The text that shows the namespaces asked for.
    pub(crate) text: String,
    /// What we ran out of, so that there may be more.
    pub(crate) lack: Option<sys::Error>,
}

/// Shows the namespaces asked for.
///
/// # Errors
/// When /proc cannot be read.
pub(crate) fn show(asked: &[Asked], form: Form) -> sys::Result<Shown> {
    let mut scan = Scan::new()?;
    scan.ask_all();
    let mut choices = Vec::with_capacity(asked.len());
    for one in asked {
        match one {
            Asked::All(kinds) => choices.push(Choice::Kinds(*kinds)),
            Asked::One(fd) => choices.extend(scan.add(fd.as_fd()).map(Choice::One)),
        }
    }
    scan.seen.spread_owners();
    let seen = &scan.seen;
    let chosen = chosen(seen, &choices);
    let limits = bounds::limits(&sys::Proc::default(), Kinds::ALL);
    let command = |pid| scan.command(pid);
    let text = match (form.tree, form.json) {
        (false, true) => json::table(seen, &chosen, &limits),
        (true, true) => json::tree(seen, &tree::trees(seen, &chosen), &limits, &command),
        (tree, false) => {
            let mut text = if tree {
                let lines = Lines::of_locale(|name| sys::variable(name)?.to_str());
                tree::draw(seen, &tree::trees(seen, &chosen), lines, &command)
            } else {
                table::table(seen, &chosen, &command)
            };
            text.push_str(&table::limits(seen, &limits, &chosen));
            text.push_str(&table::missing(seen));
            match sys::output_columns() {
                Some(columns) => grid::cut(&text, columns),
                None => text,
            }
        }
    };
    let lack = scan.seen.lack.get();
    Ok(Shown { text, lack })
}

/// All namespaces that can be seen, of each kind that the kernel has, for comparison.
///
/// # Errors
/// When /proc cannot be read.
pub(crate) fn all() -> sys::Result<Vec<(Kind, Known)>> {
    let mut scan = Scan::new()?;
    scan.ask_all();
    let unknown = scan.seen.missing();
    let kinds = existing(&sys::Proc::default()).unwrap_or_default();
    Ok(kinds
        .iter()
        .map(|kind| {
            let seen = scan.seen.all().iter();
            let these = seen
                .filter(|namespace| namespace.kind == kind)
                .map(|namespace| (scan.device, namespace.inode))
                .collect();
            let unknown = unknown.clone();
            (kind, Known { these, unknown })
        })
        .collect())
}
