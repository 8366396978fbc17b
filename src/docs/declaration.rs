//! What argh knows of the options that are declared, in getopt_long(3)'s terms; and the table of it that a start reads.

use argh::{FlagInfo, FlagInfoKind, Optionality};

use super::committed;
use crate::applets::{nsenter, setns, unshare};
use crate::cli::Declared;
use crate::cli::table::{self, Arity};
use crate::docs::value_name::{Part, parts};

/// The options of one applet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Declaration(&'static [FlagInfo<'static>]);

impl Declaration {
    /// What `T` declares.
    pub(crate) fn of<T: Declared>() -> Self {
        Self(T::get_args_info().flags)
    }

    /// All of them in declared order, then `--help`, which argh puts in front of what is declared.
    pub(crate) fn options(self) -> impl Iterator<Item = DeclaredOption> + Clone {
        let (implicit, declared) = self.0.split_at(1);
        declared.iter().chain(implicit).map(DeclaredOption)
    }
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeclaredOption(&'static FlagInfo<'static>);

impl DeclaredOption {
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

    /// What it does, in one line, without the mark of [`DeclaredOption::is_ours`].
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

fn declarations() -> [Declaration; 3] {
    [
        Declaration::of::<unshare::Options>(),
        Declaration::of::<nsenter::Options>(),
        Declaration::of::<setns::Options>(),
    ]
}

/// argh's rows say whether a field is an `Option`, a `Vec` or a number; the value's name must fit.
#[test]
fn value_names_fit_the_fields() {
    for row in declarations().into_iter().flat_map(Declaration::options) {
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
    for row in declarations().into_iter().flat_map(Declaration::options) {
        for part in parts(row.value_name()) {
            if let Part::Literal(word) = part {
                assert!(typed.contains(&word), "{}: {word}", row.spelling());
            }
        }
    }
}

#[test]
fn names_and_letters_are_unique() {
    for declaration in declarations() {
        let mut names: Vec<_> = declaration.options().map(DeclaredOption::name).collect();
        let mut letters: Vec<_> = declaration
            .options()
            .filter_map(DeclaredOption::letter)
            .collect();
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
    for declaration in declarations() {
        let row = declaration.options().last().expect("there are options");
        assert_eq!((row.name(), row.letter()), ("help", Some('h')));
        assert_eq!(row.description(), "show this help");
    }
}

#[test]
fn tables_are_made() {
    fn check<T: Declared>() {
        let mut lines = String::new();
        for option in Declaration::of::<T>().options() {
            lines += &table::line(
                option.letter(),
                option.arity(),
                option.repeats(),
                option.is_ours(),
                option.spelling(),
            );
        }
        committed(&format!("src/applets/generated/{}.table", T::NAME), &lines);
    }
    check::<unshare::Options>();
    check::<nsenter::Options>();
    check::<setns::Options>();
}
