//! Namespaces that `unshare` makes persistent: bind mounts of their files, complete before the program
//! starts, and undone when it does not.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::*;

/// The option's word, the kind, and the letter.
const FILES: [(&str, &str); 8] = [
    ("mount", "mnt"),
    ("uts", "uts"),
    ("ipc", "ipc"),
    ("net", "net"),
    ("pid", "pid"),
    ("user", "user"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

/// Empty files to bind on, in a place of their own; unmounted at the end.
struct Files {
    // In this order: mounts go before the directory that they are in.
    _mounted: Vec<Mounted>,
    place: Place,
}

impl Files {
    fn new() -> Self {
        let place = Place::new();
        let mounted = FILES
            .map(|(word, _)| Mounted::on(place.file(word, "")))
            .into();
        Self {
            _mounted: mounted,
            place,
        }
    }

    fn at(&self, word: &str) -> String {
        self.place.at(word)
    }

    /// Those on which a namespace is bound.
    fn bound(&self) -> Vec<&'static str> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc");
        let is_bound = |word: &&str| mounts.contains(&format!(" {} ", self.at(word)));
        FILES
            .into_iter()
            .map(|(word, _)| word)
            .filter(is_bound)
            .collect()
    }

    fn unmount(&self) {
        for (word, _) in FILES {
            drop(Mounted::on(self.at(word)));
        }
        assert_eq!(self.bound(), [""; 0]);
    }
}

/// How a namespace is asked for.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    No,
    Plain,
    File,
}

const WAYS: [Asked; 3] = [Asked::No, Asked::Plain, Asked::File];

