//! `heartbeat watch`: monitors as they change.
//!
//! On a terminal it is a table, the worst first, as long as the screen: [`WatchScreen`] holds what is on it. Two tasks feed it:
//! one follows the server's events, one asks for the list whenever something happened, and every two seconds because
//! beats make no events. Keys, signals and time come in beside them. Elsewhere, and on a terminal that cannot be drawn
//! on, each change is a line.

use super::cli::{MonitorFilter, WatchArgs};
use super::config::ClientSettings;
use super::dial::Dialer;
use super::error::{ClientError, EX_IOERR, EX_OSERR};
use super::events::{EventParser, ServerEvent};
use super::http::{ApiConnection, ApiRequest, no_answer};
use super::query::{MonitorQuery, api_settings, read_monitors, table_style};
use super::table::{MonitorLine, TableStyle, cut};
use crate::domain::pattern;
use crate::domain::time::Span;
use crate::i18n::{self, Text, Word};
use crate::sys::terminal::{self, Canvas};
use crate::view::words::one_line;
use http_body_util::BodyExt;
use nix::sys::signal::{Signal, raise};
use serde_json::Value;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

/// How often the list is asked for though nothing happened.
const EVERY: Duration = Duration::from_secs(2);
/// How often at most.
const PAUSE: Duration = Duration::from_millis(300);
/// Silence after which the stream of events counts as dead: the server sends something every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Longest wait between two attempts.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// Lines of the screen that are not monitors: the title, the heads, the foot.
const FRAME_LINES: usize = 3;

/// `heartbeat watch`.
pub async fn watch(settings: &ClientSettings, args: &WatchArgs) -> Result<u8, ClientError> {
    let settings = api_settings(settings).await;
    // A first error is printed before the screen is switched.
    let stream = EventStream::open(&settings).await?;
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    if dumb || !io::stdout().is_terminal() {
        return lines(&settings, &args.filter, stream).await;
    }
    table(&settings, &args.filter, stream).await
}

/// The stream of events.
struct EventStream {
    /// Ends the connection when it is dropped.
    _connection: ApiConnection,
    body: hyper::body::Incoming,
    parser: EventParser,
}

impl EventStream {
    async fn open(settings: &ClientSettings) -> Result<EventStream, ClientError> {
        let within = Duration::from_millis(settings.timeout.0);
        let mut connection =
            ApiConnection::open(&Dialer::new(settings)?, settings.token.clone(), within).await?;
        let (parts, body) = connection.stream(ApiRequest::get("/api/v1/events"), within).await?;
        if parts.status.as_u16() != 200 {
            // Another request, for the reason in its answer.
            drop((connection, body));
            super::query::request_ok(settings, ApiRequest::get("/api/v1/status")).await?;
            let status = parts.status;
            return Err(no_answer(&settings.to, Text::foreign(format!("/api/v1/events: {status}"))));
        }
        Ok(EventStream { _connection: connection, body, parser: EventParser::default() })
    }

    /// The next events.
    async fn next(&mut self, settings: &ClientSettings) -> Result<Vec<ServerEvent>, ClientError> {
        let closed = || no_answer(&settings.to, i18n::client::CONNECTION_CLOSED);
        match timeout(SILENCE_MAX, self.body.frame()).await {
            Ok(Some(Ok(frame))) => {
                Ok(frame.data_ref().map(|bytes| self.parser.parse(bytes)).unwrap_or_default())
            }
            Ok(_) => Err(closed()),
            Err(_) => Err(no_answer(&settings.to, i18n::client::NOTHING_HEARD)),
        }
    }
}

/// What the tasks send to the screen.
enum WatchInput {
    Event(ServerEvent),
    /// The connection is lost; why.
    Lost(ClientError),
    Monitors(Vec<MonitorLine>),
    /// The list could not be had.
    NoList(ClientError),
}

/// Follows the events, reconnecting, until the receiver is dropped.
async fn follow(settings: ClientSettings, first: EventStream, post: mpsc::Sender<WatchInput>) {
    let mut stream = Some(first);
    let mut wait = Duration::from_secs(1);
    loop {
        let failure = match &mut stream {
            Some(open) => match open.next(&settings).await {
                Ok(events) => {
                    wait = Duration::from_secs(1);
                    for event in events {
                        if post.send(WatchInput::Event(event)).await.is_err() {
                            return;
                        }
                    }
                    continue;
                }
                Err(failure) => failure,
            },
            None => {
                sleep(wait).await;
                wait = (wait * 2).min(RETRY_MAX);
                match EventStream::open(&settings).await {
                    Ok(open) => {
                        stream = Some(open);
                        continue;
                    }
                    Err(failure) => failure,
                }
            }
        };
        stream = None;
        if post.send(WatchInput::Lost(failure)).await.is_err() {
            return;
        }
    }
}

