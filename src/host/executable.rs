//! Looks a program up as execvp(3) does, and at what it needs to be executed.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::format::Format;
use super::place::{Obstacle, obstacle};
use crate::sys::{self, For};

/// As many interpreters of interpreters as the kernel follows (execve(2)).
const DEPTH: usize = 5;

/// The program that was to be executed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Executable {
    /// The directories that it was looked up in; empty when its name has a slash.
    pub(crate) searched: Vec<OsString>,
    /// The file that was found.
    pub(crate) found: Option<OsString>,
    /// The first part of its path that leads no further, when its name has a slash.
    pub(crate) obstacle: Option<Obstacle>,
    /// Whether it is a directory, where that can be seen.
    pub(crate) is_directory: Option<bool>,
    /// Whether it is a regular file, where that can be seen.
    pub(crate) is_file: Option<bool>,
    /// Its permission bits.
    pub(crate) mode: u32,
    /// Its user and group.
    pub(crate) owner: (u32, u32),
    /// Its mount forbids execution.
    pub(crate) noexec: Option<bool>,
    /// Whether we may execute it, by permissions and mount.
    pub(crate) may_execute: Option<bool>,
    /// What it is.
    pub(crate) format: Option<Format>,
    /// What it needs, and what that needs.
    pub(crate) needs: Vec<Need>,
}

/// A file that is needed to execute another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    /// Which file needs it.
    pub(crate) by: OsString,
    /// As what.
    pub(crate) role: Role,
    /// Its path.
    pub(crate) path: OsString,
    /// Whether it is there.
    pub(crate) exists: bool,
    /// Whether we may execute it.
    pub(crate) may_execute: bool,
}

/// What a program needs another file for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its `#!` line names it.
    Interpreter,
    /// Its ELF header names it.
    Loader,
    /// It is no program that the kernel knows, so execvp(3) gives it to /bin/sh.
    Shell,
}

/// Files as they are found from a root directory: ours, or another that is open.
struct View<'a>(Option<&'a OwnedFd>);

impl View<'_> {
    fn open(&self, path: &OsStr) -> sys::Result<OwnedFd> {
        match self.0 {
            None => sys::open(path, For::Path),
            Some(root) => sys::open_in_root(root.as_fd(), path),
        }
    }

    fn stat(&self, path: &OsStr) -> sys::Result<sys::FileStat> {
        sys::stat_fd(self.open(path)?.as_fd())
    }

    fn mode(&self, path: &OsStr) -> sys::Result<libc::mode_t> {
        Ok(self.stat(path)?.st_mode)
    }

    /// A path by which this process finds the file, whatever the root.
    fn real(&self, path: &OsStr) -> sys::Result<(OsString, Option<OwnedFd>)> {
        if self.0.is_none() {
            return Ok((path.to_owned(), None));
        }
        let file = self.open(path)?;
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok((link.into(), Some(file)))
    }
}

