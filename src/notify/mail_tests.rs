//! Mail to a small SMTP server that follows a script.

use super::*;
use crate::domain::alert::MessageKind;
use crate::domain::lang::Lang;
use crate::domain::time::Span;
use crate::notify::Secret;
use crate::notify::testing::{Receiver, message, reason_in, refused, retried, wait};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

/// How the server behaves.
#[derive(Clone, Default)]
struct Manners {
    tls: Option<Arc<ServerConfig>>,
    /// Instead of the usual answer to a command that begins so.
    instead: Vec<(&'static str, &'static str)>,
}

struct SmtpServer {
    receiver: Receiver,
    /// Trusts it.
    bundle: PathBuf,
}

impl SmtpServer {
    /// In the clear, by STARTTLS, or by TLS from the first byte.
    fn start(tls: MailTls, instead: &[(&'static str, &'static str)]) -> SmtpServer {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let bundle = std::env::temp_dir().join(format!("heartbeat-mail-{}-{number}", std::process::id()));
        std::fs::write(&bundle, made.cert.pem()).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let manners =
            Manners { tls: (tls == MailTls::StartTls).then(|| config.clone()), instead: instead.to_vec() };
        let receiver = Receiver::start(move |stream, tell| {
            if tls == MailTls::Tls {
                talk(encrypted(&config, stream), tell, &manners, true);
            } else {
                begin(stream, tell, &manners);
            }
        });
        SmtpServer { receiver, bundle }
    }

    fn options(&self, tls: MailTls) -> MailOptions {
        MailOptions {
            host: "localhost".into(),
            port: self.receiver.port,
            tls,
            from: "Heartbeat <hb@example.org>".parse().unwrap(),
            to: vec!["ops@example.org".parse().unwrap(), "二线 <night@example.org>".parse().unwrap()],
            helo: None,
            show_answers: true,
            login: None,
            ca: Some(self.bundle.clone()),
            subject: None,
            body: None,
            timeout: Span::secs(60),
        }
    }

    /// The lines of one session.
    fn heard(&self) -> String {
        self.receiver.heard.recv_timeout(Duration::from_secs(60)).unwrap()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.bundle);
    }
}

fn encrypted(config: &Arc<ServerConfig>, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream)
}

/// In the clear at first; after STARTTLS not any more.
fn begin(mut stream: TcpStream, tell: &Sender<String>, manners: &Manners) {
    let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
    let Some(config) = &manners.tls else { return talk(stream, tell, manners, false) };
    while let Some(line) = read_line(&mut stream) {
        if line.starts_with("STARTTLS") {
            let _ = stream.write_all(b"220 go ahead\r\n");
            return talk(encrypted(config, stream), tell, manners, false);
        }
        let _ = stream.write_all(b"250-mail.example\r\n250 STARTTLS\r\n");
    }
}

fn talk(mut stream: impl Read + Write, tell: &Sender<String>, manners: &Manners, greet: bool) {
    let mut all = String::new();
    if greet {
        let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
    }
    while let Some(line) = read_line(&mut stream) {
        all.push_str(&line);
        let instead = manners.instead.iter().find(|(command, _)| line.starts_with(command));
        let usual = match line.split([' ', '\r']).next().unwrap() {
            "EHLO" => "250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n",
            "AUTH" => "235 welcome\r\n",
            "DATA" => "354 go on\r\n",
            "QUIT" => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        let reply = instead.map_or(usual, |(_, reply)| reply);
        if reply == "hang" {
            std::thread::sleep(Duration::from_secs(60));
        }
        if stream.write_all(reply.as_bytes()).is_err() || reply.is_empty() {
            break;
        }
        if line.starts_with("DATA") && reply.starts_with("354") {
            while let Some(line) = read_line(&mut stream) {
                if line == ".\r\n" {
                    break;
                }
                all.push_str(&line);
            }
            let end = manners
                .instead
                .iter()
                .find(|(command, _)| *command == ".")
                .map_or("250 taken\r\n", |(_, r)| r);
            let _ = stream.write_all(end.as_bytes());
        }
        if line.starts_with("QUIT") {
            break;
        }
    }
    // The test may be over.
    let _ = tell.send(all);
}

fn read_line(stream: &mut impl Read) -> Option<String> {
    let mut line = Vec::new();
    let mut byte = [0; 1];
    while !line.ends_with(b"\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            return None;
        }
        line.push(byte[0]);
    }
    String::from_utf8(line).ok()
}

