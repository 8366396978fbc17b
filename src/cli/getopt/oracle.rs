//! Random command lines, read by us and by glibc: nothing may differ.

use std::ffi::{CStr, CString, c_int};
use std::os::unix::ffi::OsStrExt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::UsageError;
use super::super::table::{Arity, Row, Table};
use super::{OptionError, Reader};
use crate::applets::{nsenter, setns, unshare};
use crate::cli::Declared;
use crate::sys::glibc_getopt;

/// Lines that are tried for each applet.
const LINES: u32 = 40_000;

/// A table as getopt_long(3) wants it.
struct Oracle {
    rows: Vec<Row>,
    names: Vec<CString>,
    short: CString,
}

/// Above any letter: what getopt_long(3) returns for the first long option.
const FIRST_LONG: c_int = 256;

impl Oracle {
    fn new(table: Table) -> Self {
        let mut short = String::from("+");
        for row in table.rows() {
            if let Some(letter) = row.letter() {
                short.push(char::from(letter));
                short.push_str(match row.arity() {
                    Arity::None | Arity::OptionalLong => "",
                    Arity::Required => ":",
                    Arity::Optional => "::",
                });
            }
        }
        Self {
            rows: table.rows().collect(),
            names: table.rows().map(|row| c(row.name())).collect(),
            short: c(&short),
        }
    }

    /// The rows for which `take` holds.
    fn table(&self, take: impl Fn(&Row) -> bool) -> Vec<glibc_getopt::OptionRow<'_>> {
        (FIRST_LONG..)
            .zip(self.rows.iter().zip(&self.names))
            .filter(|(_, (row, _))| take(row))
            .map(|(val, (row, name))| {
                let has_arg = match row.arity() {
                    Arity::None => 0,
                    Arity::Required => 1,
                    Arity::OptionalLong | Arity::Optional => 2,
                };
                (name.as_c_str(), has_arg, val)
            })
            .collect()
    }

    /// What glibc reads, in the form of [`ours`].
    fn read(&self, argv: &[&CStr]) -> OptionSequence {
        let all = self.table(|_| true);
        let theirs = self.table(|row| !row.is_ours());
        let answer = glibc_getopt::parse(argv, &self.short, |next| {
            let word = next.to_bytes();
            let word = word.strip_prefix(b"--").unwrap_or(word);
            let name = word.split(|&byte| byte == b'=').next().unwrap_or(word);
            // An abbreviation is looked up among util-linux's options where one of those fits.
            let exact = all.iter().any(|(long, ..)| long.to_bytes() == name);
            let fits = |(long, ..): &glibc_getopt::OptionRow<'_>| long.to_bytes().starts_with(name);
            if !exact && theirs.iter().any(fits) {
                &theirs
            } else {
                &all
            }
        });
        let met = answer.met.into_iter().map(|(val, value)| {
            if let Ok(index) = usize::try_from(val - FIRST_LONG) {
                return (self.rows[index].name(), value);
            }
            let letter = u8::try_from(val).expect("a letter");
            let mut rows = self.rows.iter();
            let row = rows.find(|row| row.letter() == Some(letter));
            let row = row.expect("glibc returns letters of the short string");
            let value = match value {
                // Ours: one `=` in front of a short option's optional value is dropped.
                Some(value) if row.arity() == Arity::Optional && value.starts_with(b"=") => {
                    Some(value[1..].to_vec())
                }
                value => value,
            };
            (row.name(), value)
        });
        OptionSequence {
            met: met.collect(),
            end: match answer.error {
                None => Ok(answer.first_operand),
                Some(line) => Err(line.escape_ascii().to_string()),
            },
        }
    }
}

