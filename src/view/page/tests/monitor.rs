//! The page of one monitor.

use super::*;
use crate::domain::history::StateChange;
use crate::domain::registry::Conflict;
use crate::view::page::monitor::monitor_in;

pub fn monitor_page<'a>(
    snapshot: &'a Snapshot,
    past: &'a Past,
    incidents: &'a [Incident],
) -> MonitorPage<'a> {
    MonitorPage {
        root: "../",
        lang: Lang::En,
        now: NOW,
        host: Some("hb.lan:7777"),
        started: Wall(NOW.0 - 300_000_000),
        version: "0.1.0",
        snapshot,
        past,
        incidents,
        next: None,
        after: None,
        refresh: true,
        troubles: &[],
    }
}

/// The page of one monitor, after a check that it is well formed.
pub fn one(page: &MonitorPage<'_>) -> String {
    let html = monitor_in(page, &TimeZone::fixed(jiff::tz::offset(8))).replace('\u{a0}', " ");
    well_formed(&html);
    html
}

#[test]
fn the_page_of_a_monitor_tells_all_that_is_known_of_it() {
    let mut m = snapshot("it's", State::Down);
    m.incident = Some(("7-41".into(), m.since, Cause::Fail.into()));
    (m.seq, m.gaps, m.repeats, m.skew_ms) = (Some(99), 3, 1, Some(-2_900));
    (m.status, m.message) = (Status::Exit(3), Some("<b>broken</b>\nat line 2".into()));
    (m.runs, m.run_took) = (vec![Wall(NOW.0 - 60_000)], Some(Span(90_000)));
    (m.tags, m.declared) = (vec!["prod".into()], true);
    let changes = vec![StateChange { at: Wall(NOW.0 - 7_500_000), from: Some(State::Up), to: State::Down }];
    let past = Past { created: Some(Wall(NOW.0 - 864_000_000)), changes, ..NO_PAST.clone() };
    let incidents = [incident("it's", None), incident("it's", Some(60_000))];
    let page = MonitorPage { next: Some("5:7-40"), ..monitor_page(&m, &past, &incidents) };
    let en = one(&page);
    for part in [
        "<title>Down · it&#39;s · Heartbeat server</title>",
        "<h1 class=\"lede\"><bdi>it&#39;s</bdi></h1>",
        "<body data-monitor=\"it&#39;s\"",
        "<b><i></i>Down</b>",
        " · reported failure</small>",
        "<title>Last 24 h: 99.92 % up, down once</title>",
        "<dt>24 h</dt><dd>99.92 %</dd>",
        "<dt>Beats received</dt><dd>1,204</dd>",
        "<dt>Its own counter</dt><dd>99 · 3 missing · 1 repeated</dd>",
        "<dt>Its clock</dt><dd>2 s behind ours</dd>",
        "<dt>Last said</dt><dd>exit code 3</dd>",
        "&lt;b&gt;broken&lt;/b&gt;\nat line 2",
        "<dt>Last run took</dt><dd>1 min 30 s</dd>",
        "<dt>A beat every</dt><dd>1 min</dd>",
        "<dt>Grace after that</dt><dd>30 s</dd>",
        "<a class=\"tag\" href=\"../?tag=prod\">",
        "declared by a person",
        "<a rel=\"next\" href=\"?after=5%3A7-40#incidents\">",
        "<script src=\"../page.js\" defer=\"\"></script>",
        "<img src=\"../badge/it%27s.svg?lang=en\" alt=\"Badge of this monitor\"",
        "(http://hb.lan:7777/badge/it%27s.svg)",
    ] {
        assert!(en.contains(part), "{part}\n{en}");
    }
    let shell = en.replace("&#39;", "'").replace("&quot;", "\"");
    assert!(shell.contains("-d '{\"id\": \"it'\\''s\"}'"), "the shell's quote is quoted");
    assert_eq!(en.matches("<td data-label=\"Began\">").count(), 2);
    assert_eq!(en.matches("<h1").count(), 1);
    let zh = one(&MonitorPage { lang: Lang::Zh, ..page });
    for part in
        ["离线", "比本机慢 2 秒", "退出码 3", "由人声明", "下一页", "最近 24 小时：在线率 99.92 %，离线 1 次"]
    {
        assert!(zh.contains(part), "{part}\n{zh}");
    }
    let (_, body) = zh.split_once("</header>").unwrap();
    for word in ["Began", "Last", "Settings", "Changes", ">none<", "Send", "Badge of", " ago", "Up<"] {
        assert!(!body.contains(word), "{word}");
    }
}

