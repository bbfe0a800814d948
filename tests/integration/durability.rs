//! Nothing that was acknowledged is ever missing: through kills, full disks and damaged files, as far as one machine can
//! show it. What a power cut does is shown by the simulation. Tests that need root or strace say so and pass otherwise.

use crate::client::{Conn, beat, get};
use crate::harness::{Daemon, PATIENCE, Setup, daemon, until};
use crate::skip::skip;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

mod syncs;

const SECOND: &str = "[log]\nbeats = false\n[state]\nsync = \"second\"\n";
const ALWAYS: &str = "[log]\nbeats = false\n[state]\nsync = \"always\"\n";
const TCP_TOO: &str = "[[listen]]\naddress = \"127.0.0.1:{a}\"\n\
                       [[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{b}\"\n";

/// Ends a daemon as asked and starts another in its place.
fn again(mut hb: Daemon, signal: Signal) -> Daemon {
    hb.signal(signal);
    hb.wait();
    let mut command = hb.place.command();
    command.arg("--config").arg(hb.place.path("heartbeat-server.toml"));
    command.arg("--state-dir").arg(hb.place.path("state"));
    hb.replaced(command)
}

/// What a client that beats as fast as it is answered knows, and what it is told.
#[derive(Default)]
struct Client {
    /// The last number sent, and the last that was acknowledged.
    sent: AtomicU64,
    acknowledged: AtomicU64,
    /// How many were.
    acknowledgements: AtomicU64,
    waits: AtomicBool,
}

impl Client {
    /// Beats over one connection until it ends.
    fn beats(&self, id: &str, address: &str) {
        let Ok(mut stream) = TcpStream::connect(address) else { return };
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = [0; 1024];
        loop {
            let seq = self.sent.load(SeqCst) + 1;
            self.sent.store(seq, SeqCst);
            let request = beat(&format!("{{\"id\":\"{id}\",\"seq\":{seq},\"interval\":\"1h\"}}"));
            // An answer this short comes in one piece.
            match stream.write_all(request.as_bytes()).and_then(|()| stream.read(&mut answer)) {
                Ok(bytes) if answer[..bytes].ends_with(b"{\"status\":\"ok\"}") => {
                    self.acknowledged.store(seq, SeqCst);
                    self.acknowledgements.fetch_add(1, SeqCst);
                }
                _ => return,
            }
        }
    }
}

