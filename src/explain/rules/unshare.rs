//! Why namespaces could not be made, or a process not be started in them.

use libc::{EACCES, EAGAIN, EINVAL, ENOMEM, ENOSPC, ENOSYS, EPERM, EUSERS};

use super::{Case, Finding, apparmor, because, filtered, lacks, perhaps};
use crate::failure::Stage;
use crate::host::capability::Capability;
use crate::model::{Ids, Kind, Kinds};

rules![
    Rule {
        id: "unshare-privilege",
        step: "unshare",
        errors: [EPERM],
        about: "CAP_SYS_ADMIN is missing and no user namespace was asked for.",
        advice: "Add -r, or run as root.",
        find: privilege,
    },
    Rule {
        id: "unshare-seccomp",
        step: "unshare",
        errors: [EPERM, EACCES, ENOSYS],
        about: "A seccomp filter refuses unshare(2): a container's default profile, or RestrictNamespaces= of a \
                systemd service.",
        advice: "Use another seccomp profile, or --cap-add SYS_ADMIN.",
        find: |case| filtered(
            case,
            "unshare(2)",
            case.facts.unshare_probe(kinds(case)?),
            EINVAL
        ),
    },
    Rule {
        id: "unshare-sysctl",
        step: "unshare",
        errors: [EPERM],
        about: "kernel.unprivileged_userns_clone is 0, so only root may make user namespaces.",
        advice: "Set it to 1, or run as root.",
        find: sysctl,
    },
    Rule {
        id: "unshare-apparmor",
        step: "unshare",
        errors: [EPERM, EACCES],
        about: "AppArmor restricts user namespaces: kernel.apparmor_restrict_unprivileged_userns is 1, or the \
                profile is unprivileged_userns.",
        advice: "Give the binary an AppArmor profile with \"userns,\", or run as root.",
        find: |case| {
            let label = case.facts.label();
            let inside = label.is_some_and(|label| label.starts_with("unprivileged_userns"));
            (inside || kinds(case)?.has(Kind::User))
                .then(|| apparmor(case))
                .flatten()
        },
    },
    Rule {
        id: "unshare-chroot",
        step: "unshare",
        errors: [EPERM],
        about: "In a chroot no user namespace can be made.",
        advice: "Change the root with pivot_root(2) instead.",
        find: |case| {
            (kinds(case)?.has(Kind::User) && case.facts.root_is_mount() == Some(false))
                .then(|| {
                    because(
                        "this is a chroot (/ is no mount point), and in a chroot no user namespace can be made",
                        "change the root with pivot_root(2) instead of chroot(2)",
                    )
                })
                .flatten()
        },
    },
    Rule {
        id: "unshare-unmapped",
        step: "unshare",
        errors: [EPERM],
        about: "Our own user or group has no ID in the user namespace that we are in.",
        advice: "Map the IDs of the outer user namespace first.",
        find: unmapped,
    },
    Rule {
        id: "unshare-refused",
        step: "unshare",
        errors: [EPERM, EACCES],
        about: "None of the above can be seen, and a user namespace is refused.",
        advice: "Either / is a chroot whose root is a mount point, or a security module refuses.",
        find: |case| {
            kinds(case)?.has(Kind::User).then(|| {
                perhaps(
                    format!(
                        "either this is a chroot whose root is a mount point, or a security module refuses user \
                         namespaces; looked at: {}",
                        case.facts.looked_at()
                    ),
                    "change the root with pivot_root(2), or look into the kernel's log for the module's refusal",
                )
            })?
        },
    },
    Rule {
        id: "unshare-kind",
        step: "unshare",
        errors: [EINVAL],
        about: "This kernel has no namespaces of this kind.",
        advice: "The kernel must be built with the option that is named.",
        find: missing_kind,
    },
    Rule {
        id: "unshare-pid-twice",
        step: "unshare",
        errors: [EINVAL],
        about: "A PID namespace was already unshared here, and has not been entered.",
        advice: "Put --fork in between.",
        find: |case| {
            let differs = case.facts.unentered()?.has(Kind::Pid);
            (differs && kinds(case)?.has(Kind::Pid))
                .then(|| {
                    because(
                        "a PID namespace was already unshared here and not entered (/proc/self/ns/pid and \
                         pid_for_children differ)",
                        "use --fork for the first one, so that the second is made by a process in it",
                    )
                })
                .flatten()
        },
    },
    Rule {
        id: "unshare-pid-owner",
        step: "unshare",
        errors: [EINVAL],
        about: "The PID namespace that we are in belongs to no user namespace above the new one's.",
        advice: "Enter the PID namespace's own user namespace first.",
        find: |case| {
            kinds(case)?.has(Kind::Pid).then(|| {
                perhaps(
                    "either the PID namespace that we are in belongs to a user namespace that is not above ours, or \
                     this kernel takes no such flags",
                    "enter the user namespace that owns the PID namespace first",
                )
            })?
        },
    },
    Rule {
        id: "unshare-limit-zero",
        step: "unshare",
        errors: [ENOSPC, EUSERS],
        about: "user.max_KIND_namespaces is 0 in this user namespace. This is about namespaces, not disk space.",
        advice: "Raise the limit.",
        find: no_limit,
    },
    Rule {
        id: "unshare-limit",
        step: "unshare",
        errors: [ENOSPC, EUSERS],
        about: "user.max_KIND_namespaces is reached here or in a user namespace above, or user or PID namespaces \
                are nested deeper than 32. This is not about disk space.",
        advice: "Raise the limit, or nest less.",
        find: limit,
    },
    Rule {
        id: "unshare-processes",
        step: "unshare",
        errors: [EAGAIN],
        about: "A bound on the number of processes is reached: RLIMIT_NPROC, pids.max or kernel.threads-max.",
        advice: "The one that is named must be raised.",
        find: bounds,
    },
    Rule {
        id: "fork-processes",
        step: "fork",
        errors: [EAGAIN],
        about: "A bound on the number of processes is reached: RLIMIT_NPROC, the pids.max of a cgroup, or \
                kernel.threads-max and kernel.pid_max.",
        advice: "The one that is named must be raised.",
        find: bounds,
    },
    Rule {
        id: "fork-some-bound",
        step: "fork",
        errors: [EAGAIN],
        about: "No bound on the number of processes is seen to be reached.",
        advice: "One of them is, where it cannot be seen from here: the values are listed.",
        find: |case| {
            perhaps(
                format!(
                    "a bound on the number of processes is reached, either RLIMIT_NPROC, or the pids.max of a \
                     cgroup, or kernel.threads-max; looked at: {}",
                    case.facts.looked_at()
                ),
                "raise the one that is reached",
            )
        },
    },
    Rule {
        id: "fork-dead-init",
        step: "fork",
        errors: [ENOMEM],
        about: "The init of the PID namespace for children has ended, so nothing can be started in it any more.",
        advice: "Make a new one with -p, with --fork so that its init is known; or enter a living one.",
        find: dead_init,
    },
    Rule {
        id: "fork-seccomp",
        step: "fork",
        errors: [EPERM, EACCES, ENOSYS],
        about: "A seccomp filter refuses new processes: the kernel itself never says so.",
        advice: "Use another seccomp profile.",
        find: |case| {
            (case.facts.seccomp() == Some(2))
                .then(|| {
                    because(
                        "a seccomp filter refuses new processes (Seccomp is 2 in /proc/self/status)",
                        "use another seccomp profile",
                    )
                })
                .flatten()
        },
    },
];

