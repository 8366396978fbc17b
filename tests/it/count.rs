//! What nskit costs, as far as no noise moves it: system calls and instructions before the program runs, relocations, page
//! faults, memory, size.
//!
//! What is counted of calls: every system call that any process of ours enters, from the return of the execve(2)
//! that started us up to and including the execve(2) that starts the program. `NSKIT_RELEASE` names
//! the static release binary; a debug build makes other calls.

use crate::harness::*;

/// The variable that names the static release binary.
const RELEASE: &str = "NSKIT_RELEASE";

/// There is a release binary, and it is linked with musl unless that target cannot be had: then `make` links it with
/// glibc and says so, whose start-up makes calls and faults of its own.
fn release() -> Need {
    let Some(path) = std::env::var_os(RELEASE) else {
        return unless(
            false,
            &format!("{RELEASE}, the path of a static release build"),
        );
    };
    let binary = std::fs::read(path).expect("the release binary is there");
    if !has(&binary, GLIBC) || has_musl() {
        Ok(())
    } else {
        Err(Lack::Theirs(
            "the release binary is linked with glibc".to_owned(),
        ))
    }
}

/// The variable that glibc's start-up reads; nothing else in a binary names it.
const GLIBC: &str = "GLIBC_TUNABLES";

/// Whether musl's target is installed.
fn has_musl() -> bool {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let said = std::process::Command::new("rustc")
        .args(["--print", "target-libdir", "--target", &target])
        .output()
        .expect("rustc");
    let directory = String::from_utf8(said.stdout).expect("a path");
    std::fs::exists(directory.trim()).expect("a path")
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

/// How many bytes of the stack a start uses: each page of it that was not there is a page fault, and one in four kilobytes
/// is met on the average.
const STACK: usize = 5_000;

/// Runs it under a debugger that goes step by step until the program is executed, by it or a child: how many instructions there
/// were, how many bytes of its own stack they used, and how many of them lay where .ci/layout.ld has not put what a start runs.
#[track_caller]
fn steps(applet: &str, words: &[&str]) -> [usize; 3] {
    let place = Place::new();
    let script = place.file("instructions.py", include_str!("instructions.py"));
    // The C library's start goes past the environment, so it is always the same.
    let said = Tool::program("env")
        .args(["-i", "PATH=/usr/bin:/bin", "python3"])
        .args([&script, &link(&place, applet)])
        .args(words)
        .arg("/bin/true")
        .run()
        .ok()
        .text();
    let numbers: Vec<usize> = said
        .split_whitespace()
        .map(|number| number.parse().expect("a number"))
        .collect();
    numbers.try_into().expect("three numbers")
}

/// At most so many instructions are executed until the program is, none of them elsewhere, and with no more of the stack than
/// [`STACK`].
#[track_caller]
fn at_most_instructions(limit: usize, applet: &str, words: &[&str]) {
    let [count, stack, outside] = steps(applet, words);
    assert!(count <= limit, "{count} instructions, at most {limit}");
    assert!(stack <= STACK, "{stack} bytes of stack, at most {STACK}");
    assert_eq!(outside, 0, "instructions outside of .text.start");
}

/// Of another processor there are as many, but not the same.
fn x86_64() -> Need {
    unless(cfg!(target_arch = "x86_64"), "an x86_64 processor")
}

#[test]
fn instructions_to_a_new_uts_namespace() {
    needs!(
        ours("executes many more"),
        root(),
        x86_64(),
        command("python3"),
        release()
    );
    at_most_instructions(14_000, "unshare", &["-u"]);
}

#[test]
fn instructions_to_the_network_of_a_target() {
    needs!(
        ours("executes many more"),
        root(),
        x86_64(),
        command("python3"),
        release()
    );
    let holder = Holder::unshare("-n");
    let target = holder.pid().to_string();
    at_most_instructions(16_000, "nsenter", &["-t", &target, "-n"]);
}

/// A map may have 340 ranges: what each of them costs, from the command line to what is written.
#[test]
fn instructions_of_a_range() {
    needs!(
        ours("executes others"),
        root(),
        x86_64(),
        command("python3"),
        release()
    );
    let with = |count: usize| {
        let ranges: Vec<String> = (0..count)
            .map(|index| format!("--map-users={0}:{0}:1", 100 + 2 * index))
            .collect();
        let mut words = vec!["-U"];
        words.extend(ranges.iter().map(String::as_str));
        let [instructions, ..] = steps("unshare", &words);
        instructions
    };
    let each = (with(30) - with(10)) / 20;
    assert!(each <= 2_400, "{each} instructions for a range");
}

/// Without a bound of its own: that it stays where a start is, and does not need more of the stack.
#[test]
fn where_other_starts_lie() {
    needs!(
        ours("is not static"),
        root(),
        x86_64(),
        command("python3"),
        release()
    );
    let holder = Holder::unshare("-n");
    let target = holder.pid().to_string();
    let file = format!("--net=/proc/{target}/ns/net");
    let starts: [(&str, &[&str]); 7] = [
        ("nskit", &["unshare", "-u"]),
        ("unshare", &["-m"]),
        ("unshare", &["-Ur"]),
        ("unshare", &["-Urpf"]),
        ("unshare", &["-Urpf", "--mount-proc"]),
        ("nsenter", &[&file]),
        ("nsenter", &["-t", &target, "-a"]),
    ];
    for (applet, options) in starts {
        at_most_instructions(28_000, applet, options);
    }
}

/// The words of memory that a static-pie binary corrects before its `main` by where it was put (elf(5), `PT_DYNAMIC`).
fn relocations(binary: &[u8]) -> Vec<u64> {
    const PT_DYNAMIC: u64 = 2;
    const PT_LOAD: u64 = 1;
    const DT_RELA: u64 = 7;
    const DT_RELASZ: u64 = 8;
    const DT_RELRSZ: u64 = 35;
    const DT_RELR: u64 = 36;
    let number = |at: u64, bytes: usize| {
        let at = usize::try_from(at).expect("an offset");
        let mut word = [0; 8];
        word[..bytes].copy_from_slice(&binary[at..at + bytes]);
        u64::from_le_bytes(word)
    };
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let headers: Vec<u64> = (0..count).map(|index| table + index * size).collect();
    // The offset in the file of an address.
    let offset = |address: u64| {
        headers
            .iter()
            .filter(|&&header| number(header, 4) == PT_LOAD)
            .map(|header| {
                (
                    number(header + 8, 8),
                    number(header + 16, 8),
                    number(header + 32, 8),
                )
            })
            .find(|(_, start, length)| (*start..start + length).contains(&address))
            .map(|(offset, start, _)| offset + address - start)
            .expect("an address in the file")
    };
    let header = headers
        .iter()
        .find(|&&header| number(header, 4) == PT_DYNAMIC)
        .expect("a static-pie binary");
    let (dynamic, length) = (number(header + 8, 8), number(header + 32, 8));
    let entry = |tag: u64| {
        (dynamic..dynamic + length)
            .step_by(16)
            .find(|&at| number(at, 8) == tag)
            .map_or(0, |at| number(at + 8, 8))
    };
    let words = |table: u64, size: u64, each: usize| {
        let size = entry(size);
        let start = if size > 0 { offset(entry(table)) } else { 0 };
        (start..start + size).step_by(each)
    };
    let mut places: Vec<u64> = words(DT_RELA, DT_RELASZ, 24)
        .map(|at| number(at, 8))
        .collect();
    let mut next = 0;
    for word in words(DT_RELR, DT_RELRSZ, 8).map(|at| number(at, 8)) {
        if word & 1 == 0 {
            places.push(word);
            next = word + 8;
        } else {
            let set = (1..64).filter(|bit| word >> bit & 1 == 1);
            places.extend(set.map(|bit| next + 8 * (bit - 1)));
            next += 8 * 63;
        }
    }
    places
}

/// Each is some instructions of every start, and each page of them a page of its own for every process.
#[test]
fn relocations_before_main() {
    needs!(ours("is not static"), x86_64(), release());
    let release = std::env::var_os(RELEASE).expect("a need that was looked at");
    let places = relocations(&std::fs::read(release).expect("the release binary is there"));
    let pages: std::collections::BTreeSet<u64> = places.iter().map(|place| place >> 12).collect();
    assert!(
        places.len() <= 450 && pages.len() <= 2,
        "{} relocations on {} pages",
        places.len(),
        pages.len()
    );
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

/// A program that is not ours makes faults too: what is counted is how many more a start through us takes. The kernel maps
/// pages by sixteen, counted from an address that is another each time: so it is the middle of many starts.
#[test]
fn page_faults() {
    needs!(ours("makes many more"), root(), command("time"), release());
    let place = Place::new();
    let unshare = link(&place, "unshare");
    // The same binary as the program, so that its pages are in the cache, and its faults the same.
    let program = link(&place, "nskit");
    let middle = |words: &[&str]| {
        let mut counts: Vec<i64> = (0..41).map(|_| faults(words)).collect();
        counts.sort_unstable();
        counts[counts.len() / 2]
    };
    let alone = middle(&[&program, "--list"]);
    let holder = Holder::unshare("-n");
    let nsenter = link(&place, "nsenter");
    let target = holder.pid().to_string();
    for through in [
        &[unshare.as_str(), "-u"][..],
        &[nsenter.as_str(), "-t", &target, "-n"],
    ] {
        let faults = middle(&[through, &[program.as_str(), "--list"]].concat());
        assert!(
            faults - alone <= 11,
            "{faults} through {through:?}, {alone} alone"
        );
    }
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
    assert!(size <= 700_000, "{size} bytes");
}

/// What can be written cannot be executed, and what is read only cannot be written: neither the code nor the constants.
/// Security modules refuse to load what is otherwise (SELinux: `execmod`).
#[test]
fn code_cannot_be_written() {
    needs!(ours("is another binary"), release());
    let binaries = [RELEASE, "NSKIT_HARDENED", "NSKIT_GLIBC"].map(std::env::var_os);
    for binary in binaries.into_iter().flatten() {
        let binary = std::fs::canonicalize(binary).expect("the binary is there");
        let name = binary.to_str().expect("a path");
        // Of the parent, which waits.
        let maps = Tool::program(name)
            .line("unshare --fork")
            .sh("cat /proc/$PPID/maps")
            .run()
            .ok()
            .text();
        let mut written = 0;
        for line in maps.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let access = words[1];
            assert!(!access.contains("wx"), "{maps}");
            if access.starts_with("rw") && words.last() == Some(&name) {
                let (start, end) = words[0].split_once('-').expect("a range");
                let number = |text| u64::from_str_radix(text, 16).expect("an address");
                written += number(end) - number(start);
            }
        }
        // Variables, and the pointers that are relocated.
        assert!(
            (1..=16 * 1024).contains(&written),
            "{written} bytes: {maps}"
        );
    }
}

/// glibc asks the processor for its features with dozens of CPUID instructions before `main`, each of which traps
/// on a virtual machine.
#[test]
fn no_start_up_of_glibc() {
    needs!(ours("is linked with glibc"), release());
    let release = std::env::var_os(RELEASE).expect("a need that was looked at");
    let binary = std::fs::read(release).expect("the release binary is there");
    assert!(!has(&binary, GLIBC));
}

/// A child that shares our memory has a part of our stack.
#[test]
fn a_small_stack_is_enough() {
    needs!(
        ours("has another stack"),
        root(),
        command("bash"),
        release()
    );
    let place = Place::new();
    let unshare = link(&place, "unshare");
    for words in ["-pf", "-Urpf --mount-proc", "-p --init"] {
        let line = format!("ulimit -s 64; exec {unshare} {words} echo it ran");
        let ran = Tool::program("bash").args(["-c", &line]).run().ok();
        assert_eq!(ran.text(), "it ran", "{words}");
    }
}
