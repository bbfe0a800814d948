//! A connection of the HTTP fast path: what one reading does with plain beats, and when hyper shall have it.
//!
//! Between two readings only the beginning of an unfinished request (`carry`) is kept.

use super::ReactorRef;
use super::connection_io::ConnectionIo;
use super::parked::ParkedState;
use super::scratch::{Action, PendingAnswer, Scratch, TurnContext};
use crate::domain::limits::LINGER_MAX;
use crate::domain::time::{Now, Span};
use crate::engine::stats::Turned;
use crate::transport::http::{Dates, Handoff, beats, timeout_answer};
use crate::transport::intake::named_by;
use crate::wire::answer::Answer;
use crate::wire::blob;
use crate::wire::head::{self, Step};
use serde::{Deserialize, Serialize};
use std::io;
use std::ops::Range;

/// What the connection is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Idle,
    Head,
    Body,
    /// All is said; the client is heard out so that it gets to read it.
    Lingering,
}

/// What happens once the unsent bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Then {
    Read,
    Close,
    Linger,
    HandOver,
}

/// A connection that plain beats come by.
pub struct HttpConnection {
    /// What it has in common with the other kinds.
    pub io: ConnectionIo,
    carry: Vec<u8>,
    /// Nobody has looked at `carry` yet.
    unread: bool,
    then: Then,
    stage: Stage,
    heard_bytes: u32,
}

/// What the next process has to know.
#[derive(Debug, Serialize, Deserialize)]
pub struct ParkedHttp {
    #[serde(with = "blob")]
    carry: Vec<u8>,
    then: Then,
    stage: Stage,
    heard_bytes: u32,
}

/// Readings in one turn before other connections get theirs.
const READINGS_MAX: usize = 4;

impl HttpConnection {
    /// A new connection.
    pub fn new(io: ConnectionIo, turn: &TurnContext<'_>) -> HttpConnection {
        let mut http = HttpConnection {
            io,
            carry: Vec::new(),
            unread: false,
            then: Then::Read,
            stage: Stage::Idle,
            heard_bytes: 0,
        };
        http.io.due_in(turn, turn.policy.limits.idle_timeout);
        http
    }

    /// One that comes back from a HTTP worker, with what was read of its next request.
    pub fn returned(io: ConnectionIo, read: Vec<u8>, turn: &TurnContext<'_>) -> HttpConnection {
        let unread = !read.is_empty();
        HttpConnection { carry: read, unread, ..HttpConnection::new(io, turn) }
    }

    /// One of the process before us.
    pub fn resumed(io: ConnectionIo, kept: ParkedHttp, turn: &TurnContext<'_>) -> HttpConnection {
        let ParkedHttp { carry, then, stage, heard_bytes } = kept;
        // It is read anew from its first byte: so much of it as will be judged, and no more, has come.
        let unread = !carry.is_empty();
        let mut http = HttpConnection { io, carry, unread, then, stage, heard_bytes };
        http.enter(stage, true, turn);
        if http.io.is_blocked() {
            http.io.due_in(turn, turn.policy.limits.write_timeout);
        }
        http
    }

    /// What is left of it to the next process.
    pub fn park(self) -> (ConnectionIo, ParkedState) {
        let HttpConnection { io, carry, then, stage, heard_bytes, .. } = self;
        (io, ParkedState::Http(ParkedHttp { carry, then, stage, heard_bytes }))
    }

    /// Bytes kept of a request that is not whole.
    pub fn kept_bytes(&self) -> usize {
        self.carry.len()
    }

    /// Whether it may be closed when the daemon stops: nothing has begun.
    pub fn is_idle(&self) -> bool {
        self.stage == Stage::Idle && self.io.is_free()
    }

    /// Everything that the HTTP worker needs to go on; `home` is the reactor that lets it go.
    pub fn into_guest(self, origin: ReactorRef) -> Handoff {
        let ConnectionIo { stream, peer, context, permit, unsent, .. } = self.io;
        Handoff { stream: stream.into_std(), unsent, read: self.carry, peer, context, permit, origin }
    }

