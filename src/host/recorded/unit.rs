//! The main process of a unit, from the cgroup that systemd makes for each unit (v2, or v1 `name=systemd`).
//!
//! The hard thing: which process of the cgroup is the main one systemd keeps to itself. It is the one that systemd
//! started, and lives as long as the unit: of those that are no children of others in it, the oldest.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use super::{Recorded, Result, Start, Unfound, because, join, names_in};
use crate::host::bounds::is_of_cgroups;
use crate::host::mountinfo::{Mount, mounts, words};
use crate::host::procfs::{Cgroup, Stat};
use crate::host::target::Process;
use crate::model::Word;
use crate::model::number::decimal;
use crate::sys::{self, For, Limit, Proc};

/// How deep cgroups are looked at below each other, and how many: more than any systemd makes, and less than somebody to
/// whom a part of the tree was given can make.
const DEPTH: usize = 32;
const CGROUPS: usize = 20_000;

/// Finds the unit of this full name: one of the system's, or of the caller's user manager.
pub(crate) fn find(name: &OsStr) -> Result<Recorded> {
    let proc = Proc::default();
    let Some(mounts) = mounts(&proc) else {
        let error = sys::Error::from_raw(libc::ENOENT);
        return Err(Unfound::File("/proc/self/mountinfo".into(), error));
    };
    let mut seen = LookedAt::default();
    let tops = tops(&proc, &mounts)?;
    if tops.is_empty() {
        return because("no cgroups are mounted here that systemd makes for its units");
    }
    let mut idle = None;
    for top in tops {
        let mut running: Option<(CgroupDirectory, i32, u64)> = None;
        for directory in seen.units(&top, name)? {
            let Some((pid, start)) = seen.main_process(&proc, &directory)? else {
                // Perhaps it has one in the other hierarchy.
                idle = Some(directory.path);
                continue;
            };
            if let Some((other, ..)) = &running {
                let (one, other) = (Word(&other.path), Word(&directory.path));
                return because(format!(
                    "the system and the caller's user manager both have one; say cgroup:{one} or cgroup:{other}"
                ));
            }
            running = Some((directory, pid, start));
        }
        if let Some((directory, pid, start)) = running {
            return Ok(Recorded {
                pid,
                start: Some(Start::Seen(start)),
                pidfd_inode: None,
                unit: Some(name.to_owned()),
                place: directory.path,
            });
        }
    }
    because(match idle {
        Some(path) => format!("the unit has no process, in {}", Word(&path)),
        None => NONE.to_owned(),
    })
}

const NONE: &str =
    "no such unit of systemd runs, neither of the system nor of the caller's user manager";

/// A directory of a cgroup.
#[derive(Debug)]
struct CgroupDirectory {
    path: OsString,
    fd: OwnedFd,
}

impl CgroupDirectory {
    /// The one of this name in it, if there is one.
    fn below(&self, name: &OsStr) -> Result<Option<CgroupDirectory>> {
        let path = join(&self.path, name);
        match sys::open_at(self.fd.as_fd(), name, For::Directory) {
            Ok(fd) => Ok(Some(CgroupDirectory { path, fd })),
            // A file, or removed meanwhile.
            Err(error) if matches!(error.raw(), libc::ENOENT | libc::ENOTDIR | libc::ENODEV) => {
                Ok(None)
            }
            Err(error) => Err(Unfound::File(path, error)),
        }
    }

    fn names(&self, is_wanted: &dyn Fn(&[u8]) -> bool) -> Result<Vec<OsString>> {
        let names = sys::open_at(self.fd.as_fd(), ".".as_ref(), For::Directory)
            .and_then(|fd| names_in(fd.as_fd(), is_wanted));
        match names {
            // Removed since it was opened, as cgroups come and go: nothing is in it.
            Err(error) if matches!(error.raw(), libc::ENOENT | libc::ENODEV) => Ok(Vec::new()),
            names => names.map_err(|error| Unfound::File(self.path.clone(), error)),
        }
    }
}

