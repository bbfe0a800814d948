//! Real clients, as people have them. One that is not installed is a skip.

use crate::harness::{Daemon, daemon};
use crate::skip::skip;
use std::process::{Command, Output};

const FAST: &str = "heartbeat_fast_path_beats_total";

/// Runs a client; nothing when there is no such program.
fn run(program: &str, args: &[&str]) -> Option<Output> {
    match Command::new(program).args(args).output() {
        Ok(output) => Some(output),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            skip(&format!("no {program} here"));
            None
        }
        Err(e) => panic!("{program}: {e}"),
    }
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn expect_one_fast_beat(hb: &Daemon, client: &str, send: impl FnOnce(&str) -> Option<Output>) {
    let before = hb.metric(FAST);
    let Some(output) = send(&format!("http://{}", hb.address())) else { return };
    let said = said(&output);
    assert!(said.contains(r#"{"status":"ok"}"#), "{client}: {said}");
    assert_eq!(hb.metric(FAST), before + 1, "{client} takes the fast path");
}

#[test]
fn curl_in_all_three_forms() {
    let hb = daemon("");
    let url = format!("http://{}", hb.address());
    expect_one_fast_beat(&hb, "curl", |url| {
        let json = "Content-Type: application/json";
        run("curl", &["-sS", "-X", "POST", url, "-H", json, "-d", r#"{"ip": "192.168.1.100"}"#])
    });
    expect_one_fast_beat(&hb, "curl -d", |url| run("curl", &["-sS", "-d", r#"{"id":"plain"}"#, url]));
    let Some(page) = run("curl", &["-sS", &url]) else { return };
    assert!(said(&page).contains("192.168.1.100"));
    let head = said(&run("curl", &["-sSI", &url]).unwrap());
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("text/html"), "{head}");
    // A body from a pipe is sent chunked; one of more than a megabyte is announced first.
    let path = hb.place.path("big");
    std::fs::write(&path, format!("{{\"id\":\"big\"}}{}", " ".repeat(1_040_000))).unwrap();
    let at = format!("@{}", path.display());
    let chunked = ["-sS", "-H", "Transfer-Encoding: chunked", "--data-binary", &at, &url];
    assert_eq!(said(&run("curl", &chunked).unwrap()), r#"{"status":"ok"}"#);
    assert_eq!(said(&run("curl", &["-sS", "--data-binary", &at, &url]).unwrap()), r#"{"status":"ok"}"#);
    std::fs::write(&path, vec![b' '; 5 * 1024 * 1024]).unwrap();
    let refused = run("curl", &["-sS", "-w", "%{http_code}", "--data-binary", &at, &url]).unwrap();
    let said = said(&refused);
    assert!(said.ends_with("413") && said.contains("limits.body_bytes"), "{said}");
    assert_eq!(hb.monitor("big")["beats"], serde_json::json!(2));
}

#[test]
fn curl_over_a_unix_socket_and_the_older_http() {
    let hb = daemon(
        "[[listen]]\nname = \"tcp\"\naddress = \"127.0.0.1:{a}\"\n[[listen]]\nname = \"unix\"\naddress = \"unix:{dir}/s\"\n",
    );
    let socket = hb.place.fill("{dir}/s");
    let args = ["-sS", "--unix-socket", &socket, "http://hb/", "-d", r#"{"id":"u"}"#];
    let Some(output) = run("curl", &args) else { return };
    assert_eq!(said(&output), r#"{"status":"ok"}"#);
    let url = format!("http://{}", hb.address());
    assert_eq!(said(&run("curl", &["-sS", "--http1.0", "-d", "{}", &url]).unwrap()), r#"{"status":"ok"}"#);
    // A client that offers HTTP/2 by upgrade stays with HTTP/1.1.
    assert_eq!(said(&run("curl", &["-sS", "--http2", "-d", "{}", &url]).unwrap()), r#"{"status":"ok"}"#);
}

#[test]
fn python_with_what_it_brings_along() {
    let hb = daemon("");
    for (client, program) in [
        (
            "urllib",
            "import sys,urllib.request as u\n\
             print(u.urlopen(u.Request(sys.argv[1],data=b'{\"id\":\"py\"}')).read().decode())",
        ),
        (
            "http.client",
            "import sys,http.client as h\n\
             c=h.HTTPConnection(sys.argv[1][7:])\n\
             c.request('POST','/',b'{\"id\":\"py\"}',{'Content-Type':'application/json'})\n\
             print(c.getresponse().read().decode())",
        ),
    ] {
        expect_one_fast_beat(&hb, client, |url| run("python3", &["-c", program, url]));
    }
    let session = "import sys,http.client as h\n\
                   c=h.HTTPConnection(sys.argv[1][7:])\n\
                   for m,p,b in [('POST','/',b'{}'),('GET','/healthz',None),('HEAD','/',None),('POST','/api/v1/beats',b'[]')]:\n\
                   \x20c.request(m,p,b); r=c.getresponse(); assert r.status==200,r.status; r.read()\n\
                   print('{\"status\":\"ok\"}')";
    expect_one_fast_beat(&hb, "a session", |url| run("python3", &["-c", session, url]));
}

#[test]
fn python_requests() {
    if !run("python3", &["-c", "import requests"]).is_some_and(|o| o.status.success()) {
        return skip("python has no requests here");
    }
    let hb = daemon("");
    let one = "import sys,requests; print(requests.post(sys.argv[1],json={'id':'r'}).text)";
    expect_one_fast_beat(&hb, "requests", |url| run("python3", &["-c", one, url]));
    let session = "import sys,requests\ns=requests.Session()\n\
                   for _ in range(3): assert s.post(sys.argv[1],json={'id':'r'}).json()=={'status':'ok'}\n\
                   assert s.get(sys.argv[1]+'/api/v1/monitors/r').json()['beats']==4\n\
                   def parts():\n\x20yield b'{\"id\":'\n\x20yield b'\"r\"}'\n\
                   print(s.post(sys.argv[1],data=parts()).text)";
    let output = run("python3", &["-c", session, &format!("http://{}", hb.address())]).unwrap();
    assert_eq!(said(&output).trim(), r#"{"status":"ok"}"#);
    assert_eq!(hb.monitor("r")["beats"], serde_json::json!(5));
}
