//! Signals by name and by number, as signal(7) lists them.
//!
//! The hard thing here: where the real-time signals begin. The kernel's first is 32; C libraries keep
//! the lowest for their threads, so userspace sees 34 with glibc and 35 with musl. Scripts and
//! `kill -l` mean glibc's, and a static binary must not mean another signal than the shell that
//! started it: `RTMIN` is 34 here whatever C library this was built with.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use crate::model::number::{Quoted, decimal};

/// `RTMIN` as glibc gives it.
const RTMIN: i32 = 34;
/// `RTMAX`, the highest signal (the kernel's `_NSIG`).
const RTMAX: i32 = 64;

/// Names without `SIG`, in the order of the numbers from 1 on, as the machines have them that this program is for
/// (asm-generic/signal.h).
const NAMES: &str = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU \
                     URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";

/// The signal with this name, which may be an older one.
fn named(name: &[u8]) -> Option<Signal> {
    let name: &[u8] = match name {
        b"IOT" => b"ABRT",
        b"CLD" => b"CHLD",
        b"POLL" => b"IO",
        name => name,
    };
    let place = NAMES
        .split(' ')
        .position(|known| known.as_bytes() == name)?;
    Signal::from_number(i32::try_from(place).ok()? + 1)
}

/// A signal that the kernel can send: 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Signal(i32);

impl Signal {
    /// The one that cannot be caught: what a child gets by default when its parent dies.
    pub(crate) const KILL: Self = Self(libc::SIGKILL);

    /// What `--forward-signals` passes on when it names none.
    pub(crate) const FORWARDED: [Self; 8] = [
        Self(libc::SIGTERM),
        Self(libc::SIGINT),
        Self(libc::SIGHUP),
        Self(libc::SIGQUIT),
        Self(libc::SIGUSR1),
        Self(libc::SIGUSR2),
        Self(libc::SIGWINCH),
        Self(libc::SIGCONT),
    ];

    /// The signal with this number, if there is one.
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        (1..=RTMAX).contains(&number).then_some(Self(number))
    }

    /// The kernel's number of it.
    pub(crate) fn number(self) -> i32 {
        self.0
    }

    /// Reads `KILL`, `SIGKILL`, `sigkill`, `9`, `RTMIN+3` or `RTMAX-1`.
    ///
    /// # Errors
    /// The value is none of these.
    pub(crate) fn parse(value: &OsStr) -> Result<Self, String> {
        Self::from_text(value.as_bytes()).ok_or_else(|| {
            format!(
                "{} is not a signal: a name as in KILL or SIGKILL, RTMIN+N, RTMAX-N, or a number from 1 to {RTMAX}",
                Quoted(value)
            )
        })
    }

    fn from_text(text: &[u8]) -> Option<Self> {
        if let Some(number) = decimal(text) {
            return Self::from_number(i32::try_from(number).ok()?);
        }
        let name = text.to_ascii_uppercase();
        let name = name.strip_prefix(b"SIG").unwrap_or(&name);
        if let Some(signal) = named(name) {
            return Some(signal);
        }
        let number = if let Some(above) = name.strip_prefix(b"RTMIN") {
            RTMIN + distance(above, b'+')?
        } else {
            RTMAX - distance(name.strip_prefix(b"RTMAX")?, b'-')?
        };
        (RTMIN..=RTMAX).contains(&number).then_some(Self(number))
    }

    /// Reads a comma list of signals to pass on; one named twice counts once.
    ///
    /// # Errors
    /// An element is no signal, or one that cannot be passed on.
    pub(crate) fn parse_forwarded(value: &OsStr) -> Result<Vec<Self>, String> {
        let mut signals = Vec::new();
        for name in value.as_bytes().split(|byte| *byte == b',') {
            let signal = Self::parse(OsStr::from_bytes(name))?;
            match signal.0 {
                libc::SIGKILL | libc::SIGSTOP => {
                    return Err(format!(
                        "{signal} cannot be caught, so it cannot be passed on"
                    ));
                }
                libc::SIGCHLD => {
                    return Err(format!(
                        "{signal} says that the child ended, so it cannot be passed on to it"
                    ));
                }
                _ if signals.contains(&signal) => {}
                _ => signals.push(signal),
            }
        }
        Ok(signals)
    }
}