/// Where the cgroups of systemd's units begin, in each hierarchy that it may use: v2 first.
fn tops(proc: &Proc, mounts: &[Mount]) -> Result<Vec<CgroupDirectory>> {
    let first = proc.read("1/cgroup", Limit::FILE).ok();
    let first = first.and_then(|text| Cgroup::parse(&text));
    let first = first.unwrap_or_default();
    let mut tops = Vec::new();
    for unified in [true, false] {
        let is_mount = |mount: &&Mount| match unified {
            true => mount.fs_type == "cgroup2",
            false => {
                mount.fs_type == "cgroup" && words(&mount.super_options).any(|word| word == SYSTEMD)
            }
        };
        // systemd puts itself into a cgroup of this name, below the one that it was started in.
        let mut own = first.iter().filter(|cgroup| is_systemd(cgroup));
        let own = own.find(|cgroup| cgroup.is_unified() == unified);
        let above = own.and_then(|own| own.path.as_bytes().strip_suffix(b"/init.scope"));
        // Where a part of the hierarchy is mounted too, somebody else may have made what is in it.
        let depth = |mount: &Mount| mount.root.len();
        let least = mounts.iter().filter(is_mount).map(depth).min();
        let whole = mounts.iter().rev().filter(is_mount);
        for mount in whole.filter(|mount| Some(depth(mount)) == least) {
            let root = match mount.root.as_bytes() {
                b"/" => &[],
                root => root,
            };
            let below = above.and_then(|above| above.strip_prefix(root));
            let mut path = mount.point.clone().into_os_string();
            path.push(OsStr::from_bytes(below.unwrap_or_default()));
            match sys::open(&path, For::Directory) {
                Ok(fd) if is_of_cgroups(fd.as_fd()) => tops.push(CgroupDirectory { path, fd }),
                Ok(_) => {}
                // Another mount hides it.
                Err(error)
                    if matches!(error.raw(), libc::ENOENT | libc::ENOTDIR | libc::EACCES) => {}
                Err(error) => return Err(Unfound::File(path, error)),
            }
        }
    }
    Ok(tops)
}

/// The hierarchy of v1 that systemd makes for itself.
const SYSTEMD: &[u8] = b"name=systemd";

/// Whether systemd keeps its units in this hierarchy.
pub(crate) fn is_systemd(cgroup: &Cgroup) -> bool {
    cgroup.is_unified() || cgroup.controllers.as_bytes() == SYSTEMD
}

/// Whether a process is in the cgroup of a unit, as its /proc/PID/cgroup says.
pub(crate) fn is_in(cgroups: &[Cgroup], unit: &OsStr) -> bool {
    let mut paths = cgroups.iter().filter(|cgroup| is_systemd(cgroup));
    paths.any(|cgroup| {
        let mut names = cgroup.path.as_bytes().split(|&byte| byte == b'/');
        names.any(|name| is_named(name, unit))
    })
}

/// Whether a cgroup is that of this unit: where a file of the kernel's may have the name, an underscore is before it.
fn is_named(name: &[u8], unit: &OsStr) -> bool {
    name == unit.as_bytes() || name.strip_prefix(b"_") == Some(unit.as_bytes())
}

/// How many cgroups were looked at.
#[derive(Default)]
struct LookedAt(usize);

impl LookedAt {
    fn one_more(&mut self, depth: usize) -> Result<()> {
        self.0 += 1;
        if depth > DEPTH || self.0 > CGROUPS {
            return because("there are more cgroups than are looked through; say cgroup:PATH");
        }
        Ok(())
    }

    /// The cgroups of this unit: the system's, and the caller's.
    fn units(&mut self, top: &CgroupDirectory, name: &OsStr) -> Result<Vec<CgroupDirectory>> {
        let mut found = Vec::from_iter(self.unit(top, name, 0)?);
        let uid = sys::effective_uid();
        let own = [
            "user.slice".to_owned(),
            format!("user-{uid}.slice"),
            format!("user@{uid}.service"),
        ];
        let mut manager = None;
        for part in own {
            match manager.as_ref().unwrap_or(top).below(part.as_ref())? {
                Some(below) => manager = Some(below),
                None => return Ok(found),
            }
        }
        if let Some(manager) = manager {
            found.extend(self.unit(&manager, name, 0)?);
        }
        Ok(found)
    }

