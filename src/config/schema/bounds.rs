//! Bounds of values that several tables have.

use crate::domain::time::Span;

/// Most log targets.
pub(in crate::config) const LOG_TARGETS_MAX: usize = 16;

/// Most worker threads.
pub(in crate::config) const THREADS_MAX: usize = 256;

pub(super) const TIMEOUT_MIN: Span = Span::secs(1);

pub(super) const TIMEOUT_MAX: Span = Span::secs(86_400);

/// Shortest maintenance window that recurs, and shortest run.
pub(super) const LENGTH_MIN: Span = Span::secs(1);
