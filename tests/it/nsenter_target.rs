//! `nsenter`: one target, opened once, and never mixed with another process that got its number.

use nix::sys::signal::Signal;

use crate::harness::*;

/// Takes the target away before each system call of `nsenter`, with `words`, as nsenter_target.py says.
#[track_caller]
fn taken_away(fate: &str, kernel: &str, words: &str) {
    let tool = Tool::fixture()
        .line("-pf --mount-proc python3 -c")
        .arg(include_str!("nsenter_target.py"))
        .args([fate, kernel])
        .arg(Tool::path_of("nsenter"))
        .line(words);
    // All in the first one, or refused: whatever else came is printed.
    tool.run().ok().out("outcomes 0 1\n");
}

const MIXES: &str = "mixes two processes, or takes an empty environment";

#[test]
fn a_target_whose_number_gets_another_owner() {
    needs!(root(), command("python3"), user_namespaces(), ours(MIXES));
    taken_away("another", "new", "-U -n -u -e -r -w -S follow");
    taken_away("another", "new", "-U --user-parent -e");
}

#[test]
fn a_target_whose_number_gets_another_owner_on_an_old_kernel() {
    needs!(root(), command("python3"), user_namespaces(), ours(MIXES));
    taken_away("another", "old", "-U -n -u -e -r -w -S follow");
}

#[test]
fn a_target_that_ends_at_any_point() {
    needs!(root(), command("python3"), user_namespaces(), ours(MIXES));
    taken_away("gone", "new", "-a -e");
    taken_away("zombie", "new", "-U -n -e -r");
    taken_away("zombie", "old", "-U -n -e");
}

#[test]
fn a_target_that_ends_afterwards_is_no_matter() {
    needs!(root());
    let holder = Holder::unshare("-nu");
    let started = Tool::nsenter()
        .args(["-t", &holder.pid().to_string(), "-n", "-u"])
        .sh("echo inside; read -r line; readlink /proc/self/ns/net")
        .start();
    started.until_says("inside");
    let net = Links::of(holder.pid()).get("net").to_owned();
    drop(holder);
    started.wait().ok().out(&format!("inside\n{net}\n"));
}

#[test]
fn the_inode_of_a_pidfd_goes_with_all_that_is_taken() {
    needs!(root(), since(2, 43, "lacks PID:INODE"), command("python3"));
    let holder = Holder::unshare("-nu");
    let pid = holder.pid();
    let stat = "import os, sys; print(os.fstat(os.pidfd_open(int(sys.argv[1]))).st_ino)";
    let inode: u64 = Tool::program("python3")
        .args(["-c", stat, &pid.to_string()])
        .run()
        .ok()
        .text()
        .parse()
        .expect("a number");
    for words in ["-a", "-n -r -w -e", "-u -S follow -G follow"] {
        Tool::nsenter()
            .arg(format!("--target={pid}:{inode}"))
            .line(words)
            .line("sh -c true")
            .run()
            .ok();
        Tool::nsenter()
            .arg(format!("--target={pid}:{}", inode + 1))
            .line(words)
            .line("echo it ran")
            .run()
            .exits(1)
            .out("")
            .err(&format!(
                "nsenter: failed to obtain a valid file descriptor for PID {pid}: No such process\n"
            ));
    }
}

/// Before Linux 6.9 all pidfds lie on one anonymous inode, which strace(1) answers in the kernel's place.
#[test]
fn an_inode_where_all_pidfds_share_one() {
    needs!(
        root(),
        ours("takes any process"),
        command("strace"),
        unless(
            cfg!(target_pointer_width = "64"),
            "a struct statfs of 64 bits, into which strace(1) writes"
        )
    );
    let holder = Holder::unshare("-u");
    let pid = holder.pid();
    let refused = "failed to obtain a valid file descriptor for PID";
    let hint = "leave the inode out, and make sure otherwise that it is the process meant";
    for (inject, cause) in [
        (
            // ANON_INODE_FS_MAGIC.
            "inject=fstatfs:poke_exit=@arg2=3419040900000000",
            "all pidfds share one inode before Linux 6.9, so it tells no process from another",
        ),
        (
            "inject=pidfd_open:error=ENOSYS",
            "there are no pidfds: the kernel is older than Linux 5.3, or a filter refuses pidfd_open(2)",
        ),
    ] {
        for (applet, status, target) in [
            ("nsenter", 1, format!("-t{pid}:1")),
            ("setns", 125, format!("uts=pid:{pid}:1")),
        ] {
            let told = format!(
                "{applet}: {refused} {pid}: Operation not supported\n  cause: {cause}\n  hint: {hint}\n"
            );
            Tool::program("strace")
                .args(["-f", "-qq", "-o", "/dev/null", "-e", "signal=none"])
                .args(["-e", "trace=fstatfs,pidfd_open", "-e", inject])
                .arg(Tool::path_of(applet))
                .args(["--explain", &target])
                .args((applet == "nsenter").then_some("-u"))
                .args(["echo", "it ran"])
                .run()
                .exits(status)
                .out("")
                .err(&told);
        }
    }
}

#[test]
fn the_inode_of_a_process_that_is_gone() {
    needs!(root(), since(2, 43, "lacks PID:INODE"));
    let holder = Holder::unshare("-n");
    let pid = holder.pid();
    kill(pid, Signal::SIGKILL);
    drop(holder);
    Tool::nsenter()
        .arg(format!("-t{pid}:1234"))
        .line("-n echo it ran")
        .run()
        .exits(1)
        .out("")
        .err_has(&pid.to_string());
}

/// A process with a second thread, which has a host name of its own.
struct Threaded {
    _process: Holder,
    thread: i32,
}

impl Threaded {
    #[track_caller]
    fn new() -> Self {
        let script = "
import ctypes, os, sys, threading
def elsewhere():
    assert ctypes.CDLL(None).unshare(0x04000000) == 0
    os.write(2, b'') or done.set()
    threading.Event().wait()
done = threading.Event()
threading.Thread(target=elsewhere, daemon=True).start()
done.wait()
open('/proc/self/comm', 'w').write('cat')
print(os.getpid(), flush=True)
sys.stdin.read()
";
        let tool = Tool::program("python3").args(["-c", script]);
        let process = Holder::of(tool, "");
        let tasks = std::fs::read_dir(format!("/proc/{}/task", process.pid())).expect("/proc");
        let thread = tasks
            .filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok())
            .find(|thread| *thread != process.pid())
            .expect("a second thread");
        Self {
            _process: process,
            thread,
        }
    }
}

#[test]
fn a_thread() {
    needs!(root(), command("python3"));
    let threaded = Threaded::new();
    let thread = threaded.thread;
    let own = std::fs::read_link(format!("/proc/{thread}/task/{thread}/ns/uts")).expect("/proc");
    assert_ne!(own.to_string_lossy(), Links::mine().get("uts"));
    needs!(ours("refuses it"));
    for words in ["-u", "-a", "-u -r -w -e", "-u -S follow"] {
        Tool::nsenter()
            .args(["-t", &thread.to_string()])
            .line(words)
            .line("readlink /proc/self/ns/uts")
            .run()
            .ok()
            .out(&format!("{}\n", own.display()));
    }
}
