//! What is tried on every kernel.

mod apparmor;
mod diagnoses;
mod differs;
mod doctor;
mod nsenter;
mod selinux;
mod setns;
mod unshare;
mod without;

use std::collections::BTreeSet;
use std::process::Command;

use crate::case::Case;

/// All cases; a name stands for one.
pub(crate) fn all() -> Vec<Case> {
    let all: Vec<_> = [
        unshare::cases(),
        nsenter::cases(),
        setns::cases(),
        differs::cases(),
        apparmor::cases(),
        diagnoses::cases(),
        doctor::cases(),
    ]
    .into_iter()
    .flatten()
    .collect();
    once_each(all)
}

/// What is tried on a kernel that has neither user nor time namespaces.
pub(crate) fn without_user() -> Vec<Case> {
    once_each(without::user())
}

/// What is tried where SELinux refuses something.
pub(crate) fn selinux() -> Vec<Case> {
    once_each(selinux::cases())
}

/// What is tried on a kernel that has mount namespaces alone.
pub(crate) fn without_namespaces() -> Vec<Case> {
    once_each(without::namespaces())
}

fn once_each(all: Vec<Case>) -> Vec<Case> {
    let names: BTreeSet<_> = all.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), all.len(), "a name stands twice");
    all
}

/// Each option that an applet's help names is in a case whose name begins with the applet's.
pub(crate) fn every_option() -> Result<(), String> {
    let mut missing = Vec::new();
    for applet in ["unshare", "nsenter", "setns"] {
        let scripts: Vec<_> = all()
            .into_iter()
            .filter(|case| case.name.starts_with(applet))
            .map(|case| case.script)
            .collect();
        let help = Command::new(env!("CARGO_BIN_EXE_nskit"))
            .args([applet, "--help"])
            .output()
            .map_err(|error| error.to_string())?;
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        let options: BTreeSet<_> = help.lines().flat_map(options_of).collect();
        if options.len() < 20 {
            return Err(format!("{applet} --help names only {options:?}"));
        }
        for option in options {
            let used = |script: &String| {
                script
                    .split(|letter: char| letter.is_whitespace() || "='\"();|".contains(letter))
                    // A letter may have its value behind it.
                    .any(|word| word == option || option.len() == 2 && word.starts_with(&option))
            };
            if !scripts.iter().any(used) {
                missing.push(format!("{applet} {option}"));
            }
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("no case has {missing:?}"))
    }
}

/// The options that a line of `--help` declares: `  -m, --mount[=<file>]        text`.
fn options_of(line: &str) -> Vec<String> {
    let words = line.trim_start();
    if !words.starts_with('-') || line.len() - words.len() > 6 {
        return Vec::new();
    }
    words
        .split_ascii_whitespace()
        .take_while(|word| word.starts_with('-'))
        .map(|word| {
            let end = word
                .find(|letter| "=[,".contains(letter))
                .unwrap_or(word.len());
            word[..end].to_owned()
        })
        .collect()
}
