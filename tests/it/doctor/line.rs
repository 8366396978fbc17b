//! One command line: what it would do, and whether it would work.

use super::*;

/// What the doctor says of a command line.
fn judged(words: &str) -> Tool {
    Tool::nskit().line("doctor --json").line(words)
}

#[test]
fn a_line_that_works_is_not_run() {
    needs!(doctors(), user_namespaces());
    let place = Place::new().owned_by_ordinary();
    let witness = place.at("witness");
    let found = found(
        judged("unshare -Urpf --mount-proc touch")
            .arg(&witness)
            .by_ordinary(),
    );
    found.exits(0).says("command-line", "yes");
    assert!(!std::path::Path::new(&witness).exists());
    let plan = found.value["plan"].as_array().expect("a list of steps");
    assert!(plan[0] == "unshare user, pid, mnt", "{plan:?}");
    let last = plan.last().and_then(Value::as_str).expect("a step");
    assert_eq!(last, format!("  execute touch {witness}"));
    let command = found.value["command"].as_str().expect("words");
    assert_eq!(
        command,
        format!("unshare -Urpf --mount-proc touch {witness}")
    );
}

#[test]
fn it_fails_as_the_line_does() {
    needs!(doctors(), root(), user_namespaces());
    for (words, error) in [
        ("unshare -n true", "unshare failed: Operation not permitted"),
        (
            "unshare -r no-such",
            "failed to execute no-such: No such file or directory",
        ),
        (
            "unshare -r /etc",
            "failed to execute /etc: Permission denied",
        ),
        ("unshare --frob", "unrecognized option '--frob'"),
        ("unshare -T --boottime=x true", ""),
        (
            "unshare -rpf --mount-proc=/no/such true",
            "mount /no/such failed: No such file or directory",
        ),
        ("unshare -rm --root=/etc/passwd true", ""),
        ("nsenter -t 1 -n true", ""),
        (
            "nsenter --net=/no/such true",
            "cannot open /no/such: No such file or directory",
        ),
        ("setns netns:nosuch true", ""),
        ("unshare -rf --init true", ""),
        ("unshare -r true", ""),
        ("unshare -rpf --init=group --kill-child true", ""),
        ("unshare -Uc --keep-caps true", ""),
        ("setns self true", ""),
        ("unshare -ruf --hostname=x true", ""),
        ("unshare -r --setuid 5 true", ""),
    ] {
        let ran = Tool::shell(&format!("exec {words}")).by_ordinary().run();
        let found = found(judged(words).by_ordinary());
        found.exits(if ran.succeeded() { 0 } else { 1 });
        let said = found.check("command-line")["tried"][0]["error"]
            .as_str()
            .expect("words");
        let stderr = String::from_utf8_lossy(&ran.stderr);
        assert!(
            stderr.contains(said) && said.contains(error),
            "{words}: {said}: {ran}"
        );
    }
}

#[test]
fn nothing_to_try() {
    needs!(doctors());
    for words in ["unshare --help", "setns --show", "setns --same self self"] {
        found(judged(words))
            .exits(125)
            .says("command-line", "unknown");
    }
}

#[test]
fn what_outlives_it_is_told_and_not_done() {
    needs!(doctors(), root());
    let place = Place::new();
    let (file, pidfile) = (place.file("ns", "as before"), place.at("pid"));
    let line = format!("unshare --uts={file} --pidfile={pidfile} true");
    let found = found(judged(&line));
    found
        .exits(0)
        .says("command-line", "yes")
        .says("step", "yes");
    assert_eq!(found.checks().len(), 3, "{}", found.ran);
    assert_eq!(
        std::fs::read_to_string(&file).expect("a file still"),
        "as before"
    );
    assert!(!std::path::Path::new(&pidfile).exists());

    let missing = place.at("none");
    let found = super::found(judged(&format!("unshare --uts={missing} true")));
    found.exits(1).no("step", "there is no", "touch");
}

#[test]
fn a_process_that_is_there() {
    needs!(doctors(), root());
    let holder = Holder::unshare("-un");
    let pid = holder.pid();
    for words in [
        format!("nsenter -t {pid} -a true"),
        format!("nsenter --uts=/proc/{pid}/ns/uts true"),
        format!("setns {pid} true"),
    ] {
        let ran = Tool::shell(&words).run();
        let found = found(judged(&words));
        found.exits(if ran.succeeded() { 0 } else { 1 });
    }
    found(judged(&format!("nsenter -t {pid} -u no-such"))).exits(1);
}
