//! A raw TCP connection of a front: what its bytes mean (`wire::dialect`) becomes beats, answers and, in the end, silence.
//!
//! A sender that gives a name, with `BEAT`, speaks for that monitor from then on: its `PING` is a beat too, unless its last
//! word was other than well. One that gives none speaks for its address, or for a monitor of its own that goes with the
//! connection. Whoever beats for an id holds the claim on it ([`Claim`]); the end of a connection that somebody else has
//! replaced is told to nobody.
//!
//! Nothing waits for a client that does not read: what it leaves unread is bounded, and we read on.

mod patience;

use super::desk::{Desk, Moment, NEVER, Next, Said, not_any_more};
use super::link::Link;
use super::parked::State;
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
use crate::transport::taking::{Fault, Taker};
use crate::wire::blob;
use crate::wire::dialect::{self, Dialect, Event, Foreign};
use crate::wire::fields::Fields;
use crate::wire::line::{self, Command, Reply};
use patience::{next_ping, times_of};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Readings in one turn before other connections get theirs.
const READINGS_MAX: usize = 4;

/// A raw TCP connection.
pub struct Talk {
    /// What it has in common with the other kinds.
    pub link: Link,
    talk: dialect::Talk,
    whom: Whom,
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
enum Whom {
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
pub struct Kept {
    talk: dialect::Talk,
    whom: Whom,
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

impl Kept {
    /// The monitor that goes with the connection, where it has one.
    pub fn own_monitor(&self) -> Option<&str> {
        self.claim.as_ref().filter(|_| self.whom == Whom::Own).map(claims::Kept::id)
    }
}

/// What is at hand while a connection is heard.
struct Hearing<'a, 'm> {
    pending: &'a mut Pending,
    answers: &'a mut Vec<Said>,
    /// Answers from here on are this connection's.
    first: usize,
    moment: &'a Moment<'m>,
}

impl Talk {
    /// A newcomer.
    pub fn new(link: Link, moment: &Moment<'_>) -> Talk {
        let times = &moment.policy.tcp;
        let port = link.stream.peer_port().unwrap_or(0);
        let mut talk = Talk {
            link,
            talk: dialect::Talk::new(),
            whom: Whom::Nobody,
            claim: None,
            port,
            shown: Shown::Nothing,
            well: true,
            closing: false,
            gone: false,
            patience: Span(0),
            silent_s: moment.second_after(times.timeout),
            message_s: NEVER,
            token_s: NEVER,
            deaf_s: 0,
            guesses: 0,
            has_waited: false,
            ahead: Box::default(),
            ping_s: next_ping(times, moment),
            stalled_s: NEVER,
            quiet_ms: 0,
            quiet_noted: false,
        };
        talk.expect_token(moment);
        talk.set_alarm();
        let peer = talk.link.peer;
        talk.link.site.engine.log().notice(moment.now.wall, Notice::ClientConnected { peer });
        talk
    }

    /// One of the process before us; `None` where that is not what it left.
    pub fn resumed(link: Link, kept: Kept, moment: &Moment<'_>) -> Option<Talk> {
        let claim = kept.claim.as_ref().and_then(|claim| link.site.engine.claims().resume(claim));
        if !kept.talk.is_sound() || claim.is_none() != (kept.whom == Whom::Nobody) {
            return None;
        }
        let port = link.stream.peer_port().unwrap_or(0);
        // Who answers is asked at once, or with one restart after the other nobody would be; who has said nothing may be
        // about to.
        let answers = kept.talk.dialect() == Dialect::Pong;
        let mut talk = Talk {
            link,
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
            deaf_s: if kept.ahead.is_empty() { 0 } else { moment.now_s },
            guesses: kept.guesses,
            has_waited: false,
            ahead: kept.ahead.into(),
            ping_s: if answers { moment.now_s } else { next_ping(&moment.policy.tcp, moment) },
            stalled_s: NEVER,
            quiet_ms: if kept.talk.wants_quiet() { moment.now_ms + QUIET.0 } else { 0 },
            quiet_noted: false,
            talk: kept.talk,
        };
        talk.silent_s = moment.second_after(talk.timeout(moment));
        talk.watch_message(false, moment);
        talk.expect_token(moment);
        talk.set_alarm();
        Some(talk)
    }

