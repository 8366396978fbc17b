//! Signals: masks, dispositions, waiting for one.
//!
//! Sets are the kernel's own (a bit a signal), and the calls raw: the C library's hide the two signals that it
//! keeps for itself, which the caller may have blocked or ignored and the program must then find so.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::{Result, check, owned};

/// A set of signals: bit `n - 1` is signal `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SignalSet(u64);

/// The size that the kernel wants to be told of its own sets (rt_sigprocmask(2)).
const SET_SIZE: usize = size_of::<u64>();

impl SignalSet {
    /// No signal.
    pub(crate) const NONE: SignalSet = SignalSet(0);
    /// Every signal.
    pub(crate) const ALL: SignalSet = SignalSet(u64::MAX);

    /// This set and one signal more.
    pub(crate) const fn with(self, signal: i32) -> SignalSet {
        SignalSet(self.0 | 1 << (signal - 1))
    }

    /// What is in either.
    pub(crate) const fn union(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 | other.0)
    }

    /// This set less one signal.
    pub(crate) const fn without(self, signal: i32) -> SignalSet {
        SignalSet(self.0 & !(1 << (signal - 1)))
    }

    /// What is in this and not in the other.
    pub(crate) const fn less(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 & !other.0)
    }

    /// Whether a signal is in both.
    const fn meets(self, other: SignalSet) -> bool {
        self.0 & other.0 != 0
    }

    /// The signals in it.
    pub(crate) fn iter(self) -> impl Iterator<Item = i32> {
        (1..=64).filter(move |&signal| self.has(signal))
    }

    /// Whether the signal is in it.
    pub(crate) const fn has(self, signal: i32) -> bool {
        self.0 & 1 << (signal - 1) != 0
    }
}

impl FromIterator<i32> for SignalSet {
    fn from_iter<I: IntoIterator<Item = i32>>(signals: I) -> SignalSet {
        signals.into_iter().fold(SignalSet::NONE, SignalSet::with)
    }
}

/// Blocks exactly these signals (sigprocmask(2)); gives what was blocked before.
pub(crate) fn set_blocked(set: SignalSet) -> Result<SignalSet> {
    let mut before = SignalSet::NONE;
    // SAFETY: the kernel reads and writes a set of the size given.
    let done = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const set.0,
            &raw mut before.0,
            SET_SIZE,
        )
    };
    check(done).map(|_| before)
}

/// What happens to a process when a signal comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// What signal(7) lists.
    Default,
    /// Nothing.
    Ignored,
}

/// `struct sigaction` as the kernel has it on x86 and ARM (rt_sigaction(2)). Where it has no restorer (RISC-V), the
/// mask is read from that field, which is 0 as well.
#[repr(C)]
struct Action {
    handler: usize,
    flags: libc::c_ulong,
    restorer: usize,
    mask: u64,
}

/// Sets what a signal does (sigaction(2)); gives whether it was ignored before.
pub(crate) fn set_disposition(signal: i32, disposition: Disposition) -> Result<bool> {
    let handler = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignored => libc::SIG_IGN,
    };
    disposition_of(signal, Some(handler))
}

/// Whether a signal is ignored (sigaction(2)).
pub(crate) fn is_ignored(signal: i32) -> Result<bool> {
    disposition_of(signal, None)
}

/// Whether a signal is ignored; from now on it has the handler, if one is given.
fn disposition_of(signal: i32, handler: Option<usize>) -> Result<bool> {
    let new = handler.map(|handler| Action {
        handler,
        flags: 0,
        restorer: 0,
        mask: 0,
    });
    let new = new
        .as_ref()
        .map_or(std::ptr::null(), |action| &raw const *action);
    let mut before = Action {
        handler: 0,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    // SAFETY: the kernel reads one action, if it gets any, and writes one into ours; the two constants that are given as
    // handlers are no functions that it could call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            new,
            &raw mut before,
            SET_SIZE,
        )
    };
    check(done).map(|_| before.handler == libc::SIG_IGN)
}

