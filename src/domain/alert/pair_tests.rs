//! Tests of the pair in simulated time: what is kept back, let go of and told, and in which order things happen.

use super::testing::pair;
use super::*;

const S: i64 = 1_000;

/// Of a server that keeps nothing back.
fn first() -> PairPolicy {
    PairPolicy { standby_for: None, ..pair() }
}

fn at(s: i64) -> Now {
    Now { mono: Mono(1_000_000 + (s * S) as u64), wall: Wall(s * S) }
}

fn subject(id: &str, since: i64, last_beat: i64) -> Subject {
    Subject {
        id: id.into(),
        since: Wall(since * S),
        last_beat: Some(Wall(last_beat * S)),
        ..Subject::default()
    }
}

fn message(kind: MessageKind, made: i64, subjects: &[Subject]) -> Message {
    let mut message = Message::new(kind, format!("{}-{made}-ops", kind.name()), "ops", Wall(made * S));
    message.monitors = subjects.to_vec();
    message.count = subjects.len() as u64;
    message
}

/// It was heard ten seconds before it went down.
fn down(id: &str, s: i64) -> Message {
    message(MessageKind::Down, s, &[subject(id, s, s - 10)])
}

fn up(id: &str, since: i64, s: i64) -> Message {
    message(MessageKind::Recovered, s, &[subject(id, since, s)])
}

fn said(id: &str, is_bad: bool, s: i64, delivery: PeerDelivery) -> PeerAlert {
    PeerAlert { notifier: "ops".into(), monitors: vec![id.into()], is_bad, made: Wall(s * S), delivery }
}

fn told(id: &str, is_bad: bool, s: i64) -> PeerAlert {
    said(id, is_bad, s, PeerDelivery::Told)
}

fn waiting(message: &Message) -> WaitingMessage {
    let (message, notifier) = (message.clone(), message.notifier.clone());
    WaitingMessage { message, notifier, is_begun: false, without: Vec::new() }
}

impl PairWatch {
    /// Of messages that were never let out.
    fn decide_all(&self, pair: &PairPolicy, messages: &[Message], now: Now) -> Vec<PairDecision> {
        self.decide(pair, &messages.iter().map(waiting).collect::<Vec<_>>(), now)
    }
}

/// One that was heard at that moment, with what it has said.
fn heard(s: i64, alerts: &[PeerAlert]) -> PairWatch {
    let mut watch = PairWatch::new(at(s).mono);
    watch.heard(at(s).mono, PeerView::new(alerts.to_vec(), Wall(i64::MIN)));
    assert_eq!(watch.look(&pair(), at(s)), Some(PairChange::Heard));
    watch
}

/// The same after it has been silent from then on for its grace.
fn silent(s: i64, alerts: &[PeerAlert]) -> PairWatch {
    let mut watch = heard(s, alerts);
    watch.missed();
    watch.missed();
    assert_eq!(watch.look(&pair(), at(s + 30)), Some(PairChange::Silent));
    watch
}

fn send() -> PairDecision {
    PairDecision::Send { without: Vec::new() }
}

use PairDecision::{Hold, Over, ToldByOther};

#[test]
fn it_is_silent_after_its_grace_and_two_questions_without_an_answer() {
    let mut watch = PairWatch::new(at(0).mono);
    assert_eq!(watch.look(&pair(), at(0)), None, "nothing is known yet");
    assert_eq!(watch.decide_all(&pair(), &[down("x", 0)], at(0)), [Hold], "which holds back as well");
    assert!(!watch.missed());
    assert_eq!(watch.look(&pair(), at(1_000)), None, "as after a sleep of this machine");
    watch.missed();
    assert_eq!(watch.look(&pair(), at(29)), None);
    assert_eq!(watch.look(&pair(), at(30)), Some(PairChange::Silent));
    assert_eq!(watch.look(&pair(), at(31)), None, "once");
    watch.heard(at(32).mono, PeerView::default());
    assert_eq!(watch.look(&pair(), at(32)), Some(PairChange::Heard));
    watch.missed();
    watch.missed();
    assert_eq!(watch.look(&pair(), at(61)), None);
    assert_eq!(watch.look(&pair(), at(62)), Some(PairChange::Silent));
    watch.heard_without_view(at(63).mono);
    assert_eq!(watch.look(&pair(), at(63)), Some(PairChange::Heard));
}

