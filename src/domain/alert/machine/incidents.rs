//! Incidents as they begin and end: what becomes of the notifiers' lines then.

use super::*;

impl Machine {
    pub(super) fn begin(&mut self, record: &Record<'_>, incident: OpenIncident) {
        let number = record.number;
        let mut entry = self.entries.remove(&number).unwrap_or_else(|| MonitorAlert::new(record, incident));
        let goes_on = entry.goes_on(incident);
        entry.begin(record, incident);
        let names = self.notifiers_of(&entry.id, entry.peer());
        self.name_lines(&mut entry, &names);
        for line in entry.lines.iter_mut().filter(|line| names.contains(&line.to) && !line.flapping) {
            line.covered = false;
            if !goes_on {
                line.counted = false;
            } else if line.told == Some(incident.beats) {
                // It knows.
                let every = self.policy.remind_every(&line.to);
                line.remind = every.map(|every| after(self.clock, every));
                continue;
            } else {
                line.uncount();
            }
            let began = present(self.absence, entry.began);
            line.due = Some(after(began, self.policy.min_down(&line.to)));
            (line.thread, line.remind) = (line.told, None);
        }
        if entry.lines.is_empty() && !self.parents.contains(&entry.id) {
            self.forget(entry);
            return;
        }
        entry.after = self.after_of(&entry);
        self.place(entry);
        self.dirty.insert(number);
        self.set_wake(number, Some(self.clock));
    }

    /// Gives a monitor a line for everybody who is named, beside those who are to be told of an end, and those who heard of
    /// it of late, so that they hear no more of it in an hour for having been left out of the rules in between.
    pub(super) fn name_lines(&self, entry: &mut MonitorAlert, names: &[String]) {
        let clock = self.clock;
        for line in &mut entry.lines {
            line.unnamed = !line.is_owed() && !names.contains(&line.to);
        }
        entry.lines.retain(|line| !line.unnamed || !line.is_past(clock));
        for name in names {
            if entry.line(name).is_none() {
                entry.lines.push(Line::new(name));
            }
        }
        entry.lines.sort_by_key(|line| line.unnamed);
        entry.lines.truncate(NOTIFY_MAX);
    }

    /// The incident of a monitor ended, if one was open; or the monitor is gone.
    pub(super) fn end(&mut self, number: u64, at: Wall, removed: bool) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        self.dirty.insert(number);
        if removed {
            (entry.removed, entry.paused) = (true, false);
        }
        if entry.is_down() {
            entry.ended = Some(at.max(entry.began));
            entry.changed = at;
            // Where it seems to have ended before it began the clock was put back, if only by a little.
            let lasted_to = if at < entry.began { after(at, AHEAD) } else { at };
            let lasted_to = present(self.absence, lasted_to);
            for line in &mut entry.lines {
                if line.due.take().is_some_and(|due| due <= lasted_to && !entry.paused) {
                    line.count();
                }
                (line.covered, line.remind) = (false, None);
                if !line.is_owed() {
                    line.failures = 0;
                }
            }
            let (id, parents) = (entry.id.clone(), entry.after.clone());
            if self.by_id.get(&id) == Some(&number) {
                self.by_id.remove(&id);
            }
            for parent in parents {
                if let Some(children) = self.children.get_mut(&parent) {
                    children.remove(&number);
                    if children.is_empty() {
                        self.children.remove(&parent);
                    }
                }
            }
            self.release_children(&id);
        }
        self.set_wake(number, Some(self.clock));
    }

    /// Those who were silent behind a monitor have some time to be heard again, or else are told of.
    pub(super) fn release_children(&mut self, id: &str) {
        let children: Vec<u64> = self.children.get(id).into_iter().flatten().copied().collect();
        for number in children {
            let Some(entry) = self.entries.get_mut(&number) else { continue };
            let respite = entry.respite.min(RESPITE_MAX);
            let mut wake = None;
            for line in entry.lines.iter_mut().filter(|line| line.covered) {
                let min_down = self.policy.min_down(&line.to);
                let due = after(self.clock, respite.max(min_down));
                (line.covered, line.due, wake) = (false, Some(due), Some(self.clock));
            }
            if wake.is_some() {
                self.dirty.insert(number);
                self.set_wake(number, wake);
            }
        }
    }

    pub(super) fn set_paused(&mut self, number: u64, paused: bool, at: Wall) {
        let Some(entry) = self.entries.get(&number).filter(|entry| entry.paused != paused) else {
            return;
        };
        let names = self.notifiers_of(&entry.id, entry.peer());
        let Some(entry) = self.entries.get_mut(&number) else { return };
        entry.paused = paused;
        self.dirty.insert(number);
        if paused {
            return;
        }
        // What happened in a pause is nobody's concern; what is still so after it counts from now.
        entry.changed = entry.changed.max(at);
        let down = entry.is_down();
        for line in entry.lines.iter_mut().filter(|line| !line.unnamed) {
            (line.pending, line.covered, line.due, line.remind) = (0, false, None, None);
            line.failures = 0;
            let down = down && names.contains(&line.to);
            if down && !line.flapping && line.told != Some(entry.beats) {
                let min_down = self.policy.min_down(&line.to);
                line.due = Some(after(at, min_down));
            } else if down && line.told.is_some() && !line.flapping {
                let every = self.policy.remind_every(&line.to);
                line.remind = every.map(|every| after(at, every));
            }
        }
        self.set_wake(number, Some(self.clock));
    }
}
