//! Opening what references name: everything before anything is entered.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use super::super::target::Target;
use super::causes::Setns;
use super::{Enter, Leave, NsFd, ToEnter, different, recorded};
use crate::failure::{Failure, Result, Unexplained, line};
use crate::host::namespace::identity;
use crate::model::number::decimal;
use crate::model::{Kind, Kinds, Reference, Wanted, Which};
use crate::show::{self, Found};
use crate::steps::file::{OpenFile, cannot_open, cannot_read};
use crate::sys::{self, For, Limit, Number, Proc};

/// Opens all that is to be entered, in a frame of its own, which is large: nobody stands on it when that is entered.
#[inline(never)]
pub(crate) fn open(enter: &Enter, mut target: Option<Target>) -> Result<Vec<ToEnter>> {
    let mut opened = Vec::with_capacity(enter.wanted.len());
    for wanted in &enter.wanted {
        open_wanted(wanted, &mut target, &mut opened)?;
    }
    if enter.user_parent > 0 {
        to_parent(&mut opened, enter.user_parent)?;
    }
    // One alone, as nearly always, is in order (250 instructions).
    if !enter.in_order && opened.len() > 1 {
        no_contradiction(&mut opened)?;
        // Once a mount namespace is entered /proc is somebody else's, where it might be asked in between.
        let (last, first): (Vec<_>, Vec<_>) = opened.into_iter().partition(|one| match one {
            ToEnter::Process { kinds, .. } => kinds.has(Kind::Mnt),
            ToEnter::File(file) => file.kind == Kind::Mnt,
        });
        opened = first;
        opened.extend(last);
    }
    Ok(opened)
}

fn open_wanted(
    wanted: &Wanted,
    target: &mut Option<Target>,
    opened: &mut Vec<ToEnter>,
) -> Result<()> {
    let mut process = |mut target: Target| -> Result<()> {
        let (kinds, leave) = match wanted.which {
            Which::These(kinds) => (kinds, Leave::OursByName),
            Which::AllBut(kinds) => (Kinds::ALL.less(kinds), Leave::OursOfAll),
            Which::Natural => (
                different(&mut target, Kinds::ALL, Leave::OursOfAll)?,
                Leave::OursOfAll,
            ),
        };
        opened.push(ToEnter::Process {
            target,
            kinds,
            leave,
        });
        Ok(())
    };
    match &wanted.reference {
        Reference::Target(_) => {
            let text = "no target PID specified";
            let target = target
                .take()
                .ok_or_else(|| Failure::plain(Unexplained("reference"), text))?;
            process(target)
        }
        Reference::Socket { of, fd } => {
            // Of the target that was opened before, not of whoever has its number by now.
            let same = |one: &ToEnter| match (&**of, one) {
                (Reference::Target(_), ToEnter::Process { .. }) => true,
                (Reference::Process { pid, .. }, ToEnter::Process { target, .. }) => {
                    target.pid() == *pid
                }
                _ => false,
            };
            let fd = match (&*target, opened.iter().find(|one| same(one))) {
                (Some(target), _) | (None, Some(ToEnter::Process { target, .. })) => {
                    network_of(target, *fd)?
                }
                _ => open_socket(of, *fd)?,
            };
            let kind = Kind::Net;
            opened.push(ToEnter::File(NsFd { kind, fd }));
            Ok(())
        }
        reference => match open_reference(reference, wanted.which)? {
            Named::Process(target) => process(target),
            Named::Namespace(fd) => {
                let kind = kind_of(fd.as_fd(), wanted)?;
                opened.push(ToEnter::File(NsFd { kind, fd }));
                Ok(())
            }
        },
    }
}

/// What a reference turned out to be.
pub(crate) enum Named {
    /// A process, for all of its namespaces.
    Process(Target),
    /// One namespace.
    Namespace(OwnedFd),
}

