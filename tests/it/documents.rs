//! The examples of the README and the man pages, run as they stand there.
//!
//! An example is a block with lines that begin with a prompt: `$`, typed by a user named ann, or `#`, typed by root.
//! What follows up to the next prompt is what was printed. It is compared, but for the width of blanks, how a cause or
//! a hint is broken into lines, and inodes; `…` stands for what differs from run to run, a part of a line or whole lines.
//!
//! A comment before the block is the test's: `given:` has shell commands that make what the example takes for granted
//! (tests/it/documents/frame.sh), `not run:` the reason why it cannot run here, which is said aloud.

use std::io::Write;
use std::path::Path;

use crate::harness::*;

/// A block of a document.
#[derive(Default)]
struct Example {
    /// The line where it begins.
    line: usize,
    /// Shell commands for what it takes for granted.
    given: Vec<String>,
    /// Why it cannot run.
    not_run: Option<String>,
    commands: Vec<Typed>,
}

/// A command, and what it printed.
struct Typed {
    /// The line of the document.
    line: usize,
    is_root: bool,
    text: String,
    printed: Vec<String>,
}

/// What documents call a program that the tests have under another name.
const SUBSTITUTES: [(&str, &str); 1] = [("cargo run --release -- ", "nskit ")];

/// What begins and ends a block, and the comments before it.
struct Format {
    begin: &'static str,
    end: &'static str,
    comment: (&'static str, &'static str),
    plain: fn(&str) -> String,
}

/// Begins a block of Markdown with commands to be copied, without prompts.
const COMMANDS_ALONE: &str = "```sh";

const MARKDOWN: Format = Format {
    begin: "```console",
    end: "```",
    comment: ("<!-- ", " -->"),
    plain: str::to_owned,
};

const MAN: Format = Format {
    begin: ".EX",
    end: ".EE",
    comment: (".\\\" ", ""),
    plain: plain_of_man,
};

/// A line of a man page as it is shown.
fn plain_of_man(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((front, behind)) = rest.split_once('\\') {
        plain.push_str(front);
        let (shown, length) = match behind.get(..1) {
            Some("-") => ("-", 1),
            Some("e") => ("\\", 1),
            Some("&") => ("", 1),
            Some("f") => ("", 2),
            Some("[") if behind.starts_with("[u2026]") => ("…", 7),
            Some("(") => match &behind[1..3] {
                "dq" => ("\"", 3),
                "aq" => ("'", 3),
                "ga" => ("`", 3),
                "ti" => ("~", 3),
                "ha" => ("^", 3),
                other => panic!("\\({other} in an example: {line}"),
            },
            _ => panic!("an escape in an example that is not known: {line}"),
        };
        plain.push_str(shown);
        rest = &behind[length..];
    }
    plain + rest
}

/// The examples of a document, those without a command left out.
fn examples(text: &str, format: &Format) -> Vec<Example> {
    let mut found = Vec::new();
    let mut next = Example::default();
    let mut block: Option<Vec<(usize, String)>> = None;
    // Before each line of a block of commands alone, which print nothing.
    let mut prompt = "";
    for (line, number) in text.lines().zip(1..) {
        if let Some(lines) = &mut block {
            if line == format.end {
                next.commands = typed(lines);
                if next.commands.is_empty() {
                    next = Example::default();
                } else {
                    found.push(std::mem::take(&mut next));
                }
                block = None;
            } else {
                lines.push((number, (format.plain)(&format!("{prompt}{line}"))));
            }
        } else if line == format.begin || line == COMMANDS_ALONE {
            next.line = number;
            prompt = if line == COMMANDS_ALONE { "$ " } else { "" };
            block = Some(Vec::new());
        } else if let Some(comment) = line
            .strip_prefix(format.comment.0)
            .and_then(|line| line.strip_suffix(format.comment.1))
        {
            if let Some(given) = comment.strip_prefix("given: ") {
                next.given.push(given.to_owned());
            } else if let Some(reason) = comment.strip_prefix("not run: ") {
                next.not_run = Some(reason.to_owned());
            }
        }
    }
    assert!(block.is_none(), "a block does not end");
    let is_left = next.given.is_empty() && next.not_run.is_none();
    assert!(is_left, "a comment for an example that is not there");
    found
}

