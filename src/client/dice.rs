//! Chance: what may be guessed, from a seed, so that a run can be repeated; and what may not, from the system.

use std::hash::{BuildHasher, RandomState};

/// A row of numbers that look random (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The row of a seed.
    pub fn seeded(seed: u64) -> Dice {
        Dice(seed)
    }

    /// A row that nobody has seen.
    pub fn new() -> Dice {
        Dice::seeded(secret())
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to below `bound`; 0 when that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bounds here are tiny next to 2^64, and so is the bias.
        self.roll().checked_rem(bound).unwrap_or(0)
    }
}

impl Default for Dice {
    fn default() -> Dice {
        Dice::new()
    }
}

/// A number that nobody can guess: a keyed hash (SipHash) under keys of the system's randomness.
pub fn secret() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_row_and_the_system_another_each_time() {
        let row = |seed| {
            let mut dice = Dice::seeded(seed);
            std::array::from_fn::<u64, 4, _>(|_| dice.roll())
        };
        assert_eq!(row(7), row(7));
        assert_ne!(row(7), row(8));
        assert_ne!(secret(), secret());
        let mut dice = Dice::seeded(1);
        assert!((0..1000).all(|_| dice.below(10) < 10));
        assert_eq!(dice.below(0), 0);
    }
}
