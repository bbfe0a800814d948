//! Who really sent a request that a trusted proxy passed on.
//!
//! One header is read, the one that the listener is configured for; the others are as good as absent, because a proxy
//! hands through what a client wrote into them. Each proxy appends the address it got the request from. So the list is
//! read from its end: as long as an address is itself a trusted proxy, the one before it is believed; the first that is
//! not is the client. What cannot be read there is refused: to take the proxy for the client instead would give a
//! stranger the rights of this machine. The PROXY protocol says it once for a connection, see `proxy_protocol`.

use crate::domain::access::covers;
use crate::domain::address::Peer;
use crate::i18n::ParseError;
use crate::wire::head::Facts;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Pairs of one element of `Forwarded`, of which four are defined; one with more cannot be read.
const PAIRS_MAX: usize = 8;
/// Addresses in such a list that are looked at; more in one chain of trusted proxies is refused.
const HOPS_MAX: usize = 32;

/// Where a proxy writes who its client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyHeader {
    /// The configuration does not say: X-Forwarded-For. A request with Forwarded alone, which older versions believed, is
    /// refused rather than taken for the proxy's own.
    #[default]
    Unsaid,
    /// `X-Forwarded-For`, which nearly every proxy knows.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Real-IP`: one address.
    XRealIp,
    /// Before everything else that the connection carries: the PROXY protocol, version 1 or 2.
    ProxyProtocol,
}

impl ProxyHeader {
    /// Those that can be configured.
    pub const ALL: [ProxyHeader; 4] = [
        ProxyHeader::XForwardedFor,
        ProxyHeader::Forwarded,
        ProxyHeader::XRealIp,
        ProxyHeader::ProxyProtocol,
    ];

    /// As the configuration writes it; what it means where that does not say.
    pub fn name(self) -> &'static str {
        match self {
            ProxyHeader::Unsaid | ProxyHeader::XForwardedFor => "x-forwarded-for",
            ProxyHeader::Forwarded => "forwarded",
            ProxyHeader::XRealIp => "x-real-ip",
            ProxyHeader::ProxyProtocol => "proxy-protocol",
        }
    }
}

impl FromStr for ProxyHeader {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<ProxyHeader, ParseError> {
        let known = ProxyHeader::ALL.into_iter().find(|header| header.name() == text);
        known.ok_or(ParseError::NotProxyHeader)
    }
}

/// Which peers may say on whose behalf they speak, and how they do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// By network.
    pub networks: Vec<IpNet>,
    /// Those that come through a unix socket.
    pub unix: bool,
    /// Where they say it.
    pub header: ProxyHeader,
}

/// Why it is unknown who sent a request: what a trusted proxy says of it cannot be read. A sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

impl Proxies {
    /// Whether a peer may say on whose behalf it speaks.
    pub fn trusts(&self, peer: Peer) -> bool {
        match peer {
            Peer::Ip(ip) => covers(&self.networks, ip),
            Peer::Unix => self.unix,
        }
    }

    /// Whether a peer begins its connections with a header of the PROXY protocol.
    pub fn announces(&self, peer: Peer) -> bool {
        self.header == ProxyHeader::ProxyProtocol && self.trusts(peer)
    }

    /// Whether each request of a peer may be another client's.
    pub fn relays(&self, peer: Peer) -> bool {
        self.header != ProxyHeader::ProxyProtocol && self.trusts(peer)
    }

    /// The address of the client that `peer` speaks for; `peer` itself where it is no trusted proxy or says nothing.
    ///
    /// # Errors
    /// A trusted proxy says something that cannot be read: a reason for 400.
    pub fn client(&self, peer: Peer, facts: &Facts<'_>) -> Result<Peer, Unreadable> {
        if self.networks.is_empty() && !self.unix {
            return Ok(peer);
        }
        match self.header {
            ProxyHeader::ProxyProtocol => Ok(peer),
            _ if !self.trusts(peer) => Ok(peer),
            ProxyHeader::XForwardedFor => self.last_untrusted(peer, facts.x_forwarded_for.as_slice(), false),
            ProxyHeader::Forwarded => self.last_untrusted(peer, facts.forwarded.as_slice(), true),
            ProxyHeader::XRealIp => match facts.x_real_ip.as_slice() {
                [] => Ok(peer),
                [line] => {
                    let ip = std::str::from_utf8(line).ok().and_then(address);
                    ip.map(Peer::from_ip).ok_or(Unreadable("X-Real-IP from the proxy is not an address"))
                }
                _ => Err(Unreadable("the proxy sent more than one X-Real-IP header")),
            },
            ProxyHeader::Unsaid => {
                let (theirs, other) = (facts.x_forwarded_for.as_slice(), facts.forwarded.as_slice());
                if theirs.is_empty() && !other.is_empty() {
                    return Err(Unreadable(
                        "the proxy sent Forwarded and no X-Forwarded-For: set listen.proxy_header to the one that it sets",
                    ));
                }
                self.last_untrusted(peer, theirs, false)
            }
        }
    }

