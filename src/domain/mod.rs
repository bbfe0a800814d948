//! What heartbeat-server knows, as plain values: no clock, no socket, no file.
//!
//! Everything here takes the present moment as an argument and can be driven by a test at any speed.

pub mod access;
pub mod address;
pub mod beat;
pub mod history;
pub mod id;
pub mod lang;
pub mod limits;
pub mod meter;
pub mod notice;
pub mod policy;
pub mod record;
pub mod registry;
pub mod time;
mod wheel;
