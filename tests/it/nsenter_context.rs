//! `nsenter`: users, directories and environment of the program, the target's or others.

use crate::harness::*;

#[test]
fn users_and_groups() {
    needs!(root(), command("setpriv"));
    let holder = Holder::unshare("-u");
    let pid = holder.pid().to_string();
    let id = |words: &str| {
        let script = format!(
            "exec setpriv --reuid 0 --regid 0 --groups 4,5,6 nsenter -t {pid} -u {words} sh -c 'id -u; id -g; id -G'"
        );
        Tool::shell(&script).run().ok().text().replace('\n', "/")
    };
    assert_eq!(id(""), "0/0/0 4 5 6");
    assert_eq!(id("-S 0"), "0/0/0 4 5 6");
    assert_eq!(id("-G 0"), "0/0/0");
    assert_eq!(id("-S 1000 -G 2000"), "1000/2000/2000");
    assert_eq!(
        id("-S1000 -G=2000".replace('=', "").as_str()),
        "1000/2000/2000"
    );
    assert_eq!(id("--setuid=5 --setgid 6"), "5/6/6");
    assert_eq!(id("-S 1 -S 5 -G 7 -G 6"), "5/6/6");
    assert_eq!(id("--preserve-credentials"), "0/0/0 4 5 6");
}

#[test]
fn users_and_groups_in_a_user_namespace() {
    needs!(root(), command("setpriv"));
    // IDs 0 to 99 are those of 1000 to 1099 outside.
    let holder = Holder::unshare("-U");
    for map in ["uid_map", "gid_map"] {
        std::fs::write(format!("/proc/{}/{map}", holder.pid()), "0 1000 100\n")
            .expect("root may map IDs");
    }
    let pid = holder.pid().to_string();
    let id = |words: &str| {
        let script = format!(
            "exec setpriv --reuid 0 --regid 0 --groups 1004,1005 nsenter -t {pid} -U {words} sh -c 'id -u; id -g; id -G'"
        );
        Tool::shell(&script).run().ok().text().replace('\n', "/")
    };
    assert_eq!(id(""), "0/0/0");
    assert_eq!(id("-S 9 -G 8"), "9/8/8");
    assert_eq!(id("-S 9"), "9/0/0");
    let overflow = std::fs::read_to_string("/proc/sys/kernel/overflowuid").expect("/proc");
    let overflow = overflow.trim();
    assert_eq!(
        id("--preserve-credentials"),
        format!("{overflow}/{overflow}/{overflow} 4 5")
    );
}

#[test]
fn the_targets_user_and_group() {
    needs!(root(), since(2, 43, "lacks 'follow'"));
    let holder = Holder::of(
        Tool::fixture().line("-u setpriv --reuid 7 --regid 8 --clear-groups"),
        "",
    );
    let pid = holder.pid().to_string();
    let id = |words: &str| {
        let tool = Tool::nsenter()
            .args(["-t", &pid, "-u"])
            .line(words)
            .sh("id -u; id -g");
        tool.run().ok().text().replace('\n', "/")
    };
    assert_eq!(id("-S follow -G follow"), "7/8");
    assert_eq!(id("-S follow"), "7/0");
    assert_eq!(id("-G follow"), "0/8");
}

/// A process whose root is a copy of the machine's, with its own /mnt/marker, in /mnt.
#[track_caller]
fn rooted(place: &Place) -> Holder {
    let root = place.subdir("root");
    let enter = "mount --rbind / \"$0\" && mount -t tmpfs tmpfs \"$0/mnt\" && echo root >\"$0/mnt/marker\" && exec chroot \"$0\" \"$@\"";
    Holder::of(
        Tool::fixture().args(["-m", "sh", "-c", enter, &root]),
        "cd /mnt",
    )
}

#[test]
fn root_and_working_directory_of_the_target() {
    needs!(root());
    let place = Place::new();
    place.file("mine", "mine\n");
    let holder = rooted(&place);
    let pid = holder.pid().to_string();
    let nsenter = || Tool::nsenter().args(["-t", &pid, "-m"]).dir(place.path());
    let dir = place.path().display().to_string();
    // A new mount namespace by itself: its own root, and that is the directory.
    nsenter().arg("pwd").run().ok().out("/\n");
    nsenter()
        .line("cat")
        .arg(format!("{dir}/root/mnt/marker"))
        .run()
        .ok()
        .out("root\n");
    nsenter()
        .line("-r cat /mnt/marker")
        .run()
        .ok()
        .out("root\n");
    nsenter()
        .line("--root --wd cat marker")
        .run()
        .ok()
        .out("root\n");
    nsenter().line("-r -w pwd").run().ok().out("/mnt\n");
    nsenter().line("-w cat marker").run().ok().out("root\n");
    nsenter()
        .line("-r --wdns=/mnt cat marker")
        .run()
        .ok()
        .out("root\n");
    nsenter().line("-r -W/mnt pwd").run().ok().out("/mnt\n");
    // A directory named by us is found before anything is entered.
    nsenter()
        .arg("-r")
        .arg(format!("-w{dir}"))
        .line("cat mine")
        .run()
        .ok()
        .out("mine\n");
    nsenter()
        .arg("-r")
        .arg(format!("--wd={dir}"))
        .line("cat mine")
        .run()
        .ok()
        .out("mine\n");
    nsenter()
        .arg("-w.")
        .line("cat mine")
        .run()
        .ok()
        .out("mine\n");
}

