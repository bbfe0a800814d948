//! Every maximum of the product, in one place and checked against each other when it is compiled.
//!
//! What an administrator may change stands in [`Limits`] with its default; the rest are constants.

use super::time::Span;

/// Longest id (and `ip`) in bytes.
pub const ID_BYTES_MAX: usize = 128;
/// Changes of state a monitor may have in an hour before they are only counted.
pub const CHANGES_PER_HOUR_MAX: u8 = 60;
/// Failed runs of a monitor that is down of which somebody is told, in an hour; the others are only counted as beats.
pub const FAILURES_PER_HOUR_MAX: u8 = 60;
/// Of the changes, so many may be between up and late: what is merely slow leaves room for what is down.
pub const LATE_CHANGES_PER_HOUR_MAX: u8 = 40;
/// A monitor that is down for so long has an incident however often it has changed in this hour.
pub const LASTING: Span = Span::secs(60);
/// How long before its slot a beat may count for it, where that is a share of the time since the slot before.
pub const EARLY_SHARE_MAX: Span = Span::secs(60);
/// Least time after a slot in which nobody is late, if the grace is twice as long.
pub const LATE_MIN: Span = Span::secs(10);
/// Most such time.
pub const LATE_MAX: Span = Span::secs(60);
/// Shortest grace that is made to fit an interval.
pub const FITTING_GRACE_MIN: Span = Span::secs(30);
/// Longest such grace.
pub const FITTING_GRACE_MAX: Span = Span::secs(3600);
/// Runs of one monitor that may be under way at once; beyond that the oldest is forgotten.
pub const RUNS_MAX: usize = 16;
/// Rules (`[[monitor]]`) in the configuration.
pub const RULES_MAX: usize = 1_000;
/// Maintenance windows of one rule.
pub const RULE_WINDOWS_MAX: usize = 16;
/// Maintenance windows of all rules: each is looked at whenever one of them begins or ends.
pub const WINDOWS_MAX: usize = 1_000;
/// Longest maintenance window that recurs.
pub const WINDOW_MAX: Span = Span::secs(31 * 86_400);
/// Monitors that one rule may say its monitors depend on.
pub const RULE_AFTER_MAX: usize = 16;
/// Shortest silence after which a monitor may be forgotten.
pub const FORGET_MIN: Span = Span::secs(60);
/// Longest such silence.
pub const FORGET_MAX: Span = Span::secs(3_660 * 86_400);
/// Shortest history that may be kept.
pub const HISTORY_MIN: Span = Span::secs(86_400);
/// Longest history: ten years.
pub const HISTORY_MAX: Span = Span::secs(3_660 * 86_400);
/// Longest path of a unix socket in bytes, the least of any system (sockaddr_un of macOS has 104 with its NUL).
pub const SOCKET_PATH_BYTES_MAX: usize = 103;
/// Longest `message` of a beat in bytes.
pub const MESSAGE_BYTES_MAX: usize = 10_000;
/// What is kept of the beginning of a message that is longer; the rest is kept of its end.
pub const MESSAGE_HEAD_BYTES: usize = 2_000;
/// What is left of a message that is cut because there is no room for all; shorter ones are not counted.
pub const MESSAGE_SHORT_BYTES: usize = 256;
/// Most things that the answer to a batch names as cut or left out, but for those of the last beat.
pub const BATCH_WARNINGS_MAX: usize = 100;
/// Most tags on a beat.
pub const TAGS_MAX: usize = 16;
/// Longest tag in bytes.
pub const TAG_BYTES_MAX: usize = 64;
/// Longest run id in bytes.
pub const RID_BYTES_MAX: usize = 64;
/// Greatest number of a signal: wait(2) has seven bits for it.
pub const SIGNAL_MAX: u8 = 127;
/// Shortest interval a monitor may have.
pub const INTERVAL_MIN: Span = Span::secs(1);
/// Longest interval and longest grace.
pub const INTERVAL_MAX: Span = Span::secs(366 * 86_400);
/// Longest line of the line dialect in bytes, its end apart: a beat with all its fields, or a token. Of a longer message
/// the middle is dropped while it comes.
pub const LINE_BYTES_MAX: usize = LINE_FIELDS_BYTES_MAX + MESSAGE_BYTES_MAX;
/// What may stand before the message of such a line.
pub const LINE_FIELDS_BYTES_MAX: usize = 2 * 1024;
/// How long a raw TCP connection that showed a wrong token is not heard, and so the least between two guesses.
pub const GUESS_DELAY: Span = Span::secs(2);
/// Wrong tokens after which it is closed.
pub const GUESSES_MAX: u8 = 5;
/// Wrong tokens that one host may show in [`GUESS_WINDOW`], over whatever, before tokens from there have to wait.
pub const GUESSES_PER_HOST_MAX: u32 = 60;
/// See there; the first is forgiven after a share of it.
pub const GUESS_WINDOW: Span = Span::secs(60);
/// How long each token from there then waits before anybody looks at it, a right one too: it is late and not shut out, and
/// a host has no more guesses in this time than connections.
pub const TOKEN_WAIT: Span = Span::secs(5);
/// How long nothing must have come before what has no end of its own is taken for whole.
pub const QUIET: Span = Span(50);
/// Bytes read of a raw TCP connection or a WebSocket before others get their turn.
pub const TALK_READ_BYTES_MAX: usize = 8 * 1024;
/// Bytes that a raw TCP connection may leave unread before it is closed.
pub const TALK_UNSENT_BYTES_MAX: usize = 16 * 1024;
/// Longest header of the PROXY protocol in bytes, with whatever a proxy adds to the addresses.
pub const PROXY_HEADER_BYTES_MAX: usize = 2_048;
/// Body of a beat that the fast path takes; a longer one goes to hyper.
pub const FAST_BODY_BYTES_MAX: usize = 16 * 1024;
/// Bytes that a packed body may have once it is unpacked.
pub const PACKED_BYTES_MAX: usize = 1024 * 1024;
/// Bytes one thread reads at once: a head and a body of the fast path always fit.
pub const SCRATCH_BYTES: usize = 64 * 1024;
/// Most monitors a list answer holds.
pub const LIST_MAX: usize = 10_000;
/// Monitors in a list answer when the client does not say.
pub const LIST_DEFAULT: usize = 100;
/// Longest text to search ids for, in characters.
pub const SEARCH_CHARS_MAX: usize = 128;
/// Longest body of a request that changes a monitor.
pub const CONTROL_BODY_BYTES_MAX: usize = 64 * 1024;
/// Most streams of events at once; nor may they take more than one in eight of the connections.
pub const EVENT_STREAMS_MAX: usize = 512;
/// Events that wait for a reader who is slow; what comes beyond that he misses, and is told so.
pub const EVENTS_WAITING_MAX: usize = 16;
/// How often a stream of events says something though nothing happens, for the proxies on its way.
pub const EVENTS_EVERY: Span = Span::secs(15);
/// Bytes of events put into one piece.
pub const EVENTS_PIECE_BYTES: usize = 4 * 1024;
/// Bytes that a stream of events is reckoned at: those that wait, and what hyper has of them.
pub const EVENTS_HELD_BYTES: usize = (EVENTS_WAITING_MAX + 2) * EVENTS_PIECE_BYTES + 16 * 1024;
/// Bytes of a list after which a piece of it is sent before the next is made.
pub const LIST_PIECE_BYTES: usize = 64 * 1024;
/// Bytes that a list under way is reckoned at: a piece that hyper sends, one that waits, and hyper's own buffer.
pub const LIST_HELD_BYTES: usize = 2 * (LIST_PIECE_BYTES + MESSAGE_BYTES_MAX) + 16 * 1024;
/// Rows that are looked up for one piece of a list.
pub const LIST_PIECE_ROWS: usize = 128;
/// Bytes that a connection is reckoned at which hyper has: its two buffers.
pub const GENERAL_HELD_BYTES: usize = 16 * 1024;
/// What is kept for a connection and is less than this is not counted.
pub const UNCOUNTED_BYTES: usize = 8 * 1024;
/// What is counted of so many bytes that are kept for a connection: nearly all keep nothing, and what is little is not
/// worth a lock.
pub const fn counted_bytes(kept: usize) -> usize {
    if kept < UNCOUNTED_BYTES { 0 } else { kept.next_multiple_of(UNCOUNTED_BYTES) }
}
/// What a host may hold though others hold all else.
pub const FAIR_BYTES: usize = 256 * 1024;
/// How much of a whole must be in use before this machine is bound by limits for one host: nine tenths.
pub const fn exempt_until(whole: usize) -> usize {
    whole / 10 * 9
}
/// Rejected beats of one request that are named; the rest is counted.
pub const REJECTED_NAMED_MAX: usize = 100;
/// Bytes of a page after which a piece of it is sent before the next is made.
pub const PAGE_PIECE_BYTES: usize = 32 * 1024;
/// Rows that are looked up for one piece of a page.
pub const PAGE_PIECE_ROWS: usize = 16;
/// The longest row of a page, with everything that must be escaped in it.
pub const PAGE_ROW_BYTES_MAX: usize = 48 * 1024;
/// Bytes that a page under way is reckoned at, besides the places of its monitors: a piece that is sent, one that waits,
/// and hyper's own buffer.
pub const PAGE_HELD_BYTES: usize = 2 * (PAGE_PIECE_BYTES + PAGE_ROW_BYTES_MAX) + 16 * 1024;
/// Log records that may wait for the writer, in bytes, for each thread that writes beats.
pub const LOG_BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest answer to a client that is being refused while it still sends: bytes read and thrown away.
pub const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long such a client is listened to.
pub const LINGER_MAX: Span = Span::secs(2);
/// Bytes that may wait for a WebSocket to take them before nothing more is read from it.
pub const SOCKET_UNSENT_BYTES_MAX: usize = 64 * 1024;
/// How long a WebSocket that we have closed may take to close its side.
pub const SOCKET_PARTING_MAX: Span = Span::secs(1);
/// How long a stopping daemon works on what has arrived.
pub const STOP_MAX: Span = Span::secs(10);
/// File descriptors kept back from connections for logs, state and listeners.
pub const RESERVED_FILES: usize = 256;
/// Most listening sockets.
pub const LISTENERS_MAX: usize = 64;
/// Most tokens of one kind.
pub const TOKENS_MAX: usize = 1_000;
/// Most networks in one access list.
pub const NETWORKS_MAX: usize = 10_000;

