//! The governor: when more beats come than were bargained for, their senders are asked for patience.
//!
//! Every answer to a beat carries the interval that we want. Under load that is a stretched one, and whoever was told a
//! longer interval is held to that longer one, so nobody is ever down because we asked for patience. This is the law
//! behind it, in two halves that know neither clock nor lock: [`Governor`] turns what was counted in a second into a
//! stretch for all, and [`Asked`], a byte in each monitor's row, remembers what this one was told and whether it follows.
//!
//! The law does not steer by the rate that is to be brought down: a sender follows only with its next beat, an hour later
//! perhaps, and whoever pulls harder because nothing has happened yet will see the rate swing for hours. It steers by the
//! *demand*: a beat that comes after an interval stretched four times stands for four. What the pliant demand, so not
//! at all the stretch in force, so there is no loop that could oscillate; the right stretch is
//! `pliant / (target − fixed)`, `fixed` being the beats of those who do not or cannot follow. It is taken up at once where
//! it is more than the present one, and let down to by a thirty-second part a second, half in 22 s.
//!
//! Stretches are asked for in 64 steps, each an eighth to a sixteenth more than the one before: told intervals stay the
//! same while the load breathes, and the step and the trust fit one byte.

use super::limits::INTERVAL_MAX;
use super::time::Span;

/// Longest interval that is stretched. Who beats more seldom is no load worth asking, is mostly a job by the clock that
/// does not read our answers, and would be missed hours too late.
pub const STRETCHED_INTERVAL_MAX: Span = Span::secs(3600);
/// Most that `governor.stretch_max` may be.
pub const STRETCH_MAX: u32 = 100;
const STRETCH_DEFAULT: u32 = 8;

/// The `[governor]` of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Beats a second above which patience is asked for; `None`: never.
    pub beats_per_second: Option<u32>,
    /// The most that an interval is stretched, in times.
    pub stretch_max: u32,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { beats_per_second: None, stretch_max: STRETCH_DEFAULT }
    }
}

/// How much an interval is stretched: a step of a scale, 0 being not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(u8);

impl Step {
    /// Not at all.
    pub const NONE: Step = Step(0);
    const LAST: u8 = 63;

    /// The factor in eighths: eight steps to each doubling.
    fn eighths(self) -> u64 {
        (8 + u64::from(self.0 & 7)) << (self.0 >> 3)
    }

    /// The first step of at least so many times that is not above `most` times.
    pub fn of(times: f64, most: u32) -> Step {
        let eighths = times * 8.0;
        let fits = |step: &Step| step.eighths() <= u64::from(most) * 8;
        let all = || (0..=Step::LAST).map(Step).take_while(fits);
        all().find(|step| step.eighths() as f64 >= eighths).or(all().last()).unwrap_or_default()
    }

    /// An interval stretched by it, in whole seconds as senders are told; unstretched it stays as it is.
    fn stretch(self, interval: Span) -> Span {
        if self == Step::NONE {
            return interval;
        }
        let stretched = Span(interval.0.saturating_mul(self.eighths()).div_ceil(8));
        Span::secs(stretched.as_secs_ceil()).min(INTERVAL_MAX).max(interval)
    }
}

/// What was counted: beats, each as many times as it stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Of those who follow, or may.
    pub pliant: f64,
    /// Of those who do not, or cannot be told.
    pub fixed: f64,
}

impl Load {
    /// Adds another.
    pub fn add(&mut self, other: Load) {
        self.pliant += other.pliant;
        self.fixed += other.fixed;
    }
}

/// What one monitor was told, and whether it is seen to follow: two bits of trust, six of the step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked(u8);

/// A beat, as the law sees it.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// The time since the beat before it.
    pub gap: Span,
    /// What its sender had been told then.
    pub told: Span,
    /// The interval that was in force then, unstretched.
    pub interval: Span,
    /// Which of the monitor's beats it is.
    pub beats: u64,
    /// Whether its sender is told what comes of it, and is one to be asked at all.
    pub may: bool,
}

impl Asked {
    /// Times in a row that it did not follow after which it is asked only now and then; once may be chance.
    const STUBBORN: u8 = 2;

    /// Whether it was told a stretched interval.
    pub fn is_stretched(self) -> bool {
        self.step() != Step::NONE
    }

    /// What an interval becomes for it: stretched by what it was told.
    pub fn held(self, interval: Span) -> Span {
        self.step().stretch(interval)
    }

