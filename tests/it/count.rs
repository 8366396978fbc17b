//! How many system calls nskit makes before the program runs.
//!
//! What is counted: every system call that any process of ours enters, from the return of the execve(2)
//! that started us up to and including the execve(2) that starts the program. `NSKIT_RELEASE` names
//! the static release binary; a debug build makes other calls.

use crate::harness::*;

/// The variable that names the static release binary.
const RELEASE: &str = "NSKIT_RELEASE";

fn release() -> Need {
    let lack = format!("{RELEASE}, the path of a static release build");
    unless(std::env::var_os(RELEASE).is_some(), &lack)
}

/// Runs the release binary as this applet under strace(1); at most `limit` calls are made.
///
/// A call that strace shows in two parts (`unfinished`, then `resumed`) is counted where it was entered.
#[track_caller]
fn at_most(limit: usize, applet: &str, words: &[&str]) {
    let place = Place::new();
    let (trace, link) = (place.at("trace"), place.at(applet));
    let release = std::env::var_os(RELEASE).expect("a need that was looked at");
    let release = std::fs::canonicalize(release).expect("the release binary is there");
    std::os::unix::fs::symlink(release, &link).expect("a link");
    Tool::program("strace")
        .args(["-f", "-o", &trace, &link])
        .args(words)
        .arg("/bin/true")
        .run()
        .ok();
    let text = std::fs::read_to_string(&trace).expect("strace writes its file");
    let mut entered = text.lines().filter(|line| {
        let call = line
            .split_once(' ')
            .map_or("", |(_pid, call)| call.trim_start());
        // Neither the second part of a call, nor a signal, nor an end.
        !["<...", "---", "+++"]
            .iter()
            .any(|mark| call.starts_with(mark))
    });
    let first = entered.next().unwrap_or_default();
    assert!(
        first.contains("execve("),
        "the first call is the one that started us: {text}"
    );
    let program = entered
        .position(|line| line.contains("execve(\"/bin/true\""))
        .unwrap_or_else(|| panic!("the program was executed: {text}"));
    let count = program + 1;
    assert!(count <= limit, "{count} calls, at most {limit}:\n{text}");
}

#[test]
fn a_new_uts_namespace() {
    needs!(
        ours("makes many more"),
        root(),
        command("strace"),
        release()
    );
    at_most(7, "unshare", &["-u"]);
}

#[test]
fn the_network_of_a_target() {
    needs!(
        ours("makes many more"),
        root(),
        command("strace"),
        release()
    );
    let holder = Holder::unshare("-n");
    at_most(8, "nsenter", &["-t", &holder.pid().to_string(), "-n"]);
}

#[test]
fn root_in_namespaces_of_its_own() {
    needs!(
        ours("makes many more"),
        root(),
        command("strace"),
        release()
    );
    at_most(17, "unshare", &["-Urpf"]);
}
