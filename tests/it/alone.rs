//! nskit without what a system has around it: in an empty root, and users that are not in /etc/passwd.

use crate::harness::*;

/// There is a static release binary.
fn release() -> Need {
    let lack = "NSKIT_RELEASE, the path of a static release build";
    unless(std::env::var_os("NSKIT_RELEASE").is_some(), lack)
}

#[test]
fn a_root_with_nothing_else_in_it() {
    needs!(ours("needs its libraries"), root(), release());
    let place = Place::new();
    let root = place.subdir("root");
    let release = std::env::var_os("NSKIT_RELEASE").expect("a need that was looked at");
    // Copied by another process: one of ours may just be forking with a descriptor that writes it.
    Tool::program("cp")
        .arg(&release)
        .arg(format!("{root}/unshare"))
        .run()
        .ok();
    let version = format!("unshare (nskit) {}\n", env!("CARGO_PKG_VERSION"));
    Tool::program("chroot")
        .args([&root, "/unshare", "-uinpCf", "/unshare", "--version"])
        .run()
        .ok()
        .out(&version);
    Tool::program("chroot")
        .args([&root, "/unshare", "-r", "/nothing"])
        .run()
        .exits(1)
        .out("");
}

/// A directory with a getent(1) of the test's own, which knows one user and one group, and notes that it was asked.
fn other_source(place: &Place) -> String {
    let asked = place.at("asked");
    place.script(
        "getent",
        &format!(
            "#!/bin/sh\necho \"$*\" >>{asked}\ncase \"$*\" in\n\
             'passwd ldapuser') echo 'ldapuser:x:4711:4712::/:/bin/sh' ;;\n\
             'group ldapgroup') echo 'ldapgroup:x:4713:' ;;\n\
             *) exit 2 ;;\nesac\n"
        ),
    );
    format!("{}:/usr/bin:/bin", place.path().display())
}

#[test]
fn users_and_groups_from_other_sources() {
    needs!(ours("has no names here"), root());
    let place = Place::new();
    let path = other_source(&place);
    Tool::unshare()
        .line("-S ldapuser -G ldapgroup sh -c")
        .arg("id -u; id -g")
        .env("PATH", &path)
        .run()
        .ok()
        .out("4711\n4713\n");
    Tool::unshare()
        .line("-S nosuchuser true")
        .env("PATH", &path)
        .run()
        .exits(1)
        .err_has("unshare: --setuid: 'nosuchuser' is neither a number");
    let asked = std::fs::read_to_string(place.at("asked")).expect("it was asked");
    assert_eq!(
        asked,
        "group ldapgroup\npasswd ldapuser\npasswd nosuchuser\n"
    );
}

#[test]
fn nobody_else_is_asked_without_need() {
    needs!(ours("has no names here"), root());
    let place = Place::new();
    let path = other_source(&place);
    for words in ["-S root true", "-S 7 -G 8 true", "-r true", "-u true"] {
        Tool::unshare().line(words).env("PATH", &path).run().ok();
    }
    assert!(!std::path::Path::new(&place.at("asked")).exists());
}
