//! The delivery in the world: it is asked every second what is to be sent, receivers take it or not, sooner or later, and
//! the program may die while something is on its way.

use super::*;
use crate::model::Mon;
use crate::telling::{Made, numbers};
use heartbeat_server::domain::alert::MessageKind;
use heartbeat_server::domain::notice::State;
use heartbeat_server::engine::delivery::Dispatch;
use heartbeat_server::i18n::Text;
use heartbeat_server::notify::Outcome;
use heartbeat_server::store::{DeliveryStatus, OutboxMessage, OutboxQuery};

/// A message on its way.
pub(super) struct Flight {
    pub(super) lands_ms: u64,
    pub(super) dispatch: Dispatch,
    pub(super) outcome: Outcome,
    /// The receiver has it, though we do not know yet.
    pub(super) arrived: bool,
}

/// All messages that there are.
pub(super) fn everything() -> OutboxQuery {
    OutboxQuery { delivery: None, before: None, limit: 100_000 }
}

/// Everything is quiet for so long in the end, in steps of a minute.
const QUIET_MINUTES: u64 = 7 * 60;

impl World {
    /// A turn of the delivery.
    pub(super) fn bring(&mut self) -> Checked {
        let now = self.now();
        let mut landed = Vec::new();
        let real_ms = self.real_ms;
        let life = self.life();
        life.next_post = now.mono.after(Span(1000));
        let flights = std::mem::take(&mut life.flights);
        for flight in flights {
            if flight.lands_ms <= real_ms { landed.push(flight) } else { life.flights.push(flight) }
        }
        for flight in landed {
            if flight.arrived {
                self.arrive(&flight.dispatch)?;
            }
            let life = self.life.as_mut().expect("a program runs");
            life.engine.settle(&mut life.round, flight.dispatch, &flight.outcome, now);
        }
        let slots = self.shape.notifiers.clone();
        let slots = |name: &str| slots.iter().find(|one| one.notifier.name == name).map(|one| one.slots);
        let life = self.life.as_mut().expect("a program runs");
        let dispatches = life.engine.hand_out(&mut life.round, &slots, now);
        for dispatch in dispatches {
            self.send(dispatch);
        }
        self.after("the delivery")
    }

    fn send(&mut self, dispatch: Dispatch) {
        let to = &dispatch.outgoing.notifier;
        let outcome = if self.ill.contains(to) {
            let after = self.random.one_in(4).then(|| Span::secs(self.random.between(1, 600)));
            Outcome::Retry { after, reason: Text::foreign("it is ill") }
        } else if self.random.one_in(40) {
            Outcome::Retry { after: None, reason: Text::foreign("by chance") }
        } else {
            Outcome::Sent
        };
        let lands_ms = self.real_ms + self.random.of(&[0, 0, 1, 300, 4_000]);
        let arrived = outcome == Outcome::Sent;
        self.life().flights.push(Flight { lands_ms, dispatch, outcome, arrived });
    }

    fn arrive(&mut self, dispatch: &Dispatch) -> Checked {
        let key = &dispatch.outgoing.key;
        let place = self.telling.made.iter().rev().find(|made| made.message.key == dispatch.message.key);
        let place = place.map_or(0, |made| made.place);
        self.telling.arrive(key, &dispatch.outgoing.notifier, place, &dispatch.message)
    }

