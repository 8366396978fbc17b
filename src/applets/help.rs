//! `--help` on a terminal: no wider than that, and with headings that stand out.
//!
//! The text is a constant, laid out for [`WIDTH`] columns; whatever fits stays as it is.

/// No line of the constant is longer, in characters.
pub(crate) const WIDTH: usize = 80;
/// A terminal with fewer columns gets lines for so many.
const NARROWEST: usize = 60;
/// A line that begins so far to the right goes on with what is described above it.
const DEEP: usize = 30;

/// How headings are shown (ECMA-48, SGR): bold.
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[m";

/// The text for a terminal with so many columns, if they are known.
#[cold]
pub(crate) fn fitted(text: &str, columns: Option<usize>, bold: bool) -> String {
    let width = columns.unwrap_or(WIDTH).max(NARROWEST);
    let mut fitted = String::new();
    let lines: Vec<&str> = text.lines().collect();
    let mut rest = &lines[..];
    while let [first, behind @ ..] = rest {
        let count = behind.iter().take_while(|next| goes_on(first, next));
        let (more, behind) = behind.split_at_checked(count.count()).unwrap_or_default();
        rest = behind;
        if first.len() > width || more.iter().any(|line| line.len() > width) {
            refill(first, more, width, &mut fitted);
            continue;
        }
        let (title, plain) = match bold {
            true => first.split_at_checked(heading(first)).unwrap_or_default(),
            false => ("", *first),
        };
        if !title.is_empty() {
            fitted.extend([BOLD, title, PLAIN]);
        }
        fitted.extend([plain, "\n"]);
        for line in more {
            fitted.extend([line, "\n"]);
        }
    }
    fitted
}

/// How much of a line is a heading: all of `Namespaces:`, the first word of `Usage: …`.
fn heading(line: &str) -> usize {
    match line.strip_suffix(':') {
        Some(title) if !title.starts_with(' ') => line.len(),
        _ if line.starts_with("Usage:") => "Usage:".len(),
        _ => 0,
    }
}

/// Whether a line goes on with what another began: a description, or a paragraph.
fn goes_on(first: &str, next: &str) -> bool {
    let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ') && heading(line) == 0;
    indent(next) >= DEEP || is_prose(first) && is_prose(next)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_ascii_start().len()
}

/// Adds lines that belong together, broken anew; what is described stays in front, the description under itself.
fn refill(first: &str, more: &[&str], width: usize, text: &mut String) {
    // A description stands behind two blanks, or begins on the next line.
    let mut pairs = first.trim_ascii_start().as_bytes().windows(2);
    let below = more.first().map(|next| indent(next));
    let end = match pairs.position(|pair| pair == b"  ") {
        Some(gap) => indent(first) + gap,
        None if below.is_some_and(|indent| indent >= DEEP) => first.len(),
        None => 0,
    };
    let (term, description) = first.split_at_checked(end).unwrap_or_default();
    let column = below.unwrap_or(end + indent(description));

    let mut line = term.to_owned();
    let mut is_begun = false;
    let words = [description].into_iter().chain(more.iter().copied());
    for word in words.flat_map(str::split_ascii_whitespace) {
        let is_full = if is_begun {
            line.len() + 1 + word.len() > width
        } else {
            line.len() + 2 > column.max(2)
        };
        if is_full {
            text.extend([line.as_str(), "\n"]);
            line.clear();
        }
        if is_begun && !is_full {
            line.push(' ');
        } else {
            let gap = column.saturating_sub(line.len());
            line.extend(std::iter::repeat_n(' ', gap));
        }
        line.push_str(word);
        is_begun = true;
    }
    text.extend([line.as_str(), "\n"]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applets::{nsenter, setns, unshare};
    use crate::cli::Declared;
    use proptest::prelude::*;

    const HELPS: [&str; 3] = [
        unshare::Options::HELP,
        nsenter::Options::HELP,
        setns::Options::HELP,
    ];

    fn words(text: &str) -> Vec<&str> {
        text.split_ascii_whitespace().collect()
    }

    #[test]
    fn what_fits_stays() {
        for help in HELPS {
            for columns in [None, Some(WIDTH), Some(200)] {
                assert_eq!(fitted(help, columns, false), help);
            }
        }
    }

    #[test]
    fn a_description_stands_under_itself() {
        let lines = fitted(unshare::Options::HELP, Some(60), false);
        for expected in [
            "\n  -n, --net[=<file>]          new network namespace\n",
            "\n  -m, --mount[=<file>]        new mount namespace; made\n                              persistent on <file>\n",
            "\n      --map-users <range>|auto|subids|all\n                              \
             map a range of users,\n                              inner:outer:count (implies -U)\n",
            "\n(+) not in util-linux. For more see unshare(1).\n",
        ] {
            assert!(lines.contains(expected), "{expected}\nis not in\n{lines}");
        }
        let setns = fitted(setns::Options::HELP, Some(60), false);
        assert!(setns.starts_with("Usage: setns [options] ref"), "{setns}");
    }

    #[test]
    fn headings_are_bold() {
        let text = fitted(unshare::Options::HELP, None, true);
        assert!(text.starts_with("\x1b[1mUsage:\x1b[m unshare [options]"));
        assert!(text.contains("\n\x1b[1mUsers and groups:\x1b[m\n"));
        let plain = text.replace(BOLD, "").replace(PLAIN, "");
        assert_eq!(plain, unshare::Options::HELP);
        assert_eq!(fitted("unshare 1.0\n", None, true), "unshare 1.0\n");
    }

    /// What the helps have nowhere, and may have one day.
    #[test]
    fn what_does_not_belong_together_stays_apart() {
        let long = "A sentence is prose, and longer than sixty columns are wide, so it is broken.";
        let option =
            "  -x, --long     a description, longer too, that does not stand very far right";
        for (text, expected) in [
            // An empty line, an option and a heading end what stands in front of them.
            (format!("{long}\n\n  -y\n"), "\n\n  -y\n"),
            (format!("{long}\n  -y\n"), "\n  -y\n"),
            (format!("{long}\nOther:\n"), "\nOther:\n"),
            (format!("{option}\nProse.\n"), "\nProse.\n"),
            (format!("{option}\n\nProse.\n"), "\n\nProse.\n"),
            (format!("Other:\n{long}\n"), "Other:\nA sentence "),
            // Prose goes on.
            (format!("{long}\nAnd on.\n"), " is broken. And on.\n"),
        ] {
            let fitted = fitted(&text, Some(60), false);
            assert!(fitted.contains(expected), "{text}\nis\n{fitted}");
        }
        for plain in ["  names:\n", "A sentence.\n", "A usage: x\n", "\n"] {
            assert_eq!(fitted(plain, None, true), plain);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(columns in 0_usize..100) {
            for help in HELPS {
                let text = fitted(help, Some(columns), false);
                prop_assert_eq!(words(&text), words(help));
                for line in text.lines() {
                    prop_assert!(line.len() <= columns.max(NARROWEST), "{}", line);
                    prop_assert_eq!(line, line.trim_end());
                }
            }
        }
    }
}
