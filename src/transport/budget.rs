//! The bytes that clients make us hold: requests that are not whole, messages in fragments, answers that are not read,
//! streams of events, TLS records. One budget for all of it (`limits.memory`).
//!
//! A host that would make it run out is refused, and that is the one that holds most: it may hold as much as is free besides, so
//! that one alone comes to half of it, two to a third each (the dynamic thresholds of Choudhury and Hahne, which switches
//! use for the same purpose). Those of this machine share what is free with nobody until nine tenths of the whole are in use.
//!
//! Where many hosts have filled it nevertheless, one that holds little ([`FAIR_BYTES`]) is given room at the cost of the
//! host that holds most: of that one the connection that holds most is ended. Within one host a connection may push out
//! another that holds four times as much. What an ended connection holds counts until it is gone, but no longer against
//! the others; [`Budget`] has a bound on how much that may be.
//!
//! What a proxy brings that speaks for many is no host's before it is known whose it is: until then each of its connections
//! stands alone, as if it were a host of its own ([`MemoryReservation::stand_alone`]), then the client pays ([`MemoryReservation::charge`]). Or all
//! clients of a proxy would be one host, that holds more than any.

use crate::domain::address::Peer;
use crate::domain::limits::{FAIR_BYTES, exempt_until};
use crate::domain::time::Span;
use crate::engine::stats::ConnectionRefusal;
use crate::wire::answer::Answer;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

/// How many times as much the greatest connection of a host must hold as a further one of it would, to be ended for it.
const OWN_SHARE: usize = 4;

/// How much is held, by all, by each host and by each of its connections.
#[derive(Debug, Default)]
pub struct Budget {
    books: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    /// Bytes held by connections that may stay.
    used: usize,
    /// Bytes held by those that are being ended: a quarter of the budget at most, or one connection.
    leaving: usize,
    by_account: HashMap<BudgetAccount, HostShare>,
    ranks: BTreeSet<(usize, BudgetAccount)>,
}

/// Who pays for what is held: a host, or one connection of it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct BudgetAccount {
    host: Peer,
    /// The address of the signal of a connection that stands alone, else 0.
    alone: usize,
}

#[derive(Debug, Default)]
struct HostShare {
    /// Of connections that may stay.
    bytes: usize,
    /// By the address of their signals, which is theirs alone while they are in here.
    connections: HashMap<usize, ConnectionShare>,
    ranks: BTreeSet<(usize, usize)>,
}

#[derive(Debug)]
struct ConnectionShare {
    bytes: usize,
    leaves: bool,
    signal: Arc<ShedSignal>,
}

/// How a connection learns that it must end because it holds most.
#[derive(Debug, Default)]
pub struct ShedSignal {
    /// The host that held most.
    host: OnceLock<Peer>,
    waker: Mutex<Option<Waker>>,
}

/// What one thing makes us hold; given back when it is dropped.
#[derive(Debug)]
pub struct MemoryReservation {
    budget: Arc<Budget>,
    host: Peer,
    /// Whether its connection pays for it, and not the host.
    alone: bool,
    /// No thing of more than four gigabytes is let in.
    bytes: u32,
    /// Of its connection; there is none while an idle one holds nothing.
    signal: Option<Arc<ShedSignal>>,
}

/// Moves somebody from one place of a ranking to another; who has nothing has no place.
fn rank<K: Copy + Eq + Hash + Ord>(ranks: &mut BTreeSet<(usize, K)>, key: K, before: usize, after: usize) {
    ranks.remove(&(before, key));
    if after > 0 {
        ranks.insert((after, key));
    }
}

impl BudgetAccount {
    fn of(host: Peer, alone: bool, signal: &Arc<ShedSignal>) -> BudgetAccount {
        BudgetAccount { host, alone: if alone { Arc::as_ptr(signal) as usize } else { 0 } }
    }
}

impl Ledger {
    /// Whether an account of `host` may come to `own` bytes and all to `used`.
    fn admit(host: Peer, own: usize, used: usize, max: usize) -> Result<(), ConnectionRefusal> {
        let free = max.saturating_sub(used);
        let bound = host != Peer::Unix || used > exempt_until(max);
        if bound && own > free.max(FAIR_BYTES) {
            return Err(ConnectionRefusal::Memory);
        }
        if used > max { Err(ConnectionRefusal::MemoryTotal) } else { Ok(()) }
    }

