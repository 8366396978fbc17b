//! The command line, read as getopt_long(3) reads it and handed to argh.
//!
//! The hard thing here: argh's declarations say what exists, but argh knows neither clusters nor
//! optional values nor abbreviations nor bytes outside UTF-8. [`getopt`] knows those and nothing else. What a start
//! needs of the declarations is made of them beforehand ([`Declared::TABLE`], [`Declared::HELP`]).

mod getopt;
pub(crate) mod table;
mod value;

pub(crate) use value::{Attached, Text};

use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStringExt;

use getopt::{Met, Reader};
use table::{Arity, Row, Table};

/// What an applet's options struct says of itself besides its options.
///
/// The options (names, letters, value names, descriptions) are declared once, in the struct that
/// implements this, through argh. A description that ends in ` (+)` marks an option that util-linux
/// does not have. The value name (`arg_name`) carries the arity: `file` is a required value,
/// `[=file]` an optional one that only the long form can take, `[file]` an optional one for both
/// forms. Inside, a word of `docs::value_name::PLACEHOLDERS` stands for something, any other word for
/// itself: `allow|deny`, `uid|name|follow`.
pub(crate) trait Declared: argh::FromArgs + argh::ArgsInfo + 'static {
    /// The applet's own name: `unshare`.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the documents are made by tests")
    )]
    const NAME: &'static str;
    /// The options as [`table`] reads them, made from the declaration.
    const TABLE: &'static [u8];
    /// What `--help` says, made from the declaration.
    const HELP: &'static str;
    /// What `--version` says.
    const VERSION: &'static str;
    /// How the operands are written in the usage line: `[program [argument...]]`.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the documents are made by tests")
    )]
    const OPERANDS: &'static [&'static str];
    /// The groups of options: a title, and the long name of the first option in it, in declared order.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the documents are made by tests")
    )]
    const SECTIONS: &'static [(&'static str, &'static str)];
}

/// What came of reading a command line.
#[derive(Debug)]
pub(crate) enum Reading<T: 'static> {
    /// The options, and where the operands begin in argv.
    Options(Parsed<T>),
    /// `--help` or `--version` was met: its text, with the last line's end.
    Text(&'static str),
}

/// A command line that was understood.
#[derive(Debug)]
pub(crate) struct Parsed<T: 'static> {
    /// The options' values, as declared. They are never freed: to look into forty of them for that costs a start 500
    /// instructions, and to move them about 450.
    pub(crate) options: &'static T,
    /// The options in the order they were given, repeats included.
    pub(crate) order: Vec<Row>,
    /// The index in argv of the first operand; argv's length when there is none.
    pub(crate) first_operand: usize,
}

impl<T> Parsed<T> {
    /// The operands of the command line that was read.
    pub(crate) fn operands(&self, argv: &'static [&'static CStr]) -> &'static [&'static CStr] {
        argv.get(self.first_operand..).unwrap_or_default()
    }

    /// Of these options (long names), the one given last.
    pub(crate) fn last_of(&self, names: &[&'static str]) -> Option<&'static str> {
        let mut last_first = self.order.iter().rev();
        last_first.find_map(|row| names.iter().find(|name| row.is(name.as_bytes())).copied())
    }
}

/// A command line that cannot be understood: the first line of the classic message, without
/// `APPLET: ` in front and without the line's end.
///
/// Bytes, not text: getopt_long(3) repeats the user's word as it came, and so does this.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsageError(pub(crate) OsString);

/// Reads `argv` (with the program's name in front, which is skipped).
///
/// # Errors
/// An unknown or ambiguous option, a value that is missing or not allowed.
pub(crate) fn read<T: Declared>(argv: &[&CStr]) -> Result<Reading<T>, UsageError> {
    let table = Table::of::<T>();
    let mut reader = Reader::new(table, argv);
    let mut given: Vec<Met<'_>> = Vec::with_capacity(4);
    while let Some(met) = reader.next_option()? {
        if met.row.is(b"help") {
            return Ok(Reading::Text(T::HELP));
        }
        if met.row.is(b"version") {
            return Ok(Reading::Text(T::VERSION));
        }
        given.push(met);
    }
    Ok(Reading::Options(Parsed {
        options: from_argh(&given)?,
        order: given.iter().map(|met| met.row).collect(),
        first_operand: reader.first_operand(),
    }))
}

/// A command line as it was read, for who asks what its author meant.
#[derive(Debug)]
pub(crate) struct GivenOptions<'a> {
    /// Long names (without dashes) of the options, in the order given, with their values.
    pub(crate) options: Vec<(&'static str, Option<&'a [u8]>)>,
    /// As in [`Parsed`].
    pub(crate) first_operand: usize,
}

/// What [`read`] has seen in a command line, up to what it does not understand.
#[cold]
pub(crate) fn seen<'a, T: Declared>(argv: &'a [&'a CStr]) -> GivenOptions<'a> {
    let mut reader = Reader::new(Table::of::<T>(), argv);
    let mut options = Vec::new();
    while let Ok(Some(met)) = reader.next_option() {
        options.push((met.row.name(), met.value));
    }
    GivenOptions {
        options,
        first_operand: reader.first_operand(),
    }
}

/// Hands argh the one spelling that it knows: long names in full, each value a word of its own.
///
/// Operands stay out of it: argh would take a bare `help` for `--help`.
///
/// argh's own frame is the largest of a start, so it lies in nobody else's.
#[inline(never)]
fn from_argh<T: Declared>(given: &[Met<'_>]) -> Result<&'static T, UsageError> {
    let mut words: Vec<&str> = Vec::with_capacity(2 * given.len());
    for (index, met) in given.iter().enumerate() {
        let later = || {
            given
                .iter()
                .skip(index + 1)
                .any(|other| other.row == met.row)
        };
        // argh refuses a repeated single value; of those the last counts.
        if !met.row.repeats() && later() {
            continue;
        }
        words.push(met.row.spelling());
        match met.row.arity() {
            Arity::None => {}
            Arity::Required => words.push(value::encode(met.value.unwrap_or_default())),
            Arity::OptionalLong | Arity::Optional => words.push(value::attach(met.value)),
        }
    }
    // The names come from the same declaration, and every field takes any text (a test tries each
    // option of each applet), so this does not fail; if a declaration ever breaks that, argh's own
    // words reach the user.
    match T::from_args(&[], &words) {
        Ok(options) => Ok(Box::leak(Box::new(options))),
        Err(early) => Err(UsageError(OsString::from_vec(
            early.output.trim_end().as_bytes().to_vec(),
        ))),
    }
}
