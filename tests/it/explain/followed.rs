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

#[test]
fn a_limit_that_is_raised() {
    needs!(root(), explains(), user_namespaces(), command("sysctl"));
    // In a user namespace of their own, whose limits are theirs.
    let limited = |then: &str| {
        let script = format!("echo 0 >/proc/sys/user/max_net_namespaces; {then}");
        Tool::fixture().line("-Ur").sh(&script).by_ordinary()
    };
    let hint = why(limited("exec unshare -n true")).hint_of("user.max_net_namespaces is 0 here");
    let command = hint.strip_prefix("raise it: ").expect("a command");
    limited(&format!(
        "! unshare -n true 2>/dev/null && {command} >/dev/null && unshare -n true"
    ))
    .run()
    .ok();
}

#[test]
fn a_number_of_processes_that_is_raised() {
    needs!(root(), explains());
    let limited = |then: &str| {
        let tool = Tool::program("/bin/bash").args(["-c", &format!("ulimit -Su 1; {then}")]);
        tool.by_ordinary()
    };
    let hint = why(limited("exec unshare -f true")).hint_of("RLIMIT_NPROC is 1");
    assert_eq!(hint, "raise it: ulimit -u, prlimit --nproc");
    limited("ulimit -u hard && exec unshare -f true").run().ok();
}

#[test]
fn the_order_of_what_is_nested() {
    needs!(root(), explains(), user_namespaces());
    // A second PID namespace before anything is in the first, and a child after its init has ended.
    for (inner, cause) in [
        (
            "exec unshare -p true",
            "a PID namespace was already unshared here",
        ),
        ("/bin/true; exec unshare -f true", "init"),
    ] {
        let nested = |outer: &[String]| {
            Tool::unshare()
                .arg("-p")
                .args(outer)
                .args(["sh", "-c", inner])
        };
        let hint = why(nested(&[])).hint_of(cause);
        assert!(hint.contains("--fork"), "{hint}");
        nested(&["--fork".to_owned()]).run().ok();
    }
    // IDs that were mapped to nothing.
    let nested = |outer: &str| {
        Tool::unshare()
            .line(outer)
            .line("unshare -U true")
            .by_ordinary()
    };
    why(nested("-U")).because(
        "have no IDs in this user namespace",
        "as unshare -r or -c does",
    );
    nested("-r").run().ok();
    nested("-c").run().ok();
}

#[test]
fn ids_that_are_mapped() {
    needs!(root(), explains(), user_namespaces());
    let user = |words: &str| {
        Tool::unshare()
            .line("-r")
            .line(words)
            .arg("true")
            .by_ordinary()
    };
    let hint = why(user("-S 5")).hint_of("");
    let (_, mapped) = hint
        .split_once("use a user of /proc/self/uid_map: ")
        .expect("the users");
    user(&format!("-S {mapped}")).run().ok();
    let group = |words: &str| {
        Tool::unshare()
            .line("--map-users=0:0:1 --map-groups=0:0:1")
            .line(words)
            .arg("true")
    };
    let hint = why(group("--groups 5")).hint_of("");
    let (_, mapped) = hint
        .split_once("use groups of /proc/self/gid_map: ")
        .expect("the groups");
    group(&format!("--groups {mapped}")).run().ok();
}

#[test]
fn who_may_enter_it() {
    needs!(root(), explains(), user_namespaces());
    let holder = Holder::ordinary("-rn");
    let (pid, net) = (holder.pid(), holder.file("net"));
    // Root of nothing but itself.
    let other = || {
        Tool::setns()
            .line(&format!("user=owner:{net},net={net} true"))
            .by_user(54_321, 54_321)
    };
    let hint = why(other()).hint_of("");
    assert!(hint.contains("run as "), "{hint}");
    Tool::setns()
        .line(&format!("user=owner:{net},net={net} true"))
        .by_ordinary()
        .run()
        .ok();
    Tool::setns().line(&format!("net={net} true")).run().ok();
    // The root directory of one's own process, by which a root directory is changed.
    let root = || Tool::nsenter().line(&format!("-t {pid} -n -r true"));
    let added = why(root().by_ordinary()).to_add("CAP_SYS_ADMIN is missing");
    Tool::nsenter()
        .args(&added)
        .line(&format!("-t {pid} -n -r true"))
        .by_ordinary()
        .run()
        .ok();
}

#[test]
fn a_chroot_that_is_left_unchanged() {
    needs!(root(), explains(), command("chroot"));
    let place = Place::new();
    let chrooted = |words: &str| {
        Tool::fixture()
            .line("-m --propagation private")
            .sh(&format!(
                "{}exec chroot \"$root\" unshare {words} -m true",
                super::unshare::CHROOT
            ))
            .arg("sh")
            .arg(place.subdir("new"))
    };
    let hint = why(chrooted("")).hint_of("no mount point");
    let added = hint.strip_prefix("add ").expect("an option");
    chrooted(added).run().ok();
}

#[test]
fn a_private_place_for_a_mount_namespace() {
    needs!(root(), explains());
    let place = Place::new();
    let dir = place.path().display().to_string();
    let shared = |then: &str| {
        let script = format!(
            "mount -t tmpfs tmpfs {dir} && mount --make-shared {dir} && mkdir {dir}/a && : >{dir}/a/ns && {then}"
        );
        Tool::fixture().line("-m").sh(&script)
    };
    let bind = format!("unshare --mount={dir}/a/ns true");
    let hint = why(shared(&bind)).hint_of("is shared");
    let (commands, _) = hint.split_once(", then bind there").expect("commands");
    shared(&format!("! {bind} 2>/dev/null && {commands} && {bind}"))
        .run()
        .ok();
}

