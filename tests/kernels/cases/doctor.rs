//! What `nskit doctor` says of a kernel, and `--dry-run` as JSON.

use crate::case::Case;

/// A script in which user namespaces are root's alone (a sysctl of Debian's) while an ordinary user runs this.
fn without_user_namespaces(command: &str) -> String {
    format!(
        "echo 0 >/proc/sys/kernel/unprivileged_userns_clone; su -s /bin/sh ordinary -c '{command}'; status=$?; \
         echo 1 >/proc/sys/kernel/unprivileged_userns_clone; exit $status"
    )
}

pub(super) fn cases() -> Vec<Case> {
    let refused = "cause: kernel.unprivileged_userns_clone is 0, so only root of the initial user namespace may make others";
    let mended = "hint: sysctl kernel.unprivileged_userns_clone=1, or run as root";
    vec![
        Case::new("doctor", "nskit doctor")
            .ordinary()
            .out_has("What most people want\n")
            .out_has("yes     tried")
            .lacks("none of those known"),
        // Threads of the kernel, which come and go, have no program. No pipe: whether its other end is there already when
        // processes are listed is chance.
        Case::new("doctor_leaves_nothing", "programs() { count=0; for exe in /proc/[0-9]*/exe; do readlink $exe >/dev/null 2>&1 && count=$((count + 1)); done; echo $count; }; before=$(programs); nskit doctor >/dev/null; after=$(programs); [ $before -gt 0 ] && [ $after -le $before ]; echo $?")
            .out("0"),
        Case::new("doctor_json", "nskit doctor --json | tr ',' '\\n' | head -n 2")
            .ordinary()
            .out("{\"version\":1\n\"works\":true"),
        // Root has all IDs, and no line of its own.
        Case::new("doctor_of_root", "nskit doctor")
            .root()
            .fails(1)
            .err("")
            .out_has("usermod --add-subuids 165536-231071 --add-subgids 165536-231071 root")
            .lacks("none of those known"),
        Case::new("doctor_sysctl", &without_user_namespaces("nskit doctor"))
            .root()
            .fails(1)
            .err("")
            .out_has(refused)
            .out_has(mended)
            // It is the sysctl, and nothing else that refuses them.
            .lacks("seccomp filter refuses")
            .lacks("this is a chroot")
            .lacks("none of those known"),
        Case::new("doctor_sysctl_one_line", &without_user_namespaces("nskit doctor unshare -Urpf --mount-proc true"))
            .root()
            .fails(1)
            .err("")
            .out_has(refused)
            .out_has("no      tried"),
        Case::new("doctor_sysctl_of_root", "echo 0 >/proc/sys/kernel/unprivileged_userns_clone; nskit doctor --quiet unshare -Urpf --mount-proc true; status=$?; echo 1 >/proc/sys/kernel/unprivileged_userns_clone; exit $status")
            .root(),
        Case::new("doctor_sysctl_followed", "echo 0 >/proc/sys/kernel/unprivileged_userns_clone; sysctl -w kernel.unprivileged_userns_clone=1 >/dev/null; su -s /bin/sh ordinary -c 'nskit doctor --quiet'")
            .root(),
        Case::new("unshare_dry_run_sysctl", &without_user_namespaces("unshare --dry-run --json -r true"))
            .root()
            .fails(1)
            .err("")
            .out_has("\"errno\":\"EPERM\"")
            .out_has("kernel.unprivileged_userns_clone is 0")
            .out_has("\"status\":1}"),
        Case::new("unshare_dry_run_json", "unshare $R -u --dry-run --json true")
            .out_has("\"failures\":[],\"status\":0}"),
        Case::new("nsenter_dry_run_json", "hold $R -u; U=; [ \"$R\" ] && U=\"-U --preserve-credentials\"; nsenter $U --dry-run --json -t $PID -u no-such-program")
            .fails(127)
            .err("")
            .out_has("\"errno\":\"ENOENT\"")
            .out_has("\"status\":127}"),
        Case::new("setns_dry_run_json", "setns --dry-run --json net=self no-such-program")
            .fails(127)
            .err("")
            .out_has("\"status\":127}"),
    ]
}
