//! The child: how it is started and waited for. The loop does it, as it changes who goes on.

use std::fmt;

use libc::{EACCES, EAGAIN, ENOMEM, ENOSYS, EPERM};

use super::ahead::Ahead;
use crate::failure::common::confining;
use crate::failure::{Case, Finding, because, explains, perhaps};
use crate::host::capability::Capability;
use crate::host::facts::Facts;
use crate::model::Kind;
use crate::model::signal::Signal;

/// How the child is started and waited for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Fork {
    /// The signal that it gets when we die.
    pub(crate) kill_child: Option<Signal>,
    /// The signals that we pass on to it.
    pub(crate) forward: Vec<Signal>,
    /// Do not die of SIGINT and SIGTERM while waiting.
    pub(crate) patient: bool,
    /// Stay in front of it, as PID 1.
    pub(crate) init: Option<Init>,
    /// Fork only if a PID namespace other than ours was entered.
    pub(crate) only_if_needed: bool,
}

/// Whom a PID 1 of ours passes signals on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Init {
    /// The program.
    Program,
    /// Its process group.
    Group,
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fork")?;
        if self.only_if_needed {
            f.write_str(" if a PID namespace was entered")?;
        }
        match self.init {
            None => {}
            Some(Init::Program) => f.write_str(", stay as PID 1")?,
            Some(Init::Group) => {
                f.write_str(", stay as PID 1, pass signals on to the process group")?
            }
        }
        if let Some(signal) = self.kill_child {
            write!(f, ", kill the child with {signal} when we die")?;
        }
        if !self.forward.is_empty() {
            f.write_str(", pass on")?;
            self.forward
                .iter()
                .try_for_each(|signal| write!(f, " {signal}"))?;
        }
        Ok(())
    }
}

impl Fork {
    pub(crate) fn predict(&self, line: &str, ahead: &mut Ahead<'_>) {
        ahead.tell(line, &NewProcess, EAGAIN, |_| {});
        ahead.forked = true;
    }
}

/// A process of ours is started.
pub(crate) struct NewProcess;

explains! {
    NewProcess {
        word: "fork",
        classic: "fork failed",
        applets: ["unshare", "nsenter", "setns"],
    }
    Rule {
        id: "fork-processes",
        errors: [EAGAIN],
        about: "A bound on the number of processes is reached: RLIMIT_NPROC, the pids.max of a cgroup, or \
                kernel.threads-max and kernel.pid_max.",
        advice: "The one that is named must be raised.",
        find: |_, case| process_bounds(case),
    },
    Rule {
        id: "fork-some-bound",
        errors: [EAGAIN],
        about: "No bound on the number of processes is seen to be reached.",
        advice: "One of them is, where it cannot be seen from here: the values are listed.",
        find: |_, case| {
            perhaps(
                format!(
                    "a bound on the number of processes is reached, either RLIMIT_NPROC, or the pids.max of a \
                     cgroup, or kernel.threads-max; looked at: {}",
                    case.facts.looked_at()
                ),
                "raise the one that is reached",
            )
        },
    },
    Rule {
        id: "fork-dead-init",
        errors: [ENOMEM],
        about: "The init of the PID namespace for children has ended, so nothing can be started in it any more.",
        advice: "{living_pid}.",
        find: |_, case| dead_init(case),
    },
    Rule {
        id: "fork-seccomp",
        errors: [EPERM, EACCES, ENOSYS],
        about: "A seccomp filter refuses new processes: the kernel itself never says so. Without a filter ENOSYS is a kernel \
                that has no signalfd(2).",
        advice: "Use another seccomp profile, or a kernel with CONFIG_SIGNALFD.",
        find: |_, case| {
            if case.facts.seccomp() != Some(2) {
                return (case.errno == ENOSYS).then(|| perhaps(
                    "perhaps this kernel has no signalfd(2), with which the child is waited for",
                    "use a kernel with CONFIG_SIGNALFD",
                ))?;
            }
            let hint = "use another seccomp profile";
            match confining(case.facts) {
                // SELinux has a permission for it.
                Some(label) if case.errno == EACCES => perhaps(
                    format!(
                        "either a seccomp filter refuses new processes (Seccomp is 2 in /proc/self/status), or a \
                         security module does (our label is {label})"
                    ),
                    hint,
                ),
                _ => because(
                    "a seccomp filter refuses new processes (Seccomp is 2 in /proc/self/status)",
                    hint,
                ),
            }
        },
    },
}

/// The bounds on the number of processes that are reached.
pub(crate) fn process_bounds(case: &Case<'_>) -> Option<Finding> {
    let processes = case.facts.processes()?;
    let mut reached = Vec::new();
    let mut hints = Vec::new();
    if let (Some(limit), Some(ours)) = (processes.limit, processes.ours)
        && ours >= limit
        && is_bound(case.facts) == Some(true)
    {
        reached.push(format!(
            "RLIMIT_NPROC is {limit} and our user has {ours} threads"
        ));
        hints.push("raise it: ulimit -u, prlimit --nproc".to_owned());
    }
    for (directory, current, max) in &processes.cgroups {
        if current >= max {
            let directory = directory.display();
            reached.push(format!(
                "pids.max of {directory} is {max} and pids.current {current}"
            ));
            hints.push(format!(
                "raise {directory}/pids.max (TasksMax= of a systemd unit, --pids-limit of podman and docker)"
            ));
        }
    }
    for (name, max) in [
        ("kernel.threads-max", processes.threads_max),
        ("kernel.pid_max", processes.pid_max),
    ] {
        if let (Some(max), Some(all)) = (max, processes.all)
            && all >= max
        {
            reached.push(format!("{name} is {max} and there are {all} threads"));
            hints.push(format!("raise it: sysctl {name}"));
        }
    }
    if reached.is_empty() {
        return None;
    }
    because(reached.join("; "), hints.join("; "))
}

/// Whether RLIMIT_NPROC binds us, as far as that can be told.
///
/// It does not bind root of the machine, in whatever user namespace, nor who has these capabilities in the initial one.
/// In another who is root of the machine cannot be seen, nor (from Linux 5.14 on) which of our user's threads count.
fn is_bound(facts: &Facts<'_>) -> Option<bool> {
    if !facts.is_initial_user()? {
        return None;
    }
    let exempt = facts.real_uid()? == 0
        || facts.has(Capability::SysAdmin)?
        || facts.has(Capability::SysResource)?;
    Some(!exempt)
}

fn dead_init(case: &Case<'_>) -> Option<Finding> {
    let memory = case.facts.memory().map_or_else(String::new, |memory| {
        format!(" (MemAvailable is {memory} kB)")
    });
    if case.facts.unentered()?.has(Kind::Pid) {
        return perhaps(
            format!(
                "either the init of the PID namespace for children, which is not ours (/proc/self/ns/pid and \
                 pid_for_children differ), has ended, or memory is short{memory}"
            ),
            case.applet.living_pid(),
        );
    }
    perhaps(
        format!("memory is short{memory}, or a limit on it is reached"),
        "look at free memory, RLIMIT_AS and the memory limit of the cgroup",
    )
}
