//! How mounts spread (mount_namespaces(7)): below `/` of a new mount namespace, and where something will be mounted.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};

use libc::{EACCES, EINVAL, ENOSYS, EPERM};

use super::ahead::Ahead;
use super::mount::mount_failed;
use super::{Do, State};
use crate::failure::common::{apparmor_inside, module_refuses, mount_filtered};
use crate::failure::{Failure, Result, because, explains};
use crate::model::Word;
use crate::model::value::Propagation;
use crate::sys::{self, For, MsFlags};

impl fmt::Display for Propagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "make / and all below it {}", self.as_str())
    }
}

impl Do for Propagation {
    fn run(&self, _: &mut State) -> Result<()> {
        let kind = match self {
            Propagation::Slave => MsFlags::MS_SLAVE,
            Propagation::Shared => MsFlags::MS_SHARED,
            Propagation::Private => MsFlags::MS_PRIVATE,
            Propagation::Unchanged => return Ok(()),
        };
        sys::set_propagation("/".as_ref(), kind | MsFlags::MS_REC).map_err(|error| {
            let text = "cannot change root filesystem propagation";
            Failure::new(*self, text, error)
        })
    }

    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        let as_inside = ahead.as_inside();
        let _ = ahead.tell(line, self, EINVAL, |_| {}) || ahead.tell(line, self, EPERM, as_inside);
    }
}

/// Make private what is mounted on the directory, or where it is no mount point the mount that it lies on: what is
/// mounted there next does not spread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MakePrivate(pub(crate) OsString);

impl fmt::Display for MakePrivate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = Word(&self.0);
        write!(f, "make {dir} private, or the mount that it lies on")
    }
}

impl Do for MakePrivate {
    fn run(&self, _: &mut State) -> Result<()> {
        private(&self.0).map_err(|error| mount_failed("proc", &self.0, error))
    }
}

/// Makes a directory's mount private.
pub(crate) fn private(dir: &OsStr) -> sys::Result<()> {
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

explains! {
    Propagation {
        word: "propagation",
        classic: "cannot change root filesystem propagation",
        applets: ["unshare"],
    }
    Rule {
        id: "propagation-chroot",
        errors: [EINVAL],
        about: "/ is no mount point: this is a chroot.",
        advice: "Add --propagation unchanged, or change the root with pivot_root(2).",
        find: |_, case| {
            (case.facts.root_is_mount() == Some(false)).then(|| {
                because(
                    "/ is no mount point here (a chroot), so it has no propagation to set",
                    "add --propagation unchanged",
                )
            })?
        },
    },
    Rule {
        id: "propagation-seccomp",
        errors: [EPERM, EACCES, ENOSYS],
        about: "A seccomp filter refuses mount(2).",
        advice: "Use another seccomp profile.",
        find: |_, case| mount_filtered(case),
    },
    Rule {
        id: "propagation-apparmor",
        errors: [EPERM, EACCES],
        about: "AppArmor restricts user namespaces.",
        advice: "Give the binary an AppArmor profile with \"userns,\", or run as root.",
        find: |_, case| apparmor_inside(case),
    },
    Rule {
        id: "propagation-refused",
        errors: [EACCES],
        about: "A security module refuses it: the kernel itself never says so of /.",
        advice: "Have the module's profile allow it (AppArmor: \"mount,\").",
        find: |_, case| {
            if apparmor_inside(case).is_some() {
                return None;
            }
            module_refuses(case, "the change of mounts", "mount,", true)
        },
    },
}
