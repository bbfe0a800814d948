//! Listening sockets: handed over by systemd or launchd, or bound here, always one list.
//!
//! [`inherit`] runs first of all, while there is one thread: it takes what the service manager hands over, by name, and
//! clears the environment of it. [`open`] then fits that to the listeners the configuration wants (`assign`, pure), goes
//! on with those that the process before this one had bound, and binds whatever is left (`bind`, `path`). All sockets come out
//! listening, non-blocking and closed on exec, so that the rest of the program cannot tell where one came from. What goes wrong is a sentence with an exit code (`error`),
//! which names the program in the way when the system tells (`holder`).

pub mod absent;
mod assign;
mod bind;
pub mod control;
mod error;
mod holder;
mod inherit;
pub mod keepalive;
mod listening;
mod path;

pub use error::SocketError;
pub use inherit::{Inherited, KEPT, inherit};
pub use listening::{ListenerWanted, Listening, Socket};
pub use path::SocketFile;

use crate::domain::limits::LISTENERS_MAX;
use crate::i18n::Text;
use absent::Absent;
use assign::{BoundAddress, stand};
use error::ListenerWarning;

/// What came of making the listeners.
#[derive(Debug, Default)]
pub struct Opened {
    /// Those that stand.
    pub listening: Vec<Listening>,
    /// What is odd, as sentences.
    pub warnings: Vec<Text>,
    /// What is not there yet.
    pub absent: Absent,
    /// How many of those that stand nobody asked for.
    unasked: usize,
}

impl Opened {
    /// Why there is nothing to listen on: whatever was asked for is not there yet. `None` as long as one thing is.
    pub fn nothing_there(&self) -> Option<SocketError> {
        let waits_in_vain = self.listening.len() <= self.absent.unreachable_count() + self.unasked;
        self.absent.first_error().filter(|_| waits_in_vain)
    }

    /// Looks once more for what is absent.
    pub fn look_again(&mut self) {
        let arrived = self.absent.look();
        self.listening.extend(arrived.listening);
        self.warnings.extend(arrived.news);
    }
}

