//! What is said of failures that other kernels than the newest, or other settings, bring: true causes, and no false ones.

use crate::case::Case;

const UNKNOWN: &str = "none of those known";

pub(super) fn cases() -> Vec<Case> {
    [sysctl(), binfmt(), hidden(), without_proc(), other()].concat()
}

/// Runs the words with Debian's sysctl at 0.
fn without_userns(name: &str, words: &str) -> Case {
    let file = "/proc/sys/kernel/unprivileged_userns_clone";
    let script = format!("echo 0 >{file}; {words}; status=$?; echo 1 >{file}; exit $status");
    Case::new(name, &script)
        .root()
        .fails(1)
        .err_has("unshare: unshare failed: Operation not permitted\n")
        .err_has("cause: kernel.unprivileged_userns_clone is 0")
        .lacks("refused whatever its arguments")
        .lacks("seccomp")
}

fn sysctl() -> Vec<Case> {
    let all_ids = "unshare --map-users 0:0:4294967295 --map-groups 0:0:4294967295";
    vec![
        without_userns("userns_refused_by_sysctl", "su -s /bin/sh ordinary -c 'unshare --explain -Ur true'"),
        without_userns("userns_refused_by_sysctl_nested", "unshare -r unshare --explain -U true"),
        // A map of all IDs is not the initial user namespace.
        without_userns("userns_refused_by_sysctl_all_ids", &format!("{all_ids} unshare --explain -U true")),
        Case::new("userns_refused_by_sysctl_not_root", "echo 0 >/proc/sys/kernel/unprivileged_userns_clone; unshare --explain -U id -u; status=$?; echo 1 >/proc/sys/kernel/unprivileged_userns_clone; exit $status")
            .root()
            .out("65534"),
        Case::new("userns_foretold_by_sysctl", "echo 0 >/proc/sys/kernel/unprivileged_userns_clone; su -s /bin/sh ordinary -c 'unshare --dry-run -Ur true'; unshare --dry-run -Ur true | grep -c 'would fail'; echo 1 >/proc/sys/kernel/unprivileged_userns_clone")
            .root()
            .out_has("would fail: unshare user: Operation not permitted\n  cause: kernel.unprivileged_userns_clone is 0")
            .out_has("\n0\n")
            .lacks("refused whatever its arguments"),
    ]
}

fn binfmt() -> Vec<Case> {
    let cat = "':abc:E::abc::/bin/cat:'";
    let register = |name: &str, words: &str, part: &str| {
        let old = "a user namespace may mount binfmt_misc from Linux 6.7 on";
        Case::new(name, &format!("unshare --explain {words} true"))
            .fails(1)
            .err_has(old)
            .lacks(UNKNOWN)
            .since(6, 7)
            .fails(1)
            .err_has(part)
            .lacks(UNKNOWN)
    };
    vec![
        Case::new(
            "binfmt_old_kernel_explained",
            "unshare --explain -r --mount-binfmt=\"$T\" true",
        )
        .fails(1)
        .err_has("a user namespace may mount binfmt_misc from Linux 6.7 on")
        .lacks(UNKNOWN)
        .since(6, 7),
        register(
            "interpreter_without_ids",
            &format!("-U -l {cat}"),
            "no ID in this user namespace (/proc/self/uid_map)\n  hint: add -r",
        ),
        register(
            "interpreter_of_user_without_root",
            &format!("-c -l {cat}"),
            "user 0, to whom the files of binfmt_misc belong",
        )
        .ordinary(),
        register(
            "interpreter_twice",
            &format!("-r -l {cat} -l {cat}"),
            "an interpreter of this name is registered already",
        ),
    ]
}

fn hidden() -> Vec<Case> {
    let hidden = |name: &str, how: &str, words: &str| {
        let script = format!(
            "mount -o remount,hidepid={how} /proc; sleep 1000 & HELD=$!; su -s /bin/sh ordinary -c \"{words}\"; status=$?; mount -o remount,hidepid=0 /proc; exit $status"
        );
        Case::new(name, &script)
            .root()
            .fails(1)
            .err_has("but /proc hides it from us (hidepid)")
            .lacks(UNKNOWN)
            .lacks("either it is in a user namespace")
            .lacks("a security module")
    };
    vec![
        Case::new("nsenter_hidden_process", "mount -o remount,hidepid=2 /proc; sleep 1000 & HELD=$!; su -s /bin/sh ordinary -c \"nsenter --explain -t $! -a true\"; status=$?; mount -o remount,hidepid=0 /proc; exit $status")
            .root()
            .fails(1)
            .err_has("/proc hides it from us (hidepid)")
            .lacks(UNKNOWN),
        hidden("hidden_user_namespace", "2", "nsenter --explain -U -t $! true"),
        hidden("hidden_kinds", "2", "nsenter --explain -n -u -m -t $! true")
            .err_has("CAP_SYS_ADMIN is missing"),
        hidden("hidden_files", "1", "nsenter --explain -U -t $! true"),
        // Another user's, and nothing hides it.
        Case::new("other_users_process", "nsenter --explain -U -t 1 true; nsenter --explain -n -t 1 true")
            .ordinary()
            .fails(1)
            .err_has("process 1 runs as user 0, and we are user 1000 without CAP_SYS_PTRACE")
            .err_has("CAP_SYS_ADMIN is missing")
            .lacks("hidepid")
            .lacks("a security module"),
    ]
}

fn without_proc() -> Vec<Case> {
    let without = |name: &str, status, words: &str| {
        Case::new(name, &format!("unshare -m sh -c 'umount /proc; {words}'"))
            .root()
            .fails(status)
            .err_has("/proc is not mounted here")
            .err_has("hint: mount it: mount -t proc proc /proc")
            .lacks(UNKNOWN)
            .lacks("correct the path")
    };
    vec![
        Case::new(
            "without_proc",
            "unshare -m sh -c 'umount /proc; nsenter -t 1 -n true; unshare -n true'",
        )
        .root(),
        without("userns_without_proc", 1, "unshare --explain -Ur true"),
        without(
            "map_without_proc",
            1,
            "unshare --explain --map-users 0:0:10 true",
        ),
        without(
            "clock_without_proc",
            1,
            "unshare --explain -T -f --boottime 3 true",
        ),
        without("show_without_proc", 125, "NSKIT_EXPLAIN=1 setns --show"),
    ]
}

fn other() -> Vec<Case> {
    vec![
        // Before Linux 6.18 only mount namespaces have IDs, before 6.11 none.
        Case::new("article_of_a_kind", "setns --explain net=/proc/self/ns/ipc true")
            .root()
            .fails(125)
            .err_has("it is an ipc namespace, not a net namespace"),
        Case::new("pidfd_of_another", "hold -n; nsenter --explain -t $PID:1 -n true")
            .root()
            .fails(1)
            .err_has("all pidfds share one inode before Linux 6.9")
            .lacks(UNKNOWN)
            .since(6, 9)
            .fails(1)
            .err_has(", not 1, so it is not the process that was meant")
            .lacks(UNKNOWN),
        Case::new("program_of_no_form", "mkdir -p \"$T/r/bin\"; printf x >\"$T/r/bin/sh\"; printf x >\"$T/r/x\"; chmod 755 \"$T/r/x\" \"$T/r/bin/sh\"; unshare --explain -R \"$T/r\" /x")
            .root()
            .fails(126)
            .err_has("Exec format error")
            .err_has("the kernel can execute neither /x nor /bin/sh"),
    ]
}
