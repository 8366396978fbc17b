//! `setns`: finding a namespace, whatever keeps it alive, and references that lead nowhere.

use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::harness::*;

const NOT_THEIRS: &str = "has no setns";

/// The namespace of this kind that a program is in which `setns REFERENCE` runs.
#[track_caller]
fn entered(reference: &str, kind: &str) -> String {
    let link = format!("/proc/self/ns/{kind}");
    let ran = Tool::setns().args([reference, "readlink", &link]).run();
    ran.ok().text()
}

/// Our own failure: one line, 125, and no program.
#[track_caller]
fn refused(reference: &str) -> String {
    let ran = Tool::setns().args([reference, "echo", "it ran"]).run();
    let ran = ran.exits(125).out("");
    let text = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(text.starts_with("setns: "), "{ran}");
    assert_eq!(text.lines().count(), 1, "{ran}");
    text
}

/// What the kernel numbers the namespace, if it does.
#[track_caller]
fn id_of(reference: &str) -> Option<u64> {
    let text = Tool::setns()
        .args(["--show", "--json", reference])
        .run()
        .ok();
    let value: serde_json::Value = serde_json::from_slice(&text.stdout).expect("JSON");
    value["namespaces"][0]["id"].as_u64()
}

/// Its text, and its number where there is one, lead to the namespace.
#[track_caller]
fn is_found(link: &str) {
    let (kind, _) = link.split_once(':').expect("the text of a link");
    assert_eq!(entered(link, kind), link);
    if let Some(id) = id_of(link) {
        assert_eq!(entered(&format!("id:{id}"), kind), link);
    }
}

/// Nothing has it any more.
#[track_caller]
fn is_gone(link: &str) {
    eventually(&format!("{link} is gone"), || {
        // Another namespace may have its number by now, which is not entered.
        let ran = Tool::setns().args(["--same", "--quiet", link, link]).run();
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        text.contains("no such namespace can be seen")
            .then(|| ran.exits(125))
    });
}

/// A network namespace that a mount keeps, its file, and the text of its link.
fn mounted(place: &Place) -> (Mounted, String, String) {
    let file = place.file("ns", "");
    let guard = Mounted::on(&file);
    Tool::fixture()
        .arg(format!("--net={file}"))
        .arg("true")
        .run()
        .ok();
    let stat = nix::sys::stat::stat(file.as_str()).expect("the file is there");
    (guard, file, format!("net:[{}]", stat.st_ino))
}

#[test]
fn kept_by_a_process() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-nui");
    let links = Links::of(holder.pid());
    for kind in ["net", "uts", "ipc"] {
        is_found(links.get(kind));
    }
    let net = links.get("net").to_owned();
    drop(holder);
    is_gone(&net);
}

#[test]
fn kept_by_a_mount() {
    needs!(ours(NOT_THEIRS), root());
    let place = Place::new();
    let (guard, _, link) = mounted(&place);
    is_found(&link);
    drop(guard);
    is_gone(&link);
}

#[test]
fn kept_by_a_mount_in_another_mount_namespace() {
    needs!(ours(NOT_THEIRS), root());
    let place = Place::new();
    let file = place.at("tmp/ns");
    place.subdir("tmp");
    let unshare = Tool::path_of("unshare");
    let script = format!(
        "mount -t tmpfs tmp {tmp}; >{file}; {unshare} --net={file} true",
        tmp = place.at("tmp"),
        unshare = unshare.display(),
    );
    let holder = Holder::doing("-m --propagation private", &script);
    assert!(!PathBuf::from(&file).exists(), "the mount is not ours");
    let stat = nix::sys::stat::stat(format!("/proc/{}/root{file}", holder.pid()).as_str())
        .expect("the holder sees it");
    is_found(&format!("net:[{}]", stat.st_ino));
}

#[test]
fn kept_by_a_descriptor() {
    needs!(ours(NOT_THEIRS), root());
    let made = Holder::unshare("-n");
    let link = Links::of(made.pid()).get("net").to_owned();
    let open = format!("exec 7<{}", made.file("net"));
    let holder = Holder::of(Tool::program("/usr/bin/env"), &open);
    drop(made);
    is_found(&link);
    drop(holder);
    is_gone(&link);
}

