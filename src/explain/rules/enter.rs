//! Why a target could not be opened, or its namespaces not be entered.

use libc::{EACCES, EINVAL, ENOENT, ENOSYS, EOPNOTSUPP, EPERM, ESRCH};

use super::mounts::blocked;
use super::unshare::config_option;
use super::{Case, Finding, because, filtered, lacks, perhaps, place};
use crate::failure::Stage;
use crate::host::capability::Capability;
use crate::host::namespace::{NamespaceFacts, Relation};
use crate::host::target::{Pidfds, Process, TargetFacts};
use crate::model::Kind;

rules![
    Rule {
        id: "target-gone",
        step: "target",
        errors: [ENOENT, ESRCH],
        about: "There is no such process in the PID namespace that we are in.",
        advice: "Look the PID up here: ps -e. In a container PIDs are others than outside.",
        find: gone,
    },
    Rule {
        id: "target-zombie",
        step: "target",
        errors: [ENOENT, ESRCH],
        about: "The process has ended and waits for its parent (a zombie).",
        advice: "It has no namespaces any more; take another process.",
        find: zombie,
    },
    Rule {
        id: "target-inode",
        step: "target",
        errors: [EOPNOTSUPP],
        about: "All pidfds share one inode (before Linux 6.9), or there are none (before Linux 5.3): an inode tells no \
                process from another.",
        advice: "Leave the inode out, and make sure otherwise that it is the process meant.",
        find: without_inode,
    },
    Rule {
        id: "open-gone",
        step: "open",
        errors: [ENOENT, ESRCH],
        about: "There is no such process in the PID namespace that we are in.",
        advice: "Look the PID up here: ps -e. In a container PIDs are others than outside.",
        find: gone,
    },
    Rule {
        id: "open-zombie",
        step: "open",
        errors: [ENOENT, ESRCH],
        about: "The process has ended and waits for its parent (a zombie).",
        advice: "It has no namespaces any more; take another process.",
        find: zombie,
    },
    Rule {
        id: "open-kind",
        step: "open",
        errors: [ENOENT],
        about: "This kernel has no namespaces of this kind.",
        advice: "The kernel must be built with the option that is named.",
        find: |case| {
            let Stage::Open(path) = case.stage else {
                return None;
            };
            let kind = Process::in_path(path)?.1?;
            (!case.facts.kinds()?.has(kind)).then(|| {
                because(
                    format!("this kernel has no {kind} namespaces (no such file in /proc/self/ns)"),
                    format!("use a kernel with {}", config_option(kind)),
                )
            })?
        },
    },
    Rule {
        id: "open-path",
        step: "open",
        errors: [ENOENT, libc::ENOTDIR, EACCES],
        about: "A part of the path is missing, is no directory, or may not be searched.",
        advice: "The part is named.",
        find: |case| blocked(case, place(case)?, "correct the path"),
    },
    Rule {
        id: "open-traced",
        step: "open",
        errors: [EACCES, EPERM],
        about: "We may not look into the process: it runs as another user, or is not dumpable.",
        advice: "Run as root; or as the same user, with -U.",
        find: other_user,
    },
    Rule {
        id: "open-refused",
        step: "open",
        errors: [EACCES, EPERM],
        about: "We may not look into the process, and neither its user nor ours says why.",
        advice: "Either it is in a user namespace that is not below ours, or it has capabilities that we lack, or a \
                security module refuses.",
        find: not_traced,
    },
    Rule {
        id: "setns-seccomp",
        step: "setns",
        errors: [EPERM, EACCES, ENOSYS],
        about: "A seccomp filter refuses setns(2).",
        advice: "Use another seccomp profile, or --cap-add SYS_ADMIN.",
        find: |case| match case.stage {
            Stage::Enter { kinds, .. } => {
                filtered(
                    case,
                    "setns(2)",
                    case.facts.setns_probe(*kinds),
                    libc::EBADF,
                )
            }
            _ => None,
        },
    },
    Rule {
        id: "setns-privilege",
        step: "setns",
        errors: [EPERM],
        about: "CAP_SYS_ADMIN is missing in our own user namespace, which every kind but the user namespace takes.",
        advice: "Add -U, to enter the user namespace that owns it too; or run as root.",
        find: privilege,
    },
    Rule {
        id: "setns-chroot-privilege",
        step: "setns",
        errors: [EPERM],
        about: "CAP_SYS_CHROOT is missing, which a mount namespace takes.",
        advice: "Run with it (container: --cap-add SYS_CHROOT).",
        find: |case| {
            entered(case)?.iter().find(|one| one.asked == Kind::Mnt)?;
            // With the user namespace come all capabilities.
            if entered(case)?.iter().any(|one| one.asked == Kind::User) {
                return None;
            }
            let lacks = lacks(case, Capability::SysChroot)?;
            because(
                format!("{lacks}, and a mount namespace takes it"),
                "run with it (container: --cap-add SYS_CHROOT)",
            )
        },
    },
    Rule {
        id: "setns-owner",
        step: "setns",
        errors: [EPERM],
        about: "We have no CAP_SYS_ADMIN in the user namespace that owns it: another user made it.",
        advice: "Run as the user who made it, or as root.",
        find: owned_by_other,
    },
    Rule {
        id: "setns-outside",
        step: "setns",
        errors: [EPERM],
        about: "It belongs to a user namespace that is neither ours nor below ours: an ancestor, or a foreign one.",
        advice: "This is impossible by design; start from outside.",
        find: outside,
    },
    Rule {
        id: "setns-traced",
        step: "setns",
        errors: [EPERM],
        about: "We may not look into the process: it runs as another user, or is not dumpable.",
        advice: "Run as root; or as the same user, with -U.",
        find: |case| {
            // The kernel asks for no more than that of who can open its files.
            entered(case)?.iter().find(|one| one.closed.is_some())?;
            other_user(case)
        },
    },
    Rule {
        id: "setns-refused",
        step: "setns",
        errors: [EPERM],
        about: "We may not look into the process, and neither its user nor ours says why.",
        advice: "Either it is in a user namespace that is not below ours, or it has capabilities that we lack, or a \
                security module refuses.",
        find: |case| {
            entered(case)?.iter().find(|one| one.closed.is_some())?;
            not_traced(case)
        },
    },
    Rule {
        id: "setns-own-user",
        step: "setns",
        errors: [EINVAL],
        about: "It is the user namespace that we are in, which cannot be entered again.",
        advice: "Leave -U out.",
        find: |case| {
            let is_own =
                |one: &&NamespaceFacts| one.asked == Kind::User && one.is_ours == Some(true);
            entered(case)?.iter().find(is_own)?;
            because(
                "we are in this user namespace already, and nobody can enter their own again",
                "leave -U (user) out",
            )
        },
    },
    Rule {
        id: "setns-pid-ancestor",
        step: "setns",
        errors: [EINVAL],
        about: "The PID namespace is not below ours: only descendants can be entered.",
        advice: "Start from outside.",
        find: |case| {
            let is_above = |one: &&NamespaceFacts| one.descends == Some(false);
            entered(case)?.iter().find(is_above)?;
            because(
                "this PID namespace is not below ours (NS_GET_PARENT), and only those below can be entered",
                "start from a PID namespace above it",
            )
        },
    },
    Rule {
        id: "setns-no-namespace",
        step: "setns",
        errors: [EINVAL],
        about: "The file is no namespace.",
        advice: "Take a file of /proc/PID/ns, or one on which a namespace was bound.",
        find: |case| {
            let is_none = |one: &&NamespaceFacts| one.is_namespace == Some(false);
            let one = entered(case)?.iter().find(is_none)?;
            because(
                format!(
                    "the file is no namespace (it lies on no nsfs), so it is no {} namespace",
                    one.asked
                ),
                "take a file of /proc/PID/ns, or one on which a namespace was bound and still is",
            )
        },
    },
    Rule {
        id: "setns-kind",
        step: "setns",
        errors: [EINVAL],
        about: "The file is a namespace of another kind.",
        advice: "The real kind is named.",
        find: wrong_kind,
    },
    Rule {
        id: "setns-missing-kind",
        step: "setns",
        errors: [EINVAL],
        about: "This kernel has no namespaces of this kind.",
        advice: "The kernel must be built with the option that is named.",
        find: |case| {
            let entered = entered(case)?;
            let kinds = case.facts.kinds()?;
            let one = entered.iter().find(|one| !kinds.has(one.asked))?;
            because(
                format!(
                    "this kernel has no {} namespaces (no such file in /proc/self/ns)",
                    one.asked
                ),
                format!("use a kernel with {}", config_option(one.asked)),
            )
        },
    },
    Rule {
        id: "setns-ended",
        step: "setns",
        errors: [ESRCH],
        about: "The process has ended.",
        advice: "Take another one; a namespace that must outlive its processes can be bound on a file.",
        find: |case| zombie(case).or_else(|| gone(case)),
    },
];

