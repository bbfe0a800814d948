//! A restart under a service manager that keeps files: the next process goes on with listeners and connections.

use crate::client::{Conn, beat, get};
use crate::harness::{Daemon, PROGRAM, Place, until};
use crate::kernel::wait_until_backed_up;
use crate::skip::skip;
use crate::ws::{Raw, in_words, masked};
use nix::sys::signal::Signal;
use std::process::{Command, Stdio};

/// A daemon under a manager of ours.
struct Managed {
    /// The manager, with the daemon's folder and ports.
    hb: Daemon,
    starts: u32,
}

impl Managed {
    /// Nothing without python.
    fn new(config: &str) -> Option<Managed> {
        if Command::new("python3").arg("--version").output().is_err() {
            skip("no python3 here");
            return None;
        }
        let place = Place::new();
        place.configure(config);
        let mut command = place.command_of("python3");
        command.arg(crate::harness::project("tests/integration/store.py")).arg(place.path(""));
        command.arg(PROGRAM).arg("--config").arg(place.path("heartbeat-server.toml"));
        command.arg("--state-dir").arg(place.path("state")).stdin(Stdio::null());
        Some(Managed { hb: Daemon::of(place, command), starts: 1 })
    }

    /// Has the manager restart it, and waits until the next process is there.
    fn restart(&mut self) {
        self.hb.signal(Signal::SIGHUP);
        self.wait_for_the_next();
    }

    fn wait_for_the_next(&mut self) {
        self.starts += 1;
        let starts = self.starts.to_string();
        until("the next process", || self.hb.place.read("started") == starts);
        until("it answers", || self.hb.get("/healthz").status == 200);
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        self.hb.signal(Signal::SIGTERM);
        self.hb.wait();
    }
}

const BOTH: &str = "[[listen]]\naddress = \"127.0.0.1:{a}\"\n\
                    [[listen]]\nname = \"tcp\"\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{b}\"\n\
                    [tcp]\nping_interval = \"1s\"\nanonymous = \"ip:port\"\n";

