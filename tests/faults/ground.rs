//! Where the command lines run: mount and PID namespaces of the worker's own, with files, users, processes to enter, and
//! devices, none of which is the machine's.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::cases::User;
use crate::launch::{self, How};

/// UID and GID of the ordinary user, whose account only the ground has.
pub(crate) const ORDINARY: u32 = 47_231;

/// The kinds of namespaces, as the files are named.
pub(crate) const KINDS: [&str; 8] = ["mnt", "uts", "ipc", "net", "pid", "user", "cgroup", "time"];

pub(crate) struct Ground {
    place: PathBuf,
    binary: PathBuf,
    /// What stands for what in a command line.
    words: BTreeMap<&'static str, String>,
    /// Namespaces that have a name, by their numbers.
    namespaces: BTreeMap<String, String>,
    _held: Vec<Child>,
}

/// What can outlive a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outside {
    /// In the directory of files, with what is in them.
    pub(crate) files: Vec<String>,
    pub(crate) mounts: Vec<String>,
}

impl Ground {
    /// Makes it in this empty directory.
    pub(crate) fn new(place: &Path, binary: &Path) -> Self {
        // What others mount and unmount on this machine is not to change ours: the kernel also takes a mount away here when
        // they remove the directory that it is on.
        for point in mount_points() {
            let is_needed = ["/proc", "/sys", "/dev"]
                .iter()
                .any(|kept| Path::new(&point).starts_with(kept));
            if point != "/" && !is_needed {
                let _ = umount2(Path::new(&point), MntFlags::MNT_DETACH);
            }
        }
        mount_tmpfs(place);
        let at = |name: &str| place.join(name);
        for name in ["f", "root", "etc", "dev", "numbers", "bin"] {
            fs::create_dir(at(name)).expect("a directory");
        }
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).expect("our own");
        bind_file(&std::env::current_exe().expect("/proc"), &at("bin/state"));
        bind_file(binary, &at("bin/nskit"));
        for name in ["unshare", "nsenter", "setns"] {
            symlink("nskit", at("bin").join(name)).expect("a link");
        }
        // The distribution's, for comparison.
        fs::create_dir(at("bin/theirs")).expect("ours");
        for name in ["unshare", "nsenter"] {
            symlink(format!("/usr/bin/{name}"), at("bin/theirs").join(name)).expect("a link");
        }
        devices(&at("dev"));
        users(&at("etc"));
        mount_tmpfs(Path::new("/run"));
        bind(Path::new("/"), &at("root"), MsFlags::MS_REC);
        private(&at("root"));

