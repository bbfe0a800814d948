//! What the daemon does when the system fails it: calls that never fail are made to fail in front of the C library.
#![cfg(target_os = "linux")]

use crate::client::{Conn, get};
use crate::harness::{Daemon, Setup, until};
use crate::skip::skip;
use nix::sys::signal::Signal;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A library that is loaded before the C library. `None`, and a word about it, where there is no compiler.
fn preloaded(name: &str, source: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (code, library) = (folder.join(format!("{name}.c")), folder.join(format!("lib{name}.so")));
    std::fs::write(&code, source).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&code).status();
    let Ok(made) = made else {
        skip("this needs cc, a C compiler");
        return None;
    };
    assert!(made.success(), "{name}.c cannot be compiled");
    Some(library)
}

/// Has a daemon load it. By its name alone: LD_PRELOAD is parted at blanks, and the folder may have some.
fn loading(setup: Setup, library: &Path) -> Setup {
    let name = library.file_name().unwrap().to_str().unwrap();
    setup.env("LD_PRELOAD", name).env("LD_LIBRARY_PATH", library.parent().unwrap().to_str().unwrap())
}

/// epoll_wait(2) fails in the thread `io-0` once the file named by FAIL_WHEN is there.
const POLL_FAILS: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
int epoll_wait(int epoll, struct epoll_event *events, int most, int ms) {
    static int (*real)(int, struct epoll_event *, int, int);
    char name[16] = "";
    if (!real) real = dlsym(RTLD_NEXT, "epoll_wait");
    pthread_getname_np(pthread_self(), name, sizeof name);
    if (!strcmp(name, "io-0") && getenv("FAIL_WHEN") && !access(getenv("FAIL_WHEN"), F_OK)) {
        errno = EBADF;
        return -1;
    }
    return real(epoll, events, most, ms);
}
"#;

