//! Golden plans: command lines, and the steps that they lead to, on a machine that never changes.
//!
//! `golden/plans.txt` is the record. `UPDATE_DOCS=1 cargo test golden` writes it anew; read the difference.

use std::ffi::{CStr, CString, OsStr};
use std::ops::RangeInclusive;

use super::common::Request;
use super::{APPLETS, CommandLineError, Response};
use crate::host::Host;
use crate::model::number::Quoted;
use crate::model::subid::SubIds;
use crate::model::{AppletName, Clock, IdMap, Ids, Kind, Kinds, Reference, Wanted};
use crate::plan::{Plan, Report};
use crate::steps::{FindTarget, OpenTarget, Step};

/// A machine of the test's own.
struct Fixed {
    /// Our effective user and group, and whether we have privilege.
    id: u32,
    privileged: bool,
}

impl Host for Fixed {
    fn effective(&self, _: Ids) -> u32 {
        self.id
    }
    fn may_map(&self, _: Ids) -> bool {
        self.privileged
    }
    fn lookup(&self, ids: Ids, name: &OsStr) -> Result<u32, String> {
        match (ids, name.to_str()) {
            (Ids::Uid, Some("games")) => Ok(5),
            (Ids::Gid, Some("games")) => Ok(60),
            _ => Err(format!("{} is nobody", Quoted(name))),
        }
    }
    fn subids(&self, _: Ids) -> Result<SubIds, String> {
        SubIds::find_all(b"me:100000:65536", &[b"me"], 1000)
            .next()
            .ok_or_else(|| "none".to_owned())
    }
    fn own_map(&self, _: Ids) -> Result<IdMap, String> {
        IdMap::parse(b"0 0 4294967295\n").ok_or_else(|| "none".to_owned())
    }
    fn page_size(&self) -> usize {
        4096
    }
    fn kinds(&self) -> Kinds {
        Kinds::ALL.without(Kind::Time)
    }
    fn offset_range(&self, _: Clock) -> RangeInclusive<i64> {
        -1000..=1_000_000
    }
    fn execution_enters_time(&self) -> bool {
        false
    }
    fn has_netns(&self, name: &OsStr) -> bool {
        name == "blue"
    }
    fn at_terminal(&self) -> bool {
        true
    }
}

/// The machine as root sees it, and as an ordinary user does.
const ROOT: Fixed = Fixed {
    id: 0,
    privileged: true,
};
const USER: Fixed = Fixed {
    id: 1000,
    privileged: false,
};

/// What a command line asks for, and its words.
fn ask(line: &str, host: &Fixed) -> (Result<Response, CommandLineError>, &'static [&'static CStr]) {
    let words: Vec<&'static CStr> = line
        .split_ascii_whitespace()
        .map(|word| &*Box::leak(CString::new(word).unwrap().into_boxed_c_str()))
        .collect();
    let applet = APPLETS
        .iter()
        .find(|applet| line.starts_with(applet.name))
        .unwrap();
    let words = words.leak();
    ((applet.ask)(words, host), words)
}

/// The plan of a command line that is right, and the words of that.
fn plan_of(line: &str) -> (Plan, &'static [&'static CStr]) {
    match ask(line, &ROOT) {
        (Ok(Response::Do(Request::Run(plan))), words) => (plan, words),
        _ => panic!("{line} is not done"),
    }
}

/// The steps of a command line, or why there are none.
fn plan(line: &str, host: &Fixed) -> String {
    match ask(line, host).0 {
        Ok(Response::Do(Request::Run(plan) | Request::DryRun { plan, .. })) => plan.to_string(),
        Ok(Response::Do(other)) => format!("{other:?}\n"),
        Ok(Response::Print(_)) => "prints a text\n".to_owned(),
        Err(CommandLineError::Usage(usage)) => format!("usage: {}\n", usage.0.display()),
        Err(CommandLineError::Invalid(invalid, ..)) => {
            format!("refused: {}\n", invalid.0.display())
        }
    }
}

/// Command lines; those that begin with `$` are of an ordinary user, with `#` of root.
const LINES: &str = include_str!("golden/lines.txt");

