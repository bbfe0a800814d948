//! Connections as they are left to the next process of the service: a socket, and a record in JSON.
//!
//! The record has what the socket has not taken yet and the conversation with what it is in the middle of. JSON, so that
//! another version finds the fields that it knows and does without the rest. It has no deadlines: time in which no process
//! read the socket counts for none, so each begins anew. Connections under TLS, those of the control socket, and handshakes
//! under way cannot be parked; they are ended instead.
//!
//! A record comes from another process, perhaps of another version: one that makes no sense closes its connection.

use crate::domain::address::{Peer, Protocol};
use crate::domain::id::Id;
use crate::domain::limits::Limits;
use crate::sys::parked::ParkedConnection;
use crate::transport::connection_io::ConnectionIo;
use crate::transport::conversation::http::ParkedHttp;
use crate::transport::conversation::tcp::ParkedTcp;
use crate::transport::conversation::ws::ParkedWs;
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
    /// The address of that.
    address: String,
    /// Whether its socket is a unix one.
    unix: bool,
    /// The client, where a proxy said it before the first byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    /// What its socket has not taken yet.
    #[serde(with = "blob")]
    unsent: Vec<u8>,
    state: ParkedState,
}

/// Its conversation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParkedState {
    /// HTTP.
    Http(ParkedHttp),
    /// Raw TCP.
    Tcp(ParkedTcp),
    /// A WebSocket.
    Ws(ParkedWs),
}

/// A connection of the process before this one, on its way to a reactor.
pub struct ResumableConnection {
    /// Its socket and what belongs to it.
    pub io: ConnectionIo,
    /// Its conversation.
    pub state: ParkedState,
}

impl ParkedState {
    /// The monitor that departs with the connection, where it has one.
    pub fn own_monitor(&self) -> Option<Id> {
        match self {
            ParkedState::Tcp(parked) => parked.own_monitor(),
            ParkedState::Http(_) | ParkedState::Ws(_) => None,
        }
    }
}

/// The monitor that departs with a connection, where it has one.
pub fn own_monitor(parked: &ParkedConnection) -> Option<Id> {
    serde_json::from_slice::<ParkedRecord>(&parked.record).ok()?.state.own_monitor()
}

/// Packs a connection that no loop watches any more; `None` when it cannot be left to the next process.
pub fn pack(io: ConnectionIo, state: ParkedState) -> Option<ParkedConnection> {
    let ConnectionIo { stream, context, unsent, peer, .. } = io;
    let options = &context.options;
    let client = match peer {
        Peer::Ip(ip) if options.proxies.header == ProxyHeader::ProxyProtocol => Some(ip),
        _ => None,
    };
    let (unix, socket) = match stream.into_std() {
        StdStream::Tcp(stream) => (false, OwnedFd::from(stream)),
        StdStream::Unix(stream) => (true, OwnedFd::from(stream)),
        StdStream::Tls(_) => return None,
    };
    let (listener, address) = (options.name.clone(), options.address.clone());
    let record = serde_json::to_vec(&ParkedRecord { listener, address, unix, client, unsent, state }).ok()?;
    Some(ParkedConnection { socket, record })
}

/// Unpacks a connection for the listener that now stands where its own did, else for one of that name. `None` when there is
/// none that speaks as it does, or no room for it, or the record makes no sense.
pub fn unpack(
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
    let permit = context.permits.acquire(peer, limits.connections_per_address).ok()?;
    let mut io = ConnectionIo::new(stream, peer, context, permit);
    io.unsent = unsent;
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
