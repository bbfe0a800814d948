//! What is said over a connection, as plain values: bytes and the time go in, intents come out.
//!
//! A conversation knows no socket, no engine and no clock. While it works it asks its [`Host`] for what it wants done (take
//! this beat, this monitor departs, answer this, send these bytes), and returns with a [`Flow`] how the connection goes on.
//! Between two calls it keeps what it is in the middle of and its deadlines, and nothing else; it can be parked, which is
//! to say written down for the next process.
//!
//! [`http`] is the fast path, [`tcp`] the dialects of raw TCP, [`ws`] a WebSocket after its handshake. The reactor gives
//! them what it reads from the socket (`reactor/connection.rs`), the tests what they like.

pub mod answers;
pub mod http;
#[cfg(test)]
mod play;
pub mod tcp;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod ws;

use crate::domain::address::Peer;
use crate::domain::beat::Beat;
use crate::domain::id::IdRef;
use crate::domain::notice::Notice;
use crate::domain::policy::Policy;
use crate::domain::registry::Receipt;
use crate::domain::time::{Now, Span};
use crate::engine::SenderRefusal;
use crate::engine::intake::claims::Claims;
use crate::engine::stats::{BeatResult, ConnectionRefusal};
use crate::transport::intake::IntakeError;
use crate::wire::answer::Answer;
use crate::wire::fields::BeatError;
use crate::wire::head::Plain;
use answers::PendingAnswer;
use std::sync::Arc;

/// A second of the reactor's thread, as deadlines are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Second(pub u32);

/// The circumstances of one turn.
#[derive(Clone, Copy)]
pub struct TurnContext<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// The time.
    pub now: Now,
    /// The same in milliseconds since the thread began.
    pub now_ms: u64,
    /// Why the connection at hand shall end, if it shall.
    pub ending: Option<EndReason>,
}

/// Why connections are ended by the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// It stops.
    Stop,
    /// A next process follows, and this connection cannot be parked for it.
    Restart,
}

