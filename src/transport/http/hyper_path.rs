//! The path of an HTTP worker: hyper reads the requests, [`routes`] answers them.
//!
//! hyper gets the socket behind [`HyperIo`], which first hands it the bytes that the fast path had read. Three things that
//! hyper leaves to its user are done here: the time a head may take, the client that must be heard out after a
//! refusal, and a JSON reason where hyper itself refuses a head (it would answer with a bare status line).

mod answer_body;
mod beat_request;
mod hyper_io;
mod phase;

use crate::domain::address::Peer;
use crate::domain::id::{Id, IdRef};
use crate::domain::limits::{CONTROL_BODY_BYTES_MAX, LINGER_MAX, UNCOUNTED_BYTES};
use crate::engine::SenderRefusal;
use crate::engine::stats::ConnectionRefusal;
use crate::sys::clock;
use crate::transport::budget::{self, MemoryReservation, ShedSignal};
use crate::transport::conversation::ws::WebSocketOpening;
use crate::transport::deadline::{Deadline, Wakeup};
use crate::transport::http::beats::{self, BeatForm};
use crate::transport::http::io::{finish, leave, linger};
use crate::transport::http::routes::{self, Caller, Route, RouteReply, RouteRequest};
use crate::transport::http::upgrade;
use crate::transport::listener_context::ListenerContext;
use crate::transport::stream::Stream;
use crate::wire::answer::Answer;
use crate::wire::compat::CompatRequest;
use crate::wire::head::Facts;
use crate::wire::origin::host_asked_for;
use answer_body::{StreamedBody, response, switching};
use beat_request::{bring, not_as_it_is, read_body};
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Incoming};
use hyper::header::{HeaderValue, UPGRADE};
use hyper::{Method, Request, Version};
use hyper_io::HyperIo;
use phase::{ANSWERED, BUSY, HEAD, IDLE, Phase, STREAMING};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Poll, ready};
use std::time::Duration;

/// A connection that a reactor shall have back.
pub struct Released {
    /// Its stream.
    pub stream: Stream,
    /// What was read of it and not used.
    pub read: Vec<u8>,
    /// What it is now, where it speaks HTTP no more.
    pub opening: Option<WebSocketOpening>,
}

