//! What a server of a pair leaves to the other: messages are kept back, let go or sent, as `domain::alert::pair` decides.

use super::deliverer::Deliverer;
use super::pair_state::{DECIDED_AT_ONCE, ReleasedMessage};
use super::peer::PeerAnswer;
use crate::domain::address::Peer;
use crate::domain::alert::Message;
use crate::domain::alert::pair::{
    PairChange, PairDecision, PairPolicy, PairWatch, PeerView, WaitingMessage, asked_since,
};
use crate::domain::beat::{Beat, Source, Transport};
use crate::domain::id::IdRef;
use crate::domain::lang::Lang;
use crate::domain::notice::Level;
use crate::domain::policy::Policy;
use crate::domain::time::{Now, Wall};
use crate::engine::{Engine, Incoming, Pending, lock};
use crate::i18n::{self, Text};
use crate::store::{DeliveryStatus, OutboxMessage, Outgoing, Settled, StoreError};
use crate::view::alert;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

impl Engine {
    /// Decides which of the messages that wait may go, and settles those that the other server has told.
    pub(super) fn sort_by_pair(
        &self,
        deliverer: &mut Deliverer,
        policy: &Policy,
        now: Now,
    ) -> Result<(), StoreError> {
        let Some(pair) = &policy.alerts.pair else {
            self.forget_pair(deliverer);
            return Ok(());
        };
        let watch = deliverer.pair.watch.get_or_insert_with(|| PairWatch::new(now.mono));
        if let Some(change) = watch.look(pair, now) {
            self.tell_of_other(pair, change, now.wall);
        }
        let (mut allowed, mut held) = (BTreeSet::new(), BTreeSet::new());
        let (mut released, mut since) = (BTreeMap::new(), None::<Wall>);
        let was_held = lock(&self.post.held).clone();
        for (lane, _) in self.all_waiting()? {
            let waiting = self.waiting(&lane, DECIDED_AT_ONCE)?;
            let (mut outgoing, mut messages) = (Vec::new(), Vec::new());
            for one in waiting.open() {
                let before = deliverer.pair.released.get(&one.key);
                // One who has to hear it by itself hears what the others have heard from here.
                if deliverer.carries(one) || lane.recipient.is_some() {
                    allowed.insert(one.key.clone());
                    released.extend(before.map(|before| (one.key.clone(), before.clone())));
                    continue;
                }
                match serde_json::from_str::<Message>(&one.message) {
                    Ok(message) => {
                        outgoing.push(one);
                        messages.push(WaitingMessage {
                            message,
                            notifier: lane.notifier.clone(),
                            is_begun: one.tries > 0 || before.is_some(),
                            without: before.map(|before| before.without.clone()).unwrap_or_default(),
                        });
                    }
                    // It is given up by whoever would send it.
                    Err(_) => _ = allowed.insert(one.key.clone()),
                }
            }
            let Some(watch) = &deliverer.pair.watch else { break };
            let decisions = watch.decide(pair, &messages, now);
            for ((one, WaitingMessage { message, .. }), decision) in
                outgoing.into_iter().zip(&messages).zip(decisions)
            {
                let before = deliverer.pair.released.get(&one.key);
                match decision {
                    PairDecision::Send { without } => {
                        allowed.insert(one.key.clone());
                        let at = if was_held.contains(&one.key) {
                            Some(now.wall)
                        } else {
                            before.and_then(|before| before.at)
                        };
                        released.insert(one.key.clone(), ReleasedMessage { at, without });
                    }
                    PairDecision::Hold => {
                        held.insert(one.key.clone());
                        released.extend(before.map(|before| (one.key.clone(), before.clone())));
                        since = since.into_iter().chain(asked_since(message)).min();
                    }
                    PairDecision::ToldByOther => {
                        self.let_go(one, message, i18n::delivery::pair_told(&name_of(pair)), now.wall);
                    }
                    PairDecision::Over => {
                        self.let_go(one, message, i18n::delivery::PAIR_OVER.into(), now.wall);
                    }
                }
            }
        }
        *lock(&self.post.held) = held;
        let state = &mut deliverer.pair;
        (state.allowed, state.released, state.since) = (Some(allowed), released, since);
        Ok(())
    }

    /// Forgets the other server, with all that is shown of it: it is another one, or there is none any more.
    pub(super) fn forget_pair(&self, deliverer: &mut Deliverer) {
        deliverer.pair.forget();
        lock(&self.post.held).clear();
        *lock(&self.post.pair_trouble) = None;
    }

