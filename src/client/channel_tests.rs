//! Tests of what answers mean.

use super::*;
use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

fn reply(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Reply {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    Reply { status, headers: map, body: Bytes::from_static(body.as_bytes()) }
}

fn delivery(status: u16, body: &'static str) -> Delivery {
    of_reply(&reply(status, &[], body), 3, &Target::default())
}

#[test]
fn a_beat_is_settled_only_when_the_server_says_so() {
    let answer = reply(200, &[("heartbeat-interval", "90")], r#"{"status":"ok"}"#);
    let taken = of_reply(&answer, 1, &Target::default());
    assert_eq!((taken.settled, taken.interval, taken.hitch), (1, Some(Span::secs(90)), None));
    for body in ["<html>hello</html>", "{}", r#"{"status":"no"}"#, "[]", ""] {
        let strange = delivery(200, body);
        assert_eq!(strange.settled, 0, "{body}");
        let Some(Hitch::Refused(failure)) = strange.hitch else { panic!("{body}") };
        assert_eq!(failure.exit_code, 76, "{body}");
    }
}

#[test]
fn of_a_batch_the_rejected_are_settled_too_and_told() {
    let body = r#"{"status":"ok","accepted":1,"rejected":[{"index":0,"field":"id","error":"x"},{"index":2,"error":"full"}]}"#;
    let taken = delivery(200, body);
    assert_eq!((taken.settled, taken.rejected), (3, 2));
    assert_eq!(taken.reasons, ["id: x", "full"]);
}

#[test]
fn each_refusal_is_of_its_kind() {
    let ours = r#"{"error":"no"}"#;
    assert!(matches!(delivery(400, ours).hitch, Some(Hitch::Unfit(f)) if f.exit_code == 65));
    assert!(matches!(delivery(413, ours).hitch, Some(Hitch::Unfit(_))));
    assert!(matches!(delivery(401, ours).hitch, Some(Hitch::Refused(f)) if f.exit_code == 77));
    assert!(matches!(delivery(404, "gone").hitch, Some(Hitch::Refused(f)) if f.exit_code == 66));
    assert!(matches!(delivery(502, "").hitch, Some(Hitch::Lost(f)) if f.exit_code == 69));
    assert!(matches!(delivery(503, "<html>").hitch, Some(Hitch::Lost(_))), "a proxy with nobody behind it");
    let busy = reply(503, &[("retry-after", "5")], ours);
    let hitch = of_reply(&busy, 1, &Target::default()).hitch;
    assert!(matches!(hitch, Some(Hitch::Later(f, Some(wait))) if f.exit_code == 75 && wait == Span::secs(5)));
    assert!(matches!(delivery(429, ours).hitch, Some(Hitch::Later(_, None))));
    assert!(!delivery(502, "").is_answer() && delivery(429, ours).is_answer());
}

#[test]
fn a_websocket_says_the_same_in_json() {
    let of = |text: &str| of_json(&serde_json::from_str(text).unwrap(), 1, &Target::default());
    assert_eq!(of(r#"{"status":"ok","interval_s":60}"#).interval, Some(Span::secs(60)));
    assert!(matches!(of(r#"{"error":"no","field":"id"}"#).hitch, Some(Hitch::Unfit(_))));
    assert!(matches!(of(r#"{"error":"no","key":"access.allow"}"#).hitch, Some(Hitch::Refused(_))));
    assert!(matches!(of(r#"{"error":"no","retry_after_s":2}"#).hitch, Some(Hitch::Later(_, Some(_)))));
}
