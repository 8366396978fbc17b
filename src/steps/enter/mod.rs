//! Entering namespaces: everything opened first, then entered, in an order that works.
//!
//! The hard thing: one setns(2) on a pidfd takes all kinds or none, a file takes one, and the user namespace
//! among them gives and takes the privilege for the others. See [`order`].

mod order;
pub(crate) mod resolve;

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::target::Target;
use super::{Do, State};
use crate::failure::{Entering, Failure, Result, Stage};
use crate::model::{Kind, Kinds, Wanted};
use crate::sys::{self, Sealed};
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

    const TELLS_ITSELF: bool = true;
}

/// Which file a descriptor is: device and inode.
pub(crate) type Identity = (u64, u64);

/// The identity of what a descriptor refers to.
pub(crate) fn identity(fd: BorrowedFd<'_>) -> sys::Result<Identity> {
    sys::stat_fd(fd).map(|stat| (stat.st_dev, stat.st_ino))
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
    let stage = Stage::Enter {
        kinds: Kinds::NONE,
        pid: None,
    };
    Failure::new(stage, "cannot set PR_SET_DUMPABLE to 0", error)
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
    result.map(|()| kinds).map_err(|error| Failure {
        subject: file.fd.try_clone().ok(),
        ..refused(kinds, pid, error)
    })
}

/// The classic line for namespaces that could not be entered.
fn refused(kinds: Kinds, pid: Option<i32>, error: sys::Error) -> Failure {
    let mut each = kinds.iter();
    let line = match (each.next(), each.next()) {
        (Some(kind), None) => format!("reassociate to namespace 'ns/{kind}' failed"),
        _ => "reassociate to namespaces failed".to_owned(),
    };
    Failure::new(Stage::Enter { kinds, pid }, line, error)
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

/// The kinds that this kernel has (proc_pid_ns(5)). Our own files say it: a target's are missing also when it has
/// ended.
fn existing(kinds: Kinds) -> Kinds {
    kinds
        .iter()
        .filter(|kind| {
            let missing = sys::stat(format!("/proc/self/ns/{kind}").as_ref())
                .is_err_and(|error| error.raw() == libc::ENOENT);
            !missing
        })
        .collect()
}

/// The kinds of a target to ask for once the kernel has refused all of them.
fn possible(target: &mut Target, kinds: Kinds, leave: Leave) -> Result<Kinds> {
    if leave == Leave::OursByName {
        return Ok(kinds);
    }
    let kinds = existing(kinds);
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
    let ours = Some(target.namespace_identity(kind)?) == own(kind);
    if kind == Kind::User {
        target.shares_user = Some(ours);
    }
    Ok(ours)
}

/// The identity of our own namespace of this kind; none where the kernel has no such kind.
fn own(kind: Kind) -> Option<Identity> {
    let stat = sys::stat(format!("/proc/self/ns/{kind}").as_ref()).ok()?;
    Some((stat.st_dev, stat.st_ino))
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
                        let is_own = identity(fd.as_fd()).ok() == own(kind);
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
        // CAP_SYS_ADMIN, capabilities(7).
        let privileged = sys::capabilities().is_ok_and(|held| held.effective & 1 << 21 != 0);
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
                result.map_err(|error| Failure {
                    subject: fd.try_clone().ok(),
                    ..refused(kinds, None, error)
                })?;
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
    let ours = sys::stat("/proc/self/ns/user".as_ref()).map(|stat| (stat.st_dev, stat.st_ino));
    let mut chain: Vec<(Identity, OwnedFd)> = Vec::new();
    let mut next = user.try_clone_to_owned().ok();
    while let Some(fd) = next {
        let Ok(identity) = identity(fd.as_fd()) else {
            break;
        };
        if ours == Ok(identity) {
            break;
        }
        // EPERM when the parent is above ours, hence not on the way.
        next = sys::parent_of(fd.as_fd()).ok();
        chain.push((identity, fd));
    }
    chain
}

/// Where the owner of a namespace stands, seen from the chain of [`ancestors`].
fn owner(file: &NsFd, chain: &[(Identity, OwnedFd)]) -> Standing {
    let mut owner = match sys::owner_of(file.fd.as_fd()) {
        Ok(owner) => owner,
        // Not ours, nor below ours: the owner lies outside.
        Err(error) if error.raw() == libc::EPERM => return Standing::Outside,
        Err(_) => return Standing::Unknown,
    };
    let position = |fd: &OwnedFd| {
        let identity = identity(fd.as_fd()).ok()?;
        chain.iter().position(|(member, _)| *member == identity)
    };
    match position(&owner) {
        Some(0) => return Standing::Within,
        Some(level) => return Standing::Above(level),
        None => {}
    }
    // Whoever has privilege in a user namespace has it in those below.
    while let Ok(parent) = sys::parent_of(owner.as_fd()) {
        match position(&parent) {
            Some(0) => return Standing::Within,
            Some(level) => return Standing::Above(level),
            None => owner = parent,
        }
    }
    Standing::Outside
}
