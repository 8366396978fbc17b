//! `oci:`: containers by their IDs, and states that lie, are old, or are somebody else's.

use std::os::unix::fs::{PermissionsExt, chown};

use crate::harness::*;

const NOT_THEIRS: &str = "knows no containers";

/// `setns` or `nsenter` as root, who has this directory for states; it cannot take much memory.
fn bounded(applet: &str, runtime_dir: &str) -> Tool {
    Tool::program("prlimit")
        .arg("--as=200000000")
        .arg(Tool::path_of(applet))
        .env("XDG_RUNTIME_DIR", runtime_dir)
}

/// What `setns oci:ID` says where it fails: one line.
#[track_caller]
fn refused(id: &str, runtime_dir: &str) -> String {
    let tool = bounded("setns", runtime_dir).args([&format!("oci:{id}"), "echo", "it ran"]);
    let ran = tool.run().exits(125).out("");
    let text = String::from_utf8_lossy(&ran.stderr).into_owned();
    let line = text
        .strip_prefix(&format!("setns: oci:{id}: "))
        .unwrap_or_else(|| panic!("{ran}"));
    assert_eq!(line.lines().count(), 1, "{ran}");
    line.trim_end().to_owned()
}

/// When a process was started (proc_pid_stat(5)).
#[track_caller]
fn start_of(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let fields = text.rsplit(") ").next().expect("a last part");
    fields
        .split(' ')
        .nth(19)
        .expect("22 fields")
        .parse()
        .expect("a number")
}

/// Writes down a state as this runtime does.
fn write(place: &Place, runtime: Runtime, directory: &str, pid: i32, start: u64) -> String {
    let [pid_is, start_is] = runtime.members();
    let state =
        serde_json::json!({ "id": "x", pid_is: pid, start_is: start, "config": { pid_is: 1 } });
    place.subdir(directory);
    place.file(
        &format!("{directory}/{}", runtime.file()),
        state.to_string(),
    )
}

#[test]
fn each_runtimes_own_by_id_and_by_its_beginning() {
    needs!(ours(NOT_THEIRS), containers());
    for runtime in Runtime::ALL {
        let container = Container::rootful(runtime, "-web");
        let id = &container.id;
        let expected = Links::of(container.pid());
        for name in [&id[..], &id[..id.len() - 2]] {
            // Inside, where it is among few: the first process is its own.
            Tool::nsenter()
                .args(["-t", &format!("oci:{name}"), "-a"])
                .args(["/bin/busybox", "cat", "/proc/1/cmdline"])
                .run()
                .ok()
                .out("/bin/busybox\0sleep\x003600\0");
            let said = Tool::nsenter()
                .args(["-t", &format!("oci:{name}"), "-u", "-n", "-i"])
                .line(INSIDE)
                .run()
                .ok();
            let said = Links::said(&said.text());
            for kind in ["uts", "net", "ipc"] {
                assert_eq!(said.get(kind), expected.get(kind), "{name}");
            }
            Tool::setns()
                .args([&format!("uts=oci:{name}"), "uname", "-n"])
                .run()
                .ok()
                .out("inside\n");
        }
        Tool::setns()
            .args(["--same", "--quiet", &format!("oci:{id}")])
            .arg(container.pid().to_string())
            .run()
            .ok();
        // The same place by two ways is one.
        Tool::setns()
            .args([&format!("uts=oci:{id}"), "true"])
            .env("XDG_RUNTIME_DIR", "/run")
            .run()
            .ok();
        // Everything else of the process.
        Tool::nsenter()
            .args(["-t", &format!("oci:{id}"), "-m", "-e", "-r", "-w"])
            .args(["/bin/busybox", "sh", "-c", "pwd; echo $FROM"])
            .run()
            .ok()
            .out("/bin\ncontainer\n");
        Tool::setns()
            .args(["-r", "-w", "-S", "follow", "-G", "follow"])
            .args([&format!("mnt=oci:{id}"), "/bin/busybox", "sh", "-c", "pwd"])
            .run()
            .ok()
            .out("/bin\n");
        let dry = Tool::nsenter()
            .args(["--dry-run", "-u", "-t", &format!("oci:{id}"), "true"])
            .run()
            .ok();
        assert!(
            dry.text()
                .contains(&format!("find and open the process of oci:{id}")),
            "{dry}"
        );
    }
}

