//! Thousands of spoiled requests, each sent to a listener with the fast path and to one without: whatever a request
//! means, it must mean the same to both.
//!
//! Cases come from a seed that is printed; `HEARTBEAT_TEST_SEED` and `HEARTBEAT_TEST_CASES` repeat or prolong a run.
//! After each case a plain beat follows on the same connection, then the client half-closes: so the number of answers
//! also shows whether both took the case for equally long and whether both kept the connection.

use crate::client::{Conn, Reply, beat, beat_with, get};
use crate::harness::daemon;

const BOTH: &str = "[limits]\nheader_lines = 16\nheader_bytes = \"1K\"\nbody_bytes = \"8K\"\nbeat_bytes = \"2K\"\n\
                    batch_beats = 5\n\
                    [[listen]]\nname = \"fast\"\naddress = \"127.0.0.1:{a}\"\nproxies = [\"127.0.0.0/8\"]\n\
                    [[listen]]\nname = \"general\"\naddress = \"127.0.0.1:{b}\"\nproxies = [\"127.0.0.0/8\"]\n\
                    fast_path = false\n";

/// xorshift64*: small, and the same everywhere.
struct Rng(u64);

impl Rng {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % below.max(1)
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.roll(from.len())]
    }
}

const LINES: &[&str] = &[
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Connection: Close , TE\r\n",
    "Connection: upgrade\r\nUpgrade: websocket\r\n",
    "Content-Length: 2\r\n",
    "Content-Length: 00000\r\n",
    "Content-Length: 16385\r\n",
    "content-length:3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "Expect: 100-continue\r\n",
    "Host: other\r\n",
    "Host:\r\n",
    "Origin: http://hb\r\n",
    "Origin: http://elsewhere\r\n",
    "Authorization: Bearer x\r\n",
    "Forwarded: for=10.1.2.3\r\n",
    "Forwarded: for=8.8.8.8\r\n",
    "X-Forwarded-For: 10.9.9.9, 127.0.0.1\r\n",
    "X-Forwarded-For: nonsense\r\n",
    "Content-Encoding: identity\r\n",
    "Content-Encoding: gzip\r\n",
    "TE: trailers\r\n",
    "Trailer: x\r\n",
    "X-Long: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n",
    " folded\r\n",
    "NoColon\r\n",
    "X : y\r\n",
    "X:\ty \r\n",
    "Accept: application/json\r\n",
    "Accept: */*\r\n",
    "\n",
    "\r\n",
];

const BODIES: &[&str] = &[
    "",
    "{}",
    "{\"id\":\"d1\"}",
    "{\"id\":\"d2\",\"interval\":\"5s\",\"seq\":3}",
    "[{\"id\":\"d3\"},{\"id\":\"no no\"},7]",
    "{\"id\":\"d4\"}\n{\"id\":\"d5\"}\nx\n",
    "{\"status\":\"fail\",\"ip\":\"1.2.3.4\"}",
    "nonsense",
    "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",
    "{\"tags\":[\"a\",\"b\"],\"message\":\"\\u5fc3\"}",
    "[1,2,3,4,5,6]",
];

const TARGETS: &[&str] = &[
    "/",
    "/api/v1/beats",
    "/?x",
    "/nowhere",
    "http://hb/",
    "/api/v1/beats/",
    "*",
    "//",
    "/ping/d7",
    "/ping/d7/fail?message=a+b",
    "/ping/ns/pod/3?interval=5m&x",
    "/ping/%",
    "/ping/a%2Fb/",
    "http://hb/ping/d7",
];
const METHODS: &[&str] = &["POST", "GET", "HEAD", "post", "PUT", "POST ", ""];
const VERSIONS: &[&str] = &["HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2", "http/1.1"];

