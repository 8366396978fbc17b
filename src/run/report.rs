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
