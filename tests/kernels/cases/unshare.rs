//! Every option of unshare.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [kinds(), ids(), process(), mounts(), other()].concat()
}

fn kinds() -> Vec<Case> {
    let mut cases = Vec::new();
    for (short, long, kind) in [
        ("-m", "--mount", "mnt"),
        ("-u", "--uts", "uts"),
        ("-i", "--ipc", "ipc"),
        ("-n", "--net", "net"),
        ("-C", "--cgroup", "cgroup"),
    ] {
        // `$R` brings a user namespace.
        for (name, option) in [("", short), ("_long", long)] {
            let script = format!(
                "mine=$(readlink /proc/self/ns/{kind})\n\
                 unshare $R {option} sh -c '[ \"$(readlink /proc/self/ns/{kind})\" != '$mine' ] && id -u'"
            );
            cases.push(Case::new(&format!("unshare_{kind}{name}"), &script).out("0"));
        }
        let script = format!(
            "mount -t tmpfs kept \"$T\"; mount --make-private \"$T\"; touch \"$T/kept\"\n\
             unshare {long}=\"$T/kept\" true && nsenter {long}=\"$T/kept\" readlink /proc/self/ns/{kind} >/tmp/link\n\
             [ \"$(cat /tmp/link)\" != \"$(readlink /proc/self/ns/{kind})\" ] && [ \"$(tr -dc 0-9 </tmp/link)\" = \"$(stat -c %i \"$T/kept\")\" ] && echo kept\n\
             umount \"$T/kept\"; cd /; umount \"$T\""
        );
        cases.push(
            Case::new(&format!("unshare_{kind}_kept"), &script)
                .root()
                .out("kept"),
        );
    }
    cases.extend([
        Case::new(
            "unshare_user",
            "unshare -U sh -c 'id -u; cat /proc/self/uid_map'",
        )
        .out("65534"),
        Case::new("unshare_user_long", "unshare --user sh -c 'id -u'").out("65534"),
        Case::new("unshare_pid", "unshare $R -p -f sh -c 'echo $$'").out("1"),
        Case::new(
            "unshare_pid_long",
            "unshare $R --pid --fork sh -c 'echo $$'",
        )
        .out("1"),
        Case::new(
            "unshare_time",
            "mine=$(readlink /proc/self/ns/time)\n\
             unshare $R -T -f sh -c '[ \"$(readlink /proc/self/ns/time)\" != '$mine' ] && id -u'",
        )
        .out("0"),
        Case::new(
            "unshare_time_long",
            "unshare $R --time --fork cat /proc/self/timens_offsets",
        )
        .out_has("monotonic           0         0"),
        Case::new(
            "unshare_all",
            "hold $R -a -f; unlike \"$(ls -l /proc/$PID/ns)\"; hold $R --all --fork; unlike \"$(ls -l /proc/$PID/ns)\"",
        )
        .out(
            "cgroup ipc mnt net pid time user uts \n\
             cgroup ipc mnt net pid time user uts ",
        ),
    ]);
    cases
}

fn ids() -> Vec<Case> {
    let map = "cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '";
    let case = |name: &str, options: &str, out: &str| {
        Case::new(name, &format!("unshare {options} sh -c \"{map}\"")).out(out)
    };
    vec![
        case("unshare_map_root_user", "--map-root-user", " 0 0 1\n 0 0 1").root(),
        case("unshare_r", "-r", " 0 1000 1\n 0 1000 1").ordinary(),
        case("unshare_map_current_user", "--map-current-user", " 1000 1000 1\n 1000 1000 1").ordinary(),
        case("unshare_c", "-c", " 0 0 1\n 0 0 1").root(),
        case("unshare_map_user", "--map-user=7 --map-group=8", " 7 1000 1\n 8 1000 1").ordinary(),
        case("unshare_map_users", "--map-users=0:5:3 --map-groups=9:6:2", " 0 5 3\n 9 6 2").root(),
        case(
            "unshare_map_users_ordinary",
            "--map-users=0:100000:3 --map-groups=9:100006:2",
            " 0 100000 3\n 9 100006 2",
        )
        .ordinary(),
        case("unshare_map_auto", "--map-auto", " 0 100000 65536\n 0 100000 65536").ordinary(),
        case("unshare_map_auto_and_root", "-r --map-auto", " 0 1000 1\n 1 100000 65536\n 0 1000 1\n 1 100000 65536").ordinary(),
        case("unshare_map_subids", "--map-subids", " 100000 100000 65536\n 100000 100000 65536").ordinary(),
        Case::new(
            "unshare_owner",
            "hold --owner 1000:1000 -r -n; stat -c %u /proc/$PID/ns/net >/dev/null; setns --show --json $PID | grep -o '\"uid\": *1000' | head -n 1 | tr -d ' '",
        )
        .root(),
        Case::new("unshare_setgroups", "unshare -r --setgroups deny cat /proc/self/setgroups").out("deny"),
        Case::new("unshare_setgroups_allow", "unshare --setgroups allow -U cat /proc/self/setgroups").root().out("allow"),
        Case::new(
            "unshare_keep_caps",
            "unshare -U --map-user=7 --keep-caps grep -c 'CapEff:.0000000000000000' /proc/self/status\n\
             unshare -c grep -c 'CapEff:.0000000000000000' /proc/self/status",
        )
        .ordinary()
        .out("0\n1"),
        Case::new("unshare_setuid", "unshare -S 7 -G 8 --groups 9,10 -u id").root().out("uid=7 gid=8 groups=9,10"),
        Case::new("unshare_setuid_long", "unshare --setuid ordinary --setgid ordinary id -u").root().out("1000"),
        Case::new(
            "unshare_setuid_inside",
            "unshare --map-auto -S 5 -G 6 sh -c 'id -u; id -g'",
        )
        .ordinary()
        .out("5\n6"),
    ]
}

