//! A client that sends exactly the bytes it is given and reads answers one by one.

use crate::harness::PATIENCE;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// A connection.
pub struct Conn {
    stream: Stream,
    /// Bytes that came after the last answer read.
    ahead: Vec<u8>,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The whole first line.
    pub line: String,
    /// The status code.
    pub status: u16,
    /// The headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Conn {
    /// Over TCP.
    pub fn tcp(address: &str) -> Conn {
        Conn::of(TcpStream::connect(address).unwrap_or_else(|e| panic!("cannot reach {address}: {e}")))
    }

    /// The same over one that is there.
    pub fn of(stream: TcpStream) -> Conn {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Conn { stream: Stream::Tcp(stream), ahead: Vec::new() }
    }

    /// Over TLS; the handshake happens with the first word, or where it is asked for.
    pub fn tls(address: &str, config: Arc<ClientConfig>) -> Conn {
        let Stream::Tcp(stream) = Conn::tcp(address).stream else { unreachable!() };
        let session = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
        Conn { stream: Stream::Tls(Box::new(StreamOwned::new(session, stream))), ahead: Vec::new() }
    }

    /// Has the kernel keep little of what is not read.
    pub fn take_little_at_once(&self) {
        let socket = match &self.stream {
            Stream::Tls(stream) => socket2::SockRef::from(&stream.sock),
            Stream::Tcp(stream) => socket2::SockRef::from(stream),
            Stream::Unix(stream) => socket2::SockRef::from(stream),
        };
        socket.set_recv_buffer_size(64 * 1024).unwrap();
    }

    /// Shakes hands; says why not.
    pub fn shake(&mut self) -> Result<&ClientConnection, String> {
        let Stream::Tls(stream) = &mut self.stream else { panic!("no TLS") };
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|e| e.to_string())?;
        }
        Ok(&stream.conn)
    }

    /// Over a unix socket.
    pub fn unix(path: &str) -> Conn {
        let stream = UnixStream::connect(path).unwrap_or_else(|e| panic!("cannot reach {path}: {e}"));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Conn { stream: Stream::Unix(stream), ahead: Vec::new() }
    }

    /// The client's own port.
    pub fn local_port(&self) -> u16 {
        let Stream::Tcp(stream) = &self.stream else { panic!("no plain TCP") };
        stream.local_addr().unwrap().port()
    }

    /// A second handle on the same connection, for sending while this one reads.
    pub fn clone_stream(&self) -> Conn {
        let stream = match &self.stream {
            Stream::Tcp(s) => Stream::Tcp(s.try_clone().unwrap()),
            Stream::Unix(s) => Stream::Unix(s.try_clone().unwrap()),
            Stream::Tls(_) => panic!("a session has one owner"),
        };
        Conn { stream, ahead: Vec::new() }
    }

    /// Sends bytes; false when the server has closed meanwhile.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        match &mut self.stream {
            Stream::Tcp(s) => s.write_all(bytes),
            Stream::Unix(s) => s.write_all(bytes),
            Stream::Tls(s) => s.write_all(bytes).and_then(|()| s.flush()),
        }
        .is_ok()
    }

    /// Sends bytes beneath TLS, as they are.
    pub fn send_beneath(&mut self, bytes: &[u8]) -> bool {
        let Stream::Tls(stream) = &mut self.stream else { panic!("no TLS") };
        stream.sock.write_all(bytes).is_ok()
    }

    /// Says that nothing more will come.
    pub fn end_writing(&mut self) {
        let _ = match &mut self.stream {
            Stream::Tcp(s) => s.shutdown(Shutdown::Write),
            Stream::Unix(s) => s.shutdown(Shutdown::Write),
            Stream::Tls(s) => {
                s.conn.send_close_notify();
                s.flush()
            }
        };
    }

    /// The next answer; panics when there is none.
    pub fn reply(&mut self) -> Reply {
        self.reply_or_end().expect("an answer, but the connection was closed")
    }

    /// The next answer of a TLS connection, or why there is none.
    pub fn try_reply(&mut self) -> Result<Reply, String> {
        let Stream::Tls(stream) = &mut self.stream else { panic!("no TLS") };
        let mut some = [0u8; 16 * 1024];
        match stream.read(&mut some) {
            Ok(0) => return Err("closed".into()),
            Ok(n) => self.ahead.extend_from_slice(&some[..n]),
            Err(error) => return Err(error.to_string()),
        }
        Ok(self.reply())
    }

    /// The next answer, or nothing when the connection ended before one began.
    pub fn reply_or_end(&mut self) -> Option<Reply> {
        let mut reply = self.head()?;
        if reply.header("transfer-encoding") == Some("chunked") {
            reply.body = self.chunks();
            return Some(reply);
        }
        let length = reply.header("content-length").map_or(0, |n| n.parse().expect("a length"));
        while self.ahead.len() < length {
            assert!(self.more(), "the connection ended inside a body: {reply:?}");
        }
        reply.body = self.ahead.drain(..length).collect();
        Some(reply)
    }

    /// A body that comes in pieces.
    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.text_until("\r\n");
            let length = usize::from_str_radix(line.trim_end(), 16).expect("the length of a piece");
            while self.ahead.len() < length + 2 {
                assert!(self.more(), "the connection ended inside a body");
            }
            body.extend(self.ahead.drain(..length));
            self.ahead.drain(..2);
            if length == 0 {
                return body;
            }
        }
    }

    /// The next answer when its body must be absent, as with HEAD.
    pub fn head(&mut self) -> Option<Reply> {
        let end = loop {
            if let Some(at) = self.ahead.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more() {
                assert!(self.ahead.is_empty(), "half an answer: {:?}", String::from_utf8_lossy(&self.ahead));
                return None;
            }
        };
        let head: Vec<u8> = self.ahead.drain(..end).collect();
        let reply = Reply::of_head(&head);
        assert!(reply.is_some(), "no answer: {:?}", String::from_utf8_lossy(&head));
        reply
    }

    /// So many bytes of a body.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        while self.ahead.len() < length {
            assert!(self.more(), "the connection ended inside a body");
        }
        self.ahead.drain(..length).collect()
    }

    /// Everything up to the end of the connection.
    pub fn replies(&mut self) -> Vec<Reply> {
        std::iter::from_fn(|| self.reply_or_end()).collect()
    }

    /// Reads on until what was read and not yet taken holds a text; takes it up to its end.
    pub fn text_until(&mut self, part: &str) -> String {
        loop {
            if let Some(at) = self.ahead.windows(part.len()).position(|w| w == part.as_bytes()) {
                let taken: Vec<u8> = self.ahead.drain(..at + part.len()).collect();
                return String::from_utf8_lossy(&taken).into_owned();
            }
            assert!(self.more(), "the connection ended before {part:?}");
        }
    }

    /// Everything up to the end of the connection, as bytes.
    pub fn everything(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.ahead)
    }

    /// Whether the server closes without saying anything more.
    pub fn is_closed(&mut self) -> bool {
        self.ahead.is_empty() && !self.more()
    }

    /// Reads more; false at the end, be it a close or a reset.
    fn more(&mut self) -> bool {
        let mut some = [0u8; 16 * 1024];
        let read = match &mut self.stream {
            Stream::Tcp(s) => s.read(&mut some),
            Stream::Unix(s) => s.read(&mut some),
            // An end without a goodbye is an error here, and a failure of the test.
            Stream::Tls(s) => s.read(&mut some),
        };
        match read {
            Ok(0) => false,
            Ok(n) => {
                self.ahead.extend_from_slice(&some[..n]);
                true
            }
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => false,
            Err(e) if e.kind() == ErrorKind::Interrupted => true,
            Err(e) => panic!("the server neither answered nor closed: {e}"),
        }
    }
}

