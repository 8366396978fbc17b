//! The helper outside: a process of ours that stays in the namespaces we came from and does there what we
//! cannot do from within.
//!
//! It writes maps of more than one ID, and binds namespaces on files. We talk over a socket pair: one byte asks
//! for the next piece of work, the answer says how it went. When we are gone the socket ends, and so does the
//! helper; what it had bound stays only if all of it was done and nobody asked to undo it.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::failure::{Cause, Failure, Inquiry, Result, Stage, line};
use crate::plan::{IdMap, Ids, Kind, Outside, Via};
use crate::sys::{self, ArgList, Change, Environment, For, Forked, OwnArgs};

/// Do the next piece of work.
const GO: u8 = b'g';
/// Undo what was bound.
const UNDO: u8 = b'u';

/// Our end of the line to the helper.
#[derive(Debug)]
pub(crate) struct Helper {
    socket: OwnedFd,
    /// Our child, to be waited for; none when init or a subreaper does that.
    pid: Option<i32>,
    work: Vec<Outside>,
    next: usize,
}

impl Helper {
    /// Starts it. `orphan`: it must not be a child of this process, which will become the program.
    pub(crate) fn start(work: Vec<Outside>, orphan: bool, inquiry: Inquiry<'_>) -> Result<Helper> {
        let failed = |error| Failure::new(Stage::Fork, "fork failed", error);
        let (ours, theirs) = sys::socket_pair().map_err(failed)?;
        // Opened now: afterwards we may be in another PID namespace, or not allowed to look.
        let me = sys::open("/proc/self".as_ref(), For::Directory)
            .map_err(|error| Failure::open("/proc/self", error))?;
        let parent = sys::pid();
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
                serve(&work, &theirs, &me, parent, inquiry);
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
                    work,
                    next: 0,
                })
            }
        }
    }

    /// Lets it do its next piece of work, and waits for that.
    pub(crate) fn go(&mut self) -> Result<()> {
        let gone = |error| Failure::new(Stage::Fork, "the helper outside is gone", error);
        sys::write_once(self.socket.as_fd(), &[GO]).map_err(gone)?;
        let mut answer = vec![0; MESSAGE];
        let length = sys::read_some(self.socket.as_fd(), &mut answer).map_err(gone)?;
        let work = self.work.get(self.next);
        self.next += 1;
        match (decode(&answer[..length]), work) {
            (Some(Answer::Done), _) => Ok(()),
            (Some(Answer::Failed(failed)), Some(work)) => Err(failure(work, failed, sys::pid())),
            _ => Err(gone(sys::Error::from_raw(libc::EPIPE))),
        }
    }

    /// Whether all its work is done.
    pub(crate) fn is_done(&self) -> bool {
        self.next == self.work.len()
    }

    /// Whether it may be asked to undo something: it has bound namespaces, or will.
    pub(crate) fn can_undo(&self) -> bool {
        self.work
            .iter()
            .any(|piece| matches!(piece, Outside::Bind(_)))
    }

    /// Has it undo what it has bound; ends it.
    pub(crate) fn undo(self) {
        if sys::write_once(self.socket.as_fd(), &[UNDO]).is_ok() {
            // The answer comes when it is undone; without one there is nothing left to undo it.
            let _ = sys::read_some(self.socket.as_fd(), &mut [0]);
        }
        self.end();
    }

    /// Ends it; what it has bound stays.
    pub(crate) fn end(self) {
        drop(self.socket);
        if let Some(pid) = self.pid {
            // It ends by itself when the socket does.
            let _ = sys::wait(pid);
        }
    }
}

/// The largest answer: what a program said is cut to this.
const MESSAGE: usize = 4096;

/// How a piece of work went.
enum Answer {
    Done,
    Failed(Failed),
}

/// What failed of a piece of work.
struct Failed {
    /// Which part of it.
    part: usize,
    /// Why.
    error: Outcome,
    /// What a program said of it.
    said: Vec<u8>,
    /// The causes that were found here, outside.
    causes: Option<Box<[Cause]>>,
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
}

fn encode(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Done => vec![0],
        Answer::Failed(failed) => {
            let (tag, number) = match failed.error {
                Outcome::Errno(number) => (1, number),
                Outcome::NotExecuted(number) => (2, number),
                Outcome::Exited(number) => (3, number),
                Outcome::Killed(number) => (4, number),
            };
            let mut bytes = vec![tag];
            bytes.extend((failed.part as u32).to_ne_bytes());
            bytes.extend(number.to_ne_bytes());
            // What is said is a line; what is left of the room is for the causes.
            let said = &failed.said[..failed.said.len().min(MESSAGE / 2)];
            bytes.extend((said.len() as u32).to_ne_bytes());
            bytes.extend(said);
            for Cause { cause, hint } in failed.causes.as_deref().unwrap_or_default() {
                let texts = [cause.as_bytes(), b"\0", hint.as_bytes(), b"\0"].concat();
                if bytes.len() + texts.len() <= MESSAGE {
                    bytes.extend(texts);
                }
            }
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
    let (number, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let number = i32::from_ne_bytes(*number);
    let error = match tag {
        1 => Outcome::Errno(number),
        2 => Outcome::NotExecuted(number),
        3 => Outcome::Exited(number),
        _ => Outcome::Killed(number),
    };
    let length = usize::try_from(u32::from_ne_bytes(*length)).ok()?;
    let (said, causes) = rest.split_at_checked(length)?;
    let texts: Vec<String> = causes
        .split(|&byte| byte == 0)
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect();
    let causes: Box<[Cause]> = texts
        .chunks_exact(2)
        .map(|pair| Cause {
            cause: pair[0].clone(),
            hint: pair[1].clone(),
        })
        .collect();
    Some(Answer::Failed(Failed {
        part: usize::try_from(u32::from_ne_bytes(*part)).ok()?,
        error,
        said: said.to_vec(),
        causes: (!causes.is_empty()).then_some(causes),
    }))
}

/// The helper's failure as that of the process `pid`, for which it worked.
fn failure(work: &Outside, failed: Failed, pid: i32) -> Failure {
    let Failed {
        part,
        error: outcome,
        said,
        causes,
    } = failed;
    let mut failure = match work {
        Outside::Bind(binds) => {
            let Some((kind, file)) = binds.get(part) else {
                return Failure::plain(Stage::Fork, "the helper outside failed");
            };
            let source = format!("mount /proc/{pid}/ns/{} on ", kind.file_for_children());
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
                    outside: true,
                },
                Via::Program => Stage::MapProgram {
                    ids: *ids,
                    text: map.text(),
                },
            };
            match outcome {
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
            }
        }
    };
    failure.said = said;
    failure.causes = causes;
    failure
}

