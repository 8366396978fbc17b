//! Who is in a namespace: what /proc tells of a process, and users by name. Each is read when it is first asked for,
//! and once.
//!
//! The hard thing: command lines and names are whatever their process likes.

use std::cell::{OnceCell, RefCell};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use crate::host::accounts::User;
use crate::host::procfs::Status;
use crate::model::number::decimal;
use crate::model::sorted::SortedMap;
use crate::sys::{self, For, Limit};

/// How many bytes of a command line are read.
const COMMAND_LINE: usize = 32 * 1024;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ShownProcess {
    /// The name of its program, as the kernel keeps it (proc_pid_comm(5)).
    pub(super) name: String,
    /// The PID of its parent; 0 where that is outside of what /proc shows.
    pub(super) parent: i32,
    /// Whether it is a thread of the kernel's.
    pub(super) is_kernel_thread: bool,
    /// Its arguments, the program's name first; none of a kernel thread and of one that has ended.
    pub(super) arguments: Vec<String>,
}

impl ShownProcess {
    /// Reads `/proc/PID/stat` (proc_pid_stat(5)). The name is what stands between the first and the last
    /// parenthesis, whatever is in it.
    fn parse(stat: &[u8]) -> Option<ShownProcess> {
        /// Of `linux/sched.h`.
        const PF_KTHREAD: i128 = 0x0020_0000;
        let first = stat.iter().position(|&byte| byte == b'(')?;
        let last = stat.iter().rposition(|&byte| byte == b')')?;
        let name = stat.get(first + 1..last)?;
        // The state, the parent, and four others in front of the flags.
        let mut rest = stat
            .get(last + 1..)?
            .trim_ascii()
            .split(|&byte| byte == b' ');
        let parent = decimal(rest.nth(1)?)?;
        let flags = decimal(rest.nth(4)?)?;
        Some(ShownProcess {
            name: String::from_utf8_lossy(name).into_owned(),
            parent: i32::try_from(parent).ok()?,
            is_kernel_thread: flags & PF_KTHREAD != 0,
            arguments: Vec::new(),
        })
    }

    /// Its command line; where it has none, its name.
    pub(super) fn command(&self) -> String {
        if self.arguments.is_empty() {
            self.name.clone()
        } else {
            self.arguments.join(" ")
        }
    }
}

/// The words of `/proc/PID/cmdline`: each ends in a NUL, but where the process has written over them.
fn words(text: &[u8]) -> Vec<String> {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    if text.is_empty() {
        return Vec::new();
    }
    let words = text.split(|&byte| byte == 0);
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// What is asked about processes and users.
pub(super) trait ProcessSource {
    /// The process; none when it has ended.
    fn process(&self, pid: i32) -> Option<Rc<ShownProcess>>;
    /// Its effective user ID, as our user namespace numbers users.
    fn uid(&self, pid: i32) -> Option<u32>;
    /// The user's name.
    fn user(&self, uid: u32) -> Option<String>;
}

/// This machine.
#[derive(Debug)]
pub(super) struct LiveProcesses<'a> {
    proc: BorrowedFd<'a>,
    processes: RefCell<SortedMap<i32, Option<Rc<ShownProcess>>>>,
    uids: RefCell<SortedMap<i32, Option<u32>>>,
    users: OnceCell<SortedMap<u32, OsString>>,
}

impl<'a> LiveProcesses<'a> {
    pub(super) fn new(proc: BorrowedFd<'a>) -> LiveProcesses<'a> {
        LiveProcesses {
            proc,
            processes: RefCell::default(),
            uids: RefCell::default(),
            users: OnceCell::new(),
        }
    }

    /// The beginning of a file of the process, read at once: so the kernel gives all that it has of those here.
    fn read<'b>(&self, pid: i32, file: &str, room: &'b mut [u8]) -> Option<&'b [u8]> {
        let path = OsString::from(format!("{pid}/{file}"));
        let file = sys::open_at(self.proc, &path, For::Reading).ok()?;
        let length = sys::read_some(file.as_fd(), room).ok()?;
        room.get(..length)
    }

    fn look_at(&self, pid: i32) -> Option<ShownProcess> {
        let mut process = ShownProcess::parse(self.read(pid, "stat", &mut [0; 1024])?)?;
        if !process.is_kernel_thread {
            let mut room = vec![0; COMMAND_LINE];
            let text = self.read(pid, "cmdline", &mut room).unwrap_or_default();
            process.arguments = words(text);
            if text.len() == COMMAND_LINE
                && let Some(last) = process.arguments.last_mut()
            {
                last.push('…');
            }
        }
        Some(process)
    }
}

