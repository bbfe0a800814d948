//! What lies exactly at a bound, and answers and questions of which every part says something.

use super::answer::Answer;
use super::control::{PauseFor, Wrong, declaration, pause};
use super::dialect::Talk;
use super::fields::Fields;
use super::forwarded::{Proxies, ProxyHeader};
use super::json::{Body, parse};
use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Exit, Status, Warning, Warnings};
use crate::domain::limits::Limits;
use crate::domain::time::{Span, Wall};

fn written(answer: &Answer) -> String {
    let mut out = Vec::new();
    answer.write(&mut out, "-");
    String::from_utf8(out).unwrap()
}

#[test]
fn every_status_that_is_answered_has_a_phrase() {
    for status in [
        101, 200, 201, 204, 400, 401, 403, 404, 405, 408, 409, 411, 413, 414, 415, 426, 429, 431, 500, 503,
        505,
    ] {
        let line = written(&Answer::error(status, "no")).lines().next().unwrap().to_string();
        assert!(line.starts_with(&format!("HTTP/1.1 {status} ")) && !line.ends_with("Unknown"), "{line}");
    }
    assert!(written(&Answer::error(499, "no")).starts_with("HTTP/1.1 499 Unknown\r\n"));
}

#[test]
fn an_answer_has_the_headers_that_it_says_and_no_others() {
    let headers = |answer: &Answer| -> Vec<String> {
        written(answer).lines().skip(1).take_while(|line| !line.is_empty()).map(String::from).collect()
    };
    assert_eq!(headers(&Answer::no_content()), ["date: -"]);
    let wanted =
        ["content-type: application/json", "www-authenticate: Bearer", "content-length: 3", "date: -"];
    let answer = Answer { authenticate: true, body: b"{}\n"[..].into(), ..Answer::error(401, "no") };
    assert_eq!(headers(&answer), wanted);
    let answer = Answer { location: Some("/x".into()), ..Answer::method_not_allowed("GET") }.closing();
    let told = headers(&answer).join("|");
    assert!(told.contains("|allow: GET|location: /x|connection: close|content-length: "), "{told}");
    assert!(headers(&Answer::too_often("no", Span(0))).contains(&"retry-after: 1".into()));
}

#[test]
fn a_beat_of_which_something_was_lost_is_acknowledged_as_any_other() {
    let mut warnings = Warnings::NONE;
    warnings.add(Warning::MessageCut);
    let answer = Answer::taken(Span::secs(60), warnings);
    assert_eq!((answer.status, answer.acknowledges, answer.interval), (200, 1, Some(Span::secs(60))));
    assert!(String::from_utf8_lossy(&answer.body).contains("message: cut to 10000 bytes"));
    let (mut kept, mut refused) = (answer.clone(), answer);
    kept.not_stored(false);
    assert!(String::from_utf8_lossy(&kept.body).contains("\"stored\":false"));
    refused.not_stored(true);
    assert_eq!((refused.status, refused.acknowledges, refused.retry_after), (503, 0, Some(Span::secs(5))));
    // What acknowledges nothing says nothing of being kept.
    let mut other = Answer::json(200, &serde_json::json!({}));
    other.not_stored(true);
    assert_eq!(other, Answer::json(200, &serde_json::json!({})));
    assert_eq!(Answer::taken(Span::secs(1), Warnings::NONE), Answer::ok(Span::secs(1)));
}

#[test]
fn only_the_plain_answer_to_a_beat_is_that() {
    let ok = Answer::ok(Span::secs(1));
    assert!(ok.is_plain_ok());
    assert!(!ok.clone().closing().is_plain_ok());
    assert!(!Answer { status: 201, ..ok.clone() }.is_plain_ok());
    assert!(!Answer { body: ok.body.to_vec().into(), ..ok }.is_plain_ok());
    assert_eq!(Answer::no_content().message(), b"");
}

fn wrong(body: &str) -> Wrong {
    declaration(body.as_bytes()).unwrap_err()
}

