//! Gathers facts, after a failure and in the process that failed. Only those are read that the stage needs.
//!
//! The hard thing: nothing here may change anything, wait, or need what may just be missing, /proc included.

mod bounds;
mod files;
mod helpers;
mod targets;

use std::os::fd::AsFd;

use super::facts::Facts;
use crate::failure::{Failure, Stage};
use crate::plan::clock::{Offsets, offset_range};
use crate::plan::number::decimal;
use crate::plan::procfs::Status;
use crate::plan::value::Setgroups;
use crate::plan::{Clock, IdMap, Ids, Kind, Kinds};
use crate::sys::{self, For};
use bounds::{limits, memory, processes};
use files::{mounts, place, procs, root_is_mount};
use helpers::{helper, sub_ranges};
use targets::{in_proc, namespaces, owner, target};

pub(super) use files::obstacle;
pub(super) use helpers::sub_file;

/// The facts for a failure.
pub(super) fn gather(failure: &Failure) -> Facts {
    let mut facts = Facts::default();
    let errno = failure.error.map_or(0, sys::Error::raw);
    let refused = matches!(errno, libc::EPERM | libc::EACCES | libc::ENOSYS);
    match &failure.stage {
        // The line says it all: nothing of the machine was asked.
        Stage::CommandLine => {}
        Stage::Unshare(kinds) => {
            facts.read_process();
            facts.read_unshare(*kinds, errno);
        }
        Stage::Fork | Stage::Wait => {
            facts.read_process();
            match errno {
                libc::EAGAIN => facts.read_bounds(),
                libc::ENOMEM | libc::EINVAL => {
                    facts.unentered = unentered();
                    facts.memory = memory();
                    facts.kernel = kernel();
                }
                _ => {}
            }
        }
        Stage::Map { .. } | Stage::Setgroups => {
            facts.read_process();
            facts.read_maps();
            facts.read_apparmor();
            facts.kernel = kernel();
            facts.proc_is_read_only = proc_is_read_only();
        }
        Stage::MapProgram { ids, .. } => {
            facts.read_process();
            facts.helper = Some(helper(*ids));
            facts.subids = sub_ranges(*ids, sys::real_uid());
        }
        Stage::Clock { clock, .. } => {
            facts.read_process();
            facts.offsets = offsets(*clock);
            facts.proc_is_read_only = proc_is_read_only();
        }
        Stage::Propagation => {
            facts.read_process();
            facts.read_mounting(refused);
        }
        Stage::Mount { kind, target } => {
            facts.read_process();
            facts.read_mounting(refused);
            facts.place = Some(place(target));
            if *kind == "proc" && refused {
                facts.read_proc();
            }
        }
        Stage::Bind { file, .. } => {
            facts.read_process();
            facts.read_mounting(refused);
            facts.place = Some(place(file));
        }
        Stage::Target(pid) => facts.read_target(*pid, None),
        Stage::Open(path) => match in_proc(path) {
            Some((pid, kind)) => facts.read_target(pid, kind),
            None => {
                facts.uid = Some(sys::effective_uid());
                facts.place = Some(place(path));
            }
        },
        Stage::Enter { kinds, pid } => {
            facts.read_process();
            facts.setns_probe = sys::probe_setns(kinds.flags());
            facts.namespaces = namespaces(*kinds, *pid, failure.subject.as_ref());
            if let Some(pid) = pid {
                facts.read_target(*pid, None);
            }
        }
        Stage::Groups | Stage::Gid(_) | Stage::Uid(_) => {
            facts.read_process();
            facts.read_maps();
        }
        Stage::Execute(executed) => {
            facts.program = Some(super::executable::look_up(executed, None));
            if errno == libc::EAGAIN {
                facts.read_process();
                facts.read_bounds();
            }
        }
        Stage::WrongKind { .. } => {}
        Stage::Root(Some(path)) | Stage::Directory(Some(path)) => {
            facts.read_process();
            facts.place = Some(place(path));
        }
        Stage::Become
        | Stage::Register
        | Stage::Root(None)
        | Stage::Directory(None)
        | Stage::Reference
        | Stage::Cgroup
        | Stage::Label
        | Stage::Capabilities
        | Stage::Hostname
        | Stage::Loopback
        | Stage::Report => facts.read_process(),
    }
    facts
}

impl Facts {
    /// What we are.
    pub(super) fn read_process(&mut self) {
        self.capabilities = sys::capabilities().ok().map(|held| held.effective);
        self.uid = Some(sys::effective_uid());
        self.gid = Some(sys::effective_gid());
        self.sees_proc = Some(sys::stat("/proc/self".as_ref()).is_ok());
        if let Some(status) = status("/proc/self/status") {
            self.seccomp = status.seccomp;
            self.no_new_privs = status.no_new_privs;
        }
    }

