//! The alert machine beside the checkpointer: it hears each change that is followed in the journal, and what it says goes into
//! the tables in one step with those changes and the place that was reached.
//!
//! It is made once, of what stands in the tables. While they take nothing it goes on: what it says leaves from memory
//! (`unstored`), and what is to be remembered is put on record as it is when that can be done. So at any moment the tables and
//! the journal behind the place noted in them are enough to decide again what was decided since.

use crate::domain::alert::message::SuspicionCause;
use crate::domain::alert::{AlertOutput, AlertPolicy, AlertState, Lookup, Machine, Message, Remembered};
use crate::domain::id::IdRef;
use crate::domain::notice::State;
use crate::domain::record::{Change, Record, incident_id};
use crate::domain::registry::{Counts, Snapshot};
use crate::domain::rules::Rules;
use crate::domain::time::{Now, Span, Wall};
use crate::engine::{Engine, lock};
use crate::store::{IncidentQuery, Outgoing, OwnedRecord, StoreError};
use std::collections::{BTreeMap, HashMap};
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

/// What the loop that owns time has noticed and the machine has yet to hear.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Gaps {
    /// How long nobody could be heard though the machine did not sleep.
    pub(in crate::engine) away: Span,
    /// Until when.
    pub(in crate::engine) until: Wall,
    /// Whether our network came or went, each time.
    pub(in crate::engine) network: Vec<bool>,
}

/// What the clocks said together.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    now: Now,
    /// How long the machine has slept since it was booted.
    asleep: Span,
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

/// How monitors stood when they were put together at the start, where that is not what the machine remembers: a snapshot
/// may have had that before the journal had, and a power cut may have taken what came after.
#[derive(Debug, Default)]
pub(in crate::engine) struct Recovered {
    /// Those that were down.
    down: BTreeMap<u64, OwnedRecord>,
    /// The versions that are left of those of which a later one is remembered.
    versions: Vec<(u64, u64)>,
}

/// The machine, and what it goes by.
pub(in crate::engine) struct Alerts {
    machine: Option<Machine>,
    /// The policy that the machine goes by.
    generation: u64,
    /// It has been compared with how monitors stand.
    reconciled: bool,
    /// The rules may name notifiers for monitors that are down already and of whom the machine knows nothing.
    named_anew: bool,
    /// When this process began.
    started: Wall,
    /// The clocks when time last went by for the machine.
    clocks: Clocks,
    /// What was found at the start and has not been heard yet.
    down: BTreeMap<u64, OwnedRecord>,
}

/// How monitors stand now.
struct Present<'a> {
    engine: &'a Engine,
    now: Now,
}

impl Lookup for Present<'_> {
    fn monitor(&self, id: &str) -> Option<Snapshot> {
        self.engine.get_at(self.now, IdRef::new(id).ok()?)
    }

    fn counts(&self) -> Counts {
        self.engine.counts()
    }
}

impl Alerts {
    /// Those of a process that began then.
    pub(in crate::engine) fn new(started: Now, asleep: Span) -> Alerts {
        Alerts {
            machine: None,
            generation: 0,
            reconciled: false,
            named_anew: false,
            started: started.wall,
            clocks: Clocks { now: started, asleep },
            down: BTreeMap::new(),
        }
    }

    /// What came out since this was last asked.
    pub(in crate::engine) fn take(&mut self) -> AlertOutput {
        self.machine.as_mut().map(Machine::take).unwrap_or_default()
    }

    /// Only what is to be told of that.
    pub(in crate::engine) fn take_messages(&mut self) -> Vec<Message> {
        self.machine.as_mut().map(Machine::take_messages).unwrap_or_default()
    }

    /// What was to be remembered is not on record.
    pub(in crate::engine) fn put_back(&mut self, alert_states: &[AlertState]) {
        if let Some(machine) = &mut self.machine {
            machine.put_back(alert_states);
        }
    }

