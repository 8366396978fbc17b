//! The leader of a machine, from what systemd-machined(8) writes down of each: lines `KEY=VALUE`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::{Recorded, Result, Trusted, Unfound, because, join};
use crate::model::Word;
use crate::model::number::decimal;

/// A file a machine, and a link `unit:NAME` to it.
const MACHINES: &str = "/run/systemd/machines";

/// Finds the machine of this name.
pub(crate) fn find(name: &OsStr) -> Result<Recorded> {
    let nobody = || {
        because(format!(
            "no machine of systemd has this name, in {MACHINES}"
        ))
    };
    let machines = match Trusted::open(MACHINES.as_ref()) {
        Ok(machines) => machines,
        Err(Unfound::File(_, error)) if error.raw() == libc::ENOENT => return nobody(),
        Err(unfound) => return Err(unfound),
    };
    let Some(text) = machines.read(name)? else {
        return nobody();
    };
    let place = join(MACHINES.as_ref(), name);
    let number = |key: &str| u64::try_from(decimal(value(&text, key)?.as_bytes())?).ok();
    let pid = number("LEADER").and_then(|pid| i32::try_from(pid).ok());
    let Some(pid) = pid.filter(|&pid| pid > 0) else {
        return because(format!("{} has no PID as its LEADER", Word(&place)));
    };
    Ok(Recorded {
        pid,
        start: None,
        pidfd_inode: number("LEADER_PIDFDID"),
        // Of any type, whatever the key is called.
        unit: value(&text, "SCOPE"),
        place,
    })
}

/// The value of a key. It may stand in quotation marks, and a backslash before what would end it, or before another one.
fn value(text: &[u8], key: &str) -> Option<OsString> {
    let mut lines = text.split(|&byte| byte == b'\n');
    let value = lines.find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b"="))?;
    let quoted = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    let mut plain = Vec::with_capacity(value.len());
    let mut bytes = quoted.unwrap_or(value).iter().copied();
    while let Some(byte) = bytes.next() {
        plain.push(if byte == b'\\' { bytes.next()? } else { byte });
    }
    Some(OsString::from_vec(plain)).filter(|plain| !plain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzzed_records() {
        crate::fuzz::fuzz("state", |text| {
            for key in ["LEADER", "NAME", "ROOT", ""] {
                let Some(found) = value(text, key) else {
                    continue;
                };
                let line = [key.as_bytes(), b"="].concat();
                assert!(
                    text.split(|byte| *byte == b'\n')
                        .any(|one| one.starts_with(&line))
                );
                assert!(found.len() <= text.len());
            }
        });
    }

    #[test]
    fn values() {
        let text =
            b"# This is private data. Do not parse.\nNAME=web\nSCOPE=machine-a\\\\x2db.scope\n\
            SERVICE=\"a \\\"b\\\\\"\nROOT=\nXLEADER=3\nLEADER=12\nLEADER=13\nBAD=a\\\n";
        let of = |key| value(text, key).map(|value| value.into_string().unwrap());
        assert_eq!(of("SCOPE").as_deref(), Some("machine-a\\x2db.scope"));
        assert_eq!(of("SERVICE").as_deref(), Some("a \"b\\"));
        assert_eq!(of("LEADER").as_deref(), Some("12"));
        for key in ["ROOT", "BAD", "LEADE", "ID"] {
            assert_eq!(of(key), None, "{key}");
        }
    }
}
