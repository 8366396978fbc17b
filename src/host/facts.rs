//! Facts for finding causes: each is read when it is first asked for, and known from then on.
//!
//! The hard thing: to read one may change nothing, wait for nothing, and need nothing that may just be missing, /proc
//! included. Where another mount namespace or root directory was entered, only what lies in our own proc is read.

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;

use super::bounds::{self, Processes};
use super::capability::{self, Capability};
use super::executable::{self, Executable};
use super::ids::{map_of, setgroups_of};
use super::map_program::{MapProgram, SubRanges};
use super::mountinfo::{self, Mount, ProcMount};
use super::namespace::{self, NamespaceFacts, Relation};
use super::place::{self, Place};
use super::procfs::{self, ProcAccess, Status, number_at};
use super::target::{self, Pidfds, Process, TargetFacts};
use super::{clock, kinds};
use crate::model::value::Setgroups;
use crate::model::{Clock, IdMap, Ids, Kind, Kinds};
use crate::sys::{self, Proc};

/// A fact: not asked for yet, or known, or not to be read.
#[derive(Debug, Clone)]
pub(crate) struct Fact<T>(OnceCell<Option<T>>);

impl<T> Default for Fact<T> {
    fn default() -> Self {
        Fact(OnceCell::new())
    }
}

/// A fact that is known beforehand, or known not to be had.
impl<T> From<Option<T>> for Fact<T> {
    fn from(value: Option<T>) -> Self {
        Fact(OnceCell::from(value))
    }
}

