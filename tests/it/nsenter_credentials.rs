//! `nsenter`: who the program is, with which groups and capabilities, as its own status says.

use crate::harness::*;

/// `cat /proc/self/status` of the program.
#[track_caller]
fn status(tool: Tool) -> Status {
    Status::said(&tool.line("cat /proc/self/status").run().ok().text())
}

/// Real, effective, saved and file system user and group, and the groups: `5 6 7,8`.
#[track_caller]
fn ids(status: &Status) -> String {
    let four = |field| {
        let all: Vec<&str> = status.get(field).split_ascii_whitespace().collect();
        assert!(
            all.len() == 4 && all.iter().all(|id| *id == all[0]),
            "{status:?}"
        );
        all[0].to_owned()
    };
    let groups: Vec<&str> = status.get("Groups").split_ascii_whitespace().collect();
    format!("{} {} {}", four("Uid"), four("Gid"), groups.join(","))
}

/// The tool as root with the groups 1004 and 1005, which are 4 and 5 in [`mapped`].
fn with_groups() -> Tool {
    Tool::program("setpriv")
        .line("--reuid 0 --regid 0 --groups 1004,1005")
        .arg(Tool::path_of("nsenter"))
}

/// A user namespace whose IDs 0 to 99 are 1000 to 1099 here, and 65534 is 1100.
#[track_caller]
fn mapped() -> Holder {
    let holder = Holder::unshare("-Un");
    for map in ["uid_map", "gid_map"] {
        let map = format!("/proc/{}/{map}", holder.pid());
        std::fs::write(map, "0 1000 100\n65534 1100 1\n").expect("root may map IDs");
    }
    holder
}

/// A process in the namespaces of another, by these words for `nsenter`.
#[track_caller]
fn below(holder: &Holder, words: &str) -> Holder {
    let tool = Tool::nsenter()
        .args(["-t", &holder.pid().to_string()])
        .line(words);
    Holder::of(tool, "")
}

#[test]
fn nobody_else_by_default() {
    needs!(root(), command("setpriv"));
    let holder = mapped();
    let nsenter = |words: &str| {
        let tool = with_groups()
            .args(["-t", &holder.pid().to_string()])
            .line(words);
        ids(&status(tool))
    };
    assert_eq!(nsenter("-U"), "0 0 ");
    assert_eq!(nsenter("-a"), "0 0 ");
    assert_eq!(nsenter("-U -S 9"), "9 0 ");
    assert_eq!(nsenter("-U -G 9"), "0 9 ");
    assert_eq!(nsenter("-U -S 9 -G 8"), "9 8 ");
    // What is not mapped shows as the overflow ID, and groups that are mapped are kept.
    assert_eq!(nsenter("-U --preserve-credentials"), "65534 65534 4,5");
    assert_eq!(nsenter("-U --preserve-credentials -S 9"), "9 65534 4,5");
    assert_eq!(nsenter("-U --preserve-credentials -G 9"), "65534 9 ");
    // Without a user namespace nothing changes.
    assert_eq!(nsenter("-n"), "0 0 1004,1005");
    assert_eq!(nsenter("-n -S 9"), "9 0 1004,1005");
    assert_eq!(nsenter("-n -G 9"), "0 9 ");
    assert_eq!(nsenter("-n --preserve-credentials -S 3 -G 2"), "3 2 ");
}

#[test]
fn by_file_too() {
    needs!(root(), command("setpriv"));
    let holder = mapped();
    let file = format!("-U{}", holder.file("user"));
    assert_eq!(ids(&status(with_groups().arg(&file))), "0 0 ");
    let kept = with_groups().arg(&file).arg("--preserve-credentials");
    assert_eq!(ids(&status(kept)), "65534 65534 4,5");
}

#[test]
fn all_of_a_target_in_our_user_namespace_changes_nobody() {
    needs!(root(), command("setpriv"));
    let holder = Holder::unshare("-nu");
    let tool = |words: &str| {
        with_groups()
            .args(["-a", "-t", &holder.pid().to_string()])
            .line(words)
    };
    assert_eq!(ids(&status(tool(""))), "0 0 1004,1005");
    assert_eq!(ids(&status(tool("-S 5"))), "5 0 1004,1005");
    assert_eq!(ids(&status(tool("-G 5"))), "0 5 ");
}

