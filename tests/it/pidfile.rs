//! `--pidfile=FILE`: which files are written, and that FILE is what it was before when the program does not start.

use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::Path;

use crate::harness::*;

fn pidfile() -> Need {
    ours("lacks --pidfile")
}

/// All that is in a directory: name, inode, mode, time of change of the contents, and the text of a file or a link.
fn everything(place: &Place) -> Vec<(String, u64, u32, i64, String)> {
    let mut all: Vec<_> = std::fs::read_dir(place.path())
        .expect("a directory")
        .map(|entry| {
            let entry = entry.expect("an entry");
            let (path, kind) = (entry.path(), entry.file_type().expect("a type"));
            let file = std::fs::symlink_metadata(&path).expect("it is there");
            let text = if kind.is_symlink() {
                std::fs::read_link(&path)
                    .expect("a link")
                    .display()
                    .to_string()
            } else if kind.is_file() {
                std::fs::read_to_string(&path).expect("a file")
            } else {
                String::new()
            };
            // A directory changes with what is in it.
            let time = if kind.is_dir() { 0 } else { file.mtime_nsec() };
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, file.ino(), file.mode(), time, text)
        })
        .collect();
    all.sort();
    all
}

fn names(place: &Place) -> Vec<String> {
    everything(place).into_iter().map(|one| one.0).collect()
}

/// The ways to start a program, and how it can fail to start, with the exit status.
const WAYS: [&str; 5] = ["", "-f", "-u", "--init", "-S 0 -f --kill-child"];
const FAILURES: [(&str, i32); 4] = [
    ("nosuchprogram", 127),
    ("/proc", 126),
    ("-w /nonexistent true", 1),
    ("--mount-proc=/nonexistent true", 1),
];

#[test]
fn what_is_no_regular_file_is_refused_by_name_and_left_alone() {
    needs!(pidfile(), root(), command("mknod"), command("python3"));
    let place = Place::new();
    // A device of the test's own, of the numbers of /dev/null.
    let make = format!(
        "cd {} && mkfifo fifo && mknod null c 1 3 && mknod disk b 240 99 && mkdir dir && ln -s null to-null &&
         ln -s fifo to-fifo && ln -s to-fifo to-to-fifo && ln -s dir to-dir && ln -s loop loop &&
         ln -s /proc/self/fd/0 descriptor &&
         python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"socket\")'",
        place.path().display()
    );
    Tool::shell(&make).run().ok();
    let null = std::fs::symlink_metadata(place.at("null")).expect("a device");
    assert!(null.file_type().is_char_device());
    let before = everything(&place);
    for (name, line) in [
        ("fifo", "--pidfile: fifo is a FIFO, not a regular file"),
        (
            "socket",
            "--pidfile: socket is a socket, not a regular file",
        ),
        (
            "null",
            "--pidfile: null is a character device, not a regular file",
        ),
        (
            "disk",
            "--pidfile: disk is a block device, not a regular file",
        ),
        (
            "to-null",
            "--pidfile: to-null is a character device, not a regular file",
        ),
        (
            "to-fifo",
            "--pidfile: to-fifo is a FIFO, not a regular file",
        ),
        (
            "to-to-fifo",
            "--pidfile: to-to-fifo is a FIFO, not a regular file",
        ),
        // What the tests give for standard input.
        (
            "descriptor",
            "--pidfile: descriptor is a character device, not a regular file",
        ),
        ("dir", "cannot open dir: Is a directory"),
        ("dir/", "cannot open dir/: Is a directory"),
        ("dir/.", "cannot open dir/.: Is a directory"),
        ("to-dir", "cannot open to-dir: Is a directory"),
        (
            "loop",
            "cannot open loop: Too many levels of symbolic links",
        ),
        ("null/pid", "cannot open null/pid: Not a directory"),
        ("", "cannot open : No such file or directory"),
    ] {
        for way in WAYS.into_iter().chain(["--dry-run"]) {
            for program in ["echo it ran", "nosuchprogram"] {
                let ran = Tool::unshare()
                    .arg(format!("--pidfile={name}"))
                    .line(way)
                    .line(program)
                    .dir(place.path())
                    .run()
                    .exits(1)
                    .out("");
                let said = String::from_utf8_lossy(&ran.stderr).into_owned();
                assert!(said.starts_with(&format!("unshare: {line}\n")), "{ran}");
                assert_eq!(everything(&place), before, "{ran}");
            }
        }
    }
}

#[test]
fn an_open_file_is_not_taken_from_those_who_have_it_open() {
    needs!(pidfile());
    let place = Place::new();
    // What the program says goes where the caller wanted it.
    let script = format!(
        "unshare --pidfile=/dev/stdout echo it ran >{0}; unshare --pidfile=/proc/self/fd/9 echo it ran 9>>{0}; echo $?",
        place.at("log")
    );
    let ran = Tool::shell(&script).run().out("1\n");
    ran.err_has("unshare: --pidfile: /dev/stdout is a link to an open file, not a regular file\n")
        .err_has(
            "unshare: --pidfile: /proc/self/fd/9 is a link to an open file, not a regular file\n",
        );
    assert_eq!(names(&place), ["log"]);
    assert_eq!(
        std::fs::read_to_string(place.at("log")).expect("a file"),
        ""
    );
}

