//! The table of options that a start reads, in getopt_long(3)'s terms.
//!
//! It says again what argh's declaration says, since argh's own has a pointer to each text, which every start would have
//! to relocate. `make docs` writes it, and a test holds it against the declaration.

use super::Declared;

/// Whether an option takes a value, and in which of its forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arity {
    /// No value: a switch.
    None,
    /// A value, attached or in the next word.
    Required,
    /// An attached value or none, in the long form; the letter takes none.
    OptionalLong,
    /// An attached value or none, in both forms.
    Optional,
}

/// The options of one applet: a line for each, all of one length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table(&'static [Line]);

/// A letter, three signs, a blank, the long name with its dashes, blanks, the line's end.
type Line = [u8; LENGTH];

/// The columns.
const LETTER: usize = 0;
const ARITY: usize = 1;
const REPEATS: usize = 2;
const OURS: usize = 3;
const NAME: usize = 5;
const END: usize = 28;
const LENGTH: usize = END + 1;

impl Table {
    /// The table of `T`.
    pub(crate) fn of<T: Declared>() -> Self {
        Self(T::TABLE.as_chunks().0)
    }

    /// All rows in declared order, then `--help`.
    pub(crate) fn rows(self) -> impl Iterator<Item = Row> + Clone {
        self.0.iter().map(Row)
    }

    /// The option with this letter.
    pub(crate) fn with_letter(self, letter: u8) -> Option<Row> {
        self.rows().find(|row| row.letter() == Some(letter))
    }

    /// The option with this long name.
    pub(crate) fn with_name(self, name: &[u8]) -> Option<Row> {
        self.rows().find(|row| row.is(name))
    }
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row(&'static Line);

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Row {
    /// The long name as it is typed: `--mount`.
    pub(crate) fn spelling(self) -> &'static str {
        let mut parts = self.0[NAME..END].split(|&byte| byte == b' ');
        let name = parts.next().unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }

    /// The long name: `mount`.
    pub(crate) fn name(self) -> &'static str {
        self.spelling().trim_start_matches('-')
    }

    /// Whether its long name begins so.
    pub(crate) fn begins_with(self, start: &[u8]) -> bool {
        // A blank would be one behind the name. Nearly all differ in the first letter, which is seen without a call.
        start.first().is_none_or(|first| *first == self.0[NAME + 2])
            && self.0[NAME + 2..END].starts_with(start)
            && start.last() != Some(&b' ')
    }

    /// Whether this is its long name.
    pub(crate) fn is(self, name: &[u8]) -> bool {
        // Where many begin alike, the last letter differs.
        let Some((last, _)) = name.split_last() else {
            return false;
        };
        let end = NAME + 2 + name.len();
        self.0.get(end - 1) == Some(last)
            && self.0.get(end) == Some(&b' ')
            && self.begins_with(name)
    }

    /// The short form's letter.
    pub(crate) fn letter(self) -> Option<u8> {
        Some(self.0[LETTER]).filter(|letter| *letter != b'-')
    }

    /// Whether util-linux lacks it.
    pub(crate) fn is_ours(self) -> bool {
        self.0[OURS] == b'+'
    }

    /// Whether argh keeps every occurrence. Of another option only the last can be handed on.
    pub(crate) fn repeats(self) -> bool {
        self.0[REPEATS] == b'*'
    }

    /// Whether it takes a value.
    pub(crate) fn arity(self) -> Arity {
        match self.0[ARITY] {
            b'.' => Arity::None,
            b'=' => Arity::Required,
            b'~' => Arity::OptionalLong,
            _ => Arity::Optional,
        }
    }
}

/// The line of an option.
#[cfg(test)]
pub(crate) fn line(
    letter: Option<char>,
    arity: Arity,
    repeats: bool,
    is_ours: bool,
    spelling: &str,
) -> String {
    let arity = match arity {
        Arity::None => '.',
        Arity::Required => '=',
        Arity::OptionalLong => '~',
        Arity::Optional => '?',
    };
    let letter = letter.unwrap_or('-');
    let sign = |is, sign| if is { sign } else { '.' };
    let (repeats, ours) = (sign(repeats, '*'), sign(is_ours, '+'));
    let line = format!(
        "{letter}{arity}{repeats}{ours} {spelling:<width$} \n",
        width = END - NAME - 1
    );
    assert_eq!(
        line.len(),
        LENGTH,
        "{spelling}: a line has room for no longer name"
    );
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applets::unshare;

    #[test]
    fn a_row_is_found_by_its_letter_and_its_whole_name() {
        let table = Table::of::<unshare::Options>();
        let row = table.with_letter(b'm').expect("-m");
        assert_eq!((row.name(), row.spelling()), ("mount", "--mount"));
        assert_eq!(table.with_name(b"mount"), Some(row));
        assert!(row.begins_with(b"mo") && !row.is(b"mo"));
        assert!(!row.begins_with(b"mount ") && !row.is(b"mount "));
        assert_eq!(table.with_name(b""), None);
        assert_eq!(table.with_letter(b'-'), None);
        assert_eq!(table.with_name(&[b'm'; 100]), None);
    }
}
