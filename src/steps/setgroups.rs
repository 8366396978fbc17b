//! Whether setgroups(2) is permitted in a new user namespace.

use super::map::write_file;
use super::{Do, State};
use crate::failure::{Result, Stage};
use crate::model::value::Setgroups;

impl Do for Setgroups {
    fn run(&self, _: &mut State) -> Result<()> {
        write_file(
            Stage::Setgroups,
            "/proc/self/setgroups",
            self.as_str().as_bytes(),
        )
    }
}

impl std::fmt::Display for Setgroups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "write /proc/self/setgroups: {}", self.as_str())
    }
}
