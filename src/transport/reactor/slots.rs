//! The connections of a reactor, and where each is in its life.
//!
//! A connection whose beats were taken must not end before they are answered, nor may anything else happen to it. That is
//! why it cannot be reached then: [`Slots::open`] and [`Slots::remove`] have nothing to give until its ticket is redeemed
//! ([`Slots::redeem`]).

use super::connection::Connection;
use crate::engine::stats::ConnectionRefusal;
use crate::transport::conversation::answers::AnswerTicket;
use slab::Slab;

/// All connections of a reactor.
#[derive(Default)]
pub struct Slots {
    slab: Slab<Slot>,
    /// In the order in which their beats were taken.
    awaiting: Vec<Awaiting>,
}

struct Slot {
    connection: Connection,
    state: SlotState,
}

/// Where in its life a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlotState {
    /// The loop serves it.
    Open,
    /// Its beats are taken; it is answered after the commit.
    AwaitsCommit,
    /// The loop does not watch it any more; it is parked for the next process.
    Held,
}

/// What a connection is told after the commit.
pub struct Awaiting {
    /// Which one.
    pub key: usize,
    /// Its answers.
    pub ticket: AnswerTicket,
    /// Its socket may hold more.
    pub again: bool,
    /// There is no room for what it keeps, and it ends after the answers.
    pub shed: Option<ConnectionRefusal>,
}

impl Slots {
    /// Adds a connection.
    pub fn insert(&mut self, connection: Connection) -> usize {
        self.slab.insert(Slot { connection, state: SlotState::Open })
    }

    /// The key of the connection that is added next.
    pub fn next_key(&self) -> usize {
        self.slab.vacant_key()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// A connection that the loop serves.
    pub fn open(&mut self, key: usize) -> Option<&mut Connection> {
        let slot = self.slab.get_mut(key)?;
        (slot.state == SlotState::Open).then_some(&mut slot.connection)
    }

    /// Whether a connection waits for the commit.
    pub fn awaits_commit(&self, key: usize) -> bool {
        self.slab.get(key).is_some_and(|slot| slot.state == SlotState::AwaitsCommit)
    }

    /// Notes that the client of a connection sends no more.
    pub fn note_read_closed(&mut self, key: usize) {
        if let Some(slot) = self.slab.get_mut(key) {
            slot.connection.io.read_closed = true;
        }
    }

    /// Takes a connection out, unless it waits for the commit.
    pub fn remove(&mut self, key: usize) -> Option<Connection> {
        let is_free = self.slab.get(key).is_some_and(|slot| slot.state != SlotState::AwaitsCommit);
        if is_free { self.slab.try_remove(key).map(|slot| slot.connection) } else { None }
    }

    /// Has a connection wait for the commit.
    pub fn await_commit(&mut self, awaiting: Awaiting) {
        if let Some(slot) = self.slab.get_mut(awaiting.key) {
            slot.state = SlotState::AwaitsCommit;
            self.awaiting.push(awaiting);
        }
    }

    /// Whether any connection waits for the commit.
    pub fn any_awaits(&self) -> bool {
        !self.awaiting.is_empty()
    }

    /// Those that wait for the commit, to be redeemed one after another; give the list back to [`Slots::reuse`].
    pub fn take_awaiting(&mut self) -> Vec<Awaiting> {
        std::mem::take(&mut self.awaiting)
    }

    /// Keeps the memory of an empty list.
    pub fn reuse(&mut self, list: Vec<Awaiting>) {
        if self.awaiting.is_empty() {
            self.awaiting = list;
        }
    }

    /// The connection of a ticket, which the loop serves again.
    pub fn redeem(&mut self, key: usize) -> Option<&mut Connection> {
        let slot = self.slab.get_mut(key)?;
        slot.state = SlotState::Open;
        Some(&mut slot.connection)
    }

    /// Leaves a connection as it is until it is parked.
    pub fn hold(&mut self, key: usize) {
        if let Some(slot) = self.slab.get_mut(key) {
            slot.state = SlotState::Held;
        }
    }

    /// All connections and their keys.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Connection)> {
        self.slab.iter().map(|(key, slot)| (key, &slot.connection))
    }

    /// The keys of some connections.
    pub fn keys(&self, which: impl Fn(&Connection) -> bool) -> Vec<usize> {
        self.iter().filter(|(_, connection)| which(connection)).map(|(key, _)| key).collect()
    }
}
