//! What a terminal shows of causes and hints: wrapped to its width, in colours.

use super::*;

/// What `line` shows on a terminal of so many columns, without the classic line.
#[track_caller]
fn shown(columns: usize, line: &str) -> Vec<String> {
    let mut terminal = Terminal::shell();
    terminal.types(&format!(
        "stty cols {columns}; export TERM=xterm; unset NO_COLOR"
    ));
    terminal.expect("ready> ");
    terminal.types(line);
    let said = terminal.expect("ready> ");
    let lines = said.split("\r\n").map(str::to_owned);
    // Behind the last line's end stands the beginning of the prompt.
    let mut lines: Vec<String> = lines
        .skip_while(|line| !line.starts_with("unshare: "))
        .collect();
    assert!(
        lines.pop().is_some_and(|prompt| prompt.starts_with('[')),
        "{said:?}"
    );
    lines.remove(0);
    lines
}

/// How the words before the colon are coloured.
const CAUSE: &str = "  \x1b[1;31mcause\x1b[m: ";
const HINT: &str = "  \x1b[1;32mhint\x1b[m: ";

#[test]
fn causes_fit_the_terminal() {
    needs!(command("bash"), explains());
    let path = format!("/no/such/{}", "directory-".repeat(8));
    let line = format!("unshare -w {path} true");
    let wide = shown(500, &line);
    let [cause, hint] = &wide[..] else {
        panic!("a cause and a hint: {wide:#?}");
    };
    assert_eq!(*cause, format!("{CAUSE}there is no /no"));
    assert!(hint.starts_with(HINT), "{wide:#?}");

    let line = "unshare no-such-program";
    let wide = shown(5000, line);
    // Its width, whatever standard output is.
    let narrow = shown(50, &format!("{line} >/dev/null"));
    assert!(narrow.len() > wide.len(), "{narrow:#?}");
    let words = |lines: &[String]| -> Vec<String> {
        let words = lines.iter().flat_map(|line| line.split_whitespace());
        words.map(str::to_owned).collect()
    };
    assert_eq!(words(&wide), words(&narrow));
    for line in &narrow {
        let plain = line
            .replace("\x1b[1;31m", "")
            .replace("\x1b[1;32m", "")
            .replace("\x1b[m", "");
        // The value of PATH is one word.
        assert!(
            plain.len() <= 50 || plain.trim_start().starts_with("(/"),
            "{narrow:#?}"
        );
        let is_first = line.starts_with(CAUSE) || line.starts_with(HINT);
        assert!(is_first || line.starts_with("         "), "{narrow:#?}");
    }
    // A width that is too small, or not known, is none.
    for columns in [0, 39] {
        assert_eq!(shown(columns, line), wide, "{columns}");
    }
}

#[test]
fn colours_can_be_refused() {
    needs!(command("bash"), explains());
    let plain = ["  cause: ", "  hint: "];
    let coloured = [CAUSE, HINT];
    for (words, expected) in [
        ("NO_COLOR=1", plain),
        ("NO_COLOR=", coloured),
        ("TERM=dumb", plain),
        ("TERM=", plain),
        ("NSKIT_EXPLAIN=1", coloured),
    ] {
        let lines = shown(5000, &format!("{words} unshare no-such-program"));
        let as_expected = |(line, start): (&String, &&str)| line.starts_with(start);
        assert!(
            lines.len() == 2 && lines.iter().zip(&expected).all(as_expected),
            "{words}: {lines:#?}"
        );
    }
    assert_eq!(
        shown(80, "NSKIT_EXPLAIN=0 unshare no-such-program"),
        [""; 0]
    );
}

#[test]
fn a_file_gets_neither() {
    needs!(command("bash"), explains());
    let place = Place::new();
    let file = place.at("said");
    // Standard output is the terminal still.
    let mut terminal = Terminal::shell();
    terminal.types("stty cols 45; export TERM=xterm; unset NO_COLOR");
    terminal.expect("ready> ");
    terminal.types(&format!("unshare --explain no-such-program 2>{file}"));
    terminal.expect("[127]ready> ");
    let said = std::fs::read_to_string(&file).expect("a file");
    assert!(!said.contains('\x1b'), "{said}");
    let starts: Vec<&str> = said
        .lines()
        .map(|line| line.split(':').next().unwrap_or(""))
        .collect();
    assert_eq!(starts, ["unshare", "  cause", "  hint"], "{said}");
}

#[test]
fn who_will_see_the_outer_processes_is_told() {
    needs!(command("bash"), root(), explains());
    let mut terminal = Terminal::shell();
    let mut says = |line: &str| {
        terminal.types(line);
        terminal.expect("ready> ")
    };
    let proc = "add --mount-proc: without it ps shows the outer processes";
    let pid = "add --pid --fork: without them ps shows the outer processes";
    for (line, advice) in [
        ("unshare -pf sh -c \"echo it ran\"", proc),
        ("unshare --init -m sh -c \"echo it ran\"", proc),
        ("unshare --mount-proc sh -c \"echo it ran\"", pid),
    ] {
        let said = says(line);
        assert!(
            said.starts_with(&format!("unshare: {advice}\r\nit ran\r\n")),
            "{line}: {said:?}"
        );
    }
    for line in [
        "unshare -pf --mount-proc sh -c \"echo it ran\"",
        "unshare -pf -R / sh -c \"echo it ran\"",
        "unshare -m sh -c \"echo it ran\"",
        // Nobody looks at processes in it.
        "unshare -pf echo it ran",
        "NSKIT_EXPLAIN=0 unshare -pf sh -c \"echo it ran\"",
        "unshare -pf sh -c \"echo it ran\" 2>&1 | cat",
    ] {
        let said = says(line);
        assert!(said.starts_with("it ran\r\n"), "{line}: {said:?}");
    }
}

/// What `line` shows on a terminal of so many columns.
#[track_caller]
fn all_shown(columns: usize, line: &str) -> String {
    let mut terminal = Terminal::shell();
    terminal.types(&format!(
        "stty cols {columns}; export TERM=xterm; unset NO_COLOR"
    ));
    terminal.expect("ready> ");
    terminal.types(line);
    terminal.expect("[0]ready> ").replace("\r\n", "\n")
}

#[test]
fn help_fits_the_terminal() {
    needs!(command("bash"), ours("theirs is as wide as it is"));
    for applet in ["unshare", "nsenter", "setns"] {
        let plain = all_shown(60, &format!("{applet} --help | cat"));
        for columns in [60, 72, 80, 200] {
            let shown = all_shown(columns, &format!("{applet} --help"));
            assert!(
                shown.starts_with(&format!("\x1b[1mUsage:\x1b[m {applet} ")),
                "{shown}"
            );
            let shown = shown.replace("\x1b[1m", "").replace("\x1b[m", "");
            let words = |text: &str| -> Vec<String> {
                text.split_whitespace().map(str::to_owned).collect()
            };
            assert_eq!(words(&shown), words(&plain));
            assert_eq!(shown == plain, columns >= 80, "{columns}");
            assert!(
                shown.lines().all(|line| line.len() <= columns.max(60)),
                "{shown}"
            );
        }
        let without = all_shown(80, &format!("NO_COLOR=1 {applet} --help"));
        assert_eq!(without, plain);
    }
}
