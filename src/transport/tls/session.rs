//! The state of one TLS connection, of either side, without its socket.
//!
//! rustls' unbuffered form is used: it leaves the buffers to us, and so they are the thread's. A reading takes what the
//! socket has into the thread's input buffer, behind the beginning of a record that is kept from last time, lets
//! rustls decrypt what is whole, and gives the plain bytes to whoever asked. What rustls says by itself (the
//! handshake, tickets, alerts) is sent as it arises.
//!
//! All of it keeps the manners of a non-blocking socket: `WouldBlock` means that nothing can be done until the socket
//! is ready. Two things are peculiar to TLS and must be asked after: whether records wait that the socket did not take
//! ([`TlsSession::wants_write`]), and whether a reading that did not fill its buffer may have left something behind
//! ([`TlsSession::may_hold_more`]), for then no readiness will be told anew.

use crate::domain::id::{Id, IdRef};
use crate::transport::tls::certificate;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{ClientConfig, CommonState, Error, ServerConfig};
use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

/// Bytes of the wire that are looked at once: two records of the greatest length, and a handshake that comes in
/// pieces. A handshake that is longer is refused.
const INPUT_BYTES: usize = 40 * 1024;
/// Plain bytes that are made one record.
const CHUNK_BYTES: usize = 16 * 1024;
/// Records that may wait for the socket before nothing more is read: a peer who asks and does not listen.
const OUTGOING_BYTES_MAX: usize = 64 * 1024;
/// What the thread's output buffer keeps between two writings.
const OUTPUT_BYTES_KEPT: usize = 32 * 1024;

/// One connection's TLS.
pub struct TlsSession {
    side: Side,
    /// The beginning of a record, or of a handshake in several.
    incoming: Vec<u8>,
    /// Plain bytes that nobody has asked for yet, from `plain_read` on.
    plain: Vec<u8>,
    plain_read: usize,
    /// Records that the socket did not take.
    outgoing: Vec<u8>,
    name: Option<Box<Id>>,
    /// The last reading emptied the socket.
    drained: bool,
    /// The other side has said that it is done, or has gone.
    heard_all: bool,
    said_all: bool,
    failed: bool,
}

enum Side {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// The buffers of a thread.
struct TlsScratch {
    input: Box<[u8]>,
    output: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<TlsScratch> =
        RefCell::new(TlsScratch { input: vec![0; INPUT_BYTES].into(), output: Vec::new() });
}

/// What is to be said when the records are read.
enum TlsWrite<'a> {
    Nothing,
    Plain(&'a [u8]),
    Goodbye,
}

/// Where what is read goes.
struct PlainSink<'a> {
    bytes: &'a mut [u8],
    filled: usize,
    rest: &'a mut Vec<u8>,
    heard_all: &'a mut bool,
}

impl PlainSink<'_> {
    fn take(&mut self, plain: &[u8]) {
        // What came first is asked for first.
        let room = if self.rest.is_empty() { self.bytes.len() - self.filled } else { 0 };
        let (now, later) = plain.split_at(plain.len().min(room));
        self.bytes[self.filled..self.filled + now.len()].copy_from_slice(now);
        self.filled += now.len();
        self.rest.extend_from_slice(later);
    }
}

impl TlsSession {
    /// The session of a client that a listener has let in.
    pub fn server(config: Arc<ServerConfig>) -> Result<TlsSession, Error> {
        UnbufferedServerConnection::new(config).map(|server| TlsSession::new(Side::Server(server)))
    }

    /// The session of a client with the server of that name.
    pub fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<TlsSession, Error> {
        UnbufferedClientConnection::new(config, name).map(|client| TlsSession::new(Side::Client(client)))
    }

    /// Bytes that are kept between two readings.
    pub fn kept_bytes(&self) -> usize {
        self.incoming.len() + self.plain.len() + self.outgoing.len()
    }

    fn new(side: Side) -> TlsSession {
        TlsSession {
            side,
            incoming: Vec::new(),
            plain: Vec::new(),
            plain_read: 0,
            outgoing: Vec::new(),
            name: None,
            drained: false,
            heard_all: false,
            said_all: false,
            failed: false,
        }
    }

