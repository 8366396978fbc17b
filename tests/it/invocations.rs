//! Command lines as people write them in public repositories: each must be understood exactly so.

use crate::harness::*;

/// Runs as an ordinary user; the namespaces that are new, then what the line says.
#[track_caller]
fn ordinary(words: &str, kinds: &[&str]) {
    let ran = Tool::unshare()
        .line(words)
        .line(INSIDE)
        .by_ordinary()
        .run()
        .ok();
    assert_eq!(
        Links::said(&ran.text()).unlike(&Links::mine()),
        kinds,
        "{ran}"
    );
}

#[test]
fn clusters_and_single_letters() {
    needs!(user_namespaces());
    for (words, kinds) in [
        ("-r -n", &["net", "user"][..]),
        ("-r -nmU", &["mnt", "net", "user"]),
        ("-Urn", &["net", "user"]),
        ("-Urnm", &["mnt", "net", "user"]),
        ("-Urmin", &["ipc", "mnt", "net", "user"]),
        ("-Urmpf --mount-proc", &["mnt", "pid", "user"]),
        ("-rm", &["mnt", "user"]),
        ("-rm --propagation private", &["mnt", "user"]),
        ("--propagation unchanged -Urm", &["mnt", "user"]),
        ("-p -m -f -r --mount-proc=/proc", &["mnt", "pid", "user"]),
        ("-Urpf", &["pid", "user"]),
        (
            "--user --map-current-user --keep-caps --mount",
            &["mnt", "user"],
        ),
        (
            "--user --map-root-user --fork --pid --mount-proc --mount --mount-proc --uts --ipc --net",
            &["ipc", "mnt", "net", "pid", "user", "uts"],
        ),
    ] {
        ordinary(words, kinds);
    }
}

#[test]
fn as_root_without_a_user_namespace() {
    needs!(root());
    for (words, kinds) in [
        ("--fork --pid", &["pid"][..]),
        ("-pf --mount-proc", &["mnt", "pid"]),
        ("-mn", &["mnt", "net"]),
        ("-m --", &["mnt"]),
        ("--propagation slave -m", &["mnt"]),
        (
            "--pid --mount-proc --fork --propagation slave",
            &["mnt", "pid"],
        ),
        (
            "--kill-child=KILL --mount --net --pid --ipc --uts --fork",
            &["ipc", "mnt", "net", "pid", "uts"],
        ),
        (
            "--kill-child=SIGTERM --mount-proc -p -f -R /",
            &["mnt", "pid"],
        ),
        ("-pfum chroot /", &["mnt", "pid", "uts"]),
    ] {
        let ran = Tool::unshare().line(words).line(INSIDE).run().ok();
        assert_eq!(
            Links::said(&ran.text()).unlike(&Links::mine()),
            kinds,
            "{ran}"
        );
    }
}

#[test]
fn who_is_root_inside() {
    needs!(user_namespaces());
    for words in ["--map-root-user --user", "-Ur", "-r", "-R/ -r"] {
        Tool::unshare()
            .line(words)
            .sh("whoami")
            .by_ordinary()
            .run()
            .ok()
            .out("root\n");
    }
}

#[test]
fn a_user_and_group_by_number() {
    needs!(user_namespaces(), command("bash"));
    Tool::unshare()
        .args([
            "--user",
            "--map-user=1",
            "--map-group=2",
            "--",
            "bash",
            "-c",
        ])
        .arg("echo $UID $(id -g)")
        .by_ordinary()
        .run()
        .ok()
        .out("1 2\n");
}

#[test]
fn mounts_as_the_program() {
    needs!(user_namespaces());
    let place = Place::new().owned_by_ordinary();
    let (a, b) = (place.subdir("a"), place.subdir("b"));
    Tool::unshare()
        .line("--user --map-root-user --mount --propagation shared mount --bind")
        .args([&a, &b])
        .by_ordinary()
        .run()
        .ok();
    Tool::unshare()
        .line("-p -m -f -r mount -t proc none /proc")
        .by_ordinary()
        .run()
        .ok();
}

#[test]
fn a_mounted_proc_in_a_root_to_be() {
    needs!(root());
    let place = Place::new();
    let root = place.subdir("root");
    // A root made of the machine's own, so that there are programs in it.
    let script = format!(
        "mount --rbind / '{root}' && unshare --fork --pid --mount-proc='{root}/proc' chroot '{root}' \
         sh -c 'echo $$; cat /proc/1/comm'"
    );
    Tool::fixture()
        .arg("-m")
        .sh(&script)
        .run()
        .ok()
        .out("1\nsh\n");
}

