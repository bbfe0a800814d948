//! A WebSocket of a front: what its messages mean, when it is pinged, and how it ends.
//!
//! Hyper has done the handshake; from then on the connection is here, and between two readings nothing is kept but the
//! session and a few words. Every message, ping and pong is a beat: for the monitor that the connection's last beat
//! named, else for its address. A mere sign of life says only that somebody is there, so it is no beat while the last word
//! of the connection about its monitor was another than well. Whoever beats for a monitor holds the claim on it
//! ([`Claim`]); the end of a connection that somebody else has replaced is told to nobody.

use super::desk::{Desk, Moment, NEVER, Next, Said, not_any_more};
use super::link::Link;
use super::parked::State;
use crate::domain::access::{Denied, Shown, Wish};
use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Status, Transport};
use crate::domain::id::{Id, IdRef};
use crate::domain::limits::{LINGER_MAX, SOCKET_PARTING_MAX, SOCKET_UNSENT_BYTES_MAX};
use crate::domain::notice::Notice;
use crate::domain::time::Span;
use crate::engine::claims::{self, Claim};
use crate::engine::stats::{BeatResult, Turned};
use crate::engine::{Pending, id_of_peer};
use crate::transport::budget;
use crate::transport::http::{Opening, beats};
use crate::transport::site::Trust;
use crate::transport::taking::{Fault, Taker, named_by};
use crate::wire::answer::Answer;
use crate::wire::blob;
use crate::wire::ws::{Code, Event, Opcode, Role, Session, frame};
use serde::{Deserialize, Serialize};
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

/// Where in its life the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    Open,
    /// We have closed, and wait for the other end to do the same.
    Parting,
    /// All is said; what is not sent yet must be.
    Ending,
    /// All is sent; the other end is heard out so that it gets to read it.
    Lingering,
}

/// Seconds by which the loop, which looks every second, may find a silence late. When it is later than that it stood
/// still itself, and nobody is judged for time in which nothing could be heard.
const LATE_S: u32 = 2;
/// Readings in one turn before other connections get theirs.
const READINGS_MAX: usize = 4;
/// What people send who know no JSON, and what they hear.
const PING: &[u8] = b"PING";
const PONG: &[u8] = b"PONG";
/// The kind of its claims; the dialects of raw TCP have others.
const CLAIM_KIND: u8 = u8::MAX;

/// A WebSocket.
pub struct Ws {
    /// What it has in common with the other kinds; its peer is who proxies say that are believed.
    pub link: Link,
    session: Session,
    /// What it has shown at its handshake.
    shown: Box<Shown>,
    /// On the monitor for which it has beaten last; apart, because an idle one has none.
    claim: Option<Box<Claim>>,
    /// Whether a beat has named that monitor, or a certificate; else it is its address.
    named: bool,
    /// Whether its last word about the monitor was well.
    well: bool,
    /// Whether it only says what it hears.
    echo: bool,
    /// Whether it was silent for too long.
    gone: bool,
    stage: Stage,
    /// Bytes that nobody has looked at yet.
    ahead: Box<[u8]>,
    /// When it will have been silent for too long.
    silent_s: u32,
    /// When the message that has begun must have ended.
    message_s: u32,
    /// When what it is sent must have been taken.
    stalled_s: u32,
    ping_s: u32,
    heard_bytes: u32,
}

/// What the next process has to know.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    session: Session,
    claim: Option<claims::Kept>,
    named: bool,
    well: bool,
    echo: bool,
    stage: Stage,
    #[serde(with = "blob")]
    ahead: Vec<u8>,
    heard_bytes: u32,
    /// Who it is, as proxies said; `None`: somebody of this machine.
    client: Option<IpAddr>,
    #[serde(default = "Shown::believed")]
    shown: Shown,
}

