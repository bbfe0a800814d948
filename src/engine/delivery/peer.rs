//! Asks the other server of a pair which alerts it has: over a connection of its own each time, within a bounded time, page by
//! page as far back as somebody has to know.

use super::notifier_state::whole;
use crate::domain::access::Token;
use crate::domain::alert::pair::{PeerAlert, PeerDelivery};
use crate::domain::lang::Lang;
use crate::domain::time::{Span, Wall};
use crate::i18n::{self, ParseError, Text};
use crate::net::http::HttpClientConnection;
use crate::net::stream::ClientStream;
use crate::net::{authority, dial, tls};
use crate::sys::clock;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::ClientConfig;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Alerts in a page, where nothing waits here and where something does.
const PAGE_SHORT: usize = 50;
const PAGE: usize = 500;
/// Most pages that are asked for.
const PAGES_MAX: usize = 20;
/// Bytes of a page.
const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Outcomes that may wait for the delivery.
const WAITING_MAX: usize = 4;
/// How far before a moment alerts are asked for, since clocks differ.
const MARGIN: Span = Span::secs(60);
/// The time for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Where the other server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerUrl {
    tls: bool,
    host: String,
    port: u16,
    /// Without a slash at its end.
    path: String,
}

impl FromStr for PeerUrl {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<PeerUrl, ParseError> {
        let uri: hyper::Uri = text.parse().map_err(|_| ParseError::NotWebUrl)?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(ParseError::NotWebUrl),
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(ParseError::UserInUrl);
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(ParseError::QueryInUrl);
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_string();
        if host.is_empty() {
            return Err(ParseError::NoHost);
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 7777 });
        Ok(PeerUrl { tls, host, port, path: uri.path().trim_end_matches('/').to_string() })
    }
}

impl fmt::Display for PeerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", authority(&self.host, self.port), self.path)
    }
}

/// How the other server is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerSettings {
    /// Where it is.
    pub url: PeerUrl,
    /// Shown to it.
    pub token: Option<Token>,
    /// A PEM bundle of authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// How often it is asked.
    pub every: Span,
}

/// What came of asking.
#[derive(Debug)]
pub(super) enum PeerAnswer {
    /// It shows its alerts.
    Alerts {
        /// In any order.
        alerts: Vec<PeerAlert>,
        /// All since then are among them.
        covers: Wall,
        /// Where they came from.
        address: Option<IpAddr>,
    },
    /// It lives, but shows none; why, in both languages.
    Refused(Text, Option<IpAddr>),
    /// It does not answer; why.
    Missed(Text),
}

/// Asks again and again.
#[derive(Debug)]
pub(super) struct PeerTask {
    answers: mpsc::Receiver<PeerAnswer>,
    /// How far back its alerts are wanted.
    since: Arc<AtomicI64>,
    task: JoinHandle<()>,
}

impl PeerTask {
    /// To be called inside the runtime.
    pub(super) fn start(asked: PeerSettings) -> PeerTask {
        let (sender, answers) = mpsc::channel(WAITING_MAX);
        let since = Arc::new(AtomicI64::new(i64::MAX));
        let wanted = since.clone();
        let task = tokio::spawn(async move {
            let mut config = None;
            loop {
                let began = clock::timer_now();
                let answer = ask(&asked, &mut config, Wall(wanted.load(Ordering::Relaxed))).await;
                if sender.send(answer).await.is_err() {
                    return;
                }
                tokio::time::sleep_until(began + Duration::from_millis(asked.every.0)).await;
            }
        });
        PeerTask { answers, since, task }
    }

    /// The next answer.
    pub(super) async fn next(&mut self) -> PeerAnswer {
        match self.answers.recv().await {
            Some(answer) => answer,
            // The task does not end by itself.
            None => std::future::pending().await,
        }
    }

    /// From now on alerts are wanted as far back as this; `None`: the newest suffice.
    pub(super) fn want_since(&self, since: Option<Wall>) {
        self.since.store(since.map_or(i64::MAX, |since| since.0), Ordering::Relaxed);
    }
}

