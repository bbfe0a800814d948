//! Notifiers from the configuration to whoever gets the message: programs, mail, and the command that tries them.

use crate::harness::{Daemon, Setup, daemon, until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// What `heartbeat-server test-alert` says of a notifier of this daemon.
fn test_alert(hb: &Daemon, name: &str) -> (i32, String) {
    let mut command = hb.place.command();
    command.arg("--config").arg(hb.place.path("heartbeat-server.toml"));
    let output = command.args(["test-alert", name]).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8(said).unwrap())
}

/// A program that keeps what it is told, a line for each message.
const KEEPING: &str = "[confine]\nprogram_user = \"root\"\n[[notifier]]\nname = \"script\"\ntype = \"exec\"\ngroup_wait = \"0s\"\n\
    command = [\"sh\", \"-c\", 'printf \"%s %s %s\\n\" \"$HEARTBEAT_KIND\" \"$HEARTBEAT_TEXT\" \"$(cat)\" >> \"$0\"', \"{dir}/told\"]\n";

#[test]
fn a_test_takes_the_way_that_alerts_take_and_says_what_came_of_it() {
    let failing = "[[notifier]]\nname = \"failing\"\ntype = \"exec\"\nshow_answers = true\n\
                   command = [\"sh\", \"-c\", \"echo no such pager >&2; exit 3\"]\n";
    let mut hb = daemon(&format!("{KEEPING}{failing}"));
    assert_eq!(test_alert(&hb, "script"), (0, "script: sent\n".to_string()));
    let told = hb.place.read("told");
    assert!(
        told.starts_with("test a test of the notifier script: nothing is wrong: \"quotes\" 'and' "),
        "{told}"
    );
    let (code, said) = test_alert(&hb, "failing");
    assert_eq!(code, 75, "{said}");
    assert!(said.contains("sh failed with exit status 3: no such pager"), "{said}");
    let (code, said) = test_alert(&hb, "nobody");
    assert_eq!(code, 64, "{said}");
    hb.signal(Signal::SIGTERM);
    hb.wait();
    let (code, said) = test_alert(&hb, "script");
    assert_eq!(code, 69, "{said}");
    assert!(said.starts_with("heartbeat-server: no daemon answers at "), "{said}");
}

#[test]
fn a_program_is_told_of_silence_and_of_its_end() {
    let hb =
        daemon(&format!("[defaults]\nnotify = [\"script\"]\ninterval = \"1s\"\ngrace = \"0s\"\n{KEEPING}"));
    hb.beat(r#"{"id":"web-1","tags":["rack-3"]}"#);
    until("the first message", || hb.place.read("told").lines().count() == 1);
    hb.beat(r#"{"id":"web-1","interval":"1h"}"#);
    until("the second", || hb.place.read("told").lines().count() == 2);
    let told = hb.place.read("told");
    let (down, up) = told.trim_end().split_once('\n').unwrap();
    let json = |line: &str| serde_json::from_str::<Value>(&line[line.find('{').unwrap()..]).unwrap();
    assert!(down.starts_with("down web-1 is down, silent for "), "{down}");
    assert!(up.starts_with("recovered web-1 is up again, it was down for "), "{up}");
    assert_eq!(json(down)["incident"], json(up)["incident"]);
    assert_eq!(json(down)["tags"][0], "rack-3");
}

#[test]
fn notifiers_come_and_go_with_a_reload() {
    let hb = daemon("[confine]\nprogram_user = \"root\"\n");
    assert_eq!(test_alert(&hb, "script").0, 64);
    hb.place.configure(KEEPING);
    hb.signal(Signal::SIGHUP);
    until("the notifier", || test_alert(&hb, "script").0 == 0);
    hb.place.configure("");
    hb.signal(Signal::SIGHUP);
    until("its end", || test_alert(&hb, "script").0 == 64);
}

/// A mail server that takes everything: what was said to it, a conversation at a time.
fn mail_server() -> (u16, Receiver<String>) {
    mail_server_that(|_| None)
}

/// One that says this in place of its usual answer to a line.
fn mail_server_that(
    instead: impl Fn(&str) -> Option<&'static str> + Send + 'static,
) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, heard) = channel();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let _ = converse(stream, &tell, &instead);
        }
    });
    (port, heard)
}

