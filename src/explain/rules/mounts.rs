//! Why something could not be mounted, bound or made the root.

use libc::{EACCES, EBUSY, EINVAL, ENODEV, ENOENT, ENOSYS, ENOTDIR, EPERM};

use super::{Case, Finding, apparmor, because, filtered, lacks, place};
use crate::failure::Stage;
use crate::host::capability::Capability;
use crate::host::mountinfo::ProcMount;
use crate::host::namespace::Relation;
use crate::host::place::{Obstacle, Place};
use crate::model::{Kind, Word};

rules![
    Rule {
        id: "propagation-chroot",
        step: "propagation",
        errors: [EINVAL],
        about: "/ is no mount point: this is a chroot.",
        advice: "Add --propagation unchanged, or change the root with pivot_root(2).",
        find: |case| {
            (case.facts.root_is_mount() == Some(false)).then(|| {
                because(
                    "/ is no mount point here (a chroot), so it has no propagation to set",
                    "add --propagation unchanged",
                )
            })?
        },
    },
    Rule {
        id: "propagation-seccomp",
        step: "propagation",
        errors: [EPERM, EACCES, ENOSYS],
        about: "A seccomp filter refuses mount(2).",
        advice: "Use another seccomp profile.",
        find: |case| filtered(case, "mount(2)", case.facts.mount_probe(), libc::EFAULT),
    },
    Rule {
        id: "propagation-apparmor",
        step: "propagation",
        errors: [EPERM, EACCES],
        about: "AppArmor restricts user namespaces.",
        advice: "Give the binary an AppArmor profile with \"userns,\", or run as root.",
        find: apparmor,
    },
    Rule {
        id: "mount-seccomp",
        step: "mount",
        errors: [EPERM, EACCES, ENOSYS],
        about: "A seccomp filter refuses mount(2).",
        advice: "Use another seccomp profile.",
        find: |case| filtered(case, "mount(2)", case.facts.mount_probe(), libc::EFAULT),
    },
    Rule {
        id: "mount-apparmor",
        step: "mount",
        errors: [EPERM, EACCES],
        about: "AppArmor restricts user namespaces.",
        advice: "Give the binary an AppArmor profile with \"userns,\", or run as root.",
        find: apparmor,
    },
    Rule {
        id: "mount-proc-owner",
        step: "mount",
        errors: [EPERM],
        about: "The PID namespace that we are in belongs to an outer user namespace: -p is missing, or there was no \
                fork yet.",
        advice: "Add -pf.",
        find: proc_owner,
    },
    Rule {
        id: "mount-proc-masked",
        step: "mount",
        errors: [EPERM],
        about: "Parts of /proc are covered, as in containers, so the kernel lets no user namespace mount a proc that \
                would show them.",
        advice: "Unmask it: --security-opt unmask=ALL (podman), systempaths=unconfined (docker).",
        find: proc_masked,
    },
    Rule {
        id: "mount-proc-read-only",
        step: "mount",
        errors: [EPERM],
        about: "/proc is read-only, so the kernel lets a user namespace mount only a read-only one.",
        advice: "Mount one read-only in the program: mount -t proc -o ro proc DIR.",
        find: proc_read_only,
    },
    Rule {
        id: "mount-busy",
        step: "mount",
        errors: [EBUSY],
        about: "The proc of this PID namespace is mounted there already.",
        advice: "Add -pf, so that it is one of a new PID namespace.",
        find: |case| match case.stage {
            Stage::Mount {
                kind: "proc",
                target,
            } => because(
                format!(
                    "the proc of this PID namespace is mounted on {} already",
                    Word(target)
                ),
                "add -pf, so that it is the proc of a new PID namespace; or leave --mount-proc out",
            ),
            _ => None,
        },
    },
    Rule {
        id: "mount-directory",
        step: "mount",
        errors: [ENOENT, ENOTDIR, EACCES],
        about: "The directory does not exist, or is none.",
        advice: "Make it: mkdir -p DIR.",
        find: |case| {
            let place = place(case)?;
            directory(case, place, &format!("mkdir -p {}", Word(&place.path)))
        },
    },
    Rule {
        id: "mount-unknown-type",
        step: "mount",
        errors: [ENODEV],
        about: "The kernel does not know this type of file system.",
        advice: "Load its module.",
        find: |case| match case.stage {
            Stage::Mount { kind, .. } => because(
                format!(
                    "this kernel does not know the file system {kind} (or its module is not loaded)"
                ),
                format!("let root run modprobe {kind}"),
            ),
            _ => None,
        },
    },
    Rule {
        id: "bind-missing",
        step: "bind",
        errors: [ENOENT, EACCES],
        about: "FILE does not exist: a namespace is bound on a file that is there.",
        advice: "touch FILE",
        find: bind_missing,
    },
    Rule {
        id: "bind-directory",
        step: "bind",
        errors: [ENOTDIR],
        about: "FILE is a directory, or its path leads through a file.",
        advice: "Name a file.",
        find: |case| {
            let place = place(case)?;
            if place.is_directory == Some(true) {
                let path = Word(&place.path).to_string();
                return because(
                    format!("{path} is a directory, and a namespace is bound on a file"),
                    format!("touch {path}/NAME, and name that"),
                );
            }
            blocked(case, place, "name a file in a directory")
        },
    },
    Rule {
        id: "bind-shared",
        step: "bind",
        errors: [EINVAL],
        about: "A mount namespace cannot be bound on a shared mount: the mount would spread into the namespace itself.",
        advice: "Make a private place: mount --bind DIR DIR; mount --make-private DIR.",
        find: bind_shared,
    },
    Rule {
        id: "bind-privilege",
        step: "bind",
        errors: [EPERM],
        about: "CAP_SYS_ADMIN is missing where the file lies: the capabilities of -r count inside only.",
        advice: "Run as root, or in a user and mount namespace of your own: unshare -rm.",
        find: |case| {
            let lacks = lacks(case, Capability::SysAdmin)?;
            because(
                format!("{lacks} outside the new namespaces, where the file lies"),
                "run as root, or all of it inside unshare -rm",
            )
        },
    },
    Rule {
        id: "bind-seccomp",
        step: "bind",
        errors: [EPERM, EACCES, ENOSYS],
        about: "A seccomp filter refuses mount(2).",
        advice: "Use another seccomp profile.",
        find: |case| filtered(case, "mount(2)", case.facts.mount_probe(), libc::EFAULT),
    },
    Rule {
        id: "root-privilege",
        step: "root",
        errors: [EPERM],
        about: "CAP_SYS_CHROOT is missing.",
        advice: "Add -r, or run as root.",
        find: |case| {
            because(
                lacks(case, Capability::SysChroot)?,
                "add -r, or run as root",
            )
        },
    },
    Rule {
        id: "root-path",
        step: "root",
        errors: [ENOENT, ENOTDIR, EACCES],
        about: "A part of the path is missing, is no directory, or may not be searched.",
        advice: "The part is named.",
        find: |case| directory(case, place(case)?, "name a directory that is there"),
    },
    Rule {
        id: "directory-path",
        step: "directory",
        errors: [ENOENT, ENOTDIR, EACCES],
        about: "A part of the path is missing, is no directory, or may not be searched. With -R, -w is a path in the \
                new root directory.",
        advice: "The part is named.",
        find: |case| directory(case, place(case)?, "name a directory that is there"),
    },
];