#[test]
fn a_symbolic_link_leads_to_the_file() {
    needs!(pidfile(), root());
    for there in [true, false] {
        let place = Place::new();
        place.subdir("dir");
        place.subdir("other");
        if there {
            place.file("dir/pid", "before");
        }
        symlink("to-dir/../dir/pid", place.at("relative")).expect("a link");
        symlink("dir", place.at("to-dir")).expect("a link");
        symlink(place.at("relative"), place.at("other/absolute")).expect("a link");
        let before = everything(&place);
        for name in ["relative", "other/absolute", "to-dir/pid"] {
            for way in WAYS {
                let ran = Tool::unshare()
                    .arg(format!("--pidfile={name}"))
                    .line(way)
                    .sh("cat dir/pid")
                    .dir(place.path())
                    .run()
                    .ok();
                let pid: i32 = ran.text().parse().expect("a number");
                assert!(pid > 1, "{ran}");
                // The links are what they were.
                assert_eq!(everything(&place), before, "{ran}");
            }
            std::fs::remove_file(place.at("dir/pid")).expect("it was written");
            if there {
                place.file("dir/pid", "before");
            }
            let file = std::fs::metadata(place.at("dir/pid")).map(|file| file.ino());
            for (failing, code) in FAILURES {
                Tool::unshare()
                    .arg(format!("--pidfile={name}"))
                    .line(failing)
                    .dir(place.path())
                    .run()
                    .exits(code);
                let after = std::fs::metadata(place.at("dir/pid")).map(|file| file.ino());
                assert_eq!(after.ok(), file.as_ref().ok().copied());
                assert_eq!(everything(&place), before, "{name}");
            }
        }
    }
}

#[test]
fn a_symbolic_link_that_anybody_could_have_made() {
    needs!(pidfile(), root());
    let place = Place::new();
    let shared = place.subdir("shared");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
    std::fs::set_permissions(&shared, mode).expect("our directory");
    let victim = place.file("victim", "precious");
    symlink(&victim, place.at("shared/pid")).expect("a link");
    std::os::unix::fs::lchown(place.at("shared/pid"), Some(ORDINARY), Some(ORDINARY))
        .expect("root can chown");
    for way in ["", "-f"] {
        Tool::unshare()
            .arg(format!("--pidfile={shared}/pid"))
            .line(way)
            .line("echo it ran")
            .run()
            .exits(1)
            .out("")
            .err_has(&format!(
                "unshare: cannot open {shared}/pid: Permission denied\n"
            ));
    }
    assert_eq!(std::fs::read_to_string(victim).expect("a file"), "precious");
}

#[test]
fn a_file_is_what_it_was_when_the_program_does_not_start() {
    needs!(pidfile(), root());
    for way in WAYS.into_iter().chain(["--owner 7:7", "--uts=uts"]) {
        for (failing, code) in FAILURES {
            let place = Place::new();
            place.file("uts", "");
            place.file("pid", "of an instance that runs\n");
            std::fs::set_permissions(
                place.at("pid"),
                std::os::unix::fs::PermissionsExt::from_mode(0o640),
            )
            .expect("our file");
            let before = everything(&place);
            let ran = Tool::unshare()
                .arg("--pidfile=pid")
                .line(way)
                .line(failing)
                .dir(place.path())
                .run();
            // Another user may not find the same.
            if !way.contains('7') {
                assert_eq!(ran.ended, Ended::Exited(code), "{ran}");
            }
            assert!(!ran.succeeded(), "{ran}");
            assert_eq!(everything(&place), before, "{ran}");
        }
    }
}

#[test]
fn nothing_is_left_beside_the_file() {
    needs!(pidfile(), root());
    for way in WAYS {
        let place = Place::new();
        place.file("pid", "before");
        Tool::unshare()
            .arg("--pidfile=pid")
            .line(way)
            .line("true")
            .dir(place.path())
            .run()
            .ok();
        // Without a fork the helper ends after the program has started.
        eventually("only the file is there", || {
            (names(&place) == ["pid"]).then_some(())
        });
    }
}

/// Runs the words under strace(1), which has the calls fail as told.
fn with_errors(place: &Place, errors: &[&str], words: &str) -> Ran {
    let trace = Place::new();
    let mut tool = Tool::program("strace").args(["-f", "-qq", "-o", &trace.at("trace")]);
    for error in errors {
        tool = tool.args(["-e", &format!("inject={error}")]);
    }
    tool.line(words).dir(place.path()).run()
}

