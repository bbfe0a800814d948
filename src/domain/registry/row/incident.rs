//! The incident that is open: when it began, and why.

use super::*;

impl Monitor {
    /// Whether an incident is open.
    pub(in crate::domain::registry) fn has_incident(&self) -> bool {
        self.incident_beats != NO_INCIDENT
    }

    /// Begins an incident; it counts from `since`.
    pub(in crate::domain::registry) fn open_incident(&mut self) {
        let reason = self.reason();
        self.set_incident(self.beats, reason);
    }

    pub(in crate::domain::registry) fn set_incident(&mut self, beats: u64, reason: Reason) {
        self.incident_beats = beats;
        self.flags.set(Flags::FAILED, reason.cause == Cause::Fail);
        if reason != Reason::from(self.plain_cause()) {
            self.rare().reason = Some(reason);
        } else if let Some(rare) = &mut self.rare {
            rare.reason = None;
        }
    }

    /// Why one that is down is so.
    pub(in crate::domain::registry) fn reason(&self) -> Reason {
        let overrun = self.rare.as_ref().and_then(|rare| rare.overrun.as_ref());
        match (self.beats, self.status().verdict(), overrun) {
            (0, ..) => Cause::NeverHeard.into(),
            (_, Some(false), _) => Reason { exit: self.status().failure(), ..Cause::Fail.into() },
            (_, _, Some(run)) => Reason { run_started: Some(run.started), ..Cause::RunTooLong.into() },
            _ => Cause::Silence.into(),
        }
    }

    fn plain_cause(&self) -> Cause {
        if self.flags.has(Flags::FAILED) { Cause::Fail } else { Cause::Silence }
    }

    /// Ends it.
    pub(in crate::domain::registry) fn close_incident(&mut self) {
        self.incident_beats = NO_INCIDENT;
        if let Some(rare) = &mut self.rare {
            (rare.incident_started, rare.reason) = (None, None);
        }
    }

    /// Remembers when the open incident began, before `since` comes to mean something else.
    pub(in crate::domain::registry) fn keep_incident_start(&mut self) {
        if let Some(incident) = self.incident() {
            self.rare().incident_started = Some(incident.started);
        }
    }

    /// The open incident.
    pub(in crate::domain::registry) fn incident(&self) -> Option<OpenIncident> {
        self.has_incident().then(|| OpenIncident {
            beats: self.incident_beats,
            started: self.rare.as_ref().and_then(|rare| rare.incident_started).unwrap_or(self.since),
            reason: self
                .rare
                .as_ref()
                .and_then(|rare| rare.reason)
                .unwrap_or_else(|| self.plain_cause().into()),
        })
    }
}
