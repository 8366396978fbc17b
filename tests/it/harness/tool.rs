//! Starting the tools under test, in an environment that the tests control.
//!
//! The hard thing: nothing may hang and nothing may stay. Every run has a time limit, and carries a
//! mark in its environment by which whatever it left behind is found.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::processes::{self, Mark};
use super::ran::Ran;
use super::user::ORDINARY;
use super::{cleaner, needs};

/// Where the tests look for the system's programs.
pub(crate) const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long a run may take. All but a few take well under a second, and those that go step by step some seconds; with twenty
/// others that want the same processor, more than 120 seconds were seen.
const LIMIT: Duration = Duration::from_secs(300);

/// How long what a tool has started may take to end after it. A failing test waits so long; no other does.
const GRACE: Duration = Duration::from_secs(20);

/// The directory with the tools under test, under their own names, that every user can reach.
///
/// The build directory may be below a home that only its owner can enter.
static STAGE: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = cleaner::room().join("tools");
    std::fs::create_dir(&dir).expect("a directory for the tools");
    if needs::theirs() {
        for name in ["unshare", "nsenter"] {
            let found = match std::env::var_os("UNDER_TEST_DIR") {
                Some(dir) => Path::new(&dir).join(name),
                None => needs::find(name).unwrap_or_else(|| panic!("no {name} in PATH")),
            };
            std::os::unix::fs::symlink(found, dir.join(name)).expect("a link to a tool");
        }
    } else {
        let built = std::env::var_os("NSKIT_BIN")
            .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_nskit")), PathBuf::from);
        // cp, not std::fs::copy: a descriptor open for writing that another thread's child inherits
        // for a moment would make the first exec fail with ETXTBSY.
        let copied = Command::new("cp")
            .arg(&built)
            .arg(dir.join("nskit"))
            .status()
            .expect("cp starts");
        assert!(copied.success(), "cannot copy {}", built.display());
        for name in ["unshare", "nsenter", "setns"] {
            std::os::unix::fs::symlink("nskit", dir.join(name)).expect("a link to nskit");
        }
    }
    dir
});

/// A tool (or another program) to run, in a controlled environment: no locale, a fixed `PATH`
/// with the tools under test in front, no `SHELL`.
pub(crate) struct Tool {
    command: Command,
    stdin: Option<Vec<u8>>,
    limit: Duration,
    mark: Mark,
}

impl Tool {
    /// `unshare` under test.
    pub(crate) fn unshare() -> Self {
        Self::staged("unshare")
    }

    /// `nsenter` under test.
    pub(crate) fn nsenter() -> Self {
        Self::staged("nsenter")
    }

    /// `setns`, which only nskit has.
    pub(crate) fn setns() -> Self {
        Self::staged("setns")
    }

    /// nskit under its own name.
    pub(crate) fn nskit() -> Self {
        Self::staged("nskit")
    }

    fn staged(name: &str) -> Self {
        Self::program(STAGE.join(name)).arg0(name)
    }

    /// `sh -c SCRIPT`, which finds the tools under test in its `PATH`; for what a caller does.
    pub(crate) fn shell(script: &str) -> Self {
        Self::program("/bin/sh").arg("-c").arg(script)
    }

    /// A maker of fixtures: util-linux's `unshare` where there is one, so that a test's frame does not
    /// depend on the code under test.
    pub(crate) fn fixture() -> Self {
        match needs::util_linux_unshare() {
            Some(path) => Self::program(path),
            None => Self::unshare(),
        }
    }

    /// Any program.
    pub(crate) fn program(path: impl AsRef<OsStr>) -> Self {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let mark = Mark::new(RUNS.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new(path);
        command
            .env_clear()
            .env("PATH", format!("{}:{SYSTEM_PATH}", STAGE.display()))
            .env("HOME", "/")
            .env("TERM", "dumb")
            .env(Mark::VARIABLE, mark.value())
            .current_dir("/");
        // Where coverage is measured, the binary must know where to write it.
        for (name, value) in std::env::vars_os() {
            if name == "LLVM_PROFILE_FILE" {
                command.env(name, value);
            }
        }
        Self {
            command,
            stdin: None,
            limit: LIMIT,
            mark,
        }
    }

    /// The file that is run for this applet, to be called under other names.
    pub(crate) fn path_of(name: &str) -> PathBuf {
        STAGE.join(name)
    }

    /// Another argv[0].
    pub(crate) fn arg0(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.arg0(name);
        self
    }

    /// Words, separated by blanks; there is no quoting.
    pub(crate) fn line(mut self, words: &str) -> Self {
        self.command.args(words.split_ascii_whitespace());
        self
    }

    /// One word.
    pub(crate) fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.command.arg(word);
        self
    }

