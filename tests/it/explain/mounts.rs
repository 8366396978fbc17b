//! Why something could not be mounted, bound or made the root.

use super::unshare::filtered;
use super::*;

const PROC_FAILED: &str = "unshare: mount /proc failed: ";

#[test]
fn a_proc_without_a_pid_namespace() {
    needs!(explains(), user_namespaces());
    why(Tool::unshare().line("-r --mount-proc true").by_ordinary())
        .of(&format!("{PROC_FAILED}{EPERM}"))
        .because(
            "the PID namespace that we are in belongs to an outer user namespace",
            "add -pf",
        )
        .only(1);
}

#[test]
fn a_proc_without_a_fork() {
    needs!(explains(), user_namespaces());
    why(Tool::unshare().line("-rp --mount-proc true").by_ordinary())
        .of(&format!("{PROC_FAILED}{EPERM}"))
        .because("the new PID namespace has not been entered", "--fork")
        .only(1);
}

/// Does something with each proc that is mounted whole, wherever: one that is as it was is enough for the kernel.
const EACH: &str = r#"each() { grep ' - proc ' /proc/self/mountinfo | while read -r _ _ _ root point _; do
    [ "$root" != / ] || "$1" "$point"
done; }"#;

/// In a container whose /proc was changed by `script`, another one.
fn nested(script: &str) -> Tool {
    Tool::fixture()
        .line("-rmpf --mount-proc")
        .sh(&format!(
            "set -e; {EACH}; {script}; exec unshare -rpf --mount-proc true"
        ))
        .by_ordinary()
}

#[test]
fn a_proc_that_is_masked() {
    needs!(explains(), user_namespaces());
    nested("true").run().ok();
    why(nested(
        "cover() { mount --bind /dev/null \"$1/uptime\"; }; each cover",
    ))
    .of(&format!("{PROC_FAILED}{EPERM}"))
    .because(
        "/proc is covered in parts (/proc/uptime)",
        "unmask=ALL (podman)",
    )
    .only(1);
}

#[test]
fn a_proc_that_is_read_only() {
    needs!(explains(), user_namespaces());
    let inside = |words: &str| {
        Tool::fixture()
            .line("-rmpf --mount-proc")
            .sh(&format!(
                "{EACH}; close() {{ mount -o remount,bind,ro \"$1\"; }}; each close && exec unshare {words} true"
            ))
            .by_ordinary()
    };
    why(inside("-Upf --mount-proc"))
        .of(&format!("{PROC_FAILED}{EPERM}"))
        .because("/proc is read-only", "mount -t proc -o ro")
        .only(1);
    // Nor can anything else be set up.
    why(inside("-r"))
        .of("unshare: cannot open /proc/self/setgroups: Read-only file system")
        .because("/proc is mounted read-only here", "unmask=ALL")
        .only(1);
    why(inside("-U --map-user=0"))
        .because("/proc is mounted read-only here", "unmask=ALL")
        .only(1);
}

#[test]
fn a_directory_for_proc_that_is_not_there() {
    needs!(explains(), user_namespaces());
    why(Tool::unshare()
        .line("-rpf --mount-proc=/no/such true")
        .by_ordinary())
    .of(&format!("unshare: mount /no/such failed: {ENOENT}"))
    .because("there is no /no", "mkdir -p /no/such")
    .only(1);
    why(Tool::unshare()
        .line("-rpf --mount-proc=/etc/passwd true")
        .by_ordinary())
    .of("unshare: mount /etc/passwd failed: Not a directory")
    .because("/etc/passwd is no directory", "name a directory")
    .only(1);
}

/// Of several it is ours that is told of, not one that lies somewhere.
#[test]
fn another_proc_on_the_machine() {
    needs!(root(), explains());
    let place = Place::new();
    let other = place.subdir("other");
    let cover = "cover() { mount --bind /dev/null \"$1/uptime\"; }; each cover";
    let nested = format!("set -e; {EACH}; {cover}; exec unshare --explain -rpf --mount-proc true");
    let place = place.script("nested", &nested);
    why(Tool::fixture().line("-m").sh(&format!(
        "mount -t proc proc {other} && exec unshare -rmpf --mount-proc sh {place}"
    )))
    .because("/proc is covered in parts (/proc/uptime", "unmask=ALL")
    .only(1);
}

#[test]
fn a_filter_of_pivot_root() {
    needs!(root(), explains(), command("python3"));
    let place = Place::new();
    let dir = place.subdir("root");
    let ran = why(filtered("pivot_root", "unshare")
        .line("-m --pivot-root --root")
        .arg(&dir)
        .arg("true"))
    .because(
        "none of those known, so perhaps a seccomp filter refuses it",
        "seccomp profile",
    )
    .only(1);
    assert_eq!(
        ran.line,
        format!("unshare: cannot change root directory to '{dir}': {EPERM}")
    );
}

