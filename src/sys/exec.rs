//! Executing a program, with the search of execvp(3).
//!
//! The search is done here, with the GNU C library's rules, since what the C library does depends on which it
//! is: musl's tries no `/bin/sh` on a file that has no `#!` line, and people run such scripts.

use std::ffi::{CStr, CString, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;

use super::{Error, RawArgs};

unsafe extern "C" {
    /// The environment of this process (environ(7)).
    static environ: *const *const c_char;
}

/// Arguments that we made ourselves, in the form of execve(2).
#[derive(Debug)]
pub(crate) struct OwnArgs {
    pointers: Vec<*const c_char>,
    words: Vec<CString>,
}

impl OwnArgs {
    /// Takes the words.
    pub(crate) fn new(words: Vec<CString>) -> OwnArgs {
        let pointers = words
            .iter()
            .map(|word| word.as_ptr())
            .chain([std::ptr::null()])
            .collect();
        OwnArgs { pointers, words }
    }

    /// The value of a variable, if these words are an environment.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.words.iter().find_map(|entry| {
            let value = entry
                .to_bytes()
                .strip_prefix(name.as_bytes())?
                .strip_prefix(b"=")?;
            Some(OsStr::from_bytes(value))
        })
    }

    /// A view of them for as long as they live.
    fn raw(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

/// Where arguments come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ArgList<'a> {
    /// A part of our own argv.
    Given(RawArgs),
    /// Words that we made.
    Own(&'a OwnArgs),
}

impl ArgList<'_> {
    fn raw(self) -> *const *const c_char {
        match self {
            ArgList::Given(args) => args.0,
            ArgList::Own(args) => args.raw(),
        }
    }
}

/// The program's environment.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Environment<'a> {
    /// Ours.
    Same,
    /// Exactly these strings.
    These(&'a OwnArgs),
}

/// The longest name of a file, in bytes (`NAME_MAX`, linux/limits.h).
const NAME_MAX: usize = 255;

/// What execvp(3) looks in when there is no `PATH`.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// Replaces this process by the program (execve(2)), found as execvp(3) finds it: by `path` (the value of the
/// program's own `PATH`) unless its name has a slash. Returns only the reason why not.
pub(crate) fn execute(
    program: &CStr,
    args: ArgList<'_>,
    environment: Environment<'_>,
    path: Option<&OsStr>,
) -> Error {
    let name = program.to_bytes();
    if name.is_empty() {
        return Error::from_raw(libc::ENOENT);
    }
    if name.contains(&b'/') {
        return attempt(program, args, environment);
    }
    // No file has such a name, whatever the directory.
    if name.len() > NAME_MAX {
        return Error::from_raw(libc::ENAMETOOLONG);
    }
    let mut denied = None;
    let mut candidate = Vec::new();
    for directory in path
        .map_or(DEFAULT_PATH, OsStr::as_bytes)
        .split(|&byte| byte == b':')
    {
        candidate.clear();
        // An empty element is the working directory.
        if !directory.is_empty() {
            candidate.extend_from_slice(directory);
            candidate.push(b'/');
        }
        candidate.extend_from_slice(program.to_bytes_with_nul());
        let Ok(file) = CStr::from_bytes_with_nul(&candidate) else {
            continue;
        };
        let error = attempt(file, args, environment);
        match error.raw() {
            libc::EACCES => denied = Some(error),
            // The file is not in this directory, or the directory cannot be used: the next one.
            libc::ENOENT
            | libc::ESTALE
            | libc::ENOTDIR
            | libc::ENODEV
            | libc::ETIMEDOUT
            | libc::ENAMETOOLONG => {}
            _ => return error,
        }
    }
    denied.unwrap_or(Error::from_raw(libc::ENOENT))
}

fn attempt(file: &CStr, args: ArgList<'_>, environment: Environment<'_>) -> Error {
    let environment = match environment {
        // SAFETY: the C library has set it, and nothing in this program changes the environment.
        Environment::Same => unsafe { environ },
        Environment::These(own) => own.raw(),
    };
    let error = execve(file, args.raw(), environment);
    if error.raw() != libc::ENOEXEC {
        return error;
    }
    // A file that is executable but no binary, and has no `#!` line: execvp(3) gives it to the shell.
    let shell = c"/bin/sh";
    let mut words = vec![shell.as_ptr(), file.as_ptr()];
    let mut rest = args.raw();
    // SAFETY: the array ends with a null pointer, and it is read no further.
    while !unsafe { *rest }.is_null() {
        // SAFETY: the element is not the null pointer at the end, so there is a next one.
        rest = unsafe { rest.add(1) };
        // SAFETY: as above, at most the null pointer at the end.
        words.push(unsafe { *rest });
    }
    if words.last().is_none_or(|last| !last.is_null()) {
        words.push(std::ptr::null());
    }
    execve(shell, words.as_ptr(), environment)
}

fn execve(file: &CStr, args: *const *const c_char, environment: *const *const c_char) -> Error {
    // SAFETY: both arrays end with a null pointer and hold C strings, all of which live across the call.
    unsafe { libc::execve(file.as_ptr(), args, environment) };
    Error::last()
}

/// The value of a variable in our own environment, without a copy (environ(7)).
pub(crate) fn variable(name: &str) -> Option<&'static OsStr> {
    variables().find_map(|entry| {
        let value = entry
            .to_bytes()
            .strip_prefix(name.as_bytes())?
            .strip_prefix(b"=")?;
        Some(OsStr::from_bytes(value))
    })
}

/// The strings of our own environment, as they are.
pub(crate) fn variables() -> impl Iterator<Item = &'static CStr> {
    // SAFETY: the C library has set it, and nothing in this program changes the environment.
    let mut next = unsafe { environ };
    std::iter::from_fn(move || {
        if next.is_null() {
            return None;
        }
        // SAFETY: the array ends with a null pointer, and it is read no further.
        let entry = unsafe { *next };
        if entry.is_null() {
            return None;
        }
        // SAFETY: the entry is not the null pointer at the end, so there is a next one.
        next = unsafe { next.add(1) };
        // SAFETY: entries are C strings that nothing in this program frees.
        Some(unsafe { CStr::from_ptr(entry) })
    })
}

/// Writes zeroes over the strings of our own environment, but for the variables of these names, where others read them too
/// (proc_pid_environ(5)). From then on they are empty; what [`variables`] has given before must not be used any more.
pub(crate) fn wipe_environment(kept: &[&str]) {
    let is_kept = |string: &CStr| {
        let name = string.to_bytes().split(|byte| *byte == b'=').next();
        kept.iter().any(|kept| Some(kept.as_bytes()) == name)
    };
    let strings: Vec<&'static CStr> = variables().filter(|string| !is_kept(string)).collect();
    for string in strings {
        let length = string.to_bytes().len();
        let start = string.as_ptr().cast_mut();
        // SAFETY: the kernel put the strings on our stack, writable, and as long as that; nobody uses them afterwards.
        unsafe { start.write_bytes(0, length) };
    }
}
