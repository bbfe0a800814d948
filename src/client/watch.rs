//! `heartbeat watch`: monitors as they change.
//!
//! On a terminal it is a table, the worst first, as long as the screen: [`Live`] holds what is on it. Two tasks feed it:
//! one follows the server's events, one asks for the list whenever something happened, and every two seconds because
//! beats make no events. Keys, signals and time come in beside them. Elsewhere, and on a terminal that cannot be drawn
//! on, each change is a line.

use super::ask::{Wish, at_server, look, read_monitors};
use super::cli::Watch;
use super::config::Settings;
use super::dial::Dialer;
use super::events::{Event, Reader};
use super::failure::{EX_IOERR, EX_OSERR, Failure};
use super::http::{Ask, Link, no_answer};
use super::table::{Look, Monitor, cut};
use crate::domain::pattern;
use crate::domain::time::Span;
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
/// Silence after which the stream of events is dead: the server says something every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Longest wait between two attempts.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// Lines of the screen that are not monitors: the title, the heads, the foot.
const FRAME_LINES: usize = 3;

/// `heartbeat watch`.
pub async fn watch(settings: &Settings, watch: &Watch) -> Result<u8, Failure> {
    let settings = at_server(settings).await;
    // What is wrong from the beginning is said where it can be read.
    let stream = Stream::open(&settings).await?;
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    if dumb || !io::stdout().is_terminal() {
        return lines(&settings, watch, stream).await;
    }
    table(&settings, watch, stream).await
}

/// The stream of events.
struct Stream {
    /// Ends the connection when it is dropped.
    _link: Link,
    body: hyper::body::Incoming,
    reader: Reader,
}

impl Stream {
    async fn open(settings: &Settings) -> Result<Stream, Failure> {
        let within = Duration::from_millis(settings.timeout.0);
        let mut link = Link::open(&Dialer::new(settings)?, settings.token.clone(), within).await?;
        let (parts, body) = link.stream(Ask::get("/api/v1/events"), within).await?;
        if parts.status.as_u16() != 200 {
            // It is asked once more for the sake of the reason.
            drop((link, body));
            super::ask::told(settings, Ask::get("/api/v1/status")).await?;
            let status = parts.status;
            return Err(no_answer(&settings.to, &format!("/api/v1/events: {status}")));
        }
        Ok(Stream { _link: link, body, reader: Reader::default() })
    }

    /// The next events.
    async fn next(&mut self, settings: &Settings) -> Result<Vec<Event>, Failure> {
        let closed = || no_answer(&settings.to, "the connection was closed");
        match timeout(SILENCE_MAX, self.body.frame()).await {
            Ok(Some(Ok(frame))) => {
                Ok(frame.data_ref().map(|bytes| self.reader.read(bytes)).unwrap_or_default())
            }
            Ok(_) => Err(closed()),
            Err(_) => Err(no_answer(&settings.to, "nothing is heard any more")),
        }
    }
}

/// What the tasks tell.
enum News {
    Event(Event),
    /// The connection is lost; why.
    Lost(Failure),
    Monitors(Vec<Monitor>),
    /// The list could not be had.
    NoList(Failure),
}

