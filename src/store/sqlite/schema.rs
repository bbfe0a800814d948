//! What stands in `state.db`, and how an older file becomes one of today.
//!
//! The file is for people too: `sqlite3 state.db .schema` prints the statements below with their comments, since SQLite
//! keeps the text of a statement as it was given. Times are whole milliseconds since 1970 (`…_ms`), states are words, and
//! the views whose names end in `_utc` say the same with times that can be read. `PRAGMA user_version` counts the
//! migrations that were applied; a file with more of them than we know is left alone.

use super::error::damaged;
use super::error::sorted;
use crate::store::StoreError;
use rusqlite::Connection;
use std::path::Path;

/// Marks the file as ours (`PRAGMA application_id`): "HBST".
pub(super) const APPLICATION_ID: i32 = 0x4842_5354;

/// Each brings the file one version on. What is published is never changed, only added to.
const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3, VERSION_4];

const VERSION_1: &str = "
CREATE TABLE monitors (
    -- How each monitor stands; some seconds behind the journal, which is read again at a start.
    number INTEGER PRIMARY KEY,   -- given to this monitor and to no other, ever
    id TEXT NOT NULL UNIQUE,      -- its name
    created_ms INTEGER,           -- when it was made; NULL: not known
    version INTEGER NOT NULL,     -- counts what was recorded of it; of two statements the later holds
    at_ms INTEGER NOT NULL,       -- when this was recorded
    state TEXT NOT NULL,          -- new, up, late, down, paused
    beneath TEXT,                 -- the state under a pause; NULL: the same
    since_ms INTEGER NOT NULL,    -- since when it is in this state
    last_beat_ms INTEGER,         -- its last beat; NULL: never heard
    beats INTEGER NOT NULL,       -- beats received
    status TEXT NOT NULL,         -- what the last beat said: ok, fail, start, log
    exit_code INTEGER,            -- and its exit code, if it told one
    address TEXT NOT NULL,        -- where the last beat came from: an address or unix
    transport TEXT NOT NULL,      -- and how: http, tcp, ws
    sequence,                     -- its own counter; a text from 2^63 on; NULL: it sends none
    sequence_window INTEGER,      -- which of the 32 numbers below have come: bit 0 is the one before
    gaps INTEGER,                 -- numbers that never came
    repeats INTEGER,              -- numbers that came again
    interval_ms INTEGER NOT NULL, -- time between two beats
    grace_ms INTEGER NOT NULL,    -- time after that before it is down
    incident_beats INTEGER,       -- the incident that is open: incidents.beats
    incident_started_ms INTEGER,  -- when it began
    incident_cause TEXT,          -- silence or fail
    details TEXT,                 -- JSON of what seldom changes: message, tags, runs, pause, ...
    details_version INTEGER       -- the version whose statement they are; NULL: none had any
);

CREATE TABLE changes (
    -- Each change of a monitor's state.
    number INTEGER NOT NULL,      -- monitors.number; kept when the monitor is removed
    version INTEGER NOT NULL,     -- the version of the monitor that the change made
    at_ms INTEGER NOT NULL,       -- when
    from_state TEXT,              -- the state before; NULL: the monitor was made
    to_state TEXT NOT NULL,       -- the state after
    PRIMARY KEY (number, version)
) WITHOUT ROWID;
CREATE INDEX changes_by_time ON changes (at_ms);