    /// Says of messages that are kept back why.
    pub(super) fn say_why_held(&self, rows: &mut [OutboxMessage]) {
        let held = lock(&self.post.held);
        if held.is_empty() {
            return;
        }
        let policy = self.policy();
        let Some(pair) = &policy.alerts.pair else { return };
        let reason = match &pair.standby_for {
            Some(name) => i18n::delivery::pair_held(&name),
            None => i18n::delivery::pair_asked_first(&pair.url),
        };
        // As reasons are kept.
        let reason = reason.in_lang(Lang::En);
        let is_held = |row: &&mut OutboxMessage| {
            row.delivery == DeliveryStatus::Pending && held.contains(&row.outgoing.key)
        };
        rows.iter_mut().filter(is_held).for_each(|row| row.reason = Some(reason.clone()));
    }

    /// Strikes off a message that nobody has to send.
    fn let_go(&self, outgoing: &Outgoing, message: &Message, reason: Text, now: Wall) {
        let sentence = Text::of(|lang| alert::sentence(lang, message));
        let text = i18n::delivery::pair_not_sent(&outgoing.lane(), &reason, &sentence);
        self.notice(now, Level::Info, "alert_left", text);
        self.note(outgoing, now, &Settled::Split { reason }, &[]);
    }

    fn tell_of_other(&self, pair: &PairPolicy, change: PairChange, now: Wall) {
        let (url, stands_by) = (&pair.url, pair.standby_for.is_some());
        let (level, text) = match (change, stands_by) {
            (PairChange::Heard, true) => (Level::Notice, i18n::delivery::pair_heard_holding(&url)),
            (PairChange::Heard, false) => (Level::Notice, i18n::delivery::pair_heard(&url)),
            (PairChange::Silent, true) => {
                (Level::Warning, i18n::delivery::pair_silent_telling(&url, &pair.grace))
            }
            (PairChange::Silent, false) => (Level::Warning, i18n::delivery::pair_silent(&url, &pair.grace)),
        };
        self.notice(now, level, "pair", text);
        let is_trouble = change == PairChange::Silent && !stands_by;
        *lock(&self.post.pair_trouble) = is_trouble.then(|| i18n::delivery::pair_silent(&url, &pair.grace));
    }

    /// Notes what the other server has answered, as a beat of its monitor too.
    pub(super) fn note_peer(&self, deliverer: &mut Deliverer, answer: PeerAnswer, now: Now) {
        let policy = self.policy.load_full();
        let Some(pair) = &policy.alerts.pair else { return };
        let watch = deliverer.pair.watch.get_or_insert_with(|| PairWatch::new(now.mono));
        match answer {
            PeerAnswer::Alerts { alerts, covers, address } => {
                watch.heard(now.mono, PeerView::new(alerts, covers));
                *lock(&self.post.pair_trouble) = None;
                self.beat_for_other(pair, &policy, address, now);
            }
            PeerAnswer::Refused(reason, address) => {
                watch.heard_without_view(now.mono);
                if lock(&self.post.pair_trouble).replace(reason.clone()).is_none() {
                    self.notice(now.wall, Level::Warning, "pair", reason);
                }
                self.beat_for_other(pair, &policy, address, now);
            }
            PeerAnswer::Missed(reason) => {
                let level = if watch.missed() { Level::Notice } else { Level::Debug };
                let text = i18n::delivery::pair_missed(&pair.url, &reason);
                self.notice(now.wall, level, "pair", text);
            }
        }
    }

    /// Each answer is a beat of the monitor that stands for the other server.
    fn beat_for_other(&self, pair: &PairPolicy, policy: &Policy, address: Option<IpAddr>, now: Now) {
        let Some(Ok(monitor)) = pair.standby_for.as_deref().map(IdRef::new) else { return };
        let beat = Beat { interval: Some(pair.every), grace: Some(pair.grace), ..Beat::default() };
        let peer = address.map_or(Peer::Unix, Peer::from_ip);
        let source = Source { peer, transport: Transport::Http };
        let mut pending = Pending::new();
        let incoming = Incoming { now, monitor, beat: &beat, source, follows_interval: false };
        // Refused where there are as many monitors as may be, which is told to whoever makes one; kept as far as it can be.
        let _ = self.beat(&incoming, policy, &mut pending, || ());
        let _ = self.commit(now.wall, &mut pending);
    }
}

/// How the other server is called.
fn name_of(pair: &PairPolicy) -> &str {
    pair.standby_for.as_deref().unwrap_or(&pair.url)
}

#[cfg(test)]
#[path = "standby_tests.rs"]
mod tests;
