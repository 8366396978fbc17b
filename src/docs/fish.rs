//! Completions for fish.

use std::fmt::Write;

use crate::cli::table::Arity;
use crate::docs::declaration::DeclaredOption;
use crate::docs::{
    ATTACHED, Applet, FISH_FUNCTIONS, Kind, MADE, UNDER_SUDO, Values, committed, containers,
    installed, is_of_users, lines_of, typed,
};

/// Quotes for fish.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

/// How fish's `argparse` is told of an option.
fn argparse(row: DeclaredOption) -> String {
    let name = row.name();
    match (row.letter(), row.arity()) {
        (Some(letter), Arity::None) => format!("{letter}/{name}"),
        (Some(letter), Arity::Required) => format!("{letter}/{name}="),
        (Some(letter), Arity::Optional) => format!("{letter}/{name}=?"),
        (Some(letter), Arity::OptionalLong) => format!("{letter} {name}=?"),
        (None, Arity::None) => name.to_owned(),
        (None, Arity::Required) => format!("{name}="),
        (None, Arity::OptionalLong | Arity::Optional) => format!("{name}=?"),
    }
}

/// What `complete` is told of an option's value; `valued`: the letters of all that take one.
fn value(row: DeclaredOption, valued: &str) -> String {
    let Values {
        kind,
        mut words,
        list,
    } = Values::of(row);
    let command = match kind {
        Kind::Nothing | Kind::Files => "",
        Kind::Directories => "__nskit_directories {valued}",
        Kind::Users => "__fish_complete_users",
        Kind::Groups => "__fish_complete_groups",
        Kind::Signals => "__nskit_signals",
        Kind::Processes => "__nskit_process_refs {valued}",
        Kind::Variables => "set --names --export",
    };
    let command = command.replace("{valued}", valued);
    let command = command.as_str();
    let mut offered = match (command, list) {
        ("", _) => String::new(),
        (command, false) => format!("({command})"),
        (command, true) => format!("(__nskit_list {command})"),
    };
    if command.is_empty() && list {
        let words = std::mem::take(&mut words);
        offered = format!("(__nskit_list printf \"%s\\n\" {})", words.join(" "));
    }
    for word in words {
        if !offered.is_empty() {
            offered.push(' ');
        }
        offered.push_str(word);
    }
    let required = row.arity() == Arity::Required;
    match (kind, required) {
        (Kind::Files, true) => format!(" -x -a '(__nskit_files {valued})'"),
        (Kind::Files, false) => " -a '(__nskit_files)'".to_owned(),
        (_, true) => format!(" -x -a {}", quoted(&offered)),
        (_, false) => format!(" -a {}", quoted(&offered)),
    }
}

/// Functions that several files use; each file has them, since fish loads one file for a command.
const COMMON: &str = include_str!("common.fish");
/// What completes references to namespaces, for `setns`.
const REFS: &str = include_str!("refs.fish");

fn file(applet: &Applet) -> String {
    let name = applet.name;
    let specs: Vec<_> = applet.declaration.options().map(argparse).collect();
    let mut text = format!(
        "# fish completion for {name}(1).\n{MADE}\n{COMMON}
# The operands before the word that is being typed; fails where options are read wrongly so far.
function __nskit_{name}_operands
    set -l words (commandline -opc)
    set -e words[1]
    argparse --stop-nonopt {} -- $words 2>/dev/null
    or return
    string join \\n -- $argv
end

# Whether an option can stand here.
function __nskit_{name}_in_options
    test (count (__nskit_{name}_operands)) -eq 0
end
",
        specs.join(" ").replace('?', "\\?")
    );
    let letters = |wanted: &[Kind]| -> String {
        let rows = applet.declaration.options().filter(|row| {
            matches!(row.arity(), Arity::Required | Arity::Optional)
                && (wanted.is_empty() || wanted.contains(&Values::of(*row).kind))
        });
        rows.filter_map(DeclaredOption::letter).collect()
    };
    let valued = letters(&[]);
    _ = writeln!(
        text,
        "\ncomplete -c {name} -n __nskit_{name}_in_options -x -a '(__nskit_attached {valued} \"{}\" \"{}\")'",
        letters(&[Kind::Files]),
        letters(&[Kind::Directories]),
    );
    if applet.takes_refs {
        text.push_str(REFS);
    } else {
        _ = write!(
            text,
            "
complete -c {name} -f
complete -c {name} -x -a '(__nskit_program (__nskit_{name}_operands))'
"
        );
    }
    for row in applet.declaration.options() {
        _ = write!(text, "complete -c {name} -n __nskit_{name}_in_options");
        let about = quoted(row.description());
        match (row.letter(), row.arity()) {
            (Some(letter), Arity::OptionalLong) => {
                // The letter takes no value, so it is an option of its own.
                _ = writeln!(text, " -s {letter} -d {about}");
                _ = write!(text, "complete -c {name} -n __nskit_{name}_in_options");
            }
            (Some(letter), _) => _ = write!(text, " -s {letter}"),
            (None, _) => {}
        }
        _ = write!(text, " -l {} -d {about}", row.name());
        if row.arity() != Arity::None {
            text.push_str(&value(row, &valued));
        }
        text.push('\n');
    }
    text
}

