//! What all connections of a reactor share while it turns: the buffers, the circumstances, and what is to happen next.

use super::http::OkAnswer;
use super::ws::WsAnswer;
use crate::domain::limits::SCRATCH_BYTES;
use crate::domain::policy::Policy;
use crate::domain::time::{Now, Span};
use crate::engine::Pending;
use crate::transport::http::Dates;
use crate::wire::answer::Answer;
use crate::wire::line::Reply;

/// A second, as a connection counts them for its deadlines, that does not come.
pub const NEVER: u32 = u32::MAX;

/// What a connection is told that the policy now in force bars, and by which key.
pub fn not_any_more(key: &str) -> String {
    format!("not allowed any more: see {key}")
}

/// What all connections of a thread share: one buffer to read into, one to write from.
pub struct Scratch {
    /// Where bytes are read to.
    pub input: Box<[u8]>,
    /// Where answers are put together.
    pub output: Vec<u8>,
    /// The `Date` header.
    pub dates: Dates,
    /// The most frequent answer of HTTP.
    pub(super) ok: OkAnswer,
    /// What the beats of this turn have changed, to be on record before any of them is answered.
    pub pending: Pending,
    /// The answers of this turn, connection after connection.
    pub answers: Vec<PendingAnswer>,
}

/// One answer that waits until what it acknowledges is kept.
pub enum PendingAnswer {
    /// To an HTTP request.
    Http(Answer),
    /// On a raw TCP connection, and how many beats it acknowledges.
    Tcp(Reply, u64),
    /// In a WebSocket.
    Ws(WsAnswer),
}

/// The circumstances of one reading.
#[derive(Clone, Copy)]
pub struct TurnContext<'a> {
    /// What is in force.
    pub policy: &'a Policy,
    /// The time.
    pub now: Now,
    /// The same in milliseconds since the thread began.
    pub now_ms: u64,
    /// The same in whole seconds, for deadlines.
    pub now_s: u32,
    /// Whether the daemon is stopping, and the connection at hand with it.
    pub draining: bool,
    /// Whether it makes room for a next process, which goes on with what can be left to it.
    pub next_follows: bool,
}

/// What is to happen to a connection after a reading.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Wait until the socket is ready again.
    Wait,
    /// Come back soon: there is more to read, but others have waited.
    Again,
    /// So many answers wait in the scratch until what they acknowledge is kept; and whether to come back after that.
    Answers(usize, bool),
    /// The handshake is over, and what the connection is for can begin.
    Begin,
    /// It is over.
    Close,
    /// Hyper shall have it.
    HandOver,
}

impl Scratch {
    /// A scratch for one thread.
    pub fn new() -> Scratch {
        Scratch {
            input: vec![0; SCRATCH_BYTES].into(),
            output: Vec::new(),
            dates: Dates::default(),
            ok: OkAnswer::default(),
            pending: Pending::new(),
            answers: Vec::new(),
        }
    }
}

impl TurnContext<'_> {
    /// The first second of the thread that begins no earlier than after the span.
    pub fn second_after(&self, span: Span) -> u32 {
        u32::try_from(self.now_ms.saturating_add(span.0).div_ceil(1000)).unwrap_or(u32::MAX)
    }
}

impl PendingAnswer {
    /// How many beats it acknowledges.
    pub fn acknowledges(&self) -> u64 {
        match self {
            PendingAnswer::Http(answer) => answer.acknowledges,
            PendingAnswer::Tcp(_, beats) => *beats,
            PendingAnswer::Ws(say) => say.acknowledges(),
        }
    }

    /// What becomes of it when those could not be kept, see [`Answer::not_stored`].
    pub fn not_stored(&mut self, refuse: bool) {
        match self {
            PendingAnswer::Http(answer) => answer.not_stored(refuse),
            PendingAnswer::Tcp(reply, beats) if refuse && *beats > 0 => reply.not_stored(),
            PendingAnswer::Tcp(..) => {}
            PendingAnswer::Ws(say) => say.not_stored(refuse),
        }
    }
}
