//! Listeners whose address is not there yet: a late DHCP lease, a VPN that is not up, a name that does not resolve.
//!
//! On Linux an address that no interface has can be bound all the same (IP_FREEBIND, ip(7)): the listener stands, and the
//! kernel delivers to it once the address is there. What cannot be bound, a name without an address, or any such address
//! elsewhere, is tried again. Either way it is said until it is over.

use super::assign::{BoundAddress, stand};
use super::bind::{self, Bound};
use super::error::{ListenerWarning, SocketError};
use super::listening::{ListenerWanted, Listening};
use crate::domain::address::ListenAddress;
use crate::domain::sentence::{Audience, Sentence};
use crate::i18n::{self, Text};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

/// How long to wait between two looks: at first, and at most.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// What is not there yet.
#[derive(Debug, Default)]
pub struct Absent {
    /// Listeners without a socket, with their place in the list of the wanted ones, and why.
    unbound: Vec<Unbound>,
    /// Sockets that stand on an address that no interface has yet.
    unreachable: Vec<(String, SocketAddr)>,
}

#[derive(Debug)]
struct Unbound {
    which: usize,
    wanted: ListenerWanted,
    reason: SocketError,
}

/// What has changed since the last look.
#[derive(Debug, Default)]
pub struct Arrived {
    /// Listeners that could be made now.
    pub listening: Vec<Listening>,
    /// Sentences on what is there now, and on what is wrong for another reason than before.
    pub news: Vec<Text>,
}

impl Arrived {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.listening.is_empty() && self.news.is_empty()
    }
}

impl Absent {
    /// Notes a wanted listener that could not be made, and why.
    pub(super) fn add_unbound(&mut self, which: usize, wanted: ListenerWanted, reason: SocketError) {
        self.unbound.push(Unbound { which, wanted, reason });
    }

    /// Notes the address of a listener, if no interface has it. A socket that stands on every address is never absent.
    pub(super) fn add_if_unreachable(&mut self, name: &str, place: &BoundAddress) {
        let BoundAddress::Tcp(address) = place else { return };
        if !is_on_an_interface(address.ip()) {
            self.unreachable.push((name.to_string(), *address));
        }
    }

    /// Whether nothing is absent (any more).
    pub fn is_empty(&self) -> bool {
        self.unbound.is_empty() && self.unreachable.is_empty()
    }

    /// How many sockets stand where nothing can reach them yet.
    pub(super) fn unreachable_count(&self) -> usize {
        self.unreachable.len()
    }

    /// The first of them as a reason not to start.
    pub(super) fn first_error(&self) -> Option<SocketError> {
        let unreachable = self.unreachable.iter().map(|(_, address)| address.to_string());
        let unbound = self.unbound.iter().map(|one| one.wanted.address.to_string());
        unreachable.chain(unbound).next().map(|address| SocketError::NothingThere { address })
    }

    /// A sentence for each.
    pub fn reasons(&self) -> Vec<Sentence> {
        let unbound =
            self.unbound.iter().map(|one| Sentence::of(|to| text_of_unbound(&one.wanted, &one.reason, to)));
        let unreachable = self.unreachable.iter().map(|(name, address)| {
            Sentence::open(i18n::sys::listener_waits_address_no(name, &address.ip(), address))
        });
        unbound.chain(unreachable).collect()
    }

    /// Looks whether something is there now. May wait for a resolver: not for a thread that has anything else to do.
    pub fn look(&mut self) -> Arrived {
        let mut arrived = Arrived::default();
        self.unreachable.retain(|(name, address)| {
            let there = is_on_an_interface(address.ip());
            if there {
                arrived.news.push(i18n::sys::listener_now(name, address));
            }
            !there
        });
        let mut later: Vec<Unbound> = Vec::new();
        for mut one in std::mem::take(&mut self.unbound) {
            let mut warnings: Vec<ListenerWarning> = Vec::new();
            match bind::bind(&one.wanted.address, &mut warnings) {
                Ok(bound) => {
                    arrived.news.push(i18n::sys::listener_now(&one.wanted.name, &one.wanted.address));
                    arrived.news.extend(warnings.iter().map(|one| Text::of(|lang| one.sentence(lang))));
                    for Bound { socket, place, file } in bound {
                        self.add_if_unreachable(&one.wanted.name, &place);
                        let stands = stand(one.which, one.wanted.name.clone(), socket, &place, false);
                        arrived.listening.push(Listening { file, ..stands });
                    }
                }
                Err(reason) => {
                    // Each new kind of failure is said once: the port may be taken by the time the name resolves.
                    if std::mem::discriminant(&reason) != std::mem::discriminant(&one.reason) {
                        arrived.news.push(text_of_unbound(&one.wanted, &reason, Audience::Own));
                    }
                    one.reason = reason;
                    later.push(one);
                }
            }
        }
        self.unbound = later;
        arrived
    }

