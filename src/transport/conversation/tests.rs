use super::play::play;
use super::tcp::TcpConversation;
use super::testing::{TestHost, turn_at};
use super::*;
use crate::wire::ws::{Code, Opcode, Role, Session};
use proptest::prelude::*;

const TCP: [&[u8]; 14] = [
    b"PING\n",
    b"PING",
    b"BEAT web-1\n",
    b"BEAT web-1 status=fail message=it broke\n",
    b"BEAT web-2 interval=30s\r\n",
    b"HEARTBEAT|ping\n",
    b"AUTH x\n",
    b"hello server",
    b"\0\0\0\0\0\0\0\0",
    b"\x01\0\0\0\x05\0\0\0abcde",
    b"pong",
    b"QUIT\n",
    b"GET / HTTP/1.1\r\n",
    b"\xff\xfe nonsense \0",
];

const HTTP: [&[u8]; 6] = [
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /api/v1/beats HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n{\"id\":\"web\"}",
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"\r\n",
];

/// A frame of a client.
fn frames(which: usize) -> Vec<u8> {
    let (mut session, mut out, mask) = (Session::new(Role::Client), Vec::new(), Some([1, 2, 3, 4]));
    match which {
        0 => session.send(Opcode::Text, b"PING", mask, &mut out),
        1 => session.send(Opcode::Text, br#"{"id":"web-1"}"#, mask, &mut out),
        2 => session.send(
            Opcode::Text,
            br#"[{"id":"a"},{"id":"b","status":"fail"},{"id":" "}]"#,
            mask,
            &mut out,
        ),
        3 => session.send(Opcode::Ping, b"you?", mask, &mut out),
        4 => session.send(Opcode::Pong, b"", mask, &mut out),
        5 => session.close(Code::NORMAL, "", mask, &mut out),
        6 => out.extend_from_slice(&[0xFF, 0xFF]),
        _ => session.send(Opcode::Binary, b"{\"id\":", mask, &mut out),
    }
    out
}

/// What clients send, mostly sense: the kind of the connection, and the bytes.
fn streams() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let tcp = prop::collection::vec(0..TCP.len(), 1..8)
        .prop_map(|which| (1, which.into_iter().flat_map(|one| TCP[one].to_vec()).collect()));
    let http = prop::collection::vec(0..HTTP.len(), 1..6)
        .prop_map(|which| (0, which.into_iter().flat_map(|one| HTTP[one].to_vec()).collect()));
    let ws = prop::collection::vec(0..8usize, 1..6)
        .prop_map(|which| (2, which.into_iter().flat_map(frames).collect()));
    let noise = (0..3usize, prop::collection::vec(any::<u8>(), 1..200));
    prop_oneof![4 => tcp, 4 => http, 4 => ws, 1 => noise]
}

/// The stream cut at some places.
fn pieces<'a>(stream: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
    at.extend([0, stream.len()]);
    at.sort_unstable();
    at.windows(2).map(|ends| &stream[ends[0]..ends[1]]).filter(|piece| !piece.is_empty()).collect()
}

proptest! {
    /// However its bytes are cut, a conversation asks and answers the same, and each beat is answered.
    #[test]
    fn cuts_change_nothing((kind, stream) in streams(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let whole = play(kind, &[&stream], false);
        prop_assert_eq!(play(kind, &pieces(&stream, &cuts), false), whole);
    }

    /// A process that takes over between any two readings asks and answers what the other would have.
    #[test]
    fn a_hand_over_changes_nothing((kind, stream) in streams(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let pieces = pieces(&stream, &cuts);
        prop_assert_eq!(play(kind, &pieces, true), play(kind, &pieces, false));
    }
}

fn tcp<'a>(claims: &Arc<Claims>, policy: &'a Policy) -> (TcpConversation, TestHost, TurnContext<'a>) {
    let (turn, mut host) = (turn_at(policy, 0), TestHost::new(claims));
    (TcpConversation::new(None, &turn, &mut host), host, turn)
}

#[test]
fn a_sender_that_is_refused_takes_no_claim_from_the_live_one() {
    let (policy, claims) = (Policy::default(), Arc::default());
    let ((mut live, mut its_host, turn), (mut other, mut host, _)) =
        (tcp(&claims, &policy), tcp(&claims, &policy));
    // Both beat for the same address.
    let ping = |conversation: &mut TcpConversation, host: &mut TestHost, refuses| {
        host.refuses = refuses;
        conversation.receive(&mut b"PING\n".to_vec(), &turn, host);
        host.commit(&turn);
    };
    let holds = |one: &TcpConversation| serde_json::to_value(one.parked_claim()).unwrap()["holds"].as_bool();
    ping(&mut live, &mut its_host, false);
    ping(&mut other, &mut host, true);
    assert_eq!((holds(&live), holds(&other)), (Some(true), None));
    // One that has been heard before is no different.
    ping(&mut other, &mut host, false);
    assert_eq!((holds(&live), holds(&other)), (Some(false), Some(true)));
    ping(&mut live, &mut its_host, false);
    ping(&mut other, &mut host, true);
    assert_eq!((holds(&live), holds(&other)), (Some(true), Some(false)));
}

#[test]
fn where_no_token_is_needed_none_waits_and_what_comes_with_it_stays_whole() {
    let policy = Policy::default();
    let (mut conversation, mut host, turn) = tcp(&Arc::default(), &policy);
    // As after wrong tokens of an administrator, over HTTP.
    host.token_wait = Some(Span::secs(5));
    conversation.receive(&mut b"AUTH t\nBEAT x message=par".to_vec(), &turn, &mut host);
    assert!(host.commit(&turn) && host.beats == 0);
    let later = turn_at(&policy, 6_000);
    conversation.time_out(false, &later, &mut host);
    conversation.receive(&mut b"tial\n".to_vec(), &later, &mut host);
    assert!(host.commit(&later) && host.beats == 1);
    assert!(host.asked.iter().any(|asked| asked.contains("\"partial\"")), "{:?}", host.asked);
}

#[test]
fn an_answer_goes_to_the_ticket_that_was_issued_for_it() {
    use super::answers::{AnswerCache, PendingAnswers};
    use crate::wire::line::LineReply;
    let (mut answers, mut out) = (PendingAnswers::default(), Vec::new());
    let mut tickets = Vec::new();
    for reply in [LineReply::Pong, LineReply::Hello, LineReply::BarePong] {
        answers.push(PendingAnswer::Tcp(reply, 1));
        tickets.extend(answers.issue());
        assert!(answers.issue().is_none(), "nothing was said since");
    }
    // The first connection has gone; the others hear what is theirs.
    let _gone = tickets.remove(0);
    let policy = Policy::default();
    for ticket in tickets {
        answers.redeem(ticket, &mut AnswerCache::default(), turn_at(&policy, 0).now, &mut out);
    }
    assert_eq!(out, b"hello clientPONG");
}

#[test]
fn what_is_kept_of_a_request_is_no_larger_than_it_is_accounted_for() {
    let policy = Policy::default();
    let turn = turn_at(&policy, 0);
    let mut host = TestHost::new(&Arc::new(Claims::default()));
    let mut http = http::HttpConversation::new(Vec::new(), &turn);
    http.receive(&mut HTTP[0][..1].to_vec(), &turn, &mut host);
    let mut reading = HTTP[0][1..].to_vec();
    (0..500).for_each(|_| reading.extend_from_slice(HTTP[0]));
    reading.extend_from_slice(b"POST");
    http.receive(&mut reading, &turn, &mut host);
    assert_eq!(http.kept_bytes(), 4);
    assert!(http.into_unread().capacity() < 64);
}