fn send(options: MailOptions, lang: Lang) -> Outcome {
    let mut down = message(MessageKind::Down, &["web-1", "数据库"]);
    down.monitors[1].said = Some("磁盘已满".into());
    wait(Mail::new(options).send(&Envelope::new(lang, &down)))
}

/// The text of a mail as it reads.
fn text_of(conversation: &str) -> String {
    use base64::Engine;
    let (head, body) = conversation.split_once("\r\n\r\n").unwrap();
    let body = body.split("QUIT").next().unwrap();
    if head.contains("Content-Transfer-Encoding: base64") {
        let packed: String = body.split_whitespace().collect();
        return String::from_utf8(base64::engine::general_purpose::STANDARD.decode(packed).unwrap()).unwrap();
    }
    // Quoted-printable.
    let joined = body.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| *first == b'=').and_then(|hex| std::str::from_utf8(hex).ok());
        let value = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_mail_is_handed_over_in_each_of_the_three_ways() {
    for tls in [MailTls::Off, MailTls::StartTls, MailTls::Tls] {
        let server = SmtpServer::start(tls, &[]);
        let mut options = server.options(tls);
        options.login = Some(("hb".into(), Secret::new("geheim".into())));
        assert_eq!(send(options, Lang::En), Outcome::Sent, "{tls:?}");
        let heard = server.heard();
        for part in [
            "AUTH ",
            "MAIL FROM:<hb@example.org>",
            "RCPT TO:<ops@example.org>",
            "RCPT TO:<night@example.org>",
            "From: Heartbeat <hb@example.org>",
            "Subject: 2 monitors are down\r\n",
            "Message-ID: <down-7-3-ops@example.org>\r\n",
            "Date: Sun, 08 Feb 2026 03:30:20 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
        ] {
            assert!(heard.contains(part), "{tls:?}: no {part} in {heard}");
        }
        let text = text_of(&heard);
        for part in [
            "2 monitors are down: web-1, 数据库",
            "it said: 磁盘已满",
            "tags rack-3",
            "from 10.0.3.7",
            "down-7-3-ops",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[test]
fn it_speaks_chinese_and_what_somebody_wrote() {
    let server = SmtpServer::start(MailTls::Off, &[]);
    assert_eq!(send(server.options(MailTls::Off), Lang::Zh), Outcome::Sent);
    let heard = server.heard();
    assert!(heard.contains("Subject: 2 =?utf-8?b?5Liq55uR5o6nIOW3suS4i+e6vw==?=\r\n"), "{heard}");
    assert!(text_of(&heard).contains("2 个监控已下线：web-1、数据库"));
    let mut options = server.options(MailTls::Off);
    let own = |text| Some(Template::parse(text, Names::default()).unwrap());
    options.subject = own("[{{kind}}]\n{{count}}");
    options.body = own("{{#each monitors}}<{{id}}>{{/each}}");
    assert_eq!(send(options, Lang::En), Outcome::Sent);
    let heard = server.heard();
    assert!(heard.contains("Subject: [down] 2\r\n"), "{heard}");
    assert_eq!(text_of(&heard).trim(), "<web-1><数据库>");
}

#[test]
fn what_the_server_says_decides_what_comes_of_it() {
    type Case = (&'static str, &'static str, bool);
    let cases: [Case; 7] = [
        ("RCPT", "550 5.1.1 no such user\r\n", false),
        ("RCPT", "450 4.7.1 greylisted\r\n", true),
        ("MAIL", "451 4.3.0 try later\r\n", true),
        ("AUTH", "535 5.7.8 not you\r\n", false),
        (".", "452 4.2.2 mailbox full\r\n", true),
        (".", "554 5.6.0 spam\r\n", false),
        ("DATA", "", true),
    ];
    for (command, reply, again) in cases {
        let server = SmtpServer::start(MailTls::Off, &[(command, reply)]);
        let mut options = server.options(MailTls::Off);
        options.login = Some(("hb".into(), Secret::new("geheim".into())));
        let outcome = send(options, Lang::En);
        let reason = if again { retried(outcome).1 } else { refused(outcome) };
        assert!(reason.contains("localhost did not take the mail"), "{reason}");
        let said = reply.trim_end().split(' ').next_back().unwrap();
        assert!(reason.contains(said) && !reason.contains("geheim"), "{command}: {reason}");
    }
    let server = SmtpServer::start(MailTls::Off, &[("MAIL", "hang")]);
    let options = MailOptions { timeout: Span(500), ..server.options(MailTls::Off) };
    assert!(reason_in(Lang::Zh, &send(options, Lang::Zh)).starts_with("localhost 未"));
}

/// Who was asked and who had the content, in one conversation.
fn asked(conversation: &str) -> Vec<&str> {
    conversation
        .lines()
        .filter(|line| line.starts_with("RCPT TO:<"))
        .map(|line| &line[9..line.len() - 1])
        .collect()
}

#[test]
fn every_recipient_stands_alone() {
    for (reply, is_refused) in
        [("550 5.1.1 no such user\r\n", true), ("450 4.7.1 greylisted, come again\r\n", false)]
    {
        let server = SmtpServer::start(MailTls::Off, &[("RCPT TO:<night", reply)]);
        let outcome = send(server.options(MailTls::Off), Lang::En);
        let Outcome::Partly { left, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!(
            (left.len(), left[0].to.as_str(), left[0].is_refused),
            (1, "night@example.org", is_refused)
        );
        let heard = server.heard();
        assert!(heard.contains("Subject: 2 monitors are down"), "the other has it: {heard}");
        assert_eq!(asked(&heard), ["ops@example.org", "night@example.org"]);
    }
    // One recipient alone, and all but one with earlier mail.
    let server = SmtpServer::start(MailTls::Off, &[]);
    let down = message(MessageKind::Down, &["web-1"]);
    let mail = Mail::new(server.options(MailTls::Off));
    let all = ["night@example.org".to_string(), "ops@example.org".to_string()];
    let to = |to| wait(mail.send(&Envelope::new(Lang::En, &down).for_recipients(to)));
    assert_eq!(to(Recipients::One("night@example.org")), Outcome::Sent);
    assert_eq!(asked(&server.heard()), ["night@example.org"]);
    assert_eq!(to(Recipients::But(&all[..1])), Outcome::Sent);
    assert_eq!(asked(&server.heard()), ["ops@example.org"]);
    assert_eq!(to(Recipients::But(&all)), Outcome::Partly { told: Vec::new(), left: Vec::new() });
    assert!(refused(to(Recipients::One("gone@example.org"))).contains("gone@example.org"));
}

#[test]
fn what_a_server_says_is_told_by_its_code_and_not_in_its_words() {
    let server =
        SmtpServer::start(MailTls::Off, &[("AUTH", "535 5.7.8 you said AGhiAGdlaGVpbWdlaGVpbQ==\r\n")]);
    let mut options = server.options(MailTls::Off);
    options.login = Some(("hb".into(), Secret::new("geheimgeheim".into())));
    let quoted = refused(send(options.clone(), Lang::En));
    assert!(quoted.contains("you said") && !quoted.contains("dlaGVpbWdl"), "{quoted}");
    let plain = refused(send(MailOptions { show_answers: false, ..options }, Lang::En));
    assert!(plain.contains("535 5.7.8") && plain.contains("password_file"), "{plain}");
    assert!(!plain.contains("you said"), "{plain}");
}

#[test]
fn it_introduces_itself_by_a_whole_name_or_an_address() {
    let server = SmtpServer::start(MailTls::Off, &[]);
    let helo = Some("mon.example.org".to_string());
    assert_eq!(send(MailOptions { helo, ..server.options(MailTls::Off) }, Lang::En), Outcome::Sent);
    assert!(server.heard().starts_with("EHLO mon.example.org\r\n"));
    assert_eq!(send(server.options(MailTls::Off), Lang::En), Outcome::Sent);
    let heard = server.heard();
    let name = heard.lines().next().unwrap().strip_prefix("EHLO ").unwrap();
    assert!(smtp::is_whole_name(name) || name == "[127.0.0.1]", "{name}");
    for (name, whole) in [
        ("mon", false),
        ("localhost.localdomain", false),
        ("mon.example.org", true),
        ("a_b.example.org", false),
        ("-a.example.org", false),
    ] {
        assert_eq!(smtp::is_whole_name(name), whole, "{name}");
    }
}

#[test]
fn the_port_that_was_tried_is_said() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = SmtpServer::start(MailTls::Off, &[]);
    let options = MailOptions { port: closed, ..server.options(MailTls::Off) };
    let (_, reason) = retried(send(options, Lang::En));
    assert!(reason.contains(&format!("localhost:{closed}")) && reason.contains("smtp = "), "{reason}");
}

#[test]
fn a_message_id_is_well_formed_whatever_a_notifier_is_called() {
    assert_eq!(message_id("down-7-3-k7m2q9xdbf-ops", "example.org"), "<down-7-3-k7m2q9xdbf-ops@example.org>");
    assert_eq!(message_id("down-7-3-..", "例子.中国"), "<down-7-3-=2E=2E@heartbeat-server.invalid>");
}

#[test]
fn nothing_goes_in_the_clear_that_was_to_be_protected() {
    // A server without STARTTLS.
    let server = SmtpServer::start(MailTls::Off, &[]);
    let mut options = server.options(MailTls::StartTls);
    options.login = Some(("hb".into(), Secret::new("geheim".into())));
    let outcome = send(options, Lang::En);
    assert!(matches!(outcome, Outcome::Retry { .. } | Outcome::Refused { .. }), "{outcome:?}");
    assert!(!server.heard().contains("AUTH "));
    // One with a certificate of an unknown authority.
    let server = SmtpServer::start(MailTls::Tls, &[]);
    let other = SmtpServer::start(MailTls::Tls, &[]);
    let options = MailOptions { ca: Some(other.bundle.clone()), ..server.options(MailTls::Tls) };
    let (_, reason) = retried(send(options, Lang::En));
    assert!(reason.contains("certificate"), "{reason}");
}

#[test]
fn no_beat_adds_a_header_a_receiver_or_an_end_to_a_mail() {
    let server = SmtpServer::start(MailTls::Off, &[]);
    let mut options = server.options(MailTls::Off);
    let own = |text| Some(Template::parse(text, Names::default()).unwrap());
    options.subject = own("{{message}}");
    options.body = own("{{message}}");
    let mut down = message(MessageKind::Down, &["web-1"]);
    let said = "a\r\nBcc: evil@example.org\r\n\r\n.\r\nMAIL FROM:<evil@example.org>\r\nQUIT\r\nend";
    down.monitors[0].said = Some(said.into());
    assert_eq!(wait(Mail::new(options).send(&Envelope::new(Lang::En, &down))), Outcome::Sent);
    let heard = server.heard();
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Subject: a  Bcc: evil@example.org"), "{head}");
    assert!(head.lines().all(|line| !line.to_ascii_lowercase().starts_with("bcc")), "{head}");
    // All of it arrived as the text of this one mail: a line of one point is doubled on the way, as RFC 5321 has it.
    assert!(body.contains("\r\n..\r\n") && body.contains("\r\nend"), "{body}");
}
