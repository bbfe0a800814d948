use super::*;
use crate::domain::address::Peer;
use crate::domain::beat::{Beat, Source, Status, Transport};
use crate::domain::id::IdRef;
use crate::domain::notice::State;
use crate::domain::pattern::Pattern;
use crate::domain::policy::Defaults;
use crate::domain::policy::Policy;
use crate::domain::record::Change;
use crate::domain::record::Record;
use crate::domain::registry::MonitorCommand;
use crate::domain::rules::{Match, Rule, Rules};
use crate::domain::time::{Span, Wall};
use crate::domain::window::Window;
use crate::engine::Incoming;
use crate::engine::judge::Judge;
use crate::engine::testing::{at, over};
use crate::store::Batch;
use crate::store::memory::{MemoryJournal, MemoryTables};
use crate::store::{Condition, Journal, Position, RecordFilter, Storage, StoreError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::broadcast::Receiver;

/// A listener to the engine's news, asked at each append what it has heard.
type Listener = Arc<Mutex<Heard>>;

#[derive(Default)]
struct Heard {
    receiver: Option<Receiver<Arc<MonitorEvent>>>,
    /// What nobody has asked for yet.
    news: Vec<(String, Option<State>)>,
    /// Of each id, how many changes are on record, and how many were heard.
    counts: BTreeMap<String, (u32, u32)>,
}

impl Heard {
    fn listen(&mut self) {
        while let Some(news) = self.receiver.as_mut().and_then(|receiver| receiver.try_recv().ok()) {
            let (id, what) = match &*news {
                MonitorEvent::Change(change) => (change.monitor.as_str(), Some(change.to)),
                MonitorEvent::Made(id) | MonitorEvent::Removed(id) | MonitorEvent::Conflict(id, _) => {
                    (id.as_str(), None)
                }
            };
            let (on_record, heard) = self.counts.entry(id.to_string()).or_default();
            *heard += 1;
            assert!(heard <= on_record, "{id}: {what:?} was told before it was on record");
            self.news.push((id.to_string(), what));
        }
    }
}

/// A journal that knows what was heard of before it had it.
struct First {
    inner: MemoryJournal,
    listener: Listener,
}

impl Journal for First {
    fn append(&self, now: Wall, batch: &mut Batch) -> Result<Position, StoreError> {
        let heard = &mut lock(&self.listener);
        heard.listen();
        batch.for_each(|record| {
            let changed = u32::from(record.change != Change::None);
            heard.counts.entry(record.id.as_str().to_string()).or_default().0 += changed;
        });
        self.inner.append(now, batch)
    }

    fn sync(&self, upto: Position) -> Result<(), StoreError> {
        self.inner.sync(upto)
    }

    fn read(
        &self,
        from: Option<Position>,
        wanted: RecordFilter,
        visit: &mut dyn FnMut(Position, &Record<'_>),
    ) -> Result<Position, StoreError> {
        self.inner.read(from, wanted, visit)
    }

    fn trim(&self, before: Position) -> Result<(), StoreError> {
        self.inner.trim(before)
    }

    fn last_sign(&self) -> Option<Wall> {
        self.inner.last_sign()
    }

    fn tend(&self, now: Wall) -> Result<(), StoreError> {
        self.inner.tend(now)
    }

    fn condition(&self, now: Wall) -> Condition {
        self.inner.condition(now)
    }
}

fn engine(listener: &Listener) -> Engine {
    let journal = First { inner: MemoryJournal::new(), listener: listener.clone() };
    let engine = over(Storage::new(journal, MemoryTables::new()), Policy::default());
    lock(listener).receiver = Some(engine.watch());
    engine
}

fn beat(engine: &Engine, now: Now, id: &str, status: Status, pending: &mut Pending) {
    let beat = Beat { status, ..Beat::default() };
    let peer = Peer::from_ip("192.0.2.1".parse().unwrap());
    let source = Source { peer, transport: Transport::Tcp };
    let monitor = IdRef::new(id).unwrap();
    let incoming = Incoming { now, monitor, beat: &beat, source, follows_interval: false };
    engine.beat(&incoming, &engine.policy(), pending, || {}).unwrap();
}

/// What has been told since this was last asked: whose, and the state it came to, if that is what it is about.
fn told(listener: &Listener) -> Vec<(String, Option<State>)> {
    let mut heard = lock(listener);
    heard.listen();
    std::mem::take(&mut heard.news)
}

#[test]
fn nobody_hears_of_a_change_before_it_is_on_record() {
    let listener = Listener::default();
    let engine = engine(&listener);
    let mut pending = Pending::new();
    let news = |id: &str, state: Option<State>| (id.to_string(), state);

    beat(&engine, at(1), "nas", Status::Ok, &mut pending);
    assert_eq!((told(&listener), engine.stats().sum().transitions), (vec![], Default::default()));
    engine.commit(at(1).wall, &mut pending).unwrap();
    assert_eq!(told(&listener), [news("nas", None)]);

    let own = "192.0.2.1:5000";
    beat(&engine, at(2), own, Status::Ok, &mut pending);
    engine.commit(at(2).wall, &mut pending).unwrap();
    told(&listener);
    engine.depart(at(3), IdRef::new(own).unwrap(), false, &mut pending);
    assert_eq!(told(&listener), []);
    engine.commit(at(3).wall, &mut pending).unwrap();
    assert_eq!(told(&listener), [news(own, None)]);

    // The log itself looks for these, for they commit by themselves.
    let declared = Rule::new(Match::Id(Pattern::parse("declared").unwrap()));
    let windows = vec![Window::once(at(0).wall, at(60_000).wall).unwrap()];
    let held = Rule { windows, ..Rule::new(Match::Id(Pattern::parse("nas").unwrap())) };
    let rules = Arc::new(Rules::new(vec![declared, held]));
    engine.set_policy(at(4), Arc::new(Policy { rules, ..Policy::default() }));
    engine.control(at(5), IdRef::new("declared").unwrap(), &MonitorCommand::Pause { until: None }).unwrap();
    let mut watch = Judge::new(at(5), Span(0));
    engine.turn(&mut watch, at(6), Span(0));
    let all = told(&listener);
    for news in
        [news("declared", None), news("nas", Some(State::Paused)), news("declared", Some(State::Paused))]
    {
        assert!(all.contains(&news), "{news:?} is missing: {all:?}");
    }
    let defaults = Defaults { interval: Span::secs(1), grace: Some(Span(0)), ..Defaults::default() };
    engine.set_policy(at(7), Arc::new(Policy { defaults, ..Policy::default() }));
    engine.turn(&mut watch, at(8), Span(0));
    engine.turn(&mut watch, at(9_000), Span(0));
}

#[test]
fn news_of_one_monitor_keep_their_order_whoever_commits_first() {
    let listener = Listener::default();
    let engine = engine(&listener);
    let (mut slow, mut quick) = (Pending::new(), Pending::new());
    beat(&engine, at(1), "nas", Status::Ok, &mut slow);
    beat(&engine, at(2), "nas", Status::Fail, &mut quick);
    engine.commit(at(2).wall, &mut quick).unwrap();
    assert_eq!(told(&listener), [], "what comes first is not on record yet");
    engine.commit(at(3).wall, &mut slow).unwrap();
    let states: Vec<Option<State>> = told(&listener).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [None, Some(State::Down)]);
    assert!(slow.is_empty() && quick.is_empty() && engine.event_queues.is_empty(0));
}
