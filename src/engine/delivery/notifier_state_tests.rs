use super::*;
use crate::domain::alert::MessageKind;
use crate::domain::alert::message::Subject;
use crate::domain::lang::Lang;
use crate::i18n::Text;

fn about(key: &str, ids: &[&str]) -> Outgoing {
    let mut message = Message::new(MessageKind::Down, key.into(), "ops", Wall(0));
    message.monitors = ids.iter().map(|id| Subject { id: id.to_string(), ..Subject::default() }).collect();
    Outgoing {
        key: key.into(),
        notifier: "ops".into(),
        recipient: None,
        made: Wall(0),
        due: Wall(0),
        tries: 0,
        message: serde_json::to_string(&message).unwrap(),
    }
}

fn tried(tries: u32) -> Outgoing {
    Outgoing { tries, ..about("down-1-1-ops", &["a"]) }
}

fn at(s: u64) -> Now {
    Now { mono: Mono(s * 1000), wall: Wall(s as i64 * 1000) }
}

fn failed(after: Option<u64>) -> Outcome {
    Outcome::Retry { after: after.map(Span::secs), reason: Text::foreign("no") }
}

fn chosen(state: &mut NotifierState, waiting: &[Outgoing], s: u64) -> Option<String> {
    state.choose(waiting, 0, |_| true, true, at(s).mono).map(|one| one.key.clone())
}

#[test]
fn pauses_double_up_to_a_bound_and_are_never_quite_alike() {
    for tries in 0..40 {
        let (span, want) = (pause(&tried(tries), tries).0, (1000u64 << tries.min(20)).min(BACKOFF_MAX.0));
        assert!((want * 3 / 4..=want * 5 / 4).contains(&span), "{tries}: {span}");
    }
    let other = Outgoing { key: "x".into(), ..tried(8) };
    assert_ne!(pause(&tried(8), 8), pause(&other, 8));
}

#[test]
fn what_is_handed_on_never_comes_back() {
    let ops = Notifier { fallback: Some("mail".into()), ..Notifier::new("ops") };
    let mail = Notifier { fallback: Some("ops".into()), ..Notifier::new("mail") };
    let handed = handed_on(&tried(9), &ops, Wall(5)).unwrap();
    assert_eq!((handed.key.as_str(), handed.tries, handed.made), ("down-1-1-ops~mail", 0, Wall(5)));
    assert_eq!(handed_on(&handed, &mail, Wall(6)), None);
    let own = Notifier { fallback: Some("mail".into()), ..Notifier::new("mail") };
    assert_eq!(handed_on(&handed, &own, Wall(6)), None);
}

#[test]
fn what_some_have_not_heard_is_for_each_of_them_alone() {
    let left = |to: &str, is_refused| Left { to: to.into(), is_refused, reason: Text::foreign("no") };
    let asked = [left("a@x.org", true), left("b c~>@x.org", false)];
    let parts = parts(&tried(2), &asked, &["d@x.org".to_string()], Wall(7));
    let seen: Vec<_> =
        parts.iter().map(|part| (&*part.key, part.recipient.as_deref().unwrap(), part.tries)).collect();
    let want = [
        ("down-1-1-ops>a@x.org", "a@x.org", 3),
        ("down-1-1-ops>b%20c%7E%3E@x.org", "b c~>@x.org", 3),
        ("down-1-1-ops>d@x.org", "d@x.org", 0),
    ];
    assert_eq!(seen, want);
    assert!(parts.iter().all(|part| part.made == Wall(0)), "it is as old as it was");
    // Two for whom it fails in the end: the fallback hears it once.
    let ops = Notifier { fallback: Some("mail".into()), ..Notifier::new("ops") };
    let handed: Vec<_> = parts.iter().filter_map(|part| handed_on(part, &ops, Wall(9))).collect();
    assert!(handed.iter().all(|one| one.key == "down-1-1-ops~mail" && one.recipient.is_none()));
    let mut state = NotifierState::default();
    let partly = Outcome::Partly { told: Vec::new(), left: asked.to_vec() };
    let settled = state.judge(None, &tried(0), &partly, false, at(0));
    let Settled::Split { reason } = settled else { panic!("{settled:?}") };
    assert_eq!(reason.say(Lang::En), "a@x.org: no; b c~>@x.org: no");
    assert!(state.is_open(&Notifier::new("ops"), 1, at(0).mono), "the notifier works");
    let once = state.judge(None, &tried(0), &partly, true, at(0));
    assert!(matches!(once, Settled::Failed { .. }), "nobody got the test");
    let partly = Outcome::Partly { told: vec!["c@x.org".into()], left: asked.to_vec() };
    let once = state.judge(None, &tried(0), &partly, true, at(0));
    assert!(matches!(once, Settled::Split { .. }), "somebody did");
}

