//! Dialects of other services: whatever request one claims is read and answered without a panic, its beats are within their
//! number, and none of them takes a path that is ours.
#![no_main]

use heartbeat_server::domain::registry::Receipt;
use heartbeat_server::domain::time::Span;
use heartbeat_server::wire::compat::{COMPAT_BEATS_MAX, CompatRefusal, CompatRequest, TABLE};
use heartbeat_server::wire::fields::BeatError;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (u8, &str, &str, &str, &str, &[u8])| {
    let (method, path, query, kind, secret, body) = data;
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    let method = methods[usize::from(method) % methods.len()];
    let headers = [
        ("content-type", kind.as_bytes()),
        ("authorization", secret.as_bytes()),
        ("content-encoding", if secret.len() % 3 == 0 { &b"gzip"[..] } else { b"identity" }),
    ];
    let path = format!("/{}", path.trim_start_matches('/'));
    let request = CompatRequest { method, path: &path, query, headers: &headers, body, at: Default::default() };
    for entry in TABLE.iter().filter(|entry| entry.dialect.claims(&request)) {
        assert!(entry.owns_root || !matches!(path.as_str(), "/" | "/api/v1/beats" | "/metrics" | "/healthz" | "/readyz"));
        let dialect = entry.dialect;
        let _ = dialect.credential(&CompatRequest { body: b"", ..request });
        let _ = dialect.credential(&request);
        match dialect.read(&request) {
            Ok(beats) => {
                assert!(beats.len() <= COMPAT_BEATS_MAX);
                for mut beat in beats {
                    let _ = beat.fields.beat();
                    beat.fields.hide_id();
                    let _ = beat.fields.beat();
                }
            }
            Err(answer) => assert!((200..600).contains(&answer.status)),
        }
        let receipt = Receipt { interval: Span::secs(60), grace: Span::secs(30), created: true, deadline: None };
        assert!(dialect.taken(&request, &[receipt]).status < 300);
        let error = BeatError::of("id", "no");
        for why in [CompatRefusal::Unknown, CompatRefusal::Credential, CompatRefusal::Invalid(&error)] {
            let _ = dialect.refused(&request, &why);
        }
    }
});
