//! Bounds on what the kernel lets us have: processes, namespaces, memory.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::mountinfo::Mount;
use super::procfs::{Cgroup, Status, number_at, number_of, text_at, text_of};
use crate::model::{Kind, Kinds};
use crate::sys::{self, For, Limit, Proc};

/// Bounds on the number of processes, and what they count now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Processes {
    /// RLIMIT_NPROC.
    pub(crate) limit: Option<u64>,
    /// The threads of our user.
    pub(crate) ours: Option<u64>,
    /// Cgroups with a pids.max: their directory, pids.current and pids.max.
    pub(crate) cgroups: Vec<(PathBuf, u64, u64)>,
    /// `kernel.threads-max`.
    pub(crate) threads_max: Option<u64>,
    /// `kernel.pid_max`.
    pub(crate) pid_max: Option<u64>,
    /// All threads of the machine.
    pub(crate) all: Option<u64>,
}

impl Processes {
    /// What is known of it, in words.
    pub(crate) fn told(&self) -> String {
        let numbers = [
            ("RLIMIT_NPROC", self.limit),
            ("threads of our user", self.ours),
            ("kernel.threads-max", self.threads_max),
            ("kernel.pid_max", self.pid_max),
        ];
        let numbers = numbers.into_iter();
        let numbers = numbers.filter_map(|(name, number)| Some(format!("{name} {}", number?)));
        let cgroups = self.cgroups.iter().map(|(path, current, max)| {
            format!("pids.max {max} of {} ({current} now)", path.display())
        });
        numbers.chain(cgroups).collect::<Vec<_>>().join(", ")
    }
}

/// `user.max_KIND_namespaces`, of those kinds that the kernel limits: for each user separately (namespaces(7)).
pub(crate) fn limits(proc: &Proc, kinds: Kinds) -> Vec<(Kind, u64)> {
    let limit = |kind| number_at(proc, &format!("sys/user/max_{kind}_namespaces"));
    let limits = kinds.iter().map(|kind| Some((kind, limit(kind)?)));
    limits.flatten().collect()
}

