//! The line dialect: one line is one command, and each is answered with one line.
//!
//! `PING` · `HEARTBEAT|ping` · `HEARTBEAT|pong` · `BEAT ID [seq=N] [interval=30s] [grace=30s] [status=fail] [rid=RUN]
//! [tags=A,B] [message=the rest of the line]` · `AUTH TOKEN` · `QUIT`. Commands are case-sensitive; a line may end in
//! `\r\n`. What is wrong is answered with `ERR` and a reason, and the connection stays. A beat of which something was cut or
//! left out is answered with `OK`, the interval, and what that was: `OK 60 message cut`.

use crate::domain::beat::Warnings;
use crate::domain::limits::{LINE_FIELDS_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGE_HEAD_BYTES};
use crate::domain::message::{MARK_BYTES_MAX, mark};
use crate::domain::time::Span;
use crate::wire::fields::{BeatError, Fields};
use std::borrow::Cow;
use std::io::Write;

/// A line, read.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // looked at once where it was made
pub enum LineCommand<'a> {
    /// `PING`.
    Ping,
    /// `HEARTBEAT|ping`.
    HeartbeatPing,
    /// `HEARTBEAT|pong`: a sign of life that wants no answer.
    HeartbeatPong,
    /// `BEAT`, with its fields not yet judged.
    Beat(Fields<'a>),
    /// `AUTH`: shows a token.
    Auth(&'a str),
    /// `QUIT`.
    Quit,
}

/// What is said on a raw TCP connection, in whichever dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineReply {
    /// Nothing: this dialect has no answers.
    Nothing,
    /// `PONG` without a line end, to a `PING` without one.
    BarePong,
    /// `hello client`, our word for the packet with which each packet is answered.
    Hello,
    /// `PONG`.
    Pong,
    /// `HEARTBEAT|pong`.
    HeartbeatPong,
    /// `OK`, with the interval that is wanted of the sender of a beat, and what of it was not taken.
    Ok(Option<Span>, Warnings),
    /// `ERR` and the reason.
    Error(Cow<'static, str>),
}

const FORMS: &str = "not a command: write PING, HEARTBEAT|ping, BEAT ID, AUTH TOKEN or QUIT";
const BEAT_FORM: &str =
    "write BEAT ID [seq=N] [interval=30s] [grace=30s] [status=STATUS] [rid=RUN] [tags=A,B] [message=TEXT]";
const MESSAGE: &str = "message=";

/// Reads a line without its end; `None`: it is blank.
pub fn parse(line: &str) -> Result<Option<LineCommand<'_>>, Cow<'static, str>> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let command = match line {
        "PING" => LineCommand::Ping,
        "HEARTBEAT|ping" => LineCommand::HeartbeatPing,
        "HEARTBEAT|pong" => LineCommand::HeartbeatPong,
        "QUIT" => LineCommand::Quit,
        _ => match (line.strip_prefix("BEAT "), line.strip_prefix("AUTH ")) {
            (Some(rest), _) => LineCommand::Beat(fields(rest)?),
            (_, Some(token)) => LineCommand::Auth(token.trim_ascii()),
            _ if line == "BEAT" => return Err(Cow::Borrowed(BEAT_FORM)),
            _ => return Err(Cow::Borrowed(FORMS)),
        },
    };
    Ok(Some(command))
}

/// What stands behind `BEAT`.
fn fields(text: &str) -> Result<Fields<'_>, Cow<'static, str>> {
    let mut fields = Fields::default();
    let (id, mut rest) = word(text);
    if id.is_empty() {
        return Err(Cow::Borrowed(BEAT_FORM));
    }
    fields.put("id", id);
    loop {
        rest = rest.trim_start_matches(' ');
        if let Some(message) = rest.strip_prefix(MESSAGE) {
            fields.put("message", message);
            return Ok(fields);
        }
        let (pair, behind) = word(rest);
        if pair.is_empty() {
            return Ok(fields);
        }
        match pair.split_once('=') {
            Some((name, value)) if name != "id" && fields.put(name, value) => {}
            _ => return Err(Cow::Borrowed(BEAT_FORM)),
        }
        rest = behind;
    }
}