#[test]
fn kept_by_a_descriptor_that_was_opened_through_a_former_mount() {
    needs!(ours(NOT_THEIRS), root());
    let place = Place::new();
    let (guard, file, link) = mounted(&place);
    let holder = Holder::of(Tool::program("/usr/bin/env"), &format!("exec 7<{file}"));
    drop(guard);
    let shown = std::fs::read_link(format!("/proc/{}/fd/7", holder.pid())).expect("it is open");
    assert_eq!(shown, PathBuf::from("/"), "nothing shows what it is");
    is_found(&link);
}

#[test]
fn kept_by_a_socket() {
    needs!(ours(NOT_THEIRS), root(), command("bash"), command("ip"));
    let place = Place::new();
    let said = place.at("link");
    let away = format!(
        "ip link set lo up && exec 4<>/dev/udp/127.0.0.1/9 && readlink /proc/self/ns/net >{said} && \
         exec setns net:[{}] \"$@\"",
        nix::sys::stat::stat("/proc/self/ns/net")
            .expect("ours")
            .st_ino
    );
    let holder = Holder::of(
        Tool::fixture().args(["-n", "bash", "-c", &away, "bash"]),
        "",
    );
    let link = std::fs::read_to_string(&said).expect("it was said");
    let link = link.trim();
    assert_ne!(Links::of(holder.pid()).get("net"), link);
    is_found(link);
    assert_eq!(entered(&format!("sock:{}:4", holder.pid()), "net"), link);
    let text = refused(&format!("sock:{}:0", holder.pid()));
    assert!(text.contains("is no socket"), "{text}");
    drop(holder);
    is_gone(link);
}

/// Runs a program in Python, in which `unshare(flag)` is that of the C library; it ends with the test.
#[track_caller]
fn python(script: &str) -> Started {
    let frame = "import ctypes, os, sys, threading, time\n\
        def unshare(flag): assert ctypes.CDLL(None).unshare(flag) == 0";
    // `timeout` ends it, should the test not.
    Tool::program("timeout")
        .args([
            "300",
            "python3",
            "-c",
            &format!("{frame}\n{script}\ntime.sleep(300)"),
        ])
        .start()
}

#[test]
fn kept_by_a_thread() {
    needs!(ours(NOT_THEIRS), root(), command("python3"));
    let script = "\
def thread():
    unshare(0x04000000)
    print(os.readlink('/proc/thread-self/ns/uts'), flush=True)
    time.sleep(300)
threading.Thread(target=thread, daemon=True).start()";
    let process = python(script);
    let link = process.until_says("]\n");
    assert_ne!(link.trim(), Links::mine().get("uts"));
    is_found(link.trim());
}

#[test]
fn kept_by_namespaces_below() {
    needs!(ours(NOT_THEIRS), root(), user_namespaces());
    let unshare = Tool::path_of("unshare");
    let inner = Holder::of(
        Tool::fixture()
            .line("-r")
            .args([unshare.as_os_str(), "-r".as_ref()]),
        "",
    );
    let parent = format!("parent:{}", inner.file("user"));
    let link = entered(&parent, "user");
    // No process is in the outer one: the maker executed the maker of the inner one.
    assert_ne!(link, Links::of(inner.pid()).get("user"));
    assert_ne!(link, Links::mine().get("user"));
    is_found(&link);
}

#[test]
fn kept_for_the_children_of_a_process() {
    needs!(ours(NOT_THEIRS), root(), command("python3"), kind("time"));
    let script = "unshare(0x80)\nprint(os.readlink('/proc/self/ns/time_for_children'), flush=True)";
    let process = python(script);
    let link = process.until_says("]\n");
    assert_ne!(link.trim(), Links::mine().get("time"));
    is_found(link.trim());
}

#[test]
fn an_unprivileged_search_says_what_it_could_not_see() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-n");
    Tool::setns()
        .args([Links::of(holder.pid()).get("net"), "true"])
        .by_ordinary()
        .run()
        .exits(125)
        .err_has("could not be looked at");
}

