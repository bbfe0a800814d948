//! Schedules, compared with what others make of the same expressions: PyPI's cronsim, which says when Debian's cron
//! starts a job, and the crate croner. Thousands of random expressions, in zones whose clocks change in all the ways
//! there are, from moments of which most lie around a change.
//!
//! Where they differ and are known to, the difference has a name below and its reason. Anything else fails.

use crate::harness::project;
use crate::skip::skip;
use croner::Cron;
use heartbeat_server::domain::schedule::Schedule;
use heartbeat_server::domain::time::Wall;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

const CASES: usize = 6_000;
/// Slots in a row that are compared from one moment on.
const SLOTS: usize = 4;
const ZONES: [&str; 10] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    // By half an hour.
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    // At midnight, until 2019.
    "America/Sao_Paulo",
    // A whole day was left out.
    "Pacific/Apia",
    // Back for one month a year.
    "Africa/Casablanca",
    "Asia/Shanghai",
    "America/St_Johns",
];
/// Release of cronsim; a later one may differ in ways nobody has looked at.
const CRONSIM: &str = "cronsim==2.7";

struct Case {
    expression: String,
    zone: &'static str,
    from: Timestamp,
    schedule: Schedule,
}

impl Case {
    /// The slots by our reckoning, in milliseconds.
    fn slots(&self) -> Vec<i64> {
        let first = self.schedule.next_after(Wall(self.from.as_millisecond()));
        std::iter::successors(first, |slot| self.schedule.next_after(*slot))
            .take(SLOTS)
            .map(|at| at.0)
            .collect()
    }

    fn fields(&self) -> Vec<&str> {
        self.expression.split(' ').collect()
    }

    /// Whether it names times of the day rather than a rhythm.
    fn is_fixed(&self) -> bool {
        !self.fields()[..2].iter().any(|field| field.starts_with('*'))
    }

    /// Whether clocks change within a few hours of an instant.
    fn is_near_change(&self, at_ms: i64) -> bool {
        let Ok(at) = Timestamp::from_millisecond(at_ms) else { return false };
        let from = at - SignedDuration::from_hours(4);
        let next = TimeZone::get(self.zone).unwrap().following(from).next().map(|change| change.timestamp());
        next.is_some_and(|change| change < at + SignedDuration::from_hours(4))
    }

    fn shown(&self, slots: &[i64]) -> String {
        let zone = TimeZone::get(self.zone).unwrap();
        let shown = |ms: &i64| Timestamp::from_millisecond(*ms).unwrap().to_zoned(zone.clone()).to_string();
        slots.iter().map(shown).collect::<Vec<_>>().join(" ")
    }
}

/// The same numbers in every run: xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn field(&mut self, low: u64, high: u64) -> String {
        let one = |random: &mut Random| low + random.below(high - low + 1);
        match self.below(8) {
            0..=2 => "*".to_string(),
            3 => format!("*/{}", 1 + self.below((high - low).min(30))),
            kind @ (4 | 5) => {
                // Of a range of one number with a step cron itself makes more than that number.
                let first = low + self.below(high - low);
                let last = first + 1 + self.below(high - first);
                let step = if kind == 5 { format!("/{}", 1 + self.below(7)) } else { String::new() };
                format!("{first}-{last}{step}")
            }
            6 => {
                let mut list: Vec<u64> = (0..=self.below(4)).map(|_| one(self)).collect();
                list.sort_unstable();
                list.dedup();
                list.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
            }
            _ => one(self).to_string(),
        }
    }

    fn case(&mut self) -> Option<Case> {
        // Clocks mostly change in the first hours of the day.
        let last_hour = if self.below(2) == 0 { 3 } else { 23 };
        let fields =
            [(0, 59), (0, last_hour), (1, 31), (1, 12), (0, 6)].map(|(low, high)| self.field(low, high));
        let expression = fields.join(" ");
        let zone = ZONES[self.below(ZONES.len() as u64) as usize];
        let from = Timestamp::from_second(1_300_000_000 + self.below(450_000_000) as i64).unwrap();
        // Drawn in any case, so that all that follows is the same with another time zone database.
        let (around, off_s) = (self.below(3) > 0, self.below(200_000) as i64 - 100_000);
        let clocks = TimeZone::get(zone).unwrap();
        let change = clocks.following(from).next().filter(|_| around);
        let from = change.map_or(from, |change| change.timestamp() + SignedDuration::from_secs(off_s));
        let from = Timestamp::from_second(from.as_second()).unwrap();
        let schedule = Schedule::parse(&expression, zone).ok()?;
        Some(Case { expression, zone, from, schedule })
    }
}

fn cases() -> Vec<Case> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    (0..CASES).filter_map(|_| random.case()).collect()
}

