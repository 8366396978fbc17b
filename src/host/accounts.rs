//! Users and groups: lines of passwd(5) and group(5), from the file or as getent(1) prints them.
//!
//! Nothing is asked of the C library: a static binary cannot load the name services. The hard thing here:
//! lines that look like accounts and are none (`+name` of NIS, a missing number) must not become UID 0.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::model::number::{LAST_ID, decimal};

/// A user, as a passwd line describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// The login name.
    pub(crate) name: OsString,
    /// The user ID.
    pub(crate) uid: u32,
    /// The ID of the primary group.
    pub(crate) gid: u32,
    /// The shell; empty where passwd(5) says that it is /bin/sh.
    pub(crate) shell: OsString,
}

impl User {
    /// The user of one line; `None` if it describes none.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b':');
        let name = account_name(fields.next()?)?;
        fields.next()?;
        let (uid, gid) = (id(fields.next()?)?, id(fields.next()?)?);
        let shell = fields.nth(2).unwrap_or_default();
        Some(Self {
            name,
            uid,
            gid,
            shell: OsString::from_vec(shell.to_vec()),
        })
    }

    /// The first user of this name in `text` (of /etc/passwd or from getent).
    pub(crate) fn by_name(text: &[u8], name: &OsStr) -> Option<Self> {
        lines(text).find_map(|line| Self::parse(line).filter(|user| user.name == name))
    }

    /// The users with this ID; who has several names is there several times.
    pub(crate) fn by_uid(text: &[u8], uid: u32) -> impl Iterator<Item = Self> {
        lines(text)
            .filter_map(Self::parse)
            .filter(move |user| user.uid == uid)
    }
}

/// A group, as a group line describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// The name.
    pub(crate) name: OsString,
    /// The group ID.
    pub(crate) gid: u32,
}

impl Group {
    /// The group of one line; `None` if it describes none.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b':');
        let name = account_name(fields.next()?)?;
        fields.next()?;
        Some(Self {
            name,
            gid: id(fields.next()?)?,
        })
    }

    /// The first group of this name in `text` (of /etc/group or from getent).
    pub(crate) fn by_name(text: &[u8], name: &OsStr) -> Option<Self> {
        lines(text).find_map(|line| Self::parse(line).filter(|group| group.name == name))
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

/// A name in the first field, unless the line is a comment or one for NIS.
fn account_name(field: &[u8]) -> Option<OsString> {
    let is_name = !field.is_empty() && !matches!(field[0], b'+' | b'-' | b'#');
    is_name.then(|| OsStr::from_bytes(field).to_owned())
}

/// An ID in a field: digits only.
fn id(field: &[u8]) -> Option<u32> {
    let digits = field.iter().all(u8::is_ascii_digit);
    let id = u32::try_from(decimal(field).filter(|_| digits)?).ok()?;
    (id <= LAST_ID).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PASSWD: &[u8] = b"# users\n\
        +nis::0:0:::\n-x:x:0:0:::\n+::::::\n:x:0:0:::/bin/sh\nbad:x::0:::\nbad:x:0::::\nbad:x:-1:0:::\nbad\n\
        root:x:0:0:root:/root:/bin/bash\n\
        toor:x:0:0::/root:\n\
        ann:x:1000:1001:Ann,,,:/home/ann:/bin/zsh\n\
        ann:x:7:7:::\n\
        no:x:4294967295:0:::\n\
        sh\xffort:x:5:6";

    #[test]
    fn users_by_name() {
        let user = |name: &[u8]| {
            User::by_name(PASSWD, OsStr::from_bytes(name)).map(|user| (user.uid, user.gid))
        };
        assert_eq!(user(b"root"), Some((0, 0)));
        assert_eq!(user(b"ann"), Some((1000, 1001)));
        assert_eq!(user(b"sh\xffort"), Some((5, 6)));
        for name in [
            &b""[..],
            b"bad",
            b"no",
            b"ro",
            b"root:x",
            b"+nis",
            b"-x",
            b"0",
            b"# users",
        ] {
            assert_eq!(user(name), None, "{}", name.escape_ascii());
        }
    }

    #[test]
    fn users_by_id() {
        let names = |uid| {
            User::by_uid(PASSWD, uid)
                .map(|user| user.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(0), ["root", "toor"]);
        assert_eq!(names(1000), ["ann"]);
        assert_eq!(names(u32::MAX), [""; 0]);
        let shells: Vec<OsString> = User::by_uid(PASSWD, 0).map(|user| user.shell).collect();
        assert_eq!(shells, ["/bin/bash", ""]);
    }

    #[test]
    fn groups() {
        let text = b"root:x:0:\nwheel:x:10:ann,bob\n+::0:\nx\nodd::7";
        let gid = |name: &str| Group::by_name(text, OsStr::new(name)).map(|group| group.gid);
        assert_eq!(gid("wheel"), Some(10));
        assert_eq!(gid("odd"), Some(7));
        assert_eq!(gid("ann"), None);
        assert_eq!(gid("+"), None);
    }

    proptest! {
        #[test]
        fn what_a_line_says(name in "[a-z_][a-z0-9_.-]{0,8}", uid in 0..=LAST_ID, gid in 0..=LAST_ID, shell in "[^:\n]{0,9}") {
            let line = format!("{name}:x:{uid}:{gid}:,,:/home/{name}:{shell}\n");
            let user = User { name: name.clone().into(), uid, gid, shell: shell.into() };
            prop_assert_eq!(User::by_name(line.as_bytes(), OsStr::new(&name)), Some(user.clone()));
            prop_assert_eq!(User::by_uid(line.as_bytes(), uid).collect::<Vec<_>>(), vec![user]);
        }

        #[test]
        fn any_bytes_do(text: Vec<u8>) {
            User::parse(&text);
            Group::parse(&text);
        }
    }
}