#[test]
fn a_wish_may_reach_its_bounds() {
    let tag = "x".repeat(64);
    let tags = vec![format!("\"{tag}\""); 16].join(",");
    for (interval, grace) in
        [("1", "0"), ("\"1s\"", "\"0s\""), ("31622400", "\"366d\""), ("\"366d\"", "31622400.0")]
    {
        let body = format!("{{\"interval\":{interval},\"grace\":{grace},\"tags\":[{tags}]}}");
        let read = declaration(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error:?}"));
        let spans = [Span::secs(1), Span(0), Span::secs(366 * 86_400)];
        assert!(read.interval.is_some_and(|span| spans.contains(&span)), "{body}");
        assert!(read.grace.is_some_and(|span| spans.contains(&span)), "{body}");
        assert_eq!(read.tags.map(|tags| tags.len()), Some(16));
    }
    for body in [format!("{{\"tags\":[\"{tag}x\"]}}"), "{\"tags\":[\"\"]}".into()] {
        assert_eq!(wrong(&body).field, Some("tags"));
    }
    let unknown = wrong(&format!("{{\"a\\n{}\":1}}", "b".repeat(100))).reason;
    assert!(
        unknown.contains(&format!("\"a{}\"", "b".repeat(63))) && unknown.contains("interval, grace, tags")
    );
    assert!(wrong("{").reason.starts_with("not JSON: ") && wrong("5").reason.contains("JSON object"));
}

#[test]
fn a_pause_ends_at_a_moment_that_is_written_in_64_bytes_at_most() {
    let until = |text: &str| pause(format!("{{\"until\":\"{text}\"}}").as_bytes());
    assert_eq!(until("2026-02-08T11:30:20.0+08:00"), Ok(PauseFor::Until(Wall(1_770_521_420_000))));
    let zone = "2026-02-08T11:30:20+08:00[Asia/Shanghai]";
    assert!(until(zone).is_ok() && zone.len() < 64);
    assert_eq!(until(&"2".repeat(65)).map_err(|wrong| wrong.field), Err(Some("until")));
    assert_eq!(pause(b"{\"for\":null,\"until\":null}"), Ok(PauseFor::Good));
    assert_eq!(pause(b"{\"for\":1}"), Ok(PauseFor::Span(Span::secs(1))));
}

#[test]
fn a_talk_is_silent_until_its_first_byte() {
    let mut talk = Talk::default();
    assert!(talk.is_silent() && !talk.is_inside_message());
    talk.feed(b"P", 9, &mut |event| panic!("{event:?}"));
    assert!(!talk.is_silent() && talk.is_inside_message());
    let mut events = 0;
    talk.feed(b"ING\n", 9, &mut |_| events += 1);
    assert!(!talk.is_silent() && !talk.is_inside_message() && events == 1);
}

#[test]
fn a_trusted_peer_announces_its_client_once_or_relays_each() {
    let peers = ["10.0.0.1", "203.0.113.9"].map(|ip| Peer::from_ip(ip.parse().unwrap()));
    let proxies = |header| Proxies { networks: vec!["10.0.0.0/8".parse().unwrap()], unix: false, header };
    let once = proxies(ProxyHeader::ProxyProtocol);
    let each = proxies(ProxyHeader::XRealIp);
    assert_eq!(peers.map(|peer| once.announces(peer)), [true, false]);
    assert_eq!(peers.map(|peer| once.relays(peer)), [false, false]);
    assert_eq!(peers.map(|peer| each.announces(peer)), [false, false]);
    assert_eq!(peers.map(|peer| each.relays(peer)), [true, false]);
    assert!(!once.trusts(Peer::Unix) && Proxies { unix: true, ..once }.trusts(Peer::Unix));
    for header in ProxyHeader::ALL {
        assert_eq!(header.name().parse(), Ok(header));
    }
    assert!("via".parse::<ProxyHeader>().is_err());
}

