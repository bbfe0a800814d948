//! Bytes in and out: listeners, threads, connections.
//!
//! There are two kinds of threads. A *front* ([`front`]) owns listeners and connections in a bare readiness loop and
//! answers plain beats at the lowest price there is; a *general* thread ([`general`]) runs tokio and hyper and takes
//! over every connection whose client asks for anything else. [`threads`] starts and stops both.

pub mod budget;
pub mod census;
pub mod deadline;
pub mod door;
pub mod front;
pub mod general;
pub mod http;
pub mod site;
pub mod stream;
mod taking;
pub mod threads;
pub mod tls;
