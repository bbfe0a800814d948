//! Which inherited socket serves which wanted listener. Pure: names and addresses in, a plan out.
//!
//! The name decides: systemd's `FileDescriptorName=`, launchd's key under `Sockets`. A name that is not ours (a unit
//! without `FileDescriptorName=` passes the unit's name; a manager that passes none leaves "unknown") still has an
//! evident meaning when only one kind of listener was asked for. Anything else would be a guess, and is closed.

use super::error::ListenerWarning;
use super::listening::{ListenerWanted, Listening, Socket};
use crate::domain::address::ListenAddress;
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a socket really stands, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BoundAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
    /// A unix socket in the abstract namespace or without a name.
    Nameless(String),
}

impl BoundAddress {
    pub(super) fn port(&self) -> Option<u16> {
        match self {
            BoundAddress::Tcp(address) => Some(address.port()),
            BoundAddress::Unix(_) | BoundAddress::Nameless(_) => None,
        }
    }

    /// Whether a listener configured so could stand here. A name is not resolved for this: its port decides.
    fn answers(&self, address: &ListenAddress) -> bool {
        match (self, address) {
            (BoundAddress::Tcp(at), ListenAddress::Any(port)) => {
                at.port() == *port && at.ip().is_unspecified()
            }
            (BoundAddress::Tcp(at), ListenAddress::Ip(ip, port)) => {
                at.port() == *port && at.ip().to_canonical() == ip.to_canonical()
            }
            (BoundAddress::Tcp(at), ListenAddress::Name(_, port)) => at.port() == *port,
            (BoundAddress::Unix(at), ListenAddress::Unix(path)) => at == path,
            _ => false,
        }
    }
}

impl fmt::Display for BoundAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BoundAddress::Tcp(address) => address.fmt(f),
            BoundAddress::Unix(path) => write!(f, "unix:{}", path.display()),
            BoundAddress::Nameless(name) => write!(f, "unix:@{name}"),
        }
    }
}

/// What to do with the sockets on offer.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// For each offered socket, in order: the name of the listener it serves, or nothing.
    pub serves: Vec<Option<String>>,
    /// The wanted names that need no binding any more.
    pub replaced: BTreeSet<String>,
    /// One warning for each name whose inherited and configured addresses differ.
    pub differing: Vec<ListenerWarning>,
}

/// Makes the plan. Several sockets may serve one name: a socket unit with several `ListenStream=`, launchd's v4 and v6.
pub(super) fn assign(wanted: &[ListenerWanted], offered: &[(&str, &BoundAddress)]) -> Plan {
    let names: BTreeSet<&str> = wanted.iter().map(|w| w.name.as_str()).collect();
    let asked: BTreeSet<&str> = wanted.iter().filter(|w| !w.unasked).map(|w| w.name.as_str()).collect();
    let only = if asked.len() == 1 { asked.first().copied() } else { None };
    let mut plan = Plan::default();
    for (name, _) in offered {
        let serves = names.get(name).copied().or(only).map(str::to_owned);
        plan.replaced.extend(serves.clone());
        plan.serves.push(serves);
    }
    for name in &plan.replaced {
        let here: Vec<&BoundAddress> = offered
            .iter()
            .zip(&plan.serves)
            .filter(|(_, s)| s.as_ref() == Some(name))
            .map(|(o, _)| o.1)
            .collect();
        let configured: Vec<&ListenAddress> =
            wanted.iter().filter(|w| w.name == *name).map(|w| &w.address).collect();
        let same = here.iter().all(|p| configured.iter().any(|a| p.answers(a)))
            && configured.iter().all(|a| here.iter().any(|p| p.answers(a)));
        if !same {
            plan.differing.push(ListenerWarning::Differs {
                name: name.clone(),
                inherited: here.iter().map(ToString::to_string).collect(),
                configured: configured.iter().map(ToString::to_string).collect(),
            });
        }
    }
    plan
}

