//! `heartbeat-server test-alert NAME`: has the running daemon send a test through one of its notifiers.
//!
//! The daemon does it, not this process: the message takes the way that alerts take, with the daemon's rights, its
//! secrets and its network. It is asked over its control socket, and answers when the first try is over.

use crate::config::cli::Args;
use crate::config::{Env, control_socket};
use crate::domain::lang::Lang;
use crate::i18n;
use crate::notify::TIMEOUT_MAX;
use crate::view::words::one_line;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// sysexits: the command line is wrong.
const EX_USAGE: u8 = 64;
/// sysexits: a service is not there.
const EX_UNAVAILABLE: u8 = 69;
/// sysexits: writing failed.
const EX_IOERR: u8 = 74;
/// sysexits: not this time.
const EX_TEMPFAIL: u8 = 75;
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Beyond the longest time that a channel may be given: whatever waits before it.
const PATIENCE: Duration = Duration::from_millis(TIMEOUT_MAX.0 + 60_000);

/// Asks for the test. Answers 0 when the message was taken, 64 when there is no such notifier, 69 when no daemon answers,
/// 75 when the message was not taken, and what a wrong configuration asks for.
pub fn run(name: &str, args: &Args, env: &Env, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let (socket, lang) = match control_socket(args, env) {
        Ok(found) => found,
        Err(error) => {
            let _ = writeln!(err, "{}", error.sentence(error.lang()));
            return error.exit_code();
        }
    };
    let outcome = match &socket {
        None => Err(i18n::command::NO_CONTROL_SOCKET.in_lang(lang).to_string()),
        Some(socket) => ask(socket, name, lang),
    };
    let (code, said) = match outcome {
        Ok((status, answer)) if status.is_success() => (0, sent(name, &answer, lang)),
        Ok((StatusCode::NOT_FOUND, _)) => {
            (EX_USAGE, i18n::command::no_notifier_configuration_daemon(&name).in_lang(lang))
        }
        Ok((status, answer)) => {
            let reason = answer["error"].as_str().map_or_else(|| status.to_string(), str::to_string);
            (EX_TEMPFAIL, i18n::command::not_sent(&name, &reason).in_lang(lang))
        }
        Err(reason) => (EX_UNAVAILABLE, reason),
    };
    let written = if code == 0 { writeln!(out, "{said}") } else { writeln!(err, "heartbeat-server: {said}") };
    if written.is_ok() { code } else { EX_IOERR }
}

/// The status and what is said in the answer, or why there is none.
fn ask(socket: &Path, name: &str, lang: Lang) -> Result<(StatusCode, Value), String> {
    let place = socket.display();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let asked = async {
        match tokio::time::timeout(PATIENCE, exchange(socket, name)).await {
            Ok(answer) => answer
                .map_err(|reason| i18n::command::no_daemon_answers_running(&place, &reason).in_lang(lang)),
            Err(_) => Err(i18n::command::does_not_answer(&place).in_lang(lang)),
        }
    };
    runtime.block_on(asked)
}

async fn exchange(socket: &Path, name: &str) -> Result<(StatusCode, Value), String> {
    let stream = UnixStream::connect(socket).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let path = format!("/api/v1/alerts/test/{}", utf8_percent_encode(name, NON_ALPHANUMERIC));
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    };
    tokio::pin!(answered, connection);
    tokio::select! {
        biased;
        answer = &mut answered => answer,
        _ = &mut connection => answered.await,
    }
}

/// To whom it was sent, where some of several recipients were not reached, and why not.
fn sent(name: &str, answer: &Value, lang: Lang) -> String {
    let list = |key: &str| answer[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| one_line(value.as_str().unwrap_or_default()).into_owned();
    let left = list("not_told");
    if left.is_empty() {
        return i18n::command::sent(&name).in_lang(lang);
    }
    let told = list("told").iter().map(text).collect::<Vec<_>>().join(i18n::command::COMMA.in_lang(lang));
    let mut said = i18n::command::sent_to(&name, &told).in_lang(lang);
    for one in left {
        let (to, reason) = (text(&one["recipient"]), text(&one["reason"]));
        said += &i18n::command::not(&to, &reason).in_lang(lang);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{Dir, env};
    use std::io::Read;
    use std::os::unix::net::UnixListener;

    /// What is printed when the daemon answers so; `None`: there is no daemon.
    fn test_alert(answer: Option<&'static str>) -> (u8, String, String, String) {
        let dir = Dir::new();
        let socket = dir.0.join("control.sock");
        let file = dir.write("main.toml", "lang = \"en\"\n[control]\nsocket = \"control.sock\"\n[access]\nadmin_tokens = [{ credential = \"the-daemons\" }]\n");
        let asked = answer.map(|answer| {
            let listener = UnixListener::bind(&socket).unwrap();
            std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = Vec::new();
                let mut byte = [0; 1];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                    head.push(byte[0]);
                }
                stream.write_all(answer.as_bytes()).unwrap();
                String::from_utf8(head).unwrap()
            })
        });
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args = Args { config: Some(file), ..Args::default() };
        let code = run("ops.1", &args, &env(&[]), &mut out, &mut err);
        let head = asked.map(|asked| asked.join().unwrap()).unwrap_or_default();
        let text = |bytes| dir.strip(&String::from_utf8(bytes).unwrap());
        (code, text(out), text(err), head)
    }

    #[test]
    fn the_daemon_is_asked_and_its_answer_is_the_exit_code() {
        let (code, out, err, head) =
            test_alert(Some("HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"status\":\"sent\"}"));
        assert_eq!((code, out.as_str(), err.as_str()), (0, "ops.1: sent\n", ""));
        assert!(head.starts_with("POST /api/v1/alerts/test/ops%2E1 HTTP/1.1\r\n"), "{head}");
        let not_found =
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{\"error\":\"no notifier \\\"ops.1\\\"\"}";
        let (code, out, err, _) = test_alert(Some(not_found));
        assert_eq!((code, out.as_str()), (64, ""));
        assert!(err.starts_with("heartbeat-server: no notifier ops.1: "), "{err}");
        let failed = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 26\r\n\r\n{\"error\":\"a answered 403\"}";
        let (code, _, err, _) = test_alert(Some(failed));
        assert_eq!((code, err.as_str()), (75, "heartbeat-server: ops.1: not sent: a answered 403\n"));
        let (code, _, err, _) = test_alert(None);
        assert_eq!(code, 69);
        assert!(err.starts_with("heartbeat-server: no daemon answers at control.sock: "), "{err}");
    }
}
