//! Processes: seeing them, and ending those that we started (by PID, never by name).

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// How long to wait for something that must come. Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `look` sees something.
///
/// # Panics
/// When it has not come after a long time; `what` says what was waited for.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "never came: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The mark of one run: a variable in the environment of everything that it starts.
pub(super) struct Mark(String);

impl Mark {
    /// The variable's name.
    pub(super) const VARIABLE: &str = "NSKIT_TEST_RUN";

    /// A mark that no other run on this machine has.
    pub(super) fn new(run: u32) -> Self {
        Self(format!("{}-{run}", std::process::id()))
    }

    /// What the environment of every process has in it that any run of this test process started.
    pub(super) fn prefix() -> String {
        format!("{}={}-", Self::VARIABLE, std::process::id())
    }

    /// The variable's value.
    pub(super) fn value(&self) -> &str {
        &self.0
    }

    /// Kills what still carries the mark after `grace`, and says what that was.
    pub(super) fn kill_strays(&self, grace: Duration) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let strays = self.bearers();
            if strays.is_empty() {
                return Vec::new();
            }
            if begun.elapsed() >= grace {
                return strays
                    .into_iter()
                    .map(|pid| {
                        let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
                        kill(pid, Signal::SIGKILL);
                        format!("{pid} {}", name.unwrap_or_default().trim())
                    })
                    .collect();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn bearers(&self) -> Vec<i32> {
        let wanted = format!("{}={}", Self::VARIABLE, self.0).into_bytes();
        all()
            .filter(|pid| {
                environment(*pid)
                    .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|one| one == wanted))
            })
            .collect()
    }
}

/// The beginning of a process's environment: what it says of itself may be of any size.
fn environment(pid: i32) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut text = Vec::new();
    let file = std::fs::File::open(format!("/proc/{pid}/environ"))?;
    file.take(8 << 20).read_to_end(&mut text)?;
    Ok(text)
}

fn all() -> impl Iterator<Item = i32> {
    std::fs::read_dir("/proc")
        .expect("/proc is there")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The fields of /proc/PID/stat after the name: state, parent, process group, session…
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split_ascii_whitespace().map(str::to_owned).collect())
}

/// The state letter of a process: `R`, `S`, `T`, `Z`… None when it is gone.
pub(crate) fn state(pid: i32) -> Option<char> {
    stat(pid)?.first()?.chars().next()
}

/// Whether the process is there and not a zombie.
pub(crate) fn alive(pid: i32) -> bool {
    state(pid).is_some_and(|letter| !"ZX".contains(letter))
}

/// The children of a process, zombies included.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    all()
        .filter(|child| stat(*child).is_some_and(|fields| fields.get(1) == Some(&pid.to_string())))
        .collect()
}

/// The processes at or below this one.
pub(crate) fn tree(pid: i32) -> Vec<i32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(&parent) = all.get(next) {
        all.extend(children(parent));
        next += 1;
    }
    all
}

/// The name of the program that a process runs; empty when it is gone. It changes within execve(2), before the arguments
/// and the environment are the program's.
pub(crate) fn name_of(pid: i32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
    name.unwrap_or_default().trim().to_owned()
}

/// How many numbers for processes there are (proc_sys_kernel(5)).
pub(crate) fn pid_max() -> i32 {
    let text = std::fs::read_to_string("/proc/sys/kernel/pid_max").expect("it is always there");
    text.trim().parse().expect("a number")
}

/// Sends a signal to a process that a test started. That it is gone already is fine.
#[track_caller]
pub(crate) fn kill(pid: i32, signal: Signal) {
    assert!(pid > 1, "{pid} is not a process of ours");
    match nix::sys::signal::kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(error) => panic!("cannot send {signal} to {pid}: {error}"),
    }
}

/// Kills a process and everything below it.
pub(super) fn kill_tree(pid: i32) {
    let below = children(pid);
    kill(pid, Signal::SIGKILL);
    for child in below {
        kill_tree(child);
    }
}
