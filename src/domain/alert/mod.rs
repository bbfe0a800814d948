//! Alerts: what of all that happens is told, to whom, and when; plain values and one machine, without a clock.

mod compose;
mod entry;
mod lookup;
pub mod machine;
pub mod message;
pub mod pair;
pub mod policy;

pub use entry::Remembered;
pub use lookup::Lookup;
pub use machine::{AlertOutput, AlertState, Machine};
pub use message::{Message, MessageKind};
pub use policy::{AlertPolicy, Notifier};
