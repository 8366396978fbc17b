//! `nsenter`: exactly the namespaces asked for are entered.

use crate::harness::*;

/// Short option, long option, kind.
const OPTIONS: [(&str, &str, &str); 7] = [
    ("C", "cgroup", "cgroup"),
    ("i", "ipc", "ipc"),
    ("m", "mount", "mnt"),
    ("n", "net", "net"),
    ("p", "pid", "pid"),
    ("T", "time", "time"),
    ("u", "uts", "uts"),
];

/// A process that is elsewhere in every kind but the user namespace.
#[track_caller]
fn elsewhere() -> Holder {
    Holder::unshare("-CimnpTuf")
}

/// The program is in the target's namespaces of these kinds and otherwise in ours.
#[track_caller]
fn is_in(tool: Tool, target: &Links, kinds: &[&str]) {
    let ran = tool.line(INSIDE).run().ok();
    let inside = Links::said(&ran.text());
    assert_eq!(inside.unlike(&Links::mine()), kinds, "{ran}");
    let others: Vec<_> = KINDS
        .into_iter()
        .filter(|kind| !kinds.contains(kind))
        .collect();
    let mut unlike = inside.unlike(target);
    unlike.retain(|kind| !others.contains(kind));
    assert!(unlike.is_empty(), "not the target's {unlike:?}: {ran}");
}

#[test]
fn each_kind_of_a_target() {
    needs!(root());
    let holder = elsewhere();
    let target = Links::of(holder.pid());
    for (short, long, kind) in OPTIONS {
        let pid = holder.pid().to_string();
        is_in(
            Tool::nsenter().args(["-t", &pid]).arg(format!("-{short}")),
            &target,
            &[kind],
        );
        is_in(
            Tool::nsenter()
                .arg(format!("--{long}"))
                .arg(format!("--target={pid}")),
            &target,
            &[kind],
        );
    }
}

#[test]
fn each_kind_by_its_file() {
    needs!(root());
    let holder = elsewhere();
    let target = Links::of(holder.pid());
    for (short, long, kind) in OPTIONS {
        let file = holder.file(kind);
        is_in(
            Tool::nsenter().arg(format!("-{short}{file}")),
            &target,
            &[kind],
        );
        is_in(
            Tool::nsenter().arg(format!("--{long}={file}")),
            &target,
            &[kind],
        );
    }
}

#[test]
fn each_kind_by_its_file_after_an_equals_sign() {
    needs!(root(), since(2, 43, "keeps the '=' after a short option"));
    let holder = elsewhere();
    let target = Links::of(holder.pid());
    for (short, _, kind) in OPTIONS {
        is_in(
            Tool::nsenter().arg(format!("-{short}={}", holder.file(kind))),
            &target,
            &[kind],
        );
    }
}

#[test]
fn several_kinds_of_a_target() {
    needs!(root());
    let holder = elsewhere();
    let target = Links::of(holder.pid());
    let seven = ["cgroup", "ipc", "mnt", "net", "pid", "time", "uts"];
    for (words, kinds) in [
        ("-m -u -i -n -p -C -T", &seven[..]),
        ("-m -u -i -n -p", &["ipc", "mnt", "net", "pid", "uts"]),
        (
            "--mount --uts --ipc --net --pid --",
            &["ipc", "mnt", "net", "pid", "uts"],
        ),
        ("-i -n -p", &["ipc", "net", "pid"]),
        ("-n -p -m", &["mnt", "net", "pid"]),
        ("-m -u -n -i -p -w", &["ipc", "mnt", "net", "pid", "uts"]),
        (
            "-m -u -i -n -p -C -r -w",
            &["cgroup", "ipc", "mnt", "net", "pid", "uts"],
        ),
        ("-a", &seven),
        ("--all", &seven),
        ("-F -n", &["net"]),
    ] {
        let tool = Tool::nsenter()
            .arg(format!("--target={}", holder.pid()))
            .line(words);
        is_in(tool, &target, kinds);
    }
    is_in(
        Tool::nsenter().arg(format!("-at{}", holder.pid())),
        &target,
        &seven,
    );
    is_in(
        Tool::nsenter().arg("-at").arg(holder.pid().to_string()),
        &target,
        &seven,
    );
}

#[test]
fn files_and_a_target_together() {
    needs!(root());
    let (holder, other) = (elsewhere(), Holder::unshare("-n"));
    let inside = |tool: Tool| Links::said(&tool.line(INSIDE).run().ok().text());
    let target = Links::of(holder.pid());
    let links = inside(
        Tool::nsenter()
            .arg(format!("-n{}", other.file("net")))
            .args(["-u", "-t", &holder.pid().to_string()]),
    );
    assert_eq!(links.unlike(&Links::mine()), ["net", "uts"]);
    assert_eq!(links.get("net"), Links::of(other.pid()).get("net"));
    assert_eq!(links.get("uts"), target.get("uts"));
}