    /// Whether the handshake is still under way.
    pub fn is_handshaking(&self) -> bool {
        self.common().is_handshaking()
    }

    /// Whether records wait that the socket did not take.
    pub fn wants_write(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether there may be something to read though the last reading did not fill its buffer.
    pub fn may_hold_more(&self) -> bool {
        !self.drained || self.heard_all || self.failed || self.plain_read < self.plain.len()
    }

    /// The name in the other side's certificate, where it can name a monitor. Known once the handshake is over.
    pub fn name(&self) -> Option<IdRef<'_>> {
        self.name.as_deref().map(Id::as_ref)
    }

    /// The protocol that both sides have agreed on, if they spoke of any.
    pub fn protocol(&self) -> Option<&[u8]> {
        self.common().alpn_protocol()
    }

    /// Goes on with the handshake; `Ok` when it is over. The last of it may still wait to be sent.
    ///
    /// # Errors
    /// `WouldBlock` where the socket must be waited for. `InvalidData` where the other side speaks no TLS, or another
    /// than we do, or shows no certificate that we accept; why is told by the error.
    pub fn handshake<S: Read + Write>(&mut self, socket: &mut S) -> io::Result<()> {
        if self.is_handshaking() && self.outgoing.is_empty() {
            // A client begins to speak by itself.
            self.say(socket, TlsWrite::Nothing)?;
        }
        loop {
            if !self.is_handshaking() {
                return match self.flush(socket) {
                    Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
                    _ => Ok(()),
                };
            }
            match self.receive(socket, &mut []) {
                Ok(_) if self.heard_all => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads plain bytes. 0 is the end, with a goodbye or without: what must not be cut short says its own length.
    pub fn read<S: Read + Write>(&mut self, socket: &mut S, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.plain_read < self.plain.len() {
                return Ok(self.take_plain(bytes));
            }
            if self.heard_all || bytes.is_empty() {
                return Ok(0);
            }
            if self.failed {
                return Err(ErrorKind::InvalidData.into());
            }
            let read = self.receive(socket, bytes)?;
            if read > 0 {
                return Ok(read);
            }
        }
    }

    /// Takes bytes to be sent, as many as it can without keeping more than a record: fewer than all only where the
    /// socket is full. [`TlsSession::wants_write`] says whether the last of them still waits.
    pub fn write<S: Read + Write>(&mut self, socket: &mut S, bytes: &[u8]) -> io::Result<usize> {
        if self.is_handshaking() {
            return Err(ErrorKind::WouldBlock.into());
        }
        if self.said_all || self.failed {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.flush(socket)?;
        let mut taken = 0;
        for chunk in bytes.chunks(CHUNK_BYTES) {
            self.say(socket, TlsWrite::Plain(chunk))?;
            taken += chunk.len();
            if self.wants_write() {
                break;
            }
        }
        Ok(taken)
    }

    /// Sends what waits; `Ok` when nothing does.
    pub fn flush<S: Read + Write>(&mut self, socket: &mut S) -> io::Result<()> {
        let mut sent = 0;
        let ended = loop {
            if sent == self.outgoing.len() {
                break Ok(());
            }
            match socket.write(&self.outgoing[sent..]) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(n) => sent += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        if sent == self.outgoing.len() {
            self.outgoing = Vec::new();
        } else {
            self.outgoing.drain(..sent);
        }
        ended
    }

    /// Says that nothing more will be sent, once; `Ok` when that is sent too.
    pub fn end<S: Read + Write>(&mut self, socket: &mut S) -> io::Result<()> {
        if !self.said_all && !self.failed && !self.is_handshaking() {
            self.say(socket, TlsWrite::Goodbye)?;
            self.said_all = true;
        }
        self.flush(socket)
    }

    /// One reading of the socket. Answers how many plain bytes came of it; those that `bytes` cannot hold are kept.
    fn receive<S: Read + Write>(&mut self, socket: &mut S, bytes: &mut [u8]) -> io::Result<usize> {
        match self.flush(socket) {
            Err(error)
                if error.kind() == ErrorKind::WouldBlock && self.outgoing.len() < OUTGOING_BYTES_MAX => {}
            flushed => flushed?,
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let TlsScratch { input, output } = scratch;
            let kept = self.incoming.len();
            let Some(room) = input.len().checked_sub(kept).filter(|room| *room > 0) else {
                return Err(self.fail(Error::General("a handshake without end".into())));
            };
            let read = socket.read(&mut input[kept..])?;
            self.drained = read < room;
            if read == 0 {
                self.heard_all = true;
                return Ok(0);
            }
            input[..kept].copy_from_slice(&self.incoming);
            let filled = kept + read;
            output.clear();
            let shook = self.is_handshaking();
            let mut plain = std::mem::take(&mut self.plain);
            plain.drain(..std::mem::take(&mut self.plain_read));
            let mut sink = PlainSink { bytes, filled: 0, rest: &mut plain, heard_all: &mut self.heard_all };
            let outcome = self.side.process(&mut input[..filled], &mut sink, output, &TlsWrite::Nothing);
            let got = sink.filled;
            self.plain = plain;
            self.send(socket, output)?;
            output.shrink_to(OUTPUT_BYTES_KEPT);
            match outcome {
                Ok(used) if used == filled => self.incoming = Vec::new(),
                Ok(used) => {
                    self.incoming.clear();
                    self.incoming.extend_from_slice(&input[used..filled]);
                }
                // What came before the fault is still good.
                Err(error) if got > 0 || !self.plain.is_empty() => drop(self.fail(error)),
                Err(error) => return Err(self.fail(error)),
            }
            if shook && !self.is_handshaking() {
                let shown = self.common().peer_certificates().and_then(|chain| chain.first());
                self.name = shown.and_then(certificate::name_of).map(Box::new);
            }
            Ok(got)
        })
    }

    /// Says something, after what the session has to say by itself.
    fn say<S: Read + Write>(&mut self, socket: &mut S, what: TlsWrite<'_>) -> io::Result<()> {
        SCRATCH.with_borrow_mut(|scratch| {
            let output = &mut scratch.output;
            output.clear();
            let mut sink = PlainSink {
                bytes: &mut [],
                filled: 0,
                rest: &mut self.plain,
                heard_all: &mut self.heard_all,
            };
            let outcome = self.side.process(&mut self.incoming, &mut sink, output, &what);
            self.send(socket, output)?;
            output.shrink_to(OUTPUT_BYTES_KEPT);
            match outcome {
                Ok(used) => {
                    self.incoming.drain(..used);
                    Ok(())
                }
                Err(error) => Err(self.fail(error)),
            }
        })
    }

    /// Sends records, or keeps what the socket does not take.
    fn send<S: Read + Write>(&mut self, socket: &mut S, records: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        while self.outgoing.is_empty() && sent < records.len() {
            match socket.write(&records[sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => sent += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.outgoing.extend_from_slice(&records[sent..]);
        Ok(())
    }

    fn take_plain(&mut self, bytes: &mut [u8]) -> usize {
        let rest = &self.plain[self.plain_read..];
        let taken = rest.len().min(bytes.len());
        bytes[..taken].copy_from_slice(&rest[..taken]);
        self.plain_read += taken;
        if self.plain_read == self.plain.len() {
            self.plain = Vec::new();
            self.plain_read = 0;
        }
        taken
    }

    fn fail(&mut self, error: Error) -> io::Error {
        self.failed = true;
        self.incoming = Vec::new();
        io::Error::new(ErrorKind::InvalidData, error)
    }

    fn common(&self) -> &CommonState {
        match &self.side {
            Side::Server(server) => server,
            Side::Client(client) => client,
        }
    }
}

impl std::fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSession").field("shaking", &self.is_handshaking()).finish_non_exhaustive()
    }
}

/// What came of one step of rustls.
enum RecordStep {
    /// There may be another.
    Again,
    /// It has done what it can.
    Done,
}

impl Side {
    /// Reads every whole record of `input`, then says what is to be said, if that is possible by now. Answers how many
    /// bytes of `input` are done with; records to be sent are behind those that stood in `output`.
    fn process(
        &mut self,
        input: &mut [u8],
        sink: &mut PlainSink<'_>,
        output: &mut Vec<u8>,
        say: &TlsWrite<'_>,
    ) -> Result<usize, Error> {
        let mut used = 0;
        let mut failed = None;
        loop {
            let input = input.get_mut(used..).unwrap_or_default();
            let step = match self {
                Side::Server(server) => step(server.process_tls_records(input), sink, output, say),
                Side::Client(client) => step(client.process_tls_records(input), sink, output, say),
            };
            used += step.0;
            match (step.1, failed) {
                // One more step, for the alert that tells the other side why.
                (Err(error), None) => failed = Some(error),
                (_, Some(error)) => return Err(error),
                (Ok(RecordStep::Again), None) => failed = None,
                (Ok(RecordStep::Done), None) => return Ok(used),
            }
        }
    }
}

/// One step: how many bytes of the input are done with, and whether there is another.
fn step<D>(
    status: UnbufferedStatus<'_, '_, D>,
    sink: &mut PlainSink<'_>,
    output: &mut Vec<u8>,
    say: &TlsWrite<'_>,
) -> (usize, Result<RecordStep, Error>) {
    let UnbufferedStatus { mut discard, state } = status;
    let outcome = match state {
        Err(error) => Err(error),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
            match traffic.next_record() {
                None => break Ok(RecordStep::Again),
                Some(Err(error)) => break Err(error),
                Some(Ok(record)) => {
                    discard += record.discard;
                    sink.take(record.payload);
                }
            }
        },
        Ok(ConnectionState::EncodeTlsData(mut data)) => append(output, 512, |room| {
            data.encode(room).map_err(|error| match error {
                EncodeError::InsufficientSize(size) => ShortBuffer::By(size.required_size),
                EncodeError::AlreadyEncoded => ShortBuffer::Never(error.to_string()),
            })
        }),
        // It lies in the output buffer, whose bytes are sent or kept.
        Ok(ConnectionState::TransmitTlsData(sent)) => {
            sent.done();
            Ok(RecordStep::Again)
        }
        Ok(ConnectionState::PeerClosed) => {
            *sink.heard_all = true;
            Ok(RecordStep::Again)
        }
        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
            let short = |error| match error {
                EncryptError::InsufficientSize(size) => ShortBuffer::By(size.required_size),
                EncryptError::EncryptExhausted => ShortBuffer::Never(error.to_string()),
            };
            match say {
                TlsWrite::Nothing => Ok(RecordStep::Done),
                TlsWrite::Plain(plain) => {
                    append(output, plain.len() + 256, |room| traffic.encrypt(plain, room).map_err(short))
                }
                TlsWrite::Goodbye => {
                    append(output, 64, |room| traffic.queue_close_notify(room).map_err(short))
                }
            }
            .map(|_| RecordStep::Done)
        }
        Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => Ok(RecordStep::Done),
        Ok(_) => Err(Error::General("a state of TLS that was not asked for".into())),
    };
    (discard, outcome)
}

/// Why nothing was written.
enum ShortBuffer {
    /// It needs so much room.
    By(usize),
    /// It never will be.
    Never(String),
}

/// Appends what `write` writes, with more room where it asks for it.
fn append(
    output: &mut Vec<u8>,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, ShortBuffer>,
) -> Result<RecordStep, Error> {
    let began = output.len();
    loop {
        output.resize(began + room, 0);
        match write(&mut output[began..]) {
            Ok(written) => {
                output.truncate(began + written);
                return Ok(RecordStep::Again);
            }
            Err(ShortBuffer::By(required)) if required > room => room = required,
            Err(short) => {
                output.truncate(began);
                return Err(Error::General(match short {
                    ShortBuffer::By(_) => "a record that fits nowhere".into(),
                    ShortBuffer::Never(why) => why,
                }));
            }
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
