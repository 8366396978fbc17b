//! The doctor where something is in the way: each time it says what that is.

use super::*;
use crate::explain::{CHROOT, filtered};

#[test]
fn limits_at_zero() {
    needs!(doctors(), user_namespaces());
    let limited = |kinds: &str| {
        Tool::fixture()
            .line("-Ur")
            .sh(&format!(
                "for kind in {kinds}; do echo 0 >/proc/sys/user/max_${{kind}}_namespaces; done; exec nskit doctor --json"
            ))
            .by_ordinary()
    };
    let is_zero = "user.max_net_namespaces is 0 here";
    found(limited("net"))
        .exits(1)
        .no("private-network", is_zero, "sysctl user.max_net_namespaces")
        .no("new-net", is_zero, "sysctl")
        .no("max-net", is_zero, "sysctl")
        .no("loopback", is_zero, "sysctl")
        .says("max-uts", "yes")
        .says("new-uts", "yes");
    let is_zero = "user.max_user_namespaces is 0 here";
    found(limited("user"))
        .exits(1)
        .no("rootless-container", is_zero, "sysctl")
        .no("map-root", is_zero, "sysctl")
        .no("nested", is_zero, "sysctl")
        .no("enter-by-file", is_zero, "sysctl");
}

#[test]
fn a_seccomp_filter() {
    needs!(doctors(), user_namespaces(), command("python3"));
    let refuses = "a seccomp filter refuses unshare(2)";
    let under = |calls| found(filtered(calls, "nskit").line("doctor --json").by_ordinary());
    under("unshare")
        .exits(1)
        .no("rootless-container", refuses, "seccomp profile")
        .no("private-network", refuses, "seccomp profile")
        .no("seccomp", refuses, "seccomp profile")
        .no("no-new-privs", "no_new_privs is set", "NoNewPrivileges=no");
    let refuses = "a seccomp filter refuses mount(2)";
    under("mount")
        .no("rootless-container", refuses, "seccomp profile")
        .no("seccomp", refuses, "seccomp profile")
        .says("private-network", "yes");
    under("setns").says("rootless-container", "yes").no(
        "enter-by-pidfd",
        "refuses setns(2)",
        "seccomp profile",
    );
}

#[test]
fn what_cannot_be_found_out() {
    needs!(doctors(), command("python3"));
    // No child can be started to try anything.
    let found = found(
        filtered("clone,clone3,fork,vfork", "nskit")
            .line("doctor --json")
            .by_ordinary(),
    );
    found
        .exits(125)
        .says("rootless-container", "unknown")
        .says("new-mnt", "unknown")
        .because("many-ids", "a seccomp filter refuses new processes", "")
        .says("kernel", "fact");
    assert!(found.value["works"].is_null());
}

#[test]
fn no_new_privileges() {
    needs!(
        doctors(),
        user_namespaces(),
        Subordinate::there(),
        command("setpriv")
    );
    let user = Subordinate::user();
    let tool = Tool::program("setpriv")
        .arg("--no-new-privs")
        .arg(Tool::path_of("nskit"))
        .line("doctor --json");
    let is_set = "no_new_privs is set";
    found(user.runs(tool))
        .exits(1)
        .says("rootless-container", "yes")
        .no("many-ids", is_set, "NoNewPrivileges=no")
        .no("no-new-privs", is_set, "NoNewPrivileges=no")
        .no("newuidmap", is_set, "");
}

#[test]
fn a_chroot() {
    needs!(doctors(), root(), command("chroot"));
    let place = Place::new();
    let tool = Tool::fixture()
        .line("-m --propagation private")
        .sh(&format!(
            "{CHROOT}exec chroot \"$root\" nskit doctor --json"
        ))
        .arg("sh")
        .arg(place.subdir("new"));
    let found = found(tool);
    found
        .exits(1)
        .no("rootless-container", "this is a chroot", "pivot_root(2)")
        .says("new-net", "partly")
        .because("new-net", "this is a chroot", "")
        .no("new-mnt", "/ is no mount point", "--propagation unchanged");
    let sign = found.check("container")["detail"].as_str().expect("words");
    assert!(sign.contains("/ is no mount point (a chroot)"), "{sign}");
}

