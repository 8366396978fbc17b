//! What is said where SELinux refuses something: our label is named with what it was that failed, and what is not so is
//! not said. No permission can be read in a policy, so little is certain.

use crate::case::Case;

/// What would be false of each of these.
const FALSE: [&str; 6] = [
    "is missing (CapEff",
    "seccomp filter refuses",
    "not mounted here",
    "run as root",
    "is a chroot (",
    "have the profile allow",
];

/// `domain NAME WORDS…` executes the words in that domain. No descriptor stays open that it may not use.
const DOMAIN: &str = "domain() { printf u:r:$1 >/proc/self/attr/exec; shift; exec \"$@\"; }\n";

/// Run by root in the domain.
fn within(name: &str, domain: &str, script: &str) -> Case {
    Case::new(name, &format!("{DOMAIN}(domain {domain} sh -c '{script}')")).root()
}

/// A failure of which the label is named.
fn refused(case: Case, domain: &str, status: i32, cause: &str) -> Case {
    let case = case
        .fails(status)
        .err_has(cause)
        .err_has(&format!("our label is u:r:{domain})"))
        .err_has("look into the kernel's log for the");
    FALSE.into_iter().fold(case, |case, part| case.lacks(part))
}

pub(super) fn cases() -> Vec<Case> {
    let ordinary = |script: &str| format!("su -s /bin/sh ordinary -c \"{script}\"");
    let one = |name: &str, domain: &str, script: &str, status, cause: &str| {
        refused(within(name, domain, script), domain, status, cause)
    };
    // What takes a capability that we hold, and SELinux denies.
    let perhaps = "cause: none of those known, so perhaps a security module";
    let held = "hold -n -m -S 0; ";
    let target = |name: &str, domain: &str, words: &str| {
        Case::new(
            name,
            &format!("{DOMAIN}{held}(domain {domain} sh -c \"{words}\")"),
        )
        .root()
    };
    let secret = |name: &str, words: &str| {
        let script = format!(
            "{DOMAIN}(domain secret sleep 1000 >/dev/null 2>&1) & HELD=$!; until grep -q secret /proc/$!/attr/current; do usleep 10000; done; \
             (domain no_read sh -c \"{words}\")"
        );
        Case::new(name, &script).root()
    };
    let file = "printf u:r:secret >/proc/self/attr/fscreate; cat /bin/busybox >file; printf \"\" >/proc/self/attr/fscreate; chmod 755 file; ";
    let mut cases = vec![
        within("label", "no_admin", "cat /proc/self/attr/current | tr -d \"\\0\"; cat /sys/fs/selinux/enforce").out("u:r:no_admin1"),
        one("net", "no_admin", "unshare --explain -n true", 1, perhaps),
        one("chroot", "no_chroot", "unshare --explain -R / true", 1, perhaps),
        refused(target("setns", "no_admin", "nsenter --explain -t $PID -n true"), "no_admin", 1, perhaps),
        refused(target("setns_file", "no_admin", "setns --explain net=$PID true"), "no_admin", 125, perhaps),
        refused(target("setns_mnt", "no_chroot", "nsenter --explain -t $PID -m true"), "no_chroot", 1, perhaps),
        // The module is asked of these when the namespaces are made in the new user namespace.
        one("net_inside", "no_admin_inside", &ordinary("unshare --explain -rn true"), 1, "or a security module refuses it"),
        one("setgroups_inside", "no_admin_inside", &ordinary("unshare --explain -r true"), 1, "a security module refuses us /proc/self/setgroups"),
        one("loopback_inside", "no_net_admin", &ordinary("unshare --explain -r --loopback true"), 1, perhaps),
        one("mount", "no_mount", "unshare --explain -pf --mount-proc true", 1, "perhaps a security module refuses the mount of proc"),
        one("propagation", "no_mounton", "unshare --explain -m true", 1, "a security module refuses the change of mounts"),
        one("mount_on", "no_mounton", "mkdir p; unshare --explain -m --propagation unchanged --mount-proc=p true", 1, "perhaps a security module refuses the mount of proc"),
        one("bind", "no_mounton_file", "touch uts; unshare --explain --uts=uts true", 1, "perhaps a security module refuses the mount of a namespace"),
        one("pivot_root", "no_mounton", "mkdir r; unshare --explain -m --propagation unchanged -R r --pivot-root true", 1, "perhaps a security module refuses the change of the root directory"),
        one("execute", "no_execute", &format!("{file}unshare --explain -n ./file true"), 126, perhaps).lacks("has no x bit"),
        // The kernel asks SELinux of user namespaces from Linux 6.1 on.
        one("userns", "no_userns", &ordinary("unshare --explain -U true"), 1, "cause: a security module refuses user namespaces"),
        one("userns_of_root", "no_userns", "unshare --explain -U true", 1, "cause: a security module refuses user namespaces"),
        within("userns_foretold", "no_userns", "unshare --dry-run -U true").out_has("execute true").lacks("would fail"),
        refused(secret("trace", "nsenter --explain -t $! -n true"), "no_read", 1, "a security module refuses us access to process"),
        refused(secret("trace_all", "nsenter --explain -t $! -a true"), "no_read", 1, "a security module refuses us access to process"),
        refused(secret("trace_setns", "setns --explain $! true"), "no_read", 125, "a security module refuses us access to process"),
        within("doctor", "no_userns", &ordinary("nskit doctor")).fails(1).err("")
            .out_has("our label is u:r:no_userns\n")
            .out_has("cause: a security module refuses user namespaces (our label is u:r:no_userns)")
            .lacks("none of those known")
            .lacks("this is a chroot"),
        within("doctor_json", "no_userns", &ordinary("nskit doctor --json")).fails(1).err("")
            .out_has("\"cause\":\"a security module refuses user namespaces (our label is u:r:no_userns)\""),
        within("doctor_admin", "no_admin", "nskit doctor").fails(1).err("")
            .out_has("our label is u:r:no_admin\n")
            .out_has("cause: none of those known, so perhaps a security module refuses it (our label is u:r:no_admin)"),
    ];
    for (name, script, message) in [
        (
            "uid_map",
            "unshare --explain -U --map-user 0 true",
            "uid_map",
        ),
        (
            "clock",
            "unshare --explain -Tf --boottime 3 true",
            "timens_offsets",
        ),
    ] {
        cases.push(one(name, "no_write", script, 1, message));
    }
    cases
}
