//! Command lines of public projects, each with the options as they are meant and what is to be run.

use super::{nsenter, unshare};

#[test]
fn unshare_lines_from_the_wild() {
    unshare("unshare --fork --pid", "--fork --pid", "");
    unshare(
        "unshare --fork --pid --mount --map-auto --map-root-user --setuid 0 --setgid 0 pacstrap",
        "--fork --pid --mount --map-auto --map-root-user --setuid=0 --setgid=0",
        "pacstrap",
    );
    unshare(
        "unshare --map-auto --map-current-user --setuid 0 --setgid 0",
        "--map-auto --map-current-user --setuid=0 --setgid=0",
        "",
    );
    unshare(
        "unshare --kill-child --fork --pid --mount --mount-proc --propagation shared /lib/systemd/systemd",
        "--kill-child --fork --pid --mount --mount-proc --propagation=shared",
        "/lib/systemd/systemd",
    );
    unshare(
        "unshare --pid --mount-proc --fork --propagation slave sh",
        "--pid --mount-proc --fork --propagation=slave",
        "sh",
    );
    unshare(
        "unshare -p -m -f -r --mount-proc=/proc sh",
        "--pid --mount --fork --map-root-user --mount-proc=/proc",
        "sh",
    );
    unshare(
        "unshare -p -m -f -r mount -t proc none /proc",
        "--pid --mount --fork --map-root-user",
        "mount -t proc none /proc",
    );
    unshare("unshare -m -- CMD ARGS", "--mount", "CMD ARGS");
    unshare(
        "unshare --map-root-user --user sh -c whoami",
        "--map-root-user --user",
        "sh -c whoami",
    );
    unshare(
        "unshare --user --map-root-user --mount --propagation shared mount --bind A B",
        "--user --map-root-user --mount --propagation=shared",
        "mount --bind A B",
    );
    unshare(
        "unshare -r -n sleep infinity",
        "--map-root-user --net",
        "sleep infinity",
    );
    unshare(
        "unshare -r -nmU bash -c x",
        "--map-root-user --net --mount --user",
        "bash -c x",
    );
    unshare(
        "unshare --mount --uts --ipc --net=/var/run/netns/n1 --pid --fork sh",
        "--mount --uts --ipc --net=/var/run/netns/n1 --pid --fork",
        "sh",
    );
    unshare(
        "unshare --user --map-root-user --fork --pid --mount-proc --mount --mount-proc --uts --ipc --net chroot DIR",
        "--user --map-root-user --fork --pid --mount-proc --mount --mount-proc --uts --ipc --net",
        "chroot DIR",
    );
    unshare("unshare -Urn CMD", "--user --map-root-user --net", "CMD");
    unshare(
        "unshare -Urnm true",
        "--user --map-root-user --net --mount",
        "true",
    );
    unshare(
        "unshare -Urmin",
        "--user --map-root-user --mount --ipc --net",
        "",
    );
    unshare(
        "unshare -Urmpf --mount-proc",
        "--user --map-root-user --mount --pid --fork --mount-proc",
        "",
    );
    unshare("unshare -rm sh -c x", "--map-root-user --mount", "sh -c x");
    unshare(
        "unshare -rm --propagation private bash -c x",
        "--map-root-user --mount --propagation=private",
        "bash -c x",
    );
    unshare("unshare -mn sleep 2", "--mount --net", "sleep 2");
    unshare(
        "unshare -pf --mount-proc /bin/bash",
        "--pid --fork --mount-proc",
        "/bin/bash",
    );
    unshare(
        "unshare -pfum chroot DIR /bin/sh",
        "--pid --fork --uts --mount",
        "chroot DIR /bin/sh",
    );
    unshare(
        "unshare -pfr --user=P --uts=P --net=P --mount=P",
        "--pid --fork --map-root-user --user=P --uts=P --net=P --mount=P",
        "",
    );
    unshare(
        "unshare --kill-child=SIGTERM --mount-proc -p -f -R DIR /start",
        "--kill-child=SIGTERM --mount-proc --pid --fork --root=DIR",
        "/start",
    );
    unshare(
        "unshare --kill-child=KILL --mount --net --pid --ipc --uts --fork bash -s -- x",
        "--kill-child=KILL --mount --net --pid --ipc --uts --fork",
        "bash -s -- x",
    );
    unshare(
        "unshare --fork --pid --mount-proc=DIR/proc chroot DIR",
        "--fork --pid --mount-proc=DIR/proc",
        "chroot DIR",
    );
    unshare(
        "unshare --map-auto --setuid=0 --setgid=0 --wd DIR CMD",
        "--map-auto --setuid=0 --setgid=0 --wd=DIR",
        "CMD",
    );
    unshare(
        "unshare --map-auto --setuid 0 --setgid 0 -nm CMD",
        "--map-auto --setuid=0 --setgid=0 --net --mount",
        "CMD",
    );
    unshare(
        "unshare --map-auto --map-root-user -- rm -rf -- DIR",
        "--map-auto --map-root-user",
        "rm -rf -- DIR",
    );
    unshare(
        "unshare --user --map-user=1 --map-group=2 -- bash -c x",
        "--user --map-user=1 --map-group=2",
        "bash -c x",
    );
    unshare(
        "unshare --user --map-current-user --keep-caps --mount true",
        "--user --map-current-user --keep-caps --mount",
        "true",
    );
    unshare(
        "unshare --propagation slave -m sh -c x",
        "--propagation=slave --mount",
        "sh -c x",
    );
    unshare(
        "unshare --propagation unchanged -Urm",
        "--propagation=unchanged --user --map-root-user --mount",
        "",
    );
    unshare(
        "unshare --mount=/run/mntns/m1 --net=/run/netns/n1 true",
        "--mount=/run/mntns/m1 --net=/run/netns/n1",
        "true",
    );
    unshare(
        "unshare -U --map-root-user -- nsenter --target 1 --mount true",
        "--user --map-root-user",
        "nsenter --target 1 --mount true",
    );
    unshare("unshare -R/srv -r", "--root=/srv --map-root-user", "");
    unshare(
        "unshare -rmR/x CMD",
        "--map-root-user --mount --root=/x",
        "CMD",
    );
    unshare(
        "unshare --time --fork --boottime 300000000 uptime -p",
        "--time --fork --boottime=300000000",
        "uptime -p",
    );
    unshare(
        "unshare --setgroups=allow --user --pid --mount-proc --fork",
        "--setgroups=allow --user --pid --mount-proc --fork",
        "",
    );
    unshare(
        "unshare -Uc --map-subids",
        "--user --map-current-user --map-subids",
        "",
    );
    unshare(
        "unshare -Urpf bash",
        "--user --map-root-user --pid --fork",
        "bash",
    );
}

