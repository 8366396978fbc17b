//! The applets: the options of each, and what they ask for.

pub(crate) mod common;
mod entering;
#[cfg(test)]
mod golden;
pub(crate) mod help;
pub(crate) mod nsenter;
pub(crate) mod nskit;
pub(crate) mod setns;
pub(crate) mod traps;
pub(crate) mod unshare;

use std::ffi::CStr;

use common::{InvalidOptions, Request};

use crate::cli::{self, Declared, Parsed, Reading, Text, UsageError};
use crate::host::Host;

/// One of the programs that this binary is.
pub(crate) struct Applet {
    /// Its name, by which it is called.
    pub(crate) name: &'static str,
    /// What it does, on one line.
    pub(crate) about: &'static str,
    /// The exit status of its own failures.
    pub(crate) failure_status: u8,
    /// Reads its command line.
    pub(crate) ask: fn(&'static [&'static CStr], &dyn Host) -> Result<Response, CommandLineError>,
}

/// All of them.
pub(crate) const APPLETS: [Applet; 3] = [
    Applet {
        name: "unshare",
        about: "run a program in namespaces of its own",
        failure_status: 1,
        ask: |argv, host| {
            ask(argv, host, unshare::request, |options| {
                (&options.status_fd, options.explain)
            })
        },
    },
    Applet {
        name: "nsenter",
        about: "run a program in the namespaces of other processes",
        failure_status: 1,
        ask: |argv, host| {
            ask(argv, host, nsenter::request, |options| {
                (&options.status_fd, options.explain)
            })
        },
    },
    Applet {
        name: "setns",
        about: "run a program in exactly the namespaces that are named",
        failure_status: 125,
        ask: |argv, host| {
            ask(argv, host, setns::request, |options| {
                (&options.status_fd, options.explain)
            })
        },
    },
];

/// What a command line leads to.
pub(crate) enum Response {
    /// Something to do.
    Do(Request),
    /// A text to print.
    Print(&'static str),
}

/// Why a command line leads to nothing.
pub(crate) enum CommandLineError {
    /// It cannot be read.
    Usage(UsageError),
    /// It asks for something that cannot be; the descriptor to report that on, and whether to explain it.
    Invalid(InvalidOptions, Option<i32>, bool),
}

type MakeRequest<T> =
    fn(&Parsed<T>, &'static [&'static CStr], &dyn Host) -> Result<Request, InvalidOptions>;

fn ask<T: Declared>(
    argv: &'static [&'static CStr],
    host: &dyn Host,
    request: MakeRequest<T>,
    reported: fn(&T) -> (&Option<Text>, bool),
) -> Result<Response, CommandLineError> {
    match cli::read::<T>(argv).map_err(CommandLineError::Usage)? {
        Reading::Text(text) => Ok(Response::Print(text)),
        Reading::Options(parsed) => match request(&parsed, argv, host) {
            Ok(request) => Ok(Response::Do(request)),
            Err(invalid) => {
                let (status_fd, explain) = reported(parsed.options);
                let status_fd = common::status_fd(status_fd.as_ref()).ok().flatten();
                Err(CommandLineError::Invalid(invalid, status_fd, explain))
            }
        },
    }
}
