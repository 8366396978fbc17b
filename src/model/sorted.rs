//! Things put in order.
//!
//! A sort of std's is made anew for each type, several kilobytes each time, and what is ordered here is few.

/// The indices of `count` things, those with a smaller key first, equal ones as they stand.
pub(crate) fn sorted(count: usize, key: impl Fn(usize) -> u64) -> Vec<usize> {
    let mut keys: Vec<(u64, usize)> = (0..count).map(|index| (key(index), index)).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_a_stable_sort(keys in prop::collection::vec(0..20_u64, 0..60)) {
            let mut expected: Vec<usize> = (0..keys.len()).collect();
            expected.sort_by_key(|&index| keys[index]);
            prop_assert_eq!(sorted(keys.len(), |index| keys[index]), expected);
        }
    }
}
