//! The URL of a server: parsed and checked.
//!
//! `http`, `https`, `ws` and `wss` may have a path, for a server that stands behind a proxy; raw TCP has none. `unix:PATH`
//! is HTTP over a unix socket. What has no scheme is HTTP: `localhost:7777`.

use crate::i18n::ParseError;
use crate::net::authority;
use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of HTTP and WebSocket when the URL names none.
const HTTP_PORT: u16 = 7777;
/// The same inside TLS, where a proxy usually listens.
const HTTPS_PORT: u16 = 443;
/// That of raw TCP.
const TCP_PORT: u16 = 7778;

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerProtocol {
    /// HTTP/1.1.
    Http,
    /// Raw TCP, in one of its dialects.
    Tcp,
    /// WebSocket.
    WebSocket,
}

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A host, by name or address, and a port.
    Net {
        /// As it was written, an IPv6 address without its brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A unix socket.
    Unix(PathBuf),
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    /// What is spoken there.
    pub protocol: ServerProtocol,
    /// Whether inside TLS.
    pub tls: bool,
    /// Where.
    pub place: Endpoint,
    /// The path of the URL without a slash at its end; empty for most.
    pub path: String,
}

impl Default for ServerUrl {
    /// The default server: this machine's own.
    fn default() -> ServerUrl {
        let place = Endpoint::Net { host: "localhost".to_string(), port: HTTP_PORT };
        ServerUrl { protocol: ServerProtocol::Http, tls: false, place, path: String::new() }
    }
}

impl ServerUrl {
    /// The value of the `Host` header.
    pub fn authority(&self) -> String {
        match &self.place {
            Endpoint::Net { host, port } => authority(host, *port),
            Endpoint::Unix(_) => "localhost".to_string(),
        }
    }

    fn scheme(&self) -> &'static str {
        match (self.protocol, self.tls) {
            (ServerProtocol::Http, false) => "http",
            (ServerProtocol::Http, true) => "https",
            (ServerProtocol::Tcp, false) => "tcp",
            (ServerProtocol::Tcp, true) => "tls",
            (ServerProtocol::WebSocket, false) => "ws",
            (ServerProtocol::WebSocket, true) => "wss",
        }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
            Endpoint::Net { .. } => write!(f, "{}://{}{}", self.scheme(), self.authority(), self.path),
        }
    }
}

impl FromStr for ServerUrl {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<ServerUrl, ParseError> {
        const FORMS: ParseError = ParseError::NotUrl;
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path.strip_prefix("//").unwrap_or(path));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let (protocol, tls) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (ServerProtocol::Http, false),
            "https" => (ServerProtocol::Http, true),
            "tcp" => (ServerProtocol::Tcp, false),
            "tls" => (ServerProtocol::Tcp, true),
            "ws" => (ServerProtocol::WebSocket, false),
            "wss" => (ServerProtocol::WebSocket, true),
            _ => return Err(FORMS),
        };
        if rest.contains(['?', '#']) {
            return Err(ParseError::QueryInUrl);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(ParseError::UserInUrl);
        }
        let path = path.trim_end_matches('/');
        // The URL of the beats themselves stands for the server.
        let path =
            path.strip_suffix("/api/v1/beats").filter(|_| protocol == ServerProtocol::Http).unwrap_or(path);
        if !path.is_empty() && protocol == ServerProtocol::Tcp {
            return Err(ParseError::PathOverTcp);
        }
        if !path.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ParseError::PathNotAscii);
        }
        let (host, port) = host_and_port(authority)?;
        let port = port.unwrap_or(match (protocol, tls) {
            (ServerProtocol::Tcp, _) => TCP_PORT,
            (ServerProtocol::Http | ServerProtocol::WebSocket, true) => HTTPS_PORT,
            (ServerProtocol::Http | ServerProtocol::WebSocket, false) => HTTP_PORT,
        });
        Ok(ServerUrl { protocol, tls, place: Endpoint::Net { host, port }, path: path.to_string() })
    }
}

fn unix(path: &str) -> Result<ServerUrl, ParseError> {
    match path {
        "" => Err(ParseError::NoUnixPath),
        path if path.len() > 107 => Err(ParseError::LongUnixPath),
        path if path.contains('\0') => Err(ParseError::NulInPath),
        path => Ok(ServerUrl {
            protocol: ServerProtocol::Http,
            tls: false,
            place: Endpoint::Unix(path.into()),
            path: String::new(),
        }),
    }
}

