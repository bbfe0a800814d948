//! The least that a server can do: read, and answer a constant. Nothing is parsed and nothing written down.

use super::Outcome;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};

/// Serves for ever on two threads, as many as the others have on two cores.
pub fn serve(port: u16, answer: &'static [u8]) -> Outcome<()> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    let second = listener.try_clone()?;
    std::thread::spawn(move || run(second, answer).map_err(|e| e.to_string()));
    run(listener, answer)
}

fn run(listener: std::net::TcpListener, answer: &[u8]) -> Outcome<()> {
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(256);
    poll.registry().register(&mut listener, Token(0), Interest::READABLE)?;
    let mut streams = HashMap::new();
    let mut next = 1;
    let mut buffer = vec![0; 65536];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == Token(0) {
                // One at a time, so that both threads get their share.
                if let Ok((mut stream, _)) = listener.accept() {
                    poll.registry().register(&mut stream, Token(next), Interest::READABLE)?;
                    streams.insert(next, stream);
                    next += 1;
                    poll.registry().reregister(&mut listener, Token(0), Interest::READABLE)?;
                }
                continue;
            }
            let Some(stream) = streams.get_mut(&event.token().0) else { continue };
            let gone = match stream.read(&mut buffer) {
                Ok(0) => true,
                Ok(_) => stream.write_all(answer).is_err(),
                Err(error) => error.kind() != ErrorKind::WouldBlock,
            };
            if gone {
                streams.remove(&event.token().0);
            }
        }
    }
}
