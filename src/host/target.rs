//! The target process, as far as we may look into it.
//!
//! The hard thing: its number in our PID namespace need not be the one that /proc has for it.

use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use super::ids::map_of;
use super::kinds::is_missing;
use super::procfs::{ProcAccess, Status, access};
use crate::model::number::decimal;
use crate::model::{Ids, Kind};
use crate::sys::{self, Number, Proc};

/// The target process. `None`: it could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TargetFacts {
    /// Its number.
    pub(crate) pid: i32,
    /// Whether /proc shows processes at all.
    pub(crate) proc_is_there: Option<bool>,
    /// Whether /proc hides those of others from us.
    pub(crate) hidden: Option<bool>,
    /// Whether it exists.
    pub(crate) exists: Option<bool>,
    /// The letter of its state.
    pub(crate) state: Option<u8>,
    /// Real, effective and saved user.
    pub(crate) uids: Option<[u32; 3]>,
    /// Real, effective and saved group.
    pub(crate) gids: Option<[u32; 3]>,
    /// The user to whom its files in /proc belong: root, when it is not dumpable.
    pub(crate) files_of: Option<u32>,
    /// Whether the map of its user namespace reads as ours does: no process of a user namespace that we own then, where
    /// we would have all capabilities.
    pub(crate) has_our_map: Option<bool>,
}

/// What the inode of a pidfd tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pidfds {
    /// Each process has its own.
    Distinct,
    /// All have the same.
    Alike,
    /// There are no pidfds.
    Missing,
}

/// Found out with one of our own.
pub(crate) fn pidfds() -> Pidfds {
    let own = sys::pidfd_open(sys::pid());
    match own.and_then(|pidfd| sys::is_on_pidfs(pidfd.as_fd())) {
        Ok(true) => Pidfds::Distinct,
        Ok(false) => Pidfds::Alike,
        Err(_) => Pidfds::Missing,
    }
}

/// A process, as it was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    /// By its number in our PID namespace.
    Ours(i32),
    /// By the number that /proc has for it.
    InProc(i32),
}

impl Process {
    /// The one of a path in /proc, and the kind of namespace that the path names.
    pub(crate) fn in_path(path: &OsStr) -> Option<(Process, Option<Kind>)> {
        let path = path.as_bytes().strip_prefix(b"/proc/")?;
        let mut parts = path.splitn(2, |&byte| byte == b'/');
        let pid = i32::try_from(decimal(parts.next()?)?).ok()?;
        let file = parts.next().and_then(|rest| rest.strip_prefix(b"ns/"));
        Some((Process::InProc(pid), file.and_then(Kind::from_name)))
    }

    /// The kind of namespace that a path in /proc names, whoever's it is.
    pub(crate) fn kind_in_path(path: &OsStr) -> Option<Kind> {
        let path = path.as_bytes().strip_prefix(b"/proc/")?;
        let name = path.split(|&byte| byte == b'/').next_back()?;
        let directory = path.strip_suffix(name)?;
        directory
            .ends_with(b"/ns/")
            .then(|| Kind::from_name(name))?
    }

    /// Its number in /proc, if it can be told, and whether it is there, if that is known without /proc.
    fn find(self, proc: &Proc) -> (Option<i32>, Option<bool>) {
        let pid = match self {
            Process::InProc(pid) => return (Some(pid), None),
            Process::Ours(pid) => pid,
        };
        match sys::pidfd_open(pid) {
            Ok(pidfd) => match proc.number_of(pidfd.as_fd()) {
                Ok(Some(Number::Is(number))) => (Some(number), Some(true)),
                Ok(Some(Number::Ended)) => (None, Some(false)),
                // Before Linux 5.14 who is not dumpable may not read this of itself either.
                Err(error) if error.raw() == libc::EACCES && proc.counts_as_we_do() => {
                    (Some(pid), Some(true))
                }
                _ => (None, Some(true)),
            },
            Err(error) if error.raw() == libc::ESRCH => (None, Some(false)),
            // A thread, or a kernel without pidfds.
            Err(_) => (proc.counts_as_we_do().then_some(pid), None),
        }
    }

    /// Its number in /proc.
    pub(crate) fn number(self, proc: &Proc) -> Option<i32> {
        self.find(proc).0
    }

