//! Completions for zsh: one `_arguments` call for each applet.

use std::fmt::Write;

use crate::cli::table::Arity;
use crate::docs::declaration::DeclaredOption;
use crate::docs::{Applet, Kind, MADE, Values, committed, installed, typed_in};

/// Quotes for zsh.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Puts a backslash before each of `special`, as `_arguments` reads it.
fn escaped(text: &str, special: &[char]) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if special.contains(&letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// The message and the action for an option's value.
fn value(row: DeclaredOption) -> String {
    let Values { kind, words, list } = Values::of(row);
    let action = match kind {
        Kind::Nothing => "",
        Kind::Files => "_files",
        Kind::Directories => "_directories",
        Kind::Users => "_users",
        Kind::Groups => "_groups",
        Kind::Signals => "_signals",
        Kind::Processes => "_nskit_process_refs",
        Kind::Variables => "_parameters -g \"*export*\"",
    };
    let action = match (action, &words[..], list) {
        ("", [], _) => " ".to_owned(),
        ("", words, true) => format!(" _values -s , value {}", words.join(" ")),
        ("", words, false) => format!("({})", words.join(" ")),
        (action, [], true) => format!("_sequence {action}"),
        (action, [], false) => action.to_owned(),
        // A leading blank keeps `_arguments` from adding arguments of its own.
        (action, words, _) => format!(
            " _alternative \"values\\:value\\:{action}\" \"words\\:word\\:({})\"",
            words.join(" ")
        ),
    };
    format!("{}:{action}", escaped(row.value_name(), &[':']))
}

/// The specifications of one option, quoted.
fn specs(row: DeclaredOption) -> Vec<String> {
    let long = row.spelling();
    let about = escaped(row.description(), &['[', ']']);
    let value = value(row);
    let letter = row.letter();
    // An option that may be repeated is offered again; another one is not, in neither form.
    let front = match letter {
        _ if row.repeats() && row.arity() != Arity::None => "*".to_owned(),
        Some(letter) => format!("(-{letter} {long})"),
        None => String::new(),
    };
    let short = letter.map(|letter| match row.arity() {
        Arity::None | Arity::OptionalLong => format!("{front}-{letter}[{about}]"),
        Arity::Required => format!("{front}-{letter}+[{about}]:{value}"),
        Arity::Optional => format!("{front}-{letter}-[{about}]::{value}"),
    });
    let long = match row.arity() {
        Arity::None => format!("{front}{long}[{about}]"),
        Arity::Required => format!("{front}{long}=[{about}]:{value}"),
        Arity::OptionalLong | Arity::Optional => format!("{front}{long}=-[{about}]::{value}"),
    };
    let both = short.into_iter().chain([long]);
    both.map(|spec| quoted(&spec)).collect()
}

/// What completes names of namespaces, machines, units and containers, and references to processes.
const NAMED: &str = include_str!("named.zsh");
/// What completes references to namespaces, for `setns`.
const REFS: &str = include_str!("refs.zsh");

fn file(applet: &Applet) -> String {
    let mut text = format!(
        "#compdef {}\n# zsh completion for {0}(1).\n{MADE}\n",
        applet.name
    );
    if applet.takes_refs || applet.takes_processes() {
        _ = writeln!(text, "{NAMED}");
    }
    if applet.takes_refs {
        _ = writeln!(text, "{REFS}");
    }
    text.push_str("_arguments -s -S -A '-*' \\\n");
    for spec in applet.declaration.options().flat_map(specs) {
        _ = writeln!(text, "    {spec} \\");
    }
    text.push_str(if applet.takes_refs {
        "    '(-)1: :_nskit_refs' \\\n    '*::: :_nskit_after_refs'\n"
    } else {
        "    '(-)1:program: _command_names -e' \\\n    '*:: :_normal'\n"
    });
    text
}

fn nskit_file() -> String {
    let mut commands = String::new();
    for applet in Applet::all() {
        let spec = format!("{}:{}", applet.name, applet.description);
        _ = writeln!(commands, "            {}", quoted(&spec));
    }
    format!(
        "#compdef nskit\n# zsh completion for nskit(1).\n{MADE}
if (( CURRENT == 2 )); then
    local -a applets=(
{commands}    )
    _describe -t applets applet applets
    local -a commands=('doctor:try what this machine lets you do')
    _describe -t commands command commands
    _arguments '--list[list the applets]' '--install[make a link for each applet]' \\
        '--help[show this help]' '--version[show the version]'
elif [[ $words[2] == --install ]]; then
    shift words
    (( CURRENT-- ))
    _arguments '-s[symbolic links]' '-f[replace files that exist]' '1:directory:_directories'
elif [[ $words[2] == doctor && $words[CURRENT-1] == (doctor|--json|--quiet) ]]; then
    local -a applets=(
{commands}    )
    _describe -t applets applet applets
    local -a options=('--json:for other programs' '--quiet:by the exit status only')
    _describe -o -t options option options
else
    shift words
    (( CURRENT-- ))
    while [[ $words[1] == (doctor|--json|--quiet) ]]; do
        shift words
        (( CURRENT-- ))
    done
    _normal
fi
"
    )
}

#[test]
fn zsh_completions_are_what_the_declarations_give() {
    for applet in Applet::all() {
        committed(&format!("completions/zsh/_{}", applet.name), &file(&applet));
    }
    committed("completions/zsh/_nskit", &nskit_file());
}

#[test]
fn zsh_completes_what_is_typed() {
    const TEST: &str = "zsh_completes_what_is_typed";
    if installed(TEST, "zsh") {
        let setup = "fpath=($PWD/completions/zsh $fpath); autoload -Uz compinit; compinit -u -D";
        typed_in(TEST, "zsh -f -i", setup);
    }
}
