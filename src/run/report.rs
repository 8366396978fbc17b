//! Reports to other programs: the status descriptor.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use super::ended::Ended;
use crate::failure::{Cause, Failure, Result, Unexplained};
use crate::model::Kind;
use crate::model::json::string;
use crate::sys::{self, Disposition, For, Ready};

/// The caller's descriptor for reports: a line of JSON for each event.
pub(crate) struct StatusFd {
    fd: Rc<OwnedFd>,
    /// It is not the caller's, but the line to our parent, which passes on what we tell.
    is_line: bool,
    /// /proc/self/ns, opened before the root directory may change.
    namespaces: Option<OwnedFd>,
    /// What the descriptor did not take at once.
    behind: Cell<Vec<u8>>,
}

impl StatusFd {
    /// The longest line that is passed on.
    pub(crate) const LONGEST: usize = 128 * 1024;

    /// Takes the descriptor over, so that the program does not get it.
    pub(crate) fn adopt(number: i32) -> Result<StatusFd> {
        let fd = sys::adopt(number).map_err(|error| {
            Failure::new(
                Unexplained("report"),
                format!("--status-fd: cannot use descriptor {number}"),
                error,
            )
        })?;
        let namespaces = match sys::open("/proc/self/ns".as_ref(), For::Directory) {
            Ok(directory) => Some(directory),
            // Without /proc nothing is told of them.
            Err(error) if error.raw() == libc::ENOENT => None,
            Err(error) => {
                let line = "--status-fd: cannot open /proc/self/ns";
                return Err(Failure::new(Unexplained("report"), line, error));
            }
        };
        Ok(StatusFd {
            fd: Rc::new(fd),
            is_line: false,
            namespaces,
            behind: Cell::default(),
        })
    }

    /// In a child that is a copy of its parent: tells the parent.
    pub(super) fn over(line: &Rc<OwnedFd>) -> StatusFd {
        StatusFd {
            fd: Rc::clone(line),
            is_line: true,
            namespaces: None,
            behind: Cell::default(),
        }
    }

    /// To this descriptor, as the caller's would be.
    #[cfg(test)]
    pub(super) fn to(fd: OwnedFd) -> StatusFd {
        StatusFd {
            fd: Rc::new(fd),
            is_line: false,
            namespaces: None,
            behind: Cell::default(),
        }
    }

    /// The program's process exists, and everything is set up.
    pub(crate) fn ready(&mut self, pid: i32, forked: bool) {
        let namespaces = self.namespaces.take();
        let mut line = format!("{{\"child-pid\":{pid},\"namespaces\":{{");
        let mut gap = "";
        for kind in Kind::ALL {
            let file = if forked {
                kind.file_for_children()
            } else {
                kind.name()
            };
            let Some(directory) = &namespaces else {
                break;
            };
            let _ = match sys::stat_at(directory.as_fd(), file.as_ref()) {
                Ok(stat) => write!(line, "{gap}\"{kind}\":{}", stat.st_ino),
                // The kernel has no such kind.
                Err(error) if error.raw() == libc::ENOENT => continue,
                Err(_) => write!(line, "{gap}\"{kind}\":null"),
            };
            gap = ",";
        }
        line.push_str("}}\n");
        // Who waits for a child is not held up.
        self.tell(&line, !forked);
    }

    /// The program ended.
    pub(crate) fn ended(&self, ended: Ended) {
        match ended {
            Ended::Exited(status) => self.tell(&format!("{{\"exit-code\":{status}}}\n"), true),
            Ended::Killed(signal) => self.tell(&format!("{{\"signal\":{signal}}}\n"), true),
        }
    }

