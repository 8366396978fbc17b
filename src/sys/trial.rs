//! Questions that are answered by trying: a child tries, and what it changed goes with it.

use std::os::fd::AsFd;

use super::{Error, Forked, Result};

/// What `attempt` gives in a child of its own, which then ends.
///
/// It comes through a pipe, not as an exit status: a caller who ignores SIGCHLD leaves us no child to wait for.
fn tried(attempt: impl FnOnce() -> u8) -> Result<u8> {
    let (read, write) = super::pipe()?;
    let child = match super::fork()? {
        Forked::Child => {
            let written = super::write_once(write.as_fd(), &[attempt()]);
            super::exit_now(written.is_err().into());
        }
        Forked::Parent(child) => child,
    };
    drop(write);
    let answer = super::read_all(read.as_fd(), super::Limit::FILE);
    let _ = super::wait(child);
    answer?
        .first()
        .copied()
        .ok_or(Error::from_raw(libc::ECHILD))
}

/// For each of these `CLONE_NEW*`, at most eight, whether this kernel makes such namespaces, bit by bit (unshare(2)).
///
/// The user namespace comes first: it gives the privilege for the others. Where there is none to be had the kernel
/// does not come as far as to say that it knows a flag, but says so if it does not: `EINVAL`. (Of a kernel without
/// any cgroups it cannot be told: that one takes the flag and does nothing.)
pub(crate) fn try_namespaces(flags: &[i32]) -> Result<u8> {
    tried(|| {
        let is_known = |flag: i32| match super::unshare(flag) {
            Ok(()) => true,
            Err(error) => error.raw() != libc::EINVAL,
        };
        let bits = flags.iter().enumerate();
        bits.fold(0, |known, (bit, flag)| {
            known | u8::from(is_known(*flag)) << bit
        })
    })
}

/// Whether a process that executes a program enters the time namespace that it has made; else only its children do.
/// None where we can make none.
///
/// The change of the kernel that brought this, in about Linux 6.2, also permits a child that shares our memory after
/// such an unshare(2), which was `EINVAL` before (clone(2)): so one is tried.
pub(crate) fn try_time() -> Option<bool> {
    const NO: u8 = 0;
    const YES: u8 = 1;
    const UNKNOWN: u8 = 2;
    let time = libc::CLONE_NEWTIME;
    let answer = tried(|| {
        let made = super::unshare(time).or_else(|_| super::unshare(libc::CLONE_NEWUSER | time));
        if made.is_err() {
            return UNKNOWN;
        }
        match super::vfork(|| 0) {
            Ok(child) => {
                let _ = super::wait(child);
                YES
            }
            Err(error) if error.raw() == libc::EINVAL => NO,
            Err(_) => UNKNOWN,
        }
    });
    match answer {
        Ok(YES) => Some(true),
        Ok(NO) => Some(false),
        _ => None,
    }
}
