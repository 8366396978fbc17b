//! The target's cgroups (`--join-cgroup`).

use std::ffi::OsString;
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};

use super::file::cannot_open;
use super::target::Target;
use super::{Do, State};
use crate::failure::{Failure, Result, Unexplained, line};
use crate::host::mountinfo::Mount;
use crate::host::procfs::Cgroup;
use crate::sys::{self, For, Limit};

/// Join the target's cgroups, opened before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinCgroup;

impl fmt::Display for JoinCgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("join the target's cgroups")
    }
}

impl Do for JoinCgroup {
    fn run(&self, state: &mut State) -> Result<()> {
        for (path, file) in std::mem::take(&mut state.opened.cgroups) {
            // 0 is the process that writes (cgroups(7)).
            sys::write_once(file.as_fd(), b"0").map_err(|error| {
                let text = line(["write failed ".as_ref(), &path]);
                Failure::new(Unexplained("cgroup"), text, error)
            })?;
        }
        Ok(())
    }
}

/// Opens cgroup.procs of the target's cgroups, of version 2 and of all hierarchies of version 1, except those that
/// we are in already, which need not be ours to join.
pub(crate) fn open_cgroups(target: &mut Target) -> Result<Vec<(OsString, OwnedFd)>> {
    let pid = target.pid();
    let parse = |of: &str, text: &[u8]| {
        let text = Cgroup::parse(text);
        text.ok_or_else(|| {
            let text = format!("cannot understand /proc/{of}/cgroup");
            Failure::plain(Unexplained("cgroup"), text)
        })
    };
    let read = |path: &str, limit| {
        sys::read_file(path.as_ref(), limit).map_err(|error| cannot_open(path, error))
    };
    let cgroups = parse(&pid.to_string(), &target.read_file("cgroup", Limit::FILE)?)?;
    let ours = parse("self", &read("/proc/self/cgroup", Limit::FILE)?)?;
    let mounts = read("/proc/self/mountinfo", Limit::MOUNTS)?;
    let mounts: Vec<Mount> = Mount::parse_all(&mounts).collect();
    cgroups
        .iter()
        .filter(|cgroup| !ours.contains(cgroup))
        .map(|cgroup| open_cgroup(&mounts, cgroup, pid))
        .collect()
}

/// Opens cgroup.procs of a cgroup where it can be reached; where it cannot, the error is that of the mount that
/// hides the others.
fn open_cgroup(mounts: &[Mount], cgroup: &Cgroup, pid: i32) -> Result<(OsString, OwnedFd)> {
    let mut why = None;
    for directory in cgroup.directories(mounts) {
        let mut path = directory.into_os_string();
        path.push("/cgroup.procs");
        match sys::open(&path, For::Writing) {
            Ok(file) => return Ok((path, file)),
            Err(error) => {
                let text = line(["cannot open ".as_ref(), &path]);
                why.get_or_insert(Failure::new(Unexplained("cgroup"), text, error));
            }
        }
    }
    Err(why.unwrap_or_else(|| {
        let hierarchy = if cgroup.is_unified() {
            "version 2".as_ref()
        } else {
            cgroup.controllers.as_os_str()
        };
        let process = OsString::from(format!(" of process {pid} ("));
        let text = line([
            "--join-cgroup: cgroup ".as_ref(),
            &cgroup.path,
            &process,
            hierarchy,
            ") is not mounted here".as_ref(),
        ]);
        Failure::plain(Unexplained("cgroup"), text)
    }))
}
