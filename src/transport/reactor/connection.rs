//! A connection of a reactor: its socket, and the conversation over it once that has begun.

use super::host::ConnectionHost;
use super::scratch::{Action, Scratch, TurnOutput};
use super::{proxy_preamble, tls_handshake};
use crate::domain::address::Protocol;
use crate::domain::beat::Transport;
use crate::engine::stats::ConnectionRefusal;
use crate::sys::clock;
use crate::sys::parked::ParkedConnection;
use crate::transport::budget;
use crate::transport::connection_io::ConnectionIo;
use crate::transport::conversation::answers::AnswerTicket;
use crate::transport::conversation::http::HttpConversation;
use crate::transport::conversation::tcp::TcpConversation;
use crate::transport::conversation::ws::WsConversation;
use crate::transport::conversation::{Conversation, EndReason, Flow, Second, TurnContext};
use crate::transport::handoff::{Handoff, HandoffProtocol, ReactorRef};
use crate::transport::listener_context::{ListenerContext, Trust};
use crate::transport::parked_record::{self, ParkedState, ResumableConnection};
use std::io;

/// Readings in one turn before other connections get theirs.
const READINGS_MAX: usize = 4;

/// A connection.
pub struct Connection {
    /// Its socket and what belongs to it.
    pub io: ConnectionIo,
    pub(super) stage: ConnectionStage,
}

/// What a connection is at.
pub enum ConnectionStage {
    /// A proxy has yet to say whose connection it is, until this second.
    ProxyPreamble(Second),
    /// The TLS handshake is under way, until this second.
    TlsHandshake(Second),
    /// HTTP, as far as the fast path goes.
    Http(HttpConversation),
    /// Raw TCP.
    Tcp(TcpConversation),
    /// A WebSocket.
    Ws(WsConversation),
}

impl Connection {
    /// One of a proxy that begins with the PROXY protocol.
    pub fn announced(io: ConnectionIo, turn: &TurnContext<'_>) -> Connection {
        Connection {
            stage: ConnectionStage::ProxyPreamble(turn.second_after(turn.policy.limits.header_timeout)),
            io,
        }
    }

    /// One that begins with what its listener speaks.
    pub fn new(io: ConnectionIo, turn: &TurnContext<'_>, output: &mut TurnOutput) -> Connection {
        let stage = match io.context.options.protocol {
            _ if io.stream.is_handshaking() => {
                ConnectionStage::TlsHandshake(turn.second_after(turn.policy.limits.header_timeout))
            }
            Protocol::Http => ConnectionStage::Http(HttpConversation::new(Vec::new(), turn)),
            Protocol::Tcp => {
                let host = &mut ConnectionHost { io: &io, transport: Transport::Tcp, turn, output };
                ConnectionStage::Tcp(TcpConversation::new(io.stream.peer_port(), turn, host))
            }
        };
        Connection { io, stage }
    }

    /// One that an HTTP worker has had.
    pub fn taken_back(
        handoff: Handoff,
        protocol: HandoffProtocol,
        turn: &TurnContext<'_>,
        output: &mut TurnOutput,
    ) -> Connection {
        let Handoff { stream, unsent, read, peer, context, permit, .. } = handoff;
        let mut io = ConnectionIo::new(stream.into_reactor(), peer, context, permit);
        io.unsent = unsent;
        let stage = match protocol {
            HandoffProtocol::Http => ConnectionStage::Http(HttpConversation::new(read, turn)),
            HandoffProtocol::Ws(opening) => {
                io.belongs_to(opening.client, turn);
                let is_trusted = io.context.trust == Trust::Control;
                let host = &ConnectionHost { io: &io, transport: Transport::Ws, turn, output };
                ConnectionStage::Ws(WsConversation::new(opening, read, is_trusted, peer, turn, host))
            }
        };
        Connection { io, stage }
    }

    /// One of the process before this one; `None` where its record makes no sense.
    pub fn resume(
        parked: ResumableConnection,
        turn: &TurnContext<'_>,
        output: &mut TurnOutput,
    ) -> Option<Connection> {
        let ResumableConnection { mut io, state } = parked;
        let is_blocked = io.is_blocked();
        let stage = match state {
            ParkedState::Http(parked) => {
                ConnectionStage::Http(HttpConversation::resume(parked, is_blocked, turn))
            }
            ParkedState::Tcp(parked) => {
                let host = &ConnectionHost { io: &io, transport: Transport::Tcp, turn, output };
                ConnectionStage::Tcp(TcpConversation::resume(parked, io.stream.peer_port(), turn, host)?)
            }
            ParkedState::Ws(parked) => {
                io.belongs_to(parked.client(), turn);
                let claims = io.context.engine.claims();
                ConnectionStage::Ws(WsConversation::resume(parked, claims, is_blocked, turn)?)
            }
        };
        Some(Connection { io, stage })
    }

