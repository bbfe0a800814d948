//! What strangers can make the daemon hold: filled up in every way, it stays within its budget and goes on serving.

use crate::client::{Conn, get};
use crate::harness::{Daemon, Setup, until};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The least budget that there is.
const MEMORY: usize = 4 << 20;
/// What may come on top: allocators keep what they once had, and each connection that is being refused has a task, which
/// is large where nothing is optimized. What is sent, asked for and not read comes to several times as much.
const SLACK: usize = 56 << 20;
/// As many connections as one address may have.
const CONNECTIONS: usize = 1024;

const CONFIG: &str = "log.beats = false\n[limits]\nmemory = \"4M\"\nthreads = 2\nbody_timeout = \"10m\"\nwrite_timeout = \"10m\"\n\
                      [[listen]]\naddress = \"127.0.0.1:{a}\"\n";

/// This process needs a file for each connection, and so does the daemon, which inherits the limit.
fn raise_file_limit() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let wanted = 8192.min(hard);
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).unwrap();
    }
}

/// The most memory that it ever had.
fn peak(hb: &Daemon) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", hb.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// How many were refused for these reasons, as far as we are told; we may be refused ourselves.
fn refused_for(hb: &Daemon, reasons: &[&str]) -> Option<u64> {
    let reply = hb.ask(get("/metrics"));
    (reply.status == 200).then(|| refusals_in(reply.text(), reasons))
}

