//! Which program is run, and the exit status that the caller sees.

use nix::sys::signal::Signal;

use crate::harness::*;

#[test]
fn every_exit_code() {
    for options in ["", "-f"] {
        let script = format!(
            "i=0; while [ $i -lt 256 ]; do unshare {options} sh -c \"exit $i\"; echo $?; i=$((i+1)); done"
        );
        let expected: String = (0..256).map(|code| format!("{code}\n")).collect();
        Tool::shell(&script).run().ok().out(&expected);
    }
}

#[test]
fn exit_codes_through_nsenter() {
    needs!(root());
    let holder = Holder::unshare("-pf");
    for code in [0, 1, 7, 125, 126, 127, 128, 200, 255] {
        for options in ["-p", "-F -p"] {
            Tool::nsenter()
                .arg(format!("-t{}", holder.pid()))
                .line(options)
                .sh(&format!("exit {code}"))
                .run()
                .exits(code);
        }
    }
}

/// The signals that end a process that does nothing about them.
fn deadly() -> impl Iterator<Item = i32> {
    use Signal::*;
    let harmless = [
        SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH,
    ];
    (1..=31)
        .filter(move |number| !harmless.iter().any(|signal| *signal as i32 == *number))
        // Of the real-time ones the first, which no C library keeps for itself, and the last.
        .chain([34, 35, 50, 64])
}

#[track_caller]
fn killed(tool: Tool, signal: i32) {
    let ran = tool.sh(&format!("kill -{signal} $$; exit 3")).run();
    assert_eq!(
        ran.ended,
        Ended::Killed {
            signal,
            core: false
        },
        "{ran}"
    );
}

#[test]
fn a_death_by_signal_is_passed_on() {
    for signal in deadly() {
        killed(Tool::unshare(), signal);
        if signal != Signal::SIGKILL as i32 {
            killed(Tool::unshare().arg("--fork"), signal);
        }
    }
}

#[test]
fn a_death_by_sigkill_is_passed_on() {
    needs!(since(2, 43, "ends with 1"));
    killed(Tool::unshare().arg("--fork"), Signal::SIGKILL as i32);
}

#[test]
fn a_death_by_signal_is_passed_on_by_nsenter() {
    needs!(root());
    let holder = Holder::unshare("-pf");
    for signal in deadly() {
        let nsenter = || Tool::nsenter().arg(format!("-t{}", holder.pid()));
        killed(nsenter().arg("-p"), signal);
        killed(nsenter().line("-F -p"), signal);
    }
}

#[test]
fn passing_a_death_on_leaves_no_core_dump() {
    needs!(ours("leaves a core dump of its own"));
    let place = Place::new();
    let dumps = || {
        std::fs::read_dir(place.path())
            .expect("a directory")
            .count()
    };
    let kill = "ulimit -c 0; kill -QUIT $$";
    Tool::shell("ulimit -c unlimited; kill -QUIT $$")
        .dir(place.path())
        .run();
    needs!(unless(dumps() == 1, "core dumps in the working directory"));
    for entry in std::fs::read_dir(place.path()).expect("a directory") {
        std::fs::remove_file(entry.expect("an entry").path()).expect("our file");
    }
    Tool::shell(&format!(
        "ulimit -c unlimited; exec unshare --fork sh -c '{kill}'"
    ))
    .dir(place.path())
    .run()
    .dies_of(Signal::SIGQUIT);
    assert_eq!(dumps(), 0);
}

#[test]
fn a_death_by_a_signal_that_we_ignore() {
    needs!(
        ours("ends with 1 when the signal was ignored or blocked"),
        command("perl")
    );
    for signal in ["TERM", "INT", "HUP", "USR1", "QUIT"] {
        // The program unblocks the signal, makes it deadly again and sends it to itself.
        let die = format!(
            "use POSIX; sigprocmask(SIG_UNBLOCK, POSIX::SigSet->new(SIG{signal})); $SIG{{{signal}}} = q(DEFAULT); kill {signal} => $$; sleep 20"
        );
        let expected: Signal = format!("SIG{signal}").parse().expect("a signal");
        for caller in ["--ignore-signal", "--block-signal"] {
            Tool::program("env")
                .arg(format!("{caller}={signal}"))
                .args(["unshare", "--fork", "perl", "-e", &die])
                .run()
                .dies_of(expected);
        }
    }
}

