//! What a connection leaves to the next process of the service, and how that goes on with it.
//!
//! A connection is its socket and a few words: what was read and not understood yet, what its socket has not taken, whom it
//! speaks for. Those are written down as JSON, so that another version finds what it knows and does without the rest.
//! Deadlines are not: nobody is judged for time in which nobody listened, so each begins anew. TLS has secrets that cannot
//! be written down; its connections, those of the control socket, and handshakes under way are ended instead.
//!
//! What is read here is not believed: what cannot be a state is a connection that is closed.

use super::connection::Connection;
use super::connection_io::ConnectionIo;
use super::http;
use super::{tcp, ws};
use crate::domain::address::{Peer, Protocol};
use crate::domain::id::Id;
use crate::domain::limits::Limits;
use crate::sys::parked::ParkedConnection;
use crate::transport::connection_limits::ConnectionPermit;
use crate::transport::listener_context::ListenerContext;
use crate::transport::stream::{ReactorStream, StdStream};
use crate::wire::blob;
use crate::wire::forwarded::ProxyHeader;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A connection as it is written down.
#[derive(Debug, Serialize, Deserialize)]
struct ParkedRecord {
    /// The name of its listener.
    listener: String,
    /// Where that stood.
    address: String,
    /// Whether its socket is a unix one.
    unix: bool,
    /// Who it is, as a proxy said before its first byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    /// What its socket has not taken yet.
    #[serde(with = "blob")]
    unsent: Vec<u8>,
    state: ParkedState,
}

/// What is known of it besides, by its kind.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParkedState {
    /// HTTP.
    Http(http::ParkedHttp),
    /// Raw TCP.
    Tcp(tcp::ParkedTcp),
    /// A WebSocket.
    Ws(ws::ParkedWs),
}

/// A connection of the process before us, on its way to a reactor.
pub struct ResumableConnection {
    pub(super) io: ConnectionIo,
    pub(super) state: ParkedState,
}

impl ParkedState {
    fn own_monitor(&self) -> Option<Id> {
        match self {
            ParkedState::Tcp(kept) => kept.own_monitor().and_then(|id| Id::new(id).ok()),
            ParkedState::Http(_) | ParkedState::Ws(_) => None,
        }
    }
}

impl ResumableConnection {
    /// The monitor that goes with it, where it has one.
    pub(super) fn own_monitor(&self) -> Option<Id> {
        self.state.own_monitor()
    }
}

/// The monitor that goes with a parked connection's connection, where it has one.
pub fn own_monitor(parked: &ParkedConnection) -> Option<Id> {
    serde_json::from_slice::<ParkedRecord>(&parked.record).ok()?.state.own_monitor()
}

/// Whether a connection can be left to the next process.
pub fn can_park(connection: &Connection) -> bool {
    connection.io().context.hands_over()
        && !matches!(connection, Connection::TlsHandshake(_) | Connection::ProxyPreamble(_))
}

/// Makes a parked connection of a connection that no loop watches any more; `None` when it cannot be left to anybody.
pub fn park(connection: Connection) -> Option<ParkedConnection> {
    if !can_park(&connection) {
        return None;
    }
    let (io, state) = match connection {
        Connection::Http(http) => http.park(),
        Connection::Tcp(tcp) => tcp.park(),
        Connection::Ws(ws) => ws.park(),
        Connection::ProxyPreamble(_) | Connection::TlsHandshake(_) => return None,
    };
    let ConnectionIo { stream, context, unsent, peer, .. } = io;
    let client = match peer {
        Peer::Ip(ip) if context.options.proxies.header == ProxyHeader::ProxyProtocol => Some(ip),
        _ => None,
    };
    let (unix, socket) = match stream.into_std() {
        StdStream::Tcp(stream) => (false, OwnedFd::from(stream)),
        StdStream::Unix(stream) => (true, OwnedFd::from(stream)),
        StdStream::Tls(_) => return None,
    };
    let options = &context.options;
    let (listener, address) = (options.name.clone(), options.address.clone());
    let record = serde_json::to_vec(&ParkedRecord { listener, address, unix, client, unsent, state }).ok()?;
    Some(ParkedConnection { socket, record })
}

/// Makes a connection of a parked connection again, at the listener that now stands where its own did, else at one of that name.
/// `None` when there is none that speaks as it does, or no room for it, or the parked connection makes no sense.
pub fn unpark(
    parked: ParkedConnection,
    contexts: &[Arc<ListenerContext>],
    limits: &Limits,
) -> Option<ResumableConnection> {
    let ParkedRecord { listener, address, unix, client, unsent, state } =
        serde_json::from_slice(&parked.record).ok()?;
    let protocol = match &state {
        ParkedState::Http(_) | ParkedState::Ws(_) => Protocol::Http,
        ParkedState::Tcp(_) => Protocol::Tcp,
    };
    let fits = |context: &&Arc<ListenerContext>| context.hands_over() && context.options.protocol == protocol;
    let mut fitting = contexts.iter().filter(fits);
    let there = fitting.clone().find(|context| context.options.address == address);
    let context = there.or_else(|| fitting.find(|context| context.options.name == listener))?.clone();
    let (stream, peer) = stream_of(parked.socket, unix).ok()?;
    let peer = client.map_or(peer, Peer::from_ip);
    let permit: ConnectionPermit = context.permits.acquire(peer, limits.connections_per_address).ok()?;
    let io = ConnectionIo { unsent, ..ConnectionIo::new(stream, peer, context, permit) };
    Some(ResumableConnection { io, state })
}

fn stream_of(socket: OwnedFd, unix: bool) -> io::Result<(ReactorStream, Peer)> {
    let (stream, peer) = if unix {
        let stream = std::os::unix::net::UnixStream::from(socket);
        stream.set_nonblocking(true)?;
        (StdStream::Unix(stream), Peer::Unix)
    } else {
        let stream = std::net::TcpStream::from(socket);
        stream.set_nonblocking(true)?;
        let peer = Peer::from_ip(stream.peer_addr()?.ip());
        (StdStream::Tcp(stream), peer)
    };
    Ok((stream.into_reactor(), peer))
}
