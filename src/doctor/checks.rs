//! The checks, a table: group, name, what it is called, and how it is found out.

use std::cell::OnceCell;

use super::attempt::{Attempt, Outcome, answer, attempt, stopped};
use super::facts as told;
use super::judge::{proved, with_ranges, works};
use super::line::{Part, chain, parts};
use super::report::{Check, Examination, Group, Tried, Verdict};
use crate::failure::Cause;
use crate::host::capability::Capability;
use crate::host::facts::Facts;
use crate::host::{Host, Machine};
use crate::model::{Ids, Kind, Kinds};
use crate::show;
use crate::steps::outside::bind::Bind;
use crate::steps::{Trial, trial};
use crate::sys::{self, Args, Disposition, Proc};

/// What the checks are made with.
pub(super) struct Doctor<'a> {
    args: &'a Args,
    pub(super) proc: &'a Proc,
    pub(super) facts: &'a Facts<'a>,
    in_use: OnceCell<Vec<(Kind, usize)>>,
    checks: Vec<Check>,
}

/// What one check has found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) verdict: Option<Verdict>,
    pub(super) detail: String,
    pub(super) tried: Vec<Tried>,
    pub(super) causes: Vec<Cause>,
}

/// The table. It becomes code: as data every start would relocate it.
macro_rules! checks {
    ($($group:ident { $($name:literal, $what:literal: $find:expr;)* })*) => {
        fn all(doctor: &mut Doctor<'_>) {
            $($(
                doctor.check(Group::$group, $name, $what, $find);
            )*)*
        }

        /// The names, which never change.
        #[cfg(test)]
        const NAMES: &[&str] = &[$($($name),*),*];
    };
}

checks! {
    Tasks {
        "rootless-container", "a rootless container":
            |doctor| doctor.tried("unshare -Urpf --mount-proc");
        "private-network", "a private network":
            |doctor| doctor.tried("unshare -rn --loopback");
        "many-ids", "many IDs":
            |doctor| doctor.tried("unshare --map-auto");
    }
    Who {
        "user", "user": told::user;
        "capabilities", "capabilities": told::capabilities;
        "user-namespace", "user namespace": told::user_namespace;
        "container", "container or chroot": told::container;
        "kernel", "kernel": told::kernel;
        "security-modules", "security modules": told::security_modules;
        "seccomp", "no seccomp filter in the way": told::seccomp;
        "no-new-privs", "no_new_privs not set": told::no_new_privs;
    }
    Namespaces {
        "new-mnt", "mount": |doctor| doctor.tried("unshare -m | unshare -rm");
        "new-uts", "UTS": |doctor| doctor.tried("unshare -u | unshare -ru");
        "new-ipc", "IPC": |doctor| doctor.tried("unshare -i | unshare -ri");
        "new-net", "network": |doctor| doctor.tried("unshare -n | unshare -rn");
        "new-pid", "PID": |doctor| doctor.tried("unshare -pf | unshare -rpf");
        "new-user", "user": |doctor| doctor.tried("unshare -U | unshare -r");
        "new-cgroup", "cgroup": |doctor| doctor.tried("unshare -C | unshare -rC");
        "new-time", "time": |doctor| doctor.tried("unshare -Tf | unshare -rTf");
        "new-all", "all together": |doctor| doctor.tried("unshare -af | unshare -raf");
        "nested", "nested once more": |doctor| doctor.tried("unshare -c unshare -c");
    }
    Ids {
        "map-root", "one's own ID as root": |doctor| doctor.tried("unshare -r");
        "ranges", "ranges in /etc/subuid and /etc/subgid": told::ranges;
        "newuidmap", "newuidmap": told::newuidmap;
        "newgidmap", "newgidmap": told::newgidmap;
        "map-auto", "the ranges mapped": |doctor| doctor.again("many-ids");
    }
    Inside {
        "proc", "proc of a new PID namespace": |doctor| doctor.tried("unshare -rpf --mount-proc");
        "tmpfs", "tmpfs": |doctor| doctor.mounted("unshare -rm", |dir| vec![tmpfs(dir)]);
        "overlay", "overlay": |doctor| doctor.mounted("unshare -rm", |dir| {
            vec![tmpfs(dir), Trial::Overlay { dir: dir.into() }]
        });
        "sysfs", "sysfs": |doctor| doctor.mounted("unshare -rmn", |dir| {
            vec![Trial::Sysfs { dir: dir.into() }]
        });
        "loopback", "loopback up": |doctor| doctor.again("private-network");
        "capabilities-inside", "capabilities": |doctor| {
            doctor.with("unshare -ru", vec![Trial::Capabilities])
        };
        "pivot-root", "pivot_root": |doctor| doctor.tried("unshare -rm --pivot-root --root=/");
        "persistent", "a persistent namespace": |doctor| doctor.persistent();
    }
    Entering {
        "enter-by-pidfd", "a child of one's own, by pidfd": |doctor| {
            doctor.entered("nsenter -t PID -U -m -n --preserve-credentials")
        };
        "enter-by-file", "a child of one's own, by file": |doctor| {
            doctor.entered("nsenter --user=/proc/PID/ns/user --net=/proc/PID/ns/net --preserve-credentials")
        };
        "enter-init", "PID 1": told::init;
    }
    Limits {
        "max-mnt", "user.max_mnt_namespaces": |doctor| told::limit(doctor, Kind::Mnt);
        "max-uts", "user.max_uts_namespaces": |doctor| told::limit(doctor, Kind::Uts);
        "max-ipc", "user.max_ipc_namespaces": |doctor| told::limit(doctor, Kind::Ipc);
        "max-net", "user.max_net_namespaces": |doctor| told::limit(doctor, Kind::Net);
        "max-pid", "user.max_pid_namespaces": |doctor| told::limit(doctor, Kind::Pid);
        "max-user", "user.max_user_namespaces": |doctor| told::limit(doctor, Kind::User);
        "max-cgroup", "user.max_cgroup_namespaces": |doctor| told::limit(doctor, Kind::Cgroup);
        "max-time", "user.max_time_namespaces": |doctor| told::limit(doctor, Kind::Time);
        "nproc", "RLIMIT_NPROC": told::nproc;
        "pids-max", "pids.max of the cgroups": told::pids_max;
        "depth", "depth of user namespaces": told::depth;
    }
}

