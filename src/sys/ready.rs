//! Waiting until descriptors are ready (poll(2)).

use std::os::fd::BorrowedFd;

use super::Result;

/// What a descriptor is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Something can be read, or it has ended.
    Read,
    /// Something can be written, or nobody reads any more.
    Write,
    /// The other end is closed, whatever may be left to be read.
    End,
}

impl Ready {
    fn question(self, fd: BorrowedFd<'_>) -> nix::poll::PollFd<'_> {
        use nix::poll::{PollFd, PollFlags};
        match self {
            Ready::Read => PollFd::new(fd, PollFlags::POLLIN),
            Ready::Write => PollFd::new(fd, PollFlags::POLLOUT),
            Ready::End => PollFd::new(fd, PollFlags::empty()),
        }
    }
}

/// Waits until one of these is ready (poll(2)); gives the place of the first that is.
pub(crate) fn wait_ready(fds: &[(BorrowedFd<'_>, Ready)]) -> Result<usize> {
    let questions: Vec<_> = fds.iter().map(|&(fd, ready)| ready.question(fd)).collect();
    wait_first(questions)
}

/// Whether the descriptor is ready now.
pub(crate) fn is_ready(fd: BorrowedFd<'_>, ready: Ready) -> Result<bool> {
    let mut question = [ready.question(fd)];
    Ok(nix::poll::poll(&mut question, nix::poll::PollTimeout::ZERO)? > 0)
}

/// Waits until the descriptor can be read, or has ended, but no longer than this (poll(2)). A signal may end it early.
pub(crate) fn is_readable_within(fd: BorrowedFd<'_>, time: std::time::Duration) -> Result<bool> {
    let mut question = [Ready::Read.question(fd)];
    let time = nix::poll::PollTimeout::try_from(time).unwrap_or(nix::poll::PollTimeout::MAX);
    match nix::poll::poll(&mut question, time) {
        Ok(ready) => Ok(ready > 0),
        Err(nix::errno::Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Waits until one of these can be read, or has ended (poll(2)); gives the place of the first that does.
pub(crate) fn wait_readable<const N: usize>(fds: [BorrowedFd<'_>; N]) -> Result<usize> {
    wait_first(fds.map(|fd| Ready::Read.question(fd)))
}

/// Waits until one of the two is ready (poll(2)); gives its place, that of the first if both are. Allocates nothing.
pub(crate) fn wait_either(fds: [(BorrowedFd<'_>, Ready); 2]) -> Result<usize> {
    wait_first(fds.map(|(fd, ready)| ready.question(fd)))
}

/// Waits until one of these is ready; gives its place.
fn wait_first<'fd>(mut questions: impl AsMut<[nix::poll::PollFd<'fd>]>) -> Result<usize> {
    let questions = questions.as_mut();
    loop {
        match nix::poll::poll(questions, nix::poll::PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) => {
                if let Some(place) = questions.iter().position(|one| one.any() == Some(true)) {
                    return Ok(place);
                }
            }
        }
    }
}
