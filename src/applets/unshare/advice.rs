//! What is said on a terminal before the program runs.

use std::ffi::CStr;

use super::Options;
use crate::host::Host;
use crate::model::{Kind, Kinds};
use crate::steps::{Advice, Step};

/// Adds what is said of what the program will not be in, or see, though it was asked for.
pub(super) fn advice(
    options: &Options,
    operands: &[&CStr],
    kinds: Kinds,
    forks: bool,
    host: &dyn Host,
    steps: &mut Vec<Step>,
) {
    // Not before all else is done: the first line of a failure is for scripts.
    if kinds.has(Kind::Pid) && !forks && host.at_terminal() {
        let line = "unshare: add --fork: only children enter the new PID namespace";
        steps.push(Advice(line).into());
    }
    if let Some(line) = outer_processes(options, kinds, forks, steps)
        && shows_processes(operands)
        && host.at_terminal()
    {
        steps.push(Advice(line).into());
    }
    let shifts = options.monotonic.is_some() || options.boottime.is_some();
    if shifts && !forks && !host.execution_enters_time() {
        let line = "unshare: add --fork: on this kernel only children enter the new time namespace";
        steps.push(Advice(line).into());
    }
}

/// That ps will show processes of outside, though a PID namespace or a proc was asked for.
fn outer_processes(
    options: &Options,
    kinds: Kinds,
    forks: bool,
    steps: &[Step],
) -> Option<&'static str> {
    let mounts = |step: &Step| matches!(step, Step::MountProc(_));
    let has_proc = steps.iter().any(mounts);
    match kinds.has(Kind::Pid) {
        // What is in another root directory, its owner knows.
        true if forks && !has_proc && options.root.is_none() => {
            Some("unshare: add --mount-proc: without it ps shows the outer processes")
        }
        false if has_proc => {
            Some("unshare: add --pid --fork: without them ps shows the outer processes")
        }
        _ => None,
    }
}

/// Whether the program is one in which somebody looks at processes. To ask whether there is a terminal costs a start, so
/// for others it is not asked.
fn shows_processes(operands: &[&CStr]) -> bool {
    let Some(program) = operands.first().map(|word| word.to_bytes()) else {
        return true;
    };
    let name = program.rsplit(|&byte| byte == b'/').next();
    let known: [&[u8]; 12] = [
        b"ash", b"bash", b"dash", b"fish", b"htop", b"ksh", b"pgrep", b"ps", b"pstree", b"sh",
        b"top", b"zsh",
    ];
    name.is_some_and(|name| known.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_in_which_processes_are_looked_at() {
        for program in [c"sh", c"/bin/bash", c"ps", c"/usr/bin/htop"] {
            assert!(shows_processes(&[program, c"true"]), "{program:?}");
        }
        // The shell of whoever names no program.
        assert!(shows_processes(&[]));
        for program in [c"true", c"/ps/true", c"psx", c"sh/", c""] {
            assert!(!shows_processes(&[program, c"sh"]), "{program:?}");
        }
    }
}
