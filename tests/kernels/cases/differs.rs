//! What differs from kernel to kernel.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    vec![
        // The kernel has to relocate us: each start is at another address, and no loader of shared libraries is needed.
        Case::new("random_address", "for run in 1 2 3 4; do\n\
             unshare -u -f sleep 1000 & maker=$!\n\
             until child=$(cat /proc/$maker/task/$maker/children 2>/dev/null) && [ \"$child\" ]; do usleep 10000; done\n\
             grep -m 1 nskit /proc/$maker/maps | cut -d- -f1 >>\"$T/at\"; grep -o ' /.*' /proc/$maker/maps >>\"$T/files\"\n\
             kill -9 $child; wait $maker; done\n\
             sort -u \"$T/files\"; [ $(wc -l <\"$T/at\") = 4 ] && [ $(sort -u \"$T/at\" | wc -l) -gt 1 ] && echo elsewhere; hexdump -s 16 -n 2 -e '1/2 \"%d\"' /bin/nskit")
            .root()
            .err_has("")
            .out(" /usr/bin/nskit\nelsewhere\n3"),
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
        // From Linux 6.11 on mount namespaces have IDs, from 6.18 on all kinds.
        Case::new(
            "setns_ids",
            "setns --show --json self | tr -d ' ' | grep -o '\"id\":[0-9]' | wc -l",
        )
        .out("0")
        .since(6, 11)
        .out("1")
        .since(6, 18)
        .out("8"),
        Case::new("setns_ref_id", "setns id:1 true")
            .root()
            .fails(125)
            .err("setns: id:1: this kernel gives namespaces no IDs; name it by a file")
            .since(6, 11)
            .fails(125)
            .err("setns: id:1: this kernel gives only mount namespaces IDs, and none that can be seen has this one; name it by a file")
            .since(6, 18),
        Case::new("setns_ref_id_of_mounts", "hold -m; id=$(setns --show --json mnt=$PID | tr -d ' ' | grep -o '\"id\":[0-9]*' | cut -d: -f2); setns mnt=id:$id readlink /proc/self/ns/mnt >\"$T/in\"; readlink /proc/$PID/ns/mnt | cmp - \"$T/in\" && echo inside")
            .root()
            .fails(1)
            .err_has("setns: ")
            .since(6, 11)
            .out("inside"),
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
