//! The output of a job on its way through: passed on as it is, its end kept.
//!
//! A job that has ended may leave behind children that hold its output open for ever. So after its end what is still in
//! the pipe is passed on, and then the wait is short.

use crate::client::beat::end_of;
use crate::domain::limits::MESSAGE_BYTES_MAX;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::sleep;

/// Bytes passed on at once: a pipe's whole content.
const CHUNK_BYTES: usize = 64 * 1024;
/// How long after the job's end somebody else may be silent, and how often he may say something, before he is left alone.
const QUIET_MAX: Duration = Duration::from_millis(500);
const CHUNKS_AFTER_END_MAX: usize = 256;

/// The last bytes of what was said.
#[derive(Debug, Default)]
pub struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    /// Adds what was said.
    pub fn push(&mut self, more: &[u8]) {
        self.bytes.extend_from_slice(&more[more.len().saturating_sub(MESSAGE_BYTES_MAX)..]);
        if self.bytes.len() > 4 * MESSAGE_BYTES_MAX {
            self.bytes.drain(..self.bytes.len() - MESSAGE_BYTES_MAX);
        }
    }

    /// The end of it as text, beginning with a whole character.
    pub fn text(&self) -> String {
        let end = &self.bytes[self.bytes.len().saturating_sub(MESSAGE_BYTES_MAX)..];
        let is_cut = end.len() < self.bytes.len();
        // The rest of a character that was cut in two.
        let rest = end.iter().take(3).take_while(|byte| is_cut && **byte & 0xc0 == 0x80).count();
        let text = String::from_utf8_lossy(&end[rest..]);
        end_of(&text, MESSAGE_BYTES_MAX).to_string()
    }
}

/// Passes on everything up to the end, or up to a short while after `over` says that the job has ended.
///
/// When nobody reads what we write, we stop reading, so that the job notices as it would without us.
pub async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    tail: Arc<Mutex<Tail>>,
    mut over: watch::Receiver<bool>,
) {
    let mut chunk = vec![0u8; CHUNK_BYTES];
    let mut after_end = 0;
    while after_end < CHUNKS_AFTER_END_MAX {
        let read = tokio::select! {
            biased;
            read = from.read(&mut chunk) => read,
            () = quiet(&mut over) => return,
        };
        let Ok(read @ 1..) = read else { return };
        if let Ok(mut tail) = tail.lock() {
            tail.push(&chunk[..read]);
        }
        if to.write_all(&chunk[..read]).await.is_err() || to.flush().await.is_err() {
            return;
        }
        after_end += usize::from(*over.borrow());
    }
}

/// Resolves when the job has ended and nothing was heard for a while since.
async fn quiet(over: &mut watch::Receiver<bool>) {
    let _ = over.wait_for(|over| *over).await;
    sleep(QUIET_MAX).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_begins_with_a_whole_character() {
        let mut tail = Tail::default();
        tail.push(b"short\n");
        assert_eq!(tail.text(), "short\n");
        for _ in 0..20_000 {
            tail.push("心".as_bytes());
        }
        let text = tail.text();
        assert_eq!(text.len(), 9_999);
        assert!(text.chars().all(|c| c == '心'));
        tail.push(&[b'x'; 100_000]);
        assert_eq!(tail.text(), "x".repeat(MESSAGE_BYTES_MAX));
    }

    #[test]
    fn what_is_no_text_is_marked_and_still_fits() {
        let mut tail = Tail::default();
        tail.push(&[0xff; 20_000]);
        let text = tail.text();
        assert!(text.len() <= MESSAGE_BYTES_MAX && text.len() > MESSAGE_BYTES_MAX - 3);
        assert!(text.chars().all(|c| c == '\u{fffd}'));
    }

    async fn through(bytes: &[u8]) -> (Vec<u8>, String) {
        let tail = Arc::new(Mutex::new(Tail::default()));
        let (_keep, over) = watch::channel(false);
        let mut to = Vec::new();
        copy(bytes, &mut to, tail.clone(), over).await;
        let text = tail.lock().unwrap().text();
        (to, text)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn everything_passes_unchanged() {
        let bytes: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
        assert_eq!(through(&bytes).await.0, bytes);
        assert_eq!(through(b"").await, (Vec::new(), String::new()));
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn who_holds_the_pipe_open_after_the_end_is_left_alone() {
        let (mut child, from) = tokio::io::duplex(1024);
        let (ended, over) = watch::channel(false);
        let tail = Arc::new(Mutex::new(Tail::default()));
        let copying = tokio::spawn(copy(from, tokio::io::sink(), tail.clone(), over));
        child.write_all(b"last words").await.unwrap();
        sleep(Duration::from_secs(3600)).await;
        assert!(!copying.is_finished(), "while the job runs its output is waited for");
        ended.send(true).unwrap();
        copying.await.unwrap();
        assert_eq!(tail.lock().unwrap().text(), "last words");
        drop(child);
    }
}
