//! How much of everything: times, connections, monitors, rates.

use crate::client::{Conn, beat, beat_with, get};
use crate::harness::{Setup, daemon, until};
use nix::sys::signal::Signal;
use serde_json::json;

/// Both paths, times of one second, one trusted proxy.
const SHORT: &str = "[limits]\nheader_timeout = \"1s\"\nbody_timeout = \"1s\"\nidle_timeout = \"1s\"\n\
                     [[listen]]\nname = \"fast\"\naddress = \"127.0.0.1:{a}\"\n\
                     [[listen]]\nname = \"general\"\naddress = \"127.0.0.1:{b}\"\nfast_path = false\n";

#[test]
fn a_head_that_does_not_end_in_time() {
    let hb = daemon(SHORT);
    for letter in ['a', 'b'] {
        for start in ["P", "POST / HTTP/1.1\r\nHost: hb\r\n", "GET /healthz HT"] {
            let mut conn = Conn::tcp(&hb.address_of(letter));
            conn.send(start);
            let reply = conn.reply();
            assert_eq!((reply.status, reply.header("connection")), (408, Some("close")), "{start:?}");
            assert!(reply.text().contains("limits.header_timeout"), "{}", reply.text());
            assert!(conn.is_closed());
        }
    }
    assert_eq!(hb.metric("heartbeat_connections_refused_total{reason=\"timeout\"}"), 6);
}

#[test]
fn a_client_that_goes_on_asking_is_never_idle() {
    use std::time::{Duration, Instant};
    let hb = daemon(&SHORT.replace("idle_timeout = \"1s\"", "idle_timeout = \"4s\""));
    for letter in ['a', 'b'] {
        // A machine that is so busy that the client itself pauses too long proves nothing; then once more.
        let asked = (0..10).any(|_| {
            let ask = |conn: &mut Conn| {
                conn.send(if letter == 'a' { beat("{}") } else { get("/healthz") });
                conn.reply_or_end().is_some()
            };
            let mut conn = Conn::tcp(&hb.address_of(letter));
            assert!(ask(&mut conn));
            // One that asks once and is let go afterwards shows that there was time enough to be.
            let mut idle = Conn::tcp(&hb.address_of(letter));
            assert!(ask(&mut idle));
            let waiting = std::thread::spawn(move || assert_eq!(idle.everything(), b""));
            let mut last = Instant::now();
            while !waiting.is_finished() {
                let answered = ask(&mut conn);
                if last.elapsed() > Duration::from_secs(3) {
                    return false;
                }
                assert!(answered, "closed though it asked {:?} ago", last.elapsed());
                last = Instant::now();
                std::thread::sleep(Duration::from_millis(100));
            }
            waiting.join().unwrap();
            true
        });
        assert!(asked, "the machine was too busy ten times");
    }
}

#[test]
fn half_a_head_behind_a_whole_beat_has_no_more_time_than_any() {
    let hb = daemon(&SHORT.replace("idle_timeout = \"1s\"", "idle_timeout = \"1h\""));
    let mut conn = hb.connect();
    conn.send(format!("{}POST / HTTP/1.1\r\nHos", beat("{}")));
    assert_eq!(conn.reply().status, 200);
    assert_eq!(conn.reply().status, 408);
    assert!(conn.is_closed());
}

#[test]
fn a_head_that_comes_drop_by_drop_has_no_more_time() {
    let hb = daemon(SHORT);
    for letter in ['a', 'b'] {
        let mut conn = Conn::tcp(&hb.address_of(letter));
        let mut drops = conn.clone_stream();
        conn.send("POST / HTTP/1.1\r\n");
        let dropping = std::thread::spawn(move || {
            // Every drop comes in time; the whole never does.
            while drops.send("X: y\r\n") {
                std::thread::sleep(std::time::Duration::from_millis(150));
            }
        });
        let status = conn.reply().status;
        assert!(status == 408 || status == 431, "{status}");
        assert!(conn.is_closed());
        drop(conn);
        dropping.join().unwrap();
    }
}