    /// What can be seen of it; `hidden`: whether /proc hides the processes of others from us.
    pub(crate) fn look_at(self, proc: &Proc, hidden: Option<bool>) -> TargetFacts {
        let (Process::Ours(pid) | Process::InProc(pid)) = self;
        let (number, exists) = self.find(proc);
        let file = |name: &str| Some(format!("{}{name}", number?));
        let stat = |name: &str| file(name).map(|path| proc.stat(&path));
        let seen = match stat("") {
            Some(Ok(_)) => Some(true),
            Some(Err(error)) if error.raw() == libc::ENOENT => Some(false),
            _ => None,
        };
        let status = file("/status").and_then(|path| Status::read(proc, &path));
        let three = |ids: [u32; 4]| [ids[0], ids[1], ids[2]];
        TargetFacts {
            pid,
            proc_is_there: Some(access(proc) != Some(ProcAccess::Missing)),
            hidden,
            exists: exists.or(seen),
            state: status.as_ref().map(|status| status.state),
            uids: status.as_ref().map(|status| three(status.uids)),
            gids: status.as_ref().map(|status| three(status.gids)),
            files_of: stat("/status").and_then(|stat| Some(stat.ok()?.st_uid)),
            has_our_map: number.and_then(|number| {
                let map = |process: &str| map_of(proc, process, Ids::Uid).ok();
                match (map(&number.to_string()), map("self")) {
                    (Some(its), Some(ours)) => Some(its == ours),
                    // There are no maps then.
                    _ => is_missing(proc, Kind::User).then_some(true),
                }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn processes_and_kinds_in_paths() {
        let process = |path: &str| Process::in_path(path.as_ref());
        let of = |pid, kind| Some((Process::InProc(pid), kind));
        assert_eq!(process("/proc/12/ns/net"), of(12, Some(Kind::Net)));
        assert_eq!(process("/proc/12/ns/x"), of(12, None));
        assert_eq!(process("/proc/12/net"), of(12, None));
        assert_eq!(process("/proc/12"), of(12, None));
        for none in [
            "/proc/self/ns/net",
            "/proc//12",
            "/proc/2147483648",
            "/run/12",
            "proc/12",
        ] {
            assert_eq!(process(none), None, "{none}");
        }
        let kind = |path: &str| Process::kind_in_path(path.as_ref());
        for path in [
            "/proc/12/ns/uts",
            "/proc/self/ns/uts",
            "/proc/1/task/2/ns/uts",
        ] {
            assert_eq!(kind(path), Some(Kind::Uts), "{path}");
        }
        for none in [
            "/proc/12/uts",
            "/proc/12/ns/",
            "/proc/12/ns/uts/x",
            "/proc/12/xns/uts",
            "/run/12/ns/uts",
        ] {
            assert_eq!(kind(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_seen_of_ourselves() {
        let proc = Proc::default();
        let own = sys::pid();
        let status = Status::read(&proc, "self/status").unwrap();
        let three = |ids: [u32; 4]| Some([ids[0], ids[1], ids[2]]);
        let expected = TargetFacts {
            pid: own,
            proc_is_there: Some(true),
            hidden: Some(false),
            exists: Some(true),
            state: None,
            uids: three(status.uids),
            gids: three(status.gids),
            files_of: std::fs::metadata("/proc/self/status")
                .ok()
                .map(|file| file.uid()),
            has_our_map: Some(true),
        };
        for process in [Process::Ours(own), Process::InProc(own)] {
            assert_eq!(process.number(&proc), Some(own));
            let mut seen = process.look_at(&proc, Some(false));
            // It sleeps or runs.
            assert!(matches!(seen.state.take(), Some(b'R' | b'S')));
            assert_eq!(seen, expected, "{process:?}");
        }
        assert_eq!(Process::Ours(own).find(&proc), (Some(own), Some(true)));
        assert_eq!(Process::InProc(own).find(&proc), (Some(own), None));
    }

    #[test]
    fn a_thread_is_looked_at_by_its_number() {
        let other = std::thread::spawn(|| {
            let proc = Proc::default();
            let thread = nix::unistd::gettid().as_raw();
            assert_eq!(Process::Ours(thread).find(&proc), (Some(thread), None));
            let seen = Process::Ours(thread).look_at(&proc, None);
            assert_eq!((seen.exists, seen.state), (Some(true), Some(b'R')));
        });
        other.join().unwrap();
    }

    #[test]
    fn nothing_is_seen_of_who_is_not_there() {
        let proc = Proc::default();
        // More processes than that no kernel has (proc_sys_kernel(5), pid_max).
        let none = i32::MAX;
        let expected = TargetFacts {
            pid: none,
            proc_is_there: Some(true),
            exists: Some(false),
            ..TargetFacts::default()
        };
        assert_eq!(Process::Ours(none).number(&proc), None);
        assert_eq!(Process::Ours(none).look_at(&proc, None), expected);
        assert_eq!(Process::InProc(none).look_at(&proc, None), expected);
    }

    /// Whoever has ended is there until its parent has asked for it.
    #[test]
    fn the_dead_are_seen_until_they_are_waited_for() {
        let proc = Proc::default();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let process = Process::Ours(i32::try_from(child.id()).unwrap());
        let pidfd = sys::pidfd_open(child.id() as i32).unwrap();
        sys::wait_readable([pidfd.as_fd()]).unwrap();
        let seen = process.look_at(&proc, None);
        assert_eq!((seen.exists, seen.state), (Some(true), Some(b'Z')));
        child.wait().unwrap();
        assert_eq!(process.look_at(&proc, None).exists, Some(false));
    }

    #[test]
    fn pidfds_are_distinct_where_their_inodes_are() {
        let inode = |pid| {
            sys::stat_fd(sys::pidfd_open(pid).unwrap().as_fd())
                .unwrap()
                .st_ino
        };
        let expected = match inode(sys::pid()) == inode(1) {
            true => Pidfds::Alike,
            false => Pidfds::Distinct,
        };
        assert_eq!(pidfds(), expected);
    }
}