    /// What is left of it to the next process.
    pub fn park(self) -> (Link, State) {
        let claim = self.claim.as_ref().map(Claim::keep);
        let Talk { link, talk, whom, shown, well, patience, guesses, ahead, .. } = self;
        let (patience_ms, ahead) = (patience.0, ahead.into_vec());
        let (authorized, shown) = (shown != Shown::Nothing, Some(shown));
        (link, State::Tcp(Kept { talk, whom, claim, authorized, shown, well, patience_ms, guesses, ahead }))
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
    pub fn look_for_quiet(&mut self, desk: &mut Desk, moment: &Moment<'_>) -> Next {
        self.quiet_noted = false;
        if self.quiet_ms == 0 || self.quiet_ms > moment.now_ms {
            return Next::Wait;
        }
        self.be_quiet(desk, moment)
    }

    /// Does what can be done now: sends what waits, reads, takes beats.
    pub fn turn(&mut self, desk: &mut Desk, moment: &Moment<'_>) -> Next {
        if self.link.is_blocked() {
            if self.link.send_unsent().is_err() {
                return Next::Close;
            }
            self.watch_sending(moment);
        }
        if self.deaf_s > moment.now_s {
            // Who goes on sending fills the buffers of the kernel, and waits.
            return Next::Wait;
        }
        if !self.ahead.is_empty() {
            let ahead = std::mem::take(&mut self.ahead);
            desk.input[..ahead.len()].copy_from_slice(&ahead);
            match self.hear(desk, ahead.len(), moment) {
                // The socket may hold more, and has told so already.
                Next::Answers(count, _) => return Next::Answers(count, !self.closing),
                Next::Wait if self.deaf_s > moment.now_s => return Next::Wait,
                Next::Wait => {}
                next => return next,
            }
        }
        for _ in 0..READINGS_MAX {
            let room = TALK_READ_BYTES_MAX.min(desk.input.len());
            let read = match self.link.stream.read(&mut desk.input[..room]) {
                Ok(0) => return self.hear_the_end(desk, moment),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.rest(desk, moment),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Next::Close,
            };
            // A reading that did not fill its room emptied the socket; only the end of the client's side is told together
            // with its last bytes.
            let more = self.link.may_have_left(read, room);
            match self.hear(desk, read, moment) {
                Next::Answers(count, _) => return Next::Answers(count, more && !self.closing),
                Next::Wait if self.deaf_s > moment.now_s => return Next::Wait,
                Next::Wait if !more => return self.rest(desk, moment),
                Next::Wait => {}
                next => return next,
            }
        }
        Next::Again
    }

    /// Sends the answers that [`Next::Answers`] announced, `range` of those on the desk.
    pub fn answer(&mut self, desk: &mut Desk, range: Range<usize>, moment: &Moment<'_>) -> Next {
        let Desk { output, answers, .. } = desk;
        self.link.awaits_answers = false;
        output.clear();
        for said in answers.get(range).unwrap_or_default() {
            if let Said::Tcp(reply, _) = said {
                reply.write(output);
            }
        }
        // Before what waits already nothing may be sent.
        if self.link.is_blocked() {
            self.link.unsent.extend_from_slice(output);
        } else if self.link.send(output).is_err() {
            return Next::Close;
        }
        self.watch_sending(moment);
        if self.link.unsent.len() > TALK_UNSENT_BYTES_MAX {
            self.link.site.engine.stats().turned(Turned::Unread);
            return Next::Close;
        }
        if self.closing || moment.draining { Next::Close } else { Next::Wait }
    }

    /// Judges it by the policy in force, which may be another one than it was let in under (`changed`).
    pub fn judge(&mut self, changed: bool, moment: &Moment<'_>) -> Next {
        if changed {
            self.shown = self.shown.under_another_policy();
        }
        let key = match moment.policy.access.check_again(Wish::Beat, self.link.peer, self.shown) {
            Ok(()) => return Next::Wait,
            // It may show a token yet, and without one is told so.
            Err(Denied::Token(_)) if self.whom == Whom::Nobody => {
                if changed {
                    self.expect_token(moment);
                    self.set_alarm();
                }
                return Next::Wait;
            }
            Err(Denied::Token(key) | Denied::Network(key)) => key,
        };
        let notice = Notice::ClientDenied { peer: self.link.peer, key };
        self.link.site.engine.log().notice(moment.now.wall, notice);
        if self.talk.dialect() == Dialect::Line && !self.link.is_blocked() {
            // What cannot be sent to one that is closed is not missed.
            let _ = self.link.send(format!("ERR {}\n", not_any_more(key)).as_bytes());
        }
        Next::Close
    }

    /// Its last step, whatever has ended it.
    pub fn part(&self, pending: &mut Pending, moment: &Moment<'_>) {
        let engine = &self.link.site.engine;
        if !self.gone {
            let notice = Notice::ClientDisconnected { peer: self.link.peer, monitor: self.monitor() };
            engine.log().notice(moment.now.wall, notice);
        }
        if let Some(own) = self.claim.as_ref().filter(|claim| self.whom == Whom::Own && claim.holds()) {
            engine.depart(moment.now, own.id(), self.gone, pending);
        }
    }

    /// The monitor that it speaks for, where that is not its address.
    fn monitor(&self) -> Option<Arc<str>> {
        let claim = self.claim.as_ref().filter(|_| self.whom != Whom::Address)?;
        Some(claim.id().as_str().into())
    }

    /// Notes until when what waits for its socket must have moved on.
    fn watch_sending(&mut self, moment: &Moment<'_>) {
        let stalled_s = self.link.stalled_s(self.stalled_s, moment);
        if stalled_s != self.stalled_s {
            self.stalled_s = stalled_s;
            self.set_alarm();
        }
    }

    /// Nothing more is there to read.
    fn rest(&mut self, desk: &mut Desk, moment: &Moment<'_>) -> Next {
        // Who stops waits for nothing that has not come yet.
        if moment.draining && self.quiet_ms != 0 { self.be_quiet(desk, moment) } else { Next::Wait }
    }

    /// The client will send no more.
    fn hear_the_end(&mut self, desk: &mut Desk, moment: &Moment<'_>) -> Next {
        let last = if self.quiet_ms != 0 { self.be_quiet(desk, moment) } else { Next::Close };
        self.closing = true;
        if last == Next::Wait { Next::Close } else { last }
    }

    /// Takes the first `filled` bytes of the desk in.
    fn hear(&mut self, desk: &mut Desk, filled: usize, moment: &Moment<'_>) -> Next {
        let Desk { input, pending, answers, .. } = desk;
        let mut hearing = Hearing { first: answers.len(), pending, answers, moment };
        let mut talk = std::mem::take(&mut self.talk);
        let length_max = moment.policy.limits.beat_bytes;
        let mut anew = false;
        let mut rest = &input[..filled];
        if moment.policy.access.beat_tokens.is_empty() {
            talk.feed(rest, length_max, &mut |event| {
                anew = true;
                self.take(event, &mut hearing);
            });
            rest = &[];
        }
        // Line by line, so that nobody has a thousand guesses in one reading.
        while !rest.is_empty() && self.deaf_s <= moment.now_s {
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
        self.watch_message(anew, moment);
        self.silent_s = moment.second_after(self.timeout(moment));
        self.set_alarm();
        self.quiet_ms = if self.talk.wants_quiet() { moment.now_ms + QUIET.0 } else { 0 };
        self.announce(&hearing)
    }

    /// Nothing has come for a moment.
    fn be_quiet(&mut self, desk: &mut Desk, moment: &Moment<'_>) -> Next {
        let Desk { pending, answers, .. } = desk;
        let mut hearing = Hearing { first: answers.len(), pending, answers, moment };
        self.quiet_ms = 0;
        let mut talk = std::mem::take(&mut self.talk);
        talk.quiet(&mut |event| self.take(event, &mut hearing));
        self.talk = talk;
        self.announce(&hearing)
    }

    fn announce(&mut self, hearing: &Hearing<'_, '_>) -> Next {
        match hearing.answers.len() - hearing.first {
            0 if self.closing => Next::Close,
            0 => Next::Wait,
            count => {
                self.link.awaits_answers = true;
                Next::Answers(count, false)
            }
        }
    }

    fn take(&mut self, event: Event<'_>, hearing: &mut Hearing<'_, '_>) {
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
                self.link.site.engine.stats().turned(match foreign {
                    Foreign::Http => Turned::ForeignHttp,
                    Foreign::Tls => Turned::ForeignTls,
                    Foreign::Ssh => Turned::ForeignSsh,
                    Foreign::Smb => Turned::ForeignSmb,
                });
            }
            Event::Impossible(frame) => {
                self.closing = true;
                let engine = &self.link.site.engine;
                engine.stats().turned(Turned::Protocol);
                let notice =
                    Notice::ClientBroken { peer: self.link.peer, kind: frame.kind, length: frame.length };
                engine.log().notice(hearing.moment.now.wall, notice);
            }
        }
    }

