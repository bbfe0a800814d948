//! Proxies of webhooks: as the configuration names one, or as the environment does (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`).
//!
//! For https by CONNECT (RFC 9110, 9.3.6), so that the proxy sees neither path nor secrets; for http the proxy gets the
//! request itself, with the whole URL in its first line (absolute-form).

use super::secret::Secret;
use crate::net::authority;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use std::fmt;
use std::io;
use std::net::IpAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The default port, as curl has it.
const PORT: u16 = 1080;
/// Longest head of an answer to CONNECT.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A proxy of HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// A name or an address, an IPv6 one without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The value of Proxy-Authorization, if any.
    pub authorization: Option<Secret>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proxy {}:{}", self.host, self.port)
    }
}

impl Proxy {
    /// Reads `http://[user:password@]host[:port]`; the scheme may be missing. `None`: that is none.
    pub fn parse(text: &str) -> Option<Proxy> {
        let text = text.trim();
        let rest = match text.split_once("://") {
            Some((scheme, rest)) => scheme.eq_ignore_ascii_case("http").then_some(rest)?,
            None => text,
        };
        let authority = rest.trim_end_matches('/');
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let uri: Uri = format!("http://{place}").parse().ok()?;
        if uri.path() != "/" || uri.query().is_some() {
            return None;
        }
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_string();
        let authorization = user.map(|user| {
            let plain: Vec<u8> = percent_decode_str(user).collect();
            Secret::new(format!("Basic {}", STANDARD.encode(plain)))
        });
        (!host.is_empty()).then(|| Proxy { host, port: uri.port_u16().unwrap_or(PORT), authorization })
    }

    /// The proxy that the environment names for a host; the error is a variable that cannot be read.
    pub fn of_environment(
        variable: impl Fn(&str) -> Option<String>,
        tls: bool,
        host: &str,
        port: u16,
    ) -> Result<Option<Proxy>, &'static str> {
        let find = |upper: &'static str, lower: &'static str| {
            let found = variable(lower).or_else(|| variable(upper));
            found.filter(|text| !text.trim().is_empty()).map(|text| (upper, text))
        };
        let name = if tls { find("HTTPS_PROXY", "https_proxy") } else { find("HTTP_PROXY", "http_proxy") };
        let Some((name, text)) = name else { return Ok(None) };
        let except = find("NO_PROXY", "no_proxy").map(|(_, text)| text).unwrap_or_default();
        if is_direct(&except, host, port) {
            return Ok(None);
        }
        Proxy::parse(&text).map(Some).ok_or(name)
    }

    /// Opens a tunnel to a host.
    pub(super) async fn tunnel(
        &self,
        stream: &mut TcpStream,
        host: &str,
        port: u16,
    ) -> Result<(), TunnelError> {
        let place = authority(host, port);
        let authorization = self
            .authorization
            .as_ref()
            .map(|value| format!("Proxy-Authorization: {}\r\n", value.reveal()))
            .unwrap_or_default();
        let head = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{authorization}\r\n");
        stream.write_all(head.as_bytes()).await.map_err(TunnelError::Io)?;
        let mut answer = Vec::new();
        // Byte by byte: what follows the head belongs to the host.
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() == HEAD_BYTES_MAX {
                return Err(TunnelError::Answer(None));
            }
            answer.push(stream.read_u8().await.map_err(TunnelError::Io)?);
        }
        let first = answer.split(|b| *b == b'\r').next().unwrap_or_default();
        let status = std::str::from_utf8(first).ok().filter(|line| line.starts_with("HTTP/1."));
        match status.and_then(|line| line.split(' ').nth(1)?.parse::<u16>().ok()) {
            Some(200..=299) => Ok(()),
            other => Err(TunnelError::Answer(other)),
        }
    }
}

/// Why a proxy did not connect us.
#[derive(Debug)]
pub(super) enum TunnelError {
    /// The connection to it failed.
    Io(io::Error),
    /// It answered with this status, or with nothing sensible.
    Answer(Option<u16>),
}

/// Whether a host is reached without a proxy: loopback, and what `NO_PROXY` names (`*`, a domain with all below it, an
/// address, a network, each with a port where only that is meant).
fn is_direct(except: &str, host: &str, port: u16) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let ip = host.parse::<IpAddr>().ok();
    if host == "localhost" || ip.is_some_and(|ip| ip.to_canonical().is_loopback()) {
        return true;
    }
    except.split([',', ' ']).map(str::trim).filter(|one| !one.is_empty()).any(|one| {
        let one = one.to_ascii_lowercase();
        let (name, only) = match one.rsplit_once(':') {
            Some((name, only)) if !name.contains(':') => (name, only.parse::<u16>().ok()),
            _ => (one.as_str(), None),
        };
        if only.is_some_and(|only| only != port) {
            return false;
        }
        let name = name.trim_start_matches("*.").trim_start_matches('.');
        name == "*"
            || name == host
            || (ip.is_none() && host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')))
            || ip.is_some_and(|ip| name.parse::<IpNet>().is_ok_and(|net| net.contains(&ip)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_and_its_password_is_not_shown() {
        let proxy = Proxy::parse("http://hb:ge%40heim@proxy.example:3128/").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.example", 3128));
        assert_eq!(proxy.authorization.as_ref().unwrap().reveal(), "Basic aGI6Z2VAaGVpbQ==");
        assert_eq!(format!("{proxy:?}"), "proxy proxy.example:3128");
        assert_eq!(Proxy::parse("[::1]:8080").unwrap().host, "::1");
        assert_eq!(Proxy::parse("proxy").unwrap().port, PORT);
        for wrong in
            ["", "https://proxy:1", "socks5://proxy", "http://proxy/path", "http://pro xy", "http://:80"]
        {
            assert_eq!(Proxy::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_environment_says_who_is_reached_how() {
        let variable = |name: &str| {
            let text = match name {
                "HTTPS_PROXY" => "http://secure:1",
                "http_proxy" => "plain:2",
                "NO_PROXY" => "example.org, .lan,10.0.0.0/8,mon.example.com:8443,192.0.2.7",
                _ => return None,
            };
            Some(text.to_string())
        };
        let found = |tls, host, port| {
            let found = Proxy::of_environment(variable, tls, host, port).unwrap();
            found.map(|proxy| proxy.host)
        };
        assert_eq!(found(true, "hooks.example.com", 443).as_deref(), Some("secure"));
        assert_eq!(found(false, "hooks.example.com", 80).as_deref(), Some("plain"));
        for (host, port) in [
            ("localhost", 443),
            ("127.0.0.1", 443),
            ("::1", 443),
            ("example.org", 443),
            ("a.EXAMPLE.org", 443),
            ("nas.lan", 443),
            ("10.7.7.7", 443),
            ("192.0.2.7", 443),
            ("mon.example.com", 8443),
        ] {
            assert_eq!(found(true, host, port), None, "{host}");
        }
        for (host, port) in [("badexample.org", 443), ("mon.example.com", 443), ("192.0.2.70", 443)] {
            assert_eq!(found(true, host, port).as_deref(), Some("secure"), "{host}");
        }
        let socks = |name: &str| (name == "https_proxy").then(|| "socks5://x".to_string());
        assert_eq!(Proxy::of_environment(socks, true, "a", 1), Err("HTTPS_PROXY"));
    }
}
