//! Users, groups and capabilities of the program that `unshare` starts, and its environment.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::harness::*;

/// Prints user, group and groups, as numbers.
const IDS: &str = "echo $(id -u) $(id -g) $(id -G)";

#[test]
fn users_and_groups_by_number() {
    needs!(root(), command("setpriv"));
    for (words, said) in [
        ("-S 7", "7 0 0 4 5"),
        ("-G 7", "0 7 7"),
        ("-S 7 -G 8", "7 8 8"),
        ("--setuid 7 --setgid=8 -f", "7 8 8"),
        ("-S 0 -G 0", "0 0 0"),
    ] {
        Tool::program("setpriv")
            .line("--groups 4,5 unshare")
            .line(words)
            .sh(IDS)
            .run()
            .ok()
            .out(&format!("{said}\n"));
    }
}

#[test]
fn users_and_groups_by_name() {
    needs!(Subordinate::there(), ours("takes numbers only"));
    let user = Subordinate::user();
    let said = format!("{} {1} {1}\n", user.uid, user.gid);
    for options in ["", "-f", "--init"] {
        Tool::unshare()
            .args(["-S", &user.name, "-G", &user.name])
            .line(options)
            .sh(IDS)
            .run()
            .ok()
            .out(&said);
    }
    for (option, what) in [("setuid", "user"), ("setgid", "group")] {
        Tool::unshare()
            .arg(format!("--{option}=nobody-of-that-name"))
            .line("echo it ran")
            .run()
            .exits(1)
            .out("")
            .err(&format!(
                "unshare: --{option}: 'nobody-of-that-name' is neither a number from 0 to 4294967294 nor the name of a {what}\n"
            ));
    }
}

#[test]
fn supplementary_groups() {
    needs!(root(), ours("lacks --groups"));
    for (words, said) in [
        ("--groups 5,4,3", "0 0 0 3 4 5"),
        ("-G 7 --groups=9", "0 7 7 9"),
        ("-S 6 -G 7 --groups=9,10", "6 7 7 9 10"),
        ("--groups 4294967294", "0 0 0 4294967294"),
    ] {
        let ran = Tool::unshare().line(words).sh(IDS).run().ok();
        let mut ids: Vec<_> = ran.text().split(' ').map(str::to_owned).collect();
        ids[2..].sort_by_key(|id| id.parse::<u32>().ok());
        assert_eq!(ids.join(" "), said, "{words}");
    }
    for list in ["", ",", "1,", "x", "1,-1", "4294967295"] {
        let ran = Tool::unshare()
            .arg(format!("--groups={list}"))
            .line("echo it ran")
            .run()
            .exits(1)
            .out("");
        ran.err_has("unshare: --groups: ");
    }
}

#[test]
fn supplementary_groups_of_an_ordinary_user() {
    needs!(Subordinate::there(), ours("lacks --groups"));
    let user = Subordinate::user();
    let tool = Tool::unshare()
        .line("--map-auto -r -G 3 --groups 4,5")
        .sh(IDS);
    user.runs(tool).run().ok().out("0 3 3 4 5\n");
    // With setgroups denied nobody takes any.
    let tool = Tool::unshare().line("-r --groups 0 echo it ran");
    let ran = user.runs(tool).run().exits(1).out("");
    ran.err_has("unshare: setgroups failed: Operation not permitted\n");
}

#[test]
fn ids_that_do_not_exist_inside() {
    needs!(
        user_namespaces(),
        since(2, 39, "says it without the parentheses")
    );
    for (words, line) in [
        ("-r -S 12345", "setuid() failed: Invalid argument"),
        ("-U -S 0", "setuid() failed: Invalid argument"),
        ("-c -S 0", "setuid() failed: Invalid argument"),
        ("-r -G 0", "setgroups failed: Operation not permitted"),
        ("-S 0", "setuid() failed: Operation not permitted"),
        ("-G 0", "setgroups failed: Operation not permitted"),
    ] {
        for fork in ["", "-f"] {
            let ran = Tool::unshare()
                .line(words)
                .line(fork)
                .line("echo it ran")
                .by_ordinary()
                .run()
                .exits(1)
                .out("");
            assert!(
                ran.stderr
                    .starts_with(format!("unshare: {line}\n").as_bytes()),
                "{ran}"
            );
        }
    }
    Tool::unshare()
        .line("-r -S 0 id -u")
        .by_ordinary()
        .run()
        .ok()
        .out("0\n");
}