    /// We failed.
    pub(crate) fn failed(&self, failure: &Failure) {
        let mut line = format!(
            "{{\"error\":{{\"step\":{}",
            string(failure.step.word().as_ref())
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
        self.tell(&line, true);
    }

    /// Tells the parent, or writes it when that can be done; `waits`: also if it takes as long as the reader likes.
    fn tell(&self, line: &str, waits: bool) {
        if self.is_line {
            let text = &line.as_bytes()[..line.len().min(StatusFd::LONGEST)];
            let mut header = vec![STATUS];
            // It was cut to fit.
            header.extend((text.len() as u32).to_ne_bytes());
            let _ =
                sys::send(self.fd.as_fd(), &header).and_then(|()| sys::send(self.fd.as_fd(), text));
        } else {
            self.keep(line.as_bytes());
            self.catch_up(waits);
        }
    }

    /// Passes a line of our child's on, when that can be done.
    pub(super) fn pass_on(&self, line: &[u8]) {
        self.keep(line);
        self.catch_up(false);
    }

    /// Puts a line behind what is left to be written.
    fn keep(&self, line: &[u8]) {
        let mut text = self.behind.take();
        text.extend_from_slice(line);
        self.behind.set(text);
    }

    /// Whether there is something that the descriptor did not take yet.
    pub(super) fn is_behind(&self) -> bool {
        self.length_behind() > 0
    }

    fn length_behind(&self) -> usize {
        let text = self.behind.take();
        let length = text.len();
        self.behind.set(text);
        length
    }

    /// Writes what is left to be written, with one write if the descriptor takes that, so that a reader never sees half
    /// of a line. Nobody may be reading any more: that is no failure of ours, and no reason to die of SIGPIPE.
    ///
    /// To wait for the reader with signals blocked would make us one that only SIGKILL ends; so that is done only
    /// where `waits` allows it.
    pub(super) fn catch_up(&self, waits: bool) {
        let fd = self.fd.as_fd();
        if !self.is_behind() {
            return;
        }
        // A pipe that is ready takes this many bytes at once (pipe(7)).
        let fits = self.length_behind() <= libc::PIPE_BUF;
        let at_once = fits && sys::is_ready(fd, Ready::Write) == Ok(true);
        if !(waits || at_once) {
            return;
        }
        let text = self.behind.take();
        let mask = sys::blocked().unwrap_or_default();
        let _ = sys::set_blocked(mask.with(libc::SIGPIPE));
        let written = sys::write_all(fd, &text);
        let broken = written.is_err_and(|error| error.raw() == libc::EPIPE);
        if broken && sys::is_ignored(libc::SIGPIPE) == Ok(false) {
            // To ignore a signal takes a pending one away; the program is to find it as our caller left it.
            let _ = sys::set_disposition(libc::SIGPIPE, Disposition::Ignored);
            let _ = sys::set_disposition(libc::SIGPIPE, Disposition::Default);
        }
        let _ = sys::set_blocked(mask);
    }
}

impl AsFd for StatusFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// On the line from a child that is a copy of us: what follows is a line for the status descriptor, of the length in the
/// next four bytes.
const STATUS: u8 = b'{';

/// The length of the longest message on that line, but for the lines that follow.
pub(super) const MESSAGE: usize = 1 + size_of::<u32>();

/// Writes a line that comes from the child to the status descriptor.
pub(super) fn pass_status_on(
    line: BorrowedFd<'_>,
    header: &[u8; MESSAGE],
    status: Option<&StatusFd>,
) {
    let [STATUS, length @ ..] = header else {
        return;
    };
    // A u32 fits wherever this program runs.
    let length = u32::from_ne_bytes(*length) as usize;
    let mut text = vec![0; length.min(StatusFd::LONGEST)];
    if let (Ok(read), Some(status)) = (sys::read_some(line, &mut text), status) {
        status.pass_on(text.get(..read).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{PipeReader, Read};

    fn pipe() -> (PipeReader, StatusFd) {
        let (reader, writer) = std::io::pipe().unwrap();
        (reader, StatusFd::to(writer.into()))
    }

    /// All that was told, once nobody tells any more.
    fn told(mut reader: PipeReader, status: StatusFd) -> String {
        drop(status);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    fn told_of(tell: impl FnOnce(&mut StatusFd)) -> String {
        let (reader, mut status) = pipe();
        tell(&mut status);
        told(reader, status)
    }

    #[test]
    fn each_event_is_a_line() {
        let exited = told_of(|status| status.ended(Ended::Exited(7)));
        assert_eq!(exited, "{\"exit-code\":7}\n");
        let killed = told_of(|status| status.ended(Ended::Killed(9)));
        assert_eq!(killed, "{\"signal\":9}\n");
        let ready = told_of(|status| status.ready(77, true));
        assert_eq!(ready, "{\"child-pid\":77,\"namespaces\":{}}\n");
    }

    #[test]
    fn namespaces_are_told_by_their_inodes() {
        let directory = tempfile::tempdir().unwrap();
        let inode = |name: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, "").unwrap();
            std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&path).unwrap())
        };
        let [net, pid, children] = ["net", "pid", "pid_for_children"].map(inode);
        // What cannot be looked at, as another's namespaces may be, is not left out.
        std::os::unix::fs::symlink("user", directory.path().join("user")).unwrap();
        let ready = |forked| {
            told_of(|status| {
                let opened = sys::open(directory.path().as_os_str(), For::Directory);
                status.namespaces = opened.ok();
                status.ready(5, forked);
            })
        };
        let text = |pid| {
            format!(
                "{{\"child-pid\":5,\"namespaces\":{{\"user\":null,\"net\":{net},\"pid\":{pid}}}}}\n"
            )
        };
        let in_order = |line: String| serde_json::from_str::<serde_json::Value>(&line).unwrap();
        assert_eq!(in_order(ready(true)), in_order(text(children)));
        assert_eq!(in_order(ready(false)), in_order(text(pid)));
    }