/// The `[limits]` of the configuration, defaults from interface.md's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest request body.
    pub body_bytes: usize,
    /// Longest single beat inside a body.
    pub beat_bytes: usize,
    /// Most beats in one body.
    pub batch_beats: usize,
    /// Deepest nesting of JSON.
    pub json_depth: usize,
    /// Longest request head.
    pub header_bytes: usize,
    /// Most header lines.
    pub header_lines: usize,
    /// From the first byte of a head to its end.
    pub header_timeout: Span,
    /// From the end of the head to the end of the body.
    pub body_timeout: Span,
    /// Between two requests of a connection.
    pub idle_timeout: Span,
    /// How long somebody who is sent something may take nothing of it.
    pub write_timeout: Span,
    /// Most bytes held for strangers: requests, answers, messages and streams that are under way.
    pub memory: usize,
    /// Most bytes of what monitors last said, as far as that is longer than [`MESSAGE_SHORT_BYTES`].
    pub messages: usize,
    /// Most streams of events of one address.
    pub streams_per_address: usize,
    /// Most connections at once; `None`: the open-file limit less [`RESERVED_FILES`].
    pub connections: Option<usize>,
    /// Most connections from one address; see [`exempt_until`] for this machine.
    pub connections_per_address: usize,
    /// Monitors that one address may bring into being in an hour; loopback and unix sockets are exempt.
    pub new_monitors_per_hour: u32,
    /// Most monitors in all.
    pub monitors: usize,
    /// Beats a second from one address, `None`: off; loopback and unix sockets are exempt.
    pub beats_per_second: Option<u32>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes: 1024 * 1024,
            beat_bytes: 256 * 1024,
            batch_beats: 10_000,
            json_depth: 16,
            header_bytes: 16 * 1024,
            header_lines: 64,
            header_timeout: Span::secs(10),
            body_timeout: Span::secs(30),
            idle_timeout: Span::secs(600),
            write_timeout: Span::secs(30),
            memory: 256 * 1024 * 1024,
            messages: 64 * 1024 * 1024,
            streams_per_address: 8,
            connections: None,
            connections_per_address: 1024,
            new_monitors_per_hour: 1000,
            monitors: 100_000,
            beats_per_second: None,
        }
    }
}

