//! Every maximum of the product, in one place and checked against each other when it is compiled.
//!
//! What an administrator may change stands in [`Limits`] with its default; the rest are constants.

use super::time::Span;

/// Longest id (and `ip`) in bytes.
pub const ID_BYTES_MAX: usize = 128;
/// Longest `message` of a beat in bytes.
pub const MESSAGE_BYTES_MAX: usize = 10_000;
/// Most tags on a beat.
pub const TAGS_MAX: usize = 16;
/// Longest tag in bytes.
pub const TAG_BYTES_MAX: usize = 64;
/// Longest run id in bytes.
pub const RID_BYTES_MAX: usize = 64;
/// Shortest interval a monitor may have.
pub const INTERVAL_MIN: Span = Span::secs(1);
/// Longest interval and longest grace.
pub const INTERVAL_MAX: Span = Span::secs(366 * 86_400);
/// Body of a beat that the fast path takes; a longer one goes to hyper.
pub const FAST_BODY_BYTES_MAX: usize = 16 * 1024;
/// Bytes one thread reads at once: a head and a body of the fast path always fit.
pub const SCRATCH_BYTES: usize = 64 * 1024;
/// Most monitors a list answer holds.
pub const LIST_MAX: usize = 10_000;
/// Monitors in a list answer when the client does not say.
pub const LIST_DEFAULT: usize = 100;
/// Rows of the status page.
pub const PAGE_ROWS_MAX: usize = 500;
/// Log records that may wait for the writer, in bytes, for each thread that writes beats.
pub const LOG_BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest answer to a client that is being refused while it still sends: bytes read and thrown away.
pub const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long such a client is listened to.
pub const LINGER_MAX: Span = Span::secs(2);
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
    /// Most connections at once; `None`: the open-file limit less [`RESERVED_FILES`].
    pub connections: Option<usize>,
    /// Most connections from one address; loopback and unix sockets are exempt.
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
    assert!(LIST_DEFAULT <= LIST_MAX && PAGE_ROWS_MAX <= LIST_MAX);
};
