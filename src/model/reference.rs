//! Ways to name a namespace, shared by nsenter and setns.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use crate::model::Word;
use crate::model::kind::{Kind, Kinds};
use crate::model::number::{Quoted, decimal};

/// A name of a namespace, or of a process for all of its namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// The target process, which this names, and which an earlier step has opened.
    Target(Box<Reference>),
    /// A process, through a pidfd; with an inode, only if its pidfd has that one.
    Process { pid: i32, inode: Option<u64> },
    /// An nsfs file.
    File(OsString),
    /// A name that `ip netns` gave.
    Netns(OsString),
    /// A descriptor that we inherited: an nsfs file or a pidfd.
    Descriptor(i32),
    /// The text of a link in /proc/PID/ns: `net:[4026531840]`.
    Link { kind: Kind, inode: u64 },
    /// The kernel's number for a namespace.
    Id(u64),
    /// The network namespace of a socket of this process.
    Socket { of: Box<Reference>, fd: i32 },
    /// The process whose number is in the file.
    Pidfile(OsString),
    /// The living process with the lowest number in the cgroup.
    Cgroup(OsString),
    /// The leader of a machine that systemd-machined(8) knows.
    Machine(OsString),
    /// The main process of a unit of systemd, by its full name.
    Unit(OsString),
    /// The first process of a container, by its ID or a beginning of it.
    Oci(OsString),
    /// Our own namespaces.
    Own,
    /// Every namespace that can be seen.
    All,
    /// The parent of a user or PID namespace.
    Parent(Box<Reference>),
    /// The user namespace that owns it.
    Owner(Box<Reference>),
}

impl Reference {
    /// A process by its number.
    pub(crate) fn process(pid: i32) -> Reference {
        Reference::Process { pid, inode: None }
    }

    /// Whether it names a process; of a descriptor only the kernel knows.
    pub(crate) fn may_be_process(&self) -> bool {
        match self {
            Reference::Target(_)
            | Reference::Process { .. }
            | Reference::Descriptor(_)
            | Reference::Pidfile(_)
            | Reference::Cgroup(_)
            | Reference::Machine(_)
            | Reference::Unit(_)
            | Reference::Oci(_)
            | Reference::Own => true,
            Reference::File(_)
            | Reference::Netns(_)
            | Reference::Link { .. }
            | Reference::Id(_)
            | Reference::Socket { .. }
            | Reference::All
            | Reference::Parent(_)
            | Reference::Owner(_) => false,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Target(of) => of.fmt(f),
            Reference::Process { pid, inode: None } => write!(f, "process {pid}"),
            Reference::Process {
                pid,
                inode: Some(inode),
            } => {
                write!(f, "process {pid} (pidfd inode {inode})")
            }
            Reference::File(path) => write!(f, "{}", Word(path)),
            Reference::Netns(name) => write!(f, "netns:{}", Word(name)),
            Reference::Descriptor(number) => write!(f, "fd:{number}"),
            Reference::Link { kind, inode } => write!(f, "{kind}:[{inode}]"),
            Reference::Id(id) => write!(f, "id:{id}"),
            Reference::Socket { of, fd } => write!(f, "socket {fd} of {of}"),
            Reference::Pidfile(path) => write!(f, "pidfile:{}", Word(path)),
            Reference::Cgroup(path) => write!(f, "cgroup:{}", Word(path)),
            Reference::Machine(name) => write!(f, "machine:{}", Word(name)),
            Reference::Unit(name) => write!(f, "unit:{}", Word(name)),
            Reference::Oci(id) => write!(f, "oci:{}", Word(id)),
            Reference::Own => write!(f, "self"),
            Reference::All => write!(f, "all"),
            Reference::Parent(of) => write!(f, "parent of {of}"),
            Reference::Owner(of) => write!(f, "owner of {of}"),
        }
    }
}

/// Which kinds are wanted of what is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// These; what is named must have them.
    These(Kinds),
    /// The one that it is; of a process, those in which it differs from us.
    Natural,
    /// All of the target's, except these, and except a user namespace that is ours already.
    AllBut(Kinds),
}

