//! A connection that is still shaking hands: nothing is said over it until TLS stands.
//!
//! What it is to be afterwards, its listener knows. The handshake has the time that a request head would have.

use super::desk::{Moment, Next};
use super::link::Link;
use crate::domain::notice::Notice;
use crate::engine::stats::Turned;
use std::io;

/// A connection before its first plain byte.
pub struct Shake {
    /// What it has in common with the other kinds.
    pub link: Link,
}

impl Shake {
    /// A newcomer.
    pub fn new(mut link: Link, moment: &Moment<'_>) -> Shake {
        link.due_in(moment, moment.policy.limits.header_timeout);
        Shake { link }
    }

    /// Goes on as far as the socket allows.
    pub fn turn(&mut self, moment: &Moment<'_>) -> Next {
        match self.link.stream.shake() {
            Ok(()) => Next::Begin,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Next::Wait,
            // Who hangs up says nothing about TLS.
            Err(error) if error.kind() != io::ErrorKind::InvalidData => Next::Close,
            Err(error) => {
                self.tell(moment, Turned::Tls, error.to_string());
                // The alert that says why; with bytes left unread, a plain close would take it along.
                self.link.stream.end_writing();
                let mut waste = [0; 4096];
                let _ = self.link.stream.read(&mut waste);
                Next::Close
            }
        }
    }

    /// What happens when its time is up.
    pub fn time_out(&mut self, moment: &Moment<'_>) -> Next {
        self.tell(moment, Turned::Timeout, "it took too long (limits.header_timeout)".into());
        Next::Close
    }

    fn tell(&self, moment: &Moment<'_>, why: Turned, reason: String) {
        let Link { peer, site, .. } = &self.link;
        site.engine.stats().turned(why);
        let address = site.setup.address.clone();
        site.engine.log().notice(moment.now.wall, Notice::TlsRefused { peer: *peer, address, reason });
    }
}
