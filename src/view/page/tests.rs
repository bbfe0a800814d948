use super::*;
use crate::domain::address::Peer;
use crate::domain::beat::{Status, Transport};
use crate::domain::limits::PAGE_ROWS_MAX;
use crate::domain::time::Span;

const NOW: Wall = Wall(1_770_521_432_000);

fn snapshot(id: &str, state: State) -> Snapshot {
    Snapshot {
        id: id.into(),
        state,
        since: Wall(NOW.0 - 7_500_000),
        last_beat: Some(Wall(NOW.0 - 12_000)),
        next_deadline: Some(Wall(NOW.0 + 48_000)),
        interval: Span::secs(60),
        grace: Span::secs(30),
        address: Peer::Ip([192, 168, 1, 53].into()),
        reported_ip: None,
        transport: Transport::Http,
        beats: 1_204,
        seq: None,
        gaps: 0,
        status: Status::Ok,
        message: None,
        tags: Vec::new(),
    }
}

fn page(rows: &[Snapshot]) -> Page<'_> {
    let mut counts = Counts::default();
    for row in rows {
        counts[row.state as usize] += 1;
    }
    Page {
        lang: Lang::En,
        now: NOW,
        host: Some("hb.lan:7777"),
        counts,
        beats: 48_213,
        connections: 5,
        started: Wall(NOW.0 - 300_000_000),
        version: "0.1.0",
        rows,
        next: None,
        after: None,
        state: None,
        search: "",
        refresh: true,
    }
}

/// The document, after a check that it is well formed.
fn html(page: &Page<'_>) -> String {
    let html = render_in(page, &TimeZone::fixed(jiff::tz::offset(8))).replace('\u{a0}', " ");
    well_formed(&html);
    html
}

/// Five monitors with everything a row can show.
fn assorted() -> Vec<Snapshot> {
    let mut rows = vec![
        snapshot("192.168.1.53", State::Up),
        snapshot("backup-nightly", State::Down),
        snapshot("db-01", State::Up),
        snapshot("kiosk-lobby", State::Late),
        snapshot("数据库-上海", State::Up),
    ];
    rows[1].status = Status::Exit(3);
    rows[1].message = Some("rsync: connection unexpectedly closed (0 bytes received so far)".into());
    rows[1].next_deadline = None;
    rows[1].tags = vec!["prod".into(), "backup".into()];
    rows[2].reported_ip = Some("10.0.0.12".into());
    rows[2].gaps = 3;
    rows[3].last_beat = Some(Wall(NOW.0 - 75_000));
    rows[3].next_deadline = Some(Wall(NOW.0 + 15_000));
    rows[3].address = Peer::Unix;
    rows
}

#[test]
fn what_strangers_send_stays_text() {
    let mut row = snapshot("a&b'c", State::Up);
    row.message = Some("<script>alert(1)</script>\u{202e}".into());
    row.tags = vec!["\"><img src=x>".into()];
    row.reported_ip = Some("x'&y".into());
    let rows = [row];
    let page = Page { search: "\"><i>", host: Some("\"><script>"), ..page(&rows) };
    let html = html(&page);
    assert!(html.contains("<bdi>a&amp;b&#39;c</bdi>"));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;\u{fffd}"));
    assert!(html.contains("&quot;&gt;&lt;img src=x&gt;"));
    assert!(html.contains("x&#39;&amp;y"));
    assert!(html.contains("value=\"&quot;&gt;&lt;i&gt;\""));
    assert!(!html.contains("<script") && !html.contains("<img"));
}

#[test]
fn a_long_message_is_cut_between_characters() {
    let mut row = snapshot("m", State::Up);
    row.message = Some("心".repeat(3_000));
    let rows = [row];
    let html = html(&page(&rows));
    assert!(html.contains("心…</bdi>"));
    assert!(html.matches('心').count() < 300);
}

