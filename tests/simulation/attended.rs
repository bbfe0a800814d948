//! What a user expects of one that was never heard: it is not called down before its time for the first beat has passed
//! since it was declared, or by a schedule since a slot during which the server was there. Told by true time alone,
//! whatever the program and its model reckon and remember.

use heartbeat_server::domain::schedule::Schedule;
use heartbeat_server::domain::time::{Span, Wall};
use std::collections::{BTreeMap, BTreeSet};

/// An absence that is shorter is none; and where one begins is known as exactly.
const ABSENCE_MS: u64 = 1_100;
/// A step forward up to which what it jumped over has come.
const SMALL_STEP_MS: i64 = 60_000;
/// Steps of the clock that nobody notices.
const UNNOTICED_MS: u64 = 1_000;

/// A time without a break, under a clock that nobody has set.
#[derive(Clone, Copy, Debug)]
struct Spell {
    from_ms: u64,
    to_ms: u64,
    /// What is added to true time for that of the clock.
    wall_ms: i64,
    /// How much of the clock's time was jumped over just before, and counts.
    lead_ms: i64,
}

#[derive(Debug)]
pub struct Attended {
    spells: Vec<Spell>,
    /// When each was not there yet, by number, and when all were last looked at.
    born: BTreeMap<u64, u64>,
    looked_ms: u64,
    /// Who is down as never heard.
    down: BTreeSet<u64>,
    /// Whether the clock or the configuration was changed in this life, of which a crash may take the record.
    changed: bool,
    /// Up to this number it is not known what is remembered of them.
    unsure: u64,
}

impl Attended {
    /// The clock shows `begin` when true time begins.
    pub fn new(begin: i64) -> Attended {
        Attended {
            spells: vec![Spell { from_ms: 0, to_ms: u64::MAX, wall_ms: begin, lead_ms: 0 }],
            born: BTreeMap::new(),
            looked_ms: 0,
            down: BTreeSet::new(),
            changed: false,
            unsure: 0,
        }
    }

    fn end(&mut self, at_ms: u64) -> i64 {
        let last = self.spells.last_mut().expect("there is always one");
        last.to_ms = at_ms.max(last.from_ms);
        last.wall_ms
    }

    /// Nobody listened.
    pub fn absent(&mut self, from_ms: u64, to_ms: u64) {
        if to_ms - from_ms > ABSENCE_MS {
            let wall_ms = self.end(from_ms);
            self.spells.push(Spell { from_ms: to_ms, to_ms: u64::MAX, wall_ms, lead_ms: 0 });
        }
    }

    /// The clock is set.
    pub fn stepped(&mut self, at_ms: u64, step_ms: i64) {
        self.changed = true;
        let wall_ms = self.end(at_ms) + step_ms;
        let lead_ms = if step_ms <= SMALL_STEP_MS { step_ms.max(0) } else { 0 };
        self.spells.push(Spell { from_ms: at_ms, to_ms: u64::MAX, wall_ms, lead_ms });
    }

    pub fn configured(&mut self) {
        self.changed = true;
    }

    /// Another process reads what was kept.
    pub fn started(&mut self) {
        if std::mem::take(&mut self.changed) {
            self.unsure = self.born.keys().last().copied().unwrap_or(0);
        }
    }

    /// Looks at one monitor, which waits so long for its first beat; whether it is down as never heard.
    pub fn look(
        &mut self,
        now_ms: u64,
        number: u64,
        is_down: bool,
        within: Option<Span>,
        schedule: Option<&Schedule>,
    ) -> Result<(), String> {
        let born_ms = *self.born.entry(number).or_insert(self.looked_ms);
        if !is_down {
            self.down.remove(&number);
            return Ok(());
        }
        let Some(within) = within.filter(|_| self.down.insert(number) && number > self.unsure) else {
            return Ok(());
        };
        let Some(until_ms) = (now_ms + UNNOTICED_MS).checked_sub(within.0).filter(|until| *until >= born_ms)
        else {
            return Err(format!("is down as never heard after {} ms", now_ms - born_ms));
        };
        let seen = |spell: &Spell| {
            let Some(schedule) = schedule else { return true };
            let lead_ms = if spell.from_ms >= born_ms { spell.lead_ms } else { 0 };
            let from = Wall(spell.from_ms.max(born_ms) as i64 + spell.wall_ms - lead_ms - 1);
            let to = Wall(spell.to_ms.saturating_add(ABSENCE_MS).min(until_ms) as i64 + spell.wall_ms);
            schedule.next_after(from).is_some_and(|slot| slot <= to)
        };
        let all = self.spells.iter().filter(|spell| spell.to_ms >= born_ms && spell.from_ms <= until_ms);
        match all.into_iter().any(seen) {
            true => Ok(()),
            false => Err(format!("is down as never heard, but nobody listened at a slot: {:?}", self.spells)),
        }
    }

    /// All have been looked at.
    pub fn looked(&mut self, now_ms: u64) {
        self.looked_ms = now_ms;
    }
}
