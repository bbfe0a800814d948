//! A raw TCP connection of a reactor: what its bytes mean (`wire::dialect`) becomes beats, answers and, in the end, silence.
//!
//! A sender that gives a name, with `BEAT`, speaks for that monitor from then on: its `PING` is a beat too, unless its last
//! word was other than well. One that gives none speaks for its address, or for a monitor of its own that goes with the
//! connection. Whoever beats for an id holds the claim on it ([`Claim`]); the end of a connection that somebody else has
//! replaced is told to nobody.
//!
//! Nothing waits for a client that does not read: what it leaves unread is bounded, and we read on.

mod deadlines;

use super::connection_io::ConnectionIo;
use super::parked::ParkedState;
use super::scratch::{Action, NEVER, PendingAnswer, Scratch, TurnContext, not_any_more};
use crate::domain::access::{Denied, Shown, Wish};
use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Transport, Warnings};
use crate::domain::id::{Id, IdRef};
use crate::domain::limits::{QUIET, TALK_READ_BYTES_MAX, TALK_UNSENT_BYTES_MAX};
use crate::domain::notice::Notice;
use crate::domain::policy::Anonymous;
use crate::domain::time::Span;
use crate::engine::claims::{self, Claim};
use crate::engine::stats::{BeatResult, Turned};
use crate::engine::{Pending, Refused, id_of_peer};
use crate::transport::intake::{BeatIntake, IntakeError};
use crate::wire::blob;
use crate::wire::dialect::{self, Dialect, Event, Foreign};
use crate::wire::fields::Fields;
use crate::wire::line::{self, Command, Reply};
use deadlines::{next_ping, times_of};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Readings in one turn before other connections get theirs.
const READINGS_MAX: usize = 4;

/// A raw TCP connection.
pub struct TcpConnection {
    /// What it has in common with the other kinds.
    pub io: ConnectionIo,
    talk: dialect::Talk,
    whom: Subject,
    /// On the id of the monitor that it speaks for; none before its first beat.
    claim: Option<Claim>,
    /// The client's port; 0 where there is none.
    port: u16,
    /// What it has shown.
    shown: Shown,
    /// Whether its last word about the monitor that it names was well.
    well: bool,
    /// Whether it is closed once all is said.
    closing: bool,
    /// Whether it was silent for too long.
    gone: bool,
    /// The interval and grace of the monitor that it names.
    patience: Span,
    /// When it will have been silent for too long.
    silent_s: u32,
    /// When what has begun must have ended, whatever else arrives.
    message_s: u32,
    /// Until when it must have shown a token, where one is needed.
    token_s: u32,
    /// Until when it is not heard, because the token it showed is wrong.
    deaf_s: u32,
    guesses: u8,
    /// Whether the token that comes next has waited long enough to be looked at.
    has_waited: bool,
    /// What was read of it and not looked at.
    ahead: Box<[u8]>,
    ping_s: u32,
    /// When what it is sent must have been taken.
    stalled_s: u32,
    /// When nothing will have come for a moment, in milliseconds of the thread; 0: nobody wants to know.
    quiet_ms: u64,
    /// Whether the loop has been told to look then.
    quiet_noted: bool,
}

/// Which monitor a connection speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Subject {
    /// It has not beaten yet.
    Nobody,
    /// That of its address.
    Address,
    /// One of its own.
    Own,
    /// The one that it has named.
    Named,
}

/// What the next process has to know.
#[derive(Debug, Serialize, Deserialize)]
pub struct ParkedTcp {
    talk: dialect::Talk,
    whom: Subject,
    claim: Option<claims::Kept>,
    /// Whether it has shown a token, for versions before 0.5, and which.
    authorized: bool,
    shown: Option<Shown>,
    well: bool,
    patience_ms: u64,
    #[serde(default)]
    guesses: u8,
    #[serde(default, with = "blob")]
    ahead: Vec<u8>,
}

impl ParkedTcp {
    /// The monitor that goes with the connection, where it has one.
    pub fn own_monitor(&self) -> Option<&str> {
        self.claim.as_ref().filter(|_| self.whom == Subject::Own).map(claims::Kept::id)
    }
}

