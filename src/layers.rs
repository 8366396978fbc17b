//! The rooms of this program, and which may use which.
//!
//! Imports go one way, so that each room can be read, and most tested, without those above it.

use std::path::Path;

/// Each room, and the rooms that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    (
        "main",
        &[
            "applets", "explain", "failure", "host", "model", "plan", "run", "sys",
        ],
    ),
    ("applets", &["cli", "host", "model", "plan", "steps"]),
    (
        "run",
        &["failure", "host", "model", "plan", "show", "steps", "sys"],
    ),
    (
        "steps",
        &["failure", "host", "model", "plan", "show", "sys"],
    ),
    (
        "explain",
        &["failure", "host", "model", "plan", "steps", "sys"],
    ),
    ("show", &["failure", "host", "model", "sys"]),
    ("failure", &["model", "sys"]),
    ("cli", &[]),
    ("plan", &["failure", "model", "steps"]),
    ("host", &["model", "sys"]),
    ("model", &[]),
    ("sys", &[]),
];

/// Rooms of tests, which may look anywhere.
fn is_test(path: &Path) -> bool {
    let path = path.to_string_lossy();
    [
        "layers.rs",
        "cli/docs",
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

/// The text of a file up to its own tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap()
        .to_owned()
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
            for part in line.split("crate::").skip(1) {
                let used: String = part
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                let known = MAY_USE.iter().any(|(name, _)| *name == used);
                if known && used != room && !allowed.contains(&used.as_str()) {
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
