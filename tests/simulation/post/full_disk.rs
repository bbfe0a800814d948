//! Alerts while the disk takes nothing.

use super::*;

/// What was heard of monitors, in any order: what, of whom, and whether it was on record.
fn news(heard: &[Heard]) -> Vec<String> {
    let of_one = |one: &Heard| {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let (kind, stored) = (word(&one.json["kind"]), one.json["stored"] == true);
        let ids: Vec<String> =
            one.json["monitors"].as_array().into_iter().flatten().map(|of| word(&of["id"])).collect();
        ids.into_iter().map(move |id| format!("{kind} {id}{}", if stored { "" } else { ", unstored" }))
    };
    let mut news: Vec<String> =
        heard.iter().filter(|one| one.json["kind"] != "self").flat_map(of_one).collect();
    news.sort();
    news
}

#[test]
fn while_the_disk_is_full_alerts_leave_from_memory_and_are_told_once_and_are_on_record_in_the_end() {
    let config = format!("{}{}", notifier("ops", "fallback = \"mail\""), notifier("mail", ""));
    let mut town = Town::new("full", &config);
    // Two wait for a receiver that is ill.
    town.failing = vec![("ops", 0, 10 * MINUTE, Fault::Answers500)];
    (0..9).for_each(|n| town.beat(&format!("m{n}"), Status::Ok));
    ["m0", "m1"].iter().for_each(|id| town.beat(id, Status::Fail));
    town.pass(MINUTE);
    town.fill_disk(true);
    // The journal takes nothing, so nobody finds these changes there.
    town.beat("m2", Status::Fail);
    town.pass(20 * MINUTE);
    for (id, status) in [("m3", Status::Fail), ("m0", Status::Ok), ("m2", Status::Ok)] {
        town.beat(id, status);
        town.pass(3);
        let last = town.heard_by("ops").last().unwrap();
        assert_eq!((last.json["monitor"].as_str(), town.s - last.s <= 3), (Some(id), true), "{last:?}");
    }
    assert!(town.is_said("no space left"), "{:?}", town.engine.health());
    let waits = town.engine.alerts_pending();
    assert_eq!((waits, town.rows(DeliveryStatus::Pending)), (0, vec![]), "so it is shown");
    // Longer than anything is remembered of who is well and was told of.
    town.pass(2 * HOUR);
    town.fill_disk(false);
    town.pass(10 * MINUTE);
    let want = [
        "down m0",
        "down m1",
        "down m2, unstored",
        "down m3, unstored",
        "recovered m0, unstored",
        "recovered m2, unstored",
    ];
    assert_eq!(news(town.heard_by("ops")), want, "each once, and marked");
    let keys: BTreeSet<&str> = town.heard_by("ops").iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys.len(), town.heard_by("ops").len());
    let own: Vec<&Heard> = town.heard_by("ops").iter().filter(|one| one.json["kind"] == "self").collect();
    assert_eq!(own.len(), 1, "{own:?}");
    assert!(own[0].json["text"].as_str().unwrap().starts_with("the disk of this server is full"), "{own:?}");
    assert_eq!(town.heard_by("mail").len(), 0);
    let rows = (
        town.rows(DeliveryStatus::Sent),
        town.rows(DeliveryStatus::Pending),
        town.rows(DeliveryStatus::Failed),
    );
    assert_eq!((rows.0.len(), rows.1, rows.2), (keys.len(), vec![], vec![]));
    assert!(town.engine.health().degraded.is_empty(), "{:?}", town.engine.health());
    // And it goes on as ever.
    town.beat("m4", Status::Fail);
    town.pass(MINUTE);
    assert!(news(town.heard_by("ops")).contains(&"down m4".to_string()));
}

#[test]
fn killed_while_the_disk_is_full_it_tells_again_what_nobody_noted() {
    for journal_too in [true, false] {
        let mut town = Town::new(&format!("full-killed-{journal_too}"), &notifier("ops", ""));
        town.beat("m0", Status::Ok);
        town.pass(MINUTE);
        if journal_too {
            town.fill_disk(true)
        } else {
            town.probe.fill_tables(true)
        }
        town.beat("m0", Status::Fail);
        town.pass(MINUTE);
        assert_eq!(news(town.heard_by("ops")), ["down m0, unstored"]);
        town.kill();
        if journal_too {
            // What the journal has not taken is lost with the process; it fails still, and says so.
            town.beat("m0", Status::Fail);
        }
        town.pass(MINUTE);
        town.fill_disk(false);
        town.pass(MINUTE);
        assert_eq!(news(town.heard_by("ops")), ["down m0, unstored"; 2]);
        let of_it = town.heard_by("ops").iter().filter(|one| one.json["kind"] == "down");
        let keys: BTreeSet<&str> = of_it.map(|one| one.key.as_str()).collect();
        // Of what the journal has it is the same message; what is found out anew is another outage.
        assert_eq!(keys.len(), if journal_too { 2 } else { 1 }, "{keys:?}");
        assert_eq!((town.rows(DeliveryStatus::Pending), town.rows(DeliveryStatus::Failed)), (vec![], vec![]));
        town.beat("m0", Status::Ok);
        town.pass(MINUTE);
        assert!(news(town.heard_by("ops")).contains(&"recovered m0".to_string()));
        assert_eq!(town.heard_by("ops").iter().filter(|one| one.json["kind"] != "self").count(), 3);
    }
}

#[test]
fn who_is_forgotten_at_two_starts_since_the_first_is_not_on_record_is_told_of_once() {
    let mut town = Town::new("forgotten", &format!("forget_after = \"2m\"\n{}", notifier("ops", "")));
    town.beat("a", Status::Fail);
    town.pass(MINUTE);
    town.disk.set_room(Some(0));
    town.pass(2 * MINUTE);
    for _ in 0..3 {
        town.kill();
        town.pass(10);
    }
    town.disk.set_room(None);
    town.pass(MINUTE);
    // That the disk is full is said, too, after each start.
    let heard = town.heard_by("ops");
    let kinds = heard.iter().map(|one| &one.json["kind"]).filter(|kind| **kind != "self");
    let kinds: Vec<&Value> = kinds.collect();
    assert_eq!(kinds, ["down", "recovered"], "{heard:#?}");
}

#[test]
fn what_the_journal_writes_again_when_there_is_room_is_told_of_once() {
    let mut town = Town::new("again", &notifier("ops", ""));
    for status in [Status::Fail, Status::Ok] {
        for id in ["a", "b"] {
            town.beat(id, status);
            town.pass(10);
        }
    }
    // The start cannot write again what was not synced, and when there is room nothing of it is remembered any more.
    town.disk.set_room(Some(0));
    town.s += 2 * HOUR;
    town.kill();
    town.pass(2 * MINUTE);
    town.disk.set_room(None);
    for _ in 0..MINUTE {
        town.engine.tend(town.now().wall);
        town.tick();
    }
    let kinds: Vec<&Value> = town.heard_by("ops").iter().map(|one| &one.json["kind"]).collect();
    assert_eq!(kinds, ["down", "down", "recovered", "recovered"], "{:#?}", town.heard_by("ops"));
}
