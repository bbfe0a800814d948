//! What a session makes of bytes, whole and cut anywhere.

use super::*;
use proptest::prelude::*;

const MASK: Mask = [0xA1, 0x5E, 0x00, 0xFF];
pub(super) const MAX: usize = 4096;

/// An event or the end, without the borrow.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    WsError(u16),
}

fn seen(event: WsEvent<'_>) -> Seen {
    match event {
        WsEvent::Message { text: true, bytes } => Seen::Text(bytes.into()),
        WsEvent::Message { text: false, bytes } => Seen::Binary(bytes.into()),
        WsEvent::Ping(payload) => Seen::Ping(payload.into()),
        WsEvent::Pong(payload) => Seen::Pong(payload.into()),
        WsEvent::Close { code, reason } => Seen::Close(code.map(|code| code.0), reason),
    }
}

/// Everything that a session makes of `input`, given in these pieces.
pub(super) fn hear<'a>(role: Role, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut session = Session::new(role);
    let mut all = Vec::new();
    for piece in pieces {
        session = handed_over(&session);
        let mut piece = piece.to_vec();
        let mut at = 0;
        loop {
            match session.next(&mut piece[at..], MAX) {
                Ok((used, Some(event))) => {
                    at += used;
                    all.push(seen(event));
                }
                Ok((used, None)) => {
                    assert_eq!(at + used, piece.len(), "with no event everything is used up");
                    break;
                }
                Err(fault) => {
                    all.push(Seen::WsError(fault.code().0));
                    assert!(session.has_heard_all());
                    break;
                }
            }
        }
    }
    all
}

/// As the next process has it.
fn handed_over(session: &Session) -> Session {
    let next: Session = serde_json::from_str(&serde_json::to_string(session).unwrap()).unwrap();
    assert!(next.is_sound() && next == *session, "{session:?}");
    next
}

proptest! {
    #[test]
    fn whatever_passes_for_a_state_can_go_on(
        head in any::<[u8; 14]>(), head_bytes in 0..16u8, taken in 0..300usize, unchecked in 0..5u8,
        text in any::<bool>(), pending in 0..200usize, mut input in any::<Vec<u8>>(),
    ) {
        use base64::Engine;
        let pending = base64::engine::general_purpose::STANDARD.encode(vec![b'x'; pending]);
        let message = if text { r#""Text""# } else { "null" };
        let state = format!(
            r#"{{"inbound":{{"role":"Server","over":false,"message":{message},"unchecked":{unchecked},
            "head_bytes":{head_bytes},"head":{head:?},"taken":{taken},"pending":"{pending}"}},"close_sent":false}}"#
        );
        let mut session: Session = serde_json::from_str(&state).unwrap();
        if session.is_sound() {
            let _ = session.next(&mut input, MAX);
        }
    }
}

pub(super) fn frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(&mut out, fin, opcode, payload, Some(MASK));
    out
}

fn server_hears(input: &[u8]) -> Vec<Seen> {
    hear(Role::Server, [input])
}

