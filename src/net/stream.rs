//! The byte stream of a connection that we opened: TCP or a unix socket, plain or under TLS.

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A stream.
#[derive(Debug)]
pub enum ClientStream {
    /// TCP.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl ClientStream {
    /// TLS over a connection, once the handshake is over. It is for the caller to bound its time.
    ///
    /// # Errors
    /// `InvalidInput` where `host` is no name that a certificate can bear. `InvalidData` where the other side speaks no TLS
    /// or shows no certificate that is trusted; the [`rustls::Error`] is inside. Others are the socket's.
    pub async fn encrypted(
        stream: TcpStream,
        config: Arc<ClientConfig>,
        host: &str,
    ) -> io::Result<ClientStream> {
        let name = ServerName::try_from(host.to_string())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let stream = TlsConnector::from(config).connect(name, stream).await?;
        Ok(ClientStream::Tls(Box::new(stream)))
    }

    /// The other end's address.
    ///
    /// # Errors
    /// When it has none, or none any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            ClientStream::Tcp(stream) => stream.peer_addr(),
            ClientStream::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            ClientStream::Tls(stream) => stream.get_ref().0.peer_addr(),
        }
    }
}

/// Does the same with the stream that it is.
macro_rules! forward {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream.get_mut() {
            ClientStream::Tcp(inner) => {
                let $inner = Pin::new(inner);
                $call
            }
            ClientStream::Unix(inner) => {
                let $inner = Pin::new(inner);
                $call
            }
            ClientStream::Tls(inner) => {
                let $inner = Pin::new(&mut **inner);
                $call
            }
        }
    };
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match forward!(self, inner => inner.poll_read(cx, into)) {
            // Over TLS: the other side closed without close_notify, as many do. What is cut short shows where it is read.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            read => read,
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self, inner => inner.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, inner => inner.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, inner => inner.poll_shutdown(cx))
    }
}
