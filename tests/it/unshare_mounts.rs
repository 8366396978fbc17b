//! Mounts of `unshare`: propagation, proc, binfmt_misc, and another root directory.

use crate::harness::*;

/// The optional fields of `/` in /proc/self/mountinfo, `-` when there are none, and of a mount below it.
const FIELDS: &str = r#"awk '$5 == "/" || $5 == "/proc" { print($5, $7) }' /proc/self/mountinfo"#;

#[test]
fn the_four_propagations() {
    needs!(root());
    // A namespace in which everything is shared; the group's number is its own.
    let both = |options: &str| {
        let script = format!("{FIELDS}\nunshare -m {options} sh -c '{}'", {
            FIELDS.replace('\'', r"'\''")
        });
        let ran = Tool::fixture()
            .line("-m --propagation shared")
            .sh(&script)
            .run()
            .ok();
        let lines = ran.lines();
        let (outside, inside) = lines.split_at(lines.len() / 2);
        assert_eq!(outside.len(), inside.len(), "{ran}");
        assert!(outside.iter().all(|line| line.contains(" shared:")));
        (outside.to_vec(), inside.to_vec())
    };
    for (options, expected) in [
        ("", " -"),
        ("--propagation private", " -"),
        ("--propagation=slave", " master:"),
        ("--propagation shared", " shared:"),
        ("--propagation unchanged", " shared:"),
    ] {
        let (outside, inside) = both(options);
        for (outside, inside) in outside.iter().zip(&inside) {
            assert!(inside.contains(expected), "{options}: {inside}");
            let group = |line: &str| line.rsplit(':').next().map(str::to_owned);
            let same = group(outside) == group(inside);
            assert_eq!(same, expected != " -", "{options}: {outside}, {inside}");
        }
    }
}

#[test]
fn what_was_private_stays_so_when_unchanged() {
    needs!(root());
    let script = format!("unshare -m --propagation unchanged sh -c '{}'", {
        FIELDS.replace('\'', r"'\''")
    });
    let ran = Tool::fixture().arg("-m").sh(&script).run().ok();
    assert!(ran.lines().iter().all(|line| line.ends_with(" -")), "{ran}");
}

#[test]
fn a_propagation_without_a_mount_namespace_changes_nothing() {
    needs!(root());
    let fields = || Tool::shell(FIELDS).run().ok().text();
    let before = fields();
    for propagation in ["slave", "shared", "private", "unchanged"] {
        Tool::unshare()
            .args(["--propagation", propagation])
            .sh(FIELDS)
            .run()
            .ok()
            .out(&format!("{before}\n"));
    }
    assert_eq!(fields(), before);
}

