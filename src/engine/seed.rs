//! The hash of ids, by a seed.
//!
//! Ids come from strangers, who must not be able to choose some that all fall into one place; so each process draws a
//! seed of its own. A simulation sets it, for then everything follows from one number.

use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};

/// SipHash of the seed and then the value.
#[derive(Clone, Copy, Debug)]
pub struct Seed(u64, u64);

impl Seed {
    /// One that nobody can guess.
    pub fn random() -> Seed {
        let state = RandomState::new();
        Seed(state.hash_one(0), state.hash_one(1))
    }

    /// One that everybody knows.
    pub fn known(seed: u64) -> Seed {
        Seed(seed, seed)
    }
}

impl BuildHasher for Seed {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher.write_u64(self.1);
        hasher
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_hash_differently_and_a_known_one_always_alike() {
        assert_eq!(Seed::known(7).hash_one("web-01"), Seed::known(7).hash_one("web-01"));
        assert_ne!(Seed::known(7).hash_one("web-01"), Seed::known(8).hash_one("web-01"));
        assert_ne!(Seed::random().hash_one("web-01"), Seed::random().hash_one("web-01"));
    }
}
