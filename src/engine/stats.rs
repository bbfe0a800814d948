//! Counters, one set a thread so that cores do not pass a cache line back and forth, added up when somebody asks.

use crate::domain::beat::Transport;
use crate::domain::notice::State;
use crate::domain::time::{Mono, Span};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// What became of a beat; the `result` of `heartbeat_beats_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeatResult {
    /// Taken.
    Accepted,
    /// Not JSON, or a field wrong, or too large.
    Invalid,
    /// Wrong network, token or origin.
    Denied,
    /// Too often, or too many new monitors.
    Limited,
    /// No room for one more monitor.
    Full,
}

impl BeatResult {
    /// All of them.
    pub const ALL: [BeatResult; 5] = [
        BeatResult::Accepted,
        BeatResult::Invalid,
        BeatResult::Denied,
        BeatResult::Limited,
        BeatResult::Full,
    ];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            BeatResult::Accepted => "accepted",
            BeatResult::Invalid => "invalid",
            BeatResult::Denied => "denied",
            BeatResult::Limited => "limited",
            BeatResult::Full => "full",
        }
    }
}

/// Why a connection was refused; the `reason` of `heartbeat_connections_refused_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionRefusal {
    /// As many as there may be.
    Total,
    /// As many from its address as there may be.
    Address,
    /// It did not finish its request in time, or was silent for too long.
    Timeout,
    /// It spoke no TLS where that is spoken, or showed no certificate that we accept.
    Tls,
    /// What it sent cannot be read on.
    Protocol,
    /// It does not read what it is sent.
    Unread,
    /// A trusted proxy does not say, or not legibly, whose request or connection it is.
    Proxy,
    /// It spoke HTTP where raw TCP is spoken.
    ForeignHttp,
    /// It spoke TLS where raw TCP is spoken.
    ForeignTls,
    /// It spoke SSH.
    ForeignSsh,
    /// It spoke SMB.
    ForeignSmb,
    /// It showed no token in time, or too many that are wrong.
    Token,
    /// Its address holds too much of the memory.
    Memory,
    /// All of the memory is in use.
    MemoryTotal,
    /// It held most when others needed memory and there was none left.
    Shed,
}

impl ConnectionRefusal {
    /// All of them.
    pub const ALL: [ConnectionRefusal; 15] = [
        ConnectionRefusal::Total,
        ConnectionRefusal::Address,
        ConnectionRefusal::Timeout,
        ConnectionRefusal::Tls,
        ConnectionRefusal::Protocol,
        ConnectionRefusal::Unread,
        ConnectionRefusal::Proxy,
        ConnectionRefusal::ForeignHttp,
        ConnectionRefusal::ForeignTls,
        ConnectionRefusal::ForeignSsh,
        ConnectionRefusal::ForeignSmb,
        ConnectionRefusal::Token,
        ConnectionRefusal::Memory,
        ConnectionRefusal::MemoryTotal,
        ConnectionRefusal::Shed,
    ];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            ConnectionRefusal::Total => "connections",
            ConnectionRefusal::Address => "connections_per_address",
            ConnectionRefusal::Timeout => "timeout",
            ConnectionRefusal::Tls => "tls",
            ConnectionRefusal::Protocol => "protocol",
            ConnectionRefusal::Unread => "unread",
            ConnectionRefusal::Proxy => "proxy_header",
            ConnectionRefusal::ForeignHttp => "foreign_http",
            ConnectionRefusal::ForeignTls => "foreign_tls",
            ConnectionRefusal::ForeignSsh => "foreign_ssh",
            ConnectionRefusal::ForeignSmb => "foreign_smb",
            ConnectionRefusal::Token => "token",
            ConnectionRefusal::Memory => "memory_per_address",
            ConnectionRefusal::MemoryTotal => "memory",
            ConnectionRefusal::Shed => "memory_shed",
        }
    }
}

/// One thread's counters, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Set {
    beats: [[AtomicU64; BeatResult::ALL.len()]; Transport::ALL.len()],
    fast: AtomicU64,
    transitions: [AtomicU64; State::ALL.len()],
    refused_connections: [AtomicU64; ConnectionRefusal::ALL.len()],
    unstored: AtomicU64,
    /// Since when the thread is at work on what it has read; 0: it waits.
    busy_since: AtomicU64,
}

/// Upper bounds of the histogram of detection delays, in milliseconds; the last one has none.
pub const DELAYS_MS: [u64; 10] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10_000];

/// All counters.
#[derive(Debug)]
pub struct Stats {
    sets: Box<[Set]>,
    connections: [AtomicI64; Transport::ALL.len()],
    muted: AtomicU64,
    wrong_tokens: AtomicU64,
    delays: [AtomicU64; DELAYS_MS.len() + 1],
    delays_ms: AtomicU64,
}

thread_local! {
    static MINE: Cell<usize> = const { Cell::new(0) };
}

impl Stats {
    /// For `threads` threads; any others share the first one's set.
    pub fn new(threads: usize) -> Stats {
        Stats {
            sets: (0..threads.max(1)).map(|_| Set::default()).collect(),
            connections: Default::default(),
            muted: AtomicU64::new(0),
            wrong_tokens: AtomicU64::new(0),
            delays: Default::default(),
            delays_ms: AtomicU64::new(0),
        }
    }

