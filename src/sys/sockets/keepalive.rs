//! TCP's own sign of life: probes that the kernel sends on a silent connection, and how long it waits for what it has
//! sent to be taken. They find a peer that has gone without a word (a cable cut, a NAT that forgot) where nobody else
//! would look.

use crate::domain::time::Span;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// What is asked of the kernel for the connections of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// Silence before the first probe.
    pub idle: Span,
    /// Time between two probes.
    pub interval: Span,
    /// Probes without an answer after which the connection is dead.
    pub count: u32,
    /// How long what was sent may go unacknowledged before the connection is dead; Linux only.
    pub user_timeout: Span,
}

impl Default for KeepAlive {
    /// Two minutes until a peer that has vanished is found.
    fn default() -> KeepAlive {
        KeepAlive { idle: Span::secs(60), interval: Span::secs(10), count: 6, user_timeout: Span::secs(120) }
    }
}

/// Sets it, or turns it off. On a listening socket it is for all connections accepted from then on; not every system
/// passes all of it on, so elsewhere than on Linux it is set on each of them too.
pub fn apply(socket: &impl AsFd, options: Option<KeepAlive>) -> io::Result<()> {
    let socket = SockRef::from(socket);
    let Some(KeepAlive { idle, interval, count, user_timeout }) = options else {
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(None)?;
        return socket.set_keepalive(false);
    };
    // The kernels count in whole seconds.
    let seconds = |span: Span| Duration::from_secs(span.as_secs_ceil());
    let probes =
        TcpKeepalive::new().with_time(seconds(idle)).with_interval(seconds(interval)).with_retries(count);
    socket.set_tcp_keepalive(&probes)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(Duration::from_millis(user_timeout.0)))?;
    #[cfg(not(target_os = "linux"))]
    let _ = user_timeout;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    #[test]
    #[cfg(target_os = "linux")]
    fn connections_have_what_their_listener_was_given() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let options = KeepAlive {
            idle: Span::secs(7),
            interval: Span::secs(3),
            count: 4,
            user_timeout: Span::secs(19),
        };
        let accepted = |options| {
            apply(&listener, options).unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            listener.accept().unwrap().0
        };
        let stream = accepted(Some(options));
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(7));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(3));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 4);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(19)));
        let stream = accepted(None);
        assert!(!SockRef::from(&stream).keepalive().unwrap());
    }
}
