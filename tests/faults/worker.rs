//! Runs one command line again and again, each time with another fault; one thread, and PID 1 of a PID namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cases::{CASES, Case, Kind};
use crate::fault::{Fault, SIGNALS, What, errors, name};
use crate::ground::Ground;
use crate::judge::{Seen, wrong};
use crate::launch::How;
use crate::tracer::{Call, Tracer};

/// The word that makes this test a worker; then the case, the sort of faults, which of them, the place and the binary.
pub(crate) const WORD: &str = "--worker";

/// The sorts of faults.
pub(crate) const SORTS: [&str; 2] = ["fails", "signalled"];

/// How many failures are shown, of each sort one.
const SHOWN: usize = 40;

pub(crate) fn work(words: impl Iterator<Item = String>) -> i32 {
    let words: Vec<_> = words.collect();
    let [case, sort, which, place, binary] = &words[..] else {
        panic!("five arguments");
    };
    let case = CASES
        .iter()
        .find(|known| known.name == case)
        .expect("a case");
    let ground = Ground::new(Path::new(place), Path::new(binary));
    let tracer = Tracer::new(ground.binary());
    let run = |case: &Case, fault: Option<&Fault>| {
        ground.reset(case.user);
        let traced = tracer.run(
            &mut ground.command(How::Traced, case.user, case.line),
            fault,
        );
        Seen {
            traced,
            out: ground.written("out"),
            err: ground.written("err"),
            status: ground.written("status"),
            outside: ground.outside(),
        }
    };
    ground.reset(case.user);
    let before = ground.outside();
    let right = run(case, None);
    if let Some(why) = not_right(case, &right) {
        println!("without a fault: {why}\n{}", show(&right));
        return 1;
    }
    // What fails to execute the program has done all else by then, and may be killed just after.
    let whole = match case.kind {
        Kind::Fails => {
            let (line, _) = case.line.rsplit_once(' ').expect("a program");
            let line = &*format!("{line} @STATE").leak();
            run(&Case { line, ..*case }, None).outside
        }
        Kind::Runs | Kind::Prints => right.outside.clone(),
    };
    if let Ok(fault) = which.parse::<Fault>() {
        let seen = run(case, Some(&fault));
        println!("without:\n{}\nwith {fault}:\n{}", show(&right), show(&seen));
        println!("{:?}", wrong(case, &fault, &before, &whole, &right, &seen));
        return 1;
    }
    let calls = without_repetitions(case, &right.traced.calls);
    let faults: Vec<_> = calls.iter().flat_map(|call| faults(call, sort)).collect();
    let (mut done, mut failed) = (0, 0);
    let mut shown = BTreeSet::new();
    for fault in chosen(&faults, which) {
        let seen = run(case, Some(fault));
        done += 1;
        let Some(why) = wrong(case, fault, &before, &whole, &right, &seen) else {
            continue;
        };
        failed += 1;
        let hit = seen.traced.hit.as_ref();
        let hit = hit.map_or_else(|| "nothing hit".to_owned(), |call| name(call.number));
        let is_new = shown.insert((hit.clone(), format!("{:?}", fault.what), why.clone()));
        if is_new && shown.len() <= SHOWN {
            println!("{fault} ({hit}): {why}\n{}", show_briefly(&right, &seen));
        }
    }
    println!("{failed} of {done} runs of {} went wrong", case.line);
    i32::from(failed > 0)
}

/// What is wrong with a run without a fault: then nothing can be told from the others.
fn not_right(case: &Case, right: &Seen) -> Option<&'static str> {
    use crate::tracer::Ended;
    let ended = right.traced.ended;
    match case.kind {
        Kind::Runs if ended != Ended::Exited(7) || !right.out.ends_with("end\n") => {
            Some("the program does not run")
        }
        Kind::Fails if !matches!(ended, Ended::Exited(1..)) => Some("it does not fail"),
        Kind::Prints if !matches!(ended, Ended::Exited(0 | 1)) => Some("it fails"),
        _ if !right.traced.left.is_empty() => Some("processes stay"),
        _ => None,
    }
}

