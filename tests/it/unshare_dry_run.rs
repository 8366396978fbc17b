//! What `unshare` does not do: what it only says with `--dry-run`, and what it refuses before it does anything.

use crate::harness::*;

#[test]
fn what_would_be_done_is_what_is_done() {
    needs!(root(), command("strace"), ours("lacks --dry-run"));
    let place = Place::new();
    let trace = place.at("trace");
    for (words, steps) in [
        (
            "-mu --propagation slave --hostname box -w /usr -S 7 -G 8 true",
            &[
                ("unshare uts, mnt", "unshare(CLONE_NEWNS|CLONE_NEWUTS)"),
                ("make / and all below it slave", "MS_REC|MS_SLAVE"),
                ("change to /usr", "chdir(\"/usr\")"),
                ("set the host name to box", "sethostname(\"box\", 3)"),
                ("drop the supplementary groups", "setgroups(0, []"),
                ("setgid 8", "setresgid(8, 8, 8)"),
                ("setuid 7", "setresuid(7, 7, 7)"),
                ("execute true", "execve(\"/usr/bin/true\", [\"true\"]"),
            ][..],
        ),
        (
            "-r -T --monotonic=5 -pf --mount-proc -R / true",
            &[
                ("unshare user, pid, mnt, time", "CLONE_NEWUSER|CLONE_NEWPID"),
                (
                    "write /proc/self/setgroups: deny",
                    "\"/proc/self/setgroups\", O_WRONLY",
                ),
                (
                    "write /proc/self/uid_map: 0 0 1",
                    "\"/proc/self/uid_map\", O_WRONLY",
                ),
                (
                    "write /proc/self/gid_map: 0 0 1",
                    "\"/proc/self/gid_map\", O_WRONLY",
                ),
                (
                    "write /proc/self/timens_offsets: monotonic 5 0",
                    "\"monotonic 5 0\"",
                ),
                ("fork", "clone("),
                ("  make / and all below it private", "MS_REC|MS_PRIVATE"),
                ("  chroot to /, then to its /", "chroot(\"/\")"),
                (
                    "  mount proc on /proc",
                    "mount(\"proc\", \"/proc\", \"proc\", MS_NOSUID|MS_NODEV|MS_NOEXEC",
                ),
                ("  execute true", "execve(\"/usr/bin/true\", [\"true\"]"),
            ][..],
        ),
    ] {
        let ran = Tool::unshare().arg("--dry-run").line(words).run().ok();
        let planned: Vec<_> = steps.iter().map(|(step, _)| *step).collect();
        assert_eq!(ran.lines(), planned, "{words}");

        Tool::program("strace")
            .args(["-f", "-s", "200", "-o", &trace])
            .arg("unshare")
            .line(words)
            .env("PATH", format!("{}:/usr/bin", stage()))
            .run()
            .ok();
        let text = std::fs::read_to_string(&trace).expect("strace writes its file");
        // Of IDs of 32 bits, on machines that have calls for those of 16 too.
        let text = text.replace("groups32(", "groups(").replace("id32(", "id(");
        let mut lines = text.lines();
        for (step, call) in steps {
            let found = lines.any(|line| line.contains(call));
            assert!(found, "{words}: {step:?} in its place: {call}\n{text}");
        }
    }
}

/// Where the tools under test are.
fn stage() -> String {
    let path = Tool::path_of("unshare");
    let dir = path.parent().expect("a directory");
    dir.to_str().expect("a plain name").to_owned()
}

#[test]
fn a_dry_run_changes_nothing() {
    needs!(root(), command("strace"), ours("lacks --dry-run"));
    let place = Place::new();
    place.file("uts", "");
    let words = "--dry-run -a --init --uts=uts --pidfile=pid --hostname box --loopback --mount-binfmt -S 7 \
        --owner 5:6 --map-users=all --pivot-root -R /usr -w / --clear-env --keep-caps nosuchprogram";
    let words: Vec<String> = words.split_ascii_whitespace().map(str::to_owned).collect();
    let ran = nothing_is_done(&words, &place).exits(127).err("");
    assert!(ran.lines().len() > 12, "{ran}");
    assert_eq!(
        std::fs::read_dir(place.path())
            .expect("a directory")
            .count(),
        1
    );
    assert!(
        Tool::unshare()
            .line("--dry-run -U")
            .by_ordinary()
            .run()
            .succeeded()
    );
}

