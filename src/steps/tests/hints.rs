//! Whether hints can be followed: every option that one names is taken by whom it is said of, and every command is one
//! that may be named.

use std::collections::BTreeSet;

use super::recorded::recorded;
use crate::applets::{nsenter, setns, unshare};
use crate::cli::table::Table;
use crate::failure::cause::causes;
use crate::failure::wrapped::is_command;
use crate::model::{AppletName, worded};
use crate::steps::ROWS;

/// The commands that a hint may name, with their options that it may.
const COMMANDS: &[(&str, &[&str])] = &[
    ("chmod", &[]),
    ("fuser", &[]),
    ("ip", &[]),
    ("mkdir", &["-p"]),
    ("modprobe", &[]),
    ("mount", &["-t", "-o", "--bind", "--make-private"]),
    ("newgidmap", &[]),
    ("newuidmap", &[]),
    ("prlimit", &["--nproc"]),
    ("ps", &["-e"]),
    ("rm", &[]),
    ("sed", &["-i"]),
    ("setcap", &[]),
    ("sysctl", &[]),
    ("touch", &[]),
    ("ulimit", &["-u"]),
    ("useradd", &["--uid"]),
    ("usermod", &["--add-subuids", "--add-subgids"]),
    ("xargs", &[]),
];

/// Options of programs that run containers; who they are of is said beside them.
const OF_CONTAINERS: &[&str] = &["--cap-add", "--security-opt", "--pids-limit"];
const CONTAINERS: &[&str] = &["container", "podman", "docker"];

#[test]
fn no_command_is_broken_on_a_terminal() {
    let applets = ["unshare", "nsenter", "setns"];
    for name in COMMANDS.iter().map(|(name, _)| *name).chain(applets) {
        assert!(is_command(name), "{name}");
    }
}

/// What may stand before an option of an applet's own.
const BEFORE: &[&str] = &[
    "add", "and", "as", "leave", "new", "or", "put", "say", "to", "use", "with",
];

/// What is called in the manner of a page without being a command.
const CALLS: &[&str] = &["pivot_root(2)", "prctl(2)", "chroot(2)"];

fn takes(applet: AppletName, option: &str) -> bool {
    let table = match applet {
        AppletName::Unshare => Table::of::<unshare::Options>(),
        AppletName::Nsenter => Table::of::<nsenter::Options>(),
        AppletName::Setns => Table::of::<setns::Options>(),
    };
    match option.strip_prefix("--") {
        Some(name) => table.with_name(name.as_bytes()).is_some(),
        None => option[1..]
            .bytes()
            .all(|letter| table.with_letter(letter).is_some()),
    }
}

/// What is wrong with a hint of this applet.
fn wrong(applet: AppletName, hint: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for clause in hint.split(';') {
        let is_of_container = CONTAINERS.iter().any(|name| clause.contains(name));
        let mut command: Option<&str> = None;
        let mut before = "";
        for word in clause.split_whitespace() {
            let core = word.trim_matches(|c| "(),:.".contains(c));
            let name = core.split(['(', '=']).next().unwrap_or(core);
            let is_page = core.contains('(') && !core.starts_with('(');
            let known = COMMANDS.iter().find(|(known, _)| *known == name);
            let is_applet = AppletName::of(name.as_bytes());
            if known.is_some() || is_applet.is_some() {
                command = Some(name);
            } else if is_page && !CALLS.iter().any(|call| word.contains(call)) {
                wrong.push(format!("{word} is no command that may be named: {hint}"));
            }
            if matches!(core, "&&" | "or" | "then") {
                command = None;
            }
            let letter = core.trim_start_matches('-').chars().next();
            let is_option =
                core.starts_with('-') && letter.is_some_and(|letter| letter.is_ascii_alphabetic());
            if is_option {
                let is_taken = match command {
                    Some(command) => match AppletName::of(command.as_bytes()) {
                        Some(applet) => takes(applet, name),
                        None => COMMANDS
                            .iter()
                            .any(|(one, options)| *one == command && options.contains(&name)),
                    },
                    None if is_of_container && OF_CONTAINERS.contains(&name) => true,
                    None => {
                        let follows = BEFORE.contains(&before)
                            || before.ends_with(':')
                            || before.starts_with('-')
                            || word.starts_with('(');
                        follows && takes(applet, name)
                    }
                };
                if !is_taken {
                    wrong.push(format!("{} does not take {core}: {hint}", applet.as_str()));
                }
            }
            if word.ends_with([',', ':']) {
                command = None;
            }
            before = if word.ends_with(':') { word } else { core };
        }
    }
    wrong
}

#[test]
fn every_hint_names_what_its_reader_has() {
    let mut all = BTreeSet::new();
    for one in recorded() {
        for applet in one.applets() {
            for cause in causes(&*one.step, &one.case_of(applet)) {
                all.extend(wrong(applet, &cause.hint));
            }
        }
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn the_manual_names_what_its_reader_has() {
    let mut all = BTreeSet::new();
    for rows in ROWS {
        for applet in rows.applets {
            let applet = AppletName::of(applet.as_bytes()).expect(applet);
            for rule in rows.rules {
                let advice = worded(rule.advice, applet);
                assert!(!advice.contains(['{', '}']), "{}: {advice}", rule.id);
                all.extend(wrong(
                    applet,
                    &advice.to_lowercase().replace("-urp", "-Urp"),
                ));
            }
        }
    }
    assert!(all.is_empty(), "{all:#?}");
}

#[test]
fn what_cannot_be_followed_is_found() {
    let is_wrong = |applet, hint| !wrong(applet, hint).is_empty();
    assert!(is_wrong(AppletName::Setns, "add -U"));
    assert!(is_wrong(AppletName::Setns, "add --preserve-credentials"));
    assert!(is_wrong(
        AppletName::Unshare,
        "frobnicate --all, or run as root"
    ));
    assert!(is_wrong(AppletName::Unshare, "mkdir --parents /a"));
    assert!(is_wrong(AppletName::Unshare, "see frobnicate(8)"));
    assert!(is_wrong(AppletName::Unshare, "--cap-add SYS_ADMIN"));
    assert!(is_wrong(
        AppletName::Nsenter,
        "all of it inside unshare -a --nonsense"
    ));
    assert!(!is_wrong(
        AppletName::Nsenter,
        "add -U; or --cap-add X (podman)"
    ));
    assert!(!is_wrong(AppletName::Setns, "mkdir -p /a && touch /a/b"));
}
