//! What new UTS and network namespaces are given: a host name, and a loopback interface that is up.

use std::ffi::OsString;
use std::fmt;

use super::{Do, State};
use crate::failure::{Failure, Result, Unexplained};
use crate::model::Word;
use crate::sys;

/// Set the host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hostname(pub(crate) OsString);

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set the host name to {}", Word(&self.0))
    }
}

impl Do for Hostname {
    fn run(&self, _: &mut State) -> Result<()> {
        sys::set_hostname(&self.0)
            .map_err(|error| Failure::new(Unexplained("hostname"), "sethostname failed", error))
    }
}

/// Bring the loopback interface up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loopback;

impl fmt::Display for Loopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bring lo up")
    }
}

impl Do for Loopback {
    fn run(&self, _: &mut State) -> Result<()> {
        sys::loopback_up()
            .map_err(|error| Failure::new(Unexplained("loopback"), "cannot bring lo up", error))
    }
}
