//! `nsenter --join-cgroup`: in a hierarchy that is mounted for the test, and in those of the machine.
//!
//! The hard thing: cgroups are the machine's, whoever mounts them. So each has a name of its own, and is removed
//! when the last process has left it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::*;

/// A cgroup, as a directory that this process can reach.
pub(crate) struct Group(PathBuf);

impl Group {
    /// Makes one in this hierarchy; `odd` are the last bytes of its name.
    #[track_caller]
    pub(crate) fn new(hierarchy: &Path, odd: &str) -> Self {
        static GROUPS: AtomicU32 = AtomicU32::new(0);
        let number = GROUPS.fetch_add(1, Ordering::Relaxed);
        let name = format!("nskit-test-{}-{number}{odd}", std::process::id());
        let path = hierarchy.join(name);
        std::fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }

    #[track_caller]
    pub(crate) fn takes(&self, holder: &Holder) {
        std::fs::write(self.0.join("cgroup.procs"), holder.pid().to_string())
            .unwrap_or_else(|error| panic!("{}: {error}", self.0.display()));
    }

    /// Its path from the root of the hierarchy, when it is directly in it.
    pub(crate) fn path(&self) -> String {
        format!("/{}", self.0.file_name().expect("a name").to_string_lossy())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel needs a moment to empty it after its processes have ended.
        for _ in 0..500 {
            match std::fs::remove_dir(&self.0) {
                Err(error) if error.raw_os_error() == Some(16) => {
                    std::thread::sleep(std::time::Duration::from_millis(4));
                }
                _ => return,
            }
        }
    }
}

/// A mount namespace in which version 2 is mounted on a directory of ours.
pub(crate) struct Mounts {
    holder: Holder,
    place: Place,
}

impl Mounts {
    #[track_caller]
    pub(crate) fn new() -> Self {
        let place = Place::new();
        let dir = place.subdir("cgroup2");
        let script = format!("mount -t cgroup2 none {dir}");
        let holder = Holder::doing("-m --propagation private", &script);
        Self { holder, place }
    }

    /// The root of the hierarchy, as this process reaches it.
    pub(crate) fn hierarchy(&self) -> PathBuf {
        PathBuf::from(format!(
            "/proc/{}/root{}",
            self.holder.pid(),
            self.place.at("cgroup2")
        ))
    }

    /// Does something in this mount namespace.
    #[track_caller]
    fn does(&self, script: &str) {
        Tool::nsenter()
            .args(["-m", "-t", &self.holder.pid().to_string()])
            .sh(script)
            .run()
            .ok();
    }

    /// `nsenter` as somebody in this mount namespace calls it.
    fn nsenter(&self, target: &Holder) -> Tool {
        Tool::nsenter()
            .args(["-m", "-t", &self.holder.pid().to_string()])
            .arg(Tool::path_of("nsenter"))
            .args(["-t", &target.pid().to_string()])
    }
}

/// Unmounts all of this file system type but what matches `except`; both are for grep(1).
fn unmount(kind: &str, except: &str) -> String {
    format!(
        "for mount in $(grep ' - {kind} ' /proc/self/mountinfo | cut -d' ' -f5 | grep -v '{except}' | sort -r); \
         do umount -l $mount; done"
    )
}

/// cgroup v2 can be mounted.
pub(crate) fn version_2() -> Need {
    let text = std::fs::read_to_string("/proc/filesystems").expect("/proc");
    unless(text.contains("\tcgroup2\n"), "cgroup2 in the kernel")
}

/// The line of one hierarchy in /proc/self/cgroup, whose text this is.
#[track_caller]
fn line(text: &str, hierarchy: &str) -> String {
    let mut lines = text.lines();
    let found = lines.find(|line| line.split(':').nth(1) == Some(hierarchy));
    found
        .unwrap_or_else(|| panic!("no {hierarchy:?} in {text}"))
        .to_owned()
}

const NOT_HERE: &str = "is for pure version 2 only, and takes the path of another hierarchy";

#[test]
fn version_2_with_odd_names() {
    needs!(root(), version_2(), ours(NOT_HERE));
    let mounts = Mounts::new();
    for odd in [
        "",
        ":with:colons",
        " with blanks",
        "\\040 \t'\"",
        " (deleted)",
        "..",
        "-ä-\u{1}",
    ] {
        let group = Group::new(&mounts.hierarchy(), odd);
        let target = Holder::unshare("-u");
        group.takes(&target);
        for words in ["-u -c", "-u --join-cgroup", "-c -a"] {
            let said = mounts
                .nsenter(&target)
                .line(words)
                .line("cat /proc/self/cgroup")
                .run()
                .ok()
                .text();
            assert_eq!(line(&said, ""), format!("0::{}", group.path()), "{words}");
        }
        drop(target);
    }
}

