use super::say::shown_in;
use super::*;
use crate::domain::alert::message::{MessageKind, Server, SuspicionCause};
use crate::domain::time::Span;
use crate::domain::zone::Zone;

/// A moment by the clocks of this machine.
fn local(at: Wall) -> String {
    shown_in(&Zone::local(), at)
}

const AT: i64 = 1_770_521_420_000;

fn one(id: &str) -> Subject {
    Subject {
        id: id.into(),
        incident: Some("7-3".into()),
        since: Wall(AT),
        cause: Some(Cause::Silence),
        last_beat: Some(Wall(AT - 90_000)),
        address: Some("10.0.3.7".into()),
        tags: vec!["rack-3".into()],
        ..Subject::default()
    }
}

fn about(kind: MessageKind, monitors: Vec<Subject>) -> Message {
    let mut message = Message::new(kind, "k-7-3-ops".into(), "ops", Wall(AT));
    message.count = monitors.len() as u64;
    message.monitors = monitors;
    message
}

#[test]
fn every_kind_reads_well_in_both_languages() {
    let job = Subject {
        cause: Some(Cause::Fail),
        exit: Some(Exit::Signal(9)),
        said: Some("disk full".into()),
        ..one("job")
    };
    let slow = Subject {
        cause: Some(Cause::RunTooLong),
        run_started: Some(Wall(AT - 40_000)),
        said: Some("at file 7".into()),
        ..one("slow")
    };
    let again = |failures| Subject { failures, ..job.clone() };
    let failed = Subject { cause: Some(Cause::Fail), said: Some("disk\nfull".into()), ..one("job") };
    let ended = |removed| Subject { ended: Some(Wall(AT + 3_725_000)), removed, ..one("web-1") };
    let many: Vec<Subject> = (0..12).map(|n| one(&format!("web-{n}"))).collect();
    let mut router = about(MessageKind::Down, vec![one("router")]);
    (router.dependants, router.dependants_count) = (vec!["a".into(), "b".into()], 5);
    let mut rack = about(MessageKind::Down, many.clone());
    rack.shared = Some(CommonCause::Network("10.0.3.0/24".into()));
    let mut flapping = about(MessageKind::Flapping, vec![one("web-1")]);
    flapping.flaps = Some((2, Span::secs(720)));
    let mut own = about(MessageKind::Own, many);
    own.doubt = Some((SuspicionCause::Restart, 20));
    let late = about(MessageKind::Down, vec![one("web-1")]).at(Wall(AT + 7_200_000), Span::secs(60));
    let mut disk = about(MessageKind::Own, Vec::new());
    disk.doubt = Some((SuspicionCause::Disk, 0));
    let mut unstored = about(MessageKind::Down, vec![one("web-1")]);
    unstored.unstored = true;
    assert_eq!(json(Lang::En, &unstored)["stored"], json!(false));
    for (message, en, zh) in [
        (
            about(MessageKind::Down, vec![one("web-1")]),
            "web-1 is down, silent for 1m30s",
            "web-1 已失联，静默 1m30s",
        ),
        (
            about(MessageKind::Reminder, vec![job.clone()]).at(Wall(AT + 3_600_000), Span::secs(7200)),
            "job is still down, for 1h, killed by signal 9 (SIGKILL): disk full",
            "job 仍未恢复，已持续 1h，被信号 9（SIGKILL）终止：disk full",
        ),
        (
            about(MessageKind::Reminder, vec![again(1)]).at(Wall(AT + 60_000), Span::secs(7200)),
            "job failed again, killed by signal 9 (SIGKILL), down for 1m: disk full",
            "job 再次失败，被信号 9（SIGKILL）终止，已下线 1m：disk full",
        ),
        (
            about(MessageKind::Reminder, vec![again(3)]).at(Wall(AT + 60_000), Span::secs(7200)),
            "job failed 3 more times, last: killed by signal 9 (SIGKILL), down for 1m: disk full",
            "job 又失败 3 次，最近一次：被信号 9（SIGKILL）终止，已下线 1m：disk full",
        ),
        (
            about(MessageKind::Reminder, vec![again(1), Subject { failures: 2, ..one("web-1") }]),
            "2 monitors failed again, down for up to 0s: job, killed by signal 9 (SIGKILL); web-1",
            "2 个监控再次失败，最长已下线 0s：job，被信号 9（SIGKILL）终止；web-1",
        ),
        (
            about(
                MessageKind::Down,
                vec![Subject { exit: Some(Exit::Code(3)), ..job.clone() }, job.clone(), one("web-1")],
            ),
            "3 monitors are down: job, exit code 3; job, killed by signal 9 (SIGKILL); web-1",
            "3 个监控已下线：job，退出码 3；job，被信号 9（SIGKILL）终止；web-1",
        ),
        (
            about(MessageKind::Down, vec![slow]),
            "slow is down, its run takes longer than 40s: at file 7",
            "slow 已下线，任务运行超过 40s 仍未结束：at file 7",
        ),
        (
            about(MessageKind::Down, vec![failed]),
            "job is down, it reported a failure: disk\\nfull",
            "job 已下线，自报故障：disk\\nfull",
        ),
        (
            about(MessageKind::Recovered, vec![ended(false)]),
            "web-1 is up again, it was down for 1h2m",
            "web-1 已恢复，此前下线 1h2m",
        ),
        (
            about(MessageKind::Recovered, vec![ended(true)]),
            "web-1 was removed, it had been down for 1h2m",
            "web-1 已移除，此前下线 1h2m",
        ),
        (
            router,
            "router is down, silent for 1m30s; silent behind it: a, b and 3 more",
            "router 已失联，静默 1m30s；依赖它而同时静默：a、b 等（另有 3 个）",
        ),
        (
            rack,
            "in 10.0.3.0/24: 12 monitors are down: web-0, web-1, web-2, web-3, web-4, web-5, web-6, web-7, web-8, \
             web-9 and 2 more",
            "网段 10.0.3.0/24 的 12 个监控已下线：web-0、web-1、web-2、web-3、web-4、web-5、web-6、web-7、web-8、web-9 \
             等（另有 2 个）",
        ),
        (
            about(MessageKind::Reminder, vec![one("web-1")]).at(Wall(AT + 3_600_000), Span::secs(7200)),
            "web-1 is still down, for 1h",
            "web-1 仍未恢复，已持续 1h",
        ),
        (
            flapping,
            "web-1 is flapping: down 2 times within 12m; nothing more is said until it is steady",
            "web-1 状态反复：12m 内下线 2 次；稳定之前不再通知",
        ),
        (
            own,
            "12 of 20 monitors have not been heard since this server was started again or stood still: the fault is \
             probably on this side; who stays silent is told of in some minutes",
            "本服务器重启或停顿后，20 个监控中有 12 个未再收到心跳：故障很可能在本机；仍然静默者将在数分钟后通知",
        ),
        (
            about(MessageKind::Test, Vec::new()),
            "a test of the notifier ops: nothing is wrong",
            "通知渠道 ops 的测试消息：一切正常",
        ),
        (
            disk,
            "the disk of this server is full: what happens now is known in memory only and lost with the process; alerts \
             go on and say that they are not stored; make room on that disk",
            "本服务器磁盘已满：此刻发生的事情只在内存中，进程结束即丢失；告警照常发出，并注明未能存盘；请清理该磁盘空间",
        ),
        (
            unstored,
            "web-1 is down, silent for 1m30s (not stored, since this server cannot write to its disk: after a restart it \
             may be told again)",
            "web-1 已失联，静默 1m30s（未能存盘：本服务器无法写入磁盘，重启后可能重复通知）",
        ),
        (
            late,
            "web-1 is down, silent for 2h1m (this message is 2h late)",
            "web-1 已失联，静默 2h1m（本消息延迟 2h 送达）",
        ),
    ] {
        assert_eq!(sentence(Lang::En, &message), en);
        assert_eq!(sentence(Lang::Zh, &message), zh);
        let title = title(Lang::En, &message);
        assert!(!title.is_empty() && title.len() < 200, "{title}");
    }
}

