//! The delivery: takes what is due out of the outbox and brings it to the notifiers, until each has taken it.
//!
//! It has a thread of its own, since looking into the outbox may wait for a disk. What is sent when, and what follows
//! from how it went, is decided in `deliverer` and `notifier_state`, which are given the time; here are the thread and the sending.
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
//! With another server beside this one (`[pair]`) a task asks that for its alerts (`peer`), and what it tells or has told is
//! kept back or let go (`standby`).
//!
//! A message is struck off only after it was taken, so a crash between the two repeats it: with the same key. Where it
//! cannot be struck off because the disk is full, that is remembered until it can; and what could not even be put into the
//! outbox leaves from memory, marked (`unstored`).

mod deliverer;
mod notifier_state;
mod pair_state;
mod peer;
mod standby;
pub mod stats;
pub(in crate::engine) mod unstored;

use super::Engine;
use crate::domain::time::Now;
use crate::notify::{Channel, Envelope, Outcome, Recipients};
use crate::store::Settled;
use crate::sys::clock;
use arc_swap::ArcSwap;
pub use deliverer::{Deliverer, Dispatch};
use peer::{PeerAnswer, PeerTask};
pub use peer::{PeerSettings, PeerUrl};
use stats::{Partly, Test, Tested};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;

/// How often the outbox is looked into though nobody rang.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a delivery that stops waits for what is on its way.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// A notifier's channel.
#[derive(Clone, Debug)]
pub struct NotifierChannel {
    /// The way there.
    pub channel: Arc<Channel>,
    /// Messages that may be on their way at once.
    pub concurrency: usize,
}

/// The channels by the names of their notifiers.
pub type NotifierChannels = BTreeMap<String, NotifierChannel>;

/// The thread, from outside.
pub struct DeliveryThread {
    channels: Arc<ArcSwap<NotifierChannels>>,
    peer: Arc<ArcSwap<Option<PeerSettings>>>,
    stop: Arc<Notify>,
    engine: Arc<Engine>,
    thread: JoinHandle<()>,
}

