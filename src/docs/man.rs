//! The section OPTIONS of each applet's man page, and CAUSES of nskit-explain(7), in man(7).
//!
//! Each option's heading and first line are made; what follows up to the next heading is written by
//! hand and kept. CAUSES is made, but for its introduction. The other sections are written by hand.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fmt::Write;

use crate::applets::{nsenter, setns, unshare};
use crate::cli::table::Arity;
use crate::cli::{Declared, Reading, read};
use crate::docs::declaration::DeclaredOption;
use crate::docs::diagnostics::causes;
use crate::docs::help::sentence;
use crate::docs::value_name::{Part, parts};
use crate::docs::{Applet, committed, lines_of, text_of};

/// In bold, with hyphens that can be copied to a shell.
fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", text.replace('-', "\\-"))
}

/// The option as its heading has it, with its value.
fn heading(row: DeclaredOption) -> String {
    let mut value = String::new();
    for part in parts(row.value_name()) {
        match part {
            Part::Placeholder(word) => _ = write!(value, "\\fI{word}\\fR"),
            Part::Literal(word) => _ = write!(value, "\\fB{word}\\fR"),
            Part::Between(between) => value.push_str(between),
        }
    }
    let (short, long) = match row.arity() {
        Arity::None => (String::new(), String::new()),
        Arity::Required => (String::new(), format!(" {value}")),
        Arity::OptionalLong => (String::new(), format!("[\\fB=\\fR{value}]")),
        Arity::Optional => (format!("[{value}]"), format!("[\\fB=\\fR{value}]")),
    };
    let long = format!("{}{long}", bold(row.spelling()));
    match row.letter() {
        Some(letter) => format!("{}{short}, {long}", bold(&format!("-{letter}"))),
        None => long,
    }
}

/// The long name that a heading is about.
fn name_in(heading: &str) -> String {
    let plain = heading.replace("\\fB", "").replace("\\-", "-");
    let (_, behind) = plain.split_once("--").unwrap_or_default();
    behind
        .chars()
        .take_while(|letter| letter.is_ascii_lowercase() || *letter == '-')
        .collect()
}

/// The description as the first line under the heading: options and functions in bold, what stands
/// for something in italics.
fn first_line(row: DeclaredOption) -> String {
    let sentence = sentence(row.description());
    let words = sentence.split(' ').map(|word| {
        let core = word
            .trim_start_matches('(')
            .trim_end_matches([')', ',', ';', ':', '.']);
        let (front, behind) = word.split_once(core).unwrap_or((word, ""));
        let marked = if core.len() > 1 && core.starts_with('-') {
            bold(core)
        } else if let Some(name) = core
            .strip_prefix('<')
            .and_then(|word| word.strip_suffix('>'))
        {
            format!("\\fI{name}\\fR")
        } else if let Some((function, section)) = core.split_once('(') {
            format!("{}({section}", bold(function))
        } else {
            core.to_owned()
        };
        format!("{front}{marked}{behind}")
    });
    let mark = if row.is_ours() { " (+)" } else { "" };
    words.collect::<Vec<_>>().join(" ") + mark
}

/// The page with its OPTIONS section made anew.
fn with_options(page: &str, applet: &Applet) -> String {
    let lines: Vec<_> = page.lines().collect();
    let options = lines.iter().position(|line| *line == ".SH OPTIONS");
    let options = options.expect("a page has a section OPTIONS") + 1;
    let length = lines[options..]
        .iter()
        .position(|line| line.starts_with(".SH "));
    let end = length.map_or(lines.len(), |length| options + length);
    let section = &lines[options..end];

    let begins = |line: &&&str| [".TP", ".SS"].iter().any(|macro_| line.starts_with(macro_));
    let introduction = section.iter().take_while(|line| !begins(line));
    let mut prose: HashMap<String, Vec<&str>> = HashMap::new();
    for (index, line) in section.iter().enumerate() {
        if *line == ".TP" {
            let heading = section.get(index + 1).expect(".TP has a heading");
            let below = section.iter().skip(index + 3);
            let own = below.take_while(|line| !begins(line)).copied().collect();
            prose.insert(name_in(heading), own);
        }
    }

    let mut made: Vec<String> = lines[..options]
        .iter()
        .map(|&line| line.to_owned())
        .collect();
    made.extend(introduction.map(|&line| line.to_owned()));
    let mut sections = applet.sections.iter().peekable();
    for row in applet.declaration.options() {
        if let Some((title, _)) = sections.next_if(|(_, first)| *first == row.name()) {
            made.push(format!(".SS {title}"));
        }
        made.extend([".TP".to_owned(), heading(row), first_line(row)]);
        let own = prose.remove(row.name()).unwrap_or_default();
        made.extend(own.into_iter().map(str::to_owned));
    }
    made.extend(lines[end..].iter().map(|&line| line.to_owned()));
    made.join("\n") + "\n"
}

