//! What a plan is made of, one file a step.

pub(crate) mod context;
pub(crate) mod credentials;
pub(crate) mod enter;
pub(crate) mod maps;
pub(crate) mod mounts;
mod order;
pub(crate) mod outside;
pub(crate) mod pidfile;
pub(crate) mod resolve;
pub(crate) mod target;
