//! A connection of a front, of whatever kind: the face that the loop knows.

use super::Home;
use super::desk::{Desk, Moment, Next};
use super::http::Http;
use super::link::Link;
use super::parked::{Returning, State};
use super::preamble::Preamble;
use super::shake::Shake;
use super::talk::Talk;
use super::ws::Ws;
use crate::domain::address::Protocol;
use crate::domain::beat::Transport;
use crate::engine::Pending;
use crate::engine::stats::Turned;
use crate::transport::budget;
use crate::transport::http::{Guest, Opening, last_words};
use std::ops::Range;

/// A connection.
pub enum Connection {
    /// A proxy's, that has not said yet whose it is.
    Preamble(Preamble),
    /// TLS that does not stand yet.
    Shake(Shake),
    /// HTTP, as far as the fast path goes.
    Http(Http),
    /// Raw TCP.
    Tcp(Talk),
    /// A WebSocket.
    Ws(Ws),
}

/// What a connection is that comes back from a general thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The same as before.
    Http,
    /// A WebSocket.
    Ws(Opening),
}

impl Connection {
    /// A newcomer.
    pub fn new(link: Link, moment: &Moment<'_>) -> Connection {
        if link.stream.is_shaking() {
            return Connection::Shake(Shake::new(link, moment));
        }
        match link.site.setup.protocol {
            Protocol::Http => Connection::Http(Http::new(link, moment)),
            Protocol::Tcp => Connection::Tcp(Talk::new(link, moment)),
        }
    }

    /// One that a general thread has had.
    pub fn returned(guest: Guest, role: Role, moment: &Moment<'_>) -> Connection {
        let Guest { stream, unsent, read, peer, site, place, .. } = guest;
        let link = Link { unsent, ..Link::new(stream.into_front(), peer, site, place) };
        match role {
            Role::Http => Connection::Http(Http::returned(link, read, moment)),
            Role::Ws(opening) => Connection::Ws(Ws::new(link, read, opening, moment)),
        }
    }

    /// One of the process before us; `None` where that is not what it left.
    pub fn resumed(returning: Returning, moment: &Moment<'_>) -> Option<Connection> {
        let Returning { link, state } = returning;
        match state {
            State::Http(kept) => Some(Connection::Http(Http::resumed(link, kept, moment))),
            State::Tcp(kept) => Talk::resumed(link, kept, moment).map(Connection::Tcp),
            State::Ws(kept) => Ws::resumed(link, kept, moment).map(Connection::Ws),
        }
    }

    /// What is counted where it is counted.
    pub fn transport(&self) -> Transport {
        match self {
            Connection::Http(_) => Transport::Http,
            Connection::Tcp(_) => Transport::Tcp,
            Connection::Ws(_) => Transport::Ws,
            Connection::Preamble(_) | Connection::Shake(_) => Connection::transport_of(self.link()),
        }
    }

    /// The same of one that has not begun.
    pub fn transport_of(link: &Link) -> Transport {
        match link.site.setup.protocol {
            Protocol::Http => Transport::Http,
            Protocol::Tcp => Transport::Tcp,
        }
    }

    /// What it has in common with the other kinds.
    pub fn link(&self) -> &Link {
        match self {
            Connection::Http(http) => &http.link,
            Connection::Tcp(talk) => &talk.link,
            Connection::Ws(ws) => &ws.link,
            Connection::Preamble(preamble) => &preamble.link,
            Connection::Shake(shake) => &shake.link,
        }
    }

    /// The same, to be changed.
    pub fn link_mut(&mut self) -> &mut Link {
        match self {
            Connection::Http(http) => &mut http.link,
            Connection::Tcp(talk) => &mut talk.link,
            Connection::Ws(ws) => &mut ws.link,
            Connection::Preamble(preamble) => &mut preamble.link,
            Connection::Shake(shake) => &mut shake.link,
        }
    }

    /// For registering with the loop.
    pub fn source(&mut self) -> &mut dyn mio::event::Source {
        self.link_mut().stream.source()
    }

    /// Says how much is kept for it; an error where that is too much, and it must go.
    pub fn account(&mut self, memory_max: usize) -> Result<(), Turned> {
        let kept = match self {
            Connection::Http(http) => http.kept_bytes(),
            Connection::Tcp(talk) => talk.kept_bytes(),
            Connection::Ws(ws) => ws.kept_bytes(),
            Connection::Shake(_) | Connection::Preamble(_) => 0,
        };
        self.link_mut().account(kept, memory_max)
    }

