//! What was found, and how it is told: to people, and as JSON, whose form is in nskit(1) and does not change.

use std::fmt::Write as _;

use crate::failure::{Cause, cause};
use crate::model::json::string;

/// The number that the JSON has: it changes when something that was there is another or is gone.
const VERSION: u32 = 1;

/// Whether something can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    Yes,
    /// In one way, and not in another.
    Partly,
    No,
    /// It could not be found out.
    Unknown,
    /// This is no ability.
    Fact,
}

impl Judgement {
    fn word(self) -> &'static str {
        match self {
            Judgement::Yes => "yes",
            Judgement::Partly => "partly",
            Judgement::No => "no",
            Judgement::Unknown => "unknown",
            Judgement::Fact => "fact",
        }
    }
}

/// What the checks are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heading {
    Tasks,
    Who,
    Namespaces,
    Ids,
    Inside,
    Entering,
    Limits,
    /// One command line.
    Command,
}

impl Heading {
    fn word(self) -> &'static str {
        match self {
            Heading::Tasks => "tasks",
            Heading::Who => "who",
            Heading::Namespaces => "namespaces",
            Heading::Ids => "ids",
            Heading::Inside => "inside",
            Heading::Entering => "entering",
            Heading::Limits => "limits",
            Heading::Command => "command",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Heading::Tasks => "What most people want",
            Heading::Who => "Who and where",
            Heading::Namespaces => "New namespaces",
            Heading::Ids => "ID maps",
            Heading::Inside => "Inside namespaces of one's own",
            Heading::Entering => "Entering",
            Heading::Limits => "Limits",
            Heading::Command => "Whether it would work",
        }
    }
}

/// A command line that was tried.
#[derive(Debug, Clone)]
pub(super) struct Tried {
    pub(super) command: String,
    /// None: it could not be tried.
    pub(super) works: Option<bool>,
    /// What it failed with.
    pub(super) error: String,
}

/// One line.
#[derive(Debug)]
pub(super) struct Check {
    /// For programs: never changes.
    pub(super) name: &'static str,
    pub(super) group: Heading,
    /// For people.
    pub(super) what: &'static str,
    pub(super) verdict: Judgement,
    /// What there is to say besides.
    pub(super) detail: String,
    /// What was tried; nothing where it is told from facts.
    pub(super) tried: Vec<Tried>,
    pub(super) causes: Vec<Cause>,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Examination {
    /// The command line that was examined, and its plan, a line each step; none: the machine was.
    pub(super) command: Option<(String, Vec<String>)>,
    pub(super) checks: Vec<Check>,
}

impl Examination {
    /// Whether what matters works: the three tasks, or all of the command line. None: that could not be found out.
    pub(crate) fn works(&self) -> Option<bool> {
        let matters = |check: &&Check| matches!(check.group, Heading::Tasks | Heading::Command);
        let mut works = Some(true);
        for check in self.checks.iter().filter(matters) {
            match check.verdict {
                Judgement::Yes | Judgement::Fact => {}
                Judgement::No | Judgement::Partly => return Some(false),
                Judgement::Unknown => works = None,
            }
        }
        works
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if let Some((command, plan)) = &self.command {
            let _ = writeln!(text, "{command}");
            for step in plan {
                let _ = writeln!(text, "  {step}");
            }
        }
        let mut group = None;
        for check in &self.checks {
            if group != Some(check.group) {
                let gap = if text.is_empty() { "" } else { "\n" };
                let _ = writeln!(text, "{gap}{}", check.group.title());
                group = Some(check.group);
            }
            check.describe(&mut text);
        }
        text
    }

    /// For programs: one line.
    pub(crate) fn json(&self) -> String {
        let works = or_null(self.works());
        let mut text = format!("{{\"version\":{VERSION},\"works\":{works}");
        if let Some((command, plan)) = &self.command {
            pair(&mut text, ",\"command\":", command);
            text.push_str(",\"plan\":");
            list(&mut text, plan, |text, step| pair(text, "", step));
        }
        text.push_str(",\"checks\":");
        list(&mut text, &self.checks, |text, check| {
            check.write_json(text)
        });
        text.push_str("}\n");
        text
    }
}

impl Check {
    fn how(&self) -> &'static str {
        if self.tried.is_empty() {
            "told"
        } else {
            "tried"
        }
    }

    fn describe(&self, text: &mut String) {
        let verdict = match self.verdict {
            Judgement::Fact => "-",
            verdict => verdict.word(),
        };
        let _ = write!(text, "  {verdict:<8}{:<6} {}", self.how(), self.what);
        let mut gap = ": ";
        if !self.detail.is_empty() {
            let _ = write!(text, "{gap}{}", self.detail);
            gap = "; ";
        }
        for tried in &self.tried {
            let works = match tried.works {
                // What the verdict says already.
                Some(_) if self.tried.len() == 1 => "",
                Some(true) => " yes",
                Some(false) => " no",
                None => " unknown",
            };
            let _ = write!(text, "{gap}{}{works}", tried.command);
            gap = ", ";
        }
        text.push('\n');
        for tried in self.tried.iter().filter(|tried| !tried.error.is_empty()) {
            let _ = writeln!(text, "{INDENT}{}", tried.error);
        }
        for line in cause::lines(&self.causes).lines() {
            let _ = writeln!(text, "{INDENT}{line}");
        }
    }

    fn write_json(&self, text: &mut String) {
        let words = [
            ("{\"name\":", self.name),
            (",\"group\":", self.group.word()),
            (",\"what\":", self.what),
            (",\"verdict\":", self.verdict.word()),
            (",\"how\":", self.how()),
            (",\"detail\":", &self.detail),
        ];
        words
            .into_iter()
            .for_each(|(key, value)| pair(text, key, value));
        text.push_str(",\"tried\":");
        list(text, &self.tried, |text, tried| {
            pair(text, "{\"command\":", &tried.command);
            text.push_str(",\"works\":");
            text.push_str(or_null(tried.works));
            pair(text, ",\"error\":", &tried.error);
            text.push('}');
        });
        text.push_str(",\"causes\":");
        list(text, &self.causes, |text, cause| {
            pair(text, "{\"cause\":", &cause.cause);
            pair(text, ",\"hint\":", &cause.hint);
            text.push('}');
        });
        text.push('}');
    }
}

/// A member of an object: its name with what stands before and behind it, and its value.
#[inline(never)]
fn pair(text: &mut String, key: &str, value: &str) {
    text.push_str(key);
    text.push_str(&string(value.as_ref()));
}

fn or_null(works: Option<bool>) -> &'static str {
    match works {
        Some(true) => "true",
        Some(false) => "false",
        None => "null",
    }
}

/// What stands under a line.
const INDENT: &str = "                 ";

fn list<T>(text: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    text.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write(text, item);
    }
    text.push(']');
}
