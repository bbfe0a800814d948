//! Alerts: what of all that happens is told, to whom, and when; plain values and one machine, without a clock.

mod compose;
mod entry;
pub mod machine;
pub mod message;
pub mod policy;

pub use entry::Remembered;
pub use machine::{AlertOutput, AlertState, Lookup, Machine};
pub use message::{Message, MessageKind};
pub use policy::{AlertPolicy, Notifier};