/// A signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Which.
    pub(crate) signal: i32,
    /// Whether the kernel itself sent it (a terminal's Ctrl-C, sigaction(2) `SI_KERNEL`), not a process.
    pub(crate) from_kernel: bool,
}

/// A descriptor that can be read when one of these signals has come, which must be blocked (signalfd(2)).
pub(crate) fn signal_descriptor(set: SignalSet) -> Result<OwnedFd> {
    owned(signalfd(-1, set)?)
}

/// Changes of which signals such a descriptor tells (signalfd(2)).
pub(crate) fn change_signals(descriptor: BorrowedFd<'_>, set: SignalSet) -> Result<()> {
    signalfd(descriptor.as_raw_fd(), set).map(drop)
}

fn signalfd(descriptor: RawFd, set: SignalSet) -> Result<libc::c_long> {
    // SAFETY: the kernel reads a set of the size given.
    let done = unsafe {
        libc::syscall(
            libc::SYS_signalfd4,
            descriptor,
            &raw const set.0,
            SET_SIZE,
            libc::SFD_CLOEXEC,
        )
    };
    check(done)
}

/// Waits for one of the signals, which must be blocked, and takes it (sigwaitinfo(2)).
pub(crate) fn wait_for(set: SignalSet) -> Result<Arrived> {
    loop {
        match take(set, None) {
            // We were stopped and continued.
            Err(error) if error.raw() == libc::EINTR => {}
            other => return other,
        }
    }
}

/// The signals that have come while they are blocked (sigpending(2)).
fn pending() -> Result<SignalSet> {
    let mut set = SignalSet::NONE;
    // SAFETY: the kernel writes a set of the size given.
    check(unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut set.0, SET_SIZE) })?;
    Ok(set)
}

/// Takes one of the signals, which must be blocked, if any has come (sigtimedwait(2)).
pub(crate) fn take_pending(set: SignalSet) -> Result<Option<Arrived>> {
    // As a rule none has, which would be an error of the call below: errno is on a page that is written for nothing else
    // after a fork (3 µs).
    if !pending()?.meets(set) {
        return Ok(None);
    }
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match take(set, Some(&at_once)) {
        Err(error) if error.raw() == libc::EAGAIN => Ok(None),
        other => other.map(Some),
    }
}

fn take(set: SignalSet, within: Option<&libc::timespec>) -> Result<Arrived> {
    // SAFETY: siginfo_t is plain data, for which all zeroes is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let within = within.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the kernel reads a set of the size given and, if there is one, a time, and writes one siginfo_t.
    check(unsafe {
        libc::syscall(
            libc::SYS_rt_sigtimedwait,
            &raw const set.0,
            &raw mut info,
            within,
            SET_SIZE,
        )
    })?;
    Ok(Arrived {
        signal: info.si_signo,
        from_kernel: info.si_code == libc::SI_KERNEL,
    })
}

/// Takes the next signal that has come from a descriptor of [`signal_descriptor`] (signalfd(2)).
pub(crate) fn take_signal(signals: BorrowedFd<'_>) -> Result<Arrived> {
    // SAFETY: signalfd_siginfo is plain data, for which all zeroes is a value.
    let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::signalfd_siginfo>();
    loop {
        // SAFETY: the kernel writes at most one structure of this size into ours.
        let read = unsafe { libc::read(signals.as_raw_fd(), (&raw mut info).cast(), size) };
        match check(read as libc::c_long) {
            Ok(_) => {
                return Ok(Arrived {
                    // Neither is out of range: signals end at 64.
                    signal: info.ssi_signo as i32,
                    from_kernel: info.ssi_code == libc::SI_KERNEL,
                });
            }
            Err(error) if error.raw() == libc::EINTR => {}
            Err(error) => return Err(error),
        }
    }
}

/// The signals that are blocked now (sigprocmask(2)).
pub(crate) fn blocked() -> Result<SignalSet> {
    let mut now = SignalSet::NONE;
    // SAFETY: without a new set the kernel only writes one of the size given.
    let done = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            std::ptr::null::<u64>(),
            &raw mut now.0,
            SET_SIZE,
        )
    };
    check(done).map(|_| now)
}