    /// Does what can be done now: sends what waits, reads, answers.
    pub fn turn(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        if self.stage == Stage::Lingering {
            return self.io.hear_out(scratch, &mut self.heard_bytes);
        }
        if self.io.is_blocked() {
            match self.io.send_unsent() {
                Ok(true) => match self.proceed(turn) {
                    // The deadline was that of the sending; from here on it is that of the request again.
                    Action::Wait => self.enter(self.stage, true, turn),
                    next => return next,
                },
                Ok(false) => {
                    if std::mem::take(&mut self.io.progress) {
                        self.io.due_in(turn, turn.policy.limits.write_timeout);
                    }
                    return Action::Wait;
                }
                Err(_) => return Action::Close,
            }
        }
        if std::mem::take(&mut self.unread) {
            let kept = self.carry.len().min(scratch.input.len());
            scratch.input[..kept].copy_from_slice(&self.carry[..kept]);
            match self.take(scratch, kept, turn) {
                Action::Wait => {}
                // The socket may hold more, and has told so already.
                Action::Answers(count, _) => return Action::Answers(count, true),
                next => return next,
            }
        }
        for _ in 0..READINGS_MAX {
            let kept = self.carry.len();
            scratch.input[..kept].copy_from_slice(&self.carry);
            let room = scratch.input.len() - kept;
            let read = match self.io.stream.read(&mut scratch.input[kept..]) {
                // A body cut short deserves an answer, and hyper has one; half a head does not.
                Ok(0) if self.stage == Stage::Body => return Action::HandOver,
                Ok(0) => return Action::Close,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Action::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Action::Close,
            };
            match self.take(scratch, kept + read, turn) {
                Action::Answers(count, _) => {
                    return Action::Answers(count, self.io.may_have_left(read, room));
                }
                Action::Wait if !self.io.may_have_left(read, room) => return Action::Wait,
                Action::Wait if self.io.is_blocked() => return Action::Wait,
                Action::Wait => {}
                next => return next,
            }
        }
        Action::Again
    }

    /// What happens when the connection's time is up.
    pub fn time_out(&mut self, turn: &TurnContext<'_>) -> Action {
        if self.io.is_blocked() {
            self.io.context.engine.stats().turned(Turned::Unread);
            return Action::Close;
        }
        if matches!(self.stage, Stage::Idle | Stage::Lingering) {
            return Action::Close;
        }
        self.io.unsent = timeout_answer(&self.io.context, self.stage == Stage::Body);
        self.then = Then::Linger;
        match self.io.send_unsent() {
            Ok(true) => self.proceed(turn),
            _ => Action::Close,
        }
    }

    /// Takes every whole beat in the first `filled` bytes of the scratch; the answers stay there.
    fn take(&mut self, scratch: &mut Scratch, filled: usize, turn: &TurnContext<'_>) -> Action {
        let Scratch { input, pending, answers, .. } = scratch;
        let read = &input[..filled];
        let answers_before = answers.len();
        let (context, peer) = (&self.io.context, self.io.peer);
        let mut used = 0;
        self.then = Then::Read;
        let mut stage = Stage::Idle;
        while used < filled {
            match head::next(&read[used..], &turn.policy.limits) {
                // A HTTP worker can wait.
                Step::Beat(plain)
                    if beats::token_wait(context, peer, &plain.facts, turn.now.mono).is_some() =>
                {
                    self.then = Then::HandOver;
                    break;
                }
                Step::Beat(plain) => {
                    used += plain.bytes;
                    context.engine.stats().fast();
                    let mut answer = match beats::admit(context, turn.policy, peer, &plain.facts) {
                        Ok(client) => beats::take(
                            context,
                            turn.policy,
                            turn.now,
                            client,
                            named_by(self.io.stream.name(), peer, client),
                            beats::Sent { query: "", body: plain.body },
                            pending,
                        ),
                        Err(refused) => refused,
                    };
                    let refused = answer.close;
                    answer.close |= plain.close || turn.draining;
                    let close = answer.close;
                    answers.push(PendingAnswer::Http(answer));
                    if close {
                        // With bytes left unread, a plain close would take the answer with it.
                        self.then = if refused || used < filled { Then::Linger } else { Then::Close };
                        break;
                    }
                }
                Step::Partial { in_body } => {
                    stage = if in_body { Stage::Body } else { Stage::Head };
                    break;
                }
                Step::Other => {
                    self.then = Then::HandOver;
                    break;
                }
            }
        }
        self.keep(&read[used..]);
        self.enter(stage, used > 0, turn);
        let count = answers.len() - answers_before;
        if count == 0 {
            return self.proceed(turn);
        }
        self.io.awaits_answers = true;
        Action::Answers(count, false)
    }

