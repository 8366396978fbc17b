//! `--show`: a row a namespace, and the limits.

use std::fmt::Write as _;

use super::grid::{grid, plain};
use super::processes::ProcessSource;
use super::seen::{Descriptor, Kin, Mounted, Namespace, Seen, Thread};
use crate::model::Kind;
use crate::model::listing::{Column, Listing};

/// What stands for something that there is none of.
const NONE: &str = "-";
/// What stands for something that cannot be told.
const UNKNOWN: &str = "?";

/// How many mounts of a namespace are named in one cell.
const MOUNTS: usize = 8;

/// What a table has a row for.
#[derive(Debug, Clone, Copy)]
struct TableRow<'a> {
    namespace: &'a Namespace,
    /// The process that the row is about: the lowest in the namespace, where each namespace has a row.
    process: Option<i32>,
}

/// The table.
pub(super) fn table(
    seen: &Seen,
    chosen: &[&Namespace],
    listing: &Listing,
    ask: &dyn ProcessSource,
) -> String {
    let columns = listing.table_columns();
    let mut lines = Vec::new();
    if listing.headings {
        lines.push(columns.iter().map(|one| one.name().to_owned()).collect());
    }
    for row in rows(chosen, listing.processes) {
        let cells = columns.iter();
        let cells = cells.map(|&column| cell(seen, row, column, ask).unwrap_or(NONE.into()));
        lines.push(cells.collect());
    }
    if listing.raw {
        return raw(&lines);
    }
    let lines: Vec<Vec<String>> = lines
        .iter()
        .map(|line| line.iter().map(|cell| plain(cell)).collect())
        .collect();
    let right: Vec<bool> = columns.iter().map(|column| column.is_number()).collect();
    grid(&lines, &right)
}

fn rows<'a>(chosen: &[&'a Namespace], each_process: bool) -> Vec<TableRow<'a>> {
    let mut rows = Vec::with_capacity(chosen.len());
    for &namespace in chosen {
        let processes = namespace.members();
        if each_process && !processes.is_empty() {
            rows.extend(processes.iter().map(|&pid| TableRow {
                namespace,
                process: Some(pid),
            }));
        } else {
            let process = namespace.processes.first().copied();
            rows.push(TableRow { namespace, process });
        }
    }
    rows
}

/// What stands in a column; none where there is nothing.
fn cell(seen: &Seen, row: TableRow<'_>, column: Column, ask: &dyn ProcessSource) -> Option<String> {
    let TableRow { namespace, process } = row;
    let named = |uid: u32| ask.user(uid).unwrap_or_else(|| uid.to_string());
    match column {
        Column::Kind => Some(namespace.kind.to_string()),
        Column::Inode => Some(namespace.inode.to_string()),
        Column::Id => namespace.id.map(|id| id.to_string()),
        Column::Owner => Some(relation(namespace.owner)),
        Column::OwnerUid => Some(uid(namespace.owner_uid)),
        Column::OwnerUser => Some(namespace.owner_uid.map_or(UNKNOWN.into(), named)),
        Column::Parent => Some(relation(namespace.parent)),
        Column::NetnsId => namespace.netns_id.map(|id| id.to_string()),
        Column::Ours => namespace.ours.then(|| "yes".into()),
        Column::Procs => Some(namespace.processes.len().to_string()),
        Column::Pid => process.map(|pid| pid.to_string()),
        Column::Ppid => Some(ask.process(process?)?.parent.to_string()),
        Column::Uid => Some(ask.uid(process?)?.to_string()),
        Column::User => Some(named(ask.uid(process?)?)),
        Column::Command => Some(ask.process(process?)?.command()),
        Column::Path => path(namespace),
        Column::Nsfs => mounts(namespace),
        Column::KeptBy => Some(kept_by(seen, namespace, ask)),
    }
}

