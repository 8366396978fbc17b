//! The doctor leaves nothing: no mount, namespace, process or file, also when it is killed half-way.

use super::*;

/// A machine of its own, in which nobody else makes anything: `$nskit` is the binary, `traces` prints what there is.
fn alone(script: &str) -> Tool {
    let preamble = r#"
        set -e
        mount -t tmpfs -o mode=1777 tmpfs /mnt
        cp "$(command -v nskit)" /mnt/nskit
        for dir in /tmp /run /var/tmp; do
            if [ -d $dir ]; then mount -t tmpfs -o mode=1777 tmpfs $dir; fi
        done
        nskit=/mnt/nskit
        traces() {
            cat /proc/self/mountinfo
            for process in /proc/[0-9]*; do
                # The subshell and its children are the question, not the answer.
                read -r name 2>/dev/null <$process/comm || continue
                case $name in (sh|nskit|setpriv|python3) ;; (*) continue ;; esac
                echo $process $name
                readlink $process/ns/* || true
            done
            find /mnt /tmp /run /var/tmp -xdev | sort
        }
        traces >/mnt/before
        : >/mnt/after
        traces >/mnt/before
    "#;
    Tool::fixture()
        .line("-mnpf --mount-proc --kill-child --propagation private")
        .sh(&format!("{WITHOUT_OTHERS}{preamble}{script}"))
}

const COMPARE: &str = "
    # What was started may still be on its way out.
    for i in $(seq 2000); do
        traces >/mnt/after
        if cmp -s /mnt/before /mnt/after; then echo the same; exit 0; fi
        sleep 0.01
    done
    diff /mnt/before /mnt/after
";

#[test]
fn nothing_is_left() {
    needs!(doctors(), root());
    for words in [
        "doctor",
        "doctor unshare -af --map-users=0:0:1 --mount-proc true",
        "doctor unshare -m --pivot-root --root=/ true",
    ] {
        alone(&format!("$nskit {words} >/dev/null || true\n{COMPARE}"))
            .run()
            .ok()
            .out("the same\n");
    }
}

#[test]
fn nothing_is_left_by_an_ordinary_user() {
    needs!(doctors(), root(), user_namespaces(), command("setpriv"));
    let script = format!(
        "setpriv --reuid {ORDINARY} --regid {ORDINARY} --clear-groups $nskit doctor >/dev/null || true\n{COMPARE}"
    );
    alone(&script).run().ok().out("the same\n");
}

#[test]
fn nothing_is_left_when_it_is_killed() {
    needs!(doctors(), root(), command("python3"));
    // At many moments: after so many system calls, which another process counts.
    let killer = r#"
import os, signal, subprocess, sys, time
for moment in range(40):
    doctor = subprocess.Popen([sys.argv[1], "doctor"], stdout=subprocess.DEVNULL)
    time.sleep(moment * 0.002)
    doctor.send_signal(signal.SIGKILL)
    doctor.wait()
"#;
    let script = format!("python3 -c '{killer}' $nskit\n{COMPARE}");
    alone(&script).run().ok().out("the same\n");
}
