//! Command lines that mean something else than what was wanted: what they mean, and how it is said.
//!
//! Nothing here is looked at before something has failed.

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use super::{nsenter, setns, unshare};
use crate::cli::table::{Arity, Table};
use crate::cli::{self, GivenOptions};
use crate::failure::common::no_ranges;
use crate::failure::{Cause, Failure};
use crate::model::{AppletName, Ids, Kind, Word};

/// What this command line means that was hardly wanted, where that is why it failed.
#[cold]
pub(crate) fn trap(applet: AppletName, argv: &[&CStr], failure: &Failure) -> Option<Cause> {
    let failed = failure.step.word();
    let seen = seen(applet, argv);
    if applet == AppletName::Nsenter
        && let Some(cause) = letters_as_file(&seen, argv, failure)
    {
        return Some(cause);
    }
    let may_be_wanted = !matches!(failed, "exec" | "command-line");
    if may_be_wanted {
        return None;
    }
    if failed == "command-line"
        && let Some(cause) = no_range(&seen, &failure.line)
    {
        return Some(cause);
    }
    match applet {
        AppletName::Setns => {
            behind_reference(&seen, argv, failed).or_else(|| process_as_kind(&seen, failed))
        }
        _ => detached(&seen, argv).or_else(|| {
            (applet == AppletName::Nsenter && failed == "command-line")
                .then(|| no_name(&seen).or_else(|| no_kind(&seen, argv)))?
        }),
    }
}

fn seen<'a>(applet: AppletName, argv: &'a [&'a CStr]) -> GivenOptions<'a> {
    match applet {
        AppletName::Unshare => cli::seen::<unshare::Options>(argv),
        AppletName::Nsenter => cli::seen::<nsenter::Options>(argv),
        AppletName::Setns => cli::seen::<setns::Options>(argv),
    }
}

/// Whether this option (its long name) is met in a command line before what is wrong with it.
#[cold]
pub(crate) fn has_seen(applet: AppletName, argv: &[&CStr], option: &str) -> bool {
    let seen = seen(applet, argv);
    seen.options.iter().any(|(name, _)| *name == option)
}

/// Whose option this is that the applet does not know: `line` is what getopt says of it.
#[cold]
pub(crate) fn unknown(applet: AppletName, line: &OsStr) -> Option<Cause> {
    let line = line.as_bytes();
    let unknown = Unknown::of(line)?;
    if let Some(cause) = unknown.known_mistake(applet) {
        return Some(cause);
    }
    // Of two guesses the one in the line itself is enough.
    let is_guessed = line.ends_with(b"?");
    let others = AppletName::ALL.into_iter().filter(|&other| other != applet);
    let other = others.clone().find(|&other| unknown.is_of(other));
    other.filter(|_| !is_guessed).map(|other| Cause {
        cause: format!(
            "{unknown} is an option of {}, not of {}",
            other.as_str(),
            applet.as_str()
        ),
        hint: String::new(),
    })
}

/// An option that an applet does not know, as it was written.
enum Unknown<'a> {
    Long(&'a str),
    Short(u8),
}

impl<'a> Unknown<'a> {
    /// The one that the sentence of getopt names.
    fn of(line: &'a [u8]) -> Option<Self> {
        if let Some(rest) = line.strip_prefix(b"invalid option -- '") {
            let letter = rest
                .first()
                .filter(|letter| letter.is_ascii_alphanumeric())?;
            return Some(Unknown::Short(*letter));
        }
        let rest = line.strip_prefix(b"unrecognized option '--")?;
        let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        let end = rest.iter().position(|byte| !is_of_name(byte))?;
        // With a value behind it, or the quote that closes.
        let is_name = end > 0 && matches!(rest[end], b'=' | b'\'');
        let name = std::str::from_utf8(&rest[..end]).ok()?;
        is_name.then_some(Unknown::Long(name))
    }

    fn is_of(&self, applet: AppletName) -> bool {
        self.is_row_of(match applet {
            AppletName::Unshare => Table::of::<unshare::Options>(),
            AppletName::Nsenter => Table::of::<nsenter::Options>(),
            AppletName::Setns => Table::of::<setns::Options>(),
        })
    }

    fn is_row_of(&self, table: Table) -> bool {
        let row = match self {
            Unknown::Long(name) => table.with_name(name.as_bytes()),
            Unknown::Short(letter) => table.with_letter(*letter),
        };
        row.is_some()
    }

    /// The kind that this option of nsenter and unshare is for.
    fn kind(&self) -> Option<Kind> {
        match self {
            Unknown::Long(name) => kind_of(name),
            Unknown::Short(letter) => {
                let row = Table::of::<nsenter::Options>().with_letter(*letter)?;
                kind_of(row.name())
            }
        }
    }

    fn known_mistake(&self, applet: AppletName) -> Option<Cause> {
        let says = |cause: String, hint: String| Some(Cause { cause, hint });
        match (applet, self) {
            (AppletName::Unshare, Unknown::Long("target") | Unknown::Short(b't')) => says(
                format!(
                    "unshare makes namespaces, and enters none of a process: {self} is nsenter's"
                ),
                "nsenter -a -t PID, and then the program".to_owned(),
            ),
            (AppletName::Nsenter, Unknown::Long("hostname")) => says(
                "nsenter changes nothing of what it enters, so no host name".to_owned(),
                "add -u, and have the program set it: hostname NAME".to_owned(),
            ),
            (AppletName::Nsenter, Unknown::Long("fork") | Unknown::Short(b'f')) => says(
                "nsenter forks by itself where it enters a PID namespace".to_owned(),
                format!("leave {self} out"),
            ),
            (AppletName::Nsenter, Unknown::Short(b'R')) => says(
                "-R is unshare's: here the root directory is --root, whose value must be attached"
                    .to_owned(),
                "use --root=DIR, or -r for the root directory of the target".to_owned(),
            ),
            (AppletName::Setns, Unknown::Long("target" | "all") | Unknown::Short(b'a')) => says(
                format!("setns names what it enters by references, and has no {self}"),
                "setns PID, and then the program, for all namespaces of a process".to_owned(),
            ),
            (AppletName::Setns, _) => {
                let kind = self.kind()?;
                says(
                    format!("setns names what it enters by references, and has no {self}"),
                    format!("setns {kind}=PID, and then the program; {kind}=/run/x for a file"),
                )
            }
            _ => None,
        }
    }
}

impl fmt::Display for Unknown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unknown::Long(name) => write!(f, "--{name}"),
            Unknown::Short(letter) => write!(f, "-{}", char::from(*letter)),
        }
    }
}