/// Of several mounts the last covers those before, and its error is the one that is told.
#[test]
fn the_error_of_the_mount_on_top() {
    needs!(root(), version_2(), ours(NOT_HERE));
    let mounts = Mounts::new();
    let group = Group::new(&mounts.hierarchy(), "");
    let target = Holder::unshare("-u");
    group.takes(&target);
    let (hidden, above) = (mounts.place.at("cgroup2"), mounts.place.subdir("above"));
    mounts.does(&format!(
        "{}; mount -t cgroup2 none {above}; mount -o remount,bind,ro {above}; mount -t tmpfs none {hidden}",
        unmount("cgroup2", &hidden)
    ));
    mounts
        .nsenter(&target)
        .line("-u -c echo it ran")
        .run()
        .exits(1)
        .out("")
        .err(&format!(
            "nsenter: cannot open {above}{}/cgroup.procs: Read-only file system\n",
            group.path()
        ));
    drop(target);
}

#[test]
fn one_below_another() {
    needs!(root(), version_2(), ours(NOT_HERE));
    let mounts = Mounts::new();
    let outer = Group::new(&mounts.hierarchy(), "");
    let inner = Group::new(&outer.0, " inner");
    let target = Holder::unshare("-u");
    inner.takes(&target);
    let said = mounts
        .nsenter(&target)
        .line("-u -c cat /proc/self/cgroup")
        .run()
        .ok()
        .text();
    assert_eq!(
        line(&said, ""),
        format!("0::{}{}", outer.path(), inner.path())
    );
    drop(target);
}

#[test]
fn the_forked_program_and_its_waiting_parent() {
    needs!(root(), version_2(), ours(NOT_HERE));
    let mounts = Mounts::new();
    let group = Group::new(&mounts.hierarchy(), "");
    let target = Holder::unshare("-pf");
    group.takes(&target);
    let said = mounts
        .nsenter(&target)
        .line("-p -c cat /proc/self/cgroup")
        .run()
        .ok()
        .text();
    assert_eq!(line(&said, ""), format!("0::{}", group.path()));
    drop(target);
}

#[test]
fn nothing_is_left_open_and_nothing_closed() {
    needs!(
        root(),
        version_2(),
        ours("closes standard input and leaves descriptors open")
    );
    let mounts = Mounts::new();
    let group = Group::new(&mounts.hierarchy(), "");
    let target = Holder::unshare("-u");
    group.takes(&target);
    let said = |words: &str| {
        let tool = mounts.nsenter(&target).line(words);
        let script = "cd /proc/self/fd; echo *; cat";
        tool.sh(script).stdin("standard input\n").run().ok().text()
    };
    assert!(said("-u").ends_with("\nstandard input"));
    assert_eq!(said("-u -c"), said("-u"));
    // Without standard input: it is as closed for the program.
    let script = format!(
        "exec nsenter -m -t {} nsenter -t {} -u -c sh -c 'test -e /proc/self/fd/0 || echo closed' <&-",
        mounts.holder.pid(),
        target.pid()
    );
    Tool::shell(&script).run().ok().out("closed\n");
    drop(target);
}

#[test]
fn a_mount_of_a_part() {
    needs!(root(), version_2(), ours(NOT_HERE));
    let (mounts, narrow) = (Mounts::new(), Mounts::new());
    let outer = Group::new(&mounts.hierarchy(), "");
    let inner = Group::new(&outer.0, " inner");
    let target = Holder::unshare("-u");
    inner.takes(&target);
    // Only the outer group is to be seen, by a bind mount.
    let part = narrow.place.subdir("part");
    narrow.does(&format!(
        "mount --bind {}{} {part} && {}",
        narrow.place.at("cgroup2"),
        outer.path(),
        unmount("cgroup2", "/part$")
    ));
    let said = narrow
        .nsenter(&target)
        .line("-u -c cat /proc/self/cgroup")
        .run()
        .ok()
        .text();
    assert_eq!(
        line(&said, ""),
        format!("0::{}{}", outer.path(), inner.path())
    );
    drop(target);
}

#[test]
fn a_mount_that_is_hidden_by_another() {
    needs!(root(), version_2(), ours(NOT_HERE));
    let mounts = Mounts::new();
    let group = Group::new(&mounts.hierarchy(), "");
    let target = Holder::unshare("-u");
    group.takes(&target);
    // The latest mount of the hierarchy cannot be reached; another can.
    let hidden = mounts.place.subdir("hidden");
    mounts.does(&format!(
        "mkdir {hidden}/below && mount -t cgroup2 none {hidden}/below && mount -t tmpfs tmpfs {hidden}"
    ));
    let said = mounts
        .nsenter(&target)
        .line("-u -c cat /proc/self/cgroup")
        .run()
        .ok()
        .text();
    assert_eq!(line(&said, ""), format!("0::{}", group.path()));
    drop(target);
}

