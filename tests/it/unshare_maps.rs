//! ID maps of `unshare`: every spelling, what wins, what is refused, and who writes them.

use nix::sys::signal::Signal;

use crate::harness::*;

/// The extents that a program printed: `inner outer count`.
fn extents(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// The map of users that the program finds itself in.
#[track_caller]
fn users(tool: Tool) -> Vec<String> {
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
fn ranges_that_touch_are_one_extent() {
    needs!(root(), ours("leaves them apart"));
    let touching = "--map-users=0:100:5 --map-users=5:105:5";
    assert_eq!(users(Tool::unshare().line(touching)), ["0 100 10"]);
    let backwards = "--map-users=5:105:5 --map-users=90:90:1 --map-users=0:100:5";
    assert_eq!(
        users(Tool::unshare().line(backwards)),
        ["0 100 10", "90 90 1"]
    );
    // 400 ranges that make one extent are no long map.
    let ranges = (0..400).map(|id| format!("--map-users={id}:{id}:1"));
    assert_eq!(users(Tool::unshare().args(ranges)), ["0 0 400"]);
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

/// The map of users of the user with subordinate IDs: `@` in the words is the first of them.
#[track_caller]
fn users_of_subordinate(words: &str) -> Vec<String> {
    let user = Subordinate::user();
    let words = words.replace('@', &user.uids.0.to_string());
    users(user.runs(Tool::unshare().line(&words)))
}

#[test]
fn ranges_of_an_ordinary_user() {
    needs!(Subordinate::there(), option("unshare", "--map-auto"));
    let (first, count) = Subordinate::user().uids;
    let auto = format!("0 {first} {count}");
    assert_eq!(users_of_subordinate("--map-auto"), [&*auto]);
    assert_eq!(users_of_subordinate("--map-users=auto"), [&*auto]);
    assert_eq!(
        users_of_subordinate("--map-users=@,0,100"),
        [format!("0 {first} 100")]
    );
}

#[test]
fn one_id_and_ranges_of_an_ordinary_user() {
    needs!(Subordinate::there(), since(2, 43, "loses the last ID"));
    let user = Subordinate::user();
    let (uid, (first, count)) = (user.uid, user.uids);
    assert!(uid > 5 && uid < count, "an ordinary range");
    let own = |inside: u32| format!("{inside} {uid} 1");
    // The one ID in the middle shifts the rest up; none is lost.
    let around = |hole: u32| {
        [
            own(hole),
            format!("0 {first} {hole}"),
            format!("{} {} {}", hole + 1, first + hole, count - hole),
        ]
    };
    assert_eq!(
        users_of_subordinate("--map-auto -r"),
        [own(0), format!("1 {first} {count}")]
    );
    for inside in [5, count - 1] {
        assert_eq!(
            users_of_subordinate(&format!("--map-auto --map-user={inside}")),
            around(inside)
        );
    }
    assert_eq!(users_of_subordinate("--map-auto -c"), around(uid));
    assert_eq!(
        users_of_subordinate("--map-auto --map-user=70000"),
        [own(70_000), format!("0 {first} {count}")]
    );
    assert_eq!(
        users_of_subordinate("--map-user=3 --map-users=@,0,10"),
        [own(3), format!("0 {first} 3"), format!("4 {} 6", first + 3)]
    );
}

#[test]
fn subordinate_ids_mapped_to_themselves() {
    needs!(Subordinate::there(), option("unshare", "--map-subids"));
    let user = Subordinate::user();
    let (first, count) = user.uids;
    let itself = format!("{first} {first} {count}");
    assert_eq!(users_of_subordinate("--map-subids"), [&*itself]);
    assert_eq!(users_of_subordinate("--map-users=subids"), [&*itself]);
    let own = format!("{0} {0} 1", user.uid);
    assert_eq!(users_of_subordinate("--map-subids -c"), [own, itself]);
}

#[test]
fn ranges_of_an_ordinary_user_in_both_orders() {
    needs!(
        Subordinate::there(),
        since(2, 43, "knows only one range, in the old order")
    );
    let user = Subordinate::user();
    let (uid, (first, count)) = (user.uid, user.uids);
    assert_eq!(
        users_of_subordinate("--map-users=0:@:100"),
        [format!("0 {first} 100")]
    );
    // One's own ID as a range is newuidmap's to allow too.
    assert_eq!(
        users_of_subordinate(&format!("--map-users=0:{uid}:1 --map-users=1:@:{count}")),
        [format!("0 {uid} 1"), format!("1 {first} {count}")]
    );
}

#[test]
fn an_ordinary_user_with_ranges_can_be_anybody_inside() {
    needs!(Subordinate::there(), option("unshare", "--map-auto"));
    let user = Subordinate::user();
    for (words, expected) in [
        ("--map-auto -r", "0 0\n"),
        ("--map-auto -r -S 5 -G 6", "5 6\n"),
        ("--map-auto -S 0 -G 0", "0 0\n"),
        ("--map-auto -S 65535 -G 65535", "65535 65535\n"),
    ] {
        let tool = Tool::unshare().line(words).sh("echo $(id -u) $(id -g)");
        user.runs(tool).run().ok().out(expected);
    }
    let tool = Tool::unshare().line("--map-auto cat /proc/self/setgroups");
    user.runs(tool).run().ok().out("allow\n");
}

#[test]
fn what_newuidmap_says_is_said() {
    needs!(
        Subordinate::there(),
        ours("exits without a word of its own")
    );
    let user = Subordinate::user();
    let (first, count) = user.uids;
    let tool = Tool::unshare()
        .arg(format!("--map-users=0:{first}:{}", count + 1))
        .line("echo it ran");
    let said = format!(
        "newuidmap: uid range [0-{}) -> [{first}-{}) not allowed\n",
        count + 1,
        first + count + 1
    );
    let line = "unshare: newuidmap failed: exit status 1\n";
    let ran = user.runs(tool).run().exits(1).out("");
    assert!(ran.stderr.starts_with(said.as_bytes()), "{ran}");
    ran.err_has(line);
}

/// Runs `unshare --map-auto` as the user with subordinate IDs, this script being its newuidmap.
fn with_newuidmap(place: &Place, script: &str) -> Tool {
    place.script("newuidmap", script);
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", place.path().display());
    let tool = Tool::unshare()
        .env("PATH", path)
        .line("--map-auto echo it ran");
    Subordinate::user().runs(tool)
}

#[test]
fn a_newuidmap_that_fails_is_our_failure() {
    needs!(
        Subordinate::there(),
        ours("runs the program unmapped, or exits without a word")
    );
    let place = Place::new();
    for (script, line) in [
        (
            "#!/bin/sh\nexit 1\n",
            "unshare: newuidmap failed: exit status 1\n",
        ),
        (
            "#!/bin/sh\necho no such luck >&2; exit 77\n",
            "no such luck\nunshare: newuidmap failed: exit status 77\n",
        ),
        (
            "#!/bin/sh\nkill -KILL $$\n",
            "unshare: newuidmap failed: killed by signal 9\n",
        ),
        (
            "#!/bin/sh\nexit 0\n",
            "unshare: newuidmap failed: it wrote no map\n",
        ),
    ] {
        let ran = with_newuidmap(&place, script).run().exits(1).out("");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(said.starts_with(line), "{script:?}: {ran}");
        std::fs::remove_file(place.at("newuidmap")).expect("our file");
    }
}

#[test]
fn newuidmap_and_newgidmap_run_side_by_side() {
    needs!(Subordinate::there(), ours("runs one after the other"));
    let place = Place::new();
    let meeting = place.subdir("meeting");
    std::fs::set_permissions(
        &meeting,
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .expect("our directory");
    // Each waits for the other before it goes on.
    let script = |own: &str, other: &str| {
        format!(
            "#!/bin/sh\n: >{meeting}/{own}; i=0
             while ! test -e {meeting}/{other}; do i=$((i+1)); test $i -lt 500 || exit 9; sleep 0.01; done
             exec /usr/bin/{own} \"$@\"\n"
        )
    };
    place.script("newgidmap", &script("newgidmap", "newuidmap"));
    with_newuidmap(&place, &script("newuidmap", "newgidmap"))
        .run()
        .ok()
        .out("it ran\n");
}

#[test]
fn a_newuidmap_that_says_much_does_not_hang() {
    needs!(Subordinate::there(), ours("gives it our own stderr"));
    let place = Place::new();
    // More than a pipe holds.
    let script = "#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' x >&2; exit 1\n";
    let ran = with_newuidmap(&place, script).run().exits(1).out("");
    assert!(ran.stderr.starts_with(b"xxxxxxxx"), "{ran}");
}

#[test]
fn without_newuidmap() {
    needs!(Subordinate::there(), ours("exits with 127"));
    let tool = Tool::unshare()
        .env("PATH", "/nonexistent")
        .line("--map-auto /bin/echo it ran");
    let ran = Subordinate::user().runs(tool).run().exits(1).out("");
    let line = "unshare: failed to execute newuidmap: No such file or directory\n";
    assert!(ran.stderr.starts_with(line.as_bytes()), "{ran}");
}

#[test]
fn helpers_end_with_us() {
    needs!(Subordinate::there(), ours("leaves its helper behind"));
    let place = Place::new().owned_by_ordinary();
    place.subdir("said");
    std::fs::set_permissions(
        place.at("said"),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .expect("our directory");
    let here = place.at("said/here");
    let script = format!("#!/bin/sh\n: >{here}; exec sleep 60\n");
    let started = with_newuidmap(&place, &script).start();
    eventually("newuidmap runs", || {
        std::path::Path::new(&here).exists().then_some(())
    });
    kill(started.pid(), Signal::SIGKILL);
    // The run fails when a process is left behind.
    started.wait().dies_of(Signal::SIGKILL);
}

/// Runs a script as root, with other contents of /etc/subuid and /etc/subgid. `@` in it is what runs the
/// words behind it as the user with subordinate IDs.
#[track_caller]
fn with_subids(place: &Place, contents: &str, script: &str) -> Tool {
    let user = Subordinate::user();
    let file = place.file("subids", contents);
    let run = format!(
        "setpriv --reuid {} --regid {} --clear-groups --",
        user.uid, user.gid
    );
    let script = format!(
        "mount --bind {file} /etc/subuid && mount --bind {file} /etc/subgid || exit 99\n{}",
        script.replace('@', &run)
    );
    Tool::fixture().arg("-m").sh(&script)
}

#[test]
fn subordinate_ids_by_name_and_by_number() {
    needs!(
        Subordinate::there(),
        command("setpriv"),
        ours("stops at a malformed line")
    );
    let user = Subordinate::user();
    let (name, uid) = (&user.name, user.uid);
    let place = Place::new();
    let script = "@ unshare --map-auto cat /proc/self/uid_map /proc/self/gid_map";
    for (contents, map) in [
        (format!("other:5:6\n{name}:300000:7\n"), "0 300000 7"),
        (format!("{uid}:400000:8\n"), "0 400000 8"),
        (format!("{uid}:400000:8\n{name}:300000:7\n"), "0 400000 8"),
        (format!("{name}:300000:7\n{uid}:400000:8\n"), "0 300000 7"),
        (
            format!("junk\n\n{name}\n{name}:bad:5\n{name}:5:0\n{name}:300000:7"),
            "0 300000 7",
        ),
    ] {
        let said = with_subids(&place, &contents, script).run().ok().text();
        assert_eq!(extents(&said), [map, map], "{contents:?}");
    }
}

#[test]
fn without_subordinate_ids() {
    needs!(
        Subordinate::there(),
        command("setpriv"),
        ours("in other words")
    );
    let user = Subordinate::user();
    let place = Place::new();
    let options = [
        "--map-auto",
        "--map-subids",
        "--map-users=auto",
        "--map-users=subids",
    ];
    for option in options {
        let script = format!("@ unshare {option} echo it ran");
        let line = format!(
            "unshare: {}: user {} ({}) has no range in /etc/subuid\n",
            option.split('=').next().expect("an option"),
            user.name,
            user.uid
        );
        let contents = format!("{}x:300000:7\n1{}:400000:8\n", user.name, user.uid);
        let ran = with_subids(&place, &contents, &script).run().exits(1);
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.stdout.is_empty() && said.starts_with(&line), "{ran}");
    }
}

#[test]
fn root_takes_no_line_of_somebody_else() {
    needs!(Subordinate::there(), ours("takes another user's line"));
    let place = Place::new();
    let foreign = format!("{}:100000:65536\n", Subordinate::user().name);
    let ran = with_subids(&place, &foreign, "unshare --map-auto echo it ran")
        .run()
        .exits(1)
        .out("");
    assert!(
        ran.stderr
            .starts_with(b"unshare: --map-auto: user root (0) has no range in /etc/subuid\n"),
        "{ran}"
    );
    for own in ["root:200000:77\n", "0:200000:77\n"] {
        let script = "unshare --map-auto cat /proc/self/uid_map /proc/self/gid_map";
        let said = with_subids(&place, &format!("{foreign}{own}"), script)
            .run()
            .ok()
            .text();
        assert_eq!(extents(&said), ["0 200000 77", "0 200000 77"]);
    }
}

#[test]
fn subordinate_ids_from_another_source() {
    needs!(
        Subordinate::there(),
        ours("knows only the files, or links libsubid")
    );
    let place = Place::new();
    place.script(
        "getsubids",
        "#!/bin/sh\nif test \"$1\" = -g; then echo \"0: $2 500000 5\"; else echo \"0: $1 600000 6\"; fi\n",
    );
    let script = format!(
        "PATH={}:$PATH unshare --map-auto cat /proc/self/uid_map /proc/self/gid_map",
        place.path().display()
    );
    let said = with_subids(&place, "other:1:2\n", &script)
        .run()
        .ok()
        .text();
    assert_eq!(extents(&said), ["0 600000 6", "0 500000 5"]);
    // One that knows nothing either is no help.
    place.script(
        "getsubids",
        "#!/bin/sh\necho 'Error fetching ranges' >&2; exit 1\n",
    );
    let ran = with_subids(&place, "other:1:2\n", &script).run().exits(1);
    assert!(
        ran.stderr.starts_with(b"unshare: --map-auto: user root"),
        "{ran}"
    );
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
    let said = Tool::unshare().line("--owner 4711:4712 -r").sh(show).run();
    assert_eq!(extents(&said.text())[..3], ["0 0 1", "0 0 1", "deny"]);
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
