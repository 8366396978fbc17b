//! The order in which namespaces are entered when a user namespace is among them.
//!
//! Entering a user namespace gives all capabilities in it and takes those outside away. So what belongs to it
//! (or to one below it) is entered after it, and everything else before; where a user namespace between ours
//! and the last one owns something that is wanted, we stop over in it. Only facts come in here, and an order
//! goes out.

use crate::model::{Kind, sorted};

/// Where the owner of a namespace stands in relation to the user namespace that is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is that user namespace, or lies below it.
    Within,
    /// It is an ancestor of it, this many levels up, and below ours.
    Above(usize),
    /// It is ours, or has nothing to do with it.
    Outside,
    /// The kernel does not say.
    Unknown,
}

/// One call to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Enter the namespace with this index in what was given.
    Item(usize),
    /// As [`Call::Item`], but a refusal is put off until the user namespace has been entered.
    Try(usize),
    /// Enter the user namespace this many levels above the one wanted; 0 is that itself.
    User(usize),
}

/// The calls for these namespaces (none of them a user namespace), and a user namespace when `user` says so.
///
/// `privileged`: we have privilege in our own user namespace, hence in everything below it, so no stop over is
/// needed.
pub(crate) fn order(items: &[(Kind, Standing)], user: bool, privileged: bool) -> Vec<Call> {
    let sorted = sorted(items.len(), |index| items[index].0 as u64);
    if !user {
        return sorted.into_iter().map(Call::Item).collect();
    }
    let mut calls = Vec::with_capacity(items.len() + 1);
    let those = |which: &dyn Fn(Standing) -> bool| {
        sorted
            .iter()
            .copied()
            .filter(|&index| {
                items
                    .get(index)
                    .is_some_and(|(_, standing)| which(*standing))
            })
            .collect::<Vec<_>>()
    };
    calls.extend(
        those(&|owner| owner == Standing::Outside)
            .into_iter()
            .map(Call::Item),
    );
    calls.extend(
        those(&|owner| owner == Standing::Unknown)
            .into_iter()
            .map(Call::Try),
    );
    let levels = items.iter().filter_map(|(_, owner)| match owner {
        Standing::Above(level) => Some(*level),
        _ => None,
    });
    for level in (0..=levels.max().unwrap_or(0)).rev() {
        let owned = those(&|owner| owner == Standing::Above(level));
        if owned.is_empty() {
            continue;
        }
        if !privileged {
            calls.push(Call::User(level));
        }
        calls.extend(owned.into_iter().map(Call::Item));
    }
    calls.push(Call::User(0));
    calls.extend(
        those(&|owner| owner == Standing::Within)
            .into_iter()
            .map(Call::Item),
    );
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_user_namespace_kinds_go_in_their_order() {
        let items = [
            (Kind::Mnt, Standing::Unknown),
            (Kind::Net, Standing::Unknown),
        ];
        assert_eq!(order(&items, false, false), [Call::Item(1), Call::Item(0)]);
    }

    #[test]
    fn what_belongs_to_the_user_namespace_comes_after_it_and_the_rest_before() {
        let items = [
            (Kind::Mnt, Standing::Within),
            (Kind::Net, Standing::Outside),
            (Kind::Uts, Standing::Unknown),
        ];
        assert_eq!(
            order(&items, true, true),
            [Call::Item(1), Call::Try(2), Call::User(0), Call::Item(0)]
        );
    }

    #[test]
    fn user_namespaces_on_the_way_are_entered_from_the_outermost_by_those_without_privilege() {
        let items = [
            (Kind::Mnt, Standing::Above(1)),
            (Kind::Uts, Standing::Within),
            (Kind::Ipc, Standing::Above(2)),
            (Kind::Net, Standing::Above(1)),
        ];
        assert_eq!(
            order(&items, true, false),
            [
                Call::User(2),
                Call::Item(2),
                Call::User(1),
                Call::Item(3),
                Call::Item(0),
                Call::User(0),
                Call::Item(1),
            ]
        );
        assert_eq!(
            order(&items, true, true),
            [
                Call::Item(2),
                Call::Item(3),
                Call::Item(0),
                Call::User(0),
                Call::Item(1)
            ]
        );
    }
}
