//! Gathers facts, after a failure and in the process that failed. Only those are read that the stage needs.
//!
//! The hard thing: nothing here may change anything, wait, or need what may just be missing, /proc included. Where
//! another mount namespace or root directory was entered, only what lies in our own proc is read.

use std::os::fd::AsFd;

use crate::failure::{Failure, Stage};
use crate::host::bounds::{limits, memory, processes};
use crate::host::clock::{Offsets, offset_range};
use crate::host::executable;
use crate::host::facts::Facts;
use crate::host::map_program::{helper, sub_ranges};
use crate::host::place::{mounts, place, procs, root_is_mount};
use crate::host::procfs::{number_at, status, text_at};
use crate::host::target::{Process, in_proc, namespaces, owner, pidfds, process, target};
use crate::model::value::Setgroups;
use crate::model::{Clock, IdMap, Ids, Kind, Kinds};
use crate::sys::{self, For, Limit, Proc};

/// The facts for a failure.
pub(super) fn gather(failure: &Failure, proc: &Proc) -> Facts {
    let mut facts = Facts::default();
    let errno = failure.error.map_or(0, sys::Error::raw);
    let refused = matches!(errno, libc::EPERM | libc::EACCES | libc::ENOSYS);
    match &failure.stage {
        // The line says it all: nothing of the machine was asked.
        Stage::CommandLine => {}
        Stage::Unshare(kinds) => {
            facts.read_process(proc);
            facts.read_unshare(proc, *kinds, errno);
        }
        Stage::Fork | Stage::Wait => {
            facts.read_process(proc);
            match errno {
                libc::EAGAIN => facts.read_bounds(proc),
                libc::ENOMEM | libc::EINVAL => {
                    facts.unentered = unentered(proc);
                    facts.memory = memory(proc);
                    facts.kernel = kernel(proc);
                }
                _ => {}
            }
        }
        Stage::Map { .. } | Stage::Setgroups => {
            facts.read_process(proc);
            facts.read_maps(proc);
            facts.read_apparmor(proc);
            facts.kernel = kernel(proc);
            facts.proc_is_read_only = proc_is_read_only(proc);
        }
        Stage::MapProgram { ids, .. } => {
            facts.read_process(proc);
            facts.helper = Some(helper(*ids));
            facts.subids = sub_ranges(*ids, sys::real_uid());
        }
        Stage::Clock { clock, .. } => {
            facts.read_process(proc);
            facts.offsets = offsets(proc, *clock);
            facts.proc_is_read_only = proc_is_read_only(proc);
        }
        Stage::Propagation => {
            facts.read_process(proc);
            facts.read_mounting(proc, refused);
        }
        Stage::Mount { kind, target } => {
            facts.read_process(proc);
            facts.read_mounting(proc, refused);
            facts.place = Some(place(proc, target));
            if *kind == "proc" && refused {
                facts.read_proc(proc);
            }
        }
        Stage::Bind { file, .. } => {
            facts.read_process(proc);
            facts.read_mounting(proc, refused);
            facts.place = Some(place(proc, file));
        }
        Stage::Target(pid) => {
            facts.read_target(proc, process(proc, *pid), None);
            if errno == libc::EOPNOTSUPP {
                facts.pidfds = Some(pidfds());
            }
        }
        Stage::Open(path) => match in_proc(path) {
            Some((number, kind)) => {
                facts.read_target(proc, Process::called(number), kind);
            }
            None => {
                facts.uid = Some(sys::effective_uid());
                facts.place = Some(place(proc, path));
            }
        },
        Stage::Enter { kinds, pid } => {
            facts.read_process(proc);
            facts.setns_probe = sys::probe_setns(kinds.flags());
            let process = pid.map(|pid| process(proc, pid));
            facts.namespaces = namespaces(proc, *kinds, process, failure.subject.as_ref());
            if let Some(process) = process {
                facts.read_target(proc, process, None);
            }
        }
        Stage::Groups | Stage::Gid(_) | Stage::Uid(_) => {
            facts.read_process(proc);
            facts.read_maps(proc);
        }
        Stage::Execute(executed) => {
            facts.program = Some(executable::look_up(
                &executed.file,
                executed.path.as_deref(),
                None,
            ));
            if errno == libc::EAGAIN {
                facts.read_process(proc);
                facts.read_bounds(proc);
            }
        }
        Stage::WrongKind { .. } => {}
        Stage::Root(Some(path)) | Stage::Directory(Some(path)) => {
            facts.read_process(proc);
            facts.place = Some(place(proc, path));
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
        | Stage::Report => facts.read_process(proc),
    }
    facts
}

impl Facts {
    /// What we are.
    pub(super) fn read_process(&mut self, proc: &Proc) {
        self.capabilities = sys::capabilities().ok().map(|held| held.effective);
        self.uid = Some(sys::effective_uid());
        self.gid = Some(sys::effective_gid());
        self.sees_proc = Some(proc.stat("self").is_ok());
        if let Some(status) = status(proc, "self/status") {
            self.seccomp = status.seccomp;
            self.no_new_privs = status.no_new_privs;
        }
    }

    /// What unshare(2) depends on.
    pub(super) fn read_unshare(&mut self, proc: &Proc, kinds: Kinds, errno: i32) {
        self.unshare_probe = sys::probe_unshare(kinds.flags());
        match errno {
            libc::EINVAL => {
                self.kinds = self::kinds(proc);
                self.unentered = unentered(proc);
            }
            libc::ENOSPC => self.limits = limits(proc, kinds),
            libc::EAGAIN => self.read_bounds(proc),
            _ => {
                self.read_maps(proc);
                self.read_apparmor(proc);
                self.userns_clone = number_at(proc, "sys/kernel/unprivileged_userns_clone");
                self.root_is_mount = root_is_mount(proc);
            }
        }
    }

    /// The ID maps of our user namespace.
    pub(super) fn read_maps(&mut self, proc: &Proc) {
        let map = |path: &str| IdMap::parse(&proc.read(path, Limit::FILE).ok()?);
        self.uid_map = map("self/uid_map");
        self.gid_map = map("self/gid_map");
        self.setgroups =
            text_at(proc, "self/setgroups").and_then(|text| Setgroups::parse(text.as_ref()).ok());
    }

    /// What bounds the number of processes.
    fn read_bounds(&mut self, proc: &Proc) {
        self.read_maps(proc);
        self.processes = processes(proc);
        if self.is_mapped(Ids::Uid) == Some(false) {
            // Then all users without an ID here look alike.
            self.processes.ours = None;
        }
    }

    /// What AppArmor does to user namespaces.
    pub(super) fn read_apparmor(&mut self, proc: &Proc) {
        self.apparmor_restricts =
            number_at(proc, "sys/kernel/apparmor_restrict_unprivileged_userns");
        self.label = text_at(proc, "self/attr/apparmor/current")
            .or_else(|| text_at(proc, "self/attr/current"))
            .filter(|label| !label.is_empty());
    }

    /// What mount(2) depends on.
    pub(super) fn read_mounting(&mut self, proc: &Proc, refused: bool) {
        self.root_is_mount = root_is_mount(proc);
        if refused {
            self.mount_probe = sys::probe_mount();
            self.read_apparmor(proc);
        }
    }

    /// What a new proc depends on.
    pub(super) fn read_proc(&mut self, proc: &Proc) {
        self.pid_owner = proc
            .open("self/ns/pid", For::Reading)
            .ok()
            .and_then(|pid| owner(proc, pid.as_fd()).map(|(relation, _)| relation));
        self.procs = mounts(proc).map(|mounts| procs(&mounts));
        self.unentered = unentered(proc);
        self.read_maps(proc);
    }

    /// What opening a process's files depends on.
    fn read_target(&mut self, proc: &Proc, process: Process, kind: Option<Kind>) {
        if self.capabilities.is_none() {
            self.read_process(proc);
        }
        self.kinds = kinds(proc);
        self.target = Some(target(proc, process, kind));
    }
}

/// Whether files that set a namespace up cannot be written.
fn proc_is_read_only(proc: &Proc) -> Option<bool> {
    let file = proc.open("self/uid_map", For::Path).ok()?;
    Some(sys::forbidden_on_fd(file.as_fd()).ok()?.writing)
}

/// The kinds that this kernel has.
fn kinds(proc: &Proc) -> Option<Kinds> {
    proc.stat("self/ns").ok()?;
    let exists = |kind: &Kind| proc.lstat(&format!("self/ns/{kind}")).is_ok();
    Some(Kind::ALL.into_iter().filter(exists).collect())
}

/// The kinds in which our children will be elsewhere than we are.
fn unentered(proc: &Proc) -> Option<Kinds> {
    let mut differing = Kinds::NONE;
    let link = |file: &str| proc.read_link(&format!("self/ns/{file}"));
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
fn kernel(proc: &Proc) -> Option<(u32, u32)> {
    let text = text_at(proc, "sys/kernel/osrelease")?;
    let mut numbers = text
        .split(|character: char| !character.is_ascii_digit())
        .map(|digits| digits.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// The offsets that a clock takes.
fn offsets(proc: &Proc, clock: Clock) -> Option<std::ops::RangeInclusive<i64>> {
    // Of the namespace that we are in; the new one is for our children.
    let current = Offsets::parse(&proc.read("self/timens_offsets", Limit::FILE).ok()?);
    let offset = current.map_or(0, |offsets| match clock {
        Clock::Monotonic => offsets.monotonic,
        Clock::Boottime => offsets.boottime,
    });
    Some(offset_range(sys::clock(clock == Clock::Boottime), offset))
}
