//! Every option of nsenter.

use crate::case::Case;

pub(super) fn cases() -> Vec<Case> {
    [kinds(), contexts(), other()].concat()
}

/// A shell that says the kinds in which it is not with its caller.
const SAYS: &str = r#"sh -c 'inside=$(ls -l /proc/self/ns); for kind in cgroup ipc mnt net pid time user uts; do link=${inside#*-> $kind:}; case $MINE in *"-> $kind:${link%%]*}]"*) ;; *) printf "%s " $kind ;; esac; done'"#;

fn kinds() -> Vec<Case> {
    let held = "hold $R -C -i -m -n -p -T -u -f\n";
    let user = "U=; P=; [ \"$R\" ] && U=-U P=--preserve-credentials\n";
    let mut cases: Vec<_> = [
        ("m", "mount", "mnt"),
        ("u", "uts", "uts"),
        ("i", "ipc", "ipc"),
        ("n", "net", "net"),
        ("p", "pid", "pid"),
        ("C", "cgroup", "cgroup"),
        ("T", "time", "time"),
    ]
    .into_iter()
    .map(|(short, long, kind)| {
        let script = format!(
            "{held}{user}nsenter $U $P -t $PID -{short} {SAYS}; echo; nsenter $U $P --target $PID --{long} {SAYS}; echo; \
             nsenter $P ${{U:+--user=/proc/$PID/ns/user}} --{long}=/proc/$PID/ns/{kind} {SAYS}"
        );
        Case::new(&format!("nsenter_{kind}"), &script).out(&format!("{kind} \n{kind} \n{kind} ")).root()
    })
    .collect();
    for case in cases.clone() {
        let kind = case.name.trim_start_matches("nsenter_").to_owned();
        let script = case.script.clone();
        let line = if kind.as_str() < "user" {
            format!("{kind} user ")
        } else {
            format!("user {kind} ")
        };
        cases.push(
            Case::new(&format!("nsenter_{kind}_and_user"), &script)
                .ordinary()
                .out(&format!("{line}\n{line}\n{line}")),
        );
    }
    cases.extend([
        Case::new("nsenter_all", &format!("{held}nsenter -t $PID -a {SAYS}; echo; nsenter --target $PID --all {SAYS}"))
            .root()
            .out("cgroup ipc mnt net pid time uts \ncgroup ipc mnt net pid time uts "),
        Case::new("nsenter_all_ordinary", &format!("{held}nsenter --preserve-credentials -t $PID -a {SAYS}"))
            .ordinary()
            .out("cgroup ipc mnt net pid time user uts "),
        Case::new("nsenter_user", "hold -r; nsenter --preserve-credentials -U -t $PID id -u; nsenter --user --target $PID --preserve-credentials id -u").out("0\n0"),
        Case::new(
            "nsenter_user_parent",
            "hold -r unshare -r; inner=$PID\nnsenter --preserve-credentials -t $inner -U --user-parent sh -c 'readlink /proc/self/ns/user' >\"$T/parent\"\n\
             [ \"$(cat \"$T/parent\")\" != \"$(readlink /proc/$inner/ns/user)\" ] && [ \"$(cat \"$T/parent\")\" != \"$(readlink /proc/self/ns/user)\" ] && echo parent",
        )
        .out("parent"),
        Case::new("nsenter_zombie", "sh -c 'sleep 0 & exec sleep 1000' & HELD=$!; until child=$(cat /proc/$!/task/$!/children 2>/dev/null) && [ \"$child\" ] && grep -q '^State:.Z' /proc/${child% }/status; do usleep 10000; done\n\
             nsenter -t ${child% } -n true")
            .fails(1)
            .err_has("nsenter: "),
        Case::new("nsenter_wrong_inode", "hold $R -n; nsenter -t $PID:1 -n true").fails(1).err_has("nsenter: "),
    ]);
    cases
}

