//! Files of a process in /proc, as text: status and cgroup (proc_pid_status(5), cgroups(7)).
//!
//! The hard thing here: the cgroup's path is any bytes but a newline, so only the first two colons divide.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use crate::host::mountinfo::{Mount, words};
use crate::model::number::decimal;
use crate::sys::{self, For, Limit, Proc};

/// What `/proc/PID/status` says of a process; IDs are as the reader's user namespace sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    /// The letter of its state: `R`, `S`, `D`, `T`, `t`, `Z`, `X`, `I`.
    pub(crate) state: u8,
    /// Real, effective, saved and file system user ID.
    pub(crate) uids: [u32; 4],
    /// Real, effective, saved and file system group ID.
    pub(crate) gids: [u32; 4],
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
    /// How many threads.
    pub(crate) threads: u32,
    /// The effective capabilities, a bit each (capabilities(7)).
    pub(crate) cap_effective: u64,
    /// The signals that it blocks, ignores, and has handlers for; bit `n - 1` is signal `n`.
    pub(crate) signals_blocked: u64,
    pub(crate) signals_ignored: u64,
    pub(crate) signals_caught: u64,
    /// Its PID in each PID namespace, from that of the proc mount inwards; empty before Linux 4.1.
    pub(crate) pids: Vec<i32>,
    /// Whether no_new_privs is set; `None` before Linux 4.10.
    pub(crate) no_new_privs: Option<bool>,
    /// The seccomp mode, 0 none, 1 strict, 2 filter; `None` where the kernel has no seccomp.
    pub(crate) seccomp: Option<u32>,
}

impl Status {
    /// Reads the file; `None` if a line that every kernel writes is missing or is not in its form.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let field = |name: &[u8]| {
            let mut lines = text.split(|byte| *byte == b'\n');
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(b":\t"))
        };
        let bits =
            |name: &[u8]| u64::from_str_radix(std::str::from_utf8(field(name)?).ok()?, 16).ok();
        Some(Self {
            state: *field(b"State")?.first()?,
            uids: numbers(field(b"Uid")?)?.try_into().ok()?,
            gids: numbers(field(b"Gid")?)?.try_into().ok()?,
            groups: numbers(field(b"Groups")?)?,
            threads: number(field(b"Threads")?)?,
            cap_effective: bits(b"CapEff")?,
            // A sandbox in the kernel's place (gVisor) leaves them out: then none is known not to be minded.
            signals_blocked: bits(b"SigBlk").unwrap_or(u64::MAX),
            signals_ignored: bits(b"SigIgn").unwrap_or(u64::MAX),
            signals_caught: bits(b"SigCgt").unwrap_or(u64::MAX),
            pids: field(b"NSpid").map_or(Some(Vec::new()), numbers)?,
            no_new_privs: match field(b"NoNewPrivs") {
                Some(text) => Some(number::<u32>(text)? != 0),
                None => None,
            },
            seccomp: match field(b"Seccomp") {
                Some(text) => Some(number(text)?),
                None => None,
            },
        })
    }

    /// Reads that of a process.
    pub(crate) fn read(proc: &Proc, path: &str) -> Option<Self> {
        Self::parse(&proc.read(path, Limit::FILE).ok()?)
    }

    /// The user ID that permissions go by.
    pub(crate) fn effective_uid(&self) -> u32 {
        self.uids[1]
    }

    /// The group ID that permissions go by.
    pub(crate) fn effective_gid(&self) -> u32 {
        self.gids[1]
    }
}

fn number<T: TryFrom<i128>>(text: &[u8]) -> Option<T> {
    T::try_from(decimal(text)?).ok()
}

fn numbers<T: TryFrom<i128>>(text: &[u8]) -> Option<Vec<T>> {
    let words = text
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    words.map(number).collect()
}

/// What `/proc/PID/stat` says of a process (proc_pid_stat(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The letter of its state.
    pub(crate) state: u8,
    /// The PID of its parent.
    pub(crate) parent: i32,
    /// When it was started, in clock ticks since the machine was, as the reader's time namespace has it.
    pub(crate) start: u64,
}

