//! New namespaces, all made in one call.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};

use libc::{EACCES, EAGAIN, EINVAL, ENOSPC, ENOSYS, EPERM, EUSERS};

use super::ahead::{Ahead, refusal};
use super::fork::process_bounds;
use super::{Do, State};
use crate::failure::common::{
    NATIVE_BINARY, apparmor_before, apparmor_profile, filtered, lacks, lacks_kind, many_threads,
    module_refuses, our_label,
};
use crate::failure::{Case, Failure, Finding, Result, because, explains, perhaps, shown};
use crate::host::capability::Capability;
use crate::host::facts::Facts;
use crate::host::procfs::ProcAccess;
use crate::model::{Ids, Kind, Kinds};
use crate::sys::{self, For, Proc};

/// Make new namespaces of these kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unshare(pub(crate) Kinds);

impl fmt::Display for Unshare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unshare {}", self.0)
    }
}

impl Do for Unshare {
    fn run(&self, state: &mut State) -> Result<()> {
        let failed = |error| Failure::new(self.clone(), "unshare failed", error);
        sys::unshare(self.0.flags()).map_err(failed)?;
        match state.binding_from.take() {
            Some(from) => make_bindable(from.as_fd()).map_err(failed),
            None => Ok(()),
        }
    }

    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        let owner = ahead.owner;
        if ahead.is_as_now() || owner.is_some() {
            let refusal = {
                let (proc, made) = (Proc::default(), self.0);
                let facts = Facts::new(&proc);
                refusal(facts.unshare_probe(probed(made, &facts)))
            };
            for errno in [refusal, EINVAL, ENOSPC] {
                if ahead.tell(line, self, errno, |facts| {
                    if let Some((uid, gid)) = owner {
                        (facts.uid, facts.gid) = (Some(uid).into(), Some(gid).into());
                    }
                }) {
                    break;
                }
            }
        }
        ahead.made = ahead.made.union(self.0);
    }
}

/// Makes the mount namespace that we have just made one that can be bound on a file in `outer`.
///
/// The kernel takes such a bind only if the number of the namespace is above that of the one in which it is bound,
/// as otherwise the two could keep each other alive. Since Linux 6.18 each processor hands numbers out from a store
/// of its own, so a younger namespace need not have the higher number, unless it was made on the same processor.
/// So until it has, another one is made, on one processor after the other.
fn make_bindable(outer: BorrowedFd<'_>) -> sys::Result<()> {
    // Before Linux 6.11 there are no numbers to be asked for, and the order was that of age.
    let Ok(above) = sys::mount_namespace_id(outer) else {
        return Ok(());
    };
    let is_bindable = || {
        let own = sys::open("/proc/self/ns/mnt".as_ref(), For::Reading);
        own.and_then(|own| sys::mount_namespace_id(own.as_fd()))
            .map_or(true, |own| own > above)
    };
    if is_bindable() {
        return Ok(());
    }
    let allowed = sys::processors()?;
    let mut result = Ok(());
    for processor in 0..sys::processor_count() {
        // One that we may not use, or that is offline, is passed over.
        if sys::run_on(&sys::Processors::one(processor)).is_err() {
            continue;
        }
        result = sys::unshare(Kind::Mnt.flag());
        if result.is_err() || is_bindable() {
            break;
        }
    }
    sys::run_on(&allowed)?;
    result
}

