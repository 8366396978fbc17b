//! A security attribute of the target's for the program (proc_pid_attr(5)).

use std::fmt;
use std::os::fd::AsFd;

use super::target::Target;
use super::{Do, State};
use crate::failure::{Failure, Result, Unexplained};
use crate::sys::{self, For, Limit};

/// A security attribute of a process, in /proc/PID/attr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    /// The SELinux context.
    Selinux,
    /// The AppArmor profile.
    Apparmor,
}

impl Label {
    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Label::Selinux => "SELinux context",
            Label::Apparmor => "AppArmor profile",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "take the target's {} at exec", self.name())
    }
}

/// Have the program get the attribute that was read.
impl Do for Label {
    fn run(&self, state: &mut State) -> Result<()> {
        let (files, before): (&[&str], &[u8]) = match self {
            Label::Selinux => (&["/proc/self/attr/exec"], b""),
            Label::Apparmor => (
                &["/proc/self/attr/apparmor/exec", "/proc/self/attr/exec"],
                b"exec ",
            ),
        };
        let read = state.opened.labels.iter().find(|(of, _)| of == self);
        let text = [before, read.map_or(b"", |(_, text)| text)].concat();
        let mut last = Ok(());
        for path in files {
            let written = sys::open(path.as_ref(), For::Writing)
                .and_then(|file| sys::write_once(file.as_fd(), &text));
            match written {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let text = format!("write failed {path}");
                    last = Err(Failure::new(Unexplained("label"), text, error));
                }
            }
        }
        last
    }
}

/// Reads a security attribute of the target (proc_pid_attr(5)).
pub(crate) fn read_label(target: &mut Target, label: Label) -> Result<Vec<u8>> {
    let (option, module, presence, files): (_, _, _, &[&str]) = match label {
        Label::Selinux => (
            "--follow-context",
            "SELinux",
            "/sys/fs/selinux/enforce",
            &["attr/current"],
        ),
        Label::Apparmor => (
            "--follow-apparmor",
            "AppArmor",
            "/sys/kernel/security/apparmor/profiles",
            &["attr/apparmor/current", "attr/current"],
        ),
    };
    if sys::stat(presence.as_ref()).is_err() {
        let text = format!("{option}: {module} is not in use on this machine");
        return Err(Failure::plain(Unexplained("label"), text));
    }
    let mut last = None;
    for file in files {
        match target.read_file(file, Limit::FILE) {
            Ok(text) => {
                let mut text = text.trim_ascii_end().to_vec();
                text.retain(|&byte| byte != 0);
                if label == Label::Apparmor && text.ends_with(b")") {
                    // `profile (enforce)`: the mode is no part of the name.
                    if let Some(end) = text.windows(2).rposition(|pair| pair == b" (") {
                        text.truncate(end);
                    }
                }
                return Ok(text);
            }
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.unwrap_or_else(|| {
        Failure::plain(Unexplained("label"), format!("{option}: nothing to follow"))
    }))
}
