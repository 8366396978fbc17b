//! The helper's side: its life, and the work that it does outside for the process that started it.
//!
//! The hard thing: it must end when its caller does, whatever either of them is at. What it has made stays only if all
//! of it was done and nobody asked to undo it.

use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::bind::Bind;
use super::failure::failure;
use super::wire::{Answer, Failed, MESSAGE, Order, PartError};
use super::{Outside, Via};
use crate::failure::Inquiry;
use crate::host::mountinfo::{self, Mount};
use crate::model::{IdMap, Ids, Kind};
use crate::steps::pidfile::Pidfile;
use crate::sys::{self, ArgList, Change, Environment, For, Limit, OwnArgs, SignalSet};

/// How often something is tried once more after an error, where it is too late for us to fail.
const TRIES: u32 = 3;

/// The process that the helper works for.
pub(crate) struct Caller {
    pub(crate) pid: i32,
    /// Its directory in /proc; none where there is no work for which it is needed.
    pub(crate) directory: Option<OwnedFd>,
    /// Our end of the line to it.
    pub(crate) socket: OwnedFd,
    /// The signals that it has blocked.
    pub(crate) mask: SignalSet,
}

impl Caller {
    fn directory(&self) -> sys::Result<BorrowedFd<'_>> {
        let directory = self.directory.as_ref().map(AsFd::as_fd);
        directory.ok_or(sys::Error::from_raw(libc::ENOENT))
    }
}

/// What has been made, and is undone unless the program starts.
struct Made {
    binds: Binds,
    pidfile: Option<Pidfile>,
}

impl Made {
    fn undo(&mut self) {
        self.binds.undo();
        if let Some(file) = &mut self.pidfile {
            file.undo();
        }
    }
}

/// The helper's life.
pub(crate) fn serve(
    work: &[Outside],
    pidfile: Option<Pidfile>,
    caller: &Caller,
    inquiry: Inquiry<'_>,
) {
    let socket = caller.socket.as_fd();
    let mut made = Made {
        binds: Binds::default(),
        pidfile,
    };
    let mut next = work.iter();
    let mut starts = false;
    while let Some(order) = hear(socket, starts) {
        let done = match order {
            Order::Undo => {
                made.undo();
                let _ = sys::send(socket, &Answer::Undone.encode());
                return;
            }
            Order::Start(pid) => {
                let ready = start(&mut made, pid);
                starts = ready.is_ok();
                ready.map_err(|error| failed(0, error))
            }
            Order::Work => match next.next() {
                Some(piece) => {
                    let done = match piece {
                        Outside::Setgroups(value) => {
                            write_file("setgroups", value.as_str().as_bytes(), caller)
                        }
                        Outside::Clock(offset) => {
                            write_file("timens_offsets", offset.text().as_bytes(), caller)
                        }
                        Outside::Maps(maps) => write_maps(maps, caller),
                        Outside::Bind(binds) => made.binds.make(binds, caller),
                    };
                    done.map_err(|failed| inquire(piece, failed, caller, inquiry))
                }
                None => Err(failed(0, sys::Error::from_raw(libc::EINVAL))),
            },
        };
        let ok = done.is_ok();
        let answer = done.map_or_else(Answer::Failed, |()| Answer::Done);
        let answered = sys::send(socket, &answer.encode());
        // Who did not get the answer has started nothing.
        if !ok || answered.is_err() {
            return made.undo();
        }
        // Nothing more can be asked of us, so the caller need not wait until we have heard that it goes on.
        if next.len() == 0 && made.pidfile.is_none() && !work.iter().any(Outside::can_be_undone) {
            return;
        }
    }
    // The caller has become the program, or has seen to its start; or has died before.
    if !starts {
        made.undo();
    } else if let Some(file) = &mut made.pidfile {
        file.keep();
    }
}

/// The next order; none when the caller is gone, or cannot be heard: then it will find us gone.
fn hear(socket: BorrowedFd<'_>, starts: bool) -> Option<Order> {
    let mut order = [0; MESSAGE];
    let mut tries = 0;
    loop {
        match sys::read_some(socket, &mut order) {
            Ok(length) => return Order::decode(order.get(..length).unwrap_or_default()),
            // The program may run by now, or may be about to fail: only the next message, or the end, tells.
            Err(_) if starts && tries < TRIES => tries += 1,
            Err(_) => return None,
        }
    }
}

/// The program is about to start.
fn start(made: &mut Made, pid: i32) -> sys::Result<()> {
    // It may be a moment before we end. Until then our memory holds the environment as it was before it was cleared.
    sys::make_undumpable()?;
    match &mut made.pidfile {
        Some(file) => file.write(pid),
        None => Ok(()),
    }
}

/// Asks why, here outside, where the privilege is that was not enough.
fn inquire(piece: &Outside, failed: Failed, caller: &Caller, inquiry: Inquiry<'_>) -> Failed {
    let copy = Failed {
        said: failed.said.clone(),
        causes: None,
        ..failed
    };
    let mut failure = failure(piece, copy, caller.pid);
    inquiry(&mut failure);
    Failed {
        causes: failure.causes,
        ..failed
    }
}

