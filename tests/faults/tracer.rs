//! Runs a command line under ptrace(2), counts the system calls of each of its processes, and has something happen at one
//! of them.
//!
//! The hard thing: only what is ours is traced. Processes that have executed another program are let go, what the dynamic
//! loader does before us is not counted, and when the fault has happened nothing is stopped any more. Whoever traces must
//! be one thread and may have no other children than those that it knows.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{CStr, OsStr};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::fault::{Fault, What};

/// How long a run may take that takes milliseconds: whatever else the machine does, it hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A system call of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) process: String,
    pub(crate) index: usize,
    pub(crate) number: i64,
    /// Its first three arguments.
    pub(crate) arguments: [u64; 3],
}

/// How the process that was started ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Exited(i32),
    Killed(Signal),
    /// It did not.
    Hung,
}

/// What came of a run.
pub(crate) struct Traced {
    pub(crate) ended: Ended,
    pub(crate) calls: Vec<Call>,
    /// The call at which the fault happened.
    pub(crate) hit: Option<Call>,
    /// Processes that stayed.
    pub(crate) left: Vec<String>,
    /// The program was executed, or was about to be: who is killed in the middle of that may not be seen to be done.
    pub(crate) started: bool,
    /// Signals that were sent where they reach who started us.
    pub(crate) stray_signals: Vec<String>,
}

/// Who traces.
pub(crate) struct Tracer {
    news: SignalFd,
    /// The device and inode of our binary.
    binary: (u64, u64),
    /// Processes that are no run's.
    standing: BTreeSet<i32>,
}

/// A process that is traced.
struct Tracee {
    name: String,
    children: usize,
    /// It executes our binary.
    is_ours: bool,
    /// Where its dynamic loader lies, until that is done.
    loader: Option<u64>,
    calls: usize,
    /// What the call that it is in gives instead of what the kernel says.
    result: Option<Errno>,
}

/// One run.
struct Run<'a> {
    tracer: &'a Tracer,
    fault: Option<&'a Fault>,
    meanwhile: &'a mut dyn FnMut(),
    main: Pid,
    tracees: HashMap<Pid, Tracee>,
    /// Children that stopped before their parent said that they are.
    early: BTreeSet<Pid>,
    stopped: Option<Stopped>,
    traced: Traced,
    ended: Option<Ended>,
}

/// A process that is stopped for a while.
struct Stopped {
    pid: Pid,
    ticks: u32,
}

/// How large a dynamic loader may be.
const LOADER: u64 = 0x60000;
/// How many looks at a stopped process are taken before it is continued.
const STOPPED_FOR: u32 = 3;
const TICK: Duration = Duration::from_millis(1);

impl Tracer {
    /// Of runs of this binary; the processes that are there now are no run's.
    pub(crate) fn new(binary: &Path) -> Self {
        let mut child = SigSet::empty();
        child.add(Signal::SIGCHLD);
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&child), None).expect("signals can be blocked");
        let file = std::fs::metadata(binary).expect("the binary is there");
        Self {
            news: SignalFd::with_flags(&child, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
                .expect("a descriptor"),
            binary: (file.dev(), file.ino()),
            standing: processes(),
        }
    }

    /// Runs it. It stops itself before it executes our binary.
    pub(crate) fn run(&self, command: &mut Command, fault: Option<&Fault>) -> Traced {
        self.run_and(command, fault, &mut || {})
    }

    /// As [`Self::run`]; `meanwhile` is done while it [`What::IsHeld`].
    pub(crate) fn run_and(
        &self,
        command: &mut Command,
        fault: Option<&Fault>,
        meanwhile: &mut dyn FnMut(),
    ) -> Traced {
        let main = command.spawn().expect("a program starts").id();
        let main = Pid::from_raw(i32::try_from(main).expect("a PID fits"));
        match waitpid(main, Some(WaitPidFlag::WUNTRACED)) {
            Ok(WaitStatus::Stopped(_, _)) => {}
            other => panic!("no stop: {other:?}"),
        }
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_EXITKILL;
        ptrace::seize(main, options).expect("our child can be traced");
        kill(main, Signal::SIGCONT).expect("our child can be continued");
        let mut run = Run {
            tracer: self,
            fault,
            meanwhile,
            main,
            tracees: HashMap::from([(main, Tracee::new("0".to_owned(), false))]),
            early: BTreeSet::new(),
            stopped: None,
            traced: Traced {
                ended: Ended::Hung,
                calls: Vec::new(),
                hit: None,
                left: Vec::new(),
                started: false,
                stray_signals: Vec::new(),
            },
            ended: None,
        };
        run.follow();
        run.traced
    }

    /// The processes of a run.
    fn others(&self) -> Vec<i32> {
        processes().difference(&self.standing).copied().collect()
    }
}