#[test]
fn rootless_ones_of_the_caller_and_not_of_others() {
    needs!(
        ours(NOT_THEIRS),
        containers(),
        user_namespaces(),
        command("setpriv")
    );
    for runtime in Runtime::ALL {
        let container = Container::rootless(runtime, "-own");
        let id = &container.id;
        let dir = container.runtime_dir.as_deref().expect("it is rootless");
        let expected = Links::of(container.pid());
        let said = Tool::setns()
            .args([&format!("user+net+uts=oci:{}", &id[..id.len() - 1])])
            .line(INSIDE)
            .env("XDG_RUNTIME_DIR", dir)
            .by_ordinary()
            .run()
            .ok();
        let said = Links::said(&said.text());
        for kind in ["user", "net", "uts"] {
            assert_eq!(said.get(kind), expected.get(kind));
        }
        Tool::nsenter()
            .args(["-t", &format!("oci:{id}"), "-a", "--preserve-credentials"])
            .args(["/bin/busybox", "hostname"])
            .env("XDG_RUNTIME_DIR", dir)
            .by_ordinary()
            .run()
            .ok()
            .out("inside\n");
        // Root, with the variable as `sudo -E` leaves it.
        let line = refused(id, dir);
        let why = format!(
            "{}/{} belongs to user {ORDINARY}, who is neither root nor the caller, and is not believed",
            dir,
            runtime.name()
        );
        assert!(
            line.starts_with("no container has this ID") && line.contains(&why),
            "{line}"
        );
        // And without it nobody finds it.
        Tool::setns()
            .args([&format!("oci:{id}"), "true"])
            .by_ordinary()
            .run()
            .exits(125)
            .err_has("no container has this ID");
    }
}

#[test]
fn beginnings_that_several_have() {
    needs!(ours(NOT_THEIRS), command("prlimit"));
    let place = Place::new();
    let holders = [
        Holder::of(Tool::program("env"), ""),
        Holder::of(Tool::program("env"), ""),
    ];
    let pids = holders.each_ref().map(Holder::pid);
    let [one, other] = pids.map(|pid| (pid, start_of(pid)));
    let runc = Runtime::Runc;
    write(&place, runc, "runc/nskit-3f2a", one.0, one.1);
    write(&place, runc, "runc/nskit-3f2a77", other.0, other.1);
    write(&place, Runtime::Crun, "crun/nskit-3f9", other.0, other.1);
    let dir = place.at("");
    let dir = dir.trim_end_matches('/');
    assert_eq!(
        refused("nskit-3f", dir),
        format!(
            "is the beginning of more than one ID, or in more than one place: \
             {dir}/runc/nskit-3f2a, {dir}/runc/nskit-3f2a77, {dir}/crun/nskit-3f9"
        )
    );
    let pid_of = |id: &str, pid: i32| {
        bounded("setns", dir)
            .args(["--same", "--quiet", &format!("oci:{id}"), &pid.to_string()])
            .run()
            .ok();
        bounded("setns", dir)
            .args(["--dry-run", "-r", &format!("uts=oci:{id}"), "true"])
            .run()
            .ok();
    };
    // The whole of one is no beginning of another.
    pid_of("nskit-3f2a", one.0);
    pid_of("nskit-3f2a7", other.0);
    pid_of("nskit-3f9", other.0);
    // Where Docker and containerd have them kept; and twice the same ID.
    write(
        &place,
        runc,
        "docker/runtime-runc/moby/nskit-d0",
        one.0,
        one.1,
    );
    write(
        &place,
        Runtime::Crun,
        "containerd/runc/k8s.io/nskit-c0",
        one.0,
        one.1,
    );
    pid_of("nskit-d", one.0);
    pid_of("nskit-c", one.0);
    write(&place, runc, "runc/nskit-d0", other.0, other.1);
    let line = refused("nskit-d0", dir);
    assert!(
        line.ends_with("/runc/nskit-d0, ".trim_end_matches(", ")) || line.contains("moby/nskit-d0"),
        "{line}"
    );
    // A message has an end.
    for number in 0..30 {
        write(
            &place,
            runc,
            &format!("runc/nskit-many{number:02}"),
            one.0,
            one.1,
        );
    }
    let line = refused("nskit-many", dir);
    assert!(line.ends_with("nskit-many07 and 22 more"), "{line}");
    let line = refused("nskit-none", dir);
    assert!(
        line.starts_with("no container has this ID, or one that begins so, in ")
            && line.contains(&format!("{dir}/runc, {dir}/crun")),
        "{line}"
    );
}

