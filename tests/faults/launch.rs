//! Becomes a command line that is traced: the user's IDs, the status descriptor, a stop for who traces.

use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise, sigprocmask};
use nix::unistd::{Gid, Uid, getppid, setgroups, setresgid, setresuid};

/// The word that makes this test it; then how, the UID, the file that is descriptor 3, the program and its arguments.
pub(crate) const WORD: &str = "--launch";

/// The word that makes this test one that ends with who started it; then that one's PID, the program and its arguments.
pub(crate) const TIED: &str = "--tied";

pub(crate) fn tie(mut words: impl Iterator<Item = String>) -> ! {
    let mut next = || words.next().expect("an argument");
    let (parent, program) = (next(), next());
    set_pdeathsig(Signal::SIGKILL).expect("any process can");
    // It may have ended before.
    if getppid().to_string() != parent {
        std::process::exit(1);
    }
    let error = Command::new(program).args(words).exec();
    panic!("exec: {error}");
}

/// Instead of how it is started: only whether this user may make a user namespace is to be seen.
pub(crate) const UNSHARES: &str = "unshares";

/// How it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It waits for who traces it.
    Traced,
    /// It goes on by itself.
    Plain,
    /// It is there for others to enter, and has no descriptor 3.
    Held,
}

impl How {
    pub(crate) fn word(self) -> &'static str {
        match self {
            How::Traced => "traced",
            How::Plain => "plain",
            How::Held => "held",
        }
    }
}

pub(crate) fn launch(mut words: impl Iterator<Item = String>) -> ! {
    let mut next = || words.next().expect("an argument");
    let (how, id) = (next(), next());
    let id: u32 = id.parse().expect("a UID");
    if how == UNSHARES {
        become_user(id);
        std::process::exit(i32::from(unshare(CloneFlags::CLONE_NEWUSER).is_err()));
    }
    let (status, program) = (next(), next());
    if how != How::Held.word() {
        let status = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(status)
            .expect("our file");
        assert_eq!(status.as_raw_fd(), 3, "nothing else is open");
        fcntl(&status, FcntlArg::F_SETFD(FdFlag::empty())).expect("our descriptor");
        std::mem::forget(status);
    }
    if id != 0 {
        become_user(id);
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
        .expect("signals can be unblocked");
    if how == How::Traced.word() {
        raise(Signal::SIGSTOP).expect("we can stop");
    }
    let error = Command::new(program).args(words).exec();
    panic!("exec: {error}");
}

fn become_user(id: u32) {
    setgroups(&[]).expect("root can");
    setresgid(Gid::from_raw(id), Gid::from_raw(id), Gid::from_raw(id)).expect("root can");
    setresuid(Uid::from_raw(id), Uid::from_raw(id), Uid::from_raw(id)).expect("root can");
}