    fn count(&self, result: BeatResult) {
        self.link.site.engine.stats().beats(Transport::Tcp, result, 1);
    }

    /// Whether it may send beats; if not, says so where the dialect can.
    fn may_beat(&self, dialect: Dialect, hearing: &mut Hearing<'_, '_>) -> bool {
        let reason = match hearing.moment.policy.access.check_again(Wish::Beat, self.link.peer, self.shown) {
            Ok(()) => return true,
            Err(Denied::Token(key)) => {
                self.note_refused(key, hearing);
                format!("a token from {key} is needed: AUTH TOKEN")
            }
            Err(Denied::Network(key)) => format!("not allowed from {}: see {key}", self.link.peer),
        };
        self.count(BeatResult::Denied);
        hearing.refuse(dialect, Cow::Owned(reason));
        false
    }

    fn note_refused(&self, key: &'static str, hearing: &Hearing<'_, '_>) {
        let engine = &self.link.site.engine;
        engine.note_refused(hearing.moment.now, Refused::Token(key), self.link.peer);
    }

    /// A sign of life that names nobody.
    fn sign(&mut self, dialect: Dialect, reply: Reply, hearing: &mut Hearing<'_, '_>) {
        if !self.may_beat(dialect, hearing) {
            return;
        }
        if self.whom == Whom::Named && !self.well {
            // That somebody is there does not mean that what was wrong is well.
            return hearing.say(reply, 0);
        }
        let newcomer = if self.claim.is_none() { self.nameless(hearing.moment) } else { None };
        let (whom, id) = match (&self.claim, &newcomer) {
            (Some(claim), _) => (self.whom, claim.id()),
            (None, Some((whom, id))) => (*whom, id.as_ref()),
            (None, None) => return,
        };
        let mut beat = Beat::default();
        if whom != Whom::Address {
            beat.id = Some(id);
        }
        if whom != Whom::Named {
            let (interval, timeout) = times_of(dialect, &hearing.moment.policy.tcp);
            beat.interval = Some(interval);
            beat.grace = Some(Span(timeout.0.saturating_sub(interval.0)));
        }
        let mut taker = self.taker(false, hearing.pending, hearing.moment);
        if whom == Whom::Address {
            taker.nameless = Some(id.to_id());
        }
        if let Err(fault) = taker.receive(Ok(beat)) {
            return hearing.refuse(dialect, reason(&fault));
        }
        // Only now: a sender that is refused takes nobody's place.
        match (&self.claim, newcomer) {
            (None, Some((whom, id))) => {
                self.whom = whom;
                let claims = self.link.site.engine.claims();
                self.claim = Some(claims.claim(dialect as u8, id.as_ref(), self.link.peer));
            }
            _ => self.renew(hearing),
        }
        hearing.say(reply, 1);
    }

