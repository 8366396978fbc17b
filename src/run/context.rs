//! What is taken along into other namespaces: directories, environment, credentials, cgroups, all opened or
//! read before anything changes.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use super::target::Target;
use crate::failure::{Failure, Result, Stage, line};
use crate::plan::idmap::IdMap;
use crate::plan::mountinfo::Mount;
use crate::plan::procfs::{Cgroup, Status};
use crate::plan::{Environment, Ids, Label, Source};
use crate::sys::{self, For, OwnArgs};

/// What was opened and read, until it is used.
#[derive(Debug, Default)]
pub(crate) struct Context {
    root: Option<OwnedFd>,
    directory: Option<OwnedFd>,
    environment: Vec<CString>,
    credentials: Option<Credentials>,
    cgroups: Vec<(OsString, OwnedFd)>,
    label: Vec<u8>,
}

/// A process's users and groups, as numbers of its own user namespace.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// Its effective user.
    pub(crate) uid: u32,
    /// Its effective group.
    pub(crate) gid: u32,
    /// Its supplementary groups.
    pub(crate) groups: Vec<u32>,
}

impl Context {
    /// Opens or reads one thing.
    pub(crate) fn open(&mut self, source: &Source, target: Option<&mut Target>) -> Result<()> {
        let target = || {
            let text = "no target PID specified";
            target.ok_or_else(|| Failure::plain(Stage::Reference, text))
        };
        match source {
            Source::Root(None) => self.root = Some(target()?.open_file("root", For::Path)?),
            Source::Root(Some(path)) => self.root = Some(open_directory(path)?),
            Source::Directory(None) => {
                self.directory = Some(target()?.open_file("cwd", For::Path)?)
            }
            Source::Directory(Some(path)) => self.directory = Some(open_directory(path)?),
            Source::OwnDirectory => self.directory = Some(open_directory(".".as_ref())?),
            Source::Environment => {
                let text = target()?.read_file("environ")?;
                // Each string ends with a NUL; the last may lack it when the process wrote over its own.
                let text = text.strip_suffix(b"\0").unwrap_or(&text);
                if !text.is_empty() {
                    let strings = text.split(|&byte| byte == 0).map(CString::new);
                    self.environment = strings.filter_map(std::result::Result::ok).collect();
                }
            }
            Source::Credentials => self.credentials = Some(credentials(target()?)?),
            Source::Cgroups => self.cgroups = open_cgroups(target()?)?,
            Source::Label(label) => self.label = read_label(target()?, *label)?,
        }
        Ok(())
    }

    /// Makes the directory opened the root directory.
    pub(crate) fn enter_root(&mut self) -> Result<()> {
        let Some(root) = self.root.take() else {
            return Ok(());
        };
        sys::change_directory_fd(root.as_fd()).map_err(|error| {
            Failure::new(
                Stage::Root(None),
                "change directory by root file descriptor failed",
                error,
            )
        })?;
        sys::chroot(".".as_ref())
            .map_err(|error| Failure::new(Stage::Root(None), "chroot failed", error))
    }

    /// Makes the directory opened the working directory.
    pub(crate) fn enter_directory(&mut self) -> Result<()> {
        let Some(directory) = self.directory.take() else {
            return Ok(());
        };
        sys::change_directory_fd(directory.as_fd()).map_err(|error| {
            let text = "change directory by working directory file descriptor failed";
            Failure::new(Stage::Directory(None), text, error)
        })
    }

    /// Moves us into the cgroups opened.
    pub(crate) fn join_cgroups(&mut self) -> Result<()> {
        for (path, file) in std::mem::take(&mut self.cgroups) {
            // 0 is the process that writes (cgroups(7)).
            sys::write_once(file.as_fd(), b"0").map_err(|error| {
                Failure::new(
                    Stage::Cgroup,
                    line(["write failed ".as_ref(), &path]),
                    error,
                )
            })?;
        }
        Ok(())
    }

    /// Has the program get the security attribute that was read (proc_pid_attr(5)).
    pub(crate) fn set_label(&self, label: Label) -> Result<()> {
        let (files, text): (&[&str], _) = match label {
            Label::Selinux => (&["/proc/self/attr/exec"], self.label.clone()),
            Label::Apparmor => (
                &["/proc/self/attr/apparmor/exec", "/proc/self/attr/exec"],
                [b"exec ", self.label.as_slice()].concat(),
            ),
        };
        let mut last = None;
        for path in files {
            let written = sys::open(path.as_ref(), For::Writing)
                .and_then(|file| sys::write_once(file.as_fd(), &text));
            match written {
                Ok(()) => return Ok(()),
                Err(error) => last = Some((path, error)),
            }
        }
        match last {
            Some((path, error)) => Err(Failure::new(
                Stage::Label,
                format!("write failed {path}"),
                error,
            )),
            None => Ok(()),
        }
    }

    /// The target's credentials.
    pub(crate) fn credentials(&self) -> Result<&Credentials> {
        self.credentials.as_ref().ok_or_else(|| {
            Failure::plain(
                Stage::Reference,
                "follow: the target's credentials were not read",
            )
        })
    }

