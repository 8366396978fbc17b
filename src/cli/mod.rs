//! The command line, read as getopt_long(3) reads it and handed to argh.
//!
//! The hard thing here: argh's declarations say what exists, but argh knows neither clusters nor
//! optional values nor abbreviations nor bytes outside UTF-8. [`getopt`] knows those and nothing else.

mod value;

pub(crate) use value::{Attached, Text};

use std::ffi::CStr;

/// What an applet's options struct says of itself besides its options.
///
/// The options (names, letters, value names, descriptions) are declared once, in the struct that
/// implements this, through argh. A description that ends in ` (+)` marks an option that util-linux
/// does not have. The value name (`arg_name`) carries the arity: `file` is a required value,
/// `[=file]` an optional one that only the long form can take, `[file]` an optional one for both
/// forms, `allow|deny` a required one out of these words, `[=allow|deny]` an optional one of these.
pub(crate) trait Declared: argh::FromArgs + argh::ArgsInfo {
    /// The applet's own name: `unshare`.
    const NAME: &'static str;
    /// How the operands are written in the usage line: `[program [argument...]]`.
    const OPERANDS: &'static [&'static str];
    /// The groups of options: a title, and the long name of the first option in it, in declared order.
    const SECTIONS: &'static [(&'static str, &'static str)];
}

/// What came of reading a command line.
pub(crate) enum Reading<T> {
    /// The options, and where the operands begin in argv.
    Options(Parsed<T>),
    /// `--help` was met: its text.
    Help(String),
    /// `--version` was met: its line.
    Version(String),
}

/// A command line that was understood.
pub(crate) struct Parsed<T> {
    /// The options' values, as declared.
    pub(crate) options: T,
    /// Long names (without dashes) of the options in the order they were given, repeats included.
    pub(crate) order: Vec<&'static str>,
    /// The index in argv of the first operand; argv's length when there is none.
    pub(crate) first_operand: usize,
}

impl<T> Parsed<T> {
    /// Of these options (long names), the one given last.
    pub(crate) fn last_of(&self, names: &[&str]) -> Option<&'static str> {
        self.order
            .iter()
            .rev()
            .find(|given| names.contains(given))
            .copied()
    }
}

/// Reads `argv` (with the program's name in front, which is skipped).
///
/// # Errors
/// The first line of the classic message, without `APPLET: ` in front.
pub(crate) fn read<T: Declared>(_argv: &[&'static CStr]) -> Result<Reading<T>, String> {
    unreachable!("being written")
}
