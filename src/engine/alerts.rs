//! The alert machine beside the keeper: it hears each change that is followed in the journal, and what it says goes into
//! the tables in one step with those changes and the place that was reached.
//!
//! The machine in memory is no more than what stands in the tables. When such a step fails it is thrown away and made
//! anew from them, and the changes are heard again.

use super::{Engine, HERE, lock};
use crate::domain::alert::message::Doubt;
use crate::domain::alert::{AlertPolicy, Doubts, Lookup, Machine, Step};
use crate::domain::beat::Source;
use crate::domain::id::IdRef;
use crate::domain::limits::LIST_MAX;
use crate::domain::notice::State;
use crate::domain::policy::Policy;
use crate::domain::record::{Change, OpenIncident, Record, incident_id};
use crate::domain::registry::{Counts, Order, Snapshot};
use crate::domain::rules::Rules;
use crate::domain::time::{Mono, Now, Span, Wall};
use crate::store::{IncidentQuery, Outgoing, StoreError};
use std::sync::Arc;

/// A standstill shorter than this is no reason to doubt ourselves: everybody has had a whole interval since.
const DOUBT_MIN: Span = Span::secs(30);

/// An outage that began that long before the last sign of life may not have reached the machine.
const LATELY: Span = Span::secs(86_400);
/// A jump of the wall clock that is smaller is no matter.
const JUMP_MS: u64 = 500;
/// How long it may take until the loop that owns time says what a jump of the wall clock was.
const JUMP_KNOWN: Span = Span::secs(5);
/// Comings and goings of the network that are remembered while they cannot be put on record: the last ones.
const NETWORK_MAX: usize = 16;

/// What the loop that owns time has noticed and the machine has yet to hear.
#[derive(Clone, Debug, Default)]
pub(super) struct Lapses {
    /// How long nobody could be heard.
    pub(super) away: Span,
    /// Until when.
    pub(super) until: Wall,
    /// How far the wall clock was set.
    pub(super) step_ms: i64,
    /// Whether our network came or went, each time.
    pub(super) network: Vec<bool>,
}

impl Lapses {
    /// Adds what came later.
    fn add(&mut self, later: Lapses) {
        self.away = Span(self.away.0.saturating_add(later.away.0));
        self.until = self.until.max(later.until);
        self.step_ms = self.step_ms.saturating_add(later.step_ms);
        self.network.extend(later.network);
        let surplus = self.network.len().saturating_sub(NETWORK_MAX);
        self.network.drain(..surplus);
    }
}

/// The machine, and what it goes by.
pub(super) struct Alerts {
    machine: Option<Machine>,
    policy: Option<Arc<Policy>>,
    /// It has been compared with how monitors stand.
    reconciled: bool,
    /// When this process began, until a machine has been told of it and that is on record.
    started: Option<Wall>,
    /// What the machine was told of time that is not on record yet, and what the next one is to be told again.
    lapses: Lapses,
    again: Lapses,
    /// By how much the wall clock was ahead of the other, and since when that is not so any more and nobody has said why.
    offset_ms: i64,
    jumped: Option<Mono>,
    /// What the machine suspected when all it said was on record.
    doubts: Doubts,
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
    pub(super) fn new(started: Now) -> Alerts {
        Alerts {
            machine: None,
            policy: None,
            reconciled: false,
            started: Some(started.wall),
            lapses: Lapses::default(),
            again: Lapses::default(),
            offset_ms: ahead_ms(started),
            jumped: None,
            doubts: Doubts::default(),
        }
    }

    /// Throws the machine away; it is made anew from the tables.
    pub(super) fn drop_machine(&mut self) {
        self.machine = None;
        self.again.add(std::mem::take(&mut self.lapses));
    }

    /// Everything that the machine has said is on record.
    pub(super) fn are_on_record(&mut self) {
        (self.started, self.lapses) = (None, Lapses::default());
        self.doubts = self.machine.as_ref().map(Machine::doubts).unwrap_or_default();
    }

    /// What came out since this was last asked.
    pub(super) fn take(&mut self) -> Step {
        self.machine.as_mut().map(Machine::take).unwrap_or_default()
    }
}

impl Engine {
    /// Sees to it that there is a machine, and that it goes by the policy in force.
    pub(super) fn ready_alerts(&self, alerts: &mut Alerts, now: Now) -> Result<(), StoreError> {
        let policy = self.policy.load_full();
        let known = alerts.policy.as_ref().is_some_and(|known| Arc::ptr_eq(known, &policy));
        match &mut alerts.machine {
            Some(machine) if !known => {
                machine.set_policy(policy.alerts.clone(), policy.rules.clone());
            }
            Some(_) => {}
            None => {
                let (told, rules): (Arc<AlertPolicy>, Arc<Rules>) =
                    (policy.alerts.clone(), policy.rules.clone());
                let mut machine = Machine::new(now.wall, told, rules, self.store.standings(HERE)?);
                machine.set_instance(self.instance.clone());
                machine.set_doubts(alerts.doubts.clone());
                if let Some(started) = alerts.started {
                    let last_sign = self.store.life(HERE).last_sign.unwrap_or(started);
                    let away = crate::domain::alert::message::age(last_sign, started);
                    machine.returned(started, away, Doubt::Restart, self.counts());
                }
                (alerts.machine, alerts.reconciled) = (Some(machine), false);
            }
        }
        alerts.policy = Some(policy);
        Ok(())
    }

