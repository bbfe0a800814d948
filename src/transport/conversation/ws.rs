//! A WebSocket after its handshake: what its messages mean, when it is pinged, and how it ends.
//!
//! Every message, ping and pong is a beat: for the monitor that the connection's last beat named, else for its address. A
//! ping or pong is no beat while the last status that was sent for the monitor is not `ok`. Whoever beats for a monitor holds
//! the claim on it ([`Claim`]); the end of a connection whose claim another one has taken reports nothing.

mod beats;

use super::answers::PendingAnswer;
use super::{Conversation, EndReason, Flow, Host, Second, Sent, TurnContext, barred_by};
use crate::domain::access::{AccessRefusal, Permission, Shown};
use crate::domain::address::Peer;
use crate::domain::limits::{LINGER_MAX, SOCKET_PARTING_MAX, SOCKET_UNSENT_BYTES_MAX};
use crate::domain::notice::Notice;
use crate::engine::intake::claims::{self, Claim, Claims};
use crate::engine::stats::{BeatResult, ConnectionRefusal};
use crate::transport::intake::named_by;
use crate::wire::blob;
use crate::wire::ws::{Code, Opcode, Role, Session};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// Where in its life the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum WsStage {
    Open,
    /// A close was sent; the other end has not sent one.
    Parting,
    /// All is said; what is not sent yet must be.
    Ending,
    /// All is sent; the other end is heard out so that it gets to read it.
    Lingering,
}

/// Seconds by which the loop, which looks every second, may find a silence late. If it is later than that the loop stood
/// still itself, and what has come meanwhile has not been read.
const LATE_S: u32 = 2;
/// A text that is no JSON but a sign of life.
const PING: &[u8] = b"PING";
/// The kind of its claims; the dialects of raw TCP have others.
const CLAIM_KIND: u8 = u8::MAX;

/// What the handshake of a WebSocket has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebSocketOpening {
    /// The client, as proxies say that are trusted.
    pub client: Peer,
    /// What it has shown.
    pub shown: Shown,
    /// Whether every message is only sent back; for conformance tests, and in no build that is shipped.
    pub echo: bool,
}

/// The conversation over a WebSocket.
pub struct WsConversation {
    session: Session,
    /// What was shown at the handshake.
    shown: Box<Shown>,
    /// On the monitor of the last beat; boxed, because an idle connection has none.
    claim: Option<Box<Claim>>,
    /// That monitor was named by a beat or a certificate; else it is that of the address.
    is_named: bool,
    /// The last status sent for the monitor was `ok`.
    is_healthy: bool,
    /// Every message is sent back, and nothing else is done.
    echoes: bool,
    /// No policy bars it: it came through the control socket.
    is_trusted: bool,
    /// It was silent for too long.
    has_timed_out: bool,
    stage: WsStage,
    /// Bytes that have not been looked at.
    ahead: Box<[u8]>,
    /// When it will have been silent for too long.
    silent: Second,
    /// When the message under way must have ended.
    message: Second,
    /// When what waits for the socket must have moved on.
    stalled: Second,
    ping: Second,
    due: Second,
    heard_bytes: u32,
}

/// The same as it is parked.
#[derive(Debug, Serialize, Deserialize)]
pub struct ParkedWs {
    session: Session,
    claim: Option<claims::StoredClaim>,
    #[serde(rename = "named")]
    is_named: bool,
    #[serde(rename = "well")]
    is_healthy: bool,
    #[serde(rename = "echo")]
    echoes: bool,
    stage: WsStage,
    #[serde(with = "blob")]
    ahead: Vec<u8>,
    heard_bytes: u32,
    /// The client, as proxies said; `None`: this machine.
    client: Option<IpAddr>,
    #[serde(default = "Shown::believed")]
    shown: Shown,
}

impl ParkedWs {
    /// The client, as proxies said.
    pub fn client(&self) -> Peer {
        self.client.map_or(Peer::Unix, Peer::from_ip)
    }
}

impl WsConversation {
    /// On a connection whose handshake is over; `read` was read of it already, and `peer` is at the other end of its socket.
    pub fn new(
        opening: WebSocketOpening,
        read: Vec<u8>,
        is_trusted: bool,
        peer: Peer,
        turn: &TurnContext<'_>,
        host: &dyn Host,
    ) -> WsConversation {
        let mut ws = WsConversation {
            session: Session::new(Role::Server),
            shown: Box::new(opening.shown),
            claim: None,
            is_named: false,
            is_healthy: true,
            echoes: opening.echo,
            is_trusted,
            has_timed_out: false,
            stage: WsStage::Open,
            ahead: read.into(),
            silent: turn.second_after(turn.policy.websocket.timeout),
            message: Second::NEVER,
            stalled: Second::NEVER,
            ping: turn.ping_after(turn.policy.websocket.ping_interval),
            due: Second::NEVER,
            heard_bytes: 0,
        };
        if let Some(name) = named_by(host.certificate(), peer, opening.client) {
            // It has said nothing yet, so whoever does beat for that monitor keeps the claim.
            ws.claim = Some(Box::new(host.claims().announce(CLAIM_KIND, name.as_ref())));
            ws.is_named = true;
        }
        ws.set_due();
        ws
    }