#[test]
fn a_front_that_cannot_wait_any_more_ends_the_daemon_and_says_why() {
    let Some(library) = preloaded("poll_fails", POLL_FAILS) else { return };
    let setup = Setup::new("[[listen]]\naddress = \"127.0.0.1:{a}\"\n").env("FAIL_WHEN", "{dir}/now");
    let setup = loading(setup, &library);
    let mut hb = setup.start();
    assert_eq!(hb.beat(r#"{"id":"nas"}"#).status, 200);
    hb.place.write("now", "");
    let status = hb.wait();
    assert_eq!(status.signal(), Some(Signal::SIGABRT as i32), "{status}: {}", hb.log());
    assert!(hb.log().contains("which connections are ready"), "{}", hb.log());
}

/// Counts the calls that write under the folder FAULTS_UNDER (those named FAULTS_ONLY, if that is set), in the file FAULTS,
/// and fails those whose turn it is. In the file: calls so far, the first that fails, how many do, with which errno, how
/// many of the next ones do, and from byte 64 on which the last one was.
const CALLS_FAIL: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static volatile long *plan;
static const char *under, *only;
__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *seen = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    under = getenv("FAULTS_UNDER");
    only = getenv("FAULTS_ONLY");
    if (seen != MAP_FAILED) plan = seen;
}
static int fails(const char *call, const char *path) {
    if (!plan || !under || strncmp(path, under, strlen(under)) || (only && strcmp(call, only))) return 0;
    long number = __sync_fetch_and_add(&plan[0], 1);
    int its_turn = number >= plan[1] && number - plan[1] < plan[2];
    if (!its_turn && (plan[4] <= 0 || __sync_fetch_and_sub(&plan[4], 1) <= 0)) return 0;
    snprintf((char *)plan + 64, 1024, "%s %s", call, path + strlen(under));
    errno = (int)plan[3];
    return 1;
}
static int fails_at(const char *call, int file) {
    char link[64], path[1024];
    if (!plan) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return fails(call, path);
}
#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define OPEN(name) int name(const char *path, int flags, ...) { \
    REAL(name); va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
    return fails(#name, path) ? -1 : real(path, flags, mode); }
#define OPENAT(name) int name(int at, const char *path, int flags, ...) { \
    REAL(name); va_list rest; va_start(rest, flags); int mode = va_arg(rest, int); va_end(rest); \
    return fails(#name, path) ? -1 : real(at, path, flags, mode); }
/* Every other write that fails has come half of the way. */
#define PWRITE(name, offset_type) ssize_t name(int file, const void *from, size_t bytes, offset_type at) { \
    REAL(name); \
    if (!fails_at(#name, file)) return real(file, from, bytes, at); \
    int why = errno; if (plan[1] % 2) real(file, from, bytes / 2, at); errno = why; return -1; }
#define OF_FILE(name) int name(int file) { REAL(name); return fails_at(#name, file) ? -1 : real(file); }
#define FTRUNCATE(name, offset_type) int name(int file, offset_type bytes) { \
    REAL(name); return fails_at(#name, file) ? -1 : real(file, bytes); }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)
PWRITE(pwrite, off_t) PWRITE(pwrite64, off64_t)
OF_FILE(fsync) OF_FILE(fdatasync)
FTRUNCATE(ftruncate, off_t) FTRUNCATE(ftruncate64, off64_t)
ssize_t write(int file, const void *from, size_t bytes) {
    REAL(write);
    return fails_at("write", file) ? -1 : real(file, from, bytes);
}
int rename(const char *from, const char *to) { REAL(rename); return fails("rename", from) ? -1 : real(from, to); }
int unlink(const char *path) { REAL(unlink); return fails("unlink", path) ? -1 : real(path); }
"#;

/// What is to fail, shared with the daemon.
struct Plan(File);

impl Plan {
    fn new(setup: &Setup) -> Plan {
        let path = setup.place().path("faults");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path).unwrap();
        file.set_len(4096).unwrap();
        Plan(file)
    }

    fn number(&self, place: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, place * 8).unwrap();
        u64::from_ne_bytes(bytes)
    }

    /// How many calls there were.
    fn calls(&self) -> u64 {
        self.number(0)
    }

    /// Lets calls fail, counted from the start of the daemon.
    fn fail(&self, first: u64, count: u64, errno: nix::errno::Errno) {
        self.write(&[(1, first), (3, errno as u64), (2, count)]);
    }

    /// Lets the next calls fail, whichever they are: a thread of the daemon may make one at any time.
    fn fail_next(&self, count: u64, errno: nix::errno::Errno) {
        self.write(&[(3, errno as u64), (4, count)]);
    }

    fn write(&self, numbers: &[(u64, u64)]) {
        for (place, number) in numbers {
            self.0.write_all_at(&number.to_ne_bytes(), place * 8).unwrap();
        }
    }

    /// The last one that failed: what it was, and on which file.
    fn last(&self) -> String {
        let mut bytes = [0; 1024];
        self.0.read_exact_at(&mut bytes, 64).unwrap();
        String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_string()
    }
}

/// A daemon whose calls may fail, not started yet.
fn failing(library: &Path, sync: &str) -> (Setup, Plan) {
    let setup = Setup::new(&format!("[log]\nbeats = false\n[state]\nsync = \"{sync}\"\n"))
        .env("FAULTS", "{dir}/faults")
        .env("FAULTS_UNDER", "{dir}/state");
    let setup = loading(setup, library);
    let plan = Plan::new(&setup);
    (setup, plan)
}

/// Waits until it serves; false if it has ended instead.
fn comes_up(hb: &mut Daemon) -> bool {
    let mut up = false;
    until("the daemon to serve or to end", || {
        // It listens before it knows whether it can serve.
        up = std::net::TcpStream::connect(hb.address()).is_ok_and(|stream| {
            let mut conn = Conn::of(stream);
            conn.send(get("/healthz")) && conn.reply_or_end().is_some()
        });
        up || !hb.is_running()
    });
    up
}

/// Starts it again, with nothing that fails.
fn again(mut hb: Daemon) -> Daemon {
    if hb.is_running() {
        hb.signal(Signal::SIGKILL);
        hb.wait();
    }
    let mut command = hb.place.command();
    command.arg("--config").arg(hb.place.path("heartbeat-server.toml"));
    command.arg("--state-dir").arg(hb.place.path("state"));
    hb.replaced(command)
}

/// The highest number of each monitor that was acknowledged as kept.
type Acknowledged = BTreeMap<String, u64>;

fn beats(hb: &Daemon, from: u64, count: u64, acknowledged: &mut Acknowledged) {
    for seq in from..from + count {
        let id = format!("m{}", seq % 5);
        // Those that end in a fail have an incident, which goes into the tables.
        let status = if seq % 5 == 4 && seq / 5 % 2 == 0 { "fail" } else { "ok" };
        let body = format!("{{\"id\":\"{id}\",\"seq\":{seq},\"interval\":\"1h\",\"status\":\"{status}\"}}");
        let reply = hb.beat(&body);
        assert!([200, 503].contains(&reply.status), "{} {}", reply.status, reply.text());
        if reply.status == 200 && reply.json()["stored"] != json!(false) {
            acknowledged.insert(id, seq);
        }
    }
}

/// One life in which calls fail, and the next in which nothing does. Returns how many calls there were.
fn life(library: &Path, sync: &str, first: u64, count: u64, errno: nix::errno::Errno) -> u64 {
    let (setup, plan) = failing(library, sync);
    plan.fail(first, count, errno);
    let mut hb = setup.spawn();
    let mut acknowledged = Acknowledged::new();
    if comes_up(&mut hb) {
        beats(&hb, 1, 15, &mut acknowledged);
        // Whoever reads them waits until they are in the tables, for a while.
        hb.get("/api/v1/incidents");
        beats(&hb, 16, 5, &mut acknowledged);
        assert_eq!(hb.get("/healthz").status, 200);
        assert!(hb.is_running(), "{}: {}", plan.last(), hb.log());
        hb.signal(if first % 3 == 0 { Signal::SIGKILL } else { Signal::SIGTERM });
    }
    let ended = hb.wait();
    let log = hb.log();
    let what =
        format!("sync {sync}, call {first} and {} more, {errno}: {}", count.saturating_sub(1), plan.last());
    assert!(!log.contains("panicked"), "{what}: {log}");
    let codes = [Some(0), Some(69), Some(74), Some(77)];
    assert!(ended.signal() == Some(9) || codes.contains(&ended.code()), "{what}: {ended}: {log}");
    if ended.code().is_some_and(|code| code > 0) {
        // It says on which file and what the system said.
        assert!(log.contains("state") && log.lines().last().is_some_and(|l| l.len() > 20), "{what}: {log}");
    }
    let hb = again(hb);
    for (id, seq) in &acknowledged {
        let monitor = hb.monitor(id);
        assert!(monitor["seq"].as_u64() >= Some(*seq), "{what}: {id} had {seq} acknowledged: {monitor}");
    }
    assert_eq!(hb.beat(r#"{"id":"after"}"#).text(), r#"{"status":"ok"}"#, "{what}");
    plan.calls()
}

#[test]
fn whichever_call_fails_it_serves_or_says_why_and_no_acknowledged_beat_is_lost() {
    use nix::errno::Errno::{EIO, ENOSPC};
    let Some(library) = preloaded("calls_fail", CALLS_FAIL) else { return };
    let calls = life(&library, "always", 0, 0, EIO);
    assert!(calls > 100, "{calls}");
    let plans = [("always", 1, EIO), ("second", 1, ENOSPC), ("always", 9, ENOSPC), ("second", 9, EIO)];
    let asked = std::env::var("HEARTBEAT_FAULTS").unwrap_or_default();
    if let Some(stride) = if asked == "all" { Some(1) } else { asked.parse().ok() } {
        for first in (0..calls + 20).step_by(stride) {
            for (sync, count, errno) in plans {
                life(&library, sync, first, count, errno);
            }
        }
        return;
    }
    // A part of them, spread over the whole life.
    for sample in 0..16 {
        let (sync, count, errno) = plans[sample as usize % 4];
        life(&library, sync, calls * sample / 16 + sample % 7, count, errno);
    }
}

#[test]
fn a_failed_fdatasync_is_told_and_what_is_acknowledged_is_kept() {
    let Some(library) = preloaded("syncs_fail", CALLS_FAIL) else { return };
    let (setup, plan) = failing(&library, "always");
    let hb = setup.env("FAULTS_ONLY", "fdatasync").env("FAULTS_UNDER", "{dir}/state/journal").start();
    let beat = |seq: u64| hb.beat(&format!("{{\"id\":\"w\",\"seq\":{seq},\"interval\":\"1h\"}}")).status;
    assert_eq!(beat(1), 200);
    // One fails: all that it was for is written again, to another file, before anybody is answered.
    plan.fail_next(1, nix::errno::Errno::EIO);
    let mut seq = 1;
    until("an fdatasync that fails", || {
        seq += 1;
        assert_eq!(beat(seq), 200);
        !plan.last().is_empty()
    });
    let file = plan.last().strip_prefix("fdatasync /").unwrap().to_string();
    hb.wait_for_log("was written again");
    let log = hb.log();
    let line = log.lines().find(|line| line.contains("was written again")).unwrap();
    assert!(line.contains(&file) && line.contains("fdatasync: Input/output error"), "{line}");
    let ready = hb.get("/readyz");
    assert!(ready.status == 200 && ready.text().contains(&file), "{}", ready.text());
    assert!(!ready.text().contains(&*hb.place.path("").to_string_lossy()), "{}", ready.text());
    // All fail: nobody is acknowledged, and that is said.
    plan.fail_next(u64::MAX / 4, nix::errno::Errno::EIO);
    until("beats that are refused", || {
        seq += 1;
        let status = beat(seq);
        assert!([200, 503].contains(&status), "{status}");
        status == 503
    });
    assert_eq!((beat(seq), hb.get("/readyz").status), (503, 503));
    plan.fail_next(0, nix::errno::Errno::EIO);
    until("beats that are taken again", || {
        seq += 1;
        beat(seq) == 200
    });
    let hb = again(hb);
    assert_eq!(hb.monitor("w")["seq"], json!(seq));
}
