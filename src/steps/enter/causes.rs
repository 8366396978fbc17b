//! Why namespaces could not be entered.

use std::os::fd::OwnedFd;

use libc::{EACCES, EBADF, EINVAL, ENOSYS, EPERM, ESRCH, EUSERS};

use crate::failure::common::{NATIVE_BINARY, filtered, lacks, many_threads};
use crate::failure::{Case, Finding, because, explains, perhaps};
use crate::host::capability::Capability;
use crate::host::namespace::{NamespaceFacts, Relation};
use crate::host::target::{Process, TargetFacts};
use crate::model::{AppletName, Kind, Kinds};
use crate::steps::trace::{gone, hidden, not_traced, other_user, zombie};

/// Namespaces are entered, or are found not to be what can be.
pub(crate) enum Setns {
    /// These kinds, of a process or by a file.
    Into {
        kinds: Kinds,
        pid: Option<i32>,
        /// The namespace, open still, where no path leads to it any more.
        file: Option<OwnedFd>,
    },
    /// It is a namespace of another kind than was asked for.
    WrongKind { asked: Kind, found: Kind },
}

impl Setns {
    fn kinds(&self) -> Option<Kinds> {
        match self {
            Setns::Into { kinds, .. } => Some(*kinds),
            Setns::WrongKind { .. } => None,
        }
    }

    fn target<'a>(&self, case: &'a Case<'_>) -> Option<&'a TargetFacts> {
        match self {
            Setns::Into { pid: Some(pid), .. } => case.facts.target(Process::Ours(*pid)),
            _ => None,
        }
    }

    fn namespaces<'a>(&self, case: &'a Case<'_>) -> Option<&'a [NamespaceFacts]> {
        let Setns::Into { kinds, pid, file } = self else {
            return None;
        };
        let namespaces = case.facts.namespaces((*kinds, *pid, file.as_ref()))?;
        (!namespaces.is_empty()).then_some(namespaces)
    }
}

