//! Writes sample pages into a directory, to be looked at: `cargo run --example pages -- DIR`.
//!
//! Everything on them is made up and always the same, so that two versions of the pages can be compared.

use heartbeat_server::domain::address::Peer;
use heartbeat_server::domain::beat::{Status, Transport};
use heartbeat_server::domain::history::{Incident, Past, StateChange, Uptime};
use heartbeat_server::domain::lang::Lang;
use heartbeat_server::domain::limits::LIST_DEFAULT;
use heartbeat_server::domain::notice::State;
use heartbeat_server::domain::record::{Cause, Pause, PausedBy};
use heartbeat_server::domain::registry::{Order, Snapshot};
use heartbeat_server::domain::time::{Span, Wall};
use heartbeat_server::view::badge::{self, Badge};
use heartbeat_server::view::page::{self, MonitorPage, MonitorRow, Page};
use std::{env, fs, io, path::Path};

const NOW: Wall = Wall(1_770_521_432_000);
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn main() -> io::Result<()> {
    let Some(dir) = env::args_os().nth(1) else {
        return Err(io::Error::other("name a directory: cargo run --example pages -- DIR"));
    };
    let dir = Path::new(&dir);
    fs::create_dir_all(dir.join("monitors"))?;
    fs::create_dir_all(dir.join("badge"))?;
    fs::write(dir.join("page.js"), page::SCRIPT)?;
    let few = few();
    let many: Vec<(Snapshot, Past)> = (0..10_000).map(nth).collect();
    for (lang, tag) in [(Lang::En, "en"), (Lang::Zh, "zh")] {
        let base = Page { lang, ..empty() };
        fs::write(dir.join(format!("0-{tag}.html")), render(&base))?;
        for (name, all) in [("5", &few), ("10000", &many)] {
            let mut sorted: Vec<&(Snapshot, Past)> = all.iter().collect();
            sorted.sort_by_key(|(m, _)| (m.key(Order::State), m.id.clone()));
            let rows: Vec<MonitorRow<'_>> = sorted
                .iter()
                .take(LIST_DEFAULT)
                .map(|(snapshot, past)| MonitorRow { snapshot, past })
                .collect();
            let mut counts = base.counts;
            all.iter().for_each(|(m, _)| counts[m.state as usize] += 1);
            let open: Vec<Incident> =
                sorted.iter().filter_map(|(m, _)| open(m)).take(page::OPEN_MAX + 1).collect();
            let recent: Vec<Incident> = (1..5).map(ended).collect();
            let next = (all.len() > LIST_DEFAULT).then_some("2:web-0100");
            let page = Page { counts, rows: &rows, next, open: &open, recent: &recent, ..base };
            fs::write(dir.join(format!("{name}-{tag}.html")), render(&page))?;
        }
        for (snapshot, past) in &few {
            let incidents: Vec<Incident> = open(snapshot).into_iter().chain((1..4).map(ended)).collect();
            let page = MonitorPage {
                root: "../",
                lang,
                now: NOW,
                host: Some("hb.lan:7777"),
                started: Wall(NOW.0 - 83 * HOUR),
                version: env!("CARGO_PKG_VERSION"),
                snapshot,
                past,
                incidents: &incidents,
                next: None,
                after: None,
                refresh: true,
                troubles: &[],
            };
            fs::write(dir.join(format!("monitors/{}-{tag}.html", snapshot.id)), page::monitor(&page))?;
            let badge = Badge {
                lang: Lang::En,
                id: &snapshot.id,
                state: Some(snapshot.state),
                uptime_day: past.uptime.day,
            };
            fs::write(dir.join(format!("badge/{}.svg", snapshot.id)), badge::render(&badge))?;
        }
        fs::write(dir.join(format!("monitors/nobody-{tag}.html")), page::not_found(lang, "nobody", "../"))?;
    }
    let troubles = ["/var/lib/heartbeat-server/journal: no space left; make room on that disk".to_string()];
    fs::write(dir.join("trouble-en.html"), render(&Page { troubles: &troubles, ..empty() }))
}

/// The whole of a page.
fn render(page: &Page<'_>) -> String {
    let page = Page { shown: page.rows.len(), ..*page };
    let mut html = String::new();
    page::open(&mut html, &page);
    page::rows(&mut html, &page, usize::MAX);
    page::close(&mut html, &page);
    html
}

fn empty() -> Page<'static> {
    Page {
        lang: Lang::En,
        now: NOW,
        host: Some("hb.lan:7777"),
        counts: [0; 5],
        beats: 1_048_213,
        connections: 5,
        started: Wall(NOW.0 - 83 * HOUR),
        version: env!("CARGO_PKG_VERSION"),
        shown: 0,
        rows: &[],
        next: None,
        after: None,
        state: None,
        search: "",
        tag: "",
        order: Order::State,
        limit: LIST_DEFAULT,
        refresh: true,
        open: &[],
        recent: &[],
        troubles: &[],
    }
}

fn up(id: &str) -> Snapshot {
    Snapshot {
        id: id.into(),
        state: State::Up,
        since: Wall(NOW.0 - 190 * HOUR),
        last_beat: Some(Wall(NOW.0 - 12_000)),
        next_deadline: Some(Wall(NOW.0 + 48_000)),
        slot: None,
        never_heard: false,
        interval: Span::secs(60),
        asked: None,
        grace: Span::secs(30),
        address: Peer::Ip([192, 168, 1, 53].into()),
        reported_ip: None,
        transport: Transport::Http,
        beats: 112_204,
        seq: None,
        gaps: 0,
        repeats: 0,
        status: Status::Ok,
        message: None,
        message_at: None,
        message_beat: 0,
        tags: Vec::new(),
        number: 7,
        version: 1,
        beneath: State::Up,
        pause: None,
        incident: None,
        skew_ms: None,
        runs: Vec::new(),
        run_took: None,
        schedule: None,
        declared: false,
        conflict: None,
    }
}

