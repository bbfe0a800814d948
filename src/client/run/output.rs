//! The output of a job: copied unchanged, its beginning and its end kept.
//!
//! A job may leave children behind that hold its output open for ever. So after its end what is still in the pipe is copied,
//! and then the wait is short.

use crate::domain::limits::{MESSAGE_BYTES_MAX, MESSAGE_HEAD_BYTES};
use crate::domain::message::{MARK_BYTES_MAX, cut, head_of, mark, tail_of};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::sleep;

/// Bytes passed on at once: a pipe's whole content.
const CHUNK_BYTES: usize = 64 * 1024;
/// After the job's end: the longest silence of other processes that hold its output, and the most chunks read of them.
const QUIET_MAX: Duration = Duration::from_millis(500);
const CHUNKS_AFTER_END_MAX: usize = 256;

/// How much of the output is reported: the rest of a message is for how the job ended.
const OUTPUT_BYTES_MAX: usize = MESSAGE_BYTES_MAX - 160;

/// The first and the last bytes of an output.
#[derive(Debug, Default)]
pub struct OutputTail {
    head: Vec<u8>,
    bytes: Vec<u8>,
    dropped: usize,
}

impl OutputTail {
    /// Adds output.
    pub fn push(&mut self, more: &[u8]) {
        let (head, more) = more.split_at(more.len().min(MESSAGE_HEAD_BYTES - self.head.len()));
        self.head.extend_from_slice(head);
        let from = more.len().saturating_sub(OUTPUT_BYTES_MAX);
        if from > 0 {
            self.dropped += std::mem::take(&mut self.bytes).len() + from;
        }
        self.bytes.extend_from_slice(&more[from..]);
        if self.bytes.len() > 4 * OUTPUT_BYTES_MAX {
            let old = self.bytes.len() - OUTPUT_BYTES_MAX;
            self.bytes.drain(..old);
            self.dropped += old;
        }
    }

    /// Its beginning and its end as text, in whole characters.
    pub fn text(&self) -> String {
        let fits = OUTPUT_BYTES_MAX - self.head.len();
        if self.dropped == 0 && self.bytes.len() <= fits {
            let whole = [&self.head[..], &self.bytes].concat();
            return cut(&String::from_utf8_lossy(&whole), OUTPUT_BYTES_MAX).into_owned();
        }
        let room = fits - MARK_BYTES_MAX;
        let end = &self.bytes[self.bytes.len().saturating_sub(room)..];
        // The rest of a character that was cut in two.
        let rest = end.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
        let left_out = self.dropped + self.bytes.len() - end.len() + rest;
        let (head, tail) = (String::from_utf8_lossy(&self.head), String::from_utf8_lossy(&end[rest..]));
        let head = head_of(&head, MESSAGE_HEAD_BYTES).trim_end_matches(char::REPLACEMENT_CHARACTER);
        [head, &mark(left_out), tail_of(&tail, room)].concat()
    }
}

/// Copies everything up to the end, or up to a short while after `over` tells that the job has ended.
///
/// When writing fails (EPIPE) it stops reading, so that the job gets SIGPIPE as it would without us.
pub async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    tail: Arc<Mutex<OutputTail>>,
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

/// Resolves when the job has ended and no output came for a while since.
async fn quiet(over: &mut watch::Receiver<bool>) {
    let _ = over.wait_for(|over| *over).await;
    sleep(QUIET_MAX).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginning_and_end_are_kept_in_whole_characters() {
        let mut tail = OutputTail::default();
        tail.push(b"short\n");
        assert_eq!(tail.text(), "short\n");
        for piece in [1, 7, 1_000, 64 * 1024] {
            let (mut tail, said) = (OutputTail::default(), "心".repeat(20_000));
            said.as_bytes().chunks(piece).for_each(|chunk| tail.push(chunk));
            tail.push(b"broken pipe\n");
            let text = tail.text();
            assert!(text.len() <= OUTPUT_BYTES_MAX && text.len() > OUTPUT_BYTES_MAX - 50, "{}", text.len());
            let (head, end) = text.split_once("\n[… ").unwrap();
            let (left_out, end) = end.split_once(" B …]\n").unwrap();
            assert_eq!(head, "心".repeat(666), "in pieces of {piece}");
            assert!(end.ends_with("心broken pipe\n") && !end.contains('\u{fffd}'));
            let left_out: usize = left_out.parse().unwrap();
            assert!(left_out.abs_diff(60_012 - head.len() - end.len()) <= 2, "{left_out}");
            assert!(tail.bytes.len() <= 4 * OUTPUT_BYTES_MAX, "what is kept has a bound");
        }
    }

    #[test]
    fn what_is_no_text_is_marked_and_still_fits() {
        for length in [5_000, 20_000] {
            let mut tail = OutputTail::default();
            tail.push(&vec![0xff; length]);
            let text = tail.text();
            assert!(text.len() <= OUTPUT_BYTES_MAX && text.ends_with('\u{fffd}'), "{}", text.len());
        }
    }

    async fn through(bytes: &[u8]) -> (Vec<u8>, String) {
        let tail = Arc::new(Mutex::new(OutputTail::default()));
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
        let tail = Arc::new(Mutex::new(OutputTail::default()));
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