    fn last_untrusted(&self, peer: Peer, lines: &[&[u8]], forwarded: bool) -> Result<Peer, Unreadable> {
        let mut client = peer;
        let mut hops = 0;
        for line in lines.iter().rev() {
            let mut rest = *line;
            loop {
                let (before, hop) = last_element(rest, forwarded)?;
                let text = std::str::from_utf8(hop).ok();
                let ip = if forwarded { text.and_then(forwarded_for) } else { text.and_then(address) };
                let Some(ip) = ip else {
                    return Err(if forwarded {
                        Unreadable("Forwarded from the proxy does not end with the address of a client")
                    } else {
                        Unreadable("X-Forwarded-For from the proxy does not end with the address of a client")
                    });
                };
                client = Peer::from_ip(ip);
                hops += 1;
                if !self.trusts(client) {
                    return Ok(client);
                }
                if hops == HOPS_MAX {
                    return Err(Unreadable("the request passed more than 32 proxies"));
                }
                match before {
                    Some(before) => rest = before,
                    None => break,
                }
            }
        }
        Ok(client)
    }
}

/// The last element of a list, and what stands before it. Commas inside of a quoted string (RFC 9110 5.6.4), which only
/// `Forwarded` has, separate nothing: a client chooses what stands in `host="…"`.
fn last_element(list: &[u8], quoted: bool) -> Result<(Option<&[u8]>, &[u8]), Unreadable> {
    let at = if quoted {
        separators(list, b',')
            .map_err(|()| Unreadable("Forwarded from the proxy has a quote that does not end"))?
            .map(|(_, last)| last)
    } else {
        list.iter().rposition(|byte| *byte == b',')
    };
    Ok(match at {
        Some(at) => (Some(&list[..at]), &list[at + 1..]),
        None => (None, list),
    })
}

/// The places of the first and the last `separator` that are in no quoted string. An error when a string does not end.
fn separators(list: &[u8], separator: u8) -> Result<Option<(usize, usize)>, ()> {
    let (mut ends, mut in_string, mut escaped) = (None, false, false);
    for (at, byte) in list.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if !in_string && *byte == separator => ends = Some((ends.map_or(at, |(first, _)| first), at)),
            _ => {}
        }
    }
    if in_string { Err(()) } else { Ok(ends) }
}

/// The first element of a line of `Forwarded`; `None` where it cannot be read.
pub(super) fn first_element(line: &[u8]) -> Option<&str> {
    let end = separators(line, b',').ok()?.map_or(line.len(), |(first, _)| first);
    std::str::from_utf8(&line[..end]).ok()
}

/// The value of a parameter of one element of `Forwarded`, without quotes; an error where the element cannot be read, or
/// has it twice, which has no meaning (RFC 7239 4).
pub(super) fn parameter<'a>(element: &'a str, wanted: &str) -> Result<Option<&'a str>, ()> {
    let mut rest = element;
    let mut found = None;
    for _ in 0..PAIRS_MAX {
        let end = separators(rest.as_bytes(), b';')?.map(|(first, _)| first);
        let (pair, behind) = match end {
            Some(end) => (&rest[..end], Some(&rest[end + 1..])),
            None => (rest, None),
        };
        let named = pair.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        if let Some((_, value)) = named {
            let value = value.trim();
            let bare = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
            if found.replace(bare).is_some() {
                return Err(());
            }
        }
        match behind {
            Some(behind) => rest = behind,
            None => return Ok(found),
        }
    }
    Err(())
}

/// The address in the one `for=` of an element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    parameter(element, "for").ok().flatten().and_then(address)
}