/// Reads one beat of JSON.
fn read<T>(body: &str, see: impl Fn(Result<Beat<'_>, Option<&'static str>>) -> T) -> T {
    match parse(body.as_bytes(), &Limits::default()) {
        Ok(Body::One(mut fields)) => see(fields.beat().map_err(|error| error.field)),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn what_decorates_a_beat_may_reach_its_bounds() {
    let x = |length: usize| "x".repeat(length);
    let tags = vec![format!("\"{}\"", x(64)); 16].join(",");
    let body = format!("{{\"message\":\"{}\",\"rid\":\"{}\",\"tags\":[{tags}]}}", x(10_000), x(64));
    let kept = |body: &str| {
        read(body, |beat| {
            let beat = beat.unwrap();
            (beat.message.map(str::len), beat.rid.map(str::len), beat.tags.map(<[_]>::len), beat.warnings)
        })
    };
    assert_eq!(kept(&body), (Some(10_000), Some(64), Some(16), Warnings::NONE));
    let body = format!("{{\"rid\":\"{}\"}}", x(65));
    assert_eq!((kept(&body).1, kept(&body).3.iter().next()), (None, Some(Warning::RidLeftOut)));
}

#[test]
fn numbers_are_what_was_written_or_nothing() {
    let seq = |text: &str| read(&format!("{{\"seq\":{text}}}"), |beat| beat.unwrap().seq);
    assert_eq!((seq("0.0"), seq("5.0"), seq("0"), seq("-0.5")), (Some(0), Some(5), Some(0), None));
    assert_eq!((seq("18446744073709551615"), seq("1.8446744073709552e19")), (Some(u64::MAX), None));
    let ts = |text: &str| read(&format!("{{\"ts\":{text}}}"), |beat| beat.unwrap().ts.map(|ts| ts.0));
    assert_eq!(
        (ts("1.5"), ts("-2"), ts("\"1.5\""), ts("3")),
        (Some(1_500), Some(-2_000), Some(1_500), Some(3_000))
    );
    assert_eq!(
        (ts("253402207199"), ts("253402207200"), ts("-253402207200")),
        (Some(253_402_207_199_000), None, None)
    );
    assert_eq!(ts(&format!("\"{}\"", "1".repeat(65))), None);
    let status = |text: &str| read(&format!("{{\"status\":{text}}}"), |beat| beat.map(|beat| beat.status));
    for (text, code) in
        [("9007199254740992.0", 1 << 53), ("-3.0", -3), ("\"-7\"", -7), ("\"7\"", 7), ("-9", -9)]
    {
        assert_eq!(status(text), Ok(Status::Exit(code)), "{text}");
    }
    for text in
        ["9007199254740994.0", "1.5", "\"+7\"", "\"--7\"", "\"-\"", "\"\"", "9223372036854775808", "[]"]
    {
        assert_eq!(status(text), Err(Some("status")), "{text}");
    }
}

#[test]
fn a_signal_is_one_that_there_is() {
    let exit = |text: &str| {
        read(&format!("{{\"status\":\"fail\",\"signal\":{text}}}"), |beat| beat.unwrap().status.failure())
    };
    for (text, number) in [("1", 1), ("127", 127), ("\"9\"", 9)] {
        assert_eq!(exit(text), Some(Exit::Signal(number)), "{text}");
    }
    for text in ["0", "128", "256", "\"+9\"", "\"KILL\"", "\"\"", "-9", "9.5"] {
        assert_eq!(exit(text), None, "{text}");
    }
}

#[test]
fn spans_of_a_beat_may_reach_their_bounds() {
    let times = |body: &str| read(body, |beat| beat.map(|beat| (beat.interval, beat.grace)));
    let most = Some(Span::secs(366 * 86_400));
    assert_eq!(times("{\"interval\":1,\"grace\":0}"), Ok((Some(Span::secs(1)), Some(Span(0)))));
    assert_eq!(times("{\"interval\":31622400.0,\"grace\":\"366d\"}"), Ok((most, most)));
    for (body, field) in [
        ("{\"interval\":0}", "interval"),
        ("{\"interval\":\"0s\"}", "interval"),
        ("{\"interval\":31622401}", "interval"),
        ("{\"grace\":-1}", "grace"),
        ("{\"grace\":\"31622401s\"}", "grace"),
        ("{\"grace\":[]}", "grace"),
    ] {
        assert_eq!(times(body), Err(Some(field)), "{body}");
    }
}

#[test]
fn fields_of_text_are_put_by_name_and_filled_from_others() {
    let mut fields = Fields::default();
    assert!(
        fields.put("id", "a")
            && fields.put("seq", "7")
            && fields.put("tags", "x,y")
            && !fields.put("no", "b")
    );
    let mut other = Fields::default();
    assert!(other.put("id", "b") && other.put("rid", "r") && other.put("message", "\u{fffd}"));
    other.warn(Warning::MessageCut);
    other.warn_if_repaired();
    fields.warn_if_repaired();
    assert!(fields.beat().unwrap().warnings.is_empty());
    fields.fill_from(&other);
    let beat = fields.beat().unwrap();
    assert_eq!((beat.id.map(|id| id.as_str()), beat.seq, beat.rid), (Some("a"), Some(7), Some("r")));
    assert_eq!(beat.tags.map(<[_]>::len), Some(2));
    let warnings: Vec<Warning> = beat.warnings.iter().collect();
    assert!(warnings.contains(&Warning::MessageCut) && warnings.contains(&Warning::Encoding), "{warnings:?}");
    // A counter in words is none, and so is nothing.
    for text in ["", "-7", "+7", "seven"] {
        let mut fields = Fields::default();
        fields.put("seq", text);
        assert_eq!(fields.beat().unwrap().seq, None, "{text}");
    }
    // Of tags the text that stands for wrong bytes counts too.
    let mut fields = Fields::default();
    fields.put("tags", "a,\u{fffd}");
    fields.warn_if_repaired();
    assert_eq!(fields.beat().unwrap().warnings.iter().collect::<Vec<_>>(), [Warning::Encoding]);
}
