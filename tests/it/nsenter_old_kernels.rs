//! `nsenter` on a kernel that lacks what newer ones have: strace(1) answers in its place.

use crate::harness::*;

/// Before Linux 5.3 there are no pidfds; some containers' filters refuse the unknown call otherwise.
const WITHOUT_PIDFDS: [&str; 2] = [
    "inject=pidfd_open:error=ENOSYS",
    "inject=pidfd_open:error=EPERM",
];

/// Before Linux 5.8 setns(2) takes no pidfds: the first call is the one with it.
const WITHOUT_SETNS: &str = "inject=setns:error=EINVAL:when=1";

/// `nsenter` under strace, which is silent.
fn traced(inject: &str) -> Tool {
    Tool::program("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "signal=none"])
        .args(["-e", "trace=pidfd_open,setns", "-e", inject])
        .arg(Tool::path_of("nsenter"))
}

fn kernels() -> impl Iterator<Item = &'static str> {
    WITHOUT_PIDFDS.into_iter().chain([WITHOUT_SETNS])
}

fn by(tool: Tool, ordinary: bool) -> Tool {
    if ordinary { tool.by_ordinary() } else { tool }
}

/// On each of the kernels: in the target's namespaces of these kinds, and otherwise in ours.
#[track_caller]
fn is_in(holder: &Holder, ordinary: bool, words: &str, kinds: &[&str]) {
    let target = Links::of(holder.pid());
    for kernel in kernels() {
        let tool = traced(kernel)
            .args(["-t", &holder.pid().to_string()])
            .line(words)
            .line(INSIDE);
        let links = Links::said(&by(tool, ordinary).run().ok().text());
        assert_eq!(links.unlike(&Links::mine()), kinds, "{kernel}: {words}");
        let others = links.unlike(&target);
        assert!(
            !others.iter().any(|kind| kinds.contains(kind)),
            "{kernel}: {words}: {others:?}"
        );
    }
}

#[track_caller]
fn is_refused(kernel: &str, ordinary: bool, words: &str, line: &str) {
    let tool = traced(kernel).line(words).line("echo it ran");
    by(tool, ordinary)
        .run()
        .exits(1)
        .out("")
        .err(&format!("nsenter: {line}\n"));
}

#[test]
fn all_and_some_kinds() {
    needs!(root(), command("strace"), ours("needs pidfds"));
    let holder = Holder::unshare("-CimnpTuf");
    let seven = ["cgroup", "ipc", "mnt", "net", "pid", "time", "uts"];
    is_in(&holder, false, "-a", &seven);
    is_in(&holder, false, "-m -u -i -n -p -C -T", &seven);
    is_in(&holder, false, "-n", &["net"]);
    is_in(&holder, false, "-p -m", &["mnt", "pid"]);
}

#[test]
fn a_user_namespace_and_what_it_owns() {
    needs!(
        root(),
        user_namespaces(),
        command("strace"),
        ours("needs pidfds")
    );
    let holder = Holder::ordinary("-UrCimnpTuf");
    for (ordinary, words) in [(false, ""), (true, " --preserve-credentials")] {
        is_in(&holder, ordinary, &format!("-a{words}"), &KINDS);
        is_in(
            &holder,
            ordinary,
            &format!("-U -n{words}"),
            &["net", "user"],
        );
        is_in(&holder, ordinary, &format!("-U{words}"), &["user"]);
    }
}

#[test]
fn a_rootless_container_that_shares_kinds() {
    needs!(
        root(),
        user_namespaces(),
        command("strace"),
        ours("needs pidfds")
    );
    let holder = Holder::ordinary("-Urn");
    for words in ["-a", "-U -n -i -u", "-n -U"] {
        let words = format!("{words} --preserve-credentials");
        is_in(&holder, true, &words, &["net", "user"]);
    }
}

#[test]
fn user_namespaces_on_the_way() {
    needs!(
        root(),
        user_namespaces(),
        command("strace"),
        ours("needs pidfds")
    );
    let unshare = Tool::path_of("unshare");
    // The network belongs to the outer of two, the mounts to the inner.
    let nested = Tool::fixture().arg("-rn").arg(unshare).line("-rmf");
    let holder = Holder::of(nested.by_ordinary(), "");
    let kinds = ["mnt", "net", "user"];
    is_in(&holder, true, "-a --preserve-credentials", &kinds);
    is_in(&holder, false, "-a", &kinds);
    is_in(&holder, true, "-m -n -U --preserve-credentials", &kinds);
}