/// What a change is in one line.
fn describe(event: &ServerEvent, style: TableStyle) -> Option<String> {
    let text = |key: &str| event.data.get(key).and_then(Value::as_str).unwrap_or_default();
    let id = one_line(text("monitor")).into_owned();
    let say = |word: Word| word.in_lang(style.lang).to_string();
    let what = match event.name.as_str() {
        "change" => {
            let (from, to) = (one_line(style.state(text("from"))), one_line(style.state(text("to"))));
            let silent = event.data.get("silent_s").and_then(Value::as_f64).and_then(Span::from_secs_f64);
            match silent.filter(|silent| silent.0 >= 1000 && matches!(text("to"), "late" | "down")) {
                Some(silent) => {
                    let silent = style.span(silent);
                    format!("{from} → {to}{}", i18n::client::silent(&silent).in_lang(style.lang))
                }
                None => format!("{from} → {to}"),
            }
        }
        "made" => say(i18n::client::FIRST_HEARD),
        "removed" => say(i18n::client::REMOVED),
        "conflict" => say(i18n::client::TWO_SENDERS),
        "missed" => {
            let count = event.data.get("count").and_then(Value::as_u64).unwrap_or(0);
            let missed = i18n::client::changes_missed(&count).in_lang(style.lang);
            return Some(format!("{}  {missed}", style.stamp(text("at"))));
        }
        _ => return None,
    };
    Some(format!("{}  {id}  {what}", style.stamp(text("at"))))
}

/// Whether a change is among those that are watched.
fn is_wanted(event: &ServerEvent, filter: &MonitorFilter) -> bool {
    let text = |key: &str| event.data.get(key).and_then(Value::as_str).unwrap_or_default();
    let id = text("monitor");
    let fits = filter.matching.as_deref().is_none_or(|query| match query.contains('*') {
        true => pattern::matches(query, id),
        false => id.contains(query),
    });
    let state = filter.state.as_deref();
    event.name == "missed" || fits && state.is_none_or(|state| [text("from"), text("to")].contains(&state))
}

/// A line for each change, where standard output is no terminal.
async fn lines(
    settings: &ClientSettings,
    filter: &MonitorFilter,
    first: EventStream,
) -> Result<u8, ClientError> {
    let (post, mut news) = mpsc::channel(64);
    tokio::spawn(follow(settings.clone(), first, post));
    let mut lost = false;
    while let Some(one) = news.recv().await {
        let style = TableStyle { colours: false, ..table_style(settings) };
        let line = match &one {
            WatchInput::Lost(failure) => {
                if !lost {
                    super::complain(failure.sentence(settings.lang));
                }
                lost = true;
                continue;
            }
            WatchInput::Event(event) if event.name == "hello" => {
                lost = false;
                let counts =
                    event.data.get("monitors").map(|counts| style.counts(counts)).unwrap_or_default();
                let at = event.data.get("at").and_then(Value::as_str).unwrap_or_default();
                Some(format!("{}  {}: {counts}", style.stamp(at), settings.to))
            }
            WatchInput::Event(event) if is_wanted(event, filter) => describe(event, style),
            _ => None,
        };
        let Some(line) = line else { continue };
        let mut out = io::stdout();
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
            Ok(()) => {}
            // EPIPE: the reader has closed, as head(1) does.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(0),
            Err(error) => return Err(cannot_draw(&error)),
        }
    }
    Ok(0)
}

/// What is on the screen.
struct WatchScreen {
    title: String,
    counts: Value,
    monitors: Vec<MonitorLine>,
    /// The latest change.
    latest: String,
    /// Why there are no events.
    lost: Option<String>,
}

