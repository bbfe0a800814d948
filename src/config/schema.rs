//! The keys of the configuration file: one table for each section, and nothing else knows which keys there are.
//!
//! A key's entry reads its value, checks its bounds and puts it into the [`Draft`]. Files are read one after another
//! into the same draft, so what a later file says replaces what an earlier one said; `[[listen]]`, `[[monitor]]` and the
//! lists of tokens, being lists of tables, grow instead. The keys of `[[monitor]]` stand in [`monitor`].

use super::fault::{Place, Text};
use super::language::LangChoice;
use super::tls::{self, TlsDraft};
use super::value::{Document, Key, Located, Origin, Value};
use super::{confine, monitor, notifier, words};
use crate::domain::address::{ListenAddress, Protocol};
use crate::domain::governor::{STRETCH_MAX, Terms};
use crate::domain::limits::{
    FAST_BODY_BYTES_MAX, FORGET_MAX, FORGET_MIN, HISTORY_MAX, HISTORY_MIN, INTERVAL_MAX, INTERVAL_MIN,
    LISTENERS_MAX, Limits, NETWORKS_MAX, SCRATCH_BYTES,
};
use crate::domain::notice::Level;
use crate::domain::policy::{Anonymous, Sync};
use crate::domain::rules::Rule;
use crate::domain::time::Span;
use crate::domain::tolerance::Early;
use crate::sys::log::{Format, Target};
use crate::sys::sockets::keepalive::KeepAlive;
use crate::wire::forwarded::ProxyHeader;
use crate::wire::head::HEADER_LINES_MAX;
use ipnet::IpNet;
use std::path::PathBuf;
use toml::de::DeTable;

mod access;
mod page;

use access::ACCESS;
pub(super) use access::AccessDraft;
use page::PAGE;

/// Deepest nesting of JSON that may be allowed: the parser's own bound is 127, and a batch is one level by itself.
const JSON_DEPTH_MAX: u64 = 100;
/// Most log targets.
pub(super) const LOG_TARGETS_MAX: usize = 16;
/// Most worker threads.
pub(super) const THREADS_MAX: usize = 256;

/// What the files say; `None` where they say nothing.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) lang: Option<LangChoice>,
    pub(super) listen: Vec<ListenDraft>,
    pub(super) log: LogDraft,
    pub(super) state: StateDraft,
    /// `Some(None)`: "off" was written.
    pub(super) control: Option<Located<Option<PathBuf>>>,
    pub(super) confine: confine::Draft,
    pub(super) access: AccessDraft,
    pub(super) limits: LimitsDraft,
    pub(super) tcp: TcpDraft,
    pub(super) websocket: SocketDraft,
    pub(super) governor: Terms,
    pub(super) page_url: Option<String>,
    pub(super) interval: Option<Span>,
    pub(super) grace: Option<Span>,
    pub(super) early: Option<Early>,
    /// `Some(None)`: never.
    pub(super) first_beat: Option<Option<Span>>,
    /// `Some(None)`: never.
    pub(super) forget_after: Option<Located<Option<Span>>>,
    pub(super) monitors: Vec<Located<Rule>>,
    /// The names in the rules.
    pub(super) rule_notify: Vec<Located<String>>,
    /// Who is told where a rule does not say.
    pub(super) notify: Vec<Located<String>>,
    pub(super) notifiers: Vec<Located<notifier::Draft>>,
}

/// One `[[listen]]`.
#[derive(Debug)]
pub(super) struct ListenDraft {
    pub(super) origin: Origin,
    pub(super) name: Option<String>,
    pub(super) address: Option<ListenAddress>,
    pub(super) proxies: Vec<IpNet>,
    pub(super) proxy_unix: bool,
    pub(super) proxy_header: Option<ProxyHeader>,
    pub(super) fast_path: Option<bool>,
    pub(super) tls: Option<TlsDraft>,
    pub(super) protocol: Option<Protocol>,
    /// `Some(None)`: "off" was written.
    pub(super) keepalive: Option<Option<KeepAlive>>,
    /// Whether `address` was given at all, rightly or wrongly.
    addressed: bool,
}

