//! `machine:` and `unit:`: what systemd-machined(8) writes down, and the cgroups that systemd makes, in a mount namespace
//! of the test's own.
//!
//! The hard thing: cgroups are the machine's, whoever mounts them. So each has a name of its own, and is removed.

use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::*;

const NOT_THEIRS: &str = "knows no machines and units";

/// Which hierarchy is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Version 2.
    Unified,
    /// Version 1, named by systemd.
    Named,
    /// Both, as on a machine that uses version 1 for controllers.
    Hybrid,
}

impl Layout {
    const ALL: [Layout; 3] = [Layout::Unified, Layout::Named, Layout::Hybrid];

    fn mount(self) -> &'static str {
        match self {
            Layout::Unified => "mount -t cgroup2 cgroup2 /sys/fs/cgroup",
            Layout::Named => {
                "mount -t tmpfs tmpfs /sys/fs/cgroup; mkdir /sys/fs/cgroup/systemd; \
                 mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd"
            }
            Layout::Hybrid => {
                "mount -t tmpfs tmpfs /sys/fs/cgroup; mkdir /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; \
                 mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd; \
                 mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified"
            }
        }
    }

    /// Where the cgroups of units are made.
    fn hierarchy(self) -> &'static str {
        match self {
            Layout::Unified => "/sys/fs/cgroup",
            Layout::Named => "/sys/fs/cgroup/systemd",
            Layout::Hybrid => "/sys/fs/cgroup/unified",
        }
    }

    /// Both versions can be mounted here.
    fn needs() -> Need {
        root()?;
        let ran = Tool::fixture()
            .line("-m --propagation private")
            .sh(&format!("set -e; {}", Layout::Hybrid.mount()))
            .run();
        unless(ran.succeeded(), "cgroups of both versions")
    }
}

/// A machine with a /run and cgroups of its own.
struct Systemd {
    holder: Holder,
    layout: Layout,
    /// No other unit of the machine begins so.
    name: String,
    /// The cgroups made, in their order.
    made: Vec<PathBuf>,
}

impl Systemd {
    #[track_caller]
    fn new(layout: Layout) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let script = format!(
            "{}; mount -t tmpfs -o mode=755 tmpfs /run; mkdir -p -m 755 /run/systemd/machines",
            layout.mount()
        );
        Self {
            holder: Holder::doing("-m --propagation private", &script),
            layout,
            name: format!("nskit{}x{number}", std::process::id()),
            made: Vec::new(),
        }
    }

    /// A path in there, as we reach it.
    fn at(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.holder.pid()))
    }

    /// Makes a cgroup, and those above it that are missing.
    #[track_caller]
    fn cgroup(&mut self, path: &str) -> PathBuf {
        let mut here = self.at(self.layout.hierarchy());
        for part in path.split('/') {
            here.push(part);
            match std::fs::create_dir(&here) {
                Ok(()) => self.made.push(here.clone()),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", here.display()),
            }
        }
        here
    }

    /// A process with a UTS namespace of its own, in this cgroup.
    #[track_caller]
    fn process(&mut self, path: &str) -> Holder {
        let cgroup = self.cgroup(path);
        let process = Holder::unshare("-u");
        std::fs::write(cgroup.join("cgroup.procs"), process.pid().to_string())
            .unwrap_or_else(|error| panic!("{}: {error}", cgroup.display()));
        process
    }

    /// The tool in there.
    fn tool(&self, name: &str) -> Tool {
        Tool::nsenter()
            .args(["-m", "-t", &self.holder.pid().to_string()])
            .args(["prlimit", "--as=200000000"])
            .arg(Tool::path_of(name))
    }

    /// The reference leads to this process.
    #[track_caller]
    fn leads(&self, reference: &str, process: &Holder) {
        let uts = format!("{}\n", Links::of(process.pid()).get("uts"));
        let readlink = ["readlink", "/proc/self/ns/uts"];
        let words = [&format!("uts={reference}")[..], readlink[0], readlink[1]];
        self.tool("setns").args(words).run().ok().out(&uts);
        let nsenter = self.tool("nsenter").args(["-u", "-t", reference]);
        nsenter.args(readlink).run().ok().out(&uts);
    }

    /// What is said where it leads nowhere.
    #[track_caller]
    fn refused(&self, reference: &str) -> String {
        let ran = self.tool("setns").args([reference, "echo", "it ran"]).run();
        let ran = ran.exits(125).out("");
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        let line = text
            .strip_prefix(&format!("setns: {reference}: "))
            .unwrap_or_else(|| panic!("{ran}"));
        assert_eq!(line.lines().count(), 1, "{ran}");
        line.trim_end().to_owned()
    }

    /// Writes a machine down as systemd-machined(8) does, with these lines among its own.
    #[track_caller]
    fn machine(&self, name: &str, lines: &str) {
        let text = format!(
            "# This is private data. Do not parse.\nNAME={name}\n{lines}SERVICE=systemd-nspawn\n\
             ROOT=/var/lib/machines/{name}\nID=3c1dd4ce32ae4b7d8c6ad5ee2c2b6dd7\nCLASS=container\n\
             REALTIME=1764033366000000\nMONOTONIC=1269260000\n"
        );
        let path = self.at("/run/systemd/machines").join(name);
        std::fs::write(path, text).expect("a file can be written");
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        // Their processes end first: a test's variables are dropped in the reverse of their order, this one last.
        for path in self.made.iter().rev() {
            for _ in 0..500 {
                match std::fs::remove_dir(path) {
                    Err(error) if error.raw_os_error() == Some(16) => {
                        std::thread::sleep(std::time::Duration::from_millis(4));
                    }
                    _ => break,
                }
            }
        }
    }
}

