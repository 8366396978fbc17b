//! The first process of a container: from the state that runc(8) and crun(1) keep of each, also below containerd, Docker,
//! Podman and CRI-O, which have them run their containers.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use super::{Recorded, Result, Start, Trusted, Unfound, because, join};
use crate::model::Word;
use crate::model::json;
use crate::sys;

/// Where states lie, below `/run` and the caller's directory of that kind: a directory a container in each. A star stands
/// for what containerd calls a namespace, and for what Docker calls a runtime.
const STORES: &str = "runc crun containerd/runc/* docker/runtime-*/*";

/// Who keeps the state.
#[derive(Clone, Copy)]
enum Runtime {
    Runc,
    Crun,
}

impl Runtime {
    /// The file of a state, and its members that have the process's number and start.
    fn state(self) -> (&'static str, [&'static str; 2]) {
        match self {
            Runtime::Runc => ("state.json", ["init_process_pid", "init_process_start"]),
            Runtime::Crun => ("status", ["pid", "process-start-time"]),
        }
    }
}

/// How many names a message has at most.
const SHOWN: usize = 8;

/// Finds the container with this ID, or if there is none the only one whose ID begins so.
pub(crate) fn find(id: &OsStr) -> Result<Recorded> {
    let (stores, unread) = stores();
    let mut found = Vec::new();
    for store in &stores {
        found.extend(container(store, id)?);
    }
    if found.is_empty() {
        for store in &stores {
            for name in store.names(id.as_bytes())? {
                found.extend(container(store, &name)?);
            }
        }
    }
    match &found[..] {
        [] => because(unknown(&stores, &unread)),
        [container] => state(container),
        several => because(ambiguous(several)),
    }
}

/// A container's directory, and whose state is in it.
struct Container {
    directory: Trusted,
    runtime: Runtime,
}

/// What is called so in a store, if it is a container.
fn container(store: &Trusted, name: &OsStr) -> Result<Option<Container>> {
    let Some(directory) = store.below(name)? else {
        return Ok(None);
    };
    let has_state = |runtime: &Runtime| {
        let (file, _) = runtime.state();
        sys::lstat_at(directory.fd.as_fd(), file.as_ref()).is_ok()
    };
    let runtime = [Runtime::Runc, Runtime::Crun].into_iter().find(has_state);
    Ok(runtime.map(|runtime| Container { directory, runtime }))
}

fn state(container: &Container) -> Result<Recorded> {
    let (file, members) = container.runtime.state();
    let place = join(&container.directory.path, file.as_ref());
    let shown = Word(&place);
    let Some(text) = container.directory.read(file.as_ref())? else {
        return Err(Unfound::File(place, sys::Error::from_raw(libc::ENOENT)));
    };
    let [pid, start] = match json::members(&text, members) {
        Ok(values) => values.map(|value| value.and_then(json::whole_number)),
        Err(at) => return because(format!("{shown} is no JSON from byte {at} on")),
    };
    let pid = pid.and_then(|pid| i32::try_from(pid).ok());
    let Some(pid) = pid.filter(|&pid| pid > 0) else {
        return because(format!("{shown} has no PID as its {}", members[0]));
    };
    Ok(Recorded {
        pid,
        start: start.filter(|&start| start > 0).map(Start::Written),
        pidfd_inode: None,
        unit: None,
        place,
    })
}

/// All that can be read, and what stands in the way of the others.
fn stores() -> (Vec<Trusted>, Vec<String>) {
    let mut bases = vec![OsString::from("/run")];
    let given = sys::variable("XDG_RUNTIME_DIR").filter(|path| path.as_bytes().starts_with(b"/"));
    bases.extend(given.map(OsStr::to_owned));
    bases.push(format!("/run/user/{}", sys::effective_uid()).into());
    let mut stores = Stores::default();
    for base in &bases {
        for names in STORES.split(' ') {
            stores.add(base, names);
        }
    }
    (stores.found, stores.unread)
}

#[derive(Default)]
struct Stores {
    found: Vec<Trusted>,
    unread: Vec<String>,
}

impl Stores {
    /// Adds those at `names` below `path`.
    fn add(&mut self, path: &OsStr, names: &str) {
        let (first, rest) = names.split_once('/').unwrap_or((names, ""));
        if first.is_empty() {
            if let Some(store) = self.open(path)
                && let Ok(stat) = sys::stat_fd(store.fd.as_fd())
            {
                let is_same = |other: &Trusted| {
                    sys::stat_fd(other.fd.as_fd()).is_ok_and(|other| {
                        (other.st_dev, other.st_ino) == (stat.st_dev, stat.st_ino)
                    })
                };
                if !self.found.iter().any(is_same) {
                    self.found.push(store);
                }
            }
            return;
        };
        let Some(beginning) = first.strip_suffix('*') else {
            return self.add(&join(path, first.as_ref()), rest);
        };
        let Some(directory) = self.open(path) else {
            return;
        };
        match directory.names(beginning.as_bytes()) {
            Ok(names) => {
                for name in names {
                    self.add(&join(path, &name), rest);
                }
            }
            Err(unfound) => self.note(unfound),
        }
    }

    fn open(&mut self, path: &OsStr) -> Option<Trusted> {
        Trusted::open(path)
            .map_err(|unfound| self.note(unfound))
            .ok()
    }

    fn note(&mut self, unfound: Unfound) {
        match unfound {
            Unfound::Because(why) => self.unread.push(why),
            Unfound::File(_, error) if matches!(error.raw(), libc::ENOENT | libc::ENOTDIR) => {}
            Unfound::File(path, error) => {
                self.unread.push(format!("{}: {error}", Word(&path)));
            }
        }
    }
}

fn ambiguous(found: &[Container]) -> String {
    let mut text = String::from("is the beginning of more than one ID, or in more than one place:");
    for (index, container) in found.iter().take(SHOWN).enumerate() {
        text.push_str(if index == 0 { " " } else { ", " });
        text.push_str(&Word(&container.directory.path).to_string());
    }
    if found.len() > SHOWN {
        text.push_str(&format!(" and {} more", found.len() - SHOWN));
    }
    text
}

fn unknown(stores: &[Trusted], unread: &[String]) -> String {
    let mut text = String::from("no container has this ID, or one that begins so");
    for (index, store) in stores.iter().enumerate() {
        text.push_str(if index == 0 { ", in " } else { ", " });
        text.push_str(&Word(&store.path).to_string());
    }
    if stores.is_empty() {
        text.push_str("; no state of runc or crun can be read here");
    }
    for why in unread {
        text.push_str("; ");
        text.push_str(why);
    }
    text
}
