//! Why a target could not be opened, or its namespaces not be entered.

use super::unshare::filtered;
use super::*;
use crate::faults::Zombie;

fn one(kind: &str, error: &str) -> String {
    format!("nsenter: reassociate to namespace 'ns/{kind}' failed: {error}")
}

fn target(holder: &Holder, words: &str) -> Tool {
    Tool::nsenter()
        .args(["-t", &holder.pid().to_string()])
        .line(words)
        .arg("true")
}

/// A PID that nobody has.
fn nobody() -> u32 {
    let max = std::fs::read_to_string("/proc/sys/kernel/pid_max").expect("/proc");
    max.trim().parse::<u32>().expect("a number") + 1
}

#[test]
fn no_such_process() {
    needs!(explains());
    let pid = nobody();
    why(Tool::nsenter().line(&format!("-t {pid} -n true")))
        .of(&format!(
            "nsenter: cannot open /proc/{pid}/ns/net: {ENOENT}"
        ))
        .because(&format!("there is no process {pid}"), "ps -e")
        .only(1);
    why(Tool::nsenter().line(&format!("--net=/proc/{pid}/ns/net true")))
        .because(&format!("there is no process {pid}"), "ps -e")
        .only(1);
}

#[test]
fn no_proc() {
    needs!(root(), explains());
    why(Tool::fixture()
        .line("-m")
        .sh("umount -l /proc && exec nsenter --net=/proc/1/ns/net true"))
    .because("no proc is mounted on /proc", "mount -t proc proc /proc")
    .only(1);
}

#[test]
fn a_zombie() {
    needs!(root(), explains());
    let zombie = Zombie::new();
    let pid = zombie.pid;
    why(Tool::nsenter().line(&format!("-t {pid} -n true")))
        .of(&one("net", "No such process"))
        .because(
            &format!("process {pid} has ended and is not waited for yet (State is Z)"),
            "",
        )
        .only(1);
    why(Tool::nsenter().line(&format!("-t {pid} -u -r true")))
        .of(&format!("nsenter: cannot open /proc/{pid}/root: {ENOENT}"))
        .because("has ended and is not waited for yet", "")
        .only(1);
}

#[test]
fn a_file_that_is_not_there() {
    needs!(explains());
    let place = Place::new();
    let file = place.at("a/b");
    why(Tool::nsenter().arg(format!("--net={file}")).arg("true"))
        .of(&format!("nsenter: cannot open {file}: {ENOENT}"))
        .because(&format!("there is no {}", place.at("a")), "")
        .only(1);
}

#[test]
fn a_directory_that_may_not_be_searched() {
    needs!(root(), explains());
    let place = Place::new();
    let dir = place.subdir("closed");
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&dir, closed).expect("our directory");
    why(Tool::nsenter()
        .arg(format!("--net={dir}/ns"))
        .arg("true")
        .by_ordinary())
    .of(&format!("nsenter: cannot open {dir}/ns: {EACCES}"))
    .because(&format!("we may not search {dir}"), "")
    .only(1);
}

#[test]
fn a_process_of_another_user() {
    needs!(root(), explains());
    let holder = Holder::unshare("-n");
    let (pid, file) = (holder.pid(), holder.file("net"));
    let cause =
        format!("process {pid} runs as user 0, and we are user {ORDINARY} without CAP_SYS_PTRACE");
    why(Tool::nsenter()
        .arg(format!("--net={file}"))
        .arg("true")
        .by_ordinary())
    .of(&format!("nsenter: cannot open {file}: {EACCES}"))
    .because(&cause, "run as root")
    .only(1);
    // Both are true, and either would be enough.
    why(target(&holder, "-n").by_ordinary())
        .of(&one("net", EPERM))
        .because(&cause, "")
        .because("CAP_SYS_ADMIN is missing", "run as root")
        .only(2);
    why(target(&holder, "-U").by_ordinary())
        .of(&one("user", EPERM))
        .because(&cause, "")
        .only(1);
}

#[test]
fn a_process_of_another_group() {
    needs!(root(), explains());
    let holder = Holder::of(Tool::program("env").by_user(ORDINARY, ORDINARY + 1), "");
    let file = holder.file("net");
    why(Tool::nsenter()
        .arg(format!("--net={file}"))
        .arg("true")
        .by_ordinary())
    .of(&format!("nsenter: cannot open {file}: {EACCES}"))
    .because(
        &format!(
            "process {} runs with group {}, and we have group {ORDINARY}",
            holder.pid(),
            ORDINARY + 1
        ),
        "",
    )
    .only(1);
}