/// Opens what a reference names. `which` says which kind is meant where the reference itself leaves it open.
pub(crate) fn open_reference(reference: &Reference, which: Which) -> Result<Named> {
    let first = match which {
        Which::These(kinds) => kinds.iter().next(),
        _ => None,
    };
    Ok(match reference {
        Reference::Target(of) => return open_reference(of, which),
        Reference::Process { pid, inode } => Named::Process(Target::open(*pid, *inode, first)?),
        Reference::File(path) => Named::Namespace(open_file(path)?),
        Reference::Netns(name) => Named::Namespace(open_netns(name)?),
        Reference::Descriptor(number) => open_descriptor(*number)?,
        Reference::Link { kind, inode } => {
            Named::Namespace(open_found(reference, show::find_by_inode(*kind, *inode))?)
        }
        Reference::Id(id) => Named::Namespace(open_by_id(reference, *id)?),
        Reference::Socket { of, fd } => Named::Namespace(open_socket(of, *fd)?),
        Reference::Pidfile(path) => {
            Named::Process(open_named(reference, pid_in_file(path)?, first)?)
        }
        Reference::Cgroup(path) => {
            Named::Process(open_named(reference, lowest_of_cgroup(path)?, first)?)
        }
        Reference::Machine(_) | Reference::Unit(_) | Reference::Oci(_) => {
            Named::Process(recorded::open(reference, first)?)
        }
        Reference::Own => Named::Process(Target::own()?),
        Reference::All => {
            let text = "all: names every namespace, for --same and --show only";
            return Err(Failure::plain(Unexplained("reference"), text));
        }
        Reference::Parent(inner) => {
            let of = match open_reference(inner, which)? {
                Named::Namespace(fd) => fd,
                Named::Process(mut target) => match (first, which) {
                    (Some(kind), Which::These(kinds)) if kinds.len() == 1 => {
                        target.open_namespace(kind)?
                    }
                    _ => {
                        let pid = target.pid();
                        let text = format!(
                            "{reference}: a process has two kinds with parents; say user=parent:… or pid=parent:…, or parent:/proc/{pid}/ns/user"
                        );
                        return Err(Failure::plain(Unexplained("reference"), text));
                    }
                },
            };
            Named::Namespace(sys::parent_of(of.as_fd()).map_err(|error| {
                let kind = sys::type_of(of.as_fd()).ok().and_then(Kind::from_flag);
                no_relative(reference, inner, kind, error)
            })?)
        }
        Reference::Owner(inner) => match open_reference(inner, Which::Natural)? {
            // A process belongs to the user namespace that it is in (user_namespaces(7)).
            Named::Process(mut target) => Named::Namespace(target.open_namespace(Kind::User)?),
            Named::Namespace(of) => {
                Named::Namespace(sys::owner_of(of.as_fd()).map_err(|error| {
                    let kind = sys::type_of(of.as_fd()).ok().and_then(Kind::from_flag);
                    no_relative(reference, inner, kind, error)
                })?)
            }
        },
    })
}

/// Why a namespace has no parent or owner that we could open; `of` is of this kind, or no namespace.
fn no_relative(
    reference: &Reference,
    of: &Reference,
    kind: Option<Kind>,
    error: sys::Error,
) -> Failure {
    match kind {
        None => Failure::plain(Unexplained("reference"), format!("{of}: is no namespace")),
        Some(kind) if error.raw() == libc::EINVAL => {
            let text = format!(
                "{of}: is {} {kind} namespace, which has no parent",
                kind.article()
            );
            Failure::plain(Unexplained("reference"), text)
        }
        Some(_) => {
            let text = format!("cannot open the {reference}");
            Failure::new(Unexplained("reference"), text, error)
        }
    }
}

/// Opens a process whose number a file gave; the error says which file.
fn open_named(reference: &Reference, pid: i32, kind: Option<Kind>) -> Result<Target> {
    Target::open(pid, None, kind).map_err(|failure| {
        let text = OsString::from(format!("{reference}: "));
        let line = line([&text, &failure.line]);
        Failure { line, ..failure }
    })
}

/// Why a file that somebody named cannot be read: it cannot be opened, is none that is read, or has too much in it.
pub(super) fn unreadable(path: &OsStr, error: sys::Error) -> Failure {
    match error.raw() {
        libc::EOPNOTSUPP | libc::ENXIO | libc::EISDIR => {
            let what = sys::what_is(path).unwrap_or("no regular file");
            let text = line([
                "cannot read ".as_ref(),
                path,
                format!(": it is {what}").as_ref(),
            ]);
            Failure::plain(OpenFile(path.to_owned()), text)
        }
        libc::EFBIG => cannot_read(path, error),
        _ => cannot_open(path, error),
    }
}