    /// Sees to it that a connection may hold `after` bytes on an account by a thing that held `before`.
    fn find_room(
        &mut self,
        account: BudgetAccount,
        signal: &Arc<ShedSignal>,
        before: usize,
        after: usize,
        max: usize,
    ) -> Result<(), ConnectionRefusal> {
        let key = Arc::as_ptr(signal) as usize;
        loop {
            // It may be the one that is ended for this.
            if signal.shed_host().is_some() {
                return Err(ConnectionRefusal::Shed);
            }
            let entry = self.by_account.get(&account);
            let own = entry.map_or(0, |entry| entry.bytes) - before + after;
            let part = entry.and_then(|entry| entry.connections.get(&key)).map_or(0, |part| part.bytes);
            match Ledger::admit(account.host, own, self.used - before + after, max) {
                Ok(()) => return Ok(()),
                Err(why) if !self.shed_for(account, own, (key, part - before + after), max) => {
                    return Err(why);
                }
                Err(_) => {}
            }
        }
    }

    /// Ends a connection so that `account`, which would come to `own` bytes, and to `part` with the connection `key`, has
    /// room; false where none holds so much more that this is just.
    fn shed_for(
        &mut self,
        account: BudgetAccount,
        own: usize,
        (key, part): (usize, usize),
        max: usize,
    ) -> bool {
        let greatest = self.ranks.last().copied();
        let other = greatest.filter(|(bytes, whose)| *whose != account && own <= FAIR_BYTES && *bytes > own);
        let victim = other.map_or(account, |(_, whose)| whose);
        let Some(entry) = self.by_account.get_mut(&victim) else { return false };
        let Some((bytes, connection)) = entry.ranks.last().copied() else { return false };
        if other.is_none() && (connection == key || bytes / OWN_SHARE < part) {
            return false;
        }
        if self.leaving > 0 && self.leaving + bytes > max / 4 {
            return false;
        }
        let Some(leaving) = entry.connections.get_mut(&connection) else { return false };
        leaving.leaves = true;
        leaving.signal.shed(victim.host);
        entry.ranks.remove(&(bytes, connection));
        rank(&mut self.ranks, victim, entry.bytes, entry.bytes - bytes);
        entry.bytes -= bytes;
        self.used -= bytes;
        self.leaving += bytes;
        true
    }

    /// Changes what a connection holds on an account, which may be so.
    fn note(&mut self, account: BudgetAccount, signal: &Arc<ShedSignal>, before: usize, after: usize) {
        let entry = self.by_account.entry(account).or_default();
        let key = Arc::as_ptr(signal) as usize;
        let new = || ConnectionShare { bytes: 0, leaves: false, signal: signal.clone() };
        let part = entry.connections.entry(key).or_insert_with(new);
        let (was, leaves) = (part.bytes, part.leaves);
        let is = was - before + after;
        part.bytes = is;
        if is == 0 {
            entry.connections.remove(&key);
        }
        if leaves {
            self.leaving = self.leaving - before + after;
        } else {
            rank(&mut entry.ranks, key, was, is);
            rank(&mut self.ranks, account, entry.bytes, entry.bytes - before + after);
            entry.bytes = entry.bytes - before + after;
            self.used = self.used - before + after;
        }
        if entry.connections.is_empty() {
            self.by_account.remove(&account);
        }
    }
}

impl Budget {
    fn books(&self) -> MutexGuard<'_, Ledger> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what a connection holds on an account by one of its things from `before` to `after` bytes, unless there is no
    /// room for that.
    fn change(
        &self,
        account: BudgetAccount,
        signal: &Arc<ShedSignal>,
        before: usize,
        after: usize,
        max: usize,
    ) -> Result<(), ConnectionRefusal> {
        let mut books = self.books();
        if after > before {
            books.find_room(account, signal, before, after, max)?;
        }
        books.note(account, signal, before, after);
        Ok(())
    }

    /// Has another account pay for what a connection holds by one of its things, if there is room on that one; without
    /// `max` in any case, for all together hold no more than before.
    fn transfer(
        &self,
        (from, to): (BudgetAccount, BudgetAccount),
        signal: &Arc<ShedSignal>,
        bytes: usize,
        max: Option<usize>,
    ) -> Result<(), ConnectionRefusal> {
        let mut books = self.books();
        // What it holds is noted where it leaves.
        if signal.shed_host().is_some() {
            return Err(ConnectionRefusal::Shed);
        }
        books.note(from, signal, bytes, 0);
        let room = max.map_or(Ok(()), |max| books.find_room(to, signal, 0, bytes, max));
        books.note(if room.is_ok() { to } else { from }, signal, 0, bytes);
        room
    }
}