fn target<'a>(case: &'a Case<'_>) -> Option<&'a TargetFacts> {
    case.facts.target(match case.stage {
        Stage::Open(path) => Process::in_path(path)?.0,
        Stage::Target(pid) | Stage::Enter { pid: Some(pid), .. } => Process::Ours(*pid),
        _ => return None,
    })
}

fn entered<'a>(case: &'a Case<'_>) -> Option<&'a [NamespaceFacts]> {
    let Stage::Enter { kinds, pid } = case.stage else {
        return None;
    };
    let namespaces = case.facts.namespaces((*kinds, *pid))?;
    (!namespaces.is_empty()).then_some(namespaces)
}

fn gone(case: &Case<'_>) -> Option<Finding> {
    let target = target(case)?;
    let pid = target.pid;
    // A path is looked up in /proc; a process is asked for by its number in our PID namespace.
    let is_path = matches!(case.stage, Stage::Open(_));
    if is_path && target.proc_is_there == Some(false) {
        return because(
            "no proc is mounted on /proc, or it is that of another PID namespace",
            "mount it: mount -t proc proc /proc",
        );
    }
    if target.exists? {
        return None;
    }
    if target.hidden == Some(true) {
        return because(
            format!("either there is no process {pid} here, or /proc hides it from us (hidepid)"),
            "run as root, or look the PID up with ps -e",
        );
    }
    let whose = if is_path {
        "the PID namespace of /proc"
    } else {
        "our PID namespace"
    };
    because(
        format!("there is no process {pid} in {whose}"),
        "look the PID up with ps -e; a container's own PIDs are others than those seen from here",
    )
}

