//! Every kind of line, byte for byte.

use super::*;
use crate::domain::beat::Exit;
use crate::domain::notice::State;
use crate::domain::record::Cause;
use crate::domain::time::Span;
use crate::i18n::Text;

const AT: Wall = Wall(1_770_521_420_123); // 2026-02-08T03:30:20.123Z

fn shanghai() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

fn peer(ip: &str) -> Peer {
    Peer::from_ip(ip.parse().unwrap())
}

fn seed() -> BeatLine<'static> {
    let peer = peer("192.168.1.53");
    BeatLine { peer, ip: Some("192.168.1.53"), id: None, transport: "http", status: None, exit: None }
}

fn beat(format: Format, lang: Lang, beat: BeatLine<'_>) -> String {
    let mut out = Vec::new();
    Lines::new(format, lang, shanghai()).beat(&mut out, AT, &beat);
    String::from_utf8(out).unwrap()
}

fn notice(format: Format, lang: Lang, notice: &Notice) -> String {
    let mut out = Vec::new();
    Lines::new(format, lang, shanghai()).notice(&mut out, AT, notice);
    String::from_utf8(out).unwrap()
}

#[test]
fn classic_beats_are_those_of_the_first_server_byte_for_byte() {
    let full = BeatLine { ip: None, id: Some("门-7"), status: Some("fail"), ..seed() };
    let table = [
        (
            seed(),
            "2026-02-08 11:30:20 - heartbeat received - from: 192.168.1.53, reported IP: 192.168.1.53\n",
            "2026-02-08 11:30:20 - 收到心跳 - 来自: 192.168.1.53, 报告IP: 192.168.1.53\n",
        ),
        (
            full,
            "2026-02-08 11:30:20 - heartbeat received - from: 192.168.1.53, reported IP: -, id: 门-7, status: fail\n",
            "2026-02-08 11:30:20 - 收到心跳 - 来自: 192.168.1.53, 报告IP: -, 标识: 门-7, 状态: fail\n",
        ),
        (
            BeatLine { status: Some("fail"), exit: Some(Exit::Code(11)), ..seed() },
            "2026-02-08 11:30:20 - heartbeat received - from: 192.168.1.53, reported IP: 192.168.1.53, status: fail, exit \
             code 11\n",
            "2026-02-08 11:30:20 - 收到心跳 - 来自: 192.168.1.53, 报告IP: 192.168.1.53, 状态: fail, 退出码 11\n",
        ),
        (
            BeatLine { peer: Peer::Unix, ip: None, ..seed() },
            "2026-02-08 11:30:20 - heartbeat received - from: unix, reported IP: -\n",
            "2026-02-08 11:30:20 - 收到心跳 - 来自: unix, 报告IP: -\n",
        ),
    ];
    for (line, en, zh) in table {
        assert_eq!(beat(Format::Classic, Lang::En, line), en);
        assert_eq!(beat(Format::Classic, Lang::Zh, line), zh);
    }
}

#[test]
fn text_and_json_beats_name_every_field() {
    let full = BeatLine { id: Some("a=b"), status: Some("fail"), exit: Some(Exit::Signal(9)), ..seed() };
    assert_eq!(
        beat(Format::Text, Lang::Zh, seed()),
        "2026-02-08T11:30:20.123+08:00 info beat from=192.168.1.53 ip=192.168.1.53 transport=http\n"
    );
    assert_eq!(
        beat(Format::Text, Lang::En, full),
        "2026-02-08T11:30:20.123+08:00 info beat from=192.168.1.53 ip=192.168.1.53 id=\"a=b\" transport=http status=fail signal=9\n"
    );
    assert_eq!(
        beat(Format::Json, Lang::Zh, full),
        "{\"time\":\"2026-02-08T11:30:20.123+08:00\",\"level\":\"info\",\"event\":\"beat\",\"from\":\"192.168.1.53\",\
         \"ip\":\"192.168.1.53\",\"id\":\"a=b\",\"transport\":\"http\",\"status\":\"fail\",\"signal\":9}\n"
    );
}