    /// Goes on looking until nothing is absent or `tell` says false, less and less often. Blocks.
    pub fn watch(mut self, mut tell: impl FnMut(Arrived, Vec<Sentence>) -> bool) {
        let (mut wait, most) = LOOK_EVERY;
        while !self.is_empty() {
            std::thread::sleep(wait);
            let arrived = self.look();
            wait = if arrived.is_empty() { (wait * 2).min(most) } else { LOOK_EVERY.0 };
            if !arrived.is_empty() && !tell(arrived, self.reasons()) {
                return;
            }
        }
    }
}

/// Whether the failure may pass by itself: the address or the name is not there yet.
pub(super) fn may_come(error: &SocketError, address: &ListenAddress) -> bool {
    let by_address =
        matches!(error, SocketError::NotOurs { .. }) && !matches!(address, ListenAddress::Any(_));
    by_address || matches!(error, SocketError::Unresolvable { .. })
}

/// Whether the kernel lets an ordinary socket be bound there. Only EADDRNOTAVAIL says that no interface has the address.
fn is_on_an_interface(ip: IpAddr) -> bool {
    match UdpSocket::bind((ip, 0)) {
        Ok(_) => true,
        Err(error) => error.kind() != std::io::ErrorKind::AddrNotAvailable,
    }
}

/// Why is a matter of this machine: what runs there, and where.
fn text_of_unbound(wanted: &ListenerWanted, reason: &SocketError, to: Audience) -> Text {
    let name = &wanted.name;
    match to {
        Audience::Stranger => i18n::sys::listener_not_yet_tried(name),
        Audience::Own => {
            i18n::sys::listener_not_yet_tried_again(name, &Text::of(|lang| reason.sentence(lang)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;

    #[test]
    fn only_an_address_that_no_interface_has_is_absent() {
        let mut absent = Absent::default();
        for there in ["127.0.0.1:80", "0.0.0.0:80", "[::]:80"] {
            absent.add_if_unreachable("http", &BoundAddress::Tcp(there.parse().unwrap()));
        }
        assert!(absent.is_empty(), "{absent:?}");
        // TEST-NET-1 (RFC 5737): nobody's.
        absent.add_if_unreachable("http", &BoundAddress::Tcp("192.0.2.1:80".parse().unwrap()));
        for (lang, word) in [(Lang::En, "waits for its address"), (Lang::Zh, "等待它的地址")] {
            let reasons = absent.reasons();
            assert!(
                reasons.len() == 1
                    && reasons[0].own().say(lang).contains(word)
                    && reasons[0].told().say(lang).contains("192.0.2.1:80")
            );
        }
        assert!(absent.look().is_empty() && !absent.is_empty(), "it has not come");
    }

    #[test]
    fn a_name_is_tried_until_it_resolves_and_another_reason_is_said_once() {
        let wanted = ListenerWanted {
            name: "lan".into(),
            address: ListenAddress::Name("localhost".into(), 0),
            unasked: false,
        };
        let gone = || SocketError::Unresolvable { host: "localhost".into(), reason: "later".into() };
        let mut absent = Absent::default();
        absent.add_unbound(3, wanted.clone(), gone());
        let arrived = absent.look();
        assert!(absent.is_empty(), "{absent:?}");
        assert!(!arrived.listening.is_empty() && arrived.listening.iter().all(|one| one.wanted == 3));
        assert!(
            arrived.news[0].say(Lang::En).contains("lan: localhost:0 is there now"),
            "{:?}",
            arrived.news
        );

        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = ListenAddress::Ip(taken.local_addr().unwrap().ip(), taken.local_addr().unwrap().port());
        absent.add_unbound(0, ListenerWanted { address, ..wanted }, gone());
        let said = absent.look().news;
        assert!(said.len() == 1 && said[0].say(Lang::En).contains("in use"), "{said:?}");
        assert!(absent.look().is_empty(), "once");
        drop(taken);
        assert_eq!(absent.look().listening.len(), 1);
    }

    #[test]
    fn what_is_taken_or_forbidden_does_not_come_by_itself() {
        let ip = ListenAddress::Ip([192, 0, 2, 1].into(), 80);
        let not_ours = SocketError::NotOurs { address: "192.0.2.1:80".into() };
        assert!(may_come(&not_ours, &ip) && !may_come(&not_ours, &ListenAddress::Any(80)));
        let taken = SocketError::InUse { address: "192.0.2.1:80".into(), port: Some(80), holder: None };
        assert!(!may_come(&taken, &ip));
    }
}
