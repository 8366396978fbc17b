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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// A directory with these files, of this mode and text; a name that ends with a slash is a directory.
    fn place(files: &[(&str, u32, &str)]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for (name, mode, text) in files {
            let path = place.path().join(name);
            if name.ends_with('/') {
                fs::create_dir_all(&path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, text).unwrap();
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        place
    }

    fn os(path: &Path) -> OsString {
        path.as_os_str().to_owned()
    }

    #[test]
    fn in_the_directories_of_path() {
        let place = place(&[
            ("one/plain", 0o644, "text"),
            ("one/both", 0o644, "text"),
            ("one/directory/", 0o755, ""),
            ("two/both", 0o4711, "text"),
            ("two/directory", 0o755, "text"),
        ]);
        let at = |name: &str| os(&place.path().join(name));
        let mut path = at("one");
        path.push("::");
        path.push(at("two"));
        let find = |name: &str| look_up(name.as_ref(), Some(&path), None);
        // What can be executed, though what cannot be comes first.
        let both = find("both");
        assert_eq!(both.searched, [at("one"), ".".into(), at("two")]);
        assert_eq!(both.found, Some(at("two/both")));
        assert_eq!((both.is_file, both.is_directory), (Some(true), Some(false)));
        assert_eq!((both.mode, both.may_execute), (0o4711, Some(true)));
        assert_eq!(both.owner, (sys::effective_uid(), sys::effective_gid()));
        assert_eq!(both.format, Some(Format::Other));
        assert_eq!(both.obstacle, None);
        assert_eq!(find("directory").found, Some(at("two/directory")));
        // Where nothing can be, what is there.
        let plain = find("plain");
        assert_eq!(plain.found, Some(at("one/plain")));
        assert_eq!((plain.mode, plain.may_execute), (0o644, Some(false)));
        let none = find("nothing");
        let expected = Executable {
            searched: both.searched,
            ..Executable::default()
        };
        assert_eq!(none, expected);
        assert_eq!(find(""), Executable::default());
    }

    #[test]
    fn by_a_path() {
        let place = place(&[("directory/", 0o755, ""), ("file", 0o644, "text")]);
        let at = |name: &str| os(&place.path().join(name));
        let find = |path: &OsStr| look_up(path, Some("/bin".as_ref()), None);
        let directory = find(&at("directory"));
        let kinds = (directory.is_file, directory.is_directory);
        assert_eq!(kinds, (Some(false), Some(true)));
        assert_eq!(
            (directory.format, directory.may_execute),
            (None, Some(false))
        );
        assert_eq!((directory.needs, directory.searched), (vec![], vec![]));
        let missing = find(&at("directory/no/file"));
        let obstacle = Some(Obstacle::Missing(at("directory/no")));
        assert_eq!((missing.obstacle, missing.found), (obstacle, None));
        let through = find(&at("file/file"));
        let obstacle = Some(Obstacle::NoDirectory(at("file")));
        assert_eq!((through.obstacle, through.found), (obstacle, None));
        let device = find("/dev/null".as_ref());
        let kinds = (device.is_file, device.is_directory);
        assert_eq!(kinds, (Some(false), Some(false)));
        assert_eq!(device.may_execute, Some(false));
    }

    /// Each need as who needs what, in what place, and whether it is there.
    fn needs_of(program: &Executable) -> Vec<(&OsStr, Role, &OsStr, bool, bool)> {
        let needs = program.needs.iter();
        needs
            .map(|need| {
                let Need { by, path, .. } = need;
                let paths = (by.as_os_str(), path.as_os_str());
                (paths.0, need.role, paths.1, need.exists, need.may_execute)
            })
            .collect()
    }

    #[test]
    fn interpreters_of_interpreters() {
        let place = place(&[("text", 0o755, "text"), ("closed", 0o644, "text")]);
        let at = |name: &str| os(&place.path().join(name));
        let script = |name: &str, interpreter: &str| {
            let text = format!("#!{}\n", at(interpreter).display());
            fs::write(at(name), text).unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(0o755)).unwrap();
        };
        script("first", "second");
        script("second", "gone");
        script("third", "closed");
        script("fourth", "text");
        script("again", "again");
        let find = |name: &str| look_up(&at(name), None, None);
        let interpreter = Role::Interpreter;
        assert_eq!(
            needs_of(&find("first")),
            [
                (&*at("first"), interpreter, &*at("second"), true, true),
                (&*at("second"), interpreter, &*at("gone"), false, false),
            ]
        );
        assert_eq!(
            needs_of(&find("third")),
            [(&*at("third"), interpreter, &*at("closed"), true, false)]
        );
        // A shell takes what is executed, not what it is executed with.
        assert_eq!(
            needs_of(&find("fourth")),
            [(&*at("fourth"), interpreter, &*at("text"), true, true)]
        );
        assert_eq!(find("again").needs.len(), DEPTH);
        let shell = find("text");
        let [shell, ..] = &shell.needs[..] else {
            panic!("{shell:?}");
        };
        assert_eq!(
            (shell.role, &*shell.path),
            (Role::Shell, "/bin/sh".as_ref())
        );
    }

    #[test]
    fn a_loader_is_the_last() {
        // A little-endian ELF file of 64 bits, whose one header names a loader.
        let mut elf = vec![0; 0xb0];
        let mut put = |at: usize, bytes: &[u8]| elf[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"\x7fELF\x02\x01\x01");
        put(18, &[62]);
        put(32, &[64]);
        put(54, &[56]);
        put(56, &[1]);
        put(64, &[3]);
        put(72, &[0x78]);
        put(96, &[10]);
        put(0x78, b"/no/loader");
        let place = place(&[("elf", 0o755, "")]);
        let path = os(&place.path().join("elf"));
        fs::write(&path, &elf).unwrap();
        let missing = look_up(&path, None, None);
        let loader = OsStr::new("/no/loader");
        let expected = (&*path, Role::Loader, loader, false, false);
        assert_eq!(needs_of(&missing), [expected]);
        let at = elf.len() - 0x38;
        elf[at..at + 10].copy_from_slice(b"/dev/null\0");
        fs::write(&path, &elf).unwrap();
        let there = look_up(&path, None, None);
        let loader = OsStr::new("/dev/null");
        assert_eq!(
            needs_of(&there),
            [(&*path, Role::Loader, loader, true, false)]
        );
    }

    /// What is looked up in another root directory is what is found there.
    #[test]
    fn in_another_root_directory() {
        let place = place(&[
            ("bin/script", 0o755, "#!/bin/interpreter\n"),
            ("bin/interpreter", 0o755, "text"),
            ("bin/shut", 0o644, "#!/bin/gone\n"),
        ]);
        let root = sys::open(place.path().as_os_str(), For::Path).unwrap();
        let find = |name: &str| look_up(name.as_ref(), Some("/bin".as_ref()), Some(&root));
        let script = find("script");
        assert_eq!(script.found, Some("/bin/script".into()));
        assert_eq!(
            (script.is_file, script.may_execute),
            (Some(true), Some(true))
        );
        assert_eq!(
            needs_of(&script),
            [(
                "/bin/script".as_ref(),
                Role::Interpreter,
                "/bin/interpreter".as_ref(),
                true,
                true
            )]
        );
        let own = look_up(&os(&place.path().join("bin/script")), None, None);
        assert!(own.noexec.is_some());
        assert_eq!((script.noexec, script.owner), (own.noexec, own.owner));
        let shut = find("/bin/shut");
        assert_eq!((shut.mode, shut.may_execute), (0o644, Some(false)));
        assert_eq!(
            needs_of(&shut),
            [(
                "/bin/shut".as_ref(),
                Role::Interpreter,
                "/bin/gone".as_ref(),
                false,
                false
            )]
        );
        // What only our own root directory has.
        let passwd = find("/etc/passwd");
        let obstacle = Some(Obstacle::Missing("/etc".into()));
        assert_eq!((passwd.obstacle, passwd.found), (obstacle, None));
    }

    #[test]
    fn which_errors_say_that_nothing_is_there() {
        let is = |number| is_missing(sys::Error::from_raw(number));
        let missing = [
            libc::ENOENT,
            libc::ENOTDIR,
            libc::EACCES,
            libc::ELOOP,
            libc::ENAMETOOLONG,
        ];
        assert!(missing.into_iter().all(is));
        assert!(!is(libc::EIO) && !is(libc::EMFILE));
    }
}
