//! What the helper failed at, as a failure of the process for which it worked.

use super::map_program::MapByProgram;
use super::wire::{Failed, PartError};
use super::{Outside, Via};
use crate::failure::{Explain, Failure, Unexplained, line};
use crate::steps::map::Mapping;
use crate::sys;

/// The helper's failure as that of the process `pid`, for which it worked.
pub(crate) fn failure(work: &Outside, failed: Failed, pid: i32) -> Failure {
    let Failed {
        part,
        error: outcome,
        said,
        causes,
    } = failed;
    let unknown = || Failure::plain(Unexplained("fork"), "the helper outside failed");
    let mut failure = match work {
        Outside::Setgroups(value) => not_written(*value, "setgroups", outcome),
        Outside::Clock(offset) => not_written(offset.clone(), "timens_offsets", outcome),
        Outside::Bind(binds) => match binds.get(part as usize) {
            Some(bind) => {
                let source = format!("mount /proc/{pid}/ns/{} on ", bind.kind.file_for_children());
                let text = line([source.as_ref(), &bind.file, " failed".as_ref()]);
                match outcome {
                    PartError::Errno(number) => {
                        Failure::new(bind.clone(), text, sys::Error::from_raw(number))
                    }
                    _ => Failure::plain(bind.clone(), text),
                }
            }
            None => unknown(),
        },
        Outside::Maps(maps) => match maps.get(part as usize) {
            Some((ids, map, Via::File)) => {
                let mapping = Mapping {
                    ids: *ids,
                    map: map.clone(),
                    from_outside: true,
                };
                not_written(mapping, ids.file(), outcome)
            }
            Some((ids, map, Via::Program)) => {
                let (ids, map) = (*ids, map.clone());
                not_mapped(MapByProgram { ids, map }, outcome, pid)
            }
            None => unknown(),
        },
    };
    failure.said = said;
    failure.causes = causes;
    failure
}

/// A file in /proc that sets a namespace up was not written.
fn not_written(step: impl Explain + 'static, file: &str, outcome: PartError) -> Failure {
    let error = match outcome {
        PartError::Errno(number) => number,
        _ => libc::EIO,
    };
    let text = format!("write failed /proc/self/{file}");
    Failure::new(step, text, sys::Error::from_raw(error))
}

/// newuidmap(1) or newgidmap(1) failed.
fn not_mapped(given: MapByProgram, outcome: PartError, pid: i32) -> Failure {
    let (program, file) = (given.ids.helper(), given.ids.file());
    let (text, error) = match outcome {
        PartError::Errno(error) => (format!("write failed /proc/self/{file}"), Some(error)),
        PartError::NotExecuted(error) => (format!("failed to execute {program}"), Some(error)),
        PartError::Unread(error) => (format!("read failed /proc/{pid}/{file}"), Some(error)),
        PartError::Exited(status) => (format!("{program} failed: exit status {status}"), None),
        PartError::Killed(signal) => (format!("{program} failed: killed by signal {signal}"), None),
        PartError::NoMap => (format!("{program} failed: it wrote no map"), None),
    };
    match error {
        Some(error) => Failure::new(given, text, sys::Error::from_raw(error)),
        None => Failure::plain(given, text),
    }
}
