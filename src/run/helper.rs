//! The helper outside: a process of ours that stays in the namespaces we came from and does there what we
//! cannot do from within.
//!
//! It writes maps of more than one ID, binds namespaces on files, and writes the PID file, for which we may have
//! lost the right by then. We talk over a socket pair: one message asks for the next piece of work, the answer says
//! how it went. This is our side, and what is said; the helper's side is in `outside`.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};

use super::outside::{Caller, serve};
use super::report::Pidfile;
use crate::failure::{Cause, Failure, Inquiry, Result, Stage, line};
use crate::plan::{Outside, Via};
use crate::sys::{self, Change, For, Forked, SignalSet};

/// Do the next piece of work.
pub(super) const GO: u8 = b'g';
/// The program is about to start, with the PID that follows: write that to the PID file, if there is to be one, and
/// then answer. From here on all stays, unless it is undone.
pub(super) const START: u8 = b's';
/// Undo what was bound and written.
pub(super) const UNDO: u8 = b'u';

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
        inquiry: Inquiry<'_>,
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
                    // What ends our caller must not end us before all is undone.
                    mask: sys::set_blocked(SignalSet::ALL).unwrap_or_default(),
                };
                serve(&work, pidfile, &caller, inquiry);
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
            (Some(Answer::Failed(failed)), Some(work)) => Err(failure(work, failed, self.caller)),
            _ => Err(gone(sys::Error::from_raw(libc::EPIPE))),
        }
    }

    /// Tells it that the program is about to start, with this PID, which it writes to the PID file.
    pub(crate) fn start_program(&self, pid: i32) -> Result<()> {
        let mut order = vec![START];
        order.extend(pid.to_ne_bytes());
        let Some(file) = &self.pidfile else {
            return sys::send(self.socket.as_fd(), &order).map_err(gone);
        };
        match self.ask(&order)? {
            Some(Answer::Done) => Ok(()),
            Some(Answer::Failed(Failed {
                error: Outcome::Errno(number),
                ..
            })) => {
                let text = line(["write failed ".as_ref(), file]);
                let error = sys::Error::from_raw(number);
                Err(Failure::new(Stage::Report, text, error))
            }
            _ => Err(gone(sys::Error::from_raw(libc::EPIPE))),
        }
    }

    fn ask(&self, order: &[u8]) -> Result<Option<Answer>> {
        sys::send(self.socket.as_fd(), order).map_err(gone)?;
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
        if sys::send(self.socket.as_fd(), &[UNDO]).is_ok() {
            // The answer comes when it is undone; without one there is nothing left to undo it.
            let _ = sys::read_some(self.socket.as_fd(), &mut [0]);
        }
        self.end();
    }

    /// Ends it; what it has made stays if the program was about to start.
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
pub(super) const MESSAGE: usize = 4096;

/// How a piece of work went.
pub(super) enum Answer {
    Done,
    Failed(Failed),
}

/// What failed of a piece of work.
pub(super) struct Failed {
    /// Which part of it.
    pub(super) part: usize,
    /// Why.
    pub(super) error: Outcome,
    /// What a program said of it.
    pub(super) said: Vec<u8>,
    /// The causes that were found here, outside.
    pub(super) causes: Option<Box<[Cause]>>,
}

/// Why a part failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
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

pub(super) fn encode(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Done => vec![0],
        Answer::Failed(failed) => {
            let (tag, number) = match failed.error {
                Outcome::Errno(number) => (1, number),
                Outcome::NotExecuted(number) => (2, number),
                Outcome::Exited(number) => (3, number),
                Outcome::Killed(number) => (4, number),
                Outcome::NoMap => (5, 0),
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
        4 => Outcome::Killed(number),
        _ => Outcome::NoMap,
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
pub(super) fn failure(work: &Outside, failed: Failed, pid: i32) -> Failure {
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
                Outcome::NoMap => {
                    Failure::plain(stage, format!("{} failed: it wrote no map", ids.helper()))
                }
            }
        }
    };
    failure.said = said;
    failure.causes = causes;
    failure
}
