//! The operating system: clocks, sockets, signals, the service manager, log targets. The only place with `unsafe`.

pub mod clock;
pub mod daemon;
pub mod files;
pub mod firewall;
pub mod folder;
pub mod log;
pub mod network;
pub mod parked;
pub mod privileges;
pub mod process;
pub mod sandbox;
pub mod service;
pub mod signals;
pub mod sockets;
pub mod state_dir;
pub mod terminal;