/// Each combination of a mount, a user and a PID namespace, persistent or not, with and without a fork.
fn combinations() -> impl Iterator<Item = ([(&'static str, Asked); 3], bool)> {
    let all = WAYS.into_iter().flat_map(|mount| {
        WAYS.into_iter()
            .flat_map(move |user| WAYS.into_iter().map(move |pid| (mount, user, pid)))
    });
    all.flat_map(|(mount, user, pid)| {
        let asked = [("mount", mount), ("user", user), ("pid", pid)];
        [false, true]
            .into_iter()
            // Without a fork the second program of a shell in it would find its first process gone.
            .filter(move |fork| *fork || pid == Asked::No)
            .map(move |fork| (asked, fork))
    })
}

/// A program that says what it finds at the files of the caller, then its namespaces, and stays.
fn looking(files: &Files, words: &[&str]) -> String {
    let shown: Vec<_> = words
        .iter()
        .map(|word| format!("stat -f -c %t $ROOT{}", files.at(word)))
        .collect();
    format!(
        "{}\n{INSIDE}\necho ready; while ! test -e {}; do sleep 0.01; done",
        shown.join("\n"),
        files.at("go")
    )
}

#[test]
fn every_kind_in_every_combination() {
    needs!(
        root(),
        kind("time"),
        ours("starts the program before the bind, or cannot bind")
    );
    for (asked, fork) in combinations() {
        let files = Files::new();
        let mut tool = Tool::unshare();
        let mut named = Vec::new();
        for (word, _) in FILES {
            let way = asked.iter().find(|(name, _)| *name == word);
            match way.map_or(Asked::File, |(_, way)| *way) {
                Asked::No => {}
                Asked::Plain => tool = tool.arg(format!("--{word}")),
                Asked::File => {
                    tool = tool.arg(format!("--{word}={}", files.at(word)));
                    named.push(word);
                }
            }
        }
        if fork {
            tool = tool.arg("--fork");
        }
        let has = |name: &str| {
            asked
                .iter()
                .any(|(word, way)| *word == name && *way != Asked::No)
        };
        // From a mount namespace of its own the program sees the binds through the tests' root directory,
        // which it may only look into where it has the tests' user namespace.
        let sees = !has("mount") || !has("user");
        let root = if has("mount") {
            format!("/proc/{}/root", std::process::id())
        } else {
            String::new()
        };
        let looks: &[&str] = if sees { &named } else { &[] };
        let started = tool.env("ROOT", root).sh(&looking(&files, looks)).start();
        let said = started.until_says("ready");
        let case = format!("{named:?}, fork: {fork}\n{said}");
        assert_eq!(
            said.lines().filter(|line| *line == "6e736673").count(),
            looks.len(),
            "bound when the program starts: {case}"
        );
        assert_eq!(files.bound(), named, "{case}");

        let inside = Links::said(&said);
        let entered = |tool: Tool| {
            let text = tool.line(INSIDE).run().ok().text();
            let there = Links::said(&text);
            for (word, kind) in FILES {
                if named.contains(&word) {
                    assert_eq!(there.get(kind), inside.get(kind), "{kind}: {case}");
                }
            }
        };
        let mut nsenter = Tool::nsenter().arg("--preserve-credentials");
        for word in &named {
            nsenter = nsenter.arg(format!("--{word}={}", files.at(word)));
        }
        entered(nsenter);
        let all: Vec<_> = named.iter().map(|word| files.at(word)).collect();
        entered(Tool::setns().arg(all.join(",")));
        files.place.file("go", "");
        started.wait().exits(0);
        files.unmount();
    }
}

#[test]
fn a_namespace_outlives_its_program() {
    needs!(root());
    let files = Files::new();
    for (word, kind) in FILES {
        // A PID namespace ends with its first process; 2.38.1 cannot bind a user namespace.
        if ["pid", "user"].contains(&word) {
            continue;
        }
        let file = files.at(word);
        let link = Tool::unshare()
            .arg(format!("--{word}={file}"))
            .line("readlink")
            .arg(format!("/proc/self/ns/{kind}"))
            .run()
            .ok()
            .text();
        assert_eq!(files.bound(), [word]);
        Tool::nsenter()
            .arg(format!("--{word}={file}"))
            .line("readlink")
            .arg(format!("/proc/self/ns/{kind}"))
            .run()
            .ok()
            .out(&format!("{link}\n"));
        files.unmount();
    }
}

#[test]
fn a_user_namespace_with_its_map() {
    needs!(root(), since(2, 43, "cannot bind it"));
    let files = Files::new();
    let file = files.at("user");
    Tool::unshare()
        .arg(format!("--user={file}"))
        .line("-r true")
        .run()
        .ok();
    Tool::nsenter()
        .arg(format!("--user={file}"))
        .line("id -u")
        .run()
        .ok()
        .out("0\n");
}

#[test]
fn files_are_named_as_the_caller_sees_them() {
    needs!(root());
    let files = Files::new();
    for words in [
        "--uts=uts",
        "--uts=./uts",
        "--uts=uts --wd /",
        "--uts=uts -m -R /proc/self/root -w /tmp",
    ] {
        Tool::unshare()
            .line(words)
            .arg("true")
            .dir(files.place.path())
            .run()
            .ok();
        assert_eq!(files.bound(), ["uts"], "{words}");
        files.unmount();
    }
}

#[test]
fn an_init_in_front_of_the_program_and_files() {
    needs!(root(), ours("lacks --init"));
    let files = Files::new();
    let started = Tool::unshare()
        .arg("--init")
        .args(["uts", "pid", "mount"].map(|word| format!("--{word}={}", files.at(word))))
        .sh(&format!(
            "{INSIDE}; echo ready; while ! test -e {}; do sleep 0.01; done; exit 3",
            files.at("go")
        ))
        .start();
    let inside = Links::said(&started.until_says("ready"));
    assert_eq!(files.bound(), ["mount", "uts", "pid"]);
    let text = Tool::nsenter()
        .args(["uts", "pid", "mount"].map(|word| format!("--{word}={}", files.at(word))))
        .line(INSIDE)
        .run()
        .ok()
        .text();
    assert_eq!(Links::said(&text), inside);
    files.place.file("go", "");
    started.wait().exits(3);
    assert_eq!(files.bound(), ["mount", "uts", "pid"]);
}

/// Nothing is bound after this has failed, and the program has not run.
#[track_caller]
fn fails_and_undoes(files: &Files, options: &str, program: &str, code: i32, why: &str) {
    let bind = |word: &str| format!("--{word}={}", files.at(word));
    let tool = Tool::unshare().args([bind("uts"), bind("net")]);
    tool.line(options)
        .line(program)
        .dir(files.place.path())
        .run()
        .exits(code)
        .out("")
        .err_has(why);
    assert_eq!(files.bound(), [""; 0], "{options}");
}

#[test]
fn a_failure_undoes_the_binds() {
    needs!(root(), ours("leaves them behind"));
    let files = Files::new();
    let ran = "echo it ran";
    for fork in ["", "--fork", "--init", "-pf --kill-child"] {
        let fails = |options: &str, program: &str, code, why: &str| {
            fails_and_undoes(&files, &format!("{fork} {options}"), program, code, why)
        };
        fails(
            "--ipc=missing",
            ran,
            1,
            "/ns/ipc on missing failed: No such file or directory",
        );
        fails(
            "--time=.",
            ran,
            1,
            "_for_children on . failed: Not a directory",
        );
        fails(
            "-R /nonexistent",
            ran,
            1,
            "cannot change root directory to '/nonexistent'",
        );
        fails(
            "-w /nonexistent",
            ran,
            1,
            "cannot change directory to /nonexistent",
        );
        fails(
            "--mount-proc=/nonexistent",
            ran,
            1,
            "mount /nonexistent failed",
        );
        fails("-U -S 5", ran, 1, "setuid() failed: Invalid argument");
        fails("", "nosuchprogram", 127, "failed to execute nosuchprogram");
        fails("", "/proc", 126, "failed to execute /proc");
    }
}

#[test]
fn who_is_killed_half_way_leaves_no_bind() {
    needs!(root(), command("strace"), ours("leaves them behind"));
    for fork in ["", "--fork", "--init", "-pf --kill-child"] {
        for signal in [Signal::SIGKILL, Signal::SIGINT] {
            let files = Files::new();
            let (trace, ran) = (files.at("trace"), files.at("ran"));
            // The last of the binds is made, and held until strace is killed.
            let started = Tool::program("strace")
                .args(["-f", "-o", &trace])
                .arg("--inject=mount:delay_exit=300000000:when=2")
                .arg("unshare")
                .line(fork)
                .args(["uts", "net"].map(|word| format!("--{word}={}", files.at(word))))
                .args(["touch", &ran])
                .start();
            eventually("both are bound", || {
                (files.bound() == ["uts", "net"]).then_some(())
            });
            let parent = children(started.pid())[0];
            kill(parent, signal);
            let child_lives = fork == "--fork" || fork == "--init" || signal == Signal::SIGINT;
            if signal == Signal::SIGKILL || fork.is_empty() {
                eventually("the parent ends", || (!alive(parent)).then_some(()));
            }
            kill(started.pid(), Signal::SIGKILL);
            eventually(&format!("{fork} {signal}: all is decided"), || {
                (files.bound().is_empty() || Path::new(&ran).exists()).then_some(())
            });
            started.wait().dies_of(Signal::SIGKILL);
            // Whose parent is killed goes on, unless it was to be killed too.
            if !Path::new(&ran).exists() {
                assert_eq!(files.bound(), [""; 0], "{fork} {signal}");
            } else {
                assert!(
                    child_lives && !fork.is_empty(),
                    "{fork} {signal}: the program ran"
                );
                assert_eq!(files.bound(), ["uts", "net"], "{fork} {signal}");
            }
        }
    }
}

/// What is mounted in a place, from the outermost on: the path and what of the file system.
fn mounts_in(place: &Place) -> Vec<(String, String)> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc");
    let dir = format!("{}/", place.path().display());
    text.lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter_map(|fields| {
            let path = fields[4].strip_prefix(&dir)?;
            Some((path.to_owned(), fields[3].to_owned()))
        })
        .collect()
}

#[test]
fn a_file_that_is_a_symbolic_link() {
    needs!(root(), ours("leaves it behind"));
    let files = Files::new();
    let link = |text: &str, name: &str| {
        std::os::unix::fs::symlink(text, files.at(name)).expect("a link");
    };
    link("uts", "link");
    link(&files.at("link"), "far");
    for fork in ["", "--fork", "--init"] {
        for file in ["link", "far"] {
            let bind = format!("--uts={file}");
            let tool = || {
                let tool = Tool::unshare().arg(&bind).line(fork);
                tool.dir(files.place.path())
            };
            tool().line("nosuchprogram").run().exits(127);
            assert_eq!(mounts_in(&files.place), [], "{fork} {bind}");
            tool().line("-w /nonexistent true").run().exits(1);
            assert_eq!(mounts_in(&files.place), [], "{fork} {bind}");
            tool().line("true").run().ok();
            assert_eq!(files.bound(), ["uts"], "{fork} {bind}");
            files.unmount();
        }
    }
}

#[test]
fn what_was_mounted_there_before_stays() {
    needs!(root(), ours("leaves them behind"));
    let files = Files::new();
    let bind = format!("--uts={}", files.at("uts"));
    Tool::unshare().args([&*bind, "true"]).run().ok();
    let before = mounts_in(&files.place);
    assert_eq!(before.len(), 1);
    for fork in ["", "--fork", "--init"] {
        Tool::unshare()
            .arg(&bind)
            .line(fork)
            .line("nosuchprogram")
            .run()
            .exits(127);
        assert_eq!(mounts_in(&files.place), before, "{fork}");
    }
}

/// `unshare` with these words, held when it has failed to change its directory, before it undoes anything.
fn held_before_undoing(files: &Files, words: &[&str]) -> Held {
    let words = [&["unshare"], words, &["-w", "/nonexistent", "true"]].concat();
    Held::after("chdir", files.place.path(), words)
}

#[test]
fn a_file_that_is_replaced_meanwhile_redirects_nothing() {
    needs!(
        root(),
        command("strace"),
        ours("leaves its mount where it is")
    );
    let files = Files::new();
    let dirs = ["dir", "other"].map(|name| files.place.subdir(name));
    for dir in &dirs {
        std::fs::write(format!("{dir}/file"), "").expect("a file");
    }
    let _mounted = [
        Mounted::on(files.at("dir/file")),
        Mounted::on(files.at("other/file")),
        Mounted::on(files.at("moved/file")),
    ];
    // Of somebody else.
    let bind = |name: &str| Tool::unshare().arg(format!("--uts={}", files.at(name)));
    bind("other/file").arg("true").run().ok();
    let theirs = mounts_in(&files.place);
    assert_eq!(theirs[0].0, "other/file");
    for link in ["other", "other/../other"] {
        let held = held_before_undoing(&files, &["--uts=dir/file"]);
        assert_eq!(mounts_in(&files.place).len(), 2);
        std::fs::rename(&dirs[0], files.at("moved")).expect("our directory");
        std::os::unix::fs::symlink(link, &dirs[0]).expect("a link");
        held.go().exits(1);
        assert_eq!(mounts_in(&files.place), theirs);
        std::fs::remove_file(&dirs[0]).expect("our link");
        std::fs::rename(files.at("moved"), &dirs[0]).expect("our directory");
    }
}

#[test]
fn what_somebody_else_did_with_the_file_meanwhile_stays() {
    needs!(root(), command("strace"), ours("leaves it behind"));
    let files = Files::new();
    let file = files.at("uts");
    let mount = |words: &[&str]| Tool::program("mount").args(words).run().ok();
    Tool::unshare()
        .args([&*format!("--net={}", files.at("net")), "true"])
        .run()
        .ok();
    let others = mounts_in(&files.place);

    // Another mount over ours.
    let held = held_before_undoing(&files, &["--uts=uts"]);
    mount(&["--bind", &files.at("net"), &file]);
    let both = mounts_in(&files.place);
    assert_eq!(both.len(), 3);
    held.go().exits(1);
    assert_eq!(mounts_in(&files.place), both);
    drop(Mounted::on(&file));

    // Ours taken off, and what was there before it is in sight again.
    mount(&["--bind", &files.at("net"), &file]);
    let before = mounts_in(&files.place);
    let held = held_before_undoing(&files, &["--uts=uts"]);
    assert_eq!(mounts_in(&files.place).len(), 3);
    Tool::program("umount").arg(&file).run().ok();
    held.go().exits(1);
    assert_eq!(mounts_in(&files.place), before);

    // And another one put in its place.
    let held = held_before_undoing(&files, &["--uts=uts"]);
    Tool::program("umount").arg(&file).run().ok();
    mount(&["--bind", "/proc/self/ns/ipc", &file]);
    let after = mounts_in(&files.place);
    assert_eq!(after.len(), 3);
    held.go().exits(1);
    assert_eq!(mounts_in(&files.place), after);
    drop(Mounted::on(&file));
    assert_eq!(mounts_in(&files.place), others);
}

#[test]
fn a_proc_that_is_covered_meanwhile_does_not_keep_the_binds() {
    needs!(root(), command("strace"), ours("leaves them behind"));
    let place = Place::new();
    let (file, trace) = (place.file("uts", ""), place.at("trace"));
    // The caller's mount namespace is one of the test's own.
    let script = format!(
        "strace -f -qq -o {trace} -e trace=chdir -e inject=chdir:signal=STOP \
             unshare --uts={file} -w /nonexistent true &
         until grep -q 'stopped by SIGSTOP' {trace}; do sleep 0.01; done
         grep -c {file} /proc/self/mountinfo
         mount -t tmpfs none /proc; kill -CONT $(sed -n 's/ .*stopped by.*//p' {trace}); wait; umount /proc
         grep -c {file} /proc/self/mountinfo"
    );
    Tool::fixture()
        .arg("-m")
        .sh(&script)
        .run()
        .exits(1)
        .out("1\n0\n");
}

#[test]
fn a_bind_that_fails_stops_the_program() {
    needs!(root());
    let files = Files::new();
    for (word, kind) in FILES {
        if word == "pid" {
            continue;
        }
        let ran = Tool::unshare()
            .arg(format!("--{word}={}", files.at("missing")))
            .line("echo it ran")
            .run()
            .exits(1)
            .out("");
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        let line = format!(
            "on {} failed: No such file or directory",
            files.at("missing")
        );
        assert!(text.contains(&line) && text.contains(kind), "{ran}");
    }
}

#[test]
fn a_mount_namespace_on_a_shared_mount() {
    needs!(root());
    let place = Place::new();
    let dir = place.path().display();
    for (option, code) in [("--mount", 1), ("--uts", 0)] {
        let script = format!(
            "mount -t tmpfs none {dir} && mount --make-shared {dir} && : >{dir}/file || exit 99
             unshare {option}={dir}/file echo it ran; echo $?; grep -c {dir}/file /proc/self/mountinfo"
        );
        let ran = Tool::fixture().arg("-m").sh(&script).run();
        if code == 0 {
            assert_eq!(ran.lines(), ["it ran", "0", "1"], "{ran}");
        } else {
            assert_eq!(ran.lines(), ["1", "0"], "{ran}");
            ran.err_has(&format!("on {dir}/file failed: Invalid argument"));
        }
    }
}

#[test]
fn why_a_mount_namespace_cannot_be_bound_on_a_shared_mount() {
    needs!(root(), ours("does not say why"));
    let place = Place::new();
    let dir = place.path().display();
    for fork in ["", "-f", "--init"] {
        let script = format!(
            "mount -t tmpfs none {dir} && mount --make-shared {dir} && : >{dir}/file || exit 99
             unshare --explain {fork} --mount={dir}/file echo it ran"
        );
        let ran = Tool::fixture().arg("-m").sh(&script).run().exits(1).out("");
        ran.err_has(&format!("\n  cause: the mount {dir} is shared"));
    }
}

#[test]
fn a_mount_namespace_bound_from_another() {
    needs!(
        root(),
        ours("fails where the kernel's numbers are out of order")
    );
    let place = Place::new();
    let file = place.file("file", "");
    // The kernel gives numbers out by processor: whichever each of the two is made on.
    let script = format!(
        "for i in 1 2 3 4 5 6 7 8; do unshare --mount={file} readlink /proc/self/ns/mnt || exit
         umount {file}; done"
    );
    for _ in 0..4 {
        let ran = Tool::fixture().arg("-m").sh(&script).run().ok();
        assert_eq!(ran.lines().len(), 8, "{ran}");
    }
}

#[test]
fn an_ordinary_user_binds_in_a_mount_namespace_of_its_own() {
    needs!(user_namespaces());
    let place = Place::new().owned_by_ordinary();
    let file = place.at("file");
    let script = format!(
        ": >{file}; unshare --uts={file} --fork sh -c 'hostname inside; readlink /proc/self/ns/uts' || exit
         readlink /proc/self/ns/uts; nsenter --uts={file} hostname; nsenter --uts={file} readlink /proc/self/ns/uts"
    );
    let said = Tool::fixture()
        .arg("-rm")
        .sh(&script)
        .by_ordinary()
        .run()
        .ok()
        .lines();
    assert_eq!(said[2], "inside", "{said:?}");
    assert!(said[0] == said[3] && said[0] != said[1], "{said:?}");
    assert!(!Path::new(&file).metadata().expect("a file").is_dir());
}