    /// The cgroup of this unit below one. A unit's lies in those of slices only: what lies in that of another unit was made
    /// by somebody else, under any name.
    fn unit(
        &mut self,
        above: &CgroupDirectory,
        name: &OsStr,
        depth: usize,
    ) -> Result<Option<CgroupDirectory>> {
        self.one_more(depth)?;
        let names = above.names(&|one| is_named(one, name) || one.ends_with(b".slice"))?;
        let (here, slices): (Vec<_>, Vec<_>) = names
            .into_iter()
            .partition(|one| is_named(one.as_bytes(), name));
        for one in here {
            if let Some(found) = above.below(&one)? {
                return Ok(Some(found));
            }
        }
        for slice in slices {
            if let Some(slice) = above.below(&slice)?
                && let Some(found) = self.unit(&slice, name, depth + 1)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The number and start of the main process of a unit.
    fn main_process(&mut self, proc: &Proc, unit: &CgroupDirectory) -> Result<Option<(i32, u64)>> {
        let mut numbers = Vec::new();
        self.processes(unit, 0, &mut numbers)?;
        let counts_as_we_do = proc.counts_as_we_do();
        // The oldest of them; a parent is never younger than its child, but may be as old.
        let mut oldest: Vec<(i32, i32, Stat)> = Vec::new();
        for pid in numbers {
            let number = if counts_as_we_do {
                Some(pid)
            } else {
                Process::Ours(pid).number(proc)
            };
            // Processes end while they are looked at.
            let Some(number) = number else { continue };
            let text = proc.read(&format!("{number}/stat"), Limit::FILE).ok();
            let Some(stat) = text.and_then(|text| Stat::parse(&text)) else {
                continue;
            };
            if matches!(stat.state, b'Z' | b'X') {
                continue;
            }
            match oldest.first().map(|(.., oldest)| oldest.start) {
                Some(start) if start < stat.start => continue,
                Some(start) if start > stat.start => oldest.clear(),
                _ => {}
            }
            oldest.push((pid, number, stat));
        }
        let is_here = |parent| oldest.iter().any(|&(_, number, _)| number == parent);
        let main = oldest.iter().find(|(.., stat)| !is_here(stat.parent));
        Ok(main.map(|&(pid, _, stat)| (pid, stat.start)))
    }

    /// The processes in a cgroup and in those below it, which whoever runs there may have made.
    fn processes(
        &mut self,
        cgroup: &CgroupDirectory,
        depth: usize,
        numbers: &mut Vec<i32>,
    ) -> Result<()> {
        self.one_more(depth)?;
        match sys::read_file_at(cgroup.fd.as_fd(), PROCS.as_ref(), Limit::PIDS) {
            Ok(text) => {
                let lines = text.split(|&byte| byte == b'\n');
                let found = lines.filter_map(|line| i32::try_from(decimal(line)?).ok());
                // 0 is a process that our PID namespace has no number for.
                numbers.extend(found.filter(|&pid| pid > 0));
            }
            // A threaded one: its processes are those of the one above it. Or it was removed meanwhile.
            Err(error) if matches!(error.raw(), libc::EOPNOTSUPP | libc::ENODEV | libc::ENOENT) => {
            }
            Err(error) => return Err(Unfound::File(join(&cgroup.path, PROCS.as_ref()), error)),
        }
        for name in cgroup.names(&|_| true)? {
            if let Some(below) = cgroup.below(&name)? {
                self.processes(&below, depth + 1, numbers)?;
            }
        }
        Ok(())
    }
}

/// The file of a cgroup with its processes (cgroups(7)).
const PROCS: &str = "cgroup.procs";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_removed_while_it_is_looked_at_holds_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().as_os_str().to_owned();
        let fd = sys::open(&path, For::Directory).expect("opened");
        let directory = CgroupDirectory { path, fd };
        dir.close().expect("removed");
        let names = directory.names(&|_| true);
        assert_eq!(names.expect("no failure"), [] as [&OsStr; 0]);
    }
}