/// What follows `RTMIN` or `RTMAX`: nothing, or the sign and digits.
fn distance(text: &[u8], sign: u8) -> Option<i32> {
    match text {
        [] => Some(0),
        [first, digits @ ..] if *first == sign && digits.iter().all(u8::is_ascii_digit) => {
            // Bounded before it is added to anything.
            decimal(digits)
                .and_then(|number| i32::try_from(number).ok())
                .filter(|number| *number <= RTMAX)
        }
        _ => None,
    }
}

impl fmt::Display for Signal {
    /// `SIGKILL`, `SIGRTMIN+3`; a number where there is no name (32 and 33, the C library's own).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = usize::try_from(self.0 - 1).unwrap_or_default();
        if let Some(name) = NAMES.split(' ').nth(place) {
            return write!(f, "SIG{name}");
        }
        match self.0 {
            RTMIN => f.write_str("SIGRTMIN"),
            RTMAX => f.write_str("SIGRTMAX"),
            number if number > RTMIN => write!(f, "SIGRTMIN+{}", number - RTMIN),
            number => write!(f, "{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Option<i32> {
        Signal::parse(OsStr::new(text)).ok().map(Signal::number)
    }

    #[test]
    fn every_spelling() {
        for text in ["KILL", "SIGKILL", "sigkill", "SigKill", "9", " +9"] {
            assert_eq!(number(text), Some(9), "{text}");
        }
        for (text, expected) in [
            ("RTMIN", 34),
            ("sigrtmin+0", 34),
            ("RTMIN+3", 37),
            ("RTMIN+30", 64),
            ("RTMAX-30", 34),
            ("RTMAX-1", 63),
            ("SIGRTMAX", 64),
            ("CLD", libc::SIGCHLD),
            ("POLL", libc::SIGIO),
            ("33", 33),
        ] {
            assert_eq!(number(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_signal() {
        for text in [
            "",
            "0",
            "65",
            "-9",
            "9x",
            "0x9",
            "FOO",
            "SIG",
            "SIGSIGKILL",
            "KILL ",
            " KILL",
            "RTMIN+",
            "RTMIN-1",
            "RTMIN+31",
            "RTMAX+0",
            "RTMAX-31",
            "RTMIN+ 1",
            "RTMIN++1",
            "RTMIN+-1",
            "RTMIN+99999999999999999999",
            "4294967305",
        ] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }

    #[test]
    fn lists() {
        let list = |text: &str| Signal::parse_forwarded(OsStr::new(text));
        assert_eq!(list("TERM,hup,15"), Ok(vec![Signal(15), Signal(1)]));
        assert!(list("TERM,").unwrap_err().starts_with("'' is not a signal"));
        assert!(
            list("TERM,9")
                .unwrap_err()
                .starts_with("SIGKILL cannot be caught")
        );
        assert!(
            list("STOP")
                .unwrap_err()
                .starts_with("SIGSTOP cannot be caught")
        );
        assert!(list("CLD").unwrap_err().starts_with("SIGCHLD says"));
    }

    #[test]
    fn the_default_list_could_have_been_given() {
        let names: Vec<String> = Signal::FORWARDED.iter().map(Signal::to_string).collect();
        assert_eq!(
            Signal::parse_forwarded(OsStr::new(&names.join(","))),
            Ok(Signal::FORWARDED.to_vec())
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_is_understood(number in 1..=64) {
            let signal = Signal::from_number(number).unwrap();
            prop_assert_eq!(Signal::parse(OsStr::new(&signal.to_string())), Ok(signal));
        }

        #[test]
        fn any_bytes_do(bytes: Vec<u8>) {
            if let Ok(signal) = Signal::parse(OsStr::from_bytes(&bytes)) {
                prop_assert!((1..=64).contains(&signal.number()));
            }
        }
    }
}
