//! What of others is in the binary: their notices (THIRD-PARTY), the list that programs read (SPDX), and what a crate must
//! be to be in it.
//!
//! The hard thing: cargo knows more crates than are linked. Those that only build or test, and procedural macros, are not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::docs::{committed, text_of};

/// Stands in front of the notices.
const INTRODUCTION: &str = include_str!("third-party.txt");

/// What cargo says of this crate and all that it knows of, as for the static binary.
static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-musl"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {errors}");
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
});

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn package(id: &str) -> &'static Value {
    let mut packages = list(&METADATA, "packages").iter();
    packages
        .find(|package| text(package, "id") == id)
        .expect(id)
}

fn is_macro(package: &Value) -> bool {
    let mut targets = list(package, "targets").iter();
    targets.any(|target| list(target, "kind").contains(&json!("proc-macro")))
}

/// The crates in the binary, without our own, by name; with what each uses, by ID.
fn linked() -> BTreeMap<&'static str, (&'static Value, Vec<&'static str>)> {
    let nodes = list(&METADATA["resolve"], "nodes");
    let uses = |id: &str| -> Vec<&'static str> {
        let node = nodes.iter().find(|node| text(node, "id") == id).expect(id);
        let used = list(node, "deps").iter().filter(|used| {
            let mut kinds = list(used, "dep_kinds").iter();
            kinds.any(|kind| kind["kind"].is_null()) && !is_macro(package(text(used, "pkg")))
        });
        used.map(|used| text(used, "pkg")).collect()
    };
    let mut found = BTreeMap::new();
    let mut todo = uses(text(&METADATA["resolve"], "root"));
    while let Some(id) = todo.pop() {
        let package = package(id);
        let name = text(package, "name");
        let uses = uses(id);
        todo.extend(&uses);
        let before = found.insert(name, (package, uses));
        assert!(
            before.is_none_or(|(before, _)| before == package),
            "{name} is linked in two versions"
        );
    }
    assert!(found.contains_key("argh") && !found.contains_key("argh_derive"));
    found
}

/// The notice that the crate brings: where it lets one choose, the MIT licence.
fn notice(package: &Value) -> String {
    let manifest = Path::new(text(package, "manifest_path"));
    let directory = manifest.parent().expect("a directory");
    let names = ["LICENSE-MIT", "LICENSE", "LICENSE.txt", "LICENSE.md"];
    let mut texts = names
        .iter()
        .filter_map(|name| std::fs::read_to_string(directory.join(name)).ok());
    let text = texts
        .next()
        .unwrap_or_else(|| panic!("{} has no notice", text(package, "name")));
    text.trim().replace('\r', "")
}

fn third_party() -> String {
    // The crates under each notice, in the order of their names.
    let mut notices: Vec<(String, Vec<String>)> = Vec::new();
    for (name, (package, _)) in linked() {
        let authors: Vec<&str> = list(package, "authors")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let mut line = format!(
            "{name} {} ({})",
            text(package, "version"),
            text(package, "license")
        );
        if !authors.is_empty() {
            _ = write!(line, ", by {}", authors.join(", "));
        }
        let notice = notice(package);
        match notices.iter_mut().find(|(other, _)| *other == notice) {
            Some((_, crates)) => crates.push(line),
            None => notices.push((notice, vec![line])),
        }
    }
    let rule = "-".repeat(78);
    let mut file = INTRODUCTION.to_owned();
    for (notice, crates) in notices {
        _ = write!(file, "\n{rule}\n{}\n\n{notice}\n", crates.join("\n"));
    }
    file
}

/// The version of CHANGELOG.md that was released last, and its date.
fn release() -> (String, String) {
    let log = text_of("CHANGELOG.md");
    let mut headings = log.lines().filter_map(|line| line.strip_prefix("## "));
    let (version, date) = headings
        .find_map(|heading| heading.split_once(" - "))
        .expect("a released version");
    (version.to_owned(), date.to_owned())
}

/// SHA-256 of the crate's file, from Cargo.lock.
fn checksum(name: &str, version: &str) -> String {
    let lock = text_of("Cargo.lock");
    let start = format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
    let (_, entry) = lock.split_once(&start).expect(name);
    let (_, sum) = entry.split_once("checksum = \"").expect(name);
    sum.split('"').next().expect(name).to_owned()
}

