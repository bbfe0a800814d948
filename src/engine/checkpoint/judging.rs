//! The checkpointer's side of the judge of the alerts: what it reads of the disk for it.

use super::Checkpointer;
use crate::domain::alert::AlertOutput;
use crate::domain::record::{Record, incident_id};
use crate::domain::time::Now;
use crate::engine::Engine;
use crate::engine::judge::alerts::{AlertJudge, Beginning, Clocks, Ends, Inputs, Present, Recovered};
use crate::engine::mutex::lock;
use crate::engine::shards::MonitorsAt;
use crate::store::{IncidentQuery, StoreError};

impl Engine {
    /// Compares what was remembered of alerts with how monitors stand after a start, before anybody is heard or judged.
    pub(super) fn compare_alerts(&self, now: Now) -> Result<(), StoreError> {
        if self.policy().alerts.notifiers.is_empty() {
            return Ok(());
        }
        let alert_states = self.store.alert_states()?;
        let recovered = Recovered::find(now, &self.shards, &alert_states, self.journal.last_sign());
        lock(&self.judge_inbox).recovered = recovered;
        Ok(())
    }

    /// Sees to it that there is a judge, and that it goes by the policy in force.
    pub(super) fn ready_judge(&self, checkpointer: &mut Checkpointer, now: Now) -> Result<(), StoreError> {
        let policy = self.policy.load_full();
        if let Some(judge) = &mut checkpointer.judge {
            judge.set_policy(&policy);
            return Ok(());
        }
        let remembered = self.store.alert_states()?;
        checkpointer.judge = Some(AlertJudge::new(Beginning {
            started: checkpointer.started,
            now: now.wall,
            policy: &policy,
            instance: self.instance.clone(),
            remembered,
            last_sign: self.journal.last_sign(),
            counts: self.shards.counts(),
            recovered: std::mem::take(&mut lock(&self.judge_inbox).recovered),
        }));
        Ok(())
    }

    /// Has the judge hear changes that the journal has. `present`: the present moment, if those are all, and whether the journal
    /// has taken everything. After an error nothing was heard.
    pub(super) fn judge(
        &self,
        checkpointer: &mut Checkpointer,
        changes: &[Record<'_>],
        present: Option<(Now, bool)>,
        on_record: bool,
    ) -> Result<AlertOutput, StoreError> {
        if checkpointer.unheard.is_empty() && present.is_some() {
            checkpointer.unheard = std::mem::take(&mut lock(&self.trouble).unheard);
        }
        let is_full = checkpointer.is_full || lock(&self.trouble).is_full;
        let Checkpointer { judge: Some(judge), unheard, asleep, .. } = checkpointer else {
            return Ok(AlertOutput::default());
        };
        let (heard, mut lately_down) = (unheard.records(), Vec::new());
        if let Some((now, _)) = present.filter(|_| judge.has_new_rules()) {
            lately_down = judge.unknown_down(now, &self.shards);
        }
        let moment = |(now, is_whole): (Now, bool)| Present {
            clocks: Clocks { now, asleep: *asleep },
            gaps: Default::default(),
            unheard: &heard,
            expects_twins: !is_whole || !heard.is_empty(),
            lately_down: &lately_down,
            is_full,
        };
        let mut inputs = Inputs { changes, present: present.map(moment), on_record };
        let mut ends = Ends::default();
        for record in judge.asks(&inputs) {
            if self.was_over(&record)? {
                ends.insert(&record);
            }
        }
        if let Some(present) = &mut inputs.present {
            present.gaps = std::mem::take(&mut lock(&self.judge_inbox).gaps);
        }
        let now = present.map_or(judge.clocks().now, |(now, _)| now);
        let told = judge.turn(&inputs, &ends, &MonitorsAt { shards: &self.shards, now });
        drop(inputs);
        drop(heard);
        if present.is_some() {
            unheard.clear();
        }
        Ok(told)
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
}
