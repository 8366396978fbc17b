//! The helper outside: a process of ours that stays in the namespaces we came from and does there what we
//! cannot do from within.
//!
//! It writes maps of more than one ID, binds namespaces on files, and writes the PID file, for which we may have
//! lost the right by then. We talk over a socket pair: to each order comes one answer. This is our side; what is said
//! is in `wire`, and the helper's side in `outside`.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};

use super::Outside;
use super::failure::failure;
use super::server::{Caller, serve};
use super::wire::{Answer, Failed, MESSAGE, Order, PartError};
use crate::failure::{Failure, Inquiry, Result, Unexplained, line};
use crate::steps::file::cannot_open;
use crate::steps::fork::NewProcess;
use crate::steps::pidfile::Pidfile;
use crate::sys::{self, Change, For, Forked, SignalSet};

/// How often it is tried to have all undone, should an order not go out.
const TRIES: u32 = 3;

/// Our end of the line to the helper.
#[derive(Debug)]
pub(crate) struct Client {
    socket: OwnedFd,
    /// Our child, to be waited for; none when init or a subreaper does that.
    pid: Option<i32>,
    /// The process whose namespaces are bound and mapped, as the helper sees it.
    caller: i32,
    work: Vec<Outside>,
    next: usize,
    pidfile: Option<OsString>,
}

impl Client {
    /// Starts it. `orphan`: it must not be a child of this process, which will become the program. `close`: called by the
    /// helper, closes what it has no use for.
    pub(crate) fn start(
        work: Vec<Outside>,
        pidfile: Option<Pidfile>,
        orphan: bool,
        inquiry: Inquiry<'_>,
        close: impl FnOnce(),
    ) -> Result<Client> {
        let failed = |error| Failure::new(NewProcess, "fork failed", error);
        let (ours, theirs) = sys::socket_pair().map_err(failed)?;
        // Opened now: afterwards we may be in another PID namespace, or not allowed to look. Who only wants a PID file
        // may have no proc.
        let directory = if work.is_empty() {
            None
        } else {
            let me = sys::open("/proc/self".as_ref(), For::Directory);
            Some(me.map_err(|error| cannot_open("/proc/self", error))?)
        };
        let caller = sys::pid();
        match sys::fork().map_err(failed)? {
            Forked::Child => {
                // What ends our caller must not end us before all is undone.
                let mask = sys::set_blocked(SignalSet::ALL).unwrap_or_else(|error| leave(error));
                if orphan {
                    match sys::fork() {
                        Ok(Forked::Child) => {}
                        Ok(Forked::Parent(_)) => sys::exit_now(0),
                        Err(error) => leave(error),
                    }
                }
                drop(ours);
                close();
                let caller = Caller {
                    pid: caller,
                    directory,
                    socket: theirs,
                    mask,
                };
                serve(&work, pidfile, &caller, inquiry);
                sys::exit_now(0)
            }
            Forked::Parent(child) => {
                let pid = if orphan {
                    match ended(child).map_err(failed)? {
                        0 => None,
                        number => return Err(failed(sys::Error::from_raw(number))),
                    }
                } else {
                    Some(child)
                };
                Ok(Client {
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
        let answer = self.ask(Order::Work)?;
        let work = self.work.get(self.next);
        self.next += 1;
        match (answer, work) {
            (Answer::Done, _) => Ok(()),
            (Answer::Failed(failed), Some(work)) => Err(failure(work, failed, self.caller)),
            _ => Err(gone()),
        }
    }

    /// Tells it that the program is about to start, with this PID, which it writes to the PID file.
    pub(crate) fn start_program(&self, pid: i32) -> Result<()> {
        match self.ask(Order::Start(pid))? {
            Answer::Done => Ok(()),
            Answer::Failed(Failed {
                error: PartError::Errno(number),
                ..
            }) => {
                let file = self.pidfile.as_deref().unwrap_or_default();
                let text = line(["write failed ".as_ref(), file]);
                let error = sys::Error::from_raw(number);
                Err(Failure::new(Unexplained("report"), text, error))
            }
            _ => Err(gone()),
        }
    }

    fn ask(&self, order: Order) -> Result<Answer> {
        sys::send(self.socket.as_fd(), &order.encode()).map_err(lost)?;
        let mut answer = vec![0; MESSAGE];
        let length = sys::read_some(self.socket.as_fd(), &mut answer).map_err(lost)?;
        Answer::decode(answer.get(..length).unwrap_or_default()).ok_or_else(gone)
    }

    /// For a child of ours, which may ask it to work too; to end it stays our affair.
    pub(crate) fn shared(self) -> Client {
        Client { pid: None, ..self }
    }

    /// Whether all its work is done.
    pub(crate) fn is_done(&self) -> bool {
        self.next == self.work.len()
    }

    /// Whether it may be asked to undo something: it has bound namespaces or written a file, or will.
    pub(crate) fn can_undo(&self) -> bool {
        self.pidfile.is_some() || self.work.iter().any(Outside::can_be_undone)
    }

    /// Has it undo what it has made; ends it.
    pub(crate) fn undo(self) {
        let order = Order::Undo.encode();
        if (0..TRIES).any(|_| sys::send(self.socket.as_fd(), &order).is_ok()) {
            let mut answer = vec![0; MESSAGE];
            // The answer to an order before this may still be on its way. Without this one there is nobody left to undo
            // anything, or it undoes all without being asked.
            while let Ok(length @ 1..) = sys::read_some(self.socket.as_fd(), &mut answer) {
                if Answer::decode(answer.get(..length).unwrap_or_default()) == Some(Answer::Undone)
                {
                    break;
                }
            }
        }
        self.end();
    }

    /// Ends it; what it has made stays if the program was about to start.
    pub(crate) fn end(self) {
        drop(self.socket);
        if let Some(pid) = self.pid {
            // It ends by itself when the socket does.
            let _ = ended(pid);
        }
    }
}

/// Waits until a child has ended; gives its exit status. That a signal killed it is an interruption.
fn ended(pid: i32) -> sys::Result<i32> {
    loop {
        match sys::wait(pid)? {
            Change::Exited(status) => return Ok(status.into()),
            Change::Killed(_) => return Ok(libc::EINTR),
            Change::Stopped(_) => {}
        }
    }
}

/// Ends a helper that came to nothing; its parent is told why.
fn leave(error: sys::Error) -> ! {
    sys::exit_now(u8::try_from(error.raw()).unwrap_or(u8::MAX))
}

fn lost(error: sys::Error) -> Failure {
    Failure::new(NewProcess, "the helper outside is gone", error)
}

fn gone() -> Failure {
    lost(sys::Error::from_raw(libc::EPIPE))
}
