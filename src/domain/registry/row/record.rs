//! A row as others see it: written down for the journal and the store, read back after a start, and shown to people.

use super::{Flags, Monitor, NEVER, OpenRun};
use crate::domain::governor::Asked;
use crate::domain::id::{Id, IdRef};
use crate::domain::limits::RUNS_MAX;
use crate::domain::notice::State;
use crate::domain::record::{Change, Details, Record, Run, incident_id};
use crate::domain::registry::Snapshot;
use crate::domain::rules::Rules;
use crate::domain::time::{Now, Wall};

impl Monitor {
    /// How it stands, for the journal and the store. `id` is its own, as text already.
    pub(in crate::domain::registry) fn record<'a>(
        &'a self,
        at: Wall,
        id: IdRef<'a>,
        change: Change,
        with_details: bool,
    ) -> Record<'a> {
        Record {
            id,
            number: self.number,
            version: self.version(),
            at,
            change,
            state: self.visible(),
            beneath: self.state,
            since: self.since,
            last_beat: (self.beats > 0).then_some(self.last_wall),
            beats: self.beats,
            status: self.status(),
            source: self.source,
            sequence: self.sequence(),
            interval: self.interval,
            grace: self.grace,
            asked: self.stretched(),
            incident: self.incident(),
            details: with_details.then(|| self.details()),
        }
    }

    fn details(&self) -> Details<'_> {
        let declared = self.flags.has(Flags::DECLARED);
        let Some(rare) = self.rare.as_deref() else { return Details { declared, ..Details::default() } };
        Details {
            reported_ip: rare.reported_ip.as_ref().map(Id::as_ref),
            message: rare.message.as_deref(),
            message_at: rare.message_at,
            message_beat: rare.message_beat,
            tags: rare.tags.iter().map(AsRef::as_ref).collect(),
            skew_ms: rare.skew_ms,
            run_took: rare.run_took,
            runs: rare
                .runs
                .iter()
                .map(|run| Run { rid: &run.rid, started: run.started, limit: run.limit })
                .collect(),
            pause: rare.pause,
            declared,
        }
    }

    /// Stands as a record says, details apart. Times of the monotonic clock are reckoned back from `now`.
    pub(in crate::domain::registry) fn restore(&mut self, now: Now, record: &Record<'_>) {
        self.number = record.number;
        self.source = record.source;
        self.set_status(record.status);
        self.state = record.beneath;
        self.since = record.since;
        self.beats = record.beats;
        self.last_wall = record.last_beat.unwrap_or(record.at);
        self.last_mono = now.mono_of(self.last_wall).min(now.mono);
        self.interval = record.interval;
        self.grace = record.grace;
        self.asked = Asked::default();
        if let Some(held) = record.asked {
            self.asked.keep(held, record.interval);
        }
        self.flags.set(Flags::PAUSED, record.state == State::Paused);
        self.set_sequence(record.sequence);
        self.close_incident();
        if let Some(incident) = record.incident {
            self.set_incident(incident.beats, incident.reason);
            if incident.started != self.since {
                self.rare().incident_started = Some(incident.started);
            }
        }
        self.set_told(record.state);
        self.set_version(record.version);
    }

    /// Takes the details over from a record.
    pub(in crate::domain::registry) fn restore_details(
        &mut self,
        now: Now,
        version: u64,
        details: &Details<'_>,
    ) {
        self.flags.set(Flags::DECLARED, details.declared);
        if self.rare.is_none() && *details == (Details { declared: details.declared, ..Details::default() }) {
            return;
        }
        let rare = self.rare.get_or_insert_default();
        rare.version = version;
        rare.reported_ip = details.reported_ip.map(IdRef::to_id);
        rare.message = details.message.map(Into::into);
        (rare.message_at, rare.message_beat) = (details.message_at, details.message_beat);
        rare.tags = details.tags.iter().map(|tag| (*tag).into()).collect();
        rare.skew_ms = details.skew_ms;
        rare.run_took = details.run_took;
        rare.pause = details.pause;
        let run = |run: &Run<'_>| OpenRun {
            rid: run.rid.into(),
            began: now.mono_of(run.started),
            started: run.started,
            limit: run.limit,
            from: None,
            rival: None,
        };
        rare.runs = details.runs.iter().take(RUNS_MAX).map(run).collect();
    }

    /// How it stands, for people.
    pub(in crate::domain::registry) fn snapshot(&self, now: Now, rules: &Rules) -> Snapshot {
        let rare = self.rare.as_deref();
        let rule = rules.get(self.rule);
        let own_tags = rare.into_iter().flat_map(|rare| rare.tags.iter()).map(|tag| tag.to_string());
        let mut tags: Vec<String> = rule.map(|rule| rule.tags.clone()).unwrap_or_default();
        tags.extend(own_tags.filter(|tag| !rule.is_some_and(|rule| rule.tags.contains(tag))));
        // Of one that is down the deadline means something else: to be forgotten.
        let judged = matches!(self.visible(), State::New | State::Up | State::Late);
        let reports_id = self.flags.has(Flags::REPORTS_ID).then_some(&self.id);
        let schedule = rule.and_then(|rule| Some((rule, rule.schedule.as_ref()?)));
        let awaited = schedule.and(rare).and_then(|rare| rare.slot);
        // After a start it is known again from the last beat.
        let slot = awaited.or_else(|| {
            let (rule, schedule) = schedule?;
            self.next_slot(if self.beats > 0 { self.last_wall } else { self.since }, rule, schedule)
        });
        // While a run is under way the deadline is the run's, however near to that of a slot.
        let ends = awaited
            .filter(|_| !self.is_running())
            .map(|slot| Wall(slot.0.saturating_add_unsigned(self.slack(rule).0)));
        Snapshot {
            id: self.id.as_str().into(),
            state: self.visible(),
            since: self.since,
            last_beat: (self.beats > 0).then_some(self.last_wall),
            next_deadline: Some(self.deadline).filter(|d| judged && *d != NEVER).map(|d| {
                // Both clocks are read to the millisecond, so reckoning may miss the slot by one.
                let reckoned = now.wall_of(d);
                ends.filter(|ends| ends.0.abs_diff(reckoned.0) <= 2).unwrap_or(reckoned)
            }),
            slot,
            never_heard: self.is_never_heard(now, rule),
            interval: self.interval,
            asked: self.stretched(),
            grace: self.grace,
            address: self.source.peer,
            reported_ip: rare
                .and_then(|rare| rare.reported_ip.as_ref())
                .or(reports_id)
                .map(|ip| ip.as_str().into()),
            transport: self.source.transport,
            beats: self.beats,
            seq: self.sequence().map(|sequence| sequence.last),
            gaps: self.seq_gaps.into(),
            repeats: self.seq_repeats.into(),
            status: self.status(),
            message: rare.and_then(|rare| rare.message.as_deref()).map(Into::into),
            message_at: rare.filter(|rare| rare.message.is_some()).and_then(|rare| rare.message_at),
            message_beat: rare.map_or(0, |rare| rare.message_beat),
            tags,
            number: self.number,
            version: self.version(),
            beneath: self.state,
            pause: rare.and_then(|rare| rare.pause).filter(|_| self.is_paused()),
            incident: self
                .incident()
                .map(|open| (incident_id(self.number, open.beats), open.started, open.reason)),
            skew_ms: rare.and_then(|rare| rare.skew_ms),
            runs: self.runs().map(|run| run.started).collect(),
            run_took: rare.and_then(|rare| rare.run_took),
            schedule: rule
                .and_then(|rule| rule.schedule.as_ref())
                .map(|schedule| (schedule.text().to_string(), schedule.zone().to_string())),
            declared: self.flags.has(Flags::DECLARED) || self.flags.has(Flags::CONFIGURED),
            conflict: self.conflict(now),
        }
    }
}
