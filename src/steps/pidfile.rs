//! The file for the program's PID.
//!
//! The hard thing: it is there whole or not at all, and is what it was before when the program does not start. So the new
//! file is made beside it, and the two change their names; the old one is kept under the other name until it is certain
//! that the program starts.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use super::file::cannot_open;
use crate::failure::{Failure, Result, Unexplained, line};
use crate::sys::{self, For};

/// `PROC_SUPER_MAGIC` of `linux/magic.h`.
const PROC_MAGIC: u64 = 0x9fa0;
/// How many symbolic links are followed (path_resolution(7)).
const LINKS: usize = 40;
/// How often what must be done is tried.
const TRIES: u32 = 3;

/// A file for the program's PID: its directory, opened before the root directory may change, and its name there.
#[derive(Debug)]
pub(crate) struct Pidfile {
    /// As it was named.
    path: OsString,
    directory: OwnedFd,
    name: OsString,
    written: Option<Written>,
}

/// Device and inode of a file.
type FileId = (u64, u64);

/// What was done to write it.
#[derive(Debug)]
struct Written {
    /// The file that we made.
    ours: FileId,
    /// What the file is called that had the name before.
    kept: Option<OsString>,
}

/// What a file is.
#[derive(Debug, PartialEq, Eq)]
enum Is {
    Regular,
    Directory,
    /// Something that this word names.
    Other(&'static str),
}

impl Is {
    fn of(mode: u32) -> Is {
        match mode & libc::S_IFMT {
            libc::S_IFREG => Is::Regular,
            libc::S_IFDIR => Is::Directory,
            libc::S_IFLNK => Is::Other("symbolic link"),
            libc::S_IFIFO => Is::Other("FIFO"),
            libc::S_IFSOCK => Is::Other("socket"),
            libc::S_IFBLK => Is::Other("block device"),
            _ => Is::Other("character device"),
        }
    }
}

fn error(number: i32) -> sys::Error {
    sys::Error::from_raw(number)
}

fn file_id(stat: &sys::FileStat) -> FileId {
    (stat.st_dev, stat.st_ino)
}

impl Pidfile {
    /// Finds the place of the file, through symbolic links.
    ///
    /// # Errors
    /// Also when something is there that is no regular file: that is not ours to replace.
    pub(crate) fn open(path: &OsStr) -> Result<Pidfile> {
        let failed = |error| cannot_open(path, error);
        let (directory, name, is) = find(path).map_err(failed)?;
        match is {
            None | Some(Is::Regular) => {}
            Some(Is::Directory) => return Err(failed(error(libc::EISDIR))),
            Some(Is::Other(what)) => {
                let what = format!(" is a {what}, not a regular file");
                let text = line(["--pidfile: ".as_ref(), path, what.as_ref()]);
                return Err(Failure::plain(Unexplained("report"), text));
            }
        }
        Ok(Pidfile {
            path: path.to_owned(),
            directory,
            name,
            written: None,
        })
    }

    /// The file, as it was named.
    pub(crate) fn path(&self) -> &OsStr {
        &self.path
    }

    /// Writes the PID. What was there before is kept beside it.
    pub(crate) fn write(&mut self, pid: i32) -> sys::Result<()> {
        let directory = self.directory.as_fd();
        let (new, file) = beside(pid, |name| sys::create_at(directory, name, 0o644))?;
        let ours = match sys::stat_fd(file.as_fd()) {
            Ok(stat) => file_id(&stat),
            Err(error) => {
                self.remove(&new);
                return Err(error);
            }
        };
        let written = sys::write_all(file.as_fd(), format!("{pid}\n").as_bytes());
        match written.and_then(|()| self.put(pid, &new)) {
            Ok(kept) => {
                self.written = Some(Written { ours, kept });
                Ok(())
            }
            Err(error) => {
                // Had it changed names with something that would not go back, that is not ours to remove.
                let _ = stubbornly(|| match self.is(&new, ours)? {
                    true => sys::remove_at(directory, &new),
                    false => Ok(()),
                });
                Err(error)
            }
        }
    }

    /// Gives the file `new` the name that it is for; gives what the one is called now that had this name.
    fn put(&self, pid: i32, new: &OsStr) -> sys::Result<Option<OsString>> {
        let directory = self.directory.as_fd();
        let name = &self.name;
        // Again, should one come or go meanwhile.
        for _ in 0..LINKS {
            let mut put = match sys::exchange_at(directory, new, name) {
                Ok(()) if self.is_regular(new) => return Ok(Some(new.to_owned())),
                Ok(()) => {
                    sys::exchange_at(directory, new, name)?;
                    return Err(error(libc::EPERM));
                }
                Err(error) if error.raw() == libc::ENOENT => {
                    sys::rename_new_at(directory, new, name).map(|()| None)
                }
                Err(error) => Err(error),
            };
            // The file system cannot do what renameat2(2) is asked for, or the kernel does not know it.
            if put
                .as_ref()
                .is_err_and(|error| [libc::EINVAL, libc::ENOSYS].contains(&error.raw()))
            {
                put = self.put_by_links(pid, new);
            }
            match put {
                Err(error) if error.raw() == libc::EEXIST => {}
                put => return put,
            }
        }
        Err(error(libc::EEXIST))
    }

