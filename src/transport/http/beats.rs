//! What becomes of a request that brings beats: the one meaning that the fast path and hyper share.

use crate::domain::access::Wish;
use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Source, Transport};
use crate::domain::id::Id;
use crate::domain::policy::Policy;
use crate::domain::time::{Now, Span};
use crate::engine::stats::BeatResult;
use crate::engine::{Incoming, NotStored, Refusal, id_of_peer};
use crate::store::Batch;
use crate::sys::clock;
use crate::transport::site::Site;
use crate::view::line::BeatLine;
use crate::wire::answer::Answer;
use crate::wire::head::Facts;
use crate::wire::json::{self, Body, JsonError};
use serde_json::{Value, json};
use std::sync::Arc;

/// Decides by the head alone whether its sender may bring beats, and who that is.
pub fn admit(site: &Site, policy: &Policy, peer: Peer, facts: &Facts<'_>) -> Result<Peer, Answer> {
    let client = site.setup.proxies.client(peer, facts);
    let denied = |answer: Answer| {
        site.engine.stats().beats(Transport::Http, BeatResult::Denied, 1);
        // A stranger gets no second request on this connection.
        answer.closing()
    };
    if facts.is_cross_site() {
        return Err(denied(Answer::error(
            403,
            "a page of another site may not send beats: Origin is not Host",
        )));
    }
    match policy.access.check(Wish::Beat, client, facts.bearer()) {
        Ok(()) => Ok(client),
        Err(why) => Err(denied(Answer::denied(why, &client.to_string()))),
    }
}

/// Takes the beats of a body, and keeps them before it answers.
pub async fn bring(site: &Arc<Site>, policy: &Policy, client: Peer, body: &[u8]) -> Answer {
    let now = clock::now();
    let engine = &site.engine;
    let mut batch = Batch::new();
    engine.stats().busy(now.mono);
    let mut answer = take(site, policy, now, client, body, &mut batch);
    let stored = if engine.refuses_unstored() && !batch.is_empty() {
        engine.stats().idle();
        // Several requests that wait for the disk wait for one and the same sync.
        let engine = engine.clone();
        let commit = tokio::task::spawn_blocking(move || engine.commit(now.wall, &mut batch));
        commit.await.unwrap_or(Err(NotStored))
    } else {
        engine.commit(now.wall, &mut batch)
    };
    engine.stats().idle();
    if stored.is_err() {
        engine.stats().unstored(answer.acknowledges);
        answer.not_stored(engine.refuses_unstored());
    }
    answer
}

/// Takes the beats of a body. The answer must not be given before `batch` is committed.
pub fn take(site: &Site, policy: &Policy, now: Now, client: Peer, body: &[u8], batch: &mut Batch) -> Answer {
    let parsed = match json::parse(body, &policy.limits) {
        Ok(parsed) => parsed,
        Err(error) => {
            site.engine.stats().beats(Transport::Http, BeatResult::Invalid, 1);
            return invalid(&error);
        }
    };
    let taker = Taker { site, policy, client, now, batch, name_of_client: None };
    match parsed {
        Body::One(fields) => taker.one(fields.beat()),
        Body::Many(items) => taker.many(items),
    }
}

struct Taker<'a> {
    site: &'a Site,
    policy: &'a Policy,
    client: Peer,
    now: Now,
    batch: &'a mut Batch,
    /// The monitor of beats that name none, made when first needed.
    name_of_client: Option<Id>,
}

/// Why one beat was not taken.
enum Fault {
    Json(JsonError),
    Refused(Refusal),
}

