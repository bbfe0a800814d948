//! Rows by hash: one look at one cache line for nearly every question.
//!
//! Finding one of a million monitors is a matter of memory waited for, so an entry is eight bytes, the hash and the row,
//! and lies where its hash says or, where that is taken, in the next free place behind. At most three in four places
//! are taken, which keeps those rows of neighbours short. Taking an entry out moves the ones behind it forward, so no
//! place is ever "deleted". The table knows nothing of ids: whoever asks compares them.

/// Places of the smallest table.
const PLACES_MIN: usize = 16;

/// An open-addressing table from 32-bit hashes to row numbers below `u32::MAX`.
#[derive(Debug, Default)]
pub struct Index {
    /// Hash in the upper half, row + 1 in the lower; 0 is a free place. A power of two, or none at all.
    places: Vec<u64>,
    taken: usize,
}

fn entry(hash: u32, row: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(row + 1)
}

fn hash_of(entry: u64) -> u32 {
    (entry >> 32) as u32
}

fn row_of(entry: u64) -> u32 {
    entry as u32 - 1
}

impl Index {
    /// The row of that hash that `is_it`.
    #[inline]
    pub fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        if self.places.is_empty() {
            return None;
        }
        let mut at = self.home(hash);
        loop {
            let found = self.places[at];
            if found == 0 {
                return None;
            }
            if hash_of(found) == hash && is_it(row_of(found)) {
                return Some(row_of(found));
            }
            at = self.next(at);
        }
    }

    /// Adds a row that is not in it.
    pub fn insert(&mut self, hash: u32, row: u32) {
        if (self.taken + 1) * 4 > self.places.len() * 3 {
            let larger = vec![0; (self.places.len() * 2).max(PLACES_MIN)];
            let old = std::mem::replace(&mut self.places, larger);
            old.into_iter().filter(|entry| *entry != 0).for_each(|entry| self.put(entry));
        }
        self.taken += 1;
        self.put(entry(hash, row));
    }

    /// Takes a row out, if it is in it.
    pub fn remove(&mut self, hash: u32, row: u32) {
        if self.places.is_empty() {
            return;
        }
        let wanted = entry(hash, row);
        let mut hole = self.home(hash);
        while self.places[hole] != wanted {
            if self.places[hole] == 0 {
                return;
            }
            hole = self.next(hole);
        }
        self.taken -= 1;
        let mut at = hole;
        loop {
            at = self.next(at);
            let follower = self.places[at];
            if follower == 0 {
                break;
            }
            // It may move into the hole unless its home lies behind the hole.
            let mask = self.places.len() - 1;
            let from_home = at.wrapping_sub(self.home(hash_of(follower))) & mask;
            if from_home >= (at.wrapping_sub(hole) & mask) {
                self.places[hole] = follower;
                hole = at;
            }
        }
        self.places[hole] = 0;
    }

    fn put(&mut self, entry: u64) {
        let mut at = self.home(hash_of(entry));
        while self.places[at] != 0 {
            at = self.next(at);
        }
        self.places[at] = entry;
    }

    /// Where a hash belongs: the upper bits of its product with the golden ratio, which spreads poor ones too.
    fn home(&self, hash: u32) -> usize {
        let spread = u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (spread >> 32) as usize & (self.places.len() - 1)
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.places.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        /// Against a map: whatever goes in and out, every row is found under its hash and no other is.
        #[test]
        fn the_index_agrees_with_a_map(steps in proptest::collection::vec((0u32..60, 0u32..4, any::<bool>()), 1..300)) {
            let mut index = Index::default();
            let mut map: BTreeMap<u32, u32> = BTreeMap::new();
            for (row, kind, add) in steps {
                // Hashes that collide wholly, that share a home, and that lie at the end of the table.
                let hash = [7, row * 0x1_0000, row, u32::MAX - row % 3][kind as usize];
                match map.get(&row).copied() {
                    None if add => {
                        index.insert(hash, row);
                        map.insert(row, hash);
                    }
                    Some(hash) if !add => {
                        index.remove(hash, row);
                        map.remove(&row);
                    }
                    _ => {}
                }
                for row in 0..60 {
                    let known = map.get(&row);
                    let hash = known.copied().unwrap_or(hash);
                    prop_assert_eq!(index.find(hash, |r| r == row), known.map(|_| row));
                }
            }
            prop_assert_eq!(index.taken, map.len());
        }
    }

    #[test]
    fn an_empty_index_knows_nobody() {
        let mut index = Index::default();
        assert_eq!(index.find(1, |_| true), None);
        index.remove(1, 1);
        index.insert(1, 1);
        index.remove(1, 2);
        assert_eq!(index.find(1, |_| true), Some(1));
    }
}
