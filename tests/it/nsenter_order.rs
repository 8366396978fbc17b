//! `nsenter`: the order against the user namespace, from every side of it.
//!
//! The hard thing: what may be entered depends on who asks, on who owns it, and on what was entered before.

use crate::harness::*;

/// Where the program is.
#[track_caller]
fn inside(tool: Tool) -> Links {
    Links::said(&tool.line(INSIDE).run().ok().text())
}

/// A process this many user namespaces deep; its other namespaces are made in the innermost.
#[track_caller]
fn deep(levels: usize, words: &str, by_ordinary: bool) -> Holder {
    let unshare = Tool::path_of("unshare");
    let mut tool = Tool::fixture().arg("-r");
    for _ in 1..levels {
        tool = tool.arg(&unshare).arg("-r");
    }
    tool = tool.line(words);
    Holder::of(
        if by_ordinary {
            tool.by_ordinary()
        } else {
            tool
        },
        "",
    )
}

/// An option for each of these kinds of a process, by file.
fn files<const N: usize>(options: [(&str, &str, &Holder); N]) -> [String; N] {
    options.map(|(option, kind, of)| format!("--{option}={}", of.file(kind)))
}

/// Three things in every order.
fn orders(of: [String; 3]) -> Vec<[String; 3]> {
    let order = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    order.map(|order| order.map(|at| of[at].clone())).to_vec()
}

#[test]
fn all_of_a_target_one_two_and_three_user_namespaces_deep() {
    needs!(root(), user_namespaces());
    for levels in 1..=3 {
        for owned_by_ordinary in [false, true] {
            let holder = deep(levels, "-CimnpTuf", owned_by_ordinary);
            let target = Links::of(holder.pid());
            let pid = holder.pid().to_string();
            for words in ["-a", "-U -m -n -p -i -u -C -T", "-p -n -U -m -u -C -T -i"] {
                let tool = || {
                    Tool::nsenter()
                        .args(["--preserve-credentials", "-t", &pid])
                        .line(words)
                };
                assert_eq!(inside(tool()), target, "{levels}: {words}");
                if owned_by_ordinary {
                    assert_eq!(inside(tool().by_ordinary()), target, "{levels}: {words}");
                }
            }
        }
    }
}

#[test]
fn some_kinds_of_a_deep_target() {
    needs!(user_namespaces());
    for levels in 1..=3 {
        let holder = deep(levels, "-mnuf", true);
        for (words, kinds) in [
            ("-U", &["user"][..]),
            ("-U -n", &["net", "user"]),
            ("-u -m -U", &["mnt", "user", "uts"]),
        ] {
            let tool = Tool::nsenter()
                .args(["--preserve-credentials", "-t", &holder.pid().to_string()])
                .line(words);
            let links = inside(tool.by_ordinary());
            assert_eq!(links.unlike(&Links::mine()), kinds, "{levels}: {words}");
            let others = links.unlike(&Links::of(holder.pid()));
            assert!(
                !others.iter().any(|kind| kinds.contains(kind)),
                "{levels}: {words}"
            );
        }
    }
}

/// Runs `nsenter` in a user namespace of an ordinary user, on a target that was made there, and gives where the
/// target is and where the program was. `outer` and `inner` are for `unshare`.
#[track_caller]
fn from_inside(outer: &str, inner: &str, words: &str) -> (Links, Links) {
    let place = Place::new().owned_by_ordinary();
    let file = place.at("pid");
    let script = format!(
        "unshare {inner} sh -c 'read -r pid rest </proc/self/stat; echo $pid >{file}.new; mv {file}.new {file}; exec sleep 60' &
         while ! test -e {file}; do sleep 0.01; done
         target=$(cat {file})
         for kind in cgroup ipc mnt net pid time user uts; do readlink /proc/$target/ns/$kind; done
         echo and
         nsenter -t $target {words} {INSIDE}
         status=$?
         kill -9 $target; wait
         exit $status"
    );
    let ran = Tool::fixture().line(outer).by_ordinary().sh(&script).run();
    let said = ran.exits(0).text();
    let (target, program) = said.split_once("and\n").expect("both were said");
    (Links::said(target), Links::said(program))
}

#[test]
fn from_inside_a_user_namespace_into_one_below() {
    needs!(user_namespaces());
    let all = "-rCimnpTuf";
    let (target, program) = from_inside("-r", all, "-a --preserve-credentials");
    assert_eq!(program, target);
    let (target, program) = from_inside("-r", all, "-U -n -m -u --preserve-credentials");
    assert_eq!(program.unlike(&target), ["cgroup", "ipc", "pid", "time"]);
}

