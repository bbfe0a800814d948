//! For tests: messages, and a receiver with scripted answers.

use super::{Envelope, Outcome};
use crate::domain::alert::message::Subject;
use crate::domain::alert::{Message, MessageKind};
use crate::domain::lang::Lang;
use crate::domain::record::Cause;
use crate::domain::time::{Span, Wall};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver as Inbox, Sender, channel};
use std::time::Duration;

/// The moment at which everything here happens.
pub(crate) const NOW: Wall = Wall(1_770_521_420_000);

/// A message about these monitors.
pub(crate) fn message(kind: MessageKind, ids: &[&str]) -> Message {
    let mut message = Message::new(kind, format!("{}-7-3-ops", kind.name()), "ops", NOW);
    message.monitors = ids
        .iter()
        .map(|id| Subject {
            id: id.to_string(),
            incident: Some(format!("7-{id}")),
            since: Wall(NOW.0 - 60_000),
            ended: (kind == MessageKind::Recovered).then_some(NOW),
            cause: Some(Cause::Silence),
            last_beat: Some(Wall(NOW.0 - 90_000)),
            address: Some("10.0.3.7".into()),
            tags: vec!["rack-3".into(), "lab \"b\"".into()],
            ..Subject::default()
        })
        .collect();
    message.count = ids.len() as u64;
    message.at(NOW, Span::secs(60))
}

pub(crate) fn envelope(message: &Message) -> Envelope<'_> {
    Envelope::new(Lang::En, message)
}

/// Runs a future to its end.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Why it is to be tried again.
pub(crate) fn retried(outcome: Outcome) -> (Option<Span>, String) {
    match outcome {
        Outcome::Retry { after, reason } => (after, reason.in_lang(Lang::En)),
        other => panic!("{other:?}"),
    }
}

/// Why it was not taken, in a language.
pub(crate) fn reason_in(lang: Lang, outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Retry { reason, .. } | Outcome::Refused { reason } => reason.say(lang),
        other => panic!("{other:?}"),
    }
}

/// Why it is refused.
pub(crate) fn refused(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused { reason } => reason.in_lang(Lang::En),
        other => panic!("{other:?}"),
    }
}

/// A server of one port; each connection is handed to `serve`, on a thread of its own, one after the other.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    pub(crate) heard: Inbox<String>,
}

impl Receiver {
    pub(crate) fn start(mut serve: impl FnMut(TcpStream, &Sender<String>) + Send + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, heard) = channel();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                // A bound, in case a test is wrong.
                stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                serve(stream, &tell);
            }
        });
        Receiver { port, heard }
    }

    /// One that reads requests of HTTP and gives these bytes for an answer.
    pub(crate) fn answering(answer: impl Into<String>) -> Receiver {
        let answer = answer.into();
        Receiver::start(move |mut stream, tell| {
            let request = read_request(&mut stream);
            // The test may be over.
            let _ = tell.send(request);
            let _ = stream.write_all(answer.as_bytes());
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// What came next: head and body.
    pub(crate) fn request(&self) -> (String, String) {
        let request = self.heard.recv_timeout(Duration::from_secs(60)).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        (head.to_string(), body.to_string())
    }
}

/// A whole answer.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A whole request, by its Content-Length.
pub(crate) fn read_request(stream: &mut impl Read) -> String {
    let mut text = Vec::new();
    let mut byte = [0; 1];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        text.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&text).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    let _ = stream.read_exact(&mut body);
    text.extend(body);
    String::from_utf8(text).unwrap()
}
