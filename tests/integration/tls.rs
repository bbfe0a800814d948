//! TLS under HTTP: the fast path and hyper, certificates of both sides, and what is not TLS.

mod authority;

use crate::client::{Conn, Reply, beat, beat_with, get};
use crate::harness::{Client, Daemon, Setup, until};
use crate::memory::refusals_in;
use crate::ws::{OPENED, handshake, masked};
pub use authority::Authority;
use nix::sys::signal::Signal;
use rcgen::{CertificateParams, IsCa, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

const DAY_S: u64 = 86_400;

/// Plain HTTP at `{a}`, TLS at `{b}`.
const CONFIG: &str = "[[listen]]\naddress = \"127.0.0.1:{a}\"\n[[listen]]\naddress = \"127.0.0.1:{b}\"\n";

fn setup(authority: &Authority, more: &str, top: &str) -> Setup {
    let (certificate, key) = authority.issue("server", &["localhost"], 90 * DAY_S);
    let tls = format!("tls = {{ cert = \"cert.pem\", key = \"key.pem\"{more} }}\n");
    Setup::new(&format!("{top}\n{CONFIG}{tls}"))
        .file("cert.pem", &certificate)
        .file("key.pem", &key)
        .file("ca.pem", &authority.pem())
}

fn connect(daemon: &Daemon, client: &Arc<ClientConfig>) -> Conn {
    Conn::tls(&daemon.address_of('b'), client.clone())
}

fn refused(daemon: &Daemon, reason: &str) -> u64 {
    daemon.metric(&format!("heartbeat_connections_refused_total{{reason=\"{reason}\"}}"))
}

#[test]
fn beats_over_tls_take_the_fast_path_and_the_rest_goes_to_hyper() {
    let authority = Authority::new();
    let daemon = setup(&authority, "", "").start();
    for (n, version) in [&rustls::version::TLS13, &rustls::version::TLS12].into_iter().enumerate() {
        let before = daemon.metric("heartbeat_fast_path_beats_total");
        let client = authority.client_of(&[version], None);
        let mut conn = connect(&daemon, &client);
        assert_eq!(conn.shake().unwrap().protocol_version(), Some(version.version));
        conn.send(beat(&format!("{{\"id\":\"web-{n}\"}}")));
        let reply = conn.reply();
        assert_eq!((reply.status, reply.text()), (200, "{\"status\":\"ok\"}"));
        // Several at once, then one in two pieces.
        conn.send(beat("{\"id\":\"a\"}").repeat(3));
        assert!((0..3).all(|_| conn.reply().status == 200));
        let whole = beat("{\"id\":\"in-pieces\"}");
        conn.send(&whole[..30]);
        conn.send(&whole[30..]);
        assert_eq!(conn.reply().status, 200);
        until("fast beats", || daemon.metric("heartbeat_fast_path_beats_total") == before + 5);
        // hyper has it from here on.
        conn.send(get("/"));
        assert!(conn.reply().text().contains(&format!("web-{n}")));
        let many =
            (0..9_000).map(|n| format!("{{\"id\":\"m\",\"message\":\"{n:0>60}\"}}")).collect::<Vec<_>>();
        let body = format!("[{}]", many.join(","));
        assert!(body.len() > 600_000);
        conn.send(beat(&body));
        assert_eq!(conn.reply().json()["accepted"], 9_000);
        conn.send(get("/api/v1/monitors"));
        assert!(conn.reply().text().contains("\"id\":\"in-pieces\""));
        conn.send(beat_with("Connection: close\r\n", "{}"));
        assert_eq!(conn.reply().status, 200);
        assert!(conn.is_closed(), "with a goodbye");
        // So it ends on the fast path too.
        let mut conn = connect(&daemon, &client);
        conn.send(beat_with("Connection: close\r\n", "{}"));
        assert_eq!(conn.reply().status, 200);
        assert!(conn.is_closed(), "with a goodbye");
    }
    assert_eq!(daemon.monitor("web-0")["transport"], "http");
    until("only the asking connection", || daemon.metric("heartbeat_connections{transport=\"http\"}") == 1);
}

#[test]
fn a_body_that_is_larger_than_every_buffer_goes_through_and_a_large_answer_comes_back() {
    let authority = Authority::new();
    let daemon = setup(&authority, "", "limits.body_bytes = \"8M\"\nlimits.beat_bytes = \"4M\"").start();
    let client = authority.client(None);
    let mut conn = connect(&daemon, &client);
    for part in 0..4 {
        let beats: Vec<String> = (0..1_000).map(|n| format!("{{\"id\":\"m-{part}-{n:0>100}\"}}")).collect();
        conn.send(beat(&format!("[{}]", beats.join(","))));
        assert_eq!(conn.reply().json()["accepted"], 1_000);
    }
    conn.send(beat(&format!("{{\"id\":\"x\",\"unknown\":\"{}\"}}", "y".repeat(3_000_000))));
    assert_eq!(conn.reply().status, 200);
    conn.send(get("/api/v1/monitors?limit=10000"));
    let reply = conn.reply();
    assert!(reply.body.len() > 1_000_000, "{}", reply.body.len());
    assert_eq!(reply.json()["monitors"].as_array().unwrap().len(), 4_001);
    // Too large is told, though the body is still on its way.
    let mut conn = connect(&daemon, &client);
    let head = "POST / HTTP/1.1\r\nHost: hb\r\nContent-Length: 99000000\r\n\r\n";
    conn.send(head);
    conn.send("z".repeat(100_000));
    assert_eq!(conn.reply().status, 413);
}

#[test]
fn a_client_that_reads_late_gets_every_answer() {
    const BEATS: usize = 40_000;
    let authority = Authority::new();
    let daemon = setup(&authority, "", "log.beats = false").start();
    let mut conn = connect(&daemon, &authority.client(None));
    // Its kernel takes little, so that the server's socket is full long before it reads.
    conn.take_little_at_once();
    let some = beat("{\"id\":\"late\"}").repeat(BEATS / 100);
    for _ in 0..100 {
        assert!(conn.send(&some));
    }
    for n in 0..BEATS {
        assert_eq!(conn.reply().status, 200, "answer {n}");
    }
    assert_eq!(daemon.monitor("late")["beats"], BEATS);
    // The same over hyper, with answers of their own size.
    let big = "x".repeat(9_000);
    for n in 0..200 {
        assert_eq!(daemon.beat(&format!("{{\"id\":\"big-{n}\",\"message\":\"{big}\"}}")).status, 200);
    }
    for _ in 0..10 {
        conn.send(get("/api/v1/monitors?limit=1000"));
    }
    for _ in 0..10 {
        assert_eq!(conn.reply().json()["monitors"].as_array().map(Vec::len), Some(201));
    }
}

#[test]
fn events_come_over_tls_as_they_happen_and_a_stop_says_goodbye() {
    let authority = Authority::new();
    let mut daemon = setup(&authority, "", "").start();
    let client = authority.client(None);
    let mut events = connect(&daemon, &client);
    events.send(get("/api/v1/events"));
    assert_eq!(events.head().unwrap().status, 200);
    daemon.beat("{\"id\":\"told\"}");
    events.text_until("told");
    let mut idle = connect(&daemon, &client);
    idle.send(beat("{}"));
    assert_eq!(idle.reply().status, 200);
    let mut shaking = Conn::tcp(&daemon.address_of('b'));
    shaking.send([22, 3, 1]);
    daemon.signal(Signal::SIGTERM);
    assert!(idle.is_closed(), "with a goodbye");
    assert!(shaking.is_closed());
    events.everything();
    assert!(daemon.wait().success());
}

#[test]
fn what_tls_keeps_of_a_connection_counts_as_what_it_holds() {
    let authority = Authority::new();
    let limits = "[limits]\nmemory = \"4M\"\nthreads = 2\nidle_timeout = \"10m\"\n";
    let daemon = setup(&authority, "", limits).start();
    let client = authority.client(None);
    let refused_for_memory =
        |reply: &Reply| refusals_in(reply.text(), &["memory_per_address", "memory_shed"]);
    let mut held = Vec::new();
    for _ in 0..110 {
        let mut conn = connect(&daemon, &client);
        // hyper has it from here on.
        conn.send(get("/healthz"));
        assert_eq!(conn.reply().status, 200);
        held.push(conn);
    }
    assert_eq!(refused_for_memory(&daemon.get("/metrics")), 0);
    // The beginning of a record, which cannot be read before its end has come.
    let mut record = vec![0x17, 3, 3, 0x40, 0];
    record.resize(16_000, 0);
    held.iter_mut().for_each(|conn| _ = conn.send_beneath(&record));
    // Whoever asks may be one too many.
    until("it is too much", || {
        let reply = daemon.ask(get("/metrics"));
        reply.status == 429 || refused_for_memory(&reply) > 0
    });
}

#[test]
fn what_is_no_tls_ends_cleanly_and_is_counted() {
    let authority = Authority::new();
    let top = "log.level = \"debug\"\nlimits.header_timeout = \"1s\"";
    let daemon = setup(&authority, "", top).start();
    let before = refused(&daemon, "tls");
    let mut plain = Conn::tcp(&daemon.address_of('b'));
    plain.send(get("/"));
    let said = plain.everything();
    assert!(said.is_empty() || said[0] == 21, "an alert or nothing: {said:?}");
    let mut noise = Conn::tcp(&daemon.address_of('b'));
    noise.send([0x5a; 5_000]);
    noise.everything();
    daemon.wait_for_log("TLS refused: 127.0.0.1 on 127.0.0.1:");
    until("both are counted", || refused(&daemon, "tls") == before + 2);
    // Who says nothing more has the time of a request head.
    let mut slow = Conn::tcp(&daemon.address_of('b'));
    slow.send([22, 3, 1]);
    assert!(slow.is_closed());
    let mut silent = Conn::tcp(&daemon.address_of('b'));
    assert!(silent.is_closed());
    assert_eq!(refused(&daemon, "timeout"), 2);
    // Everybody else is served as before; and for a request the time begins anew.
    let mut conn = connect(&daemon, &authority.client(None));
    conn.send(beat("{}"));
    assert_eq!(conn.reply().status, 200);
    conn.send("POST / HTTP/1.1\r\nHost");
    assert_eq!(conn.reply().status, 408);
    assert!(conn.is_closed());
}

#[test]
fn the_name_in_the_certificate_of_a_client_is_its_monitor() {
    let authority = Authority::new();
    let daemon = setup(&authority, ", client_ca = \"ca.pem\"", "").start();
    let shows = authority.issue("other", &["web-1.example", "web-2.example"], DAY_S);
    let client = authority.client(Some(&shows));
    let mut conn = connect(&daemon, &client);
    conn.send(beat("{}"));
    assert_eq!(conn.reply().status, 200);
    conn.send(beat("{\"id\":\"named\"}"));
    assert_eq!(conn.reply().status, 200);
    // Over hyper it is the same, and after a resumed handshake too.
    conn.send(get("/healthz"));
    assert_eq!(conn.reply().status, 200);
    conn.send(beat("{}"));
    assert_eq!(conn.reply().status, 200);
    let mut again = connect(&daemon, &client);
    again.send(beat("{}"));
    assert_eq!(again.reply().status, 200);
    assert_eq!(again.shake().unwrap().handshake_kind(), Some(rustls::HandshakeKind::Resumed));
    let monitor = daemon.monitor("web-1.example");
    assert_eq!((&monitor["beats"], &monitor["address"]), (&3.into(), &"127.0.0.1".into()));
    assert_eq!(daemon.monitor("named")["beats"], 1);
    assert_eq!(daemon.get("/api/v1/monitors/127.0.0.1").status, 404);
    let by_common_name = authority.issue("printer", &[], DAY_S);
    let mut conn = connect(&daemon, &authority.client(Some(&by_common_name)));
    conn.send(beat("{}"));
    assert_eq!(conn.reply().status, 200);
    assert_eq!(daemon.monitor("printer")["beats"], 1);

    // Whoever shows none, or one of somebody else's, is not let in.
    let before = refused(&daemon, "tls");
    let stranger = Authority::new().issue("stranger", &[], DAY_S);
    for shows in [None, Some(&stranger)] {
        let mut conn = connect(&daemon, &authority.client(shows));
        // TLS 1.3 is done for the client before the server has seen its certificate.
        let said = conn.shake().map(|_| ()).and_then(|()| match conn.send(beat("{}")) {
            true => conn.try_reply().map(|_| ()),
            false => Err("closed".into()),
        });
        assert!(said.is_err());
    }
    until("both are counted", || refused(&daemon, "tls") == before + 2);
    assert_eq!(daemon.get("/api/v1/monitors/stranger").status, 404);
}

#[test]
fn a_web_socket_stays_under_tls_and_speaks_for_its_certificate() {
    let authority = Authority::new();
    let mut daemon = setup(&authority, ", client_ca = \"ca.pem\"", "").start();
    let shows = authority.issue("socket-1", &[], DAY_S);
    let mut conn = connect(&daemon, &authority.client(Some(&shows)));
    // Frames in the same record as the handshake are not lost on the way between the threads.
    conn.send([handshake(&[]).as_bytes(), &masked(0x81, b"PING")].concat());
    assert_eq!(conn.head().unwrap().line, OPENED);
    assert_eq!(conn.text_until("PONG"), "\u{fffd}\u{4}PONG");
    conn.send(masked(0x81, b"{\"seq\":1}"));
    conn.text_until("{\"status\":\"ok\",\"interval_s\":60}");
    // More than one record holds, in both directions.
    let many = (0..9_000).map(|n| format!("{{\"id\":\"m\",\"message\":\"{n:0>60}\"}}")).collect::<Vec<_>>();
    conn.send(masked(0x81, format!("[{}]", many.join(",")).as_bytes()));
    conn.text_until("\"accepted\":9000");
    conn.send(masked(0x81, format!("[{}]", "0,".repeat(9_000) + "0").as_bytes()));
    // The first hundred are named, the others counted.
    conn.text_until("\"rejected_more\":8901");
    assert_eq!(daemon.monitor("socket-1")["beats"], 2);
    assert_eq!(daemon.monitor("socket-1")["transport"], "ws");
    daemon.signal(Signal::SIGTERM);
    conn.text_until("the server stops");
    conn.send(masked(0x88, b"\x03\xe9"));
    assert_eq!(daemon.wait().code(), Some(0));
}

/// Raw TCP under TLS at `{c}`, where clients show certificates as they do at `{b}`.
fn with_tcp(authority: &Authority) -> Setup {
    let tcp = "[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{c}\"";
    let papers = "cert = \"cert.pem\", key = \"key.pem\", client_ca = \"ca.pem\"";
    setup(authority, &format!(", client_ca = \"ca.pem\" }}\n{tcp}\ntls = {{ {papers}"), "")
}

#[test]
fn every_dialect_of_raw_tcp_is_spoken_under_tls_too() {
    let authority = Authority::new();
    let daemon = with_tcp(&authority).start();
    let connect_as = |name: &str| {
        let shows = authority.issue(name, &[], DAY_S);
        Conn::tls(&daemon.address_of('c'), authority.client(Some(&shows)))
    };
    let mut lines = connect_as("lines");
    lines.send("PING\nBEAT web seq=7\n");
    lines.text_until("PONG\n");
    assert_eq!(lines.text_until("\n"), "OK 60\n");
    // In records of a byte each.
    for byte in b"BEAT web seq=8\n".chunks(1) {
        lines.send(byte);
    }
    assert_eq!(lines.text_until("\n"), "OK 60\n");
    lines.send("BEAT web\n".repeat(5_000));
    for _ in 0..5_000 {
        lines.text_until("OK 60\n");
    }
    assert_eq!((&daemon.monitor("web")["beats"], &daemon.monitor("web")["seq"]), (&5_002.into(), &8.into()));
    lines.send("QUIT\n");
    lines.everything();
    // Who says nothing is asked, once the handshake is over.
    let mut pong = connect_as("pong");
    pong.shake().unwrap();
    assert_eq!(pong.text_until("ping"), "ping");
    pong.send("pong");
    until("a beat of the certificate", || daemon.get("/api/v1/monitors/pong").status == 200);
    assert_eq!(daemon.monitor("pong")["transport"], "tcp");
    let mut frames = connect_as("frames");
    frames.send([0u8; 8]);
    until("a beat of the certificate", || daemon.get("/api/v1/monitors/frames").status == 200);
    assert_eq!(daemon.get("/api/v1/monitors/127.0.0.1").status, 404);
}

#[test]
fn our_own_client_speaks_tls_and_believes_nobody_else() {
    let authority = Authority::new();
    let daemon = with_tcp(&authority).start();
    let (certificate, key) = authority.issue("client", &[], DAY_S);
    daemon.place.write("client.pem", &certificate);
    daemon.place.write("client-key.pem", &key);
    daemon.place.write("other.pem", &Authority::new().pem());
    let send = |url: &str, ca: &str, id: &str| {
        let args =
            ["send", "--to", url, "--id", id, "--ca", ca, "--cert", "client.pem", "--key", "client-key.pem"];
        Client::new(&daemon.place).args(&args).run()
    };
    for (url, id) in [
        ("https://localhost:{b}", "by-https"),
        ("wss://localhost:{b}", "by-wss"),
        ("tls://localhost:{c}", "by-tls"),
    ] {
        assert_eq!(send(url, "ca.pem", id), (0, String::new()), "{url}");
        assert_eq!(daemon.monitor(id)["beats"], 1);
        let (code, said) = send(url, "other.pem", id);
        assert!(
            code == 76 && said.contains("no TLS with ") && said.contains("--ca"),
            "{url}: {code}: {said}"
        );
        let (code, said) = send(&url.replace("localhost", "127.0.0.1"), "ca.pem", id);
        assert!(code == 76 && said.contains("127.0.0.1"), "another name: {code}: {said}");
    }
    let (code, said) = send("https://localhost:{a}", "ca.pem", "plain");
    assert!(code == 76 && said.contains("begins with http://"), "no TLS there: {code}: {said}");
    assert_eq!(send("https://localhost:{b}", "none.pem", "x").0, 66);
}

#[test]
fn of_a_certificate_that_signed_itself_is_said_what_to_do() {
    let key = KeyPair::generate().unwrap();
    for (is_ca, says) in
        [(IsCa::Ca(rcgen::BasicConstraints::Unconstrained), "CA:FALSE"), (IsCa::ExplicitNoCa, "")]
    {
        let mut params = CertificateParams::new(vec!["localhost".to_string()]).unwrap();
        params.is_ca = is_ca;
        let (own, key) = (params.self_signed(&key).unwrap().pem(), key.serialize_pem());
        let listen = "[[listen]]\naddress = \"127.0.0.1:{a}\"\n[[listen]]\naddress = \"127.0.0.1:{b}\"\n\
            tls = { cert = \"{dir}/own.pem\", key = \"{dir}/own-key.pem\" }\n";
        let daemon = Setup::new(listen).file("own.pem", &own).file("own-key.pem", &key).start();
        let line = ["send", "--to", "https://localhost:{b}", "--id", "x", "--ca", "own.pem"];
        let (code, said) = Client::new(&daemon.place).args(&line).run();
        assert_eq!(code, if says.is_empty() { 0 } else { 76 }, "{said}");
        assert!(said.contains(says) && !said.contains("OtherError"), "{said}");
    }
}

#[test]
fn certificates_of_clients_may_be_optional_and_a_proxys_names_nobody_else() {
    let authority = Authority::new();
    let more = ", client_ca = \"ca.pem\", client_auth = \"optional\"";
    let daemon = setup(&authority, &format!("{more} }}\nproxies = [\"127.0.0.1\"]\n#{{"), "").start();
    let mut conn = connect(&daemon, &authority.client(None));
    conn.send(beat("{}"));
    assert_eq!(conn.reply().status, 200);
    assert_eq!(daemon.monitor("127.0.0.1")["beats"], 1);
    let shows = authority.issue("proxy", &[], DAY_S);
    let mut conn = connect(&daemon, &authority.client(Some(&shows)));
    conn.send(beat("{}"));
    assert_eq!(conn.reply().status, 200);
    assert_eq!(daemon.monitor("proxy")["beats"], 1);
    conn.send(beat_with("X-Forwarded-For: 10.1.2.3\r\n", "{}"));
    assert_eq!(conn.reply().status, 200);
    assert_eq!(daemon.monitor("10.1.2.3")["beats"], 1);
    assert_eq!(daemon.monitor("proxy")["beats"], 1);
}

#[test]
fn certificates_are_read_again_on_sighup_and_a_bad_one_changes_nothing() {
    let authority = Authority::new();
    let daemon = setup(&authority, "", "").start();
    let client = authority.client(None);
    let shown = |conn: &mut Conn| conn.shake().unwrap().peer_certificates().unwrap()[0].clone().into_owned();
    let mut old = connect(&daemon, &client);
    let first = shown(&mut old);
    old.send(beat("{}"));
    assert_eq!(old.reply().status, 200);

    let (certificate, key) = authority.issue("server", &["localhost"], 5 * DAY_S);
    daemon.place.write("cert.pem", &certificate);
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log("key.pem: the key does not belong to the certificate");
    assert_eq!(shown(&mut connect(&daemon, &client)), first, "the old one stays");

    daemon.place.write("key.pem", &key);
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log("expires on ");
    daemon.wait_for_log(" in 4 days; renew it");
    let second = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    until("the new one", || shown(&mut connect(&daemon, &client)) == second);
    // Who came before goes on.
    old.send(beat("{}"));
    assert_eq!(old.reply().status, 200);
    assert!(!daemon.log().contains("restart"), "nothing needs a restart: {}", daemon.log());
}

#[test]
fn check_config_shows_the_certificate_and_its_end() {
    let authority = Authority::new();
    let (code, said) = setup(&authority, ", client_ca = \"ca.pem\"", "").args(&["check-config"]).run();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("TLS as CN=server until 2"), "{said}");
    assert!(said.contains("clients must show a certificate"), "{said}");
    let (code, said) = setup(&authority, "", "").file("key.pem", "nothing").args(&["check-config"]).run();
    assert!(code == 78 && said.contains(": listen.tls.key: "), "{code}: {said}");
}

