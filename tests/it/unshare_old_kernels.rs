//! `unshare` on a kernel that lacks what newer ones have: strace(1) answers in its place.

use crate::explain::filtered;
use crate::harness::*;

/// `unshare` under strace, where a child that shares memory is refused, as from Linux 5.6 to 6.0 in a new time
/// namespace: the first call of clone(2).
fn traced() -> Tool {
    Tool::program("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "signal=none"])
        .args(["-e", "trace=clone", "-e"])
        .arg("inject=clone:error=EINVAL:when=1")
        .arg(Tool::path_of("unshare"))
}

#[test]
fn a_child_of_its_own_memory_runs_and_ends_alike() {
    needs!(
        root(),
        command("strace"),
        ours("shares memory with its child")
    );
    traced()
        .line("-T -f --monotonic=5 cat /proc/self/timens_offsets")
        .run()
        .ok()
        .out("monotonic           5         0\nboottime            0         0\n");
    traced().line("-pf sh -c").arg("exit 7").run().exits(7);
    traced()
        .line("-f nosuchprogram")
        .run()
        .exits(127)
        .out("")
        .err("unshare: failed to execute nosuchprogram: No such file or directory\n");
}

/// `unshare` on a kernel that refuses a child that shares memory (`CLONE_VM`), as before about Linux 6.2 in a new time
/// namespace.
fn before_6_2() -> Tool {
    filtered("clone:0x100=22", "unshare")
}

#[test]
fn clocks_that_the_program_does_not_see_are_spoken_of() {
    needs!(
        root(),
        user_namespaces(),
        kind("time"),
        command("python3"),
        ours("says nothing")
    );
    let line = "unshare: add --fork: on this kernel only children enter the new time namespace\n";
    for words in [
        "-T --boottime=1000",
        "-T --monotonic=-1",
        "-pT --boottime=7 --monotonic=7",
    ] {
        let told = |tool: Tool| {
            let ran = tool.line(words).line("echo it ran").run().exits(0);
            ran.out("it ran\n").err(line);
        };
        told(before_6_2());
        told(before_6_2().by_ordinary().arg("-r"));
        let foretold = before_6_2()
            .line("--dry-run")
            .line(words)
            .arg("true")
            .run()
            .ok();
        let lines = foretold.lines();
        assert_eq!(lines[lines.len() - 2], format!("say: {}", line.trim_end()));
        // A child sees them, and on a kernel of today the program.
        before_6_2().arg("-f").line(words).arg("true").run().ok();
        Tool::unshare().line(words).arg("true").run().ok();
    }
    before_6_2().line("-T true").run().ok();
    // Who cannot make one learns that, and nothing else.
    before_6_2()
        .by_ordinary()
        .line("-T --boottime=7 true")
        .run()
        .exits(1)
        .err("unshare: unshare failed: Operation not permitted\n");
}

#[test]
fn a_caller_who_cannot_wait_is_not_told_of_clocks() {
    needs!(root(), kind("time"), command("env"), ours("says nothing"));
    Tool::program("env")
        .arg("--ignore-signal=CHLD")
        .arg(Tool::path_of("unshare"))
        .line("-T --boottime=7 true")
        .run()
        .ok();
}
