//! The beats in a body, whatever it came in, and what they are answered.

use crate::domain::beat::{Beat, Warnings};
use crate::domain::limits::{BATCH_WARNINGS_MAX, Limits, REJECTED_NAMED_MAX};
use crate::domain::time::Span;
use crate::engine::BeatRefusal;
use crate::transport::intake::IntakeError;
use crate::wire::answer::Answer;
use crate::wire::fields::{BeatError, Fields};
use crate::wire::json::{self, Body};
use serde_json::{Value, json};

/// Takes a body apart and answers it, whatever it came in. `take` has the beats one after another, and whether the
/// answer names the interval that is wanted of that very one: the answer to many has one for all, so nobody among them
/// is asked for a longer one. What a beat does not say is taken from `elsewhere`.
pub fn take_body(
    limits: &Limits,
    body: &[u8],
    elsewhere: Option<&Fields<'static>>,
    mut take: impl FnMut(bool, Result<Beat<'_>, BeatError>) -> Result<Span, IntakeError>,
) -> Answer {
    let text = BodyText { repaired: false, elsewhere };
    let error = match json::parse(body, limits) {
        // The ordinary case stays here: carried further, some hundred bytes of fields would be copied.
        Ok(Body::One(ref mut fields)) => return one(text.take(fields, |beat| take(true, beat))),
        Err(error) if std::str::from_utf8(body).is_err() => error,
        read => return take_all(read, text, take),
    };
    // The output of a job may be in any encoding, and is no reason not to hear of its end.
    let repaired = String::from_utf8_lossy(body);
    let text = BodyText { repaired: true, elsewhere };
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
struct BodyText<'t> {
    /// It was not UTF-8.
    repaired: bool,
    elsewhere: Option<&'t Fields<'static>>,
}

impl BodyText<'_> {
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

fn take_all(
    read: Result<Body<'_>, BeatError>,
    text: BodyText<'_>,
    mut take: impl FnMut(bool, Result<Beat<'_>, BeatError>) -> Result<Span, IntakeError>,
) -> Answer {
    match read {
        Ok(Body::One(mut fields)) => one(text.take(&mut fields, |beat| take(true, beat))),
        Ok(Body::Many(items)) => many(items, text, |beat| take(false, beat)),
        Err(error) => one((take(true, Err(error)), Warnings::NONE)),
    }
}

/// The answer to one beat.
fn one((taken, warnings): (Result<Span, IntakeError>, Warnings)) -> Answer {
    match taken {
        Ok(interval) => Answer::taken(interval, warnings),
        Err(fault) => refusal(&fault),
    }
}

fn many(
    items: json::Many<'_>,
    text: BodyText<'_>,
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
        IntakeError::Refused(BeatRefusal::TooManyBeats(wait) | BeatRefusal::TooManyNew(wait)) => {
            Answer::too_often(fault.reason(), *wait)
        }
        IntakeError::Refused(BeatRefusal::Full) => Answer::unavailable(fault.reason(), Span::secs(60)),
        IntakeError::Refused(BeatRefusal::Id(_)) => Answer::wrong(400, fault.reason(), Some("id")),
    }
}
