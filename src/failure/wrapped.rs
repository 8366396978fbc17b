//! Causes and hints as a terminal shows them: wrapped to its width, the text under itself, and in colours.

use super::Cause;

/// Below this many columns nothing is wrapped: there would be a word a line.
const NARROWEST: usize = 40;

/// How `cause` and `hint` are shown (ECMA-48, SGR): bold, and red or green.
const CAUSE: &str = "\x1b[1;31m";
const HINT: &str = "\x1b[1;32m";
const PLAIN: &str = "\x1b[m";

/// The lines under the classic one. `width`: the columns of the terminal, if they are known.
pub(crate) fn wrapped(causes: &[Cause], width: Option<usize>, colours: bool) -> String {
    let width = width
        .filter(|&width| width >= NARROWEST)
        .unwrap_or(usize::MAX);
    let mut text = String::new();
    for Cause { cause, hint } in causes {
        paragraph("cause", CAUSE, cause, width, colours, &mut text);
        if !hint.is_empty() {
            paragraph("hint", HINT, hint, width, colours, &mut text);
        }
    }
    text
}

/// Adds a sentence behind its name. Words that are longer than a line stay whole, so that they can be copied.
fn paragraph(
    name: &str,
    colour: &str,
    sentence: &str,
    width: usize,
    colours: bool,
    text: &mut String,
) {
    let (before, behind) = if colours { (colour, PLAIN) } else { ("", "") };
    text.push_str(&format!("  {before}{name}{behind}:"));
    let indent = "  : ".len() + name.len();
    // The blank in front of the first word is the last of the indent.
    let mut column = indent - 1;
    for word in words(sentence) {
        let columns = columns(word);
        let is_first = column < indent;
        if !is_first && column.saturating_add(1 + columns) > width {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column = column.saturating_add(columns);
    }
    text.push('\n');
}

/// What hints tell their reader to type.
const COMMANDS: &str = "chmod fuser ip mkdir modprobe mount newgidmap newuidmap nsenter prlimit ps rm sed setcap setns \
                        sysctl touch ulimit unshare useradd usermod xargs";

/// Whether a word is a command that hints tell their reader to type.
pub(crate) fn is_command(word: &str) -> bool {
    COMMANDS.split(' ').any(|command| command == word)
}

/// The words of a sentence. What can be copied into a shell is one word: what is quoted for it, and a command up to the
/// sentence's next comma, semicolon or end, which a break would part into two.
fn words(sentence: &str) -> impl Iterator<Item = &str> {
    let mut rest = sentence;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = end_of_word(rest);
        if rest.get(..end).is_some_and(is_command) {
            while let Some(next) = rest.get(end + 1..)
                && !rest
                    .as_bytes()
                    .get(end - 1)
                    .is_some_and(|last| b",;".contains(last))
            {
                end += 1 + end_of_word(next);
            }
        }
        let (word, behind) = rest.split_at_checked(end)?;
        rest = behind.strip_prefix(' ').unwrap_or(behind);
        Some(word)
    })
}

/// Where the first word ends: at a blank outside of quotes, or at the end.
fn end_of_word(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && bytes[at] != b' ' {
        // In the middle of a word it is an apostrophe.
        let may_open = at == 0 || b"(=$".contains(&bytes[at - 1]);
        match closing(bytes.get(at + 1..).unwrap_or_default()) {
            Some(length) if bytes[at] == b'\'' && may_open => at += length + 2,
            _ => at += 1,
        }
    }
    at
}

/// How much stands in front of the quote that closes: one that the word ends behind, or the sentence goes on.
fn closing(quoted: &[u8]) -> Option<usize> {
    let closes = |at: usize| {
        let next = quoted.get(at + 1);
        quoted[at] == b'\'' && next.is_none_or(|next| b" ,;:.)/".contains(next))
    };
    (0..quoted.len()).find(|&at| closes(at))
}

