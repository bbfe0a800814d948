//! Who the client is when a proxy stands before us: one header for each listener, and the PROXY protocol.

use crate::client::{Conn, beat, beat_with};
use crate::harness::{Daemon, Setup, daemon, until};
use serde_json::json;

/// By the fast path and, because of the chunks, by the general one.
fn both_ways(headers: &str, body: &str) -> [String; 2] {
    let chunked = format!(
        "POST / HTTP/1.1\r\nHost: hb\r\n{headers}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    [beat_with(headers, body), chunked]
}

fn behind(header: &str) -> Daemon {
    daemon(&format!(
        "[[listen]]\naddress = \"127.0.0.1:{{a}}\"\nproxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\n{header}\
         [[listen]]\naddress = \"127.0.0.1:{{b}}\"\n"
    ))
}

#[test]
fn only_a_trusted_proxy_is_believed_and_by_its_header_alone() {
    for (header, cases) in [
        (
            "proxy_header = \"x-forwarded-for\"\n",
            &[
                ("X-Forwarded-For: 192.168.7.7\r\n", "192.168.7.7"),
                ("X-Forwarded-For: 192.168.6.6, 192.168.7.7, 10.0.0.3\r\n", "192.168.7.7"),
                ("X-Forwarded-For: 192.168.6.6\r\nX-Forwarded-For: 192.168.7.7\r\n", "192.168.7.7"),
                ("X-Forwarded-For: ::ffff:192.168.7.7\r\n", "192.168.7.7"),
                // What a client writes and nginx hands through.
                ("Forwarded: x\r\nX-Forwarded-For: 192.168.7.7\r\n", "192.168.7.7"),
                ("Forwarded: for=10.9.9.9\r\nX-Forwarded-For: 192.168.7.7\r\n", "192.168.7.7"),
                ("X-Real-IP: 10.9.9.9\r\nX-Forwarded-For: 192.168.7.7\r\n", "192.168.7.7"),
                ("", "127.0.0.1"),
            ][..],
        ),
        (
            "proxy_header = \"forwarded\"\n",
            &[
                ("Forwarded: for=192.168.7.7;proto=https\r\n", "192.168.7.7"),
                ("Forwarded: for=\"[fd00::7]:4711\"\r\nX-Forwarded-For: 10.9.9.9\r\n", "fd00::7"),
                ("X-Forwarded-For: 192.168.7.7\r\n", "127.0.0.1"),
            ],
        ),
        (
            "proxy_header = \"x-real-ip\"\n",
            &[("X-Real-IP: 192.168.7.7\r\nX-Forwarded-For: 10.9.9.9\r\n", "192.168.7.7")],
        ),
        ("", &[("X-Forwarded-For: 192.168.7.7\r\nForwarded: for=10.9.9.9\r\n", "192.168.7.7")]),
    ] {
        let hb = behind(header);
        for (n, (headers, from)) in cases.iter().enumerate() {
            for request in both_ways(headers, &format!("{{\"id\":\"p{n}\"}}")) {
                assert_eq!(hb.ask(&request).status, 200, "{header}{request}");
                assert_eq!(hb.monitor(&format!("p{n}"))["address"], json!(from), "{header}{request}");
            }
            hb.wait_for_log(&format!("from: {from}, reported IP: -, id: p{n}"));
            // The second listener trusts nobody.
            let mut conn = Conn::tcp(&hb.address_of('b'));
            conn.send(beat_with(headers, &format!("{{\"id\":\"q{n}\"}}")));
            assert_eq!(conn.reply().status, 200);
            assert_eq!(hb.monitor(&format!("q{n}"))["address"], json!("127.0.0.1"), "{headers}");
        }
    }
}

#[test]
fn what_comes_through_a_proxy_is_judged_as_what_it_is() {
    let hb = behind("proxy_header = \"x-forwarded-for\"\n");
    // A stranger does not become a neighbour by coming through the proxy, whatever else he says of himself.
    for more in ["", "Forwarded: x\r\n", "Forwarded: for=10.9.9.9\r\n", "X-Real-IP: 127.0.0.1\r\n"] {
        let headers = format!("{more}X-Forwarded-For: 8.8.8.8\r\n");
        let reply = hb.ask(beat_with(&headers, "{}"));
        assert_eq!((reply.status, &reply.json()["key"]), (403, &json!("access.allow")), "{headers}");
        let reply = hb.ask(format!("GET / HTTP/1.1\r\nHost: hb\r\n{headers}\r\n"));
        assert_eq!((reply.status, &reply.json()["key"]), (403, &json!("access.read")), "{headers}");
    }
    // Beats without a name are those of the client, not of the proxy.
    hb.ask(beat_with("X-Forwarded-For: 192.168.9.9\r\n", "{}"));
    assert_eq!(hb.monitor("192.168.9.9")["beats"], json!(1));
}

#[test]
fn what_a_proxy_says_illegibly_is_refused_counted_and_said_once() {
    const REFUSED: &str = "heartbeat_connections_refused_total{reason=\"proxy_header\"}";
    for (header, wrong) in [
        (
            "proxy_header = \"x-forwarded-for\"\n",
            &["X-Forwarded-For: nonsense\r\n", "X-Forwarded-For: \r\n"][..],
        ),
        ("proxy_header = \"forwarded\"\n", &["Forwarded: x\r\n", "Forwarded: for=unknown\r\n"]),
        (
            "proxy_header = \"x-real-ip\"\n",
            &["X-Real-IP: a\r\n", "X-Real-IP: 10.1.1.1\r\nX-Real-IP: 10.1.1.2\r\n"],
        ),
        // Version 0.4.0 believed this; it is not taken for the proxy itself, which is this machine.
        ("", &["Forwarded: for=192.168.7.7\r\n"]),
    ] {
        let hb = behind(header);
        let mut refused = 0;
        for headers in wrong {
            for request in both_ways(headers, "{}") {
                assert_eq!(hb.ask(&request).status, 400, "{header}{request}");
            }
            assert_eq!(hb.ask(format!("GET / HTTP/1.1\r\nHost: hb\r\n{headers}\r\n")).status, 400);
            refused += 3;
        }
        assert_eq!(hb.metric(REFUSED), refused);
        hb.wait_for_log("does not say legibly who its client is");
        // Whatever is logged from here on comes after any second complaint.
        assert_eq!(hb.beat("{\"id\":\"last\"}").status, 200);
        hb.wait_for_log("id: last");
        assert_eq!(hb.log().matches("does not say legibly").count(), 1, "{}", hb.log());
    }
}

#[test]
fn a_proxy_may_sit_behind_a_unix_socket() {
    let hb = daemon(
        "[[listen]]\nname = \"tcp\"\naddress = \"127.0.0.1:{a}\"\n\
         [[listen]]\nname = \"proxy\"\naddress = \"unix:{dir}/proxy\"\nproxies = [\"unix\"]\n\
         [[listen]]\nname = \"announced\"\naddress = \"unix:{dir}/announced\"\nproxies = [\"unix\"]\n\
         proxy_header = \"proxy-protocol\"\n\
         [[listen]]\nname = \"plain\"\naddress = \"unix:{dir}/plain\"\n",
    );
    for (path, first, from) in [
        ("proxy", "", "192.168.7.7"),
        ("plain", "", "unix"),
        ("announced", "PROXY TCP4 192.168.7.8 10.0.0.1 1 2\r\n", "192.168.7.8"),
    ] {
        let mut conn = Conn::unix(&hb.place.path(path).to_string_lossy());
        conn.send(first);
        conn.send(beat_with("X-Forwarded-For: 192.168.7.7\r\n", &format!("{{\"id\":\"{path}\"}}")));
        assert_eq!(conn.reply().status, 200);
        assert_eq!(hb.monitor(path)["address"], json!(from));
    }
}

const ANNOUNCED: &str = "[[listen]]\naddress = \"127.0.0.1:{a}\"\n\
    [[listen]]\nname = \"web\"\naddress = \"127.0.0.1:{b}\"\nproxies = [\"127.0.0.1\"]\nproxy_header = \"proxy-protocol\"\n\
    [[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{c}\"\nproxies = [\"127.0.0.1\"]\n\
    proxy_header = \"proxy-protocol\"\n";

/// A header of version 2 for a client.
fn version_2(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend_from_slice(&client);
    header.extend_from_slice(&[10, 0, 0, 1, 18, 103, 30, 97]);
    header
}

#[test]
fn the_proxy_protocol_says_whose_connection_it_is() {
    let hb = daemon(ANNOUNCED);
    for (n, header) in
        [b"PROXY TCP4 192.168.7.7 10.0.0.1 4711 7777\r\n".to_vec(), version_2([192, 168, 7, 7])]
            .iter()
            .enumerate()
    {
        let mut web = Conn::tcp(&hb.address_of('b'));
        // In one piece with what follows, and byte by byte.
        web.send([header.as_slice(), beat(&format!("{{\"id\":\"web-{n}\"}}")).as_bytes()].concat());
        assert_eq!(web.reply().status, 200);
        web.send("GET /api/v1/status HTTP/1.1\r\nHost: hb\r\n\r\n");
        assert_eq!(web.reply().status, 200, "the general path knows too");
        let mut raw = Conn::tcp(&hb.address_of('c'));
        for byte in header.chunks(1) {
            assert!(raw.send(byte));
        }
        raw.send(format!("BEAT raw-{n}\n"));
        assert!(raw.text_until("OK ").contains("OK "));
        for name in ["web", "raw"] {
            assert_eq!(hb.monitor(&format!("{name}-{n}"))["address"], json!("192.168.7.7"));
        }
    }
    let mut stranger = Conn::tcp(&hb.address_of('b'));
    stranger.send("PROXY TCP4 8.8.8.8 10.0.0.1 1 2\r\n");
    // An address in a header of HTTP does not count there.
    stranger.send(beat_with("X-Forwarded-For: 127.0.0.1\r\n", "{}"));
    assert_eq!(stranger.reply().status, 403);
    let mut stranger = Conn::tcp(&hb.address_of('c'));
    stranger.send("PROXY TCP4 8.8.8.8 10.0.0.1 1 2\r\nBEAT stranger\n");
    assert!(stranger.is_closed(), "raw TCP is closed to who may not beat");
    assert_eq!(hb.get("/api/v1/monitors/stranger").status, 404);
}

#[test]
fn a_connection_of_a_proxy_without_a_legible_header_is_refused() {
    let hb = daemon(ANNOUNCED);
    let wrong = [
        beat("{\"id\":\"thief\"}").into_bytes(),
        b"BEAT thief\n".to_vec(),
        b"PROXY TCP4 nonsense\r\nBEAT thief\n".to_vec(),
        [&version_2([1, 2, 3, 4])[..12], b"\x21\x11\0\x01x"].concat(),
    ];
    for port in ['b', 'c'] {
        for bytes in &wrong {
            let mut conn = Conn::tcp(&hb.address_of(port));
            conn.send(bytes);
            assert!(conn.is_closed(), "{port} {}", bytes.escape_ascii());
        }
        // Who only looks whether the port is open is no trouble.
        drop(Conn::tcp(&hb.address_of(port)));
    }
    assert_eq!(hb.metric("heartbeat_connections_refused_total{reason=\"proxy_header\"}"), 8);
    assert_eq!(hb.get("/api/v1/monitors/thief").status, 404);
    until("the connections are gone", || hb.get("/api/v1/status").json()["connections"] == json!(1));
}

#[test]
fn under_the_proxy_protocol_each_client_has_limits_of_its_own() {
    let hb = Setup::new(&format!("[limits]\nconnections_per_address = 2\n{ANNOUNCED}")).start();
    let come = |from: &str| {
        let mut conn = Conn::tcp(&hb.address_of('b'));
        conn.send(format!("PROXY TCP4 {from} 10.0.0.1 1 2\r\n"));
        conn.send(beat("{\"id\":\"x\"}"));
        let status = conn.reply().status;
        (conn, status)
    };
    let held: Vec<_> = (0..2).map(|_| come("192.168.7.7")).collect();
    assert!(held.iter().all(|(_, status)| *status == 200));
    assert_eq!(come("192.168.7.7").1, 429, "one too many from there");
    assert_eq!(come("192.168.7.8").1, 200, "others are not bound by it");
}