#[test]
fn a_filter_of_mounts() {
    needs!(root(), explains(), command("python3"));
    why(filtered("mount", "unshare").line("-m true"))
        .of(&format!(
            "unshare: cannot change root filesystem propagation: {EPERM}"
        ))
        .because("a seccomp filter refuses mount(2)", "seccomp profile")
        .only(1);
    why(filtered("mount", "unshare").line("-mpf --propagation unchanged --mount-proc true"))
        .of(&format!("{PROC_FAILED}{EPERM}"))
        .because("a seccomp filter refuses mount(2)", "seccomp profile")
        .only(1);
    let place = Place::new();
    let file = place.file("ns", "");
    let ran = why(filtered("mount", "unshare")
        .arg(format!("--net={file}"))
        .arg("true"))
    .because("a seccomp filter refuses mount(2)", "seccomp profile")
    .only(1);
    assert!(
        ran.line.ends_with(&format!("on {file} failed: {EPERM}")),
        "{}",
        ran.line
    );
}

/// The line of a namespace that could not be bound, whatever our PID was.
#[track_caller]
fn binding(tool: Tool, kind: &str, file: &str, error: &str) -> Told {
    let told = why(tool);
    let end = format!("/ns/{kind} on {file} failed: {error}");
    assert!(
        told.line.starts_with("unshare: mount /proc/"),
        "{}",
        told.ran
    );
    assert!(told.line.ends_with(&end), "{}", told.ran);
    told
}

#[test]
fn a_file_to_bind_on_that_is_not_there() {
    needs!(root(), explains());
    let place = Place::new();
    let file = place.at("ns");
    binding(
        Tool::unshare().arg(format!("--net={file}")).arg("true"),
        "net",
        &file,
        ENOENT,
    )
    .because(&format!("there is no {file}"), &format!("touch {file}"))
    .only(1);
    let link = place.at("link");
    std::os::unix::fs::symlink("gone", &link).expect("a link");
    binding(
        Tool::unshare().arg(format!("--net={link}")).arg("true"),
        "net",
        &link,
        ENOENT,
    )
    .because(
        &format!("{link} is a symbolic link to gone, which is not there"),
        "touch",
    )
    .only(1);
}

#[test]
fn a_directory_to_bind_on() {
    needs!(root(), explains());
    let place = Place::new();
    let dir = place.subdir("dir");
    binding(
        Tool::unshare().arg(format!("--uts={dir}")).arg("true"),
        "uts",
        &dir,
        "Not a directory",
    )
    .because(&format!("{dir} is a directory"), "touch")
    .only(1);
}

#[test]
fn a_mount_namespace_on_a_shared_mount() {
    needs!(root(), explains());
    let place = Place::new();
    let dir = place.path().display().to_string();
    let tool = Tool::fixture().line("-m").sh(&format!(
        "mount -t tmpfs tmpfs {dir} && mount --make-shared {dir} && : >{dir}/ns && \
         exec unshare --mount={dir}/ns true"
    ));
    binding(tool, "mnt", &format!("{dir}/ns"), EINVAL)
        .because(
            &format!("the mount {dir} is shared"),
            &format!("mount --make-private {dir}"),
        )
        .only(1);
}

#[test]
fn a_file_outside_that_only_root_may_bind_on() {
    needs!(root(), explains(), user_namespaces());
    let place = Place::new().owned_by_ordinary();
    let file = place.file("ns", "");
    let tool = Tool::unshare()
        .arg("-r")
        .arg(format!("--net={file}"))
        .arg("true");
    binding(tool.by_ordinary(), "net", &file, EPERM)
        .because(
            "CAP_SYS_ADMIN is missing (CapEff is 0000000000000000) outside",
            "unshare -rm",
        )
        .only(1);
}

#[test]
fn a_root_directory_without_privilege() {
    needs!(root(), explains());
    why(Tool::unshare().line("-R / true").by_ordinary())
        .of(&format!(
            "unshare: cannot change root directory to '/': {EPERM}"
        ))
        .because("CAP_SYS_CHROOT is missing", "add -r")
        .only(1);
}

#[test]
fn directories_that_are_not_there() {
    needs!(root(), explains());
    why(Tool::unshare().line("-R /no/such true"))
        .of(&format!(
            "unshare: cannot change root directory to '/no/such': {ENOENT}"
        ))
        .because("there is no /no", "directory")
        .only(1);
    why(Tool::unshare().line("-w /etc/passwd/x true"))
        .of("unshare: cannot change directory to /etc/passwd/x: Not a directory")
        .because("/etc/passwd is no directory", "directory")
        .only(1);
    let place = Place::new();
    place.subdir("a");
    // Seen from inside, by the child.
    why(Tool::unshare()
        .arg("-f")
        .arg("-R")
        .arg(place.path())
        .line("-w /a/b/c true"))
    .of(&format!(
        "unshare: cannot change directory to /a/b/c: {ENOENT}"
    ))
    .because("there is no /a/b", "directory")
    .only(1);
}