fn kinds(case: &Case<'_>) -> Option<Kinds> {
    match case.stage {
        Stage::Unshare(kinds) => Some(*kinds),
        _ => None,
    }
}

fn privilege(case: &Case<'_>) -> Option<Finding> {
    let kinds = kinds(case)?;
    if kinds.has(Kind::User) {
        return None;
    }
    let lacks = lacks(case, Capability::SysAdmin)?;
    because(
        format!("{lacks}, which a new namespace ({kinds}) takes without -U"),
        "add -r, which makes you root in a user namespace of your own, or run as root",
    )
}

fn sysctl(case: &Case<'_>) -> Option<Finding> {
    let facts = case.facts;
    let is_privileged =
        facts.has(Capability::SysAdmin) == Some(true) && facts.has_all_ids() == Some(true);
    if facts.userns_clone() != Some(0) || !kinds(case)?.has(Kind::User) || is_privileged {
        return None;
    }
    because(
        "kernel.unprivileged_userns_clone is 0, so only root may make user namespaces",
        "sysctl kernel.unprivileged_userns_clone=1, or run as root",
    )
}

fn unmapped(case: &Case<'_>) -> Option<Finding> {
    if !kinds(case)?.has(Kind::User) {
        return None;
    }
    let lacks = |ids| case.facts.is_mapped(ids) == Some(false);
    let (what, file) = match (lacks(Ids::Uid), lacks(Ids::Gid)) {
        (true, true) => ("user and group have no IDs", "uid_map and gid_map"),
        (true, false) => ("user has no ID", "uid_map"),
        (false, true) => ("group has no ID", "gid_map"),
        (false, false) => return None,
    };
    because(
        format!("our {what} in this user namespace (/proc/self/{file})"),
        "map them when this user namespace is made, as unshare -r or -c does",
    )
}

fn missing_kind(case: &Case<'_>) -> Option<Finding> {
    let missing = kinds(case)?.less(case.facts.kinds()?);
    if missing.is_empty() {
        return None;
    }
    let options: Vec<&str> = missing.iter().map(config_option).collect();
    because(
        format!("this kernel has no {missing} namespaces (no such file in /proc/self/ns)"),
        format!("use a kernel with {}", options.join(", ")),
    )
}

