use super::connection::Connection;
use super::scratch::TurnOutput;
use crate::domain::address::Protocol;
use crate::domain::limits::Limits;
use crate::domain::policy::Policy;
use crate::engine::testing::{at, engine};
use crate::sys::parked::ParkedConnection;
use crate::transport::connection_limits::ConnectionLimits;
use crate::transport::conversation::TurnContext;
use crate::transport::listener_context::{ListenerContext, ListenerOptions};
use crate::transport::parked_record::unpack;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// States as versions 0.4 and 0.5 write them, and what becomes of them here.
const STATES: [(&str, &str); 9] = [
    (r#"{"http":{"carry":"","then":"Read","stage":"Idle","heard_bytes":0}}"#, ""),
    (r#"{"http":{"carry":"UE9TVCAv","then":"Read","stage":"Head","heard_bytes":0}}"#, ""),
    (r#"{"http":{"carry":"","then":"Linger","stage":"Lingering","heard_bytes":17}}"#, ""),
    (
        r#"{"tcp":{"talk":{"First":{"bytes":[0,0,0,0,0,0,0,0,0,0,0,0],"have":0}},"whom":"Nobody","claim":null,"authorized":false,"shown":"nothing","well":true,"patience_ms":0,"guesses":0,"ahead":""}}"#,
        "",
    ),
    (
        r#"{"tcp":{"talk":{"Line":{"begun":"QkVBVA==","too_long":false,"dropped":0}},"whom":"Named","claim":{"kind":3,"id":"web-1","holds":true},"authorized":false,"shown":"nothing","well":false,"patience_ms":90000,"guesses":1,"ahead":"QVVUSCB4Cg=="}}"#,
        "",
    ),
    (
        r#"{"tcp":{"talk":{"Frame":{"head":[1,0,0,0,5,0,0,0],"have":0,"skip":3}},"whom":"Own","claim":{"kind":1,"id":"10.0.0.7:9","holds":true},"authorized":true,"well":true,"patience_ms":0}}"#,
        r#"{"tcp":{"talk":{"Frame":{"head":[1,0,0,0,5,0,0,0],"have":0,"skip":3}},"whom":"Own","claim":{"kind":1,"id":"10.0.0.7:9","holds":true},"authorized":true,"shown":"believed","well":true,"patience_ms":0,"guesses":0,"ahead":""}}"#,
    ),
    (
        r#"{"ws":{"session":{"inbound":{"role":"Server","over":false,"message":"Text","unchecked":0,"head_bytes":0,"head":[0,0,0,0,0,0,0,0,0,0,0,0,0,0],"taken":0,"pending":"eyJp"},"close_sent":false},"claim":{"kind":255,"id":"web-2","holds":false},"named":true,"well":true,"echo":false,"stage":"Open","ahead":"","heard_bytes":0,"client":"10.0.0.8","shown":"nothing"}}"#,
        "",
    ),
    (
        r#"{"ws":{"session":{"inbound":{"role":"Server","over":true,"message":null,"unchecked":0,"head_bytes":0,"head":[0,0,0,0,0,0,0,0,0,0,0,0,0,0],"taken":0,"pending":""},"close_sent":true},"claim":null,"named":false,"well":true,"echo":false,"stage":"Lingering","ahead":"","heard_bytes":3,"client":null}}"#,
        r#"{"ws":{"session":{"inbound":{"role":"Server","over":true,"message":null,"unchecked":0,"head_bytes":0,"head":[0,0,0,0,0,0,0,0,0,0,0,0,0,0],"taken":0,"pending":""},"close_sent":true},"claim":null,"named":false,"well":true,"echo":false,"stage":"Lingering","ahead":"","heard_bytes":3,"client":null,"shown":"believed"}}"#,
    ),
    (
        r#"{"ws":{"session":{"inbound":{"role":"Server","over":true,"message":null,"unchecked":0,"head_bytes":0,"head":[0,0,0,0,0,0,0,0,0,0,0,0,0,0],"taken":0,"pending":""},"close_sent":true},"claim":null,"named":false,"well":true,"echo":false,"stage":"Ending","ahead":"","heard_bytes":0,"client":null,"shown":"nothing"}}"#,
        "",
    ),
];

#[test]
fn a_record_of_another_version_is_gone_on_with_and_written_as_that_one_reads_it() {
    let engine = Arc::new(engine(Policy::default()));
    let context = |protocol, address: &str| {
        let permits = Arc::new(ConnectionLimits::new(None, 10_000));
        let options = ListenerOptions { protocol, address: address.into(), ..ListenerOptions::default() };
        Arc::new(ListenerContext::new(engine.clone(), permits, at(0), options))
    };
    let contexts = [context(Protocol::Http, "a:1"), context(Protocol::Tcp, "a:2")];
    for (state, written) in STATES {
        let address = if state.contains("tcp") { "a:2" } else { "a:1" };
        let record = |state| {
            format!(r#"{{"listener":"","address":"{address}","unix":true,"unsent":"T0s=","state":{state}}}"#)
        };
        let socket = OwnedFd::from(UnixStream::pair().unwrap().0);
        let parked = ParkedConnection { socket, record: record(state).into_bytes() };
        let resumable = unpack(parked, &contexts, &Limits::default()).unwrap();
        let policy = Policy::default();
        let turn = TurnContext { policy: &policy, now: at(0), now_ms: 0, ending: None };
        let connection = Connection::resume(resumable, &turn, &mut TurnOutput::default()).unwrap();
        let again = connection.park().unwrap();
        let want = record(if written.is_empty() { state } else { written });
        assert_eq!(String::from_utf8(again.record).unwrap(), want);
    }
}
