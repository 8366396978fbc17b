//! Looks through /proc for namespaces: those that processes and threads are in, hold open, or have mounted.
//!
//! The hard thing: processes end while they are looked at, and most of them belong to somebody else. What has
//! ended is left out; what may not be looked at is counted, since it may hide more.

use std::ffi::{CStr, OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use super::seen::{Descriptor, Mounted, Name, Seen, Thread};
use super::sockets::Socket;
use crate::host::mountinfo::{Mount, hides_processes};
use crate::model::Kind;
use crate::model::number::decimal;
use crate::model::reference::link;
use crate::sys::{self, For, Limit};

/// The links in /proc/PID/ns: of the namespaces that the process is in, then of those for its children.
const LINKS: &str =
    "user\0cgroup\0ipc\0uts\0net\0pid\0mnt\0time\0pid_for_children\0time_for_children\0";

/// Each of [`LINKS`], and whether it is of those for children.
fn links() -> impl Iterator<Item = (&'static CStr, bool)> {
    let links = LINKS.as_bytes().split_inclusive(|&byte| byte == 0);
    links
        .filter_map(|link| CStr::from_bytes_with_nul(link).ok())
        .map(|link| (link, link.to_bytes().ends_with(b"_for_children")))
}

/// Room for the names in a directory: a process with a hundred descriptors needs one call.
const ROOM: usize = 16 * 1024;

/// /proc, and what was seen there.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) proc: OwnedFd,
    /// The device of nsfs.
    pub(super) device: u64,
    /// What was seen.
    pub(super) seen: Seen,
    /// Sockets, each of which keeps a network namespace alive that nothing else may show.
    pub(super) sockets: Vec<Socket>,
    /// What the IDs of network namespaces are asked of, where somebody wants to know them.
    pub(super) netns_ids: Option<OwnedFd>,
}

impl Scan {
    /// Looks at every process, and at the mounts of every mount namespace that one is in.
    ///
    /// # Errors
    /// When /proc cannot be read at all.
    pub(super) fn new() -> sys::Result<Scan> {
        let proc = sys::open("/proc".as_ref(), For::Directory)?;
        let device = sys::stat_at(proc.as_fd(), "self/ns/mnt".as_ref())?.st_dev;
        let mut scan = Scan {
            proc,
            device,
            seen: Seen::default(),
            sockets: Vec::new(),
            netns_ids: None,
        };
        let own = scan.own()?;
        scan.processes(own)?;
        scan.mounts()?;
        Ok(scan)
    }

    /// Our own namespaces. Gives the number that /proc has for us, which getpid(2) does not where /proc is that
    /// of another PID namespace.
    fn own(&mut self) -> sys::Result<i32> {
        let directory = sys::open_at(self.proc.as_fd(), "self/ns".as_ref(), For::Path)?;
        let mut room = [0; 64];
        for (file, for_children) in links() {
            if let Ok(text) = sys::read_link_into(directory.as_fd(), file, &mut room)
                && let (Some(name), false) = (link(text), for_children)
            {
                self.seen.entry(name).ours = true;
            }
        }
        let text = sys::read_link_into(self.proc.as_fd(), c"self", &mut room)?;
        number(text).ok_or(sys::Error::from_raw(libc::ENOENT))
    }

    fn processes(&mut self, own: i32) -> sys::Result<()> {
        let mut pids = Vec::with_capacity(1024);
        sys::each_name(self.proc.as_fd(), &mut [0; ROOM], |name| {
            pids.extend(number(name.to_bytes()));
        })?;
        let mut room = [0; ROOM];
        for pid in pids {
            let readable = self.look_at(pid, &mut room) && self.descriptors(pid, own, &mut room);
            self.seen.refused += usize::from(!readable);
        }
        Ok(())
    }

    /// Whether we may look at the namespaces of the process.
    fn look_at(&mut self, pid: i32, room: &mut [u8]) -> bool {
        let path = OsString::from(format!("{pid}/ns"));
        let Ok(directory) = self.open_at(&path, For::Path) else {
            return true;
        };
        // Its namespace of each kind, by Kind's own number; 0 is none.
        let mut first = [0; Kind::ALL.len()];
        for (file, for_children) in links() {
            match named(directory.as_fd(), file) {
                Ok(Some((kind, inode))) if !for_children => {
                    first[kind as usize] = inode;
                    self.seen.entry((kind, inode)).processes.push(pid);
                }
                Ok(Some((kind, inode))) if inode != first[kind as usize] => {
                    self.seen.entry((kind, inode)).for_children.push(pid);
                }
                Ok(_) => {}
                Err(error) if is_refusal(error) => return false,
                // A kind that the kernel lacks, a process that has ended.
                Err(_) => {}
            }
        }
        self.threads(pid, first, room);
        true
    }

