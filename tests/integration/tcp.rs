//! Raw TCP: what each dialect says and hears, and what becomes of those who fall silent.

use crate::client::Conn;
use crate::harness::{Daemon, Setup, until};
use crate::kernel::wait_until_asleep;
use nix::sys::signal::Signal;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

const LISTEN: &str = "[[listen]]\naddress = \"127.0.0.1:{a}\"\n\
                      [[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{b}\"\n";
const IMPATIENT: &str =
    "[tcp]\nping_interval = \"1s\"\ntimeout = \"2s\"\nframe_timeout = \"2s\"\nline_timeout = \"2s\"\n";

fn tcp(config: &str) -> Daemon {
    Setup::new(&format!("{config}{LISTEN}")).start()
}

impl Daemon {
    fn dial(&self) -> Conn {
        Conn::tcp(&self.address_of('b'))
    }

    fn says(&self, words: &str) -> usize {
        self.log().matches(words).count()
    }
}

/// Sends, and reads exactly what is expected.
fn talk(conn: &mut Conn, send: &[u8], hear: &str) {
    assert!(conn.send(send));
    assert_eq!(conn.text_until(hear), hear, "after {:?}", send.escape_ascii().to_string());
}

/// Sends byte by byte, each in a packet of its own.
fn drip(conn: &mut Conn, bytes: &[u8]) {
    for byte in bytes.chunks(1) {
        assert!(conn.send(byte));
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn every_dialect_is_heard_and_answered_in_its_own_words() {
    let hb = tcp("");
    let beats = || hb.metric("heartbeat_beats_total{transport=\"tcp\",result=\"accepted\"}");
    let mut lines = hb.dial();
    talk(&mut lines, b"PING\n", "PONG\n");
    talk(&mut lines, b"HEARTBEAT|ping\r\n\n", "HEARTBEAT|pong\n");
    talk(&mut lines, b"HEARTBEAT|pong\nPING\n", "PONG\n");
    drip(&mut lines, b"PING\nPI");
    talk(&mut lines, b"NG\n", "PONG\nPONG\n");
    assert_eq!(beats(), 6);
    let mut bare = hb.dial();
    talk(&mut bare, b"PING", "PONG");
    drip(&mut bare, b"PI");
    talk(&mut bare, b"NGPING", "PONGPONG");
    talk(&mut bare, b"\nPING\n", "PONG\n");
    assert_eq!(beats(), 10);
    let mut hello = hb.dial();
    drip(&mut hello, b"hello ser");
    talk(&mut hello, b"verhello server", "hello clienthello client");
    talk(&mut hello, b"a line\n\0another\n\0", "hello clienthello client");
    talk(&mut hello, b"no end in sight", "hello client");
    assert_eq!(beats(), 15);
    let mut unknown = hb.dial();
    talk(&mut unknown, b"GET well soon\n\0", "hello client");
    assert_eq!(beats(), 16);
    let mut frames = hb.dial();
    frames.send(b"\0\0\0\0\0\0\0\0\x01\0\0\0\x04\0\0\0ab");
    drip(&mut frames, b"cd\0\0\0\0\0\0\0\0");
    until("three frames", || beats() == 19);
    let mut pong = hb.dial();
    assert_eq!(pong.text_until("ping"), "ping");
    pong.send(b"pongpo");
    drip(&mut pong, b"ngwhatever");
    until("two pongs", || beats() == 21);
    let monitor = hb.monitor("127.0.0.1");
    assert_eq!((&monitor["transport"], &monitor["state"]), (&json!("tcp"), &json!("up")));
    assert_eq!((&monitor["interval_s"], &monitor["grace_s"]), (&json!(3), &json!(7)));
    assert_eq!(hb.metric("heartbeat_connections{transport=\"tcp\"}"), 6);
    assert_eq!(hb.says("heartbeat received - from: 127.0.0.1, reported IP: -\n"), 21);
}

#[test]
fn other_protocols_are_told_apart_counted_and_closed_at_once() {
    let hb = tcp("");
    for (opening, kind) in [
        (&b"GET / HTTP/1.1\r\nHost: hb\r\n\r\n"[..], "http"),
        (b"POST / HTTP/1.1\r\nHost: hb\r\nContent-Length: 9\r\n\r\nBEAT web\n", "http"),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", "tls"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "ssh"),
        (b"\0\0\0\x2f\xffSMBr\0\0\0\0", "smb"),
    ] {
        let metric = format!("heartbeat_connections_refused_total{{reason=\"foreign_{kind}\"}}");
        let before = hb.metric(&metric);
        let mut conn = hb.dial();
        conn.send(opening);
        assert_eq!(conn.everything(), b"", "{kind}");
        assert_eq!(hb.metric(&metric), before + 1, "{kind}");
    }
    assert_eq!(hb.metric("heartbeat_beats_total{transport=\"tcp\",result=\"accepted\"}"), 0);
    assert_eq!(hb.get("/api/v1/monitors").json()["monitors"], json!([]));
}

#[test]
fn what_is_dripped_must_end_in_time_whatever_else_arrives() {
    let hb = tcp("[limits]\nbody_timeout = \"1s\"\n");
    for (begun, drip) in
        [(&b"BEAT web message="[..], true), (b"\x01\0\0\0\0\x01\0\0", true), (b"BEAT", false)]
    {
        let mut conn = hb.dial();
        conn.send(begun);
        let mut dripping = conn.clone_stream();
        // It is never silent, and its end never comes.
        let drips = std::thread::spawn(move || {
            while drip && dripping.send(b"x") {
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        conn.everything();
        drips.join().unwrap();
    }
    assert_eq!(hb.metric("heartbeat_connections_refused_total{reason=\"timeout\"}"), 3);
    // Whole ones in between do not help what has begun, and what has ended is forgotten.
    let mut conn = hb.dial();
    for _ in 0..30 {
        std::thread::sleep(Duration::from_millis(50));
        talk(&mut conn, b"PING\nPI", "PONG\n");
        assert!(conn.send(b"NG\n"));
        assert_eq!(conn.text_until("PONG\n"), "PONG\n");
    }
}

#[test]
fn a_token_must_come_in_time_and_guesses_are_few() {
    let tokens = |limits: &str| {
        let config = format!("{limits}[access]\nbeat_tokens = [{{ file = \"tokens\" }}]\n{LISTEN}");
        Setup::new(&config).file("tokens", "beat-token-of-16-or-more").start()
    };
    let hb = tokens("[limits]\nheader_timeout = \"2s\"\n");
    let (mut silent, mut lively, mut guesses) = (hb.dial(), hb.dial(), hb.dial());
    lively.send(b"PING\nPING\n");
    let many: String = (0..1_000).map(|n| format!("AUTH wrong-wrong-wrong-{n}\n")).collect();
    guesses.send(&many);
    for conn in [&mut silent, &mut lively, &mut guesses] {
        conn.everything();
    }
    let denied = hb.metric("heartbeat_beats_total{transport=\"tcp\",result=\"denied\"}");
    assert!((3..20).contains(&denied), "{denied}");
    hb.wait_for_log("refused 127.0.0.1: a wrong token or none (see access.beat_tokens)");
    assert_eq!(hb.says("a wrong token or none"), 1, "said now and then");
    assert!((1..20).contains(&hb.metric("heartbeat_wrong_tokens_total")));
    assert_eq!(hb.metric("heartbeat_connections_refused_total{reason=\"token\"}"), 3);
    // Who only mistyped it is heard again, and what he sent meanwhile is not lost.
    let hb = tokens("");
    let mut conn = hb.dial();
    let sent = b"AUTH wrong\nAUTH beat-token-of-16-or-more\nBEAT web\n";
    talk(&mut conn, sent, "ERR not allowed: see access.beat_tokens\nOK\nOK 60\n");
}

#[test]
fn a_beat_in_a_line_names_its_monitor_and_is_told_the_interval() {
    let hb = tcp("");
    let mut conn = hb.dial();
    let beat = b"BEAT web-1 seq=7 interval=90s grace=5 rid=r1 message=all is = well\n";
    talk(&mut conn, beat, "OK 90\n");
    let monitor = hb.monitor("web-1");
    assert_eq!(
        (&monitor["seq"], &monitor["interval_s"], &monitor["grace_s"]),
        (&json!(7), &json!(90), &json!(5))
    );
    assert_eq!((&monitor["message"], &monitor["transport"]), (&json!("all is = well"), &json!("tcp")));
    hb.wait_for_log("heartbeat received - from: 127.0.0.1, reported IP: -, id: web-1\n");
    // Who has named himself needs not do so again, and where something is wrong a mere sign of life changes nothing.
    talk(&mut conn, b"PING\n", "PONG\n");
    assert_eq!(hb.monitor("web-1")["beats"], json!(2));
    talk(&mut conn, b"BEAT web-1 status=fail\nPING\n", "OK 90\nPONG\n");
    assert_eq!((&hb.monitor("web-1")["state"], &hb.monitor("web-1")["beats"]), (&json!("down"), &json!(3)));
    assert_eq!(hb.get("/api/v1/monitors/127.0.0.1").status, 404);
    conn.send(b"QUIT\nBEAT late\n");
    assert_eq!(conn.everything(), b"");
    assert_eq!(hb.get("/api/v1/monitors/late").status, 404);
}

#[test]
fn a_wrong_line_is_told_and_the_connection_stays() {
    let hb = tcp("");
    let mut conn = hb.dial();
    talk(&mut conn, b"PING\n", "PONG\n");
    for (line, reason) in [
        ("ping", "ERR not a command: write PING, HEARTBEAT|ping, BEAT ID, AUTH TOKEN or QUIT\n"),
        ("BEAT", "ERR write BEAT ID "),
        ("BEAT a//b", "ERR id must not begin or end with /"),
        ("BEAT $(x)", "ERR id must be letters"),
        ("BEAT a interval=0", "ERR interval must be from 1s to 366d\n"),
        ("BEAT a colour=red", "ERR write BEAT ID "),
    ] {
        conn.send(format!("{line}\nPING\n"));
        let said = conn.text_until("PONG\n");
        assert!(said.starts_with(reason) && said.lines().count() == 2, "{line}: {said}");
    }
    conn.send(vec![b'x'; 100_000]);
    let said = conn.text_until("\n");
    assert!(said.starts_with("ERR a line has at most "), "{said}");
    talk(&mut conn, b"still the same line\nPING\n", "PONG\n");
    assert_eq!(hb.metric("heartbeat_beats_total{transport=\"tcp\",result=\"invalid\"}"), 7);
}

#[test]
fn what_has_no_end_is_whole_when_the_client_ends() {
    let hb = tcp("");
    for (send, hear) in [("PING", "PONG"), ("text", "hello client"), ("PIN", ""), ("PING\n", "PONG\n")] {
        let mut conn = hb.dial();
        conn.send(send);
        conn.end_writing();
        assert_eq!(String::from_utf8(conn.everything()).unwrap(), hear, "{send}");
    }
}

#[test]
fn silence_is_told_in_the_words_that_people_know_and_ends_the_connection() {
    let hb = tcp(IMPATIENT);
    let mut silent = hb.dial();
    let heard = String::from_utf8(silent.everything()).unwrap();
    assert!(heard.starts_with("ping") && heard.replace("ping", "").is_empty(), "{heard}");
    hb.wait_for_log("Client timeout, closing connection: 127.0.0.1\n");
    assert_eq!(hb.get("/api/v1/monitors/127.0.0.1").status, 404, "who has said nothing is nobody");

    let mut pong = hb.dial();
    for _ in 0..3 {
        assert_eq!(pong.text_until("ping"), "ping");
        pong.send("pong");
    }
    let heard = String::from_utf8(pong.everything()).unwrap();
    assert!(heard.starts_with("ping"), "{heard}");
    until("the second line", || hb.says("Client timeout, closing connection: 127.0.0.1\n") == 2);
    until("down", || hb.monitor("127.0.0.1")["state"] == "down");

    // None of these is ever sent a ping.
    for (n, (send, hear)) in [
        (&b"\0\0\0\0\0\0\0\0"[..], ""),
        (b"hello server", "hello client"),
        (b"PING\n", "PONG\n"),
        (b"PING", "PONG"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut conn = hb.dial();
        conn.send(send);
        assert_eq!(String::from_utf8(conn.everything()).unwrap(), hear);
        until("the line", || hb.says("The client 127.0.0.1 has be offline.\n") == n + 1);
    }
    let mut named = hb.dial();
    talk(&mut named, b"BEAT web-1 interval=1s grace=1s\n", "OK 1\n");
    assert_eq!(named.everything(), b"");
    hb.wait_for_log("The client 127.0.0.1 has be offline., id: web-1\n");
    assert_eq!(hb.metric("heartbeat_connections_refused_total{reason=\"timeout\"}"), 7);
    assert_eq!(hb.metric("heartbeat_connections{transport=\"tcp\"}"), 0);
}

#[test]
fn a_monitor_with_a_longer_interval_is_waited_for() {
    let hb = tcp(IMPATIENT);
    let (mut short, mut long) = (hb.dial(), hb.dial());
    talk(&mut long, b"BEAT slow interval=1h\n", "OK 3600\n");
    talk(&mut short, b"BEAT fast interval=1s grace=0\n", "OK 1\n");
    assert_eq!(short.everything(), b"");
    talk(&mut long, b"BEAT slow\n", "OK 3600\n");
}

#[test]
fn the_words_are_chinese_where_the_log_is() {
    let hb = tcp(&format!("lang = \"zh\"\n{IMPATIENT}"));
    let mut frame = hb.dial();
    frame.send(b"\0\0\0\0\0\0\0\0");
    assert_eq!(frame.everything(), b"");
    hb.wait_for_log("客户端 127.0.0.1 已掉线\n");
    hb.dial().everything();
    hb.wait_for_log("客户端超时，关闭连接: 127.0.0.1\n");
}

#[test]
fn a_frame_that_cannot_be_read_ends_the_connection() {
    let hb = tcp("[log]\nlevel = \"debug\"\n");
    for head in [&b"\0\0\0\0\x01\0\0\0"[..], b"\x01\0\0\0\xff\xff\xff\xff", b"\x01\0\0\0\xff\xff\xff\x7f"] {
        let mut conn = hb.dial();
        conn.send(head);
        assert_eq!(conn.everything(), b"");
    }
    hb.wait_for_log("Client closed: 127.0.0.1 sent a frame of type 1 and length 2147483647");
    assert_eq!(hb.metric("heartbeat_connections_refused_total{reason=\"protocol\"}"), 3);
    assert_eq!(hb.says("Client disconnected: 127.0.0.1"), 3);
}

#[test]
fn where_tokens_are_known_one_must_be_shown() {
    let hb = Setup::new(&format!("[access]\nbeat_tokens = [{{ file = \"tokens\" }}]\n{LISTEN}"))
        .file("tokens", "beat-token-of-16-or-more")
        .start();
    let mut conn = hb.dial();
    let needed = "ERR a token from access.beat_tokens is needed: AUTH TOKEN\n";
    talk(&mut conn, b"BEAT web-1\n", needed);
    talk(&mut conn, b"PING\n", needed);
    talk(&mut conn, b"AUTH wrong\n", "ERR not allowed: see access.beat_tokens\n");
    assert_eq!(hb.metric("heartbeat_beats_total{transport=\"tcp\",result=\"denied\"}"), 3);
    talk(&mut conn, b"AUTH beat-token-of-16-or-more\n", "OK\n");
    talk(&mut conn, b"BEAT web-1\n", "OK 60\n");
    assert_eq!(hb.monitor("web-1")["beats"], json!(1));
    // The other dialects have no word for it, and so no answer.
    let mut hello = hb.dial();
    hello.send("hello server");
    hello.end_writing();
    assert_eq!(hello.everything(), b"");
    assert_eq!(hb.get("/api/v1/monitors/127.0.0.1").status, 404);
}

#[test]
fn strangers_are_sent_away_at_the_door() {
    let hb = tcp("[access]\nallow = [\"10.0.0.0/8\"]\nread = [\"127.0.0.0/8\"]\n");
    assert_eq!(hb.dial().everything(), b"");
    assert_eq!(hb.metric("heartbeat_beats_total{transport=\"tcp\",result=\"denied\"}"), 1);
    assert_eq!(hb.metric("heartbeat_connections{transport=\"tcp\"}"), 0);
}

#[test]
fn who_never_reads_costs_nobody_anything() {
    let hb = tcp("");
    let mut deaf = hb.dial();
    // Each of these lines is answered with forty times as much, more than any socket holds.
    let lines = b"x\n".repeat(2_000);
    let mut other = hb.dial();
    deaf.send("PING\n");
    let mut sent = 0;
    while deaf.send(&lines) {
        sent += 1;
        assert!(sent < 5_000, "it was never closed");
        talk(&mut other, b"PING\n", "PONG\n");
    }
    until("it to be counted", || hb.metric("heartbeat_connections_refused_total{reason=\"unread\"}") == 1);
    talk(&mut other, b"PING\n", "PONG\n");
}

#[test]
fn each_connection_may_be_a_monitor_of_its_own_and_goes_with_it() {
    let hb = tcp(&format!("{IMPATIENT}anonymous = \"ip:port\"\n"));
    let mut conn = hb.dial();
    talk(&mut conn, b"PING\n", "PONG\n");
    let all = hb.get("/api/v1/monitors").json();
    let id = all["monitors"][0]["id"].as_str().unwrap().to_string();
    assert!(id.starts_with("127.0.0.1:") && all["monitors"][1].is_null(), "{all}");
    hb.wait_for_log(&format!("reported IP: -, id: {id}\n"));
    drop(conn);
    until("its end", || hb.get(&format!("/api/v1/monitors/{id}")).status == 404);
    assert!(!hb.log().contains("is down"));

    let mut conn = hb.dial();
    talk(&mut conn, b"PING\n", "PONG\n");
    let id = hb.get("/api/v1/monitors").json()["monitors"][0]["id"].as_str().unwrap().to_string();
    assert_eq!(conn.everything(), b"");
    hb.wait_for_log(&format!("The client 127.0.0.1 has be offline., id: {id}\n"));
    until("its end", || hb.get(&format!("/api/v1/monitors/{id}")).status == 404);
    hb.wait_for_log(&format!("{id} is down"));
    until("the incident", || hb.get("/api/v1/incidents").json()["incidents"][0]["monitor"] == json!(id));

    // Who gives a name after all is no longer nameless.
    let mut conn = hb.dial();
    talk(&mut conn, b"PING\nBEAT web-1\n", "PONG\nOK 60\n");
    let all = hb.get("/api/v1/monitors").json();
    assert_eq!((&all["monitors"][0]["id"], &all["monitors"][1]), (&json!("web-1"), &json!(null)));
}

#[test]
fn the_end_of_a_replaced_connection_is_told_to_nobody() {
    let hb = tcp(IMPATIENT);
    let beat = b"BEAT web-1 interval=1s grace=1s\n";
    let (mut old, mut new) = (hb.dial(), hb.dial());
    talk(&mut old, beat, "OK 1\n");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(SeqCst) {
                talk(&mut new, beat, "OK 1\n");
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        assert_eq!(old.everything(), b"");
        over.store(true, SeqCst);
    });
    assert_eq!(hb.metric("heartbeat_connections_refused_total{reason=\"timeout\"}"), 1);
    assert_eq!(hb.says("has be offline"), 0);
    assert_eq!(new.everything(), b"");
    hb.wait_for_log("The client 127.0.0.1 has be offline., id: web-1\n");
    assert_eq!(hb.says("has be offline"), 1);
}

#[test]
fn nobody_is_given_up_for_time_in_which_the_server_stood_still() {
    let hb = tcp(&IMPATIENT.replace("line_timeout = \"2s\"", "line_timeout = \"4s\""));
    let mut conn = hb.dial();
    talk(&mut conn, b"PING\n", "PONG\n");
    wait_until_asleep(hb.pid());
    hb.signal(Signal::SIGSTOP);
    // Nothing to wait for: that this time passes is what is tried.
    std::thread::sleep(Duration::from_secs(7));
    hb.signal(Signal::SIGCONT);
    talk(&mut conn, b"PING\n", "PONG\n");
    assert_eq!(conn.everything(), b"");
    until("the line", || hb.says("has be offline") == 1);
}

#[test]
fn new_times_hold_after_a_reload() {
    let hb = tcp("");
    let mut old = hb.dial();
    talk(&mut old, b"PING\n", "PONG\n");
    hb.place.configure(&format!("{IMPATIENT}{LISTEN}"));
    hb.signal(Signal::SIGHUP);
    hb.wait_for_log("configuration reloaded");
    talk(&mut old, b"PING\n", "PONG\n");
    assert_eq!(old.everything(), b"");
    hb.wait_for_log("The client 127.0.0.1 has be offline.\n");
}

#[test]
fn a_stop_answers_what_has_come_and_waits_for_nobody() {
    let mut hb = tcp("");
    let (mut bare, mut silent) = (hb.dial(), hb.dial());
    talk(&mut bare, b"PING", "PONG");
    talk(&mut silent, b"PING\n", "PONG\n");
    hb.signal(Signal::SIGTERM);
    assert_eq!((bare.everything(), silent.everything()), (Vec::new(), Vec::new()));
    assert!(hb.wait().success());
}

#[test]
fn two_live_connections_with_one_id_are_said_once_and_shown() {
    let hb = tcp("");
    let (mut one, mut other) = (hb.dial(), hb.dial());
    for _ in 0..6 {
        talk(&mut one, b"BEAT nas\n", "OK 60\n");
        talk(&mut other, b"BEAT nas\n", "OK 60\n");
    }
    until("the conflict", || !hb.monitor("nas")["conflict"].is_null());
    assert_eq!(hb.monitor("nas")["conflict"]["addresses"], json!(["127.0.0.1", "127.0.0.1"]));
    let page = String::from_utf8(hb.get("/monitors/nas").body).unwrap();
    assert!(page.contains("both send as nas"), "{page}");
    hb.wait_for_log("both send as nas");
    // Those that give no name share the monitor of their address.
    let (mut one, mut other) = (hb.dial(), hb.dial());
    for _ in 0..6 {
        talk(&mut one, b"PING\n", "PONG\n");
        talk(&mut other, b"PING\n", "PONG\n");
    }
    assert_eq!(hb.monitor("127.0.0.1")["conflict"], json!(null));
    assert_eq!(hb.says("both send as"), 1);
}