/// The first word, and what stands behind it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(' ');
    text.split_once(' ').unwrap_or((text, ""))
}

/// A line of which the middle was dropped while it came: what is left, without its end, and where that middle was.
#[derive(Clone, Copy, Debug)]
pub struct Dropped {
    /// Bytes before it.
    pub at: usize,
    /// Bytes of it.
    pub bytes: usize,
}

/// How much of the beginning of a line is kept that is too long: its fields and the beginning of its message. `None` where it
/// is no beat with a message that would make it so long.
pub fn kept_head(line: &[u8]) -> Option<usize> {
    let mark = [b" ", MESSAGE.as_bytes()].concat();
    let fields = line.get(..LINE_FIELDS_BYTES_MAX).filter(|fields| fields.starts_with(b"BEAT "))?;
    let message = fields.windows(mark.len()).position(|part| *part == mark)? + mark.len();
    Some(message + MESSAGE_HEAD_BYTES).filter(|head| *head <= line.len())
}

/// How much of its end is kept.
pub const KEPT_TAIL: usize = MESSAGE_BYTES_MAX - MESSAGE_HEAD_BYTES - MARK_BYTES_MAX;

/// The line as it is read, with a mark in the place of what was dropped; a character that was cut in two goes with that.
pub fn joined(line: &[u8], dropped: Dropped) -> Vec<u8> {
    let (head, tail) = line.split_at(dropped.at.min(line.len()));
    let end = match std::str::from_utf8(head) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => head.len(),
    };
    let begin = tail.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    let bytes = dropped.bytes + head.len() - end + begin;
    [&head[..end], mark(bytes).as_bytes(), &tail[begin..]].concat()
}

/// Why a beat is none, as it stands behind `ERR`.
pub fn reason(error: &BeatError) -> Cow<'static, str> {
    match error.field {
        Some(field) => Cow::Owned(format!("{field} {}", error.reason)),
        None => error.reason.clone(),
    }
}

impl LineReply {
    /// What becomes of it when the beat that it acknowledges cannot be kept and so is refused.
    pub fn not_stored(&mut self) {
        *self = match self {
            LineReply::Nothing | LineReply::BarePong | LineReply::Hello => LineReply::Nothing,
            _ => LineReply::Error(Cow::Borrowed(
                "not stored: the beat cannot be kept just now, see the server's log",
            )),
        };
    }