impl Drop for PeerTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn ask(settings: &PeerSettings, config: &mut Option<Arc<ClientConfig>>, since: Wall) -> PeerAnswer {
    let mut connection = match timeout(ANSWER_WITHIN, open(settings, config)).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return PeerAnswer::Missed(Text::foreign(&error)),
        Err(_) => return PeerAnswer::Missed(timed_out()),
    };
    let address = connection.1;
    let mut rows = Vec::new();
    let mut after = None;
    let mut covers = Wall(i64::MAX);
    let limit = if since == Wall(i64::MAX) { PAGE_SHORT } else { PAGE };
    for _ in 0..PAGES_MAX {
        let page = page(settings, &mut connection.0, limit, after.as_deref());
        let page = match timeout(ANSWER_WITHIN, page).await {
            Ok(Ok(page)) => page,
            Ok(Err(PageError::Refused(reason))) => return PeerAnswer::Refused(reason, address),
            Ok(Err(PageError::Lost(error))) => return PeerAnswer::Missed(error),
            Err(_) => return PeerAnswer::Missed(timed_out()),
        };
        after = page.next;
        let new = page.alerts.into_iter().filter_map(|row| serde_json::from_value::<PeerRow>(row).ok());
        let before = rows.len();
        rows.extend(new);
        covers = rows[before..].iter().filter_map(PeerRow::made).fold(covers, Wall::min);
        if after.is_none() {
            covers = Wall(i64::MIN);
            break;
        }
        if covers.0 < since.0.saturating_sub(MARGIN.0 as i64) {
            break;
        }
    }
    PeerAnswer::Alerts { alerts: alerts(rows), covers, address }
}

fn timed_out() -> Text {
    Text::foreign(io::Error::from(io::ErrorKind::TimedOut).to_string())
}

type Connection = (HttpClientConnection, Option<IpAddr>);

async fn open(settings: &PeerSettings, config: &mut Option<Arc<ClientConfig>>) -> Result<Connection, String> {
    let PeerUrl { tls, host, port, .. } = &settings.url;
    let addresses = dial::resolve(host, *port).await.map_err(|error| error.to_string())?;
    let end = clock::timer_now() + ANSWER_WITHIN;
    let stream = dial::connect(&addresses, end).await.map_err(|mut failed| match failed.pop() {
        Some((_, error)) => error.to_string(),
        None => io::Error::from(io::ErrorKind::AddrNotAvailable).to_string(),
    })?;
    let address = stream.peer_addr().ok().map(|address| address.ip());
    let stream = if *tls {
        let config = match config {
            Some(config) => config.clone(),
            None => {
                let made = tls::config(settings.ca.as_deref(), None)
                    .map_err(|error| error.text().in_lang(Lang::En))?;
                config.insert(made).clone()
            }
        };
        ClientStream::encrypted(stream, config, host).await.map_err(|error| error.to_string())?
    } else {
        ClientStream::Tcp(stream)
    };
    let connection = HttpClientConnection::new(stream).await.map_err(|error| error.to_string())?;
    Ok((connection, address))
}

/// Why there is no page.
enum PageError {
    /// It answers otherwise than a server that shows its alerts.
    Refused(Text),
    /// There is no answer, or not from such a server.
    Lost(Text),
}

#[derive(Deserialize)]
struct PeerPage {
    /// One that does not fit is left out.
    alerts: Vec<serde_json::Value>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct PeerRow {
    key: Option<String>,
    notifier: String,
    /// The one of its recipients whom it is for, if not all.
    recipient: Option<String>,
    state: String,
    kind: Option<String>,
    monitor: Option<String>,
    /// Servers before this one name only the first.
    monitors: Option<Vec<String>>,
    made: String,
    reason: Option<String>,
}

impl PeerRow {
    fn made(&self) -> Option<Wall> {
        Some(Wall(self.made.parse::<Timestamp>().ok()?.as_millisecond()))
    }

