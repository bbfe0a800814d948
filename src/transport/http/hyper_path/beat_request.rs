//! Requests that bring beats, read as hyper reads them: who may is judged by the head, then the body is read within its
//! limits, then the beats are taken.

use crate::domain::address::Peer;
use crate::domain::id::Id;
use crate::domain::limits::{CONTROL_BODY_BYTES_MAX, UNCOUNTED_BYTES};
use crate::domain::policy::Policy;
use crate::sys::clock;
use crate::transport::budget::{self, MemoryReservation, ShedSignal};
use crate::transport::http::beats::{self, BeatForm, SentBeats};
use crate::transport::http::compat;
use crate::transport::http::routes::{Caller, foreign};
use crate::transport::intake::named_by;
use crate::transport::listener_context::ListenerContext;
use crate::wire::answer::Answer;
use crate::wire::compat::{CompatRequest, Spoken};
use crate::wire::head::Facts;
use bytes::BytesMut;
use hyper::body::{Body, Incoming};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Takes beats, in whichever form.
pub(super) async fn bring(
    context: &Arc<ListenerContext>,
    policy: &Policy,
    (peer, name, shed): (Peer, Option<Id>, &Arc<ShedSignal>),
    caller: Caller,
    facts: &Facts<'_>,
    (form, coded): (BeatForm<'_>, bool),
    body: Incoming,
) -> Answer {
    if let (BeatForm::Compat(spoken), Some(changes)) = (form, form.changes()) {
        return manage(context, policy, (peer, shed), caller, facts, (spoken, changes, coded), body).await;
    }
    let held_by = |client| MemoryReservation::of(context.permits.budget.clone(), client, shed);
    let most = (policy.limits.body_bytes, "limits.body_bytes");
    let judge = |facts: &Facts<'_>, body: &[u8]| {
        let admitted = match caller {
            Caller::Network(peer) => beats::admit(context, policy, peer, facts),
            Caller::Control => Ok(peer),
            Caller::Stranger => Err(Caller::refused()),
        };
        admitted.map_err(|refused| match form {
            BeatForm::Compat(spoken) => compat::denied(&spoken, body, refused),
            _ => refused,
        })
    };
    let is_packed = coded && !form.takes_packed();
    if form.shows_credential_in_body() && !is_packed && beats::is_near(context, policy, peer, facts) {
        let mut held = held_by(peer);
        let body = match read_body(context, body, most, policy, &mut held).await {
            Ok(body) => body,
            Err(refused) => return refused,
        };
        let shown = form.credential(policy, facts, &body);
        let facts = facts.showing(shown.as_deref());
        // What a header shows has waited before.
        let is_new = shown.is_some() && matches!(caller, Caller::Network(_));
        if let Some(wait) = beats::token_wait(context, peer, &facts, clock::mono()).filter(|_| is_new) {
            tokio::time::sleep(Duration::from_millis(wait.0)).await;
        }
        let judged = judge(&facts, &body);
        return match judged {
            Ok(client) => beats::bring(context, policy, client, None, SentBeats { form, body: &body }).await,
            Err(refused) => refused,
        };
    }
    let client = match judge(facts, b"") {
        Ok(client) => client,
        Err(refused) => return refused,
    };
    if is_packed {
        return not_as_it_is();
    }
    match read_body(context, body, most, policy, &mut held_by(client)).await {
        Ok(body) => {
            let name = named_by(name.as_ref().map(Id::as_ref), peer, client);
            beats::bring(context, policy, client, name, SentBeats { form, body: &body }).await
        }
        Err(refused) => refused,
    }
}

/// Does what another service's own API wants of monitors.
async fn manage(
    context: &Arc<ListenerContext>,
    policy: &Policy,
    (peer, shed): (Peer, &Arc<ShedSignal>),
    caller: Caller,
    facts: &Facts<'_>,
    (spoken, changes, coded): (Spoken<'_>, bool, bool),
    body: Incoming,
) -> Answer {
    if let Err(refused) = foreign::admit(context, policy, caller, facts, changes) {
        return compat::denied(&spoken, b"", refused);
    }
    if coded {
        return not_as_it_is();
    }
    let Some(manager) = spoken.dialect.manager() else { return Answer::error(404, "no such path") };
    let mut held = MemoryReservation::of(context.permits.budget.clone(), peer, shed);
    let most = (CONTROL_BODY_BYTES_MAX, "64 KiB are enough for this");
    match read_body(context, body, most, policy, &mut held).await {
        Ok(body) => foreign::answer(context, manager, CompatRequest { body: &body, ..spoken.request }).await,
        Err(refused) => refused,
    }
}

/// What is answered to a body that is packed.
pub(super) fn not_as_it_is() -> Answer {
    Answer::error(415, "send the body as it is: Content-Encoding must be identity").closing()
}

/// Reads a body within its limits of size, which has a name, and time.
pub(super) async fn read_body(
    context: &ListenerContext,
    mut body: Incoming,
    (bytes_max, named): (usize, &str),
    policy: &Policy,
    held: &mut MemoryReservation,
) -> Result<BytesMut, Answer> {
    let limits = &policy.limits;
    let too_large =
        || Answer::error(413, &format!("the body is larger than {bytes_max} bytes ({named})")).closing();
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let reading = async {
        let mut whole = BytesMut::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let frame = frame
                .map_err(|_| Answer::error(400, "the body ended early or its chunks are broken").closing())?;
            if let Some(data) = frame.data_ref() {
                if whole.len() + data.len() > bytes_max {
                    return Err(too_large());
                }
                // It grows by doubling.
                let room = 2 * (whole.len() + data.len());
                if room > UNCOUNTED_BYTES && room > held.bytes() {
                    held.set(room, limits.memory).map_err(|why| {
                        context.engine.stats().count_refused(why);
                        budget::refusal(why).closing()
                    })?;
                }
                whole.extend_from_slice(data);
            }
        }
        Ok(whole)
    };
    match tokio::time::timeout(Duration::from_millis(limits.body_timeout.0), reading).await {
        Ok(read) => read,
        Err(_) => Err(Answer::timed_out(true).closing()),
    }
}
