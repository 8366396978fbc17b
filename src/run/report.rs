//! Reports to other programs: the status descriptor and the PID file.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::child::Ended;
use crate::failure::{Cause, Failure, Result, Stage};
use crate::plan::Kind;
use crate::plan::json::string;
use crate::sys::{self, Disposition, For, SignalSet};

/// The caller's descriptor for reports: a line of JSON for each event.
#[derive(Debug)]
pub(crate) struct Status {
    fd: OwnedFd,
    /// /proc/self/ns, opened before the root directory may change.
    namespaces: Option<OwnedFd>,
}

impl Status {
    /// Takes the descriptor over, so that the program does not get it.
    pub(crate) fn adopt(number: i32) -> Result<Status> {
        let fd = sys::adopt(number).map_err(|error| {
            Failure::new(
                Stage::Report,
                format!("--status-fd: cannot use descriptor {number}"),
                error,
            )
        })?;
        let namespaces = sys::open("/proc/self/ns".as_ref(), For::Directory).ok();
        Ok(Status { fd, namespaces })
    }

    /// The program's process exists, and everything is set up.
    pub(crate) fn ready(&self, pid: i32, forked: bool) {
        let mut line = format!("{{\"child-pid\":{pid},\"namespaces\":{{");
        let mut gap = "";
        for kind in Kind::ALL {
            let file = if forked {
                kind.file_for_children()
            } else {
                kind.name()
            };
            let Some(directory) = &self.namespaces else {
                break;
            };
            let Ok(stat) = sys::stat_at(directory.as_fd(), file.as_ref()) else {
                continue;
            };
            let _ = write!(line, "{gap}\"{kind}\":{}", stat.st_ino);
            gap = ",";
        }
        line.push_str("}}\n");
        self.tell(&line);
    }

    /// The program ended.
    pub(crate) fn ended(&self, ended: Ended) {
        match ended {
            Ended::Exited(status) => self.tell(&format!("{{\"exit-code\":{status}}}\n")),
            Ended::Killed(signal) => self.tell(&format!("{{\"signal\":{signal}}}\n")),
        }
    }

    /// We failed.
    pub(crate) fn failed(&self, failure: &Failure) {
        let mut line = format!(
            "{{\"error\":{{\"step\":{}",
            string(failure.stage.word().as_ref())
        );
        if let Some(error) = failure.error {
            let _ = write!(line, ",\"errno\":{}", string(error.name().as_ref()));
        }
        let mut message = failure.line.clone();
        if let Some(error) = failure.error {
            message.push(": ");
            message.push(error.text());
        }
        if !failure.said.is_empty() {
            message.push(": ");
            message.push(OsStr::from_bytes(failure.said.trim_ascii()));
        }
        let _ = write!(line, ",\"message\":{}", string(&message));
        let texts = |part: fn(&Cause) -> &String| {
            let causes = failure
                .causes
                .as_deref()
                .unwrap_or_default()
                .iter()
                .map(part);
            let texts: Vec<&str> = causes
                .map(String::as_str)
                .filter(|text| !text.is_empty())
                .collect();
            texts.join("; ")
        };
        let [causes, hints] = [texts(|cause| &cause.cause), texts(|cause| &cause.hint)];
        for (name, text) in [("cause", causes), ("hint", hints)] {
            if !text.is_empty() {
                let _ = write!(line, ",\"{name}\":{}", string(text.as_ref()));
            }
        }
        line.push_str("}}\n");
        self.tell(&line);
    }

    /// One write a line, so that a reader never sees half of one. Nobody may be reading any more: that is no
    /// failure of ours, and no reason to die of SIGPIPE.
    fn tell(&self, line: &str) {
        let mask = sys::set_blocked(SignalSet::ALL);
        let written = sys::write_all(self.fd.as_fd(), line.as_bytes());
        let broken = written.is_err_and(|error| error.raw() == libc::EPIPE);
        if broken && sys::is_ignored(libc::SIGPIPE) == Ok(false) {
            // To ignore a signal takes a pending one away; the program is to find it as our caller left it.
            let _ = sys::set_disposition(libc::SIGPIPE, Disposition::Ignored);
            let _ = sys::set_disposition(libc::SIGPIPE, Disposition::Default);
        }
        if let Ok(mask) = mask {
            let _ = sys::set_blocked(mask);
        }
    }
}

/// A file for the program's PID: its directory, opened before the root directory may change, and its name.
#[derive(Debug)]
pub(crate) struct Pidfile {
    directory: OwnedFd,
    name: OsString,
    path: OsString,
    written: bool,
}

impl Pidfile {
    /// Opens the directory.
    pub(crate) fn open(path: &OsStr) -> Result<Pidfile> {
        let file = Path::new(path);
        let parent = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.as_os_str(),
            _ => OsStr::new("."),
        };
        let Some(name) = file
            .file_name()
            .filter(|_| !path.as_bytes().ends_with(b"/"))
        else {
            return Err(Failure::open(path, sys::Error::from_raw(libc::EISDIR)));
        };
        let directory =
            sys::open(parent, For::Directory).map_err(|error| Failure::open(path, error))?;
        Ok(Pidfile {
            directory,
            name: name.to_owned(),
            path: path.to_owned(),
            written: false,
        })
    }

    /// The file, as it was named.
    pub(crate) fn path(&self) -> &OsStr {
        &self.path
    }

    /// Writes the PID, so that the file is there whole or not at all.
    pub(crate) fn write(&mut self, pid: i32) -> sys::Result<()> {
        let directory = self.directory.as_fd();
        let temporary = OsString::from(format!(".nskit-pid.{pid}.{}", sys::pid()));
        let file = sys::create_at(directory, &temporary, 0o644)?;
        let done = sys::write_all(file.as_fd(), format!("{pid}\n").as_bytes())
            .and_then(|()| sys::rename_at(directory, &temporary, &self.name));
        if let Err(error) = done {
            let _ = sys::remove_at(directory, &temporary);
            return Err(error);
        }
        self.written = true;
        Ok(())
    }

    /// Takes it away again: the program did not start.
    pub(crate) fn undo(&mut self) {
        if std::mem::take(&mut self.written) {
            let _ = sys::remove_at(self.directory.as_fd(), &self.name);
        }
    }
}
