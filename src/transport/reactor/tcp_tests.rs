use super::*;
use crate::domain::address::Protocol;
use crate::domain::limits::Limits;
use crate::domain::policy::Policy;
use crate::engine::testing::{at, engine};
use crate::transport::connection_limits::ConnectionLimits;
use crate::transport::listener_context::{ListenerContext, ListenerOptions};
use crate::transport::stream::StdStream;
use std::os::unix::net::UnixStream;

fn turn(policy: &Policy, ms: u64) -> TurnContext<'_> {
    TurnContext {
        policy,
        now: at(ms),
        now_ms: ms,
        now_s: (ms / 1000) as u32,
        draining: false,
        next_follows: false,
    }
}

/// What a reactor does with bytes on a connection, its commit included.
fn hear(talk: &mut TcpConnection, scratch: &mut Scratch, bytes: &[u8], turn: &TurnContext<'_>) -> Vec<u64> {
    scratch.input[..bytes.len()].copy_from_slice(bytes);
    talk.hear(scratch, bytes.len(), turn);
    talk.io.context.engine.commit(turn.now.wall, &mut scratch.pending).unwrap();
    scratch.answers.drain(..).map(|said| said.acknowledges()).collect()
}

#[test]
fn a_sender_that_is_refused_does_not_take_the_place_of_the_live_one() {
    let limits = Limits { beats_per_second: Some(1), ..Limits::default() };
    let policy = Policy { limits, ..Policy::default() };
    let options = ListenerOptions { protocol: Protocol::Tcp, ..ListenerOptions::default() };
    let permits = Arc::new(ConnectionLimits::new(None, 10_000));
    let context = Arc::new(ListenerContext::new(Arc::new(engine(policy.clone())), permits, at(0), options));
    let peer = Peer::from_ip("10.0.0.7".parse().unwrap());
    let newcomer = |ms| {
        let stream = StdStream::Unix(UnixStream::pair().unwrap().0).into_reactor();
        let permit = context.permits.acquire(peer, 10).unwrap();
        TcpConnection::new(ConnectionIo::new(stream, peer, context.clone(), permit), &turn(&policy, ms))
    };
    let holds = |talk: &TcpConnection| talk.claim.as_ref().map(Claim::holds);
    let scratch = &mut Scratch::new();
    let (mut live, mut refused) = (newcomer(0), newcomer(0));
    assert_eq!(hear(&mut live, scratch, b"PING\n", &turn(&policy, 1)), [1]);
    assert_eq!(hear(&mut refused, scratch, b"PING\n", &turn(&policy, 3)), [0]);
    assert_eq!((holds(&live), holds(&refused)), (Some(true), None));
    // One that has been heard before is no different.
    assert_eq!(hear(&mut refused, scratch, b"PING\n", &turn(&policy, 5_000)), [1]);
    assert_eq!((holds(&live), holds(&refused)), (Some(false), Some(true)));
    assert_eq!(hear(&mut live, scratch, b"PING\n", &turn(&policy, 7_001)), [1]);
    assert_eq!(hear(&mut refused, scratch, b"PING\n", &turn(&policy, 7_002)), [0]);
    assert_eq!((holds(&live), holds(&refused)), (Some(true), Some(false)));
}

#[test]
fn where_no_token_is_needed_none_waits_and_what_comes_with_it_stays_whole() {
    let policy = Policy::default();
    let options = ListenerOptions { protocol: Protocol::Tcp, ..ListenerOptions::default() };
    let permits = Arc::new(ConnectionLimits::new(None, 10_000));
    let context = Arc::new(ListenerContext::new(Arc::new(engine(policy.clone())), permits, at(0), options));
    let peer = Peer::from_ip("10.0.0.7".parse().unwrap());
    // Wrong tokens of an administrator, over HTTP.
    (0..100).for_each(|_| context.engine.note_wrong_token(at(0), "access.admin_tokens", peer));
    assert!(context.engine.token_wait(at(1).mono, peer).is_some());
    let stream = StdStream::Unix(UnixStream::pair().unwrap().0).into_reactor();
    let permit = context.permits.acquire(peer, 10).unwrap();
    let mut talk =
        TcpConnection::new(ConnectionIo::new(stream, peer, context.clone(), permit), &turn(&policy, 0));
    let scratch = &mut Scratch::new();
    assert_eq!(hear(&mut talk, scratch, b"AUTH t\nBEAT x message=par", &turn(&policy, 1)), [0]);
    talk.time_out(&turn(&policy, 6_000));
    assert_eq!(hear(&mut talk, scratch, b"tial\n", &turn(&policy, 6_001)), [1]);
    let said = context.engine.get_at(at(6_002), crate::domain::id::IdRef::new("x").unwrap());
    assert_eq!(said.and_then(|one| one.message).as_deref(), Some("partial"));
}