#[test]
fn notices_in_every_format() {
    let started = Notice::Started { address: "[::]:7777".into(), port: Some(7777) };
    let down = Notice::Transition {
        monitor: "web-1".into(),
        from: State::Late,
        to: State::Down,
        last_beat: Some(Wall(AT.0 - 90_000)),
        silent: Span::secs(90),
        reason: Some(Cause::Silence.into()),
        at: AT,
    };
    assert_eq!(
        notice(Format::Classic, Lang::Zh, &started),
        "2026-02-08 11:30:20 - 服务器启动，监听端口 7777\n"
    );
    assert_eq!(
        notice(Format::Classic, Lang::En, &started),
        "2026-02-08 11:30:20 - server started, listening on port 7777\n"
    );
    assert_eq!(
        notice(Format::Text, Lang::En, &down),
        "2026-02-08T11:30:20.123+08:00 warning transition message=\"web-1 is down, silent for 1m30s\" monitor=web-1 \
         state=down state_before=late last_beat=2026-02-08T03:28:50.123Z silent_ms=90000 cause=silence\n"
    );
    assert_eq!(
        notice(Format::Json, Lang::Zh, &down),
        "{\"time\":\"2026-02-08T11:30:20.123+08:00\",\"level\":\"warning\",\"event\":\"transition\",\
         \"message\":\"web-1 已失联，静默 1m30s\",\"monitor\":\"web-1\",\"state\":\"down\",\"state_before\":\"late\",\
         \"last_beat\":\"2026-02-08T03:28:50.123Z\",\"silent_ms\":90000,\"cause\":\"silence\"}\n"
    );
}

#[test]
fn no_text_can_forge_a_line_in_any_format() {
    let evil = "x\"\\\n2026-02-08 11:30:20 - heartbeat received\r\u{1b}[2K\u{0}\u{2028}";
    for lang in [Lang::En, Lang::Zh] {
        for format in [Format::Classic, Format::Text, Format::Json] {
            for evil_notice in [
                Notice::ReloadFailed { reason: evil.into() },
                Notice::LogTargetFailed { target: evil.into(), reason: evil.into() },
                Notice::Other { level: Level::Info, kind: "x", text: Text::foreign(evil) },
            ] {
                let line = notice(format, lang, &evil_notice);
                assert!(line.ends_with('\n'));
                let controls =
                    line.trim_end_matches('\n').chars().filter(|c| c.is_control() || *c == '\u{2028}');
                assert_eq!(controls.count(), 0, "{line:?}");
                if format == Format::Json {
                    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
                    assert!(value["message"].as_str().unwrap().contains("x\"\\\\n2026"), "{line}");
                }
            }
        }
    }
    // Ids cannot hold such characters; if one ever did, JSON would still be one object on one line.
    let line = beat(Format::Json, Lang::En, BeatLine { id: Some("a\"\n\u{1}"), ..seed() });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["id"], "a\"\n\u{1}");
}

#[test]
fn addresses_are_those_the_standard_library_prints() {
    for ip in
        ["0.0.0.0", "1.2.3.4", "10.20.30.40", "99.100.109.110", "200.205.255.9", "255.255.255.255", "::1"]
    {
        let mut out = Vec::new();
        push_peer(&mut out, peer(ip));
        assert_eq!(String::from_utf8(out).unwrap(), ip);
    }
    for last in 0..=255u8 {
        let mut out = Vec::new();
        push_peer(&mut out, Peer::Ip(IpAddr::from([last, 0, 7, last])));
        assert_eq!(String::from_utf8(out).unwrap(), format!("{last}.0.7.{last}"));
    }
}

#[test]
fn the_offset_follows_daylight_saving_and_a_changed_zone() {
    let rule = jiff::tz::TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
    let mut lines = Lines::new(Format::Text, Lang::En, rule);
    let mut line = |at: i64| {
        let mut out = Vec::new();
        lines.beat(&mut out, Wall(at), &seed());
        String::from_utf8(out[..29].to_vec()).unwrap()
    };
    // 2026-03-08, 2:00 in the morning.
    assert_eq!(line(1_772_953_199_999), "2026-03-08T01:59:59.999-05:00");
    assert_eq!(line(1_772_953_200_000), "2026-03-08T03:00:00.000-04:00");
    assert_eq!(line(1_772_953_199_001), "2026-03-08T01:59:59.001-05:00");
    lines.set_zone(TimeZone::UTC);
    let mut out = Vec::new();
    lines.beat(&mut out, Wall(1_772_953_199_001), &seed());
    assert!(out.starts_with(b"2026-03-08T06:59:59.001+00:00"));
    // Times no calendar of four digits has are not a reason to fall over.
    lines.beat(&mut out, Wall(i64::MAX), &seed());
    lines.beat(&mut out, Wall(i64::MIN), &seed());
    lines.beat(&mut out, Wall(-1), &seed());
    assert!(String::from_utf8(out).unwrap().contains("\n1969-12-31T23:59:59.999+00:00 info"));
}
