//! New namespaces, all made in one call.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};

use super::{Do, State};
use crate::failure::{Failure, Result, Stage};
use crate::model::{Kind, Kinds};
use crate::sys::{self, For};

/// Make new namespaces of these kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unshare(pub(crate) Kinds);

impl fmt::Display for Unshare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unshare {}", self.0)
    }
}

impl Do for Unshare {
    fn run(&self, state: &mut State) -> Result<()> {
        let failed = |error| Failure::new(Stage::Unshare(self.0), "unshare failed", error);
        sys::unshare(self.0.flags()).map_err(failed)?;
        match state.binding_from.take() {
            Some(from) => make_bindable(from.as_fd()).map_err(failed),
            None => Ok(()),
        }
    }
}

/// Makes the mount namespace that we have just made one that can be bound on a file in `outer`.
///
/// The kernel takes such a bind only if the number of the namespace is above that of the one in which it is bound,
/// as otherwise the two could keep each other alive. Since Linux 6.18 each processor hands numbers out from a store
/// of its own, so a younger namespace need not have the higher number, unless it was made on the same processor.
/// So until it has, another one is made, on one processor after the other.
fn make_bindable(outer: BorrowedFd<'_>) -> sys::Result<()> {
    // Before Linux 6.11 there are no numbers to be asked for, and the order was that of age.
    let Ok(above) = sys::mount_namespace_id(outer) else {
        return Ok(());
    };
    let is_bindable = || {
        let own = sys::open("/proc/self/ns/mnt".as_ref(), For::Reading);
        own.and_then(|own| sys::mount_namespace_id(own.as_fd()))
            .map_or(true, |own| own > above)
    };
    if is_bindable() {
        return Ok(());
    }
    let allowed = sys::processors()?;
    let mut result = Ok(());
    for processor in 0..sys::processor_count() {
        // One that we may not use, or that is offline, is passed over.
        if sys::run_on(&sys::Processors::one(processor)).is_err() {
            continue;
        }
        result = sys::unshare(Kind::Mnt.flag());
        if result.is_err() || is_bindable() {
            break;
        }
    }
    sys::run_on(&allowed)?;
    result
}
