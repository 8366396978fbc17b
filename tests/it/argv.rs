//! The command line as a caller meets it: errors, help, and bytes that pass unchanged.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

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
        wrong(Tool::unshare().line(words), "unshare", first);
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
fn values_that_cannot_be_used() {
    for words in [
        "-S x",
        "-S 0x10",
        "-S 5x",
        "-S 99999999999999999999",
        "-G x",
        "-G 1e3",
        "--setuid=",
        "--map-user=0x10",
        "--map-user=nobody-of-that-name",
        "--map-group=5x",
        "--propagation foo",
        "--propagation Private",
        "--propagation slave,shared",
        "--setgroups foo",
        "--setgroups Allow",
        "-T --monotonic=x",
        "-T --monotonic=1.5",
        "-T --boottime=0x10",
        "-T --boottime=99999999999999999999",
        "--monotonic=5",
        "--boottime=0",
    ] {
        let ran = Tool::unshare()
            .line(words)
            .line("-- echo it ran")
            .run()
            .exits(1)
            .out("");
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(
            text.starts_with("unshare: ") && text.lines().count() == 1,
            "{ran}"
        );
    }
}

#[test]
fn numbers_that_would_wrap() {
    needs!(ours("cuts large numbers to 32 bits"));
    for words in [
        "-S 4294967296",
        "-G 4294967296",
        "-S -1",
        "-G -1",
        "-S 4294967295",
        "-G 4294967295",
        "--map-user=4294967296",
        "--map-user=-1",
        "--map-group=4294967295",
        "--map-users=0:0:4294967296",
        "--map-users=-1:0:1",
        "--map-users=0:0:0",
        "--map-groups=0,0,0",
        "--map-users=4294967295:0:2",
        "--owner=-1:0",
        "--owner=0",
        "--owner=0:0:0",
    ] {
        let ran = Tool::unshare()
            .line(words)
            .line("-- echo it ran")
            .run()
            .exits(1)
            .out("");
        let option = words.split(['=', ' ']).next().expect("an option");
        let long = option.replace("-S", "--setuid").replace("-G", "--setgid");
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        let value = words.split_once(['=', ' ']).expect("a value").1;
        assert!(
            text.contains(option) || text.contains(&long),
            "names the option: {ran}"
        );
        assert!(
            text.contains(&format!("'{value}'")),
            "names the value: {ran}"
        );
    }
}

#[test]
fn a_value_that_cannot_be_used_is_named_with_what_is_accepted() {
    needs!(ours("says only that it is unsupported"));
    Tool::unshare()
        .line("--propagation foo true")
        .run()
        .exits(1)
        .err("unshare: --propagation: 'foo' is not one of slave, shared, private, unchanged\n");
}

#[test]
fn numbers_that_can_be_used() {
    needs!(root());
    for (value, id) in [
        ("5", "5"),
        ("+5", "5"),
        (" 5", "5"),
        ("007", "7"),
        ("4294967294", "4294967294"),
    ] {
        Tool::unshare()
            .args(["-S", value, "id", "-u"])
            .run()
            .ok()
            .out(&format!("{id}\n"));
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
fn operands_pass_byte_for_byte() {
    // Every byte but NUL, and words that look like options.
    let all: Vec<u8> = (1..=255).collect();
    let odd: [&[u8]; 8] = [
        &all,
        b"",
        b"-",
        b"--",
        b"-x",
        b"\xff\xfe",
        "\u{10ff41}".as_bytes(),
        b"\xf4\x8f\xbd\x81=",
    ];
    let print = r#"for word; do printf '%s\n--\n' "$word"; done"#;
    let mut expected = Vec::new();
    for word in odd {
        expected.extend_from_slice(word);
        expected.extend_from_slice(b"\n--\n");
    }
    for options in [&[][..], &["-f"], &["--"]] {
        let ran = Tool::unshare()
            .args(options)
            .args(["sh", "-c", print, "sh"])
            .args(odd.map(OsStr::from_bytes))
            .run()
            .ok();
        assert_eq!(ran.stdout, expected, "{options:?}");
    }
}

#[test]
fn values_pass_byte_for_byte() {
    let place = Place::new();
    let name = OsStr::from_bytes(b"\xff not\n utf-8 \xc3");
    let dir = place.path().join(name);
    std::fs::create_dir(&dir).expect("a directory can have any name");
    for joined in [true, false] {
        let tool = if joined {
            let mut word = OsStr::new("--wd=").to_owned();
            word.push(&dir);
            Tool::unshare().arg(word)
        } else {
            Tool::unshare().arg("-w").arg(&dir)
        };
        let ran = tool.arg("pwd").run().ok();
        assert_eq!(ran.stdout, [dir.as_os_str().as_bytes(), b"\n"].concat());
    }
    // Also where it is only shown.
    let missing = place.path().join(OsStr::from_bytes(b"\xfe missing"));
    let ran = Tool::unshare().arg(&missing).run().exits(127);
    let expected = [
        b"unshare: failed to execute ",
        missing.as_os_str().as_bytes(),
        b": No such file or directory\n",
    ]
    .concat();
    assert_eq!(ran.stderr, expected);
}

#[test]
fn a_namespace_file_with_any_name() {
    needs!(root());
    let place = Place::new();
    let holder = Holder::unshare("-u");
    let link = place.path().join(OsStr::from_bytes(b"=\xff ns"));
    std::os::unix::fs::symlink(holder.file("uts"), &link).expect("a link can have any name");
    let mut word = OsStr::new("-u").to_owned();
    word.push(&link);
    let said = Tool::nsenter()
        .arg(word)
        .line("readlink /proc/self/ns/uts")
        .run()
        .ok()
        .text();
    assert_eq!(said, Links::of(holder.pid()).get("uts"));
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
            .as_ordinary()
            .run()
            .ok()
            .out("0\n");
    }
    // An exact name wins over longer ones.
    Tool::unshare()
        .line("--map-user 3 id -u")
        .as_ordinary()
        .run()
        .ok()
        .out("3\n");
    Tool::unshare()
        .line("--map-user=3 --map-user=4 id -u")
        .as_ordinary()
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
        .as_ordinary()
        .run()
        .exits(127);
}