    /// As [`Pidfile::put`], where two files cannot change their names in one step (NFS).
    fn put_by_links(&self, pid: i32, new: &OsStr) -> sys::Result<Option<OsString>> {
        let directory = self.directory.as_fd();
        match beside(pid, |kept| sys::link_at(directory, &self.name, kept)) {
            Ok((kept, ())) => {
                let put = if self.is_regular(&kept) {
                    sys::rename_at(directory, new, &self.name)
                } else {
                    Err(error(libc::EPERM))
                };
                if let Err(error) = put {
                    self.remove(&kept);
                    return Err(error);
                }
                Ok(Some(kept))
            }
            Err(error) if error.raw() == libc::ENOENT => {
                sys::link_at(directory, new, &self.name)?;
                self.remove(new);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The program starts: what was there before is gone for good.
    pub(crate) fn keep(&mut self) {
        if let Some(Written {
            kept: Some(kept), ..
        }) = self.written.take()
        {
            self.remove(&kept);
        }
    }

    /// The program did not start: all is as it was, unless somebody else has put another file there meanwhile.
    pub(crate) fn undo(&mut self) {
        let Some(Written { ours, kept }) = self.written.take() else {
            return;
        };
        let directory = self.directory.as_fd();
        // Nobody is left to tell of an error.
        let _ = stubbornly(|| match (&kept, self.is(&self.name, ours)?) {
            (Some(kept), true) => sys::rename_at(directory, kept, &self.name),
            (Some(kept), false) => sys::remove_at(directory, kept),
            (None, true) => sys::remove_at(directory, &self.name),
            (None, false) => Ok(()),
        });
    }

    /// Removes a file of ours that has no other use.
    fn remove(&self, name: &OsStr) {
        let _ = stubbornly(|| sys::remove_at(self.directory.as_fd(), name));
    }

    fn is(&self, name: &OsStr, ours: FileId) -> sys::Result<bool> {
        match sys::lstat_at(self.directory.as_fd(), name) {
            Ok(there) => Ok(file_id(&there) == ours),
            Err(error) if error.raw() == libc::ENOENT => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn is_regular(&self, name: &OsStr) -> bool {
        let there = sys::lstat_at(self.directory.as_fd(), name);
        there.is_ok_and(|there| Is::of(there.st_mode) == Is::Regular)
    }
}

/// Does what must be done though nobody is left to tell that it cannot: again, should it fail.
fn stubbornly(act: impl Fn() -> sys::Result<()>) -> sys::Result<()> {
    (1..TRIES).find_map(|_| act().ok()).map_or_else(act, Ok)
}

/// Makes something under a name that nothing has; one that was killed before may have left some.
fn beside<T>(pid: i32, make: impl Fn(&OsStr) -> sys::Result<T>) -> sys::Result<(OsString, T)> {
    for number in 0..100 {
        let name = OsString::from(format!(".nskit-pid.{pid}.{number}"));
        match make(&name) {
            Ok(made) => return Ok((name, made)),
            Err(error) if error.raw() == libc::EEXIST => {}
            Err(error) => return Err(error),
        }
    }
    Err(error(libc::EEXIST))
}

/// Follows the symbolic links at the end of a path; gives the directory and the name there to which it leads, and what
/// has that name.
fn find(path: &OsStr) -> sys::Result<(OwnedFd, OsString, Option<Is>)> {
    let mut path = path.to_owned();
    let mut from: Option<OwnedFd> = None;
    for _ in 0..=LINKS {
        let (parent, name) = split(&path)?;
        let directory = match &from {
            Some(from) => sys::open_at(from.as_fd(), parent, For::Path),
            None => sys::open(parent, For::Path),
        }?;
        let file = match sys::open_at(directory.as_fd(), name, For::Itself) {
            Ok(file) => file,
            Err(error) if error.raw() == libc::ENOENT => {
                return Ok((directory, name.to_owned(), None));
            }
            Err(error) => return Err(error),
        };
        let stat = sys::stat_fd(file.as_fd())?;
        if stat.st_mode & libc::S_IFMT != libc::S_IFLNK {
            return Ok((directory, name.to_owned(), Some(Is::of(stat.st_mode))));
        }
        if sys::filesystem_magic(file.as_fd())? == PROC_MAGIC {
            // Its text need not lead to the file (proc_pid_fd(5)), and who has that open would not see another.
            let end = sys::open_at(directory.as_fd(), name, For::Path)?;
            let is = match Is::of(sys::stat_fd(end.as_fd())?.st_mode) {
                Is::Regular => Is::Other("link to an open file"),
                is => is,
            };
            return Ok((directory, name.to_owned(), Some(is)));
        }
        if !may_follow(&stat, &sys::stat_fd(directory.as_fd())?) {
            return Err(error(libc::EACCES));
        }
        path = sys::read_link_at(file.as_fd(), "".as_ref())?;
        from = Some(directory);
    }
    Err(error(libc::ELOOP))
}

/// Whether a symbolic link is one that we would have the kernel follow where it protects links (proc_sys_fs(5),
/// `protected_symlinks`), which is always asked for here: in /tmp anybody can make one.
fn may_follow(link: &sys::FileStat, directory: &sys::FileStat) -> bool {
    let open_to_all = libc::S_ISVTX | libc::S_IWOTH;
    directory.st_mode & open_to_all != open_to_all
        || link.st_uid == directory.st_uid
        || link.st_uid == sys::effective_uid()
}

/// The directory of a path, and the name in it.
///
/// # Errors
/// `EISDIR` when it can only be a directory.
fn split(path: &OsStr) -> sys::Result<(&OsStr, &OsStr)> {
    let bytes = path.as_bytes();
    let (parent, name) = match bytes.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => bytes.split_at_checked(slash + 1).unwrap_or((bytes, b"")),
        None => (&b"."[..], bytes),
    };
    match name {
        _ if bytes.is_empty() => Err(error(libc::ENOENT)),
        b"" | b"." | b".." => Err(error(libc::EISDIR)),
        _ => Ok((OsStr::from_bytes(parent), OsStr::from_bytes(name))),
    }
}

#[cfg(test)]
mod tests;
