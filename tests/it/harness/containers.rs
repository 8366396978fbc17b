//! Containers of runc(8) and crun(1), with a static busybox for a root file system.

use std::os::unix::fs::{PermissionsExt, chown};
use std::sync::atomic::{AtomicU32, Ordering};

use super::cleaner::at_end;
use super::needs::{self, Need, find};
use super::places::Place;
use super::processes::{self, Mark};
use super::tool::Tool;
use super::user::ORDINARY;

/// Who runs the containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runtime {
    Runc,
    Crun,
}

impl Runtime {
    pub(crate) const ALL: [Runtime; 2] = [Runtime::Runc, Runtime::Crun];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Runtime::Runc => "runc",
            Runtime::Crun => "crun",
        }
    }

    /// The file of a container's state.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Runtime::Runc => "state.json",
            Runtime::Crun => "status",
        }
    }

    /// The member of a state that has the PID, and the one that has its start.
    pub(crate) fn members(self) -> [&'static str; 2] {
        match self {
            Runtime::Runc => ["init_process_pid", "init_process_start"],
            Runtime::Crun => ["pid", "process-start-time"],
        }
    }
}

/// Containers can be run: by root, with what they are made of.
pub(crate) fn containers() -> Need {
    needs::root()?;
    for runtime in Runtime::ALL {
        needs::command(runtime.name())?;
    }
    let works = find("busybox").is_some_and(|busybox| {
        let place = Place::new();
        std::fs::copy(busybox, place.at("busybox")).expect("busybox can be copied");
        let tool = Tool::program("chroot").arg(place.path());
        tool.args(["/busybox", "true"]).run().succeeded()
    });
    needs::unless(works, "busybox that needs no libraries")
}

/// A running container; dropped, it is deleted.
pub(crate) struct Container {
    pub(crate) runtime: Runtime,
    /// Its ID, which no other container of the machine has.
    pub(crate) id: String,
    /// `XDG_RUNTIME_DIR` of an ordinary user whose it is.
    pub(crate) runtime_dir: Option<String>,
    place: Place,
}

impl Container {
    /// One of root's; its ID ends so.
    #[track_caller]
    pub(crate) fn rootful(runtime: Runtime, end: &str) -> Self {
        Self::run(runtime, end, None)
    }

    /// One of the ordinary user's.
    #[track_caller]
    pub(crate) fn rootless(runtime: Runtime, end: &str) -> Self {
        let place = Place::new().owned_by_ordinary();
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(place.path(), private).expect("a mode");
        Self::run(runtime, end, Some(place))
    }

    #[track_caller]
    fn run(runtime: Runtime, end: &str, owned: Option<Place>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("nskit-{}-{number}{end}", std::process::id());
        let is_rootless = owned.is_some();
        let place = owned.unwrap_or_else(Place::new);
        place.subdir("root/bin");
        for name in ["root/proc", "root/dev"] {
            let dir = place.subdir(name);
            if is_rootless {
                chown(dir, Some(ORDINARY), Some(ORDINARY)).expect("root can chown");
            }
        }
        let busybox = find("busybox").expect("a need that was looked at");
        std::fs::copy(busybox, place.at("root/bin/busybox")).expect("busybox can be copied");
        if is_rootless {
            chown(place.at("root"), Some(ORDINARY), Some(ORDINARY)).expect("root can chown");
        }
        let mark = format!("{}end", Mark::prefix());
        place.file("config.json", config(&mark, is_rootless));
        let runtime_dir = is_rootless.then(|| place.subdir("run"));
        if let Some(dir) = &runtime_dir {
            chown(dir, Some(ORDINARY), Some(ORDINARY)).expect("root can chown");
        }
        let container = Self {
            runtime,
            id,
            runtime_dir,
            place,
        };
        at_end(&container.script("delete -f"));
        let run = container.script("run -d");
        container.does(&format!("cd {}; {run}", container.place.path().display()));
        // The runtime is done a moment before its process becomes the program, which has its name a moment before its
        // arguments.
        let pid = container.pid();
        processes::eventually("the program runs", || {
            let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            arguments.starts_with(b"/bin/busybox\0").then_some(())
        });
        container
    }

    /// What has the runtime do something with it. Of what crun makes of cgroups it knows the unified layout only.
    fn script(&self, words: &str) -> String {
        let who = match &self.runtime_dir {
            Some(dir) => format!(
                "setpriv --reuid {ORDINARY} --regid {ORDINARY} --clear-groups env XDG_RUNTIME_DIR={dir}"
            ),
            None => "env -u XDG_RUNTIME_DIR".to_owned(),
        };
        match self.runtime {
            Runtime::Runc => format!("{who} runc {words} {}", self.id),
            Runtime::Crun => format!(
                "unshare -m --propagation private sh -c 'mount -t cgroup2 none /sys/fs/cgroup && \
                 exec {who} crun --cgroup-manager=disabled {words} {}'",
                self.id
            ),
        }
    }

    #[track_caller]
    fn does(&self, script: &str) {
        let ran = Tool::shell(script).without_env(Mark::VARIABLE).run();
        assert!(ran.succeeded(), "{ran}");
    }

    /// The directory of all states.
    pub(crate) fn store(&self) -> String {
        let dir = self.runtime_dir.as_deref().unwrap_or("/run");
        format!("{dir}/{}", self.runtime.name())
    }

    /// Its state, as the runtime wrote it.
    #[track_caller]
    pub(crate) fn state(&self) -> serde_json::Value {
        let path = format!("{}/{}/{}", self.store(), self.id, self.runtime.file());
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        serde_json::from_slice(&text).expect("JSON")
    }

    /// Its first process.
    #[track_caller]
    pub(crate) fn pid(&self) -> i32 {
        let pid = self.state()[self.runtime.members()[0]].as_i64();
        i32::try_from(pid.expect("a PID")).expect("a PID")
    }

    /// Ends its first process, and leaves its state.
    #[track_caller]
    pub(crate) fn end(&self) {
        let pid = self.pid();
        processes::kill(pid, nix::sys::signal::Signal::SIGKILL);
        processes::eventually("it has ended", || (!processes::alive(pid)).then_some(()));
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let script = self.script("delete -f");
        Tool::shell(&script).without_env(Mark::VARIABLE).run();
    }
}

/// What runtimes are told of a container (OCI runtime specification, config.json).
fn config(mark: &str, is_rootless: bool) -> String {
    let mut namespaces = vec!["pid", "ipc", "uts", "mount", "network"];
    namespaces.extend(is_rootless.then_some("user"));
    let namespaces: Vec<_> = namespaces
        .into_iter()
        .map(|kind| serde_json::json!({ "type": kind }))
        .collect();
    let mut linux = serde_json::json!({ "namespaces": namespaces });
    if is_rootless {
        let map = serde_json::json!([{ "containerID": 0, "hostID": ORDINARY, "size": 1 }]);
        linux["uidMappings"] = map.clone();
        linux["gidMappings"] = map;
    }
    let capabilities = serde_json::json!({});
    serde_json::json!({
        "ociVersion": "1.0.0",
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "args": ["/bin/busybox", "sleep", "3600"],
            "env": [mark, "FROM=container"],
            "cwd": "/bin",
            "capabilities": capabilities,
        },
        "root": { "path": "root" },
        "hostname": "inside",
        "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc" }],
        "linux": linux,
    })
    .to_string()
}