    /// Sends the answers that [`Action::Answers`] announced, `range` of those in the scratch.
    pub fn answer(&mut self, scratch: &mut Scratch, range: Range<usize>, turn: &TurnContext<'_>) -> Action {
        let Scratch { output, dates, ok, answers, .. } = scratch;
        self.io.awaits_answers = false;
        output.clear();
        for said in answers.get(range).unwrap_or_default() {
            if let PendingAnswer::Http(answer) = said {
                ok.write(answer, dates, turn.now, output);
            }
        }
        if self.io.send(output).is_err() {
            return Action::Close;
        }
        if self.io.is_blocked() {
            self.io.due_in(turn, turn.policy.limits.write_timeout);
            // Hyper can send the rest itself.
            return if self.then == Then::HandOver { Action::HandOver } else { Action::Wait };
        }
        self.proceed(turn)
    }

    /// Keeps what was not used, and gives the memory back as soon as nothing is.
    fn keep(&mut self, rest: &[u8]) {
        if rest.is_empty() || matches!(self.then, Then::Close | Then::Linger) {
            self.carry = Vec::new();
        } else {
            self.carry.clear();
            self.carry.extend_from_slice(rest);
        }
    }

    /// Sets the deadline of a new stage. A request must end in time counted from its first byte, so more of the same
    /// stage does not move it.
    fn enter(&mut self, stage: Stage, anew: bool, turn: &TurnContext<'_>) {
        if anew || stage != self.stage || stage == Stage::Idle {
            let limits = &turn.policy.limits;
            self.io.due_in(
                turn,
                match stage {
                    Stage::Idle => limits.idle_timeout,
                    Stage::Head => limits.header_timeout,
                    Stage::Body => limits.body_timeout,
                    Stage::Lingering => LINGER_MAX,
                },
            );
        }
        self.stage = stage;
    }

    /// What comes after everything is sent.
    fn proceed(&mut self, turn: &TurnContext<'_>) -> Action {
        match self.then {
            Then::Read => Action::Wait,
            Then::Close => Action::Close,
            Then::HandOver => Action::HandOver,
            Then::Linger => {
                self.io.stream.end_writing();
                self.enter(Stage::Lingering, true, turn);
                Action::Again
            }
        }
    }
}

/// The most frequent answer, as it was last written.
#[derive(Default)]
pub(super) struct OkAnswer {
    interval: Span,
    unix_s: i64,
    bytes: Vec<u8>,
}

impl OkAnswer {
    /// Writes an answer, copying the last one where it would be the same.
    fn write(&mut self, answer: &Answer, dates: &mut Dates, now: Now, out: &mut Vec<u8>) {
        let (unix_s, date) = dates.at(now.wall);
        match answer.interval {
            Some(interval) if answer.is_plain_ok() => {
                if (interval, unix_s) != (self.interval, self.unix_s) || self.bytes.is_empty() {
                    (self.interval, self.unix_s) = (interval, unix_s);
                    self.bytes.clear();
                    answer.write(&mut self.bytes, date);
                }
                out.extend_from_slice(&self.bytes);
            }
            _ => answer.write(out, date),
        }
    }
}