#[test]
fn processes_that_are_no_more() {
    needs!(ours(NOT_THEIRS), root());
    let ended: String = Tool::shell("echo $$").run().ok().text();
    assert!(refused(&ended).contains(&ended));
    let place = Place::new();
    let stale = place.file("stale.pid", format!("{ended}\n"));
    let text = refused(&format!("pidfile:{stale}"));
    assert!(text.contains(&stale) && text.contains(&ended), "{text}");

    // A child that ends when the holder has become a program which waits for none.
    let child =
        "while [ -e /proc/$pid ] && [ \"$(cat /proc/$pid/comm)\" != cat ]; do sleep 0.02; done &";
    let holder = Holder::of(Tool::program("/usr/bin/env"), child);
    let zombie = eventually("a zombie", || {
        children(holder.pid())
            .into_iter()
            .find(|&child| state(child) == Some('Z'))
    });
    refused(&zombie.to_string());
    refused(&format!("net={zombie}"));
    Tool::setns()
        .args(["--same", &zombie.to_string(), "self"])
        .run()
        .exits(125);
    Tool::setns()
        .args(["--show", &zombie.to_string()])
        .run()
        .exits(125)
        .out("");
}

#[test]
fn processes_in_another_pid_namespace() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-pfu");
    let target = Links::of(holder.pid());
    assert_eq!(
        entered(&format!("uts={}", holder.pid()), "uts"),
        target.get("uts")
    );
    // Our own number is somebody else's where /proc is of the PID namespace outside.
    let setns = Tool::path_of("setns");
    for same in ["pid=self", "self"] {
        Tool::fixture()
            .line("-pf")
            .args([setns.as_os_str(), "--same".as_ref()])
            .args([same, "/proc/self/ns/pid"])
            .run()
            .exits(0)
            .err("");
    }
    let shown = Tool::fixture()
        .line("-pf")
        .args([setns.as_os_str(), "--json".as_ref(), "pid=self".as_ref()])
        .run()
        .ok();
    let value: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!(value["namespaces"][0]["ours"], true);
    assert_ne!(
        format!("pid:[{}]", value["namespaces"][0]["inode"]),
        Links::mine().get("pid")
    );
}

#[test]
fn another_users_process() {
    needs!(ours(NOT_THEIRS), root(), user_namespaces());
    let theirs = Holder::ordinary("-Urn");
    let target = Links::of(theirs.pid());
    assert_eq!(
        entered(&format!("net={}", theirs.pid()), "net"),
        target.get("net")
    );
    let ours = Holder::unshare("-n");
    for options in [&["--show"][..], &["--json"], &["--tree"]] {
        Tool::setns()
            .args(options)
            .arg(ours.pid().to_string())
            .by_ordinary()
            .run()
            .exits(125)
            .out("")
            .err_has("Permission denied");
    }
}

#[test]
fn pid_files() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-u");
    let (pid, place) = (holder.pid(), Place::new());
    let target = Links::of(pid);
    for (index, text) in [
        format!("{pid}"),
        format!(" \t{pid} \n"),
        format!("{pid}\r\n"),
        format!("{pid}\n/var/lib/data\n1700000000\n"),
    ]
    .iter()
    .enumerate()
    {
        let file = place.file(&format!("{index}.pid"), text);
        let found = entered(&format!("uts=pidfile:{file}"), "uts");
        assert_eq!(found, target.get("uts"), "{text:?}");
    }
    for text in [
        "",
        "\n",
        " \n",
        "0\n",
        "-1\n",
        "12 34\n",
        "99999999999\n",
        "pid\n",
    ] {
        let file = place.file("bad.pid", text);
        assert!(
            refused(&format!("pidfile:{file}")).contains("holds no PID"),
            "{text:?}"
        );
    }
    refused("pidfile:/dev/zero");
    refused(&format!("pidfile:{}", place.path().display()));
    refused("pidfile:");
}

#[test]
fn the_lowest_process_of_a_cgroup() {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc");
    let root_of = |line: &str| Some(line.split(' ').nth(4)?.to_owned());
    let unified = mounts
        .lines()
        .find(|line| line.contains(" - cgroup2 "))
        .and_then(root_of);
    needs!(
        ours(NOT_THEIRS),
        root(),
        unless(unified.is_some(), "the unified cgroup hierarchy")
    );
    /// A cgroup, removed when its processes have left.
    struct Group(PathBuf);
    impl Drop for Group {
        fn drop(&mut self) {
            eventually("the cgroup is empty", || std::fs::remove_dir(&self.0).ok());
        }
    }
    let name = format!("nskit-test-{}", std::process::id());
    let group = Group(PathBuf::from(unified.expect("needed above")).join(&name));
    let made = std::fs::create_dir(&group.0);
    needs!(unless(
        made.is_ok(),
        "a cgroup hierarchy that can be written"
    ));

    let text = refused(&format!("cgroup:/{name}"));
    assert!(text.contains("has no process"), "{text}");
    let (one, two) = (Holder::unshare("-u"), Holder::unshare("-u"));
    for holder in [&two, &one] {
        std::fs::write(group.0.join("cgroup.procs"), holder.pid().to_string())
            .expect("a process can be moved");
    }
    let lowest = if one.pid() < two.pid() { &one } else { &two };
    let uts = Links::of(lowest.pid()).get("uts").to_owned();
    for path in [format!("/{name}"), name, group.0.display().to_string()] {
        assert_eq!(entered(&format!("uts=cgroup:{path}"), "uts"), uts);
    }
    refused("cgroup:/no/such/cgroup");
    refused("cgroup:");
    drop((one, two));
}

