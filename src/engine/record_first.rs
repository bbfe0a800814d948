//! The rule for everything that is told: on record first.
//!
//! Changes of monitors are told to the log, to streams of events and to the metrics after the journal has them
//! ([`Engine::commit`](super::Engine::commit)); alerts go out after the outbox has them, with the changes that they came of
//! ([`Engine::checkpoint`](super::Engine::checkpoint)). So a crash at any moment leaves nothing told that is not known.
//!
//! One exception: a disk that takes nothing keeps nobody from hearing. What cannot be put on record is told all the same,
//! and whoever tells it knows and may mark it so; it is put on record when there is room (`delivery/unstored`). Only the
//! acknowledgement of a beat knows no exception where beats are to be safe (`sync = "always"`).

/// Puts something on record and then tells of it. `tell` is given whether it is on record.
#[inline]
pub(super) fn on_record_first<T, E>(
    put: impl FnOnce() -> Result<T, E>,
    tell: impl FnOnce(bool),
) -> Result<T, E> {
    let put = put();
    tell(put.is_ok());
    put
}
