use super::*;
use crate::domain::address::Peer;
use crate::domain::beat::{Status, Transport};
use crate::domain::history::{Incident, Past, Uptime};
use crate::domain::limits::{PAGE_ROW_BYTES_MAX, TAGS_MAX};
use crate::domain::record::{Cause, Pause, PausedBy};
use crate::domain::registry::{Counts, Snapshot};
use crate::domain::time::{Span, Wall};
use incidents::incident;
use markup::well_formed;
use monitor::{monitor_page, one};

mod incidents;
mod markup;
mod monitor;

const NOW: Wall = Wall(1_770_521_432_000);

pub(super) fn snapshot(id: &str, state: State) -> Snapshot {
    Snapshot {
        id: id.into(),
        state,
        since: Wall(NOW.0 - 7_500_000),
        last_beat: Some(Wall(NOW.0 - 12_000)),
        next_deadline: Some(Wall(NOW.0 + 48_000)),
        slot: None,
        never_heard: false,
        interval: Span::secs(60),
        asked: None,
        grace: Span::secs(30),
        address: Peer::Ip([192, 168, 1, 53].into()),
        reported_ip: None,
        transport: Transport::Http,
        beats: 1_204,
        seq: None,
        gaps: 0,
        repeats: 0,
        number: 1,
        version: 1,
        beneath: state,
        pause: None,
        incident: None,
        skew_ms: None,
        runs: Vec::new(),
        run_took: None,
        schedule: None,
        declared: false,
        conflict: None,
        status: Status::Ok,
        message: None,
        message_at: None,
        message_beat: 0,
        tags: Vec::new(),
    }
}

/// The past of those of whom a test says none.
static NO_PAST: Past = Past {
    created: None,
    changes: Vec::new(),
    uptime: Uptime { day: Some(0.9992), week: Some(1.0), quarter: None },
};

fn rows(snapshots: &[Snapshot]) -> Vec<MonitorRow<'_>> {
    snapshots.iter().map(|snapshot| MonitorRow { snapshot, past: &NO_PAST }).collect()
}