    /// Looks at the other threads of the process.
    fn threads(&mut self, pid: i32, first: [u64; Kind::ALL.len()], room: &mut [u8]) {
        let tasks = OsString::from(format!("{pid}/task"));
        // Two links of its own, and one for each thread.
        let stat = sys::stat_at(self.proc.as_fd(), &tasks);
        if stat.is_ok_and(|stat| stat.st_nlink <= 3) {
            return;
        }
        let Ok(tasks) = self.open_at(&tasks, For::Directory) else {
            return;
        };
        let mut tids = Vec::new();
        let _ = sys::each_name(tasks.as_fd(), room, |name| {
            tids.extend(number(name.to_bytes()))
        });
        for tid in tids.into_iter().filter(|&tid| tid != pid) {
            let path = OsString::from(format!("{tid}/ns"));
            let Ok(directory) = sys::open_at(tasks.as_fd(), &path, For::Path) else {
                continue;
            };
            for (file, for_children) in links() {
                if let (Ok(Some((kind, inode))), false) =
                    (named(directory.as_fd(), file), for_children)
                    && inode != first[kind as usize]
                {
                    self.seen
                        .entry((kind, inode))
                        .threads
                        .push(Thread { pid, tid });
                }
            }
        }
    }

    /// Looks at what the process has open; whether we may.
    fn descriptors(&mut self, pid: i32, own: i32, room: &mut [u8]) -> bool {
        let path = OsString::from(format!("{pid}/fd"));
        let directory = match self.open_at(&path, For::Directory) {
            Ok(directory) => directory,
            Err(error) => return !is_refusal(error),
        };
        let mut refused = false;
        let listed = sys::each_name(directory.as_fd(), room, |file| {
            let Some(number) = number(file.to_bytes()) else {
                return;
            };
            // What we have opened ourselves keeps nothing alive for longer than we run.
            if pid == own && sys::inherited(number).is_err() {
                return;
            }
            let descriptor = Descriptor { pid, number };
            let mut text = [0; 64];
            match sys::read_link_into(directory.as_fd(), file, &mut text) {
                Ok(text) if text.starts_with(b"socket:[") => {
                    self.sockets.extend(Socket::of_link(text, descriptor));
                }
                Ok(text) => {
                    let name = link(text).or_else(|| match text {
                        b"/" => self.of_former_mount(pid, file),
                        _ => None,
                    });
                    if let Some(name) = name {
                        self.seen.entry(name).descriptors.push(descriptor);
                    }
                }
                Err(error) => refused |= is_refusal(error),
            }
        });
        !refused && !listed.is_err_and(is_refusal)
    }

    /// The namespace of a descriptor that was opened through a mount which has been unmounted since: its link
    /// says `/` then, as that of a root directory does.
    fn of_former_mount(&self, pid: i32, file: &CStr) -> Option<Name> {
        let file = file.to_str().ok()?;
        let info = format!("{pid}/fdinfo/{file}");
        let info = sys::read_file_at(self.proc.as_fd(), info.as_ref(), Limit::FILE).ok()?;
        let mut lines = info.split(|&byte| byte == b'\n');
        // proc_pid_fdinfo(5); Linux 5.14 or later. A directory is not opened: its file system may not answer.
        let inode = lines.find_map(|line| decimal(line.strip_prefix(b"ino:\t")?))?;
        if inode < 0xEFFF_0000 {
            return None;
        }
        let path = OsString::from(format!("{pid}/fd/{file}"));
        let fd = self.open_at(&path, For::Path).ok()?;
        identify(self.reopen(fd)?.as_fd())
    }

    /// Looks at the mounts of each mount namespace, through a process in it.
    fn mounts(&mut self) -> sys::Result<()> {
        let namespaces: Vec<(u64, bool, Vec<String>)> = self
            .seen
            .all()
            .iter()
            .filter(|namespace| namespace.kind == Kind::Mnt)
            .map(|namespace| {
                let processes = namespace.processes.iter().map(i32::to_string);
                let threads = namespace.threads.iter();
                let threads = threads.map(|thread| format!("{}/task/{}", thread.pid, thread.tid));
                let all = processes.chain(threads).collect();
                (namespace.inode, namespace.ours, all)
            })
            .collect();
        let mut text = Vec::new();
        for (inode, ours, processes) in namespaces {
            let who: &[String] = if ours {
                &["self".to_owned()]
            } else {
                &processes
            };
            for process in who {
                let path = OsString::from(format!("{process}/mountinfo"));
                // One that has ended has none any more; the next one may.
                let read = self
                    .open_at(&path, For::Reading)
                    .and_then(|file| sys::read_all_into(file.as_fd(), &mut text, Limit::MOUNTS));
                if let Err(error) = read
                    && error.raw() == libc::EFBIG
                {
                    self.seen.too_long = Some(error);
                }
                if read.is_ok() && !text.is_empty() {
                    if ours {
                        let mounts: Vec<Mount> = Mount::parse_all(&text).collect();
                        self.seen.hidden = hides_processes(&mounts);
                    }
                    let pid = process.split('/').next().and_then(|pid| pid.parse().ok());
                    self.note_mounts(&text, pid, inode);
                    break;
                }
            }
        }
        Ok(())
    }

