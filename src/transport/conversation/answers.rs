//! Answers that wait until the beats they acknowledge are on record.
//!
//! The answers of a turn are issued as an [`AnswerTicket`]. It can be neither copied nor made elsewhere, and is redeemed once,
//! after the commit: so an answer goes to the connection whose beats it acknowledges, and no other.

use crate::domain::time::{Now, Span, Wall};
use crate::wire::answer::{Answer, http_date};
use crate::wire::line::LineReply;
use crate::wire::url_beat;
use crate::wire::ws::{Opcode, frame};

/// One answer.
pub enum PendingAnswer {
    /// To an HTTP request.
    Http(Answer),
    /// On a raw TCP connection, and how many beats it acknowledges.
    Tcp(LineReply, u64),
    /// To the word `PING` in a WebSocket.
    WsWord(Answer),
    /// To JSON in a WebSocket.
    WsJson(Answer),
    /// Frames of a WebSocket that are owed whatever becomes of the beats, or none; and how many beats wait with them.
    WsFrames(Vec<u8>, u64),
}

/// The answers of all connections in one turn of a thread.
#[derive(Default)]
pub struct PendingAnswers {
    all: Vec<PendingAnswer>,
    /// How many of them no ticket has been issued for.
    unissued: usize,
}

/// The answers of one connection in this turn.
#[derive(Debug)]
#[must_use]
pub struct AnswerTicket {
    first: usize,
    count: usize,
}

impl PendingAnswers {
    /// Adds an answer of the connection at hand.
    pub fn push(&mut self, answer: PendingAnswer) {
        // A dialect without answers needs no more than one for all beats.
        if let (
            PendingAnswer::Tcp(LineReply::Nothing, more),
            Some(PendingAnswer::Tcp(LineReply::Nothing, beats)),
        ) = (&answer, self.all.last_mut().filter(|_| self.unissued > 0))
        {
            *beats += more;
            return;
        }
        self.all.push(answer);
        self.unissued += 1;
    }

    /// Those of the connection at hand.
    pub fn unissued(&self) -> &[PendingAnswer] {
        &self.all[self.all.len() - self.unissued..]
    }

    /// A ticket for those of the connection at hand, if there are any.
    pub fn issue(&mut self) -> Option<AnswerTicket> {
        let count = std::mem::take(&mut self.unissued);
        (count > 0).then(|| AnswerTicket { first: self.all.len() - count, count })
    }

    /// Writes the answers of a ticket.
    pub fn redeem(&self, ticket: AnswerTicket, cache: &mut AnswerCache, now: Now, out: &mut Vec<u8>) {
        let AnswerTicket { first, count } = ticket;
        for answer in self.all.get(first..first + count).unwrap_or_default() {
            answer.write(cache, now, out);
        }
    }

    /// All of them, to note what could not be stored.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut PendingAnswer> {
        self.all.iter_mut()
    }

    /// Forgets all once their tickets are redeemed.
    pub fn clear(&mut self) {
        self.all.clear();
        self.unissued = 0;
    }
}

impl PendingAnswer {
    /// How many beats it acknowledges.
    pub fn acknowledges(&self) -> u64 {
        match self {
            PendingAnswer::Http(answer) | PendingAnswer::WsWord(answer) | PendingAnswer::WsJson(answer) => {
                answer.acknowledges
            }
            PendingAnswer::Tcp(_, beats) | PendingAnswer::WsFrames(_, beats) => *beats,
        }
    }

    /// What becomes of it when the beats could not be stored, see [`Answer::not_stored`].
    pub fn not_stored(&mut self, refuse: bool) {
        match self {
            PendingAnswer::Http(answer) | PendingAnswer::WsWord(answer) | PendingAnswer::WsJson(answer) => {
                answer.not_stored(refuse);
            }
            PendingAnswer::Tcp(reply, beats) if refuse && *beats > 0 => reply.not_stored(),
            PendingAnswer::Tcp(..) | PendingAnswer::WsFrames(..) => {}
        }
    }

    fn write(&self, cache: &mut AnswerCache, now: Now, out: &mut Vec<u8>) {
        match self {
            PendingAnswer::Http(answer) => cache.write(answer, now, out),
            PendingAnswer::Tcp(reply, _) => reply.write(out),
            PendingAnswer::WsWord(answer) if answer.status == 200 => {
                frame::write(out, true, Opcode::Text, b"PONG", None);
            }
            PendingAnswer::WsWord(answer) | PendingAnswer::WsJson(answer) => {
                frame::write(out, true, Opcode::Text, &answer.message(), None);
            }
            PendingAnswer::WsFrames(bytes, _) => out.extend_from_slice(bytes),
        }
    }
}

/// The `Date` header, made once a second.
#[derive(Default)]
pub struct Dates {
    unix_s: i64,
    text: String,
}

impl Dates {
    /// The second of a time, and its text.
    pub fn at(&mut self, wall: Wall) -> (i64, &str) {
        let unix_s = wall.0.div_euclid(1000);
        if unix_s != self.unix_s || self.text.is_empty() {
            self.unix_s = unix_s;
            self.text = http_date(unix_s);
        }
        (self.unix_s, &self.text)
    }
}

/// The `Date` header and the most frequent HTTP answers, as they were last written.
#[derive(Default)]
pub struct AnswerCache {
    dates: Dates,
    json: LastWritten,
    text: LastWritten,
}

/// An answer that is always the same but for these.
#[derive(Default)]
struct LastWritten {
    interval: Span,
    unix_s: i64,
    bytes: Vec<u8>,
}

impl AnswerCache {
    /// Writes an answer, copying the last one where it would be the same.
    fn write(&mut self, answer: &Answer, now: Now, out: &mut Vec<u8>) {
        let (unix_s, date) = self.dates.at(now.wall);
        let last = if answer.is_plain_ok() {
            &mut self.json
        } else if answer.is_just(url_beat::OK) {
            &mut self.text
        } else {
            return answer.write(out, date);
        };
        let Some(interval) = answer.interval else { return answer.write(out, date) };
        if (interval, unix_s) != (last.interval, last.unix_s) || last.bytes.is_empty() {
            (last.interval, last.unix_s) = (interval, unix_s);
            last.bytes.clear();
            answer.write(&mut last.bytes, date);
        }
        out.extend_from_slice(&last.bytes);
    }
}
