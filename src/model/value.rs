//! Values of options, from text to what they mean.
//!
//! Each function's error is what comes after `OPTION: ` in the applet's line: it names the value and
//! what is accepted.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::model::Ids;
use crate::model::number::{LAST_ID, Quoted, decimal, id, within};

/// The most supplementary groups that a process can have (`NGROUPS_MAX`, getgroups(2)).
const MOST_GROUPS: usize = 65536;

/// A process ID, 1 to 2³¹-1 (proc(5), `pid_max`).
///
/// # Errors
/// The value is no number in that range.
pub(crate) fn pid(value: &OsStr) -> Result<i32, String> {
    within(value, 1..=i32::MAX)
}

/// A file descriptor, 0 to 2³¹-1; whether it is open is for the caller to find out.
///
/// # Errors
/// The value is no number in that range.
pub(crate) fn fd(value: &OsStr) -> Result<i32, String> {
    within(value, 0..=i32::MAX)
}

/// Seconds that a clock is set off by, also negative ones; for what the kernel takes see `clock`.
///
/// # Errors
/// The value is no number of 64 bits.
pub(crate) fn seconds(value: &OsStr) -> Result<i64, String> {
    within(value, i64::MIN..=i64::MAX)
}

/// The one of these that this is the word for.
fn one_of<T: Copy>(value: &OsStr, all: &[T], word: fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().find(|one| value == word(**one));
    found.copied().ok_or_else(|| {
        let accepted: Vec<&str> = all.iter().map(|one| word(*one)).collect();
        format!("{} is not one of {}", Quoted(value), accepted.join(", "))
    })
}

/// What becomes of mount events between `/` here and where it was copied from (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// Events come in and do not go out.
    Slave,
    /// Events go both ways.
    Shared,
    /// No events.
    Private,
    /// As it is in the namespace that was copied.
    Unchanged,
}

impl Propagation {
    /// Reads the value of `--propagation`.
    ///
    /// # Errors
    /// The value is none of the four words.
    pub(crate) fn parse(value: &OsStr) -> Result<Self, String> {
        let all = [Self::Slave, Self::Shared, Self::Private, Self::Unchanged];
        one_of(value, &all, Self::as_str)
    }

    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Slave => "slave",
            Self::Shared => "shared",
            Self::Private => "private",
            Self::Unchanged => "unchanged",
        }
    }
}

/// What is written to `/proc/self/setgroups` (user_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setgroups {
    /// setgroups(2) stays permitted.
    Allow,
    /// setgroups(2) is refused in the namespace, for good.
    Deny,
}

impl Setgroups {
    /// Reads the value of `--setgroups`.
    ///
    /// # Errors
    /// The value is neither word.
    pub(crate) fn parse(value: &OsStr) -> Result<Self, String> {
        one_of(value, &[Self::Allow, Self::Deny], Self::as_str)
    }

    /// The word that the kernel takes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// `PID[:INODE]`: a process, and if it must be, which one of those that had this PID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TargetPid {
    /// The process ID.
    pub(crate) pid: i32,
    /// The inode that its pidfd must have (pidfs: unique until reboot).
    pub(crate) inode: Option<u64>,
}

impl TargetPid {
    /// Reads `PID[:INODE]`.
    ///
    /// # Errors
    /// A part is no number in its range.
    pub(crate) fn parse(value: &OsStr) -> Result<Self, String> {
        let (number, inode) = match split_once(value, b':') {
            Some((number, inode)) => (number, Some(inode)),
            None => (value, None),
        };
        let whole = |why| in_whole(why, value, "PID[:INODE]");
        Ok(Self {
            pid: pid(number).map_err(|why| if inode.is_some() { whole(why) } else { why })?,
            inode: inode
                .map(|inode| within(inode, 1..=u64::MAX).map_err(whole))
                .transpose()?,
        })
    }
}

impl fmt::Display for TargetPid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pid)?;
        self.inode.map_or(Ok(()), |inode| write!(f, ":{inode}"))
    }
}