/// What is at hand while a connection is heard.
struct Turn<'a, 'm> {
    pending: &'a mut Pending,
    answers: &'a mut Vec<PendingAnswer>,
    /// Answers from here on are this connection's.
    first: usize,
    turn: &'a TurnContext<'m>,
}

impl TcpConnection {
    /// A new connection.
    pub fn new(io: ConnectionIo, turn: &TurnContext<'_>) -> TcpConnection {
        let times = &turn.policy.tcp;
        let port = io.stream.peer_port().unwrap_or(0);
        let mut talk = TcpConnection {
            io,
            talk: dialect::Talk::new(),
            whom: Subject::Nobody,
            claim: None,
            port,
            shown: Shown::Nothing,
            well: true,
            closing: false,
            gone: false,
            patience: Span(0),
            silent_s: turn.second_after(times.timeout),
            message_s: NEVER,
            token_s: NEVER,
            deaf_s: 0,
            guesses: 0,
            has_waited: false,
            ahead: Box::default(),
            ping_s: next_ping(times, turn),
            stalled_s: NEVER,
            quiet_ms: 0,
            quiet_noted: false,
        };
        talk.expect_token(turn);
        talk.set_alarm();
        let peer = talk.io.peer;
        talk.io.context.engine.log().notice(turn.now.wall, Notice::ClientConnected { peer });
        talk
    }

    /// One of the process before us; `None` where that is not what it left.
    pub fn resumed(io: ConnectionIo, kept: ParkedTcp, turn: &TurnContext<'_>) -> Option<TcpConnection> {
        let claim = kept.claim.as_ref().and_then(|claim| io.context.engine.claims().resume(claim));
        if !kept.talk.is_sound() || claim.is_none() != (kept.whom == Subject::Nobody) {
            return None;
        }
        let port = io.stream.peer_port().unwrap_or(0);
        // Who answers is asked at once, or with one restart after the other nobody would be; who has said nothing may be
        // about to.
        let answers = kept.talk.dialect() == Dialect::Pong;
        let mut talk = TcpConnection {
            io,
            whom: kept.whom,
            claim,
            port,
            shown: kept.shown.unwrap_or(if kept.authorized { Shown::Believed } else { Shown::Nothing }),
            well: kept.well,
            closing: false,
            gone: false,
            patience: Span(kept.patience_ms),
            silent_s: 0,
            message_s: NEVER,
            token_s: NEVER,
            deaf_s: if kept.ahead.is_empty() { 0 } else { turn.now_s },
            guesses: kept.guesses,
            has_waited: false,
            ahead: kept.ahead.into(),
            ping_s: if answers { turn.now_s } else { next_ping(&turn.policy.tcp, turn) },
            stalled_s: NEVER,
            quiet_ms: if kept.talk.wants_quiet() { turn.now_ms + QUIET.0 } else { 0 },
            quiet_noted: false,
            talk: kept.talk,
        };
        talk.silent_s = turn.second_after(talk.timeout(turn));
        talk.watch_message(false, turn);
        talk.expect_token(turn);
        talk.set_alarm();
        Some(talk)
    }

    /// What is left of it to the next process.
    pub fn park(self) -> (ConnectionIo, ParkedState) {
        let claim = self.claim.as_ref().map(Claim::keep);
        let TcpConnection { io, talk, whom, shown, well, patience, guesses, ahead, .. } = self;
        let (patience_ms, ahead) = (patience.0, ahead.into_vec());
        let (authorized, shown) = (shown != Shown::Nothing, Some(shown));
        (
            io,
            ParkedState::Tcp(ParkedTcp {
                talk,
                whom,
                claim,
                authorized,
                shown,
                well,
                patience_ms,
                guesses,
                ahead,
            }),
        )
    }

    /// Bytes kept of something that is not whole.
    pub fn kept_bytes(&self) -> usize {
        self.talk.kept_bytes() + self.ahead.len()
    }

    /// When the loop must look whether something is whole by now; told once.
    pub fn note_quiet(&mut self) -> Option<u64> {
        if self.quiet_ms == 0 || self.quiet_noted {
            return None;
        }
        self.quiet_noted = true;
        Some(self.quiet_ms)
    }

