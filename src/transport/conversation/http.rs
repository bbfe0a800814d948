//! HTTP as far as the fast path goes: plain beats, one after another, until a request comes that hyper shall have.
//!
//! Between two readings only the beginning of an unfinished request is kept.

use super::answers::PendingAnswer;
use super::{Conversation, Flow, Host, Second, Sent, TurnContext};
use crate::domain::limits::LINGER_MAX;
use crate::engine::stats::ConnectionRefusal;
use crate::wire::answer::Answer;
use crate::wire::blob;
use crate::wire::head::{self, HeadStep};
use serde::{Deserialize, Serialize};

/// What the connection is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum HttpStage {
    Idle,
    Head,
    Body,
    /// All is said; the client is heard out so that it gets to read it.
    Lingering,
}

/// What happens once everything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum HttpThen {
    Read,
    Close,
    Linger,
    HandOver,
}

/// The conversation over an HTTP connection.
#[derive(Debug)]
pub struct HttpConversation {
    /// The beginning of a request that is not whole.
    carry: Vec<u8>,
    /// `carry` has not been looked at.
    is_unread: bool,
    then: HttpThen,
    stage: HttpStage,
    heard_bytes: u32,
    due: Second,
}

/// The same as it is parked.
#[derive(Debug, Serialize, Deserialize)]
pub struct ParkedHttp {
    #[serde(with = "blob")]
    carry: Vec<u8>,
    then: HttpThen,
    stage: HttpStage,
    heard_bytes: u32,
}

impl HttpConversation {
    /// On a connection that is new, or comes back from an HTTP worker with what was `read` of its next request.
    pub fn new(read: Vec<u8>, turn: &TurnContext<'_>) -> HttpConversation {
        HttpConversation {
            is_unread: !read.is_empty(),
            carry: read,
            then: HttpThen::Read,
            stage: HttpStage::Idle,
            heard_bytes: 0,
            due: turn.second_after(turn.policy.limits.idle_timeout),
        }
    }

    /// One of the process before this one. What it kept is read anew from its first byte.
    pub fn resume(parked: ParkedHttp, is_blocked: bool, turn: &TurnContext<'_>) -> HttpConversation {
        let ParkedHttp { carry, then, stage, heard_bytes } = parked;
        let mut http = HttpConversation { then, heard_bytes, ..HttpConversation::new(carry, turn) };
        http.enter(stage, true, turn);
        if is_blocked {
            http.due = turn.second_after(turn.policy.limits.write_timeout);
        }
        http
    }

    /// For the next process.
    pub fn park(self) -> ParkedHttp {
        let HttpConversation { carry, then, stage, heard_bytes, .. } = self;
        ParkedHttp { carry, then, stage, heard_bytes }
    }

    /// The bytes that hyper shall read first.
    pub fn into_unread(self) -> Vec<u8> {
        self.carry
    }

    /// Takes every whole beat in `read`.
    fn take_beats(&mut self, read: &[u8], turn: &TurnContext<'_>, host: &mut dyn Host) -> usize {
        let mut used = 0;
        self.then = HttpThen::Read;
        let mut stage = HttpStage::Idle;
        while used < read.len() {
            match head::next(&read[used..], &turn.policy.limits) {
                HeadStep::Beat(plain) => {
                    // An HTTP worker can wait for the token's turn.
                    let Some(mut answer) = host.request(&plain) else {
                        self.then = HttpThen::HandOver;
                        break;
                    };
                    used += plain.bytes;
                    let is_refused = answer.close;
                    answer.close |= plain.close || turn.ending.is_some();
                    let closes = answer.close;
                    host.answer(PendingAnswer::Http(answer));
                    if closes {
                        // With bytes unread, the kernel would answer them with a reset, and the answer would be lost.
                        self.then =
                            if is_refused || used < read.len() { HttpThen::Linger } else { HttpThen::Close };
                        break;
                    }
                }
                HeadStep::Partial { in_body } => {
                    stage = if in_body { HttpStage::Body } else { HttpStage::Head };
                    break;
                }
                HeadStep::Other => {
                    self.then = HttpThen::HandOver;
                    break;
                }
            }
        }
        self.enter(stage, used > 0, turn);
        if matches!(self.then, HttpThen::Close | HttpThen::Linger) { read.len() } else { used }
    }