#[test]
fn not_mounted_here() {
    needs!(root(), version_2(), ours(NOT_HERE));
    let (mounts, none) = (Mounts::new(), Mounts::new());
    none.does(&unmount("cgroup2\\?", "^$"));
    let group = Group::new(&mounts.hierarchy(), "");
    let target = Holder::unshare("-u");
    // Where we are already we need not go.
    let words = "-u -c echo it ran";
    none.nsenter(&target).line(words).run().ok().out("it ran\n");
    group.takes(&target);
    none.nsenter(&target)
        .line(words)
        .run()
        .exits(1)
        .out("")
        .err(&format!(
            "nsenter: --join-cgroup: cgroup {} of process {} (version 2) is not mounted here\n",
            group.path(),
            target.pid()
        ));
    drop(target);
}

#[test]
fn outside_of_our_cgroup_namespace() {
    needs!(root(), version_2(), ours(NOT_HERE));
    let mounts = Mounts::new();
    let (ours, theirs) = (
        Group::new(&mounts.hierarchy(), ""),
        Group::new(&mounts.hierarchy(), ""),
    );
    let (target, target_path) = (Holder::unshare("-u"), theirs.path());
    theirs.takes(&target);
    // Seen from a cgroup namespace, the target is in `/../…`: of a mount made in there no path leads to it, of one
    // made before its directory does.
    let dir = mounts.place.at("cgroup2");
    let inside = |prepare: &str| {
        let script = mounts.place.file(
            "script",
            format!(
                "set -e\n{prepare}\nexec nsenter -t {pid} -u -c cat /proc/{pid}/cgroup /proc/self/cgroup\n",
                pid = target.pid()
            ),
        );
        Tool::nsenter()
            .args([
                "-m",
                "-t",
                &mounts.holder.pid().to_string(),
                "unshare",
                "-m",
            ])
            .sh(&format!(
                "echo 0 >{dir}{}/cgroup.procs && exec unshare -C sh {script}",
                ours.path()
            ))
    };
    let said = inside("").run().ok().text();
    let expected = format!("0::/..{target_path}");
    let both: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("0::"))
        .collect();
    assert_eq!(both, [&expected, &expected]);
    let anew = format!("{}\nmount -t cgroup2 none {dir}", unmount("cgroup2", "^$"));
    inside(&anew).run().exits(1).out("").err(&format!(
        "nsenter: --join-cgroup: cgroup /..{target_path} of process {} (version 2) is not mounted here\n",
        target.pid()
    ));
    drop(target);
}

#[test]
fn of_an_ordinary_user() {
    needs!(root(), version_2(), ours(NOT_HERE));
    let mounts = Mounts::new();
    let group = Group::new(&mounts.hierarchy(), "");
    let target = Holder::ordinary("-rn");
    let run = || {
        let script = format!(
            "exec setpriv --reuid {ORDINARY} --regid {ORDINARY} --clear-groups nsenter --preserve-credentials \
             -t {} -U -n -c cat /proc/self/cgroup",
            target.pid()
        );
        Tool::nsenter()
            .args(["-m", "-t", &mounts.holder.pid().to_string()])
            .sh(&script)
            .run()
    };
    mounts.does(&unmount("cgroup2", "/cgroup2$"));
    // The container of an ordinary user is often in the same cgroups.
    run().ok();
    group.takes(&target);
    let path = format!("{}{}", mounts.place.at("cgroup2"), group.path());
    run().exits(1).out("").err(&format!(
        "nsenter: cannot open {path}/cgroup.procs: Permission denied\n"
    ));
    drop(target);
}

/// The machine's hierarchies of version 1: their names in /proc/PID/cgroup and where they are mounted.
fn version_1() -> Vec<(String, PathBuf)> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc");
    let cgroups = std::fs::read_to_string("/proc/self/cgroup").expect("/proc");
    let mounted = |name: &str| {
        text.lines()
            .filter(|line| line.contains(" - cgroup "))
            .find(|line| line.rsplit([' ', ',']).any(|option| option == name))
            .and_then(|line| line.split(' ').nth(4))
            .map(PathBuf::from)
    };
    cgroups
        .lines()
        .filter_map(|line| line.split(':').nth(1))
        .filter(|name| ["name=systemd", "pids", "freezer"].contains(name))
        .filter_map(|name| Some((name.to_owned(), mounted(name)?)))
        .collect()
}

#[test]
fn all_hierarchies_of_a_hybrid_machine() {
    needs!(root(), version_2(), ours(NOT_HERE));
    let hierarchies = version_1();
    needs!(unless(
        hierarchies.len() >= 2,
        "hierarchies of cgroup version 1"
    ));
    let mounts = Mounts::new();
    let target = Holder::unshare("-u");
    let mut groups = vec![(String::new(), Group::new(&mounts.hierarchy(), " 2"))];
    for (name, dir) in &hierarchies {
        groups.push((name.clone(), Group::new(dir, ":1")));
    }
    for (_, group) in &groups {
        group.takes(&target);
    }
    let said = mounts
        .nsenter(&target)
        .line("-u -c cat /proc/self/cgroup")
        .run()
        .ok()
        .text();
    for (name, group) in &groups {
        assert!(
            line(&said, name).ends_with(&format!(":{}", group.path())),
            "{said}"
        );
    }
    drop(target);
}
