//! What is done and said on kernels that lack kinds of namespaces: the option that they were built without is named, no hint
//! leads to what is not there, and all that is there works.

use crate::case::Case;

/// What would be false of each of these.
const FALSE: [&str; 6] = [
    "none of those known",
    "this is a chroot",
    "a security module",
    "seccomp",
    "add -r",
    "not mounted here",
];

/// Fails with this status and says of this kind that the kernel has none.
fn lacking(case: Case, status: i32, kind: &str, option: &str) -> Case {
    let case = case
        .fails(status)
        .err_has(&format!(
            "cause: this kernel has no {kind} namespaces (no such file in /proc/self/ns)"
        ))
        .err_has(&format!("hint: use a kernel with {option}"));
    FALSE.into_iter().fold(case, |case, part| case.lacks(part))
}

fn without_user(name: &str, status: i32, words: &str) -> Case {
    lacking(Case::new(name, words), status, "user", "CONFIG_USER_NS")
}

fn without_time(name: &str, status: i32, words: &str) -> Case {
    lacking(Case::new(name, words), status, "time", "CONFIG_TIME_NS")
}

/// What a plan is foretold to fail at.
fn foretold(name: &str, words: &str, status: i32, cause: &str) -> Case {
    let case = Case::new(name, words)
        .fails(status)
        .err("")
        .out_has(&format!("Invalid argument\n  cause: {cause}"));
    FALSE.into_iter().fold(case, |case, part| case.lacks(part))
}

/// On a kernel that has neither user nor time namespaces.
pub(super) fn user() -> Vec<Case> {
    let held = "hold -C -u -i -n -p -f -m; ";
    let same = "[ \"$(readlink /proc/self/ns/uts)\" = \"$1\" ] && echo inside";
    let words = format!("sh -c '{same}' sh \"$(readlink /proc/$PID/ns/uts)\"");
    let mut cases = vec![
        without_user("unshare_user", 1, "unshare --explain -U true"),
        without_user("unshare_map_root", 1, "unshare --explain -Ur true"),
        without_user("unshare_rootless", 1, "unshare --explain -Urpf --mount-proc true"),
        without_user("unshare_map_auto", 1, "unshare --explain --map-auto true").ordinary(),
        without_user("unshare_owner", 1, "unshare --explain --owner 1000:1000 -r true").root(),
        without_time("unshare_time", 1, "unshare --explain -T true"),
        without_time("unshare_clock", 1, "unshare --explain -Tf --boottime 3 true"),
        without_user("nsenter_user", 1, "nsenter --explain -t 1 -U true"),
        without_time("nsenter_time", 1, "nsenter --explain -t 1 -T true"),
        without_user("nsenter_user_file", 1, "nsenter --explain --user=/proc/self/ns/user true"),
        without_user("setns_user", 125, "setns --explain user=1 true"),
        without_time("setns_time", 125, "setns --explain time=1 true"),
        foretold("dry_run_user", "unshare --dry-run -Ur true", 1, "this kernel has no user namespaces"),
        foretold("dry_run_time", "unshare --dry-run -T true", 1, "this kernel has no time namespaces").root(),
        foretold("dry_run_nsenter_user", "nsenter --dry-run -t 1 -U true", 1, "this kernel has no user namespaces"),
        // The privilege is missing, and nothing but root's brings it.
        Case::new("unshare_without_privilege", "unshare --explain -n true")
            .ordinary()
            .fails(1)
            .err("unshare: unshare failed: Operation not permitted\n  cause: CAP_SYS_ADMIN is missing (CapEff is 0000000000000000), which a new namespace (net) takes without -U\n  hint: run as root"),
        Case::new("nsenter_of_root", "nsenter --explain -t 1 -n true")
            .ordinary()
            .fails(1)
            .err_has("cause: process 1 runs as user 0, and we are user 1000 without CAP_SYS_PTRACE\n")
            .lacks("either"),
        // All is all that there is.
        Case::new("unshare_all", "hold -a -f; unlike \"$(ls -l /proc/$PID/ns)\"").root().out("cgroup ipc mnt net pid time user uts "),
        Case::new("unshare_all_dry_run", "unshare --dry-run -a true").root().out_has("unshare cgroup, ipc, uts, net, pid, mnt\n").lacks("would fail"),
        Case::new("nsenter_all", &format!("{held}nsenter -t $PID -a {words}; nsenter -t $PID -u -i -n -p -m -C {words}")).root().out("inside\ninside"),
        Case::new("nsenter_all_dry_run", &format!("{held}nsenter --dry-run -t $PID -a true")).root().out_has("execute true").lacks("would fail").lacks("user,"),
        Case::new("setns_all", &format!("{held}setns $PID {words}; setns --dry-run $PID true")).root().out_has("inside\n").lacks("would fail"),
        Case::new("mount_proc", "unshare -pf --mount-proc sh -c 'echo $$ /proc/[0-9]*'").root().out("1 /proc/1"),
        Case::new("init", "unshare --init --mount-proc sh -c 'cat /proc/1/comm; echo $$'").root().out("unshare\n2"),
        // Whatever family of addresses there is.
        Case::new("loopback", "unshare -m --loopback sh -c 'mount -t sysfs new /sys; cat /sys/class/net/lo/flags'").root().out("0x9"),
        Case::new("show", "setns --show; setns --show --json self | grep -c '\"kind\":\"user\"'")
            .out_has("KIND")
            .out_has("\nmnt ")
            .lacks("\nuser ")
            .lacks("\ntime ")
            .fails(1)
            .err(""),
        Case::new("show_user", "setns --explain --show --type user")
            .fails(125)
            .err("setns: --type: this kernel has no user namespaces"),
        Case::new("doctor_json", "nskit doctor --json | tr ',' '\\n' | head -n 2").out("{\"version\":1\n\"works\":false"),
    ];
    let doctor = Case::new("doctor", "nskit doctor")
        .fails(1)
        .err("")
        .out_has("a rootless container: unshare -Urpf --mount-proc\n")
        .out_has("cause: this kernel has no user namespaces")
        .out_has("hint: use a kernel with CONFIG_USER_NS");
    cases.push(
        FALSE
            .into_iter()
            .filter(|part| *part != "seccomp")
            .fold(doctor, |case, part| case.lacks(part)),
    );
    cases
}

