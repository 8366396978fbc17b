//! `nskit --install`: links to this binary, each whole or not at all.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Component, Path, PathBuf};

use anyhow::{Error, Result};

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
        .map_err(|error| cannot("read", "/proc/self/exe".as_ref(), error))?;
    let own = match directory {
        Some(directory) => Path::new(directory),
        None => Path::new(&binary).parent().unwrap_or(Path::new("/")),
    };
    let opened =
        sys::open(own.as_os_str(), For::Directory).map_err(|error| cannot("open", own, error))?;
    let target = if symbolic {
        link_text(&binary, opened.as_fd())?
    } else {
        binary.clone()
    };
    let mut done = String::new();
    for name in names {
        let path = own.join(name);
        let failed = |error| cannot("make", &path, error);
        let there = there(&binary, opened.as_fd(), name).map_err(failed)?;
        let text = match there {
            There::Ours => "already there",
            There::Other if !force => {
                let path = path.display();
                return Err(told(format!(
                    "{path}: exists and is not a link to nskit; -f replaces it"
                )));
            }
            There::Nothing | There::Other => {
                let replace = there == There::Other;
                make(&target, symbolic, opened.as_fd(), name, replace).map_err(failed)?;
                if replace { "replaced" } else { "made" }
            }
        };
        done.push_str(&format!("{}: {text}\n", path.display()));
    }
    Ok(done)
}

/// What could not be done with which file. Not anyhow's context, whose types have 55 pointers that every start relocates.
fn cannot(verb: &str, path: &Path, error: sys::Error) -> Error {
    told(format!("cannot {verb} {}: {error}", path.display()))
}

fn told(line: String) -> Error {
    Error::msg(Told(line))
}

/// A line of ours as an error. A bare string would bring along how strings are shown to programmers, with the tables of
/// what can be printed: 6 kB.
struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What already has a link's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Nothing,
    Ours,
    Other,
}

fn there(binary: &OsStr, directory: BorrowedFd<'_>, name: &str) -> sys::Result<There> {
    let ours = sys::stat(binary)?;
    match sys::stat_at(directory, name.as_ref()) {
        Ok(stat) if (stat.st_dev, stat.st_ino) == (ours.st_dev, ours.st_ino) => Ok(There::Ours),
        Ok(_) => Ok(There::Other),
        // A dangling symbolic link is something too.
        Err(_) if sys::read_link_at(directory, name.as_ref()).is_ok() => Ok(There::Other),
        Err(error) if error.raw() == libc::ENOENT => Ok(There::Nothing),
        Err(error) => Err(error),
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
    let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
    let directory =
        sys::read_link(path.as_ref()).map_err(|error| cannot("read", path.as_ref(), error))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    fn opened(path: &Path) -> std::os::fd::OwnedFd {
        sys::open(path.as_os_str(), For::Directory).unwrap()
    }

    #[test]
    fn links_are_relative_to_what_lies_below_them() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        let directory = opened(&place);
        let text = |binary: &Path| link_text(binary.as_os_str(), directory.as_fd()).unwrap();
        assert_eq!(text(&place.join("nskit")), *"nskit");
        assert_eq!(text(&place.join("lib/nskit")), *"lib/nskit");
        assert_eq!(text("/elsewhere/nskit".as_ref()), *"/elsewhere/nskit");
        let beside = place.join("../nskit");
        assert_eq!(text(&beside), *beside.as_os_str());
    }

    #[test]
    fn what_has_a_name_already() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::write(at("nskit"), "binary").unwrap();
        fs::write(at("other"), "other").unwrap();
        fs::hard_link(at("nskit"), at("hard")).unwrap();
        symlink("nskit", at("soft")).unwrap();
        symlink("gone", at("dangling")).unwrap();
        let directory = opened(place.path());
        let is = |name: &str| there(at("nskit").as_os_str(), directory.as_fd(), name);
        for (name, expected) in [
            ("nskit", There::Ours),
            ("hard", There::Ours),
            ("soft", There::Ours),
            ("other", There::Other),
            ("dangling", There::Other),
            ("nothing", There::Nothing),
        ] {
            assert_eq!(is(name), Ok(expected), "{name}");
        }
        let long = is(&"x".repeat(300)).map_err(sys::Error::raw);
        assert_eq!(long, Err(libc::ENAMETOOLONG));
    }

    #[test]
    fn links_are_made_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::write(at("nskit"), "binary").unwrap();
        let directory = opened(place.path());
        let binary = at("nskit").into_os_string();
        let make = |symbolic, name: &str, replace| {
            make(&binary, symbolic, directory.as_fd(), name, replace).map_err(sys::Error::raw)
        };
        let inode = |name: &str| fs::metadata(at(name)).unwrap().ino();
        assert_eq!(make(false, "unshare", false), Ok(()));
        assert_eq!(inode("unshare"), inode("nskit"));
        assert_eq!(make(true, "setns", false), Ok(()));
        assert_eq!(fs::read_link(at("setns")).unwrap(), at("nskit"));
        fs::write(at("nsenter"), "other").unwrap();
        for symbolic in [false, true] {
            assert_eq!(make(symbolic, "nsenter", false), Err(libc::EEXIST));
            assert_eq!(fs::read(at("nsenter")).unwrap(), b"other");
        }
        assert_eq!(make(false, "nsenter", true), Ok(()));
        // Once more, which rename(2) would do nothing for.
        assert_eq!(make(false, "nsenter", true), Ok(()));
        assert_eq!(inode("nsenter"), inode("nskit"));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 4);
    }
}