#[test]
fn a_file_in_a_directory() {
    needs!(root(), explains());
    let place = Place::new();
    let dir = place.subdir("a b");
    let bound = |file: &str| Tool::unshare().arg(format!("--uts={file}")).arg("true");
    let hint = why(bound(&dir)).hint_of("is a directory");
    let (command, named) = hint
        .split_once(", and name that: ")
        .expect("a command and an option");
    Tool::shell(command).run().ok();
    Tool::shell(&format!("unshare {named} true && umount '{dir}/ns'"))
        .run()
        .ok();
}

#[test]
fn a_bind_inside_what_is_ones_own() {
    needs!(root(), explains(), user_namespaces());
    let place = Place::new().owned_by_ordinary();
    let file = place.file("net", "");
    let bind = || {
        Tool::unshare()
            .arg("-r")
            .arg(format!("--net={file}"))
            .arg("true")
            .by_ordinary()
    };
    let hint = why(bind()).hint_of("");
    let (_, inside) = hint
        .split_once("all of it inside ")
        .expect("a command line");
    let all = format!("{inside} unshare --net={file} true");
    Tool::unshare()
        .line(all.strip_prefix("unshare ").expect("ours"))
        .by_ordinary()
        .run()
        .ok();
    why(bind());
}

#[test]
fn what_may_be_executed() {
    needs!(root(), explains());
    let place = Place::new();
    let mode = |path: &str, mode: u32| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(path, mode).expect("our file");
    };
    mode(&place.path().display().to_string(), 0o755);
    // A directory that may not be searched; then the program's bits are those of its owner.
    let dir = place.subdir("closed");
    let program = place.script("closed/program", "#!/bin/sh\n");
    mode(&dir, 0o600);
    mode(&program, 0o744);
    let run = || Tool::unshare().arg(&program).by_ordinary();
    let hint = why(run()).hint_of("we may not search");
    let (command, _) = hint.split_once(", or run as").expect("a command");
    // Who may read it, nobody said.
    mode(&dir, 0o644);
    Tool::shell(command).run().ok();
    let hint = why(run()).hint_of("has no x bit for us");
    let (_, command) = hint.split_once(", or ").expect("a command");
    Tool::shell(command).run().ok();
    run().run().ok();
    // An interpreter without its bit.
    let interpreter = place.at("sh");
    std::fs::copy("/bin/sh", &interpreter).expect("a copy");
    mode(&interpreter, 0o644);
    let script = place.script("script", &format!("#!{interpreter}\nexit 0\n"));
    let run = || Tool::unshare().arg(&script);
    let hint = why(run()).hint_of(&interpreter);
    let (command, _) = hint.split_once(", or mount").expect("a command");
    Tool::shell(command).run().ok();
    run().run().ok();
}

#[test]
fn a_helper_program_that_gets_its_bit() {
    needs!(root(), explains(), Subordinate::there());
    let place = Place::new();
    let newuidmap = find("newuidmap").expect("a need that was looked at");
    let copy = place.at("newuidmap");
    std::fs::copy(newuidmap, &copy).expect("a copy");
    let plain = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&copy, plain).expect("our file");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(place.path(), open).expect("our directory");
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", place.path().display());
    let user = Subordinate::user();
    let mapped = || {
        let range = format!("--map-users=0:{}:5", user.uids.0);
        user.runs(Tool::unshare().args([&*range, "true"]).env("PATH", &path))
    };
    let hint = why(mapped()).hint_of("neither set-user-ID root nor");
    let (command, _) = hint.split_once(", or setcap").expect("a command");
    Tool::shell(command).run().ok();
    mapped().run().ok();
}

#[test]
fn a_proc_that_is_mounted_again() {
    needs!(root(), explains());
    let without = |then: &str| {
        Tool::fixture()
            .line("-m --propagation private")
            .sh(&format!("umount -l /proc && {then}"))
    };
    let holder = Holder::unshare("-u");
    let enter = format!("nsenter --uts={} true", holder.file("uts"));
    let hint = why(without(&enter)).hint_of("no proc is mounted on /proc");
    let command = hint.strip_prefix("mount it: ").expect("a command");
    without(&format!("! {enter} 2>/dev/null && {command} && {enter}"))
        .run()
        .ok();
}

#[test]
fn a_read_only_proc() {
    needs!(explains(), user_namespaces());
    let inside = |words: &str| {
        Tool::fixture()
            .line("-rmpf --mount-proc")
            .sh(&format!(
                "mount -o remount,bind,ro /proc && exec unshare {words}"
            ))
            .by_ordinary()
    };
    let hint = why(inside("-Upf --mount-proc true")).hint_of("/proc is read-only");
    let command = hint
        .strip_prefix("have the program mount it: ")
        .expect("a command");
    let place = Place::new().owned_by_ordinary();
    let command = command.replace("DIR", &place.path().display().to_string());
    // Nobody has IDs there, nor needs them for it.
    inside(&format!("-Umpf --keep-caps {command}")).run().ok();
}