/// Makes all the checks.
pub(super) fn examine(args: &Args) -> Examination {
    // Who starts with SIGCHLD ignored could not wait for a child (waitpid(2)).
    let _ = sys::set_disposition(libc::SIGCHLD, Disposition::Default);
    let proc = Proc::default();
    let facts = Facts::new(&proc);
    let mut doctor = Doctor {
        args,
        proc: &proc,
        facts: &facts,
        in_use: OnceCell::new(),
        checks: Vec::with_capacity(64),
    };
    // Before anything is made, which takes a while to be gone.
    doctor.in_use(Kind::User);
    all(&mut doctor);
    Examination {
        command: None,
        checks: doctor.checks,
    }
}

fn tmpfs(dir: &str) -> Trial {
    Trial::Tmpfs {
        dir: dir.into(),
        file: FILE,
    }
}

/// A file in the tmpfs that is tried.
const FILE: &str = "file";

impl Doctor<'_> {
    #[inline(never)]
    fn check(
        &mut self,
        group: Group,
        name: &'static str,
        what: &'static str,
        find: fn(&Doctor<'_>) -> Found,
    ) {
        let Found {
            verdict,
            detail,
            tried,
            causes,
        } = find(self);
        self.checks.push(Check {
            name,
            group,
            what,
            verdict: verdict.unwrap_or(Verdict::Unknown),
            detail,
            tried,
            causes,
        });
    }

    /// What this check has found, which is another one's question too.
    fn again(&self, name: &str) -> Found {
        let check = self.checks.iter().find(|check| check.name == name);
        check.map_or_else(Found::default, |check| Found {
            verdict: Some(check.verdict),
            detail: check.detail.clone(),
            tried: check.tried.clone(),
            causes: check.causes.clone(),
        })
    }

    /// Tries command lines, with ` | ` between them.
    #[inline(never)]
    fn tried(&self, commands: &str) -> Found {
        let mut found = Found::default();
        for command in commands.split(" | ") {
            self.try_one(command, &parts(command), &mut found);
        }
        found
    }

    /// Tries a command line, and something inside.
    #[inline(never)]
    fn with(&self, command: &str, trials: Vec<Trial>) -> Found {
        let mut all = parts(command);
        all.extend(trials.into_iter().map(Part::Trial));
        let mut found = Found::default();
        self.try_one(command, &all, &mut found);
        found
    }

    /// Tries a command line, and to mount something inside.
    fn mounted(&self, command: &str, trials: fn(&str) -> Vec<Trial>) -> Found {
        match trial::place() {
            Some(dir) => self.with(command, trials(dir)),
            None => no_place(),
        }
    }

    fn try_one(&self, command: &str, parts: &[Part], found: &mut Found) {
        let Attempt { outcome, .. } = attempt(&|| chain(parts), self.args);
        found.take(command, outcome);
    }

    fn persistent(&self) -> Found {
        let command = "unshare --uts=FILE";
        let mut found = Found::default();
        if self.facts.has(Capability::SysAdmin) == Some(false) {
            let bind = Bind {
                kind: Kind::Uts,
                file: "/".into(),
            };
            found.detail = command.to_owned();
            found.verdict = Some(Verdict::No);
            found.causes = proved(self.proc, &bind, libc::EPERM, |_| {});
            return found;
        }
        // The file lies in a mount namespace that ends with the child.
        let Some(dir) = trial::place() else {
            return no_place();
        };
        let mut all = parts("unshare -m");
        all.push(Part::Trial(tmpfs(dir)));
        all.push(Part::Line(format!("unshare -f --uts={dir}/{FILE}")));
        self.try_one(command, &all, &mut found);
        found
    }

    /// Tries to enter the namespaces of a child, which the command line calls `PID`.
    fn entered(&self, command: &str) -> Found {
        let mut found = Found::default();
        let mut child = parts("unshare -rmn");
        child.push(Part::Trial(Trial::Stop));
        match stopped(&|| chain(&child), self.args) {
            Ok(child) => {
                let real = command.replace("PID", &child.0.to_string());
                let Attempt { outcome, .. } = attempt(&|| chain(&parts(&real)), self.args);
                found.take(command, outcome);
            }
            Err(Attempt { outcome, .. }) => {
                found.detail = "there is no child to enter".to_owned();
                found.take("unshare -rmn", outcome);
            }
        }
        found
    }

    /// How many namespaces of a kind count against our limits, as far as they are seen.
    pub(super) fn in_use(&self, kind: Kind) -> Option<usize> {
        let all = self
            .in_use
            .get_or_init(|| show::in_use().unwrap_or_default());
        let one = all.iter().find(|(of, _)| *of == kind);
        one.map(|&(_, count)| count)
    }

    /// Our first range of subordinate IDs, wherever it is from.
    pub(super) fn subids(&self, ids: Ids) -> Option<String> {
        let ask = || match Machine.subids(ids) {
            Ok(range) => format!("{}-{}", range.first(), range.first() + (range.count() - 1)),
            Err(_) => String::new(),
        };
        answer(&ask, self.args)
    }

    /// The kinds that this kernel has.
    pub(super) fn kinds(&self) -> Kinds {
        self.facts.kinds().unwrap_or(Kinds::ALL)
    }
}