/// How many columns a terminal takes for this (wcwidth(3), as far as names in use go).
fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(character: char) -> usize {
    match u32::from(character) {
        // Marks over the character before, joiners, variants.
        0x300..=0x36f
        | 0x1ab0..=0x1aff
        | 0x1dc0..=0x1dff
        | 0x200b..=0x200f
        | 0x20d0..=0x20ff
        | 0xfe00..=0xfe0f
        | 0xfe20..=0xfe2f => 0,
        // Hangul, CJK and their punctuation, full-width forms, pictures (Unicode, East Asian Width: W and F).
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xa960..=0xa97f
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::cause;
    use super::*;
    use proptest::prelude::*;

    fn one(cause: &str, hint: &str) -> Vec<Cause> {
        vec![Cause {
            cause: cause.to_owned(),
            hint: hint.to_owned(),
        }]
    }

    fn at(width: usize, cause: &str, hint: &str) -> String {
        wrapped(&one(cause, hint), Some(width), false)
    }

    #[test]
    fn text_stands_under_itself() {
        let forty = "there are words here that go on and on to the end of this sentence";
        assert_eq!(
            at(40, forty, "do as it says, and then say so, or do not"),
            "  cause: there are words here that go on\n         \
             and on to the end of this\n         \
             sentence\n  \
             hint: do as it says, and then say so,\n        \
             or do not\n"
        );
        // To the last column, and one more.
        assert_eq!(at(40, &forty[..31], "").lines().count(), 1);
        assert_eq!(
            at(40, &forty.replace("go on", "go on,")[..32], "")
                .lines()
                .count(),
            2
        );
    }

    #[test]
    fn what_can_be_copied_stays_whole() {
        let path = format!("/{}", "long/".repeat(20));
        let text = at(60, &format!("there is no {path} at all"), "");
        assert!(text.contains(&format!("\n         {path}\n")), "{text}");
        for quoted in [
            "'a b c d e f g h i j'",
            "$'a\\t b c d e f g h'",
            "'it'\\''s a b c d e'",
        ] {
            let hint = format!("let root run for a while: mkdir -p {quoted} && true");
            let text = at(50, "the target's PATH", &hint);
            assert!(text.contains(&format!(" {quoted}")), "{text}");
        }
        // An apostrophe is no quote.
        let text = at(
            40,
            "PATH is the caller's, and the users' own, and so on and on",
            "",
        );
        assert_eq!(text.lines().count(), 2, "{text}");
    }

    #[test]
    fn a_command_stays_whole() {
        for (hint, command) in [
            (
                "let root run usermod --add-subuids 100000-165535 ann, which adds the line",
                "usermod --add-subuids 100000-165535 ann,",
            ),
            (
                "make it, in a place of its own: mkdir -p /run/a/b && touch /run/a/b/c",
                "mkdir -p /run/a/b && touch /run/a/b/c",
            ),
            (
                "if that is what is meant, rm '/run/ns/a b' && touch '/run/ns/a b'",
                "rm '/run/ns/a b' && touch '/run/ns/a b'",
            ),
        ] {
            let text = at(45, "no", hint);
            assert!(text.contains(&format!("\n        {command}")), "{text}");
        }
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let wide = "\u{6f22}\u{5b57}".repeat(8);
        assert_eq!(columns(&wide), 32);
        assert_eq!(columns("e\u{301}\u{e9}"), 2);
        assert_eq!(at(43, &format!("x {wide}"), "").lines().count(), 1);
        assert_eq!(at(42, &format!("x {wide}"), "").lines().count(), 2);
    }

    #[test]
    fn only_the_names_are_coloured() {
        assert_eq!(
            wrapped(&one("no", "go"), None, true),
            "  \x1b[1;31mcause\x1b[m: no\n  \x1b[1;32mhint\x1b[m: go\n"
        );
        let long = "word ".repeat(40);
        let plain = at(60, &long, &long);
        let coloured = wrapped(&one(&long, &long), Some(60), true);
        let without = [CAUSE, HINT, PLAIN]
            .iter()
            .fold(coloured, |text, code| text.replace(code, ""));
        assert_eq!(without, plain);
    }

    proptest! {
        /// Wrapping changes blanks only, keeps to the width where words can be parted, and does nothing where that is
        /// unknown or too small.
        #[test]
        fn nothing_is_lost(cause in "[a-z][a-z' /$()]{0,200}", hint in "[a-z']{1,60}( [a-z,]{1,9}){0,40}", width in 0_usize..200) {
            let causes = one(cause.trim(), &hint);
            let plain = cause::lines(&causes);
            let shown = wrapped(&causes, Some(width), false);
            let squeezed = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(squeezed(&plain), squeezed(&shown));
            if width < NARROWEST {
                prop_assert_eq!(&plain, &shown);
            }
            prop_assert_eq!(&plain, &wrapped(&causes, None, false));
            for line in shown.lines().filter(|line| width >= NARROWEST && columns(line) > width) {
                let (_, text) = line.split_once(": ").unwrap_or(("", line.trim_start()));
                let words = words(text).count();
                prop_assert!(words == 1, "{}", line);
            }
        }
    }
}
