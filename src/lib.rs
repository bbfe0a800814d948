//! heartbeat-server: receives heartbeats, writes every one down, knows who is alive; and `heartbeat`, which sends them.
//!
//! The map of the modules, and what each must never do, is ARCHITECTURE.md.

pub mod app;
pub mod client;
pub mod command;
pub mod config;
pub mod domain;
pub mod engine;
pub mod i18n;
pub mod net;
pub mod notify;
pub mod store;
pub mod sys;
pub mod transport;
pub mod view;
pub mod wire;

#[cfg(test)]
#[path = "../tests/skip.rs"]
mod skip;
