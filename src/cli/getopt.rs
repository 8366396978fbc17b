//! argv, read as getopt_long(3) of glibc reads it with a short string that begins with `+`.
//!
//! The hard thing here: being glibc to the byte, where it is odd too. Its optional values, its
//! abbreviations and the text of its errors are all held against glibc itself in `oracle.rs`. Two
//! rules are ours: an option that util-linux lacks takes no abbreviation away from one that it has,
//! and one `=` in front of a short option's optional value is dropped (`-n=/run/netns/x`).

#[cfg(all(test, target_env = "gnu"))]
mod oracle;
#[cfg(test)]
mod tests;

use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStringExt;

use super::UsageError;
use super::table::{Arity, Row, Table};
use crate::model::nearest;

/// One option that was met, with its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Met<'a> {
    /// Which one.
    pub(super) row: Row,
    /// Its value: always there when one is required, never for a switch.
    pub(super) value: Option<&'a [u8]>,
}

/// Goes through argv, option by option.
pub(super) struct Reader<'a> {
    table: Table,
    argv: &'a [&'a CStr],
    /// The next word to look at.
    index: usize,
    /// What is left of a cluster of short options (`-Urpf`).
    cluster: &'a [u8],
    /// The long option met last: where there are hundreds, each is as a rule the same as the one before.
    last: Option<Row>,
}

impl<'a> Reader<'a> {
    /// Begins behind the program's name.
    pub(super) fn new(table: Table, argv: &'a [&'a CStr]) -> Self {
        Self {
            table,
            argv,
            index: argv.len().min(1),
            cluster: b"",
            last: None,
        }
    }

    /// The next option; `None` at the first operand, behind `--`, or at the end.
    pub(super) fn next_option(&mut self) -> Result<Option<Met<'a>>, OptionError<'a>> {
        if let [letter, rest @ ..] = self.cluster {
            return self.short(*letter, rest).map(Some);
        }
        match self.argv.get(self.index).map(|word| word.to_bytes()) {
            None | Some([] | b"-") => Ok(None),
            Some(b"--") => {
                self.index += 1;
                // What follows are operands, whatever it looks like.
                self.argv = &self.argv[..self.index];
                Ok(None)
            }
            Some([b'-', b'-', word @ ..]) => {
                self.index += 1;
                self.long(word).map(Some)
            }
            Some([b'-', letter, rest @ ..]) => {
                self.index += 1;
                self.short(*letter, rest).map(Some)
            }
            Some(_) => Ok(None),
        }
    }

    /// The index of the first operand, once [`Reader::next_option`] gave `None`.
    pub(super) fn first_operand(&self) -> usize {
        self.index
    }

    /// The word behind the option, as its value.
    fn next_word(&mut self) -> Option<&'a [u8]> {
        let word = self.argv.get(self.index)?;
        self.index += 1;
        Some(word.to_bytes())
    }

    /// A long option: `word` without its dashes.
    fn long(&mut self, word: &'a [u8]) -> Result<Met<'a>, OptionError<'a>> {
        let (name, attached) = match word.iter().position(|&byte| byte == b'=') {
            Some(at) => (&word[..at], Some(&word[at + 1..])),
            None => (word, None),
        };
        let row = match self.last {
            Some(row) if row.is(name) => row,
            _ => self.look_up(word, name)?,
        };
        self.last = Some(row);
        let value = match (row.arity(), attached) {
            (Arity::None, Some(_)) => return Err(OptionError::Unwanted(row)),
            (Arity::Required, None) => match self.next_word() {
                None => return Err(OptionError::MissingLong(row)),
                following => following,
            },
            (_, attached) => attached,
        };
        Ok(Met { row, value })
    }

    /// The option of which `name` is the name or an abbreviation; `word` is for the error.
    fn look_up(&self, word: &'a [u8], name: &[u8]) -> Result<Row, OptionError<'a>> {
        if let Some(exact) = self.table.with_name(name) {
            return Ok(exact);
        }
        let rows = self.table.rows();
        for ours in [false, true] {
            let fitting = rows
                .clone()
                .filter(|row| row.begins_with(name) && row.is_ours() == ours);
            let mut first = fitting.clone();
            match (first.next(), first.next()) {
                (None, _) => {}
                (Some(only), None) => return Ok(only),
                (Some(_), Some(_)) => {
                    let possibilities = fitting.collect();
                    return Err(OptionError::Ambiguous(word, possibilities));
                }
            }
        }
        Err(OptionError::Unrecognized(word, close_miss(rows, name)))
    }

    /// The option with this letter; `rest` is what follows in its word.
    fn short(&mut self, letter: u8, rest: &'a [u8]) -> Result<Met<'a>, OptionError<'a>> {
        let row = self.table.with_letter(letter);
        let row = row.ok_or(OptionError::Invalid(letter))?;
        self.cluster = b"";
        let value = match row.arity() {
            Arity::None | Arity::OptionalLong => {
                self.cluster = rest;
                None
            }
            Arity::Optional if rest.is_empty() => None,
            Arity::Optional => Some(rest.strip_prefix(b"=").unwrap_or(rest)),
            Arity::Required if rest.is_empty() => match self.next_word() {
                None => return Err(OptionError::MissingShort(letter)),
                following => following,
            },
            Arity::Required => Some(rest),
        };
        Ok(Met { row, value })
    }
}