impl Stat {
    /// Whether this is the start that somebody in the initial time namespace has seen, where ours sets the clock off by
    /// this many nanoseconds (time_namespaces(7)).
    pub(crate) fn has_start(&self, start: u64, offset: i128) -> bool {
        /// `USER_HZ` is 100 on all machines that this is for.
        const TICK: i128 = 10_000_000;
        let later = i128::from(self.start) - i128::from(start);
        // Both were rounded down, and their parts of a tick add up to another one at most.
        let least = offset.div_euclid(TICK);
        later == least || later == least + 1 && offset.rem_euclid(TICK) != 0
    }

    /// Reads the file; `None` if it is not in its form. The name of the process, in parentheses, may have any byte in it,
    /// parentheses and newlines too.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let behind = text.iter().rposition(|&byte| byte == b')')? + 1;
        let mut fields = text.get(behind..)?.trim_ascii().split(|&byte| byte == b' ');
        // The third field is the first one behind the name; the start is the 22nd.
        let (state, parent) = (*fields.next()?.first()?, number(fields.next()?)?);
        let start = number(fields.nth(17)?)?;
        Some(Self {
            state,
            parent,
            start,
        })
    }
}

/// A line of `/proc/PID/cgroup`: where the process is in one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cgroup {
    /// The hierarchy's number; 0 is the unified one (v2).
    pub(crate) hierarchy: u32,
    /// Its controllers and name as written, `cpu,cpuacct` or `name=systemd`; empty for the unified one.
    pub(crate) controllers: OsString,
    /// The path from the root of the reader's cgroup namespace; ends in ` (deleted)` if the cgroup was removed.
    pub(crate) path: OsString,
}

impl Cgroup {
    /// Reads one line, without its newline.
    fn parse_line(line: &[u8]) -> Option<Self> {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let (hierarchy, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        path.starts_with(b"/").then_some(())?;
        Some(Self {
            hierarchy: number(hierarchy)?,
            controllers: OsString::from_vec(controllers.to_vec()),
            path: OsString::from_vec(path.to_vec()),
        })
    }

    /// Reads the file; `None` if a line is not in its form.
    pub(crate) fn parse(text: &[u8]) -> Option<Vec<Self>> {
        let lines = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        lines.map(Self::parse_line).collect()
    }

    /// Whether this is the unified hierarchy (cgroup v2).
    pub(crate) fn is_unified(&self) -> bool {
        self.hierarchy == 0 && self.controllers.is_empty()
    }

    /// Where it is found in these mounts; none when its hierarchy, or that part of it, is not mounted.
    pub(crate) fn directory(&self, mounts: &[Mount]) -> Option<PathBuf> {
        self.directories(mounts).next()
    }

    /// Every place where it is found in these mounts, the latest mount first, since one may lie hidden below another.
    pub(crate) fn directories(&self, mounts: &[Mount]) -> impl Iterator<Item = PathBuf> {
        mounts.iter().rev().filter_map(|mount| {
            let is_mounted = if self.is_unified() {
                mount.fs_type == "cgroup2"
            } else {
                mount.fs_type == "cgroup" && {
                    let options: Vec<&[u8]> = words(&mount.super_options).collect();
                    self.each_controller()
                        .all(|controller| options.contains(&controller.as_bytes()))
                }
            };
            if !is_mounted {
                return None;
            }
            // The mount may show only a part of the hierarchy, from its root on (proc_pid_mountinfo(5)).
            let below = Path::new(&self.path).strip_prefix(&mount.root).ok()?;
            // What lies outside our cgroup namespace is `/..` (cgroup_namespaces(7)), which no mount has inside it.
            if below.components().any(|name| name == Component::ParentDir) {
                return None;
            }
            Some(if below.as_os_str().is_empty() {
                mount.point.clone()
            } else {
                mount.point.join(below)
            })
        })
    }

    /// The single controllers of a v1 hierarchy; a `name=…` is one of them.
    pub(crate) fn each_controller(&self) -> impl Iterator<Item = &OsStr> {
        let words = self.controllers.as_bytes().split(|byte| *byte == b',');
        words.filter(|word| !word.is_empty()).map(OsStr::from_bytes)
    }
}

/// The text of a file in /proc without its last newline and NULs, if it is text.
pub(crate) fn text_at(proc: &Proc, path: &str) -> Option<String> {
    text_of(proc.read(path, Limit::FILE).ok()?)
}

/// Bytes without the last newline and NULs, if they are text.
pub(crate) fn text_of(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    Some(text.trim_end_matches(['\n', '\0']).to_owned())
}

/// A file in /proc that holds a number.
pub(crate) fn number_at(proc: &Proc, path: &str) -> Option<u64> {
    number_of(&text_at(proc, path)?)
}

pub(crate) fn number_of(text: &str) -> Option<u64> {
    u64::try_from(decimal(text.as_bytes())?).ok()
}

/// Our security attribute; where /proc does not say it, as the kernel does.
pub(crate) fn label(proc: &Proc) -> Option<String> {
    text_at(proc, "self/attr/apparmor/current")
        .or_else(|| text_at(proc, "self/attr/current"))
        .or_else(|| text_of(sys::security_attribute().ok()?))
        .filter(|label| !label.is_empty())
}

/// Whether our files in /proc can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcAccess {
    /// They can.
    Granted,
    /// There are none: this is no proc, or that of a PID namespace that we are not in.
    Missing,
    /// They are refused, though everybody may read them by their permissions.
    Refused,
}