/// Something to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Of which kinds.
    pub(crate) which: Which,
    /// Whose.
    pub(crate) reference: Reference,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.which {
            Which::These(kinds) => write!(f, "{kinds} of {}", self.reference),
            Which::Natural => write!(f, "{}", self.reference),
            Which::AllBut(kinds) if kinds.is_empty() => write!(f, "all of {}", self.reference),
            Which::AllBut(kinds) => write!(f, "all but {kinds} of {}", self.reference),
        }
    }
}

/// What a reference may look like, for errors.
const FORMS: &str = "PID, pid:PID, a path with a /, netns:NAME, fd:N, KIND:[INODE], id:N, sock:PID:FD, \
     pidfile:FILE, cgroup:PATH, machine:NAME, unit:NAME, oci:ID, self, all, parent:REF, owner:REF";

/// What is said of a reference that is not understood, with each form on a line of its own.
pub(crate) fn a_form_a_line(text: &str) -> Option<String> {
    let front = text.strip_suffix(FORMS)?.trim_end();
    let forms: String = FORMS
        .split(',')
        .map(|form| format!("\n  {}", form.trim_start()))
        .collect();
    Some(format!("{front}:{forms}"))
}

/// Reads `REF`, `KIND=REF` or `KIND+KIND=REF`.
///
/// # Errors
/// A line that says what was understood, and what would be.
pub(crate) fn parse_wanted(text: &OsStr) -> Result<Wanted, String> {
    let bytes = text.as_bytes();
    if let Some(at) = bytes.iter().position(|&byte| byte == b'=')
        && !bytes[..at].contains(&b'/')
        && !bytes[..at].contains(&b':')
    {
        let kinds = bytes[..at]
            .split(|&byte| byte == b'+')
            .map(|name| {
                Kind::from_name(name).ok_or_else(|| {
                    format!(
                        "{}: {} is not a kind of namespace: {}",
                        Quoted(text),
                        Quoted(OsStr::from_bytes(name)),
                        Kinds::ALL
                    )
                })
            })
            .collect::<Result<Kinds, String>>()?;
        let reference = parse(OsStr::from_bytes(&bytes[at + 1..]))?;
        return Ok(Wanted {
            which: Which::These(kinds),
            reference,
        });
    }
    Ok(Wanted {
        which: Which::Natural,
        reference: parse(text)?,
    })
}

/// Reads a reference to a process; none where the text has not the form of a reference: of a number that is none, or is
/// none of a process, somebody else speaks.
///
/// # Errors
/// As [`parse`], or that it names no process.
pub(crate) fn parse_process(text: &OsStr) -> Option<Result<Reference, String>> {
    let bytes = text.as_bytes();
    let form = bytes.iter().position(|&byte| byte == b':');
    let has_form = match form.map(|at| &bytes[..at]) {
        Some(form) => is_word(form) || Kind::from_name(form).is_some(),
        None => text == "self" || text == "all",
    };
    if !has_form && !bytes.contains(&b'/') {
        return None;
    }
    Some(parse(text).and_then(|reference| {
        if reference.may_be_process() {
            Ok(reference)
        } else {
            Err(format!("{} names no process", Quoted(text)))
        }
    }))
}

/// Whether it is one of the words before the colon of a reference.
fn is_word(word: &[u8]) -> bool {
    let words = b"pid netns fd id sock pidfile cgroup machine unit oci parent owner";
    words.split(|&byte| byte == b' ').any(|one| one == word)
}

/// The name of `ip netns` that may be meant by what names no namespace, `blue` or `net:blue`, and the reference that it
/// would be.
pub(crate) fn netns_meant(text: &OsStr) -> Option<(&OsStr, OsString)> {
    let mut rest = text.as_bytes();
    if let Some((_, reference)) = kinds_in_front(rest) {
        rest = reference;
    }
    while let Some(inner) = rest
        .strip_prefix(b"parent:")
        .or(rest.strip_prefix(b"owner:"))
    {
        rest = inner;
    }
    let name = OsStr::from_bytes(rest.strip_prefix(b"net:").unwrap_or(rest));
    let before = text.as_bytes().strip_suffix(rest).unwrap_or_default();
    let mut meant = OsStr::from_bytes(before).to_owned();
    meant.push("netns:");
    meant.push(name);
    is_file_name(name).then_some((name, meant))
}

