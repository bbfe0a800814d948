//! One connection of the fast path: what it holds between two readings, and what one reading does.
//!
//! An idle connection is its socket and a few words: bytes are read into the thread's [`Desk`], and only the beginning
//! of an unfinished request (`carry`) or an answer that the socket would not take at once (`unsent`) is kept.

use crate::domain::address::Peer;
use crate::domain::limits::{LINGER_BYTES_MAX, LINGER_MAX, SCRATCH_BYTES};
use crate::domain::policy::Policy;
use crate::domain::time::{Now, Span};
use crate::store::Batch;
use crate::transport::census::Place;
use crate::transport::http::{Dates, Guest, Site, beats, timeout_answer};
use crate::transport::stream::FrontStream;
use crate::wire::answer::Answer;
use crate::wire::head::{self, Step};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// What all connections of a thread share: one buffer to read into, one to write from.
pub struct Desk {
    input: Box<[u8]>,
    output: Vec<u8>,
    dates: Dates,
    ok: OkAnswer,
    /// What the beats of this turn have changed, to be kept before any of them is answered.
    pub batch: Batch,
    /// The answers of this turn, connection after connection.
    pub answers: Vec<Answer>,
}

/// The circumstances of one reading.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// What is in force.
    pub policy: &'a Policy,
    /// The time.
    pub now: Now,
    /// The same in seconds of the thread, for deadlines.
    pub now_s: u32,
    /// Whether the daemon is stopping.
    pub draining: bool,
}

/// What is to happen to a connection after a reading.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait until the socket is ready again.
    Wait,
    /// Come back soon: there is more to read, but others have waited.
    Again,
    /// So many answers wait on the desk until what they acknowledge is kept; and whether to come back after that.
    Answers(usize, bool),
    /// It is over.
    Close,
    /// Hyper shall have it.
    HandOver,
}

/// What the connection is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    Head,
    Body,
    /// All is said; the client is heard out so that it gets to read it.
    Lingering,
}

/// What happens once the unsent bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Read,
    Close,
    Linger,
    HandOver,
}

/// A connection.
pub struct Connection {
    stream: FrontStream,
    peer: Peer,
    site: Arc<Site>,
    place: Place,
    carry: Vec<u8>,
    unsent: Vec<u8>,
    then: Then,
    stage: Stage,
    /// The client will send no more; what it has sent is still answered.
    read_closed: bool,
    /// Whether answers to it wait on the desk.
    pub awaits_answers: bool,
    /// Whether the loop waits for the socket to take more.
    pub awaits_write: bool,
    due_s: u32,
    heard_bytes: u32,
}

/// Readings in one turn before other connections get theirs.
const READINGS_MAX: usize = 4;

impl Connection {
    /// A new connection.
    pub fn new(
        stream: FrontStream,
        peer: Peer,
        site: Arc<Site>,
        place: Place,
        moment: &Moment<'_>,
    ) -> Connection {
        let mut connection = Connection {
            stream,
            peer,
            site,
            place,
            carry: Vec::new(),
            unsent: Vec::new(),
            then: Then::Read,
            stage: Stage::Idle,
            read_closed: false,
            awaits_answers: false,
            awaits_write: false,
            due_s: 0,
            heard_bytes: 0,
        };
        connection.due_in(moment, moment.policy.limits.idle_timeout);
        connection
    }

    /// For registering with the loop.
    pub fn source(&mut self) -> &mut dyn mio::event::Source {
        self.stream.source()
    }

    /// Notes that the client has ended its side.
    pub fn note_read_closed(&mut self) {
        self.read_closed = true;
    }