/// The visible proc file systems, where it is a user namespace's proc that was refused.
fn unprivileged_procs<'a>(case: &'a Case<'_>) -> Option<&'a [ProcMount]> {
    let Stage::Mount { kind: "proc", .. } = case.stage else {
        return None;
    };
    // Who has CAP_SYS_ADMIN in the initial user namespace may mount any.
    if case.facts.has_all_ids()? {
        return None;
    }
    case.facts.procs().map(Vec::as_slice)
}

fn proc_owner(case: &Case<'_>) -> Option<Finding> {
    let Stage::Mount { kind: "proc", .. } = case.stage else {
        return None;
    };
    if case.facts.pid_owner()? != Relation::Outside {
        return None;
    }
    let unentered = case
        .facts
        .unentered()
        .is_some_and(|kinds| kinds.has(Kind::Pid));
    if unentered {
        return because(
            "the new PID namespace has not been entered (/proc/self/ns/pid and pid_for_children differ), and the one \
             we are in belongs to an outer user namespace",
            "add --fork: only children enter the new PID namespace",
        );
    }
    because(
        "the PID namespace that we are in belongs to an outer user namespace (NS_GET_USERNS), so its proc is not ours \
         to mount",
        "add -pf, so that it is the proc of a PID namespace of our own",
    )
}