    /// Has the machine hear changes, in the order of the journal.
    pub(super) fn hear_alerts(&self, alerts: &mut Alerts, records: &[Record<'_>]) -> Result<(), StoreError> {
        let Some(machine) = &mut alerts.machine else { return Ok(()) };
        for record in records {
            // After a power cut what is left of the journal is read once more, from its beginning; what was over by then is
            // no news, though it may have been forgotten here.
            let is_old = !alerts.reconciled && !machine.knows(record.number) && self.was_over(record)?;
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

    /// Lets time go by for the machine, once it has heard everything.
    pub(super) fn advance_alerts(&self, alerts: &mut Alerts, now: Now) -> Result<(), StoreError> {
        let Some(machine) = &mut alerts.machine else { return Ok(()) };
        let mut lapses = std::mem::take(&mut alerts.again);
        lapses.add(std::mem::take(&mut *lock(&self.lapses)));
        let offset_ms = ahead_ms(now);
        let jumped = alerts.offset_ms.abs_diff(offset_ms) >= JUMP_MS;
        if jumped && lapses.step_ms == 0 && lapses.away == Span(0) {
            // Whether the clock was set or we were asleep is known in a moment; until then no time goes by.
            if now.mono.since(*alerts.jumped.get_or_insert(now.mono)) < JUMP_KNOWN {
                alerts.again.add(lapses);
                return Ok(());
            }
        }
        (alerts.offset_ms, alerts.jumped) = (offset_ms, None);
        alerts.lapses.add(lapses.clone());
        let Lapses { away, until, step_ms, network } = lapses;
        if step_ms != 0 {
            machine.clock_stepped(now.wall, step_ms);
        }
        // That was noted by the clock as it was then.
        let until = if step_ms != 0 { now.wall } else { until.min(now.wall) };
        if away > Span(0) && away < DOUBT_MIN {
            machine.stood_still(until, away);
        } else if away > Span(0) {
            machine.returned(until, away, Doubt::Restart, self.counts());
        }
        for there in network {
            machine.network(now.wall, there, self.counts());
        }
        let present = Present { engine: self, now };
        if !alerts.reconciled {
            machine.reconcile(now.wall, &present);
            let since =
                self.store.life(HERE).last_sign.map(|sign| Wall(sign.0.saturating_sub_unsigned(LATELY.0)));
            for record in self.down().iter().filter_map(record_of) {
                // What was known before that the rules wanted nobody to be told of.
                let lately = since.is_some_and(|since| record.at >= since);
                if lately || machine.knows(record.number) {
                    machine.put_right(&record, self.was_over(&record)?);
                }
            }
            alerts.reconciled = true;
        }
        machine.advance(now.wall, &present);
        Ok(())
    }
}

impl Engine {
    /// Who is down. A snapshot may have that before the journal has, and so be all that is left of it; and a power cut may
    /// have taken that somebody came up.
    fn down(&self) -> Vec<Snapshot> {
        if self.policy().alerts.notifiers.is_empty() {
            return Vec::new();
        }
        self.list(Order::Id, None, LIST_MAX, |one| matches!(one.state, State::Down | State::Paused)).0
    }
}

fn ahead_ms(now: Now) -> i64 {
    now.wall.0.saturating_sub_unsigned(now.mono.0)
}

/// That a monitor is down, as the journal would have it.
fn record_of(found: &Snapshot) -> Option<Record<'_>> {
    let (name, started, cause) = found.incident.as_ref()?;
    let beats = name.split('-').nth(1)?.parse().ok()?;
    Some(Record {
        id: IdRef::new(&found.id).ok()?,
        number: found.number,
        version: found.version,
        at: *started,
        change: Change::State { from: State::Up, muted: false },
        state: found.state,
        beneath: found.beneath,
        since: found.since,
        last_beat: found.last_beat,
        beats: found.beats,
        status: found.status,
        source: Source { peer: found.address, transport: found.transport },
        sequence: None,
        interval: found.interval,
        grace: found.grace,
        asked: found.asked,
        incident: Some(OpenIncident { beats, started: *started, cause: *cause }),
        details: None,
    })
}

/// The machine's messages as the outbox takes them.
pub(super) fn outgoing(step: &Step) -> Vec<Outgoing> {
    let post = |message: &crate::domain::alert::Message| {
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
    step.messages.iter().filter_map(post).collect()
}
