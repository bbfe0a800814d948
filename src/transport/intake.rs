//! The one way in for beats of all transports: may the sender send so many, for which monitor is it, what does the log say.

use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Source, Transport};
use crate::domain::id::{Id, IdRef};
use crate::domain::policy::Policy;
use crate::domain::registry::Receipt;
use crate::domain::time::Now;
use crate::engine::stats::BeatResult;
use crate::engine::{BeatRefusal, Engine, Incoming, Pending, id_of_peer};
use crate::view::line::BeatLine;
use crate::wire::fields::BeatError;
use serde_json::{Value, json};

/// Takes the beats of one sender. What it has taken may be acknowledged once `pending` is committed.
pub struct BeatIntake<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// What is in force.
    pub policy: &'a Policy,
    /// When.
    pub now: Now,
    /// Who sends.
    pub client: Peer,
    /// How.
    pub transport: Transport,
    /// The sender is told the interval wanted of it and follows that, so that the governor may stretch it.
    pub follows_interval: bool,
    /// Where what changes is written down.
    pub pending: &'a mut Pending,
    /// The monitor of beats that name none, what [`named_by`] says; `None`: that of the address.
    pub nameless: Option<IdRef<'a>>,
}

/// The monitor of beats that name none, where a certificate names their sender. That of a proxy says nothing of the clients
/// that it forwards.
pub fn named_by(certificate: Option<IdRef<'_>>, peer: Peer, client: Peer) -> Option<Id> {
    certificate.filter(|_| client == peer).map(IdRef::to_id)
}

/// Why a beat was not taken.
#[derive(Debug)]
pub enum IntakeError {
    /// It is no beat.
    Invalid(BeatError),
    /// The engine refused it.
    Refused(BeatRefusal),
}

impl BeatIntake<'_> {
    /// Takes a beat and counts what became of it; returns what its sender is told.
    pub fn take(&mut self, beat: Result<Beat<'_>, BeatError>) -> Result<Receipt, IntakeError> {
        let taken =
            beat.map_err(IntakeError::Invalid).and_then(|beat| self.enter(&beat).map_err(IntakeError::of));
        if let Err(IntakeError::Refused(refusal)) = &taken {
            self.engine.note_refusal(self.now, *refusal, self.client);
        }
        let result = taken.as_ref().err().map_or(BeatResult::Accepted, IntakeError::result);
        self.engine.stats().beats(self.transport, result, 1);
        taken
    }

    fn enter(&mut self, beat: &Beat<'_>) -> Result<Receipt, BeatRefusal> {
        let BeatIntake { engine, policy, now, client, transport, follows_interval, nameless, .. } = *self;
        engine.may_send(now, client, policy)?;
        let named = beat.id.or(beat.ip).or(nameless);
        let of_peer = if named.is_none() { id_of_peer(client) } else { None };
        let monitor = named.or(of_peer.as_ref().map(Id::as_ref)).ok_or(BeatRefusal::Full)?;
        let line = BeatLine {
            peer: client,
            ip: beat.ip.map(IdRef::as_str),
            id: beat.id.filter(|id| beat.ip != Some(*id)).map(IdRef::as_str),
            transport: transport.name(),
            status: (beat.status.verdict() != Some(true)).then(|| beat.status.name()),
            exit: beat.status.failure(),
        };
        let source = Source { peer: client, transport };
        let incoming = Incoming { now, monitor, beat, source, follows_interval };
        let log = || engine.log().beat(now.wall, &line);
        engine.beat(&incoming, policy, self.pending, log)
    }
}

impl IntakeError {
    /// Of a refusal of the engine. That the id is none is an error in the beat, though only the engine knows whether there is
    /// such a monitor already.
    fn of(refusal: BeatRefusal) -> IntakeError {
        match refusal {
            BeatRefusal::Id(error) => IntakeError::Invalid(BeatError::of("id", error.to_string())),
            refusal => IntakeError::Refused(refusal),
        }
    }

    /// What it is counted as.
    pub fn result(&self) -> BeatResult {
        match self {
            IntakeError::Invalid(_) => BeatResult::Invalid,
            IntakeError::Refused(BeatRefusal::Full) => BeatResult::Full,
            IntakeError::Refused(_) => BeatResult::Limited,
        }
    }

    /// What its sender is told.
    pub fn reason(&self) -> &str {
        match self {
            IntakeError::Invalid(error) => &error.reason,
            IntakeError::Refused(BeatRefusal::TooManyBeats(_)) => {
                "too many beats from this address (limits.beats_per_second)"
            }
            IntakeError::Refused(BeatRefusal::TooManyNew(_)) => {
                "too many new monitors from this address (limits.new_monitors_per_hour)"
            }
            IntakeError::Refused(BeatRefusal::Full) => "no room for another monitor (limits.monitors)",
            IntakeError::Refused(BeatRefusal::Id(_)) => "not an id",
        }
    }

    /// As an element of a batch's `rejected`.
    pub fn item(&self, index: usize) -> Value {
        match self {
            IntakeError::Invalid(BeatError { field: Some(field), reason, .. }) => {
                json!({ "index": index, "field": field, "error": reason })
            }
            _ => json!({ "index": index, "error": self.reason() }),
        }
    }
}
