//! `--show`: a row a namespace, and the limits.

use std::fmt::Write as _;

use super::grid::{grid, plain};
use super::seen::{Kin, Namespace, Seen};
use crate::model::Kind;

/// What stands for something that there is none of.
const NONE: &str = "-";
/// What stands for something that cannot be told.
const UNKNOWN: &str = "?";

/// The table. `command` gives the name of a process's program.
pub(super) fn table(
    seen: &Seen,
    chosen: &[&Namespace],
    command: &dyn Fn(i32) -> Option<String>,
) -> String {
    let heads = [
        "KIND", "INODE", "ID", "OWNER", "UID", "PARENT", "OURS", "PROCS", "KEPT BY",
    ];
    let mut lines = vec![heads.map(str::to_owned).to_vec()];
    lines.extend(chosen.iter().map(|namespace| {
        vec![
            namespace.kind.to_string(),
            namespace.inode.to_string(),
            namespace.id.map_or(NONE.into(), |id| id.to_string()),
            relation(namespace.owner),
            uid(namespace.owner_uid),
            relation(namespace.parent),
            if namespace.ours { "yes" } else { NONE }.into(),
            namespace.processes.len().to_string(),
            kept_by(seen, namespace, command),
        ]
    }));
    grid(
        &lines,
        &[false, true, true, true, true, true, false, true, false],
    )
}

/// A namespace that this one belongs to.
fn relation(relation: Kin) -> String {
    match relation {
        Kin::None => NONE.into(),
        Kin::Hidden => UNKNOWN.into(),
        Kin::Is(inode) => inode.to_string(),
    }
}

/// An owner's UID.
pub(super) fn uid(uid: Option<u32>) -> String {
    uid.map_or(UNKNOWN.into(), |uid| uid.to_string())
}

/// What keeps a namespace alive: its mounts, since they stay when processes end; else what else there is.
pub(super) fn kept_by(
    seen: &Seen,
    namespace: &Namespace,
    command: &dyn Fn(i32) -> Option<String>,
) -> String {
    let process = |pid: i32| match command(pid) {
        Some(command) => format!("{pid} {}", plain(&command)),
        None => pid.to_string(),
    };
    if let [first, more @ ..] = namespace.mounts.as_slice() {
        let path = plain(&first.path.to_string_lossy());
        let mut text = match first.pid {
            // The way to it from here.
            Some(pid) => format!("/proc/{pid}/root{path}"),
            None => path,
        };
        if !more.is_empty() {
            let _ = write!(text, " +{}", more.len());
        }
        return text;
    }
    if let Some(&pid) = namespace.processes.first() {
        return process(pid);
    }
    if let Some(thread) = namespace.threads.first() {
        return format!("thread {} of {}", thread.tid, process(thread.pid));
    }
    if let Some(&pid) = namespace.for_children.first() {
        return format!("for children of {}", process(pid));
    }
    if let Some(one) = namespace.descriptors.first() {
        return format!("fd {} of {}", one.number, process(one.pid));
    }
    if seen.is_needed(namespace.name()) {
        return "namespaces below".into();
    }
    UNKNOWN.into()
}

/// The limits, of the kinds that are shown.
pub(super) fn limits(seen: &Seen, limits: &[(Kind, u64)], chosen: &[&Namespace]) -> String {
    let mut lines = vec![
        vec!["LIMITS".to_owned()],
        vec!["each user".to_owned()],
        vec!["in use".to_owned()],
    ];
    for &(kind, most) in limits {
        if chosen.iter().any(|namespace| namespace.kind == kind) {
            lines[0].push(kind.to_string());
            lines[1].push(most.to_string());
            lines[2].push(seen.in_use(kind).to_string());
        }
    }
    if lines[0].len() == 1 {
        return String::new();
    }
    let right: Vec<bool> = (0..lines[0].len()).map(|column| column > 0).collect();
    format!("\n{}", grid(&lines, &right))
}

/// What to say where not everything could be looked at.
pub(super) fn missing(seen: &Seen) -> String {
    seen.unreadable()
        .map_or(String::new(), |why| format!("\n{why}: there may be more\n"))
}

#[cfg(test)]
mod tests {
    use super::super::seen::tests::sample;
    use super::super::seen::{Choice, chosen};
    use super::*;
    use crate::model::Kinds;

    #[test]
    fn a_row_a_namespace() {
        let seen = sample();
        let chosen = chosen(&seen, &[Choice::Kinds(Kinds::ALL)]);
        let text = table(&seen, &chosen, &|pid| {
            (pid < 8).then(|| format!("p\x1b{pid}"))
        });
        assert_eq!(
            text,
            "KIND      INODE ID      OWNER  UID     PARENT OURS PROCS KEPT BY\n\
             user          1  -          -    0          - yes      2 1 p\\u{1b}1\n\
             user 4026531841  -          1 1000          1 -        1 8\n\
             user 4026531844  - 4026531841 1000 4026531841 -        0 fd 3 of 7 p\\u{1b}7\n\
             net  4026531843  - 4026531841 1000          - -        0 /run/netns/a b +1\n\
             pid           2  6          1    0          - yes      2 1 p\\u{1b}1\n\
             pid  4026531842  - 4026531841 1000          2 -        1 8\n"
        );
    }

    #[test]
    fn limits_of_what_is_shown() {
        let seen = sample();
        let all = [Kind::User, Kind::Net, Kind::Time].map(|kind| (kind, 96365));
        let some = chosen(&seen, &[Choice::Kinds(Kinds::ALL.without(Kind::Net))]);
        assert_eq!(
            limits(&seen, &all, &some),
            "\nLIMITS     user\neach user 96365\nin use        2\n"
        );
        assert_eq!(limits(&seen, &all, &[]), "");
    }
}
