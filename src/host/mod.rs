//! What a plan must know of the machine and of this process.

pub(crate) mod accounts;
pub(crate) mod bounds;
pub(crate) mod capability;
pub(crate) mod clock;
pub(crate) mod executable;
pub(crate) mod facts;
pub(crate) mod format;
pub(crate) mod ids;
pub(crate) mod kinds;
mod machine;
pub(crate) mod map_program;
pub(crate) mod mountinfo;
pub(crate) mod namespace;
pub(crate) mod place;
pub(crate) mod procfs;
pub(crate) mod recorded;
pub(crate) mod surroundings;
pub(crate) mod target;

use std::ffi::OsStr;
use std::ops::RangeInclusive;

pub(crate) use machine::{Machine, shell_of};

use crate::model::idmap::IdMap;
use crate::model::kind::Kinds;
use crate::model::subid::SubIds;
use crate::model::{Clock, Ids};

/// Read-only facts. The real ones are asked from the kernel and read from files, each when a plan first needs
/// it; tests bring their own.
///
/// Errors are sentences that follow the option's name.
pub(crate) trait Host {
    /// Our effective user or group ID.
    fn effective(&self, ids: Ids) -> u32;
    /// Whether we hold the capability to write maps of many IDs (CAP_SETUID, CAP_SETGID).
    fn may_map(&self, ids: Ids) -> bool;
    /// The ID of the user or group with this name.
    fn lookup(&self, ids: Ids, name: &OsStr) -> Result<u32, String>;
    /// Our first range of subordinate IDs.
    fn subids(&self, ids: Ids) -> Result<SubIds, String>;
    /// The map of our own user namespace.
    fn own_map(&self, ids: Ids) -> Result<IdMap, String>;
    /// The size of a page, in bytes, which limits a map.
    fn page_size(&self) -> usize;
    /// The kinds of namespaces that this kernel has.
    fn kinds(&self) -> Kinds;
    /// The offsets, in seconds, that the kernel takes for this clock now.
    fn offset_range(&self, clock: Clock) -> RangeInclusive<i64>;
    /// Whether a program that we execute enters a time namespace that we have made; before about Linux 6.2 only children do.
    fn execution_enters_time(&self) -> bool;
    /// Whether `ip netns` has a network namespace of this name.
    fn has_netns(&self, name: &OsStr) -> bool;
    /// Whether standard error is a terminal.
    fn at_terminal(&self) -> bool;
}