fn converse(
    mut stream: TcpStream,
    tell: &Sender<String>,
    instead: &dyn Fn(&str) -> Option<&'static str>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut lines = BufReader::new(stream.try_clone()?);
    let (mut all, mut line, mut in_data) = (String::new(), String::new(), false);
    stream.write_all(b"220 mail.example ESMTP\r\n")?;
    while lines.read_line(&mut line)? > 0 {
        all.push_str(&line);
        let reply = match (in_data, line.split([' ', '\r']).next().unwrap()) {
            (true, ".") => {
                in_data = false;
                "250 taken\r\n"
            }
            (true, _) => "",
            (false, _) if instead(&line).is_some() => instead(&line).unwrap_or_default(),
            (false, "EHLO") => "250-mail.example\r\n250 AUTH PLAIN\r\n",
            (false, "AUTH") => "235 welcome\r\n",
            (false, "DATA") => {
                in_data = true;
                "354 go on\r\n"
            }
            (false, _) => "250 ok\r\n",
        };
        stream.write_all(reply.as_bytes())?;
        if line.starts_with("QUIT") {
            break;
        }
        line.clear();
    }
    // The test may be over.
    let _ = tell.send(all);
    Ok(())
}

#[test]
fn a_mail_is_told_of_silence_and_the_password_is_told_to_nobody_else() {
    let (port, heard) = mail_server();
    let config = format!(
        "[defaults]\nnotify = [\"mail\"]\ninterval = \"1s\"\ngrace = \"0s\"\n\
         [[notifier]]\nname = \"mail\"\ntype = \"mail\"\nsmtp = \"127.0.0.1:{port}\"\ntls = \"none\"\ngroup_wait = \"0s\"\n\
         from = \"hb@example.org\"\nto = [\"ops@example.org\"]\nusername = \"hb\"\npassword_file = \"mail.secret\"\n"
    );
    let hb = Setup::new(&config).file("mail.secret", "mail-geheim-7\n").start();
    hb.beat(r#"{"id":"web-1"}"#);
    let mail = heard.recv_timeout(Duration::from_secs(60)).unwrap();
    // base64 of NUL hb NUL mail-geheim-7
    assert!(mail.contains("AUTH PLAIN AGhiAG1haWwtZ2VoZWltLTc=\r\n"), "{mail}");
    for part in ["RCPT TO:<ops@example.org>", "Subject: web-1 is down\r\n", "web-1 is down, silent for "] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    hb.wait_for_log("web-1 is down");
    assert!(!hb.log().contains("geheim"), "{}", hb.log());
    let config = hb.place.path("heartbeat-server.toml");
    let output = hb.place.command().arg("check-config").arg(config).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(
        said.contains("mail: mail to ops@example.org by 127.0.0.1:") && !said.contains("geheim"),
        "{said}"
    );
}

#[test]
fn one_recipient_who_is_put_off_and_one_who_is_refused_keep_nobody_from_hearing() {
    let greylisted = Arc::new(AtomicBool::new(true));
    let still = greylisted.clone();
    let (port, heard) = mail_server_that(move |line| match line {
        line if line.starts_with("RCPT TO:<gone@") => Some("550 5.1.1 no such user\r\n"),
        line if line.starts_with("RCPT TO:<slow@") && still.load(Ordering::Relaxed) => {
            Some("450 4.7.1 greylisted\r\n")
        }
        _ => None,
    });
    let hb = daemon(&format!(
        "[defaults]\nnotify = [\"mail\"]\ninterval = \"1s\"\ngrace = \"0s\"\n\
         [[notifier]]\nname = \"mail\"\ntype = \"mail\"\nsmtp = \"127.0.0.1:{port}\"\ntls = \"none\"\n\
         group_wait = \"0s\"\nfrom = \"hb@example.org\"\nhelo = \"mon.example.org\"\n\
         to = [\"ops@example.org\", \"slow@example.org\", \"gone@example.org\"]\n"
    ));
    hb.beat(r#"{"id":"web-1"}"#);
    let mail = heard.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(mail.starts_with("EHLO mon.example.org\r\n"), "{mail}");
    assert!(mail.contains("Subject: web-1 is down\r\n"), "the first has it at once: {mail}");
    let instance = hb.get("/api/v1/status").json()["instance"].as_str().unwrap().to_string();
    let id = mail.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_string();
    assert!(id.contains(&instance), "{id} has {instance} in it");
    hb.wait_for_log("mail (gone@example.org) was not told");
    // The news that it is up again reaches the first, though the others have not heard the first news.
    hb.beat(r#"{"id":"web-1","interval":"1h"}"#);
    let mut mails = Vec::new();
    until("the second news", || {
        mails.extend(heard.try_iter());
        mails.iter().any(|mail| {
            mail.contains("Subject: web-1 is up again") && mail.contains("RCPT TO:<ops@example.org>")
        })
    });
    // Whoever asks hears that there is something, and neither an address nor what its server says; the log has both.
    let ready = hb.get("/readyz").text().to_string();
    assert!(ready.contains("alerts do not reach a recipient of mail"), "{ready}");
    assert!(ready.contains("could not be told in the last 24 hours: 1, the last one by mail"), "{ready}");
    let page = hb.get("/").text().to_string();
    for told in [&ready, &page] {
        assert!(!told.contains("example.org") && !told.contains("550"), "{told}");
    }
    hb.wait_for_log("slow@example.org");
    // A test says who has it and who has not.
    let config = hb.place.path("heartbeat-server.toml");
    let test = hb.place.command().arg("--config").arg(config).args(["test-alert", "mail"]).output().unwrap();
    let said = String::from_utf8(test.stdout).unwrap();
    assert_eq!(test.status.code(), Some(0), "{said}");
    assert!(said.starts_with("mail: sent to ops@example.org; not to slow@example.org: "), "{said}");
    assert!(said.contains("; not to gone@example.org: ") && said.contains("550"), "{said}");
    hb.wait_for_log("told mail, but not all: slow@example.org");
    greylisted.store(false, Ordering::Relaxed);
    // It hears both, in their order, the first under the same name.
    until("what the slow one missed", || {
        mails.extend(heard.try_iter());
        let to_slow: Vec<&String> = mails
            .iter()
            .filter(|mail| mail.contains("RCPT TO:<slow@") && mail.contains("Subject: "))
            .filter(|mail| !mail.contains("RCPT TO:<ops@"))
            .collect();
        let place = |text: &str| to_slow.iter().position(|mail| mail.contains(text));
        let (down, up) = (place("Subject: web-1 is down"), place("Subject: web-1 is up again"));
        down.is_some() && up > down && to_slow[down.unwrap()].contains(&id)
    });
    until("all is well", || !hb.get("/readyz").text().to_string().contains("do not reach"));
}

#[test]
fn a_reload_that_names_a_notifier_tells_it_who_is_down_already() {
    let quick = "interval = \"1s\"\ngrace = \"0s\"\n";
    let config = |notify: &str| {
        format!(
            "[page]\nurl = \"https://mon.example.org/\"\n[defaults]\n{notify}{quick}{KEEPING}\
             [[notifier]]\nname = \"other\"\ntype = \"exec\"\ngroup_wait = \"0s\"\n\
             command = [\"sh\", \"-c\", 'printf \"%s %s\\n\" \"$HEARTBEAT_KIND\" \"$HEARTBEAT_LINK\" >> \"$0\"', \"{{dir}}/other\"]\n"
        )
    };
    let hb = daemon(&config(""));
    hb.beat(r#"{"id":"web-1"}"#);
    hb.wait_for_log("web-1 is down");
    // Nobody was told; then one is named, and then one more.
    hb.place.configure(&config("notify = [\"script\"]\n"));
    hb.signal(Signal::SIGHUP);
    until("the first notifier is told", || hb.place.read("told").starts_with("down web-1 is down"));
    hb.place.configure(&config("notify = [\"script\", \"other\"]\n"));
    hb.signal(Signal::SIGHUP);
    until("the second as well", || hb.place.read("other") == "down https://mon.example.org/monitors/web-1\n");
    hb.beat(r#"{"id":"web-1","interval":"1h"}"#);
    until("both hear of its end", || {
        hb.place.read("told").contains("recovered web-1") && hb.place.read("other").contains("recovered")
    });
    assert_eq!(hb.place.read("told").matches("down web-1 is down").count(), 1, "and nobody is told twice");
}