#[test]
fn english_and_chinese_say_the_same() {
    let rows = assorted();
    let en = html(&page(&rows));
    for part in [
        "<html lang=\"en\">",
        "<title>3 up, 1 late, 1 down · Heartbeat server</title>",
        "1 monitor is down, 1 late</p>",
        ">12 s ago <small>2026-02-08 11:30:20</small></time>",
        "datetime=\"2026-02-08T03:30:20.000Z\"",
        ">in 48 s <small>2026-02-08 11:31:20</small>",
        "<td>1 min <small>grace 30 s</small></td>",
        "<td>1,204</td>",
        "3 missing",
        "reported <bdi>10.0.0.12</bdi>",
        "exit code 3: <bdi>rsync",
        "unix socket",
        "48,213 beats received",
        "5 connections",
    ] {
        assert!(en.contains(part), "{part}\n{en}");
    }
    let zh = html(&Page { lang: Lang::Zh, ..page(&rows) });
    for part in [
        "<html lang=\"zh-CN\">",
        "<title>3 在线，1 迟到，1 离线 · 心跳服务器</title>",
        "1 个监控项离线，1 个迟到</p>",
        ">12 秒前 <small>2026-02-08 11:30:20</small></time>",
        ">48 秒后 <small>2026-02-08 11:31:20</small>",
        "<td>1 分钟 <small>宽限 30 秒</small></td>",
        "缺 3 个",
        "报告 IP <bdi>10.0.0.12</bdi>",
        "退出码 3：<bdi>rsync",
        "收到 48,213 个心跳",
        "5 个连接",
    ] {
        assert!(zh.contains(part), "{part}\n{zh}");
    }
    // What is left of the Chinese page in Latin letters is names, units of the style and what the monitors sent.
    let (_, body) = zh.split_once("<body>").unwrap();
    for word in ["Monitor", "State", "beat ", "ago", "refresh<", "Search", "Page", "None", "grace"] {
        assert!(!body.contains(word), "{word}");
    }
}

#[test]
fn a_monitor_never_heard_claims_no_address_and_no_time() {
    let mut row = snapshot("declared", State::New);
    row.last_beat = None;
    row.next_deadline = None;
    row.beats = 0;
    let rows = [row];
    let html = html(&page(&rows));
    assert!(html.contains("<td>never</td>"));
    assert!(!html.contains("192.168.1.53"));
}

#[test]
fn a_reported_address_is_shown_only_where_it_differs() {
    let mut rows = [snapshot("four", State::Up), snapshot("six", State::Up)];
    rows[0].reported_ip = Some("192.168.1.53".into());
    rows[1].address = Peer::Ip("2001:db8::7".parse().unwrap());
    rows[1].reported_ip = Some("2001:db8::7".into());
    let html = html(&page(&rows));
    assert!(!html.contains("reported"));
    assert_eq!(html.replace("<wbr>", "").matches("<td>2001:db8::7</td>").count(), 1);
}

#[test]
fn every_state_is_a_link_with_its_count_that_keeps_the_search() {
    let rows = assorted();
    let html = html(&Page { search: "a b&c", state: Some(State::Down), after: Some("x"), ..page(&rows) });
    let tile =
        |query: &str, current: &str, count: u64| format!("<a href=\"{query}\"{current}><b>{count}</b>");
    for (query, current, count) in [
        ("?match=a%20b%26c", "", 5),
        ("?state=up&amp;match=a%20b%26c", "", 3),
        ("?state=late&amp;match=a%20b%26c", "", 1),
        ("?state=down&amp;match=a%20b%26c", " aria-current=\"true\"", 1),
        ("?state=new&amp;match=a%20b%26c", "", 0),
        ("?state=paused&amp;match=a%20b%26c", "", 0),
    ] {
        assert!(html.contains(&tile(query, current, count)), "{query}");
    }
    assert!(
        html.contains("<input type=\"hidden\" name=\"state\" value=\"down\">"),
        "a search keeps the filter"
    );
    assert!(html.contains("<a href=\"?state=down\">Clear search</a>"));
}

#[test]
fn the_next_page_keeps_filter_and_search_and_encodes_the_id() {
    let rows = [snapshot("a&b'c+数", State::Up)];
    let some = Page { next: Some("a&b'c+数"), state: Some(State::Up), search: "b'", ..page(&rows) };
    let address = "?state=up&amp;match=b%27&amp;after=a%26b%27c%2B%E6%95%B0";
    assert!(html(&some).contains(&format!("<a rel=\"next\" href=\"{address}\">Next page")));
    let last = html(&Page { after: Some("a"), ..page(&rows) });
    assert!(!last.contains("rel=\"next\"") && last.contains("<a href=\"?\">First page</a>"));
}