#[test]
fn the_main_process_of_a_unit() {
    needs!(ours(NOT_THEIRS), Layout::needs(), command("prlimit"));
    for layout in Layout::ALL {
        let mut systemd = Systemd::new(layout);
        let name = systemd.name.clone();
        let slice = format!("{name}.slice/{name}-b.slice");
        let web = format!("{slice}/{name}-web.service");
        let main = systemd.process(&web);
        let later = systemd.process(&web);
        systemd.leads(&format!("unit:{name}-web"), &main);
        systemd.leads(&format!("unit:{name}-web.service"), &main);
        // The oldest that is left.
        drop(main);
        systemd.leads(&format!("unit:{name}-web"), &later);
        let scope = systemd.process(&format!("{name}.slice/{name}-7.scope"));
        systemd.leads(&format!("unit:{name}-7.scope"), &scope);
        let instance = systemd.process(&format!("{slice}/{name}@a.b.service"));
        systemd.leads(&format!("unit:{name}@a.b"), &instance);
        // A name that a file of the kernel's could have.
        let escaped = systemd.process(&format!("{slice}/_cgroup.{name}.service"));
        systemd.leads(&format!("unit:cgroup.{name}"), &escaped);
        // One that was given its own cgroups.
        let below = systemd.process(&format!("{slice}/{name}-deep.service/payload/init"));
        systemd.leads(&format!("unit:{name}-deep"), &below);
    }
}

#[test]
fn units_that_are_none() {
    needs!(ours(NOT_THEIRS), Layout::needs(), command("prlimit"));
    for layout in Layout::ALL {
        let mut systemd = Systemd::new(layout);
        let name = systemd.name.clone();
        let hierarchy = layout.hierarchy();
        assert_eq!(
            systemd.refused(&format!("unit:{name}.service")),
            "no such unit of systemd runs, neither of the system nor of the caller's user manager"
        );
        systemd.cgroup(&format!("{name}.slice/{name}-idle.service/below"));
        assert_eq!(
            systemd.refused(&format!("unit:{name}-idle.service")),
            format!("the unit has no process, in {hierarchy}/{name}.slice/{name}-idle.service")
        );
        // What whoever runs in a unit calls so below it is none.
        for other in ["x.service", "x.scope", "user@47.service", "plain"] {
            let _fake =
                systemd.process(&format!("{name}.slice/{name}-{other}/{name}-fake.service"));
            assert_eq!(
                systemd.refused(&format!("unit:{name}-fake.service")),
                "no such unit of systemd runs, neither of the system nor of the caller's user manager"
            );
        }
    }
}