/// For each listener that the process before us had bound, which of the wanted ones goes on with it: one that no inherited
/// socket replaces and that would be bound just there. A name may go on with several, as it may be bound several times.
pub(super) fn go_on(
    wanted: &[ListenerWanted],
    replaced: &BTreeSet<String>,
    kept: &[&BoundAddress],
) -> Vec<Option<usize>> {
    let mut taken = BTreeSet::new();
    let mut plan = vec![None; kept.len()];
    // Who asks for an address comes before who asks for a name that may mean it.
    for names in [false, true] {
        for (place, use_of_it) in kept.iter().zip(&mut plan) {
            let fits = |(index, w): &(usize, &ListenerWanted)| {
                matches!(w.address, ListenAddress::Name(..)) == names
                    && !replaced.contains(&w.name)
                    && (names || !taken.contains(index))
                    && place.answers(&w.address)
            };
            if use_of_it.is_none() {
                *use_of_it = wanted.iter().enumerate().find(fits).map(|(index, _)| index);
                taken.extend(*use_of_it);
            }
        }
    }
    plan
}

/// Which of the wanted listeners of a name a socket at `place` serves: the one that is meant to stand there, else the
/// first of them.
pub(super) fn which(wanted: &[ListenerWanted], name: &str, place: &BoundAddress) -> usize {
    let named = || wanted.iter().enumerate().filter(|(_, w)| w.name == name);
    let there = named().find(|(_, w)| place.answers(&w.address));
    there.or_else(|| named().next()).map_or(0, |(index, _)| index)
}

