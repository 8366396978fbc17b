//! Descriptors: the program has exactly those that its caller gave it, with every option.
//!
//! The hard thing: a descriptor that we forget is seen nowhere but here. So each option of `--help` has a row, or the
//! test fails.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::*;
use crate::nsenter_cgroup::{Group, Mounts, version_2};
use crate::unshare_mounts::binfmt;

const NOT_THEIRS: &str = "leaves descriptors of its own open, and has not all of the options";

/// Says which descriptors it has, each with its number, its file and its flags, before it opens a file to say so. It
/// needs no /proc for that.
const LOOK: &str = r#"
import fcntl, os, sys
said = []
for fd in range(1024):
    try:
        at = os.fstat(fd)
    except OSError:
        continue
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    said.append(f'{fd}: {at.st_dev} {at.st_ino} {at.st_rdev} {flags:#o}\n')
open(sys.argv[1], 'w').write(''.join(said))
"#;

/// How an option is used.
#[derive(Clone)]
struct Row {
    /// The long option; empty for several together.
    option: &'static str,
    /// The words of the command line.
    words: String,
    /// What the caller's shell does first, in a mount namespace of its own.
    frame: &'static str,
    /// By the user with subordinate IDs, instead of root.
    subordinate: bool,
    /// It can be done on this machine; else it is refused.
    possible: bool,
}

fn row(option: &'static str, words: &str) -> Row {
    Row {
        option,
        words: words.to_owned(),
        frame: "",
        subordinate: false,
        possible: true,
    }
}

impl Row {
    fn framed(self, frame: &'static str) -> Self {
        Self { frame, ..self }
    }

    fn by_subordinate(self) -> Self {
        Self {
            subordinate: true,
            ..self
        }
    }

    fn if_possible(self, possible: bool) -> Self {
        Self { possible, ..self }
    }
}

