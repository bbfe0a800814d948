//! Malformed and hostile requests, and what each is answered. A status list is everything that comes back on the
//! connection; an empty one is a close without an answer. The word must stand in the body of the last answer.

/// One row.
pub struct Case {
    /// What is wrong with it.
    pub name: &'static str,
    /// What is sent before the client half-closes.
    pub bytes: Vec<u8>,
    /// The statuses of all answers, in order.
    pub statuses: &'static [u16],
    /// A word of the last answer's body.
    pub word: &'static str,
}

/// All rows.
pub fn table() -> Vec<Case> {
    let mut table = bodies_and_heads();
    table.extend(super::urls::table());
    table
}

fn bodies_and_heads() -> Vec<Case> {
    let mut table = Vec::new();
    let mut row = |name, bytes: &dyn AsRef<[u8]>, statuses, word| {
        table.push(Case { name, bytes: bytes.as_ref().to_vec(), statuses, word });
    };
    let line = |line: &str| format!("{line}\r\nHost: hb\r\nContent-Length: 2\r\n\r\n{{}}");
    let with = |headers: &str| format!("POST / HTTP/1.1\r\nHost: hb\r\n{headers}\r\n\r\n{{}}");
    let framed =
        |headers: &str, rest: &str| format!("POST / HTTP/1.1\r\nHost: hb\r\n{headers}\r\n\r\n{rest}");
    let json = |body: &[u8]| {
        let head = format!("POST / HTTP/1.1\r\nHost: hb\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    const MALFORMED: &str = "not an HTTP/1.1 request";

    // --- the request line
    row("unknown method", &line("FROB / HTTP/1.1"), &[405], "GET, HEAD, POST");
    row("method in lower case", &line("post / HTTP/1.1"), &[405], "GET, HEAD, POST");
    row("method with a wrong character", &line("PO(ST / HTTP/1.1"), &[400], MALFORMED);
    row("method with NUL", &line("PO\0ST / HTTP/1.1"), &[400], MALFORMED);
    row("no method", &line(" / HTTP/1.1"), &[400], MALFORMED);
    row("no target", &line("POST HTTP/1.1"), &[400], MALFORMED);
    row("no version", &line("POST /"), &[400], MALFORMED);
    row("two spaces before the target", &line("POST  / HTTP/1.1"), &[400], MALFORMED);
    row("two spaces before the version", &line("POST /  HTTP/1.1"), &[400], MALFORMED);
    row("tab instead of space", &line("POST\t/ HTTP/1.1"), &[400], MALFORMED);
    row("space after the version", &line("POST / HTTP/1.1 "), &[400], MALFORMED);
    row("space in the target", &line("POST /a b HTTP/1.1"), &[400], MALFORMED);
    row("version 0.9", &line("POST / HTTP/0.9"), &[400], MALFORMED);
    row("version 1.2", &line("POST / HTTP/1.2"), &[400], MALFORMED);
    row("version 2.0", &line("POST / HTTP/2.0"), &[400], MALFORMED);
    row("version of many digits", &line("POST / HTTP/1.10000"), &[400], MALFORMED);
    row("version in lower case", &line("POST / http/1.1"), &[400], MALFORMED);
    row("another protocol", &line("POST / RTSP/1.0"), &[400], MALFORMED);
    row("no slash before the target", &line("POST api/v1/beats HTTP/1.1"), &[400], MALFORMED);
    row("asterisk for a target", &line("POST * HTTP/1.1"), &[404], "no such path");
    row("authority for a target", &line("CONNECT hb:7777 HTTP/1.1"), &[404], "no such path");
    row("path with NUL", &line("POST /\0 HTTP/1.1"), &[400], MALFORMED);
    row("path with a control character", &line("POST /\x01 HTTP/1.1"), &[400], MALFORMED);
    row("path in another encoding", &line("POST /心 HTTP/1.1"), &[404], "no such path");
    row("path out of the tree", &line("GET /../../etc/passwd HTTP/1.1"), &[404], "no such path");
    row(
        "encoded path out of the tree",
        &line("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1"),
        &[404],
        "no such path",
    );
    row("the beats' path, encoded", &line("POST /%61pi/v1/beats HTTP/1.1"), &[404], "no such path");
    row("long target", &line(&format!("POST /{} HTTP/1.1", "a".repeat(9_000))), &[404], "no such path");
    row(
        "target longer than a head",
        &line(&format!("POST /{} HTTP/1.1", "a".repeat(20_000))),
        &[431],
        "too large",
    );
    row(
        "target longer than 64 KiB",
        &line(&format!("POST /{} HTTP/1.1", "a".repeat(70_000))),
        &[431],
        "too large",
    );
    row("id that is no UTF-8", &line("GET /api/v1/monitors/%ff HTTP/1.1"), &[400], "not UTF-8");
    row("id with half a code", &line("GET /api/v1/monitors/a%2 HTTP/1.1"), &[400], "id");
    row("id encoded twice", &line("GET /api/v1/monitors/a%252Fb HTTP/1.1"), &[400], "id");
    row("id with a separator is a name", &line("GET /api/v1/monitors/a%2Fb HTTP/1.1"), &[404], "id");
    row("id with two separators", &line("GET /api/v1/monitors/a//b HTTP/1.1"), &[400], "id");
    row("id with two separators, encoded", &line("GET /api/v1/monitors/a%2F%2fb HTTP/1.1"), &[400], "id");
    row("id with dots between separators", &line("GET /api/v1/monitors/a/%2e%2e/b HTTP/1.1"), &[400], "id");
    row("id that ends with a separator", &line("GET /api/v1/monitors/a/ HTTP/1.1"), &[400], "id");

    // --- what stands behind the question mark
    row("a query with a wrong id", &line("POST /?id=a%20b HTTP/1.1"), &[400], "id");
    row("a query with an id that is no UTF-8", &line("POST /?id=%ff HTTP/1.1"), &[400], "id");
    row("a query with half a code", &line("POST /?id=a%2 HTTP/1.1"), &[400], "id");
    row("a query with a wrong status", &line("POST /?status=dead HTTP/1.1"), &[400], "status");
    row("a query with a wrong interval", &line("POST /api/v1/beats?interval=0 HTTP/1.1"), &[400], "interval");
    row("a query that nobody knows", &line("POST /?%00=%00&&=&%&colour HTTP/1.1"), &[200], "ok");
    row("a query with a wrong time", &line("POST /?ts=noon HTTP/1.1"), &[200], "ts");
    row("a query with another encoding", &line("POST /?message=caf%E9 HTTP/1.1"), &[200], "not UTF-8");

    // --- header lines
    row("header without a colon", &with("Nonsense\r\nContent-Length: 2"), &[400], MALFORMED);
    row("header without a name", &with(": x\r\nContent-Length: 2"), &[400], MALFORMED);
    row("space before the colon", &with("Content-Length : 2"), &[400], MALFORMED);
    row("space in a name", &with("X Y: z\r\nContent-Length: 2"), &[400], MALFORMED);
    row("NUL in a name", &with("X\0: z\r\nContent-Length: 2"), &[400], MALFORMED);
    row("NUL in a value", &with("X: \0\r\nContent-Length: 2"), &[400], MALFORMED);
    row("control character in a value", &with("X: \x07\r\nContent-Length: 2"), &[400], MALFORMED);
    row("lone CR in a value", &with("X: a\rb\r\nContent-Length: 2"), &[400], MALFORMED);
    row("folded header", &with("X: a\r\n b\r\nContent-Length: 2"), &[400], MALFORMED);
    row("first header folded", &with(" X: a\r\nContent-Length: 2"), &[400], MALFORMED);
    row("UTF-8 in a name", &with("心: a\r\nContent-Length: 2"), &[400], MALFORMED);
    row("UTF-8 in a value is let pass", &with("X: 心\r\nContent-Length: 2"), &[200], "ok");
    row("bare LF is let pass", &"POST / HTTP/1.1\nHost: hb\nContent-Length: 2\n\n{}", &[200], "ok");
    row("no Host", &"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", &[400], "Host");
    row("no Host, and a question", &"GET /healthz HTTP/1.1\r\n\r\n", &[400], "Host");
    row("no Host before a target that names one", &"GET http://hb/healthz HTTP/1.1\r\n\r\n", &[400], "Host");
    row(
        "no Host in HTTP/1.0 is let pass",
        &"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
        &[200],
        "ok",
    );
    row(
        "an empty Host is let pass",
        &"POST / HTTP/1.1\r\nHost:\r\nContent-Length: 2\r\n\r\n{}",
        &[200],
        "ok",
    );
    row(
        "64 lines are not too many",
        &with(&format!("{}Content-Length: 2", "X: y\r\n".repeat(62))),
        &[200],
        "ok",
    );
    row("65 lines", &with(&format!("{}Content-Length: 2", "X: y\r\n".repeat(63))), &[431], "header_lines");
    row(
        "a thousand lines",
        &with(&format!("{}Content-Length: 2", "X: y\r\n".repeat(998))),
        &[431],
        "header_lines",
    );
    let room = 16 * 1024 - with("X: \r\nContent-Length: 2").len() + 2;
    row(
        "a head of 16 KiB is not too large",
        &with(&format!("X: {}\r\nContent-Length: 2", "x".repeat(room))),
        &[200],
        "ok",
    );
    row(
        "a head of a byte more",
        &with(&format!("X: {}\r\nContent-Length: 2", "x".repeat(room + 1))),
        &[431],
        "header_bytes",
    );
    row(
        "a head of 60 kB",
        &with(&format!("X: {}\r\nContent-Length: 2", "x".repeat(60_000))),
        &[431],
        "header_bytes",
    );
    row(
        "a head that never ends",
        &format!("POST / HTTP/1.1\r\n{}", "X: y\r\n".repeat(60_000)),
        &[431],
        "too large",
    );
    row(
        "a header name that never ends",
        &format!("POST / HTTP/1.1\r\n{}", "x".repeat(100_000)),
        &[431],
        "too large",
    );
    row("two Hosts", &with("Host: other\r\nContent-Length: 2"), &[400], "Host");
    row(
        "two Authorizations",
        &with("Authorization: Bearer a\r\nAuthorization: Bearer b\r\nContent-Length: 2"),
        &[400],
        "Authorization",
    );
    row(
        "two Origins",
        &with("Origin: http://hb\r\nOrigin: http://hb\r\nContent-Length: 2"),
        &[400],
        "Origin",
    );
    row(
        "five Forwardeds",
        &with(&format!("{}Content-Length: 2", "Forwarded: for=1.2.3.4\r\n".repeat(5))),
        &[400],
        "Forwarded",
    );
    row(
        "a page of another site",
        &with("Origin: http://evil.example\r\nContent-Length: 2"),
        &[403],
        "Origin",
    );
    row("a page of no site", &with("Origin: null\r\nContent-Length: 2"), &[403], "Origin");
    row("a page of another port", &with("Origin: http://hb:8080\r\nContent-Length: 2"), &[403], "Origin");
    row("compressed body", &with("Content-Encoding: gzip\r\nContent-Length: 2"), &[415], "Content-Encoding");
    row(
        "body twice encoded",
        &with("Content-Encoding: identity, br\r\nContent-Length: 2"),
        &[415],
        "Content-Encoding",
    );
    row(
        "an upgrade nobody knows",
        &with("Connection: Upgrade\r\nUpgrade: frob/7\r\nContent-Length: 2"),
        &[200],
        "ok",
    );
    row(
        "an upgrade to HTTP/2",
        &with(
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 2",
        ),
        &[200],
        "ok",
    );
    row("an expectation nobody knows", &with("Expect: 200-maybe\r\nContent-Length: 2"), &[200], "ok");

    // --- how long the body is
    row("no length", &framed("X: y", "{}"), &[200, 400], MALFORMED);
    row("an empty length", &with("Content-Length: "), &[400], MALFORMED);
    row("a length that is no number", &with("Content-Length: two"), &[400], MALFORMED);
    row("a negative length", &with("Content-Length: -2"), &[400], MALFORMED);
    row("a length with a plus", &with("Content-Length: +2"), &[400], MALFORMED);
    row("a length in hexadecimal", &with("Content-Length: 0x2"), &[400], MALFORMED);
    row("a length with a fraction", &with("Content-Length: 2.0"), &[400], MALFORMED);
    row("a length with a space inside", &with("Content-Length: 1 2"), &[400], MALFORMED);
    row("a length with zeros before", &with("Content-Length: 0002"), &[200], "ok");
    row("a length with many zeros before", &with("Content-Length: 00000000000000000002"), &[200], "ok");
    row("a length with spaces around", &with("Content-Length: \t 2 \t"), &[200], "ok");
    row("a length of 2^64", &with("Content-Length: 18446744073709551616"), &[400], MALFORMED);
    row("a length of 2^64 - 1", &with("Content-Length: 18446744073709551615"), &[431], "too large");
    row("a length of 2^63", &with("Content-Length: 9223372036854775808"), &[413], "body_bytes");
    row("two different lengths", &with("Content-Length: 2\r\nContent-Length: 3"), &[400], MALFORMED);
    row("two equal lengths", &with("Content-Length: 2\r\nContent-Length: 2"), &[200], "ok");
    row("two lengths in a list", &with("Content-Length: 2, 2"), &[400], MALFORMED);
    row("a body shorter than its length", &with("Content-Length: 20"), &[400], "ended early");
    row("a body a little longer than allowed", &with("Content-Length: 1048577"), &[413], "body_bytes");
    row("a body longer than its length", &framed("Content-Length: 2", "{}{}"), &[200, 400], MALFORMED);
    // Chunks win over a length, and the connection ends so that nothing behind can be misread (RFC 9112, 6.3).
    row(
        "length and chunks",
        &framed("Content-Length: 2\r\nTransfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n{}"),
        &[200],
        "ok",
    );
    row(
        "chunks and length",
        &framed("Transfer-Encoding: chunked\r\nContent-Length: 2", "2\r\n{}\r\n0\r\n\r\n{}"),
        &[200],
        "ok",
    );
    row("a coding nobody knows", &framed("Transfer-Encoding: gzip", "{}"), &[400], MALFORMED);
    row(
        "chunked, but not last",
        &framed("Transfer-Encoding: chunked, gzip", "2\r\n{}\r\n0\r\n\r\n"),
        &[400],
        MALFORMED,
    );
    row(
        "the coding identity",
        &framed("Transfer-Encoding: identity\r\nContent-Length: 2", "{}"),
        &[400],
        MALFORMED,
    );
    row(
        "a coding with a tail",
        &framed("Transfer-Encoding: chunkedx", "2\r\n{}\r\n0\r\n\r\n"),
        &[400],
        MALFORMED,
    );
    row(
        "a coding with a tab before",
        &framed("Transfer-Encoding:\x0bchunked", "2\r\n{}\r\n0\r\n\r\n"),
        &[400],
        MALFORMED,
    );
    row(
        "chunks in HTTP/1.0",
        &"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        &[400],
        MALFORMED,
    );

    // --- chunks
    let chunks = |chunks: &str| framed("Transfer-Encoding: chunked", chunks);
    row("a chunk size that is no number", &chunks("zz\r\n{}\r\n0\r\n\r\n"), &[400], "chunks");
    row("an empty chunk size", &chunks("\r\n{}\r\n0\r\n\r\n"), &[400], "chunks");
    row("a negative chunk size", &chunks("-2\r\n{}\r\n0\r\n\r\n"), &[400], "chunks");
    row("a chunk size of 2^64", &chunks("10000000000000000\r\n{}\r\n0\r\n\r\n"), &[400], "chunks");
    row("a chunk size of 2^64 - 1", &chunks("ffffffffffffffff\r\n{}\r\n0\r\n\r\n"), &[400], "chunks");
    row("a chunk longer than its size", &chunks("1\r\n{}\r\n0\r\n\r\n"), &[400], "chunks");
    row("a chunk shorter than its size", &chunks("5\r\n{}\r\n0\r\n\r\n"), &[400], "chunks");
    row("chunks without an end", &chunks("2\r\n{}\r\n"), &[400], "ended early");
    row("a chunk line that ends in LF", &chunks("2\n{}\n0\n\n"), &[400], "chunks");
    row(
        "a chunk extension that never ends",
        &chunks(&format!("2;{}", "x".repeat(100_000))),
        &[400],
        "chunks",
    );
    row(
        "trailers that never end",
        &chunks(&format!("2\r\n{{}}\r\n0\r\n{}", "X: y\r\n".repeat(20_000))),
        &[400],
        "chunks",
    );

    // --- smuggling: what hides in a body must never be answered as a request
    let hidden = "GET /healthz HTTP/1.1\r\nHost: hb\r\n\r\n";
    row(
        "CL.TE",
        &framed("Content-Length: 6\r\nTransfer-Encoding: chunked", &format!("0\r\n\r\n{hidden}")),
        &[200],
        "ok",
    );
    let whole = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    row("TE.CL", &framed("Transfer-Encoding: chunked\r\nContent-Length: 4", &whole), &[400], "JSON object");
    row(
        "TE.TE with a space",
        &framed("Transfer-Encoding : chunked\r\nContent-Length: 4", &format!("0\r\n\r\n{hidden}")),
        &[400],
        MALFORMED,
    );
    row(
        "TE.TE with a false twin",
        &framed("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", &format!("0\r\n\r\n{hidden}")),
        &[400],
        MALFORMED,
    );
    row(
        "CL.CL",
        &framed(&format!("Content-Length: 0\r\nContent-Length: {}", hidden.len()), hidden),
        &[400],
        MALFORMED,
    );
    row(
        "a length after a fold",
        &framed(&format!("X: y\r\n Content-Length: 0\r\nContent-Length: {}", hidden.len()), hidden),
        &[400],
        MALFORMED,
    );
    row(
        "a body with a request in it",
        &framed(&format!("Content-Length: {}", hidden.len()), hidden),
        &[400],
        "JSON object",
    );
    row(
        "a refused request with another behind",
        &format!("{}{hidden}", with("Origin: null\r\nContent-Length: 2")),
        &[403],
        "Origin",
    );
    row(
        "a GET with a body that is a request",
        &format!("GET / HTTP/1.1\r\nHost: hb\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len()),
        &[200],
        "<",
    );

    // --- not HTTP at all
    row("nothing", &"", &[], "");
    row("empty lines alone", &"\r\n\r\n\r\n", &[], "");
    row(
        "empty lines before a beat are let pass",
        &format!("\r\n\r\n{}", with("Content-Length: 2")),
        &[200],
        "ok",
    );
    row("a word", &"hello server\r\n\r\n", &[400], MALFORMED);
    row("PING", &"PING\r\n", &[400], MALFORMED);
    row("NULs", &[0u8; 64], &[400], MALFORMED);
    row("the preface of HTTP/2", &"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", &[], "");
    row(
        "a TLS ClientHello",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03 random bytes of a client\x00\x20",
        &[400],
        MALFORMED,
    );
    row("SOCKS 5", b"\x05\x01\x00", &[400], MALFORMED);
    row("SOCKS 4", b"\x04\x01\x1e\x61\x7f\x00\x00\x01\x00", &[400], MALFORMED);
    row(
        "a PROXY line",
        &format!("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n{}", with("Content-Length: 2")),
        &[400],
        MALFORMED,
    );
    row("an SSH greeting", &"SSH-2.0-OpenSSH_9.2p1\r\n", &[400], MALFORMED);
    row("half a head", &"POST / HTTP/1.1\r\nHos", &[], "");
    row(
        "half a beat",
        &"POST / HTTP/1.1\r\nHost: hb\r\nContent-Length: 20\r\n\r\n{\"id\"",
        &[400],
        "ended early",
    );
    row(
        "rubbish after a beat",
        &format!("{}\x01\x02\x03\r\n\r\n", with("Content-Length: 2")),
        &[200, 400],
        MALFORMED,
    );
    row("rubbish after a question", &format!("{hidden}\x01\x02\x03\r\n\r\n"), &[200, 400], MALFORMED);

    // --- bodies
    row("no JSON", &json(b"id=web-1"), &[400], "JSON object");
    row("half an object", &json(br#"{"id":"x""#), &[400], "not JSON");
    row("an object and more", &json(br#"{"id":"x"} x"#), &[400], "not JSON");
    row("a number", &json(b"7"), &[400], "JSON object");
    row("a text", &json(br#""x""#), &[400], "JSON object");
    row("null", &json(b"null"), &[400], "JSON object");
    row("a key without quotes", &json(br#"{id:"x"}"#), &[400], "not JSON");
    row("a comma too many", &json(br#"{"id":"x",}"#), &[400], "not JSON");
    row("a control character in a text", &json(b"{\"id\":\"x\ny\"}"), &[400], "not JSON");
    row("half a surrogate", &json(br#"{"id":"\ud83d"}"#), &[400], "not JSON");
    row("invalid UTF-8", &json(b"{\"id\":\"\xff\xfe\"}"), &[400], "not UTF-8 at byte 7");
    row("an overlong NUL", &json(b"{\"id\":\"\xc0\x80\"}"), &[400], "not UTF-8");
    row("UTF-16", &json(b"\xff\xfe{\0}\0"), &[400], "not UTF-8");
    row(
        "deep nesting",
        &json(format!("{{\"x\":{}1{}}}", "[".repeat(16), "]".repeat(16)).as_bytes()),
        &[400],
        "json_depth",
    );
    row("very deep nesting", &json("[".repeat(16_000).as_bytes()), &[400], "json_depth");
    row("a number beyond all bounds", &json(br#"{"seq":1e999999}"#), &[400], "not JSON");
    for (name, field) in [
        ("id: empty", r#""id":"""#),
        ("id: a number", r#""id":7"#),
        ("id: too long", &format!("\"id\":\"{}\"", "x".repeat(129))),
        ("id: white space", r#""id":"a b""#),
        ("id: a slash first", r#""id":"/a""#),
        ("id: a slash last", r#""id":"a/""#),
        ("id: two slashes", r#""id":"a//b""#),
        ("id: a dot between slashes", r#""id":"a/./b""#),
        ("id: two dots and a slash", r#""id":"../a""#),
        ("id: a substitution", r#""id":"$(reboot)""#),
        ("id: backticks", r#""id":"`id`""#),
        ("id: a semicolon", r#""id":"a;b""#),
        ("id: a pipe", r#""id":"a|b""#),
        ("id: a star", r#""id":"*""#),
        ("id: an option", r#""id":"-rf""#),
        ("id: nothing to be seen", r#""id":"\u3164""#),
        ("id: blank Braille", r#""id":"a\u2800""#),
        ("id: a selector", r#""id":"a\ufe0f""#),
        ("id: an emoji", r#""id":"\ud83d\ude00""#),
        ("id: private use", r#""id":"\ue000""#),
        ("id: two dots", r#""id":"..""#),
        ("id: direction turned", r#""id":"a\u202eb""#),
        ("id: a line break", r#""id":"a\nb""#),
        ("interval: none", r#""interval":0"#),
        ("interval: too short", r#""interval":"500ms""#),
        ("interval: too long", r#""interval":"367d""#),
        ("interval: negative", r#""interval":-60"#),
        ("interval: no unit of ours", r#""interval":"5 fortnights""#),
        ("grace: too long", r#""grace":"10000d""#),
        ("grace: yes", r#""grace":true"#),
        ("status: a word", r#""status":"dead""#),
    ] {
        // The name of the field is the word that must stand in the answer.
        let field_name = name.split(':').next().unwrap_or_default();
        row(name, &json(format!("{{{field}}}").as_bytes()), &[400], field_name);
    }
    // What only decorates a beat is cut or left out, and the answer says so.
    for (name, field) in [
        ("ip: a list", r#""ip":["1.2.3.4"]"#),
        ("ip: markup", r#""ip":"<b>""#),
        ("seq: negative", r#""seq":-1"#),
        ("seq: a fraction", r#""seq":1.5"#),
        ("seq: a text", r#""seq":"1""#),
        ("seq: 2^64", r#""seq":18446744073709551616"#),
        ("ts: a word", r#""ts":"yesterday""#),
        ("ts: beyond all years", r#""ts":1e300"#),
        ("message: a number", r#""message":7"#),
        ("message: too long", &format!("\"message\":\"{}\"", "m".repeat(10_001))),
        ("tags: a text", r#""tags":"a""#),
        ("tags: a number in it", r#""tags":[7]"#),
        ("tags: an empty one", r#""tags":[""]"#),
        ("tags: too many", &format!("\"tags\":[{}\"x\"]", "\"x\",".repeat(16))),
        ("tags: a long one", &format!("\"tags\":[\"{}\"]", "t".repeat(65))),
        ("rid: empty", r#""rid":"""#),
        ("rid: too long", &format!("\"rid\":\"{}\"", "r".repeat(65))),
    ] {
        let field_name = name.split(':').next().unwrap_or_default();
        row(name, &json(format!("{{{field}}}").as_bytes()), &[200], field_name);
    }
    row("a message in another encoding", &json(b"{\"message\":\"caf\xe9\"}"), &[200], "not UTF-8");
    table
}
