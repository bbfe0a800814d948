//! Dialects of other services: for each a table of requests and answers, asked of the real daemon on both of its paths, with
//! what its monitor looks like afterwards.

mod hooks;
mod pings;
mod policy;
mod pushes;
mod reports;

use crate::client::{Conn, Reply, get, with_body};
use crate::harness::{Daemon, daemon};
use serde_json::{Value, json};

/// Port `{a}` with the fast path, `{b}` without.
pub const BOTH: &str = "[[listen]]\nname = \"fast\"\naddress = \"127.0.0.1:{a}\"\n\
                        [[listen]]\nname = \"general\"\naddress = \"127.0.0.1:{b}\"\nfast_path = false\n";

/// One row.
pub struct Row {
    request: String,
    status: u16,
    body: &'static str,
    monitor: Option<(&'static str, &'static str)>,
    fields: Vec<(&'static str, Value)>,
}

/// A request and its answer: the status, and the whole body; one that begins with `~` must only stand in it.
pub fn row(request: impl Into<String>, status: u16, body: &'static str) -> Row {
    Row { request: request.into(), status, body, monitor: None, fields: Vec::new() }
}

impl Row {
    /// Afterwards this monitor is in this state.
    pub fn then(self, id: &'static str, state: &'static str) -> Row {
        Row { monitor: Some((id, state)), ..self }
    }

    /// And this field of it has that value.
    pub fn with(mut self, field: &'static str, value: Value) -> Row {
        self.fields.push((field, value));
        self
    }
}

/// A request by any method with a body, and headers that each end in CR LF.
pub fn send(method: &str, path: &str, headers: &str, body: &str) -> String {
    with_body(method, path, headers, body)
}

/// A question.
pub fn ask(path: &str) -> String {
    get(path)
}

/// A form.
pub fn form(path: &str, body: &str) -> String {
    with_body("POST", path, "Content-Type: application/x-www-form-urlencoded\r\n", body)
}

/// The answer of each path.
pub fn replies(hb: &Daemon, request: &[u8]) -> [Reply; 2] {
    ['a', 'b'].map(|letter| {
        let mut conn = Conn::tcp(&hb.address_of(letter));
        conn.send(request);
        let head = conn.head().expect("an answer");
        let length = head.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut reply = head;
        if !request.starts_with(b"HEAD") {
            reply.body = conn.bytes(length);
        }
        // What is made for each answer anew.
        reply.without_date()
    })
}

/// Asks a table of a daemon.
pub fn check(hb: &Daemon, rows: &[Row]) {
    let mut wrong = Vec::new();
    for Row { request, status, body, monitor, fields } in rows {
        let [fast, general] = replies(hb, request.as_bytes());
        let line = request.lines().next().unwrap_or_default();
        let last = request.lines().last().unwrap_or_default();
        // The first of two beats may make its monitor, which some services say.
        if (fast.status, &fast.body) != (general.status, &general.body)
            && fast.status != 201
            && !body.starts_with('~')
        {
            wrong.push(format!("{line}: the two paths differ:\n  {fast:?}\n  {general:?}"));
        }
        let said = fast.text();
        let fits = body.strip_prefix('~').map_or(said == *body, |part| said.contains(part));
        if fast.status != *status || !fits {
            wrong.push(format!("{line} {last:?}: {} {said:?} instead of {status} {body:?}", fast.status));
        }
        let Some((id, state)) = monitor else { continue };
        let reply = hb.get(&format!("/api/v1/monitors/{id}"));
        if *state == "none" {
            if reply.status != 404 {
                wrong.push(format!("{line}: there is a monitor {id}"));
            }
            continue;
        }
        let monitor = if reply.status == 200 { reply.json() } else { Value::Null };
        if monitor["state"] != json!(state) {
            wrong.push(format!("{line}: {id} is {} instead of {state}", monitor["state"]));
        }
        for (field, value) in fields {
            if monitor[*field] != *value {
                wrong.push(format!("{line}: {field} of {id} is {} instead of {value}", monitor[*field]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    // Secrets in paths stay out of the log, but for the names of monitors.
    assert!(!hb.log().contains("SECRET"), "{}", hb.log());
}

/// The same of a daemon as it is by default.
pub fn check_by_default(rows: &[Row]) {
    check(&daemon(BOTH), rows);
}
