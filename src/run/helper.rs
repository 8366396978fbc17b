//! The helper outside: a process of ours that stays in the namespaces we came from and does there what we
//! cannot do from within.
//!
//! It writes maps of more than one ID, binds namespaces on files, and writes the PID file, for which we may have
//! lost the right by then. We talk over a socket pair: one message asks for the next piece of work, the answer says
//! how it went. When we are gone the socket ends, and so does the helper; what it had made stays only if all of it
//! was done and nobody asked to undo it.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::report::Pidfile;
use crate::failure::{Failure, Result, Stage, line};
use crate::plan::{IdMap, Ids, Kind, Outside, Via};
use crate::sys::{self, ArgList, Change, Environment, For, Forked, OwnArgs};

/// Do the next piece of work.
const GO: u8 = b'g';
/// Write the PID that follows to the PID file.
const PID: u8 = b'p';
/// Undo what was bound and written.
const UNDO: u8 = b'u';

/// Our end of the line to the helper.
#[derive(Debug)]
pub(crate) struct Helper {
    socket: OwnedFd,
    /// Our child, to be waited for; none when init or a subreaper does that.
    pid: Option<i32>,
    /// The process whose namespaces are bound and mapped, as the helper sees it.
    caller: i32,
    work: Vec<Outside>,
    next: usize,
    pidfile: Option<OsString>,
}

impl Helper {
    /// Starts it. `orphan`: it must not be a child of this process, which will become the program.
    pub(crate) fn start(
        work: Vec<Outside>,
        pidfile: Option<Pidfile>,
        orphan: bool,
    ) -> Result<Helper> {
        let failed = |error| Failure::new(Stage::Fork, "fork failed", error);
        let (ours, theirs) = sys::socket_pair().map_err(failed)?;
        // Opened now: afterwards we may be in another PID namespace, or not allowed to look.
        let me = sys::open("/proc/self".as_ref(), For::Directory)
            .map_err(|error| Failure::open("/proc/self", error))?;
        let caller = sys::pid();
        match sys::fork().map_err(failed)? {
            Forked::Child => {
                drop(ours);
                if orphan {
                    match sys::fork() {
                        Ok(Forked::Child) => {}
                        Ok(Forked::Parent(_)) => sys::exit_now(0),
                        Err(_) => sys::exit_now(1),
                    }
                }
                let caller = Caller {
                    pid: caller,
                    directory: me,
                    socket: theirs,
                };
                serve(&work, pidfile, &caller);
                sys::exit_now(0)
            }
            Forked::Parent(child) => {
                let pid = if orphan {
                    match sys::wait(child) {
                        Ok(Change::Exited(0)) => None,
                        _ => return Err(failed(sys::Error::from_raw(libc::EAGAIN))),
                    }
                } else {
                    Some(child)
                };
                Ok(Helper {
                    socket: ours,
                    pid,
                    caller,
                    work,
                    next: 0,
                    pidfile: pidfile.map(|file| file.path().to_owned()),
                })
            }
        }
    }

    /// Lets it do its next piece of work, and waits for that.
    pub(crate) fn go(&mut self) -> Result<()> {
        let answer = self.ask(&[GO])?;
        let work = self.work.get(self.next);
        self.next += 1;
        match (answer, work) {
            (Some(Answer::Done), _) => Ok(()),
            (Some(Answer::Failed { part, error, said }), Some(work)) => {
                Err(explain(work, self.caller, part, error, said))
            }
            _ => Err(gone(sys::Error::from_raw(libc::EPIPE))),
        }
    }

    /// Has it write the PID file, if there is to be one.
    pub(crate) fn write_pid(&self, pid: i32) -> Result<()> {
        let Some(file) = &self.pidfile else {
            return Ok(());
        };
        let mut order = vec![PID];
        order.extend(pid.to_ne_bytes());
        match self.ask(&order)? {
            Some(Answer::Done) => Ok(()),
            Some(Answer::Failed {
                error: Outcome::Errno(number),
                ..
            }) => {
                let text = line(["write failed ".as_ref(), file]);
                let error = sys::Error::from_raw(number);
                Err(Failure::new(Stage::Report, text, error))
            }
            _ => Err(gone(sys::Error::from_raw(libc::EPIPE))),
        }
    }