/// Kills a daemon again and again while clients beat, and counts each time what it has lost.
fn killed(config: &str, times: usize) {
    let mut hb = daemon(config);
    let address = hb.address();
    let clients: [Client; 4] = Default::default();
    let (open, over) = (AtomicBool::new(true), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for (n, client) in clients.iter().enumerate() {
            let (open, over, address) = (&open, &over, &address);
            scope.spawn(move || {
                while !over.load(SeqCst) {
                    client.waits.store(true, SeqCst);
                    if open.load(SeqCst) {
                        client.waits.store(false, SeqCst);
                        client.beats(&format!("c{n}"), address);
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
        let ended = Over(&over);
        // Numbers that were under way when the daemon was killed and had not come.
        let mut astray = [0; 4];
        for time in 0..times {
            let before: Vec<u64> = clients.iter().map(|c| c.acknowledgements.load(SeqCst)).collect();
            until("some beats of each", || {
                clients.iter().zip(&before).all(|(c, before)| c.acknowledgements.load(SeqCst) > before + 20)
            });
            open.store(false, SeqCst);
            hb = again(hb, Signal::SIGKILL);
            until("all to wait", || clients.iter().all(|c| c.waits.load(SeqCst)));
            for (n, client) in clients.iter().enumerate() {
                let monitor = hb.monitor(&format!("c{n}"));
                let (seq, sent) = (monitor["seq"].as_u64().unwrap(), client.sent.load(SeqCst));
                let acknowledged = client.acknowledged.load(SeqCst);
                assert!(
                    (acknowledged..=sent).contains(&seq),
                    "c{n}: {acknowledged} to {sent}, and not {seq}"
                );
                // Every number is sent once, so each that is missing is a gap, and each that came a beat.
                assert_eq!(
                    monitor["gaps"],
                    json!(astray[n]),
                    "c{n}, kill {time}: acknowledged beats are missing"
                );
                assert_eq!(monitor["beats"], json!(seq - astray[n]), "c{n}, kill {time}");
                assert_eq!(monitor["state"], json!("up"), "c{n}, kill {time}");
                astray[n] += sent - seq;
            }
            open.store(true, SeqCst);
        }
        open.store(false, SeqCst);
        drop(ended);
        drop(hb);
    });
}

/// Lets the clients end, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn killed_fifty_times_under_load_it_misses_no_acknowledged_beat() {
    killed(SECOND, 50);
}

#[test]
fn neither_does_it_when_every_beat_is_synced() {
    killed(ALWAYS, 10);
}

#[test]
fn who_was_up_is_up_after_a_kill_and_what_was_open_is_open() {
    let hb = daemon(SECOND);
    for body in [
        r#"{"id":"well","interval":"1h","grace":"5m","seq":7,"tags":["a"],"message":"all is well"}"#,
        r#"{"id":"ill","status":"fail","interval":"1h","message":"disk full"}"#,
        r#"{"id":"aside","interval":"1h"}"#,
        r#"{"id":"working","status":"start","rid":"r1"}"#,
    ] {
        assert_eq!(hb.beat(body).text(), r#"{"status":"ok"}"#);
    }
    assert_eq!(hb.wish("POST", "/api/v1/monitors/aside/pause", "").status, 200);
    until("the incident on record", || !incidents_of(&hb).is_empty());
    let ids = ["well", "ill", "aside", "working"];
    let before: Vec<Value> = ids.map(|id| hb.monitor(id)).to_vec();
    let incidents = incidents_of(&hb);
    let hb = again(hb, Signal::SIGKILL);
    let kept = [
        "state",
        "since",
        "last_beat",
        "beats",
        "seq",
        "gaps",
        "interval_s",
        "grace_s",
        "tags",
        "message",
        "address",
        "number",
        "paused_until",
        "incident",
        "status",
    ];
    for (id, before) in ids.iter().zip(&before) {
        let after = hb.monitor(id);
        for field in kept {
            assert_eq!(after[field], before[field], "{id}: {field}");
        }
    }
    assert_eq!(incidents_of(&hb), incidents);
    let due = |monitor: &Value| monitor["next_deadline"].as_str().unwrap().to_string();
    assert!(due(&hb.monitor("well")) > due(&before[0]), "it has a whole interval from the start");
    assert_eq!(hb.monitor("aside")["next_deadline"], Value::Null);
    // The same incident ends, and nothing of it was told a second time.
    hb.beat(r#"{"id":"ill"}"#);
    hb.wait_for_log("ill is up again");
    assert!(!hb.log().contains("ill is down"), "{}", hb.log());
    until("the incident's end", || !incidents_of(&hb)[0]["ended"].is_null());
    let after = incidents_of(&hb);
    assert_eq!((after.len(), &after[0]["id"]), (1, &incidents[0]["id"]), "{after:?}");
}

/// All incidents, without what grows by itself.
fn incidents_of(hb: &Daemon) -> Vec<Value> {
    let mut incidents = hb.get("/api/v1/incidents").json()["incidents"].as_array().unwrap().clone();
    for incident in &mut incidents {
        incident.as_object_mut().unwrap().remove("duration_s");
    }
    incidents
}

/// The files of the journal, in order.
fn journal(hb: &Daemon) -> Vec<PathBuf> {
    let files = std::fs::read_dir(hb.place.path("state/journal")).unwrap();
    let mut files: Vec<PathBuf> =
        files.map(|file| file.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

#[test]
fn a_damaged_journal_is_told_with_file_and_place_and_the_rest_is_served() {
    let mut hb = daemon(SECOND);
    for n in 0..200 {
        hb.beat(&format!("{{\"id\":\"m{n}\"}}"));
    }
    hb.signal(Signal::SIGTERM);
    hb.wait();
    let file = journal(&hb).remove(0);
    let bytes = std::fs::metadata(&file).unwrap().len();
    // The header is 4096 bytes; from the middle of what follows some are overwritten.
    OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .write_all_at(&[0xa5; 64], (4096 + bytes) / 2)
        .unwrap();
    let hb = again_ended(hb);
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    hb.wait_for_log("the journal is damaged");
    let log = hb.log();
    let line = log.lines().find(|line| line.contains("the journal is damaged")).unwrap();
    assert!(line.contains(&name) && line.contains("at byte"), "{line}");
    let copy = hb.place.path("state/journal/damaged").join(&name);
    assert!(copy.is_file() && line.contains(&*copy.to_string_lossy()), "{line}");
    let ready = hb.get("/readyz");
    assert!(ready.status == 200 && ready.text().contains(&name), "{}", ready.text());
    // The log says where; a stranger is told only what.
    for path in ["/readyz", "/api/v1/status", "/"] {
        let said = hb.get(path);
        assert!(!said.text().contains(&*hb.place.path("").to_string_lossy()), "{path}: {}", said.text());
    }
    // What the tables have of it is not lost; what they had not yet is at most that one stretch.
    let known = (0..200).filter(|n| hb.get(&format!("/api/v1/monitors/m{n}")).status == 200).count();
    assert!(known >= 195, "{known} of 200");
    assert_eq!(hb.beat(r#"{"id":"new"}"#).text(), r#"{"status":"ok"}"#);
}

#[test]
fn rot_met_while_running_is_told_once_and_what_follows_is_on_record() {
    let hb = daemon(SECOND);
    let line = |log: String| log.lines().find(|l| l.contains("the journal is damaged")).map(str::to_string);
    // What is hit must not have been read yet, and it is read four times a second.
    let mut round = 0;
    let (hit, file) = loop {
        round += 1;
        let (hit, after) = (format!("hit-{round}"), format!("after-{round}"));
        let fails =
            |id: &str| hb.beat(&format!("{{\"id\":\"{id}\",\"status\":\"fail\",\"interval\":\"1h\"}}"));
        assert_eq!(fails(&hit).status, 200);
        let file = journal(&hb).pop().unwrap();
        let content = std::fs::read(&file).unwrap();
        let at = content.windows(hit.len()).rposition(|bytes| bytes == hit.as_bytes()).unwrap();
        let open = OpenOptions::new().write(true).open(&file).unwrap();
        open.write_all_at(&[content[at] ^ 1], at as u64).unwrap();
        assert_eq!(fails(&after).status, 200);
        let on_record = |id: &str| incidents_of(&hb).iter().any(|incident| incident["monitor"] == json!(id));
        until("what came after it on record", || on_record(&after));
        if !on_record(&hit) {
            break (hit, file);
        }
        assert!(round < 100, "what rots is read before each time");
    };
    hb.wait_for_log("the journal is damaged");
    let (line, name) = (line(hb.log()).unwrap(), file.file_name().unwrap().to_string_lossy().into_owned());
    assert!(line.contains(&*file.to_string_lossy()) && line.contains("at byte"), "{line}");
    assert!(hb.place.path("state/journal/damaged").join(&name).is_file());
    let ready = hb.get("/readyz");
    assert!(ready.status == 200 && ready.text().contains(&name), "{}", ready.text());
    assert!(!ready.text().contains(&*hb.place.path("").to_string_lossy()), "{}", ready.text());
    assert_eq!(hb.monitor(&hit)["state"], json!("down"), "memory has it all the same");
    hb.beat(r#"{"id":"last","status":"fail"}"#);
    until("what came last on record", || incidents_of(&hb)[0]["monitor"] == json!("last"));
    assert_eq!(hb.log().matches("the journal is damaged").count(), 1, "{}", hb.log());
}

#[test]
fn tables_older_than_the_journal_lose_only_what_lies_between() {
    let end = |mut hb: Daemon| {
        hb.signal(Signal::SIGTERM);
        hb.wait();
        hb
    };
    let hb = daemon(SECOND);
    hb.beat(r#"{"id":"early","interval":"1h","seq":1}"#);
    let hb = end(hb);
    let (tables, copy) = (hb.place.path("state/state.db"), hb.place.path("copy.db"));
    std::fs::copy(&tables, &copy).unwrap();
    // A stop lets the journal before it go, so after two of them it holds nothing of this time.
    let hb = again_ended(hb);
    hb.beat(r#"{"id":"between","interval":"1h"}"#);
    let hb = end(again_ended(end(hb)));
    let hb = again_ended(hb);
    hb.beat(r#"{"id":"late","interval":"1h"}"#);
    hb.beat(r#"{"id":"early","interval":"1h","seq":2}"#);
    let mut hb = hb;
    hb.signal(Signal::SIGKILL);
    hb.wait();
    for rest in ["state/state.db-wal", "state/state.db-shm"] {
        let _ = std::fs::remove_file(hb.place.path(rest));
    }
    std::fs::copy(&copy, &tables).unwrap();
    let hb = again_ended(hb);
    assert_eq!((&hb.monitor("early")["seq"], &hb.monitor("early")["state"]), (&json!(2), &json!("up")));
    assert_eq!(hb.monitor("late")["state"], json!("up"));
    assert_eq!(hb.get("/api/v1/monitors/between").status, 404);
    // Whoever was lost comes back with a number of its own.
    assert_eq!(hb.beat(r#"{"id":"between"}"#).status, 200);
    let numbers: Vec<Value> =
        ["early", "late", "between"].map(|id| hb.monitor(id)["number"].clone()).to_vec();
    let distinct: std::collections::BTreeSet<String> = numbers.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), 3, "{numbers:?}");
}

/// The same as [`again`] for one that has ended.
fn again_ended(hb: Daemon) -> Daemon {
    let mut command = hb.place.command();
    command.arg("--config").arg(hb.place.path("heartbeat-server.toml"));
    command.arg("--state-dir").arg(hb.place.path("state"));
    hb.replaced(command)
}

/// A file system of its own, gone with this.
pub struct Mount(PathBuf);

impl Mount {
    /// `None`, and a word about it, where we may not mount.
    pub fn new(path: &Path, options: &str) -> Option<Mount> {
        std::fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            // A state directory that everybody may write is refused.
            .args(["-t", "tmpfs", "-o", &format!("mode=0750,{options}"), "tmpfs"])
            .arg(path)
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Mount(path.into()));
        }
        skip("this needs to mount a file system, so root");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Takes all the space there is.
pub fn fill(file: &Path) {
    let mut file = std::fs::File::create(file).unwrap();
    while file.write_all(&[1; 65_536]).is_ok() {}
    while file.write_all(&[1]).is_ok() {}
}

#[test]
fn with_a_full_disk_beats_are_tracked_and_all_is_kept_again_when_there_is_room() {
    let setup = Setup::new(SECOND);
    let Some(_mount) = Mount::new(&setup.place().path("state"), "size=3m") else { return };
    let hb = setup.start();
    let beat = || hb.beat(r#"{"id":"w","interval":"1h"}"#);
    assert_eq!(beat().text(), r#"{"status":"ok"}"#);
    let filler = hb.place.path("state/filler");
    fill(&filler);
    let mut sent = 1;
    until("beats that cannot be stored", || {
        sent += 1;
        let reply = beat();
        assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("ok")));
        reply.json()["stored"] == json!(false)
    });
    assert_eq!(hb.monitor("w")["beats"], json!(sent), "it is known all the same");
    let ready = hb.get("/readyz");
    assert!(ready.status == 200 && ready.text().contains("degraded"), "{}", ready.text());
    assert!(ready.text().contains("no space left"), "{}", ready.text());
    std::fs::remove_file(&filler).unwrap();
    until("it is well again", || !hb.get("/readyz").text().contains("no space left"));
    sent += 1;
    assert_eq!(beat().text(), r#"{"status":"ok"}"#);
    hb.wait_for_log("beats are kept again");
    // The snapshot that follows has the beats of the meantime too.
    let hb = again(hb, Signal::SIGKILL);
    assert_eq!(hb.monitor("w")["beats"], json!(sent));
    drop(hb);
}

#[test]
fn with_a_full_disk_and_every_beat_synced_none_is_acknowledged() {
    let setup = Setup::new(&format!("{ALWAYS}{TCP_TOO}"));
    let Some(_mount) = Mount::new(&setup.place().path("state"), "size=3m") else { return };
    let hb = setup.start();
    let beat = || hb.beat(r#"{"id":"w","interval":"1h"}"#);
    assert_eq!(beat().status, 200);
    let filler = hb.place.path("state/filler");
    fill(&filler);
    let mut acknowledged = 1;
    until("beats that are refused", || {
        let status = beat().status;
        acknowledged += u64::from(status == 200);
        status == 503
    });
    assert_eq!(hb.get("/readyz").status, 503);
    // A line is told so; what has no words for it hears nothing.
    let mut lines = Conn::tcp(&hb.address_of('b'));
    for line in ["BEAT w\n", "PING\n"] {
        lines.send(line);
        let said = lines.text_until("\n");
        assert!(said.starts_with("ERR not stored"), "{line}: {said}");
    }
    let mut hello = Conn::tcp(&hb.address_of('b'));
    hello.send("hello server");
    hello.end_writing();
    assert_eq!(hello.everything(), b"");
    std::fs::remove_file(&filler).unwrap();
    until("beats are taken again", || beat().status == 200);
    lines.send("PING\n");
    assert_eq!(lines.text_until("\n"), "PONG\n");
    acknowledged += 1;
    until("it is well again", || hb.get("/readyz").status == 200);
    let hb = again(hb, Signal::SIGKILL);
    assert!(hb.monitor("w")["beats"].as_u64().unwrap() >= acknowledged);
    drop(hb);
}

#[test]
fn a_state_that_cannot_be_written_ends_the_start_with_its_path() {
    let setup = Setup::new(SECOND);
    let path = setup.place().path("state");
    let Some(_mount) = Mount::new(&path, "ro") else { return };
    let (code, said) = setup.run();
    assert!([74, 77].contains(&code) && said.contains(&*path.to_string_lossy()), "{code}: {said}");
}
