//! What the program finds that a command line starts: the namespaces, IDs, mounts and all else that an option can change.

use std::fmt::Write;
use std::path::Path;

/// The word that makes this test the program that is started.
pub(crate) const WORD: &str = "--state";

/// The links in `/proc/self/ns`.
const LINKS: [&str; 10] = [
    "cgroup",
    "ipc",
    "mnt",
    "net",
    "pid",
    "pid_for_children",
    "time",
    "time_for_children",
    "user",
    "uts",
];

/// The lines of `/proc/self/status` that do not change by themselves.
const STATUS: [&str; 17] = [
    "Umask",
    "Uid",
    "Gid",
    "Groups",
    "NSpid",
    "SigPnd",
    "ShdPnd",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
];

/// Prints it, and ends with a status that nothing else ends with.
pub(crate) fn tell() -> i32 {
    let mut text = String::from("state\n");
    for link in LINKS {
        line(&mut text, link, read_link(format!("/proc/self/ns/{link}")));
    }
    for file in [
        "uid_map",
        "gid_map",
        "setgroups",
        "timens_offsets",
        "oom_score_adj",
        "attr/current",
    ] {
        line(&mut text, file, read(&format!("/proc/self/{file}")));
    }
    let status = read("/proc/self/status");
    for kept in STATUS {
        let found = status
            .lines()
            .find_map(|line| line.strip_prefix(kept)?.strip_prefix(':'));
        // The numbers themselves are another run's; how many there are is the depth of PID namespaces.
        let found = found.map(|found| match kept {
            "NSpid" => found.split_whitespace().count().to_string(),
            _ => found.trim().to_owned(),
        });
        line(&mut text, kept, found.unwrap_or_default());
    }
    line(&mut text, "cwd", read_link("/proc/self/cwd"));
    line(&mut text, "root", read_link("/proc/self/root"));
    line(&mut text, "hostname", read("/proc/sys/kernel/hostname"));
    line(&mut text, "cgroups", read("/proc/self/cgroup"));
    line(&mut text, "loopback", read("/proc/self/net/if_inet6"));
    line(&mut text, "is pid 1", (std::process::id() == 1).to_string());
    let mut mounts: Vec<_> = read("/proc/self/mountinfo").lines().map(mount).collect();
    // By their place: what is mounted there has a number that is another's next time.
    mounts.sort_by_cached_key(|line| line.split(' ').nth(1).map(str::to_owned));
    line(&mut text, "mounts", mounts.join("\n"));
    let mut variables: Vec<_> = std::env::vars_os()
        .map(|(name, value)| format!("{name:?}={value:?}"))
        .collect();
    variables.sort();
    line(&mut text, "environment", variables.join("\n"));
    let mut open: Vec<_> = std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| (entry.file_name(), read_link(entry.path())))
        .filter(|(_, target)| !target.starts_with("/proc/") || !target.ends_with("/fd"))
        .map(|(name, target)| format!("{name:?} {target}"))
        .collect();
    open.sort();
    line(&mut text, "descriptors", open.join("\n"));
    text.push_str("end\n");
    print!("{text}");
    7
}

fn line(text: &mut String, name: &str, value: String) {
    let _ = writeln!(text, "{name}: {}", value.trim_end());
}

fn read(file: &str) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| error.to_string())
}

fn read_link(file: impl AsRef<Path>) -> String {
    std::fs::read_link(file).map_or_else(
        |error| error.to_string(),
        |target| target.display().to_string(),
    )
}

/// A line of mountinfo without the numbers that the kernel gave.
fn mount(line: &str) -> String {
    let kept = line.split(' ').enumerate().filter(|(index, _)| *index > 2);
    let words = kept.map(|(_, word)| match word.split_once(':') {
        Some((name @ ("shared" | "master" | "propagate_from"), _)) => name,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}
