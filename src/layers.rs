//! The rooms of this program, and which may use which; and which room may use which crate.
//!
//! Imports go one way, so that each room can be read, and most tested, without those above it.

use std::path::Path;

/// Each room, and the rooms and crates that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    (
        "main",
        &[
            "applets", "doctor", "explain", "failure", "host", "model", "plan", "run", "show",
            "sys",
        ],
    ),
    (
        "doctor",
        &[
            "applets", "explain", "failure", "host", "model", "plan", "run", "show", "steps",
            "sys", "libc",
        ],
    ),
    (
        "applets",
        &["cli", "failure", "host", "model", "plan", "steps", "argh"],
    ),
    (
        "run",
        &[
            "failure", "host", "model", "plan", "show", "steps", "sys", "anyhow", "libc",
        ],
    ),
    ("plan", &["failure", "model", "steps"]),
    (
        "steps",
        &["failure", "host", "model", "show", "sys", "libc"],
    ),
    ("explain", &["failure", "host", "plan", "sys"]),
    ("show", &["failure", "host", "model", "sys", "libc"]),
    ("failure", &["host", "model", "sys", "libc"]),
    ("host", &["model", "sys", "libc"]),
    ("cli", &["model", "argh"]),
    // The numbers of signals and of kinds of namespaces.
    ("model", &["libc"]),
    ("sys", &["libc", "nix"]),
];

/// The crates that the binary is made of.
const CRATES: [&str; 4] = ["anyhow", "argh", "libc", "nix"];

/// Rooms of tests, which may look anywhere; wherever the project itself lies.
fn is_test(path: &Path) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
    [
        "layers.rs",
        "docs/",
        "fuzz.rs",
        "getopt/oracle",
        "getopt/tests",
        "golden",
        "/tests",
    ]
    .iter()
    .any(|part| path.contains(part))
}

fn sources(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
            found.push(path);
        }
    }
}

/// The text of a file up to its own tests, which stand last; those that are declared only are in a file of theirs.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    before_tests(&text).to_owned()
}

fn before_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

#[test]
fn code_goes_on_behind_the_name_of_its_tests() {
    let text =
        "use a::b;\n#[cfg(test)]\nmod tests;\nstruct C;\n#[cfg(test)]\nmod tests {\nstruct D;\n}\n";
    let code = before_tests(text);
    assert!(code.contains("struct C;") && !code.contains("struct D;"));
}

/// The rooms and crates that the paths in a line begin with; `at_root`: in the root of this crate a room needs no
/// `crate::` in front.
fn paths(line: &str, at_root: bool) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut used = Vec::new();
    for (place, _) in line.match_indices("::") {
        let before = &line[..place];
        let start = before.rfind(|c| !is_word(c)).map_or(0, |end| end + 1);
        let name = &before[start..];
        let is_first = !before[..start].ends_with("::");
        if is_first && CRATES.contains(&name) || is_first && at_root && is_room(name) {
            used.push(name.to_owned());
        }
        if is_first && name == "crate" {
            let next: String = line[place + 2..]
                .chars()
                .take_while(|&c| is_word(c))
                .collect();
            used.extend(is_room(&next).then_some(next));
        }
    }
    used
}

fn is_room(name: &str) -> bool {
    MAY_USE.iter().any(|(room, _)| *room == name)
}

#[test]
fn paths_are_found() {
    let found = |line| paths(line, false);
    assert_eq!(found("use crate::plan::{Step, Plan};"), ["plan"]);
    assert_eq!(
        found("    let x = crate::sys::pid() | libc::EPERM;"),
        ["sys", "libc"]
    );
    assert_eq!(
        found("use super::plan::x; std::nix::y; crate::unknown::z"),
        [""; 0]
    );
    assert_eq!(paths("use run::Outcome;", true), ["run"]);
}

#[test]
fn imports_go_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "the sources were found");
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let first = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_string_lossy();
        let room = first.trim_end_matches(".rs");
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == room) else {
            panic!("{}: {room} is in no list of rooms", inside.display());
        };
        for (number, line) in code(&file).lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for used in paths(line, room == "main") {
                if used != room && !allowed.contains(&used.as_str()) {
                    wrong.push(format!(
                        "{}:{}: {room} uses {used}",
                        inside.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_is_in_sys_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    for file in files
        .iter()
        .filter(|file| !file.starts_with(root.join("sys")))
    {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(!text.contains("allow(unsafe_code)"), "{}", file.display());
    }
}

/// The types that a line of code declares, if any.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1,
        Some(rest) => rest,
        None => line,
    }
    .trim_start();
    let kinds = ["struct ", "enum ", "trait ", "type "];
    let rest = kinds.iter().find_map(|kind| line.strip_prefix(kind))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

#[test]
fn declarations_are_found() {
    assert_eq!(declared("pub(in super::super) struct A<'a> {"), Some("A"));
    assert_eq!(declared("    enum B;"), Some("B"));
    assert_eq!(declared("let type_of = 3;"), None);
}

/// A stranger who meets a name in two rooms is to find one meaning.
#[test]
fn a_type_name_stands_in_one_room() {
    // Each room's own, by convention: its result; and each applet's options.
    const CONVENTION: [&str; 2] = ["Result", "Options"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut rooms = std::collections::BTreeMap::<String, std::collections::BTreeSet<String>>::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let room = inside.components().next().unwrap().as_os_str();
        let room = room.to_string_lossy().trim_end_matches(".rs").to_owned();
        // What an implementation calls an associated type is the trait's name.
        for name in code(&file)
            .lines()
            .filter(|line| !line.contains("type Err"))
            .filter_map(declared)
        {
            if !CONVENTION.contains(&name) {
                rooms
                    .entry(name.to_owned())
                    .or_default()
                    .insert(room.clone());
            }
        }
    }
    assert!(rooms.len() > 100, "the types were found");
    rooms.retain(|_, rooms| rooms.len() > 1);
    assert!(rooms.is_empty(), "{rooms:?}");
}
