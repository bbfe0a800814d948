//! Bytes in and out: listeners, threads, connections.
//!
//! There are two kinds of threads. A [`reactor`] owns listeners and connections in a bare readiness loop and answers plain
//! beats, raw TCP and WebSockets; what is said over them is a [`conversation`]. An [`http_worker`] runs tokio and hyper, and
//! takes over every connection whose client asks for anything else ([`handoff`]). [`threads`] starts and stops both.

mod beat_body;
pub mod budget;
mod connection_io;
pub mod connection_limits;
pub mod conversation;
pub mod deadline;
pub mod handoff;
pub mod http;
pub mod http_worker;
pub mod intake;
pub mod listener;
pub mod listener_context;
pub mod parked_record;
pub mod reactor;
pub mod stream;
pub mod threads;
pub mod tls;
