//! WebSocket: the handshake, words and beats, pings both ways, and every way in which a connection ends.
//!
//! The client is tungstenite's where a decent one is wanted, and bytes where it is not. The families of cases are those
//! of autobahn's test suite, which `make ws-conformance` runs itself against an echo; these here are held to the
//! endpoint that is shipped.

mod raw;

use crate::client::{Conn, get, with_body};
use crate::harness::{Daemon, PATIENCE, Setup, daemon, until};
use crate::kernel::{wait_until_asleep, wait_until_backed_up};
use nix::sys::signal::Signal;
pub use raw::{OPENED, Raw, handshake, in_words, masked};
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

type Socket = WebSocket<TcpStream>;

fn open_at(hb: &Daemon, path: &str) -> Socket {
    let stream = TcpStream::connect(hb.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    tungstenite::client(format!("ws://{}{path}", hb.address()), stream).unwrap().0
}

fn open(hb: &Daemon) -> Socket {
    open_at(hb, "/ws")
}

/// The next text; pings are answered by the way, as every client does.
fn text(socket: &mut Socket) -> String {
    loop {
        match socket.read().unwrap() {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) => {}
            other => panic!("{other:?} instead of a text"),
        }
    }
}

fn ask(socket: &mut Socket, message: &str) -> String {
    socket.send(Message::text(message)).unwrap();
    text(socket)
}

fn ask_json(socket: &mut Socket, message: &str) -> Value {
    serde_json::from_str(&ask(socket, message)).unwrap()
}

#[test]
fn a_handshake_is_judged_by_its_head() {
    let token = "beat-beat-beat-beat";
    let config = "[access]\nbeat_tokens = [{ file = \"{dir}/tokens\" }]\n";
    let hb = Setup::new(config).file("tokens", token).start();
    let bearer = format!("Bearer {token}");
    let with =
        |changes: &[(&str, &str)]| hb.ask(handshake(&[changes, &[("Authorization", &bearer)]].concat()));
    for (what, status, reply) in [
        ("nothing of a WebSocket", 426, with(&[("Upgrade", ""), ("Connection", "")])),
        ("another protocol", 426, with(&[("Upgrade", "h2c")])),
        ("an old version", 426, with(&[("Sec-WebSocket-Version", "8")])),
        ("no key", 400, with(&[("Sec-WebSocket-Key", "")])),
        ("a short key", 400, with(&[("Sec-WebSocket-Key", "c2hvcnQ=")])),
        ("no connection", 400, with(&[("Connection", "keep-alive")])),
        ("a page of another site", 403, with(&[("Origin", "http://evil.example")])),
        ("no token", 401, hb.ask(handshake(&[]))),
        ("another method", 405, hb.ask(with_body("POST", "/ws", "", "{}"))),
        ("a plain question", 401, hb.get("/ws")),
    ] {
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
        assert!(reply.json()["error"].is_string(), "{what}");
        if status == 426 {
            assert_eq!(reply.header("sec-websocket-version"), Some("13"), "{what}");
        }
    }
    assert_eq!(hb.metric("heartbeat_beats_total{transport=\"ws\",result=\"denied\"}"), 3);
    for path in ["/ws", "/"] {
        let request = handshake(&[("Authorization", &bearer), ("Origin", "http://hb.lan")]);
        let mut conn = hb.connect();
        conn.send(request.replace("GET /ws", &format!("GET {path}")));
        assert_eq!(conn.head().unwrap().line, OPENED, "{path}");
    }
    assert_eq!(hb.get("/").status, 200, "the page is still one");
}

