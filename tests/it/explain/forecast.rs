//! `--dry-run` foretells: what it says would fail does fail, and for that reason.

use super::*;

/// The lines about failures of a rehearsal, which fails only where it foretells one.
#[track_caller]
fn foretold(tool: Tool) -> Vec<String> {
    foretold_by(&tool.run())
}

#[track_caller]
fn foretold_by(ran: &Ran) -> Vec<String> {
    let mut lines = ran.lines();
    let plan = lines
        .iter()
        .position(|line| line.starts_with("would fail: "))
        .unwrap_or(lines.len());
    assert_eq!(ran.succeeded(), plan == lines.len(), "{ran}");
    lines.split_off(plan)
}

/// The same rehearsal as JSON has the same status, failures, causes and hints as these lines.
#[track_caller]
fn agrees(json: &Ran, lines: &[String]) {
    let said: serde_json::Value = serde_json::from_str(&json.text()).expect("JSON");
    assert_eq!(
        json.ended,
        Ended::Exited(said["status"].as_i64().expect("a status") as i32)
    );
    let mut same = Vec::new();
    for failure in said["failures"].as_array().expect("a list") {
        let mut line = format!("would fail: {}", failure["line"].as_str().expect("a line"));
        // The words of the error stand in the lines, and its name here.
        let words = lines
            .iter()
            .find_map(|told| told.strip_prefix(&line))
            .expect(&line);
        assert_eq!(words.is_empty(), failure["errno"].is_null(), "{said}");
        assert_eq!(
            words == ": Permission denied",
            failure["errno"] == "EACCES",
            "{said}"
        );
        line.push_str(words);
        same.push(line);
        for cause in failure["causes"].as_array().expect("a list") {
            same.push(format!(
                "  cause: {}",
                cause["cause"].as_str().expect("a cause")
            ));
            let hint = cause["hint"].as_str().expect("a hint, or an empty one");
            same.extend((!hint.is_empty()).then(|| format!("  hint: {hint}")));
        }
    }
    assert_eq!(same, lines, "{said}");
}

/// A command line that would fail at `step`: the rehearsal says so, with causes that the real run names too.
#[track_caller]
fn comes_true(make: impl Fn() -> Tool, step: &str, words: &str) {
    let rehearsal = make().line("--dry-run").line(words).run();
    let as_json = make().line("--dry-run --json").line(words).run();
    let rehearsed = rehearsal.ended;
    let rehearsal = foretold_by(&rehearsal);
    let first = format!("would fail: {step}");
    assert!(
        rehearsal
            .first()
            .is_some_and(|line| line.starts_with(&first)),
        "{words}: no {first:?} in {rehearsal:#?}"
    );
    let told = why(make().line(words));
    assert_eq!(rehearsed, told.ran.ended, "{words}: {rehearsal:#?}");
    agrees(&as_json, &rehearsal);
    let causes: Vec<&str> = rehearsal
        .iter()
        .filter_map(|line| line.strip_prefix("  cause: "))
        .collect();
    assert!(!causes.is_empty(), "{rehearsal:#?}");
    let real = |cause: &&str| told.causes.iter().any(|(real, _)| real == cause);
    assert!(causes.iter().any(real), "{causes:#?}: {}", told.ran);
}

#[test]
fn what_is_foretold_comes_true() {
    needs!(root(), explains(), user_namespaces(), command("newuidmap"));
    let ordinary = || Tool::unshare().by_ordinary();
    for (step, words) in [
        ("unshare net: Operation not permitted", "-n true"),
        (
            "outside: newuidmap 0 100000 5",
            "--map-users=0:100000:5 true",
        ),
        (
            "write /proc/self/setgroups: deny",
            "--setgroups=deny -r true",
        ),
        (
            "mount proc on /proc: Operation not permitted",
            "-r --mount-proc true",
        ),
        (
            "mount proc on /proc: Operation not permitted",
            "-rp --mount-proc true",
        ),
        (
            "mount proc on /no/such: No such file or directory",
            "-rpf --mount-proc=/no/such true",
        ),
        ("setuid 5: Invalid argument", "-r -S 5 true"),
        ("setgroups", "-r --groups 0 true"),
        (
            "chroot to /, then to its /: Operation not permitted",
            "-R / true",
        ),
        (
            "chroot to /no/such, then to its /: No such file",
            "-r -R /no/such true",
        ),
        (
            "change to /etc/passwd: Not a directory",
            "-w /etc/passwd true",
        ),
        (
            "execute no-such-program: No such file",
            "-r no-such-program",
        ),
        ("execute /etc/passwd: Permission denied", "/etc/passwd"),
        (
            "outside: bind our net on /etc/passwd: Operation not permitted",
            "-r --net=/etc/passwd true",
        ),
    ] {
        if step.starts_with("write") {
            // Denied again is no failure.
            assert_eq!(foretold(ordinary().line("--dry-run").line(words)), [""; 0]);
            continue;
        }
        comes_true(ordinary, step, words);
    }
    for (step, words) in [
        (
            "write /proc/self/setgroups: deny: Operation not permitted",
            "--setgroups=deny true",
        ),
        (
            "outside: bind our net on /no/such: No such file",
            "--net=/no/such true",
        ),
        (
            "outside: bind our uts on /etc: Not a directory",
            "--uts=/etc true",
        ),
    ] {
        comes_true(Tool::unshare, step, words);
    }
}