/// Whether a file can have this name in a directory.
fn is_file_name(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    !matches!(bytes, b"" | b"." | b"..") && !bytes.iter().any(|byte| matches!(byte, b'/' | b'\0'))
}

/// How deep `parent:` and `owner:` nest: deeper than namespaces do (32, namespaces(7)).
const DEPTH: usize = 64;

/// Reads a reference.
///
/// # Errors
/// A line that says what was understood, and what would be.
pub(crate) fn parse(text: &OsStr) -> Result<Reference, String> {
    let mut rest = text.as_bytes();
    let mut around: Vec<fn(Box<Reference>) -> Reference> = Vec::new();
    loop {
        if let Some(inner) = rest.strip_prefix(b"parent:") {
            around.push(Reference::Parent);
            rest = inner;
        } else if let Some(inner) = rest.strip_prefix(b"owner:") {
            around.push(Reference::Owner);
            rest = inner;
        } else {
            break;
        }
        if around.len() > DEPTH {
            return Err(format!("parent: and owner: nest {DEPTH} deep at most"));
        }
    }
    if !around.is_empty()
        && let Some((kinds, reference)) = kinds_in_front(rest)
    {
        let shown = |bytes| OsStr::from_bytes(bytes).display();
        let before = text.as_bytes().strip_suffix(rest).unwrap_or_default();
        let is_owner = before.ends_with(b"owner:");
        let (before, kinds) = (shown(before), shown(kinds));
        if is_owner {
            return Err(format!(
                "{}: no kind can stand here; of one namespace of a process it is {before}/proc/PID/ns/{kinds}",
                Quoted(text)
            ));
        }
        return Err(format!(
            "{}: the kind comes first: {kinds}={before}{}",
            Quoted(text),
            Word(OsStr::from_bytes(reference))
        ));
    }
    let innermost = parse_innermost(OsStr::from_bytes(rest))?;
    let around = around.into_iter().rev();
    Ok(around.fold(innermost, |inner, relative| relative(Box::new(inner))))
}

/// `KIND=` or `KIND+KIND=` in front of a reference: the kinds, and the reference.
fn kinds_in_front(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == b'=')?;
    let (kinds, reference) = (&text[..at], &text[at + 1..]);
    let mut names = kinds.split(|&byte| byte == b'+');
    names
        .all(|name| Kind::from_name(name).is_some())
        .then_some((kinds, reference))
}

/// Reads a reference that is not relative to another.
fn parse_innermost(text: &OsStr) -> Result<Reference, String> {
    let (bytes, given) = (text.as_bytes(), Given(text));
    if let Some(at) = bytes.iter().position(|&byte| byte == b':')
        && !bytes[..at].contains(&b'/')
    {
        return parse_form(given, &bytes[..at], &bytes[at + 1..]);
    }
    match bytes {
        b"self" => Ok(Reference::Own),
        b"all" => Ok(Reference::All),
        _ if bytes.contains(&b'/') => Ok(Reference::File(text.to_owned())),
        [b'0'..=b'9', ..] => Ok(Reference::process(given.pid(bytes)?)),
        _ => Err(given.unknown()),
    }
}