fn past(uptime: [Option<f64>; 3], changes: &[(i64, State)]) -> Past {
    let [day, week, quarter] = uptime;
    let mut from = None;
    let changes = changes.iter().map(|(minutes, to)| {
        let change = StateChange { at: Wall(NOW.0 - minutes * MINUTE), from, to: *to };
        from = Some(*to);
        change
    });
    Past {
        created: Some(Wall(NOW.0 - 2_000 * HOUR)),
        changes: changes.collect(),
        uptime: Uptime { day, week, quarter },
    }
}

/// Five monitors with everything a row can show.
fn few() -> Vec<(Snapshot, Past)> {
    use State::{Down, Late, Paused, Up};
    let mut db = up("db-01");
    db.tags = vec!["prod".into(), "postgres".into()];
    db.reported_ip = Some("10.0.0.12".into());
    (db.seq, db.gaps, db.repeats, db.skew_ms) = (Some(112_207), 3, 1, Some(-2_400));
    let mut backup = up("backup-nightly");
    (backup.state, backup.since) = (Down, Wall(NOW.0 - 95 * MINUTE));
    (backup.status, backup.next_deadline) = (Status::Exit(23), None);
    backup.message = Some("rsync: connection unexpectedly closed (0 bytes received so far) [sender]".into());
    backup.last_beat = Some(backup.since);
    backup.schedule = Some(("30 2 * * *".into(), "Europe/Berlin".into()));
    backup.grace = Span::secs(1800);
    backup.run_took = Some(Span(754_000));
    backup.incident = Some(("7-1".into(), backup.since, Cause::Fail.into()));
    backup.tags = vec!["backup".into()];
    let mut kiosk = up("kiosk-lobby");
    (kiosk.state, kiosk.since) = (Late, Wall(NOW.0 - 15_000));
    (kiosk.last_beat, kiosk.next_deadline) = (Some(Wall(NOW.0 - 75_000)), Some(Wall(NOW.0 + 15_000)));
    kiosk.address = Peer::Ip([10, 20, 0, 7].into());
    let mut paused = up("数据库-上海");
    (paused.state, paused.beneath, paused.since) = (Paused, Down, Wall(NOW.0 - 40 * MINUTE));
    paused.pause = Some(Pause { by: PausedBy::Person, until: Some(Wall(NOW.0 + 80 * MINUTE)) });
    let mut etl = up("etl-hourly");
    etl.status = Status::Start;
    etl.runs = vec![Wall(NOW.0 - 340_000)];
    etl.interval = Span::secs(3600);
    etl.next_deadline = Some(Wall(NOW.0 + 20 * MINUTE));
    let full = [Some(1.0), Some(0.99993), Some(0.9987)];
    vec![
        (db, past(full, &[(11_400, Up)])),
        (backup, past([Some(0.9340), Some(0.9901), Some(0.9988)], &[(4_000, Up), (95, Down)])),
        (
            kiosk,
            past(
                [Some(0.9712), Some(0.91), None],
                &[(2_000, Up), (900, Late), (870, Down), (829, Up), (500, Late), (490, Up)],
            ),
        ),
        (paused, past([Some(0.9960), Some(0.9994), Some(0.9999)], &[(9_000, Up), (46, Down), (40, Paused)])),
        (etl, past([Some(1.0), None, None], &[(300, Up)])),
    ]
}

/// One of very many.
fn nth(nth: i64) -> (Snapshot, Past) {
    let mut one = up(&format!("web-{nth:04}"));
    one.address = Peer::Ip([10, 1, (nth / 250) as u8, (nth % 250) as u8].into());
    let since = 5 + nth * 7 % 1_300;
    let mut changes = vec![(9_000, State::Up)];
    match nth % 811 {
        0 => one.state = State::Down,
        1 => one.state = State::Late,
        2 => one.state = State::Paused,
        3 => one.state = State::New,
        _ if nth % 3 == 0 => changes.extend([(since + 12, State::Down), (since, State::Up)]),
        _ => {}
    }
    if one.state != State::Up {
        one.since = Wall(NOW.0 - since * MINUTE);
        one.next_deadline = None;
        changes.push((since, one.state));
    }
    if one.state == State::Paused {
        one.pause = Some(Pause { by: PausedBy::Window, until: Some(Wall(NOW.0 + HOUR)) });
    }
    if one.state == State::New {
        (one.last_beat, one.beats) = (None, 0);
        return (one, Past::default());
    }
    (one, past([Some(0.9917), Some(0.9988), Some(0.9999)], &changes))
}

fn open(m: &Snapshot) -> Option<Incident> {
    (m.state == State::Down).then(|| Incident {
        id: format!("{}-1", m.number),
        monitor: m.id.clone(),
        reason: if m.status == Status::Ok { Cause::Silence } else { Cause::Fail }.into(),
        started: m.since,
        ended: None,
        acknowledged: m.id.ends_with('1'),
    })
}

fn ended(nth: i64) -> Incident {
    let started = Wall(NOW.0 - nth * nth * 5 * HOUR);
    Incident {
        id: format!("7-{nth}"),
        monitor: "kiosk-lobby".into(),
        reason: if nth == 2 { Cause::Fail } else { Cause::Silence }.into(),
        started,
        ended: Some(Wall(started.0 + nth * 11 * MINUTE)),
        acknowledged: nth == 3,
    }
}