fn without_inode(case: &Case<'_>) -> Option<Finding> {
    let why = match case.facts.pidfds()? {
        Pidfds::Alike => {
            "all pidfds share one inode before Linux 6.9, so it tells no process from another"
        }
        Pidfds::Missing => {
            "there are no pidfds: the kernel is older than Linux 5.3, or a filter refuses pidfd_open(2)"
        }
        Pidfds::Distinct => return None,
    };
    because(
        why,
        "leave the inode out, and make sure otherwise that it is the process meant",
    )
}

fn zombie(case: &Case<'_>) -> Option<Finding> {
    let target = target(case)?;
    matches!(target.state?, b'Z' | b'X').then(|| {
        because(
            format!(
                "process {} has ended and is not waited for yet (State is Z), so it has no namespaces any more",
                target.pid
            ),
            "take another process; a namespace that must outlive its processes can be bound on a file",
        )
    })?
}

fn other_user(case: &Case<'_>) -> Option<Finding> {
    let target = target(case)?;
    let pid = target.pid;
    // With it the kernel asks no further, in our own user namespace and below.
    if case.facts.has(Capability::SysPtrace)? {
        return None;
    }
    let hint = "run as root; or as the same user, with -U";
    let (uid, gid) = (case.facts.uid()?, case.facts.gid()?);
    let uids = target.uids?;
    if uids.iter().any(|other| *other != uid) {
        let other = uids.iter().find(|other| **other != uid)?;
        return because(
            format!(
                "process {pid} runs as user {other}, and we are user {uid} without CAP_SYS_PTRACE"
            ),
            hint,
        );
    }
    if let Some(other) = target.gids?.iter().find(|other| **other != gid) {
        return because(
            format!(
                "process {pid} runs with group {other}, and we have group {gid}, without CAP_SYS_PTRACE"
            ),
            hint,
        );
    }
    if target.files_of? != uid {
        return because(
            format!(
                "process {pid} is of our user {uid} but not dumpable (its files in /proc belong to user {})",
                target.files_of?
            ),
            "run as root; it was set-user-ID, has changed its user, or has set itself so with prctl(2)",
        );
    }
    None
}