/// The number on the first line of a PID file.
fn pid_in_file(path: &OsStr) -> Result<i32> {
    let file = sys::open_regular(path).map_err(|error| unreadable(path, error))?;
    // No more than a first line can be, whatever file this is.
    let mut room = [0; 256];
    let length =
        sys::read_some(file.as_fd(), &mut room).map_err(|error| cannot_read(path, error))?;
    room.get(..length)
        .unwrap_or_default()
        .split(|&byte| byte == b'\n')
        .next()
        .and_then(|first| i32::try_from(decimal(first.trim_ascii())?).ok())
        .filter(|&pid| pid > 0)
        .ok_or_else(|| {
            let text = line(["pidfile:".as_ref(), path, ": holds no PID".as_ref()]);
            Failure::plain(Unexplained("reference"), text)
        })
}

/// The kind to enter a single namespace as.
fn kind_of(fd: BorrowedFd<'_>, wanted: &Wanted) -> Result<Kind> {
    let found = sys::type_of(fd).ok().and_then(Kind::from_flag);
    match wanted.which {
        Which::These(kinds) if kinds.len() == 1 => {
            // Where it is another kind, or none at all, setns says so, in its classic words.
            let asked = kinds.iter().next().unwrap_or(Kind::User);
            match found {
                Some(kind) if kind != asked => {
                    let text = format!("reassociate to namespace 'ns/{asked}' failed");
                    let setns = Setns::WrongKind { asked, found: kind };
                    let error = sys::Error::from_raw(libc::EINVAL);
                    Err(Failure::new(setns, text, error))
                }
                _ => Ok(asked),
            }
        }
        Which::These(kinds) => {
            let text = match found {
                Some(kind) => format!(
                    "{}: is {} {kind} namespace, not {kinds}",
                    wanted.reference,
                    kind.article()
                ),
                None => format!("{}: is no namespace", wanted.reference),
            };
            Err(Failure::plain(Unexplained("reference"), text))
        }
        Which::Natural | Which::AllBut(_) => found.ok_or_else(|| {
            let text = format!("{}: is no namespace", wanted.reference);
            Failure::plain(Unexplained("reference"), text)
        }),
    }
}

fn open_file(path: &OsStr) -> Result<OwnedFd> {
    sys::open(path, For::Reading).map_err(|error| cannot_open(path, error))
}

/// A name of `ip netns` (ip-netns(8)).
fn open_netns(name: &OsStr) -> Result<OwnedFd> {
    let path = |directory: &str| line([directory.as_ref(), name]);
    match sys::open(&path("/run/netns/"), For::Reading) {
        Ok(fd) => Ok(fd),
        Err(error) => sys::open(&path("/var/run/netns/"), For::Reading)
            .map_err(|_| cannot_open(path("/run/netns/"), error)),
    }
}

/// A descriptor of the caller's: an nsfs file, or a pidfd.
fn open_descriptor(number: i32) -> Result<Named> {
    let failed = |error| Failure::new(Unexplained("reference"), format!("fd:{number}"), error);
    let fd = sys::inherited(number).map_err(failed)?;
    let own = fd.try_clone_to_owned().map_err(|error| {
        failed(sys::Error::from_raw(
            error.raw_os_error().unwrap_or(libc::EBADF),
        ))
    })?;
    if sys::type_of(own.as_fd()).is_ok() {
        return Ok(Named::Namespace(own));
    }
    let proc = Proc::default();
    match proc.number_of(own.as_fd()) {
        Ok(Some(Number::Is(pid))) => {
            // Our own number for it is not known where /proc has others.
            let pid = if proc.counts_as_we_do() { pid } else { 0 };
            Ok(Named::Process(Target::from_pidfd(own, pid)))
        }
        Ok(Some(Number::None)) => {
            let text = format!(
                "fd:{number}: its process cannot be found in /proc, which is that of another PID namespace"
            );
            Err(Failure::plain(Unexplained("reference"), text))
        }
        Ok(Some(Number::Ended)) => Err(failed(sys::Error::from_raw(libc::ESRCH))),
        Ok(None) => {
            let text = format!("fd:{number}: is neither a namespace nor a pidfd");
            Err(Failure::plain(Unexplained("reference"), text))
        }
        Err(error) => Err(cannot_open("/proc/self/fdinfo", error)),
    }
}

