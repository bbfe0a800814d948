//! The judge of the alerts: what is told of changes, and what is remembered of that. It is given what the journal has, what
//! the clocks say and how the monitors stand, and gives messages and alert states; it reads no clock and touches no disk.
//!
//! It is made once, of what stands in the tables, and driven by the checkpointer, which puts what it gives into the tables in
//! one step with the changes that it came of and the place in the journal that was reached. While the tables take nothing it
//! goes on: what it tells leaves from memory (`unstored`), and what is to be remembered is put on record as it is when that can
//! be done. So at any moment the tables and the journal behind the place noted in them are enough to decide again what was
//! decided since.

use crate::domain::alert::message::{SuspicionCause, age};
use crate::domain::alert::{AlertOutput, AlertState, Lookup, Machine, Remembered};
use crate::domain::instance::Instance;
use crate::domain::notice::State;
use crate::domain::policy::Policy;
use crate::domain::record::{Change, Record, incident_id};
use crate::domain::registry::Counts;
use crate::domain::time::{Now, Span, Wall};
use crate::engine::shards::Shards;
use crate::store::OwnedRecord;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A standstill shorter than this is no reason to doubt ourselves: everybody has had a whole interval since.
const DOUBT_MIN: Span = Span::secs(30);

/// An outage that began that long before the last sign of life may not have reached the machine.
const LATELY: Span = Span::secs(86_400);
/// A change that is younger is followed for the first time, or is remembered: nothing is forgotten within an hour.
const FRESH: Span = Span::secs(60);
/// A step of the wall clock, and a sleep of the machine, that are smaller are no matter.
const STEP_MS: u64 = 500;
const SLEEP_MIN: Span = Span::secs(1);

/// What other threads have noticed and the judge has yet to hear.
#[derive(Default)]
pub(in crate::engine) struct JudgeInbox {
    pub(in crate::engine) gaps: Gaps,
    /// What was found at the start, until there is a judge.
    pub(in crate::engine) recovered: Recovered,
}

/// Time in which nobody was heard, and comings and goings of our network.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Gaps {
    /// How long nobody could be heard though the machine did not sleep.
    pub(in crate::engine) away: Span,
    /// Until when.
    pub(in crate::engine) until: Wall,
    /// Whether our network came or went, each time.
    pub(in crate::engine) network: Vec<bool>,
}

impl Gaps {
    /// Nobody could be heard for so long, until now.
    pub(in crate::engine) fn add(&mut self, away: Span, until: Wall) {
        self.away = Span(self.away.0.saturating_add(away.0));
        self.until = until;
    }
}

/// What the clocks said together.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Clocks {
    pub(in crate::engine) now: Now,
    /// How long the machine has slept since it was booted.
    pub(in crate::engine) asleep: Span,
}

impl Clocks {
    /// How far the wall clock was set since earlier ones, and how long the machine slept.
    fn since(&self, earlier: &Clocks) -> (i64, Span) {
        let slept = Span(self.asleep.0.saturating_sub(earlier.asleep.0));
        let gone = Span(self.now.mono.since(earlier.now.mono).0.saturating_add(slept.0));
        let wall_ms = self.now.wall.0.saturating_sub(earlier.now.wall.0);
        (wall_ms.saturating_sub_unsigned(gone.0), slept)
    }
}

/// How monitors stood when they were put together at the start, where that is not what is remembered of their alerts: a
/// snapshot may have had that before the journal had, and a power cut may have taken what came after.
#[derive(Debug, Default)]
pub(in crate::engine) struct Recovered {
    /// Those that were down.
    down: BTreeMap<u64, OwnedRecord>,
    /// The versions that are left of those of which a later one is remembered.
    versions: Vec<(u64, u64)>,
}

/// What tells an incident from every other: its monitor, and how many beats that had sent and when it began.
type IncidentKey = (u64, u64, Wall);

fn key_of(record: &Record<'_>) -> Option<IncidentKey> {
    record.incident.map(|one| (record.number, one.beats, one.started))
}

/// Incidents whose end is on record.
#[derive(Debug, Default)]
pub(in crate::engine) struct Ends(BTreeSet<IncidentKey>);

