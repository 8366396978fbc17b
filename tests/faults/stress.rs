//! Many at once, with random kills, and PIDs that come again: nothing stays, and nobody ends up in the namespaces of two
//! processes.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::cases::User;
use crate::fault::{Fault, What};
use crate::ground::Ground;
use crate::launch::How;
use crate::model::Random;
use crate::tracer::{Ended, Tracer, processes};

/// The word that makes this test a worker of these; then which, the seed, how many runs, the place and the binary.
pub(crate) const WORD: &str = "--stress";

/// What is tried, and beyond [`EACH`] runs what part of them each does: a run of the first takes some milliseconds and has
/// what is random in it, a listing beside all that comes and goes takes twenty times longer.
pub(crate) const SORTS: [(&str, u64); 4] = [
    ("killed_at_random", 1),
    ("numbers_come_again", 10),
    ("seen_while_they_come_and_go", 50),
    ("many_entered_at_once", 10),
];

/// So many runs each sort does where as many are asked for.
const EACH: u64 = 1_000;

/// How many runs a worker does: then it says whether all was well, and what a run that is ended has shown is not lost.
const BATCH: u64 = 10_000;

/// The batches of a sort when so many runs are asked for.
pub(crate) fn batches(runs: u64, part: u64) -> Vec<u64> {
    let mut left = (runs / part).max(runs.min(EACH));
    let mut batches = Vec::new();
    while left > 0 {
        batches.push(left.min(BATCH));
        left -= left.min(BATCH);
    }
    batches
}

/// How long everything may take to end: it takes milliseconds.
const LIMIT: Duration = Duration::from_secs(100);

/// Who is entered, and has its own of these kinds.
const TARGET: &str = "unshare -un sleep infinity";
const LINKS: [&str; 2] = ["uts", "net"];
/// How it is entered.
const HOW: [&str; 3] = ["-u -n", "-n -u -i -m", "-a"];

struct Stress {
    ground: Ground,
    random: Random,
    count: u32,
    /// What is there before.
    standing: BTreeSet<i32>,
    wrong: Vec<String>,
    /// Runs that did what they were to do.
    done: u32,
}

pub(crate) fn work(words: impl Iterator<Item = String>) -> i32 {
    let words: Vec<_> = words.collect();
    let [sort, seed, count, place, binary] = &words[..] else {
        panic!("five arguments");
    };
    let ground = Ground::new(Path::new(place), Path::new(binary));
    ground.reset(User::Root);
    let mut stress = Stress {
        ground,
        random: Random::new(seed.parse().expect("a seed")),
        count: count.parse().expect("a number"),
        standing: processes(),
        wrong: Vec::new(),
        done: 0,
    };
    let before = stress.ground.outside();
    match &**sort {
        "killed_at_random" => stress.killed_at_random(),
        "numbers_come_again" => stress.numbers_come_again(),
        "seen_while_they_come_and_go" => stress.seen_while_they_come_and_go(),
        _ => stress.many_entered_at_once(),
    }
    stress.nothing_stays();
    if stress.ground.outside() != before {
        stress.wrong.push("something stays outside".to_owned());
    }
    let wrong = stress.wrong.len();
    // What never came to its end well would show nothing.
    if stress.done * 8 < stress.count {
        stress.wrong.push(format!(
            "only {} of {count} runs came to their end",
            stress.done
        ));
    }
    let wrong = stress.wrong.len().max(wrong);
    for why in stress.wrong.iter().take(10) {
        println!("{why}");
    }
    println!("seed {seed}: {wrong} wrong of {count} runs");
    i32::from(wrong > 0)
}

impl Stress {
    fn command(&self, user: User, line: &str) -> Command {
        let mut command = self.ground.launcher(How::Plain, user, line);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn start(&self, user: User, line: &str) -> Child {
        self.command(user, line).spawn().expect("it starts")
    }

    /// Those that are there now and were not before.
    fn others(&self) -> Vec<i32> {
        processes().difference(&self.standing).copied().collect()
    }

    /// Everything ends by itself.
    fn nothing_stays(&mut self) {
        let start = Instant::now();
        loop {
            while !matches!(
                waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)),
                Ok(WaitStatus::StillAlive) | Err(_)
            ) {}
            let others = self.others();
            if others.is_empty() {
                return;
            }
            if start.elapsed() > LIMIT {
                self.wrong.push(format!("processes stay: {others:?}"));
                for pid in others {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                }
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How a run ended, if it did.
    fn end_of(&mut self, child: &mut Child) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            match child.try_wait().expect("our child") {
                Some(status) => return Some(status),
                None => std::thread::sleep(Duration::from_micros(100)),
            }
        }
        let pid = child.id();
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let at = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
        self.wrong.push(format!(
            "{} does not end, at system call {at}",
            line.replace('\0', " ")
        ));
        let _ = (child.kill(), child.wait());
        None
    }

