//! Completions for bash: the same functions in each file, and each applet's options as data.

use std::fmt::Write;

use crate::cli::table::Arity;
use crate::docs::declaration::DeclaredOption;
use crate::docs::{
    ATTACHED, Applet, Kind, MADE, UNDER_SUDO, Values, committed, installed, is_of_users, lines_of,
    there, typed_in,
};

/// What the files have in common; it reads a command line by the rules of getopt_long(3).
const ENGINE: &str = include_str!("engine.bash");
/// The completion of nskit's own commands.
const NSKIT: &str = include_str!("nskit.bash");

/// The long names of the rows that `take` holds for.
fn longs(applet: &Applet, take: impl Fn(&DeclaredOption) -> bool) -> String {
    let rows = applet.declaration.options().filter(take);
    rows.map(DeclaredOption::spelling)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The letters of the rows that `take` holds for.
fn letters(applet: &Applet, take: impl Fn(&DeclaredOption) -> bool) -> Vec<char> {
    let rows = applet.declaration.options().filter(take);
    rows.filter_map(DeclaredOption::letter).collect()
}

/// The functions of one applet.
fn functions(applet: &Applet) -> String {
    let has = |arity| move |row: &DeclaredOption| row.arity() == arity;
    let spaced: String = letters(applet, |_| true)
        .into_iter()
        .flat_map(|letter| [letter, ' '])
        .collect();
    let mut text = format!("\n_nskit_{}()\n{{\n", applet.name);
    for (variable, value) in [
        ("longs", longs(applet, |_| true)),
        // A value that may be left out follows the `=` only.
        (
            "attached",
            longs(applet, |row| {
                matches!(row.arity(), Arity::Optional | Arity::OptionalLong)
            })
            .split_whitespace()
            .map(|name| format!("{name}="))
            .collect::<Vec<_>>()
            .join(" "),
        ),
        ("letters", spaced.trim_end().to_owned()),
        ("valued", longs(applet, has(Arity::Required))),
        (
            "required",
            letters(applet, has(Arity::Required)).iter().collect(),
        ),
        (
            "optional",
            letters(applet, has(Arity::Optional)).iter().collect(),
        ),
        (
            "refs",
            if applet.takes_refs { "yes" } else { "" }.to_owned(),
        ),
        ("values", format!("_nskit_{}_values", applet.name)),
    ] {
        _ = writeln!(text, "    local {variable}='{value}'");
    }
    text.push_str(
        "    local words index\n    _nskit_words\n    _nskit_complete _nskit_options\n}\n",
    );

    // _nskit_APPLET_values OPTION PREFIX VALUE
    _ = write!(
        text,
        "\n_nskit_{}_values()\n{{\n    case $1 in\n",
        applet.name
    );
    for row in applet.declaration.options() {
        let Values { kind, words, list } = Values::of(row);
        if kind == Kind::Nothing && words.is_empty() {
            continue;
        }
        let kind = match kind {
            Kind::Nothing => "words",
            Kind::Files => "files",
            Kind::Directories => "directories",
            Kind::Users => "users",
            Kind::Groups => "groups",
            Kind::Signals => "signals",
            Kind::Processes => "processes",
            Kind::Variables => "variables",
        };
        let letter = match row.letter() {
            Some(letter) if row.arity() != Arity::OptionalLong => format!(" | -{letter}"),
            _ => String::new(),
        };
        let list = if list { "-list" } else { "" };
        let mut call = match kind {
            "processes" => "_nskit_process_ref \"$2\" \"$3\"".to_owned(),
            _ => format!("_nskit_offer \"$2\" \"$3\" {kind}{list}"),
        };
        for word in words {
            _ = write!(call, " {word}");
        }
        _ = writeln!(text, "        {}{letter}) {call} ;;", row.spelling());
    }
    text.push_str("    esac\n}\n");
    text
}

/// The file of one applet.
fn file(applet: &Applet) -> String {
    let name = applet.name;
    let functions = functions(applet);
    format!(
        "# bash completion for {name}(1).\n{MADE}\n{ENGINE}{functions}\ncomplete -F _nskit_{name} {name}\n"
    )
}

/// The file of `nskit`, which has the applets as its commands.
fn nskit_file() -> String {
    let mut text = format!("# bash completion for nskit(1).\n{MADE}\n{ENGINE}");
    for applet in &Applet::all() {
        text.push_str(&functions(applet));
    }
    text.push_str(NSKIT);
    let names = Applet::all().map(|applet| applet.name);
    _ = write!(
        text,
        r#"
_nskit()
{{
    local words index applets='{}'
    _nskit_words
    local first=1
    if [[ ${{words[1]}} == doctor ]]; then
        first=2
        while [[ ${{words[first]}} == --* ]]; do ((first++)); done
    fi
    if ((${{#words[@]}} > first + 1)) && [[ " $applets " == *" ${{words[first]}} "* ]]; then
        _nskit_first=$first "_nskit_${{words[first]}}"
    else
        _nskit_complete _nskit_own
    fi
}}

complete -F _nskit nskit
"#,
        names.join(" ")
    );
    text
}

#[test]
fn bash_completions_are_what_the_declarations_give() {
    for applet in Applet::all() {
        committed(&format!("completions/bash/{}", applet.name), &file(&applet));
    }
    committed("completions/bash/nskit", &nskit_file());
}

/// What bash would offer for `line`, in order. readline's part, taking the line apart, is done here.
fn offered(test: &str, line: &str) -> Option<Vec<String>> {
    let is_break = |letter: char| letter == '=' || letter == ':';
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        words.push(String::new());
        for letter in word.chars() {
            let last = words.last_mut().expect("one was pushed");
            let together = last.chars().next_back().map(is_break);
            if together.is_none_or(|breaks| breaks == is_break(letter)) {
                last.push(letter);
            } else {
                words.push(letter.to_string());
            }
        }
    }
    let script = r#"
        . "completions/bash/$2"
        COMP_LINE=$1
        shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        "_nskit_${1#nskit}" 2>/dev/null || _nskit
        ((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut arguments = vec!["--norc", "-c", script, "bash", line];
    arguments.extend(words.iter().map(String::as_str));
    lines_of(test, "bash", &arguments)
}

#[test]
fn bash_offers_options_and_values() {
    const TEST: &str = "bash_offers_options_and_values";
    if !installed(TEST, "bash") {
        return;
    }
    for (line, expected) in [
        (
            "unshare --mou",
            &[
                "--mount",
                "--mount-proc",
                "--mount-binfmt",
                "--mount=",
                "--mount-proc=",
                "--mount-binfmt=",
            ][..],
        ),
        (
            "unshare --propagation ",
            &["slave", "shared", "private", "unchanged"],
        ),
        ("unshare --propagation=s", &["slave", "shared"]),
        // An abbreviation takes its value as the full name does.
        ("unshare --propag s", &["slave", "shared"]),
        // The value of an optional one is attached, so the next word is not it.
        ("unshare --init g --mount-p", &[]),
        (
            "unshare --root --fork --mount-p",
            &["--mount-proc", "--mount-proc="],
        ),
        ("unshare --init=", &["group"]),
        ("unshare -Ur", &["-Ur"]),
        ("unshare --map-users=", &["auto", "subids", "all"]),
        ("unshare --kill-child=SIGTERM", &["SIGTERM"]),
        // bash's own traps, and what it calls numbers without a name.
        ("unshare --kill-child=EXI", &[]),
        ("unshare --kill-child=DEB", &[]),
        ("unshare --kill-child=SIGJ", &[]),
        ("unshare --kill-child=SIGK", &["SIGKILL"]),
        ("nsenter -nsrc/cl", &["-nsrc/cli/"]),
        ("nsenter --groups=foll", &["follow"]),
        ("nsenter -W=src/cl", &["src/cli"]),
        ("nsenter -t1 -aFw --no", &["--no-fork"]),
        ("setns net", &["net=", "netns:"]),
        ("setns uts=parent:ne", &["netns:"]),
        ("setns a,b,ut", &["a,b,uts="]),
        ("setns --tre", &["--tree"]),
        (
            "nskit ",
            &[
                "unshare",
                "nsenter",
                "setns",
                "doctor",
                "--list",
                "--install",
                "--help",
                "--version",
            ],
        ),
        ("nskit setns --same sel", &["self"]),
        ("nskit doctor --", &["--json", "--quiet"]),
        ("nskit doctor uns", &["unshare"]),
        (
            "nskit doctor unshare --mount-p",
            &["--mount-proc", "--mount-proc="],
        ),
        ("nskit doctor --json setns --same sel", &["self"]),
        ("nskit --install -", &["-s", "-f"]),
    ] {
        assert_eq!(
            offered(TEST, line).expect("bash is here"),
            expected,
            "{line}"
        );
    }
}

/// Where distributions have it.
const BASH_COMPLETION: &str = "/usr/share/bash-completion/bash_completion";

#[test]
fn bash_completes_what_is_typed() {
    const TEST: &str = "bash_completes_what_is_typed";
    if installed(TEST, "bash") && installed(TEST, "zsh") {
        let setup = "for f in completions/bash/*; do . $f; done";
        typed_in(TEST, "bash --norc -i", setup, ATTACHED);
        let setup = "complete -W frobnicate git; complete -o nospace -F _mine mount; \
            _mine() { COMPREPLY=(\"$1.$2.$3.$COMP_LINE.$COMP_POINT\"); }; \
            for f in completions/bash/*; do . $f; done";
        let own = [
            ("unshare -r git fro", "<unshare><-r><git><frobnicate>"),
            (
                "nskit setns net:1 mount a b",
                "<nskit><setns><net:1><mount><a><mount.b.a.mount><a><b.9>",
            ),
        ];
        typed_in(TEST, "bash --norc -i", setup, &own);
    }
}

#[test]
fn bash_completes_with_bash_completion() {
    const TEST: &str = "bash_completes_with_bash_completion";
    if installed(TEST, "bash") && installed(TEST, "zsh") && there(TEST, BASH_COMPLETION) {
        let setup = format!(". {BASH_COMPLETION}; for f in completions/bash/*; do . $f; done");
        typed_in(TEST, "bash --norc -i", &setup, ATTACHED);
        typed_in(TEST, "bash --norc -i", &setup, UNDER_SUDO);
    }
}

/// A process of the user's is offered, a thread of the kernel's is not.
#[test]
fn bash_offers_processes() {
    const TEST: &str = "bash_offers_processes";
    let Some(offers) = offered(TEST, "nsenter -t ") else {
        return;
    };
    is_of_users(&offers);
}
