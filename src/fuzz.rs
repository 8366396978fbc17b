//! Parsers fed with what is near to real text, and far from it: none panics, and what they say holds.
//!
//! `tests/corpora` has a directory for each parser. The ordinary tests replay every file and some thousand mutations of
//! them; `make fuzz` tries as many as `NSKIT_FUZZ` says, or goes on for `NSKIT_FUZZ_SECONDS`. What is found is written
//! there, to be committed with what mends it.
//!
//! The hard thing: without a compiler that counts branches nothing says which mutation came far. So corpora hold a case of
//! each form, and mutations mix them and put in the numbers and signs at which parsers turn.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::host::accounts::{Group, User};
use crate::host::mountinfo::{self, Mount, ProcMount};
use crate::host::procfs::{Cgroup, Stat, Status};
use crate::model::idmap::RangeSpec;
use crate::model::reference::{parse_process, parse_wanted};
use crate::model::signal::Signal;
use crate::model::subid::SubIds;
use crate::model::value::{self, Setgroups, TargetPid};
use crate::model::{IdMap, binfmt, json, listing};

/// How many mutations the ordinary tests try of each corpus.
const MUTATIONS: u64 = 3_000;
/// The longest input that is made.
const LONGEST: usize = 4_096;

/// A generator of numbers that look random (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// One below this, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// What parsers turn at.
const TOKENS: [&[u8]; 36] = [
    b"0",
    b"1",
    b"-1",
    b"00",
    b"2147483647",
    b"2147483648",
    b"4294967294",
    b"4294967295",
    b"4294967296",
    b"18446744073709551615",
    b"18446744073709551616",
    b" ",
    b"  ",
    b"\t",
    b"\n",
    b"\n\n",
    b"\0",
    b":",
    b"::",
    b"=",
    b"/",
    b"//",
    b"..",
    b"[",
    b"]",
    b"\\",
    b"\\040",
    b"\\x",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"\xff",
    b"\xc3\xa9",
    b"-",
];

fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut text = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(text.len() + 1);
        let end = at + random.below((text.len() - at).min(40) + 1);
        match random.below(8) {
            0 => text.insert(at, random.next() as u8),
            1 => drop(text.drain(at..end)),
            2 => drop(text.splice(at..end, TOKENS[random.below(TOKENS.len())].iter().copied())),
            3 => drop(text.splice(at..at, TOKENS[random.below(TOKENS.len())].iter().copied())),
            4 => {
                let part = text[at..end].to_vec();
                drop(text.splice(at..at, part));
            }
            5 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                let to = from + random.below(other.len() - from + 1);
                drop(text.splice(at..end, other[from..to].iter().copied()));
            }
            6 => text.truncate(at),
            _ => {
                if let Some(byte) = text.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
        text.truncate(LONGEST);
    }
    text
}

