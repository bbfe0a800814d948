//! What lies exactly at a bound, and answers and questions of which every part says something.

mod openings;

use super::answer::Answer;
use super::control::{ControlError, PauseFor, declaration, pause};
use super::dialect::DialectParser;
use super::fields::Fields;
use super::forwarded::{Proxies, ProxyHeader};
use super::head::{FORWARDED_LINES_MAX, Facts};
use super::json::{Body, parse};
use super::line::{Dropped, joined};
use super::origin::host_asked_for;
use super::query::{cursor_text, lang, selection};
use super::ws::{Code, Opcode, Role, Session, WsEvent, frame};
use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Exit, Source, Status, Transport, Warning, Warnings};
use crate::domain::id::IdRef;
use crate::domain::lang::Lang;
use crate::domain::limits::Limits;
use crate::domain::policy::Defaults;
use crate::domain::registry::{Arrival, Name, Order, Registry};
use crate::domain::time::{Now, Span, Wall};
use std::sync::Arc;

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

fn wrong(body: &str) -> ControlError {
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
    let mut parser = DialectParser::default();
    assert!(parser.is_silent() && !parser.is_inside_message());
    parser.feed(b"P", 9, &mut |event| panic!("{event:?}"));
    assert!(!parser.is_silent() && parser.is_inside_message());
    let mut events = 0;
    parser.feed(b"ING\n", 9, &mut |_| events += 1);
    assert!(!parser.is_silent() && !parser.is_inside_message() && events == 1);
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

#[test]
fn proxies_are_believed_by_network_or_by_socket_each_alone() {
    let headers = [("x-forwarded-for", &b"1.2.3.4"[..])];
    let facts = Facts::collect(headers.into_iter()).unwrap();
    let proxy = Peer::from_ip([10, 0, 0, 1].into());
    let client = Ok(Peer::from_ip([1, 2, 3, 4].into()));
    let networks = Proxies { networks: vec!["10.0.0.0/8".parse().unwrap()], ..Proxies::default() };
    let socket = Proxies { unix: true, ..Proxies::default() };
    assert_eq!(
        (networks.client(proxy, &facts), networks.client(Peer::Unix, &facts)),
        (client, Ok(Peer::Unix))
    );
    assert_eq!((socket.client(proxy, &facts), socket.client(Peer::Unix, &facts)), (Ok(proxy), client));
    assert_eq!(Proxies::default().client(proxy, &facts), Ok(proxy));
}

#[test]
fn so_many_lines_of_a_header_are_read_and_no_more() {
    let collect =
        |count| Facts::collect(vec![("x-forwarded-for", &b"1.2.3.4"[..]); count].into_iter()).is_ok();
    assert_eq!([1, FORWARDED_LINES_MAX, FORWARDED_LINES_MAX + 1].map(collect), [true, true, false]);
}

#[test]
fn a_request_is_asked_for_under_what_a_trusted_proxy_says_or_host() {
    let asked = |said: &str, peer: Peer| {
        let headers = [("host", &b"own.lan"[..]), ("x-forwarded-host", said.as_bytes())];
        let facts = Facts::collect(headers.into_iter()).unwrap();
        let proxies = Proxies { unix: true, ..Proxies::default() };
        host_asked_for(&proxies, peer, &facts).map(|host| String::from_utf8_lossy(host).into_owned())
    };
    let stranger = Peer::from_ip([1, 2, 3, 4].into());
    assert_eq!(asked("a.example, b", Peer::Unix).as_deref(), Some("a.example"));
    assert_eq!(asked("a.example", stranger).as_deref(), Some("own.lan"));
    assert_eq!(asked("", Peer::Unix).as_deref(), Some("own.lan"));
    let facts = Facts::collect(std::iter::empty()).unwrap();
    assert_eq!(host_asked_for(&Proxies::default(), stranger, &facts), None);
}

#[test]
fn a_beat_may_have_as_many_bytes_as_is_said_without_what_decorates_it() {
    let body = format!("{{\"id\":\"a\",\"message\":\"{}\"}}", "x".repeat(100));
    let rest = body.len() - 102;
    for (bytes, fits) in [(rest, true), (rest - 1, false), (body.len(), true)] {
        let limits = Limits { beat_bytes: bytes, ..Limits::default() };
        assert_eq!(parse(body.as_bytes(), &limits).is_ok(), fits, "{bytes}");
    }
}

#[test]
fn depth_counts_what_is_open_and_not_what_was() {
    let limits = Limits { json_depth: 3, ..Limits::default() };
    let many = format!("[{}]", vec![r#"{"id":"]}","x":[1]}"#; 50].join(","));
    match parse(many.as_bytes(), &limits) {
        Ok(Body::Many(beats)) => assert_eq!(beats.filter(|beat| beat.is_ok()).count(), 50),
        other => panic!("{other:?}"),
    }
    assert!(parse(br#"[{"x":[[1]]}]"#, &limits).is_err());
    assert!(parse(br#"[{"x":"[[[[\"[["}]"#, &limits).is_ok());
}

#[test]
fn batches_hold_as_many_beats_as_is_said() {
    let limits = Limits { batch_beats: 3, ..Limits::default() };
    for separator in ["\n", "\n\n\n"] {
        let lines = |count: usize| vec!["{}"; count].join(separator) + "\n\n";
        assert!(parse(lines(3).as_bytes(), &limits).is_ok() && parse(lines(4).as_bytes(), &limits).is_err());
    }
    let array = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
    assert!(parse(array(3).as_bytes(), &limits).is_ok() && parse(array(4).as_bytes(), &limits).is_err());
}

#[test]
fn a_line_without_its_middle_says_how_much_that_was() {
    let read = |line: &[u8], at, bytes| String::from_utf8(joined(line, Dropped { at, bytes })).unwrap();
    assert_eq!(read(b"BEAT a message=bc", 16, 5), "BEAT a message=b\n[… 5 B …]\nc");
    // A character that was cut in two is dropped whole, and counted.
    assert_eq!(read(b"x\xe5\xbf\x83y", 3, 7), "x\n[… 10 B …]\ny");
}

#[test]
fn a_query_asks_for_a_language_that_there_is() {
    assert_eq!(
        (lang("lang=zh"), lang("x=1&lang=en"), lang("lang=xx"), lang("")),
        (Some(Lang::Zh), Some(Lang::En), None, None)
    );
    assert_eq!(lang("lang=zh&lang=en"), Some(Lang::En), "the last holds");
    assert_eq!(cursor_text(-7, "a:b"), "-7:a:b");
}

/// A session of which one field is another one.
fn session(change: impl Fn(&mut serde_json::Value)) -> bool {
    let mut value = serde_json::to_value(Session::new(Role::Server)).unwrap();
    change(&mut value["inbound"]);
    serde_json::from_value::<Session>(value).unwrap().is_sound()
}

#[test]
fn a_session_that_was_left_is_sound_or_refused() {
    assert!(session(|_| {}));
    // The head of a masked text of five bytes, two of which have come.
    let begun = |inbound: &mut serde_json::Value| {
        inbound["head_bytes"] = 6.into();
        inbound["head"] = serde_json::json!([0x81, 0x85, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
        inbound["taken"] = 2.into();
        inbound["pending"] = "aGk=".into();
    };
    assert!(session(begun));
    type Change = fn(&mut serde_json::Value);
    let spoiled: [(&str, Change); 8] = [
        ("a head of more bytes than there are", |inbound| inbound["head_bytes"] = 15.into()),
        ("more of the head than it has", |inbound| inbound["head_bytes"] = 7.into()),
        ("more taken than is pending", |inbound| inbound["taken"] = 3.into()),
        ("more taken than the frame has", |inbound| {
            inbound["taken"] = 6.into();
            inbound["pending"] = "aGlqa2xt".into();
        }),
        ("a character of four bytes cut short", |inbound| {
            inbound["unchecked"] = 4.into();
            inbound["pending"] = "aGlqa2xt".into();
        }),
        ("more unchecked than is pending", |inbound| inbound["unchecked"] = 3.into()),
        ("a message of questions", |inbound| inbound["message"] = "Ping".into()),
        ("a head that nobody sends", |inbound| inbound["head"][0] = 0xff.into()),
    ];
    for (what, change) in spoiled {
        let spoil = |inbound: &mut serde_json::Value| {
            begun(inbound);
            change(inbound);
        };
        assert!(!session(spoil), "{what}");
    }
    for kind in ["Text", "Binary"] {
        assert!(session(|inbound| {
            begun(inbound);
            inbound["head"][0] = 0x80.into();
            inbound["message"] = kind.into();
        }));
    }
}

#[test]
fn a_message_in_fragments_is_open_until_its_last() {
    let mut out = Vec::new();
    for (last, opcode) in [(false, Opcode::Text), (true, Opcode::Continuation)] {
        frame::write(&mut out, last, opcode, b"hi", None);
    }
    let mut session = Session::new(Role::Client);
    let is = |session: &Session| (session.is_inside_message(), session.is_between_messages());
    assert_eq!(is(&session), (false, true));
    let (first, rest) = out.split_at_mut(4);
    assert!(matches!(session.next(first, 99), Ok((4, None))));
    assert_eq!((is(&session), session.is_sound()), ((true, false), true));
    assert!(matches!(session.next(rest, 99), Ok((4, Some(WsEvent::Message { text: true, .. })))));
    assert_eq!(is(&session), (false, true));
    assert!(!session.has_heard_all());
    assert_eq!(Code::POLICY.to_string(), "1008");
}

#[test]
fn a_selection_takes_who_fits_all_that_it_says() {
    let mut registry = Registry::new(Now::default(), Defaults::default(), Arc::default());
    for (number, id, status) in
        [(1, "web-1", Status::Ok), (2, "web-2", Status::Fail), (3, "db-1", Status::Ok)]
    {
        let monitor = Name { id: IdRef::new(id).unwrap(), hash: number as u32 };
        let source = Source { peer: Peer::Unix, transport: Transport::Http };
        let beat = &Beat { status, ..Beat::default() };
        let arrival = Arrival { monitor, beat, source, follows_interval: false, create: Some(number) };
        registry.handle(Now::default(), arrival, &mut |_| {}).unwrap();
    }
    for (query, ids) in [
        ("", &["db-1", "web-1", "web-2"][..]),
        ("state=up", &["db-1", "web-1"]),
        ("match=web", &["web-1", "web-2"]),
        ("match=*1", &["db-1", "web-1"]),
        ("state=up&match=web*", &["web-1"]),
        ("tag=x", &[]),
    ] {
        let wanted = selection(query).unwrap();
        let found = registry.list(Now::default(), Order::Id, None, 9, |seen| wanted.wants(seen));
        assert_eq!(found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ids, "{query}");
    }
}
