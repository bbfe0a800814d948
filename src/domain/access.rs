//! Who may do what: networks and tokens.
//!
//! A network rule is asked first and answers 403 naming its configuration key; a token is asked only where one is
//! configured and answers 401. Unix sockets pass the network rules: whoever may open the file may speak.

use super::address::Peer;
use super::host::Hosts;
use crate::i18n::ParseError;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// The `[access]` of the configuration, checked and with its secrets read.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// Networks that may send beats.
    pub allow: Vec<IpNet>,
    /// Networks that may do nothing over the network, neither beat nor read, though `allow` or `read` names them.
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
pub struct Token {
    secret: Box<[u8]>,
    digest: TokenDigest,
}

/// By which a token is known again that was shown, without the token itself: half of its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenDigest([u8; 16]);

/// What a connection that is kept has shown, by which it is judged again when the policy changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// No token that was known.
    Nothing,
    /// This one.
    Token(TokenDigest),
    /// A version before 0.5 let it in and did not write down by what; the policy that it left it under is believed.
    Believed,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Send beats.
    Beat,
    /// See the page, the API, the metrics.
    Read,
    /// Change monitors.
    Admin,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessRefusal {
    /// Not from that network; the configuration key that says so.
    Network(&'static str),
    /// A token is needed and none, or an unknown one, was shown; the key that lists them.
    Token(&'static str),
}

impl Access {
    /// Decides. `bearer` is what stood behind `Authorization: Bearer `, if anything did.
    pub fn check(
        &self,
        permission: Permission,
        peer: Peer,
        bearer: Option<&[u8]>,
    ) -> Result<(), AccessRefusal> {
        match bearer {
            Some(shown) => self.judge(permission, peer, |token| token.matches(shown)),
            None => self.judge(permission, peer, |_| false),
        }
    }

    /// Decides anew about a connection that was let in before.
    pub fn check_again(&self, permission: Permission, peer: Peer, shown: Shown) -> Result<(), AccessRefusal> {
        match self.judge(permission, peer, |token| shown == Shown::Token(token.digest)) {
            Err(AccessRefusal::Token(_)) if shown == Shown::Believed => Ok(()),
            judged => judged,
        }
    }

    fn judge(
        &self,
        permission: Permission,
        peer: Peer,
        is_shown: impl Fn(&Token) -> bool,
    ) -> Result<(), AccessRefusal> {
        if let Peer::Ip(ip) = peer {
            match permission {
                _ if covers(&self.deny, ip) => return Err(AccessRefusal::Network("access.deny")),
                Permission::Beat if !covers(&self.allow, ip) => {
                    return Err(AccessRefusal::Network("access.allow"));
                }
                Permission::Read | Permission::Admin if !covers(&self.read, ip) => {
                    return Err(AccessRefusal::Network("access.read"));
                }
                _ => {}
            }
        }
        let (tokens, key, needed) = match permission {
            Permission::Beat => (&self.beat_tokens, "access.beat_tokens", !self.beat_tokens.is_empty()),
            Permission::Read => (&self.read_tokens, "access.read_tokens", !self.read_tokens.is_empty()),
            Permission::Admin => (&self.admin_tokens, "access.admin_tokens", true),
        };
        if !needed {
            return Ok(());
        }
        let known = tokens.iter().chain(&self.admin_tokens).any(is_shown);
        if known { Ok(()) } else { Err(AccessRefusal::Token(key)) }
    }

    /// Who may read where nobody says so: of the local networks those that may send beats.
    pub fn readers(allow: &[IpNet]) -> Vec<IpNet> {
        let common = |local: IpNet| {
            allow.iter().filter_map(move |net| match net {
                net if local.contains(net) => Some(*net),
                net if net.contains(&local) => Some(local),
                _ => None,
            })
        };
        Access::local_networks().into_iter().flat_map(common).collect()
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
    pub fn new(secret: &str) -> Result<Token, ParseError> {
        let secret = secret.trim_end_matches(['\r', '\n']);
        if !(16..=512).contains(&secret.len()) {
            return Err(ParseError::TokenLength);
        }
        if !secret.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ParseError::TokenCharacters);
        }
        Ok(Token { secret: secret.as_bytes().into(), digest: TokenDigest::of(secret.as_bytes()) })
    }

    /// The secret itself, for whoever has to show it.
    pub fn reveal(&self) -> &[u8] {
        &self.secret
    }

    /// Compares in a time that does not depend on where the two differ.
    pub fn matches(&self, shown: &[u8]) -> bool {
        self.secret.ct_eq(shown).into()
    }
}

impl TokenDigest {
    /// That of a token.
    pub fn of(token: &[u8]) -> TokenDigest {
        let mut half = [0; 16];
        let whole = ring::digest::digest(&ring::digest::SHA256, token);
        half.iter_mut().zip(whole.as_ref()).for_each(|(to, from)| *to = *from);
        TokenDigest(half)
    }

    /// Eight digits by which it can be told from others.
    pub fn mark(self) -> String {
        let [a, b, c, d, ..] = self.0;
        format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(…)")
    }
}

impl Shown {
    /// What stood behind `Authorization: Bearer `, once it was judged.
    pub fn of(bearer: Option<&[u8]>) -> Shown {
        bearer.map_or(Shown::Nothing, |token| Shown::Token(TokenDigest::of(token)))
    }

    /// For a connection of which that was not written down.
    pub fn believed() -> Shown {
        Shown::Believed
    }

    /// The same once the policy is another one than it was let in under.
    pub fn under_another_policy(self) -> Shown {
        if self == Shown::Believed { Shown::Nothing } else { self }
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
            assert_eq!(access.check(Permission::Beat, peer(ip), None), Ok(()), "{ip}");
        }
        for ip in ["8.8.8.8", "172.32.0.1", "2001:db8::1"] {
            assert_eq!(
                access.check(Permission::Beat, peer(ip), None),
                Err(AccessRefusal::Network("access.allow")),
                "{ip}"
            );
            assert_eq!(
                access.check(Permission::Read, peer(ip), None),
                Err(AccessRefusal::Network("access.read")),
                "{ip}"
            );
        }
        assert_eq!(access.check(Permission::Beat, Peer::Unix, None), Ok(()));
        assert!(access.check(Permission::Admin, Peer::Ip(IpAddr::from([127, 0, 0, 1])), None).is_err());
    }

    #[test]
    fn deny_wins_over_allow() {
        let access = Access { deny: vec!["10.0.0.0/8".parse().unwrap()], ..Access::default() };
        assert_eq!(
            access.check(Permission::Beat, peer("10.0.0.1"), None),
            Err(AccessRefusal::Network("access.deny"))
        );
        assert_eq!(
            access.check(Permission::Read, peer("10.0.0.1"), None),
            Err(AccessRefusal::Network("access.deny"))
        );
        assert_eq!(access.check(Permission::Read, peer("192.168.1.1"), None), Ok(()));
    }

    #[test]
    fn who_may_read_is_of_those_who_may_beat_and_of_this_place() {
        let readers = |allow: &[&str]| -> Vec<String> {
            let allow: Vec<IpNet> = allow.iter().map(|net| net.parse().unwrap()).collect();
            Access::readers(&allow).iter().map(IpNet::to_string).collect()
        };
        assert_eq!(readers(&["10.1.0.0/16", "203.0.113.0/24"]), ["10.1.0.0/16"]);
        assert_eq!(readers(&["0.0.0.0/0"]).len(), 5, "not all the world");
        assert_eq!(Access::readers(&Access::local_networks()), Access::local_networks());
    }

    #[test]
    fn a_connection_is_judged_again_by_what_it_has_shown() {
        let token = |t: &str| Token::new(t).unwrap();
        let access = Access { beat_tokens: vec![token("beat-beat-beat-beat")], ..Access::default() };
        let me = peer("127.0.0.1");
        let shown = Shown::of(Some(b"beat-beat-beat-beat"));
        assert_eq!(access.check_again(Permission::Beat, me, shown), Ok(()));
        let revoked = Access { beat_tokens: vec![token("another-another-another")], ..access.clone() };
        let denied = Err(AccessRefusal::Token("access.beat_tokens"));
        assert_eq!(revoked.check_again(Permission::Beat, me, shown), denied);
        assert_eq!(revoked.check_again(Permission::Beat, me, Shown::Nothing), denied);
        assert_eq!(revoked.check_again(Permission::Beat, me, Shown::Believed), Ok(()));
        assert_eq!(revoked.check_again(Permission::Beat, me, Shown::Believed.under_another_policy()), denied);
        let shut = Access { deny: vec!["127.0.0.0/8".parse().unwrap()], ..access };
        assert_eq!(shut.check_again(Permission::Beat, me, shown), Err(AccessRefusal::Network("access.deny")));
        assert_eq!(
            shut.check_again(Permission::Beat, me, Shown::Believed),
            Err(AccessRefusal::Network("access.deny"))
        );
        assert!(!format!("{shown:?}").contains("98"), "no part of it is printed");
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
        assert_eq!(access.check(Permission::Beat, me, None), Err(AccessRefusal::Token("access.beat_tokens")));
        assert_eq!(
            access.check(Permission::Beat, me, Some(b"wrong")),
            Err(AccessRefusal::Token("access.beat_tokens"))
        );
        assert_eq!(access.check(Permission::Beat, me, Some(b"beat-beat-beat-beat")), Ok(()));
        assert_eq!(access.check(Permission::Beat, me, Some(b"admin-admin-admin-admin")), Ok(()));
        assert_eq!(
            access.check(Permission::Admin, me, Some(b"beat-beat-beat-beat")),
            Err(AccessRefusal::Token("access.admin_tokens"))
        );
        assert_eq!(access.check(Permission::Read, me, None), Ok(()));
    }
}
