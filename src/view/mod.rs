//! What the domain knows, as text for people and programs: pure functions from values to strings.

pub mod alert;
pub mod api;
pub mod badge;
pub mod events;
pub mod line;
pub mod metrics;
pub mod openapi;
pub mod page;
pub mod reason;
pub mod signal;
pub mod status;
pub mod words;
