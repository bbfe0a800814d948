//! Requests to receivers on this machine that do what receivers do.

use super::*;
use crate::domain::lang::Lang;
use crate::domain::time::Span;
use crate::domain::time::Wall;
use crate::notify::Secrets;
use crate::notify::proxy::Proxy;
use crate::notify::testing::{
    NOW, Receiver, answer, envelope, message, read_request, refused, retried, wait,
};
use crate::notify::{Secret, hostile, preset};
use crate::sys::clock;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

mod composing;

fn written(preset: &'static preset::Preset, url: &str) -> WebhookOptions {
    compose(preset, Some(url), &[], None, &[("token", "T0KEN-geheim")], &[("topic", "t")]).unwrap()
}

fn compose(
    preset: &'static preset::Preset,
    url: Option<&str>,
    headers: &[(HeaderName, String)],
    body: Option<&str>,
    secrets: &[(&str, &str)],
    params: &[(&str, &str)],
) -> Result<WebhookOptions, ComposeError> {
    let (names, keys): (Vec<&str>, Vec<&str>) =
        (secrets.iter().map(|(name, _)| *name).collect(), params.iter().map(|(name, _)| *name).collect());
    let secrets =
        secrets.iter().map(|(name, text)| (name.to_string(), Secret::new(text.to_string()))).collect();
    let params = params.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
    let (method, ca) = (None, None);
    let secrets = Secrets::new(secrets);
    Written {
        preset,
        method,
        url,
        headers,
        body,
        secrets,
        params,
        ca,
        proxy: None,
        timeout: Span::secs(60),
        show_answers: true,
    }
    .compose(&names, &keys)
}

fn plain(receiver: &Receiver) -> WebhookOptions {
    written(&preset::PLAIN, &receiver.url())
}

fn send(options: WebhookOptions) -> Outcome {
    let down = message(MessageKind::Down, &["web-1"]);
    wait(Webhook::new(options).send(&envelope(&down)))
}

#[test]
fn a_request_has_the_json_and_the_key_that_makes_a_repeat_known() {
    let receiver = Receiver::answering(answer("202 Accepted", "", "thanks"));
    assert_eq!(send(plain(&receiver)), Outcome::Sent);
    let (head, body) = receiver.request();
    let lines: Vec<String> = head.lines().map(str::to_ascii_lowercase).collect();
    assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
    for line in [
        format!("host: 127.0.0.1:{}", receiver.port),
        "idempotency-key: down-7-3-ops".into(),
        "content-type: application/json; charset=utf-8".into(),
        "authorization: bearer t0ken-geheim".into(),
        format!("content-length: {}", body.len()),
        "connection: close".into(),
    ] {
        assert!(lines.contains(&line), "{line} is not in {head}");
    }
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&json["kind"], &json["monitor"], &json["key"]),
        (&"down".into(), &"web-1".into(), &"down-7-3-ops".into())
    );
}