fn proc_masked(case: &Case<'_>) -> Option<Finding> {
    let procs = unprivileged_procs(case)?;
    // Of several, one that is not hidden under another.
    let is_on_top = |proc: &&ProcMount| !proc.covered.contains(&proc.point);
    let first = procs.iter().find(is_on_top).or(procs.first())?;
    // One that can be seen whole is enough for the kernel.
    if procs.iter().any(|proc| proc.covered.is_empty()) {
        return None;
    }
    const SHOWN: usize = 3;
    let mut covered: Vec<String> = first
        .covered
        .iter()
        .take(SHOWN)
        .map(|point| Word(point.as_os_str()).to_string())
        .collect();
    if first.covered.len() > SHOWN {
        covered.push(format!("{} more", first.covered.len() - SHOWN));
    }
    because(
        format!(
            "{} is covered in parts ({}), and a user namespace may not mount a proc that shows them",
            first.point.display(),
            covered.join(", ")
        ),
        "unmask it: --security-opt unmask=ALL (podman), --security-opt systempaths=unconfined (docker); or bind the \
         /proc that is there",
    )
}

fn proc_read_only(case: &Case<'_>) -> Option<Finding> {
    let procs = unprivileged_procs(case)?;
    let mut whole = procs.iter().filter(|proc| proc.covered.is_empty());
    let first = whole.next()?;
    if !first.read_only || whole.any(|proc| !proc.read_only) {
        return None;
    }
    because(
        format!(
            "{} is read-only, and a user namespace may mount only a read-only proc then",
            first.point.display()
        ),
        "have the program mount it: mount -t proc -o ro proc DIR",
    )
}

/// The sentence for a path that leads no further.
pub(super) fn blocked(case: &Case<'_>, place: &Place, hint: &str) -> Option<Finding> {
    let obstacle = place.obstacle.as_ref()?;
    let errno = match obstacle {
        Obstacle::Missing(_) | Obstacle::Dangling(..) => ENOENT,
        Obstacle::NoDirectory(_) => ENOTDIR,
        Obstacle::Closed(_) => EACCES,
    };
    if errno != case.errno {
        return None;
    }
    let cause = match obstacle {
        Obstacle::Missing(part) => format!("there is no {}", Word(part)),
        Obstacle::Dangling(part, text) => {
            format!(
                "{} is a symbolic link to {}, which is not there",
                Word(part),
                Word(text)
            )
        }
        Obstacle::NoDirectory(part) => format!("{} is no directory", Word(part)),
        Obstacle::Closed(part) => format!("we may not search {}", Word(part)),
    };
    because(cause, hint)
}

/// The sentence for a path that leads to no directory.
fn directory(case: &Case<'_>, place: &Place, hint: &str) -> Option<Finding> {
    if case.errno == ENOTDIR && place.obstacle.is_none() && place.is_directory == Some(false) {
        return because(
            format!("{} is no directory", Word(&place.path)),
            "name a directory",
        );
    }
    blocked(case, place, hint)
}

fn bind_missing(case: &Case<'_>) -> Option<Finding> {
    let place = place(case)?;
    let path = Word(&place.path).to_string();
    blocked(case, place, &format!("touch {path}"))
}

fn bind_shared(case: &Case<'_>) -> Option<Finding> {
    let Stage::Bind {
        kind: Kind::Mnt,
        file,
    } = case.stage
    else {
        return None;
    };
    let (point, is_shared) = place(case)?.mount.as_ref()?;
    if !is_shared {
        return None;
    }
    let directory = std::path::Path::new(file)
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or_else(
            || ".".to_owned(),
            |parent| Word(parent.as_os_str()).to_string(),
        );
    because(
        format!(
            "the mount {} is shared, and a mount namespace cannot be bound where it would spread into itself",
            Word(point.as_os_str())
        ),
        format!(
            "mount --bind {directory} {directory} && mount --make-private {directory}, then bind there"
        ),
    )
}