/// Makes the listeners: an inherited socket replaces those of its name, the others go on from the process before this one where
/// they stand as configured, or are bound. `give_up` is called before that, when the manager keeps a listener for which
/// there is no use any more: as long as it does, the address cannot be bound.
///
/// The warnings: an inherited socket that stands elsewhere than configured (it wins), one that
/// nobody asked for (it is closed), one address of a name that could not be bound. A listener whose address or name is
/// not there yet is among the absent ones.
///
/// # Errors
/// The first listener that cannot be had for another reason; those already bound are closed again.
pub fn open(
    wanted: &[ListenerWanted],
    inherited: Inherited,
    give_up: impl FnOnce(),
) -> Result<Opened, SocketError> {
    let (mut listening, mut absent, mut unasked) = (Vec::new(), Absent::default(), 0);
    let mut warnings: Vec<ListenerWarning> = Vec::new();
    let (sockets, kept, unusable) = inherited.into_parts();
    warnings.extend(unusable);

    let offered: Vec<_> = sockets.iter().map(|s| (s.name.as_str(), &s.place)).collect();
    let plan = assign::assign(wanted, &offered);
    warnings.extend(plan.differing);
    for (socket, name) in sockets.into_iter().zip(plan.serves) {
        match name {
            Some(name) => {
                let which = assign::which(wanted, &name, &socket.place);
                listening.push(stand(which, name, socket.socket, &socket.place, true));
            }
            None => warnings
                .push(ListenerWarning::Unwanted { name: socket.name, address: socket.place.to_string() }),
        }
    }
    let places: Vec<&BoundAddress> = kept.iter().map(|one| &one.place).collect();
    let goes_on = assign::go_on(wanted, &plan.replaced, &places);
    if goes_on.iter().any(Option::is_none) {
        give_up();
    }
    let mut standing = vec![false; wanted.len()];
    for (one, which) in kept.into_iter().zip(goes_on) {
        let Some((which, at)) = which.and_then(|which| Some((which, wanted.get(which)?))) else { continue };
        standing[which] = true;
        absent.add_if_unreachable(&at.name, &one.place);
        unasked += usize::from(at.unasked);
        listening.push(stand(which, at.name.clone(), one.socket, &one.place, false));
    }
    let missing =
        |(which, w): &(usize, &ListenerWanted)| !plan.replaced.contains(&w.name) && !standing[*which];
    for (which, wanted) in wanted.iter().enumerate().filter(missing) {
        let bound = match bind::bind(&wanted.address, &mut warnings) {
            Err(error) if wanted.unasked => {
                warnings
                    .push(ListenerWarning::DoneWithout { name: wanted.name.clone(), error: Box::new(error) });
                continue;
            }
            Err(error) if absent::may_come(&error, &wanted.address) => {
                absent.add_unbound(which, wanted.clone(), error);
                continue;
            }
            bound => bound?,
        };
        for bound in bound {
            absent.add_if_unreachable(&wanted.name, &bound.place);
            unasked += usize::from(wanted.unasked);
            let mut one = stand(which, wanted.name.clone(), bound.socket, &bound.place, false);
            one.file = bound.file;
            listening.push(one);
        }
    }
    if listening.len() > LISTENERS_MAX {
        return Err(SocketError::TooMany { count: listening.len() });
    }
    let warnings = warnings.iter().map(|warning| Text::of(|lang| warning.sentence(lang))).collect();
    Ok(Opened { listening, warnings, absent, unasked })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::address::ListenAddress;
    use crate::domain::lang::Lang;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};

    fn wanted(name: &str, address: ListenAddress) -> ListenerWanted {
        ListenerWanted { name: name.into(), address, unasked: false }
    }

    fn talk(listening: &Listening, at: impl std::net::ToSocketAddrs) {
        let mut client = TcpStream::connect(at).unwrap();
        client.write_all(b"x").unwrap();
        let Socket::Tcp(listener) = &listening.socket else { panic!("a TCP socket was asked for") };
        // The connection is complete when connect returns, so a non-blocking accept finds it.
        let (mut server, _) = listener.accept().unwrap();
        server.set_nonblocking(false).unwrap();
        let mut byte = [0];
        server.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
    }

    #[test]
    fn a_bare_port_answers_both_families() {
        let Opened { listening: all, warnings, .. } =
            open(&[wanted("http", ListenAddress::Any(0))], Inherited::none(), || ()).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        let [one] = &all[..] else { panic!("{all:?}") };
        let port = one.port.unwrap();
        assert!(port != 0 && !one.inherited);
        talk(one, (Ipv4Addr::LOCALHOST, port));
        if one.address.starts_with("[::]") {
            talk(one, (Ipv6Addr::LOCALHOST, port));
        } else {
            assert_eq!(one.address, format!("0.0.0.0:{port}"));
        }
    }

    #[test]
    fn sockets_do_not_block_and_are_closed_on_exec() {
        let address = ListenAddress::Ip(Ipv4Addr::LOCALHOST.into(), 0);
        let all = open(&[wanted("http", address)], Inherited::none(), || ()).unwrap().listening;
        let Socket::Tcp(listener) = &all[0].socket else { panic!("{all:?}") };
        assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        let flags = nix::fcntl::fcntl(listener, nix::fcntl::FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags & nix::libc::FD_CLOEXEC, nix::libc::FD_CLOEXEC);
    }

    #[test]
    fn what_nobody_asked_for_is_done_without_where_its_port_is_taken() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let address = ListenAddress::Ip(Ipv4Addr::LOCALHOST.into(), port);
        let wanted = ListenerWanted { unasked: true, ..wanted("tcp", address) };
        let Opened { listening, warnings, .. } = open(&[wanted], Inherited::none(), || ()).unwrap();
        assert!(listening.is_empty());
        assert!(warnings[0].say(Lang::En).contains("going on without the listener tcp"), "{warnings:?}");
        assert!(warnings[0].say(Lang::En).contains(&format!("127.0.0.1:{port}")), "{warnings:?}");
    }

    #[test]
    fn a_port_that_is_taken_names_the_program_that_has_it() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let address = ListenAddress::Ip(Ipv4Addr::LOCALHOST.into(), port);
        let error = open(&[wanted("http", address)], Inherited::none(), || ()).unwrap_err();
        assert_eq!(error.exit_code(), 69);
        let sentence = error.sentence(Lang::En);
        assert!(sentence.contains(&format!("127.0.0.1:{port}")), "{sentence}");
        if cfg!(target_os = "linux") {
            assert!(sentence.contains(&format!("pid {}", std::process::id())), "{sentence}");
        }
    }

    #[test]
    fn with_one_of_two_addresses_missing_the_other_is_served_and_the_missing_one_named() {
        // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
        let absent = ListenAddress::Ip(Ipv4Addr::new(192, 0, 2, 1).into(), 7777);
        let name = ListenAddress::Name("heartbeat.invalid".into(), 7777);
        let here = ListenAddress::Ip(Ipv4Addr::LOCALHOST.into(), 0);
        let all = [wanted("far", absent.clone()), wanted("name", name.clone()), wanted("near", here)];
        let opened = open(&all, Inherited::none(), || ()).unwrap();
        assert!(opened.nothing_there().is_none());
        assert!(
            opened.listening.iter().any(|one| one.name == "near" && one.address.starts_with("127.0.0.1:"))
        );
        let reasons = opened.absent.reasons();
        let reasons: String =
            reasons.iter().map(|reason| format!("{}\n", reason.own().say(Lang::En))).collect();
        assert!(reasons.contains("192.0.2.1") && reasons.contains("heartbeat.invalid"), "{reasons}");
        assert!(!reasons.contains("127.0.0.1"), "{reasons}");
        if cfg!(target_os = "linux") {
            assert_eq!(opened.listening.len(), 2, "IP_FREEBIND has it stand already: {opened:?}");
        }
        drop(opened);
        for none in [absent, name] {
            let unasked = ListenerWanted { unasked: true, ..wanted("tcp", ListenAddress::Any(0)) };
            let opened = open(&[wanted("http", none), unasked], Inherited::none(), || ()).unwrap();
            let error = opened.nothing_there().expect("what nobody asked for does not count");
            assert_eq!(error.exit_code(), 75, "the unit starts it again");
        }
    }

    #[test]
    fn a_name_stands_on_what_it_resolves_to() {
        let name = ListenAddress::Name("localhost".into(), 0);
        let all = open(&[wanted("http", name)], Inherited::none(), || ()).unwrap().listening;
        assert!(!all.is_empty());
        for one in &all {
            assert!(one.address.starts_with("127.") || one.address.starts_with("[::1]"), "{}", one.address);
        }
    }
}