#[test]
fn everything_of_a_request_can_be_written() {
    let receiver = Receiver::answering(answer("200 OK", "", ""));
    let url = format!("{}/{{{{url monitor}}}}?k={{{{url key}}}}", receiver.url());
    // A field that tries to be a header of its own.
    let headers = [
        (HeaderName::from_static("x-text"), "{{message}} {{secret.token}}".to_string()),
        (HeaderName::from_static("authorization"), "Basic {{base64 \"me:\" secret.token}}".to_string()),
    ];
    let mut options =
        compose(&preset::PLAIN, Some(&url), &headers, Some("{{kind}}: {{text}}"), &[("token", "abcd")], &[])
            .unwrap();
    options.method = Method::PUT;
    let mut down = message(MessageKind::Down, &["web-1"]);
    down.monitors[0].said = Some("a\r\nX-Evil: 监".into());
    assert_eq!(wait(Webhook::new(options).send(&envelope(&down))), Outcome::Sent);
    let (head, body) = receiver.request();
    assert!(head.starts_with("PUT /hook/web-1?k=down-7-3-ops HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("x-text: a  X-Evil: 监 abcd\r\n"), "{head}");
    assert!(head.contains("authorization: Basic bWU6YWJjZA==\r\n") && !head.contains("Bearer"), "{head}");
    assert!(head.contains("content-type: text/plain; charset=utf-8\r\n"), "{head}");
    assert_eq!(body, "down: web-1 is down, silent for 1m30s");
}

#[test]
fn what_is_answered_decides_what_comes_of_it() {
    for (status, headers, body, want) in [
        (
            "500 Internal Server Error",
            "",
            "boom\n\n  here",
            "127.0.0.1 answered 500 Internal Server Error: boom here",
        ),
        ("503 Service Unavailable", "", "", "127.0.0.1 answered 503 Service Unavailable"),
        ("408 Request Timeout", "", "", "127.0.0.1 answered 408 Request Timeout"),
    ] {
        let receiver = Receiver::answering(answer(status, headers, body));
        assert_eq!(retried(send(plain(&receiver))), (None, want.to_string()));
    }
    for (headers, body, after) in [
        ("Retry-After: 120\r\n", "", Some(Span::secs(120))),
        // Two minutes from the moment of the message.
        ("Retry-After: Sun, 08 Feb 2026 03:32:20 GMT\r\n", "", Some(Span::secs(120))),
        ("Retry-After: 99999999\r\n", "", Some(Span::secs(86_400))),
        ("", r#"{"retry_after": 1.5}"#, Some(Span(1500))),
        ("", "", None),
    ] {
        let receiver = Receiver::answering(answer("429 Too Many Requests", headers, body));
        assert_eq!(retried(send(plain(&receiver))).0, after, "{headers}{body}");
    }
    let receiver = Receiver::answering(answer("404 Not Found", "", "no such hook"));
    assert_eq!(refused(send(plain(&receiver))), "127.0.0.1 answered 404 Not Found: no such hook");
    let reason = refused(send(WebhookOptions { show_answers: false, ..plain(&receiver) }));
    assert!(reason.starts_with("127.0.0.1 answered 404 Not Found; ") && !reason.contains("hook"), "{reason}");
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Receiver::answering(answer("200 OK", "", ""));
    let location = format!("Location: http://127.0.0.1:{}/elsewhere/SECRET\r\n", other.port);
    let receiver = Receiver::answering(answer("307 Temporary Redirect", &location, ""));
    let reason = refused(send(plain(&receiver)));
    assert!(reason.starts_with(
        "127.0.0.1 answered 307 Temporary Redirect to http://127.0.0.1: redirects are not followed"
    ));
    let reason = refused(send(WebhookOptions { show_answers: false, ..plain(&receiver) }));
    assert!(reason.starts_with("127.0.0.1 answered 307 Temporary Redirect: redirects"), "{reason}");
    assert!(!reason.contains("SECRET"), "{reason}");
    assert!(other.heard.try_recv().is_err());
}

#[test]
fn no_secret_is_ever_said() {
    // A receiver that repeats all it was sent, and the address with it.
    let receiver = Receiver::start(|mut stream, _| {
        let request = read_request(&mut stream);
        let _ = stream.write_all(answer("403 Forbidden", "", &request).as_bytes());
    });
    let url = format!("http://127.0.0.1:{}/services/T00/{{{{secret.path}}}}?k=v", receiver.port);
    let secrets = [("token", "T0KEN/geheim"), ("path", "B11/XXgeheimXX")];
    let options =
        compose(&preset::PLAIN, Some(&url), &[], Some("{{url secret.token}} x"), &secrets, &[]).unwrap();
    let shown = format!("{options:?}");
    let reason = refused(send(options));
    assert!(reason.starts_with("127.0.0.1 answered 403 Forbidden: POST … HTTP/1.1"), "{reason}");
    assert!(!reason.contains("geheim") && !shown.contains("geheim"), "{reason} {shown}");
    // Nor where there is no answer.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{closed}/geheim");
    let (_, reason) = retried(send(written(&preset::PLAIN, &url)));
    assert!(
        reason.starts_with(&format!("cannot connect to 127.0.0.1:{closed}: ")) && !reason.contains("geheim"),
        "{reason}"
    );
}

#[test]
fn receivers_that_hang_or_break_off_are_tried_again() {
    let hanging = Receiver::start(|mut stream, tell| {
        let _ = tell.send(read_request(&mut stream));
        std::thread::sleep(Duration::from_secs(60));
    });
    let began = clock::mono();
    let options = WebhookOptions { timeout: Span(300), ..plain(&hanging) };
    assert_eq!(retried(send(options)), (None, "127.0.0.1 did not answer within 300ms".into()));
    assert!(clock::mono().since(began) < Span::secs(50));
    // One that lets nothing but the head through, drop by drop, is no better.
    let slow = Receiver::start(|mut stream, _| {
        read_request(&mut stream);
        while stream.write_all(b"HTTP/1.1 200 OK\r\nX: y"[..1].as_ref()).is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    retried(send(WebhookOptions { timeout: Span(300), ..plain(&slow) }));
    let cut = Receiver::answering("HTTP/1.1 200 O");
    let (_, reason) = retried(send(plain(&cut)));
    assert!(reason.starts_with("the connection to 127.0.0.1 broke before it answered"), "{reason}");
    let silent = Receiver::start(|stream, _| stream.shutdown(Shutdown::Both).unwrap());
    retried(send(plain(&silent)));
    let rubbish = Receiver::answering("220 smtp.example ESMTP\r\n");
    retried(send(plain(&rubbish)));
}

#[test]
fn an_answer_that_breaks_off_counts_by_its_status_unless_its_body_does() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"errcode\":0";
    let receiver = Receiver::answering(half);
    assert_eq!(send(plain(&receiver)), Outcome::Sent);
    let receiver = Receiver::answering(half);
    let options = written(preset::find("wecom").unwrap(), &receiver.url());
    assert_eq!(retried(send(options)).1, "the answer of 127.0.0.1 broke off");
}

#[test]
fn an_endless_answer_is_read_no_further_than_needed() {
    let receiver = Receiver::start(|mut stream, tell| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
        let mut chunks = 0;
        while stream.write_all(chunk.as_bytes()).is_ok() {
            chunks += 1;
        }
        let _ = tell.send(chunks.to_string());
    });
    let reason = refused(send(plain(&receiver)));
    assert!(reason.chars().count() < 300, "{reason}");
    let chunks: u64 = receiver.heard.recv_timeout(Duration::from_secs(60)).unwrap().parse().unwrap();
    assert!(chunks < 16_384, "{chunks} chunks were taken");
}

#[test]
fn chat_services_say_in_the_body_whether_they_took_it() {
    for (preset, body, want) in [
        ("dingtalk", r#"{"errcode":0,"errmsg":"ok"}"#, "sent"),
        ("dingtalk", r#"{"errcode":310000,"errmsg":"sign not match"}"#, "refused"),
        ("dingtalk", r#"{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}"#, "retry"),
        ("wecom", r#"{"errcode":0,"errmsg":"ok"}"#, "sent"),
        ("wecom", r#"{"errcode":93000,"errmsg":"invalid webhook url"}"#, "refused"),
        ("wecom", r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#, "retry"),
        ("feishu", r#"{"code":0,"data":{},"msg":"success"}"#, "sent"),
        ("feishu", r#"{"StatusCode":0,"StatusMessage":"success"}"#, "sent"),
        ("feishu", r#"{"code":19021,"msg":"sign match fail"}"#, "refused"),
        ("feishu", r#"{"code":11232,"msg":"frequency limited"}"#, "retry"),
        ("feishu", "<html>a gateway</html>", "retry"),
    ] {
        let receiver = Receiver::answering(answer("200 OK", "", body));
        let outcome = send(written(preset::find(preset).unwrap(), &receiver.url()));
        let found = match &outcome {
            Outcome::Sent => "sent",
            Outcome::Refused { .. } => "refused",
            Outcome::Retry { .. } => "retry",
            Outcome::Partly { .. } => panic!("it has one recipient"),
        };
        assert_eq!(found, want, "{preset} {body} {outcome:?}");
    }
    // The meaning of the code is shown, though the answer is not.
    for (preset, code, says) in [
        ("dingtalk", r#"{"errcode":310000,"errmsg":"x"}"#, "the signature is wrong (secrets.sign"),
        ("wecom", r#"{"errcode":93000,"errmsg":"x"}"#, "there is no such group robot: the key is wrong"),
        ("feishu", r#"{"code":19021,"msg":"x"}"#, "the clock here is off by more than an hour"),
        ("feishu", r#"{"code":19024,"msg":"x"}"#, "the robot's keyword is not in the text"),
    ] {
        let receiver = Receiver::answering(answer("200 OK", "", code));
        let reason = refused(send(written(preset::find(preset).unwrap(), &receiver.url())));
        assert!(reason.contains(says), "{reason}");
    }
}

#[test]
fn where_a_service_keeps_states_each_monitor_has_a_request_of_its_own() {
    let receiver = Receiver::answering(answer("202 Accepted", "", "{}"));
    let webhook = Webhook::new(written(preset::find("pagerduty").unwrap(), &receiver.url()));
    let mut down = message(MessageKind::Down, &["a", "b"]);
    down.count = 2;
    assert_eq!(wait(webhook.send(&envelope(&down))), Outcome::Sent);
    let requests = [receiver.request(), receiver.request()];
    for ((head, body), id) in requests.iter().zip(["a", "b"]) {
        let json: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(json["dedup_key"], format!("heartbeat:{id}"));
        assert_eq!(json["payload"]["summary"], format!("{id} is down, silent for 1m30s"));
        assert!(head.contains(&format!("down-7-3-ops/{}\r\n", usize::from(id == "b"))), "{head}");
    }
    assert!(receiver.heard.try_recv().is_err());
    // That many suspect us together is one matter.
    let own = message(MessageKind::Own, &["a", "b", "c"]).at(Wall(NOW.0), Span::secs(60));
    assert_eq!(wait(webhook.send(&envelope(&own))), Outcome::Sent);
    assert!(receiver.request().1.contains(r#""dedup_key":"heartbeat:self""#));
    assert!(receiver.heard.try_recv().is_err());
}

/// A receiver behind TLS with a certificate for a name, and the bundle to trust it.
fn behind_tls(name: &str, fault: &str) -> (Receiver, PathBuf) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_string()]).unwrap();
    // rcgen's default subject is the same for all certificates, and an issuer is found by its subject.
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    if fault == "authority" {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    }
    if fault == "expired" {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    }
    let certificate = params.self_signed(&key).unwrap();
    let bundle = std::env::temp_dir().join(format!("heartbeat-ca-{}-{name}-{fault}.pem", std::process::id()));
    std::fs::write(&bundle, certificate.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let receiver = Receiver::start(move |stream, tell| {
        let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
        let request = read_request(&mut stream);
        if !request.is_empty() {
            let _ = tell.send(request);
            let _ = stream.write_all(answer("200 OK", "", "").as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (receiver, bundle)
}

#[test]
fn a_certificate_must_come_from_whom_we_trust_and_bear_the_name_we_called() {
    for (name, fault, trusted, want) in [
        ("localhost", "", true, None),
        ("localhost", "", false, Some("; name its authority with ca")),
        ("other.example", "", true, Some("not valid for name \"localhost\"")),
        ("localhost", "expired", true, Some("certificate expired")),
        ("localhost", "authority", true, Some("; it is the certificate of an authority, make")),
    ] {
        let (receiver, bundle) = behind_tls(name, fault);
        let mut options = written(&preset::PLAIN, &format!("https://localhost:{}/hook", receiver.port));
        // The authority is made for this test; those of this machine do not matter.
        let (_, unrelated) = behind_tls("unrelated.example", "");
        options.ca = Some(if trusted { bundle.clone() } else { unrelated.clone() });
        match (send(options), want) {
            (Outcome::Sent, None) => assert!(receiver.request().0.starts_with("POST /hook")),
            (Outcome::Retry { reason, .. }, Some(want)) => {
                let reason = reason.say(Lang::En);
                assert!(reason.starts_with("no TLS with localhost: ") && reason.contains(want), "{reason}");
                assert!(receiver.heard.try_recv().is_err());
            }
            (outcome, _) => panic!("{name} {fault} {trusted}: {outcome:?}"),
        }
        let _ = std::fs::remove_file(bundle);
        let _ = std::fs::remove_file(unrelated);
    }
}

/// A proxy that connects once to the requested host, and reports the request.
fn proxy(answer: &'static str) -> Receiver {
    Receiver::start(move |mut stream, tell| {
        let asked = read_request(&mut stream);
        let to = asked.split_whitespace().nth(1).unwrap_or_default().to_string();
        let _ = tell.send(asked);
        let _ = stream.write_all(answer.as_bytes());
        if answer.contains(" 200 ") && to.contains(':') && !to.contains('/') {
            let host = TcpStream::connect(to).unwrap();
            let (mut from, mut into) = (stream.try_clone().unwrap(), host.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut into));
            let _ = std::io::copy(&mut &host, &mut &stream);
            let _ = stream.shutdown(Shutdown::Both);
        }
    })
}

#[test]
fn through_a_proxy_https_is_tunnelled_and_http_is_handed_over() {
    // http: the proxy gets the request with the whole address.
    let relay = proxy("HTTP/1.1 204 No Content\r\n\r\n");
    let through = |to: &Receiver| Proxy::parse(&format!("http://hb:geheim@127.0.0.1:{}", to.port));
    let options = written(&preset::PLAIN, "http://hooks.invalid/x");
    assert_eq!(send(WebhookOptions { proxy: through(&relay), ..options }), Outcome::Sent);
    let (head, _) = relay.request();
    assert!(head.starts_with("POST http://hooks.invalid/x HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("proxy-authorization: basic "), "{head}");
    // https: it sees the host and nothing else.
    let relay = proxy("HTTP/1.1 200 Connection established\r\n\r\n");
    let host = Receiver::start(|mut stream, tell| {
        let mut first = [0; 1];
        let _ = std::io::Read::read(&mut stream, &mut first);
        let _ = tell.send(format!("{}", first[0]));
    });
    let url = format!("https://127.0.0.1:{}/geheimer-pfad", host.port);
    let options = written(&preset::PLAIN, &url);
    let (_, reason) = retried(send(WebhookOptions { proxy: through(&relay), ..options.clone() }));
    assert!(reason.starts_with("no TLS with 127.0.0.1"), "{reason}");
    let asked = relay.heard.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    assert!(asked.starts_with(&format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n", host.port)), "{asked}");
    assert!(!asked.contains("pfad"), "{asked}");
    let first = host.heard.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    assert_eq!(first, "22", "a handshake of TLS came through");
    // One that requires a password, and one that does not listen.
    let relay = proxy("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    let (_, reason) = retried(send(WebhookOptions { proxy: through(&relay), ..options.clone() }));
    assert!(reason.contains("407") && reason.contains("proxy = ") && !reason.contains("geheim"), "{reason}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gone = Proxy::parse(&format!("127.0.0.1:{closed}"));
    let (_, reason) = retried(send(WebhookOptions { proxy: gone, ..options }));
    assert!(reason.contains(&format!("127.0.0.1:{closed}")), "{reason}");
}