    /// Several words.
    pub(crate) fn args<W: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.command.args(words);
        self
    }

    /// The program is `sh -c SCRIPT`.
    pub(crate) fn sh(self, script: &str) -> Self {
        self.args(["sh", "-c", script])
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Leaves a variable out.
    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Another working directory.
    pub(crate) fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// What it can read from standard input; nothing otherwise.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// As an ordinary user: another one when the tests run as root, else ourselves.
    pub(crate) fn by_ordinary(self) -> Self {
        if needs::is_root() {
            self.by_user(ORDINARY, ORDINARY)
        } else {
            self
        }
    }

    /// As this user and group, without supplementary groups (as std does it for a caller that is root).
    pub(crate) fn by_user(mut self, uid: u32, gid: u32) -> Self {
        self.command.uid(uid).gid(gid);
        self
    }

    /// The standard library's command, for the ways of starting that are not here.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    /// Starts it and does not wait.
    #[track_caller]
    pub(crate) fn start(mut self) -> Started {
        let out = tempfile::tempfile().expect("a temporary file");
        let err = tempfile::tempfile().expect("a temporary file");
        let stdin = match self.stdin.take() {
            None => Stdio::null(),
            Some(bytes) => {
                let mut file = tempfile::tempfile().expect("a temporary file");
                file.write_all(&bytes)
                    .expect("a temporary file takes bytes");
                file.rewind().expect("a file can be rewound");
                Stdio::from(file)
            }
        };
        self.command
            .stdin(stdin)
            .stdout(Stdio::from(out.try_clone().expect("a descriptor")))
            .stderr(Stdio::from(err.try_clone().expect("a descriptor")));
        let shown = shown(&self.command);
        let child = self
            .command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        Started {
            child,
            out,
            err,
            limit: self.limit,
            mark: self.mark,
            shown,
            over: false,
        }
    }

    /// Starts it and waits for its end.
    ///
    /// # Panics
    /// When it takes too long, or when a process that it started is still there after it ended.
    #[track_caller]
    pub(crate) fn run(self) -> Ran {
        self.start().wait()
    }
}

/// The command line as one could type it, more or less.
fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A run under way. Dropped, it is killed with everything that it started.
pub(crate) struct Started {
    child: Child,
    out: File,
    err: File,
    limit: Duration,
    mark: Mark,
    shown: String,
    over: bool,
}

impl Started {
    /// Its PID.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a PID fits")
    }

    /// What it has written to standard output up to now.
    pub(crate) fn stdout_so_far(&self) -> String {
        String::from_utf8_lossy(&contents(&self.out)).into_owned()
    }

    /// Waits until its standard output has this in it, and gives all of it.
    #[track_caller]
    pub(crate) fn until_says(&self, part: &str) -> String {
        processes::eventually(&format!("{} says {part:?}", self.shown), || {
            // In this order: what it says before it ends counts.
            let over = !processes::alive(self.pid());
            let said = self.stdout_so_far();
            if said.contains(part) {
                return Some(said);
            }
            let stderr = contents(&self.err);
            assert!(
                !over,
                "ended without saying {part:?}: {}\nstdout: {said}\nstderr: {}",
                self.shown,
                String::from_utf8_lossy(&stderr)
            );
            None
        })
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ran {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our child can be waited for") {
                break status;
            }
            assert!(
                begun.elapsed() < self.limit,
                "still running after {:?}: {}\nstdout: {}\nstderr: {}",
                self.limit,
                self.shown,
                String::from_utf8_lossy(&contents(&self.out)),
                String::from_utf8_lossy(&contents(&self.err)),
            );
            std::thread::sleep(Duration::from_millis(1));
        };
        self.over = true;
        let strays = self.mark.kill_strays(GRACE);
        let ran = Ran {
            shown: std::mem::take(&mut self.shown),
            ended: status.into(),
            stdout: contents(&self.out),
            stderr: contents(&self.err),
        };
        assert!(strays.is_empty(), "left behind: {strays:?}: {ran}");
        ran
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        processes::kill_tree(self.pid());
        self.mark.kill_strays(Duration::ZERO);
        self.child.wait().ok();
    }
}

/// The whole file, whatever offset it shares with the process that writes it.
pub(super) fn contents(file: &File) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut bytes =
        vec![0; usize::try_from(file.metadata().expect("a length").len()).expect("fits")];
    let read = file.read_at(&mut bytes, 0).expect("a file can be read");
    bytes.truncate(read);
    bytes
}
