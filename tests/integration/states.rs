//! Up, late, down and up again, as the clock and the beats have it.

use crate::harness::{Daemon, daemon, until};
use serde_json::json;

fn state(hb: &Daemon, id: &str) -> String {
    hb.monitor(id)["state"].as_str().unwrap().to_string()
}

#[test]
fn silence_makes_late_then_down_and_a_beat_makes_up_again() {
    let hb = daemon("");
    hb.beat(r#"{"id":"w","interval":"1s","grace":"1s"}"#);
    let began = hb.monitor("w");
    until("down", || state(&hb, "w") == "down");
    let monitor = hb.monitor("w");
    assert_eq!((&monitor["next_deadline"], &monitor["beats"]), (&json!(null), &json!(1)));
    assert_ne!(monitor["since"], began["since"]);
    // Each step was told in order, and each is counted.
    hb.wait_for_log("w is down, silent for");
    let log = hb.log();
    let (late, down) =
        (log.find("w is late, silent for").unwrap(), log.find("w is down, silent for").unwrap());
    assert!(late < down, "{log}");
    for (to, count) in [("late", 1), ("down", 1), ("up", 0)] {
        assert_eq!(hb.metric(&format!("heartbeat_transitions_total{{to=\"{to}\"}}")), count, "{to}");
    }
    assert_eq!(hb.metric("heartbeat_monitors{state=\"down\"}"), 1);
    hb.beat(r#"{"id":"w","interval":"1h"}"#);
    assert_eq!(state(&hb, "w"), "up");
    hb.wait_for_log("w is up again");
    assert_eq!(hb.metric("heartbeat_transitions_total{to=\"up\"}"), 1);
    assert_eq!(hb.metric("heartbeat_monitors{state=\"down\"}"), 0);
}

#[test]
fn without_grace_there_is_no_late() {
    let hb = daemon("");
    hb.beat(r#"{"id":"strict","interval":1,"grace":0}"#);
    until("down", || state(&hb, "strict") == "down");
    assert!(!hb.log().contains("strict is late"), "{}", hb.log());
}

#[test]
fn a_failure_is_down_at_once_and_stays_so_until_all_is_well() {
    let hb = daemon("");
    hb.beat(r#"{"id":"j","interval":"1h"}"#);
    for (body, want) in [
        (r#"{"id":"j","status":"fail","message":"disk full"}"#, "down"),
        (r#"{"id":"j","status":"start"}"#, "down"),
        (r#"{"id":"j","status":"log"}"#, "down"),
        (r#"{"id":"j","status":0}"#, "up"),
        (r#"{"id":"j","status":1}"#, "down"),
        (r#"{"id":"j","status":"ok"}"#, "up"),
        (r#"{"id":"j","status":"255"}"#, "down"),
        (r#"{"id":"j"}"#, "up"),
    ] {
        assert_eq!(hb.beat(body).status, 200, "{body}");
        assert_eq!(state(&hb, "j"), want, "{body}");
    }
    assert_eq!(hb.monitor("j")["message"], json!("disk full"), "the last text stays");
    hb.wait_for_log("j is down, it reported a failure");
}

#[test]
fn a_start_alone_proves_nothing() {
    let hb = daemon("");
    hb.beat(r#"{"id":"s","status":"start","interval":"1s","grace":"1s"}"#);
    until("down", || state(&hb, "s") == "down");
}

#[test]
fn the_defaults_come_from_the_configuration() {
    let hb = daemon("[defaults]\ninterval = \"2m\"\ngrace = \"10s\"\n");
    let reply = hb.beat(r#"{"id":"d"}"#);
    assert_eq!(reply.header("heartbeat-interval"), Some("120"));
    let monitor = hb.monitor("d");
    assert_eq!((&monitor["interval_s"], &monitor["grace_s"]), (&json!(120), &json!(10)));
}

#[test]
fn many_deadlines_at_once_are_all_met() {
    let hb = daemon("");
    let beats: Vec<String> =
        (0..5_000).map(|n| format!("{{\"id\":\"m{n}\",\"interval\":\"1s\",\"grace\":0}}")).collect();
    assert_eq!(hb.beat(&format!("[{}]", beats.join(","))).json()["accepted"], json!(5_000));
    until("5000 down", || hb.metric("heartbeat_monitors{state=\"down\"}") == 5_000);
    // A change is counted when it is on record, so after the state can be seen.
    until("5000 changes", || hb.metric("heartbeat_transitions_total{to=\"down\"}") == 5_000);
    // The log is written behind, and not in the order of the names.
    until("5000 lines", || hb.log().matches(" is down, silent").count() >= 5_000);
    assert_eq!(hb.log().matches(" is down, silent").count(), 5_000);
}