#[test]
fn names() {
    needs!(root(), ours("knows numbers only"));
    let holder = Holder::unshare("-u");
    let tool = |words: &str| {
        Tool::nsenter()
            .args(["-u", "-t", &holder.pid().to_string()])
            .line(words)
    };
    assert_eq!(ids(&status(tool("-S root -G root"))), "0 0 ");
    let passwd = std::fs::read_to_string("/etc/passwd").expect("accounts");
    let account = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields[0] == "daemon")
        .expect("daemon has an account");
    assert_eq!(
        ids(&status(tool("-S daemon"))).split(' ').next(),
        Some(account[2])
    );
    for (words, named) in [
        ("-S no-such-user", "--setuid"),
        ("-G no-such-group", "--setgid"),
        ("--groups=no-such-group", "--groups"),
        ("-S Follow", "--setuid"),
        ("-S -1", "--setuid"),
        ("-S 4294967296", "--setuid"),
        ("-G 4294967295", "--setgid"),
    ] {
        let ran = tool(words).line("echo it ran").run().exits(1).out("");
        assert!(
            String::from_utf8_lossy(&ran.stderr).contains(named),
            "{ran}"
        );
    }
}

#[test]
fn groups_that_are_named() {
    needs!(root(), command("setpriv"), ours("has no --groups"));
    let holder = mapped();
    let nsenter = |words: &str| {
        let tool = with_groups()
            .args(["-t", &holder.pid().to_string()])
            .line(words);
        ids(&status(tool))
    };
    assert_eq!(nsenter("-U --groups=7"), "0 0 7");
    assert_eq!(nsenter("-U --groups=7,8,9 -G 6"), "0 6 7,8,9");
    assert_eq!(nsenter("-U --groups=7 -S 5 -G 6"), "5 6 7");
    assert_eq!(nsenter("-n --groups=7"), "0 0 7");
    assert_eq!(
        nsenter("-U --groups=7 --preserve-credentials"),
        "65534 65534 7"
    );
    with_groups()
        .args(["-t", &holder.pid().to_string(), "-U", "--groups=7,500"])
        .line("echo it ran")
        .run()
        .exits(1)
        .out("")
        .err("nsenter: setgroups failed: Invalid argument\n");
}

#[test]
fn the_target_is_followed_in_the_numbers_of_where_the_program_is() {
    needs!(root(), command("setpriv"), since(2, 43, "lacks 'follow'"));
    let outer = mapped();
    let target = below(&outer, "-U -S 5 -G 6");
    let follow = |words: &str| {
        let tool = Tool::nsenter()
            .args([
                "-t",
                &target.pid().to_string(),
                "-S",
                "follow",
                "-G",
                "follow",
            ])
            .line(words);
        ids(&status(tool))
    };
    assert_eq!(follow("-U"), "5 6 ");
    assert_eq!(follow("-a"), "5 6 ");
    assert_eq!(follow(&format!("-U{}", target.file("user"))), "5 6 ");
    // Outside it is another number.
    assert_eq!(follow("-n"), "1005 1006 ");
}

#[test]
fn a_target_in_our_own_user_namespace_is_followed() {
    needs!(root(), since(2, 43, "lacks 'follow'"));
    // Nobody is what its map says here: that speaks of the parent.
    let outer = mapped();
    let target = below(&outer, "-U -n -S 5 -G 6");
    let inner = Tool::path_of("nsenter");
    let tool = Tool::nsenter()
        .args(["-t", &outer.pid().to_string(), "-U"])
        .arg(&inner)
        .args([
            "-t",
            &target.pid().to_string(),
            "-n",
            "-S",
            "follow",
            "-G",
            "follow",
        ]);
    assert_eq!(ids(&status(tool)), "5 6 ");
}

#[test]
fn nobody_is_followed_only_where_it_is_somebody() {
    needs!(root(), since(2, 43, "lacks 'follow'"));
    let holder = mapped();
    let nobody = below(&holder, "-U -S 65534 -G 65534");
    let follow = |pid: i32, words: &str| {
        Tool::nsenter()
            .args(["-t", &pid.to_string(), "-S", "follow", "-G", "follow"])
            .line(words)
    };
    assert_eq!(ids(&status(follow(nobody.pid(), "-U"))), "65534 65534 ");
    needs!(ours("becomes the overflow user"));
    // A process that is nobody in there: its number is not mapped.
    let tool = Tool::nsenter()
        .args(["-t", &holder.pid().to_string()])
        .line("-U --preserve-credentials");
    let stranger = Holder::of(tool, "");
    follow(stranger.pid(), "-U echo it ran")
        .run()
        .exits(1)
        .out("")
        .err_has("is not mapped in the user namespace that was entered");
}

