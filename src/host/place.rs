//! Where paths lead, and the first part of one that leads no further.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::mountinfo::Mount;
use crate::model::nearest;
use crate::sys::{self, For, Proc};

/// A file or directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// As it was named.
    pub(crate) path: OsString,
    /// The first part of the path that leads no further.
    pub(crate) obstacle: Option<Obstacle>,
    /// It is a directory.
    pub(crate) is_directory: Option<bool>,
    /// The mount that it lies on, and whether that is shared.
    pub(crate) mount: Option<(PathBuf, bool)>,
}

/// Why a path leads no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// There is nothing of this name.
    Missing(OsString),
    /// A symbolic link, and the text that leads nowhere.
    Dangling(OsString, OsString),
    /// This is no directory.
    NoDirectory(OsString),
    /// We may not search this directory.
    Closed(OsString),
}

impl Place {
    /// `mounts` gives what is mounted here.
    pub(crate) fn look_at<'a>(
        proc: &Proc,
        path: &OsStr,
        mounts: impl FnOnce() -> Option<&'a [Mount]>,
    ) -> Place {
        let stat = sys::stat(path).ok();
        let mount = || {
            let file = sys::open(path, For::Path).ok()?;
            let real = proc.read_link(&format!("self/fd/{}", file.as_raw_fd()));
            let mount = Mount::holding(mounts()?, Path::new(&real.ok()?))?;
            Some((mount.point.clone(), mount.shared.is_some()))
        };
        Place {
            path: path.to_owned(),
            obstacle: obstacle(path, &|path| sys::stat(path).map(|stat| stat.st_mode)),
            is_directory: stat.map(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFDIR),
            mount: mount(),
        }
    }
}

/// The name in the directory of a file that is not there which was perhaps meant, of the first few thousand.
pub(crate) fn meant_by(path: &OsStr) -> Option<OsString> {
    const ROOM: usize = 1 << 16;
    let path = Path::new(path);
    let parent = match path.parent()?.as_os_str() {
        empty if empty.is_empty() => OsStr::new("."),
        parent => parent,
    };
    let directory = sys::open(parent, For::Directory).ok()?;
    let mut names = Vec::new();
    sys::more_names(directory.as_fd(), &mut vec![0; ROOM], |name| {
        names.push(name.to_owned());
    })
    .ok()?;
    let names = names.iter().map(|name| name.to_bytes());
    let near = nearest(path.file_name()?.as_bytes(), names)?;
    Some(OsStr::from_bytes(near).to_owned())
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
