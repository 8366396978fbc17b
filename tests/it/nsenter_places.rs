//! `nsenter`: root and working directory of the program.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::harness::*;

/// Makes $0 a root directory like the machine's, with other files in /mnt, and becomes the rest in it by chroot(1).
const CHROOT: &str = "mount --rbind / \"$0\" && mount -t tmpfs tmpfs \"$0/mnt\" && mkdir -p \"$0/mnt/deep\" && \
    echo theirs >\"$0/mnt/marker\" && exec chroot \"$0\" \"$@\"";

/// The same by pivot_root(8), so that nothing of the old root is left.
const PIVOT: &str = "mount --rbind / \"$0\" && mount -t tmpfs tmpfs \"$0/mnt\" && mkdir -p \"$0/mnt/deep\" \"$0/mnt/old\" && \
    echo theirs >\"$0/mnt/marker\" && cd \"$0\" && pivot_root . mnt/old && umount -l /mnt/old && exec chroot / \"$@\"";

/// A process with another root directory, in `/mnt/deep`.
#[track_caller]
fn with_root(how: &str, place: &Place) -> Holder {
    let root = place.subdir("root");
    let tool = Tool::fixture()
        .line("-m --propagation private sh -c")
        .args([how, &root]);
    Holder::of(tool, "cd /mnt/deep")
}

/// Both ways to another root.
const WAYS: [(&str, &str); 2] = [("chroot", CHROOT), ("pivot_root", PIVOT)];

#[test]
fn each_way_to_take_root_and_directory() {
    needs!(root(), command("pivot_root"));
    for (name, how) in WAYS {
        let place = Place::new();
        place.file("mine", "mine\n");
        place.subdir("below");
        let holder = with_root(how, &place);
        let dir = place.at("");
        let run = |words: &str, script: &str| {
            Tool::nsenter()
                .args(["-t", &holder.pid().to_string(), "-m"])
                .line(words)
                .sh(script)
                .dir(place.path())
                .run()
                .ok()
                .text()
        };
        let pwd = |words: &str| run(words, "pwd");
        // The target's.
        assert_eq!(pwd("-r"), "/", "{name}");
        assert_eq!(pwd("-r -w"), "/mnt/deep", "{name}");
        assert_eq!(run("-w", "cat ../marker"), "theirs", "{name}");
        assert_eq!(run("-r", "cat /mnt/marker"), "theirs", "{name}");
        // Inside, after the root changed.
        assert_eq!(pwd("-r -W/mnt/deep"), "/mnt/deep", "{name}");
        assert_eq!(pwd("-r --wdns=/mnt"), "/mnt", "{name}");
        assert_eq!(pwd("-r -Wmnt"), "/mnt", "{name}: from the root");
        assert_eq!(pwd("-W/mnt -r"), "/mnt", "{name}");
        // Ours, found before anything is entered; no path may lead there afterwards.
        assert_eq!(run(&format!("-r -w{dir}"), "cat mine"), "mine", "{name}");
        assert_eq!(run(&format!("-w{dir}"), "cat mine"), "mine", "{name}");
        assert_eq!(run("-r -w.", "cat mine"), "mine", "{name}");
        assert_eq!(run("-w.", "cat mine"), "mine", "{name}");
        assert_eq!(run("-r -wbelow", "cat ../mine"), "mine", "{name}");
        assert_eq!(run("--wd=below -r", "cat ../mine"), "mine", "{name}");
        // Our root, with their mounts entered.
        assert_eq!(pwd("-r/"), "/", "{name}");
        assert_eq!(run(&format!("-r/ -w{dir}"), "cat mine"), "mine", "{name}");
    }
}

#[test]
fn without_a_mount_namespace() {
    needs!(root(), command("pivot_root"));
    for (name, how) in WAYS {
        let place = Place::new();
        place.file("mine", "mine\n");
        let holder = with_root(how, &place);
        let run = |words: &str, script: &str| {
            Tool::nsenter()
                .args(["-t", &holder.pid().to_string(), "-u"])
                .line(words)
                .sh(script)
                .dir(place.path())
                .run()
                .ok()
                .text()
        };
        assert_eq!(run("", "cat mine"), "mine", "{name}");
        assert_eq!(
            run("-r", "cat mine /mnt/marker"),
            "mine\ntheirs",
            "{name}: a tunnel"
        );
        assert_eq!(run("-w", "cat ../marker"), "theirs", "{name}");
        assert_eq!(
            run("-r -w", "pwd; cat ../marker"),
            "/mnt/deep\ntheirs",
            "{name}"
        );
        assert_eq!(
            run("-r -W/mnt", "pwd; cat marker"),
            "/mnt\ntheirs",
            "{name}"
        );
        assert_eq!(run("-W.", "cat mine"), "mine", "{name}");
        assert_eq!(
            run("-r -w.", "cat mine /mnt/marker"),
            "mine\ntheirs",
            "{name}"
        );
    }
}