    /// Of how many monitors something is to be put on record.
    pub(in crate::engine) fn unremembered(&self) -> usize {
        self.machine.as_ref().map_or(0, Machine::unremembered)
    }

    /// Whether records are heard that the journal has yet to take.
    pub(in crate::engine) fn expect_twins(&mut self, expected: bool) {
        if let Some(machine) = &mut self.machine {
            machine.expect_twins(expected);
        }
    }
}

impl Engine {
    /// Sees to it that there is a machine, and that it goes by the policy in force.
    pub(in crate::engine) fn ready_alerts(&self, alerts: &mut Alerts, now: Now) -> Result<(), StoreError> {
        let policy = self.policy.load_full();
        match &mut alerts.machine {
            Some(machine) if alerts.generation != policy.generation => {
                machine.set_policy(policy.alerts.clone(), policy.rules.clone());
                alerts.named_anew = true;
            }
            Some(_) => {}
            None => {
                let (told, rules): (Arc<AlertPolicy>, Arc<Rules>) =
                    (policy.alerts.clone(), policy.rules.clone());
                let mut machine = Machine::new(now.wall, told, rules, self.store.alert_states()?);
                machine.set_instance(self.instance.clone());
                let last_sign = self.journal.last_sign().unwrap_or(alerts.started);
                let away = crate::domain::alert::message::age(last_sign, alerts.started);
                machine.began(alerts.started, away, self.counts());
                let recovered = lock(&self.recovered).take().unwrap_or_default();
                for (number, version) in &recovered.versions {
                    machine.set_back(*number, *version);
                }
                (alerts.machine, alerts.down) = (Some(machine), recovered.down);
            }
        }
        alerts.generation = policy.generation;
        Ok(())
    }

