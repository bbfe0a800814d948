//! Who may: networks, tokens, proxies, pages of other sites.

use crate::client::{Conn, beat, beat_with, get, with_body};
use crate::harness::{Daemon, Setup, daemon, until};
use crate::ws::{handshake, masked};
use nix::sys::signal::Signal;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const BEAT_TOKEN: &str = "beat-token-of-16-or-more";
const READ_TOKEN: &str = "read-token-of-16-or-more";
const ADMIN_TOKEN: &str = "admin-token-of-16-or-more";

#[test]
fn refused_networks_are_told_which_key_refuses_them() {
    for (access, key, beats, reads) in [
        ("deny = [\"127.0.0.0/8\"]", "access.deny", false, false),
        ("allow = [\"10.0.0.0/8\"]\nread = [\"127.0.0.0/8\"]", "access.allow", false, true),
        // Reading goes with beating where nothing else is said.
        ("allow = [\"127.0.0.0/8\"]", "", true, true),
        ("read = [\"10.0.0.0/8\"]", "access.read", true, false),
        ("allow = [\"127.0.0.1\"]\ndeny = [\"127.0.0.2\"]\nread = [\"::1\", \"127.0.0.1\"]", "", true, true),
    ] {
        let hb = daemon(&format!("[access]\n{access}\n"));
        let beat = hb.beat("{}");
        assert_eq!(beat.status, if beats { 200 } else { 403 }, "{access}");
        for path in ["/", "/metrics", "/api/v1/monitors", "/api/v1/monitors/x", "/api/v1/status"] {
            let reply = hb.get(path);
            let want = match path {
                _ if !reads => 403,
                "/api/v1/monitors/x" => 404,
                _ => 200,
            };
            assert_eq!(reply.status, want, "{access}: {path}");
            if !reads {
                assert_eq!(reply.json()["key"], json!(key));
            }
        }
        if !beats {
            assert_eq!(beat.json()["key"], json!(key));
            assert!(beat.json()["error"].as_str().unwrap().contains("127.0.0.1"), "{}", beat.text());
            assert_eq!(beat.header("connection"), Some("close"), "a stranger gets no second try here");
        }
        assert_eq!(hb.get("/healthz").status, 200, "health is for everybody");
        assert_eq!(hb.get("/readyz").status, 200);
    }
}

#[test]
fn allow_narrowed_narrows_reading() {
    let hb = daemon("[access]\nallow = [\"10.0.0.0/8\"]\n");
    assert_eq!(hb.beat("{}").json()["key"], json!("access.allow"));
    assert_eq!(hb.get("/").json()["key"], json!("access.read"));
    assert_eq!(hb.wish("GET", "/", "").status, 200, "the control socket is no network");
}

/// Puts another configuration in force.
fn reload(hb: &Daemon, config: &str) {
    let before = hb.log().matches("configuration reloaded").count();
    hb.place.configure(config);
    hb.signal(Signal::SIGHUP);
    until("the reload", || hb.log().matches("configuration reloaded").count() > before);
}

/// Somebody who shows wrong tokens as fast as he can over connections of all kinds, until he is told to stop.
fn guess(hb: &Daemon, n: usize, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut conn = Conn::tcp(&hb.address_of(['a', 'b', 'c'][n % 3]));
        match n % 3 {
            2 => conn.send("AUTH wrong-wrong-wrong-wrong\n"),
            _ => conn.send(beat_with("Authorization: Bearer wrong-wrong-wrong-wrong\r\n", "{}")),
        };
        match n % 3 {
            2 => drop(conn.text_until("\n")),
            _ => assert_eq!(conn.reply().status, 401),
        }
    }
}

