//! What every journal must do.

use super::{NOW, change, record, removed};
use crate::domain::notice::State;
use crate::domain::record::Record;
use crate::store::{Batch, Journal, Position, RecordFilter};
use std::sync::Arc;

/// Runs every test, each on an empty journal of its own that `fresh` makes.
pub(in crate::store) fn journals(fresh: impl Fn() -> Arc<dyn Journal>) {
    a_journal_is_read_as_it_was_appended(&*fresh());
    who_follows_changes_is_spared_the_rest(&*fresh());
    what_is_trimmed_is_gone_and_the_rest_is_not(&*fresh());
}

fn read(
    journal: &dyn Journal,
    from: Option<Position>,
    wanted: RecordFilter,
) -> (Vec<(Position, u64, u64)>, Position) {
    let mut found = Vec::new();
    let visit = &mut |position, record: &Record<'_>| found.push((position, record.number, record.version));
    let end = journal.read(from, wanted, visit).unwrap();
    (found, end)
}

fn append(journal: &dyn Journal, records: &[Record<'_>]) -> Position {
    let mut batch = Batch::new();
    records.iter().for_each(|record| batch.push(record));
    let position = journal.append(NOW, &mut batch).unwrap();
    assert!(batch.is_empty(), "what was taken is gone from the batch");
    position
}

fn a_journal_is_read_as_it_was_appended(journal: &dyn Journal) {
    assert_eq!(read(journal, None, RecordFilter::All).0, []);
    let first = append(journal, &[record("a", 1, 1), record("b", 2, 1)]);
    let second = append(journal, &[record("a", 1, 2)]);
    assert!(first < second);
    journal.sync(second).unwrap();
    let (all, end) = read(journal, None, RecordFilter::All);
    let said: Vec<_> = all.iter().map(|(_, number, version)| (*number, *version)).collect();
    assert_eq!(said, [(1, 1), (2, 1), (1, 2)]);
    assert!(all.iter().all(|(position, ..)| *position <= end) && end >= second);
    let (rest, _) = read(journal, Some(first), RecordFilter::All);
    assert_eq!(rest.iter().map(|(_, number, version)| (*number, *version)).collect::<Vec<_>>(), [(1, 2)]);
    // Who goes on from the end sees what comes after it and nothing twice.
    append(journal, &[record("b", 2, 2)]);
    let (rest, _) = read(journal, Some(end), RecordFilter::All);
    assert_eq!(rest.iter().map(|(_, number, version)| (*number, *version)).collect::<Vec<_>>(), [(2, 2)]);
}

fn who_follows_changes_is_spared_the_rest(journal: &dyn Journal) {
    append(journal, &[record("a", 1, 1)]);
    append(journal, &[change("a", 1, 2, State::Up, State::Late), record("b", 2, 1)]);
    append(journal, &[record("a", 1, 3)]);
    append(journal, &[removed("a", 1, 4)]);
    let (changes, end) = read(journal, None, RecordFilter::Changes);
    assert_eq!(
        changes.iter().map(|(_, number, version)| (*number, *version)).collect::<Vec<_>>(),
        [(1, 2), (1, 4)]
    );
    assert_eq!(read(journal, Some(end), RecordFilter::All).0, [], "the end is the end of all");
}

fn what_is_trimmed_is_gone_and_the_rest_is_not(journal: &dyn Journal) {
    append(journal, &[record("a", 1, 1)]);
    let first = append(journal, &[record("a", 1, 2)]);
    append(journal, &[record("a", 1, 3)]);
    journal.trim(first).unwrap();
    // How much is let go of is the journal's affair; what lies behind the position never is.
    let (left, _) = read(journal, None, RecordFilter::All);
    assert_eq!(left.last().map(|(_, number, version)| (*number, *version)), Some((1, 3)));
    assert_eq!(read(journal, Some(first), RecordFilter::All).0.len(), 1);
}
