//! A new proc.

use std::ffi::{OsStr, OsString};
use std::fmt;

use libc::{EACCES, EBUSY, ENODEV, ENOENT, ENOSYS, ENOTDIR, EPERM};

use super::ahead::Ahead;
use super::{Do, State};
use crate::failure::common::{apparmor_inside, module_refuses, mount_filtered, no_directory};
use crate::failure::{Case, Failure, Finding, Result, because, explains, line};
use crate::host::capability::Capability;
use crate::host::mountinfo::ProcMount;
use crate::host::namespace::Relation;
use crate::model::{Kind, Kinds, Word};
use crate::sys::{self, MsFlags};

/// Mount proc for the PID namespace that we are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountProc(pub(crate) OsString);

impl fmt::Display for MountProc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mount proc on {}", Word(&self.0))
    }
}

impl Do for MountProc {
    fn run(&self, _: &mut State) -> Result<()> {
        mount("proc", &self.0).map_err(|error| mount_failed("proc", &self.0, error))
    }

    fn predict<'a>(&'a self, line: &str, ahead: &mut Ahead<'a>) {
        let mounting = Mounting {
            fstype: "proc",
            target: self.0.clone(),
        };
        if ahead.is_in_our_root()
            && (ahead.tell(line, &mounting, ENOENT, |_| {})
                || ahead.tell(line, &mounting, ENOTDIR, |_| {}))
        {
            return;
        }
        let as_inside = ahead.as_inside();
        let (inside, forked) = (ahead.has_new_user(), ahead.forked);
        let made = ahead.made.has(Kind::Pid);
        ahead.tell(line, &mounting, EPERM, |facts| {
            as_inside(facts);
            if !inside {
                // What covers parts of a proc is locked only in a new user namespace (mount_namespaces(7)).
                facts.procs = None.into();
                return;
            }
            let owner = if made && forked {
                Relation::Ours
            } else {
                Relation::Outside
            };
            let unentered = if made && !forked {
                Kinds::NONE.with(Kind::Pid)
            } else {
                Kinds::NONE
            };
            facts.pid_owner = Some(owner).into();
            facts.unentered = Some(unentered).into();
        });
    }
}

/// Mounts a file system of the kernel's own, of whose files none is a program or a device.
pub(crate) fn mount(kind: &'static str, dir: &OsStr) -> sys::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    sys::mount(kind, dir, kind, flags)
}

pub(crate) fn mount_failed(fstype: &'static str, dir: &OsStr, error: sys::Error) -> Failure {
    let mounting = Mounting {
        fstype,
        target: dir.to_owned(),
    };
    Failure::new(
        mounting,
        line(["mount ".as_ref(), dir, " failed".as_ref()]),
        error,
    )
}

/// A file system of this type is mounted on this directory.
pub(crate) struct Mounting {
    pub(crate) fstype: &'static str,
    pub(crate) target: OsString,
}