/// What is wrong with a command line.
#[derive(Debug, PartialEq)]
pub(super) enum OptionError<'a> {
    /// No long option begins so; the word, and the option that was perhaps meant.
    Unrecognized(&'a [u8], Option<Row>),
    /// No short option has this letter.
    Invalid(u8),
    /// Several long options begin so; the word, and which.
    Ambiguous(&'a [u8], Vec<Row>),
    /// A long option without its value.
    MissingLong(Row),
    /// A short option without its value.
    MissingShort(u8),
    /// A value for an option that takes none.
    Unwanted(Row),
}

impl From<OptionError<'_>> for UsageError {
    /// glibc's sentence, byte for byte, and our suggestion behind it.
    fn from(error: OptionError<'_>) -> Self {
        let line = match error {
            OptionError::Unrecognized(word, meant) => {
                let mut line = [b"unrecognized option '--", word, b"'"].concat();
                if let Some(row) = meant {
                    line.extend(format!("; did you mean '{}'?", row.spelling()).into_bytes());
                }
                line
            }
            OptionError::Invalid(letter) => [b"invalid option -- '", &[letter][..], b"'"].concat(),
            OptionError::Ambiguous(word, possibilities) => {
                let mut line = [b"option '--", word, b"' is ambiguous; possibilities:"].concat();
                for row in possibilities {
                    line.extend(format!(" '{}'", row.spelling()).into_bytes());
                }
                line
            }
            OptionError::MissingLong(row) => {
                format!("option '{}' requires an argument", row.spelling()).into_bytes()
            }
            OptionError::MissingShort(letter) => {
                [b"option requires an argument -- '", &[letter][..], b"'"].concat()
            }
            OptionError::Unwanted(row) => {
                format!("option '{}' doesn't allow an argument", row.spelling()).into_bytes()
            }
        };
        Self(OsString::from_vec(line))
    }
}

/// What other programs call an option of ours.
fn meant_by(name: &[u8]) -> Option<&'static str> {
    Some(match name {
        b"uid" => "setuid",
        b"gid" => "setgid",
        b"netns" | b"net-ns" | b"network" => "net",
        b"userns" | b"user-ns" => "user",
        b"pidns" | b"pid-ns" => "pid",
        b"mntns" | b"mnt" | b"mount-ns" => "mount",
        b"ipcns" | b"ipc-ns" => "ipc",
        b"utsns" | b"uts-ns" => "uts",
        b"cgroupns" | b"cgroup-ns" => "cgroup",
        b"rootfs" | b"chroot" => "root",
        b"chdir" | b"cwd" | b"workdir" => "wd",
        _ => return None,
    })
}

/// The option whose name is nearest to `name`.
fn close_miss(rows: impl Iterator<Item = Row> + Clone, name: &[u8]) -> Option<Row> {
    let meant = meant_by(name).filter(|meant| rows.clone().any(|row| row.name() == *meant));
    let names = rows.clone().map(|row| row.name().as_bytes());
    let near = match meant {
        Some(meant) => meant.as_bytes(),
        None => nearest(name, names)?,
    };
    rows.into_iter().find(|row| row.name().as_bytes() == near)
}