/// The helper's life.
fn serve(work: &[Outside], socket: &OwnedFd, caller: &OwnedFd, pid: i32, inquiry: Inquiry<'_>) {
    let mut bound: Vec<&OsStr> = Vec::new();
    let mut complete = true;
    let mut next = work.iter();
    let mut order = [0];
    // An error or an end of the socket: the caller is gone.
    while let Ok(1) = sys::read_some(socket.as_fd(), &mut order) {
        if order[0] == UNDO {
            undo(&mut bound);
            let _ = sys::write_once(socket.as_fd(), &[UNDO]);
            return;
        }
        let Some(piece) = next.next() else { break };
        let mut answer = match piece {
            Outside::Maps(maps) => match write_maps(maps, caller, pid) {
                Ok(()) => Answer::Done,
                Err(failed) => Answer::Failed(failed),
            },
            Outside::Bind(binds) => {
                complete = false;
                match bind_all(binds, caller, &mut bound) {
                    Ok(()) => {
                        complete = true;
                        Answer::Done
                    }
                    Err((part, error)) => Answer::Failed(Failed {
                        part,
                        error: Outcome::Errno(error.raw()),
                        said: Vec::new(),
                        causes: None,
                    }),
                }
            }
        };
        if let Answer::Failed(failed) = &mut answer {
            // Here, outside, is the privilege that was not enough.
            let copy = Failed {
                said: failed.said.clone(),
                causes: None,
                ..*failed
            };
            let mut failure = failure(piece, copy, pid);
            inquiry(&mut failure);
            failed.causes = failure.causes;
        }
        let failed = matches!(answer, Answer::Failed(_));
        if sys::write_once(socket.as_fd(), &encode(&answer)).is_err() || failed {
            break;
        }
    }
    if !complete {
        undo(&mut bound);
    }
}

fn undo(bound: &mut Vec<&OsStr>) {
    while let Some(file) = bound.pop() {
        // Nobody is left to tell of an error.
        let _ = sys::detach(file);
    }
}

/// Binds the caller's namespaces on their files; the number of the one that failed.
fn bind_all<'a>(
    binds: &'a [(Kind, OsString)],
    caller: &OwnedFd,
    bound: &mut Vec<&'a OsStr>,
) -> std::result::Result<(), (usize, sys::Error)> {
    for (index, (kind, file)) in binds.iter().enumerate() {
        let source = OsString::from(format!(
            "/proc/self/fd/{}/ns/{}",
            caller.as_raw_fd(),
            kind.file_for_children()
        ));
        sys::bind(&source, file, false).map_err(|error| (index, error))?;
        bound.push(file);
    }
    Ok(())
}

/// Writes the maps, by files directly and by programs side by side.
fn write_maps(
    maps: &[(Ids, IdMap, Via)],
    caller: &OwnedFd,
    pid: i32,
) -> std::result::Result<(), Failed> {
    let mut running = Vec::new();
    let mut failed = None;
    for (part, (ids, map, via)) in maps.iter().enumerate() {
        let started = match via {
            Via::File => {
                let file = sys::open_at(caller.as_fd(), ids.file().as_ref(), For::Writing);
                file.and_then(|file| sys::write_once(file.as_fd(), &map.text()))
                    .map_err(|error| Outcome::Errno(error.raw()))
            }
            Via::Program => {
                start_program(*ids, map, pid).map(|program| running.push((part, program)))
            }
        };
        if let Err(error) = started {
            failed.get_or_insert(Failed {
                part,
                error,
                said: Vec::new(),
                causes: None,
            });
        }
    }
    for (part, (pid, output)) in running {
        // Read to its end before waiting, so that the program never blocks on a full pipe.
        let said = sys::read_all(output.as_fd()).unwrap_or_default();
        let error = match sys::wait(pid) {
            Ok(Change::Exited(0)) => continue,
            Ok(Change::Exited(status)) => Outcome::Exited(status.into()),
            Ok(Change::Killed(signal) | Change::Stopped(signal)) => Outcome::Killed(signal),
            Err(error) => Outcome::Errno(error.raw()),
        };
        failed.get_or_insert(Failed {
            part,
            error,
            said,
            causes: None,
        });
    }
    failed.map_or(Ok(()), Err)
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
