//! nskit: `unshare`, `nsenter` and `setns` in one binary.
//!
//! The way through the program is argv → options → plan → run. An applet turns its options into a
//! [`plan::Plan`], which is data and prints; [`run`] does it, step after step, over [`sys`].

#![cfg_attr(not(test), no_main)]

mod applets;
mod cli;
mod plan;
#[cfg(test)]
mod sys;
