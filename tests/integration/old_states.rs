//! State directories that real daemons of earlier versions left (`tests/states`): what stands in them is read, and
//! served.

use crate::harness::{Daemon, Setup, project};
use heartbeat_server::domain::alert::{Message, MessageKind};
use heartbeat_server::domain::beat::Status;
use heartbeat_server::domain::record::{Cause, Change, Record};
use heartbeat_server::domain::time::Wall;
use heartbeat_server::store::{
    self, DeliveryStatus, IncidentQuery, OutboxQuery, RecordFilter, SnapshotRow, Storage,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const VERSIONS: [&str; 3] = ["0.2", "0.3", "0.4"];
/// Of the versions that told anybody, what waited: the key, and whom it is about.
const WAITING: [(&str, MessageKind, &[&str]); 4] = [
    ("down-4-1-ops", MessageKind::Down, &["failed", "mended"]),
    ("down-3-1-ops", MessageKind::Down, &["silent"]),
    ("down-8-1-ops", MessageKind::Down, &["late-comer"]),
    ("recovered-5-1-ops", MessageKind::Recovered, &["mended"]),
];
/// Id, number, state, beats.
const MONITORS: [(&str, u64, &str, u64); 7] = [
    ("failed", 4, "down", 1),
    ("job", 2, "new", 1),
    ("late-comer", 8, "down", 1),
    ("mended", 5, "up", 2),
    ("paused", 6, "paused", 1),
    ("silent", 3, "down", 1),
    ("web", 1, "up", 2),
];

/// Unpacks `state` of a version into a folder.
fn unpack(version: &str, into: &Path) {
    let archive = project(&format!("tests/states/{version}.tar.gz"));
    let unpacked = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(into).status().unwrap();
    assert!(unpacked.success());
}

#[test]
fn what_an_earlier_version_kept_is_read() {
    for version in VERSIONS {
        let setup = Setup::bare();
        unpack(version, &setup.place().path(""));
        let now = Wall(1_800_000_000_000);
        let Storage { journal, tables } = store::open(&setup.place().path("state"), now, None).unwrap();
        assert_eq!(journal.take_damage(), [], "{version}");
        assert_eq!(tables.take_damage(), [], "{version}");
        assert!(journal.last_sign().is_some(), "{version}");

        // As the engine puts it together: of two records the later one.
        let mut monitors: BTreeMap<String, (u64, (u64, String, u64))> = BTreeMap::new();
        let mut details: BTreeMap<String, Value> = BTreeMap::new();
        let mut load = |record: &Record<'_>| {
            let id = record.id.as_str().to_string();
            if record.change == Change::Removed {
                monitors.remove(&id);
                return;
            }
            if let Some(said) = &record.details {
                let runs: Vec<&str> = said.runs.iter().map(|run| run.rid).collect();
                details.insert(id.clone(), json!([said.message, said.tags, runs, said.pause.is_some()]));
            }
            if let Some(incident) = record.incident.filter(|_| id == "late-comer") {
                assert_eq!((record.status, incident.reason.cause), (Status::Exit(255), Cause::Fail));
            }
            let stands = (record.number, record.state.name().to_string(), record.beats);
            let known = monitors.entry(id).or_default();
            if known.0 <= record.version {
                *known = (record.version, stands);
            }
        };
        let mut gone = Vec::new();
        let mut visit = |row: SnapshotRow<'_>| match row {
            SnapshotRow::Monitor(record) => load(record),
            SnapshotRow::Removed(number) => gone.push(number),
        };
        let from = tables.snapshot(&mut visit).unwrap();
        assert!(from.is_some(), "{version}: a snapshot was finished");
        journal.read(from, RecordFilter::All, &mut |_, record| load(record)).unwrap();
        let found: Vec<_> =
            monitors.iter().map(|(id, (_, s))| (id.as_str(), s.0, s.1.as_str(), s.2)).collect();
        assert_eq!(found, MONITORS, "{version}");
        assert_eq!((gone, tables.last_number().unwrap()), (vec![7], 8), "{version}");
        assert_eq!(details["web"], json!(["all is well", ["shop", "数据库"], [], false]), "{version}");
        assert_eq!(details["job"][2], json!(["r-1"]), "{version}");
        assert_eq!(
            (&details["failed"][0], &details["paused"][3]),
            (&json!("disk full"), &json!(true)),
            "{version}"
        );

        let incidents = tables.incidents(&IncidentQuery { limit: 9, ..IncidentQuery::default() }).unwrap();
        let found: Vec<_> = incidents
            .iter()
            .map(|one| (one.id.as_str(), one.reason.cause, one.ended.is_some(), one.acknowledged))
            .collect();
        let (silence, fail) = (Cause::Silence, Cause::Fail);
        let want = [
            ("8-1", fail, false, false),
            ("3-1", silence, false, false),
            ("5-1", fail, true, false),
            ("4-1", fail, false, true),
        ];
        assert_eq!(found, want, "{version}");

        let query = OutboxQuery { limit: 9, ..OutboxQuery::default() };
        let mut posted = tables.outbox_list(&query).unwrap();
        posted.reverse();
        let waiting = if version == "0.2" { &[][..] } else { &WAITING[..] };
        assert_eq!(posted.len(), waiting.len(), "{version}");
        for (one, (key, kind, ids)) in posted.iter().zip(waiting) {
            assert_eq!(
                (one.outgoing.key.as_str(), one.delivery),
                (*key, DeliveryStatus::Pending),
                "{version}"
            );
            let message: Message = serde_json::from_str(&one.outgoing.message).unwrap();
            let about: Vec<&str> = message.monitors.iter().map(|one| one.id.as_str()).collect();
            assert_eq!((message.kind, &about[..]), (*kind, *ids), "{version}");
        }
        let remembered: Vec<u64> =
            tables.alert_states().unwrap().into_iter().map(|(number, _)| number).collect();
        assert_eq!(remembered, if version == "0.2" { vec![] } else { vec![3, 4, 5, 8] }, "{version}");
    }
}

