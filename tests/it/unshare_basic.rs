//! `unshare`: exactly the namespaces asked for are new, for root and for an ordinary user.

use crate::harness::*;

/// Short option, long option, and the kind that becomes new when the program also forks.
const OPTIONS: [(&str, &str, &str); 8] = [
    ("C", "cgroup", "cgroup"),
    ("i", "ipc", "ipc"),
    ("m", "mount", "mnt"),
    ("n", "net", "net"),
    ("p", "pid", "pid"),
    ("T", "time", "time"),
    ("U", "user", "user"),
    ("u", "uts", "uts"),
];

#[track_caller]
fn becomes_new(tool: Tool, kinds: &[&str]) {
    let ran = tool.line(INSIDE).run().ok();
    let inside = Links::said(&ran.text());
    assert_eq!(inside.unlike(&Links::mine()), kinds, "{ran}");
}

#[test]
fn each_kind_by_its_short_option() {
    needs!(root());
    for (short, _, kind) in OPTIONS {
        becomes_new(
            Tool::unshare().arg(format!("-{short}")).arg("--fork"),
            &[kind],
        );
    }
}

#[test]
fn each_kind_by_its_long_option() {
    needs!(root());
    for (_, long, kind) in OPTIONS {
        becomes_new(Tool::unshare().arg(format!("--{long}")).arg("-f"), &[kind]);
    }
}

#[test]
fn each_kind_without_a_fork() {
    needs!(root());
    for (short, _, kind) in OPTIONS {
        // Only children enter a new PID namespace.
        let expected: &[&str] = if kind == "pid" { &[] } else { &[kind] };
        becomes_new(Tool::unshare().arg(format!("-{short}")), expected);
    }
}

#[test]
fn a_program_that_did_not_fork_gets_its_pid_namespace_with_its_first_child() {
    needs!(root());
    let ran = Tool::unshare()
        .arg("-p")
        .sh("sh -c 'echo $$'; echo $$ >&2")
        .run()
        .exits(0);
    assert_eq!(ran.text(), "1", "{ran}");
    assert_ne!(String::from_utf8_lossy(&ran.stderr).trim(), "1", "{ran}");
}

#[test]
fn every_set_of_kinds_in_one_cluster() {
    needs!(root());
    for set in 0..1_u32 << OPTIONS.len() {
        let asked = |index: &usize| set >> index & 1 == 1;
        let chosen: Vec<_> = (0..OPTIONS.len())
            .filter(asked)
            .map(|index| OPTIONS[index])
            .collect();
        let letters: String = chosen.iter().map(|(short, ..)| *short).collect();
        let kinds: Vec<_> = chosen.iter().map(|(.., kind)| *kind).collect();
        becomes_new(Tool::unshare().arg(format!("-{letters}f")), &kinds);
    }
}

#[test]
fn all_kinds_by_single_words() {
    needs!(root());
    becomes_new(Tool::unshare().line("-m -u -i -n -p -f -U -C -T"), &KINDS);
    becomes_new(
        Tool::unshare().line("--mount --uts --ipc --net --pid --fork --user --cgroup --time"),
        &KINDS,
    );
}

#[test]
fn nothing_asked_for_is_nothing_new() {
    becomes_new(Tool::unshare(), &[]);
    becomes_new(Tool::unshare().arg("--fork"), &[]);
    becomes_new(Tool::unshare().arg("--"), &[]);
}

#[test]
fn an_ordinary_user_owns_every_kind_in_a_user_namespace() {
    needs!(user_namespaces());
    for (short, long, kind) in OPTIONS {
        let mut kinds = vec![kind, "user"];
        kinds.sort();
        kinds.dedup();
        becomes_new(
            Tool::unshare().arg(format!("-U{short}f")).by_ordinary(),
            &kinds,
        );
        becomes_new(
            Tool::unshare()
                .args(["--user", "--fork"])
                .arg(format!("--{long}"))
                .by_ordinary(),
            &kinds,
        );
    }
    becomes_new(Tool::unshare().line("-muinpfUCT").by_ordinary(), &KINDS);
}

#[test]
fn an_ordinary_user_gets_nothing_without_a_user_namespace() {
    for (short, _, kind) in OPTIONS {
        if kind != "user" {
            Tool::unshare()
                .arg(format!("-{short}"))
                .args(["echo", "it ran"])
                .by_ordinary()
                .run()
                .exits(1)
                .out("")
                .err("unshare: unshare failed: Operation not permitted\n");
        }
    }
}

