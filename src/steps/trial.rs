//! What is tried inside, in place of a program, to see whether one could do it. No applet's plan has this step.
//!
//! Whatever it makes lies in namespaces that the steps before have made, and goes with them.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use libc::{EACCES, EINVAL, ENOENT, ENOTDIR, EPERM};

use super::execute::{Executed, search_path, shell};
use super::mount::Mounting;
use super::{Do, Program, State};
use crate::failure::{Case, Explain, Failure, Finding, Result, Unexplained, because, cause, line};
use crate::host::capability::Capability;
use crate::host::executable;
use crate::host::facts::Facts;
use crate::host::mountinfo::{Mount, words};
use crate::host::procfs::Status;
use crate::model::AppletName;
use crate::model::Word;
use crate::sys::{self, MsFlags, Proc};

/// Try this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trial {
    /// Mount a tmpfs on a directory, and make a file of this name in it.
    Tmpfs { dir: OsString, file: &'static str },
    /// Mount an overlay of directories of the tmpfs that is mounted there.
    Overlay { dir: OsString },
    /// Mount sysfs for the network namespace that we are in.
    Sysfs { dir: OsString },
    /// Use a capability, in a UTS namespace of our own.
    Capabilities,
    /// Stop, until somebody ends us.
    Stop,
    /// Look whether this could be executed.
    Execute(Program),
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trial::Tmpfs { dir, .. } => write!(f, "mount a tmpfs on {}", Word(dir)),
            Trial::Overlay { dir } => write!(f, "mount an overlay in {}", Word(dir)),
            Trial::Sysfs { dir } => write!(f, "mount sysfs on {}", Word(dir)),
            Trial::Capabilities => f.write_str("use a capability"),
            Trial::Stop => f.write_str("stop"),
            Trial::Execute(program) => write!(f, "look for what would {program}"),
        }
    }
}

impl Do for Trial {
    fn run(&self, state: &mut State) -> Result<()> {
        match self {
            Trial::Tmpfs { dir, file } => {
                let kind = "tmpfs";
                let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
                sys::mount(kind, dir, kind, flags)
                    .and_then(|()| {
                        let dir = sys::open(dir, sys::For::Directory)?;
                        sys::create_at(std::os::fd::AsFd::as_fd(&dir), file.as_ref(), 0o600)
                            .map(drop)
                    })
                    .map_err(|error| mount_failed(kind, dir, error))
            }
            Trial::Overlay { dir } => {
                overlay(dir).map_err(|error| mount_failed("overlay", dir, error))
            }
            Trial::Sysfs { dir } => sys::mount("sysfs", dir, "sysfs", MsFlags::MS_NOSUID)
                .map_err(|error| mount_failed("sysfs", dir, error)),
            Trial::Capabilities => capabilities(),
            Trial::Stop => sys::kill(sys::pid(), libc::SIGSTOP)
                .map_err(|error| Failure::new(Unexplained("stop"), "cannot stop", error)),
            Trial::Execute(program) => execute(program, state),
        }
    }
}

/// Has only directories of its own, so that nothing is seen of the machine's.
fn overlay(dir: &OsStr) -> sys::Result<()> {
    sys::change_directory(dir)?;
    for name in "lower upper work merged".split(' ') {
        sys::make_directory(name.as_ref())?;
    }
    let merged = OsStr::new("merged");
    let options = "lowerdir=lower,upperdir=upper,workdir=work";
    // In a user namespace its own attributes must be those that a user may set (Linux 5.11).
    match sys::mount_with("overlay", merged, &format!("{options},userxattr")) {
        Err(error) if error.raw() == EINVAL => sys::mount_with("overlay", merged, options),
        done => done,
    }
}

fn mount_failed(fstype: &'static str, dir: &OsStr, error: sys::Error) -> Failure {
    let mounting = MountInside(Mounting {
        fstype,
        target: dir.to_owned(),
    });
    let what = format!("mount {fstype} on ");
    let text = line([what.as_ref(), dir, " failed".as_ref()]);
    Failure::new(mounting, text, error)
}

/// A file system that a program inside would mount.
struct MountInside(Mounting);

impl Explain for MountInside {
    fn word(&self) -> &'static str {
        self.0.word()
    }

    fn find(&self, case: &Case<'_>, found: &mut Vec<Finding>) {
        self.0.find(case, found);
        if case.errno == EPERM {
            match self.0.fstype {
                "overlay" => cause::add(old_overlay(case), "trial-overlay", found),
                "sysfs" => cause::add(sysfs_covered(case), "trial-sysfs", found),
                _ => {}
            }
        }
    }
}