fn host_and_port(authority: &str) -> Result<(String, Option<u16>), ParseError> {
    let port = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let port = text.parse::<u16>().ok().filter(|port| digits && *port != 0);
        port.map(Some).ok_or(ParseError::NotPort)
    };
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, behind)) = rest.split_once(']') else {
            return Err(ParseError::NotIpv6InBrackets);
        };
        let bare = host.split('%').next().unwrap_or(host);
        if bare.parse::<Ipv6Addr>().is_err() {
            return Err(ParseError::NotIpv6InBrackets);
        }
        return match behind {
            "" => Ok((host.to_string(), None)),
            _ => Ok((host.to_string(), port(behind.strip_prefix(':').unwrap_or_default())?)),
        };
    }
    let (host, number) = match authority.split_once(':') {
        Some((_, rest)) if rest.contains(':') => return Err(ParseError::Ipv6NeedsBrackets),
        Some((host, text)) => (host, port(text)?),
        None => (authority, None),
    };
    let fits = host.len() <= 253 && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_'));
    match host {
        "" => Err(ParseError::NoHost),
        _ if !fits => Err(ParseError::NotHostName),
        // Some resolvers read 1.2.3 as 1.2.0.3.
        _ if host.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && host.parse::<std::net::Ipv4Addr>().is_err() =>
        {
            Err(ParseError::NotIpv4)
        }
        _ => Ok((host.to_string(), number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, ParseError> {
        text.parse::<ServerUrl>().map(|target| target.to_string())
    }

    #[test]
    fn what_people_write_is_understood_and_printed_in_full() {
        for (text, full) in [
            ("http://hb", "http://hb:7777"),
            ("hb.example.org", "http://hb.example.org:7777"),
            ("localhost:8080", "http://localhost:8080"),
            ("HTTPS://hb:443/beats/", "https://hb:443/beats"),
            ("tcp://10.0.0.1", "tcp://10.0.0.1:7778"),
            ("tls://hb", "tls://hb:7778"),
            ("ws://hb/", "ws://hb:7777"),
            ("https://hb", "https://hb:443"),
            ("https://[::1]/x", "https://[::1]:443/x"),
            ("wss://hb/x/ws", "wss://hb:443/x/ws"),
            ("wss://hb:7777", "wss://hb:7777"),
            ("tcp://[::1]:9", "tcp://[::1]:9"),
            ("http://[fe80::1%eth0]", "http://[fe80::1%eth0]:7777"),
            ("unix:/run/hb.sock", "unix:/run/hb.sock"),
            ("unix:///run/hb.sock", "unix:/run/hb.sock"),
            ("unix:here", "unix:here"),
            ("http://hb/x/api/v1/beats", "http://hb:7777/x"),
            ("http://服务器", "http://服务器:7777"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(full), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "no host"),
            ("ftp://hb", "not a URL"),
            ("http://", "no host"),
            ("http://:80", "no host"),
            ("http://hb:0", "not a port"),
            ("http://hb:", "not a port"),
            ("http://hb:99999", "not a port"),
            ("http://u:p@hb", "--token-file"),
            ("http://hb/?id=x", "no ? or #"),
            ("http://hb/a b", "visible ASCII"),
            ("http://a b", "not a host name"),
            ("tcp://hb/x", "no path"),
            ("::1", "brackets"),
            ("http://::1", "brackets"),
            ("http://[::1", "between the brackets"),
            ("http://[x]", "between the brackets"),
            ("http://[::1]x", "not a port"),
            ("http://1.2.3", "not an IPv4 address"),
            ("unix:", "needs a path"),
        ] {
            assert!(read(text).is_err_and(|e| e.to_string().contains(reason)), "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn without_any_the_server_is_this_machine() {
        assert_eq!(ServerUrl::default().to_string(), "http://localhost:7777");
        assert_eq!(ServerUrl::default().to_string().parse(), Ok(ServerUrl::default()));
    }

    #[test]
    fn a_host_header_has_brackets_where_they_belong() {
        let authority = |text: &str| text.parse::<ServerUrl>().unwrap().authority();
        assert_eq!(authority("http://[::1]:80"), "[::1]:80");
        assert_eq!(authority("http://hb"), "hb:7777");
        assert_eq!(authority("unix:/x"), "localhost");
    }
}
