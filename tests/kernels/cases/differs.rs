//! What differs from kernel to kernel.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    vec![
        // Before Linux 6.9 all pidfds have one inode, so it tells no process from another.
        Case::new(
            "nsenter_by_inode",
            "hold $R -u; U=; [ \"$R\" ] && U=-U\nsetns --show --json $PID >/dev/null\nnsenter $U --preserve-credentials -t $PID:1 -u true",
        )
        .fails(1),
        // Before about Linux 6.3 a clock's offset reaches children only.
        Case::new("unshare_clock_without_fork", "unshare $R -T --boottime 100000 sh -c 'echo ran'")
            .out("ran")
            .err("unshare: add --fork: on this kernel only children enter the new time namespace")
            .since(6, 3)
            .out("ran"),
        // From Linux 6.11 on mount namespaces have IDs, from 6.19 on all kinds.
        Case::new(
            "setns_ids",
            "setns --show --json self | tr -d ' ' | grep -o '\"id\":[0-9]' | wc -l",
        )
        .out("0")
        .since(6, 11)
        .out("1")
        .since(6, 19)
        .out("8"),
        Case::new("setns_ref_id", "setns id:1 true")
            .root()
            .fails(125)
            .err("setns: id:1: this kernel gives namespaces no IDs; name it by a file")
            .since(6, 19),
        Case::new("userns_refused_by_sysctl", "echo 0 >/proc/sys/kernel/unprivileged_userns_clone; su -s /bin/sh ordinary -c 'unshare --explain -Ur true'; status=$?; echo 1 >/proc/sys/kernel/unprivileged_userns_clone; exit $status")
            .root()
            .fails(1)
            .err_has("unshare: unshare failed: Operation not permitted\n")
            .err_has("cause: kernel.unprivileged_userns_clone is 0"),
        Case::new("nsenter_hidden_process", "mount -o remount,hidepid=2 /proc; sleep 1000 & HELD=$!; su -s /bin/sh ordinary -c \"nsenter --explain -t $! -a true\"; status=$?; mount -o remount,hidepid=0 /proc; exit $status")
            .root()
            .fails(1)
            .err_has("/proc hides it from us (hidepid)")
            .lacks("none of those known"),
        Case::new("without_proc", "unshare -m sh -c 'umount /proc; nsenter -t 1 -n true; unshare -n true'").root(),
        Case::new(
            "binfmt_without_its_module",
            "unshare $R --mount-binfmt=\"$T\" true",
        )
        .fails(1)
        .err_has("failed: No such device"),
        Case::new("binfmt_module", "insmod /binfmt_misc.ko").root(),
        Case::new(
            "unshare_binfmt",
            "unshare $R --mount-binfmt=\"$T\" ls \"$T\"",
        )
        .fails(1)
        .err_has("unshare: ")
        .since(6, 7)
        .out("register\nstatus"),
        Case::new(
            "unshare_interpreter",
            "printf 'hello' >\"$T/x.abc\"; chmod 755 \"$T/x.abc\"; unshare -r -l ':abc:E::abc::/bin/cat:' \"$T/x.abc\"; unshare -r --load-interp ':abc:E::abc::/bin/cat:' \"$T/x.abc\"",
        )
        .fails(1)
        .err_has("unshare: ")
        .since(6, 7)
        .out("hellohello"),
    ]
}