#[test]
fn a_death_that_pid_1_cannot_die() {
    needs!(root(), ours("ends with 1 there"));
    for (signal, code) in [("KILL", 137), ("TERM", 143), ("SEGV", 139)] {
        Tool::fixture()
            .arg("-fp")
            .arg(Tool::path_of("unshare"))
            .args(["-f", "sh", "-c", &format!("kill -{signal} $$")])
            .run()
            .exits(code)
            .err("");
    }
}

#[test]
fn a_program_that_is_not_there() {
    for (name, path) in [
        ("nosuchprogram", None),
        ("/no/such/program", None),
        ("./nosuchprogram", None),
        ("", None),
        ("x", Some("/nonexistent")),
    ] {
        for options in [&[][..], &["-f"]] {
            let mut tool = Tool::unshare().args(options).arg("--").arg(name);
            if let Some(path) = path {
                tool = tool.env("PATH", path);
            }
            tool.run().exits(127).out("").err(&format!(
                "unshare: failed to execute {name}: No such file or directory\n"
            ));
        }
    }
}

#[test]
fn a_program_that_cannot_be_run() {
    let place = Place::new();
    let plain = place.file("plain", "#!/bin/sh\necho it ran\n");
    let below = format!("{plain}/below");
    let long = "x".repeat(5000);
    let circle = place.at("circle");
    std::os::unix::fs::symlink(&circle, &circle).expect("a link");
    for (name, why) in [
        (&*plain, "Permission denied"),
        ("/proc", "Permission denied"),
        (&*below, "Not a directory"),
        (&*circle, "Too many levels of symbolic links"),
        (&*format!("/{long}"), "File name too long"),
    ] {
        for options in [&[][..], &["-f"]] {
            Tool::unshare()
                .args(options)
                .arg(name)
                .run()
                .exits(126)
                .out("")
                .err(&format!("unshare: failed to execute {name}: {why}\n"));
        }
    }
}

#[test]
fn what_nsenter_says_of_a_program_that_does_not_run() {
    needs!(root());
    let holder = Holder::unshare("-pf");
    for option in ["-p", "-u"] {
        let nsenter = || {
            Tool::nsenter()
                .arg(format!("-t{}", holder.pid()))
                .arg(option)
        };
        nsenter()
            .arg("nosuchprogram")
            .run()
            .exits(127)
            .err("nsenter: failed to execute nosuchprogram: No such file or directory\n");
        nsenter()
            .arg("/proc")
            .run()
            .exits(126)
            .err("nsenter: failed to execute /proc: Permission denied\n");
    }
}

#[test]
fn a_script_whose_interpreter_is_missing() {
    let place = Place::new();
    let script = place.script("script", "#!/no/such/python9\n");
    let ran = Tool::unshare().arg(&script).run().exits(127).out("");
    let first = format!("unshare: failed to execute {script}: No such file or directory\n");
    assert!(ran.stderr.starts_with(first.as_bytes()), "{ran}");
}

#[test]
fn a_script_without_an_interpreter_line_is_for_sh() {
    let place = Place::new();
    let script = place.script("script", "echo \"$0 $*\"; exit 9\n");
    let out = format!("{script} a b c\n");
    Tool::unshare()
        .arg(&script)
        .line("a b c")
        .run()
        .exits(9)
        .out(&out);
    Tool::unshare()
        .arg("-f")
        .arg(&script)
        .line("a b c")
        .run()
        .exits(9)
        .out(&out);
    let path = format!("{}:/usr/bin:/bin", place.path().display());
    Tool::unshare()
        .env("PATH", path)
        .line("script a b c")
        .run()
        .exits(9)
        .out(&out);
}

#[test]
fn where_a_program_is_looked_for() {
    let place = Place::new();
    for dir in ["one", "two", "three"] {
        place.subdir(dir);
    }
    place.script("here", "#!/bin/sh\necho here\n");
    place.script("two/program", "#!/bin/sh\necho two\n");
    place.script("three/program", "#!/bin/sh\necho three\n");
    place.file("one/program", "not executable");
    let dir = place.path().display();
    let run = |path: &str, name: &str| {
        let path = path.replace('@', &dir.to_string());
        Tool::unshare()
            .env("PATH", path)
            .arg(name)
            .dir(place.path())
            .run()
    };
    run("@/two:@/three", "program").ok().out("two\n");
    run("@/three:@/two", "program").ok().out("three\n");
    run("/nonexistent:@/here:@/two", "program")
        .ok()
        .out("two\n");
    // A file that may not be run is passed over, and remembered when nothing better comes.
    run("@/one:@/two", "program").ok().out("two\n");
    run("@/one:/nonexistent", "program")
        .exits(126)
        .err("unshare: failed to execute program: Permission denied\n");
    // An empty element is the working directory, wherever it stands.
    for path in [":/bin", "/bin:", "/nonexistent::/bin", "."] {
        run(path, "here").ok().out("here\n");
    }
    run("/bin", "here").exits(127);
    // A name with a slash is a path.
    run("/nonexistent", "./here").ok().out("here\n");
    run("/nonexistent", "two/program").ok().out("two\n");
}

