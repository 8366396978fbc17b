//! Mounts, and where paths lead.

use std::ffi::OsStr;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::host::facts::{Obstacle, Place, ProcMount};
use crate::host::mountinfo::Mount;
use crate::sys::{self, For, Limit, Proc};

pub(crate) fn mounts(proc: &Proc) -> Option<Vec<Mount>> {
    let text = proc.read("self/mountinfo", Limit::MOUNTS).ok()?;
    Some(Mount::parse_all(&text).collect())
}

pub(crate) fn root_is_mount(proc: &Proc) -> Option<bool> {
    Some(
        mounts(proc)?
            .iter()
            .any(|mount| mount.point == Path::new("/")),
    )
}

/// The proc file systems, and what covers parts of them.
pub(crate) fn procs(mounts: &[Mount]) -> Vec<ProcMount> {
    let is_read_only = |options: &OsStr| {
        options
            .as_bytes()
            .split(|&byte| byte == b',')
            .any(|word| word == b"ro")
    };
    // The kernel lets mounts on directories pass that are always empty, as those for other file systems are.
    let may_be_covered = |point: &Path| {
        ["sys/fs/binfmt_misc", "fs/nfsd"]
            .iter()
            .any(|empty| point.ends_with(empty))
    };
    mounts
        .iter()
        .filter(|mount| mount.fs_type == "proc" && mount.root == "/")
        .map(|mount| ProcMount {
            point: mount.point.clone(),
            read_only: is_read_only(&mount.options) || is_read_only(&mount.super_options),
            covered: mounts
                .iter()
                .filter(|over| over.parent == mount.id && over.id != mount.id)
                .map(|over| over.point.clone())
                .filter(|point| !may_be_covered(point))
                .collect(),
        })
        .collect()
}

/// A file or directory.
pub(crate) fn place(proc: &Proc, path: &OsStr) -> Place {
    let stat = sys::stat(path).ok();
    Place {
        path: path.to_owned(),
        obstacle: obstacle(path, &|path| sys::stat(path).map(|stat| stat.st_mode)),
        is_directory: stat.map(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFDIR),
        mount: mount_of(proc, path),
    }
}

/// The mount that a path lies on, and whether it is shared.
fn mount_of(proc: &Proc, path: &OsStr) -> Option<(PathBuf, bool)> {
    let file = sys::open(path, For::Path).ok()?;
    let link = format!("self/fd/{}", file.as_raw_fd());
    let real = PathBuf::from(proc.read_link(&link).ok()?);
    let mounts = mounts(proc)?;
    let mount = Mount::holding(&mounts, &real)?;
    Some((mount.point.clone(), mount.shared.is_some()))
}

/// Where a path leads no further; `mode` gives the type and permissions of what a path refers to.
pub(crate) fn obstacle(
    path: &OsStr,
    mode: &dyn Fn(&OsStr) -> sys::Result<libc::mode_t>,
) -> Option<Obstacle> {
    let path = Path::new(path);
    let mut parts: Vec<&Path> = path
        .ancestors()
        .filter(|part| !part.as_os_str().is_empty())
        .collect();
    parts.reverse();
    let mut before = OsStr::new(".");
    for part in parts {
        let name = part.as_os_str();
        match mode(name) {
            Ok(mode) if mode & libc::S_IFMT != libc::S_IFDIR && part != path => {
                return Some(Obstacle::NoDirectory(name.to_owned()));
            }
            Ok(_) => before = name,
            Err(error) => {
                return match error.raw() {
                    libc::ENOENT => Some(match sys::read_link(name) {
                        Ok(text) => Obstacle::Dangling(name.to_owned(), text),
                        Err(_) => Obstacle::Missing(name.to_owned()),
                    }),
                    libc::ENOTDIR => Some(Obstacle::NoDirectory(before.to_owned())),
                    libc::EACCES => Some(Obstacle::Closed(before.to_owned())),
                    _ => None,
                };
            }
        }
    }
    None
}
