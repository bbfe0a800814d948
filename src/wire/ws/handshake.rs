//! The HTTP that opens a WebSocket (RFC 6455, 4), for both ends.
//!
//! The server is given the headers of a GET that somebody else has read, and answers with the accept key or a reason.
//! The client is given sixteen random bytes, and knows by them whether the answer is meant for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use std::fmt;

/// The only version there is.
pub const VERSION: &str = "13";
/// What both ends mix into the key, so that nobody else's answer can pass for one (RFC 6455, 1.3).
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Longest head of an answer that a client reads.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Most header lines of one.
const ANSWER_LINES_MAX: usize = 64;

/// The random bytes of a client.
pub type HandshakeKey = [u8; 16];

/// Why a server does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeRefusal {
    /// It is no upgrade to a version that we speak: 426, naming the version.
    UpgradeRequired(&'static str),
    /// It is one, but not a right one: 400.
    Wrong(&'static str),
}

/// Whether the headers ask for a WebSocket, rightly or not.
pub fn is_wanted<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> bool {
    let mut upgrades = headers.filter(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
    upgrades.any(|(_, value)| names(value, "websocket"))
}

/// What a server answers in `Sec-WebSocket-Accept` to a GET with these headers.
pub fn accept<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<String, HandshakeRefusal> {
    let (mut upgrade, mut connection) = (false, false);
    let (mut key, mut version) = (None, None);
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("upgrade") {
            upgrade |= names(value, "websocket");
        } else if name.eq_ignore_ascii_case("connection") {
            connection |= names(value, "upgrade");
        } else if name.eq_ignore_ascii_case("sec-websocket-key") {
            if key.replace(value.trim_ascii()).is_some() {
                return Err(HandshakeRefusal::Wrong("Sec-WebSocket-Key stands there twice"));
            }
        } else if name.eq_ignore_ascii_case("sec-websocket-version")
            && version.replace(value.trim_ascii()).is_some()
        {
            return Err(HandshakeRefusal::Wrong("Sec-WebSocket-Version stands there twice"));
        }
    }
    if !upgrade {
        return Err(HandshakeRefusal::UpgradeRequired("a WebSocket is spoken here: Upgrade: websocket"));
    }
    if !connection {
        return Err(HandshakeRefusal::Wrong(
            "Connection: Upgrade is missing; a proxy on the way may have to be told to pass it on",
        ));
    }
    match version {
        None => return Err(HandshakeRefusal::Wrong("Sec-WebSocket-Version is missing")),
        Some(b"13") => {}
        Some(_) => {
            return Err(HandshakeRefusal::UpgradeRequired("this server speaks version 13 of WebSocket"));
        }
    }
    let key = key.ok_or(HandshakeRefusal::Wrong("Sec-WebSocket-Key is missing"))?;
    match STANDARD.decode(key) {
        Ok(bytes) if bytes.len() == size_of::<HandshakeKey>() => Ok(accept_of(key)),
        _ => Err(HandshakeRefusal::Wrong("Sec-WebSocket-Key must be 16 bytes in base64")),
    }
}

/// Whether a list of tokens has one, in any case.
fn names(list: &[u8], token: &str) -> bool {
    list.split(|byte| *byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

fn accept_of(key: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(MAGIC);
    STANDARD.encode(hash.finalize())
}

/// The request of a client. `host` is as in a URL, with the port where it is not the usual one; nothing in the three
/// texts may be a line break.
pub fn request(host: &str, path: &str, bearer: Option<&str>, key: HandshakeKey) -> Vec<u8> {
    let key = STANDARD.encode(key);
    let mut out = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: {VERSION}\r\nSec-WebSocket-Key: {key}\r\n"
    );
    if let Some(token) = bearer {
        out.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    out.push_str("\r\n");
    out.into_bytes()
}

/// Why a client has no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOpened {
    /// The answer is not HTTP/1.1, or its head is too large.
    NotHttp,
    /// The server will not, or not there, or not yet: its status code.
    Status(u16),
    /// It says that it has opened, but not in answer to this request; what shows it.
    Wrong(&'static str),
}

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotOpened::NotHttp => f.write_str("the answer is not HTTP/1.1"),
            NotOpened::Status(code) => write!(f, "the server answered {code} instead of opening a WebSocket"),
            NotOpened::Wrong(what) => write!(f, "the answer is not one to our request: {what}"),
        }
    }
}