#[test]
fn a_directory_after_an_equals_sign() {
    needs!(root(), since(2, 43, "keeps the '=' after a short option"));
    let holder = Holder::unshare("-m");
    let pid = holder.pid().to_string();
    Tool::nsenter()
        .args(["-t", &pid, "-m", "-w=/proc/sys", "pwd"])
        .run()
        .ok()
        .out("/proc/sys\n");
    Tool::nsenter()
        .args(["-t", &pid, "-m", "-W=/proc/sys", "pwd"])
        .run()
        .ok()
        .out("/proc/sys\n");
}

#[test]
fn a_root_after_an_equals_sign() {
    needs!(root(), ours("-r=/dir keeps its '='"));
    let holder = Holder::unshare("-m");
    let pid = holder.pid().to_string();
    Tool::nsenter()
        .args(["-t", &pid, "-m", "-r=/", "pwd"])
        .run()
        .ok()
        .out("/\n");
}

#[test]
fn a_root_alone_keeps_our_directory_open() {
    needs!(root());
    let place = Place::new();
    place.file("mine", "mine\n");
    let holder = rooted(&place);
    Tool::nsenter()
        .args([
            "-t",
            &holder.pid().to_string(),
            "-u",
            "-r",
            "cat",
            "mine",
            "/mnt/marker",
        ])
        .dir(place.path())
        .run()
        .ok()
        .out("mine\nroot\n");
}

#[test]
fn directories_that_exclude_each_other() {
    needs!(root());
    let holder = Holder::unshare("-m");
    for words in ["-w/ -W/", "-W/ -w/", "--wd --wdns=/"] {
        Tool::nsenter()
            .args(["-t", &holder.pid().to_string(), "-m"])
            .line(words)
            .line("echo it ran")
            .run()
            .exits(1)
            .out("")
            .err_has("--wdns");
    }
}

#[test]
fn the_targets_environment() {
    needs!(root(), option("nsenter", "--env"));
    let tool = Tool::fixture()
        .arg("-u")
        .env("FROM", "the target")
        .env("ZLAST", "1");
    let holder = Holder::of(tool, "");
    let said = Tool::nsenter()
        .args(["-t", &holder.pid().to_string(), "-u", "-e", "env"])
        .env("FROM", "the caller")
        .env("MINE", "1")
        .run()
        .ok()
        .lines();
    assert!(said.contains(&"FROM=the target".to_owned()), "{said:?}");
    assert!(
        !said.iter().any(|line| line.starts_with("MINE=")),
        "{said:?}"
    );
}

#[test]
fn every_variable_of_the_target() {
    needs!(
        root(),
        option("nsenter", "--env"),
        ours("loses or cuts the last variable")
    );
    // env -i sets exactly these, in this order; the last is larger than any buffer.
    let large = "x".repeat(100_000);
    let script = format!(
        "echo $pid; exec env -i PATH=/usr/bin:/bin EMPTY= =odd 'NEWLINE=a\nb' TWICE=1 LAST={large} cat"
    );
    let holder = Holder::doing("-u", &script);
    let environ = std::fs::read(format!("/proc/{}/environ", holder.pid())).expect("/proc");
    let ran = Tool::nsenter()
        .args([
            "-t",
            &holder.pid().to_string(),
            "-u",
            "-e",
            "cat",
            "/proc/self/environ",
        ])
        .run()
        .ok();
    assert!(environ.ends_with(format!("LAST={large}\0").as_bytes()));
    assert!(ran.stdout == environ, "not the same: {ran}");
}

#[test]
fn the_program_is_found_in_the_path_that_it_gets() {
    needs!(root(), option("nsenter", "--env"));
    let place = Place::new();
    place.script("only-there", "#!/bin/sh\necho found\n");
    let tool = Tool::fixture()
        .arg("-u")
        .env("PATH", format!("{}:/usr/bin:/bin", place.path().display()))
        .env("ZLAST", "1");
    let holder = Holder::of(tool, "");
    Tool::nsenter()
        .args(["-t", &holder.pid().to_string(), "-u", "-e", "only-there"])
        .run()
        .ok()
        .out("found\n");
}

#[test]
fn the_shell_when_no_program_is_named() {
    needs!(root());
    let holder = Holder::unshare("-u");
    Tool::nsenter()
        .args(["-t", &holder.pid().to_string(), "-u"])
        .env("SHELL", "/bin/sh")
        .stdin("echo \"$0\"; readlink /proc/$$/ns/uts\n")
        .run()
        .ok()
        .out(&format!("-sh\n{}\n", Links::of(holder.pid()).get("uts")));
}
