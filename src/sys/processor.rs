//! Processors: on which of them we may run.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::Result;

/// A set of processors (sched_setaffinity(2)).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Processors(CpuSet);

impl Processors {
    /// This one only.
    pub(crate) fn one(number: usize) -> Processors {
        let mut set = CpuSet::new();
        // Numbers come from `each`, so they fit.
        let _ = set.set(number);
        Processors(set)
    }
}

/// How many processors the machine has, idle and offline ones included (sysconf(3), `_SC_NPROCESSORS_CONF`).
pub(crate) fn processor_count() -> usize {
    let count = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_CONF);
    let count = count.ok().flatten().and_then(|count| count.try_into().ok());
    count.unwrap_or(1)
}

/// Those on which we may run now.
pub(crate) fn processors() -> Result<Processors> {
    Ok(Processors(sched_getaffinity(Pid::from_raw(0))?))
}

/// Runs on these from now on.
pub(crate) fn run_on(set: &Processors) -> Result<()> {
    Ok(sched_setaffinity(Pid::from_raw(0), &set.0)?)
}
