//! Hints that are followed: what failed works when what was said is done.

use super::*;

/// A command line fails for this cause, and with the options that the hint adds it works.
#[track_caller]
fn works_with_what_is_added(make: impl Fn() -> Tool, words: &str, cause: &str) {
    let added = why(make().line(words)).to_add(cause);
    make().args(&added).line(words).run().ok();
}

/// The hint is a command, which makes the command line work.
#[track_caller]
fn works_after_what_is_said(make: impl Fn() -> Tool, cause: &str) {
    let command = why(make()).hint_of(cause);
    Tool::shell(&command).run().ok();
    make().run().ok();
}

#[test]
fn options_of_unshare() {
    needs!(root(), explains(), user_namespaces());
    let ordinary = || Tool::unshare().by_ordinary();
    for (words, cause) in [
        ("-n true", "CAP_SYS_ADMIN is missing"),
        ("-r --mount-proc true", "belongs to an outer user namespace"),
        ("-rp --mount-proc true", "has not been entered"),
        ("-R / true", "CAP_SYS_CHROOT is missing"),
        ("--setgroups=deny true", "CAP_SYS_ADMIN is missing"),
        ("-S 5 true", "CAP_SETUID is missing"),
    ] {
        works_with_what_is_added(ordinary, words, cause);
    }
}

#[test]
fn options_that_take_a_range_of_groups() {
    needs!(explains(), Subordinate::there());
    let user = || Subordinate::user().runs(Tool::unshare());
    works_with_what_is_added(user, "-G 0 true", "CAP_SETGID is missing");
    works_with_what_is_added(user, "-U -G 0 true", "gid_map is empty");
}

#[test]
fn options_of_nsenter() {
    needs!(root(), explains(), user_namespaces());
    let holder = Holder::ordinary("-rn");
    let (pid, net) = (holder.pid(), holder.file("net"));
    let ordinary = || Tool::nsenter().by_ordinary();
    let missing = "CAP_SYS_ADMIN is missing";
    works_with_what_is_added(ordinary, &format!("-t {pid} -n true"), missing);
    works_with_what_is_added(ordinary, &format!("--net={net} true"), missing);
    works_with_what_is_added(
        ordinary,
        &format!("-t {pid} -U true"),
        "setgroups says deny",
    );
    let own = Tool::nsenter().line(&format!("-t {} -U -n true", std::process::id()));
    why(own).because("we are in this user namespace already", "leave -U out");
}

#[test]
fn references_of_setns() {
    needs!(root(), explains(), user_namespaces());
    let holder = Holder::ordinary("-rn");
    let (pid, net) = (holder.pid(), holder.file("net"));
    let ordinary = |words: String| Tool::setns().line(&words).by_ordinary();
    let missing = "CAP_SYS_ADMIN is missing";
    why(ordinary(format!("net={pid} true"))).because(missing, "(user+KIND=REF)");
    ordinary(format!("user+net={pid} true")).run().ok();
    why(ordinary(format!("{net} true"))).because(missing, "(user=owner:REF)");
    ordinary(format!("user=owner:{net},net={net} true"))
        .run()
        .ok();
}

#[test]
fn the_kind_that_it_is() {
    needs!(root(), explains());
    let holder = Holder::unshare("-u");
    let uts = holder.file("uts");
    why(Tool::nsenter().line(&format!("--net={uts} true")))
        .because("it is a uts namespace", "--uts");
    Tool::nsenter()
        .line(&format!("--uts={uts} true"))
        .run()
        .ok();
    why(Tool::setns().line(&format!("net={uts} true"))).because("it is a uts namespace", "uts=REF");
    Tool::setns().line(&format!("uts={uts} true")).run().ok();
}

