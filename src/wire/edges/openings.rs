//! The first bytes of connections and requests, and lines that are too long.

use super::super::line::{LineCommand, kept_head};
use super::super::proxy_protocol::{ProxyOpening, read as opening};
use super::super::query::{alerts, incidents};
use super::super::{dialect, line};
use super::*;
use crate::domain::limits::{LINE_BYTES_MAX, LINE_FIELDS_BYTES_MAX, PROXY_HEADER_BYTES_MAX};
use crate::i18n::samples::HAN;

#[test]
fn a_header_of_the_proxy_protocol_may_reach_its_bounds() {
    let line = |bytes: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(bytes - 16));
    assert_eq!(opening(line(107).as_bytes()), ProxyOpening::Header { bytes: 107, client: None });
    assert_eq!(opening(&line(107).as_bytes()[..106]), ProxyOpening::Partial);
    assert!(matches!(opening(line(108).as_bytes()), ProxyOpening::Wrong(_)));
    assert!(matches!(opening(&line(200).as_bytes()[..107]), ProxyOpening::Wrong(_)));
    // Version 2, a command of the proxy itself.
    let header = |bytes: usize| {
        let length = (bytes - 16) as u16;
        [&b"\r\n\r\n\0\r\nQUIT\n\x20\0"[..], &length.to_be_bytes(), &vec![0; bytes - 16]].concat()
    };
    let most = PROXY_HEADER_BYTES_MAX;
    assert_eq!(opening(&header(most)), ProxyOpening::Header { bytes: most, client: None });
    assert_eq!(opening(&header(most)[..most - 1]), ProxyOpening::Partial);
    assert!(matches!(opening(&header(most + 1)), ProxyOpening::Wrong(_)));
}

#[test]
fn a_token_is_read_from_its_header_and_from_one() {
    let facts = |count| Facts::collect(vec![("Authorization", &b"Bearer t"[..]); count].into_iter());
    assert_eq!(facts(1).unwrap().authorization, Some(&b"Bearer t"[..]));
    assert_eq!(facts(0).unwrap().authorization, None);
    assert!(facts(2).is_err());
}

#[test]
fn questions_may_reach_their_bounds() {
    let x = |count: usize| HAN.repeat(count);
    assert_eq!(selection(&format!("match={}", x(128))).unwrap().search, x(128));
    assert!(selection(&format!("match={}", x(129))).is_err());
    assert_eq!(selection(&format!("tag={}", x(64))).unwrap().tag, x(64));
    assert!(selection(&format!("tag={}", x(65))).is_err());
    assert_eq!(
        alerts("after=&state=", &["failed"]).map(|asked| (asked.before, asked.state)),
        Ok((None, None))
    );
    assert_eq!(
        alerts("after=7&state=failed", &["failed"]).map(|asked| (asked.before, asked.state)),
        Ok((Some(7), Some("failed")))
    );
    assert!(alerts("after=x", &[]).is_err() && alerts("state=other", &["failed"]).is_err());
    assert_eq!(incidents("limit=10000").map(|asked| asked.limit), Ok(10_000));
}

#[test]
fn nesting_is_counted_down_again() {
    let limits = Limits { json_depth: 3, ..Limits::default() };
    let many = format!("[{}]", vec![r#"{"x":[1]}"#; 50].join(","));
    assert!(parse(many.as_bytes(), &limits).is_ok());
}

#[test]
fn more_tags_than_may_be_are_cut_and_that_is_said() {
    for (count, warnings) in [(16, vec![]), (17, vec![Warning::TagsCut]), (400, vec![Warning::TagsCut])] {
        let mut fields = Fields::default();
        fields.put("tags", vec!["x"; count].join(","));
        let beat = fields.beat().unwrap();
        assert_eq!(
            (beat.tags.map(<[_]>::len), beat.warnings.iter().collect()),
            (Some(16), warnings),
            "{count}"
        );
    }
}

#[test]
fn a_line_of_just_the_length_that_may_be_loses_nothing_of_its_message() {
    for more in [0, 1] {
        let fields = format!("BEAT a rid={}", "r".repeat(LINE_FIELDS_BYTES_MAX - 20));
        let text = format!("{fields} message={}\n", "m".repeat(LINE_BYTES_MAX - fields.len() - 9 + more));
        assert_eq!(text.len() - 1, LINE_BYTES_MAX + more);
        let (mut parser, mut cut) = (dialect::DialectParser::default(), Vec::new());
        for piece in text.as_bytes().chunks(5_000) {
            parser.feed(piece, 9, &mut |event| {
                if let dialect::DialectEvent::Command(LineCommand::Beat(mut fields)) = event {
                    let beat = fields.beat().unwrap();
                    cut.push((
                        beat.warnings.iter().any(|one| one == Warning::MessageCut),
                        beat.message.map(str::len),
                    ));
                }
            });
        }
        assert_eq!(cut.len(), 1);
        assert_eq!(cut[0].0, more == 1, "{cut:?}");
        assert!(cut[0].1.is_some_and(|bytes| bytes <= 10_000 && (bytes == 10_000) == (more == 0)), "{cut:?}");
    }
    let head = kept_head(format!("BEAT a message={}", "m".repeat(5_000)).as_bytes());
    assert!(head.is_some_and(|head| head > 15 && head < 5_000));
    assert_eq!((kept_head(b"BEAT a message=m"), kept_head(b"PING")), (None, None));
    assert_eq!(line::reason(&super::super::fields::BeatError::of("id", "no")), "id no");
}
