//! The PROXY protocol: what a proxy says of its client before the first byte of a connection, as text (version 1) or
//! binary (version 2). <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>
//!
//! Only a trusted proxy is listened to, and it must say it: without a header, or with one that cannot be read, the
//! connection is refused, as nobody knows whose it is.

use crate::domain::limits::PROXY_HEADER_BYTES_MAX;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest header of version 1, its end of line included (section 2.1).
const V1_BYTES_MAX: usize = 107;
const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const V2_BYTES: usize = 16;

/// What the beginning of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyOpening {
    /// More bytes will tell.
    Partial,
    /// A whole header.
    Header {
        /// Its length.
        bytes: usize,
        /// Whose connection it is; `None`: the proxy's own, which looks whether we live.
        client: Option<IpAddr>,
    },
    /// None at all, or one that says nothing that can be believed.
    Wrong(&'static str),
}

/// Looks at the beginning of a connection.
pub fn read(bytes: &[u8]) -> ProxyOpening {
    let begins = |signature: &[u8]| {
        let seen = bytes.len().min(signature.len());
        bytes[..seen] == signature[..seen]
    };
    match (begins(V1), begins(V2)) {
        (true, _) => text(bytes),
        (_, true) => binary(bytes),
        _ => ProxyOpening::Wrong("no header of the PROXY protocol"),
    }
}

/// Version 1: `PROXY TCP4 SOURCE DESTINATION PORT PORT\r\n`.
fn text(bytes: &[u8]) -> ProxyOpening {
    let head = &bytes[..bytes.len().min(V1_BYTES_MAX)];
    let Some(end) = head.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < V1_BYTES_MAX {
            ProxyOpening::Partial
        } else {
            ProxyOpening::Wrong("the line is too long")
        };
    };
    let client = std::str::from_utf8(&head[..end]).ok().and_then(|line| {
        let mut words = line.split(' ').skip(1);
        let family = words.next()?;
        if family == "UNKNOWN" {
            return Some(None);
        }
        let (from, to): (IpAddr, IpAddr) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let ports = [words.next()?, words.next()?];
        let is_port = |port: &&str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
        let fits = match family {
            "TCP4" => from.is_ipv4() && to.is_ipv4(),
            "TCP6" => from.is_ipv6() && to.is_ipv6(),
            _ => false,
        };
        (fits && ports.iter().all(is_port) && words.next().is_none()).then_some(Some(from))
    });
    match client {
        Some(client) => ProxyOpening::Header { bytes: end + 2, client },
        None => ProxyOpening::Wrong("the line cannot be read"),
    }
}

