//! The facts that rules look at: plain data, each of it unknown until it was read.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::host::format::Format;
use crate::model::value::Setgroups;
use crate::model::{IdMap, Ids, Kind, Kinds};
use crate::sys;

/// What was seen after a failure. `None`, or an empty list: not looked at, or it could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The capabilities in force, a bit each.
    pub(crate) capabilities: Option<u64>,
    /// Whether our files in /proc can be read at all.
    pub(crate) sees_proc: Option<bool>,
    /// Whether nothing in /proc can be written, whoever we are.
    pub(crate) proc_is_read_only: Option<bool>,
    /// The effective user ID; the overflow one where ours is not mapped (user_namespaces(7)).
    pub(crate) uid: Option<u32>,
    /// The effective group ID, likewise.
    pub(crate) gid: Option<u32>,
    /// The map of our user namespace.
    pub(crate) uid_map: Option<IdMap>,
    /// The map of our user namespace.
    pub(crate) gid_map: Option<IdMap>,
    /// Whether setgroups(2) is allowed in it.
    pub(crate) setgroups: Option<Setgroups>,
    /// The seccomp mode: 0 none, 1 strict, 2 filter.
    pub(crate) seccomp: Option<u32>,
    /// Whether no program that is executed gets more privilege.
    pub(crate) no_new_privs: Option<bool>,
    /// What an unshare(2) was answered to which every kernel says `EINVAL`.
    pub(crate) unshare_probe: Option<sys::Error>,
    /// What a setns(2) was answered to which every kernel says `EBADF`.
    pub(crate) setns_probe: Option<sys::Error>,
    /// What a mount(2) was answered to which every kernel says `EFAULT`.
    pub(crate) mount_probe: Option<sys::Error>,
    /// `kernel.unprivileged_userns_clone`, of Debian's kernels.
    pub(crate) userns_clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns`.
    pub(crate) apparmor_restricts: Option<u64>,
    /// Our security attribute.
    pub(crate) label: Option<String>,
    /// The kinds of namespaces that this kernel has.
    pub(crate) kinds: Option<Kinds>,
    /// `user.max_KIND_namespaces` of our user namespace.
    pub(crate) limits: Vec<(Kind, u64)>,
    /// Whether `/` is a mount point.
    pub(crate) root_is_mount: Option<bool>,
    /// The kinds (PID, time) in which children will be elsewhere than we.
    pub(crate) unentered: Option<Kinds>,
    /// The version of the kernel.
    pub(crate) kernel: Option<(u32, u32)>,
    /// Memory that can be had without swapping, in kB.
    pub(crate) memory: Option<u64>,
    /// The bounds on the number of processes.
    pub(crate) processes: Processes,
    /// The offsets, in seconds, that the clock of the failure takes.
    pub(crate) offsets: Option<RangeInclusive<i64>>,
    /// newuidmap(1) or newgidmap(1).
    pub(crate) helper: Option<MapProgram>,
    /// What may be mapped with its help.
    pub(crate) subids: Option<SubRanges>,
    /// The proc file systems that are mounted here; `None`: not looked at.
    pub(crate) procs: Option<Vec<ProcMount>>,
    /// To whom the PID namespace belongs that we are in.
    pub(crate) pid_owner: Option<Relation>,
    /// The file or directory of the failure.
    pub(crate) place: Option<Place>,
    /// The target process.
    pub(crate) target: Option<TargetFacts>,
    /// What a pidfd's inode tells.
    pub(crate) pidfds: Option<Pidfds>,
    /// The namespaces that were to be entered.
    pub(crate) namespaces: Vec<NamespaceFacts>,
    /// The program that was to be executed.
    pub(crate) program: Option<Executable>,
}

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

/// A program that writes maps with privilege.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MapProgram {
    /// Where `PATH` finds it.
    pub(crate) path: Option<OsString>,
    /// It is root's, with a set-user-ID bit.
    pub(crate) set_user_id: Option<bool>,
    /// It has file capabilities.
    pub(crate) capabilities: Option<bool>,
    /// It is on a mount where neither counts.
    pub(crate) nosuid: Option<bool>,
}

/// Our lines in /etc/subuid or /etc/subgid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SubRanges {
    /// Our name, or our number.
    pub(crate) owner: String,
    /// Whether we have an account; unknown where others than /etc/passwd are asked too.
    pub(crate) has_account: Option<bool>,
    /// First ID and count of each.
    pub(crate) ranges: Vec<(u32, u32)>,
    /// Other sources than the file are asked (nsswitch.conf(5), subid).
    pub(crate) elsewhere: bool,
}

/// A mounted proc.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProcMount {
    /// Where.
    pub(crate) point: PathBuf,
    /// It, or what it shows, is read-only.
    pub(crate) read_only: bool,
    /// What is mounted over parts of it.
    pub(crate) covered: Vec<PathBuf>,
}

/// Where a namespace, or the owner of one, stands to our user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// It is ours.
    Ours,
    /// Below ours.
    Below,
    /// Above ours, or beside it: the kernel does not tell which.
    Outside,
}

/// A file or directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// As it was named.
    pub(crate) path: OsString,
    /// The first part of the path that leads no further.
    pub(crate) obstacle: Option<Obstacle>,
    /// It is a directory.
    pub(crate) is_directory: Option<bool>,
    /// The mount that it lies on, and whether that is shared.
    pub(crate) mount: Option<(PathBuf, bool)>,
}

/// Why a path leads no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// There is nothing of this name.
    Missing(OsString),
    /// A symbolic link, and the text that leads nowhere.
    Dangling(OsString, OsString),
    /// This is no directory.
    NoDirectory(OsString),
    /// We may not search this directory.
    Closed(OsString),
}

/// The target process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TargetFacts {
    /// Its number.
    pub(crate) pid: i32,
    /// The kind that was wanted of it.
    pub(crate) kind: Option<Kind>,
    /// Whether /proc shows processes at all.
    pub(crate) proc_is_there: Option<bool>,
    /// Whether /proc hides those of others (proc(5), hidepid).
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

/// A namespace that was to be entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamespaceFacts {
    /// As which kind.
    pub(crate) asked: Kind,
    /// Why it could not be opened to be looked at.
    pub(crate) closed: Option<sys::Error>,
    /// Whether it is a namespace at all.
    pub(crate) is_namespace: Option<bool>,
    /// Which kind it is.
    pub(crate) found: Option<Kind>,
    /// Whether we are in it.
    pub(crate) is_ours: Option<bool>,
    /// Whether it is below our PID namespace (asked for those only).
    pub(crate) descends: Option<bool>,
    /// The user namespace that it is, or that owns it.
    pub(crate) owner: Option<Relation>,
    /// The user who owns, of the user namespaces from there up to ours, the one next to ours.
    pub(crate) owner_uid: Option<u32>,
}

impl NamespaceFacts {
    /// Nothing known of it yet.
    pub(crate) fn asked(kind: Kind) -> NamespaceFacts {
        NamespaceFacts {
            asked: kind,
            closed: None,
            is_namespace: None,
            found: None,
            is_ours: None,
            descends: None,
            owner: None,
            owner_uid: None,
        }
    }
}

/// The program that was to be executed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Executable {
    /// The directories that it was looked up in; empty when its name has a slash.
    pub(crate) searched: Vec<OsString>,
    /// The file that was found.
    pub(crate) found: Option<OsString>,
    /// The first part of its path that leads no further, when its name has a slash.
    pub(crate) obstacle: Option<Obstacle>,
    /// It is a directory.
    pub(crate) is_directory: bool,
    /// It is a regular file.
    pub(crate) is_file: bool,
    /// Its permission bits.
    pub(crate) mode: u32,
    /// Its user and group.
    pub(crate) owner: (u32, u32),
    /// Its mount forbids execution.
    pub(crate) noexec: Option<bool>,
    /// Whether we may execute it, by permissions and mount.
    pub(crate) may_execute: Option<bool>,
    /// What it is.
    pub(crate) format: Option<Format>,
    /// What it needs, and what that needs.
    pub(crate) needs: Vec<Need>,
}

/// A file that is needed to execute another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    /// Which file needs it.
    pub(crate) by: OsString,
    /// As what.
    pub(crate) role: Role,
    /// Its path.
    pub(crate) path: OsString,
    /// Whether it is there.
    pub(crate) exists: bool,
    /// Whether we may execute it.
    pub(crate) may_execute: bool,
}

/// What a program needs another file for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its `#!` line names it.
    Interpreter,
    /// Its ELF header names it.
    Loader,
    /// It is no program that the kernel knows, so execvp(3) gives it to /bin/sh.
    Shell,
}

