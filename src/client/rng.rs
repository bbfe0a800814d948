//! Random numbers: a generator with a seed, so that a run can be repeated, and unguessable numbers of the system.

use std::hash::{BuildHasher, RandomState};

/// A pseudo-random generator (SplitMix64).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// With a seed.
    pub fn seeded(seed: u64) -> Rng {
        Rng(seed)
    }

    /// With an unguessable seed.
    pub fn new() -> Rng {
        Rng::seeded(unguessable())
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to below `bound`; 0 when that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bounds here are tiny next to 2^64, and so is the bias.
        self.next_u64().checked_rem(bound).unwrap_or(0)
    }
}

impl Default for Rng {
    fn default() -> Rng {
        Rng::new()
    }
}

/// An unguessable number: a keyed hash (SipHash) under keys of the system's randomness.
pub fn unguessable() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_row_and_the_system_another_each_time() {
        let row = |seed| {
            let mut rng = Rng::seeded(seed);
            std::array::from_fn::<u64, 4, _>(|_| rng.next_u64())
        };
        assert_eq!(row(7), row(7));
        assert_ne!(row(7), row(8));
        assert_ne!(unguessable(), unguessable());
        let mut rng = Rng::seeded(1);
        assert!((0..1000).all(|_| rng.below(10) < 10));
        assert_eq!(rng.below(0), 0);
    }
}