/// The status file of the program.
#[track_caller]
fn status(tool: Tool) -> Status {
    Status::said(&tool.line("cat /proc/self/status").run().ok().text())
}

const SETS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

/// The program has every capability, in every set.
#[track_caller]
fn has_all(tool: Tool) {
    let status = status(tool);
    let all = status.mask("CapBnd");
    assert!(all.count_ones() > 35, "{status:?}");
    for set in SETS {
        assert_eq!(status.mask(set), all, "{set}: {status:?}");
    }
}

#[test]
fn capabilities_are_kept() {
    needs!(user_namespaces());
    for words in [
        "-r --keep-caps",
        "-U --keep-caps",
        "-c --keep-caps",
        "-c --keep-caps --fork",
        "--map-user=5 --map-group=6 --keep-caps",
    ] {
        has_all(Tool::unshare().line(words).by_ordinary());
        if is_root() {
            has_all(Tool::unshare().line(words));
        }
    }
    // Without it, only who is root inside has them, and nobody for good.
    for words in ["-U", "-c", "--map-user=5"] {
        let status = status(Tool::unshare().line(words).by_ordinary());
        assert_eq!(status.mask("CapPrm") | status.mask("CapAmb"), 0, "{words}");
    }
    let status = status(Tool::unshare().arg("-r").by_ordinary());
    assert_eq!((status.mask("CapAmb"), status.mask("CapInh")), (0, 0));
    assert_eq!(status.mask("CapPrm"), status.mask("CapBnd"));
}

#[test]
fn without_a_user_namespace_there_is_nothing_to_keep() {
    needs!(root());
    for words in ["-u", "-m -f", "-u -S 7", "--fork"] {
        let plain = status(Tool::unshare().line(words));
        let kept = status(Tool::unshare().line(words).arg("--keep-caps"));
        for set in SETS {
            assert_eq!(kept.mask(set), plain.mask(set), "{words} {set}");
        }
    }
    Tool::unshare()
        .line("--keep-caps echo it ran")
        .by_ordinary()
        .run()
        .ok()
        .out("it ran\n");
}

#[test]
fn capabilities_are_kept_in_front_of_an_init() {
    needs!(user_namespaces(), ours("lacks --init"));
    has_all(Tool::unshare().line("-c --keep-caps --init").by_ordinary());
}

#[test]
fn capabilities_are_kept_although_ids_change() {
    needs!(Subordinate::there(), option("unshare", "--map-auto"));
    let user = Subordinate::user();
    has_all(user.runs(Tool::unshare().line("--map-auto --keep-caps -S 5 -G 5")));
    let tool = Tool::unshare().arg("-c").arg("--keep-caps");
    has_all(user.runs(tool.args(["-S", &user.uid.to_string()])));
    let status = status(user.runs(Tool::unshare().line("--map-auto -S 5 -G 5")));
    assert_eq!(status.mask("CapPrm"), 0);
}

#[test]
fn capabilities_are_kept_although_root_becomes_somebody_else() {
    needs!(Subordinate::there(), ours("loses them"));
    let user = Subordinate::user();
    for words in [
        "--map-auto -r --keep-caps -S 1000",
        "--map-auto -r --keep-caps -S 1000 -G 1000 -f --kill-child",
        "--map-auto -r --keep-caps -S 1000 --init",
    ] {
        has_all(user.runs(Tool::unshare().line(words)));
        let words = words.replace("--keep-caps", "");
        let status = status(user.runs(Tool::unshare().line(&words)));
        assert_eq!(status.mask("CapPrm"), 0, "{words}");
    }
}

