//! What bodies mean.

use super::*;
use crate::domain::beat::{Beat, Status, Warning};
use crate::domain::id::IdRef;
use crate::domain::time::{Span, Wall};

fn one(body: &str) -> Result<String, BeatError> {
    match parse(body.as_bytes(), &Limits::default())? {
        Body::One(mut fields) => fields.beat().map(|b| format!("{b:?}")),
        Body::Many(_) => panic!("{body} is not a batch"),
    }
}

fn many(body: &str) -> Vec<Result<String, Option<&'static str>>> {
    match parse(body.as_bytes(), &Limits::default()) {
        Ok(Body::Many(items)) => items
            .map(|item| {
                match item
                    .and_then(|mut f| f.beat().map(|b| b.id.map_or("-".into(), |i| i.as_str().to_string())))
                {
                    Ok(id) => Ok(id),
                    Err(e) => Err(e.field),
                }
            })
            .collect(),
        other => panic!("{body} is not a batch but {other:?}"),
    }
}

fn refused(body: &str) -> (Option<&'static str>, String) {
    let error = one(body).expect_err(body);
    (error.field, error.reason.into_owned())
}

fn status_of(body: &str) -> Status {
    let limits = Limits::default();
    let Ok(Body::One(mut fields)) = parse(body.as_bytes(), &limits) else { panic!("{body}") };
    fields.beat().expect(body).status
}

#[test]
fn the_seed_client_is_understood() {
    let limits = Limits::default();
    let Ok(Body::One(mut fields)) = parse(br#"{"ip": "192.168.1.100"}"#, &limits) else { panic!() };
    let beat = fields.beat().unwrap();
    assert_eq!(beat, Beat { ip: Some(IdRef::new("192.168.1.100").unwrap()), ..Beat::default() });
}

#[test]
fn every_field_is_read() {
    let limits = Limits::default();
    let body = br#"{"id":"web\u002d1","ip":"10.0.0.1","seq":18446744073709551615,"ts":"2026-02-08T11:30:20+08:00",
        "interval":"1h30m","grace":0,"status":3,"message":"a\nb","tags":["x","\u5fc3"],"rid":"r1","other":{"deep":[1]}}"#;
    let Ok(Body::One(mut fields)) = parse(body, &limits) else { panic!() };
    let beat = fields.beat().unwrap();
    assert_eq!(beat.id.map(IdRef::as_str), Some("web-1"));
    assert_eq!(beat.seq, Some(u64::MAX));
    assert_eq!(beat.ts, Some(Wall(1_770_521_420_000)));
    assert_eq!((beat.interval, beat.grace), (Some(Span::secs(5400)), Some(Span(0))));
    assert_eq!(beat.status, Status::Exit(3));
    assert_eq!(beat.message, Some("a\nb"));
    assert_eq!(beat.tags.unwrap(), ["x", "心"]);
    assert_eq!(beat.rid, Some("r1"));
}

