//! Plans: what to do, in which order, as data that prints.

pub(crate) mod accounts;
pub(crate) mod binfmt;
pub(crate) mod clock;
pub(crate) mod idmap;
pub(crate) mod mountinfo;
pub(crate) mod number;
pub(crate) mod procfs;
pub(crate) mod signal;
pub(crate) mod subid;
pub(crate) mod value;
