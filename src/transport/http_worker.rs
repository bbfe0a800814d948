//! HTTP worker threads: tokio and hyper, for every connection that asks for more than plain beats.

use crate::domain::limits::STOP_MAX;
use crate::sys::clock;
use crate::transport::deadline;
use crate::transport::handoff::Handoff;
use crate::transport::http;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// Connections that may wait for a thread to take them up.
const INBOX_MAX: usize = 4096;

/// What a worker is given to do.
pub enum WorkerJob {
    /// Serve a connection.
    Serve(Box<Handoff>),
    /// End when the connections have ended; where a next process follows, hand idle ones back.
    Drain {
        /// Whether one follows.
        next_follows: bool,
    },
}

/// One HTTP worker, as others see it.
pub struct HttpWorker {
    inbox: mpsc::Sender<WorkerJob>,
    gauge: Arc<WorkerGauge>,
}

/// What a thread shows of itself.
#[derive(Debug, Default)]
struct WorkerGauge {
    connections: AtomicUsize,
    pulse: AtomicU64,
    empty: Notify,
}

impl HttpWorker {
    /// Starts a thread. `on_start` runs on it first.
    pub fn start(
        index: usize,
        on_start: impl FnOnce() + Send + 'static,
    ) -> io::Result<(HttpWorker, JoinHandle<()>)> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
        let (inbox, receiver) = mpsc::channel(INBOX_MAX);
        let gauge: Arc<WorkerGauge> = Arc::default();
        let worker = HttpWorker { inbox, gauge: gauge.clone() };
        let thread = std::thread::Builder::new().name(format!("http-{index}")).spawn(move || {
            on_start();
            runtime.block_on(run(receiver, gauge));
            // What is still open has had its time.
            runtime.shutdown_background();
        })?;
        Ok((worker, thread))
    }

    /// Has the thread serve a connection; gives it back when the thread is too far behind.
    pub fn serve(&self, handoff: Box<Handoff>) -> Result<(), Box<Handoff>> {
        match self.inbox.try_reserve() {
            Ok(slot) => {
                slot.send(WorkerJob::Serve(handoff));
                Ok(())
            }
            Err(_) => Err(handoff),
        }
    }

    /// Lets the thread end once it has answered what has arrived. Where a next process follows, connections that it can go
    /// on with are given back to their reactors.
    pub async fn drain(&self, next_follows: bool) {
        let _ = self.inbox.send(WorkerJob::Drain { next_follows }).await;
    }

    /// Seconds that its loop has turned.
    pub fn pulse(&self) -> u64 {
        self.gauge.pulse.load(Ordering::Relaxed)
    }
}

/// A worker without a thread, and what it is given.
#[cfg(test)]
pub fn detached() -> (HttpWorker, mpsc::Receiver<WorkerJob>) {
    let (inbox, jobs) = mpsc::channel(INBOX_MAX);
    (HttpWorker { inbox, gauge: Arc::default() }, jobs)
}

async fn run(mut inbox: mpsc::Receiver<WorkerJob>, gauge: Arc<WorkerGauge>) {
    let sweeping = tokio::spawn(sweep(gauge.clone()));
    let mut next_follows = false;
    while let Some(job) = inbox.recv().await {
        let handoff = match job {
            WorkerJob::Serve(handoff) => handoff,
            WorkerJob::Drain { next_follows: follows } => {
                next_follows = follows;
                break;
            }
        };
        gauge.connections.fetch_add(1, Ordering::AcqRel);
        let gauge = gauge.clone();
        tokio::spawn(async move {
            http::serve(*handoff).await;
            if gauge.connections.fetch_sub(1, Ordering::AcqRel) == 1 {
                gauge.empty.notify_one();
            }
        });
    }
    deadline::drain(next_follows);
    let emptied = async {
        while gauge.connections.load(Ordering::Acquire) > 0 {
            gauge.empty.notified().await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(STOP_MAX.0), emptied).await;
    sweeping.abort();
}

/// Once a second: the deadlines of this thread's connections, and a sign that its loop turns.
async fn sweep(gauge: Arc<WorkerGauge>) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let began = clock::mono();
    loop {
        every.tick().await;
        deadline::sweep((clock::mono().since(began).0 / 1000) as u32);
        gauge.pulse.fetch_add(1, Ordering::Relaxed);
    }
}