#[test]
fn what_a_message_says_besides_is_when_from_where_by_whom_and_where_to_look() {
    let mut down = about(MessageKind::Down, vec![one("数据 库")]);
    down.server = Server { name: "mon-1".into(), page_url: Some("https://mon.example.org".into()) };
    let (since, end) = (local(Wall(AT)), local(Wall(AT + 60_000)));
    let link = "https://mon.example.org/monitors/%E6%95%B0%E6%8D%AE%20%E5%BA%93";
    assert_eq!(
        details(Lang::En, &down),
        format!("since {since}; last heard from 10.0.3.7; told by mon-1\n{link}")
    );
    assert_eq!(details(Lang::Zh, &down), format!("开始于 {since}；最后来自 10.0.3.7；由 mon-1 通知\n{link}"));
    let ended = Subject { ended: Some(Wall(AT + 60_000)), address: None, ..one("web-1") };
    let up = about(MessageKind::Recovered, vec![ended.clone()]);
    assert_eq!(details(Lang::En, &up), format!("from {since} to {end}"));
    let gone = Subject { removed: true, ..ended };
    let both = about(MessageKind::Recovered, vec![gone.clone(), gone]);
    assert_eq!(title(Lang::En, &both), "2 monitors were removed");
    assert!(sentence(Lang::En, &both).starts_with("2 monitors were removed, down for up to 1m"));
    assert!(sentence(Lang::Zh, &both).contains("已移除"));
}