#[test]
fn refreshing_can_be_paused_without_losing_the_place() {
    let rows = [snapshot("m", State::Up)];
    let on = html(&Page { after: Some("k"), ..page(&rows) });
    assert!(on.contains("<meta http-equiv=\"refresh\" content=\"15\">"));
    assert!(on.contains("<a href=\"?after=k&amp;refresh=off\">Pause refresh</a>"));
    let off = html(&Page { refresh: false, ..page(&rows) });
    assert!(!off.contains("http-equiv=\"refresh\""));
    assert!(off.contains("<a href=\"?\">Resume refresh</a>"));
    assert!(off.contains("<a href=\"?state=up&amp;refresh=off\"><b>1</b>"), "other links leave it paused");
    assert!(off.contains("<input type=\"hidden\" name=\"refresh\" value=\"off\">"));
}

#[test]
fn without_monitors_the_page_shows_how_to_make_one() {
    for (lang, word) in [(Lang::En, "Waiting for the first heartbeat"), (Lang::Zh, "等待第一个心跳")] {
        for (host, shown) in [
            (Some("hb.lan:7777"), "http://hb.lan:7777"),
            (Some("[fe80::1]:7777"), "'http://[fe80::1]:7777'"),
            (Some("x;reboot"), "http://localhost:7777"),
            (None, "http://localhost:7777"),
        ] {
            let html = html(&Page { lang, host, ..page(&[]) });
            assert!(html.contains(word));
            assert!(html.contains(&format!(
                "<code>curl -X POST {shown} -H \"Content-Type: application/json\" -d '{{\"id\": \"my-machine\"}}'</code>"
            )));
            assert!(!html.contains("<table"));
        }
    }
}

#[test]
fn a_search_without_a_find_leads_back_to_all() {
    let html = html(&Page { counts: [0, 4, 0, 0, 0], search: "nope", state: Some(State::Up), ..page(&[]) });
    assert!(html.contains("No monitor here matches."));
    assert!(html.contains("<a href=\"?\">Show all monitors</a>"));
}

#[test]
fn the_page_says_what_it_is_to_those_who_listen() {
    let rows = assorted();
    let html = html(&page(&rows));
    assert_eq!(html.matches("<h1>").count(), 1);
    assert_eq!(html.matches("<th scope=\"col\">").count(), 7);
    assert_eq!(html.matches("<th scope=\"row\">").count(), rows.len());
    assert!(html.contains("<caption>"));
    assert!(html.contains("<a class=\"skip\" href=\"#monitors\">") && html.contains("id=\"monitors\""));
    assert_eq!(html.matches("aria-label=\"Search monitors by id\"").count(), 1);
}

#[test]
fn a_full_page_is_well_formed_in_both_languages() {
    let states = State::ALL;
    let rows: Vec<Snapshot> =
        (0..PAGE_ROWS_MAX).map(|n| snapshot(&format!("web-{n:03}"), states[n % states.len()])).collect();
    for lang in [Lang::En, Lang::Zh] {
        let html = html(&Page { lang, next: Some("web-499"), ..page(&rows) });
        assert_eq!(html.matches("<th scope=\"row\">").count(), PAGE_ROWS_MAX);
    }
}

/// Fails unless every tag is closed in order, every attribute is quoted and named once, and every `&` begins a
/// reference that HTML knows under the names used here.
fn well_formed(html: &str) {
    const VOID: [&str; 4] = ["meta", "link", "input", "wbr"];
    let body = html.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
    for reference in html.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        assert!(known.iter().any(|k| reference.starts_with(k)), "&{}", &reference[..reference.len().min(20)]);
    }
    let mut open: Vec<&str> = Vec::new();
    let mut rest = body;
    while let Some(start) = rest.find(['<', '>']) {
        let tag = rest[start..].strip_prefix('<').expect("no > outside of a tag");
        let end = tag.find('>').expect("a tag ends");
        let (inner, after) = (&tag[..end], &tag[end + 1..]);
        rest = after;
        if let Some(name) = inner.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order");
            continue;
        }
        let closed = inner.ends_with('/');
        let (name, attributes) = inner.trim_end_matches('/').split_once(' ').unwrap_or((inner, ""));
        well_formed_attributes(attributes);
        if name == "style" {
            rest = &rest[rest.find("</style>").expect("the style ends")..];
        }
        if !closed && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

fn well_formed_attributes(attributes: &str) {
    let mut seen: Vec<&str> = Vec::new();
    let mut rest = attributes.trim();
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").expect("name=\"value\"");
        let (_, after) = value.split_once('"').expect("a closing quote");
        assert!(
            name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'B' || b == b'x'),
            "{name}"
        );
        assert!(!seen.contains(&name.trim()), "{name} twice");
        seen.push(name);
        assert!(after.is_empty() || after.starts_with(' '), "{attributes}");
        rest = after.trim_start();
    }
}
