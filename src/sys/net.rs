//! Network interfaces: the loopback interface of a new network namespace.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::{Error, Result, check, owned};

/// Brings the loopback interface of our network namespace up (netdevice(7), `SIOCSIFFLAGS`).
pub(crate) fn loopback_up() -> Result<()> {
    // A kernel may have one family without the others; the flags of the interface are the same for all.
    let socket = socket(libc::AF_INET)
        .or_else(|_| socket(libc::AF_INET6))
        .or_else(|_| socket(libc::AF_UNIX))?;
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: 0 },
    };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    let number = socket.as_raw_fd();
    // SAFETY: the kernel reads the name and writes the flags of our ifreq.
    let asked = unsafe { libc::ioctl(number, libc::SIOCGIFFLAGS as _, &raw mut request) };
    check(asked.into())?;
    // SAFETY: SIOCGIFFLAGS has just filled this member of the union in.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    request.ifr_ifru.ifru_flags = flags | libc::IFF_UP as libc::c_short;
    // SAFETY: the kernel reads the name and the flags of our ifreq.
    let set = unsafe { libc::ioctl(number, libc::SIOCSIFFLAGS as _, &raw mut request) };
    check(set.into()).map(drop)
}

/// A datagram socket of a family, to ask interfaces with.
fn socket(family: i32) -> Result<OwnedFd> {
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    owned(check(fd.into())?)
}

/// A socket to ask the kernel about network interfaces and namespaces (netlink(7), rtnetlink(7)).
pub(crate) fn route_netlink() -> Result<OwnedFd> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (family, protocol) = (AddressFamily::Netlink, SockProtocol::NetlinkRoute);
    Ok(socket(family, SockType::Raw, flags, protocol)?)
}

/// The ID that our network namespace has for another one, if it has one (`RTM_GETNSID` of `linux/net_namespace.h`,
/// rtnetlink(7)).
///
/// # Errors
/// What the kernel answers; before Linux 4.9, `EOPNOTSUPP`.
pub(crate) fn netns_id(netlink: BorrowedFd<'_>, netns: BorrowedFd<'_>) -> Result<Option<u32>> {
    use nix::sys::socket::{MsgFlags, recv, send};
    const RTM_GETNSID: u16 = 90;
    const NETNSA_FD: u16 = 3;
    let mut request = Vec::with_capacity(28);
    // struct nlmsghdr: length, type, flags, sequence, port; struct rtgenmsg: family, padded; struct nlattr and a number.
    request.extend(28_u32.to_ne_bytes());
    request.extend(RTM_GETNSID.to_ne_bytes());
    request.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
    request.extend([0; 12]);
    request.extend(8_u16.to_ne_bytes());
    request.extend(NETNSA_FD.to_ne_bytes());
    request.extend(netns.as_raw_fd().to_ne_bytes());
    send(netlink.as_raw_fd(), &request, MsgFlags::empty())?;
    // The answer is there when the request has been taken.
    let mut answer = [0; 256];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    netns_id_in(answer.get(..length).unwrap_or_default())
}

/// Reads the answer, or the error that the kernel gives instead.
fn netns_id_in(answer: &[u8]) -> Result<Option<u32>> {
    const RTM_NEWNSID: u16 = 88;
    const NETNSA_NSID: u16 = 1;
    let malformed = Error::from_raw(libc::EBADMSG);
    let bytes = |from: usize| answer.get(from..from + 4)?.try_into().ok();
    let number = |from: usize| bytes(from).map(i32::from_ne_bytes);
    let short = |from: usize| {
        Some(u16::from_ne_bytes(
            answer.get(from..from + 2)?.try_into().ok()?,
        ))
    };
    match short(4) {
        Some(kind) if i32::from(kind) == libc::NLMSG_ERROR => {
            Err(Error::given(-number(16).ok_or(malformed)?))
        }
        Some(RTM_NEWNSID) => {
            let mut at = 20;
            while let (Some(length), Some(kind)) = (short(at), short(at + 2)) {
                if kind == NETNSA_NSID {
                    // -1 is "none".
                    return Ok(u32::try_from(number(at + 4).ok_or(malformed)?).ok());
                }
                // Attributes begin at multiples of four.
                at += usize::from(length.max(4)).next_multiple_of(4);
            }
            Err(malformed)
        }
        _ => Err(malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_about_network_namespaces() {
        let answer = |kind: u16, rest: &[i32]| {
            let mut text = Vec::from([0; 4]);
            text.extend(kind.to_ne_bytes());
            text.extend([0; 10]);
            rest.iter().for_each(|word| text.extend(word.to_ne_bytes()));
            netns_id_in(&text)
        };
        let attribute = |kind: u16| {
            let [a, b] = 8_u16.to_ne_bytes();
            let [c, d] = kind.to_ne_bytes();
            i32::from_ne_bytes([a, b, c, d])
        };
        assert_eq!(answer(88, &[0, attribute(1), 7]), Ok(Some(7)));
        assert_eq!(
            answer(88, &[0, attribute(9), 3, attribute(1), 0]),
            Ok(Some(0))
        );
        assert_eq!(answer(88, &[0, attribute(1), -1]), Ok(None));
        assert_eq!(answer(2, &[-libc::EPERM]).unwrap_err().raw(), libc::EPERM);
        for (kind, rest) in [
            (88, &[0, attribute(1)][..]),
            (88, &[]),
            (2, &[]),
            (3, &[0, 0]),
        ] {
            assert!(answer(kind, rest).is_err());
        }
        assert!(netns_id_in(b"").is_err());
    }
}
