//! Binding: one wanted address to one or more listening sockets.
//!
//! A bare port takes `[::]` and answers IPv4 through it, as the kernel maps those; without IPv6 it takes `0.0.0.0`.
//! Every other IPv6 address is for IPv6 alone, so that `[::1]` and `127.0.0.1` can stand side by side.

use super::assign::BoundAddress;
use super::error::{ListenerWarning, SocketError, errno};
use super::holder;
use super::listening::Socket;
use super::path::{self, SocketFile};
use crate::domain::address::ListenAddress;
use crate::sys::service;
use nix::errno::Errno;
use socket2::{Domain, Protocol, SockAddr, Type};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// A socket made here.
pub(super) struct Bound {
    pub socket: Socket,
    pub place: BoundAddress,
    pub file: Option<SocketFile>,
}

/// Binds an address. A name is bound on every address it has; one that fails is a warning as long as another works.
pub(super) fn bind(
    address: &ListenAddress,
    warnings: &mut Vec<ListenerWarning>,
) -> Result<Vec<Bound>, SocketError> {
    match address {
        ListenAddress::Any(port) => any(*port).map(|b| vec![b]),
        ListenAddress::Ip(ip, port) => tcp(SocketAddr::new(*ip, *port)).map(|b| vec![b]),
        ListenAddress::Name(host, port) => name(host, *port, warnings),
        ListenAddress::Unix(wanted) => unix(wanted).map(|b| vec![b]),
    }
}

fn any(port: u16) -> Result<Bound, SocketError> {
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match listen_tcp(v6) {
        Ok(bound) => Ok(bound),
        Err(e) if no_such_family(&e) => tcp((Ipv4Addr::UNSPECIFIED, port).into()),
        Err(e) => Err(explain(v6, e)),
    }
}

fn tcp(address: SocketAddr) -> Result<Bound, SocketError> {
    listen_tcp(address).map_err(|e| explain(address, e))
}

fn name(host: &str, port: u16, warnings: &mut Vec<ListenerWarning>) -> Result<Vec<Bound>, SocketError> {
    let unresolvable = |reason: String| SocketError::Unresolvable { host: host.into(), reason };
    let found: BTreeSet<SocketAddr> =
        (host, port).to_socket_addrs().map_err(|e| unresolvable(e.to_string()))?.collect();
    let mut bound = Vec::new();
    let mut failures = Vec::new();
    for address in found {
        match tcp(address) {
            Ok(one) => bound.push(one),
            Err(e) => failures.push(e),
        }
    }
    if bound.is_empty() {
        return Err(failures.into_iter().next().unwrap_or_else(|| unresolvable("no address".into())));
    }
    warnings
        .extend(failures.into_iter().map(|error| ListenerWarning::OneOfName { host: host.into(), error }));
    Ok(bound)
}

fn listen_tcp(address: SocketAddr) -> io::Result<Bound> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if let IpAddr::V6(ip) = address.ip() {
        socket.set_only_v6(!ip.is_unspecified())?;
    }
    // A restart must not wait for the old connections' TIME-WAIT; two listeners on one address stay impossible.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    match socket.bind(&address.into()) {
        // No interface has it yet: the listener stands all the same, and serves once one has.
        Err(e) if errno(&e) == Some(Errno::EADDRNOTAVAIL) && allow_any_address(&socket, address) => {
            socket.bind(&address.into())?;
        }
        bound => bound?,
    }
    socket.listen(BACKLOG)?;
    let listener: std::net::TcpListener = socket.into();
    let place = BoundAddress::Tcp(listener.local_addr()?);
    Ok(Bound { socket: Socket::Tcp(listener), place, file: None })
}

fn unix(wanted: &std::path::Path) -> Result<Bound, SocketError> {
    // The path must outlive a change of directory: it is removed by this name at the end.
    let full = std::path::absolute(wanted).map_err(|e| path::explain(wanted, e))?;
    path::clear(&full)?;
    let listen = || -> io::Result<Bound> {
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        // Linux gives the file the mode of the socket, less the umask: so it is never wider than meant, not even
        // between the two calls. Elsewhere this fails and the umask has the same effect.
        let _ = nix::sys::stat::fchmod(&socket, nix::sys::stat::Mode::from_bits_truncate(0o660));
        socket.bind(&SockAddr::unix(&full)?)?;
        let file = SocketFile::made(&full)?;
        socket.listen(BACKLOG)?;
        let listener: std::os::unix::net::UnixListener = socket.into();
        Ok(Bound {
            socket: Socket::Unix(listener),
            place: BoundAddress::Unix(full.clone()),
            file: Some(file),
        })
    };
    listen().map_err(|e| path::explain(&full, e))
}

/// Lets a socket be bound to an address that no interface has yet. False where the system cannot.
fn allow_any_address(socket: &socket2::Socket, address: SocketAddr) -> bool {
    #[cfg(target_os = "linux")]
    {
        match address {
            SocketAddr::V4(_) => socket.set_freebind_v4(true).is_ok(),
            SocketAddr::V6(_) => socket.set_freebind_v6(true).is_ok(),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (socket, address);
        false
    }
}

fn no_such_family(error: &io::Error) -> bool {
    matches!(errno(error), Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL))
}

fn explain(address: SocketAddr, error: io::Error) -> SocketError {
    let port = Some(address.port());
    let address_text = address.to_string();
    match errno(&error) {
        Some(Errno::EADDRINUSE) => {
            SocketError::InUse { address: address_text, port, holder: holder::of_port(address.port()) }
        }
        Some(Errno::EADDRNOTAVAIL | Errno::EAFNOSUPPORT) => SocketError::NotOurs { address: address_text },
        Some(Errno::EACCES | Errno::EPERM) => {
            SocketError::Denied { address: address_text, port, managed: service::managed() }
        }
        _ => SocketError::Other { address: address_text, source: error },
    }
}
