//! What all connections of a reactor share while it turns: buffers, and what their beats have changed.

use crate::domain::limits::SCRATCH_BYTES;
use crate::engine::Pending;
use crate::transport::conversation::answers::{AnswerCache, AnswerTicket, PendingAnswers};

/// The buffers of a thread.
pub struct Scratch {
    /// Where bytes are read to.
    pub input: Box<[u8]>,
    /// What the turn brings about.
    pub turn: TurnOutput,
    pub(super) cache: AnswerCache,
}

/// What a turn brings about.
#[derive(Default)]
pub struct TurnOutput {
    /// What the beats of this turn have changed, to be on record before any of them is answered.
    pub pending: Pending,
    /// The answers of this turn.
    pub answers: PendingAnswers,
    /// Bytes of the connection at hand that acknowledge nothing.
    pub bytes: Vec<u8>,
}

/// What is to happen to a connection after a turn.
#[derive(Debug)]
pub enum Action {
    /// Wait until the socket is ready again.
    Wait,
    /// Come back soon: there is more to read, but other connections have waited.
    Again,
    /// Answer once the beats are on record; `again`: then come back.
    AwaitCommit {
        /// The answers.
        ticket: AnswerTicket,
        /// The socket may hold more.
        again: bool,
    },
    /// The handshake is over, and what the connection is for begins.
    Begin,
    /// Close it.
    Close,
    /// hyper takes it over.
    HandOver,
}

impl Scratch {
    /// For one thread.
    pub fn new() -> Scratch {
        Scratch {
            input: vec![0; SCRATCH_BYTES].into(),
            turn: TurnOutput::default(),
            cache: AnswerCache::default(),
        }
    }
}
