//! All applets from end to end where the kernel lacks every call that is newer than it (seccomp(2) answers): what they do
//! instead must come to the same.
//!
//! Without pidfd_open, clone3, openat2, faccessat2, close_range, the new calls for mounts. That setns(2) takes pidfds and
//! what /proc shows stays as it is; of these see `nsenter_old_kernels`.

use crate::harness::*;

/// The last calls of Linux 5.2 and of 4.18, the latter as x86_64 numbers them; from 424 on all machines have the same.
const LAST_CALLS: [u32; 2] = [433, 334];

/// The program there, which runs as root, who alone needs no no_new_privs for a filter.
fn there(last: u32, program: &str) -> Tool {
    Tool::program("python3")
        .args(["-c", include_str!("as_old_kernel.py"), &last.to_string()])
        .arg(Tool::path_of(program))
}

fn lasts() -> impl Iterator<Item = u32> {
    let has_them = cfg!(target_arch = "x86_64");
    LAST_CALLS.into_iter().take(if has_them { 2 } else { 1 })
}

#[test]
fn unshare() {
    needs!(root(), command("python3"), ours("needs newer calls"));
    let place = Place::new();
    let (pid, root) = (place.at("pid"), place.subdir("root"));
    let shell = |words: &str| format!("{words} sh -c");
    for last in lasts() {
        let says = |words: &str, script: &str, out: &str| {
            let tool = there(last, "unshare")
                .line(words)
                .args(["sh", "-c", script]);
            tool.run().ok().err("").out(out);
        };
        says("-r", "id -u; cat /proc/self/setgroups", "0\ndeny\n");
        says("-c", "id -u", "0\n");
        says(
            "--map-users=0:5:3 --map-groups=0:6:2",
            "cat /proc/self/uid_map | tr -s ' '",
            " 0 5 3\n",
        );
        says(
            "-pf --mount-proc",
            "echo $$; echo /proc/[0-9]*",
            "1\n/proc/1\n",
        );
        says("-p --kill-child", "echo $$", "1\n");
        says("-p --init --mount-proc", "echo $$", "2\n");
        says("-u --hostname inside", "uname -n", "inside\n");
        says(
            "-n --loopback",
            "cat /sys/class/net/lo/operstate",
            "unknown\n",
        );
        says(
            "-m --propagation shared",
            "grep -c ' / / .*shared:' /proc/self/mountinfo",
            "1\n",
        );
        says(
            "-T -f --boottime 100000",
            "tr -s ' ' </proc/self/timens_offsets | tail -n 1",
            "boottime 100000 0\n",
        );
        says(&format!("-u --pidfile {pid}"), "echo ran", "ran\n");
        says(
            "-u -S 7 -G 8 --groups 9",
            "id -u; id -g; id -G",
            "7\n8\n8 9\n",
        );
        says(
            "-U --map-user=7 --keep-caps",
            "grep -c 'CapEff:.0000000000000000' /proc/self/status; :",
            "0\n",
        );
        says("-a -f --forward-signals", "kill -0 $$ && echo ran", "ran\n");
        says("-u -w /proc/sys", "pwd", "/proc/sys\n");
        says(
            "-u --clear-env --whitelist-env PATH",
            "echo ran$HOME",
            "ran\n",
        );
        let told = there(last, "unshare")
            .line(&shell("--dry-run -Ur -m"))
            .arg("true")
            .run()
            .ok()
            .text();
        assert!(told.contains("unshare user, mnt"), "{last}: {told}");
        // A root that holds only what cannot be executed: that it was entered shows in the error.
        for words in ["-m", "-m --pivot-root"] {
            there(last, "unshare")
                .line(words)
                .args(["-R", &root, "/x"])
                .run()
                .exits(127)
                .err("unshare: failed to execute /x: No such file or directory\n");
        }
    }
}

#[test]
fn nsenter_and_setns() {
    needs!(root(), command("python3"), ours("needs newer calls"));
    let holder = Holder::unshare("-CimnpTuf");
    let (target, mine) = (Links::of(holder.pid()), Links::mine());
    let pid = holder.pid().to_string();
    let seven = ["cgroup", "ipc", "mnt", "net", "pid", "time", "uts"];
    for last in lasts() {
        let enters = |program: &str, words: &[&str], kinds: &[&str]| {
            let run = there(last, program).args(words).line(INSIDE).run().ok();
            let links = Links::said(&run.text());
            assert_eq!(links.unlike(&mine), kinds, "{last}: {program} {words:?}");
            assert!(
                links
                    .unlike(&target)
                    .iter()
                    .all(|kind| !kinds.contains(kind)),
                "{last}: {words:?}"
            );
        };
        enters("nsenter", &["-t", &pid, "-a"], &seven);
        enters("nsenter", &["-t", &pid, "-n", "-u"], &["net", "uts"]);
        enters("nsenter", &["-t", &pid, "-p"], &["pid"]);
        enters("nsenter", &[&format!("--net=/proc/{pid}/ns/net")], &["net"]);
        enters("setns", &[&pid], &seven);
        enters(
            "setns",
            &[&format!("net={pid},uts=/proc/{pid}/ns/uts")],
            &["net", "uts"],
        );
        enters("setns", &[target.get("net")], &["net"]);
        there(last, "setns")
            .args(["--same", &format!("net={pid}"), target.get("net")])
            .run()
            .ok();
        let shown = there(last, "setns")
            .args(["--show", &pid])
            .run()
            .ok()
            .text();
        let theirs = |kind: &&&str| {
            let number: String = target
                .get(kind)
                .chars()
                .filter(char::is_ascii_digit)
                .collect();
            let mut lines = shown.lines();
            lines.any(|line| line.starts_with(**kind) && line.contains(&number))
        };
        assert_eq!(KINDS.iter().filter(theirs).count(), 8, "{last}: {shown}");
        // An inode tells nothing without pidfds.
        there(last, "nsenter")
            .args(["--explain", "-t", &format!("{pid}:1"), "-n", "true"])
            .run()
            .exits(1)
            .err_has("there are no pidfds: the kernel is older than Linux 5.3");
    }
}
