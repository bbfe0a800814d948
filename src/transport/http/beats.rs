//! What becomes of a request that brings beats: the one meaning that the fast path and hyper share.

use crate::domain::access::{Denied, Wish};
use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Transport, Warnings};
use crate::domain::id::Id;
use crate::domain::limits::{BATCH_WARNINGS_MAX, Limits, REJECTED_NAMED_MAX};
use crate::domain::policy::Policy;
use crate::domain::time::{Mono, Now, Span};
use crate::engine::stats::BeatResult;
use crate::engine::{NotStored, Pending, Refusal, Refused};
use crate::sys::clock;
use crate::transport::intake::{BeatIntake, IntakeError};
use crate::transport::listener_context::ListenerContext;
use crate::wire::answer::Answer;
use crate::wire::fields::{BeatError, Fields};
use crate::wire::forwarded::Unreadable;
use crate::wire::head::Facts;
use crate::wire::json::{self, Body};
use crate::wire::origin::{host_asked_for, is_cross_site};
use crate::wire::query;
use serde_json::{Value, json};
use std::sync::Arc;

/// Decides by the head alone whether its sender may bring beats, and who that is.
pub fn admit(
    context: &ListenerContext,
    policy: &Policy,
    peer: Peer,
    facts: &Facts<'_>,
) -> Result<Peer, Answer> {
    admit_over(Transport::Http, context, policy, peer, facts)
}

/// The same where the head is that of another transport.
pub fn admit_over(
    transport: Transport,
    context: &ListenerContext,
    policy: &Policy,
    peer: Peer,
    facts: &Facts<'_>,
) -> Result<Peer, Answer> {
    let client = client_of(context, peer, facts)?;
    let denied = |answer: Answer| {
        context.engine.stats().beats(transport, BeatResult::Denied, 1);
        // A stranger gets no second request on this connection.
        answer.closing()
    };
    // A browser's page is one that says where it comes from.
    check_host(context, policy, peer, facts, facts.origin.is_some()).map_err(denied)?;
    if is_cross_site(&context.options.proxies, peer, facts) {
        return Err(denied(Answer::error(
            403,
            "a page of another site may not send beats: Origin is not Host",
        )));
    }
    match policy.access.check(Wish::Beat, client, facts.bearer()) {
        Ok(()) => Ok(client),
        Err(why) => {
            match why {
                Denied::Token(key) if facts.bearer().is_some() => {
                    context.engine.note_wrong_token(clock::now(), key, client);
                }
                Denied::Token(key) => {
                    context.engine.note_refused(clock::now(), Refused::Token(key), client);
                }
                Denied::Network(_) => {}
            }
            Err(denied(Answer::denied(why, &client.to_string())))
        }
    }
}

/// How long a request must wait before the token is looked at that it shows.
pub fn token_wait(context: &ListenerContext, peer: Peer, facts: &Facts<'_>, now: Mono) -> Option<Span> {
    facts.bearer()?;
    // One that cannot be read is refused in any case.
    context.engine.token_wait(now, context.options.proxies.client(peer, facts).ok()?)
}

/// Who sent a request: the peer, or whom a trusted proxy names. An answer when that cannot be read.
pub fn client_of(context: &ListenerContext, peer: Peer, facts: &Facts<'_>) -> Result<Peer, Answer> {
    context.options.proxies.client(peer, facts).map_err(|Unreadable(reason)| {
        context.refuse_proxied(peer, reason, clock::now());
        Answer::error(400, reason).closing()
    })
}

/// Whether a request comes under a name that is ours; `changes`: a browser's page wants to change something with it.
pub fn check_host(
    context: &ListenerContext,
    policy: &Policy,
    peer: Peer,
    facts: &Facts<'_>,
    changes: bool,
) -> Result<(), Answer> {
    let hosts = &policy.access.hosts;
    // Nearly always it does not matter, and what a proxy says need not be read.
    if !hosts.matter(changes) || hosts.admits(host_asked_for(&context.options.proxies, peer, facts), changes)
    {
        return Ok(());
    }
    Err(Answer::forbidden(
        "a page under this name may not do that: if the name is this server's, list it in access.hosts",
        "access.hosts",
    ))
}

/// What was sent: a query, whose fields hold where a beat does not say them, and a body.
#[derive(Clone, Copy)]
pub struct Sent<'a> {
    /// What stood behind `?`.
    pub query: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Takes the beats that were sent, and keeps them before it answers.
pub async fn bring(
    context: &Arc<ListenerContext>,
    policy: &Policy,
    client: Peer,
    nameless: Option<Id>,
    sent: Sent<'_>,
) -> Answer {
    let now = clock::now();
    let engine = &context.engine;
    let mut pending = Pending::new();
    engine.stats().busy(now.mono);
    let mut answer = take(context, policy, now, client, nameless, sent, &mut pending);
    let stored = if engine.refuses_unstored() && !pending.is_empty() {
        engine.stats().idle();
        // Several requests that wait for the disk wait for one and the same sync.
        let engine = engine.clone();
        let commit = tokio::task::spawn_blocking(move || engine.commit(now.wall, &mut pending));
        commit.await.unwrap_or(Err(NotStored))
    } else {
        engine.commit(now.wall, &mut pending)
    };
    engine.stats().idle();
    if stored.is_err() {
        engine.stats().unstored(answer.acknowledges);
        answer.not_stored(engine.refuses_unstored());
    }
    answer
}