/// `[log]`.
#[derive(Debug, Default)]
pub(super) struct LogDraft {
    pub(super) targets: Option<Vec<Located<TargetDraft>>>,
    pub(super) format: Option<Format>,
    pub(super) level: Option<Level>,
    pub(super) beats: Option<bool>,
    pub(super) file_bytes_max: Option<u64>,
    pub(super) file_keep: Option<u32>,
}

/// An element of `log.targets`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TargetDraft {
    pub(super) target: Option<Target>,
    pub(super) beats: Option<bool>,
    /// Whether `target` was given at all, rightly or wrongly.
    pub(super) given: bool,
}

/// `[state]`.
#[derive(Debug, Default)]
pub(super) struct StateDraft {
    pub(super) dir: Option<PathBuf>,
    pub(super) sync: Option<Sync>,
    pub(super) history: Option<Span>,
}

/// Where tokens are to be found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenSource {
    /// A file with a token a line.
    File(PathBuf),
    /// The same, as a credential of that name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// A table that says where something is.
#[derive(Default)]
struct TokenDraft {
    source: Option<TokenSource>,
    /// How many sources were given, rightly or wrongly; one is right.
    given: usize,
}

impl TokenDraft {
    fn take(&mut self, source: Option<TokenSource>) {
        self.source = source;
        self.given += 1;
    }
}

/// `[limits]`.
#[derive(Debug, Default)]
pub(super) struct LimitsDraft {
    pub(super) limits: Limits,
    /// `Some(None)`: "auto" was written.
    pub(super) threads: Option<Option<usize>>,
    pub(super) beat_bytes: Option<Origin>,
}

/// `[tcp]`.
#[derive(Debug, Default)]
pub(super) struct TcpDraft {
    pub(super) ping_interval: Option<Located<Span>>,
    pub(super) timeout: Option<Located<Span>>,
    pub(super) frame_timeout: Option<Located<Span>>,
    pub(super) line_timeout: Option<Located<Span>>,
    pub(super) anonymous: Option<Anonymous>,
}

/// `[websocket]`.
#[derive(Debug, Default)]
pub(super) struct SocketDraft {
    pub(super) ping_interval: Option<Located<Span>>,
    pub(super) timeout: Option<Located<Span>>,
}

/// Every key that may stand in a file, dotted, in the order of the manual.
pub fn keys() -> Vec<String> {
    fn names<T>(section: &str, keys: &[Key<T>]) -> Vec<String> {
        keys.iter().map(|key| format!("{section}.{}", key.name)).collect()
    }
    let mut all = vec!["lang".to_string()];
    all.extend(names("listen", LISTEN));
    all.extend(names("log", LOG));
    all.extend(names("state", STATE));
    all.extend(names("control", CONTROL));
    all.extend(names("confine", confine::KEYS));
    all.extend(names("access", ACCESS));
    all.extend(names("limits", LIMITS));
    all.extend(names("tcp", TCP));
    all.extend(names("websocket", WEBSOCKET));
    all.extend(names("governor", GOVERNOR));
    all.extend(names("page", PAGE));
    all.extend(names("defaults", DEFAULTS));
    all.extend(names("monitor", monitor::KEYS));
    all.extend(names("notifier", notifier::KEYS));
    all
}

/// Reads one parsed file into the draft.
pub(super) fn read(document: &Document<'_>, table: &DeTable<'_>, draft: &mut Draft) {
    document.table(table, "", TOP, section_of, draft);
}

/// The full name of a key that stands in some section.
fn section_of(name: &str) -> Option<String> {
    keys().into_iter().find(|key| key.rsplit('.').next() == Some(name))
}

