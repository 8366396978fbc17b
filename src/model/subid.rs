//! Subordinate IDs: subuid(5), subgid(5) and what getsubids(1) prints.
//!
//! The hard thing here: only a line of ours counts, by name or by number; a line that cannot be used
//! is passed over, since one typing error of one user must not stop all others.

use crate::model::number::{LAST_ID, decimal};

/// A range of subordinate IDs: not empty, and no ID past [`LAST_ID`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubIds {
    first: u32,
    count: u32,
}

impl SubIds {
    /// The range of these numbers in text, unless it is empty or goes past the last ID.
    fn from_text(first: &[u8], count: &[u8]) -> Option<Self> {
        let first = u32::try_from(decimal(first)?).ok()?;
        let count = u32::try_from(decimal(count)?).ok()?;
        let last = first.checked_add(count.checked_sub(1)?)?;
        (last <= LAST_ID).then_some(Self { first, count })
    }

    /// The lowest ID.
    pub(crate) fn first(self) -> u32 {
        self.first
    }

    /// How many IDs.
    pub(crate) fn count(self) -> u32 {
        self.count
    }

    /// The ranges in `text` (of /etc/subuid or /etc/subgid) for a user of one of these names, or with this ID, in the
    /// order of the lines.
    ///
    /// Both files name users, so `uid` is a user's ID for either.
    pub(crate) fn find_all<'a>(
        text: &'a [u8],
        names: &'a [&'a [u8]],
        uid: u32,
    ) -> impl Iterator<Item = Self> + 'a {
        text.split(|byte| *byte == b'\n').filter_map(move |line| {
            let mut fields = line.split(|byte| *byte == b':');
            let (owner, first, count) = (fields.next()?, fields.next()?, fields.next()?);
            let ours = !owner.is_empty() && (names.contains(&owner) || is_number(owner, uid));
            if ours && fields.next().is_none() {
                Self::from_text(first, count)
            } else {
                None
            }
        })
    }

    /// The ranges of everybody in such a text.
    pub(crate) fn all(text: &[u8]) -> impl Iterator<Item = Self> {
        text.split(|byte| *byte == b'\n').filter_map(|line| {
            let mut fields = line.split(|byte| *byte == b':').skip(1);
            Self::from_text(fields.next()?, fields.next()?)
        })
    }

    /// The first range in what `getsubids [-g] NAME` printed: lines of `0: name first count`.
    pub(crate) fn from_getsubids(output: &[u8]) -> Option<Self> {
        output.split(|byte| *byte == b'\n').find_map(|line| {
            // From the end: what a name looks like is not for us to know.
            let mut fields = line.rsplit(|byte| *byte == b' ');
            let (count, first) = (fields.next()?, fields.next()?);
            fields.next()?;
            Self::from_text(first, count)
        })
    }
}

/// Whether `text` is this ID in plain digits.
fn is_number(text: &[u8], uid: u32) -> bool {
    text.iter().all(u8::is_ascii_digit) && decimal(text) == Some(i128::from(uid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn find(text: &str, names: &[&str], uid: u32) -> Option<(u32, u32)> {
        let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        SubIds::find_all(text.as_bytes(), &names, uid)
            .next()
            .map(|ids| (ids.first(), ids.count()))
    }

    #[test]
    fn the_first_line_of_ours() {
        let text = "ann:1:2\nbob:3:4\n1000:5:6\nbob:7:8\n";
        assert_eq!(find(text, &["bob"], 9), Some((3, 4)));
        assert_eq!(find(text, &["bea"], 1000), Some((5, 6)));
        assert_eq!(find(text, &["bea", "ann"], 1000), Some((1, 2)));
        assert_eq!(find(text, &["bea"], 1001), None);
        assert_eq!(find(text, &[], 1000), Some((5, 6)));
    }

    #[test]
    fn root_gets_no_line_of_somebody_else() {
        assert_eq!(
            find(
                "ann:1:2\n:3:4\n+0:3:4\n 0:3:4\n-0:3:4\n0x0:3:4\n",
                &["root"],
                0
            ),
            None
        );
        assert_eq!(find(":3:4\n", &[""], 0), None);
    }

    #[test]
    fn malformed_lines_are_passed_over() {
        let bad = "bob\nbob:\nbob:1\nbob:x:1\nbob:1:x\nbob:1:\nbob::1\nbob:1:2:3\nbob:0x1:5\nbob:1:5 \n\
            bob:1:0\nbob:-1:5\nbob:1:-5\nbob:4294967295:1\nbob:4294967290:6\nbob:1:4294967296\n\n#bob:1:2\nbob :1:2\n";
        assert_eq!(find(bad, &["bob"], 1000), None);
        assert_eq!(find(&format!("{bad}bob:3:4"), &["bob"], 1000), Some((3, 4)));
    }

    #[test]
    fn the_last_id_can_be_had() {
        assert_eq!(
            find("bob:4294967290:5", &["bob"], 1),
            Some((4_294_967_290, 5))
        );
        assert_eq!(
            find("bob:0:4294967295", &["bob"], 1),
            Some((0, 4_294_967_295))
        );
    }

    #[test]
    fn getsubids_output() {
        let parse =
            |text: &str| SubIds::from_getsubids(text.as_bytes()).map(|ids| (ids.first, ids.count));
        assert_eq!(
            parse("0: root 100000 65536\n1: root 300000 10\n"),
            Some((100_000, 65536))
        );
        assert_eq!(parse("0: a b 100000 65536\n"), Some((100_000, 65536)));
        assert_eq!(
            parse("0: root 70 0\n1: root 80 18446744073709551615\n2: root 5 6\n"),
            Some((5, 6))
        );
        for text in ["", "\n", "Error fetching ranges\n", "100000 65536\n"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do(text: Vec<u8>, name: Vec<u8>, uid: u32) {
            for ids in [SubIds::find_all(&text, &[&name], uid).next(), SubIds::from_getsubids(&text)].into_iter().flatten() {
                prop_assert!(ids.count > 0 && ids.first.checked_add(ids.count).is_some());
            }
        }
    }
}