/// Version 2: signature, command, family, length, addresses, and more that is passed over.
fn binary(bytes: &[u8]) -> ProxyOpening {
    let Some(head) = bytes.get(..V2_BYTES) else { return ProxyOpening::Partial };
    let (command, family) = (head[12], head[13]);
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    let whole = V2_BYTES + length;
    if command >> 4 != 2 || command & 0xf > 1 {
        return ProxyOpening::Wrong("neither version 2 nor a command of it");
    }
    if whole > PROXY_HEADER_BYTES_MAX {
        return ProxyOpening::Wrong("the header is too long");
    }
    let local = command & 0xf == 0;
    let (addresses_bytes, is_v6) = match family {
        _ if local => (0, false),
        // Over a transport that the proxy does not name it speaks for itself (section 2.2, AF_UNSPEC).
        0x00 => (0, false),
        0x11 => (12, false),
        0x21 => (36, true),
        _ => return ProxyOpening::Wrong("not a TCP connection over IPv4 or IPv6"),
    };
    if length < addresses_bytes {
        return ProxyOpening::Wrong("the addresses are cut off");
    }
    let Some(rest) = bytes.get(V2_BYTES..whole) else { return ProxyOpening::Partial };
    let client = match (addresses_bytes, is_v6) {
        (0, _) => None,
        (_, false) => rest.first_chunk::<4>().map(|octets| IpAddr::from(Ipv4Addr::from(*octets))),
        (_, true) => rest.first_chunk::<16>().map(|octets| IpAddr::from(Ipv6Addr::from(*octets))),
    };
    ProxyOpening::Header { bytes: whole, client }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2, &[command, family], &length, rest].concat()
    }

    fn client(bytes: &[u8]) -> Option<Option<IpAddr>> {
        match read(bytes) {
            ProxyOpening::Header { bytes: used, client } => {
                assert!(used <= bytes.len());
                Some(client)
            }
            _ => None,
        }
    }

    #[test]
    fn both_versions_name_the_client() {
        let ip = |text: &str| Some(Some(text.parse().unwrap()));
        assert_eq!(client(b"PROXY TCP4 1.2.3.4 10.0.0.1 4711 7777\r\nPING\n"), ip("1.2.3.4"));
        assert_eq!(client(b"PROXY TCP6 fd00::7 fd00::1 4711 7777\r\n"), ip("fd00::7"));
        assert_eq!(client(b"PROXY UNKNOWN\r\n"), Some(None));
        assert_eq!(client(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), Some(None));
        assert_eq!(client(&v2(0x21, 0x11, &[1, 2, 3, 4, 10, 0, 0, 1, 0, 80, 0, 81])), ip("1.2.3.4"));
        let mut six = [0; 40];
        six[..16].copy_from_slice(&"fd00::7".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(client(&v2(0x21, 0x21, &six)), ip("fd00::7"), "what follows the addresses is passed over");
        assert_eq!(client(&v2(0x20, 0x11, &[])), Some(None), "LOCAL: the proxy itself");
        assert_eq!(client(&v2(0x21, 0x00, &[9; 7])), Some(None));
    }

    #[test]
    fn whatever_is_no_header_is_refused() {
        for wrong in [
            &b"POST / HTTP/1.1\r\n"[..],
            b"\0",
            b"PROXX",
            b"PROXY TCP4 1.2.3.4 10.0.0.1 4711\r\n",
            b"PROXY TCP4 1.2.3.4 10.0.0.1 4711 7777 8\r\n",
            b"PROXY TCP4 1.2.3.4 10.0.0.1 4711 77777\r\n",
            b"PROXY TCP4 1.2.3.4 10.0.0.1 +4 7777\r\n",
            b"PROXY TCP4 fd00::1 fd00::2 1 2\r\n",
            b"PROXY TCP6 1.2.3.4 10.0.0.1 1 2\r\n",
            b"PROXY TCP4  1.2.3.4 10.0.0.1 1 2\r\n",
            b"PROXY UDP4 1.2.3.4 10.0.0.1 1 2\r\n",
            b"PROXY \r\n",
        ] {
            assert!(matches!(read(wrong), ProxyOpening::Wrong(_)), "{}", String::from_utf8_lossy(wrong));
        }
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        assert!(matches!(read(&long), ProxyOpening::Wrong(_)));
        for (command, family, rest) in [
            (0x31, 0x11, 12),
            (0x22, 0x11, 12),
            (0x21, 0x12, 12),
            (0x21, 0x31, 216),
            (0x21, 0x11, 11),
            (0x21, 0x11, 60_000),
        ] {
            let bytes = v2(command, family, &vec![0; rest]);
            assert!(matches!(read(&bytes), ProxyOpening::Wrong(_)), "{command:x} {family:x} {rest}");
        }
    }

    proptest! {
        #[test]
        fn every_beginning_of_a_header_is_partial_and_what_follows_does_not_matter(
            from in any::<[u8; 4]>(), port in any::<u16>(), more in proptest::collection::vec(any::<u8>(), 0..64),
            tlv in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let ip = IpAddr::from(from);
            let addresses = [&from[..], &[10, 0, 0, 1], &port.to_be_bytes(), &[0, 1], &tlv].concat();
            for header in [format!("PROXY TCP4 {ip} 10.0.0.1 {port} 1\r\n").into_bytes(), v2(0x21, 0x11, &addresses)] {
                for cut in 0..header.len() {
                    prop_assert_eq!(read(&header[..cut]), ProxyOpening::Partial, "cut at {}", cut);
                }
                let want = ProxyOpening::Header { bytes: header.len(), client: Some(ip) };
                prop_assert_eq!(read(&[&header[..], &more].concat()), want);
            }
        }

        #[test]
        fn random_bytes_are_never_more_than_is_there(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for start in [&b""[..], b"PROXY ", V2] {
                let bytes = [start, &bytes].concat();
                if let ProxyOpening::Header { bytes: used, .. } = read(&bytes) {
                    prop_assert!(used <= bytes.len() && used <= PROXY_HEADER_BYTES_MAX);
                }
            }
        }
    }
}