/// Something to say once the beats of the turn are kept.
pub enum Say {
    /// The word for a word.
    Word(Answer),
    /// The answer to JSON.
    Json(Answer),
    /// Bytes as they are, or none; and how many beats wait with them.
    Frame(Vec<u8>, u64),
}

impl Ws {
    /// One that was just opened; `read` was read of it already.
    pub fn new(mut link: Link, read: Vec<u8>, opening: Opening, moment: &Moment<'_>) -> Ws {
        let times = moment.policy.websocket;
        let name = named_by(link.stream.name(), link.peer, opening.client);
        link.belongs_to(opening.client, moment);
        let mut ws = Ws {
            link,
            session: Session::new(Role::Server),
            shown: Box::new(opening.shown),
            claim: None,
            named: false,
            well: true,
            echo: opening.echo,
            gone: false,
            stage: Stage::Open,
            ahead: read.into(),
            silent_s: moment.second_after(times.timeout),
            message_s: NEVER,
            stalled_s: NEVER,
            ping_s: next_ping(moment),
            heard_bytes: 0,
        };
        if let Some(name) = name {
            // It has said nothing yet, so whoever does speak for that monitor goes on doing so.
            ws.claim = Some(Box::new(ws.link.site.engine.claims().announce(CLAIM_KIND, name.as_ref())));
            ws.named = true;
        }
        ws.arm();
        ws
    }

    /// One of the process before us; `None` where that is not what it left.
    pub fn resumed(mut link: Link, kept: Kept, moment: &Moment<'_>) -> Option<Ws> {
        let claim = kept.claim.as_ref().and_then(|claim| link.site.engine.claims().resume(claim));
        if !kept.session.is_sound() || claim.is_some() != kept.claim.is_some() {
            return None;
        }
        link.belongs_to(kept.client.map_or(Peer::Unix, Peer::from_ip), moment);
        let between = kept.session.is_between_messages();
        let body_s = moment.second_after(moment.policy.limits.body_timeout);
        let mut ws = Ws {
            stalled_s: link.stalled_s(NEVER, moment),
            link,
            message_s: if between { NEVER } else { body_s },
            session: kept.session,
            shown: Box::new(kept.shown),
            claim: claim.map(Box::new),
            named: kept.named,
            well: kept.well,
            echo: kept.echo,
            gone: false,
            stage: kept.stage,
            ahead: kept.ahead.into(),
            silent_s: moment.second_after(moment.policy.websocket.timeout),
            ping_s: next_ping(moment),
            heard_bytes: kept.heard_bytes,
        };
        match ws.stage {
            Stage::Open => ws.arm(),
            Stage::Parting => ws.link.due_in(moment, SOCKET_PARTING_MAX),
            Stage::Ending => ws.link.due_s = ws.stalled_s,
            Stage::Lingering => ws.link.due_in(moment, LINGER_MAX),
        }
        Some(ws)
    }

    /// What is left of it to the next process.
    pub fn park(self) -> (Link, State) {
        let claim = self.claim.as_ref().map(|claim| claim.keep());
        let Ws { link, session, shown, named, well, echo, stage, ahead, heard_bytes, .. } = self;
        let client = match link.peer {
            Peer::Ip(ip) => Some(ip),
            Peer::Unix => None,
        };
        let ahead = ahead.into_vec();
        (
            link,
            State::Ws(Kept {
                session,
                claim,
                named,
                well,
                echo,
                stage,
                ahead,
                heard_bytes,
                client,
                shown: *shown,
            }),
        )
    }

    /// Bytes kept of a message that is not whole, and of what nobody has looked at yet.
    pub fn kept_bytes(&self) -> usize {
        self.session.kept_bytes() + self.ahead.len()
    }

    /// What it hears before it is closed because there is no room for it.
    pub fn last_words(&mut self, why: Turned) -> Vec<u8> {
        let mut out = Vec::new();
        self.session.close(Code::TRY_AGAIN_LATER, budget::reason(why), None, &mut out);
        out
    }

