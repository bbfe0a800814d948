//! Holding the world against what it should be.

use super::*;
use heartbeat_server::domain::lang::Lang;
use heartbeat_server::domain::record::Cause;

impl World {
    /// Everything is given time to come right; then nothing may be missing anywhere.
    pub(super) fn rest(&mut self) -> Checked {
        self.say("rests".into());
        self.disk.set_room(None);
        self.probe.fill_tables(false);
        self.disk.fail_syncs(0);
        self.probe.fail_tables(0, 0);
        self.room_back_at_ms = None;
        let restarts = self.restarts;
        self.commit_all()?;
        let mut well = false;
        for _ in 0..60 {
            self.pass(1000)?;
            self.commit_all()?;
            let health = self.life().engine.health();
            well = health.refusing.is_none() && ills(&health).is_empty();
            if well {
                break;
            }
        }
        if self.restarts != restarts {
            return Ok(());
        }
        if !well {
            return Err(format!("it does not come right: {:?}", self.life().engine.health()));
        }
        self.save()?;
        self.pass(self.shape.keep_every_ms + 1)?;
        self.commit_all()?;
        self.keep()?;
        let health = self.life().engine.health();
        if !ills(&health).is_empty() || self.restarts != restarts {
            // Something happened just now; another time.
            return Ok(());
        }
        let unkept = self.story.unkept();
        if !unkept.is_empty() {
            return Err(format!("in a time of rest these numbers' versions are not kept: {unkept:?}"));
        }
        self.check_incidents()
    }

    pub(super) fn check_incidents(&mut self) -> Checked {
        let query = IncidentQuery { limit: 100_000, ..IncidentQuery::default() };
        let listed = self.life().engine.incidents(&query).map_err(|e| e.to_string())?;
        let count = listed.len();
        let is: BTreeMap<String, Incident> = listed.into_iter().map(|one| (one.id.clone(), one)).collect();
        if is.len() != count {
            return Err("an incident is listed twice".into());
        }
        self.story.check_incidents(&is)
    }

    /// All monitors, the counts and the list are as they should be.
    pub(super) fn compare(&mut self) -> Checked {
        let now = self.now();
        let Some(life) = &self.life else { return Ok(()) };
        let (all, _) = life.engine.list(Order::Id, None, 10_000, |_| true);
        let mut counts = [0u64; State::ALL.len()];
        for monitor in &all {
            counts[monitor.state as usize] += 1;
            let id = IdRef::new(&monitor.id).map_err(|e| e.to_string())?;
            let real = life.engine.get_at(now, id);
            if let Some(fault) = self.story.differs(&monitor.id, now, real.as_ref()) {
                return Err(fault);
            }
            let (Some(real), Some(mon)) = (real, self.story.live.get(&monitor.id)) else { continue };
            let is_down = real.incident.is_some_and(|(_, _, reason)| reason.cause == Cause::NeverHeard);
            let within = mon.first_beat(&self.policy.rules, &self.policy.defaults);
            let schedule = mon.rule(&self.policy.rules).and_then(|rule| rule.schedule.as_ref());
            self.attended
                .look(self.real_ms, real.number, is_down, within, schedule)
                .map_err(|fault| format!("{}: it {fault}", monitor.id))?;
        }
        self.attended.looked(self.real_ms);
        if counts != life.engine.counts() {
            return Err(format!("counts are {:?}, the list has {counts:?}", life.engine.counts()));
        }
        if all.len() != self.story.live.len() {
            let missing = self.story.live.keys().find(|id| !all.iter().any(|m| m.id == **id));
            return Err(format!("{missing:?} is missing"));
        }
        Ok(())
    }
}

/// What is wrong, but for receivers, for senders that are declared and have never been heard, and for syncs that failed and
/// were made good, which is said until the next start.
pub(super) fn ills(health: &Health) -> Vec<&str> {
    let of_receivers =
        |text: &str| text.starts_with("alerts do not reach") || text.contains("alerts could not be told");
    let lasts = |text: &str| text.contains("never heard") || text.contains("all of it was written again");
    let all = health.degraded.iter().map(|sentence| sentence.own().say(Lang::En));
    all.filter(|text| !of_receivers(text) && !lasts(text)).collect()
}

/// Which versions the store holds, read without the engine.
pub(super) fn find(journal: &SimJournal, tables: &SimTables) -> Result<Found, Fault> {
    let mut found = Found::new();
    let mut ids: BTreeMap<String, u64> = BTreeMap::new();
    let mut removed = Vec::new();
    let mut visit = |row: SnapshotRow<'_>| {
        let record = match row {
            SnapshotRow::Monitor(record) => record,
            SnapshotRow::Removed(number) => return removed.push(number),
        };
        let id = record.id.as_str().to_string();
        let number = ids.entry(id).or_insert(record.number);
        *number = record.number.max(*number);
        if record.change == Change::Removed {
            removed.push(record.number);
        }
        if removed.contains(&record.number) && record.change != Change::Removed {
            // What is left of one that the tables know to be gone.
            return;
        }
        let Left { version, detailed, at } = found.entry(record.number).or_default();
        if record.version >= *version {
            (*version, *at) = (record.version, record.at);
        }
        if record.details.is_some() {
            *detailed = record.version.max(*detailed);
        }
    };
    let from = tables.snapshot(&mut visit).map_err(|e| e.to_string())?;
    journal
        .read(from, RecordFilter::All, &mut |_, record| visit(SnapshotRow::Monitor(record)))
        .map_err(|e| e.to_string())?;
    found.retain(|number, left| left.version > 0 || !removed.contains(number));
    // Of one id the greater number holds.
    found.retain(|number, _| ids.values().any(|latest| latest == number));
    Ok(found)
}
