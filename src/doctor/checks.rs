//! The checks, a table: group, name, what it is called, and how it is found out.

use std::cell::OnceCell;

use super::attempt::{Attempt, AttemptOutcome, answer, attempt, stopped};
use super::facts as told;
use super::judge::{proved, with_ranges, works};
use super::line::{LinePart, chain, parts};
use super::report::{Check, Examination, Heading, Judgement, Tried};
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
pub(super) struct Examiner<'a> {
    args: &'a Args,
    pub(super) proc: &'a Proc,
    pub(super) facts: &'a Facts<'a>,
    in_use: OnceCell<sys::Result<Vec<(Kind, usize)>>>,
    checks: Vec<Check>,
}

/// What one check has found.
#[derive(Default)]
pub(super) struct Learned {
    pub(super) verdict: Option<Judgement>,
    pub(super) detail: String,
    pub(super) tried: Vec<Tried>,
    pub(super) causes: Vec<Cause>,
}

/// How something is found out.
enum Way {
    /// Command lines are tried, with ` | ` between them.
    Tried(&'static str),
    /// It is another check's question too.
    Again(&'static str),
    /// A command line is tried, and something inside.
    Inside(&'static str, What),
    /// A command line is tried that enters a child: the line with a PID, or with what one is called, in it.
    Entered(fn(&str) -> String),
    /// The limit on namespaces of a kind.
    Limit(Kind),
    /// This finds it out.
    Told(fn(&Examiner<'_>) -> Learned),
}

/// What is tried inside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Tmpfs,
    Overlay,
    Sysfs,
    Capabilities,
}

/// The table. It becomes code: as data every start would relocate it.
macro_rules! checks {
    ($($group:ident { $($name:literal, $what:literal: $way:expr;)* })*) => {
        fn all(doctor: &mut Examiner<'_>) {
            $($(
                doctor.check(Heading::$group, $name, $what, $way);
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
            Way::Tried("unshare -Urpf --mount-proc");
        "private-network", "a private network":
            Way::Tried("unshare -rn --loopback");
        "many-ids", "many IDs":
            Way::Tried("unshare --map-auto");
    }
    Who {
        "user", "user": Way::Told(told::user);
        "capabilities", "capabilities": Way::Told(told::capabilities);
        "user-namespace", "user namespace": Way::Told(told::user_namespace);
        "container", "container or chroot": Way::Told(told::container);
        "kernel", "kernel": Way::Told(told::kernel);
        "security-modules", "security modules": Way::Told(told::security_modules);
        "seccomp", "no seccomp filter in the way": Way::Told(told::seccomp);
        "no-new-privs", "no_new_privs not set": Way::Told(told::no_new_privs);
    }
    Namespaces {
        "new-mnt", "mount": Way::Tried("unshare -m | unshare -rm");
        "new-uts", "UTS": Way::Tried("unshare -u | unshare -ru");
        "new-ipc", "IPC": Way::Tried("unshare -i | unshare -ri");
        "new-net", "network": Way::Tried("unshare -n | unshare -rn");
        "new-pid", "PID": Way::Tried("unshare -pf | unshare -rpf");
        "new-user", "user": Way::Tried("unshare -U | unshare -r");
        "new-cgroup", "cgroup": Way::Tried("unshare -C | unshare -rC");
        "new-time", "time": Way::Tried("unshare -Tf | unshare -rTf");
        "new-all", "all together": Way::Tried("unshare -af | unshare -raf");
        "nested", "nested once more": Way::Tried("unshare -c unshare -c");
    }
    Ids {
        "map-root", "one's own ID as root": Way::Tried("unshare -r");
        "ranges", "ranges in /etc/subuid and /etc/subgid": Way::Told(told::ranges);
        "newuidmap", "newuidmap": Way::Told(told::newuidmap);
        "newgidmap", "newgidmap": Way::Told(told::newgidmap);
        "map-auto", "the ranges mapped": Way::Again("many-ids");
    }
    Inside {
        "proc", "proc of a new PID namespace": Way::Tried("unshare -rpf --mount-proc");
        "tmpfs", "tmpfs": Way::Inside("unshare -rm", What::Tmpfs);
        "overlay", "overlay": Way::Inside("unshare -rm", What::Overlay);
        "sysfs", "sysfs": Way::Inside("unshare -rmn", What::Sysfs);
        "loopback", "loopback up": Way::Again("private-network");
        "capabilities-inside", "capabilities": Way::Inside("unshare -ru", What::Capabilities);
        "pivot-root", "pivot_root": Way::Tried("unshare -rm --pivot-root --root=/");
        "persistent", "a persistent namespace": Way::Told(persistent);
    }
    Entering {
        "enter-by-pidfd", "a child of one's own, by pidfd":
            Way::Entered(|pid| format!("nsenter -t {pid} -U -m -n --preserve-credentials"));
        "enter-by-file", "a child of one's own, by file":
            Way::Entered(|pid| format!("nsenter --user=/proc/{pid}/ns/user --net=/proc/{pid}/ns/net --preserve-credentials"));
        "enter-init", "PID 1": Way::Told(told::init);
    }
    Limits {
        "max-mnt", "user.max_mnt_namespaces": Way::Limit(Kind::Mnt);
        "max-uts", "user.max_uts_namespaces": Way::Limit(Kind::Uts);
        "max-ipc", "user.max_ipc_namespaces": Way::Limit(Kind::Ipc);
        "max-net", "user.max_net_namespaces": Way::Limit(Kind::Net);
        "max-pid", "user.max_pid_namespaces": Way::Limit(Kind::Pid);
        "max-user", "user.max_user_namespaces": Way::Limit(Kind::User);
        "max-cgroup", "user.max_cgroup_namespaces": Way::Limit(Kind::Cgroup);
        "max-time", "user.max_time_namespaces": Way::Limit(Kind::Time);
        "nproc", "RLIMIT_NPROC": Way::Told(told::nproc);
        "pids-max", "pids.max of the cgroups": Way::Told(told::pids_max);
        "depth", "depth of user namespaces": Way::Told(told::depth);
    }
}

/// Makes all the checks.
pub(super) fn examine(args: &Args) -> Examination {
    // Who starts with SIGCHLD ignored could not wait for a child (waitpid(2)).
    let _ = sys::set_disposition(libc::SIGCHLD, Disposition::Default);
    let proc = Proc::default();
    let facts = Facts::new(&proc);
    let mut doctor = Examiner {
        args,
        proc: &proc,
        facts: &facts,
        in_use: OnceCell::new(),
        checks: Vec::with_capacity(64),
    };
    // Before anything is made, which takes a while to be gone.
    let _ = doctor.in_use(Kind::User);
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

impl Examiner<'_> {
    #[inline(never)]
    fn check(&mut self, group: Heading, name: &'static str, what: &'static str, way: Way) {
        let found = match way {
            Way::Tried(commands) => self.tried(commands),
            Way::Again(name) => self.again(name),
            Way::Inside(command, what) => self.inside(command, what),
            Way::Entered(line) => self.entered(line),
            Way::Limit(kind) => told::limit(self, kind),
            Way::Told(find) => find(self),
        };
        let Learned {
            verdict,
            detail,
            tried,
            causes,
        } = found;
        self.checks.push(Check {
            name,
            group,
            what,
            verdict: verdict.unwrap_or(Judgement::Unknown),
            detail,
            tried,
            causes,
        });
    }

    fn again(&self, name: &str) -> Learned {
        let check = self.checks.iter().find(|check| check.name == name);
        check.map_or_else(Learned::default, |check| Learned {
            verdict: Some(check.verdict),
            detail: check.detail.clone(),
            tried: check.tried.clone(),
            causes: check.causes.clone(),
        })
    }

    fn tried(&self, commands: &str) -> Learned {
        let mut found = Learned::default();
        for command in commands.split('|') {
            let command = command.trim_ascii();
            self.try_one(command, &parts(command), &mut found);
        }
        found
    }

    fn inside(&self, command: &str, what: What) -> Learned {
        let Some(dir) = trial::place() else {
            return no_place();
        };
        let mut all = parts(command);
        if matches!(what, What::Tmpfs | What::Overlay) {
            all.push(LinePart::Trial(tmpfs(dir)));
        }
        let dir = dir.into();
        all.extend(match what {
            What::Tmpfs => None,
            What::Overlay => Some(LinePart::Trial(Trial::Overlay { dir })),
            What::Sysfs => Some(LinePart::Trial(Trial::Sysfs { dir })),
            What::Capabilities => Some(LinePart::Trial(Trial::Capabilities)),
        });
        let mut found = Learned::default();
        self.try_one(command, &all, &mut found);
        found
    }

    fn try_one(&self, command: &str, parts: &[LinePart], found: &mut Learned) {
        let Attempt { outcome, .. } = attempt(&|| chain(parts), self.args);
        found.take(command, outcome);
    }

    /// Tries to enter the namespaces of a child, which is called `PID` in what is told of it.
    fn entered(&self, line: fn(&str) -> String) -> Learned {
        let command = &line("PID");
        let mut found = Learned::default();
        let mut child = parts("unshare -rmn");
        child.push(LinePart::Trial(Trial::Stop));
        match stopped(&|| chain(&child), self.args) {
            Ok(child) => {
                let real = line(&child.0.to_string());
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
    pub(super) fn in_use(&self, kind: Kind) -> sys::Result<usize> {
        let all = self.in_use.get_or_init(show::in_use).as_ref();
        let all = all.map_err(|error| *error)?;
        let one = all.iter().find(|(of, _)| *of == kind);
        Ok(one.map_or(0, |&(_, count)| count))
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

/// A namespace bound on a file, as only who has privilege here can.
fn persistent(doctor: &Examiner<'_>) -> Learned {
    let command = "unshare --uts=FILE";
    let mut found = Learned::default();
    if doctor.facts.has(Capability::SysAdmin) == Some(false) {
        let bind = Bind {
            kind: Kind::Uts,
            file: "/".into(),
        };
        found.detail = command.to_owned();
        found.verdict = Some(Judgement::No);
        found.causes = proved(doctor.proc, &bind, libc::EPERM, |_| {});
        return found;
    }
    // The file lies in a mount namespace that ends with the child.
    let Some(dir) = trial::place() else {
        return no_place();
    };
    let mut all = parts("unshare -m");
    all.push(LinePart::Trial(tmpfs(dir)));
    all.push(LinePart::Line(format!("unshare -f --uts={dir}/{FILE}")));
    doctor.try_one(command, &all, &mut found);
    found
}

fn no_place() -> Learned {
    Learned {
        detail: "there is no directory to mount something on".to_owned(),
        ..Learned::default()
    }
}

impl Learned {
    /// Adds what came of one command line.
    fn take(&mut self, command: &str, outcome: AttemptOutcome) {
        let (verdict, works, error, causes) = works(with_ranges(outcome));
        self.verdict = Some(match self.verdict {
            Some(before) if before != verdict => Judgement::Partly,
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
        let found = |outcomes: Vec<AttemptOutcome>| {
            let mut found = Learned::default();
            for outcome in outcomes {
                found.take("x", outcome);
            }
            found.verdict
        };
        let fails = || AttemptOutcome::Fails(String::new(), Vec::new());
        assert_eq!(found(vec![AttemptOutcome::Works]), Some(Judgement::Yes));
        assert_eq!(found(vec![fails(), fails()]), Some(Judgement::No));
        assert_eq!(
            found(vec![fails(), AttemptOutcome::Works]),
            Some(Judgement::Partly)
        );
        assert_eq!(
            found(vec![AttemptOutcome::Unsaid]),
            Some(Judgement::Unknown)
        );
    }
}