#[test]
fn from_inside_a_user_namespace_into_what_it_owns() {
    needs!(user_namespaces());
    // The target is in our user namespace, and elsewhere otherwise.
    let (target, program) = from_inside("-r", "-nmuf", "-n -m -u");
    assert_eq!(program, target);
    let (target, program) = from_inside("-rm", "-nuf", "-n -u");
    assert_eq!(program, target);
}

#[test]
fn from_inside_a_user_namespace_all_of_what_shares_kinds_that_are_not_ours() {
    needs!(
        user_namespaces(),
        ours("-a is refused for the kinds that are shared with us")
    );
    // Cgroup, IPC… belong to the initial user namespace, into which we have no privilege.
    for (outer, inner) in [("-r", "-rn"), ("-r", "-nu"), ("-rm", "-run")] {
        let (target, program) = from_inside(outer, inner, "-a --preserve-credentials");
        assert_eq!(program, target, "{outer} {inner}");
    }
}

/// A process whose network belongs to the user namespace of the tests, and whose mounts to its own.
#[track_caller]
fn network_of_ours() -> Holder {
    let unshare = Tool::path_of("unshare");
    Holder::of(Tool::fixture().arg("-n").arg(unshare).line("-rmf"), "")
}

#[test]
fn a_network_of_the_initial_user_namespace_and_mounts_of_the_own() {
    needs!(root(), user_namespaces());
    let holder = network_of_ours();
    let target = Links::of(holder.pid());
    let pid = holder.pid().to_string();
    for words in ["-a", "-U -n -m", "-m -n -U"] {
        let links = inside(Tool::nsenter().args(["-t", &pid]).line(words));
        assert_eq!(links, target, "{words}");
    }
    for order in orders(files([
        ("user", "user", &holder),
        ("net", "net", &holder),
        ("mount", "mnt", &holder),
    ])) {
        assert_eq!(inside(Tool::nsenter().args(&order)), target, "{order:?}");
    }
    // Some by the target, others by file.
    for (words, file) in [
        ("-U -m", ("net", "net")),
        ("-U -n", ("mount", "mnt")),
        ("-n -m", ("user", "user")),
    ] {
        let tool = Tool::nsenter().args(["-t", &pid]).line(words);
        let links = inside(tool.args(files([(file.0, file.1, &holder)])));
        assert_eq!(links, target, "{words}");
    }
}

#[test]
fn files_of_different_owners_on_the_way_by_an_ordinary_user() {
    needs!(
        user_namespaces(),
        ours("does not stop over in the user namespace between")
    );
    // The network belongs to the outer of two, the mounts to the inner.
    let unshare = Tool::path_of("unshare");
    let tool = Tool::fixture().arg("-rn").arg(unshare).line("-rmf");
    let holder = Holder::of(tool.by_ordinary(), "");
    let target = Links::of(holder.pid());
    for order in orders(files([
        ("user", "user", &holder),
        ("net", "net", &holder),
        ("mount", "mnt", &holder),
    ])) {
        let tool = Tool::nsenter()
            .arg("--preserve-credentials")
            .args(&order)
            .by_ordinary();
        assert_eq!(inside(tool), target, "{order:?}");
    }
}

#[test]
fn a_file_of_a_relative_on_the_way() {
    needs!(
        user_namespaces(),
        ours("does not stop over in the user namespace between")
    );
    let unshare = Tool::path_of("unshare");
    let parent = Holder::ordinary("-r");
    let below = |words: &str| {
        let tool = Tool::nsenter()
            .args([
                "--preserve-credentials",
                "-U",
                "-t",
                &parent.pid().to_string(),
            ])
            .arg(&unshare)
            .line(words);
        Holder::of(tool.by_ordinary(), "")
    };
    // The network belongs to a user namespace beside the wanted one: it can be entered from the parent only.
    let (wanted, beside) = (below("-r"), below("-rn"));
    for order in [
        files([("user", "user", &wanted), ("net", "net", &beside)]),
        files([("net", "net", &beside), ("user", "user", &wanted)]),
    ] {
        let links = inside(
            Tool::nsenter()
                .arg("--preserve-credentials")
                .args(&order)
                .by_ordinary(),
        );
        assert_eq!(links.get("user"), Links::of(wanted.pid()).get("user"));
        assert_eq!(links.get("net"), Links::of(beside.pid()).get("net"));
    }
}