#[test]
fn without_newuidmap() {
    needs!(doctors(), user_namespaces(), Subordinate::there());
    let place = Place::new();
    let user = Subordinate::user();
    let missing = "newuidmap is not in PATH";
    found(user.runs(doctor()).env("PATH", place.path()))
        .exits(1)
        .no("many-ids", missing, "uidmap")
        .no("newuidmap", missing, "uidmap")
        .no("newgidmap", "newgidmap is not in PATH", "uidmap")
        .says("ranges", "yes");
}

#[test]
fn a_proc_that_is_masked() {
    needs!(doctors(), user_namespaces());
    let masked = |also: &str| {
        Tool::fixture()
            .line("-rmpf --mount-proc")
            .sh(&format!(
                "set -e; mount --bind /dev/null /proc/uptime; {also} exec nskit doctor --json"
            ))
            .by_ordinary()
    };
    let covered = "/proc is covered in parts (/proc/uptime)";
    let sys = "mount --bind /dev/null /sys/kernel/uevent_seqnum;";
    found(masked(sys))
        .no(
            "sysfs",
            "/sys is covered in parts (/sys/kernel/uevent_seqnum)",
            "bind the /sys",
        )
        .says("tmpfs", "yes");
    found(masked(""))
        .exits(1)
        .no("rootless-container", covered, "unmask=ALL")
        .no("proc", covered, "unmask=ALL")
        .says("tmpfs", "yes")
        .says("private-network", "yes");
}

#[test]
fn without_proc() {
    needs!(doctors(), root());
    let tool = Tool::fixture()
        .line("-m")
        .sh("umount -l /proc && exec nskit doctor --json");
    let found = found(tool);
    found
        .exits(1)
        .says("kernel", "unknown")
        .says("no-new-privs", "unknown")
        .says("new-uts", "partly");
}

#[test]
fn a_rootless_container_of_ours() {
    needs!(doctors(), user_namespaces());
    let tool = Tool::unshare()
        .line("-Urpf --mount-proc nskit doctor --json")
        .by_ordinary();
    let found = found(tool);
    found
        .says("rootless-container", "yes")
        .says("private-network", "yes")
        .no("many-ids", "no line for root", "usermod --add-subuids")
        .says("new-net", "yes")
        .says("nested", "yes");
    let has = |name: &str, part: &str| {
        let detail = found.check(name)["detail"].as_str().expect("words");
        assert!(detail.contains(part), "{name}: {detail}");
    };
    has("user-namespace", "not the initial one");
    has("container", "the PID namespace is not the initial one");
    has("depth", "at least 1 of 32");
}

