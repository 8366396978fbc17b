//! Users, groups and capabilities of the program.

use crate::failure::{Failure, Result, Stage};
use crate::plan::{GroupList, NewId};
use crate::steps::context::Context;
use crate::sys;

/// Becomes this user and group for good, without other groups: the owner of the user namespace to come.
pub(crate) fn become_owner(uid: u32, gid: u32) -> Result<()> {
    let failed = |call: &str, error| Failure::new(Stage::Become, format!("{call} failed"), error);
    sys::set_groups(&[]).map_err(|error| failed("setgroups", error))?;
    sys::set_gid(gid).map_err(|error| failed("setgid()", error))?;
    sys::set_uid(uid).map_err(|error| failed("setuid()", error))?;
    // The maps to come are written through them.
    sys::take_proc_files_back().map_err(|error| failed("prctl", error))
}

/// Takes supplementary groups.
///
/// `dropped`: they have been dropped before; `in_new_user`: a user namespace was entered.
pub(crate) fn set_groups(
    list: &GroupList,
    context: &Context,
    dropped: bool,
    in_new_user: bool,
) -> Result<()> {
    let groups = match list {
        GroupList::Dropped | GroupList::DroppedIfUserEntered if dropped => return Ok(()),
        GroupList::DroppedIfUserEntered if !in_new_user => return Ok(()),
        GroupList::Dropped | GroupList::DroppedIfUserEntered => &[],
        GroupList::These(groups) => groups.as_slice(),
        GroupList::Follow => &context.credentials()?.groups,
    };
    sys::set_groups(groups).map_err(|error| Failure::new(Stage::Groups, "setgroups failed", error))
}

/// Takes a group.
pub(crate) fn set_gid(gid: NewId, context: &Context, in_new_user: bool) -> Result<()> {
    let gid = match gid {
        NewId::These(gid) => gid,
        NewId::Follow => context.credentials()?.gid()?,
        NewId::RootIfUserEntered if in_new_user => 0,
        NewId::RootIfUserEntered => return Ok(()),
    };
    sys::set_gid(gid).map_err(|error| Failure::new(Stage::Gid(gid), "setgid() failed", error))
}

/// Takes a user.
pub(crate) fn set_uid(uid: NewId, context: &Context, in_new_user: bool) -> Result<()> {
    let uid = match uid {
        NewId::These(uid) => uid,
        NewId::Follow => context.credentials()?.uid()?,
        NewId::RootIfUserEntered if in_new_user => 0,
        NewId::RootIfUserEntered => return Ok(()),
    };
    sys::set_uid(uid).map_err(|error| Failure::new(Stage::Uid(uid), "setuid() failed", error))
}

/// Keeps the permitted capabilities while the user ID changes (capabilities(7), `SECBIT_KEEP_CAPS`).
pub(crate) fn hold_capabilities() -> Result<()> {
    sys::keep_capabilities_across_setuid(true).map_err(failed)
}

/// Makes the permitted capabilities inheritable and ambient, so that the program gets them (capabilities(7)).
pub(crate) fn keep_capabilities() -> Result<()> {
    let mut held = sys::capabilities().map_err(failed)?;
    held.effective = held.permitted;
    held.inheritable = held.permitted;
    sys::set_capabilities(held).map_err(failed)?;
    for capability in (0..u64::BITS).filter(|bit| held.permitted & 1 << bit != 0) {
        sys::raise_ambient(capability).map_err(failed)?;
    }
    Ok(())
}

fn failed(error: sys::Error) -> Failure {
    Failure::new(Stage::Capabilities, "cannot keep the capabilities", error)
}
