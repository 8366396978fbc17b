//! Network namespaces behind the sockets of processes: one may be kept alive by a socket alone.
//!
//! The hard thing: to ask a socket takes a copy of it (pidfd_getfd(2)), which for that moment keeps it open for its
//! owner's peers; so each is copied once, however many processes have it, and only where its answer matters.

use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::scan::{Scan, identify};
use super::seen::Descriptor;
use crate::model::Kind;
use crate::model::sorted::{SortedMap, SortedSet};
use crate::sys::{self, Number, Proc};

/// How many sockets of one process are asked at most, and how many of all.
const OF_ONE: usize = 16 * 1024;
const OF_ALL: usize = 64 * 1024;

/// A socket of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Socket {
    /// Where it is open.
    pub(super) at: Descriptor,
    /// Its inode, by which the same socket is known elsewhere.
    pub(super) inode: u64,
}

impl Socket {
    /// Reads the link of a descriptor: `socket:[1234]`.
    pub(super) fn of_link(text: &[u8], at: Descriptor) -> Option<Socket> {
        let number = text.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
        let inode = crate::model::number::decimal(number)?;
        Some(Socket {
            at,
            inode: u64::try_from(inode).ok()?,
        })
    }
}

/// Opens processes whose sockets are to be copied.
#[derive(Debug, Default)]
struct Owners {
    /// Whether /proc numbers processes as we do, so that a number from it is one of ours.
    same_numbers: OnceCell<bool>,
}

impl Owners {
    fn open(&self, pid: i32) -> Option<OwnedFd> {
        let proc = Proc::default();
        let pidfd = sys::pidfd_open(pid).ok()?;
        if !*self.same_numbers.get_or_init(|| proc.counts_as_we_do()) {
            let number = proc.number_of(pidfd.as_fd());
            (number == Ok(Some(Number::Is(pid)))).then_some(())?;
        }
        Some(pidfd)
    }
}

/// The network namespace of a socket; none where the descriptor is another one by now.
///
/// # Errors
/// `EPERM` when we may not copy it, or may not ask it.
fn network_of(owner: BorrowedFd<'_>, socket: &Socket) -> sys::Result<Option<OwnedFd>> {
    let copy = sys::pidfd_getfd(owner, socket.at.number)?;
    // Anything else is asked nothing: a request may have an effect on a device.
    let stat = sys::stat_cached(copy.as_fd())?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFSOCK || stat.st_ino != socket.inode {
        return Ok(None);
    }
    sys::network_of_socket(copy.as_fd()).map(Some)
}

impl Scan {
    /// The first network namespace of a socket that is the one wanted.
    pub(super) fn behind_sockets(&self, is_it: impl Fn(&OwnedFd) -> bool) -> Option<OwnedFd> {
        let (owners, mut asked) = (Owners::default(), SortedSet::default());
        self.sockets
            .chunk_by(|one, next| one.at.pid == next.at.pid)
            .find_map(|sockets| {
                let owner = owners.open(sockets.first()?.at.pid)?;
                sockets.iter().find_map(|socket| {
                    if asked.has(&socket.inode) {
                        return None;
                    }
                    let network = network_of(owner.as_fd(), socket).ok()??;
                    asked.insert(socket.inode);
                    is_it(&network).then_some(network)
                })
            })
    }

    /// Adds the network namespaces that sockets alone keep alive, with these sockets.
    pub(super) fn look_behind_sockets(&mut self) {
        let sockets = std::mem::take(&mut self.sockets);
        let owners = Owners::default();
        // The network of each socket that was asked, by its inode: 0 where that is of no interest.
        let mut known: SortedMap<u64, u64> = SortedMap::default();
        let mut refused: SortedSet<u64> = SortedSet::default();
        for of_one in sockets.chunk_by(|one, next| one.at.pid == next.at.pid) {
            let Some(owner) = of_one
                .iter()
                .any(|socket| !known.has(&socket.inode))
                .then(|| owners.open(of_one[0].at.pid))
            else {
                self.keep_by(of_one, &known);
                continue;
            };
            let mut count = 0;
            for socket in of_one {
                if known.has(&socket.inode) {
                    continue;
                }
                count += 1;
                if count > OF_ONE || known.len() >= OF_ALL {
                    refused.insert(socket.inode);
                    continue;
                }
                let Some(owner) = &owner else {
                    continue;
                };
                match network_of(owner.as_fd(), socket) {
                    Ok(network) => {
                        let inode = network.and_then(|network| self.kept_by_sockets(&network));
                        known.insert(socket.inode, inode.unwrap_or(0));
                    }
                    // It is closed, or its owner has ended.
                    Err(error) if matches!(error.raw(), libc::EBADF | libc::ESRCH) => {}
                    Err(_) => {
                        refused.insert(socket.inode);
                    }
                }
            }
            self.keep_by(of_one, &known);
        }
        refused.retain(|inode| !known.has(inode));
        self.seen.refused_sockets = refused.len();
    }

    /// The inode of a network namespace that nothing else keeps.
    fn kept_by_sockets(&mut self, network: &OwnedFd) -> Option<u64> {
        let name @ (kind, inode) = identify(network.as_fd())?;
        if self.seen.get(name).is_none() {
            self.add(network.as_fd());
        }
        let is_kept = self.seen.get(name)?.is_kept();
        (kind == Kind::Net && !is_kept).then_some(inode)
    }

    fn keep_by(&mut self, sockets: &[Socket], known: &SortedMap<u64, u64>) {
        for socket in sockets {
            if let Some(&inode) = known.get(&socket.inode).filter(|&&inode| inode != 0) {
                self.seen.entry((Kind::Net, inode)).sockets.push(socket.at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_sockets() {
        let at = Descriptor { pid: 1, number: 2 };
        let inode = |text: &[u8]| Socket::of_link(text, at).map(|socket| socket.inode);
        assert_eq!(inode(b"socket:[1234]"), Some(1234));
        for text in [
            &b"socket:[]"[..],
            b"socket:[1",
            b"net:[1]",
            b"socket:[-1]",
            b"/socket:[1]",
        ] {
            assert_eq!(inode(text), None);
        }
    }
}
