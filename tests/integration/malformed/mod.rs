//! Malformed and hostile requests, each sent to a listener with the fast path and to one without: both must answer
//! the same, and afterwards the daemon must be as it was.

mod table;
mod urls;

use crate::client::{Conn, Reply, beat};
use crate::harness::{Daemon, daemon, until};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

const BOTH: &str = "[[listen]]\nname = \"fast\"\naddress = \"127.0.0.1:{a}\"\n\
                    [[listen]]\nname = \"general\"\naddress = \"127.0.0.1:{b}\"\nfast_path = false\n";

/// Everything that comes back, with what may differ taken out: the date, and pages, which count their readers.
fn answers(hb: &Daemon, letter: char, bytes: &[u8]) -> Vec<Reply> {
    let mut conn = Conn::tcp(&hb.address_of(letter));
    conn.send(bytes);
    conn.end_writing();
    let replies = conn.replies().into_iter().map(Reply::without_date);
    replies
        .map(|mut reply| {
            if reply.header("content-type").is_some_and(|t| t.starts_with("text/html")) {
                reply.body = b"<".to_vec();
                reply.headers.retain(|(name, _)| name != "content-length");
            }
            reply
        })
        .collect()
}

#[test]
fn each_is_answered_as_the_table_says_by_both_paths() {
    let hb = daemon(BOTH);
    hb.beat(r#"{"id":"witness","interval":"1h"}"#);
    let mut wrong = Vec::new();
    let table = table::table();
    assert!(table.len() >= 60);
    assert_eq!(table.iter().map(|c| c.name).collect::<BTreeSet<_>>().len(), table.len(), "names are unique");
    for case in &table {
        let [fast, general] = ['a', 'b'].map(|letter| answers(&hb, letter, &case.bytes));
        let statuses: Vec<u16> = fast.iter().map(|r| r.status).collect();
        if fast != general {
            wrong.push(format!("{}: the two paths differ:\n  {fast:?}\n  {general:?}", case.name));
        } else if statuses != case.statuses {
            wrong.push(format!("{}: {statuses:?} instead of {:?}: {fast:?}", case.name, case.statuses));
        } else if let Some(last) = fast.last().filter(|last| !last.text().contains(case.word)) {
            wrong.push(format!("{}: no {:?} in {:?}", case.name, case.word, last.text()));
        } else if let Some(bad) =
            fast.iter().find(|r| r.status >= 400 && r.json()["error"].as_str().is_none())
        {
            wrong.push(format!("{}: no reason in {bad:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
    // Nothing is lost, nothing is left behind, nothing was said but what was answered.
    assert_eq!(hb.monitor("witness")["beats"], json!(1));
    assert_eq!(hb.beat("{}").status, 200);
    until("all connections are gone", || hb.metric("heartbeat_connections{transport=\"http\"}") <= 1);
    assert_eq!(hb.metric("heartbeat_log_lines_dropped_total"), 0);
    let complaints: Vec<String> = hb
        .log()
        .lines()
        .filter(|l| ["heartbeat received", "started", "no Landlock"].iter().all(|own| !l.contains(own)))
        .map(Into::into)
        .collect();
    assert_eq!(complaints, [""; 0], "strangers cannot write into the log");
}

#[test]
fn a_refused_request_costs_at_most_its_connection() {
    let hb = daemon(BOTH);
    for case in table::table() {
        // The next request on the same connection is answered exactly when the last answer did not say close.
        for letter in ['a', 'b'] {
            let expected = answers(&hb, letter, &case.bytes);
            let Some(last) = expected.last() else { continue };
            // A request that the half-close cut short would take the next one for its rest.
            if last.text().contains("ended early") {
                continue;
            }
            let closes = last.header("connection") == Some("close");
            let mut bytes = case.bytes.clone();
            bytes.extend_from_slice(beat(r#"{"id":"next"}"#).as_bytes());
            let replies = answers(&hb, letter, &bytes);
            let more = replies.len().saturating_sub(expected.len());
            assert_eq!(more, usize::from(!closes), "{} on {letter}: {replies:?}", case.name);
        }
    }
}

#[test]
fn the_refusal_of_a_body_arrives_while_the_body_is_being_sent() {
    let hb = daemon(BOTH);
    let mebibyte = vec![b' '; 1024 * 1024];
    for letter in ['a', 'b'] {
        for head in [
            "POST / HTTP/1.1\r\nHost: hb\r\nContent-Length: 5242880\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: hb\r\nTransfer-Encoding: chunked\r\n\r\n500000\r\n",
            "POST / HTTP/1.1\r\nHost: hb\r\nOrigin: null\r\nContent-Length: 5242880\r\n\r\n",
            "POST /nowhere HTTP/1.1\r\nHost: hb\r\nContent-Length: 5242880\r\n\r\n",
        ] {
            let mut conn = Conn::tcp(&hb.address_of(letter));
            assert!(conn.send(head));
            // Whether all of it is taken is the server's business; that the answer is not lost is ours.
            for _ in 0..5 {
                if !conn.send(&mebibyte) {
                    break;
                }
            }
            let reply = conn.reply();
            let want = if head.contains("nowhere") {
                404
            } else if head.contains("null") {
                403
            } else {
                413
            };
            assert_eq!((reply.status, reply.header("connection")), (want, Some("close")), "{head}");
            assert!(conn.is_closed());
        }
    }
}

#[test]
fn a_client_that_says_nothing_more_after_a_refusal_is_let_go() {
    let hb = daemon(BOTH);
    for letter in ['a', 'b'] {
        let mut conn = Conn::tcp(&hb.address_of(letter));
        conn.send("POST / HTTP/1.1\r\nHost: hb\r\nContent-Length: 99999999\r\n\r\n");
        assert_eq!(conn.reply().status, 413);
        assert!(conn.is_closed(), "it is told at once that no more will come");
        // It holds its end open and keeps sending; the server hears it out for a moment only.
        until("the server has let go", || {
            conn.send([b' '; 1024]);
            std::thread::sleep(Duration::from_millis(20));
            hb.metric("heartbeat_connections{transport=\"http\"}") <= 1
        });
    }
}
