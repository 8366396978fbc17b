//! What distributions and releases are made of: the hardened binary, the Debian packages, the image, the scripts.

use crate::harness::*;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const PROJECT: &str = env!("CARGO_MANIFEST_DIR");

/// A program in the project's directory.
#[track_caller]
fn run(program: impl AsRef<Path>, arguments: &[&str], more: &[(&str, &str)]) -> Output {
    let program = program.as_ref();
    Command::new(program)
        .args(arguments)
        .current_dir(PROJECT)
        .envs(more.iter().copied())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// What it prints; it must succeed.
#[track_caller]
fn said(program: &str, arguments: &[&str], more: &[(&str, &str)]) -> String {
    let output = run(program, arguments, more);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_hardened_binary_is_hardened() {
    needs!(
        ours("is about our binary"),
        command("readelf"),
        command("strace")
    );
    let path = std::env::var("NSKIT_HARDENED").unwrap_or_default();
    needs!(unless(
        !path.is_empty(),
        "NSKIT_HARDENED, the path of what make HARDEN=1 builds"
    ));
    let segments = said("readelf", &["-lW", &path], &[]);
    assert!(segments.contains("GNU_RELRO"), "{segments}");
    // The flags of each segment of this type, as R, W, E.
    let flags = |kind: &str| -> Vec<String> {
        let rows = segments
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row.first() == Some(&kind))
            .map(|row| row[6..row.len() - 1].concat())
            .collect()
    };
    assert_eq!(flags("GNU_STACK"), ["RW"], "{segments}");
    // Code is mapped alone: it cannot be written, and what is only read cannot be executed.
    let loaded = flags("LOAD");
    assert_eq!(
        loaded.iter().filter(|flags| flags.contains('E')).count(),
        1,
        "{segments}"
    );
    assert!(loaded.contains(&"RE".to_owned()), "{segments}");
    let of_code = segments.lines().find(|line| line.contains(" .text "));
    let of_code = of_code.expect("a segment with code");
    assert!(!of_code.contains(".rodata"), "{of_code}");
    let dynamic = said("readelf", &["-dW", &path], &[]);
    assert!(
        dynamic.contains("NOW") && dynamic.contains("PIE"),
        "{dynamic}"
    );
    assert!(!dynamic.contains("(NEEDED)"), "{dynamic}");
    assert!(!dynamic.contains("(TEXTREL)"), "{dynamic}");
    // Not by its header alone: it is made read-only at the start.
    let trace = said(
        "strace",
        &["-o", "/dev/stdout", "-e", "mprotect", &path, "--list"],
        &[],
    );
    assert!(trace.contains("PROT_READ) = 0"), "{trace}");
    assert!(trace.contains("unshare"), "{trace}");
}

#[test]
fn the_packages_of_debian_take_no_name_of_util_linux() {
    needs!(ours("is about our packages"), command("dpkg-deb"));
    let place = tempfile::tempdir().expect("a directory");
    let dist = place.path().to_str().expect("text");
    // A small file stands for the binary.
    let binary = concat!(env!("CARGO_MANIFEST_DIR"), "/Makefile");
    let more = [("dist", dist), ("version", env!("CARGO_PKG_VERSION"))];
    let script = format!("{PROJECT}/packaging/deb");
    said(&script, &[binary, "x86_64-unknown-linux-musl"], &more);
    let version = env!("CARGO_PKG_VERSION");
    let contents = |package: &str, architecture: &str| {
        let file = format!("{dist}/{package}_{version}-1_{architecture}.deb");
        said("dpkg-deb", &["--contents", &file], &[])
    };
    let beside = contents("nskit", "amd64");
    for name in [
        "./usr/bin/nskit",
        "./usr/bin/setns -> nskit",
        "./usr/lib/nskit/bin/unshare -> ../../../bin/nskit",
        "./usr/share/man/man1/nskit-nsenter.1.gz",
        "./usr/share/man/man7/nskit-explain.7.gz",
        "./usr/share/doc/nskit/copyright",
    ] {
        assert!(
            beside.lines().any(|line| line.ends_with(name)),
            "{name} in {beside}"
        );
    }
    for name in [
        "./usr/bin/unshare",
        "./usr/bin/nsenter",
        "man1/unshare.1.gz",
        "completions/nsenter",
        "/installed",
    ] {
        assert!(!beside.contains(name), "{name} in {beside}");
    }
    let instead = contents("nskit-default", "all");
    // What it has of util-linux's names is diverted before.
    let scripts = place.path().join("scripts");
    let scripts = scripts.to_str().expect("text");
    let file = format!("{dist}/nskit-default_{version}-1_all.deb");
    said("dpkg-deb", &["--control", &file, scripts], &[]);
    let preinst = fs::read_to_string(format!("{scripts}/preinst")).expect("a script");
    let postrm = fs::read_to_string(format!("{scripts}/postrm")).expect("a script");
    let mut count = 0;
    for line in instead.lines().filter(|line| !line.ends_with('/')) {
        let (_, name) = line.split_once(" ./").expect("a name");
        let name = name.split(" -> ").next().expect("a name");
        if ["usr/bin/", "usr/share/man/", "bash-completion"]
            .iter()
            .any(|part| name.contains(part))
        {
            count += 1;
            let diverted = preinst.contains(&format!("divert /{name} /"));
            let back = postrm.contains(&format!("back /{name} /"));
            assert!(diverted && back, "{name}");
        }
    }
    assert_eq!(count, 6, "{instead}");
}

#[test]
fn the_image_is_one_that_others_take() {
    needs!(ours("is about our image"), command("skopeo"));
    let release = std::env::var("NSKIT_RELEASE").unwrap_or_default();
    needs!(unless(
        !release.is_empty(),
        "NSKIT_RELEASE, the path of a static release build"
    ));
    let place = tempfile::tempdir().expect("a directory");
    let at = |name: &str| place.path().join(name).display().to_string();
    let more = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("SOURCE_DATE_EPOCH", "1700000000"),
    ];
    let script = format!("{PROJECT}/packaging/oci");
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    for name in ["one", "two"] {
        said(&script, &[&release, &target, &at(name)], &more);
    }
    assert_eq!(
        fs::read(at("one")).expect("one"),
        fs::read(at("two")).expect("two")
    );
    // skopeo holds every digest against what is there.
    let archive = format!("oci-archive:{}", at("one"));
    let copied = format!("dir:{}", at("copied"));
    let policy = ["--insecure-policy", "copy", "--quiet", &archive, &copied];
    said("skopeo", &policy, &[]);
    let config = said("skopeo", &["inspect", "--config", &archive], &[]);
    let config: serde_json::Value = serde_json::from_str(&config).expect("JSON");
    assert_eq!(config["config"]["Env"][0], "PATH=/usr/bin");
    let manifest = fs::read(place.path().join("copied/manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let digest = manifest["layers"][0]["digest"].as_str().expect("a digest");
    let layer = at(&format!("copied/{}", digest.trim_start_matches("sha256:")));
    fs::create_dir(at("root")).expect("made");
    said("tar", &["-xzf", &layer, "-C", &at("root")], &[]);
    assert!(said(&at("root/usr/bin/nskit"), &["--list"], &[]).contains("nsenter"));
    let link = fs::read_link(place.path().join("root/usr/bin/nsenter")).expect("a link");
    assert_eq!(link, Path::new("nskit"));
}

#[test]
fn scripts_are_clean() {
    needs!(ours("is about our scripts"), command("shellcheck"));
    let mut scripts = Vec::new();
    for directory in [".ci", "packaging"] {
        for entry in fs::read_dir(Path::new(PROJECT).join(directory)).expect(directory) {
            let path = entry.expect("an entry").path();
            let text = fs::read_to_string(&path).unwrap_or_default();
            if text.starts_with("#!") {
                scripts.push(path.display().to_string());
            }
        }
    }
    assert!(scripts.len() > 5, "{scripts:?}");
    let mut words = vec!["--severity=warning", "--shell=bash"];
    words.extend(scripts.iter().map(String::as_str));
    let output = run("shellcheck", &words, &[]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    // They have variables that the tools read, or set, and the tools stop at what fails.
    let not = "--exclude=SC2034,SC2154,SC2164";
    for (file, shell) in [
        ("packaging/arch/PKGBUILD", "--shell=bash"),
        ("packaging/alpine/APKBUILD", "--shell=sh"),
    ] {
        let output = run("shellcheck", &["--severity=warning", not, shell, file], &[]);
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