const TOP: &[Key<Draft>] = &[
    Key { name: "lang", read: |draft, value| draft.lang = value.parsed() },
    Key {
        name: "listen",
        read: |draft, value| {
            for element in value.elements(LISTENERS_MAX).unwrap_or_default() {
                let mut listen = ListenDraft {
                    origin: element.origin(),
                    name: None,
                    address: None,
                    proxies: Vec::new(),
                    proxy_unix: false,
                    proxy_header: None,
                    fast_path: None,
                    tls: None,
                    protocol: None,
                    keepalive: None,
                    addressed: false,
                };
                if element.section(LISTEN, section_of, &mut listen) && !listen.addressed {
                    element.fault(Text::new("address is missing", "缺少 address"));
                }
                draft.listen.push(listen);
            }
        },
    },
    Key {
        name: "log",
        read: |draft, value| {
            value.section(LOG, section_of, &mut draft.log);
        },
    },
    Key {
        name: "state",
        read: |draft, value| {
            value.section(STATE, section_of, &mut draft.state);
        },
    },
    Key {
        name: "control",
        read: |draft, value| {
            value.section(CONTROL, section_of, draft);
        },
    },
    Key { name: "confine", read: |draft, value| confine::read(value, section_of, &mut draft.confine) },
    Key {
        name: "access",
        read: |draft, value| {
            value.section(ACCESS, section_of, &mut draft.access);
        },
    },
    Key {
        name: "limits",
        read: |draft, value| {
            value.section(LIMITS, section_of, &mut draft.limits);
        },
    },
    Key {
        name: "tcp",
        read: |draft, value| {
            value.section(TCP, section_of, &mut draft.tcp);
        },
    },
    Key {
        name: "websocket",
        read: |draft, value| {
            value.section(WEBSOCKET, section_of, &mut draft.websocket);
        },
    },
    Key {
        name: "governor",
        read: |draft, value| {
            value.section(GOVERNOR, section_of, &mut draft.governor);
        },
    },
    Key {
        name: "page",
        read: |draft, value| {
            value.section(PAGE, section_of, &mut draft.page_url);
        },
    },
    Key {
        name: "defaults",
        read: |draft, value| {
            value.section(DEFAULTS, section_of, draft);
        },
    },
    Key { name: "monitor", read: |draft, value| monitor::read(value, section_of, draft) },
    Key { name: "notifier", read: |draft, value| notifier::read(value, section_of, &mut draft.notifiers) },
];

const LISTEN: &[Key<ListenDraft>] = &[
    Key { name: "name", read: |listen, value| listen.name = listener_name(value) },
    Key { name: "protocol", read: |listen, value| listen.protocol = value.parsed() },
    Key {
        name: "address",
        read: |listen, value| {
            listen.addressed = true;
            listen.address = value.parsed().map(|address| match address {
                ListenAddress::Unix(path) => ListenAddress::Unix(value.beside(&path)),
                other => other,
            });
        },
    },
    Key {
        name: "proxies",
        read: |listen, value| {
            for element in value.elements(NETWORKS_MAX).unwrap_or_default() {
                match element.string() {
                    Some("unix") => listen.proxy_unix = true,
                    Some(_) => listen.proxies.extend(element.network()),
                    None => {}
                }
            }
        },
    },
    Key { name: "proxy_header", read: |listen, value| listen.proxy_header = value.parsed() },
    Key { name: "fast_path", read: |listen, value| listen.fast_path = value.boolean() },
    Key { name: "tls", read: |listen, value| listen.tls = tls::read(value, section_of) },
    Key {
        name: "keepalive",
        read: |listen, value| {
            let mut keepalive = KeepAlive::default();
            if value.is_off() {
                listen.keepalive = Some(None);
            } else if value.section(KEEPALIVE, |_| None, &mut keepalive) {
                listen.keepalive = Some(Some(keepalive));
            }
        },
    },
];

/// Times that the kernel counts in seconds, up to what Linux allows.
const KEEPALIVE_MAX: Span = Span::secs(32_767);

