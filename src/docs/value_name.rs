//! The small grammar of value names: which words of `uid|name|follow` stand for something, and which
//! for themselves.

/// The words that stand for something; every other word of a value name is to be typed as it is.
pub(crate) const PLACEHOLDERS: &[&str] = &[
    "column", "dir", "fd", "file", "gid", "inode", "kind", "name", "pid", "range", "ref",
    "seconds", "signal", "string", "uid",
];

/// A part of a value name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Stands for something: `file`.
    Placeholder(&'static str),
    /// To be typed as it is: `allow`.
    Literal(&'static str),
    /// What is between: `|`, `,...`, `[:`.
    Between(&'static str),
}

/// Takes a value name apart.
pub(crate) fn parts(name: &'static str) -> impl Iterator<Item = Part> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let in_word = rest.starts_with(|c: char| c.is_ascii_alphanumeric());
        let end = rest
            .find(|c: char| c.is_ascii_alphanumeric() != in_word)
            .unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end);
        rest = behind;
        match part {
            "" => None,
            _ if !in_word => Some(Part::Between(part)),
            _ if PLACEHOLDERS.contains(&part) => Some(Part::Placeholder(part)),
            _ => Some(Part::Literal(part)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::Part::{Between, Literal, Placeholder};
    use super::*;

    #[test]
    fn a_value_name_falls_apart_into_words_and_what_is_between() {
        let apart = |name| parts(name).collect::<Vec<_>>();
        assert_eq!(apart(""), []);
        assert_eq!(apart("file"), [Placeholder("file")]);
        assert_eq!(
            apart("gid,...|follow"),
            [Placeholder("gid"), Between(",...|"), Literal("follow")]
        );
        assert_eq!(
            apart("pid[:inode]"),
            [
                Placeholder("pid"),
                Between("[:"),
                Placeholder("inode"),
                Between("]")
            ]
        );
    }
}
