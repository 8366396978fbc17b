//! What can happen to a process at one of its system calls.

use std::fmt;
use std::str::FromStr;

use nix::errno::Errno;
use nix::sys::signal::Signal;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// The call fails.
    Fails(Errno),
    /// The process gets a signal before it.
    Gets(Signal),
    /// It is held before it, while who runs it does something.
    IsHeld,
}

/// What happens, to which process, at which of its calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The process: `0`, its second child `0.1`, the first child of that `0.1.0`.
    pub(crate) process: String,
    /// From 0, among its calls.
    pub(crate) call: usize,
    pub(crate) what: What,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            process,
            call,
            what,
        } = self;
        match what {
            What::Fails(errno) => write!(f, "{process}:{call}:{errno:?}"),
            What::Gets(signal) => write!(f, "{process}:{call}:{signal}"),
            What::IsHeld => write!(f, "{process}:{call}"),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not PROCESS:CALL:ERRNO|SIGNAL");
        let mut parts = text.split(':');
        let (Some(process), Some(call), Some(what), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let errors = ERRORS.iter().find(|errno| format!("{errno:?}") == what);
        let what = match (errors, what.parse()) {
            (Some(errno), _) => What::Fails(*errno),
            (None, Ok(signal)) => What::Gets(signal),
            _ => return Err(wrong()),
        };
        Ok(Self {
            process: process.to_owned(),
            call: call.parse().map_err(|_| wrong())?,
            what,
        })
    }
}

/// Every error that is made.
const ERRORS: [Errno; 6] = [
    Errno::EPERM,
    Errno::ENOSYS,
    Errno::ENOMEM,
    Errno::EINTR,
    Errno::EAGAIN,
    Errno::EMFILE,
];

/// Calls that the kernel never lets fail, that only a C library's start makes, or that do not give an error's number;
/// none of them is refused by any known seccomp filter, since nothing runs without them.
const NEVER: &[i64] = &[
    libc::SYS_arch_prctl,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_rt_sigreturn,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getppid,
    libc::SYS_getpgrp,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_umask,
];

/// Calls that give a descriptor.
const OPENING: &[i64] = &[
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_pipe2,
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_signalfd4,
    libc::SYS_pidfd_open,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_memfd_create,
    libc::SYS_open_by_handle_at,
    libc::SYS_ioctl,
];

/// Calls that wait, and so can be interrupted; open(2) waits for a FIFO, statfs(2) for a server.
const WAITING: &[i64] = &[
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_waitid,
    libc::SYS_wait4,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_close,
    libc::SYS_fsync,
];

/// Calls for which what they need may be there later.
const LATER: &[i64] = &[
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_execve,
    libc::SYS_unshare,
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_setresuid,
    libc::SYS_setuid,
    libc::SYS_rt_sigtimedwait,
];

/// The errors that fit a call.
pub(crate) fn errors(call: i64) -> Vec<Errno> {
    if NEVER.contains(&call) {
        return Vec::new();
    }
    if call == libc::SYS_mmap {
        return vec![Errno::ENOMEM];
    }
    // It is closed whatever close(2) says.
    if call == libc::SYS_close {
        return vec![Errno::EINTR];
    }
    let mut errors = vec![Errno::EPERM, Errno::ENOSYS, Errno::ENOMEM];
    for (calls, errno) in [
        (WAITING, Errno::EINTR),
        (LATER, Errno::EAGAIN),
        (OPENING, Errno::EMFILE),
    ] {
        if calls.contains(&call) {
            errors.push(errno);
        }
    }
    errors
}

/// The signals that are sent at every call.
pub(crate) const SIGNALS: [Signal; 3] = [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGSTOP];

/// A call's name, for those that we make.
pub(crate) fn name(call: i64) -> String {
    macro_rules! names {
        ($($name:ident),* $(,)?) => {
            match call {
                $(libc::$name => stringify!($name)["SYS_".len()..].to_owned(),)*
                other => format!("call {other}"),
            }
        };
    }
    names!(
        SYS_open,
        SYS_openat,
        SYS_openat2,
        SYS_close,
        SYS_close_range,
        SYS_read,
        SYS_pread64,
        SYS_write,
        SYS_writev,
        SYS_mmap,
        SYS_munmap,
        SYS_mprotect,
        SYS_madvise,
        SYS_brk,
        SYS_lseek,
        SYS_ioctl,
        SYS_fcntl,
        SYS_dup,
        SYS_dup2,
        SYS_dup3,
        SYS_pipe2,
        SYS_socket,
        SYS_socketpair,
        SYS_connect,
        SYS_sendto,
        SYS_sendmsg,
        SYS_recvfrom,
        SYS_recvmsg,
        SYS_shutdown,
        SYS_getsockopt,
        SYS_setsockopt,
        SYS_poll,
        SYS_ppoll,
        SYS_signalfd4,
        SYS_pidfd_open,
        SYS_pidfd_send_signal,
        SYS_kill,
        SYS_tkill,
        SYS_tgkill,
        SYS_rt_sigaction,
        SYS_rt_sigprocmask,
        SYS_rt_sigtimedwait,
        SYS_rt_sigpending,
        SYS_waitid,
        SYS_wait4,
        SYS_clone,
        SYS_clone3,
        SYS_fork,
        SYS_vfork,
        SYS_execve,
        SYS_execveat,
        SYS_exit,
        SYS_exit_group,
        SYS_unshare,
        SYS_setns,
        SYS_mount,
        SYS_umount2,
        SYS_pivot_root,
        SYS_chroot,
        SYS_chdir,
        SYS_fchdir,
        SYS_getcwd,
        SYS_statfs,
        SYS_fstatfs,
        SYS_stat,
        SYS_lstat,
        SYS_fstat,
        SYS_newfstatat,
        SYS_statx,
        SYS_access,
        SYS_faccessat,
        SYS_faccessat2,
        SYS_readlink,
        SYS_readlinkat,
        SYS_getdents64,
        SYS_mkdir,
        SYS_mkdirat,
        SYS_rmdir,
        SYS_unlink,
        SYS_unlinkat,
        SYS_rename,
        SYS_renameat,
        SYS_renameat2,
        SYS_link,
        SYS_linkat,
        SYS_symlink,
        SYS_symlinkat,
        SYS_fchmod,
        SYS_fchown,
        SYS_fsync,
        SYS_ftruncate,
        SYS_prctl,
        SYS_capget,
        SYS_capset,
        SYS_setuid,
        SYS_setgid,
        SYS_setresuid,
        SYS_setresgid,
        SYS_getresuid,
        SYS_getresgid,
        SYS_setgroups,
        SYS_getgroups,
        SYS_setsid,
        SYS_setpgid,
        SYS_getpgid,
        SYS_getsid,
        SYS_sethostname,
        SYS_uname,
        SYS_getuid,
        SYS_geteuid,
        SYS_getgid,
        SYS_getegid,
        SYS_getpid,
        SYS_getppid,
        SYS_gettid,
        SYS_umask,
        SYS_prlimit64,
        SYS_getrandom,
        SYS_clock_gettime,
        SYS_sysinfo,
        SYS_sched_getaffinity,
        SYS_name_to_handle_at,
        SYS_open_by_handle_at,
        SYS_open_tree,
        SYS_move_mount,
        SYS_fsopen,
        SYS_fsmount,
        SYS_fsconfig,
        SYS_getxattr,
        SYS_kcmp,
        SYS_arch_prctl,
        SYS_set_tid_address,
        SYS_pidfd_getfd,
        SYS_memfd_create,
        SYS_seccomp,
        SYS_ptrace,
    )
}
