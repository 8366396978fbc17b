//! `/proc/PID/mountinfo` (proc_pid_mountinfo(5)): which mounts there are, and where events go.
//!
//! The hard thing here: blanks, newlines and backslashes in names are written as `\ooo`, and the number
//! of fields before ` - ` differs from mount to mount.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::capability::Capability;
use crate::model::number::decimal;
use crate::sys::{Limit, Proc};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Its ID.
    pub(crate) id: u32,
    /// The ID of the mount that it is on.
    pub(crate) parent: u32,
    /// What of the file system is mounted; of nsfs, the namespace, as `net:[4026531840]`.
    pub(crate) root: OsString,
    /// Where, from the root of the process whose file was read.
    pub(crate) point: PathBuf,
    /// `rw,nosuid,…` of this mount.
    pub(crate) options: OsString,
    /// The peer group to which events go and from which they come: the mount is shared.
    pub(crate) shared: Option<u32>,
    /// The peer group from which events come only: the mount is a slave.
    pub(crate) master: Option<u32>,
    /// Whether it may not be bind mounted.
    pub(crate) unbindable: bool,
    /// The type of the file system.
    pub(crate) fs_type: OsString,
    /// What it was mounted from, as far as the file system says.
    pub(crate) source: OsString,
    /// Options of the file system.
    pub(crate) super_options: OsString,
}

impl Mount {
    /// Reads one line, with or without its newline; `None` if it is not in the form.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let mut fields = line.split(|byte| *byte == b' ');
        let (id, parent) = (number(fields.next()?)?, number(fields.next()?)?);
        let _device = fields.next()?;
        let (root, point, options) = (fields.next()?, fields.next()?, fields.next()?);
        let (mut shared, mut master, mut unbindable) = (None, None, false);
        loop {
            let tag = fields.next()?;
            if let Some(group) = tag.strip_prefix(b"shared:") {
                shared = Some(number(group)?);
            } else if let Some(group) = tag.strip_prefix(b"master:") {
                master = Some(number(group)?);
            } else if tag == b"unbindable" {
                unbindable = true;
            } else if tag == b"-" {
                break;
            }
        }
        let (fs_type, source) = (fields.next()?, fields.next()?);
        // The last field may be missing in what file systems in user space make of it.
        let super_options = fields.next().unwrap_or_default();
        Some(Self {
            id,
            parent,
            root: unescaped(root),
            point: unescaped(point).into(),
            options: unescaped(options),
            shared,
            master,
            unbindable,
            fs_type: unescaped(fs_type),
            source: unescaped(source),
            super_options: unescaped(super_options),
        })
    }

    /// Reads the file; lines that are not in the form are left out.
    pub(crate) fn parse_all(text: &[u8]) -> impl Iterator<Item = Self> {
        text.split(|byte| *byte == b'\n').filter_map(Self::parse)
    }

    /// Of these mounts, the one that `path` lies on: absolute, without `.`, `..` and symbolic links.
    ///
    /// The way is that of path_resolution(7), from mount to mount: the deepest mount point is not always
    /// the answer, since another mount may have been put over a directory above it.
    pub(crate) fn holding<'a>(mounts: &'a [Self], path: &Path) -> Option<&'a Self> {
        let first_met = |on: &dyn Fn(&Self) -> bool| {
            let met = mounts
                .iter()
                .filter(|mount| on(mount) && path.starts_with(&mount.point));
            met.min_by_key(|mount| mount.point.components().count())
        };
        let listed = |id| mounts.iter().any(|mount| mount.id == id);
        let mut here = first_met(&|mount| mount.parent == mount.id || !listed(mount.parent))?;
        // As many steps as there are mounts, should the text be one that no kernel wrote.
        for _ in mounts {
            match first_met(&|mount| mount.parent == here.id && mount.id != here.id) {
                Some(next) => here = next,
                None => break,
            }
        }
        Some(here)
    }

    /// Of these mounts, the topmost at `point` of the mount `base`, counted from a file there that was opened: none when
    /// nothing has been mounted over it.
    pub(crate) fn over<'a>(mounts: &'a [Self], base: u32, point: &Path) -> Option<&'a Self> {
        let (mut below, mut top) = (base, None);
        // As many steps as there are mounts, should the text be one that no kernel wrote.
        for _ in mounts {
            let mut here = mounts.iter().filter(|mount| mount.point == point);
            match here.find(|mount| mount.parent == below && mount.id != below) {
                Some(mount) => (below, top) = (mount.id, Some(mount)),
                None => break,
            }
        }
        top
    }

    /// The namespace that this mount keeps alive, as `net:[4026531840]`.
    pub(crate) fn namespace(&self) -> Option<&OsStr> {
        (self.fs_type == "nsfs").then_some(&self.root)
    }
}

