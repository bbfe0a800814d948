//! The socket as hyper sees it: what was read before comes first, hyper's bare refusals get a reason, what TLS keeps is
//! counted, and the connection's phase is noted.

use super::phase::{ANSWERED, HEAD, IDLE, Phase};
use crate::domain::limits::counted_bytes;
use crate::sys::clock;
use crate::transport::budget;
use crate::transport::listener_context::ListenerContext;
use crate::transport::stream::Stream;
use crate::wire::answer::Answer;
use bytes::{Buf, Bytes, BytesMut};
use hyper::rt::{Read, ReadBufCursor, Write};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The socket as hyper sees it.
pub(super) struct HyperIo {
    pub(super) stream: Stream,
    /// Bytes read before hyper had the connection.
    pub(super) ahead: Bytes,
    /// Our words in place of a bare refusal of hyper's, and what hyper would not wait for, as far as it is not sent.
    pub(super) waiting: BytesMut,
    pub(super) phase: Arc<Phase>,
    pub(super) context: Arc<ListenerContext>,
    /// What is counted of what TLS keeps of it and what waits.
    pub(super) counted: usize,
}

impl Read for HyperIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut scratch = [0u8; 8192];
        let room = cursor.remaining().min(scratch.len());
        let read = if this.ahead.has_remaining() {
            let n = this.ahead.len().min(room);
            this.ahead.copy_to_slice(&mut scratch[..n]);
            n
        } else {
            let mut buf = ReadBuf::new(&mut scratch[..room]);
            let read = Pin::new(&mut this.stream).poll_read(cx, &mut buf);
            this.account()?;
            ready!(read)?;
            buf.filled().len()
        };
        cursor.put_slice(&scratch[..read]);
        if read > 0 && matches!(this.phase.get(), IDLE | ANSWERED) {
            this.phase.set(HEAD);
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for HyperIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Only the service makes answers with a body; one that comes while it has no request is hyper's own.
        let own = matches!(this.phase.get(), IDLE | HEAD);
        if let Some(words) = if own { words_for_refusal(bytes) } else { None } {
            this.waiting.extend_from_slice(&words);
            return Poll::Ready(Ok(bytes.len()));
        }
        if !this.waiting.has_remaining() {
            let sent = Pin::new(&mut this.stream).poll_write(cx, bytes);
            this.account()?;
            this.phase.sent(sent.is_ready());
            if sent.is_ready() || !this.phase.upgrade.load(Ordering::Relaxed) {
                return sent;
            }
        }
        // At most one answer, as hyper reads no further request before the flush is done.
        this.waiting.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_waiting(cx))?;
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.account()?;
        if flushed.is_pending() {
            this.phase.sent(false);
        }
        ready!(flushed)?;
        this.phase.blocked.store(false, Ordering::Relaxed);
        if this.phase.get() == ANSWERED {
            this.phase.set(IDLE);
        }
        Poll::Ready(Ok(()))
    }

    /// Only sends what is left: the socket is closed outside, where the client can be heard out first.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_waiting(cx)
    }
}

impl HyperIo {
    /// Says how much is kept of it; an error where there is no room for that.
    fn account(&mut self) -> io::Result<()> {
        let kept = counted_bytes(self.stream.kept_bytes() + self.waiting.len());
        if kept == self.counted {
            return Ok(());
        }
        self.phase.keep(kept, self.context.engine.policy().limits.memory).map_err(|why| {
            self.context.engine.stats().count_refused(why);
            io::Error::other(budget::reason(why))
        })?;
        self.counted = kept;
        Ok(())
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.waiting.has_remaining() {
            let sent = Pin::new(&mut self.stream).poll_write(cx, &self.waiting);
            self.phase.sent(sent.is_ready());
            let sent = ready!(sent)?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(sent);
        }
        Poll::Ready(Ok(()))
    }
}

/// hyper's own answer to a head that it cannot read, with a reason and a body.
fn words_for_refusal(bytes: &[u8]) -> Option<Vec<u8>> {
    let status = std::str::from_utf8(bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?).ok()?.parse().ok()?;
    let reason = match status {
        400 => "not an HTTP/1.1 request: its first line or a header is malformed",
        414 => "the path is too long",
        431 => "the request head is too large (limits.header_bytes, limits.header_lines)",
        _ => return None,
    };
    Some(Answer::error(status, reason).last_bytes(clock::wall()))
}