    #[test]
    fn what_is_told_of_a_failure() {
        let said = |failure: &Failure| -> serde_json::Value {
            let line = told_of(|status| status.failed(failure));
            assert_eq!(line.find('\n'), Some(line.len() - 1));
            let mut said: serde_json::Value = serde_json::from_str(&line).unwrap();
            said["error"].take()
        };
        let plain = Failure::plain(Unexplained("fork"), "no helper");
        let expected = serde_json::json!({"step": "fork", "message": "no helper"});
        assert_eq!(said(&plain), expected);
        let cause = |cause: &str, hint: &str| Cause {
            cause: cause.to_owned(),
            hint: hint.to_owned(),
        };
        let error = sys::Error::from_raw(libc::EPERM);
        let failure = Failure {
            said: b" newuidmap: no\n".to_vec(),
            causes: Some([cause("one", "this"), cause("two", "")].into()),
            ..Failure::new(Unexplained("map"), "write failed \u{1}", error)
        };
        let expected = serde_json::json!({
            "step": "map",
            "errno": "EPERM",
            "message": "write failed \u{1}: Operation not permitted: newuidmap: no",
            "cause": "one; two",
            "hint": "this",
        });
        assert_eq!(said(&failure), expected);
    }

    /// Fills a pipe, and says with how much.
    fn fill(status: &StatusFd) -> usize {
        let mut filled = 0;
        while sys::is_ready(status.as_fd(), Ready::Write) == Ok(true) {
            sys::write_all(status.as_fd(), &[b'x'; libc::PIPE_BUF]).unwrap();
            filled += libc::PIPE_BUF;
        }
        filled
    }

    #[test]
    fn a_reader_who_does_not_read_is_not_waited_for() {
        let (mut reader, status) = pipe();
        assert!(!status.is_behind());
        let filled = fill(&status);
        status.pass_on(b"first\n");
        assert!(status.is_behind());
        status.pass_on(b"second\n");
        let mut read = vec![0; filled];
        reader.read_exact(&mut read).unwrap();
        status.catch_up(false);
        assert!(!status.is_behind());
        // There is nothing that would be written again.
        status.catch_up(true);
        assert_eq!(told(reader, status), "first\nsecond\n");
    }

    #[test]
    fn what_a_pipe_does_not_take_at_once_is_written_only_where_that_may_be_waited_for() {
        let long = vec![b'y'; libc::PIPE_BUF + 1];
        let (reader, status) = pipe();
        status.pass_on(&long);
        assert!(status.is_behind());
        status.catch_up(true);
        assert!(!status.is_behind());
        assert_eq!(told(reader, status).len(), long.len());
        // What fits is.
        let (reader, status) = pipe();
        status.pass_on(&long[1..]);
        assert!(!status.is_behind());
        assert_eq!(told(reader, status).len(), libc::PIPE_BUF);
    }

    #[test]
    fn a_reader_who_is_gone_ends_nobody() {
        let (reader, status) = pipe();
        drop(reader);
        let before = sys::blocked().unwrap();
        let is_ignored = sys::is_ignored(libc::SIGPIPE);
        status.ended(Ended::Exited(0));
        assert!(!status.is_behind());
        // The program finds both as our caller left them.
        assert!(sys::blocked().unwrap() == before);
        assert_eq!(sys::is_ignored(libc::SIGPIPE), is_ignored);
    }

    #[test]
    fn a_child_tells_its_parent_who_passes_it_on() {
        let (ours, childs) = sys::socket_pair().unwrap();
        let child = StatusFd::over(&Rc::new(childs));
        let (reader, status) = pipe();
        let pass_on = |length| {
            let mut header = [0; MESSAGE];
            assert_eq!(sys::read_some(ours.as_fd(), &mut header), Ok(MESSAGE));
            assert_eq!(header[1..], u32::to_ne_bytes(length));
            pass_status_on(ours.as_fd(), &header, Some(&status));
        };
        child.ended(Ended::Exited(7));
        pass_on(16);
        child.tell(&"z".repeat(StatusFd::LONGEST + 9), false);
        pass_on(StatusFd::LONGEST as u32);
        assert!(!child.is_behind());
        status.catch_up(false);
        assert!(status.is_behind(), "it does not fit");
        // What begins otherwise is another message, and nothing is read behind it.
        pass_status_on(ours.as_fd(), b"?\x09\0\0\0", Some(&status));
        assert_eq!(sys::is_ready(ours.as_fd(), Ready::Read), Ok(false));
        assert_eq!(told(reader, status), "{\"exit-code\":7}\n");
    }
}