/// An address with or without a port and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches([' ', '\t']);
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|a| a.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_by(header: ProxyHeader, peer: &str, headers: &[(&str, &str)]) -> String {
        let proxies = Proxies { networks: vec!["10.0.0.0/8".parse().unwrap()], unix: true, header };
        let facts = Facts::collect(headers.iter().map(|(n, v)| (*n, v.as_bytes()))).unwrap();
        let peer = peer.parse().map_or(Peer::Unix, Peer::from_ip);
        proxies.client(peer, &facts).map_or("refused".into(), |client| client.to_string())
    }

    fn client(peer: &str, headers: &[(&str, &str)]) -> String {
        client_by(ProxyHeader::XForwardedFor, peer, headers)
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client("203.0.113.9", &[("x-forwarded-for", "1.2.3.4")]), "203.0.113.9");
        assert_eq!(client("203.0.113.9", &[("x-forwarded-for", "nonsense")]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "1.2.3.4")]), "1.2.3.4");
        assert_eq!(client("unix", &[("x-forwarded-for", "1.2.3.4")]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn the_last_untrusted_address_is_the_client() {
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.2")]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "nonsense, 1.2.3.4, 10.0.0.2")]), "1.2.3.4");
        let lines =
            [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4"), ("X-Forwarded-For", "10.9.9.9")];
        assert_eq!(client("10.0.0.1", &lines), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "10.0.0.3, 10.0.0.2")]), "10.0.0.3");
        let long = "10.0.0.2, ".repeat(40) + "10.0.0.2";
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", &long)]), "refused");
    }

    #[test]
    fn each_listener_reads_one_header_and_no_other() {
        use ProxyHeader::*;
        let all = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=2.2.2.2"), ("x-real-ip", "3.3.3.3")];
        for (header, want) in [
            (Unsaid, "1.1.1.1"),
            (XForwardedFor, "1.1.1.1"),
            (Forwarded, "2.2.2.2"),
            (XRealIp, "3.3.3.3"),
            (ProxyProtocol, "10.0.0.1"),
        ] {
            assert_eq!(client_by(header, "10.0.0.1", &all), want, "{header:?}");
            assert_eq!(client_by(header, "203.0.113.9", &all), "203.0.113.9", "{header:?}");
            for other in all.iter().filter(|(name, _)| *name != header.name()) {
                let alone = client_by(header, "10.0.0.1", &[*other]);
                let want = if header == Unsaid && other.0 == "forwarded" { "refused" } else { "10.0.0.1" };
                assert_eq!(alone, want, "{header:?} is not said by {}", other.0);
            }
        }
    }

    #[test]
    fn what_a_proxy_says_and_cannot_be_read_is_refused() {
        for value in
            ["", "nonsense", "1.2.3.4, ", "1.2.3.4, unknown", "1.2.3.4, _hidden", "1.2.3.4 5.6.7.8", "1.2.3"]
        {
            assert_eq!(client("10.0.0.1", &[("x-forwarded-for", value)]), "refused", "{value}");
        }
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "::ffff:1.2.3.4")]), "1.2.3.4");
        let real = |lines: &[(&str, &str)]| client_by(ProxyHeader::XRealIp, "10.0.0.1", lines);
        assert_eq!(real(&[("x-real-ip", "fd00::7")]), "fd00::7");
        for lines in
            [&[("x-real-ip", "1.2.3.4, 5.6.7.8")][..], &[("x-real-ip", "1.2.3.4"), ("x-real-ip", "1.2.3.4")]]
        {
            assert_eq!(real(lines), "refused", "{lines:?}");
        }
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_says() {
        for (value, want) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("for=9.9.9.9, For=\"[2001:db8::17]:4711\"", "2001:db8::17"),
            ("for=\"1.2.3.4:80\"", "1.2.3.4"),
            ("proto=https;host=\"a, for=10.0.0.9;b\";for=1.2.3.4", "1.2.3.4"),
            ("for=1.2.3.4;host=\"x\\\", for=10.0.0.9\"", "1.2.3.4"),
            ("for=unknown", "refused"),
            ("for=1.2.3.4, for=_hidden", "refused"),
            ("for=1.2.3.4, proto=http", "refused"),
            ("for=1.2.3.4;for=10.0.0.9", "refused"),
            ("for=1.2.3.4;host=\"a, for=10.0.0.9", "refused"),
            ("nonsense", "refused"),
            ("", "refused"),
        ] {
            assert_eq!(
                client_by(ProxyHeader::Forwarded, "10.0.0.1", &[("forwarded", value)]),
                want,
                "{value}"
            );
        }
    }
}
