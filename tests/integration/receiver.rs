//! Somebody who is told: an HTTP server that remembers what it was sent and answers as the test wants, badly if need be.

use serde_json::Value;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200.
    Ok,
    /// That status.
    Status(u16),
    /// 429, and how many seconds to stay away.
    Later(u32),
    /// Not at all, until the other side has enough of it.
    Hang,
    /// The beginning of an answer.
    Cut,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its `Idempotency-Key`.
    pub key: String,
    /// Its body.
    pub json: Value,
    /// How it was answered.
    pub answer: Answer,
}

impl Told {
    /// What it is about.
    pub fn kind(&self) -> &str {
        self.json["kind"].as_str().unwrap_or_default()
    }

    /// The monitors in it.
    pub fn ids(&self) -> Vec<&str> {
        let monitors = self.json["monitors"].as_array().map(Vec::as_slice).unwrap_or_default();
        monitors.iter().filter_map(|one| one["id"].as_str()).collect()
    }
}

#[derive(Default)]
struct Shared {
    told: Mutex<Vec<Told>>,
    answers: Mutex<VecDeque<Answer>>,
    /// How it answers when there are no more of them.
    usual: Mutex<Option<Answer>>,
    over: AtomicBool,
}

/// See the module.
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
}

impl Receiver {
    /// One that answers so, one request after the other, and then always well.
    pub fn new(answers: &[Answer]) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared =
            Arc::new(Shared { answers: Mutex::new(answers.iter().copied().collect()), ..Shared::default() });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.over.load(SeqCst) {
                    return;
                }
                let (Ok(stream), serving) = (stream, serving.clone()) else { continue };
                std::thread::spawn(move || serve(&stream, &serving));
            }
        });
        Receiver { port, shared }
    }

    /// From now on it answers so, once it has answered as it was told at the beginning.
    pub fn always(&self, answer: Answer) {
        *self.shared.usual.lock().unwrap() = Some(answer);
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/told", self.port)
    }

    /// Everything that came.
    pub fn told(&self) -> Vec<Told> {
        self.shared.told.lock().unwrap().clone()
    }

    /// What came and was answered well.
    pub fn taken(&self) -> Vec<Told> {
        self.told().into_iter().filter(|told| told.answer == Answer::Ok).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.over.store(true, SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(stream: &TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream);
    while let Some((key, body)) = request(&mut reader) {
        let usual = shared.usual.lock().unwrap().unwrap_or(Answer::Ok);
        let answer = shared.answers.lock().unwrap().pop_front().unwrap_or(usual);
        let json = serde_json::from_slice(&body).unwrap_or_default();
        shared.told.lock().unwrap().push(Told { key, json, answer });
        let mut stream = stream;
        let text = match answer {
            Answer::Ok => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_string(),
            Answer::Status(code) => format!("HTTP/1.1 {code} No\r\nContent-Length: 4\r\n\r\nwhat"),
            Answer::Later(s) => {
                format!("HTTP/1.1 429 Slow\r\nRetry-After: {s}\r\nContent-Length: 0\r\n\r\n")
            }
            Answer::Cut => "HTTP/1.1 200 OK\r\nContent-Le".to_string(),
            Answer::Hang => {
                while !shared.over.load(SeqCst) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                return;
            }
        };
        if stream.write_all(text.as_bytes()).is_err() || answer == Answer::Cut {
            return;
        }
    }
}

/// The key and the body of a request; `None`: no more come.
fn request(reader: &mut BufReader<&TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut key, mut length) = (String::new(), 0);
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let line = line.trim_end();
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "idempotency-key" => key = value.trim().to_string(),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((key, body))
}
