//! The fast path's reading of heads: never panics, and agrees with a reading of the same bytes by httparse alone about
//! method, path and length; and no beginning of a plain beat is taken for anything but the beginning of one.
#![no_main]

use heartbeat_server::domain::limits::Limits;
use heartbeat_server::wire::head::{BEAT_PATHS, HeadStep, next};
use heartbeat_server::wire::url_beat::PREFIX;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let HeadStep::Beat(plain) = next(data, &limits) else { return };
    let mut table = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut table);
    let head = match request.parse(data) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        other => panic!("a beat without a head: {other:?}"),
    };
    assert_eq!(request.version, Some(1));
    match plain.url {
        None => {
            assert_eq!(request.method, Some("POST"));
            assert!(BEAT_PATHS.contains(&request.path.unwrap()));
        }
        Some(url) => {
            assert!(matches!(request.method, Some("GET" | "POST")));
            assert!(request.path.unwrap().starts_with(url.path) && url.path.starts_with(PREFIX));
        }
    }
    let named = |name: &str| {
        request
            .headers
            .iter()
            .filter(|h| h.name.eq_ignore_ascii_case(name))
            .map(|h| h.value)
            .collect::<Vec<_>>()
    };
    let lengths = named("content-length");
    assert!(lengths.len() == 1 || lengths.is_empty() && plain.url.is_some());
    let length: usize = lengths.first().map_or(0, |length| std::str::from_utf8(length).unwrap().parse().unwrap());
    assert_eq!(plain.bytes, head + length);
    assert_eq!(plain.body, &data[head..head + length]);
    assert!(
        named("transfer-encoding").is_empty() && named("expect").is_empty() && named("upgrade").is_empty()
    );
    assert_eq!(named("host").first().copied(), plain.facts.host);
    assert_eq!(named("authorization").first().copied(), plain.facts.authorization);
    assert_eq!(named("origin").first().copied(), plain.facts.origin);
    assert_eq!(named("forwarded"), plain.facts.forwarded.as_slice());
    assert_eq!(named("x-forwarded-for"), plain.facts.x_forwarded_for.as_slice());
    let close = named("connection").first().is_some_and(|v| v.eq_ignore_ascii_case(b"close"));
    assert_eq!(close, plain.close);
    // What follows a beat does not change it, and however it is cut it is waited for.
    assert_eq!(next(&data[..plain.bytes], &limits), HeadStep::Beat(plain));
    let whole = head + length;
    for cut in [1, whole / 3, whole / 2, head - 1, whole - 1] {
        if cut < whole {
            assert!(matches!(next(&data[..cut], &limits), HeadStep::Partial { .. }), "cut at {cut}");
        }
    }
});
