//! Starts a program and takes the time to its end, as a shell that starts it would see it.
//!
//! The hard thing: the start itself must cost little and always the same. posix_spawn(3) shares our
//! memory with the child until it executes (CLONE_VM and CLONE_VFORK), so our own size does not count.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char};
use std::io;
use std::time::Instant;

/// A program with its arguments and its environment, ready to be started many times.
pub(crate) struct Program {
    /// What the pointers point to.
    words: Vec<CString>,
    argv: Vec<*mut c_char>,
    environment: Vec<*mut c_char>,
}

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Wall time from before the start to after the wait, in nanoseconds.
    pub(crate) nanoseconds: u64,
    /// Page faults without I/O of the process and those it waited for (`ru_minflt`, getrusage(2)).
    pub(crate) faults: u64,
}

/// The whole environment of every run: no locale, nothing that one tool reads and another does not.
const ENVIRONMENT: [&str; 2] = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"];

impl Program {
    /// The program `words[0]`, a path, with these arguments.
    pub(crate) fn new(argv: &[String]) -> Program {
        let c_string = |word: &str| CString::new(word).expect("no argument has a NUL in it");
        let words: Vec<CString> = argv
            .iter()
            .map(String::as_str)
            .chain(ENVIRONMENT)
            .map(c_string)
            .collect();
        let pointers = |words: &[CString]| {
            let words = words.iter().map(|word| word.as_ptr().cast_mut());
            words.chain([std::ptr::null_mut()]).collect()
        };
        Program {
            argv: pointers(&words[..argv.len()]),
            environment: pointers(&words[argv.len()..]),
            words,
        }
    }

    /// Runs it once, to its end.
    ///
    /// # Errors
    /// When it cannot be started, or ends otherwise than with status 0.
    pub(crate) fn run(&self) -> io::Result<Sample> {
        let mut pid: libc::pid_t = 0;
        let start = Instant::now();
        // SAFETY: both arrays end with a null pointer and point to strings that `self` owns; null
        // pointers stand for no attributes and no changes of descriptors.
        let errno = unsafe {
            libc::posix_spawn(
                &raw mut pid,
                self.words[0].as_ptr(),
                std::ptr::null(),
                std::ptr::null(),
                self.argv.as_ptr(),
                self.environment.as_ptr(),
            )
        };
        if errno != 0 {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let mut status = 0;
        // SAFETY: an all-zero rusage is a valid one.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes our two variables; the child is ours and not yet waited for.
        if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } != pid {
            return Err(io::Error::last_os_error());
        }
        let time = start.elapsed();
        if status != 0 {
            return Err(io::Error::other(format!("wait status {status:#x}")));
        }
        Ok(Sample {
            nanoseconds: u64::try_from(time.as_nanos()).unwrap_or(u64::MAX),
            faults: u64::try_from(usage.ru_minflt).unwrap_or(0),
        })
    }
}
