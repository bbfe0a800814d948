//! Who speaks last for whom: of several connections that send beats for one monitor, the one that did so last.
//!
//! A sender whose way breaks connects anew, and the old connection is found dead only later. Its end must then say
//! nothing of the sender, who is well. So every connection that beats for an id claims it, and one that ends asks whether
//! the claim is still its own.
//!
//! The table belongs to the engine. A connection holds one claim at most, and an entry goes with its last claim, so there
//! are never more entries than connections.

use crate::domain::address::Peer;
use crate::domain::id::{Id, IdRef};
use crate::engine::mutex::lock;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

const SHARDS: usize = 16;

/// The claims on ids, by what tells their senders apart besides.
#[derive(Default)]
pub struct Claims {
    shards: [Mutex<HashMap<Key, Arc<Last>>>; SHARDS],
    next: AtomicU64,
    hasher: std::hash::RandomState,
}

/// A kind of sender, and an id. Senders of different kinds do not replace each other.
type Key = (u8, Id);

/// Who spoke last for an id.
#[derive(Debug, Default)]
struct Last {
    /// The generation of the connection; 0: none has spoken yet.
    generation: AtomicU64,
    /// From where; not known of one of the process before us.
    peer: Mutex<Option<Peer>>,
}

/// A connection's claim on an id; given back when it is dropped.
pub struct Claim {
    claims: Arc<Claims>,
    key: Key,
    last: Arc<Last>,
    /// Our own generation.
    mine: u64,
    /// Whether it has ever held.
    held: Cell<bool>,
}

/// A claim as it is left to the next process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredClaim {
    kind: u8,
    id: String,
    holds: bool,
}

impl StoredClaim {
    /// The id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Claims {
    /// A claim of the process before us; `None` where its id is none. In whatever order they come back, the one that held
    /// holds.
    pub fn resume(self: &Arc<Claims>, kept: &StoredClaim) -> Option<Claim> {
        let id = IdRef::new(&kept.id).ok()?.to_id();
        Some(self.enter(kept.kind, id.as_ref(), kept.holds.then_some(None)))
    }

    /// Claims an id for a new generation, which speaks from that address.
    pub fn claim(self: &Arc<Claims>, kind: u8, id: IdRef<'_>, peer: Peer) -> Claim {
        self.enter(kind, id, Some(Some(peer)))
    }

    /// The same for one that has not spoken yet: it holds the claim only where nobody has.
    pub fn announce(self: &Arc<Claims>, kind: u8, id: IdRef<'_>) -> Claim {
        let claim = self.enter(kind, id, None);
        let _ = claim.last.generation.compare_exchange(0, claim.mine, Relaxed, Relaxed);
        claim
    }

    fn enter(self: &Arc<Claims>, kind: u8, id: IdRef<'_>, holds: Option<Option<Peer>>) -> Claim {
        let mine = self.next.fetch_add(1, Relaxed) + 1;
        let key = (kind, id.to_id());
        let last = lock(self.shard(&key)).entry(key.clone()).or_default().clone();
        if let Some(peer) = holds {
            last.generation.store(mine, Relaxed);
            *lock(&last.peer) = peer;
        }
        Claim { claims: self.clone(), key, last, mine, held: Cell::new(holds.is_some()) }
    }

    fn shard(&self, key: &Key) -> &Mutex<HashMap<Key, Arc<Last>>> {
        &self.shards[self.hasher.hash_one((key.0, key.1.as_bytes())) as usize % SHARDS]
    }
}

impl Claim {
    /// The id.
    pub fn id(&self) -> IdRef<'_> {
        self.key.1.as_ref()
    }

    /// As it is left to the next process.
    pub fn keep(&self) -> StoredClaim {
        StoredClaim { kind: self.key.0, id: self.id().as_str().into(), holds: self.holds() }
    }

    /// Says that its connection speaks for the id now, from that address. Where it did so before, and another one has
    /// since, both are alive: the addresses of the two.
    #[inline]
    pub fn renew(&self, peer: Peer) -> Option<[Peer; 2]> {
        // Most ids have one connection, and then nothing has to be written.
        if self.holds() {
            return None;
        }
        self.last.generation.store(self.mine, Relaxed);
        let other = lock(&self.last.peer).replace(peer);
        self.held.replace(true).then(|| [other.unwrap_or(peer), peer])
    }

    /// Whether nobody else has spoken for the id since.
    pub fn holds(&self) -> bool {
        self.last.generation.load(Relaxed) == self.mine
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut shard = lock(self.claims.shard(&self.key));
        // Under the lock nobody takes another one: the table's and ours are the last two.
        if Arc::strong_count(&self.last) <= 2 {
            shard.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Peer = Peer::Unix;

    fn entries(claims: &Claims) -> usize {
        claims.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    #[test]
    fn who_has_not_spoken_displaces_nobody() {
        let claims: Arc<Claims> = Arc::default();
        let id = IdRef::new("web-1").unwrap();
        let first = claims.announce(1, id);
        let second = claims.announce(1, id);
        assert!(first.holds() && !second.holds());
        assert_eq!(second.renew(HERE), None);
        assert!(!first.holds() && second.holds());
    }

    #[test]
    fn the_one_who_spoke_last_holds_the_claim() {
        let claims: Arc<Claims> = Arc::default();
        let id = IdRef::new("web-1").unwrap();
        let old = claims.claim(1, id, HERE);
        assert!(old.holds());
        let new = claims.claim(1, id, HERE);
        let other_kind = claims.claim(2, id, HERE);
        assert!(!old.holds() && new.holds() && other_kind.holds());
        assert_eq!(old.renew(HERE), Some([HERE, HERE]), "it was replaced and is alive");
        assert!(old.holds() && !new.holds());
        let there = Peer::from_ip("10.0.0.2".parse().unwrap());
        assert_eq!(new.renew(there), Some([HERE, there]));
        assert_eq!(new.renew(there), None);
        let next: Arc<Claims> = Arc::default();
        for order in [[&old, &new], [&new, &old]] {
            let back: Vec<Claim> = order.iter().filter_map(|claim| next.resume(&claim.keep())).collect();
            let held: Vec<bool> = order.iter().map(|claim| claim.holds()).collect();
            assert_eq!(back.iter().map(Claim::holds).collect::<Vec<_>>(), held);
        }
        assert_eq!(entries(&next), 0);
        drop(old);
        assert!(new.holds());
        assert_eq!(entries(&claims), 2);
        drop((new, other_kind));
        assert_eq!(entries(&claims), 0);
    }
}
