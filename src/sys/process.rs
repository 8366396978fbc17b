//! Processes: start, signal, wait, end.
//!
//! The hard thing: [`vfork`] and [`share`] run Rust code in a child that shares our memory. What may run there, and
//! here at the same time, is what their documentation says, no more.

use std::ffi::{c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd};

use nix::sys::wait::{Id, WaitPidFlag};

use super::{Error, Result, check};

/// How far below our own frame the stack of a child begins that runs while we stand still: below what clone(2) and its
/// wrapper have there.
const BELOW_STANDING: usize = 2 * 1024;

/// The same of a child that runs beside us: below all that we need meanwhile, which is a wait for descriptors, and not so far
/// that a small stack (RLIMIT_STACK of 64 kB) has no room for it.
const BELOW_RUNNING: usize = 16 * 1024;

/// Our process ID (getpid(2)), in the PID namespace that we are in.
pub(crate) fn pid() -> i32 {
    nix::unistd::getpid().as_raw()
}

/// Our parent's process ID (getppid(2)); 0 where it is in no PID namespace of ours.
pub(crate) fn parent() -> i32 {
    nix::unistd::getppid().as_raw()
}

/// Our process group (getpgrp(2)).
pub(crate) fn process_group() -> i32 {
    nix::unistd::getpgrp().as_raw()
}

/// Runs `body` in a child that shares our memory (clone(2), `CLONE_VM | CLONE_VFORK`), on a stack of its own,
/// while we stand still until it executes a program or ends. It ends with the value of `body`. Gives its PID as we see
/// it; it has not been waited for.
///
/// The page tables need no copy, which makes this several times faster than fork(2). What `body` may do:
/// - system calls, and changes to memory that we expect to find changed;
/// - allocate: there is one thread in the two processes at a time, so the heap stays in order, and what the
///   child does not free before it executes a program is lost to us, which a few bytes may be;
/// - not change signal handlers to functions (dispositions are its own, memory is not), not unwind (a panic
///   aborts), not start threads, not call the C library's setuid(3) and its like, not exit(3), which would
///   run our own exit handlers: it returns, or executes.
///
/// While we stand still no signal but SIGKILL ends us if it is blocked: only for children that nobody else can hold.
///
/// # Errors
/// Those of clone(2).
pub(crate) fn vfork(mut body: impl FnMut() -> u8) -> Result<i32> {
    let mut start = ChildStart {
        body: |_| body(),
        pid: 0,
    };
    clone_sharing(&mut start, libc::CLONE_VFORK, BELOW_STANDING, |pid| pid)
}