#[test]
fn what_an_earlier_version_kept_is_served() {
    for version in VERSIONS {
        let setup = Setup::new(
            "state.history = \"3660d\"\n[defaults]\nnotify = [\"ops\"]\n[[notifier]]\nname = \"ops\"\ntype = \"webhook\"\n\
             url = \"http://127.0.0.1:9/\"\nretry_for = \"7d\"\n",
        );
        unpack(version, &setup.place().path(""));
        let hb: Daemon = setup.start();
        let list = |path: &str, name: &str| -> Vec<Value> {
            hb.get(&format!("/api/v1/{path}")).json()[name].as_array().unwrap().clone()
        };
        let monitors = list("monitors", "monitors");
        let found: Vec<_> = monitors
            .iter()
            .map(|one| {
                (one["id"].as_str().unwrap(), one["number"].as_u64().unwrap(), one["state"].as_str().unwrap())
            })
            .collect();
        assert_eq!(found, MONITORS.map(|(id, number, state, _)| (id, number, state)), "{version}");
        let ids = |rows: &[Value]| {
            rows.iter().map(|one| one["id"].as_str().unwrap().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            ids(&list("incidents", "incidents")),
            ["8-1", "3-1", "5-1", "4-1"],
            "{version}: names that were told stay"
        );
        let keys: Vec<String> =
            list("alerts", "alerts").iter().map(|one| one["key"].as_str().unwrap().to_string()).collect();
        let waiting = if version == "0.2" { &[][..] } else { &WAITING[..] };
        assert!(waiting.iter().all(|(key, ..)| keys.iter().any(|known| known == key)), "{version}: {keys:?}");
        // It goes on where the other stopped.
        hb.beat(r#"{"id":"late-comer","status":0}"#);
        hb.beat(r#"{"id":"another"}"#);
        assert_eq!(
            (&hb.monitor("late-comer")["state"], &hb.monitor("another")["number"]),
            (&json!("up"), &json!(9))
        );
        let incident = &list("incidents?monitor=late-comer", "incidents")[0];
        assert!(incident["ended"].is_string(), "{version}: {incident}");
        assert!(!hb.log().contains("damaged"), "{version}: {}", hb.log());
    }
}
