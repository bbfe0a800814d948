//! How receivers fail, and what a real channel says of it when it meets that over the loopback.

use heartbeat_server::config::{Env, Settings, cli};
use heartbeat_server::domain::alert::{Message, MessageKind};
use heartbeat_server::domain::lang::Lang;
use heartbeat_server::domain::time::Span;
use heartbeat_server::notify::{Channel, Envelope, Outcome};
use heartbeat_server::sys::clock;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

/// How a receiver fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    NoName,
    Refuses,
    Hangs,
    Answers500,
    AsksForPatience,
    CutsOff,
    BadCertificate,
}

pub const FAULTS: [Fault; 7] = [
    Fault::NoName,
    Fault::Refuses,
    Fault::Hangs,
    Fault::Answers500,
    Fault::AsksForPatience,
    Fault::CutsOff,
    Fault::BadCertificate,
];
/// For how long the one asks that asks.
pub const PATIENCE_S: u64 = 420;
impl Fault {
    /// What people are told of it.
    pub fn words(self) -> &'static str {
        match self {
            Fault::NoName => "cannot resolve ",
            Fault::Refuses => "cannot connect to 127.0.0.1",
            Fault::Hangs => "did not answer within 2s",
            Fault::Answers500 => "answered 500",
            Fault::AsksForPatience => "answered 429",
            Fault::CutsOff => "broke before it answered",
            Fault::BadCertificate => "no TLS with localhost",
        }
    }
}

/// A folder of this process, gone with it or at the next start of the machine.
fn write(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("heartbeat-post-{}-{name}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

/// The settings of a configuration.
pub fn settings(name: &str, text: &str) -> Settings {
    let path = write(&format!("{name}.toml"), text);
    let env = Env { variable: Box::new(|_| None), ..Env::of_process() };
    let config = path.to_str().unwrap();
    // Who is not root would need $HOME for it.
    let words = ["heartbeat-server", "--config", config, "--lang", "en", "--state-dir", "/nonexistent/state"];
    let args = cli::parse(words.map(Into::into), &env).unwrap();
    let settings = Settings::load(&args, &env);
    let _ = std::fs::remove_file(&path);
    settings.unwrap_or_else(|error| panic!("{error:?}"))
}

/// A server that answers each connection so.
fn server(answer: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(answer));
    port
}

fn answering(answer: &'static str) -> u16 {
    server(move |mut stream| {
        // The whole request is in the first segments of the loopback, and nobody minds the rest.
        let _ = stream.read(&mut [0; 65_536]);
        let _ = stream.write_all(answer.as_bytes());
    })
}

/// A server with a certificate that nobody trusts, and a bundle of others that are.
fn untrusted() -> (u16, PathBuf) {
    let made = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_string()]).unwrap();
    let (own, trusted) = (made("localhost"), made("elsewhere.example"));
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
    let config = Arc::new(config);
    let port = server(move |stream| {
        let tls = rustls::ServerConnection::new(config.clone()).unwrap();
        let _ = rustls::StreamOwned::new(tls, stream).read(&mut [0; 1024]);
    });
    (port, write("trusted.pem", &trusted.cert.pem()))
}

/// What a real channel says of each fault.
pub static OUTCOMES: LazyLock<BTreeMap<Fault, Outcome>> = LazyLock::new(|| {
    let http = |port: u16| format!("url = \"http://127.0.0.1:{port}/\"");
    let (port, bundle) = untrusted();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ways = [
        // Longer than a name may be: no resolver is asked, and none can know it.
        (Fault::NoName, format!("url = \"http://{}.invalid/\"", "x".repeat(64))),
        (Fault::Refuses, http(closed)),
        (
            Fault::Hangs,
            http(server(|stream| {
                std::thread::spawn(move || std::io::copy(&mut &stream, &mut std::io::sink()));
            })),
        ),
        (Fault::Answers500, http(answering("HTTP/1.1 500 Ill\r\nContent-Length: 0\r\n\r\n"))),
        (
            Fault::AsksForPatience,
            http(answering("HTTP/1.1 429 Slow\r\nRetry-After: 420\r\nContent-Length: 0\r\n\r\n")),
        ),
        (Fault::CutsOff, http(answering("HTTP/1.1 200 OK\r\nContent-Le"))),
        (
            Fault::BadCertificate,
            format!("url = \"https://localhost:{port}/\"\nca = \"{}\"", bundle.display()),
        ),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = |way: &String| {
        let text = format!("[[notifier]]\nname = \"ops\"\ntype = \"webhook\"\ntimeout = \"2s\"\n{way}\n");
        let channel = Channel::new(settings("fault", &text).channels[0].options.clone());
        let message = Message::new(MessageKind::Test, "test-1-ops".into(), "ops", clock::wall());
        let message = message.at(clock::wall(), Span::secs(60));
        runtime.block_on(channel.send(&Envelope::new(Lang::En, &message)))
    };
    let outcomes = ways.iter().map(|(fault, way)| (*fault, outcome(way))).collect();
    let _ = std::fs::remove_file(bundle);
    outcomes
});