/// As [`vfork`], but `meanwhile` is what we do until the child has executed a program or has ended: it is given the
/// child's PID, and a descriptor that comes to its end then, or when the child ends. `body` is given the PID too.
///
/// `meanwhile` may make system calls, and must not return before the child has executed a program or has ended. It
/// must neither allocate nor touch what `body` uses: the two run at the same time, and errno is one for both, so no call
/// of `meanwhile` may fail before it ends the child.
///
/// # Errors
/// Those of clone(2) and pipe(2). `ENOMEM` also when the PID namespace for children has lost its init.
pub(crate) fn share<T>(
    body: impl FnMut(i32) -> u8,
    meanwhile: impl FnOnce(i32, BorrowedFd<'_>) -> T,
) -> Result<(i32, T)> {
    let (line, childs) = super::pipe()?;
    // The child has its own copy of the descriptor table: there this number stays open until it executes or ends.
    let childs = childs.into_raw_fd();
    let mut start = ChildStart { body, pid: 0 };
    let close = || {
        // SAFETY: the number is ours, taken out of its owner above, and nobody uses it afterwards.
        unsafe { libc::close(childs) }
    };
    let done = clone_sharing(&mut start, 0, BELOW_RUNNING, |pid| {
        close();
        (pid, meanwhile(pid, line.as_fd()))
    });
    if done.is_err() {
        close();
    }
    done
}

/// What a child that shares our memory is started with. The kernel writes the PID before the child runs.
struct ChildStart<F> {
    body: F,
    pid: libc::pid_t,
}

/// Starts the child, and does `meanwhile`, after which it must not use our memory any more.
///
/// Its stack is ours, from `below` bytes under our frame on: what was used before is there already, so that where we stand
/// still no new page is touched (two less than a stack in the heap has), and an overflow meets the kernel's guard at the
/// end of the stack, as ours would, and nobody's memory.
fn clone_sharing<F: FnMut(i32) -> u8, T>(
    start: &mut ChildStart<F>,
    flags: c_int,
    below: usize,
    meanwhile: impl FnOnce(i32) -> T,
) -> Result<T> {
    extern "C" fn begin<F: FnMut(i32) -> u8>(start: *mut c_void) -> c_int {
        // SAFETY: `clone_sharing` passes its own `start`, which outlives the child and is left alone meanwhile.
        let start = unsafe { &mut *start.cast::<ChildStart<F>>() };
        c_int::from((start.body)(start.pid))
    }
    let flags = flags | libc::CLONE_VM | libc::CLONE_PARENT_SETTID | libc::SIGCHLD;
    let start = &raw mut *start;
    // SAFETY: `start` is borrowed from our caller, valid and aligned.
    let pid = unsafe { &raw mut (*start).pid };
    let pid = clone_below(below, begin::<F>, flags, start.cast(), pid);
    if pid == -1 {
        return Err(Error::last());
    }
    // The child has executed a program or ended when this is done, so its stack may go.
    Ok(meanwhile(pid))
}

/// clone(2) with a stack for the child that begins `below` bytes under the frame of this function, which is small as nothing
/// is inlined into it, nor it into another.
#[inline(never)]
fn clone_below(
    below: usize,
    begin: extern "C" fn(*mut c_void) -> c_int,
    flags: c_int,
    start: *mut c_void,
    pid: *mut libc::pid_t,
) -> c_int {
    let frame = 0_u8;
    // Stacks grow down on every machine that Rust's Linux has, and are aligned to 16 bytes on all of them.
    let top = (&raw const frame)
        .wrapping_sub(below)
        .map_addr(|address| address & !15);
    // SAFETY: the child runs on a part of the stack that we do not use: with CLONE_VFORK we stand still while it uses our
    // memory, without it we do what `share` allows, which needs far less than lies between; `begin` has the type that
    // clone(3) wants, and `start`, of which `pid` is a part, outlives the child's use of it.
    unsafe { libc::clone(begin, top.cast_mut().cast(), flags, start, pid) }
}

/// Which side of [`fork`] we are on.
#[derive(Debug)]
pub(crate) enum Forked {
    /// The caller; the PID of the new process.
    Parent(i32),
    /// The new process.
    Child,
}

/// Makes a copy of this process (fork(2)), which goes on by itself.
///
/// The raw call: the C library's blocks and unblocks signals around it, for threads that are not there.
pub(crate) fn fork() -> Result<Forked> {
    const NONE: usize = 0;
    // SAFETY: the same as fork(2) (clone(2)); we have one thread, so the copy may do all that we may.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, NONE, NONE, NONE, NONE) };
    Ok(match i32::try_from(check(pid)?).unwrap_or(0) {
        0 => Forked::Child,
        child => Forked::Parent(child),
    })
}

/// Ends this process at once, without exit handlers (_exit(2)): for children that do not execute a program.
pub(crate) fn exit_now(status: u8) -> ! {
    // SAFETY: ends the process; nothing of it is used afterwards.
    unsafe { libc::_exit(status.into()) }
}

/// How a process changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It exited with this status.
    Exited(u8),
    /// This signal killed it.
    Killed(i32),
    /// This signal stopped it.
    Stopped(i32),
}

/// Waits until a child ends, which reaps it (waitid(2)).
pub(crate) fn wait(pid: i32) -> Result<Change> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::__WALL;
    loop {
        match wait_status(Id::Pid(nix::unistd::Pid::from_raw(pid)), flags) {
            Ok(Some((_, change))) => return Ok(change),
            Ok(None) => {}
            Err(error) if error.raw() == libc::EINTR => {}
            Err(error) => return Err(error),
        }
    }
}

/// Waits until a child stops, or ends, which reaps it (waitid(2)).
pub(crate) fn wait_stopped(pid: i32) -> Result<Change> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::__WALL;
    loop {
        match wait_status(Id::Pid(nix::unistd::Pid::from_raw(pid)), flags) {
            Ok(Some((_, change))) => return Ok(change),
            Ok(None) => {}
            Err(error) if error.raw() == libc::EINTR => {}
            Err(error) => return Err(error),
        }
    }
}

