//! What is taken along into other namespaces: directories, environment, credentials, cgroups, all opened or
//! read before anything changes.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use crate::failure::{Failure, Result, Stage, line};
use crate::host::mountinfo::Mount;
use crate::host::procfs::{Cgroup, Status};
use crate::model::Ids;
use crate::model::idmap::IdMap;
use crate::model::number::decimal;
use crate::plan::{Environment, Label, Source};
use crate::steps::target::Target;
use crate::sys::{self, For, Limit, OwnArgs};

/// What was opened and read, until it is used.
#[derive(Debug, Default)]
pub(crate) struct Context {
    root: Option<OwnedFd>,
    directory: Option<OwnedFd>,
    environment: Vec<CString>,
    followed: Option<Followed>,
    /// Its users and groups, once they are known.
    credentials: Option<Credentials>,
    cgroups: Vec<(OsString, OwnedFd)>,
    labels: Vec<(Label, Vec<u8>)>,
}

/// A process's users and groups, those that exist in the user namespace they are for.
#[derive(Debug)]
pub(crate) struct Credentials {
    pid: i32,
    uid: Option<u32>,
    gid: Option<u32>,
    /// Its supplementary groups.
    pub(crate) groups: Vec<u32>,
}

impl Credentials {
    /// Its effective user.
    pub(crate) fn uid(&self) -> Result<u32> {
        self.uid.ok_or_else(|| self.no_number("user"))
    }

    /// Its effective group.
    pub(crate) fn gid(&self) -> Result<u32> {
        self.gid.ok_or_else(|| self.no_number("group"))
    }

