//! What is told from facts, as it cannot be tried, or is no ability.

use super::checks::{Examiner, Learned};
use super::judge::{causes, filtered, proved};
use super::report::Judgement;
use crate::failure::Cause;
use crate::failure::common::no_ranges;
use crate::host::bounds::Processes;
use crate::host::map_program::SubRanges;
use crate::host::{namespace, surroundings};
use crate::model::{IdMap, Ids, Kind, Kinds};
use crate::steps::Unshare;
use crate::steps::enter::causes::Setns;
use crate::steps::fork::NewProcess;
use crate::steps::outside::map_program::MapByProgram;
use crate::sys;

fn fact(detail: impl Into<String>) -> Learned {
    Learned {
        verdict: Some(Judgement::Fact),
        detail: detail.into(),
        ..Learned::default()
    }
}

fn unknown(detail: &str) -> Learned {
    Learned {
        verdict: Some(Judgement::Unknown),
        ..fact(detail)
    }
}

/// Yes, unless there is a cause why not.
fn unless(causes: Vec<Cause>, detail: impl Into<String>) -> Learned {
    let verdict = if causes.is_empty() {
        Judgement::Yes
    } else {
        Judgement::No
    };
    Learned {
        verdict: Some(verdict),
        causes,
        ..fact(detail)
    }
}

fn cause(cause: impl Into<String>, hint: impl Into<String>) -> Cause {
    Cause {
        cause: cause.into(),
        hint: hint.into(),
    }
}

pub(super) fn user(doctor: &Examiner<'_>) -> Learned {
    let uid = sys::effective_uid();
    let name = doctor.facts.subids(Ids::Uid).map(|found| &found.owner);
    let number = uid.to_string();
    let gid = sys::effective_gid();
    match name {
        // The name is that of the real user.
        Some(name) if *name != number && sys::real_uid() == uid => {
            fact(format!("{name} ({uid}), group {gid}"))
        }
        _ => fact(format!("{uid}, group {gid}")),
    }
}

pub(super) fn capabilities(doctor: &Examiner<'_>) -> Learned {
    let status = doctor.facts.status().map(|status| status.cap_effective);
    match status.or(doctor.facts.capabilities()) {
        Some(0) => fact("none"),
        Some(set) => fact(format!("{} of them (CapEff {set:016x})", set.count_ones())),
        None => unknown(""),
    }
}

pub(super) fn user_namespace(doctor: &Examiner<'_>) -> Learned {
    match namespace::is_initial(doctor.proc, Kind::User) {
        Some(true) => fact("the initial one"),
        Some(false) => match surroundings::maker_of_user_namespace(doctor.proc) {
            Some(uid) => fact(format!("not the initial one; user {uid} made it")),
            None => fact("not the initial one"),
        },
        None => unknown("/proc/self/ns/user cannot be seen"),
    }
}

pub(super) fn container(doctor: &Examiner<'_>) -> Learned {
    let mounts = doctor.facts.mounts().map(Vec::as_slice);
    let signs = surroundings::signs(doctor.proc, mounts);
    if signs.is_empty() {
        fact("no sign of one")
    } else {
        fact(signs.join(", "))
    }
}

pub(super) fn kernel(doctor: &Examiner<'_>) -> Learned {
    match surroundings::release(doctor.proc) {
        Some(release) => fact(format!("Linux {release}")),
        None => unknown("/proc/sys/kernel/osrelease cannot be read"),
    }
}

pub(super) fn security_modules(doctor: &Examiner<'_>) -> Learned {
    let modules = surroundings::security_modules();
    let label = doctor.facts.label();
    let modules = modules.as_deref().unwrap_or("which cannot be seen");
    match label {
        Some(label) => fact(format!("{modules}; our label is {label}")),
        None => fact(format!("{modules}; we have no label")),
    }
}