/// `env`, which prints the program's environment, found without a `PATH`.
const ENV: &str = "/usr/bin/env";

#[test]
fn an_empty_environment() {
    needs!(option("unshare", "--clear-env"));
    for options in ["--clear-env", "--clear-env -f"] {
        Tool::unshare()
            .env("X", "1")
            .line(options)
            .arg(ENV)
            .run()
            .ok()
            .out("");
    }
    // The system's own path is searched then, and not ours.
    let place = Place::new();
    place.script("program", "#!/bin/sh\necho it ran\n");
    let run = |option: &str| {
        Tool::unshare()
            .env("PATH", format!("{}:/usr/bin:/bin", place.path().display()))
            .line(option)
            .arg("program")
            .run()
    };
    run("--clear-env").exits(127).out("");
    run("--whitelist-env HOME").exits(127).out("");
    run("--whitelist-env PATH").ok().out("it ran\n");
    Tool::unshare()
        .line("--clear-env ls -d /")
        .run()
        .ok()
        .out("/\n");
}

#[test]
fn only_some_variables() {
    needs!(option("unshare", "--whitelist-env"));
    let run = |options: &str| {
        let ran = Tool::unshare()
            .env("A", "1")
            .env("B", "two words")
            .env("AB", "3")
            .env("EMPTY", "")
            .line(options)
            .arg(ENV)
            .run()
            .ok();
        let mut lines = ran.lines();
        lines.sort();
        lines.join("|")
    };
    for (options, left) in [
        ("--whitelist-env A", "A=1"),
        ("--whitelist-env=B,A", "A=1|B=two words"),
        ("--whitelist-env A --whitelist-env B", "A=1|B=two words"),
        ("--whitelist-env ,A,,", "A=1"),
        ("--whitelist-env MISSING,A", "A=1"),
        ("--whitelist-env EMPTY", "EMPTY="),
        ("--clear-env --whitelist-env AB", "AB=3"),
        ("--whitelist-env AB --clear-env", "AB=3"),
        ("-f --whitelist-env AB", "AB=3"),
    ] {
        assert_eq!(run(options), left, "{options}");
    }
}

#[test]
fn names_that_no_variable_has() {
    needs!(ours("leaves the environment alone"));
    Tool::unshare()
        .env("X", "1")
        .args(["--whitelist-env=", ENV])
        .run()
        .ok()
        .out("");
    Tool::unshare()
        .env("X", "1")
        .args(["--whitelist-env=X=1", ENV])
        .run()
        .exits(1)
        .out("")
        .err("unshare: --whitelist-env: 'X=1' is not the name of a variable; names separated by commas are accepted\n");
    // A pattern is a name; and there may be no such variable.
    for name in ["X*", "MISSING"] {
        Tool::unshare()
            .env("XY", "1")
            .args(["--whitelist-env", name, ENV])
            .run()
            .ok()
            .out("");
    }
}

#[test]
fn variables_that_are_no_text() {
    needs!(option("unshare", "--whitelist-env"));
    let name = OsStr::from_bytes(b"N\xff");
    let value = OsStr::from_bytes(b"\xfe\n\x01=\xf0");
    let mut command = Tool::unshare()
        .arg("--whitelist-env")
        .arg(name)
        .args([ENV, "-0"])
        .into_command();
    let ran = command.env(name, value).output().expect("it starts");
    let expected = [name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat();
    assert_eq!(ran.stdout, expected);
}

#[test]
fn the_shell_of_the_programs_environment() {
    needs!(option("unshare", "--clear-env"));
    let place = Place::new();
    std::os::unix::fs::symlink("/bin/sh", place.at("mine")).expect("a link");
    let run = |options: &str| {
        Tool::unshare()
            .env("SHELL", place.at("mine"))
            .line(options)
            .stdin("echo \"$0\"\n")
            .run()
            .ok()
            .text()
    };
    assert_eq!(run("--whitelist-env SHELL"), "-mine");
    assert_ne!(run("--clear-env"), "-mine");
    assert_ne!(run("--whitelist-env PATH"), "-mine");
}
