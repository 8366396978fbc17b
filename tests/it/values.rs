//! Values and operands: what is refused, and bytes that pass unchanged.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::harness::*;

#[test]
fn values_that_cannot_be_used() {
    for words in [
        "-S x",
        "-S 0x10",
        "-S 5x",
        "-S 99999999999999999999",
        "-G x",
        "-G 1e3",
        "--setuid=",
        "--map-user=0x10",
        "--map-user=nobody-of-that-name",
        "--map-group=5x",
        "--propagation foo",
        "--propagation Private",
        "--propagation slave,shared",
        "--setgroups foo",
        "--setgroups Allow",
        "-T --monotonic=x",
        "-T --monotonic=1.5",
        "-T --boottime=0x10",
        "-T --boottime=99999999999999999999",
        "--monotonic=5",
        "--boottime=0",
    ] {
        let ran = Tool::unshare()
            .line(words)
            .line("-- echo it ran")
            .run()
            .exits(1)
            .out("");
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(
            text.starts_with("unshare: ") && text.lines().count() == 1,
            "{ran}"
        );
    }
}

#[test]
fn numbers_that_would_wrap() {
    needs!(ours("cuts large numbers to 32 bits"));
    for words in [
        "-S 4294967296",
        "-G 4294967296",
        "-S -1",
        "-G -1",
        "-S 4294967295",
        "-G 4294967295",
        "--map-user=4294967296",
        "--map-user=-1",
        "--map-group=4294967295",
        "--map-users=0:0:4294967296",
        "--map-users=-1:0:1",
        "--map-users=0:0:0",
        "--map-groups=0,0,0",
        "--map-users=4294967295:0:2",
        "--owner=-1:0",
        "--owner=0",
        "--owner=0:0:0",
    ] {
        let ran = Tool::unshare()
            .line(words)
            .line("-- echo it ran")
            .run()
            .exits(1)
            .out("");
        let option = words.split(['=', ' ']).next().expect("an option");
        let long = option.replace("-S", "--setuid").replace("-G", "--setgid");
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        let value = words.split_once(['=', ' ']).expect("a value").1;
        assert!(
            text.contains(option) || text.contains(&long),
            "names the option: {ran}"
        );
        let value = value.replace(',', ":");
        assert!(text.contains(&value), "names the value: {ran}");
    }
}

#[test]
fn a_value_that_cannot_be_used_is_named_with_what_is_accepted() {
    needs!(ours("says only that it is unsupported"));
    Tool::unshare()
        .line("--propagation foo true")
        .run()
        .exits(1)
        .err("unshare: --propagation: 'foo' is not one of slave, shared, private, unchanged\n");
}

#[test]
fn numbers_that_can_be_used() {
    needs!(root());
    for (value, id) in [
        ("5", "5"),
        ("+5", "5"),
        (" 5", "5"),
        ("007", "7"),
        ("4294967294", "4294967294"),
    ] {
        Tool::unshare()
            .args(["-S", value, "id", "-u"])
            .run()
            .ok()
            .out(&format!("{id}\n"));
    }
}

#[test]
fn operands_pass_byte_for_byte() {
    // Every byte but NUL, and words that look like options.
    let all: Vec<u8> = (1..=255).collect();
    let odd: [&[u8]; 8] = [
        &all,
        b"",
        b"-",
        b"--",
        b"-x",
        b"\xff\xfe",
        "\u{10ff41}".as_bytes(),
        b"\xf4\x8f\xbd\x81=",
    ];
    let print = r#"for word; do printf '%s\n--\n' "$word"; done"#;
    let mut expected = Vec::new();
    for word in odd {
        expected.extend_from_slice(word);
        expected.extend_from_slice(b"\n--\n");
    }
    for options in [&[][..], &["-f"], &["--"]] {
        let ran = Tool::unshare()
            .args(options)
            .args(["sh", "-c", print, "sh"])
            .args(odd.map(OsStr::from_bytes))
            .run()
            .ok();
        assert_eq!(ran.stdout, expected, "{options:?}");
    }
}

#[test]
fn values_pass_byte_for_byte() {
    let place = Place::new();
    let name = OsStr::from_bytes(b"\xff not\n utf-8 \xc3");
    let dir = place.path().join(name);
    std::fs::create_dir(&dir).expect("a directory can have any name");
    for joined in [true, false] {
        let tool = if joined {
            let mut word = OsStr::new("--wd=").to_owned();
            word.push(&dir);
            Tool::unshare().arg(word)
        } else {
            Tool::unshare().arg("-w").arg(&dir)
        };
        let ran = tool.arg("pwd").run().ok();
        assert_eq!(ran.stdout, [dir.as_os_str().as_bytes(), b"\n"].concat());
    }
    // Also where it is only shown.
    let missing = place.path().join(OsStr::from_bytes(b"\xfe missing"));
    let ran = Tool::unshare().arg(&missing).run().exits(127);
    let expected = [
        b"unshare: failed to execute ",
        missing.as_os_str().as_bytes(),
        b": No such file or directory\n",
    ]
    .concat();
    assert_eq!(ran.stderr, expected);
}

#[test]
fn a_namespace_file_with_any_name() {
    needs!(root());
    let place = Place::new();
    let holder = Holder::unshare("-u");
    let link = place.path().join(OsStr::from_bytes(b"=\xff ns"));
    std::os::unix::fs::symlink(holder.file("uts"), &link).expect("a link can have any name");
    let mut word = OsStr::new("-u").to_owned();
    word.push(&link);
    let said = Tool::nsenter()
        .arg(word)
        .line("readlink /proc/self/ns/uts")
        .run()
        .ok()
        .text();
    assert_eq!(said, Links::of(holder.pid()).get("uts"));
}