#[test]
fn what_the_other_tells_is_kept_back_and_let_go_of_when_it_has_told_it() {
    let news = [down("x", 100)];
    assert_eq!(heard(100, &[]).decide_all(&pair(), &news, at(101)), [Hold]);
    let pending = said("x", true, 103, PeerDelivery::Pending);
    assert_eq!(heard(105, &[pending]).decide_all(&pair(), &news, at(105)), [Hold]);
    assert_eq!(heard(105, &[told("x", true, 103)]).decide_all(&pair(), &news, at(105)), [ToldByOther]);
    // Its clock is four seconds behind, or it heard the last beat a little earlier.
    assert_eq!(heard(105, &[told("x", true, 86)]).decide_all(&pair(), &news, at(105)), [ToldByOther]);
    assert_eq!(
        heard(105, &[told("x", true, 84)]).decide_all(&pair(), &news, at(105)),
        [Hold],
        "another outage"
    );
    assert_eq!(heard(105, &[told("y", true, 103)]).decide_all(&pair(), &news, at(105)), [Hold]);
    let elsewhere = PeerAlert { notifier: "mail".into(), ..told("x", true, 103) };
    assert_eq!(heard(105, &[elsewhere]).decide_all(&pair(), &news, at(105)), [Hold]);
    let both = [told("x", false, 104), told("x", true, 103)];
    let news = [down("x", 100), up("x", 100, 104), down("x", 110)];
    let decided = heard(111, &both).decide_all(&pair(), &news, at(111));
    assert_eq!(decided, [Hold, ToldByOther, Hold], "its last word is that it is up");
}

#[test]
fn what_the_other_could_not_tell_is_told_from_here() {
    let failed = said("x", true, 103, PeerDelivery::Failed);
    assert_eq!(heard(105, &[failed]).decide_all(&pair(), &[down("x", 100)], at(105)), [send()]);
}

#[test]
fn news_of_this_server_of_the_other_and_tests_are_never_kept_back() {
    let own = [
        message(MessageKind::Own, 1, &[]),
        message(MessageKind::Test, 1, &[subject("test", 1, 1)]),
        down("server-a", 1),
    ];
    assert_eq!(heard(1, &[]).decide_all(&pair(), &own, at(1)), [send(), send(), send()]);
}

#[test]
fn when_the_other_falls_silent_what_is_open_and_untold_is_told() {
    let watch = silent(100, &[told("x", true, 95), told("z", true, 90)]);
    let news = [
        down("x", 94),
        down("y", 110),
        down("short", 111),
        up("short", 111, 115),
        up("z", 89, 116),
        down("short", 117),
        message(MessageKind::Reminder, 118, &[subject("y", 110, 100)]),
        down("late", 140),
    ];
    let want = [ToldByOther, send(), Over, Over, send(), send(), Over, send()];
    assert_eq!(watch.decide_all(&pair(), &news, at(141)), want);
}

#[test]
fn what_is_made_while_the_other_is_silent_is_told_as_always() {
    let watch = silent(100, &[told("x", true, 95)]);
    let news = [
        down("y", 131),
        message(MessageKind::Reminder, 200, &[subject("x", 94, 80)]),
        up("y", 131, 201),
        up("x", 94, 202),
    ];
    assert_eq!(watch.decide_all(&pair(), &news, at(202)), [send(), send(), send(), send()]);
}