#[test]
fn the_exit_status_is_that_of_what_fails_first() {
    needs!(root(), ours("lacks --dry-run"));
    let ordinary = |make: fn() -> Tool| move || make().by_ordinary();
    let (unshare, nsenter, setns) = (Tool::unshare, Tool::nsenter, Tool::setns);
    let (unshare_of_user, nsenter_of_user) = (ordinary(unshare), ordinary(nsenter));
    let cases: [(&dyn Fn() -> Tool, &str, i32); 11] = [
        (&unshare, "true", 0),
        (&unshare, "no-such-program", 127),
        (&unshare, "/etc/passwd", 126),
        (&unshare, "/etc/passwd/x", 126),
        (&unshare, "-w /no/such no-such-program", 1),
        (&unshare_of_user, "-n no-such-program", 1),
        (&unshare_of_user, "-rf no-such-program", 127),
        (
            &nsenter_of_user,
            "--user=/proc/self/ns/user no-such-program",
            1,
        ),
        (&setns, "net=self true", 0),
        (&setns, "net=self no-such-program", 127),
        (&setns, "user=self no-such-program", 125),
    ];
    for (tool, words, status) in cases {
        let by = |words: &str, form: &[&str]| tool().args(form).line(words).run().exits(status);
        let done = by(words, &[]);
        let rehearsed = by(words, &["--dry-run"]);
        assert_eq!(
            rehearsed.text().contains("would fail: "),
            status != 0,
            "{rehearsed}"
        );
        let json = by(words, &["--dry-run", "--json"]);
        let said: serde_json::Value = serde_json::from_str(&json.text()).expect("JSON");
        assert_eq!(said["status"], status, "{done}{json}");
        let plan = said["plan"].as_array().expect("a list");
        let shown = rehearsed.lines();
        assert_eq!(
            plan.last().and_then(|line| line.as_str()),
            Some(&*shown[plan.len() - 1]),
            "{json}"
        );
    }
    // What is refused, and could not be foretold, comes before what is foretold for later.
    let holder = Holder::ordinary("-rn");
    let pid = holder.pid();
    let words = format!("--in-order net={pid},user={pid} no-such-program");
    let refused = |form: &[&str]| {
        let ran = Tool::setns().args(form).line(&words).by_ordinary().run();
        ran.exits(125).out("").stderr
    };
    assert_eq!(refused(&["--dry-run"]), refused(&[]));
    assert_eq!(refused(&["--dry-run", "--json"]), refused(&[]));
}

#[test]
fn a_plan_as_json() {
    needs!(root(), ours("lacks --json"));
    let json = |tool: Tool| tool.args(["--dry-run", "--json"]);
    json(Tool::unshare())
        .args(["-uf", "--hostname", "a\"b", "true"])
        .run()
        .ok()
        .out(
            "{\"plan\":[\"unshare uts\",\"fork\",\"  set the host name to 'a\\\"b'\",\"  execute true\"],\
             \"failures\":[],\"status\":0}\n",
        );
    json(Tool::unshare())
        .args(["-w", "/etc/passwd", "true"])
        .run()
        .exits(1)
        .out(
            "{\"plan\":[\"change to /etc/passwd\",\"execute true\"],\"failures\":[{\"step\":\"directory\",\
             \"line\":\"change to /etc/passwd\",\"errno\":\"ENOTDIR\",\"causes\":[{\"cause\":\"/etc/passwd is no \
             directory\",\"hint\":\"name a directory\"}]}],\"status\":1}\n",
        );
    // What cannot be opened is no plan.
    json(Tool::nsenter())
        .args(["--net=/no/such", "true"])
        .run()
        .exits(1)
        .out("")
        .err("nsenter: cannot open /no/such: No such file or directory\n");
    // It is a form of something.
    for (tool, words) in [
        (Tool::unshare(), "--json true"),
        (Tool::nsenter(), "--json -t 1 -u true"),
    ] {
        tool.line(words)
            .run()
            .exits(1)
            .out("")
            .err_has("--json needs --dry-run");
    }
    let shown = Tool::setns().args(["--json", "net=self"]).run().ok();
    assert!(shown.text().starts_with("{\"namespaces\":"), "{shown}");
}