#[test]
fn a_process_that_may_not_be_looked_into() {
    needs!(root(), explains());
    let place = Place::new();
    // Who executes what it cannot read is not dumpable (ptrace(2)).
    let program = place.at("secret");
    std::fs::copy(find("cat").expect("cat"), &program).expect("a copy");
    let only_x = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(&program, only_x).expect("our file");
    let started = Tool::program("sh")
        .args(["-c", "echo $$; exec \"$0\" /dev/zero >/dev/null", &program])
        .by_ordinary()
        .start();
    let pid = started.pid();
    started.until_says("\n");
    eventually("it executes", || {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        (name.trim() == "secret").then_some(())
    });
    why(Tool::nsenter()
        .arg(format!("--net=/proc/{pid}/ns/net"))
        .arg("true")
        .by_ordinary())
    .of(&format!(
        "nsenter: cannot open /proc/{pid}/ns/net: {EACCES}"
    ))
    .because(
        &format!("process {pid} is of our user {ORDINARY} but not dumpable"),
        "run as root",
    )
    .only(1);
}

#[test]
fn a_process_outside_of_our_user_namespace() {
    needs!(root(), explains(), user_namespaces());
    let holder = Holder::of(Tool::program("env").by_ordinary(), "");
    let inside = |words: &str| {
        Tool::fixture()
            .arg("-r")
            .arg(Tool::path_of("nsenter"))
            .line(words)
            .arg("true")
            .by_ordinary()
    };
    let pid = holder.pid();
    let cause = format!("we may not look into process {pid}: either it is in a user namespace");
    why(inside(&format!("-t {pid} -n")))
        .of(&one("net", EPERM))
        .because(&cause, "outside this user namespace")
        .only(1);
    why(inside(&format!("--net=/proc/{pid}/ns/net")))
        .of(&format!(
            "nsenter: cannot open /proc/{pid}/ns/net: {EACCES}"
        ))
        .because(&cause, "")
        .only(1);
}

#[test]
fn a_filter() {
    needs!(root(), explains(), command("python3"));
    let holder = Holder::unshare("-n");
    why(filtered("setns", "nsenter").line(&format!("-t {} -n true", holder.pid())))
        .of(&one("net", EPERM))
        .because("a seccomp filter refuses setns(2)", "seccomp profile")
        .only(1);
}

#[test]
fn no_privilege_in_our_own_user_namespace() {
    needs!(root(), explains(), user_namespaces());
    let holder = Holder::ordinary("-rn");
    // What made the namespace can be entered too, and brings the privilege.
    why(target(&holder, "-n").by_ordinary())
        .of(&one("net", EPERM))
        .because("CAP_SYS_ADMIN is missing", "add -U")
        .only(1);
    target(&holder, "-U -n --preserve-credentials")
        .by_ordinary()
        .run()
        .ok();
    why(Tool::nsenter()
        .line("--uts=/proc/self/ns/uts true")
        .by_ordinary())
    .of(&one("uts", EPERM))
    .because("CAP_SYS_ADMIN is missing", "run as root")
    .only(1);
}

#[test]
fn a_mount_namespace_without_the_capability_for_a_root_directory() {
    needs!(root(), explains(), command("setpriv"));
    let holder = Holder::unshare("-m");
    why(Tool::program("setpriv")
        .line("--bounding-set=-sys_chroot --inh-caps=-sys_chroot")
        .arg(Tool::path_of("nsenter"))
        .line(&format!("-t {} -m true", holder.pid())))
    .of(&one("mnt", EPERM))
    .because("CAP_SYS_CHROOT is missing", "--cap-add SYS_CHROOT");
}

