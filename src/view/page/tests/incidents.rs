//! Incidents on the status page.

use super::*;

pub fn incident(monitor: &str, ended: Option<i64>) -> Incident {
    Incident {
        id: "7-41".into(),
        monitor: monitor.into(),
        reason: Cause::Silence.into(),
        started: Wall(NOW.0 - 7_200_000),
        ended: ended.map(|ago_ms| Wall(NOW.0 - ago_ms)),
        acknowledged: ended.is_some(),
    }
}

#[test]
fn open_incidents_stand_above_the_list_and_ended_ones_are_folded() {
    let snapshots = assorted();
    let rows = rows(&snapshots);
    let (open, ended) = ([incident("<i>&", None)], [incident("x", None), incident("db-01", Some(3_600_000))]);
    let html = html(&Page { open: &open, recent: &ended, ..page(&rows) });
    let (above, _) = html.split_once("<table").unwrap();
    assert!(above.contains(
        "<li><a href=\"monitors/%3Ci%3E%26\"><bdi>&lt;i&gt;&amp;</bdi></a> <span>no beat in time</span> <span>\
         <time class=\"for\" datetime=\"2026-02-08T01:30:32.000Z\">for 2 h</time></span> <small>since \
         <time datetime=\"2026-02-08T01:30:32.000Z\">2026-02-08 09:30:32</time></small></li>"
    ));
    let (_, folded) = above.split_once("<details").unwrap();
    assert!(folded.contains("db-01") && !folded.contains("monitors/x"), "one that is open has not ended");
    assert!(folded.contains("acknowledged") && folded.contains("<span>1 h</span>"));
}

#[test]
fn of_many_open_incidents_some_are_shown_and_the_rest_is_a_link() {
    let open: Vec<Incident> = (0..=OPEN_MAX).map(|n| incident(&format!("m{n}"), None)).collect();
    let html = html(&Page { counts: [0, 0, 0, 2_000, 0], open: &open, ..page(&[]) });
    assert_eq!(html.matches("<li><a href=\"monitors/").count(), OPEN_MAX);
    assert!(html.contains("<a href=\"?state=down\">Show all 2,000 that are down</a>"));
}

#[test]
fn without_incidents_nothing_is_said_of_them() {
    let snapshots = assorted();
    let html = html(&page(&rows(&snapshots)));
    assert!(!html.contains("incidents\">") && !html.contains("<details"));
}