    /// Its interval has changed, and what it was told holds on: told `held`, it is to be held to no less.
    pub fn keep(&mut self, held: Span, interval: Span) {
        let steps = (0..=Step::LAST).map(Step);
        let step = steps.into_iter().find(|step| step.stretch(interval) >= held);
        self.set(self.trust(), step.unwrap_or(Step(Step::LAST)));
    }

    /// A beat has come. Judges what came of the last wish, says what the beat stands for, and decides what is asked now:
    /// `wish`, or nothing of somebody who does not listen.
    pub fn beat(&mut self, sight: Sight, wish: Step) -> Load {
        let Sight { gap, told, interval, beats, may } = sight;
        if !may {
            self.set(self.trust(), Step::NONE);
            return Load { fixed: 1.0, ..Load::default() };
        }
        let mut trust = self.trust();
        let load = if !self.is_stretched() {
            if trust < Asked::STUBBORN { pliant(1.0) } else { fixed() }
        } else if gap.0.saturating_mul(4) >= told.0.saturating_mul(3) {
            trust = 0;
            pliant(told.0 as f64 / interval.0.max(1) as f64)
        } else {
            trust = (trust + 1).min(3);
            fixed()
        };
        let asks = match trust {
            0 | 1 => true,
            Asked::STUBBORN => beats % 16 == 0,
            _ => beats % 64 == 0,
        };
        self.set(trust, if asks { wish } else { Step::NONE });
        load
    }

    fn step(self) -> Step {
        Step(self.0 & Step::LAST)
    }

    fn trust(self) -> u8 {
        self.0 >> 6
    }

    fn set(&mut self, trust: u8, step: Step) {
        self.0 = trust << 6 | step.0;
    }
}

fn pliant(stands_for: f64) -> Load {
    Load { pliant: stands_for, fixed: 0.0 }
}

fn fixed() -> Load {
    Load { pliant: 0.0, fixed: 1.0 }
}

/// The stretch for all, and what it is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Governor {
    /// A second, with a half-life of [`HALF_LIFE_S`].
    demand: Load,
    times: f64,
}

impl Default for Governor {
    fn default() -> Governor {
        Governor { demand: Load::default(), times: 1.0 }
    }
}

/// How fast what was counted is forgotten. Senders with short intervals that were told another one in the same second come
/// together ever after, and a burst of them every few seconds is no demand.
const HALF_LIFE_S: f64 = 4.0;
/// What is left of the stretch after a second in which less would do.
const KEPT_A_SECOND: f64 = 31.0 / 32.0;
/// Below this nobody would notice.
const HARDLY: f64 = 1.001;

impl Governor {
    /// Takes in what was counted during `span`, about a second; returns how many times intervals are to be stretched.
    pub fn count(&mut self, load: Load, span: Span, terms: Terms) -> f64 {
        let (seconds, most) = (span.as_secs_f64().max(0.001), f64::from(terms.stretch_max));
        let Some(target) = terms.beats_per_second.map(f64::from) else {
            *self = Governor::default();
            return self.times;
        };
        let kept = 0.5f64.powf(seconds / HALF_LIFE_S);
        let smooth = |known: f64, counted: f64| known * kept + counted / seconds * (1.0 - kept);
        self.demand.pliant = smooth(self.demand.pliant, load.pliant);
        self.demand.fixed = smooth(self.demand.fixed, load.fixed);
        let room = target - self.demand.fixed;
        let wanted =
            if self.demand.pliant <= room { 1.0 } else { self.demand.pliant / room.max(target / 1e6) };
        let eased = self.times * KEPT_A_SECOND.powf(seconds);
        let times = wanted.max(if eased < HARDLY { 1.0 } else { eased });
        self.times = times.clamp(1.0, most.max(1.0));
        self.times
    }