/// Replays the corpus of this name, and tries mutations of it.
pub(crate) fn fuzz(name: &str, holds: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpora")
        .join(name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let corpus: Vec<_> = files
        .iter()
        .map(|file| std::fs::read(file).expect("a file"))
        .collect();
    assert!(!corpus.is_empty(), "{name} has no corpus");
    for (file, text) in files.iter().zip(&corpus) {
        let held = catch_unwind(AssertUnwindSafe(|| holds(text)));
        assert!(held.is_ok(), "{} does not hold", file.display());
    }
    let number = |variable: &str| -> Option<u64> {
        let text = std::env::var(variable).ok()?;
        Some(text.parse().expect("NSKIT_FUZZ and its like are numbers"))
    };
    let seconds = number("NSKIT_FUZZ_SECONDS");
    let count = number("NSKIT_FUZZ").unwrap_or(seconds.map_or(MUTATIONS, |_| u64::MAX));
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let seed = number("NSKIT_FUZZ_SEED").unwrap_or(since.as_nanos() as u64);
    eprintln!("{name}: NSKIT_FUZZ_SEED={seed}");
    let mut random = Random(seed | 1);
    let start = Instant::now();
    let is_over = |done: u64| {
        let is_late = |seconds| done.is_multiple_of(1024) && start.elapsed().as_secs() >= seconds;
        done == count || seconds.is_some_and(is_late)
    };
    let mut done = 0;
    while !is_over(done) {
        done += 1;
        let text = mutated(&corpus, &mut random);
        if catch_unwind(AssertUnwindSafe(|| holds(&text))).is_err() {
            let found = directory.join(format!("found-{seed}"));
            std::fs::write(&found, &text).expect("the corpus can be written");
            panic!(
                "NSKIT_FUZZ_SEED={seed}: {} does not hold: {:?}",
                found.display(),
                text.escape_ascii().to_string()
            );
        }
    }
    eprintln!("{name}: {done} mutations in {:.0?}", start.elapsed());
}

/// A sentence that is part of one line.
fn is_a_line(text: &str) {
    assert!(
        !text.is_empty() && !text.contains('\n') && !text.contains('\0'),
        "{text:?}"
    );
}

fn is_value<T>(result: Result<T, String>) -> Option<T> {
    result.inspect_err(|error| is_a_line(error)).ok()
}

#[test]
fn references() {
    fuzz("reference", |text| {
        let text = OsStr::from_bytes(text);
        if let Some(wanted) = is_value(parse_wanted(text)) {
            let shown = wanted.to_string();
            is_a_line(&shown);
        }
        if let Some(process) = parse_process(text) {
            is_value(process);
        }
    });
}

/// What a map in /proc says, read as one would at first: none where it has not its form.
fn obvious(text: &[u8]) -> Option<Vec<[u64; 3]>> {
    let text = std::str::from_utf8(text).ok()?;
    let lines = text.split('\n').filter(|line| !line.is_empty());
    let extents: Option<Vec<[u64; 3]>> = lines
        .map(|line| {
            let words: Vec<_> = line.split(' ').filter(|word| !word.is_empty()).collect();
            let numbers: Vec<u64> = words
                .iter()
                .filter_map(|word| {
                    word.trim_start_matches(['\t', '\n', '\x0b', '\x0c', '\r'])
                        .parse::<i128>()
                        .ok()
                })
                .filter_map(|number| u32::try_from(number).ok())
                .map(u64::from)
                .collect();
            (words.len() == 3).then_some(())?;
            numbers.try_into().ok()
        })
        .collect();
    let fits = |[inside, _, count]: &[u64; 3]| *count > 0 && inside + count <= u64::from(u32::MAX);
    extents.filter(|extents| extents.iter().all(fits))
}

#[test]
fn maps() {
    fuzz("map", |text| {
        let map = IdMap::parse(text);
        let expected = obvious(text);
        assert_eq!(map.is_some(), expected.is_some());
        let (Some(map), Some(expected)) = (map, expected) else {
            return;
        };
        let found: Vec<_> = map
            .extents()
            .iter()
            .map(|one| [one.inside(), one.outside(), one.count()].map(u64::from))
            .collect();
        assert_eq!(found, expected);
        // The edges of every extent, and what is beside them.
        for [inside, outside, count] in &expected {
            for id in [
                *inside,
                inside + count - 1,
                inside + count,
                inside.wrapping_sub(1),
                *outside,
                outside + count,
            ] {
                let Ok(id) = u32::try_from(id) else { continue };
                let at = u64::from(id);
                let is_in =
                    |[inside, _, count]: &&[u64; 3]| (*inside..inside + count).contains(&at);
                assert_eq!(map.has(id), expected.iter().any(|one| is_in(&one)), "{id}");
                let first = expected
                    .iter()
                    .find(is_in)
                    .map(|[inside, outside, _]| at - inside + outside);
                let first = first.and_then(|id| u32::try_from(id).ok());
                // The first that has a number there; one that has none does not hide another.
                if first.is_some() {
                    assert_eq!(map.outside_of(id), first, "{id}");
                }
                let is_out =
                    |[_, outside, count]: &&[u64; 3]| (*outside..outside + count).contains(&at);
                let back = expected
                    .iter()
                    .find(is_out)
                    .map(|[inside, outside, _]| at - outside + inside);
                assert_eq!(map.inside_of(id).map(u64::from), back, "{id}");
            }
        }
        assert_eq!(IdMap::parse(&map.text()).as_ref(), Some(&map));
    });
}

#[test]
fn ranges_and_other_values() {
    fuzz("value", |text| {
        let text = OsStr::from_bytes(text);
        if let Some(range) = is_value(RangeSpec::parse(text)) {
            let RangeSpec::Extent(extent) = range else {
                return;
            };
            assert!(extent.count() > 0 && extent.inside().checked_add(extent.count()).is_some());
            assert!(extent.outside().checked_add(extent.count()).is_some());
        }
        is_value(TargetPid::parse(text));
        is_value(value::Id::parse(text));
        is_value(value::seconds(text));
        is_value(value::variables(text));
        is_value(Setgroups::parse(text));
        is_value(Signal::parse(text));
        is_value(Signal::parse_forwarded(text));
        is_value(binfmt::Registration::parse(text));
        is_value(listing::kinds(text));
        is_value(listing::Columns::parse(text));
    });
}

#[test]
fn subordinate_ids() {
    fuzz("subid", |text| {
        for range in SubIds::all(text) {
            assert!(range.count() > 0 && range.first().checked_add(range.count() - 1).is_some());
        }
        let all = SubIds::all(text).count();
        assert!(SubIds::find_all(text, &[b"user"], 1000).count() <= all);
        let _ = SubIds::from_getsubids(text);
    });
}

#[test]
fn accounts() {
    fuzz("account", |text| {
        for line in text.split(|byte| *byte == b'\n') {
            if let Some(user) = User::parse(line) {
                let again = User::by_name(text, &user.name).expect("there");
                assert_eq!(again.name, user.name);
                assert!(User::by_uid(text, again.uid).any(|one| one.name == again.name));
            }
            if let Some(group) = Group::parse(line) {
                assert!(Group::by_name(text, &group.name).is_some());
            }
        }
    });
}

#[test]
fn mounts() {
    fuzz("mountinfo", |text| {
        let mounts: Vec<Mount> = Mount::parse_all(text).collect();
        assert!(mounts.len() <= text.split(|byte| *byte == b'\n').count());
        let is_absolute = |mount: &&Mount| mount.point.is_absolute();
        for mount in mounts.iter().filter(is_absolute) {
            if let Some(holding) = Mount::holding(&mounts, &mount.point) {
                assert!(mount.point.starts_with(&holding.point));
            }
            let _ = (
                Mount::over(&mounts, mount.id, &mount.point),
                mount.namespace(),
            );
        }
        let _ = ProcMount::all(&mounts);
        mountinfo::hides_processes(&mounts);
        let _ = mountinfo::mount_of_file(text);
    });
}

#[test]
fn files_of_proc() {
    fuzz("proc", |text| {
        let _ = (Status::parse(text), Stat::parse(text));
        if let Some(cgroups) = Cgroup::parse(text) {
            for cgroup in &cgroups {
                let _ = (cgroup.is_unified(), cgroup.each_controller().count());
                assert_eq!(cgroup.directory(&[]), None);
            }
        }
        let _ = mountinfo::mount_of_file(text);
    });
}

#[test]
fn states_of_containers() {
    fuzz("state", |text| {
        if let Ok([pid, start]) = json::members(text, ["init_process_pid", "init_process_start"]) {
            let _ = (
                pid.and_then(json::whole_number),
                start.and_then(json::whole_number),
            );
            // Who knows JSON well agrees that it is some, but for numbers that no machine's type holds.
            let known = serde_json::from_slice::<serde_json::Value>(text);
            let is_some =
                known.map_or_else(|error| error.to_string().contains("out of range"), |_| true);
            assert!(is_some);
        }
    });
}