impl WatchScreen {
    /// The lines of a screen.
    fn lines(&self, style: TableStyle, (columns, rows): (usize, usize)) -> Vec<String> {
        let (counts, bold) = (style.counts(&self.counts), if style.colours { "\x1b[1m" } else { "" });
        let mut lines = vec![format!("{bold}{}", cut(&format!("{}  {counts}", self.title), columns))];
        let room = rows.saturating_sub(FRAME_LINES);
        let shown = &self.monitors[..self.monitors.len().min(room)];
        lines.extend(style.table(shown, Some(columns)));
        lines.resize(rows.saturating_sub(1).max(1), String::new());
        let foot = match &self.lost {
            Some(why) => i18n::client::trying_again(&why).in_lang(style.lang),
            None if self.latest.is_empty() => i18n::client::Q_QUIT.in_lang(style.lang).to_string(),
            None => self.latest.clone(),
        };
        let warning = if self.lost.is_some() && style.colours { "\x1b[33m" } else { "" };
        if rows > 1 {
            lines.push(format!("{warning}{}", cut(&foot, columns)));
        }
        lines.truncate(rows.max(1));
        lines
    }

    fn apply(&mut self, news: WatchInput, filter: &MonitorFilter, style: TableStyle) {
        match news {
            WatchInput::Event(event) => {
                if let Some(counts) = event.data.get("monitors") {
                    (self.counts, self.lost) = (counts.clone(), None);
                }
                if is_wanted(&event, filter) {
                    self.latest = describe(&event, style).unwrap_or_else(|| std::mem::take(&mut self.latest));
                }
            }
            WatchInput::Lost(failure) | WatchInput::NoList(failure) => {
                self.lost = Some(failure.sentence(style.lang).to_string())
            }
            WatchInput::Monitors(monitors) => self.monitors = monitors,
        }
    }
}

/// Asks for the list when it is wanted, and every now and then.
async fn ask_for_lists(
    settings: ClientSettings,
    filter: MonitorFilter,
    rows: Arc<AtomicUsize>,
    wanted: Arc<Notify>,
    post: mpsc::Sender<WatchInput>,
) {
    loop {
        let limit = rows.load(Ordering::Relaxed).clamp(1, 1000);
        let page = MonitorQuery { filter: &filter, limit }
            .fetch(&settings, None)
            .await
            .and_then(|reply| reply.json(&settings.to));
        let page = page.and_then(|page| read_monitors(&page, &settings));
        if post.send(page.map_or_else(WatchInput::NoList, WatchInput::Monitors)).await.is_err() {
            return;
        }
        sleep(PAUSE).await;
        let _ = timeout(EVERY, wanted.notified()).await;
    }
}

/// The table, until `q` or a signal.
async fn table(
    settings: &ClientSettings,
    filter: &MonitorFilter,
    first: EventStream,
) -> Result<u8, ClientError> {
    let size = terminal::size();
    let rows = Arc::new(AtomicUsize::new(size.1));
    let wanted = Arc::new(Notify::new());
    let (post, mut news) = mpsc::channel(64);
    tokio::spawn(follow(settings.clone(), first, post.clone()));
    tokio::spawn(ask_for_lists(settings.clone(), filter.clone(), rows.clone(), wanted.clone(), post));
    let mut live = WatchScreen {
        title: settings.to.to_string(),
        counts: Value::Null,
        monitors: Vec::new(),
        latest: String::new(),
        lost: None,
    };
    let mut signals = Signals::new().map_err(|error| cannot_draw(&error))?;
    let mut keys = tokio::io::stdin();
    let (mut key, mut has_keys) = ([0u8; 64], io::stdin().is_terminal());
    let mut canvas = Some(Canvas::enter().map_err(|error| cannot_draw(&error))?);
    let mut size = size;
    loop {
        if let Some(canvas) = &canvas {
            canvas.draw(&live.lines(table_style(settings), size)).map_err(|error| cannot_draw(&error))?;
        }
        tokio::select! {
            one = news.recv() => {
                let Some(one) = one else { return Ok(0) };
                if matches!(one, WatchInput::Event(_)) {
                    wanted.notify_one();
                }
                live.apply(one, filter, table_style(settings));
            }
            read = keys.read(&mut key), if has_keys => match read {
                Ok(0) | Err(_) => has_keys = false,
                Ok(bytes) if key[..bytes].iter().any(|key| matches!(key, b'q' | b'Q' | 3 | 4)) => return Ok(0),
                Ok(_) => {}
            },
            said = signals.next() => match said {
                WatchSignal::End => return Ok(0),
                WatchSignal::Stop => {
                    // The shell gets its terminal, and we take it again when we go on.
                    drop(canvas.take());
                    let _ = raise(Signal::SIGSTOP);
                    canvas = Some(Canvas::enter().map_err(|error| cannot_draw(&error))?);
                    size = terminal::size();
                }
                WatchSignal::Resize => {
                    size = terminal::size();
                    rows.store(size.1, Ordering::Relaxed);
                    wanted.notify_one();
                }
            },
            () = sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// The signals that are handled.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    stop: tokio::signal::unix::Signal,
    resize: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            stop: signal(SignalKind::from_raw(nix::libc::SIGTSTP))?,
            resize: signal(SignalKind::window_change())?,
        })
    }

    async fn next(&mut self) -> WatchSignal {
        tokio::select! {
            _ = self.interrupt.recv() => WatchSignal::End,
            _ = self.terminate.recv() => WatchSignal::End,
            _ = self.hang_up.recv() => WatchSignal::End,
            _ = self.stop.recv() => WatchSignal::Stop,
            _ = self.resize.recv() => WatchSignal::Resize,
        }
    }
}

