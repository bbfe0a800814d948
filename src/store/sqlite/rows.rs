//! A record as a row of the table `monitors`, there and back.

use super::details::OwnedDetails;
use super::{int, number};
use crate::domain::address::Peer;
use crate::domain::beat::{Exit, Source, Status, Transport};
use crate::domain::id::IdRef;
use crate::domain::notice::State;
use crate::domain::record::{Cause, Change, OpenIncident, Reason, Record, Sequence};
use crate::domain::time::{Span, Wall};
use rusqlite::types::{Null, ValueRef};
use rusqlite::{Row, Statement};
use std::fmt::Write;

/// The columns of a record, in the order in which they are bound and read.
pub(super) const COLUMNS: [&str; 29] = [
    "number",
    "id",
    "version",
    "at_ms",
    "state",
    "beneath",
    "since_ms",
    "last_beat_ms",
    "beats",
    "status",
    "exit_code",
    "address",
    "transport",
    "sequence",
    "sequence_window",
    "gaps",
    "repeats",
    "interval_ms",
    "grace_ms",
    "incident_beats",
    "incident_started_ms",
    "incident_cause",
    "details",
    "details_version",
    "asked_ms",
    "signal",
    "incident_exit_code",
    "incident_signal",
    "incident_run_ms",
];

/// Binds a record to the first parameters of a statement, one for each of [`COLUMNS`].
pub(super) fn bind(
    statement: &mut Statement<'_>,
    record: &Record<'_>,
    text: &mut String,
) -> Result<(), rusqlite::Error> {
    let beneath = (record.beneath != record.state).then(|| record.beneath.name());
    text.clear();
    // Writing into a String does not fail.
    let _ = write!(text, "{}", record.source.peer);
    let sequence = record.sequence;
    let incident = record.incident;
    let details = record.details.as_ref().and_then(details_text);
    statement.raw_bind_parameter(1, int(record.number))?;
    statement.raw_bind_parameter(2, record.id.as_str())?;
    statement.raw_bind_parameter(3, int(record.version))?;
    statement.raw_bind_parameter(4, record.at.0)?;
    statement.raw_bind_parameter(5, record.state.name())?;
    statement.raw_bind_parameter(6, beneath)?;
    statement.raw_bind_parameter(7, record.since.0)?;
    statement.raw_bind_parameter(8, record.last_beat.map(|wall| wall.0))?;
    statement.raw_bind_parameter(9, int(record.beats))?;
    statement.raw_bind_parameter(10, record.status.name())?;
    statement.raw_bind_parameter(11, record.status.exit_code())?;
    statement.raw_bind_parameter(12, text.as_str())?;
    statement.raw_bind_parameter(13, record.source.transport.name())?;
    match sequence.map(|sequence| (i64::try_from(sequence.last), sequence.last)) {
        None => statement.raw_bind_parameter(14, Null)?,
        Some((Ok(last), _)) => statement.raw_bind_parameter(14, last)?,
        Some((Err(_), last)) => statement.raw_bind_parameter(14, last.to_string())?,
    }
    statement.raw_bind_parameter(15, sequence.map(|sequence| sequence.window))?;
    statement.raw_bind_parameter(16, sequence.map(|sequence| sequence.gaps))?;
    statement.raw_bind_parameter(17, sequence.map(|sequence| sequence.repeats))?;
    statement.raw_bind_parameter(18, int(record.interval.0))?;
    statement.raw_bind_parameter(19, int(record.grace.0))?;
    statement.raw_bind_parameter(20, incident.map(|incident| int(incident.beats)))?;
    statement.raw_bind_parameter(21, incident.map(|incident| incident.started.0))?;
    let reason = incident.map(|incident| incident.reason);
    statement.raw_bind_parameter(22, reason.map(|reason| reason.cause.name()))?;
    statement.raw_bind_parameter(23, details)?;
    statement.raw_bind_parameter(24, record.details.as_ref().map(|_| int(record.version)))?;
    statement.raw_bind_parameter(25, record.asked.map(|asked| int(asked.0)))?;
    statement.raw_bind_parameter(26, record.status.signal())?;
    let exit = reason.and_then(|reason| reason.exit);
    statement.raw_bind_parameter(27, exit.and_then(Exit::code))?;
    statement.raw_bind_parameter(28, exit.and_then(Exit::signal))?;
    statement.raw_bind_parameter(29, reason.and_then(|reason| reason.run_started).map(|wall| wall.0))
}