    /// Whether answers wait for the socket.
    pub fn is_blocked(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Whether it may be closed when the daemon stops: nothing has begun.
    pub fn is_idle(&self) -> bool {
        self.stage == Stage::Idle && self.unsent.is_empty() && !self.awaits_answers
    }

    /// Everything that the general path needs to go on.
    pub fn into_guest(self) -> Guest {
        let Connection { stream, peer, site, place, carry, unsent, .. } = self;
        Guest { stream: stream.into_std(), unsent, read: carry, peer, site, place }
    }

    /// Does what can be done now: sends what waits, reads, answers.
    pub fn turn(&mut self, desk: &mut Desk, moment: &Moment<'_>) -> Next {
        if self.stage == Stage::Lingering {
            return self.hear_out(desk);
        }
        if self.is_blocked() {
            match self.send_unsent() {
                Ok(true) => match self.proceed(moment) {
                    // The deadline was that of the sending; from here on it is that of the request again.
                    Next::Wait => self.enter(self.stage, true, moment),
                    next => return next,
                },
                Ok(false) => return Next::Wait,
                Err(_) => return Next::Close,
            }
        }
        for _ in 0..READINGS_MAX {
            let kept = self.carry.len();
            desk.input[..kept].copy_from_slice(&self.carry);
            let room = desk.input.len() - kept;
            let read = match self.stream.read(&mut desk.input[kept..]) {
                // A body cut short deserves an answer, and hyper has one; half a head does not.
                Ok(0) if self.stage == Stage::Body => return Next::HandOver,
                Ok(0) => return Next::Close,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Next::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Next::Close,
            };
            match self.take(desk, kept + read, moment) {
                Next::Answers(count, _) => return Next::Answers(count, read == room || self.read_closed),
                // A reading that did not fill the buffer emptied the socket; readiness will be told anew. Only the
                // end of the client's side is told together with its last bytes.
                Next::Wait if read < room && !self.read_closed => return Next::Wait,
                Next::Wait if self.is_blocked() => return Next::Wait,
                Next::Wait => {}
                next => return next,
            }
        }
        Next::Again
    }

    /// What happens when the connection's time is up.
    pub fn time_out(&mut self, moment: &Moment<'_>) -> Next {
        if self.is_blocked() || matches!(self.stage, Stage::Idle | Stage::Lingering) {
            return Next::Close;
        }
        self.unsent = timeout_answer(&self.site, self.stage == Stage::Body);
        self.then = Then::Linger;
        match self.send_unsent() {
            Ok(true) => self.proceed(moment),
            _ => Next::Close,
        }
    }

    /// Whether its time is up.
    pub fn is_due(&self, now_s: u32) -> bool {
        self.due_s <= now_s
    }

    /// Takes every whole beat in the first `filled` bytes of the desk; the answers stay there.
    fn take(&mut self, desk: &mut Desk, filled: usize, moment: &Moment<'_>) -> Next {
        let Desk { input, batch, answers, .. } = desk;
        let read = &input[..filled];
        let answers_before = answers.len();
        let mut used = 0;
        self.then = Then::Read;
        let mut stage = Stage::Idle;
        while used < filled {
            match head::next(&read[used..], &moment.policy.limits) {
                Step::Beat(plain) => {
                    used += plain.bytes;
                    self.site.engine.stats().fast();
                    let mut answer = match beats::admit(&self.site, moment.policy, self.peer, &plain.facts) {
                        Ok(client) => {
                            beats::take(&self.site, moment.policy, moment.now, client, plain.body, batch)
                        }
                        Err(refused) => refused,
                    };
                    let refused = answer.close;
                    answer.close |= plain.close || moment.draining;
                    let close = answer.close;
                    answers.push(answer);
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
        self.awaits_answers = true;
        Next::Answers(count, false)
    }

    /// Sends the answers that [`Next::Answers`] announced, `range` of those on the desk.
    pub fn answer(&mut self, desk: &mut Desk, range: Range<usize>, moment: &Moment<'_>) -> Next {
        let Desk { output, dates, ok, answers, .. } = desk;
        self.awaits_answers = false;
        output.clear();
        for answer in answers.get(range).unwrap_or_default() {
            ok.write(answer, dates, moment.now, output);
        }
        if !output.is_empty() {
            match self.stream.write(output) {
                Ok(sent) => self.unsent.extend_from_slice(&output[sent..]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unsent.extend_from_slice(output)
                }
                Err(_) => return Next::Close,
            }
        }
        if self.is_blocked() {
            self.due_in(moment, moment.policy.limits.body_timeout);
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
            self.due_in(
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

    fn due_in(&mut self, moment: &Moment<'_>, span: Span) {
        let seconds = u32::try_from(span.as_secs_ceil()).unwrap_or(u32::MAX);
        self.due_s = moment.now_s.saturating_add(seconds).saturating_add(1);
    }

    /// What comes after everything is sent.
    fn proceed(&mut self, moment: &Moment<'_>) -> Next {
        match self.then {
            Then::Read => Next::Wait,
            Then::Close => Next::Close,
            Then::HandOver => Next::HandOver,
            Then::Linger => {
                self.stream.end_writing();
                self.enter(Stage::Lingering, true, moment);
                Next::Again
            }
        }
    }

    /// True when nothing is left.
    fn send_unsent(&mut self) -> io::Result<bool> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent = Vec::new();
        Ok(true)
    }

    fn hear_out(&mut self, desk: &mut Desk) -> Next {
        while (self.heard_bytes as usize) < LINGER_BYTES_MAX {
            match self.stream.read(&mut desk.input) {
                Ok(0) => return Next::Close,
                Ok(read) => self.heard_bytes += read as u32,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Next::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Next::Close,
            }
        }
        Next::Close
    }
}

impl Desk {
    /// A desk for one thread.
    pub fn new() -> Desk {
        Desk {
            input: vec![0; SCRATCH_BYTES].into(),
            output: Vec::new(),
            dates: Dates::default(),
            ok: OkAnswer::default(),
            batch: Batch::new(),
            answers: Vec::new(),
        }
    }
}

/// The most frequent answer, as it was last written.
#[derive(Default)]
struct OkAnswer {
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