#[test]
fn where_two_files_cannot_change_their_names() {
    needs!(pidfile(), command("strace"));
    let without_exchange = "renameat2:error=EINVAL";
    for there in [true, false] {
        let place = Place::new();
        if there {
            place.file("pid", "before");
        }
        let before = everything(&place);
        with_errors(
            &place,
            &[without_exchange],
            "unshare --pidfile=pid nosuchprogram",
        )
        .exits(127);
        assert_eq!(everything(&place), before);
        // Neither that nor links: then it cannot be done, and nothing is changed.
        let errors = [without_exchange, "linkat:error=EPERM"];
        with_errors(&place, &errors, "unshare --pidfile=pid echo it ran")
            .exits(1)
            .out("")
            .err_has("unshare: write failed pid: Operation not permitted\n");
        assert_eq!(everything(&place), before);
        let words = "unshare --pidfile=pid cat pid";
        let ran = with_errors(&place, &[without_exchange], words).ok();
        assert!(ran.text().parse::<i32>().is_ok(), "{ran}");
        eventually("only the file is there", || {
            (names(&place) == ["pid"]).then_some(())
        });
    }
}

#[test]
fn another_file_that_was_put_there_meanwhile_stays() {
    needs!(pidfile(), command("strace"));
    for there in [true, false] {
        let place = Place::new();
        if there {
            place.file("pid", "before");
        }
        let words = ["unshare", "--pidfile=pid", "/nosuchprogram"];
        let held = Held::after("execve:when=1", place.path(), words);
        assert_eq!(
            std::fs::read_to_string(place.at("pid")).expect("a file"),
            format!("{}\n", held.pid())
        );
        place.file("new", "of another");
        std::fs::rename(place.at("new"), place.at("pid")).expect("our files");
        let before = std::fs::metadata(place.at("pid")).expect("a file").ino();
        held.go().exits(127);
        let after = std::fs::metadata(place.at("pid")).expect("a file").ino();
        assert_eq!((names(&place), after), (vec!["pid".to_owned()], before));
    }
}

#[test]
fn what_came_into_the_way_meanwhile_is_left_alone() {
    needs!(pidfile(), command("strace"));
    for make in ["mkfifo pid", "ln -s fifo pid", "mkdir pid"] {
        for there in [true, false] {
            let place = Place::new();
            if there {
                place.file("pid", "before");
            }
            let words = ["unshare", "--pidfile=pid", "-w", "/", "echo", "it ran"];
            let held = Held::after("chdir", place.path(), words);
            let script = format!("rm -f pid; {make}");
            Tool::shell(&script).dir(place.path()).run().ok();
            let before = everything(&place);
            held.go()
                .exits(1)
                .out("")
                .err_has("unshare: write failed pid: Operation not permitted\n");
            assert_eq!(everything(&place), before, "{make}");
        }
    }
}

#[test]
fn what_came_into_the_way_and_cannot_go_back_is_not_removed() {
    needs!(pidfile(), command("strace"));
    let place = Place::new();
    let words = ["unshare", "--pidfile=pid", "-w", "/", "echo", "it ran"];
    // The second time is the way back.
    let errors = ["renameat2:error=EIO:when=2"];
    let held = Held::after_with("chdir", &errors, place.path(), words);
    let fifo = place.at("pid");
    Tool::program("mkfifo").arg(&fifo).run().ok();
    let before = std::fs::metadata(&fifo).expect("a FIFO").ino();
    held.go()
        .exits(1)
        .out("")
        .err_has("unshare: write failed pid: Input/output error\n");
    assert!(everything(&place).iter().any(|one| one.1 == before));
}

#[test]
fn a_full_disk() {
    needs!(pidfile(), root());
    let place = Place::new();
    let dir = place.path().display();
    // One page of room, which is taken; an empty file takes none.
    for (before, after) in [("", "fill\n"), ("ln fill pid;", "fill\npid\n")] {
        let script = format!(
            "mount -t tmpfs -o size=4k none {dir} && cd {dir} && head -c 4096 /dev/zero >fill || exit 99
             {before} unshare --pidfile={dir}/pid echo it ran; echo $?; ls -A; cmp -n 4096 fill /dev/zero"
        );
        let line = format!("unshare: write failed {dir}/pid: No space left on device\n");
        let ran = Tool::fixture().arg("-m").sh(&script).run().exits(0);
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(said.starts_with(&line), "{ran}");
        ran.out(&format!("1\n{after}"));
    }
}

#[test]
fn without_proc() {
    needs!(pidfile(), root());
    let place = Place::new();
    symlink("pid", place.at("link")).expect("a link");
    for way in ["", "-f", "-u", "-pf", "-f --kill-child"] {
        let script = format!(
            "mount -t tmpfs none /proc && cd {} || exit 99
             unshare --pidfile=link {way} echo it ran; cat pid; unshare --pidfile=link {way} nosuchprogram; echo $?",
            place.path().display()
        );
        let ran = Tool::fixture().arg("-m").sh(&script).run().exits(0);
        let said = ran.lines();
        assert_eq!((&*said[0], &*said[2]), ("it ran", "127"), "{way}: {ran}");
        assert!(said[1].parse::<i32>().is_ok(), "{way}: {ran}");
        ran.err_has("unshare: failed to execute nosuchprogram: No such file or directory\n");
        let left = std::fs::read_to_string(place.at("pid")).expect("a file");
        assert_eq!(left.trim(), said[1], "{way}");
    }
    assert!(!Path::new(&place.at("link")).is_dir());
}