#[test]
fn nsenter_lines_from_the_wild() {
    let five = "--target=1 --mount --uts --ipc --net --pid";
    nsenter(
        "nsenter --target 1 --mount --uts --ipc --net --pid -- bash -l",
        five,
        "bash -l",
    );
    nsenter(
        "nsenter --target 1 --mount --uts --ipc --net --pid bash -l",
        five,
        "bash -l",
    );
    nsenter("nsenter -t 1 -m -u -i -n -p CMD", five, "CMD");
    nsenter(
        "nsenter --no-fork --wd=/x --preserve-credentials -m -n -U -t 7 -- CMD",
        "--no-fork --wd=/x --preserve-credentials --mount --net --user --target=7",
        "CMD",
    );
    nsenter(
        "nsenter -w/DIR --preserve-credentials -m -U -t 7 -F -n CMD",
        "--wd=/DIR --preserve-credentials --mount --user --target=7 --no-fork --net",
        "CMD",
    );
    nsenter(
        "nsenter -n/run/netns/x sysctl -w a=1",
        "--net=/run/netns/x",
        "sysctl -w a=1",
    );
    nsenter(
        "nsenter -n -p -m -t 7 /usr/bin/nsenter -w/DIR CMD",
        "--net --pid --mount --target=7",
        "/usr/bin/nsenter -w/DIR CMD",
    );
    nsenter(
        "nsenter -m -p -t 7 --wd=DIR",
        "--mount --pid --target=7 --wd=DIR",
        "",
    );
    nsenter("nsenter -t 1 -m CMD", "--target=1 --mount", "CMD");
    nsenter("nsenter -a -t 1 CMD", "--all --target=1", "CMD");
    nsenter(
        "nsenter -at 1 -- modprobe x",
        "--all --target=1",
        "modprobe x",
    );
    nsenter(
        "nsenter --all --target=1 -- su -",
        "--all --target=1",
        "su -",
    );
    nsenter(
        "nsenter -m -u -i -n -p -C -r -w --target=1 -- su -",
        "--mount --uts --ipc --net --pid --cgroup --root --wd --target=1",
        "su -",
    );
    nsenter(
        "nsenter -m/proc/1/ns/mnt -- CMD",
        "--mount=/proc/1/ns/mnt",
        "CMD",
    );
    nsenter(
        "nsenter -m/proc/1/ns/mnt -t 1",
        "--mount=/proc/1/ns/mnt --target=1",
        "",
    );
    nsenter(
        "nsenter --mount=/proc/1/ns/mnt CMD",
        "--mount=/proc/1/ns/mnt",
        "CMD",
    );
    let host = "--mount=/host/proc/1/ns/mnt --net=/host/proc/1/ns/net";
    nsenter(&format!("nsenter {host} iscsiadm -m"), host, "iscsiadm -m");
    nsenter(
        &format!("nsenter {host} -F -- CMD"),
        &format!("{host} --no-fork"),
        "CMD",
    );
    nsenter(
        &format!("nsenter {host} --preserve-credentials -- bash -c x"),
        &format!("{host} --preserve-credentials"),
        "bash -c x",
    );
    nsenter(
        "nsenter --net=/var/run/docker/netns/ingress_sbox bash -c x",
        "--net=/var/run/docker/netns/ingress_sbox",
        "bash -c x",
    );
    nsenter(
        "nsenter -U --preserve-credentials -n -m -t 7",
        "--user --preserve-credentials --net --mount --target=7",
        "",
    );
    nsenter(
        "nsenter -t 7 -U -m -p --wdns=/x --preserve-credentials",
        "--target=7 --user --mount --pid --wdns=/x --preserve-credentials",
        "",
    );
    nsenter(
        "nsenter -S 1000 --net=/var/run/netns/n1 bash --norc",
        "--setuid=1000 --net=/var/run/netns/n1",
        "bash --norc",
    );
    nsenter(
        "nsenter -S 2000 -G 2000 CMD",
        "--setuid=2000 --setgid=2000",
        "CMD",
    );
    nsenter("nsenter -t1 -m", "--target=1 --mount", "");
    nsenter(
        "nsenter --target 1 -S0 -G 0",
        "--target=1 --setuid=0 --setgid=0",
        "",
    );
    nsenter("nsenter -t 7 -n iperf3 -s", "--target=7 --net", "iperf3 -s");
    nsenter(
        "nsenter -t 7 -m -u -n -i -p -w",
        "--target=7 --mount --uts --net --ipc --pid --wd",
        "",
    );
    nsenter(
        "nsenter -i -n -p -t 1 sh -c x",
        "--ipc --net --pid --target=1",
        "sh -c x",
    );
    nsenter(
        "nsenter -t 7 -m umount -l DIR",
        "--target=7 --mount",
        "umount -l DIR",
    );
    nsenter("nsenter -t 7 -n ip a", "--target=7 --net", "ip a");
}