#[test]
fn a_file_beside_all_of_a_rootless_container() {
    needs!(
        user_namespaces(),
        ours("-a is refused for the kinds that are shared with us")
    );
    // The other kinds of the container are ours, and the kernel refuses each; the network is its neighbour's.
    let unshare = Tool::path_of("unshare");
    let holder = Holder::ordinary("-Urm");
    let neighbour = Tool::nsenter()
        .args([
            "--preserve-credentials",
            "-U",
            "-t",
            &holder.pid().to_string(),
        ])
        .arg(unshare)
        .arg("-n");
    let neighbour = Holder::of(neighbour.by_ordinary(), "");
    let tool = Tool::nsenter()
        .args([
            "--preserve-credentials",
            "-a",
            "-t",
            &holder.pid().to_string(),
        ])
        .args(files([("net", "net", &neighbour)]))
        .by_ordinary();
    let links = inside(tool);
    assert_eq!(links.unlike(&Links::of(holder.pid())), ["net"]);
    assert_eq!(links.get("net"), Links::of(neighbour.pid()).get("net"));
}

#[test]
fn a_refusal_among_several_files_names_the_kind() {
    needs!(user_namespaces());
    let holder = Holder::ordinary("-Urm");
    let refused = Tool::nsenter()
        .arg("--preserve-credentials")
        .args(files([
            ("user", "user", &holder),
            ("mount", "mnt", &holder),
        ]))
        .args(["--net=/proc/self/ns/net", "echo", "it ran"])
        .by_ordinary();
    refused
        .run()
        .exits(1)
        .out("")
        .err("nsenter: reassociate to namespace 'ns/net' failed: Operation not permitted\n");
}

#[test]
fn mounts_that_are_ours_are_entered_when_they_are_named() {
    needs!(
        user_namespaces(),
        since(2, 43, "opens the files of the namespaces")
    );
    // Entering one's own resets root and directory: not to be left out in silence.
    let holder = Holder::ordinary("-Urn");
    Tool::nsenter()
        .args(["--preserve-credentials", "-t", &holder.pid().to_string()])
        .line("-U -n -m echo it ran")
        .by_ordinary()
        .run()
        .exits(1)
        .out("")
        .err("nsenter: reassociate to namespaces failed: Operation not permitted\n");
}

#[test]
fn a_mount_namespace_of_our_own_leads_out_of_a_chroot() {
    needs!(root());
    let place = Place::new();
    let root = place.subdir("root");
    // The copy of the root has other files in /mnt, which only the real root shows below the copy's own path.
    let script = format!(
        "mount --rbind / {root} && mount -t tmpfs tmpfs {root}/mnt && echo inner >{root}/mnt/marker &&
         exec chroot {root} nsenter -t $$ -m cat {root}/mnt/marker"
    );
    Tool::fixture()
        .line("-m --propagation private")
        .sh(&script)
        .run()
        .ok()
        .out("inner\n");
}

/// The calls of setns(2) that succeeded, each as the set of its kinds.
#[track_caller]
fn done(words: &[String], by_ordinary: bool) -> Vec<Vec<String>> {
    let place = Place::new();
    let place = if by_ordinary {
        place.owned_by_ordinary()
    } else {
        place
    };
    let file = place.at("trace");
    let tool = Tool::program("strace")
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=setns",
            "-e",
            "signal=none",
            "-o",
            &file,
        ])
        .arg(Tool::path_of("nsenter"))
        .args(words)
        .arg("true");
    let tool = if by_ordinary {
        tool.by_ordinary()
    } else {
        tool
    };
    tool.run().ok();
    let flags = [
        ("CLONE_NEWUSER", "user"),
        ("CLONE_NEWCGROUP", "cgroup"),
        ("CLONE_NEWIPC", "ipc"),
        ("CLONE_NEWUTS", "uts"),
        ("CLONE_NEWNET", "net"),
        ("CLONE_NEWPID", "pid"),
        ("CLONE_NEWNS", "mnt"),
        ("CLONE_NEWTIME", "time"),
    ];
    let trace = std::fs::read_to_string(&file).expect("strace writes it");
    trace
        .lines()
        .filter(|line| line.ends_with("= 0"))
        .map(|line| {
            let given = line.split(['|', ' ', ')', ',']).collect::<Vec<_>>();
            let kinds = flags.iter().filter(|(flag, _)| given.contains(flag));
            kinds.map(|(_, kind)| kind.to_string()).collect()
        })
        .collect()
}

/// The same, as `--dry-run` says it.
#[track_caller]
fn planned(words: &[String], by_ordinary: bool) -> Vec<Vec<String>> {
    let tool = Tool::nsenter().arg("--dry-run").args(words).arg("true");
    let tool = if by_ordinary {
        tool.by_ordinary()
    } else {
        tool
    };
    let said = tool.run().ok().lines();
    said.iter()
        .filter_map(|line| line.strip_prefix("setns "))
        .map(|line| {
            let kinds = line.split(" of process").next().unwrap_or(line);
            let kinds = kinds.split(", ").filter(|word| KINDS.contains(word));
            kinds.map(str::to_owned).collect()
        })
        .collect()
}