/// Takes the beats of a body; those that name no monitor are for `nameless`, else for the address. The answer must not
/// be given before `pending` is committed.
pub fn take(
    context: &ListenerContext,
    policy: &Policy,
    now: Now,
    client: Peer,
    nameless: Option<Id>,
    sent: Sent<'_>,
    pending: &mut Pending,
) -> Answer {
    let transport = Transport::Http;
    let engine = &context.engine;
    let mut intake = BeatIntake { engine, policy, now, client, transport, hears: true, pending, nameless };
    let elsewhere = (!sent.query.is_empty()).then(|| query::beat(sent.query));
    take_body(&policy.limits, sent.body, elsewhere.as_ref(), |hears, beat| {
        intake.hears = hears;
        intake.take(beat)
    })
}

/// Takes a body apart and answers it, whatever it came in. `take` has the beats one after another, and whether the
/// answer names the interval that is wanted of that very one: the answer to many has one for all, so nobody among them
/// is asked for a longer one. What a beat does not say is taken from `elsewhere`.
pub fn take_body(
    limits: &Limits,
    body: &[u8],
    elsewhere: Option<&Fields<'static>>,
    take: impl FnMut(bool, Result<Beat<'_>, BeatError>) -> Result<Span, IntakeError>,
) -> Answer {
    let error = match json::parse(body, limits) {
        Err(error) if std::str::from_utf8(body).is_err() => error,
        read => return take_all(read, Text { repaired: false, elsewhere }, take),
    };
    // The output of a job may be in any encoding, and is no reason not to hear of its end.
    let repaired = String::from_utf8_lossy(body);
    let text = Text { repaired: true, elsewhere };
    match json::parse(repaired.as_bytes(), limits) {
        Ok(Body::One(mut fields)) => match text.judge(&mut fields).is_ok() {
            true => take_all(Ok(Body::One(fields)), text, take),
            false => take_all(Err(error), text, take),
        },
        Ok(many) => take_all(Ok(many), text, take),
        Err(_) => take_all(Err(error), text, take),
    }
}

/// What is known of the text in which beats stood.
#[derive(Clone, Copy)]
struct Text<'t> {
    /// It was not UTF-8.
    repaired: bool,
    elsewhere: Option<&'t Fields<'static>>,
}

impl Text<'_> {
    /// Judges the fields of one of its beats.
    fn judge<'f>(self, fields: &'f mut Fields<'_>) -> Result<Beat<'f>, BeatError> {
        if self.repaired {
            fields.warn_if_repaired();
        }
        if let Some(elsewhere) = self.elsewhere {
            fields.fill_from(elsewhere);
        }
        fields.beat()
    }

    fn take(
        self,
        fields: &mut Fields<'_>,
        take: impl FnOnce(Result<Beat<'_>, BeatError>) -> Result<Span, IntakeError>,
    ) -> (Result<Span, IntakeError>, Warnings) {
        let beat = self.judge(fields);
        let warnings = beat.as_ref().map_or(Warnings::NONE, |beat| beat.warnings);
        (take(beat), warnings)
    }
}

#[inline]
fn take_all(
    read: Result<Body<'_>, BeatError>,
    text: Text<'_>,
    mut take: impl FnMut(bool, Result<Beat<'_>, BeatError>) -> Result<Span, IntakeError>,
) -> Answer {
    let mut read = read;
    let (taken, warnings) = match read {
        // By reference: the fields are some hundred bytes.
        Ok(Body::One(ref mut fields)) => text.take(fields, |beat| take(true, beat)),
        Ok(Body::Many(items)) => return many(items, text, |beat| take(false, beat)),
        Err(error) => (take(true, Err(error)), Warnings::NONE),
    };
    match taken {
        Ok(interval) => Answer::taken(interval, warnings),
        Err(fault) => refusal(&fault),
    }
}

fn many(
    items: json::Many<'_>,
    text: Text<'_>,
    mut take: impl FnMut(Result<Beat<'_>, BeatError>) -> Result<Span, IntakeError>,
) -> Answer {
    let mut accepted = 0u64;
    let mut rejected: Vec<Value> = Vec::new();
    let mut warned: Vec<Value> = Vec::new();
    let mut rejected_more = 0u64;
    let mut shortest: Option<Span> = None;
    for (index, item) in items.enumerate() {
        let (taken, warnings) = match item {
            Ok(mut fields) => text.take(&mut fields, &mut take),
            Err(error) => (take(Err(error)), Warnings::NONE),
        };
        match taken {
            Ok(interval) => {
                accepted += 1;
                shortest = shortest.into_iter().chain([interval]).min();
                if warned.len() < BATCH_WARNINGS_MAX {
                    let said = warnings.iter().map(|warning| format!("{index}: {}", warning.sentence()));
                    warned.extend(said.map(Value::from));
                }
            }
            // The reasons are longer than what they are given for.
            Err(fault) if rejected.len() < REJECTED_NAMED_MAX => rejected.push(fault.item(index)),
            Err(_) => rejected_more += 1,
        }
    }
    let mut body = json!({ "status": "ok", "accepted": accepted, "rejected": rejected });
    if !warned.is_empty() {
        body["warnings"] = warned.into();
    }
    if rejected_more > 0 {
        body["rejected_more"] = rejected_more.into();
    }
    Answer { interval: shortest, acknowledges: accepted, ..Answer::json(200, &body) }
}

/// What is answered to a beat that was not taken.
pub fn refusal(fault: &IntakeError) -> Answer {
    match fault {
        IntakeError::Invalid(BeatError { reason, field, too_large, .. }) => {
            Answer::wrong(if *too_large { 413 } else { 400 }, reason, *field)
        }
        IntakeError::Refused(Refusal::TooManyBeats(wait) | Refusal::TooManyNew(wait)) => {
            Answer::too_often(fault.reason(), *wait)
        }
        IntakeError::Refused(Refusal::Full) => Answer::unavailable(fault.reason(), Span::secs(60)),
        IntakeError::Refused(Refusal::Id(_)) => Answer::wrong(400, fault.reason(), Some("id")),
    }
}