/// Does this as root where /etc is a copy of its own, and a user `patient` without ranges has an account; their number is
/// nobody's in another run.
fn with_patient(place: &Place, script: &str) -> Tool {
    let uid = 200_000 + std::process::id();
    Tool::fixture()
        .line("-m --propagation private")
        .sh(&format!(
            "set -e
             mkdir $1/etc
             # Who changes accounts meanwhile has this lock.
             flock /etc cp -a /etc/. $1/etc
             rm -f $1/etc/*.lock
             mount --bind $1/etc /etc
             useradd --system --no-create-home --shell /bin/sh --uid {uid} patient
             patient() {{ setpriv --reuid patient --regid patient --clear-groups \"$@\"; }}
             {script}"
        ))
        .arg("sh")
        .arg(place.path())
}

#[test]
fn the_hint_about_ranges_can_be_followed() {
    needs!(
        doctors(),
        root(),
        user_namespaces(),
        command("useradd"),
        command("usermod"),
        command("setpriv"),
        command("newuidmap")
    );
    let place = Place::new();
    let script = r#"
        patient nskit doctor >$1/before || echo $?
        grep "no  *told  *ranges" $1/before
        sed -n "s/.*hint: let root run: //p" $1/before | head -n 1 >$1/hint
        sh -e $1/hint
        patient nskit doctor --quiet && echo mended
    "#;
    with_patient(&place, script)
        .run()
        .exits(0)
        .out("1\n  no      told   ranges in /etc/subuid and /etc/subgid\nmended\n");
}

#[test]
fn a_range_that_only_getsubids_knows() {
    needs!(
        doctors(),
        root(),
        user_namespaces(),
        command("useradd"),
        command("setpriv")
    );
    let place = Place::new();
    let tools = place.subdir("tools");
    place.script(
        "tools/getsubids",
        "#!/bin/sh\necho \"0: patient 700000 65536\"\n",
    );
    let script = format!("PATH={tools}:$PATH patient nskit doctor --json");
    let found = found(with_patient(&place, &script));
    found.says("ranges", "yes");
    let detail = found.check("ranges")["detail"].as_str().expect("words");
    assert!(
        detail.contains("/etc/subuid 700000-765535 (getsubids)"),
        "{detail}"
    );
    // newuidmap does not know it.
    found.says("many-ids", "no");
}

/// Ends what a `getsubids` of the test's has become, which is nobody's child by then.
const END_SLEEPERS: &str = "
    sleepers() {
        for process in /proc/[0-9]*; do
            read -r name 2>/dev/null <$process/comm && [ \"$name\" = sleep ] || continue
            [ \"$(stat -c %U $process)\" = patient ] && echo ${process#/proc/}
        done
        return 0
    }
    end_sleepers() { for pid in $(sleepers); do kill $pid; done; }
";

#[test]
fn who_never_answers_is_not_waited_for_long() {
    needs!(
        doctors(),
        root(),
        user_namespaces(),
        command("useradd"),
        command("setpriv")
    );
    let place = Place::new();
    let tools = place.subdir("tools");
    place.script("tools/getsubids", "#!/bin/sh\nexec sleep 1000\n");
    let script = format!(
        "{END_SLEEPERS}PATH={tools}:$PATH patient nskit doctor --json || echo $? >$1/status; end_sleepers"
    );
    let found = found(with_patient(&place, &script));
    found
        .says("many-ids", "unknown")
        .says("rootless-container", "yes");
    let status = std::fs::read_to_string(place.at("status")).expect("a status");
    assert_eq!(status, "125\n");
}

#[test]
fn a_child_that_waits_ends_with_a_doctor_that_is_killed() {
    needs!(
        doctors(),
        root(),
        user_namespaces(),
        command("useradd"),
        command("setpriv")
    );
    let place = Place::new();
    let tools = place.subdir("tools");
    // The doctor, whose child calls it, stands still until it is killed: it would not wait for long.
    place.script(
        "tools/getsubids",
        "#!/bin/sh\nread -r _ _ _ doctor _ </proc/$PPID/stat\nkill -STOP $doctor\nexec sleep 1000\n",
    );
    let script = format!(
        "{END_SLEEPERS}
        PATH={tools}:$PATH setpriv --reuid patient --regid patient --clear-groups nskit doctor &
        doctor=$!
        until [ -n \"$(sleepers)\" ]; do sleep 0.01; done
        child=$(cat /proc/$doctor/task/$doctor/children)
        test -n \"$child\"
        kill -KILL $doctor
        wait $doctor || true
        # A zombie has ended; whether init is quick to ask for it is not our affair.
        for i in $(seq 3000); do
            case $(cat /proc/${{child% }}/stat 2>/dev/null) in ('' | *') Z '*) echo ended; break ;; esac
            sleep 0.01
        done
        end_sleepers"
    );
    with_patient(&place, &script).run().exits(0).out("ended\n");
}