/// The option of the kernel's configuration.
pub(super) fn config_option(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "CONFIG_USER_NS",
        Kind::Cgroup => "CONFIG_CGROUPS",
        Kind::Ipc => "CONFIG_IPC_NS",
        Kind::Uts => "CONFIG_UTS_NS",
        Kind::Net => "CONFIG_NET_NS",
        Kind::Pid => "CONFIG_PID_NS",
        Kind::Mnt => "CONFIG_NAMESPACES",
        Kind::Time => "CONFIG_TIME_NS",
    }
}

fn no_limit(case: &Case<'_>) -> Option<Finding> {
    let limits = case.facts.limits(kinds(case)?)?;
    let mut zero = limits.iter().filter(|(_, limit)| *limit == 0);
    let (first, _) = zero.next()?;
    let mut names = format!("user.max_{first}_namespaces");
    let mut verb = "is";
    for (kind, _) in zero {
        names.push_str(&format!(" and user.max_{kind}_namespaces"));
        verb = "are";
    }
    because(
        format!(
            "{names} {verb} 0 here, so no such namespace can be made (this is not about disk space)"
        ),
        format!("raise it: sysctl user.max_{first}_namespaces=1000"),
    )
}

fn limit(case: &Case<'_>) -> Option<Finding> {
    let kinds = kinds(case)?;
    let limits = case.facts.limits(kinds).map_or(&[][..], Vec::as_slice);
    let limits: Vec<String> = limits
        .iter()
        .map(|(kind, limit)| format!("user.max_{kind}_namespaces ({limit} here)"))
        .collect();
    let reached = if limits.is_empty() {
        "user.max_*_namespaces is reached here or in a user namespace above".to_owned()
    } else {
        format!(
            "{} is reached here or in a user namespace above",
            limits.join(" or ")
        )
    };
    let nested = kinds.has(Kind::User) || kinds.has(Kind::Pid);
    let cause = if nested {
        format!(
            "either {reached}, or namespaces are nested deeper than 32 (this is not about disk space)"
        )
    } else {
        format!("{reached} (this is not about disk space)")
    };
    perhaps(
        cause,
        "raise the limit, or end processes that keep such namespaces",
    )
}

fn bounds(case: &Case<'_>) -> Option<Finding> {
    let processes = case.facts.processes()?;
    let mut reached = Vec::new();
    let mut hints = Vec::new();
    // Root of the initial user namespace, and who has these capabilities there, is not bound.
    let has = |capability| case.facts.has(capability) == Some(true);
    let exempt = case.facts.has_all_ids() != Some(false)
        && (case.facts.uid() == Some(0)
            || has(Capability::SysAdmin)
            || has(Capability::SysResource));
    if let (Some(limit), Some(ours), false) = (processes.limit, processes.ours, exempt)
        && ours >= limit
    {
        reached.push(format!(
            "RLIMIT_NPROC is {limit} and our user has {ours} threads"
        ));
        hints.push("raise it: ulimit -u, prlimit --nproc".to_owned());
    }
    for (directory, current, max) in &processes.cgroups {
        if current >= max {
            let directory = directory.display();
            reached.push(format!(
                "pids.max of {directory} is {max} and pids.current {current}"
            ));
            hints.push(format!(
                "raise {directory}/pids.max (TasksMax= of a systemd unit, --pids-limit)"
            ));
        }
    }
    for (name, max) in [
        ("kernel.threads-max", processes.threads_max),
        ("kernel.pid_max", processes.pid_max),
    ] {
        if let (Some(max), Some(all)) = (max, processes.all)
            && all >= max
        {
            reached.push(format!("{name} is {max} and there are {all} threads"));
            hints.push(format!("raise it: sysctl {name}"));
        }
    }
    if reached.is_empty() {
        return None;
    }
    because(reached.join("; "), hints.join("; "))
}

fn dead_init(case: &Case<'_>) -> Option<Finding> {
    let memory = case.facts.memory().map_or_else(String::new, |memory| {
        format!(" (MemAvailable is {memory} kB)")
    });
    if case.facts.unentered()?.has(Kind::Pid) {
        return perhaps(
            format!(
                "either the init of the PID namespace for children, which is not ours (/proc/self/ns/pid and \
                 pid_for_children differ), has ended, or memory is short{memory}"
            ),
            "use --fork with a new -p, so that the first child stays as init; or enter the PID namespace of a \
             process that lives",
        );
    }
    perhaps(
        format!("memory is short{memory}, or a limit on it is reached"),
        "look at free memory, RLIMIT_AS and the memory limit of the cgroup",
    )
}
