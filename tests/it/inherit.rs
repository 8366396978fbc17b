//! What the program inherits: exactly what the caller of the tool had.

use crate::harness::*;

/// A target for `nsenter`, where there can be one.
fn holder() -> Option<Holder> {
    is_root().then(|| Holder::unshare("-nupf"))
}

/// The ways to start a program, forked and not.
fn ways(holder: &Option<Holder>) -> Vec<String> {
    let mut ways: Vec<_> = ["unshare", "unshare --fork", "unshare --kill-child"]
        .map(str::to_owned)
        .into();
    if let Some(holder) = holder {
        let pid = holder.pid();
        ways.extend([
            "unshare -u".to_owned(),
            "unshare -pf".to_owned(),
            "unshare -muipf --mount-proc".to_owned(),
            format!("nsenter -t {pid} -u"),
            format!("nsenter -t {pid} -p"),
            format!("nsenter -t {pid} -n -w -r"),
            format!("nsenter -n/proc/{pid}/ns/net -u/proc/{pid}/ns/uts"),
            format!("nsenter -t {pid} -a"),
        ]);
        if !theirs() {
            ways.extend(
                [
                    "unshare --init",
                    "unshare --init --kill-child --forward-signals",
                    "unshare --map-users=all --map-groups=all",
                ]
                .map(str::to_owned),
            );
        }
    }
    ways
}

/// What `program` says without any tool; and that it says the same when each tool runs it.
///
/// The caller's script is `before`, which ends with `exec` in whatever form, then the tool.
/// `part` takes what counts out of what was said.
#[track_caller]
fn the_same_each_way(before: &str, program: &str, part: impl Fn(&str) -> String) -> String {
    let holder = holder();
    let run = |tool: &str| {
        let ran = Tool::shell(&format!("{before} {tool} {program}"))
            .run()
            .ok();
        part(&ran.text())
    };
    let plain = run("");
    for way in ways(&holder) {
        assert_eq!(run(&way), plain, "{before} {way} {program}");
    }
    plain
}

#[test]
fn descriptors_stay_and_none_is_added() {
    let before = "exec 7</dev/null 8</proc/version 9>/dev/null; exec";
    let said = the_same_each_way(before, "ls /proc/self/fd", str::to_owned);
    for open in ["0", "1", "2", "7", "8", "9"] {
        assert!(said.lines().any(|line| line == open), "{said}");
    }
}

#[test]
fn closed_standard_descriptors_stay_closed() {
    let holder = holder();
    let place = Place::new();
    let file = place.at("closed");
    // The shell itself looks, with what is built into it, before it opens the file to say so.
    let look = format!(
        "closed=; for fd in 0 1 2; do [ -e /proc/self/fd/$fd ] || closed=$closed$fd; done; echo $closed >{file}"
    );
    for set in 1..8 {
        let closed: Vec<_> = (0..3).filter(|fd| set >> fd & 1 == 1).collect();
        let close: String = closed.iter().map(|fd| format!(" {fd}<&-")).collect();
        for way in ways(&holder) {
            Tool::shell(&format!("exec {way} sh -c '{look}' {close}"))
                .run()
                .exits(0);
            let said = std::fs::read_to_string(&file).expect("the program says which are closed");
            let expected: String = closed.iter().map(u32::to_string).collect();
            assert_eq!(said.trim(), expected, "{way} {close}");
        }
    }
}

/// The signal sets of a status file.
fn signals(text: &str) -> String {
    let status = Status::said(text);
    ["SigBlk", "SigIgn", "SigCgt"]
        .map(|field| status.get(field).to_owned())
        .join(" ")
}

#[test]
fn default_signals_stay_default() {
    the_same_each_way("exec", "cat /proc/self/status", signals);
    let status = Tool::unshare()
        .line("cat /proc/self/status")
        .run()
        .ok()
        .text();
    // What std does to a Rust program must not reach this one.
    assert!(!Status::said(&status).has_signal("SigIgn", 13), "{status}");
}

#[test]
fn ignored_signals_stay_ignored() {
    for (name, number) in [
        ("PIPE", 13),
        ("INT", 2),
        ("HUP", 1),
        ("TERM", 15),
        ("QUIT", 3),
        ("USR1", 10),
        ("TSTP", 20),
        ("WINCH", 28),
    ] {
        let said = the_same_each_way(
            &format!("trap '' {name}; exec"),
            "cat /proc/self/status",
            |text| {
                assert!(
                    Status::said(text).has_signal("SigIgn", number),
                    "{name}: {text}"
                );
                signals(text)
            },
        );
        assert!(!said.is_empty());
    }
}

#[test]
fn sigchld_is_default_even_where_the_caller_ignored_it() {
    // Not by `trap`: dash ignores SIGCHLD for nobody, and says nothing.
    let ignoring = "exec env --ignore-signal=CHLD";
    needs!(unless(
        Tool::shell(&format!("{ignoring} true")).run().succeeded(),
        "env --ignore-signal"
    ));
    let ignores = |way: &str| {
        let text = Tool::shell(&format!("{ignoring} {way} cat /proc/self/status"))
            .run()
            .ok()
            .text();
        Status::said(&text).has_signal("SigIgn", 17)
    };
    assert!(ignores(""), "the caller does not ignore it");
    let holder = holder();
    for way in ways(&holder) {
        // util-linux's nsenter resets it only before a fork.
        if theirs() && way.starts_with("nsenter") && !way.contains(" -p") && !way.contains(" -a") {
            continue;
        }
        assert!(!ignores(&way), "{way}");
        // Who ignores it has no child to wait for.
        Tool::shell(&format!("{ignoring} {way} sh -c 'exit 7'"))
            .run()
            .exits(7)
            .err("");
    }
}

