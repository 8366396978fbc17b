//! What the steps of a plan hand on to each other.

use std::os::fd::OwnedFd;

use super::open::Opened;
use super::outside::client::Client;
use super::target::Target;
use crate::failure::Result;
use crate::model::{Kind, Kinds};
use crate::sys::{OwnArgs, Sealed};

/// Where the steps so far have led, in the process that does them.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The process whose contexts are taken.
    pub(crate) target: Option<Target>,
    /// What was opened before anything changed.
    pub(crate) opened: Opened,
    /// The line to the process of ours that stayed outside.
    pub(crate) helper: Option<Client>,
    /// Where a mount namespace is to be bound on a file: the one that this will be done in.
    pub(crate) binding_from: Option<OwnedFd>,
    /// The kinds that were entered.
    pub(crate) entered: Kinds,
    /// The supplementary groups have been dropped before a user namespace was entered.
    pub(crate) groups_dropped: bool,
    /// The root directory has been changed.
    pub(crate) rerooted: bool,
    /// The program's environment, where it is not ours.
    pub(crate) environment: Option<OwnArgs>,
    /// Nobody whose namespaces we have entered can look into us.
    pub(crate) sealed: Option<Sealed>,
    /// IDs have changed, which undoes what a process has asked the kernel for itself.
    pub(crate) ids_changed: bool,
    /// Each step is told, with its result.
    pub(crate) verbose: bool,
}

impl State {
    /// Whether a user namespace was entered.
    pub(crate) fn in_new_user(&self) -> bool {
        self.entered.has(Kind::User)
    }

    /// Whether files are others than the caller's.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.rerooted || self.entered.has(Kind::Mnt)
    }

    /// Changes the root directory.
    pub(crate) fn change_root(
        &mut self,
        change: impl FnOnce(&mut Opened) -> Result<()>,
    ) -> Result<()> {
        self.rerooted = true;
        change(&mut self.opened)
    }
}