/// How many were refused for these reasons, as the metrics say.
pub fn refusals_in(metrics: &str, reasons: &[&str]) -> u64 {
    let of = |reason: &&str| {
        let name = format!("heartbeat_connections_refused_total{{reason=\"{reason}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok()).unwrap()
    };
    reasons.iter().map(of).sum()
}

/// Whether somebody was refused because there was no room.
fn refused(hb: &Daemon) -> Option<u64> {
    refused_for(hb, &["memory", "memory_per_address", "memory_shed"])
}

/// Opens connections that each send something and read nothing, and looks at what that costs.
fn flood(hb: &Daemon, what: &str, connections: usize, send: &dyn Fn() -> Vec<u8>) {
    let before = (peak(hb), refused(hb).unwrap());
    let mut held = Vec::new();
    for _ in 0..connections {
        let mut conn = hb.connect();
        conn.take_little_at_once();
        conn.send(send());
        held.push(conn);
    }
    until(&format!("somebody is refused: {what}"), || refused(hb).is_none_or(|n| n > before.1));
    // Beats are taken as ever.
    assert_eq!(hb.beat(r#"{"id":"live"}"#).status, 200, "{what}");
    drop(held);
    until(&format!("all of it is given back: {what}"), || refused(hb).is_some_and(|n| n > before.1));
    let grown = peak(hb) - before.0;
    assert!(grown < MEMORY + SLACK, "{what}: {} MiB more", grown >> 20);
}

/// A daemon whose list of monitors is several megabytes.
fn with_a_long_list() -> Daemon {
    raise_file_limit();
    let hb = Setup::new(CONFIG).start();
    let message = "m".repeat(3000);
    for batch in 0..10 {
        let beats: Vec<String> =
            (0..100).map(|n| format!(r#"{{"id":"m-{batch}-{n}","message":"{message}"}}"#)).collect();
        assert_eq!(hb.beat(&format!("[{}]", beats.join(","))).status, 200);
    }
    hb
}

#[test]
fn a_flood_of_requests_and_messages_that_do_not_end_stays_within_the_budget() {
    let hb = with_a_long_list();
    flood(&hb, "bodies", CONNECTIONS, &|| {
        let mut request = b"POST / HTTP/1.1\r\nHost: hb\r\nContent-Length: 1048576\r\n\r\n".to_vec();
        request.resize(request.len() + 192 * 1024, b' ');
        request
    });
    flood(&hb, "messages", CONNECTIONS, &|| {
        let mut request = b"GET /ws HTTP/1.1\r\nHost: hb\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            .to_vec();
        // A binary frame of a megabyte, masked with zeros, of which the beginning comes.
        request.extend_from_slice(&[0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0]);
        request.resize(request.len() + 192 * 1024, b' ');
        request
    });
}

#[test]
fn a_flood_of_readers_that_read_nothing_stays_within_the_budget() {
    let hb = with_a_long_list();
    let whole = hb.get("/api/v1/monitors?limit=10000");
    assert!(whole.status == 200 && whole.text().len() > 3_000_000);
    flood(&hb, "streams", CONNECTIONS, &|| get("/api/v1/events").into());
    // Each of these takes the daemon some time to make, and as few as these are too many.
    flood(&hb, "lists", 200, &|| get("/api/v1/monitors?limit=10000").into());
    flood(&hb, "pages", 60, &|| get("/?limit=500").into());
}

#[test]
fn a_reader_that_takes_nothing_is_closed_and_one_that_reads_has_the_whole_list() {
    let config = CONFIG.replace("write_timeout = \"10m\"", "write_timeout = \"1s\"");
    let hb = Setup::new(&config.replace("\"4M\"", "\"64M\"")).start();
    let message = "m".repeat(9000);
    for batch in 0..10 {
        let beats: Vec<String> =
            (0..100).map(|n| format!(r#"{{"id":"m-{batch}-{n}","message":"{message}"}}"#)).collect();
        assert_eq!(hb.beat(&format!("[{}]", beats.join(","))).status, 200);
    }
    // 9 MB are more than the sockets of both sides can take.
    let mut idle = hb.connect();
    idle.take_little_at_once();
    idle.send(get("/api/v1/monitors?limit=10000"));
    until("the reader that takes nothing is closed", || {
        hb.metric("heartbeat_connections_refused_total{reason=\"unread\"}") == 1
    });
    let list = hb.get("/api/v1/monitors?limit=10000");
    let list: serde_json::Value = serde_json::from_slice(&list.body).unwrap();
    assert_eq!((list["monitors"].as_array().unwrap().len(), &list["next"]), (1000, &serde_json::Value::Null));
    let part = hb.get("/api/v1/monitors?limit=700");
    let part: serde_json::Value = serde_json::from_slice(&part.body).unwrap();
    let rest = hb.get(&format!("/api/v1/monitors?limit=700&after={}", part["next"].as_str().unwrap()));
    let rest: serde_json::Value = serde_json::from_slice(&rest.body).unwrap();
    let ids = |list: &serde_json::Value| -> Vec<String> {
        list["monitors"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!([ids(&part), ids(&rest)].concat(), ids(&list));
}

/// A daemon that is told by the PROXY protocol whose each connection is, at another port by X-Forwarded-For whose each
/// request.
fn of_many_hosts() -> Daemon {
    let proxy = "[[listen]]\naddress = \"127.0.0.1:{b}\"\nproxies = [\"127.0.0.1\"]\nproxy_header = \"proxy-protocol\"\n";
    let web = "[[listen]]\naddress = \"127.0.0.1:{c}\"\nproxies = [\"127.0.0.1\"]\nproxy_header = \"x-forwarded-for\"\n";
    let hb = Setup::new(&format!("{CONFIG}{proxy}{web}")).start();
    let message = "m".repeat(3000);
    let beats: Vec<String> = (0..300).map(|n| format!(r#"{{"id":"m-{n}","message":"{message}"}}"#)).collect();
    assert_eq!(hb.beat(&format!("[{}]", beats.join(","))).status, 200);
    hb
}

fn of_host(hb: &Daemon, host: &str) -> Conn {
    let mut conn = Conn::tcp(&hb.address_of('b'));
    conn.send(format!("PROXY TCP4 {host} 10.0.0.1 4711 7777\r\n"));
    conn
}

/// Part of a beat that never ends.
fn much() -> Vec<u8> {
    let mut request = b"POST / HTTP/1.1\r\nHost: hb\r\nContent-Length: 1048576\r\n\r\n".to_vec();
    request.resize(request.len() + 85_000, b' ');
    request
}

/// Hosts that each take what they are given, until nothing is left.
fn use_up(hb: &Daemon) -> Vec<Conn> {
    let mut greedy = Vec::new();
    for n in 0..144 {
        let mut conn = of_host(hb, &format!("192.168.1.{}", n / 12));
        conn.send(much());
        greedy.push(conn);
    }
    until("the budget is used up", || refused(hb).is_none_or(|n| n > 0));
    greedy
}

/// The head of a question that a proxy passes on.
fn passed_on(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: hb\r\nX-Forwarded-For: {host}\r\n\r\n")
}

/// A connection that has just sent this to where proxies say of each request whose it is.
fn by_proxy(hb: &Daemon, request: impl AsRef<[u8]>) -> Conn {
    let mut conn = Conn::tcp(&hb.address_of('c'));
    conn.send(request);
    conn
}

/// Waits until a client of the proxy has the whole list.
fn list_by_proxy(hb: &Daemon, host: &str) {
    until("the list comes whole by the proxy", || {
        let mut conn = by_proxy(hb, passed_on(host, "/api/v1/monitors?limit=10000"));
        let Some(list) = conn.reply_or_end().filter(|reply| reply.status == 200) else { return false };
        list.json()["monitors"].as_array().unwrap().len() >= 300
    });
}

#[test]
fn clients_of_one_proxy_are_not_one_host_that_holds_more_than_any() {
    let hb = of_many_hosts();
    // More together than any of the greedy ones can have.
    let ask = |n: usize| passed_on(&format!("192.168.3.{n}"), "/api/v1/status");
    let mut clients: Vec<Conn> = (0..60).map(|n| by_proxy(&hb, ask(n))).collect();
    assert!(clients.iter_mut().all(|conn| conn.reply().status == 200));
    let _greedy = use_up(&hb);
    for n in 0..5 {
        list_by_proxy(&hb, &format!("192.168.2.{n}"));
    }
    for (n, conn) in clients.iter_mut().enumerate() {
        conn.send(ask(n));
        assert_eq!(conn.reply_or_end().map(|reply| reply.status), Some(200), "client {n} was ended");
    }
}

#[test]
fn a_greedy_client_locks_out_nobody_who_comes_by_the_same_proxy() {
    let hb = of_many_hosts();
    // Each of them makes us hold no more than a connection of anybody does.
    let beat =
        "POST / HTTP/1.1\r\nHost: hb\r\nX-Forwarded-For: 192.168.1.1\r\nContent-Length: 1048576\r\n\r\n";
    let _greedy: Vec<Conn> = (0..220).map(|_| by_proxy(&hb, beat)).collect();
    until("the greedy one is refused", || refused(&hb).is_none_or(|n| n > 0));
    for n in 0..5 {
        list_by_proxy(&hb, &format!("192.168.2.{n}"));
    }
}

#[test]
fn an_honest_client_is_served_while_greedy_ones_fill_the_budget() {
    let hb = of_many_hosts();
    let _greedy = use_up(&hb);
    for n in 0..5 {
        // A list of a megabyte is read as it is made, and so is a page.
        until("the list comes whole", || {
            let mut honest = of_host(&hb, &format!("192.168.2.{n}"));
            honest.send(get("/api/v1/monitors?limit=10000"));
            let Some(list) = honest.reply_or_end().filter(|reply| reply.status == 200) else { return false };
            list.json()["monitors"].as_array().unwrap().len() >= 300
        });
        until("the page comes whole", || {
            let mut honest = of_host(&hb, &format!("192.168.2.{n}"));
            honest.send(get("/"));
            let Some(page) = honest.reply_or_end().filter(|reply| reply.status == 200) else { return false };
            page.text().ends_with("</html>\n")
        });
        assert_eq!(hb.beat(r#"{"id":"live"}"#).status, 200);
    }
    until("who holds most is ended", || refused_for(&hb, &["memory_shed"]).is_some_and(|n| n > 0));
    let said = "it held most when the memory for clients was used up (limits.memory)";
    hb.wait_for_log(said);
    assert_eq!(hb.log().matches(said).count(), 1, "said once, however many there are");
}

#[test]
fn a_page_of_ten_thousand_monitors_is_whole_however_little_is_held() {
    const MONITORS: usize = 10_000;
    let hb = Setup::new(CONFIG).start();
    let beats: Vec<String> = (0..MONITORS)
        .map(|n| {
            let status = if n % 1000 == 7 { "fail" } else { "ok" };
            format!(r#"{{"id":"m-{n:05}","status":"{status}"}}"#)
        })
        .collect();
    assert_eq!(hb.beat(&format!("[{}]", beats.join(","))).status, 200);
    let before = peak(&hb);
    let reply = hb.get("/?limit=10000");
    let page = reply.text();
    assert_eq!((reply.status, reply.header("transfer-encoding")), (200, Some("chunked")));
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(page.len() > 5_000_000, "{}", page.len());
    assert!(page.contains("9,990 up") && page.contains("10 down") && page.contains("10000 shown"));
    let rows = page.split("<th scope=\"row\"><a href=\"monitors/").skip(1);
    let all: Vec<&str> = rows.map(|row| row.split('"').next().unwrap()).collect();
    // Those in trouble first, the others behind them, each once.
    assert!(all[..10].iter().all(|id| id.ends_with("007")), "{:?}", &all[..10]);
    assert!(all[10..].is_sorted() && all.len() == MONITORS);
    assert!(peak(&hb) < before + MEMORY + (16 << 20), "{} MiB more", (peak(&hb) - before) >> 20);
}

#[test]
fn what_monitors_last_said_has_a_bound_together() {
    let hb = Setup::new(&CONFIG.replace("memory =", "messages = \"1M\"\nmemory =")).start();
    for batch in 0..10 {
        let beats: Vec<String> = (0..100)
            .map(|n| format!(r#"{{"id":"m-{batch}-{n}","message":"{}"}}"#, "m".repeat(9_900)))
            .collect();
        assert_eq!(hb.beat(&format!("[{}]", beats.join(","))).status, 200);
    }
    let list = hb.get("/api/v1/monitors?limit=10000").json();
    let said: Vec<usize> =
        list["monitors"].as_array().unwrap().iter().map(|m| m["message"].as_str().unwrap().len()).collect();
    assert_eq!(said.len(), 1000);
    // Each keeps something, the latest all of it.
    assert!(said.iter().sum::<usize>() <= (1 << 20) + 1000 * 256 && said.iter().all(|bytes| *bytes > 200));
    let latest = hb.monitor("m-9-99");
    assert_eq!(latest["message"].as_str().unwrap().len(), 9_900);
}
