//! How a run ended and what it wrote.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;

/// How a process ended, as its parent saw it: one of two things, never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It exited with this code.
    Exited(i32),
    /// It was killed by this signal, and whether it left a core dump.
    Killed { signal: i32, core: bool },
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Killed {
                signal,
                core: status.core_dumped(),
            },
            (None, None) => panic!("a process that was waited for has ended: {status:?}"),
        }
    }
}

/// A finished run. Its assertions show the whole run when they fail, and hand it on when they hold.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The command line, for messages.
    pub(crate) shown: String,
    /// How it ended.
    pub(crate) ended: Ended,
    /// What it wrote to standard output.
    pub(crate) stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub(crate) stderr: Vec<u8>,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "\n   ran: {}\n ended: {:?}\nstdout: {}\nstderr: {}",
            self.shown,
            self.ended,
            String::from_utf8_lossy(&self.stdout),
            String::from_utf8_lossy(&self.stderr)
        )
    }
}

impl Ran {
    /// Whether it exited with 0.
    pub(crate) fn succeeded(&self) -> bool {
        self.ended == Ended::Exited(0)
    }

    /// It exited with 0 and had nothing to complain of.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0).err("")
    }

    /// It exited with this code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.ended, Ended::Exited(code), "{self}");
        self
    }

    /// It was killed by this signal and left no core dump.
    #[track_caller]
    pub(crate) fn dies_of(self, signal: Signal) -> Self {
        let signal = signal as i32;
        assert_eq!(
            self.ended,
            Ended::Killed {
                signal,
                core: false
            },
            "{self}"
        );
        self
    }

    /// Standard output is exactly this.
    #[track_caller]
    pub(crate) fn out(self, expected: &str) -> Self {
        assert_eq!(String::from_utf8_lossy(&self.stdout), expected, "{self}");
        self
    }

    /// Standard error is exactly this.
    #[track_caller]
    pub(crate) fn err(self, expected: &str) -> Self {
        assert_eq!(String::from_utf8_lossy(&self.stderr), expected, "{self}");
        self
    }

    /// Standard error has this in it.
    #[track_caller]
    pub(crate) fn err_has(self, part: &str) -> Self {
        assert!(
            String::from_utf8_lossy(&self.stderr).contains(part),
            "no {part:?}: {self}"
        );
        self
    }

    /// Standard output as text, without its last newline.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        let text =
            std::str::from_utf8(&self.stdout).unwrap_or_else(|_| panic!("not UTF-8: {self}"));
        text.strip_suffix('\n').unwrap_or(text).to_owned()
    }

    /// Standard output, line by line.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }
}