    /// Begins a stage. A request must end in time counted from its first byte, so more of the same stage does not move the
    /// deadline.
    fn enter(&mut self, stage: HttpStage, is_new: bool, turn: &TurnContext<'_>) {
        if is_new || stage != self.stage || stage == HttpStage::Idle {
            let limits = &turn.policy.limits;
            self.due = turn.second_after(match stage {
                HttpStage::Idle => limits.idle_timeout,
                HttpStage::Head => limits.header_timeout,
                HttpStage::Body => limits.body_timeout,
                HttpStage::Lingering => LINGER_MAX,
            });
        }
        self.stage = stage;
    }

    /// What comes after everything is sent.
    fn proceed(&mut self, turn: &TurnContext<'_>) -> Flow {
        match self.then {
            HttpThen::Read => Flow::Continue,
            HttpThen::Close => Flow::Close,
            HttpThen::HandOver => Flow::HandOver,
            HttpThen::Linger => {
                self.enter(HttpStage::Lingering, true, turn);
                Flow::Linger
            }
        }
    }
}

impl Conversation for HttpConversation {
    fn receive(&mut self, bytes: &mut [u8], turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        self.is_unread = false;
        if self.carry.is_empty() {
            let used = self.take_beats(bytes, turn, host);
            self.carry.extend_from_slice(&bytes[used..]);
        } else {
            let mut all = std::mem::take(&mut self.carry);
            all.extend_from_slice(bytes);
            let used = self.take_beats(&all, turn, host);
            // A copy: what is kept has the size that is accounted for, not that of the whole reading.
            self.carry = all[used..].to_vec();
        }
        if host.has_answers() { Flow::Continue } else { self.proceed(turn) }
    }

    fn has_unread(&self) -> bool {
        self.is_unread
    }

    fn end_of_input(&mut self, _: &TurnContext<'_>, _: &mut dyn Host) -> Flow {
        // A body cut short deserves an answer, and hyper has one; half a head does not.
        if self.stage == HttpStage::Body { Flow::HandOver } else { Flow::Close }
    }

    fn sent(&mut self, sent: Sent, turn: &TurnContext<'_>, _: &mut dyn Host) -> Flow {
        if sent.is_blocked {
            if sent.has_progressed || !sent.was_blocked {
                self.due = turn.second_after(turn.policy.limits.write_timeout);
            }
            // hyper can send the rest itself.
            return if self.then == HttpThen::HandOver { Flow::HandOver } else { Flow::Pause };
        }
        let flow = self.proceed(turn);
        if flow == Flow::Continue && sent.was_blocked {
            // The deadline was that of the sending; from here on it is that of the request again.
            self.enter(self.stage, true, turn);
        }
        flow
    }

    fn time_out(&mut self, is_blocked: bool, turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        if is_blocked {
            host.count(ConnectionRefusal::Unread);
            return Flow::Close;
        }
        if matches!(self.stage, HttpStage::Idle | HttpStage::Lingering) {
            return Flow::Close;
        }
        host.count(ConnectionRefusal::Timeout);
        host.send(&Answer::timed_out(self.stage == HttpStage::Body).last_bytes(turn.now.wall));
        self.then = HttpThen::Linger;
        Flow::Continue
    }

    fn due(&self) -> Second {
        self.due
    }

    fn lingering(&mut self) -> Option<&mut u32> {
        (self.stage == HttpStage::Lingering).then_some(&mut self.heard_bytes)
    }

    fn is_idle(&self) -> bool {
        self.stage == HttpStage::Idle
    }

    fn kept_bytes(&self) -> usize {
        self.carry.len()
    }
}
