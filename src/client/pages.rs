//! Paging through a list of the server, with an end even where the server's cursors have none.

use super::error::ClientError;
use super::http::not_ours;
use super::server_url::ServerUrl;
use crate::i18n;

/// Most rows of a list.
const ROWS_MAX: usize = 10_000_000;

/// How far a list has been read, page by page.
#[derive(Debug, Default)]
pub struct Pages {
    /// Where the next page begins.
    pub after: Option<String>,
    /// Rows so far.
    pub rows: usize,
    /// A cursor to compare with, replaced after 1, 2, 4, 8 … pages: a cycle of any length meets it (Brent).
    mark: Option<String>,
    turns: usize,
}

impl Pages {
    /// Goes on; false at the end.
    ///
    /// # Errors
    /// When cursors repeat, or there are too many rows.
    pub fn turn(&mut self, rows: usize, next: Option<String>, to: &ServerUrl) -> Result<bool, ClientError> {
        self.rows += rows;
        if self.rows > ROWS_MAX {
            return Err(not_ours(to, i18n::client::list_does_not_end(&ROWS_MAX)));
        }
        if next.is_some() && (next == self.mark || next == self.after) {
            return Err(not_ours(to, i18n::client::LIST_BEGINS_AGAIN));
        }
        self.after = next;
        self.turns += 1;
        if self.turns.is_power_of_two() {
            self.mark.clone_from(&self.after);
        }
        Ok(self.after.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_even_where_the_servers_does_not() {
        let to = ServerUrl::default();
        let follow = |next: &dyn Fn(usize) -> Option<String>, rows| {
            let mut pages = Pages::default();
            for turn in 0.. {
                match pages.turn(rows, next(turn), &to) {
                    Ok(true) => {}
                    Ok(false) => return (turn, String::new()),
                    Err(failure) => return (turn, failure.to_string()),
                }
            }
            unreachable!()
        };
        assert_eq!(follow(&|turn| (turn < 3_000).then(|| turn.to_string()), 1), (3_000, String::new()));
        for (before, length) in [(0, 1), (0, 2), (5, 1), (100, 7), (3, 1_000)] {
            let circle = |turn: usize| {
                Some((if turn < before { turn } else { before + (turn - before) % length }).to_string())
            };
            let (turns, said) = follow(&circle, 1);
            assert!(said.contains("again and again"), "{before}, {length}: {said}");
            assert!(turns <= 4 * (before + length), "{before}, {length}: {turns}");
        }
        let (turns, said) = follow(&|turn| Some(turn.to_string()), 1_000);
        assert!(said.contains("does not end") && turns == 10_000, "{turns}: {said}");
    }
}