        let mut ground = Self {
            place: place.to_owned(),
            binary: binary.to_owned(),
            words: BTreeMap::from([
                ("@F", at("f").display().to_string()),
                ("@ROOT", at("root").display().to_string()),
                (
                    "@STATE",
                    format!("{} {}", at("bin/state").display(), crate::state::WORD),
                ),
            ]),
            namespaces: BTreeMap::new(),
            _held: Vec::new(),
        };
        ground.hold("@A", User::Root, "unshare -muinpCT -f --wd=/usr");
        let maps = "--map-users 0:0:60000 --map-groups 0:0:60000";
        ground.hold(
            "@U",
            User::Root,
            &format!("unshare -muinpCT -f {maps} -S 5 -G 6 --groups 7,8 --wd=/usr"),
        );
        ground.hold("@O", User::Ordinary, "unshare -Urmunpf --wd=/usr");
        ground.names();
        for kind in KINDS {
            let number = number(&format!("/proc/self/ns/{kind}"));
            ground.namespaces.insert(number, "ours".to_owned());
        }
        ground
    }

    /// Starts a process in namespaces of its own.
    fn hold(&mut self, word: &'static str, user: User, line: &str) {
        let mut command = self.launcher(How::Held, user, &format!("{line} sleep infinity"));
        let held = command
            .env("TARGET", word)
            .stdin(Stdio::null())
            .spawn()
            .expect("unshare starts");
        let children = format!("/proc/{0}/task/{0}/children", held.id());
        let pid = eventually("a process in namespaces", || {
            let child = fs::read_to_string(&children).ok()?;
            let child = child.split_whitespace().next()?;
            let name = fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
            (name == "sleep\n").then(|| child.to_owned())
        });
        for kind in KINDS {
            let number = number(&format!("/proc/{pid}/ns/{kind}"));
            self.namespaces.insert(number, word.to_owned());
        }
        self.words.insert(word, pid);
        self._held.push(held);
    }

    /// The names by which the first can be found.
    fn names(&mut self) {
        let pid = self.words["@A"].clone();
        self.words
            .insert("@NET", number(&format!("/proc/{pid}/ns/net")));
        fs::create_dir_all("/run/netns").expect("ours");
        bind_file(
            Path::new(&format!("/proc/{pid}/ns/net")),
            Path::new("/run/netns/blue"),
        );
        fs::write(self.place.join("numbers/a"), format!("{pid}\n")).expect("ours");
        fs::create_dir_all("/run/runc/box").expect("ours");
        let start = fs::read_to_string(format!("/proc/{pid}/stat")).expect("/proc");
        let start = start
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(19));
        let state = format!(
            r#"{{"id":"box","init_process_pid":{pid},"init_process_start":{}}}"#,
            start.expect("a start time")
        );
        fs::write("/run/runc/box/state.json", state).expect("ours");
        fs::create_dir_all("/run/systemd/machines").expect("ours");
        fs::write(
            "/run/systemd/machines/box",
            format!("NAME=box\nLEADER={pid}\n"),
        )
        .expect("ours");
    }

    /// What the command line becomes, as the user, with everything else as every run has it.
    pub(crate) fn launcher(&self, how: How, user: User, line: &str) -> Command {
        let mut line = line.to_owned();
        for (word, value) in &self.words {
            line = line.replace(word, value);
        }
        let mut words = line.split_whitespace();
        let program = self
            .place
            .join("bin")
            .join(words.next().expect("a program"));
        let mut command = Command::new(std::env::current_exe().expect("/proc"));
        command
            .arg(launch::WORD)
            .arg(how.word())
            .arg(match user {
                User::Root => "0".to_owned(),
                User::Ordinary => ORDINARY.to_string(),
            })
            .arg(self.place.join("status"))
            .arg(program)
            .args(words)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/")
            .current_dir(&self.place);
        command
    }

    /// A run of this case; what it prints is in the files `out` and `err`.
    pub(crate) fn command(&self, how: How, user: User, line: &str) -> Command {
        for name in ["out", "err", "status"] {
            fs::write(self.place.join(name), "").expect("ours");
            let open = fs::Permissions::from_mode(0o666);
            fs::set_permissions(self.place.join(name), open).expect("ours");
        }
        let append = |name: &str| {
            let file = fs::OpenOptions::new()
                .append(true)
                .open(self.place.join(name));
            file.expect("ours")
        };
        let mut command = self.launcher(how, user, line);
        command
            .stdin(Stdio::null())
            .stdout(append("out"))
            .stderr(append("err"));
        command
    }

    /// What a run has written, with numbers that change from run to run replaced.
    pub(crate) fn written(&self, name: &str) -> String {
        self.without_numbers(&self.written_with_numbers(name))
    }

    pub(crate) fn written_with_numbers(&self, name: &str) -> String {
        let text = fs::read(self.place.join(name)).expect("ours");
        String::from_utf8_lossy(&text).into_owned()
    }

    /// As before a run.
    pub(crate) fn reset(&self, user: User) {
        let files = self.place.join("f");
        // All mounts on one file, and then the next.
        for point in mount_points() {
            if Path::new(&point).starts_with(&files) {
                let _ = umount2(Path::new(&point), MntFlags::MNT_DETACH);
            }
        }
        fs::remove_dir_all(&files).expect("nothing is mounted there");
        fs::create_dir(&files).expect("ours");
        for kind in KINDS {
            fs::write(files.join(kind), "").expect("ours");
        }
        fs::create_dir(files.join("dir")).expect("ours");
        fs::write(files.join("number"), "before\n").expect("ours");
        if user == User::Ordinary {
            chown(&files, Some(ORDINARY), Some(ORDINARY)).expect("root can");
        }
    }

    /// What is there now.
    pub(crate) fn outside(&self) -> Outside {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.place.join("f")).expect("ours").flatten() {
            let name = entry.file_name().display().to_string();
            let is_plain = entry
                .metadata()
                .is_ok_and(|file| file.len() < 100 && file.is_file());
            let text = if is_plain && name.contains("number") {
                fs::read_to_string(entry.path()).unwrap_or_default()
            } else {
                String::new()
            };
            let is_number = text.trim_end().parse::<u32>().is_ok();
            let text = if is_number { "PID\n".to_owned() } else { text };
            let inside = fs::read_dir(entry.path()).into_iter().flatten().flatten();
            let mut inside: Vec<_> = inside.map(|entry| entry.file_name()).collect();
            inside.sort();
            // The name of a temporary file has a number.
            let name = if name.starts_with('.') {
                ".temporary".to_owned()
            } else {
                name
            };
            files.push(format!("{name} {text:?} {inside:?}"));
        }
        files.sort();
        let text = fs::read_to_string("/proc/self/mountinfo").expect("/proc");
        let mut mounts: Vec<_> = text
            .lines()
            .map(|line| line.split(' ').skip(3).collect::<Vec<_>>().join(" "))
            .map(|line| self.without_numbers(&line))
            .collect();
        mounts.sort();
        Outside { files, mounts }
    }

    /// Names for the numbers of namespaces, and none for PIDs.
    fn without_numbers(&self, text: &str) -> String {
        let mut result = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, behind) = rest.split_at(at);
            let digits = behind
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(behind.len());
            let (number, behind) = behind.split_at(digits);
            result.push_str(before);
            // The kernel numbers them from 0xf0000000 on.
            let is_namespace = number
                .parse::<u32>()
                .is_ok_and(|number| number >= 0xefff_ff00);
            if is_namespace {
                result.push_str(self.namespaces.get(number).map_or("new", String::as_str));
            } else if before.ends_with("\"child-pid\":") {
                result.push_str("PID");
            } else {
                result.push_str(number);
            }
            rest = behind;
        }
        result + rest
    }

    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }
}