fn contexts() -> Vec<Case> {
    vec![
        Case::new("nsenter_setuid", "hold -n; nsenter -t $PID -n -S 7 -G 8 --groups 9 id; nsenter -t $PID -n --setuid 7 --setgid 8 id -u")
            .root()
            .out("uid=7 gid=8 groups=9\n7"),
        Case::new("nsenter_follow", "hold -S 7 -G 8 --groups 9 -n; nsenter -t $PID -n -S follow -G follow --groups follow id").root().out("uid=7 gid=8 groups=9"),
        Case::new("nsenter_keep_caps", "hold -c; nsenter -t $PID -U --keep-caps --preserve-credentials grep -c 'CapEff:.0000000000000000' /proc/self/status; :").ordinary().out("0").fails(0).err(""),
        Case::new("nsenter_follow_context", "hold $R -u; U=; [ \"$R\" ] && U=-U; nsenter $U --preserve-credentials -t $PID -u -Z true; nsenter $U --preserve-credentials -t $PID -u --follow-context true").fails(1).err_has("nsenter: "),
        Case::new("nsenter_follow_apparmor", "hold $R -u; U=; [ \"$R\" ] && U=-U; nsenter $U --preserve-credentials -t $PID -u --follow-apparmor cat /proc/self/attr/current").out("unconfined"),
        Case::new(
            "nsenter_join_cgroup",
            "mkdir /sys/fs/cgroup/one; hold -u; echo $PID >/sys/fs/cgroup/one/cgroup.procs; nsenter -t $PID -u -c cat /proc/self/cgroup; nsenter -t $PID -u --join-cgroup cat /proc/self/cgroup; kill -9 $PID; while ! rmdir /sys/fs/cgroup/one 2>/dev/null; do usleep 10000; done",
        )
        .root()
        .out("0::/one\n0::/one"),
        Case::new("nsenter_no_fork", "hold $R -p -f; U=; [ \"$R\" ] && U=-U; nsenter $U --preserve-credentials -t $PID -p -F sh -c '[ $$ -gt 2 ] && echo outside'; nsenter $U --preserve-credentials -t $PID -p --no-fork true").out("outside"),
        Case::new("nsenter_root", "hold $R -m; U=; [ \"$R\" ] && U=-U; nsenter $U --preserve-credentials -t $PID -m -r -w pwd; nsenter $U --preserve-credentials -t $PID -m --root=/proc --wd=/proc /sys/../self/exe 2>/dev/null; nsenter $U --preserve-credentials -t $PID --mount --root --wd=/proc pwd").out_has("/proc"),
        Case::new("nsenter_wdns", "hold $R -m; U=; [ \"$R\" ] && U=-U; nsenter $U --preserve-credentials -t $PID -m -W/proc/sys pwd; nsenter $U --preserve-credentials -t $PID -m --wdns=/proc/sys pwd").out("/proc/sys\n/proc/sys"),
        Case::new("nsenter_env", "A=theirs hold $R -u; U=; [ \"$R\" ] && U=-U; nsenter $U --preserve-credentials -t $PID -u -e sh -c 'echo $A'; nsenter $U --preserve-credentials -t $PID -u --env sh -c 'echo $A'").out("theirs\ntheirs"),
        Case::new(
            "nsenter_net_socket",
            "hold $R -n; held=$PID; U=; [ \"$R\" ] && U=-U\n\
             nsenter $U --preserve-credentials -t $held -n --pidfile \"$T/server\" httpd -f -p 1234 </dev/null >/dev/null 2>&1 & HELD=\"$HELD $!\"\n\
             until PID=$(cat \"$T/server\" 2>/dev/null) && FD=$(ls -l /proc/$PID/fd 2>/dev/null | sed -n 's/.* \\([0-9]*\\) -> socket:.*/\\1/p' | head -n 1) && [ \"$FD\" ]; do usleep 10000; done\n\
             HELD=\"$HELD $PID\"; for option in -N --net-socket; do nsenter $U --preserve-credentials -t $PID $option $FD readlink /proc/self/ns/net; done | sort -u >\"$T/inside\"\n\
             readlink /proc/$held/ns/net | cmp - \"$T/inside\" && echo same",
        )
        .out("same"),
    ]
}

fn other() -> Vec<Case> {
    vec![
        Case::new("nsenter_kill_child", "hold $R -p -f; U=; [ \"$R\" ] && U=-U; nsenter $U --preserve-credentials -t $PID -p --kill-child sh -c 'echo $$' | grep -c .").out("1"),
        Case::new("nsenter_forward_signals", "hold $R -p -f; U=; [ \"$R\" ] && U=-U; nsenter $U --preserve-credentials -t $PID -p --forward-signals=TERM sh -c 'trap \"echo got; exit 5\" TERM; echo >\"$0\"; while :; do sleep 0.1; done' \"$T/ready\" &\n\
             until [ -e \"$T/ready\" ]; do usleep 10000; done; kill -TERM $!; wait $!").fails(5).out("got").err(""),
        Case::new("nsenter_status_fd", "hold $R -u; U=; [ \"$R\" ] && U=-U; nsenter $U --preserve-credentials -t $PID -u --status-fd 3 true 3>&1").out_has("{"),
        Case::new("nsenter_pidfile", "hold $R -u; U=; [ \"$R\" ] && U=-U; nsenter $U --preserve-credentials -t $PID -u --pidfile \"$T/two\" true; [ -s \"$T/two\" ] && echo there").out("there"),
        Case::new("nsenter_explain", "nsenter --explain -t 1 -n true").ordinary().fails(1).err_has("\n  cause: CAP_SYS_ADMIN is missing"),
        Case::new("nsenter_dry_run", "hold $R -u; U=; [ \"$R\" ] && U=-U; nsenter $U --preserve-credentials --dry-run -t $PID -u true").out_has("execute true").lacks("would fail"),
        Case::new("nsenter_version", "nsenter -V && nsenter --version").out_has("nsenter (nskit) "),
        Case::new("nsenter_help", "nsenter -h && nsenter --help").out_has("--target"),
    ]
}
