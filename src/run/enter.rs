//! Entering namespaces: everything opened first, then entered, in an order that works.
//!
//! The hard thing: one setns(2) on a pidfd takes all kinds or none, a file takes one, and the user namespace
//! among them gives and takes the privilege for the others. See [`super::order`].

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::order::{Call, Owner, order};
use super::target::Target;
use crate::failure::{Entering, Failure, Result, Stage};
use crate::plan::{Kind, Kinds};
use crate::sys;

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
pub(crate) enum Opened {
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

impl Opened {
    /// As causes need to know it.
    pub(crate) fn seen(&self) -> Entering {
        match self {
            Opened::Process {
                target,
                kinds,
                leave,
            } => Entering {
                kinds: *kinds,
                pid: Some(target.pid()),
                file: None,
                leaves_ours: *leave == Leave::OursOfAll,
            },
            Opened::File(file) => Entering {
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

/// Enters all of it. Gives the kinds that were entered.
pub(crate) fn enter(mut opened: Vec<Opened>, in_order: bool, tell: Tell<'_>) -> Result<Kinds> {
    if in_order {
        let mut entered = Kinds::NONE;
        for one in opened {
            entered = entered.and(match one {
                Opened::Process {
                    mut target,
                    kinds,
                    leave,
                } => enter_process(&mut target, kinds, leave, tell)?,
                Opened::File(file) => enter_file(&file, None, tell)?,
            });
        }
        return Ok(entered);
    }
    if let [
        Opened::Process {
            target,
            kinds,
            leave,
        },
    ] = opened.as_mut_slice()
    {
        return enter_process(target, *kinds, *leave, tell);
    }
    if let [Opened::File(file)] = opened.as_slice() {
        return enter_file(file, None, tell);
    }
    let user = opened.iter().any(|one| match one {
        Opened::Process { kinds, .. } => kinds.has(Kind::User),
        Opened::File(file) => file.kind == Kind::User,
    });
    if user {
        return enter_mixture(opened, tell);
    }
    // Without a user namespace nothing that is entered changes what may be entered.
    let mut entered = Kinds::NONE;
    for one in &mut opened {
        entered = entered.and(match one {
            Opened::Process {
                target,
                kinds,
                leave,
            } => enter_process(target, *kinds, *leave, tell)?,
            Opened::File(file) => enter_file(file, None, tell)?,
        });
    }
    Ok(entered)
}

fn enter_file(file: &NsFd, pid: Option<i32>, tell: Tell<'_>) -> Result<Kinds> {
    let result = sys::setns(file.fd.as_fd(), file.kind.flag());
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
fn enter_process(target: &mut Target, kinds: Kinds, leave: Leave, tell: Tell<'_>) -> Result<Kinds> {
    if kinds.is_empty() {
        return Ok(kinds);
    }
    let Some(error) = attempt(target, kinds, tell) else {
        return Ok(kinds);
    };
    let pid = Some(target.pid());
    let mut fewer = kinds;
    match error.raw() {
        // A pidfd that setns does not take (before Linux 5.8), or our own user namespace among them, or a
        // kind that the kernel does not have.
        libc::EINVAL | libc::EBADF | libc::ENOSYS => {
            if leave == Leave::OursOfAll {
                fewer = existing(target, kinds)?;
                if fewer.has(Kind::User) && is_ours(target, Kind::User)? {
                    fewer = fewer.without(Kind::User);
                }
            } else if kinds.has(Kind::User) && is_ours(target, Kind::User)? {
                return Err(refused(kinds, pid, sys::Error::from_raw(libc::EINVAL)));
            }
            if fewer.is_empty() {
                return Ok(fewer);
            }
            let error = if fewer == kinds {
                Some(error)
            } else {
                attempt(target, fewer, tell)
            };
            match error {
                None => return Ok(fewer),
                Some(error) if error.raw() == libc::EPERM => {}
                Some(error) if matches!(error.raw(), libc::EINVAL | libc::EBADF | libc::ENOSYS) => {
                    return by_files(target, fewer, leave, tell);
                }
                Some(error) => return Err(refused(fewer, pid, error)),
            }
        }
        libc::EPERM => {}
        _ => return Err(refused(kinds, pid, error)),
    }
    // Refused. Giving privilege up takes the other order: the user namespace last.
    if let Some(entered) = user_last(target, fewer, tell)? {
        return Ok(entered);
    }
    let needed = different(target, fewer, leave).unwrap_or(fewer);
    if needed == fewer {
        return Err(refused(fewer, pid, sys::Error::from_raw(libc::EPERM)));
    }
    if needed.is_empty() {
        return Ok(needed);
    }
    match attempt(target, needed, tell) {
        None => Ok(needed),
        Some(error) => match user_last(target, needed, tell)? {
            Some(entered) => Ok(entered),
            None => Err(refused(needed, pid, error)),
        },
    }
}

/// One setns(2) on the pidfd; the error, if it was refused.
fn attempt(target: &Target, kinds: Kinds, tell: Tell<'_>) -> Option<sys::Error> {
    let result = match target.pidfd() {
        Some(pidfd) => sys::setns(pidfd, kinds.flags()),
        None => Err(sys::Error::from_raw(libc::ENOSYS)),
    };
    tell(&format!("{kinds} of process {}", target.pid()), &result);
    result.err()
}

/// Everything but the user namespace, then that. None when the first of the two is refused.
fn user_last(target: &Target, kinds: Kinds, tell: Tell<'_>) -> Result<Option<Kinds>> {
    let others = kinds.without(Kind::User);
    if others == kinds || others.is_empty() || attempt(target, others, tell).is_some() {
        return Ok(None);
    }
    let user = Kinds::NONE.with(Kind::User);
    match attempt(target, user, tell) {
        None => Ok(Some(kinds)),
        Some(error) => Err(refused(user, Some(target.pid()), error)),
    }
}

/// The kinds that the kernel has, judged by the target's files.
fn existing(target: &mut Target, kinds: Kinds) -> Result<Kinds> {
    let directory = target.directory()?;
    Ok(kinds
        .iter()
        .filter(
            |kind| match sys::stat_at(directory, format!("ns/{kind}").as_ref()) {
                Err(error) => error.raw() != libc::ENOENT,
                Ok(_) => true,
            },
        )
        .collect())
}

/// Whether we are in the target's namespace of this kind already.
pub(crate) fn is_ours(target: &mut Target, kind: Kind) -> Result<bool> {
    let pid = target.pid();
    let directory = target.directory()?;
    let file = format!("ns/{kind}");
    let theirs = sys::stat_at(directory, file.as_ref())
        .map_err(|error| Failure::open(format!("/proc/{pid}/{file}"), error))?;
    let own = format!("/proc/self/{file}");
    let ours = sys::stat(own.as_ref()).map_err(|error| Failure::open(own, error))?;
    Ok((theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino))
}

/// The kinds in which the target differs from us, and what must be entered all the same.
pub(crate) fn different(target: &mut Target, kinds: Kinds, leave: Leave) -> Result<Kinds> {
    let mut needed = Kinds::NONE;
    for kind in kinds.iter() {
        let by_name = kind == Kind::Mnt && leave == Leave::OursByName;
        if by_name || !is_ours(target, kind)? {
            needed = needed.with(kind);
        }
    }
    target.check_alive()?;
    Ok(needed)
}

/// Enters namespaces of one process by their files: the way before Linux 5.8.
fn by_files(target: &mut Target, kinds: Kinds, leave: Leave, tell: Tell<'_>) -> Result<Kinds> {
    let mut needed = kinds;
    if leave == Leave::OursOfAll {
        needed = different(target, kinds, leave)?;
    }
    let mut files = Vec::new();
    for kind in needed.iter() {
        files.push(Opened::File(NsFd {
            kind,
            fd: target.open_namespace(kind)?,
        }));
    }
    target.check_alive()?;
    match files.as_slice() {
        [] => Ok(needed),
        [Opened::File(file)] => enter_file(file, Some(target.pid()), tell),
        _ => enter_mixture(files, tell),
    }
}

/// Namespaces of different origin, with a user namespace among them, each by its file.
struct Mixture {
    /// All but the user namespace.
    files: Vec<NsFd>,
    /// The facts that order them.
    items: Vec<(Kind, Owner)>,
    /// The user namespace and those above it that lie below ours, innermost first.
    ancestors: Vec<(Identity, OwnedFd)>,
    /// The user namespace where it is ours, which the kernel will refuse.
    ours: Option<OwnedFd>,
    user: bool,
}

impl Mixture {
    fn of(opened: Vec<Opened>) -> Result<Mixture> {
        let mut files = Vec::new();
        for one in opened {
            match one {
                Opened::File(file) => files.push(file),
                Opened::Process {
                    mut target,
                    kinds,
                    leave,
                } => {
                    let mut needed = kinds;
                    if leave == Leave::OursOfAll {
                        needed = existing(&mut target, kinds)?;
                        if needed.has(Kind::User) && is_ours(&mut target, Kind::User)? {
                            needed = needed.without(Kind::User);
                        }
                    }
                    for kind in needed.iter() {
                        files.push(NsFd {
                            kind,
                            fd: target.open_namespace(kind)?,
                        });
                    }
                    target.check_alive()?;
                }
            }
        }
        let user = files
            .iter()
            .position(|file| file.kind == Kind::User)
            .map(|at| files.remove(at));
        let is_user = user.is_some();
        let ancestors = user
            .as_ref()
            .map(|user| ancestors(user.fd.as_fd()))
            .unwrap_or_default();
        let items = files
            .iter()
            .map(|file| (file.kind, owner(file, &ancestors)))
            .collect();
        let ours = user.filter(|_| ancestors.is_empty()).map(|user| user.fd);
        Ok(Mixture {
            files,
            items,
            ancestors,
            ours,
            user: is_user,
        })
    }

    fn calls(&self) -> Vec<Call> {
        // CAP_SYS_ADMIN, capabilities(7).
        let privileged = sys::capabilities().is_ok_and(|held| held.effective & 1 << 21 != 0);
        order(&self.items, self.user, privileged)
    }
}

/// Enters namespaces of different origin, with a user namespace among them.
fn enter_mixture(opened: Vec<Opened>, tell: Tell<'_>) -> Result<Kinds> {
    let mixture = Mixture::of(opened)?;
    let mut entered = Kinds::NONE;
    let mut put_off = Vec::new();
    for call in mixture.calls() {
        match call {
            Call::Item(index) => {
                entered = entered.and(enter_file(&mixture.files[index], None, tell)?)
            }
            Call::Try(index) => match enter_file(&mixture.files[index], None, tell) {
                Ok(kinds) => entered = entered.and(kinds),
                Err(failure)
                    if failure
                        .error
                        .is_some_and(|error| error.raw() == libc::EPERM) =>
                {
                    put_off.push(index);
                }
                Err(failure) => return Err(failure),
            },
            Call::User(level) => {
                let kinds = Kinds::NONE.with(Kind::User);
                let above = mixture.ancestors.get(level).map(|(_, fd)| fd);
                let Some(fd) = above.or(mixture.ours.as_ref()) else {
                    continue;
                };
                let result = sys::setns(fd.as_fd(), Kind::User.flag());
                tell(Kind::User.name(), &result);
                result.map_err(|error| Failure {
                    subject: fd.try_clone().ok(),
                    ..refused(kinds, None, error)
                })?;
                entered = entered.and(kinds);
            }
        }
    }
    for index in put_off {
        entered = entered.and(enter_file(&mixture.files[index], None, tell)?);
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
fn owner(file: &NsFd, chain: &[(Identity, OwnedFd)]) -> Owner {
    let mut owner = match sys::owner_of(file.fd.as_fd()) {
        Ok(owner) => owner,
        // Not ours, nor below ours: the owner lies outside.
        Err(error) if error.raw() == libc::EPERM => return Owner::Outside,
        Err(_) => return Owner::Unknown,
    };
    let position = |fd: &OwnedFd| {
        let identity = identity(fd.as_fd()).ok()?;
        chain.iter().position(|(member, _)| *member == identity)
    };
    match position(&owner) {
        Some(0) => return Owner::Within,
        Some(level) => return Owner::Above(level),
        None => {}
    }
    // A namespace of a user namespace below the wanted one is within it too.
    while let Ok(parent) = sys::parent_of(owner.as_fd()) {
        if position(&parent) == Some(0) {
            return Owner::Within;
        }
        owner = parent;
    }
    Owner::Outside
}

/// The calls that [`enter`] would make first, read-only.
pub(crate) fn rehearse(opened: Vec<Opened>, in_order: bool) -> Result<Vec<String>> {
    let user = opened.iter().any(|one| match one {
        Opened::Process { kinds, .. } => kinds.has(Kind::User),
        Opened::File(file) => file.kind == Kind::User,
    });
    if in_order || opened.len() == 1 || !user {
        return Ok(opened
            .iter()
            .map(|one| match one {
                Opened::Process { target, kinds, .. } => {
                    format!("{kinds} of process {}", target.pid())
                }
                Opened::File(file) => file.kind.to_string(),
            })
            .collect());
    }
    let mixture = Mixture::of(opened)?;
    Ok(mixture
        .calls()
        .into_iter()
        .map(|call| match call {
            Call::Item(index) | Call::Try(index) => mixture.files[index].kind.to_string(),
            Call::User(0) => Kind::User.to_string(),
            Call::User(level) => format!("user, {level} above the one wanted"),
        })
        .collect())
}