fn failed(part: usize, error: sys::Error) -> Failed {
    outcome(part, PartError::Errno(error.raw()), Vec::new())
}

fn outcome(part: usize, error: PartError, said: Vec<u8>) -> Failed {
    Failed {
        // There are eight kinds of namespaces, and two of IDs.
        part: part as u32,
        error,
        said,
        causes: None,
    }
}

/// The namespaces that have been bound on files.
#[derive(Default)]
struct Binds {
    made: Vec<Bound>,
    /// Our own directory in /proc, whatever is mounted over that until all is undone.
    own: Option<OwnedFd>,
}

/// A namespace that has been bound on a file.
struct Bound {
    /// The file, opened before: by its name another one may be found later.
    file: OwnedFd,
    /// The mount that the file is on.
    mount: u32,
    /// The namespace, as a link in /proc/PID/ns has it.
    namespace: OsString,
}

impl Binds {
    /// Binds the caller's namespaces on their files.
    fn make(&mut self, binds: &[Bind], caller: &Caller) -> std::result::Result<(), Failed> {
        for (index, Bind { kind, file }) in binds.iter().enumerate() {
            self.bind(*kind, file, caller)
                .map_err(|error| failed(index, error))?;
        }
        Ok(())
    }

    fn bind(&mut self, kind: Kind, file: &OsString, caller: &Caller) -> sys::Result<()> {
        let directory = caller.directory()?;
        let own = match &self.own {
            Some(own) => own,
            None => {
                let own = sys::open("/proc/self".as_ref(), For::Directory)?;
                self.own.insert(own)
            }
        };
        let source = format!("ns/{}", kind.file_for_children());
        let namespace = sys::read_link_at(directory, source.as_ref())?;
        let file = sys::open(file, For::Path)?;
        let info = format!("fdinfo/{}", file.as_raw_fd());
        let info = sys::read_file_at(own.as_fd(), info.as_ref(), Limit::FILE)?;
        let mount = mountinfo::mount_of_file(&info);
        let mount = mount.ok_or(sys::Error::from_raw(libc::ENOSYS))?;
        let descriptors = "/proc/self/fd";
        let source = format!("{descriptors}/{}/{source}", directory.as_raw_fd());
        let target = format!("{descriptors}/{}", file.as_raw_fd());
        sys::bind(source.as_ref(), target.as_ref(), false)?;
        self.made.push(Bound {
            file,
            mount,
            namespace,
        });
        Ok(())
    }

    /// Undoes them, the last first. Nobody is left to tell of an error.
    fn undo(&mut self) {
        let Some(own) = &self.own else { return };
        while let Some(bind) = self.made.pop() {
            let _ = (0..TRIES).any(|_| bind.undo(own.as_fd()).is_ok());
        }
    }
}

impl Bound {
    /// Takes the mount off the file, if what lies on top of that is ours. `own` is our directory in /proc.
    fn undo(&self, own: BorrowedFd<'_>) -> sys::Result<()> {
        // Nothing is named from the working directory any more.
        sys::change_directory_fd(own)?;
        let file = format!("fd/{}", self.file.as_raw_fd());
        let point = sys::read_link(file.as_ref())?;
        let text = sys::read_file("mountinfo".as_ref(), Limit::MOUNTS)?;
        let mounts: Vec<Mount> = Mount::parse_all(&text).collect();
        let top = Mount::over(&mounts, self.mount, Path::new(&point));
        if top.and_then(Mount::namespace) == Some(&self.namespace) {
            sys::detach(file.as_ref())?;
        }
        Ok(())
    }
}

/// A program that writes a map.
struct Running {
    part: usize,
    ids: Ids,
    pid: i32,
    output: OwnedFd,
    /// What it has said.
    said: Vec<u8>,
}

/// Writes a file of the caller's in /proc, with one write.
fn write_file(name: &str, text: &[u8], caller: &Caller) -> std::result::Result<(), Failed> {
    caller
        .directory()
        .and_then(|directory| sys::open_at(directory, name.as_ref(), For::Writing))
        .and_then(|file| sys::write_once(file.as_fd(), text))
        .map_err(|error| failed(0, error))
}