/// A row a fact: `copy` or `lend` its name, what its reader must be told about it (that of the first question counts),
/// its type, its reader, and how it is called among what was looked at.
macro_rules! facts {
    ($(
        $(#[doc = $about:literal])+
        $how:ident $name:ident($($key:ident: $given:ty)?): $type:ty = $read:expr $(=> $told:expr)?;
    )*) => {
        /// What is known about the machine and this process. By default nothing is, and nothing is read.
        #[derive(Debug, Clone, Default)]
        pub(crate) struct Facts<'a> {
            /// Where facts are read; none for those that were recorded.
            pub(crate) proc: Option<&'a Proc>,
            $($(#[doc = $about])+ pub(crate) $name: Fact<$type>,)*
        }

        impl Facts<'_> {
            $(facts!(@$how $(#[doc = $about])+ $name($($key: $given)?): $type = $read);)*

            /// What each fact is called that was asked for, and could be read.
            fn told(&self) -> Vec<String> {
                let mut all = Vec::new();
                $($(
                    let told: fn(&$type) -> String = $told;
                    all.extend(self.$name.0.get().and_then(Option::as_ref).map(told));
                )?)*
                all
            }
        }
    };
    (@copy $(#[doc = $about:literal])+ $name:ident($($key:ident: $given:ty)?): $type:ty = $read:expr) => {
        $(#[doc = $about])+
        pub(crate) fn $name(&self $(, $key: $given)?) -> Option<$type> {
            let read: fn(&Self, &Proc $(, $given)?) -> Option<$type> = $read;
            *self.$name.0.get_or_init(|| read(self, self.proc? $(, $key)?))
        }
    };
    (@lend $(#[doc = $about:literal])+ $name:ident($($key:ident: $given:ty)?): $type:ty = $read:expr) => {
        $(#[doc = $about])+
        pub(crate) fn $name(&self $(, $key: $given)?) -> Option<&$type> {
            let read: fn(&Self, &Proc $(, $given)?) -> Option<$type> = $read;
            self.$name.0.get_or_init(|| read(self, self.proc? $(, $key)?)).as_ref()
        }
    };
}

facts! {
    /// The effective user ID; the overflow one where ours is not mapped (user_namespaces(7)).
    copy uid(): u32 = |_, _| Some(sys::effective_uid()) => |uid| format!("user {uid}");
    /// The real user ID, whose processes are counted.
    copy real_uid(): u32 = |_, _| Some(sys::real_uid());
    /// The effective group ID, likewise.
    copy gid(): u32 = |_, _| Some(sys::effective_gid());
    /// The capabilities in force, a bit each, of which a security module may have taken some (capget(2)).
    copy capabilities(): u64 = |_, _| capability::effective();
    /// Those that we hold, before any module is asked.
    copy cap_eff(): u64 = |facts, _| Some(facts.status()?.cap_effective) => |set| format!("CapEff {set:016x}");
    /// Whether our files in /proc can be read at all.
    copy proc_access(): ProcAccess = |_, proc| procfs::access(proc);
    /// Our own.
    lend status(): Status = |_, proc| Status::read(proc, "self/status");
    /// The seccomp mode: 0 none, 1 strict, 2 filter.
    copy seccomp(): u32 = |facts, _| {
        facts.status().and_then(|status| status.seccomp).or_else(|| sys::seccomp_mode().ok())
    } => |mode| format!("Seccomp {mode}");
    /// Whether no program that is executed gets more privilege.
    copy no_new_privs(): bool = |facts, _| facts.status()?.no_new_privs => |set| format!("NoNewPrivs {}", u8::from(*set));
    /// How many threads we are.
    copy threads(): u32 = |facts, _| Some(facts.status()?.threads) => |threads| format!("Threads {threads}");
    /// `kernel.unprivileged_userns_clone`, of Debian's kernels.
    copy userns_clone(): u64 = |_, proc| number_at(proc, "sys/kernel/unprivileged_userns_clone")
        => |number| format!("kernel.unprivileged_userns_clone {number}");
    /// `kernel.apparmor_restrict_unprivileged_userns`.
    copy apparmor_restricts(): u64 = |_, proc| number_at(proc, "sys/kernel/apparmor_restrict_unprivileged_userns")
        => |number| format!("kernel.apparmor_restrict_unprivileged_userns {number}");
    /// The bounds on the number of processes.
    lend processes(): Processes = |facts, proc| {
        let mounts = facts.mounts().map_or(&[][..], Vec::as_slice);
        Some(bounds::processes(proc, mounts, facts.is_mapped(Ids::Uid) != Some(false)))
    } => Processes::told;
    /// Memory that can be had without swapping, in kB.
    copy memory(): u64 = |_, proc| bounds::memory(proc) => |memory| format!("MemAvailable in kB {memory}");
    /// `user.max_KIND_namespaces` of our user namespace.
    lend limits(kinds: Kinds): Vec<(Kind, u64)> = |_, proc, kinds| Some(bounds::limits(proc, kinds)) => |limits| {
        let each = limits.iter().map(|(kind, limit)| format!("user.max_{kind}_namespaces {limit}"));
        each.collect::<Vec<_>>().join(", ")
    };
    /// Whether the permissions of this file of ours in /proc let us write it; no module is asked but those that look at
    /// inodes.
    copy may_write(name: &str): bool = |_, _, name| {
        Some(sys::access(format!("/proc/self/{name}").as_ref(), libc::W_OK).is_ok())
    };
    /// Our security attribute.
    lend label(): String = |_, proc| procfs::label(proc) => |label| format!("security attribute {label}");
    /// The map of our user namespace.
    lend uid_map(): IdMap = |_, proc| map_of(proc, "self", Ids::Uid).ok() => |_| "the ID maps".to_owned();
    /// The map of our user namespace.
    lend gid_map(): IdMap = |_, proc| map_of(proc, "self", Ids::Gid).ok() => |_| "the ID maps".to_owned();
    /// Whether setgroups(2) is allowed in it.
    copy setgroups(): Setgroups = |_, proc| setgroups_of(proc, "self") => |_| "setgroups".to_owned();
    /// What an unshare(2) was answered to which every kernel says `EINVAL`.
    copy unshare_probe(kinds: Kinds): sys::Error = |_, _, kinds| sys::probe_unshare(kinds.flags())
        => |_| "a probe of unshare(2)".to_owned();
    /// What a setns(2) was answered to which every kernel says `EBADF`.
    copy setns_probe(kinds: Kinds): sys::Error = |_, _, kinds| sys::probe_setns(kinds.flags())
        => |_| "a probe of setns(2)".to_owned();
    /// What a mount(2) was answered to which every kernel says `EFAULT`.
    copy mount_probe(): sys::Error = |_, _| sys::probe_mount() => |_| "a probe of mount(2)".to_owned();
    /// The kinds of namespaces that this kernel has.
    copy kinds(): Kinds = |_, proc| kinds::existing(proc) => |_| "the kinds in /proc/self/ns".to_owned();
    /// The kinds (PID, time) in which children will be elsewhere than we.
    copy unentered(): Kinds = |_, proc| kinds::unentered(proc);
    /// The version of the kernel.
    copy kernel(): (u32, u32) = |_, proc| procfs::kernel(proc);
    /// What is mounted here.
    lend mounts(): Vec<Mount> = |_, proc| mountinfo::mounts(proc);
    /// Whether `/` is a mount point.
    copy root_is_mount(): bool = |facts, _| Some(facts.mounts()?.iter().any(|mount| mount.point.as_os_str() == "/"))
        => |_| "the mounts".to_owned();
    /// The proc file systems that are mounted here.
    lend procs(): Vec<ProcMount> = |facts, _| Some(ProcMount::all(facts.mounts()?)) => |_| "the mounts".to_owned();
    /// Whether nothing in /proc can be written, whoever we are.
    copy proc_is_read_only(): bool = |_, proc| procfs::is_read_only(proc);
    /// Whether our user namespace is the initial one.
    copy is_initial_user(): bool = |_, proc| namespace::is_initial(proc, Kind::User);
    /// Whether our mount namespace belongs to the initial user namespace.
    copy has_initial_mounts(): bool = |_, proc| namespace::has_initial_mounts(proc);
    /// To whom the PID namespace belongs that we are in.
    copy pid_owner(): Relation = |_, proc| namespace::owner_of_our_pid(proc);
    /// The offsets, in seconds, that this clock takes.
    lend offsets(clock: Clock): RangeInclusive<i64> = |_, proc, clock| clock::range_now(proc, clock);
    /// A file or directory.
    lend place(path: &OsStr): Place = |facts, proc, path| {
        Some(Place::look_at(proc, path, || facts.mounts().map(Vec::as_slice)))
    }
        => |_| "the file".to_owned();
    /// The name that was perhaps meant where a file is not there.
    lend meant(path: &OsStr): OsString = |_, _, path| place::meant_by(path);
    /// The target process.
    lend target(process: Process): TargetFacts = |facts, proc, process| {
        Some(process.look_at(proc, facts.mounts().map(|mounts| mountinfo::hides_processes(mounts))))
    } => |_| "the target process".to_owned();
    /// What a pidfd's inode tells.
    copy pidfds(): Pidfds = |_, _| Some(target::pidfds());
    /// The namespaces of these kinds of a process, that were to be entered.
    lend namespaces(of: (Kinds, Option<i32>, Option<&OwnedFd>)): Vec<NamespaceFacts> = |_, proc, (kinds, pid, fd)| {
        Some(namespace::look_at(proc, kinds, pid, fd))
    } => |_| "the namespaces".to_owned();
    /// newuidmap(1) or newgidmap(1).
    lend map_program(ids: Ids): MapProgram = |_, _, ids| Some(MapProgram::look_at(ids))
        => |_| "the helper program".to_owned();
    /// What may be mapped with its help.
    lend subids(ids: Ids): SubRanges = |_, _, ids| SubRanges::read(ids, sys::real_uid());
    /// The program of this name, looked up in these directories.
    lend executable(of: (&OsStr, Option<&OsStr>)): Executable = |_, _, (file, path)| {
        Some(executable::look_up(file, path, None))
    } => |_| "the program".to_owned();
}

impl<'a> Facts<'a> {
    /// Those of now, read in this proc.
    pub(crate) fn new(proc: &'a Proc) -> Self {
        Facts {
            proc: Some(proc),
            ..Facts::default()
        }
    }

    /// Whether a capability is in force.
    pub(crate) fn has(&self, capability: Capability) -> Option<bool> {
        Some(capability.is_in(self.capabilities()?))
    }

    /// Our effective user or group ID.
    pub(crate) fn id(&self, ids: Ids) -> Option<u32> {
        match ids {
            Ids::Uid => self.uid(),
            Ids::Gid => self.gid(),
        }
    }

    /// The map of our user namespace.
    pub(crate) fn map(&self, ids: Ids) -> Option<&IdMap> {
        match ids {
            Ids::Uid => self.uid_map(),
            Ids::Gid => self.gid_map(),
        }
    }

    /// Whether this ID of ours exists in our user namespace.
    pub(crate) fn is_mapped(&self, ids: Ids) -> Option<bool> {
        Some(self.map(ids)?.has(self.id(ids)?))
    }

    /// Whether this capability is in force in the initial user namespace.
    pub(crate) fn has_on_machine(&self, capability: Capability) -> Option<bool> {
        match self.has(capability)? {
            true => self.is_initial_user(),
            false => Some(false),
        }
    }

    /// What was looked at, for when nothing fits; what we are belongs to it always.
    pub(crate) fn looked_at(&self) -> String {
        let _ = (
            self.uid(),
            self.cap_eff(),
            self.seccomp(),
            self.no_new_privs(),
        );
        let mut all = self.told();
        all.retain(|text| !text.is_empty());
        all.dedup();
        if let Some(set) = self
            .capabilities()
            .filter(|set| Some(*set) != self.cap_eff())
        {
            all.push(format!("capabilities by capget(2) {set:016x}"));
        }
        match self.proc_access() {
            Some(ProcAccess::Missing) => {
                all.push("no more, for /proc is not mounted here".to_owned());
            }
            Some(ProcAccess::Refused) => {
                all.push("no more, for our own files in /proc are refused".to_owned());
            }
            Some(ProcAccess::Granted) | None => {}
        }
        all.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_is_read_and_told() {
        let proc = Proc::default();
        let mut facts = Facts {
            uid: Some(4711).into(),
            ..Facts::new(&proc)
        };
        assert_eq!(facts.told(), ["user 4711"]);
        assert_eq!(facts.kinds().map(|kinds| kinds.has(Kind::Mnt)), Some(true));
        assert_eq!(facts.told(), ["user 4711", "the kinds in /proc/self/ns"]);
        facts.uid = None.into();
        assert_eq!(facts.uid(), None);
        // The first question is the one that counts.
        let place = facts.place(OsStr::new("/")).map(|place| place.is_directory);
        assert_eq!(place, Some(Some(true)));
        assert_eq!(
            facts
                .place(OsStr::new("/x"))
                .map(|place| place.is_directory),
            place
        );
    }

    #[test]
    fn recorded_facts_are_all_there_is() {
        let facts = Facts {
            gid: Some(5).into(),
            ..Facts::default()
        };
        assert_eq!((facts.id(Ids::Gid), facts.id(Ids::Uid)), (Some(5), None));
        assert_eq!(facts.looked_at(), "");
    }
}