#[test]
fn others_clients_find_nothing_to_complain_of() {
    let authority = Authority::new();
    let daemon = setup(&authority, ", client_ca = \"ca.pem\", client_auth = \"optional\"", "").start();
    let (certificate, key) = authority.issue("curl", &[], DAY_S);
    daemon.place.write("client.pem", &certificate);
    daemon.place.write("client-key.pem", &key);
    let url = format!("https://localhost:{}/", daemon.place.port('b'));
    let curl = |more: &[&str]| {
        let mut command = Command::new("curl");
        command.current_dir(daemon.place.path("")).args(["-sS", "--cacert", "ca.pem", "-4"]);
        command.args(more).arg(&url).output()
    };
    if let Ok(output) = curl(&["-d", "{}", "--cert", "client.pem", "--key", "client-key.pem"]) {
        assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"status\":\"ok\"}", "{output:?}");
        assert_eq!(daemon.monitor("curl")["beats"], 1);
        let output = curl(&["--tls-max", "1.2"]).unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("<html"), "{output:?}");
    }
    let openssl = Command::new("openssl")
        .args(["s_client", "-quiet", "-verify_return_error", "-CAfile", "ca.pem", "-alpn", "http/1.1"])
        .args(["-connect", &daemon.address_of('b'), "-servername", "localhost", "-ign_eof"])
        .current_dir(daemon.place.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    if let Ok(mut openssl) = openssl {
        let request = beat_with("Connection: close\r\n", "{\"id\":\"openssl\"}");
        openssl.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
        let output = openssl.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.starts_with("HTTP/1.1 200 OK\r\n"), "{output:?}");
        // It complains of an end without a goodbye.
        assert!(!String::from_utf8_lossy(&output.stderr).contains("unexpected eof"), "{output:?}");
    }
}