/// The page with its CAUSES section made anew, but for what stands before the first subsection.
fn with_causes(page: &str) -> String {
    let (front, section) = page
        .split_once(".SH CAUSES\n")
        .expect("a page has a section CAUSES");
    let end = section.find("\n.SH ").map_or(section.len(), |at| at + 1);
    let (section, behind) = section.split_at(end);
    let introduction = section.find(".SS ").unwrap_or(section.len());
    let introduction = &section[..introduction];
    format!("{front}.SH CAUSES\n{introduction}{}{behind}", causes())
}

#[test]
fn man_pages_have_the_declared_options() {
    for applet in Applet::all() {
        let path = format!("man/{}.1", applet.name);
        committed(&path, &with_options(&text_of(&path), &applet));
    }
}

#[test]
fn the_known_causes_are_said() {
    let path = "man/nskit-explain.7";
    committed(path, &with_causes(&text_of(path)));
}

#[test]
fn the_introduction_to_the_causes_is_kept() {
    let page = ".TH X 7\n.SH CAUSES\nKept.\n.SS Old\nOld.\n.SH NEXT\nx\n";
    let made = with_causes(page);
    assert!(made.starts_with(".TH X 7\n.SH CAUSES\nKept.\n.SS \"setgroups failed"));
    assert!(made.ends_with("\n.SH NEXT\nx\n") && !made.contains("Old"));
    assert_eq!(with_causes(&made), made);
}

#[test]
fn what_is_written_by_hand_is_kept() {
    let [applet, ..] = Applet::all();
    let page = ".TH X 1\n.SH OPTIONS\nIntroduction.\n.SS Old\n.TP\n\\fB\\-\\-pivot\\-root\\fR\nOld.\nKept.\n.IP\nToo.\n.TP\n\\fB\\-\\-gone\\fR\nOld.\nGone.\n.SH EXAMPLES\n.TP\nx\n";
    let made = with_options(page, &applet);
    assert!(made.starts_with(".TH X 1\n.SH OPTIONS\nIntroduction.\n.SS Namespaces\n.TP\n\\fB\\-m\\fR, \\fB\\-\\-mount\\fR[\\fB=\\fR\\fIfile\\fR]\nNew mount namespace; made persistent on \\fIfile\\fR.\n.TP\n"));
    assert!(made.contains(
        "\n\\fB\\-\\-pivot\\-root\\fR\nChange the root with \\fBpivot_root\\fR(2), with \\fB\\-R\\fR and \\fB\\-m\\fR. (+)\nKept.\n.IP\nToo.\n.TP\n"
    ));
    assert!(!made.contains("Gone") && !made.contains("Old"));
    assert!(made.ends_with("\n.SH EXAMPLES\n.TP\nx\n"));
    assert_eq!(with_options(&made, &applet), made);
}

const PAGES: [&str; 5] = [
    "unshare.1",
    "nsenter.1",
    "setns.1",
    "nskit.1",
    "nskit-explain.7",
];