/// Memory that can be had, in kB (proc_meminfo(5)).
pub(crate) fn memory(proc: &Proc) -> Option<u64> {
    let text = text_at(proc, "meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The bounds on the number of processes.
///
/// `is_mapped`: our user has an ID here. Those that have none look all alike.
pub(crate) fn processes(proc: &Proc, mounts: &[Mount], is_mapped: bool) -> Processes {
    Processes {
        limit: sys::thread_limit().ok().flatten(),
        ours: is_mapped
            .then(|| threads_of(proc, sys::real_uid()))
            .flatten(),
        cgroups: pids_cgroups(mounts, proc).unwrap_or_default(),
        threads_max: number_at(proc, "sys/kernel/threads-max"),
        pid_max: number_at(proc, "sys/kernel/pid_max"),
        // The fourth field of loadavg: running/all (proc_loadavg(5)).
        all: text_at(proc, "loadavg").and_then(|text| {
            let field = text.split(' ').nth(3)?;
            field.split_once('/')?.1.parse().ok()
        }),
    }
}

/// How many threads a user has, as far as /proc shows processes.
fn threads_of(proc: &Proc, uid: u32) -> Option<u64> {
    let proc = proc.open(".", For::Directory).ok()?;
    let mut threads = 0;
    let mut room = [0; 4096];
    let each = |pid: &CStr| {
        let pid = OsStr::from_bytes(pid.to_bytes());
        if !pid.as_bytes().iter().all(u8::is_ascii_digit) {
            return;
        }
        let mut path = pid.to_owned();
        path.push("/status");
        // Processes end while they are counted.
        let status = sys::read_file_at(proc.as_fd(), &path, Limit::FILE).ok();
        if let Some(status) = status.and_then(|text| Status::parse(&text))
            && status.uids[0] == uid
        {
            threads += u64::from(status.threads);
        }
    };
    sys::each_name(proc.as_fd(), &mut room, each).ok()?;
    Some(threads)
}

/// The cgroups that we are in, upwards, which bound the number of processes.
fn pids_cgroups(mounts: &[Mount], proc: &Proc) -> Option<Vec<(PathBuf, u64, u64)>> {
    let cgroups = Cgroup::parse(&proc.read("self/cgroup", Limit::FILE).ok()?)?;
    let mut bounds = Vec::new();
    for cgroup in cgroups {
        let counts = cgroup.is_unified() || cgroup.each_controller().any(|name| name == "pids");
        let Some(directory) = cgroup.directory(mounts).filter(|_| counts) else {
            continue;
        };
        for directory in directory.ancestors() {
            let read = |name: &str| of_cgroup(directory.join(name).as_os_str());
            // `max` is no number: no bound.
            if let (Some(current), Some(max)) = (read("pids.current"), read("pids.max")) {
                bounds.push((directory.to_owned(), current, max));
            }
            if mounts.iter().any(|mount| mount.point == directory) {
                break;
            }
        }
    }
    Some(bounds)
}

/// A number in a file of a cgroup; in that of nothing else, whatever lies at its place.
fn of_cgroup(path: &OsStr) -> Option<u64> {
    let file = sys::open_regular(path).ok()?;
    is_of_cgroups(file.as_fd()).then_some(())?;
    number_of(&text_of(sys::read_all(file.as_fd(), Limit::FILE).ok()?)?)
}

/// Whether a file or directory is one of the kernel's cgroups.
pub(super) fn is_of_cgroups(file: BorrowedFd<'_>) -> bool {
    /// `CGROUP_SUPER_MAGIC` and `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
    const CGROUPS: [u64; 2] = [0x0027_e0eb, 0x6367_7270];
    sys::filesystem_magic(file).is_ok_and(|magic| CGROUPS.contains(&magic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_told() {
        assert_eq!(Processes::default().told(), "");
        let all = Processes {
            limit: Some(1),
            ours: Some(2),
            cgroups: vec![("/cg/a".into(), 5, 6), ("/cg".into(), 7, 8)],
            threads_max: Some(3),
            pid_max: Some(4),
            all: Some(9),
        };
        assert_eq!(
            all.told(),
            "RLIMIT_NPROC 1, threads of our user 2, kernel.threads-max 3, kernel.pid_max 4, \
             pids.max 6 of /cg/a (5 now), pids.max 8 of /cg (7 now)"
        );
    }

    /// The processes of our user, as they are listed.
    fn listed() -> std::collections::BTreeSet<std::ffi::OsString> {
        let names = std::fs::read_dir("/proc").unwrap().flatten();
        let numbers = names.map(|entry| entry.file_name());
        numbers
            .filter(|name| name.as_bytes().iter().all(u8::is_ascii_digit))
            .filter(|name| {
                let status = PathBuf::from("/proc").join(name).join("status");
                // Processes end while they are looked at.
                let status = Status::parse(&std::fs::read(status).unwrap_or_default());
                status.is_some_and(|status| status.uids[0] == sys::real_uid())
            })
            .collect()
    }

    #[test]
    fn threads_are_those_of_a_user() {
        let proc = Proc::default();
        // Others come and go; nobody has the ID below.
        let before = listed();
        let ours = std::thread::scope(|scope| {
            let (end, ended) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || ended.recv());
            let ours = threads_of(&proc, sys::real_uid());
            drop(end);
            ours
        });
        // Those that stayed, and a second thread of this one.
        let stayed = listed().intersection(&before).count() as u64;
        let least = stayed + 1;
        assert!(
            least >= 2 && ours.is_some_and(|count| count >= least),
            "{ours:?} of {least}"
        );
        assert_eq!(threads_of(&proc, 4_123_456_789), Some(0));
    }

    #[test]
    fn limits_of_the_kinds_that_were_asked_for() {
        let kinds = Kinds::NONE.with(Kind::Net).with(Kind::User);
        let limit = |kind: Kind| {
            let path = format!("/proc/sys/user/max_{kind}_namespaces");
            let text = std::fs::read_to_string(path).ok()?;
            Some((kind, text.trim().parse().unwrap()))
        };
        let expected: Vec<_> = kinds.iter().filter_map(limit).collect();
        assert_eq!(limits(&Proc::default(), kinds), expected);
    }

    #[test]
    fn what_this_machine_has() {
        let proc = Proc::default();
        let file = |name: &str| std::fs::read_to_string(format!("/proc/{name}")).unwrap();
        let memory = memory(&proc).unwrap();
        let total = file("meminfo");
        let total: u64 = total.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!((1024..=total).contains(&memory), "{memory} of {total}");
        let found = processes(&proc, &[], false);
        let number = |name: &str| file(name).trim().parse().ok();
        assert_eq!(found.pid_max, number("sys/kernel/pid_max"));
        assert_eq!(found.threads_max, number("sys/kernel/threads-max"));
        assert_eq!((found.ours, found.cgroups), (None, Vec::new()));
        assert!(found.all.is_some_and(|all| all > 1));
    }

    #[test]
    fn a_file_beside_the_cgroups_is_none_of_theirs() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "7\n").unwrap();
        assert_eq!(of_cgroup(file.path().as_os_str()), None);
    }
}