#[test]
fn a_root_directory_attached_to_its_letter() {
    needs!(root());
    let place = Place::new();
    let root = place.subdir("root");
    let script = format!(
        "mount --rbind / '{root}' && touch /tmp && unshare -rmR'{root}' sh -c 'pwd; id -u' && \
         unshare --kill-child=SIGTERM --mount-proc -p -f -R '{root}' cat /proc/1/comm"
    );
    Tool::fixture()
        .arg("-m")
        .sh(&script)
        .run()
        .ok()
        .out("/\n0\ncat\n");
}

#[test]
fn under_nohup_with_everything_shared() {
    needs!(root(), command("nohup"));
    let script = "nohup unshare --kill-child --fork --pid --mount --mount-proc --propagation shared \
        sh -c 'echo $$; grep -c shared: /proc/self/mountinfo >/dev/null && echo shared'";
    Tool::shell(script).run().exits(0).out("1\nshared\n");
}

#[test]
fn a_script_from_standard_input_in_a_new_session() {
    needs!(root(), command("setsid"), command("bash"));
    let script = "setsid --wait unshare --kill-child=KILL --mount --net --pid --ipc --uts --fork bash -s -- one two";
    Tool::shell(script)
        .stdin("echo $$ $*\n")
        .run()
        .ok()
        .out("1 one two\n");
}

#[test]
fn another_path_in_front() {
    needs!(root());
    // Only the program's directory is in PATH; unshare itself is named by its path.
    let unshare = Tool::path_of("unshare");
    Tool::shell(&format!(
        "PATH=/bin exec {} -u sh -c 'echo $PATH'",
        unshare.display()
    ))
    .run()
    .ok()
    .out("/bin\n");
}

/// Inside, outside and count, of a line of uid_map.
#[track_caller]
fn extent(line: &str) -> Vec<u32> {
    line.split_ascii_whitespace()
        .map(|word| word.parse().expect("a number"))
        .collect()
}

#[test]
fn a_single_id_makes_room_for_itself_in_a_range() {
    needs!(
        Subordinate::there(),
        since(2, 43, "takes one range only, and loses the last ID of auto"),
    );
    let user = Subordinate::user();
    let (first, count) = user.uids;
    let exact = format!("-r --map-users=0:{first}:{count}");
    for (words, expected) in [
        // Nobody named the last ID inside of this one: it moves up and none is lost.
        ("--map-auto -r", [[0, user.uid, 1], [1, first, count]]),
        // Here somebody did: the topmost is not mapped.
        (&*exact, [[0, user.uid, 1], [1, first, count - 1]]),
    ] {
        let tool = Tool::unshare().line(words).line("cat /proc/self/uid_map");
        let said = user.runs(tool).run().ok().lines();
        let mut maps: Vec<_> = said.iter().map(|line| extent(line)).collect();
        maps.sort();
        assert_eq!(maps, expected, "{words}");
    }
}

#[test]
fn every_id_by_map_auto() {
    needs!(Subordinate::there(), option("unshare", "--map-auto"));
    let user = Subordinate::user();
    let say = "id -u; id -g; cat /proc/self/uid_map";
    for (words, ids) in [
        (
            "--fork --pid --mount --map-auto --map-root-user --setuid 0 --setgid 0",
            [0, 0],
        ),
        (
            "--map-auto --map-current-user --setuid 0 --setgid 0",
            [0, 0],
        ),
        ("--map-auto --setuid=0 --setgid=0 --wd /", [0, 0]),
        ("--map-auto --setuid 0 --setgid 0 -nm", [0, 0]),
        ("--map-auto --map-root-user --", [0, 0]),
    ] {
        let said = user
            .runs(Tool::unshare().line(words))
            .sh(say)
            .run()
            .ok()
            .lines();
        assert_eq!(
            said[..2],
            ids.map(|id: u32| id.to_string()),
            "{words}: {said:?}"
        );
        assert!(
            said[2..].iter().any(|line| extent(line)[1] == user.uids.0),
            "{words}: {said:?}"
        );
    }
}