/// Lines for other programs: one blank between cells, and what is no visible character in them as `\xHH`, byte by byte.
fn raw(lines: &[Vec<String>]) -> String {
    let mut text = String::new();
    for line in lines {
        for (index, cell) in line.iter().enumerate() {
            if index > 0 {
                text.push(' ');
            }
            for character in cell.chars() {
                if character.is_control() || character.is_whitespace() || character == '\\' {
                    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                        let _ = write!(text, "\\x{byte:02x}");
                    }
                } else {
                    text.push(character);
                }
            }
        }
        text.push('\n');
    }
    text
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
fn uid(uid: Option<u32>) -> String {
    uid.map_or(UNKNOWN.into(), |uid| uid.to_string())
}

/// Where it is mounted, as we get there.
fn mount_path(mounted: &Mounted) -> String {
    let path = mounted.path.to_string_lossy();
    match mounted.pid {
        Some(pid) => format!("/proc/{pid}/root{path}"),
        None => path.into_owned(),
    }
}

/// The places at which it is mounted in our mount namespace; where there is none, in others.
fn mounts(namespace: &Namespace) -> Option<String> {
    let is_ours = |mounted: &&Mounted| mounted.pid.is_none();
    let any_is_ours = namespace.mounts.iter().any(|mounted| is_ours(&mounted));
    let mounts = namespace.mounts.iter();
    let mounts = mounts.filter(|mounted| !any_is_ours || is_ours(mounted));
    let mut paths: Vec<String> = mounts.map(mount_path).collect();
    paths.dedup();
    let more = paths.len().saturating_sub(MOUNTS);
    paths.truncate(MOUNTS);
    let mut text = paths.join(",");
    if more > 0 {
        let _ = write!(text, " +{more}");
    }
    (!text.is_empty()).then_some(text)
}

/// A path that opens it, by what keeps it alive; a socket has none.
fn path(namespace: &Namespace) -> Option<String> {
    let kind = namespace.kind;
    let mount = namespace.mounts.first().map(mount_path);
    let process = || Some(format!("/proc/{}/ns/{kind}", namespace.processes.first()?));
    let thread = || {
        let Thread { pid, tid } = namespace.threads.first()?;
        Some(format!("/proc/{pid}/task/{tid}/ns/{kind}"))
    };
    let for_children = || {
        let pid = namespace.for_children.first()?;
        Some(format!("/proc/{pid}/ns/{}", kind.file_for_children()))
    };
    let descriptor = || {
        let Descriptor { pid, number } = namespace.descriptors.first()?;
        Some(format!("/proc/{pid}/fd/{number}"))
    };
    mount
        .or_else(process)
        .or_else(thread)
        .or_else(for_children)
        .or_else(descriptor)
}