#[test]
fn a_root_of_ours() {
    needs!(root(), command("mount"));
    // A root in which everything is found, made by us.
    let place = Place::new();
    let root = place.subdir("root");
    let script = format!(
        "mount --rbind / {root} && mount -t tmpfs tmpfs {root}/mnt && echo ours >{root}/mnt/marker &&
         mkdir {root}/mnt/deep && cd {root}/mnt/deep &&
         nsenter --uts=/proc/self/ns/uts -r{root} sh -c 'cat /mnt/marker ../marker' &&
         nsenter --uts=/proc/self/ns/uts --root={root} -W/mnt/deep pwd &&
         nsenter --uts=/proc/self/ns/uts --root=../.. -w.. cat marker /mnt/marker &&
         nsenter --uts=/proc/self/ns/uts --root={root} -wno/such/dir pwd"
    );
    Tool::fixture()
        .line("-m --propagation private")
        .sh(&script)
        .run()
        .exits(1)
        .out("ours\nours\n/mnt/deep\nours\nours\n")
        .err("nsenter: cannot open no/such/dir: No such file or directory\n");
}

#[test]
fn names_of_any_bytes() {
    needs!(root());
    let holder = Holder::unshare("-m");
    let place = Place::new();
    let name = OsString::from_vec(b"odd \xff\xfe\n'\"dir".to_vec());
    let dir = place.path().join(&name);
    std::fs::create_dir(&dir).expect("a directory");
    std::fs::write(dir.join("mine"), "mine\n").expect("a file");
    for option in ["-w", "-W", "--wd=", "--wdns="] {
        let mut word = OsString::from(option);
        word.push(&dir);
        Tool::nsenter()
            .args(["-t", &holder.pid().to_string(), "-m"])
            .arg(word)
            .line("cat mine")
            .run()
            .ok()
            .out("mine\n");
    }
    let mut missing = OsString::from("-w");
    missing.push(dir.join("missing"));
    let ran = Tool::nsenter()
        .args(["-t", &holder.pid().to_string(), "-m"])
        .arg(missing)
        .line("echo it ran")
        .run()
        .exits(1)
        .out("");
    let line = [
        b"nsenter: cannot open ",
        &*dir.join("missing").into_os_string().into_vec(),
    ]
    .concat();
    assert!(ran.stderr.starts_with(&line), "{ran}");
}

#[test]
fn a_directory_that_is_gone() {
    needs!(root());
    let holder = Holder::unshare("-u");
    let place = Place::new();
    let gone = place.subdir("gone");
    // Ours, of which only the descriptor is left.
    let script = format!(
        "cd {gone} && rmdir {gone} && nsenter -t {} -u -r readlink /proc/self/cwd",
        holder.pid()
    );
    let said = Tool::shell(&script).run().ok().text();
    assert_eq!(said, format!("{gone} (deleted)"));
}

#[test]
fn a_file_of_a_mount_namespace_has_its_root_as_directory() {
    needs!(root());
    let place = Place::new();
    let holder = with_root(CHROOT, &place);
    let file = format!("--mount={}", holder.file("mnt"));
    Tool::nsenter()
        .arg(&file)
        .arg("pwd")
        .dir(place.path())
        .run()
        .ok()
        .out("/\n");
    // The mount namespace's own root, not that of a process in it.
    Tool::nsenter()
        .arg(&file)
        .args(["cat", &place.at("root/mnt/marker")])
        .run()
        .ok()
        .out("theirs\n");
    Tool::nsenter()
        .arg(&file)
        .arg("-W/usr/bin")
        .arg("pwd")
        .run()
        .ok()
        .out("/usr/bin\n");
}

#[test]
fn of_a_container_by_its_ordinary_owner() {
    needs!(root(), user_namespaces());
    let place = Place::new().owned_by_ordinary();
    let root = place.path().join("root");
    std::fs::create_dir(&root).expect("a directory");
    std::os::unix::fs::chown(&root, Some(ORDINARY), Some(ORDINARY)).expect("root can chown");
    let tool = Tool::fixture()
        .line("-rm --propagation private sh -c")
        .args([CHROOT, &place.at("root")])
        .by_ordinary();
    let holder = Holder::of(tool, "cd /mnt/deep");
    let run = |words: &str, script: &str| {
        Tool::nsenter()
            .args(["--preserve-credentials", "-t", &holder.pid().to_string()])
            .line(words)
            .sh(script)
            .by_ordinary()
            .run()
            .ok()
            .text()
    };
    assert_eq!(
        run("-U -m -r -w", "pwd; cat ../marker"),
        "/mnt/deep\ntheirs"
    );
    assert_eq!(run("-U -m -w", "cat ../marker"), "theirs");
    assert_eq!(run("-U -m -r -W/mnt", "pwd; cat marker"), "/mnt\ntheirs");
    assert_eq!(run("-U -r", "cat /mnt/marker"), "theirs");
    needs!(ours("-a is refused for the kinds that are shared with us"));
    assert_eq!(run("-a -r -w", "pwd; cat ../marker"), "/mnt/deep\ntheirs");
}
