//! Who really sent a request that a trusted proxy passed on: `Forwarded` (RFC 7239) and `X-Forwarded-For`.
//!
//! Each proxy appends the address it got the request from. So the list is read from its end: as long as an address is
//! itself a trusted proxy, the one before it is believed; the first that is not is the client.

use crate::domain::access::covers;
use crate::domain::address::Peer;
use crate::wire::head::Facts;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Addresses in such a list that are looked at.
const HOPS_MAX: usize = 32;

/// Which peers may say on whose behalf they speak.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// By network.
    pub networks: Vec<IpNet>,
    /// Those that come through a unix socket.
    pub unix: bool,
}

impl Proxies {
    /// The address of the client that `peer` speaks for; `peer` itself where it is no trusted proxy or names nobody.
    pub fn client(&self, peer: Peer, facts: &Facts<'_>) -> Peer {
        let trusted = |peer: Peer| match peer {
            Peer::Ip(ip) => covers(&self.networks, ip),
            Peer::Unix => self.unix,
        };
        if !trusted(peer) {
            return peer;
        }
        let (lines, read): (_, fn(&str) -> Option<IpAddr>) = if facts.forwarded.as_slice().is_empty() {
            (facts.x_forwarded_for.as_slice(), address)
        } else {
            (facts.forwarded.as_slice(), forwarded_for)
        };
        let mut client = peer;
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(|b| *b == b','));
        for hop in hops.take(HOPS_MAX) {
            // What cannot be read (unknown, _hidden) hides all before it.
            let Some(ip) = std::str::from_utf8(hop).ok().and_then(read) else { break };
            client = Peer::from_ip(ip);
            if !trusted(client) {
                break;
            }
        }
        client
    }
}

/// The address in the `for=` of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| address(value.trim().trim_matches('"')))?
    })
}

/// An address with or without a port and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|a| a.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, headers: &[(&str, &str)]) -> String {
        let proxies = Proxies { networks: vec!["10.0.0.0/8".parse().unwrap()], unix: true };
        let facts = Facts::collect(headers.iter().map(|(n, v)| (*n, v.as_bytes()))).unwrap();
        let peer = peer.parse().map_or(Peer::Unix, Peer::from_ip);
        proxies.client(peer, &facts).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client("203.0.113.9", &[("x-forwarded-for", "1.2.3.4")]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "1.2.3.4")]), "1.2.3.4");
        assert_eq!(client("unix", &[("x-forwarded-for", "1.2.3.4")]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn the_last_untrusted_address_is_the_client() {
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.2")]), "1.2.3.4");
        let lines =
            [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4"), ("X-Forwarded-For", "10.9.9.9")];
        assert_eq!(client("10.0.0.1", &lines), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "10.0.0.3, 10.0.0.2")]), "10.0.0.3");
    }

    #[test]
    fn both_forms_are_read() {
        for (value, want) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("for=9.9.9.9, For=\"[2001:db8::17]:4711\"", "2001:db8::17"),
            ("for=\"1.2.3.4:80\"", "1.2.3.4"),
            ("for=unknown", "10.0.0.1"),
            ("for=1.2.3.4, for=_hidden", "10.0.0.1"),
            ("nonsense", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[("forwarded", value)]), want, "{value}");
        }
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "::ffff:1.2.3.4")]), "1.2.3.4");
    }
}
