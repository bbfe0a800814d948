//! The log against real files, sockets and pipes.

mod files;

use super::sink::{LineSink, WriteContext};
use super::stream::LogStream;
use super::*;
use crate::domain::address::Peer;
use crate::domain::beat::Exit;
use crate::domain::lang::Lang;
use crate::domain::notice::{Level, State};
use crate::domain::record::Cause;
use crate::domain::time::Span;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

const AT: Wall = Wall(1_770_521_420_123);

/// A folder of the test's own, gone when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("heartbeat-log-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn options(targets: &[Target]) -> LogOptions {
    let targets =
        targets.iter().map(|target| TargetOptions { target: target.clone(), beats: true }).collect();
    LogOptions { targets, ..LogOptions::default() }
}

fn file(path: &Path) -> Target {
    Target::File(path.into())
}

fn beat(id: &str) -> BeatLine<'_> {
    let peer = Peer::Ip(IpAddr::from([10, 0, 0, 1]));
    BeatLine { peer, ip: None, id: Some(id), transport: "http", status: None, exit: None }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Waits for something that must come, however busy the machine is.
fn eventually(what: &str, mut come: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if come() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("never came: {what}");
}

#[test]
fn lines_of_many_threads_survive_renames_and_reopening_none_lost_doubled_or_out_of_order() {
    const THREADS: usize = 4;
    const LINES: usize = 50_000;
    let folder = Folder::new("renames");
    let path = folder.path("beats.log");
    let log = Log::open(options(&[file(&path)])).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let log = &log;
            scope.spawn(move || {
                for i in 0..LINES {
                    log.beat(AT, &beat(&format!("{thread}:{i}")));
                    if i % 500 == 0 {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
        for rotation in 1..=6 {
            std::thread::sleep(Duration::from_millis(10));
            fs::rename(&path, folder.path(&format!("beats.log.{rotation}"))).unwrap();
            std::thread::sleep(Duration::from_millis(5)); // lines go on into the renamed file
            log.apply(options(&[file(&path)])).unwrap();
        }
    });
    log.close();
    assert_eq!(log.dropped(), 0);
    let mut next = [0usize; THREADS];
    let files = (1..=6).map(|n| folder.path(&format!("beats.log.{n}"))).chain([path]);
    for line in files.flat_map(|f| text(&f).lines().map(String::from).collect::<Vec<_>>()) {
        let (_, id) = line.rsplit_once("id: ").unwrap();
        let (thread, number) = id.split_once(':').unwrap();
        let thread: usize = thread.parse().unwrap();
        assert_eq!(number.parse::<usize>().unwrap(), next[thread], "thread {thread}");
        next[thread] += 1;
    }
    assert_eq!(next, [LINES; THREADS]);
}

#[test]
fn a_target_taken_out_gets_no_more_lines() {
    let folder = Folder::new("swap");
    let (a, b) = (folder.path("a"), folder.path("b"));
    let log = Log::open(options(&[file(&a), file(&a)])).unwrap();
    log.beat(AT, &beat("one"));
    log.apply(LogOptions { format: Format::Json, ..options(&[file(&b)]) }).unwrap();
    log.beat(AT, &beat("two"));
    log.close();
    assert_eq!(text(&a).lines().count(), 1, "named twice, written once");
    let value: serde_json::Value = serde_json::from_str(&text(&b)).unwrap();
    assert_eq!(value["id"], "two");
}

#[test]
fn level_and_beats_decide_what_is_written() {
    let folder = Folder::new("level");
    let (quiet, full) = (folder.path("quiet.log"), folder.path("full.log"));
    let mut options = LogOptions { level: Level::Warning, ..options(&[file(&quiet), file(&full)]) };
    options.targets[0].beats = false;
    let log = Log::open(options.clone()).unwrap();
    log.beat(AT, &beat("x"));
    log.notice(AT, Notice::Reloaded);
    log.notice(AT, Notice::ReloadFailed { reason: "x".into() });
    options.targets[1].beats = false;
    log.apply(options).unwrap();
    log.beat(AT, &beat("y"));
    log.close();
    assert_eq!(text(&quiet).lines().count(), 1);
    assert!(text(&quiet).contains("not reloaded"));
    assert_eq!(text(&full).lines().count(), 2);
}

#[test]
fn a_target_without_beats_still_gets_every_notice_in_its_place() {
    let folder = Folder::new("quiet");
    let (all, quiet) = (folder.path("all"), folder.path("quiet"));
    let mut both = options(&[file(&all), file(&quiet)]);
    both.targets[1].beats = false;
    let log = Log::open(both).unwrap();
    let notices = [Notice::Stopping, Notice::Reloaded, Notice::Stopped];
    for notice in notices {
        log.beat(AT, &beat("x"));
        log.notice(AT, notice);
    }
    log.close();
    let (all, quiet) = (text(&all), text(&quiet));
    assert_eq!(all.lines().count(), 6);
    let without: Vec<&str> = all.lines().filter(|l| !l.contains("heartbeat received")).collect();
    assert_eq!(quiet.lines().collect::<Vec<_>>(), without);
    assert_eq!(without.len(), 3);
}

#[test]
fn what_comes_after_the_end_is_counted_and_harms_nobody() {
    let folder = Folder::new("closed");
    let path = folder.path("a.log");
    let log = Log::open(options(&[file(&path)])).unwrap();
    log.beat(AT, &beat("x"));
    log.close();
    log.close();
    log.beat(AT, &beat("late"));
    assert_eq!((text(&path).lines().count(), log.dropped()), (1, 1));
    assert!(log.apply(options(&[file(&path)])).is_err());
}

#[test]
fn a_machine_without_the_service_is_told_so() {
    let folder = Folder::new("nosocket");
    let places = Places { syslog: folder.path("none"), journal: folder.path("none") };
    for target in [Target::Syslog, Target::Journal] {
        let error = Log::open_at(options(&[target]), places.clone()).unwrap_err();
        assert_eq!(error.exit_code(), 69, "{error}");
    }
}

#[test]
fn a_fifo_without_a_reader_is_an_error_and_not_a_wait() {
    let folder = Folder::new("fifo");
    let path = folder.path("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap();
    let error = Log::open(options(&[file(&path)])).unwrap_err();
    assert!(error.to_string().contains("reader of the FIFO"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_broken_target_is_told_once_to_the_others_and_stops_none_of_them() {
    let folder = Folder::new("broken");
    let path = folder.path("good.log");
    let log = Log::open(options(&[file(Path::new("/dev/full")), file(&path)])).unwrap();
    for i in 0..100 {
        log.beat(AT, &beat(&i.to_string()));
        if i % 10 == 0 {
            std::thread::sleep(Duration::from_millis(12));
        }
    }
    eventually("the failure", || !log.failing().is_empty());
    assert_eq!(log.failing()[0].own().say(Lang::En), "file:/dev/full: No space left on device (os error 28)");
    log.close();
    let good = text(&path);
    assert_eq!(good.lines().filter(|l| l.contains("heartbeat received")).count(), 100);
    assert_eq!(
        good.lines().filter(|l| l.contains("log target file:/dev/full failed: No space left")).count(),
        1
    );
    assert!(log.dropped() >= 100, "{}", log.dropped());
}

/// A full disk must be a disk: a tmpfs of 64 kB, which only root may mount.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_whole_lines_says_so_once_and_recovers_alone() {
    struct Mounted<'a>(&'a Path);
    impl Drop for Mounted<'_> {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg("-l").arg(self.0).status();
        }
    }
    let folder = Folder::new("fulldisk");
    let disk = folder.path("disk");
    fs::create_dir(&disk).unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(&disk)
        .stderr(std::process::Stdio::null())
        .status();
    if !mount.is_ok_and(|s| s.success()) {
        return crate::skip::skip("a full disk needs the right to mount a tmpfs, so root");
    }
    let _mounted = Mounted(&disk);
    fs::write(disk.join("ballast"), vec![0; 32 * 1024]).unwrap();
    let (path, other) = (disk.join("a.log"), folder.path("other.log"));
    let log = Log::open(options(&[file(&path), file(&other)])).unwrap();
    let mut sent = 0u64;
    eventually("a full disk", || {
        for _ in 0..100 {
            log.beat(AT, &beat(&sent.to_string()));
            sent += 1;
        }
        log.dropped() > 0
    });
    eventually("its report", || log.failing().len() == 1);
    let full = text(&path);
    assert!(full.ends_with('\n') && full.lines().all(|l| l.contains("- heartbeat received - ")), "{full}");

    fs::remove_file(disk.join("ballast")).unwrap();
    eventually("recovery without a line to write", || log.failing().is_empty());
    log.beat(AT, &beat("after"));
    log.close();
    let whole = text(&path);
    let lost = log.dropped();
    let beats = whole.lines().filter(|l| l.contains("- heartbeat received - ")).count() as u64;
    assert_eq!(beats + lost, sent + 1);
    let target = format!("log target file:{}", path.display());
    let said: Vec<&str> = whole.lines().filter(|l| l.contains(&target)).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].ends_with(&format!("works again; lines lost: {lost}")), "{said:?}");
    assert!(whole.lines().last().unwrap().ends_with("id: after"));
    let other = text(&other);
    assert_eq!(other.lines().filter(|l| l.contains("- heartbeat received - ")).count() as u64, sent + 1);
    assert_eq!(other.lines().filter(|l| l.contains(&format!("{target} failed: "))).count(), 1);
    assert_eq!(other.lines().filter(|l| l.contains(&format!("{target} works again"))).count(), 1);
}

