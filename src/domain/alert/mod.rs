//! Alerts: what of all that happens is told, to whom, and when; plain values and one machine, without a clock.

pub mod message;
pub mod policy;

pub use message::{Kind, Message};
pub use policy::{AlertPolicy, Notifier};
