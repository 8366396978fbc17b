//! Whether what is printed tells of what happened: part by part it is as without, or says why it is not.
//!
//! The hard thing: other true answers. Each that is let pass stands here, with its reason.

use crate::cases::Case;
use crate::judge::Seen;

/// What is printed, without the numbers and the order that change from run to run.
pub(crate) fn shape(text: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let words = line.split(|c: char| c.is_ascii_digit() || c.is_whitespace());
        words
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut lines: Vec<_> = text.lines().map(of_line).collect();
    lines.sort();
    lines
}

/// Words by which what is printed tells that something failed, or was not found out.
const TELLING: &[&str] = &[
    // Errors, as they are worded and as they are named.
    "Operation not permitted",
    "Function not implemented",
    "Cannot allocate memory",
    "Interrupted system call",
    "Resource temporarily unavailable",
    "Too many open files",
    "EPERM",
    "ENOSYS",
    "ENOMEM",
    "EINTR",
    "EAGAIN",
    "EMFILE",
    // What an error elsewhere leads to: a helper that has ended, another way that does not lead there.
    "the helper outside is gone",
    "cannot change root directory to",
    // The verdict, and what takes the place of a fact.
    "unknown",
    "cannot be seen",
    "cannot be read",
    "cannot be told",
    "could not be looked at",
    "unreadable_processes\":1",
    "is refused whatever its arguments",
    "none of those known",
    "it ended without a word",
    "ended it",
    "failed: killed by signal",
];

fn telling(text: &str) -> usize {
    TELLING
        .iter()
        .map(|words| text.matches(words).count())
        .sum()
}

/// Other true answers of the doctor: the call, if it is only one, what the answer then has, and why.
const ANOTHER_ANSWER: &[(Option<i64>, &str)] = &[
    // Where PATH is searched, the next file of that name is taken, as execvp(3) does.
    (Some(libc::SYS_faccessat2), "/bin/new"),
    // What /proc does not say capget(2) does.
    (None, "capget(2) says"),
    // A namespace of PID 1 that cannot be compared with ours is taken for another.
    (Some(libc::SYS_stat), "nsenter -t 1 -a ("),
];

/// The answer in parts, each of which stands for itself: of the doctor a check with what is below it, else all of it.
fn parts(case: &Case, text: &str) -> Vec<String> {
    if !case.line.ends_with("doctor") {
        return vec![text.to_owned()];
    }
    let mut parts: Vec<String> = Vec::new();
    for line in text.lines() {
        match parts.last_mut() {
            Some(part) if line.starts_with("          ") => {
                part.push('\n');
                part.push_str(line);
            }
            _ => parts.push(line.to_owned()),
        }
    }
    parts
}

/// What a part is about: a check's title, or the line itself.
fn title(part: &str) -> String {
    let line = part.lines().next().unwrap_or_default();
    let behind = line
        .split_once(" told ")
        .or_else(|| line.split_once(" tried "));
    let title = behind.map_or(line, |(_, title)| title);
    let end = title.find([':', ',']).unwrap_or(title.len());
    title[..end].trim().to_owned()
}

/// The first part that is another than without the fault, and does not tell why.
pub(crate) fn untold(case: &Case, right: &Seen, seen: &Seen) -> Option<String> {
    let (of_right, of_seen) = (parts(case, &right.out), parts(case, &seen.out));
    let call = seen.traced.hit.as_ref().map(|call| call.number);
    for part in &of_right {
        let others: Vec<_> = of_seen
            .iter()
            .filter(|other| title(other) == title(part))
            .collect();
        let is_there = others.iter().any(|other| shape(other) == shape(part));
        let is_told = others.iter().any(|other| {
            telling(other) > telling(part)
                || has_less_causes(other, part)
                || ANOTHER_ANSWER
                    .iter()
                    .any(|(of, has)| (of.is_none() || *of == call) && other.contains(has))
        });
        if !is_there && !is_told {
            return Some(part.clone());
        }
    }
    let is_new = |part: &&String| {
        !of_right.iter().any(|other| title(other) == title(part)) && telling(part) == 0
    };
    of_seen.iter().find(is_new).cloned()
}

/// Whether only causes are missing: one is told where its fact can be seen, and what is told of the check stands without.
fn has_less_causes(seen: &str, right: &str) -> bool {
    let (seen, right) = (shape(seen), shape(right));
    let is_cause = |line: &&String| line.starts_with("cause:") || line.starts_with("hint:");
    seen.iter().all(|line| right.contains(line))
        && right
            .iter()
            .filter(|line| !seen.contains(line))
            .all(|line| is_cause(&line))
}

/// How many namespaces a listing has.
pub(crate) fn rows(text: &str) -> usize {
    match text.matches("\"kind\":").count() {
        0 => text.lines().count(),
        rows => rows,
    }
}
