//! What a deadline that passes does to a monitor, and what any change of it brings about.

use super::*;

impl Registry {
    /// Judges a monitor whose deadline has passed.
    pub(super) fn judge(&mut self, now: Now, key: u32, keep: &mut impl FnMut(&Record<'_>)) {
        let row = &mut self.monitors[key as usize];
        let rule = self.rules.get(row.rule);
        let was = row.visible();
        let due = row.deadline;
        let forgotten_at = row.forgotten_at(rule, &self.defaults);
        match row.visible() {
            State::Paused => {
                // A window may follow upon another, or be open when a person's pause ends.
                return match row.window(now, rule) {
                    Some(until) => {
                        self.pause(now, key, Pause { by: PausedBy::Window, until: Some(until) }, keep)
                    }
                    None => self.resume(now, key, keep),
                };
            }
            State::Down if forgotten_at <= now.mono => return self.remove(now, key, keep),
            // It went down when its changes were only counted, and is down still.
            State::Down => {}
            _ if row.drop_overdue_runs(now) => row.state = State::Down,
            State::New if row.beats == 0 => row.state = State::Down,
            State::Up | State::New if row.grace > Span(0) => row.state = State::Late,
            _ => row.state = State::Down,
        }
        let left = Span(row.grace.0.saturating_sub(row.slack(rule).0));
        row.deadline = if row.state == State::Late { due.after(left) } else { forgotten_at };
        let silent = now.mono.since(row.last_mono);
        let change = self.compare(now, key, was, silent, Some(due));
        self.write_record(now, key, change, keep);
        self.insert_deadline(key);
    }

    /// Writes down what a person or a calendar has changed, and inserts its deadline.
    pub(super) fn write_change(
        &mut self,
        now: Now,
        key: u32,
        was: State,
        keep: &mut impl FnMut(&Record<'_>),
    ) {
        let silent = now.mono.since(self.monitors[key as usize].last_mono);
        let change = self.compare(now, key, was, silent, None);
        self.write_record(now, key, change, keep);
        self.insert_deadline(key);
    }

    /// Has the wheel ask for a deadline.
    pub(super) fn insert_deadline(&mut self, key: u32) {
        let deadline = self.monitors[key as usize].deadline;
        if deadline != NEVER {
            self.wheel.file(key, deadline);
        }
    }

    /// Hands out a record that no beat has made.
    pub(super) fn write_record(
        &mut self,
        now: Now,
        key: u32,
        change: Change,
        keep: &mut impl FnMut(&Record<'_>),
    ) {
        let row = &mut self.monitors[key as usize];
        row.count_version();
        row.flags.set(Flags::UNSAVED, true);
        let version = row.version();
        if let Some(rare) = &mut row.rare {
            rare.version = version;
        }
        let with_details = row.rare.is_some() || change == Change::Created || row.flags.has(Flags::DECLARED);
        keep(&row.record(now.wall, row.id.as_ref(), change, with_details));
    }

    /// Sees what has become of a monitor that people last saw as `was`: counts it, opens or closes its incident, and
    /// notes what is to be told. A `deadline` is one that has passed.
    pub(super) fn compare(
        &mut self,
        now: Now,
        key: u32,
        was: State,
        silent: Span,
        deadline: Option<Mono>,
    ) -> Change {
        let row = &mut self.monitors[key as usize];
        let to = row.visible();
        let closes = row.state == State::Up && row.has_incident();
        // One whose changes were only counted has an incident when it has been down for long enough.
        let opens = to == State::Down && !row.has_incident() && (was != to || deadline.is_some());
        if was == to && !closes && !opens {
            return Change::None;
        }
        let over = row.incident().map(|incident| incident.reason);
        if closes {
            row.close_incident();
        }
        let mut muted = false;
        let from = if was == to { row.told() } else { was };
        if was != to {
            self.counts[was as usize] -= 1;
            self.counts[to as usize] += 1;
            muted = row.count_change(now, was, to);
            row.since = match row.incident() {
                // After a pause it is down since it went down.
                Some(incident) if to == State::Down => incident.started,
                _ => now.wall,
            };
        }
        if !muted {
            row.set_told(to);
        }
        if opens && muted {
            row.deadline = row.deadline.min(now.mono.after(LASTING));
        } else if opens {
            row.open_incident();
        }
        // The first beat of a monitor is no news to anybody who is told of changes.
        if !(was == State::New && to == State::Up) && (was != to || opens) {
            self.events.push_back(MonitorEvent::Change(Transition {
                monitor: row.id.clone(),
                from,
                to,
                at: now.wall,
                last_beat: (row.beats > 0).then_some(row.last_wall),
                silent,
                reason: match to {
                    State::Down => {
                        Some(row.incident().map_or_else(|| row.reason(), |incident| incident.reason))
                    }
                    _ => over,
                },
                muted,
                deadline,
            }));
        }
        Change::State { from, muted }
    }
}
