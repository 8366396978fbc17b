//! Mounts, root and working directory of a new mount namespace.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};

use crate::failure::{Failure, Result, Stage, line};
use crate::model::Kind;
use crate::model::value::Propagation;
use crate::sys::{self, For, MsFlags};

/// Sets how mounts spread, for `/` and all below it (mount_namespaces(7)).
pub(crate) fn propagation(propagation: Propagation) -> Result<()> {
    let kind = match propagation {
        Propagation::Slave => MsFlags::MS_SLAVE,
        Propagation::Shared => MsFlags::MS_SHARED,
        Propagation::Private => MsFlags::MS_PRIVATE,
        Propagation::Unchanged => return Ok(()),
    };
    sys::set_propagation("/".as_ref(), kind | MsFlags::MS_REC).map_err(|error| {
        Failure::new(
            Stage::Propagation,
            "cannot change root filesystem propagation",
            error,
        )
    })
}

/// Makes private what is mounted on `dir`, or where `dir` is no mount point the mount that it lies on: what is mounted
/// there next does not spread.
pub(crate) fn make_private(dir: &OsStr) -> Result<()> {
    private(dir).map_err(|error| mount_failed("proc", dir, error))
}

fn private(dir: &OsStr) -> sys::Result<()> {
    match sys::set_propagation(dir, MsFlags::MS_PRIVATE) {
        // A mount's propagation is set at its own root directory, nowhere else (mount(2)).
        Err(error) if error.raw() == libc::EINVAL => private_below(dir),
        done => done,
    }
}

/// Makes the mount private that `dir` lies on, somewhere below its root directory.
///
/// Our own root directory may lie between the two (chroot(2)): then we leave it for a while.
fn private_below(dir: &OsStr) -> sys::Result<()> {
    let open = |path: &OsStr| sys::open(path, For::Path);
    let (root, here, place) = (open("/".as_ref())?, open(".".as_ref())?, open(dir)?);
    let above = sys::open_at(place.as_fd(), "..".as_ref(), For::Path)?;
    let mount = sys::mount_id(place.as_fd())?;
    sys::change_directory_fd(place.as_fd())?;
    // Who is outside its root directory does not meet it on the way up. Where this is not permitted, the way ends there.
    let left = sys::chroot(".".as_ref()).is_ok();
    let done = up_to_root_of(mount, above);
    if left {
        sys::change_directory_fd(root.as_fd())?;
        sys::chroot(".".as_ref())?;
    }
    sys::change_directory_fd(here.as_fd())?;
    done
}

/// Goes up from a directory to the root directory of the mount that it lies on, and makes the mount private.
fn up_to_root_of(mount: Option<u64>, mut at: OwnedFd) -> sys::Result<()> {
    let lost = || Err(sys::Error::from_raw(libc::EINVAL));
    loop {
        // Where another mount covers the way, `..` leads into that one.
        if sys::mount_id(at.as_fd())? != mount {
            return lost();
        }
        sys::change_directory_fd(at.as_fd())?;
        match sys::set_propagation(".".as_ref(), MsFlags::MS_PRIVATE) {
            Err(error) if error.raw() == libc::EINVAL => {}
            done => return done,
        }
        let above = sys::open_at(at.as_fd(), "..".as_ref(), For::Path)?;
        let which = |fd: &OwnedFd| sys::stat_fd(fd.as_fd()).map(|stat| (stat.st_dev, stat.st_ino));
        if which(&at)? == which(&above)? {
            return lost();
        }
        at = above;
    }
}

/// Mounts proc for the PID namespace that we are in.
pub(crate) fn mount_proc(dir: &OsStr) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    mount("proc", dir, flags)
}

/// Mounts the binfmt_misc of our user namespace.
pub(crate) fn mount_binfmt(dir: &OsStr) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    match mount("binfmt_misc", dir, flags) {
        // It has been mounted here before the root directory changed to the same, as `/` (mount(2)).
        Err(failure)
            if failure
                .error
                .is_some_and(|error| error.raw() == libc::EBUSY) =>
        {
            Ok(())
        }
        done => done,
    }
}

