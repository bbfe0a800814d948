use super::*;

fn message(key: &str, to: &str) -> Outgoing {
    let at = Wall(1);
    let message = "{}".to_string();
    Outgoing { key: key.into(), notifier: to.into(), recipient: None, made: at, due: at, tries: 0, message }
}

fn keys(messages: &[Outgoing]) -> Vec<&str> {
    messages.iter().map(|one| one.key.as_str()).collect()
}

#[test]
fn what_was_told_from_here_is_put_into_the_outbox_and_noted_there_and_not_told_again() {
    let mut aside = Aside::default();
    aside.hold([message("a", "ops"), message("b", "ops"), message("a", "ops")]);
    assert_eq!(keys(&aside.messages()), ["a", "b"], "each once, in their order");
    aside.settle(&message("a", "ops"), Wall(5), &Settled::Sent, &[]);
    let (names, waiting) = aside.of(&Lane::all("ops"));
    assert!(
        names.contains("a") && names.contains("b"),
        "neither is taken from the outbox, should it be there"
    );
    assert_eq!(keys(&waiting), ["b"]);
    // Another comes while those two are put on record.
    let put = aside.messages();
    aside.hold([message("c", "ops")]);
    aside.are_put(&put);
    let (names, waiting) = aside.of(&Lane::all("ops"));
    assert_eq!(
        (names.contains("a"), names.contains("b")),
        (true, false),
        "b waits in the outbox, a does not"
    );
    assert_eq!(keys(&waiting), ["c"]);
    assert_eq!(aside.settled.len(), 1);
    assert!(aside.of(&Lane::all("mail")).0.is_empty());
}

#[test]
fn a_try_that_failed_counts_and_who_is_told_instead_is_told_from_here() {
    let mut aside = Aside::default();
    aside.hold([message("a", "ops")]);
    let again = Settled::Retry { due: Wall(9), reason: "ill".into() };
    aside.settle(&message("a", "ops"), Wall(5), &again, &[]);
    let (_, waiting) = aside.of(&Lane::all("ops"));
    assert_eq!((waiting[0].tries, waiting[0].due), (1, Wall(9)));
    // One in the outbox waits there as before; one that failed for good is handed on.
    aside.settle(&message("old", "ops"), Wall(5), &again, &[]);
    assert!(aside.settled.is_empty());
    let failed = Settled::Failed { reason: "no".into() };
    aside.settle(&message("old", "ops"), Wall(5), &failed, &[message("old~mail", "mail")]);
    assert_eq!(keys(&aside.of(&Lane::all("mail")).1), ["old~mail"]);
    assert!(aside.settled[0].instead.is_empty());
    assert!(aside.of(&Lane::all("ops")).0.contains("old"));
}

#[test]
fn it_has_bounds() {
    let mut aside = Aside::default();
    let large = |n: usize| Outgoing { message: "x".repeat(256 * 1024), ..message(&format!("l{n}"), "ops") };
    (0..64).for_each(|n| aside.hold([large(n)]));
    assert!(!aside.has_room(), "bytes");
    // What is handed on goes straight into the outbox, when there is room.
    aside.settle(
        &message("l0", "ops"),
        Wall(5),
        &Settled::Failed { reason: "no".into() },
        &[message("l0~mail", "mail")],
    );
    assert!(aside.of(&Lane::all("mail")).1.is_empty());
    assert_eq!(keys(&aside.held[0].instead), ["l0~mail"]);
    let all = aside.messages();
    aside.are_put(&all);
    assert!(aside.has_room());
    assert_eq!((aside.bytes, aside.settled.len()), (0, 1));
    aside.hold((0..MESSAGES_MAX).map(|n| message(&format!("m{n}"), "ops")));
    assert!(!aside.has_room(), "messages");
    assert!(aside.may_send());
    for n in 0..SETTLED_MAX {
        aside.settle(&message(&format!("s{n}"), "ops"), Wall(5), &Settled::Sent, &[]);
    }
    assert!(!aside.may_send());
}