/// `nsenter -mu`, which is `--mount=u`.
fn letters_as_file(seen: &GivenOptions<'_>, argv: &[&CStr], failure: &Failure) -> Option<Cause> {
    let is_missing = failure.error.is_some_and(|error| error.name() == "ENOENT");
    let file = failure.line.as_bytes().strip_prefix(b"cannot open ")?;
    let is_it =
        |(name, value): &&(&str, Option<&[u8]>)| kind_of(name).is_some() && *value == Some(file);
    seen.options.iter().find(is_it).filter(|_| is_missing)?;
    let is_cluster = |word: &&&CStr| {
        let word = word.to_bytes();
        word.ends_with(file) && word.len() == file.len() + 2 && word.starts_with(b"-")
    };
    let cluster = argv.iter().take(seen.first_operand).find(is_cluster)?;
    let letters = cluster.to_str().ok()?.strip_prefix('-')?;
    let table = Table::of::<nsenter::Options>();
    // It forks by itself.
    let is_unneeded = |letter: u8| letter == b'f';
    let stands_alone = |letter: u8| {
        let row = table.with_letter(letter);
        row.is_some_and(|row| row.arity() != Arity::Required)
    };
    if !letters
        .bytes()
        .all(|letter| stands_alone(letter) || is_unneeded(letter))
    {
        return None;
    }
    let alone = letters.bytes().filter(|&letter| !is_unneeded(letter));
    let alone: Vec<String> = alone
        .map(|letter| format!("-{}", char::from(letter)))
        .collect();
    let (first, file) = letters.split_at_checked(1)?;
    Some(Cause {
        cause: format!("the letters behind -{first} are its value, so {file} was taken for a file"),
        hint: format!("write each alone: {}", alone.join(" ")),
    })
}