/// A mounted proc.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProcMount {
    /// Where.
    pub(crate) point: PathBuf,
    /// It, or what it shows, is read-only.
    pub(crate) read_only: bool,
    /// What is mounted over parts of it.
    pub(crate) covered: Vec<PathBuf>,
}

impl ProcMount {
    /// Those among these mounts.
    pub(crate) fn all(mounts: &[Mount]) -> Vec<ProcMount> {
        let is_read_only = |options: &OsStr| words(options).any(|word| word == b"ro");
        // The kernel lets mounts on directories pass that are always empty, as those for other file systems are.
        let may_be_covered = |point: &Path| {
            let mut empty = ["sys/fs/binfmt_misc", "fs/nfsd"].iter();
            empty.any(|empty| point.ends_with(empty))
        };
        let procs = mounts.iter();
        let procs = procs.filter(|mount| mount.fs_type == "proc" && mount.root == "/");
        procs
            .map(|mount| ProcMount {
                point: mount.point.clone(),
                read_only: is_read_only(&mount.options) || is_read_only(&mount.super_options),
                covered: mounts
                    .iter()
                    .filter(|over| over.parent == mount.id && over.id != mount.id)
                    .map(|over| over.point.clone())
                    .filter(|point| !may_be_covered(point))
                    .collect(),
            })
            .collect()
    }
}

/// The mounts that we see.
pub(crate) fn mounts(proc: &Proc) -> Option<Vec<Mount>> {
    let text = proc.read("self/mountinfo", Limit::MOUNTS).ok()?;
    Some(Mount::parse_all(&text).collect())
}

/// Whether the /proc among these mounts hides the processes of others from us, who may not trace them (proc(5),
/// `hidepid`).
pub(crate) fn hides_processes(mounts: &[Mount]) -> bool {
    has_hidepid(mounts) && !Capability::SysPtrace.is_held()
}

fn has_hidepid(mounts: &[Mount]) -> bool {
    let proc = Mount::holding(mounts, Path::new("/proc/self"));
    proc.is_some_and(|proc| {
        let mut how = words(&proc.super_options).filter_map(|word| word.strip_prefix(b"hidepid="));
        how.any(|how| how != b"0" && how != b"off")
    })
}

/// The words of a mount's options.
pub(crate) fn words(options: &OsStr) -> impl Iterator<Item = &[u8]> {
    options.as_bytes().split(|&byte| byte == b',')
}

/// The ID of the mount that an open file lies on, in `/proc/PID/fdinfo/N` (proc_pid_fdinfo(5)).
pub(crate) fn mount_of_file(fdinfo: &[u8]) -> Option<u32> {
    let mut lines = fdinfo.split(|byte| *byte == b'\n');
    number(lines.find_map(|line| line.strip_prefix(b"mnt_id:\t"))?)
}

fn number(text: &[u8]) -> Option<u32> {
    u32::try_from(decimal(text)?).ok()
}