/// Serves a connection to its end, until it has become a WebSocket, or until it can be left to the next process. `read` is
/// what was read of it so far, and `own` what it makes us hold already.
pub async fn serve(
    stream: Stream,
    read: Vec<u8>,
    peer: Peer,
    context: &Arc<ListenerContext>,
    deadline: Deadline,
    mut own: MemoryReservation,
) -> Option<Released> {
    let shed = &own.signal().clone();
    let limits = context.engine.policy().limits.clone();
    let now = AtomicU8::new(if read.is_empty() { IDLE } else { HEAD });
    let phase = Arc::new(Phase {
        now,
        changes: AtomicU32::new(0),
        upgrade: AtomicBool::new(false),
        blocked: AtomicBool::new(false),
        proxy: Some(peer).filter(|peer| context.options.proxies.relays(*peer)),
        base: own.bytes(),
        own: Mutex::new(own),
        held: Mutex::new(None),
        opening: OnceLock::new(),
    });
    let wire = HyperIo {
        stream,
        ahead: Bytes::from(read),
        waiting: BytesMut::new(),
        phase: phase.clone(),
        context: context.clone(),
        counted: 0,
    };
    let caller = Caller::of(context, peer, || wire.stream.peer_uid());
    let name = wire.stream.name().map(IdRef::to_id);
    let service = {
        let (context, phase, shed) = (context.clone(), phase.clone(), shed.clone());
        hyper::service::service_fn(move |request: Request<Incoming>| {
            let (context, phase, name, shed) = (context.clone(), phase.clone(), name.clone(), shed.clone());
            phase.upgrade.store(request.headers().contains_key(UPGRADE), Ordering::Relaxed);
            // hyper hands its connection back only from futures that can be moved.
            Box::pin(async move {
                phase.set(BUSY);
                let mut client = peer;
                let reply = answer(&context, peer, name, caller, request, (&phase, &shed), &mut client).await;
                Ok::<_, Infallible>(match reply {
                    RouteReply::Whole(answer) => {
                        let answer = within_budget(answer, &context, client, &phase, &shed);
                        phase.set(ANSWERED);
                        response(answer, None)
                    }
                    RouteReply::BodyStream(head, flow) => {
                        phase.set(STREAMING);
                        response(head, Some(StreamedBody { flow, phase }))
                    }
                    RouteReply::Socket(accept, opening) => {
                        let _ = phase.opening.set(opening);
                        phase.set(ANSWERED);
                        switching(&accept)
                    }
                })
            })
        })
    };
    let mut connection = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .max_headers(limits.header_lines)
        .max_header_size(limits.header_bytes)
        .max_buf_size((limits.header_bytes + 1).max(16 * 1024))
        .serve_connection(wire, service);
    let mut watched = None;
    let (mut draining, mut streamed) = (false, false);
    let mut hand_back = false;
    let end = poll_fn(|cx| {
        shed.wake(cx.waker());
        loop {
            if shed.shed_host().is_some() {
                return Poll::Ready(ServeEnd::Shed(phase.get()));
            }
            if Pin::new(&mut connection).poll(cx).is_ready() {
                return Poll::Ready(ServeEnd::Over);
            }
            // Between two requests hyper holds nothing but what it has read and not understood.
            if hand_back && matches!(phase.get(), IDLE | HEAD) {
                return Poll::Ready(ServeEnd::HandedBack);
            }
            let (now, changes) = (phase.get(), Some(phase.changes.load(Ordering::Relaxed)));
            if watched != changes {
                watched = changes;
                streamed |= now == STREAMING;
                match now {
                    // A stop waits for nobody who does not take the end of his stream.
                    _ if draining && streamed => deadline.set(LINGER_MAX),
                    HEAD => deadline.set(limits.header_timeout),
                    _ if phase.blocked.load(Ordering::Relaxed) => deadline.set(limits.write_timeout),
                    BUSY | STREAMING => deadline.clear(),
                    _ => deadline.set(limits.idle_timeout),
                }
            }
            match ready!(deadline.poll(cx, !draining)) {
                Wakeup::Timeout => return Poll::Ready(ServeEnd::Timeout(now)),
                call => {
                    draining = true;
                    if streamed {
                        watched = None;
                    }
                    // What cannot be left to the next process, and what goes on and on, ends in any case.
                    hand_back = call == Wakeup::HandBack && context.hands_over() && !streamed;
                    if !hand_back {
                        Pin::new(&mut connection).graceful_shutdown();
                    }
                }
            }
        }
    })
    .await;
    let parts = connection.into_parts();
    let HyperIo { mut stream, waiting, ahead, .. } = parts.io;
    // Less always goes.
    let _ = phase.keep(0, 0);
    // What hyper has read and not used, then what it has not read yet.
    let read = || [parts.read_buf, ahead].concat();
    let last = match end {
        ServeEnd::HandedBack => return Some(Released { stream, read: read(), opening: None }),
        ServeEnd::Timeout(HEAD) => {
            context.engine.stats().count_refused(ConnectionRefusal::Timeout);
            Answer::timed_out(false).last_bytes(clock::wall())
        }
        ServeEnd::Shed(stage) => {
            context.engine.stats().count_refused(ConnectionRefusal::Shed);
            context.engine.note_refused(
                clock::now(),
                SenderRefusal::Memory,
                shed.shed_host().unwrap_or(peer),
            );
            // What it holds is given back before it is heard out.
            phase.hold(None);
            // Nothing was asked, or there is no room for another answer in the middle of one.
            if matches!(stage, IDLE | ANSWERED | STREAMING) || phase.blocked.load(Ordering::Relaxed) {
                leave(stream).await;
                return None;
            }
            budget::refusal(ConnectionRefusal::Shed).last_bytes(clock::wall())
        }
        ServeEnd::Timeout(_) => {
            if phase.blocked.load(Ordering::Relaxed) {
                context.engine.stats().count_refused(ConnectionRefusal::Unread);
            }
            leave(stream).await;
            return None;
        }
        ServeEnd::Over => waiting.to_vec(),
    };
    let sent = finish(&mut stream, &last, &deadline, context).await;
    match phase.opening.get() {
        Some(opening) if sent && end == ServeEnd::Over => {
            return Some(Released { stream, read: read(), opening: Some(*opening) });
        }
        None if sent => linger(stream, deadline).await,
        _ => {}
    }
    None
}

/// How hyper's part in a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServeEnd {
    /// There is nothing more to do for it.
    Over,
    /// Its time was up in this phase.
    Timeout(u8),
    /// It can be left to the next process.
    HandedBack,
    /// It held most when there was no room left, in this phase.
    Shed(u8),
}

