//! Namespaces that are open: which one it is, to whom it belongs, and where it stands to ours (ioctl_nsfs(2)).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::kinds::{existing, is_missing};
use super::target::Process;
use crate::model::number::decimal;
use crate::model::{Kind, Kinds};
use crate::sys::{self, For, Proc};

/// Which file a namespace is: device and inode.
pub(crate) type Identity = (u64, u64);

/// The identity of what a descriptor refers to.
pub(crate) fn identity(fd: BorrowedFd<'_>) -> sys::Result<Identity> {
    sys::stat_fd(fd).map(|stat| (stat.st_dev, stat.st_ino))
}

/// The identity of our own namespace of this kind; none where the kernel has no such kind.
pub(crate) fn own(proc: &Proc, kind: Kind) -> Option<Identity> {
    let stat = proc.stat(&format!("self/ns/{kind}")).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

/// A user or PID namespace and those above it, innermost first. Last comes the error that ends them: `EPERM` where the
/// next one is above ours, or there is none.
pub(crate) fn upwards(fd: BorrowedFd<'_>) -> impl Iterator<Item = sys::Result<OwnedFd>> {
    let first = fd.try_clone_to_owned();
    let first = first.map_err(|error| sys::Error::from_raw(error.raw_os_error().unwrap_or(0)));
    std::iter::successors(Some(first), |below| {
        below.as_ref().ok().map(|fd| sys::parent_of(fd.as_fd()))
    })
}

/// Where a namespace, or the owner of one, stands to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// It is ours.
    Ours,
    /// Below ours.
    Below,
    /// Above ours, or beside it: the kernel does not tell which.
    Outside,
}

/// A namespace that was to be entered. `None`: it could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamespaceFacts {
    /// As which kind.
    pub(crate) asked: Kind,
    /// Why it could not be opened to be looked at.
    pub(crate) closed: Option<sys::Error>,
    /// Whether it is a namespace at all.
    pub(crate) is_namespace: Option<bool>,
    /// Which kind it is.
    pub(crate) found: Option<Kind>,
    /// Whether we are in it.
    pub(crate) is_ours: Option<bool>,
    /// Whether it is below our PID namespace (asked for those only).
    pub(crate) descends: Option<bool>,
    /// The user namespace that it is, or that owns it.
    pub(crate) owner: Option<Relation>,
    /// The user who owns, of the user namespaces from there up to ours, the one next to ours.
    pub(crate) owner_uid: Option<u32>,
}

impl NamespaceFacts {
    /// Nothing known of it yet.
    pub(crate) fn asked(asked: Kind) -> NamespaceFacts {
        NamespaceFacts {
            asked,
            closed: None,
            is_namespace: None,
            found: None,
            is_ours: None,
            descends: None,
            owner: None,
            owner_uid: None,
        }
    }

    /// What can be seen of an open one.
    fn of(proc: &Proc, asked: Kind, fd: BorrowedFd<'_>) -> NamespaceFacts {
        /// `NSFS_MAGIC` of `linux/magic.h`.
        const NSFS: u64 = 0x6e73_6673;
        let found = sys::type_of(fd).ok().and_then(Kind::from_flag);
        let owner = match found {
            Some(Kind::User) => relation(proc, fd, Kind::User),
            Some(_) => owner(proc, fd),
            None => None,
        };
        let is_pid = found == Some(Kind::Pid);
        let position = is_pid.then(|| relation(proc, fd, Kind::Pid)).flatten();
        NamespaceFacts {
            is_namespace: sys::filesystem_magic(fd).ok().map(|magic| magic == NSFS),
            found,
            is_ours: is_own(proc, fd, asked),
            descends: position.map(|(position, _)| position != Relation::Outside),
            owner: owner.map(|(relation, _)| relation),
            owner_uid: owner.and_then(|(_, uid)| uid),
            ..NamespaceFacts::asked(asked)
        }
    }
}

