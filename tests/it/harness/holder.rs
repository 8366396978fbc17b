//! Namespaces for a test to enter, kept by a process that lives as long as the guard.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;

use super::processes;
use super::tool::{Tool, contents};

/// A process in namespaces of its own, made by util-linux where there is one.
pub(crate) struct Holder {
    /// The maker, which is our child, and is the held process itself unless it forked.
    maker: Child,
    pid: i32,
}

/// Learns its PID as our /proc has it: the shell itself opens the file.
const WHO: &str = "read -r pid rest </proc/self/stat";

/// Says its PID, then stays until the test is over: until its standard input ends, so that it cannot
/// outlive the test process either.
const STAY: &str = "echo $pid; exec cat";

impl Holder {
    /// Holds what `unshare WORDS` makes. A PID or time namespace wants `-f` among the words.
    #[track_caller]
    pub(crate) fn unshare(words: &str) -> Self {
        Self::doing(words, "")
    }

    /// As [`Holder::unshare`], and does `script` inside first.
    #[track_caller]
    pub(crate) fn doing(words: &str, script: &str) -> Self {
        Self::of(Tool::fixture().line(words), script)
    }

    /// As [`Holder::unshare`], for an ordinary user.
    #[track_caller]
    pub(crate) fn ordinary(words: &str) -> Self {
        Self::of(Tool::fixture().line(words).by_ordinary(), "")
    }

    /// A process of any making: `tool` is given a shell to run.
    #[track_caller]
    pub(crate) fn of(tool: Tool, script: &str) -> Self {
        Self::spawn(
            tool.sh(&format!("set -e; {WHO}\n{script}\n{STAY}"))
                .into_command(),
        )
    }

    #[track_caller]
    fn spawn(mut command: Command) -> Self {
        let complaints = tempfile::tempfile().expect("a temporary file");
        let mut maker = command
            .stderr(complaints.try_clone().expect("a descriptor"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let mut line = String::new();
        let said = maker.stdout.take().expect("stdout is a pipe");
        BufReader::new(said)
            .read_line(&mut line)
            .expect("a pipe can be read");
        let pid = line.trim().parse().unwrap_or_else(|_| {
            maker.wait().ok();
            let complaints = String::from_utf8_lossy(&contents(&complaints)).into_owned();
            panic!("{command:?} said {line:?} instead of its PID: {complaints}")
        });
        let holder = Self { maker, pid };
        // Until then it is a shell, with what a shell makes of its environment; and while it becomes cat, it has
        // the name already and no environment yet.
        processes::eventually("the holder only waits", || {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            (name.trim() == "cat" && processes::state(pid) == Some('S')).then_some(())
        });
        holder
    }

    /// The PID of the process inside, as seen from here.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Its namespace of this kind, as a file.
    pub(crate) fn file(&self, kind: &str) -> String {
        format!("/proc/{}/ns/{kind}", self.pid)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        processes::kill(self.pid, Signal::SIGKILL);
        // The maker ends with its child; a maker that does not is killed too.
        self.maker.kill().ok();
        self.maker.wait().ok();
    }
}