    /// Has the machine hear changes, in the order of the journal. After an error all of them are to be heard again.
    pub(in crate::engine) fn hear_alerts(
        &self,
        alerts: &mut Alerts,
        records: &[Record<'_>],
    ) -> Result<(), StoreError> {
        let Alerts { machine: Some(machine), down, reconciled, clocks, .. } = alerts else { return Ok(()) };
        for record in records {
            // What was found at the start comes before what was written since.
            let number = record.number;
            let found = down.get(&number).and_then(OwnedRecord::borrow);
            if let Some(found) = found.filter(|found| found.version < record.version) {
                let again = self.was_over(&found)?;
                self.put_right(machine, &found, again, clocks.now);
                down.remove(&number);
            }
            // After a power cut what is left of the journal is read once more, from its beginning, and where no file could
            // be begun what was not safe is written again later; what was over by then is no news, though it may have been
            // forgotten here.
            let is_fresh = *reconciled && clocks.now.wall.0.abs_diff(record.at.0) < FRESH.0;
            let is_old = !is_fresh && !machine.knows(record.number) && self.was_over(record)?;
            if !is_old {
                machine.hear(record);
            }
        }
        Ok(())
    }

    /// Whether the end of the incident that a record names is on record.
    fn was_over(&self, record: &Record<'_>) -> Result<bool, StoreError> {
        let Some(incident) = record.incident else { return Ok(false) };
        let behind = incident_id(record.number, incident.beats.saturating_add(1));
        let query = IncidentQuery {
            monitor: Some(record.id.as_str().to_string()),
            after: Some((incident.started, behind)),
            limit: 1,
            ..IncidentQuery::default()
        };
        let name = incident_id(record.number, incident.beats);
        let found = self.store.incidents(&query)?;
        Ok(found.iter().any(|one| one.id == name && one.started == incident.started && one.ended.is_some()))
    }

    /// Lets time go by for the machine, once it has heard everything. After an error it has not gone by.
    pub(in crate::engine) fn advance_alerts(
        &self,
        alerts: &mut Alerts,
        now: Now,
        asleep: Span,
        is_full: bool,
    ) -> Result<(), StoreError> {
        let Some(machine) = &mut alerts.machine else { return Ok(()) };
        let late = if alerts.named_anew { self.unknown_down(now, machine) } else { Vec::new() };
        let over = |found: &OwnedRecord| found.borrow().map_or(Ok(false), |found| self.was_over(&found));
        let found_over = alerts.down.values().map(over).collect::<Result<Vec<bool>, StoreError>>()?;
        let late_over = late.iter().map(over).collect::<Result<Vec<bool>, StoreError>>()?;
        let Gaps { away, until, network } = std::mem::take(&mut *lock(&self.gaps));
        let clocks = Clocks { now, asleep };
        let (step_ms, slept) = clocks.since(&alerts.clocks);
        let within = Span(now.mono.since(alerts.clocks.now.mono).0.saturating_add(slept.0));
        alerts.clocks = clocks;
        let is_step = step_ms.unsigned_abs() >= STEP_MS;
        if is_step {
            machine.clock_stepped(now.wall, step_ms, within);
        }
        let slept = if slept > SLEEP_MIN { slept } else { Span(0) };
        // The end of it was noted by the clock as it was then.
        let until = if is_step || slept > Span(0) { now.wall } else { until.min(now.wall) };
        let away = Span(away.0.saturating_add(slept.0));
        if away > Span(0) && away < DOUBT_MIN {
            machine.stood_still(until, away);
        } else if away > Span(0) {
            machine.returned(until, away, SuspicionCause::Restart, self.counts());
        }
        for there in network {
            machine.network(now.wall, there, self.counts());
        }
        let present = Present { engine: self, now };
        if !alerts.reconciled {
            machine.reconcile(now.wall, &present);
            for (found, again) in std::mem::take(&mut alerts.down).values().zip(found_over) {
                found.borrow().into_iter().for_each(|found| self.put_right(machine, &found, again, now));
            }
            alerts.reconciled = true;
        } else {
            for (found, again) in late.iter().zip(late_over) {
                found.borrow().into_iter().for_each(|found| machine.hear_late(&found, again));
            }
        }
        machine.set_disk(now.wall, is_full);
        alerts.named_anew = false;
        machine.advance(now.wall, &present);
        Ok(())
    }
}

impl Engine {
    /// Who has gone down of late and is so still, though the rules named nobody to be told.
    fn unknown_down(&self, now: Now, machine: &Machine) -> Vec<OwnedRecord> {
        let since = Wall(now.wall.0.saturating_sub_unsigned(LATELY.0));
        let mut found = Vec::new();
        for shard in &self.shards {
            lock(shard).visit(now, &mut |record| {
                let Some(incident) = record.incident.filter(|one| one.started >= since) else { return };
                if !machine.knows(record.number) {
                    let change = Change::State { from: State::Up, muted: false };
                    let record = Record { at: incident.started, change, details: None, ..record.clone() };
                    found.push(OwnedRecord::new(&record));
                }
            });
        }
        found
    }

    /// Has the machine know that a monitor is down, which was found so at the start. An outage that was told to its end before
    /// and is over in memory again is no news: it was forgotten a second time, say, since the first was not on record.
    /// `again`: that end is on record.
    fn put_right(&self, machine: &mut Machine, found: &Record<'_>, again: bool, now: Now) {
        // Another one may be open by now, which is heard of by itself.
        let is_open = || {
            let stands = self.get_at(now, found.id).filter(|stands| stands.number == found.number);
            let open = stands.and_then(|stands| stands.incident).map(|(name, started, _)| (name, started));
            let own = found.incident.map(|one| (incident_id(found.number, one.beats), one.started));
            open.is_some() && open == own
        };
        if !(again || machine.saw_the_end_of(found)) || is_open() {
            machine.put_right(found, again);
        }
    }