impl DeliveryThread {
    /// Starts it. Errors are the system's: no thread to be had.
    pub fn start(
        engine: &Arc<Engine>,
        channels: NotifierChannels,
        peer: Option<PeerSettings>,
    ) -> io::Result<DeliveryThread> {
        let channels = Arc::new(ArcSwap::from_pointee(channels));
        let peer = Arc::new(ArcSwap::from_pointee(peer));
        let stop = Arc::new(Notify::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let door = engine.take_post_door().ok_or_else(|| io::Error::other("there is a delivery already"))?;
        let work = Work {
            engine: engine.clone(),
            channels: channels.clone(),
            used: channels.load_full(),
            peer: PeerWork { wanted: peer.clone(), used: Arc::default(), task: None },
            deliverer: Deliverer::default(),
            under_way: JoinSet::new(),
        };
        let stopped = stop.clone();
        let thread = Builder::new().name("delivery".into()).spawn(move || {
            runtime.block_on(work.run(door, &stopped));
            // Where names are not resolved a thread hangs in it that nothing stops; the end does not wait for it.
            runtime.shutdown_background();
        })?;
        Ok(DeliveryThread { channels, peer, stop, engine: engine.clone(), thread })
    }

    /// Uses other channels from now on.
    pub fn set_channels(&self, channels: NotifierChannels) {
        self.channels.store(Arc::new(channels));
        self.engine.post.bell.notify_one();
    }

    /// Asks another server from now on, or none.
    pub fn set_peer(&self, peer: Option<PeerSettings>) {
        self.peer.store(Arc::new(peer));
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
    dispatch: Dispatch,
    outcome: Outcome,
    done: Option<oneshot::Sender<Tested>>,
}

struct Work {
    engine: Arc<Engine>,
    channels: Arc<ArcSwap<NotifierChannels>>,
    /// Those that were there at the last look.
    used: Arc<NotifierChannels>,
    peer: PeerWork,
    deliverer: Deliverer,
    under_way: JoinSet<Tried>,
}

/// The other server of a pair: the one that is wanted, and the task that asks it.
struct PeerWork {
    wanted: Arc<ArcSwap<Option<PeerSettings>>>,
    used: Arc<Option<PeerSettings>>,
    task: Option<PeerTask>,
}

impl PeerWork {
    /// Begins to ask the one that is wanted; whether it is another one than before.
    fn renew(&mut self) -> bool {
        let wanted = self.wanted.load_full();
        if Arc::ptr_eq(&wanted, &self.used) {
            return false;
        }
        if *wanted != *self.used {
            self.task = wanted.as_ref().clone().map(PeerTask::start);
        }
        // The same server, asked in another way, is known already.
        let url = |settings: &Option<PeerSettings>| settings.as_ref().map(|one| one.url.clone());
        let is_other = url(&wanted) != url(&self.used);
        self.used = wanted;
        is_other
    }

    /// What it answers next.
    async fn next(&mut self) -> PeerAnswer {
        match &mut self.task {
            Some(task) => task.next().await,
            None => std::future::pending().await,
        }
    }
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
                answer = self.peer.next() => self.engine.note_peer(&mut self.deliverer, answer, clock::now()),
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
        let channels = self.channels.load_full();
        if !Arc::ptr_eq(&channels, &self.used) {
            self.deliverer.forget();
            self.used = channels.clone();
        }
        if self.peer.renew() {
            self.engine.forget_pair(&mut self.deliverer);
        }
        let slots = |name: &str| channels.get(name).map(|channel| channel.concurrency);
        for dispatch in self.engine.hand_out(&mut self.deliverer, &slots, now) {
            if let Some(channel) = channels.get(&dispatch.outgoing.notifier) {
                self.send(dispatch, channel.clone(), None);
            }
        }
        if let Some(task) = &self.peer.task {
            task.want_since(self.deliverer.pair.since);
        }
    }

    fn send(&mut self, dispatch: Dispatch, channel: NotifierChannel, done: Option<oneshot::Sender<Tested>>) {
        let lang = self.engine.policy().lang;
        self.under_way.spawn(async move {
            let to = match &dispatch.outgoing.recipient {
                Some(recipient) => Recipients::One(recipient),
                None if dispatch.without.is_empty() => Recipients::All,
                None => Recipients::But(&dispatch.without),
            };
            let envelope = Envelope::new(lang, &dispatch.message).for_recipients(to);
            let outcome = channel.channel.send(&envelope).await;
            Tried { dispatch, outcome, done }
        });
    }

    /// Sends a test at once, whatever waits, and only once.
    fn test(&mut self, test: Test) {
        let channel = self.channels.load().get(&test.outgoing.notifier).cloned();
        let Some(channel) = channel else { return };
        self.engine.post_test(&test.outgoing);
        if let Some(dispatch) = self.engine.wrap(&mut self.deliverer, test.outgoing, &[], clock::wall()) {
            self.send(dispatch, channel, Some(test.done));
        }
    }

    /// Notes what came of a try.
    fn settle(&mut self, tried: Tried) {
        let Tried { dispatch, outcome, done } = tried;
        let settled = self.engine.settle(&mut self.deliverer, dispatch, &outcome, clock::now());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Span;

    #[tokio::test]
    async fn a_server_that_is_asked_in_another_way_is_the_same() {
        let settings = |url: &str, every| {
            Some(PeerSettings { url: url.parse().unwrap(), token: None, ca: None, every: Span::secs(every) })
        };
        let wanted = Arc::new(ArcSwap::from_pointee(settings("http://127.0.0.1:1", 5)));
        let mut work = PeerWork { wanted: wanted.clone(), used: Arc::default(), task: None };
        let mut renewed = |settings| {
            wanted.store(Arc::new(settings));
            work.renew()
        };
        assert!(renewed(settings("http://127.0.0.1:1", 5)));
        assert!(!renewed(settings("http://127.0.0.1:1", 9)));
        assert!(renewed(settings("http://127.0.0.1:2", 9)));
        assert!(renewed(None));
    }
}