/// A caller with descriptors of many kinds.
struct Caller {
    place: Place,
    /// What the words of rows stand for.
    names: Vec<(&'static str, String)>,
}

/// The number for --status-fd, which the caller has open in any case.
const STATUS: &str = "9";
/// Options with which nothing is run.
const NOT_OF_A_RUN: [&str; 4] = ["dry-run", "json", "version", "help"];

impl Caller {
    fn new(names: Vec<(&'static str, String)>) -> Self {
        let place = Place::new();
        place.file("look.py", LOOK);
        for name in ["in", "out", "err", "append", "report", "given", "said"] {
            let file = place.file(name, "");
            let all = std::os::unix::fs::PermissionsExt::from_mode(0o666);
            std::fs::set_permissions(file, all).expect("our file's mode can be set");
        }
        for name in ["file", "other"] {
            place.file(name, "");
        }
        place.subdir("new");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(place.subdir("open"), open).expect("our directory's mode");
        Self { place, names }
    }

    fn fill(&self, text: &str) -> String {
        let own = [
            ("file", "file"),
            ("other", "other"),
            ("new", "new"),
            ("pidfile", "open/pid"),
        ];
        let own = own.map(|(name, file)| (name, self.place.at(file)));
        let names = self.names.iter().map(|(name, text)| (*name, text.clone()));
        own.into_iter()
            .chain(names)
            .fold(text.to_owned(), |text, (name, path)| {
                text.replace(&format!("{{{name}}}"), &path)
            })
    }

    /// What the program sees that this caller starts by `way`, with these of the standard descriptors closed; none when
    /// it was not started.
    #[track_caller]
    fn sees(&self, way: &str, row: &Row, closed: &[u32]) -> Option<String> {
        let at = |name: &str| self.place.at(name);
        std::fs::write(at("said"), "").expect("our file");
        std::fs::remove_file(at("open/pid")).ok();
        let close: String = closed.iter().map(|fd| format!(" {fd}<&-")).collect();
        let script = format!(
            "{frame}\nexec 3</proc/version 5<{net} 7>>{append} {STATUS}>{report} <{input} >{out} 2>{err}\n\
             given=; for fd in /proc/$$/fd/*; do [ -e $fd ] && given=\"$given ${{fd##*/}}\"; done\n\
             echo $given >{given}\n\
             exec {way} {words} python3 -I -S {look} {said} {close}",
            frame = self.fill(row.frame),
            net = self.fill("{net}"),
            append = at("append"),
            report = at("report"),
            input = at("in"),
            out = at("out"),
            err = at("err"),
            given = at("given"),
            words = self.fill(&row.words),
            look = at("look.py"),
            said = at("said"),
        );
        let ran = if row.subordinate {
            Subordinate::user().runs(Tool::shell(&script)).run()
        } else {
            let frame = Tool::fixture().line("-m --propagation private");
            frame.sh(&format!("set -e\n{script}")).run()
        };
        let said = std::fs::read_to_string(at("said")).expect("our file");
        let complaint = std::fs::read_to_string(at("err")).expect("our file");
        assert_eq!(
            ran.succeeded(),
            !said.is_empty(),
            "{ran}\n{closed:?} closed: {complaint}"
        );
        if row.possible || way.is_empty() {
            assert!(ran.succeeded(), "{ran}\n{closed:?} closed: {complaint}");
        }
        // Another test may have a descriptor open that is not closed in what this one starts: it is none of ours.
        let given = std::fs::read_to_string(at("given")).expect("our file");
        let foreign: Vec<&str> = given
            .split_ascii_whitespace()
            .filter(|number| !["0", "1", "2", "3", "5", "7", STATUS].contains(number))
            .collect();
        let said = said.split_inclusive('\n');
        let own =
            said.filter(|line| !foreign.contains(&line.split(':').next().unwrap_or_default()));
        let own: String = own.collect();
        (!own.is_empty()).then_some(own)
    }

    /// Each row, with all that the caller has; without standard descriptors; and without some of them, row by row
    /// others.
    #[track_caller]
    fn keeps_all(&self, tool: &str, rows: &[Row]) {
        let subsets: [&[u32]; 6] = [&[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2]];
        let mut plain = BTreeMap::new();
        for (index, row) in rows.iter().enumerate() {
            for closed in [&[][..], &[0, 1, 2], subsets[index % subsets.len()]] {
                let given = plain.entry((row.subordinate, closed)).or_insert_with(|| {
                    let no_tool = Row {
                        words: String::new(),
                        frame: "",
                        ..row.clone()
                    };
                    self.sees("", &no_tool, closed).expect("the program runs")
                });
                let reports = row.words.contains("--status-fd");
                let ours = format!("{STATUS}: ");
                let expected: String = given
                    .split_inclusive('\n')
                    .filter(|line| !(reports && line.starts_with(&ours)))
                    .collect();
                let seen = self.sees(tool, row, closed);
                let expected = row.possible.then_some(expected);
                assert_eq!(seen, expected, "{tool} {}, {closed:?} closed", row.words);
            }
        }
    }
}

/// Each long option of the applet has a row, or is among those that run no program.
#[track_caller]
fn every_option_has_a_row(applet: Tool, rows: &[Row], without: &[&str]) {
    let help = applet.arg("--help").run().ok().text();
    let declared: BTreeSet<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_once("--"))
        .filter(|(before, _)| before.trim().is_empty() || before.ends_with(", "))
        .filter_map(|(_, name)| {
            name.split(|letter| !matches!(letter, 'a'..='z' | '-'))
                .next()
        })
        .collect();
    let tried: BTreeSet<&str> = rows
        .iter()
        .map(|row| row.option)
        .filter(|option| !option.is_empty())
        .chain(without.iter().copied())
        .collect();
    assert_eq!(tried, declared);
}

#[test]
fn of_unshare() {
    needs!(
        ours(NOT_THEIRS),
        root(),
        command("python3"),
        kind("time"),
        Subordinate::there()
    );
    let binfmt = binfmt().is_ok();
    let rows = [
        row("mount", "-m"),
        row("mount", "--mount={file}"),
        row("uts", "--uts={file}"),
        row("ipc", "--ipc={file}"),
        row("net", "--net={file}"),
        row("pid", "-p"),
        row("pid", "--pid={file} -f"),
        row("user", "--user={file}"),
        row("cgroup", "--cgroup={file}"),
        row("time", "--time={file} -f"),
        row("all", "-a -f"),
        row("map-user", "--map-user=7"),
        row(
            "map-users",
            "--map-users=0:100000:65536 --map-users=65536:0:1",
        ),
        row("map-users", "--map-users=all --map-groups=all -f"),
        row("map-users", "--map-users=auto").by_subordinate(),
        row("map-group", "--map-group=7"),
        row("map-groups", "--map-groups=0:100000:65536 --map-users=all"),
        row("map-root-user", "-r"),
        row("map-current-user", "-c"),
        row("map-auto", "--map-auto").by_subordinate(),
        row(
            "map-auto",
            "--map-auto -r -f --pidfile={pidfile} --status-fd=9",
        )
        .by_subordinate(),
        row("map-subids", "--map-subids").by_subordinate(),
        row("owner", "-U --owner 7:7"),
        row("setgroups", "-r --setgroups=deny"),
        row("keep-caps", "-r --keep-caps"),
        row("setuid", "-S 7"),
        row("setgid", "-G 7"),
        row("groups", "--groups=7,8"),
        row("fork", "-f"),
        row("kill-child", "--kill-child"),
        row("forward-signals", "--forward-signals"),
        row("init", "--init"),
        row("init", "--init=group"),
        row("monotonic", "-T --monotonic=5"),
        row("boottime", "-T -f --boottime=5"),
        row("hostname", "--hostname=inside"),
        row("loopback", "--loopback"),
        row("propagation", "-m --propagation=slave"),
        row("mount-proc", "-pf --mount-proc"),
        row("mount-binfmt", "-r --mount-binfmt").if_possible(binfmt),
        row("load-interp", "-r -l :odd:M::odd::/bin/true:").if_possible(binfmt),
        row("root", "-R /"),
        row("pivot-root", "-m -R {new} --pivot-root").framed("mount --rbind / {new}"),
        row("wd", "-w /"),
        row("clear-env", "--clear-env"),
        row("whitelist-env", "--whitelist-env=PATH"),
        row("status-fd", "--status-fd=9"),
        row("pidfile", "--pidfile={pidfile}"),
        row("explain", "--explain -u"),
        row(
            "",
            "-u --status-fd=9 --pidfile={pidfile} --uts={file} --net={other}",
        ),
        row(
            "",
            "--init --status-fd=9 --pidfile={pidfile} --uts={file} --net={other}",
        ),
        row(
            "",
            "--kill-child=TERM -S 7 -G 7 --groups=8 --status-fd=9 --clear-env",
        ),
        row(
            "",
            "--init=group --mount-proc --map-users=all --map-groups=all --kill-child \
             --forward-signals --status-fd=9 --pidfile={pidfile} -R / -w / --hostname=inside \
             --loopback --whitelist-env=PATH --keep-caps -S 0",
        ),
        row(
            "",
            "-a -r -f --boottime=5 --kill-child --status-fd=9 --keep-caps",
        ),
    ];
    every_option_has_a_row(Tool::unshare(), &rows, &NOT_OF_A_RUN);
    let caller = Caller::new(vec![("net", "/proc/self/ns/net".to_owned())]);
    caller.keeps_all("unshare", &rows);
}

/// A process in a network namespace of its own that has a socket of it as descriptor 4.
#[track_caller]
fn with_a_socket() -> Holder {
    let open = "ip link set lo up && exec 4<>/dev/udp/127.0.0.1/9 && exec \"$@\"";
    Holder::of(Tool::fixture().args(["-n", "bash", "-c", open, "bash"]), "")
}

/// A process in a user namespace of its own, where groups may be set.
const MAPPED: &str = "--map-users=0:0:100 --map-groups=0:0:100";

fn in_a_user_namespace() -> Holder {
    Holder::of(Tool::unshare().arg("-n").line(MAPPED), "")
}

/// A process in a user namespace of its own below another.
#[track_caller]
fn two_deep() -> Holder {
    let outer = Tool::unshare().line(MAPPED).arg(Tool::path_of("unshare"));
    Holder::of(outer.line(MAPPED), "")
}

#[test]
fn of_nsenter() {
    needs!(
        ours(NOT_THEIRS),
        root(),
        command("python3"),
        command("bash"),
        command("ip"),
        kind("time"),
        version_2()
    );
    let mounts = Mounts::new();
    let group = Group::new(&mounts.hierarchy(), "");
    let (all, user, nested) = (
        Holder::unshare("-muinpCTf"),
        in_a_user_namespace(),
        two_deep(),
    );
    let (socket, elsewhere) = (with_a_socket(), Holder::unshare("-u"));
    group.takes(&elsewhere);
    let selinux = std::path::Path::new("/sys/fs/selinux/enforce").exists();
    let apparmor = std::path::Path::new("/sys/kernel/security/apparmor/profiles").exists();
    let rows = [
        row("all", "-t {all} -a"),
        row("target", "-t {all} -u"),
        row("mount", "-t {all} -m"),
        row("uts", "-u/proc/{all}/ns/uts"),
        row("ipc", "-t {all} -i"),
        row("net", "-n/proc/{all}/ns/net"),
        row("net-socket", "-t {socket} -N 4"),
        row("pid", "-t {all} -p"),
        row("pid", "-p/proc/{all}/ns/pid"),
        row("cgroup", "-t {all} -C"),
        row("user", "-t {user} -U"),
        row("user-parent", "-t {nested} -U --user-parent"),
        row("time", "-t {all} -T"),
        row("setuid", "-t {user} -u -S follow"),
        row("setgid", "-t {user} -U -G follow"),
        row("groups", "-t {all} -u --groups follow"),
        row(
            "preserve-credentials",
            "-t {user} -U --preserve-credentials",
        ),
        row("keep-caps", "-t {user} -U --keep-caps"),
        row("follow-context", "-t {all} -u -Z").if_possible(selinux),
        row("follow-apparmor", "-t {all} -u --follow-apparmor").if_possible(apparmor),
        row("join-cgroup", "-t {elsewhere} -u -c").framed("mount -t cgroup2 none {new}"),
        row("no-fork", "-t {all} -p -F"),
        row("kill-child", "-t {all} -n --kill-child"),
        row("forward-signals", "-t {all} -p --forward-signals"),
        row("root", "-t {all} -u -r"),
        row("root", "-t {all} -m -r/"),
        row("wd", "-t {all} -u -w"),
        row("wd", "-t {all} -m -w/"),
        row("wdns", "-t {all} -m -W/"),
        row("env", "-t {all} -u -e"),
        row("status-fd", "-t {all} -p --status-fd=9"),
        row("status-fd", "-t {all} -n --status-fd=9"),
        row("pidfile", "-t {all} -p --pidfile={pidfile}"),
        row("pidfile", "-t {all} -n --pidfile={pidfile}"),
        row("explain", "-t {all} --explain -u"),
        row(
            "",
            "-t {all} -a -r -w -e -S follow -G follow --groups follow",
        ),
        row(
            "",
            "-t {all} -a -r -w -e -S follow -G follow --groups follow --status-fd=9 \
             --pidfile={pidfile} --kill-child --forward-signals",
        ),
        row(
            "",
            "-t {elsewhere} -a -c -r -w -e --status-fd=9 --pidfile={pidfile}",
        )
        .framed("mount -t cgroup2 none {new}"),
        row(
            "",
            "-t {user} -U -n/proc/{all}/ns/net -S follow -F --status-fd=9",
        ),
        row("", "-t {nested} -a --user-parent -S follow --groups follow"),
    ];
    every_option_has_a_row(Tool::nsenter(), &rows, &NOT_OF_A_RUN);
    let pid = |holder: &Holder| holder.pid().to_string();
    let caller = Caller::new(vec![
        ("net", all.file("net")),
        ("all", pid(&all)),
        ("user", pid(&user)),
        ("nested", pid(&nested)),
        ("socket", pid(&socket)),
        ("elsewhere", pid(&elsewhere)),
    ]);
    caller.keeps_all("nsenter", &rows);
}

#[test]
fn of_setns() {
    needs!(
        ours(NOT_THEIRS),
        root(),
        command("python3"),
        command("bash"),
        command("ip"),
        kind("time"),
        version_2()
    );
    const NETNS: &str = "mount -t tmpfs run /run; ip netns add blue";
    const CGROUPS: &str = "mount -t cgroup2 none {new}";
    const MACHINE: &str = "mount -t tmpfs -o mode=755 run /run; mkdir -p /run/systemd/machines; \
                           echo LEADER={all} >/run/systemd/machines/web";
    const CONTAINER: &str = "mount -t tmpfs -o mode=755 run /run; mkdir -p /run/runc/web; \
                             echo '{\"init_process_pid\":{all}}' >/run/runc/web/state.json";
    let mounts = Mounts::new();
    let group = Group::new(&mounts.hierarchy(), "");
    let unit = Group::new(&mounts.hierarchy(), ".service");
    let (all, user, nested) = (
        Holder::unshare("-muinpCTf"),
        in_a_user_namespace(),
        two_deep(),
    );
    let (socket, elsewhere) = (with_a_socket(), Holder::unshare("-u"));
    group.takes(&elsewhere);
    let service = Holder::unshare("-u");
    unit.takes(&service);
    let shown = Tool::setns()
        .args(["--show", "--json", &all.file("net")])
        .run()
        .ok();
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let id = shown["namespaces"][0]["id"].as_u64();
    let rows = [
        row("in-order", "--in-order {all}"),
        row("setuid", "-S follow {user}"),
        row("setgid", "-G follow {user}"),
        row("groups", "--groups follow {all}"),
        row("keep-caps", "--keep-caps {user}"),
        row("fork", "-f uts={all}"),
        row("no-fork", "-F pid={all}"),
        row("root", "-r {all}"),
        row("wd", "-w {all}"),
        row("wdns", "-W/ {all}"),
        row("verbose", "-v {all}"),
        row("status-fd", "--status-fd=9 {all}"),
        row("pidfile", "--pidfile={pidfile} {all}"),
        row("pidfile", "--pidfile={pidfile} uts={all}"),
        row("explain", "--explain {all}"),
        row("", "self,net={all}"),
        row("", "/proc/{all}/ns/net"),
        row("", "{link}"),
        row("", "netns:blue").framed(NETNS),
        row("", "fd:5"),
        row("", "net=fd:5,uts={all}"),
        row("", "id:{id}").if_possible(id.is_some()),
        row("", "sock:{socket}:4"),
        row("", "pidfile:{file}").framed("echo {all} >{file}"),
        row("", "cgroup:{group}").framed(CGROUPS),
        row("", "machine:web").framed(MACHINE),
        row("", "unit:{unit}").framed(CGROUPS),
        row("", "oci:web").framed(CONTAINER),
        row("", "-r -w -S follow oci:w").framed(CONTAINER),
        row("ip-netns", "--ip-netns netns:blue").framed(NETNS),
        row("", "parent:/proc/{nested}/ns/user"),
        row("", "owner:/proc/{user}/ns/net"),
        row(
            "",
            "-v -r -w -S follow -G follow --groups follow --status-fd=9 --pidfile={pidfile} {all}",
        ),
        row(
            "",
            "-v -r/ -w/ --status-fd=9 --pidfile={pidfile} {all},net=fd:5,user={user}",
        ),
        row(
            "",
            "-f --status-fd=9 --pidfile={pidfile} netns:blue,uts={all}",
        )
        .framed(NETNS),
    ];
    let without = [
        "same",
        "quiet",
        "show",
        "tree",
        "json",
        "type",
        "task",
        "processes",
        "output",
        "noheadings",
        "raw",
        "limits",
        "kernel-threads",
        "all-processes",
        "dry-run",
        "version",
        "help",
    ];
    every_option_has_a_row(Tool::setns(), &rows, &without);
    let help = Tool::setns().arg("--help").run().ok().text();
    let (_, forms) = help.split_once("\nA ref is ").expect("the forms of a ref");
    let (forms, _) = forms.split_once(';').expect("their end");
    for form in forms.split_ascii_whitespace() {
        if let Some((form, _)) = form.split_once(':') {
            let found = |row: &Row| {
                row.words.contains(&format!("{form}:")) || form == "net" && row.words == "{link}"
            };
            assert!(rows.iter().any(found), "no row for {form}:");
        }
    }
    let pid = |holder: &Holder| holder.pid().to_string();
    let caller = Caller::new(vec![
        ("net", all.file("net")),
        ("link", Links::of(all.pid()).get("net").to_owned()),
        ("id", id.unwrap_or_default().to_string()),
        ("all", pid(&all)),
        ("user", pid(&user)),
        ("nested", pid(&nested)),
        ("socket", pid(&socket)),
        ("group", group.path()),
        ("unit", unit.path()[1..].to_owned()),
    ]);
    caller.keeps_all("setns", &rows);
}

/// Runs this under strace(1) with these of the standard descriptors closed; gives its status, and what was written or
/// sent with our name in front.
#[track_caller]
fn said_without(tool: &str, words: &str, closed: &[u32]) -> (String, Vec<String>) {
    let place = Place::new();
    let words = ["file", "other"].iter().fold(
        words.replace("{pidfile}", &place.at("pid")),
        |words, name| {
            let file = place.file(name, "");
            words.replace(&format!("{{{name}}}"), &file)
        },
    );
    // strace has its own standard descriptors, and gives its child what is left of them.
    let close: String = closed.iter().map(|fd| format!(" {fd}<&-")).collect();
    let (trace, report) = (place.at("trace"), place.file("report", ""));
    let script = format!(
        "exec {STATUS}>{report}; strace -f -s 4096 -e trace=write,writev,pwrite64,sendto,sendmsg -o {trace} \
         sh -c 'exec {tool} {words} {close}'; echo $?"
    );
    let frame = Tool::fixture().line("-m --propagation private");
    let ran = frame.sh(&script).run();
    let text = std::fs::read_to_string(&trace).expect("strace writes its file");
    let ours = format!("\"{tool}: ");
    let messages = text.lines().filter(|line| line.contains(&ours));
    let messages = messages.map(str::to_owned).collect();
    assert!(!std::path::Path::new(&place.at("pid")).exists(), "{words}");
    for name in ["file", "other", "report"] {
        let text = std::fs::read_to_string(place.at(name)).expect("our file");
        // A line that begins with a name is for people, and in this one there are none.
        assert!(!text.contains(&ours[1..]), "{tool} {words}: {text}");
    }
    (ran.text(), messages)
}

/// A message for a closed standard error goes nowhere: its number may be that of a line between two processes of ours.
#[test]
fn what_cannot_be_said_is_not_said_elsewhere() {
    needs!(ours(NOT_THEIRS), root(), command("strace"));
    let holder = Holder::unshare("-muinpCf");
    let pid = holder.pid();
    let all = "--status-fd=9 --pidfile={pidfile} --kill-child --forward-signals --explain";
    let none = "nosuchprogram";
    let long = "--map-users=0:0:65536 --map-groups=all";
    let rows = [
        ("unshare", format!("-f {none}")),
        ("unshare", format!("--init {none}")),
        (
            "unshare",
            format!("--init=group -m --mount-proc {all} {none}"),
        ),
        ("unshare", format!("--pidfile={{pidfile}} {none}")),
        ("unshare", format!("-pf --pidfile={{pidfile}} {none}")),
        ("unshare", format!("{long} {all} {none}")),
        ("unshare", format!("{long} -R /nosuchdirectory true")),
        ("unshare", format!("--uts={{file}} --net={{other}} {none}")),
        (
            "unshare",
            format!("--uts={{file}} --net={{other}} {all} -w /nosuchdirectory true"),
        ),
        ("nsenter", format!("-t {pid} -p {none}")),
        ("nsenter", format!("-t {pid} -a -r -w {all} {none}")),
        (
            "nsenter",
            format!("-t {pid} -u --pidfile={{pidfile}} {none}"),
        ),
        (
            "setns",
            format!("--explain --status-fd=9 --pidfile={{pidfile}} {pid} {none}"),
        ),
    ];
    for (tool, words) in &rows {
        let (expected, messages) = said_without(tool, words, &[]);
        assert!(!messages.is_empty(), "{tool} {words}: {expected}");
        for closed in [&[2][..], &[0, 2], &[1, 2], &[0, 1, 2], &[0], &[1], &[0, 1]] {
            let (status, messages) = said_without(tool, words, closed);
            assert_eq!(status, expected, "{tool} {words}, {closed:?} closed");
            let elsewhere = messages.iter().filter(|line| !line.contains("(2, "));
            let elsewhere: Vec<&String> = if closed.contains(&2) {
                messages.iter().collect()
            } else {
                elsewhere.collect()
            };
            assert!(elsewhere.is_empty(), "{closed:?} closed: {elsewhere:?}");
        }
    }
}