/// Follows the events, through interruptions, until nobody listens.
async fn follow(settings: Settings, first: Stream, post: mpsc::Sender<News>) {
    let mut stream = Some(first);
    let mut wait = Duration::from_secs(1);
    loop {
        let failure = match &mut stream {
            Some(open) => match open.next(&settings).await {
                Ok(events) => {
                    wait = Duration::from_secs(1);
                    for event in events {
                        if post.send(News::Event(event)).await.is_err() {
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
                match Stream::open(&settings).await {
                    Ok(open) => {
                        stream = Some(open);
                        continue;
                    }
                    Err(failure) => failure,
                }
            }
        };
        stream = None;
        if post.send(News::Lost(failure)).await.is_err() {
            return;
        }
    }
}

/// What a change is in one line.
fn told(event: &Event, look: Look) -> Option<String> {
    let text = |key: &str| event.data.get(key).and_then(Value::as_str).unwrap_or_default();
    let id = one_line(text("monitor")).into_owned();
    let say = |en: &str, zh: &str| look.lang.pick(en, zh).to_string();
    let what = match event.name.as_str() {
        "change" => {
            let (from, to) = (one_line(look.state(text("from"))), one_line(look.state(text("to"))));
            let silent = event.data.get("silent_s").and_then(Value::as_f64).and_then(Span::from_secs_f64);
            match silent.filter(|silent| silent.0 >= 1000 && matches!(text("to"), "late" | "down")) {
                Some(silent) => {
                    let silent = look.span(silent);
                    format!(
                        "{from} → {to}{}",
                        look.lang.pick(format!(", silent for {silent}"), format!("，静默 {silent}"))
                    )
                }
                None => format!("{from} → {to}"),
            }
        }
        "made" => say("first heard", "首次收到"),
        "removed" => say("removed", "已移除"),
        "conflict" => say("two senders use this id", "有两个发送方使用此标识"),
        "missed" => {
            let count = event.data.get("count").and_then(Value::as_u64).unwrap_or(0);
            let missed =
                look.lang.pick(format!("{count} changes were missed"), format!("错过 {count} 个变化"));
            return Some(format!("{}  {missed}", look.stamp(text("at"))));
        }
        _ => return None,
    };
    Some(format!("{}  {id}  {what}", look.stamp(text("at"))))
}

/// Whether a change is among those that are watched.
fn is_wanted(event: &Event, watch: &Watch) -> bool {
    let text = |key: &str| event.data.get(key).and_then(Value::as_str).unwrap_or_default();
    let id = text("monitor");
    let fits = watch.matching.as_deref().is_none_or(|wish| match wish.contains('*') {
        true => pattern::matches(wish, id),
        false => id.contains(wish),
    });
    let state = watch.state.as_deref();
    event.name == "missed" || fits && state.is_none_or(|state| [text("from"), text("to")].contains(&state))
}

/// A line for each change, for whatever is no screen.
async fn lines(settings: &Settings, watch: &Watch, first: Stream) -> Result<u8, Failure> {
    let (post, mut news) = mpsc::channel(64);
    tokio::spawn(follow(settings.clone(), first, post));
    let mut lost = false;
    while let Some(one) = news.recv().await {
        let look = Look { colours: false, ..look(settings) };
        let line = match &one {
            News::Lost(failure) => {
                if !lost {
                    super::complain(failure.say(settings.lang));
                }
                lost = true;
                continue;
            }
            News::Event(event) if event.name == "hello" => {
                lost = false;
                let counts = event.data.get("monitors").map(|counts| look.counts(counts)).unwrap_or_default();
                let at = event.data.get("at").and_then(Value::as_str).unwrap_or_default();
                Some(format!("{}  {}: {counts}", look.stamp(at), settings.to))
            }
            News::Event(event) if is_wanted(event, watch) => told(event, look),
            _ => None,
        };
        let Some(line) = line else { continue };
        let mut out = io::stdout();
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
            Ok(()) => {}
            // A reader who has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(0),
            Err(error) => return Err(cannot_draw(&error)),
        }
    }
    Ok(0)
}

/// What is on the screen.
struct Live {
    title: String,
    counts: Value,
    monitors: Vec<Monitor>,
    /// The latest change.
    latest: String,
    /// Why the server is not heard.
    lost: Option<String>,
}

impl Live {
    /// The lines of a screen.
    fn lines(&self, look: Look, (columns, rows): (usize, usize)) -> Vec<String> {
        let (counts, bold) = (look.counts(&self.counts), if look.colours { "\x1b[1m" } else { "" });
        let mut lines = vec![format!("{bold}{}", cut(&format!("{}  {counts}", self.title), columns))];
        let room = rows.saturating_sub(FRAME_LINES);
        let shown = &self.monitors[..self.monitors.len().min(room)];
        lines.extend(look.table(shown, Some(columns)));
        lines.resize(rows.saturating_sub(1).max(1), String::new());
        let foot = match &self.lost {
            Some(why) => look.lang.pick(format!("{why}; trying again"), format!("{why}；正在重试")),
            None if self.latest.is_empty() => look.lang.pick("q: quit", "按 q 退出").to_string(),
            None => self.latest.clone(),
        };
        let warning = if self.lost.is_some() && look.colours { "\x1b[33m" } else { "" };
        if rows > 1 {
            lines.push(format!("{warning}{}", cut(&foot, columns)));
        }
        lines.truncate(rows.max(1));
        lines
    }

    fn take(&mut self, news: News, watch: &Watch, look: Look) {
        match news {
            News::Event(event) => {
                if let Some(counts) = event.data.get("monitors") {
                    (self.counts, self.lost) = (counts.clone(), None);
                }
                if is_wanted(&event, watch) {
                    self.latest = told(&event, look).unwrap_or_else(|| std::mem::take(&mut self.latest));
                }
            }
            News::Lost(failure) | News::NoList(failure) => {
                self.lost = Some(failure.say(look.lang).to_string())
            }
            News::Monitors(monitors) => self.monitors = monitors,
        }
    }
}

/// Asks for the list when it is wanted, and every now and then.
async fn ask_for_lists(
    settings: Settings,
    watch: Watch,
    rows: Arc<AtomicUsize>,
    wanted: Arc<Notify>,
    post: mpsc::Sender<News>,
) {
    loop {
        let limit = rows.load(Ordering::Relaxed).clamp(1, 1000);
        let wish = Wish { state: watch.state.as_deref(), matching: watch.matching.as_deref(), limit };
        let page = wish.ask(&settings, None).await.and_then(|reply| reply.json(&settings.to));
        let page = page.and_then(|page| read_monitors(&page, &settings));
        if post.send(page.map_or_else(News::NoList, News::Monitors)).await.is_err() {
            return;
        }
        sleep(PAUSE).await;
        let _ = timeout(EVERY, wanted.notified()).await;
    }
}

/// The table, until somebody has seen enough.
async fn table(settings: &Settings, watch: &Watch, first: Stream) -> Result<u8, Failure> {
    let size = terminal::size();
    let rows = Arc::new(AtomicUsize::new(size.1));
    let wanted = Arc::new(Notify::new());
    let (post, mut news) = mpsc::channel(64);
    tokio::spawn(follow(settings.clone(), first, post.clone()));
    tokio::spawn(ask_for_lists(settings.clone(), watch.clone(), rows.clone(), wanted.clone(), post));
    let mut live = Live {
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
            canvas.draw(&live.lines(look(settings), size)).map_err(|error| cannot_draw(&error))?;
        }
        tokio::select! {
            one = news.recv() => {
                let Some(one) = one else { return Ok(0) };
                if matches!(one, News::Event(_)) {
                    wanted.notify_one();
                }
                live.take(one, watch, look(settings));
            }
            read = keys.read(&mut key), if has_keys => match read {
                Ok(0) | Err(_) => has_keys = false,
                Ok(bytes) if key[..bytes].iter().any(|key| matches!(key, b'q' | b'Q' | 3 | 4)) => return Ok(0),
                Ok(_) => {}
            },
            said = signals.next() => match said {
                Said::End => return Ok(0),
                Said::Stop => {
                    // The shell gets its terminal, and we take it again when we go on.
                    drop(canvas.take());
                    let _ = raise(Signal::SIGSTOP);
                    canvas = Some(Canvas::enter().map_err(|error| cannot_draw(&error))?);
                    size = terminal::size();
                }
                Said::Resize => {
                    size = terminal::size();
                    rows.store(size.1, Ordering::Relaxed);
                    wanted.notify_one();
                }
            },
            () = sleep(Duration::from_secs(1)) => {}
        }
    }
}

/// What may come from outside.
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

    async fn next(&mut self) -> Said {
        tokio::select! {
            _ = self.interrupt.recv() => Said::End,
            _ = self.terminate.recv() => Said::End,
            _ = self.hang_up.recv() => Said::End,
            _ = self.stop.recv() => Said::Stop,
            _ = self.resize.recv() => Said::Resize,
        }
    }
}