/// On a kernel that has mount namespaces alone, and few of the newer system calls.
pub(super) fn namespaces() -> Vec<Case> {
    vec![
        lacking(Case::new("unshare_uts", "unshare --explain -u true").root(), 1, "uts", "CONFIG_UTS_NS"),
        lacking(Case::new("unshare_ipc", "unshare --explain -i true").root(), 1, "ipc", "CONFIG_IPC_NS"),
        lacking(Case::new("unshare_pid", "unshare --explain -p true").root(), 1, "pid", "CONFIG_PID_NS"),
        lacking(Case::new("unshare_net", "unshare --explain -n true").root(), 1, "net", "CONFIG_NET_NS"),
        lacking(Case::new("nsenter_pid", "nsenter --explain -t 1 -p true"), 1, "pid", "CONFIG_PID_NS"),
        without_user("unshare_user", 1, "unshare --explain -U true"),
        Case::new("unshare_mount", "mine=$(readlink /proc/self/ns/mnt); unshare -m sh -c '[ \"$(readlink /proc/self/ns/mnt)\" != '$mine' ] && echo inside'").root().out("inside"),
        Case::new("nsenter_mount", "hold -m; nsenter -t $PID -m sh -c '[ \"$(readlink /proc/self/ns/mnt)\" = \"$1\" ] && echo inside' sh \"$(readlink /proc/$PID/ns/mnt)\"; nsenter -t $PID -a true; setns $PID true").root().out("inside"),
        Case::new("unshare_all", "unshare -a --dry-run true").root().out_has("unshare mnt\n"),
        Case::new("show", "setns --show").out_has("\nmnt "),
        Case::new("fork", "unshare --explain -m -f true").root().fails(1).err_has("fork failed: Function not implemented\n  cause: perhaps this kernel has no signalfd(2)").err_has("CONFIG_SIGNALFD"),
    ]
}
