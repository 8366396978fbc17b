//! Sockets between processes of ours.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::Result;

/// Two connected sockets that keep messages apart, both close-on-exec (socketpair(2), `SOCK_SEQPACKET`).
pub(crate) fn socket_pair() -> Result<(OwnedFd, OwnedFd)> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    let (family, kind) = (AddressFamily::Unix, SockType::SeqPacket);
    Ok(socketpair(family, kind, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Sends a message over a socket. That nobody is there any more is an error, and no SIGPIPE (send(2),
/// `MSG_NOSIGNAL`).
pub(crate) fn send(socket: BorrowedFd<'_>, message: &[u8]) -> Result<()> {
    use nix::sys::socket::MsgFlags;
    nix::sys::socket::send(socket.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL)?;
    Ok(())
}

/// Has the kernel tell of each message who sent it (unix(7), `SO_PASSCRED`).
pub(crate) fn receive_credentials(socket: BorrowedFd<'_>) -> Result<()> {
    Ok(nix::sys::socket::setsockopt(
        &socket,
        nix::sys::socket::sockopt::PassCred,
        &true,
    )?)
}

/// Whether what was read in vain can be read again. Who ends with something unread leaves us `ECONNRESET`, once, in front
/// of what it has sent before; `was_reset` remembers it, as a file system of somebody else's may answer so for ever.
pub(crate) fn is_passing(errno: nix::errno::Errno, was_reset: &mut bool) -> bool {
    use nix::errno::Errno;
    match errno {
        Errno::EINTR => true,
        Errno::ECONNRESET => !std::mem::replace(was_reset, true),
        _ => false,
    }
}

/// Waits for a message, and gives its length, 0 at the end, and its sender's PID as we see it (unix(7),
/// `SCM_CREDENTIALS`).
pub(crate) fn receive_from(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> Result<(usize, Option<i32>)> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg};
    let mut parts = [std::io::IoSliceMut::new(buffer)];
    let mut room = nix::cmsg_space!(UnixCredentials);
    let mut was_reset = false;
    loop {
        let flags = MsgFlags::empty();
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut room), flags) {
            Err(errno) if is_passing(errno, &mut was_reset) => {}
            Err(errno) => return Err(errno.into()),
            Ok(message) => {
                let sender = message.cmsgs()?.find_map(|control| match control {
                    ControlMessageOwned::ScmCredentials(sender) => Some(sender.pid()),
                    _ => None,
                });
                return Ok((message.bytes, sender));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn who_is_gone_is_heard_to_the_end() {
        for with_sender in [false, true] {
            let (ours, theirs) = socket_pair().unwrap();
            // They have not read this when they end.
            send(ours.as_fd(), b"unread").unwrap();
            send(theirs.as_fd(), b"last").unwrap();
            drop(theirs);
            let mut room = [0; 16];
            let mut receive = || match with_sender {
                false => super::super::read_some(ours.as_fd(), &mut room),
                true => receive_from(ours.as_fd(), &mut room).map(|(length, _)| length),
            };
            assert_eq!((receive(), receive()), (Ok(4), Ok(0)));
        }
    }

    #[test]
    fn who_is_reset_for_ever_is_not_read_for_ever() {
        use nix::errno::Errno::{ECONNRESET, EINTR, EIO};
        let mut was_reset = false;
        let passes = [EINTR, ECONNRESET, EINTR, ECONNRESET, EIO];
        let passes = passes.map(|errno| is_passing(errno, &mut was_reset));
        assert_eq!(passes, [true, true, true, false, false]);
    }
}