#[test]
fn options_that_imply_namespaces() {
    needs!(user_namespaces());
    for word in ["-r", "-c", "--map-user=5", "--map-group=5"] {
        becomes_new(Tool::unshare().arg(word).by_ordinary(), &["user"]);
    }
    becomes_new(
        Tool::unshare().line("-r --mount-proc -pf").by_ordinary(),
        &["mnt", "pid", "user"],
    );
}

#[test]
fn root_in_namespaces_of_its_own() {
    needs!(user_namespaces(), command("bash"));
    for root in [true, false] {
        let tool = Tool::unshare().args(["-Urpf", "bash", "-c"]);
        let tool = tool.arg("echo $$ $(id -u) $(id -g); cat /proc/self/uid_map /proc/self/gid_map");
        let (tool, outside) = if root && is_root() {
            (tool, 0)
        } else {
            (
                tool.by_ordinary(),
                if is_root() { ORDINARY } else { own_uid() },
            )
        };
        let said = tool.run().ok().text();
        let words: Vec<_> = said.split_ascii_whitespace().collect();
        let map = ["0", &outside.to_string(), "1"];
        assert_eq!(words[..6], [&["1", "0", "0"], &map[..]].concat(), "{said}");
        assert_eq!((words[6], words[8]), ("0", "1"), "{said}");
    }
}

fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

#[test]
fn a_proc_of_its_own_shows_only_its_processes() {
    needs!(user_namespaces(), command("ps"));
    for words in ["-Urpf --mount-proc", "-Urpf --mount-proc=/proc"] {
        let said = Tool::unshare()
            .line(words)
            .line("ps ax")
            .by_ordinary()
            .run()
            .ok()
            .lines();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("PID"), "{said:?}");
        assert_eq!(
            said[1].split_ascii_whitespace().next(),
            Some("1"),
            "{said:?}"
        );
    }
}

#[test]
fn a_proc_of_its_own_leaves_ours_alone() {
    needs!(user_namespaces());
    // What is mounted on /proc here; other tests mount elsewhere meanwhile.
    let on_proc = || -> Vec<String> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc");
        let here = |line: &&str| line.split(' ').nth(4) == Some("/proc");
        mounts.lines().filter(here).map(str::to_owned).collect()
    };
    let before = on_proc();
    Tool::unshare()
        .line("-Urpf --mount-proc")
        .line("test -d /proc/1")
        .by_ordinary()
        .run()
        .ok();
    assert_eq!(on_proc(), before);
    assert_eq!(
        std::fs::read_link("/proc/self").expect("/proc").to_str(),
        Some(&*std::process::id().to_string())
    );
}

#[test]
fn each_map_of_one_id() {
    needs!(user_namespaces());
    let outside = if is_root() { ORDINARY } else { own_uid() };
    let maps = "cat /proc/self/uid_map; id -u";
    for (words, inside) in [
        ("-r", 0),
        ("--map-root-user", 0),
        ("-c", outside),
        ("--map-current-user", outside),
        ("--map-user=5", 5),
        ("--map-user=5 --map-group=6", 5),
        ("-r -c", outside),
        ("-c -r", 0),
        ("-r --map-user=7", 7),
        ("--map-user=7 -r", 0),
    ] {
        let said = Tool::unshare()
            .line(words)
            .sh(maps)
            .by_ordinary()
            .run()
            .ok()
            .text();
        let words_said: Vec<_> = said.split_ascii_whitespace().collect();
        let (inside, outside) = (inside.to_string(), outside.to_string());
        assert_eq!(words_said, [&*inside, &outside, "1", &inside], "{words}");
    }
}

#[test]
fn a_map_of_an_account_by_its_name() {
    needs!(Subordinate::there());
    let user = Subordinate::user();
    for word in ["--map-user", "--map-group"] {
        let id = if word == "--map-user" { "-u" } else { "-g" };
        let inside = if id == "-u" { user.uid } else { user.gid };
        Tool::unshare()
            .args([word, &user.name, "id", id])
            .by_ordinary()
            .run()
            .ok()
            .out(&format!("{inside}\n"));
    }
}

#[test]
fn a_user_namespace_without_a_map_has_the_overflow_ids() {
    needs!(user_namespaces());
    let said = Tool::unshare()
        .arg("-U")
        .sh("id -u; cat /proc/self/uid_map")
        .by_ordinary()
        .run()
        .ok();
    let overflow = std::fs::read_to_string("/proc/sys/kernel/overflowuid").expect("/proc");
    said.out(&overflow);
}

