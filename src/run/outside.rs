//! The helper's side: its life, and the work that it does outside for the process that started it.
//!
//! The hard thing: it must end when its caller does, whatever either of them is at. What it has made stays only if all
//! of it was done and nobody asked to undo it.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::helper::{Answer, Failed, MESSAGE, Outcome, START, UNDO, encode, failure};
use super::report::Pidfile;
use crate::failure::Inquiry;
use crate::plan::{IdMap, Ids, Kind, Outside, Via};
use crate::sys::{self, ArgList, Change, Environment, For, OwnArgs, SignalSet};

/// The process that the helper works for.
pub(super) struct Caller {
    pub(super) pid: i32,
    /// Its directory in /proc.
    pub(super) directory: OwnedFd,
    /// Our end of the line to it.
    pub(super) socket: OwnedFd,
    /// The signals that it has blocked.
    pub(super) mask: SignalSet,
}

/// The helper's life.
pub(super) fn serve(
    work: &[Outside],
    mut pidfile: Option<Pidfile>,
    caller: &Caller,
    inquiry: Inquiry<'_>,
) {
    let socket = caller.socket.as_fd();
    let mut bound: Vec<&OsStr> = Vec::new();
    let mut next = work.iter();
    let mut order = [0; 5];
    let mut starts = false;
    while let Ok(1..) = sys::read_some(socket, &mut order) {
        let done = match (order, &mut pidfile) {
            ([UNDO, ..], _) => {
                undo(&mut bound, pidfile);
                let _ = sys::send(socket, &[UNDO]);
                return;
            }
            ([START, ..], None) => {
                starts = true;
                continue;
            }
            ([START, pid @ ..], Some(file)) => {
                starts = true;
                let written = file.write(i32::from_ne_bytes(pid));
                written.map_err(|error| failed(0, error))
            }
            _ => {
                let Some(piece) = next.next() else {
                    return undo(&mut bound, pidfile);
                };
                let done = match piece {
                    Outside::Maps(maps) => write_maps(maps, caller),
                    Outside::Bind(binds) => bind_all(binds, caller, &mut bound),
                };
                done.map_err(|failed| inquire(piece, failed, caller, inquiry))
            }
        };
        let ok = done.is_ok();
        let answer = encode(&done.map_or_else(Answer::Failed, |()| Answer::Done));
        let answered = sys::send(socket, &answer);
        // Who did not wait for the answer has started nothing.
        if !ok || answered.is_err() {
            return undo(&mut bound, pidfile);
        }
    }
    // The caller has become the program, or has seen to its start; or has died before.
    if !starts {
        undo(&mut bound, pidfile);
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
    Failed {
        part,
        error: Outcome::Errno(error.raw()),
        said: Vec::new(),
        causes: None,
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
) -> std::result::Result<(), Failed> {
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
fn write_maps(maps: &[(Ids, IdMap, Via)], caller: &Caller) -> std::result::Result<(), Failed> {
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
            Via::Program => start_program(*ids, map, caller)
                .map(|(pid, output)| running.push(Running { part, pid, output })),
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
        failed.get_or_insert(Failed {
            part,
            error,
            said,
            causes: None,
        });
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
fn start_program(
    ids: Ids,
    map: &IdMap,
    caller: &Caller,
) -> std::result::Result<(i32, OwnedFd), Outcome> {
    let errno = |error: sys::Error| Outcome::Errno(error.raw());
    let word = |text: String| CString::new(text).map_err(|_| Outcome::Errno(libc::EINVAL));
    let program = word(ids.helper().to_owned())?;
    let mut words = vec![program.clone(), word(caller.pid.to_string())?];
    for extent in map.extents() {
        for number in [extent.inside(), extent.outside(), extent.count()] {
            words.push(word(number.to_string())?);
        }
    }
    let args = OwnArgs::new(words);
    let (read, write) = sys::pipe().map_err(errno)?;
    let mut refused = None;
    let child = sys::vfork(|| {
        if let Err(error) = sys::become_stream(sys::Stream::Error, write.as_fd()) {
            refused = Some(error);
            return 1;
        }
        let _ = sys::set_blocked(caller.mask);
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
