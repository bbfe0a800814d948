//! Tests of the plan, on a place whose rules are written as ufw writes them.

use super::*;

fn grant(text: &str) -> Grant {
    let (port, from) = text.split_once(' ').unwrap();
    let from =
        if from == "*" { SourceNetwork::Everyone } else { SourceNetwork::Network(from.parse().unwrap()) };
    Grant { port: port.parse().unwrap(), from }
}

/// A place with a rule of ours for each text; one may grant several things, parted by commas.
fn place(ours: &[&str]) -> RuleSet {
    let rule = |(number, text): (usize, &&str)| FirewallRule {
        grants: text.split(',').filter(|t| !t.is_empty()).map(grant).collect(),
        removal: Call::new("remove", [number.to_string()]),
    };
    RuleSet {
        name: "here".into(),
        filters: true,
        families: (true, true),
        ours: ours.iter().enumerate().map(rule).collect(),
        others: Vec::new(),
        taken: BTreeSet::new(),
        way: RuleStore::Ufw,
    }
}

fn said(calls: &[Call]) -> String {
    let text = calls.iter().map(|call| {
        let line = call.to_string();
        line.replace("ufw allow ", "+").replace(" comment heartbeat-server", "").replace(" to any port ", " ")
    });
    text.collect::<Vec<_>>().join("; ")
}

fn opened(place: &RuleSet, ports: &[u16], from: &[&str]) -> String {
    said(&open(place, ports, &from.iter().map(|net| net.parse().unwrap()).collect::<Vec<_>>()))
}

fn closed(place: &RuleSet, ports: Option<&[u16]>, from: &[&str]) -> String {
    let from = from.iter().map(|net| net.parse().unwrap()).collect();
    said(&close(place, &Choice { ports: ports.map(<[u16]>::to_vec), from }))
}

#[test]
fn only_what_is_missing_is_added() {
    assert_eq!(opened(&place(&[]), &[1, 2], &[]), "+1/tcp; +2/tcp");
    assert_eq!(opened(&place(&["1 *"]), &[1, 2], &[]), "+2/tcp");
    assert_eq!(opened(&place(&["1 *", "2 *"]), &[1, 2], &[]), "");
    assert_eq!(opened(&place(&["1 10.0.0.0/8"]), &[1], &["10.0.0.0/8"]), "");
    assert_eq!(
        opened(&place(&["1 10.0.0.0/8"]), &[1], &["172.16.0.0/12"]),
        "+from 172.16.0.0/12 1 proto tcp",
        "one more network"
    );
}

#[test]
fn whoever_names_networks_wants_nobody_else() {
    assert_eq!(opened(&place(&["1 *"]), &[1], &["10.0.0.0/8"]), "+from 10.0.0.0/8 1 proto tcp; remove 0");
    assert_eq!(
        opened(&place(&["1 *", "2 *"]), &[1], &["10.0.0.0/8"]),
        "+from 10.0.0.0/8 1 proto tcp; remove 0"
    );
    let both = place(&["1 *,2 *"]);
    assert_eq!(opened(&both, &[1], &["10.0.0.0/8"]), "+from 10.0.0.0/8 1 proto tcp; +2/tcp; remove 0");
    // A place that sees no packets from there loses the rule for everyone all the same.
    let mut four = place(&["1 *"]);
    four.families = (true, false);
    assert_eq!(opened(&four, &[1], &["fd00::/8"]), "remove 0");
}

#[test]
fn a_place_that_holds_nothing_back_gets_nothing() {
    let mut free = place(&["1 *"]);
    free.filters = false;
    assert_eq!(opened(&free, &[1, 2], &[]), "");
    assert_eq!(closed(&free, None, &[]), "remove 0");
}

#[test]
fn close_takes_all_or_what_it_is_told() {
    let here = place(&["1 *", "2 *", "1 10.0.0.0/8", ""]);
    assert_eq!(closed(&here, None, &[]), "remove 0; remove 1; remove 2; remove 3");
    assert_eq!(closed(&here, Some(&[1]), &[]), "remove 0; remove 2");
    assert_eq!(closed(&here, None, &["10.0.0.0/8"]), "remove 2");
    assert_eq!(closed(&here, Some(&[2]), &["10.0.0.0/8"]), "");
    assert_eq!(closed(&place(&["1 *,2 *"]), Some(&[1]), &[]), "+2/tcp; remove 0");
    assert_eq!(closed(&place(&["1 *,2 *", "2 *"]), Some(&[1]), &[]), "remove 0", "2 stays open by itself");
}

#[test]
fn what_others_granted_in_our_words_is_left_alone() {
    let mut here = place(&[]);
    here.taken.insert(grant("1 *"));
    assert_eq!(opened(&here, &[1], &[]), "");
    assert_eq!(opened(&here, &[2], &[]), "+2/tcp");
}

#[test]
fn a_command_can_be_pasted_into_a_shell() {
    let call = Call::new("x", ["a b", "it's", "$HOME", "", "plain-1.2/3:4=5"]);
    assert_eq!(call.to_string(), r"x 'a b' 'it'\''s' '$HOME' '' plain-1.2/3:4=5");
    assert_eq!(words(r#"a "b c" d='e f' ''"#), ["a", "b c", "d=e f", ""]);
}

#[test]
fn ports_are_found_in_what_firewalls_write() {
    assert_eq!(ports("{ 22, 80, 7777-7778 } accept"), [(22, 22), (80, 80), (7777, 7778)]);
    assert_eq!(ports("9000:9100/tcp"), [(9000, 9100)]);
    assert_eq!(ports("\"8080\""), [(8080, 8080)]);
    assert_eq!(ports("7777,80"), [(7777, 7777), (80, 80)]);
    assert_eq!(ports("99999 x"), []);
}
