//! Lists, in pieces: however long one is, only some rows of it are in memory at a time.
//!
//! Each piece goes on from the place where the last one ended; so a list is as its cursors are, and a row that moves
//! meanwhile may be missed or come twice.

use super::pieces::{self, Pieces};
use super::reply::RouteReply;
use super::request::RouteRequest;
use crate::domain::address::Peer;
use crate::domain::limits::{LIST_HELD_BYTES, LIST_PIECE_BYTES, LIST_PIECE_ROWS};
use crate::domain::policy::Policy;
use crate::engine::Engine;
use crate::store::StoreError;
use crate::transport::listener_context::ListenerContext;
use crate::wire::answer::{Answer, JSON};
use serde_json::Value;

/// Where the rows of a list come from.
pub trait RowSource: Send + 'static {
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

impl<S: RowSource> Pieces for Listing<S> {
    fn held_bytes(&self) -> usize {
        LIST_HELD_BYTES
    }

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
    context: &ListenerContext,
    policy: &Policy,
    client: Peer,
    request: &RouteRequest<'_>,
    name: &'static str,
    limit: usize,
    source: impl RowSource,
) -> RouteReply {
    let head = Answer::new(200, JSON, &b""[..]).with_data_headers();
    let listing = Listing { source, name: Some(name), left: limit };
    pieces::send(context, policy, client, request, head, listing).await
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

    impl RowSource for Rows {
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