/// Writes the maps, by files directly and by programs side by side.
fn write_maps(maps: &[(Ids, IdMap, Via)], caller: &Caller) -> std::result::Result<(), Failed> {
    let errno = |error: sys::Error| PartError::Errno(error.raw());
    // All signals are blocked; this one says that a program has ended.
    let ends = sys::signal_descriptor(SignalSet::NONE.with(libc::SIGCHLD));
    let ends = ends.map_err(|error| failed(0, error))?;
    let mut running = Vec::new();
    let mut failure = None;
    for (part, (ids, map, via)) in maps.iter().enumerate() {
        let started = match via {
            Via::File => caller
                .directory()
                .and_then(|directory| sys::open_at(directory, ids.file().as_ref(), For::Writing))
                .and_then(|file| sys::write_once(file.as_fd(), &map.text()))
                .map_err(errno),
            Via::Program => start_program(*ids, map, caller).map(|(pid, output)| {
                running.push(Running {
                    part,
                    ids: *ids,
                    pid,
                    output,
                    said: Vec::new(),
                });
            }),
        };
        if let Err(error) = started {
            failure.get_or_insert(outcome(part, error, Vec::new()));
        }
    }
    for mut program in running {
        let error = match program.attend(ends.as_fd(), caller.socket.as_fd()) {
            Ok(Change::Exited(0)) => match has_map(program.ids, caller) {
                Ok(true) => continue,
                Ok(false) => PartError::NoMap,
                Err(error) => PartError::Unread(error.raw()),
            },
            Ok(Change::Exited(status)) => PartError::Exited(status.into()),
            Ok(Change::Killed(signal) | Change::Stopped(signal)) => PartError::Killed(signal),
            Err(error) => errno(error),
        };
        failure.get_or_insert(outcome(program.part, error, program.said));
    }
    failure.map_or(Ok(()), Err)
}

/// Whether a map has been written: another newuidmap(1) in `PATH` may have done something else.
fn has_map(ids: Ids, caller: &Caller) -> sys::Result<bool> {
    let text = sys::read_file_at(caller.directory()?, ids.file().as_ref(), Limit::FILE)?;
    Ok(!text.is_empty())
}

impl Running {
    /// Waits until the program has ended, and takes what it says. When the caller ends first, so does the program.
    fn attend(&mut self, ends: BorrowedFd<'_>, caller: BorrowedFd<'_>) -> sys::Result<Change> {
        let attended = self.listen(ends, caller);
        if attended.is_err() {
            self.kill();
        }
        attended
    }

    fn listen(&mut self, ends: BorrowedFd<'_>, caller: BorrowedFd<'_>) -> sys::Result<Change> {
        let mut is_silent = false;
        loop {
            // What a child of its own may still say is not waited for.
            if let Some(change @ (Change::Exited(_) | Change::Killed(_))) = sys::reap(self.pid)? {
                while let Ok(1..) = self.hear() {}
                return Ok(change);
            }
            // The caller waits for our answer, so all that can come from it is its end.
            let output = if is_silent { ends } else { self.output.as_fd() };
            match sys::wait_readable([caller, ends, output])? {
                0 => return Err(sys::Error::from_raw(libc::EPIPE)),
                1 => drop(sys::read_some(ends, &mut [0; MESSAGE])?),
                _ => is_silent = self.hear()? == 0,
            }
        }
    }

    /// Takes a part of what it says; gives how much. More than can be told is not kept.
    fn hear(&mut self) -> sys::Result<usize> {
        let mut part = [0; MESSAGE];
        let length = sys::read_some(self.output.as_fd(), &mut part)?;
        let room = MESSAGE.saturating_sub(self.said.len());
        self.said.extend_from_slice(&part[..length.min(room)]);
        Ok(length)
    }

    /// Ends it with all that it has started.
    fn kill(&self) {
        if sys::kill(-self.pid, libc::SIGKILL).is_err() {
            // It may have left its process group.
            let _ = sys::kill(self.pid, libc::SIGKILL);
        }
        while let Ok(Change::Stopped(_)) = sys::wait(self.pid) {}
    }
}

/// Starts newuidmap or newgidmap for the caller; gives its PID and what it says on standard error.
fn start_program(
    ids: Ids,
    map: &IdMap,
    caller: &Caller,
) -> std::result::Result<(i32, OwnedFd), PartError> {
    let errno = |error: sys::Error| PartError::Errno(error.raw());
    let word = |text: String| CString::new(text).map_err(|_| PartError::Errno(libc::EINVAL));
    let program = word(ids.helper().to_owned())?;
    let mut words = vec![program.clone(), word(caller.pid.to_string())?];
    for extent in map.extents() {
        for number in [extent.inside(), extent.outside(), extent.count()] {
            words.push(word(number.to_string())?);
        }
    }
    let args = OwnArgs::new(words);
    let (read, write) = sys::pipe().map_err(errno)?;
    sys::set_nonblocking(read.as_fd()).map_err(errno)?;
    let mut refused = None;
    let child = sys::vfork(|| {
        // In a process group of its own, so that it can be ended with all that it starts.
        let ready = sys::lead_process_group()
            .and_then(|()| sys::become_stream(sys::Stream::Error, write.as_fd()))
            .and_then(|()| sys::set_blocked(caller.mask));
        if let Err(error) = ready {
            refused = Some(PartError::Errno(error.raw()));
            return 1;
        }
        let path = sys::variable("PATH");
        let error = sys::execute(&program, ArgList::Own(&args), Environment::Same, path);
        refused = Some(PartError::NotExecuted(error.raw()));
        1
    })
    .map_err(errno)?;
    match refused {
        Some(outcome) => {
            // It has ended; only its number is left to be freed.
            let _ = sys::wait(child);
            Err(outcome)
        }
        None => Ok((child, read)),
    }
}