    /// The program has died: what was on its way may have arrived, and what has arrived may not be noted. `known`: all that
    /// it knew to have been told, or to be.
    pub(super) fn bring_after_death(&mut self, flights: Vec<Flight>, known: &[OutboxMessage]) -> Checked {
        for flight in flights {
            if flight.arrived && self.random.one_in(2) {
                self.arrive(&flight.dispatch)?;
            }
        }
        let rows = self.tables.outbox_list(&everything()).map_err(|e| e.to_string())?;
        // Noted in memory only: that is so while the tables take nothing.
        let told: BTreeSet<&str> = known
            .iter()
            .filter(|posted| posted.delivery != DeliveryStatus::Pending)
            .map(|posted| posted.outgoing.key.as_str())
            .collect();
        let mut unnoted: BTreeMap<String, usize> = BTreeMap::new();
        let before = std::mem::take(&mut self.telling.may_repeat);
        for posted in rows.iter().filter(|posted| posted.delivery == DeliveryStatus::Pending) {
            let key = &posted.outgoing.key;
            if self.telling.arrived.contains_key(key) {
                self.telling.may_repeat.insert(key.clone(), 1);
                // One that was under way at an earlier death may have failed since.
                if !before.contains_key(key) && !told.contains(key.as_str()) {
                    *unnoted.entry(posted.outgoing.notifier.clone()).or_default() += 1;
                }
            }
        }
        for (name, count) in unnoted {
            let slots =
                self.shape.notifiers.iter().find(|one| one.notifier.name == name).map_or(0, |one| one.slots);
            if count > slots {
                return Err(format!("{count} messages to {name} may be repeated, of {slots} under way"));
            }
        }
        // What left from memory and is not on record is decided again, and may be told again.
        let kept: BTreeSet<String> = rows.into_iter().map(|posted| posted.outgoing.key).collect();
        let lost = self.telling.arrived.keys().filter(|key| !kept.contains(*key)).cloned();
        let lost: Vec<String> = lost.collect();
        self.telling.may_repeat.extend(lost.into_iter().map(|key| (key, 1)));
        self.telling.made.retain(|made| kept.contains(&made.message.key));
        Ok(())
    }

    /// Looks at what was put into the outbox, or aside, since the last look.
    pub(super) fn look_at_outbox(&mut self) -> Checked {
        let engine = &self.life.as_ref().expect("a program runs").engine;
        let newest = engine.alerts(&OutboxQuery { limit: 1, ..everything() }).map_err(|e| e.to_string())?;
        let newest = newest.into_iter().next().map_or(String::new(), |posted| posted.outgoing.key);
        if newest == self.looked {
            return Ok(());
        }
        let known = engine.alerts(&everything()).map_err(|e| e.to_string())?;
        self.looked = newest;
        self.look_at(&known)
    }

    /// The same, with all of them at hand.
    pub(super) fn look_at(&mut self, known: &[OutboxMessage]) -> Checked {
        let seen: BTreeSet<String> = self.telling.made.iter().map(|made| made.message.key.clone()).collect();
        for posted in known.iter().rev().filter(|posted| !seen.contains(&posted.outgoing.key)) {
            let message: Message =
                serde_json::from_str(&posted.outgoing.message).map_err(|e| e.to_string())?;
            if message.notifier != posted.outgoing.notifier {
                // It was handed on.
                continue;
            }
            self.say(format!("to {}: {}", message.notifier, message.key));
            self.judge(&message)?;
            self.telling.place += 1;
            self.telling.made.push(Made { at_ms: self.real_ms, place: self.telling.place, message });
        }
        Ok(())
    }

    /// What a message must not say, seen at the moment at which it is made: by what the journal has of those it names.
    fn judge(&self, message: &Message) -> Checked {
        for one in message.monitors.iter().filter(|one| !one.removed) {
            let Some((number, _)) = one.incident.as_deref().and_then(numbers) else { continue };
            // A pause counts from when it was asked for, on record or not.
            if self.story.live.get(&one.id).is_some_and(|mon| mon.number == number && mon.paused) {
                return Err(format!("{} is paused, and told of: {}", one.id, message.key));
            }
            let Some(mon) = self.story.appended(number) else { continue };
            // What only a snapshot has nobody has followed.
            if self.telling.followed.get(&number).is_none_or(|all| all.last() < Some(&mon.version)) {
                continue;
            }
            // One that is not paused any more may not be on record as such yet.
            if mon.paused && self.story.live.get(&one.id).is_some_and(|mon| mon.paused) {
                return Err(format!("{} is paused, and told of: {}", one.id, message.key));
            }
            if self.shape.wild || message.kind != MessageKind::Down || message.flaps.is_some() {
                continue;
            }
            let parent = self.shape.parent.as_deref().filter(|_| self.shape.is_behind(&one.id));
            let parent = parent.and_then(|id| self.story.live.get(id));
            let parent = parent.and_then(|mon| self.story.appended(mon.number));
            if let Some(parent) =
                parent.filter(|parent| parent.state == State::Down && parent.incident.is_some())
            {
                // That it is down may be in memory and in a snapshot only, while the journal takes nothing.
                if !parent.paused && self.is_followed(parent) {
                    return Err(format!("{} is behind {}, and told of: {}", one.id, parent.id, message.key));
                }
            }
        }
        Ok(())
    }