    fn ask(&self, order: &[u8]) -> Result<Option<Answer>> {
        sys::write_once(self.socket.as_fd(), order).map_err(gone)?;
        let mut answer = vec![0; MESSAGE];
        let length = sys::read_some(self.socket.as_fd(), &mut answer).map_err(gone)?;
        Ok(decode(&answer[..length]))
    }

    /// For a child of ours, which may ask it to work too; to end it stays our affair.
    pub(crate) fn shared(self) -> Helper {
        Helper { pid: None, ..self }
    }

    /// Whether all its work is done.
    pub(crate) fn is_done(&self) -> bool {
        self.next == self.work.len()
    }

    /// Whether it may be asked to undo something: it has bound namespaces or written a file, or will.
    pub(crate) fn can_undo(&self) -> bool {
        let binds = |piece: &Outside| matches!(piece, Outside::Bind(_));
        self.pidfile.is_some() || self.work.iter().any(binds)
    }

    /// Has it undo what it has made; ends it.
    pub(crate) fn undo(self) {
        if sys::write_once(self.socket.as_fd(), &[UNDO]).is_ok() {
            // The answer comes when it is undone; without one there is nothing left to undo it.
            let _ = sys::read_some(self.socket.as_fd(), &mut [0]);
        }
        self.end();
    }

    /// Ends it; what it has made stays.
    pub(crate) fn end(self) {
        drop(self.socket);
        if let Some(pid) = self.pid {
            // It ends by itself when the socket does.
            let _ = sys::wait(pid);
        }
    }
}

fn gone(error: sys::Error) -> Failure {
    Failure::new(Stage::Fork, "the helper outside is gone", error)
}

/// The largest answer: what a program said is cut to this.
const MESSAGE: usize = 4096;

/// How a piece of work went.
enum Answer {
    Done,
    /// The part of the piece that failed, why, and what a program said of it.
    Failed {
        part: usize,
        error: Outcome,
        said: Vec<u8>,
    },
}

/// Why a part failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// A system call gave this error.
    Errno(i32),
    /// The program was not found, or could not be executed.
    NotExecuted(i32),
    /// The program exited with this status.
    Exited(i32),
    /// This signal killed the program.
    Killed(i32),
    /// The program succeeded, and there is no map.
    NoMap,
}

fn encode(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Done => vec![0],
        Answer::Failed { part, error, said } => {
            let (tag, number) = match *error {
                Outcome::Errno(number) => (1, number),
                Outcome::NotExecuted(number) => (2, number),
                Outcome::Exited(number) => (3, number),
                Outcome::Killed(number) => (4, number),
                Outcome::NoMap => (5, 0),
            };
            let mut bytes = vec![tag];
            bytes.extend((*part as u32).to_ne_bytes());
            bytes.extend(number.to_ne_bytes());
            bytes.extend(&said[..said.len().min(MESSAGE - bytes.len())]);
            bytes
        }
    }
}

fn decode(bytes: &[u8]) -> Option<Answer> {
    let (&tag, rest) = bytes.split_first()?;
    if tag == 0 {
        return Some(Answer::Done);
    }
    let (part, rest) = rest.split_first_chunk()?;
    let (number, said) = rest.split_first_chunk()?;
    let number = i32::from_ne_bytes(*number);
    let error = match tag {
        1 => Outcome::Errno(number),
        2 => Outcome::NotExecuted(number),
        3 => Outcome::Exited(number),
        4 => Outcome::Killed(number),
        _ => Outcome::NoMap,
    };
    let part = usize::try_from(u32::from_ne_bytes(*part)).ok()?;
    Some(Answer::Failed {
        part,
        error,
        said: said.to_vec(),
    })
}