    /// How many times intervals are stretched.
    pub fn times(&self) -> f64 {
        self.times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { beats_per_second: Some(100), stretch_max: 8 };
    const SECOND: Span = Span::secs(1);

    #[test]
    fn steps_rise_by_an_eighth_at_most_and_none_is_above_the_most() {
        let factors: Vec<u64> = (0..=Step::LAST).map(|step| Step(step).eighths()).collect();
        assert!(factors.windows(2).all(|two| two[0] < two[1] && two[1] * 8 <= two[0] * 9));
        assert!(factors[usize::from(Step::LAST)] >= 8 * u64::from(STRETCH_MAX));
        assert_eq!(Step::of(1.0, 8), Step::NONE);
        assert_eq!(Step::of(1.01, 8).stretch(Span::secs(60)), Span::secs(68));
        assert_eq!(Step::of(1.01, 1), Step::NONE);
        for most in 1..=STRETCH_MAX {
            let step = Step::of(1e9, most);
            assert!(step.eighths() <= u64::from(most) * 8 && step.eighths() * 9 > u64::from(most) * 64);
        }
    }

    #[test]
    fn a_stretched_interval_is_whole_seconds_and_never_too_long() {
        assert_eq!(Step::of(1.1, 8).stretch(Span(1500)), Span::secs(2));
        assert_eq!(Step::of(8.0, 8).stretch(INTERVAL_MAX), INTERVAL_MAX);
        assert_eq!(Step::NONE.stretch(Span(1500)), Span(1500));
    }

    #[test]
    fn what_was_told_holds_on_when_the_interval_changes() {
        let mut asked = Asked::default();
        asked.set(0, Step::of(4.0, 8));
        assert_eq!(asked.held(Span::secs(60)), Span::secs(240));
        asked.keep(Span::secs(240), Span::secs(10));
        assert_eq!(asked.held(Span::secs(10)), Span::secs(240));
        asked.keep(Span::secs(240), Span::secs(70));
        assert!((240..=270).contains(&asked.held(Span::secs(70)).as_secs_ceil()));
        asked.keep(Span::secs(240), Span::secs(300));
        assert!(!asked.is_stretched());
    }

    #[test]
    fn the_stretch_rises_at_once_and_falls_slowly_to_nothing() {
        let mut governor = Governor::default();
        assert_eq!(governor.count(pliant(99.0), SECOND, TERMS), 1.0);
        for _ in 0..60 {
            assert_eq!(governor.count(pliant(99.0), SECOND, TERMS), 1.0);
        }
        governor.count(pliant(400.0), SECOND, TERMS);
        assert!(governor.times() > 1.4, "within the first second");
        for _ in 0..60 {
            governor.count(pliant(400.0), SECOND, TERMS);
        }
        let high = governor.times();
        assert!((3.95..=4.0).contains(&high), "{high}");
        let falling: Vec<f64> = (0..90).map(|_| governor.count(Load::default(), SECOND, TERMS)).collect();
        assert!(falling.windows(2).all(|two| two[1] <= two[0]));
        assert!(falling[20] > 1.9 && falling[89] == 1.0, "{falling:?}");
    }

    #[test]
    fn those_who_follow_make_room_for_those_who_do_not() {
        let mut governor = Governor::default();
        let mixed = Load { pliant: 200.0, fixed: 50.0 };
        for _ in 0..60 {
            governor.count(mixed, SECOND, TERMS);
        }
        assert!((3.99..=4.01).contains(&governor.times()), "{governor:?}");
        let stubborn = Load { pliant: 1.0, fixed: 150.0 };
        for _ in 0..60 {
            governor.count(stubborn, SECOND, TERMS);
        }
        assert_eq!(governor.times(), 8.0, "more would not help either");
        assert_eq!(governor.count(mixed, SECOND, Terms::default()), 1.0, "off");
    }

    #[test]
    fn who_does_not_listen_is_soon_left_alone_and_asked_again_now_and_then() {
        let (interval, wish) = (Span::secs(10), Step::of(4.0, 8));
        let mut asked = Asked::default();
        let mut told = Vec::new();
        for beats in 1..=400u64 {
            let sight = Sight { gap: interval, told: asked.held(interval), interval, beats, may: true };
            asked.beat(sight, wish);
            told.push(asked.is_stretched());
        }
        assert_eq!(told[..4], [true, true, false, false]);
        let asked_again = told[4..].iter().filter(|stretched| **stretched).count();
        assert!((5..=9).contains(&asked_again), "{asked_again} of 396");
        // Once it follows, it is one of those who do.
        let sight = Sight { gap: Span::secs(31), told: Span::secs(40), interval, beats: 401, may: true };
        asked.set(3, wish);
        assert_eq!(asked.beat(sight, wish), pliant(4.0));
        assert!(asked.is_stretched() && asked.trust() == 0);
    }
}