#[test]
fn blocked_signals_stay_blocked() {
    let lacks = !Tool::program("env")
        .line("--block-signal=USR1 true")
        .run()
        .succeeded();
    needs!(unless(!lacks, "env --block-signal"));
    for (name, number) in [("USR1", 10), ("TERM", 15), ("CHLD", 17), ("INT", 2)] {
        the_same_each_way("exec", "cat /proc/self/status", |text| {
            assert!(
                !Status::said(text).has_signal("SigBlk", number),
                "{name}: {text}"
            );
            signals(text)
        });
        let holder = holder();
        for way in ways(&holder) {
            let tool = Tool::shell(&format!(
                "exec env --block-signal={name} {way} cat /proc/self/status"
            ));
            let text = tool.run().ok().text();
            assert!(
                Status::said(&text).has_signal("SigBlk", number),
                "{way}: {text}"
            );
        }
    }
}

#[test]
fn limits_and_modes_stay() {
    let before = "umask 037; ulimit -n 123; ulimit -c 0; ulimit -s 4000; cd /proc/sys; echo 321 >/proc/self/oom_score_adj; exec";
    let program = "sh -c 'umask; ulimit -a; cat /proc/self/oom_score_adj'";
    let said = the_same_each_way(before, program, str::to_owned);
    assert!(said.contains("0037") && said.contains("\n321"), "{said}");
}

#[test]
fn the_nice_value_stays() {
    // On top of that of whoever runs the tests; 19 is the most.
    let ours = Tool::program("nice").run().ok().text();
    let ours: i32 = ours.trim().parse().expect("a number");
    assert_eq!(
        the_same_each_way("exec nice -n 7", "nice", str::to_owned).trim(),
        (ours + 7).min(19).to_string()
    );
}

#[test]
fn the_working_directory_stays() {
    // Where a root or a mount namespace is entered, it is another one, by its own rules.
    for way in ["unshare", "unshare -f", "unshare -Ur", "unshare -Urpf"] {
        needs!(user_namespaces());
        Tool::shell(&format!("cd /proc/sys; exec {way} pwd"))
            .run()
            .ok()
            .out("/proc/sys\n");
    }
}

#[test]
fn session_and_process_group_stay() {
    // Fields of stat(5): 5 the process group, 6 the session, 7 the terminal.
    let mut caller = String::new();
    let holder = holder();
    for way in ways(&holder) {
        let script = format!(
            "cut -d' ' -f5-7 /proc/self/stat; exec {way} sh -c 'cut -d\" \" -f5-7 /proc/self/stat'"
        );
        // With its own /proc, another PID namespace numbers them anew.
        if way.contains("--mount-proc") || way.contains("-a") {
            continue;
        }
        let said = Tool::shell(&script).run().ok().lines();
        assert_eq!(said[0], said[1], "{way}");
        caller.clone_from(&said[0]);
    }
    assert!(!caller.is_empty());
}

#[test]
fn no_new_privileges_stay_so() {
    needs!(command("setpriv"));
    the_same_each_way(
        "exec setpriv --no-new-privs",
        "cat /proc/self/status",
        |text| {
            let status = Status::said(text);
            assert_eq!(status.get("NoNewPrivs"), "1", "{text}");
            signals(text)
        },
    );
}

#[test]
fn the_environment_stays() {
    let said = the_same_each_way(
        "ODD= EVEN='two  words';export ODD EVEN; exec",
        "env",
        |text| {
            let mut lines: Vec<_> = text
                .lines()
                .filter(|line| !line.starts_with("_="))
                .collect();
            lines.sort();
            // Each run has its own mark.
            lines.retain(|line| !line.starts_with("NSKIT_TEST_RUN="));
            lines.join("\n")
        },
    );
    assert!(said.contains("ODD=\n") || said.contains("ODD="), "{said}");
    assert!(said.contains("EVEN=two  words"), "{said}");
}

#[test]
fn the_environment_stays_byte_for_byte_and_in_order() {
    let holder = holder();
    for way in ways(&holder) {
        let script = format!(
            "exec env -i \"PATH=$PATH\" Z=1 A= B=\"$(printf 'a\\377b\\nc')\" Z2== M=9 {way} /bin/cat /proc/self/environ"
        );
        let ran = Tool::shell(&script).run().ok();
        let ends = b"Z=1\0A=\0B=a\xffb\nc\0Z2==\0M=9\0";
        assert!(ran.stdout.ends_with(ends), "{ran}");
    }
}

#[test]
fn only_the_program_holds_what_it_was_given() {
    // A pipe's reader sees the end as soon as the program has ended, not when we have.
    let script =
        "unshare --fork sh -c 'echo said' | { read -r line; echo \"$line\"; cat; echo end; }";
    Tool::shell(script).run().ok().out("said\nend\n");
}
