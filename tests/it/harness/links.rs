//! What the kernel says of a process: its namespaces and its status file.

use std::collections::BTreeMap;

/// The eight kinds, by their names in /proc/PID/ns.
pub(crate) const KINDS: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

/// A program that prints its own eight namespaces, for [`Links::said`].
pub(crate) const INSIDE: &str = "readlink /proc/self/ns/cgroup /proc/self/ns/ipc /proc/self/ns/mnt \
    /proc/self/ns/net /proc/self/ns/pid /proc/self/ns/time /proc/self/ns/user /proc/self/ns/uts";

/// The namespaces of a process: kind → `net:[4026531840]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Links(BTreeMap<String, String>);

impl Links {
    /// Those of a process that is seen from here.
    #[track_caller]
    pub(crate) fn of(pid: i32) -> Self {
        Self::read(&pid.to_string())
    }

    /// Those of the tests.
    #[track_caller]
    pub(crate) fn mine() -> Self {
        Self::read("self")
    }

    #[track_caller]
    fn read(process: &str) -> Self {
        let link = |kind: &&str| {
            let path = format!("/proc/{process}/ns/{kind}");
            let target =
                std::fs::read_link(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            (kind.to_string(), target.to_string_lossy().into_owned())
        };
        Self(KINDS.iter().map(link).collect())
    }

    /// Those that [`INSIDE`] printed, among other lines.
    #[track_caller]
    pub(crate) fn said(text: &str) -> Self {
        let found: BTreeMap<_, _> = text
            .lines()
            .filter_map(|line| Some((line.split_once(":[")?.0.to_owned(), line.to_owned())))
            .collect();
        assert!(found.keys().eq(KINDS.iter()), "not the eight kinds: {text}");
        Self(found)
    }

    /// One of them.
    #[track_caller]
    pub(crate) fn get(&self, kind: &str) -> &str {
        &self.0[kind]
    }

    /// The kinds in which `other` is elsewhere.
    pub(crate) fn unlike(&self, other: &Self) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(kind, link)| other.0[*kind] != **link)
            .map(|(kind, _)| kind.as_str())
            .collect()
    }
}

/// A /proc/PID/status file, as a program printed it.
#[derive(Debug)]
pub(crate) struct Status(BTreeMap<String, String>);

impl Status {
    /// Reads it.
    pub(crate) fn said(text: &str) -> Self {
        Self(
            text.lines()
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
        )
    }

    /// A field's text.
    #[track_caller]
    pub(crate) fn get(&self, field: &str) -> &str {
        self.0
            .get(field)
            .unwrap_or_else(|| panic!("no {field} in {self:?}"))
    }

    /// A field that is a hexadecimal mask: the capabilities and signal sets.
    #[track_caller]
    pub(crate) fn mask(&self, field: &str) -> u64 {
        u64::from_str_radix(self.get(field), 16)
            .unwrap_or_else(|_| panic!("{field} is no mask in {self:?}"))
    }

    /// Whether a set of signals has this one.
    #[track_caller]
    pub(crate) fn has_signal(&self, field: &str, signal: i32) -> bool {
        self.mask(field) >> (signal - 1) & 1 == 1
    }
}
