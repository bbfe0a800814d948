//! A connection of a proxy that speaks the PROXY protocol, until it has said whose connection it is.
//!
//! The header is looked at in the socket and only then taken out, to its last byte: what follows it, a TLS handshake
//! perhaps, is read by whoever comes next. It has the time that a request head would have.

use super::desk::{Moment, Next};
use super::link::Link;
use crate::domain::address::Peer;
use crate::domain::limits::PROXY_HEADER_BYTES_MAX;
use crate::engine::stats::Turned;
use crate::wire::proxy_protocol::{self, Opening};
use std::io;

/// A connection before its first byte of its own.
pub struct Preamble {
    /// What it has in common with the other kinds. Its peer is the proxy, and then the client.
    pub link: Link,
}

impl Preamble {
    /// A newcomer.
    pub fn new(mut link: Link, moment: &Moment<'_>) -> Preamble {
        link.due_in(moment, moment.policy.limits.header_timeout);
        Preamble { link }
    }

    /// Goes on as far as the socket allows.
    pub fn turn(&mut self, moment: &Moment<'_>) -> Next {
        let mut seen = [0; PROXY_HEADER_BYTES_MAX];
        loop {
            let length = match self.link.stream.peek(&mut seen) {
                // A proxy that looks whether the port is open says nothing, and nothing is wrong.
                Ok(0) => return Next::Close,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Next::Wait,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Next::Close,
            };
            return match proxy_protocol::read(&seen[..length]) {
                // The end of the other side is told apart from bytes that are still to come, or this would wait in vain.
                Opening::Partial if self.link.read_closed => self.refuse("it ended in its header", moment),
                Opening::Partial => Next::Wait,
                Opening::Wrong(reason) => self.refuse(reason, moment),
                Opening::Header { bytes, client } => {
                    let mut rest = &mut seen[..bytes];
                    while !rest.is_empty() {
                        match self.link.stream.read(rest) {
                            Ok(read @ 1..) => rest = &mut rest[read..],
                            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                            // They were there a moment ago.
                            _ => return Next::Close,
                        }
                    }
                    if let Some(ip) = client {
                        self.link.peer = Peer::from_ip(ip);
                    }
                    Next::Begin
                }
            };
        }
    }

    /// What happens when its time is up.
    pub fn time_out(&mut self) -> Next {
        self.link.site.engine.stats().turned(Turned::Timeout);
        Next::Close
    }

    fn refuse(&self, reason: &'static str, moment: &Moment<'_>) -> Next {
        let Link { peer, site, .. } = &self.link;
        site.refuse_proxied(*peer, reason, moment.now);
        Next::Close
    }
}