impl Tracee {
    fn new(name: String, is_ours: bool) -> Self {
        Self {
            name,
            children: 0,
            is_ours,
            loader: None,
            calls: 0,
            result: None,
        }
    }
}

impl Run<'_> {
    fn follow(&mut self) {
        let mut since = Instant::now();
        loop {
            // A stopped process is looked at between two events.
            match waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
                Ok(WaitStatus::StillAlive) => {}
                Ok(status) => {
                    self.take(status);
                    continue;
                }
                Err(Errno::ECHILD) => {}
                // A signal without a name, which no process of ours gets.
                Err(error) => panic!("waitpid: {error}"),
            }
            if self.ended.is_some() && self.tracer.others().is_empty() {
                break;
            }
            if since.elapsed() > LIMIT {
                let others = self.tracer.others();
                self.traced.left = others.iter().map(|pid| describe(*pid)).collect();
                self.kill_all();
                since = Instant::now();
                if self.ended.is_none() {
                    self.ended = Some(Ended::Hung);
                }
            }
            self.look_at_stopped();
            self.wait_for_news();
        }
        self.traced.ended = self.ended.unwrap_or(Ended::Hung);
    }

    /// Waits for a process to change, or for the next look.
    fn wait_for_news(&self) {
        let timeout = match &self.stopped {
            Some(_) => TICK,
            // Only for what ends unseen: children of others.
            None if self.ended.is_some() => TICK,
            None => Duration::from_millis(100),
        };
        let mut watched = [PollFd::new(self.tracer.news.as_fd(), PollFlags::POLLIN)];
        let _ = poll(
            &mut watched,
            PollTimeout::try_from(timeout).unwrap_or(PollTimeout::ZERO),
        );
        while let Ok(Some(_)) = self.tracer.news.read_signal() {}
    }

    fn kill_all(&self) {
        for pid in self.tracer.others() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    fn take(&mut self, status: WaitStatus) {
        match status {
            WaitStatus::Exited(pid, code) => self.gone(pid, Ended::Exited(code)),
            WaitStatus::Signaled(pid, signal, _) => self.gone(pid, Ended::Killed(signal)),
            WaitStatus::PtraceSyscall(pid) => self.at_call(pid),
            WaitStatus::PtraceEvent(pid, Signal::SIGSTOP, libc::PTRACE_EVENT_STOP) => {
                self.at_stop(pid)
            }
            WaitStatus::PtraceEvent(pid, _, event) => self.at_event(pid, event),
            WaitStatus::Stopped(pid, signal) => {
                if self.tracees.contains_key(&pid) {
                    self.resume(pid, Some(signal));
                }
            }
            WaitStatus::Continued(_) | WaitStatus::StillAlive => {}
        }
    }

    fn gone(&mut self, pid: Pid, ended: Ended) {
        self.tracees.remove(&pid);
        if pid == self.main && self.ended.is_none() {
            self.ended = Some(ended);
        }
        self.release_orphans();
    }

    /// Lets go of children whose parent was killed before it could say that they are.
    fn release_orphans(&mut self) {
        let has_parent = |pid: &Pid| {
            parent(*pid).is_some_and(|parent| self.tracees.contains_key(&Pid::from_raw(parent)))
        };
        let (early, orphans) = self.early.iter().partition(|pid| has_parent(pid));
        self.early = early;
        let orphans: BTreeSet<Pid> = orphans;
        for pid in orphans {
            self.resume(pid, None);
        }
    }

    fn resume(&self, pid: Pid, signal: Option<Signal>) {
        let is_watched = self.tracees.get(&pid).is_some_and(|tracee| {
            tracee.is_ours && (self.traced.hit.is_none() || tracee.result.is_some())
        });
        // It may have been killed meanwhile.
        let _ = if is_watched {
            ptrace::syscall(pid, signal)
        } else {
            ptrace::cont(pid, signal)
        };
    }

    fn at_event(&mut self, pid: Pid, event: i32) {
        match event {
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                if let Ok(child) = ptrace::getevent(pid)
                    && let Some(parent) = self.tracees.get_mut(&pid)
                {
                    let child = Pid::from_raw(i32::try_from(child).expect("a PID fits"));
                    let name = format!("{}.{}", parent.name, parent.children);
                    parent.children += 1;
                    let is_ours = parent.is_ours;
                    self.tracees.insert(child, Tracee::new(name, is_ours));
                    if self.early.remove(&child) {
                        self.resume(child, None);
                    }
                }
            }
            libc::PTRACE_EVENT_EXEC => {
                if self.executes_ours(pid) {
                    let loader = loader(pid);
                    if let Some(tracee) = self.tracees.get_mut(&pid) {
                        tracee.is_ours = true;
                        tracee.loader = loader;
                    }
                } else if self.tracees.get(&pid).is_some_and(|tracee| tracee.is_ours) {
                    self.tracees.remove(&pid);
                    let program = std::fs::read_link(format!("/proc/{pid}/exe"));
                    // It may have been killed since; what it was cannot be seen then.
                    self.traced.started |= !program.is_ok_and(|file| is_map_program(&file));
                    let _ = ptrace::detach(pid, None);
                    return;
                }
            }
            _ if !self.tracees.contains_key(&pid) => {
                self.early.insert(pid);
                self.release_orphans();
                return;
            }
            _ => {}
        }
        self.resume(pid, None);
    }

    /// It has stopped itself, and its parent continues or kills it: traced it would not stay stopped.
    fn at_stop(&mut self, pid: Pid) {
        match self.tracees.get(&pid) {
            Some(tracee) if tracee.is_ours => {
                self.tracees.remove(&pid);
                let _ = ptrace::detach(pid, None);
            }
            // It waits for us.
            _ => self.at_event(pid, libc::PTRACE_EVENT_STOP),
        }
    }

    fn executes_ours(&self, pid: Pid) -> bool {
        std::fs::metadata(format!("/proc/{pid}/exe"))
            .is_ok_and(|file| (file.dev(), file.ino()) == self.tracer.binary)
    }

    fn at_call(&mut self, pid: Pid) {
        let info = ptrace::syscall_info(pid);
        let is_entry = info.is_ok_and(|info| info.op == libc::PTRACE_SYSCALL_INFO_ENTRY);
        if is_entry
            && self.tracees.get(&pid).is_some_and(|tracee| tracee.is_ours)
            && self.at_entry(pid)
        {
            return;
        }
        let Some(tracee) = self.tracees.get_mut(&pid) else {
            return;
        };
        if !is_entry
            && let Some(errno) = tracee.result.take()
            && let Ok(mut registers) = ptrace::getregs(pid)
        {
            registers.rax = (-i64::from(errno as i32)).cast_unsigned();
            let _ = ptrace::setregs(pid, registers);
        }
        self.resume(pid, None);
    }

    /// Before a call of ours. Whether the process is not to be resumed.
    fn at_entry(&mut self, pid: Pid) -> bool {
        let (Ok(mut registers), Some(tracee)) = (ptrace::getregs(pid), self.tracees.get_mut(&pid))
        else {
            return false;
        };
        if let Some(base) = tracee.loader {
            if (base..base + LOADER).contains(&registers.rip) {
                return false;
            }
            tracee.loader = None;
        }
        let call = Call {
            process: tracee.name.clone(),
            index: tracee.calls,
            number: registers.orig_rax.cast_signed(),
            arguments: [registers.rdi, registers.rsi, registers.rdx],
        };
        tracee.calls += 1;
        if let Some(stray) = stray_signal(pid, &call) {
            self.traced.stray_signals.push(stray);
        }
        let fault = self
            .fault
            .filter(|fault| fault.process == call.process && fault.call == call.index);
        self.traced.calls.push(call.clone());
        let fails = fault.is_some_and(|fault| matches!(fault.what, What::Fails(_)));
        if call.number == libc::SYS_execve && !fails {
            let program = string(pid, call.arguments[0]);
            self.traced.started |= program.is_some_and(|file| !is_map_program(&file));
        }
        let Some(fault) = fault else {
            return false;
        };
        match fault.what {
            What::Fails(errno) => {
                tracee.result = Some(errno);
                // It closes all the same, whatever it says.
                if call.number != libc::SYS_close {
                    registers.orig_rax = u64::MAX;
                    registers.rax = (-i64::from(errno as i32)).cast_unsigned();
                    let _ = ptrace::setregs(pid, registers);
                }
            }
            What::Gets(Signal::SIGSTOP) => {
                let _ = kill(pid, Signal::SIGSTOP);
                self.tracees.remove(&pid);
                let _ = ptrace::detach(pid, None);
                self.stopped = Some(Stopped { pid, ticks: 0 });
            }
            What::Gets(signal) => {
                let _ = kill(pid, signal);
            }
            What::IsHeld => (self.meanwhile)(),
        }
        self.traced.hit = Some(call);
        matches!(fault.what, What::Gets(Signal::SIGSTOP))
    }

    /// Continues a process when it has been stopped for a while; and who has stopped with it, as a shell would.
    fn look_at_stopped(&mut self) {
        let Some(stopped) = &mut self.stopped else {
            return;
        };
        stopped.ticks += 1;
        if stopped.ticks >= STOPPED_FOR {
            for pid in [stopped.pid, self.main] {
                if state(pid) == Some('T') {
                    let _ = kill(pid, Signal::SIGCONT);
                }
            }
        }
    }
}