    /// What unshare(2) depends on.
    pub(super) fn read_unshare(&mut self, kinds: Kinds, errno: i32) {
        self.unshare_probe = sys::probe_unshare(kinds.flags());
        match errno {
            libc::EINVAL => {
                self.kinds = self::kinds();
                self.unentered = unentered();
            }
            libc::ENOSPC => self.limits = limits(kinds),
            libc::EAGAIN => self.read_bounds(),
            _ => {
                self.read_maps();
                self.read_apparmor();
                self.userns_clone = number("/proc/sys/kernel/unprivileged_userns_clone");
                self.root_is_mount = root_is_mount();
            }
        }
    }

    /// The ID maps of our user namespace.
    pub(super) fn read_maps(&mut self) {
        let map = |path: &str| IdMap::parse(&sys::read_file(path.as_ref()).ok()?);
        self.uid_map = map("/proc/self/uid_map");
        self.gid_map = map("/proc/self/gid_map");
        self.setgroups =
            text("/proc/self/setgroups").and_then(|text| Setgroups::parse(text.as_ref()).ok());
    }

    /// What bounds the number of processes.
    fn read_bounds(&mut self) {
        self.read_maps();
        self.processes = processes();
        if self.is_mapped(Ids::Uid) == Some(false) {
            // Then all users without an ID here look alike.
            self.processes.ours = None;
        }
    }

    /// What AppArmor does to user namespaces.
    pub(super) fn read_apparmor(&mut self) {
        self.apparmor_restricts = number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
        self.label = text("/proc/self/attr/apparmor/current")
            .or_else(|| text("/proc/self/attr/current"))
            .filter(|label| !label.is_empty());
    }

    /// What mount(2) depends on.
    pub(super) fn read_mounting(&mut self, refused: bool) {
        self.root_is_mount = root_is_mount();
        if refused {
            self.mount_probe = sys::probe_mount();
            self.read_apparmor();
        }
    }

    /// What a new proc depends on.
    pub(super) fn read_proc(&mut self) {
        self.pid_owner = sys::open("/proc/self/ns/pid".as_ref(), For::Reading)
            .ok()
            .and_then(|pid| owner(pid.as_fd()).map(|(relation, _)| relation));
        self.procs = mounts().map(|mounts| procs(&mounts));
        self.unentered = unentered();
        self.read_maps();
    }

    /// What opening a process's files depends on.
    pub(super) fn read_target(&mut self, pid: i32, kind: Option<Kind>) {
        if self.capabilities.is_none() {
            self.read_process();
        }
        self.kinds = kinds();
        self.target = Some(target(pid, kind));
    }
}

/// A file's text without its last newline and NULs, if it is text.
fn text(path: &str) -> Option<String> {
    let text = String::from_utf8(sys::read_file(path.as_ref()).ok()?).ok()?;
    Some(text.trim_end_matches(['\n', '\0']).to_owned())
}

/// A file that holds a number.
fn number(path: &str) -> Option<u64> {
    u64::try_from(decimal(text(path)?.as_bytes())?).ok()
}

fn status(path: &str) -> Option<Status> {
    Status::parse(&sys::read_file(path.as_ref()).ok()?)
}

/// Whether files that set a namespace up cannot be written.
fn proc_is_read_only() -> Option<bool> {
    let mount = sys::forbidden_on("/proc/self/uid_map".as_ref()).ok()?;
    Some(mount.writing)
}

/// The kinds that this kernel has.
pub(super) fn kinds() -> Option<Kinds> {
    sys::stat("/proc/self/ns".as_ref()).ok()?;
    let exists = |kind: &Kind| sys::lstat(format!("/proc/self/ns/{kind}").as_ref()).is_ok();
    Some(Kind::ALL.into_iter().filter(exists).collect())
}

/// The kinds in which our children will be elsewhere than we are.
pub(super) fn unentered() -> Option<Kinds> {
    let mut differing = Kinds::NONE;
    let link = |file: &str| sys::read_link(format!("/proc/self/ns/{file}").as_ref());
    for kind in [Kind::Pid, Kind::Time] {
        let ours = match link(kind.name()) {
            Ok(ours) => ours,
            // Not in this kernel; but without /proc nothing is known.
            Err(_) if kind == Kind::Time => continue,
            Err(_) => return None,
        };
        // Of a PID namespace that has had no process yet the link cannot be read (pid_namespaces(7)).
        if link(kind.file_for_children()).ok() != Some(ours) {
            differing = differing.with(kind);
        }
    }
    Some(differing)
}

/// The version of the kernel.
fn kernel() -> Option<(u32, u32)> {
    let text = text("/proc/sys/kernel/osrelease")?;
    let mut numbers = text
        .split(|character: char| !character.is_ascii_digit())
        .map(|digits| digits.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// The offsets that a clock takes.
fn offsets(clock: Clock) -> Option<std::ops::RangeInclusive<i64>> {
    // Of the namespace that we are in; the new one is for our children.
    let current = Offsets::parse(&sys::read_file("/proc/self/timens_offsets".as_ref()).ok()?);
    let offset = current.map_or(0, |offsets| match clock {
        Clock::Monotonic => offsets.monotonic,
        Clock::Boottime => offsets.boottime,
    });
    Some(offset_range(sys::clock(clock == Clock::Boottime), offset))
}