impl Ends {
    /// The end of the incident that a record names is on record.
    pub(in crate::engine) fn insert(&mut self, record: &Record<'_>) {
        self.0.extend(key_of(record));
    }

    fn is_over(&self, record: &Record<'_>) -> bool {
        key_of(record).is_some_and(|key| self.0.contains(&key))
    }
}

/// What a judge begins with.
pub(in crate::engine) struct Beginning<'a> {
    /// When this process began.
    pub(in crate::engine) started: Clocks,
    /// When the judge begins.
    pub(in crate::engine) now: Wall,
    pub(in crate::engine) policy: &'a Policy,
    pub(in crate::engine) instance: Arc<Instance>,
    /// What was remembered, by the numbers of the monitors.
    pub(in crate::engine) remembered: Vec<(u64, String)>,
    /// The last sign of life of the process before.
    pub(in crate::engine) last_sign: Option<Wall>,
    pub(in crate::engine) counts: Counts,
    pub(in crate::engine) recovered: Recovered,
}

/// What a turn is given.
pub(in crate::engine) struct Inputs<'a> {
    /// Changes that the journal has, in its order, and that were not heard before.
    pub(in crate::engine) changes: &'a [Record<'a>],
    /// The present moment, if those are all that the journal has.
    pub(in crate::engine) present: Option<Present<'a>>,
    /// Whether what comes out is to be put on record. If not, what is to be remembered stays here.
    pub(in crate::engine) on_record: bool,
}

/// The present moment, up to which time goes by in a turn.
pub(in crate::engine) struct Present<'a> {
    pub(in crate::engine) clocks: Clocks,
    pub(in crate::engine) gaps: Gaps,
    /// Changes that the journal has not taken. When it takes them they come again, which changes nothing.
    pub(in crate::engine) unheard: &'a [Record<'a>],
    /// Whether such changes are still to come again.
    pub(in crate::engine) expects_twins: bool,
    /// Who has gone down of late, where [`AlertJudge::has_new_rules`].
    pub(in crate::engine) lately_down: &'a [OwnedRecord],
    /// The disk is full.
    pub(in crate::engine) is_full: bool,
}

/// See the module.
pub(in crate::engine) struct AlertJudge {
    machine: Machine,
    /// The policy that the machine goes by.
    generation: u64,
    /// It has been compared with how monitors stand.
    reconciled: bool,
    /// The rules may name notifiers for monitors that are down already and of whom the machine knows nothing.
    named_anew: bool,
    /// The clocks when time last went by for the machine.
    clocks: Clocks,
    /// What was found at the start and has not been heard yet.
    down: BTreeMap<u64, OwnedRecord>,
}

impl AlertJudge {
    /// A judge that begins.
    pub(in crate::engine) fn new(beginning: Beginning<'_>) -> AlertJudge {
        let Beginning { started, now, policy, instance, remembered, last_sign, counts, recovered } =
            beginning;
        let mut machine = Machine::new(now, policy.alerts.clone(), policy.rules.clone(), remembered);
        machine.set_instance(instance);
        let began = started.now.wall;
        machine.began(began, age(last_sign.unwrap_or(began), began), counts);
        for (number, version) in &recovered.versions {
            machine.set_back(*number, *version);
        }
        AlertJudge {
            machine,
            generation: policy.generation,
            reconciled: false,
            named_anew: false,
            clocks: started,
            down: recovered.down,
        }
    }

    /// Goes by this policy from now on.
    pub(in crate::engine) fn set_policy(&mut self, policy: &Policy) {
        if self.generation != policy.generation {
            self.machine.set_policy(policy.alerts.clone(), policy.rules.clone());
            (self.generation, self.named_anew) = (policy.generation, true);
        }
    }

    /// Whether the rules may name notifiers for monitors that are down already: then the next turn wants to know of them.
    pub(in crate::engine) fn has_new_rules(&self) -> bool {
        self.named_anew
    }

