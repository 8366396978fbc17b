//! What is taken along into other namespaces: directories, environment, credentials, cgroups, all opened or read before
//! anything changes.

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::os::fd::OwnedFd;

use super::ahead::{Ahead, root_of};
use super::cgroup::open_cgroups;
use super::file::cannot_open;
use super::follow::{Credentials, Followed};
use super::label::{Label, read_label};
use super::target::Target;
use super::{Do, State};
use crate::failure::{Failure, Result, Unexplained};
use crate::model::Word;
use crate::sys::{self, For, Limit};

/// What is opened or read before anything changes, to be used afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The root directory: the target's, or this one.
    Root(Option<OsString>),
    /// The working directory: the target's, or this one.
    Directory(Option<OsString>),
    /// Our own working directory, kept while the root changes.
    OwnDirectory,
    /// The target's environment.
    Environment,
    /// The target's user, group and groups.
    Credentials,
    /// The target's cgroups.
    Cgroups,
    /// The target's security attribute.
    Label(Label),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Root(None) => write!(f, "open the target's root directory"),
            Source::Root(Some(dir)) | Source::Directory(Some(dir)) => {
                write!(f, "open {}", Word(dir))
            }
            Source::Directory(None) => write!(f, "open the target's working directory"),
            Source::OwnDirectory => write!(f, "open our working directory"),
            Source::Environment => write!(f, "read the target's environment"),
            Source::Credentials => write!(f, "read the target's user and groups"),
            Source::Cgroups => write!(f, "open the target's cgroups"),
            Source::Label(label) => write!(f, "read the target's {}", label.name()),
        }
    }
}

impl Do for Source {
    fn run(&self, state: &mut State) -> Result<()> {
        state.opened.open(self, state.target.as_mut())
    }

    /// A dry run opens it too, so that it is known to be there.
    fn predict<'a>(&'a self, _: &str, ahead: &mut Ahead<'a>) {
        let root = match self {
            Source::Root(Some(path)) => Some(path.clone()),
            Source::Root(None) => ahead.pid.and_then(root_of),
            _ => return,
        };
        ahead.has_root(root.as_deref());
    }
}

/// What was opened and read, until it is used.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    pub(crate) root: Option<OwnedFd>,
    pub(crate) directory: Option<OwnedFd>,
    pub(crate) environment: Vec<CString>,
    followed: Option<Followed>,
    /// Its users and groups, once they are known.
    credentials: Option<Credentials>,
    pub(crate) cgroups: Vec<(OsString, OwnedFd)>,
    pub(crate) labels: Vec<(Label, Vec<u8>)>,
}

impl Opened {
    /// Whether any descriptor is among it.
    pub(crate) fn holds_descriptors(&self) -> bool {
        self.root.is_some() || self.directory.is_some() || !self.cgroups.is_empty()
    }

    /// Opens or reads one thing.
    fn open(&mut self, source: &Source, target: Option<&mut Target>) -> Result<()> {
        let target = || {
            let text = "no target PID specified";
            target.ok_or_else(|| Failure::plain(Unexplained("reference"), text))
        };
        match source {
            Source::Root(None) => self.root = Some(target()?.open_file("root", For::Path)?),
            Source::Root(Some(path)) => self.root = Some(open_directory(path)?),
            Source::Directory(None) => {
                self.directory = Some(target()?.open_file("cwd", For::Path)?)
            }
            Source::Directory(Some(path)) => self.directory = Some(open_directory(path)?),
            Source::OwnDirectory => self.directory = Some(open_directory(".".as_ref())?),
            Source::Environment => {
                let text = target()?.read_file("environ", Limit::ENVIRONMENT)?;
                if !text.is_empty() {
                    // Each string ends with a NUL; the last may lack it when the process wrote over its own.
                    let text = text.strip_suffix(b"\0").unwrap_or(&text);
                    let strings = text.split(|&byte| byte == 0).map(CString::new);
                    self.environment = strings.filter_map(std::result::Result::ok).collect();
                }
            }
            Source::Credentials => self.followed = Some(Followed::open(target()?)?),
            Source::Cgroups => self.cgroups = open_cgroups(target()?)?,
            Source::Label(label) => {
                let text = read_label(target()?, *label)?;
                self.labels.push((*label, text));
            }
        }
        Ok(())
    }

    /// Reads the credentials to follow, if there are any, in the numbers of the user namespace that we are in now:
    /// `entered` if that is another one than before. Nothing of the target's in /proc is open afterwards.
    // Nearly nobody follows any: its frame is not to be part of who enters.
    #[inline(never)]
    pub(crate) fn read_credentials(&mut self, entered: bool) -> Result<()> {
        if let Some(followed) = self.followed.take() {
            self.credentials = Some(followed.credentials(entered)?);
        }
        Ok(())
    }

    /// The target's credentials, which were read.
    pub(crate) fn credentials(&self) -> Result<&Credentials> {
        self.credentials.as_ref().ok_or_else(|| {
            let text = "follow: the target's credentials were not read";
            Failure::plain(Unexplained("reference"), text)
        })
    }
}

/// Opens something that is to become a root or working directory.
fn open_directory(path: &OsStr) -> Result<OwnedFd> {
    sys::open(path, For::Path).map_err(|error| cannot_open(path, error))
}
