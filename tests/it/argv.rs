//! The command line as a caller meets it: errors, help and version.

use crate::harness::*;

/// A command line that is wrong: its first line, exit status 1, and nothing was run.
#[track_caller]
fn wrong(tool: Tool, name: &str, first: &str) {
    tool.line("-- echo it ran")
        .run()
        .exits(1)
        .out("")
        .err(&format!(
            "{name}: {first}\nTry '{name} --help' for more information.\n"
        ));
}

#[test]
fn errors_of_unshare() {
    for (words, first) in [
        ("--bogus", "unrecognized option '--bogus'"),
        ("--bogus=3", "unrecognized option '--bogus=3'"),
        ("-x", "invalid option -- 'x'"),
        ("-ux", "invalid option -- 'x'"),
        ("-u=", "invalid option -- '='"),
        ("-u/x", "invalid option -- '/'"),
        ("--fork=1", "option '--fork' doesn't allow an argument"),
        (
            "--map-root-user=1",
            "option '--map-root-user' doesn't allow an argument",
        ),
        (
            "--map-auto=",
            "option '--map-auto' doesn't allow an argument",
        ),
        (
            "--keep-c=1",
            "option '--keep-caps' doesn't allow an argument",
        ),
        ("--help=1", "option '--help' doesn't allow an argument"),
        (
            "--u",
            "option '--u' is ambiguous; possibilities: '--uts' '--user'",
        ),
        (
            "--p",
            "option '--p' is ambiguous; possibilities: '--pid' '--propagation'",
        ),
        (
            "--s",
            "option '--s' is ambiguous; possibilities: '--setgroups' '--setuid' '--setgid'",
        ),
        (
            "--map-u",
            "option '--map-u' is ambiguous; possibilities: '--map-user' '--map-users'",
        ),
    ] {
        wrong(Tool::unshare().line(words), "unshare", first);
    }
}

/// As [`wrong`], and the possibilities may stand in another order: in the tool's own.
#[track_caller]
fn ambiguous(tool: Tool, first: &str) {
    let ran = tool.run().exits(1).out("");
    let text = String::from_utf8_lossy(&ran.stderr).into_owned();
    let words = |line: &str| {
        let mut words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        words.sort();
        words
    };
    let said = text.lines().next().unwrap_or_default();
    assert_eq!(words(said), words(&format!("unshare: {first}")), "{ran}");
}

#[test]
fn ambiguous_options_of_unshare() {
    needs!(since(2, 43, "has fewer options"));
    for (words, first) in [
        (
            "--m",
            "option '--m' is ambiguous; possibilities: '--mount' '--mount-proc' '--mount-binfmt' '--map-user' '--map-users' '--map-group' '--map-groups' '--map-root-user' '--map-current-user' '--map-auto' '--map-subids' '--monotonic'",
        ),
        (
            "--mount-",
            "option '--mount-' is ambiguous; possibilities: '--mount-proc' '--mount-binfmt'",
        ),
        (
            "--f",
            "option '--f' is ambiguous; possibilities: '--fork' '--forward-signals'",
        ),
        (
            "--k",
            "option '--k' is ambiguous; possibilities: '--kill-child' '--keep-caps'",
        ),
        (
            "--w",
            "option '--w' is ambiguous; possibilities: '--wd' '--whitelist-env'",
        ),
        (
            "--c",
            "option '--c' is ambiguous; possibilities: '--cgroup' '--clear-env'",
        ),
    ] {
        ambiguous(Tool::unshare().line(words), first);
    }
}

/// A value that is missing because the command line ends there.
#[track_caller]
fn ends(tool: Tool, name: &str, first: &str) {
    tool.run().exits(1).out("").err(&format!(
        "{name}: {first}\nTry '{name} --help' for more information.\n"
    ));
}

#[test]
fn missing_values() {
    for (words, first) in [
        ("--root", "option '--root' requires an argument"),
        ("--wd", "option '--wd' requires an argument"),
        ("--map-users", "option '--map-users' requires an argument"),
        (
            "--propagation",
            "option '--propagation' requires an argument",
        ),
        ("--bo", "option '--boottime' requires an argument"),
        ("-R", "option requires an argument -- 'R'"),
        ("-w", "option requires an argument -- 'w'"),
        ("-uS", "option requires an argument -- 'S'"),
        ("-G", "option requires an argument -- 'G'"),
    ] {
        ends(Tool::unshare().line(words), "unshare", first);
    }
    for (words, first) in [
        ("--target", "option '--target' requires an argument"),
        ("--setuid", "option '--setuid' requires an argument"),
        ("-t", "option requires an argument -- 't'"),
        ("-at", "option requires an argument -- 't'"),
        ("-S", "option requires an argument -- 'S'"),
    ] {
        ends(Tool::nsenter().line(words), "nsenter", first);
    }
}

