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
use crate::model::{Clock, IdMap, Ids, Kind, Kinds};

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

/// The steps of a command line, or why there are none.
fn plan(line: &str, host: &Fixed) -> String {
    let words: Vec<&'static CStr> = line
        .split_ascii_whitespace()
        .map(|word| &*Box::leak(CString::new(word).unwrap().into_boxed_c_str()))
        .collect();
    let applet = APPLETS
        .iter()
        .find(|applet| line.starts_with(applet.name))
        .unwrap();
    match (applet.ask)(words.leak(), host) {
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
            "#" => Fixed {
                id: 0,
                privileged: true,
            },
            "$" => Fixed {
                id: 1000,
                privileged: false,
            },
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