#[test]
fn a_body_that_does_not_end_in_time() {
    let hb = daemon(SHORT);
    for letter in ['a', 'b'] {
        for start in [
            "POST / HTTP/1.1\r\nHost: hb\r\nContent-Length: 20\r\n\r\n{",
            "POST / HTTP/1.1\r\nHost: hb\r\nContent-Length: 20\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: hb\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        ] {
            let mut conn = Conn::tcp(&hb.address_of(letter));
            conn.send(start);
            let reply = conn.reply();
            assert_eq!((reply.status, reply.header("connection")), (408, Some("close")), "{start:?}");
            assert!(reply.text().contains("limits.body_timeout"), "{}", reply.text());
            assert!(conn.is_closed());
        }
    }
}

#[test]
fn who_says_nothing_is_let_go_without_a_word() {
    let hb = daemon(SHORT);
    for letter in ['a', 'b'] {
        let mut silent = Conn::tcp(&hb.address_of(letter));
        let mut once = Conn::tcp(&hb.address_of(letter));
        once.send(beat("{}"));
        assert_eq!(once.reply().status, 200);
        assert!(silent.is_closed() && once.is_closed());
    }
    until("they are not counted any more", || hb.metric("heartbeat_connections{transport=\"http\"}") == 1);
}

#[test]
fn no_more_connections_than_there_may_be() {
    let hb = daemon("[limits]\nconnections = 4\n");
    // The one that saw it start may not be gone yet.
    until("all places are free", || hb.get("/api/v1/status").json()["connections"] == json!(1));
    let mut held: Vec<Conn> = Vec::new();
    let refused = loop {
        let mut conn = hb.connect();
        conn.send(beat("{}"));
        let reply = conn.reply();
        if reply.status != 200 {
            assert!(conn.is_closed());
            break reply;
        }
        held.push(conn);
        assert!(held.len() <= 4);
    };
    assert!(held.len() >= 3, "{}", held.len());
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(refused.text().contains("limits.connections"), "{}", refused.text());
    // Those who are in stay in, and a place that is given back is taken again.
    held[0].send(beat("{}"));
    assert_eq!(held[0].reply().status, 200);
    held.truncate(1);
    until("a place is free", || hb.beat("{}").status == 200);
    assert!(hb.metric("heartbeat_connections_refused_total{reason=\"connections\"}") >= 1);
}

#[test]
fn a_place_is_given_back_however_a_connection_ends() {
    let hb = daemon("[limits]\nconnections = 8\n");
    for n in 0..200 {
        let mut conn = hb.connect();
        match n % 5 {
            0 => conn.send("POST / HT"),
            1 => conn.send("GARBAGE\r\n\r\n"),
            2 => conn.send(beat_with("Connection: close\r\n", "{}")),
            3 => conn.send("GET / HTTP/1.1\r\nHost: hb\r\n\r\nGET / HT"),
            _ => true,
        };
    }
    until("all places are free", || {
        let mut all: Vec<Conn> = (0..6).map(|_| hb.connect()).collect();
        all.iter_mut().all(|conn| conn.send(beat("{\"id\":\"in\"}")))
            && all.iter_mut().all(|conn| conn.reply_or_end().is_some_and(|r| r.status == 200))
    });
}

