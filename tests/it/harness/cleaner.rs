//! Cleaning that happens when the test process ends, however it ends.
//!
//! libtest has no "after all tests", and a test process may be killed. So a shell waits for the end
//! of a pipe that only this process holds open, and then does what was asked for.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};

static SHELL: LazyLock<Mutex<Child>> = LazyLock::new(|| {
    let shell = Command::new("/bin/sh")
        .args(["-c", r#"orders=$(cat); eval "$orders""#])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A Ctrl-C that ends the tests must not end the cleaning.
        .process_group(0)
        .spawn()
        .expect("/bin/sh starts");
    Mutex::new(shell)
});

/// Has the shell command `order` run after this process has ended.
pub(super) fn at_end(order: &str) {
    let mut shell = SHELL
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let pipe = shell.stdin.as_mut().expect("its stdin is a pipe");
    writeln!(pipe, "{order}").expect("the cleaner takes orders");
}
