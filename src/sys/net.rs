//! Network interfaces: the loopback interface of a new network namespace.

use std::os::fd::AsRawFd;

use super::{Result, check, owned};

/// Brings the loopback interface of our network namespace up (netdevice(7), `SIOCSIFFLAGS`).
pub(crate) fn loopback_up() -> Result<()> {
    // SAFETY: no memory is involved.
    let socket = check(
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) }.into(),
    );
    // A kernel may have one family without the other; the flags are the same for both.
    let socket = match socket {
        Ok(socket) => owned(socket)?,
        Err(_) => {
            let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
            // SAFETY: no memory is involved.
            owned(check(
                unsafe { libc::socket(libc::AF_INET6, kind, 0) }.into(),
            )?)?
        }
    };
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: 0 },
    };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    // SAFETY: the kernel reads the name and writes the flags of our ifreq.
    check(
        unsafe {
            libc::ioctl(
                socket.as_raw_fd(),
                libc::SIOCGIFFLAGS as _,
                &raw mut request,
            )
        }
        .into(),
    )?;
    // SAFETY: SIOCGIFFLAGS has just filled this member of the union in.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    request.ifr_ifru.ifru_flags = flags | libc::IFF_UP as libc::c_short;
    // SAFETY: the kernel reads the name and the flags of our ifreq.
    check(
        unsafe {
            libc::ioctl(
                socket.as_raw_fd(),
                libc::SIOCSIFFLAGS as _,
                &raw mut request,
            )
        }
        .into(),
    )
    .map(drop)
}
