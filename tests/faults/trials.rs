//! The tests: one a case and a sort of faults, each by a worker of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use libtest_mimic::{Arguments, Failed, Trial};
use nix::sys::ptrace;
use nix::unistd::Pid;

use crate::cases::{CASES, Case};
use crate::ground::{KINDS, ORDINARY};
use crate::launch;
use crate::model;
use crate::stress;
use crate::worker::{self, SORTS};

pub(crate) fn run() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    if let Some(lack) = lack() {
        trials.push(Trial::test("every_fault", move || skip("faults", &lack)));
        libtest_mimic::run(&arguments, trials).exit();
    }
    let which = std::env::var("NSKIT_FAULTS").unwrap_or_else(|_| of_today());
    eprintln!("NSKIT_FAULTS={which}");
    for sort in SORTS {
        for case in CASES {
            let which = which.clone();
            let name = format!("{sort}::{}", case.name);
            let lack = lack_of(case);
            trials.push(Trial::test(name.clone(), move || match lack {
                Some(lack) => skip(&name, lack),
                None => work(case.name, sort, &which),
            }));
        }
    }
    let (seed, count) = (
        number("NSKIT_MODEL_SEED", since_1970()),
        number("NSKIT_MODEL", LINES),
    );
    eprintln!("NSKIT_MODEL_SEED={seed} NSKIT_MODEL={count}");
    trials.push(Trial::test("model::random_lines", move || {
        if !has_util_linux() {
            return skip("model::random_lines", "util-linux's unshare and nsenter");
        }
        let words = [seed, count].map(|number| number.to_string());
        in_namespaces(&[model::WORD, &words[0], &words[1]])
    }));
    let runs = number("NSKIT_STRESS", RUNS);
    for (sort, part) in stress::SORTS {
        trials.push(Trial::test(format!("stress::{sort}"), move || {
            let (batches, mut done) = (stress::batches(runs, part), 0);
            let all: u64 = batches.iter().sum();
            for (seed, count) in (seed..).zip(batches) {
                let words = [seed, count].map(|number| number.to_string());
                in_namespaces(&[stress::WORD, sort, &words[0], &words[1]])?;
                done += count;
                eprintln!("stress::{sort}: NSKIT_MODEL_SEED={seed}: {done} of {all} runs are well");
            }
            Ok(())
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

/// Says that the machine lacks something for this test.
fn skip(name: &str, lack: &str) -> Result<(), Failed> {
    let line = format!("SKIP {name}: lacks {lack}");
    eprintln!("{line}");
    match must_run() {
        true => Err(format!("MUST_RUN=1, but {line}").into()),
        false => Ok(()),
    }
}

/// What all of it needs.
fn lack() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("root, to trace what has other IDs".to_owned());
    }
    let kinds = KINDS.iter();
    let mut absent = kinds.filter(|kind| !Path::new("/proc/self/ns").join(kind).exists());
    if let Some(kind) = absent.next() {
        return Some(format!("{kind} namespaces in the kernel"));
    }
    // By the system calls themselves, not by what is tested.
    let user = ORDINARY.to_string();
    let unshares = Command::new(std::env::current_exe().ok()?)
        .args([launch::WORD, launch::UNSHARES, &user])
        .stderr(Stdio::null())
        .status();
    if !unshares.is_ok_and(|status| status.success()) {
        return Some("user namespaces for ordinary users".to_owned());
    }
    (!can_trace()).then(|| "ptrace(2)".to_owned())
}

/// Whether a child can be traced.
fn can_trace() -> bool {
    let Ok(mut child) = Command::new("cat").stdin(Stdio::piped()).spawn() else {
        return false;
    };
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a PID fits"));
    let traced = ptrace::seize(pid, ptrace::Options::empty());
    // It ends when its input does, which is now.
    let ended = child.wait();
    traced.is_ok() && ended.is_ok()
}

/// What one case needs besides.
fn lack_of(case: &Case) -> Option<&'static str> {
    let has = |program: &str| Path::new("/usr/bin").join(program).exists();
    let takes_ranges = ["auto", "--map-subids"]
        .iter()
        .any(|word| case.line.contains(word));
    if takes_ranges && !(has("newuidmap") && has("newgidmap")) {
        return Some("newuidmap and newgidmap");
    }
    let filesystems = || std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let is_old = || {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let mut numbers = release
            .split(['.', '-'])
            .map_while(|word| word.parse::<u32>().ok());
        (numbers.next(), numbers.next()) < (Some(6), Some(7))
    };
    (case.line.contains("binfmt") && (is_old() || !filesystems().contains("binfmt_misc")))
        .then_some("binfmt_misc in user namespaces")
}

/// Whether the distribution's are there, and of util-linux.
fn has_util_linux() -> bool {
    ["unshare", "nsenter"].iter().all(|name| {
        let said = Command::new(Path::new("/usr/bin").join(name))
            .arg("--version")
            .output();
        said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("util-linux"))
    })
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
