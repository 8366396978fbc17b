//! `nskit --install`: links to this binary, each whole or not at all.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Component, Path, PathBuf};

use crate::failure::{Failure, Result, Stage, line};
use crate::sys::{self, For};

/// Makes a link for each name in `directory` (where the binary is, if none). Gives what it did, a line each.
///
/// # Errors
/// A file in the way that is not our link, or what the kernel refuses. Links made before stay.
pub(crate) fn install(
    names: &[&str],
    directory: Option<&OsStr>,
    symbolic: bool,
    force: bool,
) -> Result<String> {
    let binary = sys::read_link("/proc/self/exe".as_ref())
        .map_err(|error| Failure::open("/proc/self/exe", error))?;
    let own = match directory {
        Some(directory) => directory.to_owned(),
        None => Path::new(&binary).parent().unwrap_or(Path::new("/")).into(),
    };
    let opened = sys::open(&own, For::Directory).map_err(|error| Failure::open(&own, error))?;
    let target = if symbolic {
        link_text(&binary, opened.as_fd())?
    } else {
        binary.clone()
    };
    let mut done = String::new();
    for name in names {
        let path = Path::new(&own).join(name);
        let state = state(&binary, opened.as_fd(), name)?;
        let text = match state {
            There::Ours => "already there",
            There::Nothing | There::Other if state == There::Nothing || force => {
                make(
                    &target,
                    symbolic,
                    opened.as_fd(),
                    name,
                    state == There::Other,
                )
                .map_err(|error| failed(&path, error))?;
                if state == There::Other {
                    "replaced"
                } else {
                    "made"
                }
            }
            _ => {
                let text = line([
                    path.as_os_str(),
                    ": exists and is not a link to nskit; -f replaces it".as_ref(),
                ]);
                return Err(Failure::plain(Stage::Report, text));
            }
        };
        done.push_str(&format!("{}: {text}\n", path.display()));
    }
    Ok(done)
}

fn failed(path: &Path, error: sys::Error) -> Failure {
    let text = line(["cannot make ".as_ref(), path.as_os_str()]);
    Failure::new(Stage::Report, text, error)
}

/// What already has a link's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Nothing,
    Ours,
    Other,
}

fn state(binary: &OsStr, directory: BorrowedFd<'_>, name: &str) -> Result<There> {
    let identity = |stat: nix::sys::stat::FileStat| (stat.st_dev, stat.st_ino);
    let ours = sys::stat(binary)
        .map(identity)
        .map_err(|error| Failure::open(binary, error))?;
    match sys::stat_at(directory, name.as_ref()) {
        Ok(stat) if identity(stat) == ours => Ok(There::Ours),
        Ok(_) => Ok(There::Other),
        // A dangling symbolic link is something too.
        Err(_) if sys::read_link_at(directory, name.as_ref()).is_ok() => Ok(There::Other),
        Err(error) if error.raw() == libc::ENOENT => Ok(There::Nothing),
        Err(error) => Err(failed(Path::new(name), error)),
    }
}

/// Makes the link under a name of its own, then gives it the right one.
fn make(
    target: &OsStr,
    symbolic: bool,
    directory: BorrowedFd<'_>,
    name: &str,
    replace: bool,
) -> sys::Result<()> {
    let temporary = OsString::from(format!(".{name}.nskit.{}", sys::pid()));
    if symbolic {
        sys::symlink_at(target, directory, &temporary)?;
    } else {
        sys::hard_link_at(target, directory, &temporary)?;
    }
    let renamed = if replace {
        sys::rename_at(directory, &temporary, name.as_ref())
    } else {
        // Something that came into the way meanwhile is not ours to replace.
        sys::rename_new_at(directory, &temporary, name.as_ref())
    };
    // rename(2) does nothing, and says so to nobody, where both names are links to one file.
    let _ = sys::remove_at(directory, &temporary);
    renamed
}

/// The text of a symbolic link in `directory` to the binary: relative where the binary lies in or below it.
fn link_text(binary: &OsStr, directory: BorrowedFd<'_>) -> Result<OsString> {
    use std::os::fd::AsRawFd;
    let number = format!("/proc/self/fd/{}", directory.as_raw_fd());
    let directory =
        sys::read_link(number.as_ref()).map_err(|error| Failure::open(&number, error))?;
    let below: Option<PathBuf> = Path::new(binary)
        .strip_prefix(&directory)
        .ok()
        .filter(|rest| {
            rest.components()
                .all(|part| matches!(part, Component::Normal(_)))
        })
        .map(Path::to_owned);
    Ok(below.map_or_else(|| binary.to_owned(), PathBuf::into_os_string))
}