/// What keeps a namespace alive: its mounts, since they stay when processes end; else what else there is.
pub(super) fn kept_by(seen: &Seen, namespace: &Namespace, ask: &dyn ProcessSource) -> String {
    let process = |pid: i32| match ask.process(pid) {
        Some(process) => format!("{pid} {}", process.command()),
        None => pid.to_string(),
    };
    if let [first, more @ ..] = namespace.mounts.as_slice() {
        let mut text = mount_path(first);
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
    if let Some(one) = namespace.sockets.first() {
        return format!("socket {} of {}", one.number, process(one.pid));
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
    use super::super::processes::tests::Known;
    use super::super::seen::tests::sample;
    use super::super::seen::{Choice, chosen};
    use super::*;
    use crate::model::Kinds;
    use crate::model::listing::{Columns, Form};

    const ASK: Known = Known {
        last: 7,
        name: "p\x1b",
    };

    fn listing() -> Listing {
        Listing::plain(Form::Table)
    }

    fn shown(kinds: Kinds, listing: &Listing) -> String {
        let mut seen = sample();
        let net = seen.entry((Kind::Net, 9));
        net.sockets = vec![Descriptor { pid: 7, number: 5 }];
        net.netns_id = Some(0);
        let chosen = chosen(&seen, &[Choice::Kinds(kinds)], Kinds::ALL);
        table(&seen, &chosen, listing, &ASK)
    }

    #[test]
    fn a_row_a_namespace() {
        assert_eq!(
            shown(Kinds::ALL, &listing()),
            "KIND      INODE ID      OWNER OWNER-USER     PARENT OURS PROCS KEPT-BY\n\
             user          1  -          - root                - yes      2 1 p\\u{1b}1 -x\n\
             user 4026531841  -          1 a\\u{1b}nn           1 -        1 8\n\
             user 4026531844  - 4026531841 a\\u{1b}nn  4026531841 -        0 fd 3 of 7 p\\u{1b}7 -x\n\
             net           9  -          ? ?                   - -        0 socket 5 of 7 p\\u{1b}7 -x\n\
             net  4026531843  - 4026531841 a\\u{1b}nn           - -        0 /run/netns/a b +1\n\
             pid           2  6          1 root                - yes      2 1 p\\u{1b}1 -x\n\
             pid  4026531842  - 4026531841 a\\u{1b}nn           2 -        1 8\n"
        );
    }

    #[test]
    fn a_row_a_process() {
        let listing = Listing {
            processes: true,
            columns: Columns::Usual(vec![Column::Uid]),
            ..listing()
        };
        assert_eq!(
            shown(Kinds::NONE.with(Kind::Pid).with(Kind::Net), &listing),
            "KIND      INODE PID PPID USER      COMMAND      UID\n\
             net           9   -    - -         -              -\n\
             net  4026531843   -    - -         -              -\n\
             pid           2   1    0 a\\u{1b}nn p\\u{1b}1 -x 1000\n\
             pid           2   7    6 a\\u{1b}nn p\\u{1b}7 -x 1000\n\
             pid  4026531842   8    - -         -              -\n"
        );
    }

    #[test]
    fn for_other_programs() {
        let given = Columns::Given(vec![
            Column::Kind,
            Column::Command,
            Column::NetnsId,
            Column::Path,
            Column::Nsfs,
        ]);
        let listing = Listing {
            raw: true,
            columns: given,
            headings: false,
            ..listing()
        };
        assert_eq!(
            shown(Kinds::NONE.with(Kind::Pid).with(Kind::Net), &listing),
            "net - 0 - -\n\
             net - - /run/netns/a\\x20b /run/netns/a\\x20b\n\
             pid p\\x1b1\\x20-x - /proc/1/ns/pid -\n\
             pid - - /proc/8/ns/pid -\n"
        );
    }

    #[test]
    fn limits_of_what_is_shown() {
        let seen = sample();
        let all = [Kind::User, Kind::Net, Kind::Time].map(|kind| (kind, 96365));
        let some = chosen(
            &seen,
            &[Choice::Kinds(Kinds::ALL.without(Kind::Net))],
            Kinds::ALL,
        );
        assert_eq!(
            limits(&seen, &all, &some),
            "\nLIMITS     user\neach user 96365\nin use        2\n"
        );
        assert_eq!(limits(&seen, &all, &[]), "");
    }

    #[test]
    fn owners_and_what_may_be_missing() {
        assert_eq!(
            (uid(Some(0)), uid(None)),
            ("0".to_owned(), UNKNOWN.to_owned())
        );
        let mut seen = sample();
        assert_eq!(missing(&seen), "");
        seen.refused = 3;
        let why = seen.unreadable().expect("some were refused");
        assert_eq!(missing(&seen), format!("\n{why}: there may be more\n"));
    }

    #[test]
    fn no_more_places_than_fit() {
        for count in [MOUNTS, MOUNTS + 1, MOUNTS + 2] {
            let mut seen = sample();
            let net = seen.entry((Kind::Net, 9));
            net.mounts = (0..count)
                .map(|number| Mounted {
                    path: format!("/{number}").into(),
                    mount_namespace: 4,
                    pid: None,
                })
                .collect();
            let shown = mounts(net).expect("there are some");
            let first: Vec<String> = (0..MOUNTS).map(|number| format!("/{number}")).collect();
            let more = match count - MOUNTS {
                0 => String::new(),
                more => format!(" +{more}"),
            };
            assert_eq!(shown, first.join(",") + &more);
        }
    }
}