#[test]
fn the_samples_of_the_rfc_are_read() {
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(server_hears(&masked), [Seen::Text(b"Hello".into())]);
    let plain = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(hear(Role::Client, [&plain[..]]), [Seen::Text(b"Hello".into())]);
    let fragments = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
    assert_eq!(hear(Role::Client, [&fragments[..]]), [Seen::Text(b"Hello".into())]);
    let mut out = Vec::new();
    frame::write(&mut out, true, Opcode::Binary, &[7; 256], None);
    assert_eq!(out[..4], [0x82, 0x7E, 0x01, 0x00]);
    out.clear();
    frame::write(&mut out, true, Opcode::Binary, &[7; 65536], None);
    assert_eq!(out[..10], [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn what_breaks_the_protocol_ends_it_with_the_fitting_code() {
    let text = Opcode::Text;
    let with = |at: usize, by: u8| {
        let mut bytes = frame(true, text, b"x");
        bytes[at] = by;
        bytes
    };
    let long = |length: &[u8]| {
        [&[0x82, 0x80 | if length.len() == 2 { 126 } else { 127 }][..], length, &MASK].concat()
    };
    for (code, what, bytes) in [
        (1002, "a reserved bit", with(0, 0xC1)),
        (1002, "a reserved opcode", with(0, 0x83)),
        (1002, "a reserved control opcode", with(0, 0x8B)),
        (1002, "no mask", with(1, 0x01)),
        (1002, "a fragmented ping", frame(false, Opcode::Ping, b"")),
        (1002, "a long ping", frame(true, Opcode::Ping, &[0; 126])),
        (1002, "nothing to continue", frame(true, Opcode::Continuation, b"x")),
        (1002, "a message in a message", [frame(false, text, b"x"), frame(true, text, b"x")].concat()),
        (1002, "half a close code", frame(true, Opcode::Close, &[3])),
        (1002, "a code that is none", frame(true, Opcode::Close, &1005u16.to_be_bytes())),
        (1002, "a length too wide", long(&125u16.to_be_bytes())),
        (1002, "a length too wide", long(&65535u64.to_be_bytes())),
        (1002, "64 bits of length", long(&u64::MAX.to_be_bytes())),
        (1007, "not UTF-8", frame(true, text, b"\xff")),
        (1007, "a surrogate", frame(false, text, b"\xed\xa0")),
        (1007, "a character cut short", frame(true, text, b"\xc3")),
        (
            1007,
            "one cut short by the end of fragments",
            [frame(false, text, b"\xc3"), frame(true, Opcode::Continuation, b"")].concat(),
        ),
        (1007, "a reason that is not UTF-8", frame(true, Opcode::Close, b"\x03\xe8\xff")),
        (1009, "a message too big, by its head alone", long(&(1u64 << 40).to_be_bytes())),
        (
            1009,
            "fragments too big",
            [frame(false, text, &[b'x'; MAX]), frame(true, Opcode::Continuation, b"x")].concat(),
        ),
    ] {
        assert_eq!(server_hears(&bytes), [Seen::WsError(code)], "{what}");
    }
    assert_eq!(server_hears(&frame(true, text, &[b'x'; MAX])), [Seen::Text(vec![b'x'; MAX])]);
    assert_eq!(hear(Role::Client, [&frame(true, text, b"x")[..]]), [Seen::WsError(1002)], "a masked server");
}

#[test]
fn codes_that_may_be_sent_are_taken_and_no_others() {
    for code in 0..=u16::MAX {
        let heard = server_hears(&frame(true, Opcode::Close, &code.to_be_bytes()));
        let allowed = [1000..=1003, 1007..=1014, 3000..=4999].iter().any(|range| range.contains(&code));
        let want = if allowed { Seen::Close(Some(code), String::new()) } else { Seen::WsError(1002) };
        assert_eq!(heard, [want]);
    }
    assert_eq!(server_hears(&frame(true, Opcode::Close, b"")), [Seen::Close(None, String::new())]);
}

#[test]
fn a_wrong_byte_of_text_is_found_before_its_frame_has_come() {
    let mut session = Session::new(Role::Server);
    let mut bytes = frame(true, Opcode::Text, b"caf\xc3\xa9 \xf4\x90 and more and more");
    let cut = bytes.len() - 15;
    assert_eq!(session.next(&mut bytes[..cut], MAX), Err(WsError::NotUtf8));
    assert_eq!(session.next(&mut bytes[cut..], MAX), Ok((15, None)), "the rest is thrown away");
}

#[test]
fn pings_and_closes_are_answered_and_nothing_is_said_after_a_close() {
    let (mut session, mut out) = (Session::new(Role::Server), Vec::new());
    session.reply(&WsEvent::Ping(b"are you there"[..].into()), None, &mut out);
    assert_eq!(hear(Role::Client, [&out[..]]), [Seen::Pong(b"are you there".into())]);
    out.clear();
    session.reply(&WsEvent::Close { code: Some(Code(3000)), reason: "x".into() }, None, &mut out);
    session.close(Code::GOING_AWAY, "late", None, &mut out);
    session.send(Opcode::Text, b"late", None, &mut out);
    session.reply(&WsEvent::Ping(b"late"[..].into()), None, &mut out);
    assert_eq!(hear(Role::Client, [&out[..]]), [Seen::Close(Some(3000), String::new())]);
    assert!(session.has_sent_close());
    let (mut client, mut out) = (Session::new(Role::Client), Vec::new());
    client.reply(&WsEvent::Close { code: None, reason: String::new() }, Some(MASK), &mut out);
    assert_eq!(server_hears(&out), [Seen::Close(None, String::new())]);
    let (mut client, mut out) = (Session::new(Role::Client), Vec::new());
    client.close(Code::NORMAL, &"é".repeat(100), Some(MASK), &mut out);
    assert_eq!(server_hears(&out), [Seen::Close(Some(1000), "é".repeat(61))], "a reason is cut to fit");
}

#[test]
fn an_idle_session_is_some_dozens_of_bytes_and_pending_ones_are_those_that_came() {
    assert!(size_of::<Session>() <= 64, "{}", size_of::<Session>());
    let mut inbound = receive::Inbound::new(Role::Server);
    assert!(inbound.is_between_messages());
    let mut bytes = frame(true, Opcode::Binary, &vec![0; 1 << 20]);
    assert_eq!(inbound.next(&mut bytes[..1000], 1 << 20), Ok((1000, None)));
    assert!(inbound.kept_bytes() < 3000, "a promise of a megabyte takes no room");
    assert!(inbound.next(&mut bytes[1000..], 1 << 20).unwrap().1.is_some());
    assert_eq!(inbound, receive::Inbound::new(Role::Server), "nothing is left of it");
    assert_eq!(inbound.kept_bytes(), 0);
}

fn any_frames() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..20),
        3 => "\\PC{0,12}".prop_map(String::into_bytes),
        1 => (100usize..300).prop_map(|n| vec![b'y'; n]),
    ];
    let opcode = prop::sample::select(vec![
        Opcode::Continuation,
        Opcode::Text,
        Opcode::Binary,
        Opcode::Ping,
        Opcode::Pong,
        Opcode::Close,
    ]);
    let one = (any::<bool>(), opcode, part).prop_map(|(fin, opcode, part)| {
        let fin = fin || opcode.is_control();
        let code = [0x03, 0xE8];
        let head = if opcode == Opcode::Close { &code[..] } else { &[] };
        frame(fin, opcode, &[head, &part].concat())
    });
    let noise = prop::collection::vec(any::<u8>(), 0..8);
    let item = prop_oneof![12 => one, 1 => noise];
    prop::collection::vec(item, 0..12).prop_map(|items| items.concat())
}

