use super::*;
use crate::domain::address::Peer;
use crate::domain::alert::{AlertPolicy, MessageKind, Notifier};
use crate::domain::beat::{Beat, Source, Status, Transport};
use crate::domain::id::IdRef;
use crate::domain::registry::Arrival;
use crate::engine::shards::MonitorsAt;
use crate::engine::testing::at;

fn policy() -> Policy {
    let alerts = AlertPolicy {
        notifiers: vec![Notifier::new("ops")],
        notify: vec!["ops".into()],
        ..AlertPolicy::default()
    };
    Policy { alerts: Arc::new(alerts), ..Policy::default() }
}

/// A monitor says something; how it stands then.
fn beat(shards: &Shards, ms: u64, status: Status, from: State) -> OwnedRecord {
    let beat = Beat { status, ..Beat::default() };
    let source = Source { peer: Peer::Unix, transport: Transport::Http };
    let (shard, monitor) = shards.place_of(IdRef::new("job").unwrap());
    let arrival = Arrival { monitor, beat: &beat, source, follows_interval: false, create: Some(1) };
    shards.lock(shard).handle(at(ms), arrival, &mut |_| {}).unwrap();
    let mut found = None;
    shards.visit(at(ms), &mut |record| {
        let change = Change::State { from, muted: false };
        found = Some(OwnedRecord::new(&Record { change, details: None, ..record.clone() }));
    });
    found.unwrap()
}

fn begin(remembered: Vec<(u64, String)>, recovered: Recovered) -> AlertJudge {
    AlertJudge::new(Beginning {
        started: Clocks { now: at(3), asleep: Span(0) },
        now: at(3).wall,
        policy: &policy(),
        instance: Arc::new(Instance::random(7, Wall(0))),
        remembered,
        last_sign: Some(at(2).wall),
        counts: Counts::default(),
        recovered,
    })
}

fn present(ms: u64) -> Option<Present<'static>> {
    Some(Present {
        clocks: Clocks { now: at(ms), asleep: Span(0) },
        gaps: Gaps::default(),
        unheard: &[],
        expects_twins: false,
        lately_down: &[],
        is_full: false,
    })
}

#[test]
fn an_outage_that_was_told_to_its_end_is_not_begun_again_because_another_one_is_open() {
    let shards = Shards::new(at(0), &policy());
    let mut judge = begin(Vec::new(), Recovered::default());
    let first = beat(&shards, 1, Status::Fail, State::Up);
    let first = first.borrow().unwrap();
    judge.machine.hear(&first);
    judge.machine.hear(&beat(&shards, 2, Status::Ok, State::Down).borrow().unwrap());
    assert!(judge.machine.saw_the_end_of(&first));
    // It fails again before the checkpointer has its first turn.
    let second = beat(&shards, 3, Status::Fail, State::Up);
    let second = second.borrow().unwrap();
    let monitors = MonitorsAt { shards: &shards, now: at(4) };
    judge.put_right(&first, &Ends::default(), &monitors);
    assert!(judge.machine.saw_the_end_of(&first), "it is over and stays so");
    judge.put_right(&second, &Ends::default(), &monitors);
    assert!(judge.machine.knows(second.number) && !judge.machine.saw_the_end_of(&second));
}

#[test]
fn an_outage_that_was_told_to_its_end_and_is_open_after_a_power_cut_is_told_of_again() {
    let shards = Shards::new(at(0), &policy());
    let mut before = begin(Vec::new(), Recovered::default());
    let down = beat(&shards, 1, Status::Fail, State::Up);
    let monitors = MonitorsAt { shards: &shards, now: at(2) };
    let down = [down.borrow().unwrap()];
    let inputs = Inputs { changes: &down, present: present(20_000), on_record: true };
    let told = before.turn(&inputs, &Ends::default(), &monitors);
    assert_eq!(told.messages.iter().map(|one| one.kind).collect::<Vec<_>>(), [MessageKind::Down]);
    // Its end was told, and is lost with the power: by what is left it is down.
    let other = Shards::new(at(0), &policy());
    beat(&other, 1, Status::Fail, State::Up);
    let up = beat(&other, 30_000, Status::Ok, State::Down);
    let up = [up.borrow().unwrap()];
    let inputs = Inputs { changes: &up, present: present(60_000), on_record: true };
    let told = before.turn(&inputs, &Ends::default(), &monitors);
    assert_eq!(told.messages.iter().map(|one| one.kind).collect::<Vec<_>>(), [MessageKind::Recovered]);
    let state = |one: AlertState| one.state.map(|state| (one.number, state));
    let remembered: Vec<(u64, String)> = told.alert_states.into_iter().filter_map(state).collect();
    let recovered = Recovered::find(at(60_001), &shards, &remembered, Some(at(60_000).wall));
    let mut judge = begin(remembered, recovered);
    let inputs = Inputs { changes: &[], present: present(60_002), on_record: true };
    let asked = judge.asks(&inputs);
    assert_eq!(asked.len(), 1);
    let mut ends = Ends::default();
    ends.insert(&asked[0]);
    drop(asked);
    let mut told = judge.turn(&inputs, &ends, &monitors);
    let inputs = Inputs { changes: &[], present: present(120_000), on_record: true };
    told.messages.extend(judge.turn(&inputs, &ends, &monitors).messages);
    let kinds: Vec<MessageKind> = told.messages.iter().map(|one| one.kind).collect();
    assert!(matches!(kinds[..], [MessageKind::Down | MessageKind::Flapping]), "{kinds:?}");
}
