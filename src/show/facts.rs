//! What the kernel tells of each namespace: its number, its owner, its parent (ioctl_nsfs(2)).
//!
//! The hard thing: owners and parents may be namespaces that nothing else shows, which then have to be asked in
//! their turn, while the only descriptor that ever leads to them is at hand.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::scan::{Scan, identify};
use super::seen::{Kin, Name, is_initial};
use crate::model::Kind;
use crate::sys;

impl Scan {
    /// Asks about every namespace that was seen, and about those above it.
    pub(super) fn ask_all(&mut self) {
        // What is added on the way has been asked about when it was.
        let names: Vec<Name> = self.seen.all().iter().map(|one| one.name()).collect();
        for name in names {
            if let Some(fd) = self.open(name) {
                self.ask(name, fd.as_fd());
            }
        }
        self.seen.spread_owners();
    }

    /// Adds a namespace that is open, if it was not seen, and asks about it. None when it is no namespace.
    pub(super) fn add(&mut self, fd: BorrowedFd<'_>) -> Option<Name> {
        let name = identify(fd)?;
        if self.seen.get(name).is_none() {
            self.seen.entry(name);
            self.ask(name, fd);
        }
        Some(name)
    }

    fn ask(&mut self, name: Name, fd: BorrowedFd<'_>) {
        let (kind, _) = name;
        let id = id(kind, fd);
        let (owner, parent, uid) = match kind {
            Kind::User => {
                let parent = self.relation(name, sys::parent_of(fd));
                (parent, parent, sys::owner_uid(fd).ok())
            }
            Kind::Pid => (
                self.relation(name, sys::owner_of(fd)),
                self.relation(name, sys::parent_of(fd)),
                None,
            ),
            _ => (self.relation(name, sys::owner_of(fd)), Kin::None, None),
        };
        let netns_id = match (kind, &self.netns_ids) {
            (Kind::Net, Some(netlink)) => sys::netns_id(netlink.as_fd(), fd).ok().flatten(),
            _ => None,
        };
        let namespace = self.seen.entry(name);
        namespace.id = id;
        namespace.netns_id = netns_id;
        namespace.owner = owner;
        namespace.parent = parent;
        namespace.owner_uid = uid;
    }

    /// What the kernel's answer about another namespace means.
    fn relation(&mut self, (kind, inode): Name, answer: sys::Result<OwnedFd>) -> Kin {
        match answer {
            Ok(fd) => match self.add(fd.as_fd()) {
                Some((_, inode)) => Kin::Is(inode),
                None => Kin::Hidden,
            },
            // EPERM says both "there is none" and "it lies above yours". The owner of an initial PID namespace
            // is told, so what it does not tell of it is the parent.
            Err(_) if is_initial(inode) && matches!(kind, Kind::User | Kind::Pid) => Kin::None,
            Err(_) => Kin::Hidden,
        }
    }
}

/// The kernel's number: of mount namespaces since Linux 6.11, of all since 6.18.
pub(super) fn id(kind: Kind, fd: BorrowedFd<'_>) -> Option<u64> {
    match sys::namespace_id(fd) {
        Err(_) if kind == Kind::Mnt => sys::mount_namespace_id(fd).ok(),
        id => id.ok(),
    }
}
