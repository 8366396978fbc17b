//! `setns`: namespaces by any of their names, and nothing changed that was not asked for.

use crate::harness::*;

const NOT_THEIRS: &str = "has no setns";

#[track_caller]
fn inside(tool: Tool) -> Links {
    Links::said(&tool.line(INSIDE).run().ok().text())
}

/// The program is in exactly these kinds of the target's namespaces.
#[track_caller]
fn is_in(tool: Tool, target: &Links, kinds: &[&str]) {
    let links = inside(tool);
    assert_eq!(links.unlike(&Links::mine()), kinds);
    for kind in kinds {
        assert_eq!(links.get(kind), target.get(kind));
    }
}

/// Our own failure: one line that begins so, 125, and no program.
#[track_caller]
fn refused(tool: Tool) -> String {
    let ran = tool.line("echo it ran").run().exits(125).out("");
    let text = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(text.starts_with("setns: "), "{ran}");
    text
}

#[test]
fn relatives_of_relatives() {
    needs!(ours(NOT_THEIRS), root(), user_namespaces());
    let refused = |reference: String| refused(Tool::setns().arg(reference));
    // Deeper than the kernel nests namespaces, and with room on any stack.
    for depth in [65, 1000, 10_000] {
        for relative in ["parent:", "owner:"] {
            assert_eq!(
                refused(format!("user={}self", relative.repeat(depth))),
                "setns: parent: and owner: nest 64 deep at most\n"
            );
        }
    }
    let many = "parent:".repeat(64);
    assert!(refused(format!("user={many}self")).starts_with("setns: cannot open the parent of "));
    let unshare = Tool::path_of("unshare");
    let nested = Tool::fixture().arg("-pf").arg(unshare).line("-pf");
    let holder = Holder::of(nested, "");
    let reference = format!("pid=parent:parent:{}", holder.pid());
    Tool::setns()
        .args(["--same", "--quiet", &reference, "pid=self"])
        .run()
        .ok();
}

#[test]
fn a_kind_behind_its_relative() {
    needs!(ours(NOT_THEIRS));
    for (reference, told) in [
        ("parent:pid=1", "the kind comes first: pid=parent:1"),
        (
            "parent:parent:user=self",
            "the kind comes first: user=parent:parent:self",
        ),
        (
            "owner:net=1",
            "no kind can stand here; of one namespace of a process it is owner:/proc/PID/ns/net",
        ),
    ] {
        assert_eq!(
            refused(Tool::setns().arg(reference)),
            format!("setns: '{reference}': {told}\n")
        );
    }
}

/// After a mount namespace nothing can be looked up in a /proc that is ours, so it is entered last.
#[test]
fn the_mount_namespace_is_entered_last() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-mu");
    let pid = holder.pid();
    let ran = Tool::setns()
        .arg("--dry-run")
        .arg(format!("mnt={},uts={pid}", holder.file("mnt")))
        .arg("true")
        .run()
        .ok();
    let lines = ran.lines();
    assert_eq!(
        lines[..2],
        [
            format!("setns uts of process {pid}"),
            "setns mnt".to_owned()
        ],
        "{ran}"
    );
}

#[test]
fn a_process() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-nui");
    let (pid, target) = (holder.pid(), Links::of(holder.pid()));
    let three = ["ipc", "net", "uts"];
    is_in(Tool::setns().arg(pid.to_string()), &target, &three);
    is_in(Tool::setns().arg(format!("pid:{pid}")), &target, &three);
    is_in(
        Tool::setns().args([&pid.to_string(), "--"]),
        &target,
        &three,
    );
    is_in(Tool::setns().arg(format!("net={pid}")), &target, &["net"]);
    is_in(
        Tool::setns().arg(format!("net+uts={pid}")),
        &target,
        &["net", "uts"],
    );
    is_in(
        Tool::setns().arg(format!("uts={pid},net={pid}")),
        &target,
        &["net", "uts"],
    );
    is_in(
        Tool::setns().arg(format!("net+mnt={pid}")),
        &target,
        &["net"],
    );
}

#[test]
fn a_file() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-nui");
    let target = Links::of(holder.pid());
    for kind in ["net", "uts", "ipc"] {
        // Its kind is the kernel's to tell; said anyway, it must be true.
        is_in(Tool::setns().arg(holder.file(kind)), &target, &[kind]);
        is_in(
            Tool::setns().arg(format!("{kind}={}", holder.file(kind))),
            &target,
            &[kind],
        );
    }
    is_in(
        Tool::setns().arg(format!("{},{}", holder.file("uts"), holder.file("net"))),
        &target,
        &["net", "uts"],
    );
    refused(Tool::setns().arg(format!("uts={}", holder.file("net"))));
    let pid = holder.pid();
    let tool = Tool::setns().arg("./ns/net").dir(format!("/proc/{pid}"));
    is_in(tool, &target, &["net"]);
}