/// The overflow IDs are the machine's to choose. To change them here would change them for everybody, so files that say
/// others lie over them: then the kernel's own are somebody.
#[test]
fn who_is_nobody_the_machine_says() {
    needs!(root(), ours("becomes the overflow user"));
    let holder = mapped();
    let tool = Tool::nsenter()
        .args(["-t", &holder.pid().to_string()])
        .line("-U --preserve-credentials");
    let stranger = Holder::of(tool, "");
    let place = Place::new();
    let file = place.file("overflow", "7\n");
    let follow = |covered: &str, words: &str| {
        let script =
            format!("mount --bind {file} /proc/sys/kernel/overflow{covered} && exec \"$@\"");
        Tool::fixture()
            .line("-m --propagation private")
            .args(["sh", "-c", &script, "sh"])
            .arg(Tool::path_of("nsenter"))
            .args(["-U", "-t", &stranger.pid().to_string()])
            .line(words)
            .run()
    };
    let nobody = "is not mapped in the user namespace that was entered";
    follow("uid", "-S follow id -u").ok().out("65534\n");
    follow("uid", "-G follow id -g").exits(1).err_has(nobody);
    follow("gid", "-G follow id -g").ok().out("65534\n");
    follow("gid", "-S follow id -u").exits(1).err_has(nobody);
}

#[test]
fn the_targets_groups() {
    needs!(root(), command("setpriv"), ours("has no --groups"));
    let holder = Holder::of(
        Tool::fixture().line("-u setpriv --reuid 0 --regid 0 --groups 7,8,1000"),
        "",
    );
    let pid = holder.pid().to_string();
    let tool = Tool::nsenter().args(["-t", &pid, "-u", "--groups=follow"]);
    assert_eq!(ids(&status(tool)), "0 0 7,8,1000");
    // In a user namespace, those that exist there.
    let outer = mapped();
    let tool = Tool::program("setpriv")
        .line("--reuid 0 --regid 0 --groups 7,1003,1004,5000")
        .arg(Tool::path_of("nsenter"))
        .args(["-t", &outer.pid().to_string()])
        .line("-U --preserve-credentials -S 0");
    let target = Holder::of(tool, "");
    let tool = Tool::nsenter().args(["-t", &target.pid().to_string(), "-U", "--groups=follow"]);
    assert_eq!(ids(&status(tool)), "0 0 3,4");
}

#[test]
fn what_is_followed_is_there_or_it_is_an_error() {
    needs!(
        root(),
        ours("becomes root when the target cannot be looked at")
    );
    for words in ["-S follow", "-G follow", "--groups=follow"] {
        Tool::nsenter()
            .line("-t4194305 -u/proc/self/ns/uts")
            .line(words)
            .line("echo it ran")
            .run()
            .exits(1)
            .out("");
        Tool::nsenter()
            .line("-u/proc/self/ns/uts")
            .line(words)
            .line("echo it ran")
            .run()
            .exits(1)
            .out("")
            .err_has("neither filename nor target pid supplied for ");
    }
}

#[test]
fn the_last_of_several_counts() {
    needs!(
        root(),
        since(2, 43, "lacks 'follow'"),
        ours("forgets the number after 'follow'")
    );
    let holder = Holder::of(
        Tool::fixture().line("-u setpriv --reuid 7 --regid 8 --clear-groups"),
        "",
    );
    let id = |words: &str| {
        let tool = Tool::nsenter()
            .args(["-u", "-t", &holder.pid().to_string()])
            .line(words);
        ids(&status(tool))
    };
    assert_eq!(id("-S follow -S 3"), "3 0 ");
    assert_eq!(id("-S 3 -S follow"), "7 0 ");
    assert_eq!(id("-G follow -G 3"), "0 3 ");
    assert_eq!(id("-G 3 -G follow"), "0 8 ");
}

#[test]
fn a_container_where_setgroups_is_denied() {
    needs!(root(), user_namespaces());
    // A map without privilege needs that (user_namespaces(7)).
    let holder = Holder::ordinary("-r");
    let nsenter = |words: &str| {
        Tool::nsenter()
            .args(["-U", "-t", &holder.pid().to_string()])
            .line(words)
    };
    for words in ["", "-G 0", "-S 0", "-S 0 -G 0"] {
        nsenter(words)
            .line("echo it ran")
            .by_ordinary()
            .run()
            .exits(1)
            .out("")
            .err("nsenter: setgroups failed: Operation not permitted\n");
    }
    assert_eq!(
        ids(&status(nsenter("--preserve-credentials").by_ordinary())),
        "0 0 "
    );
    let uid = nsenter("--preserve-credentials -S 0").by_ordinary();
    assert_eq!(ids(&status(uid)), "0 0 ");
    // Whoever is privileged outside has dropped them before.
    needs!(command("setpriv"));
    let privileged = with_groups().args(["-U", "-t", &holder.pid().to_string()]);
    assert_eq!(ids(&status(privileged)), "0 0 ");
}

