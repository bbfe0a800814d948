//! Addresses: where a listener stands, and where a beat came from.

use crate::i18n::ParseError;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

/// A listening address as a person writes it: `7777`, `host:7777`, `[v6]:7777` or `unix:/path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// A port on every address: `[::]` answering IPv4 too, `0.0.0.0` where there is no IPv6.
    Any(u16),
    /// A literal address.
    Ip(IpAddr, u16),
    /// A name still to be resolved.
    Name(String, u16),
    /// A unix socket.
    Unix(PathBuf),
}

/// What is spoken at a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// The dialects of raw TCP.
    Tcp,
}

impl Protocol {
    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Tcp => "tcp",
        }
    }
}

impl FromStr for Protocol {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Protocol, ParseError> {
        let known = [Protocol::Http, Protocol::Tcp].into_iter().find(|protocol| protocol.name() == text);
        known.ok_or(ParseError::NotProtocol)
    }
}

impl ListenAddress {
    /// The TCP port, if it has one.
    pub fn port(&self) -> Option<u16> {
        match self {
            ListenAddress::Any(port) | ListenAddress::Ip(_, port) | ListenAddress::Name(_, port) => {
                Some(*port)
            }
            ListenAddress::Unix(_) => None,
        }
    }
}

impl FromStr for ListenAddress {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<ListenAddress, ParseError> {
        const FORMS: ParseError = ParseError::NotAddress;
        const PORT: ParseError = ParseError::NotPort;
        let port = |p: &str| {
            let digits = !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit());
            p.parse::<u16>().ok().filter(|p| digits && *p != 0).ok_or(PORT)
        };
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(ParseError::NoUnixPath),
                p if p.len() > 107 => Err(ParseError::LongUnixPath),
                p if p.contains('\0') => Err(ParseError::NulInPath),
                p => Ok(ListenAddress::Unix(p.into())),
            };
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (host, p) = rest.split_once("]:").ok_or(FORMS)?;
            let ip: Ipv6Addr = host.parse().map_err(|_| ParseError::NotIpv6InBrackets)?;
            return Ok(ListenAddress::Ip(ip.into(), port(p)?));
        }
        match text.rsplit_once(':') {
            None if text.bytes().all(|b| b.is_ascii_digit()) => port(text).map(ListenAddress::Any),
            None => Err(FORMS),
            Some((host, _)) if host.contains(':') => Err(ParseError::Ipv6NeedsBrackets),
            Some(("" | "*", p)) => port(p).map(ListenAddress::Any),
            Some((host, p)) if host.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
                let ip: Ipv4Addr = host.parse().map_err(|_| ParseError::NotIpv4)?;
                Ok(ListenAddress::Ip(ip.into(), port(p)?))
            }
            Some((host, p)) => {
                let fits = host.len() <= 253
                    && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
                if fits { Ok(ListenAddress::Name(host.into(), port(p)?)) } else { Err(FORMS) }
            }
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Any(port) => write!(f, "{port}"),
            ListenAddress::Ip(IpAddr::V6(ip), port) => write!(f, "[{ip}]:{port}"),
            ListenAddress::Ip(ip, port) => write!(f, "{ip}:{port}"),
            ListenAddress::Name(host, port) => write!(f, "{host}:{port}"),
            ListenAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Where a request came from, in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// A network address; never an IPv4-mapped IPv6 one.
    Ip(IpAddr),
    /// A unix socket of this machine.
    Unix,
}

impl Peer {
    /// A network peer, with `::ffff:a.b.c.d` made `a.b.c.d`.
    pub fn from_ip(ip: IpAddr) -> Peer {
        Peer::Ip(ip.to_canonical())
    }

    /// The host that per-address limits count by: an IPv4 address, an IPv6 /64, which one host can fill alone, or this
    /// machine, by whatever of its addresses.
    pub fn host(self) -> Peer {
        match self {
            Peer::Ip(ip) if ip.is_loopback() => Peer::Unix,
            Peer::Ip(IpAddr::V6(v6)) => Peer::Ip(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into()),
            other => other,
        }
    }

    /// True for this machine itself, which the per-address limits do not bind while there is room.
    pub fn is_local(self) -> bool {
        match self {
            Peer::Ip(ip) => ip.is_loopback(),
            Peer::Unix => true,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Ip(ip) => ip.fmt(f),
            Peer::Unix => f.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_addresses_are_read_as_people_write_them() {
        for (text, want) in [
            ("7777", ListenAddress::Any(7777)),
            (":7777", ListenAddress::Any(7777)),
            ("*:80", ListenAddress::Any(80)),
            ("127.0.0.1:7777", ListenAddress::Ip(Ipv4Addr::LOCALHOST.into(), 7777)),
            ("[::1]:7777", ListenAddress::Ip(Ipv6Addr::LOCALHOST.into(), 7777)),
            ("localhost:7777", ListenAddress::Name("localhost".into(), 7777)),
            ("unix:/run/x.sock", ListenAddress::Unix("/run/x.sock".into())),
        ] {
            assert_eq!(text.parse(), Ok(want), "{text}");
        }
    }

    #[test]
    fn wrong_addresses_say_what_to_write() {
        for text in [
            "",
            "x",
            "0",
            "65536",
            "1.2.3:80",
            "1.2.3.4.5:80",
            "::1:80",
            "[::1]",
            "[::1]:",
            "[x]:80",
            "a b:80",
            "unix:",
            "host:",
            "+80",
            "host:+80",
        ] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn mapped_addresses_are_canonical() -> Result<(), std::net::AddrParseError> {
        assert_eq!(Peer::from_ip("::ffff:127.0.0.1".parse()?).to_string(), "127.0.0.1");
        assert!(Peer::from_ip("::ffff:127.0.0.1".parse()?).is_local());
        Ok(())
    }

    #[test]
    fn addresses_and_protocols_are_written_as_they_are_read() {
        for (text, port) in [
            ("7777", Some(7777)),
            ("10.0.0.1:80", Some(80)),
            ("[::1]:7777", Some(7777)),
            ("host.example:1", Some(1)),
            ("unix:/run/h.sock", None),
        ] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.port()), (text, port));
        }
        assert_eq!("http".parse(), Ok(Protocol::Http));
        assert_eq!("tcp".parse(), Ok(Protocol::Tcp));
        assert_eq!("udp".parse::<Protocol>(), Err(ParseError::NotProtocol));
    }
}