#[test]
fn a_name_of_ip_netns() {
    needs!(ours(NOT_THEIRS), root(), command("ip"));
    let script = "mount -t tmpfs run /run && ip netns add blue && ip -n blue addr add 127.9.8.7/8 dev lo && ";
    let run = |setns: &str| {
        let script = format!("{script} setns {setns} ip -o -4 addr");
        Tool::fixture()
            .line("-m --propagation private")
            .sh(&script)
            .run()
    };
    for setns in ["netns:blue", "net=netns:blue", "net=/run/netns/blue"] {
        let said = run(setns).ok().lines();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("inet 127.9.8.7/8"), "{said:?}");
    }
    run("netns:red").exits(125).out("").err_has("red");
    run("uts=netns:blue").exits(125).out("");
}

#[test]
fn a_descriptor() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-nu");
    let script =
        |setns: &str| format!("exec 5<{}; exec setns {setns} {INSIDE}", holder.file("net"));
    for setns in ["fd:5", "net=fd:5"] {
        let said = Tool::shell(&script(setns)).run().ok().text();
        assert_eq!(Links::said(&said).unlike(&Links::mine()), ["net"]);
    }
    refused(Tool::setns().arg("fd:77"));
    refused(Tool::setns().arg("fd:0"));
}

#[test]
fn what_readlink_shows() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-nu");
    let target = Links::of(holder.pid());
    is_in(Tool::setns().arg(target.get("net")), &target, &["net"]);
    is_in(
        Tool::setns().arg(format!("{},{}", target.get("uts"), target.get("net"))),
        &target,
        &["net", "uts"],
    );
    refused(Tool::setns().arg("net:[1]"));
    refused(Tool::setns().arg(format!("uts={}", target.get("net"))));
}

#[test]
fn a_pid_file() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-u");
    let place = Place::new();
    let file = place.file("pid", format!("{}\n", holder.pid()));
    is_in(
        Tool::setns().arg(format!("pidfile:{file}")),
        &Links::of(holder.pid()),
        &["uts"],
    );
    let junk = place.file("junk", "junk\n");
    assert!(refused(Tool::setns().arg(format!("pidfile:{junk}"))).contains(&junk));
}

#[test]
fn the_network_of_a_socket() {
    needs!(ours(NOT_THEIRS), root(), command("bash"), command("ip"));
    let open = "ip link set lo up && exec 4<>/dev/udp/127.0.0.1/9 && exec \"$@\"";
    let holder = Holder::of(Tool::fixture().args(["-n", "bash", "-c", open, "bash"]), "");
    let target = Links::of(holder.pid());
    is_in(
        Tool::setns().arg(format!("sock:{}:4", holder.pid())),
        &target,
        &["net"],
    );
    refused(Tool::setns().arg(format!("sock:{}:0", holder.pid())));
}

#[test]
fn owners_and_parents() {
    needs!(ours(NOT_THEIRS), root(), user_namespaces());
    let unshare = Tool::path_of("unshare");
    let inner = Holder::of(
        Tool::fixture()
            .line("-r")
            .args([unshare.as_os_str(), "-rn".as_ref()]),
        "",
    );
    let target = Links::of(inner.pid());
    // The network belongs to the inner user namespace, whose parent is between it and us.
    for owner in [
        format!("owner:{}", inner.file("net")),
        format!("user=owner:{}", inner.file("net")),
    ] {
        is_in(Tool::setns().arg(owner), &target, &["user"]);
    }
    for parent in [
        format!("parent:{}", inner.file("user")),
        format!("parent:owner:{}", inner.file("net")),
    ] {
        let links = inside(Tool::setns().arg(parent));
        assert_eq!(links.unlike(&Links::mine()), ["user"]);
        assert_ne!(links.get("user"), target.get("user"));
    }
}

#[test]
fn nothing_changes_that_was_not_asked_for() {
    needs!(ours(NOT_THEIRS), root(), user_namespaces());
    let holder = Holder::unshare("-U");
    for map in ["uid_map", "gid_map"] {
        std::fs::write(format!("/proc/{}/{map}", holder.pid()), "0 1000 100\n")
            .expect("root may map IDs");
    }
    let id = |options: &str| {
        let tool = Tool::setns()
            .line(options)
            .arg(format!("user={}", holder.pid()));
        tool.sh("id -u; id -g").run().ok().text().replace('\n', "/")
    };
    let overflow = std::fs::read_to_string("/proc/sys/kernel/overflowuid").expect("/proc");
    let overflow = overflow.trim();
    assert_eq!(id(""), format!("{overflow}/{overflow}"));
    assert_eq!(id("-S 7 -G 8"), "7/8");
    // The directory stays, too.
    Tool::setns()
        .arg(format!("net={}", holder.pid()))
        .arg("pwd")
        .dir("/proc/sys")
        .run()
        .ok()
        .out("/proc/sys\n");
}

