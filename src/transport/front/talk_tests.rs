use super::*;
use crate::domain::address::Protocol;
use crate::domain::limits::Limits;
use crate::domain::policy::Policy;
use crate::engine::testing::{at, engine};
use crate::transport::census::Census;
use crate::transport::site::{Setup, Site};
use crate::transport::stream::StdStream;
use std::os::unix::net::UnixStream;

fn moment(policy: &Policy, ms: u64) -> Moment<'_> {
    Moment {
        policy,
        now: at(ms),
        now_ms: ms,
        now_s: (ms / 1000) as u32,
        draining: false,
        next_follows: false,
    }
}

/// What a front does with bytes on a connection, its commit included.
fn hear(talk: &mut Talk, desk: &mut Desk, bytes: &[u8], moment: &Moment<'_>) -> Vec<u64> {
    desk.input[..bytes.len()].copy_from_slice(bytes);
    talk.hear(desk, bytes.len(), moment);
    talk.link.site.engine.commit(moment.now.wall, &mut desk.pending).unwrap();
    desk.answers.drain(..).map(|said| said.acknowledges()).collect()
}

#[test]
fn a_sender_that_is_refused_does_not_take_the_place_of_the_live_one() {
    let limits = Limits { beats_per_second: Some(1), ..Limits::default() };
    let policy = Policy { limits, ..Policy::default() };
    let setup = Setup { protocol: Protocol::Tcp, ..Setup::default() };
    let census = Arc::new(Census::new(None, 10_000));
    let site = Arc::new(Site::new(Arc::new(engine(policy.clone())), census, at(0), setup));
    let peer = Peer::from_ip("10.0.0.7".parse().unwrap());
    let newcomer = |ms| {
        let stream = StdStream::Unix(UnixStream::pair().unwrap().0).into_front();
        let place = site.census.enter(peer, 10).unwrap();
        Talk::new(Link::new(stream, peer, site.clone(), place), &moment(&policy, ms))
    };
    let holds = |talk: &Talk| talk.claim.as_ref().map(Claim::holds);
    let desk = &mut Desk::new();
    let (mut live, mut refused) = (newcomer(0), newcomer(0));
    assert_eq!(hear(&mut live, desk, b"PING\n", &moment(&policy, 1)), [1]);
    assert_eq!(hear(&mut refused, desk, b"PING\n", &moment(&policy, 3)), [0]);
    assert_eq!((holds(&live), holds(&refused)), (Some(true), None));
    // One that has been heard before is no different.
    assert_eq!(hear(&mut refused, desk, b"PING\n", &moment(&policy, 5_000)), [1]);
    assert_eq!((holds(&live), holds(&refused)), (Some(false), Some(true)));
    assert_eq!(hear(&mut live, desk, b"PING\n", &moment(&policy, 7_001)), [1]);
    assert_eq!(hear(&mut refused, desk, b"PING\n", &moment(&policy, 7_002)), [0]);
    assert_eq!((holds(&live), holds(&refused)), (Some(true), Some(false)));
}

#[test]
fn where_no_token_is_needed_none_waits_and_what_comes_with_it_stays_whole() {
    let policy = Policy::default();
    let setup = Setup { protocol: Protocol::Tcp, ..Setup::default() };
    let census = Arc::new(Census::new(None, 10_000));
    let site = Arc::new(Site::new(Arc::new(engine(policy.clone())), census, at(0), setup));
    let peer = Peer::from_ip("10.0.0.7".parse().unwrap());
    // Wrong tokens of an administrator, over HTTP.
    (0..100).for_each(|_| site.engine.note_wrong_token(at(0), "access.admin_tokens", peer));
    assert!(site.engine.token_wait(at(1).mono, peer).is_some());
    let stream = StdStream::Unix(UnixStream::pair().unwrap().0).into_front();
    let place = site.census.enter(peer, 10).unwrap();
    let mut talk = Talk::new(Link::new(stream, peer, site.clone(), place), &moment(&policy, 0));
    let desk = &mut Desk::new();
    assert_eq!(hear(&mut talk, desk, b"AUTH t\nBEAT x message=par", &moment(&policy, 1)), [0]);
    talk.time_out(&moment(&policy, 6_000));
    assert_eq!(hear(&mut talk, desk, b"tial\n", &moment(&policy, 6_001)), [1]);
    let said = site.engine.get_at(at(6_002), crate::domain::id::IdRef::new("x").unwrap());
    assert_eq!(said.and_then(|one| one.message).as_deref(), Some("partial"));
}
