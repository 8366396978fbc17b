//! `make install` and `make uninstall`: the names are also those of util-linux's programs, so nothing that is not
//! nskit's is replaced or taken away.

use crate::harness::*;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// packaging/install, as the Makefile calls it, below `root`, with the binary that is tested.
fn run(root: &Path, action: &str, more: &[(&str, &str)]) -> Output {
    in_place(Command::new(PROGRAM).arg(action), root, more)
}

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/install");

/// What the Makefile says by the environment.
fn in_place(command: &mut Command, root: &Path, more: &[(&str, &str)]) -> Output {
    command
        .env("binary", env!("CARGO_BIN_EXE_nskit"))
        .env("DESTDIR", root)
        .env("bindir", "/b")
        .env("mandir", "/m")
        .env("docdir", "/d")
        .env("bashdir", "/bash")
        .env("zshdir", "/zsh")
        .env("fishdir", "/fish")
        .env_remove("licensedir")
        .envs(more.iter().copied())
        .output()
        .expect("bash runs packaging/install")
}

/// Names below `root`, without it.
fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).expect("a directory") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a type").is_dir() {
                todo.push(entry.path());
            } else {
                let name = entry.path();
                let name = name.strip_prefix(root).expect("below the root");
                found.push(name.display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn installed_and_taken_away_whole() {
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path();
    for _ in 0..2 {
        let output = run(root, "install", &[]);
        assert!(output.status.success(), "{output:?}");
        let there = files(root);
        for name in [
            "b/nskit",
            "b/unshare",
            "m/man1/nsenter.1",
            "m/man7/nskit-explain.7",
            "zsh/_setns",
            "d/LICENSE-MIT",
            "d/THIRD-PARTY",
        ] {
            assert!(there.iter().any(|file| file == name), "{name} in {there:?}");
        }
        assert_eq!(
            fs::read_link(root.join("b/unshare")).expect("a link"),
            Path::new("nskit")
        );
    }
    let output = run(root, "uninstall", &[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(files(root), [] as [&str; 0]);
}

#[test]
fn only_the_applets_chosen() {
    let root = tempfile::tempdir().expect("a directory");
    let output = run(root.path(), "install", &[("APPLETS", "setns")]);
    assert!(output.status.success(), "{output:?}");
    let there = files(root.path());
    assert!(there.iter().any(|file| file == "b/setns"), "{there:?}");
    assert!(
        !there.iter().any(|file| file.contains("unshare")),
        "{there:?}"
    );
    let output = run(root.path(), "install", &[("APPLETS", "mount")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn what_is_not_ours_is_neither_replaced_nor_taken_away() {
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path();
    fs::create_dir(root.join("b")).expect("made");
    fs::write(root.join("b/unshare"), "of nskit? no").expect("written");
    let output = run(root, "install", &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("b/unshare was not installed by nskit")
    );
    assert_eq!(files(root), ["b/unshare"], "nothing was changed");
    assert!(run(root, "install", &[("FORCE", "1")]).status.success());
    fs::remove_file(root.join("b/unshare")).expect("removed");
    fs::write(root.join("b/unshare"), "util-linux came back").expect("written");
    fs::write(root.join("bash/nskit"), "changed by the administrator").expect("written");
    let output = run(root, "uninstall", &[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(files(root), ["b/unshare", "bash/nskit"]);
}

#[test]
fn a_full_disk_changes_nothing() {
    needs!(root());
    let root = tempfile::tempdir().expect("a directory");
    // The disk is full in the midst of them: a small file stands for the binary.
    let script = r#"mount -t tmpfs -o size=$SIZE none "$DESTDIR"
mkdir "$DESTDIR/fish"
head -c $FILL /dev/zero >"$DESTDIR/fill"
"$PROGRAM" install 2>/dev/null
echo $?
cd "$DESTDIR" && find . ! -type d"#;
    let run = |fill: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nskit"));
        command.args(["unshare", "-m", "sh", "-c", script]);
        let more = [
            ("PROGRAM", PROGRAM),
            ("binary", concat!(env!("CARGO_MANIFEST_DIR"), "/Makefile")),
            ("SIZE", "1m"),
            ("FILL", fill),
        ];
        let output = in_place(&mut command, root.path(), &more);
        String::from_utf8(output.stdout).expect("text")
    };
    assert_eq!(run("1000000"), "1\n./fill\n");
    assert!(run("1000").starts_with("0\n"), "there was room");
}

#[test]
fn a_link_that_waits_for_the_file_is_not_followed() {
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path();
    fs::create_dir(root.join("b")).expect("made");
    fs::write(root.join("theirs"), "theirs").expect("written");
    for name in ["unshare", "unshare.new", "nskit"] {
        std::os::unix::fs::symlink("../theirs", root.join("b").join(name)).expect("made");
    }
    assert_eq!(run(root, "install", &[]).status.code(), Some(1));
    assert!(run(root, "install", &[("FORCE", "1")]).status.success());
    let theirs = fs::read_to_string(root.join("theirs")).expect("read");
    assert_eq!(theirs, "theirs");
    let nskit = fs::symlink_metadata(root.join("b/nskit")).expect("there");
    assert!(nskit.is_file(), "the file in place of the link");
    assert!(run(root, "uninstall", &[]).status.success());
    assert_eq!(files(root), ["b/unshare.new", "theirs"]);
}