#[test]
fn of_several_monitors_only_those_are_told_that_were_not() {
    let watch = silent(100, &[told("x", true, 95)]);
    let all = [subject("x", 94, 84), subject("y", 94, 84), subject("over", 94, 84)];
    let news = [message(MessageKind::Down, 96, &all), up("over", 94, 99)];
    let without = vec!["x".to_string(), "over".to_string()];
    assert_eq!(watch.decide_all(&pair(), &news, at(131)), [PairDecision::Send { without }, Over]);
    let both = heard(100, &[told("x", true, 95), told("y", true, 97)]);
    assert_eq!(
        both.decide_all(&pair(), &[message(MessageKind::Down, 96, &all[..2])], at(100)),
        [ToldByOther]
    );
}

#[test]
fn reminders_are_left_to_the_one_that_tells() {
    let reminder = [message(MessageKind::Reminder, 500, &[subject("x", 94, 84)])];
    assert_eq!(heard(500, &[told("x", true, 95)]).decide_all(&pair(), &reminder, at(500)), [ToldByOther]);
    assert_eq!(heard(500, &[told("x", true, 95)]).decide_all(&first(), &reminder, at(500)), [send()]);
}

#[test]
fn one_that_was_away_does_not_repeat_what_the_other_has_told() {
    // It heard x until it was killed at 100; the other told at 160 that x is down, and that y has come back.
    let watch = heard(200, &[told("x", true, 160), told("y", true, 90), told("y", false, 150)]);
    let late = message(MessageKind::Down, 260, &[subject("x", 260, 100)]);
    let news = [late, up("y", 80, 261), down("z", 262)];
    assert_eq!(watch.decide_all(&first(), &news, at(262)), [ToldByOther, ToldByOther, send()]);
    // What came after that is its own to tell.
    let next = [up("x", 260, 300), down("x", 400)];
    assert_eq!(watch.decide_all(&first(), &next, at(400)), [send(), send()]);
    // The other told the end too, of an outage that this one has not seen end.
    let ended = heard(200, &[told("x", true, 160), told("x", false, 180)]);
    let news = [message(MessageKind::Down, 260, &[subject("x", 260, 100)])];
    assert_eq!(ended.decide_all(&first(), &news, at(262)), [send()]);
}

#[test]
fn one_that_keeps_nothing_back_waits_only_for_the_first_answer() {
    let watch = PairWatch::new(at(0).mono);
    assert_eq!(watch.decide_all(&first(), &[down("x", 5)], at(9)), [Hold]);
    assert_eq!(watch.decide_all(&first(), &[down("x", 5)], at(10)), [send()]);
    assert_eq!(silent(100, &[]).decide_all(&first(), &[down("x", 5)], at(300)), [send()]);
}

#[test]
fn what_the_other_never_tells_waits_and_goes_once_it_is_long_over() {
    let watch = heard(100, &[]);
    let news = [down("x", 100), up("x", 100, 200), down("open", 100)];
    assert_eq!(watch.decide_all(&pair(), &news, at(7_301)), [Hold, Hold, Hold], "counted from its end");
    assert_eq!(watch.decide_all(&pair(), &news, at(7_401)), [Over, Over, Hold]);
}

#[test]
fn the_end_of_what_was_told_from_here_is_told_though_the_other_never_had_it() {
    let end = [up("x", 100, 200)];
    assert_eq!(heard(201, &[]).decide_all(&pair(), &end, at(201)), [send()]);
    let before = [told("x", true, 10), told("x", false, 90)];
    assert_eq!(heard(201, &before).decide_all(&pair(), &end, at(201)), [send()]);
    // That one has it, whoever told it, and tells its end.
    for delivery in [PeerDelivery::Pending, PeerDelivery::Told] {
        let has_it = [said("x", true, 103, delivery)];
        assert_eq!(heard(201, &has_it).decide_all(&pair(), &end, at(201)), [Hold]);
    }
    let mut watch = heard(201, &[]);
    assert_eq!(watch.decide_all(&pair(), &[down("x", 100), end[0].clone()], at(201)), [Hold, Hold]);
    // What it has shown does not reach back far enough.
    watch.heard(at(202).mono, PeerView::new(Vec::new(), Wall(99 * S)));
    assert_eq!(watch.decide_all(&pair(), &end, at(202)), [Hold]);
}