/// The mounts of this type that the program sees: where, and how.
fn mounts_of(kind: &str) -> String {
    format!(r#"awk '/ - {kind} / {{ print($5, $6) }}' /proc/self/mountinfo"#)
}

/// The options that proc is mounted with, and binfmt_misc.
const SAFE: &str = "rw,nosuid,nodev,noexec,relatime";

#[test]
fn a_proc_on_its_place() {
    needs!(user_namespaces(), root());
    for words in [
        "-pf --mount-proc",
        "-pf --mount-proc=/proc",
        "-p --mount-proc -m --fork",
    ] {
        for (tool, map) in [(Tool::unshare(), ""), (Tool::unshare().by_ordinary(), "-r")] {
            let script = format!("echo $$; echo /proc/[0-9]*; {}", mounts_of("proc"));
            let ran = tool.line(map).line(words).sh(&script).run().ok();
            let lines = ran.lines();
            assert!(lines[0] == "1" && lines[1].starts_with("/proc/1"), "{ran}");
            // Those of the caller's lie below.
            assert_eq!(lines.last(), Some(&format!("/proc {SAFE}")), "{ran}");
        }
    }
}

#[test]
fn a_proc_on_a_directory() {
    needs!(
        user_namespaces(),
        root(),
        since(2, 38, "mounts on /proc too")
    );
    let place = Place::new();
    let dir = place.subdir("proc");
    for (tool, map) in [(Tool::unshare(), ""), (Tool::unshare().by_ordinary(), "-r")] {
        let script = format!(
            "readlink {dir}/self; readlink /proc/self; {}",
            mounts_of("proc")
        );
        let ran = tool
            .line(map)
            .line("-pf")
            .arg(format!("--mount-proc={dir}"))
            .sh(&script)
            .run()
            .ok();
        let lines = ran.lines();
        let inside: u32 = lines[0].parse().expect("a PID");
        let outside: u32 = lines[1].parse().expect("a PID");
        assert!(inside < 10 && outside > inside, "{ran}");
        assert!(lines.contains(&format!("{dir} {SAFE}")), "{ran}");
        assert_eq!(std::fs::read_dir(&dir).expect("a directory").count(), 0);
    }
}

#[test]
fn a_proc_that_cannot_be() {
    needs!(root());
    let place = Place::new();
    let file = place.file("file", "");
    for (dir, why) in [
        ("/nonexistent", "No such file or directory"),
        (&*file, "Not a directory"),
        ("", "No such file or directory"),
    ] {
        let ran = Tool::unshare()
            .arg(format!("--mount-proc={dir}"))
            .line("echo it ran")
            .run()
            .exits(1)
            .out("");
        ran.err_has(&format!("unshare: mount {dir} failed: {why}\n"));
    }
}

/// A shell in a mount namespace of its own, with another root in `$ROOT` that has what `/` has, and a file
/// `/mnt/outside` that is not there in it.
fn with_root(place: &Place, words: &str, script: &str) -> Tool {
    let root = place.subdir("root");
    let script = format!(
        "mount --rbind / {root} && mount -t tmpfs none /mnt && : >/mnt/outside || exit 99\n{script}"
    );
    Tool::fixture()
        .line("-m")
        .line(words)
        .env("ROOT", root)
        .sh(&script)
}

/// For root and for an ordinary user, who is root of a user namespace.
#[track_caller]
fn in_roots(script: &str, check: impl Fn(Tool)) {
    let place = Place::new();
    check(with_root(&place, "", script));
    let place = Place::new().owned_by_ordinary();
    place.subdir("root");
    check(with_root(&place, "-r", script).by_ordinary());
}

#[test]
fn another_root_and_a_directory_in_it() {
    needs!(root(), user_namespaces());
    let look = "sh -c 'pwd; test -e /mnt/outside && echo the old one; ls -d /mnt'";
    for (options, directory) in [("-R $ROOT", "/"), ("--root=$ROOT -w /usr/bin", "/usr/bin")] {
        in_roots(&format!("cd /usr; unshare {options} {look}"), |tool| {
            tool.run().ok().out(&format!("{directory}\n/mnt\n"));
        });
    }
}

#[test]
fn a_proc_in_another_root() {
    needs!(root(), user_namespaces());
    for options in ["-R $ROOT", "-R $ROOT -w /tmp"] {
        let script = format!(
            "unshare -pf {options} --mount-proc sh -c 'echo $$; readlink /proc/self; ls -d /proc/1'
             readlink /proc/self | grep -c '^[0-9]*$'"
        );
        in_roots(&script, |tool| {
            let lines = tool.run().ok().lines();
            assert_eq!((&*lines[0], &*lines[2], &*lines[3]), ("1", "/proc/1", "1"));
            assert!(lines[1].len() < 3, "a PID inside: {lines:?}");
        });
    }
}

/// A directory with the programs of this machine, the tool under test as `/unshare`, and directories that are no
/// mount points: `$ROOT` of scripts, to be filled by [`FILL`] in a mount namespace of its own.
fn bare_root(place: &Place) -> String {
    for dir in ["proc", "mnt"] {
        place.subdir(&format!("bare/{dir}"));
    }
    let root = place.at("bare");
    let filled = Tool::program("cp")
        .arg("-L")
        .arg(Tool::path_of("unshare"))
        .arg(format!("{root}/unshare"))
        .run();
    filled.ok();
    root
}

/// Mounts the machine's programs below `$ROOT`.
const FILL: &str = r#"
    for dir in /usr /bin /sbin /lib /lib32 /lib64 /libx32; do
        if [ -L $dir ]; then cp -P $dir $ROOT$dir
        elif [ -d $dir ]; then mkdir $ROOT$dir && mount --bind $dir $ROOT$dir
        fi || exit 99
    done"#;

/// Does it where everything is shared with a caller who looks whether any mount came or went there; what the program
/// itself prints comes first.
#[track_caller]
fn stays_with_us(prepare: &str, command: &str, expected: &str) {
    let place = Place::new();
    let root = bare_root(&place);
    // `kept` lies in a mount of its own, as `kept/dir` does not.
    let script = format!(
        r#"{WITHOUT_OTHERS}
        mount --make-rshared /
        {FILL}
        mkdir kept other && mount -t tmpfs none kept && mkdir kept/dir && cd kept/dir && mkdir dir || exit 99
        {prepare}
        before=$(cat /proc/self/mountinfo)
        {command}
        echo "status $?"
        [ "$(cat /proc/self/mountinfo)" = "$before" ] || echo "mounts were: $before, are: $(cat /proc/self/mountinfo)"
        "#
    );
    // What is shared here is not shared with the machine.
    let ran = Tool::fixture()
        .line("-m --propagation private")
        .sh(&script)
        .env("ROOT", root)
        .dir(place.path())
        .run()
        .ok();
    assert_eq!(
        ran.text(),
        format!("{expected}status 0").trim_end(),
        "{command}: {ran}"
    );
}

#[test]
fn a_proc_does_not_spread_to_where_it_came_from() {
    needs!(root());
    for propagation in ["unchanged", "shared", "slave", "private"] {
        for options in ["--mount-proc", "--mount-proc=/proc/", "--mount-proc -r"] {
            stays_with_us(
                "",
                &format!("unshare -pf --propagation={propagation} {options} sh -c 'echo $$'"),
                "1\n",
            );
        }
    }
}

#[test]
fn a_proc_on_a_directory_that_is_no_mount_point_does_not_spread() {
    needs!(root(), ours("lets it spread"));
    for propagation in ["unchanged", "shared", "slave", "private"] {
        for (dir, at) in [
            ("$PWD/dir", "$PWD/dir"),
            ("dir", "dir"),
            ("../dir/dir/../dir", "dir"),
            (".", "$PWD"),
            ("..", "$PWD/.."),
            ("../../other", "$PWD/../../other"),
            ("/mnt", "/mnt"),
        ] {
            // The working directory is what it was.
            stays_with_us(
                "",
                &format!(
                    "unshare -pf --propagation={propagation} --mount-proc={dir} sh -c '
                         pwd -P | grep -o /kept/dir; cd {at}; readlink self | wc -L'"
                ),
                "/kept/dir\n1\n",
            );
        }
    }
}

#[test]
fn a_proc_in_another_root_does_not_spread() {
    needs!(root(), command("chroot"), ours("lets it spread"));
    for propagation in ["unchanged", "shared"] {
        for (call, files) in [
            ("unshare -R $ROOT", "/unshare"),
            ("unshare -m -w /mnt -R $ROOT", "/unshare"),
            ("unshare -R /", "/un*"),
        ] {
            stays_with_us(
                "",
                &format!(
                    "{call} -pf --propagation={propagation} --mount-proc sh -c 'echo $$; echo /un*; ls -d /proc/1'"
                ),
                &format!("1\n{files}\n/proc/1\n"),
            );
        }
    }
    // The caller's own root directory may be no mount point either.
    for (dir, cd) in [
        ("/proc", "/"),
        ("proc", "/"),
        (".", "/proc"),
        ("../proc", "/mnt"),
    ] {
        stays_with_us(
            "",
            &format!(
                "chroot $ROOT sh -c 'cd {cd}; /unshare -pf --propagation=unchanged --mount-proc={dir} sh -c \"
                     pwd; echo /un*; ls -d /proc/1\"'"
            ),
            &format!("{cd}\n/unshare\n/proc/1\n"),
        );
    }
}

#[test]
fn a_proc_below_what_is_covered_does_not_spread_either() {
    needs!(root(), ours("lets it spread"));
    // No way leads up to the mount that the working directory lies on.
    stays_with_us(
        "mount -t tmpfs none ..",
        "unshare -pf --propagation=unchanged --mount-proc=dir echo it ran 2>&1; echo nothing ran; true",
        "unshare: mount dir failed: Invalid argument\nnothing ran\n",
    );
}

#[test]
fn only_the_mount_below_a_new_proc_becomes_private() {
    needs!(root(), ours("lets it spread"));
    // `/`, and the tmpfs with the directory in it.
    let look = r#"awk '$5 == "/" || $5 ~ "/kept$" { print($5 == "/" ? $5 : "kept", $7 ~ /^shared/ ? "shared" : $7) }' /proc/self/mountinfo"#;
    for (dir, expected) in [
        ("/proc", "/ shared\nkept shared\n"),
        ("dir", "/ shared\nkept -\n"),
        ("../../other", "/ -\nkept shared\n"),
    ] {
        let look = look.replace('\'', r"'\''");
        stays_with_us(
            "",
            &format!("unshare -pf --propagation=unchanged --mount-proc={dir} sh -c '{look}'"),
            expected,
        );
    }
}

#[test]
fn binfmt_misc_does_not_spread() {
    needs!(
        root(),
        user_namespaces(),
        binfmt(),
        option("unshare", "--mount-binfmt")
    );
    for propagation in ["unchanged", "shared"] {
        for options in ["--mount-binfmt=dir", "--mount-binfmt -pf"] {
            stays_with_us(
                "",
                &format!("unshare -r --propagation={propagation} {options} echo it ran"),
                "it ran\n",
            );
        }
    }
}

#[test]
fn a_new_root_takes_nothing_away_from_where_it_came_from() {
    needs!(root(), ours("lacks --pivot-root"));
    for propagation in ["unchanged", "shared", "slave", "private"] {
        for root in ["$ROOT", "/", "../../bare"] {
            stays_with_us(
                "",
                &format!(
                    "unshare -m --propagation={propagation} -R {root} --pivot-root /bin/echo it ran"
                ),
                "it ran\n",
            );
        }
        // Where `/` is private, what is mounted below it may be shared all the same.
        stays_with_us(
            "mount --make-private /",
            &format!(
                "unshare -m --propagation={propagation} -R $ROOT --pivot-root -pf --mount-proc sh -c 'echo $$'"
            ),
            "1\n",
        );
    }
}

/// The way out of chroot(2) that every root has.
const ESCAPE: &str = r#"chroot $ARGV[0] or die "chroot: $!"; chdir ".." for 1..64; chroot "." or die; print -e "/mnt/outside" ? "out\n" : "in\n""#;

#[test]
fn pivot_root_leaves_no_way_back() {
    needs!(
        root(),
        user_namespaces(),
        command("perl"),
        ours("lacks --pivot-root")
    );
    for (options, found) in [
        ("-m -R $ROOT", "out\n"),
        ("-m -R $ROOT --pivot-root", "in\n"),
        ("-m -R $ROOT --pivot-root -pf --mount-proc", "in\n"),
        ("--mount --root=$ROOT --pivot-root --init", "in\n"),
    ] {
        let script = format!("unshare {options} perl -e '{ESCAPE}' /usr");
        in_roots(&script, |tool| {
            tool.run().ok().out(found);
        });
    }
}

#[test]
fn pivot_root_lets_user_namespaces_nest() {
    needs!(root(), user_namespaces(), ours("lacks --pivot-root"));
    let nested = "setpriv --reuid 7 unshare -r id -u";
    let script = format!("unshare -m -R $ROOT --pivot-root {nested}; unshare -m -R $ROOT {nested}");
    let ran = with_root(&Place::new(), "", &script).run();
    assert_eq!(ran.lines(), ["0"], "{ran}");
    ran.err_has("unshare failed: Operation not permitted");
}

#[test]
fn pivot_root_and_a_directory() {
    needs!(root(), user_namespaces(), ours("lacks --pivot-root"));
    for (options, directory) in [("", "/"), ("-w usr/bin", "/usr/bin"), ("-w /usr", "/usr")] {
        let script = format!("cd /usr; unshare -m -R $ROOT --pivot-root {options} pwd");
        in_roots(&script, |tool| {
            tool.run().ok().out(&format!("{directory}\n"));
        });
    }
    // Relative, and the root that is there already.
    for script in [
        "cd $ROOT/..; unshare -m -R root --pivot-root sh -c 'pwd; ls -d /mnt/out*'",
        "cd $ROOT; unshare -m -R . --pivot-root sh -c 'pwd; ls -d /mnt/out*'",
    ] {
        in_roots(script, |tool| {
            let ran = tool.run();
            assert_eq!(ran.lines(), ["/"], "{ran}");
        });
    }
    in_roots(
        "cd /usr; unshare -m -R / --pivot-root sh -c 'pwd; ls -d /mnt/out*'",
        |tool| {
            tool.run().ok().out("/\n/mnt/outside\n");
        },
    );
}

#[test]
fn a_root_that_cannot_be() {
    needs!(root());
    let place = Place::new();
    let file = place.file("file", "");
    for (dir, why) in [
        ("/nonexistent", "No such file or directory"),
        (&*file, "Not a directory"),
        ("", "No such file or directory"),
    ] {
        let both: &[&[&str]] = &[&[], &["-m", "--pivot-root"]];
        for options in &both[..if theirs() { 1 } else { 2 }] {
            let ran = Tool::unshare()
                .args(*options)
                .arg(format!("--root={dir}"))
                .line("echo it ran")
                .run()
                .exits(1)
                .out("");
            ran.err_has(&format!(
                "unshare: cannot change root directory to '{dir}': {why}\n"
            ));
        }
    }
}

/// User namespaces have their own binfmt_misc since Linux 6.7.
pub(crate) fn binfmt() -> Need {
    let dir = Place::new();
    let tool = Tool::fixture().line("-rm mount -t binfmt_misc none");
    unless(
        tool.arg(dir.path()).run().succeeded(),
        "binfmt_misc in user namespaces",
    )
}

#[test]
fn a_binfmt_misc_of_its_own() {
    needs!(
        root(),
        user_namespaces(),
        binfmt(),
        option("unshare", "--mount-binfmt")
    );
    let place = Place::new();
    let dir = place.subdir("dir");
    let look = |dir: &str| format!("ls {dir}; {}", mounts_of("binfmt_misc"));
    for (options, at) in [
        ("-r -pf --mount-binfmt", "/proc/sys/fs/binfmt_misc"),
        (&*format!("-r --mount-binfmt={dir}"), &*dir),
        (&*format!("--mount-binfmt={dir}"), &*dir),
    ] {
        for tool in [Tool::unshare(), Tool::unshare().by_ordinary()] {
            let ran = tool.line(options).sh(&look(at)).run().ok();
            let lines = ran.lines();
            assert_eq!(lines[..2], ["register", "status"], "{ran}");
            assert_eq!(lines.last(), Some(&format!("{at} {SAFE}")), "{ran}");
        }
    }
}

#[test]
fn binfmt_misc_on_its_place_without_a_pid_namespace() {
    needs!(
        root(),
        user_namespaces(),
        binfmt(),
        ours("fails unless -p -f is given")
    );
    for options in [
        "--mount-binfmt",
        "-r --mount-binfmt",
        "-r --mount-binfmt -f",
    ] {
        for tool in [Tool::unshare(), Tool::unshare().by_ordinary()] {
            let program = "ls /proc/sys/fs/binfmt_misc";
            tool.line(options)
                .line(program)
                .run()
                .ok()
                .out("register\nstatus\n");
        }
    }
}

/// A file that no kernel knows, executable, and an interpreter that says what it was given.
fn foreign(place: &Place) -> (String, String) {
    let program = place.script("program.odd", "\u{7f}ODD this is not for machines\n");
    let interpreter = place.script("interpreter", "#!/bin/sh\necho \"interpreted $*\"\n");
    (program, interpreter)
}

#[test]
fn a_foreign_program_runs() {
    needs!(
        root(),
        user_namespaces(),
        binfmt(),
        option("unshare", "--load-interp")
    );
    let place = Place::new();
    let (program, interpreter) = foreign(&place);
    for entry in [
        format!(":odd:E::odd::{interpreter}:"),
        format!(r":odd:M::\x7fODD::{interpreter}:"),
        format!(r",odd,M,1,OD\x44,,{interpreter},"),
        format!(":odd:E::odd::{interpreter}:F"),
    ] {
        for tool in [Tool::unshare(), Tool::unshare().by_ordinary()] {
            tool.line("-r -pf --load-interp")
                .args([&entry, &program])
                .line("a b")
                .run()
                .ok()
                .out(&format!("interpreted {program} a b\n"));
        }
    }
    // And nothing of it is left outside.
    assert_eq!(
        std::fs::exists("/proc/sys/fs/binfmt_misc/odd").ok(),
        Some(false)
    );
}

#[test]
fn several_interpreters() {
    needs!(
        root(),
        user_namespaces(),
        binfmt(),
        ours("only the last counts, and fails without -p -f")
    );
    let place = Place::new();
    let (program, interpreter) = foreign(&place);
    let dir = place.subdir("dir");
    let entries = [
        format!(":one:E::odd::{interpreter}:"),
        ":two:E::even::/bin/cat:".to_owned(),
        ":three:E::third::/bin/cat:F".to_owned(),
    ];
    for (options, at) in [
        ("-r", "/proc/sys/fs/binfmt_misc"),
        ("-r -f", "/proc/sys/fs/binfmt_misc"),
        ("-r --init --mount-proc", "/proc/sys/fs/binfmt_misc"),
        (&*format!("-r --mount-binfmt={dir}"), &*dir),
    ] {
        for tool in [Tool::unshare(), Tool::unshare().by_ordinary()] {
            let words = entries.iter().flat_map(|entry| ["-l", entry]);
            tool.line(options)
                .args(words)
                .sh(&format!("ls {at}; {program} a"))
                .run()
                .ok()
                .out(&format!(
                    "one\nregister\nstatus\nthree\ntwo\ninterpreted {program} a\n"
                ));
        }
    }
}

#[test]
fn interpreters_and_another_root() {
    needs!(
        root(),
        user_namespaces(),
        binfmt(),
        ours("fails without -p -f, or mounts a proc that was not asked for")
    );
    let place = Place::new();
    let (program, interpreter) = foreign(&place);
    let run = |flag: &str, path: &str, options: &str| {
        format!(
            "cp /bin/echo /mnt/echo; unshare -r {options} -R $ROOT -l ':odd:E::odd::{path}:{flag}' {program} a"
        )
    };
    for options in ["", "-f", "-pf --mount-proc", "-m --pivot-root"] {
        // Found in the new root, when the program runs.
        in_roots(&run("", &interpreter, options), |tool| {
            tool.run().ok().out(&format!("interpreted {program} a\n"));
        });
        // Opened in the old root, and not there in the new one.
        in_roots(&run("F", "/mnt/echo", options), |tool| {
            tool.run().ok().out(&format!("{program} a\n"));
        });
        in_roots(&run("", "/mnt/echo", options), |tool| {
            tool.run().exits(127).out("");
        });
    }
    // The same root, where it is mounted already.
    let script = run("F", "/mnt/echo", "").replace("$ROOT", "/");
    in_roots(&script, |tool| {
        tool.run().ok().out(&format!("{program} a\n"));
    });
}

#[test]
fn interpreters_that_cannot_be() {
    needs!(
        root(),
        user_namespaces(),
        binfmt(),
        ours("leaves all to the kernel")
    );
    for (entry, line) in [
        (
            "",
            "--load-interp: '' registers nothing; :name:type:offset:magic:mask:interpreter:flags is accepted",
        ),
        (
            "junk",
            "--load-interp: 'junk' has not seven fields that each begin with its first byte; :name:type:offset:magic:mask:interpreter:flags is accepted",
        ),
        (
            ":n:E::odd::/nonexistent:F",
            "write failed /proc/sys/fs/binfmt_misc/register: No such file or directory",
        ),
    ] {
        let ran = Tool::unshare()
            .args(["-r", "-l", entry])
            .line("echo it ran")
            .run()
            .exits(1)
            .out("");
        ran.err_has(&format!("unshare: {line}\n"));
    }
}

#[test]
fn a_failure_leaves_no_mount_behind() {
    needs!(root(), command("mount"));
    let place = Place::new();
    place.subdir("proc");
    // Other tests mount meanwhile, so this is done where theirs do not come, and what comes back would be seen.
    let script = r#"
        mount --make-rshared /
        before=$(cat /proc/self/mountinfo)
        for words in "-pf --mount-proc nosuchprogram" "-m --propagation shared -R /nonexistent true" \
            "-pf --mount-proc=proc -w /nonexistent true" "-m -R / -w /nonexistent true"
        do
            unshare $words 2>/dev/null && echo "no failure: $words"
        done
        [ "$(cat /proc/self/mountinfo)" = "$before" ] || cat /proc/self/mountinfo
        echo compared"#;
    Tool::fixture()
        .line("-m --propagation private")
        .sh(&[WITHOUT_OTHERS, script].concat())
        .dir(place.path())
        .run()
        .ok()
        .out("compared\n");
}
