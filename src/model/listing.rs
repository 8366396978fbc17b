//! What `--show` is to show of namespaces, and how.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;

use super::number::Quoted;
use super::{Kind, Kinds};

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Kind,
    Inode,
    Id,
    Owner,
    OwnerUid,
    OwnerUser,
    Parent,
    NetnsId,
    Ours,
    Procs,
    Pid,
    Ppid,
    Uid,
    User,
    Command,
    Path,
    Nsfs,
    KeptBy,
}

/// The names of all columns, in their order. One text: a pointer to each would be relocated at every start.
const NAMES: &str = "KIND INODE ID OWNER OWNER-UID OWNER-USER PARENT NETNSID OURS PROCS PID PPID UID USER COMMAND PATH NSFS KEPT-BY";

impl Column {
    /// All of them, in the order in which they are shown where all are wanted.
    pub(crate) const ALL: [Column; 18] = [
        Column::Kind,
        Column::Inode,
        Column::Id,
        Column::Owner,
        Column::OwnerUid,
        Column::OwnerUser,
        Column::Parent,
        Column::NetnsId,
        Column::Ours,
        Column::Procs,
        Column::Pid,
        Column::Ppid,
        Column::Uid,
        Column::User,
        Column::Command,
        Column::Path,
        Column::Nsfs,
        Column::KeptBy,
    ];

    /// Its heading, by which it is asked for too.
    pub(crate) fn name(self) -> &'static str {
        NAMES.split(' ').nth(self as usize).unwrap_or_default()
    }

    /// What lsns(8) calls it, where that differs.
    fn other_name(self) -> Option<&'static str> {
        match self {
            Column::Kind => Some("TYPE"),
            Column::Inode => Some("NS"),
            Column::Owner => Some("ONS"),
            Column::Parent => Some("PNS"),
            Column::Procs => Some("NPROCS"),
            _ => None,
        }
    }

    /// Whether numbers stand in it, which are aligned to the right.
    pub(crate) fn is_number(self) -> bool {
        use Column::{Id, Inode, NetnsId, Owner, OwnerUid, Parent, Pid, Ppid, Procs, Uid};
        matches!(
            self,
            Inode | Id | Owner | OwnerUid | Parent | NetnsId | Procs | Pid | Ppid | Uid
        )
    }

    fn from_name(name: &[u8]) -> Option<Column> {
        Column::ALL.into_iter().find(|column| {
            let names = [Some(column.name()), column.other_name()];
            let mut names = names.into_iter().flatten();
            names.any(|known| known.as_bytes().eq_ignore_ascii_case(name))
        })
    }
}

/// The columns asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Columns {
    /// Those that fit what is shown, and these behind them.
    Usual(Vec<Column>),
    /// These.
    Given(Vec<Column>),
}

impl Columns {
    /// Reads `COLUMN[,COLUMN…]`, with a `+` in front for columns behind the usual ones; `all` for every column.
    ///
    /// # Errors
    /// A name that is no column's.
    pub(crate) fn parse(text: &OsStr) -> Result<Columns, String> {
        let (list, is_more) = match text.as_bytes().strip_prefix(b"+") {
            Some(list) => (list, true),
            None => (text.as_bytes(), false),
        };
        let mut columns = Vec::new();
        for name in list.split(|&byte| byte == b',') {
            if name.eq_ignore_ascii_case(b"all") {
                columns.extend(Column::ALL);
                continue;
            }
            columns.push(Column::from_name(name).ok_or_else(|| {
                let mut line = format!("{} is no column: all", Quoted(OsStr::from_bytes(name)));
                for column in Column::ALL {
                    let _ = write!(line, ", {}", column.name());
                }
                line
            })?);
        }
        Ok(if is_more {
            Columns::Usual(columns)
        } else {
            Columns::Given(columns)
        })
    }
}

/// In which form namespaces are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A row each.
    Table,
    /// Who owns and contains whom.
    Tree,
    /// The table for other programs.
    Json,
    /// The trees for other programs.
    JsonTree,
}