    /// Does what can be done now: sends what waits, reads, takes beats.
    pub fn turn(&mut self, desk: &mut Desk, moment: &Moment<'_>) -> Next {
        if self.stage == Stage::Lingering {
            return self.link.hear_out(desk, &mut self.heard_bytes);
        }
        match self.read(desk, moment) {
            Next::Wait => self.rest(moment),
            next => next,
        }
    }

    fn read(&mut self, desk: &mut Desk, moment: &Moment<'_>) -> Next {
        if self.link.is_blocked() {
            match self.link.send_unsent() {
                Ok(true) => {}
                Ok(false) if self.link.unsent.len() > SOCKET_UNSENT_BYTES_MAX => return Next::Wait,
                Ok(false) => {}
                Err(_) => return Next::Close,
            }
        }
        if self.stage == Stage::Ending {
            return Next::Wait;
        }
        while !self.ahead.is_empty() {
            let ahead = std::mem::take(&mut self.ahead);
            let (now, later) = ahead.split_at(ahead.len().min(desk.input.len()));
            desk.input[..now.len()].copy_from_slice(now);
            self.ahead = later.into();
            if let Next::Answers(count, _) = self.hear(desk, now.len(), moment) {
                // The socket may hold more, and has told so already.
                return Next::Answers(count, true);
            }
        }
        for _ in 0..READINGS_MAX {
            let read = match self.link.stream.read(&mut desk.input) {
                Ok(0) => return Next::Close,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Next::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Next::Close,
            };
            let more = self.link.may_have_left(read, desk.input.len());
            match self.hear(desk, read, moment) {
                Next::Answers(count, _) => return Next::Answers(count, more),
                // A reading that did not fill the buffer emptied the socket; readiness will be told anew.
                _ if !more => return Next::Wait,
                _ => {}
            }
        }
        Next::Again
    }

    /// Takes in the first `filled` bytes of the desk; what is to be said about them stays there.
    fn hear(&mut self, desk: &mut Desk, filled: usize, moment: &Moment<'_>) -> Next {
        let Desk { input, pending, answers, .. } = desk;
        let answers_before = answers.len();
        let limits = &moment.policy.limits;
        self.silent_s = moment.second_after(moment.policy.websocket.timeout);
        let mut used = 0;
        // The policy may have changed since it was let in, and the loop not have judged it anew yet.
        if let Some(key) = self.is_denied(moment) {
            self.link.site.engine.stats().beats(Transport::Ws, BeatResult::Denied, 1);
            answers.push(Said::Ws(self.farewell(Code::POLICY, &not_any_more(key))));
            used = filled;
        }
        while used < filled {
            match self.session.next(&mut input[used..filled], limits.body_bytes) {
                Ok((more, event)) => {
                    used += more;
                    let Some(event) = event else { break };
                    // Pings between its fragments do not make a message come any sooner.
                    if !self.session.is_inside_message() {
                        self.message_s = NEVER;
                    }
                    answers.extend(self.take(event, pending, moment).map(Said::Ws));
                }
                Err(fault) => {
                    self.link.site.engine.stats().turned(Turned::Protocol);
                    answers.push(Said::Ws(self.farewell(fault.code(), &fault.reason())));
                    break;
                }
            }
        }
        if self.session.is_between_messages() {
            self.message_s = NEVER;
        } else if self.message_s == NEVER {
            self.message_s = moment.second_after(limits.body_timeout);
        }
        match answers.len() - answers_before {
            0 => Next::Wait,
            count => {
                // One whose beats are all refused takes nobody's place.
                if answers[answers_before..].iter().any(|said| said.acknowledges() > 0) {
                    self.claim(pending, moment);
                }
                self.link.awaits_answers = true;
                Next::Answers(count, false)
            }
        }
    }

