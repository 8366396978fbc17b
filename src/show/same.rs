//! `--same`: whether namespaces are the same, kind by kind.
//!
//! The hard thing: what cannot be read is not different. Only two namespaces that are known can differ.

use super::grid::grid;
use crate::host::namespace::Identity;
use crate::model::Kind;
use crate::model::sorted::{SortedMap, SortedSet};

/// What one reference names, for comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Side {
    /// What it is called.
    pub(crate) name: String,
    /// Its namespaces of the kinds that it has, or that are wanted of it.
    pub(crate) of: SortedMap<Kind, Known>,
}

/// The namespaces of one kind that a reference names: one, but for `all`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Known {
    /// Those that are known.
    pub(crate) these: SortedSet<Identity>,
    /// Why there is one that is not known, or may be.
    pub(crate) unknown: Option<String>,
}

impl Known {
    /// Only this one.
    pub(crate) fn is(this: Identity) -> Known {
        let mut these = SortedSet::default();
        these.insert(this);
        Known {
            these,
            unknown: None,
        }
    }
}

/// What came of a comparison; the worst of its kinds is the whole's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// All are the same.
    Same,
    /// It cannot be told.
    Unknown,
    /// Two differ.
    Differs,
}

impl Verdict {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Verdict::Same => "same",
            Verdict::Unknown => "unknown",
            Verdict::Differs => "differs",
        }
    }
}

/// Compares what the sides have in common. None when that is nothing.
pub(crate) fn compare(sides: &[Side]) -> Option<Vec<(Kind, Verdict)>> {
    let rows: Vec<(Kind, Verdict)> = Kind::ALL
        .into_iter()
        .filter_map(|kind| {
            let known: Option<Vec<&Known>> = sides.iter().map(|side| side.of.get(&kind)).collect();
            Some((kind, verdict(&known?)))
        })
        .collect();
    (!rows.is_empty()).then_some(rows)
}

fn verdict(known: &[&Known]) -> Verdict {
    let mut all = known.iter().flat_map(|known| known.these.iter());
    let first = all.next();
    if all.any(|one| Some(one) != first) {
        Verdict::Differs
    } else if known.iter().any(|known| known.unknown.is_some()) || first.is_none() {
        Verdict::Unknown
    } else {
        Verdict::Same
    }
}

/// The table: a row a kind, a column a reference; then why something is not known.
pub(crate) fn table(sides: &[Side], rows: &[(Kind, Verdict)]) -> String {
    let mut head = vec!["KIND".to_owned(), "RESULT".to_owned()];
    head.extend(sides.iter().map(|side| side.name.clone()));
    let mut lines = vec![head];
    let mut reasons = SortedSet::default();
    for &(kind, verdict) in rows {
        let mut line = vec![kind.to_string(), verdict.word().to_owned()];
        for side in sides {
            let Some(known) = side.of.get(&kind) else {
                continue;
            };
            line.push(match (known.these.iter().next(), known.these.len()) {
                (Some((_, inode)), 1) => inode.to_string(),
                (_, 0) => "?".to_owned(),
                (_, many) => format!("{many} of them"),
            });
            reasons.extend(known.unknown.iter().cloned());
        }
        lines.push(line);
    }
    let mut text = grid(&lines, &[]);
    if !reasons.is_empty() {
        text.push('\n');
    }
    for reason in reasons.iter() {
        text.push_str(reason);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(inode: u64) -> Known {
        Known::is((4, inode))
    }

    fn unreadable() -> Known {
        Known {
            these: SortedSet::default(),
            unknown: Some("cannot open it".to_owned()),
        }
    }

    fn side(name: &str, of: impl IntoIterator<Item = (Kind, Known)>) -> Side {
        Side {
            name: name.to_owned(),
            of: of.into_iter().collect(),
        }
    }

    #[test]
    fn kind_by_kind() {
        let sides = [
            side(
                "a",
                [
                    (Kind::User, one(1)),
                    (Kind::Net, one(2)),
                    (Kind::Mnt, one(3)),
                ],
            ),
            side(
                "b",
                [
                    (Kind::User, one(1)),
                    (Kind::Net, one(9)),
                    (Kind::Mnt, unreadable()),
                ],
            ),
        ];
        let rows = compare(&sides).unwrap();
        assert_eq!(
            rows,
            [
                (Kind::User, Verdict::Same),
                (Kind::Net, Verdict::Differs),
                (Kind::Mnt, Verdict::Unknown)
            ]
        );
        assert_eq!(
            table(&sides, &rows),
            "KIND RESULT  a b\nuser same    1 1\nnet  differs 2 9\nmnt  unknown 3 ?\n\ncannot open it\n"
        );
        assert_eq!(rows.iter().map(|row| row.1).max(), Some(Verdict::Differs));
    }

    #[test]
    fn only_common_kinds_count() {
        let process = side("p", Kind::ALL.map(|kind| (kind, one(1))));
        let net = side("n", [(Kind::Net, one(1))]);
        let uts = side("u", [(Kind::Uts, one(1))]);
        assert_eq!(
            compare(&[process.clone(), net.clone()]),
            Some(vec![(Kind::Net, Verdict::Same)])
        );
        assert_eq!(compare(&[process, net, uts]), None);
    }

    #[test]
    fn the_device_counts_as_well() {
        let mut other = one(1);
        other.these = SortedSet::from_iter([(5, 1)]);
        let sides = [
            side("a", [(Kind::Net, one(1))]),
            side("b", [(Kind::Net, other)]),
        ];
        assert_eq!(compare(&sides), Some(vec![(Kind::Net, Verdict::Differs)]));
    }

    #[test]
    fn many_that_may_be_more() {
        let mut all = one(1);
        all.unknown = Some("3 processes could not be looked at".to_owned());
        let sides = [
            side("a", [(Kind::Net, all.clone())]),
            side("b", [(Kind::Net, one(1))]),
        ];
        assert_eq!(compare(&sides), Some(vec![(Kind::Net, Verdict::Unknown)]));
        all.these.insert((4, 2));
        let sides = [
            side("a", [(Kind::Net, all)]),
            side("b", [(Kind::Net, one(1))]),
        ];
        assert_eq!(compare(&sides), Some(vec![(Kind::Net, Verdict::Differs)]));
    }

    proptest! {
        #[test]
        fn nothing_unknown_makes_a_difference(inode: u64, count in 1_usize..5) {
            let mut sides = vec![side("a", [(Kind::Pid, one(inode))]); count];
            sides.push(side("b", [(Kind::Pid, unreadable())]));
            prop_assert_eq!(compare(&sides), Some(vec![(Kind::Pid, Verdict::Unknown)]));
        }
    }
}
