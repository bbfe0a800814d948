//! Raw TCP: no bytes make the conversation panic, and however they are cut they tell the same, with moments of quiet in
//! between that come at the same bytes.
#![no_main]

use heartbeat_server::wire::dialect::{DialectEvent, DialectParser};
use heartbeat_server::wire::line::LineCommand;
use libfuzzer_sys::fuzz_target;

const LENGTH_MAX: usize = 256 * 1024;

fn word(event: DialectEvent<'_>) -> String {
    match event {
        DialectEvent::Command(LineCommand::Beat(mut fields)) => format!("{:?}", fields.beat()),
        other => format!("{other:?}"),
    }
}

/// What is told when the bytes come in pieces of `size`, with quiet after every `quiet` bytes.
fn told(stream: &[u8], size: usize, quiet: usize) -> Vec<String> {
    let (mut talk, mut said) = (DialectParser::new(), Vec::new());
    for part in stream.chunks(quiet) {
        for piece in part.chunks(size) {
            talk.feed(piece, LENGTH_MAX, &mut |event| said.push(word(event)));
        }
        talk.quiet(&mut |event| said.push(word(event)));
        assert!(!talk.wants_quiet());
    }
    said
}

fuzz_target!(|data: &[u8]| {
    let [size, quiet, stream @ ..] = data else { return };
    let (size, quiet) = (usize::from(*size) % 16 + 1, usize::from(*quiet) + 1);
    assert_eq!(told(stream, size, quiet), told(stream, usize::MAX, quiet));
});