#[test]
fn whose_connection_a_proxy_brought_is_known_in_the_next_process() {
    let announced = "proxies = [\"127.0.0.1\"]\nproxy_header = \"proxy-protocol\"\n";
    let config = format!(
        "[[listen]]\naddress = \"127.0.0.1:{{a}}\"\n\
         [[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{{b}}\"\n{announced}\
         [[listen]]\nname = \"web\"\naddress = \"127.0.0.1:{{c}}\"\n{announced}"
    );
    let Some(mut all) = Managed::new(&config) else { return };
    let header = "PROXY TCP4 192.168.7.7 10.0.0.1 1 2\r\n";
    let (mut raw, mut web) = (Conn::tcp(&all.hb.address_of('b')), Conn::tcp(&all.hb.address_of('c')));
    raw.send(format!("{header}BEAT raw-1\n"));
    raw.text_until("OK 60\n");
    web.send(format!("{header}{}", beat(r#"{"id":"web-1"}"#)));
    assert_eq!(web.reply().status, 200);
    all.restart();
    raw.send("BEAT raw-2\n");
    raw.text_until("OK 60\n");
    web.send(beat(r#"{"id":"web-2"}"#));
    assert_eq!(web.reply().status, 200);
    for id in ["raw-1", "raw-2", "web-1", "web-2"] {
        assert_eq!(all.hb.monitor(id)["address"], "192.168.7.7", "{id}");
    }
}

#[test]
fn what_has_begun_in_one_process_ends_in_the_next() {
    let Some(mut all) = Managed::new(BOTH) else { return };
    let tcp = || Conn::tcp(&all.hb.address_of('b'));

    // HTTP: idle, half a head, half a body, two beats and half of a third; and one that hyper has had.
    let whole = beat(r#"{"id":"http"}"#);
    let mut http: Vec<(Conn, &str)> = Vec::new();
    for sent in ["", &whole[..9], &whole[..whole.len() - 3]] {
        let mut conn = all.hb.connect();
        conn.send(&whole);
        assert_eq!(conn.reply().status, 200);
        conn.send(sent);
        http.push((conn, &whole[sent.len()..]));
    }
    let mut asked = all.hb.connect();
    asked.send(get("/api/v1/status"));
    assert_eq!(asked.reply().status, 200);
    http.push((asked, &whole));
    let mut asked = all.hb.connect();
    asked.send(get("/api/v1/status"));
    assert_eq!(asked.reply().status, 200);
    asked.send("GET /api/v1/sta");
    let mut ends = all.hb.connect();
    ends.send(get("/api/v1/events"));
    assert_eq!(ends.head().unwrap().status, 200);

    // Raw TCP: half a line, a word that may become a line, half a frame, one that is asked and one that has said nothing.
    let mut line = tcp();
    line.send("BEAT web-1 seq=1\nBEAT web-1 se");
    line.text_until("OK 60\n");
    let mut word = tcp();
    word.send("PIN");
    let mut frame = tcp();
    frame.send(b"\0\0\0\0\0\0\0\0\x01\0\0\0\x05\0");
    let mut pong = tcp();
    pong.text_until("ping");
    pong.send("pong");
    let mut silent = tcp();
    until("all of them are there", || {
        all.hb.get("/api/v1/monitors").json()["monitors"].as_array().map_or(0, Vec::len) == 4
    });

    let own = |hb: &Daemon| {
        let list = hb.get("/api/v1/monitors").json();
        let own =
            list["monitors"].as_array().unwrap().iter().find(|m| m["id"].as_str().unwrap().contains(':'));
        own.map(|own| (own["id"].clone(), own["number"].clone(), own["since"].clone()))
    };
    let before = own(&all.hb).unwrap();

    // WebSocket: half a frame behind a fragment, and one that has closed.
    let mut ws = Raw::open(&all.hb, b"");
    let message = masked(0x81, br#"{"id":"ws","seq":7}"#);
    ws.send(&masked(0x81, b"PING"));
    assert_eq!(in_words(0x81, &ws.frame().unwrap().1), "PONG");
    ws.send(&masked(0x01, br#"{"id":"w"#));
    ws.send(&masked(0x80, br#"s","seq":8}"#)[..7]);
    let mut idle = Raw::open(&all.hb, b"");
    idle.send(&message);
    assert!(in_words(0x81, &idle.frame().unwrap().1).contains("ok"));

    for round in 1..=2 {
        all.restart();
        assert_eq!(own(&all.hb).as_ref(), Some(&before), "it is the same monitor as before");
        until("it says that it goes on", || {
            all.hb.log().matches("process before: 12; closed: 0").count() == round
        });
    }

    for (mut conn, rest) in http {
        conn.send(rest);
        assert_eq!(conn.reply().status, 200, "after {rest:?}");
        conn.send(&whole);
        assert_eq!(conn.reply().status, 200);
    }
    asked.send("tus HTTP/1.1\r\nHost: hb\r\n\r\n");
    assert_eq!(asked.reply().status, 200);
    let last = ends.everything();
    assert!(last.ends_with(b"0\r\n\r\n"), "the stream of events has an end: {last:?}");

    line.send("q=2\n");
    line.text_until("OK 60\n");
    word.send("G\n");
    word.text_until("PONG\n");
    frame.send(b"\0\0abcde");
    pong.text_until("ping");
    pong.send("pong");
    silent.text_until("ping");
    ws.send(&masked(0x80, br#"s","seq":8}"#)[7..]);
    assert!(in_words(0x81, &ws.frame().unwrap().1).contains("ok"));
    idle.send(&masked(0x81, b"PING"));
    assert_eq!(in_words(0x81, &idle.frame().unwrap().1), "PONG");
    let monitor = all.hb.monitor("web-1");
    assert_eq!((&monitor["seq"], &monitor["beats"], &monitor["gaps"]), (&2.into(), &2.into(), &0.into()));
    assert_eq!(all.hb.monitor("ws")["seq"], 8);
    // Nobody was told to have gone.
    assert!(!all.hb.log().contains("disconnected"), "{}", all.hb.log());

    // What the next process took over ends there as it would have: the monitor of a connection goes with it.
    let mine = |hb: &Daemon| {
        let list = hb.get("/api/v1/monitors").json();
        let ids = list["monitors"].as_array().unwrap().iter().filter_map(|m| m["id"].as_str());
        ids.filter(|id| id.starts_with("127.0.0.1:")).count()
    };
    assert_eq!(mine(&all.hb), 3, "word, frame and pong");
    drop(pong);
    until("its monitor goes", || mine(&all.hb) == 2);
}

#[test]
fn answers_that_were_not_read_are_read_later() {
    let Some(mut all) = Managed::new(BOTH) else { return };
    let mut deaf = all.hb.connect();
    let count = 80_000;
    let mut writer = deaf.clone_stream();
    let sending = std::thread::spawn(move || {
        let whole = beat(r#"{"id":"deaf"}"#);
        (0..count).all(|_| writer.send(&whole))
    });
    wait_until_backed_up(all.hb.place.port('a'), deaf.local_port());
    all.restart();
    for number in 0..count {
        assert_eq!(deaf.reply().status, 200, "answer {number}");
    }
    assert!(sending.join().unwrap());
    assert_eq!(all.hb.monitor("deaf")["beats"], count);
}

#[test]
fn a_killed_process_leaves_its_port_and_one_that_is_stopped_does_not() {
    let Some(mut all) = Managed::new(BOTH) else { return };
    let first = all.hb.get("/metrics");
    assert_eq!(first.status, 200);
    let address = all.hb.address();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let knocking = {
        let (stop, address) = (stop.clone(), address.clone());
        std::thread::spawn(move || {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                // Refused would be an error here; whether it is answered is another thing.
                drop(std::net::TcpStream::connect(&address).unwrap());
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        })
    };
    for _ in 0..5 {
        let child = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", all.hb.pid())).unwrap();
        let child = nix::unistd::Pid::from_raw(child.trim().parse().unwrap());
        nix::sys::signal::kill(child, Signal::SIGKILL).unwrap();
        all.wait_for_the_next();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    knocking.join().unwrap();
    drop(all);
    assert!(std::net::TcpStream::connect(&address).is_err());
}

#[test]
fn a_listener_that_moves_lets_its_old_port_go_and_its_connections_stay() {
    let Some(all) = Managed::new(BOTH) else { return };
    let mut conn = all.hb.connect();
    conn.send(beat("{}"));
    assert_eq!(conn.reply().status, 200);
    // From one address to all, which cannot be bound as long as anybody has the one.
    let moved = BOTH.replace("127.0.0.1:{a}", "{a}").replace("{b}", "{c}");
    all.hb.place.configure(&moved);
    // Whoever waits at the old port meanwhile is turned away with it.
    all.hb.signal(Signal::SIGHUP);
    until("the next process", || all.hb.log().contains("process before: 1; closed: 0"));
    assert!(std::net::TcpStream::connect(all.hb.address_of('b')).is_err(), "nobody is there any more");
    let mut line = Conn::tcp(&all.hb.address_of('c'));
    line.send("PING\n");
    line.text_until("PONG\n");
    let port = all.hb.place.port('a');
    assert!(std::net::TcpStream::connect(("127.0.0.2", port)).is_ok(), "now on all addresses");
    conn.send(beat("{}"));
    assert_eq!(conn.reply().status, 200);
}