fn open_found(reference: &Reference, found: sys::Result<Found>) -> Result<OwnedFd> {
    let text = match found {
        Ok(Found::Here(fd)) => return Ok(fd),
        Ok(Found::Gone) => format!("{reference}: gone while it was looked for"),
        Ok(Found::Nowhere(None)) => format!("{reference}: no such namespace can be seen"),
        Ok(Found::Nowhere(Some(why))) => {
            format!("{reference}: no such namespace can be seen, but {why}")
        }
        Err(error) => return Err(cannot_open("/proc", error)),
    };
    Err(Failure::plain(Unexplained("reference"), text))
}

/// By the kernel's number: at once where the kernel opens by it, else by looking at all that can be seen.
fn open_by_id(reference: &Reference, id: u64) -> Result<OwnedFd> {
    if let Ok(fd) = sys::open_by_id(id) {
        return Ok(fd);
    }
    let found = show::find_by_id(id);
    if let Ok(Found::Nowhere(_)) = found
        && sys::lack().is_none()
        && let Ok(own) = sys::open("/proc/self/ns/mnt".as_ref(), For::Reading)
        && sys::namespace_id(own.as_fd()).is_err()
    {
        let why = match sys::mount_namespace_id(own.as_fd()) {
            Ok(_) => {
                "this kernel gives only mount namespaces IDs, and none that can be seen has this one"
            }
            Err(_) => "this kernel gives namespaces no IDs",
        };
        let text = format!("{reference}: {why}; name it by a file");
        return Err(Failure::plain(Unexplained("reference"), text));
    }
    open_found(reference, found)
}

fn open_socket(of: &Reference, number: i32) -> Result<OwnedFd> {
    let kinds = Which::These(Kinds::NONE.with(Kind::Net));
    network_of(&open_process(of, kinds)?, number)
}

/// Opens a reference to a process.
pub(crate) fn open_process(reference: &Reference, which: Which) -> Result<Target> {
    match open_reference(reference, which)? {
        Named::Process(target) => Ok(target),
        Named::Namespace(_) => {
            let text = format!("{reference}: is a namespace, not a process");
            Err(Failure::plain(Unexplained("reference"), text))
        }
    }
}

/// The network namespace of a socket of a process, which need not be the one that the process is in.
fn network_of(target: &Target, number: i32) -> Result<OwnedFd> {
    let pid = target.pid();
    let failed = |error| {
        let text = format!("cannot open the network namespace of socket {number} of process {pid}");
        Failure::new(Unexplained("reference"), text, error)
    };
    let Some(pidfd) = target.pidfd() else {
        return Err(failed(sys::Error::from_raw(libc::ENOSYS)));
    };
    let socket = sys::pidfd_getfd(pidfd, number).map_err(failed)?;
    // What is asked below may mean something else to a device.
    if !sys::is_socket(socket.as_fd()) {
        let text = format!("descriptor {number} of process {pid} is no socket");
        return Err(Failure::plain(Unexplained("reference"), text));
    }
    sys::network_of_socket(socket.as_fd()).map_err(failed)
}

