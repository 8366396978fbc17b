//! `setns --ip-netns`, beside `ip netns exec`; and names of networks without `netns:`.

use crate::harness::*;

const NOT_THEIRS: &str = "has no setns";

/// Does `script` in a mount namespace with /run and /etc of its own, where `ip netns` has a network `blue`.
#[track_caller]
fn with_blue(script: &str) -> Ran {
    let place = Place::new();
    let setup = "set -e
        mkdir $PLACE/etc
        cp /etc/passwd /etc/group $PLACE/etc
        echo 'nameserver 127.0.0.1' >$PLACE/etc/resolv.conf
        mount --bind $PLACE/etc /etc
        mount -t tmpfs tmpfs /run
        ip netns add blue
        for kind in dummy veth bridge; do
            ip -n blue link add only0 type $kind 2>/dev/null && break
        done || :
        mkdir -p /etc/netns/blue";
    Tool::fixture()
        .line("-m --propagation private")
        .sh(&format!("{setup}\n{script}"))
        .env("PLACE", place.path())
        .run()
}

/// What a program sees: its mounts but for their numbers, and for those of other tests, which come and go; devices of the network, files of /etc, what is below /sys.
const LOOK: &str = r#"
        cat >$PLACE/look <<'END'
cut -d' ' -f4- /proc/self/mountinfo | grep -v "^[^ ]* ${PLACE%/*/*}/"
ls /sys/class/net /sys/fs/cgroup /sys/fs
cat /etc/resolv.conf /etc/conf.d/* 2>&1
readlink /proc/self/ns/net
END
"#;

#[test]
fn the_same_as_ip_netns_exec() {
    needs!(ours(NOT_THEIRS), root(), command("ip"));
    for change in [
        ":",
        "rmdir /etc/netns/blue",
        "echo 'nameserver 9.9.9.9' >/etc/netns/blue/resolv.conf",
        "mkdir /etc/conf.d /etc/netns/blue/conf.d; echo x >/etc/netns/blue/conf.d/file; echo y >/etc/conf.d/other",
        // A link in place of the file, as resolvers make it.
        "mkdir /run/r; mv /etc/resolv.conf /run/r; ln -s /run/r/resolv.conf /etc/resolv.conf; \
         echo 'nameserver 9.9.9.9' >/etc/netns/blue/resolv.conf",
        "mount -t tmpfs tmpfs /sys/fs/cgroup; mkdir /sys/fs/cgroup/x",
        "umount -l /sys; mount -t cgroup2 none /sys 2>/dev/null || mount -t tmpfs none /sys",
        "umount -l /sys",
        "mount -o remount,bind,ro /sys",
        "mount --make-rshared /",
    ] {
        let script = format!(
            "{LOOK} {change}
            ip netns exec blue sh $PLACE/look >$PLACE/theirs
            setns --ip-netns netns:blue sh $PLACE/look >$PLACE/ours
            diff $PLACE/theirs $PLACE/ours
            grep -q 'sysfs blue' $PLACE/ours
            # Nothing of it is left outside.
            ! grep 'sysfs blue' /proc/self/mountinfo"
        );
        with_blue(&script).ok().out("");
    }
}

#[test]
fn what_is_mounted_in_it_does_not_spread() {
    needs!(ours(NOT_THEIRS), root(), command("ip"));
    let script = "
        mount --make-rshared /
        before=$(cat /proc/self/mountinfo)
        setns --ip-netns netns:blue sh -c 'mount -t tmpfs inside /tmp; grep -c inside /proc/self/mountinfo'
        test \"$before\" = \"$(cat /proc/self/mountinfo)\"";
    with_blue(&[WITHOUT_OTHERS, script].concat())
        .ok()
        .out("1\n");
}

#[test]
fn a_file_without_one_to_lie_over() {
    needs!(ours(NOT_THEIRS), root(), command("ip"));
    let script = "
        echo x >/etc/netns/blue/nowhere
        echo 'nameserver 9.9.9.9' >/etc/netns/blue/resolv.conf
        setns --ip-netns netns:blue sh -c 'cat /etc/resolv.conf; exit 7' || echo $?";
    with_blue(script)
        .exits(0)
        .out("nameserver 9.9.9.9\n7\n")
        .err("setns: cannot bind /etc/netns/blue/nowhere on /etc/nowhere: No such file or directory\n");
    let script = "
        mkdir /etc/netns/blue/resolv.conf
        setns --ip-netns netns:blue echo it ran || echo $?";
    with_blue(script).exits(0).out("125\n").err(
        "setns: cannot bind /etc/netns/blue/resolv.conf on /etc/resolv.conf: Not a directory\n",
    );
}

#[test]
fn with_other_namespaces() {
    needs!(ours(NOT_THEIRS), root(), command("ip"));
    let script = "
        unshare -u sh -c 'hostname inside; echo $$; exec sleep 1000' >$PLACE/pid &
        until test -s $PLACE/pid; do sleep 0.01; done
        setns --ip-netns net=netns:blue,uts=$(cat $PLACE/pid) sh -c 'hostname; test ! -e /sys/class/net/eth0'
        setns --ip-netns netns:blue,pid=self sh -c 'grep -c \"sysfs blue\" /proc/self/mountinfo'
        unshare -m sh -c 'echo $$; exec sleep 1000' >$PLACE/mnt &
        until test -s $PLACE/mnt; do sleep 0.01; done
        setns --ip-netns netns:blue,$(cat $PLACE/mnt) echo it ran || echo $?
        kill $(cat $PLACE/pid $PLACE/mnt)";
    let ran = with_blue(script).exits(0);
    assert_eq!(ran.text(), "inside\n1\n125", "{ran}");
    ran.err("setns: --ip-netns: has a mount namespace of its own, and none can be entered\n");
}

#[test]
fn what_it_needs() {
    needs!(ours(NOT_THEIRS));
    for (words, why) in [
        (
            "--ip-netns self",
            "--ip-netns: needs one network namespace, named by netns:<name>",
        ),
        (
            "--ip-netns /proc/self/ns/net",
            "--ip-netns: needs one network namespace, named by netns:<name>",
        ),
        (
            "--ip-netns netns:a,netns:b",
            "--ip-netns: needs one network namespace, named by netns:<name>",
        ),
        (
            "--ip-netns netns:a,mnt=self",
            "--ip-netns: has a mount namespace of its own, and none can be entered",
        ),
        (
            "--ip-netns --show netns:a",
            "--ip-netns is for entering: it cannot be combined with --show",
        ),
        (
            "--ip-netns netns:nskit-no",
            "cannot open /run/netns/nskit-no: No such file or directory",
        ),
    ] {
        let ran = Tool::setns().line(words).line("echo it ran").run();
        ran.exits(125).out("").err(&format!("setns: {why}\n"));
    }
}

#[test]
fn a_name_without_its_form() {
    needs!(ours(NOT_THEIRS), root(), command("ip"));
    let script = "
        for ref in blue net:blue net=blue net=net:blue owner:blue self,blue; do
            setns $ref echo it ran 2>&1 || echo $?
        done
        setns --show blue 2>&1 || echo $?
        setns --same self net:blue 2>&1 || echo $?
        setns red 2>&1 | cut -c1-30";
    let meant =
        |text, meant| format!("setns: '{text}' names no namespace; did you mean '{meant}'?\n125\n");
    let expected = [
        meant("blue", "netns:blue"),
        meant("net:blue", "netns:blue"),
        meant("net=blue", "net=netns:blue"),
        meant("net=net:blue", "net=netns:blue"),
        meant("owner:blue", "owner:netns:blue"),
        meant("blue", "netns:blue"),
        meant("blue", "netns:blue"),
        meant("net:blue", "netns:blue"),
        "setns: 'red' names no namespac\n".to_owned(),
    ];
    with_blue(script).ok().out(&expected.concat());
}
