//! `--help`, as the declaration has it.

use std::ffi::{CStr, CString};
use std::fmt::Write;

use super::committed;
use super::declaration::{Declaration, DeclaredOption};
use super::value_name::{Part, parts};
use crate::applets::help::WIDTH;
use crate::applets::{nsenter, setns, unshare};
use crate::cli::table::Arity;
use crate::cli::{Declared, Reading, read};

/// Where what examples do begins.
const EXAMPLE_COLUMN: usize = 38;
/// Where descriptions begin, in characters from the left.
const COLUMN: usize = 30;

/// The text of `--help`.
fn text<T: Declared>() -> String {
    let info = T::get_args_info();
    let mut text = String::new();
    for (index, operands) in T::OPERANDS.iter().enumerate() {
        let label = if index == 0 { "Usage:" } else { "      " };
        // `--same` and `--show` among the operands are options, and the others go in front.
        _ = writeln!(text, "{label} {} [options] {operands}", T::NAME);
    }
    _ = writeln!(text, "\n{}", sentence(info.description));

    let mut sections = T::SECTIONS.iter().peekable();
    for row in Declaration::of::<T>().options() {
        if let Some((title, _)) = sections.next_if(|(_, first)| *first == row.name()) {
            _ = writeln!(text, "\n{title}:");
        }
        option(&mut text, row);
    }

    text.push_str("\nExamples:\n");
    for (command, meaning) in info.examples.iter().map(|example| example_parts(example)) {
        let start = text.len();
        _ = write!(text, "  {command}");
        pad(&mut text, start, EXAMPLE_COLUMN);
        fill(&mut text, EXAMPLE_COLUMN, meaning);
    }

    text.push('\n');
    for note in info.notes {
        fill(&mut text, 0, &sentence(note));
    }
    if Declaration::of::<T>()
        .options()
        .any(DeclaredOption::is_ours)
    {
        text.push_str("(+) not in util-linux. ");
    }
    _ = writeln!(text, "For more see {}(1).", T::NAME);
    text
}

/// An example's command line, and what it does: `command: meaning`.
fn example_parts(example: &'static str) -> (&'static str, &'static str) {
    example
        .split_once(": ")
        .expect("an example says what it does")
}

/// Blanks up to this column behind what begins at `start`, on the next line if there is no room.
fn pad(text: &mut String, start: usize, column: usize) {
    let used = text.len() - start;
    if used + 2 > column {
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', column));
    } else {
        text.extend(std::iter::repeat_n(' ', column - used));
    }
}

/// One option with its description, wrapped.
fn option(text: &mut String, row: DeclaredOption) {
    let start = text.len();
    text.push_str("  ");
    match row.letter() {
        Some(letter) => _ = write!(text, "-{letter}, "),
        None => text.push_str("    "),
    }
    text.push_str(row.spelling());
    text.push_str(match row.arity() {
        Arity::None => "",
        Arity::Required => " ",
        Arity::OptionalLong | Arity::Optional => "[=",
    });
    for part in parts(row.value_name()) {
        match part {
            Part::Placeholder(word) => _ = write!(text, "<{word}>"),
            Part::Literal(word) | Part::Between(word) => text.push_str(word),
        }
    }
    if matches!(row.arity(), Arity::OptionalLong | Arity::Optional) {
        text.push(']');
    }
    pad(text, start, COLUMN);
    let mark = if row.is_ours() { " (+)" } else { "" };
    fill(text, COLUMN, &[row.description(), mark].concat());
}

/// Adds `words` from column `from` on, wrapped at [`WIDTH`], later lines beginning at `from` too.
fn fill(text: &mut String, from: usize, words: &str) {
    let mut column = from;
    for word in words.split(' ') {
        if column > from && column + 1 + word.len() > WIDTH {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', from));
            column = from;
        }
        if column > from {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text.push('\n');
}

/// A description as a sentence: with a capital and a full stop.
pub(crate) fn sentence(description: &str) -> String {
    let mut letters = description.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

fn texts() -> [String; 3] {
    [
        text::<unshare::Options>(),
        text::<nsenter::Options>(),
        text::<setns::Options>(),
    ]
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    for line in texts().iter().flat_map(|text| text.lines()) {
        assert!(line.chars().count() <= WIDTH, "{line}");
        assert_eq!(line, line.trim_end());
    }
}

#[test]
fn every_section_begins_where_it_says() {
    fn check<T: Declared>() {
        let text = text::<T>();
        let mut lines = text.lines();
        for (title, first) in T::SECTIONS {
            let heading = format!("{title}:");
            assert!(lines.any(|line| line == heading), "{title} is missing");
            let below = lines.next().unwrap_or_default();
            assert!(below.contains(&format!("--{first}")), "{title}: {below}");
        }
    }
    check::<unshare::Options>();
    check::<nsenter::Options>();
    check::<setns::Options>();
}

#[test]
fn values_are_shown_as_they_are_typed() {
    let [unshare, nsenter, setns] = texts();
    for shown in [
        "  -m, --mount[=<file>]        new mount namespace; made persistent on <file>\n",
        "  -R, --root <dir>            root directory of the program\n",
        "      --setgroups allow|deny  whether",
        "      --groups <gid>|<name>,...\n                              supplementary groups of the program, inside (+)\n",
        "      --init[=group]          stay",
        "      --map-user <uid>|<name>\n                              map the effective user",
        "  -h, --help                  show this help\n\nExamples:\n  unshare -r id -u ",
        "\n\n(+) not in util-linux. For more see unshare(1).\n",
    ] {
        assert!(unshare.contains(shown), "{shown}\nis not in\n{unshare}");
    }
    assert!(nsenter.contains("  -t, --target <pid>[:<inode>]|<ref>\n"));
    assert!(setns.starts_with(
        "Usage: setns [options] ref[,ref...] [program [argument...]]\n       setns [options] --same"
    ));
    assert!(!setns.contains("(+)"), "setns as a whole is ours");
    assert!(setns.contains("\nNo program can move its parent shell: "));
}

#[test]
fn help_is_made() {
    fn check<T: Declared>() {
        committed(
            &format!("src/applets/generated/{}.help", T::NAME),
            &text::<T>(),
        );
    }
    check::<unshare::Options>();
    check::<nsenter::Options>();
    check::<setns::Options>();
}

/// Whoever copies an example must not be told that an option is unknown.
#[test]
fn examples_can_be_read() {
    fn check<T: Declared>() {
        let examples = T::get_args_info().examples;
        assert!((2..=3).contains(&examples.len()), "{}", T::NAME);
        for example in examples {
            let words: Vec<CString> = example_parts(example)
                .0
                .split(' ')
                .map(|word| CString::new(word).expect("no NUL"))
                .collect();
            let argv: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
            assert_eq!(argv[0].to_bytes(), T::NAME.as_bytes());
            assert!(
                matches!(read::<T>(&argv), Ok(Reading::Options(_))),
                "{example}"
            );
        }
    }
    check::<unshare::Options>();
    check::<nsenter::Options>();
    check::<setns::Options>();
}
