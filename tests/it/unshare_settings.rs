//! What `unshare` sets up in new namespaces: clocks, the host name, the loopback interface; and all of
//! them at once.

use std::path::Path;

use crate::explain::filtered;
use crate::harness::*;

/// The boot-time clock and the monotonic one, in whole seconds, as a program sees them.
const CLOCKS: &str = r#"use POSIX (); use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC); open F, "/proc/uptime" or die; ($up) = split / /, <F>; printf "%d %d\n", $up, clock_gettime(CLOCK_MONOTONIC)"#;

/// Boot-time and monotonic clock inside, less those outside, to a few seconds.
#[track_caller]
fn shifted(tool: Tool, boottime: i64, monotonic: i64) {
    let clocks = |ran: String| -> Vec<i64> {
        let words = ran.split(' ').map(|word| word.parse().expect("seconds"));
        words.collect()
    };
    let outside = clocks(Tool::program("perl").args(["-e", CLOCKS]).run().ok().text());
    let ran = tool.args(["perl", "-e", CLOCKS]).run().ok();
    let inside = clocks(ran.text());
    for (inside, outside, offset) in [
        (inside[0], outside[0], boottime),
        (inside[1], outside[1], monotonic),
    ] {
        let late = inside - outside - offset;
        assert!((0..=5).contains(&late), "{late} s off: {ran}");
    }
}

#[test]
fn clocks_seen_inside() {
    needs!(user_namespaces(), kind("time"), command("perl"));
    for (words, boottime, monotonic) in [
        ("--boottime=100000", 100_000, 0),
        ("--monotonic 100000", 0, 100_000),
        ("--boottime 300000000 --monotonic=-5", 300_000_000, -5),
        ("--monotonic=-5 --boottime=-5", -5, -5),
        ("--monotonic=7 --monotonic=1000", 0, 1000),
        ("--monotonic=0 --boottime=0", 0, 0),
    ] {
        for fork in ["", "-f"] {
            let tool = || Tool::unshare().line("-T").line(fork).line(words);
            shifted(tool().arg("-r").by_ordinary(), boottime, monotonic);
            if is_root() {
                shifted(tool(), boottime, monotonic);
            }
        }
    }
}

#[test]
fn offsets_that_are_impossible() {
    needs!(
        root(),
        kind("time"),
        ours("says only that the kernel refused")
    );
    for (option, value) in [
        ("--monotonic", "-999999999"),
        ("--boottime", "-999999999"),
        ("--monotonic", "4611686018"),
        ("--boottime", "9223372036854775807"),
        ("--boottime", "-9223372036854775808"),
    ] {
        let ran = Tool::unshare()
            .arg("-T")
            .arg(format!("{option}={value}"))
            .line("echo it ran")
            .run()
            .exits(1)
            .out("");
        ran.err_has(&format!(
            "unshare: {option}: {value} is out of range: now -"
        ));
    }
    for value in ["9223372036854775808", "1.5", "x", "", "1s"] {
        let ran = Tool::unshare()
            .arg("-T")
            .arg(format!("--monotonic={value}"))
            .line("echo it ran")
            .run()
            .exits(1)
            .out("");
        ran.err_has(&format!("unshare: --monotonic: '{value}' is not a number"));
    }
}

/// The range that an error says is accepted.
fn range(stderr: &[u8]) -> (i64, i64) {
    let text = String::from_utf8_lossy(stderr).into_owned();
    let words: Vec<_> = text.split_ascii_whitespace().collect();
    let at = words
        .iter()
        .position(|word| *word == "now")
        .expect("a range");
    let number = |word: &str| word.parse().expect("a number");
    (number(words[at + 1]), number(words[at + 3]))
}

