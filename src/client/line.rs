//! The line dialect of raw TCP from the client's side: `BEAT …` goes, `OK 60` or `ERR reason` comes.
//!
//! Some servers speak first and say `ping`, four bytes without an end, and want `pong`. Where nothing else was agreed on
//! that is noticed by the first bytes that come, see [`Heard::Ping`].

use super::dial::{Dialer, said};
use super::failure::{EX_NOPERM, Failure};
use super::http::{no_answer, not_ours, silent};
use super::pipe::Pipe;
use super::target::Target;
use crate::domain::access::Token;
use crate::domain::time::Span;
use std::time::Duration;
use tokio::time::timeout;

/// Longest line of an answer.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// A connection.
#[derive(Debug)]
pub struct Lines {
    /// Its bytes.
    pub pipe: Pipe,
    /// Whether a `ping` would be understood: nothing else has been heard yet, and nothing else was agreed on.
    may_ping: bool,
    target: Target,
}

/// What has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The beat was taken; the interval that is wanted, if that was said, and what of it was not taken.
    Ok(Option<Span>, String),
    /// It was not, and why.
    Err(String),
    /// `ping`: this server speaks another dialect.
    Ping,
}

impl Lines {
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
    ) -> Result<Lines, Failure> {
        let pipe = Pipe::new(dialer.dial(within).await?);
        let target = dialer.target().clone();
        let mut lines = Lines { pipe, may_ping, target };
        if let Some(token) = token {
            // It is made of visible ASCII.
            let shown = format!("AUTH {}\n", String::from_utf8_lossy(token.reveal()));
            let answer = async {
                lines.say(&shown).await?;
                lines.hear().await
            };
            match timeout(within, answer).await {
                Ok(Ok(Heard::Ok(..))) => {}
                Ok(Ok(Heard::Err(reason))) => return Err(refused(&lines.target, &reason)),
                Ok(Ok(Heard::Ping)) => return Err(not_ours(&lines.target, "it says ping", "它说 ping")),
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
    pub async fn say(&mut self, lines: &str) -> Result<(), Failure> {
        self.pipe.out.extend_from_slice(lines.as_bytes());
        self.pipe.flush().await.map_err(|e| no_answer(&self.target, &said(&e)))
    }

    /// The next answer.
    ///
    /// # Errors
    /// When the connection is over, or what comes is none.
    pub async fn hear(&mut self) -> Result<Heard, Failure> {
        loop {
            match next(&self.pipe.input, self.may_ping) {
                Next::Heard(heard, used) => {
                    self.pipe.take(used);
                    self.may_ping = false;
                    return Ok(heard);
                }
                Next::Skip(used) => _ = self.pipe.take(used),
                Next::Wrong(en, zh) => return Err(not_ours(&self.target, &en, &zh)),
                Next::More => self.pipe.more().await.map_err(|e| no_answer(&self.target, &said(&e)))?,
            }
        }
    }
}

fn refused(target: &Target, reason: &str) -> Failure {
    let (en, zh) = (format!("{target} refuses: {reason}"), format!("{target} 拒绝：{reason}"));
    Failure::new(EX_NOPERM, en, zh)
}

/// What can be made of the input, and how much of it that was.
#[derive(Debug, PartialEq)]
enum Next {
    Heard(Heard, usize),
    Skip(usize),
    Wrong(String, String),
    More,
}

fn next(input: &[u8], may_ping: bool) -> Next {
    const PING: &[u8] = b"ping";
    if may_ping && input.starts_with(PING) {
        return Next::Heard(Heard::Ping, PING.len());
    }
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
        if input.len() > LINE_BYTES_MAX {
            return Next::Wrong("a line does not end".into(), "行过长".into());
        }
        return Next::More;
    };
    let line = String::from_utf8_lossy(&input[..end]);
    let line = line.trim();
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "OK" => {
            let (seconds, warnings) = rest.split_once(' ').unwrap_or((rest, ""));
            let interval = seconds.parse::<f64>().ok().and_then(Span::from_secs_f64);
            Next::Heard(Heard::Ok(interval, warnings.trim().to_string()), end + 1)
        }
        "ERR" => Next::Heard(Heard::Err(rest.to_string()), end + 1),
        "" | "PONG" => Next::Skip(end + 1),
        _ => {
            let mut shown: String = line.chars().take(40).collect();
            shown += if line.chars().nth(40).is_some() { "…" } else { "" };
            Next::Wrong(format!("it says {shown:?}"), format!("它说 {shown:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let ok =
            |seconds: Option<u64>, used| Next::Heard(Heard::Ok(seconds.map(Span::secs), String::new()), used);
        let cut = Heard::Ok(Some(Span::secs(60)), "message cut, tags left out".into());
        assert_eq!(next(b"OK 60 message cut, tags left out\n", false), Next::Heard(cut, 33));
        assert_eq!(next(b"OK 60\nOK", false), ok(Some(60), 6));
        assert_eq!(next(b"OK 60\r\n", false), ok(Some(60), 7));
        assert_eq!(next(b"OK\n", false), ok(None, 3));
        assert_eq!(next(b"ERR no such field\n", false), Next::Heard(Heard::Err("no such field".into()), 18));
        assert_eq!(next(b"PONG\n", false), Next::Skip(5));
        assert_eq!(next(b"", true), Next::More);
        assert!(matches!(next(b"HTTP/1.1 400 Bad Request\r\n", true), Next::Wrong(..)));
        assert!(matches!(next(&[b'x'; LINE_BYTES_MAX + 1], false), Next::Wrong(..)));
    }

    #[test]
    fn a_ping_is_heard_only_where_it_can_be_meant_and_however_it_is_cut() {
        assert_eq!(next(b"ping", true), Next::Heard(Heard::Ping, 4));
        assert_eq!(next(b"pingping", true), Next::Heard(Heard::Ping, 4));
        for cut in 0..4 {
            assert_eq!(next(&b"ping"[..cut], true), Next::More);
        }
        assert_eq!(next(b"ping", false), Next::More);
    }
}
