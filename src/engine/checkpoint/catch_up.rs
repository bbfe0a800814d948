//! Whoever reads the past waits until it is there: what memory shows of a state comes into the tables by way of the journal,
//! and a reader who saw that a monitor is up shall not find its incident open.
//!
//! A reader calls the checkpointer and waits for the end of its next turn, for a bounded time: with a disk that hangs, or a
//! hundred thousand changes at once, an answer that is a moment old is better than none. Where nothing has changed since the
//! last turn nobody waits.

use crate::domain::record::{Change, Record};
use crate::domain::time::Span;
use crate::engine::mutex::lock;
use crate::store::Batch;
use crate::sys::clock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long a reader waits for the checkpointer.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// How long for a thread that has changed a state and not written that down yet: it does so in the same turn of its loop.
const COMMIT_MAX: Span = Span(100);
const COMMIT_LOOK: Duration = Duration::from_millis(1);

/// Between those who read the tables and the checkpointer, who fills them.
pub(in crate::engine) struct CatchUp {
    /// Batches with a change of state that are not in the journal yet.
    uncommitted: AtomicU64,
    /// Changes of state since the start, and one for those before it.
    changes: AtomicU64,
    /// How many of them there were when the checkpointer began its last turn.
    followed: AtomicU64,
    calls: Mutex<CatchUpState>,
    /// The checkpointer is called, or all is over.
    called: Condvar,
    /// A turn has ended.
    served: Condvar,
}

#[derive(Default)]
struct CatchUpState {
    /// There is a checkpointer.
    is_kept: bool,
    stop: bool,
    /// Readers that have called; how many of them before the present turn, and before the last one.
    asked: u64,
    begun: u64,
    served: u64,
}

impl Default for CatchUp {
    fn default() -> CatchUp {
        CatchUp {
            uncommitted: AtomicU64::new(0),
            changes: AtomicU64::new(1),
            followed: AtomicU64::new(0),
            calls: Mutex::default(),
            called: Condvar::new(),
            served: Condvar::new(),
        }
    }
}

impl CatchUp {
    /// Puts a record into a batch.
    #[inline]
    pub(in crate::engine) fn push(&self, batch: &mut Batch, record: &Record<'_>) {
        if record.change != Change::None {
            self.uncommitted.fetch_add(u64::from(!batch.has_changes()), Ordering::AcqRel);
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
        batch.push(record);
    }

    /// A batch with changes is in the journal, or will never be.
    pub(in crate::engine) fn committed(&self) {
        self.uncommitted.fetch_sub(1, Ordering::AcqRel);
    }

    /// Waits until the tables hold what has happened up to now.
    pub(in crate::engine) fn wait(&self) {
        let began = clock::mono();
        while self.uncommitted.load(Ordering::Acquire) > 0 && clock::mono().since(began) < COMMIT_MAX {
            std::thread::sleep(COMMIT_LOOK);
        }
        let changes = self.changes.load(Ordering::Acquire);
        let mut calls = lock(&self.calls);
        if !calls.is_kept || self.followed.load(Ordering::Acquire) >= changes {
            return;
        }
        calls.asked += 1;
        let own = calls.asked;
        self.called.notify_all();
        let waits = |calls: &mut CatchUpState| calls.is_kept && calls.served < own;
        drop(self.served.wait_timeout_while(calls, WAIT_MAX, waits));
    }

    /// Waits for a time, or for the end; true at the end.
    pub(in crate::engine) fn wait_for_end(&self, time: Duration) -> bool {
        let waited = self.called.wait_timeout_while(lock(&self.calls), time, |calls| !calls.stop);
        waited.unwrap_or_else(PoisonError::into_inner).0.stop
    }

    /// The same for the checkpointer, whom readers call.
    pub(in crate::engine) fn wait_for_call(&self, time: Duration) -> bool {
        let mut calls = lock(&self.calls);
        calls.is_kept = true;
        let idle = |calls: &mut CatchUpState| !calls.stop && calls.asked == calls.begun;
        let waited = self.called.wait_timeout_while(calls, time, idle);
        let mut calls = waited.unwrap_or_else(PoisonError::into_inner).0;
        calls.begun = calls.asked;
        calls.stop
    }

    /// Has the checkpointer do a turn; whoever has called before it finds the tables filled.
    pub(in crate::engine) fn serve(&self, turn: impl FnOnce()) {
        let changes = self.changes.load(Ordering::Acquire);
        // One that is not in the journal yet is followed in the next turn.
        let all = self.uncommitted.load(Ordering::Acquire) == 0;
        turn();
        if all {
            self.followed.store(changes, Ordering::Release);
        }
        let mut calls = lock(&self.calls);
        calls.served = calls.begun;
        self.served.notify_all();
    }

    /// Ends all waiting.
    pub(in crate::engine) fn stop(&self) {
        lock(&self.calls).stop = true;
        self.called.notify_all();
    }

    /// There is no checkpointer any more.
    pub(in crate::engine) fn is_left(&self) {
        lock(&self.calls).is_kept = false;
        self.served.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notice::State;
    use crate::domain::time::Wall;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;

    #[test]
    fn a_reader_waits_for_the_turn_that_begins_after_its_call_and_for_none_where_nothing_is_new() {
        let catch_up = CatchUp::default();
        catch_up.wait();
        let (filled, (go, begun)) = (AtomicBool::new(false), mpsc::channel());
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !catch_up.wait_for_call(Duration::from_secs(60)) {
                    catch_up.serve(|| filled.store(true, Ordering::Release));
                    go.send(()).unwrap();
                }
                catch_up.is_left();
            });
            // The checkpointer is there once it waits; then a first reader has it fill the tables.
            while !lock(&catch_up.calls).is_kept {
                std::thread::yield_now();
            }
            catch_up.wait();
            assert!(filled.swap(false, Ordering::AcqRel));
            begun.recv().unwrap();
            catch_up.wait();
            assert!(!filled.load(Ordering::Acquire), "nothing was new");
            let mut record = crate::store::codec::tests::beat("a", 1, 1, Wall(1));
            record.change = Change::State { from: State::Up, muted: false };
            let mut batch = Batch::new();
            catch_up.push(&mut batch, &record);
            catch_up.push(&mut batch, &record);
            catch_up.committed();
            assert_eq!(catch_up.uncommitted.load(Ordering::Acquire), 0, "a batch counts once");
            catch_up.wait();
            assert!(filled.load(Ordering::Acquire));
            catch_up.stop();
        });
        // Without a checkpointer nobody would end the waiting.
        catch_up.changes.fetch_add(1, Ordering::AcqRel);
        catch_up.wait();
    }
}
