//! Conversations: no bytes make one panic, however they are cut it asks and answers the same, it goes on in another process as
//! it would have in this one, and each beat that it takes is answered.
#![no_main]

use heartbeat_server::{domain, engine, transport, wire};
use libfuzzer_sys::fuzz_target;

#[path = "../../src/transport/conversation/play.rs"]
mod play;
#[path = "../../src/transport/conversation/testing.rs"]
mod testing;

fuzz_target!(|data: &[u8]| {
    let [kind, size, stream @ ..] = data else { return };
    let whole = play::play(usize::from(*kind), &[stream], false);
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*size) + 1).collect();
    assert_eq!(play::play(usize::from(*kind), &pieces, false), whole);
    assert_eq!(play::play(usize::from(*kind), &pieces, true), whole);
});
