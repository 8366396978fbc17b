//! Entering namespaces: everything opened first, then entered, in an order that works.
//!
//! The hard thing: one setns(2) on a pidfd takes all kinds or none, a file takes one, and the user namespace
//! among them gives and takes the privilege for the others. See [`order`].

mod call;
pub(crate) mod causes;
mod mixture;
mod order;
mod recorded;
pub(crate) mod resolve;

use std::fmt;

use libc::EINVAL;

use super::ahead::{Ahead, Entering, refusal, root_of};
use super::target::Target;
use super::{Do, State};
use crate::failure::{Failure, Result, Unexplained};
use crate::host::facts::Facts;
use crate::host::namespace::{self, NamespaceFacts, Relation};
use crate::model::{Kind, Kinds, Wanted};
use crate::sys::{self, Proc, Sealed};
pub(crate) use call::{Leave, NsFd, ToEnter, different, is_ours};
use call::{Tell, attempt, enter_file, is_misunderstood, possible, refused};
use causes::Setns;
use mixture::enter_mixture;

/// Which namespaces to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enter {
    /// Each, as it was named.
    pub(crate) wanted: Vec<Wanted>,
    /// Take them in the order named, and not in a computed one.
    pub(crate) in_order: bool,
    /// Enter the parent of the user namespace this many levels up.
    pub(crate) user_parent: u32,
}

impl fmt::Display for Enter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("enter")?;
        for (index, wanted) in self.wanted.iter().enumerate() {
            write!(f, "{}{wanted}", if index == 0 { " " } else { "; " })?;
        }
        for _ in 0..self.user_parent {
            f.write_str(", of the user namespace its parent")?;
        }
        if self.in_order {
            f.write_str(", in this order")
        } else {
            Ok(())
        }
    }
}

impl Do for Enter {
    fn run(&self, state: &mut State) -> Result<()> {
        let to_enter = resolve::open(self, state.target.take())?;
        let verbose = state.verbose;
        let mut tell = |what: fmt::Arguments<'_>, result: &sys::Result<()>| {
            if verbose {
                super::say(&format!("setns({what})"), result.as_ref().err());
            }
        };
        let sealed = match state.sealed.take() {
            Some(sealed) => sealed,
            None => Sealed::new().map_err(not_sealed)?,
        };
        let sealed = state.sealed.insert(sealed);
        let entered = enter(sealed, to_enter, self.in_order, &mut tell)?;
        state.entered = state.entered.union(entered);
        let in_new_user = state.in_new_user();
        state.opened.read_credentials(in_new_user)
    }

    /// What the dry run has opened says more than we do.
    fn predict<'a>(&'a self, _: &str, ahead: &mut Ahead<'a>) {
        let entering = ahead.entering;
        let seen: Vec<_> = entering.iter().map(seen).collect();
        // A user namespace brings the privilege along for what belongs to it.
        let enters_user = seen
            .iter()
            .flatten()
            .any(|one| one.asked == Kind::User && one.is_ours != Some(true));
        for (one, namespaces) in entering.iter().zip(seen) {
            predict_one(one, &namespaces, enters_user, ahead);
        }
        let all = entering
            .iter()
            .fold(Kinds::NONE, |all, one| all.union(one.kinds));
        ahead.entered = if enters_user {
            all
        } else {
            all.without(Kind::User)
        };
        let of = |kind| entering.iter().filter(move |one| one.kinds.has(kind));
        ahead.into = of(Kind::User)
            .find_map(|one| one.pid)
            .filter(|_| enters_user);
        if all.has(Kind::Mnt) {
            let root = of(Kind::Mnt).find_map(|one| one.pid).and_then(root_of);
            ahead.has_root(root.as_deref());
            ahead.moved = true;
        }
    }

    const TELLS_ITSELF: bool = true;
}

/// Tells if one of what is entered would be refused.
fn predict_one(
    one: &Entering,
    namespaces: &[NamespaceFacts],
    enters_user: bool,
    ahead: &mut Ahead<'_>,
) {
    let setns = Setns::Into {
        kinds: one.kinds,
        pid: one.pid,
        file: None,
    };
    let refusal = refusal(Facts::new(&Proc::default()).setns_probe(one.kinds));
    for errno in [EINVAL, refusal] {
        let is_privilege = errno != EINVAL;
        let is_left_out = |namespace: &NamespaceFacts| {
            namespace.is_ours == Some(true) && (one.leaves_ours || is_privilege)
        };
        let is_brought = |namespace: &NamespaceFacts| {
            is_privilege
                && enters_user
                && namespace.asked != Kind::User
                && namespace.owner != Some(Relation::Outside)
        };
        let mut namespaces = namespaces.to_vec();
        namespaces.retain(|one| !is_left_out(one) && !is_brought(one));
        let line = format!("enter {}", one.kinds);
        if ahead.tell(&line, &setns, errno, |facts| {
            facts.namespaces = Some(namespaces).into();
        }) {
            break;
        }
    }
}

