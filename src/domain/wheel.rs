//! A hierarchical timing wheel over the keys of a table: O(1) to file, O(1) amortised to fire, no allocation a timer.
//!
//! Time is cut into ticks of 16 ms. Level 0 has a slot for each of the next 64 ticks, level 1 one for each of the next
//! 64 × 64, and so on; a key is filed at the level of the highest bit in which its tick differs from the present one,
//! and moves down as its time draws near. Slots are doubly linked lists through [`Link`]s that lie beside the table.
//!
//! The wheel is lazy: a beat moves a monitor's deadline later without touching the wheel. What comes due asks the
//! table for its present deadline and is filed again if that is still ahead. So filing costs something only when a
//! deadline moves *earlier*, and the wheel's one promise is: nothing is filed later than its deadline.

use super::time::Mono;

const TICK_SHIFT: u32 = 4;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = 7; // 64^7 ticks of 16 ms: two thousand years
const NIL: u32 = u32::MAX;

/// One key's place: neighbours in its slot, and the tick it is filed under.
#[derive(Clone, Copy, Debug)]
struct Link {
    prev: u32,
    next: u32,
    filed: u64,
}

const UNFILED: Link = Link { prev: NIL, next: NIL, filed: u64::MAX };

/// The wheel.
#[derive(Debug)]
pub struct Wheel {
    links: Vec<Link>,
    heads: [[u32; SLOTS]; LEVELS],
    occupied: [u64; LEVELS],
    /// Every tick before this one has been fired.
    tick: u64,
}

impl Wheel {
    /// An empty wheel at the given moment.
    pub fn new(now: Mono) -> Wheel {
        Wheel {
            links: Vec::new(),
            heads: [[NIL; SLOTS]; LEVELS],
            occupied: [0; LEVELS],
            tick: now.0 >> TICK_SHIFT,
        }
    }

    /// Sees to it that `key` fires no later than `deadline` (and not before). Does nothing when it is filed earlier.
    pub fn file(&mut self, key: u32, deadline: Mono) {
        let index = key as usize;
        if index >= self.links.len() {
            self.links.resize(index + 1, UNFILED);
        }
        let tick = first_tick_at_or_after(deadline);
        if self.links[index].filed <= tick {
            return;
        }
        self.unfile(key);
        self.link(key, tick);
    }

    /// Takes a key out.
    pub fn unfile(&mut self, key: u32) {
        let Some(&Link { prev, next, filed }) = self.links.get(key as usize) else { return };
        if filed == u64::MAX {
            return;
        }
        if next != NIL {
            self.links[next as usize].prev = prev;
        }
        if prev != NIL {
            self.links[prev as usize].next = next;
        } else {
            // The first of its slot. Which slot that is depends on the tick at which it was filed, so look it up.
            for level in 0..LEVELS {
                let slot = slot_of(filed, level);
                if self.heads[level][slot] == key {
                    self.heads[level][slot] = next;
                    if next == NIL {
                        self.occupied[level] &= !(1 << slot);
                    }
                    break;
                }
            }
        }
        self.links[key as usize] = UNFILED;
    }

    /// The earliest moment at which something may come due.
    pub fn next(&self) -> Option<Mono> {
        self.next_slot().map(|(_, _, tick)| Mono(tick << TICK_SHIFT))
    }

    /// Takes out one key that is due at `now`; `deadline_of` tells the present deadline of a key, `None` for never.
    pub fn pop(&mut self, now: Mono, deadline_of: impl Fn(u32) -> Option<Mono>) -> Option<u32> {
        let now_tick = now.0 >> TICK_SHIFT;
        while let Some((level, slot, tick)) = self.next_slot() {
            if tick > now_tick {
                break;
            }
            self.tick = tick;
            if level > 0 {
                // The whole slot at once: while part of it were still up here, a lower level would be looked at first.
                while self.heads[level][slot] != NIL {
                    let key = self.take_first(level, slot);
                    if let Some(deadline) = deadline_of(key) {
                        self.link(key, first_tick_at_or_after(deadline));
                    }
                }
                continue;
            }
            let key = self.take_first(level, slot);
            match deadline_of(key).map(first_tick_at_or_after) {
                Some(later) if later > tick => self.link(key, later),
                Some(_) => return Some(key),
                None => {}
            }
        }
        self.tick = self.tick.max(now_tick);
        None
    }

