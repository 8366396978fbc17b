//! The table of options that a declaration makes: argh's rows, in getopt_long(3)'s terms.
//!
//! Nothing is built: a row is a view of argh's constant, so a table costs nothing at start-up.

use argh::{FlagInfo, FlagInfoKind, Optionality};

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

/// The options of one applet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table(&'static [FlagInfo<'static>]);

impl Table {
    /// The table that `T` declares.
    pub(crate) fn of<T: Declared>() -> Self {
        Self(T::get_args_info().flags)
    }

    /// All rows in declared order, then `--help`, which argh puts in front of what is declared.
    pub(crate) fn rows(self) -> impl Iterator<Item = Row> + Clone {
        let (implicit, declared) = self.0.split_at(1);
        declared.iter().chain(implicit).map(Row)
    }
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row(&'static FlagInfo<'static>);

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Row {
    /// The long name as it is typed: `--mount`.
    pub(crate) fn spelling(self) -> &'static str {
        self.0.long
    }

    /// The long name: `mount`.
    pub(crate) fn name(self) -> &'static str {
        &self.0.long[2..]
    }

    /// The short form's letter. argh gives `--help` none.
    pub(crate) fn letter(self) -> Option<char> {
        match self.0.long {
            "--help" => Some('h'),
            _ => self.0.short,
        }
    }

    /// What it does, in one line, without the mark of [`Row::is_ours`].
    pub(crate) fn description(self) -> &'static str {
        match self.0.long {
            "--help" => "show this help",
            _ => self
                .0
                .description
                .strip_suffix(OURS)
                .unwrap_or(self.0.description),
        }
    }

    /// Whether util-linux lacks it.
    pub(crate) fn is_ours(self) -> bool {
        self.0.description.ends_with(OURS)
    }

    /// Whether argh keeps every occurrence. Of another option only the last can be handed on.
    pub(crate) fn repeats(self) -> bool {
        self.0.optionality == Optionality::Repeating || self.arity() == Arity::None
    }

    /// Whether it takes a value.
    pub(crate) fn arity(self) -> Arity {
        match self.0.kind {
            FlagInfoKind::Switch => Arity::None,
            FlagInfoKind::Option { arg_name } if arg_name.starts_with("[=") => Arity::OptionalLong,
            FlagInfoKind::Option { arg_name } if arg_name.starts_with('[') => Arity::Optional,
            FlagInfoKind::Option { .. } => Arity::Required,
        }
    }

    /// The value's name, without what tells the arity: `file`, `allow|deny`; empty for a switch.
    pub(crate) fn value_name(self) -> &'static str {
        let FlagInfoKind::Option { arg_name } = self.0.kind else {
            return "";
        };
        match self.arity() {
            Arity::OptionalLong => &arg_name[2..arg_name.len() - 1],
            Arity::Optional => &arg_name[1..arg_name.len() - 1],
            Arity::Required | Arity::None => arg_name,
        }
    }
}

/// Ends the description of an option that util-linux does not have.
const OURS: &str = " (+)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applets::{nsenter, setns, unshare};
    use crate::cli::value_name::{Part, parts};

    fn tables() -> [Table; 3] {
        [
            Table::of::<unshare::Options>(),
            Table::of::<nsenter::Options>(),
            Table::of::<setns::Options>(),
        ]
    }

    /// argh's rows say whether a field is an `Option`, a `Vec` or a number; the value's name must fit.
    #[test]
    fn value_names_fit_the_fields() {
        for row in tables().into_iter().flat_map(Table::rows) {
            let optionality = &row.0.optionality;
            match row.arity() {
                Arity::None => {}
                Arity::Required => assert_ne!(*optionality, Optionality::Required, "{row:?}"),
                Arity::OptionalLong | Arity::Optional => {
                    assert_eq!(*optionality, Optionality::Repeating, "{row:?}");
                }
            }
        }
    }

    /// So that a misspelt placeholder is not taken for a word that is to be typed.
    #[test]
    fn value_names_have_no_unknown_words() {
        let typed = [
            "all",
            "allow",
            "auto",
            "deny",
            "follow",
            "group",
            "private",
            "shared",
            "slave",
            "subids",
            "unchanged",
        ];
        for row in tables().into_iter().flat_map(Table::rows) {
            for part in parts(row.value_name()) {
                if let Part::Literal(word) = part {
                    assert!(typed.contains(&word), "{}: {word}", row.spelling());
                }
            }
        }
    }

    #[test]
    fn names_and_letters_are_unique() {
        for table in tables() {
            let mut names: Vec<_> = table.rows().map(Row::name).collect();
            let mut letters: Vec<_> = table.rows().filter_map(Row::letter).collect();
            let all = (names.len(), letters.len());
            names.sort_unstable();
            names.dedup();
            letters.sort_unstable();
            letters.dedup();
            assert_eq!((names.len(), letters.len()), all);
            assert!(letters.iter().all(char::is_ascii_alphabetic));
        }
    }

    #[test]
    fn help_comes_last() {
        for table in tables() {
            let row = table.rows().last().expect("there are options");
            assert_eq!((row.name(), row.letter()), ("help", Some('h')));
            assert_eq!(row.description(), "show this help");
        }
    }
}