/// What a call sends to whom it should not: all that it can reach, its process group, or who started it.
fn stray_signal(pid: Pid, call: &Call) -> Option<String> {
    if call.number != libc::SYS_kill {
        return None;
    }
    let [target, signal, _] = call.arguments.map(|argument| argument as i32);
    let ours = std::fs::read_link("/proc/self/ns/pid").ok();
    let sees_us = std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok() == ours;
    let is_stray = matches!(target, 0 | -1) || target == 1 && sees_us;
    is_stray.then(|| format!("kill({target}, {signal}) by {}", call.process))
}

fn is_map_program(file: &Path) -> bool {
    file.ends_with("newuidmap") || file.ends_with("newgidmap")
}

/// A string in the memory of a process.
fn string(pid: Pid, at: u64) -> Option<PathBuf> {
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut room = [0; 256];
    let length = memory.read_at(&mut room, at).ok()?;
    let text = CStr::from_bytes_until_nul(&room[..length]).ok()?;
    Some(OsStr::from_bytes(text.to_bytes()).into())
}

/// Where the dynamic loader of a process lies that has just executed a program.
fn loader(pid: Pid) -> Option<u64> {
    let table = std::fs::read(format!("/proc/{pid}/auxv")).ok()?;
    let words: Vec<u64> = table
        .chunks_exact(8)
        .map(|word| u64::from_ne_bytes(word.try_into().expect("eight bytes")))
        .collect();
    let pair = words
        .chunks_exact(2)
        .find(|pair| pair[0] == libc::AT_BASE)?;
    (pair[1] != 0).then_some(pair[1])
}

/// All that are there, but for those that have ended.
pub(crate) fn processes() -> BTreeSet<i32> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| !matches!(state(Pid::from_raw(*pid)), None | Some('Z' | 'X')))
        .collect()
}

fn state(pid: Pid) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(") ")?.1.chars().next()
}

fn parent(pid: Pid) -> Option<i32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn describe(pid: i32) -> String {
    let read =
        |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    format!(
        "{pid} {} {:?} in {} ({})",
        read("comm").trim_end(),
        state(Pid::from_raw(pid)),
        read("wchan"),
        read("cmdline").replace('\0', " ")
    )
}
