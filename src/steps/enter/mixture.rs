//! Namespaces of different origin, each entered by its file, in an order that works (see [`order`]).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::call::{NsFd, Tell, ToEnter, enter_file, may_be_left, possible, refused_file};
use super::order::{Call, Standing, order};
use crate::failure::{Failure, Result};
use crate::host::capability::Capability;
use crate::host::namespace::{Identity, identity, own, upwards};
use crate::model::{Kind, Kinds};
use crate::sys::{self, Proc, Sealed};

/// A namespace among others, each entered by its file.
struct Member {
    file: NsFd,
    owner: Standing,
    /// The process that it is of, if it was not named by itself.
    pid: Option<i32>,
    /// It is where we are already, and may be left out when it is refused.
    spare: bool,
}

/// Namespaces of different origin, each by its file.
struct Mixture {
    /// All but the user namespace.
    items: Vec<Member>,
    /// A user namespace is among them.
    user: bool,
    /// The user namespace and those above it that lie below ours, innermost first.
    ancestors: Vec<(Identity, OwnedFd)>,
    /// The user namespace where it is ours, which the kernel will refuse.
    ours: Option<OwnedFd>,
}

impl Mixture {
    fn of(opened: Vec<ToEnter>) -> Result<Mixture> {
        let mut files = Vec::new();
        for one in opened {
            match one {
                ToEnter::File(file) => files.push((file, None, false)),
                ToEnter::Process {
                    mut target,
                    kinds,
                    leave,
                } => {
                    let pid = Some(target.pid());
                    for kind in possible(&mut target, kinds, leave)?.iter() {
                        let fd = target.open_namespace(kind)?;
                        let is_own = identity(fd.as_fd()).ok() == own(&Proc::default(), kind);
                        let spare = is_own && may_be_left(kind, leave);
                        files.push((NsFd { kind, fd }, pid, spare));
                    }
                    target.check_alive()?;
                }
            }
        }
        // The same user namespace may have been named twice.
        let (users, files): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|(file, ..)| file.kind == Kind::User);
        let user = users.into_iter().next().map(|(file, ..)| file);
        let is_user = user.is_some();
        let ancestors = user
            .as_ref()
            .map(|user| ancestors(user.fd.as_fd()))
            .unwrap_or_default();
        let items = files
            .into_iter()
            .map(|(file, pid, spare)| Member {
                owner: owner(&file, &ancestors),
                file,
                pid,
                spare,
            })
            .collect();
        let ours = user.filter(|_| ancestors.is_empty()).map(|user| user.fd);
        Ok(Mixture {
            items,
            user: is_user,
            ancestors,
            ours,
        })
    }

    fn calls(&self) -> Vec<Call> {
        let privileged = Capability::SysAdmin.is_held();
        let facts: Vec<_> = self
            .items
            .iter()
            .map(|item| (item.file.kind, item.owner))
            .collect();
        order(&facts, self.user, privileged)
    }

    /// Enters one of them; gives nothing when it was left out.
    fn enter(&self, sealed: &Sealed, index: usize, tell: Tell<'_>) -> Result<Kinds> {
        // An index is one of ours.
        let Some(item) = self.items.get(index) else {
            return Ok(Kinds::NONE);
        };
        match enter_file(sealed, &item.file, item.pid, tell) {
            Err(failure) if item.spare && is_denial(&failure) => Ok(Kinds::NONE),
            result => result,
        }
    }
}

fn is_denial(failure: &Failure) -> bool {
    failure
        .error
        .is_some_and(|error| error.raw() == libc::EPERM)
}

/// Enters namespaces of different origin, each by its file.
pub(super) fn enter_mixture(
    sealed: &Sealed,
    opened: Vec<ToEnter>,
    tell: Tell<'_>,
) -> Result<Kinds> {
    let mixture = Mixture::of(opened)?;
    let mut entered = Kinds::NONE;
    let mut put_off = Vec::new();
    for call in mixture.calls() {
        match call {
            Call::Item(index) => entered = entered.union(mixture.enter(sealed, index, tell)?),
            Call::Try(index) => match mixture.enter(sealed, index, tell) {
                Ok(kinds) => entered = entered.union(kinds),
                Err(failure) if is_denial(&failure) => put_off.push(index),
                Err(failure) => return Err(failure),
            },
            Call::User(level) => {
                let kinds = Kinds::NONE.with(Kind::User);
                let above = mixture.ancestors.get(level).map(|(_, fd)| fd);
                let Some(fd) = above.or(mixture.ours.as_ref()) else {
                    continue;
                };
                let result = sealed.setns(fd.as_fd(), Kind::User.flag());
                match level {
                    0 => tell(format_args!("{}", Kind::User), &result),
                    _ => tell(format_args!("user, {level} above the one wanted"), &result),
                }
                result.map_err(|error| refused_file(kinds, None, Some(fd), error))?;
                entered = entered.union(kinds);
            }
        }
    }
    for index in put_off {
        entered = entered.union(mixture.enter(sealed, index, tell)?);
    }
    Ok(entered)
}

/// A user namespace and those above it that lie below ours, innermost first.
fn ancestors(user: BorrowedFd<'_>) -> Vec<(Identity, OwnedFd)> {
    let ours = own(&Proc::default(), Kind::User);
    upwards(user)
        .map_while(|fd| {
            let fd = fd.ok()?;
            let identity = identity(fd.as_fd()).ok()?;
            (ours != Some(identity)).then_some((identity, fd))
        })
        .collect()
}

/// Where the owner of a namespace stands, seen from the chain of [`ancestors`].
fn owner(file: &NsFd, chain: &[(Identity, OwnedFd)]) -> Standing {
    let owner = match sys::owner_of(file.fd.as_fd()) {
        Ok(owner) => owner,
        // Not ours, nor below ours: the owner lies outside.
        Err(error) if error.raw() == libc::EPERM => return Standing::Outside,
        Err(_) => return Standing::Unknown,
    };
    let position = |fd: &OwnedFd| {
        let identity = identity(fd.as_fd()).ok()?;
        chain.iter().position(|(member, _)| *member == identity)
    };
    // Whoever has privilege in a user namespace has it in those below.
    match upwards(owner.as_fd())
        .map_while(sys::Result::ok)
        .find_map(|fd| position(&fd))
    {
        Some(0) => Standing::Within,
        Some(level) => Standing::Above(level),
        None => Standing::Outside,
    }
}
