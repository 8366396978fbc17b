//! Users: an ordinary one that needs no account, and one with subordinate IDs, made for the run.

use std::process::{Command, Stdio};
use std::sync::LazyLock;

use super::cleaner;
use super::needs::{self, Need};
use super::tool::Tool;

/// UID and GID of the ordinary user when the tests run as root: nobody's account.
pub(crate) const ORDINARY: u32 = 47_231;

/// A user with an account and ranges in /etc/subuid and /etc/subgid.
pub(crate) struct Subordinate {
    /// The account's name.
    pub(crate) name: String,
    /// Its UID.
    pub(crate) uid: u32,
    /// Its GID.
    pub(crate) gid: u32,
    /// First ID and count of its range in /etc/subuid.
    pub(crate) uids: (u32, u32),
    /// First ID and count of its range in /etc/subgid.
    pub(crate) gids: (u32, u32),
}

impl Subordinate {
    /// The one of this run: made when first asked for, removed when the tests end.
    pub(crate) fn get() -> Result<&'static Self, super::Lack> {
        static MADE: LazyLock<Result<Subordinate, String>> = LazyLock::new(make);
        MADE.as_ref()
            .map_err(|why| super::Lack::Machine(why.clone()))
    }

    /// As a need.
    pub(crate) fn there() -> Need {
        Self::get().map(|_| ())
    }

    /// The user; only after [`Subordinate::there`].
    pub(crate) fn user() -> &'static Self {
        Self::get().unwrap_or_else(|_| panic!("needs!(Subordinate::there()) comes first"))
    }

    /// Runs the tool as this user.
    pub(crate) fn runs(&self, tool: Tool) -> Tool {
        tool.by_user(self.uid, self.gid)
    }
}

/// What is locked while accounts change: flock(1) takes a directory, and leaves no file behind.
const LOCK: &str = "/etc";

/// Makes the account with shadow's own tools, which lock the files that they write; `flock` keeps
/// other runs of these tests from finding them locked.
fn make() -> Result<Subordinate, String> {
    if !needs::is_root() {
        return Err("root, to make a user with subordinate IDs".into());
    }
    for tool in ["useradd", "userdel", "flock", "newuidmap", "newgidmap"] {
        if needs::find(tool).is_none() {
            return Err(format!("{tool}, for a user with subordinate IDs"));
        }
    }
    let name = format!("nskit-test-{}", std::process::id());
    cleaner::at_end(&format!("flock {LOCK} userdel {name}"));
    let made = Command::new("flock")
        .args([LOCK, "useradd", "--no-create-home", "--user-group"])
        .args(["--shell", "/bin/sh", &name])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if !made.status.success() {
        return Err(format!(
            "useradd: {}",
            String::from_utf8_lossy(&made.stderr)
        ));
    }
    let account = nix::unistd::User::from_name(&name)
        .map_err(|error| error.to_string())?
        .ok_or("the account that was just made")?;
    Ok(Subordinate {
        uids: range("/etc/subuid", &name)?,
        gids: range("/etc/subgid", &name)?,
        uid: account.uid.as_raw(),
        gid: account.gid.as_raw(),
        name,
    })
}

fn range(file: &str, name: &str) -> Result<(u32, u32), String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let mut fields = text
        .lines()
        .map(|line| line.split(':'))
        .find(|fields| fields.clone().next() == Some(name))
        .ok_or_else(|| format!("a line for new users in {file}"))?
        .skip(1)
        .map(|field| field.parse().ok());
    match (fields.next().flatten(), fields.next().flatten()) {
        (Some(first), Some(count)) => Ok((first, count)),
        _ => Err(format!("a range of numbers in {file}")),
    }
}