/// Fails unless each difference is a known one, and unless the frequent ones among the `known` occur, so that they stay true.
fn judge(compared: usize, differences: &[(&Case, Vec<i64>, Option<&'static str>)], known: &[&str]) {
    assert!(compared > CASES * 9 / 10, "only {compared} were compared");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unknown = Vec::new();
    for (case, theirs, reason) in differences {
        match reason {
            Some(reason) => *counts.entry(reason).or_default() += 1,
            None => unknown.push(format!(
                "{:?} in {} from {}:\n  ours   {}\n  theirs {}",
                case.expression,
                case.zone,
                case.from,
                case.shown(&case.slots()),
                case.shown(theirs)
            )),
        }
    }
    assert!(unknown.is_empty(), "{} differ:\n{}", unknown.len(), unknown.join("\n"));
    for reason in known {
        assert!(counts.contains_key(reason), "nothing differs any more because: {reason}");
    }
}

/// To croner a day field such as `*/2` restricts, and of two fields that do either will do; to cron a field that begins with
/// a star does not restrict, so both must fit.
const STAR_STEP: &str = "croner takes a step from a star for a restriction of the day";
/// In the hours around a change croner treats lists and ranges of hours and minutes one way and single numbers another: it
/// leaves out what clocks skip, and repeats what they show twice. Cron starts each once.
const LISTED_TIMES: &str = "croner skips or repeats listed times of the day when clocks change";

#[test]
fn schedules_are_those_of_croner_but_for_what_is_known() {
    let cases = cases();
    let mut differences = Vec::new();
    for case in &cases {
        let cron = Cron::from_str(&case.expression).unwrap_or_else(|e| panic!("{}: {e}", case.expression));
        let mut at = case.from.to_zoned(TimeZone::get(case.zone).unwrap());
        let mut theirs = Vec::new();
        while theirs.len() < SLOTS {
            let Ok(next) = cron.find_next_occurrence(&at, false) else { break };
            theirs.push(next.timestamp().as_millisecond());
            at = next;
        }
        let ours = case.slots();
        if ours == theirs {
            continue;
        }
        let fields = case.fields();
        let starred = fields[2].starts_with('*') || fields[4].starts_with('*');
        let either = fields[2] != "*" && fields[4] != "*" && starred;
        let listed = fields[..2].iter().any(|field| field.contains([',', '-']));
        let first = ours.iter().zip(&theirs).find(|(a, b)| a != b);
        let near = first.is_some_and(|(a, b)| case.is_near_change(*a.min(b)));
        let reason = if either {
            Some(STAR_STEP)
        } else if case.is_fixed() && listed && near {
            Some(LISTED_TIMES)
        } else {
            None
        };
        differences.push((case, theirs, reason));
    }
    judge(cases.len(), &differences, &[STAR_STEP, LISTED_TIMES]);
}

/// A virtual environment with cronsim in it, made once; `None` where it cannot be had.
fn python_with_cronsim() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cronsim");
    let python = folder.join("bin/python");
    let runs = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let has_it = |python: &Path| runs(Command::new(python).args(["-c", "import cronsim"]));
    if has_it(&python) {
        return Some(python);
    }
    let made = runs(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        && runs(Command::new(&python).args(["-m", "pip", "install", "--quiet", CRONSIM]));
    (made && has_it(&python)).then_some(python)
}

/// On an island where clocks change by half an hour cronsim goes on with a rhythm by whole hours, and so leaves out minutes;
/// Debian's cron, which looks at the clock each minute, does not.
const HALF_HOURS: &str = "cronsim reckons changes of half an hour in whole hours";
/// Asked in an hour that clocks show a second time it begins in that hour's first showing, which has passed.
const PASSED: &str = "cronsim answers with what has passed when clocks were put back just before";
/// It looks only at the day of the month, though the day of the week alone would do.
const REFUSED: &str = "cronsim refuses a day that no month has, though a weekday is named";

#[test]
fn schedules_are_those_of_cronsim_but_for_what_is_known() {
    let Some(python) = python_with_cronsim() else {
        skip("no python3 with venv, or cronsim cannot be had from PyPI");
        return;
    };
    let cases = cases();
    let mut child = Command::new(python)
        .arg(project("tests/integration/schedules.py"))
        .arg(SLOTS.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let asked: String =
        cases.iter().map(|c| format!("{}\t{}\t{}\n", c.expression, c.zone, c.from.as_second())).collect();
    let mut stdin = child.stdin.take().unwrap();
    // It answers while it is asked, and neither may wait for the other.
    let asking = std::thread::spawn(move || stdin.write_all(asked.as_bytes()));
    let output = child.wait_with_output().unwrap();
    asking.join().unwrap().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    assert_eq!(answers.lines().count(), cases.len());
    let mut differences = Vec::new();
    for (case, answer) in cases.iter().zip(answers.lines()) {
        let refused = answer == "refused";
        let theirs: Vec<i64> = if refused {
            Vec::new()
        } else {
            answer.split_whitespace().map(|second| second.parse::<i64>().unwrap() * 1000).collect()
        };
        if theirs == case.slots() {
            continue;
        }
        let never = case.fields()[2].starts_with("31") || case.fields()[2].starts_with("30");
        let half = case.zone == "Australia/Lord_Howe" && !case.is_fixed();
        let reason = match (refused, half) {
            (true, _) => never.then_some(REFUSED),
            (false, true) => Some(HALF_HOURS),
            (false, false) => {
                theirs.first().is_some_and(|at| *at <= case.from.as_millisecond()).then_some(PASSED)
            }
        };
        differences.push((case, theirs, reason));
    }
    judge(cases.len(), &differences, &[HALF_HOURS]);
}