    fn take_first(&mut self, level: usize, slot: usize) -> u32 {
        let key = self.heads[level][slot];
        let next = self.links[key as usize].next;
        self.heads[level][slot] = next;
        if next == NIL {
            self.occupied[level] &= !(1 << slot);
        } else {
            self.links[next as usize].prev = NIL;
        }
        self.links[key as usize] = UNFILED;
        key
    }

    fn link(&mut self, key: u32, tick: u64) {
        let tick = tick.max(self.tick);
        let differing = (tick ^ self.tick) | (SLOTS as u64 - 1);
        let level = (((63 - differing.leading_zeros()) / SLOT_BITS) as usize).min(LEVELS - 1);
        let slot = slot_of(tick, level);
        let head = self.heads[level][slot];
        if head != NIL {
            self.links[head as usize].prev = key;
        }
        self.links[key as usize] = Link { prev: NIL, next: head, filed: tick };
        self.heads[level][slot] = key;
        self.occupied[level] |= 1 << slot;
    }

    /// The earliest occupied slot and its first tick. A lower level always comes before a higher one, because a
    /// higher level's slots begin beyond the lower level's whole turn.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|bits| *bits != 0)?;
        let here = slot_of(self.tick, level) as u32;
        let ahead = self.occupied[level].rotate_right(here).trailing_zeros();
        let slot = ((here + ahead) as usize) % SLOTS;
        let unit = SLOT_BITS * level as u32;
        let tick = ((self.tick >> unit) + u64::from(ahead)) << unit;
        Some((level, slot, tick.max(self.tick)))
    }
}

fn slot_of(tick: u64, level: usize) -> usize {
    (tick >> (SLOT_BITS * level as u32)) as usize & (SLOTS - 1)
}

fn first_tick_at_or_after(deadline: Mono) -> u64 {
    deadline.0.div_ceil(1 << TICK_SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn an_empty_wheel_waits_for_nothing() {
        let mut wheel = Wheel::new(Mono(5));
        assert_eq!(wheel.next(), None);
        assert_eq!(wheel.pop(Mono(u64::MAX / 2), |_| None), None);
    }

    #[test]
    fn a_deadline_moved_later_needs_no_filing() {
        let mut wheel = Wheel::new(Mono(0));
        wheel.file(0, Mono(1000));
        let moved = |_| Some(Mono(90_000));
        assert_eq!(wheel.pop(Mono(2000), moved), None);
        assert_eq!(wheel.pop(Mono(89_999), moved), None);
        assert_eq!(wheel.pop(Mono(90_000), moved), Some(0));
        assert_eq!(wheel.next(), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set(u32, u64),
        Remove(u32),
        Advance(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let span = prop_oneof![0u64..100, 0u64..100_000, 0u64..40_000_000_000];
        let step = prop_oneof![
            4 => (0u32..40, span.clone()).prop_map(|(k, d)| Step::Set(k, d)),
            1 => (0u32..40).prop_map(Step::Remove),
            3 => span.prop_map(Step::Advance),
        ];
        proptest::collection::vec(step, 1..200)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

        /// Against a sorted map: nothing fires early, everything fires within a tick of being due, `next` never
        /// lies beyond what is due first.
        #[test]
        fn the_wheel_agrees_with_a_sorted_map(start in 0u64..1_000_000_000, steps in steps()) {
            let mut now = start;
            let mut wheel = Wheel::new(Mono(now));
            let mut deadlines: BTreeMap<u32, u64> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Set(key, ahead) => {
                        deadlines.insert(key, now + ahead);
                        wheel.file(key, Mono(now + ahead));
                    }
                    Step::Remove(key) => {
                        deadlines.remove(&key);
                        wheel.unfile(key);
                    }
                    Step::Advance(by) => {
                        now += by;
                        while let Some(key) = wheel.pop(Mono(now), |k| deadlines.get(&k).copied().map(Mono)) {
                            let due = deadlines.remove(&key);
                            prop_assert!(due.is_some_and(|d| d <= now), "{key} fired at {now}, due {due:?}");
                        }
                        for (key, due) in &deadlines {
                            prop_assert!(*due + 16 > now, "{key} due {due} not fired at {now}");
                        }
                    }
                }
                if let Some(first) = deadlines.values().min() {
                    let next = wheel.next();
                    prop_assert!(next.is_some_and(|n| n.0 <= (first.max(&now) + 16)), "{next:?} beyond {first}");
                }
            }
        }
    }
}
