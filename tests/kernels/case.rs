//! A case: what is run in the machine, by whom, and what must come of it on which kernel.

use crate::boot::Outcome;

/// Who runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    Root,
    /// UID and GID 1000, with 65536 subordinate IDs from 100000.
    Ordinary,
}

impl User {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Ordinary => "ordinary",
        }
    }
}

/// A kernel's version, as far as it tells features apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32);

impl Version {
    /// Of `uname -r`.
    pub(crate) fn of(release: &str) -> Option<Self> {
        let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
        Some(Self(
            numbers.next()?.parse().ok()?,
            numbers.next()?.parse().ok()?,
        ))
    }
}

/// What must be said, and what must not.
#[derive(Debug, Clone, Default)]
struct Expected {
    status: i32,
    out: Option<String>,
    err: Option<String>,
    out_has: Vec<String>,
    err_has: Vec<String>,
    lacks: Vec<String>,
}

/// One case: a script for sh, in which `$R` is `-r` for the ordinary user and nothing for root, `hold WORDS` keeps
/// namespaces in a process `$PID`, and `$T` is a directory that goes away.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) users: Vec<User>,
    pub(crate) script: String,
    /// From this kernel on, until the next one in the list.
    expected: Vec<(Version, Expected)>,
}

impl Case {
    /// For both users; says nothing on standard error and ends with 0.
    pub(crate) fn new(name: &str, script: &str) -> Self {
        let expected = Expected {
            err: Some(String::new()),
            ..Expected::default()
        };
        Self {
            name: name.to_owned(),
            users: vec![User::Root, User::Ordinary],
            script: script.to_owned(),
            expected: vec![(Version(0, 0), expected)],
        }
    }

    pub(crate) fn root(mut self) -> Self {
        self.users = vec![User::Root];
        self
    }

    pub(crate) fn ordinary(mut self) -> Self {
        self.users = vec![User::Ordinary];
        self
    }

    /// What follows is about this kernel and newer ones.
    pub(crate) fn since(mut self, major: u32, minor: u32) -> Self {
        let expected = Expected {
            err: Some(String::new()),
            ..Expected::default()
        };
        self.expected.push((Version(major, minor), expected));
        self
    }

    fn last(&mut self) -> &mut Expected {
        &mut self
            .expected
            .last_mut()
            .expect("the first is always there")
            .1
    }

    /// It exits with this code; of standard error nothing is said yet.
    pub(crate) fn fails(mut self, status: i32) -> Self {
        let last = self.last();
        last.status = status;
        last.err = None;
        self
    }

    /// Standard output is exactly this, without the last newline.
    pub(crate) fn out(mut self, text: &str) -> Self {
        self.last().out = Some(text.to_owned());
        self
    }

    pub(crate) fn out_has(mut self, part: &str) -> Self {
        self.last().out_has.push(part.to_owned());
        self
    }

    /// Standard error is exactly this, without the last newline.
    pub(crate) fn err(mut self, text: &str) -> Self {
        self.last().err = Some(text.to_owned());
        self
    }

    pub(crate) fn err_has(mut self, part: &str) -> Self {
        let last = self.last();
        last.err = None;
        last.err_has.push(part.to_owned());
        self
    }

    /// Neither output has this in it.
    pub(crate) fn lacks(mut self, part: &str) -> Self {
        self.last().lacks.push(part.to_owned());
        self
    }

    /// What is wrong with what came of it on this kernel.
    pub(crate) fn judge(&self, kernel: Version, outcome: &Outcome) -> Result<(), String> {
        let (_, expected) = self
            .expected
            .iter()
            .rfind(|(since, _)| *since <= kernel)
            .expect("the first is for all kernels");
        let mut wrong = Vec::new();
        if outcome.status != expected.status {
            wrong.push(format!("it must exit with {}", expected.status));
        }
        let exact = [
            ("output", &expected.out, &outcome.out),
            ("error", &expected.err, &outcome.err),
        ];
        for (which, wanted, said) in exact {
            if let Some(wanted) = wanted
                && wanted != said.strip_suffix('\n').unwrap_or(said)
            {
                wrong.push(format!("standard {which} must be {wanted:?}"));
            }
        }
        let parts = [
            ("output", &expected.out_has, &outcome.out),
            ("error", &expected.err_has, &outcome.err),
        ];
        for (which, wanted, said) in parts {
            for part in wanted.iter().filter(|part| !said.contains(*part)) {
                wrong.push(format!("standard {which} must have {part:?}"));
            }
        }
        for part in &expected.lacks {
            if outcome.out.contains(part) || outcome.err.contains(part) {
                wrong.push(format!("it must not say {part:?}"));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{}\n   ran: {}\nstatus: {}\nstdout: {}\nstderr: {}",
            wrong.join("\n"),
            self.script,
            outcome.status,
            outcome.out,
            outcome.err
        ))
    }
}
