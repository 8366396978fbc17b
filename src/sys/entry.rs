//! The way in: `main` as the C library calls it, and what it was given.
//!
//! std's own start-up is left out on purpose. It ignores SIGPIPE and opens /dev/null on closed
//! standard descriptors, both of which the program would inherit, and it costs six system calls.

#[cfg(not(test))]
use std::ffi::c_int;
use std::ffi::{CStr, c_char};

/// The words of argv, which live as long as the process.
pub(crate) struct Args {
    words: &'static [&'static CStr],
    raw: *const *const c_char,
}

impl Args {
    /// Takes what `main` was given. Only the macro [`entry!`](crate::entry) calls it.
    ///
    /// # Safety
    /// `argv` must point to `argc` strings and a null pointer that are never freed or changed.
    #[cfg(not(test))]
    pub(crate) unsafe fn from_main(argc: c_int, argv: *const *const c_char) -> Args {
        let count = usize::try_from(argc).unwrap_or(0);
        let words: Vec<&'static CStr> = (0..count)
            .map(|index| {
                // SAFETY: `index` is below argc, so this is inside the array that main was given.
                let word = unsafe { argv.add(index) };
                // SAFETY: as above, and the array is initialised by the kernel.
                let word = unsafe { *word };
                // SAFETY: the kernel ends each argument with a NUL, and they live as long as we.
                unsafe { CStr::from_ptr(word) }
            })
            .collect();
        Args {
            words: words.leak(),
            raw: argv,
        }
    }

    /// The words, the program's own name first (where there is one).
    pub(crate) fn words(&self) -> &'static [&'static CStr] {
        self.words
    }

    /// The words from `first` on, as execve(2) takes them, without a copy.
    pub(crate) fn tail(&self, first: usize) -> RawArgs {
        debug_assert!(first <= self.words.len());
        // SAFETY: `first` is at most argc, and argv[argc] (the null pointer) is part of the array.
        RawArgs(unsafe { self.raw.add(first) })
    }
}

/// A null-terminated array of arguments in the form of execve(2).
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawArgs(pub(super) *const *const c_char);

/// Makes `main` for the C library, which calls `$begin` with the first word before any memory is taken, then `$start`
/// with the [`Args`], and ends with its result.
#[macro_export]
macro_rules! entry {
    ($begin:path, $start:path) => {
        #[cfg(not(test))]
        #[allow(unsafe_code)]
        /// What the C library calls.
        // SAFETY: no other symbol of this program is named `main`.
        #[unsafe(no_mangle)]
        extern "C" fn main(
            argc: std::ffi::c_int,
            argv: *const *const std::ffi::c_char,
        ) -> std::ffi::c_int {
            #[cfg(nskit_hardened)]
            $crate::sys::protect_relocated();
            if argc > 0 {
                // SAFETY: there is a first word, and the kernel laid the array out (execve(2)).
                let first = unsafe { *argv };
                // SAFETY: the kernel ends each argument with a NUL, and they live as long as we.
                $begin(unsafe { std::ffi::CStr::from_ptr(first) });
            }
            // SAFETY: these are main's own arguments, which the kernel laid out (execve(2)).
            let args = unsafe { $crate::sys::Args::from_main(argc, argv) };
            // Nothing has been left to the C library to be done at the end.
            $crate::sys::exit_now($start(&args))
        }
    };
}
