//! A connection of the HTTP fast path: what one reading does with plain beats, and when hyper shall have it.
//!
//! Between two readings only the beginning of an unfinished request (`carry`) is kept.

use super::Home;
use super::desk::{Desk, Moment, Next, Said};
use super::link::Link;
use super::parked::State;
use crate::domain::limits::LINGER_MAX;
use crate::domain::time::{Now, Span};
use crate::engine::stats::Turned;
use crate::transport::http::{Dates, Guest, beats, timeout_answer};
use crate::transport::taking::named_by;
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
pub struct Http {
    /// What it has in common with the other kinds.
    pub link: Link,
    carry: Vec<u8>,
    /// Nobody has looked at `carry` yet.
    unread: bool,
    then: Then,
    stage: Stage,
    heard_bytes: u32,
}

/// What the next process has to know.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    #[serde(with = "blob")]
    carry: Vec<u8>,
    then: Then,
    stage: Stage,
    heard_bytes: u32,
}

/// Readings in one turn before other connections get theirs.
const READINGS_MAX: usize = 4;

impl Http {
    /// A new connection.
    pub fn new(link: Link, moment: &Moment<'_>) -> Http {
        let mut http = Http {
            link,
            carry: Vec::new(),
            unread: false,
            then: Then::Read,
            stage: Stage::Idle,
            heard_bytes: 0,
        };
        http.link.due_in(moment, moment.policy.limits.idle_timeout);
        http
    }

    /// One that comes back from a general thread, with what was read of its next request.
    pub fn returned(link: Link, read: Vec<u8>, moment: &Moment<'_>) -> Http {
        let unread = !read.is_empty();
        Http { carry: read, unread, ..Http::new(link, moment) }
    }

    /// One of the process before us.
    pub fn resumed(link: Link, kept: Kept, moment: &Moment<'_>) -> Http {
        let Kept { carry, then, stage, heard_bytes } = kept;
        // It is read anew from its first byte: so much of it as will be judged, and no more, has come.
        let unread = !carry.is_empty();
        let mut http = Http { link, carry, unread, then, stage, heard_bytes };
        http.enter(stage, true, moment);
        if http.link.is_blocked() {
            http.link.due_in(moment, moment.policy.limits.write_timeout);
        }
        http
    }

    /// What is left of it to the next process.
    pub fn park(self) -> (Link, State) {
        let Http { link, carry, then, stage, heard_bytes, .. } = self;
        (link, State::Http(Kept { carry, then, stage, heard_bytes }))
    }

    /// Bytes kept of a request that is not whole.
    pub fn kept_bytes(&self) -> usize {
        self.carry.len()
    }

    /// Whether it may be closed when the daemon stops: nothing has begun.
    pub fn is_idle(&self) -> bool {
        self.stage == Stage::Idle && self.link.is_free()
    }

    /// Everything that the general path needs to go on; `home` is the front that lets it go.
    pub fn into_guest(self, home: Home) -> Guest {
        let Link { stream, peer, site, place, unsent, .. } = self.link;
        Guest { stream: stream.into_std(), unsent, read: self.carry, peer, site, place, home }
    }

    /// Does what can be done now: sends what waits, reads, answers.
    pub fn turn(&mut self, desk: &mut Desk, moment: &Moment<'_>) -> Next {
        if self.stage == Stage::Lingering {
            return self.link.hear_out(desk, &mut self.heard_bytes);
        }
        if self.link.is_blocked() {
            match self.link.send_unsent() {
                Ok(true) => match self.proceed(moment) {
                    // The deadline was that of the sending; from here on it is that of the request again.
                    Next::Wait => self.enter(self.stage, true, moment),
                    next => return next,
                },
                Ok(false) => {
                    if std::mem::take(&mut self.link.progress) {
                        self.link.due_in(moment, moment.policy.limits.write_timeout);
                    }
                    return Next::Wait;
                }
                Err(_) => return Next::Close,
            }
        }
        if std::mem::take(&mut self.unread) {
            let kept = self.carry.len().min(desk.input.len());
            desk.input[..kept].copy_from_slice(&self.carry[..kept]);
            match self.take(desk, kept, moment) {
                Next::Wait => {}
                // The socket may hold more, and has told so already.
                Next::Answers(count, _) => return Next::Answers(count, true),
                next => return next,
            }
        }
        for _ in 0..READINGS_MAX {
            let kept = self.carry.len();
            desk.input[..kept].copy_from_slice(&self.carry);
            let room = desk.input.len() - kept;
            let read = match self.link.stream.read(&mut desk.input[kept..]) {
                // A body cut short deserves an answer, and hyper has one; half a head does not.
                Ok(0) if self.stage == Stage::Body => return Next::HandOver,
                Ok(0) => return Next::Close,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Next::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Next::Close,
            };
            match self.take(desk, kept + read, moment) {
                Next::Answers(count, _) => {
                    return Next::Answers(count, self.link.may_have_left(read, room));
                }
                Next::Wait if !self.link.may_have_left(read, room) => return Next::Wait,
                Next::Wait if self.link.is_blocked() => return Next::Wait,
                Next::Wait => {}
                next => return next,
            }
        }
        Next::Again
    }

