//! The log: a line for every beat and for every notice, to any number of targets, never at a beat's expense.

mod options;

pub use options::{Format, LogOptions, Target, TargetOptions};