explains! {
    Mounting {
        word: "mount",
        classic: "mount DIR failed",
        applets: ["unshare"],
    }
    Rule {
        id: "mount-seccomp",
        errors: [EPERM, EACCES, ENOSYS],
        about: "A seccomp filter refuses mount(2).",
        advice: "Use another seccomp profile.",
        find: |_, case| mount_filtered(case),
    },
    Rule {
        id: "mount-apparmor",
        errors: [EPERM, EACCES],
        about: "AppArmor restricts user namespaces.",
        advice: "Give the binary an AppArmor profile with \"userns,\", or run as root.",
        find: |_, case| apparmor_inside(case),
    },
    Rule {
        id: "mount-proc-owner",
        errors: [EPERM],
        about: "The current PID namespace belongs to an outer user namespace: -p is missing, or there was no \
                fork yet.",
        advice: "Add -pf.",
        find: proc_owner,
    },
    Rule {
        id: "mount-proc-masked",
        errors: [EPERM],
        about: "Parts of /proc are covered, as in containers, so the kernel lets no user namespace mount a proc that \
                would show them.",
        advice: "Unmask it: --security-opt unmask=ALL (podman), systempaths=unconfined (docker).",
        find: proc_masked,
    },
    Rule {
        id: "mount-proc-read-only",
        errors: [EPERM],
        about: "/proc is read-only, so the kernel lets a user namespace mount only a read-only one.",
        advice: "Mount one read-only in the program: mount -t proc -o ro proc DIR.",
        find: proc_read_only,
    },
    Rule {
        id: "mount-binfmt",
        errors: [EPERM],
        about: "Before Linux 6.7 a user namespace has no binfmt_misc of its own.",
        advice: "Use a newer kernel; or let root register the interpreter for the whole machine.",
        find: |mounting, case| {
            let (major, minor) = case.facts.kernel()?;
            let is_old = (major, minor) < (6, 7) && mounting.fstype == "binfmt_misc";
            let is_privileged = case.facts.has_on_machine(Capability::SysAdmin)?;
            (is_old && !is_privileged).then(|| {
                because(
                    format!(
                        "this is Linux {major}.{minor}, and a user namespace may mount binfmt_misc from Linux 6.7 on"
                    ),
                    "use a newer kernel, or let root register the interpreter for the whole machine",
                )
            })?
        },
    },
    Rule {
        id: "mount-busy",
        errors: [EBUSY],
        about: "The proc of this PID namespace is mounted there already.",
        advice: "Add -pf, so that it is one of a new PID namespace.",
        find: |mounting, _| {
            mounting.is_proc().then(|| {
                because(
                    format!(
                        "the proc of this PID namespace is mounted on {} already",
                        Word(&mounting.target)
                    ),
                    "add -pf, so that it is the proc of a new PID namespace; or leave --mount-proc out",
                )
            })?
        },
    },
    Rule {
        id: "mount-directory",
        errors: [ENOENT, ENOTDIR, EACCES],
        about: "The directory does not exist, or is none.",
        advice: "Make it: mkdir -p DIR.",
        find: |mounting, case| {
            let target = &mounting.target;
            no_directory(case, target, &format!("mkdir -p {}", Word(target)))
        },
    },
    Rule {
        id: "mount-refused",
        errors: [EACCES],
        about: "A security module refuses the mount.",
        advice: "Have the module's profile allow it (AppArmor: \"mount,\").",
        find: |mounting, case| {
            let place = case.facts.place(&mounting.target)?;
            // Else it may be the way to the directory.
            let is_open = place.obstacle.is_none() && apparmor_inside(case).is_none();
            is_open.then(|| {
                module_refuses(case, &format!("the mount of {}", mounting.fstype), "mount,", false)
            })?
        },
    },
    Rule {
        id: "mount-unknown-type",
        errors: [ENODEV],
        about: "The kernel does not know this type of file system.",
        advice: "Load its module.",
        find: |mounting, _| {
            let fstype = mounting.fstype;
            because(
                format!("this kernel does not know the file system {fstype} (or its module is not loaded)"),
                format!("let root run modprobe {fstype}"),
            )
        },
    },
}

impl Mounting {
    fn is_proc(&self) -> bool {
        self.fstype == "proc"
    }
}

/// The visible proc file systems, where it is a user namespace's proc that was refused.
fn unprivileged_procs<'a>(mounting: &Mounting, case: &'a Case<'_>) -> Option<&'a [ProcMount]> {
    // In mounts of the initial user namespace whoever may mount may mount any.
    if !mounting.is_proc() || case.facts.has_initial_mounts()? {
        return None;
    }
    case.facts.procs().map(Vec::as_slice)
}

fn proc_owner(mounting: &Mounting, case: &Case<'_>) -> Option<Finding> {
    if !mounting.is_proc() || case.facts.pid_owner()? != Relation::Outside {
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

fn proc_masked(mounting: &Mounting, case: &Case<'_>) -> Option<Finding> {
    let procs = unprivileged_procs(mounting, case)?;
    // Of several ours, if it is not hidden under another.
    let is_ours = |proc: &&ProcMount| {
        proc.point.as_os_str() == "/proc" && !proc.covered.contains(&proc.point)
    };
    let first = procs.iter().find(is_ours).or(procs.first())?;
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

fn proc_read_only(mounting: &Mounting, case: &Case<'_>) -> Option<Finding> {
    let procs = unprivileged_procs(mounting, case)?;
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