/// The helper's failure as ours.
fn explain(work: &Outside, caller: i32, part: usize, outcome: Outcome, said: Vec<u8>) -> Failure {
    match work {
        Outside::Bind(binds) => {
            let Some((kind, file)) = binds.get(part) else {
                return Failure::plain(Stage::Fork, "the helper outside failed");
            };
            let source = format!("mount /proc/{caller}/ns/{} on ", kind.file_for_children());
            let text = line([source.as_ref(), file, " failed".as_ref()]);
            let stage = Stage::Bind {
                kind: *kind,
                file: file.clone(),
            };
            match outcome {
                Outcome::Errno(number) => Failure::new(stage, text, sys::Error::from_raw(number)),
                _ => Failure::plain(stage, text),
            }
        }
        Outside::Maps(maps) => {
            let Some((ids, map, via)) = maps.get(part) else {
                return Failure::plain(Stage::Fork, "the helper outside failed");
            };
            let stage = match via {
                Via::File => Stage::Map {
                    ids: *ids,
                    text: map.text(),
                },
                Via::Program => Stage::MapProgram(*ids),
            };
            let mut failure = match outcome {
                Outcome::Errno(number) => Failure::new(
                    stage,
                    format!("write failed /proc/self/{}", ids.file()),
                    sys::Error::from_raw(number),
                ),
                Outcome::NotExecuted(number) => Failure::new(
                    stage,
                    format!("failed to execute {}", ids.helper()),
                    sys::Error::from_raw(number),
                ),
                Outcome::Exited(status) => Failure::plain(
                    stage,
                    format!("{} failed: exit status {status}", ids.helper()),
                ),
                Outcome::Killed(signal) => Failure::plain(
                    stage,
                    format!("{} failed: killed by signal {signal}", ids.helper()),
                ),
                Outcome::NoMap => {
                    Failure::plain(stage, format!("{} failed: it wrote no map", ids.helper()))
                }
            };
            failure.said = said;
            failure
        }
    }
}

/// The process that the helper works for.
struct Caller {
    pid: i32,
    /// Its directory in /proc.
    directory: OwnedFd,
    /// Our end of the line to it.
    socket: OwnedFd,
}

/// The helper's life.
fn serve(work: &[Outside], mut pidfile: Option<Pidfile>, caller: &Caller) {
    let socket = caller.socket.as_fd();
    let mut bound: Vec<&OsStr> = Vec::new();
    let mut next = work.iter();
    let mut order = [0; 5];
    // At the end of the socket the caller has become the program, or has seen to its start: all of it stays.
    while let Ok(1..) = sys::read_some(socket, &mut order) {
        let done = match (order, &mut pidfile) {
            ([UNDO, ..], _) => {
                undo(&mut bound, pidfile);
                let _ = sys::write_once(socket, &[UNDO]);
                return;
            }
            ([PID, pid @ ..], Some(file)) => {
                let written = file.write(i32::from_ne_bytes(pid));
                written.map_err(|error| failed(0, error))
            }
            _ => match next.next() {
                Some(Outside::Maps(maps)) => write_maps(maps, caller),
                Some(Outside::Bind(binds)) => bind_all(binds, caller, &mut bound),
                None => return undo(&mut bound, pidfile),
            },
        };
        let ok = done.is_ok();
        let answered = sys::write_once(socket, &encode(&done.err().unwrap_or(Answer::Done)));
        // Who did not wait for the answer has started nothing.
        if !ok || answered.is_err() {
            return undo(&mut bound, pidfile);
        }
    }
}

fn failed(part: usize, error: sys::Error) -> Answer {
    Answer::Failed {
        part,
        error: Outcome::Errno(error.raw()),
        said: Vec::new(),
    }
}

fn undo(bound: &mut Vec<&OsStr>, pidfile: Option<Pidfile>) {
    while let Some(file) = bound.pop() {
        // Nobody is left to tell of an error.
        let _ = sys::detach(file);
    }
    if let Some(mut file) = pidfile {
        file.undo();
    }
}

/// Binds the caller's namespaces on their files.
fn bind_all<'a>(
    binds: &'a [(Kind, OsString)],
    caller: &Caller,
    bound: &mut Vec<&'a OsStr>,
) -> std::result::Result<(), Answer> {
    for (index, (kind, file)) in binds.iter().enumerate() {
        let source = OsString::from(format!(
            "/proc/self/fd/{}/ns/{}",
            caller.directory.as_raw_fd(),
            kind.file_for_children()
        ));
        sys::bind(&source, file, false).map_err(|error| failed(index, error))?;
        bound.push(file);
    }
    Ok(())
}

/// A program that writes a map.
struct Running {
    part: usize,
    pid: i32,
    output: OwnedFd,
}

