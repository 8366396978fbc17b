//! What `ip netns exec` sets up for a network that has a name (ip-netns(8)): its /sys, and its files in place of /etc's.
//!
//! Both in a mount namespace of our own, from which nothing spreads.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use super::file::{cannot_open, cannot_read};
use super::mount::{Mounting, mount_failed};
use super::{Do, State};
use crate::failure::{Failure, Result, Unexplained, line};
use crate::model::{Kind, Word};
use crate::sys::{self, For, MsFlags, Stream};

/// Put a sysfs in the place of /sys, with the devices of the network that we are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountSys {
    /// The network's name, which the mount has as its source.
    pub(crate) name: OsString,
}

impl fmt::Display for MountSys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mount the sysfs of this network in the place of /sys")
    }
}

impl Do for MountSys {
    fn run(&self, state: &mut State) -> Result<()> {
        if state.entered.has(Kind::Mnt) {
            let text = "--ip-netns: has a mount namespace of its own, and none can be entered";
            return Err(Failure::plain(Unexplained("reference"), text));
        }
        let sys = OsStr::new("/sys");
        let mut flags = MsFlags::empty();
        // Where it is no mount, or one that we may not take away, the new one lies on it; a writable one not on one that is
        // read-only (mount_namespaces(7)).
        if sys::detach(sys).is_err() && sys::forbidden_on(sys).is_ok_and(|on| on.writing) {
            flags |= MsFlags::MS_RDONLY;
        }
        let source = self.name.to_string_lossy();
        sys::mount(&source, sys, "sysfs", flags).map_err(|error| mount_failed("sysfs", sys, error))
    }
}

/// Lay the files that a network has for itself over those of /etc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BindEtc {
    /// The network's name.
    pub(crate) name: OsString,
}

impl BindEtc {
    fn directory(&self) -> OsString {
        line(["/etc/netns/".as_ref(), &self.name])
    }
}

impl fmt::Display for BindEtc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bind what is in {} over /etc", Word(&self.directory()))
    }
}

impl Do for BindEtc {
    fn run(&self, _: &mut State) -> Result<()> {
        let path = self.directory();
        let directory = match sys::open(&path, For::Directory) {
            Ok(directory) => directory,
            Err(error) if error.raw() == libc::ENOENT => return Ok(()),
            Err(error) => return Err(cannot_open(path, error)),
        };
        let mut names = Vec::new();
        let mut room = [0; 4096];
        let each =
            |name: &std::ffi::CStr| names.push(OsStr::from_bytes(name.to_bytes()).to_owned());
        sys::each_name(directory.as_fd(), &mut room, each)
            .map_err(|error| cannot_read(&path, error))?;
        for name in names {
            let own = line([&path, "/".as_ref(), &name]);
            let over = line(["/etc/".as_ref(), &name]);
            let Err(error) = sys::bind(&own, &over, false) else {
                continue;
            };
            let text = line(["cannot bind ".as_ref(), &own, " on ".as_ref(), &over]);
            if error.raw() != libc::ENOENT {
                let mounting = Mounting {
                    fstype: "bind",
                    target: over,
                };
                return Err(Failure::new(mounting, text, error));
            }
            // As ip(8) does: without a file to be laid over, it says so and goes on.
            let text = line(["setns: ".as_ref(), &text, format!(": {error}\n").as_ref()]);
            let _ = sys::print(Stream::Error, text.as_bytes());
        }
        Ok(())
    }
}