#[test]
fn an_element_of_the_path_that_is_too_long_is_passed_over() {
    needs!(ours("ends the search at some, or says Success"));
    let place = Place::new();
    place.subdir("dir");
    place.script("dir/program", "#!/bin/sh\necho it ran\n");
    place.file("program", "not executable");
    let dir = place.path().display();
    let run = |path: &str, name: &str| Tool::unshare().env("PATH", path).arg(name).run();
    // An element may be longer than any path is, or have a name in it that is longer than any name.
    for long in ["/x".repeat(2500), format!("/{}", "x".repeat(300))] {
        run(&format!("{long}:{dir}/dir"), "program")
            .ok()
            .out("it ran\n");
        run(&format!("{dir}:{long}"), "program")
            .exits(126)
            .err("unshare: failed to execute program: Permission denied\n");
        run(&long, "program")
            .exits(127)
            .err("unshare: failed to execute program: No such file or directory\n");
    }
    // But no file has such a name.
    let name = "x".repeat(256);
    run("/bin", &name).exits(126).err(&format!(
        "unshare: failed to execute {name}: File name too long\n"
    ));
    run("/bin", &name[1..]).exits(127);
}

#[test]
fn without_a_path_the_systems_own_is_used() {
    Tool::unshare()
        .without_env("PATH")
        .line("echo found")
        .run()
        .ok()
        .out("found\n");
    let place = Place::new();
    place.script("here", "#!/bin/sh\necho here\n");
    Tool::unshare()
        .without_env("PATH")
        .arg("here")
        .dir(place.path())
        .run()
        .exits(127);
}

#[test]
fn a_login_shell_from_shell() {
    let place = Place::new();
    place.subdir("dir");
    // A script does not see its argv[0]; the shell itself does.
    std::os::unix::fs::symlink("/bin/sh", place.at("dir/myshell")).expect("a link");
    let shell = |value: &str, options: &[&str]| {
        Tool::unshare()
            .args(options)
            .env("SHELL", value)
            .dir(place.path())
            .stdin("echo \"$0\"\n")
            .run()
    };
    for options in [&[][..], &["-f"], &["--"]] {
        shell("/bin/sh", options).exits(0).out("-sh\n");
        shell(&place.at("dir/myshell"), options)
            .exits(0)
            .out("-myshell\n");
        shell("dir/myshell", options).exits(0).out("-myshell\n");
    }
    shell("/no/such/shell", &[])
        .exits(127)
        .err("unshare: failed to execute /no/such/shell: No such file or directory\n");
    shell("/proc", &[])
        .exits(126)
        .err("unshare: failed to execute /proc: Permission denied\n");
}

#[test]
fn a_login_shell_from_the_users_account() {
    needs!(since(
        2,
        43,
        "takes /bin/sh without SHELL, and nothing with an empty one"
    ));
    let account = nix::unistd::User::from_uid(nix::unistd::getuid()).expect("accounts can be read");
    let shell = account.map_or_else(|| "/bin/sh".into(), |account| account.shell);
    needs!(unless(
        shell.ends_with("sh") || shell.to_string_lossy().ends_with("sh"),
        "an account with a shell"
    ));
    let name = shell
        .file_name()
        .expect("a shell has a name")
        .to_string_lossy()
        .into_owned();
    let run = |tool: Tool| {
        tool.stdin("echo \"$0\"\n")
            .run()
            .exits(0)
            .out(&format!("-{name}\n"))
    };
    run(Tool::unshare());
    run(Tool::unshare().env("SHELL", ""));
    run(Tool::unshare().arg("-f"));
}

#[test]
fn a_login_shell_without_an_account() {
    needs!(root());
    // Nobody has the ordinary user's UID, so there is no account to ask.
    Tool::unshare()
        .by_ordinary()
        .stdin("echo \"$0\"\n")
        .run()
        .exits(0)
        .out("-sh\n");
}
