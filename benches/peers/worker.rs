//! One case, measured in a process of its own: as another user, pinned, with more mounts, as it asks.
//!
//! The hard thing: what disturbs must disturb all alike. So the contenders take turns, and each follows each other
//! equally often: what the one before has left in caches, and to be freed later, is a part of what a start takes.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::start::Program;

/// The argument that makes this program a worker.
pub(crate) const WORKER: &str = "--worker";

/// Reads a job from standard input, does it, and prints the samples of each contender.
///
/// A job: `commands` (argv of each contender), `rounds`, `row` (starts that make one sample), `workers` and
/// `seconds` (starts at the same time, instead of rounds), `cpu` (to be pinned to), and `mounts` (to be
/// added, in a mount namespace of our own, below the directory `below`).
///
/// # Errors
/// When the job cannot be done as it stands, or a contender fails.
pub(crate) fn work() -> io::Result<()> {
    let mut job = String::new();
    io::stdin().read_to_string(&mut job)?;
    let job: Value = serde_json::from_str(&job)?;
    let commands: Vec<Vec<String>> = serde_json::from_value(job["commands"].clone())?;
    let number = |name: &str| job[name].as_u64().unwrap_or(0);

    // What contenders print (--help) goes nowhere; our answer goes where standard output went.
    let answer = nix::unistd::dup(io::stdout())?;
    nix::fcntl::fcntl(
        answer.as_fd(),
        nix::fcntl::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC),
    )?;
    let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null")?;
    nix::unistd::dup2_stdout(&nowhere)?;

    add_mounts(number("mounts"), job["below"].as_str().unwrap_or_default())?;
    if let Some(cpu) = job["cpu"].as_u64() {
        let mut set = CpuSet::new();
        set.set(usize::try_from(cpu).map_err(io::Error::other)?)?;
        sched_setaffinity(Pid::from_raw(0), &set)?;
    }
    let samples = if number("workers") > 0 {
        at_the_same_time(&commands, number("workers"), number("seconds"))?
    } else {
        in_turn(&commands, number("rounds"), number("row").max(1))?
    };
    let mut answer = std::fs::File::from(answer);
    answer.write_all(Value::from(samples).to_string().as_bytes())
}

fn add_mounts(count: u64, below: &str) -> io::Result<()> {
    use nix::mount::{MsFlags, mount};
    if count == 0 {
        return Ok(());
    }
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    for number in 0..count {
        let place = format!("{below}/{number}");
        std::fs::create_dir_all(&place)?;
        mount(
            Some("bench"),
            place.as_str(),
            Some("tmpfs"),
            MsFlags::empty(),
            None::<&str>,
        )?;
    }
    Ok(())
}

/// How many runs of each contender go before the first that counts.
const WARM_UP: u64 = 3;

/// In which order so many contenders run in this round. Over twice as many rounds as there are contenders each follows each
/// other equally often, and begins equally often (a Williams design).
fn order(count: usize, round: usize) -> Vec<usize> {
    // 0, 1, last, 2, last but one, …: no distance comes twice.
    let zigzag = (0..count).map(|turn| match turn % 2 {
        0 => count - turn / 2,
        _ => turn / 2 + 1,
    });
    let mut order: Vec<usize> = zigzag.map(|index| (index + round) % count).collect();
    if round / count % 2 == 1 {
        order.reverse();
    }
    order
}

fn in_turn(commands: &[Vec<String>], rounds: u64, row: u64) -> io::Result<Vec<Value>> {
    let programs: Vec<Program> = commands.iter().map(|argv| Program::new(argv)).collect();
    let mut times = vec![Vec::new(); programs.len()];
    let mut faults = vec![Vec::new(); programs.len()];
    for round in 0..WARM_UP + rounds {
        for index in order(programs.len(), usize::try_from(round).unwrap_or(0)) {
            let (mut time, mut fault) = (0, 0);
            // A warm-up needs no long row.
            let starts = if round < WARM_UP { 1 } else { row };
            for _ in 0..starts {
                let sample = programs[index]
                    .run()
                    .map_err(|error| named(&commands[index], &error))?;
                time += sample.nanoseconds;
                fault += sample.faults;
            }
            if round >= WARM_UP {
                times[index].push(time / row);
                faults[index].push(fault / row);
            }
        }
    }
    let both = times.into_iter().zip(faults);
    Ok(both
        .map(|(times, faults)| json!({"times": times, "faults": faults}))
        .collect())
}

/// As many starts as go in the time; one sample a contender: the time divided by their number.
fn at_the_same_time(
    commands: &[Vec<String>],
    workers: u64,
    seconds: u64,
) -> io::Result<Vec<Value>> {
    let one = |argv: &Vec<String>| {
        let start = Instant::now();
        let end = start + Duration::from_secs(seconds);
        let count = std::thread::scope(|scope| {
            let busy = || {
                let program = Program::new(argv);
                let mut count = 0_u64;
                while Instant::now() < end {
                    program.run().map_err(|error| named(argv, &error))?;
                    count += 1;
                }
                Ok(count)
            };
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(busy)).collect();
            let counts = threads
                .into_iter()
                .map(|thread| thread.join().expect("a worker does not panic"));
            counts.sum::<io::Result<u64>>()
        })?;
        let time = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Ok(json!({"times": [time / count.max(1)], "faults": []}))
    };
    commands.iter().map(one).collect()
}

fn named(argv: &[String], error: &io::Error) -> io::Error {
    let first: Vec<&str> = argv.iter().take(6).map(String::as_str).collect();
    io::Error::other(format!("{}: {error}", first.join(" ")))
}