async fn answer(
    context: &Arc<ListenerContext>,
    peer: Peer,
    name: Option<Id>,
    caller: Caller,
    request: Request<Incoming>,
    (phase, shed): (&Phase, &Arc<ShedSignal>),
    client: &mut Peer,
) -> RouteReply {
    let (head, body) = request.into_parts();
    let headers = || head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let facts = match Facts::collect(headers()) {
        Ok(facts) => facts,
        Err(reason) => return RouteReply::Whole(Answer::error(400, reason).closing()),
    };
    if head.version == Version::HTTP_09 || head.version > Version::HTTP_11 {
        return RouteReply::Whole(Answer::error(505, "this server speaks HTTP/1.1 and HTTP/1.0").closing());
    }
    if head.version == Version::HTTP_11 && facts.host.is_none() {
        return RouteReply::Whole(
            Answer::error(400, "HTTP/1.1 needs a Host header (RFC 9112, 3.2)").closing(),
        );
    }
    if phase.proxy.is_some() {
        // One that cannot be read is refused in any case.
        let client = context.options.proxies.client(peer, &facts).ok();
        let memory = context.engine.policy().limits.memory;
        if let Some(Err(why)) = client.map(|client| phase.own().charge(client, memory)) {
            context.engine.stats().count_refused(why);
            return RouteReply::Whole(budget::refusal(why).closing());
        }
    }
    let is_guest = matches!(caller, Caller::Network(_));
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let lines: Vec<(&str, &[u8])> = headers().collect();
    let (method, at) = (head.method.as_str(), clock::wall());
    let foreign = CompatRequest { method, path, query, headers: &lines, body: b"", at };
    let policy = context.engine.policy().clone();
    let host = host_asked_for(&context.options.proxies, peer, &facts);
    let form = BeatForm::of(foreign, host, Route::of(path).is_some(), &policy);
    let shown = form.and_then(|form| form.credential(&policy, &facts, b""));
    let facts = facts.showing(shown.as_deref());
    if let Some(wait) = beats::token_wait(context, peer, &facts, clock::mono()).filter(|_| is_guest) {
        tokio::time::sleep(Duration::from_millis(wait.0)).await;
    }
    let policy = context.engine.policy().clone();
    let header = |name: &str| head.headers.get(name).map(HeaderValue::as_bytes);
    let coded = header("content-encoding").is_some_and(|e| !e.eq_ignore_ascii_case(b"identity"));
    let text = |name: &str| header(name).and_then(|v| std::str::from_utf8(v).ok()).unwrap_or_default();
    if let Some(form) = form {
        let who = (peer, name, shed);
        return RouteReply::Whole(bring(context, &policy, who, caller, &facts, (form, coded), body).await);
    }
    if head.method == Method::GET && upgrade::is_wanted(path, headers()) {
        return match upgrade::open(context, &policy, caller, path, &facts, headers()) {
            Ok(_) if !body.is_end_stream() => {
                RouteReply::Whole(Answer::error(400, "a handshake has no body").closing())
            }
            Ok((accept, opening)) => RouteReply::Socket(accept, opening),
            Err(refused) if body.is_end_stream() => RouteReply::Whole(refused),
            Err(refused) => RouteReply::Whole(refused.closing()),
        };
    }
    let request = RouteRequest {
        method: head.method.as_str(),
        path,
        query,
        accept: text("accept"),
        language: text("accept-language"),
        facts: &facts,
        shed,
    };
    let whole = body.is_end_stream();
    let unheard = |answer: Answer| {
        // A body that nobody asked for would be taken for the next request, or have to be read for nothing.
        RouteReply::Whole(if whole { answer } else { answer.closing() })
    };
    let admitted = match routes::admit(context, &policy, caller, &request) {
        Ok(admitted) => admitted,
        Err(refused) => return unheard(refused),
    };
    *client = admitted.client;
    if !admitted.takes_body {
        return match routes::answer(context, &policy, admitted, &request, &[]).await {
            RouteReply::Whole(answer) => unheard(answer),
            events => events,
        };
    }
    if coded {
        return RouteReply::Whole(not_as_it_is());
    }
    let most = (CONTROL_BODY_BYTES_MAX, "64 KiB are enough for this");
    let mut held = MemoryReservation::of(context.permits.budget.clone(), *client, shed);
    match read_body(context, body, most, &policy, &mut held).await {
        Ok(body) => routes::answer(context, &policy, admitted, &request, &body).await,
        Err(refused) => RouteReply::Whole(refused),
    }
}

/// The answer, if there is room for it until it is sent: hyper has a copy of it meanwhile.
fn within_budget(
    answer: Answer,
    context: &ListenerContext,
    client: Peer,
    phase: &Phase,
    shed: &Arc<ShedSignal>,
) -> Answer {
    if answer.body.len() <= UNCOUNTED_BYTES {
        return answer;
    }
    let mut held = MemoryReservation::of(context.permits.budget.clone(), client, shed);
    match held.set(2 * answer.body.len(), context.engine.policy().limits.memory) {
        Ok(()) => {
            phase.hold(Some(held));
            answer
        }
        Err(why) => {
            context.engine.stats().count_refused(why);
            budget::refusal(why)
        }
    }
}
