//! The words of the field as values: kinds, references, ID maps, signals, numbers, and how they are read and written.
//!
//! All of it is pure: nothing here asks the machine.

mod applet;
pub(crate) mod binfmt;
pub(crate) mod clock;
pub(crate) mod idmap;
pub(crate) mod ids;
pub(crate) mod json;
pub(crate) mod kind;
pub(crate) mod listing;
mod nearest;
pub(crate) mod number;
pub(crate) mod quote;
pub(crate) mod reference;
pub(crate) mod signal;
pub(crate) mod sorted;
pub(crate) mod subid;
pub(crate) mod value;

pub(crate) use applet::AppletName;
#[cfg(test)]
pub(crate) use applet::worded;
pub(crate) use clock::Clock;
pub(crate) use idmap::IdMap;
pub(crate) use ids::Ids;
pub(crate) use kind::{Kind, Kinds};
pub(crate) use nearest::nearest;
pub(crate) use quote::Word;
pub(crate) use reference::{Reference, Wanted, Which};
pub(crate) use sorted::sorted;
