//! The figures, as a table for people and as JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::case::Case;
use crate::stage::{INSTALLED, OURS, Stage};

/// The name of the limit program in the results.
pub(crate) const LIMIT: &str = "limit";

/// What one contender took in one case.
#[derive(Default)]
pub(crate) struct Figures {
    /// Nanoseconds a start.
    pub(crate) times: Vec<u64>,
    /// Page faults a start.
    pub(crate) faults: Vec<u64>,
}

/// One row.
pub(crate) struct Row {
    /// The case.
    pub(crate) case: Case,
    /// Figures by contender's name; a contender that cannot do the case is not here.
    pub(crate) figures: Vec<(String, Figures)>,
    /// Why the others are not.
    pub(crate) absent: Vec<(String, String)>,
}

/// The value below which so many of a hundred are; `None` of nothing.
fn percentile(values: &[u64], hundredths: usize) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().checked_sub(1)?;
    sorted.get(last * hundredths / 100).copied()
}

#[allow(clippy::cast_precision_loss)]
fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1000.0
}

impl Row {
    /// The median in microseconds.
    fn median(&self, name: &str) -> Option<f64> {
        let (_, figures) = self.figures.iter().find(|(found, _)| found == name)?;
        percentile(&figures.times, 50).map(microseconds)
    }

    /// Our median as a multiple of another's.
    fn ratio(&self, name: &str) -> Option<f64> {
        Some(self.median(OURS)? / self.median(name)?)
    }

    /// The targets that do not hold.
    fn missed(&self) -> Vec<String> {
        let target = self.case.target;
        [(LIMIT, Some(target.limit)), (INSTALLED, target.installed)]
            .into_iter()
            .filter_map(|(name, most)| {
                let (ratio, most) = (self.ratio(name)?, most?);
                (ratio > most).then(|| format!("{ratio:.2} × {name}, at most {most} wanted"))
            })
            .collect()
    }

    fn json(&self) -> Value {
        let figures = self.figures.iter().map(|(name, figures)| {
            let time = |hundredths| percentile(&figures.times, hundredths).map(microseconds);
            let value = json!({
                "median": time(50), "quarter": time(25), "least": time(0),
                "samples": figures.times.len(), "faults": percentile(&figures.faults, 50),
                "ratio": self.ratio(name),
            });
            (name.clone(), value)
        });
        let absent = self.absent.iter().cloned();
        json!({
            "case": self.case.name,
            "microseconds": figures.collect::<serde_json::Map<_, _>>(),
            "absent": absent.map(|(name, why)| (name, why.into())).collect::<serde_json::Map<_, _>>(),
            "missed": self.missed(),
        })
    }
}

/// The machine, in a line.
fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let processor = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor".to_owned(), |(_, name)| name.to_owned());
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let hypervisor = read("/proc/cpuinfo").contains(" hypervisor ");
    let virtual_machine = if hypervisor { ", virtual machine" } else { "" };
    format!(
        "Linux {}, {processor}, {count} processors{virtual_machine}",
        kernel.trim()
    )
}

/// Everything, for programs.
pub(crate) fn json(stage: &Stage, rows: &[Row]) -> Value {
    let versions = stage.contenders.iter();
    let versions = versions.map(|one| (one.name.clone(), one.version.clone().into()));
    json!({
        "machine": machine(),
        "versions": versions.collect::<serde_json::Map<_, _>>(),
        "cases": rows.iter().map(Row::json).collect::<Vec<_>>(),
    })
}

/// A table: medians in microseconds; behind each, in parentheses, ours as a multiple of it.
pub(crate) fn text(stage: &Stage, rows: &[Row]) -> String {
    let mut columns = vec![LIMIT.to_owned()];
    columns.extend(stage.contenders.iter().map(|one| one.name.clone()));
    let mut header = vec!["case".to_owned()];
    header.extend(columns.iter().cloned());
    let mut table = vec![header];
    for row in rows {
        let mut line = vec![row.case.name.clone()];
        for name in &columns {
            line.push(match (row.median(name), row.ratio(name)) {
                (Some(median), Some(ratio)) if name != OURS => format!("{median:.0} ({ratio:.2})"),
                (Some(median), _) => format!("{median:.0}"),
                (None, _) => "-".to_owned(),
            });
        }
        table.push(line);
    }
    let mut text = String::new();
    let _ = writeln!(text, "{}", machine());
    for one in &stage.contenders {
        let _ = writeln!(text, "{}: {}", one.name, one.version);
    }
    let _ = writeln!(
        text,
        "Medians in µs; in parentheses {OURS} as a multiple of it.\n"
    );
    text.push_str(&markdown(&table));
    for row in rows {
        for line in row.missed() {
            let _ = writeln!(text, "missed: {}: {line}", row.case.name);
        }
    }
    for row in rows {
        for (name, why) in &row.absent {
            let _ = writeln!(text, "not compared: {}: {name}: {why}", row.case.name);
        }
    }
    text
}

fn markdown(table: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = table.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let columns = table.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, row) in table.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(text, "| {cell:<width$} |"),
                _ => write!(text, " {cell:>width$} |"),
            };
        }
        text.push('\n');
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                let _ = match column {
                    0 => write!(text, "| {} |", "-".repeat(*width)),
                    _ => write!(text, " {}: |", "-".repeat(width - 1)),
                };
            }
            text.push('\n');
        }
    }
    text
}
