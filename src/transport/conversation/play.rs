//! A connection that is played without a socket: pieces of bytes in, and what was asked, sent and decided out.

use super::testing::{TestHost, turn_at};
use crate::domain::access::Shown;
use crate::domain::policy::Policy;
use crate::transport::conversation::http::HttpConversation;
use crate::transport::conversation::tcp::TcpConversation;
use crate::transport::conversation::ws::{WebSocketOpening, WsConversation};
use crate::transport::conversation::{Conversation, Flow, Host, Sent, TurnContext};
use std::sync::Arc;

enum Any {
    Http(HttpConversation),
    Tcp(TcpConversation),
    Ws(WsConversation),
}

impl Any {
    fn get(&mut self) -> &mut dyn Conversation {
        match self {
            Any::Http(http) => http,
            Any::Tcp(tcp) => tcp,
            Any::Ws(ws) => ws,
        }
    }

    /// The same in the next process.
    fn handed_over(self, turn: &TurnContext<'_>, host: &TestHost) -> Any {
        match self {
            Any::Http(http) => {
                let record = serde_json::to_vec(&http.park()).unwrap();
                let parked = serde_json::from_slice(&record).unwrap();
                Any::Http(HttpConversation::resume(parked, false, turn))
            }
            Any::Tcp(tcp) => {
                let record = serde_json::to_vec(&tcp.park()).unwrap();
                let parked = serde_json::from_slice(&record).unwrap();
                Any::Tcp(TcpConversation::resume(parked, Some(7), turn, host).unwrap())
            }
            Any::Ws(ws) => {
                let record = serde_json::to_vec(&ws.park(host.peer())).unwrap();
                let parked = serde_json::from_slice(&record).unwrap();
                Any::Ws(WsConversation::resume(parked, host.claims(), false, turn).unwrap())
            }
        }
    }

    fn new(kind: usize, turn: &TurnContext<'_>, host: &mut TestHost) -> Any {
        match kind {
            0 => Any::Http(HttpConversation::new(Vec::new(), turn)),
            1 => Any::Tcp(TcpConversation::new(Some(7), turn, host)),
            _ => {
                let opening = WebSocketOpening { client: host.peer(), shown: Shown::Nothing, echo: false };
                Any::Ws(WsConversation::new(opening, Vec::new(), false, host.peer(), turn, host))
            }
        }
    }
}

/// What became of a connection of a kind (HTTP, raw TCP, WebSocket) that was sent pieces, each read by itself: what was asked,
/// what was sent, and how it went on. `hands_over`: another process takes over before each piece.
pub fn play(kind: usize, pieces: &[&[u8]], hands_over: bool) -> (Vec<String>, Vec<u8>, Flow) {
    let policy = Policy::default();
    let turn = &turn_at(&policy, 0);
    let host = &mut TestHost::new(&Arc::default());
    let mut any = Any::new(kind % 3, turn, host);
    let mut flow = Flow::Continue;
    for piece in pieces {
        if hands_over {
            any = any.handed_over(turn, host);
        }
        if any.get().has_unread() {
            flow = any.get().receive(&mut [], turn, host);
            flow = answered(&mut any, flow, turn, host);
        }
        if flow != Flow::Continue || any.get().lingering().is_some() {
            break;
        }
        flow = any.get().receive(&mut piece.to_vec(), turn, host);
        flow = answered(&mut any, flow, turn, host);
        let is_due = any.get().due().is_due(turn);
        assert!(hands_over || !is_due, "what was just heard has a deadline to come");
    }
    assert_eq!(host.beats, host.acknowledged, "each beat that was taken is answered");
    // What came behind the last request decides whether the client is heard out.
    let flow = if flow == Flow::Linger { Flow::Close } else { flow };
    (std::mem::take(&mut host.asked), std::mem::take(&mut host.sent), flow)
}

/// After the commit, and after everything is sent.
fn answered(any: &mut Any, flow: Flow, turn: &TurnContext<'_>, host: &mut TestHost) -> Flow {
    if !host.commit(turn) {
        return flow;
    }
    let sent = Sent { is_answer: true, has_progressed: true, ..Sent::default() };
    any.get().sent(sent, turn, host)
}