#[test]
fn a_monitor_without_a_past_is_told_without_claims() {
    let mut m = snapshot("fresh", State::New);
    (m.last_beat, m.next_deadline, m.beats) = (None, None, 0);
    m.since = NOW;
    let past = Past::default();
    let html = one(&monitor_page(&m, &past, &[]));
    assert!(html.contains("Last 24 h: no history yet") && html.contains("None on record."));
    assert!(html.contains("None: it has stayed as it is.") && html.contains("<dd>never</dd>"));
    assert!(!html.contains("192.168.1.53") && !html.contains("Its own counter") && !html.contains(" %</dd>"));
}

#[test]
fn a_longer_interval_that_was_asked_for_is_told_beside_its_own() {
    let past = Past::default();
    let html = one(&monitor_page(&snapshot("m", State::Up), &past, &[]));
    assert!(!html.contains("under load"));
    let m = Snapshot { asked: Some(Span::secs(480)), ..snapshot("m", State::Up) };
    let html = one(&monitor_page(&m, &past, &[]));
    assert!(html.contains("<small>under load, asked for 8 min</small>"), "{html}");
}

#[test]
fn a_clock_nearly_right_agrees_with_ours() {
    let past = Past::default();
    for (skew_ms, want) in
        [(900, "agrees with ours"), (-900, "agrees with ours"), (90_000, "1 min 30 s ahead of ours")]
    {
        let m = Snapshot { skew_ms: Some(skew_ms), ..snapshot("m", State::Up) };
        assert!(one(&monitor_page(&m, &past, &[])).contains(&format!("<dt>Its clock</dt><dd>{want}</dd>")));
    }
}

#[test]
fn who_is_not_known_is_said_not_to_be_in_both_languages() {
    for (lang, word) in [(Lang::En, "No such monitor"), (Lang::Zh, "没有这个监控项")] {
        let html = not_found(lang, "<x>\"", "../");
        well_formed(&html);
        assert!(html.contains(&format!("<h1 class=\"lede\">{word}</h1>")));
        assert!(html.contains("<bdi>&lt;x&gt;&quot;</bdi>") && html.contains("<a href=\"../\">"));
    }
}

#[test]
fn two_senders_with_one_id_are_told_on_both_pages_in_both_languages() {
    let mut m = snapshot("nas", State::Up);
    let peer = |text: &str| Peer::from_ip(text.parse().unwrap());
    m.conflict = Some(Conflict { addresses: [peer("10.0.0.1"), peer("fe80::2")], since: NOW });
    for (lang, row, page) in [
        (Lang::En, "two senders with this id: 10.0.0.1, fe80:", "10.0.0.1 and fe80::2 both send as nas"),
        (Lang::Zh, "两个发送方使用此标识：10.0.0.1, fe80:", "10.0.0.1 与 fe80::2 都以 nas 发送"),
    ] {
        let snapshots = [m.clone()];
        let rows = rows(&snapshots);
        let list = html(&Page { lang, ..super::page(&rows) });
        assert!(list.contains("<small class=\"conflict\">") && list.contains(row), "{list}");
        let html = one(&MonitorPage { lang, ..monitor_page(&m, &NO_PAST, &[]) });
        assert!(html.contains("<p class=\"conflict\">") && html.contains(page), "{html}");
        // It is the senders', not the server's.
        assert!(!html.contains("<section class=\"troubles"), "{html}");
    }
    m.conflict = Some(Conflict { addresses: [peer("10.0.0.1"); 2], since: NOW });
    let html = one(&monitor_page(&m, &NO_PAST, &[]));
    assert!(html.contains("two connections from 10.0.0.1"), "{html}");
}

#[test]
fn who_has_failed_since_it_did_not_come_is_not_said_to_be_unheard() {
    let mut m = snapshot("job", State::Down);
    m.incident = Some(("7-0".into(), m.since, Cause::NeverHeard.into()));
    (m.beats, m.status) = (0, Status::Ok);
    let page = |m: &Snapshot| one(&monitor_page(m, &NO_PAST, &[]));
    assert!(page(&m).contains(" · no first beat in time</small>"));
    (m.beats, m.status) = (1, Status::Exit(3));
    let failed = page(&m);
    assert!(failed.contains(" · exit code 3</small>") && !failed.contains("no first beat"), "{failed}");
}
