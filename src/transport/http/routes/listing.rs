//! Lists, in pieces: however long one is, only some rows of it are in memory at a time.
//!
//! A piece is made when hyper has room for it, on a thread that has the time, from the place where the last one ended; so
//! a list is as its cursors are, and a row that moves meanwhile may be missed or come twice. A list that fits one piece
//! is an answer like any other.

use super::events::{Broken, Flow};
use super::{Question, Reply, aside, store_failed};
use crate::domain::address::Peer;
use crate::domain::limits::{LIST_HELD_BYTES, LIST_PIECE_BYTES, LIST_PIECE_ROWS};
use crate::domain::policy::Policy;
use crate::engine::Engine;
use crate::store::StoreError;
use crate::transport::budget::{self, Held};
use crate::transport::site::Site;
use crate::wire::answer::{Answer, JSON};
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Where the rows of a list come from.
pub trait Source: Send + 'static {
    /// The next rows, at most so many, and whether there are more behind them. May wait for a disk.
    fn rows(&mut self, engine: &Engine, most: usize) -> Result<(Vec<Value>, bool), StoreError>;

    /// So many of those, one at least, were taken: the next come behind them. The cursor to there.
    fn go_on(&mut self, taken: usize) -> String;
}

/// A list under way.
struct Listing<S> {
    source: S,
    /// Its name in the answer, until that has begun.
    name: Option<&'static str>,
    /// How many more rows are wanted.
    left: usize,
}

impl<S: Source> Listing<S> {
    /// The next piece, and whether it is the last.
    fn piece(&mut self, engine: &Engine) -> Result<(Vec<u8>, bool), StoreError> {
        let mut out = Vec::with_capacity(LIST_PIECE_BYTES / 4);
        let mut between = self.name.is_none();
        if let Some(name) = self.name {
            out.extend_from_slice(format!("{{\"{name}\":[").as_bytes());
        }
        let (rows, behind) = self.source.rows(engine, self.left.min(LIST_PIECE_ROWS))?;
        self.name = None;
        let mut taken = 0;
        for row in &rows {
            if out.len() >= LIST_PIECE_BYTES {
                break;
            }
            if std::mem::replace(&mut between, true) {
                out.push(b',');
            }
            out.extend_from_slice(row.to_string().as_bytes());
            taken += 1;
        }
        let cursor = if taken > 0 { self.source.go_on(taken) } else { String::new() };
        self.left -= taken;
        let more = behind || taken < rows.len();
        let last = !more || self.left == 0;
        if last {
            let next = if more { Value::from(cursor) } else { Value::Null };
            out.extend_from_slice(format!("],\"next\":{next}}}").as_bytes());
        }
        Ok((out, last))
    }
}

/// Answers with a list of at most `limit` rows.
pub async fn list(
    site: &Site,
    policy: &Policy,
    client: Peer,
    question: &Question<'_>,
    name: &'static str,
    limit: usize,
    source: impl Source,
) -> Reply {
    let mut held = Held::new(site.census.clone(), client);
    let mut listing = Listing { source, name: Some(name), left: limit };
    let first = aside(site, move |engine| {
        let piece = listing.piece(engine);
        (listing, piece)
    });
    let (listing, piece, last) = match first.await {
        Ok((listing, Ok((piece, last)))) => (listing, piece, last),
        Ok((_, Err(error))) => return Reply::Whole(store_failed(&error)),
        Err(failed) => return Reply::Whole(failed),
    };
    if last {
        return Reply::Whole(Answer::new(200, JSON, piece).with_data_headers());
    }
    if let Err(why) = held.set(LIST_HELD_BYTES, policy.limits.memory) {
        site.engine.stats().turned(why);
        return Reply::Whole(budget::refusal(why).with_data_headers());
    }
    let (post, pieces) = mpsc::channel(1);
    if question.method != "HEAD" {
        tokio::spawn(feed(site.engine.clone(), listing, piece, post));
    }
    Reply::Flow(Answer::new(200, JSON, &b""[..]).with_data_headers(), Flow::new(pieces, held))
}

/// Writes the rest of a list, one piece at a time and none before there is room for it.
async fn feed(
    engine: Arc<Engine>,
    mut listing: Listing<impl Source>,
    first: Vec<u8>,
    post: mpsc::Sender<Result<Bytes, Broken>>,
) {
    let mut made = Some((first, false));
    loop {
        let Ok(room) = post.reserve().await else { return };
        let (piece, last) = match made.take() {
            Some(made) => made,
            None => {
                let engine = engine.clone();
                let next = tokio::task::spawn_blocking(move || {
                    let piece = listing.piece(&engine);
                    (listing, piece)
                });
                match next.await {
                    Ok((on, Ok(piece))) => {
                        listing = on;
                        piece
                    }
                    // What was sent cannot be taken back; a body that breaks off is seen to be no whole one.
                    _ => return room.send(Err(Broken)),
                }
            }
        };
        room.send(Ok(Bytes::from(piece)));
        if last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Policy;
    use crate::engine::testing;
    use serde_json::json;

    /// Rows of a length.
    struct Rows {
        at: usize,
        count: usize,
        bytes: usize,
    }

    impl Source for Rows {
        fn rows(&mut self, _: &Engine, most: usize) -> Result<(Vec<Value>, bool), StoreError> {
            let end = (self.at + most).min(self.count);
            let row = |n| json!({ "n": n, "text": "x".repeat(self.bytes) });
            Ok(((self.at..end).map(row).collect(), end < self.count))
        }

        fn go_on(&mut self, taken: usize) -> String {
            self.at += taken;
            self.at.to_string()
        }
    }

    #[test]
    fn pieces_are_bounded_and_make_up_the_list() {
        let engine = testing::engine(Policy::default());
        for (count, bytes, limit) in [
            (0, 1, 10),
            (1, 1, 10),
            (10, 1, 10),
            (11, 1, 10),
            (1000, 3000, 700),
            (50, 100_000, 50),
            (129, 0, 128),
        ] {
            let source = Rows { at: 0, count, bytes };
            let mut listing = Listing { source, name: Some("rows"), left: limit };
            let mut text = String::new();
            loop {
                let (piece, last) = listing.piece(&engine).unwrap();
                assert!(piece.len() < LIST_PIECE_BYTES + bytes + 100, "{}", piece.len());
                text += std::str::from_utf8(&piece).unwrap();
                if last {
                    break;
                }
            }
            let list: Value = serde_json::from_str(&text).unwrap();
            let rows = list["rows"].as_array().unwrap();
            assert!(rows.iter().enumerate().all(|(n, row)| row["n"] == n), "{count} {bytes}");
            assert_eq!(rows.len(), count.min(limit));
            let next = if count > limit { json!(limit.to_string()) } else { Value::Null };
            assert_eq!(list["next"], next, "{count} rows of {bytes} bytes");
        }
    }
}