/// `UID:GID`: who the new user namespace belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The user.
    pub(crate) uid: u32,
    /// The group.
    pub(crate) gid: u32,
}

impl Owner {
    /// Reads `UID:GID`; each part may be a name, which is looked up.
    ///
    /// # Errors
    /// There is no colon, or a part is neither an ID nor a name that is found.
    pub(crate) fn parse(
        value: &OsStr,
        lookup: impl Fn(Ids, &OsStr) -> Result<u32, String>,
    ) -> Result<Self, String> {
        let (uid, gid) = split_once(value, b':')
            .ok_or_else(|| format!("{} is not of the form UID:GID", Quoted(value)))?;
        let part = |ids, part| {
            let read = match Id::parse(part) {
                Ok(Id::Number(number)) => Ok(number),
                Ok(Id::Name(name)) => lookup(ids, &name),
                Err(why) => Err(why),
            };
            read.map_err(|why| in_whole(why, value, "UID:GID"))
        };
        Ok(Self {
            uid: part(Ids::Uid, uid)?,
            gid: part(Ids::Gid, gid)?,
        })
    }
}

/// A user or a group, as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Id {
    /// By its ID.
    Number(u32),
    /// By a name that is yet to be looked up.
    Name(OsString),
}

impl Id {
    /// Reads an ID or a name: what reads as a number is one, also if a user has that name.
    ///
    /// # Errors
    /// A number out of range, or what cannot be a name in passwd(5) or group(5).
    pub(crate) fn parse(value: &OsStr) -> Result<Self, String> {
        let text = value.as_bytes();
        if decimal(text).is_some_and(|number| number >= 0) {
            return id(value).map(Self::Number);
        }
        // What begins with a sign is a wrong number, or a line for NIS; colon and newline end the field.
        let impossible = text.is_empty()
            || matches!(text[0], b'-' | b'+')
            || text.iter().any(|byte| matches!(byte, b':' | b'\n' | b'\0'));
        if impossible {
            return Err(format!(
                "{} is neither a number from 0 to {LAST_ID} nor a name",
                Quoted(value)
            ));
        }
        Ok(Self::Name(value.to_owned()))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "{}", Quoted(name)),
        }
    }
}

/// What is given, or what the target process has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OrFollow<T> {
    /// `follow`: the target's.
    Follow,
    /// A value.
    Given(T),
}

impl<T> OrFollow<T> {
    /// Reads `follow`, or what `given` reads.
    ///
    /// # Errors
    /// Those of `given`.
    pub(crate) fn parse(
        value: &OsStr,
        given: impl FnOnce(&OsStr) -> Result<T, String>,
    ) -> Result<Self, String> {
        if value == "follow" {
            return Ok(Self::Follow);
        }
        given(value)
            .map(Self::Given)
            .map_err(|why| format!("{why}; 'follow' is accepted too"))
    }
}

/// `GID[,GID…]`: supplementary groups, in the order given.
///
/// # Errors
/// An element is no ID, or there are more than a process can have.
pub(crate) fn groups(
    value: &OsStr,
    lookup: &dyn Fn(&OsStr) -> Result<u32, String>,
) -> Result<Vec<u32>, String> {
    let groups: Vec<u32> = value
        .as_bytes()
        .split(|byte| *byte == b',')
        .map(|part| match Id::parse(OsStr::from_bytes(part))? {
            Id::Number(number) => Ok(number),
            Id::Name(name) => lookup(&name),
        })
        .collect::<Result<_, String>>()
        .map_err(|why| in_whole(why, value, "GID|NAME[,GID|NAME...]"))?;
    if groups.len() > MOST_GROUPS {
        return Err(format!(
            "{} groups are given; a process can have {MOST_GROUPS}",
            groups.len()
        ));
    }
    Ok(groups)
}