fn nskit_file() -> String {
    let mut text = format!(
        "# fish completion for nskit(1).\n{MADE}
function __nskit_applet
    set -l words (commandline -opc)
    contains -- $words[2] {0}
end

# After doctor, before an applet.
function __nskit_doctor
    set -l words (commandline -opc)
    test \"$words[2]\" = doctor; or return
    for word in $words[3..]
        contains -- $word {0}; and return 1
    end
    return 0
end

function __nskit_judged
    set -l words (commandline -opc)
    test \"$words[2]\" = doctor; and not __nskit_doctor
end

complete -c nskit -f
complete -c nskit -n __nskit_applet -a '(__fish_complete_subcommand)'
complete -c nskit -n __nskit_judged -a '(__fish_complete_subcommand --fcs-skip=2)'
",
        Applet::all().map(|applet| applet.name).join(" ")
    );
    for applet in Applet::all() {
        _ = writeln!(
            text,
            "complete -c nskit -n '__fish_is_first_token; or __nskit_doctor' -a {} -d {}",
            applet.name,
            quoted(applet.description)
        );
    }
    text.push_str(
        "\
complete -c nskit -n __fish_is_first_token -a doctor -d 'try what this machine lets you do'
complete -c nskit -n __nskit_doctor -l json -d 'for other programs'
complete -c nskit -n __nskit_doctor -l quiet -d 'by the exit status only'
complete -c nskit -n __fish_is_first_token -l list -d 'list the applets'
complete -c nskit -n __fish_is_first_token -l install -d 'make a link for each applet'
complete -c nskit -n __fish_is_first_token -l help -d 'show this help'
complete -c nskit -n __fish_is_first_token -l version -d 'show the version'
complete -c nskit -n '__fish_seen_argument -l install' -s s -d 'symbolic links'
complete -c nskit -n '__fish_seen_argument -l install' -s f -d 'replace files that exist'
complete -c nskit -n '__fish_seen_argument -l install' -a '(__fish_complete_directories)'
",
    );
    text
}

#[test]
fn fish_completions_are_what_the_declarations_give() {
    for applet in Applet::all() {
        committed(
            &format!("completions/fish/{}.fish", applet.name),
            &file(&applet),
        );
    }
    committed("completions/fish/nskit.fish", &nskit_file());
}

/// As a person has it: fish finds the files by itself, and has its own.
#[test]
fn fish_completes_what_is_typed() {
    const TEST: &str = "fish_completes_what_is_typed";
    if !installed(TEST, "fish") || !installed(TEST, "zsh") {
        return;
    }
    let home = tempfile::tempdir().expect("a directory");
    let setup = format!(
        "set fish_complete_path $PWD/completions/fish $fish_complete_path; {FISH_FUNCTIONS}"
    );
    // fish goes on from a value that may be left out by its = only, or in the same word.
    let lines: Vec<_> = ATTACHED.iter().chain(UNDER_SUDO).copied().collect();
    let shell = format!("env HOME={} TERM=dumb fish -i", home.path().display());
    typed(TEST, &shell, &setup.replace('\n', "; "), &lines);
}

#[test]
fn fish_offers_processes_by_name() {
    const TEST: &str = "fish_offers_processes_by_name";
    let script = "source completions/fish/nsenter.fish; complete -C 'nsenter -t '";
    let Some(offers) = lines_of(TEST, "fish", &["--no-config", "-c", script]) else {
        return;
    };
    let offers: Vec<_> = offers
        .iter()
        .filter_map(|offer| offer.split_once('\t'))
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

#[test]
fn fish_offers_options_and_values() {
    const TEST: &str = "fish_offers_options_and_values";
    if !installed(TEST, "fish") {
        return;
    }
    let containers = containers();
    let containers = containers.path().to_string_lossy();
    for (line, expected) in [
        ("unshare --mount-p", &["--mount-proc", "--mount-proc="][..]),
        ("unshare --mount=src/cl", &["--mount=src/cli/"]),
        ("unshare --root src/cl", &["src/cli/"]),
        ("unshare -rR src/cl", &["src/cli/"]),
        ("unshare -rRsrc/cl", &["-rRsrc/cli/"]),
        ("nsenter -nsrc/cl", &["-nsrc/cli/"]),
        ("unshare --kill-child=SIGKI", &["--kill-child=SIGKILL"]),
        ("unshare --propagation s", &["shared", "slave"]),
        ("unshare --init=", &["--init=group"]),
        (
            "unshare --forward-signals=INT,TER",
            &["--forward-signals=INT,TERM"],
        ),
        ("unshare -r mkfif", &["mkfifo"]),
        ("unshare -r -- mkfif", &["mkfifo"]),
        ("unshare mkfifo --fork", &[]),
        ("unshare mkfifo src/cl", &["src/cli/"]),
        ("nsenter -S foll", &["follow"]),
        ("setns net", &["net=", "netns:"]),
        ("setns self,user=owner:pidf", &["self,user=owner:pidfile:"]),
        (
            "setns self,uts=oci:completed-",
            &["self,uts=oci:completed-3f2a", "self,uts=oci:completed-77"],
        ),
        ("nsenter -t oci:completed-3", &["oci:completed-3f2a"]),
        ("nsenter --target=unit", &["--target=unit:"]),
        ("setns pidfile:src/cl", &["pidfile:src/cli/"]),
        ("setns self mkfif", &["mkfifo"]),
        ("setns --same self al", &["all"]),
        ("nskit nsen", &["nsenter"]),
        ("nskit nsenter --user-p", &["--user-parent"]),
        ("nskit doctor --j", &["--json"]),
        ("nskit doctor nsen", &["nsenter"]),
        ("nskit doctor nsenter --user-p", &["--user-parent"]),
        ("nskit --install src/cl", &["src/cli/"]),
    ] {
        let script = "set -gx XDG_RUNTIME_DIR $argv[2]
            for f in completions/fish/*.fish; source $f; end; complete -C $argv[1]";
        let arguments = ["--no-config", "-c", script, line, &containers];
        let offered = lines_of(TEST, "fish", &arguments);
        let offered = offered.expect("fish is here");
        let words: Vec<_> = offered
            .iter()
            .filter_map(|offer| offer.split('\t').next())
            .collect();
        assert_eq!(words, expected, "{line}");
    }
}