#[test]
fn a_part_of_the_hierarchy_is_not_where_units_are() {
    needs!(ours(NOT_THEIRS), Layout::needs(), command("prlimit"));
    for layout in Layout::ALL {
        let mut systemd = Systemd::new(layout);
        let name = systemd.name.clone();
        let fake = systemd.process(&format!("{name}.scope/{name}.slice/{name}-web.service"));
        let part = format!("{}/{name}.scope", layout.hierarchy());
        Tool::nsenter()
            .args(["-m", "-t", &systemd.holder.pid().to_string()])
            .sh(&format!("mkdir /run/part; mount --bind {part} /run/part"))
            .run()
            .ok();
        assert_eq!(
            systemd.refused(&format!("unit:{name}-web.service")),
            "no such unit of systemd runs, neither of the system nor of the caller's user manager"
        );
        let real = systemd.process(&format!("{name}.slice/{name}-web.service"));
        assert!(real.pid() != fake.pid());
        systemd.leads(&format!("unit:{name}-web"), &real);
    }
}

#[test]
fn no_descriptors_are_no_unit_that_does_not_run() {
    needs!(ours(NOT_THEIRS), Layout::needs(), command("prlimit"));
    let mut systemd = Systemd::new(Layout::Unified);
    let name = systemd.name.clone();
    let process = systemd.process(&format!("{name}.slice/{name}-a.slice/{name}-web.service"));
    systemd.leads(&format!("unit:{name}-web"), &process);
    let mut few = 0;
    // The loader of a dynamic binary takes one more than the three.
    for files in 4..16 {
        let ran = Tool::nsenter()
            .args(["-m", "-t", &systemd.holder.pid().to_string(), "prlimit"])
            .args([&format!("--nofile={files}")])
            .arg(Tool::path_of("setns"))
            .args([&format!("uts=unit:{name}-web"), "true"])
            .run();
        if !ran.succeeded() {
            few += 1;
            ran.exits(125).err_has("Too many open files");
        }
    }
    assert!((1..12).contains(&few), "{few}");
}

#[test]
fn units_of_the_callers_manager() {
    needs!(
        ours(NOT_THEIRS),
        Layout::needs(),
        command("prlimit"),
        command("setpriv")
    );
    for layout in Layout::ALL {
        let mut systemd = Systemd::new(layout);
        let name = systemd.name.clone();
        let manager = format!("user.slice/user-{ORDINARY}.slice/user@{ORDINARY}.service");
        let unit = format!("{manager}/app.slice/{name}-own.service");
        let process = systemd.process(&unit);
        assert_eq!(
            systemd.refused(&format!("unit:{name}-own.service")),
            "no such unit of systemd runs, neither of the system nor of the caller's user manager"
        );
        // What the kernel refuses to the ordinary user is this process, and no other.
        let as_user = |systemd: &Systemd| {
            let user = ORDINARY.to_string();
            Tool::nsenter()
                .args(["-m", "-t", &systemd.holder.pid().to_string(), "setpriv"])
                .args(["--reuid", &user, "--regid", &user, "--clear-groups"])
                .arg(Tool::path_of("setns"))
                .args(["-v", &format!("uts=unit:{name}-own"), "true"])
                .run()
                .exits(125)
        };
        as_user(&systemd).err_has(&format!("setns(uts of process {})", process.pid()));
        let other = systemd.process(&format!("{name}.slice/{name}-own.service"));
        systemd.leads(&format!("unit:{name}-own"), &other);
        let hierarchy = layout.hierarchy();
        as_user(&systemd).err(&format!(
            "setns: unit:{name}-own.service: the system and the caller's user manager both have one; \
             say cgroup:{hierarchy}/{name}.slice/{name}-own.service or cgroup:{hierarchy}/{unit}\n"
        ));
    }
}

