//! Who may do what: networks and tokens.
//!
//! A network rule is asked first and answers 403 naming its configuration key; a token is asked only where one is
//! configured and answers 401. Unix sockets pass the network rules: whoever may open the file may speak.

use super::address::Peer;
use super::host::Hosts;
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// The `[access]` of the configuration, checked and with its secrets read.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// Networks that may send beats.
    pub allow: Vec<IpNet>,
    /// Networks that may not, though `allow` names them.
    pub deny: Vec<IpNet>,
    /// Networks that may see the page, the API and the metrics.
    pub read: Vec<IpNet>,
    /// Names under which requests are taken.
    pub hosts: Hosts,
    /// When not empty, a beat needs one of these (or an admin token).
    pub beat_tokens: Vec<Token>,
    /// When not empty, reading needs one of these (or an admin token).
    pub read_tokens: Vec<Token>,
    /// What changing things over HTTP needs; empty: nobody may.
    pub admin_tokens: Vec<Token>,
}

/// A bearer token. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<[u8]>);

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Send beats.
    Beat,
    /// See the page, the API, the metrics.
    Read,
    /// Change monitors.
    Admin,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Not from that network; the configuration key that says so.
    Network(&'static str),
    /// A token is needed and none, or an unknown one, was shown; the key that lists them.
    Token(&'static str),
}

impl Access {
    /// Decides. `bearer` is what stood behind `Authorization: Bearer `, if anything did.
    pub fn check(&self, wish: Wish, peer: Peer, bearer: Option<&[u8]>) -> Result<(), Denied> {
        if let Peer::Ip(ip) = peer {
            match wish {
                Wish::Beat if covers(&self.deny, ip) => return Err(Denied::Network("access.deny")),
                Wish::Beat if !covers(&self.allow, ip) => return Err(Denied::Network("access.allow")),
                Wish::Read | Wish::Admin if !covers(&self.read, ip) => {
                    return Err(Denied::Network("access.read"));
                }
                _ => {}
            }
        }
        let (tokens, key, needed) = match wish {
            Wish::Beat => (&self.beat_tokens, "access.beat_tokens", !self.beat_tokens.is_empty()),
            Wish::Read => (&self.read_tokens, "access.read_tokens", !self.read_tokens.is_empty()),
            Wish::Admin => (&self.admin_tokens, "access.admin_tokens", true),
        };
        if !needed {
            return Ok(());
        }
        let Some(shown) = bearer else { return Err(Denied::Token(key)) };
        let known = tokens.iter().chain(&self.admin_tokens).any(|t| t.matches(shown));
        if known { Ok(()) } else { Err(Denied::Token(key)) }
    }

    /// Loopback, private (RFC 1918), link-local and unique-local networks.
    pub fn local_networks() -> Vec<IpNet> {
        [
            "127.0.0.0/8",
            "::1/128",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "169.254.0.0/16",
            "fe80::/10",
            "fc00::/7",
        ]
        .iter()
        .filter_map(|net| net.parse().ok())
        .collect()
    }
}

impl Default for Access {
    fn default() -> Access {
        Access {
            allow: Access::local_networks(),
            deny: Vec::new(),
            read: Access::local_networks(),
            hosts: Hosts::default(),
            beat_tokens: Vec::new(),
            read_tokens: Vec::new(),
            admin_tokens: Vec::new(),
        }
    }
}

impl Token {
    /// 16–512 bytes of visible ASCII: what an HTTP header can carry and nobody guesses.
    pub fn new(secret: &str) -> Result<Token, &'static str> {
        let secret = secret.trim_end_matches(['\r', '\n']);
        if !(16..=512).contains(&secret.len()) {
            return Err("a token is 16 to 512 characters; make one with: openssl rand -hex 32");
        }
        if !secret.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("a token is visible ASCII without spaces");
        }
        Ok(Token(secret.as_bytes().into()))
    }

    /// The secret itself, for whoever has to show it.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// Compares in a time that does not depend on where the two differ.
    pub fn matches(&self, shown: &[u8]) -> bool {
        self.0.ct_eq(shown).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Whether any of the networks holds the (canonical) address.
pub fn covers(networks: &[IpNet], ip: IpAddr) -> bool {
    networks.iter().any(|net| net.contains(&ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(ip: &str) -> Peer {
        Peer::from_ip(ip.parse().unwrap())
    }

    #[test]
    fn strangers_are_refused_by_default_and_neighbours_are_not() {
        let access = Access::default();
        for ip in [
            "127.0.0.1",
            "::1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.53",
            "169.254.1.1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(access.check(Wish::Beat, peer(ip), None), Ok(()), "{ip}");
        }
        for ip in ["8.8.8.8", "172.32.0.1", "2001:db8::1"] {
            assert_eq!(
                access.check(Wish::Beat, peer(ip), None),
                Err(Denied::Network("access.allow")),
                "{ip}"
            );
            assert_eq!(access.check(Wish::Read, peer(ip), None), Err(Denied::Network("access.read")), "{ip}");
        }
        assert_eq!(access.check(Wish::Beat, Peer::Unix, None), Ok(()));
        assert!(access.check(Wish::Admin, Peer::Ip(IpAddr::from([127, 0, 0, 1])), None).is_err());
    }

    #[test]
    fn deny_wins_over_allow() {
        let access = Access { deny: vec!["10.0.0.0/8".parse().unwrap()], ..Access::default() };
        assert_eq!(access.check(Wish::Beat, peer("10.0.0.1"), None), Err(Denied::Network("access.deny")));
        assert_eq!(access.check(Wish::Read, peer("10.0.0.1"), None), Ok(()));
    }

    #[test]
    fn a_token_opens_what_it_is_for_and_an_admin_token_everything() {
        let token = |t: &str| Token::new(t).unwrap();
        let access = Access {
            beat_tokens: vec![token("beat-beat-beat-beat")],
            admin_tokens: vec![token("admin-admin-admin-admin")],
            ..Access::default()
        };
        let me = peer("127.0.0.1");
        assert_eq!(access.check(Wish::Beat, me, None), Err(Denied::Token("access.beat_tokens")));
        assert_eq!(access.check(Wish::Beat, me, Some(b"wrong")), Err(Denied::Token("access.beat_tokens")));
        assert_eq!(access.check(Wish::Beat, me, Some(b"beat-beat-beat-beat")), Ok(()));
        assert_eq!(access.check(Wish::Beat, me, Some(b"admin-admin-admin-admin")), Ok(()));
        assert_eq!(
            access.check(Wish::Admin, me, Some(b"beat-beat-beat-beat")),
            Err(Denied::Token("access.admin_tokens"))
        );
        assert_eq!(access.check(Wish::Read, me, None), Ok(()));
    }
}
