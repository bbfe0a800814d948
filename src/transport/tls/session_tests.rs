//! Two sessions over a pipe that is cut at every place a network may cut it: what goes in comes out.

use super::*;
use crate::transport::tls::server::{self, ClientAuth, TlsPem};
use rcgen::{CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Numbers without a pattern, the same ones at every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % most.max(1)
    }
}

#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    closed: bool,
}

/// One end of two pipes, which takes and gives a few bytes at a time and often none.
struct End {
    from: Rc<RefCell<Pipe>>,
    to: Rc<RefCell<Pipe>>,
    chance: Chance,
    room: usize,
    /// Whether the last reading could have given more.
    left: bool,
}

fn ends(seed: u64, room: usize) -> (End, End) {
    let (a, b) = (Rc::new(RefCell::default()), Rc::new(RefCell::default()));
    let end = |from: &Rc<_>, to: &Rc<_>, seed| End {
        from: Rc::clone(from),
        to: Rc::clone(to),
        chance: Chance(seed),
        room,
        left: false,
    };
    (end(&a, &b, seed), end(&b, &a, seed + 1))
}

impl Read for End {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut pipe = self.from.borrow_mut();
        if pipe.bytes.is_empty() {
            return if pipe.closed { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        // As a kernel does it: a reading gives all there is, as far as there is room for it. What there is was cut by
        // the writing.
        let n = bytes.len().min(pipe.bytes.len());
        bytes.iter_mut().zip(pipe.bytes.drain(..n)).for_each(|(to, from)| *to = from);
        self.left = !pipe.bytes.is_empty();
        Ok(n)
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pipe = self.to.borrow_mut();
        let room = self.room.saturating_sub(pipe.bytes.len());
        let n = bytes.len().min(1 + self.chance.below(self.room)).min(room);
        if n == 0 || self.chance.below(4) == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        pipe.bytes.extend(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An authority with a server's and a client's certificate.
struct World {
    ca: String,
    server: (String, String),
    client: (String, String),
}

fn world() -> World {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str, purpose| {
        let mut params = CertificateParams::new(vec![name.to_string()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &ca).unwrap().pem(), key.serialize_pem())
    };
    World {
        ca: ca.pem(),
        server: issue("localhost", ExtendedKeyUsagePurpose::ServerAuth),
        client: issue("web-1.example", ExtendedKeyUsagePurpose::ClientAuth),
    }
}

impl World {
    fn server(&self, clients: Option<ClientAuth>) -> TlsSession {
        let clients = clients.map(|auth| (self.ca.as_bytes(), auth));
        let (certificate, key) = (self.server.0.as_bytes(), self.server.1.as_bytes());
        let papers = TlsPem { certificate, key, clients, protocols: &[b"http/1.1"] };
        TlsSession::server(server::config(&papers).unwrap().0).unwrap()
    }

    fn client(&self, versions: &[&'static rustls::SupportedProtocolVersion], shows: bool) -> TlsSession {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match shows {
            false => builder.with_no_client_auth(),
            true => {
                let chain = vec![CertificateDer::from_pem_slice(self.client.0.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(self.client.1.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        TlsSession::client(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
    }
}

/// Both at once until both are done.
fn handshake(client: &mut (TlsSession, End), server: &mut (TlsSession, End)) -> io::Result<()> {
    let mut done = (false, false);
    for _ in 0..100_000 {
        for (side, done) in [(&mut *client, &mut done.0), (&mut *server, &mut done.1)] {
            match side.0.handshake(&mut side.1) {
                Ok(()) => *done = true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if done == (true, true) {
            return Ok(());
        }
    }
    panic!("a handshake without end");
}

/// Sends all of `bytes` from one to the other and back what was heard, until nothing moves.
fn carry(
    from: &mut (TlsSession, End),
    to: &mut (TlsSession, End),
    bytes: &[u8],
    chance: &mut Chance,
) -> Vec<u8> {
    let (mut sent, mut heard) = (0, Vec::new());
    for _ in 0..1_000_000 {
        let next = (sent + 1 + chance.below(40_000)).min(bytes.len());
        match from.0.write(&mut from.1, &bytes[sent..next]) {
            Ok(n) => {
                assert!(n == next - sent || from.0.wants_write(), "all is taken, or the socket is full");
                sent += n;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        let _ = from.0.flush(&mut from.1);
        let mut buffer = vec![0; 1 + chance.below(30_000)];
        loop {
            match to.0.read(&mut to.1, &mut buffer) {
                Ok(n) => {
                    heard.extend_from_slice(&buffer[..n]);
                    if n < buffer.len() && !to.0.may_hold_more() {
                        // The loop of a reactor stops reading here and waits to be told.
                        assert!(to.1.from.borrow().bytes.is_empty(), "something was left behind");
                        break;
                    }
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        if sent == bytes.len() && heard.len() == bytes.len() {
            return heard;
        }
    }
    panic!("{sent} of {} bytes sent, {} heard", bytes.len(), heard.len());
}

#[test]
fn what_goes_in_comes_out_however_it_is_cut() {
    let world = world();
    for seed in 0..24u64 {
        let mut chance = Chance(seed);
        let versions: &[_] =
            if seed % 2 == 0 { &[&rustls::version::TLS13] } else { &[&rustls::version::TLS12] };
        let room = [7, 100, 1_500, 40_000][(seed as usize / 2) % 4];
        let (a, b) = ends(seed, room);
        let mut client = (world.client(versions, seed % 3 == 0), a);
        let mut server = (world.server(Some(ClientAuth::Optional)), b);
        handshake(&mut client, &mut server).unwrap();
        assert_eq!(server.0.name().map(IdRef::as_str), (seed % 3 == 0).then_some("web-1.example"));
        let text: Vec<u8> = (0..60_000 + chance.below(60_000)).map(|n| (n * 7 % 251) as u8).collect();
        assert!(carry(&mut client, &mut server, &text, &mut chance) == text, "seed {seed}: to the server");
        assert!(carry(&mut server, &mut client, &text, &mut chance) == text, "seed {seed}: to the client");
        let idle = [&client.0, &server.0];
        assert!(idle.iter().all(|s| s.incoming.capacity() + s.plain.capacity() + s.outgoing.capacity() == 0));
        // The end is told, and told only after all that came before.
        let last = b"last words";
        while server.0.write(&mut server.1, last).is_err() {}
        let mut heard = Vec::new();
        let mut buffer = [0; 3];
        loop {
            let _ = server.0.end(&mut server.1);
            assert!(server.0.write(&mut server.1, b"x").is_err(), "nothing after a goodbye");
            match client.0.read(&mut client.1, &mut buffer) {
                Ok(0) => break,
                Ok(n) => heard.extend_from_slice(&buffer[..n]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert_eq!(heard, last);
    }
}

#[test]
fn who_must_show_a_certificate_and_has_none_is_not_let_in() {
    let world = world();
    let (a, b) = ends(1, 5_000);
    let mut client = (world.client(rustls::ALL_VERSIONS, false), a);
    let mut server = (world.server(Some(ClientAuth::Required)), b);
    let error = handshake(&mut client, &mut server).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(server.0.failed && server.0.is_handshaking());
}

#[test]
fn who_speaks_no_tls_is_told_so_and_nothing_falls_over() {
    let world = world();
    for seed in 0..200u64 {
        let mut chance = Chance(seed);
        let (mut a, b) = ends(seed, 70_000);
        let mut server = (world.server(None), b);
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
        let noise: Vec<u8> = (0..chance.below(3_000) + 5).map(|_| chance.below(256) as u8).collect();
        // A record of the right form with nonsense in it.
        let mut record = vec![22, 3, 1, (noise.len() >> 8) as u8, noise.len() as u8];
        record.extend_from_slice(&noise);
        let text = [request, noise, record].into_iter().nth(seed as usize % 3).unwrap();
        a.to.borrow_mut().bytes.extend(&text);
        a.to.borrow_mut().closed = true;
        let outcome = loop {
            match server.0.handshake(&mut server.1) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => break outcome,
            }
        };
        let error = outcome.unwrap_err();
        let kind = error.kind();
        assert!(matches!(kind, ErrorKind::InvalidData | ErrorKind::UnexpectedEof), "{kind:?}");
        if kind == ErrorKind::InvalidData {
            while server.0.end(&mut server.1).is_err() {}
            let mut alert = [0; 100];
            match a.read(&mut alert) {
                Ok(n) => assert!(n == 7 && alert[0] == 21, "an alert: {:?}", &alert[..n]),
                // Of a message that is too long rustls says nothing.
                Err(_) => assert!(error.to_string().contains("TooLarge"), "seed {seed}: {error}"),
            }
            assert!(server.0.read(&mut server.1, &mut alert).is_err());
        }
    }
}

#[test]
fn a_hello_that_is_changed_at_any_byte_ends_or_waits_and_nothing_falls_over() {
    let world = world();
    let (a, b) = ends(3, 70_000);
    let mut client = (world.client(rustls::ALL_VERSIONS, false), a);
    while client.0.handshake(&mut client.1).is_err() && b.from.borrow().bytes.is_empty() {}
    while client.0.wants_write() {
        let _ = client.0.flush(&mut client.1);
    }
    let hello: Vec<u8> = b.from.borrow().bytes.iter().copied().collect();
    let mut chance = Chance(9);
    let mut said = 0;
    for at in 0..hello.len() {
        let (x, y) = ends(at as u64, 70_000);
        let mut server = (world.server(None), y);
        let mut text = hello.clone();
        text[at] ^= 1 << chance.below(8);
        x.to.borrow_mut().bytes.extend(&text);
        for _ in 0..20 {
            match server.0.handshake(&mut server.1) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => {
                    assert!(outcome.is_err(), "there was no answer to our answer yet");
                    said += 1;
                    break;
                }
            }
        }
    }
    assert!(said > 50, "{said} of {} were refused", hello.len());
}