    /// Eight at a time; at random moments a random one of all their processes is killed. The first line is run as often as
    /// is asked for; among those the others, a fifth of all.
    fn killed_at_random(&mut self) {
        let first = (User::Ordinary, "unshare -Urpf --mount-proc /bin/true");
        let others = [
            (User::Ordinary, "unshare -Ur --init /bin/true"),
            (User::Ordinary, "unshare --map-auto -r -f /bin/true"),
            (User::Root, "unshare -pf --kill-child /bin/true"),
            (User::Root, "nsenter -t @A -a /bin/true"),
        ];
        let mut running: Vec<Child> = Vec::new();
        let mut of_first = 0;
        while of_first < self.count {
            let (user, line) = match self.random.is_one_in(5) {
                true => others[self.random.below(others.len())],
                false => first,
            };
            of_first += u32::from(line == first.1);
            running.push(self.start(user, line));
            let others = self.others();
            if self.random.is_one_in(2) && !others.is_empty() {
                let signal =
                    [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGHUP][self.random.below(3)];
                let pid = others[self.random.below(others.len())];
                let _ = kill(Pid::from_raw(pid), signal);
            }
            if running.len() == 8 {
                let mut child = running.remove(self.random.below(8));
                let status = self.end_of(&mut child);
                self.done += u32::from(status.is_some_and(|status| status.success()));
            }
        }
        for mut child in running {
            let status = self.end_of(&mut child);
            self.done += u32::from(status.is_some_and(|status| status.success()));
        }
    }

    /// The target ends at each call of who enters, and another process gets its number: who enters is in all namespaces of
    /// one of them, or in none.
    fn numbers_come_again(&mut self) {
        let mut calls = [0; HOW.len()];
        let (mut entered, mut failed) = (0, 0);
        for run in 0..self.count as usize {
            let (number, how) = (run % HOW.len(), HOW[run % HOW.len()]);
            let mut first = self.start(User::Root, TARGET);
            let pid = first.id();
            let of_first = self.links_of_target(pid);
            // Whoever has the number is not to end with the run.
            let tracer = Tracer::new(self.ground.binary());
            let mut command = self.ground.command(
                How::Traced,
                User::Root,
                &format!("nsenter -t {pid} {how} @STATE"),
            );
            let (mut second, mut of_second) = (None, None);
            let fault = Fault {
                process: "0".to_owned(),
                call: run * calls[number] / self.count as usize,
                what: What::IsHeld,
            };
            // Without it first, which tells how many calls there are.
            let fault = (calls[number] > 0).then_some(&fault);
            let traced = tracer.run_and(&mut command, fault, &mut || {
                let _ = (first.kill(), first.wait());
                second = Some(self.start_as(pid, TARGET));
                of_second = Some(self.links_of_target(pid));
            });
            for mut target in [Some(first), second].into_iter().flatten() {
                let _ = (target.kill(), target.wait());
            }
            let of_our_process = traced.calls.iter().filter(|call| call.process == "0");
            calls[number] = calls[number].max(of_our_process.count());
            let said = self.ground.written_with_numbers("out");
            let found = LINKS.map(|kind| {
                let line = said.lines();
                let mut link = line.filter_map(|line| line.strip_prefix(kind)?.strip_prefix(": "));
                link.next().map(PathBuf::from)
            });
            let is_told = self.ground.written("err").starts_with("nsenter: ");
            let is_well = match traced.ended {
                Ended::Exited(7) => {
                    entered += 1;
                    found == of_first || Some(&found) == of_second.as_ref()
                }
                Ended::Exited(1..) => {
                    failed += 1;
                    is_told && said.is_empty() && of_second.is_some()
                }
                _ => false,
            };
            self.done += 1;
            if !is_well || !traced.left.is_empty() {
                let at = fault.map_or_else(String::new, Fault::to_string);
                let why = format!(
                    "{how} {at}: {:?} in {found:?}, of {of_first:?} or {of_second:?}",
                    traced.ended
                );
                self.wrong.push(why);
            }
        }
        // The exchange comes before the target was opened, and after.
        if self.count >= 24 && (entered == 0 || failed == 0) {
            self.wrong
                .push(format!("{entered} entered, {failed} failed"));
        }
    }

