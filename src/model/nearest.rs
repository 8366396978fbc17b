//! Names that were perhaps meant.

/// The name that is nearest to `given`, when at most a third of it is wrong.
pub(crate) fn nearest<'a>(given: &[u8], names: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    names
        .map(|name| (edits(given, name), name))
        .filter(|(edits, name)| 3 * edits <= name.len())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// How many letters are to be added, left out, changed, or swapped with their neighbour to make one
/// name of the other (the optimal string alignment distance).
fn edits(from: &[u8], to: &[u8]) -> usize {
    // Each index is in its row.
    let cost = |row: &[usize], index: usize| row.get(index).copied().unwrap_or_default();
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let changed = cost(&last, j - 1) + usize::from(from.get(i - 1) != to.get(j - 1));
            let mut fewest = changed.min(cost(&last, j) + 1).min(cost(&row, j - 1) + 1);
            if i > 1
                && j > 1
                && from.get(i - 1) == to.get(j - 2)
                && from.get(i - 2) == to.get(j - 1)
            {
                fewest = fewest.min(cost(&before_last, j - 2) + 1);
            }
            row.push(fewest);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    cost(&last, to.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_may_be_wrong() {
        let of = |given: &str| {
            let names = ["blue", "uxred", "b"].map(str::as_bytes);
            nearest(given.as_bytes(), names.into_iter())
        };
        assert_eq!(of("uxrd"), Some(&b"uxred"[..]));
        assert_eq!(of("bleu"), Some(&b"blue"[..]));
        assert_eq!(of("green"), None);
        assert_eq!(of("c"), None);
        assert_eq!(of("b"), Some(&b"b"[..]));
    }
}
