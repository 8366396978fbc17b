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
        Self::look_in(
            sys::variable("PATH").unwrap_or(OsStr::new("/bin:/usr/bin")),
            ids,
        )
    }

    fn look_in(path: &OsStr, ids: Ids) -> Self {
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
        let only_files = |database| only_files(&switch, database);
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

/// Whether nsswitch.conf(5) has only the files asked for a database.
fn only_files(switch: &str, database: &str) -> bool {
    let mut lines = switch.lines();
    let sources = lines.find_map(|line| line.strip_prefix(database)?.strip_prefix(':'));
    // None of these has people who are not in the files.
    let is_local = |source: &str| matches!(source, "files" | "compat" | "systemd");
    sources.is_none_or(|sources| sources.split_whitespace().all(is_local))
}

/// Where in /etc/subuid and /etc/subgid there is room for one more user: the first of the usual number of IDs that are
/// in nobody's line.
pub(crate) fn room_for_ranges() -> u32 {
    /// Where login.defs(5) has the first range begin (`SUB_UID_MIN`).
    const FIRST: u32 = 100_000;
    let mut first = FIRST;
    for ids in [Ids::Uid, Ids::Gid] {
        let text = sys::read_file(ids.sub_file().as_ref(), Limit::FILE).unwrap_or_default();
        first = room_above(first, &text);
    }
    first
}

/// The first ID from `first` on that is above those of all lines.
fn room_above(first: u32, text: &[u8]) -> u32 {
    let ends = SubIds::all(text).map(|range| range.first() + (range.count() - 1));
    ends.fold(first, |first, last| first.max(last.saturating_add(1)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::statvfs::{FsFlags, statvfs};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_first_in_path_that_can_be_executed() {
        let place = tempfile::tempdir().unwrap();
        let path = |dir: &str| place.path().join(dir).join("newuidmap");
        let put = |dir: &str, mode| {
            fs::create_dir_all(place.path().join(dir)).unwrap();
            fs::write(path(dir), "text").unwrap();
            fs::set_permissions(path(dir), fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir_all(path("directory")).unwrap();
        put("closed", 0o4644);
        put("plain", 0o2755);
        put("root's", 0o4755);
        let look_in = |dirs: &[&str], ids| {
            let dirs = dirs.iter().map(|dir| place.path().join(dir));
            MapProgram::look_in(&std::env::join_paths(dirs).unwrap(), ids)
        };
        let nosuid = statvfs(place.path())
            .unwrap()
            .flags()
            .contains(FsFlags::ST_NOSUID);
        let of = |dir: &str, set_user_id| MapProgram {
            path: Some(path(dir).into_os_string()),
            set_user_id: Some(set_user_id),
            capabilities: Some(false),
            nosuid: Some(nosuid),
        };
        let before = ["none", "directory", "closed"];
        let plain = look_in(&[&before[..], &["plain", "root's"]].concat(), Ids::Uid);
        assert_eq!(plain, of("plain", false));
        // Of nobody but root is it one that helps.
        let is_root = sys::effective_uid() == 0;
        assert_eq!(look_in(&["root's"], Ids::Uid), of("root's", is_root));
        if is_root {
            std::os::unix::fs::chown(path("root's"), Some(1), None).unwrap();
            fs::set_permissions(path("root's"), fs::Permissions::from_mode(0o4755)).unwrap();
            assert_eq!(look_in(&["root's"], Ids::Uid), of("root's", false));
        }
        assert_eq!(look_in(&before, Ids::Uid), MapProgram::default());
        assert_eq!(look_in(&["plain"], Ids::Gid), MapProgram::default());
        let path = std::env::var_os("PATH").unwrap();
        assert_eq!(
            MapProgram::look_at(Ids::Gid),
            MapProgram::look_in(&path, Ids::Gid)
        );
    }

    #[test]
    fn where_others_than_the_files_are_asked() {
        let only = |switch: &str, database| only_files(switch, database);
        let switch = "# passwd: sss\npasswd:\tfiles systemd\ngroup: compat sss\nsubid: sss\n";
        assert!(only(switch, "passwd"));
        assert!(!only(switch, "group") && !only(switch, "subid"));
        // Not named, it is the files.
        assert!(only(switch, "sub") && only("", "subid") && only("subid:", "subid"));
    }

    #[test]
    fn what_is_known_of_an_account() {
        let accounts = fs::read("/etc/passwd").unwrap();
        let nobody_s = (60_000..).find(|&uid| User::by_uid(&accounts, uid).next().is_none());
        let root = SubRanges::read(Ids::Uid, 0).unwrap();
        assert_eq!(
            (root.owner.as_str(), root.has_account),
            ("root", Some(true))
        );
        let nobody = SubRanges::read(Ids::Gid, nobody_s.unwrap()).unwrap();
        assert_eq!(nobody.owner, nobody_s.unwrap().to_string());
        assert_ne!(nobody.has_account, Some(true));
        let switch = fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
        assert_eq!(nobody.has_account.is_some(), only_files(&switch, "passwd"));
        assert_eq!(root.elsewhere, !only_files(&switch, "subid"));
    }

    #[test]
    fn there_is_room_above_everybody_s_ranges() {
        assert_eq!(room_above(100_000, b""), 100_000);
        assert_eq!(room_above(100_000, b"a:5:10\nb:99990:10\n"), 100_000);
        let text = b"a:165536:10\nb:100000:65536\nc:1:1\n";
        assert_eq!(room_above(100_000, text), 165_546);
        assert_eq!(room_above(200_000, text), 200_000);
        let last = format!("a:{}:2\n", u32::MAX - 2);
        assert_eq!(room_above(100_000, last.as_bytes()), u32::MAX);
        assert!(room_for_ranges() >= 100_000);
    }

    #[test]
    fn ranges_are_those_of_a_name_or_a_number() {
        for ids in [Ids::Uid, Ids::Gid] {
            let text = fs::read(ids.sub_file()).unwrap_or_default();
            let names = [OsString::from("root")];
            let expected: Vec<SubIds> = SubIds::find_all(&text, &[b"root"], 0).collect();
            assert_eq!(ranges(ids, &names, 0), Ok(expected));
        }
    }
}