const _: () = {
    assert!(
        SCRATCH_BYTES >= 16 * 1024 + FAST_BODY_BYTES_MAX,
        "a head and a fast body fit the scratch buffer"
    );
    assert!(MESSAGE_BYTES_MAX + TAGS_MAX * TAG_BYTES_MAX + ID_BYTES_MAX < 256 * 1024, "a full beat fits");
    assert!(MESSAGE_HEAD_BYTES < MESSAGE_BYTES_MAX / 2, "a message that is cut keeps more of its end");
    assert!(LINE_FIELDS_BYTES_MAX > TAGS_MAX * (TAG_BYTES_MAX + 1) + ID_BYTES_MAX + RID_BYTES_MAX + 256);
    assert!(LINE_BYTES_MAX > 512 + 5, "an AUTH with the longest token fits");
    assert!(TALK_READ_BYTES_MAX <= SCRATCH_BYTES, "a reading fits the scratch buffer");
    assert!(LIST_DEFAULT <= LIST_MAX);
    assert!(
        PAGE_HELD_BYTES + GENERAL_HELD_BYTES + 24 * LIST_DEFAULT < FAIR_BYTES,
        "who holds little gets a page"
    );
    assert!(LIST_HELD_BYTES + GENERAL_HELD_BYTES + 8 * 1024 < FAIR_BYTES, "and a list");
    assert!(LATE_CHANGES_PER_HOUR_MAX < CHANGES_PER_HOUR_MAX, "some are left for outages");
    assert!(LASTING.0 <= FORGET_MIN.0, "nothing is forgotten before it is on record");
};
