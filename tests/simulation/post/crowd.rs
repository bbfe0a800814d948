//! More monitors than one list, one look or one message holds.

use super::{Town, notifier};
use heartbeat_server::domain::address::Peer;
use heartbeat_server::domain::beat::{Beat, Source, Status, Transport};
use heartbeat_server::domain::id::IdRef;
use heartbeat_server::domain::notice::State;
use heartbeat_server::domain::registry::MonitorCommand;
use heartbeat_server::engine::{Incoming, Pending};

const DOWN: usize = 12_000;
const PAUSED: usize = 1_000;

impl Town {
    /// Beats that are put on record together.
    fn beat_all(&self, ids: &[String], status: Status) {
        let beat = Beat { status, ..Beat::default() };
        let source = Source { peer: Peer::Ip([127, 0, 0, 1].into()), transport: Transport::Http };
        let mut pending = Pending::new();
        for id in ids {
            let monitor = IdRef::new(id).unwrap();
            let incoming = Incoming { now: self.now(), monitor, beat: &beat, source, follows_interval: true };
            self.engine.beat(&incoming, &self.policy, &mut pending, || {}).unwrap();
        }
        self.engine.commit(self.now().wall, &mut pending).unwrap();
    }

    /// Of each message to "ops" what it is, and about how many; since this was last asked.
    fn told(&mut self) -> Vec<(String, u64)> {
        let heard = self.heard.remove("ops").unwrap_or_default();
        let what = |json: &serde_json::Value| json["kind"].as_str().unwrap().to_string();
        heard.iter().map(|one| (what(&one.json), one.json["count"].as_u64().unwrap())).collect()
    }
}

#[test]
fn after_a_start_all_that_are_down_are_known_and_told_however_many_they_are() {
    let mut town = Town::new("crowd", &notifier("ops", ""));
    // Paused ones are down beneath, and come first by name and by number.
    let paused: Vec<String> = (0..PAUSED).map(|n| format!("a{n}")).collect();
    let down: Vec<String> = (0..DOWN).map(|n| format!("m{n}")).collect();
    town.beat_all(&paused, Status::Ok);
    town.beat_all(&down, Status::Ok);
    for id in &paused {
        let pause = MonitorCommand::Pause { until: None };
        town.engine.control(town.now(), IdRef::new(id).unwrap(), &pause).unwrap();
    }
    town.pass(2);
    assert_eq!(town.told(), []);
    // They go down, and the process is killed before it has told anybody.
    town.beat_all(&paused, Status::Fail);
    town.beat_all(&down, Status::Fail);
    town.kill();
    assert_eq!(town.engine.counts()[State::Down as usize], DOWN as u64);
    assert_eq!(town.engine.counts()[State::Paused as usize], PAUSED as u64);
    town.pass(20);
    let told = town.told();
    let about: u64 = told.iter().filter(|(kind, _)| kind == "down").map(|(_, count)| count).sum();
    assert_eq!(about, DOWN as u64, "{told:?}");
    // What was told is known after the next start; nobody is told of it again.
    town.kill();
    town.pass(20);
    assert!(town.told().iter().all(|(kind, _)| kind != "down"));
    town.beat_all(&down, Status::Ok);
    town.pass(600);
    let told = town.told();
    let about: u64 = told.iter().filter(|(kind, _)| kind == "recovered").map(|(_, count)| count).sum();
    assert_eq!(about, DOWN as u64, "{told:?}");
}