const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// In SPDX 2.3.
fn spdx() -> String {
    let id = |name: &str| format!("SPDXRef-{}", name.replace('_', "-"));
    let (_, date) = release();
    let version = env!("CARGO_PKG_VERSION");
    let mut packages = vec![json!({
        "SPDXID": id("nskit"),
        "name": "nskit",
        "versionInfo": version,
        "downloadLocation": REPOSITORY,
        "filesAnalyzed": false,
        "licenseDeclared": env!("CARGO_PKG_LICENSE"),
        "licenseConcluded": env!("CARGO_PKG_LICENSE"),
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "APPLICATION",
    })];
    let mut relations = vec![json!({
        "spdxElementId": "SPDXRef-DOCUMENT",
        "relationshipType": "DESCRIBES",
        "relatedSpdxElement": id("nskit"),
    })];
    let mut relate = |from: &str, to: &str| {
        relations.push(json!({
            "spdxElementId": id(from),
            "relationshipType": "STATIC_LINK",
            "relatedSpdxElement": id(to),
        }));
    };
    let crates = linked();
    let direct: BTreeSet<&str> = list(package(text(&METADATA["resolve"], "root")), "dependencies")
        .iter()
        .filter(|used| used["kind"].is_null())
        .map(|used| text(used, "name"))
        .collect();
    for (name, (package, uses)) in &crates {
        let version = text(package, "version");
        packages.push(json!({
            "SPDXID": id(name),
            "name": name,
            "versionInfo": version,
            "downloadLocation": format!("https://crates.io/crates/{name}/{version}"),
            "filesAnalyzed": false,
            "licenseDeclared": text(package, "license"),
            "licenseConcluded": text(package, "license"),
            "copyrightText": "NOASSERTION",
            "checksums": [{ "algorithm": "SHA256", "checksumValue": checksum(name, version) }],
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": format!("pkg:cargo/{name}@{version}"),
            }],
        }));
        if direct.contains(name) {
            relate("nskit", name);
        }
        for used in uses {
            relate(name, text(self::package(used), "name"));
        }
    }
    // They come with the compiler, whose version is chosen by who builds.
    for (name, license, from) in [
        (
            "rust-std",
            "MIT OR Apache-2.0",
            "https://github.com/rust-lang/rust",
        ),
        ("musl", "MIT", "https://musl.libc.org"),
    ] {
        packages.push(json!({
            "SPDXID": id(name),
            "name": name,
            "downloadLocation": from,
            "filesAnalyzed": false,
            "licenseDeclared": license,
            "licenseConcluded": license,
            "copyrightText": "NOASSERTION",
        }));
        relate("nskit", name);
    }
    let document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("nskit-{version}"),
        "documentNamespace": format!("{REPOSITORY}/releases/download/v{version}/nskit.spdx.json"),
        "creationInfo": {
            "created": format!("{date}T00:00:00Z"),
            "creators": ["Tool: nskit-make-docs"],
        },
        "packages": packages,
        "relationships": relations,
    });
    serde_json::to_string_pretty(&document).expect("JSON") + "\n"
}

#[test]
fn notices_are_those_of_what_is_linked() {
    committed("THIRD-PARTY", &third_party());
}

#[test]
fn the_list_for_programs_is_what_is_linked() {
    committed("packaging/nskit.spdx.json", &spdx());
}

/// The licences that deny.toml allows.
fn allowed() -> Vec<String> {
    let file = text_of("deny.toml");
    let (_, rest) = file.split_once("allow = [").expect("a list");
    let (list, _) = rest.split_once(']').expect("its end");
    let quoted = list.split('"').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// Whether one of the ways of reading the expression needs allowed licences only. Brackets are not read: with them it
/// holds only if each licence is allowed.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let is_one = |license: &str| allowed.iter().any(|allowed| allowed == license.trim());
    let all = |text: &str| text.split(" AND ").all(is_one);
    if expression.contains('(') {
        let bare = expression.replace(['(', ')'], "");
        return bare
            .split(" AND ")
            .flat_map(|part| part.split(" OR "))
            .all(is_one);
    }
    expression.replace('/', " OR ").split(" OR ").any(all)
}

#[test]
fn licences_are_read() {
    let allowed = ["MIT".to_owned(), "Unicode-3.0".to_owned()];
    assert!(is_allowed("Apache-2.0 OR MIT", &allowed));
    assert!(is_allowed("MIT/Apache-2.0", &allowed));
    assert!(is_allowed("MIT AND Unicode-3.0", &allowed));
    assert!(!is_allowed("MIT AND GPL-2.0", &allowed));
    assert!(!is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0", &allowed));
}

/// What `cargo deny check licenses sources` says, also where that is not installed.
#[test]
fn crates_come_from_one_place_under_licences_that_are_allowed() {
    let allowed = allowed();
    for package in list(&METADATA, "packages") {
        let name = text(package, "name");
        if name == "nskit" {
            continue;
        }
        let license = text(package, "license");
        assert!(is_allowed(license, &allowed), "{name}: {license}");
        assert_eq!(
            text(package, "source"),
            "registry+https://github.com/rust-lang/crates.io-index",
            "{name}"
        );
    }
}

/// The oldest Rust that this crate is promised to compile with; that our own lines use nothing newer is clippy's to say
/// (`incompatible_msrv`).
#[test]
fn no_crate_wants_a_newer_rust_than_ours() {
    let numbers = |version: &str| -> Vec<u32> {
        let parts = version.split('.').map(|part| part.parse().expect(version));
        parts.collect()
    };
    let ours = numbers(env!("CARGO_PKG_RUST_VERSION"));
    for package in list(&METADATA, "packages") {
        if let Some(version) = package["rust_version"].as_str() {
            let name = text(package, "name");
            assert!(numbers(version) <= ours, "{name} wants Rust {version}");
        }
    }
}

#[test]
fn one_version_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    let (released, date) = release();
    assert_eq!(released, version, "CHANGELOG.md");
    assert!(
        date.len() == 10 && date.split('-').count() == 3,
        "a date in CHANGELOG.md: {date}"
    );
    for (path, line) in [
        ("packaging/arch/PKGBUILD", format!("pkgver={version}")),
        ("packaging/alpine/APKBUILD", format!("pkgver={version}")),
        (
            "packaging/kubernetes/node-shell.yaml",
            format!("nskit:{version}"),
        ),
        (
            "Cargo.lock",
            format!("name = \"nskit\"\nversion = \"{version}\""),
        ),
    ] {
        assert!(text_of(path).contains(&line), "{path}: {line}");
    }
}