#[test]
fn what_began_before_the_silence_and_ended_in_it_is_told_whole() {
    let news = [down("x", 110), up("x", 110, 140)];
    assert_eq!(silent(100, &[]).decide_all(&pair(), &news, at(141)), [send(), send()]);
    // An outage ends with its own end, and not with that of a later one.
    let news = [down("x", 110), up("x", 110, 115), down("x", 120), up("x", 120, 140)];
    assert_eq!(silent(100, &[]).decide_all(&pair(), &news, at(141)), [Over, Over, send(), send()]);
}

#[test]
fn a_message_that_names_the_other_server_too_waits_only_for_the_rest() {
    let all = [subject("server-a", 90, 80), subject("x", 94, 84)];
    let without = vec!["x".to_string()];
    let news = [message(MessageKind::Down, 96, &all)];
    let decided = heard(100, &[told("x", true, 97)]).decide_all(&pair(), &news, at(101));
    assert_eq!(decided, [PairDecision::Send { without: without.clone() }]);
    assert_eq!(
        heard(100, &[]).decide_all(&pair(), &news, at(101)),
        [send()],
        "it was silent when that was made"
    );
    let news = [message(MessageKind::Recovered, 110, &all)];
    let (bad, good) = (told("x", true, 95), told("x", false, 110));
    assert_eq!(
        heard(111, std::slice::from_ref(&bad)).decide_all(&pair(), &news, at(111)),
        [Hold],
        "it tells that of x"
    );
    let decided = heard(112, &[bad, good]).decide_all(&pair(), &news, at(112));
    assert_eq!(decided, [PairDecision::Send { without }]);
}

#[test]
fn what_was_let_out_once_is_not_over_and_names_no_more_than_then() {
    let begun = WaitingMessage { is_begun: true, ..waiting(&down("x", 110)) };
    let news = [begun.clone(), waiting(&up("x", 110, 115))];
    let watch = silent(100, &[]);
    assert_eq!(watch.decide(&pair(), &news, at(131)), [send(), send()], "it may have arrived");
    let news = [waiting(&down("x", 110)), WaitingMessage { is_begun: true, ..waiting(&up("x", 110, 115)) }];
    assert_eq!(watch.decide(&pair(), &news, at(131)), [send(), send()]);
    // The end of `over` was let go of when the first try was made.
    let both = message(MessageKind::Down, 96, &[subject("y", 94, 84), subject("over", 94, 84)]);
    let without = vec!["over".to_string()];
    let news = [WaitingMessage { is_begun: true, without: without.clone(), ..waiting(&both) }];
    assert_eq!(watch.decide(&pair(), &news, at(131)), [PairDecision::Send { without }]);
}

#[test]
fn an_end_stays_as_long_as_a_message_that_names_its_beginning() {
    let both = message(MessageKind::Down, 100, &[subject("x", 100, 90), subject("open", 100, 90)]);
    let news = [both, up("x", 100, 200)];
    assert_eq!(heard(100, &[]).decide_all(&pair(), &news, at(9_000)), [Hold, Hold]);
}

#[test]
fn a_fallback_is_compared_with_what_the_other_told_that_fallback() {
    let fallback = [WaitingMessage { notifier: "mail".into(), ..waiting(&down("x", 100)) }];
    let other = [PeerAlert { notifier: "mail".into(), ..told("x", true, 103) }];
    assert_eq!(heard(105, &other).decide(&pair(), &fallback, at(105)), [ToldByOther]);
    assert_eq!(heard(105, &[told("x", true, 103)]).decide(&pair(), &fallback, at(105)), [Hold]);
}