#[test]
fn man_pages_are_free_of_warnings() {
    const TEST: &str = "man_pages_are_free_of_warnings";
    for page in PAGES {
        let path = format!("man/{page}");
        let linters: [(&str, &[&str]); 2] = [
            ("mandoc", &["-Tlint", "-Wwarning"]),
            ("groff", &["-ww", "-man", "-Tutf8", "-z"]),
        ];
        for (program, arguments) in linters {
            let arguments: Vec<_> = arguments.iter().copied().chain([&path[..]]).collect();
            let complaints = lines_of(TEST, program, &arguments);
            assert_eq!(complaints.unwrap_or_default(), [""; 0], "{program}");
        }
    }
}

/// Lines have a ragged end, and words that are typed are never broken.
#[test]
fn man_pages_are_not_hyphenated() {
    for page in PAGES {
        let text = text_of(&format!("man/{page}"));
        let mut lines = text.lines();
        assert!(
            lines.next().is_some_and(|line| line.starts_with(".TH ")),
            "{page}"
        );
        assert_eq!(lines.next(), Some(".nh"), "{page}");
        assert_eq!(lines.next(), Some(".ad l"), "{page}");
        // groff shows a bare hyphen as one that no shell takes.
        let bare = text
            .lines()
            .filter(|line| !line.starts_with(".\\\""))
            .filter(|line| line.contains("--") || line.contains(" -"));
        assert_eq!(bare.collect::<Vec<_>>(), [""; 0], "{page}");
    }
}

/// The references of SEE ALSO are in order, and those to pages of ours exist.
#[test]
fn see_also_is_true() {
    for page in PAGES {
        let text = text_of(&format!("man/{page}"));
        let (_, section) = text.split_once(".SH \"SEE ALSO\"\n").expect(page);
        let mut places = Vec::new();
        for line in section.lines() {
            let line = line.strip_prefix(".BR ").expect(line);
            let (name, section) = line.split_once(" (").expect(line);
            let section = section.trim_end_matches([')', ',']);
            let name = name.replace("\\-", "-");
            let file = format!("{name}.{section}");
            assert_ne!(file, page, "a page that refers to itself");
            if name.starts_with("nskit") {
                assert!(PAGES.contains(&&file[..]), "{page} refers to {file}");
            }
            places.push((section.to_owned(), name));
        }
        let mut sorted = places.clone();
        sorted.sort();
        assert_eq!(places, sorted, "{page}");
    }
}

#[test]
fn man_pages_have_the_usual_sections_in_the_usual_order() {
    for page in PAGES.iter().filter(|page| page.ends_with(".1")) {
        let text = text_of(&format!("man/{page}"));
        let mut sections = text.lines().filter_map(|line| line.strip_prefix(".SH "));
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "\"EXIT STATUS\"",
            "ENVIRONMENT",
            "FILES",
            "EXAMPLES",
            "DIAGNOSTICS",
            "COMPATIBILITY",
            "CAVEATS",
            "SECURITY",
            "\"SEE ALSO\"",
        ] {
            assert!(
                sections.any(|other| other == section),
                "{page} lacks {section}, or has it elsewhere"
            );
        }
    }
}

/// Whoever copies an example must not be told that an option is unknown; also where it cannot be run by a test.
#[test]
fn examples_can_be_run() {
    fn check<T: Declared>() -> usize {
        let page = text_of(&format!("man/{}.1", T::NAME));
        let (_, examples) = page.split_once(".SH EXAMPLES").expect("there are examples");
        let commands: Vec<_> = examples
            .lines()
            .filter_map(|line| line.strip_prefix("$ ").or(line.strip_prefix("# ")))
            .filter_map(|line| line.strip_prefix(T::NAME))
            .map(|arguments| arguments.replace("\\-", "-"))
            .collect();
        for arguments in &commands {
            let words: Vec<_> = std::iter::once(T::NAME)
                .chain(arguments.split_whitespace())
                .map(|word| CString::new(word).expect("no NUL"))
                .collect();
            let argv: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
            let reading = read::<T>(&argv);
            assert!(
                matches!(reading, Ok(Reading::Options(_))),
                "{} {arguments}: {:?}",
                T::NAME,
                reading.err()
            );
        }
        commands.len()
    }
    assert!(check::<unshare::Options>() > 0);
    assert!(check::<nsenter::Options>() > 0);
    assert!(check::<setns::Options>() > 0);
}