#[test]
fn a_user_namespace_of_another_user() {
    needs!(root(), explains(), user_namespaces());
    let holder = Holder::unshare("-U");
    let place = Place::new();
    let file = place.file("ns", "");
    let _mounted = Mounted::on(&file);
    Tool::program("mount")
        .args(["--bind", &holder.file("user"), &file])
        .run()
        .ok();
    why(Tool::nsenter()
        .arg(format!("--user={file}"))
        .arg("true")
        .by_ordinary())
    .of(&one("user", EPERM))
    .because(
        &format!(
            "this user namespace was made by user 0 (NS_GET_OWNER_UID), and we are user {ORDINARY}"
        ),
        "run as user 0",
    )
    .only(1);
}

#[test]
fn what_belongs_to_an_outer_user_namespace() {
    needs!(explains(), user_namespaces());
    let inside = |words: &str| {
        Tool::fixture()
            .arg("-r")
            .arg(Tool::path_of("nsenter"))
            .line(words)
            .arg("true")
            .by_ordinary()
    };
    why(inside("--net=/proc/self/ns/net"))
        .of(&one("net", EPERM))
        .because(
            "the user namespace that owns this net namespace is neither ours nor below ours",
            "impossible by design",
        )
        .only(1);
}

#[test]
fn our_own_user_namespace() {
    needs!(explains());
    why(Tool::nsenter().line("--user=/proc/self/ns/user true"))
        .of(&one("user", EINVAL))
        .because("we are in this user namespace already", "leave -U")
        .only(1);
    let holder = Holder::of(Tool::program("env"), "");
    why(target(&holder, "-U"))
        .of(&one("user", EINVAL))
        .because("we are in this user namespace already", "leave -U")
        .only(1);
}

#[test]
fn a_pid_namespace_above_ours() {
    needs!(root(), explains());
    let outer = std::process::id();
    why(Tool::fixture()
        .line("-pf")
        .sh(&format!("exec nsenter --pid=/proc/{outer}/ns/pid true")))
    .of(&one("pid", EINVAL))
    .because(
        "this PID namespace is not below ours (NS_GET_PARENT)",
        "above it",
    )
    .only(1);
}

#[test]
fn a_file_that_is_no_namespace() {
    needs!(root(), explains());
    why(Tool::nsenter().line("--net=/etc/passwd true"))
        .of(&one("net", EINVAL))
        .because("the file is no namespace", "/proc/PID/ns")
        .only(1);
}

#[test]
fn a_namespace_of_another_kind() {
    needs!(root(), explains());
    why(Tool::nsenter().line("--net=/proc/self/ns/uts true"))
        .of(&one("net", EINVAL))
        .because("it is a uts namespace, not a net namespace", "--uts")
        .only(1);
}

#[test]
fn a_pidfd_of_another_process() {
    needs!(explains(), root());
    let holder = Holder::of(Tool::fixture().line("-n"), "");
    let told = why(Tool::nsenter()
        .arg("-t")
        .arg(format!("{}:1", holder.pid()))
        .line("-n true"));
    // Before Linux 6.9 no inode tells processes apart.
    let told = if told.line.ends_with("No such process") {
        told.because(
            ", not 1, so it is not the process that was meant",
            "leave the inode out",
        )
    } else {
        told.because(
            "all pidfds share one inode before Linux 6.9",
            "leave the inode out",
        )
    };
    told.only(1);
}

#[test]
fn a_kind_with_a_vowel() {
    needs!(explains());
    why(Tool::nsenter().line("--net=/proc/self/ns/ipc true"))
        .because("it is an ipc namespace, not a net namespace", "--ipc")
        .only(1);
}

/// What a sandbox shows that answers in the kernel's place: processes, and nothing of namespaces nor of signals.
#[test]
fn a_sandbox_in_the_kernels_place() {
    needs!(root(), explains());
    let place = Place::new();
    let status = place.at("status");
    let within = |words: &str| {
        why(Tool::fixture().line("-m").sh(&format!(
            "grep -v '^Sig' /proc/self/status >{status}; mount -t tmpfs none /proc; mkdir -p /proc/self/ns; \
             cp {status} /proc/self/status; exec {words}"
        )))
        .because(
            "/proc/self/ns has no mnt, as every Linux has: perhaps a sandbox answers in the kernel's place; looked at: user 0, CapEff",
            "run it outside the sandbox",
        )
        .only(1)
    };
    within("setns --show").of(&format!("setns: cannot open /proc: {ENOENT}"));
    within("unshare -r true").of(&format!(
        "unshare: cannot open /proc/self/setgroups: {ENOENT}"
    ));
}
