//! Namespaces that outlive their processes, bound on files.

use std::ffi::OsString;
use std::path::Path;

use libc::{EACCES, EINVAL, ENOENT, ENOSYS, ENOTDIR, EPERM};

use crate::failure::common::{blocked, lacks, module_refuses, mount_filtered};
use crate::failure::{Case, Finding, because, explains};
use crate::host::capability::Capability;
use crate::host::place::Obstacle;
use crate::model::{Kind, Word};
use crate::steps::ahead::Ahead;

/// Bind our namespace of this kind on a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) kind: Kind,
    pub(crate) file: OsString,
}

impl Bind {
    pub(super) fn predict(&self, line: &str, ahead: &mut Ahead<'_>) {
        for errno in [EPERM, ENOENT, ENOTDIR, EINVAL] {
            if ahead.tell(line, self, errno, |_| {}) {
                break;
            }
        }
    }
}

explains! {
    Bind {
        word: "bind",
        classic: "mount /proc/PID/ns/KIND on FILE failed",
        applets: ["unshare"],
    }
    Rule {
        id: "bind-missing",
        errors: [ENOENT, EACCES],
        about: "FILE does not exist: a namespace is bound on a file that is there.",
        advice: "Make it: touch FILE; where its directory is missing too, mkdir -p DIR && touch FILE.",
        find: missing,
    },
    Rule {
        id: "bind-directory",
        errors: [ENOTDIR],
        about: "FILE is a directory, or its path leads through a file.",
        advice: "Name a file.",
        find: |bind, case| {
            let place = case.facts.place(&bind.file)?;
            if place.is_directory == Some(true) {
                let path = Word(&place.path).to_string();
                return because(
                    format!("{path} is a directory, and a namespace is bound on a file"),
                    {
                        let inside = Path::new(&place.path).join("ns");
                        let inside = Word(inside.as_os_str());
                        format!("touch {inside}, and name that: --{}={inside}", bind.kind.option())
                    },
                );
            }
            blocked(case, place, "name a file in a directory")
        },
    },
    Rule {
        id: "bind-shared",
        errors: [EINVAL],
        about: "A mount namespace cannot be bound on a shared mount: the mount would spread into the namespace itself.",
        advice: "Make a private place: mount --bind DIR DIR; mount --make-private DIR.",
        find: shared,
    },
    Rule {
        id: "bind-privilege",
        errors: [EPERM],
        about: "CAP_SYS_ADMIN is missing where the file lies: the capabilities of -r count inside only.",
        advice: "Run as root, or in a user and mount namespace of your own: unshare -rm.",
        find: |_, case| {
            lacks(case.facts, Capability::SysAdmin)?.because(
                " outside the new namespaces, where the file lies",
                "run as root, or all of it inside unshare -rm",
            )
        },
    },
    Rule {
        id: "bind-refused",
        errors: [EACCES],
        about: "A security module refuses the mount.",
        advice: "Have the module's profile allow it (AppArmor: \"mount,\").",
        find: |bind, case| {
            let is_open = case.facts.place(&bind.file)?.obstacle.is_none();
            is_open.then(|| module_refuses(case, "the mount of a namespace", "mount,", false))?
        },
    },
    Rule {
        id: "bind-seccomp",
        errors: [EPERM, EACCES, ENOSYS],
        about: "A seccomp filter refuses mount(2).",
        advice: "Use another seccomp profile.",
        find: |_, case| mount_filtered(case),
    },
}

fn missing(bind: &Bind, case: &Case<'_>) -> Option<Finding> {
    let place = case.facts.place(&bind.file)?;
    let path = Word(&place.path).to_string();
    let parent = Path::new(&bind.file).parent();
    let hint = match (&place.obstacle, parent) {
        // The first part that is missing is a directory on the way.
        (Some(Obstacle::Missing(part)), Some(parent)) if *part != bind.file => {
            let parent = Word(parent.as_os_str());
            format!("mkdir -p {parent} && touch {path}")
        }
        (Some(Obstacle::Dangling(part, _)), _) => {
            format!("rm {part} && touch {path}", part = Word(part))
        }
        (Some(Obstacle::Closed(_)), _) => {
            "name a file in a directory that we may search".to_owned()
        }
        _ => format!("touch {path}"),
    };
    blocked(case, place, &hint)
}

fn shared(bind: &Bind, case: &Case<'_>) -> Option<Finding> {
    let (point, is_shared) = case.facts.place(&bind.file)?.mount.as_ref()?;
    if bind.kind != Kind::Mnt || !is_shared {
        return None;
    }
    let directory = Path::new(&bind.file)
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