    /// The loop looks.
    pub fn look_for_quiet(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        self.quiet_noted = false;
        if self.quiet_ms == 0 || self.quiet_ms > turn.now_ms {
            return Action::Wait;
        }
        self.be_quiet(scratch, turn)
    }

    /// Does what can be done now: sends what waits, reads, takes beats.
    pub fn turn(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        if self.io.is_blocked() {
            if self.io.send_unsent().is_err() {
                return Action::Close;
            }
            self.watch_sending(turn);
        }
        if self.deaf_s > turn.now_s {
            // Who goes on sending fills the buffers of the kernel, and waits.
            return Action::Wait;
        }
        if !self.ahead.is_empty() {
            let ahead = std::mem::take(&mut self.ahead);
            scratch.input[..ahead.len()].copy_from_slice(&ahead);
            match self.hear(scratch, ahead.len(), turn) {
                // The socket may hold more, and has told so already.
                Action::Answers(count, _) => return Action::Answers(count, !self.closing),
                Action::Wait if self.deaf_s > turn.now_s => return Action::Wait,
                Action::Wait => {}
                next => return next,
            }
        }
        for _ in 0..READINGS_MAX {
            let room = TALK_READ_BYTES_MAX.min(scratch.input.len());
            let read = match self.io.stream.read(&mut scratch.input[..room]) {
                Ok(0) => return self.hear_the_end(scratch, turn),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.rest(scratch, turn),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Action::Close,
            };
            // A reading that did not fill its room emptied the socket; only the end of the client's side is told together
            // with its last bytes.
            let more = self.io.may_have_left(read, room);
            match self.hear(scratch, read, turn) {
                Action::Answers(count, _) => return Action::Answers(count, more && !self.closing),
                Action::Wait if self.deaf_s > turn.now_s => return Action::Wait,
                Action::Wait if !more => return self.rest(scratch, turn),
                Action::Wait => {}
                next => return next,
            }
        }
        Action::Again
    }

    /// Sends the answers that [`Action::Answers`] announced, `range` of those in the scratch.
    pub fn answer(&mut self, scratch: &mut Scratch, range: Range<usize>, turn: &TurnContext<'_>) -> Action {
        let Scratch { output, answers, .. } = scratch;
        self.io.awaits_answers = false;
        output.clear();
        for said in answers.get(range).unwrap_or_default() {
            if let PendingAnswer::Tcp(reply, _) = said {
                reply.write(output);
            }
        }
        // Predecessor what waits already nothing may be sent.
        if self.io.is_blocked() {
            self.io.unsent.extend_from_slice(output);
        } else if self.io.send(output).is_err() {
            return Action::Close;
        }
        self.watch_sending(turn);
        if self.io.unsent.len() > TALK_UNSENT_BYTES_MAX {
            self.io.context.engine.stats().turned(Turned::Unread);
            return Action::Close;
        }
        if self.closing || turn.draining { Action::Close } else { Action::Wait }
    }

    /// Judges it by the policy in force, which may be another one than it was let in under (`changed`).
    pub fn judge(&mut self, changed: bool, turn: &TurnContext<'_>) -> Action {
        if changed {
            self.shown = self.shown.under_another_policy();
        }
        let key = match turn.policy.access.check_again(Wish::Beat, self.io.peer, self.shown) {
            Ok(()) => return Action::Wait,
            // It may show a token yet, and without one is told so.
            Err(Denied::Token(_)) if self.whom == Subject::Nobody => {
                if changed {
                    self.expect_token(turn);
                    self.set_alarm();
                }
                return Action::Wait;
            }
            Err(Denied::Token(key) | Denied::Network(key)) => key,
        };
        let notice = Notice::ClientDenied { peer: self.io.peer, key };
        self.io.context.engine.log().notice(turn.now.wall, notice);
        if self.talk.dialect() == Dialect::Line && !self.io.is_blocked() {
            // What cannot be sent to one that is closed is not missed.
            let _ = self.io.send(format!("ERR {}\n", not_any_more(key)).as_bytes());
        }
        Action::Close
    }

