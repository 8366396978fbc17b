//! The tests: one a case and a sort of faults, each by a worker of its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::cases::CASES;
use crate::worker::{self, SORTS};

pub(crate) fn run() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    if let Some(lack) = lack() {
        let line = format!("SKIP faults: lacks {lack}");
        eprintln!("{line}");
        trials.push(Trial::test("every_fault", move || match must_run() {
            true => Err(format!("MUST_RUN=1, but {line}").into()),
            false => Ok(()),
        }));
        libtest_mimic::run(&arguments, trials).exit();
    }
    let which = std::env::var("NSKIT_FAULTS").unwrap_or_else(|_| of_today());
    eprintln!("NSKIT_FAULTS={which}");
    for sort in SORTS {
        for case in CASES {
            let which = which.clone();
            trials.push(Trial::test(format!("{sort}::{}", case.name), move || {
                work(case.name, sort, &which)
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// Another tenth each day.
fn of_today() -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("{}/10", now.as_secs() / 86400 % 10)
}

fn must_run() -> bool {
    std::env::var_os("MUST_RUN").is_some_and(|value| value == "1")
}

fn lack() -> Option<&'static str> {
    (!nix::unistd::geteuid().is_root()).then_some("root, to trace what has other IDs")
}

/// The release binary, which is what users have, where the Makefile has made it.
fn binary() -> PathBuf {
    let named = std::env::var_os("NSKIT_RELEASE").or_else(|| std::env::var_os("NSKIT_BIN"));
    named.map_or_else(|| env!("CARGO_BIN_EXE_nskit").into(), PathBuf::from)
}

fn work(case: &str, sort: &str, which: &str) -> Result<(), Failed> {
    let place = tempfile::Builder::new().prefix("nskit-faults-").tempdir()?;
    // Everything that a worker does is gone with its namespaces.
    let output = Command::new(binary())
        .args([
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
        ])
        .arg(std::env::current_exe()?)
        .args([worker::WORD, case, sort, which])
        .arg(place.path())
        .arg(binary())
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("NSKIT_FAULTS={which}: {}\n{said}{errors}", output.status).into())
}
