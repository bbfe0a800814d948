//! WebSocket: any bytes, whole and cut, make the same events; what was heard, said again, is heard again.
#![no_main]

use heartbeat_server::wire::ws::{Code, WsEvent, Opcode, Role, Session};
use libfuzzer_sys::fuzz_target;

const MAX: usize = 1024;
const MASK: [u8; 4] = [0x12, 0x00, 0xFE, 0x77];

/// Events without their borrows, and the code of the fault that ended them.
fn hear<'a>(role: Role, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<WsEvent<'static>>, Option<Code>) {
    let mut session = Session::new(role);
    let mut events = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut at = 0;
        loop {
            match session.next(&mut piece[at..], MAX) {
                Ok((used, Some(event))) => {
                    at += used;
                    events.push(match event {
                        WsEvent::Message { text, bytes } => {
                            assert!(bytes.len() <= MAX && (!text || std::str::from_utf8(&bytes).is_ok()));
                            WsEvent::Message { text, bytes: bytes.into_owned().into() }
                        }
                        WsEvent::Ping(payload) => WsEvent::Ping(payload.into_owned().into()),
                        WsEvent::Pong(payload) => WsEvent::Pong(payload.into_owned().into()),
                        WsEvent::Close { code, reason } => WsEvent::Close { code, reason },
                    });
                }
                Ok((used, None)) => {
                    assert_eq!(at + used, piece.len());
                    break;
                }
                Err(fault) => return (events, Some(fault.code())),
            }
        }
    }
    (events, None)
}

fuzz_target!(|data: &[u8]| {
    let Some((&[how, size], bytes)) = data.split_first_chunk() else { return };
    let role = if how & 1 == 0 { Role::Server } else { Role::Client };
    let whole = hear(role, [bytes].into_iter());
    assert_eq!(hear(role, bytes.chunks(usize::from(size).max(1))), whole);
    assert_eq!(hear(role, bytes.chunks(1)), whole);

    let mask = (role == Role::Server).then_some(MASK);
    let (mut session, mut said) =
        (Session::new(if mask.is_some() { Role::Client } else { Role::Server }), Vec::new());
    for event in &whole.0 {
        match event {
            WsEvent::Message { text: true, bytes } => session.send(Opcode::Text, bytes, mask, &mut said),
            WsEvent::Message { text: false, bytes } => session.send(Opcode::Binary, bytes, mask, &mut said),
            WsEvent::Ping(payload) => session.send(Opcode::Ping, payload, mask, &mut said),
            WsEvent::Pong(payload) => session.send(Opcode::Pong, payload, mask, &mut said),
            WsEvent::Close { code: Some(code), reason } => session.close(*code, reason, mask, &mut said),
            WsEvent::Close { code: None, .. } => session.reply(event, mask, &mut said),
        }
    }
    assert_eq!(hear(role, [&said[..]].into_iter()).0, whole.0);
});