/// Runs the command line under strace(1), which sees nothing that changes anything.
#[track_caller]
fn nothing_is_done(words: &[String], place: &Place) -> Ran {
    let traces = Place::new();
    let trace = traces.at("trace");
    let calls = "trace=unshare,clone,clone3,fork,vfork,mount,umount2,setns,sethostname,setresuid,setresgid,\
        setgroups,chroot,pivot_root,renameat,unlinkat";
    let ran = Tool::program("strace")
        .args(["-f", "-o", &trace, "-e", calls])
        .arg(Tool::path_of("unshare"))
        .args(words)
        .dir(place.path())
        .run();
    let text = std::fs::read_to_string(&trace).expect("strace writes its file");
    // What is foretold is asked from the kernel by calls that cannot succeed.
    let done: Vec<_> = text
        .lines()
        .filter(|line| !line.contains("+++") && !line.contains(" = -1 E"))
        .collect();
    assert!(done.is_empty(), "{words:?}: {done:?}");
    ran
}

#[test]
fn contradictions_are_refused_before_anything_is_done() {
    needs!(
        command("strace"),
        ours("says some of it later, and some not at all")
    );
    let place = Place::new();
    for (words, line) in [
        (
            "--setgroups=allow -r",
            "options --setgroups=allow and --map-group are mutually exclusive",
        ),
        (
            "--setgroups allow --map-group=5 -m",
            "options --setgroups=allow and --map-group are mutually exclusive",
        ),
        (
            "--monotonic=5 -m",
            "options --monotonic and --boottime require unsharing of a time namespace (-T)",
        ),
        (
            "--boottime=0",
            "options --monotonic and --boottime require unsharing of a time namespace (-T)",
        ),
        (
            "--pid=file -m",
            "--pid=FILE needs --fork: a PID namespace can be bound once it has a process",
        ),
        (
            "--pivot-root -m",
            "--pivot-root needs --root: the directory to pivot to",
        ),
        (
            "--pivot-root -R /",
            "--pivot-root needs --mount: only a new mount namespace can get another root",
        ),
        (
            "-m --propagation odd",
            "--propagation: 'odd' is not one of slave, shared, private, unchanged",
        ),
        (
            "-U --setgroups odd",
            "--setgroups: 'odd' is not one of allow, deny",
        ),
        ("-U --owner=5", "--owner: '5' is not of the form UID:GID"),
        (
            "-m -l junk",
            "--load-interp: 'junk' has not seven fields that each begin with its first byte; :name:type:offset:magic:mask:interpreter:flags is accepted",
        ),
        (
            "-m -S 4294967295",
            "--setuid: '4294967295' means \"no ID\" to the kernel; a number from 0 to 4294967294 is accepted",
        ),
        ("-m --kill-child=FOO", "--kill-child: 'FOO' is not a signal"),
    ] {
        let words: Vec<String> = words
            .split(' ')
            .map(str::to_owned)
            .chain(["echo".into(), "it ran".into()])
            .collect();
        let ran = nothing_is_done(&words, &place).exits(1).out("");
        ran.err_has(&format!("unshare: {line}"));
    }
}

#[test]
fn contradictions_that_util_linux_knows_too() {
    for words in [
        "--setgroups=allow -r true",
        "--setgroups=allow --map-group=0 true",
        "--monotonic=5 true",
        "--boottime=5 -m true",
    ] {
        let ran = Tool::unshare().line(words).run().exits(1).out("");
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(text.starts_with("unshare: options --"), "{ran}");
    }
}