    /// One of the process before this one; `None` where the record makes no sense.
    pub fn resume(
        parked: ParkedWs,
        claims: &Arc<Claims>,
        is_blocked: bool,
        turn: &TurnContext<'_>,
    ) -> Option<WsConversation> {
        let claim = parked.claim.as_ref().and_then(|claim| claims.resume(claim));
        if !parked.session.is_sound() || claim.is_some() != parked.claim.is_some() {
            return None;
        }
        let mut ws = WsConversation {
            shown: Box::new(parked.shown),
            claim: claim.map(Box::new),
            is_named: parked.is_named,
            is_healthy: parked.is_healthy,
            echoes: parked.echoes,
            is_trusted: false,
            has_timed_out: false,
            stage: parked.stage,
            ahead: parked.ahead.into(),
            silent: turn.second_after(turn.policy.websocket.timeout),
            message: Second::NEVER,
            stalled: turn.stalled_after(Second::NEVER, Sent { is_blocked, ..Sent::default() }),
            ping: turn.ping_after(turn.policy.websocket.ping_interval),
            due: Second::NEVER,
            heard_bytes: parked.heard_bytes,
            session: parked.session,
        };
        ws.watch_message(turn);
        match ws.stage {
            WsStage::Open => ws.set_due(),
            WsStage::Parting => ws.due = turn.second_after(SOCKET_PARTING_MAX),
            WsStage::Ending => ws.due = ws.stalled,
            WsStage::Lingering => ws.due = turn.second_after(LINGER_MAX),
        }
        Some(ws)
    }

    /// For the next process.
    pub fn park(self, client: Peer) -> ParkedWs {
        let claim = self.claim.as_ref().map(|claim| claim.keep());
        let client = match client {
            Peer::Ip(ip) => Some(ip),
            Peer::Unix => None,
        };
        let WsConversation { session, is_named, is_healthy, echoes, stage, heard_bytes, .. } = self;
        let (ahead, shown) = (self.ahead.into_vec(), *self.shown);
        ParkedWs { session, claim, is_named, is_healthy, echoes, stage, ahead, heard_bytes, client, shown }
    }

    /// Sends a close because there is no room for what it keeps.
    pub fn shed(&mut self, reason: &str) -> Vec<u8> {
        self.close_frame(Code::TRY_AGAIN_LATER, reason)
    }

    /// The key that bars it by the policy in force.
    fn barring_key(&self, peer: Peer, turn: &TurnContext<'_>) -> Option<&'static str> {
        if self.is_trusted {
            return None;
        }
        let judged = turn.policy.access.check_again(Permission::Beat, peer, *self.shown);
        let (AccessRefusal::Network(key) | AccessRefusal::Token(key)) = judged.err()?;
        Some(key)
    }

    /// The monitor that it beats for, where that is not its address.
    fn monitor(&self) -> Option<Arc<str>> {
        self.name().map(|name| name.as_str().into())
    }

    fn watch_message(&mut self, turn: &TurnContext<'_>) {
        if self.session.is_between_messages() {
            self.message = Second::NEVER;
        } else if self.message == Second::NEVER {
            self.message = turn.second_after(turn.policy.limits.body_timeout);
        }
    }

    fn set_due(&mut self) {
        self.due = self.silent.min(self.message).min(self.stalled).min(self.ping);
    }

    /// A close, after which nothing else is said.
    fn close_frame(&mut self, code: Code, reason: &str) -> Vec<u8> {
        let mut out = Vec::new();
        self.session.close(code, reason, None, &mut out);
        self.stage = WsStage::Ending;
        out
    }
}

impl Conversation for WsConversation {
    fn receive(&mut self, bytes: &mut [u8], turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        let ahead = std::mem::take(&mut self.ahead);
        let mut joined = if ahead.is_empty() { Vec::new() } else { [&ahead, &*bytes].concat() };
        let input = if ahead.is_empty() { bytes } else { &mut joined[..] };
        self.silent = turn.second_after(turn.policy.websocket.timeout);
        let (mut used, mut acknowledges) = (0, 0);
        // The policy may have changed since it was let in, and the loop not have judged it anew yet.
        if let Some(key) = self.barring_key(host.peer(), turn) {
            host.count_beat(BeatResult::Denied);
            host.answer(PendingAnswer::WsFrames(self.close_frame(Code::POLICY, &barred_by(key)), 0));
            used = input.len();
        }
        while used < input.len() {
            match self.session.next(&mut input[used..], turn.policy.limits.body_bytes) {
                Ok((more, event)) => {
                    used += more;
                    let Some(event) = event else { break };
                    // Pings between its fragments do not make a message come any sooner.
                    if !self.session.is_inside_message() {
                        self.message = Second::NEVER;
                    }
                    if let Some(answer) = self.take_event(event, turn, host) {
                        acknowledges += answer.acknowledges();
                        host.answer(answer);
                    }
                }
                Err(error) => {
                    host.count(ConnectionRefusal::Protocol);
                    let close = self.close_frame(error.code(), &error.reason());
                    host.answer(PendingAnswer::WsFrames(close, 0));
                    break;
                }
            }
        }
        self.watch_message(turn);
        // One whose beats are all refused takes no claim.
        if acknowledges > 0 {
            self.renew_claim(host);
        }
        Flow::Continue
    }

