//! ID maps that an ordinary user has newuidmap(1) and newgidmap(1) write: the user's subordinate IDs, where they come
//! from, and what happens when the helpers fail.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::*;
use crate::unshare_maps::{extents, users};

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

#[test]
fn a_newuidmap_that_does_not_end_does_not_hold_us() {
    needs!(Subordinate::there(), ours("leaves it behind"));
    let place = Place::new();
    let said = open_to_all(&place);
    for how in [
        "exec sleep 60",
        // It has children, and says no more.
        "sleep 60 & sleep 60",
        "exec sleep 60 2>&-",
        "trap '' TERM INT HUP; sleep 60; sleep 60",
        "kill -STOP $$",
    ] {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            let here = format!("{said}/here");
            let script = format!("#!/bin/sh\n: >{here}; {how}\n");
            let started = with_newuidmap(&place, &script).start();
            eventually("newuidmap runs", || Path::new(&here).exists().then_some(()));
            kill(started.pid(), signal);
            // The run fails when a process is left behind.
            started.wait().dies_of(signal).out("");
            std::fs::remove_file(&here).expect("newuidmap made it");
            std::fs::remove_file(place.at("newuidmap")).expect("our file");
        }
    }
}

#[test]
fn what_newuidmap_leaves_running_is_not_waited_for() {
    needs!(Subordinate::there(), ours("gives it our own stderr"));
    let place = Place::new();
    let said = open_to_all(&place);
    let script =
        format!("#!/bin/sh\nsleep 60 & echo $! >{said}/sleep; echo 'no luck' >&2; exit 7\n");
    let started = with_newuidmap(&place, &script).start();
    eventually("we have ended", || (!alive(started.pid())).then_some(()));
    // It is the test's to end.
    let sleep = std::fs::read_to_string(format!("{said}/sleep")).expect("its number");
    kill(sleep.trim().parse().expect("a number"), Signal::SIGKILL);
    let ran = started.wait().exits(1).out("");
    let line = b"no luck\nunshare: newuidmap failed: exit status 7\n";
    assert!(ran.stderr.starts_with(line), "{ran}");
}

/// Runs `unshare --map-auto` with a newuidmap that waits until `go` is called, then goes on with this.
struct Waiting {
    started: Started,
    said: String,
    _place: Place,
}

impl Waiting {
    #[track_caller]
    fn new(rest: &str) -> Self {
        let place = Place::new();
        let said = open_to_all(&place);
        let script = format!(
            "#!/bin/sh\n: >{said}/here; while ! test -e {said}/go; do sleep 0.01; done; {rest}\n"
        );
        let started = with_newuidmap(&place, &script).start();
        eventually("newuidmap runs", || {
            Path::new(&format!("{said}/here")).exists().then_some(())
        });
        Self {
            started,
            said,
            _place: place,
        }
    }

    /// The process of ours that has started newuidmap.
    fn helper(&self) -> i32 {
        children(self.started.pid())[0]
    }

    #[track_caller]
    fn go(self) -> Ran {
        std::fs::write(format!("{}/go", self.said), "").expect("a file");
        self.started.wait()
    }
}

/// A directory in the place into which everybody may write.
fn open_to_all(place: &Place) -> String {
    let dir = place.subdir("said");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&dir, mode).expect("our directory");
    dir
}

#[test]
fn a_signal_for_the_helper_ends_nothing() {
    needs!(Subordinate::there(), ours("has no such helper"));
    let waiting = Waiting::new("exec /usr/bin/newuidmap \"$@\"");
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        kill(waiting.helper(), signal);
    }
    waiting.go().ok().out("it ran\n");
}

#[test]
fn a_map_that_cannot_be_read_back() {
    needs!(
        Subordinate::there(),
        command("strace"),
        ours("does not look")
    );
    for (errno, words) in [
        ("EACCES", "Permission denied"),
        ("ENOENT", "No such file or directory"),
        ("ESRCH", "No such process"),
    ] {
        let waiting = Waiting::new("exit 0");
        let (caller, helper) = (waiting.started.pid(), waiting.helper());
        let place = Place::new();
        let strace = Tool::program("strace")
            .args(["-qq", "-o", &place.at("trace"), "-p", &helper.to_string()])
            .args(["-e", &format!("inject=openat:error={errno}")])
            .start();
        eventually("it is traced", || {
            let status = std::fs::read_to_string(format!("/proc/{helper}/status")).ok()?;
            (!status.contains("TracerPid:\t0\n")).then_some(())
        });
        let ran = waiting.go().exits(1).out("");
        strace.wait().exits(0);
        let line = format!("unshare: read failed /proc/{caller}/uid_map: {words}\n");
        assert!(ran.stderr.starts_with(line.as_bytes()), "{ran}");
    }
}

#[test]
fn newuidmap_gets_no_descriptor_of_ours() {
    needs!(Subordinate::there(), ours("lacks --pidfile"));
    let place = Place::new();
    let said = open_to_all(&place);
    let script = format!(
        "#!/bin/sh\nfor fd in /proc/$$/fd/*; do echo ${{fd##*/}} $(readlink $fd) >>{said}/seen; done
         exec /usr/bin/newuidmap \"$@\"\n"
    );
    place.script("newuidmap", &script);
    // The shell has some of its own open: what it sees where we are not between, it sees of us.
    let seen = |words: &str| {
        let path = place.path().display();
        let script = format!("PATH={path}:$PATH exec {words} 8</proc/version");
        Subordinate::user().runs(Tool::shell(&script)).run();
        let text = std::fs::read_to_string(format!("{said}/seen")).expect("a file");
        std::fs::remove_file(format!("{said}/seen")).expect("our file");
        let numbers = text.lines().filter_map(|line| line.split(' ').next());
        numbers.map(str::to_owned).collect::<Vec<_>>()
    };
    let plain = seen("newuidmap");
    assert!(plain.iter().any(|number| number == "8"), "{plain:?}");
    // With all for which something is open in us.
    let words = format!("unshare --map-auto --status-fd=7 --pidfile={said}/pid true 7>/dev/null");
    assert_eq!(seen(&words), plain);
    assert!(Path::new(&format!("{said}/pid")).exists());
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