/// As one of them that everybody may read tells.
pub(crate) fn access(proc: &Proc) -> Option<ProcAccess> {
    match proc.open("self/status", For::Reading) {
        Ok(_) => Some(ProcAccess::Granted),
        Err(error) => match error.raw() {
            libc::ENOENT | libc::ENOTDIR => Some(ProcAccess::Missing),
            libc::EACCES => Some(ProcAccess::Refused),
            _ => None,
        },
    }
}

/// The version of the kernel.
pub(crate) fn kernel(proc: &Proc) -> Option<(u32, u32)> {
    let text = text_at(proc, "sys/kernel/osrelease")?;
    let mut numbers = text
        .split(|character: char| !character.is_ascii_digit())
        .map(|digits| digits.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Whether files that set a namespace up cannot be written.
pub(crate) fn is_read_only(proc: &Proc) -> Option<bool> {
    let file = proc.open("self/uid_map", For::Path).ok()?;
    Some(sys::forbidden_on_fd(file.as_fd()).ok()?.writing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATUS: &str = "Name:\tUid:\\n0\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t12\nPid:\t12\nPPid:\t1\n\
        Uid:\t1000\t2\t4294967295\t3\nGid:\t1001\t5\t6\t7\nFDSize:\t64\nGroups:\t4 24 1000 \nNStgid:\t12\t1\n\
        NSpid:\t12\t3\t1\nThreads:\t4\nSigBlk:\t0000000000010000\n\
        SigIgn:\t0000000000001000\nSigCgt:\t0000000000004002\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\nNoNewPrivs:\t1\n\
        Seccomp:\t2\nSeccomp_filters:\t1\n";

    #[test]
    fn status() {
        let status = Status::parse(STATUS.as_bytes()).unwrap();
        assert_eq!((status.effective_uid(), status.effective_gid()), (2, 5));
        assert_eq!(
            status,
            Status {
                state: b'S',
                uids: [1000, 2, u32::MAX, 3],
                gids: [1001, 5, 6, 7],
                groups: vec![4, 24, 1000],
                threads: 4,
                cap_effective: 0x1ff_ffff_ffff,
                signals_blocked: 0x10000,
                signals_ignored: 0x1000,
                signals_caught: 0x4002,
                pids: vec![12, 3, 1],
                no_new_privs: Some(true),
                seccomp: Some(2),
            }
        );
        assert_eq!((status.effective_uid(), status.effective_gid()), (2, 5));
    }

    #[test]
    fn stat() {
        let text = b"27656 (a) S 7 (\n) S 1 27656 27656 0 -1 4194560 713 0 0 0 0 0 0 0 20 0 1 0 1269260 2322432 332 18\n";
        let expected = Stat {
            state: b'S',
            parent: 1,
            start: 1_269_260,
        };
        assert_eq!(Stat::parse(text), Some(expected));
        for text in [
            &b""[..],
            b"1 (a",
            b"1 (a) S",
            b"1 (a) S 1 2 3",
            b"1 (a) S x",
        ] {
            assert_eq!(Stat::parse(text), None, "{}", text.escape_ascii());
        }
        let seen = |start| Stat { start, ..expected };
        assert!(seen(7).has_start(7, 0) && !seen(8).has_start(7, 0) && !seen(6).has_start(7, 0));
        assert!(seen(107).has_start(7, 1_000_000_000) && !seen(108).has_start(7, 1_000_000_000));
        for (later, is_it) in [(99, false), (100, true), (101, true), (102, false)] {
            assert_eq!(seen(later).has_start(0, 1_000_000_001), is_it, "{later}");
        }
        assert!(seen(7).has_start(107, -1_000_000_000) && !seen(7).has_start(7, -1_000_000_000));
        let own = Stat::parse(&std::fs::read("/proc/self/stat").unwrap()).unwrap();
        assert_eq!(own.parent, std::os::unix::process::parent_id() as i32);
    }

    #[test]
    fn status_of_this_process() {
        let status = Status::parse(&std::fs::read("/proc/self/status").unwrap()).unwrap();
        assert_eq!(
            status.pids.last().copied(),
            i32::try_from(std::process::id()).ok()
        );
        assert!(status.threads >= 1);
    }

    #[test]
    fn status_without_groups_or_what_old_kernels_lack() {
        let text = STATUS
            .replace("4 24 1000 ", " ")
            .replace("NSpid", "X")
            .replace("Seccomp:", "X:");
        let status = Status::parse(text.replace("NoNewPrivs", "X").as_bytes()).unwrap();
        assert_eq!(status.groups, [0; 0]);
        assert_eq!(
            (status.pids, status.no_new_privs, status.seccomp),
            (vec![], None, None)
        );
    }

    #[test]
    fn what_is_no_status() {
        for name in ["State", "Uid", "Gid", "Groups", "Threads", "CapEff"] {
            assert_eq!(
                Status::parse(STATUS.replace(&format!("\n{name}:"), "\nX:").as_bytes()),
                None,
                "{name}"
            );
        }
        for (good, bad) in [
            ("1000\t2", "1000"),
            ("1001", "x"),
            ("4 24", "4 -24"),
            ("000001ff", "xyz"),
            ("\t4\n", "\t\n"),
        ] {
            assert_eq!(
                Status::parse(STATUS.replace(good, bad).as_bytes()),
                None,
                "{bad:?}"
            );
        }
        assert_eq!(Status::parse(b""), None);
    }

    #[test]
    fn cgroups() {
        let text = b"9:name=systemd:/a:b\n3:cpu,cpuacct:/\n0::/user.slice/a:b::c \xff\n";
        let cgroups = Cgroup::parse(text).unwrap();
        let seen: Vec<_> = cgroups
            .iter()
            .map(|cgroup| {
                (
                    cgroup.hierarchy,
                    cgroup.is_unified(),
                    cgroup.path.as_bytes(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (9, false, &b"/a:b"[..]),
                (3, false, b"/"),
                (0, true, b"/user.slice/a:b::c \xff")
            ]
        );
        assert_eq!(
            cgroups[0].each_controller().collect::<Vec<_>>(),
            ["name=systemd"]
        );
        assert_eq!(
            cgroups[1].each_controller().collect::<Vec<_>>(),
            ["cpu", "cpuacct"]
        );
        assert_eq!(cgroups[2].each_controller().count(), 0);
    }

    #[test]
    fn directories_of_cgroups() {
        let mounts = b"1 0 0:1 / / rw - a a rw\n2 1 0:2 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
            3 1 0:3 / /cg/unified rw - cgroup2 cgroup2 rw\n4 1 0:4 /part /part rw - cgroup cgroup rw,pids\n";
        let mounts: Vec<Mount> = Mount::parse_all(mounts).collect();
        let text =
            b"3:cpu,cpuacct:/a b\n2:pids:/part/c\n1:pids:/other\n5:memory:/\n0::/\n4:pids:/part\n";
        let found: Vec<_> = Cgroup::parse(text)
            .unwrap()
            .iter()
            .map(|cgroup| cgroup.directory(&mounts))
            .collect();
        let expected = [
            Some("/cg/cpu/a b"),
            Some("/part/c"),
            None,
            None,
            Some("/cg/unified"),
            Some("/part"),
        ];
        assert_eq!(found, expected.map(|path| path.map(PathBuf::from)));
    }

    #[test]
    fn what_is_no_cgroup() {
        for text in [
            &b"0:"[..],
            b"0::",
            b"0::a",
            b"x::/",
            b"-1::/",
            b"0::/\nfoo\n",
        ] {
            assert_eq!(Cgroup::parse(text), None, "{}", text.escape_ascii());
        }
        assert_eq!(Cgroup::parse(b""), Some(vec![]));
    }

    proptest! {
        #[test]
        fn a_path_comes_back_whole(path in "/[^\n]{0,20}") {
            let cgroups = Cgroup::parse(format!("0::{path}\n").as_bytes()).unwrap();
            prop_assert_eq!(&cgroups[0].path, &OsString::from(path));
        }

        #[test]
        fn any_bytes_do(text: Vec<u8>) {
            Status::parse(&text);
            Cgroup::parse(&text);
        }
    }

    #[test]
    fn texts_and_numbers_of_files() {
        let text = |bytes: &[u8]| text_of(bytes.to_vec());
        assert_eq!(text(b"a b\n"), Some("a b".to_owned()));
        assert_eq!(text(b" unconfined\0\n"), Some(" unconfined".to_owned()));
        assert_eq!(text(b"\n"), Some(String::new()));
        assert_eq!(text(b"\xff"), None);
        assert_eq!(number_of("4194304"), Some(4_194_304));
        for none in ["max", "", "-1", "18446744073709551616"] {
            assert_eq!(number_of(none), None, "{none}");
        }
    }

    #[test]
    fn of_two_signs_both_make_the_unified_hierarchy() {
        for (line, is_unified) in [
            (&b"0::/a"[..], true),
            (b"0:pids:/a", false),
            (b"3::/a", false),
            (b"3:name=systemd:/a", false),
        ] {
            let cgroups = Cgroup::parse(line).unwrap();
            assert_eq!(
                cgroups[0].is_unified(),
                is_unified,
                "{}",
                line.escape_ascii()
            );
        }
    }

    #[test]
    fn our_own_files() {
        let proc = Proc::default();
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let text = text_at(&proc, "sys/kernel/osrelease");
        assert_eq!(text.as_deref(), Some(release.trim_end()));
        let most = std::fs::read_to_string("/proc/sys/kernel/pid_max").unwrap();
        let number = number_at(&proc, "sys/kernel/pid_max");
        assert_eq!(number, most.trim().parse().ok());
        assert_eq!(number_at(&proc, "sys/kernel/osrelease"), None);
        let status = Status::read(&proc, "self/status").unwrap();
        assert_eq!(status.effective_uid(), nix::unistd::geteuid().as_raw());
        assert_eq!(access(&proc), Some(ProcAccess::Granted));
    }

    #[test]
    fn what_the_kernel_says_of_itself_and_of_us() {
        let proc = Proc::default();
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let (major, minor) = kernel(&proc).unwrap();
        assert!(
            release.starts_with(&format!("{major}.{minor}")),
            "{release}"
        );
        let mount = nix::sys::statvfs::statvfs("/proc/self/uid_map").unwrap();
        let is_read_only = mount
            .flags()
            .contains(nix::sys::statvfs::FsFlags::ST_RDONLY);
        assert_eq!(super::is_read_only(&proc), Some(is_read_only));
        // Where no security module has labels, there is no such file, or it cannot be read.
        let attribute = |name: &str| {
            let text = std::fs::read(format!("/proc/self/attr/{name}")).ok()?;
            let end = text.iter().position(|byte| b"\0\n".contains(byte));
            String::from_utf8(text[..end.unwrap_or(text.len())].to_vec()).ok()
        };
        let expected = attribute("apparmor/current").or_else(|| attribute("current"));
        assert_eq!(label(&proc), expected.filter(|label| !label.is_empty()));
    }
}