pub(super) fn seccomp(doctor: &Examiner<'_>) -> Learned {
    let facts = doctor.facts;
    // A user namespace may be refused by a sysctl before the flags are looked at.
    let kinds = Kinds::ALL.without(Kind::User);
    let probes = [
        ("unshare(2)", facts.unshare_probe(kinds), libc::EINVAL),
        ("setns(2)", facts.setns_probe(Kinds::NONE), libc::EBADF),
        ("mount(2)", facts.mount_probe(), libc::EFAULT),
    ];
    let refused = probes
        .into_iter()
        .filter_map(|(call, probe, expected)| filtered(facts, call, probe, expected));
    let causes: Vec<Cause> = refused.collect();
    let detail = match facts.seccomp() {
        Some(0) => "there is none",
        Some(_) if causes.is_empty() => "there is one, and it lets unshare, setns and mount pass",
        Some(_) => "there is one",
        None => "whether there is one cannot be seen",
    };
    unless(causes, detail)
}

pub(super) fn no_new_privs(doctor: &Examiner<'_>) -> Learned {
    match doctor.facts.no_new_privs() {
        Some(false) => unless(Vec::new(), ""),
        Some(true) => unless(
            vec![cause(
                "no_new_privs is set (NoNewPrivs is 1), so newuidmap and newgidmap have no privilege",
                "start without it: NoNewPrivileges=no (systemd), allowPrivilegeEscalation: true (Kubernetes)",
            )],
            "",
        ),
        None => unknown("/proc/self/status cannot be read"),
    }
}

pub(super) fn ranges(doctor: &Examiner<'_>) -> Learned {
    let mut told = Vec::new();
    let mut has = Vec::new();
    for ids in [Ids::Uid, Ids::Gid] {
        let found: Option<SubRanges> = SubRanges::read(ids, sys::effective_uid());
        let mut ranges: Vec<String> = found.as_ref().map_or(Vec::new(), |found| {
            let last = |first: u32, count: u32| u64::from(first) + u64::from(count) - 1;
            let ranges = found.ranges.iter();
            ranges
                .map(|&(first, count)| format!("{first}-{}", last(first, count)))
                .collect()
        });
        let mut source = "";
        if ranges.is_empty()
            && let Some(range) = doctor.subids(ids)
        {
            ranges.push(range);
            source = " (getsubids)";
        }
        has.push(!ranges.is_empty());
        if !ranges.is_empty() {
            let file = ids.sub_file();
            told.push(format!("{file} {}{source}", ranges.join(", ")));
        }
    }
    let detail = told.join("; ");
    match (has.contains(&true), has.contains(&false)) {
        (true, false) => unless(Vec::new(), detail),
        (some, _) => Learned {
            verdict: Some(if some {
                Judgement::Partly
            } else {
                Judgement::No
            }),
            causes: no_ranges(),
            ..fact(detail)
        },
    }
}

pub(super) fn newuidmap(doctor: &Examiner<'_>) -> Learned {
    map_program(doctor, Ids::Uid)
}

pub(super) fn newgidmap(doctor: &Examiner<'_>) -> Learned {
    map_program(doctor, Ids::Gid)
}

fn map_program(doctor: &Examiner<'_>, ids: Ids) -> Learned {
    let program = crate::host::map_program::MapProgram::look_at(ids);
    // Our own ID alone, so that ranges do not matter here.
    let own = match ids {
        Ids::Uid => sys::effective_uid(),
        Ids::Gid => sys::effective_gid(),
    };
    let Some(map) = IdMap::parse(format!("0 {own} 1\n").as_bytes()) else {
        return unknown("");
    };
    let given = MapByProgram { ids, map };
    let mut causes = proved(doctor.proc, &given, libc::ENOENT, |_| {});
    causes.extend(proved(doctor.proc, &given, 0, |_| {}));
    let path = program.path.unwrap_or_default();
    let mut detail = path.to_string_lossy().into_owned();
    detail.push_str(match (program.set_user_id, program.capabilities) {
        (Some(true), _) => ", set-user-ID root",
        (_, Some(true)) => ", with file capabilities",
        _ if detail.is_empty() || !causes.is_empty() => "",
        _ => "; what privilege it has cannot be seen",
    });
    unless(causes, detail)
}