/// `NAME[,NAME…]`: environment variables; empty elements do not count.
///
/// # Errors
/// An element has a `=`, so it cannot be a variable's name (environ(7)).
pub(crate) fn variables(value: &OsStr) -> Result<Vec<OsString>, String> {
    let names = value.as_bytes().split(|byte| *byte == b',');
    names
        .filter(|name| !name.is_empty())
        .map(|name| {
            if name.contains(&b'=') {
                let name = Quoted(OsStr::from_bytes(name));
                Err(format!(
                    "{name} is not the name of a variable; names separated by commas are accepted"
                ))
            } else {
                Ok(OsString::from_vec(name.to_vec()))
            }
        })
        .collect()
}

/// The two sides of the first `at`.
fn split_once(value: &OsStr, at: u8) -> Option<(&OsStr, &OsStr)> {
    let text = value.as_bytes();
    let place = text.iter().position(|byte| *byte == at)?;
    Some((
        OsStr::from_bytes(&text[..place]),
        OsStr::from_bytes(&text[place + 1..]),
    ))
}

/// Adds the whole value to an error that is about a part of it.
fn in_whole(why: String, value: &OsStr, form: &str) -> String {
    format!("{why} (in {}, which should be {form})", Quoted(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without names of groups, but for one.
    fn groups(value: &OsStr) -> Result<Vec<u32>, String> {
        super::groups(value, &|name| match name.to_str() {
            Some("wheel") => Ok(10),
            _ => Err(format!("{} is no group", Quoted(name))),
        })
    }
    use proptest::prelude::*;

    fn os(text: &str) -> &OsStr {
        OsStr::new(text)
    }

    #[test]
    fn numbers_keep_to_their_range() {
        assert_eq!(pid(os("1")), Ok(1));
        assert_eq!(pid(os("2147483647")), Ok(i32::MAX));
        for text in ["0", "-1", "2147483648", "4294967297", "", "self"] {
            assert!(pid(os(text)).is_err(), "{text:?}");
        }
        assert_eq!(fd(os("0")), Ok(0));
        assert!(fd(os("-1")).is_err());
        assert_eq!(seconds(os(" -5")), Ok(-5));
        assert_eq!(seconds(os("9223372036854775807")), Ok(i64::MAX));
        for text in [
            "9223372036854775808",
            "-9223372036854775809",
            "5.5",
            "1s",
            "- 5",
            "--5",
        ] {
            assert!(seconds(os(text)).is_err(), "{text:?}");
        }
    }

    #[test]
    fn words() {
        assert_eq!(Propagation::parse(os("slave")), Ok(Propagation::Slave));
        assert_eq!(
            Propagation::parse(os("foo")),
            Err("'foo' is not one of slave, shared, private, unchanged".to_owned())
        );
        for text in ["", "SLAVE", "slav", "slave "] {
            assert!(Propagation::parse(os(text)).is_err(), "{text:?}");
        }
        for word in ["allow", "deny"] {
            assert_eq!(Setgroups::parse(os(word)).map(Setgroups::as_str), Ok(word));
        }
        assert_eq!(
            Setgroups::parse(os("Deny")),
            Err("'Deny' is not one of allow, deny".to_owned())
        );
    }

    #[test]
    fn targets() {
        for text in ["12", "12:18446744073709551615"] {
            assert_eq!(TargetPid::parse(os(text)).unwrap().to_string(), text);
        }
        for text in [
            "",
            ":",
            "12:",
            ":7",
            "12:7:7",
            "12:0",
            "0:7",
            "12:-7",
            "12:18446744073709551616",
        ] {
            assert!(TargetPid::parse(os(text)).is_err(), "{text:?}");
        }
        assert_eq!(
            TargetPid::parse(os("12:x")),
            Err(
                "'x' is not a number from 1 to 18446744073709551615 (in '12:x', which should be PID[:INODE])"
                    .to_owned()
            )
        );
    }

    #[test]
    fn owners() {
        let lookup = |ids, name: &OsStr| match (ids, name.to_str()) {
            (Ids::Uid, Some("games")) => Ok(5),
            (Ids::Gid, Some("games")) => Ok(60),
            _ => Err(format!("{} is nobody", Quoted(name))),
        };
        let parse = |text| Owner::parse(os(text), lookup);
        let owner = |uid, gid| Ok(Owner { uid, gid });
        assert_eq!(parse(" 5: 6"), owner(5, 6));
        assert_eq!(parse("games:games"), owner(5, 60));
        assert_eq!(parse("7:games"), owner(7, 60));
        assert_eq!(
            parse("games:frob"),
            Err("'frob' is nobody (in 'games:frob', which should be UID:GID)".to_owned())
        );
        for text in [
            "",
            "5",
            "5:",
            ":6",
            "5:6:7",
            "5.6",
            "-1:0",
            "0:-1",
            "4294967295:0",
            "4294967296:0",
            "0x5:6",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse("0:4294967295").unwrap_err().contains("\"no ID\""));
    }

    #[test]
    fn ids_and_names() {
        assert_eq!(Id::parse(os(" +010")), Ok(Id::Number(10)));
        for name in ["root", "0x5", "a b", "5 ", "follow"] {
            assert_eq!(Id::parse(os(name)), Ok(Id::Name(name.into())), "{name:?}");
        }
        let odd = OsStr::from_bytes(b"r\xffot");
        assert_eq!(Id::parse(odd), Ok(Id::Name(odd.to_owned())));
        for text in [
            "",
            "-1",
            "-0",
            "-",
            "+x",
            "a:b",
            "a\nb",
            "4294967295",
            "4294967296",
        ] {
            assert!(Id::parse(os(text)).is_err(), "{text:?}");
        }
        assert!(
            Id::parse(os("4294967295"))
                .unwrap_err()
                .contains("\"no ID\"")
        );
    }

    #[test]
    fn follow_or_given() {
        assert_eq!(
            OrFollow::parse(os("follow"), Id::parse),
            Ok(OrFollow::Follow)
        );
        assert_eq!(
            OrFollow::parse(os("7"), Id::parse),
            Ok(OrFollow::Given(Id::Number(7)))
        );
        assert!(
            OrFollow::parse(os("-7"), Id::parse)
                .unwrap_err()
                .ends_with("; 'follow' is accepted too")
        );
        assert_eq!(
            OrFollow::parse(os("1,2"), groups),
            Ok(OrFollow::Given(vec![1, 2]))
        );
    }

    #[test]
    fn lists() {
        assert_eq!(groups(os("0,4294967294,0")), Ok(vec![0, LAST_ID, 0]));
        assert_eq!(groups(os("7,wheel")), Ok(vec![7, 10]));
        for text in [
            "",
            ",",
            "1,",
            ",1",
            "1,,2",
            "1;2",
            "1,-1",
            "1,nobody-has-it",
        ] {
            assert!(groups(os(text)).is_err(), "{text:?}");
        }
        let most = vec!["1"; MOST_GROUPS].join(",");
        assert_eq!(
            groups(os(&most)).map(|groups| groups.len()),
            Ok(MOST_GROUPS)
        );
        assert!(
            groups(os(&format!("{most},1")))
                .unwrap_err()
                .starts_with("65537 groups")
        );

        assert_eq!(variables(os("")), Ok(vec![]));
        assert_eq!(
            variables(os(",PATH,, X,")),
            Ok(vec!["PATH".into(), " X".into()])
        );
        assert!(
            variables(os("PATH,A=b"))
                .unwrap_err()
                .starts_with("'A=b' is not")
        );
    }

    proptest! {
        #[test]
        fn errors_are_one_line(bytes: Vec<u8>) {
            let value = OsStr::from_bytes(&bytes);
            let errors = [
                pid(value).err(),
                seconds(value).err(),
                Propagation::parse(value).err(),
                TargetPid::parse(value).err(),
                Owner::parse(value, |_, name| Err(Quoted(name).to_string())).err(),
                Id::parse(value).err(),
                groups(value).err(),
                variables(value).err(),
            ];
            for why in errors.into_iter().flatten() {
                prop_assert!(!why.chars().any(char::is_control), "{why:?}");
            }
        }
    }
}
