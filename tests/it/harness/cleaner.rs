//! Cleaning that happens when the test process ends, however it ends.
//!
//! libtest has no "after all tests", and a test process may be killed. So a shell waits for the end
//! of a pipe that only this process holds open; then it ends every process of theirs, and does what was
//! asked for.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};

use super::processes::Mark;

/// Everything that the tests put into the file system for themselves is below this, each user may enter it.
static ROOM: LazyLock<PathBuf> = LazyLock::new(|| {
    let room = std::env::temp_dir().join(format!("nskit-test-{}", std::process::id()));
    // Ordered before it is made: nothing is left of a test process that is killed in between.
    at_end(&format!(
        r#"room='{}'
        while read -r _ _ _ _ point _; do
            case $point in "$room"/*) umount -l "$point" ;; esac
        done </proc/self/mountinfo
        rm -rf --one-file-system -- "$room""#,
        room.display()
    ));
    std::fs::create_dir(&room).expect("a directory for the tests");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&room, open).expect("our directory's mode can be set");
    room
});

/// The directory for what the tests need to have in the file system.
pub(super) fn room() -> &'static Path {
    &ROOM
}

/// Ends what carries the mark of a run of ours; what starts meanwhile is seen the next time.
const END_ALL: &str = r#"
    for round in 1 2 3 4 5 6 7 8 9 10; do
        left=
        for one in /proc/[0-9]*; do
            # Not all of it: a process may have an environment without end.
            head -c 6291456 "$one/environ" 2>/dev/null | grep -qz "^$mark" || continue
            kill -9 "${one#/proc/}"
            left=yes
        done
        [ "$left" ] || break
        sleep 0.1
    done
"#;

static SHELL: LazyLock<Mutex<Child>> = LazyLock::new(|| {
    let shell = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!(r#"orders=$(cat); {END_ALL} eval "$orders""#))
        .env("mark", Mark::prefix())
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
