//! The tests: one a case and a sort of faults, each by a worker of its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::cases::CASES;
use crate::launch;
use crate::model;
use crate::stress;
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
    let (seed, count) = (
        number("NSKIT_MODEL_SEED", since_1970()),
        number("NSKIT_MODEL", LINES),
    );
    eprintln!("NSKIT_MODEL_SEED={seed} NSKIT_MODEL={count}");
    trials.push(Trial::test("model::random_lines", move || {
        let words = [seed, count].map(|number| number.to_string());
        in_namespaces(&[model::WORD, &words[0], &words[1]])
    }));
    let runs = number("NSKIT_STRESS", RUNS);
    for sort in stress::SORTS {
        trials.push(Trial::test(format!("stress::{sort}"), move || {
            let words = [seed, runs].map(|number| number.to_string());
            in_namespaces(&[stress::WORD, sort, &words[0], &words[1]])
        }));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// How many runs the suite makes of each sort of stress.
const RUNS: u64 = 24;
/// How many random lines the suite compares.
const LINES: u64 = 80;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect(variable))
}

/// Seconds.
fn since_1970() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
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
    in_namespaces(&[worker::WORD, case, sort, which]).map_err(|why| {
        format!(
            "NSKIT_FAULTS={which}: {}",
            why.message().unwrap_or_default()
        )
        .into()
    })
}

/// Runs this test with these words, and a place and the binary behind them: everything that it does is gone with its
/// namespaces, and these with us, however we end.
fn in_namespaces(words: &[&str]) -> Result<(), Failed> {
    let place = tempfile::Builder::new().prefix("nskit-faults-").tempdir()?;
    let output = Command::new(std::env::current_exe()?)
        .args([launch::TIED, &std::process::id().to_string()])
        .arg(binary())
        .args([
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
        ])
        .arg(std::env::current_exe()?)
        .args(words)
        .arg(place.path())
        .arg(binary())
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let [said, errors] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    Err(format!("{}\n{said}{errors}", output.status).into())
}
