//! Why IDs could not be mapped, and why users, groups and clocks could not be set.

use super::*;

/// root without one capability.
fn without(capability: &str) -> Tool {
    Tool::program("setpriv")
        .arg(format!("--bounding-set=-{capability}"))
        .arg(format!("--inh-caps=-{capability}"))
        .arg(Tool::path_of("unshare"))
}

#[test]
fn root_of_the_parent_without_the_capability() {
    needs!(root(), explains(), command("setpriv"));
    // By ourselves, and by the helper outside, who knows what it has.
    why(without("setfcap").line("-r true"))
        .of(&format!(
            "unshare: write failed /proc/self/uid_map: {EPERM}"
        ))
        .because(
            "either CAP_SETFCAP was missing in the parent user namespace",
            "CAP_SETFCAP",
        )
        .only(1);
    why(without("setfcap").line("--map-users=0:0:10 true"))
        .of(&format!(
            "unshare: write failed /proc/self/uid_map: {EPERM}"
        ))
        .because("CAP_SETFCAP is missing", "--map-users")
        .only(1);
}

#[test]
fn an_id_that_the_parent_does_not_have() {
    needs!(root(), explains());
    why(Tool::unshare()
        .line("-U --map-users=0,0,5 --map-groups=0,0,5 -S0 -G0")
        .arg(Tool::path_of("unshare"))
        .line("--map-users=0:3:10 true"))
    .of(&format!(
        "unshare: write failed /proc/self/uid_map: {EPERM}"
    ))
    .because(
        "outer ID 5 does not exist in the parent user namespace (its uid_map has 0-4)",
        "all",
    )
    .only(1);
}

#[test]
fn no_helper_program() {
    needs!(root(), explains());
    let place = Place::new();
    why(Tool::unshare()
        .line("--map-users=0:100000:5 /bin/true")
        .env("PATH", place.path())
        .by_ordinary())
    .of(&format!("unshare: failed to execute newuidmap: {ENOENT}"))
    .because("newuidmap is not in PATH", "uidmap")
    .only(1);
}

/// A range that is the user's, by newuidmap.
fn own_range(tool: Tool) -> Tool {
    let (first, _) = Subordinate::user().uids;
    Subordinate::user().runs(tool.arg(format!("--map-users=0:{first}:5")).arg("true"))
}

#[test]
fn a_helper_program_without_privilege() {
    needs!(root(), explains(), Subordinate::there());
    let place = Place::new();
    let newuidmap = find("newuidmap").expect("a need that was looked at");
    let copy = place.at("newuidmap");
    std::fs::copy(newuidmap, &copy).expect("a copy");
    let plain = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&copy, plain).expect("our file");
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", place.path().display());
    why(own_range(Tool::unshare().env("PATH", path)))
        .of("unshare: newuidmap failed: exit status 1")
        .because(
            &format!("{copy} is neither set-user-ID root nor"),
            "chmod u+s",
        )
        .only(1);
}

#[test]
fn a_helper_program_on_a_mount_without_set_user_id() {
    needs!(root(), explains(), command("setpriv"), Subordinate::there());
    let place = Place::new();
    let user = Subordinate::user();
    let (first, _) = user.uids;
    let script = format!(
        "mount -t tmpfs -o nosuid,mode=755 tmpfs {dir} && cp -p $(command -v newuidmap) {dir} && \
         chmod u+s {dir}/newuidmap && PATH={dir}:$PATH exec setpriv --reuid={uid} --regid={gid} --clear-groups \
         unshare --map-users=0:{first}:5 true",
        dir = place.path().display(),
        uid = user.uid,
        gid = user.gid,
    );
    why(Tool::fixture().line("-m").sh(&script))
        .of("unshare: newuidmap failed: exit status 1")
        .because("lies on a mount with nosuid", "nosuid")
        .only(1);
}

#[test]
fn no_new_privileges() {
    needs!(root(), explains(), command("setpriv"), Subordinate::there());
    let tool = Tool::program("setpriv")
        .arg("--no-new-privs")
        .arg(Tool::path_of("unshare"));
    why(own_range(tool))
        .of("unshare: newuidmap failed: exit status 1")
        .because(
            "no_new_privs is set (NoNewPrivs is 1)",
            "NoNewPrivileges=no",
        )
        .only(1);
}