#[test]
fn errors_of_nsenter() {
    for (words, first) in [
        ("--bogus", "unrecognized option '--bogus'"),
        ("-x", "invalid option -- 'x'"),
        ("-a=1", "invalid option -- '='"),
        ("--all=1", "option '--all' doesn't allow an argument"),
        (
            "--no-fork=1",
            "option '--no-fork' doesn't allow an argument",
        ),
        (
            "--preserve-credentials=1",
            "option '--preserve-credentials' doesn't allow an argument",
        ),
        (
            "--w",
            "option '--w' is ambiguous; possibilities: '--wd' '--wdns'",
        ),
        (
            "--p",
            "option '--p' is ambiguous; possibilities: '--pid' '--preserve-credentials'",
        ),
        (
            "--s",
            "option '--s' is ambiguous; possibilities: '--setuid' '--setgid'",
        ),
        (
            "--t",
            "option '--t' is ambiguous; possibilities: '--target' '--time'",
        ),
    ] {
        wrong(Tool::nsenter().line(words), "nsenter", first);
    }
}

#[test]
fn ambiguous_options_of_nsenter() {
    needs!(since(2, 43, "has fewer options"));
    for (words, first) in [
        (
            "--u",
            "option '--u' is ambiguous; possibilities: '--uts' '--user' '--user-parent'",
        ),
        (
            "--n",
            "option '--n' is ambiguous; possibilities: '--net' '--net-socket' '--no-fork'",
        ),
        (
            "--us",
            "option '--us' is ambiguous; possibilities: '--user' '--user-parent'",
        ),
    ] {
        wrong(Tool::nsenter().line(words), "nsenter", first);
    }
}

#[test]
fn a_close_miss_gets_a_suggestion() {
    needs!(ours("makes no suggestions"));
    for (words, first) in [
        (
            "--mount-prc",
            "unrecognized option '--mount-prc'; did you mean '--mount-proc'?",
        ),
        (
            "--map-root-usr",
            "unrecognized option '--map-root-usr'; did you mean '--map-root-user'?",
        ),
    ] {
        wrong(Tool::unshare().line(words), "unshare", first);
    }
}

#[test]
fn the_name_is_the_last_component_of_argv0() {
    needs!(ours("shows the whole of argv[0] in some lines"));
    let line = |name: &str| {
        format!(
            "{name}: unrecognized option '--bogus'\nTry '{name} --help' for more information.\n"
        )
    };
    for (argv0, name) in [
        ("unshare", "unshare"),
        ("/a/b/unshare", "unshare"),
        ("../nsenter", "nsenter"),
        ("-unshare", "unshare"),
    ] {
        Tool::nskit()
            .arg0(argv0)
            .arg("--bogus")
            .run()
            .exits(1)
            .out("")
            .err(&line(name));
    }
    Tool::setns()
        .arg("--bogus")
        .run()
        .exits(125)
        .out("")
        .err(&line("setns"));
}

#[test]
fn a_wrong_command_line_changes_nothing() {
    needs!(root());
    let place = Place::new();
    let file = place.file("net", "kept as it was");
    let _mounted = Mounted::on(&file);
    // Everything before the mistake is valid, and none of it is done.
    for last in [
        "--bogus",
        "--propagation=sideways",
        "--setuid=nobody-of-that-name",
        "--setgroups=maybe",
        "--monotonic=soon",
    ] {
        Tool::unshare()
            .arg(format!("--net={file}"))
            .arg(last)
            .line("-- echo it ran")
            .run()
            .exits(1)
            .out("");
        assert_eq!(
            std::fs::read_to_string(&file).expect("our file"),
            "kept as it was",
            "{last}"
        );
    }
}

#[test]
fn an_empty_command_line() {
    // Nothing new, and a shell.
    Tool::unshare()
        .env("SHELL", "/bin/sh")
        .stdin("echo $0\n")
        .run()
        .ok()
        .out("-sh\n");
    Tool::unshare()
        .arg("--")
        .env("SHELL", "/bin/sh")
        .stdin("echo $0\n")
        .run()
        .ok()
        .out("-sh\n");
}

#[test]
fn an_empty_command_line_of_nsenter() {
    needs!(since(2, 43, "runs a shell where it is"));
    for words in [
        "",
        "true",
        "-F true",
        "-S 5 true",
        "--preserve-credentials true",
    ] {
        Tool::nsenter()
            .line(words)
            .run()
            .exits(1)
            .out("")
            .err("nsenter: no namespace specified\n");
    }
    Tool::nsenter()
        .args(["-t", &std::process::id().to_string(), "true"])
        .run()
        .exits(1)
        .err("nsenter: no namespace specified\n");
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (tool, name) in [
        (Tool::unshare as fn() -> Tool, "unshare"),
        (Tool::nsenter, "nsenter"),
    ] {
        for word in ["-h", "--help", "--h"] {
            let ran = tool().arg(word).run().ok();
            assert!(ran.text().contains("--mount[="), "{ran}");
        }
        for word in ["-V", "--version", "--vers"] {
            let said = tool().arg(word).run().ok().lines();
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].starts_with(name), "{said:?}");
        }
    }
}