#[test]
fn parents_and_owners_until_the_kernel_says_no() {
    needs!(ours(NOT_THEIRS), root(), user_namespaces());
    let holder = Holder::unshare("-Unpf");
    let target = Links::of(holder.pid());
    let mine = Links::mine();
    let same = |one: &str, other: &str| {
        let ran = Tool::setns().args(["--same", one, other]).run();
        ran.exits(0);
    };
    same(&format!("parent:{}", target.get("user")), "user=self");
    same(&format!("user=parent:{}", holder.pid()), "user=self");
    same(&format!("pid=parent:{}", holder.pid()), "pid=self");
    same(&format!("parent:{}", holder.file("pid")), mine.get("pid"));
    same(&format!("owner:{}", target.get("net")), target.get("user"));
    same(&format!("owner:{}", holder.pid()), target.get("user"));
    same(
        &format!("owner:parent:{}", holder.file("pid")),
        &format!("parent:owner:{}", holder.file("net")),
    );
    // Our own PID namespace may have a parent; the kernel does not show it.
    for (reference, why) in [
        ("parent:/proc/self/ns/pid".to_owned(), "not permitted"),
        ("parent:/proc/self/ns/user".to_owned(), "not permitted"),
        (
            format!("parent:parent:{}", holder.file("user")),
            "not permitted",
        ),
        (format!("parent:{}", holder.file("net")), "has no parent"),
        (format!("net=parent:{}", holder.pid()), "has no parent"),
        (format!("parent:{}", holder.pid()), "two kinds"),
        ("parent:/proc/version".to_owned(), "is no namespace"),
        ("owner:/proc/version".to_owned(), "is no namespace"),
        ("parent:all".to_owned(), "--same and --show only"),
        ("parent:".to_owned(), "names no namespace"),
    ] {
        let text = refused(&reference);
        assert!(text.contains(why), "{reference}: {text}");
    }
}

#[test]
fn inherited_descriptors() {
    needs!(ours(NOT_THEIRS), root(), command("python3"));
    let holder = Holder::unshare("-u");
    let uts = Links::of(holder.pid()).get("uts").to_owned();
    let python = find("python3").expect("needed above");
    let with_pidfd = |reference: &str, end: bool| {
        let script = format!(
            "import os, signal, sys\n\
             pid = {pid}\n\
             if {end}:\n    pid = os.fork()\n    if pid == 0: signal.pause()\n\
             fd = os.pidfd_open(pid)\n\
             if {end}:\n    os.kill(pid, 9); os.waitpid(pid, 0)\n\
             os.dup2(fd, 9)\n\
             os.execvp('setns', ['setns', '{reference}', 'readlink', '/proc/self/ns/uts'])",
            pid = holder.pid(),
            end = if end { "True" } else { "False" },
        );
        Tool::program(&python).args(["-c", &script]).run()
    };
    assert_eq!(with_pidfd("fd:9", false).ok().text(), uts);
    assert_eq!(with_pidfd("uts=fd:9", false).ok().text(), uts);
    with_pidfd("fd:9", true)
        .exits(125)
        .out("")
        .err_has("No such process");
    refused("fd:9");
    refused("fd:-1");
    refused("fd:99999999999");
}

#[test]
fn a_search_is_not_stopped_by_processes_that_end() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-n");
    // A namespace and its only process come and go, all the time.
    let churn = Tool::shell("while :; do unshare -u true; done").start();
    let link = Links::of(holder.pid()).get("net").to_owned();
    for _ in 0..20 {
        assert_eq!(entered(&link, "net"), link);
        Tool::setns().arg("--show").run().ok();
    }
    kill(churn.pid(), Signal::SIGKILL);
    churn.wait();
}