#[test]
fn who_guesses_tokens_over_many_connections_has_few_guesses_and_a_right_one_is_late_and_not_shut_out() {
    const GUESSERS: usize = 60;
    /// What waits, waits so long (`TOKEN_WAIT`).
    const WAIT: Duration = Duration::from_secs(5);
    let config = "[access]\nbeat_tokens = [{ file = \"beat\" }]\nadmin_tokens = [{ file = \"admin\" }]\n\
                  [[listen]]\naddress = \"127.0.0.1:{a}\"\n\
                  [[listen]]\nname = \"general\"\naddress = \"127.0.0.1:{b}\"\nfast_path = false\n\
                  [[listen]]\nname = \"tcp\"\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{c}\"\n";
    let hb = Setup::new(config).file("beat", BEAT_TOKEN).file("admin", ADMIN_TOKEN).start();
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let over_http = |letter: char, request: String| {
        let mut conn = Conn::tcp(&hb.address_of(letter));
        conn.send(request);
        conn.reply().status
    };
    let over_tcp = || {
        let mut conn = Conn::tcp(&hb.address_of('c'));
        conn.send(format!("AUTH {BEAT_TOKEN}\nBEAT tcp\n"));
        assert_eq!(conn.text_until("60\n"), "OK\nOK 60\n");
        200
    };
    let fast = || over_http('a', beat_with(&bearer(BEAT_TOKEN), "{}"));
    let general = || over_http('b', beat_with(&bearer(BEAT_TOKEN), "{}"));
    let socket = || over_http('a', handshake(&[("Authorization", &format!("Bearer {BEAT_TOKEN}"))]));
    let form = || {
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        let body = format!("cmd=submitcheck&token={BEAT_TOKEN}");
        let mut conn = Conn::tcp(&hb.address_of('a'));
        conn.send(with_body("POST", "/nrdp/", kind, &body));
        let reply = conn.reply();
        assert!(reply.text().contains("NO DATA"), "{}", reply.text());
        reply.status
    };
    let wish = || over_http('a', with_body("POST", "/api/v1/monitors/x/resume", &bearer(ADMIN_TOKEN), ""));
    let stop = AtomicBool::new(false);
    let began = Instant::now();
    std::thread::scope(|threads| {
        for n in 0..GUESSERS {
            let (hb, stop) = (&hb, &stop);
            threads.spawn(move || guess(hb, n, stop));
        }
        let ways: [(&str, u16, &(dyn Fn() -> u16 + Sync)); 6] = [
            ("tcp", 200, &over_tcp),
            ("fast", 200, &fast),
            ("general", 200, &general),
            ("socket", 101, &socket),
            ("form", 200, &form),
            ("wish", 404, &wish),
        ];
        let honest = ways.map(|(way, status, ask)| {
            threads.spawn(move || {
                // Whoever comes when one more may be looked at does not wait.
                until(&format!("a token over {way} that waits"), || {
                    let asked = Instant::now();
                    assert_eq!(ask(), status, "{way}: a right token opens, whoever guesses");
                    asked.elapsed() >= WAIT
                });
            })
        });
        let waited = honest.map(|thread| thread.join());
        stop.store(true, Ordering::Relaxed);
        assert!(waited.iter().all(Result::is_ok));
    });
    // Sixty that are free and one more each second, those that were under way before, and one each wait.
    let (guesses, spent_s) = (hb.metric("heartbeat_wrong_tokens_total"), began.elapsed().as_secs() + 1);
    let most = 60 + spent_s + GUESSERS as u64 * (2 + spent_s / WAIT.as_secs());
    assert!(guesses <= most, "{guesses} guesses in {spent_s} s");
    hb.wait_for_log("refused 127.0.0.1: many wrong tokens from one address: each token from there waits 5 s");
    assert!(hb.log().matches("many wrong tokens").count() <= 1 + spent_s as usize / 600, "said now and then");
    assert!(hb.get("/readyz").text().contains("many wrong tokens from one address"));
}