#[test]
fn groups_do_not_survive_whatever_else_is_asked_for() {
    needs!(root(), command("setpriv"), user_namespaces());
    let (denied, allowed) = (Holder::ordinary("-rn"), mapped());
    for holder in [&denied, &allowed] {
        for words in [
            "-U",
            "-U -S 0",
            "-U -G 0",
            "-U -S 0 -G 0",
            "-a",
            "-a -S 0",
            "-a -G 0",
            "-U -n -F",
            "-n -U",
        ] {
            let tool = with_groups()
                .args(["-t", &holder.pid().to_string()])
                .line(words);
            assert_eq!(ids(&status(tool)), "0 0 ", "{words}");
        }
    }
}

#[test]
fn ids_that_are_not_mapped() {
    needs!(
        root(),
        user_namespaces(),
        since(2, 43, "says it in other words")
    );
    let holder = mapped();
    for (words, call) in [
        ("-S 500", "setuid()"),
        ("-G 500", "setgid()"),
        ("-S 100", "setuid()"),
    ] {
        Tool::nsenter()
            .args(["-U", "-t", &holder.pid().to_string()])
            .line(words)
            .line("echo it ran")
            .run()
            .exits(1)
            .out("")
            .err(&format!("nsenter: {call} failed: Invalid argument\n"));
    }
    // 0 is not mapped in a user namespace whose user is the same inside.
    let same = Holder::ordinary("-c");
    Tool::nsenter()
        .args(["-U", "-t", &same.pid().to_string(), "echo", "it ran"])
        .run()
        .exits(1)
        .out("")
        .err("nsenter: setgid() failed: Invalid argument\n");
}

#[test]
fn capabilities_are_kept_with_a_user_namespace_alone() {
    needs!(
        root(),
        user_namespaces(),
        ours("--keep-caps does nothing with -U alone")
    );
    let holder = Holder::ordinary("-c");
    let nsenter = |words: &str| {
        Tool::nsenter()
            .args(["-U", "-t", &holder.pid().to_string()])
            .line(words)
    };
    let kept = status(nsenter("--preserve-credentials --keep-caps").by_ordinary());
    let without = status(nsenter("--preserve-credentials").by_ordinary());
    assert_eq!(kept.mask("CapEff"), kept.mask("CapBnd"));
    assert_eq!(kept.mask("CapAmb"), kept.mask("CapBnd"));
    assert_eq!(without.mask("CapEff"), 0);
    assert_eq!(ids(&kept), format!("{ORDINARY} {ORDINARY} "));
    let ids_too = status(nsenter(&format!("-S {ORDINARY} -G {ORDINARY} --keep-caps")));
    assert_eq!(ids_too.mask("CapEff"), ids_too.mask("CapBnd"));
    // By file, and of another user than root inside.
    let file = Tool::nsenter()
        .arg(format!("-U{}", holder.file("user")))
        .line("--keep-caps --preserve-credentials");
    let by_file = status(file.by_ordinary());
    assert_eq!(by_file.mask("CapEff"), by_file.mask("CapBnd"));
    let several = mapped();
    let tool = Tool::nsenter()
        .args(["-U", "-n", "-t", &several.pid().to_string()])
        .line("-S 5 -G 5 --keep-caps");
    let several = status(tool);
    assert_eq!(several.mask("CapEff"), several.mask("CapBnd"));
    assert_eq!(ids(&several), "5 5 ");
}

#[test]
fn capabilities_are_as_they_were_without_a_user_namespace() {
    needs!(root(), option("nsenter", "--keep-caps"));
    let holder = Holder::unshare("-nu");
    let nsenter = |words: &str| {
        let tool = Tool::nsenter()
            .args(["-t", &holder.pid().to_string()])
            .line(words);
        let status = status(tool);
        ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|field| status.mask(field))
    };
    assert_eq!(nsenter("-n --keep-caps"), nsenter("-n"));
    assert_eq!(nsenter("-a --keep-caps"), nsenter("-a"));
    assert_eq!(nsenter("-n --keep-caps -S 7"), nsenter("-n -S 7"));
}
