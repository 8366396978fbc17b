//! The namespaces that can be seen on this machine: shown, compared, found.
//!
//! What is seen ([`seen`]) is pure data, and so is how it is shown; [`scan`] and [`facts`] fill it in.

mod facts;
mod find;
mod grid;
mod json;
mod processes;
mod same;
mod scan;
mod seen;
mod sockets;
mod table;
mod tree;

use std::os::fd::{AsFd, OwnedFd};

use crate::host::bounds;
use crate::host::kinds::existing;
use crate::model::listing::{Column, Form, Listing};
use crate::model::sorted::{SortedMap, SortedSet};
use crate::model::{Kind, Kinds};
use crate::sys;
use processes::LiveProcesses;
use scan::Scan;
use seen::{Choice, Namespace, Seen, chosen};
use tree::Lines;

pub(crate) use find::{Found, find_by_id, find_by_inode};
pub(crate) use json::same as same_json;
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

/// What there is to show.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The text that shows the namespaces asked for.
    pub(crate) text: String,
    /// What we ran out of, so that there may be more.
    pub(crate) lack: Option<sys::Error>,
}

/// Why nothing is shown.
#[derive(Debug)]
pub(crate) enum NotShown {
    /// /proc cannot be opened.
    Proc(sys::Error),
    /// There is nothing to show: a sentence.
    Nothing(String),
}

/// Shows the namespaces asked for.
///
/// # Errors
/// /proc cannot be read, or there is nothing to show.
pub(crate) fn show(asked: &[Asked], listing: &Listing) -> Result<Shown, NotShown> {
    let mut scan = Scan::new().map_err(NotShown::Proc)?;
    let is_json = matches!(listing.form, Form::Json | Form::JsonTree);
    if is_json || listing.form == Form::Table && listing.table_columns().contains(&Column::NetnsId)
    {
        scan.netns_ids = sys::route_netlink().ok();
    }
    scan.ask_all();
    let mut choices = Vec::with_capacity(asked.len());
    for one in asked {
        match one {
            Asked::All(kinds) => choices.push(Choice::Kinds(*kinds)),
            Asked::One(fd) => {
                let name = scan.add(fd.as_fd()).ok_or_else(|| {
                    let line = "of what kind the namespaces named are cannot be told: the kernel, or the sandbox in its \
                                place, answers no ioctl_nsfs(2)";
                    NotShown::Nothing(line.to_owned())
                })?;
                choices.push(Choice::One(name));
            }
        }
    }
    let sockets_matter = choices.iter().any(|choice| match choice {
        Choice::Kinds(kinds) => kinds.has(Kind::Net),
        Choice::One(name @ (kind, _)) => {
            *kind == Kind::Net && scan.seen.get(*name).is_some_and(|one| !one.is_kept())
        }
    });
    if sockets_matter && listing.kinds.has(Kind::Net) {
        scan.look_behind_sockets();
    }
    scan.seen.spread_owners();
    let seen = &scan.seen;
    let chosen = chosen(seen, &choices, listing.kinds);
    if chosen.is_empty() {
        return Err(nothing(seen, listing.kinds));
    }
    let limits = bounds::limits(&sys::Proc::default(), Kinds::ALL);
    let ask = LiveProcesses::new(scan.proc.as_fd());
    let text = match listing.form {
        Form::Json => json::table(seen, &chosen, &limits, listing.processes, &ask),
        Form::JsonTree => {
            let trees = tree::trees(seen, &chosen);
            json::tree(seen, &trees, &limits, listing.processes, &ask)
        }
        Form::Table | Form::Tree => {
            let is_whole = asked.iter().all(|one| matches!(one, Asked::One(_)));
            let text = for_people(seen, &chosen, listing, &ask, &limits, is_whole);
            // Cells of raw lines are cut by whoever reads them.
            match sys::columns(sys::Stream::Output).filter(|_| !listing.raw) {
                Some(columns) => grid::cut(&text, columns),
                None => text,
            }
        }
    };
    let lack = scan.seen.lack();
    Ok(Shown { text, lack })
}

/// A table or trees, and what there is to know besides; `is_whole`: nothing more can be among the namespaces asked for.
fn for_people(
    seen: &Seen,
    chosen: &[&Namespace],
    listing: &Listing,
    ask: &LiveProcesses<'_>,
    limits: &[(Kind, u64)],
    is_whole: bool,
) -> String {
    let mut text = if listing.form == Form::Tree {
        let lines = Lines::of_locale(|name| sys::variable(name)?.to_str());
        tree::draw(seen, &tree::trees(seen, chosen), lines, listing, ask)
    } else {
        table::table(seen, chosen, listing, ask)
    };
    if listing.limits {
        text.push_str(&table::limits(seen, limits, chosen));
    }
    if listing.is_for_people() && (!is_whole || listing.processes) {
        text.push_str(&table::missing(seen));
    }
    text
}

/// Why no namespace is shown.
fn nothing(seen: &Seen, kinds: Kinds) -> NotShown {
    let line = if seen.all().is_empty() {
        "no namespace can be seen in /proc, not even our own".to_owned()
    } else {
        let which: Vec<&str> = kinds.iter().map(Kind::name).collect();
        format!(
            "none of the namespaces named is of these kinds: {}",
            which.join(", ")
        )
    };
    NotShown::Nothing(match seen.missing() {
        Some(why) => format!("{line} ({why})"),
        None => line,
    })
}

/// How many namespaces of each kind are seen that count against the limits of our user namespace.
///
/// # Errors
/// When /proc cannot be read.
pub(crate) fn in_use() -> sys::Result<Vec<(Kind, usize)>> {
    let mut scan = Scan::new()?;
    scan.ask_all();
    let count = |kind| (kind, scan.seen.in_use(kind));
    Ok(Kind::ALL.map(count).to_vec())
}

/// All namespaces that can be seen, of each kind that the kernel has, for comparison.
///
/// # Errors
/// When /proc cannot be read.
pub(crate) fn all() -> sys::Result<SortedMap<Kind, Known>> {
    let mut scan = Scan::new()?;
    scan.ask_all();
    scan.look_behind_sockets();
    let unknown = scan.seen.missing();
    let mut all = SortedMap::default();
    for kind in existing(&sys::Proc::default()).unwrap_or_default().iter() {
        let unknown = unknown.clone();
        let these = SortedSet::default();
        all.insert(kind, Known { these, unknown });
    }
    for namespace in scan.seen.all() {
        if let Some(known) = all.get_mut(&namespace.kind) {
            known.these.insert((scan.device, namespace.inode));
        }
    }
    Ok(all)
}