/// What a signal says.
enum Said {
    End,
    /// Ctrl-Z.
    Stop,
    Resize,
}

fn cannot_draw(error: &io::Error) -> Failure {
    let code = if error.kind() == ErrorKind::Other { EX_OSERR } else { EX_IOERR };
    Failure::new(code, format!("cannot use the terminal: {error}"), format!("无法使用终端：{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lang::Lang;
    use crate::domain::time::Wall;
    use serde_json::json;
    use unicode_width::UnicodeWidthStr;

    const LOOK: Look = Look { now: Wall(1_770_521_420_000), lang: Lang::En, colours: false };

    fn change(monitor: &str, from: &str, to: &str) -> Event {
        let data = json!({ "monitor": monitor, "from": from, "to": to, "at": "2026-02-08T03:30:20.000Z", "silent_s": 75.2 });
        Event { name: "change".into(), data }
    }

    #[test]
    fn changes_are_told_in_both_languages() {
        let down = change("心跳\u{202e}", "late", "down");
        let line = told(&down, LOOK).unwrap();
        assert!(line.ends_with("心跳\\u{202e}  late → down, silent for 1 min"), "{line}");
        let line = told(&down, Look { lang: Lang::Zh, ..LOOK }).unwrap();
        assert!(line.ends_with("迟到 → 离线，静默 1 分钟"), "{line}");
        assert_eq!(told(&Event { name: "counts".into(), data: json!({}) }, LOOK), None);
    }

    #[test]
    fn only_what_is_watched_is_told() {
        let watch = |state: Option<&str>, matching: Option<&str>| Watch {
            state: state.map(String::from),
            matching: matching.map(String::from),
        };
        let event = change("web-1", "up", "late");
        assert!(is_wanted(&event, &watch(None, None)));
        assert!(is_wanted(&event, &watch(Some("late"), Some("web-*"))));
        assert!(is_wanted(&event, &watch(None, Some("eb"))));
        assert!(!is_wanted(&event, &watch(Some("down"), None)));
        assert!(!is_wanted(&event, &watch(None, Some("eb-*"))));
    }

    #[test]
    fn the_screen_is_filled_and_never_more_than_filled() {
        let monitors =
            (0..50)
                .map(|n| Monitor { id: format!("数据库-{n}"), state: "up".into(), ..Monitor::default() });
        let mut live = Live {
            title: "http://localhost:7777".into(),
            counts: json!({ "up": 50, "down": 0 }),
            monitors: monitors.collect(),
            latest: String::new(),
            lost: None,
        };
        for (columns, rows) in [(80, 24), (20, 4), (5, 2), (1, 1), (200, 100)] {
            let lines = live.lines(LOOK, (columns, rows));
            assert_eq!(lines.len(), rows, "{lines:?}");
            assert!(lines.iter().all(|line| line.width() <= columns), "{columns}: {lines:?}");
        }
        assert!(live.lines(LOOK, (80, 24))[0].ends_with("0 down, 50 up"));
        live.take(News::Lost(Failure::new(69, "gone", "断了")), &Watch::default(), LOOK);
        assert_eq!(live.lines(LOOK, (80, 24))[23], "gone; trying again");
        live.take(News::Event(change("web", "late", "down")), &Watch::default(), LOOK);
        let hello = Event { name: "hello".into(), data: json!({ "monitors": { "down": 1 } }) };
        live.take(News::Event(hello), &Watch::default(), LOOK);
        let lines = live.lines(LOOK, (80, 24));
        assert!(lines[23].contains("late → down") && lines[0].contains("1 down"), "{lines:?}");
    }
}
