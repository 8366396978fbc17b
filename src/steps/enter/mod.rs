//! Entering namespaces: everything opened first, then entered, in an order that works.
//!
//! The hard thing: one setns(2) on a pidfd takes all kinds or none, a file takes one, and the user namespace
//! among them gives and takes the privilege for the others. See [`order`].

pub(crate) mod causes;
mod order;
pub(crate) mod resolve;

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use libc::EINVAL;

use super::ahead::{Ahead, Entering, refusal, root_of};
use super::target::Target;
use super::{Do, State};
use crate::failure::{Failure, Result, Unexplained};
use crate::host::capability::Capability;
use crate::host::facts::Facts;
use crate::host::kinds::existing;
use crate::host::namespace::{self, Identity, NamespaceFacts, Relation, identity, own, upwards};
use crate::model::{Kind, Kinds, Wanted};
use crate::sys::{self, Proc, Sealed};
use causes::Setns;
use order::{Call, Standing, order};

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
        let mut tell = |what: &str, result: &sys::Result<()>| {
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

/// A namespace of a known kind, open. Made by opening, used up by entering.
#[derive(Debug)]
pub(crate) struct NsFd {
    /// Its kind, as it was asked for.
    pub(crate) kind: Kind,
    /// Its nsfs file.
    pub(crate) fd: OwnedFd,
}

/// What is to be entered, all of it open.
#[derive(Debug)]
pub(crate) enum ToEnter {
    /// Namespaces of a process, by its pidfd.
    Process {
        /// The process.
        target: Target,
        /// The kinds.
        kinds: Kinds,
        /// How much leave there is to leave some out.
        leave: Leave,
    },
    /// One namespace.
    File(NsFd),
}

impl ToEnter {
    /// As causes need to know it.
    pub(crate) fn seen(&self) -> Entering {
        match self {
            ToEnter::Process {
                target,
                kinds,
                leave,
            } => Entering {
                kinds: *kinds,
                pid: Some(target.pid()),
                file: None,
                leaves_ours: *leave == Leave::OursOfAll,
            },
            ToEnter::File(file) => Entering {
                kinds: Kinds::NONE.with(file.kind),
                pid: None,
                file: file.fd.try_clone().ok(),
                leaves_ours: false,
            },
        }
    }
}

/// Which of a process's namespaces need not be entered, when they cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Those that are ours already; not a mount namespace, whose entering resets root and directory.
    OursByName,
    /// Those that are ours already, and kinds that this kernel does not have.
    OursOfAll,
}

/// What is told of each setns(2): the descriptor's meaning, and its outcome.
pub(crate) type Tell<'a> = &'a mut dyn FnMut(&str, &sys::Result<()>);

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

fn enter_file(sealed: &Sealed, file: &NsFd, pid: Option<i32>, tell: Tell<'_>) -> Result<Kinds> {
    let result = sealed.setns(file.fd.as_fd(), file.kind.flag());
    tell(file.kind.name(), &result);
    let kinds = Kinds::NONE.with(file.kind);
    result
        .map(|()| kinds)
        .map_err(|error| refused_file(kinds, pid, Some(&file.fd), error))
}

/// The classic line for namespaces of a process that could not be entered.
fn refused(kinds: Kinds, pid: Option<i32>, error: sys::Error) -> Failure {
    refused_file(kinds, pid, None, error)
}

/// The classic line for namespaces that could not be entered, or one by its file.
fn refused_file(
    kinds: Kinds,
    pid: Option<i32>,
    file: Option<&OwnedFd>,
    error: sys::Error,
) -> Failure {
    let mut each = kinds.iter();
    let line = match (each.next(), each.next()) {
        (Some(kind), None) => format!("reassociate to namespace 'ns/{kind}' failed"),
        _ => "reassociate to namespaces failed".to_owned(),
    };
    let file = file.and_then(|fd| fd.try_clone().ok());
    Failure::new(Setns::Into { kinds, pid, file }, line, error)
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
    let Some(error) = refusal else {
        return Ok(kinds);
    };
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

/// The answers of a setns(2) that does not take pidfds (before Linux 5.8), or does not take this one: our own user
/// namespace is among the kinds, or one that this kernel does not have.
fn is_misunderstood(error: sys::Error) -> bool {
    matches!(error.raw(), libc::EINVAL | libc::EBADF | libc::ENOSYS)
}

/// One setns(2) on the pidfd; the error, if it was refused.
fn attempt(sealed: &Sealed, target: &Target, kinds: Kinds, tell: Tell<'_>) -> Option<sys::Error> {
    let result = match target.pidfd() {
        Some(pidfd) => sealed.setns(pidfd, kinds.flags()),
        None => Err(sys::Error::from_raw(libc::ENOSYS)),
    };
    tell(&format!("{kinds} of process {}", target.pid()), &result);
    result.err()
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

/// The kinds of a target to ask for once the kernel has refused all of them.
fn possible(target: &mut Target, kinds: Kinds, leave: Leave) -> Result<Kinds> {
    if leave == Leave::OursByName {
        return Ok(kinds);
    }
    // Our own files say it: a target's are missing also when it has ended.
    let kinds = match existing(&Proc::default()) {
        Some(existing) => kinds.iter().filter(|kind| existing.has(*kind)).collect(),
        None => kinds,
    };
    Ok(if kinds.has(Kind::User) && is_ours(target, Kind::User)? {
        kinds.without(Kind::User)
    } else {
        kinds
    })
}

/// Whether we are in the target's namespace of this kind already.
pub(crate) fn is_ours(target: &mut Target, kind: Kind) -> Result<bool> {
    if let (Kind::User, Some(known)) = (kind, target.shares_user) {
        return Ok(known);
    }
    let ours = Some(target.namespace_identity(kind)?) == own(&Proc::default(), kind);
    if kind == Kind::User {
        target.shares_user = Some(ours);
    }
    Ok(ours)
}

/// Whether this kind of a target need not be entered where it is ours already.
fn may_be_left(kind: Kind, leave: Leave) -> bool {
    kind != Kind::Mnt || leave == Leave::OursOfAll
}

/// The kinds in which the target differs from us, and what must be entered all the same.
pub(crate) fn different(target: &mut Target, kinds: Kinds, leave: Leave) -> Result<Kinds> {
    let mut needed = Kinds::NONE;
    for kind in kinds.iter() {
        if !may_be_left(kind, leave) || !is_ours(target, kind)? {
            needed = needed.with(kind);
        }
    }
    target.check_alive()?;
    Ok(needed)
}

/// A namespace among others, each entered by its file.
struct Item {
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
    items: Vec<Item>,
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
        let user = files
            .iter()
            .position(|(file, ..)| file.kind == Kind::User)
            .map(|at| files.remove(at).0);
        // The same one may have been named twice.
        files.retain(|(file, ..)| file.kind != Kind::User);
        let is_user = user.is_some();
        let ancestors = user
            .as_ref()
            .map(|user| ancestors(user.fd.as_fd()))
            .unwrap_or_default();
        let items = files
            .into_iter()
            .map(|(file, pid, spare)| Item {
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
        let item = &self.items[index];
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
fn enter_mixture(sealed: &Sealed, opened: Vec<ToEnter>, tell: Tell<'_>) -> Result<Kinds> {
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
                    0 => tell(Kind::User.name(), &result),
                    _ => tell(&format!("user, {level} above the one wanted"), &result),
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
