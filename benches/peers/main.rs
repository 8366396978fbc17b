//! The benchmark: nskit beside a limit program and every peer on the machine, as root.
//!
//!     cargo bench [-- [--rounds N] [--case TEXT] [--json FILE]]
//!
//! The peers are util-linux from `PATH`, busybox and toybox where they are installed, and those that
//! `NSKIT_BENCH_PEERS="NAME=DIRECTORY,…"` names. `NSKIT_RELEASE` names the binary of ours to measure;
//! otherwise `make` builds it.
//!
//! The hard thing: a machine is never quiet. All contenders of a case take turns in one process that is
//! pinned to one processor, the whole list of cases is gone through several times, and medians count.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "what the program must not do, its tests and measurements may"
)]

mod case;
mod report;
mod stage;
mod start;
mod worker;

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use case::{Case, How};
use report::{Figures, LIMIT, Row};
use stage::Stage;

/// How often the list of cases is gone through.
const PASSES: u64 = 5;

/// What the command line asks for.
struct Options {
    /// Samples of each contender in each case.
    rounds: u64,
    /// Only cases whose name has this in it.
    case: String,
    /// Where the JSON goes.
    json: PathBuf,
}

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some(worker::WORKER) => worker::work(),
        _ => measure(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> io::Result<Options> {
    let mut options = Options {
        rounds: 300,
        case: String::new(),
        json: target_directory().join("bench.json"),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || {
            let none = || io::Error::other(format!("{word}: requires an argument"));
            words.next().ok_or_else(none)
        };
        match word.as_str() {
            // cargo bench gives it to every benchmark.
            "--bench" => {}
            "--case" => options.case = value()?,
            "--json" => options.json = value()?.into(),
            "--rounds" => {
                options.rounds = value()?
                    .parse()
                    .map_err(|error| io::Error::other(format!("--rounds: {error}")))?;
            }
            _ => {
                let text = format!("{word}: not one of --rounds N, --case TEXT, --json FILE");
                return Err(io::Error::other(text));
            }
        }
    }
    Ok(options)
}

fn target_directory() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Our release binary, built when it was not given.
fn release() -> io::Result<PathBuf> {
    if let Some(given) = std::env::var_os("NSKIT_RELEASE") {
        return Ok(given.into());
    }
    let status = Command::new("make")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "all"])
        .status()?;
    if !status.success() {
        return Err(io::Error::other("make: cannot build the release binary"));
    }
    Ok(target_directory().join("static/nskit"))
}

fn measure() -> io::Result<()> {
    let options = options()?;
    if !nix::unistd::geteuid().is_root() {
        let text = "needs root: most cases make namespaces without a user namespace";
        return Err(io::Error::other(text));
    }
    let stage = Stage::set(&release()?)?;
    let mut rows: Vec<Row> = case::all(&stage)
        .into_iter()
        .filter(|case| case.name.contains(&options.case))
        .map(|case| prove(&stage, case))
        .collect::<io::Result<_>>()?;
    let rounds = options.rounds.div_ceil(PASSES);
    for pass in 0..PASSES {
        for (index, row) in rows.iter_mut().enumerate() {
            eprint!("\rpass {} of {PASSES}, case {} ", pass + 1, index + 1);
            // These take seconds a sample.
            let (rounds, passes) = match row.case.how {
                How::Each => (rounds, PASSES),
                How::Row(_) => (1, 3),
                How::Workers(..) => (1, 1),
            };
            if pass < passes {
                run(&stage, row, rounds)?;
            }
        }
    }
    eprintln!();
    std::fs::write(
        &options.json,
        format!("{:#}\n", report::json(&stage, &rows)),
    )?;
    let text = report::text(&stage, &rows);
    io::stdout().write_all(text.as_bytes())?;
    println!("JSON: {}", options.json.display());
    Ok(())
}

/// argv up to the program, of a contender of this name.
fn command(stage: &Stage, case: &Case, name: &str) -> Vec<String> {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    if name == LIMIT {
        let mut argv = vec![text(stage.at("limit"))];
        argv.extend(case.limit.iter().cloned());
        if case.arguments.is_some() {
            argv.push("--".to_owned());
        }
        return argv;
    }
    let contender = stage.contenders.iter().find(|one| one.name == name);
    let directory = contender.map_or_else(PathBuf::new, |one| one.directory.clone());
    let mut argv = vec![text(directory.join(case.applet))];
    argv.extend(case.options.iter().cloned());
    argv
}

