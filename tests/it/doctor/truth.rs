//! What the doctor says is what happens when the same commands are run.

use super::*;

/// Holds every command that was tried against what it does when it is run in the same place. `run` gives the tool that
/// runs a script there.
#[track_caller]
fn agrees(found: &Found, run: impl Fn(&str) -> Tool) {
    let mut compared = 0;
    for check in found.checks() {
        let name = check["name"].as_str().expect("a name");
        // What a program inside would do.
        let inside = match name {
            "tmpfs" => "mount -t tmpfs tmpfs /tmp",
            "overlay" => {
                "mount -t tmpfs tmpfs /tmp && cd /tmp && mkdir l u w m && \
                 mount -t overlay o m -o lowerdir=l,upperdir=u,workdir=w"
            }
            "sysfs" => "mount -t sysfs sysfs /tmp",
            "capabilities-inside" => "hostname tried || echo tried >/proc/sys/kernel/hostname",
            // Compared by itself, or with a child of its own.
            "persistent" | "enter-by-pidfd" | "enter-by-file" => continue,
            _ => "true",
        };
        for tried in check["tried"].as_array().expect("a list") {
            let command = tried["command"].as_str().expect("a command");
            // On a machine that is very busy, where a namespace takes seconds. There are enough others.
            if tried["error"] == "it did not end in time" {
                assert_eq!(tried["works"], Value::Null, "{name}: {check}");
                continue;
            }
            let ran = run(&format!("{command} sh -c '{inside}'")).run();
            assert_eq!(tried["works"], ran.succeeded(), "{name}: {check}: {ran}");
            if let Some(error) = tried["error"].as_str().filter(|error| !error.is_empty()) {
                assert!(
                    inside != "true" || String::from_utf8_lossy(&ran.stderr).contains(error),
                    "{name}: {check}: {ran}"
                );
            }
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared} were compared");
}

#[test]
fn as_the_user_of_the_tests() {
    needs!(doctors());
    let found = found(doctor());
    agrees(&found, Tool::shell);
}

#[test]
fn as_an_ordinary_user() {
    needs!(doctors(), root(), user_namespaces());
    let found = found(doctor().by_ordinary());
    found
        .exits(1)
        .says("rootless-container", "yes")
        .says("private-network", "yes")
        .no("many-ids", "no line for", "useradd")
        .no("newuidmap", "is not in /etc/passwd", "useradd")
        .says("new-net", "partly")
        .because("new-net", "CAP_SYS_ADMIN is missing", "add -r")
        .says("new-user", "yes")
        .says("nested", "yes")
        .says("enter-by-pidfd", "yes")
        .says("enter-by-file", "yes")
        .no("persistent", "CAP_SYS_ADMIN is missing", "run as root")
        .says("capabilities", "fact");
    assert_eq!(found.check("capabilities")["detail"], "none");
    agrees(&found, |script| Tool::shell(script).by_ordinary());
}

#[test]
fn who_may_map_many_ids() {
    needs!(doctors(), user_namespaces(), Subordinate::there());
    let user = Subordinate::user();
    let found = found(user.runs(doctor()));
    found
        .exits(0)
        .says("many-ids", "yes")
        .says("ranges", "yes")
        .says("newuidmap", "yes")
        .says("newgidmap", "yes")
        .says("map-auto", "yes");
    assert_eq!(found.value["works"], true);
    let (first, count) = user.uids;
    let range = format!("/etc/subuid {first}-{}", first + (count - 1));
    let detail = found.check("ranges")["detail"].as_str().expect("words");
    assert!(detail.contains(&range), "{detail}");
    let who = found.check("user")["detail"].as_str().expect("words");
    assert!(
        who.starts_with(&format!("{} ({})", user.name, user.uid)),
        "{who}"
    );
    agrees(&found, |script| user.runs(Tool::shell(script)));
}

#[test]
fn a_persistent_namespace_of_root() {
    needs!(doctors(), root());
    let place = Place::new();
    let file = place.file("uts", "");
    let _mounted = Mounted::on(&file);
    let works = Tool::unshare()
        .arg(format!("--uts={file}"))
        .arg("true")
        .run()
        .succeeded();
    assert_eq!(
        found(doctor()).check("persistent")["tried"][0]["works"],
        works
    );
}

#[test]
fn a_caller_who_ignores_its_children() {
    needs!(doctors(), root(), user_namespaces(), command("python3"));
    let script = "import os, signal, sys\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nos.execvp(sys.argv[1], sys.argv[1:])";
    let ignoring = Tool::program("python3")
        .args(["-c", script])
        .arg(Tool::path_of("nskit"))
        .line("doctor --json")
        .by_ordinary();
    found(ignoring).says("rootless-container", "yes");
}