    /// The key that bars it by the policy in force. Who comes through the control socket is barred by none.
    fn is_denied(&self, moment: &Moment<'_>) -> Option<&'static str> {
        if self.link.site.trust == Trust::Control {
            return None;
        }
        let judged = moment.policy.access.check_again(Wish::Beat, self.link.peer, *self.shown);
        let (Denied::Network(key) | Denied::Token(key)) = judged.err()?;
        Some(key)
    }

    /// Judges it by the policy in force, which may be another one than it was let in under (`changed`).
    pub fn judge(&mut self, changed: bool, moment: &Moment<'_>) -> Next {
        if changed {
            *self.shown = self.shown.under_another_policy();
        }
        let Some(key) = self.is_denied(moment).filter(|_| self.stage == Stage::Open) else {
            return Next::Wait;
        };
        let mut out = Vec::new();
        self.session.close(Code::POLICY, &not_any_more(key), None, &mut out);
        self.stage = Stage::Ending;
        if self.link.send(&out).is_err() { Next::Close } else { self.rest(moment) }
    }

    /// Says that it speaks for its monitor now; for its address, if none was named.
    fn claim(&mut self, pending: &mut Pending, moment: &Moment<'_>) {
        match &self.claim {
            _ if self.echo || self.stage != Stage::Open => {}
            Some(claim) => {
                if let Some(pair) = claim.renew(self.link.peer).filter(|_| self.named) {
                    self.link.site.engine.contend(moment.now, claim.id(), pair, pending);
                }
            }
            None => {
                if let Some(address) = id_of_peer(self.link.peer) {
                    self.speak_for(address.as_ref());
                }
            }
        }
    }

    fn speak_for(&mut self, id: IdRef<'_>) {
        if self.claim.as_ref().is_none_or(|claim| claim.id() != id) {
            let claims = self.link.site.engine.claims();
            self.claim = Some(Box::new(claims.claim(CLAIM_KIND, id, self.link.peer)));
        }
    }

    /// The monitor that was named.
    fn name(&self) -> Option<IdRef<'_>> {
        self.claim.as_ref().filter(|_| self.named).map(|claim| claim.id())
    }

    /// What an event means, and what is to be said to it once that is kept.
    fn take(&mut self, event: Event<'_>, pending: &mut Pending, moment: &Moment<'_>) -> Option<Say> {
        let mut owed = Vec::new();
        self.session.reply(&event, None, &mut owed);
        match event {
            _ if self.stage != Stage::Open && !matches!(event, Event::Close { .. }) => None,
            Event::Close { .. } => {
                self.stage = Stage::Ending;
                Some(Say::Frame(owed, 0))
            }
            Event::Message { text, bytes } if self.echo => {
                let opcode = if text { Opcode::Text } else { Opcode::Binary };
                self.session.send(opcode, &bytes, None, &mut owed);
                Some(Say::Frame(owed, 0))
            }
            _ if self.echo => Some(Say::Frame(owed, 0)),
            Event::Message { text: true, bytes } if bytes.trim_ascii() == PING => {
                Some(Say::Word(match self.note_life(pending, moment) {
                    Some(Ok(interval)) => Answer::ok(interval),
                    Some(Err(fault)) => beats::refusal(&fault),
                    None => Answer { acknowledges: 0, ..Answer::ok(moment.policy.websocket.ping_interval) },
                }))
            }
            Event::Message { bytes, .. } => Some(Say::Json(self.take_json(&bytes, pending, moment))),
            Event::Ping(_) | Event::Pong(_) => {
                let taken = matches!(self.note_life(pending, moment), Some(Ok(_)));
                Some(Say::Frame(owed, taken.into()))
            }
        }
    }

    /// A sign of life that says nothing else; `None` where it is no beat.
    fn note_life(&self, pending: &mut Pending, moment: &Moment<'_>) -> Option<Result<Span, Fault>> {
        let beat = signed(Beat::default(), self.name(), moment);
        self.well.then(|| taker(&self.link, pending, moment).take(Ok(beat)))
    }

