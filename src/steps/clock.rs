//! The offset of a clock in a new time namespace (time_namespaces(7)).

use std::fmt;

use libc::{EACCES, ENOENT, EPERM, ERANGE, EROFS};

use super::map::write_file;
use super::{Do, State};
use crate::failure::common::{file_of_ours, lacks, read_only};
use crate::failure::{Result, because, explains};
use crate::host::capability::Capability;
use crate::model::Clock;

/// Write /proc/self/timens_offsets; nobody may be in the namespace yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClockOffset {
    pub(crate) clock: Clock,
    pub(crate) seconds: i64,
}

impl ClockOffset {
    /// What is written.
    pub(crate) fn text(&self) -> String {
        format!("{} {} 0", self.clock.name(), self.seconds)
    }
}

impl fmt::Display for ClockOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "write /proc/self/timens_offsets: {}", self.text())
    }
}

impl Do for ClockOffset {
    fn run(&self, _: &mut State) -> Result<()> {
        let path = "/proc/self/timens_offsets";
        write_file(path, self.text().as_bytes(), || self.clone())
    }
}

explains! {
    ClockOffset {
        word: "clock",
        classic: "write failed /proc/self/timens_offsets",
        applets: ["unshare"],
    }
    Rule {
        id: "clock-range",
        errors: [ERANGE],
        about: "The clock would be negative, or too large.",
        advice: "The range that is accepted is named.",
        find: |offset, case| {
            let ClockOffset { clock, seconds } = offset;
            let (least, most) = case.facts.offsets(*clock)?.clone().into_inner();
            because(
                format!(
                    "an offset of {seconds} s would make the {} clock negative or too large",
                    clock.name()
                ),
                format!("use {least} to {most}"),
            )
        },
    },
    Rule {
        id: "clock-privilege",
        errors: [EPERM],
        about: "CAP_SYS_TIME is missing.",
        advice: "Add -r, or run with it.",
        find: |_, case| {
            lacks(case.facts, Capability::SysTime)?.because("", "add -r, or run with CAP_SYS_TIME")
        },
    },
    Rule {
        id: "clock-file",
        errors: [ENOENT, EACCES],
        about: "/proc is not mounted, or a security module refuses the file.",
        advice: "Mount it; or have the module's profile allow it.",
        // Once somebody is in the namespace the kernel says EACCES too.
        find: |_, case| file_of_ours(case, "timens_offsets", false),
    },
    Rule {
        id: "clock-read-only",
        errors: [EROFS],
        about: "/proc is read-only, as in containers.",
        advice: "Mount it for writing, or let the container do so.",
        find: |_, case| read_only(case),
    },
}
