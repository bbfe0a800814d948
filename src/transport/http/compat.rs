//! Requests in the dialects of other services: what `wire/compat` makes of one is taken like any other beat, and what became
//! of it is answered in the words of its service.

use crate::domain::beat::Transport;
use crate::engine::stats::BeatResult;
use crate::transport::beat_body::refusal;
use crate::transport::intake::{BeatIntake, IntakeError};
use crate::wire::answer::Answer;
use crate::wire::compat::{CompatRefusal, CompatRequest, Spoken};

/// Takes the beats of a request whose body has come.
pub fn take(intake: &mut BeatIntake<'_>, spoken: &Spoken<'_>, body: &[u8]) -> Answer {
    let request = CompatRequest { body, ..spoken.request };
    let dialect = spoken.dialect;
    let beats = match dialect.read(&request) {
        Ok(beats) => beats,
        Err(answer) => {
            if answer.status >= 400 {
                intake.engine.stats().beats(Transport::Http, BeatResult::Invalid, 1);
            }
            return answer;
        }
    };
    // Its client knows nothing of our header.
    intake.follows_interval = false;
    let is_secret_asked = !intake.policy.access.beat_tokens.is_empty();
    let mut receipts = Vec::new();
    let mut refused = None;
    for mut one in beats {
        if one.is_name_secret && is_secret_asked {
            one.fields.hide_id();
        }
        let beat = one.fields.beat();
        let id = beat.as_ref().ok().and_then(|beat| beat.id);
        let is_unknown = id.is_some_and(|id| intake.engine.get(id).is_none());
        if spoken.is_strict && !one.creates && is_unknown {
            intake.engine.stats().beats(Transport::Http, BeatResult::Invalid, 1);
            refused.get_or_insert_with(|| dialect.refused(&request, &CompatRefusal::Unknown));
            continue;
        }
        match intake.take(beat) {
            Ok(receipt) => receipts.push(receipt),
            Err(fault) => {
                refused.get_or_insert_with(|| match &fault {
                    IntakeError::Invalid(error) => dialect.refused(&request, &CompatRefusal::Invalid(error)),
                    fault @ IntakeError::Refused(_) => refusal(fault),
                });
            }
        }
    }
    match refused {
        Some(refused) if receipts.is_empty() => refused,
        _ => Answer { acknowledges: receipts.len() as u64, ..dialect.taken(&request, &receipts) },
    }
}

/// What is answered where its sender may not, in the words of the service where the secret is to blame.
pub fn denied(spoken: &Spoken<'_>, body: &[u8], ours: Answer) -> Answer {
    if ours.status != 401 {
        return ours;
    }
    let request = CompatRequest { body, ..spoken.request };
    spoken.dialect.refused(&request, &CompatRefusal::Credential).closing()
}