fn not_traced(case: &Case<'_>) -> Option<Finding> {
    let pid = target(case)?.pid;
    // Without it all that a process of our own user lacks is what it holds more than we.
    let capabilities = if case.facts.has(Capability::SysPtrace)? {
        ""
    } else {
        "it has capabilities that we lack, or "
    };
    perhaps(
        format!(
            "we may not look into process {pid}: either it is in a user namespace that is neither ours nor below ours, \
             or {capabilities}a security module refuses"
        ),
        "run as root outside this user namespace, or outside the container",
    )
}

fn privilege(case: &Case<'_>) -> Option<Finding> {
    let namespaces = entered(case)?;
    let lacks = lacks(case, Capability::SysAdmin)?;
    // A user namespace brings the capabilities for the others along.
    if namespaces.iter().any(|one| one.asked == Kind::User) {
        return None;
    }
    let kinds: crate::model::Kinds = namespaces.iter().map(|one| one.asked).collect();
    let hint = if namespaces
        .iter()
        .any(|one| one.owner == Some(Relation::Below))
    {
        "add -U: the user namespace that owns it can be entered too"
    } else {
        "run as root"
    };
    because(
        format!("{lacks}, and to enter a {kinds} namespace takes it"),
        hint,
    )
}

fn owned_by_other(case: &Case<'_>) -> Option<Finding> {
    let lacks = lacks(case, Capability::SysAdmin)?;
    let uid = case.facts.uid()?;
    let one = entered(case)?.iter().find(|one| {
        one.owner == Some(Relation::Below) && one.owner_uid.is_some_and(|owner| owner != uid)
    })?;
    let owner = one.owner_uid?;
    let what = match one.asked {
        Kind::User => "this user namespace was made".to_owned(),
        kind => format!("the user namespace that owns this {kind} namespace was made"),
    };
    because(
        format!("{what} by user {owner} (NS_GET_OWNER_UID), and we are user {uid}; {lacks}"),
        format!("run as user {owner}, or as root"),
    )
}

fn outside(case: &Case<'_>) -> Option<Finding> {
    let one = entered(case)?
        .iter()
        .find(|one| one.owner == Some(Relation::Outside))?;
    let what = match one.asked {
        Kind::User => "this user namespace is".to_owned(),
        kind => format!("the user namespace that owns this {kind} namespace is"),
    };
    because(
        format!(
            "{what} neither ours nor below ours (either an ancestor or a foreign one), and there nobody from here has \
             any capability"
        ),
        "impossible by design: start from outside this user namespace",
    )
}

fn wrong_kind(case: &Case<'_>) -> Option<Finding> {
    let (asked, found) = match case.stage {
        Stage::WrongKind { asked, found } => (*asked, *found),
        _ => {
            let is_other =
                |one: &&NamespaceFacts| one.found.is_some_and(|found| found != one.asked);
            let one = entered(case)?.iter().find(is_other)?;
            (one.asked, one.found?)
        }
    };
    because(
        format!("it is a {found} namespace, not a {asked} namespace (NS_GET_NSTYPE)"),
        format!("ask for {found}"),
    )
}
