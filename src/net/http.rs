//! HTTP/1.1 over a connection that is open, as a client: one request at a time. No redirect is followed.

use super::stream::ClientStream;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::{Request, Response, Result};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;

/// Longest head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A connection on which requests can be made; dropped, it is closed.
#[derive(Debug)]
pub struct HttpClientConnection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl HttpClientConnection {
    /// Takes a connection.
    ///
    /// # Errors
    /// When it is already closed.
    pub async fn new(stream: ClientStream) -> Result<HttpClientConnection> {
        let io = TokioIo::new(stream);
        let (sender, connection) = Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(io).await?;
        // What goes wrong with it is told to whoever waits for an answer.
        let driver = tokio::spawn(async move { _ = connection.await });
        Ok(HttpClientConnection { sender, driver })
    }

    /// The head of the answer to a request, and its body as it comes.
    ///
    /// # Errors
    /// When there is no head.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }

    /// Resolves when the connection is over.
    pub async fn closed(&mut self) {
        let _ = (&mut self.driver).await;
    }
}

impl Drop for HttpClientConnection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
