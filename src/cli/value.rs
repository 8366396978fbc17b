//! Values of any bytes, in a text form that passes through argh, and optional values.

use std::ffi::OsString;

/// A required value: any bytes except NUL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) OsString);

/// An optional value, which can only be attached (`--mount=FILE`): `None` when the option stood alone.
///
/// `--mount`, `--mount=` and `--mount=/x` are three things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attached(pub(crate) Option<OsString>);
