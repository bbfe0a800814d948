//! Bytes to requests and answers to bytes: pure, without sockets, fuzzed.

pub mod answer;
pub mod blob;
pub mod compat;
pub mod control;
pub mod dialect;
#[cfg(test)]
mod edges;
pub mod fields;
pub mod forwarded;
pub mod frame;
pub mod head;
pub mod json;
pub mod line;
pub mod origin;
pub mod proxy_protocol;
pub mod query;
pub mod url_beat;
pub mod ws;