impl ProcessSource for LiveProcesses<'_> {
    fn process(&self, pid: i32) -> Option<Rc<ShownProcess>> {
        let mut known = self.processes.try_borrow_mut().ok()?;
        let process = known.get_or_insert_with(pid, || self.look_at(pid).map(Rc::new));
        process.clone()
    }

    fn uid(&self, pid: i32) -> Option<u32> {
        let mut known = self.uids.try_borrow_mut().ok()?;
        *known.get_or_insert_with(pid, || {
            let mut room = [0; 4096];
            let status = Status::parse(self.read(pid, "status", &mut room)?)?;
            Some(status.effective_uid())
        })
    }

    fn user(&self, uid: u32) -> Option<String> {
        let users = self.users.get_or_init(|| {
            let text = sys::read_file("/etc/passwd".as_ref(), Limit::FILE).unwrap_or_default();
            let mut users = SortedMap::default();
            for user in text.split(|&byte| byte == b'\n').filter_map(User::parse) {
                // Of several names for a user the first counts.
                users.get_or_insert_with(user.uid, || user.name);
            }
            users
        });
        let name: &OsStr = users.get(&uid)?;
        Some(String::from_utf8_lossy(name.as_bytes()).into_owned())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A machine of the tests': programs are called after their PID, and users below 5000 have names.
    pub(in super::super) struct Known {
        /// Processes above are not known.
        pub(in super::super) last: i32,
        /// What programs are called before their PID.
        pub(in super::super) name: &'static str,
    }

    impl ProcessSource for Known {
        fn process(&self, pid: i32) -> Option<Rc<ShownProcess>> {
            let process = ShownProcess {
                name: format!("{}{pid}", self.name),
                parent: pid - 1,
                is_kernel_thread: pid == 2,
                arguments: match pid {
                    2 => Vec::new(),
                    pid => vec![format!("{}{pid}", self.name), "-x".into()],
                },
            };
            (pid <= self.last).then(|| Rc::new(process))
        }
        fn uid(&self, pid: i32) -> Option<u32> {
            (pid <= self.last).then_some(1000)
        }
        fn user(&self, uid: u32) -> Option<String> {
            match uid {
                0 => Some("root".to_owned()),
                1000 => Some("a\x1bnn".to_owned()),
                _ => None,
            }
        }
    }

    #[test]
    fn what_stat_says() {
        let process = |text: &str| ShownProcess::parse(text.as_bytes());
        let stat = |name: &str| format!("17 ({name}) S 4 17 17 0 -1 2129984 0 0 0 0 3\n");
        for name in ["sleep", "a) R 1 (b", "", "\n) (", "\x1b[0m"] {
            let found = process(&stat(name)).unwrap();
            assert_eq!((found.name.as_str(), found.parent), (name, 4));
            assert!(found.is_kernel_thread);
        }
        assert!(
            !process("1 (init) S 0 1 1 0 -1 4194560 1")
                .unwrap()
                .is_kernel_thread
        );
        for text in ["", "17", "17 (x", "17 (x)", "17 (x) S 4 1", ")("] {
            assert_eq!(process(text), None, "{text}");
        }
    }

    #[test]
    fn command_lines() {
        assert_eq!(words(b""), [""; 0]);
        assert_eq!(words(b"\0"), [""; 0]);
        assert_eq!(words(b"sh\0-c\0\0"), ["sh", "-c", ""]);
        assert_eq!(words(b"nginx: master"), ["nginx: master"]);
        assert_eq!(words(b"a\xff\0"), ["a\u{fffd}"]);
        let mut process = ShownProcess {
            name: "comm".into(),
            ..ShownProcess::default()
        };
        assert_eq!(process.command(), "comm");
        process.arguments = vec!["a".into(), "b c".into()];
        assert_eq!(process.command(), "a b c");
    }
}
