//! A failure of ours: the classic line, and what is needed to say why.

pub(crate) mod cause;
pub(crate) mod common;
pub(crate) mod wrapped;

use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::sys;
pub(crate) use cause::{
    Case, Cause, Explain, Finding, Unexplained, because, explains, perhaps, shown,
};

/// What failed, in the words that scripts compare.
pub(crate) struct Failure {
    /// The step that failed, or the part of it.
    pub(crate) step: Box<dyn Explain>,
    /// The line, without the applet's name in front and the error's words behind.
    pub(crate) line: OsString,
    /// The error, if a system call gave one.
    pub(crate) error: Option<sys::Error>,
    /// The exit status, if it is not the one of all our failures.
    pub(crate) status: Option<u8>,
    /// What a helper program said on its standard error.
    pub(crate) said: Vec<u8>,
    /// Why, where that was asked for: found by the process that failed, before anything changed.
    pub(crate) causes: Option<Box<[Cause]>>,
}

/// Told of a failure by the process that failed, so that it can find out why. Does nothing a second time.
pub(crate) type Inquiry<'a> = &'a dyn Fn(&mut Failure);

impl Failure {
    /// A system call of a step failed.
    #[cold]
    pub(crate) fn new(
        step: impl Explain + 'static,
        line: impl Into<OsString>,
        error: sys::Error,
    ) -> Failure {
        Failure {
            error: Some(error),
            ..Failure::plain(step, line)
        }
    }

    /// Something other than a system call failed.
    #[cold]
    pub(crate) fn plain(step: impl Explain + 'static, line: impl Into<OsString>) -> Failure {
        Failure {
            step: Box::new(step),
            line: line.into(),
            error: None,
            status: None,
            said: Vec::new(),
            causes: None,
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?}", self.line, self.error)
    }
}

/// A line put together of parts, some of which may be paths of any bytes.
#[cold]
pub(crate) fn line<const N: usize>(parts: [&OsStr; N]) -> OsString {
    let mut line = OsString::new();
    parts.into_iter().for_each(|part| line.push(part));
    line
}

/// The result of a step.
pub(crate) type Result<T> = std::result::Result<T, Failure>;