#[test]
fn no_more_monitors_than_there_may_be() {
    let hb = daemon("[limits]\nmonitors = 3\n");
    for id in ["a", "b", "c"] {
        assert_eq!(hb.beat(&format!("{{\"id\":\"{id}\"}}")).status, 200);
    }
    let reply = hb.beat(r#"{"id":"d"}"#);
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("60")));
    assert!(reply.text().contains("limits.monitors"), "{}", reply.text());
    assert_eq!(hb.beat(r#"{"id":"a"}"#).status, 200, "those who are known go on");
    let answer = hb.beat(r#"[{"id":"b"},{"id":"e"}]"#).json();
    assert_eq!((&answer["accepted"], &answer["rejected"][0]["index"]), (&json!(1), &json!(1)));
    assert_eq!(hb.metric("heartbeat_beats_total{transport=\"http\",result=\"full\"}"), 2);
}

/// A beat that a proxy passes on for an address.
fn passed_on(client: &str, id: &str) -> String {
    beat_with(&format!("X-Forwarded-For: {client}\r\n"), &format!("{{\"id\":\"{id}\"}}"))
}

const PROXY: &str = "[[listen]]\naddress = \"127.0.0.1:{a}\"\nproxies = [\"127.0.0.1\"]\nproxy_header = \"x-forwarded-for\"\n";

#[test]
fn new_monitors_an_hour_by_address() {
    let hb = daemon(&format!("[limits]\nnew_monitors_per_hour = 3\n{PROXY}"));
    for n in 0..3 {
        assert_eq!(hb.ask(passed_on("10.0.0.1", &format!("n{n}"))).status, 200);
    }
    let reply = hb.ask(passed_on("10.0.0.1", "n3"));
    assert_eq!(reply.status, 429);
    assert!(reply.text().contains("limits.new_monitors_per_hour"), "{}", reply.text());
    // A third of an hour, give or take what the test itself took.
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=1200).contains(&wait), "{wait}");
    assert_eq!(hb.ask(passed_on("10.0.0.1", "n0")).status, 200, "known ones go on");
    assert_eq!(hb.ask(passed_on("10.0.0.2", "n4")).status, 200, "others are not bound by it");
    assert_eq!(hb.beat(r#"{"id":"n5"}"#).status, 200, "nor is this machine");
    assert_eq!(hb.metric("heartbeat_beats_total{transport=\"http\",result=\"limited\"}"), 1);
}

#[test]
fn beats_a_second_by_address() {
    let hb = daemon(&format!("[limits]\nbeats_per_second = 2\n{PROXY}"));
    // In one write, so that they arrive together however slow the machine is.
    let mut conn = hb.connect();
    conn.send((0..50).map(|_| passed_on("10.0.0.1", "fast")).collect::<String>());
    let replies: Vec<_> = (0..50).map(|_| conn.reply()).collect();
    assert_eq!(replies[0].status, 200);
    let refused = replies.iter().find(|r| r.status == 429).expect("fifty at once are too many");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(refused.text().contains("limits.beats_per_second"), "{}", refused.text());
    assert!(replies.iter().all(|r| matches!(r.status, 200 | 429) && r.header("connection").is_none()));
    conn.send((0..50).map(|_| beat("{\"id\":\"local\"}")).collect::<String>());
    assert!((0..50).all(|_| conn.reply().status == 200), "this machine is not bound by it");
    until("it may again", || hb.ask(passed_on("10.0.0.1", "fast")).status == 200);
}

/// Whoever loses beats because he is refused says so to nobody; so the daemon does.
#[test]
fn newcomers_that_are_refused_are_named_and_a_raised_limit_counts_at_once() {
    let config = |most: u32| {
        format!(
            "[limits]\nnew_monitors_per_hour = {most}\n[access]\nbeat_tokens = [{{ file = \"{{dir}}/tokens\" }}]\n\
             [[listen]]\naddress = \"127.0.0.1:{{a}}\"\nproxies = [\"127.0.0.1/32\"]\n"
        )
    };
    let hb = Setup::new(&config(2)).file("tokens", "beat-beat-beat-beat\n").start();
    let sends = |token: &str, id: &str| {
        let header = format!("X-Forwarded-For: 10.1.1.7\r\nAuthorization: Bearer {token}\r\n");
        hb.ask(beat_with(&header, &format!(r#"{{"id":"{id}"}}"#))).status
    };
    let token = "beat-beat-beat-beat";
    let ready = || hb.get("/readyz").text().to_string();
    assert_eq!((sends(token, "a"), sends(token, "b")), (200, 200));
    assert!(ready().contains("\"degraded\":false"), "{}", ready());
    for _ in 0..50 {
        assert_eq!((sends(token, "c"), sends("wrong-wrong-wrong-wrong", "a")), (429, 401));
    }
    for words in ["50 refused lately: too many new monitors", "50 refused lately: a wrong token"] {
        assert!(ready().contains(words), "{words}: {}", ready());
        assert!(hb.get("/").text().contains(words), "{words}");
    }
    for key in ["limits.new_monitors_per_hour", "access.beat_tokens"] {
        until("a line", || hb.log().lines().any(|line| line.contains("refused") && line.contains(key)));
        let log = hb.log();
        let lines: Vec<&str> =
            log.lines().filter(|line| line.contains("refused") && line.contains(key)).collect();
        assert!(matches!(lines[..], [line] if line.contains("refused 10.1.1.7")), "{lines:?}");
    }
    hb.place.configure(&config(100));
    hb.signal(Signal::SIGHUP);
    hb.wait_for_log("configuration reloaded");
    assert_eq!(sends(token, "c"), 200);
    assert!(ready().contains("\"degraded\":false"), "{}", ready());
}
