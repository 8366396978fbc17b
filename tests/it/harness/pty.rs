//! A terminal with an interactive shell in it, for job control.

use nix::sys::signal::Signal;
use rexpect::session::{PtySession, spawn_command};

use super::processes;
use super::tool::Tool;

/// How long to wait for what must appear on the terminal. Only a failing test waits so long.
const PATIENCE_MS: u64 = 60_000;

/// An interactive `bash` on a terminal of its own that does not echo, with the tools under test in its `PATH`.
pub(crate) struct Terminal {
    session: PtySession,
    shell: i32,
}

impl Terminal {
    /// Starts the shell and waits for its first prompt.
    #[track_caller]
    pub(crate) fn shell() -> Self {
        // Whoever starts the tests in the background has them ignore SIGINT, and a shell cannot undo that.
        let command = Tool::program("/usr/bin/env")
            .args(["--default-signal", "/bin/bash"])
            .args(["--norc", "--noprofile", "--noediting", "-i"])
            .env("PS1", "[$?]ready> ")
            .into_command();
        let session = spawn_command(command, Some(PATIENCE_MS)).expect("bash starts on a terminal");
        let shell = session.process().child_pid.as_raw();
        let mut terminal = Self { session, shell };
        terminal.expect("ready> ");
        terminal
    }

    /// The shell's PID.
    pub(crate) fn pid(&self) -> i32 {
        self.shell
    }

    /// Types a line.
    #[track_caller]
    pub(crate) fn types(&mut self, line: &str) {
        self.session
            .send_line(line)
            .expect("the terminal takes input");
    }

    /// Types a control character: `'c'`, `'z'`.
    #[track_caller]
    pub(crate) fn control(&mut self, letter: char) {
        self.session
            .send_control(letter)
            .expect("the terminal takes input");
    }

    /// Waits for this to appear, and gives what came before it.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> String {
        self.session
            .exp_string(text)
            .unwrap_or_else(|error| panic!("no {text:?} on the terminal: {error}"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // An interactive bash ignores SIGTERM, which is what rexpect would send it.
        processes::kill_tree(self.shell);
        processes::kill(self.shell, Signal::SIGKILL);
    }
}