#[test]
fn a_file_for_a_namespace() {
    needs!(root(), explains());
    let place = Place::new();
    for file in ["a/b/net", "net", "a b/net"] {
        let file = place.at(file);
        let bound = || Tool::unshare().arg(format!("--net={file}")).arg("true");
        works_after_what_is_said(bound, "there is no ");
        Tool::shell("umount \"$1\"").arg("sh").arg(&file).run().ok();
    }
    let link = place.at("link");
    std::os::unix::fs::symlink("gone", &link).expect("a link");
    let bound = || Tool::unshare().arg(format!("--net={link}")).arg("true");
    works_after_what_is_said(bound, "is a symbolic link to gone");
    Tool::shell("umount \"$1\"").arg("sh").arg(&link).run().ok();
}

#[test]
fn a_name_that_is_close() {
    needs!(root(), explains());
    let place = Place::new();
    let dir = place.path().display().to_string();
    // As ip netns keeps names, in a /run of the test's own.
    let script = "mount -t tmpfs tmpfs /run && mkdir /run/netns && : >/run/netns/uxred && \
         mount --bind /proc/self/ns/net /run/netns/uxred && exec ";
    let inside = |words: &str| {
        Tool::fixture()
            .line("-m --propagation private")
            .sh(&format!("{script}{words}"))
    };
    for words in [
        "setns netns:uxrd true",
        "setns /run/netns/uxrd true",
        "nsenter --net=/run/netns/uxrd true",
    ] {
        why(inside(words)).because("there is no /run/netns/uxrd", "did you mean uxred?");
        inside(&words.replace("uxrd", "uxred")).run().ok();
    }
    why(inside("setns netns:green true")).because("there is no /run/netns/green", "ip netns add");
    why(Tool::setns().arg(format!("{dir}/x")).arg("true"))
        .because("there is no", "correct the path");
}

#[test]
fn a_directory_for_a_proc() {
    needs!(root(), explains());
    let place = Place::new();
    let dir = place.at("a/proc");
    let mounted = || {
        Tool::unshare()
            .arg("-pf")
            .arg(format!("--mount-proc={dir}"))
            .arg("true")
    };
    works_after_what_is_said(mounted, "there is no ");
}

#[test]
fn a_program_that_may_not_be_executed() {
    needs!(root(), explains());
    let place = Place::new();
    let program = place.script("program", "#!/bin/sh\n");
    let plain = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&program, plain).expect("our file");
    works_after_what_is_said(|| Tool::unshare().arg(&program), "has no x bit");
    std::fs::write(&program, "#!/bin/sh\r\n").expect("our file");
    let hint = why(Tool::unshare().arg(&program)).hint_of("carriage return");
    let command = hint.strip_prefix("take it away: ").expect("a command");
    Tool::shell(command).run().ok();
    Tool::unshare().arg(&program).run().ok();
}

/// The files of accounts are copies here, so that usermod(8) may change them.
const COPIED: &str = r#"
set -e
mount -t tmpfs tmpfs "$1"
cp -a /etc/. "$1"
mount --bind "$1" /etc
shift
"#;

#[test]
fn a_range_that_usermod_adds() {
    needs!(
        root(),
        explains(),
        Subordinate::there(),
        command("usermod"),
        command("setpriv")
    );
    let user = Subordinate::user();
    let place = Place::new();
    let (first, uid, gid) = (4_000_000, user.uid, user.gid);
    let mapped = format!(
        "setpriv --reuid={uid} --regid={gid} --clear-groups unshare --map-users=0:{first}:5 true"
    );
    let hint = why(user.runs(Tool::unshare().line(&format!("--map-users=0:{first}:5 true"))))
        .hint_of("are not in the ranges of");
    let (_, command) = hint.split_once("let root run ").expect("a command");
    let (command, _) = command.split_once(", which").expect("an explanation");
    Tool::fixture()
        .line("-m --propagation private")
        .sh(&format!(
            "{COPIED}! {mapped} 2>/dev/null; {command}; {mapped}"
        ))
        .arg("sh")
        .arg(place.subdir("etc"))
        .run()
        .ok();
}