    fn has_unread(&self) -> bool {
        !self.ahead.is_empty()
    }

    fn is_paused(&self, _: &TurnContext<'_>) -> bool {
        self.stage == WsStage::Ending
    }

    fn rest(&mut self, turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        if let (WsStage::Open, Some(ending)) = (self.stage, turn.ending) {
            let (code, reason) = match ending {
                EndReason::Restart => (Code::SERVICE_RESTART, "the server starts anew"),
                EndReason::Stop => (Code::GOING_AWAY, "the server stops"),
            };
            host.send(&self.close_frame(code, reason));
            self.stage = WsStage::Parting;
            self.due = turn.second_after(SOCKET_PARTING_MAX);
        }
        Flow::Continue
    }

    fn sent(&mut self, sent: Sent, turn: &TurnContext<'_>, _: &mut dyn Host) -> Flow {
        self.stalled = turn.stalled_after(self.stalled, sent);
        match self.stage {
            WsStage::Open => self.set_due(),
            WsStage::Ending if !sent.is_blocked => {
                self.stage = WsStage::Lingering;
                self.due = turn.second_after(LINGER_MAX);
                return Flow::Linger;
            }
            WsStage::Ending => self.due = self.stalled,
            WsStage::Parting | WsStage::Lingering => {}
        }
        let is_full = sent.is_blocked && sent.unsent_bytes > SOCKET_UNSENT_BYTES_MAX;
        if is_full { Flow::Pause } else { Flow::Continue }
    }

    fn time_out(&mut self, _: bool, turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        if self.stage != WsStage::Open {
            return Flow::Close;
        }
        if self.stalled.is_due(turn) {
            host.count(ConnectionRefusal::Unread);
            return Flow::Close;
        }
        let timeout = turn.policy.websocket.timeout;
        if self.silent.0.saturating_add(LATE_S) < turn.now_s() {
            self.silent = turn.second_after(timeout);
        }
        if self.silent.is_due(turn) {
            host.count(ConnectionRefusal::Timeout);
            self.has_timed_out = true;
            if self.claim.as_ref().is_none_or(|claim| claim.holds()) {
                host.log(Notice::ClientGone { asked: false, peer: host.peer(), monitor: self.monitor() });
            }
            let reason = format!("silent for {timeout} (websocket.timeout)");
            host.send(&self.close_frame(Code::POLICY, &reason));
        } else if self.message.is_due(turn) {
            host.count(ConnectionRefusal::Timeout);
            let reason = "the message did not arrive in time (limits.body_timeout)";
            host.send(&self.close_frame(Code::POLICY, reason));
        } else if self.ping.is_due(turn) {
            let mut ping = Vec::new();
            self.session.send(Opcode::Ping, &[], None, &mut ping);
            host.send(&ping);
            self.ping = turn.ping_after(turn.policy.websocket.ping_interval);
        }
        if self.stage == WsStage::Open {
            self.set_due();
        }
        Flow::Continue
    }

    fn due(&self) -> Second {
        self.due
    }

    fn judge(&mut self, has_changed: bool, turn: &TurnContext<'_>, host: &mut dyn Host) -> Flow {
        if has_changed {
            *self.shown = self.shown.under_another_policy();
        }
        if let Some(key) = self.barring_key(host.peer(), turn).filter(|_| self.stage == WsStage::Open) {
            host.send(&self.close_frame(Code::POLICY, &barred_by(key)));
        }
        Flow::Continue
    }

    fn depart(&self, host: &mut dyn Host) {
        if !self.has_timed_out {
            host.log(Notice::ClientDisconnected { peer: host.peer(), monitor: self.monitor() });
        }
    }

    fn lingering(&mut self) -> Option<&mut u32> {
        (self.stage == WsStage::Lingering).then_some(&mut self.heard_bytes)
    }

    fn is_idle(&self) -> bool {
        // It is sent a close when the daemon stops.
        false
    }

    fn kept_bytes(&self) -> usize {
        self.session.kept_bytes() + self.ahead.len()
    }
}