/// What makes the same call hundreds of times, once for each process that it sees or in each child that tries something,
/// is tried at the first ones, and at some of the others.
fn without_repetitions<'a>(case: &Case, calls: &'a [Call]) -> Vec<&'a Call> {
    let mut seen: BTreeMap<(&str, i64), u32> = BTreeMap::new();
    let mut tried = Vec::new();
    for call in calls {
        let (process, most) = match case.kind {
            Kind::Prints if call.process != "0" => ("any child", 4),
            Kind::Prints => ("0", 4),
            _ => (&*call.process, 8),
        };
        let times = seen.entry((process, call.number)).or_default();
        *times += 1;
        if *times <= most || times.is_power_of_two() {
            tried.push(call);
        }
    }
    tried
}

/// What can happen at a call.
fn faults(call: &Call, sort: &str) -> Vec<Fault> {
    let what: Vec<_> = match sort {
        "fails" => errors(call.number).into_iter().map(What::Fails).collect(),
        _ => SIGNALS.map(What::Gets).into(),
    };
    let fault = |what| Fault {
        process: call.process.clone(),
        call: call.index,
        what,
    };
    what.into_iter().map(fault).collect()
}

/// All, or one of several equal parts.
fn chosen<'a>(faults: &'a [Fault], which: &str) -> impl Iterator<Item = &'a Fault> {
    let (part, of) = match which.split_once('/') {
        Some((part, of)) => (
            part.parse().expect("a number"),
            of.parse().expect("a number"),
        ),
        None => {
            assert_eq!(
                which, "all",
                "NSKIT_FAULTS is `all`, PART/OF, or PROCESS:CALL:ERRNO|SIGNAL"
            );
            (0, 1)
        }
    };
    faults.iter().skip(part).step_by(of)
}

fn show(seen: &Seen) -> String {
    let mut text = String::new();
    for call in &seen.traced.calls {
        let Call {
            process,
            index,
            arguments,
            ..
        } = call;
        text.push_str(&format!(
            "  {process}:{index} {} {arguments:x?}\n",
            name(call.number)
        ));
    }
    text + &format!(
        "  {:?} left {:?}\n  out {}\n  err {}\n  status {}\n  {:#?}\n",
        seen.traced.ended, seen.traced.left, seen.out, seen.err, seen.status, seen.outside
    )
}

/// What differs.
fn show_briefly(right: &Seen, seen: &Seen) -> String {
    let mut text = format!("    {:?} {:?}\n", seen.traced.ended, seen.err);
    if seen.status != right.status {
        text.push_str(&format!("    status {:?}\n", seen.status));
    }
    let differing = |name: &str, right: &[String], seen: &[String]| {
        let less = right
            .iter()
            .filter(|line| !seen.contains(line))
            .map(|line| format!("    {name} - {line}\n"));
        let more = seen
            .iter()
            .filter(|line| !right.contains(line))
            .map(|line| format!("    {name} + {line}\n"));
        less.chain(more).take(8).collect::<String>()
    };
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    text.push_str(&differing("out", &lines(&right.out), &lines(&seen.out)));
    text.push_str(&differing(
        "file",
        &right.outside.files,
        &seen.outside.files,
    ));
    text.push_str(&differing(
        "mount",
        &right.outside.mounts,
        &seen.outside.mounts,
    ));
    // Where they first differ: a line may be there twice.
    for (right, seen) in [
        (lines(&right.out), lines(&seen.out)),
        (right.outside.files.clone(), seen.outside.files.clone()),
        (right.outside.mounts.clone(), seen.outside.mounts.clone()),
    ] {
        let count = right.len().max(seen.len());
        let differs = |at: &usize| right.get(*at) != seen.get(*at);
        if let Some(at) = (0..count).find(differs) {
            text.push_str(&format!(
                "    first {:?} | {:?}\n",
                right.get(at),
                seen.get(at)
            ));
        }
    }
    text
}
