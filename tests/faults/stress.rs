//! Many at once, with random kills, in a PID namespace whose numbers soon come again: nothing stays, and nobody ends up
//! in the namespaces of two processes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::cases::User;
use crate::ground::Ground;
use crate::launch::How;
use crate::model::Random;
use crate::tracer::processes;

/// The word that makes this test a worker of these; then which, the seed, how many runs, the place and the binary.
pub(crate) const WORD: &str = "--stress";

/// What is tried.
pub(crate) const SORTS: [&str; 4] = [
    "killed_at_random",
    "numbers_come_again",
    "seen_while_they_come_and_go",
    "many_entered_at_once",
];

/// How long everything may take to end: it takes milliseconds.
const LIMIT: Duration = Duration::from_secs(100);

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
    // Since Linux 6.14 each PID namespace has its own.
    if sort == "numbers_come_again" && fs::write("/proc/sys/kernel/pid_max", "400").is_err() {
        println!("note: PIDs are not few here");
    }
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

    /// Eight at a time; at random moments a random one of all their processes is killed.
    fn killed_at_random(&mut self) {
        let lines = [
            (User::Ordinary, "unshare -Urpf --mount-proc /bin/true"),
            (User::Ordinary, "unshare -Ur --init /bin/true"),
            (User::Ordinary, "unshare --map-auto -r -f /bin/true"),
            (User::Root, "unshare -pf --kill-child /bin/true"),
            (User::Root, "nsenter -t @A -a /bin/true"),
        ];
        let mut running: Vec<Child> = Vec::new();
        for _ in 0..self.count {
            let (user, line) = lines[self.random.below(lines.len())];
            running.push(self.start(user, line));
            let others = self.others();
            if self.random.is_one_in(2) && !others.is_empty() {
                let signal =
                    [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGHUP][self.random.below(3)];
                let pid = others[self.random.below(others.len())];
                let _ = kill(Pid::from_raw(pid), signal);
            }
            if running.len() == 8 {
                let ended = running.remove(self.random.below(8)).wait();
                self.done += u32::from(ended.is_ok_and(|status| status.success()));
            }
        }
        for mut child in running {
            self.done += u32::from(child.wait().is_ok_and(|status| status.success()));
        }
    }

    /// The target ends, and others get its number: who enters is in all of its namespaces, or in none.
    fn numbers_come_again(&mut self) {
        for _ in 0..self.count {
            let mut target = self.start(User::Root, "unshare -un sleep infinity");
            let pid = target.id().to_string();
            let is_there = |name: &str| fs::read_link(format!("/proc/{pid}/ns/{name}")).ok();
            let own = fs::read_link("/proc/self/ns/uts").ok();
            let start = Instant::now();
            while is_there("uts") == own && start.elapsed() < LIMIT {
                std::thread::yield_now();
            }
            let [uts, net] = ["uts", "net"].map(is_there);
            let how = ["-u -n", "-n -u -i -m", "-a"][self.random.below(3)];
            let mut command = self.command(User::Root, &format!("nsenter -t {pid} {how} @STATE"));
            let entering = command.stdout(Stdio::piped()).spawn().expect("it starts");
            for _ in 0..self.random.below(3000) {
                std::hint::spin_loop();
            }
            let _ = (target.kill(), target.wait());
            // Until its number is another's.
            for _ in 0..self.random.below(40) {
                let _ = Command::new("/bin/true").status();
            }
            let output = entering.wait_with_output().expect("it ends");
            let said = String::from_utf8_lossy(&output.stdout);
            let link = |name: &str| {
                let line = said
                    .lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                line.map(std::path::PathBuf::from)
            };
            let found = [link("uts"), link("net")];
            self.done += u32::from(output.status.code() == Some(7));
            if output.status.code() == Some(7) && found != [uts, net] {
                self.wrong.push(format!("{how}: in {found:?}"));
            }
        }
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
            let output = command.stderr(Stdio::piped()).output().expect("it starts");
            if !output
                .status
                .code()
                .is_some_and(|status| (0..=most).contains(&status))
            {
                let said = String::from_utf8_lossy(&output.stderr);
                self.wrong.push(format!("{line}: {} {said}", output.status));
            } else {
                self.done += 1;
            }
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