/// Writes the maps, by files directly and by programs side by side.
fn write_maps(maps: &[(Ids, IdMap, Via)], caller: &Caller) -> std::result::Result<(), Answer> {
    let directory = caller.directory.as_fd();
    let mut running = Vec::new();
    let mut failed = None;
    for (part, (ids, map, via)) in maps.iter().enumerate() {
        let started = match via {
            Via::File => {
                let file = sys::open_at(directory, ids.file().as_ref(), For::Writing);
                file.and_then(|file| sys::write_once(file.as_fd(), &map.text()))
                    .map_err(|error| Outcome::Errno(error.raw()))
            }
            Via::Program => start_program(*ids, map, caller.pid)
                .map(|(pid, output)| running.push(Running { part, pid, output })),
        };
        if let Err(error) = started {
            failed.get_or_insert(Answer::Failed {
                part,
                error,
                said: Vec::new(),
            });
        }
    }
    let mut outputs = Vec::new();
    for program in &running {
        // Read to its end before waiting, so that the program never blocks on a full pipe.
        match listen(program.output.as_fd(), caller) {
            Some(said) => outputs.push(said),
            None => break,
        }
    }
    if outputs.len() < running.len() {
        // The caller is gone: what still runs ends with it.
        for program in &running {
            let _ = sys::kill(program.pid, libc::SIGKILL);
        }
    }
    outputs.resize(running.len(), Vec::new());
    for (Running { part, pid, .. }, said) in running.into_iter().zip(outputs) {
        let error = match sys::wait(pid) {
            Ok(Change::Exited(0)) if has_map(maps[part].0, caller) => continue,
            Ok(Change::Exited(0)) => Outcome::NoMap,
            Ok(Change::Exited(status)) => Outcome::Exited(status.into()),
            Ok(Change::Killed(signal) | Change::Stopped(signal)) => Outcome::Killed(signal),
            Err(error) => Outcome::Errno(error.raw()),
        };
        failed.get_or_insert(Answer::Failed { part, error, said });
    }
    failed.map_or(Ok(()), Err)
}

/// Whether a map has been written: another newuidmap(1) in `PATH` may have done something else.
fn has_map(ids: Ids, caller: &Caller) -> bool {
    let text = sys::read_file_at(caller.directory.as_fd(), ids.file().as_ref());
    text.is_ok_and(|text| !text.is_empty())
}

/// All that a program says; none when the caller ends before it does.
fn listen(output: BorrowedFd<'_>, caller: &Caller) -> Option<Vec<u8>> {
    let mut said = Vec::new();
    let mut part = [0; MESSAGE];
    loop {
        // The caller waits for our answer, so all that can come from it is its end.
        match sys::wait_readable([output, caller.socket.as_fd()]) {
            Ok(0) => {}
            Ok(_) => return None,
            Err(_) => return Some(said),
        }
        match sys::read_some(output, &mut part) {
            Ok(0) | Err(_) => return Some(said),
            Ok(length) => said.extend_from_slice(&part[..length]),
        }
    }
}

/// Starts newuidmap or newgidmap for the caller; gives its PID and what it says on standard error.
fn start_program(ids: Ids, map: &IdMap, pid: i32) -> std::result::Result<(i32, OwnedFd), Outcome> {
    let errno = |error: sys::Error| Outcome::Errno(error.raw());
    let word = |text: String| CString::new(text).map_err(|_| Outcome::Errno(libc::EINVAL));
    let program = word(ids.helper().to_owned())?;
    let mut words = vec![program.clone(), word(pid.to_string())?];
    for extent in map.extents() {
        for number in [extent.inside(), extent.outside(), extent.count()] {
            words.push(word(number.to_string())?);
        }
    }
    let args = OwnArgs::new(words);
    let (read, write) = sys::pipe().map_err(errno)?;
    let mut refused = None;
    let child = sys::vfork(|_| {
        if let Err(error) = sys::become_stream(sys::Stream::Error, write.as_fd()) {
            refused = Some(error);
            return 1;
        }
        let path = sys::variable("PATH");
        refused = Some(sys::execute(
            &program,
            ArgList::Own(&args),
            Environment::Same,
            path,
        ));
        1
    })
    .map_err(errno)?;
    match refused {
        Some(error) => {
            // It has ended; only its number is left to be freed.
            let _ = sys::wait(child);
            Err(Outcome::NotExecuted(error.raw()))
        }
        None => Ok((child, read)),
    }
}