/// What is to be seen of a program that is looked up in these directories, from our root directory or from another.
pub(crate) fn look_up(file: &OsStr, path: Option<&OsStr>, root: Option<&OwnedFd>) -> Executable {
    let view = View(root);
    let mut program = Executable::default();
    if file.is_empty() {
        return program;
    }
    let found = if file.as_bytes().contains(&b'/') {
        program.obstacle = obstacle(file, &|path| view.mode(path));
        view.mode(file).ok().map(|_| file.to_owned())
    } else {
        let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
        let dirs = path.as_bytes().split(|&byte| byte == b':');
        program.searched = dirs
            .map(|dir| if dir.is_empty() { &b"."[..] } else { dir })
            .map(|dir| OsStr::from_bytes(dir).to_owned())
            .collect();
        let candidates: Vec<OsString> = program
            .searched
            .iter()
            .map(|dir| Path::new(dir).join(file).into_os_string())
            .collect();
        let exists = |path: &&OsString| view.mode(path).is_ok();
        let usable = |path: &&OsString| exists(path) && may_execute(&view, path) == Some(true);
        // What could be executed comes before what is merely there.
        let chosen = candidates
            .iter()
            .find(usable)
            .or_else(|| candidates.iter().find(exists));
        chosen.cloned()
    };
    let Some(found) = found else {
        return program;
    };
    if let Ok(stat) = view.stat(&found) {
        program.is_directory = Some(stat.st_mode & libc::S_IFMT == libc::S_IFDIR);
        program.is_file = Some(stat.st_mode & libc::S_IFMT == libc::S_IFREG);
        program.mode = stat.st_mode & 0o7777;
        program.owner = (stat.st_uid, stat.st_gid);
    }
    if let Ok((real, _kept)) = view.real(&found) {
        program.noexec = sys::forbidden_on(&real).ok().map(|mount| mount.execution);
    }
    program.may_execute = may_execute(&view, &found);
    if program.is_file == Some(true) {
        program.format = format(&view, &found);
        program.needs = needs(&view, &found, program.format.clone());
    }
    program.found = Some(found);
    program
}

/// Whether an error says that no such file is to be seen.
fn is_missing(error: sys::Error) -> bool {
    matches!(
        error.raw(),
        libc::ENOENT | libc::ENOTDIR | libc::EACCES | libc::ELOOP | libc::ENAMETOOLONG
    )
}

/// Whether we may execute it, by its permissions and its mount; none where that cannot be seen.
fn may_execute(view: &View<'_>, path: &OsStr) -> Option<bool> {
    let stat = match view.stat(path) {
        Ok(stat) if stat.st_mode & libc::S_IFMT == libc::S_IFREG => stat,
        Ok(_) => return Some(false),
        Err(error) => return is_missing(error).then_some(false),
    };
    let (real, _kept) = view.real(path).ok()?;
    match sys::access(&real, libc::X_OK) {
        Ok(()) => Some(true),
        Err(error) if error.raw() == libc::EACCES => {
            // Where the bits let us it is an access control list or a security module (SELinux is asked here too).
            let needed = match stat.st_uid == sys::effective_uid() {
                true => 0o100,
                false => 0o111,
            };
            let is_by_bits = stat.st_mode & needed != needed;
            let noexec = || sys::forbidden_on(&real).is_ok_and(|mount| mount.execution);
            (is_by_bits || noexec()).then_some(false)
        }
        Err(_) => None,
    }
}

fn format(view: &View<'_>, path: &OsStr) -> Option<Format> {
    let (real, _kept) = view.real(path).ok()?;
    let file = sys::open(&real, For::Reading).ok()?;
    let read = |offset, length| sys::read_at(file.as_fd(), offset, length).unwrap_or_default();
    Some(Format::of(&read))
}

/// What a program needs, and what that needs, up to the first that is missing.
fn needs(view: &View<'_>, file: &OsStr, format: Option<Format>) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    let mut by = file.to_owned();
    let mut format = format;
    while needs.len() < DEPTH {
        let (path, role) = match format {
            Some(Format::Script(path)) => (path, Role::Interpreter),
            Some(Format::Elf {
                loader: Some(path), ..
            }) => (path, Role::Loader),
            // What an interpreter is, execve(2) does not leave to a shell.
            Some(Format::Other) if needs.is_empty() => (b"/bin/sh".to_vec(), Role::Shell),
            _ => break,
        };
        let path = OsString::from_vec(path);
        let need = Need {
            by,
            role,
            exists: view
                .mode(&path)
                .map_or_else(|error| !is_missing(error), |_| true),
            // Only what is seen is told.
            may_execute: may_execute(view, &path) != Some(false),
            path: path.clone(),
        };
        // A loader is an ELF file that needs nothing.
        let is_last = !need.exists || role == Role::Loader;
        needs.push(need);
        if is_last {
            break;
        }
        format = self::format(view, &path);
        by = path;
    }
    needs
}