    /// Its last step, whatever has ended it.
    pub fn part(&self, pending: &mut Pending, turn: &TurnContext<'_>) {
        let engine = &self.io.context.engine;
        if !self.gone {
            let notice = Notice::ClientDisconnected { peer: self.io.peer, monitor: self.monitor() };
            engine.log().notice(turn.now.wall, notice);
        }
        if let Some(own) = self.claim.as_ref().filter(|claim| self.whom == Subject::Own && claim.holds()) {
            engine.depart(turn.now, own.id(), self.gone, pending);
        }
    }

    /// The monitor that it speaks for, where that is not its address.
    fn monitor(&self) -> Option<Arc<str>> {
        let claim = self.claim.as_ref().filter(|_| self.whom != Subject::Address)?;
        Some(claim.id().as_str().into())
    }

    /// Notes until when what waits for its socket must have moved on.
    fn watch_sending(&mut self, turn: &TurnContext<'_>) {
        let stalled_s = self.io.stalled_s(self.stalled_s, turn);
        if stalled_s != self.stalled_s {
            self.stalled_s = stalled_s;
            self.set_alarm();
        }
    }

    /// Nothing more is there to read.
    fn rest(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        // Who stops waits for nothing that has not come yet.
        if turn.draining && self.quiet_ms != 0 { self.be_quiet(scratch, turn) } else { Action::Wait }
    }

    /// The client will send no more.
    fn hear_the_end(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        let last = if self.quiet_ms != 0 { self.be_quiet(scratch, turn) } else { Action::Close };
        self.closing = true;
        if last == Action::Wait { Action::Close } else { last }
    }

    /// Takes the first `filled` bytes of the scratch in.
    fn hear(&mut self, scratch: &mut Scratch, filled: usize, turn: &TurnContext<'_>) -> Action {
        let Scratch { input, pending, answers, .. } = scratch;
        let mut hearing = Turn { first: answers.len(), pending, answers, turn };
        let mut talk = std::mem::take(&mut self.talk);
        let length_max = turn.policy.limits.beat_bytes;
        let mut anew = false;
        let mut rest = &input[..filled];
        if turn.policy.access.beat_tokens.is_empty() {
            talk.feed(rest, length_max, &mut |event| {
                anew = true;
                self.take(event, &mut hearing);
            });
            rest = &[];
        }
        // Line by line, so that nobody has a thousand guesses in one reading.
        while !rest.is_empty() && self.deaf_s <= turn.now_s {
            let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
            talk.feed(&rest[..end], length_max, &mut |event| {
                anew = true;
                self.take(event, &mut hearing);
            });
            rest = &rest[end..];
        }
        if !rest.is_empty() {
            let mut ahead = std::mem::take(&mut self.ahead).into_vec();
            ahead.extend_from_slice(rest);
            self.ahead = ahead.into();
        }
        self.talk = talk;
        self.watch_message(anew, turn);
        self.silent_s = turn.second_after(self.timeout(turn));
        self.set_alarm();
        self.quiet_ms = if self.talk.wants_quiet() { turn.now_ms + QUIET.0 } else { 0 };
        self.announce(&hearing)
    }

    /// Nothing has come for a moment.
    fn be_quiet(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        let Scratch { pending, answers, .. } = scratch;
        let mut hearing = Turn { first: answers.len(), pending, answers, turn };
        self.quiet_ms = 0;
        let mut talk = std::mem::take(&mut self.talk);
        talk.quiet(&mut |event| self.take(event, &mut hearing));
        self.talk = talk;
        self.announce(&hearing)
    }

    fn announce(&mut self, hearing: &Turn<'_, '_>) -> Action {
        match hearing.answers.len() - hearing.first {
            0 if self.closing => Action::Close,
            0 => Action::Wait,
            count => {
                self.io.awaits_answers = true;
                Action::Answers(count, false)
            }
        }
    }