    /// The program's environment.
    pub(crate) fn environment(&mut self, which: &Environment) -> OwnArgs {
        match which {
            Environment::Empty => OwnArgs::new(Vec::new()),
            Environment::Target => OwnArgs::new(std::mem::take(&mut self.environment)),
            Environment::Only(names) => OwnArgs::new(
                sys::variables()
                    .filter(|entry| {
                        let name = entry.to_bytes().split(|&byte| byte == b'=').next();
                        names.iter().any(|wanted| Some(wanted.as_bytes()) == name)
                    })
                    .map(CString::from)
                    .collect(),
            ),
        }
    }
}

/// Opens something that is to become a root or working directory.
fn open_directory(path: &OsStr) -> Result<OwnedFd> {
    sys::open(path, For::Path).map_err(|error| Failure::open(path, error))
}

/// Reads the target's users and groups, as its own user namespace numbers them.
fn credentials(target: &mut Target) -> Result<Credentials> {
    let pid = target.pid();
    let bad = |file: &str| {
        Failure::plain(
            Stage::Reference,
            format!("cannot understand /proc/{pid}/{file}"),
        )
    };
    let status = Status::parse(&target.read_file("status")?).ok_or_else(|| bad("status"))?;
    let mut map =
        |ids: Ids| IdMap::parse(&target.read_file(ids.file())?).ok_or_else(|| bad(ids.file()));
    // What the kernel shows us is in our numbers, and so is the outer side of the maps.
    let uids = map(Ids::Uid)?;
    let gids = map(Ids::Gid)?;
    let inside = |map: &IdMap, id: u32, what: &str| {
        map.inside_of(id).ok_or_else(|| {
            let text =
                format!("follow: the {what} of process {pid} is not mapped in its user namespace");
            Failure::plain(Stage::Reference, text)
        })
    };
    Ok(Credentials {
        uid: inside(&uids, status.effective_uid(), "user")?,
        gid: inside(&gids, status.effective_gid(), "group")?,
        // A group that is not mapped cannot be had inside.
        groups: status
            .groups
            .iter()
            .filter_map(|&group| gids.inside_of(group))
            .collect(),
    })
}

/// Opens cgroup.procs of the target's cgroups: the one of version 2, and all of a hybrid layout.
fn open_cgroups(target: &mut Target) -> Result<Vec<(OsString, OwnedFd)>> {
    let text = target.read_file("cgroup")?;
    let cgroups = Cgroup::parse(&text).ok_or_else(|| {
        let text = format!("cannot understand /proc/{}/cgroup", target.pid());
        Failure::plain(Stage::Cgroup, text)
    })?;
    let mounts = sys::read_file("/proc/self/mountinfo".as_ref())
        .map_err(|error| Failure::open("/proc/self/mountinfo", error))?;
    let mounts: Vec<Mount> = Mount::parse_all(&mounts).collect();
    let mut files = Vec::new();
    for cgroup in &cgroups {
        let Some(directory) = cgroup.directory(&mounts) else {
            continue;
        };
        let mut path = directory.into_os_string();
        path.push("/cgroup.procs");
        let file = sys::open(&path, For::Writing).map_err(|error| {
            Failure::new(Stage::Cgroup, line(["cannot open ".as_ref(), &path]), error)
        })?;
        files.push((path, file));
    }
    if files.is_empty() {
        let text = format!(
            "--join-cgroup: no cgroup of process {} is mounted here",
            target.pid()
        );
        return Err(Failure::plain(Stage::Cgroup, text));
    }
    Ok(files)
}

/// Reads a security attribute of the target (proc_pid_attr(5)).
fn read_label(target: &mut Target, label: Label) -> Result<Vec<u8>> {
    let (option, module, presence, files): (_, _, _, &[&str]) = match label {
        Label::Selinux => (
            "--follow-context",
            "SELinux",
            "/sys/fs/selinux/enforce",
            &["attr/current"],
        ),
        Label::Apparmor => (
            "--follow-apparmor",
            "AppArmor",
            "/sys/kernel/security/apparmor/profiles",
            &["attr/apparmor/current", "attr/current"],
        ),
    };
    if sys::stat(presence.as_ref()).is_err() {
        let text = format!("{option}: {module} is not in use on this machine");
        return Err(Failure::plain(Stage::Label, text));
    }
    let mut last = None;
    for file in files {
        match target.read_file(file) {
            Ok(text) => {
                let mut text = text.trim_ascii_end().to_vec();
                text.retain(|&byte| byte != 0);
                if label == Label::Apparmor && text.ends_with(b")") {
                    // `profile (enforce)`: the mode is no part of the name.
                    if let Some(end) = text.windows(2).rposition(|pair| pair == b" (") {
                        text.truncate(end);
                    }
                }
                return Ok(text);
            }
            Err(failure) => last = Some(failure),
        }
    }
    Err(last
        .unwrap_or_else(|| Failure::plain(Stage::Label, format!("{option}: nothing to follow"))))
}