    /// Compares what was remembered with how monitors stand, before anybody is heard or judged.
    pub(in crate::engine) fn find_unremembered(&self, now: Now) -> Result<(), StoreError> {
        if self.policy().alerts.notifiers.is_empty() {
            return Ok(());
        }
        let alert_states = self.store.alert_states()?;
        let remembered: HashMap<u64, Remembered> = alert_states
            .iter()
            .filter_map(|(number, state)| Some((*number, Remembered::read(state)?)))
            .collect();
        drop(alert_states);
        let since = self.journal.last_sign().map(|sign| Wall(sign.0.saturating_sub_unsigned(LATELY.0)));
        let mut recovered = Recovered::default();
        for shard in &self.shards {
            lock(shard).visit(now, &mut |record| {
                let known = remembered.get(&record.number);
                if known.is_some_and(|known| known.version > record.version) {
                    recovered.versions.push((record.number, record.version));
                }
                let Some(incident) = record.incident else { return };
                // What was known before that the rules wanted nobody to be told of.
                let lately = since.is_some_and(|since| incident.started >= since);
                let open = known.and_then(Remembered::open);
                if open != Some(incident.beats) && (known.is_some() || lately) {
                    let at = incident.started;
                    let change = Change::State { from: State::Up, muted: false };
                    let record = Record { at, change, details: None, ..record.clone() };
                    recovered.down.insert(record.number, OwnedRecord::new(&record));
                }
            });
        }
        *lock(&self.recovered) = Some(recovered);
        Ok(())
    }
}

/// The machine's messages as the outbox takes them.
pub(in crate::engine) fn outgoing(messages: &[Message]) -> Vec<Outgoing> {
    let post = |message: &Message| {
        Some(Outgoing {
            key: message.key.clone(),
            notifier: message.notifier.clone(),
            recipient: None,
            made: message.made,
            due: message.made,
            tries: 0,
            // A value of plain fields always has a JSON.
            message: serde_json::to_string(message).ok()?,
        })
    };
    messages.iter().filter_map(post).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::address::Peer;
    use crate::domain::alert::Notifier;
    use crate::domain::beat::{Beat, Source, Status, Transport};
    use crate::domain::policy::Policy;
    use crate::engine::Incoming;
    use crate::engine::Pending;
    use crate::engine::testing::{at, engine};

    #[test]
    fn an_outage_that_was_told_to_its_end_is_not_begun_again_because_another_one_is_open() {
        let engine = engine(Policy::default());
        let mut pending = Pending::new();
        let mut heard = |ms, status, from| {
            let beat = Beat { status, ..Beat::default() };
            let source = Source { peer: Peer::Unix, transport: Transport::Http };
            let monitor = IdRef::new("job").unwrap();
            let incoming = Incoming { now: at(ms), monitor, beat: &beat, source, hears: false };
            engine.beat(&incoming, &engine.policy(), &mut pending, || {}).unwrap();
            let mut found = None;
            for shard in &engine.shards {
                lock(shard).visit(at(ms), &mut |record| {
                    let change = Change::State { from, muted: false };
                    found = Some(OwnedRecord::new(&Record { change, details: None, ..record.clone() }));
                });
            }
            found.unwrap()
        };
        let policy = AlertPolicy {
            notifiers: vec![Notifier::new("ops")],
            notify: vec!["ops".into()],
            ..AlertPolicy::default()
        };
        let mut machine = Machine::new(at(0).wall, Arc::new(policy), Arc::default(), []);
        let first = heard(1, Status::Fail, State::Up);
        let first = first.borrow().unwrap();
        machine.hear(&first);
        machine.hear(&heard(2, Status::Ok, State::Down).borrow().unwrap());
        assert!(machine.saw_the_end_of(&first));
        // It fails again before the checkpointer has its first turn.
        let second = heard(3, Status::Fail, State::Up);
        let second = second.borrow().unwrap();
        engine.put_right(&mut machine, &first, false, at(4));
        assert!(machine.saw_the_end_of(&first), "it is over and stays so");
        engine.put_right(&mut machine, &second, false, at(4));
        assert!(machine.knows(second.number) && !machine.saw_the_end_of(&second));
    }
}
