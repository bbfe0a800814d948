//! What heartbeat-server knows, as plain values: no clock, no socket, no file.
//!
//! Everything here takes the present moment as an argument and can be driven by a test at any speed.

pub mod access;
pub mod address;
pub mod alert;
pub mod beat;
pub mod compat;
pub mod governor;
pub mod history;
pub mod host;
pub mod id;
mod index;
pub mod instance;
pub mod lang;
pub mod limits;
pub mod message;
pub mod meter;
pub mod notice;
pub mod pattern;
pub mod policy;
pub mod record;
pub mod registry;
pub mod rules;
pub mod schedule;
pub mod sentence;
pub mod state;
pub mod time;
pub mod tolerance;
mod wheel;
pub mod window;
pub mod zone;