#[test]
fn a_whole_number_may_be_written_with_a_point() {
    let beat = one(r#"{"seq":7.0,"status":2.0}"#);
    assert_eq!(beat.unwrap(), one(r#"{"seq":7,"status":2}"#).unwrap());
    assert_eq!(refused(r#"{"status":1.5}"#).0, Some("status"));
}

#[test]
fn an_exit_code_is_any_whole_number_and_stays_what_it_was() {
    for (text, code) in [
        ("0", 0),
        ("1", 1),
        ("256", 256),
        ("-1", -1),
        // STATUS_CONTROL_C_EXIT, as a signed and as an unsigned number.
        ("-1073741510", -1_073_741_510),
        ("3221225786", 3_221_225_786),
        ("\"-1073741510\"", -1_073_741_510),
        ("\"007\"", 7),
        ("-3.0", -3),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        let status = status_of(&format!("{{\"status\":{text}}}"));
        assert_eq!((status, status.verdict()), (Status::Exit(code), Some(code == 0)), "{text}");
    }
}

#[test]
fn a_signal_names_the_end_of_a_run_that_failed() {
    for (text, status) in [
        (r#"{"status":137,"signal":9}"#, Status::Signal(9)),
        (r#"{"status":"fail","signal":"15"}"#, Status::Signal(15)),
        (r#"{"status":0,"signal":9}"#, Status::Exit(0)),
        (r#"{"signal":9}"#, Status::Ok),
        (r#"{"status":3,"signal":0}"#, Status::Exit(3)),
        (r#"{"status":3,"signal":128}"#, Status::Exit(3)),
        (r#"{"status":3,"signal":"KILL"}"#, Status::Exit(3)),
        (r#"{"status":3,"signal":null}"#, Status::Exit(3)),
    ] {
        assert_eq!(status_of(text), status, "{text}");
    }
}

#[test]
fn an_empty_body_is_an_empty_object_and_null_is_absent() {
    let empty = one("{}").unwrap();
    for body in ["", " \n", "\u{feff}{}", r#"{"id":null,"tags":null,"seq":null}"#] {
        assert_eq!(one(body).unwrap(), empty, "{body:?}");
    }
}

#[test]
fn of_a_key_given_twice_the_last_wins_even_over_a_wrong_one() {
    assert_eq!(one(r#"{"seq":"x","seq":5}"#).unwrap(), one(r#"{"seq":5}"#).unwrap());
    assert_eq!(refused(r#"{"grace":5,"grace":"x"}"#).0, Some("grace"));
    assert_eq!(one(r#"{"id":"a","id":null}"#).unwrap(), one("{}").unwrap());
}

#[test]
fn a_wrong_field_is_named() {
    for (body, field) in [
        (r#"{"id":5}"#, "id"),
        (r#"{"id":""}"#, "id"),
        (r#"{"id":"a b"}"#, "id"),
        (r#"{"id":["a"]}"#, "id"),
        (r#"{"interval":"0s"}"#, "interval"),
        (r#"{"interval":0.5}"#, "interval"),
        (r#"{"interval":-5}"#, "interval"),
        (r#"{"interval":"367d"}"#, "interval"),
        (r#"{"interval":"soon"}"#, "interval"),
        (r#"{"interval":1e400}"#, ""),
        (r#"{"grace":-1}"#, "grace"),
        (r#"{"grace":{}}"#, "grace"),
        (r#"{"status":"up"}"#, "status"),
        (r#"{"status":9223372036854775808}"#, "status"),
        (r#"{"status":1e300}"#, "status"),
        (r#"{"status":"+1"}"#, "status"),
        (r#"{"status":"-"}"#, "status"),
    ] {
        assert_eq!(refused(body).0.unwrap_or(""), field, "{body}");
    }
}

/// What of a body is not taken, and what is left of its message and tags.
fn left_of(body: &str) -> (Vec<Warning>, usize, Vec<String>) {
    let limits = Limits::default();
    let Ok(Body::One(mut fields)) = parse(body.as_bytes(), &limits) else { panic!("{body}") };
    let beat = fields.beat().unwrap_or_else(|error| panic!("{body}: {error:?}"));
    assert_eq!((beat.id.map(IdRef::as_str), beat.status), (Some("x"), Status::Fail), "{body}");
    let tags = beat.tags.unwrap_or_default().iter().map(|tag| tag.to_string()).collect();
    (beat.warnings.iter().collect(), beat.message.map_or(0, str::len), tags)
}

#[test]
fn a_beat_is_never_lost_to_its_decoration() {
    let tag = |length: usize| format!("\"{}\"", "x".repeat(length));
    for (decoration, warning) in [
        (r#""ip":"a b""#.to_string(), Warning::IpLeftOut),
        (r#""ip":true"#.into(), Warning::IpLeftOut),
        (r#""seq":-1"#.into(), Warning::SeqLeftOut),
        (r#""seq":1.5"#.into(), Warning::SeqLeftOut),
        (r#""seq":18446744073709551616"#.into(), Warning::SeqLeftOut),
        (r#""ts":"yesterday""#.into(), Warning::TsLeftOut),
        (r#""ts":1e300"#.into(), Warning::TsLeftOut),
        (r#""ts":[]"#.into(), Warning::TsLeftOut),
        (r#""message":5"#.into(), Warning::MessageLeftOut),
        (format!(r#""message":{}"#, tag(10_001)), Warning::MessageCut),
        (format!(r#""message":{}"#, tag(600_000)), Warning::MessageCut),
        (r#""tags":"x""#.into(), Warning::TagsLeftOut),
        (r#""tags":[1]"#.into(), Warning::TagsLeftOut),
        (r#""tags":[""]"#.into(), Warning::TagsLeftOut),
        (format!(r#""tags":[{}]"#, tag(65)), Warning::TagsLeftOut),
        (format!(r#""tags":["a",{},7]"#, tag(65)), Warning::TagsCut),
        (format!(r#""tags":[{}]"#, [tag(1).as_str(); 17].join(",")), Warning::TagsCut),
        (format!(r#""tags":[{}]"#, [tag(9).as_str(); 40_000].join(",")), Warning::TagsCut),
        (r#""rid":"""#.into(), Warning::RidLeftOut),
        (r#""rid":"a\u0000""#.into(), Warning::RidLeftOut),
        (format!(r#""rid":{}"#, tag(300_000)), Warning::RidLeftOut),
    ] {
        let (warnings, message, tags) = left_of(&format!(r#"{{"id":"x","status":"fail",{decoration}}}"#));
        assert_eq!(warnings, [warning], "{decoration:.80}");
        assert!(message <= 10_000 && (message > 9_900) == (warning == Warning::MessageCut));
        let kept = usize::from(warning == Warning::TagsCut && tags.len() == 1);
        assert!(tags.len() == kept || tags.len() == 16, "{decoration:.80}");
    }
    let many = r#"{"id":"x","status":"fail","message":1,"tags":1,"ts":"-","rid":1,"ip":1,"seq":"-"}"#;
    assert_eq!(left_of(many).0.len(), 6);
    let all: Vec<String> = Warning::ALL.into_iter().map(Warning::sentence).collect();
    assert_eq!(all[0], "message: cut to 10000 bytes");
    assert_eq!(Warning::MessageCut.word(), "message cut");
    assert!(left_of(r#"{"id":"x","status":"fail","message":"","tags":[],"ts":0,"seq":0}"#).0.is_empty());
}

#[test]
fn what_is_no_json_says_where() {
    for body in [
        "{",
        "{}}",
        "{'id':1}",
        r#"{"id":"a""#,
        "{\"id\":\"a\u{1}\"}",
        "nonsense",
        "5",
        "\"x\"",
        "null",
        "true",
        "[",
        "[{}",
        "[{}]x",
        "{}{}",
    ] {
        assert_eq!(one(body).expect_err(body).field, None);
    }
    assert!(parse(b"\xff{}", &Limits::default()).is_err());
    assert!(refused("{\"id\": x}").1.contains("line 1 column 8"));
}

#[test]
fn arrays_and_lines_are_batches_judged_one_by_one() {
    assert_eq!(many(r#"[{"id":"a"},{"id":"b"}]"#), [Ok("a".into()), Ok("b".into())]);
    assert_eq!(many("[]"), []);
    assert_eq!(
        many(r#"[{"id":"a"},5,{"id":"b c"},{"status":"-"}]"#),
        [Ok("a".into()), Err(None), Err(Some("id")), Err(Some("status"))]
    );
    assert_eq!(many("{\"id\":\"a\"}\n{\"id\":\"b\"}\n"), [Ok("a".into()), Ok("b".into())]);
    assert_eq!(many("{\"id\":\"a\"}\r\n\r\n{\"id\":\"b\"}"), [Ok("a".into()), Ok("b".into())]);
    assert_eq!(many("{\"id\":\"a\"\n{\"id\":\"b\"}\n"), [Err(None), Ok("b".into())]);
    assert_eq!(many("{\"id\":\"a\"}\nrubbish\n"), [Ok("a".into()), Err(None)]);
    assert!(one("{\n \"id\": \"a\",\n \"tags\": [\n \"x\"\n ]\n}\n").is_ok(), "one object over many lines");
    assert!(one("{\"id\":\"a\"}\n").is_ok());
}

#[test]
fn bounds_hold() {
    let limits = Limits { batch_beats: 3, beat_bytes: 40, ..Limits::default() };
    let ok = |body: &str| parse(body.as_bytes(), &limits).is_ok();
    assert!(ok("[{},{},{}]") && !ok("[{},{},{},{}]"));
    assert!(ok("{}\n{}\n{}") && !ok("{}\n{}\n{}\n{}"));
    assert!(ok("{}\n\n{}\n \n{}\n\n") && !ok("\n{}\n\n{}\n{}\n{}\n"));
    assert!(!ok(&format!(r#"{{"x":"{}"}}"#, "x".repeat(40))));
    assert!(ok(&format!(r#"{{"id":"a","message":"{}"}}"#, "x".repeat(40))), "a message is cut instead");
    let long = format!(r#"[{{"x":"{}"}},{{}}]"#, "x".repeat(40));
    let Ok(Body::Many(items)) = parse(long.as_bytes(), &limits) else { panic!() };
    let good: Vec<bool> = items.map(|item| item.is_ok()).collect();
    assert_eq!(good, [false, true]);
}

#[test]
fn depth_is_bounded_outside_strings_only() {
    let nested = |n: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(n), "]".repeat(n));
    assert!(one(&nested(15)).is_ok());
    assert!(refused(&nested(16)).1.contains("json_depth"));
    assert!(refused(&nested(100_000)).1.contains("json_depth"));
    assert!(one(&format!(r#"{{"message":"{}\"["}}"#, "[{".repeat(100))).is_ok());
}