/// A request that would be good, but for up to a few things.
fn spoiled(rng: &mut Rng) -> Vec<u8> {
    let mut extra = String::new();
    for _ in 0..[0, 1, 1, 2, 3, 18][rng.roll(6)] {
        extra += rng.pick(LINES);
    }
    let body = rng.pick(BODIES);
    let mut request = match rng.roll(12) {
        0 => get(rng.pick(&["/healthz", "/nowhere", "/api/v1/monitors/d%201", "/ping", "/ping//x"])),
        2 => get(rng.pick(&["/ping/d8", "/ping/d8/start?rid=1", "/ping/%ff", "/ping/d\"8", "/ping/d8?a=?"]))
            .replace("Host", &format!("{extra}Host")),
        1 => format!(
            "POST / HTTP/1.1\r\nHost: hb\r\n{extra}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        ),
        _ => beat_with(&extra, body),
    };
    if rng.roll(6) == 0 {
        request = request.replacen("POST / ", &format!("POST {} ", rng.pick(TARGETS)), 1);
    }
    if rng.roll(12) == 0 {
        request = request.replacen("POST ", &format!("{} ", rng.pick(METHODS)), 1);
    }
    if rng.roll(12) == 0 {
        request = request.replacen("HTTP/1.1", rng.pick(VERSIONS), 1);
    }
    let mut bytes = request.into_bytes();
    for _ in 0..[0, 0, 1, 1, 2, 4][rng.roll(6)] {
        let at = rng.roll(bytes.len());
        match rng.roll(6) {
            0 => bytes[at] = rng.roll(256) as u8,
            1 => bytes[at] ^= 1 << rng.roll(8),
            2 => bytes.insert(at, *rng.pick(&[&b'\r', &b'\n', &b' ', &0, &b':', &b'0', &b',', &0xff])),
            3 => drop(bytes.remove(at)),
            4 => bytes.truncate(at),
            _ => {
                let end = (at + rng.roll(40)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// What makes two answers equal; pages and data show the moment and are compared by their heads.
fn essence(reply: Reply) -> (String, Vec<(String, String)>, Vec<u8>) {
    let mut reply = reply.without_date();
    if reply.header("cache-control").is_some() {
        reply.headers.retain(|(name, _)| name != "content-length");
        reply.body.clear();
    }
    (reply.line, reply.headers, reply.body)
}

#[test]
fn both_paths_agree_on_whatever_is_sent() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let seed =
        number("HEARTBEAT_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 0x9e37_79b9 + 1);
    let cases = number("HEARTBEAT_TEST_CASES").unwrap_or(2_000);
    eprintln!("HEARTBEAT_TEST_SEED={seed}");
    let hb = daemon(BOTH);
    let mut rng = Rng(seed.max(1));
    let (mut answered, mut accepted) = (0, 0);
    for case in 0..cases {
        let mut bytes = spoiled(&mut rng);
        if rng.roll(4) == 0 {
            bytes.extend(spoiled(&mut rng));
        }
        bytes.extend_from_slice(beat("{\"id\":\"follower\"}").as_bytes());
        let cut = rng.roll(bytes.len());
        let [fast, general] = ['a', 'b'].map(|letter| {
            let mut conn = Conn::tcp(&hb.address_of(letter));
            conn.send(&bytes[..cut]);
            conn.send(&bytes[cut..]);
            conn.end_writing();
            // A spoiled method may be HEAD, whose answer has a length but no body: then the bytes are compared as such.
            conn.everything()
        });
        let [fast, general] = [fast, general].map(|all| match Reply::all(&all) {
            Some(replies) => replies.into_iter().map(essence).collect::<Vec<_>>(),
            None => {
                let text = String::from_utf8_lossy(&all).into_owned();
                let moves = |line: &&str| line.starts_with("date: ") || line.starts_with("content-length: ");
                let lines = text.split_inclusive("\r\n").filter(|line| !moves(line));
                vec![(lines.collect(), Vec::new(), Vec::new())]
            }
        });
        assert!(
            fast == general,
            "HEARTBEAT_TEST_SEED={seed}, case {case}, cut at {cut}:\n{:?}\nfast: {fast:?}\ngeneral: {general:?}",
            String::from_utf8_lossy(&bytes)
        );
        answered += usize::from(!fast.is_empty());
        accepted += usize::from(fast.iter().any(|(line, ..)| line.contains(" 200 ")));
    }
    // The generator is worth something only if it makes good and bad requests.
    assert!(
        answered * 2 > cases as usize && accepted * 10 > cases as usize,
        "{answered}, {accepted} of {cases}"
    );
    assert!(hb.metric("heartbeat_fast_path_beats_total") > cases / 10);
    assert_eq!(hb.get("/healthz").status, 200);
}
