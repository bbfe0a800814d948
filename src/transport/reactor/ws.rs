//! A WebSocket of a reactor: what its messages mean, when it is pinged, and how it ends.
//!
//! Hyper has done the handshake; from then on the connection is here, and between two readings nothing is kept but the
//! session and a few words. Every message, ping and pong is a beat: for the monitor that the connection's last beat
//! named, else for its address. A mere sign of life says only that somebody is there, so it is no beat while the last word
//! of the connection about its monitor was another than well. Whoever beats for a monitor holds the claim on it
//! ([`Claim`]); the end of a connection that somebody else has replaced is told to nobody.

use super::connection_io::ConnectionIo;
use super::parked::ParkedState;
use super::scratch::{Action, NEVER, PendingAnswer, Scratch, TurnContext, not_any_more};
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
use crate::transport::http::{WebSocketOpening, beats};
use crate::transport::intake::{BeatIntake, IntakeError, named_by};
use crate::transport::listener_context::Trust;
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
pub struct WsConnection {
    /// What it has in common with the other kinds; its peer is who proxies say that are believed.
    pub io: ConnectionIo,
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
pub struct ParkedWs {
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
pub enum WsAnswer {
    /// The word for a word.
    Word(Answer),
    /// The answer to JSON.
    Json(Answer),
    /// Bytes as they are, or none; and how many beats wait with them.
    Frame(Vec<u8>, u64),
}

impl WsConnection {
    /// One that was just opened; `read` was read of it already.
    pub fn new(
        mut io: ConnectionIo,
        read: Vec<u8>,
        opening: WebSocketOpening,
        turn: &TurnContext<'_>,
    ) -> WsConnection {
        let times = turn.policy.websocket;
        let name = named_by(io.stream.name(), io.peer, opening.client);
        io.belongs_to(opening.client, turn);
        let mut ws = WsConnection {
            io,
            session: Session::new(Role::Server),
            shown: Box::new(opening.shown),
            claim: None,
            named: false,
            well: true,
            echo: opening.echo,
            gone: false,
            stage: Stage::Open,
            ahead: read.into(),
            silent_s: turn.second_after(times.timeout),
            message_s: NEVER,
            stalled_s: NEVER,
            ping_s: next_ping(turn),
            heard_bytes: 0,
        };
        if let Some(name) = name {
            // It has said nothing yet, so whoever does speak for that monitor goes on doing so.
            ws.claim = Some(Box::new(ws.io.context.engine.claims().announce(CLAIM_KIND, name.as_ref())));
            ws.named = true;
        }
        ws.arm();
        ws
    }

    /// One of the process before us; `None` where that is not what it left.
    pub fn resumed(mut io: ConnectionIo, kept: ParkedWs, turn: &TurnContext<'_>) -> Option<WsConnection> {
        let claim = kept.claim.as_ref().and_then(|claim| io.context.engine.claims().resume(claim));
        if !kept.session.is_sound() || claim.is_some() != kept.claim.is_some() {
            return None;
        }
        io.belongs_to(kept.client.map_or(Peer::Unix, Peer::from_ip), turn);
        let between = kept.session.is_between_messages();
        let body_s = turn.second_after(turn.policy.limits.body_timeout);
        let mut ws = WsConnection {
            stalled_s: io.stalled_s(NEVER, turn),
            io,
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
            silent_s: turn.second_after(turn.policy.websocket.timeout),
            ping_s: next_ping(turn),
            heard_bytes: kept.heard_bytes,
        };
        match ws.stage {
            Stage::Open => ws.arm(),
            Stage::Parting => ws.io.due_in(turn, SOCKET_PARTING_MAX),
            Stage::Ending => ws.io.due_s = ws.stalled_s,
            Stage::Lingering => ws.io.due_in(turn, LINGER_MAX),
        }
        Some(ws)
    }

