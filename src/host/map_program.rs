//! The programs that map IDs for people without privilege, and what they may map (newuidmap(1), subuid(5)).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::accounts::User;
use super::procfs::text_of;
use crate::model::Ids;
use crate::model::subid::SubIds;
use crate::sys::{self, Limit};

/// A program that writes maps with privilege.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MapProgram {
    /// Where `PATH` finds it.
    pub(crate) path: Option<OsString>,
    /// It is root's, with a set-user-ID bit.
    pub(crate) set_user_id: Option<bool>,
    /// It has file capabilities.
    pub(crate) capabilities: Option<bool>,
    /// It is on a mount where neither counts.
    pub(crate) nosuid: Option<bool>,
}

impl MapProgram {
    /// The program that writes maps of these IDs, as `PATH` finds it.
    pub(crate) fn look_at(ids: Ids) -> Self {
        let path = sys::variable("PATH").unwrap_or(OsStr::new("/bin:/usr/bin"));
        let found = path.as_bytes().split(|&byte| byte == b':').find_map(|dir| {
            let file = Path::new(OsStr::from_bytes(dir)).join(ids.helper());
            let is_program = sys::stat(file.as_os_str())
                .is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG)
                && sys::access(file.as_os_str(), libc::X_OK).is_ok();
            is_program.then(|| file.into_os_string())
        });
        let Some(file) = found else {
            return Self::default();
        };
        let stat = sys::stat(&file).ok();
        Self {
            set_user_id: stat.map(|stat| stat.st_mode & libc::S_ISUID != 0 && stat.st_uid == 0),
            capabilities: sys::has_file_capabilities(&file).ok(),
            nosuid: sys::forbidden_on(&file).ok().map(|mount| mount.set_id),
            path: Some(file),
        }
    }
}

/// Our lines in /etc/subuid or /etc/subgid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SubRanges {
    /// Our name, or our number.
    pub(crate) owner: String,
    /// Whether we have an account; unknown where others than /etc/passwd are asked too.
    pub(crate) has_account: Option<bool>,
    /// First ID and count of each.
    pub(crate) ranges: Vec<(u32, u32)>,
    /// Other sources than the file are asked (nsswitch.conf(5), subid).
    pub(crate) elsewhere: bool,
}

impl SubRanges {
    /// Those of a user.
    pub(crate) fn read(ids: Ids, uid: u32) -> Option<Self> {
        let accounts = sys::read_file("/etc/passwd".as_ref(), Limit::FILE).unwrap_or_default();
        let names: Vec<OsString> = User::by_uid(&accounts, uid).map(|user| user.name).collect();
        let switch = sys::read_file("/etc/nsswitch.conf".as_ref(), Limit::FILE);
        let switch = switch.ok().and_then(text_of).unwrap_or_default();
        let only_files = |database: &str| {
            let mut lines = switch.lines();
            let sources = lines.find_map(|line| line.strip_prefix(database)?.strip_prefix(':'));
            // None of these has people who are not in the files.
            let is_local = |source: &str| matches!(source, "files" | "compat" | "systemd");
            sources.is_none_or(|sources| sources.split_whitespace().all(is_local))
        };
        let ranges = ranges(ids, &names, uid).ok()?;
        Some(Self {
            owner: names.first().map_or_else(
                || uid.to_string(),
                |name| name.to_string_lossy().into_owned(),
            ),
            has_account: (!names.is_empty() || only_files("passwd")).then_some(!names.is_empty()),
            ranges: ranges
                .iter()
                .map(|ids| (ids.first(), ids.count()))
                .collect(),
            elsewhere: !only_files("subid"),
        })
    }
}

/// Where in /etc/subuid and /etc/subgid there is room for one more user: the first of the usual number of IDs that are
/// in nobody's line.
pub(crate) fn room_for_ranges() -> u32 {
    /// Where login.defs(5) has the first range begin (`SUB_UID_MIN`).
    const FIRST: u32 = 100_000;
    let mut first = FIRST;
    for ids in [Ids::Uid, Ids::Gid] {
        let text = sys::read_file(ids.sub_file().as_ref(), Limit::FILE).unwrap_or_default();
        let ends = SubIds::all(&text).map(|range| range.first() + (range.count() - 1));
        first = ends.fold(first, |first, last| first.max(last.saturating_add(1)));
    }
    first
}

/// The ranges of a user of these names in /etc/subuid or /etc/subgid; none where there is no such file.
pub(crate) fn ranges(ids: Ids, names: &[OsString], uid: u32) -> sys::Result<Vec<SubIds>> {
    let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    match sys::read_file(ids.sub_file().as_ref(), Limit::FILE) {
        Ok(text) => Ok(SubIds::find_all(&text, &names, uid).collect()),
        Err(error) if error.raw() == libc::ENOENT => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
