//! Tests of what answers mean.

use super::*;
use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

fn reply(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> ApiReply {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    ApiReply { status, headers: map, body: Bytes::from_static(body.as_bytes()) }
}

fn outcome(status: u16, body: &'static str) -> BatchOutcome {
    of_reply(&reply(status, &[], body), 3, &ServerUrl::default())
}

#[test]
fn a_beat_is_settled_only_when_the_server_says_so() {
    let answer = reply(200, &[("heartbeat-interval", "90")], r#"{"status":"ok"}"#);
    let taken = of_reply(&answer, 1, &ServerUrl::default());
    assert_eq!((taken.settled, taken.interval, taken.error), (1, Some(Span::secs(90)), None));
    for body in ["<html>hello</html>", "{}", r#"{"status":"no"}"#, "[]", ""] {
        let strange = outcome(200, body);
        assert_eq!(strange.settled, 0, "{body}");
        let Some(DeliveryError::Refused(failure)) = strange.error else { panic!("{body}") };
        assert_eq!(failure.exit_code, 76, "{body}");
    }
}

#[test]
fn of_a_batch_the_rejected_are_settled_too_and_told() {
    let body = r#"{"status":"ok","accepted":1,"rejected":[{"index":0,"field":"id","error":"x"},{"index":2,"error":"full"}]}"#;
    let taken = outcome(200, body);
    assert_eq!((taken.settled, taken.rejected), (3, 2));
    assert_eq!(taken.reasons, ["id: x", "full"]);
}

#[test]
fn each_refusal_is_of_its_kind() {
    let ours = r#"{"error":"no"}"#;
    assert!(matches!(outcome(400, ours).error, Some(DeliveryError::Unfit(f)) if f.exit_code == 65));
    assert!(matches!(outcome(413, ours).error, Some(DeliveryError::Unfit(_))));
    assert!(matches!(outcome(401, ours).error, Some(DeliveryError::Refused(f)) if f.exit_code == 77));
    assert!(matches!(outcome(404, "gone").error, Some(DeliveryError::Refused(f)) if f.exit_code == 66));
    assert!(matches!(outcome(502, "").error, Some(DeliveryError::Lost(f)) if f.exit_code == 69));
    assert!(
        matches!(outcome(503, "<html>").error, Some(DeliveryError::Lost(_))),
        "a proxy with nobody behind it"
    );
    let busy = reply(503, &[("retry-after", "5")], ours);
    let error = of_reply(&busy, 1, &ServerUrl::default()).error;
    assert!(
        matches!(error, Some(DeliveryError::Later(f, Some(wait))) if f.exit_code == 75 && wait == Span::secs(5))
    );
    assert!(matches!(outcome(429, ours).error, Some(DeliveryError::Later(_, None))));
    assert!(!outcome(502, "").is_answer() && outcome(429, ours).is_answer());
}

#[test]
fn a_websocket_says_the_same_in_json() {
    let of = |text: &str| of_json(&serde_json::from_str(text).unwrap(), 1, &ServerUrl::default());
    assert_eq!(of(r#"{"status":"ok","interval_s":60}"#).interval, Some(Span::secs(60)));
    assert!(matches!(of(r#"{"error":"no","field":"id"}"#).error, Some(DeliveryError::Unfit(_))));
    assert!(matches!(of(r#"{"error":"no","key":"access.allow"}"#).error, Some(DeliveryError::Refused(_))));
    assert!(matches!(
        of(r#"{"error":"no","retry_after_s":2}"#).error,
        Some(DeliveryError::Later(_, Some(_)))
    ));
}