    fn take_json(&mut self, body: &[u8], pending: &mut Pending, moment: &Moment<'_>) -> Answer {
        let (mut named, mut well) = (None::<Id>, self.well);
        let mut taker = taker(&self.link, pending, moment);
        let answer = beats::take_body(&moment.policy.limits, body, None, |hears, beat| {
            taker.hears = hears;
            let beat = match beat {
                Ok(beat) => beat,
                Err(error) => return taker.take(Err(error)),
            };
            let (name, status) = (beat.id.or(beat.ip).map(IdRef::to_id), beat.status);
            let known = named.as_ref().map(Id::as_ref).or(self.name());
            let interval = taker.take(Ok(signed(beat, known, moment)))?;
            if name.is_some() {
                named = name;
            }
            if status != Status::Log {
                well = status.verdict() == Some(true);
            }
            Ok(interval)
        });
        self.well = well;
        if let Some(name) = named {
            self.speak_for(name.as_ref());
            self.named = true;
        }
        answer
    }

    /// Sends what was to be said, `range` of the desk.
    pub fn answer(&mut self, desk: &mut Desk, range: Range<usize>, moment: &Moment<'_>) -> Next {
        let Desk { output, answers, .. } = desk;
        self.link.awaits_answers = false;
        output.clear();
        for said in answers.get(range).unwrap_or_default() {
            if let Said::Ws(say) = said {
                say.write(output);
            }
        }
        match self.link.send(output) {
            Ok(()) => self.rest(moment),
            Err(_) => Next::Close,
        }
    }

    /// Pings, or ends what has been silent, slow or deaf for too long.
    pub fn time_out(&mut self, moment: &Moment<'_>) -> Next {
        let now_s = moment.now_s;
        if self.stage != Stage::Open {
            return Next::Close;
        }
        let turned = |why| self.link.site.engine.stats().turned(why);
        if self.stalled_s <= now_s {
            turned(Turned::Unread);
            return Next::Close;
        }
        if self.silent_s.saturating_add(LATE_S) < now_s {
            self.silent_s = moment.second_after(moment.policy.websocket.timeout);
        }
        let mut out = Vec::new();
        let reason = if self.silent_s <= now_s {
            turned(Turned::Timeout);
            self.tell_gone(moment);
            format!("silent for {} (websocket.timeout)", moment.policy.websocket.timeout)
        } else if self.message_s <= now_s {
            turned(Turned::Timeout);
            "the message did not arrive in time (limits.body_timeout)".to_string()
        } else {
            String::new()
        };
        if !reason.is_empty() {
            self.session.close(Code::POLICY, &reason, None, &mut out);
            self.stage = Stage::Ending;
        } else if self.ping_s <= now_s {
            self.session.send(Opcode::Ping, &[], None, &mut out);
            self.ping_s = next_ping(moment);
        }
        match self.link.send(&out) {
            Ok(()) => self.rest(moment),
            Err(_) => Next::Close,
        }
    }

    fn tell_gone(&mut self, moment: &Moment<'_>) {
        self.gone = true;
        if self.claim.as_ref().is_none_or(|claim| claim.holds()) {
            let notice = Notice::ClientGone { asked: false, peer: self.link.peer, monitor: self.monitor() };
            self.link.site.engine.log().notice(moment.now.wall, notice);
        }
    }

    /// Its last step, whatever has ended it.
    pub fn part(&self, moment: &Moment<'_>) {
        if !self.gone {
            let notice = Notice::ClientDisconnected { peer: self.link.peer, monitor: self.monitor() };
            self.link.site.engine.log().notice(moment.now.wall, notice);
        }
    }

    /// The monitor that it speaks for, where that is not its address.
    fn monitor(&self) -> Option<Arc<str>> {
        self.name().map(|name| name.as_str().into())
    }