    /// Whether the checkpointer has followed that the incident began which a monitor is in.
    fn is_followed(&self, mon: &Mon) -> bool {
        let beginning = mon.incident.and_then(|(beats, ..)| self.story.beginning(mon.number, beats));
        let followed = self.telling.followed.get(&mon.number);
        beginning.zip(followed).is_some_and(|((version, _), followed)| followed.contains(&version))
    }

    /// Some notifiers fall ill, others are well again.
    pub(super) fn ail(&mut self) -> Checked {
        self.ill.clear();
        for one in self.shape.notifiers.clone() {
            if self.random.one_in(2) {
                self.ill.insert(one.notifier.name);
            }
        }
        self.say(format!("these take nothing: {:?}", self.ill));
        Ok(())
    }

    /// The end: the receivers are well and nothing happens for hours. Then everything must have been told.
    pub(super) fn last_words(&mut self) -> Checked {
        if self.shape.notifiers.is_empty() {
            return Ok(());
        }
        self.say("hours of quiet".into());
        self.ill.clear();
        for _ in 0..QUIET_MINUTES {
            // Only the checkpointer and the delivery go on, so that nobody falls silent in that time.
            self.real_ms += 60_000;
            self.keep()?;
            for _ in 0..3 {
                self.real_ms += 1_500;
                self.bring()?;
            }
        }
        self.say_standings();
        let numbers: Vec<u64> = {
            let all = self.telling.made.iter().flat_map(|made| &made.message.monitors);
            let all: std::collections::BTreeSet<u64> =
                all.filter_map(|one| Some(numbers(one.incident.as_deref()?)?.0)).collect();
            all.into_iter().collect()
        };
        for one in self.shape.notifiers.clone() {
            let name = &one.notifier.name;
            for number in &numbers {
                self.telling.check_order(name, *number)?;
            }
        }
        self.check_arrived()?;
        if self.shape.wild {
            return Ok(());
        }
        let query = IncidentQuery { limit: 100_000, ..IncidentQuery::default() };
        let listed = self.life().engine.incidents(&query).map_err(|e| e.to_string())?;
        let incidents: BTreeMap<String, Incident> =
            listed.into_iter().map(|one| (one.id.clone(), one)).collect();
        for one in self.shape.notifiers.clone().into_iter().filter(|one| one.told) {
            let shape = self.shape.clone();
            let behind = |id: &str| shape.is_behind(id);
            let on_record = |number: u64, beats: u64| {
                let Some((version, kept)) = self.story.beginning(number, beats) else { return true };
                kept || self.telling.followed.get(&number).is_some_and(|all| all.contains(&version))
            };
            let (name, min_down) = (&one.notifier.name, one.notifier.min_down);
            self.judged += self.telling.check_end(
                name,
                min_down,
                &incidents,
                shape.parent.as_deref(),
                behind,
                on_record,
            )?;
        }
        Ok(())
    }

    /// For whoever looks for a fault: what is remembered of who was told.
    fn say_standings(&mut self) {
        for (number, state) in self.tables.alert_states().unwrap_or_default() {
            self.say(format!("of {number} is remembered: {state}"));
        }
    }

    /// Everything that was made has arrived, or was given up for its fallback, which has it.
    fn check_arrived(&mut self) -> Checked {
        for posted in self.life().engine.alerts(&everything()).map_err(|e| e.to_string())? {
            let key = &posted.outgoing.key;
            let arrived = self.telling.arrived.contains_key(key);
            match posted.delivery {
                // There are new ones all the time.
                DeliveryStatus::Pending if key.starts_with("reminder-") => {}
                DeliveryStatus::Pending => return Err(format!("{key} waits for ever: {:?}", posted.reason)),
                DeliveryStatus::Sent if !arrived => return Err(format!("{key} is said to have been sent")),
                DeliveryStatus::Failed if !self.shape.wild => {
                    return Err(format!("{key} was given up: {:?}", posted.reason));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