    fn take(&mut self, event: Event<'_>, hearing: &mut Turn<'_, '_>) {
        if self.closing {
            return;
        }
        match event {
            Event::Frame => self.sign(Dialect::Frame, Reply::Nothing, hearing),
            Event::Pong => self.sign(Dialect::Pong, Reply::Nothing, hearing),
            Event::BarePing => self.sign(Dialect::Ping, Reply::BarePong, hearing),
            Event::Packet => self.sign(Dialect::Text, Reply::Hello, hearing),
            Event::Command(Command::Ping) => self.sign(Dialect::Line, Reply::Pong, hearing),
            Event::Command(Command::HeartbeatPing) => self.sign(Dialect::Line, Reply::HeartbeatPong, hearing),
            Event::Command(Command::HeartbeatPong) => self.sign(Dialect::Line, Reply::Nothing, hearing),
            Event::Command(Command::Beat(fields)) => self.beat(fields, hearing),
            Event::Command(Command::Auth(token)) => self.authorize(token.as_bytes(), hearing),
            Event::Command(Command::Quit) => self.closing = true,
            Event::Wrong(reason) => {
                self.count(BeatResult::Invalid);
                hearing.say(Reply::Error(reason), 0);
            }
            Event::Foreign(foreign) => {
                self.closing = true;
                self.io.context.engine.stats().turned(match foreign {
                    Foreign::Http => Turned::ForeignHttp,
                    Foreign::Tls => Turned::ForeignTls,
                    Foreign::Ssh => Turned::ForeignSsh,
                    Foreign::Smb => Turned::ForeignSmb,
                });
            }
            Event::Impossible(frame) => {
                self.closing = true;
                let engine = &self.io.context.engine;
                engine.stats().turned(Turned::Protocol);
                let notice =
                    Notice::ClientBroken { peer: self.io.peer, kind: frame.kind, length: frame.length };
                engine.log().notice(hearing.turn.now.wall, notice);
            }
        }
    }

    fn count(&self, result: BeatResult) {
        self.io.context.engine.stats().beats(Transport::Tcp, result, 1);
    }

    /// Whether it may send beats; if not, says so where the dialect can.
    fn may_beat(&self, dialect: Dialect, hearing: &mut Turn<'_, '_>) -> bool {
        let reason = match hearing.turn.policy.access.check_again(Wish::Beat, self.io.peer, self.shown) {
            Ok(()) => return true,
            Err(Denied::Token(key)) => {
                self.note_refused(key, hearing);
                format!("a token from {key} is needed: AUTH TOKEN")
            }
            Err(Denied::Network(key)) => format!("not allowed from {}: see {key}", self.io.peer),
        };
        self.count(BeatResult::Denied);
        hearing.refuse(dialect, Cow::Owned(reason));
        false
    }

    fn note_refused(&self, key: &'static str, hearing: &Turn<'_, '_>) {
        let engine = &self.io.context.engine;
        engine.note_refused(hearing.turn.now, Refused::Token(key), self.io.peer);
    }

    /// A sign of life that names nobody.
    fn sign(&mut self, dialect: Dialect, reply: Reply, hearing: &mut Turn<'_, '_>) {
        if !self.may_beat(dialect, hearing) {
            return;
        }
        if self.whom == Subject::Named && !self.well {
            // That somebody is there does not mean that what was wrong is well.
            return hearing.say(reply, 0);
        }
        let newcomer = if self.claim.is_none() { self.nameless(hearing.turn) } else { None };
        let (whom, id) = match (&self.claim, &newcomer) {
            (Some(claim), _) => (self.whom, claim.id()),
            (None, Some((whom, id))) => (*whom, id.as_ref()),
            (None, None) => return,
        };
        let mut beat = Beat::default();
        if whom != Subject::Address {
            beat.id = Some(id);
        }
        if whom != Subject::Named {
            let (interval, timeout) = times_of(dialect, &hearing.turn.policy.tcp);
            beat.interval = Some(interval);
            beat.grace = Some(Span(timeout.0.saturating_sub(interval.0)));
        }
        let mut intake = self.intake(false, hearing.pending, hearing.turn);
        if whom == Subject::Address {
            intake.nameless = Some(id.to_id());
        }
        if let Err(fault) = intake.receive(Ok(beat)) {
            return hearing.refuse(dialect, reason(&fault));
        }
        // Only now: a sender that is refused takes nobody's place.
        match (&self.claim, newcomer) {
            (None, Some((whom, id))) => {
                self.whom = whom;
                let claims = self.io.context.engine.claims();
                self.claim = Some(claims.claim(dialect as u8, id.as_ref(), self.io.peer));
            }
            _ => self.renew(hearing),
        }
        hearing.say(reply, 1);
    }