explains! {
    Setns {
        word: "setns",
        classic: "reassociate to namespace 'ns/KIND' failed",
        applets: ["nsenter", "setns"],
    }
    Rule {
        id: "setns-seccomp",
        errors: [EPERM, EACCES, ENOSYS],
        about: "A seccomp filter refuses setns(2).",
        advice: "Use another seccomp profile, or --cap-add SYS_ADMIN (container).",
        find: |setns, case| {
            let probe = case.facts.setns_probe(setns.kinds()?);
            filtered(case, "setns(2)", probe, EBADF)
        },
    },
    Rule {
        id: "setns-privilege",
        errors: [EPERM],
        about: "CAP_SYS_ADMIN is missing in the caller's own user namespace, which every kind but the user namespace takes.",
        advice: "Run as root; or {also_user}, so that the user namespace that owns it is entered too.",
        find: privilege,
    },
    Rule {
        id: "setns-chroot-privilege",
        errors: [EPERM],
        about: "CAP_SYS_CHROOT is missing, which a mount namespace takes.",
        advice: "Run with it (container: --cap-add SYS_CHROOT).",
        find: |setns, case| {
            setns.namespaces(case)?.iter().find(|one| one.asked == Kind::Mnt)?;
            // With the user namespace come all capabilities.
            if setns.namespaces(case)?.iter().any(|one| one.asked == Kind::User) {
                return None;
            }
            lacks(case.facts, Capability::SysChroot)?.because(
                ", and a mount namespace takes it",
                "run with it (container: --cap-add SYS_CHROOT)",
            )
        },
    },
    Rule {
        id: "setns-owner",
        errors: [EPERM],
        about: "The caller has no CAP_SYS_ADMIN in the user namespace that owns it: another user made it.",
        advice: "Run as the user who made it, or as root.",
        find: owned_by_other,
    },
    Rule {
        id: "setns-outside",
        errors: [EPERM],
        about: "It belongs to a user namespace that is neither the caller's nor below it: an ancestor, or a foreign one.",
        advice: "This is impossible by design; start from outside.",
        find: outside,
    },
    Rule {
        id: "setns-hidden",
        errors: [EPERM],
        about: "/proc hides the process (hidepid), which is another user's.",
        advice: "Run as root.",
        find: |setns, case| hidden(setns.target(case)?),
    },
    Rule {
        id: "setns-traced",
        errors: [EPERM],
        about: "The caller may not look into the process: it runs as another user, or is not dumpable.",
        advice: "Run as root; or as the user of the process, and {also_user}.",
        find: |setns, case| {
            // The kernel asks for no more than that of who can open its files.
            setns.namespaces(case)?.iter().find(|one| one.closed.is_some())?;
            other_user(setns.target(case)?, case)
        },
    },
    Rule {
        id: "setns-refused",
        errors: [EPERM],
        about: "The caller may not look into the process, and neither its user nor the caller's says why.",
        advice: "Either it is in a user namespace that is not below the caller's, or it has capabilities that the caller lacks, or a \
                security module refuses.",
        find: |setns, case| {
            setns.namespaces(case)?.iter().find(|one| one.closed.is_some())?;
            not_traced(setns.target(case)?, case)
        },
    },
    Rule {
        id: "setns-own-user",
        errors: [EINVAL],
        about: "It is the current user namespace, which cannot be entered again.",
        advice: "{without_user}.",
        find: |setns, case| {
            let is_own =
                |one: &&NamespaceFacts| one.asked == Kind::User && one.is_ours == Some(true);
            setns.namespaces(case)?.iter().find(is_own)?;
            because(
                "we are in this user namespace already, and nobody can enter their own again",
                case.applet.without_user(),
            )
        },
    },
    Rule {
        id: "setns-pid-ancestor",
        errors: [EINVAL],
        about: "The PID namespace is not below the current one: only descendants can be entered.",
        advice: "Start from outside.",
        find: |setns, case| {
            let is_above = |one: &&NamespaceFacts| one.descends == Some(false);
            setns.namespaces(case)?.iter().find(is_above)?;
            because(
                "this PID namespace is not below ours (NS_GET_PARENT), and only those below can be entered",
                "start from a PID namespace above it",
            )
        },
    },
    Rule {
        id: "setns-no-namespace",
        errors: [EINVAL],
        about: "The file is no namespace.",
        advice: "Take a file of /proc/PID/ns, or one on which a namespace was bound.",
        find: |setns, case| {
            let is_none = |one: &&NamespaceFacts| one.is_namespace == Some(false);
            let one = setns.namespaces(case)?.iter().find(is_none)?;
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
        errors: [EINVAL],
        about: "The file is a namespace of another kind.",
        advice: "The real kind is named, and how to ask for it.",
        find: wrong_kind,
    },
    Rule {
        id: "setns-missing-kind",
        errors: [EINVAL],
        about: "This kernel has no namespaces of this kind.",
        advice: "The kernel must be built with the option that is named.",
        find: |setns, case| {
            let entered = setns.namespaces(case)?;
            let kinds = case.facts.kinds()?;
            let one = entered.iter().find(|one| !kinds.has(one.asked))?;
            because(
                format!(
                    "this kernel has no {} namespaces (no such file in /proc/self/ns)",
                    one.asked
                ),
                format!("use a kernel with {}", one.asked.config_option()),
            )
        },
    },
    Rule {
        id: "setns-threads",
        errors: [EINVAL, EUSERS],
        about: "The applet has more than one thread, as under an emulator, and only a process with one enters a user or \
                time namespace; one whose threads share a root directory enters no mount namespace.",
        advice: "Run a binary for this machine's own processor.",
        find: threads,
    },
    Rule {
        id: "setns-ended",
        errors: [ESRCH],
        about: "The process has ended.",
        advice: "Take another one; a namespace that must outlive its processes can be bound on a file.",
        find: |setns, case| {
            let target = setns.target(case)?;
            zombie(target).or_else(|| gone(target, false))
        },
    },
}

fn privilege(setns: &Setns, case: &Case<'_>) -> Option<Finding> {
    let namespaces = setns.namespaces(case)?;
    let lacks = lacks(case.facts, Capability::SysAdmin)?;
    // A user namespace brings the capabilities for the others along.
    if namespaces.iter().any(|one| one.asked == Kind::User) {
        return None;
    }
    let kinds: Kinds = namespaces.iter().map(|one| one.asked).collect();
    let hint = if namespaces
        .iter()
        .any(|one| one.owner == Some(Relation::Below))
    {
        format!(
            "{}: the user namespace that owns it can be entered too",
            with_owner(setns, case)
        )
    } else {
        "run as root".to_owned()
    };
    let article = kinds.iter().next()?.article();
    lacks.because(
        &format!(", and to enter {article} {kinds} namespace takes it"),
        hint,
    )
}

/// How the user namespace that owns what is entered is entered too.
fn with_owner(setns: &Setns, case: &Case<'_>) -> &'static str {
    let is_process = matches!(setns, Setns::Into { pid: Some(_), .. });
    match case.applet {
        AppletName::Nsenter if !is_process => "add --user-parent --preserve-credentials",
        AppletName::Setns if !is_process => "name its owner too (user=owner:REF)",
        applet => applet.also_user(),
    }
}

fn owned_by_other(setns: &Setns, case: &Case<'_>) -> Option<Finding> {
    // Who made it has all capabilities in it, without holding any here.
    case.facts.has(Capability::SysAdmin).filter(|has| !has)?;
    let uid = case.facts.uid()?;
    let one = setns.namespaces(case)?.iter().find(|one| {
        one.owner == Some(Relation::Below) && one.owner_uid.is_some_and(|owner| owner != uid)
    })?;
    let owner = one.owner_uid?;
    let what = match one.asked {
        Kind::User => "this user namespace was made".to_owned(),
        kind => format!("the user namespace that owns this {kind} namespace was made"),
    };
    because(
        format!(
            "{what} by user {owner} (NS_GET_OWNER_UID), and we are user {uid}, without CAP_SYS_ADMIN"
        ),
        format!("run as user {owner}, or as root"),
    )
}

fn outside(setns: &Setns, case: &Case<'_>) -> Option<Finding> {
    let one = setns
        .namespaces(case)?
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

fn threads(setns: &Setns, case: &Case<'_>) -> Option<Finding> {
    let threads = many_threads(case.facts)?;
    let entered = setns.namespaces(case)?;
    let enters = |kind| {
        let is_other = |one: &NamespaceFacts| one.asked == kind && one.is_ours != Some(true);
        entered.iter().any(is_other)
    };
    let needs_one = match case.errno {
        EUSERS => Kind::Time,
        _ => Kind::User,
    };
    if enters(needs_one) {
        let cause =
            format!("{threads}, and only a process with one enters a {needs_one} namespace");
        return because(cause, NATIVE_BINARY);
    }
    // The threads of an emulator do share it, and nothing that can be read says so.
    (case.errno == EINVAL && enters(Kind::Mnt)).then(|| {
        perhaps(
            format!(
                "{threads}; if they share a root directory, they let us enter no mount namespace"
            ),
            NATIVE_BINARY,
        )
    })?
}

fn wrong_kind(setns: &Setns, case: &Case<'_>) -> Option<Finding> {
    let (asked, found) = match setns {
        Setns::WrongKind { asked, found } => (*asked, *found),
        Setns::Into { .. } => {
            let is_other =
                |one: &&NamespaceFacts| one.found.is_some_and(|found| found != one.asked);
            let one = setns.namespaces(case)?.iter().find(is_other)?;
            (one.asked, one.found?)
        }
    };
    because(
        format!(
            "it is {} {found} namespace, not {} {asked} namespace (NS_GET_NSTYPE)",
            found.article(),
            asked.article()
        ),
        match case.applet {
            AppletName::Setns => format!("name it as {found}=REF"),
            _ => format!("give it to --{}", found.option()),
        },
    )
}
