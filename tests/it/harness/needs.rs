//! What a test needs of the machine and of the tool under test.
//!
//! A need that is not met is never silent: `SKIP` when the machine lacks something (a failure with
//! `MUST_RUN=1`), `N/A` when what is under test does not have the thing tested.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use super::tool::{SYSTEM_PATH, Tool};

/// Why a test does not apply here.
pub(crate) enum Lack {
    /// The machine lacks this.
    Machine(String),
    /// What is under test, util-linux or a binary linked with glibc, does not have the thing tested.
    Theirs(String),
}

/// A need: met, or what is lacking.
pub(crate) type Need = Result<(), Lack>;

/// Returns from the test, saying so, unless all these needs are met.
macro_rules! needs {
    ($($need:expr),+ $(,)?) => {
        $(
            if let Err(lack) = $need {
                fn here() {}
                $crate::harness::give_up(std::any::type_name_of_val(&here), lack);
                return;
            }
        )+
    };
}

/// Says why the test that encloses the function `here` is not run.
///
/// # Panics
/// With `MUST_RUN=1`, when it is the machine that lacks something.
pub(crate) fn give_up(here: &str, lack: Lack) {
    let name = here
        .trim_end_matches("::here")
        .split_once("::")
        .map_or(here, |(_crate, rest)| rest);
    let line = match &lack {
        Lack::Machine(what) => format!("SKIP {name}: lacks {what}\n"),
        Lack::Theirs(what) => format!("N/A {name}: {what}\n"),
    };
    // libtest captures what the print macros write, and not this.
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error takes a line");
    let must_run = std::env::var_os("MUST_RUN").is_some_and(|value| value == "1");
    if must_run && matches!(lack, Lack::Machine(_)) {
        panic!("MUST_RUN=1, but {line}");
    }
}

/// Whether util-linux is under test, instead of nskit.
pub(crate) fn theirs() -> bool {
    match std::env::var("UNDER_TEST").as_deref() {
        Ok("theirs") => true,
        Ok("ours") | Err(_) => false,
        Ok(other) => panic!("UNDER_TEST: {other:?} is not one of ours, theirs"),
    }
}

/// The tests run as root, in a user namespace where that counts.
pub(crate) fn root() -> Need {
    unless(is_root(), "root")
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The system has this program.
pub(crate) fn command(name: &str) -> Need {
    unless(find(name).is_some(), name)
}

/// An ordinary user may make user namespaces.
pub(crate) fn user_namespaces() -> Need {
    static ALLOWED: LazyLock<bool> = LazyLock::new(|| {
        Tool::fixture()
            .args(["-U", "true"])
            .by_ordinary()
            .run()
            .succeeded()
    });
    unless(*ALLOWED, "user namespaces for ordinary users")
}

/// The kernel has this kind of namespace, by its name in /proc/PID/ns.
pub(crate) fn kind(name: &str) -> Need {
    unless(
        Path::new("/proc/self/ns").join(name).exists(),
        &format!("{name} namespaces in the kernel"),
    )
}

/// The fact holds; `what` is lacking otherwise.
pub(crate) fn unless(fact: bool, what: &str) -> Need {
    if fact {
        Ok(())
    } else {
        Err(Lack::Machine(what.to_owned()))
    }
}

/// nskit is under test; `why` this cannot hold for util-linux.
pub(crate) fn ours(why: &str) -> Need {
    if theirs() {
        Err(Lack::Theirs(why.to_owned()))
    } else {
        Ok(())
    }
}

/// The applet under test has the long option (`--map-auto`). nskit has them all, by its specification.
pub(crate) fn option(applet: &str, long: &str) -> Need {
    if !theirs() || their_help(applet).contains(long) {
        return Ok(());
    }
    Err(Lack::Theirs(format!(
        "{} lacks {long}",
        their_version(applet)
    )))
}

/// util-linux, if it is under test, is at least this version.
pub(crate) fn since(major: u32, minor: u32, why: &str) -> Need {
    if !theirs() {
        return Ok(());
    }
    let version = their_version("unshare");
    let number = version.rsplit(' ').next().unwrap_or_default();
    let mut parts = number
        .split(|letter: char| !letter.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    let have: (u32, u32) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if have >= (major, minor) {
        return Ok(());
    }
    Err(Lack::Theirs(format!("{version}: {why}")))
}

fn their_help(applet: &str) -> &'static str {
    static UNSHARE: LazyLock<String> = LazyLock::new(|| said(Tool::unshare().arg("--help")));
    static NSENTER: LazyLock<String> = LazyLock::new(|| said(Tool::nsenter().arg("--help")));
    match applet {
        "unshare" => &UNSHARE,
        "nsenter" => &NSENTER,
        other => panic!("util-linux has no {other}"),
    }
}

fn their_version(applet: &str) -> String {
    let tool = match applet {
        "unshare" => Tool::unshare(),
        _ => Tool::nsenter(),
    };
    said(tool.arg("--version")).trim().replace(" from", " of")
}

fn said(tool: Tool) -> String {
    tool.run().ok().text()
}

/// A program of the system, looked up as the tests' own `PATH` says.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    SYSTEM_PATH
        .split(':')
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.is_file())
}

/// util-linux's `unshare`, for fixtures that must not depend on the code under test.
pub(super) fn util_linux_unshare() -> Option<&'static Path> {
    static FOUND: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let path = find("unshare")?;
        let said = Command::new(&path)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        String::from_utf8_lossy(&said.stdout)
            .contains("util-linux")
            .then_some(path)
    });
    FOUND.as_deref()
}
