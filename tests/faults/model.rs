//! The kernel as the model: random command lines, done by the distribution's util-linux and by us; what the program finds
//! must be the same, and so must whether it runs.

use std::path::Path;

use crate::cases::User;
use crate::ground::Ground;
use crate::launch::How;

/// The word that makes this test a worker of these; then the seed, how many, the place and the binary.
pub(crate) const WORD: &str = "--model";

/// What random choices come from (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    pub(crate) fn is_one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// What both have, and mean the same by. Each with how rarely it is taken.
const UNSHARE: &[(&str, usize)] = &[
    ("-m", 2),
    ("-u", 3),
    ("-i", 3),
    ("-n", 3),
    ("-p -f", 3),
    ("-U", 3),
    ("-C", 3),
    ("-T -f", 4),
    ("-f", 4),
    ("-r", 4),
    ("-c", 6),
    ("--map-user=5", 9),
    ("--map-group=6", 9),
    ("--setgroups allow", 12),
    ("--keep-caps", 7),
    ("--propagation private", 9),
    ("--propagation slave", 9),
    ("--propagation shared", 9),
    ("--propagation unchanged", 9),
    ("--mount-proc", 5),
    ("-R @ROOT", 7),
    ("-w /tmp", 6),
    ("-w /nothing", 25),
    ("-S 0", 7),
    ("-G 0", 7),
    ("-S 4", 12),
    ("-G 5", 12),
    ("--kill-child", 9),
    ("-T -f --monotonic 5", 12),
    ("-T -f --boottime 700", 12),
    ("--uts=@F/uts", 12),
    ("--net=@F/net", 12),
    ("--ipc=@F/ipc", 12),
];

const NSENTER: &[(&str, usize)] = &[
    ("-a", 5),
    ("-m", 3),
    ("-u", 3),
    ("-i", 3),
    ("-n", 3),
    ("-p", 3),
    ("-U", 3),
    ("-C", 3),
    ("-T", 3),
    ("-r", 6),
    ("-w", 6),
    ("-r@ROOT", 9),
    ("-w/tmp", 9),
    ("-S 0", 7),
    ("-G 0", 7),
    ("-S 4", 12),
    ("-G 5", 12),
    ("--preserve-credentials", 5),
    ("-F", 9),
    ("--net=/run/netns/blue", 12),
];

/// A command line without its program.
fn line(random: &mut Random) -> String {
    let (mut words, options) = if random.is_one_in(3) {
        (
            vec![format!("nsenter -t {}", random.of(&["@A", "@U", "@O"]))],
            NSENTER,
        )
    } else {
        (vec!["unshare".to_owned()], UNSHARE)
    };
    let first = words.len();
    for (option, rarely) in options {
        if random.is_one_in(*rarely) {
            words.push((*option).to_owned());
        }
    }
    // In any order.
    for index in (first + 1..words.len()).rev() {
        let other = first + random.below(index - first + 1);
        words.swap(index, other);
    }
    words.join(" ")
}

/// What is meant to differ, and why.
fn is_known(user: User, line: &str) -> Option<&'static str> {
    let has = |beginnings: &[&str]| {
        line.split(' ')
            .any(|one| beginnings.iter().any(|begin| one.starts_with(begin)))
    };
    if has(&["--uts=", "--net=", "--ipc="]) && line.starts_with("unshare") {
        if has(&["-U", "-r", "-c", "--map", "--keep-caps", "--setgroups"]) {
            return Some("theirs binds from inside the user namespace, where it may not");
        }
        if has(&["-w"]) {
            return Some("theirs leaves what it has bound when a later step fails");
        }
    }
    let has_word = |word: &str| line.split(' ').any(|one| one == word);
    if has(&["--mount-proc"]) && has(&["-R"]) && line.contains("--propagation shared") {
        return Some("ours makes /proc private first, so that the new one is nowhere else");
    }
    if line.starts_with("nsenter") {
        if has_word("-r") && has(&["-r@"]) || has_word("-w") && has(&["-w/"]) {
            return Some("theirs takes the target's, and not what comes last");
        }
        if has(&["--net="]) && has(&["-n", "-a"]) {
            return Some("theirs takes the one that comes last, a file or the target's");
        }
        if user == User::Ordinary && line.contains("@O") && has(&["-a"]) {
            return Some(
                "theirs enters those that are its own already, which an ordinary user may not",
            );
        }
        if user == User::Ordinary && !has(&["-a"]) {
            return Some("ours enters the user namespace that owns what is asked for");
        }
        if !has(&[
            "-a", "-m", "-u", "-i", "-n", "-p", "-U", "-C", "-T", "--net=",
        ]) {
            return Some("theirs enters nothing and runs the program");
        }
    }
    None
}

/// What the program found, but for what theirs binds beside it when it may be running already.
fn without_binds(line: &str, found: &str) -> String {
    let binds = ["--uts=", "--net=", "--ipc="];
    let is_beside = line.contains(" -f") && binds.iter().any(|bind| line.contains(bind));
    let lines = found
        .lines()
        .filter(|one| !(is_beside && one.ends_with(" - nsfs nsfs rw")));
    lines.map(|one| format!("{one}\n")).collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Came {
    runs: bool,
    out: String,
    files: Vec<String>,
    mounts: Vec<String>,
}

pub(crate) fn work(words: impl Iterator<Item = String>) -> i32 {
    let words: Vec<_> = words.collect();
    let [seed, count, place, binary] = &words[..] else {
        panic!("four arguments");
    };
    let ground = Ground::new(Path::new(place), Path::new(binary));
    let mut random = Random::new(seed.parse().expect("a seed"));
    let run = |user, line: &str| {
        ground.reset(user);
        let ended = ground
            .command(How::Plain, user, line)
            .status()
            .expect("it starts");
        let outside = ground.outside();
        let came = Came {
            runs: ended.code() == Some(7),
            out: without_binds(line, &ground.written("out")),
            files: outside.files,
            mounts: outside.mounts,
        };
        (came, ended, ground.written("err"))
    };
    let (mut both, mut differ) = (0, 0);
    let count: u32 = count.parse().expect("a number");
    for _ in 0..count {
        let user = if random.is_one_in(2) {
            User::Root
        } else {
            User::Ordinary
        };
        let line = line(&mut random);
        if is_known(user, &line).is_some() {
            continue;
        }
        let (theirs, their_end, their_error) = run(user, &format!("theirs/{line} @STATE"));
        let (ours, our_end, our_error) = run(user, &format!("{line} @STATE"));
        both += u32::from(theirs.runs && ours.runs);
        // How far each came before it failed is its own affair.
        if theirs == ours || !theirs.runs && !ours.runs {
            continue;
        }
        differ += 1;
        if differ <= 10 {
            println!(
                "{user:?}: {line}\n  theirs {their_end} {their_error:?}\n  ours   {our_end} {our_error:?}"
            );
            for (theirs, ours) in theirs.out.lines().zip(ours.out.lines()) {
                if theirs != ours {
                    println!("    - {theirs}\n    + {ours}");
                }
            }
            if (&theirs.files, &theirs.mounts) != (&ours.files, &ours.mounts) {
                println!("    outside differs");
            }
        }
    }
    println!("seed {seed}: {differ} of {count} lines differ; the program ran of both in {both}");
    // A test in which nothing runs would find nothing.
    i32::from(differ > 0 || both < count / 8)
}