    /// Gives the calling thread a set of its own.
    pub fn claim(&self, thread: usize) {
        MINE.set(thread % self.sets.len());
    }

    /// Counts beats.
    pub fn beats(&self, transport: Transport, result: BeatResult, count: u64) {
        self.mine().beats[transport as usize][result as usize].fetch_add(count, Relaxed);
    }

    /// Counts a request that the fast path answered.
    pub fn fast(&self) {
        self.mine().fast.fetch_add(1, Relaxed);
    }

    /// Counts a change of state.
    pub fn transition(&self, to: State) {
        self.mine().transitions[to as usize].fetch_add(1, Relaxed);
    }

    /// Counts a refused connection.
    pub fn count_refused(&self, why: ConnectionRefusal) {
        self.mine().refused_connections[why as usize].fetch_add(1, Relaxed);
    }

    /// Counts beats that are known and not kept.
    pub fn unstored(&self, count: u64) {
        self.mine().unstored.fetch_add(count, Relaxed);
    }

    /// Counts a change of state that nobody is told of.
    pub fn muted(&self) {
        self.muted.fetch_add(1, Relaxed);
    }

    /// Counts a token that nobody knows.
    pub fn wrong_token(&self) {
        self.wrong_tokens.fetch_add(1, Relaxed);
    }

    /// Notes how long after its deadline a silence was found.
    pub fn detected(&self, delay: Span) {
        let bucket = DELAYS_MS.iter().position(|most| delay.0 <= *most).unwrap_or(DELAYS_MS.len());
        self.delays[bucket].fetch_add(1, Relaxed);
        self.delays_ms.fetch_add(delay.0, Relaxed);
    }

    /// The calling thread begins to work on what it has read.
    pub fn busy(&self, since: Mono) {
        self.mine().busy_since.store(since.0, Relaxed);
    }

    /// It has done so, and waits for more.
    pub fn idle(&self) {
        self.mine().busy_since.store(0, Relaxed);
    }

    /// Since when the thread that has been at work for longest has been.
    pub fn busy_since(&self) -> Option<Mono> {
        let since = self.sets.iter().map(|set| set.busy_since.load(Relaxed));
        since.filter(|since| *since != 0).min().map(Mono)
    }

    /// A connection began (+1) or ended (−1).
    pub fn connection(&self, transport: Transport, change: i64) {
        self.connections[transport as usize].fetch_add(change, Relaxed);
    }

    /// Everything, added up.
    pub fn sum(&self) -> Sum {
        let mut sum = Sum {
            connections: self.connections.each_ref().map(|open| open.load(Relaxed).max(0) as u64),
            muted: self.muted.load(Relaxed),
            wrong_tokens: self.wrong_tokens.load(Relaxed),
            delays: std::array::from_fn(|bucket| self.delays[bucket].load(Relaxed)),
            delays_s: self.delays_ms.load(Relaxed) as f64 / 1000.0,
            ..Sum::default()
        };
        for set in &self.sets {
            sum.beats.iter_mut().zip(&set.beats).for_each(|(sum, beats)| add(sum, beats));
            add(&mut sum.transitions, &set.transitions);
            add(&mut sum.refused_connections, &set.refused_connections);
            sum.fast += set.fast.load(Relaxed);
            sum.unstored += set.unstored.load(Relaxed);
        }
        sum
    }

    fn mine(&self) -> &Set {
        &self.sets[MINE.get() % self.sets.len()]
    }
}

/// The counters added up at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sum {
    /// Beats by [`Transport::ALL`] and [`BeatResult::ALL`].
    pub beats: [[u64; BeatResult::ALL.len()]; Transport::ALL.len()],
    /// Requests that the fast path answered.
    pub fast: u64,
    /// Changes of state by [`State::ALL`].
    pub transitions: [u64; State::ALL.len()],
    /// Refused connections, by [`ConnectionRefusal::ALL`].
    pub refused_connections: [u64; ConnectionRefusal::ALL.len()],
    /// Connections open now, by [`Transport::ALL`].
    pub connections: [u64; Transport::ALL.len()],
    /// Beats that are known and were not kept.
    pub unstored: u64,
    /// Changes of state that nobody was told of.
    pub muted: u64,
    /// Tokens shown that nobody knows.
    pub wrong_tokens: u64,
    /// Silences found, by how long after their deadline: within each of [`DELAYS_MS`] and no less, and later than all.
    pub delays: [u64; DELAYS_MS.len() + 1],
    /// The sum of those times in seconds.
    pub delays_s: f64,
}

impl Sum {
    /// Beats taken since the start.
    pub fn accepted(&self) -> u64 {
        self.beats.iter().map(|results| results[BeatResult::Accepted as usize]).sum()
    }

    /// Connections open now, of all kinds.
    pub fn open_connections(&self) -> u64 {
        self.connections.iter().sum()
    }
}

fn add<const N: usize>(sums: &mut [u64; N], counters: &[AtomicU64; N]) {
    sums.iter_mut().zip(counters).for_each(|(sum, counter)| *sum += counter.load(Relaxed));
}
