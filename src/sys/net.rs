//! Network interfaces: the loopback interface of a new network namespace.

use std::os::fd::{AsRawFd, OwnedFd};

use super::{Result, check, owned};

/// Brings the loopback interface of our network namespace up (netdevice(7), `SIOCSIFFLAGS`).
pub(crate) fn loopback_up() -> Result<()> {
    // A kernel may have one family without the other; the flags of the interface are the same for both.
    let socket = socket(libc::AF_INET).or_else(|_| socket(libc::AF_INET6))?;
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