    /// Who has gone down of late and is so still, though the rules named nobody to be told.
    pub(in crate::engine) fn unknown_down(&self, now: Now, shards: &Shards) -> Vec<OwnedRecord> {
        let since = Wall(now.wall.0.saturating_sub_unsigned(LATELY.0));
        let mut found = Vec::new();
        shards.visit(now, &mut |record| {
            if !self.machine.knows(record.number) {
                found.extend(went_down(record).filter(|_| is_open_since(record, since)));
            }
        });
        found
    }

    /// Records that name incidents of which a turn with these inputs must know whether their end is on record.
    pub(in crate::engine) fn asks<'a>(&'a self, inputs: &'a Inputs<'a>) -> Vec<Record<'a>> {
        let Inputs { changes, present, .. } = inputs;
        let (unheard, late) =
            present.as_ref().map_or((&[][..], &[][..]), |now| (now.unheard, now.lately_down));
        let heard = changes.iter().chain(unheard);
        let named = heard.clone().filter(|record| record.incident.is_some() && self.may_be_old(record));
        let first = heard.filter_map(|record| self.found_before(record));
        let found =
            present.iter().flat_map(|_| self.down.values()).chain(late).filter_map(OwnedRecord::borrow);
        let mut asked = BTreeSet::new();
        let is_new = |record: &Record<'_>| asked.insert(key_of(record));
        named.cloned().chain(first).chain(found).filter(is_new).collect()
    }

    /// One turn: hears what has changed, lets time go by, and gives what is to be told and to be remembered. `ends`: what is
    /// known of what this [asks](AlertJudge::asks).
    pub(in crate::engine) fn turn(
        &mut self,
        inputs: &Inputs<'_>,
        ends: &Ends,
        monitors: &dyn Lookup,
    ) -> AlertOutput {
        self.hear(inputs.changes, ends, monitors);
        if let Some(present) = &inputs.present {
            self.machine.expect_twins(present.expects_twins);
            self.hear(present.unheard, ends, monitors);
            self.advance(present, ends, monitors);
        }
        match inputs.on_record {
            true => self.machine.take(),
            false => AlertOutput { messages: self.machine.take_messages(), ..AlertOutput::default() },
        }
    }

    /// What is to be put on record and could not be before.
    pub(in crate::engine) fn take(&mut self) -> AlertOutput {
        self.machine.take()
    }

    /// What was to be remembered is not on record.
    pub(in crate::engine) fn put_back(&mut self, alert_states: &[AlertState]) {
        self.machine.put_back(alert_states);
    }

    /// The clocks when time last went by.
    pub(in crate::engine) fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    /// Of how many monitors something is to be put on record.
    pub(in crate::engine) fn unremembered(&self) -> usize {
        self.machine.unremembered()
    }

    /// Has the machine hear changes, in the order of the journal.
    fn hear(&mut self, records: &[Record<'_>], ends: &Ends, monitors: &dyn Lookup) {
        for record in records {
            // What was found at the start comes before what was written since.
            let found =
                self.found_before(record).is_some().then(|| self.down.remove(&record.number)).flatten();
            if let Some(found) = found.as_ref().and_then(OwnedRecord::borrow) {
                self.put_right(&found, ends, monitors);
            }
            if !(self.may_be_old(record) && ends.is_over(record)) {
                self.machine.hear(record);
            }
        }
    }

    /// What was found at the start of a monitor, if this change came after it.
    fn found_before(&self, record: &Record<'_>) -> Option<Record<'_>> {
        let found = self.down.get(&record.number).and_then(OwnedRecord::borrow);
        found.filter(|found| found.version < record.version)
    }

    /// Whether a change may have been heard and forgotten. After a power cut what is left of the journal is read once more,
    /// from its beginning, and where no file could be begun what was not safe is written again later; what was over by then is
    /// no news.
    fn may_be_old(&self, record: &Record<'_>) -> bool {
        let is_fresh = self.reconciled && self.clocks.now.wall.0.abs_diff(record.at.0) < FRESH.0;
        !is_fresh && !self.machine.knows(record.number)
    }

    /// Lets time go by for the machine, once it has heard everything.
    fn advance(&mut self, present: &Present<'_>, ends: &Ends, monitors: &dyn Lookup) {
        let Present { clocks, gaps, lately_down, is_full, .. } = present;
        let (now, machine) = (clocks.now, &mut self.machine);
        let Gaps { away, until, network } = gaps;
        let (step_ms, slept) = clocks.since(&self.clocks);
        let within = Span(now.mono.since(self.clocks.now.mono).0.saturating_add(slept.0));
        self.clocks = *clocks;
        let is_step = step_ms.unsigned_abs() >= STEP_MS;
        if is_step {
            machine.clock_stepped(now.wall, step_ms, within);
        }
        let slept = if slept > SLEEP_MIN { slept } else { Span(0) };
        // The end of it was noted by the clock as it was then.
        let until = if is_step || slept > Span(0) { now.wall } else { (*until).min(now.wall) };
        let away = Span(away.0.saturating_add(slept.0));
        if away > Span(0) && away < DOUBT_MIN {
            machine.stood_still(until, away);
        } else if away > Span(0) {
            machine.returned(until, away, SuspicionCause::Restart, monitors.counts());
        }
        for there in network {
            machine.network(now.wall, *there, monitors.counts());
        }
        if !self.reconciled {
            machine.reconcile(now.wall, monitors);
            for found in std::mem::take(&mut self.down).values().filter_map(OwnedRecord::borrow) {
                self.put_right(&found, ends, monitors);
            }
            self.reconciled = true;
        } else {
            for found in lately_down.iter().filter_map(OwnedRecord::borrow) {
                if !machine.knows(found.number) {
                    machine.hear_late(&found, ends.is_over(&found));
                }
            }
        }
        self.machine.set_disk(now.wall, *is_full);
        self.named_anew = false;
        self.machine.advance(now.wall, monitors);
    }

    /// Has the machine know that a monitor is down, which was found so at the start. An outage that was told to its end before
    /// and is over in memory again is no news: it was forgotten a second time, say, since the first was not on record.
    fn put_right(&mut self, found: &Record<'_>, ends: &Ends, monitors: &dyn Lookup) {
        // Another one may be open by now, which is heard of by itself.
        let is_open = || {
            let stands = monitors.monitor(found.id.as_str()).filter(|stands| stands.number == found.number);
            let open = stands.and_then(|stands| stands.incident).map(|(name, started, _)| (name, started));
            let own = found.incident.map(|one| (incident_id(found.number, one.beats), one.started));
            open.is_some() && open == own
        };
        // Its end is on record.
        let again = ends.is_over(found);
        if !(again || self.machine.saw_the_end_of(found)) || is_open() {
            self.machine.put_right(found, again);
        }
    }
}

impl Recovered {
    /// Compares what was remembered with how monitors stand, before anybody is heard or judged.
    pub(in crate::engine) fn find(
        now: Now,
        shards: &Shards,
        alert_states: &[(u64, String)],
        last_sign: Option<Wall>,
    ) -> Recovered {
        let remembered: HashMap<u64, Remembered> = alert_states
            .iter()
            .filter_map(|(number, state)| Some((*number, Remembered::read(state)?)))
            .collect();
        let since = last_sign.map(|sign| Wall(sign.0.saturating_sub_unsigned(LATELY.0)));
        let mut recovered = Recovered::default();
        shards.visit(now, &mut |record| {
            let known = remembered.get(&record.number);
            if known.is_some_and(|known| known.version > record.version) {
                recovered.versions.push((record.number, record.version));
            }
            // What was known before that the rules wanted nobody to be told of.
            let lately = since.is_some_and(|since| is_open_since(record, since));
            let is_known = known.and_then(Remembered::open) == record.incident.map(|one| one.beats);
            if !is_known && (known.is_some() || lately) {
                recovered.down.extend(went_down(record).map(|found| (record.number, found)));
            }
        });
        recovered
    }
}

fn is_open_since(record: &Record<'_>, since: Wall) -> bool {
    record.incident.is_some_and(|incident| incident.started >= since)
}

/// The change by which a monitor went down, of one that is down.
fn went_down(record: &Record<'_>) -> Option<OwnedRecord> {
    let at = record.incident?.started;
    let change = Change::State { from: State::Up, muted: false };
    Some(OwnedRecord::new(&Record { at, change, details: None, ..record.clone() }))
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