#[test]
fn the_ends_of_what_the_kernel_takes() {
    needs!(
        root(),
        kind("time"),
        command("perl"),
        ours("gives no range")
    );
    for option in ["--monotonic", "--boottime"] {
        let with = |offset: i64| {
            Tool::unshare()
                .arg("-T")
                .arg(format!("{option}={offset}"))
                .line("cat /proc/self/timens_offsets")
                .run()
        };
        let (least, most) = range(&with(i64::MAX).exits(1).stderr);
        let said = with(least).ok().text();
        assert!(said.contains(&format!(" {least} ")), "{said}");
        // The upper end moves with the clock.
        with(most - 60).ok();
        with(least - 120).exits(1);
        with(most + 1).exits(1);
    }
}

#[test]
fn time_namespaces_in_time_namespaces() {
    needs!(root(), kind("time"), command("perl"));
    // An offset is one of the clock of the initial namespace, also in another; without one, what it was stays.
    for (outer, inner, boottime, monotonic) in [
        ("--boottime=1000 --monotonic=500", "", 1000, 500),
        ("--boottime=1000 --monotonic=500", "--boottime=7", 7, 500),
        ("--boottime=1000", "--boottime=-5 --monotonic=20", -5, 20),
        ("--boottime=1000 --monotonic=500", "--boottime=0", 0, 500),
    ] {
        let tool = Tool::unshare().line("-Tf").line(outer);
        let tool = tool.line("unshare -Tf").line(inner);
        shifted(tool, boottime, monotonic);
    }
}

#[test]
fn offsets_seen_from_a_shifted_namespace() {
    needs!(root(), kind("time"), ours("gives no range"));
    // What is accepted does not move with the clock that we see.
    let refused = |outer: &str| {
        let ran = Tool::unshare()
            .line("-Tf")
            .line(outer)
            .line("unshare -T --boottime=-999999999 true")
            .run()
            .exits(1);
        range(&ran.stderr)
    };
    let (least, most) = refused("");
    for outer in ["--boottime=100000", "--boottime=-5"] {
        let (shifted_least, shifted_most) = refused(outer);
        assert!((least - shifted_least).abs() < 60 && (most - shifted_most).abs() < 60);
    }
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").expect("/proc")
}

#[test]
fn a_host_name() {
    needs!(root(), user_namespaces(), ours("lacks --hostname"));
    let before = hostname();
    for words in [
        "--hostname=box",
        "-u --hostname box",
        "--hostname=box -pf --mount-proc",
        "--hostname box --init",
    ] {
        for (tool, map) in [(Tool::unshare(), ""), (Tool::unshare().by_ordinary(), "-r")] {
            tool.line(map)
                .line(words)
                .line("cat /proc/sys/kernel/hostname")
                .run()
                .ok()
                .out("box\n");
        }
    }
    for name in ["", "with space", "ÿ"] {
        Tool::unshare()
            .arg(format!("--hostname={name}"))
            .line("cat /proc/sys/kernel/hostname")
            .run()
            .ok()
            .out(&format!("{name}\n"));
    }
    // The kernel takes 64 bytes.
    for (length, code) in [(64, 0), (65, 1)] {
        Tool::unshare()
            .args(["--hostname", &"n".repeat(length)])
            .arg("true")
            .run()
            .exits(code);
    }
    assert_eq!(hostname(), before);
}

/// A program that talks to itself over TCP on 127.0.0.1.
const TALK: &str = r#"
use IO::Socket::INET;
my $server = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die "listen: $!";
my $there = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $server->sockport) or die "connect: $!";
my $here = $server->accept or die "accept: $!";
print $there "over TCP\n"; $there->close;
print <$here>;
"#;

#[test]
fn the_loopback_interface() {
    needs!(
        root(),
        user_namespaces(),
        command("perl"),
        ours("lacks --loopback")
    );
    for words in ["--loopback", "-n --loopback --init", "--loopback -f"] {
        for (tool, map) in [(Tool::unshare(), ""), (Tool::unshare().by_ordinary(), "-r")] {
            tool.line(map)
                .line(words)
                .args(["perl", "-e", TALK])
                .run()
                .ok()
                .out("over TCP\n");
        }
    }
    // It is the option that does it.
    let ran = Tool::unshare().line("-n perl -e").arg(TALK).run();
    assert!(!ran.succeeded() && ran.stdout.is_empty(), "{ran}");
}