fn no_place() -> Found {
    Found {
        detail: "there is no directory to mount something on".to_owned(),
        ..Found::default()
    }
}

impl Found {
    /// Adds what came of one command line.
    fn take(&mut self, command: &str, outcome: Outcome) {
        let (verdict, works, error, causes) = works(with_ranges(outcome));
        self.verdict = Some(match self.verdict {
            Some(before) if before != verdict => Verdict::Partly,
            _ => verdict,
        });
        for cause in causes {
            if !self.causes.contains(&cause) {
                self.causes.push(cause);
            }
        }
        self.tried.push(Tried {
            command: command.to_owned(),
            works,
            error,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_one_of_a_kind() {
        let mut names = NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NAMES.len());
        let plain = |name: &&str| {
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        };
        assert!(names.iter().all(plain), "{names:?}");
    }

    #[test]
    fn one_way_of_two_is_partly() {
        let found = |outcomes: Vec<Outcome>| {
            let mut found = Found::default();
            for outcome in outcomes {
                found.take("x", outcome);
            }
            found.verdict
        };
        let fails = || Outcome::Fails(String::new(), Vec::new());
        assert_eq!(found(vec![Outcome::Works]), Some(Verdict::Yes));
        assert_eq!(found(vec![fails(), fails()]), Some(Verdict::No));
        assert_eq!(found(vec![fails(), Outcome::Works]), Some(Verdict::Partly));
        assert_eq!(found(vec![Outcome::Unsaid]), Some(Verdict::Unknown));
    }
}
