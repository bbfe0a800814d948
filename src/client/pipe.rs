//! A connection with what has been read of it and not yet understood, and what is to be written and has not yet gone.
//!
//! Every wait may be broken off without anything being lost or said twice: bytes leave `out` only when the kernel has
//! them, and stay in `input` until somebody takes them.

use crate::net::stream::ClientStream;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes read at once.
const READ_BYTES: usize = 8 * 1024;

/// The connection.
#[derive(Debug)]
pub struct Pipe {
    stream: ClientStream,
    /// What has come.
    pub input: Vec<u8>,
    /// What is to go.
    pub out: Vec<u8>,
    gone: usize,
}

impl Pipe {
    /// With nothing in it.
    pub fn new(stream: ClientStream) -> Pipe {
        Pipe { stream, input: Vec::new(), out: Vec::new(), gone: 0 }
    }

    /// Writes what is to go, down to the last byte.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn flush(&mut self) -> io::Result<()> {
        while self.gone < self.out.len() {
            let taken = self.stream.write(&self.out[self.gone..]).await?;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.gone += taken;
        }
        self.out.clear();
        self.gone = 0;
        self.stream.flush().await
    }

    /// Waits for more input.
    ///
    /// # Errors
    /// When the connection is broken, or its end has come.
    pub async fn more(&mut self) -> io::Result<()> {
        let mut some = [0u8; READ_BYTES];
        match self.stream.read(&mut some).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.input.extend_from_slice(&some[..read]);
                Ok(())
            }
        }
    }

    /// Takes the first bytes of the input.
    pub fn take(&mut self, bytes: usize) -> Vec<u8> {
        self.input.drain(..bytes.min(self.input.len())).collect()
    }
}
