//! What first bytes mean, and that it does not matter how they are cut.

use super::*;
use proptest::prelude::*;

const LENGTH_MAX: usize = 100;

/// What is told, one word an event; `|` in between for a moment of quiet.
fn told(pieces: &[&[u8]]) -> String {
    let (mut parser, mut said) = (DialectParser::new(), Vec::new());
    for piece in pieces {
        parser.feed(piece, LENGTH_MAX, &mut |event| said.push(word(event)));
        parser = handed_over(&parser);
    }
    said.join(" ")
}

/// As the next process has it.
fn handed_over(parser: &DialectParser) -> DialectParser {
    let next: DialectParser = serde_json::from_str(&serde_json::to_string(parser).unwrap()).unwrap();
    assert!(next.is_sound() && next == *parser, "{parser:?}");
    next
}

proptest! {
    #[test]
    fn whatever_passes_for_a_state_can_go_on(
        stage in 0..6, number in any::<u8>(), head in any::<[u8; 12]>(), input in any::<Vec<u8>>(),
    ) {
        let stage = match stage {
            0 => format!(r#"{{"First":{{"bytes":{head:?},"have":{number}}}}}"#),
            1 => format!(r#"{{"Frame":{{"head":{:?},"have":{number},"skip":7}}}}"#, &head[..8]),
            2 => format!(r#"{{"Pong":{{"matched":{number}}}}}"#),
            3 => format!(r#"{{"Ping":{{"matched":{number}}}}}"#),
            4 => format!(r#"{{"Text":{{"matched":{number},"open":"Blank"}}}}"#),
            _ => r#"{"Line":{"begun":"AAECAw==","too_long":false}}"#.into(),
        };
        let mut parser: DialectParser = serde_json::from_str(&stage).unwrap();
        if parser.is_sound() {
            parser.feed(&input, LENGTH_MAX, &mut |_| {});
            parser.quiet(&mut |_| {});
        } else {
            prop_assert!(number > 3, "{stage}");
        }
    }
}

fn told_quietly(pieces: &[&[u8]]) -> String {
    let (mut parser, mut said) = (DialectParser::new(), Vec::new());
    for piece in pieces {
        parser.feed(piece, LENGTH_MAX, &mut |event| said.push(word(event)));
        parser.quiet(&mut |event| said.push(word(event)));
        said.push("|".into());
    }
    said.join(" ")
}

fn word(event: DialectEvent<'_>) -> String {
    match event {
        DialectEvent::Frame | DialectEvent::Pong => "sign".into(),
        DialectEvent::BarePing => "bare".into(),
        DialectEvent::Packet => "packet".into(),
        DialectEvent::Wrong(reason) => format!("wrong({})", reason.split(' ').next().unwrap_or_default()),
        DialectEvent::Impossible(_) => "impossible".into(),
        DialectEvent::Foreign(foreign) => format!("{foreign:?}").to_lowercase(),
        DialectEvent::Command(LineCommand::Beat(mut fields)) => format!("beat({:?})", fields.beat()),
        DialectEvent::Command(command) => format!("{command:?}").to_lowercase(),
    }
}

#[test]
fn each_dialect_is_known_by_its_first_bytes() {
    for (bytes, events, dialect) in [
        (&b"\0\0\0\0\0\0\0\0"[..], "sign", Dialect::Frame),
        (b"\x01\0\0\0\x02\0\0\0ab\0\0\0\0\0\0\0\0", "sign sign", Dialect::Frame),
        (b"pong", "sign", Dialect::Pong),
        (b"pongpong", "sign sign", Dialect::Pong),
        (b"pongxpopong", "sign sign", Dialect::Pong),
        (b"PING\n", "ping", Dialect::Line),
        (b"PING\r\n", "ping", Dialect::Line),
        (b"PING\nPING\n", "ping ping", Dialect::Line),
        (b"PINGPING", "bare", Dialect::Ping),
        (b"PINGX\nPING\n", "wrong(not) ping", Dialect::Line),
        (b"PINGPINX\n", "bare wrong(not)", Dialect::Line),
        (b"HEARTBEAT|ping\nHEARTBEAT|pong\n", "heartbeatping heartbeatpong", Dialect::Line),
        (b"AUTH a\nnonsense\n\n\r\n", "auth(\"a\") wrong(not)", Dialect::Line),
        (b"\n\r\nPING\n", "ping", Dialect::Line),
        (b"hello server", "packet", Dialect::Text),
        (b"hello serverhello server", "packet packet", Dialect::Text),
        (b"a line of text\n\0another\n\0", "packet packet", Dialect::Text),
        (b"texthello server\n", "packet packet", Dialect::Text),
        (b"hehello server", "packet packet", Dialect::Text),
        (b"\n\0", "packet", Dialect::Text),
        (b"hello server\0hello server\n", "packet packet", Dialect::Text),
        (b"\x02\0\0\0\0\0\0\0", "packet", Dialect::Text),
        (b"GET well soon", "", Dialect::Text),
        (b"GE", "", Dialect::Unknown),
        (b"\0\0\0\x10hello", "", Dialect::Text),
        (b"hello serve", "", Dialect::Unknown),
        (b"\x01\0\0", "", Dialect::Unknown),
        (b"\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0", "impossible", Dialect::Unknown),
        (b"QUIT\nPING\n", "quit", Dialect::Unknown),
    ] {
        let (mut parser, mut said) = (DialectParser::new(), Vec::new());
        parser.feed(bytes, LENGTH_MAX, &mut |event| said.push(word(event)));
        assert_eq!(
            (said.join(" ").as_str(), parser.dialect()),
            (events, dialect),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn openings_of_other_protocols_are_no_sign_of_life() {
    for (opening, foreign) in [
        (&b"GET / HTTP/1.1\r\nHost: hb:7778\r\n\r\n"[..], "http"),
        (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", "http"),
        (b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nBEAT web\n", "http"),
        (b"HEAD / HTTP/1.0\r\n\r\n", "http"),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", "http"),
        (b"CONNECT hb:443 HTTP/1.1\r\n\r\n", "http"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http"),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", "tls"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "ssh"),
        (b"\0\0\0\x2f\xffSMBr\0\0\0\0", "smb"),
        (b"\0\0\0\xd0\xfeSMB@\0", "smb"),
        (b"\xffSMBr\0\0\0\0", "smb"),
    ] {
        for size in [1, 3, opening.len()] {
            let pieces: Vec<&[u8]> = opening.chunks(size).collect();
            let (mut parser, mut said) = (DialectParser::new(), Vec::new());
            for piece in pieces {
                parser.feed(piece, LENGTH_MAX, &mut |event| said.push(word(event)));
                parser.quiet(&mut |event| said.push(word(event)));
            }
            assert_eq!(
                (said.join(" ").as_str(), parser.dialect()),
                (foreign, Dialect::Unknown),
                "{}",
                opening.escape_ascii()
            );
        }
    }
}

#[test]
fn it_is_known_when_something_has_begun_and_not_ended() {
    for (bytes, inside) in [
        (&b""[..], false),
        (b"BEA", true),
        (b"BEAT web", true),
        (b"BEAT web\n", false),
        (b"BEAT web\nP", true),
        (b"PIN", true),
        (b"PING", false),
        (b"\0\0\0\0\0\0\0\0", false),
        (b"\0\0\0\0\0\0\0\0\x01", true),
        (b"\x01\0\0\0\x05\0\0\0abc", true),
        (b"\x01\0\0\0\x03\0\0\0abc", false),
        (b"pongpo", false),
        (b"some text", true),
        (b"some text\n\0", false),
        (b"hello server", false),
    ] {
        let mut parser = DialectParser::new();
        parser.feed(bytes, LENGTH_MAX, &mut |_| {});
        assert_eq!(parser.is_inside_message(), inside, "{}", bytes.escape_ascii());
    }
}

#[test]
fn quiet_ends_what_has_no_end_of_its_own_and_nothing_that_may_go_on() {
    for (pieces, events) in [
        (&[&b"PING"[..], b"PING"][..], "bare | bare |"),
        (&[b"PING", b"\n", b"PING\n"], "bare | | ping |"),
        (&[b"PI", b"NG", b"PINGPING"], "| bare | bare bare |"),
        (&[b"PING", b"BEAT"], "bare | |"),
        (&[b"free text", b"and more"], "packet | packet |"),
        (&[b"hello", b" server", b"hell"], "| packet | |"),
        (&[b"texthell", b"o server"], "packet | packet |"),
        (&[b"po", b"ng", b"po"], "| sign | |"),
        (&[b"HEART", b"BEAT|ping", b"\n"], "| | heartbeatping |"),
        (&[b"\0\0\0", b"\0\0\0\0\0"], "| sign |"),
        (&[b"\n", b"PING\n"], "| ping |"),
    ] {
        assert_eq!(told_quietly(pieces), events, "{pieces:?}");
    }
}

#[test]
fn a_line_without_end_is_refused_once_and_not_kept() {
    let mut parser = DialectParser::new();
    let mut said = Vec::new();
    parser.feed(b"PING\n", LENGTH_MAX, &mut |event| said.push(word(event)));
    for _ in 0..100 {
        parser.feed(&[b'x'; 1000], LENGTH_MAX, &mut |event| said.push(word(event)));
    }
    assert_eq!(parser, DialectParser(ParserStage::Line { begun: Vec::new(), too_long: true, dropped: 0 }));
    parser.feed(b"\nPING\n", LENGTH_MAX, &mut |event| said.push(word(event)));
    assert_eq!(said, ["ping", "wrong(a)", "ping"]);
}

#[test]
fn of_a_message_that_is_too_long_beginning_and_end_are_kept() {
    for (letter, message_bytes) in [("x", 10_001), ("x", 300_000), ("心", 300_000), ("\u{1f600}", 20_000)] {
        let message = format!(
            "begin {}{} end",
            "-".repeat(message_bytes % 7),
            letter.repeat(message_bytes / letter.len())
        );
        let line = format!("BEAT web status=fail message={message}\nPING\n");
        let mut all = Vec::new();
        for size in [1, 7, 8 * 1024, line.len()] {
            let (mut parser, mut said, mut kept) = (DialectParser::new(), Vec::new(), 0);
            for piece in line.as_bytes().chunks(size) {
                parser.feed(piece, LENGTH_MAX, &mut |event| {
                    if let DialectEvent::Command(LineCommand::Beat(mut fields)) = event {
                        let beat = fields.beat().unwrap();
                        assert_eq!(beat.warnings.iter().collect::<Vec<_>>(), [Warning::MessageCut]);
                        said.push(beat.message.unwrap().to_string());
                    } else {
                        said.push(word(event));
                    }
                });
                if let ParserStage::Line { begun, .. } = &parser.0 {
                    kept = kept.max(begun.len());
                    assert!(parser.is_sound());
                }
            }
            assert!(kept <= BEGUN_BYTES_MAX, "{kept}");
            let [cut, ping] = &said[..] else { panic!("{said:?}") };
            assert_eq!(ping, "ping");
            assert!(cut.len() <= 10_000 && cut.len() > 9_900, "{}", cut.len());
            assert!(cut.starts_with("begin ") && cut.ends_with(" end") && !cut.contains('\u{fffd}'));
            let (head, rest) = cut.split_once("\n[… ").unwrap();
            let (left_out, tail) = rest.split_once(" B …]\n").unwrap();
            assert_eq!(left_out.parse::<usize>().unwrap(), message.len() - head.len() - tail.len());
            all.push(cut.clone());
        }
        assert!(all.iter().all(|one| *one == all[0]), "however it is cut");
    }
}

#[test]
fn what_is_not_utf8_is_repaired() {
    let mut said = Vec::new();
    let line = b"BEAT web status=fail message=caf\xe9\nBEAT \xff\n";
    DialectParser::new().feed(line, LENGTH_MAX, &mut |event| {
        let DialectEvent::Command(LineCommand::Beat(mut fields)) = event else { panic!("{event:?}") };
        let beat = fields.beat();
        said.push(beat.map(|beat| (beat.message.map(str::to_string), beat.warnings.iter().collect())));
    });
    assert_eq!(said[0], Ok((Some("caf\u{fffd}".into()), vec![Warning::Encoding])));
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<DialectParser>() <= 40, "{}", size_of::<DialectParser>());
}

/// Streams of words that mean something somewhere, and of bytes that do not.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&[u8]> = vec![
        b"PING",
        b"\n",
        b"\r\n",
        b"pong",
        b"po",
        b"hello server",
        b"hello",
        b"\0",
        b"\n\0",
        b"text",
        b"HEARTBEAT|ping\n",
        b"BEAT web seq=1\n",
        b"BEAT a?b\n",
        b"AUTH t\n",
        b"QUIT\n",
        b"\0\0\0\0\0\0\0\0",
        b"\x01\0\0\0\x03\0\0\0abc",
        b"\x01\0\0\0\xff\0\0\0",
        b"GET / HTTP/1.1\n",
        b"POST",
        b"\x16\x03\x01",
        b"\0\0\0\x10\xffSMB",
    ];
    let piece = prop_oneof![
        6 => prop::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 1..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn it_does_not_matter_how_the_bytes_are_cut(stream in streams(), cuts in prop::collection::vec(1usize..7, 1..40)) {
        let whole = told(&[&stream]);
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&told(&single), &whole);
        for at in 0..stream.len() {
            prop_assert_eq!(&told(&[&stream[..at], &stream[at..]]), &whole);
        }
        let (mut pieces, mut rest) = (Vec::new(), &stream[..]);
        for cut in cuts {
            let (piece, behind) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        pieces.push(rest);
        prop_assert_eq!(&told(&pieces), &whole);
    }
}
