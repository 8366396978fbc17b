//! Completions for zsh: one `_arguments` call for each applet.

use std::fmt::Write;

use crate::cli::table::Arity;
use crate::docs::declaration::DeclaredOption;
use crate::docs::{
    ATTACHED, Applet, FUNCTIONS, Kind, MADE, UNDER_SUDO, Values, committed, installed, is_of_users,
    typed, typed_in,
};

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
        Kind::Signals => "_nskit_signals",
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

/// What completes names of namespaces, machines, units and containers, references to processes, and signals.
const NAMED: &str = include_str!("named.zsh");
/// What completes references to namespaces, for `setns`.
const REFS: &str = include_str!("refs.zsh");

fn file(applet: &Applet) -> String {
    let mut text = format!(
        "#compdef {}\n# zsh completion for {0}(1).\n{MADE}\n",
        applet.name
    );
    _ = writeln!(text, "{NAMED}");
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

const SETUP: &str = "fpath=($PWD/completions/zsh $fpath); autoload -Uz compinit; compinit -u -D";

#[test]
fn zsh_completes_what_is_typed() {
    const TEST: &str = "zsh_completes_what_is_typed";
    if installed(TEST, "zsh") {
        typed_in(TEST, "zsh -f -i", SETUP, ATTACHED);
        typed_in(TEST, "zsh -f -i", SETUP, UNDER_SUDO);
    }
}

/// zsh shows what it offers on the terminal; here it is written to a file.
#[test]
fn zsh_offers_processes_by_name() {
    const TEST: &str = "zsh_offers_processes_by_name";
    if !installed(TEST, "zsh") {
        return;
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    let setup = format!(
        "{FUNCTIONS}; {SETUP}; _describe() {{ [[ $4 == process ]] && print -rl -- ${{(P)5}} >{}; compadd 1 }}",
        file.path().display()
    );
    let lines = [("nsenter -t 1", "<nsenter><-t><1>")];
    typed(TEST, "zsh -f -i", &setup.replace('\n', " "), &lines);
    let offers = std::fs::read_to_string(file.path()).expect("read");
    let offers: Vec<_> = offers
        .lines()
        .filter_map(|line| line.split_once(':'))
        .collect();
    let own = std::process::id().to_string();
    let name = std::fs::read_to_string("/proc/self/comm").expect("a name");
    assert!(
        offers.contains(&(own.as_str(), name.trim())),
        "{own} {name} in {offers:?}"
    );
    let pids: Vec<_> = offers.iter().map(|(pid, _)| (*pid).to_owned()).collect();
    is_of_users(&pids);
}