    /// `None`: it is about the server itself, or a test, or nobody was told.
    fn alert(self) -> Option<PeerAlert> {
        let is_bad = match self.kind.as_deref()? {
            "down" | "reminder" | "flapping" => true,
            "recovered" => false,
            _ => return None,
        };
        let delivery = match self.state.as_str() {
            "sent" if self.reason == Some(Text::from(i18n::delivery::PAIR_OVER).in_lang(Lang::En)) => {
                return None;
            }
            "sent" => PeerDelivery::Told,
            "failed" => PeerDelivery::Failed,
            _ => PeerDelivery::Pending,
        };
        let made = self.made()?;
        let monitors = match self.monitors {
            Some(monitors) if !monitors.is_empty() => monitors,
            _ => vec![self.monitor?],
        };
        Some(PeerAlert { notifier: self.notifier, monitors, is_bad, made, delivery })
    }
}

/// What the rows say. One that some recipients are still to hear by themselves counts as one that waits.
fn alerts(rows: Vec<PeerRow>) -> Vec<PeerAlert> {
    let (parts, rows): (Vec<PeerRow>, Vec<PeerRow>) =
        rows.into_iter().partition(|row| row.recipient.is_some());
    let waiting: BTreeSet<String> = parts
        .into_iter()
        .filter(|part| part.state == "pending")
        .filter_map(|part| Some(whole(&part.key?).to_string()))
        .collect();
    let alert = |row: PeerRow| {
        let is_waiting = row.key.as_ref().is_some_and(|key| waiting.contains(key));
        let mut alert = row.alert()?;
        if is_waiting && alert.delivery == PeerDelivery::Told {
            alert.delivery = PeerDelivery::Pending;
        }
        Some(alert)
    };
    rows.into_iter().filter_map(alert).collect()
}

async fn page(
    settings: &PeerSettings,
    connection: &mut HttpClientConnection,
    limit: usize,
    after: Option<&str>,
) -> Result<PeerPage, PageError> {
    let lost = |error: &dyn fmt::Display| PageError::Lost(Text::foreign(error.to_string()));
    let mut path = format!("{}/api/v1/alerts?limit={limit}", settings.url.path);
    if let Some(after) = after {
        path += &format!("&after={}", utf8_percent_encode(after, NON_ALPHANUMERIC));
    }
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = path.parse().map_err(|error| lost(&error))?;
    let host = authority(&settings.url.host, settings.url.port);
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(&host).map_err(|error| lost(&error))?);
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("heartbeat-server/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(token) = &settings.token {
        let shown = [b"Bearer ", token.reveal()].concat();
        let mut value = HeaderValue::from_bytes(&shown).map_err(|error| lost(&error))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let answer = connection.send(request).await.map_err(|error| lost(&error))?;
    let status = answer.status();
    match status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
            return Err(PageError::Refused(i18n::delivery::pair_refused(&settings.url, &status)));
        }
        // It cannot look, so it cannot tell either.
        status if status.is_server_error() => return Err(lost(&status)),
        status => return Err(PageError::Lost(i18n::delivery::pair_foreign(&status))),
    }
    let body = match Limited::new(answer.into_body(), PAGE_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(PageError::Refused(i18n::delivery::pair_too_long(&settings.url)));
        }
        Err(error) => return Err(lost(&error)),
    };
    serde_json::from_slice(&body).map_err(|_| PageError::Lost(i18n::delivery::pair_foreign(&status)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn the_other_server_is_where_its_url_says() {
        for (text, full) in [
            ("http://a", "http://a:7777"),
            ("https://a/x/", "https://a:443/x"),
            ("http://[::1]:80", "http://[::1]:80"),
        ] {
            assert_eq!(text.parse::<PeerUrl>().map(|url| url.to_string()).as_deref(), Ok(full), "{text}");
        }
        for text in ["a", "a:7777", "tcp://a", "http://u:p@a", "http://a/?x", "http://"] {
            assert!(text.parse::<PeerUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_row_names_all_its_monitors_and_of_an_older_server_the_first() {
        let read = |more: &str| {
            let row = format!(
                r#"{{"notifier":"ops","state":"sent","kind":"down","monitor":"x","made":"1970-01-01T00:00:01.5Z"{more}}}"#
            );
            serde_json::from_str::<PeerRow>(&row).unwrap().alert().unwrap()
        };
        let (new, old) = (read(r#","monitors":["x","y"]"#), read(""));
        assert_eq!(
            (new.monitors, new.made, new.is_bad),
            (vec!["x".to_string(), "y".to_string()], Wall(1_500), true)
        );
        assert_eq!((old.monitors, old.delivery), (vec!["x".to_string()], PeerDelivery::Told));
    }

    #[test]
    fn a_row_that_does_not_fit_is_left_out_and_one_that_nobody_was_told_too() {
        let row = |key: &str, more: &str| {
            format!(
                r#"{{"key":"{key}","notifier":"ops","state":"sent","kind":"down","monitor":"x","made":"1970-01-01T00:00:01Z"{more}}}"#
            )
        };
        let all = [
            row("fits", r#","monitors":null,"reason":"told by server-a""#),
            row("over", r#","reason":"it was over before anybody had to be told""#),
            row("unlike", r#","monitors":7"#),
            "7".to_string(),
        ];
        let page: PeerPage =
            serde_json::from_str(&format!(r#"{{"alerts":[{}],"next":null}}"#, all.join(","))).unwrap();
        let rows = page.alerts.into_iter().filter_map(|row| serde_json::from_value(row).ok()).collect();
        let told = alerts(rows);
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].monitors.as_slice(), told[0].delivery),
            (["x".to_string()].as_slice(), PeerDelivery::Told)
        );
    }

    #[test]
    fn a_row_is_told_when_no_recipient_is_still_to_hear_it() {
        let read = |state: &str| {
            let row = |more: &str| {
                serde_json::from_str::<PeerRow>(&format!(
                    r#"{{"notifier":"ops","kind":"down","monitor":"x","made":"1970-01-01T00:00:01Z",{more}}}"#
                ))
                .unwrap()
            };
            let part = format!(r#""key":"a>b@example.org","recipient":"b@example.org","state":"{state}""#);
            let told = alerts(vec![row(&part), row(r#""key":"a","state":"sent""#)]);
            assert_eq!(told.len(), 1, "the whole");
            told[0].delivery
        };
        assert_eq!([read("pending"), read("sent")], [PeerDelivery::Pending, PeerDelivery::Told]);
    }

    /// What comes of asking a server that answers so.
    async fn asked(answer: String) -> PeerAnswer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = Vec::new();
            while !got.ends_with(b"\r\n\r\n") {
                got.push(stream.read_u8().await.unwrap());
            }
            // Who has seen enough may hang up.
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        let settings = PeerSettings { url, token: None, ca: None, every: Span::secs(5) };
        let answer = ask(&settings, &mut None, Wall(i64::MAX)).await;
        served.await.unwrap();
        answer
    }

    #[tokio::test]
    async fn only_what_answers_as_such_a_server_lives() {
        let with = |status: &str, body: &str| {
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        };
        for status in ["401 Unauthorized", "403 Forbidden", "429 Too Many Requests"] {
            let answer = asked(with(status, "")).await;
            assert!(matches!(answer, PeerAnswer::Refused(..)), "{status}: {answer:?}");
        }
        let foreign =
            ["301 Moved Permanently", "404 Not Found", "204 No Content", "502 Bad Gateway", "200 OK"];
        for status in foreign {
            let PeerAnswer::Missed(why) = asked(with(status, "<html>Welcome to nginx!</html>")).await else {
                panic!("{status} counts as alive");
            };
            let why = why.in_lang(Lang::En);
            assert!(why.contains(status), "{why}");
        }
        let answer = asked(with("200 OK", r#"{"alerts":[7],"next":null}"#)).await;
        assert!(matches!(answer, PeerAnswer::Alerts { covers: Wall(i64::MIN), .. }), "{answer:?}");
        let long = with("200 OK", &" ".repeat(PAGE_BYTES_MAX + 1));
        let answer = asked(long).await;
        assert!(matches!(answer, PeerAnswer::Refused(..)), "{answer:?}");
    }
}
