//! Starts a program and takes the time to its end, as a shell that starts it would see it.
//!
//! The hard thing: the start itself must cost little and always the same. The child shares our memory
//! until it executes (CLONE_VM and CLONE_VFORK), so our own size does not count; posix_spawn(3) does that
//! too, but its new stack for each child costs 25 µs more than all the rest.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::time::Instant;

/// A program with its arguments and its environment, ready to be started many times.
pub(crate) struct Program {
    /// What the pointers point to.
    words: Vec<CString>,
    argv: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    /// The stack of the child.
    stack: Vec<Aligned>,
}

/// Stacks are aligned to 16 bytes.
#[repr(align(16))]
#[derive(Clone)]
struct Aligned(#[expect(dead_code, reason = "used by address")] [u8; 4096]);

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
            let words = words.iter().map(|word| word.as_ptr());
            words.chain([std::ptr::null()]).collect()
        };
        Program {
            argv: pointers(&words[..argv.len()]),
            environment: pointers(&words[argv.len()..]),
            words,
            stack: vec![Aligned([0; 4096]); 4],
        }
    }

    /// Runs it once, to its end.
    ///
    /// # Errors
    /// When it cannot be started, or ends otherwise than with status 0.
    pub(crate) fn run(&self) -> io::Result<Sample> {
        let stack = self.stack.as_ptr_range().end.cast_mut().cast::<c_void>();
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let start = Instant::now();
        // SAFETY: the child runs `execute` on a stack of its own, of which this is the aligned end, and
        // we stand still until it has executed or ended; it only reads `self`.
        let pid = unsafe {
            libc::clone(
                execute,
                stack,
                flags,
                std::ptr::from_ref(self).cast_mut().cast(),
            )
        };
        if pid == -1 {
            return Err(io::Error::last_os_error());
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

/// What the child does: it executes the program, or ends with 127.
extern "C" fn execute(program: *mut c_void) -> c_int {
    // SAFETY: `run` gave us its own `self`, and stands still.
    let program = unsafe { &*program.cast::<Program>() };
    let (argv, environment) = (program.argv.as_ptr(), program.environment.as_ptr());
    // SAFETY: both arrays end with a null pointer and point to strings that the program owns.
    unsafe { libc::execve(program.words[0].as_ptr(), argv, environment) };
    // SAFETY: it takes a number and does not return.
    unsafe { libc::_exit(127) }
}
