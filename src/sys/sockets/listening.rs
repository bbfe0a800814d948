//! A listener that is wanted, its socket, and one that stands.

use super::path::SocketFile;
use crate::domain::address::ListenAddress;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;

/// A listener that the configuration asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerWanted {
    /// The name in `[[listen]]`, for example `http`; several may share one.
    pub name: String,
    /// Where it shall stand.
    pub address: ListenAddress,
    /// Whether nobody asked for it: where its place is taken it is done without.
    pub unasked: bool,
}

/// A listening socket: non-blocking, closed on exec.
#[derive(Debug)]
pub enum Socket {
    /// IPv4 or IPv6.
    Tcp(TcpListener),
    /// A unix socket.
    Unix(UnixListener),
}

/// A listener that stands.
#[derive(Debug)]
pub struct Listening {
    /// The name of the wanted listener it serves.
    pub name: String,
    /// Which of the wanted listeners that is, since several may share a name: its place in their list.
    pub wanted: usize,
    /// The socket.
    pub socket: Socket,
    /// Its real address, asked of the socket: `[::]:7777`, `127.0.0.1:7777`, `unix:/path`.
    pub address: String,
    /// Its real TCP port.
    pub port: Option<u16>,
    /// True when a service manager handed it over: it then owns the address, and the socket must not be stored.
    pub inherited: bool,
    /// The unix path we made. It is removed when this is dropped: keep it as long as the socket.
    pub file: Option<SocketFile>,
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        }
    }
}
