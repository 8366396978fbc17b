//! Each option of `unshare` that an ordinary user can use, by one: what it does, seen from inside.

use crate::harness::*;

/// Runs the command line as an ordinary user; what it prints.
#[track_caller]
fn says(words: &str, script: &str, expected: &str) {
    let ran = Tool::unshare().line(words).sh(script).by_ordinary().run();
    let said = ran.ok().text();
    assert_eq!(said.trim_end(), expected, "{words}: {script}");
}

#[test]
fn options_of_users_and_groups() {
    needs!(user_namespaces());
    let own = if is_root() {
        ORDINARY
    } else {
        nix::unistd::geteuid().as_raw()
    };
    says("--map-user=5", "id -u", "5");
    says("--map-group=6", "id -g", "6");
    says("-c", "id -u", &own.to_string());
    says("-r -S 0", "id -u", "0");
    needs!(ours("has no names here, and writes setgroups twice"));
    says("-r --setgroups deny", "cat /proc/self/setgroups", "deny");
    says("-r -S root", "id -u", "0");
    says(
        "-c --keep-caps",
        "grep -c 'CapAmb:.*[1-9a-f]' /proc/self/status",
        "1",
    );
    // Nobody may set groups where they are mapped without privilege.
    Tool::unshare()
        .line("-r --groups 0 true")
        .by_ordinary()
        .run()
        .exits(1)
        .err("unshare: setgroups failed: Operation not permitted\n");
    Tool::unshare()
        .line("--owner 1:1 true")
        .by_ordinary()
        .run()
        .exits(1)
        .err("unshare: setgroups failed: Operation not permitted\n");
}

#[test]
fn options_of_the_process() {
    needs!(user_namespaces(), ours("lacks most of them"));
    says("-rp --init", "echo $$", "2");
    says("-rpf", "echo $$", "1");
    says("-r --kill-child", "echo ran", "ran");
    says(
        "-rT --monotonic 7",
        "grep -c 'monotonic *7 ' /proc/self/timens_offsets",
        "1",
    );
    says(
        "-rT --boottime -1",
        "grep -c 'boottime *-1 ' /proc/self/timens_offsets",
        "1",
    );
    says(
        "-r --hostname inside",
        "cat /proc/sys/kernel/hostname",
        "inside",
    );
    says(
        "-r --loopback",
        "cat /sys/class/net/lo/operstate; cat /proc/net/dev | grep -c lo:",
        "unknown\n1",
    );
}

#[test]
fn signals_are_passed_on() {
    needs!(user_namespaces(), option("unshare", "--forward-signals"));
    let started = Tool::unshare()
        .line("-r --forward-signals")
        .sh("trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
        .by_ordinary()
        .start();
    started.until_says("ready");
    let pid = nix::unistd::Pid::from_raw(started.pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it lives");
    started.wait().exits(3).out("ready\ngot it\n");
}

#[test]
fn options_of_mounts_and_directories() {
    needs!(user_namespaces());
    let place = Place::new();
    let root = place.subdir("root");
    says(
        "-rm --propagation slave",
        "grep -c 'shared:' /proc/self/mountinfo; true",
        "0",
    );
    says(
        "-rpf --mount-proc",
        "cat /proc/self/cmdline | tr '\\0' ' ' | cut -d' ' -f1; ls -d /proc/1",
        "cat\n/proc/1",
    );
    Tool::unshare()
        .args(["-r", "-R", &root, "-w", "/", "echo"])
        .by_ordinary()
        .run()
        .exits(127);
    says("-r -w /proc", "pwd", "/proc");
    needs!(ours("lacks --pivot-root"));
    says("-rm --pivot-root -R /", "ls -d /proc", "/proc");
}

#[test]
fn options_of_the_environment() {
    needs!(user_namespaces(), option("unshare", "--clear-env"));
    says(
        "-r --clear-env",
        "/usr/bin/env | grep -c '^HOME='; true",
        "0",
    );
    says(
        "-r --whitelist-env=HOME",
        "/usr/bin/env | grep '^HOME='; /usr/bin/env | grep -c '^TERM='; true",
        "HOME=/\n0",
    );
}

#[test]
fn reports() {
    needs!(user_namespaces(), ours("has no reports"));
    let place = Place::new().owned_by_ordinary();
    let file = place.at("pid");
    says(
        &format!("-rf --pidfile={file}"),
        &format!("test \"$(cat {file})\" = $$ && echo the same"),
        "the same",
    );
    let said = Tool::unshare()
        .line("-rf --status-fd=1 true")
        .by_ordinary()
        .run()
        .ok()
        .lines();
    let lines: Vec<serde_json::Value> = said
        .iter()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    assert!(lines[0]["child-pid"].is_u64(), "{said:?}");
    assert_eq!(lines[1]["exit-code"], 0, "{said:?}");
    Tool::unshare()
        .line("--explain -m true")
        .by_ordinary()
        .run()
        .exits(1)
        .err_has("\n  cause: CAP_SYS_ADMIN");
    Tool::unshare()
        .line("--dry-run -r true")
        .by_ordinary()
        .run()
        .ok();
}