impl ShedSignal {
    /// The host that held most, where its connection must end for that.
    pub fn shed_host(&self) -> Option<Peer> {
        self.host.get().copied()
    }

    /// Has a task woken when its connection must end. It must look after this, not before.
    pub fn wake(&self, waker: &Waker) {
        let mut known = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    fn shed(&self, host: Peer) {
        let _ = self.host.set(host);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl MemoryReservation {
    /// Nothing yet, of a connection.
    pub fn new(budget: Arc<Budget>, peer: Peer) -> MemoryReservation {
        MemoryReservation { budget, host: peer.host(), alone: false, bytes: 0, signal: None }
    }

    /// Nothing yet, on account of a host whose connection has this signal.
    pub fn of(budget: Arc<Budget>, peer: Peer, signal: &Arc<ShedSignal>) -> MemoryReservation {
        MemoryReservation { budget, host: peer.host(), alone: false, bytes: 0, signal: Some(signal.clone()) }
    }

    /// Has the host of `peer` pay for it from now on, if that may hold so much.
    pub fn charge(&mut self, peer: Peer, max: usize) -> Result<(), ConnectionRefusal> {
        self.pay((peer.host(), false), Some(max))
    }

    /// Has its connection pay for it from now on, as if that were a host: `peer` speaks for many.
    pub fn stand_alone(&mut self, peer: Peer) {
        // Where it must leave it stays what it is.
        let _ = self.pay((peer.host(), true), None);
    }

    fn pay(&mut self, (host, alone): (Peer, bool), max: Option<usize>) -> Result<(), ConnectionRefusal> {
        if (host, alone) == (self.host, self.alone) {
            return Ok(());
        }
        if let Some(signal) = self.signal.as_ref().filter(|_| self.bytes > 0) {
            let accounts =
                (BudgetAccount::of(self.host, self.alone, signal), BudgetAccount::of(host, alone, signal));
            self.budget.transfer(accounts, signal, self.bytes as usize, max)?;
        }
        (self.host, self.alone) = (host, alone);
        Ok(())
    }

    /// How its connection learns that it must end.
    pub fn signal(&mut self) -> &Arc<ShedSignal> {
        self.signal.get_or_insert_default()
    }

    /// The host that held most, where its connection must end for that.
    pub fn shed_host(&self) -> Option<Peer> {
        self.signal.as_ref().and_then(|signal| signal.shed_host())
    }

    /// How much it is.
    pub fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// Says that it is so much now, of a budget of `max`. Less always goes.
    #[inline]
    pub fn set(&mut self, bytes: usize, max: usize) -> Result<(), ConnectionRefusal> {
        // Nearly always: nothing before, nothing now.
        if bytes == self.bytes as usize { Ok(()) } else { self.change(bytes, max) }
    }

    fn change(&mut self, bytes: usize, max: usize) -> Result<(), ConnectionRefusal> {
        let before = self.bytes as usize;
        let after = u32::try_from(bytes).map_err(|_| ConnectionRefusal::Memory)?;
        let signal = self.signal.get_or_insert_default();
        let account = BudgetAccount::of(self.host, self.alone, signal);
        self.budget.change(account, signal, before, bytes, max)?;
        self.bytes = after;
        // Nearly all connections hold nothing nearly all of the time.
        if after == 0 && Arc::strong_count(signal) == 1 && signal.shed_host().is_none() {
            self.signal = None;
        }
        Ok(())
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        // Giving back is never refused.
        let _ = self.set(0, 0);
    }
}

/// Why there is no room for somebody.
pub fn reason(why: ConnectionRefusal) -> &'static str {
    match why {
        ConnectionRefusal::Memory => "this address makes the server hold too much (limits.memory)",
        ConnectionRefusal::Shed => {
            "the server holds as much as it may, and most of it for this client (limits.memory)"
        }
        _ => "the server holds as much as it may (limits.memory)",
    }
}

/// What somebody is told over HTTP for whom there is no room.
pub fn refusal(why: ConnectionRefusal) -> Answer {
    let reason = reason(why);
    match why {
        ConnectionRefusal::Memory => {
            Answer::too_often(&format!("{reason}: read what it sends, or ask for less"), Span::secs(5))
        }
        _ => Answer::unavailable(reason, Span::secs(5)),
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
