//! Holds what is shown of one monitor to what should be.

use super::Mon;
use heartbeat_server::domain::notice::State;
use heartbeat_server::domain::registry::Snapshot;
use heartbeat_server::domain::rules::Rules;
use heartbeat_server::domain::time::{Now, Wall};

impl Mon {
    /// Says in what the real one differs.
    pub fn differs(&self, real: &Snapshot, now: Now, rules: &Rules) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |what: &str, want: String, is: String| {
            if want != is {
                found.push(format!("{what}: should be {want}, is {is}"));
            }
        };
        macro_rules! same {
            ($what:literal, $want:expr, $is:expr) => {
                check($what, format!("{:?}", $want), format!("{:?}", $is))
            };
        }
        same!("number", self.number, real.number);
        same!("state", self.visible(), real.state);
        same!("beneath", self.state, real.beneath);
        same!("since", self.since, real.since);
        same!("beats", self.beats, real.beats);
        same!("last_beat", (self.beats > 0).then_some(self.last_wall), real.last_beat);
        same!("interval", self.interval, real.interval);
        same!("grace", self.grace, real.grace);
        same!("asked", self.asked, real.asked);
        same!("seq", self.counter.as_ref().map(|c| c.last), real.seq);
        same!("gaps", self.counter.as_ref().map_or(0, |c| c.gaps), real.gaps);
        same!("repeats", self.counter.as_ref().map_or(0, |c| c.repeats), real.repeats);
        same!("status", self.status, real.status);
        same!("address", self.peer, real.address);
        same!("reported_ip", self.details.reported, real.reported_ip);
        same!("message", self.details.message, real.message);
        let mut tags: Vec<String> = self.rule(rules).map(|rule| rule.tags.clone()).unwrap_or_default();
        tags.extend(self.details.tags.iter().filter(|tag| !tags.contains(tag)).cloned().collect::<Vec<_>>());
        same!("tags", tags, real.tags);
        same!("run_took", self.details.run_took, real.run_took);
        same!("pause", self.details.pause.filter(|_| self.paused), real.pause);
        same!("declared", self.is_kept(), real.declared);
        if !self.skew_is_old {
            same!("skew_ms", self.skew_ms, real.skew_ms);
        }
        same!("runs", self.details.runs.iter().map(|run| run.started).collect::<Vec<_>>(), real.runs);
        let incident =
            self.incident.map(|(beats, at, cause)| (format!("{}-{beats}", self.number), at, cause));
        let shown = real.incident.clone().map(|(id, at, reason)| (id, at, reason.cause));
        same!("incident", incident, shown);
        let judged = matches!(self.visible(), State::New | State::Up | State::Late);
        let next = self.deadline.filter(|_| judged).map(|at| now.wall_of(at));
        let slot = self.slot.filter(|_| self.rule(rules).is_some_and(|rule| rule.schedule.is_some()));
        if let Some(slot) = slot.filter(|_| judged && next.is_some() && self.details.runs.is_empty()) {
            same!("slot", Some(slot), real.slot);
        }
        // A slot is shown by the calendar; a step that is too small to be noticed moves the deadline away from it.
        let waits_for_slot = self.slot.is_some() && self.details.runs.is_empty();
        let near = |a: Wall, b: Wall| waits_for_slot && a.0.abs_diff(b.0) < 500;
        if !matches!((next, real.next_deadline), (Some(a), Some(b)) if near(a, b)) {
            same!("next_deadline", next, real.next_deadline);
        }
        found
    }
}