/// The options with their values, then the first operand's index or the error's line.
#[derive(Debug, PartialEq)]
struct OptionSequence {
    met: Vec<(&'static str, Option<Vec<u8>>)>,
    end: Result<usize, String>,
}

/// What we read; an error's line as glibc ends and begins it, and without our suggestion.
fn ours(table: Table, argv: &[&CStr]) -> OptionSequence {
    let mut reader = Reader::new(table, argv);
    let mut met = Vec::new();
    let end = loop {
        match reader.next_option() {
            Ok(Some(option)) => met.push((option.row.name(), option.value.map(<[u8]>::to_vec))),
            Ok(None) => break Ok(reader.first_operand()),
            Err(mut error) => {
                if let OptionError::Unrecognized(_, meant) = &mut error {
                    *meant = None;
                }
                let UsageError(line) = error.into();
                let line = [b"applet: ", line.as_bytes(), b"\n"].concat();
                break Err(line.escape_ascii().to_string());
            }
        }
    };
    OptionSequence { met, end }
}

fn c(text: &str) -> CString {
    CString::new(text).expect("no NUL")
}

/// A word of a command line: mostly options as people write them, and what is near to them.
fn word(table: Table) -> impl Strategy<Value = CString> {
    let rows: Vec<_> = table.rows().collect();
    let letters: Vec<_> = rows.iter().filter_map(|row| row.letter()).collect();
    let value = prop_oneof![
        4 => select(&["", "/x", "1", "help", "=", "==", "-", "--", "-r", "--root", "--fork=1"][..])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(1..=255u8, 0..4),
    ];
    let attached = proptest::option::weighted(0.3, value.clone());
    let long = (select(rows.clone()), attached.clone());
    let cut = (select(rows), 0..20usize, attached.clone());
    let cluster = (vec(select(letters), 1..5), attached);
    prop_oneof![
        6 => long.prop_map(|(row, value)| with(row.spelling().as_bytes(), value)),
        4 => cut.prop_map(|(row, length, value)| {
            let spelling = row.spelling().as_bytes();
            with(&spelling[..spelling.len().min(2 + length)], value)
        }),
        6 => cluster.prop_map(|(letters, value)| {
            [&b"-"[..], &letters, &value.unwrap_or_default()].concat()
        }),
        2 => value.clone(),
        1 => value.clone().prop_map(|value| [b"-", &value[..]].concat()),
        1 => value.prop_map(|value| [b"--", &value[..]].concat()),
    ]
    .prop_map(|bytes| CString::new(bytes).expect("no NUL"))
}

fn with(option: &[u8], value: Option<Vec<u8>>) -> Vec<u8> {
    match value {
        Some(value) => [option, b"=", &value].concat(),
        None => option.to_vec(),
    }
}

fn differs_nowhere<T: Declared>() {
    let table = Table::of::<T>();
    let oracle = Oracle::new(table);
    let config = ProptestConfig::with_cases(LINES);
    proptest!(config, |(words in vec(word(table), 0..7))| {
        let argv: Vec<&CStr> = std::iter::once(c"applet")
            .chain(words.iter().map(CString::as_c_str))
            .collect();
        prop_assert_eq!(ours(table, &argv), oracle.read(&argv));
    });
}

/// Command lines with a NUL between words.
#[test]
fn fuzzed_lines_are_read_as_glibc_reads_them() {
    fn reads<T: Declared>(argv: &[&CStr]) {
        let table = Table::of::<T>();
        assert_eq!(ours(table, argv), Oracle::new(table).read(argv));
    }
    crate::fuzz::fuzz("command_line", |text| {
        let words: Vec<CString> = text
            .split(|byte| *byte == 0)
            .map(|word| CString::new(word).expect("no NUL"))
            .collect();
        let argv: Vec<&CStr> = std::iter::once(c"applet")
            .chain(words.iter().map(CString::as_c_str))
            .collect();
        reads::<unshare::Options>(&argv);
        reads::<nsenter::Options>(&argv);
        reads::<setns::Options>(&argv);
    });
}

#[test]
fn unshare_is_read_as_glibc_reads_it() {
    differs_nowhere::<unshare::Options>();
}

#[test]
fn nsenter_is_read_as_glibc_reads_it() {
    differs_nowhere::<nsenter::Options>();
}

#[test]
fn setns_is_read_as_glibc_reads_it() {
    differs_nowhere::<setns::Options>();
}