/// What can be seen of namespaces: that of a descriptor, or of a process by its number in our PID namespace.
pub(crate) fn look_at(
    proc: &Proc,
    kinds: Kinds,
    pid: Option<i32>,
    fd: Option<&OwnedFd>,
) -> Vec<NamespaceFacts> {
    let number = pid.and_then(|pid| Process::Ours(pid).number(proc));
    let look_at = |kind| match (fd, number) {
        (Some(fd), _) => NamespaceFacts::of(proc, kind, fd.as_fd()),
        (None, Some(number)) => match proc.open(&format!("{number}/ns/{kind}"), For::Reading) {
            Ok(fd) => NamespaceFacts::of(proc, kind, fd.as_fd()),
            Err(error) => NamespaceFacts {
                closed: Some(error),
                ..NamespaceFacts::asked(kind)
            },
        },
        (None, None) => NamespaceFacts::asked(kind),
    };
    kinds.iter().map(look_at).collect()
}

/// Whether our namespace of this kind, user or PID, is the one that the machine started with; none where that cannot be
/// seen. A map of all IDs, and all capabilities, another one can have too.
pub(crate) fn is_initial(proc: &Proc, kind: Kind) -> Option<bool> {
    let number = match kind {
        Kind::User => INITIAL_USER,
        Kind::Pid => 0xEFFF_FFFC,
        _ => return None,
    };
    if kind == Kind::User && !existing(proc)?.has(kind) {
        // A kernel without user namespaces has this one.
        return Some(true);
    }
    // Where a security module lets nobody look at the namespace itself, the text of the link still has its number.
    let link = proc.read_link(&format!("self/ns/{kind}")).ok()?;
    let text = link.to_str()?.strip_prefix(kind.name())?;
    let found = text.strip_prefix(":[")?.strip_suffix(']')?;
    Some(decimal(found.as_bytes())? == number)
}

/// The inode of the initial user namespace, the same on every kernel (`PROC_USER_INIT_INO` of `linux/proc_ns.h`).
const INITIAL_USER: i128 = 0xEFFF_FFFD;

/// Whether the mount namespace that we are in belongs to the initial user namespace.
pub(crate) fn has_initial_mounts(proc: &Proc) -> Option<bool> {
    let mounts = proc.open("self/ns/mnt", For::Reading).ok()?;
    match sys::owner_of(mounts.as_fd()) {
        Ok(owner) => Some(i128::from(identity(owner.as_fd()).ok()?.1) == INITIAL_USER),
        Err(_) => None,
    }
}

/// Where the owner of the PID namespace stands that we are in.
pub(crate) fn owner_of_our_pid(proc: &Proc) -> Option<Relation> {
    let pid = proc.open("self/ns/pid", For::Reading).ok()?;
    owner(proc, pid.as_fd()).map(|(relation, _)| relation)
}

fn is_own(proc: &Proc, fd: BorrowedFd<'_>, kind: Kind) -> Option<bool> {
    Some(own(proc, kind)? == identity(fd).ok()?)
}

/// Where the owner of a namespace stands, and its [`NamespaceFacts::owner_uid`].
fn owner(proc: &Proc, fd: BorrowedFd<'_>) -> Option<(Relation, Option<u32>)> {
    match sys::owner_of(fd) {
        Ok(user) => relation(proc, user.as_fd(), Kind::User),
        // So says a kernel without user namespaces too, where all is ours.
        Err(error) if error.raw() == libc::EPERM => match is_missing(proc, Kind::User) {
            true => Some((Relation::Ours, None)),
            false => Some((Relation::Outside, None)),
        },
        Err(_) => None,
    }
}

/// Where a user or PID namespace stands, and of a user namespace its [`NamespaceFacts::owner_uid`].
fn relation(proc: &Proc, fd: BorrowedFd<'_>, kind: Kind) -> Option<(Relation, Option<u32>)> {
    let mut below = None;
    for one in upwards(fd) {
        match one {
            Ok(one) if is_own(proc, one.as_fd(), kind)? => {
                let uid = below.map(|uid| (Relation::Below, uid));
                return uid.or(Some((Relation::Ours, None)));
            }
            Ok(one) => below = Some(sys::owner_uid(one.as_fd()).ok()),
            Err(error) if error.raw() == libc::EPERM => return Some((Relation::Outside, None)),
            Err(_) => return None,
        }
    }
    None
}