#[test]
fn words_and_beats_are_answered_in_their_order() {
    let hb = daemon("");
    let mut socket = open(&hb);
    assert_eq!(ask(&mut socket, "PING"), "PONG");
    assert_eq!(
        ask(&mut socket, r#"{"id":"web-1","seq":7,"ts":1770521420}"#),
        r#"{"status":"ok","interval_s":60}"#
    );
    let web = hb.monitor("web-1");
    assert_eq!(
        (&web["transport"], &web["seq"], &web["address"]),
        (&json!("ws"), &json!(7), &json!("127.0.0.1"))
    );
    // The interval may change while it runs.
    assert_eq!(ask_json(&mut socket, r#"{"id":"web-1","interval":"90s"}"#)["interval_s"], 90);
    let many = ask_json(&mut socket, r#"[{"id":"a","interval":5},{"id":"b"},{"id":"no good"},7]"#);
    assert_eq!((&many["accepted"], &many["interval_s"]), (&json!(2), &json!(5)));
    assert_eq!(many["rejected"][0]["field"], "id");
    assert_eq!(many["rejected"][1]["index"], 3);
    assert_eq!(ask_json(&mut socket, "{\"id\":\"c\"}\n{\"id\":\"d\"}\n")["accepted"], 2);
    // What is wrong is said, and the connection stays.
    let wrong = ask_json(&mut socket, r#"{"id":"web-1","grace":-1}"#);
    assert_eq!((wrong["field"].as_str(), wrong["status"].as_str()), (Some("grace"), None));
    assert!(ask_json(&mut socket, "hello")["error"].as_str().unwrap().contains("JSON object"));
    socket.send(Message::binary(&br#"{"id":"e"}"#[..])).unwrap();
    assert_eq!(text(&mut socket), r#"{"status":"ok","interval_s":60}"#);
    for message in ["PING", r#"{"id":"f"}"#, "PING", r#"{"id":""}"#] {
        socket.write(Message::text(message)).unwrap();
    }
    socket.flush().unwrap();
    let answers: Vec<String> = (0..4).map(|_| text(&mut socket)).collect();
    assert_eq!(&answers[..3], ["PONG", r#"{"status":"ok","interval_s":60}"#, "PONG"]);
    assert!(answers[3].contains("\"field\":\"id\""));
    assert_eq!(hb.metric("heartbeat_connections{transport=\"ws\"}"), 1);
    assert_eq!(hb.metric("heartbeat_beats_total{transport=\"ws\",result=\"accepted\"}"), 11);
    assert_eq!(hb.metric("heartbeat_beats_total{transport=\"ws\",result=\"invalid\"}"), 5);
    socket.close(None).unwrap();
    until("the end of the connection", || hb.metric("heartbeat_connections{transport=\"ws\"}") == 0);
}

#[test]
fn a_sign_of_life_is_for_the_monitor_that_was_named() {
    let hb = daemon(
        "[websocket]\nping_interval = \"40s\"\ntimeout = \"2m\"\n[[monitor]]\nmatch = \"fixed\"\ninterval = \"7s\"\n",
    );
    let beats = |id: &str| hb.monitor(id)["beats"].as_u64().unwrap();
    let mut socket = open(&hb);
    // Before one was named it is the address, held to our pings.
    socket.send(Message::Ping("x".into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong("x".into()));
    assert_eq!(ask_json(&mut socket, "{}")["interval_s"], 40);
    assert_eq!(ask(&mut socket, "PING"), "PONG");
    let nameless = hb.monitor("127.0.0.1");
    assert_eq!(
        (&nameless["beats"], &nameless["interval_s"], &nameless["grace_s"]),
        (&json!(3), &json!(40), &json!(80))
    );
    ask(&mut socket, r#"{"id":"dev-1","interval":"1h"}"#);
    ask(&mut socket, "PING");
    ask(&mut socket, r#"{"seq":2}"#);
    socket.send(Message::Pong("".into())).unwrap();
    ask(&mut socket, "PING");
    assert_eq!((beats("dev-1"), beats("127.0.0.1")), (5, 3));
    assert_eq!(hb.monitor("dev-1")["interval_s"], 3600, "a sign of life changes no interval");
    // To have said that all is not well is not unsaid by being there.
    ask(&mut socket, r#"{"id":"dev-1","status":"fail"}"#);
    assert_eq!(ask(&mut socket, "PING"), "PONG");
    assert_eq!((hb.monitor("dev-1")["state"].as_str(), beats("dev-1")), (Some("down"), 6));
    ask(&mut socket, r#"{"status":"ok"}"#);
    assert_eq!(hb.monitor("dev-1")["state"], "up");
    ask(&mut socket, r#"{"id":"fixed","interval":"5m"}"#);
    ask(&mut socket, "PING");
    assert_eq!(hb.monitor("fixed")["interval_s"], 7, "the configuration decides");
}

#[test]
fn a_browser_line_by_line_as_the_seed_has_it() {
    // new WebSocket("ws://example.com") without a path; send("PING"); onmessage: data === "PONG".
    let hb = daemon("");
    let mut socket = open_at(&hb, "/");
    assert_eq!(ask(&mut socket, "PING"), "PONG");
    hb.wait_for_log("from: 127.0.0.1");
}

#[test]
fn who_answers_pings_stays_and_who_is_silent_is_closed() {
    let hb = daemon("[websocket]\nping_interval = \"1s\"\ntimeout = \"6s\"\n");
    let mut silent = Raw::open(&hb, b"");
    let mut replaced = Raw::open(&hb, &masked(0x81, br#"{"id":"lively"}"#));
    assert!(replaced.frame().is_some());
    let mut lively = open(&hb);
    ask(&mut lively, r#"{"id":"lively"}"#);
    // Reading answers the server's pings.
    let stream = lively.get_ref().try_clone().unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let heard = std::thread::spawn(move || {
        // The end of one whose sender has another connection by now is nobody's end.
        assert_eq!(replaced.rest().last().map(String::as_str), Some("close 1008"));
        silent.rest()
    });
    while !heard.is_finished() {
        match lively.read() {
            Ok(Message::Ping(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(tungstenite::Error::Io(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let heard = heard.join().unwrap();
    assert!(heard.len() >= 2 && heard[..heard.len() - 1].iter().all(|frame| frame == "ping "), "{heard:?}");
    assert_eq!(heard.last().unwrap(), "close 1008");
    hb.wait_for_log("The client 127.0.0.1 has be offline.");
    assert!(
        !hb.log().lines().any(|line| line.contains("offline") && line.contains("lively")),
        "{}",
        hb.log()
    );
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(ask(&mut lively, "PING"), "PONG");
    assert!(hb.monitor("lively")["beats"].as_u64().unwrap() > 3, "pongs are beats");
}

#[test]
fn nobody_is_closed_for_time_in_which_the_server_stood_still() {
    let hb = daemon("[websocket]\nping_interval = \"1s\"\ntimeout = \"5s\"\n");
    let (mut socket, mut quiet) = (open(&hb), Raw::open(&hb, b""));
    assert_eq!(ask(&mut socket, "PING"), "PONG");
    // Its thread shall be caught waiting, not in the middle of its turn.
    wait_until_asleep(hb.pid());
    hb.signal(Signal::SIGSTOP);
    // Nothing to wait for: that this time passes is what is tried.
    std::thread::sleep(Duration::from_secs(9));
    while quiet.has_frame() {
        quiet.frame().unwrap();
    }
    hb.signal(Signal::SIGCONT);
    // Pings leave in the same turn that looks for silence, so it has been looked for before we speak.
    let (first, payload) = quiet.frame().unwrap();
    assert_eq!(in_words(first, &payload), "ping ");
    assert_eq!(ask(&mut socket, "PING"), "PONG");
}

#[test]
fn a_stop_says_that_it_goes_away() {
    let mut hb = daemon("");
    let mut socket = open(&hb);
    let mut deaf = Raw::open(&hb, b"");
    ask(&mut socket, "PING");
    socket.send(Message::text(r#"{"id":"last"}"#)).unwrap();
    hb.signal(Signal::SIGTERM);
    let mut texts = Vec::new();
    let (code, reason) = loop {
        match socket.read().unwrap() {
            Message::Text(text) => texts.push(text.to_string()),
            Message::Close(close) => {
                let close = close.unwrap();
                break (close.code, close.reason.to_string());
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((code, reason.as_str()), (CloseCode::Away, "the server stops"));
    assert_eq!(texts.len(), 1, "what had arrived is answered first");
    assert_eq!(deaf.frame().map(|(first, payload)| in_words(first, &payload)), Some("close 1001".into()));
    assert_eq!(hb.wait().code(), Some(0), "nobody is waited for who does not close");
}

#[test]
fn frames_sent_with_the_handshake_are_not_lost() {
    let hb = daemon("");
    let ahead = [masked(0x81, b"PING"), masked(0x81, br#"{"id":"early"}"#), masked(0x81, b"PI")].concat();
    let mut raw = Raw::open(&hb, &ahead[..ahead.len() - 3]);
    raw.send(&ahead[ahead.len() - 3..]);
    raw.send(&masked(0x88, &[]));
    let heard = raw.rest();
    assert_eq!(heard[..2], ["PONG", r#"{"status":"ok","interval_s":60}"#]);
    assert!(heard[2].contains("error") && heard[3] == "close", "{heard:?}");
}

#[test]
fn cut_at_every_byte_it_hears_the_same() {
    let hb = daemon("");
    let bytes = [
        masked(0x01, b"PI"),
        masked(0x89, b"between"),
        masked(0x80, b"NG"),
        masked(0x81, r#"{"id":"cut","message":"caf\u00e9 💓"}"#.as_bytes()),
        masked(0x88, b"\x03\xe8all said"),
    ]
    .concat();
    let want = ["pong between", "PONG", r#"{"status":"ok","interval_s":60}"#, "close 1000"];
    let mut raw = Raw::open(&hb, b"");
    for byte in &bytes {
        assert!(raw.send(&[*byte]));
    }
    assert_eq!(raw.rest(), want);
    for cut in 0..bytes.len() {
        let mut raw = Raw::open(&hb, &bytes[..cut]);
        assert!(raw.send(&bytes[cut..]));
        assert_eq!(raw.rest(), want, "{cut}");
    }
}

#[test]
fn each_fault_is_closed_with_its_code() {
    let hb = daemon("[limits]\nbody_bytes = \"1K\"\nbeat_bytes = \"1K\"\n");
    let frames = |frames: &[(u8, &[u8])]| {
        frames.iter().map(|(first, payload)| masked(*first, payload)).collect::<Vec<_>>().concat()
    };
    let big = [b'x'; 1025];
    for (code, what, bytes) in [
        (1002, "2.5 a ping of more than 125 bytes", frames(&[(0x89, &[0; 126])])),
        (1002, "3.1 a reserved bit", frames(&[(0xC1, b"x")])),
        (1002, "3.5 a reserved bit of a ping", frames(&[(0x99, b"")])),
        (1002, "4.1 a reserved opcode", frames(&[(0x83, b"")])),
        (1002, "4.2 a reserved control opcode", frames(&[(0x8B, b"")])),
        (1002, "5.1 a ping in fragments", frames(&[(0x09, b"x"), (0x80, b"y")])),
        (1002, "5.9 nothing to continue", frames(&[(0x80, b"x")])),
        (1002, "5.18 a message in a message", frames(&[(0x01, b"x"), (0x81, b"y")])),
        (1007, "6.3 not UTF-8", frames(&[(0x81, b"\xce\xba\xed\xa0\x80")])),
        (1007, "6.4 not UTF-8, before its frame has come", frames(&[(0x01, b"\xf4\x90")])),
        (1007, "6.4 a character cut short", frames(&[(0x01, b"\xce"), (0x80, b"")])),
        (1002, "7.3 half a code", frames(&[(0x88, b"\x03")])),
        (1007, "7.5 a reason that is not UTF-8", frames(&[(0x88, b"\x03\xe8\xff")])),
        (1002, "7.9 a code that is not to be sent", frames(&[(0x88, b"\x03\xed")])),
        (1009, "9.1 a message over the limit", frames(&[(0x81, &big)])),
        (1009, "9.3 fragments over the limit", frames(&[(0x02, &big[1..]), (0x80, b"x")])),
        (1002, "no mask", b"\x81\x04PING".to_vec()),
        (1002, "a length wider than it needs", b"\x81\xfe\x00\x04\0\0\0\0PING".to_vec()),
    ] {
        let mut raw = Raw::open(&hb, b"");
        raw.send(&bytes);
        raw.send(&masked(0x81, b"PING"));
        assert_eq!(raw.rest(), [format!("close {code}")], "{what}");
    }
    // 7.1: nothing is heard after a close.
    let mut raw = Raw::open(&hb, &frames(&[(0x88, b"\x0b\xb8"), (0x81, b"PING"), (0x89, b"x")]));
    assert_eq!(raw.rest(), ["close 3000"]);
    let mut raw = Raw::open(&hb, &frames(&[(0x81, &big[1..]), (0x88, b"")]));
    let heard = raw.rest();
    assert!(
        heard[0].contains("JSON") && heard[1] == "close",
        "a message as large as allowed is read: {heard:?}"
    );
}

#[test]
fn a_message_that_takes_too_long_is_given_up() {
    let hb = daemon("[limits]\nbody_timeout = \"1s\"\n");
    let mut raw = Raw::open(&hb, &masked(0x01, b"{"));
    let ended = loop {
        std::thread::sleep(Duration::from_millis(50));
        if !raw.send(&masked(0x00, b" ")) {
            break raw.rest();
        }
        let mut first = [0; 1];
        raw.0.set_nonblocking(true).unwrap();
        let closed = raw.0.peek(&mut first).is_ok();
        raw.0.set_nonblocking(false).unwrap();
        if closed {
            break raw.rest();
        }
    };
    assert_eq!(ended, ["close 1008"], "though it is never silent");
}

#[test]
fn a_message_held_open_by_pings_is_given_up() {
    let hb = daemon("[limits]\nbody_timeout = \"1s\"\n");
    let mut raw = Raw::open(&hb, &masked(0x01, b"{"));
    let mut pinging = raw.0.try_clone().unwrap();
    let pings = std::thread::spawn(move || {
        while pinging.write_all(&masked(0x89, b"x")).is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let heard = raw.rest();
    assert_eq!(heard.last().map(String::as_str), Some("close 1008"), "{heard:?}");
    raw.0.shutdown(std::net::Shutdown::Both).unwrap_or_default();
    pings.join().unwrap();
    // Where no message has begun, pings hold a connection open as ever.
    let mut raw = Raw::open(&hb, b"");
    for _ in 0..30 {
        assert!(raw.send(&masked(0x89, b"y")[..3]));
        std::thread::sleep(Duration::from_millis(50));
        assert!(raw.send(&masked(0x89, b"y")[3..]));
        assert_eq!(raw.frame(), Some((0x8a, b"y".to_vec())));
    }
}

#[test]
fn who_never_reads_is_given_up_and_costs_little() {
    let hb = daemon("log.beats = false\n[limits]\nwrite_timeout = \"1s\"\n");
    let mut raw = Raw::open(&hb, b"");
    raw.0.set_write_timeout(Some(PATIENCE)).unwrap();
    // Some kilobytes are said to each of these.
    let message = masked(0x81, format!("[{}0]", "0,".repeat(999)).as_bytes());
    let mut sent = 0;
    while raw.send(&message) {
        sent += 1;
        assert!(sent < 10_000, "it is read for ever");
    }
    until("its end", || hb.metric("heartbeat_connections{transport=\"ws\"}") == 0);
    assert_eq!(hb.get("/healthz").status, 200);
}

#[test]
fn answers_keep_their_order_though_they_are_read_late() {
    let hb = daemon("log.beats = false\n");
    let mut raw = Raw::open(&hb, b"");
    // Some kilobytes are said to each: more than the sockets hold.
    let lengths = || (0..1_500).map(|n| 200 + n % 50);
    let mut sender = raw.0.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        for count in lengths() {
            let many = format!("[{}0]", "0,".repeat(count - 1));
            sender.write_all(&masked(0x81, many.as_bytes())).unwrap();
            sender.write_all(&masked(0x81, b"PING")).unwrap();
        }
    });
    wait_until_backed_up(hb.place.port('a'), raw.0.local_addr().unwrap().port());
    for count in lengths() {
        let (first, payload) = raw.frame().unwrap();
        let said: Value = serde_json::from_str(&in_words(first, &payload)).unwrap();
        assert_eq!(said["rejected"].as_array().unwrap().len(), 100);
        assert_eq!(said["rejected_more"], json!(count - 100));
        assert_eq!(raw.frame().map(|(first, payload)| in_words(first, &payload)).as_deref(), Some("PONG"));
    }
    sending.join().unwrap();
}

#[test]
fn whose_network_is_shut_out_is_closed_at_once() {
    let hb = daemon("");
    let mut socket = open(&hb);
    assert_eq!(ask(&mut socket, "PING"), "PONG");
    hb.place.configure("access.deny = [\"127.0.0.1\"]\n");
    hb.signal(Signal::SIGHUP);
    match socket.read().unwrap() {
        Message::Close(Some(close)) => {
            assert_eq!(close.code, CloseCode::Policy);
            assert!(close.reason.contains("access.deny"), "{}", close.reason);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_control_socket_opens_one_too() {
    let hb = daemon("");
    let mut conn: Conn = hb.control();
    conn.send(handshake(&[]));
    assert_eq!(conn.head().unwrap().line, OPENED);
    let mut plain = hb.connect();
    plain.send(get("/ws"));
    assert_eq!(plain.reply().status, 426);
}
