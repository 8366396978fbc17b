//! The applets: the options of each, and what they ask for.

pub(crate) mod nsenter;
pub(crate) mod setns;
pub(crate) mod unshare;