#[test]
fn golden_plans() {
    let mut found = String::new();
    for line in LINES.lines().filter(|line| !line.trim().is_empty()) {
        let (prompt, command) = line.split_once(' ').unwrap();
        let host = match prompt {
            "#" => ROOT,
            "$" => USER,
            other => panic!("{other}: neither $ nor #"),
        };
        found.push_str(&format!("{line}\n{}\n", plan(command, &host)));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/applets/golden/plans.txt");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    let recorded = std::fs::read_to_string(path).unwrap_or_default();
    for (found, recorded) in found.split("\n\n").zip(recorded.split("\n\n")) {
        assert_eq!(
            found, recorded,
            "UPDATE_DOCS=1 cargo test golden writes the record anew"
        );
    }
    assert_eq!(found.len(), recorded.len());
}

#[test]
fn who_reports_to_whom_is_in_each_plan_and_with_each_refusal() {
    for applet in AppletName::ALL {
        let (line, refused) = match applet {
            AppletName::Unshare => ("-n true", "--setgroups=x"),
            AppletName::Nsenter => ("-t 7 -n true", "-n:x"),
            AppletName::Setns => ("7 true", "frob:3"),
        };
        let name = applet.as_str();
        let (plan, argv) = plan_of(&format!("{name} {line}"));
        let plain = Report {
            applet,
            argv,
            ..Report::default()
        };
        assert_eq!(plan.report, plain, "{name}");
        let (plan, argv) = plan_of(&format!("{name} --status-fd 3 --explain {line}"));
        let full = Report {
            applet,
            argv,
            status_fd: Some(3),
            explain: true,
            verbose: false,
        };
        assert_eq!(plan.report, full, "{name}");
        for (given, expected) in [
            ("", (None, false)),
            ("--status-fd 3", (Some(3), false)),
            ("--status-fd x --explain", (None, true)),
        ] {
            let line = format!("{name} {given} {refused}");
            let Err(CommandLineError::Invalid(_, status_fd, explain)) = ask(&line, &ROOT).0 else {
                panic!("{line} is not refused");
            };
            assert_eq!((status_fd, explain), expected, "{line}");
        }
    }
    assert!(plan_of("setns --verbose 7 true").0.report.verbose);
}

/// A name may mean another process by then.
#[test]
fn what_is_entered_of_a_process_by_a_name_is_of_the_one_that_was_opened() {
    let references = |line: &str| -> Vec<bool> {
        let (plan, _) = plan_of(line);
        let enter = plan.steps.iter().find_map(|step| match step {
            Step::Enter(enter) => Some(enter),
            _ => None,
        });
        let wanted = &enter.unwrap().wanted;
        let is_opened = |wanted: &Wanted| matches!(wanted.reference, Reference::Target(_));
        wanted.iter().map(is_opened).collect()
    };
    assert_eq!(references("setns -r oci:3f2a"), [true]);
    assert_eq!(references("setns -S follow uts=7,net=netns:x"), [false; 2]);
    assert_eq!(
        references("setns -w net=netns:x,uts=unit:web"),
        [false, true]
    );
    assert_eq!(references("setns oci:3f2a"), [false]);
    assert_eq!(references("nsenter -t oci:3f2a -a -n/x"), [true, false]);
}

/// As util-linux does it, whose error about a process that is not there is about a file of a namespace.
#[test]
fn a_missing_process_is_told_of_by_a_kind_that_was_wanted() {
    for (line, expected) in [
        ("nsenter -t 7 -a", Some(Kind::User)),
        ("nsenter -t 7 -n", Some(Kind::Net)),
        ("nsenter -t 7 -n/x -u", Some(Kind::Uts)),
        ("nsenter -t 7 -n/x -r", None),
        ("nsenter -t unit:web -a", Some(Kind::User)),
        ("nsenter -t unit:web -n/x -u", Some(Kind::Uts)),
        ("nsenter -t unit:web -n/x -r", None),
        ("setns -r 7", Some(Kind::Mnt)),
    ] {
        let (plan, _) = plan_of(line);
        let kind = plan.steps.iter().find_map(|step| match step {
            Step::OpenTarget(OpenTarget { kind, .. })
            | Step::FindTarget(FindTarget { kind, .. }) => Some(*kind),
            _ => None,
        });
        assert_eq!(kind, Some(expected), "{line}");
    }
}