    /// A beat that names its monitor.
    fn beat(&mut self, mut fields: Fields<'_>, hearing: &mut Turn<'_, '_>) {
        if !self.may_beat(Dialect::Line, hearing) {
            return;
        }
        let beat = fields.beat();
        let warnings = beat.as_ref().map_or(Warnings::NONE, |beat| beat.warnings);
        let said = beat.as_ref().ok().and_then(|beat| Some((beat.id?, beat.status.verdict() == Some(true))));
        match (self.intake(true, hearing.pending, hearing.turn).receive(beat), said) {
            (Ok(receipt), Some((id, well))) => {
                self.name(id, hearing);
                self.well = well;
                self.patience = Span(receipt.interval.0.saturating_add(receipt.grace.0));
                hearing.say(Reply::Ok(Some(receipt.interval), warnings), 1);
            }
            (Ok(receipt), None) => hearing.say(Reply::Ok(Some(receipt.interval), warnings), 1),
            (Err(fault), _) => hearing.refuse(Dialect::Line, reason(&fault)),
        }
    }

    /// From now on it speaks for this monitor.
    fn name(&mut self, id: IdRef<'_>, hearing: &mut Turn<'_, '_>) {
        let engine = &self.io.context.engine;
        match &self.claim {
            Some(claim) if self.whom == Subject::Named && claim.id() == id => return self.renew(hearing),
            Some(own) if self.whom == Subject::Own => {
                engine.depart(hearing.turn.now, own.id(), false, hearing.pending);
            }
            _ => {}
        }
        self.whom = Subject::Named;
        self.claim = Some(engine.claims().claim(Dialect::Line as u8, id, self.io.peer));
    }

    /// It goes on speaking for its monitor.
    fn renew(&self, hearing: &mut Turn<'_, '_>) {
        let Some(claim) = &self.claim else { return };
        // Those that give no name share the monitor of their address.
        if let Some(pair) = claim.renew(self.io.peer).filter(|_| self.whom == Subject::Named) {
            self.io.context.engine.contend(hearing.turn.now, claim.id(), pair, hearing.pending);
        }
    }

    /// Subject a sender speaks for that gives no name; its certificate may.
    fn nameless(&self, turn: &TurnContext<'_>) -> Option<(Subject, Id)> {
        if let Some(name) = self.io.stream.name() {
            return Some((Subject::Named, name.to_id()));
        }
        match (self.io.peer, turn.policy.tcp.anonymous) {
            (Peer::Ip(ip), Anonymous::IpPort) if self.port != 0 => {
                let own = std::net::SocketAddr::new(ip, self.port).to_string();
                Id::new(&own).ok().map(|id| (Subject::Own, id))
            }
            (peer, _) => id_of_peer(peer).map(|id| (Subject::Address, id)),
        }
    }

    fn intake<'a>(
        &'a self,
        hears: bool,
        pending: &'a mut Pending,
        turn: &'a TurnContext<'_>,
    ) -> BeatIntake<'a> {
        BeatIntake {
            engine: &self.io.context.engine,
            policy: turn.policy,
            now: turn.now,
            client: self.io.peer,
            transport: Transport::Tcp,
            hears,
            pending,
            nameless: None,
        }
    }
}

impl Turn<'_, '_> {
    /// Something to say once the beats of this turn are kept, of which it acknowledges so many.
    fn say(&mut self, reply: Reply, acknowledges: u64) {
        // A dialect without answers needs no more than one for them all.
        if let (Reply::Nothing, Some(PendingAnswer::Tcp(Reply::Nothing, before))) =
            (&reply, self.answers[self.first..].last_mut())
        {
            *before += acknowledges;
        } else {
            self.answers.push(PendingAnswer::Tcp(reply, acknowledges));
        }
    }

    /// Says why not, where the dialect has words for it.
    fn refuse(&mut self, dialect: Dialect, reason: Cow<'static, str>) {
        if dialect == Dialect::Line {
            self.say(Reply::Error(reason), 0);
        }
    }
}

/// Why a beat was not taken, as it stands behind `ERR`.
fn reason(fault: &IntakeError) -> Cow<'static, str> {
    match fault {
        IntakeError::Invalid(error) => line::reason(error),
        IntakeError::Refused(_) => Cow::Owned(fault.reason().to_string()),
    }
}

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
