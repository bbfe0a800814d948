//! The alert machine beside the keeper: it hears each change that is followed in the journal, and what it says goes into
//! the tables in one step with those changes and the place that was reached.
//!
//! The machine in memory is no more than what stands in the tables. When such a step fails it is thrown away and made
//! anew from them, and the changes are heard again.

use super::{Engine, HERE, lock};
use crate::domain::alert::message::Doubt;
use crate::domain::alert::{AlertPolicy, Lookup, Machine, Step};
use crate::domain::id::IdRef;
use crate::domain::policy::Policy;
use crate::domain::record::Record;
use crate::domain::registry::{Counts, Snapshot};
use crate::domain::rules::Rules;
use crate::domain::time::{Now, Span, Wall};
use crate::store::{Outgoing, StoreError};
use std::sync::Arc;

/// A standstill shorter than this is no reason to doubt ourselves: everybody has had a whole interval since.
const DOUBT_MIN: Span = Span::secs(30);

/// What the loop that owns time has noticed and the machine has yet to hear.
#[derive(Debug, Default)]
pub(super) struct Lapses {
    /// How long nobody could be heard.
    pub(super) away: Span,
    /// How far the wall clock was set.
    pub(super) step_ms: i64,
    /// Whether our network came or went, each time.
    pub(super) network: Vec<bool>,
}

/// The machine, and what it goes by.
pub(super) struct Alerts {
    machine: Option<Machine>,
    policy: Option<Arc<Policy>>,
    /// It has been compared with how monitors stand.
    reconciled: bool,
    /// When this process began, until a machine has been told of it.
    started: Option<Wall>,
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
    pub(super) fn new(started: Wall) -> Alerts {
        Alerts { machine: None, policy: None, reconciled: false, started: Some(started) }
    }

    /// Throws the machine away; it is made anew from the tables.
    pub(super) fn drop_machine(&mut self) {
        self.machine = None;
    }

    /// Hears changes, in the order of the journal.
    pub(super) fn hear(&mut self, records: &[Record<'_>]) {
        if let Some(machine) = &mut self.machine {
            records.iter().for_each(|record| machine.hear(record));
        }
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
                if let Some(started) = alerts.started.take() {
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

    /// Lets time go by for the machine, once it has heard everything.
    pub(super) fn advance_alerts(&self, alerts: &mut Alerts, now: Now) {
        let Some(machine) = &mut alerts.machine else { return };
        let Lapses { away, step_ms, network } = std::mem::take(&mut *lock(&self.lapses));
        if step_ms != 0 {
            machine.clock_stepped(step_ms);
        }
        if away > Span(0) && away < DOUBT_MIN {
            machine.stood_still(now.wall, away);
        } else if away > Span(0) {
            machine.returned(now.wall, away, Doubt::Restart, self.counts());
        }
        for there in network {
            machine.network(now.wall, there, self.counts());
        }
        let present = Present { engine: self, now };
        if !alerts.reconciled {
            machine.reconcile(now.wall, &present);
            alerts.reconciled = true;
        }
        machine.advance(now.wall, &present);
    }
}

/// The machine's messages as the outbox takes them.
pub(super) fn outgoing(step: &Step) -> Vec<Outgoing> {
    let post = |message: &crate::domain::alert::Message| {
        Some(Outgoing {
            key: message.key.clone(),
            notifier: message.notifier.clone(),
            made: message.made,
            due: message.made,
            tries: 0,
            // A value of plain fields always has a JSON.
            message: serde_json::to_string(message).ok()?,
        })
    };
    step.messages.iter().filter_map(post).collect()
}
