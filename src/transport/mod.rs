//! Bytes in and out: listeners, threads, connections.
//!
//! There are two kinds of threads. A *reactor* ([`reactor`]) owns listeners and connections in a bare readiness loop and
//! answers plain beats at the lowest price there is; a *general* thread ([`general`]) runs tokio and hyper and takes
//! over every connection whose client asks for anything else. [`threads`] starts and stops both.

pub mod budget;
pub mod connection_limits;
pub mod deadline;
pub mod http;
pub mod http_worker;
mod intake;
pub mod listener;
pub mod listener_context;
pub mod reactor;
pub mod stream;
pub mod threads;
pub mod tls;