/// A socket that stands at a place.
pub(super) fn stand(
    wanted: usize,
    name: String,
    socket: Socket,
    place: &BoundAddress,
    inherited: bool,
) -> Listening {
    Listening { name, wanted, socket, address: place.to_string(), port: place.port(), inherited, file: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(list: &[(&str, &str)]) -> Vec<ListenerWanted> {
        list.iter()
            .map(|(n, a)| ListenerWanted { name: (*n).into(), address: a.parse().unwrap(), unasked: false })
            .collect()
    }

    /// Runs the plan over `name address` pairs and writes it as one line of text.
    fn plan(want: &[(&str, &str)], offer: &[(&str, &str)]) -> String {
        let places: Vec<BoundAddress> = offer
            .iter()
            .map(|(_, at)| match at.strip_prefix("unix:") {
                Some(path) => BoundAddress::Unix(path.into()),
                None => BoundAddress::Tcp(at.parse().unwrap()),
            })
            .collect();
        let offered: Vec<_> = offer.iter().zip(&places).map(|((n, _), p)| (*n, p)).collect();
        let plan = assign(&wanted(want), &offered);
        let serves: Vec<_> = plan.serves.iter().map(|s| s.as_deref().unwrap_or("-")).collect();
        format!("{} / {} warnings", serves.join(" "), plan.differing.len())
    }

    const BOTH: &[(&str, &str)] = &[("http", "7777"), ("tcp", "7778")];

    #[test]
    fn of_several_listeners_with_one_name_the_one_meant_for_the_place_is_found() {
        let wanted = wanted(&[("http", "127.0.0.1:80"), ("http", "127.0.0.1:81"), ("tcp", "82")]);
        let at = |text: &str| BoundAddress::Tcp(text.parse().unwrap());
        assert_eq!(which(&wanted, "http", &at("127.0.0.1:81")), 1);
        assert_eq!(which(&wanted, "http", &at("10.0.0.1:9999")), 0, "stands elsewhere: the first");
        assert_eq!(which(&wanted, "tcp", &at("10.0.0.1:9999")), 2);
    }

    #[test]
    fn the_name_decides_whatever_the_order() {
        assert_eq!(plan(BOTH, &[("tcp", "[::]:7778"), ("http", "[::]:7777")]), "tcp http / 0 warnings");
        assert_eq!(plan(BOTH, &[("tcp", "[::]:7778")]), "tcp / 0 warnings");
        assert_eq!(plan(BOTH, &[]), " / 0 warnings");
    }

    #[test]
    fn a_listener_of_the_process_before_goes_on_only_where_it_would_be_bound_again() {
        let go_on = |want: &[(&str, &str)], replaced: &[&str], kept: &[&str]| {
            let places: Vec<BoundAddress> =
                kept.iter().map(|at| BoundAddress::Tcp(at.parse().unwrap())).collect();
            let replaced = replaced.iter().map(|name| (*name).to_string()).collect();
            super::go_on(&wanted(want), &replaced, &places.iter().collect::<Vec<_>>())
        };
        assert_eq!(go_on(BOTH, &[], &["[::]:7778", "[::]:7777"]), [Some(1), Some(0)]);
        assert_eq!(
            go_on(BOTH, &["http"], &["[::]:7778", "[::]:7777"]),
            [Some(1), None],
            "a socket unit has it"
        );
        assert_eq!(go_on(BOTH, &[], &["[::]:7779", "127.0.0.1:7777"]), [None, None], "now elsewhere");
        let mixed = &[("a", "localhost:80"), ("b", "127.0.0.1:80")];
        assert_eq!(go_on(mixed, &[], &["127.0.0.1:80", "[::1]:80"]), [Some(1), Some(0)]);
        assert_eq!(go_on(BOTH, &[], &["[::]:7777", "[::]:7777"]), [Some(0), None], "one is enough");
        let named = &[("a", "localhost:80")];
        assert_eq!(go_on(named, &[], &["127.0.0.1:80", "[::1]:80"]), [Some(0), Some(0)]);
    }

    #[test]
    fn several_sockets_may_share_a_name() {
        let offer = &[("http", "0.0.0.0:7777"), ("http", "[::]:7777"), ("http", "unix:/run/x")];
        assert_eq!(plan(&[("http", "7777"), ("http", "unix:/run/x")], offer), "http http http / 0 warnings");
    }

    #[test]
    fn a_strange_name_serves_the_only_listener_and_no_other() {
        for name in ["unknown", "heartbeat-server.socket", ""] {
            assert_eq!(plan(&[("http", "80")], &[(name, "[::]:80")]), "http / 0 warnings");
            assert_eq!(plan(BOTH, &[(name, "[::]:7777")]), "- / 0 warnings");
        }
        assert_eq!(plan(&[], &[("http", "[::]:80")]), "- / 0 warnings");
    }

    #[test]
    fn another_address_than_configured_is_one_warning_for_each_name() {
        for (configured, inherited, warnings) in [
            ("7777", "[::]:80", 1),
            ("7777", "127.0.0.1:7777", 1),
            ("127.0.0.1:7777", "[::]:7777", 1),
            ("127.0.0.1:7777", "127.0.0.1:7777", 0),
            ("127.0.0.1:7777", "[::ffff:127.0.0.1]:7777", 0),
            ("localhost:7777", "127.0.0.1:7777", 0),
            ("localhost:7777", "127.0.0.1:7778", 1),
            ("unix:/run/a", "unix:/run/a", 0),
            ("unix:/run/a", "unix:/run/b", 1),
            ("unix:/run/a", "[::]:7777", 1),
        ] {
            let got = plan(&[("http", configured)], &[("http", inherited)]);
            assert_eq!(got, format!("http / {warnings} warnings"), "{configured} {inherited}");
        }
        let two = &[("http", "127.0.0.1:81"), ("http", "[::]:80")];
        assert_eq!(plan(&[("http", "7777")], two), "http http / 1 warnings");
        // A configured address that nobody inherited is gone too: worth the same warning.
        assert_eq!(plan(&[("http", "80"), ("http", "81")], &[("http", "[::]:80")]), "http / 1 warnings");
    }
}
