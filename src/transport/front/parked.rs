//! What a connection leaves to the next process of the service, and how that goes on with it.
//!
//! A connection is its socket and a few words: what was read and not understood yet, what its socket has not taken, whom it
//! speaks for. Those are written down as JSON, so that another version finds what it knows and does without the rest.
//! Deadlines are not: nobody is judged for time in which nobody listened, so each begins anew. TLS has secrets that cannot
//! be written down; its connections, those of the control socket, and handshakes under way are ended instead.
//!
//! What is read here is not believed: what cannot be a state is a connection that is closed.

use super::connection::Connection;
use super::http;
use super::link::Link;
use super::{talk, ws};
use crate::domain::address::{Peer, Protocol};
use crate::domain::id::Id;
use crate::domain::limits::Limits;
use crate::sys::lot::Parcel;
use crate::transport::census::Place;
use crate::transport::site::Site;
use crate::transport::stream::{FrontStream, StdStream};
use crate::wire::blob;
use crate::wire::forwarded::ProxyHeader;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A connection as it is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
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
    state: State,
}

/// What is known of it besides, by its kind.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// HTTP.
    Http(http::Kept),
    /// Raw TCP.
    Tcp(talk::Kept),
    /// A WebSocket.
    Ws(ws::Kept),
}

/// A connection of the process before us, on its way to a front.
pub struct Returning {
    pub(super) link: Link,
    pub(super) state: State,
}

impl State {
    fn own_monitor(&self) -> Option<Id> {
        match self {
            State::Tcp(kept) => kept.own_monitor().and_then(|id| Id::new(id).ok()),
            State::Http(_) | State::Ws(_) => None,
        }
    }
}

impl Returning {
    /// The monitor that goes with it, where it has one.
    pub(super) fn own_monitor(&self) -> Option<Id> {
        self.state.own_monitor()
    }
}

/// The monitor that goes with a parcel's connection, where it has one.
pub fn own_monitor(parcel: &Parcel) -> Option<Id> {
    serde_json::from_slice::<Record>(&parcel.record).ok()?.state.own_monitor()
}

/// Whether a connection can be left to the next process.
pub fn may_be(connection: &Connection) -> bool {
    connection.link().site.hands_over()
        && !matches!(connection, Connection::Shake(_) | Connection::Preamble(_))
}

/// Makes a parcel of a connection that no loop watches any more; `None` when it cannot be left to anybody.
pub fn park(connection: Connection) -> Option<Parcel> {
    if !may_be(&connection) {
        return None;
    }
    let (link, state) = match connection {
        Connection::Http(http) => http.park(),
        Connection::Tcp(talk) => talk.park(),
        Connection::Ws(ws) => ws.park(),
        Connection::Preamble(_) | Connection::Shake(_) => return None,
    };
    let Link { stream, site, unsent, peer, .. } = link;
    let client = match peer {
        Peer::Ip(ip) if site.setup.proxies.header == ProxyHeader::ProxyProtocol => Some(ip),
        _ => None,
    };
    let (unix, socket) = match stream.into_std() {
        StdStream::Tcp(stream) => (false, OwnedFd::from(stream)),
        StdStream::Unix(stream) => (true, OwnedFd::from(stream)),
        StdStream::Tls(_) => return None,
    };
    let setup = &site.setup;
    let (listener, address) = (setup.name.clone(), setup.address.clone());
    let record = serde_json::to_vec(&Record { listener, address, unix, client, unsent, state }).ok()?;
    Some(Parcel { socket, record })
}

/// Makes a connection of a parcel again, at the listener that now stands where its own did, else at one of that name.
/// `None` when there is none that speaks as it does, or no room for it, or the parcel makes no sense.
pub fn unpark(parcel: Parcel, sites: &[Arc<Site>], limits: &Limits) -> Option<Returning> {
    let Record { listener, address, unix, client, unsent, state } =
        serde_json::from_slice(&parcel.record).ok()?;
    let protocol = match &state {
        State::Http(_) | State::Ws(_) => Protocol::Http,
        State::Tcp(_) => Protocol::Tcp,
    };
    let fits = |site: &&Arc<Site>| site.hands_over() && site.setup.protocol == protocol;
    let mut fitting = sites.iter().filter(fits);
    let there = fitting.clone().find(|site| site.setup.address == address);
    let site = there.or_else(|| fitting.find(|site| site.setup.name == listener))?.clone();
    let (stream, peer) = stream_of(parcel.socket, unix).ok()?;
    let peer = client.map_or(peer, Peer::from_ip);
    let place: Place = site.census.enter(peer, limits.connections_per_address).ok()?;
    let link = Link { unsent, ..Link::new(stream, peer, site, place) };
    Some(Returning { link, state })
}

fn stream_of(socket: OwnedFd, unix: bool) -> io::Result<(FrontStream, Peer)> {
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
    Ok((stream.into_front(), peer))
}
