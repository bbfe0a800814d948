//! What the last call did, compared with what may happen.

use super::*;

impl World {
    /// Looks at what the last call did: what was kept, what was told, whether the loop was woken, whether the program died.
    pub(super) fn after(&mut self, what: &str) -> Checked {
        let seen = self.probe.take();
        if self.trace_max == usize::MAX && !seen.is_empty() {
            self.say(format!("{what}: {seen:?}"));
        }
        for one in &seen {
            if let Seen::Followed(number, version) = one {
                self.telling.follow(*number, *version);
            }
        }
        self.story.see(&seen).map_err(|fault| format!("{what}: {fault}"))?;
        if self.disk.is_dead() || self.probe.is_dead() {
            self.say(format!("dead in {what}"));
            let ms = self.downtime();
            return self.crash(false, ms);
        }
        self.look_at_outbox().map_err(|fault| format!("{what}: {fault}"))?;
        if self.trace_max == usize::MAX {
            self.say_changes();
        }
        let live = self.story.live.values();
        let stands = live.map(|mon| (mon.number, mon.incident.map(|(beats, ..)| beats), mon.paused));
        self.telling.look(self.real_ms, stands);
        let now = self.now();
        let life = self.life.as_mut().expect("a program runs");
        loop {
            let events = match life.events.try_recv() {
                Ok(events) => events,
                Err(TryRecvError::Empty) => break,
                Err(error) => return Err(format!("events: {error}")),
            };
            let (id, news) = match &*events {
                MonitorEvent::Made(id) => (id, News::Made),
                MonitorEvent::Removed(id) => (id, News::Removed),
                // Senders of a world use each other's ids as they like.
                MonitorEvent::Conflict(..) => continue,
                MonitorEvent::Change(change) => {
                    let told = crate::model::Told { from: change.from, to: change.to, muted: change.muted };
                    if let Some(deadline) = change.deadline {
                        let (id, late) = (change.monitor.as_str(), now.mono.since(deadline));
                        if deadline > now.mono {
                            return Err(format!("{id} is {:?} before its deadline", change.to));
                        }
                        if late > self.found_within && self.due.get(id) == Some(&deadline) {
                            return Err(format!(
                                "that {id} is {:?} was found {late} after its deadline",
                                change.to
                            ));
                        }
                    }
                    (&change.monitor, News::Change(told))
                }
            };
            let id = id.as_str();
            let expected = self.story.news.get_mut(id).and_then(VecDeque::pop_front);
            if expected != Some(news) {
                return Err(format!("{what}: of {id} is told {news:?}; should be {expected:?}"));
            }
        }
        // What a front has not put on record yet is told of only then.
        let settled = life.fronts.iter().all(|(pending, _)| pending.is_empty());
        if let Some((id, rest)) = self.story.news.iter().find(|(_, rest)| settled && !rest.is_empty()) {
            return Err(format!("{what}: of {id} nothing is told; should be {rest:?}"));
        }
        // One that is due as soon as it has a deadline cannot be found in time.
        let ahead = self.story.live.values().filter(|mon| !mon.paused && mon.deadline > Some(now.mono));
        self.due = ahead.filter_map(|mon| Some((mon.id.clone(), mon.deadline?))).collect();
        let woken = pin!(life.engine.woken()).poll(&mut Context::from_waker(Waker::noop())).is_ready();
        if woken {
            life.next_turn = now.mono;
        }
        Ok(())
    }
}