#[test]
fn a_range_that_is_not_ours() {
    needs!(root(), explains(), Subordinate::there());
    let user = Subordinate::user();
    let (first, count) = user.uids;
    why(user.runs(Tool::unshare().line(&format!("--map-users=0:{first}:{} true", count + 1))))
        .of("unshare: newuidmap failed: exit status 1")
        .because(
            &format!(
                "the outer IDs {first}-{last} are not in the ranges of {name} in /etc/subuid ({first}-",
                last = first + count,
                name = user.name
            ),
            &format!("{}:{first}:{}", user.name, count + 1),
        )
        .only(1);
    let (first, count) = user.gids;
    why(user.runs(Tool::unshare().line(&format!("--map-groups=0:{first}:{} true", count + 1))))
        .of("unshare: newgidmap failed: exit status 1")
        .because("in /etc/subgid", &user.name)
        .only(1);
}

#[test]
fn no_range_at_all() {
    needs!(root(), explains(), command("newuidmap"));
    why(Tool::unshare()
        .line("--map-users=0:100000:5 true")
        .by_ordinary())
    .of("unshare: newuidmap failed: exit status 1")
    .because(
        &format!("/etc/subuid has no line for {ORDINARY}"),
        "let root add the line",
    )
    .because(&format!("user {ORDINARY} is not in /etc/passwd"), "useradd")
    .only(2);
}

#[test]
fn setgroups_that_comes_too_late() {
    needs!(root(), explains());
    let line = format!("unshare: write failed /proc/self/setgroups: {EPERM}");
    why(Tool::unshare().line("--setgroups=deny true"))
        .of(&line)
        .because("/proc/self/gid_map is written already", "together with")
        .only(1);
    why(Tool::fixture()
        .arg("-r")
        .arg(Tool::path_of("unshare"))
        .line("--setgroups=allow true"))
    .of(&line)
    .because(
        "/proc/self/setgroups says deny already",
        "--setgroups=allow",
    )
    .only(1);
}

#[test]
fn setgroups_without_privilege() {
    needs!(root(), explains());
    why(Tool::unshare().line("--setgroups=deny true").by_ordinary())
        .of(&format!(
            "unshare: cannot open /proc/self/setgroups: {EACCES}"
        ))
        .because("CAP_SYS_ADMIN is missing", "add -r")
        .only(1);
}

#[test]
fn a_clock_without_privilege() {
    needs!(root(), explains(), kind("time"), command("setpriv"));
    why(without("sys_time").line("-T --monotonic 5 true"))
        .of(&format!(
            "unshare: write failed /proc/self/timens_offsets: {EPERM}"
        ))
        .because("CAP_SYS_TIME is missing", "CAP_SYS_TIME")
        .only(1);
}

#[test]
fn groups_that_are_denied() {
    needs!(explains(), user_namespaces());
    why(Tool::unshare().line("-r -G 0 true").by_ordinary())
        .of(&format!("unshare: setgroups failed: {EPERM}"))
        .because(
            "/proc/self/setgroups says deny",
            "leave --setgid and --groups out",
        )
        .only(1);
}

#[test]
fn groups_without_a_map() {
    needs!(explains(), user_namespaces());
    why(Tool::unshare().line("-U -G 0 true").by_ordinary())
        .of(&format!("unshare: setgroups failed: {EPERM}"))
        .because("/proc/self/gid_map is empty", "--map-group")
        .only(1);
}

#[test]
fn ids_without_privilege() {
    needs!(root(), explains());
    why(Tool::unshare().line("-G 0 true").by_ordinary())
        .of(&format!("unshare: setgroups failed: {EPERM}"))
        .because("CAP_SETGID is missing", "add --map-auto")
        .only(1);
    why(Tool::unshare().line("-S 0 true").by_ordinary())
        .of(&format!("unshare: setuid() failed: {EPERM}"))
        .because("CAP_SETUID is missing", "add --map-user=0")
        .only(1);
    why(Tool::unshare().line("--owner 1:1 true").by_ordinary())
        .of(&format!("unshare: setgroups failed: {EPERM}"))
        .because("CAP_SETGID is missing", "run as root")
        .only(1);
}

#[test]
fn ids_that_are_not_mapped_inside() {
    needs!(root(), explains());
    let mapped = || Tool::unshare().line("--map-users=0:0:5 --map-groups=0:0:5");
    why(mapped().line("-S 5 true"))
        .of(&format!("unshare: setuid() failed: {EINVAL}"))
        .because(
            "user 5 is not mapped in this user namespace",
            "/proc/self/uid_map: 0-4",
        )
        .only(1);
    why(mapped().line("-G 7 true"))
        .of(&format!("unshare: setgid() failed: {EINVAL}"))
        .because(
            "group 7 is not mapped in this user namespace",
            "/proc/self/gid_map: 0-4",
        )
        .only(1);
    why(mapped().line("--groups 1,77 true"))
        .of(&format!("unshare: setgroups failed: {EINVAL}"))
        .because("one of the groups is not mapped", "0-4")
        .only(1);
}