fn page<'a>(rows: &'a [MonitorRow<'a>]) -> Page<'a> {
    let mut counts = Counts::default();
    for row in rows {
        counts[row.snapshot.state as usize] += 1;
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
        shown: rows.len(),
        rows,
        next: None,
        after: None,
        state: None,
        search: "",
        tag: "",
        order: Order::State,
        limit: LIST_DEFAULT,
        refresh: true,
        open: &[],
        recent: &[],
        troubles: &[],
    }
}

/// The document, after a check that it is well formed.
fn html(page: &Page<'_>) -> String {
    let zone = TimeZone::fixed(jiff::tz::offset(8));
    let view = View::of(page, &zone);
    let (before, behind) = view.parts();
    let rows: String = page.rows.iter().map(|row| view.row(row).into_string()).collect();
    let html = (before + &rows + &behind).replace('\u{a0}', " ");
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
    let snapshots = [row];
    let rows = rows(&snapshots);
    let page = Page { search: "\"><i>", host: Some("\"><script>"), ..page(&rows) };
    let html = html(&page);
    assert!(html.contains("<a href=\"monitors/a%26b%27c\"><bdi>a&amp;b&#39;c</bdi></a>"));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;\u{fffd}"));
    assert!(html.contains("&quot;&gt;&lt;img src=x&gt;"));
    assert!(html.contains("x&#39;&amp;y"));
    assert!(html.contains("value=\"&quot;&gt;&lt;i&gt;\""));
    assert!(!html.contains("<script>") && !html.contains("<img"));
}

#[test]
fn a_long_message_is_cut_between_characters() {
    let mut row = snapshot("m", State::Up);
    row.message = Some("心".repeat(3_000));
    let snapshots = [row];
    let rows = rows(&snapshots);
    let html = html(&page(&rows));
    assert!(html.contains("心…</bdi>"));
    assert!(html.matches('心').count() < 300);
}

#[test]
fn english_and_chinese_say_the_same() {
    let snapshots = assorted();
    let rows = rows(&snapshots);
    let en = html(&page(&rows));
    for part in [
        "<html lang=\"en\">",
        "<title>3 up, 1 late, 1 down · Heartbeat server</title>",
        "1 monitor is down, 1 late</p>",
        ">12 s ago <small>11:30:20</small></time>",
        "datetime=\"2026-02-08T03:30:20.000Z\"",
        ">in 48 s <small>11:31:20</small>",
        "<td>1 min <small>grace 30 s</small></td>",
        "24 h <b>99.92 %</b></span> · <span>7 d <b>100 %</b></span></small>",
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
        ">12 秒前 <small>11:30:20</small></time>",
        ">48 秒后 <small>11:31:20</small>",
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
    let (_, body) = zh.split_once("<header>").unwrap();
    for word in ["Monitor", "State", "beat ", " ago", "refresh<", "Search", "Page", "None", "grace"] {
        assert!(!body.contains(word), "{word}");
    }
}

#[test]
fn a_monitor_never_heard_claims_no_address_and_no_time() {
    let mut row = snapshot("declared", State::New);
    row.last_beat = None;
    row.next_deadline = None;
    row.beats = 0;
    let snapshots = [row];
    let rows = rows(&snapshots);
    let html = html(&page(&rows));
    assert!(html.contains("<td>never</td>"));
    assert!(!html.contains("192.168.1.53"));
}

#[test]
fn a_reported_address_is_shown_only_where_it_differs() {
    let mut snapshots = [snapshot("four", State::Up), snapshot("six", State::Up)];
    snapshots[0].reported_ip = Some("192.168.1.53".into());
    snapshots[1].address = Peer::Ip("2001:db8::7".parse().unwrap());
    snapshots[1].reported_ip = Some("2001:db8::7".into());
    let rows = rows(&snapshots);
    let html = html(&page(&rows));
    assert!(!html.contains("reported"));
    assert_eq!(html.replace("<wbr>", "").matches("<td>2001:db8::7</td>").count(), 1);
}

#[test]
fn every_state_is_a_link_with_its_count_that_keeps_the_search() {
    let snapshots = assorted();
    let rows = rows(&snapshots);
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
    let snapshots = [snapshot("a&b'c+数", State::Up)];
    let rows = rows(&snapshots);
    let some = Page { next: Some("a&b'c+数"), state: Some(State::Up), search: "b'", ..page(&rows) };
    let address = "?state=up&amp;match=b%27&amp;after=a%26b%27c%2B%E6%95%B0";
    assert!(html(&some).contains(&format!("<a rel=\"next\" href=\"{address}\">Next page")));
    let last = html(&Page { after: Some("a"), ..page(&rows) });
    assert!(!last.contains("rel=\"next\"") && last.contains("<a href=\"?\">First page</a>"));
}

#[test]
fn refreshing_can_be_paused_without_losing_the_place() {
    let snapshots = [snapshot("m", State::Up)];
    let rows = rows(&snapshots);
    let on = html(&Page { after: Some("k"), ..page(&rows) });
    assert!(on.contains("<noscript><meta http-equiv=\"refresh\" content=\"15\"></noscript>"));
    assert!(on.contains("<a href=\"?after=k&amp;refresh=off\">Pause refresh</a>"));
    let off = html(&Page { refresh: false, ..page(&rows) });
    assert!(!off.contains("http-equiv=\"refresh\"") && !off.contains("<script"));
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
            let shell = html.replace("&#39;", "'").replace("&quot;", "\"");
            assert!(shell.contains(&format!(
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
    let snapshots = assorted();
    let rows = rows(&snapshots);
    let html = html(&page(&rows));
    assert_eq!(html.matches("<h1>").count(), 1);
    assert_eq!(html.matches("<th scope=\"col\"").count(), 7);
    assert_eq!(html.matches("<th scope=\"row\">").count(), rows.len());
    assert!(html.contains("<caption>"));
    assert!(html.contains("<a class=\"skip\" href=\"#content\">") && html.contains("<main id=\"content\""));
    assert_eq!(html.matches("aria-label=\"Search monitors by id\"").count(), 1);
}

#[test]
fn a_full_page_is_well_formed_in_both_languages() {
    let states = State::ALL;
    let snapshots: Vec<Snapshot> =
        (0..500).map(|n| snapshot(&format!("web-{n:03}"), states[n % states.len()])).collect();
    let rows = rows(&snapshots);
    for lang in [Lang::En, Lang::Zh] {
        let html = html(&Page { lang, next: Some("web-499"), ..page(&rows) });
        assert_eq!(html.matches("<th scope=\"row\">").count(), 500);
    }
}

#[test]
fn a_long_page_is_made_in_pieces_of_a_bounded_size() {
    // The longest row that there can be.
    let mut row = snapshot(&"心".repeat(42), State::Up);
    row.message = Some("&".repeat(10_000));
    row.tags = vec!["&".repeat(64); TAGS_MAX];
    row.reported_ip = Some("&".repeat(128));
    let snapshots = vec![row; 3];
    let rows = rows(&snapshots);
    let search = "𝄞".repeat(128);
    let page = Page { search: &search, tag: &snapshots[0].tags[0], ..page(&rows) };
    let mut out = String::new();
    let taken = super::rows(&mut out, &page, 1);
    assert!(taken == 1 && out.len() <= PAGE_ROW_BYTES_MAX, "{}", out.len());
    assert_eq!(super::rows(&mut out, &page, usize::MAX), 3);
    assert_eq!(super::rows(&mut out, &page, 10), 0, "there is something already");
}

#[test]
fn a_pause_says_until_when_by_whom_and_what_it_hides() {
    let mut paused = snapshot("p", State::Paused);
    paused.beneath = State::Down;
    paused.pause = Some(Pause { by: PausedBy::Person, until: Some(Wall(NOW.0 + 7_200_000)) });
    let mut window = snapshot("w", State::Paused);
    window.beneath = State::Up;
    window.pause = Some(Pause { by: PausedBy::Window, until: None });
    let snapshots = [paused, window];
    let rows = rows(&snapshots);
    let en = html(&page(&rows));
    assert!(en.contains(">in 2 h <small>13:30:32</small></time> <small>paused by a person</small>"), "{en}");
    assert!(en.contains("<small>otherwise down</small>") && !en.contains("otherwise up"));
    assert!(en.contains("<td>when resumed <small>maintenance window</small>"));
    let zh = html(&Page { lang: Lang::Zh, ..page(&rows) });
    assert!(zh.contains("由人暂停") && zh.contains("否则离线") && zh.contains("手动恢复时 <small>维护窗口"));
}

#[test]
fn a_run_under_way_and_a_schedule_are_told() {
    let mut one = snapshot("one", State::Up);
    one.status = Status::Start;
    one.runs = vec![Wall(NOW.0 - 300_000)];
    one.schedule = Some(("*/5 * * * <".into(), "Asia/Shanghai".into()));
    let mut two = one.clone();
    two.runs.push(NOW);
    let snapshots = [one, two];
    let html = html(&page(&rows(&snapshots)));
    assert!(html.contains(
        "<small>running <time class=\"for\" datetime=\"2026-02-08T03:25:32.000Z\">for 5 min</time>"
    ));
    assert!(html.contains("2 runs, the oldest <time"));
    assert!(!html.contains("run started"), "that is told by the run");
    assert!(html.contains("<code>*/5 * * * &lt;</code> <small>Asia/Shanghai</small>"));
}

#[test]
fn columns_sort_by_links_that_say_which_is_in_force() {
    let snapshots = assorted();
    let rows = rows(&snapshots);
    let by_state = html(&page(&rows));
    assert!(
        by_state.contains("<th scope=\"col\" aria-sort=\"ascending\"><a href=\"?\" aria-current=\"true\" title=\"Sort by State\">")
    );
    assert_eq!(by_state.matches("aria-sort").count(), 1);
    let by_beat = html(&Page { order: Order::LastBeat, after: Some("9:x"), search: "a", ..page(&rows) });
    for query in
        ["?match=a", "?match=a&amp;sort=since", "?match=a&amp;sort=id", "?match=a&amp;sort=last_beat"]
    {
        assert!(by_beat.contains(&format!("<a href=\"{query}\"")), "{query}");
    }
    assert!(
        by_beat.contains(
            "aria-sort=\"ascending\"><a href=\"?match=a&amp;sort=last_beat\" aria-current=\"true\""
        )
    );
    assert!(by_beat.contains("<input type=\"hidden\" name=\"sort\" value=\"last_beat\">"));
    let by_change = html(&Page { order: Order::Since, ..page(&rows) });
    assert!(by_change.contains("aria-sort=\"descending\""));
}

#[test]
fn a_tag_leads_to_all_that_have_it_and_back() {
    let mut one = snapshot("one", State::Up);
    one.tags = vec!["a b\"<".into()];
    let snapshots = [one];
    let rows = rows(&snapshots);
    let all = html(&page(&rows));
    assert!(all.contains("<a class=\"tag\" href=\"?tag=a%20b%22%3C\"><bdi>a b&quot;&lt;</bdi></a>"));
    let tagged = html(&Page { tag: "a b\"<", ..page(&rows) });
    assert!(tagged.contains("tag <bdi>a b&quot;&lt;</bdi> · 1 shown · <a href=\"?\">Show all monitors</a>"));
    assert!(tagged.contains("<input type=\"hidden\" name=\"tag\" value=\"a b&quot;&lt;\">"));
    assert!(tagged.contains("href=\"?state=up&amp;tag=a%20b%22%3C\""));
}

#[test]
fn a_page_of_many_says_of_how_many_and_keeps_its_size() {
    let snapshots = [snapshot("a", State::Up)];
    let rows = rows(&snapshots);
    let many = Page { counts: [0, 9_000, 0, 1_000, 0], next: Some("2:a"), limit: 1, ..page(&rows) };
    let all = html(&many);
    assert!(all.contains("Monitors · 1 of 10,000 shown</caption>"));
    assert!(all.contains("<a rel=\"next\" href=\"?limit=1&amp;after=2%3Aa\">"));
    assert!(all.contains("<a href=\"?limit=10000\">All on one page</a>"));
    assert!(!html(&Page { limit: 10_000, ..many }).contains("All on one page"));
    assert!(html(&Page { state: Some(State::Up), ..many }).contains("1 of 9,000 shown"));
    assert!(
        html(&Page { search: "a", ..many }).contains("· 1 shown</caption>"),
        "how many match is not known"
    );
}

#[test]
fn what_is_wrong_with_the_server_itself_stands_first() {
    let troubles = ["disk <full>".to_string()];
    let html = html(&Page { troubles: &troubles, ..page(&[]) });
    assert!(html.contains(
        "<h2 id=\"troubles\">The server itself needs attention</h2><ul><li>disk &lt;full&gt;</li>"
    ));
}

#[test]
fn nothing_runs_but_the_one_script() {
    let snapshots = assorted();
    let status = html(&page(&rows(&snapshots)));
    let monitor = one(&monitor_page(&snapshots[0], &NO_PAST, &[]));
    for (html, source) in [(status, "page.js"), (monitor, "../page.js")] {
        // That no attribute begins with "on" is checked where all are.
        assert_eq!(html.matches("<script").count(), 1);
        assert!(html.contains(&format!("<script src=\"{source}\" defer=\"\"></script>")));
        assert!(!html.contains(" style=") && !html.contains("javascript:"));
    }
    assert!(CONTENT_SECURITY_POLICY.contains("script-src 'self'; connect-src 'self'"));
    for way in ["eval(", "innerHTML", "Function(", "document.write", "http:", "https:"] {
        assert!(!SCRIPT.contains(way), "{way}");
    }
}
