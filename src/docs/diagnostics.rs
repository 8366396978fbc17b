//! The causes as nskit-explain(7) lists them, made from the rows of the steps, in man(7).

use crate::failure::cause::Rule;
use crate::model::{AppletName, worded};
use crate::steps;
use crate::sys::Error;

/// What the CAUSES section lists: a subsection a line that is printed, an entry a cause.
pub(crate) fn causes() -> String {
    let mut text = String::new();
    let mut title = "";
    for rows in steps::ROWS {
        if rows.classic != title {
            title = rows.classic;
            text.push_str(&format!(".SS \"{}\"\n", escaped(title)));
            if rows.applets.len() < 3 {
                text.push_str(&format!("Of {}.\n", rows.applets.join(" and ")));
            }
        }
        for rule in rows.rules {
            text.push_str(&format!(".TP\n.B {}\n", tag(rule)));
            text.push_str(&format!("{}\n", prose(rule.about)));
            text.push_str(&advice(rule, rows.applets));
        }
    }
    text
}

/// What to do: once, or for each applet whose options are others.
fn advice(rule: &Rule, applets: &[&str]) -> String {
    let mut said: Vec<(Vec<&str>, String)> = Vec::new();
    for &applet in applets {
        let name = AppletName::of(applet.as_bytes()).expect("an applet");
        let text = prose(&worded(rule.advice, name));
        match said.iter_mut().find(|(_, other)| *other == text) {
            Some((names, _)) => names.push(applet),
            None => said.push((vec![applet], text)),
        }
    }
    if let [(_, text)] = &said[..] {
        return format!("{text}\n");
    }
    let lines = said
        .iter()
        .map(|(names, text)| format!(".br\n\\fI{}\\fR: {text}\n", names.join(", ")));
    lines.collect()
}

/// The errors of an entry.
fn tag(rule: &Rule) -> String {
    let names: Vec<&str> = rule
        .errors
        .iter()
        .map(|&number| Error::from_raw(number).name())
        .collect();
    if names.is_empty() {
        "exit status".to_owned()
    } else {
        names.join(", ")
    }
}

/// A sentence, its options and references to pages in bold, as it can be copied to a shell.
fn prose(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        let core = word
            .trim_start_matches('(')
            .trim_end_matches([')', ',', ';', ':', '.']);
        let (front, behind) = word.split_once(core).unwrap_or((word, ""));
        if core.len() > 1 && core.starts_with('-') {
            format!("{front}\\fB{}\\fR{}", escaped(core), escaped(behind))
        } else if let Some((page, section)) = core.split_once('(')
            && section.starts_with(|digit: char| digit.is_ascii_digit())
        {
            format!("{front}\\fB{}\\fR({section}{behind}", escaped(page))
        } else {
            escaped(word)
        }
    });
    let line = words.collect::<Vec<_>>().join(" ");
    // A line that begins with these would be a request.
    if line.starts_with(['.', '\'']) {
        format!("\\&{line}")
    } else {
        line
    }
}

/// Text whose characters stay what they are.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('"', "\\(dq")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sentences() {
        for rule in steps::ROWS.iter().flat_map(|rows| rows.rules) {
            for text in [rule.about, rule.advice] {
                assert!(
                    !text.contains("  ") && !text.contains('\n'),
                    "{}: {text}",
                    rule.id
                );
                assert!(!text.is_empty(), "{}", rule.id);
            }
            assert!(rule.about.ends_with('.'), "{}", rule.id);
        }
    }

    #[test]
    fn prose_is_escaped() {
        assert_eq!(
            prose("Add --fork, see unshare(2) (or -p)."),
            "Add \\fB\\-\\-fork\\fR, see \\fBunshare\\fR(2) (or \\fB\\-p\\fR)."
        );
        assert_eq!(prose(".x \"a\" no-new"), "\\&.x \\(dqa\\(dq no\\-new");
    }
}
