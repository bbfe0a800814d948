//! The two threads that look after what is kept: one leaves a sign of life and syncs once a second, the other brings the
//! tables up to date. They are two because a disk may take its time over either, and each must go on without the other.

use super::Checkpointer;
use crate::domain::notice::Level;
use crate::domain::time::Wall;
use crate::engine::Engine;
use crate::engine::mutex::lock;
use crate::i18n;
use crate::sys::{clock, network};
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Between two signs of life.
const TEND_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at what the tables lack.
const KEEP_EVERY: Duration = Duration::from_millis(250);

/// Comings and goings of the network that may wait for the machine of the alerts.
const NETWORK_MAX: usize = 15;

/// Both threads.
pub struct StorageThreads {
    engine: Arc<Engine>,
    threads: Vec<JoinHandle<()>>,
}

impl StorageThreads {
    /// Starts them. Errors are the system's: no thread to be had.
    pub fn start(engine: &Arc<Engine>, mut checkpointer: Checkpointer) -> io::Result<StorageThreads> {
        let mut storage_threads = StorageThreads { engine: engine.clone(), threads: Vec::new() };
        let tended = engine.clone();
        let mut there = None;
        storage_threads.threads.push(Builder::new().name("journal".into()).spawn(move || {
            loop {
                let last = tended.catch_up.wait_for_end(TEND_EVERY);
                tended.tend(clock::wall());
                tended.look_at_network(&mut there, network::is_there());
                if last {
                    return;
                }
            }
        })?);
        let kept = engine.clone();
        storage_threads.threads.push(Builder::new().name("checkpointer".into()).spawn(move || {
            loop {
                let last = kept.catch_up.wait_for_call(KEEP_EVERY);
                if last {
                    // What fails now the next start finds in the journal.
                    let _ = kept.last_checkpoint(&mut checkpointer, clock::now(), clock::asleep());
                    kept.catch_up.is_left();
                    return;
                }
                kept.catch_up.serve(|| kept.checkpoint(&mut checkpointer, clock::now(), clock::asleep()));
            }
        })?);
        Ok(storage_threads)
    }

    /// Has both do their work once more, and waits for them.
    pub fn stop(self) {
        self.engine.catch_up.stop();
        for thread in self.threads {
            // A thread that panicked has ended the process.
            let _ = thread.join();
        }
    }
}

impl Engine {
    /// Notices when this machine loses its network, if it ever had one, and when that is there again.
    fn look_at_network(&self, known: &mut Option<bool>, there: Option<bool>) {
        let Some(there) = there.filter(|there| *there || known.is_some()) else { return };
        if known.replace(there).is_none_or(|known| known == there) {
            return;
        }
        let network = &mut lock(&self.judge_inbox).gaps.network;
        // Whoever reads it does so several times a second; more than these are the last ones again.
        network.truncate(NETWORK_MAX);
        network.push(there);
        let text = if there { i18n::engine::NETWORK_BACK } else { i18n::engine::NETWORK_LOST };
        self.notice(clock::wall(), Level::Warning, "network", text);
    }

    /// Leaves a sign of life in the journal and makes durable what is not yet.
    pub fn tend(&self, now: Wall) {
        if let Err(error) = self.journal.tend(now) {
            self.has_failed(now, &error);
        }
    }
}
