//! ID maps of `unshare`: every spelling, what wins, what is refused, and whose they are.

use crate::harness::*;

/// The extents that a program printed: `inner outer count`.
pub(super) fn extents(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// The map of users that the program finds itself in.
#[track_caller]
pub(super) fn users(tool: Tool) -> Vec<String> {
    extents(&tool.line("cat /proc/self/uid_map").run().ok().text())
}

/// What is asked for (of users), and the map: for root, whose own ID is 0.
const RANGES: [(&str, &[&str]); 20] = [
    ("--map-users=0:100:5", &["0 100 5"]),
    ("--map-users 100,0,5", &["0 100 5"]),
    ("--map-users=+0:100:5", &["0 100 5"]),
    (
        "--map-users=0:100:5 --map-users=10:200:5",
        &["0 100 5", "10 200 5"],
    ),
    (
        "--map-users=10:200:5 --map-users=0:100:5",
        &["10 200 5", "0 100 5"],
    ),
    ("--map-users=all", &["0 0 4294967295"]),
    ("--map-users=0:0:4294967295", &["0 0 4294967295"]),
    ("--map-users=4294967294:0:1", &["4294967294 0 1"]),
    ("--map-user=0 --map-users=0:100:5", &["0 0 1", "1 100 4"]),
    ("--map-users=0:100:5 --map-user=0", &["0 0 1", "1 100 4"]),
    ("--map-user=0 --map-users=0:0:5", &["0 0 1", "1 1 4"]),
    ("--map-user=0 --map-users=1:100:5", &["0 0 1", "1 100 5"]),
    (
        "--map-user=3 --map-users=0:100:5",
        &["3 0 1", "0 100 3", "4 103 1"],
    ),
    (
        "--map-user=3 --map-users=0:0:5",
        &["3 0 1", "0 1 3", "4 4 1"],
    ),
    ("--map-user=4 --map-users=0:100:5", &["4 0 1", "0 100 4"]),
    ("--map-user=9 --map-users=0:100:5", &["9 0 1", "0 100 5"]),
    ("--map-user=9 --map-users=5:0:5", &["9 0 1", "5 1 4"]),
    ("--map-user=0 --map-users=0:100:1", &["0 0 1"]),
    ("--map-user=0 --map-users=all", &["0 0 1", "1 1 4294967294"]),
    (
        "--map-user=5 --map-users=all",
        &["5 0 1", "0 1 5", "6 6 4294967289"],
    ),
];

#[test]
fn ranges_of_root() {
    needs!(
        root(),
        since(2, 43, "knows only one range, in the old order, and no all")
    );
    for (words, map) in RANGES {
        assert_eq!(users(Tool::unshare().line(words)), map, "{words}");
        let words = words.replace("--map-user", "--map-group");
        let tool = Tool::unshare().line(&words).line("cat /proc/self/gid_map");
        assert_eq!(extents(&tool.run().ok().text()), map, "{words}");
    }
}

#[test]
fn users_and_groups_at_once() {
    needs!(root(), since(2, 43, "knows ranges in the old order only"));
    let words = "--map-user=3 --map-users=0:100:5 --map-groups=0:200:7 --map-group=1";
    let tool = Tool::unshare()
        .line(words)
        .sh("cat /proc/self/uid_map; echo; cat /proc/self/gid_map");
    let said = tool.run().ok().text();
    let (users, groups) = said.split_once("\n\n").expect("an empty line");
    assert_eq!(extents(users), ["3 0 1", "0 100 3", "4 103 1"]);
    assert_eq!(extents(groups), ["1 0 1", "0 200 1", "2 201 5"]);
    Tool::unshare()
        .line("--map-users=0:100:5 --map-groups=0:100:5 -S 2 -G 3 id -u")
        .run()
        .ok()
        .out("2\n");
}

#[test]
fn ranges_that_touch_stay_as_they_were_given() {
    needs!(root(), since(2, 43, "knows only one range"));
    let touching = "--map-users=0:100:5 --map-users=5:105:5";
    assert_eq!(
        users(Tool::unshare().line(touching)),
        ["0 100 5", "5 105 5"]
    );
    let backwards = "--map-users=5:105:5 --map-users=90:90:1 --map-users=0:100:5";
    assert_eq!(
        users(Tool::unshare().line(backwards)),
        ["5 105 5", "90 90 1", "0 100 5"]
    );
}

#[test]
fn a_map_that_would_not_fit_is_merged() {
    needs!(root(), ours("leaves them apart, and the kernel refuses"));
    // 400 ranges that make one extent are no long map.
    let ranges = (0..400).map(|id| format!("--map-users={id}:{id}:1"));
    assert_eq!(users(Tool::unshare().args(ranges)), ["0 0 400"]);
}

/// The maps of a rootless container: the user's own ID, and the subordinate ones.
const ROOTLESS: &str = "--map-users=0:1000:1 --map-users=1:100000:65535 \
    --map-groups=0:1000:1 --map-groups=1:100000:65535 -S 0 -G 0";

#[test]
fn the_extents_of_a_rootless_container_are_passed_on_one_by_one() {
    needs!(root(), since(2, 43, "lacks all, and knows only one range"));
    for words in [
        "--map-users=all --map-groups=all",
        "--map-users=0:0:1 --map-users=1:1:65535 --map-groups=0:0:1 --map-groups=1:1:65535",
    ] {
        let tool = Tool::unshare()
            .line(ROOTLESS)
            .line("unshare")
            .line(words)
            .sh("cat /proc/self/uid_map; echo; cat /proc/self/gid_map");
        let said = tool.run().ok().text();
        let (users, groups) = said.split_once("\n\n").expect("an empty line");
        assert_eq!(extents(users), ["0 0 1", "1 1 65535"], "{words}");
        assert_eq!(extents(groups), ["0 0 1", "1 1 65535"], "{words}");
    }
}

#[test]
fn root_needs_no_helper_programs() {
    needs!(root(), since(2, 43, "always asks newuidmap"));
    let tool = Tool::unshare()
        .env("PATH", "/nonexistent")
        .line("--map-users=0:100:5 --map-groups=0:100:5");
    let said = tool.line("/bin/cat /proc/self/gid_map").run().ok().text();
    assert_eq!(extents(&said), ["0 100 5"]);
}

/// Every other ID from `first` on, so that no two touch.
fn apart(first: u32, count: u32) -> Vec<String> {
    (0..count)
        .map(|index| first + 2 * index)
        .map(|id| format!("--map-users={id}:{id}:1"))
        .collect()
}

#[test]
fn as_many_extents_as_the_kernel_takes() {
    needs!(root(), since(2, 43, "knows only one range"));
    assert_eq!(users(Tool::unshare().args(apart(0, 340))).len(), 340);
    // By their bytes: 22 an extent, and 176 extents are 3,872 bytes.
    assert_eq!(
        users(Tool::unshare().args(apart(100_000_000, 176))).len(),
        176
    );
}

/// Runs the command line under strace(1); nothing is changed, and the error is this.
#[track_caller]
fn refused_before_anything_is_done(words: &[String], line: &str) {
    let place = Place::new();
    let trace = place.at("trace");
    let calls = "trace=unshare,clone,clone3,fork,vfork,mount,setns,sethostname,setuid,setgid,setgroups,chroot,pivot_root";
    Tool::program("strace")
        .args(["-f", "-o", &trace, "-e", calls])
        .arg(Tool::path_of("unshare"))
        .args(words)
        .line("echo it ran")
        .run()
        .exits(1)
        .out("")
        .err(&format!("unshare: {line}\n"));
    let text = std::fs::read_to_string(&trace).expect("strace writes its file");
    let done: Vec<_> = text.lines().filter(|line| !line.contains("+++")).collect();
    assert!(done.is_empty(), "{words:?}: {done:?}");
}

#[test]
fn a_map_that_is_too_long_is_refused_before_anything_is_done() {
    needs!(ours("tries, and the kernel refuses"), command("strace"));
    refused_before_anything_is_done(
        &apart(0, 341),
        "--map-users: the ID map has 341 extents; the kernel takes at most 340",
    );
    refused_before_anything_is_done(
        &apart(100_000_000, 200),
        "--map-users: the ID map is 4400 bytes long; the kernel takes less than one page, 4096 bytes",
    );
}

#[test]
fn ranges_that_overlap_are_refused_by_name() {
    needs!(ours("tries, and the kernel refuses"), command("strace"));
    for (words, line) in [
        (
            "--map-users=0:0:10 --map-users=5:100:3",
            "--map-users: ranges 0:0:10 and 5:100:3 overlap on the inner side",
        ),
        (
            "--map-users=0:0:10 --map-users=50:7:3",
            "--map-users: ranges 0:0:10 and 50:7:3 overlap on the outer side",
        ),
        (
            "--map-groups=7:7:1 --map-groups=7,9,1",
            "--map-groups: ranges 7:7:1 and 9:7:1 overlap on the outer side",
        ),
        (
            "--map-users=0:0:0",
            "--map-users: range 0:0:0 has a count of 0",
        ),
        (
            "--map-users=1:0:4294967295",
            "--map-users: range 1:0:4294967295 ends past ID 4294967294, the last one, on the inner side",
        ),
        (
            "--map-users=0:1:4294967295",
            "--map-users: range 0:1:4294967295 ends past ID 4294967294, the last one, on the outer side",
        ),
        (
            "--map-users=0:0:1x",
            "--map-users: '1x' is not a number from 0 to 4294967295 (in range '0:0:1x')",
        ),
        (
            "--map-users=0,0:1",
            "--map-users: '0,0:1' is not one of inner:outer:count, auto, subids, all",
        ),
    ] {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        refused_before_anything_is_done(&words, line);
    }
}

#[test]
fn spellings_of_ranges_that_mean_nothing() {
    for value in [
        "x", "", "1", "1:2", "1:2:", "1:2:3:4", "1,2", "1,2,3,4", "a:0:1", "0:a:1", "0:0:a",
        "0x0:0:1", "::", ":::", ",,", "0:0:1:", "ALL", "Auto", "root:0:1", "0;0;1",
    ] {
        for option in ["--map-users", "--map-groups"] {
            Tool::unshare()
                .arg(format!("{option}={value}"))
                .line("echo it ran")
                .run()
                .exits(1)
                .out("");
        }
    }
}

#[test]
fn all_passes_every_id_of_the_parent_through() {
    needs!(root(), since(2, 43, "lacks all"));
    // A namespace with a hole in it; what is above the last ID does not exist.
    let parent = "--map-users=0:100000:10 --map-users=20:200000:5 --map-groups=0:0:10 -S 0 -G 0";
    let child = "unshare --map-users=all --map-groups=all cat /proc/self/uid_map";
    let said = Tool::unshare().line(parent).line(child).run().ok().text();
    assert_eq!(extents(&said), ["0 0 10", "20 20 5"]);
}

#[test]
fn setgroups_and_maps_of_groups() {
    needs!(user_namespaces(), root());
    for (words, state) in [
        ("-U", "allow"),
        ("-U --setgroups=allow", "allow"),
        ("-U --setgroups deny", "deny"),
        ("-U --setgroups=deny --setgroups=allow", "allow"),
        ("-r", "deny"),
        ("--map-user=0", "allow"),
        ("--map-user=0 --setgroups=allow", "allow"),
        ("--map-group=0", "deny"),
    ] {
        for tool in [Tool::unshare(), Tool::unshare().by_ordinary()] {
            tool.line(words)
                .line("cat /proc/self/setgroups")
                .run()
                .ok()
                .out(&format!("{state}\n"));
        }
    }
}

#[test]
fn setgroups_denied_with_a_map_of_groups() {
    needs!(
        root(),
        user_namespaces(),
        ours("writes it twice, and fails")
    );
    for words in ["-r --setgroups=deny", "--map-group=5 --setgroups deny"] {
        for tool in [Tool::unshare(), Tool::unshare().by_ordinary()] {
            let program = "cat /proc/self/setgroups";
            tool.line(words).line(program).run().ok().out("deny\n");
        }
    }
    Tool::unshare()
        .line("--setgroups=deny --map-groups=0:0:1 cat /proc/self/setgroups")
        .run()
        .ok()
        .out("deny\n");
}

#[test]
fn ranges_with_setgroups_allowed() {
    needs!(root(), since(2, 43, "knows ranges in the old order only"));
    for words in ["--map-groups=0:0:1", "--map-groups=0:0:1 --setgroups=allow"] {
        let program = "cat /proc/self/setgroups";
        Tool::unshare()
            .line(words)
            .line(program)
            .run()
            .ok()
            .out("allow\n");
    }
}

/// Prints the owner of the program's user namespace (ioctl_nsfs(2), `NS_GET_OWNER_UID`).
fn owner_of(pid: i32) -> String {
    let ask = r#"open(F, "<", $ARGV[0]) or die $!; $uid = pack("L", 0); ioctl(F, 0xb704, $uid) or die $!; print unpack("L", $uid)"#;
    let tool = Tool::program("perl").args(["-e", ask, &format!("/proc/{pid}/ns/user")]);
    tool.run().ok().text()
}

#[test]
fn the_owner_of_a_user_namespace() {
    needs!(root(), option("unshare", "--owner"), command("perl"));
    for (words, owner) in [
        ("-U", "0"),
        ("--owner 0:0", "0"),
        ("--owner 4711:4712", "4711"),
        ("--owner=4711:4712 -mf", "4711"),
        (
            "--owner=4711:4712 --map-users=0:100000:10 --map-groups=0:100000:10 -S 0 -G 0",
            "4711",
        ),
    ] {
        let holder = Holder::of(Tool::unshare().line(words), "");
        assert_eq!(owner_of(holder.pid()), owner, "{words}");
    }
}

#[test]
fn maps_of_a_namespace_that_belongs_to_somebody_else() {
    needs!(
        root(),
        ours("writes the single map as the owner, and fails")
    );
    // The effective IDs before anything changed are root's.
    let show = "cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/setgroups; id -G";
    let said = Tool::unshare()
        .line("--owner 4711:4712 --map-users=0:100000:10 --map-groups=0:200000:10 -S 1 -G 2")
        .sh(show)
        .run()
        .ok()
        .text();
    assert_eq!(extents(&said), ["0 100000 10", "0 200000 10", "allow", "2"]);
    for (words, state) in [
        ("-r", "allow"),
        ("-r --setgroups allow", "allow"),
        ("-r --setgroups deny", "deny"),
        ("--map-group=5", "allow"),
        ("-c -G 0", "allow"),
    ] {
        let tool = Tool::unshare().line("--owner 4711:4712").line(words);
        let program = "cat /proc/self/setgroups";
        tool.line(program).run().ok().out(&format!("{state}\n"));
    }
    let said = Tool::unshare()
        .line("--owner 4711:4712 -r -G 0 --groups 0")
        .sh(show)
        .run()
        .ok()
        .text();
    assert_eq!(extents(&said), ["0 0 1", "0 0 1", "allow", "0"]);
}

#[test]
fn an_owner_has_no_other_groups() {
    needs!(root(), option("unshare", "--owner"), command("setpriv"));
    let tool = Tool::program("setpriv").line("--groups 4,5,6 unshare --owner 4711:4712");
    let said = tool.line("cat /proc/self/status").run().ok().text();
    let status = Status::said(&said);
    assert_eq!(status.get("Groups"), "");
}

#[test]
fn an_ordinary_user_gives_nothing_away() {
    needs!(option("unshare", "--owner"));
    for owner in ["0:0", &format!("{ORDINARY}:{ORDINARY}")] {
        let ran = Tool::unshare()
            .args(["--owner", owner])
            .line("echo it ran")
            .by_ordinary()
            .run()
            .exits(1)
            .out("");
        assert!(
            ran.stderr
                .starts_with(b"unshare: setgroups failed: Operation not permitted\n"),
            "{ran}"
        );
    }
}
