//! A connection with its input that is not parsed yet, and its output that is not written yet.
//!
//! Every future here can be dropped without losing or repeating bytes: bytes leave `out` only when the kernel has them, and
//! stay in `input` until [`BufferedStream::take_input`].

use crate::net::stream::ClientStream;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes read at once.
const READ_BYTES: usize = 8 * 1024;

/// The connection.
#[derive(Debug)]
pub struct BufferedStream {
    stream: ClientStream,
    /// Bytes read and not parsed yet.
    pub input: Vec<u8>,
    /// Bytes to be written.
    pub out: Vec<u8>,
    written: usize,
}

impl BufferedStream {
    /// With empty buffers.
    pub fn new(stream: ClientStream) -> BufferedStream {
        BufferedStream { stream, input: Vec::new(), out: Vec::new(), written: 0 }
    }

    /// Writes all of `out`.
    ///
    /// # Errors
    /// When writing fails.
    pub async fn flush(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            let taken = self.stream.write(&self.out[self.written..]).await?;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.written += taken;
        }
        self.out.clear();
        self.written = 0;
        self.stream.flush().await
    }

    /// Reads more into `input`.
    ///
    /// # Errors
    /// When reading fails; `UnexpectedEof` at the end.
    pub async fn fill(&mut self) -> io::Result<()> {
        let mut some = [0u8; READ_BYTES];
        match self.stream.read(&mut some).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.input.extend_from_slice(&some[..read]);
                Ok(())
            }
        }
    }

    /// Removes the first bytes of the input and returns them.
    pub fn take_input(&mut self, bytes: usize) -> Vec<u8> {
        self.input.drain(..bytes.min(self.input.len())).collect()
    }
}