    fn no_number(&self, what: &str) -> Failure {
        let pid = self.pid;
        let text = format!(
            "follow: the {what} of process {pid} is not mapped in the user namespace that was entered"
        );
        Failure::plain(Stage::Reference, text)
    }
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
                let text = target()?.read_file("environ", Limit::ENVIRONMENT)?;
                if !text.is_empty() {
                    // Each string ends with a NUL; the last may lack it when the process wrote over its own.
                    let text = text.strip_suffix(b"\0").unwrap_or(&text);
                    let strings = text.split(|&byte| byte == 0).map(CString::new);
                    self.environment = strings.filter_map(std::result::Result::ok).collect();
                }
            }
            Source::Credentials => self.followed = Some(Followed::open(target()?)?),
            Source::Cgroups => self.cgroups = open_cgroups(target()?)?,
            Source::Label(label) => {
                let text = read_label(target()?, *label)?;
                self.labels.push((*label, text));
            }
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
        let (files, before): (&[&str], &[u8]) = match label {
            Label::Selinux => (&["/proc/self/attr/exec"], b""),
            Label::Apparmor => (
                &["/proc/self/attr/apparmor/exec", "/proc/self/attr/exec"],
                b"exec ",
            ),
        };
        let read = self.labels.iter().find(|(of, _)| *of == label);
        let text = [before, read.map_or(b"", |(_, text)| text)].concat();
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

    /// Reads the credentials to follow, if there are any, in the numbers of the user namespace that we are in now:
    /// `entered` if that is another one than before. Nothing of the target's in /proc is open afterwards.
    pub(crate) fn read_credentials(&mut self, entered: bool) -> Result<()> {
        if let Some(followed) = self.followed.take() {
            self.credentials = Some(followed.credentials(entered)?);
        }
        Ok(())
    }

    /// The target's credentials, which were read.
    pub(crate) fn credentials(&self) -> Result<&Credentials> {
        self.credentials.as_ref().ok_or_else(|| {
            let text = "follow: the target's credentials were not read";
            Failure::plain(Stage::Reference, text)
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

/// The process whose users and groups are followed.
#[derive(Debug)]
struct Followed {
    pid: i32,
    /// Its directory in /proc, which stays its own, wherever we are.
    directory: OwnedFd,
    /// Its IDs as our user namespace numbers them.
    status: Status,
    /// What its own user namespace makes of those.
    uids: IdMap,
    gids: IdMap,
    /// What a user and a group without a number are shown as.
    overflow: [u32; 2],
}

impl Followed {
    fn open(target: &mut Target) -> Result<Followed> {
        let pid = target.pid();
        let bad = |file: &str| {
            Failure::plain(
                Stage::Reference,
                format!("cannot understand /proc/{pid}/{file}"),
            )
        };
        let mut map = |ids: Ids| {
            let text = target.read_file(ids.file(), Limit::FILE)?;
            IdMap::parse(&text).ok_or_else(|| bad(ids.file()))
        };
        let (uids, gids) = (map(Ids::Uid)?, map(Ids::Gid)?);
        Ok(Followed {
            pid,
            status: Status::parse(&target.read_file("status", Limit::FILE)?)
                .ok_or_else(|| bad("status"))?,
            uids,
            gids,
            directory: target.directory_copy()?,
            overflow: ["uid", "gid"].map(overflow),
        })
    }

    /// The kernel shows IDs in the numbers of the reader's user namespace (proc_pid_status(5)), and an ID that has
    /// no number there as the overflow ID. That is told from an ID that has just this number by the map.
    fn credentials(&self, entered: bool) -> Result<Credentials> {
        let pid = self.pid;
        let before = &self.status;
        let now = if entered {
            let path = format!("/proc/{pid}/status");
            let text = sys::read_file_at(self.directory.as_fd(), "status".as_ref(), Limit::FILE)
                .map_err(|error| Failure::open(&path, error))?;
            &Status::parse(&text).ok_or_else(|| {
                Failure::plain(Stage::Reference, format!("cannot understand {path}"))
            })?
        } else {
            before
        };
        let [no_user, no_group] = self.overflow;
        let known = |map: &IdMap, overflow: u32, before: u32, now: u32| {
            let exists = !entered || now != overflow || map.inside_of(before) == Some(now);
            exists.then_some(now)
        };
        let user = |before, now| known(&self.uids, no_user, before, now);
        let group = |before, now| known(&self.gids, no_group, before, now);
        Ok(Credentials {
            pid,
            uid: user(before.effective_uid(), now.effective_uid()),
            gid: group(before.effective_gid(), now.effective_gid()),
            // The kernel keeps them in an order that does not depend on the reader.
            groups: before
                .groups
                .iter()
                .zip(&now.groups)
                .filter_map(|(before, now)| group(*before, *now))
                .collect(),
        })
    }
}

/// What a user or group without a number is shown as (proc_sys_kernel(5), `overflowuid`, `overflowgid`).
fn overflow(of: &str) -> u32 {
    let path = format!("/proc/sys/kernel/overflow{of}");
    let text = sys::read_file(path.as_ref(), Limit::FILE).ok();
    text.and_then(|text| u32::try_from(decimal(text.trim_ascii())?).ok())
        // The kernel's own, where the file is covered.
        .unwrap_or(65534)
}

/// Opens cgroup.procs of the target's cgroups, of version 2 and of all hierarchies of version 1, except those that
/// we are in already, which need not be ours to join.
fn open_cgroups(target: &mut Target) -> Result<Vec<(OsString, OwnedFd)>> {
    let pid = target.pid();
    let parse = |of: &str, text: &[u8]| {
        let text = Cgroup::parse(text);
        text.ok_or_else(|| {
            let text = format!("cannot understand /proc/{of}/cgroup");
            Failure::plain(Stage::Cgroup, text)
        })
    };
    let read = |path: &str, limit| {
        sys::read_file(path.as_ref(), limit).map_err(|error| Failure::open(path, error))
    };
    let cgroups = parse(&pid.to_string(), &target.read_file("cgroup", Limit::FILE)?)?;
    let ours = parse("self", &read("/proc/self/cgroup", Limit::FILE)?)?;
    let mounts = read("/proc/self/mountinfo", Limit::MOUNTS)?;
    let mounts: Vec<Mount> = Mount::parse_all(&mounts).collect();
    cgroups
        .iter()
        .filter(|cgroup| !ours.contains(cgroup))
        .map(|cgroup| open_cgroup(&mounts, cgroup, pid))
        .collect()
}

/// Opens cgroup.procs of a cgroup where it can be reached; where it cannot, the error is that of the mount that
/// hides the others.
fn open_cgroup(mounts: &[Mount], cgroup: &Cgroup, pid: i32) -> Result<(OsString, OwnedFd)> {
    let mut why = None;
    for directory in cgroup.directories(mounts) {
        let mut path = directory.into_os_string();
        path.push("/cgroup.procs");
        match sys::open(&path, For::Writing) {
            Ok(file) => return Ok((path, file)),
            Err(error) => {
                let text = line(["cannot open ".as_ref(), &path]);
                why.get_or_insert(Failure::new(Stage::Cgroup, text, error));
            }
        }
    }
    Err(why.unwrap_or_else(|| {
        let hierarchy = if cgroup.is_unified() {
            "version 2".as_ref()
        } else {
            cgroup.controllers.as_os_str()
        };
        let process = OsString::from(format!(" of process {pid} ("));
        let text = line([
            "--join-cgroup: cgroup ".as_ref(),
            &cgroup.path,
            &process,
            hierarchy,
            ") is not mounted here".as_ref(),
        ]);
        Failure::plain(Stage::Cgroup, text)
    }))
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
        match target.read_file(file, Limit::FILE) {
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