/// Judges what a server has answered so far. How long the head of its answer is, behind which frames begin; `None` while
/// it is not whole.
pub fn check(answer: &[u8], key: HandshakeKey) -> Result<Option<usize>, NotOpened> {
    let mut lines = [httparse::EMPTY_HEADER; ANSWER_LINES_MAX];
    let mut head = httparse::Response::new(&mut lines);
    let bytes = match head.parse(answer) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) if answer.len() < ANSWER_BYTES_MAX => return Ok(None),
        _ => return Err(NotOpened::NotHttp),
    };
    match head.code {
        Some(101) => {}
        Some(code) => return Err(NotOpened::Status(code)),
        None => return Err(NotOpened::NotHttp),
    }
    let values = |name: &'static str| {
        let of_name = head.headers.iter().filter(move |line| line.name.eq_ignore_ascii_case(name));
        of_name.map(|line| line.value)
    };
    if !values("upgrade").any(|value| names(value, "websocket")) {
        return Err(NotOpened::Wrong("Upgrade is not websocket"));
    }
    if !values("connection").any(|value| names(value, "upgrade")) {
        return Err(NotOpened::Wrong("Connection is not Upgrade"));
    }
    let mut accepts = values("sec-websocket-accept");
    let wanted = accept_of(STANDARD.encode(key).as_bytes());
    if accepts.next().map(<[u8]>::trim_ascii) != Some(wanted.as_bytes()) || accepts.next().is_some() {
        return Err(NotOpened::Wrong("Sec-WebSocket-Accept does not fit our key"));
    }
    if values("sec-websocket-extensions").next().is_some() {
        return Err(NotOpened::Wrong("it uses an extension that was not offered"));
    }
    if values("sec-websocket-protocol").next().is_some() {
        return Err(NotOpened::Wrong("it chose a subprotocol that was not offered"));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: HandshakeKey = *b"the sample nonce";
    const SAMPLE: [(&str, &str); 5] = [
        ("Host", "server.example.com"),
        ("upgrade", "WebSocket"),
        ("Connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ];

    fn accept_with(name: &str, value: Option<&str>) -> Result<String, HandshakeRefusal> {
        let changed = SAMPLE.iter().filter(|(n, _)| *n != name).copied();
        let lines: Vec<(&str, &str)> = changed.chain(value.map(|value| (name, value))).collect();
        accept(lines.iter().map(|(name, value)| (*name, value.as_bytes())))
    }

    #[test]
    fn the_sample_of_the_rfc_is_accepted() {
        assert_eq!(accept_with("", None).as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }

    #[test]
    fn what_is_missing_or_wrong_is_refused_by_its_name() {
        assert!(matches!(accept_with("upgrade", None), Err(HandshakeRefusal::UpgradeRequired(_))));
        assert!(matches!(accept_with("upgrade", Some("h2c")), Err(HandshakeRefusal::UpgradeRequired(_))));
        assert!(matches!(
            accept_with("Sec-WebSocket-Version", Some("8")),
            Err(HandshakeRefusal::UpgradeRequired(_))
        ));
        for (name, value) in [
            ("Connection", None),
            ("Connection", Some("keep-alive")),
            ("Sec-WebSocket-Version", None),
            ("Sec-WebSocket-Key", None),
            ("Sec-WebSocket-Key", Some("")),
            ("Sec-WebSocket-Key", Some("c2hvcnQ=")),
            ("Sec-WebSocket-Key", Some("not base64 not base64 =")),
        ] {
            let Err(HandshakeRefusal::Wrong(reason)) = accept_with(name, value) else {
                panic!("{name}: {value:?}")
            };
            assert!(reason.contains(name), "{reason}");
        }
        let twice = SAMPLE.iter().chain(&SAMPLE[3..4]).map(|(name, value)| (*name, value.as_bytes()));
        assert!(matches!(accept(twice), Err(HandshakeRefusal::Wrong(_))));
    }

    #[test]
    fn a_wish_is_seen_among_others() {
        let wants = |value: &'static str| is_wanted([("Upgrade", value.as_bytes())].into_iter());
        assert!(wants("websocket") && wants("h2c, WebSocket"));
        assert!(!wants("h2c") && !wants("websocket2") && !wants(""));
    }

    #[test]
    fn our_own_ends_understand_each_other_and_every_cut_of_the_answer_is_partial() {
        let asked = request("[::1]:7777", "/ws", Some("a-token"), KEY);
        let mut lines = [httparse::EMPTY_HEADER; 16];
        let mut head = httparse::Request::new(&mut lines);
        assert_eq!(head.parse(&asked), Ok(httparse::Status::Complete(asked.len())));
        assert_eq!((head.method, head.path), (Some("GET"), Some("/ws")));
        let headers = || head.headers.iter().map(|line| (line.name, line.value));
        assert!(headers().any(|line| line == ("Authorization", b"Bearer a-token")));
        let accepted = accept(headers()).unwrap();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: {accepted}\r\n\r\n"
        );
        for cut in 0..answer.len() {
            assert_eq!(check(&answer.as_bytes()[..cut], KEY), Ok(None), "{cut}");
        }
        assert_eq!(check(format!("{answer}\x01\x02").as_bytes(), KEY), Ok(Some(answer.len())));
        for (what, by, why) in [
            ("101 Switching", "503 Switching", NotOpened::Status(503)),
            ("HTTP/1.1", "SSH-2.0x", NotOpened::NotHttp),
            ("upgrade: websocket", "upgrade: h2c", NotOpened::Wrong("Upgrade is not websocket")),
            ("connection: Upgrade", "connection: close", NotOpened::Wrong("Connection is not Upgrade")),
            ("-accept: ", "-accept: x", NotOpened::Wrong("Sec-WebSocket-Accept does not fit our key")),
        ] {
            assert_eq!(check(answer.replace(what, by).as_bytes(), KEY), Err(why), "{by}");
        }
        assert!(matches!(check(answer.as_bytes(), [0; 16]), Err(NotOpened::Wrong(_))), "another's answer");
        let endless = format!("HTTP/1.1 101 x\r\nx: {}", "y".repeat(ANSWER_BYTES_MAX));
        assert_eq!(check(endless.as_bytes(), KEY), Err(NotOpened::NotHttp));
    }
}
