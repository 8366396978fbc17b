//! What nskit costs, as far as no noise moves it: system calls before the program runs, page faults, memory, size.
//!
//! What is counted of calls: every system call that any process of ours enters, from the return of the execve(2)
//! that started us up to and including the execve(2) that starts the program. `NSKIT_RELEASE` names
//! the static release binary; a debug build makes other calls.

use crate::harness::*;

/// The variable that names the static release binary.
const RELEASE: &str = "NSKIT_RELEASE";

/// There is a release binary, and it is linked with musl: where that target cannot be had, `make` links it with
/// glibc and says so, whose start-up makes calls and faults of its own.
fn release() -> Need {
    let Some(path) = std::env::var_os(RELEASE) else {
        return unless(
            false,
            &format!("{RELEASE}, the path of a static release build"),
        );
    };
    let binary = std::fs::read(path).expect("the release binary is there");
    if has(&binary, "No error information") {
        Ok(())
    } else {
        Err(Lack::Theirs(
            "the release binary is linked with glibc".to_owned(),
        ))
    }
}

/// Whether these words are in a binary.
fn has(binary: &[u8], words: &str) -> bool {
    binary
        .windows(words.len())
        .any(|part| part == words.as_bytes())
}

/// The release binary, under the name of an applet.
fn link(place: &Place, applet: &str) -> String {
    let link = place.at(applet);
    let release = std::env::var_os(RELEASE).expect("a need that was looked at");
    let release = std::fs::canonicalize(release).expect("the release binary is there");
    std::os::unix::fs::symlink(release, &link).expect("a link");
    link
}

/// Runs the release binary as this applet under strace(1); at most `limit` calls are made.
///
/// A call that strace shows in two parts (`unfinished`, then `resumed`) is counted where it was entered.
#[track_caller]
fn at_most(limit: usize, applet: &str, words: &[&str]) {
    let place = Place::new();
    let (trace, link) = (place.at("trace"), link(&place, applet));
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
    // Six of them keep the parent one that can be killed, and a child that does not outlive it: a signalfd(2), a pipe(2)
    // and its other end closed, a poll(2), and twice prctl(2).
    at_most(23, "unshare", &["-Urpf"]);
}

/// How many page faults the command line makes that need no disk (time(1), `%R`).
#[track_caller]
fn faults(words: &[&str]) -> i64 {
    let place = Place::new();
    let counted = place.at("faults");
    Tool::program("/usr/bin/time")
        .args(["-f", "%R", "-o", &counted])
        .args(words)
        .run()
        .ok();
    let text = std::fs::read_to_string(&counted).expect("time writes its file");
    text.trim().parse().expect("a number")
}

/// A program that is not ours makes faults too: what is counted is how many more a start through us takes.
#[test]
fn page_faults() {
    needs!(ours("makes many more"), root(), command("time"), release());
    let place = Place::new();
    let unshare = link(&place, "unshare");
    // The same binary as the program, so that its pages are in the cache, and its faults the same.
    let program = link(&place, "nskit");
    let alone = faults(&[&program, "--list"]);
    let through = faults(&[&unshare, "-u", &program, "--list"]);
    assert!(
        through - alone <= 25,
        "{through} through unshare, {alone} alone"
    );
}

#[test]
fn peak_memory() {
    needs!(ours("takes more"), root(), release());
    let place = Place::new();
    let unshare = link(&place, "unshare");
    let said = Tool::program(&unshare)
        .args(["-uf", "sh", "-c", "grep VmHWM: /proc/$PPID/status"])
        .run()
        .ok()
        .text();
    let words: Vec<_> = said.split_ascii_whitespace().collect();
    let ["VmHWM:", number, "kB"] = words[..] else {
        panic!("{said}");
    };
    let peak: u32 = number.parse().expect("a number");
    assert!(peak <= 1024, "{peak} kB");
}

#[test]
fn size() {
    needs!(ours("is several programs"), release());
    let release = std::env::var_os(RELEASE).expect("a need that was looked at");
    let size = std::fs::metadata(release)
        .expect("the release binary is there")
        .len();
    // Most of it is doctor, --show and diagnosis, of which a start touches nothing.
    assert!(size <= 750_000, "{size} bytes");
}

/// glibc asks the processor for its features with dozens of CPUID instructions before `main`, each of which traps
/// on a virtual machine. Its start-up reads a variable that nothing else in a binary names.
#[test]
fn no_start_up_of_glibc() {
    needs!(ours("is linked with glibc"), release());
    let release = std::env::var_os(RELEASE).expect("a need that was looked at");
    let binary = std::fs::read(release).expect("the release binary is there");
    assert!(!has(&binary, "GLIBC_TUNABLES"));
}