#[test]
fn an_ordinary_user_enters_what_it_made() {
    needs!(ours(NOT_THEIRS), user_namespaces());
    let holder = Holder::ordinary("-Urnm");
    let target = Links::of(holder.pid());
    is_in(
        Tool::setns().arg(holder.pid().to_string()).by_ordinary(),
        &target,
        &["mnt", "net", "user"],
    );
    let files = format!("{},{}", holder.file("net"), holder.file("user"));
    is_in(
        Tool::setns().arg(files).by_ordinary(),
        &target,
        &["net", "user"],
    );
    refused(
        Tool::setns()
            .arg(format!("net={}", holder.pid()))
            .by_ordinary(),
    );
}

#[test]
fn a_pid_namespace_forks() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-pf");
    let target = Links::of(holder.pid());
    let reference = format!("pid={}", holder.pid());
    is_in(Tool::setns().arg(&reference), &target, &["pid"]);
    is_in(Tool::setns().args(["-F", &reference]), &target, &[]);
}

#[test]
fn two_of_one_kind() {
    needs!(ours(NOT_THEIRS), root());
    let (one, two) = (Holder::unshare("-u"), Holder::unshare("-u"));
    let both = format!("{},{}", one.file("uts"), two.file("uts"));
    refused(Tool::setns().arg(&both));
    is_in(
        Tool::setns().args(["--in-order", &both]),
        &Links::of(two.pid()),
        &["uts"],
    );
    // The same one twice is one.
    is_in(
        Tool::setns().arg(format!("{0},{0}", one.file("uts"))),
        &Links::of(one.pid()),
        &["uts"],
    );
}

#[test]
fn references_that_name_nothing() {
    needs!(ours(NOT_THEIRS));
    for reference in [
        "4194399",
        "0",
        "x",
        "",
        "frob:1",
        "frob=1",
        "net=",
        "net+frob=1",
        "/no/such/file",
        "/proc/version",
        "pidfile:/no/such/file",
    ] {
        refused(Tool::setns().arg(reference));
    }
}

#[test]
fn the_programs_status() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-u");
    let setns = || Tool::setns().arg(holder.pid().to_string());
    setns().sh("exit 7").run().exits(7);
    setns()
        .sh("kill -TERM $$")
        .run()
        .dies_of(nix::sys::signal::Signal::SIGTERM);
    setns()
        .arg("nosuchprogram")
        .run()
        .exits(127)
        .err("setns: failed to execute nosuchprogram: No such file or directory\n");
    setns()
        .arg("/proc")
        .run()
        .exits(126)
        .err("setns: failed to execute /proc: Permission denied\n");
    setns()
        .env("SHELL", "/bin/sh")
        .stdin("echo $0\n")
        .run()
        .ok()
        .out("-sh\n");
}

#[test]
fn whether_namespaces_are_the_same() {
    needs!(ours(NOT_THEIRS), root());
    let (one, two) = (Holder::unshare("-u"), Holder::unshare("-u"));
    let (a, b) = (one.pid().to_string(), two.pid().to_string());
    Tool::setns().args(["--same", &a, &a]).run().ok();
    Tool::setns().args(["--same", &a, &b]).run().exits(1);
    Tool::setns()
        .args([
            "--same",
            &format!("net={a}"),
            &format!("net={b}"),
            "net=self",
        ])
        .run()
        .ok();
    Tool::setns()
        .args(["--same", &format!("uts={a}"), "uts=self"])
        .run()
        .exits(1);
    Tool::setns()
        .args(["--same", "--quiet", &a, &b])
        .run()
        .exits(1)
        .out("");
    Tool::setns()
        .args(["--same", "--quiet", &a, &a])
        .run()
        .exits(0)
        .out("");
    // What cannot be read is not different but unknown.
    Tool::setns()
        .args(["--same", "--quiet", &a, &b])
        .by_ordinary()
        .run()
        .exits(125);
}

#[test]
fn help_says_what_no_program_can_do() {
    needs!(ours(NOT_THEIRS));
    let text = Tool::setns().arg("--help").run().ok().text();
    assert!(text.contains("parent shell"), "{text}");
}