#[test]
fn a_token_that_is_revoked_ends_every_connection_that_it_has_opened() {
    let all = |tokens: &str| {
        format!(
            "[[listen]]\naddress = \"127.0.0.1:{{a}}\"\n\
             [[listen]]\nname = \"tcp\"\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{{b}}\"\n\
             [access]\nbeat_tokens = [{{ file = \"{tokens}\" }}]\nread_tokens = [{{ file = \"{tokens}\" }}]\n"
        )
    };
    let setup = Setup::new(&all("both")).file("both", &format!("{BEAT_TOKEN}\n{READ_TOKEN}\n"));
    let hb = setup.file("one", &format!("{READ_TOKEN}\n")).start();
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let open = |token: &str| {
        let mut kept = hb.connect();
        kept.send(beat_with(&bearer(token), r#"{"id":"kept"}"#));
        assert_eq!(kept.reply().status, 200);
        let mut events = hb.connect();
        events.send(get("/api/v1/events").replace("Host: hb\r\n", &format!("Host: hb\r\n{}", bearer(token))));
        assert_eq!(events.head().unwrap().status, 200);
        let mut ws = hb.connect();
        ws.send(handshake(&[("Authorization", &format!("Bearer {token}"))]));
        assert!(ws.head().unwrap().line.contains("101"));
        let mut line = Conn::tcp(&hb.address_of('b'));
        line.send(format!("AUTH {token}\nBEAT line\n"));
        line.text_until("OK\nOK 60\n");
        (kept, events, ws, line)
    };
    let revoked = open(BEAT_TOKEN);
    let (mut kept, mut events, mut ws, mut line) = open(READ_TOKEN);
    reload(&hb, &all("one"));

    let (mut r_kept, mut r_events, mut r_ws, mut r_line) = revoked;
    // Its last piece, an empty one; the connection itself is kept.
    r_events.text_until("\r\n0\r\n\r\n");
    let close = r_ws.everything();
    assert!(String::from_utf8_lossy(&close).contains("see access.beat_tokens"), "{close:?}");
    let last = r_line.everything();
    let last = String::from_utf8_lossy(&last);
    assert!(last.contains("ERR not allowed any more: see access.beat_tokens"), "{last}");
    r_kept.send(beat_with(&bearer(BEAT_TOKEN), "{}"));
    assert_eq!(r_kept.reply().status, 401, "each request is judged");

    // The other token is as good as before.
    kept.send(beat_with(&bearer(READ_TOKEN), r#"{"id":"new"}"#));
    assert_eq!(kept.reply().status, 200);
    events.text_until("event: made");
    ws.send(masked(0x81, b"PING"));
    ws.text_until("PONG");
    line.send("PING\n");
    line.text_until("PONG\n");

    // A network that is shut out is shut out of everything at once.
    reload(&hb, &format!("{}deny = [\"127.0.0.0/8\"]\n", all("one")));
    events.text_until("\r\n0\r\n\r\n");
    let close = ws.everything();
    assert!(String::from_utf8_lossy(&close).contains("see access.deny"), "{close:?}");
    let last = line.everything();
    assert!(String::from_utf8_lossy(&last).contains("see access.deny"), "{last:?}");
    kept.send(beat_with(&bearer(READ_TOKEN), "{}"));
    assert_eq!(kept.reply().status, 403);
}

#[test]
fn tokens_open_what_they_are_for() {
    let hb = Setup::new(
        "[access]\nbeat_tokens = [{ file = \"beat.tokens\" }]\nread_tokens = [{ file = \"read.tokens\" }]\n\
         admin_tokens = [{ file = \"{dir}/admin.tokens\" }]\n",
    )
    .file("beat.tokens", &format!("# for the hosts\n\nanother-beat-token-here\n{BEAT_TOKEN}\r\n"))
    .file("read.tokens", READ_TOKEN)
    .file("admin.tokens", ADMIN_TOKEN)
    .start();
    for (authorization, beats, reads) in [
        ("", false, false),
        ("Bearer wrong-token-of-16-or-more", false, false),
        (&format!("Bearer {BEAT_TOKEN}"), true, false),
        (&format!("bearer {BEAT_TOKEN}"), true, false),
        (&format!("BEARER  {BEAT_TOKEN}"), true, false),
        ("Bearer another-beat-token-here", true, false),
        (&format!("Bearer {BEAT_TOKEN}x"), false, false),
        (&format!("Bearer {}", &BEAT_TOKEN[1..]), false, false),
        (&format!("Basic {BEAT_TOKEN}"), false, false),
        (BEAT_TOKEN, false, false),
        ("Bearer", false, false),
        ("Bearer # for the hosts", false, false),
        (&format!("Bearer {READ_TOKEN}"), false, true),
        (&format!("Bearer {ADMIN_TOKEN}"), true, true),
    ] {
        let header = if authorization.is_empty() {
            String::new()
        } else {
            format!("Authorization: {authorization}\r\n")
        };
        for (request, may, key) in [
            (beat_with(&header, "{}"), beats, "access.beat_tokens"),
            (
                beat_with(&format!("{header}Connection: close\r\nTE: x\r\n"), "{}"),
                beats,
                "access.beat_tokens",
            ),
            (get("/").replace("Host: hb\r\n", &format!("Host: hb\r\n{header}")), reads, "access.read_tokens"),
        ] {
            let reply = hb.ask(&request);
            assert_eq!(reply.status, if may { 200 } else { 401 }, "{request}");
            if !may {
                assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
                assert_eq!(reply.json()["key"], json!(key));
                assert!(!reply.text().contains(BEAT_TOKEN));
            }
        }
    }
    assert_eq!(hb.get("/healthz").status, 200);
    assert!(!hb.log().contains("token-of-16"), "no token is ever logged");
}

#[test]
fn a_credential_is_a_token_file_too() {
    let hb = Setup::new("[access]\nbeat_tokens = [{ credential = \"beats\" }]\n")
        .file("beats", BEAT_TOKEN)
        .env("CREDENTIALS_DIRECTORY", "{dir}")
        .start();
    assert_eq!(hb.beat("{}").status, 401);
    assert_eq!(hb.ask(beat_with(&format!("Authorization: Bearer {BEAT_TOKEN}\r\n"), "{}")).status, 200);
}

#[test]
fn pages_of_other_sites_may_not_send_beats() {
    let hb = daemon("");
    let beats = |origin: &str| hb.ask(beat_with(&format!("Origin: {origin}\r\n"), "{}")).status;
    for origin in ["http://hb", "https://hb", "http://HB"] {
        assert_eq!(beats(origin), 200, "{origin}");
    }
    for origin in
        ["http://evil.example", "null", "http://hb:81", "http://hb.evil.example", "ftp://hb", "hb", ""]
    {
        assert_eq!(beats(origin), 403, "{origin}");
    }
    assert_eq!(hb.ask(beat("{}")).status, 200);
    assert_eq!(hb.metric("heartbeat_beats_total{transport=\"http\",result=\"denied\"}"), 7);
}

#[test]
fn a_page_whose_own_name_leads_here_changes_nothing() {
    let hb = daemon("");
    let ask = |hb: &Daemon, method: &str, host: &str, more: &str| {
        let body = if method == "POST" { "Content-Length: 2\r\n\r\n{}" } else { "\r\n" };
        hb.ask(format!("{method} / HTTP/1.1\r\nHost: {host}\r\n{more}{body}"))
    };
    let page = |hb: &Daemon, host: &str| ask(hb, "POST", host, &format!("Origin: http://{host}\r\n"));
    let (evil, port) = ("rebound.example.com:7777", hb.place.port('a'));
    let refused = page(&hb, evil);
    assert_eq!((refused.status, &refused.json()["key"]), (403, &"access.hosts".into()), "{}", refused.text());
    let shake = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert_eq!(ask(&hb, "GET", evil, &format!("Origin: http://{evil}\r\n{shake}")).status, 403);
    for host in [&format!("127.0.0.1:{port}"), "localhost", "nas", "nas.lan"] {
        assert_eq!(page(&hb, host).status, 200, "{host}");
    }
    // Who is no page may call us as he likes, and a page may read.
    assert_eq!(ask(&hb, "POST", evil, "").status, 200);
    assert_eq!(ask(&hb, "GET", evil, "").status, 200);
    drop(hb);
    let hb = daemon("[access]\nhosts = [\"hb.example.org\"]\n");
    assert_eq!(page(&hb, "hb.example.org").status, 200);
    for (method, host, status) in [
        ("GET", evil, 403),
        ("POST", evil, 403),
        ("GET", "nas", 403),
        ("GET", "hb.example.org:80", 200),
        ("POST", "hb.example.org", 200),
        ("GET", "127.0.0.1", 200),
    ] {
        assert_eq!(ask(&hb, method, host, "").status, status, "{method} {host}");
    }
}

#[test]
fn a_page_behind_a_trusted_proxy_is_judged_by_the_host_that_the_browser_named() {
    let hb = daemon(
        "[[listen]]\nname = \"behind\"\naddress = \"127.0.0.1:{a}\"\nproxies = [\"127.0.0.0/8\"]\nproxy_header = \"x-forwarded-for\"\n\
         [[listen]]\nname = \"standard\"\naddress = \"127.0.0.1:{c}\"\nproxies = [\"127.0.0.0/8\"]\nproxy_header = \"forwarded\"\n\
         [[listen]]\nname = \"plain\"\naddress = \"127.0.0.1:{b}\"\n",
    );
    let origin = "Origin: https://status.lan\r\n";
    for (said, behind) in [
        ("X-Forwarded-Host: status.lan\r\nX-Forwarded-Proto: https\r\n", 200),
        ("X-Forwarded-Host: status.lan:443\r\n", 200),
        ("Forwarded: for=192.168.1.1;host=status.lan;proto=https\r\n", 200),
        ("X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\n", 403),
        ("X-Forwarded-Host: status.lan\r\nX-Forwarded-Proto: http\r\n", 403),
        ("", 403),
    ] {
        // The one takes the fast path, the other asks for more than that.
        for request in [
            beat_with(&format!("{origin}{said}"), "{}"),
            beat_with(&format!("{origin}{said}"), "{}").replace("POST / ", "POST /?x "),
        ] {
            let mut conn = Conn::tcp(&hb.address_of(if said.starts_with("Forwarded") { 'c' } else { 'a' }));
            conn.send(&request);
            assert_eq!(conn.reply().status, behind, "{said}");
            let mut conn = Conn::tcp(&hb.address_of('b'));
            conn.send(&request);
            assert_eq!(conn.reply().status, 403, "nobody else is believed: {said}");
        }
    }
    // A name that anybody may own leads here by its owner's will, also where a proxy says it (DNS rebinding).
    let rebound = "Origin: https://evil.example\r\nX-Forwarded-Host: evil.example\r\n";
    let mut conn = Conn::tcp(&hb.address_of('a'));
    conn.send(beat_with(rebound, "{}"));
    let refused = conn.reply();
    assert_eq!((refused.status, &refused.json()["key"]), (403, &"access.hosts".into()), "{}", refused.text());
    drop(hb);
    let hb = daemon(
        "[[listen]]\naddress = \"127.0.0.1:{a}\"\nproxies = [\"127.0.0.0/8\"]\nproxy_header = \"x-forwarded-for\"\n\
         [access]\nhosts = [\"status.example\"]\n",
    );
    for (said, status) in [("status.example", 200), ("evil.example", 403), ("127.0.0.1", 200)] {
        let request = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-Host: {said}\r\n\r\n");
        assert_eq!(hb.ask(request).status, status, "{said}");
    }
}