/// A map of ranges of which there are none; `line` says so.
fn no_range(seen: &GivenOptions<'_>, line: &OsStr) -> Option<Cause> {
    let maps = |(name, _): &(&str, _)| name.starts_with("map-");
    let is_lacking = |ids: Ids| line.as_bytes().ends_with(ids.sub_file().as_bytes());
    let is_it = seen.options.iter().any(maps) && [Ids::Uid, Ids::Gid].into_iter().any(is_lacking);
    is_it.then(|| no_ranges().into_iter().next())?
}

/// `setns -t PID`, as nsenter has it.
fn process_as_kind(seen: &GivenOptions<'_>, failed: &str) -> Option<Cause> {
    let value = seen.options.iter().find(|(name, _)| *name == "type")?.1?;
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let pid = OsStr::from_bytes(value).display();
    (failed == "command-line" && is_number).then(|| Cause {
        cause: format!(
            "-t is --type here, which kinds are shown: a process is named by a reference, and {pid} is one"
        ),
        hint: format!("setns {pid}, and then the program; net={pid} for one kind alone"),
    })
}

fn kind_of(option: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.option() == option)
}

fn operand<'a>(seen: &GivenOptions<'_>, argv: &[&'a CStr], index: usize) -> Option<&'a [u8]> {
    argv.get(seen.first_operand + index)
        .map(|word| word.to_bytes())
}

/// A namespace file behind a blank, which is the program therefore.
fn detached(seen: &GivenOptions<'_>, argv: &[&CStr]) -> Option<Cause> {
    let (option, None) = *seen.options.last()? else {
        return None;
    };
    kind_of(option)?;
    let file = operand(seen, argv, 0)?;
    let is_namespace = file.windows(4).any(|bytes| bytes == b"/ns/")
        || file.windows(7).any(|bytes| bytes == b"/netns/");
    let before = argv.get(seen.first_operand.checked_sub(1)?)?;
    let is_behind = before.to_bytes() != b"--";
    let file = Word(OsStr::from_bytes(file));
    (is_namespace && is_behind).then(|| Cause {
        cause: format!(
            "{file} was taken for the program: the value of --{option} must be attached"
        ),
        hint: format!("--{option}={file}"),
    })
}

/// `-t NAME`.
fn no_name(seen: &GivenOptions<'_>) -> Option<Cause> {
    let value = seen.options.iter().find(|(name, _)| *name == "target")?.1?;
    let is_name = value.first()?.is_ascii_alphabetic() && !value.contains(&b':');
    let name = Word(OsStr::from_bytes(value));
    is_name.then(|| Cause {
        cause: format!("a process is named by its PID, and {name} is none"),
        hint: format!("-t \"$(pgrep -o {name})\""),
    })
}

/// A process without a kind, or a bare PID.
fn no_kind(seen: &GivenOptions<'_>, argv: &[&CStr]) -> Option<Cause> {
    let has = |name: &str| seen.options.iter().any(|(given, _)| *given == name);
    let names_kind = has("all")
        || has("net-socket")
        || seen.options.iter().any(|(name, _)| kind_of(name).is_some());
    if has("target") {
        return (!names_kind).then(|| Cause {
            cause: "--target names the process, and no option names what is entered of it"
                .to_owned(),
            hint: "add -a for all of its namespaces, or some of -m -u -i -n -p -C -U -T".to_owned(),
        });
    }
    let pid = operand(seen, argv, 0)?;
    (!pid.is_empty() && pid.iter().all(u8::is_ascii_digit)).then(|| {
        let pid = OsStr::from_bytes(pid).display();
        let kinds = if names_kind {
            ""
        } else {
            " -a for all of its namespaces"
        };
        Cause {
            cause: format!("{pid} was taken for the program: a process is named with -t"),
            hint: format!("add -t {pid}{kinds}"),
        }
    })
}

/// Options behind the reference of setns.
fn behind_reference(seen: &GivenOptions<'_>, argv: &[&CStr], failed: &str) -> Option<Cause> {
    let reference = operand(seen, argv, 0)?;
    let word = operand(seen, argv, 1)?;
    let is_option = word.starts_with(b"-") && !matches!(word, b"-" | b"--");
    let (reference, word) = (
        Word(OsStr::from_bytes(reference)),
        Word(OsStr::from_bytes(word)),
    );
    (failed == "exec" && is_option).then(|| Cause {
        cause: format!("{word} was taken for the program: options stand in front of the reference"),
        hint: format!("setns {word} {reference}, and then the program"),
    })
}

#[cfg(test)]
mod tests;