    /// What is left of it to the next process.
    pub fn park(self) -> (ConnectionIo, ParkedState) {
        let claim = self.claim.as_ref().map(|claim| claim.keep());
        let WsConnection { io, session, shown, named, well, echo, stage, ahead, heard_bytes, .. } = self;
        let client = match io.peer {
            Peer::Ip(ip) => Some(ip),
            Peer::Unix => None,
        };
        let ahead = ahead.into_vec();
        (
            io,
            ParkedState::Ws(ParkedWs {
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
    pub fn turn(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        if self.stage == Stage::Lingering {
            return self.io.hear_out(scratch, &mut self.heard_bytes);
        }
        match self.read(scratch, turn) {
            Action::Wait => self.rest(turn),
            next => next,
        }
    }

    fn read(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        if self.io.is_blocked() {
            match self.io.send_unsent() {
                Ok(true) => {}
                Ok(false) if self.io.unsent.len() > SOCKET_UNSENT_BYTES_MAX => return Action::Wait,
                Ok(false) => {}
                Err(_) => return Action::Close,
            }
        }
        if self.stage == Stage::Ending {
            return Action::Wait;
        }
        while !self.ahead.is_empty() {
            let ahead = std::mem::take(&mut self.ahead);
            let (now, later) = ahead.split_at(ahead.len().min(scratch.input.len()));
            scratch.input[..now.len()].copy_from_slice(now);
            self.ahead = later.into();
            if let Action::Answers(count, _) = self.hear(scratch, now.len(), turn) {
                // The socket may hold more, and has told so already.
                return Action::Answers(count, true);
            }
        }
        for _ in 0..READINGS_MAX {
            let read = match self.io.stream.read(&mut scratch.input) {
                Ok(0) => return Action::Close,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Action::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Action::Close,
            };
            let more = self.io.may_have_left(read, scratch.input.len());
            match self.hear(scratch, read, turn) {
                Action::Answers(count, _) => return Action::Answers(count, more),
                // A reading that did not fill the buffer emptied the socket; readiness will be told anew.
                _ if !more => return Action::Wait,
                _ => {}
            }
        }
        Action::Again
    }

    /// Takes in the first `filled` bytes of the scratch; what is to be said about them stays there.
    fn hear(&mut self, scratch: &mut Scratch, filled: usize, turn: &TurnContext<'_>) -> Action {
        let Scratch { input, pending, answers, .. } = scratch;
        let answers_before = answers.len();
        let limits = &turn.policy.limits;
        self.silent_s = turn.second_after(turn.policy.websocket.timeout);
        let mut used = 0;
        // The policy may have changed since it was let in, and the loop not have judged it anew yet.
        if let Some(key) = self.is_denied(turn) {
            self.io.context.engine.stats().beats(Transport::Ws, BeatResult::Denied, 1);
            answers.push(PendingAnswer::Ws(self.farewell(Code::POLICY, &not_any_more(key))));
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
                    answers.extend(self.take(event, pending, turn).map(PendingAnswer::Ws));
                }
                Err(fault) => {
                    self.io.context.engine.stats().turned(Turned::Protocol);
                    answers.push(PendingAnswer::Ws(self.farewell(fault.code(), &fault.reason())));
                    break;
                }
            }
        }
        if self.session.is_between_messages() {
            self.message_s = NEVER;
        } else if self.message_s == NEVER {
            self.message_s = turn.second_after(limits.body_timeout);
        }
        match answers.len() - answers_before {
            0 => Action::Wait,
            count => {
                // One whose beats are all refused takes nobody's place.
                if answers[answers_before..].iter().any(|said| said.acknowledges() > 0) {
                    self.claim(pending, turn);
                }
                self.io.awaits_answers = true;
                Action::Answers(count, false)
            }
        }
    }

    /// The key that bars it by the policy in force. Who comes through the control socket is barred by none.
    fn is_denied(&self, turn: &TurnContext<'_>) -> Option<&'static str> {
        if self.io.context.trust == Trust::Control {
            return None;
        }
        let judged = turn.policy.access.check_again(Wish::Beat, self.io.peer, *self.shown);
        let (Denied::Network(key) | Denied::Token(key)) = judged.err()?;
        Some(key)
    }

    /// Judges it by the policy in force, which may be another one than it was let in under (`changed`).
    pub fn judge(&mut self, changed: bool, turn: &TurnContext<'_>) -> Action {
        if changed {
            *self.shown = self.shown.under_another_policy();
        }
        let Some(key) = self.is_denied(turn).filter(|_| self.stage == Stage::Open) else {
            return Action::Wait;
        };
        let mut out = Vec::new();
        self.session.close(Code::POLICY, &not_any_more(key), None, &mut out);
        self.stage = Stage::Ending;
        if self.io.send(&out).is_err() { Action::Close } else { self.rest(turn) }
    }

    /// Says that it speaks for its monitor now; for its address, if none was named.
    fn claim(&mut self, pending: &mut Pending, turn: &TurnContext<'_>) {
        match &self.claim {
            _ if self.echo || self.stage != Stage::Open => {}
            Some(claim) => {
                if let Some(pair) = claim.renew(self.io.peer).filter(|_| self.named) {
                    self.io.context.engine.contend(turn.now, claim.id(), pair, pending);
                }
            }
            None => {
                if let Some(address) = id_of_peer(self.io.peer) {
                    self.speak_for(address.as_ref());
                }
            }
        }
    }

    fn speak_for(&mut self, id: IdRef<'_>) {
        if self.claim.as_ref().is_none_or(|claim| claim.id() != id) {
            let claims = self.io.context.engine.claims();
            self.claim = Some(Box::new(claims.claim(CLAIM_KIND, id, self.io.peer)));
        }
    }

    /// The monitor that was named.
    fn name(&self) -> Option<IdRef<'_>> {
        self.claim.as_ref().filter(|_| self.named).map(|claim| claim.id())
    }

    /// What an event means, and what is to be said to it once that is kept.
    fn take(&mut self, event: Event<'_>, pending: &mut Pending, turn: &TurnContext<'_>) -> Option<WsAnswer> {
        let mut owed = Vec::new();
        self.session.reply(&event, None, &mut owed);
        match event {
            _ if self.stage != Stage::Open && !matches!(event, Event::Close { .. }) => None,
            Event::Close { .. } => {
                self.stage = Stage::Ending;
                Some(WsAnswer::Frame(owed, 0))
            }
            Event::Message { text, bytes } if self.echo => {
                let opcode = if text { Opcode::Text } else { Opcode::Binary };
                self.session.send(opcode, &bytes, None, &mut owed);
                Some(WsAnswer::Frame(owed, 0))
            }
            _ if self.echo => Some(WsAnswer::Frame(owed, 0)),
            Event::Message { text: true, bytes } if bytes.trim_ascii() == PING => {
                Some(WsAnswer::Word(match self.note_life(pending, turn) {
                    Some(Ok(interval)) => Answer::ok(interval),
                    Some(Err(fault)) => beats::refusal(&fault),
                    None => Answer { acknowledges: 0, ..Answer::ok(turn.policy.websocket.ping_interval) },
                }))
            }
            Event::Message { bytes, .. } => Some(WsAnswer::Json(self.take_json(&bytes, pending, turn))),
            Event::Ping(_) | Event::Pong(_) => {
                let taken = matches!(self.note_life(pending, turn), Some(Ok(_)));
                Some(WsAnswer::Frame(owed, taken.into()))
            }
        }
    }

    /// A sign of life that says nothing else; `None` where it is no beat.
    fn note_life(&self, pending: &mut Pending, turn: &TurnContext<'_>) -> Option<Result<Span, IntakeError>> {
        let beat = signed(Beat::default(), self.name(), turn);
        self.well.then(|| intake(&self.io, pending, turn).take(Ok(beat)))
    }

    fn take_json(&mut self, body: &[u8], pending: &mut Pending, turn: &TurnContext<'_>) -> Answer {
        let (mut named, mut well) = (None::<Id>, self.well);
        let mut intake = intake(&self.io, pending, turn);
        let answer = beats::take_body(&turn.policy.limits, body, None, |hears, beat| {
            intake.hears = hears;
            let beat = match beat {
                Ok(beat) => beat,
                Err(error) => return intake.take(Err(error)),
            };
            let (name, status) = (beat.id.or(beat.ip).map(IdRef::to_id), beat.status);
            let known = named.as_ref().map(Id::as_ref).or(self.name());
            let interval = intake.take(Ok(signed(beat, known, turn)))?;
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

    /// Sends what was to be said, `range` of the scratch.
    pub fn answer(&mut self, scratch: &mut Scratch, range: Range<usize>, turn: &TurnContext<'_>) -> Action {
        let Scratch { output, answers, .. } = scratch;
        self.io.awaits_answers = false;
        output.clear();
        for said in answers.get(range).unwrap_or_default() {
            if let PendingAnswer::Ws(say) = said {
                say.write(output);
            }
        }
        match self.io.send(output) {
            Ok(()) => self.rest(turn),
            Err(_) => Action::Close,
        }
    }

    /// Pings, or ends what has been silent, slow or deaf for too long.
    pub fn time_out(&mut self, turn: &TurnContext<'_>) -> Action {
        let now_s = turn.now_s;
        if self.stage != Stage::Open {
            return Action::Close;
        }
        let turned = |why| self.io.context.engine.stats().turned(why);
        if self.stalled_s <= now_s {
            turned(Turned::Unread);
            return Action::Close;
        }
        if self.silent_s.saturating_add(LATE_S) < now_s {
            self.silent_s = turn.second_after(turn.policy.websocket.timeout);
        }
        let mut out = Vec::new();
        let reason = if self.silent_s <= now_s {
            turned(Turned::Timeout);
            self.tell_gone(turn);
            format!("silent for {} (websocket.timeout)", turn.policy.websocket.timeout)
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
            self.ping_s = next_ping(turn);
        }
        match self.io.send(&out) {
            Ok(()) => self.rest(turn),
            Err(_) => Action::Close,
        }
    }

    fn tell_gone(&mut self, turn: &TurnContext<'_>) {
        self.gone = true;
        if self.claim.as_ref().is_none_or(|claim| claim.holds()) {
            let notice = Notice::ClientGone { asked: false, peer: self.io.peer, monitor: self.monitor() };
            self.io.context.engine.log().notice(turn.now.wall, notice);
        }
    }

    /// Its last step, whatever has ended it.
    pub fn part(&self, turn: &TurnContext<'_>) {
        if !self.gone {
            let notice = Notice::ClientDisconnected { peer: self.io.peer, monitor: self.monitor() };
            self.io.context.engine.log().notice(turn.now.wall, notice);
        }
    }

    /// The monitor that it speaks for, where that is not its address.
    fn monitor(&self) -> Option<Arc<str>> {
        self.name().map(|name| name.as_str().into())
    }

    /// What comes when nothing more can be done for now.
    fn rest(&mut self, turn: &TurnContext<'_>) -> Action {
        if self.stage == Stage::Open && turn.draining {
            let mut out = Vec::new();
            let (code, reason) = match turn.next_follows {
                true => (Code::SERVICE_RESTART, "the server starts anew"),
                false => (Code::GOING_AWAY, "the server stops"),
            };
            self.session.close(code, reason, None, &mut out);
            self.stage = Stage::Parting;
            self.io.due_in(turn, SOCKET_PARTING_MAX);
            if self.io.send(&out).is_err() {
                return Action::Close;
            }
        }
        self.stalled_s = self.io.stalled_s(self.stalled_s, turn);
        match self.stage {
            Stage::Open => self.arm(),
            Stage::Ending if !self.io.is_blocked() => {
                self.io.stream.end_writing();
                self.stage = Stage::Lingering;
                self.io.due_in(turn, LINGER_MAX);
                return Action::Again;
            }
            Stage::Ending => self.io.due_s = self.stalled_s,
            Stage::Parting | Stage::Lingering => {}
        }
        Action::Wait
    }

    fn arm(&mut self) {
        self.io.due_s = self.silent_s.min(self.message_s).min(self.stalled_s).min(self.ping_s);
    }

    /// Closes for what the other end did.
    fn farewell(&mut self, code: Code, reason: &str) -> WsAnswer {
        let mut out = Vec::new();
        self.session.close(code, reason, None, &mut out);
        self.stage = Stage::Ending;
        WsAnswer::Frame(out, 0)
    }
}

/// The loop looks once at the beginning of each second, so pings are so many seconds apart and not one more.
fn next_ping(turn: &TurnContext<'_>) -> u32 {
    let interval = turn.policy.websocket.ping_interval.as_secs_ceil();
    turn.now_s.saturating_add(u32::try_from(interval).unwrap_or(u32::MAX))
}

/// Takes beats that hear of no interval, as signs of life do not.
fn intake<'a>(io: &'a ConnectionIo, pending: &'a mut Pending, turn: &'a TurnContext<'_>) -> BeatIntake<'a> {
    let (engine, policy, now) = (&io.context.engine, turn.policy, turn.now);
    let (client, transport) = (io.peer, Transport::Ws);
    BeatIntake { engine, policy, now, client, transport, hears: false, pending, nameless: None }
}

/// A beat that names nobody is for the monitor that was named before; where none was, the address is held to our own
/// pings.
fn signed<'a>(beat: Beat<'a>, known: Option<IdRef<'a>>, turn: &TurnContext<'_>) -> Beat<'a> {
    let times = turn.policy.websocket;
    match known {
        _ if beat.id.is_some() || beat.ip.is_some() => beat,
        Some(id) => Beat { id: Some(id), ..beat },
        None if beat.interval.is_some() => beat,
        None => {
            Beat { interval: Some(times.ping_interval), grace: beat.grace.or(Some(times.grace())), ..beat }
        }
    }
}

impl WsAnswer {
    /// How many beats it acknowledges.
    pub fn acknowledges(&self) -> u64 {
        match self {
            WsAnswer::Word(answer) | WsAnswer::Json(answer) => answer.acknowledges,
            WsAnswer::Frame(_, beats) => *beats,
        }
    }

    /// What becomes of it when those could not be kept, see [`Answer::not_stored`].
    pub fn not_stored(&mut self, refuse: bool) {
        match self {
            WsAnswer::Word(answer) | WsAnswer::Json(answer) => answer.not_stored(refuse),
            // The protocol owes it whatever becomes of the beat.
            WsAnswer::Frame(..) => {}
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let text = |out: &mut Vec<u8>, payload: &[u8]| frame::write(out, true, Opcode::Text, payload, None);
        match self {
            WsAnswer::Word(answer) if answer.status == 200 => text(out, PONG),
            WsAnswer::Word(answer) | WsAnswer::Json(answer) => text(out, &answer.message()),
            WsAnswer::Frame(bytes, _) => out.extend_from_slice(bytes),
        }
    }
}