/// What a conversation asks of the outside.
pub trait Host {
    /// The client.
    fn peer(&self) -> Peer;
    /// The name in the client's certificate, where that can name a monitor.
    fn certificate(&self) -> Option<IdRef<'_>>;
    /// The claims of connections on ids.
    fn claims(&self) -> &Arc<Claims>;
    /// Takes a beat; one that names no monitor is for `nameless`, else for the address. `follows_interval`: its sender is told
    /// the interval wanted of it, so the governor may stretch that.
    fn beat(
        &mut self,
        beat: Result<Beat<'_>, BeatError>,
        nameless: Option<IdRef<'_>>,
        follows_interval: bool,
    ) -> Result<Receipt, IntakeError>;
    /// Takes the beats of an HTTP request; `None` where its token must wait before it is looked at.
    fn request(&mut self, plain: &Plain<'_>) -> Option<Answer>;
    /// The connection's own monitor departs; `is_silent`: because it was silent for too long.
    fn depart(&mut self, id: IdRef<'_>, is_silent: bool);
    /// Two live connections beat in turns for an id.
    fn contend(&mut self, id: IdRef<'_>, pair: [Peer; 2]);
    /// How long a token of this client must wait before it is looked at.
    fn token_wait(&self) -> Option<Span>;
    /// Notes that the client showed a wrong token for a configuration key.
    fn note_wrong_token(&mut self, key: &'static str);
    /// Notes that the client was refused.
    fn note_refused(&mut self, why: SenderRefusal);
    /// Counts why a connection ends.
    fn count(&mut self, why: ConnectionRefusal);
    /// Counts a beat that did not come to [`Host::beat`].
    fn count_beat(&mut self, result: BeatResult);
    /// Writes to the log.
    fn log(&mut self, notice: Notice);
    /// An answer, to be sent once the beats of this turn are on record.
    fn answer(&mut self, answer: PendingAnswer);
    /// Whether this turn has answers.
    fn has_answers(&self) -> bool;
    /// Bytes that acknowledge nothing, to be sent at once. Not in a turn that has answers.
    fn send(&mut self, bytes: &[u8]);
    /// Whether bytes wait for the socket.
    fn is_blocked(&self) -> bool;
}

/// How a connection goes on after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It is read as long as there is something.
    Continue,
    /// It is read again soon: there may be something that no event will tell of.
    ReadAgain,
    /// It is not read before the next event or deadline.
    Pause,
    /// All is said: the writing side is shut down, and the client is heard out so that it gets to read the end.
    Linger,
    /// hyper takes it over.
    HandOver,
    /// It is closed.
    Close,
}

/// What became of bytes for the socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// They were answers that waited for the commit.
    pub is_answer: bool,
    /// Bytes waited before.
    pub was_blocked: bool,
    /// Bytes wait now.
    pub is_blocked: bool,
    /// The socket has taken something.
    pub has_progressed: bool,
    /// How many bytes wait that TLS does not hold.
    pub unsent_bytes: usize,
}

/// One side of a connection, as the reactor drives it. While answers wait for the commit none of these is called.
pub trait Conversation {
    /// Takes bytes in behind those that it keeps; none: looks at those alone.
    fn receive(&mut self, bytes: &mut [u8], turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow;
    /// Whether it keeps bytes that have not been looked at.
    fn has_unread(&self) -> bool;
    /// Whether it takes no bytes for now.
    fn is_paused(&self, _: &TurnContext<'_>) -> bool {
        false
    }
    /// Nothing more can be read for now.
    fn rest(&mut self, _: &TurnContext<'_>, _: &mut dyn Host) -> Flow {
        Flow::Continue
    }
    /// The client sends no more.
    fn end_of_input(&mut self, _: &TurnContext<'_>, _: &mut dyn Host) -> Flow {
        Flow::Close
    }
    /// Bytes were given to the socket, or it was tried.
    fn sent(&mut self, sent: Sent, turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow;
    /// The deadline has passed.
    fn time_out(&mut self, is_blocked: bool, turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow;
    /// When that is.
    fn due(&self) -> Second;
    /// Judges the connection by the policy in force; `has_changed`: by another one than it was let in under.
    fn judge(&mut self, _has_changed: bool, _: &TurnContext<'_>, _: &mut dyn Host) -> Flow {
        Flow::Continue
    }
    /// The connection ends, whatever the reason.
    fn depart(&self, _: &mut dyn Host) {}
    /// Where it only hears the client out: how many bytes that were.
    fn lingering(&mut self) -> Option<&mut u32>;
    /// Bytes that it reads at once.
    fn read_bytes_max(&self) -> usize {
        usize::MAX
    }
    /// Whether nothing has begun, so that a stop may close it.
    fn is_idle(&self) -> bool;
    /// Bytes that it keeps.
    fn kept_bytes(&self) -> usize;
}

impl Second {
    /// One that does not come.
    pub const NEVER: Second = Second(u32::MAX);

    /// Whether it has come.
    pub fn is_due(self, turn: &TurnContext<'_>) -> bool {
        self.0 <= turn.now_s()
    }
}

impl TurnContext<'_> {
    /// The present second of the thread.
    pub fn now_s(&self) -> u32 {
        (self.now_ms / 1000) as u32
    }

    /// The first second of the thread that begins no earlier than after the span.
    pub fn second_after(&self, span: Span) -> Second {
        Second(u32::try_from(self.now_ms.saturating_add(span.0).div_ceil(1000)).unwrap_or(u32::MAX))
    }

    /// The second of the next ping. Deadlines are looked at once at the beginning of each second, so pings are so many
    /// seconds apart and not one more.
    pub fn ping_after(&self, interval: Span) -> Second {
        Second(self.now_s().saturating_add(u32::try_from(interval.as_secs_ceil()).unwrap_or(u32::MAX)))
    }

    /// When what waits for the socket must have moved on, given when that was `before`; while nothing waits, never.
    pub fn stalled_after(&self, before: Second, sent: Sent) -> Second {
        match sent.is_blocked {
            false => Second::NEVER,
            true if sent.has_progressed || before == Second::NEVER => {
                self.second_after(self.policy.limits.write_timeout)
            }
            true => before,
        }
    }
}

/// What a connection is told that the policy in force bars, and by which key.
fn barred_by(key: &str) -> String {
    format!("not allowed any more: see {key}")
}