#[test]
fn a_single_option_overrides_one_kind_of_all() {
    needs!(root());
    let (holder, other) = (elsewhere(), Holder::unshare("-n"));
    let said = Tool::nsenter()
        .arg(format!("--net={}", other.file("net")))
        .args(["-a", "-t", &holder.pid().to_string()])
        .line(INSIDE)
        .run()
        .ok()
        .text();
    let inside = Links::said(&said);
    assert_eq!(inside.get("net"), Links::of(other.pid()).get("net"));
    assert_eq!(inside.unlike(&Links::of(holder.pid())), ["net"]);
}

#[test]
fn a_user_namespace_and_what_it_owns() {
    needs!(root(), user_namespaces());
    let holder = Holder::unshare("-UrCimnpTuf");
    let target = Links::of(holder.pid());
    let pid = holder.pid().to_string();
    is_in(Tool::nsenter().args(["-t", &pid, "-U"]), &target, &["user"]);
    is_in(
        Tool::nsenter().args(["-t", &pid, "-U", "-n"]),
        &target,
        &["net", "user"],
    );
    is_in(Tool::nsenter().args(["-t", &pid, "-a"]), &target, &KINDS);
    is_in(
        Tool::nsenter().line("-m -u -i -n -p -U -C -T -t").arg(&pid),
        &target,
        &KINDS,
    );
    is_in(
        Tool::nsenter().arg(format!("-U{}", holder.file("user"))),
        &target,
        &["user"],
    );
    let files = ["user", "net"].map(|kind| format!("--{kind}={}", holder.file(kind)));
    is_in(Tool::nsenter().args(&files), &target, &["net", "user"]);
    is_in(
        Tool::nsenter().args(files.iter().rev()),
        &target,
        &["net", "user"],
    );
}

#[test]
fn an_ordinary_user_enters_what_it_made() {
    needs!(user_namespaces());
    let holder = Holder::ordinary("-UrimnpTCuf");
    let target = Links::of(holder.pid());
    let nsenter = || {
        Tool::nsenter()
            .args(["--preserve-credentials", "-t", &holder.pid().to_string()])
            .by_ordinary()
    };
    is_in(nsenter().arg("-U"), &target, &["user"]);
    is_in(nsenter().line("-U -m -n"), &target, &["mnt", "net", "user"]);
    is_in(
        nsenter().line("-m -n -U --no-fork"),
        &target,
        &["mnt", "net", "user"],
    );
    is_in(nsenter().line("-U -i -m -n -p -T -C -u"), &target, &KINDS);
    is_in(nsenter().arg("-a"), &target, &KINDS);
    let file = |kind: &str| {
        format!(
            "--{}={}",
            if kind == "mnt" { "mount" } else { kind },
            holder.file(kind)
        )
    };
    let tool = Tool::nsenter().arg("--preserve-credentials").by_ordinary();
    is_in(
        tool.args(["net", "user", "mnt"].map(file)),
        &target,
        &["mnt", "net", "user"],
    );
}

#[test]
fn an_ordinary_user_enters_all_of_a_container_that_shares_some_kinds() {
    needs!(
        user_namespaces(),
        ours("-a is refused for the kinds that are shared with us"),
    );
    let holder = Holder::ordinary("-Urn");
    let target = Links::of(holder.pid());
    is_in(
        Tool::nsenter()
            .args([
                "-a",
                "--preserve-credentials",
                "-t",
                &holder.pid().to_string(),
            ])
            .by_ordinary(),
        &target,
        &["net", "user"],
    );
}

#[test]
fn all_of_a_process_like_ours_is_nothing() {
    needs!(root());
    is_in(
        Tool::nsenter().args(["-a", "-t", &std::process::id().to_string()]),
        &Links::mine(),
        &[],
    );
}

#[test]
fn the_targets_network() {
    needs!(root(), command("ip"));
    let holder = Holder::doing("-n", "ip addr add 127.9.8.7/8 dev lo; ip link set lo up");
    let pid = holder.pid().to_string();
    for words in [["-t", &pid, "-n"], ["-n", "-t", &pid]] {
        let said = Tool::nsenter()
            .args(words)
            .line("ip -o addr")
            .run()
            .ok()
            .text();
        assert!(said.contains("inet 127.9.8.7/8"), "{said}");
        assert!(said.lines().all(|line| line.contains(": lo ")), "{said}");
    }
}

