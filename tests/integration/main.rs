//! The real binary over real sockets: one module for each subject, one daemon for each test.
//!
//! `harness` starts and ends daemons, `client` speaks bytes to them. No test asserts a time that a busy machine could
//! miss: what has to happen is waited for up to [`harness::PATIENCE`], and what must not happen is shown by something
//! else happening first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // a test that cannot go on may panic
#![allow(clippy::disallowed_methods)] // the tests' own patience; the daemon's clock is another

mod client;
mod harness;
mod kernel;
mod receiver;
#[path = "../skip.rs"]
mod skip;

mod access;
mod agent;
mod alerts;
mod asking;
mod attacks;
mod beats;
mod channels;
mod claims;
mod clients;
mod compat;
mod control;
mod differential;
mod durability;
mod events;
mod faults;
mod governor;
mod handover;
mod http;
mod installing;
mod lifecycle;
mod limits;
mod malformed;
mod memory;
mod old_states;
mod over;
mod pair;
mod proxies;
mod reading;
mod rules;
mod run;
#[cfg(target_os = "linux")] // elsewhere there is no /proc to ask, and little to confine with
mod sandbox;
mod schedules;
mod secrets;
mod seed0;
mod send;
mod servers;
mod service;
mod states;
mod tcp;
mod tidy;
mod tls;
mod url_beats;
mod ws;