    /// What happens when the connection's time is up.
    pub fn time_out(&mut self, moment: &Moment<'_>) -> Next {
        if self.link.is_blocked() {
            self.link.site.engine.stats().turned(Turned::Unread);
            return Next::Close;
        }
        if matches!(self.stage, Stage::Idle | Stage::Lingering) {
            return Next::Close;
        }
        self.link.unsent = timeout_answer(&self.link.site, self.stage == Stage::Body);
        self.then = Then::Linger;
        match self.link.send_unsent() {
            Ok(true) => self.proceed(moment),
            _ => Next::Close,
        }
    }

    /// Takes every whole beat in the first `filled` bytes of the desk; the answers stay there.
    fn take(&mut self, desk: &mut Desk, filled: usize, moment: &Moment<'_>) -> Next {
        let Desk { input, pending, answers, .. } = desk;
        let read = &input[..filled];
        let answers_before = answers.len();
        let (site, peer) = (&self.link.site, self.link.peer);
        let mut used = 0;
        self.then = Then::Read;
        let mut stage = Stage::Idle;
        while used < filled {
            match head::next(&read[used..], &moment.policy.limits) {
                // A general thread can wait.
                Step::Beat(plain)
                    if beats::token_wait(site, peer, &plain.facts, moment.now.mono).is_some() =>
                {
                    self.then = Then::HandOver;
                    break;
                }
                Step::Beat(plain) => {
                    used += plain.bytes;
                    site.engine.stats().fast();
                    let mut answer = match beats::admit(site, moment.policy, peer, &plain.facts) {
                        Ok(client) => beats::take(
                            site,
                            moment.policy,
                            moment.now,
                            client,
                            named_by(self.link.stream.name(), peer, client),
                            beats::Sent { query: "", body: plain.body },
                            pending,
                        ),
                        Err(refused) => refused,
                    };
                    let refused = answer.close;
                    answer.close |= plain.close || moment.draining;
                    let close = answer.close;
                    answers.push(Said::Http(answer));
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
        self.enter(stage, used > 0, moment);
        let count = answers.len() - answers_before;
        if count == 0 {
            return self.proceed(moment);
        }
        self.link.awaits_answers = true;
        Next::Answers(count, false)
    }

    /// Sends the answers that [`Next::Answers`] announced, `range` of those on the desk.
    pub fn answer(&mut self, desk: &mut Desk, range: Range<usize>, moment: &Moment<'_>) -> Next {
        let Desk { output, dates, ok, answers, .. } = desk;
        self.link.awaits_answers = false;
        output.clear();
        for said in answers.get(range).unwrap_or_default() {
            if let Said::Http(answer) = said {
                ok.write(answer, dates, moment.now, output);
            }
        }
        if self.link.send(output).is_err() {
            return Next::Close;
        }
        if self.link.is_blocked() {
            self.link.due_in(moment, moment.policy.limits.write_timeout);
            // Hyper can send the rest itself.
            return if self.then == Then::HandOver { Next::HandOver } else { Next::Wait };
        }
        self.proceed(moment)
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
    fn enter(&mut self, stage: Stage, anew: bool, moment: &Moment<'_>) {
        if anew || stage != self.stage || stage == Stage::Idle {
            let limits = &moment.policy.limits;
            self.link.due_in(
                moment,
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
    fn proceed(&mut self, moment: &Moment<'_>) -> Next {
        match self.then {
            Then::Read => Next::Wait,
            Then::Close => Next::Close,
            Then::HandOver => Next::HandOver,
            Then::Linger => {
                self.link.stream.end_writing();
                self.enter(Stage::Lingering, true, moment);
                Next::Again
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
