//! Deadlines of connections, by whole seconds, at the price of one store a beat.
//!
//! Each worker thread has a table with a row for each of its connections: the second at which it must have moved on,
//! and the task to wake if it has not. A connection that makes progress overwrites a number; once a second the
//! thread's [`sweep`] looks through the numbers. No timer object is made, armed or moved for any of them.

use crate::domain::time::Span;
use std::cell::RefCell;
use std::task::{Context, Poll, Waker};

/// A row nobody waits for.
const NEVER: u32 = u32::MAX;
/// A row whose time has come.
const PASSED: u32 = 0;

#[derive(Default)]
struct Table {
    due_s: Vec<u32>,
    wakers: Vec<Option<Waker>>,
    free: Vec<u32>,
    now_s: u32,
    draining: Option<Wakeup>,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::default();
}

/// Why a connection that waits is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeup {
    /// Its deadline has passed.
    Timeout,
    /// The daemon is stopping.
    Drain,
    /// The same, but a next process will go on with what a reactor has.
    HandBack,
}

/// One connection's row. Made and dropped on the thread that serves it.
#[derive(Debug)]
pub struct Deadline {
    row: u32,
}

impl Deadline {
    /// A row in the calling thread's table, with no deadline yet.
    pub fn new() -> Deadline {
        TABLE.with_borrow_mut(|table| {
            let row = table.free.pop().unwrap_or_else(|| {
                table.due_s.push(NEVER);
                table.wakers.push(None);
                table.due_s.len() as u32 - 1
            });
            table.due_s[row as usize] = NEVER;
            Deadline { row }
        })
    }

    /// Sets the deadline: it passes `after` from now, or up to two seconds later.
    pub fn set(&self, after: Span) {
        let seconds = u32::try_from(after.as_secs_ceil()).unwrap_or(NEVER - 2);
        TABLE.with_borrow_mut(|table| {
            table.due_s[self.row as usize] =
                table.now_s.saturating_add(seconds).saturating_add(1).min(NEVER - 1);
        });
    }

    /// Takes the deadline away.
    pub fn clear(&self) {
        TABLE.with_borrow_mut(|table| table.due_s[self.row as usize] = NEVER);
    }

    /// Ready when the deadline has passed or, with `heed_drain`, when the daemon is stopping.
    pub fn poll(&self, cx: &mut Context<'_>, heed_drain: bool) -> Poll<Wakeup> {
        TABLE.with_borrow_mut(|table| {
            let row = self.row as usize;
            if table.due_s[row] == PASSED {
                return Poll::Ready(Wakeup::Timeout);
            }
            if let (true, Some(call)) = (heed_drain, table.draining) {
                return Poll::Ready(call);
            }
            match &mut table.wakers[row] {
                Some(waker) if waker.will_wake(cx.waker()) => {}
                slot => *slot = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        // The table may be gone already when the thread itself ends.
        let _ = TABLE.try_with(|table| {
            let mut table = table.borrow_mut();
            table.due_s[self.row as usize] = NEVER;
            table.wakers[self.row as usize] = None;
            table.free.push(self.row);
        });
    }
}

impl Default for Deadline {
    fn default() -> Deadline {
        Deadline::new()
    }
}

/// Wakes those of the calling thread whose deadline has passed. `now_s` counts seconds since the thread began.
pub fn sweep(now_s: u32) {
    let due: Vec<Waker> = TABLE.with_borrow_mut(|table| {
        table.now_s = now_s;
        let mut due = Vec::new();
        for (row, due_s) in table.due_s.iter_mut().enumerate() {
            if *due_s <= now_s && *due_s != PASSED {
                *due_s = PASSED;
                due.extend(table.wakers[row].take());
            }
        }
        due
    });
    due.into_iter().for_each(Waker::wake);
}

/// Tells all connections of the calling thread that the daemon is stopping, and whether a next process follows.
pub fn drain(next_follows: bool) {
    let all: Vec<Waker> = TABLE.with_borrow_mut(|table| {
        table.draining = Some(if next_follows { Wakeup::HandBack } else { Wakeup::Drain });
        table.wakers.iter_mut().filter_map(Option::take).collect()
    });
    all.into_iter().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(deadline: &Deadline) -> Poll<Wakeup> {
        deadline.poll(&mut Context::from_waker(Waker::noop()), true)
    }

    #[test]
    fn a_deadline_passes_once_its_seconds_have_been_swept() {
        let (a, b) = (Deadline::new(), Deadline::new());
        a.set(Span::secs(10));
        sweep(10);
        assert_eq!(ask(&a), Poll::Pending);
        sweep(11);
        assert_eq!(ask(&a), Poll::Ready(Wakeup::Timeout));
        assert_eq!(ask(&b), Poll::Pending);
        a.set(Span::secs(1));
        assert_eq!(ask(&a), Poll::Pending);
        drop(a);
        let again = Deadline::new();
        sweep(100);
        assert_eq!(ask(&again), Poll::Pending, "a row used again has no deadline of its own yet");
        drain(false);
        assert_eq!(ask(&again), Poll::Ready(Wakeup::Drain));
    }
}