#[test]
fn a_state_that_is_old_leads_to_nobody_else() {
    needs!(ours(NOT_THEIRS), containers(), command("prlimit"));
    for runtime in Runtime::ALL {
        let container = Container::rootful(runtime, "-old");
        let (id, pid) = (&container.id, container.pid());
        container.end();
        let file = format!("{}/{id}/{}", container.store(), runtime.file());
        // Whether somebody has waited for it by now is not ours to say.
        let line = refused(id, "/nowhere");
        let why = format!("process {pid}, in {file}, has ended");
        assert!(
            line.starts_with(&why) && !line.contains("another one"),
            "{line}"
        );
        Tool::nsenter()
            .args(["-t", &format!("oci:{id}"), "-n", "echo", "it ran"])
            .run()
            .exits(1)
            .out("")
            .err_has(&format!("nsenter: oci:{id}: {why}"));
    }
    // Another process has its number: one clock tick decides.
    let place = Place::new();
    let dir = place.path().to_str().expect("a plain name").to_owned();
    let holder = Holder::of(Tool::program("env"), "");
    let (pid, start) = (holder.pid(), start_of(holder.pid()));
    for runtime in Runtime::ALL {
        let name = runtime.name();
        for (start, is_it) in [
            (start, true),
            (start + 1, false),
            (start - 1, false),
            (u64::MAX, false),
        ] {
            let file = write(&place, runtime, &format!("{name}/nskit-reused"), pid, start);
            if is_it {
                bounded("setns", &dir)
                    .args(["oci:nskit-reused", "true"])
                    .run()
                    .ok();
            } else {
                assert_eq!(
                    refused("nskit-reused", &dir),
                    format!(
                        "process {pid}, in {file}, has ended, or is of another PID namespace: another one has its number"
                    )
                );
            }
        }
        std::fs::remove_dir_all(place.at(name)).expect("ours");
    }
    // A time namespace has other starts of the same processes.
    if kind("time").is_ok() {
        for offset in ["1234", "-1"] {
            let file = write(&place, Runtime::Runc, "runc/nskit-later", pid, start);
            let inside = |start: u64| {
                write(&place, Runtime::Runc, "runc/nskit-later", pid, start);
                Tool::unshare()
                    .args(["-fT", "--boottime", offset])
                    .arg(Tool::path_of("setns"))
                    .args(["net=oci:nskit-later", "true"])
                    .env("XDG_RUNTIME_DIR", &dir)
                    .run()
            };
            inside(start).ok();
            inside(start + 2)
                .exits(125)
                .err_has(&format!("process {pid}, in {file}, has ended, or"));
        }
    }
    // Without a start there is nothing to compare: as old versions of crun wrote it.
    place.subdir("crun/nskit-plain");
    place.file("crun/nskit-plain/status", format!("{{\"pid\":{pid}}}"));
    bounded("setns", &dir)
        .args(["oci:nskit-plain", "true"])
        .run()
        .ok();
}

#[test]
fn a_process_that_is_a_zombie_has_ended() {
    needs!(ours(NOT_THEIRS), command("prlimit"), command("python3"));
    let place = Place::new();
    let dir = place.path().to_str().expect("a plain name").to_owned();
    let script = "
import os, sys
pid = os.fork()
if pid == 0: os._exit(0)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
print(pid, flush=True)
sys.stdin.read()
";
    let started = Tool::program("sh")
        .args(["-c", "sleep 1000 | exec python3 -c \"$0\"", script])
        .start();
    let pid: i32 = started.until_says("\n").trim().parse().expect("a PID");
    let file = write(
        &place,
        Runtime::Runc,
        "runc/nskit-zombie",
        pid,
        start_of(pid),
    );
    assert_eq!(
        refused("nskit-zombie", &dir),
        format!("process {pid}, in {file}, has ended")
    );
}