const KEEPALIVE: &[Key<KeepAlive>] = &[
    Key { name: "idle", read: |k, v| put(&mut k.idle, v.span(TIMEOUT_MIN..=KEEPALIVE_MAX)) },
    Key { name: "interval", read: |k, v| put(&mut k.interval, v.span(TIMEOUT_MIN..=KEEPALIVE_MAX)) },
    Key { name: "count", read: |k, v| put(&mut k.count, v.integer(1..=127).map(|n| n as u32)) },
    Key { name: "user_timeout", read: |k, v| put(&mut k.user_timeout, v.span(TIMEOUT_MIN..=TIMEOUT_MAX)) },
];

const TCP: &[Key<TcpDraft>] = &[
    Key { name: "ping_interval", read: |tcp, value| tcp.ping_interval = time(value) },
    Key { name: "timeout", read: |tcp, value| tcp.timeout = time(value) },
    Key { name: "frame_timeout", read: |tcp, value| tcp.frame_timeout = time(value) },
    Key { name: "line_timeout", read: |tcp, value| tcp.line_timeout = time(value) },
    Key { name: "anonymous", read: |tcp, value| tcp.anonymous = value.parsed() },
];

fn time(value: Value<'_>) -> Option<Located<Span>> {
    value.located(value.span(TIMEOUT_MIN..=TIMEOUT_MAX))
}

const LOG: &[Key<LogDraft>] = &[
    Key { name: "targets", read: |log, value| log.targets = targets(value) },
    Key { name: "format", read: |log, value| log.format = value.parsed() },
    Key { name: "level", read: |log, value| log.level = level(value) },
    Key { name: "beats", read: |log, value| log.beats = value.boolean() },
    Key { name: "file_bytes_max", read: |log, value| log.file_bytes_max = value.size(64 << 10..=1 << 40) },
    Key { name: "file_keep", read: |log, value| log.file_keep = value.integer(0..=1000).map(|n| n as u32) },
];

const TARGET: &[Key<TargetDraft>] = &[
    Key {
        name: "target",
        read: |draft, value| {
            draft.given = true;
            draft.target = target(value);
        },
    },
    Key { name: "beats", read: |draft, value| draft.beats = value.boolean() },
];

const STATE: &[Key<StateDraft>] = &[
    Key { name: "dir", read: |state, value| state.dir = value.path() },
    Key { name: "sync", read: |state, value| state.sync = value.parsed() },
    Key { name: "history", read: |state, value| state.history = value.span(HISTORY_MIN..=HISTORY_MAX) },
];

const CONTROL: &[Key<Draft>] = &[Key {
    name: "socket",
    read: |draft, value| {
        let socket = match value.string() {
            Some("off") => Some(None),
            Some(_) => value.path().map(Some),
            None => None,
        };
        draft.control = value.located(socket);
    },
}];

const SOURCE: &[Key<TokenDraft>] = &[
    Key { name: "file", read: |draft, value| draft.take(value.path().map(TokenSource::File)) },
    Key { name: "credential", read: |draft, value| draft.take(credential(value)) },
];

const TIMEOUT_MIN: Span = Span::secs(1);
const TIMEOUT_MAX: Span = Span::secs(86_400);

