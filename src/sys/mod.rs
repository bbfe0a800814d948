//! The operating system: clocks, sockets, signals, the service manager, log targets. The only place with `unsafe`.

pub mod clock;
pub mod log;