    /// The namespaces of a target, when it is in its own.
    fn links_of_target(&self, pid: u32) -> [Option<PathBuf>; LINKS.len()] {
        let links = || LINKS.map(|kind| fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok());
        let own = LINKS.map(|kind| fs::read_link(format!("/proc/self/ns/{kind}")).ok());
        let start = Instant::now();
        loop {
            let found = links();
            let are_its = found.iter().zip(&own);
            if are_its
                .clone()
                .all(|(its, own)| its.is_some() && its != own)
            {
                return found;
            }
            assert!(
                start.elapsed() < LIMIT,
                "a target comes into its namespaces"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Starts a process with this number (proc_sys_kernel(5), `ns_last_pid`).
    fn start_as(&self, pid: u32, line: &str) -> Child {
        for _ in 0..1000 {
            fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).expect("root can");
            let mut child = self.start(User::Root, line);
            if child.id() == pid {
                return child;
            }
            let _ = (child.kill(), child.wait());
        }
        panic!("number {pid} does not come again");
    }

    /// Listings and the doctor, while processes start and end all the time.
    fn seen_while_they_come_and_go(&mut self) {
        let coming = "while :; do /bin/true; /bin/true & done";
        let mut churn: Vec<Child> = (0..2)
            .map(|_| {
                Command::new("sh")
                    .args(["-c", coming])
                    .spawn()
                    .expect("sh starts")
            })
            .collect();
        let lines = [
            ("setns --show", 0),
            ("setns --show --json --processes", 0),
            ("setns --show --tree", 0),
            ("setns --show @A", 0),
            ("nskit doctor --quiet", 1),
        ];
        for run in 0..self.count as usize {
            let (line, most) = lines[run % lines.len()];
            let mut command = self.command(User::Root, line);
            let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
            let Some(status) = self.end_of(&mut child) else {
                continue;
            };
            if status.code().is_some_and(|code| (0..=most).contains(&code)) {
                self.done += 1;
                continue;
            }
            let mut said = String::new();
            let mut errors = child.stderr.take().expect("a pipe");
            let _ = errors.read_to_string(&mut said);
            self.wrong.push(format!("{line}: {status} {said}"));
        }
        for child in &mut churn {
            let _ = (child.kill(), child.wait());
        }
    }

    /// 24 sets of namespaces, each entered by one while the others are.
    fn many_entered_at_once(&mut self) {
        const SETS: usize = 24;
        let mut entered = 0;
        while entered < self.count {
            let mut targets: Vec<Child> = (0..SETS)
                .map(|_| self.start(User::Root, "unshare -muinC sleep infinity"))
                .collect();
            let entering: Vec<_> = targets
                .iter()
                .map(|target| {
                    let name = format!("/proc/{}/comm", target.id());
                    let start = Instant::now();
                    while fs::read_to_string(&name).ok().as_deref() != Some("sleep\n")
                        && start.elapsed() < LIMIT
                    {
                        std::thread::yield_now();
                    }
                    let link =
                        |kind: &str| fs::read_link(format!("/proc/{}/ns/{kind}", target.id())).ok();
                    let links = ["mnt", "uts", "net"].map(link);
                    let mut command =
                        self.command(User::Root, &format!("nsenter -t {} -a @STATE", target.id()));
                    (
                        links,
                        command.stdout(Stdio::piped()).spawn().expect("it starts"),
                    )
                })
                .collect();
            for (links, child) in entering {
                let output = child.wait_with_output().expect("it ends");
                let said = String::from_utf8_lossy(&output.stdout);
                let are_there = ["mnt", "uts", "net"]
                    .iter()
                    .zip(&links)
                    .all(|(kind, link)| {
                        link.as_ref().is_some_and(|link| {
                            said.contains(&format!("{kind}: {}", link.display()))
                        })
                    });
                if output.status.code() != Some(7) || !are_there {
                    self.wrong
                        .push(format!("not all entered: {}", output.status));
                }
                entered += 1;
                self.done += 1;
            }
            for target in &mut targets {
                let _ = (target.kill(), target.wait());
            }
        }
    }
}