#[test]
fn the_plan_is_the_order_that_is_done() {
    needs!(
        root(),
        user_namespaces(),
        command("strace"),
        option("nsenter", "--dry-run")
    );
    let unshare = Tool::path_of("unshare");
    let nested = Tool::fixture().arg("-rn").arg(unshare).line("-rmf");
    let (nested, flat, ours) = (
        Holder::of(nested.by_ordinary(), ""),
        Holder::ordinary("-Urn"),
        network_of_ours(),
    );
    let three = |of: &Holder| {
        files([
            ("mount", "mnt", of),
            ("net", "net", of),
            ("user", "user", of),
        ])
        .to_vec()
    };
    let target = |of: &Holder, words: &str| {
        let words = words.split_ascii_whitespace().map(str::to_owned);
        [format!("-t{}", of.pid())]
            .into_iter()
            .chain(words)
            .collect()
    };
    let kinds = |calls: &[&[&str]]| -> Vec<Vec<String>> {
        calls
            .iter()
            .map(|call| call.iter().map(|kind| kind.to_string()).collect())
            .collect()
    };
    let cases: Vec<(Vec<String>, bool, Vec<Vec<String>>)> = vec![
        // By file: what belongs to us first, the user namespace, what belongs to it.
        (three(&ours), false, kinds(&[&["net"], &["user"], &["mnt"]])),
        // Root needs no stop over, its owner does.
        (
            three(&nested),
            false,
            kinds(&[&["net"], &["user"], &["mnt"]]),
        ),
        (
            three(&nested),
            true,
            kinds(&[&["user"], &["net"], &["user"], &["mnt"]]),
        ),
        // By pidfd: all at once.
        (
            target(&nested, "-U -n -m"),
            true,
            kinds(&[&["user", "net", "mnt"]]),
        ),
        (
            target(&ours, "-U -n -m"),
            false,
            kinds(&[&["user", "net", "mnt"]]),
        ),
        // Those that are ours are left out.
        (target(&flat, "-a"), true, kinds(&[&["user", "net"]])),
        (target(&flat, "-U -u -n"), true, kinds(&[&["user", "net"]])),
        (
            target(&nested, "-n --user-parent"),
            true,
            kinds(&[&["user"], &["net"]]),
        ),
    ];
    for (mut words, by_ordinary, expected) in cases {
        words.push("--preserve-credentials".to_owned());
        assert_eq!(done(&words, by_ordinary), expected, "{words:?}");
        assert_eq!(planned(&words, by_ordinary), expected, "{words:?}");
    }
}

#[test]
fn a_plan_whose_parts_cannot_be_opened_is_refused_like_the_deed() {
    needs!(root(), option("nsenter", "--dry-run"));
    let holder = Holder::unshare("-nu");
    for words in [
        format!("-t{} -u -r", holder.pid()),
        format!("--net={}", holder.file("net")),
        "-t4194304 -n".to_owned(),
        "--net=/no/such/file".to_owned(),
    ] {
        let run = |dry: &str| {
            let tool = Tool::nsenter().line(dry).line(&words).line("echo it ran");
            tool.by_ordinary().run().exits(1).out("")
        };
        assert_eq!(run("--dry-run").stderr, run("").stderr, "{words}");
    }
}

#[test]
fn a_plan_that_will_be_refused_says_so() {
    needs!(root(), option("nsenter", "--dry-run"));
    let holder = Holder::unshare("-nu");
    for words in [
        format!("-t{} -n", holder.pid()),
        format!("-t{} -n -u", holder.pid()),
    ] {
        let tool = Tool::nsenter()
            .arg("--dry-run")
            .line(&words)
            .line("echo it ran");
        let said = tool.by_ordinary().run().exits(1).text();
        assert!(said.contains("\nwould fail: "), "{words}: {said}");
        assert!(said.contains("Operation not permitted"), "{words}: {said}");
    }
}

#[test]
fn a_rehearsal_changes_nothing_and_runs_nothing() {
    needs!(root(), option("nsenter", "--dry-run"));
    let holder = Holder::unshare("-CimnpTuf");
    let place = Place::new();
    let said = Tool::nsenter()
        .args(["--dry-run", "-a", "-r", "-w", "-e", "-S", "follow", "-t"])
        .arg(holder.pid().to_string())
        .arg(format!("--pidfile={}", place.at("pid")))
        .args(["touch", &place.at("touched")])
        .run()
        .ok()
        .text();
    assert!(said.contains("execute touch"), "{said}");
    let left = std::fs::read_dir(place.path())
        .expect("our directory")
        .count();
    assert_eq!(left, 0, "{said}");
}