    /// Appends its bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            LineReply::Nothing => {}
            LineReply::BarePong => out.extend_from_slice(b"PONG"),
            LineReply::Hello => out.extend_from_slice(b"hello client"),
            LineReply::Pong => out.extend_from_slice(b"PONG\n"),
            LineReply::HeartbeatPong => out.extend_from_slice(b"HEARTBEAT|pong\n"),
            LineReply::Ok(None, _) => out.extend_from_slice(b"OK\n"),
            // Writing to a Vec cannot fail.
            LineReply::Ok(Some(interval), warnings) => {
                drop(write!(out, "OK {}", interval.as_secs_ceil()));
                for (n, warning) in warnings.iter().enumerate() {
                    let separator = if n == 0 { "" } else { "," };
                    drop(write!(out, "{separator} {}", warning.word()));
                }
                out.push(b'\n');
            }
            LineReply::Error(reason) => drop(writeln!(out, "ERR {reason}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::beat::Status;

    fn beat(line: &str) -> String {
        match parse(line) {
            Ok(Some(LineCommand::Beat(mut fields))) => match fields.beat() {
                Ok(beat) => {
                    let Status::Ok = beat.status else { return format!("{:?} {:?}", beat.id, beat.status) };
                    format!("{:?} {:?} {:?} {:?}", beat.seq, beat.interval, beat.grace, beat.message)
                }
                Err(error) => reason(&error).into_owned(),
            },
            Ok(other) => format!("{other:?}"),
            Err(reason) => reason.into_owned(),
        }
    }

    #[test]
    fn the_commands_are_what_they_are_written_like() {
        assert!(matches!(parse("PING"), Ok(Some(LineCommand::Ping))));
        assert!(matches!(parse("HEARTBEAT|ping"), Ok(Some(LineCommand::HeartbeatPing))));
        assert!(matches!(parse("HEARTBEAT|pong"), Ok(Some(LineCommand::HeartbeatPong))));
        assert!(matches!(parse("QUIT"), Ok(Some(LineCommand::Quit))));
        assert!(matches!(
            parse("AUTH secret-secret-secret"),
            Ok(Some(LineCommand::Auth("secret-secret-secret")))
        ));
        assert!(matches!(parse(""), Ok(None)));
        assert!(matches!(parse("  \t"), Ok(None)));
        for wrong in ["ping", "PING x", "BEATS web", "HEARTBEAT|", "GET / HTTP/1.1", "quit"] {
            assert_eq!(parse(wrong).unwrap_err(), FORMS, "{wrong}");
        }
    }

    #[test]
    fn a_beat_has_the_fields_and_the_rules_of_json() {
        assert_eq!(beat("BEAT web-1"), "None None None None");
        assert_eq!(
            beat("BEAT web-1  seq=7 interval=90s grace=5 message=all  is = well"),
            "Some(7) Some(Span(90000)) Some(Span(5000)) Some(\"all  is = well\")"
        );
        assert_eq!(beat("BEAT job status=3"), "Some(IdRef(\"job\")) Exit(3)");
        assert_eq!(beat("BEAT job status=-1073741510"), "Some(IdRef(\"job\")) Exit(-1073741510)");
        assert_eq!(beat("BEAT job status=137 signal=9"), "Some(IdRef(\"job\")) Signal(9)");
        assert_eq!(beat("BEAT job status=fail"), "Some(IdRef(\"job\")) Fail");
        for (wrong, said) in [
            ("BEAT a//b", "id must not begin or end with /"),
            ("BEAT a?b", "id must be letters"),
            ("BEAT a interval=0", "interval must be from 1s to 366d"),
            ("BEAT a status=great", "status must be ok"),
            ("BEAT", "write BEAT ID"),
            ("BEAT   ", "write BEAT ID"),
            ("BEAT a colour=red", "write BEAT ID"),
            ("BEAT a id=b", "write BEAT ID"),
            ("BEAT a red", "write BEAT ID"),
        ] {
            assert!(beat(wrong).starts_with(said), "{wrong}: {}", beat(wrong));
        }
    }

    #[test]
    fn what_decorates_a_beat_cannot_make_it_none() {
        let long = format!("BEAT a message={}", "x".repeat(10_001));
        for (line, words) in [
            ("BEAT a seq=-1", "OK 60 seq left out\n"),
            ("BEAT a seq=", "OK 60 seq left out\n"),
            ("BEAT a ts=noon rid=", "OK 60 ts left out, rid left out\n"),
            ("BEAT a tags=x,y", "OK 60\n"),
            ("BEAT a tags=x,,y", "OK 60 tags cut\n"),
            (&long, "OK 60 message cut\n"),
        ] {
            let Ok(Some(LineCommand::Beat(mut fields))) = parse(line) else { panic!("{line}") };
            let warnings = fields.beat().unwrap().warnings;
            let mut out = Vec::new();
            LineReply::Ok(Some(Span::secs(60)), warnings).write(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), words, "{line:.40}");
        }
        let Ok(Some(LineCommand::Beat(mut fields))) = parse("BEAT a tags=x,y") else { panic!() };
        assert_eq!(fields.beat().unwrap().tags.unwrap(), ["x", "y"]);
    }

    #[test]
    fn replies_are_bytes() {
        let text = |reply: LineReply| {
            let mut out = Vec::new();
            reply.write(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(LineReply::Ok(Some(Span(1_500)), Warnings::NONE)), "OK 2\n");
        assert_eq!(text(LineReply::Ok(None, Warnings::NONE)), "OK\n");
        assert_eq!(text(LineReply::Pong), "PONG\n");
        assert_eq!(text(LineReply::BarePong), "PONG");
        assert_eq!(text(LineReply::HeartbeatPong), "HEARTBEAT|pong\n");
        assert_eq!(text(LineReply::Error("no".into())), "ERR no\n");
        let mut reply = LineReply::Pong;
        reply.not_stored();
        assert!(text(reply).starts_with("ERR not stored"));
        let mut reply = LineReply::Hello;
        reply.not_stored();
        assert_eq!(text(reply), "");
    }
}
