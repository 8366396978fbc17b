//! The machine and this process, asked and read as a plan needs them.

use std::ffi::{CString, OsStr, OsString};
use std::ops::RangeInclusive;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use crate::host::Host;
use crate::host::accounts::{Group, User};
use crate::host::capability::Capability;
use crate::host::clock::{range_now, range_without_offsets};
use crate::host::ids::map_of;
use crate::host::kinds::existing;
use crate::host::map_program::ranges;
use crate::model::number::{LAST_ID, Quoted};
use crate::model::subid::SubIds;
use crate::model::{Clock, IdMap, Ids, Kind, Kinds};
use crate::sys::{self, ArgList, Change, Environment, Limit, OwnArgs, Proc};

/// This machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine;

impl Host for Machine {
    fn effective(&self, ids: Ids) -> u32 {
        match ids {
            Ids::Uid => sys::effective_uid(),
            Ids::Gid => sys::effective_gid(),
        }
    }

    fn may_map(&self, ids: Ids) -> bool {
        Capability::to_map(ids).is_held()
    }

    fn lookup(&self, ids: Ids, name: &OsStr) -> Result<u32, String> {
        let found = match ids {
            Ids::Uid => {
                database("passwd", name, |text| User::by_name(text, name)).map(|user| user.uid)
            }
            Ids::Gid => {
                database("group", name, |text| Group::by_name(text, name)).map(|group| group.gid)
            }
        };
        let what = match ids {
            Ids::Uid => "user",
            Ids::Gid => "group",
        };
        found.ok_or_else(|| {
            format!(
                "{} is neither a number from 0 to {LAST_ID} nor the name of a {what}",
                Quoted(name)
            )
        })
    }

    fn subids(&self, ids: Ids) -> Result<SubIds, String> {
        let uid = sys::effective_uid();
        let names: Vec<OsString> = names_of(uid);
        let found = ranges(ids, &names, uid).unwrap_or_default();
        if let Some(first) = found.first() {
            return Ok(*first);
        }
        // Ranges may come from elsewhere (nsswitch.conf(5), subid).
        for name in &names {
            let mut words = vec![OsStr::new("getsubids")];
            if ids == Ids::Gid {
                words.push("-g".as_ref());
            }
            words.push(name);
            if let Some(found) = output_of(&words).and_then(|text| SubIds::from_getsubids(&text)) {
                return Ok(found);
            }
        }
        let who = match names.first() {
            Some(name) => format!("user {} ({uid})", name.to_string_lossy()),
            None => format!("user {uid}"),
        };
        Err(format!("{who} has no range in {}", ids.sub_file()))
    }

    fn own_map(&self, ids: Ids) -> Result<IdMap, String> {
        map_of(&Proc::default(), "self", ids)
    }

    fn page_size(&self) -> usize {
        sys::page_size()
    }

    fn kinds(&self) -> Kinds {
        if let Some(kinds) = existing(&Proc::default()) {
            return kinds;
        }
        let known = sys::try_namespaces(&Kind::ALL.map(Kind::flag));
        // Who asks for one that is not there hears of it, and would not of one that is left out.
        let known = known.unwrap_or(!0);
        let kinds = Kind::ALL.into_iter().enumerate();
        kinds
            .filter(|(bit, _)| known >> bit & 1 == 1)
            .map(|(_, kind)| kind)
            .collect()
    }

    fn execution_enters_time(&self) -> bool {
        sys::try_time() != Some(false)
    }

    fn offset_range(&self, clock: Clock) -> RangeInclusive<i64> {
        range_now(&Proc::default(), clock).unwrap_or_else(|| range_without_offsets(clock))
    }

    fn has_netns(&self, name: &OsStr) -> bool {
        ["/run/netns/", "/var/run/netns/"].iter().any(|directory| {
            let mut path = OsString::from(directory);
            path.push(name);
            sys::stat(&path).is_ok()
        })
    }

    fn at_terminal(&self) -> bool {
        sys::is_terminal(sys::Stream::Error)
    }
}

/// The shell of a user, if it has one. `elsewhere`: the root directory or mount namespace is not the caller's, so that
/// getent(1) is a program of somebody else, and only the file is read.
pub(crate) fn shell_of(uid: u32, elsewhere: bool) -> Option<OsString> {
    let find = |text: &[u8]| User::by_uid(text, uid).next();
    let user = if elsewhere {
        find(&file("passwd"))
    } else {
        database("passwd", OsStr::new(&uid.to_string()), find)
    };
    user.map(|user| user.shell)
        .filter(|shell| !shell.is_empty())
}

/// The names of a user: what the environment says, where that is true, comes first.
fn names_of(uid: u32) -> Vec<OsString> {
    let number = OsString::from(uid.to_string());
    let names = database("passwd", &number, |text| {
        let names: Vec<OsString> = User::by_uid(text, uid).map(|user| user.name).collect();
        (!names.is_empty()).then_some(names)
    });
    names.unwrap_or_default()
}

/// The text of /etc/`name`; none where it cannot be read.
fn file(name: &str) -> Vec<u8> {
    sys::read_file(format!("/etc/{name}").as_ref(), Limit::FILE).unwrap_or_default()
}

/// Looks an entry up in /etc/`name`, then by getent(1): other sources (LDAP and the like) are modules of the C
/// library that must not be loaded into a static binary.
fn database<T>(name: &str, key: &OsStr, find: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    find(&file(name)).or_else(|| {
        output_of(&["getent".as_ref(), name.as_ref(), key]).and_then(|text| find(&text))
    })
}

/// What a program prints, if it runs and succeeds.
fn output_of(words: &[&OsStr]) -> Option<Vec<u8>> {
    let words: Vec<CString> = words
        .iter()
        .map(|word| CString::new(word.as_bytes()).ok())
        .collect::<Option<_>>()?;
    let program = words.first()?.clone();
    let args = OwnArgs::new(words);
    let (read, write) = sys::pipe().ok()?;
    let silence = sys::open("/dev/null".as_ref(), sys::For::Writing).ok();
    let child = sys::vfork(|| {
        let silent = silence
            .as_ref()
            .is_none_or(|fd| sys::become_stream(sys::Stream::Error, fd.as_fd()).is_ok());
        if silent && sys::become_stream(sys::Stream::Output, write.as_fd()).is_ok() {
            sys::execute(
                &program,
                ArgList::Own(&args),
                Environment::Same,
                sys::variable("PATH"),
            );
        }
        127
    })
    .ok()?;
    drop(write);
    let text = sys::read_all(read.as_fd(), Limit::FILE);
    // Who says too much must not wait for a reader.
    drop(read);
    match sys::wait(child) {
        Ok(Change::Exited(0)) => text.ok(),
        _ => None,
    }
}
