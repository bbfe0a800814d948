//! Datagrams to a local service that may be restarted at any time, under our hands.
//!
//! The socket is never connected: every message names the path it goes to, so a service that re-created its socket
//! is reached by the very next one. A service that is merely slow (its queue holds a few hundred messages, often
//! ten) is waited for, a little, once a batch; beyond that messages are lost and counted.

use super::sink::PATIENCE;
use crate::domain::time::Mono;
use crate::sys::clock;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A way to a service's socket.
pub(super) struct Datagrams {
    socket: UnixDatagram,
    path: PathBuf,
    /// Until when a full queue is waited for; `None`: not at all.
    patient_until: Option<Mono>,
}

impl Datagrams {
    /// Opens our end. An error when there is no socket at the path: the machine has no such service.
    pub fn open(path: &Path) -> io::Result<Datagrams> {
        if !std::fs::metadata(path)?.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it is not a socket"));
        }
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(Duration::from_millis(PATIENCE.0)))?;
        socket.set_nonblocking(true)?;
        Ok(Datagrams { socket, path: path.into(), patient_until: None })
    }

    /// A new batch begins.
    pub fn begin(&mut self, patient: bool) {
        self.set_patience(patient.then(|| clock::mono().after(PATIENCE)));
    }

    /// Sends one message; `WouldBlock` when the other side's queue is full.
    pub fn send(&mut self, message: &[u8]) -> io::Result<()> {
        if self.patient_until.is_some_and(|end| clock::mono() >= end) {
            self.set_patience(None);
        }
        let sent = loop {
            match self.socket.send_to(message, &self.path) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match sent {
            Ok(_) => Ok(()),
            Err(error) => {
                self.set_patience(None);
                Err(error)
            }
        }
    }

    fn set_patience(&mut self, until: Option<Mono>) {
        if until.is_some() != self.patient_until.is_some() {
            // It cannot fail on an open socket; if it did, the time limit on sending still holds.
            let _ = self.socket.set_nonblocking(until.is_none());
        }
        self.patient_until = until;
    }
}