/// Takes the next child that has ended or stopped, if there is one, without waiting (waitid(2), `WNOHANG`).
///
/// # Errors
/// `ECHILD` when there are no children at all.
pub(crate) fn reap_any() -> Result<Option<(i32, Change)>> {
    let flags =
        WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
    wait_status(Id::All, flags)
}

/// As [`reap_any`], for one child.
pub(crate) fn reap(pid: i32) -> Result<Option<Change>> {
    let flags =
        WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
    let changed = wait_status(Id::Pid(nix::unistd::Pid::from_raw(pid)), flags)?;
    Ok(changed.map(|(_, change)| change))
}

fn wait_status(id: Id<'_>, flags: WaitPidFlag) -> Result<Option<(i32, Change)>> {
    // nix refuses signal numbers above 31, and a program may well die of SIGRTMIN: so this is read here.
    let (kind, number) = match id {
        Id::Pid(pid) => (libc::P_PID, pid.as_raw()),
        _ => (libc::P_ALL, 0),
    };
    // SAFETY: siginfo_t is plain data, for which all zeroes is a value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one siginfo_t into ours.
    check(unsafe { libc::waitid(kind, number as libc::id_t, &raw mut info, flags.bits()) }.into())?;
    // SAFETY: waitid fills the fields of SIGCHLD, or leaves the zeroes.
    let pid = unsafe { info.si_pid() };
    if pid == 0 {
        return Ok(None);
    }
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    let change = match info.si_code {
        // The kernel gives the low eight bits, 0…255.
        libc::CLD_EXITED => Change::Exited(u8::try_from(status & 0xff).unwrap_or(u8::MAX)),
        libc::CLD_STOPPED | libc::CLD_TRAPPED => Change::Stopped(status),
        _ => Change::Killed(status),
    };
    Ok(Some((pid, change)))
}

/// The process group of a process (getpgid(2)).
pub(crate) fn process_group_of(pid: i32) -> Result<i32> {
    Ok(nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(pid)))?.as_raw())
}

/// Makes us the leader of a process group of our own (setpgid(2)).
pub(crate) fn lead_process_group() -> Result<()> {
    let me = nix::unistd::Pid::from_raw(0);
    Ok(nix::unistd::setpgid(me, me)?)
}

/// The process group in the foreground of a terminal (tcgetpgrp(3)).
pub(crate) fn foreground(terminal: BorrowedFd<'_>) -> Result<i32> {
    Ok(nix::unistd::tcgetpgrp(terminal)?.as_raw())
}

/// Puts a process group of our session in the foreground of its terminal (tcsetpgrp(3)).
pub(crate) fn set_foreground(terminal: BorrowedFd<'_>, group: i32) -> Result<()> {
    let group = nix::unistd::Pid::from_raw(group);
    Ok(nix::unistd::tcsetpgrp(terminal, group)?)
}

/// Sends a signal to a process, or to the process group of a negative number (kill(2)).
pub(crate) fn kill(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}

/// Sends a signal to the process behind a pidfd, whatever its number is by now (pidfd_send_signal(2)).
pub(crate) fn signal_pidfd(pidfd: BorrowedFd<'_>, signal: i32) -> Result<()> {
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo makes the kernel fill in that of kill(2).
    let done = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            info,
            0,
        )
    };
    check(done).map(drop)
}

/// The size of a page of memory, in bytes (sysconf(3)).
pub(crate) fn page_size() -> usize {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    let size = size.ok().flatten().and_then(|size| size.try_into().ok());
    size.unwrap_or(4096)
}

/// What a clock shows (clock_gettime(2)): `CLOCK_BOOTTIME`, or `CLOCK_MONOTONIC`.
pub(crate) fn clock(boottime: bool) -> std::time::Duration {
    use nix::time::{ClockId, clock_gettime};
    let clock = if boottime {
        ClockId::CLOCK_BOOTTIME
    } else {
        ClockId::CLOCK_MONOTONIC
    };
    // Every kernel has both clocks.
    clock_gettime(clock).map_or(std::time::Duration::ZERO, Into::into)
}
