//! The target's users and groups, for `follow`.
//!
//! The hard thing: the kernel shows IDs in the numbers of the reader's user namespace, which is another one by the time
//! that they are needed; and an ID without a number there looks like one that has it.

use std::os::fd::{AsFd, OwnedFd};

use super::file::cannot_open;
use super::target::Target;
use crate::failure::{Failure, Result, Unexplained};
use crate::host::procfs::Status;
use crate::model::Ids;
use crate::model::idmap::IdMap;
use crate::model::number::decimal;
use crate::sys::{self, Limit};

/// A process's users and groups, those that exist in the user namespace they are for.
#[derive(Debug)]
pub(crate) struct Credentials {
    pid: i32,
    uid: Option<u32>,
    gid: Option<u32>,
    /// Its supplementary groups.
    pub(crate) groups: Vec<u32>,
}

impl Credentials {
    /// Its effective user.
    pub(crate) fn uid(&self) -> Result<u32> {
        self.uid.ok_or_else(|| self.no_number("user"))
    }

    /// Its effective group.
    pub(crate) fn gid(&self) -> Result<u32> {
        self.gid.ok_or_else(|| self.no_number("group"))
    }

    fn no_number(&self, what: &str) -> Failure {
        let pid = self.pid;
        let text = format!(
            "follow: the {what} of process {pid} is not mapped in the user namespace that was entered"
        );
        Failure::plain(Unexplained("reference"), text)
    }
}

/// The process whose users and groups are followed.
#[derive(Debug)]
pub(crate) struct Followed {
    pid: i32,
    /// Its directory in /proc, which stays its own, wherever we are.
    directory: OwnedFd,
    /// Its IDs as our user namespace numbers them.
    status: Status,
    /// What its own user namespace makes of those.
    uids: IdMap,
    gids: IdMap,
    /// What a user and a group without a number are shown as.
    overflow: [u32; 2],
}

impl Followed {
    pub(crate) fn open(target: &mut Target) -> Result<Followed> {
        let pid = target.pid();
        let bad = |file: &str| {
            Failure::plain(
                Unexplained("reference"),
                format!("cannot understand /proc/{pid}/{file}"),
            )
        };
        let mut map = |ids: Ids| {
            let text = target.read_file(ids.file(), Limit::FILE)?;
            IdMap::parse(&text).ok_or_else(|| bad(ids.file()))
        };
        let (uids, gids) = (map(Ids::Uid)?, map(Ids::Gid)?);
        Ok(Followed {
            pid,
            status: Status::parse(&target.read_file("status", Limit::FILE)?)
                .ok_or_else(|| bad("status"))?,
            uids,
            gids,
            directory: target.directory_copy()?,
            overflow: ["uid", "gid"].map(overflow),
        })
    }

    /// The kernel shows IDs in the numbers of the reader's user namespace (proc_pid_status(5)), and an ID that has
    /// no number there as the overflow ID. That is told from an ID that has just this number by the map.
    pub(crate) fn credentials(&self, entered: bool) -> Result<Credentials> {
        let pid = self.pid;
        let before = &self.status;
        let now = if entered {
            let path = format!("/proc/{pid}/status");
            let text = sys::read_file_at(self.directory.as_fd(), "status".as_ref(), Limit::FILE)
                .map_err(|error| cannot_open(&path, error))?;
            &Status::parse(&text).ok_or_else(|| {
                Failure::plain(
                    Unexplained("reference"),
                    format!("cannot understand {path}"),
                )
            })?
        } else {
            before
        };
        let [no_user, no_group] = self.overflow;
        let known = |map: &IdMap, overflow: u32, before: u32, now: u32| {
            let exists = !entered || now != overflow || map.inside_of(before) == Some(now);
            exists.then_some(now)
        };
        let user = |before, now| known(&self.uids, no_user, before, now);
        let group = |before, now| known(&self.gids, no_group, before, now);
        Ok(Credentials {
            pid,
            uid: user(before.effective_uid(), now.effective_uid()),
            gid: group(before.effective_gid(), now.effective_gid()),
            // The kernel keeps them in an order that does not depend on the reader.
            groups: before
                .groups
                .iter()
                .zip(&now.groups)
                .filter_map(|(before, now)| group(*before, *now))
                .collect(),
        })
    }
}

/// What a user or group without a number is shown as (proc_sys_kernel(5), `overflowuid`, `overflowgid`).
fn overflow(of: &str) -> u32 {
    let path = format!("/proc/sys/kernel/overflow{of}");
    let text = sys::read_file(path.as_ref(), Limit::FILE).ok();
    text.and_then(|text| u32::try_from(decimal(text.trim_ascii())?).ok())
        // The kernel's own, where the file is covered.
        .unwrap_or(65534)
}