#[test]
fn all_kinds() {
    needs!(root(), user_namespaces(), ours("lacks --all"));
    let kinds: Vec<_> = KINDS
        .into_iter()
        .filter(|kind| Path::new("/proc/self/ns").join(kind).exists())
        .collect();
    for words in [
        "-a -f",
        "--all --fork",
        "-af",
        "-a --init",
        "-arf --mount-proc",
    ] {
        for tool in [Tool::unshare(), Tool::unshare().by_ordinary()] {
            let ran = tool.line(words).line(INSIDE).run().ok();
            assert_eq!(
                Links::said(&ran.text()).unlike(&Links::mine()),
                kinds,
                "{words}"
            );
        }
    }
    // Without a fork the PID namespace is that of the program's children.
    let ran = Tool::unshare().arg("-a").line(INSIDE).run().ok();
    let unlike = Links::said(&ran.text());
    let unlike = unlike.unlike(&Links::mine()).join(" ");
    assert_eq!(unlike, kinds.join(" ").replace("pid ", ""));
}

/// Runs the words where nothing is mounted on /proc; what /proc has is below `proc` in the working directory.
fn without_proc(place: &Place, words: &str) -> Tool {
    place.subdir("proc");
    Tool::fixture()
        .arg("-m")
        .sh(&format!(
            "mount -t proc none proc && umount -l /proc || exit 99; exec {words}"
        ))
        .dir(place.path())
}

#[test]
fn all_kinds_where_proc_cannot_be_read() {
    needs!(
        root(),
        user_namespaces(),
        command("setpriv"),
        ours("lacks --all")
    );
    let place = Place::new();
    let look = INSIDE.replace("/proc", "proc");
    let mine = Links::mine();
    let kinds: Vec<_> = KINDS
        .into_iter()
        .filter(|kind| Path::new("/proc/self/ns").join(kind).exists())
        .collect();
    let ordinary = format!("setpriv --reuid {ORDINARY} --regid {ORDINARY} --clear-groups ");
    for who in ["", &ordinary, "env --ignore-signal=CHLD "] {
        for options in ["-a -f", "--all --fork"] {
            let said = without_proc(&place, &format!("{who}unshare {options} {look}"));
            let said = said.run().ok().text();
            assert_eq!(Links::said(&said).unlike(&mine), kinds, "{who}{options}");
        }
    }
}

#[test]
fn all_kinds_of_a_lesser_kernel_where_proc_cannot_be_read() {
    needs!(root(), command("python3"), ours("lacks --all"));
    let place = Place::new();
    let filtered = |calls: &str, words: &str| {
        let command = filtered(calls, "unshare").line(words).into_command();
        let words: Vec<String> = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''")))
            .collect();
        without_proc(&place, &words.join(" "))
    };
    // Time, and cgroup, which an older kernel does not know.
    for (calls, kinds) in [
        ("unshare:0x80=22", "user, cgroup, ipc, uts, net, pid, mnt"),
        ("unshare:0x02000080=22", "user, ipc, uts, net, pid, mnt"),
        (
            "unshare:0x10000000=22",
            "cgroup, ipc, uts, net, pid, mnt, time",
        ),
        // Refused is not unknown.
        (
            "unshare:0x10000000=1",
            "user, cgroup, ipc, uts, net, pid, mnt, time",
        ),
    ] {
        // Who refuses cannot be told without /proc, so it is not foretold.
        let ran = filtered(calls, "--dry-run -a true").run().ok();
        assert_eq!(ran.lines()[0], format!("unshare {kinds}"), "{calls}: {ran}");
    }
    // Asked for namespaces, and there are none: nothing runs.
    for words in [
        "-a echo it ran",
        "-af echo it ran",
        "--dry-run -a echo it ran",
    ] {
        filtered("unshare=22", words)
            .run()
            .exits(1)
            .out("")
            .err("unshare: --all: this kernel makes no namespaces that we know of\n");
    }
}
