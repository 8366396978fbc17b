//! The kernel: the only unsafe code of this program, one call a block, each with its reason.
//!
//! Functions here know system calls and nothing of namespaces' meaning, options or plans. They return
//! [`Error`], an errno in the words of the GNU C library, whatever library we are linked with.

#![allow(unsafe_code)]

#[cfg(not(all(
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "x86",
        target_arch = "arm",
        target_arch = "riscv64"
    )
)))]
compile_error!(
    "nskit is for Linux on x86_64, aarch64, x86, arm and riscv64: on other machines the kernel has other numbers of \
     errors, and other structures"
);

mod alloc;
mod caps;
mod entry;
mod errno;
mod exec;
mod file;
#[cfg(all(test, target_env = "gnu"))]
pub(crate) mod glibc_getopt;
mod ids;
mod mount;
mod net;
mod ns;
mod probe;
mod process;
mod processor;
mod procfs;
mod ready;
#[cfg(nskit_hardened)]
mod relro;
mod signal;
mod socket;
mod trial;
// The unwinder of 32-bit ARM has other functions (EHABI): there it is that of the C library.
#[cfg(all(panic = "abort", not(target_arch = "arm")))]
mod unwind;

// Tests have threads, so they use std's.
#[cfg(not(test))]
pub(crate) use alloc::*;
pub(crate) use caps::*;
pub(crate) use entry::*;
pub(crate) use errno::*;
pub(crate) use exec::*;
pub(crate) use file::*;
pub(crate) use ids::*;
pub(crate) use mount::*;
pub(crate) use net::*;
pub(crate) use ns::*;
pub(crate) use probe::*;
pub(crate) use process::*;
pub(crate) use processor::*;
pub(crate) use procfs::*;
pub(crate) use ready::*;
#[cfg(nskit_hardened)]
pub(crate) use relro::*;
pub(crate) use signal::*;
pub(crate) use socket::*;
pub(crate) use trial::*;

/// What a system call gives: a value, or the errno.
pub(crate) type Result<T> = core::result::Result<T, Error>;

/// The value of a raw system call, or the errno that it left.
fn check(value: libc::c_long) -> Result<libc::c_long> {
    if value == -1 {
        Err(Error::last())
    } else {
        Ok(value)
    }
}