#[test]
fn a_rate_is_a_rate() {
    let notifier = Notifier { rate_per_minute: 6, ..Notifier::new("ops") };
    let mut state = NotifierState::default();
    let mut sent = 0;
    for second in 0..120 {
        while state.is_open(&notifier, 1, Mono(second * 1000)) {
            state.begin("k");
            state.end("k");
            sent += 1;
        }
    }
    assert!((17..=18).contains(&sent), "{sent}");
}

#[test]
fn the_first_goes_first_but_none_overtakes_news_of_the_same_monitor() {
    let waiting = [
        about("down a", &["a"]),
        about("up a", &["a"]),
        about("down b", &["b"]),
        about("up a b", &["a", "b"]),
    ];
    let (mut state, ops) = (NotifierState::default(), Notifier::new("ops"));
    assert_eq!(chosen(&mut state, &waiting, 0), Some("down a".into()));
    state.begin("down a");
    assert_eq!(chosen(&mut state, &waiting, 0), Some("down b".into()), "the other is under way");
    state.begin("down b");
    assert_eq!(chosen(&mut state, &waiting, 0), None);
    // It comes back: its own pause keeps the news of its monitor back, too.
    state.judge(Some(&ops), &Outgoing { tries: 9, ..waiting[0].clone() }, &failed(None), false, at(1));
    state.end("down a");
    state.judge(Some(&ops), &waiting[2], &Outcome::Sent, false, at(2));
    state.end("down b");
    assert_eq!(chosen(&mut state, &[waiting[0].clone(), waiting[1].clone()], 3), None);
    assert_eq!(chosen(&mut state, &waiting[..2], 500), Some("down a".into()));
    assert_eq!(chosen(&mut state, &waiting[1..2], 500), Some("up a".into()));
}

#[test]
fn one_that_keeps_failing_lets_others_be_tried_and_all_of_them_in_turn() {
    let waiting = [about("down a", &["a"]), about("up a", &["a"]), about("down b", &["b"])];
    let (mut state, ops) = (NotifierState::default(), Notifier::new("ops"));
    let mut tried = Vec::new();
    for deliverer in 0..9 {
        let now = at(deliverer * 1000);
        assert!(state.is_open(&ops, 4, now.mono), "{deliverer}");
        let key = chosen(&mut state, &waiting, deliverer * 1000).unwrap();
        let one = waiting.iter().find(|one| one.key == key).unwrap();
        state.begin(&key);
        assert!(
            !state.is_open(&ops, 4, now.mono) || deliverer == 0,
            "one that fails is asked with one message"
        );
        state.judge(Some(&ops), one, &failed(None), false, now);
        state.end(&key);
        assert!(!state.is_open(&ops, 4, now.mono));
        tried.push(key);
    }
    let (a, b) = ("down a", "down b");
    assert_eq!(tried, [a, a, a, a, a, b, a, b, a]);
}

#[test]
fn as_long_as_it_asks_it_is_left_alone_with_everything() {
    let (mut state, ops) = (NotifierState::default(), Notifier::new("ops"));
    let settled = state.judge(Some(&ops), &tried(0), &failed(Some(900)), false, at(10));
    assert_eq!(settled, Settled::Retry { due: at(910).wall, reason: Text::foreign("no") });
    assert!(!state.is_open(&ops, 1, at(909).mono) && state.is_open(&ops, 1, at(910).mono));
    // Several that fail together count for one failure.
    let (mut one, mut two) = (NotifierState::default(), NotifierState::default());
    one.judge(Some(&ops), &tried(0), &failed(None), false, at(1));
    two.judge(Some(&ops), &tried(0), &failed(None), false, at(1));
    two.judge(Some(&ops), &about("other", &["b"]), &failed(None), false, at(1));
    assert_eq!((one.failures, two.failures), (1, 1));
}

#[test]
fn a_try_after_its_time_is_the_last() {
    let (mut state, ops) = (NotifierState::default(), Notifier::new("ops"));
    let late = Now { wall: Wall(86_400_000), ..at(9) };
    let settled = state.judge(Some(&ops), &tried(3), &failed(None), false, late);
    assert_eq!(settled, Settled::Failed { reason: Text::foreign("no") });
    assert_eq!(state.failing(), Some(&Text::foreign("no")));
    // A test is tried once, and says nothing of the notifier.
    let mut state = NotifierState::default();
    state.judge(Some(&ops), &tried(0), &failed(None), true, at(1));
    assert_eq!(state.failing(), None);
}