#[test]
fn owners_that_the_kernel_does_not_tell() {
    needs!(
        root(),
        user_namespaces(),
        command("strace"),
        ours("needs pidfds")
    );
    // Before Linux 4.9 there is no NS_GET_USERNS: what is refused at first is tried again afterwards.
    let holder = Holder::ordinary("-UrCimnpTuf");
    for (ordinary, words) in [(false, "-a"), (true, "-a --preserve-credentials")] {
        let tool = Tool::program("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "signal=none"])
            .args(["-e", "trace=pidfd_open,ioctl"])
            .args(["-e", WITHOUT_PIDFDS[0], "-e", "inject=ioctl:error=ENOTTY"])
            .arg(Tool::path_of("nsenter"))
            .args(["-t", &holder.pid().to_string()])
            .line(words)
            .line(INSIDE);
        let links = Links::said(&by(tool, ordinary).run().ok().text());
        assert_eq!(links, Links::of(holder.pid()), "{words}");
    }
}

#[test]
fn namespaces_that_a_pidfd_does_not_give() {
    needs!(
        root(),
        user_namespaces(),
        command("strace"),
        ours("asks no pidfd")
    );
    // Before Linux 6.11 there is no PIDFD_GET_USER_NAMESPACE.
    let holder = Holder::ordinary("-UrCimnpTuf");
    let shared = Holder::unshare("-nu");
    for (holder, ordinary) in [(&holder, false), (&holder, true), (&shared, false)] {
        let tool = Tool::program("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "signal=none"])
            .args(["-e", "trace=ioctl", "-e", "inject=ioctl:error=ENOTTY"])
            .arg(Tool::path_of("nsenter"))
            .args(["-t", &holder.pid().to_string()])
            .line("-a --preserve-credentials")
            .line(INSIDE);
        let links = Links::said(&by(tool, ordinary).run().ok().text());
        assert_eq!(links, Links::of(holder.pid()));
    }
}

#[test]
fn what_is_taken_along() {
    needs!(root(), command("strace"), ours("needs pidfds"));
    let tool = Tool::fixture()
        .line("-nm setpriv --reuid 7 --regid 8 --clear-groups")
        .env("FROM", "the target");
    let holder = Holder::of(tool, "cd /proc/sys");
    for kernel in kernels() {
        traced(kernel)
            .args(["-t", &holder.pid().to_string()])
            .line("-n -m -r -w -e -S follow -G follow --groups=follow")
            .sh("echo $FROM; pwd; id -u; id -g")
            .run()
            .ok()
            .out("the target\n/proc/sys\n7\n8\n");
    }
}

#[test]
fn the_parent_of_a_user_namespace() {
    needs!(
        root(),
        user_namespaces(),
        command("strace"),
        ours("needs pidfds")
    );
    let unshare = Tool::path_of("unshare");
    let (outer, words) = (
        Holder::ordinary("-r"),
        "--preserve-credentials -U --user-parent",
    );
    let inner = Tool::nsenter()
        .args([
            "--preserve-credentials",
            "-U",
            "-t",
            &outer.pid().to_string(),
        ])
        .arg(unshare)
        .arg("-rn");
    let inner = Holder::of(inner.by_ordinary(), "");
    for kernel in WITHOUT_PIDFDS {
        let tool = traced(kernel)
            .args(["-t", &inner.pid().to_string()])
            .line(words)
            .line("readlink /proc/self/ns/user");
        let parent = Links::of(outer.pid()).get("user").to_owned();
        by(tool, true).run().ok().out(&format!("{parent}\n"));
    }
}

#[test]
fn who_cannot_be_entered() {
    needs!(root(), command("strace"), ours("needs pidfds"));
    let holder = Holder::unshare("-n");
    let pid = holder.pid();
    for kernel in kernels() {
        let target = format!("-t{pid} -n");
        let denied = format!("cannot open /proc/{pid}/ns/net: Permission denied");
        is_refused(kernel, true, &target, &denied);
        let own = format!("-t{} -U", std::process::id());
        let invalid = "reassociate to namespace 'ns/user' failed: Invalid argument";
        is_refused(kernel, false, &own, invalid);
    }
    for kernel in WITHOUT_PIDFDS {
        let nobody = "cannot open /proc/4194305/ns/net: No such file or directory";
        is_refused(kernel, false, "-t4194305 -n", nobody);
        let answer = "failed to obtain a valid file descriptor for PID";
        traced(kernel)
            .arg(format!("-t{pid}:1"))
            .line("-n echo it ran")
            .run()
            .exits(1)
            .out("")
            .err_has(answer);
    }
}

#[test]
fn a_zombie() {
    needs!(root(), command("strace"), ours("needs pidfds"));
    let tool = Tool::program("sh").args(["-c", "sleep 0.1 & exec \"$@\"", "sh"]);
    let parent = Holder::of(tool, "");
    let pid = eventually("a zombie", || {
        let mut below = children(parent.pid()).into_iter();
        below.find(|pid| state(*pid) == Some('Z'))
    });
    for kernel in WITHOUT_PIDFDS {
        for words in [
            "-a",
            "-n",
            "-u/proc/self/ns/uts -e",
            "-u/proc/self/ns/uts -S follow",
        ] {
            let ran = traced(kernel)
                .args(["-t", &pid.to_string()])
                .line(words)
                .line("echo it ran")
                .run()
                .exits(1)
                .out("");
            assert_eq!(
                String::from_utf8_lossy(&ran.stderr).lines().count(),
                1,
                "{ran}"
            );
        }
    }
}

#[test]
fn a_kind_that_the_kernel_lacks() {
    needs!(
        root(),
        command("strace"),
        ours("does not look at what is there")
    );
    // Time namespaces came with Linux 5.6: their file is missing, and the flag is unknown.
    let holder = Holder::unshare("-nu");
    let trace = "/proc/self/ns/time";
    let tool = Tool::program("strace")
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "signal=none",
            "-P",
            trace,
        ])
        .args(["-e", "inject=%file:error=ENOENT"])
        .arg(Tool::path_of("nsenter"))
        .args(["-a", "-t", &holder.pid().to_string()])
        .line("readlink /proc/self/ns/net /proc/self/ns/uts");
    let target = Links::of(holder.pid());
    let expected = format!("{}\n{}\n", target.get("net"), target.get("uts"));
    tool.run().ok().out(&expected);
}
