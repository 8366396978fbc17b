//! Errors of system calls, named and worded as the GNU C library does.
//!
//! Scripts compare these words, so they must not depend on the library that we are linked with: musl
//! says `Out of memory` where everybody expects `Cannot allocate memory`.

use std::fmt;
use std::sync::atomic::{AtomicI32, Ordering};

/// An errno (errno(3)).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Error(i32);

impl Error {
    /// The errno that the last failed call of this thread left.
    pub(crate) fn last() -> Error {
        Error::given(nix::errno::Errno::last_raw())
    }

    /// The error that the kernel gave. What it says that we have run out of is kept for [`lack`].
    #[cold]
    #[inline(never)]
    pub(super) fn given(number: i32) -> Error {
        if matches!(number, libc::EMFILE | libc::ENFILE | libc::ENOMEM) {
            let _ = LACK.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
        }
        Error(number)
    }

    /// The error with this number.
    pub(crate) const fn from_raw(number: i32) -> Error {
        Error(number)
    }

    /// The number, one of `libc::E*`.
    pub(crate) const fn raw(self) -> i32 {
        self.0
    }

    /// Its name: `EPERM`. Numbers that the kernel does not give away are `E?`.
    pub(crate) fn name(self) -> &'static str {
        self.row().map_or("E?", |(name, _)| name)
    }

    /// The words of strerror(3) in the GNU C library, in the C locale.
    pub(crate) fn text(self) -> &'static str {
        self.row().map_or("Unknown error", |(_, text)| text)
    }

    fn row(self) -> Option<(&'static str, &'static str)> {
        let line = usize::try_from(self.0).ok()?.checked_sub(1)?;
        WORDS.lines().nth(line)?.split_once(' ')
    }
}

/// The first number of [`lack`]; 0 is none.
static LACK: AtomicI32 = AtomicI32::new(0);

/// What this process has run out of, first: descriptors or memory. Who tells what there is asks this at the end: what could
/// not be looked at is not what is not there, wherever on the way the error was passed over.
pub(crate) fn lack() -> Option<Error> {
    let number = LACK.load(Ordering::Relaxed);
    (number != 0).then_some(Error(number))
}

impl From<nix::errno::Errno> for Error {
    fn from(errno: nix::errno::Errno) -> Error {
        Error::given(errno as i32)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Error {}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name and its words a line, in the order of the numbers from 1 on, as the machines have them that this program is
/// for (asm-generic/errno.h).
const WORDS: &str = include_str!("errno.txt");

#[cfg(all(test, target_env = "gnu"))]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn each_number_has_its_words() {
        assert_eq!(Error::from_raw(libc::EPERM).name(), "EPERM");
        assert_eq!(Error::from_raw(libc::EHWPOISON).name(), "EHWPOISON");
        assert_eq!(Error::from_raw(0).name(), "E?");
        assert_eq!(Error::from_raw(4096).text(), "Unknown error");
    }

    #[test]
    fn names_are_those_of_the_kernel() {
        for number in 1..=133 {
            let known = nix::errno::Errno::from_raw(number);
            if known != nix::errno::Errno::UnknownErrno {
                assert_eq!(Error::from_raw(number).name(), format!("{known:?}"));
            }
        }
    }

    #[test]
    fn words_are_those_of_glibc() {
        for number in 1..=133 {
            // SAFETY: any number is valid, and no other test of this binary calls strerror.
            let theirs = unsafe { libc::strerror(number) };
            // SAFETY: strerror returns a string that stays until its next call.
            let theirs = unsafe { CStr::from_ptr(theirs) }.to_str().unwrap();
            if !theirs.starts_with("Unknown error") {
                assert_eq!(Error::from_raw(number).text(), theirs, "errno {number}");
            }
        }
    }
}
