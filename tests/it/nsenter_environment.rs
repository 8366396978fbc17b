//! `nsenter --env`: the target's environment, exactly.

use crate::harness::*;

/// Becomes `cat` with exactly this environment: a list of byte strings, as Python source.
///
/// Holder wants to see `cat`, and to hear the PID.
#[track_caller]
fn with_environment(environment: &str) -> Holder {
    let script = format!(
        "
import ctypes, os
print(os.getpid(), flush=True)
given = {environment}
words = (ctypes.c_char_p * 2)(b'cat', None)
strings = (ctypes.c_char_p * (len(given) + 1))(*given, None)
ctypes.CDLL(None).execve(b'/bin/cat', words, strings)
"
    );
    Holder::of(Tool::fixture().line("-u python3 -c").arg(script), "")
}

/// What /proc/PID/environ of the program is.
#[track_caller]
fn taken(holder: &Holder) -> Vec<u8> {
    let ran = Tool::nsenter()
        .args(["-t", &holder.pid().to_string(), "-u", "-e"])
        .args(["/bin/cat", "/proc/self/environ"])
        .run()
        .ok();
    ran.stdout
}

fn own(holder: &Holder) -> Vec<u8> {
    std::fs::read(format!("/proc/{}/environ", holder.pid())).expect("/proc")
}

const LOSES: &str = "loses or cuts the last variable";

#[test]
fn none_at_all() {
    needs!(root(), command("python3"), option("nsenter", "--env"));
    let holder = with_environment("[]");
    assert_eq!(own(&holder), b"");
    assert_eq!(taken(&holder), b"");
}

#[test]
fn empty_names_and_no_names() {
    needs!(
        root(),
        command("python3"),
        option("nsenter", "--env"),
        ours(LOSES)
    );
    for environment in [
        "[b'']",
        "[b'', b'']",
        "[b'=']",
        "[b'=x', b'y=', b'no equals sign', b'', b'==']",
        "[b'TWICE=1', b'TWICE=2']",
        "[b'A=\\n', b'\\xff\\xfe=\\x80', b'LAST']",
    ] {
        let holder = with_environment(environment);
        assert_eq!(taken(&holder), own(&holder), "{environment}");
    }
}

#[test]
fn a_hundred_thousand_variables() {
    needs!(
        root(),
        command("python3"),
        option("nsenter", "--env"),
        ours(LOSES)
    );
    let holder = with_environment("[b'V%d=%d' % (n, n) for n in range(100000)]");
    let (taken, own) = (taken(&holder), own(&holder));
    assert_eq!(own.iter().filter(|byte| **byte == 0).count(), 100_000);
    assert!(
        taken == own,
        "{} bytes instead of {}",
        taken.len(),
        own.len()
    );
}

#[test]
fn a_megabyte() {
    needs!(
        root(),
        command("python3"),
        option("nsenter", "--env"),
        ours(LOSES)
    );
    // The kernel takes 128 KiB a string (MAX_ARG_STRLEN, execve(2)), so a megabyte is eight of them.
    let holder = with_environment("[b'V%d=' % n + b'x' * 131000 for n in range(8)]");
    let (taken, own) = (taken(&holder), own(&holder));
    assert!(own.len() > 1_000_000);
    assert!(
        taken == own,
        "{} bytes instead of {}",
        taken.len(),
        own.len()
    );
}

/// A process that wrote into its own environment, of which `tool` gives it the first: `edit` has `memory` and the
/// addresses `start` and `end`.
#[track_caller]
fn with_edited(tool: Tool, edit: &str) -> Holder {
    let script = format!(
        "
import os, sys
fields = open('/proc/self/stat').read().rsplit(') ', 1)[1].split()
start, end = int(fields[47]), int(fields[48])
memory = open('/proc/self/mem', 'r+b', buffering=0)
{edit}
open('/proc/self/comm', 'w').write('cat')
print(os.getpid(), flush=True)
sys.stdin.read()
"
    );
    Holder::of(tool.line("python3 -c").arg(script), "")
}

#[test]
fn a_last_string_without_an_end() {
    needs!(
        root(),
        command("python3"),
        option("nsenter", "--env"),
        ours(LOSES)
    );
    let holder = with_edited(
        Tool::fixture().line("-u"),
        "memory.seek(end - 1); memory.write(b'!')",
    );
    let own = own(&holder);
    assert!(own.ends_with(b"!"), "{}", String::from_utf8_lossy(&own));
    let mut ended = own.clone();
    ended.push(0);
    assert_eq!(taken(&holder), ended);
}

#[test]
fn a_megabyte_in_one_variable() {
    needs!(root(), command("python3"), option("nsenter", "--env"));
    // No program can be started with so large a string, but a process can make one of what it was given.
    let mut tool = Tool::fixture().line("-u");
    for number in 0..9 {
        tool = tool.env(&format!("V{number}"), "x".repeat(120_000));
    }
    let edit = "memory.seek(start); memory.write(b'x' * (end - start - 1))";
    let holder = with_edited(tool, edit);
    assert!(own(&holder).len() > 1_000_000);
    needs!(ours("cuts it, and says nothing"));
    Tool::nsenter()
        .args(["-t", &holder.pid().to_string(), "-u", "-e", "/bin/true"])
        .run()
        .exits(126)
        .out("")
        .err("nsenter: failed to execute /bin/true: Argument list too long\n");
}

#[test]
fn the_shell_of_the_targets_environment() {
    needs!(root(), option("nsenter", "--env"));
    let tool = Tool::fixture()
        .arg("-u")
        .env("SHELL", "/bin/sh")
        .env("ZLAST", "1");
    let holder = Holder::of(tool, "");
    Tool::nsenter()
        .args(["-t", &holder.pid().to_string(), "-u", "-e"])
        .env("SHELL", "/bin/false")
        .stdin("echo $0 $SHELL\n")
        .run()
        .ok()
        .out("-sh /bin/sh\n");
}

#[test]
fn it_is_not_ours_to_look_at() {
    needs!(root(), option("nsenter", "--env"));
    let holder = Holder::unshare("-u");
    Tool::nsenter()
        .args(["-t", &holder.pid().to_string()])
        .line("-u/proc/self/ns/uts -e echo it ran")
        .by_ordinary()
        .run()
        .exits(1)
        .out("")
        .err(&format!(
            "nsenter: cannot open /proc/{}/environ: Permission denied\n",
            holder.pid()
        ));
}