proptest! {
    #[test]
    fn cut_at_any_byte_the_events_are_the_same(bytes in any_frames(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let whole = hear(Role::Server, [&bytes[..]]);
        prop_assert_eq!(&hear(Role::Server, bytes.chunks(1)), &whole);
        for cut in 0..bytes.len().min(64) {
            prop_assert_eq!(&hear(Role::Server, [&bytes[..cut], &bytes[cut..]]), &whole);
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        prop_assert_eq!(&hear(Role::Server, cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]])), &whole);
    }

    #[test]
    fn what_one_end_sends_the_other_hears(
        messages in prop::collection::vec((any::<bool>(), "\\PC{0,40}", 1usize..9), 1..6),
        mask: Mask,
    ) {
        for (role, mask) in [(Role::Server, Some(mask)), (Role::Client, None)] {
            let (mut wire, mut want) = (Vec::new(), Vec::new());
            for (text, words, pieces) in &messages {
                let parts: Vec<&[u8]> = words.as_bytes().chunks(words.len().div_ceil(*pieces).max(1)).collect();
                let parts = if parts.is_empty() { vec![&b""[..]] } else { parts };
                let kind = if *text { Opcode::Text } else { Opcode::Binary };
                for (n, part) in parts.iter().enumerate() {
                    let opcode = if n == 0 { kind } else { Opcode::Continuation };
                    frame::write(&mut wire, n + 1 == parts.len(), opcode, part, mask);
                    if n + 1 < parts.len() {
                        frame::write(&mut wire, true, Opcode::Ping, b"between", mask);
                        want.push(Seen::Ping(b"between".into()));
                    }
                }
                let words = words.clone().into_bytes();
                want.push(if *text { Seen::Text(words) } else { Seen::Binary(words) });
            }
            prop_assert_eq!(&hear(role, [&wire[..]]), &want);
            prop_assert_eq!(&hear(role, wire.chunks(1)), &want);
        }
    }

    #[test]
    fn a_mask_taken_off_in_pieces_is_the_same_mask(bytes: Vec<u8>, mask: Mask, cut: prop::sample::Index) {
        let cut = cut.index(bytes.len() + 1);
        let mut mixed = bytes.clone();
        frame::apply_mask(&mut mixed, mask, 0);
        frame::apply_mask(&mut mixed[..cut], mask, 0);
        frame::apply_mask(&mut mixed[cut..], mask, cut);
        prop_assert_eq!(mixed, bytes);
    }
}