CREATE TABLE incidents (
    -- Each time a monitor was down.
    number INTEGER NOT NULL,      -- monitors.number; kept when the monitor is removed
    beats INTEGER NOT NULL,       -- how many beats it had sent
    id TEXT NOT NULL AS (number || '-' || beats), -- the name of the incident
    monitor TEXT NOT NULL,        -- the monitor's name
    cause TEXT NOT NULL,          -- silence or fail
    started_ms INTEGER NOT NULL,  -- when it began
    ended_ms INTEGER,             -- when it ended; NULL: it has not
    acknowledged INTEGER NOT NULL DEFAULT 0, -- 1: a person has said that they know
    version INTEGER NOT NULL,     -- the version of the monitor that last began or ended it
    PRIMARY KEY (number, beats)
) WITHOUT ROWID;
CREATE INDEX incidents_by_start ON incidents (started_ms);
CREATE INDEX incidents_by_monitor ON incidents (monitor, started_ms);
CREATE INDEX incidents_by_end ON incidents (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE INDEX incidents_open ON incidents (number) WHERE ended_ms IS NULL;
CREATE INDEX incidents_open_by_start ON incidents (started_ms) WHERE ended_ms IS NULL;

CREATE TABLE outbox (
    -- What is to be told to somebody, and what was.
    key TEXT PRIMARY KEY,         -- its name: what is put twice is told once
    due_ms INTEGER NOT NULL,      -- when it may be tried next
    tries INTEGER NOT NULL,       -- how often it was tried
    done INTEGER NOT NULL DEFAULT 0, -- 1: it was told
    payload BLOB NOT NULL         -- what to say, to whom
) WITHOUT ROWID;
CREATE INDEX outbox_pending ON outbox (due_ms) WHERE done = 0;
CREATE INDEX outbox_done ON outbox (due_ms) WHERE done = 1;

CREATE TABLE removed (
    -- Monitors removed lately, so that nothing older brings them back.
    number INTEGER PRIMARY KEY,
    round INTEGER NOT NULL        -- snapshots finished by then
);

CREATE TABLE meta (
    -- snapshot, transited: places in the journal, segment:offset; rounds: snapshots finished; epoch: starts;
    -- last_number: the greatest monitors.number ever given.
    key TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;

CREATE VIEW monitors_utc AS
    SELECT id, state, datetime(since_ms / 1000, 'unixepoch') AS since,
        datetime(last_beat_ms / 1000, 'unixepoch') AS last_beat, beats, status, address, transport,
        interval_ms / 1000.0 AS interval_s, grace_ms / 1000.0 AS grace_s,
        datetime(created_ms / 1000, 'unixepoch') AS created, number
    FROM monitors;
CREATE VIEW incidents_utc AS
    SELECT id, monitor, cause, datetime(started_ms / 1000, 'unixepoch') AS started,
        datetime(ended_ms / 1000, 'unixepoch') AS ended, (ended_ms - started_ms) / 1000.0 AS duration_s, acknowledged
    FROM incidents ORDER BY started_ms DESC;
CREATE VIEW changes_utc AS
    SELECT datetime(changes.at_ms / 1000, 'unixepoch') AS at, monitors.id AS monitor, from_state, to_state, changes.number
    FROM changes LEFT JOIN monitors USING (number) ORDER BY changes.at_ms DESC;
";

const VERSION_2: &str = "
ALTER TABLE monitors ADD COLUMN
    asked_ms /* the longer interval that its sender was last asked for; NULL: it was not */ INTEGER;
";

/// The outbox was made in the first version for what came later; nothing was ever put into it.
const VERSION_3: &str = "
DROP TABLE outbox;
CREATE TABLE outbox (
    -- Alerts that are to be told, and those that were.
    place INTEGER PRIMARY KEY,    -- their order
    key TEXT NOT NULL UNIQUE,     -- its name: what is put twice is told once
    notifier TEXT NOT NULL,       -- whom to tell
    state TEXT NOT NULL,          -- pending, sent, failed
    made_ms INTEGER NOT NULL,     -- when it was made
    due_ms INTEGER NOT NULL,      -- when it may be tried next; when it was sent or has failed
    tries INTEGER NOT NULL,       -- how often it was tried
    reason TEXT,                  -- why it was not taken the last time
    message TEXT NOT NULL         -- JSON of what is told
);
CREATE INDEX outbox_pending ON outbox (notifier, place, due_ms, tries) WHERE state = 'pending';
CREATE INDEX outbox_done ON outbox (due_ms) WHERE state <> 'pending';
CREATE INDEX outbox_by_state ON outbox (state, place);

CREATE TABLE alerts (
    -- What was told of monitors that are down or lately were, and to whom.
    number INTEGER PRIMARY KEY,   -- monitors.number
    state TEXT NOT NULL           -- JSON
);

CREATE VIEW outbox_utc AS
    SELECT datetime(made_ms / 1000, 'unixepoch') AS made, notifier, state, tries, reason,
        datetime(due_ms / 1000, 'unixepoch') AS due, json_extract(message, '$.kind') AS kind,
        json_extract(message, '$.monitors[0].id') AS monitor, json_extract(message, '$.count') AS monitors, key
    FROM outbox ORDER BY place DESC;
";

/// What ended a run, what each recipient of a notifier has still to hear, and names of incidents that no other server
/// gives.
const VERSION_4: &str = "
ALTER TABLE monitors ADD COLUMN
    signal /* the signal that ended the run of which the last beat told; NULL: none */ INTEGER;
ALTER TABLE monitors ADD COLUMN
    incident_exit_code /* incidents.exit_code of the one that is open */ INTEGER;
ALTER TABLE monitors ADD COLUMN
    incident_signal /* incidents.signal of the one that is open */ INTEGER;
ALTER TABLE monitors ADD COLUMN
    incident_run_ms /* incidents.run_started_ms of the one that is open */ INTEGER;
ALTER TABLE incidents ADD COLUMN
    exit_code /* with the cause fail: the exit code of the run; NULL: none was told */ INTEGER;
ALTER TABLE incidents ADD COLUMN
    signal /* with the cause fail: the signal that ended the run; NULL: none was told */ INTEGER;
ALTER TABLE incidents ADD COLUMN
    run_started_ms /* with the cause run_too_long: when the run began */ INTEGER;
ALTER TABLE outbox ADD COLUMN
    recipient /* the one of the notifier's recipients whom it is for; NULL: all */ TEXT;
DROP INDEX outbox_pending;
CREATE INDEX outbox_pending ON outbox (notifier, recipient, place, due_ms, tries) WHERE state = 'pending';
DROP VIEW outbox_utc;
CREATE VIEW outbox_utc AS
    SELECT datetime(made_ms / 1000, 'unixepoch') AS made, notifier, recipient, state, tries, reason,
        datetime(due_ms / 1000, 'unixepoch') AS due, json_extract(message, '$.kind') AS kind,
        json_extract(message, '$.monitors[0].id') AS monitor, json_extract(message, '$.count') AS monitors, key
    FROM outbox ORDER BY place DESC;
DROP VIEW incidents_utc;
CREATE VIEW incidents_utc AS
    -- meta.instance is part of the name of all that began since meta.instance_since_ms.
    SELECT id || coalesce((SELECT '-' || value FROM meta WHERE key = 'instance' AND incidents.started_ms >=
            (SELECT value FROM meta WHERE key = 'instance_since_ms')), '') AS id,
        monitor, cause, datetime(started_ms / 1000, 'unixepoch') AS started,
        datetime(ended_ms / 1000, 'unixepoch') AS ended, (ended_ms - started_ms) / 1000.0 AS duration_s, acknowledged,
        exit_code, signal
    FROM incidents ORDER BY started_ms DESC;
";

/// Where `meta` has the version once more: a bit that flips in `PRAGMA user_version` must not pass for a later version.
const SCHEMA: &str = "schema";

/// The version of a file that has had all of [`MIGRATIONS`].
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Looks whether a file is ours and which version it has; 0: it is empty.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let pragma = |name: &str| -> Result<i64, rusqlite::Error> {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
    };
    let read = || -> Result<(i64, i64, i64), rusqlite::Error> {
        let objects = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
        Ok((pragma("user_version")?, pragma("application_id")?, objects))
    };
    let (version, application, objects) = read().map_err(sorted(path, "open"))?;
    let ours = application == i64::from(APPLICATION_ID);
    match version {
        0 if objects == 0 => Ok(0),
        found if ours && found > VERSION => match super::meta::<i64>(connection, SCHEMA) {
            Ok(Some(schema)) if schema <= VERSION => {
                Err(damaged(path, format!("its version says {found}, and {schema} in another place")))
            }
            _ => Err(StoreError::TooNew { path: path.into(), found, known: VERSION }),
        },
        found if ours && found > 0 => Ok(found),
        _ => Err(damaged(path, "not written by heartbeat-server")),
    }
}

/// Brings a file from `version` to [`VERSION`], each step whole or not at all.
pub(super) fn migrate(connection: &mut Connection, path: &Path, version: i64) -> Result<(), StoreError> {
    let mut apply = |number: i64, statements: &str| -> Result<(), rusqlite::Error> {
        let step = connection.transaction()?;
        step.execute_batch(statements)?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.pragma_update(None, "user_version", number)?;
        super::set_meta(&step, SCHEMA, &number)?;
        step.commit()
    };
    for (number, statements) in (1..).zip(MIGRATIONS) {
        if number > version {
            apply(number, statements).map_err(sorted(path, "migrate"))?;
        }
    }
    Ok(())
}
