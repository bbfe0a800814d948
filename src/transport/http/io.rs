//! What an HTTP worker does with a socket besides hyper: finish a write, and close so that the answer arrives.

use crate::domain::limits::{LINGER_BYTES_MAX, LINGER_MAX};
use crate::transport::deadline::Deadline;
use crate::transport::listener_context::ListenerContext;
use crate::transport::stream::Stream;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Sends all of `bytes`; false when the client is gone or takes too long.
pub async fn finish(
    stream: &mut Stream,
    bytes: &[u8],
    deadline: &Deadline,
    context: &ListenerContext,
) -> bool {
    let mut sent = 0;
    deadline.set(context.engine.policy().limits.write_timeout);
    let done = poll_fn(|cx| {
        while sent < bytes.len() {
            match Pin::new(&mut *stream).poll_write(cx, &bytes[sent..]) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Ready(Ok(n)) => sent += n,
                Poll::Pending => return deadline.poll(cx, false).map(|_| false),
            }
        }
        match Pin::new(&mut *stream).poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed.is_ok()),
            Poll::Pending => deadline.poll(cx, false).map(|_| false),
        }
    })
    .await;
    deadline.set(context.engine.policy().limits.idle_timeout);
    done
}

/// Closes so that the last answer arrives: says that nothing more will come, and hears the client out for a moment.
/// Closing with bytes unread would make the kernel reset the connection and the client lose the answer.
pub async fn linger(mut stream: Stream, deadline: Deadline) {
    deadline.set(LINGER_MAX);
    let (mut said, mut heard) = (false, 0);
    let mut waste = [0u8; 2048];
    poll_fn(|cx| {
        // With TLS there is a word for the end, and it may have to wait.
        said = said || Pin::new(&mut stream).poll_shutdown(cx).is_ready();
        if !said {
            return deadline.poll(cx, true).map(|_| ());
        }
        while heard < LINGER_BYTES_MAX {
            let mut buf = ReadBuf::new(&mut waste);
            match Pin::new(&mut stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => heard += buf.filled().len(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return deadline.poll(cx, true).map(|_| ()),
            }
        }
        Poll::Ready(())
    })
    .await
}

/// Closes at once; what is said before that is what the socket takes.
pub async fn leave(mut stream: Stream) {
    poll_fn(|cx| {
        let _ = Pin::new(&mut stream).poll_shutdown(cx);
        Poll::Ready(())
    })
    .await
}
