//! The helper outside: a process of ours that stays in the namespaces that we came from.

pub(crate) mod client;
mod server;
mod wire;