#[test]
fn states_that_are_none() {
    needs!(ours(NOT_THEIRS), command("prlimit"));
    let place = Place::new();
    let dir = place.path().to_str().expect("a plain name").to_owned();
    let file = place.at("runc/nskit-odd/state.json");
    let pid = std::process::id();
    let whole = format!("{{\"init_process_pid\":{pid}}}");
    let huge = format!("{whole}{}", " ".repeat(1 << 20));
    for (text, why) in [
        ("", format!("{file} is no JSON from byte 0 on")),
        ("{", format!("{file} is no JSON from byte 1 on")),
        (
            &whole[..whole.len() - 1],
            format!("{file} is no JSON from byte {} on", whole.len() - 1),
        ),
        ("[]", format!("{file} is no JSON from byte 0 on")),
        ("{}", format!("{file} has no PID as its init_process_pid")),
        (
            r#"{"init_process_pid":0}"#,
            format!("{file} has no PID as its init_process_pid"),
        ),
        (
            r#"{"init_process_pid":-1}"#,
            format!("{file} has no PID as its init_process_pid"),
        ),
        (
            r#"{"init_process_pid":"1"}"#,
            format!("{file} has no PID as its init_process_pid"),
        ),
        (
            r#"{"init_process_pid":4294967297}"#,
            format!("{file} has no PID as its init_process_pid"),
        ),
        (
            r#"{"init_process_pid":1e3}"#,
            format!("{file} has no PID as its init_process_pid"),
        ),
        (
            &"[".repeat(1 << 19),
            format!("{file} is no JSON from byte 0 on"),
        ),
        (
            &format!("{{\"a\":{}", "[".repeat(1 << 19)),
            format!("{file} is no JSON from byte 131 on"),
        ),
        (&huge, format!("cannot read {file}: File too large")),
    ] {
        place.subdir("runc/nskit-odd");
        std::fs::write(&file, text).expect("a file");
        assert_eq!(refused("nskit-odd", &dir), why);
    }
    for (make, what) in [
        ("mkfifo state.json", "a FIFO"),
        ("ln -s /dev/zero state.json", "a symbolic link"),
        ("echo '{}' >real; ln -s real state.json", "a symbolic link"),
        ("ln -s state.json state.json", "a symbolic link"),
        ("mkdir state.json", "a directory"),
    ] {
        std::fs::remove_dir_all(place.at("runc")).expect("ours");
        Tool::shell(make)
            .dir(place.subdir("runc/nskit-odd"))
            .run()
            .ok();
        assert_eq!(
            refused("nskit-odd", &dir),
            format!("{file} is {what}, and is not read")
        );
    }
    // A link to a container's directory, one that is empty, a file.
    std::fs::remove_dir_all(place.at("runc")).expect("ours");
    write(&place, Runtime::Runc, "elsewhere", 1, 1);
    place.subdir("runc/nskit-empty");
    place.file("runc/nskit-file", "");
    std::os::unix::fs::symlink("../elsewhere", place.at("runc/nskit-link")).expect("a link");
    for id in ["nskit-link", "nskit-empty", "nskit-file"] {
        let line = refused(id, &dir);
        assert!(line.starts_with("no container has this ID"), "{line}");
    }
}

#[test]
fn states_that_others_may_write() {
    needs!(ours(NOT_THEIRS), root(), command("prlimit"));
    let place = Place::new();
    let dir = place.path().to_str().expect("a plain name").to_owned();
    let holder = Holder::of(Tool::program("env"), "");
    let (pid, start) = (holder.pid(), start_of(holder.pid()));
    let parts = ["runc", "runc/nskit-shared", "runc/nskit-shared/state.json"];
    for part in parts {
        write(&place, Runtime::Runc, "runc/nskit-shared", pid, start);
        bounded("setns", &dir)
            .args(["oci:nskit-shared", "true"])
            .run()
            .ok();
        let path = place.at(part);
        chown(&path, Some(ORDINARY), None).expect("root can chown");
        let line = refused("nskit-shared", &dir);
        let why = format!(
            "{path} belongs to user {ORDINARY}, who is neither root nor the caller, and is not believed"
        );
        assert!(line.ends_with(&why), "{line}");
        chown(&path, Some(0), None).expect("root can chown");
        for mode in [0o775, 0o757, 0o1777] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
            let line = refused("nskit-shared", &dir);
            let why =
                format!("{path} can be written by others than its owner, and is not believed");
            assert!(line.ends_with(&why), "{line}");
        }
        std::fs::remove_dir_all(place.at("runc")).expect("ours");
    }
    // Somebody's own, and of a process that is not theirs: the kernel decides.
    let own = Place::new().owned_by_ordinary();
    write(&own, Runtime::Runc, "runc/nskit-of-root", pid, start);
    for part in parts.map(|part| part.replace("shared", "of-root")) {
        chown(own.at(&part), Some(ORDINARY), Some(ORDINARY)).expect("root can chown");
    }
    Tool::setns()
        .args(["net=oci:nskit-of-root", "echo", "it ran"])
        .env("XDG_RUNTIME_DIR", own.path())
        .by_ordinary()
        .run()
        .exits(125)
        .out("")
        .err("setns: reassociate to namespace 'ns/net' failed: Operation not permitted\n");
}