/// What is to be shown, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    /// In which form.
    pub(crate) form: Form,
    /// Namespaces of these kinds only.
    pub(crate) kinds: Kinds,
    /// The columns of a table.
    pub(crate) columns: Columns,
    /// Whether a table has headings.
    pub(crate) headings: bool,
    /// Whether a table is for other programs: one blank between cells, and none in them.
    pub(crate) raw: bool,
    /// Whether each process of a namespace has a row, not each namespace.
    pub(crate) processes: bool,
    /// Whether the limits are shown; none: where that is usual.
    pub(crate) limits: bool,
    /// Whether a tree has kernel threads.
    pub(crate) kernel_threads: bool,
    /// Whether a tree has every process, also those of our own PID namespace, and those that are alike.
    pub(crate) all_processes: bool,
}

impl Listing {
    /// Of everything, with nothing asked for besides.
    #[cfg(test)]
    pub(crate) fn plain(form: Form) -> Listing {
        Listing {
            form,
            kinds: Kinds::ALL,
            columns: Columns::Usual(Vec::new()),
            headings: true,
            raw: false,
            processes: false,
            limits: false,
            kernel_threads: false,
            all_processes: false,
        }
    }

    /// The columns of the table.
    pub(crate) fn table_columns(&self) -> Vec<Column> {
        let more = match &self.columns {
            Columns::Given(columns) => return columns.clone(),
            Columns::Usual(more) => more,
        };
        use Column::{
            Command, Id, Inode, KeptBy, NetnsId, Ours, Owner, OwnerUser, Parent, Pid, Ppid, Procs,
            User,
        };
        let only_networks = self.kinds == Kinds::NONE.with(Kind::Net);
        let third = if only_networks { NetnsId } else { Parent };
        let usual: &[Column] = if self.processes {
            &[Column::Kind, Inode, Pid, Ppid, User, Command]
        } else {
            &[
                Column::Kind,
                Inode,
                Id,
                Owner,
                OwnerUser,
                third,
                Ours,
                Procs,
                KeptBy,
            ]
        };
        [usual, more].concat()
    }

    /// Whether it is for people, who want to know what else there is to know.
    pub(crate) fn is_for_people(&self) -> bool {
        let usual = matches!(self.columns, Columns::Usual(_));
        match self.form {
            Form::Table => usual && self.headings && !self.raw,
            Form::Tree => true,
            Form::Json | Form::JsonTree => false,
        }
    }
}

/// Reads the value of `--type`: `KIND[,KIND…]`, or with `+` as before a reference.
///
/// # Errors
/// A name that is no kind's.
pub(crate) fn kinds(text: &OsStr) -> Result<Kinds, String> {
    let names = text.as_bytes().split(|&byte| matches!(byte, b',' | b'+'));
    names
        .map(|name| {
            Kind::from_name(name).ok_or_else(|| {
                let name = Quoted(OsStr::from_bytes(name));
                format!("{name} is not a kind of namespace: {}", Kinds::ALL)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_by_either_name() {
        let parse = |text: &str| Columns::parse(text.as_ref());
        let both = vec![Column::Inode, Column::Kind];
        assert_eq!(parse("NS,type"), Ok(Columns::Given(both.clone())));
        assert_eq!(parse("+inode,KIND"), Ok(Columns::Usual(both)));
        assert_eq!(parse("all"), Ok(Columns::Given(Column::ALL.to_vec())));
        for text in ["", "+", "KIND,", "KIND,,PID", "frob", "KIND PID", "\x1b"] {
            let line = parse(text).unwrap_err();
            assert!(line.contains("is no column: all, KIND, INODE, "), "{line}");
            assert!(!line.contains('\x1b'));
        }
    }

    #[test]
    fn no_two_columns_share_a_name() {
        for column in Column::ALL {
            for name in [Some(column.name()), column.other_name()] {
                let found = name.map(|name| Column::from_name(name.as_bytes()));
                assert!(found.is_none_or(|found| found == Some(column)));
            }
        }
    }

    #[test]
    fn kinds_in_a_list() {
        let both = Kinds::NONE.with(Kind::Net).with(Kind::Uts);
        for text in ["net,uts", "uts+net", "net,uts,net"] {
            assert_eq!(kinds(text.as_ref()), Ok(both));
        }
        for text in ["", "net,", "network", "NET"] {
            assert!(
                kinds(text.as_ref())
                    .unwrap_err()
                    .contains("not a kind of namespace")
            );
        }
    }
}