fn old_overlay(case: &Case<'_>) -> Option<Finding> {
    let (major, minor) = case.facts.kernel()?;
    ((major, minor) < (5, 11)).then(|| {
        because(
            format!("this is Linux {major}.{minor}, and a user namespace may mount overlay from Linux 5.11 on"),
            "use fuse-overlayfs, or a newer kernel",
        )
    })?
}

fn sysfs_covered(case: &Case<'_>) -> Option<Finding> {
    let mounts = case.facts.mounts()?;
    let (mut is_there, mut why) = (false, None);
    for mount in mounts.iter().filter(|mount| mount.fs_type == "sysfs") {
        is_there = true;
        let over = mounts.iter().find(|over| covers(over, mount));
        let is_read_only = |options: &OsStr| words(options).any(|word| word == b"ro");
        let point = Word(mount.point.as_os_str());
        why = match over {
            Some(over) => Some(format!(
                "{point} is covered in parts ({}), and a user namespace may not mount a sysfs that shows them",
                Word(over.point.as_os_str())
            )),
            None if is_read_only(&mount.options) => Some(format!(
                "{point} is read-only, and a user namespace may mount only a read-only sysfs then"
            )),
            None => return None,
        };
    }
    if !is_there {
        why = Some(
            "no sysfs is mounted here, and a user namespace may mount only what it can see already"
                .to_owned(),
        );
    }
    because(
        why?,
        "bind the /sys that is there; or --security-opt unmask=ALL (podman), --privileged (docker)",
    )
}

/// Whether something of the kernel's that is not empty by itself lies under a mount.
fn covers(over: &Mount, mount: &Mount) -> bool {
    // Directories that the kernel keeps empty, for other file systems, may be covered.
    let mut for_others =
        "kernel/security kernel/debug kernel/tracing kernel/config fs/cgroup fs/bpf fs/pstore \
                          fs/fuse/connections fs/selinux firmware/efi/efivars"
            .split_ascii_whitespace();
    over.parent == mount.id
        && over.id != mount.id
        && !for_others.any(|place| over.point.ends_with(place))
}

/// In a user namespace of our own all are held; whether they count shows when one is used.
fn capabilities() -> Result<()> {
    let held = Status::read(&Proc::default(), "self/status").map(|status| status.cap_effective);
    if let Some(set) = held
        && !Capability::SysAdmin.is_in(set)
    {
        let text = format!("CAP_SYS_ADMIN is missing inside (CapEff is {set:016x})");
        return Err(Failure::plain(Unexplained("capabilities"), text));
    }
    sys::set_hostname("nskit-doctor".as_ref())
        .map_err(|error| Failure::new(UseCapability, "sethostname failed", error))
}

/// A capability is used inside.
struct UseCapability;

impl Explain for UseCapability {
    fn word(&self) -> &'static str {
        "capabilities"
    }

    fn find(&self, case: &Case<'_>, found: &mut Vec<Finding>) {
        if matches!(case.errno, EPERM | EACCES) {
            let apparmor = crate::failure::common::apparmor_inside(case);
            cause::add(apparmor, "trial-apparmor", found);
        }
    }
}

/// What would be said if it could not be executed, without executing it.
fn execute(program: &Program, state: &State) -> Result<()> {
    let (file, is_shell) = match program {
        Program::Nothing => return Ok(()),
        Program::Given(words) => {
            let first = words.first().map_or(&b""[..], |word| word.to_bytes());
            (OsStr::from_bytes(first).to_owned(), false)
        }
        Program::Shell => (OsString::from_vec(shell(state)?.into_bytes()), true),
    };
    let executed = Executed::new(file, search_path(state), is_shell, state);
    let proc = Proc::default();
    let facts = Facts::new(&proc);
    let found = executable::look_up(&executed.file, executed.path.as_deref(), None);
    let facts = Facts {
        executable: Some(found).into(),
        ..facts
    };
    for errno in [ENOENT, ENOTDIR, EACCES] {
        let case = Case {
            errno,
            facts: &facts,
            applet: AppletName::default(),
        };
        let causes = cause::proved(&executed, &case);
        if !causes.is_empty() {
            let text = line(["failed to execute ".as_ref(), &executed.file]);
            let mut failure = Failure::new(executed, text, sys::Error::from_raw(errno));
            failure.causes = Some(causes.into());
            return Err(failure);
        }
    }
    Ok(())
}

/// A directory that there is, to mount something on.
pub(crate) fn place() -> Option<&'static str> {
    let mut places = "/tmp /mnt /run /var /srv /home /usr /etc".split(' ');
    places.find(|dir| {
        sys::stat(dir.as_ref()).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFDIR)
    })
}