#[test]
fn the_shell_when_no_program_is_named() {
    needs!(root());
    Tool::unshare()
        .arg("-u")
        .env("SHELL", "/bin/sh")
        .stdin("echo \"$0\"; hostname inside && hostname\n")
        .run()
        .exits(0)
        .out("-sh\ninside\n");
}

#[test]
fn a_hostname_set_inside_stays_inside() {
    needs!(root());
    let hostname = || std::fs::read_to_string("/proc/sys/kernel/hostname").expect("/proc");
    let before = hostname();
    Tool::unshare()
        .arg("-u")
        .sh("hostname elsewhere; hostname")
        .run()
        .ok()
        .out("elsewhere\n");
    assert_eq!(hostname(), before);
}

#[test]
fn mounts_made_inside_stay_inside() {
    needs!(user_namespaces());
    let place = Place::new().owned_by_ordinary();
    let dir = place.subdir("dir");
    let script = format!("mount -t tmpfs none {dir} && touch {dir}/inside && ls {dir}");
    Tool::unshare()
        .line("-rm")
        .sh(&script)
        .by_ordinary()
        .run()
        .ok()
        .out("inside\n");
    assert_eq!(std::fs::read_dir(dir).expect("a directory").count(), 0);
}

#[test]
fn a_new_network_has_only_lo_and_it_is_down() {
    needs!(user_namespaces(), command("ip"));
    let said = Tool::unshare()
        .line("-rn ip -o link")
        .by_ordinary()
        .run()
        .ok()
        .lines();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("lo:") && said[0].contains("state DOWN"),
        "{said:?}"
    );
}

#[test]
fn propagation_of_a_new_mount_namespace() {
    needs!(user_namespaces());
    for (words, tag) in [
        ("-Urm", ""),
        ("-Urm --propagation private", ""),
        ("-Urm --propagation=shared", "shared:"),
    ] {
        let line = Tool::unshare()
            .line(words)
            .line("awk $5==\"/\"{print($7)} /proc/self/mountinfo")
            .by_ordinary()
            .run()
            .ok()
            .text();
        if tag.is_empty() {
            assert_eq!(line, "-", "{words}");
        } else {
            assert!(line.starts_with(tag), "{words}: {line}");
        }
    }
}

#[test]
fn slave_propagation_lets_mounts_in_and_none_out() {
    needs!(user_namespaces(), command("findmnt"));
    let place = Place::new().owned_by_ordinary();
    let dir = place.path().display();
    // A shared mount; inside, a slave of it. What is mounted outside arrives, and nothing goes back.
    let inner = "mount -t tmpfs in b; echo >ready; while ! test -e a/done; do sleep 0.01; done; echo arrived";
    let script = format!(
        "mount -t tmpfs t {dir}; mount --make-shared {dir}; cd {dir}; mkdir a b
         unshare -m --propagation slave sh -c '{inner}' &
         while ! test -e ready; do sleep 0.01; done
         mount -t tmpfs out a; : >a/done; wait; findmnt -n -o SOURCE b || echo none"
    );
    Tool::fixture()
        .line("-rm")
        .sh(&script)
        .by_ordinary()
        .run()
        .ok()
        .out("arrived\nnone\n");
}

#[test]
fn root_and_working_directory() {
    needs!(user_namespaces());
    let place = Place::new();
    place.subdir("below");
    Tool::unshare()
        .arg(format!("--wd={}", place.path().display()))
        .arg("pwd")
        .run()
        .ok()
        .out(&format!("{}\n", place.path().display()));
    // A chroot of everything: the working directory becomes its root.
    Tool::unshare()
        .line("-r -R / pwd")
        .dir(place.path())
        .by_ordinary()
        .run()
        .ok()
        .out("/\n");
    Tool::unshare()
        .line("-r -R/ -w /proc/sys pwd")
        .by_ordinary()
        .run()
        .ok()
        .out("/proc/sys\n");
}

#[test]
fn clock_offsets_of_a_time_namespace() {
    needs!(root(), kind("time"));
    let offsets = |words: &str| {
        let said = Tool::unshare()
            .line(words)
            .line("cat /proc/self/timens_offsets")
            .run()
            .ok()
            .text();
        said.split_ascii_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        offsets("-T -f --monotonic=100 --boottime 300000000"),
        ["monotonic", "100", "0", "boottime", "300000000", "0"]
    );
    assert_eq!(
        offsets("-Tf --boottime=7"),
        ["monotonic", "0", "0", "boottime", "7", "0"]
    );
}