#[test]
fn every_id_from_0() {
    needs!(Subordinate::there(), option("unshare", "--map-auto"));
    let user = Subordinate::user();
    // Alone, it maps the whole of the first ranges and loses none.
    let say = "cat /proc/self/uid_map /proc/self/gid_map";
    let said = user
        .runs(Tool::unshare().arg("--map-auto"))
        .sh(say)
        .run()
        .ok()
        .lines();
    let maps: Vec<_> = said.iter().map(|line| extent(line)).collect();
    assert_eq!(
        maps,
        [[0, user.uids.0, user.uids.1], [0, user.gids.0, user.gids.1]]
    );
}

#[test]
fn subordinate_ids_under_their_own_numbers() {
    needs!(Subordinate::there(), option("unshare", "--map-subids"));
    let user = Subordinate::user();
    let said = user
        .runs(Tool::unshare().line("-Uc --map-subids cat /proc/self/uid_map"))
        .run()
        .ok()
        .lines();
    let mut maps: Vec<_> = said.iter().map(|line| extent(line)).collect();
    maps.sort();
    let (first, count) = user.uids;
    let mut expected = vec![vec![user.uid, user.uid, 1], vec![first, first, count]];
    expected.sort();
    assert_eq!(maps, expected);
}

#[test]
fn files_of_a_mapped_user_can_be_removed() {
    needs!(Subordinate::there(), option("unshare", "--map-auto"));
    let user = Subordinate::user();
    let place = Place::new();
    let dir = place.subdir("dir");
    let chown = |path: &str, id: u32| {
        std::os::unix::fs::chown(path, Some(id), Some(id)).expect("root can chown")
    };
    let file = place.file("dir/file", "");
    chown(&file, user.uids.0 + 7);
    chown(&dir, user.uids.0);
    std::os::unix::fs::chown(place.path(), Some(user.uid), Some(user.gid)).expect("root can chown");
    let tool = Tool::unshare()
        .line("--map-auto --map-root-user -- rm -rf --")
        .arg(&dir);
    user.runs(tool).run().ok();
    assert!(!std::path::Path::new(&dir).exists());
}

#[test]
fn namespaces_kept_on_files() {
    needs!(root());
    let place = Place::new();
    let dir = place.subdir("private");
    // The file of a mount namespace can be kept only on a private mount.
    let _private = Mounted::on(&dir);
    Tool::shell(&format!(
        "mount --bind {dir} {dir} && mount --make-private {dir}"
    ))
    .run()
    .ok();
    let files =
        ["user", "uts", "net", "mnt"].map(|name| place.file(&format!("private/{name}"), ""));
    Tool::unshare()
        .arg("-pfr")
        .arg(format!("--user={dir}/user"))
        .arg(format!("--uts={dir}/uts"))
        .arg(format!("--net={dir}/net"))
        .arg(format!("--mount={dir}/mnt"))
        .arg("true")
        .run()
        .ok();
    Tool::program("stat")
        .args(["-f", "-c", "%T"])
        .args(files)
        .run()
        .ok()
        .out("nsfs\nnsfs\nnsfs\nnsfs\n");
}

#[test]
fn a_network_kept_on_a_file() {
    needs!(root());
    let place = Place::new();
    let file = place.file("net", "");
    let _mounted = Mounted::on(&file);
    Tool::unshare()
        .line("--mount --uts --ipc --pid --fork")
        .arg(format!("--net={file}"))
        .args(["sh", "-c", "readlink /proc/self/ns/net; echo $$"])
        .run()
        .exits(0);
    Tool::program("stat")
        .args(["-f", "-c", "%T", &file])
        .run()
        .ok()
        .out("nsfs\n");
}

#[test]
fn the_mounts_of_pid_1_are_not_ours_from_a_user_namespace() {
    needs!(
        root(),
        since(2, 41, "opens the file, and the kernel refuses that already")
    );
    Tool::unshare()
        .line("-U --map-root-user -- nsenter --target 1 --mount echo it ran")
        .run()
        .exits(1)
        .out("")
        .err_has("Operation not permitted");
}

#[test]
fn a_clock_from_long_ago() {
    needs!(root(), kind("time"), command("uptime"));
    let said = Tool::unshare()
        .line("--time --fork --boottime 300000000 uptime -p")
        .run()
        .ok()
        .text();
    assert!(said.starts_with("up 9 years"), "{said}");
}

#[test]
fn setgroups_allowed_without_a_map() {
    needs!(user_namespaces());
    Tool::unshare()
        .line("--setgroups=allow --user --pid --mount-proc --fork")
        .line("cat /proc/self/setgroups")
        .by_ordinary()
        .run()
        .ok()
        .out("allow\n");
}