fn process() -> Vec<Case> {
    vec![
        Case::new("unshare_fork", "unshare $R -u -f sh -c 'exit 7'").fails(7).err(""),
        Case::new("unshare_kill_child", "unshare $R -p --kill-child sh -c 'echo $$'; unshare $R -p --kill-child=TERM sh -c 'echo $$'").out("1\n1"),
        Case::new(
            "unshare_kill_child_kills",
            "unshare $R -p --kill-child sh -c 'exec sleep 1000' & maker=$!\n\
             until [ \"$(cat /proc/$maker/task/$maker/children 2>/dev/null)\" ]; do usleep 10000; done\n\
             child=$(cat /proc/$maker/task/$maker/children | tr -d ' ')\n\
             kill -9 $maker; wait $maker; while kill -0 $child 2>/dev/null && ! grep -q '^State:.Z' /proc/$child/status; do usleep 10000; done; echo gone",
        )
        .out("gone")
        .err_has(""),
        Case::new(
            "unshare_forward_signals",
            "unshare $R -u --forward-signals=TERM sh -c 'trap \"echo got; exit 5\" TERM; echo >\"$0\"; while :; do sleep 0.1; done' \"$T/ready\" &\n\
             until [ -e \"$T/ready\" ]; do usleep 10000; done; kill -TERM $!; wait $!",
        )
        .fails(5)
        .out("got")
        .err(""),
        Case::new("unshare_init", "unshare $R --init --mount-proc sh -c 'cat /proc/1/comm; echo $$'").out("unshare\n2"),
        Case::new("unshare_hostname", "unshare $R --hostname inside hostname").out("inside"),
        Case::new("unshare_loopback", "unshare $R --loopback ip addr show lo").out_has("127.0.0.1"),
        Case::new(
            "unshare_clocks",
            "unshare $R -T -f --monotonic 100000 --boottime 200000 cat /proc/self/timens_offsets",
        )
        .out("monotonic      100000         0\nboottime       200000         0"),
        Case::new("unshare_pidfile", "unshare $R -p -f --pidfile \"$T/pid\" sh -c :; [ -s \"$T/pid\" ] && echo there").out("there"),
        Case::new("unshare_status_fd", "unshare $R -u --status-fd 3 true 3>&1").out_has("{"),
    ]
}

fn mounts() -> Vec<Case> {
    vec![
        Case::new("unshare_mount_proc", "unshare $R -p -f --mount-proc sh -c 'readlink /proc/self; echo /proc/[0-9]*'").out("2\n/proc/1"),
        Case::new("unshare_mount_proc_elsewhere", "mkdir \"$T/p\"; unshare $R -p -f --mount-proc=\"$T/p\" cat \"$T/p/1/comm\"").out("cat"),
        Case::new(
            "unshare_propagation",
            "for one in slave shared private unchanged; do unshare $R -m --propagation $one sh -c 'grep -c \" / / .*shared:\" /proc/self/mountinfo; :'; done",
        )
        .out("0\n1\n0\n0"),
        Case::new(
            "unshare_root",
            "mkdir -p \"$T/r/bin\"; cp /bin/busybox \"$T/r/bin/\"; unshare $R -m -R \"$T/r\" /bin/busybox ls / ; unshare $R -m --root \"$T/r\" --pivot-root /bin/busybox ls /",
        )
        .out("bin\nbin"),
        Case::new("unshare_wd", "unshare $R -m -w /proc/sys pwd; unshare $R -u --wd /tmp pwd").out("/proc/sys\n/tmp"),
    ]
}

fn other() -> Vec<Case> {
    vec![
        Case::new(
            "unshare_clear_env",
            "A=1 B=2 unshare $R -u --clear-env --whitelist-env A sh -c 'echo $A$B'",
        )
        .out("1"),
        Case::new(
            "unshare_whitelist_env",
            "A=1 B=2 unshare $R -u --whitelist-env B env",
        )
        .out("B=2"),
        Case::new("unshare_dry_run", "unshare $R -u --dry-run true").out_has("execute true"),
        Case::new("unshare_explain", "unshare $R -u --explain true").out(""),
        Case::new("unshare_version", "unshare -V && unshare --version").out_has("unshare (nskit) "),
        Case::new("unshare_help", "unshare -h && unshare --help").out_has("--map-root-user"),
    ]
}