#[test]
fn the_leader_of_a_machine() {
    needs!(
        ours(NOT_THEIRS),
        Layout::needs(),
        command("prlimit"),
        command("python3")
    );
    for layout in Layout::ALL {
        let mut systemd = Systemd::new(layout);
        let name = systemd.name.clone();
        let scope = format!("machine-{name}\\x2da.scope");
        let leader = systemd.process(&format!("machine.slice/{scope}/payload"));
        let pid = leader.pid();
        // A backslash is written twice, in one way or the other.
        let escaped = scope.replace('\\', "\\\\");
        for scope in [escaped.clone(), format!("\"{escaped}\"")] {
            systemd.machine("web", &format!("SCOPE={scope}\nLEADER={pid}\n"));
            systemd.leads("machine:web", &leader);
        }
        let mut lines = format!("SCOPE={escaped}\nLEADER={pid}\n");
        if let Some(inode) = pidfd_inode(pid) {
            lines = format!("{lines}LEADER_PIDFDID={inode}\n");
            systemd.machine("web", &lines);
            systemd.leads("machine:web", &leader);
            systemd.machine(
                "web",
                &format!("LEADER={pid}\nLEADER_PIDFDID={}\n", inode + 1),
            );
            assert_eq!(
                systemd.refused("machine:web"),
                format!(
                    "process {pid}, in /run/systemd/machines/web, has ended, or is of another PID namespace: another one has its number"
                )
            );
        }
        // Somebody else has the number of the leader.
        let other = systemd.process(&format!("{name}.slice/{name}-other.service"));
        systemd.machine("web", &format!("SCOPE={escaped}\nLEADER={}\n", other.pid()));
        assert_eq!(
            systemd.refused("machine:web"),
            format!(
                "process {}, in /run/systemd/machines/web, has ended, or is of another PID namespace: another one has its number",
                other.pid()
            )
        );
        systemd.machine("web", &lines);
        drop(leader);
        assert_eq!(
            systemd.refused("machine:web"),
            format!(
                "process {pid}, in /run/systemd/machines/web, has ended, or is of another PID namespace"
            )
        );
    }
}

/// The inode of a pidfd of this process, where each has its own (Linux 6.9).
fn pidfd_inode(pid: i32) -> Option<u64> {
    let script = "
import os, sys
one, other = (os.fstat(os.pidfd_open(int(pid))).st_ino for pid in sys.argv[1:])
print(one if one != other else '')
";
    let own = std::process::id().to_string();
    let tool = Tool::program("python3").args(["-c", script, &pid.to_string(), &own]);
    tool.run().ok().text().parse().ok()
}

#[test]
fn machines_that_are_none() {
    needs!(ours(NOT_THEIRS), Layout::needs(), command("prlimit"));
    let systemd = Systemd::new(Layout::Unified);
    let file = "/run/systemd/machines/web";
    let nobody = "no machine of systemd has this name, in /run/systemd/machines";
    assert_eq!(systemd.refused("machine:web"), nobody);
    for lines in [
        "",
        "LEADER=\n",
        "LEADER=0\n",
        "LEADER=-1\n",
        "LEADER=1x\n",
        "LEADER=4294967297\n",
        "XLEADER=1\n",
    ] {
        systemd.machine("web", lines);
        assert_eq!(
            systemd.refused("machine:web"),
            format!("{file} has no PID as its LEADER"),
            "{lines}"
        );
    }
    systemd.machine("web", &format!("LEADER=1\n{}", "#\n".repeat(1 << 19)));
    assert_eq!(
        systemd.refused("machine:web"),
        format!("cannot read {file}: File too large")
    );
    let dir = systemd.at("/run/systemd/machines");
    for (make, what) in [
        ("mkfifo web", "a FIFO"),
        ("ln -s /dev/zero web", "a symbolic link"),
        ("mkdir web", "a directory"),
    ] {
        Tool::shell(&format!("rm -rf web; {make}"))
            .dir(&dir)
            .run()
            .ok();
        assert_eq!(
            systemd.refused("machine:web"),
            format!("{file} is {what}, and is not read")
        );
    }
    // The link from a unit to its machine is no name of one.
    Tool::shell("rm -rf web; ln -s web unit:x.scope")
        .dir(&dir)
        .run()
        .ok();
    systemd.machine("web", "LEADER=1\n");
    assert_eq!(
        systemd.refused("machine:unit:x.scope"),
        "/run/systemd/machines/unit:x.scope is a symbolic link, and is not read"
    );
    chown(dir.join("web"), Some(ORDINARY), None).expect("root can chown");
    assert_eq!(
        systemd.refused("machine:web"),
        format!(
            "{file} belongs to user {ORDINARY}, who is neither root nor the caller, and is not believed"
        )
    );
    Tool::shell("rm -r machines")
        .dir(systemd.at("/run/systemd"))
        .run()
        .ok();
    assert_eq!(systemd.refused("machine:web"), nobody);
}
