//! `nsenter` where people use it: into what other programs made.

use crate::harness::*;

/// What `bwrap` runs, as PIDs are seen from here: it says so in JSON on a descriptor.
struct Sandbox {
    _started: Started,
    pid: i32,
}

impl Sandbox {
    #[track_caller]
    fn new(words: &str, ordinary: bool) -> Self {
        let place = Place::new();
        let place = if ordinary {
            place.owned_by_ordinary()
        } else {
            place
        };
        let info = place.at("info");
        let script =
            format!("exec bwrap {words} --info-fd 9 sh -c 'echo ready; exec sleep 60' 9>{info}");
        let tool = Tool::shell(&script);
        let started = if ordinary { tool.by_ordinary() } else { tool }.start();
        started.until_says("ready");
        let info: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&info).expect("bwrap says it"))
                .expect("JSON");
        let pid = info["child-pid"].as_i64().expect("a number");
        Self {
            _started: started,
            pid: i32::try_from(pid).expect("a PID"),
        }
    }
}

const SANDBOX: &str = "--ro-bind / / --tmpfs /mnt --file 0 /mnt/marker --proc /proc --dev /dev --chdir /mnt \
    --setenv FROM sandbox";

#[test]
fn a_process_of_bubblewrap() {
    needs!(root(), command("bwrap"), user_namespaces());
    for ordinary in [false, true] {
        let sandbox = Sandbox::new(&format!("{SANDBOX} --unshare-all --as-pid-1"), ordinary);
        let pid = sandbox.pid.to_string();
        let run = |words: &str, script: &str| {
            let tool = Tool::nsenter()
                .args(["--preserve-credentials", "-t", &pid])
                .line(words)
                .sh(script);
            if ordinary { tool.by_ordinary() } else { tool }
                .run()
                .ok()
                .text()
        };
        assert_eq!(run("-U -m", "ls /mnt"), "marker");
        assert_eq!(run("-U -m -w", "pwd"), "/mnt");
        let devices = run("-U -n", "cat /proc/net/dev");
        assert_eq!(devices.matches(':').count(), 1, "{devices}");
        // The whole sandbox, with its own processes only.
        let processes = run("-U -m -p -n -i -u -C", "ls -d /proc/[0-9]*");
        assert!(processes.lines().count() < 8, "{processes}");
        needs!(ours("-a is refused for the kinds that are shared with us"));
        let links = Links::said(&run("-a", INSIDE));
        // bwrap makes no time namespace.
        let mut same = Links::of(sandbox.pid).unlike(&links).len();
        same += usize::from(links.get("time") != Links::mine().get("time"));
        assert_eq!(same, 0, "{links:?}");
        assert_eq!(run("-a -r -w -e", "echo $FROM; pwd"), "sandbox\n/mnt");
    }
}

#[test]
fn a_process_of_bubblewrap_that_shares_most() {
    needs!(
        root(),
        command("bwrap"),
        user_namespaces(),
        ours("-a is refused for the kinds that are shared with us")
    );
    let sandbox = Sandbox::new(&format!("{SANDBOX} --unshare-user --unshare-net"), true);
    let tool = Tool::nsenter()
        .args([
            "-a",
            "--preserve-credentials",
            "-t",
            &sandbox.pid.to_string(),
        ])
        .line(INSIDE)
        .by_ordinary();
    let links = Links::said(&tool.run().ok().text());
    assert_eq!(links, Links::of(sandbox.pid));
    assert_eq!(links.unlike(&Links::mine()), ["mnt", "net", "user"]);
}

#[test]
fn networks_of_ip_netns() {
    needs!(root(), command("ip"));
    // In a mount namespace of its own, /run/netns is nobody else's and goes away with it.
    let script = "mount -t tmpfs run /run && ip netns add blue && ip netns add red &&
        ip -n blue addr add 192.0.2.1/32 dev lo && ip -n blue link set lo up &&
        nsenter --net=/run/netns/blue ip -o -4 addr show dev lo | grep -o 192.0.2.1/32 &&
        nsenter -n/run/netns/red ip -o -4 addr | wc -l &&
        nsenter --net=/run/netns/blue nsenter --net=/run/netns/red ip -o -4 addr | wc -l &&
        nsenter --net=/run/netns/blue --mount=/proc/self/ns/mnt ip route get 192.0.2.1 | grep -o 'dev lo'";
    let tool = Tool::fixture().line("-m --propagation private").sh(script);
    tool.run().ok().out("192.0.2.1/32\n0\n0\ndev lo\n");
}

#[test]
fn lines_of_node_shells_and_container_engines() {
    needs!(root());
    let holder = Holder::unshare("-CimnpTuf");
    let target = Links::of(holder.pid());
    let pid = holder.pid();
    for (line, kinds) in [
        (
            format!("--target {pid} --mount --uts --ipc --net --pid --"),
            &["ipc", "mnt", "net", "pid", "uts"][..],
        ),
        (
            format!("--target {pid} --mount --uts --ipc --net --pid"),
            &["ipc", "mnt", "net", "pid", "uts"],
        ),
        (
            format!("-t {pid} -m -u -i -n -p"),
            &["ipc", "mnt", "net", "pid", "uts"],
        ),
        (
            format!("-t {pid} -m -u -n -i -p -w"),
            &["ipc", "mnt", "net", "pid", "uts"],
        ),
        (
            format!("-m -u -i -n -p -C -r -w --target={pid} --"),
            &["cgroup", "ipc", "mnt", "net", "pid", "uts"],
        ),
        (
            format!("--all --target={pid} --"),
            &["cgroup", "ipc", "mnt", "net", "pid", "time", "uts"],
        ),
        (
            format!("-at {pid} --"),
            &["cgroup", "ipc", "mnt", "net", "pid", "time", "uts"],
        ),
        (format!("-m/proc/{pid}/ns/mnt --"), &["mnt"]),
        (
            format!("--mount=/proc/{pid}/ns/mnt --net=/proc/{pid}/ns/net -F --"),
            &["mnt", "net"],
        ),
        (
            format!(
                "--mount=/proc/{pid}/ns/mnt --net=/proc/{pid}/ns/net --preserve-credentials --"
            ),
            &["mnt", "net"],
        ),
        (
            format!("--no-fork --wd=/ --preserve-credentials -m -n -t {pid} --"),
            &["mnt", "net"],
        ),
        (
            format!("-w/ --preserve-credentials -m -t {pid} -F -n"),
            &["mnt", "net"],
        ),
        (format!("--target {pid} -S0 -G 0 -n"), &["net"]),
        (format!("-S 0 --net=/proc/{pid}/ns/net"), &["net"]),
        (format!("-i -n -p -t {pid}"), &["ipc", "net", "pid"]),
    ] {
        let tool = Tool::nsenter().line(&line).line(INSIDE);
        let links = Links::said(&tool.run().ok().text());
        assert_eq!(links.unlike(&Links::mine()), kinds, "{line}");
        let others = links.unlike(&target);
        assert!(!others.iter().any(|kind| kinds.contains(kind)), "{line}");
    }
}
