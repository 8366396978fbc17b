//! How the program ended, and how we end like it.

use crate::sys::{self, Change, Disposition, SignalSet};

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this exit status.
    Exited(u8),
    /// By this signal.
    Killed(i32),
}

impl Ended {
    /// Ends this process in the same way, so that our caller sees what it would have seen of the program.
    pub(crate) fn follow(self) -> u8 {
        match self {
            Ended::Exited(status) => status,
            Ended::Killed(signal) => {
                die_of(signal);
                // Still here: we are PID 1 of a namespace. The shell's way to say it.
                128_u8.saturating_add(u8::try_from(signal).unwrap_or(u8::MAX))
            }
        }
    }
}

/// Ends this process by the signal, unless it is PID 1 of a namespace.
pub(super) fn die_of(signal: i32) {
    // The core is the program's, and has been written if it was to be.
    let _ = sys::make_undumpable();
    let _ = sys::set_disposition(signal, Disposition::Default);
    let _ = sys::set_blocked(SignalSet::NONE);
    let _ = sys::kill(sys::pid(), signal);
}

impl From<Change> for Ended {
    fn from(change: Change) -> Ended {
        match change {
            Change::Exited(status) => Ended::Exited(status),
            Change::Killed(signal) | Change::Stopped(signal) => Ended::Killed(signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_it_changed() {
        assert_eq!(Ended::from(Change::Exited(7)), Ended::Exited(7));
        assert_eq!(Ended::from(Change::Killed(9)), Ended::Killed(9));
        assert_eq!(Ended::from(Change::Stopped(19)), Ended::Killed(19));
        assert_eq!(Ended::Exited(7).follow(), 7);
    }
}
