//! What becomes of a request that brings beats: the one meaning that the fast path and hyper share.

use crate::domain::access::{AccessRefusal, Permission, Shown};
use crate::domain::address::Peer;
use crate::domain::beat::{Transport, Warnings};
use crate::domain::id::{Id, IdRef};
use crate::domain::policy::Policy;
use crate::domain::time::{Mono, Now, Span};
use crate::engine::stats::BeatResult;
use crate::engine::{NotStoredError, Pending, SenderRefusal};
use crate::sys::clock;
use crate::transport::beat_body::{refusal, take_body};
use crate::transport::intake::BeatIntake;
use crate::transport::listener_context::ListenerContext;
use crate::wire::answer::Answer;
use crate::wire::compat::{self, CompatRequest, Spoken};
use crate::wire::forwarded::Unreadable;
use crate::wire::head::{BEAT_PATHS, Facts};
use crate::wire::origin::{host_asked_for, is_cross_site, is_led_across};
use crate::wire::query;
use crate::wire::url_beat::{self, UrlBeat};
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
    if is_led_across(&context.options.proxies, peer, facts) {
        return Err(denied(Answer::error(
            403,
            "a page of another site may not send beats: Sec-Fetch-Site or Referer names one",
        )));
    }
    match policy.access.check(Permission::Beat, client, facts.bearer()) {
        Ok(()) => Ok(client),
        Err(why) => {
            match why {
                AccessRefusal::Token(key) if facts.bearer().is_some() => {
                    context.engine.note_wrong_token(clock::now(), key, client);
                }
                AccessRefusal::Token(key) => {
                    context.engine.note_refused(clock::now(), SenderRefusal::Token(key), client);
                }
                AccessRefusal::Network(_) => {}
            }
            Err(denied(Answer::denied(why, &client.to_string())))
        }
    }
}

/// Whether a sender might bring beats if it showed the right token.
pub fn is_near(context: &ListenerContext, policy: &Policy, peer: Peer, facts: &Facts<'_>) -> bool {
    let client = context.options.proxies.client(peer, facts);
    client.is_ok_and(|client| policy.access.check_again(Permission::Beat, client, Shown::Believed).is_ok())
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

/// What was sent.
#[derive(Clone, Copy)]
pub struct SentBeats<'a> {
    /// In which form.
    pub form: BeatForm<'a>,
    /// The body.
    pub body: &'a [u8],
}

/// The forms in which requests bring beats.
#[derive(Clone, Copy)]
pub enum BeatForm<'a> {
    /// JSON in the body.
    Json {
        /// What stood behind `?`, whose fields hold where a beat does not say them.
        query: &'a str,
    },
    /// The URL, with or without a message in the body.
    Url {
        /// What it says.
        beat: UrlBeat<'a>,
        /// Whether the answer is to be JSON.
        json: bool,
    },
    /// As another service takes it.
    Compat(Spoken<'a>),
}

impl<'a> BeatForm<'a> {
    /// The form of a request; `None` where it brings none. `host` is the name that it came under, and `is_ours` that its path
    /// means something here already.
    pub fn of(
        request: CompatRequest<'a>,
        host: Option<&[u8]>,
        is_ours: bool,
        policy: &Policy,
    ) -> Option<BeatForm<'a>> {
        let CompatRequest { method, path, query, .. } = request;
        if BEAT_PATHS.contains(&path) {
            return (method == "POST").then_some(BeatForm::Json { query });
        }
        if let Some(spoken) = compat::find(&policy.compat, request, host, false) {
            return Some(BeatForm::Compat(spoken));
        }
        let Some(beat) = UrlBeat::of(path, query) else {
            // Whatever is ours comes before what may be anything.
            let at_root = || compat::find(&policy.compat, request, host, true);
            return if is_ours { None } else { at_root().map(BeatForm::Compat) };
        };
        let takes = url_beat::METHODS.split(", ").any(|one| one == method);
        let json = url_beat::wants_json(request.header("accept").unwrap_or_default());
        takes.then_some(BeatForm::Url { beat, json })
    }

    /// What stands for a bearer token where another service has its secret elsewhere, as `Authorization` would have it.
    /// Nobody asks for it where there are no tokens.
    pub fn credential(&self, policy: &Policy, facts: &Facts<'_>, body: &[u8]) -> Option<Vec<u8>> {
        let BeatForm::Compat(spoken) = self else { return None };
        let is_asked_for = !policy.access.beat_tokens.is_empty() || self.changes().is_some();
        if !is_asked_for || facts.bearer().is_some() {
            return None;
        }
        let secret = spoken.dialect.credential(&CompatRequest { body, ..spoken.request })?;
        Some(format!("Bearer {secret}").into_bytes())
    }

    /// Whether it changes monitors, where it brings no beats but asks for monitors or changes them.
    pub fn changes(&self) -> Option<bool> {
        let BeatForm::Compat(spoken) = self else { return None };
        spoken.dialect.manager()?.changes(&spoken.request)
    }

    /// Whether its body is read before its sender is judged, since the secret may stand there.
    pub fn shows_credential_in_body(&self) -> bool {
        matches!(self, BeatForm::Compat(spoken) if spoken.dialect.shows_credential_in_body(&spoken.request))
    }

    /// Whether its body may be packed.
    pub fn takes_packed(&self) -> bool {
        matches!(self, BeatForm::Compat(spoken) if spoken.dialect.takes_packed())
    }
}

/// Takes the beats that were sent, and keeps them before it answers.
pub async fn bring(
    context: &Arc<ListenerContext>,
    policy: &Policy,
    client: Peer,
    nameless: Option<Id>,
    sent: SentBeats<'_>,
) -> Answer {
    let now = clock::now();
    let engine = &context.engine;
    let mut pending = Pending::new();
    engine.stats().busy(now.mono);
    let nameless = nameless.as_ref().map(Id::as_ref);
    let mut answer = take(context, policy, now, client, nameless, sent, &mut pending);
    let stored = if engine.refuses_unstored() && !pending.is_empty() {
        engine.stats().idle();
        // Several requests that wait for the disk wait for one and the same sync.
        let engine = engine.clone();
        let commit = tokio::task::spawn_blocking(move || engine.commit(now.wall, &mut pending));
        commit.await.unwrap_or(Err(NotStoredError))
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
    nameless: Option<IdRef<'_>>,
    sent: SentBeats<'_>,
    pending: &mut Pending,
) -> Answer {
    let transport = Transport::Http;
    let engine = &context.engine;
    let mut intake =
        BeatIntake { engine, policy, now, client, transport, follows_interval: true, pending, nameless };
    match sent.form {
        BeatForm::Json { query } => {
            let elsewhere = (!query.is_empty()).then(|| query::beat(query));
            take_body(&policy.limits, sent.body, elsewhere.as_ref(), |follows_interval, beat| {
                intake.follows_interval = follows_interval;
                intake.take(beat).map(|receipt| receipt.interval)
            })
        }
        BeatForm::Url { beat, json } => {
            let mut fields = beat.fields(sent.body);
            let beat = fields.beat();
            let warnings = beat.as_ref().map_or(Warnings::NONE, |beat| beat.warnings);
            match intake.take(beat) {
                Ok(receipt) => url_beat::taken(receipt.interval, warnings, json),
                Err(fault) => refusal(&fault),
            }
        }
        BeatForm::Compat(spoken) => super::compat::take(&mut intake, &spoken, sent.body),
    }
}