    /// What it leaves to the next process; `None` where it cannot be left.
    pub fn park(self) -> Option<ParkedConnection> {
        let Connection { io, stage } = self;
        let state = match stage {
            ConnectionStage::Http(http) => ParkedState::Http(http.park()),
            ConnectionStage::Tcp(tcp) => ParkedState::Tcp(tcp.park()),
            ConnectionStage::Ws(ws) => ParkedState::Ws(ws.park(io.peer)),
            ConnectionStage::ProxyPreamble(_) | ConnectionStage::TlsHandshake(_) => return None,
        };
        parked_record::pack(io, state)
    }

    /// Whether it can be left to the next process. TLS has secrets that cannot be written down, and the control socket is
    /// no listener that the next process takes over.
    pub fn can_park(&self) -> bool {
        self.io.context.hands_over()
            && !matches!(self.stage, ConnectionStage::TlsHandshake(_) | ConnectionStage::ProxyPreamble(_))
    }

    /// As what it is counted.
    pub fn transport(&self) -> Transport {
        match self.stage {
            ConnectionStage::Ws(_) => Transport::Ws,
            _ => Connection::transport_of(&self.io.context),
        }
    }

    /// As what connections of a listener are counted at first.
    pub fn transport_of(context: &ListenerContext) -> Transport {
        match context.options.protocol {
            Protocol::Http => Transport::Http,
            Protocol::Tcp => Transport::Tcp,
        }
    }

    fn conversation(&mut self) -> Option<&mut dyn Conversation> {
        match &mut self.stage {
            ConnectionStage::Http(http) => Some(http),
            ConnectionStage::Tcp(tcp) => Some(tcp),
            ConnectionStage::Ws(ws) => Some(ws),
            ConnectionStage::ProxyPreamble(_) | ConnectionStage::TlsHandshake(_) => None,
        }
    }

    /// Says how much is kept for it; an error where that is too much, and it must go.
    pub fn account(&mut self, memory_max: usize) -> Result<(), ConnectionRefusal> {
        let kept = match &self.stage {
            ConnectionStage::Http(http) => http.kept_bytes(),
            ConnectionStage::Tcp(tcp) => tcp.kept_bytes(),
            ConnectionStage::Ws(ws) => ws.kept_bytes(),
            ConnectionStage::ProxyPreamble(_) | ConnectionStage::TlsHandshake(_) => 0,
        };
        self.io.account(kept, memory_max)
    }

    /// Sends why it is closed because there is no room for it, as far as the socket takes that at once.
    pub fn shed(&mut self, why: ConnectionRefusal) {
        if self.io.is_blocked() {
            return;
        }
        let words = match &mut self.stage {
            ConnectionStage::Http(_) => budget::refusal(why).last_bytes(clock::wall()),
            ConnectionStage::Ws(ws) => ws.shed(budget::reason(why)),
            ConnectionStage::Tcp(_)
            | ConnectionStage::TlsHandshake(_)
            | ConnectionStage::ProxyPreamble(_) => return,
        };
        self.io.stream.send_last(&words);
    }

    /// Whether its deadline has passed.
    pub fn is_due(&self, turn: &TurnContext<'_>) -> bool {
        let due = match &self.stage {
            ConnectionStage::ProxyPreamble(due) | ConnectionStage::TlsHandshake(due) => *due,
            ConnectionStage::Http(http) => http.due(),
            ConnectionStage::Tcp(tcp) => tcp.due(),
            ConnectionStage::Ws(ws) => ws.due(),
        };
        due.is_due(turn)
    }

    /// Whether it may be closed when the daemon stops: nothing has begun.
    pub fn is_idle(&self) -> bool {
        match &self.stage {
            ConnectionStage::Http(http) => http.is_idle() && !self.io.is_blocked(),
            ConnectionStage::Tcp(tcp) => tcp.is_idle(),
            ConnectionStage::Ws(ws) => ws.is_idle(),
            ConnectionStage::ProxyPreamble(_) | ConnectionStage::TlsHandshake(_) => true,
        }
    }

    /// Whether the reactor itself may serve it.
    pub fn may_stay(&self) -> bool {
        !matches!(self.stage, ConnectionStage::Http(_)) || self.io.context.options.fast_path
    }