fn mount(kind: &'static str, dir: &OsStr, flags: MsFlags) -> Result<()> {
    sys::mount(kind, dir, kind, flags).map_err(|error| mount_failed(kind, dir, error))
}

fn mount_failed(kind: &'static str, dir: &OsStr, error: sys::Error) -> Failure {
    let stage = Stage::Mount {
        kind,
        target: dir.to_owned(),
    };
    Failure::new(
        stage,
        line(["mount ".as_ref(), dir, " failed".as_ref()]),
        error,
    )
}

/// Registers an interpreter (the kernel's admin-guide/binfmt-misc).
pub(crate) fn register(dir: &OsStr, entry: &OsStr) -> Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = line([dir, "/register".as_ref()]);
    let failed =
        |what: &str, error| Failure::new(Stage::Register, line([what.as_ref(), &path]), error);
    let file = sys::open(&path, For::Writing).map_err(|error| failed("cannot open ", error))?;
    sys::write_once(file.as_fd(), entry.as_bytes())
        .map_err(|error| failed("write failed ", error))?;
    // Left open until the program is executed: nothing else uses the file system between the end of the old root
    // and its mount in the new one, and unused it forgets the interpreter.
    let _ = file.into_raw_fd();
    Ok(())
}

/// Makes `dir` the root directory, and `/` the working directory.
pub(crate) fn root(dir: &OsStr) -> Result<()> {
    sys::chroot(dir).map_err(|error| {
        Failure::new(
            Stage::Root(Some(dir.to_owned())),
            cannot_change_root(dir),
            error,
        )
    })?;
    directory("/".as_ref())
}

/// Makes `dir` the root of our mount namespace, and leaves nothing of the old one.
pub(crate) fn pivot_root(dir: &OsStr) -> Result<()> {
    let failed = |error| {
        Failure::new(
            Stage::Root(Some(dir.to_owned())),
            cannot_change_root(dir),
            error,
        )
    };
    // The new root must be a mount point (pivot_root(2)); the one that it is made must not appear where we came from.
    private(dir).map_err(failed)?;
    match sys::cover_with_itself(dir) {
        Ok(root) => sys::change_directory_fd(root.as_fd()).map_err(failed)?,
        Err(error) if error.raw() == libc::ENOSYS => {
            sys::bind(dir, dir, true).map_err(failed)?;
            sys::change_directory(dir).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    let old = sys::open("/".as_ref(), For::Path).map_err(failed)?;
    // Old and new root at one place: the old one comes to lie on top, and is taken off (pivot_root(2),
    // "pivot_root(".", ".")").
    sys::pivot_root(".".as_ref(), ".".as_ref()).map_err(failed)?;
    // To take a shared mount off takes it off its peers too, where we came from.
    sys::change_directory_fd(old.as_fd()).map_err(failed)?;
    sys::set_propagation(".".as_ref(), MsFlags::MS_PRIVATE | MsFlags::MS_REC).map_err(failed)?;
    sys::detach(".".as_ref()).map_err(failed)?;
    directory("/".as_ref())
}

/// Changes the working directory.
pub(crate) fn directory(dir: &OsStr) -> Result<()> {
    sys::change_directory(dir).map_err(|error| {
        Failure::new(
            Stage::Directory(Some(dir.to_owned())),
            line(["cannot change directory to ".as_ref(), dir]),
            error,
        )
    })
}

fn cannot_change_root(dir: &OsStr) -> OsString {
    line([
        "cannot change root directory to '".as_ref(),
        dir,
        "'".as_ref(),
    ])
}

/// Makes the mount namespace that we have just made one that can be bound on a file in `outer`.
///
/// The kernel takes such a bind only if the number of the namespace is above that of the one in which it is bound,
/// as otherwise the two could keep each other alive. Since Linux 6.18 each processor hands numbers out from a store
/// of its own, so a younger namespace need not have the higher number, unless it was made on the same processor.
/// So until it has, another one is made, on one processor after the other.
pub(crate) fn make_bindable(outer: BorrowedFd<'_>) -> sys::Result<()> {
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