    /// What it hears before it is closed because there is no room for it, as far as the socket takes that at once.
    pub fn shed(&mut self, why: Turned) {
        if self.is_blocked() {
            return;
        }
        let words = match self {
            Connection::Http(_) => last_words(budget::refusal(why)),
            Connection::Ws(ws) => ws.last_words(why),
            Connection::Tcp(_) | Connection::Shake(_) | Connection::Preamble(_) => return,
        };
        let link = self.link_mut();
        let _ = link.stream.write(&words);
        link.stream.end_writing();
        // What lies unread would take the words with it.
        let mut waste = [0u8; 4096];
        for _ in 0..16 {
            if !link.stream.read(&mut waste).is_ok_and(|n| n > 0) {
                break;
            }
        }
    }

    /// Whether bytes wait for the socket.
    pub fn is_blocked(&self) -> bool {
        self.link().is_blocked()
    }

    /// Whether its time is up.
    pub fn is_due(&self, now_s: u32) -> bool {
        self.link().due_s <= now_s
    }

    /// Whether it may be closed when the daemon stops: nothing has begun.
    pub fn is_idle(&self) -> bool {
        match self {
            Connection::Http(http) => http.is_idle(),
            Connection::Tcp(talk) => !talk.link.awaits_answers,
            // It is told that we go.
            Connection::Ws(_) => false,
            Connection::Preamble(_) | Connection::Shake(_) => true,
        }
    }

    /// Whether the front itself may serve it.
    pub fn may_stay(&self) -> bool {
        match self {
            Connection::Http(http) => http.link.site.setup.fast_path,
            Connection::Tcp(_) | Connection::Ws(_) | Connection::Preamble(_) | Connection::Shake(_) => true,
        }
    }

    /// Whether it is read though it does not take what it is sent.
    pub fn reads_on(&self) -> bool {
        match self {
            Connection::Http(http) => !http.link.is_blocked(),
            Connection::Tcp(_) | Connection::Ws(_) | Connection::Preamble(_) | Connection::Shake(_) => true,
        }
    }

    /// When the loop must look whether nothing more has come for a moment, in milliseconds of the thread; told once.
    pub fn note_quiet(&mut self) -> Option<u64> {
        match self {
            Connection::Tcp(talk) => talk.note_quiet(),
            _ => None,
        }
    }

    /// The loop looks.
    pub fn look_for_quiet(&mut self, desk: &mut Desk, moment: &Moment<'_>) -> Next {
        match self {
            Connection::Tcp(talk) => talk.look_for_quiet(desk, moment),
            _ => Next::Wait,
        }
    }

    /// Its last step before it is closed.
    pub fn part(&self, pending: &mut Pending, moment: &Moment<'_>) {
        match self {
            Connection::Tcp(talk) => talk.part(pending, moment),
            Connection::Ws(ws) => ws.part(moment),
            _ => {}
        }
    }

    /// Does what can be done now: sends what waits, reads, answers.
    pub fn turn(&mut self, desk: &mut Desk, moment: &Moment<'_>) -> Next {
        match self {
            Connection::Http(http) => http.turn(desk, moment),
            Connection::Tcp(talk) => talk.turn(desk, moment),
            Connection::Ws(ws) => ws.turn(desk, moment),
            Connection::Preamble(preamble) => preamble.turn(moment),
            Connection::Shake(shake) => shake.turn(moment),
        }
    }

    /// Sends the answers that [`Next::Answers`] announced, `range` of those on the desk.
    pub fn answer(&mut self, desk: &mut Desk, range: Range<usize>, moment: &Moment<'_>) -> Next {
        match self {
            Connection::Http(http) => http.answer(desk, range, moment),
            Connection::Tcp(talk) => talk.answer(desk, range, moment),
            Connection::Ws(ws) => ws.answer(desk, range, moment),
            Connection::Preamble(_) | Connection::Shake(_) => Next::Wait,
        }
    }

    /// Judges it by the policy in force; `changed`: by another one than it was let in under. Of HTTP each request is judged.
    pub fn judge(&mut self, changed: bool, moment: &Moment<'_>) -> Next {
        match self {
            Connection::Tcp(talk) => talk.judge(changed, moment),
            Connection::Ws(ws) => ws.judge(changed, moment),
            Connection::Http(_) | Connection::Preamble(_) | Connection::Shake(_) => Next::Wait,
        }
    }

    /// What happens when its time is up.
    pub fn time_out(&mut self, moment: &Moment<'_>) -> Next {
        match self {
            Connection::Http(http) => http.time_out(moment),
            Connection::Tcp(talk) => talk.time_out(moment),
            Connection::Ws(ws) => ws.time_out(moment),
            Connection::Preamble(preamble) => preamble.time_out(),
            Connection::Shake(shake) => shake.time_out(moment),
        }
    }

    /// Everything that the general path needs to go on, where it can: it speaks HTTP only.
    pub fn into_guest(self, home: Home) -> Option<Guest> {
        match self {
            Connection::Http(http) => Some(http.into_guest(home)),
            Connection::Tcp(_) | Connection::Ws(_) | Connection::Preamble(_) | Connection::Shake(_) => None,
        }
    }
}