#[test]
fn who_missed_a_slot_is_told_of_with_it_with_its_zone_and_with_the_beat_that_did_not_count() {
    // 04:00 by the clocks of Berlin.
    let at = |text: &str| Wall(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
    let slot = at("2026-02-08T03:00:00Z");
    let job = Subject { zone: Some("Europe/Berlin".into()), slot: Some(slot), ..one("job") };
    let beat = |last: &str| Subject { last_beat: Some(at(last)), ..job.clone() };
    let near = |last: &str| Subject { near: true, ..beat(last) };
    let never = Subject { last_beat: None, cause: Some(Cause::NeverHeard), ..job.clone() };
    let day_before = Subject { slot: Some(at("2026-02-07T03:00:00Z")), ..near("2026-02-07T02:58:00Z") };
    let old = about(MessageKind::Reminder, vec![beat("2026-02-07T03:00:09Z")]);
    for (message, en, zh) in [
        (
            about(MessageKind::Down, vec![near("2026-02-08T02:28:10Z")]),
            "job is down, expected at 04:00 Europe/Berlin; the last beat was at 03:28 and did not count for it",
            "job 已下线，应于 04:00（Europe/Berlin）收到心跳；最近一次心跳在 03:28，不计入这一次",
        ),
        (
            about(MessageKind::Down, vec![beat("2026-02-07T03:00:09Z")]),
            "job is down, expected at 04:00 Europe/Berlin; the last beat was at 2026-02-07 04:00",
            "job 已下线，应于 04:00（Europe/Berlin）收到心跳；最近一次心跳在 2026-02-07 04:00",
        ),
        (
            about(MessageKind::Reminder, vec![day_before]).at(Wall(AT + 60_000), Span::secs(7200)),
            "job is still down, for 1m, expected at 2026-02-07 04:00 Europe/Berlin; the last beat was at 03:58 and did \
             not count for it",
            "job 仍未恢复，已持续 1m，应于 2026-02-07 04:00（Europe/Berlin）收到心跳；最近一次心跳在 03:58，不计入这一次",
        ),
        (
            // Days later it is no time of today.
            old.at(Wall(AT + 3 * 86_400_000), Span::secs(7 * 86_400)),
            "job is still down, for 3d, expected at 2026-02-08 04:00 Europe/Berlin; the last beat was at 2026-02-07 04:00",
            "job 仍未恢复，已持续 3d，应于 2026-02-08 04:00（Europe/Berlin）收到心跳；最近一次心跳在 2026-02-07 04:00",
        ),
        (
            about(MessageKind::Down, vec![never]),
            "job is down, no first beat in time, expected at 04:00 Europe/Berlin",
            "job 已下线，未按时收到首次心跳，应于 04:00（Europe/Berlin）收到",
        ),
    ] {
        assert_eq!((sentence(Lang::En, &message), sentence(Lang::Zh, &message)), (en.into(), zh.into()));
        let json = json(Lang::En, &message);
        assert_eq!(json["slot"], json["monitors"][0]["slot"]);
        assert!(json["slot"].as_str().is_some_and(|slot| slot.ends_with("T03:00:00.000Z")), "{json}");
    }
}

#[test]
fn times_go_by_the_zone_that_the_monitors_share() {
    let by = |zone: &str| Subject { zone: Some(zone.into()), address: None, ..one("job") };
    let said = |monitors| details(Lang::En, &about(MessageKind::Down, monitors));
    assert_eq!(said(vec![by("Asia/Shanghai")]), "since 2026-02-08 11:30:20 +08:00");
    assert_eq!(
        said(vec![by("America/New_York"), by("America/New_York")]),
        "since 2026-02-07 22:30:20 -05:00"
    );
    let here = format!("since {}", local(Wall(AT)));
    for others in [vec![by("Asia/Shanghai"), one("web-1")], vec![by("Asia/Shanghai"), by("UTC")]] {
        assert_eq!(said(others), here);
    }
    assert_eq!(said(vec![by("Europe/Atlantis")]), here, "a zone that is not known any more");
    let ended = Subject { ended: Some(Wall(AT + 60_000)), ..by("UTC") };
    assert_eq!(
        details(Lang::Zh, &about(MessageKind::Recovered, vec![ended])),
        "2026-02-08 03:30:20 +00:00 至 2026-02-08 03:31:20 +00:00"
    );
}

#[test]
fn of_a_group_those_that_were_removed_are_not_up_again() {
    let ended = |id: &str, s: i64, removed| Subject { ended: Some(Wall(AT + s * 1000)), removed, ..one(id) };
    let mut message = about(
        MessageKind::Recovered,
        vec![ended("a", 60, false), ended("b", 90, false), ended("c", 600, true), ended("d", 5, false)],
    );
    assert_eq!(title(Lang::En, &message), "3 monitors are up again, 1 was removed");
    assert_eq!(title(Lang::Zh, &message), "3 个监控已恢复，1 个已移除");
    assert_eq!(
        sentence(Lang::En, &message),
        "3 monitors are up again, down for up to 1m30s: a, b, d; 1 was removed: c"
    );
    assert_eq!(sentence(Lang::Zh, &message), "3 个监控已恢复，此前最长下线 1m30s：a、b、d；1 个已移除：c");
    // Of more than are listed both are counted.
    (message.count, message.removed_count) = (2_000, 1_999);
    message.shared = Some(CommonCause::Network("10.0.3.0/24".into()));
    assert!(sentence(Lang::En, &message).starts_with("in 10.0.3.0/24: 1 monitor is up again, down"));
    assert!(sentence(Lang::En, &message).ends_with("; 1999 were removed: c and 1998 more"));
    assert!(sentence(Lang::Zh, &message).starts_with("网段 10.0.3.0/24 的 1 个监控已恢复"));
    // Nor is a list begun of which no name is known.
    message.monitors.retain(|one| !one.removed);
    (message.shared, message.removed_count) = (None, 200);
    assert!(sentence(Lang::En, &message).ends_with("a, b, d and 1797 more; 200 were removed"));
    assert!(sentence(Lang::Zh, &message).ends_with("a、b、d 等（另有 1797 个）；200 个已移除"));
}

#[test]
fn line_breaks_are_line_breaks_and_the_log_has_one_line() {
    let failed =
        Subject { cause: Some(Cause::Fail), said: Some("disk\r\n\tfull\u{1b}[2J".into()), ..one("job") };
    let message = about(MessageKind::Down, vec![failed]);
    assert_eq!(text(Lang::En, &message), "job is down, it reported a failure: disk\n\tfull\\u{1b}[2J");
    let line = sentence(Lang::En, &message);
    assert_eq!(line, "job is down, it reported a failure: disk\\n full\\u{1b}[2J");
}

#[test]
fn the_end_of_a_flapping_that_leaves_it_down_is_said_in_both_languages() {
    let mut down = about(MessageKind::Down, vec![one("web-1")]);
    down.flaps = Some((3, Span::secs(720)));
    let down = down.at(Wall(AT + 1_800_000), Span::secs(7200));
    assert_eq!(sentence(Lang::En, &down), "web-1 does not flap any more, it is down, for 30m");
    assert_eq!(sentence(Lang::Zh, &down), "web-1 不再反复，已下线 30m");
}

#[test]
fn the_json_has_what_the_interface_promises() {
    let shown =
        json(Lang::En, &about(MessageKind::Down, vec![one("web-1")]).at(Wall(AT + 1_500), Span::secs(60)));
    assert_eq!(
        shown.to_string(),
        r#"{"kind":"down","key":"k-7-3-ops","notifier":"ops","monitor":"web-1","count":1,"monitors":[{"id":"web-1","incident":"7-3","since":"2026-02-08T03:30:20.000Z","ended":null,"duration_s":1.5,"cause":"silence","exit_code":null,"signal":null,"last_beat":"2026-02-08T03:28:50.000Z","address":"10.0.3.7","tags":["rack-3"],"slot":null,"message":null,"failures":0,"removed":false}],"incident":"7-3","since":"2026-02-08T03:30:20.000Z","duration_s":1.5,"delayed_s":0,"stored":true,"cause":"silence","exit_code":null,"signal":null,"slot":null,"message":null,"failures":0,"address":"10.0.3.7","tags":["rack-3"],"shared":null,"dependants":[],"dependants_count":0,"title":"web-1 is down","text":"web-1 is down, silent for 1m31s","details":"DETAILS","server":"","link":null,"at":"2026-02-08T03:30:20.000Z"}"#
            .replace("DETAILS", &format!("since {}; last heard from 10.0.3.7", local(Wall(AT))))
    );
    let test = json(Lang::Zh, &about(MessageKind::Test, Vec::new()));
    assert_eq!((&test["monitor"], &test["since"]), (&Value::Null, &Value::Null));
}