    fn note_mounts(&mut self, text: &[u8], pid: Option<i32>, mount_namespace: u64) {
        let nsfs = |line: &&[u8]| line.windows(8).any(|part| part == b" - nsfs ");
        let lines = text.split(|&byte| byte == b'\n').filter(nsfs);
        for mount in lines.filter_map(Mount::parse) {
            let name = mount.namespace().and_then(|text| link(text.as_bytes()));
            if let Some(name) = name {
                self.seen.entry(name).mounts.push(Mounted {
                    path: mount.point.into(),
                    pid,
                    mount_namespace,
                });
            }
        }
    }

    /// Opens a namespace that was seen, by whatever showed it; none when all of that has gone since.
    pub(super) fn open(&self, name: Name) -> Option<OwnedFd> {
        let namespace = self.seen.get(name)?;
        let (kind, _) = name;
        let children = kind.file_for_children();
        let processes = namespace.processes.iter();
        let for_children = namespace.for_children.iter();
        let threads = namespace.threads.iter();
        let links = processes
            .map(|pid| format!("{pid}/ns/{kind}"))
            .chain(for_children.map(|pid| format!("{pid}/ns/{children}")))
            .chain(threads.map(|thread| format!("{}/task/{}/ns/{kind}", thread.pid, thread.tid)))
            .map(OsString::from);
        let links = links.filter_map(|path| self.open_below(&path, For::Reading));
        let descriptors = namespace.descriptors.iter();
        let descriptors = descriptors
            .map(|one| OsString::from(format!("{}/fd/{}", one.pid, one.number)))
            .filter_map(|path| self.reopen(self.open_below(&path, For::Path)?));
        let mounts = namespace.mounts.iter();
        let mounts = mounts.filter_map(|mounted| self.reopen(self.open_mount(mounted)?));
        links
            .chain(descriptors)
            .chain(mounts)
            .find(|fd| identify(fd.as_fd()) == Some(name))
            .or_else(|| self.open_above(name))
    }

    fn open_below(&self, path: &OsStr, purpose: For) -> Option<OwnedFd> {
        self.open_at(path, purpose).ok()
    }

    fn open_at(&self, path: &OsStr, purpose: For) -> sys::Result<OwnedFd> {
        sys::open_at(self.proc.as_fd(), path, purpose)
    }

    /// Opens what is at a mount point, for naming only.
    fn open_mount(&self, mounted: &Mounted) -> Option<OwnedFd> {
        let root = match mounted.pid {
            Some(pid) => OsString::from(format!("{pid}/root")),
            None => OsString::from("self/root"),
        };
        let root = self.open_below(&root, For::Path)?;
        // A change elsewhere may make the cache unusable for a moment.
        for _ in 0..16 {
            match sys::open_cached(root.as_fd(), &mounted.path) {
                Err(error) if error.raw() == libc::EAGAIN => {}
                Err(error) if matches!(error.raw(), libc::ENOSYS | libc::EINVAL) => {
                    let path = mounted.path.as_bytes();
                    let below = OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(path));
                    return sys::open_at(root.as_fd(), below, For::Path).ok();
                }
                opened => return opened.ok(),
            }
        }
        None
    }

    /// Opens an nsfs file for reading, and nothing else: what somebody else may change could lead to a device,
    /// whose opening has effects, or to a file system that does not answer.
    fn reopen(&self, named: OwnedFd) -> Option<OwnedFd> {
        let stat = sys::stat_cached(named.as_fd()).ok()?;
        (stat.st_dev == self.device).then_some(())?;
        sys::reopen(named.as_fd()).ok()
    }

    /// Opens a namespace that only those below it keep alive, through one of them.
    fn open_above(&self, name: Name) -> Option<OwnedFd> {
        use super::seen::Kin::Is;
        let (kind, inode) = name;
        self.seen.all().iter().find_map(|below| {
            let is_parent = below.kind == kind && below.parent == Is(inode);
            let is_owner = kind == Kind::User && below.owner == Is(inode);
            if !is_parent && !is_owner || below.name() == name {
                return None;
            }
            let fd = self.open(below.name())?;
            let above = if is_parent {
                sys::parent_of(fd.as_fd())
            } else {
                sys::owner_of(fd.as_fd())
            };
            above
                .ok()
                .filter(|above| identify(above.as_fd()) == Some(name))
        })
    }
}

/// What a descriptor of an nsfs file is called.
pub(super) fn identify(fd: BorrowedFd<'_>) -> Option<Name> {
    let kind = Kind::from_flag(sys::type_of(fd).ok()?)?;
    Some((kind, sys::stat_fd(fd).ok()?.st_ino))
}

/// What the link in /proc/PID/ns names, if it is a kind that we know.
fn named(directory: BorrowedFd<'_>, file: &CStr) -> sys::Result<Option<Name>> {
    let mut room = [0; 64];
    sys::read_link_into(directory, file, &mut room).map(link)
}

fn is_refusal(error: sys::Error) -> bool {
    matches!(error.raw(), libc::EACCES | libc::EPERM)
}

fn number(text: &[u8]) -> Option<i32> {
    if !text.first()?.is_ascii_digit() {
        return None;
    }
    i32::try_from(decimal(text)?).ok()
}