const LIMITS: &[Key<LimitsDraft>] = &[
    Key {
        name: "body_bytes",
        read: |d, v| put(&mut d.limits.body_bytes, v.size(1 << 10..=1 << 30).map(|n| n as usize)),
    },
    Key {
        name: "beat_bytes",
        read: |d, v| {
            put(&mut d.limits.beat_bytes, v.size(1 << 10..=1 << 30).map(|n| n as usize));
            d.beat_bytes = Some(v.origin());
        },
    },
    Key {
        name: "batch_beats",
        read: |d, v| put(&mut d.limits.batch_beats, v.integer(1..=1_000_000).map(|n| n as usize)),
    },
    Key {
        name: "json_depth",
        read: |d, v| put(&mut d.limits.json_depth, v.integer(1..=JSON_DEPTH_MAX).map(|n| n as usize)),
    },
    Key {
        name: "header_bytes",
        // A head and the largest body of the fast path share the scratch buffer.
        read: |d, v| {
            let most = (SCRATCH_BYTES - FAST_BODY_BYTES_MAX) as u64;
            put(&mut d.limits.header_bytes, v.size(1 << 10..=most).map(|n| n as usize));
        },
    },
    Key {
        name: "header_lines",
        read: |d, v| {
            put(&mut d.limits.header_lines, v.integer(8..=HEADER_LINES_MAX as u64).map(|n| n as usize))
        },
    },
    Key {
        name: "header_timeout",
        read: |d, v| put(&mut d.limits.header_timeout, v.span(TIMEOUT_MIN..=TIMEOUT_MAX)),
    },
    Key {
        name: "body_timeout",
        read: |d, v| put(&mut d.limits.body_timeout, v.span(TIMEOUT_MIN..=TIMEOUT_MAX)),
    },
    Key {
        name: "idle_timeout",
        read: |d, v| put(&mut d.limits.idle_timeout, v.span(TIMEOUT_MIN..=TIMEOUT_MAX)),
    },
    Key {
        name: "write_timeout",
        read: |d, v| put(&mut d.limits.write_timeout, v.span(TIMEOUT_MIN..=TIMEOUT_MAX)),
    },
    Key {
        name: "memory",
        read: |d, v| put(&mut d.limits.memory, v.size(4 << 20..=1 << 40).map(|n| n as usize)),
    },
    Key {
        name: "messages",
        read: |d, v| put(&mut d.limits.messages, v.size(1 << 20..=1 << 40).map(|n| n as usize)),
    },
    Key {
        name: "streams_per_address",
        read: |d, v| put(&mut d.limits.streams_per_address, v.integer(1..=10_000).map(|n| n as usize)),
    },
    Key {
        name: "connections",
        read: |d, v| {
            let read = v.integer_or("auto", 1..=10_000_000);
            put(&mut d.limits.connections, read.map(|n| n.map(|n| n as usize)));
        },
    },
    Key {
        name: "connections_per_address",
        read: |d, v| {
            put(&mut d.limits.connections_per_address, v.integer(1..=10_000_000).map(|n| n as usize));
        },
    },
    Key {
        name: "new_monitors_per_hour",
        read: |d, v| put(&mut d.limits.new_monitors_per_hour, v.integer(0..=10_000_000).map(|n| n as u32)),
    },
    Key {
        name: "monitors",
        read: |d, v| put(&mut d.limits.monitors, v.integer(1..=10_000_000).map(|n| n as usize)),
    },
    Key {
        name: "beats_per_second",
        read: |d, v| {
            let read = v.integer_or("off", 1..=10_000_000);
            put(&mut d.limits.beats_per_second, read.map(|n| n.map(|n| n as u32)));
        },
    },
    Key {
        name: "threads",
        read: |d, v| {
            d.threads = v.integer_or("auto", 1..=THREADS_MAX as u64).map(|n| n.map(|n| n as usize));
        },
    },
];

const WEBSOCKET: &[Key<SocketDraft>] = &[
    Key {
        name: "ping_interval",
        read: |draft, value| draft.ping_interval = value.located(value.span(TIMEOUT_MIN..=TIMEOUT_MAX)),
    },
    Key {
        name: "timeout",
        read: |draft, value| draft.timeout = value.located(value.span(TIMEOUT_MIN..=TIMEOUT_MAX)),
    },
];

const GOVERNOR: &[Key<Terms>] = &[
    Key {
        name: "beats_per_second",
        read: |terms, value| {
            let read = value.integer_or("off", 0..=10_000_000);
            put(&mut terms.beats_per_second, read.map(|n| n.filter(|n| *n > 0).map(|n| n as u32)));
        },
    },
    Key {
        name: "stretch_max",
        read: |terms, value| {
            put(&mut terms.stretch_max, value.integer(1..=u64::from(STRETCH_MAX)).map(|n| n as u32));
        },
    },
];