/// Each `\ooo` becomes the byte that it stands for; any other backslash stays.
fn unescaped(text: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        match rest {
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                after @ ..,
            ] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_with_everything() {
        let line = br"36 35 98:0 /mnt\0401 /mnt\134\011\0122 rw,noatime shared:7 master:1 propagate_from:3 unbindable new:5 - fuse.a\040b /dev/r\043t rw,errors=continue";
        assert_eq!(
            Mount::parse(line),
            Some(Mount {
                id: 36,
                parent: 35,
                root: "/mnt 1".into(),
                point: "/mnt\\\t\n2".into(),
                options: "rw,noatime".into(),
                shared: Some(7),
                master: Some(1),
                unbindable: true,
                fs_type: "fuse.a b".into(),
                source: "/dev/r#t".into(),
                super_options: "rw,errors=continue".into(),
            })
        );
    }

    #[test]
    fn a_line_with_little() {
        let mount =
            Mount::parse(b"80 27 0:4 net:[4026531840] /run/netns/a\xff rw - nsfs nsfs rw\n")
                .unwrap();
        assert_eq!(
            (mount.shared, mount.master, mount.unbindable),
            (None, None, false)
        );
        assert_eq!(mount.point.as_os_str().as_bytes(), b"/run/netns/a\xff");
        assert_eq!(mount.namespace(), Some(OsStr::new("net:[4026531840]")));
        // An empty source, and nothing after it.
        let mount = Mount::parse(b"80 27 0:4 / /a rw - x ").unwrap();
        assert_eq!((mount.source, mount.super_options), ("".into(), "".into()));
    }

    #[test]
    fn what_is_no_line() {
        for line in [
            &b""[..],
            b"80",
            b"80 27 0:4 / /a rw",
            b"80 27 0:4 / /a rw shared:1",
            b"80 27 0:4 / /a rw shared:x - a b c",
            b"80 27 0:4 / /a rw - x",
            b"x 27 0:4 / /a rw - a b c",
        ] {
            assert_eq!(Mount::parse(line), None, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn every_mount_of_this_process() {
        let text = std::fs::read("/proc/self/mountinfo").unwrap();
        let mounts: Vec<Mount> = Mount::parse_all(&text).collect();
        assert_eq!(
            mounts.len(),
            text.iter().filter(|byte| **byte == b'\n').count()
        );
        let proc = Mount::holding(&mounts, Path::new("/proc/self/status")).unwrap();
        assert_eq!(proc.fs_type, "proc");
    }

    #[test]
    fn who_is_hidden() {
        for (options, hides) in [
            ("rw", false),
            ("rw,hidepid=0", false),
            ("rw,hidepid=off", false),
            ("rw,gid=4,hidepid=2", true),
            ("hidepid=invisible,gid=4", true),
            ("rw,hidepid=ptraceable", true),
        ] {
            let text = format!(
                "1 0 0:1 / / rw - a a rw\n2 1 0:2 / /proc rw - proc proc {options}\n\
                 3 1 0:3 / /other rw - proc proc hidepid=2\n"
            );
            let mounts: Vec<Mount> = Mount::parse_all(text.as_bytes()).collect();
            assert_eq!(has_hidepid(&mounts), hides, "{options}");
            let sees_all = Capability::SysPtrace.is_held();
            assert_eq!(hides_processes(&mounts), hides && !sees_all, "{options}");
        }
    }

    #[test]
    fn each_proc_and_what_covers_it() {
        let text = b"1 1 0:1 / / rw - a a rw\n2 1 0:2 / /proc rw,ro,x - proc proc rw\n\
            3 2 0:3 / /proc/sys/fs/binfmt_misc rw - b b rw\n4 2 0:4 / /proc/fs/nfsd rw - c c rw\n\
            5 1 0:2 / /a rw - proc proc rw,ro\n6 5 0:5 / /a/kcore rw - d d rw\n\
            7 1 0:2 /sys /b rw - proc proc rw\n8 1 0:6 / /c rw - e proc rw\n9 9 0:2 / /d rw,rox - proc proc rw\n";
        let mounts: Vec<Mount> = Mount::parse_all(text).collect();
        let found = ProcMount::all(&mounts);
        let found: Vec<_> = found
            .iter()
            .map(|proc| {
                (
                    proc.point.to_str().unwrap(),
                    proc.read_only,
                    proc.covered.len(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [("/proc", true, 0), ("/a", true, 1), ("/d", false, 0)]
        );
    }

    #[test]
    fn the_mount_that_holds_a_path() {
        // /run is covered by 4, so 6, which lies on what was there before, cannot be reached.
        let text = b"1 0 0:1 / / rw - a a rw\n2 1 0:2 / /run rw - b b rw\n3 1 0:3 / /ru rw - c c rw\n\
            6 2 0:6 / /run/y rw - f f rw\n4 2 0:4 / /run rw shared:1 - d d rw\n5 4 0:5 / /run/x rw - e e rw\n";
        let mounts: Vec<Mount> = Mount::parse_all(text).collect();
        let id = |path: &str| Mount::holding(&mounts, Path::new(path)).map(|mount| mount.id);
        assert_eq!(id("/"), Some(1));
        assert_eq!(id("/runs/x"), Some(1));
        assert_eq!(id("/run/ns"), Some(4));
        assert_eq!(id("/run/x"), Some(5));
        assert_eq!(id("/run/y"), Some(4));
        assert_eq!(id("/ru/x"), Some(3));
        // What a process with another root sees: the mount that it is on is not listed.
        assert_eq!(Mount::holding(&mounts[1..2], Path::new("/")), None);
        let odd: Vec<Mount> =
            Mount::parse_all(b"1 2 0:1 / / rw - a a rw\n2 1 0:2 / / rw - b b rw\n").collect();
        assert_eq!(Mount::holding(&odd, Path::new("/")), None);
    }

    #[test]
    fn the_mount_on_top_of_an_open_file() {
        let text = b"1 0 0:1 / / rw - a a rw\n2 1 0:4 uts:[7] /x rw - nsfs nsfs rw\n3 1 0:4 uts:[8] /y rw - nsfs nsfs rw\n\
            4 2 0:4 net:[9] /x rw - nsfs nsfs rw\n5 4 0:5 / /x/z rw - e e rw\n";
        let mounts: Vec<Mount> = Mount::parse_all(text).collect();
        let over = |base, point: &str| Mount::over(&mounts, base, Path::new(point));
        let id = |base, point: &str| over(base, point).map(|mount| mount.id);
        assert_eq!(id(1, "/x"), Some(4));
        assert_eq!(id(2, "/x"), Some(4));
        assert_eq!(id(1, "/y"), Some(3));
        // Nothing lies on it, though it is the root of a mount itself.
        assert_eq!(id(4, "/x"), None);
        assert_eq!(id(3, "/y"), None);
        assert_eq!(id(1, "/z"), None);
        assert_eq!(id(9, "/x"), None);
        let odd: Vec<Mount> =
            Mount::parse_all(b"1 2 0:1 / / rw - a a rw\n2 1 0:2 / / rw - b b rw\n").collect();
        assert!(Mount::over(&odd, 1, Path::new("/")).is_some());
    }

    #[test]
    fn the_mount_of_an_open_file() {
        let info = b"pos:\t0\nflags:\t012000000\nmnt_id:\t27\nino:\t1\n";
        assert_eq!(mount_of_file(info), Some(27));
        assert_eq!(mount_of_file(b"pos:\t0\n"), None);
        assert_eq!(mount_of_file(b"mnt_id:\tx\n"), None);
    }

    #[test]
    fn a_proc_that_hides_is_found() {
        let proc = |id: u32, options: &str| {
            format!("{id} {} 0:3 / /proc rw - proc proc rw{options}\n", id - 1)
        };
        let hides =
            |text: String| hides_processes(&Mount::parse_all(text.as_bytes()).collect::<Vec<_>>());
        assert!(!hides(proc(2, "")));
        assert!(!hides(proc(2, ",hidepid=off")));
        assert!(!hides(proc(2, ",hidepid=invisible") + &proc(3, "")));
    }

    proptest! {
        #[test]
        fn names_come_back(name: Vec<u8>) {
            let mut written = Vec::new();
            for byte in &name {
                match byte {
                    b' ' | b'\t' | b'\n' | b'\\' => written.extend(format!("\\{byte:03o}").bytes()),
                    _ => written.push(*byte),
                }
            }
            let line = [b"1 2 0:1 ", &written[..], b" / rw - t ", &written[..], b" rw"].concat();
            let mount = Mount::parse(&line).unwrap();
            prop_assert_eq!(mount.root.as_bytes(), &name[..]);
            prop_assert_eq!(mount.source.as_bytes(), &name[..]);
        }

        #[test]
        fn any_bytes_do(line: Vec<u8>, text in "[\\\\0-9]{0,12}") {
            Mount::parse(&line);
            prop_assert!(unescaped(text.as_bytes()).len() <= text.len());
        }
    }
}