#[test]
fn a_pipe_nobody_reads_takes_whole_lines_and_never_stops_the_writer() {
    let line = |i: usize| format!("{i:>99}\n");
    let lines: String = (0..10_000).map(line).collect();
    let (reader, writer) = nix::unistd::pipe().unwrap();
    let mut reader = File::from(reader);
    let mut stream = LogStream::inherited(File::from(writer)).unwrap();
    let moment = WriteContext { local: *b"2026-02-08T11:30:20", patient: true };
    let short = stream.write(lines.as_bytes(), moment).unwrap_err();
    assert_eq!(short.error.kind(), std::io::ErrorKind::WouldBlock);
    assert!(short.taken > 0 && short.taken % 100 == 0, "{}", short.taken);
    let again =
        stream.write(line(0).repeat(50).as_bytes(), WriteContext { patient: false, ..moment }).unwrap_err();
    drop(stream);
    let mut read = String::new();
    reader.read_to_string(&mut read).unwrap();
    assert_eq!(read.len(), short.taken + again.taken);
    assert_eq!(read[..short.taken], lines[..short.taken]);
}

#[test]
fn a_socket_nobody_reads_does_not_stop_the_writer_either() {
    let (mut reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut stream = LogStream::inherited(File::from(std::os::fd::OwnedFd::from(writer))).unwrap();
    let lines = "x".repeat(99) + "\n";
    let moment = WriteContext { local: *b"2026-02-08T11:30:20", patient: false };
    let short = stream.write(lines.repeat(100_000).as_bytes(), moment).unwrap_err();
    assert_eq!(short.error.kind(), std::io::ErrorKind::WouldBlock);
    drop(stream);
    let mut read = Vec::new();
    reader.read_to_end(&mut read).unwrap();
    assert!(read.len() >= short.taken && short.taken % 100 == 0);
}

fn receive(socket: &UnixDatagram) -> Vec<u8> {
    let mut packet = vec![0; 64 * 1024];
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let len = socket.recv(&mut packet).unwrap();
    packet.truncate(len);
    packet
}

#[test]
fn a_syslog_that_is_restarted_gets_the_next_line() {
    let folder = Folder::new("syslog");
    let places = Places { syslog: folder.path("log"), ..Places::default() };
    let service = UnixDatagram::bind(&places.syslog).unwrap();
    let log = Log::open_at(options(&[Target::Syslog]), places.clone()).unwrap();
    log.beat(AT, &beat("one"));
    log.notice(AT, Notice::ReloadFailed { reason: "x".into() });
    let first = String::from_utf8(receive(&service)).unwrap();
    let (head, message) = first.split_once(": ").unwrap();
    assert_eq!(message, "heartbeat received - from: 10.0.0.1, reported IP: -, id: one");
    let local = String::from_utf8(super::syslog::stamp_for_test(AT)).unwrap();
    assert_eq!(head, format!("<30>{local} heartbeat-server[{}]", std::process::id()));
    assert!(receive(&service).starts_with(b"<27>"));

    drop(service);
    fs::remove_file(&places.syslog).unwrap();
    log.beat(AT, &beat("lost"));
    eventually("the loss", || log.dropped() == 1 && log.failing().len() == 1);
    let service = UnixDatagram::bind(&places.syslog).unwrap();
    log.beat(AT, &beat("two"));
    let mut heard = Vec::new();
    while heard.len() < 2 {
        heard.push(String::from_utf8(receive(&service)).unwrap());
    }
    heard.sort();
    assert!(heard[0].ends_with("log target syslog works again; lines lost: 1"), "{heard:?}");
    assert!(heard[1].ends_with("id: two"), "{heard:?}");
    eventually("recovery", || log.failing().is_empty());
}

#[test]
fn a_slow_syslog_loses_nothing_while_it_reads_and_a_stuck_one_is_counted() {
    let folder = Folder::new("slow");
    let places = Places { syslog: folder.path("log"), ..Places::default() };
    let service = UnixDatagram::bind(&places.syslog).unwrap();
    let path = folder.path("a.log");
    let log = Log::open_at(options(&[Target::Syslog, file(&path)]), places).unwrap();
    for i in 0..5_000 {
        log.beat(AT, &beat(&i.to_string()));
    }
    log.close(); // nobody read: this must end nevertheless
    let mut heard = 0;
    service.set_nonblocking(true).unwrap();
    while service.recv(&mut [0; 4096]).is_ok() {
        heard += 1;
    }
    assert!(heard > 0);
    assert_eq!(heard + log.dropped(), 5_000 + u64::from(text(&path).contains("syslog works again")));
    assert_eq!(text(&path).lines().filter(|l| l.contains("heartbeat received")).count(), 5_000);
}

#[test]
fn the_journal_gets_fields() {
    let folder = Folder::new("journal");
    let places = Places { journal: folder.path("socket"), ..Places::default() };
    let service = UnixDatagram::bind(&places.journal).unwrap();
    let log = Log::open_at(options(&[Target::Journal]), places).unwrap();
    let exit = Some(Exit::Code(-1));
    log.beat(AT, &BeatLine { ip: Some("10.0.0.2"), id: None, status: Some("fail"), exit, ..beat("") });
    log.notice(
        AT,
        Notice::Transition {
            monitor: "web-1".into(),
            from: State::Late,
            to: State::Down,
            last_beat: Some(AT),
            silent: Span::secs(90),
            reason: Some(Cause::Silence.into()),
            at: AT,
        },
    );
    let fields = |packet: Vec<u8>| -> HashMap<String, String> {
        let text = String::from_utf8(packet).unwrap();
        text.lines().map(|l| l.split_once('=').unwrap()).map(|(k, v)| (k.into(), v.into())).collect()
    };
    let beat = fields(receive(&service));
    for (name, value) in [
        ("MESSAGE", "heartbeat received - from: 10.0.0.1, reported IP: 10.0.0.2, status: fail, exit code -1"),
        ("PRIORITY", "6"),
        ("SYSLOG_IDENTIFIER", "heartbeat-server"),
        ("MESSAGE_ID", MESSAGE_IDS[0].1),
        ("HEARTBEAT_EVENT", "beat"),
        ("HEARTBEAT_MONITOR", "10.0.0.2"),
        ("HEARTBEAT_FROM", "10.0.0.1"),
        ("HEARTBEAT_IP", "10.0.0.2"),
        ("HEARTBEAT_TRANSPORT", "http"),
        ("HEARTBEAT_STATUS", "fail"),
        ("HEARTBEAT_EXIT_CODE", "-1"),
    ] {
        assert_eq!(beat.get(name).map(String::as_str), Some(value), "{name}");
    }
    let down = fields(receive(&service));
    for (name, value) in [
        ("MESSAGE", "web-1 is down, silent for 1m30s"),
        ("PRIORITY", "4"),
        ("MESSAGE_ID", MESSAGE_IDS[1].1),
        ("HEARTBEAT_EVENT", "transition"),
        ("HEARTBEAT_MONITOR", "web-1"),
        ("HEARTBEAT_STATE", "down"),
        ("HEARTBEAT_STATE_BEFORE", "late"),
        ("HEARTBEAT_SILENT_MS", "90000"),
    ] {
        assert_eq!(down.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[test]
fn lines_that_find_no_room_are_counted_and_spoken_of() {
    let folder = Folder::new("overflow");
    let path = folder.path("a.log");
    let options = options(&[file(&path)]);
    let shared = Arc::new(LogShared::new(&options));
    let mut writer = LogWriter::open(Arc::clone(&shared), options, Places::default()).unwrap();
    // No thread runs the writer, so the line buffer must fill up.
    let mut sent = 0u64;
    while shared.dropped.load(Ordering::Relaxed) < 3 {
        shared.push(|buffer| buffer.push_beat(AT, &beat("x")));
        sent += 1;
    }
    writer.batch_for_test();
    let text = text(&path);
    assert_eq!(text.lines().filter(|l| l.contains("heartbeat received")).count() as u64, sent - 3);
    assert!(text.lines().last().unwrap().ends_with("3 log lines lost: more came than could be written"));
}
