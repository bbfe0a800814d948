//! Tests of rules: what is read, and every kind of error with its place.

use super::*;
use crate::config::Settings;
use crate::config::cli::Args;
use crate::config::testing::{Dir, env};
use crate::domain::address::Peer;
use crate::domain::lang::Lang;
use crate::domain::limits::RULE_WINDOWS_MAX;
use crate::domain::time::Wall;
use crate::domain::tolerance::Early;

fn settings(text: &str) -> Settings {
    let dir = Dir::new();
    dir.write("main.toml", text);
    let settings = dir.load(Args::default(), &env(&[])).map_err(|error| error.to_string());
    settings.map(|s| Settings { warnings: s.warnings.iter().map(|w| dir.strip(w)).collect(), ..s }).unwrap()
}

/// The errors of one rule, whose first line is line 2.
fn faults(rule: &str, lang: Lang) -> String {
    let dir = Dir::new();
    dir.write("main.toml", format!("[[monitor]]\n{rule}"));
    let error = dir.load(Args::default(), &env(&[])).unwrap_err();
    assert_eq!(error.exit_code(), 78);
    dir.strip(&error.sentence(lang))
}

fn at(text: &str) -> Wall {
    Wall(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// The window of a rule for Berlin.
fn window(text: &str) -> Rule {
    let text =
        format!("[[monitor]]\nmatch = \"x\"\ntimezone = \"Europe/Berlin\"\nmaintenance = [{{ {text} }}]");
    settings(&text).rules.get(0).unwrap().clone()
}

#[test]
fn a_zone_alone_is_that_of_the_times_in_alerts() {
    let settings = settings("[[monitor]]\nmatch = \"*\"\ntimezone = \"asia/shanghai\"");
    let zone = settings.rules.get(0).unwrap().zone.clone().unwrap();
    assert_eq!(zone.name(), "Asia/Shanghai");
    assert!(
        settings.describe(Lang::En).contains("times by Asia/Shanghai"),
        "{}",
        settings.describe(Lang::En)
    );
    assert!(settings.describe(Lang::Zh).contains("时间按 Asia/Shanghai"));
}

#[test]
fn a_rule_says_all_that_can_be_said() {
    let settings = settings(
        "[[monitor]]\nmatch = \"web-*\"\ninterval = \"10s\"\ngrace = 5\nrun_limit = \"1h\"\nforget_after = \"1d\"\n\
         notify = []\nafter = [\"router\"]\ntags = [\"web\", \"数据\"]\n\
         [[monitor]]\nmatch = \"::ffff:10.0.0.0/104\"\nforget_after = \"never\"\n\
         [[monitor]]\nmatch = \"backup\"\nschedule = \"0 3 * * *\"\ntimezone = \"europe/berlin\"\n\
         [[monitor]]\nmatch = \"job\"\nschedule = \"@hourly\"\ntimezone = \"UTC\"\nearly = 90\nfirst_beat = \"2h\"\n\
         [[monitor]]\nmatch = \"slow\"\ninterval = \"1h\"\nfirst_beat = \"never\"\n",
    );
    let rules = &settings.rules;
    let web = rules.get(0).unwrap();
    assert_eq!(
        (web.interval, web.grace, web.run_limit),
        (Some(Span::secs(10)), Some(Span::secs(5)), Some(Span::secs(3600)))
    );
    assert_eq!(web.forget_after, Some(Some(Span::secs(86_400))));
    assert_eq!(
        (web.after.as_slice(), web.tags.as_slice()),
        (&["router".into()][..], &["web".into(), "数据".into()][..])
    );
    assert_eq!(rules.find("web-1", Peer::Unix), Some(0));
    assert_eq!(rules.find("db", Peer::from_ip("10.1.2.3".parse().unwrap())), Some(1));
    assert_eq!(rules.get(1).unwrap().forget_after, Some(None));
    let backup = rules.get(2).unwrap();
    let schedule = backup.schedule.as_ref().unwrap();
    assert_eq!((schedule.text(), schedule.zone().name()), ("0 3 * * *", "Europe/Berlin"));
    assert_eq!((backup.interval, backup.grace), (None, None));
    assert_eq!(rules.declared().collect::<Vec<_>>(), [("backup", 2), ("job", 3), ("slow", 4)]);
    assert_eq!(backup.early, Some(Early::Percent(5)), "that of the defaults");
    assert_eq!(settings.warnings, [""; 0], "the router may be one of 10.0.0.0/8");
    let shown = settings.describe(Lang::En);
    for line in [
        "monitor      web-*: interval 10s; grace 5s; run limit 1h; forgotten after: 1d; tags web, 数据; tells nobody; after router\n",
        "monitor      10.0.0.0/8: forgotten after: never\n",
        "monitor      backup: due at 0 3 * * * (Europe/Berlin); grace 1h; run limit: the next time and grace\nnext         2",
        "monitor      job: due at @hourly (UTC); grace 15m; early by 1m30s; first heard within: 2h; run limit: the next time and grace\nnext         2",
        "monitor      slow: interval 1h; grace 15m; first heard within: no limit\n",
    ] {
        assert!(shown.contains(line), "{line}{shown}");
    }
    assert!(
        settings
            .describe(Lang::Zh)
            .contains("backup：计划 0 3 * * * (Europe/Berlin)；宽限 1h；运行时限 到下一时刻加宽限\n接下来 ")
    );
}

#[test]
fn a_share_or_a_time_is_early_and_nothing_else() {
    let early = |value: &str| {
        let text =
            format!("[[monitor]]\nmatch = \"x\"\nschedule = \"@daily\"\ntimezone = \"UTC\"\nearly = {value}");
        settings(&text).rules.get(0).unwrap().early
    };
    assert_eq!(early("\"10%\""), Some(Early::Percent(10)));
    assert_eq!(early("0"), Some(Early::For(Span(0))));
    assert_eq!(early("\"1m30s\""), Some(Early::For(Span::secs(90))));
    for wrong in ["\"51%\"", "\"-1%\"", "\"%\"", "\"5.5%\"", "\"soon\"", "true"] {
        let told = faults(
            &format!("match = \"x\"\nschedule = \"@daily\"\ntimezone = \"UTC\"\nearly = {wrong}"),
            Lang::En,
        );
        assert!(told.starts_with("main.toml:5: monitor.early: "), "{wrong}: {told}");
    }
    let told = faults("match = \"x\"\ninterval = 5\nearly = \"5%\"", Lang::Zh);
    assert_eq!(told, "main.toml:4: monitor.early: 没有 schedule 时不起作用");
    let whole = settings(
        "[defaults]\nearly = 0\n[[monitor]]\nmatch = \"x\"\nschedule = \"@daily\"\ntimezone = \"UTC\"",
    );
    assert_eq!(whole.rules.get(0).unwrap().early, Some(Early::For(Span(0))));
}

#[test]
fn rules_of_all_files_stand_in_one_row() {
    let dir = Dir::new();
    dir.write("main.toml", "[[monitor]]\nmatch = \"a\"\n");
    dir.write("conf.d/2.toml", "[[monitor]]\nmatch = \"c\"\n");
    dir.write("conf.d/1.toml", "[[monitor]]\nmatch = \"b\"\n");
    let rules = dir.load(Args::default(), &env(&[])).unwrap().rules;
    assert_eq!(rules.iter().filter_map(Rule::literal).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn a_window_may_be_written_in_three_ways() {
    // By the zone of the rule unless it says otherwise.
    let local = window("from = 2026-12-24T18:00:00, to = 2026-12-27");
    assert_eq!(local.pause(at("2026-12-24T17:00:00Z")), Some(at("2026-12-26T23:00:00Z")));
    assert_eq!(local.pause(at("2026-12-24T16:59:59Z")), None);
    let fixed = window("from = 2026-12-24T18:00:00Z, to = 2026-12-24T20:00:00+01:00");
    assert_eq!(fixed.pause(at("2026-12-24T18:00:00Z")), Some(at("2026-12-24T19:00:00Z")));
    for at_two in ["\"02:00\"", "\"2:00\"", "02:00:00"] {
        let weekly = window(&format!("weekly = [\"sat\", \"sun\"], at = {at_two}, for = \"2h\""));
        assert_eq!(weekly.pause(at("2026-01-03T01:30:00Z")), Some(at("2026-01-03T03:00:00Z")), "{at_two}");
        assert_eq!(weekly.pause(at("2026-01-05T01:30:00Z")), None);
    }
    let cron = window("cron = \"0 3 1 * *\", for = 3600, timezone = \"UTC\"");
    assert_eq!(cron.pause(at("2026-02-01T03:59:59Z")), Some(at("2026-02-01T04:00:00Z")));
    let text =
        "[[monitor]]\nmatch = \"x\"\nmaintenance = [{ cron = \"@daily\", for = \"1h\", timezone = \"UTC\" }]";
    assert!(settings(text).describe(Lang::En).contains("x: maintenance at @daily (UTC) for 1h\n"));
}

#[test]
fn every_fault_is_told_with_line_and_key() {
    const SHAPE: &str = "a window has from and to, or weekly, at and for, or cron and for";
    let with = |rest: &str| format!("match = \"x\"\n{rest}");
    for (rule, says) in [
        ("interval = 1".into(), "1: monitor: match is missing: name an id, a pattern such as \"web-*\" or a network".to_string()),
        ("match = 1".into(), "2: monitor.match: a string is expected, not an integer".into()),
        (
            "match = \"a b\"".into(),
            "2: monitor.match: must be letters, digits and marks of any script and . _ - : @ + = ~ , /".into(),
        ),
        (
            "match = \"10.0.0.0/33\"".into(),
            "2: monitor.match: \"10.0.0.0/33\" is not a network: write 10.0.0.0/8, fd00::/8 or an address".into(),
        ),
        (with("intervall = 1"), "3: monitor.intervall: unknown key; did you mean interval?".into()),
        (with("interval = 0"), "3: monitor.interval: 0s is out of range: 1s to 366d".into()),
        (with("run_limit = 0"), "3: monitor.run_limit: 0s is out of range: 1s to 366d".into()),
        (with("forget_after = \"5s\""), "3: monitor.forget_after: 5s is out of range: 1m to 3660d".into()),
        (
            with("interval = 5\nschedule = \"@daily\""),
            "4: monitor.schedule: a schedule and an interval exclude each other; leave one out".into(),
        ),
        (with("schedule = \"0 0 30 2 *\""), "3: monitor.schedule: no such day ever comes".into()),
        (
            with("schedule = \"0 24 * * *\""),
            "3: monitor.schedule: \"24\" does not fit the hour: 0 to 23, ranges 1-5, steps */15 or 0-30/10, lists 1,3".into(),
        ),
        (
            with("schedule = \"@daily\"\ntimezone = \"Europe/Atlantis\""),
            "4: monitor.timezone: \"Europe/Atlantis\": not a time zone of this machine: write local, UTC or a name such as Europe/Berlin; names need tzdata, old ones such as US/Eastern tzdata-legacy".into(),
        ),
(with("notify = [\"ops\"]"), "3: monitor.notify: there is no notifier \"ops\": there is none at all, write a [[notifier]]".into()),
        (with("after = [\"x\"]"), "3: monitor.after: a monitor cannot depend on itself".into()),
        (with("after = [\"\"]"), "3: monitor.after: must not be empty".into()),
        (with("tags = [\"\"]"), "3: monitor.tags: a tag is 1 to 64 bytes without control characters".into()),
        (with("maintenance = [{}]"), format!("3: monitor.maintenance: {SHAPE}")),
        (with("maintenance = [\n{ cron = \"@daily\" }]"), format!("4: monitor.maintenance: {SHAPE}")),
        (
            with("maintenance = [{ weekly = [\"sat\"], at = \"1:00\", for = 60, to = 2026-01-01 }]"),
            format!("3: monitor.maintenance: {SHAPE}"),
        ),
        (
            with("maintenance = [{ from = 2026-01-02, to = 2026-01-01 }]"),
            "3: monitor.maintenance.to: must be later than from".into(),
        ),
        (
            with("maintenance = [{ from = \"2026-01-02\", to = 2026-01-03 }]"),
            "3: monitor.maintenance.from: a date such as 2026-12-24T18:00:00Z or 2026-12-24T18:00:00 is expected, not a string".into(),
        ),
        (
            with("maintenance = [{ from = 2026-01-01, to = 9999-12-31T23:59:59Z }]"),
            "3: monitor.maintenance.to: too far in the future".into(),
        ),
        (
            with("maintenance = [{ from = 9999-12-31T23:59:59, to = 2026-01-01 }]"),
            "3: monitor.maintenance.from: too far in the future".into(),
        ),
        (
            with("maintenance = [{ weekly = [\"saturday\"], at = \"1:00\", for = 60 }]"),
            "3: monitor.maintenance.weekly: \"saturday\" is not a day: write mon, tue, wed, thu, fri, sat or sun".into(),
        ),
        (
            with("maintenance = [{ weekly = [], at = \"1:00\", for = 60 }]"),
            "3: monitor.maintenance.weekly: a day is missing".into(),
        ),
        (
            with("maintenance = [{ weekly = [\"sat\"], at = \"25:00\", for = 60 }]"),
            "3: monitor.maintenance.at: \"25:00\" is not a time of the day: write hour and minute such as \"02:30\"".into(),
        ),
        (
            with("maintenance = [{ cron = \"* * * *\", for = 60 }]"),
            "3: monitor.maintenance.cron: five fields are expected, not 4: minute, hour, day of the month, month, day of the week".into(),
        ),
        (
            with("maintenance = [{ cron = \"@daily\", for = \"32d\" }]"),
            "3: monitor.maintenance.for: 32d is out of range: 1s to 31d".into(),
        ),
        (with("[[monitor]]\nmatch = \"x\""), "3: monitor: x is named twice".into()),
    ] {
        assert_eq!(faults(&rule, Lang::En), format!("main.toml:{says}"), "{rule}");
        let place = says.split(": ").take(2).collect::<Vec<_>>().join(": ");
        let zh = faults(&rule, Lang::Zh);
        assert!(zh.starts_with(&format!("main.toml:{place}: ")) && !zh.is_ascii(), "{zh}");
    }
}

#[test]
fn there_is_a_bound_to_rules_and_windows() {
    let many = |count: usize, rest: &str| -> String {
        (0..count).map(|n| format!("[[monitor]]\nmatch = \"m{n}\"\n{rest}\n")).collect()
    };
    let dir = Dir::new();
    dir.write("main.toml", many(RULES_MAX, ""));
    assert_eq!(dir.load(Args::default(), &env(&[])).unwrap().rules.len(), RULES_MAX);
    dir.write(
        "conf.d/a.toml",
        "\n[[monitor]]\nmatch = \"one more\"\n".replace(' ', "-").replace("-=-", " = "),
    );
    let error = dir.load(Args::default(), &env(&[])).unwrap_err().to_string();
    assert_eq!(dir.strip(&error), "conf.d/a.toml:2: monitor: too many: at most 1000");
    let window = "{ from = 2026-01-01, to = 2026-01-02 },";
    let full = format!("maintenance = [{}]", window.repeat(RULE_WINDOWS_MAX));
    dir.write("conf.d/a.toml", "");
    dir.write("main.toml", many(WINDOWS_MAX / RULE_WINDOWS_MAX + 1, &full));
    let error = dir.load(Args::default(), &env(&[])).unwrap_err().to_string();
    assert_eq!(
        dir.strip(&error),
        "main.toml:187: monitor: too many maintenance windows in all: at most 1000"
    );
}

#[test]
fn what_is_hardly_meant_gets_a_warning() {
    let told = settings(
        "defaults.forget_after = \"90s\"\n[[monitor]]\nmatch = \"web-*\"\ninterval = \"1h\"\nforget_after = \"1h\"\n\
         [[monitor]]\nmatch = \"web-1\"\n[[monitor]]\nmatch = \"job\"\nschedule = \"@daily\"\nforget_after = \"1h\"\n\
         timezone = \"UTC\"\n",
    );
    assert_eq!(
        told.warnings,
        [
            "main.toml:1: defaults.forget_after: monitors are forgotten after 1m30s, but down only after 1m30s",
            "main.toml:2: monitor.forget_after: monitors are forgotten after 1h, but down only after 1h15m",
            "main.toml:6: monitor: web-1 goes by the rule for web-*, which stands before this one",
        ]
    );
}

#[test]
fn what_does_nothing_or_other_than_it_seems_is_said() {
    let warnings = |text: &str| settings(text).warnings;
    let job = "[[monitor]]\nmatch = \"job\"\n";
    for (more, says) in [
        (
            "maintenance = [{ from = 2020-01-01T00:00:00Z, to = 2020-01-02T00:00:00Z }]",
            "monitor.maintenance: a window that ended at 2020-01-02T00:00:00.000Z is of no use any more",
        ),
        ("after = [\"ruoter\"]", "monitor.after: no [[monitor]] names ruoter"),
        ("schedule = \"@hourly\"\nearly = \"45m\"", "monitor.early: only 30m of 45m count"),
        (
            "schedule = \"*/90 * * * *\"",
            "monitor.schedule: the step of */90 is longer than the minute goes on",
        ),
    ] {
        let said = warnings(&format!("{job}{more}\n"));
        assert!(said.len() == 1 && said[0].contains(says), "{more}: {said:?}");
    }
    let fine = "after = [\"router\"]\nschedule = \"*/15 0-23/6 * * *\"\nearly = \"7m\"\n\
                maintenance = [{ from = 2020-01-01T00:00:00Z, to = 9000-01-02T00:00:00Z }]\n\
                [[monitor]]\nmatch = \"r*\"\n";
    assert_eq!(warnings(&format!("{job}{fine}")), [""; 0]);
    let network = "after = [\"router\"]\n[[monitor]]\nmatch = \"10.0.0.0/8\"\n";
    assert_eq!(warnings(&format!("{job}{network}")), [""; 0], "it may beat from there");
    let zone = faults("match = \"x\"\nschedule = \"@daily\"\ntimezone = \"Europe/Berln\"", Lang::En);
    assert!(zone.contains("\"Europe/Berln\": did you mean Europe/Berlin?"), "{zone}");
    let zone = faults("match = \"x\"\nschedule = \"@daily\"\ntimezone = \"Mars/Olympus\"", Lang::En);
    assert!(zone.contains("write local, UTC or a name"), "{zone}");
}