pub(super) fn init(doctor: &Examiner<'_>) -> Learned {
    const INIT: i32 = 1;
    let Some(namespaces) = doctor.facts.namespaces((doctor.kinds(), Some(INIT), None)) else {
        return unknown("/proc cannot be read");
    };
    let others = namespaces.iter().filter(|one| one.is_ours != Some(true));
    let kinds: Kinds = others.map(|one| one.asked).collect();
    if kinds.is_empty() {
        return unless(Vec::new(), "all its namespaces are ours");
    }
    let setns = Setns::Into {
        kinds,
        pid: Some(INIT),
        file: None,
    };
    let detail = format!("nsenter -t 1 -a ({kinds})");
    if namespaces.iter().any(|one| one.closed.is_some()) {
        // That they cannot be opened is certain, whatever the reason.
        return Learned {
            verdict: Some(Judgement::No),
            causes: causes(doctor.proc, &setns, libc::EPERM),
            ..fact(detail)
        };
    }
    unless(proved(doctor.proc, &setns, libc::EPERM, |_| {}), detail)
}

pub(super) fn limit(doctor: &Examiner<'_>, kind: Kind) -> Learned {
    let limits = doctor.facts.limits(Kinds::ALL);
    let max = limits.and_then(|limits| limits.iter().find(|(of, _)| *of == kind));
    let Some(&(_, max)) = max else {
        return unknown("there is no such limit to be read");
    };
    let in_use = doctor.in_use(kind);
    let detail = match in_use {
        Ok(in_use) => format!("{max} for each user; {in_use} seen in use by all"),
        Err(error) => {
            format!("{max} for each user; how many are in use cannot be seen ({error})")
        }
    };
    if max == 0 {
        let unshare = Unshare(Kinds::NONE.with(kind));
        return unless(proved(doctor.proc, &unshare, libc::ENOSPC, |_| {}), detail);
    }
    // Whose they are is not seen, so this proves nothing.
    if in_use.is_ok_and(|in_use| u64::try_from(in_use).is_ok_and(|in_use| in_use >= max)) {
        return Learned {
            verdict: Some(Judgement::Unknown),
            ..fact(detail)
        };
    }
    unless(Vec::new(), detail)
}

pub(super) fn nproc(doctor: &Examiner<'_>) -> Learned {
    let Some(all) = doctor.facts.processes() else {
        return unknown("");
    };
    let only = Processes {
        limit: all.limit,
        ours: all.ours,
        ..Processes::default()
    };
    let ours = match all.ours {
        Some(ours) => format!("; our user has {ours} threads"),
        None => "; how many our user has cannot be seen".to_owned(),
    };
    let limit = match sys::thread_limit() {
        Ok(Some(limit)) => limit.to_string(),
        Ok(None) => "none".to_owned(),
        Err(error) => format!("cannot be seen ({error})"),
    };
    bound(doctor, only, format!("{limit}{ours}"))
}

pub(super) fn pids_max(doctor: &Examiner<'_>) -> Learned {
    let Some(all) = doctor.facts.processes() else {
        return unknown("");
    };
    let only = Processes {
        cgroups: all.cgroups.clone(),
        ..Processes::default()
    };
    let told = only.told();
    let detail = if told.is_empty() {
        "none that is seen".to_owned()
    } else {
        told
    };
    bound(doctor, only, detail)
}

/// Whether only these bounds let a process start.
fn bound(doctor: &Examiner<'_>, only: Processes, detail: String) -> Learned {
    let causes = proved(doctor.proc, &NewProcess, libc::EAGAIN, |facts| {
        facts.processes = Some(only).into();
    });
    unless(causes, detail)
}

pub(super) fn depth(doctor: &Examiner<'_>) -> Learned {
    // The kernel's own bound (user_namespaces(7)).
    match namespace::is_initial(doctor.proc, Kind::User) {
        Some(true) => unless(Vec::new(), "0 of 32"),
        Some(false) => fact("at least 1 of 32; what is above cannot be seen"),
        None => unknown(""),
    }
}