    /// What comes when nothing more can be done for now.
    fn rest(&mut self, moment: &Moment<'_>) -> Next {
        if self.stage == Stage::Open && moment.draining {
            let mut out = Vec::new();
            let (code, reason) = match moment.next_follows {
                true => (Code::SERVICE_RESTART, "the server starts anew"),
                false => (Code::GOING_AWAY, "the server stops"),
            };
            self.session.close(code, reason, None, &mut out);
            self.stage = Stage::Parting;
            self.link.due_in(moment, SOCKET_PARTING_MAX);
            if self.link.send(&out).is_err() {
                return Next::Close;
            }
        }
        self.stalled_s = self.link.stalled_s(self.stalled_s, moment);
        match self.stage {
            Stage::Open => self.arm(),
            Stage::Ending if !self.link.is_blocked() => {
                self.link.stream.end_writing();
                self.stage = Stage::Lingering;
                self.link.due_in(moment, LINGER_MAX);
                return Next::Again;
            }
            Stage::Ending => self.link.due_s = self.stalled_s,
            Stage::Parting | Stage::Lingering => {}
        }
        Next::Wait
    }

    fn arm(&mut self) {
        self.link.due_s = self.silent_s.min(self.message_s).min(self.stalled_s).min(self.ping_s);
    }

    /// Closes for what the other end did.
    fn farewell(&mut self, code: Code, reason: &str) -> Say {
        let mut out = Vec::new();
        self.session.close(code, reason, None, &mut out);
        self.stage = Stage::Ending;
        Say::Frame(out, 0)
    }
}

/// The loop looks once at the beginning of each second, so pings are so many seconds apart and not one more.
fn next_ping(moment: &Moment<'_>) -> u32 {
    let interval = moment.policy.websocket.ping_interval.as_secs_ceil();
    moment.now_s.saturating_add(u32::try_from(interval).unwrap_or(u32::MAX))
}

/// Takes beats that hear of no interval, as signs of life do not.
fn taker<'a>(link: &'a Link, pending: &'a mut Pending, moment: &'a Moment<'_>) -> Taker<'a> {
    let (engine, policy, now) = (&link.site.engine, moment.policy, moment.now);
    let (client, transport) = (link.peer, Transport::Ws);
    Taker { engine, policy, now, client, transport, hears: false, pending, nameless: None }
}

/// A beat that names nobody is for the monitor that was named before; where none was, the address is held to our own
/// pings.
fn signed<'a>(beat: Beat<'a>, known: Option<IdRef<'a>>, moment: &Moment<'_>) -> Beat<'a> {
    let times = moment.policy.websocket;
    match known {
        _ if beat.id.is_some() || beat.ip.is_some() => beat,
        Some(id) => Beat { id: Some(id), ..beat },
        None if beat.interval.is_some() => beat,
        None => {
            Beat { interval: Some(times.ping_interval), grace: beat.grace.or(Some(times.grace())), ..beat }
        }
    }
}

impl Say {
    /// How many beats it acknowledges.
    pub fn acknowledges(&self) -> u64 {
        match self {
            Say::Word(answer) | Say::Json(answer) => answer.acknowledges,
            Say::Frame(_, beats) => *beats,
        }
    }

    /// What becomes of it when those could not be kept, see [`Answer::not_stored`].
    pub fn not_stored(&mut self, refuse: bool) {
        match self {
            Say::Word(answer) | Say::Json(answer) => answer.not_stored(refuse),
            // The protocol owes it whatever becomes of the beat.
            Say::Frame(..) => {}
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let text = |out: &mut Vec<u8>, payload: &[u8]| frame::write(out, true, Opcode::Text, payload, None);
        match self {
            Say::Word(answer) if answer.status == 200 => text(out, PONG),
            Say::Word(answer) | Say::Json(answer) => text(out, &answer.message()),
            Say::Frame(bytes, _) => out.extend_from_slice(bytes),
        }
    }
}