/// The shell's questions in a namespace: what is at hand for the proof.
const QUESTIONS: &str = "id -u; grep -c . /proc/self/uid_map
for kind in mnt uts ipc net pid cgroup user time; do readlink /proc/self/ns/$kind; done";

/// Sorts out who can do the case: a contender that does something else is not compared.
fn prove(stage: &Stage, case: Case) -> io::Result<Row> {
    let mut names = vec![LIMIT.to_owned()];
    names.extend(stage.contenders.iter().map(|one| one.name.clone()));
    let mut row = Row {
        case,
        figures: Vec::new(),
        absent: Vec::new(),
    };
    for name in names {
        match doubt(stage, &row.case, &name)? {
            None => row.figures.push((name, Figures::default())),
            Some(why) => row.absent.push((name, why)),
        }
    }
    Ok(row)
}

/// Why this contender cannot be compared.
fn doubt(stage: &Stage, case: &Case, name: &str) -> io::Result<Option<String>> {
    let argv = command(stage, case, name);
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]).stdin(Stdio::null());
    if case.arguments.is_some() {
        command.args(["/bin/sh", "-c", QUESTIONS]);
    }
    if case.ordinary {
        command.uid(stage.uid).gid(stage.uid);
    }
    let output = command.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("fails without a word");
        return Ok(Some(said.to_owned()));
    }
    if case.arguments.is_none() {
        return Ok(None);
    }
    let answers = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut answers = answers.lines();
    let mut next = || answers.next().unwrap_or_default().to_owned();
    let (uid, extents, links) = (next(), next(), answers.collect::<Vec<_>>());
    let proof = &case.proof;
    if proof.uid.is_some_and(|wanted| uid != wanted.to_string()) {
        return Ok(Some(format!("the user ID is {uid}")));
    }
    if proof
        .extents
        .is_some_and(|wanted| extents != wanted.to_string())
    {
        return Ok(Some(format!("the map has {extents} extents")));
    }
    for kind in &proof.kinds {
        let prefix = format!("{kind}:");
        let seen = links.iter().find(|link| link.starts_with(&prefix));
        let of = proof.of.map_or("self".to_owned(), |pid| pid.to_string());
        let there = std::fs::read_link(format!("/proc/{of}/ns/{kind}"))?;
        let same = seen.is_some_and(|link| Path::new(link) == there);
        // A process to enter: its namespace; none: another than ours.
        if same != proof.of.is_some() {
            return Ok(Some(format!("the {kind} namespace is {seen:?}")));
        }
    }
    Ok(None)
}

/// Measures one case in a worker, and adds the samples to the row.
fn run(stage: &Stage, row: &mut Row, rounds: u64) -> io::Result<()> {
    if row.figures.is_empty() {
        return Ok(());
    }
    let case = &row.case;
    let program = stage.at("program").to_string_lossy().into_owned();
    let commands: Vec<Vec<String>> = row
        .figures
        .iter()
        .map(|(name, _)| {
            let mut argv = command(stage, case, name);
            if let Some(arguments) = &case.arguments {
                argv.push(program.clone());
                argv.extend(arguments.iter().cloned());
            }
            argv
        })
        .collect();
    let mut job = json!({
        "commands": commands, "rounds": rounds, "mounts": case.mounts, "below": stage.at("mounts"),
    });
    if case.pinned {
        job["cpu"] = (std::thread::available_parallelism().map_or(1, usize::from) - 1).into();
    }
    match case.how {
        How::Each => {}
        How::Row(row) => job["row"] = row.into(),
        How::Workers(workers, seconds) => {
            job["workers"] = workers.into();
            job["seconds"] = seconds.into();
        }
    }
    let mut worker = Command::new(stage.at("worker"));
    worker.arg(worker::WORKER);
    if case.ordinary {
        worker.uid(stage.uid).gid(stage.uid);
    }
    let answer = ask(&mut worker, &job)?;
    for ((_, figures), samples) in row.figures.iter_mut().zip(answer) {
        let take = |name: &str| serde_json::from_value::<Vec<u64>>(samples[name].clone());
        figures.times.extend(take("times")?);
        figures.faults.extend(take("faults")?);
    }
    if case.applet == "unshare" && case.proof.kinds.contains(&"net") {
        // The kernel takes network namespaces down later, in the background.
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

/// Gives the worker its job, and takes its answer.
fn ask(worker: &mut Command, job: &Value) -> io::Result<Vec<Value>> {
    let mut worker = worker
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = worker.stdin.take() {
        input.write_all(job.to_string().as_bytes())?;
    }
    let output = worker.wait_with_output()?;
    if !output.status.success() {
        return Err(io::Error::other("a worker failed"));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
