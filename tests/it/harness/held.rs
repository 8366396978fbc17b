//! A run that strace(1) stops at a system call, for a test that does something meanwhile.

use std::ffi::OsStr;
use std::path::Path;

use nix::sys::signal::Signal;

use super::places::Place;
use super::processes::{eventually, kill};
use super::ran::Ran;
use super::tool::{Started, Tool};

/// The process of which strace(1) writes to `trace` that it has stopped. Its state would not tell: it is the same in each
/// call that is traced.
#[track_caller]
pub(crate) fn stopped_in(trace: &str) -> i32 {
    eventually("it has stopped", || {
        let text = std::fs::read_to_string(trace).ok()?;
        let line = text
            .lines()
            .find(|line| line.ends_with("--- stopped by SIGSTOP ---"))?;
        line.split_once(' ')?.0.parse().ok()
    })
}

/// A run of which one process has stopped.
pub(crate) struct Held {
    started: Started,
    /// The process that has stopped.
    pid: i32,
    _place: Place,
}

impl Held {
    /// Runs the words in `dir` under strace(1); the first process that makes this call stops when it has made it.
    #[track_caller]
    pub(crate) fn after<W: AsRef<OsStr>>(
        call: &str,
        dir: &Path,
        words: impl IntoIterator<Item = W>,
    ) -> Self {
        Self::after_with(call, &[], dir, words)
    }

    /// As [`Held::after`], where calls fail as `errors` say (strace(1), `inject`).
    #[track_caller]
    pub(crate) fn after_with<W: AsRef<OsStr>>(
        call: &str,
        errors: &[&str],
        dir: &Path,
        words: impl IntoIterator<Item = W>,
    ) -> Self {
        let place = Place::new();
        let trace = place.at("trace");
        let mut calls = Vec::from(errors);
        let stop = format!("{call}:signal=STOP");
        calls.push(&stop);
        let names: Vec<_> = calls
            .iter()
            .filter_map(|call| call.split(':').next())
            .collect();
        let started = Tool::program("strace")
            .args(["-f", "-qq", "-o", &trace])
            .args(["-e", &format!("trace={}", names.join(","))])
            .args(calls.iter().map(|call| format!("--inject={call}")))
            .args(words)
            .dir(dir)
            .start();
        Self {
            started,
            pid: stopped_in(&trace),
            _place: place,
        }
    }

    /// The process that has stopped.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// strace(1), whose child the run is.
    pub(crate) fn strace(&self) -> i32 {
        self.started.pid()
    }

    /// Lets it go on, to its end.
    #[track_caller]
    pub(crate) fn go(self) -> Ran {
        kill(self.pid, Signal::SIGCONT);
        self.started.wait()
    }
}