#[test]
fn a_root_directory_without_an_interpreter() {
    needs!(root(), explains());
    let place = Place::new();
    let root = place.subdir("root");
    place.script("root/script", "#!/bin/python9\n");
    let tool = || Tool::unshare().arg("-R").arg(&root);
    comes_true(tool, "execute /script: No such file", "/script");
    comes_true(tool, "execute true: No such file", "true");
}

#[test]
fn limits_of_namespaces() {
    needs!(explains(), user_namespaces());
    let limited = |words: &str| {
        Tool::fixture()
            .line("-Ur")
            .sh(&format!(
                "echo 0 >/proc/sys/user/max_net_namespaces; exec unshare {words}"
            ))
            .by_ordinary()
    };
    let lines = foretold(limited("--dry-run -n true"));
    assert_eq!(lines[0], "would fail: unshare net: No space left on device");
    assert!(
        lines[1].starts_with("  cause: user.max_net_namespaces is 0 here"),
        "{lines:#?}"
    );
}

#[test]
fn a_mount_namespace_on_a_shared_mount() {
    needs!(root(), explains());
    let place = Place::new();
    let dir = place.path().display().to_string();
    let lines = foretold(Tool::fixture().line("-m").sh(&format!(
        "mount -t tmpfs tmpfs {dir} && mount --make-shared {dir} && : >{dir}/ns && \
         exec unshare --dry-run --mount={dir}/ns true"
    )));
    assert!(
        lines[1].starts_with(&format!("  cause: the mount {dir} is shared")),
        "{lines:#?}"
    );
}

#[test]
fn targets() {
    needs!(root(), explains(), user_namespaces());
    let (roots, own) = (Holder::unshare("-n"), Holder::ordinary("-rn"));
    let (roots_pid, own_pid) = (roots.pid(), own.pid());
    let ordinary = || Tool::nsenter().by_ordinary();
    comes_true(
        ordinary,
        "enter net: Operation not permitted",
        &format!("-t {roots_pid} -n true"),
    );
    comes_true(
        ordinary,
        "enter user: Operation not permitted",
        &format!("-t {roots_pid} -U true"),
    );
    why(ordinary().line(&format!("--dry-run -t {roots_pid} -U -r true")))
        .of(&format!(
            "nsenter: cannot open /proc/{roots_pid}/root: {EACCES}"
        ))
        .because("runs as user 0", "");
    comes_true(
        ordinary,
        "enter net: Operation not permitted",
        &format!("-t {own_pid} -n true"),
    );
    comes_true(
        ordinary,
        "drop the supplementary groups",
        &format!("-t {own_pid} -U -n true"),
    );
    let me = std::process::id();
    comes_true(
        Tool::nsenter,
        "enter user: Invalid argument",
        &format!("-t {me} -U true"),
    );
    for fine in [
        format!("-t {own_pid} -U -n --preserve-credentials true"),
        format!("-t {own_pid} -a --preserve-credentials true"),
    ] {
        assert_eq!(
            foretold(ordinary().line("--dry-run").line(&fine)),
            [""; 0],
            "{fine}"
        );
        ordinary().line(&fine).run().ok();
    }
    // root drops its groups before it enters a namespace that denies it.
    let fine = format!("-t {own_pid} -U -n true");
    assert_eq!(
        foretold(Tool::nsenter().line("--dry-run").line(&fine)),
        [""; 0]
    );
    Tool::nsenter().line(&fine).run().ok();
}

/// Once groups are mapped it cannot be denied, not even where it is denied already.
#[test]
fn setgroups_behind_a_map() {
    needs!(root(), explains(), user_namespaces());
    let inside = || {
        let tool = Tool::fixture().line("-r").sh("exec unshare \"$@\"");
        tool.arg("sh").by_ordinary()
    };
    comes_true(
        inside,
        "write /proc/self/setgroups: deny: Operation not permitted",
        "--setgroups=deny true",
    );
}

#[test]
fn what_works_is_not_warned_of() {
    needs!(root(), explains(), user_namespaces());
    for words in [
        "-r true",
        "-Urpfmuin --mount-proc -- true",
        "-rpf --mount-proc --keep-caps -S 0 true",
        "-c true",
        "-U -f sh",
        "true",
    ] {
        assert_eq!(
            foretold(Tool::unshare().arg("--dry-run").line(words).by_ordinary()),
            [""; 0],
            "{words}"
        );
    }
    for words in [
        "-mpf --mount-proc true",
        "-R / -w / true",
        "-S 1 -G 1 true",
        "--map-users=all -S 7 true",
    ] {
        assert_eq!(
            foretold(Tool::unshare().arg("--dry-run").line(words)),
            [""; 0],
            "{words}"
        );
        Tool::unshare().line(words).run().ok();
    }
}