explains! {
    Unshare {
        word: "unshare",
        classic: "unshare failed",
        applets: ["unshare"],
    }
    Rule {
        id: "unshare-privilege",
        errors: [EPERM],
        about: "CAP_SYS_ADMIN is missing and no user namespace was asked for.",
        advice: "Add -r, or run as root.",
        find: privilege,
    },
    Rule {
        id: "unshare-seccomp",
        errors: [EPERM, EACCES, ENOSYS],
        about: "A seccomp filter refuses unshare(2): a container's default profile, or RestrictNamespaces= of a \
                systemd service.",
        advice: "Use another seccomp profile, or --cap-add SYS_ADMIN (container).",
        find: |unshare, case| filtered(
            case,
            "unshare(2)",
            case.facts.unshare_probe(probed(unshare.0, case.facts)),
            EINVAL
        ),
    },
    Rule {
        id: "unshare-sysctl",
        errors: [EPERM],
        about: "kernel.unprivileged_userns_clone is 0, so only root of the initial user namespace may make user \
                namespaces.",
        advice: "Set it to 1, or run as root.",
        find: sysctl,
    },
    Rule {
        id: "unshare-apparmor",
        errors: [EPERM, EACCES],
        about: "AppArmor restricts user namespaces: kernel.apparmor_restrict_unprivileged_userns is 1, or the \
                profile is unprivileged_userns.",
        advice: "Give the binary an AppArmor profile with \"userns,\", or run as root.",
        find: |unshare, case| {
            apparmor_profile(case.facts).or_else(|| {
                unshare.0.has(Kind::User).then(|| apparmor_before(case.facts))?
            })
        },
    },
    Rule {
        id: "unshare-chroot",
        errors: [EPERM],
        about: "In a chroot no user namespace can be made.",
        advice: "Change the root with pivot_root(2) instead.",
        find: |unshare, case| {
            (unshare.0.has(Kind::User) && case.facts.root_is_mount() == Some(false))
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
        errors: [EPERM],
        about: "The caller's user or group has no ID in the caller's user namespace.",
        advice: "Map the IDs of the outer user namespace first.",
        find: unmapped,
    },
    Rule {
        id: "unshare-refused",
        errors: [EPERM, EACCES],
        about: "None of the above can be seen, and a user namespace is refused.",
        advice: "With EPERM either / is a chroot whose root is a mount point, or a security module refuses; with EACCES \
                 it is a module.",
        find: |unshare, case| {
            let is_known = apparmor_profile(case.facts).or_else(|| apparmor_before(case.facts)).is_some();
            (unshare.0.has(Kind::User) && !is_known).then(|| refused(case))?
        },
    },
    Rule {
        id: "unshare-threads",
        errors: [EINVAL],
        about: "The applet has more than one thread, as under an emulator, and only a process with one makes a user namespace.",
        advice: "Run a binary for this machine's own processor.",
        find: |unshare, case| {
            let threads = many_threads(case.facts).filter(|_| unshare.0.has(Kind::User))?;
            because(
                format!("{threads}, and only a process with one makes a user namespace"),
                NATIVE_BINARY,
            )
        },
    },
    Rule {
        id: "unshare-kind",
        errors: [EINVAL, EPERM],
        about: "This kernel has no namespaces of this kind.",
        advice: "The kernel must be built with the option that is named.",
        find: missing_kind,
    },
    Rule {
        id: "unshare-pid-twice",
        errors: [EINVAL],
        about: "A PID namespace was already unshared here, and has not been entered.",
        advice: "Put --fork in between.",
        find: |unshare, case| {
            let differs = case.facts.unentered()?.has(Kind::Pid);
            (differs && unshare.0.has(Kind::Pid))
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
        errors: [EINVAL],
        about: "The current PID namespace belongs to no user namespace above the new one's.",
        advice: "Enter the PID namespace's own user namespace first.",
        find: |unshare, _| {
            unshare.0.has(Kind::Pid).then(|| {
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
        errors: [ENOSPC, EUSERS],
        about: "user.max_KIND_namespaces is 0 in this user namespace. This is about namespaces, not disk space.",
        advice: "Raise the limit.",
        find: no_limit,
    },
    Rule {
        id: "unshare-limit",
        errors: [ENOSPC, EUSERS],
        about: "user.max_KIND_namespaces is reached here or in a user namespace above, or user or PID namespaces \
                are nested deeper than 32. This is not about disk space.",
        advice: "Raise the limit, or nest less.",
        find: limit,
    },
    Rule {
        id: "unshare-processes",
        errors: [EAGAIN],
        about: "A bound on the number of processes is reached: RLIMIT_NPROC, pids.max or kernel.threads-max.",
        advice: "The one that is named must be raised.",
        find: |_, case| process_bounds(case),
    },
}

/// Of what unshare(2) is asked to see whether a filter refuses it.
///
/// Where a sysctl refuses user namespaces, that is looked at before anything else, and would be taken for a filter. So the
/// user namespace is asked for only where there is a filter, which may refuse that alone, and where the sysctl is seen.
pub(crate) fn probed(kinds: Kinds, facts: &Facts<'_>) -> Kinds {
    let is_sysctl_seen = facts.proc_access() == Some(ProcAccess::Granted);
    match facts.userns_clone() {
        None if !is_sysctl_seen => kinds.without(Kind::User),
        Some(0) => kinds.without(Kind::User),
        _ if facts.seccomp() == Some(2) => kinds,
        _ => kinds.without(Kind::User),
    }
}

/// What is left where nothing else says why a user namespace is refused. A chroot is EPERM, never EACCES.
fn refused(case: &Case<'_>) -> Option<Finding> {
    if case.errno == EACCES {
        return module_refuses(case, "user namespaces", "userns,", true);
    }
    let of = our_label(case.facts);
    perhaps(
        format!(
            "either this is a chroot whose root is a mount point, or a security module refuses it{of}; looked at: \
             {}",
            case.facts.looked_at()
        ),
        "change the root with pivot_root(2), or look into the kernel's log for the module's refusal",
    )
}

fn privilege(unshare: &Unshare, case: &Case<'_>) -> Option<Finding> {
    let lack = lacks(case.facts, Capability::SysAdmin)?;
    let kinds = unshare.0.without(Kind::User);
    // A new user namespace gives it, but where a module does not let it count.
    if kinds.is_empty() || kinds != unshare.0 && !lack.is_by_module() {
        return None;
    }
    let without = if kinds == unshare.0 {
        " without -U"
    } else {
        ""
    };
    lack.because(
        &format!(", which a new namespace ({kinds}) takes{without}"),
        if lacks_kind(case.facts, Kind::User) {
            "run as root"
        } else {
            "add -r, which makes you root in a user namespace of your own, or run as root"
        },
    )
}

fn sysctl(unshare: &Unshare, case: &Case<'_>) -> Option<Finding> {
    let facts = case.facts;
    if facts.userns_clone() != Some(0)
        || !unshare.0.has(Kind::User)
        || facts.has_on_machine(Capability::SysAdmin)?
    {
        return None;
    }
    because(
        "kernel.unprivileged_userns_clone is 0, so only root of the initial user namespace may make others",
        "sysctl kernel.unprivileged_userns_clone=1, or run as root",
    )
}

fn unmapped(unshare: &Unshare, case: &Case<'_>) -> Option<Finding> {
    if !unshare.0.has(Kind::User) {
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

fn missing_kind(unshare: &Unshare, case: &Case<'_>) -> Option<Finding> {
    // A kernel without cgroups takes the flag all the same, and does nothing.
    let missing = unshare.0.less(case.facts.kinds()?).without(Kind::Cgroup);
    if missing.is_empty() {
        return None;
    }
    let options: Vec<&str> = missing.iter().map(Kind::config_option).collect();
    // Some kernels look at the privilege first.
    let proved = if case.errno == EINVAL { because } else { shown };
    proved(
        format!("this kernel has no {missing} namespaces (no such file in /proc/self/ns)"),
        format!("use a kernel with {}", options.join(", ")),
    )
}

fn no_limit(unshare: &Unshare, case: &Case<'_>) -> Option<Finding> {
    let limits = case.facts.limits(unshare.0)?;
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

fn limit(unshare: &Unshare, case: &Case<'_>) -> Option<Finding> {
    let kinds = unshare.0;
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
