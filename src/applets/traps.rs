//! Command lines that mean something else than what was wanted: what they mean, and how it is said.
//!
//! Nothing here is looked at before something has failed.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;

use super::{nsenter, setns, unshare};
use crate::cli::{self, GivenOptions};
use crate::failure::Cause;
use crate::model::{AppletName, Kind, Word};

/// What this command line means that was hardly wanted, where that is why it failed; `failed`: the word for what failed.
#[cold]
pub(crate) fn trap(applet: AppletName, argv: &[&CStr], failed: &str) -> Option<Cause> {
    let seen = match applet {
        AppletName::Unshare => cli::seen::<unshare::Options>(argv),
        AppletName::Nsenter => cli::seen::<nsenter::Options>(argv),
        AppletName::Setns => cli::seen::<setns::Options>(argv),
    }?;
    let may_be_wanted = !matches!(failed, "exec" | "command-line");
    if may_be_wanted {
        return None;
    }
    match applet {
        AppletName::Setns => behind_reference(&seen, argv, failed),
        _ => detached(&seen, argv).or_else(|| {
            (applet == AppletName::Nsenter && failed == "command-line")
                .then(|| no_name(&seen).or_else(|| no_kind(&seen, argv)))?
        }),
    }
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
    let is_namespace = [&b"/ns/"[..], b"/netns/"]
        .iter()
        .any(|part| file.windows(part.len()).any(|bytes| bytes == *part));
    let is_behind = argv[seen.first_operand - 1].to_bytes() != b"--";
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
