//! What the messages of a WebSocket are: beats for its monitor, and what they are answered.

use super::{CLAIM_KIND, PING, WsConversation, WsStage};
use crate::domain::beat::{Beat, Status};
use crate::domain::id::{Id, IdRef};
use crate::domain::time::Span;
use crate::engine::id_of_peer;
use crate::transport::beat_body;
use crate::transport::conversation::answers::PendingAnswer;
use crate::transport::conversation::{Host, TurnContext};
use crate::transport::intake::IntakeError;
use crate::wire::answer::Answer;
use crate::wire::ws::{Opcode, WsEvent};

impl WsConversation {
    /// Keeps the claim on its monitor, which is that of its address if none was named.
    pub(super) fn renew_claim(&mut self, host: &mut dyn Host) {
        match &self.claim {
            _ if self.echoes || self.stage != WsStage::Open => {}
            Some(claim) => {
                if let Some(pair) = claim.renew(host.peer()).filter(|_| self.is_named) {
                    host.contend(claim.id(), pair);
                }
            }
            None => {
                if let Some(address) = id_of_peer(host.peer()) {
                    self.set_claim(address.as_ref(), host);
                }
            }
        }
    }

    fn set_claim(&mut self, id: IdRef<'_>, host: &dyn Host) {
        if self.claim.as_ref().is_none_or(|claim| claim.id() != id) {
            self.claim = Some(Box::new(host.claims().claim(CLAIM_KIND, id, host.peer())));
        }
    }

    /// The monitor that was named.
    pub(super) fn name(&self) -> Option<IdRef<'_>> {
        self.claim.as_ref().filter(|_| self.is_named).map(|claim| claim.id())
    }

    /// Takes an event; what it is answered.
    pub(super) fn take_event(
        &mut self,
        event: WsEvent<'_>,
        turn: &TurnContext<'_>,
        host: &mut dyn Host,
    ) -> Option<PendingAnswer> {
        let mut owed = Vec::new();
        self.session.reply(&event, None, &mut owed);
        Some(match event {
            WsEvent::Close { .. } => {
                self.stage = WsStage::Ending;
                PendingAnswer::WsFrames(owed, 0)
            }
            _ if self.stage != WsStage::Open => return None,
            WsEvent::Message { text, bytes } if self.echoes => {
                let opcode = if text { Opcode::Text } else { Opcode::Binary };
                self.session.send(opcode, &bytes, None, &mut owed);
                PendingAnswer::WsFrames(owed, 0)
            }
            _ if self.echoes => PendingAnswer::WsFrames(owed, 0),
            WsEvent::Message { text: true, bytes } if bytes.trim_ascii() == PING => {
                PendingAnswer::WsWord(match self.sign(turn, host) {
                    Some(Ok(interval)) => Answer::ok(interval),
                    Some(Err(error)) => beat_body::refusal(&error),
                    None => Answer { acknowledges: 0, ..Answer::ok(turn.policy.websocket.ping_interval) },
                })
            }
            WsEvent::Message { bytes, .. } => PendingAnswer::WsJson(self.take_json(&bytes, turn, host)),
            WsEvent::Ping(_) | WsEvent::Pong(_) => {
                let is_taken = matches!(self.sign(turn, host), Some(Ok(_)));
                PendingAnswer::WsFrames(owed, is_taken.into())
            }
        })
    }

    /// Takes a sign of life that says nothing else; `None` where it is no beat.
    fn sign(&self, turn: &TurnContext<'_>, host: &mut dyn Host) -> Option<Result<Span, IntakeError>> {
        let beat = with_target(Beat::default(), self.name(), turn);
        self.is_healthy.then(|| host.beat(Ok(beat), None, false).map(|receipt| receipt.interval))
    }

    fn take_json(&mut self, body: &[u8], turn: &TurnContext<'_>, host: &mut dyn Host) -> Answer {
        let (mut named, mut is_healthy) = (None::<Id>, self.is_healthy);
        let answer = beat_body::take_body(&turn.policy.limits, body, None, |follows_interval, beat| {
            let beat = match beat {
                Ok(beat) => beat,
                Err(error) => return host.beat(Err(error), None, follows_interval).map(|it| it.interval),
            };
            let (name, status) = (beat.id.or(beat.ip).map(IdRef::to_id), beat.status);
            let known = named.as_ref().map(Id::as_ref).or(self.name());
            let interval = host.beat(Ok(with_target(beat, known, turn)), None, follows_interval)?.interval;
            if name.is_some() {
                named = name;
            }
            if status != Status::Log {
                is_healthy = status.verdict() == Some(true);
            }
            Ok(interval)
        });
        self.is_healthy = is_healthy;
        if let Some(name) = named {
            self.set_claim(name.as_ref(), host);
            self.is_named = true;
        }
        answer
    }
}

/// A beat that names no monitor is for the one that was named before; where none was, the address is expected to beat as
/// often as it is pinged.
fn with_target<'a>(beat: Beat<'a>, known: Option<IdRef<'a>>, turn: &TurnContext<'_>) -> Beat<'a> {
    let times = turn.policy.websocket;
    match known {
        _ if beat.id.is_some() || beat.ip.is_some() => beat,
        Some(id) => Beat { id: Some(id), ..beat },
        None if beat.interval.is_some() => beat,
        None => {
            Beat { interval: Some(times.ping_interval), grace: beat.grace.or(Some(times.grace())), ..beat }
        }
    }
}
