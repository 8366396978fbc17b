//! Things put in order.
//!
//! A sort of std's is made anew for each type, and so is a tree (BTreeMap), several kilobytes each time, with 25 panic
//! locations that every start relocates. What is ordered here is few.

use std::borrow::Borrow;

/// The indices of `count` things, those with a smaller key first, equal ones as they stand.
pub(crate) fn sorted(count: usize, key: impl Fn(usize) -> u64) -> Vec<usize> {
    let mut keys: Vec<(u64, usize)> = (0..count).map(|index| (key(index), index)).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, index)| index).collect()
}

/// Values by their keys, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SortedMap<K, V>(Vec<(K, V)>);

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        SortedMap(Vec::new())
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    /// Where the key is, or where it would have to be.
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0
            .binary_search_by(|(other, _)| other.borrow().cmp(key))
    }

    /// The value of this key.
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (_, value) = self.0.get(self.place(key).ok()?)?;
        Some(value)
    }

    /// The value of this key, to be changed.
    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        let (_, value) = self.0.get_mut(place)?;
        Some(value)
    }

    /// Whether it has this key.
    pub(crate) fn has<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).is_ok()
    }

    /// The value of this key, which is made if there is none.
    pub(crate) fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let place = self.place(&key).unwrap_or_else(|place| {
            self.0.insert(place, (key, make()));
            place
        });
        &mut self.0[place].1
    }

    /// Gives this key this value.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.get_mut(&key) {
            Some(known) => *known = value,
            None => {
                self.get_or_insert_with(key, || value);
            }
        }
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The keys with their values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The values, in the order of their keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes away the keys for which `keep` does not hold.
    pub(crate) fn retain(&mut self, keep: impl Fn(&K) -> bool) {
        self.0.retain(|(key, _)| keep(key));
    }
}

/// Of several values for one key the last stays.
impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut map = SortedMap::default();
        pairs
            .into_iter()
            .for_each(|(key, value)| map.insert(key, value));
        map
    }
}

/// Values in order, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SortedSet<T>(SortedMap<T, ()>);

impl<T> Default for SortedSet<T> {
    fn default() -> Self {
        SortedSet(SortedMap::default())
    }
}

impl<T: Ord> SortedSet<T> {
    /// Adds a value.
    pub(crate) fn insert(&mut self, value: T) {
        self.0.insert(value, ());
    }

    /// Whether this is one of them.
    pub(crate) fn has(&self, value: &T) -> bool {
        self.0.has(value)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(value, ())| value)
    }

    /// Takes away those for which `keep` does not hold.
    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.0.retain(keep);
    }
}

impl<T: Ord> Extend<T> for SortedSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        values.into_iter().for_each(|value| self.insert(value));
    }
}

impl<T: Ord> FromIterator<T> for SortedSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut set = SortedSet::default();
        set.extend(values);
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_a_stable_sort(keys in prop::collection::vec(0..20_u64, 0..60)) {
            let mut expected: Vec<usize> = (0..keys.len()).collect();
            expected.sort_by_key(|&index| keys[index]);
            prop_assert_eq!(sorted(keys.len(), |index| keys[index]), expected);
        }

        #[test]
        fn as_a_tree_has_them(pairs in prop::collection::vec((0..20_u8, 0..9_u8), 0..60), limit in 0..20_u8) {
            let tree: BTreeMap<u8, u8> = pairs.iter().copied().collect();
            let mut map: SortedMap<u8, u8> = pairs.iter().copied().collect();
            prop_assert!(map.iter().eq(&tree));
            prop_assert!(map.values().eq(tree.values()));
            prop_assert_eq!(map.len(), tree.len());
            prop_assert_eq!((map.get(&limit), map.has(&limit)), (tree.get(&limit), tree.contains_key(&limit)));
            let first = tree.get(&limit).copied().unwrap_or(99);
            prop_assert_eq!(*map.get_or_insert_with(limit, || 99), first);
            map.retain(|&key| key < limit);
            prop_assert!(map.iter().eq(tree.iter().filter(|(key, _)| **key < limit)));
            prop_assert_eq!(map.is_empty(), map.iter().next().is_none());
            map.retain(|_| false);
            prop_assert!(map.is_empty());
        }

        #[test]
        fn each_once(values in prop::collection::vec(0..20_u8, 0..60), limit in 0..20_u8) {
            let tree: BTreeSet<u8> = values.iter().copied().collect();
            let mut set: SortedSet<u8> = values.iter().copied().collect();
            prop_assert!(set.iter().eq(&tree));
            prop_assert!((0..20).all(|value| set.has(&value) == tree.contains(&value)));
            prop_assert_eq!((set.len(), set.is_empty()), (tree.len(), tree.is_empty()));
            prop_assert!(SortedSet::<u8>::default().is_empty());
            set.retain(|&value| value < limit);
            prop_assert!(set.iter().eq(tree.iter().filter(|value| **value < limit)));
        }
    }
}
