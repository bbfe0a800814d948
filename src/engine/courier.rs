//! The courier: takes what is due out of the outbox and brings it to the notifiers, until each has taken it.
//!
//! It has a thread of its own, since looking into the outbox may wait for a disk. What is sent when, and what follows
//! from how it went, is decided in `round` and `desk`, which are given the time; here are the thread and the sending.
//!
//! Messages of one notifier go out in their order, one after the other unless the configuration wants several at once,
//! and never one about a monitor of which an earlier one is still to arrive: the news that it is up again does not
//! overtake that it went down. A notifier that fails is left alone for a second, then for twice as long each time, five
//! minutes at most, or for as long as it asks (`Retry-After`), however many messages wait. After five failures others are
//! tried besides the first, in case it is the message and not the notifier. What could not be told for `retry_for` is
//! given up, and goes to the fallback.
//!
//! Where a notifier has several recipients (mail), one who is refused or put off keeps nobody else from hearing: once the
//! others have the message, each who has not gets it in a message of its own, tried by itself. While somebody has such
//! messages waiting, what comes later joins them, so that for each recipient the order holds.
//!
//! A message is struck off only after it was taken, so a crash between the two repeats it: with the same key. Where it
//! cannot be struck off because the disk is full, that is remembered until it can; and what could not even be put into the
//! outbox leaves from memory, marked (`aside`).

mod desk;
mod round;

use super::Engine;
use super::post::{Partly, Test, Tested};
use crate::domain::time::Now;
use crate::notify::{Channel, Envelope, Outcome, Recipients};
use crate::store::Settled;
use crate::sys::clock;
use arc_swap::ArcSwap;
pub use round::{Parcel, Round};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;

/// How often the outbox is looked into though nobody rang.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a courier that stops waits for what is on its way.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// A notifier's channel.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// The way there.
    pub channel: Arc<Channel>,
    /// Messages that may be on their way at once.
    pub concurrency: usize,
}

/// The channels by the names of their notifiers.
pub type Outlets = BTreeMap<String, Outlet>;

/// The thread, from outside.
pub struct Courier {
    outlets: Arc<ArcSwap<Outlets>>,
    stop: Arc<Notify>,
    engine: Arc<Engine>,
    thread: JoinHandle<()>,
}

impl Courier {
    /// Starts it. Errors are the system's: no thread to be had.
    pub fn start(engine: &Arc<Engine>, outlets: Outlets) -> io::Result<Courier> {
        let outlets = Arc::new(ArcSwap::from_pointee(outlets));
        let stop = Arc::new(Notify::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let door = engine.take_post_door().ok_or_else(|| io::Error::other("there is a courier already"))?;
        let work = Work {
            engine: engine.clone(),
            outlets: outlets.clone(),
            used: outlets.load_full(),
            round: Round::default(),
            under_way: JoinSet::new(),
        };
        let stopped = stop.clone();
        let thread = Builder::new().name("courier".into()).spawn(move || {
            runtime.block_on(work.run(door, &stopped));
            // Where names are not resolved a thread hangs in it that nothing stops; the end does not wait for it.
            runtime.shutdown_background();
        })?;
        Ok(Courier { outlets, stop, engine: engine.clone(), thread })
    }

    /// Uses other channels from now on.
    pub fn set_outlets(&self, outlets: Outlets) {
        self.outlets.store(Arc::new(outlets));
        self.engine.post.bell.notify_one();
    }

    /// Stops it; what is on its way has a moment to arrive.
    pub fn stop(self) {
        self.stop.notify_one();
        // A thread that panicked has ended the process.
        let _ = self.thread.join();
    }
}

/// A try that is over.
struct Tried {
    parcel: Parcel,
    outcome: Outcome,
    done: Option<oneshot::Sender<Tested>>,
}

struct Work {
    engine: Arc<Engine>,
    outlets: Arc<ArcSwap<Outlets>>,
    /// Those that were there at the last look.
    used: Arc<Outlets>,
    round: Round,
    under_way: JoinSet<Tried>,
}

impl Work {
    async fn run(mut self, mut door: mpsc::Receiver<Test>, stop: &Notify) {
        loop {
            self.hand_out(clock::now());
            tokio::select! {
                Some(tried) = self.under_way.join_next() => {
                    if let Ok(tried) = tried {
                        self.settle(tried);
                    }
                }
                Some(test) = door.recv() => self.test(test),
                () = self.engine.post.bell.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.notified() => break,
            }
        }
        let last = async {
            while let Some(tried) = self.under_way.join_next().await {
                if let Ok(tried) = tried {
                    self.settle(tried);
                }
            }
        };
        let _ = tokio::time::timeout(STOP_WAIT, last).await;
    }

    /// Sends whatever may be sent now.
    fn hand_out(&mut self, now: Now) {
        let outlets = self.outlets.load_full();
        if !Arc::ptr_eq(&outlets, &self.used) {
            self.round.forget();
            self.used = outlets.clone();
        }
        let slots = |name: &str| outlets.get(name).map(|outlet| outlet.concurrency);
        for parcel in self.engine.hand_out(&mut self.round, &slots, now) {
            if let Some(outlet) = outlets.get(&parcel.outgoing.notifier) {
                self.send(parcel, outlet.clone(), None);
            }
        }
    }

    fn send(&mut self, parcel: Parcel, outlet: Outlet, done: Option<oneshot::Sender<Tested>>) {
        let lang = self.engine.policy().page_lang;
        self.under_way.spawn(async move {
            let to = match &parcel.outgoing.recipient {
                Some(recipient) => Recipients::One(recipient),
                None if parcel.without.is_empty() => Recipients::All,
                None => Recipients::But(&parcel.without),
            };
            let envelope = Envelope::new(lang, &parcel.message).for_recipients(to);
            let outcome = outlet.channel.send(&envelope).await;
            Tried { parcel, outcome, done }
        });
    }

    /// Sends a test at once, whatever waits, and only once.
    fn test(&mut self, test: Test) {
        let outlet = self.outlets.load().get(&test.outgoing.notifier).cloned();
        let Some(outlet) = outlet else { return };
        self.engine.post_test(&test.outgoing);
        if let Some(parcel) = self.engine.wrap(&mut self.round, test.outgoing, &[], clock::wall()) {
            self.send(parcel, outlet, Some(test.done));
        }
    }

    /// Notes what came of a try.
    fn settle(&mut self, tried: Tried) {
        let Tried { parcel, outcome, done } = tried;
        let settled = self.engine.settle(&mut self.round, parcel, &outcome, clock::now());
        if let Some(done) = done {
            // Whoever asked may have gone.
            let _ = done.send(match settled {
                Settled::Sent => Ok(Partly::default()),
                Settled::Split { .. } => Ok(match outcome {
                    Outcome::Partly { told, left } => Partly { told, left },
                    _ => Partly::default(),
                }),
                Settled::Retry { reason, .. } | Settled::Failed { reason } | Settled::GivenUp { reason } => {
                    Err(reason)
                }
            });
        }
    }
}