impl Facts {
    /// Whether a capability is in force.
    pub(crate) fn has(&self, capability: Capability) -> Option<bool> {
        Some(self.capabilities? & 1 << capability as u32 != 0)
    }

    /// Whether this ID of ours exists in our user namespace.
    pub(crate) fn is_mapped(&self, ids: Ids) -> Option<bool> {
        let (id, map) = match ids {
            Ids::Uid => (self.uid?, self.uid_map.as_ref()?),
            Ids::Gid => (self.gid?, self.gid_map.as_ref()?),
        };
        Some(holds(map, id))
    }

    /// Whether all IDs are there, as in the initial user namespace.
    pub(crate) fn has_all_ids(&self) -> Option<bool> {
        let extents = self.uid_map.as_ref()?.extents();
        Some(matches!(extents, [all] if all.count() == u32::MAX))
    }

    /// What was looked at, for when nothing fits.
    pub(crate) fn looked_at(&self) -> String {
        let mut all: Vec<String> = Vec::new();
        let mut say = |text: String| all.push(text);
        if let Some(uid) = self.uid {
            say(format!("user {uid}"));
        }
        if let Some(set) = self.capabilities {
            say(format!("CapEff {set:016x}"));
        }
        if let Some(mode) = self.seccomp {
            say(format!("Seccomp {mode}"));
        }
        if let Some(set) = self.no_new_privs {
            say(format!("NoNewPrivs {}", u8::from(set)));
        }
        for (name, number) in [
            ("kernel.unprivileged_userns_clone", self.userns_clone),
            (
                "kernel.apparmor_restrict_unprivileged_userns",
                self.apparmor_restricts,
            ),
            ("RLIMIT_NPROC", self.processes.limit),
            ("kernel.threads-max", self.processes.threads_max),
            ("kernel.pid_max", self.processes.pid_max),
            ("MemAvailable in kB", self.memory),
        ] {
            if let Some(number) = number {
                say(format!("{name} {number}"));
            }
        }
        for (kind, limit) in &self.limits {
            say(format!("user.max_{kind}_namespaces {limit}"));
        }
        for (path, current, max) in &self.processes.cgroups {
            say(format!(
                "pids.max {max} of {} ({current} now)",
                path.display()
            ));
        }
        if let Some(label) = &self.label {
            say(format!("security attribute {label}"));
        }
        let looked: [(&str, bool); 12] = [
            ("the ID maps", self.uid_map.is_some()),
            ("setgroups", self.setgroups.is_some()),
            ("a probe of unshare(2)", self.unshare_probe.is_some()),
            ("a probe of setns(2)", self.setns_probe.is_some()),
            ("a probe of mount(2)", self.mount_probe.is_some()),
            ("the kinds in /proc/self/ns", self.kinds.is_some()),
            (
                "the mounts",
                self.root_is_mount.is_some() || self.procs.is_some(),
            ),
            ("the file", self.place.is_some()),
            ("the target process", self.target.is_some()),
            ("the namespaces", !self.namespaces.is_empty()),
            ("the helper program", self.helper.is_some()),
            ("the program", self.program.is_some()),
        ];
        for (what, seen) in looked {
            if seen {
                say(what.to_owned());
            }
        }
        if self.sees_proc == Some(false) {
            say("no more, for /proc is not mounted here".to_owned());
        }
        all.join(", ")
    }
}