/// The meaning of a signal.
enum WatchSignal {
    End,
    /// Ctrl-Z.
    Stop,
    Resize,
}

fn cannot_draw(error: &io::Error) -> ClientError {
    let code = if error.kind() == ErrorKind::Other { EX_OSERR } else { EX_IOERR };
    ClientError::new(code, i18n::client::cannot_use_terminal(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;
    use crate::domain::time::Wall;
    use serde_json::json;
    use unicode_width::UnicodeWidthStr;

    const STYLE: TableStyle = TableStyle { now: Wall(1_770_521_420_000), lang: Lang::En, colours: false };

    fn change(monitor: &str, from: &str, to: &str) -> ServerEvent {
        let data = json!({ "monitor": monitor, "from": from, "to": to, "at": "2026-02-08T03:30:20.000Z", "silent_s": 75.2 });
        ServerEvent { name: "change".into(), data }
    }

    #[test]
    fn changes_are_told_in_both_languages() {
        let down = change("心跳\u{202e}", "late", "down");
        let line = describe(&down, STYLE).unwrap();
        assert!(line.ends_with("心跳\\u{202e}  late → down, silent for 1 min"), "{line}");
        let line = describe(&down, TableStyle { lang: Lang::Zh, ..STYLE }).unwrap();
        assert!(line.ends_with("迟到 → 离线，静默 1 分钟"), "{line}");
        assert_eq!(describe(&ServerEvent { name: "counts".into(), data: json!({}) }, STYLE), None);
    }

    #[test]
    fn only_what_is_watched_is_told() {
        let filter = |state: Option<&str>, matching: Option<&str>| MonitorFilter {
            state: state.map(String::from),
            matching: matching.map(String::from),
        };
        let event = change("web-1", "up", "late");
        assert!(is_wanted(&event, &filter(None, None)));
        assert!(is_wanted(&event, &filter(Some("late"), Some("web-*"))));
        assert!(is_wanted(&event, &filter(None, Some("eb"))));
        assert!(!is_wanted(&event, &filter(Some("down"), None)));
        assert!(!is_wanted(&event, &filter(None, Some("eb-*"))));
    }

    #[test]
    fn the_screen_is_filled_and_never_more_than_filled() {
        let monitors = (0..50).map(|n| MonitorLine {
            id: format!("数据库-{n}"),
            state: "up".into(),
            ..MonitorLine::default()
        });
        let mut live = WatchScreen {
            title: "http://localhost:7777".into(),
            counts: json!({ "up": 50, "down": 0 }),
            monitors: monitors.collect(),
            latest: String::new(),
            lost: None,
        };
        for (columns, rows) in [(80, 24), (20, 4), (5, 2), (1, 1), (200, 100)] {
            let lines = live.lines(STYLE, (columns, rows));
            assert_eq!(lines.len(), rows, "{lines:?}");
            assert!(lines.iter().all(|line| line.width() <= columns), "{columns}: {lines:?}");
        }
        assert!(live.lines(STYLE, (80, 24))[0].ends_with("0 down, 50 up"));
        live.apply(
            WatchInput::Lost(ClientError::new(69, Text::foreign("gone"))),
            &MonitorFilter::default(),
            STYLE,
        );
        assert_eq!(live.lines(STYLE, (80, 24))[23], "gone; trying again");
        live.apply(WatchInput::Event(change("web", "late", "down")), &MonitorFilter::default(), STYLE);
        let hello = ServerEvent { name: "hello".into(), data: json!({ "monitors": { "down": 1 } }) };
        live.apply(WatchInput::Event(hello), &MonitorFilter::default(), STYLE);
        let lines = live.lines(STYLE, (80, 24));
        assert!(lines[23].contains("late → down") && lines[0].contains("1 down"), "{lines:?}");
    }
}
