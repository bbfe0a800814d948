//! What monitors are held to by the configuration: schedules and their zones, the grace that fits, the first beat.

use crate::harness::{Daemon, Setup, daemon, until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

fn ready(hb: &Daemon) -> Value {
    hb.get("/readyz").json()
}

#[test]
fn an_unknown_time_zone_is_said_and_not_silently_utc() {
    const SAID: &str = "no such time zone on this machine: Mars/Olympus; times go by UTC";
    let setup = || Setup::new("lang = \"en\"").env("TZ", "Mars/Olympus");
    let (code, said) = setup().args(&["check-config"]).run();
    assert!(code == 0 && said.contains(&format!("warning: TZ: {SAID}")), "{code} {said}");
    let hb = setup().start();
    hb.wait_for_log(SAID);
    let ready = ready(&hb);
    assert_eq!(ready["degraded"], json!(true));
    assert!(ready["reasons"][0].as_str().unwrap().starts_with(SAID), "{ready}");
    let page = hb.ask("GET / HTTP/1.1\r\nHost: hb\r\nAccept-Language: zh\r\n\r\n");
    assert!(
        page.text().contains("本机没有时区 Mars/Olympus"),
        "in the language of the reader: {}",
        page.text()
    );
    let (code, said) = Setup::new("lang = \"en\"").env("TZ", "UTC").args(&["check-config"]).run();
    assert!(code == 0 && !said.contains("time zone"), "{said}");
}

#[test]
fn check_config_shows_zone_and_next_times_of_each_schedule() {
    let config = "lang = \"en\"\n[[monitor]]\nmatch = \"backup\"\nschedule = \"30 3 * * *\"\n";
    let (code, said) = Setup::new(config).env("TZ", "Asia/Shanghai").args(&["check-config"]).run();
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains(
            "backup: due at 30 3 * * * (local: Asia/Shanghai); grace 1h; run limit: the next time and grace\n"
        ),
        "{said}"
    );
    let next = said.lines().find_map(|line| line.strip_prefix("next ")).unwrap().trim();
    let times: Vec<&str> = next.split(", ").collect();
    assert_eq!(times.len(), 3, "{next}");
    assert!(times.iter().all(|time| time.ends_with(" 03:30 +08:00")), "{next}");
}

#[test]
fn who_is_declared_and_never_heard_is_named_and_down_where_that_is_asked_for() {
    let hb = daemon(
        "lang = \"en\"\n[[monitor]]\nmatch = \"forgotten\"\ninterval = \"1s\"\n\
         [[monitor]]\nmatch = \"missing\"\nfirst_beat = \"1s\"\n[[monitor]]\nmatch = \"heard\"\ninterval = \"1s\"\n",
    );
    hb.beat(r#"{"id":"heard"}"#);
    until("down", || hb.monitor("missing")["state"] == "down");
    assert_eq!(hb.monitor("missing")["incident"]["cause"], "never_heard");
    hb.wait_for_log("missing is down");
    until("both are overdue", || hb.monitor("forgotten")["never_heard"] == true);
    const SAID: &str = "2 declared monitors were never heard: forgotten, missing";
    let ready = ready(&hb);
    assert_eq!(ready["reasons"], json!([SAID]));
    assert!(hb.get("/").text().contains(SAID));
    assert_eq!(hb.monitor("forgotten")["state"], "new");
    hb.beat(r#"{"id":"missing"}"#);
    assert_eq!(hb.monitor("missing")["never_heard"], false);
    until("the incident", || {
        let all: Value = hb.get("/api/v1/incidents?monitor=missing").json();
        all["incidents"][0]["cause"] == "never_heard" && !all["incidents"][0]["ended"].is_null()
    });
}

#[test]
fn a_grace_fits_its_interval_unless_somebody_names_one() {
    let config = "[[monitor]]\nmatch = \"daily\"\nschedule = \"0 3 * * *\"\ntimezone = \"UTC\"\n";
    let hb = daemon(config);
    hb.beat(
        r#"[{"id":"a"},{"id":"b","interval":"1d"},{"id":"c","interval":"1d","grace":"5m"},{"id":"daily"}]"#,
    );
    let grace = |hb: &Daemon, id: &str| hb.monitor(id)["grace_s"].as_f64().unwrap();
    for (id, want) in [("a", 30.0), ("b", 3600.0), ("c", 300.0), ("daily", 3600.0)] {
        assert_eq!(grace(&hb, id), want, "{id}");
    }
    let slot = hb.monitor("daily")["slot"].as_str().unwrap().to_string();
    assert!(slot.ends_with("T03:00:00.000Z"), "{slot}");
    assert_eq!(hb.monitor("a")["slot"], Value::Null);
    let hb = daemon(&format!("[defaults]\ngrace = \"30s\"\n{config}"));
    hb.beat(r#"[{"id":"b","interval":"1d"},{"id":"daily"}]"#);
    assert_eq!((grace(&hb, "b"), grace(&hb, "daily")), (30.0, 30.0));
}

#[test]
fn a_reload_uses_up_no_numbers() {
    let hb = daemon("[[monitor]]\nmatch = \"one\"\n[[monitor]]\nmatch = \"two\"\n");
    let before = hb.monitor("one")["number"].as_u64().max(hb.monitor("two")["number"].as_u64()).unwrap();
    for reloads in 1..=3 {
        hb.signal(Signal::SIGHUP);
        until("reloaded", || hb.log().matches("configuration reloaded").count() == reloads);
    }
    hb.beat(r#"{"id":"new"}"#);
    assert_eq!(hb.monitor("new")["number"], json!(before + 1));
}
