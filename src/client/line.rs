//! The line dialect of raw TCP from the client's side: `BEAT …` is sent, `OK 60` or `ERR reason` is answered.
//!
//! Some servers begin with `ping`, four bytes without a line end, and expect `pong`. The first bytes tell, see
//! [`LineAnswer::Ping`].

use super::buffered_stream::BufferedStream;
use super::dial::{Dialer, said};
use super::error::{ClientError, EX_NOPERM};
use super::http::{no_answer, not_ours, reason_text, silent};
use super::server_url::ServerUrl;
use crate::domain::access::Token;
use crate::domain::time::Span;
use crate::i18n::{self, Text};
use std::time::Duration;
use tokio::time::timeout;

/// Longest line of an answer.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// A connection.
#[derive(Debug)]
pub struct LineClient {
    /// Its buffers.
    pub pipe: BufferedStream,
    /// Whether `ping` is recognised: only as the first bytes, and only with `dialect = "auto"`.
    may_ping: bool,
    target: ServerUrl,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineAnswer {
    /// The beat is accepted; the interval that is asked for, if any, and warnings.
    Ok(Option<Span>, String),
    /// The beat is rejected, and why.
    Err(String),
    /// `ping`: the server speaks another dialect.
    Ping,
}

impl LineClient {
    /// Connects, and shows the token if there is one. `may_ping`: whether the server may turn out to be one that says
    /// `ping`.
    ///
    /// # Errors
    /// When there is no connection within the time, or the token is not accepted.
    pub async fn open(
        dialer: &Dialer,
        token: Option<&Token>,
        may_ping: bool,
        within: Duration,
    ) -> Result<LineClient, ClientError> {
        let pipe = BufferedStream::new(dialer.dial(within).await?);
        let target = dialer.target().clone();
        let mut lines = LineClient { pipe, may_ping, target };
        if let Some(token) = token {
            // It is made of visible ASCII.
            let shown = format!("AUTH {}\n", String::from_utf8_lossy(token.reveal()));
            let answer = async {
                lines.send(&shown).await?;
                lines.receive().await
            };
            match timeout(within, answer).await {
                Ok(Ok(LineAnswer::Ok(..))) => {}
                Ok(Ok(LineAnswer::Err(reason))) => return Err(refused(&lines.target, &reason)),
                Ok(Ok(LineAnswer::Ping)) => return Err(not_ours(&lines.target, i18n::client::SAYS_PING)),
                Ok(Err(failure)) => return Err(failure),
                Err(_) => return Err(silent(&lines.target, within)),
            }
        }
        Ok(lines)
    }

    /// Sends lines.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn send(&mut self, lines: &str) -> Result<(), ClientError> {
        self.pipe.out.extend_from_slice(lines.as_bytes());
        self.pipe.flush().await.map_err(|e| no_answer(&self.target, said(&e)))
    }

    /// The next answer.
    ///
    /// # Errors
    /// When the connection ends, or the bytes are no answer.
    pub async fn receive(&mut self) -> Result<LineAnswer, ClientError> {
        loop {
            match parse_answer(&self.pipe.input, self.may_ping) {
                LineParse::Heard(heard, used) => {
                    self.pipe.take_input(used);
                    self.may_ping = false;
                    return Ok(heard);
                }
                LineParse::Skip(used) => _ = self.pipe.take_input(used),
                LineParse::Wrong(why) => return Err(not_ours(&self.target, why)),
                LineParse::More => self.pipe.fill().await.map_err(|e| no_answer(&self.target, said(&e)))?,
            }
        }
    }
}

fn refused(target: &ServerUrl, reason: &str) -> ClientError {
    ClientError::new(EX_NOPERM, i18n::client::refuses(target, &reason_text(reason, None)))
}

/// The first answer in the input, and its length in bytes.
#[derive(Debug, PartialEq)]
enum LineParse {
    Heard(LineAnswer, usize),
    Skip(usize),
    Wrong(Text),
    More,
}

fn parse_answer(input: &[u8], may_ping: bool) -> LineParse {
    const PING: &[u8] = b"ping";
    if may_ping && input.starts_with(PING) {
        return LineParse::Heard(LineAnswer::Ping, PING.len());
    }
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
        if input.len() > LINE_BYTES_MAX {
            return LineParse::Wrong(i18n::client::LINE_DOES_NOT_END.into());
        }
        return LineParse::More;
    };
    let line = String::from_utf8_lossy(&input[..end]);
    let line = line.trim();
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "OK" => {
            let (seconds, warnings) = rest.split_once(' ').unwrap_or((rest, ""));
            let interval = seconds.parse::<f64>().ok().and_then(Span::from_secs_f64);
            LineParse::Heard(LineAnswer::Ok(interval, warnings.trim().to_string()), end + 1)
        }
        "ERR" => LineParse::Heard(LineAnswer::Err(rest.to_string()), end + 1),
        "" | "PONG" => LineParse::Skip(end + 1),
        _ => {
            let mut shown: String = line.chars().take(40).collect();
            shown += if line.chars().nth(40).is_some() { "…" } else { "" };
            LineParse::Wrong(i18n::client::says(&shown))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let ok = |seconds: Option<u64>, used| {
            LineParse::Heard(LineAnswer::Ok(seconds.map(Span::secs), String::new()), used)
        };
        let cut = LineAnswer::Ok(Some(Span::secs(60)), "message cut, tags left out".into());
        assert_eq!(parse_answer(b"OK 60 message cut, tags left out\n", false), LineParse::Heard(cut, 33));
        assert_eq!(parse_answer(b"OK 60\nOK", false), ok(Some(60), 6));
        assert_eq!(parse_answer(b"OK 60\r\n", false), ok(Some(60), 7));
        assert_eq!(parse_answer(b"OK\n", false), ok(None, 3));
        assert_eq!(
            parse_answer(b"ERR no such field\n", false),
            LineParse::Heard(LineAnswer::Err("no such field".into()), 18)
        );
        assert_eq!(parse_answer(b"PONG\n", false), LineParse::Skip(5));
        assert_eq!(parse_answer(b"", true), LineParse::More);
        assert!(matches!(parse_answer(b"HTTP/1.1 400 Bad Request\r\n", true), LineParse::Wrong(..)));
        assert!(matches!(parse_answer(&[b'x'; LINE_BYTES_MAX + 1], false), LineParse::Wrong(..)));
    }

    #[test]
    fn a_ping_is_heard_only_where_it_can_be_meant_and_however_it_is_cut() {
        assert_eq!(parse_answer(b"ping", true), LineParse::Heard(LineAnswer::Ping, 4));
        assert_eq!(parse_answer(b"pingping", true), LineParse::Heard(LineAnswer::Ping, 4));
        for cut in 0..4 {
            assert_eq!(parse_answer(&b"ping"[..cut], true), LineParse::More);
        }
        assert_eq!(parse_answer(b"ping", false), LineParse::More);
    }
}