impl Reply {
    /// The answers in all the bytes of a connection; nothing when they are not whole answers with their bodies.
    pub fn all(mut bytes: &[u8]) -> Option<Vec<Reply>> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
            let mut reply = Reply::of_head(&bytes[..end])?;
            let length = reply.header("content-length").map_or(Some(0), |n| n.parse().ok())?;
            reply.body = bytes.get(end..end + length)?.to_vec();
            bytes = &bytes[end + length..];
            all.push(reply);
        }
        Some(all)
    }

    /// Reads a head.
    fn of_head(head: &[u8]) -> Option<Reply> {
        let mut lines = std::str::from_utf8(head).ok()?.trim_end().split("\r\n");
        let line = lines.next()?.to_string();
        let status = line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").or(line.strip_suffix(':').map(|name| (name, "")))?;
            Some((name.to_ascii_lowercase(), value.to_string()))
        };
        let headers = lines.map(header).collect::<Option<_>>()?;
        Some(Reply { line, status, headers, body: Vec::new() })
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("not JSON ({e}): {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// What must be the same however a request came in: all but the date.
    pub fn without_date(mut self) -> Reply {
        self.headers.retain(|(name, _)| name != "date");
        self.headers.sort();
        self
    }
}

/// A beat as bytes.
pub fn beat(body: &str) -> String {
    beat_with("", body)
}

/// A beat with further header lines, each ending in CR LF.
pub fn beat_with(headers: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: hb\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A question as bytes.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: hb\r\n\r\n")
}

/// A request with a body; header lines each end in CR LF.
pub fn with_body(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: hb\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}