#[test]
fn names_that_lead_out_of_their_directory() {
    needs!(ours(NOT_THEIRS));
    for (name, why) in [
        ("oci:", "a name is missing"),
        (
            "oci:.",
            "an ID of a container has no / and is neither . nor ..",
        ),
        (
            "oci:..",
            "an ID of a container has no / and is neither . nor ..",
        ),
        (
            "oci:../runc/x",
            "an ID of a container has no / and is neither . nor ..",
        ),
        (
            "oci:/",
            "an ID of a container has no / and is neither . nor ..",
        ),
        ("machine:", "a name is missing"),
        (
            "machine:../x",
            "a name of a machine has no / and is neither . nor ..",
        ),
        ("unit:", "a name is missing"),
        (
            "unit:a/b",
            "a name of a unit has no / and is neither . nor ..",
        ),
        (
            "unit:a.target",
            "a unit of this type has no process of its own",
        ),
        (
            "netns:..",
            "a name of ip netns has no / and is neither . nor ..",
        ),
    ] {
        Tool::setns()
            .args([name, "echo", "it ran"])
            .run()
            .exits(125)
            .out("")
            .err(&format!("setns: '{name}': {why}\n"));
        let ran = Tool::nsenter()
            .args(["-n", "-t", name, "echo", "it ran"])
            .run();
        ran.exits(1)
            .out("")
            .err(&format!("nsenter: --target: '{name}': {why}\n"));
    }
    let tool = Tool::setns()
        .args(["oci:a\nb", "true"])
        .env("XDG_RUNTIME_DIR", "relative");
    let ran = tool.run().exits(125);
    assert_eq!(
        String::from_utf8_lossy(&ran.stderr).lines().count(),
        1,
        "{ran}"
    );
    for name in [
        "netns:blue",
        "/proc/self/ns/net",
        "all",
        "id:7",
        "net:[7]",
        "owner:pid:7",
    ] {
        Tool::nsenter()
            .args(["-n", "-t", name, "echo", "it ran"])
            .run()
            .exits(1)
            .out("")
            .err(&format!("nsenter: --target: '{name}' names no process\n"));
    }
    Tool::nsenter()
        .args(["-n", "-t", "web", "echo", "it ran"])
        .run()
        .exits(1)
        .err_has("nsenter: --target: 'web' is neither a PID nor one of oci:ID, ");
}

#[test]
fn other_references_to_a_process() {
    needs!(ours(NOT_THEIRS), root(), command("python3"));
    let holder = Holder::unshare("-u");
    let place = Place::new();
    let file = place.file("pid", holder.pid().to_string());
    let uts = format!("{}\n", Links::of(holder.pid()).get("uts"));
    for target in [format!("pidfile:{file}"), format!("pid:{}", holder.pid())] {
        Tool::nsenter()
            .args(["-u", "-t", &target, "readlink", "/proc/self/ns/uts"])
            .run()
            .ok()
            .out(&uts);
    }
    Tool::nsenter()
        .args(["-a", "-t", "self", "true"])
        .run()
        .ok();
    let script = "
import os, subprocess, sys
fd = os.pidfd_open(int(sys.argv[2])) if sys.argv[3] == 'pidfd' else os.open(f'/proc/{sys.argv[2]}/ns/uts', os.O_RDONLY)
words = [sys.argv[1], '-u', '-t', f'fd:{fd}', 'readlink', '/proc/self/ns/uts']
ran = subprocess.run(words, pass_fds=[fd], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
print(ran.returncode, ran.stdout.decode().replace(f'fd:{fd}', 'fd:N'), end='')
";
    let by_descriptor = |what: &str| {
        Tool::program("python3")
            .args(["-c", script])
            .arg(Tool::path_of("nsenter"))
            .args([&holder.pid().to_string(), what])
            .run()
            .ok()
    };
    by_descriptor("pidfd").out(&format!("0 {uts}"));
    by_descriptor("file").out("1 nsenter: fd:N: is a namespace, not a process\n");
}
