//! When fdatasync is called, as strace sees it.

use super::*;

/// strace on a daemon, writing what it sees into a file.
struct Trace {
    child: Child,
    file: PathBuf,
}

impl Trace {
    /// `None`, and a word about it, where there is no strace or it may not look.
    fn new(hb: &Daemon) -> Option<Trace> {
        let (file, errors) = (hb.place.path("trace"), hb.place.path("strace"));
        let calls = "trace=write,writev,sendto,sendmsg,pwrite64,pwritev,fdatasync,fsync";
        let child = Command::new("strace")
            .args(["-f", "-s", "256", "-e", calls, "-o"])
            .arg(&file)
            .args(["-p", &hb.pid().to_string()])
            .stderr(std::fs::File::create(&errors).unwrap())
            .spawn();
        let Ok(child) = child else {
            skip("this needs strace");
            return None;
        };
        let mut trace = Trace { child, file };
        let said = || std::fs::read_to_string(&errors).unwrap_or_default();
        until("strace to be attached or to give up", || {
            said().contains("attached") || trace.child.try_wait().unwrap().is_some()
        });
        if trace.child.try_wait().unwrap().is_some() {
            skip(&format!("strace may not look: {}", said().trim_end()));
            return None;
        }
        Some(trace)
    }

    /// What was seen so far, in order.
    fn events(&self) -> Vec<Seen> {
        let text = String::from_utf8_lossy(&std::fs::read(&self.file).unwrap_or_default()).into_owned();
        text.lines().filter_map(Seen::of).collect()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // strace lets go of the daemon when it is asked to end.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// A system call that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// A frame of the journal was written.
    Append,
    /// Something was synced: the call has returned well.
    Synced,
    /// A beat was answered.
    Answer,
}

impl Seen {
    fn of(line: &str) -> Option<Seen> {
        if line.contains("\"HBfr") {
            return Some(Seen::Append);
        }
        if line.contains("HTTP/1.1 200 OK") {
            return Some(Seen::Answer);
        }
        (line.contains("fdatasync") && line.ends_with("= 0")).then_some(Seen::Synced)
    }
}

#[test]
fn with_sync_always_each_answer_comes_after_its_fdatasync() {
    let hb = daemon(ALWAYS);
    hb.beat(r#"{"id":"w"}"#);
    let mut conn = hb.connect();
    let Some(trace) = Trace::new(&hb) else { return };
    for _ in 0..20 {
        conn.send(beat(r#"{"id":"w"}"#));
        assert_eq!(conn.reply().text(), r#"{"status":"ok"}"#);
    }
    let answers = |trace: &Trace| trace.events().iter().filter(|seen| **seen == Seen::Answer).count();
    until("20 answers in the trace", || answers(&trace) >= 20);
    let (mut unsynced, mut appended) = (false, false);
    for (place, seen) in trace.events().into_iter().enumerate() {
        match seen {
            Seen::Append => (unsynced, appended) = (true, true),
            Seen::Synced => unsynced = false,
            Seen::Answer => {
                assert!(
                    appended && !unsynced,
                    "an answer before its fdatasync: {place} of {:?}",
                    trace.events()
                );
                appended = false;
            }
        }
    }
}

#[test]
fn with_sync_second_it_syncs_about_once_a_second_under_load_and_never_while_idle() {
    let hb = daemon(SECOND);
    let mut conn = hb.connect();
    conn.send(beat(r#"{"id":"w","interval":"1h"}"#));
    conn.reply();
    let Some(trace) = Trace::new(&hb) else { return };
    let count = |trace: &Trace, what| trace.events().iter().filter(|seen| **seen == what).count();
    // Under load: it syncs again and again, but by far not for every beat.
    let (began, mut beats) = (Instant::now(), 0);
    while count(&trace, Seen::Synced) < 3 {
        assert!(began.elapsed() < PATIENCE, "no fdatasync");
        for _ in 0..50 {
            conn.send(beat(r#"{"id":"w"}"#));
            conn.reply();
            beats += 1;
        }
    }
    let seconds = began.elapsed().as_secs() as usize + 1;
    let synced = count(&trace, Seen::Synced);
    assert!(synced <= 2 * seconds + 2, "{synced} in {seconds} s, for {beats} beats");
    // Idle: signs of life go on, and once the last beats are synced nothing else is.
    let settled = |trace: &Trace| {
        let events = trace.events();
        let last: Vec<Seen> = events.iter().rev().take(3).copied().collect();
        last == [Seen::Append; 3]
    };
    until("three signs of life with no fdatasync between them", || {
        std::thread::sleep(Duration::from_millis(100));
        settled(&trace)
    });
    // None of that kept anybody waiting.
    conn.send(get("/healthz"));
    assert_eq!(conn.reply().status, 200);
}