/// The commands of a block, with what they printed. A command goes on in the next line behind a backslash.
fn typed(lines: &[(usize, String)]) -> Vec<Typed> {
    let mut all: Vec<Typed> = Vec::new();
    let mut goes_on = false;
    for (number, line) in lines {
        let prompt = [("$ ", false), ("# ", true)]
            .into_iter()
            .find_map(|(prompt, is_root)| Some((line.strip_prefix(prompt)?, is_root)));
        let last = all.last_mut();
        match (last, prompt) {
            (Some(last), _) if goes_on => {
                last.text.push('\n');
                last.text.push_str(line);
            }
            (_, Some((text, is_root))) => all.push(Typed {
                line: *number,
                is_root,
                text: text.to_owned(),
                printed: Vec::new(),
            }),
            (Some(last), None) => last.printed.push(line.clone()),
            (None, None) => return Vec::new(),
        }
        goes_on = all.last().is_some_and(|last| last.text.ends_with('\\'));
    }
    all
}

/// Runs an example, and gives what each command printed.
fn ran(example: &Example) -> Result<Vec<String>, String> {
    let place = Place::new();
    place.file("given", example.given.join("\n"));
    place.file("frame.sh", include_str!("documents/frame.sh"));
    let mut script = String::new();
    for (index, command) in example.commands.iter().enumerate() {
        let out = place.file(&format!("out-{index}"), "");
        let all_write = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        std::fs::set_permissions(&out, all_write).expect("a mode can be set");
        let mut text = command.text.clone();
        for (from, to) in SUBSTITUTES {
            text = text.replace(from, to);
        }
        script.push_str(&format!("{{ {text}\n}} >>{out} 2>&1\n"));
        let next = example.commands.get(index + 1);
        if next.is_none_or(|next| next.is_root != command.is_root) {
            let user = if command.is_root { "root" } else { "ann" };
            place.file(&format!("{:03}-{user}", index + 1), &script);
            script.clear();
        }
    }
    let frame = Tool::fixture()
        .line("-mnuipf --propagation private --kill-child --mount-proc bash")
        .args([&place.at("frame.sh"), &place.at("")])
        .run();
    if !frame.succeeded() {
        return Err(format!("the frame: {frame}"));
    }
    let printed = (0..example.commands.len()).map(|index| {
        let bytes = std::fs::read(place.at(&format!("out-{index}"))).expect("it can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    });
    Ok(printed.collect())
}

/// Lines to compare: one blank for several, causes and hints in one line, inodes alike.
fn normal<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in lines {
        let words: Vec<String> = line.split_whitespace().map(without_inode).collect();
        let words = words.join(" ");
        let goes_on = line.starts_with("        ");
        match all.last_mut() {
            Some(last) if goes_on && (last.starts_with("cause:") || last.starts_with("hint:")) => {
                last.push(' ');
                last.push_str(&words);
            }
            _ => all.push(words),
        }
    }
    while all.last().is_some_and(String::is_empty) {
        all.pop();
    }
    all
}

/// The word with a fixed number for a number of ten digits, which inodes of namespaces have.
fn without_inode(word: &str) -> String {
    let mut all = String::new();
    let mut digits = String::new();
    for letter in word.chars().chain(['\0']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let is_inode = digits.len() == 10 && digits.starts_with("402");
        all.push_str(if is_inode { "4026530000" } else { &digits });
        digits.clear();
        if letter != '\0' {
            all.push(letter);
        }
    }
    all
}

/// Whether a text is what is shown, in which `…` stands for any text.
fn is_like(text: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().expect("a split has a first part");
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// Whether these lines are what is shown, in which a line `…` stands for any lines.
fn are_like(lines: &[String], shown: &[String]) -> bool {
    match (lines, shown) {
        ([], []) => true,
        (lines, [any, rest @ ..]) if any == "…" => {
            (0..=lines.len()).any(|skipped| are_like(&lines[skipped..], rest))
        }
        ([line, lines @ ..], [one, shown @ ..]) => is_like(line, one) && are_like(lines, shown),
        _ => false,
    }
}

/// What differs, or nothing.
fn difference(command: &Typed, printed: &str) -> Option<String> {
    let is = normal(printed.lines());
    let shown = normal(command.printed.iter().map(String::as_str));
    (!are_like(&is, &shown)).then(|| {
        format!(
            "line {}: {}\nis shown to print\n{}\nand prints\n{printed}",
            command.line,
            command.text,
            command.printed.join("\n")
        )
    })
}

/// The frame can be made, and numbers be given to its processes.
fn frames() -> Need {
    ours("documents are of nskit")?;
    root()?;
    for program in [
        "bash", "setpriv", "hostname", "ip", "mount", "unshare", "ps", "ss",
    ] {
        command(program)?;
    }
    unless(
        Path::new("/proc/sys/kernel/ns_last_pid").exists(),
        "CONFIG_CHECKPOINT_RESTORE, to choose PIDs",
    )
}

/// Runs the examples of a document, which are `count` at least.
#[track_caller]
fn holds(path: &str, format: &Format, count: usize) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(file).expect(path);
    let examples = examples(&text, format);
    let mut wrong = Vec::new();
    let mut run = 0;
    for example in &examples {
        if let Some(reason) = &example.not_run {
            // libtest captures what the print macros write, and not this.
            writeln!(std::io::stderr(), "N/A {path}:{}: {reason}", example.line)
                .expect("standard error takes a line");
            continue;
        }
        run += 1;
        match ran(example) {
            Err(why) => wrong.push(format!("{path}:{}: {why}", example.line)),
            Ok(printed) => {
                let differ = example.commands.iter().zip(&printed);
                wrong.extend(
                    differ
                        .filter_map(|(command, printed)| difference(command, printed))
                        .map(|difference| format!("{path}: {difference}")),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(run >= count, "{path} has only {run} examples that run");
}

#[test]
fn readme_shows_what_happens() {
    needs!(frames());
    holds("README.md", &MARKDOWN, 8);
}

/// On a terminal of 80 columns; comments for the tests are not shown.
#[test]
fn readme_fits_a_terminal() {
    let text = include_str!("../../README.md");
    let wide = text
        .lines()
        .filter(|line| line.chars().count() > 80 && !line.starts_with("<!-- "));
    assert_eq!(wide.collect::<Vec<_>>(), [""; 0]);
    let mut fences = text.lines().filter(|line| line.starts_with("```"));
    let is_read = |fence: &str| [MARKDOWN.begin, MARKDOWN.end, COMMANDS_ALONE].contains(&fence);
    assert!(fences.all(is_read), "a block that no test reads");
    let mut outside = text.split("```").step_by(2);
    let is_block = |part: &str| part.contains("\n    ");
    assert!(!outside.any(is_block), "a block without a fence");
}

#[test]
fn unshare_page_shows_what_happens() {
    needs!(frames());
    holds("man/unshare.1", &MAN, 8);
}

#[test]
fn nsenter_page_shows_what_happens() {
    needs!(frames());
    holds("man/nsenter.1", &MAN, 6);
}

#[test]
fn setns_page_shows_what_happens() {
    needs!(frames());
    holds("man/setns.1", &MAN, 6);
}

#[test]
fn nskit_page_shows_what_happens() {
    needs!(frames());
    holds("man/nskit.1", &MAN, 3);
}

/// What is compared is compared: else every example would hold.
#[test]
fn examples_are_read_and_compared() {
    let text = "```console\n$ echo a \\\n  b\na b\n# id -u; cat /proc/net/x\n0\n…\nend 4026531111\n```\n<!-- not run: why -->\n```console\n$ x\n```\n```console\ntext\n```\n";
    let all = examples(text, &MARKDOWN);
    assert_eq!(all.len(), 2);
    let [echo, id] = &all[0].commands[..] else {
        panic!("two commands");
    };
    assert_eq!(echo.text, "echo a \\\n  b");
    assert!(!echo.is_root && id.is_root && id.line == 5);
    assert!(difference(echo, "a  b\n").is_none());
    assert!(difference(echo, "a c\n").is_some());
    assert!(difference(echo, "a b\nc\n").is_some());
    assert!(difference(echo, "").is_some());
    assert!(difference(id, "0\nx\ny\nend 4026512345\n").is_none());
    assert!(difference(id, "0\nend 4026512345 c\n").is_some());
    assert!(difference(id, "1\nend 4026512345\n").is_some());
    assert_eq!(all[1].not_run.as_deref(), Some("why"));
    let cause = ["  cause: a b", "         c", "x"];
    assert_eq!(normal(cause.into_iter()), ["cause: a b c", "x"]);
    assert_eq!(plain_of_man("a \\-\\-b \\e \\fBc\\fR"), "a --b \\ c");
}

#[test]
fn explain_page_shows_what_happens() {
    needs!(frames());
    holds("man/nskit-explain.7", &MAN, 4);
}