/// Whether a map has this ID on its inner side.
pub(crate) fn holds(map: &IdMap, id: u32) -> bool {
    map.extents()
        .iter()
        .any(|extent| (extent.inside()..extent.inside() + extent.count()).contains(&id))
}

/// Capabilities that matter here, by their numbers (capabilities(7), `linux/capability.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capability {
    /// `CAP_SETGID`.
    Setgid = 6,
    /// `CAP_SETUID`.
    Setuid = 7,
    /// `CAP_SYS_CHROOT`.
    SysChroot = 18,
    /// `CAP_SYS_PTRACE`.
    SysPtrace = 19,
    /// `CAP_SYS_ADMIN`.
    SysAdmin = 21,
    /// `CAP_SYS_RESOURCE`.
    SysResource = 24,
    /// `CAP_SYS_TIME`.
    SysTime = 25,
    /// `CAP_SETFCAP`.
    Setfcap = 31,
}

impl Capability {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Capability::Setgid => "CAP_SETGID",
            Capability::Setuid => "CAP_SETUID",
            Capability::SysChroot => "CAP_SYS_CHROOT",
            Capability::SysPtrace => "CAP_SYS_PTRACE",
            Capability::SysAdmin => "CAP_SYS_ADMIN",
            Capability::SysResource => "CAP_SYS_RESOURCE",
            Capability::SysTime => "CAP_SYS_TIME",
            Capability::Setfcap => "CAP_SETFCAP",
        }
    }
}