#[test]
fn help_fits_80_columns() {
    needs!(ours("is wider"));
    for tool in [
        Tool::unshare(),
        Tool::nsenter(),
        Tool::setns(),
        Tool::nskit(),
    ] {
        let ran = tool.arg("--help").run().ok();
        for line in ran.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn our_version() {
    needs!(ours("is another program"));
    let version = env!("CARGO_PKG_VERSION");
    Tool::unshare()
        .arg("-V")
        .run()
        .ok()
        .out(&format!("unshare (nskit) {version}\n"));
    Tool::nsenter()
        .arg("-V")
        .run()
        .ok()
        .out(&format!("nsenter (nskit) {version}\n"));
    Tool::setns()
        .arg("-V")
        .run()
        .ok()
        .out(&format!("setns (nskit) {version}\n"));
}

#[test]
fn help_and_version_act_when_they_are_met() {
    for words in [
        "-h --nonsense",
        "-uh --nonsense",
        "--help --fork=1",
        "-h extra words",
        "-hV",
        "-h -x",
    ] {
        let ran = Tool::unshare().line(words).run().ok();
        assert!(ran.text().contains("--map-root-user"), "{ran}");
    }
    for words in [
        "-V --nonsense",
        "-uV",
        "-Vx",
        "-V -h",
        "--setgroups allow -r -V",
    ] {
        let ran = Tool::unshare().line(words).run().ok();
        assert_eq!(ran.lines().len(), 1, "{ran}");
    }
    // What comes first is met first.
    wrong(
        Tool::unshare().line("--nonsense -h"),
        "unshare",
        "unrecognized option '--nonsense'",
    );
    wrong(
        Tool::unshare().line("-x -V"),
        "unshare",
        "invalid option -- 'x'",
    );
    // After the first operand nothing is an option of ours.
    Tool::unshare()
        .line("echo --help -V -x -- -h")
        .run()
        .ok()
        .out("--help -V -x -- -h\n");
    Tool::unshare()
        .line("-- echo -- -h")
        .run()
        .ok()
        .out("-- -h\n");
}

#[test]
fn standard_output_that_cannot_be_written() {
    for line in [
        "unshare -h",
        "unshare -V",
        "nsenter --help",
        "nsenter --version",
    ] {
        cannot_be_written(line, 1);
    }
}

#[test]
fn standard_output_of_our_own_applets_that_cannot_be_written() {
    needs!(ours("has no such applets"));
    for line in [
        "setns -h",
        "setns -V",
        "nskit",
        "nskit --help",
        "nskit --version",
        "nskit --list",
    ] {
        cannot_be_written(line, 125);
    }
}

#[track_caller]
fn cannot_be_written(line: &str, code: i32) {
    let name = line.split(' ').next().expect("a line has a name");
    Tool::shell(&format!("exec {line} >/dev/full"))
        .run()
        .exits(code)
        .err(&format!("{name}: write error: No space left on device\n"));
}

#[test]
fn posixly_correct_changes_nothing() {
    Tool::unshare()
        .env("POSIXLY_CORRECT", "1")
        .line("echo -n -x --bogus")
        .run()
        .ok()
        .out("-x --bogus");
    wrong(
        Tool::unshare().env("POSIXLY_CORRECT", "1").arg("--bogus"),
        "unshare",
        "unrecognized option '--bogus'",
    );
}

#[test]
fn abbreviations_and_repeats() {
    needs!(user_namespaces());
    for words in [
        "--map-r",
        "--map-root",
        "--map-root-user --map-root-user",
        "-rr",
        "-rUrU",
        "--us -r",
    ] {
        Tool::unshare()
            .line(words)
            .line("id -u")
            .by_ordinary()
            .run()
            .ok()
            .out("0\n");
    }
    // An exact name wins over longer ones.
    Tool::unshare()
        .line("--map-user 3 id -u")
        .by_ordinary()
        .run()
        .ok()
        .out("3\n");
    Tool::unshare()
        .line("--map-user=3 --map-user=4 id -u")
        .by_ordinary()
        .run()
        .ok()
        .out("4\n");
    // The next word is the value, whatever it looks like; an optional value must be attached.
    Tool::unshare()
        .line("--wd -x true")
        .run()
        .exits(1)
        .err_has("-x");
    Tool::unshare()
        .line("-rpf --mount-proc /no/such/program")
        .by_ordinary()
        .run()
        .exits(127);
}