fn mount_points() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").expect("/proc");
    let points = text.lines().filter_map(|line| line.split(' ').nth(4));
    points.map(str::to_owned).collect()
}

fn mount_tmpfs(on: &Path) {
    mount(
        Some("tmpfs"),
        on,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .expect("tmpfs can be mounted");
}

fn bind(from: &Path, on: &Path, more: MsFlags) {
    mount(
        Some(from),
        on,
        None::<&str>,
        MsFlags::MS_BIND | more,
        None::<&str>,
    )
    .unwrap_or_else(|error| panic!("{} on {}: {error}", from.display(), on.display()));
}

fn bind_file(from: &Path, on: &Path) {
    fs::write(on, "").expect("ours");
    bind(from, on, MsFlags::empty());
}

fn private(on: &Path) {
    mount(
        None::<&str>,
        on,
        None::<&str>,
        MsFlags::MS_PRIVATE | MsFlags::MS_REC,
        None::<&str>,
    )
    .expect("root can");
}

/// Devices of our own: a run that goes wrong may destroy one.
fn devices(dir: &Path) {
    mount_tmpfs(dir);
    for (name, major, minor) in [
        ("null", 1, 3),
        ("zero", 1, 5),
        ("full", 1, 7),
        ("random", 1, 8),
        ("urandom", 1, 9),
        ("tty", 5, 0),
    ] {
        let file = dir.join(name);
        mknod(&file, SFlag::S_IFCHR, Mode::empty(), makedev(major, minor)).expect("root can");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).expect("ours");
    }
    symlink("/proc/self/fd", dir.join("fd")).expect("ours");
    bind(dir, Path::new("/dev"), MsFlags::empty());
}

/// An /etc of our own, with an ordinary user who has subordinate IDs. Were only files mounted over the machine's, they would
/// be gone when another test makes an account there: that replaces them.
fn users(dir: &Path) {
    let copied = Command::new("cp").args(["-a", "/etc/."]).arg(dir).status();
    assert!(
        copied.is_ok_and(|status| status.success()),
        "/etc can be copied"
    );
    for (name, line) in [
        (
            "passwd",
            format!("faults:x:{ORDINARY}:{ORDINARY}::/:/bin/sh\n"),
        ),
        ("group", format!("faults:x:{ORDINARY}:\n")),
        ("subuid", "faults:300000:65536\n".to_owned()),
        ("subgid", "faults:300000:65536\n".to_owned()),
    ] {
        let file = dir.join(name);
        let text = fs::read_to_string(&file).unwrap_or_default();
        fs::write(file, format!("{line}{text}")).expect("ours");
    }
    bind(dir, Path::new("/etc"), MsFlags::empty());
}

/// The number of a namespace.
fn number(link: &str) -> String {
    let target = fs::read_link(link).expect("/proc");
    let target = target.to_str().expect("a plain name");
    target
        .split(['[', ']'])
        .nth(1)
        .expect("a number")
        .to_owned()
}

/// Waits for something that comes by itself, with a generous limit.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(100), "no {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
