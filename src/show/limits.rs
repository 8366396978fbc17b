//! How many namespaces there may be: /proc/sys/user (namespaces(7)).

use crate::model::Kind;
use crate::model::number::decimal;
use crate::sys;

/// The limit in force in our user namespace for one kind; it holds for each user separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KindLimit {
    /// The kind.
    pub(crate) kind: Kind,
    /// How many namespaces of this kind one user may have.
    pub(crate) most: u64,
    /// How many were seen, of all users together.
    pub(crate) in_use: usize,
}

/// The limits of the kinds that the kernel limits.
pub(super) fn limits(in_use: impl Fn(Kind) -> usize) -> Vec<KindLimit> {
    let most = |kind: Kind| {
        let path = format!("/proc/sys/user/max_{kind}_namespaces");
        let text = sys::read_file(path.as_ref(), sys::Limit::FILE).ok()?;
        u64::try_from(decimal(text.trim_ascii())?).ok()
    };
    Kind::ALL
        .into_iter()
        .filter_map(|kind| {
            Some(KindLimit {
                kind,
                most: most(kind)?,
                in_use: in_use(kind),
            })
        })
        .collect()
}