    /// Whether it is read though its client does not take what it is sent.
    fn reads_on(&self) -> bool {
        !matches!(self.stage, ConnectionStage::Http(_)) || !self.io.is_blocked()
    }

    /// When the loop must look whether nothing more has come, in milliseconds of the thread; told once.
    pub fn note_quiet(&mut self) -> Option<u64> {
        match &mut self.stage {
            ConnectionStage::Tcp(tcp) => tcp.note_quiet(),
            _ => None,
        }
    }

    /// The loop looks.
    pub fn end_quiet(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        let ConnectionStage::Tcp(tcp) = &mut self.stage else { return Action::Wait };
        let host =
            &mut ConnectionHost { io: &self.io, transport: Transport::Tcp, turn, output: &mut scratch.turn };
        let flow = tcp.end_quiet(turn, host);
        self.finish(flow, false, scratch, turn)
    }

    /// Runs one call of the conversation.
    fn converse(
        &mut self,
        output: &mut TurnOutput,
        turn: &TurnContext<'_>,
        call: impl FnOnce(&mut dyn Conversation, &mut ConnectionHost<'_>) -> Flow,
    ) -> Flow {
        let transport = self.transport();
        let Connection { io, stage } = self;
        let conversation: &mut dyn Conversation = match stage {
            ConnectionStage::Http(http) => http,
            ConnectionStage::Tcp(tcp) => tcp,
            ConnectionStage::Ws(ws) => ws,
            ConnectionStage::ProxyPreamble(_) | ConnectionStage::TlsHandshake(_) => return Flow::Continue,
        };
        call(conversation, &mut ConnectionHost { io, transport, turn, output })
    }

    /// The last step of its conversation before it is closed.
    pub fn depart(&mut self, output: &mut TurnOutput, turn: &TurnContext<'_>) {
        self.converse(output, turn, |conversation, host| {
            conversation.depart(host);
            Flow::Close
        });
    }

    /// Does what can be done now: sends what waits, reads, takes beats.
    pub fn turn(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        match self.stage {
            ConnectionStage::ProxyPreamble(_) => return proxy_preamble::turn(&mut self.io, turn),
            ConnectionStage::TlsHandshake(_) => return tls_handshake::turn(&mut self.io, turn),
            _ => {}
        }
        let lingering = match &mut self.stage {
            ConnectionStage::Http(http) => http.lingering(),
            ConnectionStage::Ws(ws) => ws.lingering(),
            _ => None,
        };
        if let Some(heard_bytes) = lingering {
            let goes_on = self.io.hear_out(&mut scratch.input, heard_bytes);
            return if goes_on { Action::Wait } else { Action::Close };
        }
        let mut flow = Flow::Continue;
        if self.io.is_blocked() {
            if self.io.send_unsent().is_err() {
                return Action::Close;
            }
            flow = self.note_sent(true, false, &mut scratch.turn, turn);
        }
        if flow == Flow::Continue && self.conversation().is_some_and(|it| it.is_paused(turn)) {
            flow = Flow::Pause;
        }
        if flow == Flow::Continue {
            match self.read(scratch, turn) {
                Ok(exhausted) => flow = exhausted,
                Err(action) => return action,
            }
        }
        if matches!(flow, Flow::Continue | Flow::Pause) {
            flow = self.converse(&mut scratch.turn, turn, |conversation, host| conversation.rest(turn, host));
            if flow == Flow::Continue && scratch.turn.answers.unissued().is_empty() {
                let is_blocked = self.io.is_blocked();
                if self.io.send(&std::mem::take(&mut scratch.turn.bytes)).is_err() {
                    return Action::Close;
                }
                flow = self.note_sent(is_blocked, false, &mut scratch.turn, turn);
            }
        }
        self.finish(flow, true, scratch, turn)
    }

    /// Reads until nothing more can be read, or the flow says otherwise; an action where that ends the turn.
    fn read(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Result<Flow, Action> {
        let Scratch { input, turn: output, .. } = scratch;
        if self.conversation().is_some_and(|it| it.has_unread()) {
            let flow = self.converse(output, turn, |it, host| it.receive(&mut [], turn, host));
            if flow != Flow::Continue || !output.answers.unissued().is_empty() {
                // The socket may hold more, and has told so already.
                return Err(self.finish(flow, true, scratch, turn));
            }
        }
        let room = self.conversation().map_or(0, |it| it.read_bytes_max()).min(input.len());
        for _ in 0..READINGS_MAX {
            let read = match self.io.stream.read(&mut input[..room]) {
                Ok(0) => {
                    let flow = self.converse(output, turn, |it, host| it.end_of_input(turn, host));
                    return Err(self.finish(flow, false, scratch, turn));
                }
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Flow::Continue),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Err(Action::Close),
            };
            let may_hold_more = self.io.may_have_left(read, room);
            let flow = self.converse(output, turn, |it, host| it.receive(&mut input[..read], turn, host));
            if flow != Flow::Continue || !output.answers.unissued().is_empty() {
                return Err(self.finish(flow, may_hold_more, scratch, turn));
            }
            if !may_hold_more {
                return Ok(Flow::Continue);
            }
        }
        Err(Action::Again)
    }

    /// Tells the conversation what became of bytes for the socket.
    fn note_sent(
        &mut self,
        was_blocked: bool,
        is_answer: bool,
        output: &mut TurnOutput,
        turn: &TurnContext<'_>,
    ) -> Flow {
        let sent = self.io.note_sent(was_blocked, is_answer);
        self.converse(output, turn, |conversation, host| conversation.sent(sent, turn, host))
    }

    /// Sends what acknowledges nothing, and makes an action of a flow.
    fn finish(&mut self, flow: Flow, again: bool, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        if let Some(ticket) = scratch.turn.answers.issue() {
            return Action::AwaitCommit { ticket, again };
        }
        let mut flow = flow;
        if !scratch.turn.bytes.is_empty() {
            let bytes = std::mem::take(&mut scratch.turn.bytes);
            let was_blocked = self.io.is_blocked();
            if self.io.send(&bytes).is_err() || flow == Flow::Close {
                return Action::Close;
            }
            flow = self.note_sent(was_blocked, false, &mut scratch.turn, turn);
        }
        match flow {
            Flow::Continue | Flow::Pause => Action::Wait,
            Flow::ReadAgain => Action::Again,
            Flow::Close => Action::Close,
            Flow::HandOver => Action::HandOver,
            Flow::Linger => {
                self.io.stream.end_writing();
                Action::Again
            }
        }
    }

    /// Sends the answers of a ticket, whose beats are on record; `again`: the socket may hold more.
    pub fn answer(
        &mut self,
        ticket: AnswerTicket,
        again: bool,
        scratch: &mut Scratch,
        turn: &TurnContext<'_>,
    ) -> Action {
        let mut bytes = std::mem::take(&mut scratch.turn.bytes);
        scratch.turn.answers.redeem(ticket, &mut scratch.cache, turn.now, &mut bytes);
        let was_blocked = self.io.is_blocked();
        let sent = self.io.send(&bytes);
        bytes.clear();
        scratch.turn.bytes = bytes;
        if sent.is_err() {
            return Action::Close;
        }
        let flow = self.note_sent(was_blocked, true, &mut scratch.turn, turn);
        match self.finish(flow, again, scratch, turn) {
            Action::Wait if (again || turn.ending.is_some()) && self.reads_on() => Action::Again,
            action => action,
        }
    }

    /// Judges it by the policy in force; `has_changed`: by another one than it was let in under. Of HTTP each request is
    /// judged.
    pub fn judge(&mut self, has_changed: bool, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        let flow = self.converse(&mut scratch.turn, turn, |it, host| it.judge(has_changed, turn, host));
        self.finish(flow, false, scratch, turn)
    }

    /// What happens when its deadline has passed.
    pub fn time_out(&mut self, scratch: &mut Scratch, turn: &TurnContext<'_>) -> Action {
        match self.stage {
            ConnectionStage::ProxyPreamble(_) => return proxy_preamble::time_out(&self.io),
            ConnectionStage::TlsHandshake(_) => return tls_handshake::time_out(&self.io, turn),
            _ => {}
        }
        let is_blocked = self.io.is_blocked();
        let flow = self.converse(&mut scratch.turn, turn, |it, host| it.time_out(is_blocked, turn, host));
        self.finish(flow, false, scratch, turn)
    }

    /// For an HTTP worker, where it speaks HTTP; `origin` is the reactor that lets it go.
    pub fn into_handoff(self, origin: ReactorRef) -> Option<Handoff> {
        let ConnectionStage::Http(http) = self.stage else { return None };
        let ConnectionIo { stream, peer, context, permit, unsent, .. } = self.io;
        let (stream, read) = (stream.into_std(), http.into_unread());
        Some(Handoff { stream, unsent, read, peer, context, permit, origin })
    }

    /// The circumstances for it: while room is made for a next process, connections that can be parked do not end.
    pub fn context<'a>(&self, turn: &TurnContext<'a>) -> TurnContext<'a> {
        let ending = turn.ending.filter(|ending| *ending == EndReason::Stop || !self.can_park());
        TurnContext { ending, ..*turn }
    }
}
