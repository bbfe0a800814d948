//! The same bytes through the fast path's reading and through hyper: whatever the one calls a beat, the other must
//! read as the same request, one after another up to the first that the fast path leaves to hyper.
#![no_main]

use bytes::Bytes;
use heartbeat_server::domain::limits::Limits;
use heartbeat_server::wire::head::{BEAT_PATHS, Facts, HeadStep, next};
use heartbeat_server::wire::url_beat::{UrlBeat, wants_json};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Request, Response};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A request as hyper understood it.
#[derive(Debug)]
struct Understood {
    method: String,
    path: String,
    version: hyper::Version,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let mut plain = Vec::new();
    let mut used = 0;
    while let HeadStep::Beat(beat) = next(&data[used..], &limits) {
        used += beat.bytes;
        let close = beat.close;
        plain.push(beat);
        if close {
            break;
        }
    }
    if plain.is_empty() {
        return;
    }
    let understood = through_hyper(data, &limits);
    assert!(understood.len() >= plain.len(), "hyper read {} of {}", understood.len(), plain.len());
    for (beat, request) in plain.iter().zip(&understood) {
        match beat.url {
            None => {
                assert_eq!(request.method, "POST");
                assert!(BEAT_PATHS.contains(&request.path.as_str()), "{request:?}");
            }
            Some(url) => {
                assert!(matches!(request.method.as_str(), "GET" | "POST"), "{request:?}");
                let uri: hyper::Uri = request.path.parse().unwrap();
                assert_eq!(UrlBeat::of(uri.path(), uri.query().unwrap_or_default()), Some(url.beat));
                let accept = request.headers.iter().find(|(name, _)| name == "accept");
                let accept = accept.and_then(|(_, value)| std::str::from_utf8(value).ok()).unwrap_or_default();
                assert_eq!(wants_json(accept), url.json, "{request:?}");
            }
        }
        assert_eq!(request.version, hyper::Version::HTTP_11);
        assert_eq!(request.body, beat.body);
        let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        assert_eq!(Facts::collect(headers).as_ref(), Ok(&beat.facts));
    }
    if plain.last().is_some_and(|last| last.close) {
        assert_eq!(understood.len(), plain.len(), "hyper went on after Connection: close");
    }
});

fn through_hyper(data: &[u8], limits: &Limits) -> Vec<Understood> {
    let understood = Rc::new(RefCell::new(Vec::new()));
    let seen = understood.clone();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let seen = seen.clone();
        async move {
            let (head, body) = request.into_parts();
            let headers =
                head.headers.iter().map(|(n, v)| (n.as_str().to_string(), v.as_bytes().to_vec())).collect();
            let Ok(body) = body.collect().await else { return Ok(Response::new(Full::default())) };
            seen.borrow_mut().push(Understood {
                method: head.method.to_string(),
                path: head.uri.to_string(),
                version: head.version,
                headers,
                body: body.to_bytes().to_vec(),
            });
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .max_headers(limits.header_lines)
        .max_header_size(limits.header_bytes)
        .max_buf_size((limits.header_bytes + 1).max(16 * 1024))
        .serve_connection(Memory { data: data.to_vec(), at: 0 }, service);
    let mut connection = std::pin::pin!(connection);
    // Everything is there at once, so it goes on as long as it is polled.
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if connection.as_mut().poll(&mut cx).is_ready() {
            break;
        }
    }
    understood.take()
}

/// A socket whose client has sent its bytes and half-closed.
struct Memory {
    data: Vec<u8>,
    at: usize,
}

impl Read for Memory {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let n = cursor.remaining().min(this.data.len() - this.at);
        cursor.put_slice(&this.data[this.at..this.at + n]);
        this.at += n;
        Poll::Ready(Ok(()))
    }
}

impl Write for Memory {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
