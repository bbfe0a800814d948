//! Alerts from the first beat to the receiver: who is told, of what, how often, and what happens when nobody takes it.

use crate::durability::{Mount, fill};
use crate::harness::{Daemon, Setup, daemon, until};
use crate::receiver::{Answer, Receiver, Told};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A notifier `ops` that tells this receiver at once.
fn ops(receiver: &Receiver, more: &str) -> String {
    format!(
        "[[notifier]]\nname = \"ops\"\ntype = \"webhook\"\nurl = \"{}\"\ngroup_wait = \"0s\"\n{more}\n",
        receiver.url()
    )
}

/// And everybody's.
fn all(receiver: &Receiver, more: &str) -> String {
    format!("[defaults]\nnotify = [\"ops\"]\ninterval = \"1s\"\ngrace = \"0s\"\n{}", ops(receiver, more))
}

fn kinds(told: &[Told]) -> Vec<String> {
    told.iter().map(|told| told.kind().to_string()).collect()
}

fn alerts(hb: &Daemon, state: &str) -> Vec<Value> {
    let reply = hb.get(&format!("/api/v1/alerts?state={state}"));
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["alerts"].as_array().unwrap().clone()
}

#[test]
fn one_notifier_one_default_a_beat_and_silence_make_a_message() {
    let receiver = Receiver::new(&[]);
    let hb = daemon(&all(&receiver, ""));
    hb.beat(r#"{"id":"web-1","tags":["rack-3"]}"#);
    until("the message", || !receiver.told().is_empty());
    let down = receiver.told().remove(0);
    assert_eq!((down.kind(), &down.json["monitor"]), ("down", &json!("web-1")));
    assert_eq!(down.json["key"], json!(down.key), "the key stands in the header, too");
    assert_eq!(down.json["monitors"][0]["tags"], json!(["rack-3"]));
    assert_eq!(down.json["monitors"][0]["address"], json!("127.0.0.1"));
    assert_eq!(down.json["delayed_s"], json!(0));
    let text = down.json["text"].as_str().unwrap();
    assert!(text.starts_with("web-1 is down, silent for "), "{text}");
    let incident = hb.monitor("web-1")["incident"]["id"].clone();
    assert_eq!(down.json["incident"], incident);
    hb.beat(r#"{"id":"web-1","interval":"1h"}"#);
    until("its end", || receiver.told().len() == 2);
    let up = receiver.told().remove(1);
    assert_eq!((up.kind(), &up.json["incident"]), ("recovered", &incident));
    assert!(up.json["duration_s"].as_f64().is_some_and(|lasted| lasted > 0.0), "{}", up.json);
    until("both on record", || alerts(&hb, "sent").len() == 2);
    assert_eq!(alerts(&hb, "sent")[1]["text"], down.json["text"]);
    assert_eq!((alerts(&hb, "pending").len(), alerts(&hb, "failed").len()), (0, 0));
    assert_eq!(hb.metric("heartbeat_alerts_total{notifier=\"ops\",result=\"sent\"}"), 2);
    until("nothing to wait", || hb.metric("heartbeat_alerts_pending") == 0);
    hb.wait_for_log("told ops: web-1 is down");
}

#[test]
fn a_failure_is_told_with_its_exit_code_and_the_end_of_its_output_and_a_later_silence_quotes_nothing() {
    let receiver = Receiver::new(&[]);
    let hb = daemon(&all(&receiver, ""));
    let output = format!("{}rsync: broken\\n", "copied a file\\n".repeat(200));
    hb.beat(&format!(r#"{{"id":"job","status":11,"interval":"1h","message":"{output}"}}"#));
    until("the message", || !receiver.told().is_empty());
    let down = receiver.told().remove(0).json;
    let text = down["text"].as_str().unwrap();
    assert!(text.starts_with("job is down, exit code 11: …") && text.ends_with("rsync: broken"), "{text}");
    assert!(down["message"].as_str().unwrap().ends_with("copied a file\nrsync: broken"), "{down}");
    assert_eq!((&down["exit_code"], &down["monitors"][0]["exit_code"]), (&json!(11), &json!(11)));
    hb.wait_for_log("job is down, exit code 11");
    hb.wait_for_log("status: fail, exit code 11");
    let incident = hb.get("/api/v1/incidents?monitor=job").json()["incidents"][0].clone();
    assert_eq!((&incident["cause"], &incident["exit_code"]), (&json!("fail"), &json!(11)));
    let page = hb.get("/monitors/job");
    assert!(page.text().contains("<td data-label=\"Cause\">exit code 11"), "{}", page.text());
    // It is well, says nothing, and is silent then.
    hb.beat(r#"{"id":"job","interval":"1s"}"#);
    until("silence", || receiver.told().len() == 3);
    let silent = receiver.told().remove(2).json;
    assert_eq!((&silent["cause"], &silent["message"]), (&json!("silence"), &json!(null)), "{silent}");
    assert!(!silent["text"].as_str().unwrap().contains("rsync"), "{silent}");
    assert_eq!(hb.monitor("job")["message_at"], incident["started"], "it has its time");
}

#[test]
fn each_further_failure_is_told_to_who_wants_that_with_its_own_words_and_over_a_restart() {
    let (each, once) = (Receiver::new(&[]), Receiver::new(&[]));
    let notifiers =
        format!("{}{}", ops(&each, "every_failure = true"), ops(&once, "").replace("\"ops\"", "\"once\""));
    let hb = daemon(&format!("[defaults]\nnotify = [\"ops\", \"once\"]\ninterval = \"1h\"\n{notifiers}"));
    hb.beat(r#"{"id":"job","status":11,"message":"disk full"}"#);
    until("the first message", || !each.told().is_empty());
    hb.beat(r#"{"id":"job","status":12,"message":"rsync: broken"}"#);
    until("the second", || each.told().len() == 2);
    until("all on record", || alerts(&hb, "sent").len() == 3);
    // It is on record when it is answered, so a kill loses nothing.
    hb.beat(r#"{"id":"job","status":13}"#);
    let hb = again(hb);
    // One that was under way may come again, under its name.
    let told = || -> Vec<Value> {
        let mut seen = BTreeSet::new();
        each.told().into_iter().filter(|told| seen.insert(told.key.clone())).map(|told| told.json).collect()
    };
    until("the third", || told().len() == 3);
    hb.beat(r#"{"id":"job"}"#);
    until("its end", || told().len() == 4);
    until("its end for both", || once.taken().len() >= 2);
    until("nothing to wait", || alerts(&hb, "pending").is_empty());
    let all = told();
    let seen: Vec<[&Value; 4]> = all
        .iter()
        .map(|json| [&json["kind"], &json["exit_code"], &json["message"], &json["failures"]])
        .collect();
    assert_eq!(seen[0], [&json!("down"), &json!(11), &json!("disk full"), &json!(0)]);
    assert_eq!(seen[1], [&json!("reminder"), &json!(12), &json!("rsync: broken"), &json!(1)]);
    assert_eq!(seen[2], [&json!("reminder"), &json!(13), &json!(null), &json!(1)]);
    assert_eq!((seen.len(), &all[3]["kind"]), (4, &json!("recovered")));
    let text = all[1]["text"].as_str().unwrap();
    assert!(text.starts_with("job failed again, exit code 12, down for "), "{text}");
    assert!(text.ends_with(": rsync: broken"), "{text}");
    assert!(all.iter().all(|json| json["incident"] == all[0]["incident"]), "it is one incident: {all:#?}");
    let once: BTreeSet<String> = once.taken().iter().map(|told| told.kind().to_string()).collect();
    assert_eq!(once, BTreeSet::from(["down".to_string(), "recovered".to_string()]));
}

#[test]
fn a_job_that_runs_too_long_is_not_called_silent() {
    let receiver = Receiver::new(&[]);
    let hb = daemon(&format!("{}[[monitor]]\nmatch = \"job\"\nrun_limit = \"1s\"\n", all(&receiver, "")));
    hb.beat(r#"{"id":"job","status":"start"}"#);
    until("the message", || !receiver.told().is_empty());
    let down = receiver.told().remove(0).json;
    assert_eq!(
        (&down["cause"], &down["text"]),
        (&json!("run_too_long"), &json!("job is down, its run takes longer than 1s"))
    );
    hb.wait_for_log("job is down, its run takes longer than 1s");
    assert_eq!(hb.monitor("job")["incident"]["cause"], "run_too_long");
    hb.beat(r#"{"id":"job","status":0}"#);
    hb.wait_for_log("job is up again\n");
}

#[test]
fn nobody_is_told_of_a_strangers_first_beat_and_silence() {
    let receiver = Receiver::new(&[]);
    let hb = daemon(&format!("[defaults]\ninterval = \"1s\"\ngrace = \"0s\"\n{}", ops(&receiver, "")));
    hb.beat(r#"{"id":"stranger"}"#);
    hb.wait_for_log("stranger is down");
    // What comes is behind it, so it was passed over.
    assert_eq!(hb.wish("POST", "/api/v1/alerts/test/ops", "").status, 200);
    assert_eq!(kinds(&receiver.told()), ["test"]);
    assert_eq!(alerts(&hb, "").len(), 1);
}

#[test]
fn a_rule_tells_its_own_and_one_that_names_nobody_tells_nobody() {
    let receiver = Receiver::new(&[]);
    let config = format!(
        "{}[[monitor]]\nmatch = \"quiet-*\"\nnotify = []\n[[monitor]]\nmatch = \"db-*\"\nnotify = [\"ops\"]\n",
        ops(&receiver, "")
    );
    let hb = daemon(&config);
    for id in ["quiet-1", "db-1"] {
        assert_eq!(hb.beat(&format!(r#"{{"id":"{id}","status":"fail","message":"no space"}}"#)).status, 200);
    }
    until("the message", || !receiver.told().is_empty());
    let told = receiver.told();
    assert_eq!((told.len(), told[0].ids()), (1, vec!["db-1"]));
    assert_eq!(told[0].json["text"], json!("db-1 is down, it reported a failure: no space"));
}

#[test]
fn whatever_a_receiver_does_it_is_told_in_order_and_each_thing_once() {
    let answers = [Answer::Status(500), Answer::Cut, Answer::Later(1), Answer::Hang];
    let receiver = Receiver::new(&answers);
    let hb = daemon(&all(&receiver, "timeout = \"1s\""));
    hb.beat(r#"{"id":"a","status":"fail"}"#);
    until("the first try", || !receiver.told().is_empty());
    hb.beat(r#"{"id":"a","interval":"1h"}"#);
    until("both to be taken", || receiver.taken().len() == 2);
    assert_eq!(kinds(&receiver.taken()), ["down", "recovered"]);
    let keys: BTreeSet<String> = receiver.told()[..5].iter().map(|told| told.key.clone()).collect();
    assert_eq!(keys.len(), 1, "each try of one message has its name: {keys:?}");
    assert_eq!(hb.metric("heartbeat_alerts_total{notifier=\"ops\",result=\"retried\"}"), 4);
    until("it on record", || alerts(&hb, "sent").len() == 2);
    assert_eq!(alerts(&hb, "sent")[1]["tries"], json!(5));
    hb.wait_for_log("ops did not take an alert and is tried again");
}

#[test]
fn what_is_refused_goes_to_the_fallback_and_is_shown() {
    let (receiver, other) = (Receiver::new(&[Answer::Status(404)]), Receiver::new(&[]));
    let config = format!(
        "{}[[notifier]]\nname = \"other\"\ntype = \"webhook\"\nurl = \"{}\"\n",
        all(&receiver, "fallback = \"other\""),
        other.url()
    );
    let hb = daemon(&config);
    hb.beat(r#"{"id":"a","status":"fail"}"#);
    until("the fallback to be told", || other.told().len() == 1);
    assert_eq!((other.told()[0].kind(), receiver.told().len()), ("down", 1));
    until("it to be shown", || alerts(&hb, "failed").len() == 1);
    let failed = alerts(&hb, "failed").remove(0);
    assert!(failed["reason"].as_str().is_some_and(|reason| reason.contains("404")), "{failed}");
    hb.wait_for_log("it goes to other instead");
    assert_eq!(hb.metric("heartbeat_alerts_total{notifier=\"ops\",result=\"failed\"}"), 1);
    let ready = hb.get("/readyz");
    assert_eq!((ready.status, &ready.json()["degraded"]), (200, &json!(true)));
    let page = hb.get("/");
    assert!(page.text().contains("/api/v1/alerts?state=failed"), "{}", page.text());
}

#[test]
fn one_that_nobody_answers_for_waits_and_is_told_when_somebody_does() {
    let receiver = Receiver::new(&[]);
    let config = all(&receiver, "").replace(&receiver.url(), "http://127.0.0.1:{d}/");
    let hb = daemon(&config);
    hb.beat(r#"{"id":"a","status":"fail"}"#);
    hb.wait_for_log("ops did not take an alert");
    assert_eq!(alerts(&hb, "pending").len(), 1);
    assert!(hb.get("/readyz").text().contains("alerts do not reach ops"));
    // It moves to another address.
    hb.place.configure(&all(&receiver, ""));
    hb.signal(Signal::SIGHUP);
    until("it to be told", || receiver.told().len() == 1);
    until("all to be well", || !hb.get("/readyz").text().contains("alerts do not reach ops"));
}

#[test]
fn many_at_once_are_one_message_with_all_of_them() {
    let receiver = Receiver::new(&[]);
    let config = all(&receiver, "").replace("group_wait = \"0s\"", "group_wait = \"2s\"");
    let hb = daemon(&config);
    let beats: Vec<String> = (0..1_000).map(|n| format!(r#"{{"id":"m-{n}","status":"fail"}}"#)).collect();
    assert_eq!(hb.beat(&format!("[{}]", beats.join(","))).status, 200);
    until("the message", || !receiver.told().is_empty());
    let told = receiver.told().remove(0);
    assert_eq!((told.ids().len(), &told.json["count"]), (1_000, &json!(1_000)));
    assert_eq!(told.json["shared"], json!(null), "loopback is no network in common");
    assert!(told.json["text"].as_str().is_some_and(|text| text.starts_with("1000 monitors are down")));
    assert_eq!(hb.wish("POST", "/api/v1/alerts/test/ops", "").status, 200);
    assert_eq!(kinds(&receiver.told()), ["down", "test"]);
}

#[test]
fn a_test_takes_the_real_way_and_says_what_came_of_it() {
    let receiver = Receiver::new(&[Answer::Ok, Answer::Status(500)]);
    let hb = daemon(&ops(&receiver, ""));
    let test = |name: &str| {
        let mut command = hb.place.command();
        command.arg("--config").arg(hb.place.path("heartbeat-server.toml")).args(["test-alert", name]);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(test("ops").0, Some(0));
    let (code, said) = test("ops");
    assert_eq!(code, Some(75));
    assert!(said.contains("500"), "{said}");
    assert_eq!(test("nobody").0, Some(64));
    assert_eq!(kinds(&receiver.told()), ["test", "test"], "a test is tried once");
    let states: Vec<Value> = alerts(&hb, "").iter().map(|alert| alert["state"].clone()).collect();
    assert_eq!(states, [json!("failed"), json!("sent")]);
    assert!(!hb.get("/readyz").text().contains("could not be told"), "a test that failed is no alert");
    assert_eq!(
        hb.ask("POST /api/v1/alerts/test/ops HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").status,
        403
    );
    assert_eq!(hb.get("/api/v1/alerts?state=lost").status, 400);
}

/// Ends a daemon and starts another in its place.
fn again(hb: Daemon) -> Daemon {
    again_after(hb, |_| {})
}

/// The same with something done in between.
fn again_after(mut hb: Daemon, between: impl FnOnce(&Daemon)) -> Daemon {
    hb.signal(Signal::SIGKILL);
    hb.wait();
    between(&hb);
    let mut command = hb.place.command();
    command.arg("--config").arg(hb.place.path("heartbeat-server.toml"));
    command.arg("--state-dir").arg(hb.place.path("state"));
    hb.replaced(command)
}

#[test]
fn killed_at_any_moment_it_loses_no_alert_and_repeats_only_the_one_under_way() {
    let times = std::env::var("HEARTBEAT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let receiver = Receiver::new(&[]);
    let mut hb = Setup::new(&all(&receiver, "")).start();
    let mut expected = BTreeSet::new();
    for time in 0..times {
        for n in 0..3 {
            let id = format!("k{time}-{n}");
            assert_eq!(hb.beat(&format!(r#"{{"id":"{id}","status":"fail"}}"#)).status, 200);
            expected.insert(id);
        }
        // From before it is followed to after it was sent, a moment later each time.
        std::thread::sleep(Duration::from_millis((time as u64 * 37) % 600));
        hb = again(hb);
    }
    let heard = || -> BTreeSet<String> {
        receiver
            .taken()
            .iter()
            .flat_map(|told| told.ids().into_iter().map(String::from).collect::<Vec<_>>())
            .collect()
    };
    until("all to be told", || heard().is_superset(&expected));
    until("nothing to wait", || alerts(&hb, "pending").is_empty());
    let mut times_told: BTreeMap<String, usize> = BTreeMap::new();
    let mut by_monitor: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for told in receiver.taken() {
        *times_told.entry(told.key.clone()).or_default() += 1;
        for id in told.ids() {
            by_monitor.entry(id.to_string()).or_default().insert(told.key.clone());
        }
    }
    let repeated: usize = times_told.values().map(|times| times - 1).sum();
    assert!(repeated <= times, "{repeated} repeated in {times} kills");
    assert!(by_monitor.values().all(|keys| keys.len() == 1), "told in two messages: {by_monitor:?}");
}

#[test]
fn with_a_full_disk_no_alert_is_lost_and_none_is_told_twice() {
    let receiver = Receiver::new(&[]);
    let setup = Setup::new(&all(&receiver, "timeout = \"5s\"").replace("1s\"\ngrace", "1h\"\ngrace"));
    let Some(_mount) = Mount::new(&setup.place().path("state"), "size=6m") else { return };
    let hb = setup.start();
    // Some wait for a receiver that is ill.
    receiver.always(Answer::Status(500));
    for n in 0..6 {
        assert!(says(&hb, &format!("before-{n}"), r#""status":"fail""#));
        let waits =
            || alerts(&hb, "pending").iter().any(|alert| alert["monitor"] == json!(format!("before-{n}")));
        until("it to wait", waits);
    }
    let filler = hb.place.path("state/filler");
    fill(&filler);
    until("beats that cannot be stored", || !says(&hb, "filler", ""));
    // Meanwhile others go down, and one comes back; and the receiver is well again.
    for n in 0..6 {
        says(&hb, &format!("during-{n}"), r#""status":"fail""#);
    }
    says(&hb, "before-0", "");
    receiver.always(Answer::Ok);
    let told = |kind: &str| -> Vec<String> {
        let taken = receiver.taken();
        let of_kind = taken.iter().filter(|told| told.kind() == kind);
        of_kind.flat_map(|told| told.ids().into_iter().map(String::from).collect::<Vec<_>>()).collect()
    };
    until("all to be told, with the disk full", || {
        told("down").len() >= 12 && !told("recovered").is_empty() && is_own_told(&receiver)
    });
    assert!(hb.get("/readyz").text().contains("degraded"));
    assert_eq!(hb.wish("POST", "/api/v1/alerts/test/ops", "").status, 200, "a test needs no room");
    until("nothing to wait, and that to be shown", || alerts(&hb, "pending").is_empty());
    std::fs::remove_file(&filler).unwrap();
    until("it to be well", || hb.get("/readyz").json()["degraded"] == json!(false));
    let mut down = told("down");
    down.sort();
    let named = |kind: &str| (0..6).map(|n| format!("{kind}-{n}")).collect::<Vec<_>>();
    assert_eq!(down, [named("before"), named("during")].concat(), "each once");
    assert_eq!(told("recovered"), ["before-0"]);
    let mut keys: Vec<String> = receiver.taken().into_iter().map(|told| told.key).collect();
    keys.sort();
    assert!(keys.windows(2).all(|two| two[0] != two[1]), "{keys:?}");
    // All of it is on record now, as it was told.
    let mut sent: Vec<String> =
        alerts(&hb, "sent").iter().map(|alert| alert["key"].as_str().unwrap().to_string()).collect();
    sent.sort();
    assert_eq!(sent, keys);
    let hb = again(hb);
    assert_eq!((alerts(&hb, "failed").len(), alerts(&hb, "pending").len()), (0, 0));
    assert_eq!(alerts(&hb, "sent").len(), keys.len());
    drop(hb);
}

/// Sends a beat; whether it could be stored.
fn says(hb: &Daemon, id: &str, more: &str) -> bool {
    let comma = if more.is_empty() { "" } else { "," };
    let reply = hb.beat(&format!(r#"{{"id":"{id}"{comma}{more}}}"#));
    reply.status == 200 && reply.json()["stored"] != json!(false)
}

/// Whether somebody was told that the server's own disk is full.
fn is_own_told(receiver: &Receiver) -> bool {
    let is_own = |told: &Told| {
        told.kind() == "self"
            && told.json["text"].as_str().unwrap().starts_with("the disk of this server is full")
    };
    receiver.taken().iter().any(is_own)
}

/// What was told of a monitor: kind, key, and whether it was on record.
fn told_of(receiver: &Receiver, id: &str) -> Vec<(String, String, bool)> {
    let taken = receiver.taken();
    let of_it = taken.iter().filter(|told| told.ids() == [id]);
    of_it.map(|told| (told.kind().into(), told.key.clone(), told.json["stored"] == json!(true))).collect()
}

#[test]
fn a_silence_is_told_while_the_disk_is_full_and_again_only_after_a_kill() {
    for sync in ["second", "always"] {
        let receiver = Receiver::new(&[]);
        let config = format!("[state]\nsync = \"{sync}\"\n{}", all(&receiver, ""));
        let setup = Setup::new(&config.replace("\"1s\"\ngrace", "\"1h\"\ngrace"));
        let Some(_mount) = Mount::new(&setup.place().path("state"), "size=3m") else { return };
        let hb = setup.start();
        assert!(says(&hb, "quiet", "") && says(&hb, "other", ""));
        let filler = hb.place.path("state/filler");
        fill(&filler);
        until("beats that cannot be stored", || !says(&hb, "filler", ""));
        // Refused or not, it is known; and then it is silent.
        says(&hb, "quiet", r#""interval":"1s""#);
        until("its silence", || !told_of(&receiver, "quiet").is_empty());
        until("that the disk is full", || is_own_told(&receiver));
        let (kind, key, stored) = told_of(&receiver, "quiet").remove(0);
        assert_eq!((kind.as_str(), stored), ("down", false), "{sync}");
        let text = receiver.taken().iter().find(|told| told.key == key).unwrap().json["text"].clone();
        assert!(text.as_str().unwrap().contains("(not stored, since this server cannot write"), "{text}");
        assert_eq!(told_of(&receiver, "quiet").len(), 1, "{sync}");
        // Where nothing was on record it is found out, and told, anew.
        let hb = again_after(hb, |_| std::fs::remove_file(&filler).unwrap());
        assert!(says(&hb, "quiet", r#""interval":"1s""#), "{sync}");
        until("its silence once more", || told_of(&receiver, "quiet").len() == 2);
        says(&hb, "quiet", r#""interval":"1h""#);
        until("its end", || told_of(&receiver, "quiet").len() == 3);
        let told = told_of(&receiver, "quiet");
        assert_eq!((told[1].0.as_str(), told[1].2), ("down", true), "{sync}");
        assert_eq!((told[2].0.as_str(), told[2].2), ("recovered", true), "{sync}");
        drop(hb);
    }
}