/// What can be seen of namespaces that are entered.
fn seen(entering: &Entering) -> Vec<NamespaceFacts> {
    let (pid, file) = (entering.pid, entering.file.as_ref());
    namespace::look_at(&Proc::default(), entering.kinds, pid, file)
}

/// That we could not be sealed off from those whose namespaces are to be entered.
pub(crate) fn not_sealed(error: sys::Error) -> Failure {
    Failure::new(
        Unexplained("setns"),
        "cannot set PR_SET_DUMPABLE to 0",
        error,
    )
}

/// Enters all of it. Gives the kinds that were entered.
pub(crate) fn enter(
    sealed: &Sealed,
    opened: Vec<ToEnter>,
    in_order: bool,
    tell: Tell<'_>,
) -> Result<Kinds> {
    let user = opened.iter().any(|one| match one {
        ToEnter::Process { kinds, .. } => kinds.has(Kind::User),
        ToEnter::File(file) => file.kind == Kind::User,
    });
    if user && !in_order && opened.len() > 1 {
        return enter_mixture(sealed, opened, tell);
    }
    // Without a user namespace nothing that is entered changes what may be entered.
    let mut entered = Kinds::NONE;
    for one in opened {
        entered = entered.union(match one {
            ToEnter::Process {
                target,
                kinds,
                leave,
            } => enter_process(sealed, target, kinds, leave, tell)?,
            ToEnter::File(file) => enter_file(sealed, &file, None, tell)?,
        });
    }
    Ok(entered)
}

/// Enters namespaces of one process, with as few calls as the kernel allows.
fn enter_process(
    sealed: &Sealed,
    mut target: Target,
    kinds: Kinds,
    leave: Leave,
    tell: Tell<'_>,
) -> Result<Kinds> {
    let mut kinds = kinds;
    if kinds.is_empty() {
        return Ok(kinds);
    }
    // The kernel refuses to enter our own user namespace again; to be told so would cost as much as the rest.
    if leave == Leave::OursOfAll
        && kinds.has(Kind::User)
        && is_ours(&mut target, Kind::User).unwrap_or(false)
    {
        kinds = kinds.without(Kind::User);
    }
    let mut refusal = attempt(sealed, &target, kinds, tell);
    if refusal.is_some_and(is_misunderstood) {
        let fewer = possible(&mut target, kinds, leave)?;
        if fewer.is_empty() {
            return Ok(fewer);
        }
        if fewer != kinds {
            kinds = fewer;
            refusal = attempt(sealed, &target, kinds, tell);
        }
    }
    match refusal {
        None => Ok(kinds),
        Some(error) => after_refusal(sealed, target, kinds, leave, error, tell),
    }
}

/// Enters them in another way than all at once, if there is one, or says why they cannot be entered.
#[cold]
fn after_refusal(
    sealed: &Sealed,
    mut target: Target,
    kinds: Kinds,
    leave: Leave,
    error: sys::Error,
    tell: Tell<'_>,
) -> Result<Kinds> {
    let pid = Some(target.pid());
    if is_misunderstood(error) {
        if kinds.has(Kind::User) && is_ours(&mut target, Kind::User)? {
            return Err(refused(kinds, pid, sys::Error::from_raw(libc::EINVAL)));
        }
        let process = ToEnter::Process {
            target,
            kinds,
            leave,
        };
        return enter_mixture(sealed, vec![process], tell);
    }
    if error.raw() != libc::EPERM {
        return Err(refused(kinds, pid, error));
    }
    // Giving privilege up takes the other order: the user namespace last.
    if user_last(sealed, &target, kinds, tell)? {
        return Ok(kinds);
    }
    let needed = different(&mut target, kinds, leave).unwrap_or(kinds);
    if needed == kinds {
        return Err(refused(kinds, pid, error));
    }
    if needed.is_empty() {
        return Ok(needed);
    }
    match attempt(sealed, &target, needed, tell) {
        None => Ok(needed),
        Some(_) if user_last(sealed, &target, needed, tell)? => Ok(needed),
        Some(error) => Err(refused(needed, pid, error)),
    }
}

/// Everything but the user namespace, then that. False when the first of the two is refused.
fn user_last(sealed: &Sealed, target: &Target, kinds: Kinds, tell: Tell<'_>) -> Result<bool> {
    let others = kinds.without(Kind::User);
    if others == kinds || others.is_empty() || attempt(sealed, target, others, tell).is_some() {
        return Ok(false);
    }
    let user = Kinds::NONE.with(Kind::User);
    match attempt(sealed, target, user, tell) {
        None => Ok(true),
        Some(error) => Err(refused(user, Some(target.pid()), error)),
    }
}