    /// A beat that names its monitor.
    fn beat(&mut self, mut fields: Fields<'_>, hearing: &mut Hearing<'_, '_>) {
        if !self.may_beat(Dialect::Line, hearing) {
            return;
        }
        let beat = fields.beat();
        let warnings = beat.as_ref().map_or(Warnings::NONE, |beat| beat.warnings);
        let said = beat.as_ref().ok().and_then(|beat| Some((beat.id?, beat.status.verdict() == Some(true))));
        match (self.taker(true, hearing.pending, hearing.moment).receive(beat), said) {
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
    fn name(&mut self, id: IdRef<'_>, hearing: &mut Hearing<'_, '_>) {
        let engine = &self.link.site.engine;
        match &self.claim {
            Some(claim) if self.whom == Whom::Named && claim.id() == id => return self.renew(hearing),
            Some(own) if self.whom == Whom::Own => {
                engine.depart(hearing.moment.now, own.id(), false, hearing.pending);
            }
            _ => {}
        }
        self.whom = Whom::Named;
        self.claim = Some(engine.claims().claim(Dialect::Line as u8, id, self.link.peer));
    }

    /// It goes on speaking for its monitor.
    fn renew(&self, hearing: &mut Hearing<'_, '_>) {
        let Some(claim) = &self.claim else { return };
        // Those that give no name share the monitor of their address.
        if let Some(pair) = claim.renew(self.link.peer).filter(|_| self.whom == Whom::Named) {
            self.link.site.engine.contend(hearing.moment.now, claim.id(), pair, hearing.pending);
        }
    }

    /// Whom a sender speaks for that gives no name; its certificate may.
    fn nameless(&self, moment: &Moment<'_>) -> Option<(Whom, Id)> {
        if let Some(name) = self.link.stream.name() {
            return Some((Whom::Named, name.to_id()));
        }
        match (self.link.peer, moment.policy.tcp.anonymous) {
            (Peer::Ip(ip), Anonymous::IpPort) if self.port != 0 => {
                let own = std::net::SocketAddr::new(ip, self.port).to_string();
                Id::new(&own).ok().map(|id| (Whom::Own, id))
            }
            (peer, _) => id_of_peer(peer).map(|id| (Whom::Address, id)),
        }
    }

    fn taker<'a>(&'a self, hears: bool, pending: &'a mut Pending, moment: &'a Moment<'_>) -> Taker<'a> {
        Taker {
            engine: &self.link.site.engine,
            policy: moment.policy,
            now: moment.now,
            client: self.link.peer,
            transport: Transport::Tcp,
            hears,
            pending,
            nameless: None,
        }
    }
}

impl Hearing<'_, '_> {
    /// Something to say once the beats of this turn are kept, of which it acknowledges so many.
    fn say(&mut self, reply: Reply, acknowledges: u64) {
        // A dialect without answers needs no more than one for them all.
        if let (Reply::Nothing, Some(Said::Tcp(Reply::Nothing, before))) =
            (&reply, self.answers[self.first..].last_mut())
        {
            *before += acknowledges;
        } else {
            self.answers.push(Said::Tcp(reply, acknowledges));
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
fn reason(fault: &Fault) -> Cow<'static, str> {
    match fault {
        Fault::Wrong(error) => line::reason(error),
        Fault::Refused(_) => Cow::Owned(fault.reason().to_string()),
    }
}

#[cfg(test)]
#[path = "talk_tests.rs"]
mod tests;