/// Reads `FORM:REST`.
fn parse_form(given: Given<'_>, form: &[u8], rest: &[u8]) -> Result<Reference, String> {
    let mut parts = rest.splitn(2, |&byte| byte == b':');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    // `pid:[4026531836]` is the text of a link, `pid:1234` a process.
    if let (Some(kind), Some(inode)) = (Kind::from_name(form), bracketed(rest)) {
        return Ok(Reference::Link { kind, inode });
    }
    Ok(match form {
        b"pid" => Reference::Process {
            pid: given.pid(first)?,
            inode: second.map(|part| given.number(part, "inode")).transpose()?,
        },
        b"netns" => Reference::Netns(given.file_name(rest, "a name of ip netns")?),
        b"fd" => Reference::Descriptor(given.number(rest, "descriptor")?),
        b"id" => Reference::Id(given.number(rest, "namespace ID")?),
        b"sock" => Reference::Socket {
            of: Box::new(Reference::process(given.pid(first)?)),
            fd: given.number(second.unwrap_or_default(), "descriptor")?,
        },
        b"pidfile" => Reference::Pidfile(given.name(rest, "a file")?),
        b"cgroup" => Reference::Cgroup(given.name(rest, "a path")?),
        b"machine" => Reference::Machine(given.file_name(rest, "a name of a machine")?),
        b"unit" => Reference::Unit(given.unit(rest)?),
        b"oci" => Reference::Oci(given.file_name(rest, "an ID of a container")?),
        _ => return Err(given.unknown()),
    })
}

/// A reference as it was given, for what is said of its parts.
#[derive(Clone, Copy)]
struct Given<'a>(&'a OsStr);

impl Given<'_> {
    fn unknown(self) -> String {
        format!(
            "{} names no namespace; understood are {FORMS}",
            Quoted(self.0)
        )
    }

    /// A number that is not negative.
    fn number<T: TryFrom<i128>>(self, part: &[u8], what: &str) -> Result<T, String> {
        decimal(part)
            .filter(|&number| number >= 0)
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| {
                let part = Quoted(OsStr::from_bytes(part));
                format!("{}: {part} is no {what}", Quoted(self.0))
            })
    }

    fn pid(self, part: &[u8]) -> Result<i32, String> {
        match self.number(part, "PID")? {
            0 => Err(format!("{}: 0 is no PID", Quoted(self.0))),
            pid => Ok(pid),
        }
    }

    fn name(self, rest: &[u8], what: &str) -> Result<OsString, String> {
        if rest.is_empty() {
            return Err(format!("{}: {what} is missing", Quoted(self.0)));
        }
        Ok(OsStr::from_bytes(rest).to_owned())
    }

    /// A name that is that of a file in a directory, and leads nowhere else.
    fn file_name(self, rest: &[u8], what: &str) -> Result<OsString, String> {
        let name = self.name(rest, "a name")?;
        if is_file_name(&name) {
            return Ok(name);
        }
        Err(format!(
            "{}: {what} has no / and is neither . nor ..",
            Quoted(self.0)
        ))
    }

    /// The full name of a unit (systemd.unit(5)) that has processes.
    fn unit(self, rest: &[u8]) -> Result<OsString, String> {
        let mut name = self.file_name(rest, "a name of a unit")?;
        let type_of = rest.rsplit(|&byte| byte == b'.').next();
        match type_of.filter(|last| last.len() < rest.len()) {
            Some(b"service" | b"scope" | b"socket" | b"mount" | b"swap") => {}
            Some(b"slice" | b"target" | b"timer" | b"path" | b"device" | b"automount") => {
                return Err(format!(
                    "{}: a unit of this type has no process of its own",
                    Quoted(self.0)
                ));
            }
            _ => name.push(".service"),
        }
        Ok(name)
    }
}

/// Reads the text of a link in /proc/PID/ns, `net:[4026531840]`: the kind and the inode (proc_pid_ns(5)).
pub(crate) fn link(text: &[u8]) -> Option<(Kind, u64)> {
    let at = text.iter().position(|&byte| byte == b':')?;
    Some((Kind::from_name(&text[..at])?, bracketed(&text[at + 1..])?))
}

/// The number in `[4026531840]`.
fn bracketed(text: &[u8]) -> Option<u64> {
    let inner = text.strip_prefix(b"[")?.strip_suffix(b"]")?;
    decimal(inner).and_then(|number| u64::try_from(number).ok())
}

#[cfg(test)]
mod tests;
