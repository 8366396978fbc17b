//! The offset of a clock in a new time namespace (time_namespaces(7)).

use std::fmt;

use super::map::write_file;
use super::{Do, State};
use crate::failure::{Result, Stage};
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
        let &ClockOffset { clock, seconds } = self;
        let path = "/proc/self/timens_offsets";
        write_file(
            Stage::Clock { clock, seconds },
            path,
            self.text().as_bytes(),
        )
    }
}
