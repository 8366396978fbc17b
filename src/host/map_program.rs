//! The programs that map IDs for people without privilege, and what they may map.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::host::accounts::User;
use crate::host::facts::{MapProgram, SubRanges};
use crate::model::Ids;
use crate::model::subid::SubIds;
use crate::sys::{self, Limit};

/// The program that writes maps of these IDs, as `PATH` finds it.
pub(crate) fn helper(ids: Ids) -> MapProgram {
    let path = sys::variable("PATH").unwrap_or(OsStr::new("/bin:/usr/bin"));
    let found = path.as_bytes().split(|&byte| byte == b':').find_map(|dir| {
        let file = Path::new(OsStr::from_bytes(dir)).join(ids.helper());
        let is_program = sys::stat(file.as_os_str())
            .is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFREG)
            && sys::access(file.as_os_str(), libc::X_OK).is_ok();
        is_program.then(|| file.into_os_string())
    });
    let Some(file) = found else {
        return MapProgram::default();
    };
    let stat = sys::stat(&file).ok();
    MapProgram {
        set_user_id: stat.map(|stat| stat.st_mode & libc::S_ISUID != 0 && stat.st_uid == 0),
        capabilities: sys::has_file_capabilities(&file).ok(),
        nosuid: sys::forbidden_on(&file).ok().map(|mount| mount.set_id),
        path: Some(file),
    }
}

/// The ranges of a user in /etc/subuid or /etc/subgid.
pub(crate) fn sub_ranges(ids: Ids, uid: u32) -> Option<SubRanges> {
    let accounts = sys::read_file("/etc/passwd".as_ref(), Limit::FILE).unwrap_or_default();
    let names: Vec<OsString> = User::by_uid(&accounts, uid).map(|user| user.name).collect();
    let bytes: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    let text = match sys::read_file(sub_file(ids).as_ref(), Limit::FILE) {
        Ok(text) => text,
        Err(error) if error.raw() == libc::ENOENT => Vec::new(),
        Err(_) => return None,
    };
    let switch = sys::read_file("/etc/nsswitch.conf".as_ref(), Limit::FILE);
    let switch = switch
        .ok()
        .and_then(super::procfs::text_of)
        .unwrap_or_default();
    let only_files = |database: &str| {
        let mut lines = switch.lines();
        let sources = lines.find_map(|line| line.strip_prefix(database)?.strip_prefix(':'));
        // None of these has people who are not in the files.
        let is_local = |source: &str| matches!(source, "files" | "compat" | "systemd");
        sources.is_none_or(|sources| sources.split_whitespace().all(is_local))
    };
    Some(SubRanges {
        owner: names.first().map_or_else(
            || uid.to_string(),
            |name| name.to_string_lossy().into_owned(),
        ),
        has_account: (!names.is_empty() || only_files("passwd")).then_some(!names.is_empty()),
        ranges: SubIds::find_all(&text, &bytes, uid)
            .map(|ids| (ids.first(), ids.count()))
            .collect(),
        elsewhere: !only_files("subid"),
    })
}

/// The file of subordinate IDs.
pub(crate) const fn sub_file(ids: Ids) -> &'static str {
    match ids {
        Ids::Uid => "/etc/subuid",
        Ids::Gid => "/etc/subgid",
    }
}
