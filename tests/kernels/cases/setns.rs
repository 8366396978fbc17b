//! Every option of setns, and every form of REF.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    // An ordinary user enters its own user namespace first.
    let held = "hold $R -n -u -m; K=net,uts; [ \"$R\" ] && K=user,net,uts; REF=uts=$PID; [ \"$R\" ] && REF=user=$PID,uts=$PID\n";
    let on = |name: &str, script: &str| Case::new(name, &format!("{held}{script}"));
    let same = "[ \"$(readlink /proc/self/ns/uts)\" = \"$1\" ] && echo inside";
    let words = format!("sh -c '{same}' sh \"$(readlink /proc/$PID/ns/uts)\"");
    let mut cases = vec![
        on("setns_in_order", &format!("setns --in-order $REF {words}")).out("inside"),
        on("setns_pid", &format!("setns $PID {words}")).out("inside"),
        on("setns_same", "setns --same uts=$PID uts=$PID | grep -c same; setns -q --same uts=$PID uts=$PID; echo $?; setns -q --same uts=$PID uts=self; echo $?; setns -q --same $PID $PID; echo $?; setns --quiet --same self $PID; echo $?")
            .out("1\n0\n1\n0\n1"),
        on("setns_show", "setns --show $PID | grep -c '^uts '; setns --show --tree | grep -q uts && echo tree; setns --show --json | grep -q '\"uts\"' && echo json").out("1\ntree\njson"),
        on("setns_show_as_lsns", "setns --show --type uts --task $PID --noheadings --raw --output KIND; setns -t uts -p $PID -n -o KIND")
            .out("uts\nuts"),
        on("setns_show_processes", "setns --processes uts=$PID | grep -c sleep; setns --tree --kernel-threads --all-processes | grep -c .; setns --limits uts=$PID | grep -c LIMITS")
            .out_has("1"),
        on("setns_ip_netns", "mkdir -p /run/netns; touch /run/netns/blue; mount -o bind /proc/$PID/ns/net /run/netns/blue; setns --ip-netns netns:blue ls /sys/class/net; umount /run/netns/blue; rm /run/netns/blue")
            .root()
            .out_has("lo"),
        on("setns_show_all", "setns --show").out_has("KIND"),
        on("setns_keep_caps", "setns --keep-caps $REF true").out(""),
        on("setns_fork", &format!("setns -f $REF {words}; setns --fork $REF {words}")).out("inside\ninside"),
        on("setns_directory", "setns -w/proc/sys $REF pwd; setns --wd=/proc/sys $REF pwd; setns -W/proc/sys $REF pwd; setns --wdns=/proc/sys $REF pwd").out("/proc/sys\n/proc/sys\n/proc/sys\n/proc/sys"),
        on("setns_root", "mkdir -p \"$T/r/bin\"; cp /bin/busybox \"$T/r/bin\"; setns -r\"$T/r\" $REF /bin/busybox ls /; setns --root=\"$T/r\" $REF /bin/busybox ls /").out("bin\nbin"),
        on("setns_verbose", "setns -v $REF true; setns --verbose $REF true").err_has("uts"),
        on("setns_status_fd", "setns --status-fd 3 $REF true 3>&1").out_has("{"),
        on("setns_pidfile", "setns --pidfile \"$T/two\" $REF true; [ -s \"$T/two\" ] && echo there").out("there"),
        on("setns_dry_run", "setns --dry-run $REF true").out_has("execute true"),
        Case::new("setns_explain", "setns --explain net=1 true").ordinary().fails(125).err_has("\n  cause: "),
        Case::new("setns_version", "setns -V && setns --version").out_has("setns (nskit) "),
        Case::new("setns_help", "setns -h && setns --help").out_has("--same"),
        Case::new("setns_no_fork", "hold $R -p -f; K=pid=$PID; [ \"$R\" ] && K=user=$PID,pid=$PID; setns -F $K sh -c '[ $$ -gt 2 ] && echo outside'; setns --no-fork $K true; setns $K sh -c '[ $$ -lt 9 ] && echo inside'").out("outside\ninside"),
        on("setns_setuid", "setns -S 7 -G 8 --groups 9 uts=$PID id; setns --setuid 7 --setgid 8 uts=$PID id -u").root().out("uid=7 gid=8 groups=9\n7"),
    ];
    // The forms.
    for (name, reference) in [
        ("path", "/proc/$PID/ns/uts"),
        ("link", "$(readlink /proc/$PID/ns/uts)"),
        ("fd", "fd:3"),
        ("pidfile", "uts=pidfile:$T/pid"),
        ("owner", "uts=$PID"),
    ] {
        let user = "U=; [ \"$R\" ] && U=user=$PID,";
        let script = format!("{user}; exec 3</proc/$PID/ns/uts; setns ${{U}}{reference} {words}");
        cases.push(on(&format!("setns_ref_{name}"), &script).out("inside"));
    }
    cases.extend([
        on("setns_ref_cgroup", &format!("mkdir /sys/fs/cgroup/two; echo $PID >/sys/fs/cgroup/two/cgroup.procs; setns uts=cgroup:/two {words}; kill -9 $PID; while ! rmdir /sys/fs/cgroup/two 2>/dev/null; do usleep 10000; done"))
            .root()
            .out("inside"),
        on("setns_ref_netns", "mkdir -p /run/netns; touch /run/netns/blue; mount -o bind /proc/$PID/ns/net /run/netns/blue; setns netns:blue readlink /proc/self/ns/net >\"$T/in\"; readlink /proc/$PID/ns/net | cmp - \"$T/in\" && echo inside; setns -q --same netns:blue net=$PID && echo same; umount /run/netns/blue; rm /run/netns/blue")
            .root()
            .out("inside\nsame"),
        on("setns_ref_parent", "hold -r; setns -q --same parent:/proc/$PID/ns/user user=self; echo $?; setns -q --same owner:/proc/$PID/ns/user user=self; echo $?; setns -q --same user=$PID user=self; echo $?").out("0\n0\n1"),
    ]);
    cases
}