#[test]
fn a_name_of_ip_netns() {
    needs!(root(), command("ip"));
    // In a mount namespace of its own, /run/netns is nobody else's and goes away with it.
    let script = |nsenter: &str| {
        format!(
            "mount -t tmpfs run /run && ip netns add blue && ip -n blue addr add 127.9.8.7/8 dev lo &&
             nsenter {nsenter} ip -o -4 addr"
        )
    };
    for nsenter in [
        "--net=/run/netns/blue",
        "-n/run/netns/blue",
        "-n/run/netns/blue --",
    ] {
        let tool = Tool::fixture()
            .line("-m --propagation private")
            .sh(&script(nsenter));
        let said = tool.run().ok().lines();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("inet 127.9.8.7/8"), "{said:?}");
    }
}

#[test]
fn a_pid_namespace_needs_a_fork() {
    needs!(root());
    let holder = Holder::doing("-pmf", "mount -t proc proc /proc");
    let pid = holder.pid().to_string();
    // Seen from inside, we are somebody, and the namespace's first process is the holder.
    let said = Tool::nsenter()
        .args(["-t", &pid, "-p", "-m"])
        .sh("cat /proc/1/comm; echo $$ >&2")
        .run()
        .exits(0);
    assert_eq!(said.text(), "cat", "{said}");
    assert!(
        String::from_utf8_lossy(&said.stderr)
            .trim()
            .parse::<u32>()
            .is_ok_and(|pid| pid < 100),
        "{said}"
    );
    // Without the fork, only our children are inside.
    let said = Tool::nsenter()
        .args(["-t", &pid, "-F", "-p"])
        .sh("readlink /proc/self/ns/pid /proc/$$/ns/pid")
        .run()
        .ok()
        .lines();
    let (inside, outside) = (Links::of(holder.pid()), Links::mine());
    assert_eq!(said, [inside.get("pid"), outside.get("pid")]);
}

#[test]
fn a_target_with_the_inode_of_its_pidfd() {
    needs!(root(), since(2, 43, "lacks PID:INODE"), command("python3"));
    let holder = Holder::unshare("-u");
    let pid = holder.pid();
    let stat = "import os, sys; print(os.fstat(os.pidfd_open(int(sys.argv[1]))).st_ino)";
    let inode: u64 = Tool::program("python3")
        .args(["-c", stat, &pid.to_string()])
        .run()
        .ok()
        .text()
        .parse()
        .expect("a number");
    Tool::nsenter()
        .arg(format!("-t{pid}:{inode}"))
        .line("-u true")
        .run()
        .ok();
    Tool::nsenter()
        .arg(format!("-t{pid}:{}", inode + 1))
        .line("-u echo it ran")
        .run()
        .exits(1)
        .out("");
}

#[test]
fn the_parent_of_a_user_namespace() {
    needs!(
        root(),
        user_namespaces(),
        option("nsenter", "--user-parent")
    );
    let unshare = Tool::path_of("unshare");
    let tool = Tool::fixture()
        .line("-r")
        .args([unshare.as_os_str(), "-rn".as_ref()]);
    let holder = Holder::of(tool, "");
    let inner = Links::of(holder.pid());
    let user = |words: &str| {
        let tool = Tool::nsenter()
            .arg(format!("-t{}", holder.pid()))
            .line(words);
        let text = tool.line(INSIDE).run().ok().text();
        Links::said(&text).get("user").to_owned()
    };
    assert_eq!(user("-U"), inner.get("user"));
    let parent = user("-U --user-parent");
    assert_ne!(parent, inner.get("user"));
    assert_ne!(parent, Links::mine().get("user"));
}

#[test]
fn the_network_of_a_socket() {
    needs!(
        root(),
        command("bash"),
        command("ip"),
        option("nsenter", "--net-socket")
    );
    let open = "ip link set lo up && exec 4<>/dev/udp/127.0.0.1/9 && exec \"$@\"";
    let holder = Holder::of(Tool::fixture().args(["-n", "bash", "-c", open, "bash"]), "");
    let tool = Tool::nsenter().args(["-N", "4", "-t", &holder.pid().to_string()]);
    is_in(tool, &Links::of(holder.pid()), &["net"]);
}

#[test]
fn a_script_of_nested_tools() {
    needs!(root());
    let holder = elsewhere();
    let pid = holder.pid().to_string();
    let nsenter = Tool::path_of("nsenter");
    // The outer one enters some kinds, the inner one the directory, as volume managers do.
    Tool::nsenter()
        .args(["-n", "-m", "-t", &pid])
        .arg(nsenter)
        .args(["-w/proc/sys", "-u", "-t", &pid, "pwd"])
        .run()
        .ok()
        .out("/proc/sys\n");
}