impl Taker<'_> {
    fn one(mut self, beat: Result<Beat<'_>, JsonError>) -> Answer {
        match beat.map_err(Fault::Json).and_then(|beat| self.take(&beat)) {
            Ok(interval) => {
                self.site.engine.stats().beats(Transport::Http, BeatResult::Accepted, 1);
                Answer::ok(interval)
            }
            Err(fault) => {
                self.site.engine.stats().beats(Transport::Http, fault.result(), 1);
                fault.answer()
            }
        }
    }

    fn many(mut self, items: json::Many<'_>) -> Answer {
        let mut accepted = 0u64;
        let mut rejected: Vec<Value> = Vec::new();
        let mut shortest: Option<Span> = None;
        for (index, item) in items.enumerate() {
            let taken = match &item {
                Ok(fields) => fields.beat().map_err(Fault::Json).and_then(|beat| self.take(&beat)),
                Err(error) => Err(Fault::Json(error.clone())),
            };
            match taken {
                Ok(interval) => {
                    accepted += 1;
                    shortest = shortest.into_iter().chain([interval]).min();
                }
                Err(fault) => {
                    self.site.engine.stats().beats(Transport::Http, fault.result(), 1);
                    rejected.push(fault.item(index));
                }
            }
        }
        self.site.engine.stats().beats(Transport::Http, BeatResult::Accepted, accepted);
        let body = json!({ "status": "ok", "accepted": accepted, "rejected": rejected });
        Answer { interval: shortest, acknowledges: accepted, ..Answer::json(200, &body) }
    }

    fn take(&mut self, beat: &Beat<'_>) -> Result<Span, Fault> {
        let engine = &self.site.engine;
        engine.may_send(self.now, self.client, self.policy).map_err(Fault::Refused)?;
        let monitor = match beat.id.or(beat.ip) {
            Some(named) => named,
            None => {
                if self.name_of_client.is_none() {
                    self.name_of_client = id_of_peer(self.client);
                }
                match &self.name_of_client {
                    Some(id) => id.as_ref(),
                    None => return Err(Fault::Refused(Refusal::Full)),
                }
            }
        };
        let source = Source { peer: self.client, transport: Transport::Http };
        let line = BeatLine {
            peer: self.client,
            ip: beat.ip.map(|ip| ip.as_str()),
            id: beat.id.filter(|id| beat.ip != Some(*id)).map(|id| id.as_str()),
            transport: Transport::Http.name(),
            status: (beat.status.verdict() != Some(true)).then(|| beat.status.name()),
        };
        let log = || engine.log().beat(self.now.wall, &line);
        let incoming = Incoming { now: self.now, monitor, beat, source };
        let receipt = engine.beat(&incoming, self.policy, self.batch, log).map_err(Fault::Refused)?;
        Ok(receipt.interval)
    }
}

impl Fault {
    fn result(&self) -> BeatResult {
        match self {
            Fault::Json(_) => BeatResult::Invalid,
            Fault::Refused(Refusal::Full) => BeatResult::Full,
            Fault::Refused(_) => BeatResult::Limited,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Fault::Json(error) => &error.reason,
            Fault::Refused(Refusal::TooManyBeats(_)) => {
                "too many beats from this address (limits.beats_per_second)"
            }
            Fault::Refused(Refusal::TooManyNew(_)) => {
                "too many new monitors from this address (limits.new_monitors_per_hour)"
            }
            Fault::Refused(Refusal::Full) => "no room for another monitor (limits.monitors)",
        }
    }

    fn answer(&self) -> Answer {
        match self {
            Fault::Json(error) => invalid(error),
            Fault::Refused(Refusal::TooManyBeats(wait) | Refusal::TooManyNew(wait)) => {
                Answer::too_often(self.reason(), *wait)
            }
            Fault::Refused(Refusal::Full) => Answer::unavailable(self.reason(), Span::secs(60)),
        }
    }

    /// As an element of a batch's `rejected`.
    fn item(&self, index: usize) -> Value {
        match self {
            Fault::Json(JsonError { field: Some(field), reason, .. }) => {
                json!({ "index": index, "field": field, "error": reason })
            }
            _ => json!({ "index": index, "error": self.reason() }),
        }
    }
}

fn invalid(error: &JsonError) -> Answer {
    Answer::wrong(if error.too_large { 413 } else { 400 }, &error.reason, error.field)
}