const DEFAULTS: &[Key<Draft>] = &[
    Key { name: "interval", read: |draft, value| draft.interval = value.span(INTERVAL_MIN..=INTERVAL_MAX) },
    Key { name: "grace", read: |draft, value| draft.grace = value.span(Span(0)..=INTERVAL_MAX) },
    Key { name: "early", read: |draft, value| draft.early = monitor::early(value) },
    Key { name: "first_beat", read: |draft, value| draft.first_beat = monitor::first_beat(value) },
    Key {
        name: "forget_after",
        read: |draft, value| {
            draft.forget_after = value.located(value.span_or("never", FORGET_MIN..=FORGET_MAX));
        },
    },
    Key { name: "notify", read: |draft, value| draft.notify = notifier::names(value).unwrap_or_default() },
];

/// Puts a value that was read in its place; after a fault the old one stays, and nothing comes of it.
fn put<T>(field: &mut T, read: Option<T>) {
    if let Some(value) = read {
        *field = value;
    }
}

/// The name under which a service manager hands a socket over: systemd allows neither control characters nor `:`.
fn listener_name(value: Value<'_>) -> Option<String> {
    let name = value.string()?;
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !fits {
        value.fault(words::name());
        return None;
    }
    Some(name.to_string())
}

fn targets(value: Value<'_>) -> Option<Vec<Located<TargetDraft>>> {
    let elements = value.elements(LOG_TARGETS_MAX)?;
    if elements.is_empty() {
        value.fault(Text::new(
            "a log needs at least one target: \"stderr\", \"journal\", \"syslog\" or \"file:PATH\"",
            "日志至少需要一个目标：\"stderr\"、\"journal\"、\"syslog\" 或 \"file:路径\"",
        ));
    }
    let mut all = Vec::new();
    for element in elements {
        let mut draft = TargetDraft::default();
        if element.is_table() {
            if element.section(TARGET, |_| None, &mut draft) && !draft.given {
                element.fault(Text::new("target is missing", "缺少 target"));
            }
        } else {
            draft.target = target(element);
        }
        all.extend(element.located(Some(draft)));
    }
    Some(all)
}

fn target(value: Value<'_>) -> Option<Target> {
    Some(match value.parsed()? {
        Target::File(path) => Target::File(value.beside(&path)),
        other => other,
    })
}

fn level(value: Value<'_>) -> Option<Level> {
    const ALL: [Level; 5] = [Level::Error, Level::Warning, Level::Notice, Level::Info, Level::Debug];
    let name = value.string()?;
    let found = ALL.into_iter().find(|level| level.name() == name);
    if found.is_none() {
        value.fault(Text::new(
            "not a level: write error, warning, notice, info or debug",
            "不是级别：请写 error、warning、notice、info 或 debug",
        ));
    }
    found
}

/// A path, or a table that says where something is.
pub(super) fn source(value: Value<'_>) -> Option<Located<TokenSource>> {
    if value.is_table() {
        let nowhere = Text::new(
            "say where it is: \"PATH\" or { credential = \"NAME\" }",
            "请指明位置：\"路径\" 或 { credential = \"名称\" }",
        );
        return source_table(value, nowhere);
    }
    value.located(value.path().map(TokenSource::File))
}

pub(super) fn source_table(value: Value<'_>, nowhere: Text) -> Option<Located<TokenSource>> {
    let mut draft = TokenDraft::default();
    if !value.section(SOURCE, |_| None, &mut draft) {
        return None;
    }
    if draft.given != 1 {
        value.fault(nowhere);
    }
    value.located(draft.source)
}

pub(crate) fn credential(value: Value<'_>) -> Option<TokenSource> {
    let name = value.string()?;
    // The name is a file name in a directory that is not ours to leave.
    if name.is_empty() || name.contains(['/', '\0']) || matches!(name, "." | "..") {
        value.fault(Text::new("not the name of a credential", "不是凭据名称"));
        return None;
    }
    Some(TokenSource::Credential(name.to_string()))
}

impl Default for Origin {
    fn default() -> Origin {
        Origin { place: Place::Nowhere, key: String::new() }
    }
}