/// Reads a record from a row that begins with [`COLUMNS`], and hands it on; a reason where it cannot be one. A person
/// may have edited it. Where the details are those of an earlier version they are handed on first, by themselves.
pub(super) fn read(row: &Row<'_>, mut hand: impl FnMut(&Record<'_>)) -> Result<(), String> {
    let id = IdRef::new(text(row, 1)?).map_err(|error| format!("id: {error}"))?;
    let state = state(row, 4)?.ok_or("state: missing")?;
    let status = match (text(row, 9)?, exit(row, 10, 25)?) {
        (_, Some(Exit::Code(code))) => Status::Exit(code),
        (_, Some(Exit::Signal(number))) => Status::Signal(number),
        ("ok", None) => Status::Ok,
        ("fail", None) => Status::Fail,
        ("start", None) => Status::Start,
        ("log", None) => Status::Log,
        (other, None) => return Err(format!("status: {other:?} is none")),
    };
    let transport = text(row, 12)?;
    let transport =
        Transport::ALL.iter().find(|known| known.name() == transport).ok_or("transport: not known")?;
    let incident = match whole(row, 19)? {
        None => None,
        Some(beats) => Some(OpenIncident {
            beats: number(beats),
            started: Wall(whole(row, 20)?.ok_or("incident_started_ms: missing")?),
            reason: Reason {
                cause: cause(text(row, 21)?).ok_or("incident_cause: not known")?,
                exit: exit(row, 26, 27)?,
                run_started: whole(row, 28)?.map(Wall),
            },
        }),
    };
    let details: Option<OwnedDetails> = match optional_text(row, 22)? {
        None => None,
        Some(json) => Some(serde_json::from_str(json).map_err(|error| format!("details: {error}"))?),
    };
    let must = |column: usize| -> Result<i64, String> {
        let name = COLUMNS.get(column).copied().unwrap_or_default();
        whole(row, column)?.ok_or_else(|| format!("{name}: missing"))
    };
    let mut record = Record {
        id,
        number: number(must(0)?),
        version: number(must(2)?),
        at: Wall(must(3)?),
        change: Change::None,
        state,
        beneath: self::state(row, 5)?.unwrap_or(state),
        since: Wall(must(6)?),
        last_beat: whole(row, 7)?.map(Wall),
        beats: number(must(8)?),
        status,
        source: Source { peer: peer(text(row, 11)?)?, transport: *transport },
        sequence: sequence(row)?,
        interval: Span(number(must(17)?)),
        grace: Span(number(must(18)?)),
        asked: whole(row, 24)?.map(|asked| Span(number(asked))),
        incident,
        details: details.as_ref().map(OwnedDetails::borrow),
    };
    let version = record.version;
    if let Some(detailed) = whole(row, 23)?.map(number) {
        record.details.get_or_insert_default();
        if detailed < version {
            record.version = detailed;
            hand(&record);
            (record.version, record.details) = (version, None);
        }
    }
    hand(&record);
    Ok(())
}

/// The state of a name.
pub(super) fn state_of(name: &str) -> Option<State> {
    State::ALL.into_iter().find(|state| state.name() == name)
}

/// The cause of a name.
pub(super) fn cause(name: &str) -> Option<Cause> {
    Cause::ALL.into_iter().find(|cause| cause.name() == name)
}

/// Details as JSON; `None` where they say nothing.
pub(super) fn details_text(details: &crate::domain::record::Details<'_>) -> Option<String> {
    let owned = OwnedDetails::new(details);
    if owned == OwnedDetails::default() { None } else { serde_json::to_string(&owned).ok() }
}

fn column<'a>(row: &'a Row<'_>, column: usize) -> Result<ValueRef<'a>, String> {
    row.get_ref(column).map_err(|error| error.to_string())
}

fn wrong(column: usize, want: &str) -> String {
    format!("{}: not {want}", COLUMNS.get(column).copied().unwrap_or_default())
}

fn optional_text<'a>(row: &'a Row<'_>, at: usize) -> Result<Option<&'a str>, String> {
    match column(row, at)? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map(Some).map_err(|_| wrong(at, "UTF-8")),
        _ => Err(wrong(at, "a text")),
    }
}

fn text<'a>(row: &'a Row<'_>, at: usize) -> Result<&'a str, String> {
    optional_text(row, at)?.ok_or_else(|| wrong(at, "a text"))
}

fn whole(row: &Row<'_>, at: usize) -> Result<Option<i64>, String> {
    match column(row, at)? {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(int) => Ok(Some(int)),
        _ => Err(wrong(at, "a whole number")),
    }
}

fn state(row: &Row<'_>, at: usize) -> Result<Option<State>, String> {
    match optional_text(row, at)? {
        None => Ok(None),
        Some(name) => state_of(name).map(Some).ok_or_else(|| wrong(at, "a state")),
    }
}

/// An exit code or, in the other column, a signal.
fn exit(row: &Row<'_>, code: usize, signal: usize) -> Result<Option<Exit>, String> {
    match whole(row, signal)? {
        Some(number) => u8::try_from(number)
            .map(|number| Some(Exit::Signal(number)))
            .map_err(|_| wrong(signal, "from 0 to 255")),
        None => Ok(whole(row, code)?.map(Exit::Code)),
    }
}

fn peer(text: &str) -> Result<Peer, String> {
    match text {
        "unix" => Ok(Peer::Unix),
        _ => text.parse().map(Peer::from_ip).map_err(|_| "address: not an address".to_string()),
    }
}

fn sequence(row: &Row<'_>) -> Result<Option<Sequence>, String> {
    let last = match column(row, 13)? {
        ValueRef::Null => return Ok(None),
        ValueRef::Integer(last) => number(last),
        ValueRef::Text(_) => text(row, 13)?.parse().map_err(|_| wrong(13, "a whole number"))?,
        _ => return Err(wrong(13, "a whole number")),
    };
    let part = |at: usize| -> Result<u32, String> {
        u32::try_from(whole(row, at)?.unwrap_or(0)).map_err(|_| wrong(at, "from 0 to 4294967295"))
    };
    Ok(Some(Sequence { last, window: part(14)?, gaps: part(15)?, repeats: part(16)? }))
}