/// The living process with the lowest number in a cgroup (cgroups(7), cgroup.procs): of a directory, or of a
/// path as /proc/PID/cgroup shows it, from the root of the unified hierarchy.
fn lowest_of_cgroup(path: &OsStr) -> Result<i32> {
    let bytes = path.as_bytes();
    let mut directory = OsString::new();
    if bytes.starts_with(b"/") && sys::stat(&procs(path)).is_ok() {
        directory.push(path);
    } else {
        let unified = sys::stat("/sys/fs/cgroup/unified".as_ref()).is_ok();
        directory.push(if unified {
            "/sys/fs/cgroup/unified/"
        } else {
            "/sys/fs/cgroup/"
        });
        directory.push(OsStr::from_bytes(bytes.strip_prefix(b"/").unwrap_or(bytes)));
    }
    let file = procs(&directory);
    let text = sys::read_file(&file, Limit::PIDS).map_err(|error| unreadable(&file, error))?;
    text.split(|&byte| byte == b'\n')
        .filter_map(|number| i32::try_from(decimal(number)?).ok())
        // 0 is a process that our PID namespace has no number for.
        .filter(|&pid| pid > 0)
        .min()
        .ok_or_else(|| {
            let text = line([
                "cgroup:".as_ref(),
                path,
                ": has no process that can be seen".as_ref(),
            ]);
            Failure::plain(Unexplained("reference"), text)
        })
}

fn procs(directory: &OsStr) -> OsString {
    line([directory, "/cgroup.procs".as_ref()])
}

/// Puts the parent in the place of the user namespace that is entered, or the owner of another one.
fn to_parent(opened: &mut Vec<ToEnter>, levels: u32) -> Result<()> {
    let failed = |error| {
        Failure::new(
            Unexplained("reference"),
            "failed to open parent namespace",
            error,
        )
    };
    let user = opened.iter().position(|one| match one {
        ToEnter::Process { kinds, .. } => kinds.has(Kind::User),
        ToEnter::File(file) => file.kind == Kind::User,
    });
    let (mut fd, climb) = match user.map(|at| &mut opened[at]) {
        Some(ToEnter::Process { target, kinds, .. }) => {
            *kinds = kinds.without(Kind::User);
            let fd = target.open_namespace(Kind::User)?;
            target.check_alive()?;
            (fd, levels)
        }
        Some(ToEnter::File(_)) => match opened.remove(user.unwrap_or(0)) {
            ToEnter::File(file) => (file.fd, levels),
            ToEnter::Process { .. } => return Ok(()),
        },
        None => {
            let other = match opened.first_mut() {
                Some(ToEnter::Process { target, kinds, .. }) => {
                    let fd = target.open_namespace(kinds.iter().next().unwrap_or(Kind::User))?;
                    target.check_alive()?;
                    fd
                }
                Some(ToEnter::File(file)) => file.fd.try_clone().map_err(|error| {
                    failed(sys::Error::from_raw(
                        error.raw_os_error().unwrap_or(libc::EMFILE),
                    ))
                })?,
                None => {
                    return Err(Failure::plain(
                        Unexplained("reference"),
                        "no target PID specified",
                    ));
                }
            };
            (sys::owner_of(other.as_fd()).map_err(failed)?, levels - 1)
        }
    };
    for _ in 0..climb {
        fd = sys::parent_of(fd.as_fd()).map_err(failed)?;
    }
    opened.push(ToEnter::File(NsFd {
        kind: Kind::User,
        fd,
    }));
    opened.retain(|one| !matches!(one, ToEnter::Process { kinds, .. } if kinds.is_empty()));
    Ok(())
}

/// Refuses two different namespaces of one kind: which of them is meant, nobody can know.
fn no_contradiction(opened: &mut [ToEnter]) -> Result<()> {
    let count = |opened: &[ToEnter], kind: Kind| {
        opened
            .iter()
            .filter(|one| match one {
                ToEnter::Process { kinds, .. } => kinds.has(kind),
                ToEnter::File(file) => file.kind == kind,
            })
            .count()
    };
    for kind in Kind::ALL {
        if count(opened, kind) < 2 {
            continue;
        }
        let mut first = None;
        for one in &mut *opened {
            let found = match one {
                ToEnter::File(file) if file.kind == kind => identity(file.fd.as_fd()),
                ToEnter::Process { target, kinds, .. } if kinds.has(kind) => {
                    Ok(target.namespace_identity(kind)?)
                }
                _ => continue,
            };
            match first {
                None => first = Some(found),
                Some(first) if first == found => {}
                Some(_) => {
                    let text = format!(
                        "two different {kind} namespaces are named; --in-order enters both"
                    );
                    return Err(Failure::plain(Unexplained("reference"), text));
                }
            }
        }
    }
    Ok(())
}
